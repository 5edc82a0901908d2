"""Where people make bots and scenarios: try a draft, look at it, compare it, publish it or take it back.

What thinks for long takes a text and no database, so that it can run beside everything else.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from bots import flow, registry, rehearse
from bots.registry import ScenarioRefused
from desk import bots, scenarios
from desk.bots import Bot
from desk.errors import InUse, Invalid, Stale, WrongState
from desk.refs import Ref
from desk.scenarios import Scenario
from desk.who import Actor
from flows import diff
from flows.draw import mermaid
from flows.load import load
from flows.problems import Problem, ScenarioError
from flows.testing import Played, Verdict
from storage.base import Db

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_COUNTED: Final = 10_000  # the latest runs whose way is looked at

# What a scenario begins as when only its name is known: it says one thing, and proves that it does.
_FIRST: Final = """\
spec: 1
id: {name}
start: hello
triggers: {{keywords: [{keyword}]}}
states:
  hello: {{say: hello, end: completed}}
words:
  en:
    hello: "Hello! What can we do for you?"
tests:
  - name: the usual way
    turns: [{{user: {keyword}, state: hello, says: hello}}]
"""

Check = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Bench:
    """What is needed to try a text of a bot's: the text, its name, and the scenarios it may hand over to."""

    scenario: Scenario
    source: str
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Trial:
    """What the linter found, and how each test went; no tests are played while there are errors."""

    problems: tuple[Problem, ...]
    verdicts: tuple[Verdict, ...]

    @property
    def is_sound(self) -> bool:
        return not any(each.severity == "error" for each in self.problems)

    @property
    def passed(self) -> bool:
        return self.is_sound and all(verdict.passed for verdict in self.verdicts)


@dataclass(frozen=True, slots=True)
class Statistics:
    """`ended`: of all runs; `states`: of the latest."""

    version: int
    runs: int
    ended: Mapping[str, int]
    states: Mapping[str, flow.StateCount]


def add_bot(db: Db, who: Actor, values: Mapping[str, Any], *, now: datetime) -> Bot:
    """A bot that knows the standard scenarios.

    Raises: NotFound, Invalid
    """
    made = bots.add(db, who, values, now=now)
    registry.install_standard(db, who, made.id, now=now)
    return made


def name_for(name: str | None, source: str | None) -> tuple[str, str]:
    """The name and the text of a new scenario, either of which may follow from the other.

    Raises: Invalid
    """
    name = name or registry.id_in(source or "")
    if not _NAME.fullmatch(name):
        raise Invalid("name", "Give it a name of small letters, digits and `_`, or a text with an `id`.")
    return name, source if source is not None else _FIRST.format(name=name, keyword=name.replace("_", " "))


def bench(db: Db, who: Actor, bot: Ref, ref: Ref, *, which: str | None = None, source: str | None = None) -> Bench:
    """`which`: draft, published or the number of a version; None for what somebody would go on with. `source` is tried
    instead when it is given.

    Raises: NotFound; WrongState, when there is no such text
    """
    found = scenarios.get(db, who, bot, ref)
    if source is None:
        source = _text(db, who, found, which)
    return Bench(found, source, registry.names(db, found.bot_id))


def lint(on: Bench) -> tuple[Problem, ...]:
    """Everything that is wrong, warnings included."""
    return tuple(registry.lint(on.source, scenarios=on.names | {registry.id_in(on.source)})[1])


def rehearsed(on: Bench, check: Check) -> Trial:
    """What the linter finds, and the scenario's own tests."""
    problems = lint(on)
    trial = Trial(problems, ())
    return Trial(problems, rehearse.run(registry.sound(on.source), check=check)) if trial.is_sound else trial


def prove(on: Bench, check: Check) -> None:
    """That it may be published.

    Raises: ScenarioRefused
    """
    proved = registry.prove(on.source, scenarios=on.names, check=check)
    if proved.id != on.scenario.name:
        at = proved.where("id")
        raise ScenarioRefused([Problem(at, "other_id", f"This scenario is {on.scenario.name!r}, not {proved.id!r}.")])


def publish(db: Db, who: Actor, on: Bench, *, now: datetime) -> Scenario:
    """New conversations begin with what was proved on the bench.

    Raises: NotFound; Stale, when somebody wrote another draft in the meantime
    """
    found = scenarios.get(db, who, on.scenario.bot_id, on.scenario.id, lock=True)
    if found.source != on.source:
        raise Stale("scenario", found.id, 0)
    registry.write(db, who, found.bot_id, found.name, on.source, now=now)
    scenarios.forget_draft(db, found.id, on.source)
    return scenarios.get(db, who, found.bot_id, found.id)


def remove(db: Db, who: Actor, bot: Ref, ref: Ref, *, now: datetime) -> None:
    """Raises: NotFound; InUse, while a published scenario hands over to it"""
    found = scenarios.get(db, who, bot, ref)
    leads_here = re.compile(rf"(?:scenario:|\brun:\s*){re.escape(found.name)}\b")
    for name, text in scenarios.texts(db, found.bot_id).items():
        if name != found.name and leads_here.search(text):
            raise InUse("scenario", f"The scenario {name!r} hands over to this one; change that first.")
    scenarios.remove(db, who, bot, ref, now=now)


def draw(on: Bench) -> str:
    """Mermaid.

    Raises: ScenarioRefused
    """
    return mermaid(registry.sound(on.source))


def changes(old: Bench, new: Bench) -> tuple[diff.Change, ...]:
    """What differs, by path.

    Raises: ScenarioRefused
    """
    try:
        return diff.changes(load(old.source), load(new.source))
    except ScenarioError as wrong:
        raise ScenarioRefused(wrong.problems) from None


def play(on: Bench, lines: Sequence[str], check: Check) -> list[tuple[str, Played]]:
    """Each line with what came of it, until the scenario is over; `/wait 30m` lets time pass. Nothing is kept or sent.

    Raises: ScenarioRefused
    """
    rehearsal = rehearse.rehearsal(registry.sound(on.source))
    played: list[tuple[str, Played]] = []
    for line in lines:
        check()
        wait = rehearse.wait_of(line) if rehearsal.run is not None else None
        played.append((line, rehearsal.hear(line) if wait is None else rehearsal.wait(wait)))
        if played[-1][1].run.ended is not None:
            break
    return played


def statistics(db: Db, who: Actor, bot: Ref, ref: Ref, *, number: int | None = None) -> Statistics:
    """How conversations with a version went, without a number the current one.

    Raises: NotFound; WrongState, when nothing was published
    """
    found = scenarios.get(db, who, bot, ref)
    version = found.current if number is None else scenarios.version(db, who, bot, ref, number)
    if version is None:
        raise WrongState("scenario", found.id, "draft", "Nothing of this scenario is published.")
    ended = flow.endings(db, version.id)
    states = flow.statistics(db, version.id, latest=_COUNTED)
    return Statistics(version.number, sum(ended.values()), ended, states)


def _text(db: Db, who: Actor, found: Scenario, which: str | None) -> str:
    if which is None:
        return found.source
    if which.isdecimal():
        return scenarios.version(db, who, found.bot_id, found.id, int(which)).source
    text = found.draft if which == "draft" else found.current.source if found.current is not None else None
    if text is None:
        raise WrongState("scenario", found.id, found.status, f"There is no {which} text of this scenario.")
    return text
