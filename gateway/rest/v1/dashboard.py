"""`/dashboard`: how things stand, in figures that are counted."""

from typing import Annotated

from pydantic import Field

from desk import analytics, money
from gateway.rest.call import Call
from gateway.rest.route import Routes
from gateway.rest.schema import Answer, Moment, Query, Uid

routes = Routes("Dashboard")

Rate = Annotated[float | None, Field(ge=0, le=1)]


class Owed(Answer):
    count: int
    total: float

    @classmethod
    def of(cls, one: analytics.Owed) -> "Owed":
        return cls(count=one.count, total=money.number(one.total_cents))


class Csat(Answer):
    """What customers thought of it, from 1 to 5."""

    average: Annotated[float | None, Field(ge=1, le=5)]
    count: int


class Dashboard(Answer):
    """Days and months are those of `time_zone`; money is what is billed in `currency`. Rates and `csat` look back
    `period_days`, and are null without data. `bot_resolution_rate`: conversations closed without a person being asked for.
    """

    as_of: Moment
    time_zone: str
    currency: str | None
    period_days: int
    customers: int
    customers_new: Annotated[int, Field(description="Within `period_days`.")]
    conversations_open: int
    conversations_waiting: Annotated[int, Field(description="Open, and waiting for a person.")]
    messages_24h: int
    bot_resolution_rate: Rate
    csat: Csat
    appointments_today: int
    appointments_upcoming: int
    no_show_rate: Rate
    service_requests_open: int
    invoices_open: Annotated[Owed, Field(description="Sent and not paid.")]
    invoices_overdue: Owed
    revenue_month: Annotated[float, Field(description="Paid since the first of the month.")]


class Filter(Query):
    business_id: Uid | None = None


@routes.get("/dashboard", scope="dashboard:read", summary="Figures", errors=(404,))
async def read(call: Call, query: Filter) -> Dashboard:
    """Of one business, or of all. Customers are counted for all either way."""
    found = await call.read(analytics.dashboard, business=query.business_id, now=call.now)
    return Dashboard(
        as_of=call.now,
        time_zone=found.time_zone,
        currency=found.currency,
        period_days=analytics.PERIOD_DAYS,
        customers=found.customers,
        customers_new=found.customers_new,
        conversations_open=found.conversations_open,
        conversations_waiting=found.conversations_waiting,
        messages_24h=found.messages_24h,
        bot_resolution_rate=found.bot_resolution_rate,
        csat=Csat(average=found.csat_average, count=found.csat_count),
        appointments_today=found.appointments_today,
        appointments_upcoming=found.appointments_upcoming,
        no_show_rate=found.no_show_rate,
        service_requests_open=found.service_requests_open,
        invoices_open=Owed.of(found.invoices_open),
        invoices_overdue=Owed.of(found.invoices_overdue),
        revenue_month=money.number(found.revenue_month_cents),
    )
