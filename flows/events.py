"""What can happen to a run. The bot layer makes these from words, clocks and results; the engine reads no text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from flows.state import Option, SlotValue


@dataclass(frozen=True, slots=True)
class Start:
    """Begin, or start over: slots are forgotten except the remembered ones, then `slots` are filled in."""

    slots: Mapping[str, SlotValue] = field(default_factory=dict)


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

    `slots` sets slots, or forgets those that are None. `args` are words for the texts that follow. `ticket` is that of
    the `Call` or `Lookup` it answers, so that a late result is not taken for another's; None is the one waited for.
    """

    name: str
    slots: Mapping[str, SlotValue | None] = field(default_factory=dict)
    args: Mapping[str, str] = field(default_factory=dict)
    ticket: int | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A source offers these choices, in this order. While a question is open it is asked anew with them."""

    options: tuple[Option, ...]
    args: Mapping[str, str] = field(default_factory=dict)
    ticket: int | None = None


@dataclass(frozen=True, slots=True)
class Silent:
    """Nothing came from the customer by `run.silence_due`. Too early a one is ignored."""


@dataclass(frozen=True, slots=True)
class Expired:
    """The time of `run.expires_at` has come. Too early a one is ignored."""


@dataclass(frozen=True, slots=True)
class Resume:
    """The child scenario has ended. Or, while a question is open: ask it again in short, it was talked past."""


Event: TypeAlias = Start | Answer | Invalid | Interrupt | Outcome | Found | Silent | Expired | Resume
