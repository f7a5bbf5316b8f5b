"""`preset=hf` gives the very pixels of the Hugging Face edition, as its own libraries compute them."""

import files
import pytest
from reference import Expected
from releases import EXTREMES_TOO

# (height, width)
SIZES = [(512, 512), (256, 256), (300, 300), (64, 64), (200, 333), (700, 300), (1024, 1024)]

every_size = pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))


def spelled(height, width):
    return {"size": height} if height == width else {"height": height, "width": width}


@every_size
@EXTREMES_TOO
@pytest.mark.parametrize(("kind", "folder", "mode"), [("image", "images", "I;16"), ("mask", "masks", "L")], ids=["image", "mask"])
def test_no_pixel_differs(service, scans, reference, size, kind, folder, mode):
    for scan in scans:
        expected, found = Expected(kind, files.stored(service.source, folder, scan), size), []
        for k in expected.indices():
            pixels, picture, _ = service.png(f"/v1/scans/{scan}/slices/{k}/{kind}.png", preset="hf", **spelled(*size))
            assert picture.mode == mode and pixels.shape == size, (scan, picture.mode, pixels.shape)
            found.append(pixels)
        reference.assert_equal(expected, found, f"{scan} {kind}")
        beyond = service.client.get(f"/v1/scans/{scan}/slices/{expected.slices()}/{kind}.png?preset=hf")
        assert beyond.status_code == 404, scan


def test_the_preset_is_what_it_is_said_to_be_short_for(release):
    path = f"/v1/scans/{files.scans(release.source)[0]}/slices/3/image.png"
    short = release.get(path, preset="hf")
    long = release.get(path, layout="stored", window="hf", fit="stretch", filter="linear")
    assert short.content == long.content and short.headers["etag"] == long.headers["etag"]
