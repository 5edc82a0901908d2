"""Rehearsals: a scenario played without side effects, by its own tests or turn by turn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple, TypeAlias

from flows import definition, events
from flows.definition import Collect, Json, Position
from flows.drive import drive
from flows.effects import Ask, Call, Effect, Lookup, RunChild, Say
from flows.machine import Compiled
from flows.registry import Action, Registry, Result, Source
from flows.state import Option, Run, SlotValue
from flows.step import Move, Step, begin, step
from flows.words import fill

# What a customer's words mean at an open question, and which slots the first message fills.
Interpreter: TypeAlias = Callable[[str, Compiled, Run, datetime], events.Event]
Opening: TypeAlias = Callable[[str, Compiled, datetime], Mapping[str, SlotValue]]
# What a source offers. Actions are never done in a rehearsal: they have their first outcome, or the mocked one.
Offers: TypeAlias = Callable[[Lookup, Run], events.Found]


class Said(NamedTuple):
    """One thing the bot said: the key, the text as a customer would see it, and the choices below it."""

    key: str
    text: str
    choices: tuple[str, ...] = ()


class Played(NamedTuple):
    """What came of one turn: where the run stands now, what was said, all effects and the way taken."""

    run: Run
    said: tuple[Said, ...]
    effects: tuple[Effect, ...]
    moves: tuple[Move, ...]


class TurnResult(NamedTuple):
    """A turn of a test as it went; `problem` says what was expected instead."""

    at: Position
    said: tuple[Said, ...]
    state: str
    problem: str | None = None


class Verdict(NamedTuple):
    """How a test went, up to its first turn that went wrong."""

    name: str
    turns: tuple[TurnResult, ...]

    @property
    def passed(self) -> bool:
        """Whether every turn went as written."""
        return all(turn.problem is None for turn in self.turns)


def run_tests(
    scenario: Compiled,
    registry: Registry,
    now: datetime,
    *,
    interpret: Interpreter | None = None,
    opening: Opening | None = None,
    offers: Offers | None = None,
) -> tuple[Verdict, ...]:
    """Play all tests of the scenario from `now` on a virtual clock.

    Without `interpret` words are matched literally (`read_plainly`). What a test does not mock goes well: actions
    have their first outcome, sources offer what `offers` says, and without that two things.
    """
    results = []
    for index, test in enumerate(scenario.scenario.tests):
        rehearsal = Rehearsal(
            scenario,
            registry,
            now,
            mock=test.mock,
            fills=test.fills,
            facts=test.facts,
            interpret=interpret or read_plainly,
            opening=opening,
            offers=offers,
        )
        turns: list[TurnResult] = []
        for number, turn in enumerate(test.turns):
            at = scenario.scenario.where("tests", str(index), "turns", str(number))
            turns.append(_play(rehearsal, turn, at))
            if turns[-1].problem is not None:
                break
        results.append(Verdict(test.name, tuple(turns)))
    return tuple(results)


@dataclass(slots=True)
class Rehearsal:
    """One conversation in the making; `hear` and `wait` play it on. Nothing outside is touched.

    A scenario that runs on top of this one is taken to have ended at once.
    """

    scenario: Compiled
    registry: Registry
    now: datetime
    mock: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    fills: Mapping[str, Json] = field(default_factory=dict)
    facts: Mapping[str, Json] = field(default_factory=dict)
    interpret: Interpreter = field(default_factory=lambda: read_plainly)
    opening: Opening | None = None
    offers: Offers | None = None
    lang: str = ""
    run: Run | None = None
    used: dict[str, int] = field(default_factory=dict)

    def hear(self, text: str) -> Played:
        """The customer says `text`; the first time that begins the scenario."""
        if self.run is None:
            slots = self.opening(text, self.scenario, self.now) if self.opening else {}
            return self._played(begin(self.scenario, self.now, slots, facts=self.facts, lang=self.lang))
        return self._played(
            step(self.scenario, self.run, self.interpret(text, self.scenario, self.run, self.now), self.now)
        )

    def wait(self, length: timedelta) -> Played:
        """Time passes; silences and the expiry on the way happen when they are due."""
        until = self.now + length
        run = self.run
        if run is None:
            raise ValueError("nothing has begun yet that time could pass in")
        played = Played(run, (), (), ())
        while True:
            due = min((at for at in (run.silence_due, run.expires_at) if at is not None and at <= until), default=None)
            if due is None:
                break
            self.now = max(due, self.now)
            event = events.Expired() if due == run.expires_at else events.Silent()
            more = self._played(step(self.scenario, run, event, self.now))
            played = Played(more.run, played.said + more.said, played.effects + more.effects, played.moves + more.moves)
            run = more.run
        self.now = until
        return played

    def _played(self, first: Step) -> Played:
        result = drive(self.scenario, first, self.now, self._perform)
        while any(isinstance(effect, RunChild) for effect in result.effects) and result.run.waiting == "child":
            back = drive(
                self.scenario, step(self.scenario, result.run, events.Resume(), self.now), self.now, self._perform
            )
            result = Step(back.run, result.effects + back.effects, result.moves + back.moves)
        self.run = result.run
        said = tuple(self._said(effect) for effect in result.effects if isinstance(effect, Say | Ask))
        return Played(result.run, said, result.effects, result.moves)

    def _said(self, effect: Say | Ask) -> Said:
        words = self.scenario.scenario.words
        lang = self.run.lang if self.run is not None and self.run.lang in words else next(iter(words))
        wording = words[lang].get(effect.key)
        text = fill(wording.pick("web", short=effect.short), effect.args) if wording else ""
        labels = tuple(option.label for option in effect.options) if isinstance(effect, Ask) else ()
        return Said(effect.key, text, labels)

    def _perform(self, effect: Call | Lookup, run: Run) -> events.Outcome | events.Found | None:
        name = effect.action if isinstance(effect, Call) else effect.source
        mocked = self.mock.get(name)
        known = self._outcomes(effect)
        if mocked and (isinstance(effect, Call) or known.keys() >= set(mocked)):
            turn = self.used.get(name, 0)
            self.used[name] = turn + 1
            return self._report(effect, mocked[min(turn, len(mocked) - 1)])
        if isinstance(effect, Call):
            return self._report(effect, next(iter(known), "error"))
        if mocked is None and self.offers is not None:
            return self.offers(effect, run)
        labels = (f"{name} 1", f"{name} 2") if mocked is None else mocked
        if not labels and known:
            return self._report(effect, next(iter(known)))
        return self._offer(effect, labels)

    def _outcomes(self, effect: Call | Lookup) -> Mapping[str, Result]:
        registered: Action | Source | None
        if isinstance(effect, Call):
            registered = self.registry.actions.get(effect.action)
        else:
            registered = self.registry.sources.get(effect.source)
        return {} if registered is None else registered.outcomes

    def _report(self, effect: Call | Lookup, outcome: str) -> events.Outcome:
        result = self._outcomes(effect).get(outcome, Result())
        slots: dict[str, SlotValue | None] = dict.fromkeys(result.clears)
        also = self.registry.actions[effect.action].filled(outcome, effect.params) if isinstance(effect, Call) else ()
        for name in (*result.sets, *also):
            value = self.fills.get(name, name)
            slots[name] = SlotValue(value, str(value))
        return events.Outcome(outcome, slots, {name: name for name in result.args}, effect.ticket)

    def _offer(self, effect: Lookup, labels: tuple[str, ...]) -> events.Found:
        source = self.registry.sources.get(effect.source, Source())
        options = tuple(Option(str(number), label, label) for number, label in enumerate(labels, start=1))
        return events.Found(options, {name: name for name in source.args}, effect.ticket)


def read_plainly(text: str, scenario: Compiled, run: Run, now: datetime) -> events.Event:
    """What `text` means without any understanding: exact names, numbers, yes and no; `now` is not looked at."""
    said = text.strip().casefold()
    for interrupt in scenario.scenario.interrupts.values():
        if said in {interrupt.name, interrupt.intent, *map(str.casefold, interrupt.keywords)}:
            return events.Interrupt(interrupt.name)
    node = scenario.nodes.get(run.node)
    if node is None or not isinstance(node.task, Collect):
        return events.Invalid()
    slot = scenario.scenario.slots[node.task.slot]
    value = _pick(said, run.offered) if run.offered else _free(text.strip(), slot)
    return events.Invalid() if value is None else events.Answer({slot.name: value})


def _pick(said: str, offered: tuple[Option, ...]) -> SlotValue | None:
    for number, option in enumerate(offered, start=1):
        if said in {str(number), option.id.casefold(), option.label.casefold(), *map(str.casefold, option.keywords)}:
            return option.chosen()
    return None


def _free(text: str, slot: definition.Slot) -> SlotValue | None:
    match slot.type:
        case "yes_no":
            answer = {"yes": True, "y": True, "no": False, "n": False}.get(text.casefold())
            return None if answer is None else SlotValue(answer, text)
        case "number":
            return SlotValue(int(text), text) if text.isascii() and text.isdecimal() and len(text) < 10 else None
        case _:
            return SlotValue(text, text) if text else None


def _play(rehearsal: Rehearsal, turn: definition.Turn, at: Position) -> TurnResult:
    before = rehearsal.run
    if before is None and turn.user is None:
        return TurnResult(at, (), "", "A test begins with something the user says.")
    if before is not None and before.ended is not None:
        return TurnResult(at, (), before.node, f"The scenario was over already: {before.ended}.")
    played = rehearsal.hear(turn.user) if turn.user is not None else rehearsal.wait(turn.clock or timedelta())
    return TurnResult(at, played.said, played.run.node, _difference(turn, played))


def _difference(turn: definition.Turn, played: Played) -> str | None:
    run = played.run
    if run.ended == "failed" and turn.state != run.node:
        code = getattr(played.effects[-1], "code", "")
        return f"The run failed ({code}) in {run.node!r}."
    if turn.state is not None and turn.state != run.node:
        return f"Expected the state {turn.state!r}, but it is {run.node!r}."
    said = iter(each.key for each in played.said)
    for key in turn.says:
        if key not in said:
            heard = ", ".join(each.key for each in played.said) or "nothing"
            return f"Expected to hear {key!r}, but heard {heard}."
    for name, wanted in turn.slots.items():
        label = run.slots[name].label if name in run.slots else ""
        if label.casefold() != wanted.casefold():
            return f"Expected {name!r} to be {wanted!r}, but it is {label!r}."
    return None
