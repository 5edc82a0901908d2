"""Telephone calls: who called, how far they came, and every turn of it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any, Final, Literal

from sqlalchemy import Integer, Row, Select, String, and_, bindparam, case, exists, func, insert, select, update

from desk import customer_book, events, recordings, refs
from desk import live as news
from desk.conversations import Context
from desk.listing import Found, Window, page
from desk.messages import Charged
from desk.recordings import Recording
from desk.refs import Ref
from desk.who import Actor
from storage import queue
from storage.base import Db, JsonValue, new_uid
from storage.models.businesses import businesses
from storage.models.calendar import appointments
from storage.models.calls import call_turns as turn_table
from storage.models.calls import calls as table
from storage.models.conversations import conversations, messages
from storage.models.customers import customers
from storage.models.outbound import outbound_calls
from storage.models.waits import call_waits as waits
from storage.prepared import Prepared
from storage.session import Conflict, attempt

NOUN: Final = "call"
SETTLE: Final = "settle_call"
_SOON: Final = timedelta(minutes=10)  # after its end, when it may have a price
_LONG: Final = timedelta(hours=4)  # after which a call is over, and we ought to know
_MOST_UNSAID: Final = 50  # of the last turns, that are looked at for what was not heard
Mode = Literal["relay", "stream", "gather", "terminal", "person", "none"]  # none: nobody of ours was on the line
Kind = Literal["inbound", "voicemail", "reminder", "call_back"]
Direction = Literal["inbound", "outbound"]
Status = Literal["in-progress", "transferred", "completed", "missed"]
Heard = Literal["unknown", "whole", "cut"]
Source = Literal["kept", "made"]  # of sound: it was there before, or was made for this
_t, _k = table.c, turn_table.c


@dataclass(frozen=True, slots=True)
class Live:
    """A call as its turns need it."""

    id: int
    tenant_id: int
    account_id: int
    conversation_id: int
    sid: str
    phone: str | None
    mode: str
    status: str
    turn: int
    quiet: int
    failures: int
    started_at: datetime
    ended_at: datetime | None
    kind: str = "inbound"
    direction: str = "inbound"
    attempts: int = 0

    @property
    def is_unspoken(self) -> bool:
        """Whether it is one of ours in which nobody has been talked with so far."""
        return self.direction == "outbound" and self.mode == "none"

    @property
    def is_over(self) -> bool:
        return self.ended_at is not None


@dataclass(frozen=True, slots=True)
class Call:
    """`outcome`: booked, transferred, handed_off, voicemail or none; null while it goes on. Of a call of ours also
    confirmed, moved or called_off (the visit), or what came of it when nobody was talked with (`desk.outbound`).
    """

    id: int
    uid: str
    business_id: int
    business_uid: str
    customer_uid: str
    conversation_uid: str
    caller: str | None
    phone: str | None
    kind: str
    direction: str
    answered_by: str | None
    attempts: int
    mode: str
    status: Status
    outcome: str | None
    silences: int
    interruptions: int
    recording: str | None
    duration_s: int | None
    price_millionths: int | None
    price_currency: str | None
    spoken_letters: float
    heard_s: float
    started_at: datetime
    ended_at: datetime | None
    recordings: Sequence[Recording] = ()


@dataclass(frozen=True, slots=True)
class Timing:
    """What is known of a turn only once it has been answered, each in ms: from what the caller gave to our answer, from
    there to the first sound of it that goes out, and from there to their telephone. None: it cannot be known.
    """

    answer_ms: int | None = None
    sound_ms: int | None = None
    source: Source | None = None
    way_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """`said` is what the caller did, `answer` what we answered, `heard` how much of that reached them. Those in ms are the
    stages of what the caller waited for (`Timing`, `channels.voice.codec.Given`).
    """

    number: int
    input: str
    said: str | None
    answer: str | None
    heard: str
    pause_ms: int | None
    recognition_ms: int | None
    took_ms: int
    sound_ms: int | None
    sound_source: str | None
    way_ms: int | None
    at: datetime

    @property
    def felt_ms(self) -> int | None:
        """From when the caller fell silent until they heard us; None unless all of it but the way is known."""
        if self.pause_ms is None or self.recognition_ms is None or self.sound_ms is None:
            return None
        return self.pause_ms + self.recognition_ms + self.took_ms + self.sound_ms + (self.way_ms or 0)


@dataclass(frozen=True, slots=True)
class Filter:
    status: str | None = None
    customer: str | None = None
    business: str | None = None
    kind: str | None = None
    direction: str | None = None
    outcome: str | None = None
    phone: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def find(db: Db, who: Actor, window: Window, wanted: Filter) -> Found[Call]:
    """The tenant's, the latest first.

    Raises: NotFound, for a customer or business that does not exist
    """
    rows = _CALL.where(_t.tenant_id == who.tenant_id)
    if wanted.status is not None:
        rows = rows.where(_t.status == wanted.status)
    said = (_t.kind, wanted.kind), (_t.direction, wanted.direction)
    for column, value in (*said, (_t.outcome, wanted.outcome), (_t.phone, wanted.phone)):
        if value is not None:
            rows = rows.where(column == value)
    if wanted.since is not None:
        rows = rows.where(_t.started_at >= wanted.since)
    if wanted.until is not None:
        rows = rows.where(_t.started_at < wanted.until)
    if wanted.customer is not None:
        rows = rows.where(_t.customer_id == customer_book.row_of(db, who, wanted.customer).id)
    if wanted.business is not None:
        rows = rows.where(_t.business_id == refs.id_of(db, businesses, who, wanted.business, "business"))
    sorts = {"start_time": _t.started_at, "duration": _t.duration_s, "cost": _t.price_millionths}
    found = page(db, rows, window, _one, sorts=sorts, by="-start_time", tie=_t.id)
    sounds = recordings.of_calls(db, [one.id for one in found.items])
    return replace(found, items=[replace(one, recordings=sounds.get(one.id, ())) for one in found.items])


def get(db: Db, who: Actor, ref: Ref) -> tuple[Call, list[Turn]]:
    """The call, and its turns in order.

    Raises: NotFound
    """
    call_id = refs.id_of(db, table, who, ref, NOUN)
    call = _one(db.execute(_CALL.where(_t.id == call_id)).one())
    return replace(call, recordings=recordings.of_calls(db, [call_id]).get(call_id, ())), turns(db, call_id)


def shown(db: Db, call_id: int) -> Call | None:
    """A call as those see it who look on, without its recordings; None when it is erased."""
    row = db.execute(_CALL.where(_t.id == call_id)).one_or_none()
    return None if row is None else _one(row)


def turns(db: Db, call_id: int) -> list[Turn]:
    return turns_of(db, [call_id]).get(call_id, [])


def turns_of(db: Db, call_ids: Collection[int]) -> Mapping[int, list[Turn]]:
    """The turns of each of these calls, in order."""
    if not call_ids:
        return {}
    said, reply = messages.alias("said"), messages.alias("reply")
    rows: Select[Any] = (
        select(
            _k.call_id,
            _k.number,
            _k.input,
            said.c.text,
            reply.c.text,
            _k.heard,
            _k.pause_ms,
            _k.recognition_ms,
            _k.took_ms,
            _k.sound_ms,
            _k.sound_source,
            _k.way_ms,
            _k.created_at,
        )
        .outerjoin(said, said.c.id == _k.message_id)
        .outerjoin(reply, reply.c.id == _k.reply_id)
        .where(_k.call_id.in_(call_ids))
        .order_by(_k.call_id, _k.number)
    )
    found: dict[int, list[Turn]] = {}
    for call_id, *row in db.execute(rows):
        found.setdefault(call_id, []).append(Turn(*row))
    return found


def live(db: Db, account_id: int, sid: str) -> Live | None:
    """The call, locked until the commit; None when it never began."""
    row = _LOCK(db, {"account_id": account_id, "sid": sid}).one_or_none()
    return None if row is None else Live(*row)


def live_in(db: Db, conversation_id: int) -> Live | None:
    """The call that goes on in that conversation, locked until the commit; None when there is none."""
    row = _LOCK_IN(db, {"conversation_id": conversation_id}).one_or_none()
    return None if row is None else Live(*row)


def find_live(db: Db, account_id: int, sid: str) -> Live | None:
    """The same without the lock."""
    row = _FIND(db, {"account_id": account_id, "sid": sid}).one_or_none()
    return None if row is None else Live(*row)


def begin(
    db: Db,
    context: Context,
    *,
    sid: str,
    phone: str | None,
    mode: Mode,
    kind: Kind = "inbound",
    now: datetime,
) -> Live | None:
    """A call of that conversation, which has just come in; None when it is known already."""
    values = {
        "uid": new_uid(),
        "tenant_id": context.tenant_id,
        "business_id": context.business_id,
        "account_id": context.account_id,
        "customer_id": context.customer_id,
        "conversation_id": context.id,
        "sid": sid,
        "phone": phone,
        "mode": mode,
        "kind": kind,
        "status": "in-progress",
        "started_at": now,
    }
    try:
        with attempt(db):
            db.execute(insert(table).values(values))
    except Conflict:
        return None
    call = live(db, context.account_id, sid)
    if call is not None:
        _settle(db, call, at=now + _LONG, now=now)
        events.emit(db, context.tenant_id, "call.started", lambda: _told(db, call.id), now=now)
        changed(db, call.tenant_id, call.conversation_id, call.id)
    return call


def goes_on_in(db: Db, call: Live, context: Context) -> Live:
    """The call as one of that conversation: whose it was is erased, and who speaks on is somebody new."""
    theirs = {"conversation_id": context.id, "customer_id": context.customer_id}
    db.execute(update(table).where(_t.id == call.id).values(theirs))
    return replace(call, conversation_id=context.id)


def is_recorded(db: Db, call_id: int) -> None:
    """From its first words on."""
    db.execute(update(table).where(_t.id == call_id).values(recording="on"))


def plan(db: Db, context: Context, *, phone: str, kind: Kind, now: datetime) -> Live:
    """A call that we are about to make, in that conversation. Nobody hears of it before it `rings`."""
    values = {
        "uid": new_uid(),
        "tenant_id": context.tenant_id,
        "business_id": context.business_id,
        "account_id": context.account_id,
        "customer_id": context.customer_id,
        "conversation_id": context.id,
        "phone": phone,
        "mode": "none",
        "direction": "outbound",
        "kind": kind,
        "status": "in-progress",
        "started_at": now,
    }
    call_id: int = db.execute(insert(table).values(values).returning(_t.id)).scalar_one()
    call = by_id(db, call_id)
    assert call is not None  # noqa: S101  it was made just now
    return call


def dialled(db: Db, call: Live, *, attempts: int, now: datetime) -> None:
    """A phone is about to ring for the call, for the first time or once more."""
    values: dict[str, object] = {"attempts": attempts}
    if attempts == 1:
        values["started_at"] = now
        _settle(db, call, at=now + _LONG, now=now)
        events.emit(db, call.tenant_id, "call.started", lambda: _told(db, call.id), now=now)
    db.execute(update(table).where(_t.id == call.id).values(values))


def rings(db: Db, call_id: int, sid: str) -> None:
    """The provider's id of the latest attempt."""
    db.execute(update(table).where(_t.id == call_id).values(sid=sid, sequence=-1))


def answered(db: Db, call_id: int, answered_by: str) -> None:
    """Who picked up, as the provider says."""
    db.execute(update(table).where(_t.id == call_id).values(answered_by=answered_by))


def talks(db: Db, call_id: int, mode: str) -> None:
    """Somebody is talked with, in that mode."""
    db.execute(update(table).where(_t.id == call_id).values(mode=mode))


def length(seconds: int) -> str:
    """In minutes and seconds: 1:05."""
    return f"{seconds // 60}:{seconds % 60:02}"


def by_id(db: Db, call_id: int) -> Live | None:
    row = _BY_ID(db, {"call_id": call_id}).one_or_none()
    return None if row is None else Live(*row)


def charge(db: Db, call_id: int, told: Charged) -> None:
    """Keep what a call has cost."""
    values = {"price_millionths": told.millionths, "price_currency": told.currency}
    db.execute(update(table).where(_t.id == call_id).values(values))


def add_speech(db: Db, tenant_id: int, sid: str, *, letters: float, seconds: float) -> None:
    """Speech services were asked for so much more in that call."""
    more = {"spoken_letters": _t.spoken_letters + letters, "heard_s": _t.heard_s + seconds}
    db.execute(update(table).where(_t.tenant_id == tenant_id, _t.sid == sid).values(more))


def account_of(db: Db, sid: str) -> tuple[int, str | None] | None:
    """The account that a call came in over, and the number of whoever called; None when it never began."""
    row = db.execute(select(_t.account_id, _t.phone).where(_t.sid == sid).limit(1)).one_or_none()
    return None if row is None else (row.account_id, row.phone)


def has_spoken(db: Db, call_id: int) -> bool:
    """Whether whoever is at the other end has said or pressed anything."""
    wanted = select(_k.id).where(_k.call_id == call_id, _k.input.in_(("speech", "digits"))).limit(1)
    return db.execute(wanted).scalar_one_or_none() is not None


def left_voicemail(db: Db, call: Live) -> None:
    """The caller has left a message."""
    outcome = case((_t.outcome == "none", "voicemail"), else_=_t.outcome)
    db.execute(update(table).where(_t.id == call.id).values(kind="voicemail", outcome=outcome))


def answer_to(db: Db, call_id: int, number: int) -> Mapping[str, JsonValue] | None:
    """What we said in that turn, as it was kept."""
    found: Mapping[str, JsonValue] | None = _ANSWER(db, {"call_id": call_id, "number": number}).scalar_one_or_none()
    return found


def given_since(db: Db, call_id: int, number: int) -> list[str]:
    """What the caller said or pressed after that turn, word for word and in order."""
    rows = select(_k.answer).where(_k.call_id == call_id, _k.number > number).order_by(_k.number)
    return [str(given) for answer in db.execute(rows).scalars() if (given := answer.get("given"))]


def add_turn(
    db: Db,
    call: Live,
    *,
    number: int,
    input: str,  # noqa: A002  the column's name
    message_id: int | None,
    reply_id: int | None,
    answer: Mapping[str, JsonValue],
    pause_ms: int | None,
    recognition_ms: int | None,
    took_ms: int,
    now: datetime,
) -> None:
    """Another turn; from now on its question is the open one. Silence counts, anything else ends a row of it."""
    values = {"call_id": call.id, "number": number, "input": input, "message_id": message_id, "reply_id": reply_id}
    measured = {"pause_ms": pause_ms, "recognition_ms": recognition_ms, "took_ms": took_ms}
    _ADD_TURN(db, {**values, "answer": answer, **measured, "created_at": now})
    is_silence = input == "silence"
    quiet = call.quiet + 1 if is_silence else call.quiet if input == "lost" else 0
    _GO_ON(db, {"of_call": call.id, "open": number, "now_quiet": quiet, "more": int(is_silence)})


def input_of(db: Db, call_id: int, number: int) -> str:
    """What that turn came of; empty when there is none."""
    found: str | None = db.execute(
        select(_k.input).where(_k.call_id == call_id, _k.number == number)
    ).scalar_one_or_none()
    return found or ""


def said_into(db: Db, call_id: int, number: int, message_id: int) -> None:
    """What the caller said as that turn came between."""
    this = _k.call_id == call_id, _k.number == number, _k.message_id.is_(None)
    db.execute(update(turn_table).where(*this).values(message_id=message_id))


def unsaid(db: Db, call_id: int, kind: str, *, between: Collection[str]) -> list[int]:
    """The messages of the turns that came of `kind`, in order, as far as these and others `between` are the last of the
    call and nobody knows that they were heard.
    """
    last = takewhile(lambda row: row.input in between and row.heard == "unknown", _LATEST(db, {"call_id": call_id}))
    return [row.reply_id for row in last if row.input == kind and row.reply_id is not None][::-1]


def timed(db: Db, call_id: int, number: int, timing: Timing) -> None:
    """Keep what was measured of that turn, once: what is said again, since the line broke, has been waited for already."""
    if timing != Timing():
        measured = {"answer_ms": timing.answer_ms, "new_sound_ms": timing.sound_ms, "new_way_ms": timing.way_ms}
        _TIME(db, {"of_call": call_id, "of_turn": number, "source": timing.source, **measured})


def reached(db: Db, call: Live, number: int, heard: Heard, *, by_us: bool = False) -> int | None:
    """Note how much of what we said in that turn was heard; the message that said it, when that is news. What was cut
    `by_us` is no interruption of the caller's.
    """
    row = _REACH(db, {"of_call": call.id, "of_turn": number, "reach": heard}).one_or_none()
    if row is None:
        return None
    if heard == "cut" and not by_us:
        db.execute(update(table).where(_t.id == call.id).values(interruptions=_t.interruptions + 1))
    reply_id: int | None = row.reply_id
    return reply_id


def heard(db: Db, call_id: int, number: int) -> Heard:
    found: Heard | None = _HEARD(db, {"call_id": call_id, "number": number}).scalar_one_or_none()
    return found or "unknown"


def failed(db: Db, call: Live, mode: Mode) -> None:
    """The line broke; it goes on in that mode."""
    db.execute(update(table).where(_t.id == call.id).values(failures=_t.failures + 1, mode=mode))


def end(
    db: Db,
    call: Live,
    status: str,
    *,
    sequence: int | None = None,
    duration_s: int | None = None,
    outcome: str | None = None,
    now: datetime,
) -> bool:
    """Note how the call ended; True when it had not ended before. News that comes late or twice changes nothing, but
    that the vendor's count of seconds is better than ours. `outcome` where that is known better than it can be seen.
    """
    if duration_s is not None:
        db.execute(update(table).where(_t.id == call.id).values(duration_s=duration_s))
    if sequence is not None:
        db.execute(update(table).where(_t.id == call.id, _t.sequence < sequence).values(sequence=sequence))
    if call.is_over:
        return False
    booked = exists().where(
        and_(appointments.c.conversation_id == call.conversation_id, appointments.c.created_at >= call.started_at)
    )
    talked = exists().where(waits.c.call_id == call.id, waits.c.talking_since.is_not(None))
    row = db.execute(
        select(booked, talked, conversations.c.owner).where(conversations.c.id == call.conversation_id)
    ).one()
    seen = "booked" if row[0] else "transferred" if row[1] else "handed_off" if row.owner != "bot" else "none"
    if seen == "none" and call.kind == "voicemail":
        seen = "voicemail"
    if seen == "none" and call.direction == "outbound":
        seen = "connected" if call.mode == "person" else _of_visit(db, call)
    if call.status == "transferred" and status == "completed":  # it ended while a person talked with them
        status = "transferred"
    seconds = max(0, int((now - call.started_at).total_seconds())) if duration_s is None else duration_s
    values = {"status": status, "outcome": outcome or seen, "ended_at": now, "duration_s": seconds}
    db.execute(update(table).where(_t.id == call.id).values(values))
    if call.sid:
        _settle(db, call, at=now + _SOON, now=now)
    if call.direction == "outbound" and not call.attempts:
        return True  # nobody has heard of it
    events.emit(db, call.tenant_id, "call.ended", lambda: _told(db, call.id), now=now)
    changed(db, call.tenant_id, call.conversation_id, call.id)
    return True


def changed(db: Db, tenant_id: int, conversation_id: int, call_id: int) -> None:
    """Tell those who look on that the call is in another state."""
    news.changed(db, tenant_id, conversation_id, "call", detail=str(call_id))


def _of_visit(db: Db, call: Live) -> str:
    """What became of the visit that a call of ours reminded of."""
    o, v = outbound_calls.c, appointments.c
    wanted = select(v.status, v.sequence, o.sequence.label("then")).join(outbound_calls, o.appointment_id == v.id)
    row = db.execute(wanted.where(o.call_id == call.id)).one_or_none()
    if row is None:
        return "none"
    if row.status == "cancelled":
        return "called_off"
    if row.sequence != row.then:
        return "moved"
    return "confirmed" if row.status == "confirmed" else "none"


def _settle(db: Db, call: Live, *, at: datetime, now: datetime) -> None:
    """Have the provider asked then what it knows of the call: its price, and whether it is over."""
    name = f"{SETTLE}:{call.id}"
    queue.enqueue(
        db, SETTLE, {"call_id": call.id}, now=now, run_at=at, tenant_id=call.tenant_id, lane=SETTLE, dedupe=name
    )


def _told(db: Db, call_id: int) -> dict[str, JsonValue]:
    """What subscribers hear of a call: ids, states and times."""
    one = _one(db.execute(_CALL.where(_t.id == call_id)).one())
    return {
        "call_id": one.uid,
        "business_id": one.business_uid,
        "customer_id": one.customer_uid,
        "conversation_id": one.conversation_uid,
        "type": one.kind,
        "direction": one.direction,
        "answered_by": one.answered_by,
        "attempts": one.attempts,
        "status": one.status,
        "outcome": one.outcome,
        "duration_seconds": one.duration_s,
        "start_time": events.rfc3339(one.started_at),
        "end_time": None if one.ended_at is None else events.rfc3339(one.ended_at),
    }


def transferred(db: Db, call_id: int) -> None:
    """A person talks with the caller."""
    db.execute(update(table).where(_t.id == call_id, _t.ended_at.is_(None)).values(status="transferred"))


def taken_back(db: Db, call_id: int) -> None:
    """The bot talks with the caller again."""
    db.execute(update(table).where(_t.id == call_id, _t.ended_at.is_(None)).values(status="in-progress"))


def phone_of(db: Db, call_id: int) -> str | None:
    """The caller's number; None when it is withheld."""
    found: str | None = db.execute(select(_t.phone).where(_t.id == call_id)).scalar_one()
    return found


_LIVE: Final = (
    _t.id,
    _t.tenant_id,
    _t.account_id,
    _t.conversation_id,
    func.coalesce(_t.sid, "").label("sid"),  # empty: never dialled
    _t.phone,
    _t.mode,
    _t.status,
    _t.turn,
    _t.quiet,
    _t.failures,
    _t.started_at,
    _t.ended_at,
    _t.kind,
    _t.direction,
    _t.attempts,
)
_FOUND = select(*_LIVE).where(_t.account_id == bindparam("account_id"), _t.sid == bindparam("sid"))
_FIND = Prepared(_FOUND)
_LOCK = Prepared(_FOUND.with_for_update())
_BY_ID = Prepared(select(*_LIVE).where(_t.id == bindparam("call_id")))
_LOCK_IN = Prepared(
    select(*_LIVE)
    .where(_t.conversation_id == bindparam("conversation_id"), _t.ended_at.is_(None))
    .order_by(_t.id.desc())
    .limit(1)
    .with_for_update()
)
_IS_TURN = _k.call_id == bindparam("call_id"), _k.number == bindparam("number")
_ANSWER = Prepared(select(_k.answer).where(*_IS_TURN))
_HEARD = Prepared(select(_k.heard).where(*_IS_TURN))
_LATEST = Prepared(
    select(_k.input, _k.heard, _k.reply_id)
    .where(_k.call_id == bindparam("call_id"))
    .order_by(_k.number.desc())
    .limit(_MOST_UNSAID)
)
_ADD_TURN = Prepared(insert(turn_table))
_GO_ON = Prepared(
    update(table)
    .where(_t.id == bindparam("of_call"))
    .values(turn=bindparam("open"), quiet=bindparam("now_quiet"), silences=_t.silences + bindparam("more"))
)
# A parameter of an UPDATE may not be called like one of its columns.
_CHANGE_TURN = update(turn_table).where(_k.call_id == bindparam("of_call"), _k.number == bindparam("of_turn"))
_TIME = Prepared(
    _CHANGE_TURN.where(_k.sound_ms.is_(None)).values(
        took_ms=func.coalesce(bindparam("answer_ms", type_=Integer), _k.took_ms),
        sound_ms=bindparam("new_sound_ms"),
        sound_source=func.coalesce(bindparam("source", type_=String), _k.sound_source),
        way_ms=func.coalesce(bindparam("new_way_ms", type_=Integer), _k.way_ms),
    )
)
_REACH = Prepared(_CHANGE_TURN.where(_k.heard == "unknown").values(heard=bindparam("reach")).returning(_k.reply_id))

_CALL: Select[Any] = (
    select(
        _t.id,
        _t.uid,
        _t.business_id,
        businesses.c.uid.label("business_uid"),
        customers.c.uid.label("customer_uid"),
        conversations.c.uid.label("conversation_uid"),
        customers.c.name.label("caller"),
        _t.phone,
        _t.kind,
        _t.direction,
        _t.answered_by,
        _t.attempts,
        _t.mode,
        _t.status,
        _t.outcome,
        _t.silences,
        _t.interruptions,
        _t.recording,
        _t.duration_s,
        _t.price_millionths,
        _t.price_currency,
        _t.spoken_letters,
        _t.heard_s,
        _t.started_at,
        _t.ended_at,
    )
    .join(businesses, businesses.c.id == _t.business_id)
    .join(customers, customers.c.id == _t.customer_id)
    .join(conversations, conversations.c.id == _t.conversation_id)
)


def _one(found: Row[Any]) -> Call:
    return Call(**found._mapping)
