"""The data folder opens in zarr-python and holds what the files hold."""

import gzip
import shutil
import subprocess
from pathlib import Path

import files
import numpy as np
import pytest
import SimpleITK as sitk
import zarr
from releases import EXTREMES_TOO
from service import Service


def folder_of(data, scan) -> Path:
    found = list((data / "scans").glob(f"{scan}-*.ome.zarr"))
    assert len(found) == 1, f"{scan}: {found}"
    return found[0]


def group_of(service, scan):
    return zarr.open_group(str(folder_of(service.data, scan)), mode="r", zarr_format=3)


@EXTREMES_TOO
def test_zarr_sees_the_same_voxels(service, scans):
    for scan in scans:
        group = group_of(service, scan)
        image = files.canonical_array(service.source, "images", scan)
        mask = files.canonical_array(service.source, "masks", scan)
        assert group["image"].dtype == image.dtype and group["labels/spider/0"].dtype == np.uint8
        assert np.array_equal(group["image"][:], image), scan
        assert np.array_equal(group["labels/spider/0"][:], mask), scan


@EXTREMES_TOO
def test_a_slice_is_one_chunk(service, scans):
    for scan in scans:
        group = group_of(service, scan)
        for path in ("image", "labels/spider/0"):
            assert group[path].chunks == (1, *group[path].shape[1:]), (scan, path)


@EXTREMES_TOO
def test_viewers_start_with_a_window_of_the_foreground(service, scans):
    for scan in scans:
        volume = files.canonical_array(service.source, "images", scan)
        foreground = volume[volume > (volume.min() + volume.mean()) / 2]
        low, high = np.percentile(foreground if foreground.size else volume, [0.5, 99.5])
        [channel] = group_of(service, scan).attrs["ome"]["omero"]["channels"]
        window = channel["window"]
        assert (window["min"], window["max"]) == (volume.min(), volume.max()), scan
        if high > low:
            assert (window["start"], window["end"]) == pytest.approx((low, high)), scan
        assert window["min"] <= window["start"] <= window["end"] <= window["max"], scan


def test_a_gzip_stream_is_read_as_simpleitk_reads_it(program, synthetic, tmp_path):
    source, data = tmp_path / "source", tmp_path / "data"
    shutil.copytree(synthetic.source, source)
    scan = files.scans(source)[0]
    path = source / "images" / f"{scan}.mha"
    before = sitk.GetArrayFromImage(sitk.ReadImage(path))
    sitk.WriteImage(sitk.ReadImage(path), path, useCompression=False)
    header, end, voxels = path.read_bytes().partition(b"ElementDataFile = LOCAL\n")
    packed = gzip.compress(voxels)
    assert b"CompressedData = False" in header
    header = header.replace(b"CompressedData = False", b"CompressedData = True\nCompressedDataSize = %d" % len(packed))
    path.write_bytes(header + end + packed)
    assert np.array_equal(sitk.GetArrayFromImage(sitk.ReadImage(path)), before)
    subprocess.run([program, "import", source, "--data", data], check=True, timeout=300)
    image = zarr.open_group(str(folder_of(data, scan)), mode="r", zarr_format=3)["image"]
    assert np.array_equal(image[:], files.canonical_array(synthetic.source, "images", scan))


@EXTREMES_TOO
def test_the_documents_are_ome_zarr(service, scans):
    """The rules of https://ngff.openmicroscopy.org/0.5/ that readers rely on."""
    for scan in scans:
        group = group_of(service, scan)
        image = files.canonical(service.source, "images", scan)
        labels = np.unique(files.stored(service.source, "masks", scan)).tolist()
        assert group["labels"].attrs["ome"]["labels"] == ["spider"]
        for node in (group, group["labels/spider"]):
            ome = node.attrs["ome"]
            [multiscale] = ome["multiscales"]
            [level] = multiscale["datasets"]
            assert ome["version"] == "0.5" and node[level["path"]].shape == tuple(image.GetSize()[::-1])
            assert [axis["type"] for axis in multiscale["axes"]] == ["space"] * 3
            assert {axis["unit"] for axis in multiscale["axes"]} == {"millimeter"}
            assert [axis["name"] for axis in multiscale["axes"]] == list(node[level["path"]].metadata.dimension_names)
            [scale] = level["coordinateTransformations"]
            assert scale["type"] == "scale"
            np.testing.assert_allclose(scale["scale"], image.GetSpacing()[::-1], rtol=1e-12)
        image_label = group["labels/spider"].attrs["ome"]["image-label"]
        for key in ("colors", "properties"):
            values = [entry["label-value"] for entry in image_label[key]]
            assert sorted(set(values)) == values and set(values) - {0} == set(labels) - {0}, (scan, key)
        assert all(len(colour["rgba"]) == 4 for colour in image_label["colors"])


@EXTREMES_TOO
def test_the_affine_is_kept(service, scans):
    for scan in scans:
        image = files.canonical(service.source, "images", scan)
        affine = group_of(service, scan).attrs["sagittal"]["affine_lps"]
        np.testing.assert_allclose(affine, files.affine_lps(image), rtol=0, atol=1e-9)


def damaged(data, scan, path, k):
    """Flips one bit in the middle of the chunk of slice `k`."""
    chunk = folder_of(data, scan) / path / "c" / str(k) / "0" / "0"
    content = bytearray(chunk.read_bytes())
    content[len(content) // 2] ^= 0x10
    chunk.write_bytes(content)


@pytest.mark.parametrize("path, name", [("image", "image.npy"), ("labels/spider/0", "mask.npy")], ids=["image", "mask"])
def test_a_flipped_bit_is_noticed(program, release, tmp_path, path, name):
    scan, k = files.scans(release.source)[0], 5
    data = tmp_path / "data"
    shutil.copytree(release.data, data)
    damaged(data, scan, path, k)
    array = zarr.open_group(str(folder_of(data, scan)), mode="r", zarr_format=3)[path]
    with pytest.raises(ValueError, match="checksum"):
        array[k]
    assert np.array_equal(array[k + 1], group_of(release, scan)[path][k + 1]), "the other slices can be read"
    with Service([program, "serve", "--data", data], release.source, data) as service:
        answer = service.client.get(f"/v1/scans/{scan}/slices/{k}/{name}?size=native")
        assert answer.status_code == 500, answer.status_code
        assert answer.headers["content-type"] == "application/problem+json" and answer.json()["code"]
        assert np.array_equal(service.npy(f"/v1/scans/{scan}/slices/{k + 1}/{name}", size="native"), array[k + 1])
