"""Data folders, as they lie on the disk: what is in them, and when two hold the same."""

import hashlib
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

WAIT_SECONDS = 30
# How often the index was changed, and when its schema was made: these tell how an import went, not what it made.
HISTORY = {"state": {"revision"}, "_sqlx_migrations": {"installed_on", "execution_time"}}


def files(data: Path) -> dict[str, str]:
    """Checksum of every file but the index, which is compared row by row."""
    found = [path for path in data.rglob("*") if path.is_file() and path.name != "index.sqlite"]
    return {str(path.relative_to(data)): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def rows(data: Path) -> dict[str, list]:
    """Every row of every table, without its history."""
    with closing(sqlite3.connect(f"file:{data}/index.sqlite?mode=ro", uri=True)) as index:
        tables = [name for (name,) in index.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        contents = {}
        for table in tables:
            columns = [name for _, name, *_ in index.execute(f"PRAGMA table_info({table})")]
            kept = ", ".join(name for name in columns if name not in HISTORY.get(table, ()))
            contents[table] = sorted(index.execute(f"SELECT {kept} FROM {table}"), key=repr)
    return contents


def chunk(data: Path, scan: str, slice_: int, array: str = "image") -> Path:
    (group,) = data.glob(f"scans/{scan}-*.ome.zarr")
    return group / array / "c" / str(slice_) / "0" / "0"


def eventually(holds, what: str, seconds: float = WAIT_SECONDS):
    """Asks until it holds, for something that the server notices by itself; what holds is given back."""
    deadline = time.monotonic() + seconds
    while not (answer := holds()):
        assert time.monotonic() < deadline, f"after {seconds} s still not: {what}"
        time.sleep(0.02)
    return answer


CUT_OFF = """
import os, signal, sqlite3, sys
index = sqlite3.connect(sys.argv[1], isolation_level=None)
index.execute("PRAGMA cache_size = 2")
index.execute("BEGIN IMMEDIATE")
index.execute("UPDATE slice_labels SET pixels = pixels + 1")
index.execute("UPDATE slices SET labelled_pixels = 0")
os.kill(os.getpid(), signal.SIGKILL)
"""


def cut_off(data):
    """Kills a change of the index after it began to overwrite the file, and before it committed."""
    index = data / "index.sqlite"
    before = index.read_bytes()
    subprocess.run([sys.executable, "-c", CUT_OFF, index], check=False, timeout=60)
    assert (data / "index.sqlite-journal").stat().st_size > 0
    assert index.read_bytes() != before, "the change must be half in the file, or nothing is judged"
