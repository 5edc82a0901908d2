"""Turns that no script tells well: faults of ours, what a person is told, and any words whatever at any point."""

import re
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from bots import registry as publishing
from bots.bot import Cue, internal_error, is_asking, take_turn
from bots.flow import FlowError
from bots.times import ANYONE
from channels import split
from desk import conversations
from flows.load import load
from storage.models.conversations import conversations as table
from storage.models.conversations import owner_changes
from tests.bots.stage import Stage

ON_THE_WAY = [
    (),
    ("hi",),
    ("hi", "4"),
    ("book",),
    ("book", "haircut"),
    ("book", "haircut", "tomorrow"),
    ("haircut tomorrow at 3",),
    ("haircut tomorrow at 3", "no"),
    ("haircut tomorrow at 3", "no", "someone else"),
    ("haircut tomorrow at 3", "yes"),
    ("reschedule",),
    ("my name is Zed. haircut tomorrow at 3", "yes", "move my appointment"),
    ("my name is Zed. haircut tomorrow at 3", "yes", "move my appointment", "friday at 4"),
    ("my name is Zed. haircut tomorrow at 3", "yes", "please cancel my appointment"),
]
WORDS = (
    "yes no haircut beard color tomorrow friday today 3pm 10:30 at with anna theo sam anyone more later earlier asap "
    "cancel human book move price hours parking thanks bye start over never mind not actually make it 1 2 3 9 99 the "
    "first last ? ! . , hi waitlist another time next week march 31 {visit} \u202e \U0001f44d \u00e4 why what"
).split()
ANY_TEXT = st.one_of(
    st.text(max_size=60),
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=7).map(" ".join),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(way=st.sampled_from(ON_THE_WAY), texts=st.lists(ANY_TEXT, min_size=1, max_size=4))
def test_any_words_at_any_point_leave_a_defined_state(stage: Stage, way: tuple[str, ...], texts: list[str]) -> None:
    kept = stage.db.begin_nested()
    try:
        stage.says("hello", *way)
        for text in texts:
            stage.says(text)
            run = stage.run  # reads back, or raises
            assert run is None or run.waiting == "input"
            assert is_asking(stage.context.flow) == (run is not None)
            assert run is None or stage.context.owner == "bot"
    finally:
        kept.rollback()


@pytest.mark.parametrize("broken", [{"stack": 1}, {"stack": [{"version": 0}], "memo": {}}, {}, {"stack": [{}]}])
def test_a_flow_that_does_not_read_back_is_told_to_a_person(stage: Stage, broken: dict[str, Any]) -> None:
    stage.says("book")
    stage.db.execute(update(table).where(table.c.id == stage.context.id).values(flow=broken))
    bot = stage.bots.get(
        stage.db,
        stage.context.bot_id or 0,
        business_id=stage.context.business_id,
        revision=stage.context.business_revision,
    )
    with pytest.raises(FlowError):
        take_turn(stage.db, bot, stage.context, Cue("resume", {}), now=stage.now)
    result = internal_error(stage.db, bot, stage.context, now=stage.now)
    assert "something went wrong on our side" in result.replies[0].text
    assert stage.context.owner == "queue"
    assert not is_asking(result.flow)


def test_a_person_is_told_what_it_was_about(stage: Stage) -> None:
    stage.says("my name is Ann Bell", "haircut tomorrow at 3", "can I talk to somebody please")
    note = (
        stage.db.execute(select(owner_changes.c.note).where(owner_changes.c.conversation_id == stage.context.id))
        .scalars()
        .all()[-1]
    )
    assert "Haircut" in note
    assert "Tuesday, March 3" in note
    assert note.endswith("haircut tomorrow at 3")  # and not the wish for a person, which says nothing


def test_a_taken_over_conversation_hears_no_silence_and_no_survey(stage: Stage) -> None:
    stage.says("haircut tomorrow at 3", "human")
    assert stage.cue("silent") == ""
    assert stage.cue("csat") == ""
    assert stage.cue("inactive") == ""
    assert stage.cue("expired") == ""


def test_a_reminder_of_a_visit_that_has_moved_since_is_dropped(stage: Stage) -> None:
    stage.says("my name is Zed. haircut with Maya thursday at 3", "yes")
    [visit] = stage.visits()
    stage.says("move my appointment to friday at 4", "yes")
    assert visit.sequence == 0
    assert stage.cue("reminder", appointment_id=visit.id, rule="24 hours before", sequence=0) == ""
    assert "A reminder" in stage.cue("reminder", appointment_id=visit.id, rule="24 hours before", sequence=1)


def test_a_late_result_of_slow_work_is_dropped(stage: Stage) -> None:
    stage.says("book")
    assert stage.cue("outcome", call="of another time", name="done", slots={}) == ""
    assert stage.place == "book.service"


def test_an_unclaimed_hand_off_that_was_claimed_meanwhile_stays_claimed(stage: Stage) -> None:
    stage.says("human")
    conversations.close(stage.db, stage.who, stage.context.id, reason="test", now=stage.now)
    assert stage.cue("handoff_expired") == ""


def test_forty_messages_to_no_effect_are_a_machine(stage: Stage) -> None:
    stage.says("hi")
    for number in range(45):
        stage.now += timedelta(seconds=5)
        if stage.context.owner != "bot":
            break
        stage.says(f"do you sell number {number} perms?")
    assert stage.context.owner == "queue"


def test_a_text_message_is_short_and_plain(stage: Stage) -> None:
    """Each costs by its parts, and one letter outside GSM-7 doubles them."""
    stage.says("hi", "1", "1", "tomorrow", "more", "3pm", "no", "1", "2", "friday", "5pm", "yes", "Maria Lopez")
    stage.says("move my appointment", "monday", "2", "yes", "please cancel my appointment", "yes")
    for text in stage.texts:
        count = split.count(text)
        assert count.encoding == "gsm7", text
        assert count.parts <= 2, text


def test_no_wording_asks_for_a_word_that_carriers_take_as_an_opt_out() -> None:
    for source in publishing.standard().values():
        for words in load(source).words.values():
            for wording in words.values():
                assert not re.search(
                    r"\b(?:reply|text|say|write) '?(?:stop|cancel|end|quit)\b", str(wording), re.IGNORECASE
                )


# To whom it is all the same, by language; what begins a booking, agrees on a time with Anna, takes that back, and asks for
# somebody else.
ALL_THE_SAME = {
    "en": (
        ["whenever", "anytime", "any", "no preference", "I don't mind", "whatever", "you choose"],
        ["anyone", "whenever", "whoever", "no preference"],
        ("book a haircut", "tomorrow at 3 pm with Anna", "no", "the person"),
    ),
    "pt": (
        ["tanto faz", "pra mim tanto faz", "qualquer dia", "qualquer um", "quando der"],
        ["Tanto faz!", "qualquer pessoa", "quem estiver livre"],
        ("quero marcar um Haircut", "amanhã às 15h com Anna", "não", "A pessoa"),
    ),
    "es": (
        ["me da igual", "me da lo mismo", "cualquiera", "cuando sea"],
        ["me da igual", "cualquiera", "cualquier persona", "quien sea"],
        ("quiero reservar Haircut", "mañana a las 15:00 con Anna", "no", "la persona"),
    ),
    "fr": (
        ["peu importe", "n'importe quand", "ça m'est égal"],
        ["peu importe", "n'importe qui"],
        ("je veux réserver Haircut", "demain à 15h avec Anna", "non", "la personne"),
    ),
    "de": (
        ["egal", "ist mir egal", "irgendwann", "jeder", "jederzeit"],
        ["egal", "egal wer", "irgendwer", "jeder"],
        ("ich möchte Haircut buchen", "morgen um 15 Uhr mit Anna", "nein", "die Person"),
    ),
}


@pytest.mark.parametrize("code", ALL_THE_SAME)
def test_to_whom_it_is_all_the_same_gets_the_first_day_and_anybody(stage: Stage, code: str) -> None:
    stage.channel = "web"
    stage.speaks("en", "es", "fr", "de", "pt")
    days, people, (begins, agrees, no, person) = ALL_THE_SAME[code]

    def said(*lines: str) -> tuple[str, dict[str, Any]]:
        """Where a conversation stands after these, and what was understood."""
        kept = stage.db.begin_nested()
        try:
            stage.says(*lines)
            assert stage.run is not None, lines
            return stage.place, {name: slot.value for name, slot in stage.run.slots.items()}
        finally:
            kept.rollback()

    for words in days:
        place, slots = said(begins, words)
        assert (place, slots["day"]) == ("book.when", "2026-03-02"), words
    for words in people:
        place, slots = said(begins, agrees, no, person, words)
        assert (place, slots["day"], slots["staff"]) == ("book.confirm", "2026-03-03", ANYONE), words
