#!/usr/bin/env python3
"""Writes metaimage.json: what SimpleITK reads from MetaImage files.

    make_metaimage.py METAIMAGES RELEASE

`foreign`: the files of other programs in METAIMAGES; `release`: the images and masks of RELEASE, a part of the real
release. Both stay where they are: the tests read them where SAGITTAL_METAIMAGES and SAGITTAL_RELEASE name them.
`made`: small files that SimpleITK wrote, one per voxel type and encoding, and hand-written headers that use the format's
less common spellings; each with its whole contents in hex.

Arrays are given as SimpleITK's numpy arrays have them (k, j, i), little-endian, as a sha256. Directions are the columns
of SimpleITK's direction matrix for k, j and i; spacing is in the same order.

Needs numpy and SimpleITK.
"""
import hashlib
import json
import sys
import tempfile
import zlib
from pathlib import Path

import numpy as np
import SimpleITK as sitk

HERE = Path(__file__).resolve().parent
TYPES = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64"]
BASE = "ObjectType = Image\nNDims = 3\nDimSize = 4 3 2\nElementType = MET_SHORT\n"
LOCAL = "ElementDataFile = LOCAL\n"


def exact(numbers):
    """As text, because JSON readers may round numbers."""
    return " ".join(repr(float(number)) for number in numbers)


def as_read(path):
    image = sitk.ReadImage(str(path))
    array = sitk.GetArrayFromImage(image)
    direction = np.array(image.GetDirection()).reshape(3, 3)
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return {
        "element": str(array.dtype),
        "shape": list(array.shape),
        "spacing": exact(image.GetSpacing()[::-1]),
        "origin": exact(image.GetOrigin()),
        "directions": [exact(direction[:, axis]) for axis in (2, 1, 0)],
        "sha256": hashlib.sha256(little.tobytes()).hexdigest(),
    }


def written(folder):
    rng = np.random.default_rng(2)
    for name in TYPES:
        array = rng.integers(0, 256, 24 * np.dtype(name).itemsize, dtype=np.uint8).view(name).reshape(2, 3, 4)
        if name.startswith("float"):
            array = rng.standard_normal((2, 3, 4)).astype(name)
        image = sitk.GetImageFromArray(array)
        image.SetSpacing((0.46875, 0.625, 3.3))
        image.SetOrigin((14.028999999999996, -214.231, 251.136))
        image.SetDirection((0, 4.897e-12, -1, 1, 0, 0, 4.897e-12, -1, 0))
        for compressed in (False, True):
            path = folder / f"{name}{'_zlib' if compressed else ''}.mha"
            sitk.WriteImage(image, str(path), useCompression=compressed)
            yield path.name, path.read_bytes()


def spelled():
    data = np.arange(-12, 12, dtype="<i2").tobytes()
    stream = zlib.compress(data)
    headers = {
        "no BinaryData": "",
        "ElementSize": "ElementSize = 2 3 4\n",
        "ElementSpacing before ElementSize": "ElementSize = 2 3 4\nElementSpacing = 5 6 7\n",
        "Position": "Position = 1 2 3\n",
        "Origin": "Origin = 1 2 3\n",
        "ImagePosition": "ImagePosition = 1 2 3\n",
        "Rotation": "Rotation = 0 1 0 0 0 1 1 0 0\n",
        "Orientation": "Orientation = 0 1 0 0 0 1 1 0 0\n",
        "TransformMatrix": "TransformMatrix = 0 1 0 0 0 1 1 0 0\n",
        "ElementByteOrderMSB": "ElementByteOrderMSB = True\n",
        "BinaryDataByteOrderMSB": "BinaryDataByteOrderMSB = 1\n",
        "both byte orders": "ElementByteOrderMSB = False\nBinaryDataByteOrderMSB = False\n",
        "slope is not applied": "ElementToIntensityFunctionSlope = 2\n",
        "lower-case booleans": "BinaryData = true\nCompressedData = no\n",
        "blank lines, unknown keys": "\n\nSomething = else = again\n",
        "signs and exponents": "Offset = +1 -1.5e1 1.\n",
        "tight": "Offset=1 2 3\n",
    }
    for name, extra in headers.items():
        yield name, (BASE + extra + LOCAL).encode() + data
    yield "colons", (BASE + LOCAL).replace(" =", ":").encode() + data
    yield "CRLF", (BASE + LOCAL).replace("\n", "\r\n").encode() + data
    yield "no ObjectType", (BASE + LOCAL).split("\n", 1)[1].encode() + data
    yield "lower-case local", (BASE + LOCAL).replace("LOCAL", "local").encode() + data
    sized = f"CompressedData = True\nCompressedDataSize = {len(stream)}\n"
    yield "zlib", (BASE + sized + LOCAL).encode() + stream
    swapped = np.arange(-12, 12, dtype=">i2").tobytes()
    stream = zlib.compress(swapped)
    sized = f"BinaryDataByteOrderMSB = True\nCompressedData = True\nCompressedDataSize = {len(stream)}\n"
    yield "zlib, big-endian", (BASE + sized + LOCAL).encode() + stream
    for name, kind in (("LONG", ">i4"), ("ULONG", ">u4"), ("LONG_LONG", ">i8"), ("FLOAT", ">f4"), ("DOUBLE", ">f8")):
        header = BASE.replace("MET_SHORT", f"MET_{name}") + "BinaryDataByteOrderMSB = True\n" + LOCAL
        yield f"{name}, big-endian", header.encode() + np.arange(24).astype(kind).tobytes()


def main():
    metaimages, release = map(Path, sys.argv[1:])
    # One of them has two dimensions.
    foreign = [{"path": p.name} | as_read(p) for p in sorted(metaimages.glob("*.mha")) if p.name != "2DMRI-T1_brain.mha"]
    real = [{"path": str(p.relative_to(release))} | as_read(p) for p in sorted(release.glob("*/*.mha"))]
    made = []
    with tempfile.TemporaryDirectory() as folder:
        for name, contents in [*written(Path(folder)), *spelled()]:
            path = Path(folder) / "one.mha"
            path.write_bytes(contents)
            made.append({"name": name, "file": contents.hex()} | as_read(path))
    parts = {"foreign": foreign, "release": real, "made": made}
    lines = {key: ",\n".join(json.dumps(case) for case in cases) for key, cases in parts.items()}
    body = ",\n".join(f'"{key}": [\n{cases}\n]' for key, cases in lines.items())
    (HERE / "metaimage.json").write_text(f"{{\n{body}\n}}\n")


if __name__ == "__main__":
    main()
