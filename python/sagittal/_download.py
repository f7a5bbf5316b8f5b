"""Files that are saved as they arrive, and continued where an earlier attempt stopped."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Mapping
from pathlib import Path

import httpx

from ._errors import TransportError
from ._http import Http, length
from ._parameters import Value, encoded
from ._progress import Progress

try:
    import fcntl
except ModuleNotFoundError:  # Windows
    fcntl = None  # type: ignore[assignment,unused-ignore]

_PIECE_BYTES = 1 << 18


def download(http: Http, path: str, parameters: Mapping[str, Value], target: Path, progress: Progress) -> None:
    """Saves a file. What a failed call leaves is continued by the next, if the server still has the same file."""
    saving = _Saving(path, parameters, target, progress)
    try:
        while not http.attempt(path, parameters, saving.read, headers=saving.headers):
            pass
        saving.finish()
    except BaseException:
        saving.give_up()
        raise


class _Saving:
    """A file that is being saved. Its first response says which version of the file it is, and so which part there is of it."""

    def __init__(self, path: str, parameters: Mapping[str, Value], target: Path, progress: Progress) -> None:
        self._path, self._parameters, self._target, self._progress = path, parameters, target, progress
        self._tag = ""
        self._part: _Part | None = None

    def headers(self) -> dict[str, str]:
        """Those of a request for what is missing; for everything as long as nothing is there."""
        done = self._part.size() if self._part else 0
        return {"range": f"bytes={done}-", "if-range": self._tag} if done and self._tag else {}

    def read(self, response: httpx.Response) -> bool:
        """Saves a response. `False` if it is left alone, because only a part of it is missing, to be requested next."""
        whole = length(response)
        if self._part is None:
            tag = response.headers.get("etag", "")
            # A weak tag does not promise the same bytes.
            self._tag = tag if tag.startswith('"') else ""
            identity = f"{self._path} {encoded(self._parameters)} {tag}" if self._tag else None
            self._part = _Part(self._target, identity)
            if self._part.size() == whole:
                return True
            if whole is not None and 0 < self._part.size() < whole:
                return False
        done = self._part.size()
        if response.status_code != 206:
            self._part.clear()
            done = 0
        elif not response.headers.get("content-range", "").startswith(f"bytes {done}-"):
            raise TransportError(f"{self._path}: the server sent another part of the file than the requested one")
        whole = None if whole is None else done + whole
        for piece in response.iter_raw(_PIECE_BYTES):
            self._part.file.write(piece)
            done += len(piece)
            self._progress(self._path, done, whole, "bytes")
        return True

    def finish(self) -> None:
        if self._part:
            self._part.file.close()
            self._part.path.replace(self._target)

    def give_up(self) -> None:
        if self._part:
            self._part.give_up()


class _Part:
    """The unfinished file beside its target. Its name says what it is a part of; without `identity` it is this process's alone."""

    def __init__(self, target: Path, identity: str | None) -> None:
        alone = target.with_name(f"{target.name}.{os.getpid()}.part")
        self.path, self.is_kept = alone, False
        if identity is not None:
            digest = hashlib.sha256(identity.encode()).hexdigest()[:12]
            self.path, self.is_kept = target.with_name(f"{target.name}.{digest}.part"), True
        self.file = self.path.open("ab" if self.is_kept else "wb")
        if self.is_kept and not _lock(self.file):
            # Another process saves the same file.
            self.file.close()
            self.path, self.is_kept = alone, False
            self.file = self.path.open("wb")

    def size(self) -> int:
        self.file.flush()
        return os.fstat(self.file.fileno()).st_size

    def clear(self) -> None:
        self.file.seek(0)
        self.file.truncate()

    def give_up(self) -> None:
        is_worth_it = self.is_kept and self.size() > 0
        self.file.close()
        if not is_worth_it:
            self.path.unlink(missing_ok=True)


def _lock(file: io.BufferedWriter) -> bool:
    """Locks a file for this process; `False` if another one has it, or where files cannot be locked."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
