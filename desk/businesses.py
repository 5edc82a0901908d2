"""A business as one snapshot: what a bot keeps in memory and every question about the calendar starts from."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Literal, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import Row, Select, Table, bindparam, select, update

from desk import phone
from desk.errors import NotFound
from storage.base import Db
from storage.models import businesses as models
from storage.prepared import Prepared

WEEK = 7


T = TypeVar("T")

_MEMO = 20_000  # things worked out and kept for one business


@dataclass(frozen=True, slots=True)
class Range:
    """Minutes since the local midnight; one that ends after midnight closes at more than 1440."""

    opens_minute: int
    closes_minute: int


# The ranges of each weekday, Monday first.
Weekly = tuple[tuple[Range, ...], ...]


@dataclass(frozen=True, slots=True)
class Holiday:
    """A day that differs from its weekday; without ranges it is closed."""

    name: str
    ranges: tuple[Range, ...]


@dataclass(frozen=True, slots=True)
class Service:
    """What can be booked. `step_minutes`: starts lie so far apart, counted from opening."""

    id: int
    uid: str
    name: str
    description: str
    keywords: tuple[str, ...]
    skills: frozenset[str]
    duration_minutes: int
    buffer_before_minutes: int
    buffer_after_minutes: int
    lead_minutes: int
    horizon_days: int
    step_minutes: int
    price_cents: int | None
    is_active: bool

    @property
    def duration(self) -> timedelta:
        return timedelta(minutes=self.duration_minutes)

    @property
    def buffer_before(self) -> timedelta:
        return timedelta(minutes=self.buffer_before_minutes)

    @property
    def buffer_after(self) -> timedelta:
        return timedelta(minutes=self.buffer_after_minutes)

    @property
    def lead(self) -> timedelta:
        return timedelta(minutes=self.lead_minutes)


@dataclass(frozen=True, slots=True)
class Absence:
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Staff:
    """Somebody who does the work, or a chair or a room. `hours` is None for the hours of the business."""

    id: int
    uid: str
    name: str
    kind: str
    skills: frozenset[str]
    capacity: int
    hours: Weekly | None
    absences: tuple[Absence, ...]
    is_active: bool

    def can_do(self, service: Service) -> bool:
        return self.is_active and service.skills <= self.skills


@dataclass(frozen=True, slots=True)
class Faq:
    id: int
    question: str
    answer: str
    phrasings: tuple[str, ...]
    language: str


@dataclass(frozen=True, slots=True)
class ReminderRule:
    """So many minutes before a visit, or some days before it at a minute of the local day; by a message, or by telephone."""

    name: str
    minutes_before: int | None
    days_before: int | None
    at_minute: int | None
    channel: Literal["text", "call"] = "text"


@dataclass(frozen=True, slots=True)
class Business:
    """`services`, `staff` and `faqs` are in the order of the business. They hold what is offered now; the two look-ups
    also know what no longer is, since appointments outlive it. `region` is the country of its telephone number.
    """

    id: int
    uid: str
    tenant_id: int
    name: str
    description: str
    phone: str | None
    email: str | None
    website: str | None
    address: str | None
    region: str
    zone: ZoneInfo
    languages: tuple[str, ...]
    currency: str
    revision: int
    hours: Weekly
    holidays: Mapping[date, Holiday]
    services: tuple[Service, ...]
    staff: tuple[Staff, ...]
    faqs: tuple[Faq, ...]
    reminder_rules: tuple[ReminderRule, ...]
    former_services: tuple[Service, ...]
    former_staff: tuple[Staff, ...]
    # What was worked out from the rest, which never changes.
    _memo: dict[tuple[Any, ...], Any] = field(default_factory=dict, init=False, compare=False, repr=False)

    def once(self, key: tuple[Any, ...], work_out: Callable[[], T]) -> T:
        """What `work_out` makes of this snapshot, worked out the first time and kept; the key says what it is."""
        known: T | None = self._memo.get(key)
        if known is None:  # two threads may work it out at once, which costs time and nothing else
            if len(self._memo) >= _MEMO:
                self._memo.clear()
            known = self._memo[key] = work_out()
        return known

    def service(self, service_id: int) -> Service:
        """Raises: NotFound"""
        for service in (*self.services, *self.former_services):
            if service.id == service_id:
                return service
        raise NotFound("service", service_id)

    def staff_member(self, staff_id: int) -> Staff:
        """Raises: NotFound"""
        for member in (*self.staff, *self.former_staff):
            if member.id == staff_id:
                return member
        raise NotFound("staff member", staff_id)

    def staff_for(self, service: Service) -> tuple[Staff, ...]:
        """Who can do it, in the order of the business."""
        return tuple(member for member in self.staff if member.can_do(service))


def load(db: Db, business_id: int) -> Business:
    """The business as it is now. Keep it until `Context.business_revision` differs from its `revision`.

    Raises: NotFound
    """
    row = _BUSINESS(db, {"business_id": business_id}).one_or_none()
    if row is None:
        raise NotFound("business", business_id)
    services = tuple(_service(found) for found in _SERVICES(db, {"business_id": business_id}))
    staff = _staff(db, business_id)
    return Business(
        id=row.id,
        uid=row.uid,
        tenant_id=row.tenant_id,
        name=row.name,
        description=row.description,
        phone=row.phone,
        email=row.email,
        website=row.website,
        address=row.address,
        region=phone.region_of(row.phone) if row.phone else "US",
        zone=ZoneInfo(row.time_zone),
        languages=tuple(row.languages) or ("en",),
        currency=row.currency,
        revision=row.revision,
        hours=_weekly(_HOURS(db, {"business_id": business_id})),
        holidays=_holidays(_HOLIDAYS(db, {"business_id": business_id})),
        services=tuple(service for service in services if service.is_active),
        staff=tuple(member for member in staff if member.is_active),
        faqs=tuple(
            Faq(faq.id, faq.question, faq.answer, tuple(faq.phrasings), faq.language)
            for faq in _FAQS(db, {"business_id": business_id})
        ),
        reminder_rules=tuple(
            ReminderRule(rule.name, rule.minutes_before, rule.days_before, rule.at_minute, rule.channel)
            for rule in _RULES(db, {"business_id": business_id})
        ),
        former_services=tuple(service for service in services if not service.is_active),
        former_staff=tuple(member for member in staff if not member.is_active),
    )


def touch(db: Db, business_id: int) -> None:
    """Call it with every change of what `load` returns: whoever keeps a snapshot will load anew."""
    _TOUCH(db, {"business_id": business_id})


def _of_business(table: Table, *order: str) -> Select[Any]:
    wanted = select(table).where(table.c.business_id == bindparam("business_id"))
    return wanted.order_by(*(table.c[name] for name in order))


def _of_staff(table: Table, *order: str) -> Select[Any]:
    wanted = select(table).join(models.staff, models.staff.c.id == table.c.staff_id)
    wanted = wanted.where(models.staff.c.business_id == bindparam("business_id"))
    return wanted.order_by(*(table.c[name] for name in order))


_BUSINESS = Prepared(select(models.businesses).where(models.businesses.c.id == bindparam("business_id")))
_HOURS = Prepared(_of_business(models.business_hours, "weekday", "opens_minute"))
_HOLIDAYS = Prepared(_of_business(models.holidays, "day", "opens_minute"))
_SERVICES = Prepared(_of_business(models.services, "position", "id"))
_STAFF = Prepared(_of_business(models.staff, "position", "id"))
_STAFF_HOURS = Prepared(_of_staff(models.staff_hours, "weekday", "opens_minute"))
_ABSENCES = Prepared(_of_staff(models.staff_absences, "starts_at"))
_FAQS = Prepared(_of_business(models.faqs, "position", "id").where(models.faqs.c.is_active.is_(True)))
_RULES = Prepared(_of_business(models.reminder_rules, "id"))
_TOUCH = Prepared(
    update(models.businesses)
    .where(models.businesses.c.id == bindparam("business_id"))
    .values(revision=models.businesses.c.revision + 1)
)


def _service(row: Row[Any]) -> Service:
    return Service(
        id=row.id,
        uid=row.uid,
        name=row.name,
        description=row.description,
        keywords=tuple(row.keywords),
        skills=frozenset(row.skills),
        duration_minutes=row.duration_minutes,
        buffer_before_minutes=row.buffer_before_minutes,
        buffer_after_minutes=row.buffer_after_minutes,
        lead_minutes=row.lead_minutes,
        horizon_days=row.horizon_days,
        step_minutes=max(row.step_minutes, 1),
        price_cents=row.price_cents,
        is_active=row.is_active,
    )


def _staff(db: Db, business_id: int) -> list[Staff]:
    plans: dict[int, list[Row[Any]]] = defaultdict(list)
    for row in _STAFF_HOURS(db, {"business_id": business_id}):
        plans[row.staff_id].append(row)
    absences: dict[int, list[Absence]] = defaultdict(list)
    for row in _ABSENCES(db, {"business_id": business_id}):
        absences[row.staff_id].append(Absence(row.starts_at, row.ends_at))
    return [
        Staff(
            id=row.id,
            uid=row.uid,
            name=row.name,
            kind=row.kind,
            skills=frozenset(row.skills),
            capacity=row.capacity,
            hours=_weekly(plans[row.id]) if row.id in plans else None,
            absences=tuple(absences[row.id]),
            is_active=row.is_active,
        )
        for row in _STAFF(db, {"business_id": business_id})
    ]


def _weekly(rows: Iterable[Row[Any]]) -> Weekly:
    days: list[list[Range]] = [[] for _ in range(WEEK)]
    for row in rows:
        days[row.weekday].append(Range(row.opens_minute, row.closes_minute))
    return tuple(tuple(ranges) for ranges in days)


def _holidays(rows: Iterable[Row[Any]]) -> dict[date, Holiday]:
    found: dict[date, Holiday] = {}
    for row in rows:
        ranges = found[row.day].ranges if row.day in found else ()
        if row.opens_minute is not None:
            ranges = (*ranges, Range(row.opens_minute, row.closes_minute))
        found[row.day] = Holiday(row.name, ranges)
    return found
