"""`serve --or-demo`, by which `docker compose up` has something to show on a fresh clone, and never in place of what was asked for."""

import subprocess

import pytest

from service import Service

DEMO_SCANS = 17


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """Where the demo goes."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    return tmp_path / "temporary"


def scans(program, data, *flags) -> int:
    with Service([program, "serve", "--data", data, *flags], data, data) as service:
        return service.json("/readyz")["scans"]


@pytest.mark.parametrize("said", ["flag", "yes", "1"])
def test_where_nothing_was_imported_the_demo_is_served(said, program, tmp_path, temporary, monkeypatch):
    if said != "flag":
        monkeypatch.setenv("SAGITTAL_OR_DEMO", said)
    assert scans(program, tmp_path / "data", *(["--or-demo"] if said == "flag" else [])) == DEMO_SCANS
    assert not (tmp_path / "data").exists() and any(temporary.iterdir())


def test_what_was_imported_is_served(program, made, tmp_path, temporary):
    imported = subprocess.run([program, "import", made.source, "--data", tmp_path / "data"], capture_output=True)
    assert imported.returncode == 0
    assert scans(program, tmp_path / "data", "--or-demo") == made.json("/readyz")["scans"]
    assert not any(temporary.iterdir())


@pytest.mark.parametrize(
    "said", [{"SAGITTAL_OR_DEMO": "yes", "SAGITTAL_HOST_DATA_DIR": "/srv/spider"}, {"SAGITTAL_OR_DEMO": "no"}, {"SAGITTAL_OR_DEMO": ""}, {}]
)
def test_a_folder_that_was_requested_for_is_refused_while_it_is_empty(said, program, tmp_path, temporary, monkeypatch):
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    result = subprocess.run(
        [program, "serve", "--data", tmp_path, "--listen", "127.0.0.1:0"], capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 2 and "sagittal import SOURCE" in result.stderr
    assert not any(temporary.iterdir())


def test_docker_compose_gives_no_folder_as_an_empty_one(program, tmp_path, temporary, monkeypatch):
    monkeypatch.setenv("SAGITTAL_OR_DEMO", "yes")
    monkeypatch.setenv("SAGITTAL_HOST_DATA_DIR", "")
    assert scans(program, tmp_path / "data") == DEMO_SCANS
