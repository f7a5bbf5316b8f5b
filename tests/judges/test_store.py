"""The data folder opens in zarr-python and holds what the files hold."""

import files
import numpy as np
import zarr


def group_of(service, scan):
    found = list((service.data / "scans").glob(f"{scan}-*.ome.zarr"))
    assert len(found) == 1, f"{scan}: {found}"
    return zarr.open_group(str(found[0]), mode="r", zarr_format=3)


def test_zarr_sees_the_same_voxels(service, scans):
    for scan in scans:
        group = group_of(service, scan)
        image = files.canonical_array(service.source, "images", scan)
        mask = files.canonical_array(service.source, "masks", scan)
        assert group["image"].dtype == image.dtype and group["labels/spider/0"].dtype == np.uint8
        assert np.array_equal(group["image"][:], image), scan
        assert np.array_equal(group["labels/spider/0"][:], mask), scan


def test_a_slice_is_one_chunk(service, scans):
    for scan in scans:
        group = group_of(service, scan)
        for path in ("image", "labels/spider/0"):
            assert group[path].chunks == (1, *group[path].shape[1:]), (scan, path)


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


def test_the_affine_is_kept(service, scans):
    for scan in scans:
        image = files.canonical(service.source, "images", scan)
        affine = group_of(service, scan).attrs["sagittal"]["affine_lps"]
        np.testing.assert_allclose(affine, files.affine_lps(image), rtol=0, atol=1e-9)
