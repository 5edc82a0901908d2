"""What a scenario shows of itself: its drawing, what changed between versions, and its words filled in."""

import re

import pytest

from flows.diff import Change, changes
from flows.draw import mermaid
from flows.load import load
from flows.words import fill, placeholders
from tests.flows.scenes import made, manual


def test_the_drawing_has_every_state_arrow_and_end() -> None:
    drawn = mermaid(made(load(manual())))
    lines = [line.strip() for line in drawn.splitlines()]
    assert lines[0] == "stateDiagram-v2"
    for wanted in [
        "[*] --> s_service",
        "s_hold --> s_large : held",
        "s_hold --> s_taken : taken",
        "s_service --> s_service : invalid, silent",
        "any --> x_scenario_handoff : human",
        "any --> any : robot, repeat",
        "x_interrupt_faq --> s_faq_answer : answered",
        "s_done --> [*] : completed",
        'state "scenario:handoff" as x_scenario_handoff',
    ]:
        assert wanted in lines
    boxes = set(re.findall(r'state ".*" as (\w+)', drawn))
    assert set(re.findall(r"(\w+) -->", drawn)) | set(re.findall(r"--> (\w+)", drawn)) <= boxes
    assert not boxes & {"end", "state", "note"}


def test_changes_are_told_by_path() -> None:
    old = manual()
    new = (
        old.replace("taken: taken, error", "taken: when, error", 1)
        .replace("max_invalid: 2", "max_invalid: 0")
        .replace("short: Which service?, ", "")
        .replace("  taken: {say: taken, goto: when}\n", "")
        .replace("expires: 24h", "expires: 2d")
    )
    found = changes(load(old), load(new))
    assert {change.path for change in found} == {
        "expires",
        "states.hold.outcomes.taken",
        "states.service.max_invalid",
        "states.taken.otherwise",
        "states.taken.say",
        "words.en.ask_service.short",
    }
    assert Change("states.hold.outcomes.taken", "taken", "when") in found
    assert Change("words.en.ask_service.short", "Which service?", None) in found
    assert Change("states.service.max_invalid", "2", "0") in found


def test_layout_is_no_change() -> None:
    text = manual()
    assert changes(load(text), load("# a remark\n" + text.replace("\n\n", "\n\n\n"))) == ()


@pytest.mark.parametrize(
    ("text", "args", "filled"),
    [
        ("Hi {name}!", {"name": "Maria"}, "Hi Maria!"),
        ("Hi {name}!", {}, "Hi !"),
        ("{a}{b}", {"a": "{b}", "b": "x"}, "{b}x"),
        ("{a.__class__} {0} {} {A} {{a}} {a!r}", {"a": "x"}, "{a.__class__} {0} {} {A} {x} {a!r}"),
        ("100 %", {}, "100 %"),
    ],
)
def test_placeholders_are_names_and_nothing_more(text: str, args: dict[str, str], filled: str) -> None:
    assert fill(text, args) == filled


def test_placeholders_are_listed_once_in_order() -> None:
    assert placeholders("{b} {a} {b} {c d}") == ("b", "a")
