"""The service as its users meet it: the real program imports a release and answers over HTTP.

The judges are the field's own libraries. Nothing here knows how the service works inside.

    SAGITTAL_BIN    the program to judge [default: the newer of target/release/sagittal and target/debug/sagittal]
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import files
from downloads import FILES, Downloads
from extremes import write_extremes
from service import Service
from zenodo import Zenodo

PROJECT = Path(__file__).resolve().parents[2]
# Both kinds of volume, a patient who mixes them and has two oblique series, and the tallest series of the release.
MADE_PATIENTS = "1,55,58"


@pytest.fixture(scope="session")
def shared() -> Path:
    folder = PROJECT.parent / "shared"
    if not (folder / "spider" / "overview.csv").is_file():
        pytest.fail(f"{folder} is missing: the judges need the reference data beside the checkout")
    return folder


@pytest.fixture(scope="session")
def program() -> Path:
    if named := os.environ.get("SAGITTAL_BIN"):
        if not Path(named).is_file():
            pytest.fail(f"SAGITTAL_BIN is {named}, which is not a file")
        return Path(named)
    built = [p for kind in ("release", "debug") if (p := PROJECT / "target" / kind / "sagittal").is_file()]
    if not built:
        pytest.fail("there is no program to judge: run `cargo build --release`, or set SAGITTAL_BIN")
    return max(built, key=lambda path: path.stat().st_mtime)


def served(program: Path, source: Path, data: Path) -> Service:
    result = subprocess.run(
        [program, "import", source, "--data", data], capture_output=True, text=True, timeout=300, check=False
    )
    assert result.returncode == 0, f"import of {source} failed:\n{result.stdout}\n{result.stderr}"
    return Service([program, "serve", "--data", data], source, data)


@pytest.fixture(scope="session")
def real(program, shared, tmp_path_factory):
    """The real scans with the whole real tables."""
    with served(program, shared / "spider", tmp_path_factory.mktemp("real")) as service:
        yield service


@pytest.fixture(scope="session")
def made(program, shared, tmp_path_factory):
    """Made-up scans with the sizes and layouts of the real ones, scaled down in the plane."""
    source = tmp_path_factory.mktemp("made-source")
    maker = [sys.executable, shared / "tools" / "make_scans.py", source, "--patients", MADE_PATIENTS, "--scale", "0.3"]
    subprocess.run(maker, check=True, capture_output=True, timeout=300)
    with served(program, source, tmp_path_factory.mktemp("made")) as service:
        yield service


@pytest.fixture(scope="session")
def demo(program, tmp_path_factory):
    """The release that `sagittal demo` makes up; two of its scans are oblique."""
    folder = tmp_path_factory.mktemp("demo")
    with Service([program, "demo", "--dir", folder], folder / "release", folder / "data") as service:
        yield service


@pytest.fixture(scope="session")
def extreme(program, shared, tmp_path_factory):
    """Volumes at the edges of what can be."""
    source = tmp_path_factory.mktemp("extreme") / "release"
    write_extremes(source, shared)
    with served(program, source, tmp_path_factory.mktemp("extreme-data")) as service:
        yield service


@pytest.fixture(scope="session", params=["real", "made", "demo"])
def service(request) -> Service:
    """Each release in turn."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def scans(service) -> list[str]:
    found = files.scans(service.source)
    assert found, f"no scans in {service.source}"
    return found


@pytest.fixture
def zenodo():
    """A server with a made-up record."""
    with Zenodo(FILES) as running:
        yield running


@pytest.fixture
def download(program, zenodo, tmp_path):
    """The program, to fetch from there into a folder that is not there yet."""
    return Downloads(program, zenodo, tmp_path / "a folder" / "release")
