"""The caching proxy of docker-compose's profile "cache": nginx with deploy/nginx.conf before two real servers."""

import io
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest
import SimpleITK as sitk

from proxy import Proxy
from releases import copy_scans
from service import Service

PICTURE = "/v1/scans/1_t1/slices/{}/image.png?size={}"
SCANS = ("1_t1", "1_t2")
CROWD = 50


@pytest.fixture(scope="module")
def release(demo, tmp_path_factory):
    """Two small scans that may be changed."""
    return copy_scans(demo.source, tmp_path_factory.mktemp("proxied") / "release", SCANS)


def imported(program, release, data, *flags):
    result = subprocess.run(
        [program, "import", release, "--data", data, *flags], capture_output=True, text=True, timeout=300, check=False
    )
    assert result.returncode == 0, result.stderr


@pytest.fixture
def data(program, release, tmp_path):
    imported(program, release, tmp_path / "data")
    return tmp_path / "data"


def server(program, release, data, *flags) -> Service:
    return Service([program, "serve", "--data", data, *flags], release, data)


@pytest.fixture
def replicas(program, release, data):
    with server(program, release, data) as first, server(program, release, data) as second:
        yield [first, second]


@pytest.fixture
def proxy(replicas, tmp_path):
    with Proxy(tmp_path / "nginx", replicas) as running:
        yield running


def drawn(replicas) -> int:
    """Pictures that the servers have drawn."""
    lines = [line for replica in replicas for line in replica.get("/metrics").text.splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith("sagittal_renders_total "))


def revision(proxy) -> int:
    return proxy.get("/v1/dataset").json()["revision"]


def test_a_image_comes_from_the_cache_the_second_time(proxy, replicas):
    path = PICTURE.format(3, 64)
    first, second = proxy.get(path), proxy.get(path)
    assert [first.headers["x-cache-status"], second.headers["x-cache-status"]] == ["MISS", "HIT"]
    assert first.content == second.content == replicas[0].get(path).content
    assert first.headers["etag"] == second.headers["etag"]
    assert "server-timing" in first.headers and "server-timing" not in second.headers
    known = proxy.get(path, if_none_match=first.headers["etag"])
    assert (known.status_code, known.content, known.headers["x-cache-status"]) == (304, b"", "HIT")


def test_a_crowd_that_misses_costs_one_rendering(proxy, replicas):
    before, path = drawn(replicas), PICTURE.format(4, 1500)
    together = threading.Barrier(CROWD)

    def ask(_):
        together.wait()
        return httpx.get(proxy.address + path, timeout=60)

    with ThreadPoolExecutor(CROWD) as crowd:
        answers = list(crowd.map(ask, range(CROWD)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert drawn(replicas) - before == 1
    # Nobody was let past the lock to a server, where the single flight would have hidden it.
    assert sorted(answer.headers["x-cache-status"] for answer in answers) == ["HIT"] * (CROWD - 1) + ["MISS"]


def test_a_image_always_goes_to_the_same_server(proxy, replicas):
    for size in range(40, 80):
        for _ in range(3):
            # With a token, past the proxy's cache.
            proxy.get(PICTURE.format(2, size), authorization="Bearer any")
    shares = [drawn([replica]) for replica in replicas]
    assert sum(shares) == 40 and min(shares) > 0, shares


def test_after_an_import_unchanged_images_are_revalidated_and_changed_ones_fetched(program, release, data, proxy, replicas):
    unchanged, changed = PICTURE.format(3, 64), PICTURE.format(3, 64).replace("1_t1", "1_t2")
    before, old = proxy.get(unchanged), proxy.get(changed)
    number = revision(proxy)
    image = sitk.ReadImage(str(release / "images" / "1_t2.mha"))
    sitk.WriteImage(sitk.Cast(image // 2, image.GetPixelID()), str(release / "images" / "1_t2.mha"), useCompression=True)
    imported(program, release, data)
    for replica in replicas:
        wait_until(lambda replica=replica: replica.json("/v1/dataset")["revision"] > number)
    # Within their time, pictures are those that the cache has.
    assert proxy.status(unchanged) == proxy.status(changed) == "HIT"
    proxy.age()
    drawn_before = drawn(replicas)
    again, new = proxy.get(unchanged), proxy.get(changed)
    assert again.headers["x-cache-status"] == "REVALIDATED" and again.content == before.content
    assert new.headers["x-cache-status"] == "EXPIRED" and new.content != old.content
    assert new.content == replicas[1].get(changed).content
    assert drawn(replicas) - drawn_before in (1, 2)
    assert proxy.status(unchanged) == proxy.status(changed) == "HIT"


def test_responses_under_a_revision_are_kept_for_good_and_an_old_revision_is_gone(program, release, data, proxy, replicas):
    number = revision(proxy)
    paths = [f"/r/{number}{path}" for path in (PICTURE.format(3, 64), "/v1/scans", "/v1/scans/1_t1/mask.npy")]
    answers = [proxy.get(path) for path in paths]
    assert [answer.headers["x-cache-status"] for answer in answers] == ["MISS"] * 3
    assert {answer.headers["cache-control"] for answer in answers} == {"public, max-age=31536000, immutable"}
    imported(program, release, data, "--again")
    for replica in replicas:
        wait_until(lambda replica=replica: replica.json("/v1/dataset")["revision"] > number)
    # What was kept stays, also after an import: it is what these addresses said.
    for path, answer in zip(paths, answers, strict=True):
        kept = proxy.get(path)
        assert (kept.headers["x-cache-status"], kept.content) == ("HIT", answer.content)
    stale = proxy.client.get(f"/r/{number}{PICTURE.format(3, 65)}")
    assert (stale.status_code, stale.headers["cache-control"]) == (410, "no-store")
    followed = proxy.client.get(stale.json()["current_url"])
    assert (followed.status_code, followed.headers["x-cache-status"]) == (200, "MISS")


def wait_until(holds, seconds=30):
    done = threading.Event()
    for _ in range(seconds * 20):
        if holds():
            return
        done.wait(0.05)
    raise AssertionError(f"did not come within {seconds} s")


def test_no_request_fails_when_a_server_is_killed(proxy, replicas):
    asked = [PICTURE.format(slice_, size) for slice_ in (1, 2, 3) for size in (50, 60, 70, 80)] + ["/v1/scans", "/v1/labels"]
    # Connections to both servers are open when one goes.
    for path in asked:
        proxy.get(path)
    replicas[0]._process.kill()
    replicas[0]._process.wait()
    for path in asked:
        assert proxy.status(path.replace("size=", "bits=8&size=")) in ("MISS", None)
    # What was drawn by either is still there.
    assert all(proxy.status(path) == "HIT" for path in asked if "image.png" in path)


def test_no_request_fails_while_a_server_is_stopped(proxy, replicas):
    going, failed, count = threading.Event(), [], [0]

    def ask(number):
        with httpx.Client(base_url=proxy.address, timeout=60) as client:
            turn = 0
            while not going.is_set():
                turn += 1
                # Every picture another one.
                answer = client.get(PICTURE.format(turn % 9, 100 + number) + f"&window={turn},100")
                count[0] += 1
                if answer.status_code != 200 or len(answer.content) != int(answer.headers["content-length"]):
                    failed.append((answer.status_code, answer.text[:200]))

    with ThreadPoolExecutor(4) as askers:
        asking = [askers.submit(ask, number) for number in range(4)]
        wait_until(lambda: count[0] > 100)
        replicas[0]._process.terminate()
        replicas[0]._process.wait(20)
        reached = count[0]
        wait_until(lambda: count[0] > reached + 100)
        going.set()
        for one in asking:
            one.result()
    assert failed == []


def test_responses_to_requests_with_a_token_are_not_shared(proxy):
    for token in ("Bearer one", "Basic b25lOnR3bw==", "0"):
        path = PICTURE.format(5, 50 + len(token))
        assert proxy.status(path, authorization=token) is None
        assert proxy.status(path, authorization=token) is None
        assert proxy.status(path) == "MISS", "the answer to a request with a token was kept"
        assert proxy.status(path) == "HIT"
        assert proxy.status(path, authorization=token) is None, "a request with a token was answered from the cache"


@pytest.fixture
def guarded(program, release, data, tmp_path):
    """Two servers that ask for tokens, the proxy before them, and two tokens."""
    tokens, file = [], tmp_path / "tokens"
    for name in ("ann", "bob"):
        made = subprocess.run([program, "token", name], capture_output=True, text=True, check=True)
        tokens.append(made.stderr.split()[-1])
        with file.open("a") as lines:
            lines.write(made.stdout)
    # One secret for both: a URL that one of them signed is valid on the other.
    secret = tmp_path / "secret"
    secret.write_text("5e" * 32 + "\n")
    flags = ("--token-file", file, "--signing-secret-file", secret)
    with server(program, release, data, *flags) as first, server(program, release, data, *flags) as second:
        with Proxy(tmp_path / "nginx", [first, second]) as proxy:
            yield proxy, tokens


def test_behind_tokens_the_cache_keeps_nothing(guarded):
    proxy, (ann, bob) = guarded
    number = proxy.get("/v1/dataset", authorization=f"Bearer {ann}").json()["revision"]
    for path in (PICTURE.format(3, 64), f"/r/{number}{PICTURE.format(3, 64)}", f"/r/{number}/v1/scans"):
        seen = [proxy.get(path, authorization=f"Bearer {token}") for token in (ann, bob)]
        assert seen[0].content == seen[1].content and seen[0].headers["cache-control"].startswith(("private", "no-cache"))
        for refused in (proxy.client.get(path), proxy.client.get(path, headers={"authorization": "Bearer guessed"})):
            assert refused.status_code == 401, path
    signed = proxy.get("/v1/signed?url=/v1/scans/1_t1/montage.png", authorization=f"Bearer {ann}").json()["url"]
    assert proxy.get(signed).headers["content-type"] == "image/png"
    assert proxy.kept() == []


def test_heads_and_ranges_are_those_of_the_server(proxy, replicas):
    number = revision(proxy)
    volume = "/v1/scans/1_t1/image.npy"
    whole = replicas[0].get(volume)
    for path in (volume, f"/r/{number}{volume}", f"/r/{number}{volume}"):
        for asked, part in (("bytes=0-99", slice(0, 100)), ("bytes=1000-1999", slice(1000, 2000)), ("bytes=-7", slice(-7, None))):
            answer = proxy.get(path, range=asked)
            assert (answer.status_code, answer.content) == (206, whole.content[part]), (path, asked)
            first = part.indices(len(whole.content))[0]
            assert answer.headers["content-range"] == f"bytes {first}-{first + len(answer.content) - 1}/{len(whole.content)}"
        head = proxy.client.head(path)
        assert (head.status_code, head.content, int(head.headers["content-length"])) == (200, b"", len(whole.content))
        other = proxy.client.get(path, headers={"range": "bytes=0-99", "if-range": '"another file"'})
        assert (other.status_code, other.content) == (200, whole.content)
        same = proxy.client.get(path, headers={"range": "bytes=0-99", "if-range": whole.headers["etag"]})
        assert (same.status_code, same.content) == (206, whole.content[:100])
        beyond = proxy.client.get(path, headers={"range": f"bytes={len(whole.content)}-"})
        assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(whole.content)}")
    assert proxy.status(f"/r/{number}{volume}") == "HIT"


def test_a_head_of_a_image_fills_the_cache(proxy, replicas):
    path = PICTURE.format(6, 70)
    head = proxy.client.head(path)
    assert (head.status_code, head.content, head.headers["x-cache-status"]) == (200, b"", "MISS")
    got = proxy.get(path)
    assert got.headers["x-cache-status"] == "HIT" and len(got.content) == int(head.headers["content-length"])
    assert proxy.client.head(path).headers["content-length"] == head.headers["content-length"]


def test_batches_and_streams_pass_uncached(proxy, replicas):
    order = {"items": [{"scan_id": "1_t1", "slice": 3}, {"scan_id": "1_t2", "slice": 2}]}
    batches = [proxy.client.post("/v1/batch?size=32", json=order) for _ in range(2)]
    assert [batch.status_code for batch in batches] == [200, 200], batches[0].text
    assert np.load(io.BytesIO(batches[1].content))["image"].shape[0] == 2
    number = revision(proxy)
    for prefix in ("", f"/r/{number}"):
        path = f"{prefix}/v1/stream.tar?size=32&seed=1"
        streams = [proxy.get(path) for _ in range(2)]
        assert streams[0].content == streams[1].content == replicas[0].get("/v1/stream.tar?size=32&seed=1").content
        assert proxy.get(path, range="bytes=512-1023").content == streams[0].content[512:1024]
    assert proxy.kept() == []


def test_every_answer_carries_its_own_name(proxy):
    path = PICTURE.format(7, 60)
    names = [proxy.get(path, x_request_id=name).headers.get_list("x-request-id") for name in ("first", "second")]
    assert names == [["first"], ["second"]]
    unnamed = [proxy.get(path).headers["x-request-id"] for _ in range(2)]
    assert len(set(unnamed) - {"first", "second"}) == 2
    problem = proxy.client.get("/v1/scans?siez=1", headers={"x-request-id": "mine"})
    assert (problem.status_code, problem.headers["x-request-id"]) == (400, "mine")
    assert "mine" in problem.text, "the server did not hear the request's name"
    odd = proxy.client.get("/v1/scans?siez=1", headers={"x-request-id": "two words"})
    assert odd.headers["x-request-id"] in odd.text


def test_problems_are_the_servers_and_are_not_kept(proxy):
    for path, status in (("/v1/scans/999_t1/slices/1/image.png", 404), (PICTURE.format(1, 0), 400), (f"/v1/scans?x={'y' * 16_400}", 414)):
        for _ in range(2):
            answer = proxy.client.get(path)
            assert answer.status_code == status
            assert answer.headers["content-type"] == "application/problem+json", path[:60]
    long = proxy.client.post("/v1/batch", content=b" " * (3 << 20), headers={"content-type": "application/json"})
    assert (long.status_code, long.headers["content-type"]) == (413, "application/problem+json")
    assert proxy.kept() == []
