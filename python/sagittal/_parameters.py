"""Query parameters from Python values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import SupportsFloat
from urllib.parse import quote

Value = str | int | float | bool | None | Iterable[str | int | float]
"""A query parameter: a text or a number; several of them, any of which may hold; `None` leaves the parameter out."""


def encoded(parameters: Mapping[str, Value]) -> tuple[tuple[str, str], ...]:
    """Names and texts, as the query string has them. Missing values are the text `"null"` in a condition."""
    return tuple((name, _text(name, value)) for name, value in parameters.items() if value is not None)


def _text(name: str, value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, SupportsFloat)):
        return str(value)
    if isinstance(value, Mapping) or not isinstance(value, Iterable):
        raise TypeError(f"{name} is {type(value).__name__}; give a text, a number, or a list of them")
    items = [_item(name, item) for item in value]
    if not items:
        raise ValueError(f"{name} is an empty list, which would match nothing")
    return ",".join(items)


def _item(name: str, item: object) -> str:
    if isinstance(item, bool) or not isinstance(item, (str, SupportsFloat)):
        raise TypeError(f"{name} has an item of type {type(item).__name__}; give texts or numbers")
    text = str(item)
    return f'"{text}"' if "," in text else text


def segment(text: object) -> str:
    """A part of a path."""
    return quote(str(text), safe="")
