"""The viewer with fingers, with the keyboard alone, and for eyes of every kind."""

import pytest
from browser import at, place
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

SMALLEST_TARGET = 24
SIZES = {"phone": (390, 844), "tablet": (1024, 768), "laptop": (1280, 800), "desk": (1920, 1080)}


def media(viewer, **features: str):
    """What the system prefers: `prefers-color-scheme`, `forced-colors`; without arguments: nothing."""
    given = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
    viewer.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": given})


@pytest.fixture
def page(viewer):
    yield viewer
    media(viewer)
    viewer.driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("size", SIZES)
def test_axe_finds_no_violation(page, size, theme):
    media(page, prefers_color_scheme=theme)
    page.resize(*SIZES[size])
    page.open("#scan=3_t2&linked=1&disc=202&measures=r7:60,40,200,90")
    page.until(lambda: len(page.drawn()) == 3 and all(page.drawn()), "not drawn")
    for panel in ["stage", "details", "scans"] if size == "phone" else ["stage"]:
        if size == "phone":
            page.button({"stage": "Picture", "details": "Details", "scans": "Scans"}[panel], ".panels").click()
        page.screenshot(f"axe-{size}-{theme}-{panel}")
        # Text over a picture has a dark edge instead of a ground, which axe cannot judge.
        assert page.axe_violations() == []


@pytest.mark.parametrize("size", SIZES)
def test_targets_are_large_enough_for_fingers(page, size):
    page.resize(*SIZES[size])
    page.open("#scan=3_t2&linked=1&disc=202&measures=r7:60,40,200,90")
    page.until(lambda: len(page.drawn()) == 3 and all(page.drawn()), "not drawn")
    page.until(lambda: len(page.all("#facet-sex .chip")) == 2 and page.all(".series a"), "no filters")
    page.js("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    small = []
    for panel in ["stage", "details", "scans"] if size == "phone" else ["stage"]:
        if size == "phone":
            page.button({"stage": "Picture", "details": "Details", "scans": "Scans"}[panel], ".panels").click()
        small += page.js(
            "const target = (e) => (e.matches('input[type=checkbox]') && e.closest('label, th')) || e;"
            "return [...document.querySelectorAll('button, a, input, select, summary')].filter((e) => e.checkVisibility() && !e.closest('.skip, p:not(.series)'))"
            ".map((e) => [e.outerHTML.slice(0, 90), target(e).getBoundingClientRect()]).map(([html, box]) => [html, box.width, box.height])"
            ".filter(([, width, height]) => width < arguments[0] || height < arguments[0])", SMALLEST_TARGET,
        )
    assert not small, small


@pytest.mark.parametrize("size", ["tablet", "laptop"])
def test_texts_over_three_series_do_not_overlap(page, size):
    page.resize(*SIZES[size])
    page.open("#scan=3_t2&linked=1")
    page.until(lambda: len(page.drawn()) == 3 and all(page.drawn()), "not drawn")
    page.screenshot(f"three-{size}")
    assert page.overlapping_texts() == []


def test_a_disc_tapped_on_a_phone_opens_the_picture_and_back_leads_back(page, demo):
    page.resize(*SIZES["phone"])
    page.open("#scan=3_t1&slice=0", drawn="3_t1 0")
    page.button("Details", ".panels").click()
    page.button("L4/L5", ".gradings").click()
    best = next(one["best_slice"] for one in demo.json("/v1/scans/3_t1")["labels"] if one["label"] == 202)
    page.wait_drawn(f"3_t1 {best}")
    assert page.find("#stage").is_displayed() and not page.find("#details").is_displayed()
    page.driver.back()
    page.until(lambda: page.find("#details").is_displayed(), "back does not lead back to the table")
    page.driver.back()
    page.until(lambda: page.find("#stage").is_displayed(), "back does not lead back to the picture")


def touch(viewer, kind, *points):
    viewer.driver.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]})


def test_fingers_name_structures_and_change_the_window(page, demo):
    page.resize(*SIZES["phone"])
    page.driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})
    page.open("#scan=1_t2&slice=7", drawn="1_t2 7")
    scan = demo.json("/v1/scans/1_t2")
    disc = next(one for one in scan["labels"] if one["label"] == 203)
    x, y = place(page, scan, *disc["centroid"][1:])
    box = page.js("const b = document.querySelector('.pane canvas').getBoundingClientRect(); return [b.left, b.top]")
    x, y = x + box[0], y + box[1]
    touch(page, "touchStart", (x, y))
    touch(page, "touchEnd")
    page.until(lambda: page.text(".hover").startswith("203 L3/L4"), "a tap does not name the structure")
    page.button("Window", "#tools").click()
    touch(page, "touchStart", (x, y))
    for step in range(1, 6):
        touch(page, "touchMove", (x + 10 * step, y))
    touch(page, "touchEnd")
    page.until(lambda: "window_t2" in page.fragment(), "a finger does not change the window")
    assert page.drawn() == ["1_t2 7"]


def focused(viewer) -> str:
    return viewer.js("const e = document.activeElement; return e === document.body ? '' : e.id || e.textContent.trim() || e.tagName")


def test_the_focus_is_never_lost(page):
    page.open("#scan=3_t2&slice=7&split=train", drawn="3_t2 7")
    page.until(lambda: page.all(".series a"), "no other series")
    for find in (lambda: page.button("202", ".structures"), lambda: page.button("L4/L5", ".gradings"),
                 lambda: page.button("T1", ".series"), lambda: page.find("#class-canal")):
        element = find()
        page.js("arguments[0].focus()", element)
        before = focused(page)
        page.press(Keys.SPACE if before == "class-canal" else Keys.ENTER)
        page.until(lambda: page.drawn() and all(page.drawn()), "not drawn")
        assert focused(page) == before
    page.js("arguments[0].focus()", page.find("#clear-filters"))
    page.press(Keys.ENTER)
    page.until(lambda: page.text("#total") == "17 scans", "the filters stay")
    assert focused(page), "the focus is lost"
    page.press(Keys.TAB)
    assert page.js("return document.activeElement.closest('#scans') !== null")
    page.js("document.querySelector('#skip').focus()")
    page.press(Keys.ENTER)
    assert page.js("return document.activeElement.tagName") == "CANVAS"
    assert page.js("return document.querySelector(document.querySelector('#skip').getAttribute('href')) !== null")


def test_everything_the_mouse_does_the_keyboard_does(page, demo):
    page.open("#scan=1_t2&slice=7&zoom=3&tool=ruler", drawn="1_t2 7")
    page.js("document.querySelector('.pane canvas').focus()")
    ActionChains(page.driver).key_down(Keys.SHIFT).send_keys(Keys.ARROW_RIGHT, Keys.ARROW_DOWN).key_up(Keys.SHIFT).perform()
    row, column = map(float, page.fragment()["centre"].split(","))
    _, rows, columns = demo.json("/v1/scans/1_t2")["shape"]
    # The picture moves with the arrows against its middle, and the slice stays.
    assert column > (columns - 1) / 2 and row > (rows - 1) / 2 and page.drawn() == ["1_t2 7"]
    page.press("w", "w", "E")
    assert "window_t2" in page.fragment()
    page.press("n")
    page.until(lambda: "ruler" in page.text("#readout"), "no ruler")
    before = page.fragment()["measures"]
    assert page.js("return document.activeElement.className") == "handle"
    page.press(Keys.ARROW_DOWN, Keys.ARROW_RIGHT)
    assert page.fragment()["measures"] != before and page.drawn() == ["1_t2 7"]
    page.press(Keys.DELETE)
    assert "measures" not in page.fragment()
    assert page.js("return document.activeElement.tagName") == "CANVAS"
    alpha = page.find("#alpha")
    value = float(alpha.get_property("value"))
    alpha.send_keys(Keys.ARROW_UP)
    assert float(alpha.get_property("value")) > value


def test_forced_colours_show_what_is_pressed_and_chosen(page):
    media(page, forced_colors="active")
    page.open("#scan=1_t2&slice=7", drawn="1_t2 7")
    page.screenshot("forced-colours")
    colours = "const c = getComputedStyle(document.querySelector(arguments[0])); return [c.backgroundColor, c.color]"
    assert page.js(colours, "#presets [aria-pressed=true]") != page.js(colours, "#presets [aria-pressed=false]")
    assert page.js(colours, "#list a[aria-current]") != page.js(colours, "#list a:not([aria-current])")
    swatches = page.js("return [...document.querySelectorAll('.structures .swatch')].map((e) => getComputedStyle(e).backgroundColor)")
    assert len(set(swatches)) > 5


def test_the_theme_follows_the_system(page):
    grounds = {}
    for theme in ("dark", "light"):
        media(page, prefers_color_scheme=theme)
        page.open("#scan=1_t2&slice=7", drawn="1_t2 7")
        grounds[theme] = page.js("return getComputedStyle(document.querySelector('#details')).backgroundColor.match(/\\d+/g).map(Number)")
        # Greys are judged on black.
        assert page.js("return getComputedStyle(document.querySelector('.pane')).backgroundColor") == "rgb(0, 0, 0)"
    assert max(grounds["dark"]) < 64 and min(grounds["light"]) > 200


def test_words_and_numbers_are_those_of_the_field(page, demo):
    page.open("#scan=1_t1&slice=7", drawn="1_t1 7")
    page.js("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    texts = page.text("#details")
    for expected in ("SAR", "1.637 W/kg", "Repetition time (TR)", "612.406 ms", "Field strength", "3 T", "127.77 MHz", "77.5 %", "Code"):
        assert expected in texts, expected
    assert "000000" not in texts.replace("sha256", "")
    dataset = demo.json("/v1/dataset")
    assert dataset["citation"] in texts and dataset["licence"]["id"] in page.text(".top")
    assert page.text("#slice-number") == "7 of 0–14" and "slice 7 of 0–14" in page.text(".corner.bottom.left")
    assert page.text(".elsewhere a") == "API"
    colours = [one["colour"] for one in demo.json("/v1/labels")["items"]]
    assert len(set(colours)) == len(colours)


def test_buttons_without_effect_say_why(page):
    page.open("#scan=4_t2&slice=7", drawn=None)
    page.until(lambda: page.drawn() and all(page.drawn()), "not drawn")
    compare = page.find("#linked")
    assert compare.get_attribute("aria-disabled") == "true"
    assert compare.get_attribute("title") == "There is no other series of this patient"
    compare.click()
    assert "linked" not in page.fragment()
    assert not page.all("button:disabled")


def test_steps_between_two_frames_add_up(page):
    page.open("#scan=1_t2&slice=7&zoom=3", drawn="1_t2 7")
    key = "document.body.dispatchEvent(new KeyboardEvent('keydown', { key: arguments[0], shiftKey: true, bubbles: true }));"
    page.js(f"{key}{key}{key}", "ArrowRight")
    thrice = float(page.fragment()["centre"].split(",")[1])
    page.js(key, "ArrowLeft")
    twice = float(page.fragment()["centre"].split(",")[1])
    middle = 91
    assert thrice - middle > 1 and abs((thrice - middle) - 3 * (thrice - twice)) < 0.1


def test_the_api_page_follows_the_systems_theme(page):
    for theme, is_dark in (("dark", True), ("light", False), ("dark", True)):
        media(page, prefers_color_scheme=theme)
        if "/docs" not in page.driver.current_url:
            page.driver.get(f"{page.address}/docs")
        page.until(lambda: page.all(".swagger-ui .opblock"), "no routes are listed")
        # As luminance, of 255: what the text stands on, and the text.
        luminance = (
            "const parts = (colour) => (colour.match(/[\\d.]+/g) ?? []).map(Number);"
            "const ground = (e) => { for (; e; e = e.parentElement) { const [r, g, b, a = 1] = parts(getComputedStyle(e).backgroundColor); if (a > 0.5) return (r + g + b) / 3; } return 255; };"
            "const title = document.querySelector('.swagger-ui .info .title'); const [r, g, b] = parts(getComputedStyle(title).color);"
            "return [ground(title), (r + g + b) / 3]"
        )
        ground, text = page.until(lambda is_dark=is_dark: (found := page.js(luminance)) and (found[0] < 60) == is_dark and found, f"the page is not {theme}")
        assert abs(ground - text) > 120, (theme, ground, text)
        page.screenshot(f"docs-{theme}")
