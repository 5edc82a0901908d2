"""What holds for every scenario, run and event: the engine never raises and always knows where it stands."""

import json
from collections.abc import Mapping
from copy import deepcopy
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from flows import machine
from flows.check import check
from flows.definition import (
    RESTART,
    RESUME,
    SAME,
    Branch,
    Case,
    Choice,
    Collect,
    EndKind,
    Finish,
    Interrupt,
    Invoke,
    Scenario,
    Slot,
    State,
    Task,
    Wording,
)
from flows.draw import mermaid
from flows.drive import drive
from flows.effects import Ask, Call, End, Failed, Lookup, RunChild, Say, Switch
from flows.events import Answer, Event, Expired, Found, Invalid, Outcome, Resume, Silent, Start
from flows.events import Interrupt as Interrupted
from flows.load import load
from flows.machine import Compiled
from flows.registry import Action, Registry, Result, Source
from flows.state import Option, Run, SlotValue
from flows.step import Step, begin, step
from tests.flows.scenes import NOW, manual

SLOTS = ("p", "q", "r")
ACTIONS = {"work": Action({"done": Result(), "error": Result()})}
SOURCES = {"things": Source({"none": Result()})}
REGISTRY = Registry(ACTIONS, SOURCES, frozenset({"text", "choice", "yes_no"}), scenarios=frozenset({"other"}))


# Scenarios out of nothing


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    """Any scenario that the loader could have read; most are not sound."""
    names = [f"s{number}" for number in range(draw(st.integers(1, 6)))]
    target = st.sampled_from([*names, *names, SAME, RESUME, RESTART, "scenario:other"])
    slots = {name: draw(_slots(name)) for name in SLOTS}
    states = {name: State(name, *draw(_parts(slots, target))) for name in names}
    interrupts = {
        name: draw(
            st.one_of(
                st.builds(Interrupt, st.just(name), goto=target, resumes=st.booleans()),
                st.builds(Interrupt, st.just(name), call=st.just("work"), resumes=st.just(True)),
                st.builds(Interrupt, st.just(name), run=st.just("other"), resumes=st.just(True)),
            )
        )
        for name in ("i", "j", "k")[: draw(st.integers(0, 3))]
    }
    words = {"en": {"w": Wording("{p} {x}"), "c": Wording("Choice")}}
    expires = draw(st.sampled_from([None, timedelta(hours=1)]))
    return Scenario("any", "s0", states, slots, interrupts, words, expires=expires)


@st.composite
def _slots(draw: st.DrawFn, name: str) -> Slot:
    after = tuple(draw(st.sets(st.sampled_from([each for each in SLOTS if each != name]), max_size=2)))
    remember = draw(st.sampled_from([None, "customer"]))
    kind = draw(st.integers(0, 3))
    if kind == 0:
        return Slot(name, "choice", source="things", after=after, remember=remember)
    if kind == 1:
        return Slot(name, "choice", choices=(Choice("one", "c"), Choice("two", "c")), after=after, remember=remember)
    return Slot(name, "yes_no" if kind == 2 else "text", after=after, remember=remember)


@st.composite
def _parts(
    draw: st.DrawFn, slots: Mapping[str, Slot], target: st.SearchStrategy[str]
) -> tuple[Task, str | None, tuple[str, ...], dict[str, str]]:
    """Task, say, clear and outcomes of a state."""
    clear = tuple(draw(st.sets(st.sampled_from(SLOTS), max_size=1)))
    say = draw(st.sampled_from([None, "w"]))
    match draw(st.sampled_from(["collect", "collect", "call", "branch", "end"])):
        case "collect":
            slot = draw(st.sampled_from(SLOTS))
            silence = draw(st.sampled_from([None, timedelta(minutes=5)]))
            names = ["filled", "exhausted"]
            names += draw(st.sampled_from([[], ["invalid"]]))
            names += ["silent"] if silence else []
            names += ["none"] if slots[slot].source else []
            task = Collect(slot, draw(st.integers(0, 2)), silence, focus=draw(st.booleans()))
            return task, "w", clear, {name: draw(target) for name in names}
        case "call":
            return Invoke("work"), say, clear, {name: draw(target) for name in ("done", "error")}
        case "branch":
            cases = draw(st.lists(st.builds(Case, st.just("slot"), st.sampled_from(SLOTS), _tests, target), max_size=2))
            return Branch(tuple(cases), draw(target)), say, clear, {}
        case _:
            return Finish(draw(_ends)), say, clear, {}


_ends: st.SearchStrategy[EndKind] = st.sampled_from(["completed", "abandoned", "resume"])
_tests = st.sampled_from([(("is_set", True),), (("equals", "a"),), (("more_than", 1), ("less_than", 9))])


# Events out of nothing

_slot_values = st.builds(SlotValue, st.sampled_from(["a", "b", 5, True, None, "x" * 2000]), st.sampled_from(["A", "B"]))
_names = st.sampled_from([*SLOTS, "service", "when", "name", "confirm", "wish", "nonsense"])
_tickets = st.sampled_from([None, None, None, 1, 2, 3])
_options = st.lists(st.sampled_from([Option("1", "One", 1), Option("2", "Two", "b")]), max_size=3).map(tuple)
_args = st.dictionaries(st.sampled_from(["x", "answer", "y"]), st.text(max_size=5), max_size=2)
_outcomes = st.sampled_from(
    [
        "done",
        "error",
        "none",
        "none_free",
        "held",
        "taken",
        "booked",
        "answered",
        "filled",
        "invalid",
        "else",
        "node",
        "",
    ]
)
_interrupts = st.sampled_from(["i", "j", "k", "human", "faq", "hours", "robot", "repeat", "cancel", "nonsense"])
any_event: st.SearchStrategy[Event] = st.one_of(
    st.builds(Answer, st.dictionaries(_names, _slot_values, max_size=3)),
    st.builds(Answer, st.dictionaries(_names, _slot_values, min_size=1, max_size=1)),
    st.builds(Outcome, _outcomes, st.dictionaries(_names, st.none() | _slot_values, max_size=2), _args, _tickets),
    st.builds(Found, _options, _args, _tickets),
    st.builds(Interrupted, _interrupts),
    st.sampled_from([Invalid(), Silent(), Expired(), Resume()]),
    st.builds(Start, st.dictionaries(_names, _slot_values, max_size=1)),
)
_stories = st.lists(st.tuples(any_event, st.sampled_from([0, 1, 6, 90])), max_size=12)

MANUAL = machine.compile(load(manual()))


def stands_somewhere(scenario: Compiled, result: Step) -> None:
    """The shape of every step, whatever led to it."""
    run, limits = result.run, scenario.limits
    assert Run.from_json(json.loads(json.dumps(run.to_json()))) == run
    assert len(run.stack) <= limits.depth
    assert run.hops <= limits.steps + 1
    assert len(result.moves) <= limits.steps + 1
    assert set(run.slots) <= set(scenario.scenario.slots)
    assert len(set(run.trail)) == len(run.trail)
    if result.ignored:
        assert not result.effects
        assert not result.moves
        return
    *said, last = result.effects
    assert all(isinstance(effect, Say) for effect in said)
    if run.ended is not None:
        assert (run.waiting, run.pending, run.silence_due, run.expires_at) == (None, None, None, None)
        assert isinstance(last, End | Failed | Switch)
        return
    node = scenario.nodes[run.node]
    match run.waiting:
        case "input":
            assert isinstance(last, Ask)
            assert isinstance(node.task, Collect)
            assert (node.task.slot, last.slot, last.options) == (last.slot, node.task.slot, run.offered)
            assert node.task.slot not in run.slots
        case "lookup":
            assert isinstance(last, Lookup)
            assert (last.source, last.ticket) == (run.pending, run.ticket)
        case "call":
            assert isinstance(last, Call)
            assert (last.action, last.ticket) == (run.pending, run.ticket)
        case _:
            assert run.waiting == "child"
            assert last == RunChild(run.pending or "")


@given(st.just(MANUAL) | scenarios().map(machine.compile), _stories)
def test_any_event_in_any_state_leads_to_a_defined_one(scenario: Compiled, story: list[tuple[Event, int]]) -> None:
    now = NOW
    result = begin(scenario, now)
    stands_somewhere(scenario, result)
    for event, minutes in story:
        now += timedelta(minutes=minutes)
        before = deepcopy(result.run)
        following = step(scenario, result.run, event, now)
        assert result.run == before
        assert following == step(scenario, Run.from_json(before.to_json()), event, now)
        stands_somewhere(scenario, following)
        result = following


_customers: st.SearchStrategy[Event] = st.one_of(
    st.sampled_from([Invalid(), Silent(), Resume(), *map(Interrupted, "ijk")]),
    st.builds(Answer, st.dictionaries(st.sampled_from(SLOTS), _slot_values, min_size=1, max_size=2)),
)
_sound = scenarios().filter(lambda each: "endless" not in {found.code for found in check(each, REGISTRY)})


@given(_sound, st.data())
def test_a_scenario_without_endless_ways_never_fails(scenario: Scenario, data: st.DataObject) -> None:
    compiled = machine.compile(scenario)

    def perform(effect: Call | Lookup, run: Run) -> Outcome | Found:
        if isinstance(effect, Call):
            return Outcome(data.draw(st.sampled_from(["done", "error"])), ticket=effect.ticket)
        return Found(data.draw(_options), ticket=effect.ticket)

    now: datetime = NOW
    result = drive(compiled, begin(compiled, now), now, perform)
    for _ in range(12):
        if result.run.ended is not None:
            break
        now += timedelta(minutes=data.draw(st.sampled_from([0, 1, 6])))
        result = drive(compiled, step(compiled, result.run, data.draw(_customers), now), now, perform)
    assert not any(isinstance(effect, Failed) for effect in result.effects), result


@given(scenarios())
def test_any_scenario_can_be_checked_and_drawn(scenario: Scenario) -> None:
    for found in check(scenario, REGISTRY):
        assert found.message.endswith((".", "?"))
    assert mermaid(machine.compile(scenario)).startswith("stateDiagram-v2\n    [*] --> s_s0\n")
