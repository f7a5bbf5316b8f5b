"""Every filter against the library whose results it promises."""

import cv2
import files
import numpy as np
import pytest
from PIL import Image
from skimage.transform import resize

# (height, width): smaller, larger, mixed.
SIZES = [(256, 256), (100, 37), (900, 800), (300, 900)]


def linear(slice_, size, _):
    return resize(slice_.astype(np.float64), size, preserve_range=True)


def nearest(slice_, size, _):
    return resize(slice_, size, order=0, anti_aliasing=False, preserve_range=True)


def area(slice_, size, _):
    return cv2.resize(slice_.astype(np.float64), size[::-1], interpolation=cv2.INTER_AREA)


def by_pillow(resampling):
    def resized(slice_, size, limits):
        picture = Image.fromarray(slice_.astype(np.float32), mode="F")
        # Overshoot beyond the scan's own values is cut off.
        return np.clip(np.asarray(picture.resize(size[::-1], resampling)), *limits)

    return resized


# Judge and largest difference, relative to the range of the scan's values. Pillow keeps 32-bit floats between its passes.
JUDGES = {
    "linear": (linear, 1e-7),
    "nearest": (nearest, 0),
    "cubic": (by_pillow(Image.Resampling.BICUBIC), 2e-6),
    "lanczos": (by_pillow(Image.Resampling.LANCZOS), 2e-6),
    "area": (area, 2e-6),
}


@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
@pytest.mark.parametrize("name", JUDGES)
def test_filter(service, scans, name, size):
    judge, tolerance = JUDGES[name]
    judged = 0
    for scan in scans:
        volume = files.canonical_array(service.source, "images", scan)
        limits = (float(volume.min()), float(volume.max()))
        if name == "area" and (size[0] > volume.shape[1] or size[1] > volume.shape[2]):
            continue  # cv2's INTER_AREA is box coverage only where both axes shrink.
        for k in {0, volume.shape[0] // 2, volume.shape[0] - 1}:
            found = service.npy(
                f"/v1/scans/{scan}/slices/{k}/image.npy",
                height=size[0], width=size[1], filter=name, window="none", dtype="float32",
            )
            expected = judge(volume[k], size, limits)
            assert found.dtype == np.float32 and found.shape == size
            worst = np.abs(found.astype(np.float64) - expected).max() / (limits[1] - limits[0])
            assert worst <= tolerance, f"{scan} slice {k}: {worst}"
            judged += 1
    assert judged > 0 or size != (100, 37), "nothing was judged"


def test_masks_are_resized_as_scikit_image_does(service, scans):
    for scan in scans:
        volume = files.canonical_array(service.source, "masks", scan).astype(np.uint8)
        k = volume.shape[0] // 2
        for size in SIZES:
            found = service.npy(f"/v1/scans/{scan}/slices/{k}/mask.npy", height=size[0], width=size[1])
            assert np.array_equal(found, nearest(volume[k], size, None)), (scan, size)
