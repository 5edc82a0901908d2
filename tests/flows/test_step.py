"""The engine, one event at a time: what is asked, skipped, corrected, interrupted, and how it ends."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from flows import machine
from flows.effects import Ask, Call, End, Failed, Lookup, RunChild, Say, Switch
from flows.events import Answer, Event, Expired, Found, Interrupt, Invalid, Outcome, Resume, Silent, Start
from flows.load import load
from flows.machine import Compiled
from flows.state import Run, SlotValue
from flows.step import Move, Step, begin, step
from tests.flows.scenes import NOW, made, manual, options, scene, told, values

BOOK = made(load(manual()))
SERVICES = Found(options("Haircut", "Shave"))
TIMES = Found(options("Monday", "Tuesday"))
TO_CONFIRM: list[Event] = [
    SERVICES,
    Answer(values(service="Haircut")),
    TIMES,
    Answer(values(when="Monday")),
    Answer(values(name="Maria")),
    Outcome("held"),
]


def after(story: Sequence[Event], scenario: Compiled = BOOK) -> Step:
    """The last step of `story` told from the beginning."""
    result = begin(scenario, NOW)
    for event in story:
        result = step(scenario, result.run, event, NOW)
        assert not result.ignored, event
    return result


def test_a_question_with_a_source_looks_up_its_choices_and_asks() -> None:
    first = begin(BOOK, NOW)
    assert first.effects == (Lookup("services", "service", ticket=1),)
    assert (first.run.node, first.run.waiting, first.run.pending) == ("service", "lookup", "services")
    second = step(BOOK, first.run, SERVICES, NOW)
    assert second.effects == (Ask("service", "ask_service", SERVICES.options, {}),)
    assert second.run.offered == SERVICES.options
    assert second.run.silence_due == NOW + timedelta(minutes=30)
    assert second.run.expires_at == NOW + timedelta(hours=24)


def test_what_is_known_beforehand_is_not_asked() -> None:
    first = begin(BOOK, NOW, values(service="Haircut", when="Monday", name="Maria"))
    assert first.effects == (Call("hold_slot", {}, ticket=1),)
    assert first.run.trail == ("service", "when", "name")


def test_one_answer_fills_several_slots() -> None:
    result = after([SERVICES, Answer(values(service="Haircut", when="Monday", name="Maria"))])
    assert told(result.effects) == ["Call"]
    assert [move.state for move in result.moves] == ["service", "when", "name"]


def test_the_question_knows_the_slots() -> None:
    result = after(TO_CONFIRM)
    assert result.effects == (
        Ask("confirm", "ask_confirm", (), {"service": "Haircut", "when": "Monday", "name": "Maria"}),
    )


def test_an_answer_to_something_else_is_kept_and_the_question_asked_again_in_short() -> None:
    result = after([SERVICES, Answer(values(name="Maria"))])
    assert result.run.slots["name"].value == "Maria"
    assert result.effects == (Ask("service", "ask_service", SERVICES.options, {}, short=True),)
    assert result.run.tries == 0


def test_invalid_answers_are_asked_again_then_exhausted() -> None:
    story: list[Event] = [SERVICES]
    for tries in (1, 2):
        story.append(Invalid())
        result = after(story)
        assert result.run.tries == tries
        assert result.effects == (Ask("service", "ask_service", SERVICES.options, {}, short=True, again=True),)
    result = after([*story, Invalid()])
    assert result.effects == (Switch("handoff", {}),)
    assert (result.run.node, result.run.ended) == ("scenario:handoff", "switched")
    assert result.moves == (Move("service", "exhausted", "scenario:handoff"),)


def test_tries_begin_anew_with_each_question() -> None:
    result = after([SERVICES, Invalid(), Invalid(), Answer(values(service="Haircut")), TIMES, Invalid()])
    assert result.run.tries == 1


def test_tries_survive_a_detour_through_another_state() -> None:
    detour = made(
        scene(
            """
            a: {say: w, collect: s, max_invalid: 1, outcomes: {filled: end, invalid: help, exhausted: end}}
            help: {say: x, goto: a}
            end: {end: completed}
            """,
            slots="{s: {type: text}}",
        )
    )
    once = after([Invalid()], detour)
    assert told(once.effects) == ["x", "w"]
    assert isinstance(once.effects[-1], Ask)
    assert once.effects[-1].short
    assert after([Invalid(), Invalid()], detour).run.ended == "completed"


@pytest.mark.parametrize(
    ("correction", "node", "asked"),
    [
        # The time depends on the service, so it is asked again; the name is not.
        (values(service="Shave"), "when", "Lookup"),
        # The new time is held anew, and read back again.
        (values(when="Tuesday"), "hold", "Call"),
        (values(service="Shave", when="Tuesday"), "hold", "Call"),
        (values(name="Ben"), "hold", "Call"),
        # Nothing new: just the question again.
        (values(name="Maria"), "confirm", "ask_confirm"),
        # An answer and a correction at once: the "yes" was to what is no longer true.
        (values(confirm=True, when="Tuesday"), "hold", "Call"),
    ],
)
def test_a_correction_goes_back_to_what_it_changes(correction: dict[str, SlotValue], node: str, asked: str) -> None:
    result = after([*TO_CONFIRM, Answer(correction)])
    assert result.run.node == node
    assert told(result.effects) == [asked]
    expected = {name: value for name, value in correction.items() if name != "confirm"}
    assert {name: result.run.slots.get(name) for name in correction} == {**dict.fromkeys(correction), **expected}


def test_changing_the_service_forgets_the_time_and_only_the_time() -> None:
    run = after([*TO_CONFIRM, Answer(values(service="Shave"))]).run
    assert {name: slot.label for name, slot in run.slots.items()} == {"service": "Shave", "name": "Maria"}
    assert run.trail == ("service",)


def test_new_knowledge_on_which_the_choices_depend_looks_them_up_again() -> None:
    scenario = made(
        scene(
            """
            a: {say: w, collect: when, outcomes: {filled: end, none_free: end, exhausted: end}}
            end: {end: completed}
            """,
            slots="{staff: {type: text}, when: {type: slot_time, from: availability, after: [staff]}}",
        )
    )
    result = after([TIMES, Answer(values(staff="Anna"))], scenario)
    assert told(result.effects) == ["Lookup"]
    assert result.run.offered == ()


def test_an_outcome_sets_and_forgets_slots_and_brings_words() -> None:
    scenario = made(
        scene(
            """
            a: {call: answer_faq, outcomes: {answered: b, unknown: b}}
            b: {say: x, end: completed}
            """,
            slots="{when: {type: text}, confirm: {type: yes_no, after: [when]}}",
            words='{x: "{answer}, {when}, {confirm}, {is_open}"}',
        )
    )
    first = begin(scenario, NOW, values(when="Monday", confirm=True), facts={"is_open": "open"})
    result = step(scenario, first.run, Outcome("answered", values(when="Tuesday"), {"answer": "Yes", "x": "?"}), NOW)
    assert result.effects == (Say("x", {"answer": "Yes", "when": "Tuesday", "is_open": "open"}), End("completed"))


def test_a_time_that_is_gone_is_asked_for_again() -> None:
    result = after([*TO_CONFIRM, Answer(values(confirm=True)), Outcome("taken", {"when": None})])
    assert told(result.effects) == ["taken", "Lookup"]
    assert set(result.run.slots) == {"service", "name"}


def test_nothing_to_offer_is_an_outcome() -> None:
    by_itself = after([SERVICES, Answer(values(service="Haircut")), Found(())])
    reported = after([SERVICES, Answer(values(service="Haircut")), Outcome("none_free")])
    assert told(by_itself.effects) == told(reported.effects) == ["full", "End"]
    assert by_itself.run.ended == "abandoned"


def test_other_choices_may_be_offered_while_the_question_is_open() -> None:
    later = Found(options("Friday"))
    result = after([SERVICES, later])
    assert result.effects == (Ask("service", "ask_service", later.options, {}, short=True),)


def test_a_source_that_knows_the_only_answer_gives_it_itself() -> None:
    scenario = made(
        scene(
            """
            a: {say: w, collect: visit, outcomes: {filled: end, none: end, one: "=", exhausted: end}}
            end: {say: x, end: completed}
            """,
            slots="{visit: {type: choice, from: one_visit}}",
            words='{w: Which?, x: "{visit}"}',
        )
    )
    result = after([Outcome("one", values(visit="Monday"))], scenario)
    assert told(result.effects) == ["x", "End"]


def test_a_source_cannot_claim_that_the_customer_answered() -> None:
    assert after([Outcome("filled")]).effects == (Failed("outcome"),)


# Interrupts


def test_an_interrupt_that_leaves_leaves() -> None:
    assert told(after([SERVICES, Interrupt("cancel")]).effects) == ["cancelled", "End"]
    human = after([SERVICES, Answer(values(service="Haircut")), TIMES, Interrupt("human")])
    assert human.effects == (Switch("handoff", values(service="Haircut")),)


def test_a_digression_comes_back_to_the_same_question_in_short() -> None:
    result = after([SERVICES, Interrupt("hours")])
    assert told(result.effects) == ["our_hours", "ask_service"]
    assert result.effects[-1] == Ask("service", "ask_service", SERVICES.options, {}, short=True)
    assert result.run.stack == ()


@pytest.mark.parametrize(("outcome", "said"), [("answered", ["faq_answer"]), ("unknown", []), ("whatever", [])])
def test_a_call_in_between_comes_back_whatever_its_outcome(outcome: str, said: list[str]) -> None:
    asked = after([SERVICES, Invalid(), Interrupt("faq")])
    assert asked.effects == (Call("answer_faq", {}, ticket=2),)
    assert asked.run.waiting == "call"
    result = step(BOOK, asked.run, Outcome(outcome, args={"answer": "At nine."}), NOW)
    assert told(result.effects) == [*said, "ask_service"]
    assert (result.run.node, result.run.waiting, result.run.offered) == ("service", "input", SERVICES.options)
    assert result.run.tries == 1
    assert result.moves[0].outcome == outcome


def test_a_scenario_on_top_comes_back_when_it_has_ended() -> None:
    asked = after([SERVICES, Interrupt("robot")])
    assert asked.effects == (RunChild("robot"),)
    assert (asked.run.waiting, asked.run.pending, asked.run.silence_due) == ("child", "robot", None)
    assert step(BOOK, asked.run, Answer(values(service="Haircut")), NOW).ignored
    assert after([SERVICES, Interrupt("robot"), Resume()]).effects == (
        Ask("service", "ask_service", SERVICES.options, {}, short=True),
    )


def test_a_question_is_repeated_in_full_when_the_customer_wants_it() -> None:
    result = after([SERVICES, Invalid(), Interrupt("repeat")])
    assert result.effects == (Ask("service", "ask_service", SERVICES.options, {}),)
    assert result.run.tries == 1


def test_starting_over_keeps_only_what_is_remembered() -> None:
    for restart in (Interrupt("restart"), Start()):
        result = after([*TO_CONFIRM, restart])
        assert told(result.effects) == ["Lookup"]
        assert (result.run.node, set(result.run.slots), result.run.trail) == ("service", {"name"}, ())


def test_a_focused_question_hears_no_interrupt() -> None:
    scenario = made(
        scene(
            """
            a: {say: w, collect: s, focus: true, outcomes: {filled: end, exhausted: end}}
            b: {say: w, collect: s, outcomes: {filled: end, exhausted: end}}
            end: {end: completed}
            """,
            slots="{s: {type: text}}",
            interrupts="{cancel: {keywords: stop it, goto: b}}",
        )
    )
    run = begin(scenario, NOW).run
    result = step(scenario, run, Interrupt("cancel"), NOW)
    assert result == Step(run, (), ignored=True)


DIGRESSIONS = made(
    scene(
        """
        a: {say: w, collect: s, outcomes: {filled: end, exhausted: end}}
        p: {say: w, collect: x, clear: x, outcomes: {filled: back, exhausted: back}}
        q: {say: w, collect: y, clear: y, outcomes: {filled: back, exhausted: back}}
        r: {say: w, collect: z, clear: z, outcomes: {filled: back, exhausted: back}}
        t: {say: w, collect: z, clear: z, outcomes: {filled: back, exhausted: back}}
        back: {end: resume}
        end: {end: completed}
        """,
        slots="{s: {type: text}, x: {type: text}, y: {type: text}, z: {type: text}}",
        interrupts="""{
            p: {keywords: p, goto: p, then: resume}, q: {keywords: q, goto: q, then: resume},
            r: {keywords: r, goto: r, then: resume}, t: {keywords: t, goto: t, then: resume}
        }""",
    )
)


def test_digressions_nest_three_deep_and_come_back_in_order() -> None:
    down: list[Event] = [Interrupt("p"), Interrupt("q"), Interrupt("r")]
    assert [frame.node for frame in after(down, DIGRESSIONS).run.stack] == ["a", "p", "q"]
    up: list[Event] = [Answer(values(z="3")), Answer(values(y="2")), Answer(values(x="1"))]
    nodes = [after([*down, *up[:count]], DIGRESSIONS).run.node for count in range(4)]
    assert nodes == ["r", "q", "p", "a"]
    assert after([*down, Interrupt("t")], DIGRESSIONS).effects == (Failed("depth"),)


def test_a_digression_within_itself_begins_anew_and_keeps_the_first_question() -> None:
    run = after([Interrupt("p"), Interrupt("q"), Interrupt("p"), Interrupt("p")], DIGRESSIONS).run
    assert (run.node, [frame.node for frame in run.stack]) == ("p", ["a"])
    assert after([Interrupt("p"), Interrupt("q"), Interrupt("p"), Answer(values(x="1"))], DIGRESSIONS).run.node == "a"


def test_a_question_answered_in_the_meantime_is_not_asked_again() -> None:
    result = after([Interrupt("p"), Answer(values(s="by the way")), Answer(values(x="1"))], DIGRESSIONS)
    assert result.effects == (End("completed"),)


def test_a_correction_within_a_digression_forgets_the_digression() -> None:
    scenario = made(
        scene(
            """
            a: {say: w, collect: s, outcomes: {filled: b, exhausted: end}}
            b: {say: w, collect: t, outcomes: {filled: end, exhausted: end}}
            p: {say: w, collect: x, outcomes: {filled: back, exhausted: back}}
            back: {end: resume}
            end: {end: completed}
            """,
            slots="{s: {type: text}, t: {type: text, after: s}, x: {type: text}}",
            interrupts="{p: {keywords: p, goto: p, then: resume}}",
        )
    )
    result = after([Answer(values(s="1")), Interrupt("p"), Answer(values(s="2"))], scenario)
    assert (result.run.node, result.run.stack) == ("b", ())


# Slow calls, silence, expiry


def test_a_result_that_comes_too_late_is_dropped() -> None:
    waiting = after(TO_CONFIRM[:-1])
    left = step(BOOK, waiting.run, Interrupt("restart"), NOW)
    assert not left.ignored
    late = step(BOOK, left.run, Outcome("held", ticket=waiting.run.ticket), NOW)
    assert late == Step(left.run, (), ignored=True)


@pytest.mark.parametrize("event", [Answer(values(name="x")), Invalid(), Silent(), Interrupt("faq"), Resume(), SERVICES])
def test_while_an_action_is_at_work_nothing_else_moves_the_run(event: Event) -> None:
    waiting = after(TO_CONFIRM[:-1])
    assert step(BOOK, waiting.run, event, NOW) == Step(waiting.run, (), ignored=True)


def test_silence_asks_again_twice_and_then_rests() -> None:
    run, now = after([SERVICES]).run, NOW
    for _ in range(2):
        assert run.silence_due == now + timedelta(minutes=30)
        assert step(BOOK, run, Silent(), run.silence_due - timedelta(seconds=1)).ignored
        now = run.silence_due
        result = step(BOOK, run, Silent(), now)
        assert result.effects == (Ask("service", "ask_service", SERVICES.options, {}, short=True),)
        run = result.run
    assert run.silence_due is None
    assert run.tries == 0
    assert run.expires_at == NOW + timedelta(hours=24)
    assert step(BOOK, run, Invalid(), now).run.silence_due == now + timedelta(minutes=30)


def test_a_run_whose_time_is_up_expires_whatever_comes() -> None:
    run = after([SERVICES]).run
    assert run.expires_at is not None
    assert step(BOOK, run, Expired(), run.expires_at - timedelta(seconds=1)).ignored
    for event in (Expired(), Silent(), Answer(values(service="Haircut")), Start()):
        result = step(BOOK, run, event, run.expires_at)
        assert result.effects == (End("expired"),)
        assert (result.run.ended, result.run.waiting, result.run.expires_at) == ("expired", None, None)


def test_the_customers_words_put_expiry_off() -> None:
    later = NOW + timedelta(hours=23)
    assert step(BOOK, after([SERVICES]).run, Invalid(), later).run.expires_at == later + timedelta(hours=24)


def test_nothing_happens_to_a_run_that_is_over() -> None:
    run = after([SERVICES, Interrupt("cancel")]).run
    assert step(BOOK, run, Start(), NOW) == Step(run, (), ignored=True)


# Branches, facts, languages


@pytest.mark.parametrize(
    ("facts", "said"), [({}, ["ask_confirm"]), ({"new_customer": True}, ["welcome", "ask_confirm"])]
)
def test_a_branch_looks_at_the_facts_of_the_moment(facts: dict[str, bool], said: list[str]) -> None:
    waiting = after(TO_CONFIRM[:-1])
    assert told(step(BOOK, waiting.run, Outcome("held"), NOW, facts=facts).effects) == said


def test_fixed_options_speak_the_language_of_the_run() -> None:
    scenario = machine.compile(
        load("""
        {spec: 1, id: menu, start: a, slots: {s: {type: choice, options: {x: w_x, y: w_y}}},
         states: {a: {say: ask, collect: s, outcomes: {filled: z, exhausted: z}}, z: {end: completed}},
         words: {en: {ask: What?, w_x: One, w_y: {text: Two, keywords: [second]}}, es: {ask: ¿Qué?, w_x: Uno}}}
        """)
    )
    labels = {
        lang: [each.label for each in begin(scenario, NOW, lang=lang).run.offered] for lang in ("", "en", "es", "xx")
    }
    assert labels == {"": ["One", "Two"], "en": ["One", "Two"], "es": ["Uno", "Two"], "xx": ["One", "Two"]}
    second = begin(scenario, NOW).run.offered[1]
    assert (second.value, second.keywords) == ("y", ("second",))


# Limits


def test_a_circle_that_never_waits_is_a_failed_run() -> None:
    circle = machine.compile(scene("a: {goto: b}\nb: {goto: a}"))
    first = begin(circle, NOW)
    assert first.effects == (Failed("steps"),)
    assert first.run.ended == "failed"
    assert len(first.moves) == circle.limits.steps


def test_the_limit_of_steps_counts_over_the_results_of_one_turn() -> None:
    circle = machine.compile(scene("a: {call: work, outcomes: {done: '=', error: '='}}"))
    run, calls = begin(circle, NOW).run, 0
    while run.ended is None:
        run, calls = step(circle, run, Outcome("done"), NOW).run, calls + 1
    assert (run.ended, calls) == ("failed", circle.limits.steps)


def test_an_unknown_outcome_is_an_error_and_without_that_a_failure() -> None:
    assert after([*TO_CONFIRM[:-1], Outcome("exploded")]).effects[0] == Switch(
        "handoff", values(service="Haircut", when="Monday", name="Maria")
    )
    bare = machine.compile(scene("a: {call: work, outcomes: {done: b}}\nb: {end: completed}"))
    assert after([Outcome("exploded")], bare).effects == (Failed("outcome"),)


def test_an_endless_answer_is_no_answer() -> None:
    long = SlotValue("x" * 2000, "x" * 2000)
    assert after([SERVICES, Answer({"service": long})]).run.tries == 1
    assert after([SERVICES, Answer(values(nonsense="x"))]).run.tries == 1
    assert after([Found(options(*map(str, range(201))))]).effects == (Failed("options"),)


def test_a_run_that_stands_nowhere_fails_instead_of_raising() -> None:
    assert step(BOOK, Run("book_visit", "gone"), Invalid(), NOW).effects == (Failed("state"),)


@pytest.mark.parametrize(("amount", "is_taken"), [(9, False), (10, True), (500, True), (501, False)])
def test_a_number_outside_its_bounds_is_no_answer(amount: int, is_taken: bool) -> None:
    scenario = machine.compile(
        load(
            "spec: 1\nid: gift\nstart: ask\n"
            "slots: {amount: {type: number, min: 10, max: 500}}\n"
            "states:\n"
            "  ask: {say: ask, collect: amount, outcomes: {filled: done, exhausted: done}}\n"
            "  done: {end: completed}\n"
            "words: {en: {ask: How many?}}\n"
        )
    )
    first = begin(scenario, NOW)
    after = step(scenario, first.run, Answer({"amount": SlotValue(amount, str(amount))}), NOW)
    assert (after.run.ended == "completed") is is_taken
    assert after.run.tries == (0 if is_taken else 1)
