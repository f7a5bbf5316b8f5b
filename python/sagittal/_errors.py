"""What can go wrong, as exceptions."""

from __future__ import annotations

import json
from typing import Any


# The server is busy, does not have the data at hand, or is being replaced by another one; a proxy says the same.
_TEMPORARY = {429, 502, 503, 504}


class VersionWarning(UserWarning):
    """Client and server have different versions. The server has the package of its own, for pip."""


class SagittalError(Exception):
    """Base class of every error of this package."""


class TransportError(SagittalError):
    """The server cannot be reached, or a response was cut off, and trying again did not help."""


class WrongSampleError(SagittalError):
    """A response is not the requested sample. Nothing may be trained on it."""


class ProblemError(SagittalError):
    """The server refused a request, with the reason that it gave (RFC 9457).

    `code` is stable and meant for programs; `detail` says what is wrong and what to do; `parameter` and `allowed` name the
    parameter at fault and its valid values, where there is one; `request_id` finds the request in the server's log;
    `retry_after` is the seconds after which a busy server accepts the next attempt; `problem` is the whole JSON object.
    """

    def __init__(self, status: int, url: str, problem: dict[str, Any]) -> None:
        self.status = status
        self.url = url
        self.problem = problem
        self.code: str = problem.get("code", "unknown")
        self.detail: str = problem.get("detail", "")
        self.parameter: str | None = problem.get("parameter")
        self.allowed: list[str] = problem.get("allowed", [])
        self.request_id: str | None = problem.get("request_id")
        self.retry_after: float | None = None
        super().__init__(f"{status} {self.code}: {self.detail} ({url})")

    @property
    def is_temporary(self) -> bool:
        """Whether the same request may succeed later."""
        return self.status in _TEMPORARY

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.status, self.url, self.problem), self.__dict__

    @classmethod
    def read(cls, status: int, url: str, body: bytes) -> ProblemError:
        """The error that a response carries; a proxy's page, which is no problem document, is quoted."""
        try:
            problem = json.loads(body)
        except ValueError:
            problem = None
        if not isinstance(problem, dict):
            problem = {"detail": body[:200].decode(errors="replace").strip() or "the response has no body"}
        return cls(status, url, problem)
