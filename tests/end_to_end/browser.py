"""A browser that looks at the viewer: Debian's Chromium, driven through its own driver."""

import base64
import io
import json
import shutil
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException, TimeoutException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

import npm_packages

INSTALL = "apt-get update && apt-get install --yes --no-install-recommends chromium chromium-driver"
SCREENSHOTS = Path(__file__).resolve().parents[2] / "target" / "viewer-screenshots"
# Nothing waits so long unless it is broken.
PATIENCE_SECONDS = 40


def started() -> webdriver.Chrome:
    driver, chromium = shutil.which("chromedriver"), shutil.which("chromium")
    if not driver or not chromium:
        pytest.fail(f"the viewer is judged in a browser, and none is installed; run: {INSTALL}")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in (
        "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--force-device-scale-factor=1", "--hide-scrollbars",
        "--disable-background-networking", "--enable-unsafe-swiftshader", "--disable-component-update", "--no-first-run",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options=options, service=Service(driver))


class Viewer:
    """The page of one server in a browser's tab, as its user sees and handles it."""

    def __init__(self, driver: webdriver.Chrome, address: str):
        self.driver, self.address = driver, address
        self.requests: list[str] = []
        self.errors: list[dict] = []
        self.resize(1280, 800)
        # What a page before this one did is not this one's.
        self.driver.get("about:blank")
        for log in ("browser", "performance"):
            self.driver.get_log(log)

    def resize(self, width: int, height: int):
        sizes = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", sizes)

    def throttle(self, bytes_per_second: int = -1, latency_ms: int = 0):
        """What the network does from now on; without arguments: everything it can."""
        self.driver.execute_cdp_cmd("Network.enable", {})
        conditions = {"offline": False, "latency": latency_ms, "downloadThroughput": bytes_per_second, "uploadThroughput": -1}
        self.driver.execute_cdp_cmd("Network.emulateNetworkConditions", conditions)

    @contextmanager
    def without_cache(self):
        """Every request goes to the server."""
        self.driver.execute_cdp_cmd("Network.enable", {})
        self.driver.execute_cdp_cmd("Network.setCacheDisabled", {"cacheDisabled": True})
        try:
            yield
        finally:
            self.driver.execute_cdp_cmd("Network.setCacheDisabled", {"cacheDisabled": False})

    @contextmanager
    def before_each_page(self, script: str):
        """Pages that are opened meanwhile run this first."""
        added = self.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": script})
        try:
            yield
        finally:
            self.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)

    def open(self, fragment: str = "", drawn: str | None = None):
        """The page, afresh; waits for this slice, `scan slice`."""
        self.driver.get("about:blank")
        self.driver.get(f"{self.address}/{fragment}")
        if drawn:
            self.wait_drawn(drawn)

    def until(self, holds, what: str):
        try:
            return WebDriverWait(self.driver, PATIENCE_SECONDS, poll_frequency=0.05).until(lambda _: holds())
        except TimeoutException:
            self.screenshot("failed")
            raise AssertionError(f"{what}; the address is {self.driver.current_url}, drawn is {self.drawn()}") from None

    def find(self, selector: str):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        return self.find(selector).text

    def js(self, script: str, *arguments):
        return self.driver.execute_script(script, *arguments)

    def click(self, selector: str):
        self.until(lambda: self.all(selector), f"there is no {selector}")
        self.find(selector).click()

    def button(self, text: str, within: str = "body"):
        def found():
            try:
                return [one for one in self.all(f"{within} button, {within} a") if one.text.split("\n")[0].startswith(text)]
            except StaleElementReferenceException:
                return None  # The part was rendered anew meanwhile.

        return self.until(found, f"no {text!r} in {within}")[0]

    def press(self, *keys: str):
        actions = ActionChains(self.driver)
        for key in keys:
            actions.send_keys(key)
        actions.perform()

    def canvas(self, n: int = 0):
        return self.all(".pane canvas")[n]

    def drawn(self) -> list[str]:
        """What each pane shows, once its values and mask have arrived and are drawn."""
        return self.js("return [...document.querySelectorAll('.pane canvas')].map(c => c.dataset.drawn ?? '')")

    def wait_drawn(self, *expected: str):
        self.until(lambda: self.drawn() == list(expected), f"{expected} is not drawn")

    def fragment(self) -> dict[str, str]:
        """The address's fragment, once it is written: it follows the state within some milliseconds."""
        self.driver.execute_async_script("setTimeout(arguments[0], 400)")
        given = self.js("return Object.fromEntries(new URLSearchParams(location.hash.slice(1)))")
        return dict(given)

    def picture(self, n: int = 0) -> np.ndarray:
        """What the canvas shows, rows × columns × RGB, without what lies over it."""
        png = self.js(
            "const c = document.querySelectorAll('.pane canvas')[arguments[0]];"
            "const o = document.createElement('canvas'); o.width = c.width; o.height = c.height;"
            "const x = o.getContext('2d'); x.fillRect(0, 0, o.width, o.height); x.drawImage(c, 0, 0);"
            "return o.toDataURL('image/png').split(',')[1]", n,
        )
        return pixels(png)

    def axe_violations(self) -> list:
        """What axe-core finds wrong in the page as it is now. Evaluated through the protocol: the page's policy permits no script
        of another origin."""
        axe = (npm_packages.modules() / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
        self.driver.execute_cdp_cmd("Runtime.evaluate", {"expression": axe})
        return self.driver.execute_async_script(
            "const done = arguments[0]; axe.run(document, {}).then(({ violations }) =>"
            " done(violations.map((v) => [v.id, v.nodes.slice(0, 5).map((n) => n.html.slice(0, 120) + ' ' + n.failureSummary)])))"
        )

    def overlapping_texts(self) -> list:
        """Pairs of texts over an image that lie on each other."""
        return self.js(
            "return [...document.querySelectorAll('.pane')].flatMap((pane) => {"
            "  const boxes = [...pane.querySelectorAll('.corner, .side')].filter((e) => e.checkVisibility() && e.textContent)"
            "    .map((e) => [e.textContent, e.getBoundingClientRect()]);"
            "  return boxes.flatMap(([a, x], n) => boxes.slice(n + 1).filter(([, y]) =>"
            "    x.left < y.right && y.left < x.right && x.top < y.bottom && y.top < x.bottom).map(([b]) => [a, b]));"
            "})"
        )

    def screenshot(self, name: str):
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.driver.save_screenshot(str(SCREENSHOTS / f"{name}.png"))

    def messages(self) -> list[dict]:
        """The browser's messages since the last call. Keeps requests and errors for the end of the test."""
        self.errors += [entry for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        self.requests += [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
        return messages

    def drain(self) -> list[str]:
        """What was requested since the last call."""
        return [m["params"]["request"]["url"] for m in self.messages() if m["method"] == "Network.requestWillBeSent"]

    def close(self, may_fail: str | None = None):
        """No error in the console (but of requests to what `may_fail` names), nothing asked of another server."""
        self.drain()
        self.driver.get("about:blank")
        self.driver.get_log("browser")
        ours = urlsplit(self.address).netloc
        asked = [urlsplit(url) for url in self.requests]
        others = [url.geturl() for url in asked if url.scheme in {"http", "https", "ws", "wss"} and url.netloc != ours]
        assert not others, others
        errors = [e for e in self.errors if not (may_fail and e["source"] == "network" and may_fail in e["message"])]
        assert not errors, errors


def pixels(base64_png: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(base64_png))).convert("RGB")).astype(int)


def place(viewer, scan, row, column, zoom=1.0, n=0):
    """Where the canvas shows a voxel: the whole slice fits, square millimetres, in the middle."""
    canvas = viewer.canvas(n)
    width, height = canvas.size["width"], canvas.size["height"]
    _, rows, columns = scan["shape"]
    _, down, across = scan["spacing_mm"]
    scale = min(width / (columns * across), height / (rows * down)) * zoom
    x = width / 2 + (column - (columns - 1) / 2) * across * scale
    y = height / 2 + (row - (rows - 1) / 2) * down * scale
    return x, y


def at(viewer, x, y, n=0):
    """Actions with the pointer there: a point of the canvas, whose own origin is its middle."""
    canvas = viewer.canvas(n)
    size = canvas.size
    actions = ActionChains(viewer.driver, duration=20)
    return actions.move_to_element_with_offset(canvas, round(x - size["width"] / 2), round(y - size["height"] / 2))
