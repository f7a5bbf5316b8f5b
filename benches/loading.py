"""Image-mask pairs per second into numpy at 512 x 512, by every way over HTTP and from local files, as a Markdown table.

    python benches/loading.py [--data DIR] [--seconds N] [--rounds N] [--workers 1,4,8]

Needs httpx, numpy, opencv-python-headless, scikit-image, webdataset and zarr (tests/requirements-all.txt), and `cargo build --release`.
Rounds go through all ways to load in turn, so that a busy moment meets them all; the table has medians. Server and clients share the
machine: compare numbers within one run only.
"""

import argparse
import collections
import http.client
import io
import json
import multiprocessing
import random
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import numpy as np
import webdataset
import zarr
from skimage.transform import resize

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT / "python"))

from sagittal import arrays  # noqa: E402

SIZE = (512, 512)
BATCH = 64


def body(reply: http.client.HTTPResponse) -> memoryview:
    """The whole body of a reply whose length is known, in one buffer."""
    buffer, at = memoryview(bytearray(reply.length)), 0
    while at < len(buffer):
        got = reply.readinto(buffer[at:])
        if reply.status != 200 or got == 0:
            raise OSError(f"{reply.status}: the reply ended after {at} of {len(buffer)} bytes")
        at += got
    return buffer


class Remote:
    """The ways over HTTP, each an endless supply of numbers of pairs read."""

    def __init__(self, address: str, rank: int, world: int):
        self.host, self.rank, self.world = urlsplit(address).netloc, rank, world
        self.address, self.connection = address, http.client.HTTPConnection(self.host)
        page = json.loads(self.got("/v1/slices?limit=1000&fields=scan_id,slice"))
        self.keys = [(item["scan_id"], item["slice"]) for item in page["items"]]
        self.random = random.Random(rank)

    def reply(self, path: str, method: str = "GET", body: str | None = None):
        self.connection.request(method, path, body, {"content-type": "application/json"} if body else {})
        return self.connection.getresponse()

    def got(self, path: str) -> memoryview:
        return body(self.reply(path)) if path.startswith("/v1/scans/") else self.reply(path).read()

    def slice(self) -> str:
        scan, k = self.random.choice(self.keys)
        return f"/v1/scans/{scan}/slices/{k}"

    def png(self):
        while True:
            at = self.slice()
            for kind in ("image", "mask"):
                cv2.imdecode(np.frombuffer(self.got(f"{at}/{kind}.png"), np.uint8), cv2.IMREAD_UNCHANGED)
            yield 1

    def npy(self):
        while True:
            at = self.slice()
            for kind in ("image", "mask"):
                arrays.array(self.got(f"{at}/{kind}.npy"))
            yield 1

    def pair(self):
        while True:
            np.load(io.BytesIO(self.got(f"{self.slice()}/pair.npz")))["image"]
            yield 1

    def pair_direct(self):
        while True:
            arrays.arrays(self.got(f"{self.slice()}/pair.npz"))
            yield 1

    def batches(self):
        while True:
            items = [{"scan_id": scan, "slice": k} for scan, k in self.random.choices(self.keys, k=BATCH)]
            yield self.reply("/v1/batch?dtype=int16", "POST", json.dumps({"items": items}))

    def batch(self):
        for reply in self.batches():
            loaded = np.load(io.BytesIO(reply.read()))
            loaded["image"], loaded["mask"]
            yield BATCH

    def batch_direct(self):
        for reply in self.batches():
            arrays.arrays(body(reply))
            yield BATCH

    def epochs(self):
        for epoch in range(1_000_000):
            yield f"/v1/stream.tar?seed=1&epoch={epoch}&rank={self.rank}&world={self.world}"

    def stream_webdataset(self):
        for epoch in self.epochs():
            for sample in webdataset.WebDataset([self.address + epoch], shardshuffle=False).decode():
                sample["image.npy"], sample["mask.npy"]
                yield 1

    def stream_direct(self):
        for epoch in self.epochs():
            for _ in arrays.samples(self.reply(epoch)):
                yield 1

    def zarr(self):
        groups = {}
        for scan, _ in self.keys:
            group = zarr.open_group(f"{self.address}/v1/scans/{scan}.ome.zarr", mode="r")
            groups[scan] = group["image"], group["labels/spider/0"]
        while True:
            scan, k = self.random.choice(self.keys)
            image, mask = groups[scan]
            cv2.resize(image[k], SIZE), cv2.resize(mask[k], SIZE, interpolation=cv2.INTER_NEAREST)
            yield 1


class Local:
    """The ways from files that somebody has made before."""

    def __init__(self, folder: str, rank: int, world: int):
        self.folder, self.random = Path(folder), random.Random(rank)
        self.names = sorted(path.name.removesuffix(".image.npy") for path in self.folder.glob("*.image.npy"))

    def tar_webdataset(self):
        while True:
            for sample in webdataset.WebDataset([str(self.folder / "samples.tar")], shardshuffle=False).decode():
                sample["image.npy"], sample["mask.npy"]
                yield 1

    def tar_tarfile(self):
        while True:
            for member in (archive := tarfile.open(self.folder / "samples.tar")):
                data = archive.extractfile(member).read()
                if member.name.endswith(".npy"):
                    np.load(io.BytesIO(data))
                else:
                    yield 1

    def png_files(self):
        while True:
            name = self.random.choice(self.names)
            for kind in ("image", "mask"):
                cv2.imread(str(self.folder / f"{name}.{kind}.png"), cv2.IMREAD_UNCHANGED)
            yield 1

    def memmap(self, name: str):
        return (np.load(self.folder / f"{name}.{kind}.native.npy", mmap_mode="r") for kind in ("image", "mask"))

    def memmap_cv2(self):
        while True:
            image, mask = self.memmap(self.random.choice(self.names))
            cv2.resize(np.asarray(image), SIZE), cv2.resize(np.asarray(mask), SIZE, interpolation=cv2.INTER_NEAREST)
            yield 1

    def memmap_skimage(self):
        while True:
            image, mask = self.memmap(self.random.choice(self.names))
            resize(image, SIZE, order=1, anti_aliasing=True, preserve_range=True)
            resize(mask, SIZE, order=0, anti_aliasing=False, preserve_range=True)
            yield 1


WARM, COLD, LOCAL = "warm", "cold", "local"
REMOTE_WAYS = {
    "`image.png`, `mask.png`, OpenCV": "png",
    "`image.npy`, `mask.npy`": "npy",
    "`pair.npz`, `numpy.load`": "pair",
    "`pair.npz`, `sagittal.arrays`": "pair_direct",
    f"`batch` of {BATCH}, `numpy.load`": "batch",
    f"`batch` of {BATCH}, `sagittal.arrays`": "batch_direct",
    "`stream.tar`, webdataset": "stream_webdataset",
    "`stream.tar`, `sagittal.arrays`": "stream_direct",
    "Zarr, OpenCV": "zarr",
}
LOCAL_WAYS = {
    "local tar of npy, webdataset": "tar_webdataset",
    "local tar of npy, tarfile": "tar_tarfile",
    "local png files, OpenCV": "png_files",
    "local npy, memmap, OpenCV": "memmap_cv2",
    "local npy, memmap, scikit-image": "memmap_skimage",
}


def work(place, where, way, rank, world, seconds, ready, go, out):
    """One worker: how many pairs it read in its time."""
    way = getattr((Local if place == LOCAL else Remote)(where, rank, world), way)()
    # The way is open before its time begins.
    next(way)
    ready.release()
    go.wait()
    start, pairs = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - start) < seconds:
        pairs += next(way)
    out.put(pairs / elapsed)


def measured(place, where, way, workers, seconds) -> float:
    context = multiprocessing.get_context("fork")
    ready, go, out = context.Semaphore(0), context.Event(), context.Queue()
    started = [
        context.Process(target=work, args=(place, where, way, rank, workers, seconds, ready, go, out))
        for rank in range(workers)
    ]
    for process in started:
        process.start()
    for _ in started:
        ready.acquire(timeout=120)
    go.set()
    total = sum(out.get(timeout=120) for _ in started)
    for process in started:
        process.join()
    return total


def serve(data, folder, *flags):
    """A server, and its address."""
    command = ["demo", "--no-export", "--dir", folder] if data is None else ["serve", "--data", data]
    program = PROJECT / "target" / "release" / "sagittal"
    process = subprocess.Popen(
        [program, *command, "--listen", "127.0.0.1:0", "--log", "error", *flags], stdout=subprocess.PIPE, text=True
    )
    greeting, _, address = process.stdout.readline().strip().partition("listening on ")
    if greeting or not address:
        sys.exit(f"{program} {command[0]} did not start; what it said stands above. --data takes what `sagittal import` wrote")
    return process, address


def write_local_files(address: str, folder: Path):
    """The same pairs as files."""
    remote = Remote(address, 0, 1)
    (folder / "samples.tar").write_bytes(remote.reply("/v1/stream.tar?seed=1").read())
    for scan, k in remote.keys:
        at, name = f"/v1/scans/{scan}/slices/{k}", f"{scan}-{k:04}"
        for kind in ("image", "mask"):
            (folder / f"{name}.{kind}.npy").write_bytes(remote.got(f"{at}/{kind}.npy"))
            (folder / f"{name}.{kind}.png").write_bytes(remote.got(f"{at}/{kind}.png"))
            (folder / f"{name}.{kind}.native.npy").write_bytes(remote.got(f"{at}/{kind}.npy?size=native"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a folder that `sagittal import` filled; without it, the made-up demo")
    parser.add_argument("--seconds", type=float, default=2, help="how long each way is measured in each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", default="1,4,8")
    given = parser.parse_args()
    workers = [int(count) for count in given.workers.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        local = Path(folder) / "local"
        local.mkdir()
        servers = [serve(given.data, Path(folder) / "warm"), serve(given.data, Path(folder) / "cold", "--cache-mb", "0")]
        try:
            (_, warm), (_, cold) = servers
            write_local_files(warm, local)
            table = measured_table(given, workers, {WARM: warm, COLD: cold, LOCAL: str(local)})
        finally:
            for process, _ in servers:
                process.terminate()
                process.wait()
    print(f"| way | | {' | '.join(f'{count} processes' if count > 1 else '1 process' for count in workers)} |")
    print(f"| --- | --- |{' ---: |' * len(workers)}")
    for (name, place), rates in table.items():
        print(f"| {name} | {place} | {' | '.join(f'{statistics.median(rates[count]):,.0f}' for count in workers)} |")


def measured_table(given, workers, places):
    table = collections.defaultdict(lambda: collections.defaultdict(list))
    for _ in range(given.rounds):
        for count in workers:
            for place, where in places.items():
                for name, way in (LOCAL_WAYS if place == LOCAL else REMOTE_WAYS).items():
                    table[name, place][count].append(measured(place, where, way, count, given.seconds))
    return table


if __name__ == "__main__":
    main()
