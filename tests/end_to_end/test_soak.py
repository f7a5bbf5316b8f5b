"""Everything at once for a while: many clients ask for everything there is while imports rewrite the same data folder. Every
answer is the one of the quiet server, and memory stays where it was after the first third.

    SAGITTAL_SOAK_SECONDS    how long [default: 20]
"""

import hashlib
import os
import random
import shutil
import subprocess
import threading
import time

import httpx
import pytest

from service import Service

SECONDS = float(os.environ.get("SAGITTAL_SOAK_SECONDS", "20"))
# Caches fill meanwhile; what is counted begins after it.
WARM_UP_SECONDS = 10
CLIENTS = 64
CACHE_MEGABYTES = 32
# Between the most of the first third and the most of the last: what is in flight differs, nothing else may.
MARGIN = 64 << 20
RETRIES = 50
SEED = 7


@pytest.fixture
def busy(program, demo, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(demo.data, data)
    with Service([program, "serve", "--data", data, "--cache-mb", str(CACHE_MEGABYTES)], demo.source, data) as service:
        yield service


def questions(service) -> list[tuple[str, str, dict | None]]:
    """Method, address and body of everything that is asked."""
    scans = service.json("/v1/scans", limit=1000)["items"]
    asked = []
    for scan in scans:
        address = f"/v1/scans/{scan['scan_id']}"
        middle = scan["shape"][0] // 2
        for k in (middle - 1, middle, "best"):
            asked += [f"{address}/slices/{k}/{file}" for file in ("image.png?size=128", "mask.png?size=256", "overlay.png?size=200")]
            asked += [f"{address}/slices/{k}/image.npy?size=native", f"{address}/slices/{k}/pair.npz?size=64&window=p1,99"]
        asked += [f"{address}/montage.png", f"{address}/slices/mid/image.png?preset=hf&size=160", f"{address}/slices", address]
        asked += [f"{address}/image.npy?size=64", f"{address}/mask.nii", f"{address}.ome.zarr/image/c/{middle}/0/0"]
    asked += [f"/v1/slices?limit={limit}&has={has}" for limit in (10, 100, 1000) for has in (201, "vertebrae")]
    asked += ["/v1/discs.csv?pfirrmann=3..5", "/v1/gradings.ndjson", "/v1/scans.parquet", "/v1/patients", "/v1/stats?by=split", "/v1/audit"]
    asked += [f"/v1/stream.tar?size=48&seed={seed}&rank=0&world=4" for seed in range(3)]
    items = [{"scan_id": scan["scan_id"], "slice": "mid"} for scan in scans]
    posted = [("POST", f"/v1/batch?size={size}&dtype=float32", {"items": items}) for size in (48, 96)]
    return [("GET", address, None) for address in asked] + posted


def digest(response: httpx.Response) -> str:
    return hashlib.sha256(response.content).hexdigest()


class Traffic:
    """What the clients share: what to ask, what is right, when to end, what went wrong."""

    def __init__(self, service):
        self.service, self.end = service, threading.Event()
        self.questions = questions(service)
        self.right = {}
        for method, address, body in self.questions:
            response = service.client.request(method, address, json=body)
            assert response.status_code == 200, f"{address}: {response.status_code}"
            self.right[address] = (digest(response), response.headers.get("etag"), response.content)
        self.counts, self.failures, self.lock = {}, [], threading.Lock()

    def client(self, seed: int):
        chance = random.Random(SEED * 1000 + seed)
        with httpx.Client(base_url=self.service.address, timeout=60) as client:
            while not self.end.is_set():
                try:
                    self.ask(client, chance)
                except Exception as error:  # A thread's own assertion would be lost.
                    with self.lock:
                        self.failures.append(repr(error))
                    return

    def ask(self, client, chance):
        method, address, body = chance.choice(self.questions)
        right, etag, content = self.right[address]
        manner = chance.choice(["whole", "known", "part"]) if etag and method == "GET" else "whole"
        first = chance.randrange(len(content))
        headers = {"known": {"If-None-Match": etag}, "part": {"Range": f"bytes={first}-{first + 999}"}}.get(manner)
        response = self.answered(client, method, address, body, headers)
        if response.status_code == 200:
            assert digest(response) == right, f"{address} is not what it was"
        elif response.status_code == 206:
            assert manner == "part" and response.content == content[first : first + 1000], address
        else:
            assert (response.status_code, manner) == (304, "known"), f"{address}: {response.status_code} {response.text[:300]}"

    def answered(self, client, method, address, body, headers) -> httpx.Response:
        """The answer, asked for again as long as the server says that it is busy and when to come back."""
        for _ in range(RETRIES):
            response = client.request(method, address, json=body, headers=headers)
            with self.lock:
                self.counts[response.status_code] = self.counts.get(response.status_code, 0) + 1
            if response.status_code != 503:
                return response
            assert response.json()["code"] in ("overloaded", "scan_replaced"), response.text
            time.sleep(float(response.headers["retry-after"]))
        raise AssertionError(f"{address} is answered with 503 only")


def imports_until(end: threading.Event, program, service, ended: list[int]):
    while not end.is_set():
        command = [program, "import", service.source, "--data", service.data, "--again", "--jobs", "1"]
        ended.append(subprocess.run(command, capture_output=True, timeout=120, check=False).returncode)


def test_mixed_traffic_during_imports(program, busy):
    traffic, imports = Traffic(busy), []
    threads = [threading.Thread(target=traffic.client, args=(n,)) for n in range(CLIENTS)]
    threads.append(threading.Thread(target=imports_until, args=(traffic.end, program, busy, imports)))
    start, samples = time.monotonic(), []
    for thread in threads:
        thread.start()
    try:
        while (now := time.monotonic() - start - WARM_UP_SECONDS) < SECONDS and not traffic.failures:
            assert busy.is_running()
            if now >= 0:
                samples.append((now, busy.resident()))
            traffic.end.wait(0.1)
    finally:
        traffic.end.set()
        for thread in threads:
            thread.join()

    assert not traffic.failures, traffic.failures[:5]
    # A server without traffic would pass the rest.
    assert {200, 206, 304} <= traffic.counts.keys() and traffic.counts.keys() <= {200, 206, 304, 503}, traffic.counts
    assert len(imports) > 1 and not any(imports), imports
    early = max(used for now, used in samples if now <= SECONDS / 3)
    late = max(used for now, used in samples if now > SECONDS * 2 / 3)
    course = [used >> 20 for _, used in samples[:: max(1, len(samples) // 20)]]
    print(f"{course} MiB")
    print(f"{traffic.counts} in {SECONDS:.0f} s, {len(imports)} imports, {early >> 20} MiB early, {late >> 20} MiB late")
    assert late - early < MARGIN, f"{early >> 20} MiB grew to {late >> 20} MiB"
    assert busy.get("/readyz").json()["scans"] == len(busy.json("/v1/scans", limit=1000)["items"])
