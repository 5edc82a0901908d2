"""Calls that we make to customers: each is planned, dialled once or several times, and comes to one end.

Whatever changes here is decided under the lock of the call. Every verb may be told the same thing twice, late, or in
another order than it happened: an attempt that is over stays as it was, and so does what was decided about who answered.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final, Literal

from sqlalchemy import Select, insert, select, update

from desk import audit, calls, connecting, conversations, customer_book, refs, sending
from desk.calendar import appointments, reminders
from desk.calendar.appointments import Appointment
from desk.calls import Live
from desk.errors import Invalid, WrongState
from desk.inbox import people
from desk.refs import Ref
from desk.verdicts import Refusal
from desk.who import Actor
from desk.work import requests
from storage import queue
from storage.base import Db, JsonValue, new_uid
from storage.models.accounts import accounts
from storage.models.businesses import businesses
from storage.models.calendar import appointments as visits
from storage.models.calls import calls as call_table
from storage.models.customers import customer_identities, customers
from storage.models.outbound import outbound_attempts as attempt_table
from storage.models.outbound import outbound_calls as table
from storage.models.tenants import users
from storage.models.work import service_requests

State = Literal["planned", "placing", "ringing", "answered", "talking", "over"]
Outcome = Literal["person", "machine", "no_answer", "busy", "failed", "hung_up"]
Who = Literal["person", "tone", "machine"]  # who answered; `tone`: a machine that records from now on

PLACE: Final = "outbound_call"  # the job that dials
DUE: Final = "outbound_due"  # the job that looks after what nobody told us the end of

# How long we wait until the next try, by how the last one ended and how often one has ended so: whoever was engaged first
# and then did not pick up is not somebody who never picks up. After the last wait, or `tries`, it is given up.
AGAIN: Final[Mapping[str, tuple[timedelta, ...]]] = MappingProxyType(
    {
        "busy": (timedelta(minutes=5), timedelta(minutes=20), timedelta(hours=1)),
        "no_answer": (timedelta(minutes=30), timedelta(hours=2), timedelta(hours=4)),
        "failed": (timedelta(minutes=5), timedelta(minutes=30)),
    }
)
_MARGIN: Final = timedelta(minutes=15)  # before the visit, when a call comes too late
_GRACE: Final = timedelta(seconds=15)  # the provider rings some seconds longer than it is told, and news take time
# What the provider says of a call that is over and was not talked in.
_STATUSES: Final[Mapping[str, Outcome]] = MappingProxyType(
    {
        "completed": "hung_up",
        "busy": "busy",
        "no-answer": "no_answer",
        "failed": "failed",
        "canceled": "failed",
    }
)
# The same of the two phones of a call-back.
_UNREACHED: Final[Mapping[str, str]] = MappingProxyType({"busy": "busy", "no-answer": "no_answer", "failed": "failed"})
_o, _a, _c = table.c, attempt_table.c, call_table.c


@dataclass(frozen=True, slots=True)
class Outbound:
    """What a call of ours is for. `latest_at`: no phone rings from then on."""

    call: Live
    uid: str
    business_id: int
    state: State
    appointment_id: int | None
    sequence: int | None
    rule: str | None
    user_id: int | None
    request_id: int | None
    latest_at: datetime | None
    outcome: str | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """A phone that was dialled. `tried_at` is when we first asked for it."""

    id: int
    uid: str
    call_id: int
    number: int
    party: str
    phone: str | None
    state: State
    outcome: str | None
    answered_by: str | None
    sid: str | None
    tried_at: datetime
    answered_at: datetime | None
    ended_at: datetime | None


def who_answered(answered_by: str) -> Who | None:
    """What the provider's word means; None for none that we know. Source: reference, twilio-voice.md section 11."""
    if answered_by in ("human", "unknown"):
        return "person"
    if answered_by.startswith("machine_end"):
        return "tone"
    return "machine" if answered_by in ("machine_start", "fax") else None


# A reminder.


def remind(db: Db, appointment_id: int, rule: str, *, sequence: int, now: datetime) -> bool:
    """Have the customer of that visit called to be reminded of it; False when they cannot be called."""
    tenant_id = db.execute(select(visits.c.tenant_id).where(visits.c.id == appointment_id)).scalar_one_or_none()
    if tenant_id is None:
        return False
    visit = appointments.to_remind_of(db, Actor(tenant_id, "system"), appointment_id, sequence=sequence, now=now)
    number = None if visit is None else number_of(db, visit.customer_id)
    account_id = None if visit is None else line_of(db, visit.business_id)
    if visit is None or number is None or account_id is None:
        return False
    context = conversations.meet(db, account_id, peer_kind="phone", peer=number, now=now)
    call = calls.plan(db, context, phone=number, kind="reminder", now=now)
    values = {"appointment_id": visit.id, "sequence": sequence, "rule": rule, "latest_at": visit.starts_at - _MARGIN}
    _keep(db, call, values)
    _dial(db, call, at=now, now=now)
    return True


def number_of(db: Db, customer_id: int) -> str | None:
    """The number at which a customer can be called; None when we know of none."""
    i = customer_identities.c
    wanted = select(i.value).where(i.customer_id == customer_id, i.kind.in_(("phone", "whatsapp")), i.value.like("+%"))
    found: str | None = db.execute(wanted.order_by(i.kind, i.id).limit(1)).scalar_one_or_none()
    return found


def line_of(db: Db, business_id: int) -> int | None:
    """The account from whose number a business calls; None when it has none that is switched on."""
    t = accounts.c
    mine = t.business_id == business_id, t.channel == "voice", t.provider == "twilio"
    wanted = select(t.id).where(*mine, t.disconnected_at.is_(None), t.is_active.is_(True))
    found: int | None = db.execute(wanted.order_by(t.id).limit(1)).scalar_one_or_none()
    return found


def visit_of(db: Db, out: Outbound, *, now: datetime) -> Appointment | None:
    """The visit to remind of; None when there is nothing to remind of any more."""
    if out.appointment_id is None or out.sequence is None:
        return None
    who = Actor(out.call.tenant_id, "system")
    return appointments.to_remind_of(db, who, out.appointment_id, sequence=out.sequence, now=now)


# A call-back.


def call_back(
    db: Db,
    who: Actor,
    *,
    customer: Ref | None,
    request: Ref | None,
    business: Ref | None,
    usual: sending.Policy,
    now: datetime,
) -> str:
    """The phone of whoever asks rings, and once they take it that of the customer; the id of the call. Who is called is
    said by `customer`, or by the `request` of theirs ("Call back …") that this sees to.

    Raises: NotFound; NotAllowed, for a program; Invalid, without a number to call, or to call from; WrongState, when we
    may not call them, or are calling them already
    """
    asked = None if request is None else requests.get(db, who, request)
    whom = asked.customer_uid if asked is not None else customer
    if whom is None:
        raise Invalid("customer_id", "Say whom to call: a customer, or a service request.")
    row = customer_book.row_of(db, who, whom)
    if customer is not None and customer_book.row_of(db, who, customer).id != row.id:
        raise Invalid("customer_id", "The service request is another customer's.")
    place = asked.business_uid if asked is not None else business
    home = None if place is None else refs.id_of(db, businesses, who, place, "business")
    if business is not None and refs.id_of(db, businesses, who, business, "business") != home:
        raise Invalid("business_id", "The service request is another business's.")
    account_id = _line(db, who, home)
    me = people.oneself(db, who)
    number = number_of(db, row.id)
    if number is None:
        raise Invalid("customer_id", "We know no telephone number of theirs.")
    if account_id is None:
        raise Invalid("business_id", "No number that calls could be made from is switched on.")
    context = conversations.meet(db, account_id, peer_kind="phone", peer=number, now=now)
    if connecting.phone_of(db, context.business_id, me.id) is None:
        raise Invalid("phone", "There is no telephone number of yours that we could call.")
    going_on = select(_o.state).join(call_table, _c.id == _o.call_id)
    mine = _c.conversation_id == context.id, _o.user_id.is_not(None), _o.state != "over"
    if (state := db.execute(going_on.where(*mine).limit(1)).scalar_one_or_none()) is not None:
        raise WrongState("customer", row.id, state, "Somebody is calling them already.")
    verdict = sending.may_send(
        db, account_id=account_id, kind="phone", value=number, use="service", now=now, usual=usual, by_call=True
    )
    if isinstance(verdict, Refusal):
        raise WrongState("customer", row.id, verdict.code, verdict.reason)
    call = calls.plan(db, context, phone=number, kind="call_back", now=now)
    _keep(db, call, {"user_id": me.id, "request_id": None if asked is None else asked.id})
    out = _one(db, call.id)
    assert out is not None  # noqa: S101  it was made just now
    audit.record(db, who, "call.made", "call", call.id, None, {"conversation_id": context.uid}, now, uid=out.uid)
    _dial(db, call, at=now, now=now)
    return out.uid


def name_of(db: Db, out: Outbound) -> str | None:
    """The name of whoever is called, when it is known."""
    wanted = select(customers.c.name).join(call_table, _c.customer_id == customers.c.id)
    found: str | None = db.execute(wanted.where(_c.id == out.call.id)).scalar_one_or_none()
    return found


def caller_of(db: Db, out: Outbound) -> tuple[str, str] | None:
    """The public id and name of whoever of the team calls; None when that is the bot."""
    row = db.execute(select(users.c.uid, users.c.full_name).where(users.c.id == out.user_id)).one_or_none()
    return None if row is None else (row.uid, row.full_name)


def staff_phone(db: Db, out: Outbound) -> str | None:
    """The number of whoever calls back; None when they have none any more."""
    return None if out.user_id is None else connecting.phone_of(db, out.business_id, out.user_id)


def takes(
    db: Db, account_id: int, uid: str, sid: str, key: str, *, now: datetime
) -> tuple[Outbound, Attempt | None] | None:
    """What comes of the key that was pressed on the phone of the team, or of none: the attempt to reach the customer,
    which begins now, or None. None altogether when there is nothing to be taken any more.
    """
    found = of_attempt(db, account_id, uid, sid)
    if found is None or found[1].party != "staff" or found[1].state == "over":
        return None
    out, one = found
    if one.state == "talking":
        return out, _attempt(db, _a.call_id == out.call.id, _a.party == "customer")
    if key != "1" or out.call.phone is None:
        outcome = "declined" if key == "2" else "no_key"
        _end_attempt(db, one, outcome, now=now)
        _finish(db, out, "missed", "not_taken", duration_s=0, texts=False, now=now)
        return out, None
    db.execute(update(attempt_table).where(_a.id == one.id).values(state="talking", outcome="taken"))
    context = conversations.by_id(db, Actor(out.call.tenant_id, "system"), out.call.conversation_id)
    if context.owner == "queue" and out.user_id is not None:  # who waits for a person is theirs now
        who = Actor(out.call.tenant_id, "staff", out.user_id)
        conversations.take_over(db, who, context.id, user_id=out.user_id, reason="call_back", now=now)
    made = attempt(db, out, phone=out.call.phone, party="customer", now=now)
    db.execute(update(attempt_table).where(_a.id == made.id).values(state="ringing"))
    _move(db, out, "ringing")
    return out, made


def leg_news(db: Db, account_id: int, uid: str, sid: str, status: str, *, now: datetime) -> None:
    """How the customer's phone does in a call-back. The call keeps the provider's id of the phone of the team."""
    found = _locked_attempt(db, _a.uid == uid)
    if found is None or found[0].call.account_id != account_id or found[1].state == "over":
        return
    out, one = found
    if one.sid is None:
        db.execute(update(attempt_table).where(_a.id == one.id).values(sid=sid))
    if status == "in-progress":
        _join(db, out, one, now=now)
    elif status in _STATUSES:
        # It stops ringing as the team hangs up; of that and of the whole call's end, either may be told first.
        unheard = "cancelled" if status == "canceled" else _STATUSES[status]
        _end_attempt(db, one, "person" if one.state == "talking" else unheard, now=now)


def parted(
    db: Db, account_id: int, uid: str, sid: str, status: str, *, is_bridged: bool, duration_s: int | None, now: datetime
) -> str | None:
    """The call-back is over, however: what came of it. `status` is the provider's for the customer's phone, or of the
    whole call; None when that is nothing of an end.
    """
    found = of_attempt(db, account_id, uid, sid)
    if found is None or (status not in _STATUSES and status != "answered"):
        return None
    out, one = found
    theirs = _attempt(db, _a.call_id == out.call.id, _a.party == "customer")
    if out.state == "over" or theirs is None:
        if out.state != "over":
            _end_attempt(db, one, _UNREACHED.get(status, "no_key"), now=now)
            _finish(db, out, "missed", "not_taken", duration_s=0, texts=False, now=now)
        return db.execute(select(_c.outcome).where(_c.id == out.call.id)).scalar_one_or_none()
    if is_bridged and theirs.state != "over":
        _join(db, out, theirs, now=now)
    is_joined = is_bridged or theirs.state == "talking" or theirs.outcome == "person"
    if theirs.state != "over":
        _end_attempt(db, theirs, "person" if is_joined else _UNREACHED.get(status, "cancelled"), now=now)
    if one.state != "over":
        _end_attempt(db, one, "taken", now=now)
    theirs = _attempt(db, _a.id == theirs.id) or theirs
    ending = "connected" if is_joined else str(theirs.outcome)
    if ending == "hung_up":
        ending = "cancelled"
    status_ = "completed" if is_joined else "missed"
    _finish(db, out, status_, ending, duration_s=duration_s if is_joined else 0, texts=False, now=now)
    if is_joined and out.request_id is not None:
        _is_done(db, out, now=now)
    return ending


# Dialling.


def of_call(db: Db, call_id: int) -> Outbound | None:
    """The call as it is just now, without a lock."""
    return _one(db, call_id)


def locked(db: Db, call_id: int) -> Outbound | None:
    """The call, which nobody else changes until the commit, with its conversation."""
    found = db.execute(select(_c.tenant_id, _c.conversation_id).where(_c.id == call_id).with_for_update())
    row = found.one_or_none()
    if row is None:
        return None
    conversations.by_id(db, Actor(row.tenant_id, "system"), row.conversation_id)
    return _one(db, call_id)


def open_attempt(db: Db, out: Outbound) -> Attempt | None:
    """The attempt of whose beginning we know only that it was wanted; None when there is none."""
    return _attempt(db, _a.call_id == out.call.id, _a.state == "placing")


def attempt(db: Db, out: Outbound, *, phone: str, party: Literal["customer", "staff"], now: datetime) -> Attempt:
    """The intent to dial that phone now, kept before anybody is asked for it."""
    number = len(attempts(db, out.call.id)) + 1
    values = {
        "uid": new_uid(),
        "tenant_id": out.call.tenant_id,
        "call_id": out.call.id,
        "number": number,
        "party": party,
        "phone": phone,
        "state": "placing",
        "tried_at": now,
    }
    made = db.execute(insert(attempt_table).values(values).returning(_a.id)).scalar_one()
    _move(db, out, "placing")
    calls.dialled(db, out.call, attempts=number, now=now)
    found = _attempt(db, _a.id == made)
    assert found is not None  # noqa: S101  it was made just now
    return found


def placed(db: Db, attempt_id: int, sid: str, *, ring_s: int, now: datetime) -> None:
    """It rings. Somebody may have told us more about it already."""
    found = _locked_attempt(db, _a.id == attempt_id)
    if found is None:
        return
    out, one = found
    if one.sid is None:
        _is_known(db, one, sid)
    if one.state == "placing":
        db.execute(update(attempt_table).where(_a.id == one.id).values(state="ringing"))
        _move(db, out, "ringing")
    if one.state != "over":
        at = now + timedelta(seconds=ring_s) + _GRACE
        payload: dict[str, JsonValue] = {"attempt_id": one.id}
        queue.enqueue(db, DUE, payload, now=now, run_at=at, tenant_id=out.call.tenant_id, dedupe=f"{DUE}:{one.id}")


def not_placed(db: Db, attempt_id: int, *, tries: int, now: datetime) -> None:
    """The provider does not let it ring."""
    found = _locked_attempt(db, _a.id == attempt_id)
    if found is not None and found[1].state != "over":
        _let_go(db, *found, "failed", tries=tries, now=now)


# What the provider tells.


def of_attempt(db: Db, account_id: int, uid: str, sid: str) -> tuple[Outbound, Attempt] | None:
    """The attempt that a webhook names, locked; another call can have no part in it."""
    found = _locked_attempt(db, _a.uid == uid)
    if found is None or found[0].call.account_id != account_id:
        return None
    one = found[1]
    if one.sid is not None and one.sid != sid:
        return None
    if one.sid is None:  # the provider was quicker than the answer to our own request, or that was lost
        _is_known(db, one, sid)
    return _locked_attempt(db, _a.uid == uid)


def answers(
    db: Db, account_id: int, uid: str, sid: str, answered_by: str, *, now: datetime
) -> tuple[Outbound, Attempt] | None:
    """Somebody or something has picked up; `answered_by` is empty as long as nobody knows what. What was decided first
    stands. None when there is no such attempt.
    """
    found = of_attempt(db, account_id, uid, sid)
    if found is None or found[1].state == "over":
        return found
    out, one = found
    values: dict[str, Any] = {}
    if one.state in ("placing", "ringing"):
        values |= {"state": "answered", "answered_at": now}
        _move(db, out, "answered")
    if one.answered_by is None and who_answered(answered_by) is not None:
        values["answered_by"] = answered_by
        calls.answered(db, out.call.id, answered_by)
    if values:
        db.execute(update(attempt_table).where(_a.id == one.id).values(values))
    return of_attempt(db, account_id, uid, sid)


def talks(db: Db, account_id: int, uid: str, sid: str, mode: str) -> None:
    """A person is talked with from now on; the call goes on like any other, and ends like one (`talked`)."""
    found = of_attempt(db, account_id, uid, sid)
    if found is None or found[1].state in ("talking", "over"):
        return
    out, one = found
    db.execute(update(attempt_table).where(_a.id == one.id).values(state="talking"))
    calls.talks(db, out.call.id, mode)
    _move(db, out, "talking")


def leaves(db: Db, one: Attempt) -> bool:
    """A message is left on the machine; False when it was before."""
    changed = update(attempt_table).where(_a.id == one.id, _a.outcome.is_(None)).values(outcome="machine")
    return db.execute(changed).rowcount > 0


def news(
    db: Db, account_id: int, uid: str, sid: str, status: str, *, duration_s: int | None, tries: int, now: datetime
) -> bool:
    """A status callback. True when a person was talked with: what is to be done then is done as for any call."""
    found = of_attempt(db, account_id, uid, sid)
    if found is None:
        return False
    out, one = found
    if one.state == "talking" or one.outcome == "person":
        return True
    outcome = _STATUSES.get(status)
    if outcome is None or one.state == "over":
        return False
    if one.state == "answered":
        outcome = "machine" if who_answered(one.answered_by or "") in ("tone", "machine") else "hung_up"
    _let_go(db, out, one, outcome, tries=tries, duration_s=duration_s, now=now)
    return False


def talked(db: Db, call: Live, *, now: datetime) -> None:
    """A call of ours in which a person was talked with is over."""
    if call.direction != "outbound":
        return
    running = _a.call_id == call.id, _a.state != "over"
    ended = {"state": "over", "ended_at": now}
    db.execute(update(attempt_table).where(*running, _a.party == "customer").values(**ended, outcome="person"))
    db.execute(update(attempt_table).where(*running, _a.party == "staff").values(**ended, outcome="taken"))
    db.execute(update(table).where(_o.call_id == call.id).values(state="over"))
    calls.changed(db, call.tenant_id, call.conversation_id, call.id)


def gives_up(db: Db, out: Outbound, outcome: str, *, texts: bool, now: datetime) -> None:
    """The call comes to its end before a phone has rung (once more); with `texts` the customer gets it as a message."""
    _finish(db, out, "missed", outcome, duration_s=0, texts=texts, now=now)


def whole(db: Db, who: Actor, ref: Ref) -> list[Attempt]:
    """The phones that were dialled for a call, in order.

    Raises: NotFound
    """
    return attempts(db, refs.id_of(db, call_table, who, ref, calls.NOUN))


def attempts(db: Db, call_id: int) -> list[Attempt]:
    """The phones that were dialled for a call, in order."""
    rows = db.execute(_ATTEMPT.where(_a.call_id == call_id).order_by(_a.number))
    return [Attempt(**row._mapping) for row in rows]


def running(db: Db, attempt_id: int) -> tuple[Outbound, Attempt] | None:
    """An attempt and its call; None when it is over."""
    found = _attempt(db, _a.id == attempt_id)
    out = None if found is None else _one(db, found.call_id)
    return (out, found) if out is not None and found is not None and found.state != "over" else None


# What all of it is made of.


def _line(db: Db, who: Actor, business_id: int | None) -> int | None:
    """The account to call from: of that business, or else the tenant's first."""
    if business_id is not None:
        return line_of(db, business_id)
    ids = db.execute(select(businesses.c.id).where(businesses.c.tenant_id == who.tenant_id).order_by(businesses.c.id))
    return next((found for one in ids.scalars().all() if (found := line_of(db, one)) is not None), None)


def _join(db: Db, out: Outbound, one: Attempt, *, now: datetime) -> None:
    """The customer has picked up, and the two talk."""
    if one.state == "talking":
        return
    db.execute(update(attempt_table).where(_a.id == one.id).values(state="talking", answered_at=now))
    calls.talks(db, out.call.id, "person")
    _move(db, out, "talking")


def _end_attempt(db: Db, one: Attempt, outcome: str, *, now: datetime) -> None:
    db.execute(update(attempt_table).where(_a.id == one.id).values(state="over", outcome=outcome, ended_at=now))
    queue.cancel(db, f"{DUE}:{one.id}")


def _is_done(db: Db, out: Outbound, *, now: datetime) -> None:
    """The request to call back is seen to."""
    r = service_requests.c
    open_ = r.id == out.request_id, r.status.in_(("new", "scheduled", "in_progress")), r.appointment_id.is_(None)
    uid = db.execute(select(r.uid).where(*open_)).scalar_one_or_none()
    if uid is not None and out.user_id is not None:
        who = Actor(out.call.tenant_id, "staff", out.user_id)
        requests.change(db, who, uid, {"status": "completed"}, now=now)


def _let_go(
    db: Db,
    out: Outbound,
    one: Attempt,
    outcome: Outcome,
    *,
    tries: int,
    duration_s: int | None = None,
    now: datetime,
) -> None:
    """The attempt is over without a talk: another follows, or the call is over too."""
    values = {"state": "over", "outcome": outcome, "ended_at": now}
    db.execute(update(attempt_table).where(_a.id == one.id).values(values))
    queue.cancel(db, f"{DUE}:{one.id}")
    waits = AGAIN.get(outcome, ()) if out.user_id is None else ()
    count = sum(each.outcome == outcome for each in attempts(db, out.call.id))
    at = now + waits[count - 1] if count <= len(waits) else None
    if at is not None and one.number < tries and (out.latest_at is None or at < out.latest_at):
        _move(db, out, "planned")
        _dial(db, out.call, at=at, now=now)
        return
    if out.user_id is not None:
        _finish(db, out, "missed", "not_taken", duration_s=0, texts=False, now=now)
        return
    if outcome == "machine":
        status, ending = ("completed", "message_left") if one.outcome == "machine" else ("missed", "machine")
    else:
        status, ending = "missed", str(outcome)
    _finish(db, out, status, ending, duration_s=duration_s or 0, texts=True, now=now)


def _finish(
    db: Db, out: Outbound, status: str, outcome: str, *, duration_s: int | None, texts: bool, now: datetime
) -> None:
    call = calls.by_id(db, out.call.id)
    if call is None or not calls.end(db, call, status, outcome=outcome, duration_s=duration_s, now=now):
        return
    _move(db, out, "over")
    queue.cancel(db, f"{PLACE}:{call.id}")
    if texts and out.appointment_id is not None and out.rule is not None and out.sequence is not None:
        reminders.put(
            db, out.appointment_id, out.rule, sequence=out.sequence, tenant_id=call.tenant_id, at=now, now=now
        )


def _keep(db: Db, call: Live, values: Mapping[str, Any]) -> None:
    whose = {"tenant_id": call.tenant_id, "call_id": call.id, "state": "planned"}
    db.execute(insert(table).values({**whose, **values}))
    calls.changed(db, call.tenant_id, call.conversation_id, call.id)


def _dial(db: Db, call: Live, *, at: datetime, now: datetime) -> None:
    payload: dict[str, JsonValue] = {"call_id": call.id, "conversation_id": call.conversation_id}
    queue.enqueue(db, PLACE, payload, now=now, run_at=at, tenant_id=call.tenant_id, dedupe=f"{PLACE}:{call.id}")


def _move(db: Db, out: Outbound, state: State) -> None:
    db.execute(update(table).where(_o.call_id == out.call.id).values(state=state))
    calls.changed(db, out.call.tenant_id, out.call.conversation_id, out.call.id)


def _is_known(db: Db, one: Attempt, sid: str) -> None:
    """The provider's id of the attempt, which from now on is that of the call."""
    db.execute(update(attempt_table).where(_a.id == one.id).values(sid=sid))
    calls.rings(db, one.call_id, sid)


def _one(db: Db, call_id: int) -> Outbound | None:
    wanted = select(
        _c.uid,
        _c.business_id,
        _o.state,
        _o.appointment_id,
        _o.sequence,
        _o.rule,
        _o.user_id,
        _o.request_id,
        _o.latest_at,
        _c.outcome,
    ).join(call_table, _c.id == _o.call_id)
    row = db.execute(wanted.where(_o.call_id == call_id)).one_or_none()
    call = None if row is None else calls.by_id(db, call_id)
    return None if row is None or call is None else Outbound(call, **row._mapping)


def _attempt(db: Db, *where: Any) -> Attempt | None:
    row = db.execute(_ATTEMPT.where(*where)).one_or_none()
    return None if row is None else Attempt(**row._mapping)


def _locked_attempt(db: Db, *where: Any) -> tuple[Outbound, Attempt] | None:
    call_id = db.execute(select(_a.call_id).where(*where)).scalar_one_or_none()
    out = None if call_id is None else locked(db, call_id)
    found = _attempt(db, *where)
    return (out, found) if out is not None and found is not None else None


_ATTEMPT: Final[Select[Any]] = select(
    _a.id,
    _a.uid,
    _a.call_id,
    _a.number,
    _a.party,
    _a.phone,
    _a.state,
    _a.outcome,
    _a.answered_by,
    _a.sid,
    _a.tried_at,
    _a.answered_at,
    _a.ended_at,
)
