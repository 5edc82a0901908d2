"""When a business is open, as its people write it down: the hours of a week, and the days that differ."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from itertools import pairwise
from typing import Any, Final

from sqlalchemy import Table, delete, insert, select

from desk import audit, businesses, profiles
from desk.businesses import WEEK, Holiday, Range, Weekly
from desk.errors import AlreadyThere, Invalid, NotFound
from desk.refs import Ref, id_of
from desk.who import Actor
from storage.base import Db, JsonValue
from storage.models import businesses as models

DAYS: Final = "monday tuesday wednesday thursday friday saturday sunday".split()
_DAY: Final = 1440
_h = models.holidays.c


def hours(db: Db, who: Actor, business: Ref) -> Weekly:
    """The ranges of each weekday, Monday first.

    Raises: NotFound
    """
    business_id = _id(db, who, business)
    return of_week(db, models.business_hours, "business_id", [business_id])[business_id]


def set_hours(db: Db, who: Actor, business: Ref, week: Weekly, *, now: datetime) -> Weekly:
    """Raises: NotFound; Invalid, for ranges that overlap"""
    shop = profiles.locked(db, who, business)
    before = of_week(db, models.business_hours, "business_id", [shop.id])[shop.id]
    if before == (week := checked(week)):
        return week
    keep_week(db, models.business_hours, "business_id", shop.id, week)
    audit.record(db, who, "business.hours_changed", "business", shop.id, shown(before), shown(week), now, uid=shop.uid)
    businesses.touch(db, shop.id)
    return week


def holidays(db: Db, who: Actor, business: Ref, *, since: date | None = None) -> dict[date, Holiday]:
    """The days that differ from their weekday, by date.

    Raises: NotFound
    """
    wanted = select(models.holidays).where(_h.business_id == _id(db, who, business)).order_by(_h.day, _h.opens_minute)
    found: dict[date, Holiday] = {}
    for row in db.execute(wanted if since is None else wanted.where(_h.day >= since)):
        ranges = found[row.day].ranges if row.day in found else ()
        if row.opens_minute is not None:
            ranges = (*ranges, Range(row.opens_minute, row.closes_minute))
        found[row.day] = Holiday(row.name, ranges)
    return found


def holiday(db: Db, who: Actor, business: Ref, day: date) -> Holiday:
    """Raises: NotFound"""
    found = holidays(db, who, business, since=day).get(day)
    if found is None:
        raise NotFound("holiday", day.isoformat())
    return found


def add_holiday(db: Db, who: Actor, business: Ref, day: date, what: Holiday, *, now: datetime) -> Holiday:
    """Raises: NotFound, AlreadyThere, Invalid"""
    profiles.locked(db, who, business)
    if day in holidays(db, who, business, since=day):
        raise AlreadyThere("holiday", "date")
    return set_holiday(db, who, business, day, what, now=now)


def set_holiday(db: Db, who: Actor, business: Ref, day: date, what: Holiday, *, now: datetime) -> Holiday:
    """The day as it is from now on, whether it differed before or not.

    Raises: NotFound, Invalid
    """
    shop = profiles.locked(db, who, business)
    what = Holiday(what.name, _in_order(what.ranges, "ranges"))
    before = holidays(db, who, business, since=day).get(day)
    if before == what:
        return what
    _forget(db, shop.id, day)
    for one in what.ranges or (None,):
        times = {} if one is None else {"opens_minute": one.opens_minute, "closes_minute": one.closes_minute}
        db.execute(insert(models.holidays).values(business_id=shop.id, day=day, name=what.name, **times))
    _note(db, who, shop, day, before, what, now)
    return what


def remove_holiday(db: Db, who: Actor, business: Ref, day: date, *, now: datetime) -> None:
    """That day is like its weekday again.

    Raises: NotFound
    """
    shop = profiles.locked(db, who, business)
    before = holiday(db, who, business, day)
    _forget(db, shop.id, day)
    _note(db, who, shop, day, before, None, now)


def of_week(db: Db, table: Table, owner: str, ids: Sequence[int]) -> dict[int, Weekly]:
    """The week of each owner in a table of weekly ranges; seven days without any for who has no rows."""
    found: dict[int, list[list[Range]]] = defaultdict(lambda: [[] for _ in range(WEEK)])
    wanted = select(table).where(table.c[owner].in_(ids)).order_by(table.c.weekday, table.c.opens_minute)
    for row in db.execute(wanted):
        found[row._mapping[owner]][row.weekday].append(Range(row.opens_minute, row.closes_minute))
    return {one: tuple(tuple(ranges) for ranges in found[one]) for one in ids}


def keep_week(db: Db, table: Table, owner: str, owner_id: int, week: Weekly) -> None:
    """Replace what is there."""
    db.execute(delete(table).where(table.c[owner] == owner_id))
    rows = [
        {owner: owner_id, "weekday": weekday, "opens_minute": one.opens_minute, "closes_minute": one.closes_minute}
        for weekday, ranges in enumerate(week)
        for one in ranges
    ]
    if rows:
        db.execute(insert(table), rows)


def checked(week: Weekly, field: str = "") -> Weekly:
    """The week with each day's ranges in order.

    Raises: Invalid
    """
    before = f"{field}." if field else ""
    return tuple(_in_order(ranges, f"{before}{DAYS[weekday]}") for weekday, ranges in enumerate(week))


def shown(week: Weekly) -> dict[str, JsonValue]:
    """The week for the audit, in minutes."""
    return {
        day: [f"{one.opens_minute}-{one.closes_minute}" for one in ranges]
        for day, ranges in zip(DAYS, week, strict=True)
    }


def _in_order(ranges: Sequence[Range], field: str) -> tuple[Range, ...]:
    found = tuple(sorted(ranges, key=lambda one: one.opens_minute))
    for one in found:
        if not 0 <= one.opens_minute < _DAY or not one.opens_minute < one.closes_minute <= one.opens_minute + _DAY:
            raise Invalid(field, "A range begins on its day and lasts a day at most.")
    for one, following in pairwise(found):
        if following.opens_minute < one.closes_minute:
            raise Invalid(field, "Two of these ranges overlap.")
    return found


def _id(db: Db, who: Actor, business: Ref) -> int:
    return id_of(db, models.businesses, who, business, profiles.NOUN)


def _forget(db: Db, business_id: int, day: date) -> None:
    db.execute(delete(models.holidays).where(_h.business_id == business_id, _h.day == day))


def _note(
    db: Db, who: Actor, shop: Any, day: date, before: Holiday | None, after: Holiday | None, now: datetime
) -> None:
    was, is_now = _fact(day, before), _fact(day, after)
    audit.record(db, who, "business.holiday_changed", "business", shop.id, was, is_now, now, uid=shop.uid)
    businesses.touch(db, shop.id)


def _fact(day: date, what: Holiday | None) -> dict[str, JsonValue] | None:
    if what is None:
        return None
    ranges = [f"{one.opens_minute}-{one.closes_minute}" for one in what.ranges]
    return {"date": day.isoformat(), "name": what.name, "ranges": ranges}
