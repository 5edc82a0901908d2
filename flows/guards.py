"""What a branch may ask of a slot or fact: comparisons of plain data, no expressions."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flows.definition import Branch, Json
from flows.state import SlotValue


def decide(branch: Branch, slots: Mapping[str, SlotValue], facts: Mapping[str, Json]) -> str:
    """The outcome of a branch: the target of its first case that holds, else `else`."""
    for case in branch.cases:
        if case.subject == "slot":
            slot = slots.get(case.name)
            known, value = slot is not None, None if slot is None else slot.value
        else:
            known, value = case.name in facts, facts.get(case.name)
        if all(COMPARISONS[name](known, value, wanted) for name, wanted in case.tests):
            return case.then
    return "else"


def _equals(known: bool, value: Json, wanted: Json) -> bool:
    # 1 == True in Python, but not to the owner of a scenario.
    return known and isinstance(value, bool) == isinstance(wanted, bool) and value == wanted


def _differs(known: bool, value: Json, wanted: Json) -> bool:
    return known and not _equals(known, value, wanted)


def _within(known: bool, value: Json, wanted: Json) -> bool:
    return isinstance(wanted, list) and any(_equals(known, value, each) for each in wanted)


def _more(known: bool, value: Json, wanted: Json) -> bool:
    if not known or isinstance(value, bool) or isinstance(wanted, bool):
        return False
    if isinstance(value, int | float) and isinstance(wanted, int | float):
        return value > wanted
    # Dates and times are kept as ISO strings, which sort as they should.
    return isinstance(value, str) and isinstance(wanted, str) and value > wanted


def _less(known: bool, value: Json, wanted: Json) -> bool:
    return known and _more(True, wanted, value)


def _is_set(known: bool, _value: Json, wanted: Json) -> bool:
    return known is wanted


# Nothing but `is_set: false` holds for a slot that is not set.
COMPARISONS: Mapping[str, Callable[[bool, Json, Json], bool]] = {
    "equals": _equals,
    "not": _differs,
    "in": _within,
    "more_than": _more,
    "less_than": _less,
    "is_set": _is_set,
}
