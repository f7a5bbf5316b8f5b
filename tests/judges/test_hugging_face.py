"""`preset=hf` gives the very pixels of the Hugging Face edition, as its own libraries compute them."""

import importlib.util

import files
import numpy as np
import pytest

# (height, width)
SIZES = [(512, 512), (256, 256), (300, 300), (64, 64), (200, 333)]


@pytest.fixture(scope="session")
def reference(shared):
    spec = importlib.util.spec_from_file_location("hf_reference", shared / "tools" / "hf_reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def spelled(height, width):
    return {"size": height} if height == width else {"height": height, "width": width}


@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
def test_no_pixel_of_an_image_differs(service, scans, reference, size):
    for scan in scans:
        expected = reference.hf_image(files.stored(service.source, "images", scan), size)
        for k, slice_ in enumerate(expected):
            path = f"/v1/scans/{scan}/slices/{k}/image.png"
            found, picture, _ = service.png(path, preset="hf", **spelled(*size))
            assert picture.mode == "I;16" and found.shape == size, (scan, picture.mode, found.shape)
            assert np.count_nonzero(found != slice_) == 0, f"{scan} slice {k}"
    assert service.client.get(f"/v1/scans/{scan}/slices/{len(expected)}/image.png?preset=hf").status_code == 404


@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
def test_no_pixel_of_a_mask_differs(service, scans, reference, size):
    for scan in scans:
        expected = reference.hf_mask(files.stored(service.source, "masks", scan), size)
        for k, slice_ in enumerate(expected):
            found, picture, _ = service.png(f"/v1/scans/{scan}/slices/{k}/mask.png", preset="hf", **spelled(*size))
            assert picture.mode == "L", (scan, picture.mode)
            assert np.array_equal(found, slice_), f"{scan} slice {k}"


def test_the_preset_is_what_it_is_said_to_be_short_for(real):
    path = "/v1/scans/5_t2_SPACE/slices/3/image.png"
    short = real.get(path, preset="hf")
    long = real.get(path, layout="stored", window="hf", fit="stretch", filter="linear")
    assert short.content == long.content and short.headers["etag"] == long.headers["etag"]
