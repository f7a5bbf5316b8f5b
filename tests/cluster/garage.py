"""An object store on this machine: Garage, with one node or several, on loopback alone."""

import os
import secrets
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

BUCKET = "spider"
PATIENCE_SECONDS = 60

CONFIGURATION = """
metadata_dir = "{folder}/meta"
data_dir = "{folder}/data"
db_engine = "sqlite"
replication_factor = {replication}
rpc_bind_addr = "127.0.0.1:{rpc}"
rpc_public_addr = "127.0.0.1:{rpc}"
rpc_secret = "{secret}"

[s3_api]
s3_region = "garage"
api_bind_addr = "127.0.0.1:{s3}"
"""


def install() -> Path:
    """The program; built if need be, which fails loudly if it cannot be."""
    script = Path(__file__).parent / "install-garage"
    return Path(subprocess.run([script], check=True, stdout=subprocess.PIPE, text=True).stdout.strip())


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Garage:
    """Nodes that together hold one bucket; a context manager, so that they always end."""

    def __init__(self, program: Path, folder: Path, nodes: int):
        self._program, self._folder = program, folder
        self.key, self._secret_key = f"GK{secrets.token_hex(12)}", secrets.token_hex(32)
        secret = secrets.token_hex(32)
        self.ports, self._processes = [], [None] * nodes
        for n in range(nodes):
            port = free_port()
            self.ports.append(port)
            node = self._node(n)
            node.mkdir(parents=True)
            text = CONFIGURATION.format(folder=node, replication=nodes, rpc=free_port(), secret=secret, s3=port)
            self._configuration(n).write_text(text)
            self._configuration(n).chmod(0o600)

    def __enter__(self):
        try:
            for n in range(len(self._processes)):
                self.start(n)
            if len(self._processes) > 1:
                self._join()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for n in range(len(self._processes)):
            self.stop(n)

    def environment(self, port: int | None = None) -> dict[str, str]:
        """What a client needs to know."""
        return {
            "AWS_ENDPOINT": f"http://127.0.0.1:{port or self.ports[0]}",
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "garage",
            "AWS_ACCESS_KEY_ID": self.key,
            "AWS_SECRET_ACCESS_KEY": self._secret_key,
        }

    def start(self, n: int):
        single = ["--single-node", "--default-bucket"] if len(self._processes) == 1 else []
        defaults = {
            "GARAGE_DEFAULT_ACCESS_KEY": self.key,
            "GARAGE_DEFAULT_SECRET_KEY": self._secret_key,
            "GARAGE_DEFAULT_BUCKET": BUCKET,
        }
        log = (self._node(n) / "log").open("ab")
        command = [self._program, "--config", self._configuration(n), "server", *single]
        self._processes[n] = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **defaults})
        self._wait_for(n)

    def stop(self, n: int):
        """Takes a node away as a power failure does. What it has stays on its disk."""
        if process := self._processes[n]:
            process.kill()
            process.wait()
            self._processes[n] = None

    def _node(self, n: int) -> Path:
        return self._folder / f"node-{n}"

    def _configuration(self, n: int) -> Path:
        return self._node(n) / "garage.toml"

    def _wait_for(self, n: int):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            if self._processes[n].poll() is not None:
                break
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.ports[n]}/", timeout=2)
            except urllib.error.HTTPError:
                return  # Refused for want of a signature: it answers.
            except OSError:
                time.sleep(0.1)
        raise AssertionError(f"node {n} does not answer:\n{(self._node(n) / 'log').read_text()}")

    def _tell(self, n: int, *arguments) -> str:
        command = [self._program, "--config", self._configuration(n), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
        assert done.returncode == 0, f"garage {arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def _join(self):
        nodes = range(len(self._processes))
        names = [self._tell(n, "node", "id", "-q").strip() for n in nodes]
        for name in names[1:]:
            self._tell(0, "node", "connect", name)
        for n, name in enumerate(names):
            self._tell(0, "layout", "assign", "--zone", f"rack-{n}", "--capacity", "1GB", name.partition("@")[0])
        self._tell(0, "layout", "apply", "--version", 1)
        self._tell(0, "key", "import", "--yes", self.key, self._secret_key)
        self._tell(0, "bucket", "create", BUCKET)
        self._tell(0, "bucket", "allow", "--read", "--write", BUCKET, "--key", self.key)
