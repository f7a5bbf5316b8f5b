"""The packages of tests/npm, installed once into target/."""

import shutil
import subprocess
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
LISTED = PROJECT / "tests" / "npm"
INSTALLED = PROJECT / "target" / "npm"


def modules() -> Path:
    """The folder node_modules, with the versions that package-lock.json names."""
    lock = INSTALLED / "package-lock.json"
    if not lock.exists() or lock.read_bytes() != (LISTED / lock.name).read_bytes():
        shutil.rmtree(INSTALLED, ignore_errors=True)
        INSTALLED.mkdir(parents=True)
        shutil.copy(LISTED / "package.json", INSTALLED)
        shutil.copy(LISTED / lock.name, lock)
        try:
            subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=INSTALLED, check=True, capture_output=True)
        except BaseException:
            shutil.rmtree(INSTALLED, ignore_errors=True)
            raise
    return INSTALLED / "node_modules"
