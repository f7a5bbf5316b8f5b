"""The viewer's means to find, to measure and to take along."""

import re

import browser
import files
import numpy as np
import pytest
from browser import at, place
from selenium.webdriver.common.keys import Keys


def test_a_patient_or_scan_is_found_by_its_id(viewer):
    viewer.open("#scan=1_t1", drawn="1_t1 7")
    for text, total in (("5", "3 scans"), ("5_t2", "1 scan"), ("8_t2_SPACE", "1 scan")):
        search = viewer.find("#search")
        search.clear()
        search.send_keys(text, Keys.ENTER)
        viewer.until(lambda total=total: viewer.text("#total") == total, f"{text} does not give {total}")
    viewer.driver.refresh()
    viewer.until(lambda: viewer.text("#total") == "1 scan" and viewer.find("#search").get_property("value") == "8_t2_SPACE", "the URL forgets the search")
    viewer.click("#clear-filters")
    viewer.until(lambda: viewer.text("#total") == "17 scans", "clearing does not help")
    assert viewer.find("#search").get_property("value") == ""


def test_the_list_can_be_sorted(viewer, demo):
    viewer.open("#scan=1_t1", drawn="1_t1 7")
    for sort in ("-age", "age", "-slices", "-magnetic_field_strength", ""):
        viewer.js("const s = document.querySelector('#sort'); s.value = arguments[0]; s.dispatchEvent(new Event('change'))", sort)
        expected = [one["scan_id"] for one in demo.json("/v1/scans", **({"sort": sort} if sort else {}))["items"]]
        shown = "return [...document.querySelectorAll('#list a')].map((a) => new URLSearchParams(a.hash.slice(1)).get('scan'))"
        viewer.until(lambda expected=expected: viewer.js(shown)[:16] == expected[:16], f"{sort}: {expected}")
        assert viewer.fragment().get("sort", "") == sort
    viewer.open("#sort=banana&scan=1_t1", drawn="1_t1 7")
    assert "sort" not in viewer.fragment()


def test_panels_fold_and_the_picture_grows(viewer):
    viewer.open("#scan=1_t1", drawn="1_t1 7")
    area = lambda: viewer.canvas().size["width"] * viewer.canvas().size["height"] / (1280 * 800)
    before = area()
    viewer.click("#fold-details")
    viewer.until(lambda: not viewer.find("#details").is_displayed() and area() > before + 0.1, "the picture does not grow")
    viewer.press("s")
    viewer.until(lambda: not viewer.find("#scans").is_displayed() and area() > 0.7, "the picture does not grow")
    viewer.screenshot("folded")
    assert viewer.fragment()["folded"] == "details,scans"
    viewer.press("s", "i")
    viewer.until(lambda: viewer.find("#scans").is_displayed() and viewer.find("#details").is_displayed(), "they do not come back")


def drag(viewer, start, end):
    actions = at(viewer, *start).click_and_hold()
    actions.move_by_offset(round(end[0] - start[0]), round(end[1] - start[1])).release().perform()


def test_rulers_and_angles_are_drawn_kept_and_edited(viewer, demo):
    viewer.open("#scan=1_t1&overlay=0", drawn="1_t1 7")
    scan = demo.json("/v1/scans/1_t1")
    _, down, across = scan["spacing_mm"]
    spot = lambda row, column: place(viewer, scan, row, column)
    viewer.press("m")
    drag(viewer, spot(60, 40), spot(260, 120))
    drag(viewer, spot(50, 30), spot(50, 130))
    viewer.press("v")
    drag(viewer, spot(100, 40), spot(100, 140))
    drag(viewer, spot(150, 40), spot(200, 140))
    viewer.until(lambda: "angle" in viewer.text("#readout"), "no angle")
    results = [float(n) for n in re.findall(r"(?:ruler|angle) ([\d.]+)", viewer.text("#readout"))]
    expected = [np.hypot(200 * down, 80 * across), 100 * across, np.degrees(np.arctan2(50 * down, 100 * across))]
    np.testing.assert_allclose(results, expected, atol=2)
    viewer.screenshot("measures")
    # They are part of the URL, and exact there.
    viewer.open("#scan=1_t1&overlay=0&measures=r7:60,40,260,120;a7:100,40,100,140,150,40,200,140;r3:0,0,1,1;r7:x;q7:1,2,3,4", drawn="1_t1 7")
    viewer.until(lambda: f"ruler {expected[0]:.1f} mm · angle {expected[2]:.1f}°" in viewer.text("#readout"), "other numbers")
    # An end is moved by hand: 50 rows down.
    drag(viewer, spot(60, 40), spot(110, 40))
    viewer.until(lambda: abs(float(re.search(r"ruler ([\d.]+)", viewer.text("#readout"))[1]) - np.hypot(150 * down, 80 * across)) < 2, "the end does not move")
    assert viewer.fragment()["measures"].count(";") == 2
    viewer.press(Keys.ARROW_DOWN)
    viewer.press("X")
    viewer.until(lambda: "measures" not in viewer.fragment(), "they stay")


def test_the_result_of_a_ruler_stays_on_the_canvas(viewer, demo):
    """At the right edge, the colour of its text is found inside."""
    viewer.open("#scan=1_t1&overlay=0&zoom=4&centre=100,178&measures=r7:90,170,110,182.4", drawn="1_t1 7")
    picture = viewer.picture()
    yellow = (picture[:, :, 0] > 200) & (picture[:, :, 1] > 180) & (picture[:, :, 2] < 160)
    columns = np.flatnonzero(yellow.any(axis=0))
    assert columns.max() < picture.shape[1] - 3
    viewer.open("#scan=1_t1&overlay=0&zoom=10&centre=100,100&measures=r7:95,90,100,400", drawn="1_t1 7")
    edge = viewer.picture()[:, -60:]
    yellow = (edge[:, :, 0] > 200) & (edge[:, :, 1] > 180) & (edge[:, :, 2] < 160)
    # Besides the line itself, which crosses the edge, there is text.
    line = np.argmax(yellow.sum(axis=1))
    yellow[line - 6 : line + 7] = False
    assert yellow.sum() > 40
    viewer.screenshot("ruler-at-edge")


def test_structures_are_measured_and_lead_to_their_slices(viewer, demo):
    viewer.open("#scan=1_t1&slice=0", drawn="1_t1 0")
    scan = demo.json("/v1/scans/1_t1")
    viewer.click("#structures summary")
    viewer.click("#measure-structures")
    viewer.until(lambda: not viewer.find("#measure-structures").is_displayed(), "nothing is measured")
    image, mask = (files.canonical_array(demo.source, name, "1_t1") for name in ("images", "masks"))
    _, down, across = scan["spacing_mm"]
    rows = {int(row.text.split()[0]): row for row in viewer.all(".measured tbody tr")}
    assert sorted(rows) == [one["label"] for one in scan["labels"]] == np.unique(mask)[1:].tolist()
    voxel = np.prod(scan["spacing_mm"])
    for label in (1, 100, 203):
        cells = [cell.text for cell in rows[label].find_elements("css selector", "td")]
        assert int(cells[0]) == round((mask == label).sum() * voxel)
        slices = np.flatnonzero((mask == label).any(axis=(1, 2)))
        assert [int(n) for n in re.findall(r"\d+", cells[1])] == [slices[0], slices[-1]]
        values = image[mask == label].astype(float)
        np.testing.assert_allclose([float(n) for n in cells[3].split("±")], [values.mean(), values.std()], atol=0.06)
    best = next(one["best_slice"] for one in scan["labels"] if one["label"] == 203)
    points = np.argwhere(mask[best] == 203) * [down, across]
    _, _, axes = np.linalg.svd(points - points.mean(axis=0), full_matrices=False)
    along = points @ axes[0]
    length = np.ptp(along) + np.abs(axes[0]) @ [down, across]
    height = float(rows[203].find_elements("css selector", "td")[2].text)
    assert abs(height - len(points) * down * across / length) < 0.06
    rows[203].find_elements("css selector", "td")[2].find_element("css selector", "button").click()
    viewer.wait_drawn(f"1_t1 {best}")
    before = viewer.picture()
    viewer.find("[data-key='show 203']").click()
    viewer.until(lambda: (viewer.picture() != before).any(), "the disc is not hidden")
    assert viewer.fragment()["hidden"] == "203"
    viewer.screenshot("structures")


@pytest.fixture
def downloads(viewer, tmp_path):
    viewer.driver.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    return tmp_path


def test_the_picture_is_saved_as_on_the_screen(viewer, downloads):
    viewer.open("#scan=1_t2&slice=5&disc=202&measures=r5:60,40,200,90", drawn="1_t2 5")
    shown = viewer.picture()
    viewer.click("#save-picture")
    viewer.until(lambda: (downloads / "1_t2-5.png").exists(), "no file")
    saved = browser.Image.open(downloads / "1_t2-5.png").convert("RGB")
    saved = np.asarray(saved).astype(int)
    assert (saved[: shown.shape[0], : shown.shape[1]] == shown).all()
    caption = saved[shown.shape[0] :]
    assert caption.shape[0] >= 30 and (caption > 128).sum() > 500


def test_a_link_names_the_revision_and_the_citation(viewer, demo):
    viewer.open("#scan=1_t2&slice=5&disc=202", drawn="1_t2 5")
    viewer.driver.execute_cdp_cmd("Browser.grantPermissions", {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"], "origin": demo.address})
    viewer.click("#copy-link")
    viewer.until(lambda: viewer.text("#copy-link") == "Copied", "nothing is copied")
    text = viewer.driver.execute_async_script("navigator.clipboard.readText().then(arguments[0], (e) => arguments[0](String(e)))")
    view, data, citation = text.split("\n")
    assert view == f"{demo.address}/#scan=1_t2&slice=5&disc=202"
    pinned = re.search(r"Data: (\S+) ", data)[1]
    assert demo.client.get(pinned).json()["scan_id"] == "1_t2" and "/r/" in pinned
    dataset = demo.json("/v1/dataset")
    assert citation == f"{dataset['citation']} {dataset['licence']['id']}."


def test_printing_gives_a_light_page(viewer):
    viewer.open("#scan=1_t2&slice=5", drawn="1_t2 5")
    viewer.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print", "features": [{"name": "prefers-color-scheme", "value": "dark"}]})
    ground = viewer.js("return getComputedStyle(document.body).backgroundColor")
    shown = viewer.find("#scans").is_displayed()
    viewer.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    assert ground == "rgb(255, 255, 255)" and not shown
