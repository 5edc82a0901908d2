"""Appointments, to be read. What changes them is in `bookings`."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, bindparam, select

from desk import refs
from desk.errors import NotFound
from desk.listing import Found, Window, contains, page
from desk.refs import Ref
from desk.who import Actor
from storage.base import Db
from storage.models.businesses import businesses, services, staff
from storage.models.calendar import appointments
from storage.models.conversations import conversations
from storage.models.customers import customers
from storage.prepared import Prepared

LIVE = ("scheduled", "confirmed")


@dataclass(frozen=True, slots=True)
class Appointment:
    """A visit that somebody booked. `status`: scheduled, confirmed, completed, cancelled, no_show.

    `local_start` is the wall time of the business when it was booked (`2026-03-08T10:00`).
    """

    id: int
    uid: str
    tenant_id: int
    business_id: int
    customer_id: int
    service_id: int
    service_name: str
    staff_id: int
    staff_name: str
    conversation_id: int | None
    status: str
    starts_at: datetime
    ends_at: datetime
    local_start: str
    sequence: int
    source: str
    notes: str
    cancel_reason: str | None
    cancelled_at: datetime | None
    created_at: datetime
    updated_at: datetime
    business_uid: str
    customer_uid: str
    customer_name: str | None
    service_uid: str
    staff_uid: str
    conversation_uid: str | None

    @property
    def is_live(self) -> bool:
        """Still to happen, as far as anybody has said."""
        return self.status in LIVE


def get(db: Db, who: Actor, appointment_id: int) -> Appointment:
    """Raises: NotFound"""
    return _one(db, who, appointment_id, _GET)


def find(
    db: Db,
    who: Actor,
    window: Window,
    *,
    from_at: datetime | None = None,
    to_at: datetime | None = None,
    statuses: Collection[str] = (),
    business: Ref | None = None,
    customer: Ref | None = None,
    service: Ref | None = None,
    member: Ref | None = None,
    search: str | None = None,
) -> Found[Appointment]:
    """Those that start from `from_at` up to, but not at, `to_at`, earliest first.

    Raises: NotFound, when a filter names what is not the tenant's; Invalid
    """
    wanted = _COLUMNS.where(_c.tenant_id == who.tenant_id)
    if from_at is not None:
        wanted = wanted.where(_c.starts_at >= from_at)
    if to_at is not None:
        wanted = wanted.where(_c.starts_at < to_at)
    if statuses:
        wanted = wanted.where(_c.status.in_(statuses))
    for ref, table, column, noun in (
        (business, businesses, _c.business_id, "business"),
        (customer, customers, _c.customer_id, "customer"),
        (service, services, _c.service_id, "service"),
        (member, staff, _c.staff_id, "technician"),
    ):
        if ref is not None:
            wanted = wanted.where(column == refs.id_of(db, table, who, ref, noun))
    if search:
        wanted = wanted.where(contains(search, customers.c.name, services.c.name, staff.c.name, _c.notes))
    sorts = {"starts_at": _c.starts_at, "created_at": _c.created_at, "status": _c.status}
    return page(db, wanted, window, _made, sorts=sorts, by="starts_at", tie=_c.id)


def locked(db: Db, who: Actor, appointment_id: int) -> Appointment:
    """The same, and nobody else changes it before the commit.

    Raises: NotFound
    """
    return _one(db, who, appointment_id, _GET_LOCKED)


def upcoming(db: Db, who: Actor, *, customer_id: int, now: datetime) -> list[Appointment]:
    """What the customer has booked and is not over yet, earliest first."""
    values = {"tenant_id": who.tenant_id, "customer_id": customer_id, "now": now}
    return [_made(row) for row in _UPCOMING(db, values)]


def to_remind_of(db: Db, who: Actor, appointment_id: int, *, sequence: int, now: datetime) -> Appointment | None:
    """The appointment a reminder job was made for, or None when there is nothing to remind of any more: it was
    cancelled, moved since (`sequence`), or has begun. It stays as it is until the commit.
    """
    try:
        found = locked(db, who, appointment_id)
    except NotFound:
        return None
    return found if found.is_live and found.sequence == sequence and found.starts_at > now else None


def _made(row: Any) -> Appointment:
    return Appointment(*row)


def _one(db: Db, who: Actor, appointment_id: int, statement: Prepared) -> Appointment:
    row = statement(db, {"tenant_id": who.tenant_id, "appointment_id": appointment_id}).one_or_none()
    if row is None:
        raise NotFound("appointment", appointment_id)
    return _made(row)


_c = appointments.c
_COLUMNS: Select[*tuple[Any, ...]] = select(
    _c.id,
    _c.uid,
    _c.tenant_id,
    _c.business_id,
    _c.customer_id,
    _c.service_id,
    services.c.name.label("service_name"),
    _c.staff_id,
    staff.c.name.label("staff_name"),
    _c.conversation_id,
    _c.status,
    _c.starts_at,
    _c.ends_at,
    _c.local_start,
    _c.sequence,
    _c.source,
    _c.notes,
    _c.cancel_reason,
    _c.cancelled_at,
    _c.created_at,
    _c.updated_at,
    businesses.c.uid.label("business_uid"),
    customers.c.uid.label("customer_uid"),
    customers.c.name.label("customer_name"),
    services.c.uid.label("service_uid"),
    staff.c.uid.label("staff_uid"),
    conversations.c.uid.label("conversation_uid"),
).select_from(
    appointments.join(businesses, businesses.c.id == _c.business_id)
    .join(customers, customers.c.id == _c.customer_id)
    .join(services, services.c.id == _c.service_id)
    .join(staff, staff.c.id == _c.staff_id)
    .outerjoin(conversations, conversations.c.id == _c.conversation_id)
)
_BY_ID = _COLUMNS.where(_c.id == bindparam("appointment_id"), _c.tenant_id == bindparam("tenant_id"))
_GET = Prepared(_BY_ID)
_GET_LOCKED = Prepared(_BY_ID.with_for_update(of=appointments, key_share=True))
_UPCOMING = Prepared(
    _COLUMNS.where(
        _c.tenant_id == bindparam("tenant_id"),
        _c.customer_id == bindparam("customer_id"),
        _c.status.in_(LIVE),
        _c.ends_at > bindparam("now"),
    ).order_by(_c.starts_at, _c.id)
)
