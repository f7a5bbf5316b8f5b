"""Connections as clients keep, half-close and misuse them: raw sockets against the program."""

import http.client
import socket
import subprocess
import time
from contextlib import closing, contextmanager

import httpx
import pytest

from service import Service

GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
PATIENCE = 30


@contextmanager
def served(program, demo, *flags):
    """One more server over the demo's data."""
    with Service([program, "serve", "--data", demo.data, *flags], demo.source, demo.data) as service:
        yield service


def connected(service) -> socket.socket:
    url = httpx.URL(service.address)
    return socket.create_connection((url.host, url.port), timeout=PATIENCE)


def received(sock: socket.socket) -> bytes:
    """Everything until the other end closes."""
    parts = []
    try:
        while part := sock.recv(1 << 16):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def exchanged(service, request: bytes, half_close=False) -> bytes:
    """The response to one request on a connection of its own, which the server is asked to close."""
    with closing(connected(service)) as sock:
        sock.sendall(request)
        if half_close:
            sock.shutdown(socket.SHUT_WR)
        return received(sock)


def read_response(sock: socket.socket) -> bytes:
    """The status line and headers of a response whose body is read, too."""
    response = http.client.HTTPResponse(sock)
    response.begin()
    response.read()
    return response


# Host.


@pytest.mark.parametrize(("hosts", "status"), [
    ([b"x"], 200),
    ([b"127.0.0.1:8080"], 200),
    ([b"[::1]:1"], 200),
    ([b""], 200),
    ([], 400),
    ([b"x", b"x"], 400),
    ([b"x", b"y"], 400),
    ([b"a b"], 400),
    ([b"x/y"], 400),
    ([b"u@x"], 400),
    ([b"x:y"], 400),
    ([b"x:99999"], 400),
    ([b"\xfc"], 400),
])
def test_a_request_has_one_valid_host(demo, hosts, status):
    lines = b"".join(b"Host: " + host + b"\r\n" for host in hosts)
    answer = exchanged(demo, b"GET /v1/labels HTTP/1.1\r\n" + lines + b"Connection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer[:300]
    if status == 400:
        assert b'"code":"invalid_host"' in answer and b"x-request-id: " in answer


def test_http_1_0_needs_no_host_but_has_no_two(demo):
    assert exchanged(demo, b"GET /healthz HTTP/1.0\r\n\r\n").split()[1] == b"200"
    assert exchanged(demo, b"GET /healthz HTTP/1.0\r\nHost: x\r\nHost: x\r\n\r\n").split()[1] == b"400"


# Closing one's own side.


@pytest.mark.parametrize("path", ["/healthz", "/v1/scans/1_t1/image.npy", "/v1/scans/1_t1/slices/mid/overlay.png?size=1500&outline=8"])
def test_a_client_that_has_nothing_more_to_send_gets_its_answer(demo, path):
    answer = exchanged(demo, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode(), half_close=True)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), answer[:300]
    assert body == demo.get(path).content


def test_a_body_that_ends_early_is_a_problem(demo):
    head = b"POST /v1/batch HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{"
    answer = exchanged(demo, head, half_close=True)
    assert answer == b"" or b" 400 " in answer.split(b"\r\n")[0], answer[:300]


# Bodies that wait for permission.


def test_a_body_that_is_too_large_is_refused_before_it_is_sent(program, demo):
    with served(program, demo, "--max-body-bytes", "1000") as service:
        def first_line(length):
            head = f"POST /v1/batch HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nExpect: 100-continue\r\n\r\n"
            with closing(connected(service)) as sock:
                sock.sendall(head.encode())
                return sock.recv(1 << 16).split(b"\r\n")[0]

        assert first_line(1000) == b"HTTP/1.1 100 Continue"
        assert first_line(1001) == b"HTTP/1.1 413 Payload Too Large"
        assert first_line(1 << 40) == b"HTTP/1.1 413 Payload Too Large"


# Bodies that nobody reads.


def posted(path: str, length: int, *headers: str, method="POST") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: x", f"Content-Length: {length}", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


@pytest.mark.parametrize(("path", "headers", "status"), [
    ("/v1/batch", [], 415),
    ("/v1/nothing", [], 404),
    ("/v1/labels", [], 405),
    ("/v1/scans/none/evaluation", ["Content-Type: application/octet-stream"], 404),
    ("/v1/batch", ["Content-Type: application/json", f"Accept-Encoding: {'x' * 70_000}"], 431),
])
def test_a_response_to_a_body_that_was_not_read_says_that_the_connection_ends(demo, path, headers, status):
    with closing(connected(demo)) as sock:
        sock.sendall(posted(path, 100, *headers))
        # The body is sent when the response is on its way, as a client does that has not looked yet.
        response = read_response(sock)
        sock.sendall(b" " * 100)
        assert response.status == status and response.getheader("connection") == "close"
        assert received(sock) == b""


def test_a_refused_token_with_a_body_ends_the_connection(program, demo, tmp_path):
    (tmp_path / "tokens").write_text(subprocess.run([program, "token", "ann"], capture_output=True, text=True).stdout)
    with served(program, demo, "--token-file", tmp_path / "tokens") as service, closing(connected(service)) as sock:
        sock.sendall(posted("/v1/batch", 100, "Content-Type: application/json"))
        response = read_response(sock)
        assert response.status == 401 and response.getheader("connection") == "close"


@pytest.mark.parametrize(("body", "status"), [(b'{"items": [{"scan_id": "SCAN", "slice": 0}]}', 200), (b"[", 400)])
def test_a_connection_goes_on_after_a_body_that_was_read(demo, body, status):
    body = body.replace(b"SCAN", demo.json("/v1/scans")["items"][0]["scan_id"].encode())
    with closing(connected(demo)) as sock:
        for _ in range(2):
            sock.sendall(posted("/v1/batch?size=16", len(body), "Content-Type: application/json"))
            sock.sendall(body)
            response = read_response(sock)
            assert (response.status, response.getheader("connection")) == (status, None)


# Idling.


def test_a_connection_may_idle_longer_than_a_head_may_take(program, demo):
    with served(program, demo, "--header-seconds", "0.5", "--keep-alive-seconds", "60") as service:
        url = httpx.URL(service.address)
        client = http.client.HTTPConnection(url.host, url.port, timeout=PATIENCE)
        for pause in (0, 1.5, 1.5):
            time.sleep(pause)
            # Plain http.client, as loaders of training data use it, makes no second attempt.
            client.request("GET", "/healthz")
            assert client.getresponse().read()
        client.close()


@pytest.mark.parametrize("earlier", [0, 1])
def test_a_head_that_has_begun_ends_in_time(program, demo, earlier):
    with served(program, demo, "--header-seconds", "0.5", "--keep-alive-seconds", "3600") as service:
        with closing(connected(service)) as sock:
            for _ in range(earlier):
                sock.sendall(GET)
                assert read_response(sock).status == 200
            sock.sendall(GET[:20])
            assert received(sock) == b""


def test_a_new_connection_sends_its_first_head_in_time(program, demo):
    with served(program, demo, "--header-seconds", "0.5", "--keep-alive-seconds", "3600") as service:
        with closing(connected(service)) as sock:
            assert received(sock) == b""


def test_a_connection_that_idles_too_long_is_closed(program, demo):
    with served(program, demo, "--header-seconds", "3600", "--keep-alive-seconds", "0.5") as service:
        with closing(connected(service)) as sock:
            sock.sendall(GET)
            assert read_response(sock).status == 200
            assert received(sock) == b""
