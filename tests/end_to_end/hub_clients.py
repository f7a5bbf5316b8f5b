"""Environments with one version of Hugging Face `datasets` each, as users have them.

They are made when a test first needs them, under ${XDG_CACHE_HOME:-~/.cache}/sagittal, and used again. Delete that folder to
have the newest version looked up anew.
"""

import fcntl
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

PROGRAM = Path(__file__).with_name("hub_program.py")

# What was current when each was: newer packages than these have removed what it uses.
VERSIONS = {
    "2.18.0": ["datasets==2.18.0", "huggingface_hub<0.24", "numpy<2", "pyarrow<18", "pandas<3", "Pillow"],
    "4.0.0": ["datasets==4.0.0", "huggingface_hub<1", "pandas<3", "Pillow"],
    "newest": ["datasets>=5", "pandas", "Pillow"],
}


def python(version: str) -> Path:
    """The interpreter of an environment."""
    requirements = VERSIONS[version]
    digest = hashlib.sha256("\n".join([sys.version, *requirements]).encode()).hexdigest()[:8]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sagittal"
    folder = cache / f"datasets-{version}-{digest}"
    cache.mkdir(parents=True, exist_ok=True)
    # One process makes it, the others wait.
    with open(folder.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").is_file():
            subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
            pip = [folder / "bin/pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, *requirements], check=True)
            (folder / "complete").touch()
    return folder / "bin/python"


def run(version: str, endpoint: str, home: Path, *arguments: str, token: str | None = None) -> subprocess.CompletedProcess:
    """Runs the program of the tests with a version of `datasets` whose Hub is a server."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "PYTHONPATH"))}
    environment |= {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    if token:
        environment["HF_TOKEN"] = token
    command = [python(version), PROGRAM, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)


def result(done: subprocess.CompletedProcess) -> Any:
    """What the program printed."""
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])
