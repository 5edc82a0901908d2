"""What a tenant, or one of its businesses, can be told in figures. Counted from the rows; what has no data is None."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, Table, exists, func, or_, select

from desk import refs, segments
from desk.calendar import zones
from desk.calendar.appointments import LIVE
from desk.calendar.spans import Span
from desk.refs import Ref
from desk.sales import invoices as billing
from desk.who import Actor
from desk.work.requests import OPEN
from storage.base import Db
from storage.models.businesses import businesses
from storage.models.calendar import appointments
from storage.models.conversations import conversations, messages, owner_changes, ratings
from storage.models.customers import customers
from storage.models.work import invoices, service_requests

PERIOD_DAYS: Final = 30  # that rates and ratings look back
_DAY: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Owed:
    """So many invoices, and what they come to in the currency of the figures."""

    count: int
    total_cents: int


@dataclass(frozen=True, slots=True)
class Figures:
    """Days and months are those of `time_zone`; money is what is billed in `currency`. Rates are from 0 to 1, of the last
    `PERIOD_DAYS`: visits that nobody came to among those that were to be, and conversations that were closed without a
    person ever being asked for.
    """

    time_zone: str
    currency: str | None
    customers: int
    customers_new: int
    conversations_open: int
    conversations_waiting: int
    messages_24h: int
    bot_resolution_rate: float | None
    csat_average: float | None
    csat_count: int
    appointments_today: int
    appointments_upcoming: int
    no_show_rate: float | None
    service_requests_open: int
    invoices_open: Owed
    invoices_overdue: Owed
    revenue_month_cents: int


def dashboard(db: Db, who: Actor, *, business: Ref | None = None, now: datetime) -> Figures:
    """How things stand at `now`, of one business or of them all. Customers are the tenant's either way.

    Raises: NotFound
    """
    wanted = select(businesses).where(businesses.c.tenant_id == who.tenant_id)
    business_id = refs.maybe_id_of(db, businesses, who, business, "business")
    if business_id is not None:
        wanted = wanted.where(businesses.c.id == business_id)
    home = db.execute(wanted.order_by(businesses.c.id).limit(1)).one_or_none()
    time_zone, currency = ("UTC", None) if home is None else (home.time_zone, home.currency)
    zone = ZoneInfo(time_zone)
    today = zones.local_day(now, zone)
    day = zones.day_span(today, today, zone)
    month = Span(zones.day_span(today.replace(day=1), today, zone).start, now)
    since = now - timedelta(days=PERIOD_DAYS)

    def theirs(table: Table, what: Any, *where: ColumnElement[bool]) -> Select[Any]:
        found = select(what).select_from(table).where(table.c.tenant_id == who.tenant_id, *where)
        if business_id is not None and "business_id" in table.c:
            return found.where(table.c.business_id == business_id)
        return found

    def count(table: Table, *where: ColumnElement[bool]) -> Any:
        return theirs(table, func.count(), *where).scalar_subquery()

    def owed(what: Any, *where: ColumnElement[bool]) -> Any:
        return theirs(invoices, what, invoices.c.currency == currency, *where).scalar_subquery()

    present = segments.present(who)
    a, c, i, m, r = appointments.c, conversations.c, invoices.c, messages.c, ratings.c
    total = func.coalesce(func.sum(i.total_cents), 0)
    unpaid, late = i.status == "sent", billing.is_overdue(db, who, now=now)
    past = a.starts_at >= since, a.starts_at <= now
    closed = c.status == "closed", c.closed_at >= since
    asked = exists().where(
        owner_changes.c.conversation_id == c.id,
        owner_changes.c.owner.in_(("queue", "staff")),
        owner_changes.c.at >= since,
    )
    # By way of the few conversations that are active: no index knows when the millions of messages were written.
    active = theirs(conversations, c.id, or_(c.last_in_at >= now - _DAY, c.last_out_at >= now - _DAY))
    said = select(func.count()).select_from(messages)
    said = said.where(m.conversation_id.in_(active), m.created_at >= now - _DAY, m.is_private.is_(False))
    rated = select(func.avg(r.score), func.count()).where(r.tenant_id == who.tenant_id, r.at >= since)
    if business_id is not None:
        rated = rated.where(r.conversation_id.in_(select(c.id).where(c.business_id == business_id)))

    found = db.execute(
        select(
            count(customers, present).label("customers"),
            count(customers, present, customers.c.created_at >= since).label("new"),
            count(conversations, c.status == "open").label("open"),
            count(conversations, c.status == "open", c.owner == "queue").label("waiting"),
            said.scalar_subquery().label("said"),
            count(conversations, *closed).label("closed"),
            count(conversations, *closed, ~asked).label("by_bot"),
            count(appointments, a.status != "cancelled", a.starts_at >= day.start, a.starts_at < day.end).label(
                "today"
            ),
            count(appointments, a.status.in_(LIVE), a.starts_at > now).label("upcoming"),
            count(appointments, a.status == "completed", *past).label("came"),
            count(appointments, a.status == "no_show", *past).label("missed"),
            count(service_requests, service_requests.c.status.in_(OPEN)).label("asks"),
            owed(func.count(), unpaid).label("unpaid"),
            owed(total, unpaid).label("unpaid_cents"),
            owed(func.count(), late).label("late"),
            owed(total, late).label("late_cents"),
            owed(total, i.status == "paid", i.paid_at >= month.start, i.paid_at <= month.end).label("revenue_cents"),
        )
    ).one()
    score, scores = db.execute(rated).one()
    return Figures(
        time_zone=time_zone,
        currency=currency,
        customers=found.customers,
        customers_new=found.new,
        conversations_open=found.open,
        conversations_waiting=found.waiting,
        messages_24h=found.said,
        bot_resolution_rate=_rate(found.by_bot, found.closed),
        csat_average=None if score is None else round(float(score), 2),
        csat_count=scores,
        appointments_today=found.today,
        appointments_upcoming=found.upcoming,
        no_show_rate=_rate(found.missed, found.came + found.missed),
        service_requests_open=found.asks,
        invoices_open=Owed(found.unpaid, int(found.unpaid_cents)),
        invoices_overdue=Owed(found.late, int(found.late_cents)),
        revenue_month_cents=int(found.revenue_cents),
    )


def _rate(some: int, all_of_them: int) -> float | None:
    return None if all_of_them == 0 else round(some / all_of_them, 4)
