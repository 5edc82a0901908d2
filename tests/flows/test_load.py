"""Reading scenarios: what the text means, and what is said about mistakes, with line and column."""

import json
import time
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows import source
from flows.definition import Branch, Case, Collect, Finish, Invoke, Limits, Position, Scenario, Wording
from flows.load import load
from flows.problems import ScenarioError
from flows.source import Format, Item
from tests.flows.scenes import manual


def plain(item: Item) -> Any:
    """The bare value of an item."""
    match item.value:
        case dict() as mapping:
            return {key: plain(value) for key, value in mapping.items()}
        case list() as entries:
            return [plain(value) for value in entries]
        case scalar:
            return scalar


def refused(text: str | bytes, form: Format = "yaml") -> list[str]:
    """What is said about a text that is no scenario."""
    with pytest.raises(ScenarioError) as caught:
        load(text, form=form)
    assert str(caught.value) == "\n".join(map(str, caught.value.problems))
    return [str(problem) for problem in caught.value.problems]


# The text


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        *(
            (word, word)
            for word in ["on", "off", "yes", "no", "y", "n", "12:30", "+15125550100", "01234", "0x1F", "0o7"]
        ),
        *(
            (word, word)
            for word in ["1_000", ".5", "5.", ".inf", ".nan", "2026-03-02", "=", "<<", "1e", "-1-", "scenario:x"]
        ),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("null", None),
        ("0", 0),
        ("-7", -7),
        ("1.50", 1.5),
        ("2e3", 2000.0),
        ("'5'", "5"),
        ('"true"', "true"),
        ('"\\u00e9\\U0001F600"', "é😀"),
    ],
)
def test_only_what_json_knows_is_more_than_its_letters(written: str, meant: Any) -> None:
    value = plain(source.read(f"a: {written}", max_bytes=1000))["a"]
    assert (value, type(value)) == (meant, type(meant))


@pytest.mark.parametrize(
    ("text", "form", "said"),
    [
        (
            "a: 1\nb: [2",
            "yaml",
            "2:4 error syntax: This is not valid YAML: did not find expected ',' or ']' (while parsing",
        ),
        ("a: [1\nb: 2\nc: 3", "yaml", "2:2 error syntax"),
        ("a: 1\na: 2", "yaml", "2:1 error duplicate_key: 'a' stands here twice."),
        ("x: &x [1]\ny: *x", "yaml", "1:4 error alias"),
        ("x: &x [*x]", "yaml", "1:4 error alias"),
        ("x: *x", "yaml", "1:4 error syntax"),
        ("a: !!python/object/apply:os.system [ls]", "yaml", "1:4 error tag"),
        ("a: !secret x", "yaml", "1:4 error tag"),
        ("a: !!int x", "yaml", "1:4 error bad_value"),
        ("a: " + "9" * 5000, "yaml", "1:4 error bad_value"),
        ("a: 1e999", "yaml", "1:4 error bad_value"),
        ("? [a]\n: b", "yaml", "1:3 error bad_key"),
        ("a: 1\n---\nb: 2", "yaml", "2:1 error syntax"),
        ("[" * 100_000, "yaml", "1:1001 error syntax"),
        ("- " * 60_000, "yaml", "1:1999 error syntax"),
        ("[" * 500 + "]" * 500, "yaml", "1:26 error too_deep"),
        ("a: \x00", "yaml", "1:1 error syntax"),
        ("a: \ud800", "yaml", "1:1 error syntax"),
        (b"\xff\xfe\xff", "yaml", "1:1 error syntax"),
        ("", "yaml", "1:1 error empty"),
        ("# nothing", "yaml", "1:1 error empty"),
        ("x" * 300_000, "yaml", "1:1 error too_big"),
        ('{"a":\n 1,}', "json", "2:4 error syntax"),
        ('{"a": NaN}', "json", "1:1 error syntax"),
        ('{"a": 1, "a": 2}', "json", "1:10 error duplicate_key"),
        ("a: 1", "json", "1:1 error syntax"),
        ("[" * 100_000, "json", "1:1 error syntax"),
        ('"\\ud800"', "json", "1:"),
        ("", "json", "1:1 error syntax"),
    ],
)
def test_a_broken_text_is_refused_where_it_breaks(text: str | bytes, form: Format, said: str) -> None:
    first, *more = refused(text, form)
    assert first.startswith(said)
    assert not more


def test_a_bomb_of_aliases_is_refused_at_once() -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 9)}]" for n in range(20)]
    started = time.perf_counter()
    assert "alias" in refused("\n".join(lines))[0]
    assert time.perf_counter() - started < 1


_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(codec="utf-8"), max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


@given(_values, st.sampled_from([None, 1, "\t"]), st.booleans())
def test_json_reads_as_json_does(value: Any, indent: int | str | None, ascii_only: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    try:
        assert plain(source.read(text, form="json", max_bytes=100_000)) == value
    except ScenarioError:
        # YAML knows no unprintable characters, and we do not miss them.
        assert not text.isprintable()


def test_line_breaks_that_only_yaml_knows_stay_in_json() -> None:
    text = '{"a\u2028b":\t"c\u2029d\x85e \\u2028 \\ud83d\\ude00 \\\\ud83d"}'
    assert plain(source.read(text, form="json", max_bytes=100)) == json.loads(text)


@given(st.one_of(st.text(max_size=300), st.binary(max_size=300)), st.sampled_from(["yaml", "json"]))
def test_any_text_is_a_scenario_or_is_refused_properly(text: str | bytes, form: Format) -> None:
    with suppress(ScenarioError):
        load(text, form=form)


@given(st.data())
def test_a_damaged_scenario_is_refused_properly_or_still_one(data: st.DataObject) -> None:
    text = manual()
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 40)))
    junk = data.draw(st.text(alphabet="abc:{}[]-=\n \"'#&*!|>%@0123", max_size=12))
    with suppress(ScenarioError):
        load(text[:start] + junk + text[end:])


# What it means


def test_the_manuals_scenario_reads_as_written() -> None:
    scenario = load(manual())
    assert (scenario.id, scenario.start, scenario.expires) == ("book_visit", "service", timedelta(hours=24))
    assert scenario.triggers.keywords == ("book", "appointment")
    assert scenario.slots["when"].after == ("service",)
    assert [choice.word for choice in scenario.slots["wish"].choices] == [
        "option_service",
        "option_when",
        "option_nothing",
    ]
    assert scenario.states["service"].task == Collect("service", 2, timedelta(minutes=30))
    assert scenario.states["book"].task == Invoke("book_visit", {"notify": True})
    assert scenario.states["taken"].task == Branch((), "when")
    assert scenario.states["large"].task == Branch(
        (
            Case("fact", "new_customer", (("equals", True),), "welcome"),
            Case("slot", "service", (("in", ["Pump out", "Inspection"]),), "confirm"),
        ),
        "confirm",
    )
    assert scenario.states["done"].task == Finish("completed")
    assert scenario.interrupts["faq"].resumes
    assert not scenario.interrupts["cancel"].resumes
    assert scenario.words["en"]["ask_name"] == Wording("What name shall we put down?")
    assert scenario.tests[3].turns[1].clock == timedelta(minutes=31)


def test_the_same_from_json_is_the_same_scenario() -> None:
    text = json.dumps(plain(source.read(manual(), max_bytes=100_000)), indent=2)
    assert load(text, form="json") == load(manual())


def test_positions_point_into_the_text() -> None:
    scenario = load(manual())
    lines = manual().splitlines()
    for path, wanted in [
        (("start",), "service"),
        (("states", "hold"), "hold:"),
        (("states", "hold", "outcomes", "taken"), "taken,"),
        (("interrupts", "human", "goto"), "scenario:handoff"),
        (("words", "en", "taken"), "Sorry"),
        (("tests", "1", "turns", "4", "state"), "when"),
    ]:
        at = scenario.where(*path)
        assert lines[at.line - 1][at.column - 1 :].startswith(wanted), path
    assert scenario.where("states", "hold", "silence") == scenario.where("states", "hold")
    assert Scenario("x", "a", {}).where("states") == Position(1, 1)


# What is said about mistakes

GOOD = {"spec": 1, "id": "x", "start": "a", "states": {"a": {"end": "completed"}}, "words": {"en": {"w": "Hi"}}}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"spec": 2}, "bad_value: The only `spec` there is, is 1."),
        ({"spec": None}, "missing: A scenario needs 'spec'."),
        ({"states": None}, "missing: A scenario needs 'states'."),
        ({"stats": {}}, "unknown_key: 'stats' is no part of a scenario. Did you mean 'states'?"),
        ({"id": "Book visit"}, "bad_name: 'Book visit' cannot be a name; use small letters, digits and '_'."),
        ({"states": []}, "wrong_type: Here a mapping (`key: value`) is wanted."),
        ({"expires": "1 day"}, "bad_duration: A duration looks like 90s, 30m, 24h, 1h30m or 2d, up to a year."),
        ({"expires": "0m"}, "bad_duration"),
        ({"expires": "400d"}, "bad_duration"),
        ({"expires": 30}, "bad_duration"),
        ({"expires": ""}, "bad_duration"),
        ({"triggers": {"keywords": [["a"]]}}, "wrong_type: Here a text is wanted."),
        ({"triggers": {"keywords": ["  "]}}, "bad_value: This text is empty."),
        ({"slots": {"s": {}}}, "missing: A slot needs a `type`."),
        ({"slots": {"s": {"type": "text", "min": -1}}}, "wrong_type: Here a whole number from 0 on is wanted."),
        ({"slots": {"s": {"type": "text", "min": 5, "max": 1}}}, "bad_value: `min` is more than `max`."),
        ({"slots": {"s": {"type": "choice", "from": "x", "options": {"a": "w"}}}}, "one_of: A slot has either"),
        ({"slots": {"s": {"type": "choice", "options": {"a b": "w"}}}}, "bad_name: 'a b' cannot be an option"),
        ({"states": {"a": {}}}, "one_of: A state has exactly one of 'collect', 'call', 'branch', 'goto', 'end'"),
        ({"states": {"a": {"end": "completed", "goto": "a"}}}, "this one has 'goto' and 'end'."),
        ({"states": {"a": {"end": "complete"}}}, "Did you mean 'completed'?"),
        (
            {"states": {"a": {"end": "completed", "silence": "3m"}}},
            "not_here: 'silence' has no meaning in a state with",
        ),
        ({"states": {"a": {"colect": "s"}}}, "unknown_key: 'colect' is no part of a state. Did you mean 'collect'?"),
        ({"states": {"a": {"collect": "s"}}}, "missing: A state that collects needs a `say`, its question."),
        ({"states": {"resume": {"end": "completed"}}}, "bad_name: A state cannot be called 'resume'."),
        ({"states": {"A": {"end": "completed"}}}, "bad_name: 'A' cannot be a state"),
        ({"states": {"a": {"call": "x", "outcomes": {"node": "a"}}}}, "bad_name: An outcome cannot be called 'node'."),
        ({"states": {"a": {"call": "x", "outcomes": {"ok": "os.system"}}}}, "bad_name: 'os.system' cannot be a target"),
        ({"states": {"a": {"goto": "scenario:"}}}, "bad_name: 'scenario:' cannot be a target"),
        (
            {"states": {"a": {"collect": "s", "say": "w", "focus": "yes"}}},
            "wrong_type: Here `true` or `false` is wanted.",
        ),
        ({"states": {"a": {"branch": []}}}, "missing: A branch needs an `else`."),
        ({"states": {"a": {"branch": [{"slot": "s", "then": "a"}], "else": "a"}}}, "missing: A case compares: equals"),
        (
            {"states": {"a": {"branch": [{"slot": "s", "is_set": True}], "else": "a"}}},
            "missing: A case needs a `then`.",
        ),
        ({"states": {"a": {"branch": [{"equals": 1, "then": "a"}], "else": "a"}}}, "one_of: A case looks at one"),
        (
            {"states": {"a": {"branch": [{"slot": "s", "more_than": True, "then": "a"}], "else": "a"}}},
            "wrong_type: 'more_than' cannot compare with 'true'.",
        ),
        ({"states": {"a": {"branch": [{"slot": "s", "in": 4, "then": "a"}], "else": "a"}}}, "'in' cannot compare"),
        ({"interrupts": {"i": {"goto": "a"}}}, "missing: An interrupt needs an `intent` or `keywords`"),
        ({"interrupts": {"i": {"intent": "x"}}}, "one_of: An interrupt has exactly one of"),
        (
            {"interrupts": {"i": {"intent": "x", "goto": "a", "with": {}}}},
            "not_here: 'with' has no meaning without 'call'.",
        ),
        (
            {"interrupts": {"i": {"intent": "x", "goto": "a", "then": "stay"}}},
            "bad_value: 'stay' is not what comes then",
        ),
        ({"words": {"english": {}}}, "bad_name: 'english' cannot be a language"),
        ({"words": {"en": {"w": {"voice": "Hi"}}}}, "missing: A wording needs a `text`."),
        ({"words": {"en": {"w": "x" * 1601}}}, "too_long: A text may have 1600 characters, not 1601."),
        ({"words": {"en": {"w": None}}}, "wrong_type: Here a text is wanted."),
        ({"tests": [{"turns": []}]}, "missing: A test needs 'name'."),
        ({"tests": [{"name": "t", "turns": [{"user": "x", "clock": "1m"}]}]}, "one_of: In a turn either"),
        (
            {"states": {f"s{n}": {"end": "completed"} for n in range(201)}},
            "too_many: A scenario may have 200 states, not 201.",
        ),
    ],
)
def test_every_mistake_has_a_place_and_a_sentence(change: dict[str, Any], said: str) -> None:
    found = refused(json.dumps({**GOOD, **change}, indent=1), "json")
    assert any(said in each for each in found), found
    assert all(each.partition(" ")[0] != "1:1" or "missing" in each for each in found)


def test_all_mistakes_are_found_at_once_in_the_order_of_the_text() -> None:
    found = refused("spec: 1\nid: X\nstart: a\nstates:\n  a: {end: gone}\n  b: {say: w, goto: '!'}\nwrods: {}\n")
    assert [each.partition(" error")[0] for each in found] == ["2:5", "5:12", "6:21", "7:1"]


def test_limits_are_given() -> None:
    with pytest.raises(ScenarioError, match="too_big"):
        load(manual(), limits=Limits(source_bytes=100))
    with pytest.raises(ScenarioError, match="may have 2 states"):
        load(manual(), limits=Limits(states=2))


def test_numbers_and_truths_are_text_where_text_is_wanted() -> None:
    scenario = load(json.dumps({**GOOD, "triggers": {"keywords": [1, True, "yes"]}}), form="json")
    assert scenario.triggers.keywords == ("1", "true", "yes")
