"""Starts the server, asks it, ends it."""

import io
import selectors
import subprocess
import tempfile
import time
from pathlib import Path

import httpx
import numpy as np
from PIL import Image

START_SECONDS = 60
STOP_SECONDS = 20
GREETING = "listening on "


class Service:
    """A running server over a data folder; a context manager, so that it is always ended.

    `source` is the release that the folder was imported from. It listens on a free port unless told which. `process` goes
    to `subprocess.Popen`.
    """

    def __init__(self, command: list, source: Path, data: Path, port: int = 0, **process):
        self.source, self.data = source, data
        self._log = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [*command, "--listen", f"127.0.0.1:{port}"], stdout=subprocess.PIPE, stderr=self._log, text=True, **process
        )
        try:
            self.address = self._greeted()
        except BaseException:
            self._stop()
            raise
        self.client = httpx.Client(base_url=self.address, timeout=60)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.close()
        self._stop()

    def resident(self) -> int:
        """Bytes of the server's memory that are in use."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) * 1024

    def is_running(self) -> bool:
        return self._process.poll() is None

    def _greeted(self) -> str:
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            deadline = time.monotonic() + START_SECONDS
            while (left := deadline - time.monotonic()) > 0 and selector.select(left):
                line = self._process.stdout.readline()
                if not line or line.startswith(GREETING):
                    break
            else:
                line = ""
        if not line.startswith(GREETING):
            self._log.seek(0)
            raise AssertionError(f"the server did not say where it listens; it said:\n{self._log.read().decode()}")
        return line.removeprefix(GREETING).strip()

    def signal(self, number: int):
        self._process.send_signal(number)

    def exit_code(self, within: float = STOP_SECONDS) -> int:
        """Once it has ended by itself."""
        return self._process.wait(within)

    def log(self) -> str:
        """What it said on standard error so far."""
        self._log.flush()
        return Path(f"/proc/self/fd/{self._log.fileno()}").read_text()

    def _stop(self):
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._log.close()

    def get(self, path: str, **parameters) -> httpx.Response:
        # httpx takes an empty mapping for "no query at all" and would cut off the path's own.
        response = self.client.get(path, params=parameters or None)
        assert response.status_code == 200, f"{response.url}: {response.status_code} {response.text[:500]}"
        return response

    def json(self, path: str, **parameters):
        return self.get(path, **parameters).json()

    def npy(self, path: str, **parameters) -> np.ndarray:
        return np.load(io.BytesIO(self.get(path, **parameters).content), allow_pickle=False)

    def png(self, path: str, **parameters) -> tuple[np.ndarray, Image.Image, httpx.Headers]:
        """Pixels, the picture (for its mode and notes), headers."""
        response = self.get(path, **parameters)
        picture = Image.open(io.BytesIO(response.content))
        picture.load()
        return np.asarray(picture), picture, response.headers
