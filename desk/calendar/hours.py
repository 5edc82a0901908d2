"""When a business is open and somebody works there: plain functions of a `Business`.

A range belongs to the local day that it begins on. So a holiday closes the day it names, but the night before runs on
until its end. A staff member without a plan works whenever the business is open; one with a plan never works when it is
closed. Breaks are the gaps between ranges.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta

from desk.businesses import Business, Range, Staff
from desk.calendar import zones
from desk.calendar.spans import Span, common, merged, without


def open_ranges(business: Business, day: date) -> list[Span]:
    """The ranges of opening that begin on the local `day`, in UTC, earliest first; some may end on the next day."""

    def work_out() -> tuple[Span, ...]:
        holiday = business.holidays.get(day)
        ranges = business.hours[day.weekday()] if holiday is None else holiday.ranges
        return tuple(_instants(business, day, ranges))

    return [*business.once(("open", day), work_out)]


def working_ranges(business: Business, member: Staff, day: date) -> list[Span]:
    """The ranges that begin on the local `day` within both the hours of the business and the plan of `member`.

    Absences are not taken out: a plan is what starting times are counted from (`slots.free`).
    """
    if member.hours is None:
        return open_ranges(business, day)
    planned = _instants(business, day, member.hours[day.weekday()])
    # The night before may be open into this day, and the plan may go on into the next.
    around = merged(span for near in _around(day) for span in open_ranges(business, near))
    return common(merged(planned), around)


def presence(business: Business, member: Staff, first: date, last: date) -> list[Span]:
    """When `member` is there on the local days `first` to `last`, in UTC, absences taken out; adjoining pieces are
    one. Nights that begin on the day before `first` are in it.
    """
    days = _days(first - zones.DAY, last)
    working = merged(span for day in days for span in working_ranges(business, member, day))
    return without(working, merged(Span(absence.starts_at, absence.ends_at) for absence in member.absences))


def is_open(business: Business, at: datetime) -> bool:
    """Whether the business is open at that instant."""
    day = zones.local_day(at, business.zone)
    return any(start <= at < end for near in (day - zones.DAY, day) for start, end in open_ranges(business, near))


def next_opening(business: Business, at: datetime, *, days: int = 31) -> datetime | None:
    """The first instant from `at` on at which the business is open (`at` itself when it is); None within `days`."""
    if is_open(business, at):
        return at
    day = zones.local_day(at, business.zone)
    for ahead in range(days + 1):
        for start, _ in open_ranges(business, day + timedelta(days=ahead)):
            if start > at:
                return start
    return None


def _instants(business: Business, day: date, ranges: Iterable[Range]) -> list[Span]:
    found: list[Span] = []
    for wanted in ranges:
        opens, closes = zones.at_minute(day, wanted.opens_minute), zones.at_minute(day, wanted.closes_minute)
        found += zones.spans(opens, closes, business.zone)
    return sorted(found)


def _around(day: date) -> tuple[date, date, date]:
    return day - zones.DAY, day, day + zones.DAY


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=ahead) for ahead in range((last - first).days + 1)]
