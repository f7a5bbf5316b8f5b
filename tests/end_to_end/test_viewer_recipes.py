"""The viewer's recipes for other programs, each run as it stands."""

import http.server
import re
import subprocess
import sys
import threading
from functools import partial

import browser
import httpx
import numpy as np
import npm_packages
import pytest
from selenium.webdriver.support.ui import WebDriverWait

PAGE = """<!doctype html><meta charset="utf-8"><title>starting</title>
<canvas id="canvas" width="600" height="400"></canvas>
<script type="importmap">{"imports": {"@niivue/niivue": "/modules/@niivue/niivue/dist/index.js"}}</script>
<script type="module" src="/recipe.js"></script>"""


@pytest.fixture
def recipe(viewer):
    """The text of a recipe of what is open."""

    def text(name: str) -> str:
        if not viewer.find("#recipes").get_property("open"):
            viewer.click("#recipes summary")
        viewer.button(name, "#recipes .tabs").click()
        return viewer.find("#recipes pre").get_property("textContent")

    return text


def test_curl_fetches_the_image_on_the_screen(viewer, recipe, tmp_path):
    viewer.open("#scan=1_t2&slice=5&hidden=canal", drawn="1_t2 5")
    command = recipe("curl")
    assert "overlay.png" in command and "labels=vertebrae,discs,partial" in command and "window=auto" in command
    subprocess.run(["bash", "-ec", command + " --fail --silent --show-error"], cwd=tmp_path, timeout=60, check=True)
    (picture,) = tmp_path.iterdir()
    assert picture.name == "1_t2-5.png" and picture.read_bytes().startswith(b"\x89PNG")


def test_the_python_code_runs(viewer, demo, recipe, tmp_path):
    viewer.open("#scan=1_t2&slice=5", drawn="1_t2 5")
    script = tmp_path / "recipe.py"
    script.write_text(recipe("Python") + "\nnp.save('grey.npy', grey)\n")
    done = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    image = demo.npy("/v1/scans/1_t2/slices/5/image.npy", size="native")
    window = demo.json("/v1/scans/1_t2")["intensity"]["auto_window"]
    assert done.stdout.startswith(f"{image.shape} {image.dtype} ")
    expected = np.clip((image - window["low"]) / (window["high"] - window["low"]), 0, 1)
    np.testing.assert_allclose(np.load(tmp_path / "grey.npy"), expected)


def test_the_files_are_there(viewer, recipe):
    viewer.open("#scan=1_t2&slice=5", drawn="1_t2 5")
    volumes = recipe("Files").split("\n")
    assert len(volumes) == 4
    slicer = recipe("3D Slicer")
    compile(slicer, "recipe", "exec")
    volumes += re.findall(r'"(http[^"]+)"', slicer)
    assert len(volumes) == 6
    for volume in set(volumes):
        assert httpx.head(volume).status_code == 200, volume


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def page(tmp_path):
    """A folder and the URL under which it is served, with the installed modules in it."""
    (tmp_path / "modules").symlink_to(npm_packages.modules())
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield tmp_path, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def colours_in(picture: np.ndarray, colours: dict[int, str]) -> set[int]:
    """The labels of which some pixels of a picture have the colour."""
    found = {tuple(pixel) for pixel in picture.reshape(-1, 3)}
    rgb = {label: tuple(int(colour[n : n + 2], 16) for n in (1, 3, 5)) for label, colour in colours.items()}
    near = np.array(sorted(found))
    return {label for label, colour in rgb.items() if (np.abs(near - colour).max(axis=1) <= 3).any()}


def test_niivue_shows_every_structure_in_its_colour(viewer, demo, recipe, page):
    folder, address = page
    viewer.open("#scan=1_t2&slice=7&alpha=1", drawn="1_t2 7")
    script = recipe("NiiVue")
    (folder / "index.html").write_text(PAGE)
    # A canvas is empty when its frame is over: the picture is taken in the frame in which it is drawn.
    (folder / "recipe.js").write_text(
        script + "\nviewer.setSliceType(viewer.sliceTypeSagittal); viewer.drawScene();"
        "window.taken = document.querySelector('canvas').toDataURL('image/png').split(',')[1]; document.title = 'done';"
    )
    driver = browser.started()
    try:
        driver.get(address)
        WebDriverWait(driver, browser.PATIENCE_SECONDS).until(lambda d: d.title == "done", f"{driver.get_log('browser')}")
        picture = browser.pixels(driver.execute_script("return window.taken"))
    finally:
        driver.quit()
    labels = {one["label"]: one["colour"] for one in demo.json("/v1/labels")["items"]}
    mask = demo.npy("/v1/scans/1_t2/slices/7/mask.npy", size="native")
    expected = {int(label) for label in np.unique(mask)[1:] if (mask == label).sum() > 100}
    assert len(expected) > 10 and {1, 201, 100} <= expected
    assert expected <= colours_in(picture, {label: labels[label] for label in expected})
    # Between the structures the image shows, in grey.
    grey = (np.ptp(picture, axis=2) == 0) & (picture[:, :, 0] > 20) & (picture[:, :, 0] < 250)
    assert grey.mean() > 0.05
