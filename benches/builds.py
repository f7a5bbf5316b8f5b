#!/usr/bin/env python3
"""Compares builds of sagittal, each serving the same folder in turn in every round, as a Markdown table.

    builds.py PROGRAM [PROGRAM ...] --data DATA [--rounds 5] [--seconds 3] [--cache-mb 0] [--only TEXT]

DATA is a folder that `sagittal import` filled. Without --cache-mb nothing is cached; with it, as much as it says. A row of a
stream counts whole epochs in new orders, as many as begin within --seconds. Needs wrk (Debian: apt-get install wrk).
"""

import argparse
import http.client
import json
import os
import random
import re
import statistics
import subprocess
import threading
import time
from pathlib import Path

SCRIPT = Path(__file__).parent / "load" / "uncached.lua"
BATCH = 64


class Server:
    """A build that serves a folder, until it is stopped."""

    def __init__(self, program: Path, data: Path, cache_mb: int):
        flags = ["--data", data, "--listen", "127.0.0.1:0", "--log", "error", "--cache-mb", str(cache_mb)]
        self.process = subprocess.Popen([program, "serve", *flags], stdout=subprocess.PIPE, text=True)
        listening = next(line for line in self.process.stdout if line.startswith("listening on "))
        self.host = listening.split("//")[1].strip()
        self.scans = [(scan["scan_id"], scan["shape"][0]) for scan in self.json("/v1/scans?limit=1000")["items"]]
        self.samples = self.json("/v1/slices?limit=1")["total"]

    def json(self, path: str):
        connection = http.client.HTTPConnection(self.host)
        connection.request("GET", path)
        return json.load(connection.getresponse())

    def read(self, method: str, path: str, body: str | None = None):
        """Reads a response, and leaves it."""
        connection = http.client.HTTPConnection(self.host)
        connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
        response, buffer = connection.getresponse(), bytearray(1 << 20)
        if response.status != 200:
            raise RuntimeError(f"{method} {path}: {response.status} {response.read(500)!r}")
        while response.readinto(buffer):
            pass
        connection.close()

    def stop(self):
        self.process.terminate()
        self.process.wait()


def together(readers: int, read):
    """Calls `read(n)` in as many threads."""
    threads = [threading.Thread(target=read, args=(n,)) for n in range(readers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def repeated(seconds: float, units: int, work) -> float:
    """Units per second of calls of `work(n)`, each of which does as many."""
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        work(count)
        count += 1
    return units * count / (time.perf_counter() - start)


def streams(readers: int):
    def epoch(server: Server, seed: int):
        path = f"/v1/stream.tar?size=512&seed={seed}&world={readers}"
        together(readers, lambda rank: server.read("GET", f"{path}&rank={rank}"))

    return lambda server, seconds: repeated(seconds, server.samples, lambda seed: epoch(server, seed))


def batches(readers: int):
    def batch(server: Server, number: int):
        def one(reader: int):
            choose = random.Random(number * readers + reader)
            scans = choose.choices(server.scans, k=BATCH)
            items = [{"scan_id": scan, "slice": choose.randrange(slices)} for scan, slices in scans]
            server.read("POST", "/v1/batch?size=512&dtype=int16", json.dumps({"items": items}))

        together(readers, one)

    return lambda server, seconds: repeated(seconds, readers * BATCH, lambda number: batch(server, number))


def rendered(file: str, query: str, connections: int):
    def rate(server: Server, seconds: float) -> float:
        scans = " ".join(f"{scan}:{slices}" for scan, slices in server.scans)
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:.0f}s", "-s", SCRIPT, f"http://{server.host}"]
        environment = os.environ | {"SCANS": scans, "QUERY": query, "FILE": file}
        output = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
        if "Non-2xx" in output:
            raise RuntimeError(output)
        return float(re.search(r"Requests/sec: *([\d.]+)", output)[1])

    return rate


ROWS = {
    "`stream.tar`, 512 × 512 pairs, one reader": streams(1),
    "the same, four readers of an epoch": streams(4),
    "`pair.npz`, 512 × 512, four connections": rendered("pair.npz", "size=512", 4),
    f"`batch` of {BATCH} pairs, 512 × 512, four readers": batches(4),
    "`image.png`, 512 × 512, 16 bit, eight connections": rendered("image.png", "size=512", 8),
    "`image.png`, 256 × 256, 16 bit, eight connections": rendered("image.png", "size=256", 8),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("programs", type=Path, nargs="+")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--cache-mb", type=int, default=0)
    parser.add_argument("--only", default="", help="rows that have this in their name")
    arguments = parser.parse_args()
    rows = {name: measure for name, measure in ROWS.items() if arguments.only in name}
    rates = {}
    for _ in range(arguments.rounds):
        for program in arguments.programs:
            server = Server(program, arguments.data, arguments.cache_mb)
            try:
                for name, measure in rows.items():
                    rates.setdefault((name, program), []).append(measure(server, arguments.seconds))
            finally:
                server.stop()
    print(f"Units per second, medians of {arguments.rounds} rounds.\n")
    print("| what |", " | ".join(program.name for program in arguments.programs), "| last ÷ first |")
    print("| --- |", "---: |" * (len(arguments.programs) + 1))
    for name in rows:
        medians = [statistics.median(rates[name, program]) for program in arguments.programs]
        print(f"| {name} |", " | ".join(f"{rate:,.0f}" for rate in medians), f"| {medians[-1] / medians[0]:.2f} × |", flush=True)


if __name__ == "__main__":
    main()
