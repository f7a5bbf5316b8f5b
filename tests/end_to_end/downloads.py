"""The program fetching a made-up release from one server into one folder."""

import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import zenodo as server
from zenodo import Zenodo

RANDOM = np.random.default_rng(7)
FILES = {
    "images.zip": RANDOM.bytes(3_000_000),
    "masks.zip": RANDOM.bytes(1_200_000),
    "overview.csv": RANDOM.bytes(120_000),
    "radiological_gradings.csv": RANDOM.bytes(34_000),
}
IMAGES = "images.zip"
DEADLINE = 60


class Downloads:
    """The program, asked to fetch from one server into one folder."""

    def __init__(self, program: Path, zenodo: Zenodo, folder: Path):
        self.program, self.zenodo, self.folder = program, zenodo, folder

    def start(self, *flags, **environment) -> subprocess.Popen:
        clean = {k: v for k, v in os.environ.items() if "proxy" not in k.lower() and not k.startswith("SAGITTAL_")}
        record = [] if "--record" in flags else ["--record", self.zenodo.record]
        command = [self.program, "download", self.folder, *record, *map(str, flags)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        return subprocess.Popen(command, text=True, env=clean | environment, **pipes)

    def run(self, *flags, **environment) -> tuple[int, str]:
        """Exit code and what was said."""
        with self.start(*flags, **environment) as process:
            try:
                said, _ = process.communicate(timeout=DEADLINE)
            except BaseException:
                process.kill()
                raise
        assert "panicked" not in said, said
        return process.returncode, said

    def succeeds(self, *flags, **environment) -> str:
        code, said = self.run(*flags, **environment)
        assert code == 0, said
        self.is_whole()
        assert f"sagittal import {self.folder} --data DATA" in said
        return said

    def fails(self, *flags, **environment) -> str:
        code, said = self.run(*flags, **environment)
        assert code == 2, said
        self.has_nothing_half()
        return said

    def names(self) -> set[str]:
        return {path.name for path in self.folder.iterdir()} if self.folder.is_dir() else set()

    def is_whole(self):
        assert self.names() == set(FILES), "parts and notes are gone"
        self.has_nothing_half()

    def has_nothing_half(self):
        for name in self.names() & set(FILES):
            assert (self.folder / name).read_bytes() == self.zenodo.files[name], f"{name} is not right"

    def part(self, name=IMAGES) -> Path:
        return self.folder / f"{name}.part"

    def interrupted(self, how: signal.Signals, *flags) -> tuple[int, str]:
        """Started, and ended by a signal when half of images.zip has been sent."""
        self.zenodo.manners[IMAGES] = [server.hold(0.5)]
        with self.start(*flags) as process:
            try:
                assert self.zenodo.holding.wait(DEADLINE)
                arrived = len(FILES[IMAGES]) // 2
                until(lambda: self.part().is_file() and self.part().stat().st_size == arrived)
                process.send_signal(how)
                said, _ = process.communicate(timeout=DEADLINE)
            finally:
                process.kill()
        return process.returncode, said


def until(condition):
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)
