"""`preset=hf` gives the very pixels of the Hugging Face edition, as its own libraries compute them."""

import importlib.util

import files
import numpy as np
import pytest
from extremes import EXTREMES_TOO

# (height, width)
SIZES = [(512, 512), (256, 256), (300, 300), (64, 64), (200, 333), (700, 300), (1024, 1024)]
# From this many pixels on a few slices of each scan are looked at, which always include the first and the last.
MANY_PIXELS = 600_000
FEW_SLICES = 5

every_size = pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))


@pytest.fixture(scope="session")
def reference(shared):
    spec = importlib.util.spec_from_file_location("hf_reference", shared / "tools" / "hf_reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def spelled(height, width):
    return {"size": height} if height == width else {"height": height, "width": width}


def expected_slices(resized, slices_last, volume, size):
    """Slice index and pixels of every slice, or of a few at large sizes, and the number of slices.

    Slices do not influence each other, but for the limits of the whole volume, to which results are clipped: so the few
    go through the reference together with the slices that hold the smallest and the largest value.
    """
    stack = slices_last(volume)
    slices = stack.shape[2]
    few = np.unique(np.linspace(0, slices - 1, FEW_SLICES).round().astype(int)).tolist()
    limits = [np.unravel_index(extreme, stack.shape)[2] for extreme in (stack.argmin(), stack.argmax())]
    kept = sorted({*few, *map(int, limits)})
    if size[0] * size[1] < MANY_PIXELS or len(kept) > stack.shape[0]:
        return enumerate(resized(volume, size)), slices
    return zip(kept, resized(np.ascontiguousarray(stack[:, :, kept]), size), strict=True), slices


@every_size
@EXTREMES_TOO
def test_no_pixel_of_an_image_differs(service, scans, reference, size):
    for scan in scans:
        volume = files.stored(service.source, "images", scan)
        expected, slices = expected_slices(reference.hf_image, reference.slices_last, volume, size)
        for k, slice_ in expected:
            path = f"/v1/scans/{scan}/slices/{k}/image.png"
            found, picture, _ = service.png(path, preset="hf", **spelled(*size))
            assert picture.mode == "I;16" and found.shape == size, (scan, picture.mode, found.shape)
            differing = np.count_nonzero(found != slice_)
            assert differing == 0, f"{scan} slice {k}: {differing} pixels differ"
        beyond = service.client.get(f"/v1/scans/{scan}/slices/{slices}/image.png?preset=hf")
        assert beyond.status_code == 404, scan


@every_size
@EXTREMES_TOO
def test_no_pixel_of_a_mask_differs(service, scans, reference, size):
    for scan in scans:
        volume = files.stored(service.source, "masks", scan)
        expected, _ = expected_slices(reference.hf_mask, reference.slices_last, volume, size)
        for k, slice_ in expected:
            found, picture, _ = service.png(f"/v1/scans/{scan}/slices/{k}/mask.png", preset="hf", **spelled(*size))
            assert picture.mode == "L", (scan, picture.mode)
            differing = np.count_nonzero(found != slice_)
            assert differing == 0, f"{scan} slice {k}: {differing} pixels differ"


def test_the_preset_is_what_it_is_said_to_be_short_for(real):
    path = "/v1/scans/5_t2_SPACE/slices/3/image.png"
    short = real.get(path, preset="hf")
    long = real.get(path, layout="stored", window="hf", fit="stretch", filter="linear")
    assert short.content == long.content and short.headers["etag"] == long.headers["etag"]
