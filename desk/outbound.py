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

from desk import calls, conversations, refs
from desk.calendar import appointments, reminders
from desk.calendar.appointments import Appointment
from desk.calls import Live
from desk.refs import Ref
from desk.who import Actor
from storage import queue
from storage.base import Db, JsonValue, new_uid
from storage.models.accounts import accounts
from storage.models.calendar import appointments as visits
from storage.models.calls import calls as call_table
from storage.models.customers import customer_identities
from storage.models.outbound import outbound_attempts as attempt_table
from storage.models.outbound import outbound_calls as table

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
STATUSES: Final[Mapping[str, Outcome]] = MappingProxyType(
    {
        "completed": "hung_up",
        "busy": "busy",
        "no-answer": "no_answer",
        "failed": "failed",
        "canceled": "failed",
    }
)
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
    keep(db, call, values)
    dial(db, call, at=now, now=now)
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
    return one_attempt(db, _a.call_id == out.call.id, _a.state == "placing")


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
    move(db, out, "placing")
    calls.dialled(db, out.call, attempts=number, now=now)
    found = one_attempt(db, _a.id == made)
    assert found is not None  # noqa: S101  it was made just now
    return found


def placed(db: Db, attempt_id: int, sid: str, *, ring_s: int, now: datetime) -> None:
    """It rings. Somebody may have told us more about it already."""
    found = locked_attempt(db, _a.id == attempt_id)
    if found is None:
        return
    out, one = found
    if one.sid is None:
        _is_known(db, out, one, sid)
    if one.state == "placing":
        db.execute(update(attempt_table).where(_a.id == one.id).values(state="ringing"))
        move(db, out, "ringing")
    if one.state != "over":
        at = now + timedelta(seconds=ring_s) + _GRACE
        payload: dict[str, JsonValue] = {"attempt_id": one.id}
        queue.enqueue(db, DUE, payload, now=now, run_at=at, tenant_id=out.call.tenant_id, dedupe=f"{DUE}:{one.id}")


def not_placed(db: Db, attempt_id: int, *, tries: int, now: datetime) -> None:
    """The provider does not let it ring."""
    found = locked_attempt(db, _a.id == attempt_id)
    if found is not None and found[1].state != "over":
        _let_go(db, *found, "failed", tries=tries, now=now)


# What the provider tells.


def of_attempt(db: Db, account_id: int, uid: str, sid: str) -> tuple[Outbound, Attempt] | None:
    """The attempt that a webhook names, locked; another call can have no part in it."""
    found = locked_attempt(db, _a.uid == uid)
    if found is None or found[0].call.account_id != account_id:
        return None
    one = found[1]
    if one.sid is not None and one.sid != sid:
        return None
    if one.sid is None:  # the provider was quicker than the answer to our own request, or that was lost
        _is_known(db, *found, sid)
    return locked_attempt(db, _a.uid == uid)


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
        move(db, out, "answered")
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
    move(db, out, "talking")


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
    outcome = STATUSES.get(status)
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
    finish(db, out, "missed", outcome, duration_s=0, texts=texts, now=now)


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
    found = one_attempt(db, _a.id == attempt_id)
    out = None if found is None else _one(db, found.call_id)
    return (out, found) if out is not None and found is not None and found.state != "over" else None


# What all of it is made of, call-backs too (`desk.call_backs`).


def end_attempt(db: Db, one: Attempt, outcome: str, *, now: datetime) -> None:
    """That phone is done with; whether another follows is not decided here."""
    db.execute(update(attempt_table).where(_a.id == one.id).values(state="over", outcome=outcome, ended_at=now))
    queue.cancel(db, f"{DUE}:{one.id}")


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
        move(db, out, "planned")
        dial(db, out.call, at=at, now=now)
        return
    if out.user_id is not None:
        finish(db, out, "missed", "not_taken", duration_s=0, texts=False, now=now)
        return
    if outcome == "machine":
        status, ending = ("completed", "message_left") if one.outcome == "machine" else ("missed", "machine")
    else:
        status, ending = "missed", str(outcome)
    finish(db, out, status, ending, duration_s=duration_s or 0, texts=True, now=now)


def finish(
    db: Db, out: Outbound, status: str, outcome: str, *, duration_s: int | None, texts: bool, now: datetime
) -> None:
    """The call is over; with `texts` the customer gets what it was about as a message."""
    call = calls.by_id(db, out.call.id)
    if call is None or not calls.end(db, call, status, outcome=outcome, duration_s=duration_s, now=now):
        return
    move(db, out, "over")
    queue.cancel(db, f"{PLACE}:{call.id}")
    if texts and out.appointment_id is not None and out.rule is not None and out.sequence is not None:
        reminders.put(
            db, out.appointment_id, out.rule, sequence=out.sequence, tenant_id=call.tenant_id, at=now, now=now
        )


def keep(db: Db, call: Live, values: Mapping[str, Any]) -> None:
    """What that call is for: `values` of `outbound_calls`."""
    whose = {"tenant_id": call.tenant_id, "call_id": call.id, "state": "planned"}
    db.execute(insert(table).values({**whose, **values}))
    calls.changed(db, call.tenant_id, call.conversation_id, call.id)


def dial(db: Db, call: Live, *, at: datetime, now: datetime) -> None:
    """Have a phone ring for it at that time."""
    payload: dict[str, JsonValue] = {"call_id": call.id, "conversation_id": call.conversation_id}
    queue.enqueue(db, PLACE, payload, now=now, run_at=at, tenant_id=call.tenant_id, dedupe=f"{PLACE}:{call.id}")


def move(db: Db, out: Outbound, state: State) -> None:
    """The call is in that state from now on, and who looks on is told."""
    db.execute(update(table).where(_o.call_id == out.call.id).values(state=state))
    calls.changed(db, out.call.tenant_id, out.call.conversation_id, out.call.id)


def _is_known(db: Db, out: Outbound, one: Attempt, sid: str) -> None:
    """The provider's id of the attempt, which from now on is that of the call; of a call-back it is that of the team's phone,
    of which the customer's is a leg.
    """
    db.execute(update(attempt_table).where(_a.id == one.id).values(sid=sid))
    if out.user_id is None or one.party == "staff":
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


def one_attempt(db: Db, *where: Any) -> Attempt | None:
    """The attempt for which these conditions hold."""
    row = db.execute(_ATTEMPT.where(*where)).one_or_none()
    return None if row is None else Attempt(**row._mapping)


def locked_attempt(db: Db, *where: Any) -> tuple[Outbound, Attempt] | None:
    """The same with its call, which nobody else changes until the commit."""
    call_id = db.execute(select(_a.call_id).where(*where)).scalar_one_or_none()
    out = None if call_id is None else locked(db, call_id)
    found = one_attempt(db, *where)
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
