"""Reading a scenario: YAML or JSON to a `Scenario`, with every mistake of form found at once.

Whether the parts fit each other (states, slots, actions, words that exist) is the linter's question, in `check.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from typing import TypeVar, cast

from flows import source
from flows.definition import (
    END_KINDS,
    LIMITS,
    RESTART,
    RESUME,
    Branch,
    Case,
    Choice,
    Collect,
    EndKind,
    Finish,
    Interrupt,
    Invoke,
    Json,
    Limits,
    Position,
    Scenario,
    Slot,
    State,
    Task,
    Test,
    Triggers,
    Turn,
    Wording,
)
from flows.guards import COMPARISONS
from flows.machine import RESERVED_OUTCOME
from flows.problems import Problem, ScenarioError, did_you_mean
from flows.source import Format, Item

T = TypeVar("T")
Path = tuple[str, ...]

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_TARGET = re.compile(r"=|(scenario:)?[a-z][a-z0-9_]{0,63}")
_DURATION = re.compile(r"(?:(\d{1,4})d)?(?:(\d{1,5})h)?(?:(\d{1,6})m)?(?:(\d{1,7})s)?")
_LONGEST = timedelta(days=366)

_TOP = ("spec", "id", "start", "triggers", "expires", "slots", "interrupts", "states", "words", "tests")
_KINDS = ("collect", "call", "branch", "goto", "end")
_SLOT = ("type", "from", "options", "remember", "after", "min", "max", "private")
_STATE = {
    "collect": ("say", "clear", "collect", "max_invalid", "silence", "focus", "outcomes"),
    "call": ("say", "clear", "call", "with", "outcomes"),
    "branch": ("say", "clear", "branch", "else"),
    "goto": ("say", "clear", "goto"),
    "end": ("say", "clear", "end"),
}
_STATE_KEYS = tuple(dict.fromkeys(key for keys in _STATE.values() for key in keys))
_WAYS = ("goto", "call", "run")
_INTERRUPT = ("intent", "keywords", "goto", "call", "with", "run", "outcomes", "then")
_WORDING = ("text", "short", "voice", "sms", "keywords", "letter")
_TURN = ("user", "clock", "state", "says", "slots")


def load(text: str | bytes, *, form: Format = "yaml", limits: Limits = LIMITS) -> Scenario:
    """The scenario that `text` describes.

    Raises:
        ScenarioError: with every mistake of form, or the one that made the text unreadable.
    """
    item = source.read(text, form=form, max_bytes=limits.source_bytes)
    reader = _Reader(limits)
    reader.note((), item)
    scenario = reader.scenario(item)
    if reader.problems or scenario is None:
        raise ScenarioError(reader.problems)
    return scenario


class _Reader:
    """Collects problems instead of stopping at the first; what cannot be read is left out or stands empty."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.problems: list[Problem] = []
        self.positions: dict[Path, Position] = {}

    def scenario(self, item: Item) -> Scenario | None:
        parts = self.fields(item, _TOP, "a scenario")
        for key in ("spec", "id", "start", "states"):
            if key not in parts:
                self.problem(item.at, "missing", f"A scenario needs {key!r}.")
        if "spec" in parts and parts["spec"].value != 1:
            self.problem(parts["spec"].at, "bad_value", "The only `spec` there is, is 1.")
        states = self.named(parts.get("states"), "a state", self.state)
        slots = self.named(parts.get("slots"), "a slot", self.slot)
        interrupts = self.named(parts.get("interrupts"), "an interrupt", self.interrupt)
        self.at_most(parts.get("states"), states, self.limits.states, "states")
        self.at_most(parts.get("slots"), slots, self.limits.slots, "slots")
        # Each is an arrow from every state: thousands of them would take half a gigabyte to compile.
        self.at_most(parts.get("interrupts"), interrupts, self.limits.interrupts, "interrupts")
        for name in (RESUME, RESTART):
            if name in states:
                self.problem(self.positions["states", name], "bad_name", f"A state cannot be called {name!r}.")
        scenario = Scenario(
            id=self.name(parts.get("id")),
            start=self.name(parts.get("start")),
            states=states,
            slots=slots,
            interrupts=interrupts,
            words=self.words(parts.get("words")),
            triggers=self.triggers(parts.get("triggers")),
            expires=self.duration(parts.get("expires")),
            tests=tuple(self.test(each) for each in self.entries(parts.get("tests"))),
            positions=self.positions,
        )
        return scenario if scenario.states else None

    # The parts of a scenario.

    def triggers(self, item: Item | None) -> Triggers:
        parts = self.fields(item, ("intents", "keywords"), "triggers")
        return Triggers(self.names(parts.get("intents")), self.texts(parts.get("keywords")))

    def slot(self, name: str, item: Item) -> Slot:
        parts = self.fields(item, _SLOT, "a slot")
        if "type" not in parts:
            self.problem(item.at, "missing", "A slot needs a `type`.")
        if "from" in parts and "options" in parts:
            self.problem(item.keys["options"], "one_of", "A slot has either `from` or `options`, not both.")
        slot = Slot(
            name=name,
            type=self.name(parts.get("type")),
            source=self.optional_name(parts.get("from")),
            choices=tuple(
                Choice(self.matching(_ID, key, item.at, "an option"), self.name(word))
                for key, word in self.mapping(parts.get("options")).items()
            ),
            remember=self.optional_name(parts.get("remember")),
            after=self.names(parts.get("after")),
            least=self.count(parts.get("min"), None),
            most=self.count(parts.get("max"), None),
            private=self.flag(parts.get("private")),
        )
        if slot.least is not None and slot.most is not None and slot.least > slot.most:
            self.problem(item.at, "bad_value", "`min` is more than `max`.")
        return slot

    def state(self, name: str, item: Item) -> State:
        given = self.fields(item, _STATE_KEYS, "a state")
        kinds = [kind for kind in _KINDS if kind in given]
        if len(kinds) != 1:
            found = f"this one has {' and '.join(map(repr, kinds))}" if kinds else "this one has none"
            self.problem(item.at, "one_of", f"A state has exactly one of {', '.join(map(repr, _KINDS))}; {found}.")
            return State(name, Finish("completed"))
        kind = kinds[0]
        for key in given.keys() - set(_STATE[kind]):
            self.problem(item.keys[key], "not_here", f"{key!r} has no meaning in a state with {kind!r}.")
        return State(
            name,
            self.task(kind, item, given),
            say=self.optional_name(given.get("say")),
            clear=self.names(given.get("clear")),
            outcomes=self.outcomes(given.get("outcomes")),
        )

    def task(self, kind: str, item: Item, given: Mapping[str, Item]) -> Task:
        match kind:
            case "collect":
                if "say" not in given:
                    self.problem(item.at, "missing", "A state that collects needs a `say`, its question.")
                tries = self.count(given.get("max_invalid"), 2)
                return Collect(
                    slot=self.name(given["collect"]),
                    max_invalid=2 if tries is None else tries,
                    silence=self.duration(given.get("silence")),
                    focus=self.flag(given.get("focus")),
                )
            case "call":
                return Invoke(self.name(given["call"]), self.params(given.get("with")))
            case "branch":
                if "else" not in given:
                    self.problem(item.at, "missing", "A branch needs an `else`.")
                cases = self.entries(given["branch"])
                return Branch(tuple(self.case(each) for each in cases), self.target(given.get("else")))
            case "goto":
                return Branch((), self.target(given["goto"]))
            case _:
                return Finish(cast(EndKind, self.one_of(given["end"], END_KINDS, "a way to end")))

    def case(self, item: Item) -> Case:
        parts = self.fields(item, ("slot", "fact", "then", *COMPARISONS), "a case")
        subjects = [key for key in ("slot", "fact") if key in parts]
        tests = tuple((key, self.json(parts[key])) for key in COMPARISONS if key in parts)
        if len(subjects) != 1:
            self.problem(item.at, "one_of", "A case looks at one `slot` or one `fact`.")
        if not tests:
            self.problem(item.at, "missing", f"A case compares: {', '.join(COMPARISONS)}.")
        if "then" not in parts:
            self.problem(item.at, "missing", "A case needs a `then`.")
        for key, value in tests:
            wanted = _COMPARABLE.get(key)
            if wanted is not None and (not isinstance(value, wanted) or (key in _ORDERED and isinstance(value, bool))):
                self.problem(parts[key].at, "wrong_type", f"{key!r} cannot compare with {parts[key].raw or 'this'!r}.")
        subject = "fact" if subjects == ["fact"] else "slot"
        return Case(
            subject="fact" if subject == "fact" else "slot",
            name=self.name(parts.get(subject)),
            tests=tests,
            then=self.target(parts.get("then")),
        )

    def interrupt(self, name: str, item: Item) -> Interrupt:
        parts = self.fields(item, _INTERRUPT, "an interrupt")
        ways = [way for way in _WAYS if way in parts]
        if len(ways) != 1:
            self.problem(item.at, "one_of", "An interrupt has exactly one of 'goto', 'call' and 'run'.")
        if "intent" not in parts and "keywords" not in parts:
            self.problem(item.at, "missing", "An interrupt needs an `intent` or `keywords` to listen for.")
        for key in ("with", "outcomes"):
            if key in parts and "call" not in parts:
                self.problem(item.keys[key], "not_here", f"{key!r} has no meaning without 'call'.")
        if "then" in parts:
            self.one_of(parts["then"], ("resume",), "what comes then")
        return Interrupt(
            name,
            intent=self.optional_name(parts.get("intent")),
            keywords=self.texts(parts.get("keywords")),
            goto=self.target(parts["goto"]) if "goto" in parts else None,
            call=self.optional_name(parts.get("call")),
            params=self.params(parts.get("with")),
            run=self.optional_name(parts.get("run")),
            outcomes=self.outcomes(parts.get("outcomes")),
            resumes="then" in parts or ways != ["goto"],
        )

    def outcomes(self, item: Item | None) -> dict[str, str]:
        found = {}
        for name, target in self.mapping(item).items():
            if name == RESERVED_OUTCOME:
                self.problem(target.at, "bad_name", f"An outcome cannot be called {name!r}.")
            found[self.matching(_NAME, name, target.at, "an outcome")] = self.target(target)
        return found

    def words(self, item: Item | None) -> dict[str, dict[str, Wording]]:
        found = {}
        for lang, keys in self.mapping(item).items():
            self.matching(_LANGUAGE, lang, keys.at, "a language")
            found[lang] = {
                self.matching(_NAME, key, word.at, "a word"): self.wording(word)
                for key, word in self.mapping(keys).items()
            }
        return found

    def wording(self, item: Item) -> Wording:
        if not isinstance(item.value, dict):
            return Wording(self.text(item))
        parts = self.fields(item, _WORDING, "a wording")
        if "text" not in parts:
            self.problem(item.at, "missing", "A wording needs a `text`.")
        text, short, voice, sms = (self.text(parts.get(key)) for key in _WORDING[:4])
        letter = self.text(parts.get("letter"))
        if letter and not (len(letter) == 1 and letter.isalpha()):
            self.problem(parts["letter"].at, "wrong_type", "A `letter` is one letter.")
        return Wording(text, short, voice, sms, self.texts(parts.get("keywords")), letter)

    def test(self, item: Item) -> Test:
        parts = self.fields(item, ("name", "mock", "fills", "facts", "turns"), "a test")
        for key in ("name", "turns"):
            if key not in parts:
                self.problem(item.at, "missing", f"A test needs {key!r}.")
        return Test(
            name=self.text(parts.get("name")),
            turns=tuple(self.turn(each) for each in self.entries(parts.get("turns"))),
            mock={name: self.texts(value) for name, value in self.mapping(parts.get("mock")).items()},
            fills=self.params(parts.get("fills")),
            facts=self.params(parts.get("facts")),
        )

    def turn(self, item: Item) -> Turn:
        parts = self.fields(item, _TURN, "a turn")
        if ("user" in parts) == ("clock" in parts):
            self.problem(item.at, "one_of", "In a turn either the `user` says something or the `clock` moves on.")
        return Turn(
            user=self.text(parts["user"]) if "user" in parts else None,
            clock=self.duration(parts.get("clock")),
            state=self.target(parts["state"]) if "state" in parts else None,
            says=self.names(parts.get("says")),
            slots={name: self.text(value) for name, value in self.mapping(parts.get("slots")).items()},
        )

    # Values of one kind; None in, nothing out.

    def fields(self, item: Item | None, known: Collection[str], what: str) -> dict[str, Item]:
        found = self.mapping(item)
        for key in found.keys() - set(known):
            at = item.keys[key] if item else Position(1, 1)
            self.problem(at, "unknown_key", f"{key[:60]!r} is no part of {what}.{did_you_mean(key, known)}")
        return {key: value for key, value in found.items() if key in known and value.value is not None}

    def named(self, item: Item | None, what: str, read: Callable[[str, Item], T]) -> dict[str, T]:
        found = {}
        for name, each in self.mapping(item).items():
            at = item.keys[name] if item else each.at
            found[name] = read(self.matching(_NAME, name, at, what), each)
        return found

    def mapping(self, item: Item | None) -> dict[str, Item]:
        if item is None or item.value is None:
            return {}
        if isinstance(item.value, dict):
            return item.value
        self.problem(item.at, "wrong_type", "Here a mapping (`key: value`) is wanted.")
        return {}

    def entries(self, item: Item | None) -> list[Item]:
        if item is None or item.value is None:
            return []
        if isinstance(item.value, list):
            return item.value
        self.problem(item.at, "wrong_type", "Here a list is wanted.")
        return []

    def several(self, item: Item | None) -> list[Item]:
        """A list, or one thing that stands for a list of one."""
        if item is not None and not isinstance(item.value, list | dict) and item.value is not None:
            return [item]
        return self.entries(item)

    def text(self, item: Item | None) -> str:
        """Text as written: a number or `true` is text too where text is wanted."""
        if item is None:
            return ""
        if isinstance(item.value, list | dict) or item.value is None:
            self.problem(item.at, "wrong_type", "Here a text is wanted.")
            return ""
        if len(item.raw) > self.limits.text:
            self.problem(item.at, "too_long", f"A text may have {self.limits.text} characters, not {len(item.raw)}.")
        if not item.raw.strip():
            self.problem(item.at, "bad_value", "This text is empty.")
        return item.raw

    def texts(self, item: Item | None) -> tuple[str, ...]:
        return tuple(self.text(each) for each in self.several(item))

    def name(self, item: Item | None) -> str:
        if item is None:
            return ""
        return self.matching(_NAME, self.text(item), item.at, "a name")

    def optional_name(self, item: Item | None) -> str | None:
        return None if item is None else self.name(item)

    def names(self, item: Item | None) -> tuple[str, ...]:
        return tuple(self.name(each) for each in self.several(item))

    def target(self, item: Item | None) -> str:
        if item is None:
            return ""
        return self.matching(_TARGET, self.text(item), item.at, "a target")

    def matching(self, pattern: re.Pattern[str], text: str, at: Position, what: str) -> str:
        if text and not pattern.fullmatch(text):
            self.problem(at, "bad_name", f"{text[:60]!r} cannot be {what}; use small letters, digits and '_'.")
        return text

    def one_of(self, item: Item, known: Collection[str], what: str) -> str:
        text = self.text(item)
        if text not in known:
            options = ", ".join(known)
            message = f"{text[:60]!r} is not {what}; there is: {options}.{did_you_mean(text, known)}"
            self.problem(item.at, "bad_value", message)
            return next(iter(known))
        return text

    def flag(self, item: Item | None) -> bool:
        if item is None:
            return False
        if not isinstance(item.value, bool):
            self.problem(item.at, "wrong_type", "Here `true` or `false` is wanted.")
        return item.value is True

    def count(self, item: Item | None, default: int | None) -> int | None:
        if item is None:
            return default
        if isinstance(item.value, bool) or not isinstance(item.value, int) or not 0 <= item.value <= 1_000_000:
            self.problem(item.at, "wrong_type", "Here a whole number from 0 on is wanted.")
            return default
        return item.value

    def duration(self, item: Item | None) -> timedelta | None:
        """`90s`, `30m`, `24h`, `1h30m`, `2d`; a leading plus is for the clock of a test."""
        if item is None:
            return None
        found = _DURATION.fullmatch(item.raw.removeprefix("+")) if item.raw else None
        days, hours, minutes, seconds = (int(part or 0) for part in found.groups()) if found else (0, 0, 0, 0)
        length = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        if not timedelta(0) < length <= _LONGEST:
            self.problem(item.at, "bad_duration", "A duration looks like 90s, 30m, 24h, 1h30m or 2d, up to a year.")
            return None
        return length

    def params(self, item: Item | None) -> dict[str, Json]:
        return {name: self.json(value) for name, value in self.mapping(item).items()}

    def json(self, item: Item) -> Json:
        if isinstance(item.value, dict):
            return {key: self.json(value) for key, value in item.value.items()}
        if isinstance(item.value, list):
            return [self.json(value) for value in item.value]
        return item.value

    # Book-keeping.

    def at_most(self, item: Item | None, found: Collection[object], limit: int, what: str) -> None:
        if item is not None and len(found) > limit:
            self.problem(item.at, "too_many", f"A scenario may have {limit} {what}, not {len(found)}.")

    def note(self, path: Path, item: Item) -> None:
        """Remember where everything is: a scalar where it stands, the rest where its key does."""
        self.positions.setdefault(path, item.at)
        if isinstance(item.value, dict):
            for key, value in item.value.items():
                if isinstance(value.value, dict | list):
                    self.positions[*path, key] = item.keys[key]
                self.note((*path, key), value)
        elif isinstance(item.value, list):
            for index, value in enumerate(item.value):
                self.note((*path, str(index)), value)

    def problem(self, at: Position, code: str, message: str) -> None:
        self.problems.append(Problem(at, code, message))


_ORDERED = ("more_than", "less_than")
_COMPARABLE: Mapping[str, type | tuple[type, ...]] = {
    "in": list,
    "more_than": (int, float, str),
    "less_than": (int, float, str),
    "is_set": bool,
}
