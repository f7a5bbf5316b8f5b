#!/usr/bin/env python3
"""Times `sagittal import` of a release beside what the Hugging Face edition does to the same files, on one core.

    importing.py RELEASE [PROGRAM ...] [--rounds 3]

RELEASE has `images/` and `masks/`, as Zenodo's archives. Each PROGRAM (target/release/sagittal if none is named) imports it into an
empty folder; the edition's steps are reading with SimpleITK and making 512 × 512 slices with scikit-image. All of them take
turns in every round; the table has medians. Needs numpy, scikit-image and SimpleITK.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import SimpleITK as sitk

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT / "tests" / "end_to_end"))
import hugging_face  # noqa: E402

SIZE = (512, 512)


def read(path: Path):
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))


def edition(release: Path) -> int:
    """Voxels of the release's images, which are converted as the edition converts them."""
    voxels = 0
    for path in sorted((release / "images").glob("*.mha")):
        volume = read(path)
        voxels += volume.size
        hugging_face.image(volume, SIZE)
        hugging_face.mask(read(release / "masks" / path.name), SIZE)
    return voxels


def imported(program: Path, release: Path, folder: str):
    # Removed at the end of all rounds: ext4 makes files slowly for some seconds after many were removed.
    data = tempfile.mkdtemp(dir=folder)
    subprocess.run([program, "import", release, "--data", data], check=True, capture_output=True)


def timed(work) -> tuple[float, float, object]:
    """Seconds on the clock, seconds of the processor, and what `work` returned."""
    start, before = time.perf_counter(), os.times()
    result = work()
    after = os.times()
    used = sum(after[:4]) - sum(before[:4])
    return time.perf_counter() - start, used, result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("release", type=Path)
    parser.add_argument("programs", type=Path, nargs="*", default=[PROJECT / "target" / "release" / "sagittal"])
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    # SimpleITK would count the cores of the machine, and wait for threads that have none.
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    times, voxels = {}, 0
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(arguments.rounds):
            wall, used, voxels = timed(lambda: edition(arguments.release))
            times.setdefault("the edition's steps", []).append((wall, used))
            for program in arguments.programs:
                wall, used, _ = timed(lambda program=program: imported(program, arguments.release, folder))
                times.setdefault(str(program), []).append((wall, used))
    reference = statistics.median(wall for wall, _ in times["the edition's steps"])
    print(f"{voxels / 1e6:.1f} million voxels, one core, medians of {arguments.rounds} rounds")
    for name, rounds in times.items():
        wall, used = (statistics.median(column) for column in zip(*rounds, strict=True))
        print(f"{name}: {wall:.2f} s ({used:.2f} s of the processor), {wall / voxels * 1e9:.1f} ns a voxel, {reference / wall:.1f} ×")


if __name__ == "__main__":
    main()
