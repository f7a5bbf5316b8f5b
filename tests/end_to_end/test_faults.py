"""An import that is killed leaves a data folder that is served and that the same command completes."""

import random
import shutil
import signal
import subprocess
import time

import make_scans
import pytest

from folders import cut_off, eventually, files, rows
from service import Service

KILLS = 20
SEED = 264
PATIENTS = {1, 2, 55, 58}
SCALE = 0.8


def imported(program, source, data, *flags, **process) -> subprocess.CompletedProcess:
    command = [program, "import", source, "--data", data, *flags]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, **process)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Large enough for its import to take a second and more."""
    folder = tmp_path_factory.mktemp("release")
    make_scans.make(folder, patients=PATIENTS, scale=SCALE)
    return folder


@pytest.fixture(scope="module")
def undisturbed(program, source, tmp_path_factory):
    """A data folder that nothing happened to, and the seconds that its import took."""
    data = tmp_path_factory.mktemp("undisturbed") / "data"
    start = time.monotonic()
    result = imported(program, source, data)
    assert result.returncode == 0, result.stderr
    return data, time.monotonic() - start


def killed(program, source, data, seconds: float, *flags) -> bool:
    """Runs an import for so long at most; whether it had to be killed."""
    command = [program, "import", source, "--data", data, *flags]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        _, said = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return True
    assert process.returncode == 0, said
    return False


def test_an_import_that_is_killed_again_and_again_ends_as_if_it_never_was(program, source, undisturbed, tmp_path):
    whole, seconds = undisturbed
    data, moments = tmp_path / "data", random.Random(SEED)
    kills, ends = 0, 0
    while kills < KILLS:
        # Once everything is there, only --again leaves something to kill.
        flags = ["--again"] if ends else []
        if not killed(program, source, data, moments.uniform(0, seconds), *flags):
            ends += 1
            assert ends < 10 * KILLS, "imports end faster than they can be killed"
            continue
        kills += 1
        if (data / "index.sqlite").is_file():
            checked = subprocess.run(
                [program, "check", "--data", data], capture_output=True, text=True, timeout=60, check=False
            )
            # Before the first commit there is no schema; from then on, what is recorded is whole at every moment.
            assert checked.returncode == 0 or "nothing in the index" in checked.stderr, checked.stdout + checked.stderr
    for flags in ([], ["--again"]):
        result = imported(program, source, data, *flags)
        assert result.returncode == 0, result.stdout + result.stderr
    assert files(data) == files(whole)
    assert rows(data) == rows(whole)
    assert len(rows(data)["volumes"]) > 5


def test_a_change_that_was_cut_off_is_undone_by_anyone_reads_next(program, source, undisturbed, tmp_path):
    whole, _ = undisturbed
    data = tmp_path / "data"
    shutil.copytree(whole, data)
    slices = "/v1/slices?scan_id=1_t1&limit=5"
    with Service([program, "serve", "--data", data], source, data) as service:
        told = service.json(slices)
        cut_off(data)
        # Another address, so that no answer from before is kept for it.
        other = slices.replace("5", "6")
        eventually(lambda: service.client.get(other).status_code == 200, "the index can be read again")
        assert service.json(other)["items"][:5] == told["items"]
    cut_off(data)
    with Service([program, "serve", "--data", data], source, data) as service:
        assert service.json(slices) == told
    assert rows(data) == rows(whole)
