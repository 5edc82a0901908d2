"""Keeping a run: what is written reads back the same, and what is no run is refused by name."""

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.state import Frame, Option, Run, RunError, SlotValue
from tests.flows.scenes import NOW

_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
_text = st.text(max_size=8)
_texts = st.lists(_text, max_size=3).map(tuple)
_options = st.lists(st.builds(Option, _text, _text, _json, _text, _texts), max_size=3).map(tuple)
_moments = st.none() | st.timedeltas(timedelta(0), timedelta(days=400)).map(lambda length: NOW + length)
_counts = st.integers(0, 99)

runs = st.builds(
    Run,
    scenario=_text,
    node=_text,
    slots=st.dictionaries(_text, st.builds(SlotValue, _json, _text), max_size=3),
    offered=_options,
    tries=_counts,
    stack=st.lists(st.builds(Frame, _text, _text, _counts, _texts, _options), max_size=3).map(tuple),
    waiting=st.sampled_from([None, "input", "call", "lookup", "child"]),
    pending=st.none() | st.text(min_size=1),
    silence_due=_moments,
    expires_at=_moments,
    trail=_texts,
    ended=st.none() | st.text(min_size=1),
    facts=st.dictionaries(_text, _json, max_size=3),
    args=st.dictionaries(_text, _text, max_size=3),
    lang=_text,
    asked=_text,
    ticket=_counts,
    hops=_counts,
    silences=_counts,
)


@given(runs)
def test_a_run_reads_back_as_it_was(run: Run) -> None:
    assert Run.from_json(json.loads(json.dumps(run.to_json()))) == run


@given(runs)
def test_a_copy_is_equal_and_apart(run: Run) -> None:
    copy = run.copy()
    assert copy == run
    copy.slots["new"] = SlotValue(1, "one")
    copy.node += "x"
    assert copy != run


def test_what_is_empty_is_not_written() -> None:
    assert Run("book", "service").to_json() == {"scenario": "book", "node": "service"}
    run = Run("book", "service", offered=(Option("1", "Cut", 7), Option("2", "Shave", 8, "short")))
    assert run.to_json()["offered"] == [["1", "Cut", 7], ["2", "Shave", 8, "short"]]


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"scenario": "book"},
        {"scenario": "book", "node": "a", "slots": [1]},
        {"scenario": "book", "node": "a", "slots": {"s": [1]}},
        {"scenario": "book", "node": "a", "offered": [["1"]]},
        {"scenario": "book", "node": "a", "stack": [["b"]]},
        {"scenario": "book", "node": "a", "silence_due": "soon"},
    ],
)
def test_what_is_no_run_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(RunError):
        Run.from_json(data)
