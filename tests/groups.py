"""The groups of tests, what each needs, and how its tests are run.

Every file tests/end_to_end/test_*.py belongs to one group. `tests/run` knows nothing of single groups; they are defined here.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
SERVICE_TESTS = PROJECT / "tests" / "end_to_end"


@dataclass(frozen=True)
class Need:
    """Something on this machine that a group needs."""

    name: str
    present: Callable[[], bool]
    # Debian packages that bring it.
    packages: tuple[str, ...] = ()


def memory_groups() -> bool:
    sys.path.insert(0, str(SERVICE_TESTS))
    import control_groups

    return control_groups.available()


def command(name: str, *packages: str) -> Need:
    return Need(name, lambda: shutil.which(name) is not None, packages)


def docker_engine() -> bool:
    return shutil.which("docker") is not None and subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0


def has_pytorch(python: str) -> bool:
    return shutil.which(python) is not None and subprocess.run([python, "-c", "import ensurepip, torch"], capture_output=True, check=False).returncode == 0


BROWSER = command("chromedriver", "chromium", "chromium-driver")
NPM = command("npm", "npm")
NGINX = command("nginx", "nginx-light")
PROMETHEUS = command("prometheus", "prometheus")
PYTORCH = Need("Debian's PyTorch", lambda: any(map(has_pytorch, ("/usr/bin/python3", "python3"))), ("python3-torch", "python3-venv"))
ROOT = Need("root, who may mount a small disk", lambda: os.geteuid() == 0)
MEMORY_GROUPS = Need("root, and control groups that limit memory", memory_groups)
DOCKER = Need("a running Docker engine", docker_engine)


@dataclass(frozen=True)
class Group:
    name: str
    about: str
    # Stems of files in tests/end_to_end, without "test_".
    files: tuple[str, ...] = ()
    needs: tuple[Need, ...] = ()
    # Instead of files: a command of the project, which counts as one test.
    script: str | None = None
    # What it needs that the project builds for itself, as a command of the project.
    setup: str | None = None
    # Part of `tests/run` without --all.
    basic: bool = False
    # Measures the server as a whole, so nothing else may run beside it.
    alone: bool = False

    def paths(self) -> list[Path]:
        return [SERVICE_TESTS / f"test_{name}.py" for name in self.files]


GROUPS = [
    Group(
        "conformance",
        "against SimpleITK, nibabel, scikit-image, SciPy, MedPy, Pillow, OpenCV, zarr-python, pandas and numpy",
        ("voxels", "store", "windows", "images", "filters", "hugging_face", "tables", "editions", "queries", "training", "demo", "evaluation"),
        basic=True,
    ),
    Group("api", "the OpenAPI document, schemathesis, a generated client, the documented examples", ("openapi", "api_docs")),
    Group("package", "the Python package, and its installation from the server", ("python_client", "python_datasets", "python_package")),
    Group("torch", "the package's datasets in PyTorch, on several ranks, and the notebooks", ("torch", "notebooks"), (PYTORCH,), setup="tests/torch/install"),
    Group("loaders", "datasets, webdataset, dask, xarray, ome-zarr-py, polars, DuckDB, mlcroissant", ("exports", "loaders", "table_formats", "table_readers")),
    Group("hub", "three versions of Hugging Face datasets, each in an environment of its own, and huggingface_hub", ("hub",)),
    Group("operations", "limits, tokens, shutdown, metrics, hostile requests", ("operations", "connections", "tokens", "hostile", "or_demo")),
    Group("faults", "kills, damage, missing folders, wrong clocks, requests during imports", ("faults", "outages", "reimport")),
    Group("root", "a full disk", ("full_disk",), (ROOT,)),
    Group("memory", "loads that would exhaust the memory, in a control group that limits it", ("memory",), (MEMORY_GROUPS,), alone=True),
    Group("download", "the release from a stand-in for Zenodo, and its faults", ("download", "download_faults")),
    Group("browser", "the viewer in Chromium", ("viewer", "viewer_content", "viewer_drawing", "viewer_hands", "viewer_mask", "viewer_network", "viewer_planes", "viewer_recipes", "viewer_tools"), (BROWSER, NPM)),
    Group("nginx", "a caching proxy before two servers", ("proxy",), (NGINX,)),
    Group("prometheus", "the dashboard's expressions", ("dashboard",), (PROMETHEUS,)),
    Group("object-store", "data in a bucket, on Garage and moto", ("object_store",), setup="tests/cluster/install-garage"),
    Group("examples", "examples/ and docs/training.md against the demo", ("examples",)),
    Group("soak", "mixed traffic during imports", ("soak",), alone=True),
    Group("containers", "docker build and docker compose", needs=(DOCKER,), script="tests/docker/run", alone=True),
]


def ungrouped() -> set[str]:
    """Files of tests that no group names, and names without a file."""
    files = {path.stem.removeprefix("test_") for path in SERVICE_TESTS.glob("test_*.py")}
    return files ^ {name for group in GROUPS for name in group.files}
