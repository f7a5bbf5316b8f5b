"""Reading what the service sends without copying it around: numpy alone, no HTTP library.

A batch is a ZIP file whose members are stored as they are, and a stream is a tar file of `.npy` members; both are read here
straight into arrays. `numpy.load` and `tarfile` read the same bytes and take two to three times as long.
"""

import http.client
import io
import json
import tarfile
import zipfile
from collections.abc import Iterator

import numpy as np


def body(reply: http.client.HTTPResponse) -> memoryview:
    """The whole body of a reply whose length is known, in one buffer."""
    if reply.status != 200:
        raise OSError(f"{reply.status}: {reply.read().decode(errors='replace')}")
    buffer = memoryview(bytearray(reply.length))
    at = 0
    while at < len(buffer):
        got = reply.readinto(buffer[at:])
        if got == 0:
            raise OSError(f"the reply broke off after {at} of {len(buffer)} bytes")
        at += got
    return buffer


def array(data: memoryview) -> np.ndarray:
    """The array of a `.npy` file in memory; the two share that memory."""
    head = io.BytesIO(data[:4096])
    version = np.lib.format.read_magic(head)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read_header(head)
    values = np.frombuffer(data, dtype, count=int(np.prod(shape)), offset=head.tell())
    return values.reshape(shape, order="F" if fortran else "C")


class _Bytes(io.RawIOBase):
    """Bytes in memory as a file that does not copy them first."""

    def __init__(self, data: memoryview):
        self._data, self._at = data, 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: len(self._data)}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        end = len(self._data) if size < 0 else min(self._at + size, len(self._data))
        data, self._at = bytes(self._data[self._at : end]), end
        return data


def arrays(archive: memoryview) -> dict[str, np.ndarray]:
    """The arrays of an `.npz` file whose members are stored, as those of `/v1/batch` and `pair.npz` are."""
    found = {}
    for member in zipfile.ZipFile(_Bytes(archive)).infolist():
        # The local header has 30 bytes, then the name and an extra field; its last two numbers are their lengths.
        start = member.header_offset + 30
        name, extra = np.frombuffer(archive, "<u2", 2, start - 4)
        start += int(name) + int(extra)
        found[member.filename.removesuffix(".npy")] = array(archive[start : start + member.file_size])
    return found


class _Forward:
    """A reply as a file that can be skipped in but not gone back in: what tarfile needs to read members in one piece."""

    def __init__(self, reply: http.client.HTTPResponse):
        self._reply, self._at = reply, 0

    def read(self, size: int) -> bytes:
        data = self._reply.read(size)
        self._at += len(data)
        return data

    def tell(self) -> int:
        return self._at

    def seek(self, to: int) -> int:
        while self._at < to and self.read(min(to - self._at, 1 << 16)):
            pass
        return self._at


def samples(reply: http.client.HTTPResponse) -> Iterator[tuple[np.ndarray, np.ndarray, dict]]:
    """Image, mask and description of each sample of a `/v1/stream.tar` of arrays."""
    if reply.status != 200:
        raise OSError(f"{reply.status}: {reply.read().decode(errors='replace')}")
    parts = []
    archive = tarfile.open(fileobj=_Forward(reply), mode="r:")
    while (member := archive.next()) is not None:
        # Otherwise the archive would remember every member of an endless stream.
        archive.members = []
        data = archive.fileobj.read(member.size)
        parts.append(json.loads(data) if member.name.endswith(".json") else array(memoryview(data)))
        if len(parts) == 3:
            yield tuple(parts)
            parts = []
    # The archive's end, so that the connection can be used again.
    reply.read()
