"""What a person who looks at slices notices of other clients' load, as a Markdown table.

    python benches/overload.py [--bin PROGRAM] [--data DIR] [--seconds N] [--rounds N] [--load NAME ...] [-- SERVER FLAGS]

For every load: latency of new 512 x 512 images (each rendered for its request) and of /healthz, requests that were refused or
failed, the server's resident memory at most, and what the load itself got. Needs Python alone, and the program (`cargo build
--release`). Without --data it makes the demo. Clients and server share the machine: compare numbers of one machine only. Of
several rounds the table has the medians.
"""

import argparse
import http.client
import itertools
import json
import multiprocessing
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

PROJECT = Path(__file__).resolve().parents[1]
GREETING = "listening on "
TIMEOUT = 120
ABANDONED = 255
# The most that the 99th percentile of a new image may take, and that of /healthz, in milliseconds.
HEALTH_TARGET = 50


def slices(address: str) -> list[str]:
    """URLs of slices, without their file."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=TIMEOUT)
    connection.request("GET", "/v1/slices?limit=1000&fields=scan_id,slice")
    items = json.load(connection.getresponse())["items"]
    connection.close()
    return [f"/v1/scans/{item['scan_id']}/slices/{item['slice']}" for item in items]


def get(path: str):
    return "GET", path, None


def new_image(urls: list[str], number: int, file: str, query: str):
    """A request for a image that nothing requested before: no two windows are the same."""
    return get(f"{urls[number % len(urls)]}/{file}?{query}&window=0,{500 + number * 0.01:.2f}")


def batch(urls: list[str], number: int):
    chosen = (re.match(r"/v1/scans/(.+)/slices/(\d+)", urls[(number + n) % len(urls)]).groups() for n in range(64))
    items = [{"scan_id": scan, "slice": int(k)} for scan, k in chosen]
    return "POST", f"/v1/batch?size=512&dtype=float32&window=0,{500 + number * 0.01:.2f}", json.dumps({"items": items})


def montage(urls: list[str], number: int):
    scan = re.match(r"/v1/scans/[^/]+", urls[number % len(urls)])[0]
    return get(f"{scan}/montage.png?size=1600&window=0,{500 + number * 0.01:.2f}")


def array(urls: list[str], number: int):
    """float64 takes no window, so the height makes the difference."""
    return get(f"{urls[number % len(urls)]}/image.npy?width=4096&height={4000 + number % 97}&dtype=float64")


# Name: clients, the request with a number, the most that a new image may take at the 99th percentile, in milliseconds.
LOADS = {
    "none": (0, None, 16),
    "stream 512": (8, lambda urls, n: get(f"/v1/stream.tar?size=512&seed={n}"), 100),
    "batch 512": (8, batch, 100),
    "stream 4096 lanczos": (8, lambda urls, n: get(f"/v1/stream.tar?size=4096&filter=lanczos&seed={n}"), 250),
    "png 4096 lanczos": (8, lambda urls, n: new_image(urls, n, "image.png", "size=4096&filter=lanczos"), 250),
    "npy 4096 float64": (8, array, 250),
    "overlay 4096 outline 16": (8, lambda urls, n: new_image(urls, n, "overlay.png", "size=4096&outline=16"), 250),
    "montage large": (8, montage, 250),
    "64 batch connections": (64, batch, 250),
    f"{ABANDONED} abandoned overlays": (0, None, 250),
}


def load_client(address: str, urls: list[str], name: str, rank: int, clients: int, end, counts):
    """One client, which requests and reads as fast as it can. `counts`: responses, other statuses than 200, bytes."""
    host = urlsplit(address).netloc
    request, number = LOADS[name][1], rank
    connection = http.client.HTTPConnection(host, timeout=TIMEOUT)
    while not end.is_set():
        method, path, body = request(urls, 1_000_000 + number)
        number += clients
        try:
            connection.request(method, path, body, {"content-type": "application/json"} if body else {})
            response = connection.getresponse()
            while not end.is_set() and (part := response.read(1 << 20)):
                counts[2] += len(part)
            counts[0] += 1
            counts[1] += response.status != 200
        except (OSError, http.client.HTTPException):
            counts[1] += 1
        if not response.isclosed():
            connection.close()


class Probe(threading.Thread):
    """Requests one after another until it is stopped, with a little pause, and how long each took."""

    def __init__(self, address: str, paths):
        super().__init__(daemon=True)
        self.host, self.paths, self.end = urlsplit(address).netloc, paths, threading.Event()
        self.milliseconds, self.failures = [], 0

    def run(self):
        connection = http.client.HTTPConnection(self.host, timeout=TIMEOUT)
        while not self.end.is_set():
            begun = time.perf_counter()
            try:
                connection.request("GET", next(self.paths))
                response = connection.getresponse()
                response.read()
                self.failures += response.status != 200
            except (OSError, http.client.HTTPException):
                connection.close()
                self.failures += 1
            self.milliseconds.append((time.perf_counter() - begun) * 1e3)
            self.end.wait(0.01)

    def finished(self):
        self.end.set()
        self.join()
        return self


def respond(listener: socket.socket):
    """Answers every request of one connection with the same few bytes, at once."""
    connection, _ = listener.accept()
    while connection.recv(1 << 16):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n")


@contextmanager
def bare_responder():
    """A process that does nothing else: how long it takes is what clients and server wait for a processor at the least."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        process = multiprocessing.Process(target=respond, args=(listener,), daemon=True)
        process.start()
        host, port = listener.getsockname()
        yield f"http://{host}:{port}"
        process.kill()
        process.join()


class Server:
    """A server of its own for each row, so that no row finds what another left in memory."""

    def __init__(self, command: list):
        self.process = subprocess.Popen([*command, "--listen", "127.0.0.1:0", "--log", "error"], stdout=subprocess.PIPE, text=True)
        for line in self.process.stdout:
            if line.startswith(GREETING):
                self.address = line.removeprefix(GREETING).strip()
                return
        raise SystemExit(f"{command[0]} ended with {self.process.wait()}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def peak_resident(self) -> float:
        """MiB at most since it began."""
        return int(Path(f"/proc/{self.process.pid}/status").read_text().split("VmHWM:")[1].split()[0]) / 1024


def abandon(address: str, urls: list[str]):
    """Requests large overlays on connections of their own, which are closed half a second later."""
    url, sockets = urlsplit(address), []
    for number in range(ABANDONED):
        _, path, _ = new_image(urls, 2_000_000 + number, "overlay.png", "size=4096&outline=16")
        sockets.append(socket.create_connection((url.hostname, url.port), timeout=TIMEOUT))
        sockets[-1].sendall(f"GET {path} HTTP/1.1\r\nHost: {url.netloc}\r\n\r\n".encode())
    time.sleep(0.5)
    for sock in sockets:
        sock.close()
    time.sleep(1)


def percentile(values: list[float], per_cent: float) -> float:
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * per_cent / 100))]


def measured(command: list, name: str, seconds: float) -> dict:
    with Server(command) as server, bare_responder() as bare:
        urls = slices(server.address)
        clients, end = LOADS[name][0], multiprocessing.Event()
        counts = [multiprocessing.Array("q", 3, lock=False) for _ in range(clients)]
        processes = [
            multiprocessing.Process(target=load_client, args=(server.address, urls, name, rank, clients, end, counts[rank]), daemon=True)
            for rank in range(clients)
        ]
        for process in processes:
            process.start()
        if name == f"{ABANDONED} abandoned overlays":
            abandon(server.address, urls)
        elif clients:
            time.sleep(2)
        before = [sum(column) for column in zip(*counts)] or [0, 0, 0]
        images = (new_image(urls, number, "image.png", "size=512")[1] for number in itertools.count())
        probes = [Probe(server.address, images), Probe(server.address, itertools.repeat("/healthz")), Probe(bare, itertools.repeat("/"))]
        for probe in probes:
            probe.start()
        time.sleep(seconds)
        image, health, floor = [probe.finished() for probe in probes]
        after = [sum(column) for column in zip(*counts)] or [0, 0, 0]
        end.set()
        resident = server.peak_resident()
        is_running = server.process.poll() is None
        for process in processes:
            process.join(5)
            process.kill()
            process.join()
    return {
        "count": len(image.milliseconds),
        "failures": image.failures + health.failures + (not is_running),
        "p50": percentile(image.milliseconds, 50),
        "p99": percentile(image.milliseconds, 99),
        "health p50": percentile(health.milliseconds, 50),
        "health p99": percentile(health.milliseconds, 99),
        "bare p99": percentile(floor.milliseconds, 99),
        "resident": resident,
        "load MB/s": (after[2] - before[2]) / seconds / 1e6,
        "load refused": after[1] - before[1],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=Path, default=PROJECT / "target/release/sagittal", help="the program")
    parser.add_argument("--data", type=Path, help="a folder that `sagittal import` filled [default: the demo]")
    parser.add_argument("--seconds", type=float, default=10, help="how long each row is measured (10)")
    parser.add_argument("--rounds", type=int, default=1, help="how often each row is measured (1)")
    parser.add_argument("--load", action="append", choices=list(LOADS), help="this row only; may be repeated")
    parser.add_argument("flags", nargs="*", help="flags of the server, after --")
    given = parser.parse_args()
    if not given.bin.is_file():
        sys.exit(f"there is no program {given.bin}: run `cargo build --release`, or give --bin")
    with tempfile.TemporaryDirectory() as folder:
        data = given.data
        if data is None:
            with Server([given.bin, "demo", "--no-export", "--dir", folder]):
                data = Path(folder) / "data"
        command = [given.bin, "serve", "--data", data, *given.flags]
        rounds = {name: [] for name in given.load or LOADS}
        for _ in range(given.rounds):
            for name, rows in rounds.items():
                rows.append(measured(command, name, given.seconds))
    print("| load | images | not 200 | p50 ms | p99 ms | p99 at most | /healthz p50 ms | p99 ms | p99 at most | bare p99 ms | memory MiB | load MB/s | load refused |")
    print("| --- " + "| ---: " * 12 + "|")
    is_met = True
    for name, rows in rounds.items():
        row = {key: statistics.median(row[key] for row in rows) for key in rows[0]}
        target = LOADS[name][2]
        is_met &= row["p99"] <= target and row["health p99"] <= HEALTH_TARGET and row["failures"] == 0
        cells = [name, f"{row['count']:.0f}", f"{row['failures']:.0f}", f"{row['p50']:.1f}", f"{row['p99']:.1f}", target]
        cells += [f"{row['health p50']:.1f}", f"{row['health p99']:.1f}", HEALTH_TARGET, f"{row['bare p99']:.1f}"]
        cells += [f"{row['resident']:.0f}", f"{row['load MB/s']:.0f}", f"{row['load refused']:.0f}"]
        print("| " + " | ".join(map(str, cells)) + " |")
    print("\nEvery target is met." if is_met else "\nSome targets are not met.")


if __name__ == "__main__":
    main()
