"""The Hugging Face edition's pixels as checksums, so that SciPy need not compute the same volumes again in every run.

tests/goldens/hugging_face.json holds one SHA-256 for each (input voxels, size) that hugging_face.py was run on, with the
versions it was run with. What is not in it, or was made by another hugging_face.py, is computed. So is what a test finds
to differ: then the pixels themselves are compared.

    pytest tests/end_to_end/test_hugging_face.py --write-goldens    computes everything and writes the file anew
"""

import hashlib
import json
from pathlib import Path

import hugging_face
import numpy as np
import scipy
import skimage

GOLDENS = Path(__file__).resolve().parents[1] / "goldens" / "hugging_face.json"
# From this many pixels on a few slices of each scan are compared, which always include the first and the last.
MANY_PIXELS = 600_000
FEW_SLICES = 5


def versions() -> dict[str, str]:
    script = hashlib.sha256(Path(hugging_face.__file__).read_bytes()).hexdigest()
    return {"hugging_face.py": script, "scikit-image": skimage.__version__, "scipy": scipy.__version__, "numpy": np.__version__}


def checksum(slices) -> str:
    digest = hashlib.sha256()
    for slice_ in slices:
        digest.update(np.ascontiguousarray(slice_, slice_.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()[:32]


class Expected:
    """What the edition makes of one volume at one size: `image` or `mask`, (height, width)."""

    def __init__(self, kind: str, volume: np.ndarray, size: tuple[int, int]):
        self.resized, self.size = getattr(hugging_face, kind), size
        self.volume, self.stack = volume, hugging_face.slices_last(volume)
        identity = f"{kind} {volume.dtype.str} {volume.shape} {size} {self.indices()} ".encode()
        self.key = hashlib.sha256(identity + np.ascontiguousarray(volume).tobytes()).hexdigest()[:24]

    def slices(self) -> int:
        return self.stack.shape[2]

    def indices(self) -> list[int]:
        """The slices to compare.

        Slices do not influence each other, but for the limits of the whole volume, to which results are clipped: so the
        few go through the reference together with the slices that hold the smallest and the largest value.
        """
        every = list(range(self.slices()))
        few = np.unique(np.linspace(0, self.slices() - 1, FEW_SLICES).round().astype(int)).tolist()
        limits = [np.unravel_index(at, self.stack.shape)[2] for at in (self.stack.argmin(), self.stack.argmax())]
        kept = sorted({*few, *map(int, limits)})
        return every if self.size[0] * self.size[1] < MANY_PIXELS or len(kept) > self.stack.shape[0] else kept

    def pixels(self) -> np.ndarray:
        """Of those slices, by the edition's libraries."""
        kept = self.indices()
        if len(kept) == self.slices():
            return self.resized(self.volume, self.size)
        return self.resized(np.ascontiguousarray(self.stack[:, :, kept]), self.size)


class Reference:
    """Compares pixels with the edition's; a fixture."""

    def __init__(self, write: bool):
        self.write, self.found = write, {}
        known = json.loads(GOLDENS.read_text()) if GOLDENS.is_file() and not write else {}
        self.checksums = known["checksums"] if known.get("versions") == versions() else {}

    def assert_equal(self, expected: Expected, found: list[np.ndarray], what: str):
        """`found` are the pixels of the slices that `expected.indices()` names."""
        if not self.write and self.checksums.get(expected.key) == checksum(found):
            return
        pixels = expected.pixels()
        for k, ours, theirs in zip(expected.indices(), found, pixels, strict=True):
            differing = np.count_nonzero(ours != theirs)
            assert differing == 0, f"{what} slice {k}: {differing} pixels differ"
        if self.write:
            self.found[expected.key] = checksum(pixels)
        else:
            assert expected.key not in self.checksums, f"{what}: the golden is not what the edition's libraries compute now"

    def close(self):
        if self.write:
            GOLDENS.write_text(json.dumps({"versions": versions(), "checksums": dict(sorted(self.found.items()))}, indent=0) + "\n")
