"""When campaigns write to somebody about a visit: jobs that move and vanish with it.

Like a reminder, but it may lie behind the visit too, and whether it is (still) wanted is decided by the broadcast when the
job is due (`broadcasts.due`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import Row, bindparam, select

from desk.calendar import zones
from desk.calendar.appointments import LIVE, Appointment
from storage import queue
from storage.base import Db
from storage.models.accounts import accounts
from storage.models.businesses import businesses, services
from storage.models.calendar import appointments
from storage.models.work import broadcast_recipients as recipients
from storage.models.work import broadcasts
from storage.prepared import Prepared

KIND: Final = "broadcast_visit"  # the job that writes one message

# What a visit may have become for a message before it, and for one after it.
_BEFORE: Final = LIVE
_AFTER: Final = (*LIVE, "completed")
_FARTHEST: Final = timedelta(days=2)  # from a day's midnight in a zone to any time of it, and more
_WORKING: Final = ("scheduled", "sending", "paused")


@dataclass(frozen=True, slots=True)
class Relative:
    """So many `days` after the visit, or before it when negative, when the wall clock of the business shows `at_minute`.
    `services` are uids; none means any.
    """

    days: int
    at_minute: int
    is_after: bool
    services: frozenset[str] = frozenset()

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> "Relative":
        """From what a broadcast keeps of it."""
        hour, _, minute = stored["at"].partition(":")
        is_after = stored.get("days_after") is not None
        days = stored["days_after"] if is_after else -stored["days_before"]
        return cls(days, int(hour) * 60 + int(minute), is_after, frozenset(stored.get("service_ids", ())))

    @property
    def statuses(self) -> tuple[str, ...]:
        """Of visits for which it is wanted."""
        return _AFTER if self.is_after else _BEFORE

    def moment(self, starts_at: datetime, ends_at: datetime, zone: tzinfo) -> datetime | None:
        """When it is to be written; None when that would be on the wrong side of the visit, on its very day.

        A time that the clocks skip is the moment after the gap, one that they show twice is the first.
        """
        day = zones.local_day(starts_at, zone) + timedelta(days=self.days)
        at = zones.instant(zones.at_minute(day, self.at_minute), zone)
        return at if (at >= ends_at if self.is_after else at < starts_at) else None


def schedule(db: Db, appointment: Appointment, zone: tzinfo, *, now: datetime) -> None:
    """Have the campaigns that are under way write about this visit; what was planned for it before is forgotten.

    What is due already is left alone: for a visit whose moment was over when it was booked nothing is written.
    """
    cancel(db, appointment.id)
    for row in _CAMPAIGNS(db, {"tenant_id": appointment.tenant_id, "business_id": appointment.business_id}):
        relative = Relative.of(row.relative)
        if appointment.status not in relative.statuses:
            continue
        if relative.services and appointment.service_uid not in relative.services:
            continue
        at = relative.moment(appointment.starts_at, appointment.ends_at, zone)
        if at is not None and at >= now:
            plan(db, row.id, appointment.tenant_id, appointment.id, at, now=now)


def cancel(db: Db, appointment_id: int) -> None:
    """Write nothing about it."""
    queue.cancel_prefix(db, f"{KIND}:{appointment_id}:")


def plan(db: Db, broadcast_id: int, tenant_id: int, appointment_id: int, at: datetime, *, now: datetime) -> None:
    """Write about that visit at `at`."""
    queue.enqueue(
        db,
        KIND,
        {"broadcast_id": broadcast_id, "appointment_id": appointment_id},
        now=now,
        run_at=at,
        tenant_id=tenant_id,
        lane=f"broadcasts:{tenant_id}",
        priority=1,
        dedupe=f"{KIND}:{appointment_id}:{broadcast_id}",
    )


def plan_existing(
    db: Db, broadcast_id: int, relative: Relative, *, since: datetime, after: int, limit: int, now: datetime
) -> int | None:
    """Plan for the next visits behind the id `after`, with moments from `since` on and not written about yet; the last of
    them, or None at the end.
    """
    done = recipients.c.broadcast_id == broadcast_id, recipients.c.appointment_id == _a.id
    wanted = (
        select(_a.id, _a.tenant_id, _a.starts_at, _a.ends_at, businesses.c.time_zone)
        .select_from(
            appointments.join(businesses, businesses.c.id == _a.business_id)
            .join(accounts, accounts.c.business_id == businesses.c.id)
            .join(broadcasts, broadcasts.c.account_id == accounts.c.id)
            .join(services, services.c.id == _a.service_id)
        )
        .where(
            broadcasts.c.id == broadcast_id,
            _a.tenant_id == broadcasts.c.tenant_id,
            _a.id > after,
            _a.status.in_(relative.statuses),
            _a.starts_at >= since - timedelta(days=relative.days) - _FARTHEST,
            ~select(recipients.c.id).where(*done, recipients.c.skipped_for.is_(None)).exists(),
        )
        .order_by(_a.id)
        .limit(limit)
    )
    if relative.services:
        wanted = wanted.where(services.c.uid.in_(sorted(relative.services)))
    last: int | None = None
    for row in db.execute(wanted):
        last = row.id
        at = relative.moment(row.starts_at, row.ends_at, ZoneInfo(row.time_zone))
        if at is not None and at >= since:
            plan(db, broadcast_id, row.tenant_id, row.id, at, now=now)
    return last


def ahead(
    db: Db, tenant_id: int, business_id: int, relative: Relative, *, after: int, limit: int, now: datetime
) -> list[tuple[int, int, bool]]:
    """The next visits of the business behind the id `after` that a campaign could still be about: each with its customer,
    and whether its moment is yet to come.
    """
    wanted = (
        select(_a.id, _a.customer_id, _a.starts_at, _a.ends_at, businesses.c.time_zone)
        .select_from(
            appointments.join(businesses, businesses.c.id == _a.business_id).join(
                services, services.c.id == _a.service_id
            )
        )
        .where(
            _a.tenant_id == tenant_id,
            _a.business_id == business_id,
            _a.id > after,
            _a.status.in_(relative.statuses),
            _a.starts_at >= now - timedelta(days=relative.days) - _FARTHEST,
        )
        .order_by(_a.id)
        .limit(limit)
    )
    if relative.services:
        wanted = wanted.where(services.c.uid.in_(sorted(relative.services)))
    found = []
    for row in db.execute(wanted):
        at = relative.moment(row.starts_at, row.ends_at, ZoneInfo(row.time_zone))
        found.append((row.id, row.customer_id, at is not None and at >= now))
    return found


def visit(db: Db, appointment_id: int) -> Row[Any] | None:
    """What the job needs of it, and nobody changes it before the commit."""
    found: Row[Any] | None = _VISIT(db, {"appointment_id": appointment_id}).one_or_none()
    return found


_a, _b = appointments.c, broadcasts.c
_CAMPAIGNS = Prepared(
    select(_b.id, _b.relative)
    .join(accounts, accounts.c.id == _b.account_id)
    .where(
        _b.tenant_id == bindparam("tenant_id"),
        accounts.c.business_id == bindparam("business_id"),
        _b.relative.is_not(None),
        _b.status.in_(_WORKING),
    )
)
_VISIT = Prepared(
    select(
        _a.id,
        _a.business_id,
        _a.customer_id,
        _a.status,
        _a.sequence,
        _a.starts_at,
        _a.ends_at,
        services.c.uid.label("service_uid"),
        businesses.c.time_zone,
    )
    .select_from(
        appointments.join(services, services.c.id == _a.service_id).join(businesses, businesses.c.id == _a.business_id)
    )
    .where(_a.id == bindparam("appointment_id"))
    .with_for_update(of=appointments, key_share=True)
)
