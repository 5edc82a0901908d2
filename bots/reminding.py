"""Answers to reminders, long after and beside other matters: which visit does "C" mean, and what if several are open?

A button says which visit it is about, and a quoted reminder does. Words mean the one visit that is still to be answered;
of several they mean none, and we ask. Whether an answer still makes sense is looked up by the scenario (`open_reminder`).
"""

from collections.abc import Mapping

from bots import choose
from bots.acting import Reminded
from bots.choose import Said, option_of_letter
from bots.flow import Level
from bots.render import read_about, read_choice_id
from bots.turn import Turn
from bots.understand import answers
from desk import messages
from desk.calendar import appointments
from desk.calendar.appointments import Appointment
from desk.errors import NotFound
from flows.events import Answer
from flows.state import Option, SlotValue

NAME = "reminder"  # the scenario
_ANSWER = "answer"  # its slot

_MOST = 5  # reminders that are remembered; who has more visits ahead answers by button or by name
_A_WEEK = 7 * 24 * 60  # minutes: an answer later than that after a visit is about something else
_FREE_TEXT = ("text", "name", "place")  # questions to which any letter is an answer


def slots(visit_id: int, sequence: int, label: str = "") -> dict[str, SlotValue]:
    """What the scenario begins with, to be about that visit as it was then."""
    return {"visit": SlotValue(visit_id, label), "sequence": SlotValue(sequence, "")}


def note(turn: Turn, visit: Appointment) -> None:
    """Remember that we have reminded of it; it is the latest now."""
    others = [one for one in _known(turn) if one.visit_id != visit.id]
    latest = Reminded(visit.id, visit.sequence, int(visit.starts_at.timestamp()) // 60)
    turn.flow.memo.reminded = (*others, latest)[-_MOST:]


def is_open(turn: Turn, visit_id: int) -> bool:
    """Whether we are asking about that very visit."""
    top = turn.flow.top
    return top is not None and top.run.scenario == NAME and _visit_of(top) == visit_id


def answer(turn: Turn, said: Said, quoted: str | None) -> bool:
    """Take it as the answer to a reminder that is not the open question: True when it is one.

    By a button of it, by words while it is quoted, by its letter. `quoted` is the provider's id of a message.
    """
    if NAME not in turn.bot.scenarios:
        return False
    slot, option_id = read_choice_id(said.pressed)
    about = _reminded(read_about(said.pressed)) if slot == _ANSWER else None
    picked = next((one for one in _options(turn) if one.id == option_id), None) if about else None
    if about is None and quoted and not said.pressed and _known(turn):
        about = _quoted(turn, quoted)
        picked = _meant(turn, said.text) if about else None
    if about is not None and picked is not None:
        return not _is_asked(turn, about) and _answered(turn, about, picked)
    lettered = option_of_letter(_options(turn), said.text) if not said.pressed else None
    if lettered is None or not _known(turn) or _means_something_else(turn, said.text):
        return False
    return _lettered(turn, lettered)


def which(turn: Turn, top: Level, reading: Answer) -> bool:
    """Whether an answer in words could be about several visits: then it is asked which one it is for."""
    given = reading.values.get(_ANSWER)
    if top.run.scenario != NAME or given is None or _ANSWER in top.run.slots or len(_open(turn)) < 2:
        return False
    turn.replace(NAME, {_ANSWER: given})
    return True


def next_one(turn: Turn) -> None:
    """Once a reminder is answered and nothing is open, the next one that is still to be answered is asked again."""
    found = _open(turn) if turn.answered_reminder and turn.flow.top is None and not turn.is_handed_over else []
    if found:
        visit = _visit(turn, found[-1])
        turn.begin(NAME, slots(found[-1].visit_id, found[-1].sequence, "" if visit is None else visit.service_name))


def late(turn: Turn, said: Said) -> bool:
    """Words that nothing else is begun by, while nothing is open: the answer to a reminder whose question is over."""
    picked = _meant(turn, said.text) if NAME in turn.bot.scenarios and _known(turn) and not said.pressed else None
    if picked is None:
        return False
    found = _open(turn)
    if found:
        return _begin(turn, found[0] if len(found) == 1 else None, picked)
    last = _known(turn)[-1]
    visit = _visit(turn, last)
    was_missed = visit is not None and visit.status == "scheduled" and visit.starts_at <= turn.now
    return was_missed and _begin(turn, last, picked)


def _lettered(turn: Turn, picked: Option) -> bool:
    """A letter alone. In the middle of moving a visit it is about that one: "R", and then "C" after all."""
    top = turn.flow.top
    found = _open(turn)
    if top is not None and top.run.scenario == NAME:
        return False  # the open question takes it, or asks which
    moving = [one for one in _known(turn) if top is not None and one.visit_id == _visit_of(top)]
    if moving:
        return _answered(turn, moving[-1], picked)
    if len(found) > 1:
        return _begin(turn, None, picked)
    return _begin(turn, found[0] if found else _known(turn)[-1], picked)


def _answered(turn: Turn, about: Reminded, picked: Option) -> bool:
    """An answer about one visit. While that one is being moved, "move it" is nothing new and the others end it."""
    top = turn.flow.top
    if top is None or top.run.scenario == NAME or _visit_of(top) != about.visit_id:
        return _begin(turn, about, picked)
    if picked.id == "move" and top.run.scenario == "reschedule":
        turn.ask_again()
        return True
    turn.leave_all("replaced")
    return _begin(turn, about, picked)


def _begin(turn: Turn, about: Reminded | None, picked: Option) -> bool:
    """Let the scenario see to it, on top of what is open; without a visit it asks which."""
    given: Mapping[str, SlotValue] = {_ANSWER: picked.chosen()}
    if about is not None:
        given = {**slots(about.visit_id, about.sequence), **given}
    turn.begin(NAME, given)
    return True


def _known(turn: Turn) -> list[Reminded]:
    minute = int(turn.now.timestamp()) // 60
    return [one for one in turn.flow.memo.reminded if minute - one.minute < _A_WEEK]


def _open(turn: Turn) -> list[Reminded]:
    """Those that are still to be answered: ahead, neither confirmed nor moved since."""
    return [one for one in _known(turn) if _is_unanswered(_visit(turn, one), one, turn)]


def _is_unanswered(visit: Appointment | None, then: Reminded, turn: Turn) -> bool:
    if visit is None or visit.sequence != then.sequence:
        return False
    return visit.status == "scheduled" and visit.starts_at > turn.now


def _visit(turn: Turn, one: Reminded) -> Appointment | None:
    try:
        return appointments.get(turn.db, turn.bot.actor, one.visit_id)
    except NotFound:
        return None


def _visit_of(level: Level) -> int | None:
    held = level.run.slots.get("visit")
    return held.value if held is not None and isinstance(held.value, int) else None


def _is_asked(turn: Turn, about: Reminded) -> bool:
    """Whether the open question is this very one, so that it takes the answer itself."""
    top = turn.flow.top
    if top is None or top.run.scenario != NAME or _visit_of(top) != about.visit_id:
        return False
    sequence = top.run.slots.get("sequence")
    asked = choose.asked_slot(top)
    return sequence is not None and sequence.value == about.sequence and asked is not None and asked.name == _ANSWER


def _means_something_else(turn: Turn, text: str) -> bool:
    """Whether the open question takes a letter for an answer: a name, any text, the N of a yes or no, its own choice."""
    asked = choose.asked_slot(turn.flow.top) if turn.flow.top is not None else None
    if asked is None:
        return False
    if asked.type in _FREE_TEXT or (asked.type == "yes_no" and answers.yes_no(turn.ear.english(text)) is not None):
        return True
    return turn.flow.top is not None and option_of_letter(turn.flow.top.run.offered, text) is not None


def _options(turn: Turn) -> tuple[Option, ...]:
    by_language = turn.bot.scenarios[NAME].compiled.options
    found = by_language.get(turn.tongue) or next(iter(by_language.values()))
    return found.get(_ANSWER, ())


def _meant(turn: Turn, text: str) -> Option | None:
    """The answer that the words are, without a question in sight: its letter, or words that say so and little else."""
    options = _options(turn)
    if (lettered := option_of_letter(options, text)) is not None:
        return lettered
    ear = turn.ear
    named = answers.choose(ear.english(text), ear.choices(options), asked=False)
    return next((one for one in options if named.how in ("exact", "part") and one.id == named.id), None)


def _quoted(turn: Turn, provider_id: str) -> Reminded | None:
    """Which reminder the quoted message of ours was; None when it was none."""
    for pressed in messages.choice_ids(turn.db, turn.context.account_id, provider_id):
        if read_choice_id(pressed)[0] == _ANSWER and (found := _reminded(read_about(pressed))) is not None:
            return found
    return None


def _reminded(about: str) -> Reminded | None:
    visit, dot, sequence = about.partition(".")
    if not dot or not (visit.isdecimal() and sequence.isdecimal()) or len(about) > 30:
        return None
    return Reminded(int(visit), int(sequence), 0)
