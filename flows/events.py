"""What can happen to a run. The bot layer makes these from words, clocks and results; the engine reads no text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

from flows.state import Option, SlotValue

_NO_VALUES: Mapping[str, SlotValue] = MappingProxyType({})
_NO_CHANGES: Mapping[str, SlotValue | None] = MappingProxyType({})
_NO_ARGS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Start:
    """Begin, or start over: slots are forgotten except the remembered ones, then `slots` are filled in."""

    slots: Mapping[str, SlotValue] = _NO_VALUES


@dataclass(frozen=True, slots=True)
class Answer:
    """The customer told us these slots: the one asked for, others in advance, or corrections of earlier ones."""

    values: Mapping[str, SlotValue]


@dataclass(frozen=True, slots=True)
class Invalid:
    """The customer said something that answers nothing."""


@dataclass(frozen=True, slots=True)
class Interrupt:
    """The customer said what the interrupt of this name listens for."""

    name: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """An action is done, or a source has something else to report than choices (`none_free`).

    `slots` sets slots, or forgets those that are None. `args` are words for the texts that follow. `ticket` is the one of the
    `Call` or `Lookup` it answers, so that a late result cannot be taken for another's; None means the one waited for.
    """

    name: str
    slots: Mapping[str, SlotValue | None] = _NO_CHANGES
    args: Mapping[str, str] = _NO_ARGS
    ticket: int | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A source offers these choices, in this order. Also taken while a question is open: then it is asked with them anew."""

    options: tuple[Option, ...]
    args: Mapping[str, str] = _NO_ARGS
    ticket: int | None = None


@dataclass(frozen=True, slots=True)
class Silent:
    """Nothing came from the customer by `run.silence_due`. Too early a one is ignored."""


@dataclass(frozen=True, slots=True)
class Expired:
    """The time of `run.expires_at` has come. Too early a one is ignored."""


@dataclass(frozen=True, slots=True)
class Resume:
    """The child scenario has ended."""


Event: TypeAlias = Start | Answer | Invalid | Interrupt | Outcome | Found | Silent | Expired | Resume
