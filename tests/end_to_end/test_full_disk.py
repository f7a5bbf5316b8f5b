"""An import that fills the disk leaves a data folder that is served and that the same command completes.

A small tmpfs is mounted for it, which needs root.
"""

import subprocess

import pytest
from folders import files, rows
from service import Service
from test_faults import imported, source, undisturbed  # noqa: F401 (fixtures)


@pytest.fixture
def small_disk(tmp_path):
    """A disk of its own, too small for the release."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_ends_an_import_that_room_completes(program, source, undisturbed, small_disk):
    whole, _ = undisturbed
    data = small_disk / "data"
    result = imported(program, source, data, "--jobs", "1")
    said = result.stdout + result.stderr
    assert result.returncode != 0
    assert "No space left on device" in said or "disk is full" in said, said
    assert "panicked" not in said
    assert_only_whole_scans_are_served(program, source, data)

    subprocess.run(["mount", "-o", "remount,size=400m", small_disk], check=True)
    result = imported(program, source, data)
    assert result.returncode == 0, result.stdout + result.stderr
    assert files(data) == files(whole)
    assert rows(data) == rows(whole)


def assert_only_whole_scans_are_served(program, source, data):
    with Service([program, "serve", "--data", data], source, data) as service:
        here = {item["scan_id"] for item in service.json("/v1/scans")["items"]}
        absent = {item["scan_id"] for item in service.json("/v1/scans", volume="absent", limit=1000)["items"]}
        assert 0 < len(here) < 9, "the disk must hold some scans and not all, or nothing is judged"
        assert {"1_t1", "58_t2"} <= here | absent
        for scan in here:
            for slice_ in range(service.json(f"/v1/scans/{scan}")["shape"][0]):
                service.npy(f"/v1/scans/{scan}/slices/{slice_}/image.npy", size="native")
                service.npy(f"/v1/scans/{scan}/slices/{slice_}/mask.npy", size="native")
        for scan in absent & {"1_t1", "58_t2"}:
            assert service.client.get(f"/v1/scans/{scan}/slices/0/image.png").status_code == 404
