"""The Python package itself: its types, the wheel that the server packs, and its installation."""

import base64
import hashlib
import io
import os
import subprocess
import sys
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest
from service import Service

PACKAGE = Path(__file__).resolve().parents[2] / "python"


def test_the_types_hold():
    done = subprocess.run([sys.executable, "-m", "mypy"], cwd=PACKAGE, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """The wheel that flit builds."""
    folder = tmp_path_factory.mktemp("built")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, PACKAGE]
    subprocess.run(command, timeout=120, check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def contents(wheel: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_server_has_the_wheel_that_a_build_makes(demo, built):
    found, expected = contents(demo.get(f"/python/simple/sagittal/{built.name}").content), contents(built.read_bytes())
    assert set(found) == set(expected)
    generated = {name for name in found if name.endswith((".dist-info/WHEEL", ".dist-info/RECORD", ".dist-info/METADATA"))}
    assert all(found[name] == expected[name] for name in set(found) - generated) and len(generated) == 3
    (name,) = (name for name in generated if name.endswith("METADATA"))
    metadata, own = (HeaderParser().parsestr(files[name].decode()) for files in (expected, found))
    assert sorted(own.items()) == sorted(metadata.items())
    assert own.get_payload().strip() == metadata.get_payload().strip()


def test_the_record_of_the_wheel_names_every_file(demo, built):
    wheel = contents(demo.get(f"/python/simple/sagittal/{built.name}").content)
    (record,) = (name for name in wheel if name.endswith("/RECORD"))
    lines = [line.split(",") for line in wheel[record].decode().splitlines()]
    assert [name for name, _, _ in lines] == list(wheel)
    for name, digest, size in lines:
        expected = base64.urlsafe_b64encode(hashlib.sha256(wheel[name]).digest()).rstrip(b"=").decode()
        assert (digest, size) == (("", "") if name == record else (f"sha256={expected}", str(len(wheel[name])))), name


def install(folder: Path, index: str) -> subprocess.CompletedProcess:
    """As a user does; what the package needs is here already."""
    command = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-cache-dir", "--disable-pip-version-check"]
    return subprocess.run(
        [*command, "--target", folder, "--index-url", f"{index}/python/simple", "sagittal"],
        capture_output=True, text=True, timeout=120, check=False,
    )


def test_pip_installs_the_client_from_the_server(demo, tmp_path):
    done = install(tmp_path, demo.address)
    assert done.returncode == 0, done.stderr
    program = f"import sagittal; print(sagittal.__file__, sagittal.__version__, len(sagittal.Client({demo.address!r}).scan('1_t1')))"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    path, version, _ = done.stdout.split()
    assert Path(path).is_relative_to(tmp_path), done.stderr
    assert f'"{version}"' == next(line for line in demo.get("/openapi.json").text.split('"version":')[1:])[: len(version) + 2]


def test_pip_installs_the_client_with_a_token(program, demo, tmp_path):
    made = subprocess.run([program, "token", "ann"], capture_output=True, text=True, timeout=60, check=True)
    (tmp_path / "tokens").write_text(made.stdout)
    command = [program, "serve", "--data", demo.data, "--token-file", tmp_path / "tokens"]
    with Service(command, demo.source, demo.data) as service:
        address = service.address.replace("http://", f"http://any:{made.stderr.split()[-1]}@")
        done = install(tmp_path / "package", address)
        assert done.returncode == 0 and (tmp_path / "package" / "sagittal" / "py.typed").is_file(), done.stderr
        assert service.client.get("/python/simple/sagittal/").status_code == 401


def test_the_index_is_as_pip_wants_it(demo, built):
    index = demo.get("/python/simple/sagittal/")
    assert index.headers["content-type"].startswith("text/html") and 'href="sagittal/"' in demo.get("/python/simple/").text
    content = demo.get(f"/python/simple/sagittal/{built.name}").content
    assert f'href="{built.name}#sha256={hashlib.sha256(content).hexdigest()}"' in index.text
    assert 'data-requires-python="&gt;=3.10"' in index.text
    missing = demo.client.get("/python/simple/sagittal/sagittal-0.0.1-py3-none-any.whl")
    assert missing.status_code == 404 and built.name in missing.json()["detail"]
    assert demo.client.get("/python/simple/numpy/").status_code == 404
