"""Call-backs: the phone of whoever asks rings first, and once they take it that of the customer.

They are calls of ours like others (`desk.outbound`), whose rules hold for them: whatever changes is decided under the lock of
the call, and may be told twice, late, or in another order.
"""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final, Literal

from sqlalchemy import select, update

from desk import audit, calls, connecting, conversations, customer_book, outbound, refs, sending
from desk.errors import Invalid, WrongState
from desk.inbox import people
from desk.outbound import Attempt, Outbound
from desk.refs import Ref
from desk.verdicts import Refusal
from desk.who import Actor
from desk.work import requests
from storage.base import Db
from storage.models.businesses import businesses
from storage.models.calls import calls as call_table
from storage.models.customers import customers
from storage.models.outbound import outbound_attempts as attempt_table
from storage.models.outbound import outbound_calls as table
from storage.models.tenants import users
from storage.models.work import service_requests

# What the provider says of the two phones.
_UNREACHED: Final[Mapping[str, str]] = MappingProxyType({"busy": "busy", "no-answer": "no_answer", "failed": "failed"})
_o, _a, _c = table.c, attempt_table.c, call_table.c


def begin(
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
    number = outbound.number_of(db, row.id)
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
    outbound.keep(db, call, {"user_id": me.id, "request_id": None if asked is None else asked.id})
    out = outbound.of_call(db, call.id)
    assert out is not None  # noqa: S101  it was made just now
    audit.record(db, who, "call.made", "call", call.id, None, {"conversation_id": context.uid}, now, uid=out.uid)
    outbound.dial(db, call, at=now, now=now)
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
    found = outbound.of_attempt(db, account_id, uid, sid)
    if found is None or found[1].party != "staff" or found[1].state == "over":
        return None
    out, one = found
    if one.state == "talking":
        return out, outbound.one_attempt(db, _a.call_id == out.call.id, _a.party == "customer")
    if key != "1" or out.call.phone is None:
        outcome = "declined" if key == "2" else "no_key"
        outbound.end_attempt(db, one, outcome, now=now)
        outbound.finish(db, out, "missed", "not_taken", duration_s=0, texts=False, now=now)
        return out, None
    db.execute(update(attempt_table).where(_a.id == one.id).values(state="talking", outcome="taken"))
    context = conversations.by_id(db, Actor(out.call.tenant_id, "system"), out.call.conversation_id)
    if context.owner == "queue" and out.user_id is not None:  # who waits for a person is theirs now
        who = Actor(out.call.tenant_id, "staff", out.user_id)
        conversations.take_over(db, who, context.id, user_id=out.user_id, reason="call_back", now=now)
    made = outbound.attempt(db, out, phone=out.call.phone, party="customer", now=now)
    db.execute(update(attempt_table).where(_a.id == made.id).values(state="ringing"))
    outbound.move(db, out, "ringing")
    return out, made


def joins(db: Db, account_id: int, uid: str, sid: str, *, now: datetime) -> bool:
    """Whether the customer, who has picked up, is joined with the team from now on: not one who is gone."""
    found = outbound.of_attempt(db, account_id, uid, sid)
    if found is None or found[1].party != "customer" or found[1].state == "over":
        return False
    _join(db, *found, now=now)
    return True


def leg_news(db: Db, account_id: int, uid: str, sid: str, status: str, *, now: datetime) -> None:
    """How the customer's phone does in a call-back."""
    if status == "in-progress":
        outbound.answers(db, account_id, uid, sid, "", now=now)
        return
    found = outbound.of_attempt(db, account_id, uid, sid)
    # Where it was picked up and not joined, who left whom is known with the end of the whole.
    if found is None or found[1].state in ("answered", "over"):
        return
    _, one = found
    if status in outbound.STATUSES:
        # It stops ringing as the team hangs up; of that and of the whole call's end, either may be told first.
        unheard = "cancelled" if status == "canceled" else outbound.STATUSES[status]
        outbound.end_attempt(db, one, "person" if one.state == "talking" else unheard, now=now)


def parted(
    db: Db,
    account_id: int,
    uid: str,
    sid: str,
    status: str,
    *,
    of: Literal["customer", "staff"],
    is_bridged: bool,
    duration_s: int | None,
    now: datetime,
) -> str | None:
    """The call-back is over, however: what came of it. `status` is the provider's for the customer's phone, while the team is
    there, or else that of the whole call; None when that is nothing of an end.
    """
    found = outbound.of_attempt(db, account_id, uid, sid)
    if found is None or (status not in outbound.STATUSES and status != "answered"):
        return None
    out, one = found
    theirs = outbound.one_attempt(db, _a.call_id == out.call.id, _a.party == "customer")
    if out.state == "over" or theirs is None:
        if out.state != "over":
            outbound.end_attempt(db, one, _UNREACHED.get(status, "no_key"), now=now)
            outbound.finish(db, out, "missed", "not_taken", duration_s=0, texts=False, now=now)
        return db.execute(select(_c.outcome).where(_c.id == out.call.id)).scalar_one_or_none()
    is_bridged = is_bridged and not _is_machine(theirs)
    if is_bridged and theirs.state != "over":
        _join(db, out, theirs, now=now)
    is_joined = is_bridged or theirs.state == "talking" or theirs.outcome == "person"
    outcome, ending = ("person", "connected") if is_joined else _unheard(theirs, status, of=of)
    if theirs.state != "over":
        outbound.end_attempt(db, theirs, outcome, now=now)
    if one.state != "over":
        outbound.end_attempt(db, one, "taken", now=now)
    status_ = "completed" if ending in ("connected", "message_left") else "missed"
    outbound.finish(db, out, status_, ending, duration_s=duration_s if is_joined else 0, texts=False, now=now)
    if is_joined and out.request_id is not None:
        _is_done(db, out, now=now)
    return ending


# What it is made of.


def _line(db: Db, who: Actor, business_id: int | None) -> int | None:
    """The account to call from: of that business, or else the tenant's first."""
    if business_id is not None:
        return outbound.line_of(db, business_id)
    ids = db.execute(select(businesses.c.id).where(businesses.c.tenant_id == who.tenant_id).order_by(businesses.c.id))
    return next((found for one in ids.scalars().all() if (found := outbound.line_of(db, one)) is not None), None)


def _unheard(theirs: Attempt, status: str, *, of: Literal["customer", "staff"]) -> tuple[str, str]:
    """What came of the customer's phone, and of the whole, where nobody was spoken with."""
    if theirs.state == "over":
        # That it had been picked up was never told, so nobody knows who left whom.
        return str(theirs.outcome), "cancelled" if theirs.outcome == "hung_up" else str(theirs.outcome)
    if _is_machine(theirs):
        return "machine", "message_left" if theirs.outcome == "machine" else "machine"  # `outbound.leaves`
    if theirs.state == "answered" and of == "customer":
        return "hung_up", "hung_up"
    outcome = _UNREACHED.get(status, "cancelled")
    return outcome, outcome


def _is_machine(one: Attempt) -> bool:
    return outbound.who_answered(one.answered_by or "") in ("tone", "machine")


def _join(db: Db, out: Outbound, one: Attempt, *, now: datetime) -> None:
    """The two talk."""
    if one.state == "talking":
        return
    answered_at = one.answered_at or now
    db.execute(update(attempt_table).where(_a.id == one.id).values(state="talking", answered_at=answered_at))
    calls.talks(db, out.call.id, "person")
    outbound.move(db, out, "talking")


def _is_done(db: Db, out: Outbound, *, now: datetime) -> None:
    """The request to call back is seen to."""
    r = service_requests.c
    open_ = r.id == out.request_id, r.status.in_(("new", "scheduled", "in_progress")), r.appointment_id.is_(None)
    uid = db.execute(select(r.uid).where(*open_)).scalar_one_or_none()
    if uid is not None and out.user_id is not None:
        who = Actor(out.call.tenant_id, "staff", out.user_id)
        requests.change(db, who, uid, {"status": "completed"}, now=now)
