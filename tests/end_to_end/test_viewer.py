"""The viewer, as somebody meets it who looks at scans in a browser."""

import csv
import re
import shutil
import socket
import subprocess

import browser
import files
import numpy as np
import pytest
from browser import at, place
from conftest import served
from scipy import ndimage
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.actions.wheel_input import ScrollOrigin
from selenium.webdriver.common.keys import Keys
from service import Service

PAGE = 16
BUTTON_RIGHT = 2
WHITE = np.array([255, 255, 255])


def assert_greys(viewer, scan, values, low, high):
    """The canvas shows this slice, in this window, everywhere: SciPy interpolates between voxels."""
    picture = viewer.picture().mean(axis=2)
    (left, top), (right, bottom) = place(viewer, scan, 0, 0), place(viewer, scan, *(n - 1 for n in values.shape))
    rows = (np.arange(picture.shape[0]) + 0.5 - top) / (bottom - top) * (values.shape[0] - 1)
    columns = (np.arange(picture.shape[1]) + 0.5 - left) / (right - left) * (values.shape[1] - 1)
    inside = np.ix_((rows > 0) & (rows < values.shape[0] - 12), (columns > 0) & (columns < values.shape[1] - 1))
    rows, columns = rows[inside[0].ravel()], columns[inside[1].ravel()]

    def differs(values):
        greys = np.clip((values - low) / (high - low), 0, 1) * 255
        expected = ndimage.map_coordinates(greys, np.meshgrid(rows, columns, indexing="ij"), order=1)
        return np.abs(picture[inside] - expected).mean()

    assert differs(values) < 5 < differs(values[:, ::-1]), (differs(values), differs(values[:, ::-1]))


def numbers(viewer, n=0):
    """Centre and width as they stand in the corner of the picture, once they stand there."""
    shown = re.compile(r"C (-?[\d.]+)\s+W (-?[\d.]+)")
    found = viewer.until(lambda: shown.search(viewer.all(".corner.bottom.right")[n].text), "no window is shown")
    return float(found[1]), float(found[2])


def test_the_page_is_closed_to_others_and_cached(demo):
    page = demo.get("/")
    policy = dict(part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'" and policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert page.headers["content-type"].startswith("text/html")
    known = demo.client.get("/", headers={"if-none-match": page.headers["etag"]})
    assert known.status_code == 304 and not known.content
    parts = re.findall(r"(?:src|href)=\"(/viewer/[^\"]+)\"", page.text)
    assert len(parts) >= 3
    for path in parts:
        assert demo.get(path).headers["content-security-policy"] == page.headers["content-security-policy"]
    assert demo.get("/viewer/main.js").headers["content-type"].startswith("text/javascript")
    for missing in ("/viewer/none.js", "/viewer/index.html", "/viewer/..%2Fviewer.rs"):
        answer = demo.client.get(missing)
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_path"), missing


def test_it_opens_on_the_first_scan_upright_and_in_proportion(viewer, demo):
    viewer.open(drawn="1_t1 7")
    assert viewer.text("#total") == f"{demo.json('/v1/scans')['total']} scans"
    scan = demo.json("/v1/scans/1_t1")
    viewer.screenshot("opened")
    viewer.press("o", "f")
    viewer.until(lambda: numbers(viewer)[1] > 4000, "the full window is not shown")
    values = files.canonical_array(demo.source, "images", "1_t1").astype(float)
    assert_greys(viewer, scan, values[7], values.min(), values.max())
    assert viewer.fragment() == {"scan": "1_t1", "slice": "7", "overlay": "0", "window": "full"}


def test_the_list_goes_on_as_one_scrolls_and_shows_thumbnails(viewer, demo):
    viewer.resize(1280, 500)
    viewer.open(drawn="1_t1 7")
    assert len(viewer.all("#list a")) == PAGE < demo.json("/v1/scans")["total"]
    thumbs = "return [...document.querySelectorAll('#list img')].map(i => i.getAttribute('src') && i.naturalHeight)"
    viewer.until(lambda: viewer.js(thumbs)[0] == 96, "no thumbnail")
    assert viewer.js(thumbs)[-1] is None, "a thumbnail out of sight was loaded"
    viewer.js("document.querySelector('#list-end').scrollIntoView()")
    viewer.until(lambda: len(viewer.all("#list a")) == demo.json("/v1/scans")["total"], "the list does not go on")
    viewer.until(lambda: viewer.js(thumbs)[-1] == 96, "no thumbnail at the end")


def test_filters_narrow_the_list_and_count(viewer, demo):
    viewer.open(drawn="1_t1 7")

    def shown(**query):
        total = demo.json("/v1/scans", **query)["total"]
        text = "1 scan" if total == 1 else f"{total} scans"
        viewer.until(lambda: viewer.text("#total") == text, f"{query} does not give {text}")
        viewer.until(lambda: len(viewer.all("#list a")) == min(total, PAGE), "the list does not follow")

    def counts(facet):
        chips = [chip.text.split("\n") for chip in viewer.all(f"#facet-{facet} .chip")]
        return {name: int(count) for name, count in chips}

    viewer.until(lambda: viewer.all("#facet-pfirrmann .chip"), "no filters")
    viewer.button("T2 SPACE", "#facet-scan_type").click()
    shown(scan_type="t2_SPACE")
    viewer.button("4", "#facet-pfirrmann").click()
    shown(scan_type="t2_SPACE", pfirrmann=4)
    viewer.button("T1", "#facet-scan_type").click()
    query = {"scan_type": "t2_SPACE,t1", "pfirrmann": 4}
    shown(**query)
    split = {name: demo.json("/v1/scans", **query, split=name)["total"] for name in ("train", "validation", "test")}
    viewer.until(lambda: counts("split") == split, "the counts of the splits")
    types = {name: demo.json("/v1/scans", pfirrmann=4, scan_type=value)["total"]
             for name, value in (("T1", "t1"), ("T2", "t2"), ("T2 SPACE", "t2_SPACE"))}
    viewer.until(lambda: counts("scan_type") == types, "the counts of the types")
    grades = {str(g): demo.json("/v1/scans", scan_type=query["scan_type"], pfirrmann=g)["total"] for g in range(1, 6)}
    viewer.until(lambda: counts("pfirrmann") == grades, "the counts of the grades")
    viewer.find("#age-from").send_keys("50", Keys.TAB)
    shown(**query, age="50..")
    assert viewer.fragment()["age"] == "50.."
    viewer.screenshot("filtered")
    viewer.driver.refresh()
    shown(**query, age="50..")
    assert viewer.find("#age-from").get_property("value") == "50"
    viewer.driver.back()
    shown(**query)
    viewer.click("#clear-filters")
    shown()
    viewer.button("Philips Healthcare", "#facet-manufacturer").click()
    shown(manufacturer="Philips Healthcare")


def test_a_condition_that_cannot_be_read_is_reported(chromium, demo):
    viewer = browser.Viewer(chromium, demo.address)
    viewer.open("#age=banana")
    viewer.until(lambda: viewer.all("#list-problem:not([hidden])"), "nothing is said")
    assert "age" in viewer.text("#list-problem")
    viewer.click("#clear-filters")
    viewer.until(lambda: viewer.text("#total") == "17 scans", "clearing does not help")
    viewer.close(may_fail="400")


def test_slices_by_keys_wheel_and_slider(viewer, demo):
    viewer.open("#scan=2_t1&overlay=0&window=full", drawn="2_t1 7")
    scan = demo.json("/v1/scans/2_t1")
    values = files.canonical_array(demo.source, "images", "2_t1").astype(float)
    viewer.press(Keys.ARROW_DOWN)
    viewer.wait_drawn("2_t1 8")
    assert_greys(viewer, scan, values[8], values.min(), values.max())
    viewer.press(Keys.ARROW_LEFT, Keys.ARROW_UP)
    viewer.wait_drawn("2_t1 6")
    viewer.press(Keys.PAGE_DOWN)
    viewer.wait_drawn("2_t1 11")
    for key, slice_ in ((Keys.END, 14), (Keys.ARROW_RIGHT, 14), (Keys.HOME, 0), (Keys.ARROW_UP, 0)):
        viewer.press(key)
        viewer.wait_drawn(f"2_t1 {slice_}")
    origin = viewer.canvas()
    for step, slice_ in ((120, 1), (120, 2), (-120, 1)):
        ActionChains(viewer.driver).scroll_from_origin(ScrollOrigin.from_element(origin), 0, step).perform()
        viewer.wait_drawn(f"2_t1 {slice_}")
    viewer.js("const s = document.querySelector('#slice'); s.value = 9; s.dispatchEvent(new Event('input'))")
    viewer.wait_drawn("2_t1 9")
    slider = viewer.find("#slice")
    ActionChains(viewer.driver).move_to_element(slider).click().perform()
    viewer.wait_drawn("2_t1 7")
    # A slider's upper end is its largest value.
    slider.send_keys(Keys.ARROW_UP)
    viewer.wait_drawn("2_t1 8")
    assert viewer.text("#slice-number") == "8 of 0–14" and viewer.fragment()["slice"] == "8"
    assert_greys(viewer, scan, values[8], values.min(), values.max())


def test_neighbours_are_there_before_they_are_requested_for(viewer):
    viewer.open("#scan=2_t1&slice=5", drawn="2_t1 5")
    requested = set()

    def ahead():
        requested.update(viewer.drain())
        return all(any(f"/2_t1/slices/{k}/{name}." in url for url in requested)
                   for k in (4, 6, 7) for name in ("image", "mask"))

    viewer.until(ahead, "no neighbours requested")
    viewer.press(Keys.ARROW_DOWN)
    viewer.wait_drawn("2_t1 6")
    assert not [url for url in viewer.drain() if "/slices/6/" in url]


def test_labels_are_rendered_in_their_colours_and_named(viewer, demo):
    viewer.open("#scan=1_t2&slice=7&window=full&alpha=0.5&outline=0", drawn="1_t2 7")
    scan = demo.json("/v1/scans/1_t2")
    colours = {one["label"]: one["colour"] for one in demo.json("/v1/labels")["items"]}
    names = {one["label"]: one["name"] for one in demo.json("/v1/labels")["items"]}
    grades = {one["label"]: one["pfirrmann"] for one in scan["gradings"]}
    mask = files.canonical_array(demo.source, "masks", "1_t2")[7]
    values = files.canonical_array(demo.source, "images", "1_t2").astype(float)
    labelled = viewer.picture()
    viewer.screenshot("labels")
    viewer.press("o")
    viewer.until(lambda: (viewer.picture() != labelled).any(), "labels do not go off")
    plain = viewer.picture()
    assert_greys(viewer, scan, values[7], values.min(), values.max())
    viewer.press("o")
    viewer.until(lambda: (viewer.picture() == labelled).all(), "labels do not come back")
    middles = {}
    for label in np.unique(mask)[1:].tolist():
        inside = np.argwhere(mask == label)
        middle = inside[np.argmin(np.abs(inside - inside.mean(axis=0)).sum(axis=1))]
        x, y = place(viewer, scan, *middle)
        middles[label] = round(x), round(y)
        colour = np.array([int(colours[label][n : n + 2], 16) for n in (1, 3, 5)])
        # The canal's colour is fainter, so that the fluid in it stays visible.
        share = 0.25 if label == 100 else 0.5
        blend = plain[round(y), round(x)] * (1 - share) + colour * share
        assert np.abs(labelled[round(y), round(x)] - blend).max() <= 2, label
        at(viewer, x, y).perform()
        told = f"{label} {names[label]}" + (f", disc, Pfirrmann {grades[label]}" if label > 200 else "")
        viewer.until(lambda told=told: viewer.text(".hover") == told, f"{told} is not named")
        assert f"row {middle[0]}, column {middle[1]} · value {values[7][tuple(middle)]:g}" in viewer.text("#readout")
    assert len(middles) > 10
    x, y = place(viewer, scan, *np.argwhere(mask == 0)[0] + 4)
    at(viewer, x, y).perform()
    viewer.until(lambda: not viewer.find(".hover").is_displayed(), "background is named")
    viewer.click("#class-vertebrae")
    viewer.until(lambda: (viewer.picture() != labelled).any(), "vertebrae are not hidden")
    hidden = viewer.picture()
    for label, is_hidden in ((3, True), (203, False), (100, False)):
        x, y = middles[label]
        assert (hidden[y, x] == (plain if is_hidden else labelled)[y, x]).all(), label
    viewer.click("#outline")
    viewer.until(lambda: (viewer.picture() != hidden).any(), "no outlines")
    assert viewer.fragment()["hidden"] == "vertebrae"
    shown = [item.text for item in viewer.all(".structures li")]
    assert shown == [f"{label} {names[label]}" for label in np.unique(mask)[1:].tolist()]


def test_windows_by_preset_and_by_drag(viewer, demo):
    viewer.open("#scan=3_t2&overlay=0", drawn="3_t2 7")
    scan = demo.json("/v1/scans/3_t2")
    values = files.canonical_array(demo.source, "images", "3_t2").astype(float)
    auto = scan["intensity"]["auto_window"]

    def bounds():
        centre, width = numbers(viewer)
        return centre - width / 2, centre + width / 2 - 1

    np.testing.assert_allclose(bounds(), (auto["low"], auto["high"]), atol=0.1)
    assert_greys(viewer, scan, values[7], auto["low"], auto["high"])
    before = viewer.picture()
    viewer.button("Full", "#presets").click()
    viewer.until(lambda: (viewer.picture() != before).any(), "the full window changes nothing")
    np.testing.assert_allclose(bounds(), (values.min(), values.max()), atol=0.1)
    viewer.button("1–99 %", "#presets").click()
    headers = demo.get("/v1/scans/3_t2/slices/7/image.png", window="p1,99", bits=8).headers
    low, slope = float(headers["x-sagittal-intercept"]), float(headers["x-sagittal-slope"])
    viewer.until(lambda: np.allclose(bounds(), (low, low + 255 * slope), atol=0.2), "the percentiles' numbers")
    assert_greys(viewer, scan, values[7], low, low + 255 * slope)
    viewer.drain()

    # Right button: to the right is wider, upwards is a lower centre.
    centre, width = numbers(viewer)
    before = viewer.picture()
    actions = at(viewer, 300, 300)
    actions.w3c_actions.pointer_action.pointer_down(button=BUTTON_RIGHT)
    actions.move_by_offset(60, -30)
    actions.w3c_actions.pointer_action.pointer_up(button=BUTTON_RIGHT)
    actions.perform()
    viewer.until(lambda: numbers(viewer) != (centre, width), "dragging changes no numbers")
    assert numbers(viewer)[1] > width and numbers(viewer)[0] < centre
    viewer.until(lambda: (viewer.picture() != before).any(), "dragging changes no pixels")
    assert_greys(viewer, scan, values[7], *bounds())
    wide = numbers(viewer)
    at(viewer, 300, 300).key_down(Keys.SHIFT).click_and_hold().move_by_offset(-80, 0).release().key_up(Keys.SHIFT).perform()
    viewer.until(lambda: numbers(viewer)[1] < wide[1], "dragging with shift does not narrow the window")
    assert not [url for url in viewer.drain() if "/v1/" in url], "dragging asks the server"
    assert viewer.fragment()["window_t2"] == ",".join(f"{n:g}" for n in numbers(viewer))
    viewer.press("a")
    viewer.until(lambda: np.allclose(bounds(), (auto["low"], auto["high"]), atol=0.1), "back to auto")
    assert "window_t2" not in viewer.fragment()


def test_a_disc_is_gone_to_and_outlined(viewer, demo):
    viewer.open("#scan=3_t1&slice=0&outline=0", drawn="3_t1 0")
    scan = demo.json("/v1/scans/3_t1")
    disc = next(one for one in scan["labels"] if one["label"] == 202)
    viewer.button("L4/L5", ".gradings").click()
    viewer.wait_drawn(f"3_t1 {disc['best_slice']}")
    assert viewer.fragment()["disc"] == "202"
    assert "L4/L5" in viewer.text(".gradings tr.chosen")
    inside = np.argwhere(files.canonical_array(demo.source, "masks", "3_t1")[disc["best_slice"]] == 202)
    (top, left), (bottom, right) = (place(viewer, scan, *edge)[::-1] for edge in (inside.min(0), inside.max(0)))
    picture = viewer.picture()
    box = picture[int(top) - 4 : int(bottom) + 6, int(left) - 4 : int(right) + 6]
    assert (box == WHITE).all(axis=2).sum() > 60
    viewer.screenshot("disc")
    viewer.press(Keys.ESCAPE)
    viewer.until(lambda: not viewer.all(".gradings tr.chosen"), "Escape does not leave the disc")
    viewer.press("d")
    viewer.until(lambda: "L5/S1" in viewer.text(".gradings tr.chosen"), "d does not choose the lowest disc")
    viewer.press("d", "d")
    viewer.until(lambda: "L3/L4" in viewer.text(".gradings tr.chosen"), "d does not go upwards")
    grading = next(one for one in scan["gradings"] if one["label"] == 202)
    row = viewer.button("L4/L5", ".gradings").find_element("xpath", "ancestor::tr")
    assert row.text.split()[1:3] == [str(grading["pfirrmann"]), str(grading["modic"])]


def test_zoom_pan_and_ruler(viewer, demo):
    viewer.open("#scan=1_t1&overlay=0", drawn="1_t1 7")
    scan = demo.json("/v1/scans/1_t1")
    whole = viewer.picture()
    x, y = place(viewer, scan, 100, 90)
    at(viewer, x, y).perform()
    size = viewer.canvas().size
    origin = ScrollOrigin.from_element(viewer.canvas(), round(x - size["width"] / 2), round(y - size["height"] / 2))
    ActionChains(viewer.driver).key_down(Keys.CONTROL).scroll_from_origin(origin, 0, -300).key_up(Keys.CONTROL).perform()
    viewer.until(lambda: int(viewer.text("#zoom").split()[0]) > 150, "ctrl and wheel do not zoom")
    assert viewer.drawn() == ["1_t1 7"]
    viewer.until(lambda: "row 100, column 90" in viewer.text("#readout"), "what is under the pointer moved away")
    before = viewer.picture()
    at(viewer, x, y).click_and_hold().move_by_offset(50, 40).release().perform()
    viewer.until(lambda: (viewer.picture()[240:440, 250:450] == before[200:400, 200:400]).mean() > 0.9, "panning does not move the picture")
    viewer.until(lambda: "row 100, column 90" in viewer.text("#readout"), "the picture does not move with the pointer")
    ActionChains(viewer.driver).double_click(viewer.canvas()).perform()
    viewer.until(lambda: viewer.text("#zoom") == "100 %", "double click does not show all")
    viewer.until(lambda: (viewer.picture() == whole).all(), "the whole picture is another one")
    viewer.press("+", "+", "-")
    assert viewer.text("#zoom") == "125 %"
    viewer.press("0", "m")
    start, end = place(viewer, scan, 60, 40), place(viewer, scan, 260, 120)
    actions = at(viewer, *start).click_and_hold()
    actions.move_by_offset(round(end[0] - start[0]), round(end[1] - start[1])).release().perform()
    viewer.until(lambda: "ruler" in viewer.text("#readout"), "no ruler")
    told = float(re.search(r"ruler ([\d.]+) mm", viewer.text("#readout"))[1])
    assert abs(told - np.hypot(200 * 1.0, 80 * 1.125)) < 2
    viewer.screenshot("ruler")
    assert re.fullmatch(r"r7:[\d.]+(,[\d.]+){3}", viewer.fragment()["measures"])
    viewer.press(Keys.ARROW_DOWN)
    viewer.wait_drawn("1_t1 8")
    assert "ruler" not in viewer.text("#readout")


@pytest.mark.parametrize("patient, main, slice_", [(3, "3_t2", 4), (5, "5_t2_SPACE", 20)])
def test_series_of_a_patient_are_linked_by_place(viewer, demo, patient, main, slice_):
    """SimpleITK says where a slice lies in the other series; one of the series is oblique."""
    viewer.open(f"#scan={main}&slice={slice_}", drawn=f"{main} {slice_}")
    viewer.until(lambda: viewer.find("#linked").get_attribute("aria-disabled") == "false", "the other series are not known")
    viewer.press("c")
    images = {scan: files.canonical(demo.source, "images", scan) for scan in files.scans(demo.source) if scan.startswith(f"{patient}_")}
    columns, rows, _ = images[main].GetSize()

    def expected(slice_):
        point = images[main].TransformContinuousIndexToPhysicalPoint([(columns - 1) / 2, (rows - 1) / 2, slice_])
        index = {scan: image.TransformPhysicalPointToContinuousIndex(point)[2] for scan, image in images.items()}
        return [f"{scan} {min(max(round(index[scan]), 0), images[scan].GetSize()[2] - 1)}" for scan in sorted(images)]

    assert len(images) == 3
    viewer.wait_drawn(*expected(slice_))
    viewer.press(Keys.ARROW_DOWN, Keys.ARROW_DOWN)
    viewer.wait_drawn(*expected(slice_ + 2))
    viewer.screenshot(f"linked-{patient}")
    assert viewer.fragment()["linked"] == "1"
    other = sorted(images).index(main) - 1
    at(viewer, 100, 200, n=other).click().perform()
    viewer.until(lambda: viewer.fragment()["scan"] == sorted(images)[other], "a click does not choose a series")
    assert viewer.drawn()[other] == expected(slice_ + 2)[other]
    viewer.driver.back()
    viewer.wait_drawn(*expected(slice_ + 2))


def test_an_url_restores_what_was_seen(viewer, demo):
    viewer.open(drawn="1_t1 7")
    viewer.until(lambda: viewer.all("#facet-sex .chip"), "no filters")
    viewer.button("male", "#facet-sex").click()
    viewer.until(lambda: viewer.all("#list a[href*='5_t2']"), "the list does not follow")
    viewer.find("#list a[href*='scan=5_t2&'], #list a[href$='scan=5_t2']").click()
    viewer.wait_drawn("5_t2 7")
    viewer.press("f", Keys.ARROW_DOWN, "+", "+", "1", "l")
    at(viewer, 300, 300).key_down(Keys.SHIFT).click_and_hold().move_by_offset(-50, 10).release().key_up(Keys.SHIFT).perform()
    at(viewer, 300, 300).click_and_hold().move_by_offset(30, -60).release().perform()
    viewer.button("L4/L5", ".gradings").click()
    best = next(one["best_slice"] for one in demo.json("/v1/scans/5_t2")["labels"] if one["label"] == 202)
    viewer.wait_drawn(f"5_t2 {best}")
    given = viewer.fragment()
    assert given.keys() == {"sex", "scan", "slice", "disc", "outline", "hidden", "window", "window_t2", "zoom", "centre"}
    seen, address = viewer.picture(), viewer.driver.current_url
    viewer.open(address.split("/", 3)[3], drawn=f"5_t2 {best}")
    viewer.until(lambda: np.abs(viewer.picture() - seen).mean() < 0.5, "the address shows another picture")
    assert viewer.text("#total") == "9 scans" and viewer.fragment() == given
    viewer.press("]")
    viewer.until(lambda: viewer.fragment()["scan"] == "5_t2_SPACE", "] does not go to the next scan")
    viewer.driver.back()
    viewer.wait_drawn(f"5_t2 {best}")
    viewer.driver.forward()
    viewer.until(lambda: viewer.drawn()[0].startswith("5_t2_SPACE "), "forward does not go forward")
    viewer.open("#scan=1_t1&slice=999&zoom=x&alpha=7&window=none", drawn="1_t1 14")


def test_an_unknown_scan_is_reported_with_a_way_back(chromium, demo):
    viewer = browser.Viewer(chromium, demo.address)
    viewer.open("#scan=99_t1")
    viewer.until(lambda: "99_t1" in viewer.text("#message"), "nothing is said")
    viewer.screenshot("unknown-scan")
    viewer.until(lambda: viewer.all("#message a"), "no way back")
    viewer.button("Open 1_t1", "#message").click()
    viewer.wait_drawn("1_t1 7")
    assert not viewer.find("#message").is_displayed()
    viewer.driver.back()
    viewer.until(lambda: "99_t1" in viewer.text("#message"), "going back says nothing")
    viewer.close(may_fail="404")


def test_it_waits_for_a_server_that_goes_away(chromium, program, demo, tmp_path):
    shutil.copytree(demo.data, tmp_path / "data")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [program, "serve", "--data", tmp_path / "data"]
    with Service(command, demo.source, tmp_path / "data", port) as service:
        viewer = browser.Viewer(chromium, service.address)
        viewer.open("#scan=1_t1&slice=2", drawn="1_t1 2")
    viewer.press(Keys.END)
    viewer.until(lambda: viewer.find("#connection").is_displayed(), "nothing is said")
    assert re.search(r"does not answer; trying again( in \d+ s)?", viewer.text("#connection-text"))
    viewer.screenshot("server-away")
    with Service(command, demo.source, tmp_path / "data", port):
        viewer.wait_drawn("1_t1 14")
        viewer.until(lambda: not viewer.find("#connection").is_displayed(), "the message stays")
        viewer.press("]")
        viewer.wait_drawn("1_t2 14")
        viewer.close(may_fail="ERR_CONNECTION")


def test_a_server_that_asks_for_a_token_is_looked_at_with_it(chromium, program, demo, tmp_path):
    made = subprocess.run([program, "token", "somebody"], capture_output=True, text=True, timeout=60, check=True)
    tokens, token = tmp_path / "tokens", made.stderr.split()[-1]
    tokens.write_text(made.stdout)
    tokens.chmod(0o600)
    shutil.copytree(demo.data, tmp_path / "data")
    command = [program, "serve", "--data", tmp_path / "data", "--token-file", tokens]
    with Service(command, demo.source, tmp_path / "data") as service:
        assert service.client.get("/").status_code == 401
        viewer = browser.Viewer(chromium, service.address.replace("//", f"//somebody:{token}@"))
        viewer.open("#scan=1_t2", drawn="1_t2 7")
        viewer.until(lambda: viewer.js("return document.querySelector('#list img').naturalHeight") == 96, "no thumbnail")


HOSTILE = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"


@pytest.fixture(scope="module")
def hostile(program, demo, tmp_path_factory):
    """The demo's release, with markup where a scanner's console would have a description and a maker's name."""
    source = tmp_path_factory.mktemp("hostile") / "release"
    shutil.copytree(demo.source, source)
    rows = files.table(source, "overview.csv")
    fields = list(rows[0])
    for row in rows:
        row["SeriesDescription"] = HOSTILE
        row["Manufacturer"] = f'{HOSTILE}, "Inc."'
    with open(source / "overview.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fields)
        writer.writeheader()
        writer.writerows(rows)
    with served(program, source, tmp_path_factory.mktemp("hostile-data")) as service:
        yield service


def test_markup_in_the_data_is_text(chromium, hostile):
    viewer = browser.Viewer(chromium, hostile.address)
    viewer.open("#scan=1_t2", drawn="1_t2 7")
    assert HOSTILE in viewer.text("#details")
    assert HOSTILE in viewer.text("#list") and HOSTILE in viewer.text("#facets")
    chip = viewer.find("#facet-manufacturer .chip")
    chip.click()
    viewer.until(lambda: chip.get_attribute("aria-pressed") == "true", "the chip is not chosen")
    viewer.until(lambda: viewer.text("#total") == f"{hostile.json('/v1/scans')['total']} scans", "the filter finds nothing")
    assert viewer.all("#list a")
    viewer.screenshot("markup")
    assert not viewer.all("#details img, #facets img, script:not([src])")
    assert "taken" not in viewer.driver.title
    viewer.close()


def test_it_fits_a_telephone(viewer):
    viewer.resize(390, 844)
    viewer.open("#scan=5_t2", drawn="5_t2 7")

    def no_overflow(name):
        viewer.screenshot(f"narrow-{name}")
        beyond = viewer.js(
            "return [...document.querySelectorAll('body *')].filter(e => e.checkVisibility() && !e.closest('.skip, .hidden-text')"
            " && e.getBoundingClientRect().right > innerWidth + 0.5).map(e => e.outerHTML.slice(0, 80))"
        )
        assert not beyond, (name, beyond)
        assert viewer.js("return document.documentElement.scrollWidth") <= 390

    no_overflow("picture")
    assert viewer.canvas().size["height"] > 400 and not viewer.find("#scans").is_displayed()
    viewer.button("Details", ".panels").click()
    assert viewer.find("#details").is_displayed() and not viewer.find("#stage").is_displayed()
    viewer.click("#recipes summary")
    no_overflow("facts")
    viewer.button("Scans", ".panels").click()
    viewer.until(lambda: viewer.all("#facet-sex .chip"), "no filters")
    no_overflow("scans")
    viewer.find("#list a[href*='scan=2_t2']").click()
    viewer.wait_drawn("2_t2 7")
    assert viewer.find("#stage").is_displayed()


def test_it_can_be_read_and_reached_without_a_mouse(viewer):
    viewer.open("#scan=3_t2&linked=1&disc=202", drawn=None)
    viewer.until(lambda: len(viewer.drawn()) == 3 and all(viewer.drawn()), "not drawn")
    viewer.until(lambda: viewer.all("#facet-pfirrmann .chip"), "no filters")
    viewer.click("#recipes summary")
    checks = viewer.js(CONTRASTS)
    assert len(checks) > 80
    assert not [check for check in checks if check["ratio"] < 4.5], [c for c in checks if c["ratio"] < 4.5]
    nameless = viewer.js(
        "return [...document.querySelectorAll('button, a, input, canvas, summary, select')].filter(e => e.checkVisibility() &&"
        " !(e.textContent.trim() || e.getAttribute('aria-label') || e.labels?.length || e.title)).map(e => e.outerHTML)"
    )
    assert not nameless
    reached, outlines = set(), []
    viewer.js("document.activeElement.blur()")
    for _ in range(120):
        viewer.press(Keys.TAB)
        told = viewer.js("const e = document.activeElement; return [e.id || e.textContent.trim().slice(0, 12) || e.tagName, getComputedStyle(e).outlineStyle]")
        reached.add(told[0])
        outlines.append(told[1])
    assert {"overlay", "alpha", "linked", "slice", "help-button", "age-from", "L4/L5", "CANVAS"} <= reached, reached
    assert outlines.count("none") <= 2
    # In a field for text it would be a character.
    viewer.js("document.activeElement.blur()")
    viewer.press("?")
    viewer.until(lambda: viewer.find("#help").is_displayed(), "no help")
    viewer.screenshot("help")
    assert "next slice" in viewer.text("#help")
    viewer.press(Keys.ESCAPE)
    viewer.until(lambda: not viewer.find("#help").is_displayed(), "the help stays")


# WCAG 2.2, success criterion 1.4.3, of every visible text that is not over a picture.
CONTRASTS = """
const channel = (c) => { c /= 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
const parse = (text) => text.match(/[\\d.]+/g).map(Number);
const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const ground = (e) => {
  for (; e; e = e.parentElement) {
    const [r, g, b, a = 1] = parse(getComputedStyle(e).backgroundColor);
    if (a === 1) return [r, g, b];
  }
  return [0, 0, 0];
};
const texts = [...document.querySelectorAll('body *')].filter((e) => e.checkVisibility() && !e.closest('.pane, .skip') &&
  [...e.childNodes].some((n) => n.nodeType === Node.TEXT_NODE && n.textContent.trim()));
return texts.map((e) => {
  const [a, b] = [luminance(parse(getComputedStyle(e).color)), luminance(ground(e))].sort((x, y) => y - x);
  return { text: e.textContent.trim().slice(0, 30), ratio: (a + 0.05) / (b + 0.05) };
});
"""
