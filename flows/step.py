"""One step of a scenario: a run and an event in, a new run and what to do out. No clock, no chance, no text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from flows import events
from flows.definition import RESTART, RESUME, SCENARIO, Branch, Collect, Finish, Interrupt, Invoke, Json, Slot, State
from flows.effects import Ask, Call, Effect, End, Failed, Lookup, RunChild, Say, Switch
from flows.guards import decide
from flows.machine import COLLECT_OUTCOMES, EMPTY_OUTCOMES, Compiled, can_interrupt, interrupt_trigger
from flows.state import Frame, Option, Run, SlotValue, Waiting


class Move(NamedTuple):
    """One arrow followed: what happened in `state`, and where that led. The counts per state are made of these."""

    state: str
    outcome: str
    target: str


class Step(NamedTuple):
    """The run afterwards, what to do in order, and the way it took. `ignored`: nothing here listens to that event."""

    run: Run
    effects: tuple[Effect, ...]
    moves: tuple[Move, ...] = ()
    ignored: bool = False


_NO_SLOTS: Mapping[str, SlotValue] = {}
_NO_FACTS: Mapping[str, Json] = {}
_NO_ARGS: dict[str, str] = {}


def begin(
    scenario: Compiled,
    now: datetime,
    slots: Mapping[str, SlotValue] = _NO_SLOTS,
    *,
    facts: Mapping[str, Json] = _NO_FACTS,
    lang: str = "",
) -> Step:
    """A new run at its first question, with `slots` filled beforehand. `lang` falls back to the default language."""
    run = Run(scenario.scenario.id, scenario.scenario.start, facts=dict(facts))
    run.lang = lang if lang in scenario.options else next(iter(scenario.options))
    walk = _Walk(scenario, run, now)
    walk.start(slots)
    return Step(walk.run, tuple(walk.effects), tuple(walk.moves))


def step(
    scenario: Compiled, run: Run, event: events.Event, now: datetime, *, facts: Mapping[str, Json] | None = None
) -> Step:
    """What `event` makes of `run`; `run` itself stays as it was. `facts`, when given, replace the run's.

    Never raises for any event: what nothing listens to is `ignored`, with the run as it was. A run whose time is up
    expires, whatever the event; the customer's words then start afresh.
    """
    if run.ended is not None:
        return Step(run, (), ignored=True)
    walk = _Walk(scenario, run.copy(), now)
    if facts is not None:
        walk.run.facts = dict(facts)
    if run.expires_at is not None and now >= run.expires_at:
        walk.end("expired")
    elif not walk.take(event):
        return Step(run, (), ignored=True)
    return Step(walk.run, tuple(walk.effects), tuple(walk.moves))


class _Walk:
    """One step in the making. `run` is our own copy; methods that go on from a state end in `follow`."""

    __slots__ = ("effects", "moves", "now", "run", "scenario")

    def __init__(self, scenario: Compiled, run: Run, now: datetime) -> None:
        self.scenario = scenario
        self.run = run
        self.now = now
        self.effects: list[Effect] = []
        self.moves: list[Move] = []

    # What each event means. True when something listened.

    def take(self, event: events.Event) -> bool:
        node = self.scenario.nodes.get(self.run.node)
        if node is None:
            self.fail("state")
            return True
        match event:
            case events.Answer(values):
                return self.answered(node, values)
            case events.Outcome():
                return self.outcome(node, event)
            case events.Found():
                return self.found(node, event)
            case events.Invalid():
                return self.invalid(node)
            case events.Interrupt(name):
                return self.interrupted(node, name)
            case events.Silent():
                return self.silent(node)
            case events.Resume():
                return self.resumed(node)
            case events.Start(slots):
                self.start(slots)
                return True
            case events.Expired():
                return False

    def start(self, slots: Mapping[str, SlotValue]) -> None:
        self.heard()
        self.restart()
        self.run.slots.update(self.fitting(slots))
        self.follow(self.enter())

    def answered(self, node: State, values: Mapping[str, SlotValue]) -> bool:
        run, task = self.run, node.task
        if run.waiting != "input" or not isinstance(task, Collect):
            return False
        values = self.fitting(values)
        if not values:
            return self.invalid(node)
        self.heard()
        news = {name for name, value in values.items() if run.slots.get(name) != value}
        changed = self.change(values)
        if changed:
            for index, name in enumerate(run.trail):
                passed = self.scenario.nodes[name].task
                if isinstance(passed, Collect) and passed.slot in changed:
                    self.go_back(index)
                    return True
        slot = self.scenario.scenario.slots[task.slot]
        if task.slot in run.slots:
            self.passed(node)
            self.follow("filled")
        elif slot.source is not None and not news.isdisjoint(slot.after):
            self.look_up(node, task)
        else:
            self.ask(node, task, short=True)
        return True

    def invalid(self, node: State) -> bool:
        if self.run.waiting != "input" or not isinstance(node.task, Collect):
            return False
        self.heard()
        run = self.run
        run.tries += 1
        if run.tries <= node.task.max_invalid:
            self.follow("invalid")
        else:
            run.tries = 0
            self.follow("exhausted")
        return True

    def silent(self, node: State) -> bool:
        run = self.run
        if run.waiting != "input" or run.silence_due is None or self.now < run.silence_due:
            return False
        run.hops = 0
        run.silences += 1
        self.follow("silent")
        return True

    def interrupted(self, node: State, name: str) -> bool:
        run = self.run
        interrupt = self.scenario.scenario.interrupts.get(name)
        if interrupt is None or run.waiting not in ("input", "call") or not can_interrupt(interrupt, node):
            return False
        self.heard()
        if interrupt.run is not None:
            self.pend("child", interrupt.run)
            self.effects.append(RunChild(interrupt.run))
            self.moves.append(Move(node.name, interrupt_trigger(name), node.name))
            return True
        if not interrupt.resumes:
            run.stack = ()
        elif not self.put_aside(interrupt):
            self.fail("depth")
            return True
        self.follow(interrupt_trigger(name))
        return True

    def outcome(self, node: State, event: events.Outcome) -> bool:
        run = self.run
        if run.waiting not in ("call", "lookup") or (event.ticket is not None and event.ticket != run.ticket):
            return False
        self.change(event.slots)
        self.remember_args(event.args)
        name = event.name
        # A source reports its own outcomes, never those of the question it serves.
        if name not in node.outcomes or (run.waiting == "lookup" and name in COLLECT_OUTCOMES):
            name = next((fallback for fallback in ("else", "error") if fallback in node.outcomes), "")
        if not name:
            self.fail("outcome")
            return True
        self.follow(name, event.name)
        return True

    def found(self, node: State, event: events.Found) -> bool:
        run, task = self.run, node.task
        if not isinstance(task, Collect) or self.scenario.scenario.slots[task.slot].source is None:
            return False
        if event.ticket is not None and event.ticket != run.ticket:
            return False
        if run.waiting == "input":
            self.heard()
        elif run.waiting != "lookup":
            return False
        self.remember_args(event.args)
        if len(event.options) > self.scenario.limits.options:
            self.fail("options")
        elif event.options:
            run.offered = event.options
            self.ask(node, task, short=run.asked == node.name)
        else:
            empty = next((name for name in EMPTY_OUTCOMES if name in node.outcomes), None)
            if empty is None:
                self.fail("outcome")
            else:
                self.follow(empty)
        return True

    def resumed(self, node: State) -> bool:
        if self.run.waiting not in ("child", "input") or not isinstance(node.task, Collect):
            return False
        self.heard()
        self.ask(node, node.task, short=True)
        return True

    # Going from state to state.

    def follow(self, outcome: str | None, called: str = "") -> None:
        """Follow the arrow `outcome` and those after it, until the run waits or is over.

        `called` is the outcome's own name where another one's arrow stands in for it.
        """
        run = self.run
        while outcome is not None:
            source = run.node
            event = self.scenario.events.get(outcome)
            if event is None or source not in event.transitions:
                self.fail("outcome")
                return
            event.trigger(run)
            self.moves.append(Move(source, called or outcome, run.node))
            stays = run.node == source
            if stays and outcome in ("invalid", "silent"):
                self.repeat(short=True, again=outcome == "invalid")
                return
            if stays and outcome.startswith("interrupt:"):
                self.repeat(short=False, again=False)
                return
            outcome, called = self.enter(), ""

    def enter(self, *, clear: bool = True) -> str | None:
        """Do what the state we are in is there for; the outcome when it has one at once."""
        run = self.run
        run.waiting = run.pending = run.silence_due = None
        run.hops += 1
        if run.hops > self.scenario.limits.steps:
            self.fail("steps")
            return None
        node = self.scenario.nodes.get(run.node)
        if node is None:
            return self.enter_elsewhere()
        if clear and node.clear:
            self.forget(node.clear)
        match node.task:
            case Collect() as task:
                return self.enter_question(node, task)
            case Invoke(action, params):
                self.say(node)
                self.pend("call", action)
                self.effects.append(Call(action, params, run.ticket))
                return None
            case Branch() as branch:
                self.say(node)
                return decide(branch, run.slots, run.facts)
            case Finish(kind):
                self.say(node)
                if kind == "resume" and run.stack:
                    return self.take_up_again()
                self.end(kind)
                return None

    def enter_elsewhere(self) -> str | None:
        """The targets that are no states: take up a question again, start over, hand over to another scenario."""
        run = self.run
        if run.node == RESUME and run.stack:
            return self.take_up_again()
        if run.node == RESUME:
            self.end(RESUME)
        elif run.node == RESTART:
            self.restart()
            return self.enter()
        elif run.node.startswith(SCENARIO):
            self.effects.append(Switch(run.node.removeprefix(SCENARIO), run.slots.copy()))
            self.close("switched")
        else:
            self.fail("state")
        return None

    def enter_question(self, node: State, task: Collect) -> str | None:
        run = self.run
        if node.name in run.trail:
            run.trail = run.trail[: run.trail.index(node.name)]
        if task.slot in run.slots:
            self.passed(node)
            return "filled"
        slot = self.scenario.scenario.slots[task.slot]
        if slot.source is not None:
            self.look_up(node, task)
            return None
        run.offered = self.options().get(task.slot, ())
        self.ask(node, task, short=run.asked == node.name)
        return None

    def repeat(self, *, short: bool, again: bool) -> None:
        """Ask the open question once more, with the choices it had."""
        node = self.scenario.nodes[self.run.node]
        if isinstance(node.task, Collect):
            self.ask(node, node.task, short=short, again=again)

    def take_up_again(self) -> str | None:
        """Back to the question that was put aside last: asked again in short, or skipped if answered meanwhile."""
        run = self.run
        frame = run.stack[-1]
        run.node, run.tries, run.offered = frame.node, frame.tries, frame.offered
        run.stack, run.trail, run.asked = run.stack[:-1], frame.trail, frame.node
        node = self.scenario.nodes[frame.node]
        if not isinstance(node.task, Collect):
            self.fail("state")
        elif node.task.slot in run.slots:
            self.passed(node)
            return "filled"
        elif self.scenario.scenario.slots[node.task.slot].source is not None and not run.offered:
            self.look_up(node, node.task)
        else:
            self.ask(node, node.task, short=True)
        return None

    def go_back(self, index: int) -> None:
        """Walk again from a question passed earlier, whose answer has changed; what is still known is skipped."""
        run = self.run
        source, run.node = run.node, run.trail[index]
        run.trail = run.trail[:index]
        run.stack = tuple(frame for frame in run.stack if run.node not in frame.trail)
        run.asked, run.tries = "", 0
        self.moves.append(Move(source, "corrected", run.node))
        # Not `clear`: it would wipe the correction itself.
        self.follow(self.enter(clear=False))

    def restart(self) -> None:
        run = self.run
        slots = self.scenario.scenario.slots
        run.slots = {name: value for name, value in run.slots.items() if slots[name].remember is not None}
        run.node = self.scenario.scenario.start
        run.stack, run.trail, run.offered, run.args = (), (), (), _NO_ARGS
        run.asked, run.tries = "", 0

    def put_aside(self, interrupt: Interrupt) -> bool:
        """Keep the open question for later; False when too many wait already.

        An interrupt within itself starts over: the question it first broke into is kept, nothing is stacked.
        """
        run = self.run
        for index, frame in enumerate(run.stack):
            if frame.interrupt == interrupt.name:
                run.stack, run.trail = run.stack[: index + 1], frame.trail
                return True
        if len(run.stack) >= self.scenario.limits.depth:
            return False
        run.stack += (Frame(run.node, interrupt.name, run.tries, run.trail, run.offered),)
        return True

    # The small steps these are made of.

    def ask(self, node: State, task: Collect, *, short: bool, again: bool = False) -> None:
        run = self.run
        if run.asked != node.name:
            run.asked, run.tries = node.name, 0
        run.waiting, run.pending, run.silence_due = "input", None, None
        if task.silence is not None and run.silences < self.scenario.limits.silences and "silent" in node.outcomes:
            run.silence_due = self.now + task.silence
        key = node.say or ""
        self.effects.append(Ask(task.slot, key, run.offered, self.args(key), short, again))

    def look_up(self, node: State, task: Collect) -> None:
        source = self.scenario.scenario.slots[task.slot].source
        self.run.offered = ()
        self.pend("lookup", source or "")
        self.effects.append(Lookup(source or "", task.slot, self.run.ticket))

    def pend(self, waiting: Waiting, name: str) -> None:
        run = self.run
        run.waiting, run.pending, run.silence_due = waiting, name, None
        run.ticket += 1

    def passed(self, node: State) -> None:
        run = self.run
        run.trail += (node.name,)
        run.asked, run.tries, run.offered = "", 0, ()

    def heard(self) -> None:
        """The customer is there: all that counts their absence or our own running starts again."""
        run = self.run
        run.hops = run.silences = 0
        expires = self.scenario.scenario.expires
        if expires is not None:
            run.expires_at = self.now + expires

    def say(self, node: State) -> None:
        if node.say is not None:
            self.effects.append(Say(node.say, self.args(node.say)))

    def args(self, key: str) -> Mapping[str, str]:
        """What the placeholders of `key` stand for: slots, then words of the last results, then facts."""
        names = self.scenario.args.get(key)
        if not names:
            return _NO_ARGS
        run = self.run
        found = {}
        for name in names:
            if name in run.slots:
                found[name] = run.slots[name].label
            elif name in run.args:
                found[name] = run.args[name]
            elif isinstance(fact := run.facts.get(name), str | int | float):
                found[name] = str(fact)
        return found

    def options(self) -> Mapping[str, tuple[Option, ...]]:
        by_language = self.scenario.options
        return by_language.get(self.run.lang) or next(iter(by_language.values()))

    def change(self, values: Mapping[str, SlotValue | None]) -> set[str]:
        """Set or forget slots and what depended on their old values; the names of all that were known and changed."""
        run = self.run
        changed: set[str] = set()
        for name, value in values.items():
            old = run.slots.get(name)
            if old is not None and old != value:
                changed.add(name)
            if value is None:
                run.slots.pop(name, None)
            elif name in self.scenario.dependants:
                run.slots[name] = value
        # Forgetting means starting afresh, also of what hangs on a slot that happened to be empty.
        for name in {*changed, *(name for name, value in values.items() if value is None)}:
            for other in self.scenario.dependants.get(name, ()):
                # A "yes" in the same breath as a change was said of what is no longer true.
                kept = other in values and self.scenario.scenario.slots[other].type != "yes_no"
                if not kept and run.slots.pop(other, None) is not None:
                    changed.add(other)
        if run.stack and values:
            run.stack = tuple(self.without_stale_offers(frame, values.keys()) for frame in run.stack)
        return changed

    def without_stale_offers(self, frame: Frame, names: Iterable[str]) -> Frame:
        task = self.scenario.nodes[frame.node].task
        stale = isinstance(task, Collect) and any(task.slot in self.scenario.dependants.get(name, ()) for name in names)
        return frame._replace(offered=()) if stale else frame

    def forget(self, names: Iterable[str]) -> None:
        self.change(dict.fromkeys(names))

    def fitting(self, values: Mapping[str, SlotValue]) -> dict[str, SlotValue]:
        """Those of `values` that are slots here, within their bounds and no longer than a text may be."""
        longest = self.scenario.limits.text
        return {
            name: value
            for name, value in values.items()
            if name in self.scenario.dependants
            and is_within(self.scenario.scenario.slots[name], value.value)
            and len(value.label) <= longest
            and not (isinstance(value.value, str) and len(value.value) > longest)
        }

    def remember_args(self, args: Mapping[str, str]) -> None:
        if args:
            longest = self.scenario.limits.text
            known = {name: text[:longest] for name, text in args.items() if name in self.scenario.placeholders}
            self.run.args = {**self.run.args, **known}

    def end(self, kind: str) -> None:
        self.effects.append(End(kind))
        self.close(kind)

    def fail(self, code: str) -> None:
        self.effects.append(Failed(code))
        self.close("failed")

    def close(self, how: str) -> None:
        run = self.run
        run.ended = how
        run.waiting = run.pending = run.silence_due = run.expires_at = None
        run.stack, run.offered = (), ()


def is_within(slot: Slot, value: Json) -> bool:
    """Whether a number, or the length of a text, lies within what the slot allows."""
    if slot.least is None and slot.most is None:
        return True
    size = value if isinstance(value, int | float) else len(value) if isinstance(value, str) else None
    if size is None:
        return True
    return (slot.least is None or size >= slot.least) and (slot.most is None or size <= slot.most)
