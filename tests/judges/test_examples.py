"""The examples, each in one command against the demo."""

import http.client
import io
import json
import os
import re
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
sys.path.insert(0, str(EXAMPLES))

import readers  # noqa: E402

SIZE = 128


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


def asked(demo, path: str, body: str | None = None) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(urlsplit(demo.address).netloc, timeout=60)
    headers = {"content-type": "application/json"} if body else {}
    connection.request("POST" if body else "GET", path, body, headers)
    return connection.getresponse()


def test_the_readers_read_what_numpy_and_tarfile_read(demo):
    query = "/v1/stream.tar?scan_id=1_t1,2_t2&seed=3&size=96"
    with tarfile.open(fileobj=io.BytesIO(demo.get(query).content)) as archive:
        files = [(member.name, archive.extractfile(member).read()) for member in archive]
    read = [part for sample in readers.samples(asked(demo, query)) for part in sample]
    assert len(read) == len(files) > 60
    for (name, data), found in zip(files, read, strict=True):
        if name.endswith(".json"):
            assert found == json.loads(data)
        else:
            np.testing.assert_array_equal(found, np.load(io.BytesIO(data)), strict=True)
    body = json.dumps({"items": [{"scan_id": "1_t1", "slice": k} for k in (3, 0, 7)]})
    batches = [asked(demo, "/v1/batch?size=50&context=1", body) for _ in range(2)]
    expected, found = np.load(io.BytesIO(batches[0].read())), readers.arrays(readers.body(batches[1]))
    assert list(found) == ["image", "mask"] and found["image"].shape == (3, 3, 50, 50)
    for name, array in found.items():
        np.testing.assert_array_equal(array, expected[name], strict=True)
    pair = "/v1/scans/1_t1/slices/mid/pair.npz?dtype=float32"
    expected = np.load(io.BytesIO(demo.get(pair).content))
    for name, array in readers.arrays(readers.body(asked(demo, pair))).items():
        np.testing.assert_array_equal(array, expected[name], strict=True)
    for read, path in ((readers.body, "/v1/scans/1_t1/slices/99/pair.npz"), (lambda reply: next(readers.samples(reply)), "/v1/stream.tar?sed=1")):
        with pytest.raises(OSError, match="unknown_"):
            read(asked(demo, path))


@dataclass
class Training:
    """What a run of `train_small.py` said, and the folder it wrote."""

    dice: str
    out: Path


def train_small(demo, out: Path) -> Training:
    command = [sys.executable, EXAMPLES / "train_small.py", "--url", demo.address, "--out", out, "--size", str(SIZE)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
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


def test_the_pictures_show_image_truth_and_prediction(demo, training):
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
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
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
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert said in line
