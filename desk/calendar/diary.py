"""What the business does with its own calendar: it books for customers, moves, says how visits went, looks for free time.

Everything stands on `bookings`; here public ids become ours, and a business without staff gets its chair.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Row, insert, select, update

from desk import audit, businesses, customer_book, records, refs
from desk.businesses import Business, Staff
from desk.calendar import appointments, bookings, slots, zones
from desk.calendar.appointments import Appointment
from desk.errors import Invalid, WrongState
from desk.listing import Found, Window
from desk.refs import Ref
from desk.text import storable
from desk.who import Actor
from desk.work import whose
from desk.work.whose import End
from storage.base import Db
from storage.models import businesses as models
from storage.models.calendar import appointments as table
from storage.models.customers import customers

OVER: Final = ("completed", "no_show", "cancelled")
_CHAIR: Final = "Chair 1"
_LONGEST: Final = timedelta(days=31)  # that free times are listed for at once
_WEEK: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Opening:
    """A visit that can be booked. `staff_uid` is None for the chair that a business without staff will get."""

    starts_at: datetime
    ends_at: datetime
    staff_uid: str | None
    staff_name: str


def find(
    db: Db,
    who: Actor,
    window: Window,
    *,
    start: End | None = None,
    end: End | None = None,
    statuses: Collection[str] = (),
    business: Ref | None = None,
    customer: Ref | None = None,
    service: Ref | None = None,
    member: Ref | None = None,
    search: str | None = None,
) -> Found[Appointment]:
    """As `appointments.find`; days are those of the business, and the last one is within.

    Raises: NotFound, Invalid
    """
    zone = whose.zone(db, who, business)
    return appointments.find(
        db,
        who,
        window,
        from_at=whose.begins(start, zone),
        to_at=whose.ends(end, zone),
        statuses=statuses,
        business=business,
        customer=None if customer is None else customer_book.row_of(db, who, customer).id,
        service=service,
        member=member,
        search=search,
    )


def get(db: Db, who: Actor, ref: Ref) -> Appointment:
    """Raises: NotFound"""
    return appointments.get(db, who, refs.id_of(db, table, who, ref, "appointment"))


def openings(
    db: Db,
    who: Actor,
    *,
    service: Ref,
    start: End | None = None,
    end: End | None = None,
    member: Ref | None = None,
    now: datetime,
) -> list[Opening]:
    """What can still be booked from `start` (now) to `end` (a week later), earliest first: one for each start.

    Raises: NotFound; Invalid, also for a range of more than 31 days
    """
    offered = _offered(db, who, service)
    shop = businesses.load(db, offered.business_id)
    if not shop.staff:
        shop = replace(shop, staff=(_chair_to_be(shop),))
    staff_id = refs.maybe_id_of(db, models.staff, who, member, "technician")
    from_at = whose.begins(start, shop.zone) or now
    to_at = whose.ends(end, shop.zone) or from_at + _WEEK
    if to_at <= from_at:
        raise Invalid("to", "This ends before it begins.")
    # Two clock changes may lie in between, and the last day is within.
    if to_at - from_at > _LONGEST + timedelta(hours=2):
        raise Invalid("to", "Ask for at most 31 days at a time.")
    with _in_their_words():
        found = slots.free(
            db,
            shop,
            offered.id,
            from_day=zones.local_day(from_at, shop.zone),
            to_day=zones.local_day(to_at, shop.zone),
            staff_id=staff_id,
            now=now,
            limit=None,
        )
    uids = {one.id: one.uid for one in shop.staff}
    return [
        Opening(slot.starts_at, slot.ends_at, uids.get(slot.staff_id or 0) or None, slot.staff_name)
        for slot in found
        if from_at <= slot.starts_at < to_at
    ]


def add(
    db: Db,
    who: Actor,
    *,
    customer: Ref,
    service: Ref,
    starts_at: datetime,
    member: Ref | None = None,
    business: Ref | None = None,
    notes: str = "",
    status: str = "scheduled",
    now: datetime,
) -> Appointment:
    """A visit that is booked, with `member` or whoever is free; or one that is over, noted down.

    Raises:
        SlotTaken: with alternatives.
        NotFound, Invalid: something is not the tenant's, is not offered, or does not fit together.
    """
    offered = _offered(db, who, service)
    if business is not None and refs.id_of(db, models.businesses, who, business, "business") != offered.business_id:
        raise Invalid("business_id", "This service is another business's.")
    customer_id = customer_book.row_of(db, who, customer).id
    shop = _staffed(db, who, businesses.load(db, offered.business_id), now=now)
    staff_id = refs.maybe_id_of(db, models.staff, who, member, "technician")
    slot = slots.at(shop, offered.id, starts_at, staff_id=staff_id)
    source = "api" if who.kind == "app" else "staff"
    with _in_their_words():
        if status in OVER:
            return bookings.record(
                db, who, shop, slot, customer_id=customer_id, status=status, source=source, notes=notes, now=now
            )
        booked = bookings.book(
            db, who, shop, slot=slot, customer_id=customer_id, conversation_id=None, source=source, notes=notes, now=now
        )
    return bookings.confirm(db, who, booked.id, now=now) if status == "confirmed" else booked


def change(db: Db, who: Actor, ref: Ref, values: Mapping[str, Any], *, now: datetime) -> Appointment:
    """The appointment, changed as `values` say: starts_at and member (which move it), status, notes. It stays with its
    customer and service, which may be repeated.

    Raises:
        SlotTaken: with alternatives; nothing was changed.
        WrongState: that does not follow on how it stands.
        NotFound, Invalid
    """
    found = get(db, who, ref)
    _check_same(db, who, found, values)
    shop = businesses.load(db, found.business_id)
    starts_at = values.get("starts_at") or found.starts_at
    staff_id = refs.maybe_id_of(db, models.staff, who, values.get("member"), "technician")
    if starts_at != found.starts_at or staff_id not in {None, found.staff_id}:
        with _in_their_words():
            slot = slots.at(shop, found.service_id, starts_at, staff_id=staff_id)
            found = bookings.move(db, who, shop, found.id, slot, now=now)
    notes = values.get("notes")
    if notes is not None and storable(notes, 2000) != found.notes:
        records.change(db, who, table, found.id, {"notes": storable(notes, 2000)}, **_NOTED, now=now)
    status = values.get("status")
    if status is not None and status != found.status:
        become(db, who, found.id, status, now=now)
    return appointments.get(db, who, found.id)


def become(db: Db, who: Actor, ref: Ref, status: str, *, reason: str = "", now: datetime) -> Appointment:
    """The appointment, confirmed, completed, no_show or cancelled (for `reason`). Twice changes nothing.

    Raises: WrongState, NotAllowed, NotFound
    """
    found = get(db, who, ref)
    if status == "confirmed":
        return bookings.confirm(db, who, found.id, now=now)
    if status == "completed":
        return bookings.complete(db, who, found.id, now=now)
    if status == "no_show":
        return bookings.no_show(db, who, found.id, now=now)
    if status == "cancelled":
        return bookings.cancel(db, who, businesses.load(db, found.business_id), found.id, reason=reason, now=now)
    raise WrongState("appointment", found.id, found.status, f"This appointment is {found.status} now.")


def remove(db: Db, who: Actor, ref: Ref, *, now: datetime) -> None:
    """Cancel it if it is still to come, and forget it.

    Raises: NotFound
    """
    found = get(db, who, ref)
    if found.is_live:
        become(db, who, found.id, "cancelled", now=now)
    records.remove(db, who, table, found.id, **_NOTED, now=now)


_NOTED: Final[Mapping[str, Any]] = {"noun": "appointment", "private": ("notes", "cancel_reason")}


@contextmanager
def _in_their_words() -> Iterator[None]:
    """Who goes is a technician to those who call."""
    try:
        yield
    except Invalid as bad:
        raise Invalid("technician_id" if bad.field == "staff_id" else bad.field, bad.message) from None


def _offered(db: Db, who: Actor, ref: Ref) -> Row[Any]:
    service = refs.row(db, models.services, who, ref, "service")
    if not service.is_active:
        raise Invalid("service_id", "This service is not offered any more.")
    return service


def _check_same(db: Db, who: Actor, found: Appointment, values: Mapping[str, Any]) -> None:
    for name, nouns, now_id, message in (
        ("customer", customers, found.customer_id, "An appointment stays with its customer: cancel it and book anew."),
        ("service", models.services, found.service_id, "It cannot move to another service: cancel it and book anew."),
        ("business", models.businesses, found.business_id, "An appointment stays with its business."),
    ):
        ref = values.get(name)
        if ref is not None and refs.id_of(db, nouns, who, ref, name) != now_id:
            raise Invalid(f"{name}_id", message)


def _staffed(db: Db, who: Actor, shop: Business, *, now: datetime) -> Business:
    """The business; one without staff has a chair from now on, which can do everything."""
    if shop.staff:
        return shop
    # Only one of those who come at the same time adds it.
    db.execute(select(models.businesses.c.id).where(models.businesses.c.id == shop.id).with_for_update())
    shop = businesses.load(db, shop.id)
    if shop.staff:
        return shop
    chair = _chair_to_be(shop)
    former = [one for one in shop.former_staff if one.kind == "place" and one.name == _CHAIR]
    if former:
        known = update(models.staff).where(models.staff.c.id == former[0].id)
        db.execute(known.values(is_active=True, skills=sorted(chair.skills)))
        audit.record(db, who, "staff.updated", "staff", former[0].id, None, {"is_active": True}, now, uid=former[0].uid)
    else:
        values = {"business_id": shop.id, "name": _CHAIR, "kind": "place", "skills": sorted(chair.skills)}
        made = db.execute(
            insert(models.staff)
            .values(tenant_id=shop.tenant_id, created_at=now, **values)
            .returning(models.staff.c.id, models.staff.c.uid)
        ).one()
        audit.record(db, who, "staff.created", "staff", made.id, None, {"name": _CHAIR}, now, uid=made.uid)
    businesses.touch(db, shop.id)
    return businesses.load(db, shop.id)


def _chair_to_be(shop: Business) -> Staff:
    skills = frozenset(skill for service in shop.services for skill in service.skills)
    return Staff(0, "", _CHAIR, "place", skills, 1, None, (), is_active=True)
