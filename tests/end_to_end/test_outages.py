"""A server whose data folder goes away, cannot be read or is damaged, or whose clock jumps: it says so, gives what it can
still give, never gives anything wrong, and is well again by itself."""

import datetime
import os
import shutil
import subprocess
import tempfile
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx
import libfaketime
import pytest

from folders import chunk, cut_off, eventually
from service import Service

NOBODY = 65534
# Permissions do not bind root.
AS_NOBODY = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}


@pytest.fixture
def place(program):
    """A folder that anybody may enter, with the program in it: pytest's own are its user's alone."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        place.chmod(0o755)
        shutil.copy(program, place / "sagittal")
        yield place


@pytest.fixture
def served(place, demo):
    """A server over a data folder of its own, run by a user whom permissions bind."""
    data = place / "data"
    shutil.copytree(demo.data, data)
    if AS_NOBODY:
        for path in [data, *data.rglob("*")]:
            os.chown(path, NOBODY, NOBODY)
    with Service([place / "sagittal", "serve", "--data", data], demo.source, data, **AS_NOBODY) as service:
        yield service


def picture(slice_: int, **parameters) -> str:
    return str(httpx.URL(f"/v1/scans/1_t1/slices/{slice_}/image.png", params={"size": "64", **parameters}))


def gone(data: Path):
    data.rename(data.with_name("elsewhere"))
    return lambda: data.with_name("elsewhere").rename(data)


def unreadable(data: Path):
    data.chmod(0)
    return lambda: data.chmod(0o755)


def unreadable_inside(data: Path):
    (data / "scans").chmod(0)
    return lambda: (data / "scans").chmod(0o755)


@pytest.mark.parametrize("outage", [gone, unreadable, unreadable_inside])
def test_a_folder_that_cannot_be_reached_is_reported_and_comes_back_by_itself(served, outage):
    before = served.get(picture(3)).content
    array = "/v1/scans/1_t1.ome.zarr/image/c/3/0/0"
    voxels = served.get(array).content
    assert served.client.get("/readyz").status_code == 200

    come_back = outage(served.data)
    try:
        assert served.client.get("/healthz").status_code == 200
        assert_problem(served.client.get("/readyz"), served.data, {503})
        kept = served.get(picture(3))
        assert (kept.content, kept.headers["cache-status"].split(";")[1].strip()) == (before, "hit")
        for path in [picture(4), picture(3, window="p1,99"), array, "/v1/scans/1_t1/montage.png"]:
            assert_problem(served.client.get(path), served.data, {500, 503})
        # The length was promised before the first slice was read: what comes is too short, and the client knows.
        with pytest.raises(httpx.RemoteProtocolError):
            served.client.get("/v1/scans/1_t1/image.npy")
        assert served.client.get("/healthz").status_code == 200
    finally:
        come_back()

    assert served.client.get("/readyz").status_code == 200
    for path in [picture(4), picture(3, window="p1,99"), "/v1/scans/1_t1/montage.png", "/v1/scans/1_t1/image.npy"]:
        served.get(path)
    assert served.get(array).content == voxels


def assert_problem(response: httpx.Response, data: Path, statuses: set[int]):
    assert response.status_code in statuses, f"{response.url}: {response.status_code}"
    assert response.headers["content-type"] == "application/problem+json"
    told = response.json()
    assert told["status"] == response.status_code and told["detail"]
    for secret in [str(data), str(data.parent), "/tmp", "index.sqlite", "os error"]:
        assert secret not in response.text, f"{response.url} names {secret}"
        assert all(secret not in value for value in response.headers.values())


def test_a_cut_off_change_that_may_not_be_undone_is_reported_with_the_way_out(place, demo):
    data = place / "data"
    shutil.copytree(demo.data, data)
    cut_off(data)
    for path in [data, *data.iterdir()]:
        path.chmod(0o555)
    command = [place / "sagittal", "serve", "--data", data, "--listen", "127.0.0.1:0"]
    refused = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **AS_NOBODY)
    data.chmod(0o755)
    assert refused.returncode == 2, refused.stderr
    assert "an import was killed" in refused.stderr and "run `sagittal import` again" in refused.stderr, refused.stderr


def flipped(file: Path):
    voxels = bytearray(file.read_bytes())
    voxels[len(voxels) // 2] ^= 1
    file.write_bytes(voxels)


def truncated(file: Path):
    file.write_bytes(file.read_bytes()[:-100])


def emptied(file: Path):
    file.write_bytes(b"")


@pytest.mark.parametrize("array", ["image", "labels/spider/0"])
@pytest.mark.parametrize("damage", [flipped, truncated, emptied, Path.unlink])
def test_damage_to_one_slice_is_that_slice_s_alone_and_can_be_repaired(served, place, array, damage):
    scan = "1_t1"
    suffix = "image.npy" if array == "image" else "mask.npy"
    address = f"/v1/scans/{scan}/slices/{{}}/{suffix}?size=native"
    slices = range(served.json(f"/v1/scans/{scan}")["shape"][0])
    whole = {n: served.get(address.format(n)).content for n in slices}
    hurt = chunk(served.data, scan, 5, array)
    stored = hurt.read_bytes()
    # What was drawn is kept; other sizes have to be drawn anew.
    other = address.replace("native", "96")
    damage(hurt)

    for n in slices:
        if n == 5:
            response = served.client.get(other.format(n))
            assert_problem(response, served.data, {500})
            assert "damaged" in response.json()["detail"] and "--again" in response.json()["detail"]
        else:
            served.get(other.format(n))
        assert served.get(address.format(n)).content == whole[n]
    raw = served.client.get(f"/v1/scans/{scan}.ome.zarr/{array}/c/5/0/0")
    # A reader of Zarr checks chunks itself; but one that is "not found" would be zeros to it.
    assert raw.status_code == 500 if damage is Path.unlink else raw.status_code == 200
    served.get("/v1/scans/2_t1/slices/5/image.png")

    checked = subprocess.run(
        [place / "sagittal", "check", "--data", served.data], capture_output=True, text=True, timeout=60, check=False
    )
    assert checked.returncode == 1
    assert "1 slices missing or damaged" in checked.stdout
    assert str(hurt.relative_to(served.data)) in checked.stdout

    command = [place / "sagittal", "import", served.source, "--data", served.data, "--again"]
    repaired = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert repaired.returncode == 0, repaired.stdout + repaired.stderr
    assert hurt.read_bytes() == stored
    for n in slices:
        served.get(other.format(n))


# The library that programs load to be told another time; it comes with its Python package.
FAKETIME = Path(libfaketime.__file__).parent / "vendor" / "libfaketime" / "src" / "libfaketime.so.1"


@pytest.mark.parametrize("offset", ["-20y", "+10y"])
def test_a_clock_that_is_years_off_and_then_jumps_changes_nothing(place, demo, offset):
    data, clock = place / "data", place / "clock"
    shutil.copytree(demo.data, data)
    clock.write_text(offset)
    turned = os.environ | {
        "LD_PRELOAD": str(FAKETIME), "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1",
        # Only the clock on the wall jumps: the kernel's monotonic one never does.
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    with Service([place / "sagittal", "serve", "--data", data], demo.source, data, env=turned) as service:
        first = service.get(picture(3))
        assert_year(first, offset)
        for turn in ["+0", "-30y", "+25y", "-1"]:
            clock.write_text(turn)
            again = service.get(picture(3))
            # `Date` does not follow a clock that goes back (hyper keeps it until the clock has caught up), so that only
            # the jump beyond all others shows in it.
            if turn == "+25y":
                assert_year(again, turn)
            for name in ["etag", "cache-control", "content-length"]:
                assert again.headers[name] == first.headers[name]
            assert again.content == first.content
            known = {"If-None-Match": first.headers["etag"]}
            assert service.client.get(picture(3), headers=known).status_code == 304
            service.get(picture(4, window=f"p1,{50 + len(turn)}"))
            assert service.client.get("/readyz").status_code == 200
        assert_new_scans_appear(service, place)


def assert_year(response: httpx.Response, offset: str):
    """The server lives in the year that it was told, or the clock was not turned at all."""
    years = int(offset.rstrip("y")) if offset.endswith("y") else 0
    now = datetime.datetime.now(datetime.UTC)
    assert abs(parsedate_to_datetime(response.headers["date"]).year - now.year - years) <= 1, response.headers["date"]


def assert_new_scans_appear(service: Service, place: Path):
    """The catalogue is still renewed after the clock went back."""
    revision = service.json("/readyz")["revision"]
    command = [place / "sagittal", "import", service.source, "--data", service.data, "--again"]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    eventually(lambda: service.json("/readyz")["revision"] > revision, "the index's change is noticed")
    service.get(picture(2))
