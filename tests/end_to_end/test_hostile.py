"""Input that is meant to do harm: requests that no browser sends, and releases that no hospital makes."""

import functools
import json
import shutil
import socket
import subprocess
import sys
import zipfile
import zlib
from urllib.parse import urlsplit

import pytest

from files import scans
from releases import copy_scans

# How long a server may say nothing before it is taken to wait for more: only then does anything here take so long.
SILENCE_SECONDS = 3
# What the bombs inflate to, and what an import of small scans may take of memory meanwhile.
BOMB_MEGABYTES = 1024
MEMORY = 256 << 20


def exchanged(service, sent: bytes) -> bytes:
    """Everything that the server says to these bytes until it closes or waits for more."""
    address = urlsplit(service.address)
    received = b""
    with socket.create_connection((address.hostname, address.port), timeout=SILENCE_SECONDS) as connection:
        try:
            connection.sendall(sent)
            while part := connection.recv(65536):
                received += part
        except (ConnectionError, TimeoutError):
            pass
    return received


def asked(service, target: str, *headers: str, method="GET") -> tuple[int, dict[str, str], bytes]:
    """One request, its target sent as it is written."""
    lines = [f"{method} {target} HTTP/1.1", "Host: x", "Connection: close", *headers]
    head, _, body = exchanged(service, ("\r\n".join(lines) + "\r\n\r\n").encode()).partition(b"\r\n\r\n")
    status, *fields = head.decode().split("\r\n")
    return int(status.split()[1]), {name.lower(): value for name, value in (f.split(": ", 1) for f in fields)}, body


UP = ["..", "%2e%2e", "%2E.", "..%2f", "..%2F..", "%2e%2e%2f", "..%5c", "%252e%252e", "....//", "..%00", "%c0%ae%c0%ae", ".%2e%3b"]
ROOTS = [
    "/{up}/{up}/{up}/{up}/etc/passwd",
    "/v1/scans/{up}/{up}/index.sqlite",
    "/v1/scans/{up}/index.sqlite",
    "/v1/scans/1_t1.ome.zarr/{up}/{up}/index.sqlite",
    "/v1/scans/1_t1.ome.zarr/image/c/{up}/{up}/{up}/{up}/index.sqlite",
    "/v1/scans/{up}%2f{up}%2fscans.ome.zarr/zarr.json",
    "/v1/exports/{up}/index.sqlite",
    "/v1/exports/{up}%2findex.sqlite",
    "/v1/exports/%2fetc%2fpasswd",
    "/v1/exports//etc/passwd",
    "/v1/patients/{up}",
    "/v1/scans/1_t1/slices/{up}/image.png",
    "/docs/{up}/{up}/etc/passwd",
    "/problems/{up}%2f{up}%2fetc%2fpasswd",
]


@pytest.mark.parametrize("root", ROOTS)
def test_no_path_leads_out(demo, root):
    for up in UP:
        target = root.format(up=up)
        status, headers, body = asked(demo, target)
        assert status in (400, 404), f"{target}: {status}"
        assert headers["content-type"] == "application/problem+json", target
        assert json.loads(body)["status"] == status
        assert b"SQLite format" not in body and b"root:" not in body
        assert str(demo.data).encode() not in body, target


OK = "GET /healthz HTTP/1.1\r\nHost: x\r\n"
POST = "POST /v1/batch HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
# Hidden behind what another server might take for the first request's body.
HIDDEN = "GET /v1/labels HTTP/1.1\r\nHost: hidden\r\nConnection: close\r\n\r\n"
CHUNKED = f"{len(HIDDEN):x}\r\n{HIDDEN}\r\n0\r\n\r\n"
SMUGGLED = {
    "length and chunks": f"{POST}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n{CHUNKED}",
    "chunks and length": f"{POST}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n{HIDDEN}",
    "two lengths": f"{POST}Content-Length: 0\r\nContent-Length: {len(HIDDEN)}\r\n\r\n{HIDDEN}",
    "two lengths in one": f"{POST}Content-Length: 0, {len(HIDDEN)}\r\n\r\n{HIDDEN}",
    "length with a sign": f"{POST}Content-Length: +0\r\n\r\n{HIDDEN}",
    "negative length": f"{POST}Content-Length: -1\r\n\r\n{HIDDEN}",
    "length in hexadecimal": f"{POST}Content-Length: 0x0\r\n\r\n{HIDDEN}",
    "length beyond numbers": f"{POST}Content-Length: 18446744073709551616\r\n\r\n{HIDDEN}",
    "chunks not last": f"{POST}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n{HIDDEN}",
    "odd chunks": f"{POST}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{HIDDEN}",
    "blank before the colon": f"{POST}Content-Length : {len(HIDDEN)}\r\n\r\n{HIDDEN}",
    "folded": f"{OK}X-Folded: a\r\n Content-Length: {len(HIDDEN)}\r\n\r\n{HIDDEN}",
    "folded first": f"GET /healthz HTTP/1.1\r\n X: a\r\nHost: x\r\n\r\n{HIDDEN}",
    "NUL in a value": f"{OK}X-Nul: a\0b\r\n\r\n{HIDDEN}",
    "NUL in a name": f"{OK}X-N\0ul: a\r\n\r\n{HIDDEN}",
    "NUL in the target": f"GET /healthz\0 HTTP/1.1\r\nHost: x\r\n\r\n{HIDDEN}",
    "carriage return alone": f"{OK}X: a\rContent-Length: {len(HIDDEN)}\r\n\r\n{HIDDEN}",
    "huge chunk": f"{POST}Transfer-Encoding: chunked\r\n\r\nffffffffffffffff0\r\n{HIDDEN}",
    "odd chunk length": f"{POST}Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n{HIDDEN}",
    "another version": f"GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n{HIDDEN}",
    "a thousand headers": OK + "".join(f"X-{n}: a\r\n" for n in range(1000)) + f"\r\n{HIDDEN}",
    "a megabyte of header": OK + f"X: {'a' * (1 << 20)}\r\n\r\n{HIDDEN}",
}


@pytest.mark.parametrize("name", SMUGGLED)
def test_a_request_that_can_be_read_two_ways_is_not_responded_twice(demo, name):
    received = exchanged(demo, SMUGGLED[name].encode())
    answers = received.count(b"HTTP/1.1 ")
    assert answers <= 1, received.decode(errors="replace")
    if answers:
        assert 400 <= int(received.split()[1]) < 500, received[:200]
    assert demo.get("/healthz").json() == {"status": "ok"}


def test_two_requests_in_one_piece_are_responded_in_turn(demo):
    """The judge above counts answers, so it must be able to see two."""
    assert exchanged(demo, f"{OK}\r\n{HIDDEN}".encode()).count(b"HTTP/1.1 200") == 2


IDS = [
    "99999999999999999999_t1", "4294967296_t1", "-1_t1", "+1_t1", "01_t1", "1_t9", "1_T1", "1_t1%00", "1_t1%0a", "1_t1%20", "%F0%9F%A6%B4",
    "%D9%A1_t1", "1%EF%BC%BFt1", "%ff%fe", "1_t1;x=1", "1_t1?", "null", "%25s%25n", "'%20OR%201=1--", "a" * 10_000, "1" * 10_000 + "_t1",
]


@pytest.mark.parametrize("id_", IDS, ids=[f"{n}" for n in range(len(IDS))])
def test_absurd_ids_are_problems(demo, id_):
    for target in [f"/v1/scans/{id_}/slices/0/image.png", f"/v1/scans/{id_}/metadata", f"/v1/patients/{id_}"]:
        if id_ == "1_t1?" and "patients" not in target:
            continue
        status, headers, body = asked(demo, target)
        assert status in (400, 404), f"{target[:100]}: {status}"
        assert headers["content-type"] == "application/problem+json"
        assert len(body) < 2 * len(target) + 1000
    status, _, _ = asked(demo, f"/v1/scans?scan_id={id_.replace('?', '%3F')}")
    assert status == 400, id_[:100]


HEADER = (
    "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\nCompressedData = True\n{size}"
    "TransformMatrix = 1 0 0 0 1 0 0 0 1\nOffset = 0 0 0\nElementSpacing = 1 1 1\nDimSize = {shape}\nElementType = MET_SHORT\n"
    "ElementDataFile = LOCAL\n"
)


@functools.cache
def bomb() -> bytes:
    """A gigabyte of nothing, deflated to a thousandth."""
    packer, zeros = zlib.compressobj(1), bytes(1 << 20)
    return b"".join(packer.compress(zeros) for _ in range(BOMB_MEGABYTES)) + packer.flush()


def mha(shape: str, body: bytes, stated=True) -> bytes:
    return HEADER.format(shape=shape, size=f"CompressedDataSize = {len(body)}\n" if stated else "").encode() + body


BOMBS = {
    "more than its header says": lambda: mha("16 16 16", bomb()),
    "more, of unstated length": lambda: mha("16 16 16", bomb(), stated=False),
    "as much as its header says": lambda: mha("1024 1024 512", bomb()),
    "a header that asks for everything": lambda: mha("2000000 2000000 2000000", b"x"),
    "a header beyond numbers": lambda: mha("18446744073709551615 2 2", b"x"),
    "a header that does not end": lambda: b"ObjectType = Image\n" + b"Comment = " + b"a" * (8 << 20),
}


@pytest.fixture
def hurt(demo, tmp_path):
    """A release of two scans, the first of which is to be replaced."""
    return copy_scans(demo.source, tmp_path / "release", scans(demo.source)[:2])


# Runs a program and tells the most memory that it had. A small process of its own: a child's account begins with what its
# parent had when it was forked.
MEASURED = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print("PEAK", resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
sys.exit(code)
"""


def refused(program, source, data, scan: str):
    """Imports both scans: one is refused by name, the other is there, and memory stayed small."""
    command = [sys.executable, "-c", MEASURED, program, "import", source, "--data", data]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    told = result.stdout + result.stderr
    assert result.returncode == 1, told
    assert "1 imported" in told and "1 refused" in told, told
    (why,) = [line for line in result.stdout.splitlines() if line.strip().startswith(f"{scan}: ")]
    assert f"{scan}.mha" in why and len(why) < 1000, why
    assert "panicked" not in told and "memory allocation" not in told
    peak = int(result.stdout.split("PEAK")[1])
    assert peak < MEMORY, f"{peak >> 20} MiB"


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_in_a_volume_is_refused_and_the_other_scan_imported(program, hurt, tmp_path, name):
    scan = scans(hurt)[0]
    (hurt / "images" / f"{scan}.mha").write_bytes(BOMBS[name]())
    refused(program, hurt, tmp_path / "data", scan)


def zipped(source, kind: str, scan: str, content: bytes):
    """The folder as an archive with one member replaced."""
    with zipfile.ZipFile(source / f"{kind}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted((source / kind).iterdir()):
            archive.writestr(f"{kind}/{file.name}", content if file.stem == scan else file.read_bytes())
    shutil.rmtree(source / kind)


def test_a_bomb_in_an_archive_is_refused_by_its_length(program, hurt, tmp_path):
    scan = scans(hurt)[0]
    zipped(hurt, "images", scan, bytes(512 << 20))
    refused(program, hurt, tmp_path / "data", scan)


def test_an_archive_that_lies_about_its_length_is_refused(program, hurt, tmp_path):
    scan = scans(hurt)[0]
    whole = (hurt / "images" / f"{scan}.mha").read_bytes()
    zipped(hurt, "images", scan, whole + bytes(512 << 20))
    archive = hurt / "images.zip"
    content = bytearray(archive.read_bytes())
    # The first member's length, in its own header and in the directory: that of the volume without what follows it.
    for place in (22, content.index(b"PK\1\2") + 24):
        assert int.from_bytes(content[place : place + 4], "little") == len(whole) + (512 << 20)
        content[place : place + 4] = len(whole).to_bytes(4, "little")
    archive.write_bytes(content)
    refused(program, hurt, tmp_path / "data", scan)
