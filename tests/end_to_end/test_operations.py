"""The service as its operator meets it: who is let in, what it refuses, what it tells, how it stops."""

import concurrent.futures
import hashlib
import hmac
import http.server
import io
import json
import re
import signal
import socket
import subprocess
import threading
import time
from contextlib import closing, contextmanager

import httpx
import numpy as np
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from service import Service

PICTURE = "/v1/scans/1_t1/slices/mid/image.png"


@contextmanager
def served(program, demo, *flags):
    """One more server over the demo's data."""
    with Service([program, "serve", "--data", demo.data, *flags], demo.source, demo.data) as service:
        yield service


def minted(program, name) -> tuple[str, str]:
    """Line for the file, and token."""
    made = subprocess.run([program, "token", name], capture_output=True, text=True, timeout=60, check=True)
    return made.stdout.strip(), made.stderr.split()[-1]


def code(response: httpx.Response) -> str:
    assert response.headers["content-type"] == "application/problem+json", response.text
    return response.json()["code"]


def connected(service) -> socket.socket:
    url = httpx.URL(service.address)
    return socket.create_connection((url.host, url.port), timeout=30)


def received(sock: socket.socket) -> bytes:
    """Everything until the other end closes."""
    parts = []
    try:
        while part := sock.recv(1 << 16):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


# Who is let in.

SECRET = "2b1d0e9c8f7a6b5c4d3e2f1a0b9c8d7e"


@pytest.fixture(scope="module")
def guarded(program, demo, tmp_path_factory):
    """A server that requires tokens, its token file, and the tokens of ann and ben. It signs with SECRET."""
    folder = tmp_path_factory.mktemp("tokens")
    file, secret = folder / "tokens", folder / "secret"
    (ann_line, ann), (ben_line, ben) = minted(program, "ann"), minted(program, "ben")
    file.write_text(f"# the team\n{ann_line}\n{ben_line}\n")
    secret.write_text(f"{SECRET}\n")
    with served(program, demo, "--token-file", file, "--signing-secret-file", secret) as service:
        yield service, file, ann, ben


def test_the_file_holds_digests_and_no_token(guarded):
    _, file, ann, _ = guarded
    assert ann not in file.read_text() and hashlib.sha256(ann.encode()).hexdigest() in file.read_text()


def test_nothing_but_health_is_reported_without_a_token(guarded, demo):
    service, _, _, _ = guarded
    paths = [p for p in demo.json("/openapi.json")["paths"] if "{" not in p] + ["/", "/r/1/v1/scans", "/v1/scans/1_t1.ome.zarr/zarr.json"]
    for path in paths:
        response = service.client.get(path)
        if path in ("/healthz", "/readyz"):
            assert response.status_code == 200
        else:
            assert (response.status_code, code(response)) == (401, "unauthorized"), path
            challenges = response.headers.get_list("www-authenticate")
            assert [challenge.split()[0] for challenge in challenges] == ["Bearer", "Basic"]


def test_a_token_opens_everything_as_bearer_and_as_password(guarded, demo):
    service, _, ann, ben = guarded
    expected = demo.get(PICTURE).content
    for headers in ({"authorization": f"Bearer {ann}"}, {"authorization": f"bearer {ben}"}):
        assert service.client.get(PICTURE, headers=headers).content == expected
    assert service.client.get(PICTURE, auth=("whoever", ann)).content == expected
    for wrong in (ann[:-1], ann.upper(), hashlib.sha256(ann.encode()).hexdigest(), "x"):
        response = service.client.get(PICTURE, headers={"authorization": f"Bearer {wrong}"})
        assert (response.status_code, code(response)) == (401, "unauthorized")


def test_what_is_behind_a_token_is_not_for_shared_caches(guarded, demo):
    service, _, ann, _ = guarded
    headers = {"authorization": f"Bearer {ann}"}
    revision = service.client.get("/v1/dataset", headers=headers).json()["revision"]
    for path in (PICTURE, f"/r/{revision}{PICTURE}"):
        assert "public" not in service.client.get(path, headers=headers).headers["cache-control"]
        assert "public" in demo.get(path).headers["cache-control"]


def test_pages_elsewhere_may_ask_read_and_learn_why_they_are_refused(guarded):
    service, _, ann, _ = guarded
    page = {"origin": "https://elsewhere.example"}
    wishes = {"access-control-request-method": "GET", "access-control-request-headers": "authorization,range"}
    preflight = service.client.options(PICTURE, headers=page | wishes)
    assert preflight.status_code == 200 and preflight.headers["access-control-allow-origin"] == "*"
    assert {"authorization", "range"} <= set(preflight.headers["access-control-allow-headers"].split(","))
    refused = service.client.get(PICTURE, headers=page)
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, "*")
    # What scripts may read unasked (https://fetch.spec.whatwg.org/#cors-safelisted-response-header-name), and what caches read.
    unasked = {"cache-control", "content-length", "content-type"} | {"cross-origin-resource-policy", "date", "vary"}
    for path in (PICTURE, "/v1/scans/1_t1/discs/201/patch.npy", "/v1/scans/1_t1/image.npy", "/v1/scans?limit=1"):
        answer = service.client.get(path, headers=page | {"authorization": f"Bearer {ann}", "want-repr-digest": "sha-256=1"})
        exposed = set(answer.headers["access-control-expose-headers"].split(","))
        told = {name for name in answer.headers if not name.startswith("access-control-")} - unasked
        assert told <= exposed, f"{path}: pages elsewhere cannot read {told - exposed}"


def test_a_signed_url_opens_one_image_for_a_while(guarded, demo):
    service, file, ann, _ = guarded
    target = f"{PICTURE}?size=64&window=auto"
    asked = service.client.get("/v1/signed", params={"url": target}, headers={"authorization": f"Bearer {ann}"})
    signed = asked.json()
    assert time.time() < signed["expires"] <= time.time() + 3600
    assert service.client.get(signed["url"]).content == demo.get(target).content
    # Anybody who knows the documented recipe, the file and the secret can make one.
    digest = hashlib.sha256(ann.encode()).hexdigest()

    def address(target, expires, secret=SECRET.encode()):
        made = hmac.new(secret, f"sagittal url\n{digest}\n{expires}\n{target}".encode(), "sha256").hexdigest()
        return f"{target}&signed_by=ann&expires={expires}&signature={made}"

    assert signed["url"] == address(target, signed["expires"])
    refused = [
        address(target, int(time.time()) - 1),
        address(target, int(time.time()) + 8 * 24 * 3600),
        # What is in the token file is no secret.
        address(target, signed["expires"], bytes.fromhex(digest)),
        address(target, signed["expires"], digest.encode()),
        address(target, signed["expires"], b""),
        signed["url"].replace("size=64", "size=65"),
        signed["url"].replace("1_t1", "1_t2"),
        signed["url"].replace("ann", "ben"),
        signed["url"] + "&size=1",
        address("/v1/signed?url=/v1/labels", signed["expires"]),
    ]
    for each in refused:
        response = service.client.get(each)
        assert (response.status_code, code(response)) == (403, "signature_invalid"), each
    posted = service.client.post(signed["url"])
    assert (posted.status_code, code(posted)) == (403, "signature_invalid")
    assert service.client.get(f"/v1/signed?url={PICTURE}").status_code == 401


def test_tokens_come_and_go_without_a_restart(program, demo, tmp_path):
    file, (ann_line, ann), (ben_line, ben) = tmp_path / "tokens", minted(program, "ann"), minted(program, "ben")
    file.write_text(ann_line)
    with served(program, demo, "--token-file", file) as service:
        def allowed(token) -> bool:
            return service.client.get("/v1/labels", headers={"authorization": f"Bearer {token}"}).status_code == 200

        def becomes(*expected):
            deadline = time.monotonic() + 30
            while (found := (allowed(ann), allowed(ben))) != expected and time.monotonic() < deadline:
                time.sleep(0.05)
            assert found == expected

        becomes(True, False)
        file.write_text(f"{ann_line}\n{ben_line}")
        becomes(True, True)
        file.write_text("not a token")
        file.write_text(f"{ben_line}\n")
        becomes(False, True)


@pytest.mark.parametrize(("flags", "hint"), [
    (["--listen", "0.0.0.0:0"], "--token-file"),
    (["--listen", "[::]:0"], "--allow-anonymous"),
    (["--token-file", "/nowhere/tokens"], "/nowhere/tokens"),
])
def test_what_would_let_anybody_in_is_refused(program, demo, flags, hint):
    started = subprocess.run([program, "serve", "--data", demo.data, *flags], capture_output=True, text=True, timeout=60, check=False)
    assert started.returncode == 2 and hint in started.stderr


@pytest.mark.parametrize(("text", "hint"), [("", "sagittal token"), ("ann abc", "line 1"), ("# x\n\nann", "line 3")])
def test_a_token_file_that_is_none_is_refused(program, demo, tmp_path, text, hint):
    (tmp_path / "tokens").write_text(text)
    started = subprocess.run(
        [program, "serve", "--data", demo.data, "--token-file", tmp_path / "tokens"], capture_output=True, text=True, timeout=60, check=False
    )
    assert started.returncode == 2 and hint in started.stderr


# What it refuses.


def test_an_url_that_is_too_long_is_refused(program, demo):
    with served(program, demo, "--max-url-bytes", "300") as service:
        assert service.client.get("/v1/scans?scan_type=" + "t1," * 80 + "t1").status_code == 200
        response = service.client.get("/v1/scans?scan_type=" + "t1," * 100 + "t1")
        assert (response.status_code, code(response)) == (414, "url_too_long")


def test_batches_and_bodies_have_their_limits(program, demo):
    with served(program, demo, "--max-body-bytes", "1000", "--max-batch", "3", "--body-seconds", "0.5") as service:
        def posted(count, **more):
            return service.client.post("/v1/batch", json={"items": [{"scan_id": "1_t1", "slice": 0}] * count, **more})

        assert np.load(io.BytesIO(posted(3).content))["image"].shape[0] == 3
        assert code(posted(4)) == "invalid_body"
        response = posted(100)
        assert (response.status_code, code(response)) == (413, "body_too_large")
        with closing(connected(service)) as slow:
            slow.sendall(b"POST /v1/batch HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 50\r\n\r\n{")
            answer = slow.recv(1 << 16)
        assert b" 408 " in answer and b"body_too_slow" in answer


def test_who_is_still_sending_too_much_hears_why_it_is_refused(program, demo):
    """Closing while something is still to be read would reset the connection, and the reset overtake the answer."""
    with served(program, demo, "--max-body-bytes", "1000") as service:
        for _ in range(20):
            with closing(connected(service)) as sender:
                head = f"POST /v1/batch HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {8 << 20}\r\n\r\n"
                sender.sendall(head.encode() + b" " * (8 << 20))
                sender.shutdown(socket.SHUT_WR)
                answer = received(sender)
            assert b" 413 " in answer and b"body_too_large" in answer


def test_connections_that_never_finish_their_headers_stop_nobody(program, demo):
    with served(program, demo, "--header-seconds", "10") as service:
        half_open = [connected(service) for _ in range(1000)]
        try:
            for sock in half_open:
                sock.sendall(b"GET /v1/scans HTTP/1.1\r\nhost: x\r\n")
            assert service.get(PICTURE).content
            assert families(service)["sagittal_connections"] >= 1000
            for sock in half_open:
                received(sock)
        finally:
            for sock in half_open:
                sock.close()
        assert service.get("/healthz")


def test_more_connections_than_allowed_hear_that_at_once(program, demo):
    with served(program, demo, "--max-connections", "4") as service:
        held = [connected(service) for _ in range(4)]
        for sock in held:
            sock.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
            assert b" 200 " in sock.recv(1 << 16)
        with closing(connected(service)) as fifth:
            fifth.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
            fifth.shutdown(socket.SHUT_WR)
            answer = received(fifth)
        assert b" 503 " in answer and b"retry-after: 1" in answer and b"overloaded" in answer
        held.pop().close()
        assert eventually(lambda: service.client.get("/healthz").status_code == 200)
        for sock in held:
            sock.close()


def test_a_client_that_stops_reading_is_hung_up_on(program, demo):
    with served(program, demo, "--write-seconds", "0.5") as service:
        with closing(connected(service)) as stuck:
            stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            stuck.sendall(b"GET /v1/stream.tar HTTP/1.1\r\nhost: x\r\n\r\n")
            # The answer began, and is far longer than what buffers on the way take: it ends by being broken off or never.
            length = int(re.search(rb"content-length: (\d+)", stuck.recv(4096))[1])
            assert length > 20_000_000
            assert eventually(lambda: families(service)["sagittal_connections"] == 1)


def test_overload_is_refused_quickly_while_health_and_kept_images_are_served(program, demo):
    with served(program, demo, "--queue", "1", "--render-threads", "1") as service:
        kept = service.get(PICTURE).content
        stop, statuses, retry = threading.Event(), set(), set()

        def press(worker):
            with httpx.Client(base_url=service.address, timeout=60) as client:
                n = 0
                while not stop.is_set():
                    n += 1
                    answer = client.get(f"{PICTURE}?size={600 + (worker * 97 + n) % 1400}&filter=lanczos")
                    statuses.add(answer.status_code)
                    retry.add((answer.status_code, answer.headers.get("retry-after")))

        with concurrent.futures.ThreadPoolExecutor(12) as workers:
            pressing = [workers.submit(press, worker) for worker in range(12)]
            try:
                assert eventually(lambda: {200, 503} <= statuses)
                for _ in range(50):
                    assert service.get("/healthz") and service.get(PICTURE).content == kept
            finally:
                stop.set()
            for each in pressing:
                each.result()
        assert statuses == {200, 503} and retry == {(200, None), (503, "1")}
        assert families(service)["sagittal_renders_refused_total"] > 0


# What it tells.


def families(service) -> dict[str, float]:
    """The samples of /metrics, by name and labels."""
    text = service.get("/metrics").text
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    named = {}
    for sample in samples:
        labels = ",".join(f"{key}={value}" for key, value in sorted(sample.labels.items()))
        named[sample.name + ("{" + labels + "}" if labels else "")] = sample.value
    return named


def eventually(holds) -> bool:
    """Whether it holds before long; what is waited for is the condition, the time only ends a test that fails."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.02)
    return False


def test_metrics_count_what_was_requested(program, demo):
    with served(program, demo) as service:
        before = families(service)
        for _ in range(3):
            service.get(PICTURE)
        service.client.get("/v1/scans/999_t1")
        service.client.get("/nowhere/1")
        service.client.get("/nowhere/2")
        after = families(service)
        route = "/v1/scans/{id}/slices/{k}/image.png"
        assert after[f"sagittal_requests_total{{method=GET,route={route},status=200}}"] == 3
        assert after["sagittal_requests_total{method=GET,route=/v1/scans/{id},status=404}"] == 1
        assert after["sagittal_requests_total{method=GET,route=none,status=404}"] == 2
        assert after[f"sagittal_request_duration_seconds_count{{route={route}}}"] == 3
        assert after["sagittal_renders_total"] - before["sagittal_renders_total"] == 1
        assert after["sagittal_render_cache_hits_total"] - before["sagittal_render_cache_hits_total"] == 2
        dataset = service.json("/v1/dataset")
        told = {name: after[f"sagittal_{name}"] for name in ("scans", "scans_imported", "slices", "index_revision")}
        assert told == {"scans": dataset["scans"], "scans_imported": dataset["volumes"], "slices": dataset["slices"], "index_revision": dataset["revision"]}
        # Both requests for metrics were in flight while they were answered.
        assert after["sagittal_requests_in_flight"] == 1 and after["sagittal_render_queue_limit"] > 0


def test_every_request_has_a_name_in_answer_problem_and_log(program, demo, tmp_path):
    with served(program, demo, "--log", "debug", "--log-json") as service:
        given = service.client.get("/v1/scans/999_t1", headers={"x-request-id": "run-7"})
        assert given.headers["x-request-id"] == given.json()["request_id"] == "run-7"
        names = [service.get("/healthz").headers["x-request-id"] for _ in range(3)]
        assert len(set(names)) == 3
        odd = service.client.get("/healthz", headers={"x-request-id": "x" * 200})
        assert odd.headers["x-request-id"] != "x" * 200
        lines = [json.loads(line) for line in service.log().splitlines() if line.startswith("{")]
    spans = [line["span"] for line in lines if line.get("fields", {}).get("message") == "answered"]
    [span] = [span for span in spans if span["id"] == "run-7"]
    assert span["path"] == "/v1/scans/999_t1"


def test_neither_tokens_nor_signatures_are_logged(program, demo, tmp_path):
    line, token = minted(program, "ann")
    (tmp_path / "tokens").write_text(line)
    with served(program, demo, "--log", "trace", "--token-file", tmp_path / "tokens") as service:
        headers = {"authorization": f"Bearer {token}"}
        signed = service.client.get("/v1/signed", params={"url": PICTURE}, headers=headers).json()["url"]
        assert service.client.get(signed).status_code == 200
        assert service.client.get(PICTURE, auth=("x", token)).status_code == 200
        log = service.log()
    assert PICTURE in log
    assert token not in log and signed.partition("signature=")[2] not in log


def test_an_url_under_its_revision_may_be_kept_for_ever(demo):
    revision = demo.json("/v1/dataset")["revision"]
    plain, pinned = demo.get(PICTURE), demo.get(f"/r/{revision}{PICTURE}")
    assert pinned.content == plain.content and pinned.headers["etag"] == plain.headers["etag"]
    assert pinned.headers["cache-control"] == "public, max-age=31536000, immutable"
    again = demo.client.get(f"/r/{revision}{PICTURE}", headers={"if-none-match": plain.headers["etag"]})
    assert again.status_code == 304 and "immutable" in again.headers["cache-control"]
    missing = demo.client.get(f"/r/{revision}/v1/scans/999_t1")
    assert missing.status_code == 404 and missing.headers["cache-control"] == "no-store"
    for other, status, code in ((revision - 1, 410, "revision_gone"), (revision + 1, 404, "unknown_revision")):
        answer = demo.client.get(f"/r/{other}{PICTURE}?size=64&window=auto")
        assert (answer.status_code, answer.json()["code"], answer.headers["cache-control"]) == (status, code, "no-store")
        assert answer.json()["current_url"] == f"/r/{revision}{PICTURE}?size=64&window=auto"


# How it stops.


def test_a_stopping_server_drops_no_request(program, demo):
    """Clients that go on to another server once this one says farewell lose nothing."""
    with served(program, demo, "--shutdown-delay-seconds", "1.5") as service:
        outcomes, ready, started = [], [], threading.Barrier(9)

        def ask(worker):
            with httpx.Client(base_url=service.address, timeout=60) as client:
                started.wait()
                n = 0
                while True:
                    n += 1
                    answer = client.get(f"{PICTURE}?size={64 + (worker * 31 + n) % 500}")
                    outcomes.append((answer.status_code, len(answer.content) == int(answer.headers["content-length"])))
                    if answer.headers.get("connection") == "close":
                        return

        with concurrent.futures.ThreadPoolExecutor(8) as workers:
            asking = [workers.submit(ask, worker) for worker in range(8)]
            started.wait()
            assert eventually(lambda: len(outcomes) > 20)
            # A long answer that is under way.
            with closing(connected(service)) as long:
                long.sendall(b"GET /v1/stream.tar HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
                head = long.recv(200)
                service.signal(signal.SIGTERM)
                assert eventually(lambda: ready.append(service.client.get("/readyz").status_code) or ready[-1] == 503)
                answer = head + received(long)
            for each in asking:
                each.result()
        assert set(outcomes) == {(200, True)}
        start = answer.index(b"\r\n\r\n") + 4
        assert len(answer) - start == int(re.search(rb"content-length: (\d+)", answer)[1])
        assert service.exit_code() == 0


def test_a_stopping_server_waits_until_its_last_answer_was_heard(program, demo):
    """What the kernel still holds when a container's only process ends is lost with the container's network."""
    with served(program, demo, "--shutdown-delay-seconds", "0.001", "--drain-seconds", "60") as service:
        with closing(connected(service)) as slow, closing(connected(service)) as idle:
            idle.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
            assert b" 200 " in idle.recv(1 << 16)
            slow.sendall(b"GET /v1/scans/1_t1/image.npy?size=512 HTTP/1.1\r\nhost: x\r\n\r\n")
            answer = bytearray(slow.recv(1 << 10))
            service.signal(signal.SIGTERM)
            head = answer.index(b"\r\n\r\n") + 4
            whole = head + int(re.search(rb"content-length: (\d+)", answer)[1])
            # The last bytes lie in the client's buffer: the server is done, the client is not.
            while len(answer) < whole - 50_000:
                answer += slow.recv(min(1 << 16, whole - 50_000 - len(answer)))
            with pytest.raises(subprocess.TimeoutExpired):
                service.exit_code(within=2)
            answer += received(slow)
            assert len(answer) == whole
        # Nobody waits for the connection that idles.
        assert service.exit_code(within=5) == 0


# What it sends.


def test_a_collector_is_reported_of_every_request(program, demo):
    sent = []

    class Collector(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            sent.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector) as collector:
        threading.Thread(target=collector.serve_forever, daemon=True).start()
        with served(program, demo, "--otlp", f"http://127.0.0.1:{collector.server_port}") as service:
            sender = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
            service.client.get("/v1/scans/999_t1", headers={"x-request-id": "probe-1", **sender})
            service.signal(signal.SIGINT)
            assert service.exit_code() == 0
        collector.shutdown()
    assert {path for path, _ in sent} == {"/v1/traces"}
    spans = b"".join(body for _, body in sent)
    assert b"probe-1" in spans and b"/v1/scans/999_t1" in spans
    # Trace and parent, as bytes, are those that the client's header names.
    assert bytes.fromhex("0af7651916cd43dd8448eb211c80319c") in spans and bytes.fromhex("b7ad6b7169203331") in spans
