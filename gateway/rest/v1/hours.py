"""`/businesses/{id}/hours`, `/holidays` and `/reminder-rules`: when it is open, and when people are reminded."""

import datetime as dt
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from desk import opening, reminder_rules
from desk.businesses import Holiday as Differs
from desk.businesses import ReminderRule
from gateway.rest.call import Call
from gateway.rest.route import Routes
from gateway.rest.schema import Answer, Body, Line, Page, SkipQuery, Uid
from gateway.rest.v1.weeks import OpenRange, Opens, Ranges, Week, minute_of, time_of

routes = Routes("Opening hours")


class Holiday(Answer):
    """A day that differs from its weekday; without ranges it is closed."""

    date: dt.date
    name: str
    ranges: list[OpenRange]
    is_closed: bool

    @classmethod
    def of(cls, day: dt.date, one: Differs) -> "Holiday":
        ranges = [OpenRange.of(each) for each in one.ranges]
        return cls(date=day, name=one.name, ranges=ranges, is_closed=not ranges)


class HolidayOf(Body):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"name": "Christmas Eve", "ranges": [{"opens": "09:00", "closes": "13:00"}]}],
        }
    )

    name: Line = ""
    ranges: Ranges = Field(default=[])

    @property
    def differs(self) -> Differs:
        return Differs(self.name, tuple(one.range for one in self.ranges))


class NewHoliday(HolidayOf):
    model_config = ConfigDict(json_schema_extra={"examples": [{"date": "2026-12-25", "name": "Christmas Day"}]})

    date: dt.date


class Since(SkipQuery):
    since: Annotated[dt.date | None, Field(description="Leave out the days before this one.")] = None


class Rule(Body):
    """Either so many minutes before a visit, or some days before it at a time of day. By `call`, the customer is telephoned;
    who cannot be reached so gets a message after all.
    """

    name: Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*$")]
    minutes_before: Annotated[int, Field(ge=1, le=86_400)] | None = None
    days_before: Annotated[int, Field(ge=0, le=60)] | None = None
    at: Opens | None = None
    channel: Literal["text", "call"] = "text"

    @classmethod
    def of(cls, one: ReminderRule) -> "Rule":
        at = None if one.at_minute is None else time_of(one.at_minute)
        return cls(
            name=one.name, minutes_before=one.minutes_before, days_before=one.days_before, at=at, channel=one.channel
        )

    @property
    def rule(self) -> ReminderRule:
        at = None if self.at is None else minute_of(self.at)
        return ReminderRule(self.name, self.minutes_before, self.days_before, at, self.channel)


class Rules(Body):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "rules": [
                        {"name": "2 hours before", "minutes_before": 120},
                        {"name": "the day before", "days_before": 1, "at": "10:00", "channel": "call"},
                    ]
                }
            ]
        }
    )

    rules: Annotated[list[Rule], Field(max_length=10)]


@routes.get("/businesses/{business_id}/hours", scope="businesses:read", summary="Opening hours")
async def read(call: Call, business_id: Uid) -> Week:
    return Week.of(await call.read(opening.hours, business_id))


@routes.put("/businesses/{business_id}/hours", scope="businesses:write", summary="Replace the opening hours")
async def replace(call: Call, business_id: Uid, body: Week) -> Week:
    """Days that are left out are closed. `closes` not later than `opens` is on the next day."""
    return Week.of(await call.write(opening.set_hours, business_id, body.weekly, now=call.now))


@routes.get("/businesses/{business_id}/holidays", scope="businesses:read", summary="Days that differ")
async def holidays(call: Call, business_id: Uid, query: Since) -> Page[Holiday]:
    found, window = await call.read(opening.holidays, business_id, since=query.since), query.window()
    shown = [*found.items()][window.offset : window.offset + window.limit]
    return Page[Holiday](
        items=[Holiday.of(day, one) for day, one in shown],
        total=len(found),
        skip=window.offset,
        offset=window.offset,
        limit=window.limit,
    )


@routes.post("/businesses/{business_id}/holidays", scope="businesses:write", summary="Add a day that differs")
async def add_holiday(call: Call, business_id: Uid, body: NewHoliday) -> Holiday:
    """Without ranges it is closed all day."""
    made = await call.write(opening.add_holiday, business_id, body.date, body.differs, now=call.now)
    return Holiday.of(body.date, made)


@routes.get("/businesses/{business_id}/holidays/{day}", scope="businesses:read", summary="A day that differs")
async def holiday(call: Call, business_id: Uid, day: dt.date) -> Holiday:
    return Holiday.of(day, await call.read(opening.holiday, business_id, day))


@routes.put("/businesses/{business_id}/holidays/{day}", scope="businesses:write", summary="Say how a day differs")
async def set_holiday(call: Call, business_id: Uid, day: dt.date, body: HolidayOf) -> Holiday:
    return Holiday.of(day, await call.write(opening.set_holiday, business_id, day, body.differs, now=call.now))


@routes.delete(
    "/businesses/{business_id}/holidays/{day}", scope="businesses:write", summary="Remove a day that differs"
)
async def remove_holiday(call: Call, business_id: Uid, day: dt.date) -> None:
    await call.write(opening.remove_holiday, business_id, day, now=call.now)


@routes.get("/businesses/{business_id}/reminder-rules", scope="businesses:read", summary="When people are reminded")
async def rules(call: Call, business_id: Uid) -> Rules:
    return Rules(rules=[Rule.of(one) for one in await call.read(reminder_rules.find, business_id)])


@routes.put(
    "/businesses/{business_id}/reminder-rules", scope="businesses:write", summary="Replace when people are reminded"
)
async def set_rules(call: Call, business_id: Uid, body: Rules) -> Rules:
    """Visits that are booked already are reminded of by the new rules too."""
    wanted = [one.rule for one in body.rules]
    kept = await call.write(reminder_rules.replace, business_id, wanted, now=call.now)
    return Rules(rules=[Rule.of(one) for one in kept])
