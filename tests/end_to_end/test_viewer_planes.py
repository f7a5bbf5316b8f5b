"""Three planes with a crosshair: reformatted in the browser, against numpy's slices of the whole volume."""

import files
import numpy as np
import pytest
from browser import at, place
from scipy import ndimage
from selenium.webdriver.common.keys import Keys

SCAN = "1_t2"
# Depth, rows and columns of each plane as axes of the volume (slice, row, column).
AXES = {"sagittal": (0, 1, 2), "axial": (1, 2, 0), "coronal": (2, 1, 0)}
PLANES = list(AXES)


def seen(scan: dict, plane: str) -> dict:
    """Shape and spacing as the plane has them."""
    return {name: [scan[name][axis] for axis in AXES[plane]] for name in ("shape", "spacing_mm")}


def cut(volume: np.ndarray, plane: str, cross: tuple) -> np.ndarray:
    turned = volume.transpose(AXES[plane])
    return turned[cross[AXES[plane][0]]]


def open_planes(viewer, cross: tuple, more: str = ""):
    slice_, row, column = cross
    viewer.open(f"#scan={SCAN}&planes=1&slice={slice_}&cross={row},{column}{more}")
    wait_cross(viewer, cross)


def wait_cross(viewer, cross: tuple):
    slice_, row, column = cross
    viewer.wait_drawn(f"{SCAN} {slice_}", f"{SCAN} axial {row}", f"{SCAN} coronal {column}")


@pytest.fixture(scope="module")
def scan(demo) -> dict:
    return demo.json(f"/v1/scans/{SCAN}")


@pytest.fixture(scope="module")
def volume(demo) -> np.ndarray:
    return demo.npy(f"/v1/scans/{SCAN}/image.npy")


@pytest.fixture(scope="module")
def mask(demo) -> np.ndarray:
    return demo.npy(f"/v1/scans/{SCAN}/mask.npy")


def spots(viewer, scan: dict, plane: str):
    """Pixels of the canvas at the middle of every voxel of a cut, and which of them lie within it, off its texts and lines."""
    n = PLANES.index(plane)
    shape = seen(scan, plane)["shape"][1:]
    (left, top), (right, bottom) = place(viewer, seen(scan, plane), 0, 0, n=n), place(viewer, seen(scan, plane), *(length - 1 for length in shape), n=n)
    rows = np.round(np.linspace(top, bottom, shape[0])).astype(int)
    columns = np.round(np.linspace(left, right, shape[1])).astype(int)
    size = viewer.canvas(n).size
    within = np.ix_((rows > 2) & (rows < size["height"] - 40), (columns > 2) & (columns < size["width"] - 3))
    return rows, columns, within


@pytest.mark.parametrize("cross", [(7, 160, 90), (4, 222, 97)])
def test_each_plane_is_the_volumes_own_slice_in_proportion(viewer, demo, scan, volume, mask, cross):
    """Greys about, because the browser smooths between voxels; labels to the last bit, because it does not.
    Those are compared within structures: at an edge a pixel may be of either side."""
    colours = {one["label"]: [int(one["colour"][n : n + 2], 16) for n in (1, 3, 5)] for one in demo.json("/v1/labels")["items"]}
    open_planes(viewer, cross, "&overlay=0&window=full")
    low, high = float(volume.min()), float(volume.max())
    for n, plane in enumerate(PLANES):
        rows, columns, within = spots(viewer, scan, plane)
        expected = (cut(volume, plane, cross).astype(float) - low) / (high - low) * 255
        picture = viewer.picture(n).mean(axis=2)
        shown = picture[np.clip(rows, 0, picture.shape[0] - 1)][:, np.clip(columns, 0, picture.shape[1] - 1)]
        differs = lambda other, shown=shown, within=within: np.median(np.abs(shown - other)[within])
        flipped = min(differs(expected[::-1]), differs(expected[:, ::-1]))
        assert differs(expected) < 6 and 1.5 * differs(expected) < flipped, (plane, differs(expected), flipped)
    open_planes(viewer, cross, "&alpha=1&outline=0")
    viewer.screenshot(f"planes-{cross[0]}")
    for n, plane in enumerate(PLANES):
        rows, columns, within = spots(viewer, scan, plane)
        expected = cut(mask, plane, cross)
        picture = viewer.picture(n)
        meeting = [cross[axis] for axis in AXES[plane][1:]]
        labelled = np.zeros(expected.shape, bool)
        labelled[within] = (expected[within] > 0) & (ndimage.generic_filter(expected, np.ptp, 3)[within] == 0)
        # The crosshair is drawn over them.
        labelled[max(0, meeting[0] - 4) : meeting[0] + 5] = labelled[:, max(0, meeting[1] - 1) : meeting[1] + 2] = False
        if plane == "sagittal":
            labelled[:, max(0, meeting[1] - 4) : meeting[1] + 5] = False
        wrong = [(row, column) for row, column in np.argwhere(labelled) if (picture[rows[row], columns[column]] != colours[expected[row, column]]).any()]
        assert labelled.sum() > 30 and not wrong, (plane, labelled.sum(), wrong[:5])


def letters(viewer) -> list[dict[str, tuple]]:
    """Where each pane has which letter: points from its upper left corner."""
    shown = viewer.js(
        "return [...document.querySelectorAll('.pane')].map((pane) => { const p = pane.getBoundingClientRect();"
        " return [...pane.querySelectorAll('.side')].filter((side) => side.checkVisibility()).map((side) => {"
        " const b = side.getBoundingClientRect(); return [side.textContent, [(b.left + b.right) / 2 - p.left, (b.top + b.bottom) / 2 - p.top]]; }); })"
    )
    return [dict(pane) for pane in shown]


@pytest.mark.parametrize("size", [(1280, 800), (390, 844)])
def test_letters_name_the_sides_of_the_patient(viewer, demo, scan, mask, size):
    """Against the directions that SimpleITK reads from the file: LPS millimetres grow towards left, posterior and head."""
    viewer.resize(*size)
    open_planes(viewer, (7, 160, 90))
    source = files.canonical(demo.source, "masks", SCAN)
    shown = letters(viewer)
    assert [set(pane) for pane in shown] == [set("HFAP"), set("APRL"), set("HFRL")]
    middle = [(length - 1) / 2 for length in mask.shape]
    for n, plane in enumerate(PLANES):
        for axis in AXES[plane][1:]:
            ends = [[*middle[:axis], at, *middle[axis + 1 :]] for at in (0, mask.shape[axis] - 1)]
            millimetres = [source.TransformContinuousIndexToPhysicalPoint(end[::-1]) for end in ends]
            points = [place(viewer, seen(scan, plane), *(end[one] for one in AXES[plane][1:]), n=n) for end in ends]
            moved = np.subtract(*millimetres[::-1])
            world = np.abs(moved).argmax()
            low, high = [("R", "L"), ("A", "P"), ("F", "H")][world]
            towards = np.subtract(shown[n][high], shown[n][low])
            assert np.dot(towards, np.subtract(*points[::-1])) * moved[world] > 0, (plane, axis, low, high)
    # And against the anatomy: L5 is the lowest vertebra, the canal runs behind the bodies.
    where = {label: np.argwhere(mask == label).mean(axis=0) for label in (1, 5, 100, 203)}

    def is_towards(n, letter, opposite, label, than):
        plane = PLANES[n]
        point, other = (np.array(place(viewer, seen(scan, plane), *(where[one][axis] for axis in AXES[plane][1:]), n=n)) for one in (label, than))
        return np.dot(np.subtract(shown[n][letter], shown[n][opposite]), point - other) > 0

    for n in (0, 2):
        assert is_towards(n, "F", "H", 1, 5)
    for n in (0, 1):
        assert is_towards(n, "P", "A", 100, 203)


def test_letters_follow_the_axes_of_the_scan(viewer):
    """As if the slices of the scan went from left to right."""
    turned = "const parse = JSON.parse; JSON.parse = (text) => { const made = parse(text);" \
        " if (made?.geometry?.affine_lps) for (const row of made.geometry.affine_lps) row[0] = -row[0]; return made; };"
    sides = "return [...document.querySelectorAll('.pane')].map((pane) => ['north', 'south', 'west', 'east'].map((side) => pane.querySelector('.' + side).textContent).join(''))"
    open_planes(viewer, (7, 160, 90))
    assert viewer.js(sides) == ["HFAP", "APRL", "HFRL"]
    with viewer.before_each_page(turned):
        open_planes(viewer, (7, 160, 90))
        assert viewer.js(sides) == ["HFAP", "APLR", "HFLR"]


def test_thickness_is_named(viewer, scan):
    open_planes(viewer, (7, 160, 90))
    texts = [corner.get_property("textContent") for corner in viewer.all(".corner.bottom.left")]
    thick = scan["metadata"]["slice_thickness"]
    for text, depth in zip(texts[1:], ("row 160 of 0–324", "column 90 of 0–182"), strict=True):
        assert text == f"{depth}\nslices {scan['spacing_mm'][0]:g} mm apart\n{thick:g} mm thick"
    assert viewer.canvas(1).get_attribute("aria-label").startswith(f"Scan {SCAN}, axial, row 160 of 0–324")


def test_the_crosshair_moves_by_hand_in_each_plane(viewer, scan, volume, mask):
    open_planes(viewer, (7, 160, 90))
    in_axial = lambda slice_, column: place(viewer, seen(scan, "axial"), column, slice_, n=1)
    at(viewer, *in_axial(4, 70), n=1).click().perform()
    wait_cross(viewer, (4, 160, 70))
    x, y = place(viewer, seen(scan, "coronal"), 200, 10, n=2)
    start = place(viewer, seen(scan, "coronal"), 100, 3, n=2)
    drag = at(viewer, *start, n=2).click_and_hold()
    drag.move_by_offset(round(x - start[0]), round(y - start[1])).release().perform()
    drawn = viewer.until(lambda: all(viewer.drawn()) and viewer.drawn()[0] == f"{SCAN} 10" and viewer.drawn(), "the drag does not move the slice")
    row = int(drawn[1].split()[-1])
    assert abs(row - 200) <= 1 and drawn[2] == f"{SCAN} coronal 70"
    at(viewer, *place(viewer, scan, 120, 60)).click().perform()
    wait_cross(viewer, (10, 120, 60))
    assert viewer.fragment() == {"scan": SCAN, "slice": "10", "planes": "1", "cross": "120,60"}
    # What the pointer names is the voxel under it.
    at(viewer, *in_axial(5, 100), n=1).perform()
    viewer.until(lambda: f"slice 5, row 120, column 100 · value {volume[5, 120, 100]:g}" in viewer.text("#readout"), "another voxel is named")
    # The page is opened at the same place again, and back leads back.
    viewer.driver.refresh()
    wait_cross(viewer, (10, 120, 60))
    viewer.press("t")
    viewer.wait_drawn(f"{SCAN} 10")
    assert "planes" not in viewer.fragment()
    viewer.driver.back()
    wait_cross(viewer, (10, 120, 60))


def test_the_crosshair_moves_by_keyboard(viewer):
    viewer.open(f"#scan={SCAN}&slice=7", drawn=f"{SCAN} 7")
    viewer.press("t")
    wait_cross(viewer, (7, 162, 91))
    viewer.js("document.querySelectorAll('.pane canvas')[1].focus()")
    viewer.press(Keys.ARROW_LEFT, Keys.ARROW_UP, Keys.ARROW_UP)
    wait_cross(viewer, (6, 162, 89))
    viewer.press(Keys.PAGE_DOWN)
    wait_cross(viewer, (6, 163, 89))
    viewer.js("document.querySelectorAll('.pane canvas')[2].focus()")
    viewer.press(Keys.ARROW_DOWN, Keys.ARROW_RIGHT, Keys.PAGE_UP)
    wait_cross(viewer, (7, 164, 88))
    viewer.js("document.querySelectorAll('.pane canvas')[0].focus()")
    viewer.press(Keys.ARROW_DOWN)
    wait_cross(viewer, (8, 164, 88))
    viewer.press("c")
    viewer.until(lambda: len(viewer.drawn()) == 2 and all(viewer.drawn()), "series do not take the place of planes")
    assert "planes" not in viewer.fragment()


def test_the_wheel_steps_through_the_plane_it_is_over_and_zoom_goes_together(viewer, scan):
    open_planes(viewer, (7, 160, 90))
    wheel = "arguments[0].dispatchEvent(new WheelEvent('wheel', { deltaY: 100, bubbles: true, cancelable: true }))"
    viewer.js(wheel, viewer.canvas(1))
    wait_cross(viewer, (7, 161, 90))
    viewer.js(wheel, viewer.canvas(2))
    wait_cross(viewer, (7, 161, 91))
    viewer.js(wheel, viewer.canvas(0))
    wait_cross(viewer, (8, 161, 91))
    # What is under the pointer stays under it: the voxel that is named does not change.
    at(viewer, *place(viewer, seen(scan, "axial"), 120, 4, n=1), n=1).perform()
    viewer.until(lambda: "slice 4, row 161, column 120" in viewer.text("#readout"), "another voxel is named")
    x, y = (round(n) for n in place(viewer, seen(scan, "axial"), 120, 4, n=1))
    viewer.js(
        "const c = arguments[0], b = c.getBoundingClientRect();"
        "c.dispatchEvent(new WheelEvent('wheel', { deltaY: -300, ctrlKey: true, clientX: b.left + arguments[1], clientY: b.top + arguments[2], bubbles: true, cancelable: true }))",
        viewer.canvas(1), x, y,
    )
    viewer.until(lambda: float(viewer.fragment().get("zoom", 1)) > 2, "it does not zoom")
    assert "lateral" in viewer.fragment() and "slice 4, row 161, column 120" in viewer.text("#readout")


def test_a_chosen_disc_is_where_the_planes_meet(viewer, scan):
    open_planes(viewer, (0, 10, 10))
    viewer.button("L3/L4", ".gradings").click()
    disc = next(one for one in scan["labels"] if one["label"] == 203)
    _, row, column = (round(n) for n in disc["centroid"])
    wait_cross(viewer, (disc["best_slice"], row, column))


def test_another_series_opens_where_the_planes_met(viewer, demo):
    open_planes(viewer, (4, 120, 60))
    viewer.button("T1", ".series").click()
    viewer.until(lambda: len(viewer.drawn()) == 3 and all(viewer.drawn()) and viewer.drawn()[0].startswith("1_t1"), "the series does not come")
    there = demo.json("/v1/scans/1_t1")["geometry"]["affine_lps"]
    here = demo.json(f"/v1/scans/{SCAN}")["geometry"]["affine_lps"]
    slice_, row, column = np.round(np.linalg.solve(there, np.array(here) @ [4, 120, 60, 1]))[:3].astype(int)
    assert viewer.drawn() == [f"1_t1 {slice_}", f"1_t1 axial {row}", f"1_t1 coronal {column}"]


def test_a_second_mask_is_shown_in_every_plane(viewer, demo, mask, tmp_path):
    np.save(tmp_path / "moved.npy", np.roll(mask, (1, 4, 4), (0, 1, 2)))
    open_planes(viewer, (7, 222, 97), "&alpha=1")
    plain = [viewer.picture(n) for n in range(3)]
    viewer.find("#mask-file").send_keys(str(tmp_path / "moved.npy"))
    viewer.until(lambda: viewer.all(".scores tbody tr"), "the masks are not compared")
    viewer.button("Difference", "#second-mask").click()
    viewer.until(lambda: all(canvas.get_attribute("data-second") == "difference moved.npy" for canvas in viewer.all(".pane canvas")), "it is not in every plane")
    assert all((viewer.picture(n) != plain[n]).any() for n in range(3))
    viewer.screenshot("planes-second-mask")


def test_progress_is_shown_while_the_volume_is_loading(viewer, scan):
    viewer.open(f"#scan={SCAN}&slice=7", drawn=f"{SCAN} 7")
    size = int(np.ceil(np.prod(scan["shape"]) * 3 / 1e6))
    assert f"loads {size} MB" in viewer.find("#planes").get_attribute("title")
    with viewer.without_cache():
        viewer.throttle(bytes_per_second=400_000)
        viewer.click("#planes")
        notes = "return [...document.querySelectorAll('.pane .note')].map((note) => note.textContent)"
        viewer.until(lambda: any(f"Loading {size} MB: " in note and not note.endswith(": 0 %") for note in viewer.js(notes)), "no progress is shown")
        # The slice itself is there meanwhile.
        assert viewer.drawn()[0] == f"{SCAN} 7"
        viewer.throttle()
    wait_cross(viewer, (7, 162, 91))


def test_a_large_volume_is_loaded_on_request_only(viewer):
    """As if a value had many bytes: the demo has no large scans."""
    script = "const parse = JSON.parse; JSON.parse = (text) => parse(text.replace('\"element_type\":\"int16\"', '\"element_type\":\"int1600\"'));"
    with viewer.before_each_page(script):
        viewer.open(f"#scan={SCAN}&slice=7&planes=1")
        viewer.until(lambda: viewer.all(".ask") and viewer.find(".axial .ask").is_displayed(), "it does not ask")
        assert viewer.text(".axial .ask").startswith("Load ") and viewer.text(".axial .ask").endswith(" MB")
        assert not [url for url in viewer.drain() if "image.npy" in url and "slices" not in url]
        viewer.click(".axial .ask")
        wait_cross(viewer, (7, 162, 91))
    with viewer.before_each_page("const parse = JSON.parse; JSON.parse = (text) => parse(text.replaceAll('\"shape\":[15,', '\"shape\":[4,'));"):
        viewer.open(f"#scan={SCAN}&slice=2&planes=1", drawn=f"{SCAN} 2")
        assert viewer.find("#planes").get_attribute("aria-disabled") == "true" and "4 slices" in viewer.find("#planes").get_attribute("title")


@pytest.mark.parametrize("size", [(390, 844), (1280, 800)])
def test_planes_are_for_everyone_and_every_width(viewer, size):
    viewer.resize(*size)
    open_planes(viewer, (7, 160, 90), "&disc=203")
    viewer.screenshot(f"planes-{size[0]}")
    assert viewer.axe_violations() == []
    assert viewer.js("return document.documentElement.scrollWidth") <= size[0]
    assert viewer.overlapping_texts() == []
