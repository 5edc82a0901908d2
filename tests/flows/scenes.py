"""What the tests of the engine play with: the scenario of the manual, what it refers to, and a way to make others."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent

from flows import machine
from flows.check import check
from flows.definition import Scenario
from flows.effects import Ask, Effect, Say
from flows.load import load
from flows.machine import Compiled
from flows.problems import Problem
from flows.registry import Action, Registry, Result, Source
from flows.state import Option, SlotValue

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

_TAKEN = Result(clears=("when",))
REGISTRY = Registry(
    actions={
        "hold_slot": Action({"held": Result(), "taken": _TAKEN, "error": Result()}, needs=("service", "when")),
        "book_visit": Action(
            {"booked": Result(), "taken": _TAKEN, "error": Result()},
            needs=("service", "when", "name"),
            params=("notify",),
        ),
        "answer_faq": Action({"answered": Result(args=("answer",)), "unknown": Result()}),
        "consult": Action({"done": Result(), "error": Result()}, params=("to", "sets"), required=("to",), fills="sets"),
        "work": Action({"done": Result(), "error": Result()}, params=("hard",)),
    },
    sources={
        "services": Source(),
        "availability": Source({"none_free": Result()}, args=("day",)),
        "one_visit": Source({"none": Result(), "one": Result(sets=("visit",))}),
    },
    types=frozenset({"choice", "slot_time", "name", "yes_no", "number", "text"}),
    facts=frozenset({"new_customer", "hours", "is_open"}),
    args=frozenset({"business"}),
    scenarios=frozenset({"handoff", "robot"}),
    intents=frozenset({"book", "human", "are_you_a_robot", "faq", "repeat", "restart", "cancel"}),
    sms_parts=lambda text: -(-len(text) // 153),
)


def manual() -> str:
    """The complete example of docs/scenarios.md."""
    text = Path(__file__).parents[2].joinpath("docs", "scenarios.md").read_text("utf-8")
    return text.split("```yaml\n")[1].split("```")[0]


def scene(states: str, *, slots: str = "{}", interrupts: str = "{}", words: str = "", more: str = "") -> Scenario:
    """A scenario from the parts that matter; it starts at `a`."""
    words = words or "{w: What?, x: Really?, bye: Goodbye}"
    return load(
        "spec: 1\nid: scene\nstart: a\n"
        + f"slots: {slots}\ninterrupts: {interrupts}\nwords: {{en: {words}}}\n"
        + f"states:\n{_indented(states)}\n{dedent(more)}"
    )


def made(scenario: Scenario) -> Compiled:
    """Compiled, after the linter found no error."""
    errors = [str(problem) for problem in findings(scenario) if problem.severity == "error"]
    assert not errors, errors
    return machine.compile(scenario)


def findings(scenario: Scenario) -> list[Problem]:
    return check(scenario, REGISTRY)


def values(**slots: str | int | bool) -> Mapping[str, SlotValue]:
    return {name: SlotValue(value, str(value)) for name, value in slots.items()}


def options(*labels: str) -> tuple[Option, ...]:
    return tuple(Option(label.lower(), label, label) for label in labels)


def told(effects: tuple[Effect, ...]) -> list[str]:
    """The keys of what was said and asked, and the names of the other effects."""
    return [effect.key if isinstance(effect, Say | Ask) else type(effect).__name__ for effect in effects]


def _indented(states: str) -> str:
    return "\n".join("  " + line for line in dedent(states).strip().splitlines())
