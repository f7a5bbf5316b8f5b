"""The viewer on slow, broken and silent connections, and in browsers that lack recent interfaces."""

import re
from collections import Counter

import browser
import files
import numpy as np
import pytest
from browser import at, place
from selenium.webdriver.common.keys import Keys

# 400 kbit/s.
BYTES_PER_SECOND = 50_000
# Nothing but the page's own time limits is as long as this.
TWENTIETH_OF_LONG_TIMERS = (
    "const set = window.setTimeout; window.setTimeout = (f, ms, ...rest) => set(f, ms >= 10000 ? ms / 20 : ms, ...rest)"
)


def responses(viewer):
    """`(url, bytes)` of every response since the last call, as they ended."""
    sizes, urls = [], {}
    for message in viewer.messages():
        parameters = message["params"]
        if message["method"] == "Network.requestWillBeSent":
            urls[parameters["requestId"]] = parameters["request"]["url"]
        if message["method"] == "Network.loadingFinished" and parameters["requestId"] in urls:
            sizes.append((urls[parameters["requestId"]], parameters["encodedDataLength"]))
    return sizes


def kind(url: str) -> str:
    found = re.search(r"/slices/\d+/(image|mask)\.\w+", url)
    if not found:
        return "other"
    return "preview" if "height=320" in url else found[1]


def test_on_a_slow_connection_the_image_comes_first_then_its_labels(viewer, demo):
    """What is transferred before them decides when they are there: at 400 kbit/s, 50 kB in each second."""
    with viewer.without_cache():
        viewer.open("#scan=5_t2&slice=7")
        viewer.driver.get("about:blank")
        responses(viewer)
        viewer.throttle(BYTES_PER_SECOND)
        viewer.open("#scan=5_t2&slice=7")
        viewer.wait_drawn("5_t2 7")
        viewer.until(lambda: viewer.js("return [...document.querySelectorAll('#list img')].some(i => i.naturalHeight)"), "no thumbnail")
        viewer.throttle()
        found = responses(viewer)
    assert max(Counter(url for url, _ in found).values()) == 1, "something was requested twice"
    order = [kind(url) for url, _ in found]
    until = {part: sum(size for _, size in found[: order.index(part) + 1]) for part in ("preview", "mask")}
    assert until["preview"] <= 6 * BYTES_PER_SECOND, until
    assert until["mask"] <= 8 * BYTES_PER_SECOND, until
    slices = [(kind(url), "/slices/7/" in url) for url, _ in found if kind(url) != "other"]
    assert slices[:3] == [("preview", True), ("mask", True), ("image", True)], slices
    thumb = next(n for n, (url, _) in enumerate(found) if "height=96" in url)
    assert order.index("image") < thumb, "thumbnails come before the picture"
    mask_url = next(url for url, _ in found if kind(url) == "mask")
    assert mask_url.split("?")[0].endswith(".png")


@pytest.mark.parametrize("scan_id", ["1_t1", "5_t2_SPACE"])
def test_what_comes_compressed_is_exact(viewer, demo, scan_id):
    """Values and labels by way of PNG, against SimpleITK's."""
    image, mask = (files.canonical_array(demo.source, name, scan_id)[5] for name in ("images", "masks"))
    scan = demo.json(f"/v1/scans/{scan_id}")
    viewer.open(f"#scan={scan_id}&slice=4", drawn=f"{scan_id} 4")
    viewer.throttle(100_000)
    with viewer.without_cache():
        viewer.open(f"#scan={scan_id}&slice=5", drawn=f"{scan_id} 5")
        sent = viewer.drain()
    viewer.throttle()
    assert any(re.search(r"/slices/5/image\.png\?.*bits=16", url) for url in sent)
    assert any("/slices/5/mask.png" in url for url in sent)
    points = [np.unravel_index(np.argmin(image), image.shape), np.unravel_index(np.argmax(image), image.shape),
              *(np.argwhere(mask == label)[-1] for label in np.unique(mask)[1:])]
    assert len(points) > 2
    for row, column in points:
        at(viewer, *place(viewer, scan, row, column)).perform()
        viewer.until(lambda: "value" in viewer.text("#readout"), "no value is named")
        found = re.search(r"row (\d+), column (\d+) · value (-?[\d.]+)(?: · (\d+) )?", viewer.text("#readout"))
        there = int(found[1]), int(found[2])
        assert np.abs(np.subtract(there, (row, column))).max() <= 1
        assert float(found[3]) == image[there] and int(found[4] or 0) == mask[there]
    decoded = viewer.driver.execute_async_script(
        "const done = arguments[arguments.length - 1];"
        "import('/viewer/png.js').then(async ({ readPng }) => {"
        "  const get = async (path) => readPng(new Uint8Array(await (await fetch(path)).arrayBuffer()));"
        "  const [image, mask] = [await get(arguments[0]), await get(arguments[1])];"
        "  done([image.shape, [...image.data], mask.shape, [...mask.data]]);"
        "}).catch((problem) => done(String(problem)))",
        f"/v1/scans/{scan_id}/slices/5/image.png?size=native&bits=16&window={int(scan['intensity']['min']) + 32768},65536",
        f"/v1/scans/{scan_id}/slices/5/mask.png?size=native",
    )
    shape, values, mask_shape, labels = decoded
    assert shape == list(image.shape) == mask_shape
    np.testing.assert_array_equal(np.reshape(values, shape) + scan["intensity"]["min"], image)
    np.testing.assert_array_equal(np.reshape(labels, shape), mask)


def test_a_transfer_may_take_as_long_as_it_needs(viewer):
    """The limit is on silence, not on the whole: here a twentieth of it, which every transfer of values exceeds."""
    with viewer.before_each_page(TWENTIETH_OF_LONG_TIMERS), viewer.without_cache():
        viewer.open("#scan=1_t1&slice=2", drawn="1_t1 2")
        viewer.drain()
        viewer.throttle(30_000)
        viewer.press(Keys.END)
        viewer.until(lambda: re.search(r"Loading slice 14 [1-9]\d? %", viewer.text(".note")), "no progress is shown")
        viewer.wait_drawn("1_t1 14")
        viewer.throttle()
        sent = [url for url in viewer.drain() if "/v1/" in url]
    assert max(Counter(sent).values()) == 1 and not [url for url in sent if "healthz" in url]
    assert not viewer.find("#connection").is_displayed()


def test_a_silent_server_is_taken_to_be_away(viewer):
    with viewer.before_each_page(TWENTIETH_OF_LONG_TIMERS), viewer.without_cache():
        viewer.open("#scan=1_t1&slice=2", drawn="1_t1 2")
        viewer.throttle(latency_ms=20_000)
        viewer.press(Keys.END)
        viewer.until(lambda: viewer.find("#connection").is_displayed(), "nothing says that the server is silent")
        viewer.throttle()
        viewer.click("#connection-now")
        viewer.wait_drawn("1_t1 14")
        viewer.until(lambda: not viewer.find("#connection").is_displayed(), "the message stays")


@pytest.mark.parametrize("missing", [
    "delete AbortSignal.any; delete AbortSignal.timeout",
    "delete window.DecompressionStream",
    "for (const name of ['ariaLabel', 'ariaHidden']) delete Element.prototype[name]",
])
def test_it_works_in_browsers_without(viewer, missing):
    """Safari before 17.4 and Firefox ESR 115 lack some of these."""
    with viewer.before_each_page(missing):
        viewer.open("#scan=2_t2&slice=3", drawn="2_t2 3")
        viewer.press("]")
        viewer.until(lambda: viewer.drawn() and viewer.drawn()[0].startswith("3_t1"), "the next scan does not come")
        assert not viewer.find("#connection").is_displayed()
        viewer.throttle(200_000)
        with viewer.without_cache():
            viewer.open("#scan=2_t2&slice=3", drawn="2_t2 3")
        viewer.throttle()
        assert viewer.all(".side.north[aria-hidden=true]")


def test_a_fault_of_the_page_is_not_taken_for_the_network(chromium, demo):
    """A response that cannot be read is reported and not requested again."""
    viewer = browser.Viewer(chromium, demo.address)
    with viewer.before_each_page("window.DataView = class { constructor() { throw new TypeError('broken') } }"):
        viewer.open("#scan=1_t1")
        viewer.until(lambda: viewer.all(".note") and "broken" in viewer.text(".note"), "nothing is reported")
        assert not viewer.find("#connection").is_displayed()
