"""Passing a live call on to a person: the caller waits in line, phones of the team ring, one of them takes it.

Whatever changes here is decided under the lock of the business, so of two who press the key at once one gets the call.
Every verb may be told the same thing twice, late, or in another order than it happened: what is over stays as it was.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from sqlalchemy import Select, func, insert, select, update

from desk import audit, businesses, calls, conversations, messages, phone, refs
from desk.calendar import hours, zones
from desk.calls import Live
from desk.conversations import Context
from desk.errors import Invalid, NotAllowed, NotFound, WrongState
from desk.inbox import people
from desk.inbox.people import ANSWERING
from desk.refs import Ref
from desk.who import Actor
from desk.work import requests
from storage import queue
from storage.base import Db, JsonValue, new_uid
from storage.models.businesses import businesses as shops
from storage.models.businesses import staff
from storage.models.calls import calls as call_table
from storage.models.conversations import owner_changes
from storage.models.customers import customers
from storage.models.tenants import users
from storage.models.waits import call_legs as leg_table
from storage.models.waits import call_waits as wait_table

State = Literal["waiting", "talking", "over"]
Ending = Literal["hung_up", "call_back", "message", "nobody", "returned", "done", "failed"]
Outcome = Literal["taken", "declined", "no_key", "no_answer", "busy", "failed", "cancelled", "late"]

PLACE: Final = "call_leg"  # the job that lets a phone ring
HANG_UP: Final = "call_leg_end"  # the job that lets it be
DUE: Final = "call_leg_due"  # the job that looks after what nobody told us the end of
MOVE: Final = "call_move"  # the job that fetches a caller out of the line, or back from a person
_GRACE: Final = timedelta(seconds=15)  # the provider rings some seconds longer than it is told, and news take time
_WHISPER: Final = timedelta(seconds=60)  # in which whoever picked up has heard what it is about and pressed a key
_STATUSES: Final[Mapping[str, Outcome]] = {
    "completed": "no_key",
    "busy": "busy",
    "no-answer": "no_answer",
    "failed": "failed",
    "canceled": "cancelled",
}
_BY_BOT: Final = ("relay", "stream", "gather")  # modes in which the bot talks over a telephone
_MOST_TOLD: Final = 50  # callers behind one who leaves the line
_CARD: Final = re.compile(r"(?:\d[ -]?){12,}\d")
_w, _l = wait_table.c, leg_table.c


@dataclass(frozen=True, slots=True)
class Rules:
    """How callers are passed on. `at_once`: all phones ring together, else one after the other. `nobody`: what is done
    when nobody took it; `after`: with a caller who stays when the person has hung up.
    """

    at_once: bool = False
    ring_s: int = 20
    longest_s: int = 300
    nobody: Literal["message", "call_back", "bot"] = "message"
    after: Literal["bot", "end"] = "bot"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody whose phone may ring."""

    user_id: int
    name: str
    phone: str


@dataclass(frozen=True, slots=True)
class Wait:
    """A caller in line, or with a person. `taker` is the name of whoever has it or calls back."""

    id: int
    uid: str
    tenant_id: int
    business_id: int
    account_id: int
    conversation_id: int
    call_id: int
    call_uid: str
    sid: str
    caller: str | None
    number: int
    state: State
    ending: Ending | None
    language: str
    user_id: int | None
    user_uid: str | None
    taker: str | None
    words: str | None
    back_turn: int | None
    since: datetime
    talking_since: datetime | None
    ended_at: datetime | None
    only_user_id: int | None = None
    held_at: datetime | None = None

    @property
    def is_taken(self) -> bool:
        """Whether somebody took the caller from the bot, so that nobody else is rung and the bot goes on without them."""
        return self.only_user_id is not None

    def waited_s(self, now: datetime) -> int:
        return int(((self.talking_since or self.ended_at or now) - self.since).total_seconds())


@dataclass(frozen=True, slots=True)
class Leg:
    """A call to a person's phone."""

    id: int
    uid: str
    tenant_id: int
    wait_id: int
    user_id: int
    user_uid: str
    name: str
    phone: str
    state: str
    outcome: Outcome | None
    sid: str | None
    created_at: datetime
    tried_at: datetime | None
    answered_at: datetime | None
    taken_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Whisper:
    """What whoever picks up is told before they decide: the bot's summary, or else what the caller said last."""

    language: str
    caller: str | None
    phone: str | None
    note: str
    said: str = ""


# The caller's side.


def begin(
    db: Db, call: Live, *, language: str, flow: Mapping[str, JsonValue] | None, rules: Rules, now: datetime
) -> Wait | None:
    """The caller waits in line from now on, and a phone is about to ring; None when there is nobody to be called. `flow` is
    what the bot was asking before (`flow_of`).
    """
    open_one = _wait(db, _w.call_id == call.id, _w.state != "over")
    if open_one is not None:
        return open_one
    business_id = db.execute(select(call_table.c.business_id).where(call_table.c.id == call.id)).scalar_one()
    if not on_duty(db, business_id, now=now):
        return None
    wait = _enter(db, call, business_id, language=language, flow=flow, only=None, now=now)
    _ends_after(db, wait, rules, now=now)
    _plan(db, business_id, rules, now=now)
    made = _by_id(db, wait.id)
    _note(db, Actor(call.tenant_id, "system"), made, "call.waiting", {"number": made.number}, now=now)
    return made


def on_duty(db: Db, business_id: int, *, now: datetime) -> list[Person]:
    """Who may be called now, in the order of the business: they take calls, work at this hour and are not away."""
    business = businesses.load(db, business_id)
    rows = db.execute(
        select(staff.c.id, staff.c.phone, users.c.id.label("user_id"), users.c.full_name)
        .join(users, users.c.id == staff.c.user_id)
        .where(staff.c.business_id == business_id, staff.c.takes_calls.is_(True), staff.c.is_active.is_(True))
        .where(users.c.is_active.is_(True), users.c.role.in_(ANSWERING), users.c.availability == "online")
        .order_by(staff.c.position, staff.c.id)
    )
    today = zones.local_day(now, business.zone)
    found: dict[int, Person] = {}
    for row in rows:
        there = hours.presence(business, business.staff_member(row.id), today, today)
        if row.phone and any(start <= now < end for start, end in there):
            found.setdefault(
                row.user_id, Person(row.user_id, row.full_name, phone.canonical(row.phone, business.region))
            )
    return [*found.values()]


def of_call(db: Db, account_id: int, sid: str) -> Wait | None:
    """The latest wait of that call, if there is any."""
    wanted = _WAIT.where(call_table.c.account_id == account_id, call_table.c.sid == sid)
    row = db.execute(wanted.order_by(_w.number.desc()).limit(1)).one_or_none()
    return None if row is None else Wait(**row._mapping)


def latest(db: Db, call_id: int) -> Wait | None:
    """The latest wait of that call, if there is any."""
    row = db.execute(_WAIT.where(_w.call_id == call_id).order_by(_w.id.desc()).limit(1)).one_or_none()
    return None if row is None else Wait(**row._mapping)


def held(db: Db, account_id: int, sid: str, uid: str, *, rules: Rules, now: datetime) -> tuple[Wait, int] | None:
    """The wait of a caller who hears music, and their place in line; None when there is no such wait.

    Whoever is still on hold though somebody has taken the call was not joined with them: they wait on.
    """
    wait = _wait(db, _w.uid == uid, call_table.c.account_id == account_id, call_table.c.sid == sid)
    if wait is None:
        return None
    if wait.held_at is None:
        db.execute(update(wait_table).where(_w.id == wait.id, _w.held_at.is_(None)).values(held_at=now))
    if wait.state == "talking" and not _has_leg(db, wait.id, "talking") and _locked(db, _w.id == wait.id):
        db.execute(update(wait_table).where(_w.id == wait.id).values(state="waiting", user_id=None, talking_since=None))
        _tell_those_behind(db, wait)
        _plan(db, wait.business_id, rules, now=now)
        wait = _by_id(db, wait.id)
    return wait, place(db, wait)


def place(db: Db, wait: Wait) -> int:
    """Their place in line, the first is 1."""
    before = _w.business_id == wait.business_id, _w.state == "waiting", _w.id < wait.id
    count: int = db.execute(select(func.count()).select_from(wait_table).where(*before)).scalar_one()
    return count + 1


def give_up(db: Db, account_id: int, sid: str, uid: str, ending: Ending, *, rules: Rules, now: datetime) -> Wait | None:
    """The wait, over because of the caller: they hung up, want to be called back, or leave a message. What is over
    already stays as it is.
    """
    wait = _locked(db, _w.uid == uid, call_table.c.account_id == account_id, call_table.c.sid == sid)
    if wait is None or wait.state == "over":
        return wait
    if wait.state == "talking" and ending not in ("hung_up", "done"):
        return wait
    if wait.state == "talking":
        ending = "done"
    _finish(db, wait, ending, Actor(wait.tenant_id, "customer"), now=now)
    _plan(db, wait.business_id, rules, now=now)
    return _by_id(db, wait.id)


def caller_gone(db: Db, call: Live, *, rules: Rules, now: datetime) -> Wait | None:
    """The wait that is over because the call is; None when there was none."""
    wait = _wait(db, _w.call_id == call.id, _w.state != "over")
    if wait is None:
        return None
    return give_up(db, call.account_id, call.sid, wait.uid, "hung_up", rules=rules, now=now)


def flow_of(db: Db, wait: Wait) -> Mapping[str, JsonValue] | None:
    """What the bot was asking when the caller wanted a person; None when nothing."""
    found: Mapping[str, JsonValue] | None = db.execute(select(_w.flow).where(_w.id == wait.id)).scalar_one()
    return found


def came_back(db: Db, wait: Wait, turn: int) -> None:
    """The bot speaks again, from that turn of the call on."""
    db.execute(update(wait_table).where(_w.id == wait.id).values(back_turn=turn))
    calls.taken_back(db, wait.call_id)
    calls.changed(db, wait.tenant_id, wait.conversation_id, wait.call_id)


# The phones.


def leg(db: Db, leg_id: int) -> tuple[Leg, Wait] | None:
    """A leg and whom it is for."""
    found = _leg(db, _l.id == leg_id)
    return None if found is None else (found, _by_id(db, found.wait_id))


def of_leg(db: Db, uid: str) -> str:
    """The id of the wait that a leg is for.

    Raises: NotFound
    """
    found: str | None = db.execute(
        select(_w.uid).join(leg_table, _l.wait_id == _w.id).where(_l.uid == uid)
    ).scalar_one_or_none()
    if found is None:
        raise NotFound("leg", uid)
    return found


def to_be_moved(db: Db, wait_id: int) -> Wait | None:
    """The wait, when its caller is still to hear that it is over, or talked with the bot and is not in line yet."""
    wait = _wait(db, _w.id == wait_id, call_table.c.ended_at.is_(None), _w.back_turn.is_(None))
    if wait is None or wait.state == "over":
        return wait
    return wait if wait.is_taken and wait.state == "waiting" and wait.held_at is None else None


def placing(db: Db, leg_id: int, *, now: datetime) -> tuple[Leg, Wait] | None:
    """A leg that is to ring now, with its intent noted; None when it is not to ring any more. `tried_at` is that of an
    earlier try of which nobody knows what came of it.
    """
    wait = _locked(db, _w.id == select(_l.wait_id).where(_l.id == leg_id).scalar_subquery())
    leg = _leg(db, _l.id == leg_id)
    if wait is None or leg is None or leg.state not in ("planned", "placing") or wait.state != "waiting":
        return None
    values = {"state": "placing", "tried_at": leg.tried_at or now}
    db.execute(update(leg_table).where(_l.id == leg_id).values(values))
    return leg, wait


def placed(db: Db, leg_id: int, sid: str) -> None:
    """It rings. When it is not wanted any more meanwhile, it is to stop."""
    leg = _leg_locked(db, _l.id == leg_id)
    if leg is None:
        return
    if leg.sid is None:
        db.execute(update(leg_table).where(_l.id == leg_id).values(sid=sid))
    if leg.state == "placing":
        db.execute(update(leg_table).where(_l.id == leg_id).values(state="ringing"))
        _tell(db, leg)
    if leg.state == "over" and leg.ended_at is not None:
        _hang_up(db, leg, now=leg.ended_at)


def not_placed(db: Db, leg_id: int, *, rules: Rules, now: datetime) -> None:
    """The provider does not let it ring."""
    leg = _leg_locked(db, _l.id == leg_id)
    if leg is not None and leg.state != "over":
        _let_go(db, leg, "failed", now=now)
        _plan(db, _by_id(db, leg.wait_id).business_id, rules, now=now)


def picked_up(db: Db, account_id: int, uid: str, sid: str, *, now: datetime) -> Whisper | None:
    """What to tell whoever picked up; None when the call is not to be had any more."""
    leg = _leg_of(db, account_id, uid, sid)
    if leg is None:
        return None
    wait = _by_id(db, leg.wait_id)
    if leg.state == "over" or wait.state != "waiting":
        return None
    if leg.state != "answered":
        db.execute(update(leg_table).where(_l.id == leg.id).values(state="answered", answered_at=now, sid=sid))
        _due(db, leg.tenant_id, f"leg:{leg.id}", {"leg_id": leg.id}, now=now, after=_WHISPER)
        _tell(db, leg)
    number = calls.phone_of(db, wait.call_id)
    if wait.is_taken:
        said = messages.said_last(db, wait.conversation_id)
        return Whisper(wait.language, wait.caller, number, "", said)
    note = db.execute(
        select(owner_changes.c.note)
        .where(owner_changes.c.conversation_id == wait.conversation_id, owner_changes.c.owner == "queue")
        .order_by(owner_changes.c.id.desc())
        .limit(1)
    ).scalar_one_or_none()
    return Whisper(wait.language, wait.caller, number, note or "")


def press(
    db: Db, account_id: int, uid: str, sid: str, key: str, *, rules: Rules, now: datetime
) -> Literal["taken", "declined", "late", "gone"]:
    """What comes of the key that was pressed, or of none ("no_key" in the record: perhaps a machine picked up)."""
    leg = _leg_of(db, account_id, uid, sid)
    if leg is None:
        return "gone"
    wait = _by_id(db, leg.wait_id)
    if leg.state == "talking":
        return "taken"
    if leg.state == "over":
        return "late" if leg.outcome == "late" else "declined" if leg.outcome == "declined" else "gone"
    if wait.state != "waiting":
        _let_go(db, leg, "late", now=now)
        return "late" if wait.talking_since is not None else "gone"
    if key != "1":
        _let_go(db, leg, "declined" if key == "2" else "no_key", now=now)
        _plan(db, wait.business_id, rules, now=now)
        return "declined"
    _take(db, leg, wait, now=now)
    return "taken"


def leg_news(db: Db, account_id: int, uid: str, sid: str, status: str, *, rules: Rules, now: datetime) -> None:
    """A status callback of a leg."""
    leg = _leg_of(db, account_id, uid, sid)
    outcome = _STATUSES.get(status)
    if leg is None or outcome is None or leg.state == "over":
        return
    _let_go(db, leg, "taken" if leg.state == "talking" else outcome, now=now)
    _plan(db, _by_id(db, leg.wait_id).business_id, rules, now=now)


def due(db: Db, *, wait_id: int | None, leg_id: int | None, rules: Rules, now: datetime) -> None:
    """Nobody has told us how it ended, so we do: a leg that rang or was listened to for too long, a caller who has
    waited for too long.
    """
    if leg_id is not None:
        leg = _leg_locked(db, _l.id == leg_id)
        if leg is None or leg.state in ("talking", "over"):
            return
        _let_go(db, leg, "no_key" if leg.state == "answered" else "no_answer", now=now)
        _hang_up(db, leg, now=now)
        _plan(db, _by_id(db, leg.wait_id).business_id, rules, now=now)
        return
    wait = _locked(db, _w.id == wait_id)
    if wait is not None and wait.state == "waiting":
        _finish(db, wait, "nobody", Actor(wait.tenant_id, "system"), now=now)
        _move(db, wait, now=now)
        _plan(db, wait.business_id, rules, now=now)


# People at their screens.


def is_by_bot(call: Live) -> bool:
    """Whether the bot talks, or has talked, in that call over a telephone."""
    return call.mode in _BY_BOT


def with_bot(db: Db, who: Actor, ref: Ref) -> Live | None:
    """The call, which others wait for until the commit, when its caller is the bot's; None when they wait for a person or
    talk with one.

    Raises: NotFound; NotAllowed, for a program; WrongState, when it is over, or the bot never talked in it
    """
    _people_only(who)
    call_id = refs.id_of(db, call_table, who, ref, calls.NOUN)
    found = calls.by_id(db, call_id)
    call = None if found is None else calls.live(db, found.account_id, found.sid)
    if call is None or call.is_over or not is_by_bot(call):
        state = "over" if call is None or call.is_over else call.mode
        raise WrongState("call", call_id, state, "This call is over, or nobody of ours talks in it.")
    return call if _wait(db, _w.call_id == call.id, _w.state != "over") is None else None


def take(db: Db, who: Actor, ref: Ref, *, rules: Rules, now: datetime) -> Wait:
    """The phone of whoever asks rings, and the waiting caller is theirs once they press the key.

    Raises: NotFound; NotAllowed, for a program; Collision, when a colleague has the caller; WrongState, when nobody waits;
    Invalid, without a number to call
    """
    me, wait = people.oneself(db, who), _waiting(db, who, ref)
    running = _leg(db, _l.wait_id == wait.id, _l.user_id == me.id, _l.state != "over")
    if running is None:
        _ring_me(db, who, wait, rules, now=now)
    return wait


def take_from_bot(db: Db, who: Actor, call: Live, *, language: str, rules: Rules, now: datetime) -> Wait:
    """The same for a caller with whom the bot talks (`with_bot`): they wait for whoever asks alone, who has the word at once,
    and go back to the bot when these do not come.

    Raises: NotAllowed, for a program; Collision, when a colleague has the conversation; Invalid, without a number to call
    """
    context = _of_nobody_else(db, who, call.conversation_id)
    wait = _enter(db, call, context.business_id, language=language, flow=context.flow, only=who.user_id, now=now)
    _ends_after(db, wait, rules, now=now)
    _ring_me(db, who, wait, rules, now=now)
    me = people.oneself(db, who)
    conversations.take_over(db, who, wait.conversation_id, user_id=me.id, reason="call", now=now)
    _move(db, wait, now=now)
    return wait


def call_back(db: Db, who: Actor, ref: Ref, *, words: str, title: str, now: datetime) -> Wait:
    """The caller hears `words` and need not wait any longer; the call-back is a request in the name of whoever asks.

    Raises: NotFound; NotAllowed, for a program; Collision, when a colleague has the caller; WrongState, when nobody waits;
    Invalid, when their number is withheld
    """
    return _promise(db, who, _waiting(db, who, ref), words=words, title=title, now=now)


def call_back_from_bot(db: Db, who: Actor, call: Live, *, language: str, words: str, title: str, now: datetime) -> Wait:
    """The same for a caller with whom the bot talks (`with_bot`).

    Raises: NotAllowed, for a program; Collision, when a colleague has the conversation; Invalid, when their number is
    withheld
    """
    context = _of_nobody_else(db, who, call.conversation_id)
    wait = _enter(db, call, context.business_id, language=language, flow=context.flow, only=who.user_id, now=now)
    return _promise(db, who, wait, words=words, title=title, now=now)


def give_back(db: Db, who: Actor, ref: Ref, *, now: datetime) -> Wait:
    """The caller talks with the bot again, at the question that was open.

    Raises: NotFound; WrongState, when they do not talk with a person
    """
    found = last_of(db, who, ref)
    wait = None if found is None else _locked(db, _w.id == found.id)
    if wait is None or wait.state != "talking":
        raise WrongState("call", 0 if wait is None else wait.call_id, _word(wait), "Nobody talks with them just now.")
    _finish(db, wait, "returned", who, now=now)
    _move(db, wait, now=now)
    return _by_id(db, wait.id)


def whole(db: Db, who: Actor, ref: Ref) -> list[tuple[Wait, list[Leg]]]:
    """How often a call was passed on, each with the phones that rang.

    Raises: NotFound
    """
    call_id = refs.id_of(db, call_table, who, ref, calls.NOUN)
    rows = [Wait(**row._mapping) for row in db.execute(_WAIT.where(_w.call_id == call_id).order_by(_w.number))]
    wanted = _LEG.where(_l.wait_id.in_([one.id for one in rows])).order_by(_l.id)
    phones = [Leg(**row._mapping) for row in db.execute(wanted)] if rows else []
    return [(one, [leg for leg in phones if leg.wait_id == one.id]) for one in rows]


def without_cards(text: str) -> str:
    """The text without numbers as long as a card's: they are nobody's business on the telephone."""
    return _CARD.sub("…", text)


# What all of it is made of.


def _enter(
    db: Db,
    call: Live,
    business_id: int,
    *,
    language: str,
    flow: Mapping[str, JsonValue] | None,
    only: int | None,
    now: datetime,
) -> Wait:
    """The caller is in line from now on; the business is locked."""
    _lock(db, business_id)
    count = db.execute(select(func.count()).select_from(wait_table).where(_w.call_id == call.id)).scalar_one()
    values = {
        "uid": new_uid(),
        "tenant_id": call.tenant_id,
        "business_id": business_id,
        "account_id": call.account_id,
        "conversation_id": call.conversation_id,
        "call_id": call.id,
        "number": count + 1,
        "state": "waiting",
        "language": language,
        "flow": flow,
        "only_user_id": only,
        "since": now,
    }
    return _by_id(db, db.execute(insert(wait_table).values(values).returning(_w.id)).scalar_one())


def _ends_after(db: Db, wait: Wait, rules: Rules, *, now: datetime) -> None:
    after = timedelta(seconds=rules.longest_s)
    _due(db, wait.tenant_id, f"wait:{wait.id}", {"wait_id": wait.id}, now=now, after=after)


def _ring_me(db: Db, who: Actor, wait: Wait, rules: Rules, *, now: datetime) -> None:
    """Raises: NotAllowed, Invalid"""
    me = people.oneself(db, who)
    number = phone_of(db, wait.business_id, me.id)
    if number is None:
        raise Invalid("phone", "There is no telephone number of yours that we could call.")
    _ring(db, wait, Person(me.id, me.full_name, number), rules, now=now)
    _note(db, who, wait, "call.taking", {"user_id": me.uid}, now=now)


def _promise(db: Db, who: Actor, wait: Wait, *, words: str, title: str, now: datetime) -> Wait:
    """The wait is over, since somebody calls back.

    Raises: NotAllowed, Invalid
    """
    me = people.oneself(db, who)
    if calls.phone_of(db, wait.call_id) is None:
        raise Invalid("call_id", "Their number is withheld, so nobody can call them back.")
    conversations.take_over(db, who, wait.conversation_id, user_id=me.id, reason="call_back", now=now)
    db.execute(update(wait_table).where(_w.id == wait.id).values(user_id=me.id, words=words))
    _finish(db, wait, "call_back", who, now=now)
    _move(db, wait, now=now)
    messages.add_out(
        db,
        tenant_id=wait.tenant_id,
        account_id=wait.account_id,
        conversation_id=wait.conversation_id,
        author="staff",
        user_id=me.id,
        text=words,
        status="accepted",
        now=now,
    )
    customer_id = db.execute(select(call_table.c.customer_id).where(call_table.c.id == wait.call_id)).scalar_one()
    member = db.execute(
        select(staff.c.id)
        .where(staff.c.user_id == me.id, staff.c.business_id == wait.business_id, staff.c.is_active.is_(True))
        .limit(1)
    ).scalar_one_or_none()
    requests.add(db, who, {"title": title}, customer=customer_id, business=wait.business_id, member=member, now=now)
    return _by_id(db, wait.id)


def _plan(db: Db, business_id: int, rules: Rules, *, now: datetime) -> None:
    """Let phones ring for whoever waits, the longest first; of nobody who is at another call. The business is locked."""
    rows = db.execute(_WAIT.where(_w.business_id == business_id, _w.state == "waiting").order_by(_w.since, _w.id)).all()
    if not rows:
        return
    crew = on_duty(db, business_id, now=now)
    phones = db.execute(
        select(_l.wait_id, _l.user_id, _l.state)
        .join(wait_table, _w.id == _l.wait_id)
        .where(_w.business_id == business_id, (_w.state != "over") | (_l.state == "talking"))
    ).all()
    busy = {leg.user_id for leg in phones if leg.state != "over"}
    for row in rows:
        wait = Wait(**row._mapping)
        mine = [leg for leg in phones if leg.wait_id == wait.id]
        is_running = any(leg.state != "over" for leg in mine)
        tried = {leg.user_id for leg in mine}
        left = [one for one in crew if one.user_id not in tried and not wait.is_taken]
        if is_running and not rules.at_once:
            continue
        free = [one for one in left if one.user_id not in busy]
        for one in free if rules.at_once else free[:1]:
            _ring(db, wait, one, rules, now=now)
            busy.add(one.user_id)
        if not left and not is_running:
            _finish(db, wait, "nobody", Actor(wait.tenant_id, "system"), now=now)
            _move(db, wait, now=now)


def _ring(db: Db, wait: Wait, person: Person, rules: Rules, *, now: datetime) -> None:
    values = {
        "uid": new_uid(),
        "tenant_id": wait.tenant_id,
        "wait_id": wait.id,
        "user_id": person.user_id,
        "phone": person.phone,
        "state": "planned",
        "created_at": now,
    }
    leg_id = db.execute(insert(leg_table).values(values).returning(_l.id)).scalar_one()
    queue.enqueue(db, PLACE, {"leg_id": leg_id}, now=now, tenant_id=wait.tenant_id, dedupe=f"{PLACE}:{leg_id}")
    after = timedelta(seconds=rules.ring_s) + _GRACE
    _due(db, wait.tenant_id, f"leg:{leg_id}", {"leg_id": leg_id}, now=now, after=after)
    calls.changed(db, wait.tenant_id, wait.conversation_id, wait.call_id)


def _take(db: Db, leg: Leg, wait: Wait, *, now: datetime) -> None:
    who = Actor(wait.tenant_id, "staff", leg.user_id)
    conversations.take_over(db, who, wait.conversation_id, user_id=leg.user_id, reason="call", now=now)
    db.execute(update(leg_table).where(_l.id == leg.id).values(state="talking", outcome="taken", taken_at=now))
    values = {"state": "talking", "user_id": leg.user_id, "talking_since": now}
    db.execute(update(wait_table).where(_w.id == wait.id).values(values))
    calls.transferred(db, wait.call_id)
    _tell_those_behind(db, wait)
    for other in legs(db, wait.id):
        if other.id != leg.id and other.state in ("planned", "placing", "ringing"):
            _let_go(db, other, "late", now=now)
            _hang_up(db, other, now=now)
    _note(db, who, wait, "call.taken", {"user_id": leg.user_uid}, now=now)


def _finish(db: Db, wait: Wait, ending: Ending, who: Actor, *, now: datetime) -> None:
    """The wait is over; phones that ring for it stop, and whoever is hearing what it is about hears that it is too late."""
    db.execute(update(wait_table).where(_w.id == wait.id).values(state="over", ending=ending, ended_at=now))
    queue.cancel(db, f"{DUE}:wait:{wait.id}")
    if wait.state == "waiting":
        _tell_those_behind(db, wait)
    for leg in legs(db, wait.id):
        if leg.state in ("planned", "placing", "ringing"):
            _let_go(db, leg, "cancelled", now=now)
            _hang_up(db, leg, now=now)
        elif leg.state == "talking" and ending != "returned":
            _let_go(db, leg, "taken", now=now)
    _note(db, who, wait, "call.wait_over", {"ending": ending}, now=now)


def _let_go(db: Db, leg: Leg, outcome: Outcome, *, now: datetime) -> None:
    db.execute(update(leg_table).where(_l.id == leg.id).values(state="over", outcome=outcome, ended_at=now))
    queue.cancel(db, f"{DUE}:leg:{leg.id}")
    queue.cancel(db, f"{PLACE}:{leg.id}")
    _tell(db, leg)


def _hang_up(db: Db, leg: Leg, *, now: datetime) -> None:
    """Where its id is not known yet, whoever learns it does this again (`placed`)."""
    queue.enqueue(db, HANG_UP, {"leg_id": leg.id}, now=now, tenant_id=leg.tenant_id, dedupe=f"{HANG_UP}:{leg.id}")


def _move(db: Db, wait: Wait, *, now: datetime) -> None:
    queue.enqueue(db, MOVE, {"wait_id": wait.id}, now=now, tenant_id=wait.tenant_id, dedupe=f"{MOVE}:{wait.id}")


def _due(db: Db, tenant_id: int, name: str, payload: Mapping[str, int], *, now: datetime, after: timedelta) -> None:
    queue.enqueue(db, DUE, payload, now=now, run_at=now + after, tenant_id=tenant_id, dedupe=f"{DUE}:{name}")


def _note(db: Db, who: Actor, wait: Wait, action: str, after: Mapping[str, Any], *, now: datetime) -> None:
    audit.record(db, who, action, "call", wait.call_id, None, after, now, uid=wait.call_uid)
    calls.changed(db, wait.tenant_id, wait.conversation_id, wait.call_id)


def _tell_those_behind(db: Db, wait: Wait) -> None:
    """Their place in line is another one now. Whoever is further behind is told of with the next change before them."""
    behind = _w.business_id == wait.business_id, _w.state == "waiting", _w.id > wait.id
    wanted = select(_w.tenant_id, _w.conversation_id, _w.call_id).where(*behind).order_by(_w.id)
    for row in db.execute(wanted.limit(_MOST_TOLD)).all():
        calls.changed(db, row.tenant_id, row.conversation_id, row.call_id)


def _tell(db: Db, leg: Leg) -> None:
    row = db.execute(select(_w.conversation_id, _w.call_id).where(_w.id == leg.wait_id)).one()
    calls.changed(db, leg.tenant_id, row.conversation_id, row.call_id)


def phone_of(db: Db, business_id: int, user_id: int) -> str | None:
    """The number at which somebody of the team takes calls: as a member of the staff there, or else as a user."""
    region = businesses.load(db, business_id).region
    mine = staff.c.user_id == user_id, staff.c.business_id == business_id, staff.c.phone.is_not(None)
    found = [*db.execute(select(staff.c.phone).where(*mine).order_by(staff.c.takes_calls.desc(), staff.c.id)).scalars()]
    found += [*db.execute(select(users.c.phone).where(users.c.id == user_id)).scalars()]
    fit = (one for one in found if one and phone.can_be_called(one, region))
    return next((phone.canonical(one, region) for one in fit), None)


def _waiting(db: Db, who: Actor, ref: Ref) -> Wait:
    """Raises: NotFound, NotAllowed, Collision, WrongState"""
    found = last_of(db, who, ref)
    wait = None if found is None else _locked(db, _w.id == found.id)
    if wait is not None and (wait.state == "talking" or (wait.state == "waiting" and wait.is_taken)):
        _of_nobody_else(db, who, wait.conversation_id)
    if wait is None or wait.state != "waiting":
        raise WrongState("call", 0 if wait is None else wait.call_id, _word(wait), "The caller does not wait any more.")
    return wait


def last_of(db: Db, who: Actor, ref: Ref) -> Wait | None:
    """The latest wait of that call, for a person of the team.

    Raises: NotFound; NotAllowed, for a program
    """
    _people_only(who)
    call_id = refs.id_of(db, call_table, who, ref, calls.NOUN)
    row = db.execute(_WAIT.where(_w.call_id == call_id).order_by(_w.number.desc()).limit(1)).one_or_none()
    return None if row is None else Wait(**row._mapping)


def _people_only(who: Actor) -> None:
    if who.kind != "staff" or who.user_id is None:
        raise NotAllowed("Only a person who signed in can do this.")


def _of_nobody_else(db: Db, who: Actor, conversation_id: int) -> Context:
    """The conversation, locked.

    Raises: Collision, when a colleague has it
    """
    context = conversations.by_id(db, who, conversation_id)
    if context.owner == "staff" and context.owner_user_id != who.user_id:
        raise conversations.collision(db, context)
    return context


def _word(wait: Wait | None) -> str:
    return "with the bot" if wait is None else wait.state


def _has_leg(db: Db, wait_id: int, state: str) -> bool:
    return any(leg.state == state for leg in legs(db, wait_id))


def legs(db: Db, wait_id: int) -> Sequence[Leg]:
    """The phones that ring or rang for a wait."""
    return [Leg(**row._mapping) for row in db.execute(_LEG.where(_l.wait_id == wait_id).order_by(_l.id))]


def _leg(db: Db, *where: Any) -> Leg | None:
    row = db.execute(_LEG.where(*where)).one_or_none()
    return None if row is None else Leg(**row._mapping)


def _leg_locked(db: Db, *where: Any) -> Leg | None:
    """The leg, when nobody else can change it until the commit."""
    found = db.execute(select(_l.wait_id).where(*where)).scalar_one_or_none()
    if found is None or _locked(db, _w.id == found) is None:
        return None
    return _leg(db, *where)


def _leg_of(db: Db, account_id: int, uid: str, sid: str) -> Leg | None:
    """The leg that a webhook names, locked; another call can have no part in it."""
    mine = select(_w.id).where(_w.account_id == account_id)
    leg = _leg_locked(db, _l.uid == uid, _l.wait_id.in_(mine))
    if leg is None or (leg.sid is not None and leg.sid != sid):
        return None
    if leg.sid is None:  # Twilio was quicker than the answer to our own request, or that was lost
        db.execute(update(leg_table).where(_l.id == leg.id).values(sid=sid))
    return leg


def _wait(db: Db, *where: Any) -> Wait | None:
    row = db.execute(_WAIT.where(*where)).one_or_none()
    return None if row is None else Wait(**row._mapping)


def _by_id(db: Db, wait_id: int) -> Wait:
    return Wait(**db.execute(_WAIT.where(_w.id == wait_id)).one()._mapping)


def _locked(db: Db, *where: Any) -> Wait | None:
    """The wait, with its call, conversation and business locked in the order in which everybody locks them."""
    found = _wait(db, *where)
    if found is None:
        return None
    db.execute(select(call_table.c.id).where(call_table.c.id == found.call_id).with_for_update()).one()
    conversations.by_id(db, Actor(found.tenant_id, "system"), found.conversation_id)
    _lock(db, found.business_id)
    return _by_id(db, found.id)


def _lock(db: Db, business_id: int) -> None:
    db.execute(select(shops.c.id).where(shops.c.id == business_id).with_for_update(key_share=True)).one()


_WAIT: Final[Select[Any]] = (
    select(
        _w.id,
        _w.uid,
        _w.tenant_id,
        _w.business_id,
        _w.account_id,
        _w.conversation_id,
        _w.call_id,
        call_table.c.uid.label("call_uid"),
        call_table.c.sid,
        customers.c.name.label("caller"),
        _w.number,
        _w.state,
        _w.ending,
        _w.language,
        _w.user_id,
        users.c.uid.label("user_uid"),
        users.c.full_name.label("taker"),
        _w.words,
        _w.back_turn,
        _w.since,
        _w.talking_since,
        _w.ended_at,
        _w.only_user_id,
        _w.held_at,
    )
    .join(call_table, call_table.c.id == _w.call_id)
    .join(customers, customers.c.id == call_table.c.customer_id)
    .outerjoin(users, users.c.id == _w.user_id)
)
_LEG: Final[Select[Any]] = select(
    _l.id,
    _l.uid,
    _l.tenant_id,
    _l.wait_id,
    _l.user_id,
    users.c.uid.label("user_uid"),
    users.c.full_name.label("name"),
    _l.phone,
    _l.state,
    _l.outcome,
    _l.sid,
    _l.created_at,
    _l.tried_at,
    _l.answered_at,
    _l.taken_at,
    _l.ended_at,
).join(users, users.c.id == _l.user_id)
