"""The examples, each in one command against the demo."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

PROJECT = Path(__file__).resolve().parents[2]
EXAMPLES = PROJECT / "examples"
# As after `pip install ./python`.
INSTALLED = os.environ | {"PYTHONPATH": str(PROJECT / "python")}
SIZE = 128


@dataclass
class Training:
    """What a run of `train_small.py` said, and the folder it wrote."""

    dice: str
    out: Path


def train_small(demo, out: Path) -> Training:
    command = [sys.executable, EXAMPLES / "train_small.py", "--url", demo.address, "--out", out, "--size", str(SIZE)]
    done = subprocess.run(command, env=INSTALLED, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    (dice,) = re.findall(r"^validation: Dice (\d\.\d{3});", done.stdout, re.MULTILINE)
    return Training(dice, out)


@pytest.fixture(scope="module")
def training(demo, tmp_path_factory) -> Training:
    return train_small(demo, tmp_path_factory.mktemp("small"))


def truths(demo) -> dict[str, np.ndarray]:
    """Vertebra pixels of the validation split by sample, one slice at a time instead of as a stream."""
    question = {"split": "validation", "has": "vertebrae", "limit": 1000}
    rows = demo.json("/v1/slices", **question)["items"]
    assert rows, "the demo has nobody to validate on"
    masks = {}
    for row in rows:
        path = f"/v1/scans/{row['scan_id']}/slices/{row['slice']}/mask.npy"
        mask = demo.npy(path, size=SIZE, fit="contain", labels="vertebrae,partial")
        masks[f"{row['scan_id']}-{row['slice']:04}"] = mask > 0
    return masks


def dice_of(predicted: list[np.ndarray], truth: list[np.ndarray]) -> float:
    predicted, truth = np.stack(predicted), np.stack(truth)
    return 2 * (predicted & truth).sum() / (predicted.sum() + truth.sum())


def test_a_small_network_finds_vertebrae_in_patients_it_never_saw(demo, training):
    patients = demo.json("/v1/splits")["splits"]
    assert not set(patients["train"]) & set(patients["validation"])
    predictions = np.load(training.out / "predictions.npz")
    truth = truths(demo)
    assert set(predictions) == set(truth)
    recomputed = dice_of([predictions[name] for name in truth], list(truth.values()))
    assert f"{recomputed:.3f}" == training.dice
    assert recomputed >= 0.8


def test_the_images_show_image_truth_and_prediction(demo, training):
    predictions, truth = np.load(training.out / "predictions.npz"), truths(demo)
    pictures = sorted(training.out.glob("*.png"))
    assert {path.stem.rpartition("-")[0] for path in pictures} == {name.rpartition("-")[0] for name in truth}
    for path in pictures:
        with Image.open(path) as picture:
            assert picture.size == (3 * 3 * SIZE, 3 * SIZE)
            pixels = np.asarray(picture.convert("RGB"))[1::3, 1::3]
        image, shown_truth, shown_prediction = np.split(pixels, 3, axis=1)
        # What is found is in colour; all else is grey.
        colours = [panel[:, :, 0] != panel[:, :, 2] for panel in (image, shown_truth, shown_prediction)]
        assert not colours[0].any() and len(np.unique(image)) > 50
        assert np.array_equal(colours[1], truth[path.stem]) and np.array_equal(colours[2], predictions[path.stem])
        assert dice_of([colours[2]], [truth[path.stem]]) > 0.7


def test_the_same_seed_learns_the_same(demo, training, tmp_path):
    assert train_small(demo, tmp_path).dice == training.dice


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_the_unet_says_in_a_line_that_it_needs_torch(tmp_path, arguments):
    # Found before any torch that may be installed here.
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')")
    script = EXAMPLES / "train_unet.py"
    compile(script.read_text(), script, "exec")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{PROJECT / 'python'}"}
    done = subprocess.run(
        [sys.executable, script, *arguments], capture_output=True, text=True, timeout=60, check=False, env=environment
    )
    assert done.returncode == 2 and not done.stdout
    (line,) = done.stderr.splitlines()
    assert "needs PyTorch" in line and "pip install torch" in line


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--url", "http://127.0.0.1:9"], "http://127.0.0.1:9: "),
        (["--size", "0"], "size=0 is not valid"),
        (["--slices", "0"], "there is nothing to learn from"),
    ],
)
def test_training_says_in_a_line_what_stands_in_its_way(demo, tmp_path, arguments, said):
    command = [sys.executable, EXAMPLES / "train_small.py", "--url", demo.address, "--out", tmp_path, *arguments]
    done = subprocess.run(command, env=INSTALLED, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert said in line
