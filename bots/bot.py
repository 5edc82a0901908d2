"""One turn: what the customer said, or what else happened, and everything the bot does about it in one transaction."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from bots import choose, flow, offering, reminding, things
from bots.choose import Aside, Begin, Said, Unsure
from bots.flow import is_asking
from bots.loaded import LoadedBot
from bots.turn import Turn
from bots.understand import language, names
from channels.messages import InboundMessage, Order, OutboundMessage
from desk import conversations
from desk.calendar import appointments, waitlist
from desk.conversations import Context
from desk.errors import NotFound
from desk.who import Actor
from desk.work import requests
from flows import events
from flows.definition import Json
from flows.events import Answer
from flows.state import SlotValue
from storage.base import Db

__all__ = ["Cue", "Heard", "TurnResult", "internal_error", "is_amid", "is_asking", "take_turn"]

_ECHOES = 4  # the same words so often in a row, to no effect: something answers by itself
_PACE = 40  # messages within ten minutes that nothing came of: two machines are talking
_PACE_MINUTES = 10
_MOST_KEPT = 5  # messages that are kept while something slow is under way; more than that is nobody's answer
_LONGEST_KEPT = 1_000  # characters of each
_STALE = timedelta(minutes=15)  # a question without any answer so far is given up for a reminder after that


@dataclass(frozen=True, slots=True)
class Heard:
    """The customer said or pressed something."""

    message_id: int
    message: InboundMessage
    begins: str = ""  # the scenario that it begins when none is open but the menu, whatever it says
    broadcast: str = ""  # the name of the broadcast that it answers by that


@dataclass(frozen=True, slots=True)
class Cue:
    """Another cause of a turn.

    `silent`, `expired`, `reminder` {appointment_id, rule, sequence}, `waitlist_offer` {waitlist_id}, `outcome` {call,
    name, slots} (slow work is done), `csat`, `handoff_expired`, `resume` (a person gave back), `inactive`. Of a call:
    `called`, `again` (the open question in short), `hung_up`.
    """

    kind: str
    data: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class TurnResult:
    """What to say, already worded for the language but not yet cut to the channel; and what to keep.

    `language` is set when it has become known, `is_handed_over` when a person is wanted from now on. `log` are the facts
    for the one log line of the turn.
    """

    replies: tuple[OutboundMessage, ...]
    flow: dict[str, Json] | None
    silence_due_at: datetime | None
    flow_expires_at: datetime | None
    language: str | None
    is_handed_over: bool
    log: Mapping[str, str | int | None]
    asks: str = ""  # the type of the slot that is asked for
    is_private: bool = False  # what is asked for is private
    speaks: str = ""  # the language that it is all said in
    waits: bool = False  # for slow work, whose outcome will be said by itself


def take_turn(
    db: Db, bot: LoadedBot, context: Context, cause: Heard | Cue, *, in_full: bool = False, now: datetime
) -> TurnResult:
    """Everything that comes of `cause`. `in_full`: a yes or no is asked for in all its words also when that is asked again.

    Raises:
        FlowError: what is stored of the conversation does not read back; `internal_error` then sees to the customer.
    """
    kept = flow.read(context.flow, lambda version_id: bot.version(db, version_id))
    turn = Turn(db, bot, context, kept, now, in_full=in_full)
    turn.drop_expired()
    if isinstance(cause, Heard):
        turn.begins, turn.broadcast = cause.begins, cause.broadcast
        turn.said_at = min(cause.message.sent_at or now, now)
        _hear(turn, cause.message, cause.message_id)
    else:
        _CUES[cause.kind](turn, cause.data)
    return _result(turn)


def is_amid(context: Context, now: datetime) -> bool:
    """Whether they are in the middle of something of the bot's, so that what they say belongs to it. The menu is nothing."""
    expires_at = context.flow_expires_at
    if not is_asking(context.flow) or (expires_at is not None and expires_at <= now):
        return False
    stack = context.flow["stack"] if context.flow is not None else None
    top = stack[-1] if isinstance(stack, list) else None
    run = top.get("run") if isinstance(top, dict) else None
    return not (isinstance(run, dict) and run.get("scenario") == choose.MENU)


def internal_error(db: Db, bot: LoadedBot, context: Context, *, now: datetime) -> TurnResult:
    """An apology, and the conversation in the queue with a note; what was stored of a flow is let go.

    For a fresh transaction after `take_turn` raised. It reads nothing of the stored flow, so that it cannot fail on it.
    """
    turn = Turn(db, bot, context, flow.Flow(), now)
    turn.give_up("internal_error")
    return _result(turn)


def _result(turn: Turn) -> TurnResult:
    top = turn.flow.top
    speaks = not turn.is_handed_over and conversations.may_talk(turn.context, turn.bot.actor)
    return TurnResult(
        replies=turn.replies(),
        flow=turn.flow.to_json(),
        silence_due_at=top.run.silence_due if top is not None and speaks else None,
        flow_expires_at=turn.flow.expires_at,
        language=turn.learnt_language,
        is_handed_over=turn.is_handed_over,
        log=turn.log(),
        asks=turn.asks if turn.question else "",
        is_private=bool(turn.question) and turn.is_private,
        speaks=turn.tongue,
        waits=speaks and top is not None and top.run.waiting == "call",
    )


# What the customer said -----------------------------------------------------------------------------------------------


def _hear(turn: Turn, message: InboundMessage, message_id: int) -> None:
    if message.is_wordless:
        return
    if any(isinstance(part, Order) for part in message.parts):
        # The team has it as a task (`ordered`). What is written beside it answers no question of ours.
        turn.say("order_taken")
        turn.ask_again()
        return
    pressed = message.choice
    shown = things.of(message)
    asked = choose.asked_slot(turn.flow.top) if turn.flow.top is not None else None
    said = Said(message.text.strip() or things.typed(asked, shown), pressed.id if pressed is not None else "")
    turn.heard = said.text
    before = turn.place()
    if shown and _is_answer(turn, message, message_id, said):
        things.answered(turn, shown)
    elif not (said.text or said.pressed):
        # Before anything is counted: who sends an album is no machine, and has not been misunderstood.
        things.thank(turn, shown)
    elif _is_machine(turn, said):
        turn.hand_over("loop")
        return
    else:
        _notice_language(turn, said)
        _understand(turn, _without_name(turn, said), message.reply_to)
        reminding.next_one(turn)
        things.answered(turn, shown)
    if turn.place() != before:
        turn.memo_progress()


def _is_answer(turn: Turn, message: InboundMessage, message_id: int, said: Said) -> bool:
    """Whether what came besides words is what is asked for, and was taken. What stands beside it is heard as well: "and what
    will that cost?" below the picture that we wanted.
    """
    top = turn.flow.top
    asked = choose.asked_slot(top) if top is not None else None
    value = things.answer(turn, asked, message, message_id) if asked is not None else None
    if top is None or asked is None or value is None:
        return False
    beside = choose.at_question(turn.bot, turn.ear, top, said, turn.said_at) if said.text else None
    values = beside.values if isinstance(beside, Answer) else {}
    is_taken = turn.step(events.Answer({**values, asked.name: value}))
    if is_taken and isinstance(beside, Begin | events.Interrupt):
        _understand(turn, said)
    return is_taken


def _notice_language(turn: Turn, said: Said) -> None:
    """Who clearly writes in another language that the business speaks is answered in it from here on.

    A greeting is enough where nothing is open and no language is known yet. Names and notes are no sign at all.
    """
    if said.pressed or len(turn.bot.spoken) < 2:
        return
    asked = choose.asked_slot(turn.flow.top) if turn.flow.top is not None else None
    if asked is not None and asked.type in _ANY_LANGUAGE:
        return
    is_new = turn.flow.top is None and turn.context.language is None
    found = language.detect(said.text, least=1 if is_new else 2)
    if found is not None and found != turn.tongue and found in turn.bot.spoken:
        turn.speak(found)


_ANY_LANGUAGE = frozenset(("name", "email", "phone", "text", "place"))


def _without_name(turn: Turn, said: Said) -> Said:
    """Who says their name is known by it from here on, whatever is open; what else they say is left to be understood."""
    asked = choose.asked_slot(turn.flow.top) if turn.flow.top is not None else None
    if said.pressed or (asked is not None and asked.type in _ANY_LANGUAGE):
        return said
    text = turn.ear.named(said.text)
    name = names.introduced(text, outright=turn.tongue == "de")
    known = turn.context.customer_name
    if name is None or (known and known.casefold() != name.full.casefold()):
        return said
    turn.is_called(name.full)
    start, end = name.at
    return Said(f"{text[:start]}{text[end:]}".strip(" \t,"))


def _notice_stranger(turn: Turn, said: Said, reading: choose.Reading | None) -> bool:
    """Who wants to come to somebody whom nobody here is called hears so, and who there is, before anything is asked.

    True when that is all there is to say to it: a "yes, with Ben" agrees to nobody else.
    """
    top = turn.flow.top
    if said.pressed or isinstance(reading, events.Interrupt):
        return False
    if isinstance(reading, Begin):
        scenario, told = turn.bot.scenarios[reading.scenario], reading.slots
    elif top is not None and reading is not None:
        scenario, told = top.scenario, reading.values if isinstance(reading, Answer) else {}
    else:
        return False
    slot = next((one.name for one in scenario.compiled.scenario.slots.values() if one.source == "staff"), None)
    if slot is None or slot in told or not (name := choose.stranger(turn.ear, said.text, turn.said_at)):
        return False
    held = told.get("service") or (top.run.slots.get("service") if top is not None else None)
    turn.say("no_such_person", name=name, staff=turn.voice.all_of(_who_does(turn, held)))
    asked = choose.asked_slot(top) if top is not None else None
    agrees = (
        isinstance(reading, Answer) and asked is not None and asked.type == "yes_no" and told.keys() == {asked.name}
    )
    return isinstance(reading, Unsure) or (agrees and bool(told[asked.name].value) if asked is not None else False)


def _notice_caller(turn: Turn, said: Said, reading: choose.Reading | None) -> None:
    """Who begins with a name that is none of ours hears so: we cannot tell whether they want to come to somebody of that
    name, or are called so.
    """
    if not isinstance(reading, Begin) or said.pressed:
        return
    wanted = turn.bot.scenarios[reading.scenario].compiled.scenario.slots.values()
    own = (turn.context.customer_name or "").casefold().split()
    if not any(one.source == "staff" and one.name not in reading.slots for one in wanted) or not reading.slots:
        return
    if (name := choose.caller(turn.ear, said.text, turn.said_at)) and name.casefold() not in own:
        turn.say("no_such_person" if own else "who_is", name=name, staff=turn.voice.all_of(turn.ear.members))


def _notice_other_wishes(turn: Turn, said: Said, reading: choose.Reading | None) -> None:
    """Who wants what nobody here offers hears so before anything else, and so does who wants two things at once."""
    top = turn.flow.top
    if isinstance(reading, Begin):
        scenario, told = turn.bot.scenarios[reading.scenario], reading.slots
    elif isinstance(reading, Answer | Unsure) and top is not None:
        scenario, told = top.scenario, reading.values if isinstance(reading, Answer) else {}
    else:
        return
    service = next((one.name for one in scenario.compiled.scenario.slots.values() if one.source == "services"), None)
    if said.pressed or service is None:
        return
    if service in told:
        wish = choose.other_wish(turn.ear, said.text, turn.said_at)
    else:
        wish = choose.unknown_wish(turn.ear, said.text) if isinstance(reading, Begin) else ""
    if wish:
        turn.say("no_such_service", name=wish)
    elif service not in told and choose.two_wishes(turn.ear, said.text):
        turn.say("one_service")


def _who_does(turn: Turn, service: SlotValue | None) -> tuple[str, ...]:
    """The names of those who do the chosen service; of everybody while none is chosen, or nobody does it."""
    business = turn.bot.business
    chosen = next((one for one in business.services if service is not None and one.id == service.value), None)
    able = {one.name for one in business.staff_for(chosen)} if chosen is not None else set()
    return tuple(name for name in turn.ear.members if name in able) or turn.ear.members


def _greet_by_name(turn: Turn) -> None:
    """Who has said their name and nothing else that we can act on hears that it was understood."""
    if turn.introduced:
        turn.say("hello_name", name=turn.introduced)


def _understand(turn: Turn, said: Said, quoted: str | None = None) -> None:
    top = turn.flow.top
    if top is not None and top.run.waiting != "input":
        _at_work(turn, said)
        return
    turn.flow.memo.kept = ()  # of work that was given up
    if reminding.answer(turn, said, quoted) or offering.answer(turn, said):
        return
    if top is not None and top.run.scenario == choose.MENU and turn.begins in turn.bot.scenarios:
        turn.leave_all("replaced")
        _answer_broadcast(turn, said)
        return
    if top is None:
        _open(turn, said)
        return
    reading = choose.at_question(turn.bot, turn.ear, top, said, turn.said_at)
    if _notice_stranger(turn, said, reading):
        turn.ask_again()
        return
    if isinstance(reading, Answer) and not said.pressed and reminding.which(turn, top, reading):
        return
    _notice_other_wishes(turn, said, reading)
    if isinstance(reading, Begin):
        _notice_caller(turn, said, reading)
        _digress(turn, reading)
    elif isinstance(reading, Aside):
        if reading.phrase:
            turn.say(reading.phrase)
        turn.ask_again()
    elif isinstance(reading, Unsure) and turn.introduced:
        _greet_by_name(turn)
        turn.ask_again()
    elif isinstance(reading, Unsure):
        turn.excuse = reading.hint
        turn.step(events.Invalid())
    else:
        if isinstance(reading, Answer) and reading.values.keys() <= {*top.scenario.names}:
            _greet_by_name(turn)
        turn.step(reading)


def _open(turn: Turn, said: Said) -> None:
    """What the words begin while nothing is open; the menu when they say nothing we know."""
    if turn.begins in turn.bot.scenarios:
        _answer_broadcast(turn, said)
        return
    reading = choose.at_rest(turn.bot, turn.ear, said, turn.said_at, settled=turn.flow.memo.settled)
    if not isinstance(reading, Begin) and reminding.late(turn, said):
        return
    if not _notice_stranger(turn, said, reading):
        _notice_caller(turn, said, reading)
    _notice_other_wishes(turn, said, reading)
    if isinstance(reading, Aside):
        _greet_by_name(turn)
        turn.say(reading.phrase)
        return
    name = reading.scenario if isinstance(reading, Begin) else choose.MENU
    if name == choose.MENU:
        _greet_by_name(turn)
    turn.begin(name, reading.slots if isinstance(reading, Begin) else {})


def _answer_broadcast(turn: Turn, said: Said) -> None:
    """The scenario to which a broadcast has answers go, with what the answer says already: also to its first question, if that
    is one with answers of its own, for the broadcast may have asked it (and had buttons for it). A mere no begins nothing.
    """
    scenario = turn.bot.scenarios[turn.begins]
    if choose.declines(turn.ear, scenario, said.text, turn.said_at):
        turn.say("nod")
        return
    turn.begin(turn.begins, choose.opening(turn.ear, scenario, said.text, turn.said_at))
    top = turn.flow.top
    asked = choose.asked_slot(top) if top is not None and top.run.scenario == turn.begins else None
    if top is None or asked is None or asked.source is not None or asked.type not in choose.ASKED_OUTRIGHT:
        return
    reading = choose.at_question(turn.bot, turn.ear, top, Said(said.text), turn.said_at)
    if isinstance(reading, Answer) and asked.name in reading.values:
        turn.question, turn.choices = "", ()
        turn.step(reading)


def _digress(turn: Turn, begin: Begin) -> None:
    """Another scenario in the middle of one: on top of it when it comes back by itself, instead of it otherwise."""
    scenario = turn.bot.scenarios[begin.scenario]
    if scenario.is_digression:
        turn.begin(begin.scenario, begin.slots)
    else:
        turn.replace(begin.scenario, begin.slots)


def _at_work(turn: Turn, said: Said) -> None:
    """Something slow is under way: a person may be asked for, everything else is kept until it is done."""
    begin = choose.at_rest(turn.bot, turn.ear, said, turn.said_at) if said.text else None
    memo = turn.flow.memo
    if isinstance(begin, Begin) and begin.scenario == "handoff":
        turn.replace(begin.scenario)
        return
    if not memo.kept:
        turn.say("moment")
    if len(memo.kept) < _MOST_KEPT:
        memo.kept += ((said.text[:_LONGEST_KEPT], said.pressed),)


def _hand_in(turn: Turn) -> None:
    """What was said while something slow was under way, now that it is done."""
    kept, turn.flow.memo.kept = turn.flow.memo.kept, ()
    for text, pressed in kept:
        if turn.is_handed_over:
            return
        turn.heard = text
        turn.question, turn.choices = "", ()  # this is an answer to it, or it is asked again
        _understand(turn, Said(text, pressed))


def _is_machine(turn: Turn, said: Said) -> bool:
    """Whether something answers by itself: the same words again and again, or more than people type, to no effect."""
    memo = turn.flow.memo
    words = zlib.crc32(f"{said.pressed}\n{said.text.casefold()}".encode())
    times = memo.echo[1] + 1 if words == memo.echo[0] else 1
    minute = int(turn.now.timestamp()) // 60
    since, count = memo.pace if minute - memo.pace[0] < _PACE_MINUTES else (minute, 0)
    memo.echo, memo.pace = (words, times), (since, count + 1)
    return times > _ECHOES or count + 1 > _PACE


# What else happens ----------------------------------------------------------------------------------------------------


def _silent(turn: Turn, _data: Mapping[str, Json]) -> None:
    if conversations.may_talk(turn.context, turn.bot.actor):
        turn.step(events.Silent())


def _expired(turn: Turn, _data: Mapping[str, Json]) -> None:
    """`Turn.drop_expired` has seen to it before anything else."""


def _reminder(turn: Turn, data: Mapping[str, Json]) -> None:
    """Ask whether they will come; in the middle of something else, or while a person talks, only tell."""
    visit = appointments.to_remind_of(
        turn.db, turn.bot.actor, _whole(data, "appointment_id"), sequence=_whole(data, "sequence"), now=turn.now
    )
    if visit is None:
        return
    voice = turn.voice
    label = voice.phrase(
        "visit",
        service=visit.service_name,
        day=voice.day_of(visit.starts_at),
        time=voice.time_of(visit.starts_at),
        staff=visit.staff_name,
    )
    reminding.note(turn, visit)
    asks = visit.status != "confirmed" and reminding.NAME in turn.bot.scenarios
    if asks and (_is_free(turn) or reminding.is_open(turn, visit.id)):
        turn.replace(reminding.NAME, reminding.slots(visit.id, visit.sequence, label))
        return
    turn.say("reminder", visit=label)
    turn.ask_again()


def _waitlist_offer(turn: Turn, data: Mapping[str, Json]) -> None:
    """A time for somebody who waits. It is held for minutes only, so it is asked on top of what is open."""
    entry_id = _whole(data, "waitlist_id")
    try:
        offer = waitlist.offer_of(turn.db, turn.bot.actor, turn.bot.business, entry_id)
    except NotFound:
        return
    if offer is None:
        return
    if conversations.may_talk(turn.context, turn.bot.actor):
        offering.ask(turn, offer)
        return
    voice, slot = turn.voice, offer.slot
    service = turn.bot.business.service(slot.service_id).name
    visit = voice.phrase(
        "visit", service=service, day=voice.day_of(slot.starts_at), time=voice.time_of(slot.starts_at),
        staff=slot.staff_name,
    )  # fmt: skip
    turn.say("offer", visit=visit, until=voice.time_of(offer.expires_at))


def _outcome(turn: Turn, data: Mapping[str, Json]) -> None:
    """Slow work is done; what nobody waits for any more is dropped."""
    if turn.learn(data):
        _hand_in(turn)


def _csat(turn: Turn, _data: Mapping[str, Json]) -> None:
    if _is_free(turn) and "csat" in turn.bot.scenarios:
        turn.replace("csat")


def _handoff_expired(turn: Turn, _data: Mapping[str, Json]) -> None:
    """Nobody of the team came. Whoever claims it in this very moment keeps it."""
    if turn.context.owner != "queue":
        return
    system = Actor(turn.context.tenant_id, "system")
    conversations.give_back(
        turn.db,
        system,
        turn.context.id,
        reason="unclaimed",
        now=turn.now,
        expected_version=turn.context.owner_version,
    )
    if turn.context.channel == "voice" and turn.context.peer_kind == "phone":
        requests.call_back(
            turn.db,
            system,
            turn.context.id,
            turn.bot.voice(turn.bot.business.languages[0]).phrase("call_back", number=turn.context.peer),
            customer=turn.context.customer_id,
            business=turn.context.business_id,
            now=turn.now,
        )
    turn.replace("unclaimed")


def _resume(turn: Turn, _data: Mapping[str, Json]) -> None:
    """A person has given the word back: the open question, if there is one. Meanwhile they may have taken it again."""
    if turn.flow.top is not None and conversations.may_talk(turn.context, turn.bot.actor):
        turn.say("back")
        if turn.flow.memo.late is not None:
            _outcome(turn, turn.flow.memo.late)
        else:
            turn.ask_again()


def _inactive(turn: Turn, _data: Mapping[str, Json]) -> None:
    turn.leave_all("abandoned")


def _hung_up(turn: Turn, data: Mapping[str, Json]) -> None:
    """What we were asked to find out is told all the same."""
    if turn.flow.top is None or turn.flow.top.run.waiting != "call":
        _inactive(turn, data)


def _called(turn: Turn, _data: Mapping[str, Json]) -> None:
    """Somebody calls: the first words, or the question that is open since they last spoke with us."""
    if not conversations.may_talk(turn.context, turn.bot.actor):
        return
    if turn.flow.top is None:
        turn.begin(choose.MENU)
    elif turn.flow.top.run.waiting == "call":
        turn.say("moment")
    else:
        turn.ask_again()


def _again(turn: Turn, _data: Mapping[str, Json]) -> None:
    if conversations.may_talk(turn.context, turn.bot.actor):
        turn.ask_again()


_CUES = {
    "silent": _silent,
    "expired": _expired,
    "reminder": _reminder,
    "waitlist_offer": _waitlist_offer,
    "outcome": _outcome,
    "csat": _csat,
    "handoff_expired": _handoff_expired,
    "resume": _resume,
    "inactive": _inactive,
    "called": _called,
    "again": _again,
    "hung_up": _hung_up,
}


def _is_free(turn: Turn) -> bool:
    """Whether a new matter may be brought up: the bot has the word, and nothing is open or it was left long ago."""
    if not conversations.may_talk(turn.context, turn.bot.actor):
        return False
    last = turn.context.last_in_at
    return turn.flow.top is None or last is None or turn.now - last >= _STALE


def _whole(data: Mapping[str, Json], name: str) -> int:
    value = data.get(name)
    return value if isinstance(value, int) else -1
