"""How slices are drawn while one scrolls: the edges of structures exactly, and no more often than something changed."""

from itertools import pairwise

import numpy as np
import pytest
from selenium.webdriver.common.keys import Keys

SCAN = "1_t2"
AHEAD = 3
# Records what a path is made of; the browser's own cannot be read back.
RECORDED_OUTLINES = """
const [numbers, shape, done] = arguments;
const native = window.Path2D;
window.Path2D = class {
  lines = [];
  moveTo(x, y) { this.lines.push([[x, y]]); }
  lineTo(x, y) { this.lines.at(-1).push([x, y]); }
  closePath() { this.lines.at(-1).push(this.lines.at(-1)[0]); }
};
import('/viewer/overlay.js').then(({ outlines }) => {
  const paths = outlines({ data: new Uint8Array(numbers), shape });
  window.Path2D = native;
  done([...paths].map(([label, path]) => [label, path.lines]));
});
"""
COUNT_DRAWINGS = """
window.drawings = 0;
const clear = CanvasRenderingContext2D.prototype.clearRect;
CanvasRenderingContext2D.prototype.clearRect = function (...box) { window.drawings += 1; return clear.apply(this, box); };
"""
LOADED = "return performance.getEntriesByType('resource').map((one) => one.name).filter((name) => /slices\\/\\d+\\/(image|mask)\\.npy/.test(name))"


def unit_edges(lines: list) -> list[tuple]:
    """Every line as edges of single pixels: its two ends in order."""
    edges = []
    for line in lines:
        for (x, y), (to_x, to_y) in pairwise(line):
            assert (x == to_x) != (y == to_y), "a line that is no edge of pixels"
            count = abs(to_x - x) + abs(to_y - y)
            across, down = np.sign(to_x - x), np.sign(to_y - y)
            steps = [(x + n * across, y + n * down) for n in range(count + 1)]
            edges += [tuple(sorted(pair)) for pair in pairwise(steps)]
    return sorted(edges)


def edges_of(mask: np.ndarray, label: int) -> list[tuple]:
    """The edges between pixels of a label and others, or the border."""
    inside = np.pad(mask == label, 1)
    upright = [((x, y), (x, y + 1)) for y, x in np.argwhere(inside[1:-1, 1:] != inside[1:-1, :-1]).tolist()]
    level = [((x, y), (x + 1, y)) for y, x in np.argwhere(inside[1:, 1:-1] != inside[:-1, 1:-1]).tolist()]
    return sorted(upright + level)


def shapes(demo) -> dict[str, np.ndarray]:
    noise = np.random.default_rng(7).choice([0, 0, 1, 2, 255], (23, 31)).astype(np.uint8)
    ring = np.zeros((9, 9), np.uint8)
    ring[1:8, 1:8], ring[3:6, 3:6], ring[4, 4] = 5, 0, 5
    return {
        "slice": demo.npy(f"/v1/scans/{SCAN}/slices/7/mask.npy", dtype="uint8", size="native"), "noise": noise, "ring": ring,
        "whole": np.full((3, 4), 201, np.uint8), "corners": np.eye(5, dtype=np.uint8), "nothing": np.zeros((2, 3), np.uint8),
    }


def test_outlines_are_the_edges_of_the_pixels(viewer, demo):
    viewer.open(f"#scan={SCAN}&slice=7", drawn=f"{SCAN} 7")
    for name, mask in shapes(demo).items():
        found = dict(viewer.driver.execute_async_script(RECORDED_OUTLINES, mask.ravel().tolist(), list(mask.shape)))
        assert sorted(found) == np.unique(mask[mask > 0]).tolist(), name
        for label, lines in found.items():
            assert unit_edges(lines) == edges_of(mask, label), (name, label)
            assert all(line[0] == line[-1] for line in lines), (name, label)


@pytest.mark.parametrize("more", ["", "&planes=1"])
def test_a_step_is_drawn_once_whatever_arrives_for_later(viewer, more):
    with viewer.before_each_page(COUNT_DRAWINGS):
        viewer.open(f"#scan={SCAN}&slice=5{more}")
        panes = 3 if more else 1
        viewer.until(lambda: len(viewer.drawn()) == panes and all(viewer.drawn()), "not drawn")
        is_here = lambda slice_: sum(f"/slices/{slice_}/" in url for url in viewer.js(LOADED)) == 2
        viewer.until(lambda: is_here(5 + AHEAD), "the next slices are not fetched")
        viewer.driver.execute_async_script("setTimeout(arguments[0], 300)")
        # The pictures of the steps are here; what is fetched meanwhile lies further ahead.
        before = viewer.js("return window.drawings")
        viewer.press(Keys.ARROW_DOWN)
        viewer.until(lambda: is_here(6 + AHEAD), "nothing is fetched ahead")
        viewer.driver.execute_async_script("setTimeout(arguments[0], 300)")
        assert viewer.drawn()[0] == f"{SCAN} 6"
        assert viewer.js("return window.drawings") - before == panes
