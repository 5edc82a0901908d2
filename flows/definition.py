"""What a scenario is once it has been read: plain, frozen data that engine, linter and drawing share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal, NamedTuple, TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
EndKind: TypeAlias = Literal["completed", "cancelled", "abandoned", "handed_off", "resume"]
END_KINDS: tuple[EndKind, ...] = ("completed", "cancelled", "abandoned", "handed_off", "resume")

# Targets that are no state of the scenario's own.
SAME = "="
RESUME = "resume"
RESTART = "restart"
SCENARIO = "scenario:"


class Position(NamedTuple):
    """Where something stands in the source, both counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Triggers:
    """What makes a customer's words start this scenario."""

    intents: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """One fixed option of a slot: its id is also its value, `word` names its label among the words."""

    id: str
    word: str


@dataclass(frozen=True, slots=True)
class Slot:
    """Something the scenario wants to know.

    `source` names what offers the choices (`from:`), `choices` lists fixed ones; never both. When a slot in `after`
    changes, this one is forgotten. `remember` says whose profile fills it beforehand (`customer`), and such a slot
    survives starting over. `least` and `most` bound a number, or the length of a text. What is `private` is in no recording.
    """

    name: str
    type: str
    source: str | None = None
    choices: tuple[Choice, ...] = ()
    remember: str | None = None
    after: tuple[str, ...] = ()
    least: int | None = None
    most: int | None = None
    private: bool = False


@dataclass(frozen=True, slots=True)
class Collect:
    """Ask for a slot; skipped when it is filled.

    `max_invalid` answers that make no sense are met with the question again, the next one is `exhausted`.
    With `focus` no interrupt is heard here.
    """

    slot: str
    max_invalid: int = 2
    silence: timedelta | None = None
    focus: bool = False


@dataclass(frozen=True, slots=True)
class Invoke:
    """Run a registered action; its outcome decides where to go."""

    action: str
    params: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Case:
    """One line of a branch: all `tests` (comparison, value) hold for the named slot or fact."""

    subject: Literal["slot", "fact"]
    name: str
    tests: tuple[tuple[str, Json], ...]
    then: str


@dataclass(frozen=True, slots=True)
class Branch:
    """The first case that holds decides, else `otherwise`; `goto:` is a branch without cases."""

    cases: tuple[Case, ...]
    otherwise: str


@dataclass(frozen=True, slots=True)
class Finish:
    """The scenario ends here; `resume` goes back to the question an interrupt broke into, if there is one."""

    kind: EndKind


Task: TypeAlias = Collect | Invoke | Branch | Finish


@dataclass(frozen=True, slots=True)
class State:
    """One state: says `say`, forgets the slots in `clear` on entry, then does its one task.

    `outcomes` maps outcome to target: a state, `=` (this one again), `resume`, `restart` or `scenario:ID`. A branch's
    outcomes are named after their targets, and `else`.
    """

    name: str
    task: Task
    say: str | None = None
    clear: tuple[str, ...] = ()
    outcomes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Interrupt:
    """Something a customer may say at any question. Exactly one of `goto`, `call` and `run` is set.

    With `resumes` the question is asked again, shorter, when the digression is over. `outcomes` sends single outcomes
    of `call` to states of their own.
    """

    name: str
    intent: str | None = None
    keywords: tuple[str, ...] = ()
    goto: str | None = None
    call: str | None = None
    params: Mapping[str, Json] = field(default_factory=dict)
    run: str | None = None
    outcomes: Mapping[str, str] = field(default_factory=dict)
    resumes: bool = False


@dataclass(frozen=True, slots=True)
class Wording:
    """How one thing is said in one language: for the eye, shorter when asked again, for the ear, for an SMS.

    When it is the label of a choice, `keywords` are other words for the same thing, and `letter` is what to answer by
    where there are no buttons.
    """

    text: str
    short: str = ""
    voice: str = ""
    sms: str = ""
    keywords: tuple[str, ...] = ()
    letter: str = ""

    def pick(self, channel: str, *, short: bool = False) -> str:
        """The words for `channel`; the short form when asked for and there is one."""
        if short and self.short:
            return self.short
        if channel == "voice" and self.voice:
            return self.voice
        if channel == "sms" and self.sms:
            return self.sms
        return self.text


@dataclass(frozen=True, slots=True)
class Turn:
    """One line of a test: the customer says `user` or `clock` moves on; then what must be true."""

    user: str | None = None
    clock: timedelta | None = None
    state: str | None = None
    says: tuple[str, ...] = ()
    slots: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Test:
    """A conversation the scenario must survive before it may be published.

    `mock` gives the outcomes of an action or source, one after the other and the last again and again, or the labels
    of what a source offers. `fills` are the values that actions set slots to; without one it is the slot's own name.
    """

    name: str
    turns: tuple[Turn, ...]
    mock: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    fills: Mapping[str, Json] = field(default_factory=dict)
    facts: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds that keep one scenario from hurting the others; not part of the language."""

    source_bytes: int = 256 * 1024
    states: int = 200
    slots: int = 50
    interrupts: int = 100
    text: int = 1600
    options: int = 200
    steps: int = 60
    depth: int = 3
    silences: int = 2


LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Scenario:
    """A whole scenario. `words` is language → key → wording; the first language is the default one.

    `positions` knows where each path (`("states", "hold", "outcomes", "taken")`) stands in the source.
    """

    id: str
    start: str
    states: Mapping[str, State]
    slots: Mapping[str, Slot] = field(default_factory=dict)
    interrupts: Mapping[str, Interrupt] = field(default_factory=dict)
    words: Mapping[str, Mapping[str, Wording]] = field(default_factory=dict)
    triggers: Triggers = Triggers()
    expires: timedelta | None = None
    tests: tuple[Test, ...] = ()
    positions: Mapping[tuple[str, ...], Position] = field(default_factory=dict, compare=False, repr=False)

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages it speaks, the default one first."""
        return tuple(self.words)

    def where(self, *path: str) -> Position:
        """The position of `path`, or of the nearest thing around it that has one."""
        for end in range(len(path), -1, -1):
            found = self.positions.get(path[:end])
            if found is not None:
                return found
        return Position(1, 1)
