"""What a scenario may refer to, as the bot layer declares it: actions, sources, slot types, facts, other scenarios."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Result:
    """One outcome of an action: the slots it sets and clears, by name, and the words it brings for placeholders."""

    sets: tuple[str, ...] = ()
    clears: tuple[str, ...] = ()
    args: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Action:
    """An action for `call`. The first outcome is the one a rehearsal assumes. `needs` are slots it works on."""

    outcomes: Mapping[str, Result]
    needs: tuple[str, ...] = ()
    params: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """Something that offers choices for `from`. `outcomes` are what else it may report; the first: nothing to offer."""

    outcomes: tuple[str, ...] = ("none",)
    args: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Registry:
    """All of it. `scenarios` and `intents` stay unchecked while None; `args` are words every wording may use.

    `sms_parts` counts how many SMS a text takes.
    """

    actions: Mapping[str, Action] = field(default_factory=dict)
    sources: Mapping[str, Source] = field(default_factory=dict)
    types: frozenset[str] = frozenset()
    facts: frozenset[str] = frozenset()
    args: frozenset[str] = frozenset()
    scenarios: frozenset[str] | None = None
    intents: frozenset[str] | None = None
    sms_parts: Callable[[str], int] | None = None
