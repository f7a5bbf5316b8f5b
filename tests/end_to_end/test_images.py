"""What a picture says of itself is true, and masks stay masks."""

import files
import numpy as np
import pytest

SHAPES = [
    {"size": 300},
    {"size": 97, "fit": "contain"},
    {"size": 700, "fit": "cover"},
    {"width": 211},
    {"spacing": 0.8},
    {"size": "native"},
]


def middle(service, scan):
    return service.json(f"/v1/scans/{scan}")["shape"][0] // 2


def test_the_full_window_can_be_undone(service, scans):
    for scan in scans:
        volume = files.canonical_array(service.source, "images", scan)
        for k in range(0, volume.shape[0], 5):
            path = f"/v1/scans/{scan}/slices/{k}/image.png"
            pixels, picture, headers = service.png(path, size="native", window="full")
            assert picture.mode == "I;16"
            slope, intercept = (float(headers[f"x-sagittal-{name}"]) for name in ("slope", "intercept"))
            values = pixels.astype(np.float64) * slope + intercept
            assert slope < 1 and np.abs(values - volume[k]).max() <= slope / 2 + 1e-6, (scan, k)
            assert np.array_equal(np.rint(values), volume[k]), (scan, k)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_pixel_spacing_is_true(service, scans, shape):
    for scan in scans:
        scan_body = service.json(f"/v1/scans/{scan}")
        extent = np.array(scan_body["geometry"]["extent_mm"][1:])
        pixels, picture, headers = service.png(f"/v1/scans/{scan}/slices/mid/image.png", **shape)
        row, column = (float(n) for n in headers["x-sagittal-spacing-mm"].split(","))
        # pHYs counts whole pixels per metre; Pillow gives them per inch.
        per_metre = np.array(picture.info["dpi"]) / 0.0254
        np.testing.assert_allclose(per_metre, [1000 / column, 1000 / row], rtol=0, atol=0.51)
        size = np.array(pixels.shape)
        if "fit" not in shape:
            np.testing.assert_allclose([row, column] * size, extent, rtol=1e-6)
        elif shape["fit"] == "contain":
            assert np.all([row, column] * size >= extent * (1 - 1e-6)), scan
        # Proportions are kept to within half a pixel.
        half = 0.5 + 1e-6
        if "spacing" in shape:
            assert np.all(np.abs(size - extent / shape["spacing"]) <= half), (scan, size)
        elif "width" in shape:
            assert abs(size[0] - extent[0] / column) <= half, (scan, size)
        elif "fit" in shape:
            assert abs(row / column - 1) <= half / min(extent / [row, column]), (scan, row, column)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_mask_never_gains_a_value(service, scans, shape):
    for scan in scans:
        volume = files.canonical_array(service.source, "masks", scan)
        for k in range(0, volume.shape[0], 4):
            found = service.npy(f"/v1/scans/{scan}/slices/{k}/mask.npy", **shape)
            assert set(np.unique(found)) <= {0, *np.unique(volume[k])}, (scan, k)


def test_selections_and_maps_are_exact(service, scans):
    for scan in scans:
        k = middle(service, scan)
        mask = files.canonical_array(service.source, "masks", scan)[k]
        vertebra, partial = (mask >= 1) & (mask <= 25), (mask >= 101) & (mask <= 125)
        canal, disc = mask == 100, mask >= 201
        cases = {
            ("labels", "vertebrae"): np.where(vertebra, mask, 0),
            ("labels", "discs"): np.where(disc, mask, 0),
            ("labels", "canal"): np.where(canal, mask, 0),
            ("labels", "partial"): np.where(partial, mask, 0),
            ("labels", "1-3,202"): np.where(np.isin(mask, [1, 2, 3, 202]), mask, 0),
            ("map", "binary"): mask > 0,
            ("map", "semantic"): (vertebra | partial) * 1 + canal * 2 + disc * 3,
            ("map", "1-25>7,100>2"): vertebra * 7 + canal * 2,
        }
        for (name, value), expected in cases.items():
            found = service.npy(f"/v1/scans/{scan}/slices/{k}/mask.npy", size="native", **{name: value})
            assert np.array_equal(found, expected), (scan, name, value)


def test_a_palette_changes_colours_and_no_values(service, scans):
    scheme = {label["label"]: label["colour"] for label in service.json("/v1/labels")["items"]}
    for scan in scans:
        path = f"/v1/scans/{scan}/slices/best/mask.png"
        grey, _, _ = service.png(path, size=256)
        indexed, picture, _ = service.png(path, size=256, palette="true")
        assert picture.mode == "P" and np.array_equal(indexed, grey), scan
        colours = np.asarray(picture.convert("RGB"))
        shown = {value: {tuple(c) for c in colours[grey == value].tolist()} for value in np.unique(grey).tolist()}
        assert len(shown) > 3, scan
        for value, colour in shown.items():
            assert ["#%02x%02x%02x" % c for c in colour] == [scheme[value]], (scan, value)
            assert value == 0 or colour != shown.get(value + 1), f"{scan}: neighbours {value} look alike"


def test_an_overlay_colours_labelled_pixels_alone(service, scans):
    for scan in scans:
        path = f"/v1/scans/{scan}/slices/best"
        overlay, picture, _ = service.png(f"{path}/overlay.png", size="native")
        mask = service.npy(f"{path}/mask.npy", size="native")
        assert picture.mode == "RGB"
        coloured = np.ptp(overlay.astype(int), axis=-1) > 0
        assert not coloured[mask == 0].any() and coloured[mask > 0].mean() > 0.95, scan


def test_images_are_validated_and_kept(release):
    path = f"/v1/scans/{files.scans(release.source)[0]}/slices/4/image.png"
    first = release.get(path, size=123)
    again = release.get(path, width=123, height=123)
    assert first.headers["etag"] == again.headers["etag"] and first.content == again.content
    assert not first.headers["etag"].startswith("W/")
    assert "server-timing" in again.headers
    # A full cache takes a newcomer in once it has been asked for as often as what would have to go.
    assert any("hit" in release.get(path, size=123).headers["cache-status"] for _ in range(20))
    unchanged = release.client.get(path, params={"size": 123}, headers={"If-None-Match": first.headers["etag"]})
    assert unchanged.status_code == 304 and unchanged.content == b""
    head = release.client.head(path, params={"size": 123})
    assert head.status_code == 200 and int(head.headers["content-length"]) == len(first.content)


def test_the_montage_is_one_colour_image(service, scans):
    for scan in scans:
        pixels, picture, _ = service.png(f"/v1/scans/{scan}/montage.png")
        assert picture.mode == "RGB", scan
        assert np.ptp(pixels.astype(int), axis=-1).max() > 50, f"{scan} shows no colour"
