"""What changed between two versions of a scenario, for the person who is about to publish one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass

from flows.definition import Scenario

_OMITTED = ("positions", "name")


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: `old` is None for what is new, `new` for what is gone."""

    path: str
    old: str | None
    new: str | None


def changes(old: Scenario, new: Scenario) -> tuple[Change, ...]:
    """Every difference that matters, by path (`states.hold.outcomes.taken`); formatting and order do not."""
    before, after = dict(_flat(old, ())), dict(_flat(new, ()))
    return tuple(
        Change(path, before.get(path), after.get(path))
        for path in sorted(before.keys() | after.keys())
        if before.get(path) != after.get(path)
    )


def _flat(value: object, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if is_dataclass(value) and not isinstance(value, type):
        for each in fields(value):
            if each.name not in _OMITTED:
                # Whether a state collects or calls shows in its keys; `task` itself is ours, not the author's.
                deeper = path if each.name == "task" else (*path, each.name)
                yield from _flat(getattr(value, each.name), deeper)
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from _flat(each, (*path, str(key)))
    elif isinstance(value, tuple) and any(is_dataclass(each) for each in value):
        for index, each in enumerate(value):
            yield from _flat(each, (*path, str(index)))
    elif not (value is None or value is False or value in ("", ())):
        text = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
        yield ".".join(path), text
