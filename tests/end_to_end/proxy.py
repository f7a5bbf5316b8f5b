"""nginx with deploy/nginx.conf, on loopback: only hosts, ports and folders are put in other places."""

import os
import shutil
import socket
import struct
import subprocess
import time
from pathlib import Path

import httpx
import pytest

from service import Service

CONFIGURATION = Path(__file__).resolve().parents[2] / "deploy" / "nginx.conf"
INSTALL = "apt-get install --yes --no-install-recommends nginx-light"
# Where a file of the cache says until when it is fresh (ngx_http_file_cache_header_t: version, valid_sec, …).
FRESH_UNTIL = 8
START_SECONDS = 20


class Proxy:
    """A running nginx before two servers; a context manager."""

    def __init__(self, folder: Path, replicas: list[Service]):
        program = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
        if program is None:
            pytest.fail(f"nginx is not installed: {INSTALL}")
        folder.mkdir()
        self.cache, self.log = folder / "cache", folder / "error.log"
        self.cache.mkdir()
        port = free_port()
        self.address = f"http://127.0.0.1:{port}"
        places = {
            "listen 8080;": f"listen 127.0.0.1:{port};",
            "replica-1:8080": replicas[0].address.removeprefix("http://"),
            "replica-2:8080": replicas[1].address.removeprefix("http://"),
            "/var/cache/nginx": str(self.cache),
            "/tmp/nginx.pid": str(folder / "nginx.pid"),
            "/dev/stderr": str(self.log),
            "/dev/stdout": str(folder / "access.log"),
        }
        (folder / "nginx.conf").write_text(with_places(CONFIGURATION.read_text(encoding="utf-8"), places))
        # Temporary folders of root are for root only; when nobody is root, nginx passes over the user.
        command = [program, "-c", folder / "nginx.conf", "-p", folder, "-e", self.log, "-g", "daemon off; user root;"]
        self._process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        self.client = httpx.Client(base_url=self.address, timeout=60)
        try:
            self._wait(port)
        except BaseException:
            self._stop()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.close()
        self._stop()

    def _wait(self, port: int):
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                return socket.create_connection(("127.0.0.1", port), 1).close()
            except OSError:
                time.sleep(0.02)
        log = self.log.read_text() if self.log.exists() else ""
        raise AssertionError(f"nginx did not start; it said:\n{log}")

    def _stop(self):
        self._process.terminate()
        self._process.wait(20)

    def get(self, path: str, **headers) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        response = self.client.get(path, headers=named)
        assert response.is_success or response.status_code == 304, f"{path}: {response.status_code} {response.text[:300]}"
        return response

    def status(self, path: str, **headers) -> str | None:
        """What the cache had to do with the answer."""
        return self.get(path, **headers).headers.get("x-cache-status")

    def kept(self) -> list[Path]:
        """The answers in the cache."""
        return [path for path in (self.cache / "answers").rglob("*") if path.is_file()]

    def age(self):
        """Lets the time pass after which everything in the cache must be asked for again."""
        for path in self.kept():
            with open(path, "r+b") as file:
                file.seek(FRESH_UNTIL)
                file.write(struct.pack("=q", 1))


def with_places(text: str, places: dict[str, str]) -> str:
    for name, place in places.items():
        assert name in text, f"{CONFIGURATION} has no {name}"
        text = text.replace(name, place)
    return text


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]
