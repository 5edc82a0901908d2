"""Pieces of people's time that are held or taken, buffers included: the table `claims`.

Whoever wants to claim takes the lock of the staff members first (always in the order of their ids), reads what is
taken, and inserts. The lock only makes the losers wait instead of fail: what refuses an overlap is the database.
"""

from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter

from sqlalchemy import bindparam, delete, func, insert, or_, select, update

from desk.businesses import Service
from desk.calendar.spans import Span
from storage.base import Db, JsonValue, new_uid
from storage.models.businesses import staff
from storage.models.calendar import claims
from storage.prepared import Prepared

# What is taken of one staff member: for each unit of capacity its claims, sorted and apart.
Units = Mapping[int, Sequence[Span]]

_END = attrgetter("end")


@dataclass(frozen=True, slots=True)
class Freed:
    """Time of a staff member that somebody gave back, buffers included; also as the payload of a job."""

    business_id: int
    staff_id: int
    span: Span

    def payload(self) -> dict[str, JsonValue]:
        return {
            "business_id": self.business_id,
            "staff_id": self.staff_id,
            "starts_at": self.span.start.isoformat(),
            "ends_at": self.span.end.isoformat(),
        }

    @classmethod
    def of(cls, payload: Mapping[str, JsonValue]) -> "Freed":
        start, end = (datetime.fromisoformat(str(payload[name])) for name in ("starts_at", "ends_at"))
        return cls(int(str(payload["business_id"])), int(str(payload["staff_id"])), Span(start, end))


@dataclass(frozen=True, slots=True)
class Held:
    """What a claim says when it is not an appointment's: who may still take it, and until when."""

    service_id: int
    visit_starts_at: datetime
    expires_at: datetime
    conversation_id: int | None
    waitlist_id: int | None


def span_of(service: Service, visit: Span) -> Span:
    """What a visit claims: itself and the buffers around it."""
    return Span(visit.start - service.buffer_before, visit.end + service.buffer_after)


def taken(
    db: Db, staff_ids: Collection[int], span: Span, *, now: datetime, ignore_appointment_id: int | None = None
) -> dict[int, Units]:
    """What overlaps `span` for each of the staff members; holds that have run out are nothing."""
    found: dict[int, dict[int, list[Span]]] = {staff_id: {} for staff_id in staff_ids}
    values = {"staff_ids": list(staff_ids), "start": span.start, "end": span.end, "now": now}
    for staff_id, unit, start, end in _TAKEN(db, {**values, "ignored": ignore_appointment_id or 0}):
        found[staff_id].setdefault(unit, []).append(Span(start, end))
    return dict(found)


def occupied(units: Units, wanted: Span) -> set[int]:
    """The units of which something overlaps `wanted`."""
    return {unit for unit, spans in units.items() if _hits(spans, wanted)}


def free_unit(units: Units, wanted: Span, capacity: int) -> int | None:
    """A unit that has all of `wanted` free, or None.

    Units beyond the capacity, from before it was lowered, count as well: visits at one time are never more than it.
    """
    in_use = occupied(units, wanted)
    if len(in_use) >= capacity:
        return None
    return min(set(range(capacity)) - in_use)


def lock(db: Db, staff_ids: Collection[int]) -> None:
    """Wait until nobody else is claiming time of these, and keep others waiting until the commit."""
    if db.dialect.name == "postgresql":  # SQLite has one writer at a time anyway
        _LOCK(db, {"staff_ids": list(staff_ids)}).all()


def drop_expired(db: Db, staff_ids: Collection[int], span: Span, *, now: datetime) -> None:
    """Take away holds that have run out and would still be in the way."""
    _DROP(db, {"staff_ids": list(staff_ids), "start": span.start, "end": span.end, "now": now})


def add(
    db: Db,
    *,
    tenant_id: int,
    staff_id: int,
    unit: int,
    span: Span,
    now: datetime,
    appointment_id: int | None = None,
    held: Held | None = None,
) -> tuple[int, str]:
    """Its id and uid. Call it within `attempt`: the database refuses what overlaps."""
    uid = new_uid()
    values = {
        "uid": uid,
        "tenant_id": tenant_id,
        "staff_id": staff_id,
        "unit": unit,
        "starts_at": span.start,
        "ends_at": span.end,
        "appointment_id": appointment_id,
        "service_id": held and held.service_id,
        "conversation_id": held and held.conversation_id,
        "waitlist_id": held and held.waitlist_id,
        "visit_starts_at": held and held.visit_starts_at,
        "expires_at": held and held.expires_at,
        "created_at": now,
    }
    claim_id: int = _ADD(db, values).scalar_one()
    return claim_id, uid


def move(db: Db, *, appointment_id: int, staff_id: int, unit: int, span: Span) -> None:
    """Call it within `attempt`. The appointment's own old time is no obstacle."""
    values = {"staff": staff_id, "unit": unit, "start": span.start, "end": span.end}
    _MOVE(db, {**values, "appointment": appointment_id})


def shift(db: Db, *, appointment_id: int, by: timedelta) -> None:
    """What the appointment claims, so much later. Call it within `attempt`."""
    span = of_appointment(db, appointment_id)
    mine = update(claims).where(claims.c.appointment_id == appointment_id)
    db.execute(mine.values(starts_at=span.start + by, ends_at=span.end + by))


def settle(db: Db, *, claim_id: int, appointment_id: int) -> None:
    """The hold becomes the claim of the appointment; nobody could get in between."""
    _SETTLE(db, {"claim_id": claim_id, "appointment": appointment_id})


def forget_holds(db: Db, claim_ids: Collection[int]) -> None:
    _FORGET(db, {"claim_ids": list(claim_ids)})


def give_back(db: Db, *, appointment_id: int) -> None:
    """The time of the appointment is free again."""
    _GIVE_BACK(db, {"appointment": appointment_id})


def of_appointment(db: Db, appointment_id: int) -> Span:
    """What the appointment claims."""
    return Span(*_OF_APPOINTMENT(db, {"appointment": appointment_id}).one())


def _hits(spans: Sequence[Span], wanted: Span) -> bool:
    first = bisect_right(spans, wanted.start, key=_END)
    return first < len(spans) and spans[first].start < wanted.end


_THESE = claims.c.staff_id.in_(bindparam("staff_ids", expanding=True))
_OVERLAPS = (claims.c.ends_at > bindparam("start"), claims.c.starts_at < bindparam("end"))
_TAKEN = Prepared(
    select(claims.c.staff_id, claims.c.unit, claims.c.starts_at, claims.c.ends_at)
    .where(
        _THESE,
        *_OVERLAPS,
        or_(claims.c.expires_at.is_(None), claims.c.expires_at > bindparam("now")),
        func.coalesce(claims.c.appointment_id, -1) != bindparam("ignored"),
    )
    .order_by(claims.c.starts_at)
)
_DROP = Prepared(delete(claims).where(_THESE, *_OVERLAPS, claims.c.expires_at <= bindparam("now")))
# Not FOR UPDATE: that would wait for everybody who merely refers to the row by a foreign key.
_LOCK = Prepared(
    select(staff.c.id)
    .where(staff.c.id.in_(bindparam("staff_ids", expanding=True)))
    .order_by(staff.c.id)
    .with_for_update(key_share=True)
)
_ADD = Prepared(insert(claims).returning(claims.c.id))
_OF = claims.c.appointment_id == bindparam("appointment")
_MOVE = Prepared(
    update(claims)
    .where(_OF)
    .values(staff_id=bindparam("staff"), unit=bindparam("unit"), starts_at=bindparam("start"), ends_at=bindparam("end"))
)
_SETTLE = Prepared(
    update(claims)
    .where(claims.c.id == bindparam("claim_id"))
    .values(
        appointment_id=bindparam("appointment"),
        expires_at=None,
        service_id=None,
        conversation_id=None,
        waitlist_id=None,
        visit_starts_at=None,
    )
)
_FORGET = Prepared(
    delete(claims).where(claims.c.id.in_(bindparam("claim_ids", expanding=True)), claims.c.expires_at.is_not(None))
)
_GIVE_BACK = Prepared(delete(claims).where(_OF))
_OF_APPOINTMENT = Prepared(select(claims.c.starts_at, claims.c.ends_at).where(_OF))
