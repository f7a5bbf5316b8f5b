"""Every voxel is where SimpleITK and nibabel say it is."""

import hashlib

import files
import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from releases import EXTREMES_TOO
from skimage.measure import regionprops

FILES = [("images", "image.npy", {"window": "none"}), ("masks", "mask.npy", {})]


every_file = pytest.mark.parametrize("folder, name, parameters", FILES, ids=["image", "mask"])


def degrees_off_axis(image: sitk.Image) -> float:
    """The largest angle between an axis of the grid and the patient's axis next to it."""
    along = np.abs(np.array(image.GetDirection()).reshape(3, 3)).max(axis=0)
    return float(np.degrees(np.arccos(along.clip(0, 1))).max())


def test_oblique_scans_are_among_the_judged(made, demo, extreme):
    for service, least in ((made, 0.5), (demo, 0.5), (extreme, 40)):
        angles = [degrees_off_axis(files.read(service.source, "images", scan)) for scan in files.scans(service.source)]
        assert max(angles) > least, service.source


@every_file
@EXTREMES_TOO
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


@every_file
@EXTREMES_TOO
def test_every_stored_slice_is_the_files(service, scans, folder, name, parameters):
    for scan in scans:
        array = files.stored(service.source, folder, scan)
        stack = array if array.shape[0] < array.shape[2] else np.moveaxis(array, 2, 0)
        for k, slice_ in enumerate(stack):
            path = f"/v1/scans/{scan}/slices/{k}/{name}"
            found = service.npy(path, layout="stored", size="native", **parameters)
            assert np.array_equal(found, slice_), f"{scan} slice {k}"
        beyond = service.client.get(f"/v1/scans/{scan}/slices/{len(stack)}/{name}?layout=stored")
        assert beyond.status_code == 404, scan


@EXTREMES_TOO
@pytest.mark.parametrize("folder, name", [("images", "image"), ("masks", "mask")], ids=["image", "mask"])
def test_the_stored_layout_as_metaimage_is_the_source_file(service, scans, folder, name, tmp_path):
    for scan in scans:
        source = service.source / folder / f"{scan}.mha"
        response = service.get(f"/v1/scans/{scan}/{name}.mha", layout="stored")
        assert response.headers["x-sagittal-source-sha256"] == hashlib.sha256(source.read_bytes()).hexdigest(), scan
        copy = tmp_path / f"{scan}.mha"
        copy.write_bytes(response.content)
        expected, found = sitk.ReadImage(str(source)), sitk.ReadImage(str(copy))
        assert found.GetPixelID() == expected.GetPixelID(), scan
        assert np.array_equal(sitk.GetArrayFromImage(found), sitk.GetArrayFromImage(expected)), scan
        grids = [(image.GetOrigin(), image.GetSpacing(), image.GetDirection()) for image in (expected, found)]
        if folder == "images":
            assert grids[0] == grids[1], scan
        # The grid of a mask is its image's, from which it may differ in the last digits.
        for own, reply in zip(*grids, strict=True):
            assert np.allclose(own, reply, atol=1e-4), scan


def test_parts_of_a_source_file_are_those_of_the_whole(demo):
    path = "/v1/scans/1_t1/image.mha?layout=stored"
    whole = demo.get(path).content
    part = demo.client.get(path, headers={"range": f"bytes=1000-{len(whole) - 1000}"})
    assert part.status_code == 206 and part.content == whole[1000 : len(whole) - 999]
    assert int(demo.client.head(path).headers["content-length"]) == len(whole)
    wrong = demo.client.get("/v1/scans/1_t1/mask.mha?layout=stored&map=semantic")
    assert wrong.status_code == 400 and "leave map or layout out" in wrong.json()["detail"]
    assert demo.get("/v1/scans/1_t1/image.mha?layout=canonical").content == demo.get("/v1/scans/1_t1/image.mha").content


@EXTREMES_TOO
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


@EXTREMES_TOO
def test_the_files_own_layout_is_recorded(service, scans):
    for scan in scans:
        image = files.read(service.source, "images", scan)
        source = service.json(f"/v1/scans/{scan}")["geometry"]["source"]
        assert source["shape_kji"] == list(image.GetSize())[::-1]
        assert source["spacing_mm_kji"] == list(image.GetSpacing())[::-1]
        np.testing.assert_allclose(source["affine_lps_kji"], files.affine_lps(image), rtol=0, atol=1e-12)
        affine_ras = np.array(source["affine_ras_kji"])[:, [2, 1, 0, 3]]
        assert source["axis_codes_ijk"] == "".join(nibabel.aff2axcodes(affine_ras)), scan


@EXTREMES_TOO
def test_labels_lie_where_simpleitk_finds_them(service, scans):
    for scan in scans:
        mask = sitk.Cast(files.read(service.source, "masks", scan), sitk.sitkUInt8)
        statistics = sitk.LabelShapeStatisticsImageFilter()
        statistics.ComputePerimeterOff()
        statistics.Execute(mask)
        found = {label["label"]: label for label in service.json(f"/v1/scans/{scan}")["labels"]}
        assert sorted(found) == sorted(statistics.GetLabels()), scan
        for label, body in found.items():
            assert body["voxels"] == statistics.GetNumberOfPixels(label), (scan, label)
            np.testing.assert_allclose(body["centroid_mm_lps"], statistics.GetCentroid(label), rtol=0, atol=1e-5)


@EXTREMES_TOO
def test_labels_of_every_slice_are_scikit_images(service, scans):
    for scan in scans:
        mask = files.canonical(service.source, "masks", scan)
        affine = files.affine_lps(mask)
        listing = service.json(f"/v1/scans/{scan}/slices")
        assert [item["slice"] for item in listing["items"]] == list(range(mask.GetSize()[2])), scan
        for item, slice_ in zip(listing["items"], sitk.GetArrayFromImage(mask).astype(int), strict=True):
            assert item["labelled_pixels"] == np.count_nonzero(slice_), (scan, item["slice"])
            found = {label["label"]: label for label in item["labels"]}
            regions = regionprops(slice_)
            assert sorted(found) == [region.label for region in regions], (scan, item["slice"])
            for region in regions:
                body, (top, left, bottom, right) = found[region.label], region.bbox
                assert body["pixels"] == region.num_pixels
                assert (body["rows"], body["columns"]) == ([top, bottom - 1], [left, right - 1]), (scan, body)
                np.testing.assert_allclose(body["centroid"], region.centroid, rtol=0, atol=1e-9)
                world = affine @ [item["slice"], *region.centroid, 1]
                np.testing.assert_allclose(body["centroid_mm_lps"], world[:3], rtol=0, atol=1e-6)


@EXTREMES_TOO
def test_the_intensity_summary_is_numpys(service, scans):
    for scan in scans:
        voxels = files.stored(service.source, "images", scan)
        found = service.json(f"/v1/scans/{scan}")["intensity"]
        assert (found["element_type"], found["min"], found["max"]) == (voxels.dtype.name, voxels.min(), voxels.max())
        np.testing.assert_allclose(found["mean"], voxels.mean(), rtol=1e-9)
        counts, _ = np.histogram(voxels, bins=256, range=(float(voxels.min()), float(voxels.max())))
        if found["min"] == found["max"]:
            # numpy makes up a range around the one value; here the range is what it is, and the first bin has them all.
            counts = np.array([voxels.size] + [0] * 255)
        assert found["histogram"]["counts"] == counts.tolist(), scan
