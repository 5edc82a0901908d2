"""Where one conversation stands in one scenario, and how that is kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple, TypeAlias

from flows.definition import Json

Waiting: TypeAlias = Literal["input", "call", "lookup", "child"]


class SlotValue(NamedTuple):
    """What a slot holds: a JSON value for the machine, and the words that say it."""

    value: Json
    label: str


class Option(NamedTuple):
    """One choice a customer was offered, in the order it was offered."""

    id: str
    label: str
    value: Json
    detail: str = ""
    keywords: tuple[str, ...] = ()
    letter: str = ""  # what to answer by where there are no buttons

    def chosen(self) -> SlotValue:
        """The slot value of picking this one."""
        return SlotValue(self.value, self.label)


class Frame(NamedTuple):
    """A question that an interrupt broke into, to be asked again, with the trail as it was then."""

    node: str
    interrupt: str
    tries: int
    trail: tuple[str, ...] = ()
    offered: tuple[Option, ...] = ()


@dataclass(slots=True)
class Run:
    """Where a conversation stands. Treat it as a value: the engine hands back a new one and keeps the old as it was.

    `waiting` says for what; `pending` names the action, source or child then, `ticket` numbers it. `trail` lists the
    questions passed on the way here, `asked` is the one asked last and `tries` how often in vain, `hops` counts states
    entered since the customer last did something, `silences` how often in a row nothing came. `ended` is how it ended:
    a kind of end, `expired`, `switched` or `failed`. `facts` are what the bot layer knows (`is_open`, `channel`).
    """

    scenario: str
    node: str
    slots: dict[str, SlotValue] = field(default_factory=dict)
    offered: tuple[Option, ...] = ()
    tries: int = 0
    stack: tuple[Frame, ...] = ()
    waiting: Waiting | None = None
    pending: str | None = None
    silence_due: datetime | None = None
    expires_at: datetime | None = None
    trail: tuple[str, ...] = ()
    ended: str | None = None
    facts: dict[str, Json] = field(default_factory=dict)
    args: dict[str, str] = field(default_factory=dict)
    lang: str = ""
    asked: str = ""
    ticket: int = 0
    hops: int = 0
    silences: int = 0

    def copy(self) -> Run:
        """A run that can be changed without touching this one."""
        return Run(
            self.scenario,
            self.node,
            self.slots.copy(),
            self.offered,
            self.tries,
            self.stack,
            self.waiting,
            self.pending,
            self.silence_due,
            self.expires_at,
            self.trail,
            self.ended,
            self.facts,
            self.args,
            self.lang,
            self.asked,
            self.ticket,
            self.hops,
            self.silences,
        )

    def to_json(self) -> dict[str, Json]:
        """All of it as JSON; what is empty is left out."""
        data: dict[str, Json] = {"scenario": self.scenario, "node": self.node}
        if self.slots:
            data["slots"] = {name: [slot.value, slot.label] for name, slot in self.slots.items()}
        if self.offered:
            data["offered"] = _options_out(self.offered)
        if self.stack:
            data["stack"] = [
                [frame.node, frame.interrupt, frame.tries, list(frame.trail), _options_out(frame.offered)]
                for frame in self.stack
            ]
        if self.silence_due is not None:
            data["silence_due"] = self.silence_due.isoformat()
        if self.expires_at is not None:
            data["expires_at"] = self.expires_at.isoformat()
        if self.trail:
            data["trail"] = list(self.trail)
        for name in _PLAIN:
            value = getattr(self, name)
            if value:
                data[name] = value
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Run:
        """The run that `to_json` wrote.

        Raises:
            RunError: it is not one.
        """
        try:
            run = cls(data["scenario"], data["node"])
            for name in _PLAIN:
                if name in data:
                    setattr(run, name, data[name])
            run.slots = {name: SlotValue(value, label) for name, (value, label) in data.get("slots", {}).items()}
            run.offered = _options_in(data.get("offered", ()))
            run.stack = tuple(
                Frame(node, interrupt, tries, tuple(trail), _options_in(offered))
                for node, interrupt, tries, trail, offered in data.get("stack", ())
            )
            if "silence_due" in data:
                run.silence_due = datetime.fromisoformat(data["silence_due"])
            if "expires_at" in data:
                run.expires_at = datetime.fromisoformat(data["expires_at"])
            run.trail = tuple(data.get("trail", ()))
        except (KeyError, TypeError, ValueError, AttributeError) as wrong:
            raise RunError(f"a stored run does not read back: {type(wrong).__name__}") from wrong
        return run


class RunError(ValueError):
    """Stored JSON that is no run."""


_PLAIN = ("tries", "waiting", "pending", "ended", "facts", "args", "lang", "asked", "ticket", "hops", "silences")


def _options_out(options: tuple[Option, ...]) -> list[Json]:
    rows: list[Json] = []
    for option in options:
        row: list[Json] = [option.id, option.label, option.value]
        if option.letter:
            row += [option.detail, list(option.keywords), option.letter]
        elif option.keywords:
            row += [option.detail, list(option.keywords)]
        elif option.detail:
            row.append(option.detail)
        rows.append(row)
    return rows


def _options_in(rows: list[list[Any]] | tuple[()]) -> tuple[Option, ...]:
    return tuple(Option(*row[:4], *(tuple(words) for words in row[4:5]), *row[5:]) for row in rows)
