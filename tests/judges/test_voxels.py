"""Every voxel is where SimpleITK and nibabel say it is."""

import files
import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

FILES = [("images", "image.npy", {"window": "none"}), ("masks", "mask.npy", {})]


@pytest.mark.parametrize("folder, name, parameters", FILES, ids=["image", "mask"])
def test_every_native_slice_is_the_files(service, scans, folder, name, parameters):
    for scan in scans:
        expected = files.canonical_array(service.source, folder, scan)
        by_nibabel, _ = files.canonical_by_nibabel(service.source, folder, scan)
        assert np.array_equal(expected, by_nibabel), f"SimpleITK and nibabel disagree on {scan}"
        for k, slice_ in enumerate(expected):
            found = service.npy(f"/v1/scans/{scan}/slices/{k}/{name}", size="native", **parameters)
            assert np.array_equal(found, slice_), f"{scan} slice {k}"
        if folder == "images":
            assert found.dtype == expected.dtype, scan


def test_shape_spacing_and_affine_are_the_files(service, scans):
    for scan in scans:
        image = files.canonical(service.source, "images", scan)
        found = service.json(f"/v1/scans/{scan}")
        geometry = found["geometry"]
        assert found["shape"] == geometry["shape"] == list(image.GetSize())[::-1], scan
        assert found["spacing_mm"] == geometry["spacing_mm"]
        np.testing.assert_allclose(found["spacing_mm"], image.GetSpacing()[::-1], rtol=1e-12)
        np.testing.assert_allclose(geometry["affine_lps"], files.affine_lps(image), rtol=0, atol=1e-9)
        _, affine_ras = files.canonical_by_nibabel(service.source, "images", scan)
        np.testing.assert_allclose(geometry["affine_ras"], affine_ras, rtol=0, atol=1e-9)


def test_the_files_own_layout_is_recorded(service, scans):
    for scan in scans:
        image = files.read(service.source, "images", scan)
        source = service.json(f"/v1/scans/{scan}")["geometry"]["source"]
        assert source["shape_kji"] == list(image.GetSize())[::-1]
        assert source["spacing_mm_kji"] == list(image.GetSpacing())[::-1]
        np.testing.assert_allclose(source["affine_lps_kji"], files.affine_lps(image), rtol=0, atol=1e-12)
        affine_ras = np.array(source["affine_ras_kji"])[:, [2, 1, 0, 3]]
        assert source["axis_codes_ijk"] == "".join(nibabel.aff2axcodes(affine_ras)), scan


def test_labels_lie_where_simpleitk_finds_them(service, scans):
    for scan in scans:
        mask = sitk.Cast(files.read(service.source, "masks", scan), sitk.sitkUInt8)
        statistics = sitk.LabelShapeStatisticsImageFilter()
        statistics.Execute(mask)
        found = {label["label"]: label for label in service.json(f"/v1/scans/{scan}")["labels"]}
        assert sorted(found) == sorted(statistics.GetLabels()), scan
        for label, body in found.items():
            assert body["voxels"] == statistics.GetNumberOfPixels(label), (scan, label)
            np.testing.assert_allclose(body["centroid_mm_lps"], statistics.GetCentroid(label), rtol=0, atol=1e-5)


def test_the_intensity_summary_is_numpys(service, scans):
    for scan in scans:
        voxels = files.stored(service.source, "images", scan)
        found = service.json(f"/v1/scans/{scan}")["intensity"]
        assert (found["element_type"], found["min"], found["max"]) == (voxels.dtype.name, voxels.min(), voxels.max())
        np.testing.assert_allclose(found["mean"], voxels.mean(), rtol=1e-9)
        counts, _ = np.histogram(voxels, bins=256, range=(voxels.min(), voxels.max()))
        assert found["histogram"]["counts"] == counts.tolist(), scan
