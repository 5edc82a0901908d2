"""Turning a scenario into the one `transitions` machine that all its conversations share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import cast

from transitions import Event, EventData, Machine, Transition
from transitions import State as MachineState

from flows import definition
from flows.definition import (
    LIMITS,
    SAME,
    Branch,
    Choice,
    Collect,
    Finish,
    Interrupt,
    Invoke,
    Limits,
    Scenario,
    State,
    Wording,
)
from flows.state import Option, Run
from flows.words import placeholders

# `Run.node` is the machine's state attribute; `transitions` refuses a trigger of that name.
RESERVED_OUTCOME = "node"
COLLECT_OUTCOMES = ("filled", "invalid", "exhausted", "silent")
EMPTY_OUTCOMES = ("none", "none_free")


@dataclass(frozen=True, slots=True)
class Compiled:
    """A scenario ready to run: immutable, shared by every conversation on this version.

    `nodes` holds the states and, as `interrupt:NAME`, what the calling interrupts do. `events` are the machine's
    triggers: outcomes, and `interrupt:NAME`. `dependants` are all slots to forget when one changes. `args` are the
    placeholders of a key in any language, `placeholders` those of all. `options` are the fixed choices, by language
    and slot.
    """

    scenario: Scenario
    machine: Machine
    events: Mapping[str, Event]
    nodes: Mapping[str, State]
    dependants: Mapping[str, frozenset[str]]
    args: Mapping[str, tuple[str, ...]]
    placeholders: frozenset[str]
    options: Mapping[str, Mapping[str, tuple[Option, ...]]]
    limits: Limits


def compile(scenario: Scenario, limits: Limits = LIMITS) -> Compiled:  # noqa: A001 - the trade's word
    """A scenario ready to run. It should have passed the linter: a target that is nowhere becomes a `failed` run."""
    nodes = all_nodes(scenario)
    arrows = list(_arrows(scenario, nodes))
    places = dict.fromkeys(chain(nodes, (arrow[2] for arrow in arrows)))
    machine = _Machine(
        model=None,
        states=[MachineState(name) for name in places],
        initial=scenario.start if scenario.start in places else next(iter(places)),
        transitions=arrows,
        auto_transitions=False,
        model_attribute="node",
        name=scenario.id,
    )
    args = _args(scenario)
    return Compiled(
        scenario=scenario,
        machine=machine,
        events=machine.events,
        nodes=nodes,
        dependants={name: _dependants(scenario, name) for name in scenario.slots},
        args=args,
        placeholders=frozenset(chain.from_iterable(args.values())),
        options={lang: fixed_options(scenario, lang) for lang in scenario.languages or ("",)},
        limits=limits,
    )


class _Arrow(Transition):
    """An arrow that only moves: no machine here has callbacks, and looking for them took 7 of 10.5 µs a trigger."""

    def execute(self, event_data: EventData) -> bool:
        cast(Run, event_data.model).node = cast(str, self.dest)
        return True


class _Machine(Machine):
    transition_cls = _Arrow


def interrupt_trigger(name: str) -> str:
    """The trigger of an interrupt; the prefix keeps it apart from an outcome of the same name."""
    return f"interrupt:{name}"


def all_nodes(scenario: Scenario) -> dict[str, State]:
    """The states, and what each calling interrupt does as a state called `interrupt:NAME`."""
    nodes = dict(scenario.states)
    for interrupt in scenario.interrupts.values():
        if interrupt.call is not None:
            nodes[interrupt_trigger(interrupt.name)] = _calling_node(interrupt)
    return nodes


def targets(state: State) -> Mapping[str, str]:
    """Outcome to target, with what the language leaves unsaid: branches name theirs, `invalid` asks again."""
    match state.task:
        case Branch(cases, otherwise):
            return {**{case.then: case.then for case in cases}, "else": otherwise}
        case Collect():
            return {"invalid": SAME, **state.outcomes}
        case Invoke():
            return state.outcomes
        case Finish():
            return {}


def _arrows(scenario: Scenario, nodes: Mapping[str, State]) -> Iterator[list[str]]:
    for node in nodes.values():
        for outcome, target in targets(node).items():
            yield [outcome, node.name, node.name if target == SAME else target]
    for interrupt in scenario.interrupts.values():
        for node in nodes.values():
            if can_interrupt(interrupt, node):
                trigger = interrupt_trigger(interrupt.name)
                target = trigger if interrupt.call is not None else interrupt.goto or SAME
                yield [trigger, node.name, node.name if target == SAME else target]


def can_interrupt(interrupt: Interrupt, node: State) -> bool:
    """Whether the interrupt is heard in this state: at any question without focus; and one that leaves for good also
    while an action is at work, whose result then comes too late.
    """
    match node.task:
        case Collect(focus=focus):
            return not focus
        case Invoke():
            return interrupt.goto is not None and not interrupt.resumes
        case _:
            return False


def _calling_node(interrupt: Interrupt) -> State:
    outcomes = dict(interrupt.outcomes)
    if interrupt.resumes:
        outcomes["else"] = definition.RESUME
    return State(interrupt_trigger(interrupt.name), Invoke(interrupt.call or "", interrupt.params), outcomes=outcomes)


def _dependants(scenario: Scenario, name: str) -> frozenset[str]:
    found: set[str] = set()
    fresh = {name}
    while fresh:
        fresh = {slot.name for slot in scenario.slots.values() if not fresh.isdisjoint(slot.after)} - found - {name}
        found |= fresh
    return frozenset(found)


def _args(scenario: Scenario) -> dict[str, tuple[str, ...]]:
    found: dict[str, dict[str, None]] = {}
    for wordings in scenario.words.values():
        for key, words in wordings.items():
            names = found.setdefault(key, {})
            for text in (words.text, words.short, words.voice, words.sms):
                names.update(dict.fromkeys(placeholders(text)))
    return {key: tuple(names) for key, names in found.items()}


def fixed_options(scenario: Scenario, lang: str) -> dict[str, tuple[Option, ...]]:
    """The choices that the scenario lists itself, in that language, by slot."""
    words = {**scenario.words[scenario.languages[0]], **scenario.words[lang]} if lang else {}
    options = {}
    for slot in scenario.slots.values():
        if slot.choices:
            options[slot.name] = tuple(
                _option(choice, words[choice.word]) if choice.word in words else Option(choice.id, choice.id, choice.id)
                for choice in slot.choices
            )
    return options


def _option(choice: Choice, word: Wording) -> Option:
    return Option(choice.id, word.text, choice.id, keywords=word.keywords, letter=word.letter)
