"""What the engine asks for. The turn carries effects out in order, in one transaction with the new run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from flows.definition import Json
from flows.state import Option, SlotValue


@dataclass(frozen=True, slots=True)
class Say:
    """Say the wording `key`; `args` fills its placeholders."""

    key: str
    args: Mapping[str, str]
    short: bool = False


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask for `slot` with the wording `key` and wait for the customer.

    `again`: the last answer made no sense. `short`: the question is known, use the short form.
    """

    slot: str
    key: str
    options: tuple[Option, ...]
    args: Mapping[str, str]
    short: bool = False
    again: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """Run a registered action on the run's slots; its result comes back as `Outcome`, now or in a later turn."""

    action: str
    params: Mapping[str, Json]
    ticket: int


@dataclass(frozen=True, slots=True)
class Lookup:
    """Find the choices for `slot`; they come back as `Found`, or as an `Outcome` of the source."""

    source: str
    slot: str
    ticket: int


@dataclass(frozen=True, slots=True)
class Switch:
    """This run is over, another scenario goes on with those of `slots` that it has too."""

    scenario: str
    slots: Mapping[str, SlotValue]


@dataclass(frozen=True, slots=True)
class RunChild:
    """Begin another scenario on top of this run, and send `Resume` when it has ended.

    The bot layer keeps the stack of runs: a run knows nothing of its parent or child.
    """

    scenario: str


@dataclass(frozen=True, slots=True)
class End:
    """The run is over: `completed`, `cancelled`, `abandoned`, `handed_off`, `expired`, or `resume` what was before."""

    kind: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The run is over because a limit was reached or an outcome has nowhere to go: a person must be told.

    Codes: `steps`, `depth`, `options`, `outcome`.
    """

    code: str


Effect: TypeAlias = Say | Ask | Call | Lookup | Switch | RunChild | End | Failed
