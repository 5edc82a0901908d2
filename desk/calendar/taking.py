"""Taking a piece of time for the first who has it free: what holding, booking and moving have in common."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from sqlalchemy import bindparam, select

from desk.businesses import Business, Service, Staff
from desk.calendar import claims, slots, zones
from desk.calendar.slots import Slot
from desk.calendar.spans import Span
from desk.errors import NotFound, SlotTaken
from desk.who import Actor
from storage.base import Db
from storage.models.conversations import conversations
from storage.models.customers import customers
from storage.prepared import Prepared
from storage.session import Conflict, attempt

T = TypeVar("T")


def take(
    db: Db,
    who: Actor,
    business: Business,
    service: Service,
    slot: Slot,
    members: Sequence[Staff],
    put: Callable[[Staff, int, Span], T],
    *,
    now: datetime,
    moving_id: int | None = None,
) -> T:
    """What `put` made for the first member who is free then: whoever has least to do that day, or, when an appointment
    moves (`moving_id`, whose own time is no obstacle), in the order given. The locks of all `members` are ours already.

    Raises: SlotTaken
    """
    claim = claims.span_of(service, Span(slot.starts_at, slot.starts_at + service.duration))
    allowed = [member for member in members if may(who, business, member, slot, now=now)]
    if allowed:
        staff_ids = [member.id for member in allowed]
        claims.drop_expired(db, staff_ids, claim, now=now)
        day = zones.local_day(slot.starts_at, business.zone)
        around = zones.day_span(day, day, business.zone)
        around = Span(min(around.start, claim.start), max(around.end, claim.end))
        taken = claims.taken(db, staff_ids, around, now=now, ignore_appointment_id=moving_id)
        if moving_id is None:
            allowed = slots.busy_order(business, allowed, taken, day)
        for member in allowed:
            unit = claims.free_unit(taken[member.id], claim, member.capacity)
            if unit is None:
                continue
            try:
                with attempt(db):
                    return put(member, unit, claim)
            except Conflict:
                continue
    others = slots.nearest(
        db,
        business,
        service.id,
        slot.starts_at,
        staff_id=slot.staff_id,
        now=now,
        ignore_appointment_id=moving_id,
    )
    raise SlotTaken(tuple(others), {member.id: member.uid for member in business.staff})


def may(who: Actor, business: Business, member: Staff, slot: Slot, *, now: datetime) -> bool:
    """Whether the rules let `who` have `member` then."""
    service = business.service(slot.service_id)
    return who.kind in {"staff", "app"} or slots.is_offered(business, member, service, slot.starts_at, now=now)


def same_tenant(who: Actor, business: Business) -> None:
    """Raises: NotFound"""
    if business.tenant_id != who.tenant_id:
        raise NotFound("business", business.id)


def check_theirs(db: Db, who: Actor, business: Business, *, customer_id: int, conversation_id: int | None) -> None:
    """Raises: NotFound when anything of it is another tenant's"""
    same_tenant(who, business)
    wanted = {"tenant_id": who.tenant_id, "noun_id": customer_id}
    if _CUSTOMER(db, wanted).one_or_none() is None:
        raise NotFound("customer", customer_id)
    if conversation_id is None:
        return
    wanted["noun_id"] = conversation_id
    if _CONVERSATION(db, wanted).one_or_none() is None:
        raise NotFound("conversation", conversation_id)


_CUSTOMER = Prepared(
    select(customers.c.id).where(
        customers.c.id == bindparam("noun_id"), customers.c.tenant_id == bindparam("tenant_id")
    )
)
_CONVERSATION = Prepared(
    select(conversations.c.id).where(
        conversations.c.id == bindparam("noun_id"), conversations.c.tenant_id == bindparam("tenant_id")
    )
)
