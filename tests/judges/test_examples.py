"""The examples, each in one command against the demo."""

import re
import subprocess
import sys
from pathlib import Path

from PIL import Image

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def test_the_loading_walk_says_what_the_service_says(demo, tmp_path):
    command = [sys.executable, EXAMPLES / "load_data.py", "--url", demo.address, "--out", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    splits = demo.json("/v1/splits")["splits"]
    told = {split: int(count) for split, count in re.findall(r"^(\w+): (\d+) patients", done.stdout, re.MULTILINE)}
    assert told == {split: len(patients) for split, patients in splits.items()}
    (overlay,) = tmp_path.glob("*-overlay.png")
    with Image.open(overlay) as picture:
        # Labels in colour: not grey all over.
        assert picture.mode == "RGB" and any(red != green for _, (red, green, _) in picture.getcolors(1 << 20))
    assert list(tmp_path.glob("*.nii.gz"))
