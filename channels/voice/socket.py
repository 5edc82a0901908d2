"""What the messages of both kinds of socket have in common: an object of JSON, keys, names and numbers in it. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from channels.clean import clean
from channels.errors import BadRequest


@dataclass(frozen=True, slots=True)
class Key:
    """One key that the caller pressed."""

    digit: str


def message(raw: str | bytes) -> Mapping[str, Any]:
    """Raises: BadRequest"""
    try:
        data = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise BadRequest("message", "is not JSON") from None
    if not isinstance(data, dict):
        raise BadRequest("message", "is not an object")
    return data


def inner(data: Mapping[str, object], name: str) -> Mapping[str, object]:
    """The object of that name; an empty one when there is none."""
    value = data.get(name)
    return value if isinstance(value, dict) else {}


def text(data: Mapping[str, object], name: str, *, most: int) -> str:
    """The string of that name, so long at most; empty when there is none."""
    value = data.get(name, "")
    return clean(value)[:most] if isinstance(value, str) else ""


def turn(parameters: Mapping[str, object]) -> int:
    """The number of the question that was open, as our TwiML told; 0 when there is none."""
    told = text(parameters, "turn", most=7)
    return int(told) if told.isascii() and told.isdecimal() and len(told) < 7 else 0
