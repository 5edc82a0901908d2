"""The linter: proves a scenario sound before it goes live, and says where it is not."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain

from flows.cycles import Edge, endless
from flows.definition import (
    RESTART,
    RESUME,
    SAME,
    SCENARIO,
    Branch,
    Case,
    Collect,
    Finish,
    Interrupt,
    Invoke,
    Scenario,
    Slot,
    State,
    Test,
)
from flows.machine import COLLECT_OUTCOMES, all_nodes, interrupt_trigger, targets
from flows.problems import Problem, did_you_mean
from flows.registry import Registry, Result, names_in
from flows.words import placeholders

# WhatsApp's sizes, the narrowest of the channels: up to 3 choices become buttons, up to 10 a list.
BUTTONS, BUTTON_TEXT = 3, 20
LIST_ROWS, ROW_TEXT = 10, 24
SMS_PARTS = 3


def check(scenario: Scenario, registry: Registry) -> list[Problem]:
    """Everything that is wrong with `scenario`, in the order of its text; without errors it can be compiled and run."""
    linter = _Linter(scenario, registry)
    linter.references()
    linter.outcomes()
    linter.ways()
    linter.cycles()
    linter.wordings()
    linter.leftovers()
    linter.tests()
    return sorted(linter.problems, key=lambda problem: (problem.at, problem.code))


class _Linter:
    def __init__(self, scenario: Scenario, registry: Registry) -> None:
        self.scenario = scenario
        self.registry = registry
        self.nodes = all_nodes(scenario)
        self.problems: list[Problem] = []

    # Names that must exist.

    def references(self) -> None:
        scenario, registry = self.scenario, self.registry
        self.known(("start",), scenario.start, scenario.states, "state")
        for name in scenario.triggers.intents:
            self.intent(("triggers", "intents"), name)
        for slot in scenario.slots.values():
            self.slot(slot)
        for state in scenario.states.values():
            self.state(state)
        for interrupt in scenario.interrupts.values():
            path = ("interrupts", interrupt.name)
            if interrupt.intent is not None:
                self.intent((*path, "intent"), interrupt.intent)
            if interrupt.goto is not None:
                self.target((*path, "goto"), interrupt.goto)
            if interrupt.run is not None and registry.scenarios is not None:
                self.known((*path, "run"), interrupt.run, registry.scenarios, "scenario")
            if interrupt.call is not None:
                self.action(path, interrupt.call, interrupt.params)
            for outcome, target in interrupt.outcomes.items():
                self.target((*path, "outcomes", outcome), target)

    def slot(self, slot: Slot) -> None:
        path = ("slots", slot.name)
        self.known((*path, "type"), slot.type, self.registry.types, "slot type")
        if slot.source is not None:
            self.known((*path, "from"), slot.source, self.registry.sources, "source")
        for name in slot.after:
            self.known((*path, "after"), name, self.scenario.slots, "slot")
        if slot.type == "choice" and slot.source is None and not slot.choices:
            self.problem(path, "no_choices", f"The choice {slot.name!r} needs `from` or `options`.")

    def state(self, state: State) -> None:
        path = ("states", state.name)
        for name in state.clear:
            self.known((*path, "clear"), name, self.scenario.slots, "slot")
        match state.task:
            case Collect(slot):
                self.known((*path, "collect"), slot, self.scenario.slots, "slot")
            case Invoke(action, params):
                self.action(path, action, params)
            case Branch(cases, otherwise):
                for index, case in enumerate(cases):
                    self.case((*path, "branch", str(index)), case)
                self.target((*path, "else" if "else" in self.given(path) else "goto"), otherwise)
            case Finish():
                pass
        for outcome, target in state.outcomes.items():
            self.target((*path, "outcomes", outcome), target)

    def case(self, path: tuple[str, ...], case: Case) -> None:
        self.target((*path, "then"), case.then)
        if case.then == SAME:
            self.problem((*path, "then"), "endless", "A branch that goes to itself decides the same again.")
        if case.subject == "fact":
            self.known((*path, "fact"), case.name, self.registry.facts, "fact")
            return
        self.known((*path, "slot"), case.name, self.scenario.slots, "slot")
        slot = self.scenario.slots.get(case.name)
        if slot is None or not slot.choices:
            return
        ids = [choice.id for choice in slot.choices]
        for comparison, wanted in case.tests:
            for value in wanted if isinstance(wanted, list) else [wanted]:
                if comparison in ("equals", "not", "in") and value not in ids:
                    self.unknown((*path, comparison), str(value), ids, "option")

    def action(self, path: tuple[str, ...], name: str, params: Mapping[str, object]) -> None:
        self.known((*path, "call"), name, self.registry.actions, "action")
        action = self.registry.actions.get(name)
        if action is None:
            return
        for param in params:
            self.known((*path, "with", param), param, action.params, f"parameter of {name!r}", code="unknown_param")
        for param in action.required:
            if not params.get(param):
                self.problem((*path, "call"), "missing_param", f"{name!r} needs {param!r} under `with`.")
        for param in filter(None, (action.reads, action.fills)):
            for slot in names_in(params.get(param)):
                self.known((*path, "with", param), slot, self.scenario.slots, "slot")
        for slot in action.needs:
            if slot not in self.scenario.slots:
                self.problem((*path, "call"), "missing_slot", f"{name!r} works on a slot {slot!r}; there is none.")

    def target(self, path: tuple[str, ...], target: str) -> None:
        if target in (SAME, RESUME, RESTART):
            return
        if target.startswith(SCENARIO):
            if self.registry.scenarios is not None:
                self.known(path, target.removeprefix(SCENARIO), self.registry.scenarios, "scenario")
            return
        self.known(path, target, self.scenario.states, "state")

    def intent(self, path: tuple[str, ...], name: str) -> None:
        if self.registry.intents is not None:
            self.known(path, name, self.registry.intents, "intent")

    # Outcomes: all that can happen has somewhere to go, and nothing else is listed.

    def outcomes(self) -> None:
        for state in self.scenario.states.values():
            path = ("states", state.name)
            match state.task:
                case Collect() as task:
                    self.closed(path, state.outcomes, *self.collect_outcomes(state, task))
                case Invoke(action) if action in self.registry.actions:
                    names = tuple(self.registry.actions[action].outcomes)
                    self.closed(path, state.outcomes, names, names)
                case _:
                    pass
        for interrupt in self.scenario.interrupts.values():
            if interrupt.call is not None and interrupt.call in self.registry.actions:
                names = tuple(self.registry.actions[interrupt.call].outcomes)
                self.closed(("interrupts", interrupt.name), interrupt.outcomes, (), names)

    def collect_outcomes(self, state: State, task: Collect) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What must be listed, and what may be."""
        must: tuple[str, ...] = ("filled", "exhausted", *self.results(state))
        if task.silence is not None:
            must += ("silent",)
        # What a source may report that nobody knows, nobody can tell.
        more = () if self.is_known(state) else tuple(state.outcomes.keys() - set(COLLECT_OUTCOMES))
        return must, (*must, "invalid", *more)

    def closed(
        self, path: tuple[str, ...], listed: Mapping[str, str], must: Collection[str], may: Collection[str]
    ) -> None:
        for name in must:
            if name not in listed:
                self.problem((*path, "outcomes"), "missing_outcome", f"{path[-1]!r} has no outcome {name!r}.")
        for name in listed:
            if name not in may:
                hint = " It needs a `silence`." if name == "silent" else ""
                self.unknown((*path, "outcomes", name), name, may, "outcome here", code="unknown_outcome", hint=hint)

    # Ways: every state is reached and leads to an end.

    def ways(self) -> None:
        scenario = self.scenario
        if scenario.start not in scenario.states:
            return
        doors = [self.door(interrupt) for interrupt in scenario.interrupts.values() if interrupt.run is None]
        reached = self.reach([scenario.start, *doors])
        for name in scenario.states:
            if name not in reached:
                self.problem(("states", name), "unreachable", f"Nothing leads to the state {name!r}.")
        ends = {name for name in self.nodes if self.is_end(self.nodes[name])}
        changed = True
        while changed:
            more = {name for name in self.nodes if not ends.isdisjoint(self.following(name))} - ends
            ends |= more
            changed = bool(more)
        for name in scenario.states:
            if name in reached and name not in ends:
                self.problem(("states", name), "no_end", f"From the state {name!r} no way leads to an end.")

    def door(self, interrupt: Interrupt) -> str:
        return interrupt.goto or interrupt_trigger(interrupt.name)

    def following(self, name: str) -> set[str]:
        state = self.nodes.get(name)
        found = set() if state is None else set(targets(state).values())
        if RESTART in found:
            found.add(self.scenario.start)
        return found

    def reach(self, doors: Iterable[str]) -> set[str]:
        reached: set[str] = set()
        fresh = set(doors)
        while fresh:
            reached |= fresh
            fresh = set(chain.from_iterable(map(self.following, fresh))) - reached
        return reached

    def is_end(self, state: State) -> bool:
        away = any(target == RESUME or target.startswith(SCENARIO) for target in targets(state).values())
        return isinstance(state.task, Finish) or away

    # Cycles: going round must mean asking the customer something.

    def cycles(self) -> None:
        found = endless(list(self.edges()))
        if found:
            way = " → ".join(found)
            self.problem(
                ("states", found[0]),
                "endless",
                f"This goes round without asking anything: {way}. Clear a slot that is asked for on the way.",
            )

    def edges(self) -> Iterator[Edge]:
        """The arrows that are followed without waiting for the customer, as far as we know what they do."""
        for node in filter(self.is_known, self.nodes.values()):
            for outcome, target in targets(node).items():
                to = node.name if target == SAME else self.scenario.start if target == RESTART else target
                if to not in self.nodes:
                    continue
                # Starting over keeps what is remembered, whatever that hangs on.
                anew = {slot.name for slot in self.scenario.slots.values() if slot.remember is None}
                result = self.results(node).get(outcome, Result())
                slot = node.task.slot if isinstance(node.task, Collect) else None
                if slot is not None and outcome in ("invalid", "exhausted", "silent"):
                    continue
                yield Edge(
                    node.name,
                    to,
                    skipped=slot if outcome == "filled" else None,
                    found=slot if slot in result.sets else None,
                    forgotten=self.with_dependants({*self.nodes[to].clear, *result.clears})
                    | (anew if target == RESTART else set()),
                    spent=frozenset(result.clears),
                    gained=frozenset(result.sets),
                )

    def is_known(self, node: State) -> bool:
        """Whether the action or source at this node, if it has one, is registered."""
        match node.task:
            case Invoke(action):
                return action in self.registry.actions
            case Collect(name):
                slot = self.scenario.slots.get(name)
                return slot is None or slot.source is None or slot.source in self.registry.sources
            case _:
                return True

    def results(self, node: State) -> Mapping[str, Result]:
        """The outcomes that an action or a source brings to this node, with what they do."""
        match node.task:
            case Invoke(action) if action in self.registry.actions:
                return self.registry.actions[action].outcomes
            case Collect(name):
                slot = self.scenario.slots.get(name)
                if slot is not None and slot.source is not None and slot.source in self.registry.sources:
                    return self.registry.sources[slot.source].outcomes
        return {}

    def with_dependants(self, cleared: set[str]) -> frozenset[str]:
        fresh = cleared
        while fresh:
            fresh = {slot.name for slot in self.scenario.slots.values() if not fresh.isdisjoint(slot.after)} - cleared
            cleared = cleared | fresh
        return frozenset(cleared)

    # Words.

    def wordings(self) -> None:
        scenario = self.scenario
        keys = dict.fromkeys(chain.from_iterable(scenario.words.values()))
        used = dict(self.used_words())
        for key, path in used.items():
            self.known(path, key, keys, "word")
        for lang, words in scenario.words.items():
            for key in keys:
                if key not in words:
                    self.problem(("words", lang), "missing_language", f"{key!r} is not said in {lang!r}.")
        for key in keys:
            if key not in used:
                path = next(("words", lang, key) for lang, words in scenario.words.items() if key in words)
                self.problem(path, "unused_word", f"Nothing says {key!r}.", warning=True)
        self.placeholders()
        self.lengths()

    def used_words(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        for state in self.scenario.states.values():
            if state.say is not None:
                yield state.say, ("states", state.name, "say")
        for slot in self.scenario.slots.values():
            for choice in slot.choices:
                yield choice.word, ("slots", slot.name, "options", choice.id)

    def placeholders(self) -> None:
        registry = self.registry
        known = {*self.scenario.slots, *registry.facts, *registry.args}
        for node in self.nodes.values():
            for result in self.results(node).values():
                known |= set(result.args)
        for slot in self.scenario.slots.values():
            if slot.source is not None and slot.source in registry.sources:
                known |= set(registry.sources[slot.source].args)
        for lang, words in self.scenario.words.items():
            for key, wording in words.items():
                for text in (wording.text, wording.short, wording.voice, wording.sms):
                    for name in placeholders(text):
                        self.known(("words", lang, key), name, known, "placeholder")

    def lengths(self) -> None:
        labels = {choice.word: len(slot.choices) for slot in self.scenario.slots.values() for choice in slot.choices}
        parts = self.registry.sms_parts
        for lang, words in self.scenario.words.items():
            for key, wording in words.items():
                path = ("words", lang, key)
                choices = labels.get(key)
                if choices is not None:
                    what, most = ("a button", BUTTON_TEXT) if choices <= BUTTONS else ("a row of a list", ROW_TEXT)
                    if len(wording.text) > most:
                        message = f"As {what}, {key!r} may have {most} characters, not {len(wording.text)}."
                        self.problem(path, "too_long", message)
                elif parts is not None and (count := parts(wording.pick("sms"))) > SMS_PARTS:
                    message = f"As an SMS {key!r} takes {count} parts, more than {SMS_PARTS}; give it a shorter `sms`."
                    self.problem(path, "too_long", message, warning=True)
        for slot in self.scenario.slots.values():
            if len(slot.choices) > LIST_ROWS:
                message = f"{slot.name!r} has {len(slot.choices)} options; a list shows {LIST_ROWS}."
                self.problem(("slots", slot.name, "options"), "too_many", message, warning=True)

    # What nothing uses, and tests.

    def leftovers(self) -> None:
        used = set(chain.from_iterable(slot.after for slot in self.scenario.slots.values()))
        for node in self.nodes.values():
            for result in self.results(node).values():
                used |= {*result.sets, *result.clears}
            match node.task:
                case Collect(slot):
                    used.add(slot)
                case Branch(cases):
                    used |= {case.name for case in cases if case.subject == "slot"}
                case Invoke(name, params) if name in self.registry.actions:
                    action = self.registry.actions[name]
                    listed = (names_in(params.get(param)) for param in (action.reads, action.fills))
                    used |= {*action.needs, *chain.from_iterable(listed)}
                case _:
                    pass
        for words in self.scenario.words.values():
            for wording in words.values():
                used |= set(placeholders(wording.text + wording.short + wording.voice + wording.sms))
        for slot in self.scenario.slots:
            if slot not in used:
                self.problem(("slots", slot), "unused_slot", f"Nothing asks for or uses {slot!r}.", warning=True)

    def tests(self) -> None:
        if not self.scenario.tests:
            self.problem((), "untested", "There are no `tests`.", warning=True)
        for index, test in enumerate(self.scenario.tests):
            self.test(("tests", str(index)), test)

    def test(self, path: tuple[str, ...], test: Test) -> None:
        registry, scenario = self.registry, self.scenario
        keys = set(chain.from_iterable(scenario.words.values()))
        for name, outcomes in test.mock.items():
            names = registry.actions.keys() | registry.sources.keys()
            self.known((*path, "mock", name), name, names, "action or source", code="unknown_action")
            if name in registry.actions:
                for outcome in outcomes:
                    self.known((*path, "mock", name), outcome, registry.actions[name].outcomes, "outcome")
        for slot in test.fills:
            self.known((*path, "fills", slot), slot, scenario.slots, "slot")
        for fact in test.facts:
            self.known((*path, "facts", fact), fact, registry.facts, "fact")
        for number, turn in enumerate(test.turns):
            here = (*path, "turns", str(number))
            if turn.state is not None:
                self.target((*here, "state"), turn.state)
            for key in turn.says:
                self.known((*here, "says"), key, keys, "word")
            for slot in turn.slots:
                self.known((*here, "slots", slot), slot, scenario.slots, "slot")

    # Book-keeping.

    def given(self, path: tuple[str, ...]) -> set[str]:
        """The keys written at `path`."""
        depth = len(path)
        return {other[depth] for other in self.scenario.positions if len(other) > depth and other[:depth] == path}

    def known(
        self, path: tuple[str, ...], name: str, known: Collection[str], what: str, *, code: str | None = None
    ) -> None:
        if name not in known:
            self.unknown(path, name, known, what, code=code)

    def unknown(
        self,
        path: tuple[str, ...],
        name: str,
        known: Iterable[str],
        what: str,
        *,
        code: str | None = None,
        hint: str = "",
    ) -> None:
        code = code or f"unknown_{what.rsplit(maxsplit=1)[-1]}"
        self.problem(path, code, f"There is no {what} {name!r}.{hint or did_you_mean(name, known)}")

    def problem(self, path: tuple[str, ...], code: str, message: str, *, warning: bool = False) -> None:
        at = self.scenario.where(*path)
        self.problems.append(Problem(at, code, message, "warning" if warning else "error"))
