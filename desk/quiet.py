"""Quiet hours: when it is night where somebody is, and when that ends. Wall time, with both odd days of the year."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from desk import phone
from desk.calendar import zones

_FARTHEST: Final = timedelta(hours=48)


def is_quiet(at: datetime, zone: tzinfo, *, begins: int, ends: int) -> bool:
    """Whether the clock there shows a time from `begins` up to `ends`, in minutes after midnight; equal is never."""
    wall = zones.local(at, zone)
    minute = wall.hour * 60 + wall.minute
    return begins <= minute < ends if begins <= ends else minute >= begins or minute < ends


def until(at: datetime, where: Sequence[tzinfo], *, begins: int, ends: int) -> datetime | None:
    """The first instant from `at` on at which it is quiet in none of the zones; None when that is `at` itself.

    Where there is no such instant (zones from both ends of a country with short days) the first zone decides.
    """
    found = _end(at, where, begins=begins, ends=ends)
    if found is None:
        found = _end(at, where[:1], begins=begins, ends=ends) or at
    return None if found == at else found


def where(number: str, *, stored: str | None, business: str) -> tuple[tzinfo, ...]:
    """The zones in which whoever has the number may be: by the number, else the one that is stored of them, else the
    business's. What is stored also decides between several of a number, and after it the business's zone.
    """
    by_number = phone.zones_of(number) if number.startswith("+") else ()
    for preferred in (stored, business):
        if preferred and (preferred in by_number or not by_number):
            by_number = (preferred,)
    found = tuple(zone for name in by_number if (zone := _zone(name)) is not None)
    return found or (_zone(business) or UTC,)


def _end(at: datetime, where: Sequence[tzinfo], *, begins: int, ends: int) -> datetime | None:
    moment = at
    while moment <= at + _FARTHEST:
        asleep = [zone for zone in where if is_quiet(moment, zone, begins=begins, ends=ends)]
        if not asleep:
            return moment
        moment = max(_next(moment, zone, ends) for zone in asleep)
    return None


def _next(after: datetime, zone: tzinfo, minute: int) -> datetime:
    """The first instant after `after` at which the clock there shows that minute."""
    day = zones.local_day(after, zone)
    for ahead in range(3):
        for found in zones.instants(zones.at_minute(day + ahead * zones.DAY, minute), zone):
            if found > after:
                return found
    raise AssertionError(f"no minute {minute} within two days of {after}")


def _zone(name: str) -> tzinfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
