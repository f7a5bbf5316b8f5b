"""A release is imported again and again in two versions while clients read everything: each response is that of one version."""

import re
import shutil
import subprocess
import threading
from collections import Counter, defaultdict
from pathlib import Path

import httpx
import pytest
from conftest import served
from service import Service

SCAN = "1_t1"
IMPORTS = 10
CLIENTS = 4
# What a server may say, instead of a response of either version, while the data change.
REFUSALS = {410: "revision_gone", 503: "scan_replaced"}
BATCH = {"items": [{"scan_id": SCAN, "slice": "mid"}, {"scan_id": SCAN, "slice": 0}]}
# Examples of the parameters without which a route is dear or says little.
QUERIES = {
    "/v1/splits": "?folds=2",
    "/v1/stream.tar": "?size=128&seed=7&window=p1,99",
    "/v1/batch": "?size=96",
    "/v1/stats": "?of=discs&by=label",
    "/v1/scans/{id}/image.npy": "?size=160",
    # The versions have different grids.
    "/v1/scans/{id}/evaluation": "?resample=nearest",
    "/v1/scans/{id}/slices/{k}/image.png": "?size=200&window=p2,98",
}
MORE = [
    "/v1/stream.tar?size=64&image=png",
    f"/v1/scans/{SCAN}/discs/202/patch.npy?dims=3&of=mask&margin=5",
    f"/v1/scans/{SCAN}.ome.zarr/zarr.json",
    f"/v1/scans/{SCAN}.ome.zarr/labels/spider/zarr.json",
    f"/v1/scans/{SCAN}.ome.zarr/image/c/2/0/0",
    f"/v1/scans/{SCAN}.ome.zarr/labels/spider/0/c/2/0/0",
]


def version(folder: Path, release: Path, of: str, sexes: str = "FM") -> Path:
    """A release of one scan, made of the files of another one, and of a table with these letters for women and men."""
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
        shutil.copy(release / kind / f"{of}.mha", folder / kind / f"{SCAN}.mha")
    overview = (release / "overview.csv").read_bytes().decode()
    swapped = re.sub(r",(F|M)( ?),", lambda sex: f",{sexes['FM'.index(sex[1])]}{sex[2]},", overview)
    (folder / "overview.csv").write_bytes(swapped.encode())
    shutil.copy(release / "radiological_gradings.csv", folder)
    return folder


@pytest.fixture(scope="module")
def versions(demo, tmp_path_factory) -> dict[str, Path]:
    """The first one, one with other voxels, and one with other tables: an import changes each in one transaction."""
    folder = tmp_path_factory.mktemp("versions")
    one, other = sorted(path.stem for path in (demo.source / "images").glob("*_t1.mha"))[:2]
    return {
        "first": version(folder / "first", demo.source, one),
        "voxels": version(folder / "voxels", demo.source, other),
        "tables": version(folder / "tables", demo.source, one, "MF"),
    }


def urls(service: Service) -> list[str]:
    """Every route of the document that depends on the data, with an example."""
    found = []
    for route in service.json("/openapi.json")["paths"]:
        if route.startswith("/v1/") and route not in ("/v1/exports", "/v1/signed"):
            url = route.replace("{id}", "1" if "/patients/" in route else SCAN)
            found.append(url.replace("{k}", "mid").replace("{label}", "201") + QUERIES.get(route, ""))
    return found + MORE


def fetch(client: httpx.Client, url: str, mask: bytes) -> httpx.Response:
    """`mask`: a prediction that is scored."""
    if "/v1/batch" in url:
        return client.post(url, json=BATCH)
    if "/evaluation" in url:
        return client.post(url, content=mask)
    return client.get(url)


def content(response: httpx.Response) -> bytes:
    # The number of the revision is another one in every import; which revision it is, is judged by everything else.
    return re.sub(rb'"revision":\d{13}\b', b'"revision":0', response.content)


def references(program, source: Path, data: Path, mask: bytes) -> dict[str, bytes]:
    with served(program, source, data) as service:
        responses = {url: fetch(service.client, url, mask) for url in urls(service)}
    for url, response in responses.items():
        assert response.status_code == 200, f"{url}: {response.status_code} {response.text[:500]}"
    return {url: content(response) for url, response in responses.items()}


class Reader(threading.Thread):
    """A client that reads every URL again and again, plain and under the revision that it read last."""

    def __init__(self, address: str, expected: dict[str, dict[str, bytes]], mask: bytes, done: threading.Event, first: int):
        super().__init__()
        self.mask = mask
        self.address, self.expected, self.done, self.first = address, expected, done, first
        self.outcomes, self.faults = Counter(), []
        self.versions_of, self.bytes_of = defaultdict(list), defaultdict(set)

    def run(self):
        paths = list(next(iter(self.expected.values())))
        with httpx.Client(base_url=self.address, timeout=60) as client:
            at, revision = self.first * len(paths) // CLIENTS, None
            while not self.done.is_set():
                url = paths[at % len(paths)]
                if at % 5 == 0:
                    revision = client.get("/readyz").json().get("revision", revision)
                self.judge(client, url, None)
                self.judge(client, url, revision)
                at += 1

    def judge(self, client: httpx.Client, url: str, revision: int | None):
        try:
            response = fetch(client, url if revision is None else f"/r/{revision}{url}", self.mask)
        except httpx.RemoteProtocolError:
            self.outcomes["broken off"] += 1
            return
        if response.status_code != 200:
            known = REFUSALS.get(response.status_code) == response.json().get("code")
            self.outcomes[response.status_code] += 1
            if not known or (response.status_code == 410 and revision is None):
                self.faults.append(f"{url}: {response.status_code} {response.text}")
            return
        body = content(response)
        equal = {name for name, bodies in self.expected.items() if bodies[url] == body}
        self.outcomes["neither" if not equal else "/".join(sorted(equal))] += 1
        if not equal:
            self.faults.append(f"{url} under {revision} is of no version: {len(body)} bytes, {body[:200]!r}")
        if revision is not None:
            self.versions_of[revision].append((url, equal))
        if etag := response.headers.get("etag"):
            self.bytes_of[url, etag].add(body)


@pytest.mark.parametrize("other", ["voxels", "tables"])
def test_every_response_is_of_one_version(program, versions, tmp_path, other):
    names = ["first", other]
    mask = (versions["first"] / "masks" / f"{SCAN}.mha").read_bytes()
    expected = {name: references(program, versions[name], tmp_path / name, mask) for name in names}
    changed = [url for url in expected["first"] if expected["first"][url] != expected[other][url]]
    assert len(changed) > (30 if other == "voxels" else 8), changed
    data = tmp_path / "data"
    done = threading.Event()
    with served(program, versions["first"], data) as service:
        readers = [Reader(service.address, expected, mask, done, n) for n in range(CLIENTS)]
        for reader in readers:
            reader.start()
        try:
            for n in range(IMPORTS):
                command = [program, "import", versions[names[(n + 1) % 2]], "--data", data]
                subprocess.run(command, check=True, capture_output=True, timeout=120)
        finally:
            done.set()
            for reader in readers:
                reader.join()
    outcomes = sum((reader.outcomes for reader in readers), Counter())
    faults = [fault for reader in readers for fault in reader.faults]
    assert not faults, "\n".join([f"{len(faults)} of {outcomes}", *faults[:10]])
    # Every response under one revision is of one version, and a tag stands for the same bytes always.
    versions_of, bytes_of = defaultdict(list), defaultdict(set)
    for reader in readers:
        for revision, seen in reader.versions_of.items():
            versions_of[revision] += seen
        for key, bodies in reader.bytes_of.items():
            bytes_of[key] |= bodies
    for revision, seen in versions_of.items():
        assert set.intersection(*(equal for _, equal in seen)), f"{revision} is of two versions: {seen}"
    assert not [key for key, bodies in bytes_of.items() if len(bodies) > 1]
    assert outcomes["first"] and outcomes[other] and len(versions_of) > 2, outcomes
