"""Who waits for a time that is taken. Freed time is offered to one after the other, the longest waiting first.

An offer holds the time; it is announced by the job `waitlist_offer` and ends in one way: accepted, declined or expired.
Then the job `waitlist_freed` offers the time to the next. Who said no or nothing waits on, and is not offered that time again;
who does not want to wait any longer leaves the list.
Nobody is asked at night: whoever sleeps is passed over, and when nobody else wants the time it is offered once the first of
them is awake.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Select, bindparam, insert, select, update

from desk import sending
from desk.businesses import Business
from desk.calendar import bookings, holds, slots, taking, zones
from desk.calendar import claims as pieces
from desk.calendar.appointments import Appointment
from desk.calendar.claims import Freed
from desk.calendar.slots import Slot
from desk.calendar.spans import Span, overlap
from desk.errors import Invalid, NotFound, SlotTaken, WrongState
from desk.sending import USUAL, Policy
from desk.who import Actor
from storage import queue
from storage.base import Db, JsonValue, new_uid
from storage.models.calendar import claims, waitlist
from storage.models.conversations import conversations
from storage.prepared import Prepared

OFFER = "waitlist_offer"  # the job that tells the customer; payload: waitlist_id

_LONGEST_DAYS = 92
_MOST_PASSED = 50  # times that are remembered of one who waits


@dataclass(frozen=True, slots=True)
class Entry:
    """Somebody who waits. `status`: waiting, offered, booked, left. `offers`: how many they had, the open one among them."""

    id: int
    uid: str
    business_id: int
    service_id: int
    staff_id: int | None
    customer_id: int
    conversation_id: int
    from_day: date
    to_day: date
    status: str
    offer_expires_at: datetime | None
    offers: int

    def is_waiting(self, today: date) -> bool:
        """Whether another time may still come for them; `today` is the business's."""
        return self.status == "waiting" and self.to_day >= today


@dataclass(frozen=True, slots=True)
class Offer:
    """A time that is held for somebody who waits, until `expires_at`."""

    entry: Entry
    hold_id: int
    slot: Slot
    expires_at: datetime


def join(
    db: Db,
    who: Actor,
    business: Business,
    *,
    service_id: int,
    staff_id: int | None,
    customer_id: int,
    conversation_id: int,
    from_day: date,
    to_day: date,
    now: datetime,
) -> Entry:
    """Wait for a time on the local days `from_day` to `to_day`; with whom only if `staff_id` is given.

    Joining again for the same service changes the days and keeps the place.

    Raises: Invalid, NotFound
    """
    taking.check_theirs(db, who, business, customer_id=customer_id, conversation_id=conversation_id)
    slots.able(business, business.service(service_id), staff_id)
    today = zones.local_day(now, business.zone)
    if to_day < max(from_day, today):
        raise Invalid("to_day", "These days are over already.")
    if (to_day - today).days > _LONGEST_DAYS:
        raise Invalid("to_day", f"Nobody can wait for more than {_LONGEST_DAYS} days.")
    wanted = {"service_id": service_id, "conversation_id": conversation_id, "tenant_id": who.tenant_id}
    days = {"staff_id": staff_id, "from_day": max(from_day, today), "to_day": to_day}
    waiting = _WAITS_ALREADY(db, wanted).scalar_one_or_none()
    if waiting is not None:
        db.execute(update(waitlist).where(_w.id == waiting).values(**days, customer_id=customer_id))
        return get(db, who, waiting)
    values = {"uid": new_uid(), "business_id": business.id, "customer_id": customer_id, "created_at": now}
    entry_id: int = _ADD(db, {**wanted, **days, **values, "status": "waiting"}).scalar_one()
    return get(db, who, entry_id)


def leave(db: Db, who: Actor, waitlist_id: int, *, now: datetime) -> None:
    """Wait no longer; what was on offer goes to the next.

    Raises: NotFound
    """
    _end(db, who, waitlist_id, "left", now=now)


def decline(db: Db, who: Actor, waitlist_id: int, *, now: datetime) -> None:
    """No to the time on offer; it goes to the next, and they wait on for another.

    Raises: NotFound
    """
    _end(db, who, waitlist_id, "waiting", now=now)


def accept(
    db: Db, who: Actor, business: Business, waitlist_id: int, *, source: str = "bot", now: datetime
) -> Appointment:
    """The appointment at the time on offer.

    An offer that has run out is still good as long as nobody else was offered the time.

    Raises:
        WrongState: there is no offer (any more).
        SlotTaken: the rules have overtaken it; with alternatives.
        NotFound
    """
    entry = _locked(db, who, waitlist_id)
    held = _HELD(db, {"waitlist_id": waitlist_id}).one_or_none()
    if entry.status != "offered" or held is None:
        raise WrongState("waitlist entry", waitlist_id, entry.status, "This time is no longer on offer.")
    made = bookings.book(
        db,
        who,
        business,
        hold_id=held.id,
        customer_id=entry.customer_id,
        conversation_id=entry.conversation_id,
        source=source,
        now=now,
    )
    _set(db, waitlist_id, "booked")
    return made


def offer_freed(
    db: Db, who: Actor, business: Business, freed: Freed, *, usual: Policy = USUAL, now: datetime
) -> Offer | None:
    """Offer freed time to the first who waits for such a time and is awake; None when there is nobody (or it is gone
    already). `usual` says when it is night where the tenant has not said so, and for how long the time is held.

    The job `waitlist_freed` (`bookings.FREED`) calls it, with `Freed.of(payload)`.
    """
    day = zones.local_day(freed.span.start, business.zone)
    last = zones.local_day(freed.span.end, business.zone)
    wanted = {"business_id": business.id, "staff_id": freed.staff_id, "first": day, "last": last}
    asleep: list[datetime] = []
    for *columns, passed, account_id, peer_kind, peer in _WAITING(db, wanted).all():
        entry = Entry(*columns)
        if any(_overlaps(time, freed) for time in passed or ()):
            continue
        slot = _fitting(db, business, entry, freed, now=now)
        if slot is None:
            continue
        wakes_at = sending.wakes_at(db, account_id=account_id, kind=peer_kind, value=peer, now=now, usual=usual)
        if wakes_at is not None:
            asleep.append(wakes_at)
            continue
        if _LOCK(db, {"waitlist_id": entry.id}).scalar_one_or_none() is None:
            continue
        try:
            held = holds.hold(
                db,
                who,
                business,
                slot,
                conversation_id=entry.conversation_id,
                now=now,
                minutes=usual.offer_minutes,
                waitlist_id=entry.id,
            )
        except SlotTaken:
            continue
        _SET_OFFERED(db, {"this_id": entry.id, "expires_at": held.expires_at})
        queue.enqueue(db, OFFER, {"waitlist_id": entry.id}, now=now, tenant_id=business.tenant_id)
        return Offer(get(db, who, entry.id), held.id, held.slot, held.expires_at)
    if asleep and (morning := min(asleep)) < freed.span.end:
        queue.enqueue(db, bookings.FREED, freed.payload(), now=now, run_at=morning, tenant_id=business.tenant_id)
    return None


def expire_offers(db: Db, now: datetime, *, limit: int = 100) -> int:
    """How many offers end here that nobody answered in time; the time goes to the next, and who did not answer waits on for
    another.
    """
    overdue = _OVERDUE(db, {"now": now, "limit": limit}).all()
    for row in overdue:
        _end(db, Actor(row.tenant_id, "system"), row.id, "waiting", now=now)
    return len(overdue)


def get(db: Db, who: Actor, waitlist_id: int) -> Entry:
    """Raises: NotFound"""
    row = _GET(db, {"waitlist_id": waitlist_id, "tenant_id": who.tenant_id}).one_or_none()
    if row is None:
        raise NotFound("waitlist entry", waitlist_id)
    return Entry(*row)


def waiting_of(db: Db, who: Actor, business_id: int, customer_id: int) -> list[Entry]:
    """What the customer waits for or was offered there, on whatever channel, the oldest first."""
    wanted = {"business_id": business_id, "customer_id": customer_id, "tenant_id": who.tenant_id}
    return [Entry(*row) for row in _OF_CUSTOMER(db, wanted)]


def offer_of(db: Db, who: Actor, business: Business, waitlist_id: int) -> Offer | None:
    """What is on offer to an entry, or None: for the job that announces it, and for the answer.

    Raises: NotFound
    """
    entry = get(db, who, waitlist_id)
    held = _HELD(db, {"waitlist_id": waitlist_id}).one_or_none()
    if entry.status != "offered" or held is None:
        return None
    slot = slots.at(business, held.service_id, held.visit_starts_at, staff_id=held.staff_id)
    return Offer(entry, held.id, slot, held.expires_at)


def _end(db: Db, who: Actor, waitlist_id: int, status: str, *, now: datetime) -> None:
    entry = _locked(db, who, waitlist_id)
    if entry.status not in {"waiting", "offered"}:
        return
    held = _HELD(db, {"waitlist_id": waitlist_id}).one_or_none()
    _set(db, waitlist_id, status)
    if held is None:
        return
    freed = Freed(entry.business_id, held.staff_id, Span(held.starts_at, held.ends_at))
    if status == "waiting":
        before = db.execute(select(_w.passed).where(_w.id == waitlist_id)).scalar_one() or ()
        db.execute(
            update(waitlist).where(_w.id == waitlist_id).values(passed=[*before, freed.payload()][-_MOST_PASSED:])
        )
    pieces.forget_holds(db, [held.id])
    if freed.span.end > now:
        queue.enqueue(db, bookings.FREED, freed.payload(), now=now, tenant_id=who.tenant_id)


def _overlaps(passed: Mapping[str, JsonValue], freed: Freed) -> bool:
    """Whether freed time is (in part) what somebody was offered before and did not take."""
    before = Freed.of(passed)
    return before.staff_id == freed.staff_id and overlap(before.span, freed.span)


def _fitting(db: Db, business: Business, entry: Entry, freed: Freed, *, now: datetime) -> Slot | None:
    """A start for the entry that makes use of the freed time: the very same if it fits, else the first."""
    service = business.service(entry.service_id)
    member = business.staff_member(freed.staff_id)
    if not service.is_active or not member.can_do(service):
        return None
    first = max(entry.from_day, zones.local_day(freed.span.start - service.duration, business.zone))
    last = min(entry.to_day, zones.local_day(freed.span.end, business.zone))
    found = [
        slot
        for slot in slots.free(
            db, business, service.id, from_day=first, to_day=last, staff_id=member.id, now=now, limit=None
        )
        if overlap(pieces.span_of(service, Span(slot.starts_at, slot.ends_at)), freed.span)
    ]
    inside = [slot for slot in found if slot.starts_at >= freed.span.start]
    return next(iter(inside or found), None)


def _locked(db: Db, who: Actor, waitlist_id: int) -> Entry:
    row = _GET_LOCKED(db, {"waitlist_id": waitlist_id, "tenant_id": who.tenant_id}).one_or_none()
    if row is None:
        raise NotFound("waitlist entry", waitlist_id)
    return Entry(*row)


def _set(db: Db, waitlist_id: int, status: str) -> None:
    _SET(db, {"this_id": waitlist_id, "new_status": status})


_w = waitlist.c
_ENTRY: Select[*tuple[Any, ...]] = select(
    _w.id,
    _w.uid,
    _w.business_id,
    _w.service_id,
    _w.staff_id,
    _w.customer_id,
    _w.conversation_id,
    _w.from_day,
    _w.to_day,
    _w.status,
    _w.offer_expires_at,
    _w.offers,
)
_BY_ID = _ENTRY.where(_w.id == bindparam("waitlist_id"), _w.tenant_id == bindparam("tenant_id"))
_GET = Prepared(_BY_ID)
_GET_LOCKED = Prepared(_BY_ID.with_for_update())
_OF_CUSTOMER = Prepared(
    _ENTRY.where(
        _w.business_id == bindparam("business_id"),
        _w.customer_id == bindparam("customer_id"),
        _w.tenant_id == bindparam("tenant_id"),
        _w.status.in_(("waiting", "offered")),
    ).order_by(_w.id)
)
_WAITS_ALREADY = Prepared(
    select(_w.id).where(
        _w.conversation_id == bindparam("conversation_id"),
        _w.tenant_id == bindparam("tenant_id"),
        _w.service_id == bindparam("service_id"),
        _w.status.in_(("waiting", "offered")),
    )
)
_WAITING = Prepared(
    _ENTRY.add_columns(_w.passed, conversations.c.account_id, conversations.c.peer_kind, conversations.c.peer)
    .select_from(waitlist.join(conversations, conversations.c.id == _w.conversation_id))
    .where(
        _w.business_id == bindparam("business_id"),
        _w.status == "waiting",
        _w.staff_id.is_(None) | (_w.staff_id == bindparam("staff_id")),
        _w.from_day <= bindparam("last"),
        _w.to_day >= bindparam("first"),
    )
    .order_by(_w.created_at, _w.id)
)
# Whoever is being dealt with by somebody else at this moment is passed over: to wait for them could wait in a circle.
_LOCK = Prepared(
    select(_w.id).where(_w.id == bindparam("waitlist_id"), _w.status == "waiting").with_for_update(skip_locked=True)
)
_OVERDUE = Prepared(
    select(_w.id, _w.tenant_id, _w.business_id)
    .where(_w.status == "offered", _w.offer_expires_at <= bindparam("now"))
    .order_by(_w.offer_expires_at, _w.id)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True)
)
_ADD = Prepared(insert(waitlist).returning(_w.id))
_SET = Prepared(
    update(waitlist).where(_w.id == bindparam("this_id")).values(status=bindparam("new_status"), offer_expires_at=None)
)
_SET_OFFERED = Prepared(
    update(waitlist)
    .where(_w.id == bindparam("this_id"))
    .values(status="offered", offers=_w.offers + 1, offer_expires_at=bindparam("expires_at"))
)
_HELD = Prepared(
    select(claims).where(claims.c.waitlist_id == bindparam("waitlist_id"), claims.c.expires_at.is_not(None))
)
