"""What a branch may compare, and what it makes of things that are not set."""

import pytest

from flows.definition import Branch, Case, Json
from flows.guards import decide
from flows.state import SlotValue


def outcome(comparison: str, wanted: Json, value: Json, *, known: bool = True) -> bool:
    """Whether the comparison holds, asked of a slot and of a fact: both must agree."""
    slots = {"it": SlotValue(value, "it")} if known else {}
    facts = {"it": value} if known else {}
    answers = {
        decide(Branch((Case("slot", "it", ((comparison, wanted),), "then"),), "other"), slots, {}),
        decide(Branch((Case("fact", "it", ((comparison, wanted),), "then"),), "other"), {}, facts),
    }
    assert len(answers) == 1
    return answers == {"then"}


@pytest.mark.parametrize(
    ("comparison", "wanted", "holds", "fails"),
    [
        ("equals", 4, [4, 4.0], [5, "4", True, None]),
        ("equals", 1, [1], [True]),
        ("equals", True, [True], [1, False, "true"]),
        ("equals", "haircut", ["haircut"], ["Haircut", None]),
        ("equals", None, [None], [0, "", False]),
        ("not", 4, [5, "4", None, True], [4]),
        ("in", ["a", 1], ["a", 1], ["b", True, None]),
        ("in", [], [], ["a", None]),
        ("more_than", 4, [5, 4.5], [4, 3, "5", True, None]),
        ("more_than", "2026-03-01", ["2026-03-02"], ["2026-03-01", "2026-02-28", 5]),
        ("less_than", 4, [3, -1], [4, 5, "3", False, None]),
        ("is_set", True, [1, None, False], []),
        ("is_set", False, [], [1, None, False]),
    ],
)
def test_comparisons_hold_for_what_they_say(
    comparison: str, wanted: Json, holds: list[Json], fails: list[Json]
) -> None:
    assert [value for value in holds if not outcome(comparison, wanted, value)] == []
    assert [value for value in fails if outcome(comparison, wanted, value)] == []


@pytest.mark.parametrize("comparison", ["equals", "not", "in", "more_than", "less_than"])
def test_nothing_but_is_set_false_holds_for_what_is_not_set(comparison: str) -> None:
    assert not outcome(comparison, ["a"] if comparison == "in" else "a", None, known=False)
    assert not outcome("is_set", True, None, known=False)
    assert outcome("is_set", False, None, known=False)


def test_all_comparisons_of_a_case_must_hold_and_the_first_case_wins() -> None:
    cases = (
        Case("slot", "party", (("more_than", 4), ("less_than", 10)), "large"),
        Case("slot", "party", (("more_than", 4),), "huge"),
    )
    found = [decide(Branch(cases, "small"), {"party": SlotValue(size, "")}, {}) for size in (4, 5, 9, 10)]
    assert found == ["else", "large", "large", "huge"]
