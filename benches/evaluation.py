#!/usr/bin/env python3
"""Times `sagittal evaluate` on one large synthetic scan, and the SPIDER challenge's own script on the same masks.

    evaluation.py [--script EVALUATION_PY] [--program target/release/sagittal] [--scans 4] [--shape 120,640,512]

Scans of `--shape` (slices, rows, columns) with nine vertebrae, nine discs and a canal are imported into a temporary folder and
scored with predictions that are shifted and frayed by some voxels. One thread each; the last line is per scan. EVALUATION_PY is
`evaluation.py` of https://github.com/DIAGNijmegen/SPIDER-Evaluation. Needs numpy, scipy and SimpleITK; the script pandas, too.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import SimpleITK as sitk

PROJECT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(PROJECT / "tests" / "end_to_end"), str(PROJECT / "tests" / "fixtures")]
import official  # noqa: E402
from extremes import PIR, write_empty  # noqa: E402

LEVELS = 9


def truth_of(shape: tuple[int, int, int]) -> np.ndarray:
    """(slice, row, column): a stack of ellipsoids with discs between them, before a canal."""
    place = [(np.arange(n, dtype=np.float32).reshape([-1 if a == axis else 1 for a in range(3)]) + 0.5) / n for axis, n in enumerate(shape)]
    truth = np.zeros(shape, np.uint8)
    for level in range(LEVELS):
        for label, offset, height in ((1 + level, 0.0, 0.042), (201 + level, -0.053, 0.016)):
            centre = (0.5, 0.94 - level * 0.105 + offset, 0.42 + 0.03 * np.sin(level))
            axes = (0.36, height, 0.13)
            truth[sum(((p - c) / a) ** 2 for p, c, a in zip(place, centre, axes, strict=True)) <= 1] = label
    truth[(((place[0] - 0.5) / 0.14) ** 2 + ((place[2] - 0.62 - 0.03 * np.sin(place[1] * 6)) / 0.03) ** 2) <= 1] = 100
    return truth


def predicted(truth: np.ndarray) -> np.ndarray:
    moved = np.roll(truth, (1, 2, -1), (0, 1, 2))
    noise = np.random.default_rng(3).random(truth.shape, np.float32) < 0.02
    edge = np.zeros(truth.shape, bool)
    for axis in range(3):
        edge |= moved != np.roll(moved, 1, axis)
    return np.where(edge & noise, 0, moved)


def as_image(array: np.ndarray) -> sitk.Image:
    image = sitk.GetImageFromArray(array[::-1].astype(np.int16))
    image.SetSpacing((0.6, 0.6, 0.9))
    image.SetDirection(np.round(PIR).ravel().tolist())
    return image


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--script", type=Path)
    parser.add_argument("--program", type=Path, default=PROJECT / "target" / "release" / "sagittal")
    parser.add_argument("--scans", type=int, default=4)
    parser.add_argument("--shape", default="120,640,512")
    arguments = parser.parse_args()
    shape = tuple(int(n) for n in arguments.shape.split(","))
    truth = truth_of(shape)
    prediction = as_image(predicted(truth))
    with tempfile.TemporaryDirectory() as folder:
        release, data, predictions = (Path(folder) / name for name in ("release", "data", "predictions"))
        write_empty(release)
        predictions.mkdir()
        names = [f"{950 + n}_t2_SPACE.mha" for n in range(arguments.scans)]
        for name in names:
            sitk.WriteImage(as_image(truth), str(release / "images" / name), useCompression=True)
            sitk.WriteImage(as_image(truth), str(release / "masks" / name), useCompression=True)
            sitk.WriteImage(prediction, str(predictions / name), useCompression=True)
        subprocess.run([arguments.program, "import", release, "--data", data], check=True, stdout=subprocess.DEVNULL)
        one_core = {min(os.sched_getaffinity(0))}
        for rule in ("corrected", "spider"):
            command = [arguments.program, "evaluate", predictions, "--data", data, "--rule", rule]
            start, before = time.perf_counter(), os.times()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, preexec_fn=lambda: os.sched_setaffinity(0, one_core))
            wall, used = time.perf_counter() - start, os.times().children_user - before.children_user
            print(f"sagittal, {rule}: {wall / len(names):.2f} s per scan, {used / len(names):.2f} s of them computing")
        if arguments.script:
            score_case = official.load(arguments.script)
            os.sched_setaffinity(0, one_core)
            start, before = time.perf_counter(), os.times()
            score_case(release / "masks" / names[0], predictions / names[0])
            wall, used = time.perf_counter() - start, os.times().user - before.user
            print(f"evaluation.py: {wall:.2f} s per scan, {used:.2f} s of them computing")


if __name__ == "__main__":
    main()
