"""Wall time to instants and back, with what happens on the two odd days of the year.

A wall time that the clocks skip (a gap) stands for the instant at which they were put forward: the nearest valid one,
so 02:30 becomes 03:00 where two o'clock jumps to three. One that happens twice (a fold) stands for two instants, and
both are kept. A *range* of wall times is the set of instants at which the wall clock shows a time within it.
"""

from datetime import UTC, date, datetime, time, timedelta, tzinfo

from desk.calendar.spans import Span, merged

DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)


def local(instant: datetime, zone: tzinfo) -> datetime:
    """The wall time in `zone`, aware; `fold` tells the second of two equal ones."""
    return instant.astimezone(zone)


def local_day(instant: datetime, zone: tzinfo) -> date:
    return instant.astimezone(zone).date()


def instants(wall: datetime, zone: tzinfo) -> tuple[datetime, ...]:
    """When the clock on the wall shows `wall` (naive): one instant (UTC), or both on a fold, or the end of the gap."""
    first, second = _both(wall, zone)
    if first == second:
        return (first,)
    if first < second:
        return (first, second)
    return (_transition(second, first, zone),)


def instant(wall: datetime, zone: tzinfo, *, fold: int = 0) -> datetime:
    """The one instant (UTC) for `wall` (naive); on a fold the first, or the second with `fold=1`."""
    return instants(wall, zone)[-1 if fold else 0]


def spans(opens: datetime, closes: datetime, zone: tzinfo) -> list[Span]:
    """The instants at which the wall clock shows a time in `[opens, closes)` (naive), in UTC.

    On a fold these may be two pieces: 01:00 to 01:45 happens twice, and 01:50 between them is not part of it.
    """
    if opens >= closes:
        return []
    start, end = min(_both(opens, zone)), max(_both(closes, zone))
    before, after = _offset(start, zone), _offset(end, zone)
    if before == after:
        return [Span(start, end)]
    turn = _transition(start, end, zone)
    return merged(
        [
            Span((opens - before).replace(tzinfo=UTC), min((closes - before).replace(tzinfo=UTC), turn)),
            Span(max((opens - after).replace(tzinfo=UTC), turn), (closes - after).replace(tzinfo=UTC)),
        ]
    )


def at_minute(day: date, minute: int) -> datetime:
    """The naive wall time so many minutes after the midnight that `day` begins with; may lie on the next day."""
    return datetime.combine(day, time()) + timedelta(minutes=minute)


def day_span(first: date, last: date, zone: tzinfo) -> Span:
    """From the first instant of the local day `first` to the end of `last`."""
    return Span(instant(at_minute(first, 0), zone), instant(at_minute(last + DAY, 0), zone))


def _both(wall: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    """What `wall` would be with the offset before and after a change close by; equal on ordinary days."""
    aware = wall.replace(tzinfo=zone, fold=0)
    return aware.astimezone(UTC), aware.replace(fold=1).astimezone(UTC)


def _offset(instant: datetime, zone: tzinfo) -> timedelta:
    return instant.astimezone(zone).utcoffset() or timedelta()


def _transition(before: datetime, after: datetime, zone: tzinfo) -> datetime:
    """The first instant with the offset of `after`, which differs from the one of `before`; a whole second."""
    new = _offset(after, zone)
    before, after = before.replace(microsecond=0), after.replace(microsecond=0) + _SECOND
    while after - before > _SECOND:
        middle = before + timedelta(seconds=(after - before).total_seconds() // 2)
        if _offset(middle, zone) == new:
            after = middle
        else:
            before = middle
    return after
