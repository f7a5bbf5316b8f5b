"""The packages of tests/npm, installed once into target/."""

import fcntl
import shutil
import subprocess
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
LISTED = PROJECT / "tests" / "npm"
INSTALLED = PROJECT / "target" / "npm"


def modules() -> Path:
    """The folder node_modules, with the versions that package-lock.json names."""
    INSTALLED.parent.mkdir(exist_ok=True)
    # Tests that run beside each other wait for the one that installs.
    with INSTALLED.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_installed():
            install()
    return INSTALLED / "node_modules"


def is_installed() -> bool:
    lock = INSTALLED / "package-lock.json"
    # npm writes the second file when everything is there.
    is_whole = lock.exists() and (INSTALLED / "node_modules" / ".package-lock.json").exists()
    return is_whole and lock.read_bytes() == (LISTED / lock.name).read_bytes()


def install():
    shutil.rmtree(INSTALLED, ignore_errors=True)
    shutil.copytree(LISTED, INSTALLED)
    subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=INSTALLED, check=True, capture_output=True)
