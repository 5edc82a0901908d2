"""Technicians: the people of a business who go, or stand at the chair. They are its `staff`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import orjson
from sqlalchemy import Row, Text, cast, exists, select

from desk import businesses, phone, records, refs
from desk.calendar import appointments, hours, zones
from desk.calendar.appointments import LIVE, Appointment
from desk.calendar.spans import Span, common
from desk.errors import InUse, Invalid
from desk.listing import Found, Window, contains, page
from desk.refs import Ref
from desk.who import Actor
from desk.work import whose
from desk.work.whose import End
from storage.base import Db
from storage.models.businesses import businesses as houses
from storage.models.businesses import staff, staff_absences
from storage.models.calendar import appointments as visits
from storage.models.tenants import users
from storage.models.work import service_requests

NOUN: Final = "technician"
_PRIVATE: Final = ("name", "email", "phone")
_LONGEST: Final = timedelta(days=31, hours=2)
_MOST: Final = 1000  # visits in one schedule

_s = staff.c


@dataclass(frozen=True, slots=True)
class Technician:
    """`kind` is person, or place for a chair or a room that is booked like one."""

    id: int
    uid: str
    business_id: int
    business_uid: str
    user_uid: str | None
    name: str
    kind: str
    email: str | None
    phone: str | None
    skills: tuple[str, ...]
    capacity: int
    hourly_rate_cents: int | None
    currency: str
    is_active: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Absence:
    starts_at: datetime
    ends_at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Schedule:
    """When somebody works (absences taken out), is away, and whom they see, from `starts_at` to `ends_at`."""

    technician: Technician
    time_zone: str
    starts_at: datetime
    ends_at: datetime
    shifts: list[Span]
    absences: list[Absence]
    appointments: list[Appointment]


def find(
    db: Db,
    who: Actor,
    window: Window,
    *,
    search: str | None = None,
    business: Ref | None = None,
    skill: str | None = None,
    is_active: bool | None = None,
    kind: str | None = "person",
) -> Found[Technician]:
    """The tenant's, in the order of the business.

    Raises: NotFound, Invalid
    """
    wanted = _COLUMNS.where(_s.tenant_id == who.tenant_id)
    if business is not None:
        wanted = wanted.where(_s.business_id == refs.id_of(db, houses, who, business, "business"))
    if kind is not None:
        wanted = wanted.where(_s.kind == kind)
    if is_active is not None:
        wanted = wanted.where(_s.is_active.is_(is_active))
    if skill:
        wanted = wanted.where(contains(orjson.dumps(skill).decode(), cast(_s.skills, Text)))
    if search:
        wanted = wanted.where(contains(search, _s.name, _s.email, _s.phone))
    sorts = {"position": _s.position, "name": _s.name, "created_at": _s.created_at}
    return page(db, wanted, window, _one, sorts=sorts, by="position", tie=_s.id)


def get(db: Db, who: Actor, ref: Ref) -> Technician:
    """Raises: NotFound"""
    staff_id = refs.id_of(db, staff, who, ref, NOUN)
    return _one(db.execute(_COLUMNS.where(_s.id == staff_id)).one())


def add(db: Db, who: Actor, values: Mapping[str, Any], *, business: Ref | None = None, now: datetime) -> Technician:
    """`values`: name, email, phone, skills, hourly_rate_cents, is_active, user. Of the tenant's first business, unless
    another is named.

    Raises: NotFound, Invalid
    """
    home = whose.business(db, who, business)
    values = {"business_id": home.id, "kind": "person", **_columns(db, who, home, values)}
    made = records.add(db, who, staff, values, noun=NOUN, private=_PRIVATE, now=now)
    businesses.touch(db, home.id)
    return get(db, who, made.id)


def change(
    db: Db, who: Actor, ref: Ref, values: Mapping[str, Any], *, business: Ref | None = None, now: datetime
) -> Technician:
    """Raises: NotFound, Invalid"""
    row = refs.row(db, staff, who, ref, NOUN)
    home = whose.business(db, who, row.business_id)
    if business is not None and refs.id_of(db, houses, who, business, "business") != home.id:
        raise Invalid("business_id", "Somebody stays with their business: add them to the other one instead.")
    records.change(db, who, staff, row.id, _columns(db, who, home, values), noun=NOUN, private=_PRIVATE, now=now)
    businesses.touch(db, home.id)
    return get(db, who, row.id)


def remove(db: Db, who: Actor, ref: Ref, *, now: datetime) -> None:
    """Forget somebody who never had anything to do; whoever had stays with the history, and works no more.

    Raises: NotFound; InUse, while somebody has an appointment with them
    """
    row = refs.row(db, staff, who, ref, NOUN, lock=True)
    theirs = exists().where(visits.c.staff_id == row.id)
    ahead = theirs.where(visits.c.status.in_(LIVE), visits.c.ends_at > now)
    asked = exists().where(service_requests.c.staff_id == row.id)
    found = db.execute(select(ahead.label("ahead"), theirs.label("visits"), asked.label("asked"))).one()
    if found.ahead:
        raise InUse(NOUN, "This technician still has appointments: move or cancel them first.")
    if found.visits or found.asked:
        records.change(db, who, staff, row.id, {"is_active": False}, noun=NOUN, private=_PRIVATE, now=now)
    else:
        records.remove(db, who, staff, row.id, noun=NOUN, private=_PRIVATE, now=now)
    businesses.touch(db, row.business_id)


def schedule(
    db: Db, who: Actor, ref: Ref, *, start: End | None = None, end: End | None = None, now: datetime
) -> Schedule:
    """From `start` (today) to `end` (a week from there); days are those of the business, and the last one is within.

    Raises: NotFound; Invalid, also for more than 31 days
    """
    technician = get(db, who, ref)
    shop = businesses.load(db, technician.business_id)
    from_at = whose.begins(start or zones.local_day(now, shop.zone), shop.zone) or now
    last_day = zones.local_day(from_at, shop.zone) + timedelta(days=6)
    to_at = whose.ends(end or last_day, shop.zone) or now
    if to_at <= from_at:
        raise Invalid("to", "This ends before it begins.")
    if to_at - from_at > _LONGEST:
        raise Invalid("to", "Ask for at most 31 days at a time.")
    first, last = zones.local_day(from_at, shop.zone), zones.local_day(to_at, shop.zone)
    working = hours.presence(shop, shop.staff_member(technician.id), first, last)
    away = select(staff_absences).where(
        staff_absences.c.staff_id == technician.id,
        staff_absences.c.ends_at > from_at,
        staff_absences.c.starts_at < to_at,
    )
    booked = appointments.find(
        db, who, Window(0, _MOST), from_at=from_at, to_at=to_at, statuses=_SEEN, member=technician.id
    )
    return Schedule(
        technician=technician,
        time_zone=shop.zone.key,
        starts_at=from_at,
        ends_at=to_at,
        shifts=common(working, [Span(from_at, to_at)]),
        absences=[
            Absence(one.starts_at, one.ends_at, one.reason)
            for one in db.execute(away.order_by(staff_absences.c.starts_at))
        ],
        appointments=booked.items,
    )


_SEEN: Final = (*LIVE, "completed", "no_show")


def _columns(db: Db, who: Actor, home: Row[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` as the table has them.

    Raises: NotFound, Invalid
    """
    found = dict(values)
    if "user" in found:
        ref = found.pop("user")
        found["user_id"] = refs.maybe_id_of(db, users, who, ref, "user")
    if found.get("phone"):
        found["phone"] = phone.canonical(found["phone"], phone.region_of(home.phone) if home.phone else "US")
    if found.get("skills") is not None:
        found["skills"] = list(dict.fromkeys(found["skills"]))
    return found


def _one(row: Row[Any]) -> Technician:
    return Technician(
        id=row.id,
        uid=row.uid,
        business_id=row.business_id,
        business_uid=row.business_uid,
        user_uid=row.user_uid,
        name=row.name,
        kind=row.kind,
        email=row.email,
        phone=row.phone,
        skills=tuple(row.skills),
        capacity=row.capacity,
        hourly_rate_cents=row.hourly_rate_cents,
        currency=row.currency,
        is_active=row.is_active,
        created_at=row.created_at,
    )


_COLUMNS: Final = (
    select(
        staff,
        houses.c.uid.label("business_uid"),
        houses.c.currency.label("currency"),
        users.c.uid.label("user_uid"),
    )
    .join(houses, houses.c.id == _s.business_id)
    .outerjoin(users, users.c.id == _s.user_id)
)
