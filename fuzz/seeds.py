"""Writes the first inputs of every fuzz target into corpus/: made up, small, one for each thing the readers tell apart.

    python3 fuzz/seeds.py
"""

import gzip
import json
import struct
import zlib
from pathlib import Path

HERE = Path(__file__).resolve().parent


def header(**fields) -> bytes:
    told = {
        "ObjectType": "Image", "NDims": "3", "BinaryData": "True", "BinaryDataByteOrderMSB": "False", "CompressedData": "False",
        "TransformMatrix": "1 0 0 0 1 0 0 0 1", "Offset": "0 0 0", "CenterOfRotation": "0 0 0", "AnatomicalOrientation": "RAI",
        "ElementSpacing": "4 0.5 0.5", "DimSize": "2 3 4", "ElementType": "MET_SHORT",
    } | fields
    return "".join(f"{key} = {value}\n" for key, value in told.items() if value is not None).encode() + b"ElementDataFile = LOCAL\n"


def metaimage() -> dict[str, bytes]:
    voxels = bytes(range(48))
    packed = zlib.compress(voxels, 1)
    return {
        "raw": header() + voxels,
        "big-endian": header(BinaryDataByteOrderMSB="True") + voxels,
        "zlib": header(CompressedData="True", CompressedDataSize=len(packed)) + packed,
        "zlib-unstated": header(CompressedData="True") + packed,
        "zlib-short": header(CompressedData="True") + packed[:-6],
        "zlib-long": header(CompressedData="True", DimSize="1 1 1") + packed,
        "mask": header(ElementType="MET_UCHAR", DimSize="2 3 8") + voxels,
        "float": header(ElementType="MET_FLOAT", DimSize="2 3 2") + voxels,
        "flipped": header(TransformMatrix="0 0 -1 1 0 0 0 -1 0", Offset="1.5 -2e1 +3.25") + voxels,
        "elsewhere": header().replace(b"LOCAL", b"other.raw"),
        "huge": header(DimSize="65536 65536 65536"),
        "crlf": header().replace(b"\n", b"\r\n") + voxels,
        "bare": header(TransformMatrix=None, Offset=None, CenterOfRotation=None, ElementSpacing=None) + voxels,
    }


OVERVIEW = [
    "new_file_name,num_vertebrae,num_discs,sex,birth_date,subset,AngioFlag,BodyPartExamined,DeviceSerialNumber,EchoNumbers,EchoTime,"
    "EchoTrainLength,FlipAngle,ImagedNucleus,ImagingFrequency,InPlanePhaseEncodingDirection,MRAcquisitionType,MagneticFieldStrength,"
    "Manufacturer,ManufacturerModelName,NumberOfPhaseEncodingSteps,PercentPhaseFieldOfView,PercentSampling,PhotometricInterpretation,"
    "PixelBandwidth,PixelSpacing,RepetitionTime,SAR,SamplesPerPixel,ScanningSequence,SequenceName,SeriesDescription,SliceThickness,"
    "SoftwareVersions,SpacingBetweenSlices,SpecificCharacterSet,TransmitCoilName,WindowCenter,WindowWidth",
    '1_t1,7,7,F ,,training,,LSPINE,,1,13.8,7,85,1H,127.7,COL,2D,3.0,Made Up,Demo,235,155.5,77.1,MONOCHROME2,488,"[0.625, 0.625]",716.2,'
    "2.7,1,SE,,,3.0,\"['1.0', '1.0.1']\",3.3,ISO 2022 IR 100,,1093.0,1901.0",
    '2_t2_SPACE,6,6,M,1950.0,validation,N,SPINE,,1,120,25,,1H,63.8,ROW,3D,1.5,Made Up,Demo,237,100,77,MONOCHROME2,365,"[0.5, 0.5]",3000,'
    ",1,\"['SE', 'IR']\",,,1.0,1.0,,ISO_IR 100,,,",
]
GRADINGS = [
    "Patient,IVD label,Modic,UP endplate,LOW endplate,Spondylolisthesis,Disc herniation,Disc narrowing,Disc bulging,Pfirrman grade",
    "1,1,0,0,0,0,0,1,1,3",
    "2,10,3,1,1,1,1,0,0,5",
]


def table(rows: list[str]) -> dict[str, bytes]:
    text = "\n".join(rows) + "\n"
    return {
        "whole": text.encode(),
        "crlf": text.replace("\n", "\r\n").encode(),
        "bom": b"\xef\xbb\xbf" + text.encode(),
        "latin": text.replace("Made Up", "H\xf4pital").encode("latin-1"),
        "twice": "\n".join([*rows, rows[1]]).encode(),
        "header": rows[0].encode(),
        "ragged": (text + "3\n").encode(),
    }


def image_queries() -> list[str]:
    return [
        "", "size=256&fit=contain&filter=area", "size=native&layout=stored", "width=300&height=200", "spacing=0.5&window=auto",
        "preset=hf&size=512", "window=1093,1901&bits=8", "window=p0.5,99.5&dtype=uint8", "window=none&dtype=float32",
        "labels=1-25,100,discs&map=semantic&palette=true", "map=1-25:1,100:2,201%3E3", "alpha=0.4&outline=2&labels=vertebrae",
        "context=2&size=64", "of=mask&mm=40&spacing=0.5&dims=3", "margin=5&window=dicom", "window=-12.5,3e2", "size=4294967296",
    ]


def listings() -> list[str]:
    # A cursor as it stands inside the hexadecimal digits: the order, the row's values of it, and its key.
    cursors = ["", "sort=-age", "sort=-age,scan_id"], [[], [61], [None, "1_t1"]]
    after = [
        f"{sort}&cursor={json.dumps([sort.removeprefix('sort='), values, key], separators=(',', ':'))}"
        for sort, values in zip(*cursors) for key in ([7], [7, 3])
    ]
    return [
        "", "scan_type=t1,t2&split=train", "age=40..60&sex=F", "pfirrmann=4..5&level=1", "has=201,vertebrae&min_pixels=50",
        "volume=any&sort=-age,scan_id", "fields=all", "fields=scan_id,shape", "slice=mid,best,3..7", "modic=!null&disc_bulging=null",
        'manufacturer="Made ""Up"", Demo",null', "scan_id=1_t1,5_t2_SPACE", "patient_id=1,2,3..9", "echo_time=..13.8", *after,
    ]


def ranges() -> list[str]:
    return ["bytes=0-3", "bytes=4-", "bytes=-3", "bytes=8-99", "bytes=0-18446744073709551615", "bytes= 1 - 2 ", "bytes=0-1,3-4", "lines=0-3"]


def labels() -> list[str]:
    return [
        "1-25,100", "vertebrae,discs,canal,partial", "0-255&binary", "discs&semantic", "201&semantic_vdc", "1-25,100&1-25:1,100:2",
        "partial&0:7,1-25>255", "201-209&native", "256&1-5:1,5:2",
    ]


def masks() -> dict[str, bytes]:
    """On the grid of the fuzz target: 2 x 3 x 4 voxels (i, j, k), half a millimetre apart."""
    labels = bytes([0, 1, 1, 201, 0, 100, 7, 7] * 3)
    own = {"ElementSpacing": "0.5 0.5 0.5", "ElementType": "MET_UCHAR"}
    dictionary = b"{'descr': '|u1', 'fortran_order': False, 'shape': (4, 3, 2), }\n"
    # Where i, j, k go to, right, front and head being positive.
    affine = (-0.5, 0.0, 0.0, 0.0, 0.0, -0.5, 0.0, 0.0, 0.0, 0.0, 0.5, 0.0)
    nifti = bytearray(352)
    for place, layout, values in (
        (0, "<i", (348,)), (40, "<8h", (3, 2, 3, 4, 1, 1, 1, 1)), (70, "<2h", (2, 8)), (76, "<4f", (1, 0.5, 0.5, 0.5)),
        (108, "<2f", (352, 1)), (254, "<h", (1,)), (280, "<12f", affine), (344, "4s", (b"n+1\0",)),
    ):
        struct.pack_into(layout, nifti, place, *values)
    nifti += labels
    canonical = b"\x93NUMPY\x01\0" + struct.pack("<H", len(dictionary)) + dictionary
    return {
        "mha": header(**own) + labels,
        "mha-zlib": header(**own, CompressedData="True") + zlib.compress(labels, 1),
        "mha-turned": header(**own | {"TransformMatrix": "0 0 -1 1 0 0 0 -1 0"}) + labels,
        "nii": bytes(nifti),
        "nii-gz": gzip.compress(nifti, 1, mtime=0),
        "npy": canonical + labels,
        "npy-fortran": canonical.replace(b"False", b"True ") + labels,
    }


def numbered(texts: list[str]) -> dict[str, bytes]:
    return {f"{n:02}": text.encode() for n, text in enumerate(texts)}


def main() -> None:
    corpora = {
        "metaimage": metaimage(), "overview": table(OVERVIEW), "gradings": table(GRADINGS), "image_queries": numbered(image_queries()),
        "listings": numbered(listings()), "ranges": numbered(ranges()), "labels": numbered(labels()), "masks": masks(),
    }
    for target, inputs in corpora.items():
        folder = HERE / "corpus" / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in inputs.items():
            (folder / name).write_bytes(content)


if __name__ == "__main__":
    main()
