"""What the viewer shows belongs to the scan that it names, and what it cannot show it explains."""

import browser
import httpx
import numpy as np
import pytest
from browser import place
from selenium.webdriver.common.keys import Keys

SLOW_MS = 2500


def shown_text(viewer) -> str:
    """What stands on the page about the scan that is open: the picture's corners, the message in its place, the details."""
    return viewer.js(
        "return [...document.querySelectorAll('.pane, #message, #details')].filter(e => e.checkVisibility()).map(e => e.innerText).join('\\n')"
    )


@pytest.mark.parametrize("way", ["list", "key", "address", "back"])
def test_nothing_of_another_patient_stays_while_a_scan_is_loading(viewer, way):
    start, goal = ("#scan=2_t1", "1_t2") if way != "back" else ("#scan=1_t2", "1_t2")
    viewer.open(start + ("&linked=1" if way == "key" else ""))
    viewer.until(lambda: all(viewer.drawn()) and viewer.drawn(), "not drawn")
    viewer.until(lambda: "Gradings" in viewer.text("#details"), "no details")
    if way == "back":
        viewer.find("#list a[href*='scan=2_t1']").click()
        viewer.wait_drawn("2_t1 7")
    viewer.throttle(latency_ms=SLOW_MS)
    with viewer.without_cache():
        if way == "list":
            viewer.find("#list a[href*='scan=1_t2']").click()
        elif way == "key":
            viewer.press("[")
        elif way == "back":
            viewer.driver.back()
        else:
            viewer.js("location.hash = '#scan=1_t2'")
        viewer.until(lambda: f"Loading {goal}" in shown_text(viewer), "nothing says that it is loading")
        assert "2_t1" not in shown_text(viewer) and "Patient 2" not in shown_text(viewer)
        assert not [pane for pane in viewer.all(".pane") if pane.is_displayed()], "the other patient's picture stays"
        assert viewer.find("#details").get_attribute("aria-busy") is not None
        viewer.throttle()
        viewer.until(lambda: any(drawn.startswith(goal) for drawn in viewer.drawn()), "the scan does not come")
    assert "Patient 1" in viewer.text("#details")


def test_the_last_of_several_choices_is_shown(viewer):
    viewer.open("#scan=1_t1", drawn="1_t1 7")
    viewer.throttle(latency_ms=SLOW_MS // 5)
    with viewer.without_cache():
        for scan in ("2_t1", "3_t2", "5_t2", "4_t2"):
            viewer.find(f"#list a[href*='scan={scan}']").click()
        viewer.until(lambda: viewer.drawn() and viewer.drawn()[0].startswith("4_t2 "), "4_t2 does not come")
        viewer.throttle()
    assert "Patient 4" in viewer.text("#details") and viewer.fragment()["scan"] == "4_t2"


def in_view(viewer, selector: str) -> bool:
    return viewer.js(
        "const e = document.querySelector(arguments[0]); if (!e) return false;"
        "const [a, b] = [e.getBoundingClientRect(), e.closest('aside').getBoundingClientRect()];"
        "return a.top >= b.top - 1 && a.bottom <= b.bottom + 1", selector,
    )


def test_a_scan_opened_by_its_url_is_marked_in_the_list(viewer, demo):
    viewer.resize(1280, 500)
    last = demo.json("/v1/scans", limit=100)["items"][-1]["scan_id"]
    viewer.open(f"#scan={last}")
    viewer.until(lambda: viewer.drawn() and viewer.drawn()[0].startswith(last), "not drawn")
    viewer.until(lambda: in_view(viewer, "#list a[aria-current]"), "the scan is not brought into view in the list")
    assert [link.get_attribute("href").split("scan=")[1] for link in viewer.all("#list a[aria-current]")] == [last]


def test_the_next_and_previous_scan_follow_from_the_open_one(viewer, demo):
    scans = [item["scan_id"] for item in demo.json("/v1/scans", limit=100)["items"]]
    # Beyond the list's first page.
    viewer.open(f"#scan={scans[-1]}")
    viewer.until(lambda: all(viewer.drawn()) and viewer.drawn(), "not drawn")
    viewer.press("[")
    viewer.until(lambda: viewer.fragment()["scan"] == scans[-2], "[ does not go to the scan before")
    # A scan that the filter excludes has a place, too: between those before and after it.
    t1 = [item["scan_id"] for item in demo.json("/v1/scans", scan_type="t1", limit=100)["items"]]
    after, before = (next(s for s in order if (int(s.split("_")[0]) > 5) == later)
                     for order, later in ((t1, True), (t1[::-1], False)))
    for key, goal in (("]", after), ("[", before)):
        viewer.open("#scan=5_t2&scan_type=t1", drawn="5_t2 7")
        viewer.until(lambda: "5_t2 is open" in viewer.text("#list-note"), "nothing says that the filter excludes it")
        viewer.press(key)
        viewer.until(lambda goal=goal: viewer.fragment()["scan"] == goal, f"{key} does not go to {goal}")
        assert not viewer.find("#list-note").is_displayed()


def test_a_disc_chosen_while_zoomed_elsewhere_comes_into_view(viewer, demo):
    viewer.open("#scan=3_t1&slice=7&zoom=4&centre=20,20", drawn="3_t1 7")
    disc = next(one for one in demo.json("/v1/scans/3_t1")["labels"] if one["label"] == 201)
    viewer.button("L5/S1", ".gradings").click()
    viewer.wait_drawn(f"3_t1 {disc['best_slice']}")
    row, column = map(float, viewer.fragment()["centre"].split(","))
    assert disc["rows"][0] <= row <= disc["rows"][1] and disc["columns"][0] <= column <= disc["columns"][1]
    # One that is in view leaves the picture where it is.
    viewer.open("#scan=3_t1&slice=7", drawn="3_t1 7")
    viewer.button("L5/S1", ".gradings").click()
    viewer.wait_drawn(f"3_t1 {disc['best_slice']}")
    assert "centre" not in viewer.fragment()


@pytest.mark.parametrize("window", ["none", "p99,1", "p1", "p..,.", "p0,100.01", "-3", "hf", "p50,50", "p1.25,99"])
def test_a_window_that_the_service_does_not_take_is_not_passed_on(viewer, window):
    viewer.open(f"#scan=1_t1&window={window}", drawn="1_t1 7")
    assert [button.text for button in viewer.all("#presets [aria-pressed=true]")] == ["Auto"]
    viewer.click("#recipes summary")
    url = viewer.find("#recipes pre").get_property("textContent").split("'")[1]
    assert httpx.get(url).status_code == 200
    assert "window" not in viewer.fragment()


def test_a_filter_that_matches_nothing_says_so(viewer):
    viewer.open("#scan_type=t2_SPACE&age=1..2")
    viewer.until(lambda: "No scan meets these conditions" in viewer.text("#message"), "nothing is said in place of the picture")
    viewer.screenshot("no-scan")
    viewer.button("Show all scans", "#message").click()
    viewer.wait_drawn("1_t1 7")
    assert viewer.text("#total") == "17 scans"


def test_a_range_of_ages_that_holds_none_is_explained(chromium, demo):
    viewer = browser.Viewer(chromium, demo.address)
    viewer.open(drawn="1_t1 7")
    viewer.until(lambda: viewer.all("#age-from"), "no filters")
    viewer.find("#age-from").send_keys("90", Keys.TAB)
    viewer.find("#age-to").send_keys("40", Keys.TAB)
    viewer.until(lambda: viewer.find("#list-problem").is_displayed(), "nothing is said")
    assert viewer.text("#list-problem") == "Age: from 90 to 40 holds no age. Enter the smaller number first."
    viewer.click("#clear-filters")
    viewer.until(lambda: viewer.text("#total") == "17 scans", "clearing does not help")
    assert not viewer.find("#list-problem").is_displayed()
    viewer.close()


def test_values_of_a_scan_are_where_its_image_shows_them(viewer, demo):
    """Labels and values of the scan that is named, after a change of patient in the middle of a transfer."""
    viewer.open("#scan=1_t1", drawn="1_t1 7")
    viewer.find("#list a[href*='scan=3_t1']").click()
    viewer.find("#list a[href*='scan=2_t1']").click()
    viewer.wait_drawn("2_t1 7")
    scan = demo.json("/v1/scans/2_t1")
    values = demo.npy("/v1/scans/2_t1/slices/7/image.npy", size="native")
    row, column = np.unravel_index(np.argmax(values), values.shape)
    x, y = place(viewer, scan, row, column)
    browser.at(viewer, x, y).perform()
    viewer.until(lambda: f"value {values[row, column]:g}" in viewer.text("#readout"), "another value is named")
