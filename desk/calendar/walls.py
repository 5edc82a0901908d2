"""Visits stay at their wall time when the rules of their zone change between booking and visit.

Such rules come with the system or the package `tzdata` and are read when a process starts, so that is when to look.
`local_start` is what people were told; the instant follows it.
"""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import select, update

from desk import businesses
from desk.calendar import bookings, zones
from desk.calendar.appointments import LIVE
from desk.who import Actor
from storage.base import Db
from storage.models import businesses as models
from storage.models.calendar import appointments
from storage.session import Conflict, attempt

_a = appointments.c
_MINUTE: Final = timedelta(minutes=1)  # what a wall time is exact to


@dataclass(frozen=True, slots=True)
class Astray:
    """Visits of one business that are at another time on its wall than people were told: ids, and by how much they are to
    be moved.
    """

    tenant_id: int
    business_id: int
    shifts: Collection[tuple[int, timedelta]]


def astray(db: Db, *, now: datetime) -> list[Astray]:
    """All of them that are still to come, in an order in which none gets into another's way."""
    wanted = (
        select(_a.id, _a.tenant_id, _a.business_id, _a.starts_at, _a.local_start, models.businesses.c.time_zone)
        .join(models.businesses, models.businesses.c.id == _a.business_id)
        .where(_a.starts_at > now, _a.status.in_(LIVE))
        .order_by(_a.starts_at)
    )
    later: defaultdict[tuple[int, int], list[tuple[int, timedelta]]] = defaultdict(list)
    earlier: defaultdict[tuple[int, int], list[tuple[int, timedelta]]] = defaultdict(list)
    for row in db.execute(wanted):
        if shift := _shift(row.starts_at, row.local_start, ZoneInfo(row.time_zone)):
            (later if shift > timedelta() else earlier)[row.tenant_id, row.business_id].append((row.id, shift))
    return [Astray(*business, [*earlier[business], *reversed(later[business])]) for business in {**earlier, **later}]


def put_right(db: Db, found: Astray, *, now: datetime) -> list[int]:
    """Move them, with their reminders; which had to stay, since somebody else has that time by now."""
    who, business = Actor(found.tenant_id, "system"), businesses.load(db, found.business_id)
    stay: list[int] = []
    for appointment_id, shift in found.shifts:
        try:
            with attempt(db):
                bookings.shift(db, who, business, appointment_id, shift, now=now)
        except Conflict:
            stay.append(appointment_id)
    return stay


def read_anew(db: Db, business_id: int, time_zone: str, *, now: datetime) -> None:
    """The business is in another zone than was written down: its visits stay where they are, and are other times there."""
    zone = ZoneInfo(time_zone)
    mine = select(_a.id, _a.starts_at).where(_a.business_id == business_id, _a.starts_at > now)
    for row in db.execute(mine).all():
        wall = f"{zones.local(row.starts_at, zone):%Y-%m-%dT%H:%M}"
        db.execute(update(appointments).where(_a.id == row.id).values(local_start=wall))


def _shift(starts_at: datetime, told: str, zone: ZoneInfo) -> timedelta:
    wanted = min(zones.instants(datetime.fromisoformat(told), zone), key=lambda one: abs(one - starts_at))
    shift = wanted - starts_at.replace(second=0, microsecond=0)
    return shift if abs(shift) >= _MINUTE else timedelta()
