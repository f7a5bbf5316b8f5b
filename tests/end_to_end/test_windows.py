"""What stored values become in a window, and where a slice lies in a shape that is not its own: numpy says."""

import files
import numpy as np
import pytest
from releases import EXTREMES_TOO
from skimage.transform import resize

DEPTHS = [({"bits": 16}, 65535, np.uint16), ({"bits": 8}, 255, np.uint8)]
every_depth = pytest.mark.parametrize("bits, top, dtype", DEPTHS, ids=["16", "8"])



def looked_at(service, scan):
    """Path, voxels of three slices, and the whole volume."""
    volume = files.canonical_array(service.source, "images", scan).astype(np.float64)
    some = sorted({0, volume.shape[0] // 2, volume.shape[0] - 1})
    return [(f"/v1/scans/{scan}/slices/{k}", volume[k]) for k in some], volume


def levels(values, low, high, top):
    """0 at or below `low`, `top` at or above `high`, linear between; not yet rounded."""
    part = (values - low) / (high - low) if high > low else np.zeros_like(values)
    return part.clip(0, 1) * top


def assert_levels(found, exact, scan):
    """Each pixel is the integer next to its exact level; either one where two are equally near."""
    worst = np.abs(found.astype(np.float64) - exact).max()
    assert worst <= 0.5 + 1e-6, f"{scan}: {worst}"


def assert_bounded_window(service, scan, window, low, high, depth):
    bits, top, dtype = depth
    for path, slice_ in looked_at(service, scan)[0]:
        found, picture, headers = service.png(f"{path}/image.png", size="native", window=window, **bits)
        assert found.dtype == dtype, (scan, picture.mode)
        assert_levels(found, levels(slice_, low, high, top), f"{scan} {window}")
        for name, value in (("slope", max(high - low, 0) / top), ("intercept", low)):
            np.testing.assert_allclose(float(headers[f"x-sagittal-{name}"]), value, rtol=1e-12)
            assert picture.info[f"sagittal:{name}"] == headers[f"x-sagittal-{name}"]


@every_depth
@EXTREMES_TOO
def test_full_is_from_the_least_to_the_largest(service, scans, bits, top, dtype):
    for scan in scans:
        _, volume = looked_at(service, scan)
        assert_bounded_window(service, scan, "full", volume.min(), volume.max(), (bits, top, dtype))


@pytest.mark.parametrize("window", ["p1,99", "p0.5,99.9", "p0,50", "p25,100"])
@EXTREMES_TOO
def test_percentiles_are_numpys(service, scans, window):
    for scan in scans:
        _, volume = looked_at(service, scan)
        low, high = np.percentile(volume, [float(part) for part in window.removeprefix("p").split(",")])
        assert_bounded_window(service, scan, window, low, high, DEPTHS[0])


@every_depth
@EXTREMES_TOO
def test_auto_is_the_foregrounds_middle_99_percent(service, scans, bits, top, dtype):
    for scan in scans:
        _, volume = looked_at(service, scan)
        foreground = volume[volume > (volume.min() + volume.mean()) / 2]
        low, high = np.percentile(foreground if foreground.size else volume, [0.5, 99.5])
        said = service.json(f"/v1/scans/{scan}")["intensity"]["auto_window"]
        np.testing.assert_allclose([said["low"], said["high"]], [low, high], rtol=1e-12)
        assert_bounded_window(service, scan, "auto", low, high, (bits, top, dtype))


def by_dicom(values, centre, width, top):
    """The function LINEAR of DICOM PS3.3 C.11.2.1.2.1, not yet rounded."""
    x, c, w = values, centre - 0.5, width - 1
    between = ((x - c) / w + 0.5) * top
    return np.where(x <= c - w / 2, 0, np.where(x > c + w / 2, top, between))


@pytest.mark.parametrize("window", ["300,400", "512.5,2000", "-100,2", "40,80.5", "1e3,65536"])
@EXTREMES_TOO
def test_centre_and_width_are_dicoms(service, scans, window):
    centre, width = (float(part) for part in window.split(","))
    for scan in scans:
        for path, slice_ in looked_at(service, scan)[0]:
            found, _, _ = service.png(f"{path}/image.png", size="native", window=window)
            assert_levels(found, by_dicom(slice_, centre, width, 65535), scan)


def test_the_window_of_the_table_is_used_unless_the_values_were_mapped(service, scans):
    rows = {row["new_file_name"]: row for row in files.table(service.source, "overview.csv")}
    for scan in scans:
        slices, volume = looked_at(service, scan)
        mapped = files.read(service.source, "images", scan).GetPixelIDTypeAsString() == "16-bit signed integer"
        centre, width = (rows[scan][name].strip() for name in ("WindowCenter", "WindowWidth"))
        for path, slice_ in slices:
            if mapped or not centre or not width:
                refused = service.client.get(f"{path}/image.png?window=dicom")
                assert refused.status_code == 400 and refused.json()["code"] == "window_unavailable", scan
                continue
            found, _, _ = service.png(f"{path}/image.png", size="native", window="dicom")
            assert_levels(found, by_dicom(slice_, float(centre), float(width), 65535), scan)
        assert not mapped or (volume.min() >= -1000 and volume.max() == 3096), f"{scan} is of neither kind"


@EXTREMES_TOO
def test_arrays_have_the_requested_type(service, scans):
    for scan in scans:
        slices, volume = looked_at(service, scan)
        low, high = volume.min(), volume.max()
        for path, slice_ in slices:
            for dtype, top in (("uint8", 255), ("uint16", 65535)):
                found = service.npy(f"{path}/image.npy", size="native", window="full", dtype=dtype)
                assert found.dtype == dtype
                assert_levels(found, levels(slice_, low, high, top), f"{scan} {dtype}")
            part = service.npy(f"{path}/image.npy", size="native", window="full", dtype="float32")
            assert part.dtype == np.float32
            expected = (slice_ - low) / (high - low) if high > low else np.zeros_like(slice_)
            np.testing.assert_allclose(part, expected, rtol=0, atol=1e-7)
            stored = service.npy(f"{path}/image.npy", size="native", dtype="float64")
            assert stored.dtype == np.float64 and np.array_equal(stored, slice_), scan


def placed(slice_, extent, size, fit):
    """A slice in a square of `size` pixels with its proportions kept, nearest neighbours, centred."""
    scale = (min if fit == "contain" else max)(size / extent)
    height, width = np.maximum(np.floor(extent * scale + 0.5), 1).astype(int)
    scaled = resize(slice_, (height, width), order=0, anti_aliasing=False, preserve_range=True)
    if fit == "contain":
        top, left = (size - height) // 2, (size - width) // 2
        canvas = np.zeros((size, size), slice_.dtype)
        canvas[top : top + height, left : left + width] = scaled
        return canvas
    top, left = (height - size) // 2, (width - size) // 2
    return scaled[top : top + size, left : left + size]


@pytest.mark.parametrize("size", [64, 257, 600])
@pytest.mark.parametrize("fit", ["contain", "cover"])
def test_contain_pads_and_cover_crops_around_the_middle(service, scans, fit, size):
    for scan in scans:
        mask = files.canonical(service.source, "masks", scan)
        volume = files.canonical_array(service.source, "masks", scan).astype(np.uint8)
        extent = (np.array(mask.GetSize()) * mask.GetSpacing())[::-1][1:]
        k = volume.shape[0] // 2
        found = service.npy(f"/v1/scans/{scan}/slices/{k}/mask.npy", size=size, fit=fit)
        assert np.array_equal(found, placed(volume[k], extent, size, fit)), scan
        image = files.canonical_array(service.source, "images", scan)
        shown = service.npy(f"/v1/scans/{scan}/slices/{k}/image.npy", size=size, fit=fit, filter="nearest")
        least = image.min()
        # Padding has the scan's least value, which leaves nothing of it after this shift.
        shifted = image[k].astype(np.int64) - least
        assert np.array_equal(shown.astype(np.int64) - least, placed(shifted, extent, size, fit)), scan
