"""Progress of long work."""

from __future__ import annotations

import sys
import time
from typing import Protocol, TextIO

MIB = 1 << 20


class Progress(Protocol):
    """Is called while something long goes on, with what is done so far.

    `what` names the work, `total` is `None` where it is not known, `unit` is `"bytes"`, `"rows"` or `"samples"`. The last call has
    `done == total`, unless the work failed.
    """

    def __call__(self, what: str, done: int, total: int | None, unit: str) -> None: ...


class Bar:
    """A line on the terminal, redrawn a few times a second; nothing where there is no terminal."""

    def __init__(self, stream: TextIO | None = None, interval_seconds: float = 0.1) -> None:
        self._stream = stream
        self._interval_seconds = interval_seconds
        self._drawn_at = 0.0

    def __call__(self, what: str, done: int, total: int | None, unit: str) -> None:
        stream = self._stream or sys.stderr
        now = time.monotonic()
        is_last = total is not None and done >= total
        if not stream.isatty() or (now - self._drawn_at < self._interval_seconds and not is_last):
            return
        self._drawn_at = now
        stream.write(f"\r{line(what, done, total, unit)}\x1b[K" + ("\n" if is_last else ""))
        stream.flush()


def line(what: str, done: int, total: int | None, unit: str) -> str:
    """`1_t1/image.npy: 37 % (12.3 of 33.1 MiB)`."""

    def number(n: int) -> str:
        return f"{n / MIB:.1f}" if unit == "bytes" else str(n)

    shown = "MiB" if unit == "bytes" else unit
    if total is None:
        return f"{what}: {number(done)} {shown}"
    percent = 100 if total == 0 else 100 * done // total
    return f"{what}: {percent} % ({number(done)} of {number(total)} {shown})"


def ignore(what: str, done: int, total: int | None, unit: str) -> None:
    """Shows nothing."""
