"""Times that can still be booked."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal

from desk.businesses import Business, Service, Staff
from desk.calendar import claims, hours, zones
from desk.calendar.spans import Span
from desk.errors import Invalid
from storage.base import Db

Part = Literal["morning", "afternoon", "evening"]

# When a visit of that part of the day starts; what people call afternoon and evening overlaps.
_PARTS: Mapping[Part, tuple[time, time]] = {
    "morning": (time(0), time(11, 59)),
    "afternoon": (time(12), time(17, 59)),
    "evening": (time(17), time(23, 59)),
}
_WEEK = 7
_REACHES = (0, 2, 7)  # days around the wanted one in which other times are looked for, one after the other


@dataclass(frozen=True, slots=True)
class Slot:
    """A visit that is possible: `starts_at` to `ends_at` (UTC), without buffers. Without `staff_id`: with anyone."""

    staff_id: int | None
    staff_name: str
    service_id: int
    starts_at: datetime
    ends_at: datetime


def at(business: Business, service_id: int, starts_at: datetime, *, staff_id: int | None = None) -> Slot:
    """The slot that starts then, free or not.

    Raises: NotFound
    """
    service = business.service(service_id)
    name = business.staff_member(staff_id).name if staff_id is not None else ""
    return Slot(staff_id, name, service_id, starts_at, starts_at + service.duration)


def free(
    db: Db,
    business: Business,
    service_id: int,
    *,
    from_day: date,
    to_day: date,
    staff_id: int | None = None,
    now: datetime,
    limit: int | None = 200,
    not_before: time | None = None,
    not_after: time | None = None,
    part: Part | None = None,
    ignore_appointment_id: int | None = None,
) -> list[Slot]:
    """What can be booked on the local days `from_day` to `to_day`, earliest first, at most `limit`.

    One slot for each start, with the member who has least to do that day (in the order of the business among equals),
    or only with `staff_id`. The visit lies within the hours of the business and of the member; buffers may reach
    beyond. Starts count from the opening of each range in steps of the service. `not_before` and `not_after` are the
    earliest and latest wall time of the start. The time of `ignore_appointment_id` counts as free (it will move).

    Raises:
        NotFound: no such service or staff member.
        Invalid: the member does not do this service.
    """
    service = business.service(service_id)
    members = able(business, service, staff_id)
    today = zones.local_day(now, business.zone)
    first, last = max(from_day, today), min(to_day, today + timedelta(days=service.horizon_days))
    earliest, latest = _window(not_before, not_after, part)
    soonest = now + service.lead
    found: list[Slot] = []
    while members and first <= last and (limit is None or len(found) < limit):
        until = min(first + timedelta(days=_WEEK - 1), last)
        around = _padded(zones.day_span(first, until, business.zone), service)
        taken = claims.taken(
            db, [member.id for member in members], around, now=now, ignore_appointment_id=ignore_appointment_id
        )
        by_start: dict[datetime, list[Staff]] = {}
        for member in members:
            for start in member_starts(business, member, service, first, until, taken[member.id]):
                by_start.setdefault(start, []).append(member)
        load = _load(members, taken, business)
        any_time = earliest == time.min and latest == time.max
        for start in sorted(by_start):
            if start < soonest or start <= now:
                continue
            if not any_time and not earliest <= start.astimezone(business.zone).time() <= latest:
                continue
            member = _least_busy(by_start[start], load, start, business)
            found.append(Slot(member.id, member.name, service.id, start, start + service.duration))
        first = until + zones.DAY
    return found if limit is None else found[:limit]


def nearest(
    db: Db,
    business: Business,
    service_id: int,
    wanted_at: datetime,
    *,
    staff_id: int | None = None,
    now: datetime,
    limit: int = 3,
    ignore_appointment_id: int | None = None,
) -> list[Slot]:
    """The free slots closest to `wanted_at`, of the same day if there are enough, earliest first.

    Raises: as `free`
    """
    service = business.service(service_id)
    today = zones.local_day(now, business.zone)
    horizon = today + timedelta(days=service.horizon_days)
    day = min(max(zones.local_day(wanted_at, business.zone), today), horizon)

    def within(from_day: date, to_day: date, limit: int | None) -> list[Slot]:
        return free(
            db,
            business,
            service_id,
            from_day=from_day,
            to_day=to_day,
            staff_id=staff_id,
            now=now,
            limit=limit,
            ignore_appointment_id=ignore_appointment_id,
        )

    found: list[Slot] = []
    for reach in _REACHES:
        found = within(day - timedelta(days=reach), day + timedelta(days=reach), None)
        if len(found) >= limit:
            break
    else:
        if not found:
            found = within(today, horizon, limit)
    closest = sorted(found, key=lambda slot: (abs(slot.starts_at - wanted_at), slot.starts_at))[:limit]
    return sorted(closest, key=lambda slot: slot.starts_at)


def able(business: Business, service: Service, staff_id: int | None) -> tuple[Staff, ...]:
    """Who may do `service`: `staff_id` alone, or all who can.

    Raises: NotFound, Invalid
    """
    if staff_id is None:
        return business.staff_for(service)
    member = business.staff_member(staff_id)
    if not member.can_do(service):
        raise Invalid("staff_id", f"{member.name} does not do this.")
    return (member,)


def is_offered(business: Business, member: Staff, service: Service, starts_at: datetime, *, now: datetime) -> bool:
    """Whether `free` would list that start if nobody had booked anything."""
    day = zones.local_day(starts_at, business.zone)
    horizon = zones.local_day(now, business.zone) + timedelta(days=service.horizon_days)
    if not service.is_active or starts_at <= now or starts_at < now + service.lead or day > horizon:
        return False
    return starts_at in grid(business, member, service, day)


def busy_order(
    business: Business, members: Sequence[Staff], taken: Mapping[int, claims.Units], day: date
) -> list[Staff]:
    """Whoever has least to do on the local `day` first; the order of the business among equals."""
    load = _load(members, taken, business)
    return sorted(members, key=lambda member: load.get((member.id, day), 0))


def member_starts(
    business: Business, member: Staff, service: Service, first: date, last: date, taken: claims.Units
) -> list[datetime]:
    """When a visit with `member` can start on the local days `first` to `last`, given what is `taken`."""
    days = (first + timedelta(days=ahead) for ahead in range((last - first).days + 1))
    offered = [start for day in days for start in grid(business, member, service, day)]
    if not taken:
        return offered
    before, whole = service.buffer_before, service.duration + service.buffer_after
    return [
        start
        for start in offered
        if claims.free_unit(taken, Span(start - before, start + whole), member.capacity) is not None
    ]


def grid(business: Business, member: Staff, service: Service, day: date) -> tuple[datetime, ...]:
    """When a visit with `member` could start on the local `day` if nobody had booked anything. Worked out once."""
    # Whoever works the business's own hours has the same grid as the others who do.
    who = member.id if member.hours is not None or member.absences else None
    key = ("grid", who, service.id, day)
    return business.once(key, lambda: tuple(_grid(business, member, service, day)))


def _grid(business: Business, member: Staff, service: Service, day: date) -> list[datetime]:
    # A night that began on the day before may offer starts after midnight; a visit may end on the day after.
    working = [
        span for ahead in (-1, 0) for span in hours.working_ranges(business, member, day + timedelta(days=ahead))
    ]
    there = hours.presence(business, member, day, day + zones.DAY + timedelta(days=service.duration.days))
    within = zones.day_span(day, day, business.zone)
    return sorted({start for start in starts(working, there, service) if within.start <= start < within.end})


def starts(working: Iterable[Span], there: Sequence[Span], service: Service) -> Iterator[datetime]:
    """Starts on the grid of each `working` range whose visit lies in one piece of `there`."""
    step = timedelta(minutes=service.step_minutes)
    duration = service.duration
    for begin, end in working:
        start = begin
        for piece in there:
            if piece.end <= start:
                continue
            if piece.start > start:  # on to the grid's next point within the piece
                start += step * -((start - piece.start) // step)
            while start < end and start + duration <= piece.end:
                yield start
                start += step
            if start >= end:
                break


def _window(not_before: time | None, not_after: time | None, part: Part | None) -> tuple[time, time]:
    earliest, latest = _PARTS[part] if part is not None else (time.min, time.max)
    return max(earliest, not_before or time.min), min(latest, not_after or time.max)


def _padded(span: Span, service: Service) -> Span:
    # A visit that starts on the last day may end on the next, and buffers reach beyond both ends.
    return Span(span.start - service.buffer_before, span.end + service.duration + service.buffer_after)


def _least_busy(
    members: list[Staff], load: Mapping[tuple[int, date], int], start: datetime, business: Business
) -> Staff:
    if len(members) == 1 or not load:
        return members[0]
    day = zones.local_day(start, business.zone)
    return min(members, key=lambda one: load.get((one.id, day), 0))


def _load(
    members: Iterable[Staff], taken: Mapping[int, claims.Units], business: Business
) -> dict[tuple[int, date], int]:
    """How many claims each member has on each local day."""
    load: dict[tuple[int, date], int] = {}
    for member in members:
        for spans in taken[member.id].values():
            for span in spans:
                key = member.id, zones.local_day(span.start, business.zone)
                load[key] = load.get(key, 0) + 1
    return load
