"""Every filter against the library whose results it promises."""

import cv2
import files
import numpy as np
import pytest
from releases import EXTREMES_TOO
from PIL import Image
from skimage.transform import resize

# (height, width): smaller, larger, mixed.
SIZES = [(256, 256), (100, 37), (900, 800), (300, 900)]
# Of the slice's own height and width: halves, no whole fractions, one axis alone.
SHRUNK = [(1 / 2, 1 / 2), (0.63, 0.29), (1, 0.4), (0.1, 1)]
# Pillow keeps 32-bit floats between its passes, and cv2 its weights. Relative to the range of the scan's values.
TOLERANCE = 2e-6

every_size = pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))


def few_slices(service, folder, scan):
    """The whole volume, and the indices of its first, middle and last slice."""
    volume = files.canonical_array(service.source, folder, scan)
    return volume, sorted({0, volume.shape[0] // 2, volume.shape[0] - 1})


def served(service, scan, k, size, name):
    path = f"/v1/scans/{scan}/slices/{k}/image.npy"
    parameters = {"height": size[0], "width": size[1], "filter": name, "window": "none", "dtype": "float32"}
    found = service.npy(path, **parameters)
    assert found.dtype == np.float32 and found.shape == size, (scan, found.dtype, found.shape)
    return found


@every_size
@EXTREMES_TOO
def test_linear_is_scikit_images(service, scans, size):
    """To the last bit of a float32."""
    for scan in scans:
        volume, some = few_slices(service, "images", scan)
        for k in some:
            expected = resize(volume[k].astype(np.float64), size, preserve_range=True).astype(np.float32)
            found = served(service, scan, k, size, "linear")
            one_bit = np.spacing(np.maximum(np.abs(found), np.abs(expected)))
            # Where terms cancel, what is left is the rounding of the largest of them.
            one_bit = np.maximum(one_bit, np.abs(volume[k].astype(np.float64)).max() * 1e-15)
            assert np.all(np.abs(found.astype(np.float64) - expected) <= one_bit), f"{scan} slice {k}"


@every_size
@EXTREMES_TOO
def test_nearest_is_scikit_images(service, scans, size):
    for scan in scans:
        volume, some = few_slices(service, "images", scan)
        for k in some:
            expected = resize(volume[k], size, order=0, anti_aliasing=False, preserve_range=True)
            found = served(service, scan, k, size, "nearest")
            assert np.array_equal(found, expected.astype(np.float32)), f"{scan} slice {k}"


@pytest.mark.parametrize("name", ["cubic", "lanczos"])
@every_size
@EXTREMES_TOO
def test_cubic_and_lanczos_are_pillows(service, scans, name, size):
    kernel = {"cubic": Image.Resampling.BICUBIC, "lanczos": Image.Resampling.LANCZOS}[name]
    for scan in scans:
        volume, some = few_slices(service, "images", scan)
        low, high = float(volume.min()), float(volume.max())
        for k in some:
            picture = Image.fromarray(volume[k].astype(np.float32), mode="F").resize(size[::-1], kernel)
            # Overshoot beyond the scan's own values is cut off.
            expected = np.asarray(picture).astype(np.float64).clip(low, high)
            worst = np.abs(served(service, scan, k, size, name) - expected).max()
            assert worst <= TOLERANCE * max(high - low, abs(high)), f"{scan} slice {k}: {worst}"


def covered(values, out):
    """Means over the boxes that `out` equal parts of the first axis cover: differences of the running integral."""
    integral = np.concatenate([np.zeros_like(values[:1]), np.cumsum(values, axis=0)])
    edges = np.linspace(0, len(values), out + 1)
    whole = np.minimum(edges.astype(int), len(values) - 1)
    at_edges = integral[whole] + (edges - whole)[:, None] * values[whole]
    return np.diff(at_edges, axis=0) * out / len(values)


def without_slivers(n, out):
    """The output pixels whose boxes begin and end on a voxel's border, or further from it than a thousandth.

    cv2 leaves thinner slivers of a voxel out.
    """
    edges = np.arange(out + 1) * n / out
    beyond = np.abs(edges - edges.round())
    thick = (beyond < 1e-9) | (beyond > 1.1e-3)
    return thick[:-1] & thick[1:]


@pytest.mark.parametrize("fractions", SHRUNK, ids=lambda pair: "x".join(map(str, pair)))
@EXTREMES_TOO
def test_area_is_box_coverage_and_opencvs_where_slices_shrink(service, scans, fractions):
    for scan in scans:
        volume, some = few_slices(service, "images", scan)
        shape = volume.shape[1:]
        size = tuple(max(1, round(n * part)) for n, part in zip(shape, fractions))
        thick = np.ix_(*(without_slivers(n, out) for n, out in zip(shape, size)))
        low, high = float(volume.min()), float(volume.max())
        tolerance = TOLERANCE * max(high - low, abs(high))
        for k in some:
            slice_ = volume[k].astype(np.float64)
            found = served(service, scan, k, size, "area")
            means = covered(covered(slice_, size[0]).T, size[1]).T
            worst = np.abs(found - means).max()
            assert worst <= tolerance, f"{scan} slice {k} at {size}: {worst} from the means"
            by_cv2 = cv2.resize(slice_, size[::-1], interpolation=cv2.INTER_AREA).reshape(size)
            assert found[thick].size > 0.5 * found.size, f"{scan} at {size}: too little to judge"
            worst = np.abs(found - by_cv2)[thick].max()
            assert worst <= tolerance, f"{scan} slice {k} at {size}: {worst} from cv2"


@every_size
@EXTREMES_TOO
def test_masks_are_resized_as_scikit_image_does(service, scans, size):
    for scan in scans:
        volume, some = few_slices(service, "masks", scan)
        for k in some:
            expected = resize(volume[k].astype(np.uint8), size, order=0, anti_aliasing=False, preserve_range=True)
            found = service.npy(f"/v1/scans/{scan}/slices/{k}/mask.npy", height=size[0], width=size[1])
            assert found.dtype == np.uint8 and np.array_equal(found, expected), f"{scan} slice {k}"
