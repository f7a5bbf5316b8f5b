"""Control groups of the Linux kernel that limit memory, in either version of their interface."""

import os
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
# Where groups are made, the file that limits one, and the file that counts those who were killed.
INTERFACES = [
    (ROOT, "memory.max", "memory.events"),
    (ROOT / "memory", "memory.limit_in_bytes", "memory.oom_control"),
]


class MemoryGroup:
    """A group whose processes may take so many bytes together; a context manager."""

    def __init__(self, limit_bytes: int):
        self.limit_bytes = limit_bytes

    def __enter__(self):
        for root, limit, events in INTERFACES:
            # In version 1 this is a folder like any other, in version 2 the group of all processes.
            if not (root / "cgroup.procs").exists():
                continue
            folder = root / f"sagittal-test-{os.getpid()}"
            try:
                folder.mkdir()
            except OSError:
                continue
            self.folder, self.events = folder, folder / events
            try:
                (folder / limit).write_text(str(self.limit_bytes))
                return self
            except OSError:
                folder.rmdir()
        raise OSError("no control group that limits memory can be made here")

    def __exit__(self, *_):
        # Its processes have ended by now.
        self.folder.rmdir()

    def join(self):
        """Puts the process that calls this into the group."""
        (self.folder / "cgroup.procs").write_text("0")

    def kills(self) -> int:
        """Processes that were ended because the group had no memory left."""
        counts = dict(line.split() for line in self.events.read_text().splitlines())
        return int(counts["oom_kill"])


def available() -> bool:
    try:
        with MemoryGroup(1 << 30):
            return True
    except OSError:
        return False
