"""Programs of the project and nginx before them, on loopback, ended with their blocks."""

import http.client
import os
import re
import subprocess
import time
from pathlib import Path

GREETING = "listening on http://127.0.0.1:"

NGINX = """
{user}
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log warn;
worker_processes 1;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/nginx-body;
    proxy_temp_path {folder}/nginx-proxy;
    fastcgi_temp_path {folder}/nginx-fastcgi;
    uwsgi_temp_path {folder}/nginx-uwsgi;
    scgi_temp_path {folder}/nginx-scgi;
    client_max_body_size 0;
    proxy_connect_timeout 1s;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $http_host;
    upstream storage {{ {storage} keepalive 16; }}
    upstream service {{ {service} keepalive 16; }}
    server {{ listen 127.0.0.1:{storage_port}; location / {{ proxy_pass http://storage; }} }}
    server {{ listen 127.0.0.1:{service_port}; location / {{ proxy_pass http://service; }} }}
}}
"""


class Server:
    """A running `sagittal`, ended with the block."""

    def __init__(self, command: list, environment: dict, log: Path):
        self._log = log.open("ab")
        self.process = subprocess.Popen(
            [*map(str, command), "--listen", "127.0.0.1:0"],
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env={**os.environ, **environment},
        )
        line = self.process.stdout.readline()
        if not line.startswith(GREETING):
            self.end()
            raise SystemExit(f"{command} did not start:\n{log.read_text()}")
        self.port = int(line.removeprefix(GREETING))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self._log.close()


def get(port: int, path: str, timeout: float = 30) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def run(command: list, environment: dict | None = None):
    done = subprocess.run(
        list(map(str, command)), env={**os.environ, **(environment or {})}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{command} failed:\n{done.stdout}\n{done.stderr}")


def without_revision(body: bytes) -> bytes:
    """An answer without the time of the index's last change: no two data folders have the same."""
    return re.sub(rb'"revision":\d+', b'"revision":0', body)


def made_up_release(sagittal: Path, folder: Path) -> Path:
    with Server([sagittal, "demo", "--no-export", "--dir", folder], {}, folder / "demo.log"):
        return folder / "release"


class Nginx:
    """In front of storage and servers; the latter are known later."""

    def __init__(self, folder: Path, storage: str, service: str, storage_port: int, service_port: int):
        self._folder = folder
        # Started by root, it would take another name, which may not write into the folder.
        user = "user root;" if os.geteuid() == 0 else ""
        self._values = {"user": user, "folder": folder, "storage": storage, "storage_port": storage_port, "service_port": service_port}
        self._configure(service)
        self._command = ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "nginx.log")]
        self._process = subprocess.Popen(self._command)
        self._wait_for(storage_port)

    def _configure(self, service: str):
        (self._folder / "nginx.conf").write_text(NGINX.format(service=service, **self._values))

    def _wait_for(self, port: int):
        for _ in range(100):
            try:
                get(port, "/")
                return
            except OSError:
                time.sleep(0.1)
        raise SystemExit(f"nginx does not answer:\n{(self._folder / 'nginx.log').read_text()}")

    def serve(self, service: str):
        self._configure(service)
        run([*self._command, "-s", "reload"])
        for _ in range(100):
            if get(self._values["service_port"], "/healthz")[0] == 200:
                return
            time.sleep(0.1)
        raise SystemExit("nginx does not reach the servers")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait()
