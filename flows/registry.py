"""What a scenario may refer to, as the bot layer declares it: actions, sources, slot types, facts, other scenarios."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Result:
    """One outcome of an action or source: slots it sets and clears, by name, and words it brings for placeholders.

    It clears what led to it: a taken time, a day that is past. The linter counts on that when it looks for cycles.
    """

    sets: tuple[str, ...] = ()
    clears: tuple[str, ...] = ()
    args: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Action:
    """An action for `call`. The first outcome is the one a rehearsal assumes. `needs` are slots it works on.

    `params` are those that `with` may give, `required` those of them that it must. `reads` and `fills` name parameters
    that list slots: what the action looks at, and what its first outcome sets.
    """

    outcomes: Mapping[str, Result]
    needs: tuple[str, ...] = ()
    params: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    reads: str = ""
    fills: str = ""

    def filled(self, outcome: str, params: Mapping[str, object]) -> tuple[str, ...]:
        """The slots that an outcome sets because the parameters say so."""
        return names_in(params.get(self.fills)) if self.fills and outcome == next(iter(self.outcomes)) else ()


def names_in(param: object) -> tuple[str, ...]:
    """The names that a parameter lists; one alone stands for a list of one."""
    listed = param if isinstance(param, list) else [param]
    return tuple(name for name in listed if isinstance(name, str))


@dataclass(frozen=True, slots=True)
class Source:
    """Something that offers choices for `from`.

    `outcomes` are what it may report instead, first that there is nothing to offer (`none` or `none_free`). One that
    sets the slot itself, because there is just one choice, leads back by `=`. `args` are words that come with choices.
    """

    outcomes: Mapping[str, Result] = field(default_factory=lambda: {"none": Result()})
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
