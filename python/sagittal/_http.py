"""Requests: one HTTP client for each process, tried again where that can help."""

from __future__ import annotations

import email.utils
import os
import random
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, TypeVar

import httpx

from ._errors import ProblemError, TransportError, VersionWarning
from ._parameters import Value, encoded
from ._progress import Progress, ignore

_PIECE_BYTES = 1 << 18
_FIRST_DELAY_SECONDS = 0.2
_LONGEST_DELAY_SECONDS = 30.0

T = TypeVar("T")


class Http:
    """The connections to one server.

    A forked process never uses its parent's connections: two processes that read from one would get each other's
    responses. An object of this class can be pickled; the copy opens its own connections.
    """

    def __init__(self, url: str, token: str | None, timeout: float, attempts: int, version: str) -> None:
        self.url = url.rstrip("/")
        self.attempts = attempts
        self._token, self._timeout, self._version = token, timeout, version
        self._has_warned = False
        self._clients: dict[int, httpx.Client] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_clients": {}}

    def client(self) -> httpx.Client:
        """The HTTP client of this process."""
        pid = os.getpid()
        client = self._clients.get(pid)
        if client is None:
            headers = {"user-agent": f"sagittal-python/{self._version}"}
            if self._token is not None:
                headers["authorization"] = f"Bearer {self._token}"
            # Of two threads that come here at once, one wins. A lock could be held by another thread during a fork.
            # A parent's client stays referenced: to close it here could speak on the parent's connections.
            client = self._clients.setdefault(pid, httpx.Client(base_url=self.url, timeout=self._timeout, headers=headers))
        return client

    def close(self) -> None:
        """Closes this process's connections."""
        if client := self._clients.pop(os.getpid(), None):
            client.close()

    def json(self, path: str, parameters: Mapping[str, Value] | None = None, content: bytes | None = None) -> Any:
        """A JSON document; what the server says to `content`, if there is some."""

        def read(response: httpx.Response) -> Any:
            response.read()
            return response.json()

        return self.attempt(path, parameters or {}, read, compressed=True, content=content)

    def body(
        self, path: str, parameters: Mapping[str, Value], progress: Progress = ignore, json: Any = None
    ) -> tuple[memoryview, httpx.Headers]:
        """A whole body in one buffer, with the response's headers."""

        def read(response: httpx.Response) -> tuple[memoryview, httpx.Headers]:
            total = length(response)
            what = path.removeprefix("/v1/").removeprefix("scans/")
            buffer = bytearray()
            for piece in response.iter_raw(_PIECE_BYTES):
                buffer += piece
                progress(what, len(buffer), total, "bytes")
            return memoryview(buffer), response.headers

        return self.attempt(path, parameters, read, json=json)

    def head(self, path: str, parameters: Mapping[str, Value]) -> httpx.Headers:
        """The headers of a response, without its body."""
        return self.attempt(path, parameters, lambda response: response.headers, method="HEAD")

    def attempt(
        self,
        path: str,
        parameters: Mapping[str, Value],
        read: Callable[[httpx.Response], T],
        json: Any = None,
        compressed: bool = False,
        method: str = "GET",
        content: bytes | None = None,
        headers: Callable[[], Mapping[str, str]] = dict,
    ) -> T:
        """What `read` makes of a response, after as many attempts as it takes and as there may be. `headers` gives those of each."""
        for attempt in range(1, self.attempts + 1):
            is_last = attempt == self.attempts
            try:
                with self.response(path, parameters, json, compressed, method, content, headers()) as response:
                    return read(response)
            except ProblemError as problem:
                if is_last or not problem.is_temporary:
                    raise
                pause(attempt, problem.retry_after)
            except (httpx.TransportError, httpx.DecodingError) as error:
                if is_last:
                    raise self.failed(path, error) from error
                pause(attempt)
        raise AssertionError("there is at least one attempt")

    def _compare_versions(self, headers: Mapping[str, str]) -> None:
        """Warns once if the server is of another version, whose parameters and responses may differ."""
        server = headers.get("x-sagittal-version")
        if server is None or server == self._version or self._has_warned:
            return
        self._has_warned = True
        remedy = f"pip install sagittal=={server} --extra-index-url {self.url}/python/simple"
        message = f"the server at {self.url} has version {server}, this package {self._version}; install the server's: {remedy}"
        warnings.warn(message, VersionWarning, stacklevel=_stack_level())

    def failed(self, path: str, error: Exception) -> TransportError:
        """Says what failed, where, and what to look at."""
        reason = str(error) or type(error).__name__
        return TransportError(f"{self.url}{path}: {reason}, in each of {self.attempts} attempts; is a sagittal server running there?")

    @contextmanager
    def response(
        self,
        path: str,
        parameters: Mapping[str, Value],
        json: Any = None,
        compressed: bool = False,
        method: str = "GET",
        content: bytes | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> Iterator[httpx.Response]:
        """One attempt: a response whose body has not been read. Raises `ProblemError` for an error status."""
        client = self.client()
        # httpx takes an empty list for "no query" and would cut off the path's own.
        query = httpx.QueryParams(encoded(parameters)) if parameters else None
        is_posted = json is not None or content is not None
        request = client.build_request("POST" if is_posted else method, path, params=query, json=json, content=content)
        request.headers.update(headers)
        if not compressed:
            # Arrays are sent as they are, so that their length is known.
            request.headers["accept-encoding"] = "identity"
        response = client.send(request, stream=True)
        try:
            self._compare_versions(response.headers)
            if response.is_error:
                raise problem_of(response)
            if response.status_code != 200 and not (response.status_code == 206 and "range" in headers):
                raise ProblemError(response.status_code, str(response.url), {"detail": "the response is not what a sagittal server sends"})
            yield response
        finally:
            response.close()


def _stack_level() -> int:
    """For `warnings.warn`: the caller of this package."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and _is_internal(frame.f_globals.get("__name__", "")):
        level, frame = level + 1, frame.f_back
    return level


def _is_internal(module: str) -> bool:
    return module == "contextlib" or module.split(".")[0] == "sagittal"


def problem_of(response: httpx.Response) -> ProblemError:
    """The error of a response, with the seconds after which the server may be tried again."""
    problem = ProblemError.read(response.status_code, str(response.url), response.read())
    problem.retry_after = retry_after(response.headers)
    return problem


def length(response: httpx.Response) -> int | None:
    """The bytes of the body, where the response says how many they are."""
    text = response.headers.get("content-length", "")
    return int(text) if text.isdecimal() else None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds of `Retry-After`, which is a number of them or a date."""
    text = headers.get("retry-after", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError):
        return None


def pause(attempt: int, wanted: float | None = None) -> None:
    """Waits before the next attempt: as long as the server says, longer each time, and not all clients equally long."""
    growing = _FIRST_DELAY_SECONDS * 2 ** (attempt - 1) * random.uniform(0.5, 1.0)
    time.sleep(min(max(wanted or 0.0, growing), _LONGEST_DELAY_SECONDS))
