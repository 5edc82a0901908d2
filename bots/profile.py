"""Answers from a business's own profile: hours, prices, where, who. For questions that nobody wrote an answer to."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from bots.render import Voice
from desk.businesses import Business, Range, Service
from desk.calendar import hours, zones

_MONDAY = date(2024, 1, 1)  # any Monday, to name the days of the week by


def opening_hours(business: Business, voice: Voice) -> str:
    """All of the week, days with the same hours together."""
    groups: list[tuple[int, int, tuple[Range, ...]]] = []
    for weekday, ranges in enumerate(business.hours):
        if groups and groups[-1][2] == ranges:
            groups[-1] = (groups[-1][0], weekday, ranges)
        else:
            groups.append((weekday, weekday, ranges))
    lines = [
        voice.phrase("hours_day", days=_days(voice, first, last), ranges=_ranges(voice, ranges))
        for first, last, ranges in groups
    ]
    return voice.phrase("hours", hours=", ".join(lines))


def hours_of(business: Business, voice: Voice, day: date) -> str:
    """One day's hours, holidays and all."""
    spans = hours.open_ranges(business, day)
    if not spans:
        return voice.phrase("closed_on", day=voice.day(day))
    ranges = [_range(voice, *(voice.local(end).replace(tzinfo=None) for end in span)) for span in spans]
    return voice.phrase("open_on", day=voice.day(day), ranges=voice.all_of(ranges))


def hours_now(business: Business, voice: Voice, now: datetime) -> str:
    """Today's hours; when we are closed for the day, also the next opening."""
    today = zones.local_day(now, business.zone)
    opens_at = hours.next_opening(business, now)
    if opens_at is None or zones.local_day(opens_at, business.zone) == today:
        return hours_of(business, voice, today)
    next_day = zones.local_day(opens_at, business.zone)
    return voice.phrase("closed_now", next=hours_of(business, voice, next_day))


def prices(business: Business, voice: Voice, service: Service | None) -> str | None:
    """The price of `service`, or of everything that has one."""
    if service is not None and service.price_cents is not None:
        return voice.phrase("price", service=service.name, price=voice.money(service.price_cents))
    if service is not None:
        return voice.phrase("price_unknown", service=service.name)
    priced = [
        voice.phrase("item", name=one.name, detail=voice.money(one.price_cents))
        for one in business.services
        if one.price_cents is not None
    ]
    return voice.phrase("prices", list=", ".join(priced)) if priced else None


def duration(business: Business, voice: Voice, service: Service | None) -> str | None:
    if service is not None:
        return voice.phrase("duration", service=service.name, minutes=str(service.duration_minutes))
    items = [
        voice.phrase("item", name=one.name, detail=voice.phrase("minutes", count=str(one.duration_minutes)))
        for one in business.services
    ]
    return voice.phrase("prices", list=", ".join(items)) if items else None


def location(business: Business, voice: Voice) -> str | None:
    return voice.phrase("location", address=business.address) if business.address else None


def contact(business: Business, voice: Voice) -> str | None:
    ways = [way for way in (business.phone, business.email, business.website) if way]
    return voice.phrase("contact", contact=voice.either(ways)) if ways else None


def services(business: Business, voice: Voice) -> str | None:
    return voice.phrase("services", list=voice.all_of([one.name for one in business.services])) or None


def staff(business: Business, voice: Voice) -> str | None:
    people = [one.name for one in business.staff if one.kind == "person"]
    return voice.phrase("staff", list=voice.all_of(people)) if people else None


def _days(voice: Voice, first: int, last: int) -> str:
    if first == last:
        return voice.weekday(_MONDAY + timedelta(days=first))
    return voice.phrase(
        "days", first=voice.weekday(_MONDAY + timedelta(days=first)), last=voice.weekday(_MONDAY + timedelta(days=last))
    )


def _ranges(voice: Voice, ranges: Sequence[Range]) -> str:
    if not ranges:
        return voice.phrase("closed")
    return voice.all_of(
        [
            _range(voice, zones.at_minute(_MONDAY, one.opens_minute), zones.at_minute(_MONDAY, one.closes_minute))
            for one in ranges
        ]
    )


def _range(voice: Voice, start: datetime, end: datetime) -> str:
    """From and to on the clock of the business; a whole day has neither."""
    if end - start >= zones.DAY:
        return voice.phrase("all_day")
    return voice.phrase("range", start=voice.time(start.time()), end=voice.time(end.time()))
