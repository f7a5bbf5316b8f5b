"""The notebooks of examples/, executed against the demo: they say what is committed, and what the service says."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from test_torch import ENVIRONMENT, PROJECT, PYTHON, SECONDS

NOTEBOOKS = sorted((PROJECT / "examples").glob("*.ipynb"))
# Committed pictures are for reading along, not for print.
MOST_BYTES = 100_000


def read(path: Path) -> list[dict]:
    return [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]


def executed(demo, path: Path, folder: Path) -> list[dict]:
    """Its cells with their outputs; a cell that raises ends it."""
    command = [PYTHON, PROJECT / "tests" / "torch" / "execute.py", path, folder / path.name]
    environment = ENVIRONMENT | {"SAGITTAL_URL": demo.address}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    return read(folder / path.name)


def texts(cells: list[dict]) -> list[str]:
    """What each cell prints and shows as text; figures are named by their size alone."""
    found = []
    for cell in cells:
        parts = [output.get("text") or output.get("data", {}).get("text/plain") or [] for output in cell["outputs"]]
        found.append("".join("".join(part) for part in parts))
    return found


def pictures(cells: list[dict]) -> int:
    return sum("image/png" in output.get("data", {}) for cell in cells for output in cell["outputs"])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_committed_with_small_outputs(path):
    cells = read(path)
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert pictures(cells) >= 2 and path.stat().st_size < MOST_BYTES
    assert not any(output["output_type"] == "error" for cell in cells for output in cell["outputs"])


def test_the_data_are_loaded_as_the_notebook_shows(demo, tmp_path):
    path = PROJECT / "examples" / "load_data.ipynb"
    cells = executed(demo, path, tmp_path)
    assert texts(cells) == texts(read(path)) and pictures(cells) == pictures(read(path))
    said = "".join(texts(cells))
    splits = {split: (int(patients), int(scans)) for split, patients, scans in re.findall(r"^(\w+): (\d+) patients, (\d+) scans", said, re.MULTILINE)}
    listed = {split: demo.json("/v1/scans", split=split, limit=1)["total"] for split in splits}
    assert splits == {split: (len(patients), listed[split]) for split, patients in demo.json("/v1/splits")["splits"].items()}


def test_the_unet_learns_as_the_notebook_shows(demo, tmp_path):
    path = PROJECT / "examples" / "train_unet.ipynb"
    cells = executed(demo, path, tmp_path)
    assert pictures(cells) == pictures(read(path))
    for text in ("".join(texts(cells)), "".join(texts(read(path)))):
        dice = [float(found) for found in re.findall(r"validation Dice (\d\.\d+)", text)]
        assert len(dice) == 4 and max(dice) > 0.65, text
