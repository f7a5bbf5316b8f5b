"""Data in a bucket of a real object store (Garage, one node) are the data in a folder: same answers, same files. What Garage
leaves out, writes under a condition, is judged on moto's store."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from folders import eventually
from service import Service

from garage import BUCKET, Garage, free_port, install
from servers import without_revision

PICTURES = [
    "slices/mid/image.png?size=128",
    "slices/best/overlay.png?size=96&outline=1",
    "slices/0/image.npy?size=native",
    "slices/best/mask.npy?size=native",
    "slices/2/image.png?layout=stored&size=64",
    "slices/mid/pair.npz?size=64",
    "montage.png",
    "image.nii",
    "mask.npy",
]
TABLES = ["/v1/dataset", "/v1/scans?limit=1000", "/v1/discs.csv", "/v1/slices.ndjson?has=201", "/v1/gradings", "/v1/audit"]


@pytest.fixture(scope="session")
def garage(tmp_path_factory):
    """Built if it is not there; if it cannot be built, that is a failure."""
    with Garage(install(), tmp_path_factory.mktemp("garage"), 1) as garage:
        yield garage


@pytest.fixture
def bucket(garage, request) -> str:
    """A place in the bucket for one test alone."""
    return f"s3://{BUCKET}/{request.node.name.replace('[', '-').replace(']', '')}"


@pytest.fixture
def sagittal(program, garage):
    def run(*arguments, code=0) -> subprocess.CompletedProcess:
        environment = {**os.environ, **garage.environment()}
        done = subprocess.run([program, *arguments], env=environment, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    return run


@pytest.fixture
def serve(program, garage):
    """Servers over a bucket, ended with the test."""
    started = []

    def start(data: str, source: Path, *flags) -> Service:
        environment = [f"{name}={value}" for name, value in garage.environment().items()]
        command = ["env", *environment, program, "serve", "--data", data, "--refresh-seconds", "0.2", *flags]
        started.append(Service(command, source, Path("/nowhere")))
        return started[-1]

    yield start
    for service in started:
        service.__exit__()


def equal(there: Service, here: Service, paths: list[str]):
    for path in paths:
        expected, found = here.get(path), there.get(path)
        if path in TABLES:
            # Their validators and /v1/dataset carry the revision, which tells when the index was changed.
            assert without_revision(found.content) == without_revision(expected.content), path
        else:
            assert found.content == expected.content, path
            assert found.headers.get("etag") == expected.headers.get("etag"), path


def every_path(here: Service) -> list[str]:
    scans = [scan["scan_id"] for scan in here.json("/v1/scans", limit=1000)["items"] if scan["has_volume"]]
    assert scans
    return TABLES + [f"/v1/scans/{scan}/{picture}" for scan in scans for picture in PICTURES]


def test_a_bucket_responses_as_a_folder_does(sagittal, serve, service, bucket):
    sagittal("import", service.source, "--data", bucket)
    there = serve(bucket, service.source)
    # Twice: out of the bucket, then out of memory.
    for _ in range(2):
        equal(there, service, every_path(service))
    checked = sagittal("check", "--data", bucket)
    assert " 0 slices missing or damaged" in checked.stdout, checked.stdout


def test_importing_again_skips_what_is_there(sagittal, synthetic, bucket):
    sagittal("import", synthetic.source, "--data", bucket)
    again = sagittal("import", synthetic.source, "--data", bucket)
    assert "3 skipped" in again.stdout, again.stdout


def test_parts_on_several_machines_give_the_whole(sagittal, serve, demo, bucket):
    for part in ("2/3", "1/3"):
        sagittal("import", "--shard", part, demo.source, "--data", bucket)
    unfinished = sagittal("import", "--merge", "--data", bucket, code=2)
    assert "missing: 3/3" in unfinished.stderr, unfinished.stderr
    sagittal("import", "--shard", "3/3", demo.source, "--data", bucket)
    sagittal("import", "--merge", "--data", bucket)
    equal(serve(bucket, demo.source), demo, every_path(demo))


def test_a_replica_shows_a_new_revision_without_a_restart(sagittal, serve, made, synthetic, bucket):
    sagittal("import", synthetic.source, "--data", bucket)
    there = serve(bucket, synthetic.source)
    before = there.json("/readyz")
    path = f"/v1/scans/{synthetic.json('/v1/scans')['items'][0]['scan_id']}/slices/0/image.png"
    picture = there.get(path)
    sagittal("import", made.source, "--data", bucket)
    eventually(lambda: there.json("/readyz")["revision"] > before["revision"], "the new revision is shown")
    eventually(lambda: there.json("/readyz")["scans"] > before["scans"], "the new scans are shown")
    after = there.get(path)
    assert (after.content, after.headers["etag"]) == (picture.content, picture.headers["etag"])


def test_exports_lie_in_the_bucket_and_are_served_from_it(sagittal, serve, synthetic, bucket, tmp_path):
    sagittal("import", synthetic.source, "--data", bucket)
    sagittal("export", "--data", bucket, "--format", "webdataset")
    sagittal("export", "--data", bucket, "--format", "webdataset", "--out", tmp_path / "out")
    there = serve(bucket, synthetic.source)
    listed = {item["file"]: item["url"] for item in there.json("/v1/exports")["items"]}
    files = {path.name: path for path in (tmp_path / "out").iterdir() if path.name != "export.json"}
    assert files and set(listed) == set(files)
    for name, path in files.items():
        content = path.read_bytes()
        assert there.get(listed[name]).content == content, name
        part = there.client.get(listed[name], headers={"range": f"bytes=7-{len(content) // 2}"})
        assert part.status_code == 206 and part.content == content[7 : len(content) // 2 + 1], name
    # Another one replaces it, and leaves nothing of it.
    sagittal("export", "--data", bucket, "--format", "webdataset", "--render", "size=32", "--name", "default")
    again = {item["file"]: item["url"] for item in there.json("/v1/exports")["items"]}
    assert again and not set(again.values()) & set(listed.values())
    assert {there.client.get(url).status_code for url in listed.values()} == {404}
    assert {there.client.get(url).status_code for url in again.values()} == {200}


def test_a_store_that_ignores_conditions_is_named(sagittal, synthetic, bucket):
    """Garage has no consensus and takes every write. Whoever imports into it should know what that means."""
    done = sagittal("import", synthetic.source, "--data", bucket)
    assert "ignores conditional writes" in done.stderr, done.stderr


def test_a_bucket_that_is_not_there_and_a_wrong_key_are_said(sagittal, serve, garage, program, synthetic, bucket):
    none = sagittal("serve", "--data", bucket, code=2)
    assert f"run `sagittal import SOURCE --data {bucket}` first" in none.stderr, none.stderr
    missing = sagittal("import", synthetic.source, "--data", "s3://no-such-bucket/x", code=2)
    assert "index/current.json" in missing.stderr or "no-such-bucket" in missing.stderr, missing.stderr
    environment = {**os.environ, **garage.environment(), "AWS_SECRET_ACCESS_KEY": "0" * 64}
    command = [program, "serve", "--data", bucket]
    wrong = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert wrong.returncode == 2 and "403" in wrong.stderr, wrong.stderr


def test_storage_that_goes_away_is_an_error_and_its_return_is_noticed(sagittal, serve, garage, synthetic, bucket):
    sagittal("import", synthetic.source, "--data", bucket)
    there = serve(bucket, synthetic.source)
    at = f"/v1/scans/{synthetic.json('/v1/scans')['items'][0]['scan_id']}"
    kept = there.get(f"{at}/slices/0/image.png")
    garage.stop(0)
    try:
        assert there.get(f"{at}/slices/0/image.png").content == kept.content
        assert there.json("/v1/scans")["total"] == synthetic.json("/v1/scans")["total"]
        answer = there.client.get(f"{at}/slices/1/image.png", timeout=120)
        assert answer.status_code == 503 and answer.headers["content-type"] == "application/problem+json"
        assert (answer.json()["code"], answer.headers["retry-after"]) == ("storage_unreachable", "1")
        for export in ("/v1/exports", "/v1/exports/none.tar"):
            assert there.client.get(export, timeout=120).json()["code"] == "storage_unreachable"
        assert there.client.get("/readyz").status_code == 200
    finally:
        garage.start(0)
    equal(there, synthetic, [f"{at}/slices/1/image.png"])


def test_a_slice_on_the_servers_disk_needs_no_storage_even_after_a_restart(sagittal, serve, garage, synthetic, bucket, tmp_path):
    sagittal("import", synthetic.source, "--data", bucket)
    folder = tmp_path / "slices"
    flags = ["--cache-mb", "0", "--slice-cache-mb", "0", "--slice-cache-dir", folder]
    at = f"/v1/scans/{synthetic.json('/v1/scans')['items'][0]['scan_id']}/slices/0"
    pictures = [f"{at}/image.png?size=64", f"{at}/overlay.png?size=65"]
    equal(serve(bucket, synthetic.source, *flags), synthetic, pictures)
    assert sum(path.is_file() for path in folder.rglob("*")) == 2, "image and mask of one slice"
    again = serve(bucket, synthetic.source, *flags)
    garage.stop(0)
    try:
        equal(again, synthetic, pictures)
    finally:
        garage.start(0)


@pytest.fixture
def conditional(tmp_path):
    """A store that keeps conditions as AWS does: moto's, on loopback. Its environment for a client."""
    port = free_port()
    command = [Path(sys.executable).with_name("moto_server"), "-H", "127.0.0.1", "-p", str(port)]
    with (tmp_path / "moto.log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        eventually(lambda: server.poll() is not None or made(f"{address}/{BUCKET}"), "moto answers", 60)
        assert server.poll() is None, (tmp_path / "moto.log").read_text()
        yield {
            "AWS_ENDPOINT": address, "AWS_ALLOW_HTTP": "true", "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret",
        }
    finally:
        server.kill()
        server.wait()


def made(bucket: str) -> bool:
    try:
        return httpx.put(bucket).status_code == 200
    except httpx.TransportError:
        return False


def test_of_two_imports_at_once_the_second_is_reported_and_loses_nothing(program, conditional, synthetic):
    environment = os.environ | conditional
    for attempt in range(10):
        command = [program, "import", synthetic.source, "--data", f"s3://{BUCKET}/{attempt}"]
        both = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
        said = [process.communicate(timeout=120)[1] for process in both]
        assert not any("ignores conditional writes" in text for text in said), said
        codes = [process.returncode for process in both]
        assert 0 in codes, said
        again = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert again.returncode == 0 and "3 skipped" in again.stdout, again.stdout + again.stderr
        if codes != [0, 0]:
            assert sorted(codes) == [0, 2] and "another import published" in said[codes.index(2)], said
            return
    raise AssertionError("ten times the imports did not meet: nothing was proven")
