"""Reading what the server sends without copying it around: numpy alone, whatever the HTTP library.

A batch is a ZIP file whose members are stored as they are, and a stream is a tar file of `.npy` members; both are read here
straight into arrays. `numpy.load` and `tarfile` read the same bytes and take two to three times as long.
"""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections.abc import Iterator
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

# What stands before the array of a `.npy` file is shorter.
_HEADER_BYTES = 4096
_PIECE_BYTES = 1 << 16


class Readable(Protocol):
    """A body that is read from front to end."""

    def read(self, size: int, /) -> bytes | memoryview:
        """At most `size` bytes, fewer only at the end."""
        ...


def array(data: bytes | memoryview) -> Array:
    """The array of a `.npy` file in memory; the two share that memory."""
    head = io.BytesIO(data[:_HEADER_BYTES])
    version = np.lib.format.read_magic(head)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, is_fortran, dtype = read_header(head)
    if dtype.hasobject:
        raise ValueError("the array holds Python objects, which are never read from a network")
    values: Array = np.frombuffer(data, dtype, count=int(np.prod(shape)), offset=head.tell())
    return values.reshape(shape, order="F" if is_fortran else "C")


class _Bytes(io.RawIOBase):
    """Bytes in memory as a file that does not copy them first."""

    def __init__(self, data: memoryview) -> None:
        self._data, self._at = data, 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: len(self._data)}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def seekable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> bytes:
        end = len(self._data) if size is None or size < 0 else min(self._at + size, len(self._data))
        data, self._at = bytes(self._data[self._at : end]), end
        return data


def arrays(archive: memoryview) -> dict[str, Array]:
    """The arrays of an `.npz` file whose members are stored, as those of `/v1/batch` and `pair.npz` are."""
    found = {}
    for member in zipfile.ZipFile(cast(Any, _Bytes(archive))).infolist():
        # The local header has 30 bytes, then the name and an extra field; its last two numbers are their lengths.
        start = member.header_offset + 30
        name, extra = np.frombuffer(archive, "<u2", 2, start - 4)
        start += int(name) + int(extra)
        found[member.filename.removesuffix(".npy")] = array(archive[start : start + member.file_size])
    return found


class _Forward:
    """A body as a file that can be skipped in but not gone back in: what tarfile needs to read members in one piece."""

    def __init__(self, body: Readable) -> None:
        self._body, self._at = body, 0

    def read(self, size: int) -> bytes | memoryview:
        data = self._body.read(size)
        self._at += len(data)
        return data

    def tell(self) -> int:
        return self._at

    def seek(self, to: int) -> int:
        while self._at < to and self.read(min(to - self._at, _PIECE_BYTES)):
            pass
        return self._at


class _Headers:
    """The same for tarfile, which requires `bytes`; members are read past it."""

    def __init__(self, forward: _Forward) -> None:
        self.forward = forward

    def read(self, size: int) -> bytes:
        return bytes(self.forward.read(size))

    def tell(self) -> int:
        return self.forward.tell()

    def seek(self, to: int) -> int:
        return self.forward.seek(to)


def samples(body: Readable) -> Iterator[tuple[Array, Array, dict[str, Any]]]:
    """Image, mask and description of each sample of a `/v1/stream.tar` of arrays.

    Raises `ValueError` when the members of a sample do not belong together, or the last sample is not whole.
    """
    forward = _Forward(body)
    archive = tarfile.open(fileobj=cast(Any, _Headers(forward)), mode="r:")
    key, parts = "", dict[str, memoryview]()
    while (member := archive.next()) is not None:
        # Otherwise the archive would remember every member of an endless stream.
        archive.members = []  # type: ignore[attr-defined]
        sample, _, part = member.name.partition(".")
        if parts and sample != key:
            raise ValueError(f"{member.name} follows {', '.join(parts)} of {key}, which is not whole")
        key = sample
        data = memoryview(forward.read(member.size))
        if len(data) != member.size:
            raise ValueError(f"{member.name} is cut off after {len(data)} of {member.size} bytes")
        parts[part] = data
        if part == "json":
            yield _sample(key, parts)
            parts = {}
    if parts:
        raise ValueError(f"the stream ends after {', '.join(parts)} of {key}, which is not whole")
    # The archive's end, so that the connection can be used again.
    while body.read(_PIECE_BYTES):
        pass


def _sample(key: str, parts: dict[str, memoryview]) -> tuple[Array, Array, dict[str, Any]]:
    about = json.loads(bytes(parts["json"]))
    if {"image.npy", "mask.npy"} - set(parts) or f"{about['scan_id']}-{about['slice']:04}" != key:
        raise ValueError(f"{', '.join(parts)} of {key} are not one sample: its JSON is of {about['scan_id']}, slice {about['slice']}")
    return array(parts["image.npy"]), array(parts["mask.npy"]), about
