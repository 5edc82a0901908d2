"""The linter: each finding by an example, the way it is said, and what it must leave alone."""

import pytest

from flows.check import check
from flows.cycles import Edge, endless
from flows.definition import Scenario
from flows.load import load
from flows.registry import Registry
from tests.flows.scenes import REGISTRY, findings, manual, scene

END = "{end: completed}"
ASK = "{say: w, collect: s, outcomes: {filled: z, exhausted: z}}"
TEXT = "{s: {type: text}}"


def codes(scenario: Scenario) -> list[str]:
    """The codes of all findings but those that every scene has."""
    return [found.code for found in findings(scenario) if found.code not in ("unused_word", "untested")]


def test_the_manuals_scenario_is_sound() -> None:
    assert findings(load(manual())) == []


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (
            ("{held: large, taken: taken", "{held: lrage, taken: taken"),
            ["unreachable", "unreachable", "unknown_state: There is no state 'lrage'. Did you mean 'large'?"],
        ),
        (("start: service", "start: servce"), ["unknown_state: There is no state 'servce'. Did you mean 'service'?"]),
        (
            ("from: services", "from: servics"),
            ["unknown_source: There is no source 'servics'. Did you mean 'services'?"],
        ),
        (
            ("call: hold_slot", "call: hold_slt"),
            ["unknown_action: There is no action 'hold_slt'. Did you mean 'hold_slot'?"],
        ),
        (("type: yes_no", "type: yesno"), ["unknown_type: There is no slot type 'yesno'. Did you mean 'yes_no'?"]),
        (("after: [service]", "after: [sevice]"), ["unknown_slot: There is no slot 'sevice'. Did you mean 'service'?"]),
        (("clear: [when]", "clear: [wen]"), ["unknown_slot: There is no slot 'wen'. Did you mean 'when'?"]),
        (("slot: confirm, e", "slot: cnfirm, e"), ["unknown_slot: There is no slot 'cnfirm'. Did you mean 'confirm'?"]),
        (("fact: new_customer", "fact: new_customr"), ["unknown_fact"]),
        (
            ("equals: service", "equals: servce"),
            ["unknown_option: There is no option 'servce'. Did you mean 'service'?"],
        ),
        (("run: robot", "run: robt"), ["unknown_scenario: There is no scenario 'robt'. Did you mean 'robot'?"]),
        (("goto: scenario:handoff", "goto: scenario:handof"), ["unknown_scenario"]),
        (("intents: [book]", "intents: [bok]"), ["unknown_intent: There is no intent 'bok'. Did you mean 'book'?"]),
        (("intent: faq", "intent: fak"), ["unknown_intent: There is no intent 'fak'. Did you mean 'faq'?"]),
        (("notify: true", "notfy: true"), ["unknown_param: There is no parameter of 'book_visit' 'notfy'."]),
        (("say: ask_when", "say: ask_wen"), ["unknown_word: There is no word 'ask_wen'. Did you mean", "unused_word"]),
        (("{when} has just", "{whn} has just"), ["unknown_placeholder: There is no placeholder 'whn'."]),
        (("none_free: full, ", ""), ["missing_outcome: 'when' has no outcome 'none_free'.", "unreachable"]),
        (("taken: taken, error", "error"), ["missing_outcome: 'hold' has no outcome 'taken'."]),
        (("{booked: done,", "{booked: done, boked: done,"), ["unknown_outcome: There is no outcome here 'boked'."]),
        (
            ("{filled: hold, exhausted: scenario:handoff}", "{filled: hold, exhausted: hold, silent: hold}"),
            ["unknown_outcome: There is no outcome here 'silent'. It needs a `silence`."],
        ),
        (("answered: faq_answer", "anwered: faq_answer"), ["unknown_outcome"]),
        (("mock: {services", "mock: {servces"), ["unknown_action: There is no action or source 'servces'."]),
        (("[taken, booked]", "[takn, booked]"), ["unknown_outcome: There is no outcome 'takn'. Did you mean 'taken'?"]),
        (("facts: {hours", "facts: {hors"), ["unknown_fact"]),
        (("user: yes, state: done,", "user: yes, state: don,"), ["unknown_state"]),
        (("says: booked", "says: boked"), ["unknown_word: There is no word 'boked'. Did you mean 'booked'?"]),
        (("slots: {service: Pump", "slots: {servce: Pump"), ["unknown_slot"]),
        (
            ("option_nothing: {text: Nothing", "option_nothing: {text: Nothing of all that's there"),
            ["too_long: As a button"],
        ),
    ],
)
def test_one_slip_is_found_where_it_is(damage: tuple[str, str], found: list[str]) -> None:
    before, after = damage
    text = manual()
    assert before in text
    problems = findings(load(text.replace(before, after, 1)))
    said = [f"{each.code}: {each.message}" for each in problems]
    missing = [each for each in found if not any(line.startswith(each) for line in said)]
    assert not missing, said
    assert {each.code for each in problems} == {each.partition(":")[0] for each in found}, said
    line = next(number for number, words in enumerate(text.splitlines(), start=1) if before.split()[-1] in words)
    assert any(each.at.line >= line or each.at.line == 1 for each in problems)


@pytest.mark.parametrize(
    ("states", "slots", "found"),
    [
        (f"a: {END}\nb: {END}", "{}", ["unreachable"]),
        (f"a: {{goto: b}}\nb: {{goto: z}}\nz: {END}", "{}", []),
        # Only a person can lead out of here, and nobody says so.
        (
            "a: {say: w, collect: s, outcomes: {filled: b, exhausted: a}}\nb: {clear: s, goto: a}",
            TEXT,
            ["no_end", "no_end"],
        ),
        ("a: {goto: scenario:handoff}", "{}", []),
        (f"a: {{branch: [{{slot: s, equals: 1, then: '='}}], else: z}}\nz: {END}", TEXT, ["endless", "endless"]),
        (f"a: {{call: hold_slot, outcomes: {{held: z, taken: z, error: z}}}}\nz: {END}", "{}", ["missing_slot"] * 2),
        (f"a: {{call: consult, outcomes: {{done: z, error: z}}}}\nz: {END}", "{}", ["missing_param"]),
        (
            f"a: {{call: consult, with: {{to: x, sets: [s, u]}}, outcomes: {{done: z, error: z}}}}\nz: {END}",
            TEXT,
            ["unknown_slot"],
        ),
        (f"a: {ASK}\nz: {END}", "{s: {type: choice}}", ["no_choices"]),
        (f"a: {ASK}\nz: {END}", "{s: {type: text}, t: {type: text}}", ["unused_slot"]),
        (f"a: {ASK}\nz: {END}", "{s: {type: text, after: t}, t: {type: text}}", []),
    ],
)
def test_shapes_that_cannot_work(states: str, slots: str, found: list[str]) -> None:
    assert codes(scene(states, slots=slots)) == found


@pytest.mark.parametrize(
    ("states", "sound"),
    [
        ("a: {goto: b}\nb: {goto: a}", False),
        ("a: {call: work, outcomes: {done: z, error: '='}}", False),
        # The slot stays filled, so the second time the question is skipped.
        (
            "a: {say: w, collect: s, outcomes: {filled: b, exhausted: z}}\n"
            "b: {call: work, outcomes: {done: z, error: a}}",
            False,
        ),
        (
            "a: {say: w, collect: s, outcomes: {filled: b, exhausted: z}}\n"
            "b: {call: work, outcomes: {done: z, error: c}}\nc: {clear: s, goto: a}",
            True,
        ),
        # Forgetting what it depends on does as well, and so does starting over.
        (
            "a: {say: w, collect: t, outcomes: {filled: b, exhausted: z}}\n"
            "b: {call: work, outcomes: {done: z, error: c}}\nc: {clear: s, goto: a}",
            True,
        ),
        (
            "a: {say: w, collect: s, outcomes: {filled: b, exhausted: z}}\n"
            "b: {call: work, outcomes: {done: z, error: restart}}",
            True,
        ),
        # Another slot is forgotten than the one that is asked for.
        (
            "a: {say: w, collect: s, outcomes: {filled: b, exhausted: z}}\n"
            "b: {call: work, outcomes: {done: z, error: c}}\nc: {clear: t, goto: a}",
            False,
        ),
        # After an answer in vain the customer has spoken.
        ("a: {say: w, collect: s, outcomes: {filled: z, invalid: b, exhausted: z}}\nb: {say: x, goto: a}", True),
        # Nothing free, whom does it help to look again?
        ("a: {say: w, collect: when, outcomes: {filled: z, none_free: '=', exhausted: z}}", False),
        # The one visit there is fills the slot.
        ("a: {say: w, collect: visit, outcomes: {filled: z, none: z, one: '=', exhausted: z}}", True),
    ],
)
def test_going_round_must_mean_asking(states: str, sound: bool) -> None:
    slots = """{
        s: {type: text}, t: {type: text, after: s},
        when: {type: slot_time, from: availability}, visit: {type: choice, from: one_visit}
    }"""
    found = codes(scene(f"{states}\nz: {END}", slots=slots))
    assert ("endless" in found) is not sound


def test_an_endless_way_is_told_step_by_step() -> None:
    found = findings(scene("a: {goto: b}\nb: {goto: c}\nc: {goto: a}"))
    assert any("a → b → c → a" in each.message for each in found)


def test_the_search_for_circles_gives_up_in_time() -> None:
    names = [f"n{number}" for number in range(60)]
    edges = [Edge(a, b, skipped="s", forgotten=frozenset("s")) for a in names for b in names]
    assert endless(edges) is None


def test_a_language_must_say_everything() -> None:
    scenario = load("""
        {spec: 1, id: x, start: a, states: {a: {say: hi, end: completed}},
         words: {en: {hi: Hi}, es: {bye: Adiós}}}
    """)
    found = [str(each) for each in findings(scenario) if each.code == "missing_language"]
    assert found == [
        "3:18 error missing_language: 'bye' is not said in 'en'.",
        "3:32 error missing_language: 'hi' is not said in 'es'.",
    ]


@pytest.mark.parametrize(
    ("options", "label", "found"),
    [
        (3, "x" * 20, []),
        (3, "x" * 21, ["too_long"]),
        (4, "x" * 24, []),
        (4, "x" * 25, ["too_long"]),
        (11, "x", ["too_many"]),
    ],
)
def test_choices_fit_the_channels(options: int, label: str, found: list[str]) -> None:
    names = ", ".join(f"o{number}: l" for number in range(options))
    scenario = scene(
        f"a: {ASK}\nz: {END}",
        slots=f"{{s: {{type: choice, options: {{{names}}}}}}}",
        words=f"{{w: What?, l: {label}}}",
    )
    assert codes(scenario) == found


def test_a_text_of_four_sms_is_a_warning_unless_there_is_a_shorter_one() -> None:
    long = "x" * 500
    found = [
        each
        for each in findings(scene("a: {say: w, end: completed}", words=f"{{w: {long}}}"))
        if each.code == "too_long"
    ]
    assert [each.severity for each in found] == ["warning"]
    short = scene("a: {say: w, end: completed}", words=f"{{w: {{text: {long}, sms: Short}}}}")
    assert "too_long" not in codes(short)


def test_what_the_program_does_not_tell_stays_unchecked() -> None:
    text = manual().replace("intents: [book]", "intents: [whatever]").replace("run: robot", "run: whatever")
    open_world = Registry(REGISTRY.actions, REGISTRY.sources, REGISTRY.types, facts=REGISTRY.facts, args=REGISTRY.args)
    assert check(load(text), open_world) == []
