"""The service as its users meet it: the real program imports a release and answers over HTTP.

Expected values come from the field's own libraries, which read the source files; nothing here knows how the service
works inside. Which releases there are: releases.py.

    SAGITTAL_BIN    the program to test [default: the newer of target/release/sagittal and target/debug/sagittal]
"""

import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import files
import pytest
import releases
from downloads import FILES, Downloads
from extremes import write_extremes, write_foreign
from reference import Reference
from service import Service
from zenodo import Zenodo

# Within which the demo exports, also in a debug build on a busy machine.
EXPORT_SECONDS = 300

PROJECT = Path(__file__).resolve().parents[2]
# As after `pip install ./python`.
sys.path.insert(0, str(PROJECT / "python"))


def pytest_addoption(parser):
    parser.addoption("--write-goldens", action="store_true", help="write what the reference libraries compute into tests/goldens")


def optional_release(item) -> str | None:
    """The release outside the project that a test needs, if it needs one."""
    parameters = getattr(item, "callspec", None)
    chosen = set(map(str, parameters.params.values())) if parameters else set()
    return next((name for name in releases.OPTIONAL if name in chosen), None)


def pytest_collection_modifyitems(config, items):
    """Leaves out the tests of releases that are not there; the summary names them."""
    absent = {name for name, release in releases.OPTIONAL.items() if not release.folder()}
    left_out = [item for item in items if optional_release(item) in absent]
    items[:] = [item for item in items if optional_release(item) not in absent]
    config.hook.pytest_deselected(items=left_out)
    config.not_run = {name: Counter() for name in absent}
    for item in left_out:
        config.not_run[optional_release(item)][item.path.stem] += 1


def pytest_sessionfinish(session):
    """A process of pytest-xdist reports what it left out; each of them collects everything."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["not_run"] = {name: dict(files) for name, files in session.config.not_run.items()}


class Workers:
    """What the processes of pytest-xdist report."""

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node, error):
        node.config.not_run = getattr(node, "workeroutput", {}).get("not_run", {})


def pytest_configure(config):
    config.pluginmanager.register(Workers())


def pytest_terminal_summary(terminalreporter, config):
    for name, found in sorted(getattr(config, "not_run", {}).items()):
        if found:
            release, files = releases.OPTIONAL[name], ", ".join(f"{count} in {file}" for file, count in sorted(found.items()))
            terminalreporter.write_line(
                f"not run: {sum(found.values())} tests of {release.what} ({files}): {release.variable}=DIR runs them"
            )


@pytest.fixture(scope="session")
def program() -> Path:
    if named := os.environ.get("SAGITTAL_BIN"):
        if not Path(named).is_file():
            pytest.fail(f"SAGITTAL_BIN is {named}, which is not a file")
        return Path(named)
    built = [p for kind in ("release", "debug") if (p := PROJECT / "target" / kind / "sagittal").is_file()]
    if not built:
        pytest.fail("there is no program to test: run `cargo build --release`, or set SAGITTAL_BIN")
    return max(built, key=lambda path: path.stat().st_mtime)


def served(program: Path, source: Path, data: Path) -> Service:
    result = subprocess.run(
        [program, "import", source, "--data", data], capture_output=True, text=True, timeout=300, check=False
    )
    assert result.returncode == 0, f"import of {source} failed:\n{result.stdout}\n{result.stderr}"
    return Service([program, "serve", "--data", data], source, data)


@pytest.fixture(scope="session")
def real(program, tmp_path_factory):
    """The release that SAGITTAL_RELEASE names."""
    source = releases.real_part(tmp_path_factory.mktemp("real-source"))
    with served(program, source, tmp_path_factory.mktemp("real")) as service:
        yield service


def written(program: Path, write, tmp_path_factory, name: str) -> Service:
    """A server over a release that `write` writes."""
    source = tmp_path_factory.mktemp(f"{name}-source") / "release"
    write(source)
    return served(program, source, tmp_path_factory.mktemp(name))


@pytest.fixture(scope="session")
def synthetic(program, tmp_path_factory):
    """Tables with the series and the form of the release's, and three volumes."""
    with written(program, releases.write_synthetic, tmp_path_factory, "synthetic") as service:
        yield service


@pytest.fixture(scope="session")
def made(program, tmp_path_factory):
    """Synthetic scans with the sizes and layouts of the release's, scaled down in the plane."""
    with written(program, releases.write_made, tmp_path_factory, "made") as service:
        yield service


@pytest.fixture(scope="session")
def demo(program, tmp_path_factory):
    """The release that `sagittal demo` makes; two of its scans are oblique."""
    folder = tmp_path_factory.mktemp("demo")
    with Service([program, "demo", "--no-export", "--dir", folder], folder / "release", folder / "data") as service:
        yield service


@pytest.fixture(scope="session")
def hub(program, tmp_path_factory):
    """Another demo, which exports by itself for Hugging Face datasets."""
    folder = tmp_path_factory.mktemp("hub")
    with Service([program, "demo", "--dir", folder], folder / "release", folder / "data") as service:
        deadline = time.monotonic() + EXPORT_SECONDS
        while {e["name"] for e in service.json("/v1/exports")["items"]} < {"default", "demo"}:
            assert time.monotonic() < deadline, service.log()
            time.sleep(0.1)
        yield service


@pytest.fixture(scope="session")
def client(demo):
    """The Python package's client of the demo."""
    import sagittal

    with sagittal.Client(demo.address) as client:
        yield client


@pytest.fixture
def waits(monkeypatch):
    """Seconds that the test's process would have waited; it goes on at once."""
    waited = []
    monkeypatch.setattr(time, "sleep", waited.append)
    return waited


@pytest.fixture(scope="session")
def extreme(program, tmp_path_factory):
    """Volumes at the edges of what can be."""
    with written(program, write_extremes, tmp_path_factory, "extreme") as service:
        yield service


@pytest.fixture(scope="session")
def foreign(program, tmp_path_factory):
    """Volumes that other programs wrote: those that SAGITTAL_METAIMAGES names."""
    metaimages = releases.OPTIONAL["foreign"].folder()
    with written(program, lambda folder: write_foreign(folder, metaimages), tmp_path_factory, "foreign") as service:
        yield service


@pytest.fixture(scope="session", params=releases.RELEASES)
def service(request) -> Service:
    """Each release in turn."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session", params=releases.COMPLETE)
def release(request) -> Service:
    """Each release that has the tables of the whole one."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def scans(service) -> list[str]:
    found = files.scans(service.source)
    assert found, f"no scans in {service.source}"
    return found


@pytest.fixture(scope="session")
def reference(request):
    """The Hugging Face edition's pixels."""
    reference = Reference(write=request.config.getoption("write_goldens"))
    yield reference
    reference.close()


@pytest.fixture
def zenodo():
    """A server with a synthetic record."""
    with Zenodo(FILES) as running:
        yield running


@pytest.fixture
def download(program, zenodo, tmp_path):
    """The program, to fetch from there into a folder that is not there yet."""
    return Downloads(program, zenodo, tmp_path / "a folder" / "release")


@pytest.fixture(scope="module")
def chromium():
    # Selenium is among the packages of `tests/run --all` alone.
    import browser

    driver = browser.started()
    yield driver
    driver.quit()


@pytest.fixture
def viewer(chromium, demo):
    """The viewer of the demo."""
    import browser

    viewer = browser.Viewer(chromium, demo.address)
    yield viewer
    viewer.close()
