"""Playing scenarios without side effects: their own tests, turn by turn, and what is said when one goes wrong."""

from datetime import datetime, timedelta

import pytest

from flows import machine
from flows.definition import Position
from flows.drive import drive
from flows.effects import Lookup
from flows.events import Answer, Event, Found
from flows.load import load
from flows.machine import Compiled
from flows.state import Run, SlotValue
from flows.step import begin
from flows.testing import Rehearsal, Said, Verdict, read_plainly, run_tests
from tests.flows.scenes import NOW, REGISTRY, made, manual, options, scene, told, values

BOOK = made(load(manual()))


def played(tests: str) -> tuple[Verdict, ...]:
    """The results of other tests put in the place of the manual's."""
    text = manual()
    return run_tests(machine.compile(load(text[: text.index("tests:")] + "tests:\n" + tests)), REGISTRY, NOW)


def test_the_manuals_tests_pass() -> None:
    results = run_tests(BOOK, REGISTRY, NOW)
    assert len(results) == 5
    assert [(result.name, turn.problem) for result in results for turn in result.turns if turn.problem] == []
    assert all(result.passed for result in results)


@pytest.mark.parametrize(
    ("turns", "problem"),
    [
        ("{user: book, state: when}", "Expected the state 'when', but it is 'service'."),
        ("{user: book, says: [ask_service, ask_when]}", "Expected to hear 'ask_when', but heard ask_service."),
        ("{clock: 3m, state: when}", "A test begins with something the user says."),
        ("{user: book}, {user: cancel}, {user: hello}", "The scenario was over already: cancelled."),
        (
            "{user: book}, {user: '2', slots: {service: services 1}}",
            "Expected 'service' to be 'services 1', but it is 'services 2'.",
        ),
        ("{user: book}, {user: '2', slots: {name: Maria}}", "Expected 'name' to be 'Maria', but it is ''."),
    ],
)
def test_a_turn_that_goes_wrong_ends_the_test_with_a_sentence(turns: str, problem: str) -> None:
    (result,) = played(f"  - {{name: wrong, turns: [{turns}, {{user: never heard}}]}}")
    assert not result.passed
    assert result.turns[-1].problem == problem
    assert result.turns[-1].at.line > 90
    assert result.turns[-1].at != Position(1, 1)


def test_a_run_that_fails_is_said_so() -> None:
    scenario = machine.compile(scene("a: {goto: b}\nb: {goto: a}", more="tests: [{name: t, turns: [{user: x}]}]"))
    (result,) = run_tests(scenario, REGISTRY, NOW)
    assert result.turns[0].problem is not None
    assert result.turns[0].problem.startswith("The run failed (steps) in ")


def test_a_source_may_be_mocked_by_what_it_offers_or_by_its_outcome() -> None:
    results = played("""
  - {name: offers, mock: {services: [Cut]}, turns: [{user: x, state: service}, {user: cut, slots: {service: Cut}}]}
  - {name: nothing, mock: {services: []}, turns: [{user: x, state: "scenario:handoff"}]}
  - {name: outcome, mock: {services: [none]}, turns: [{user: x, state: "scenario:handoff"}]}
""")
    assert [result.passed for result in results] == [True, True, True]


def test_real_understanding_and_real_results_can_be_put_in() -> None:
    def understand(text: str, scenario: Compiled, run: Run, now: datetime) -> Event:
        assert now == NOW
        return Answer({"when": SlotValue("t1", text)}) if run.node == "when" else read_plainly(text, scenario, run, now)

    def opening(text: str, scenario: Compiled, now: datetime) -> dict[str, SlotValue]:
        return dict(values(service=text))

    def offers(effect: Lookup, run: Run) -> Found:
        return Found(options("Monday"), ticket=effect.ticket)

    rehearsal = Rehearsal(BOOK, REGISTRY, NOW, interpret=understand, opening=opening, offers=offers)
    assert rehearsal.hear("haircut").run.node == "when"
    assert rehearsal.hear("monday").said == (Said("ask_name", "What name shall we put down?"),)
    assert rehearsal.hear("Maria").run.node == "confirm"


def test_said_is_what_a_customer_would_read() -> None:
    rehearsal = Rehearsal(BOOK, REGISTRY, NOW, mock={"services": ("Cut", "Shave")})
    assert rehearsal.hear("hi").said == (Said("ask_service", "What can we do for you?", ("Cut", "Shave")),)
    assert rehearsal.hear("hm").said == (Said("ask_service", "Which service?", ("Cut", "Shave")),)
    assert rehearsal.hear("cut").said[0].text == "When shall we come for Cut?"
    assert rehearsal.hear("robot").said[0].text == "Which time suits you?"


def test_time_passes_through_everything_that_is_due() -> None:
    rehearsal = Rehearsal(BOOK, REGISTRY, NOW)
    with pytest.raises(ValueError, match="nothing has begun"):
        rehearsal.wait(timedelta(hours=1))
    rehearsal.hear("hi")
    played = rehearsal.wait(timedelta(hours=25))
    assert told(played.effects) == ["ask_service", "ask_service", "End"]
    assert played.run.ended == "expired"
    assert rehearsal.now == NOW + timedelta(hours=25)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("yes_no", "Yes", True),
        ("yes_no", "n", False),
        ("yes_no", "maybe", None),
        ("number", "12", 12),
        ("number", "twelve", None),
        ("number", "9" * 5000, None),
        ("text", " anything ", "anything"),
        ("text", "  ", None),
    ],
)
def test_plain_reading_takes_words_literally(kind: str, text: str, value: object) -> None:
    scenario = made(
        scene(
            "a: {say: w, collect: s, outcomes: {filled: z, exhausted: z}}\nz: {end: completed}",
            slots=f"{{s: {{type: {kind}}}}}",
        )
    )
    run = begin(scenario, NOW).run
    event = read_plainly(text, scenario, run, NOW)
    assert (event.values["s"].value if isinstance(event, Answer) else None) == value


def test_driving_stops_where_a_result_is_not_there_yet() -> None:
    result = drive(BOOK, begin(BOOK, NOW), NOW, lambda effect, run: None)
    assert told(result.effects) == ["Lookup"]
    with pytest.raises(ValueError, match="which nothing waits for"):
        drive(BOOK, begin(BOOK, NOW), NOW, lambda effect, run: Found(options("a"), ticket=effect.ticket + 1))
