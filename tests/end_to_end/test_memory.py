"""A server in a memory control group, as a container engine makes one: no load makes the kernel kill it.

The group has as much more than --memory-mb as docker-compose.yml gives the container.
"""

import concurrent.futures
import json
import socket
import time
from contextlib import closing

import httpx
import pytest
from control_groups import MemoryGroup
from service import Service

MEMORY_MB = 256
BESIDES_MB = 176
CLIENTS = 16
SECONDS = 4
ITEMS = 256


@pytest.fixture
def limited(program, demo):
    """A server with 256 MiB of memory, and the group that it is in."""
    with MemoryGroup((MEMORY_MB + BESIDES_MB) << 20) as group:
        command = [program, "serve", "--data", demo.data, "--memory-mb", str(MEMORY_MB)]
        with Service(command, demo.source, demo.data, preexec_fn=group.join) as service:
            yield service, group


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


def post(path: str, body: bytes, length: int | None = None) -> bytes:
    length = len(body) if length is None else length
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    return head.encode() + body


# Requests by kind: of client `n`, for a scan's URL, with a body of many slices. No two clients request the same.
LARGE = {
    "arrays": lambda n, scan, _: get(f"{scan}/slices/mid/image.npy?width=4096&height={4000 + n}&dtype=float64&filter=lanczos"),
    "images": lambda n, scan, _: get(f"{scan}/slices/mid/image.png?size=2900&filter=lanczos&window=0,{1000 + n}"),
    "overlays": lambda n, scan, _: get(f"{scan}/slices/mid/overlay.png?size=2048&outline=16&window=0,{1000 + n}"),
    "volumes": lambda n, scan, _: get(f"{scan}/image.npy?size=4096&window=0,{1000 + n}"),
    "compressed volumes": lambda n, scan, _: get(f"{scan}/image.nii.gz"),
    "pairs": lambda n, scan, _: get(f"{scan}/slices/mid/pair.npz?width=1024&height={1000 + n}&dtype=float64&context=1"),
    "batches": lambda n, scan, items: post(f"/v1/batch?width=512&height={500 + n}&dtype=float64", items),
    "streams": lambda n, scan, _: get(f"/v1/stream.tar?width=4096&height={4000 + n}&dtype=float64&filter=lanczos&seed={n}"),
}
# What comes before a request is known: heads and bodies that never end.
UNFINISHED = {
    "heads": [b"GET / HTTP/1.1\r\nHost: x\r\nX-Padding: " + b"x" * 390_000] * 400,
    "bodies": [post("/v1/batch", b"x" * 1_900_000, 2_000_000)] * 64,
}


def requests_of(service, kind: str) -> list[bytes]:
    scans = [scan["scan_id"] for scan in service.json("/v1/scans")["items"]]
    items = json.dumps({"items": [{"scan_id": scans[0], "slice": "mid"}] * ITEMS}).encode()
    return [LARGE[kind](n, f"/v1/scans/{scans[n % len(scans)]}", items) for n in range(CLIENTS)]


def send(service, request: bytes) -> socket.socket:
    """A connection on which as much of a request was sent as the server accepts."""
    url = httpx.URL(service.address)
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(60)
    connection.connect((url.host, url.port))
    connection.settimeout(0.2)
    try:
        connection.sendall(request)
    except OSError:
        pass
    return connection


def check(service, group):
    """Nothing was killed, and the server still renders small images, which others' large ones never delay."""
    assert service.is_running()
    assert group.kills() == 0
    assert service.client.get("/readyz").status_code == 200
    scan = service.json("/v1/scans")["items"][0]["scan_id"]
    deadline = time.monotonic() + 60
    while (response := service.client.get(f"/v1/scans/{scan}/slices/mid/image.png?size=100")).status_code == 503:
        assert time.monotonic() < deadline and response.headers["retry-after"]
    assert response.status_code == 200


@pytest.mark.parametrize("kind", [*LARGE, *UNFINISHED])
def test_clients_that_read_nothing_do_not_exhaust_the_memory(limited, kind):
    service, group = limited
    requests = UNFINISHED[kind] if kind in UNFINISHED else requests_of(service, kind)
    with concurrent.futures.ThreadPoolExecutor(32) as workers:
        connections = list(workers.map(lambda request: send(service, request), requests))
    try:
        time.sleep(SECONDS)
        check(service, group)
    finally:
        for connection in connections:
            connection.close()
    check(service, group)


@pytest.mark.parametrize("kind", LARGE)
def test_clients_that_read_at_full_speed_do_not_exhaust_the_memory(limited, kind):
    service, group = limited
    end = time.monotonic() + SECONDS

    def read(request: bytes) -> bytes:
        """The status of the response, once the time is over."""
        received = b""
        with closing(send(service, request)) as connection:
            connection.settimeout(0.5)
            while time.monotonic() < end:
                try:
                    piece = connection.recv(1 << 20)
                except TimeoutError:
                    # It waits for memory that others have.
                    continue
                if not piece:
                    break
                received = received or piece
        return received[9:12]

    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as workers:
        statuses = set(workers.map(read, requests_of(service, kind)))
    # Without a status: the time was over before the client's turn came.
    assert b"200" in statuses and statuses <= {b"200", b"503", b""}
    check(service, group)


def test_memory_of_a_response_is_known_from_the_request(limited):
    service, group = limited
    scan = service.json("/v1/scans")["items"][0]["scan_id"]
    for method in ("HEAD", "GET"):
        response = service.client.request(method, f"/v1/scans/{scan}/slices/mid/pair.npz?size=4096&dtype=float64&context=16")
        assert response.status_code == 413
    check(service, group)
