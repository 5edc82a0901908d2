"""Holds: a time that is kept for somebody who is deciding."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import bindparam, delete, select

from desk.businesses import Business, Staff
from desk.calendar import claims as pieces
from desk.calendar import slots, taking
from desk.calendar.claims import Held
from desk.calendar.slots import Slot
from desk.calendar.spans import Span
from desk.who import Actor
from storage.base import Db
from storage.models.calendar import claims
from storage.prepared import Prepared


@dataclass(frozen=True, slots=True)
class Hold:
    """A slot that is kept for somebody who is deciding; `slot.staff_id` is always somebody."""

    id: int
    uid: str
    slot: Slot
    expires_at: datetime


def hold(
    db: Db,
    who: Actor,
    business: Business,
    slot: Slot,
    *,
    conversation_id: int | None,
    now: datetime,
    minutes: int = 10,
    waitlist_id: int | None = None,
) -> Hold:
    """Keep `slot` for `minutes`; without `slot.staff_id`, with whoever is free and has least to do that day.

    An earlier hold of the same conversation is given up, also when this one fails. `waitlist_id` is for `waitlist`
    alone: an offer stands beside the holds of its conversation. Do not hold for a move: the appointment's own time
    would be in the way, and `move` takes the new time at once.

    Raises:
        SlotTaken: with alternatives.
        NotFound, Invalid: no such service, or the member does not do it.
    """
    taking.same_tenant(who, business)
    service = business.service(slot.service_id)
    members = slots.able(business, service, slot.staff_id)
    earlier: Sequence[tuple[int, int]] = ()
    if conversation_id is not None and waitlist_id is None:
        earlier = [(row.id, row.staff_id) for row in _HOLDS(db, {"conversation_id": conversation_id})]
    pieces.lock(db, {member.id for member in members} | {staff_id for _, staff_id in earlier})
    if earlier:
        pieces.forget_holds(db, [claim_id for claim_id, _ in earlier])
    expires_at = now + timedelta(minutes=minutes)

    def put(member: Staff, unit: int, claim: Span) -> Hold:
        held = Held(service.id, slot.starts_at, expires_at, conversation_id, waitlist_id)
        claim_id, uid = pieces.add(
            db, tenant_id=who.tenant_id, staff_id=member.id, unit=unit, span=claim, now=now, held=held
        )
        return Hold(claim_id, uid, slots.at(business, service.id, slot.starts_at, staff_id=member.id), expires_at)

    return taking.take(db, who, business, service, slot, members, put, now=now)


def release(db: Db, who: Actor, *, conversation_id: int, now: datetime) -> bool:
    """Give up what the conversation holds; True when there was something that had not run out yet."""
    found = _RELEASE(db, {"conversation_id": conversation_id, "tenant_id": who.tenant_id}).scalars().all()
    return any(expires_at > now for expires_at in found)


def expire_holds(db: Db, now: datetime) -> int:
    """How many holds had run out and were cleared away. Offers to the waitlist are left to `waitlist.expire_offers`."""
    return _EXPIRE(db, {"now": now}).rowcount


_p = claims.c
_IS_HOLD = _p.expires_at.is_not(None)
_HOLDS = Prepared(
    select(_p.id, _p.staff_id).where(
        _p.conversation_id == bindparam("conversation_id"), _IS_HOLD, _p.waitlist_id.is_(None)
    )
)
_RELEASE = Prepared(
    delete(claims)
    .where(
        _p.conversation_id == bindparam("conversation_id"),
        _p.tenant_id == bindparam("tenant_id"),
        _IS_HOLD,
        _p.waitlist_id.is_(None),
    )
    .returning(_p.expires_at)
)
_EXPIRE = Prepared(
    delete(claims).where(
        _p.id.in_(
            select(_p.id)
            .where(_p.expires_at <= bindparam("now"), _p.waitlist_id.is_(None))
            .limit(1000)
            .with_for_update(skip_locked=True)
        )
    )
)
