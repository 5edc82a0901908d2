"""Wall time and instants, on ordinary days and on the two odd ones of the year."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.calendar import zones
from desk.calendar.spans import Span

ZONES = (
    "America/Chicago",  # gap and fold at two in the morning
    "Europe/Berlin",
    "America/Havana",  # at midnight
    "Asia/Kathmandu",  # +5:45, no change
    "Australia/Lord_Howe",  # half an hour
    "Pacific/Apia",  # skipped 30 December 2011 at the date line
    "Pacific/Kiritimati",  # +14
    "America/St_Johns",
    "Africa/Casablanca",
)
zone_names = st.sampled_from(ZONES)
walls = st.datetimes(min_value=datetime(2007, 1, 1), max_value=datetime(2037, 1, 1)).map(  # noqa: DTZ001  wall times
    lambda wall: wall.replace(microsecond=0)
)


def wall(text: str) -> datetime:
    return datetime.fromisoformat(text)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "said", "meant"),
    [
        ("America/Chicago", "2026-01-14 10:00", ["2026-01-14 16:00"]),
        ("America/Chicago", "2026-03-08 01:59", ["2026-03-08 07:59"]),
        ("America/Chicago", "2026-03-08 02:00", ["2026-03-08 08:00"]),
        ("America/Chicago", "2026-03-08 02:30", ["2026-03-08 08:00"]),  # there is no 02:30: 03:00
        ("America/Chicago", "2026-03-08 03:00", ["2026-03-08 08:00"]),
        ("America/Chicago", "2026-11-01 00:59", ["2026-11-01 05:59"]),
        ("America/Chicago", "2026-11-01 01:30", ["2026-11-01 06:30", "2026-11-01 07:30"]),  # twice
        ("America/Chicago", "2026-11-01 02:00", ["2026-11-01 08:00"]),
        ("America/Havana", "2026-03-08 00:15", ["2026-03-08 05:00"]),  # the day begins at one
        ("Asia/Kathmandu", "2026-03-08 00:00", ["2026-03-07 18:15"]),
        ("Australia/Lord_Howe", "2026-04-05 01:45", ["2026-04-04 14:45", "2026-04-04 15:15"]),
        ("Pacific/Apia", "2011-12-30 12:00", ["2011-12-30 10:00"]),  # a day that never was
    ],
)
def test_wall_time_stands_for_these_instants(zone: str, said: str, meant: list[str]) -> None:
    found = zones.instants(wall(said), ZoneInfo(zone))
    assert list(found) == [utc(text) for text in meant]
    assert zones.instant(wall(said), ZoneInfo(zone)) == found[0]
    assert zones.instant(wall(said), ZoneInfo(zone), fold=1) == found[-1]


@pytest.mark.parametrize(
    ("opens", "closes", "pieces"),
    [
        ("2026-03-08 01:00", "2026-03-08 04:00", [("2026-03-08 07:00", "2026-03-08 09:00")]),  # two hours long
        ("2026-03-08 02:15", "2026-03-08 02:45", []),
        ("2026-03-08 02:30", "2026-03-08 03:30", [("2026-03-08 08:00", "2026-03-08 08:30")]),
        ("2026-11-01 00:00", "2026-11-01 03:00", [("2026-11-01 05:00", "2026-11-01 09:00")]),  # four hours long
        (
            "2026-11-01 01:00",
            "2026-11-01 01:45",
            [("2026-11-01 06:00", "2026-11-01 06:45"), ("2026-11-01 07:00", "2026-11-01 07:45")],
        ),
        ("2026-10-31 22:00", "2026-11-01 01:00", [("2026-11-01 03:00", "2026-11-01 06:00")]),
        ("2026-01-14 17:00", "2026-01-14 09:00", []),
    ],
)
def test_range_on_the_wall_is_these_pieces_in_chicago(opens: str, closes: str, pieces: list[tuple[str, str]]) -> None:
    found = zones.spans(wall(opens), wall(closes), ZoneInfo("America/Chicago"))
    assert found == [Span(utc(start), utc(end)) for start, end in pieces]


@given(zone_names, walls)
def test_wall_time_that_exists_comes_back_as_it_was(zone: str, said: datetime) -> None:
    found = zones.instants(said, ZoneInfo(zone))
    shown = [zones.local(at, ZoneInfo(zone)).replace(tzinfo=None) for at in found]
    if len(found) == 2:
        assert found[0] < found[1]
        assert shown == [said, said]
    elif shown[0] != said:  # a gap: what stands for it is the instant at which the clocks went forward
        before = zones.local(found[0] - timedelta(seconds=1), ZoneInfo(zone)).replace(tzinfo=None)
        assert before < said < shown[0]
        assert shown[0] - before > timedelta(seconds=1)


@given(zone_names, walls)
def test_instant_is_among_those_of_the_wall_time_it_shows(zone: str, when: datetime) -> None:
    at = when.replace(tzinfo=UTC)
    shown = zones.local(at, ZoneInfo(zone))
    assert at in zones.instants(shown.replace(tzinfo=None, fold=0), ZoneInfo(zone))
    assert zones.instant(shown.replace(tzinfo=None, fold=0), ZoneInfo(zone), fold=shown.fold) == at


@st.composite
def odd_walls(draw: st.DrawFn) -> tuple[str, datetime]:
    """A zone, and a wall time that is often within a day of a change of its clocks."""
    zone = draw(zone_names)
    if draw(st.booleans()):
        return zone, draw(walls)
    day = datetime(draw(st.integers(2010, 2030)), draw(st.sampled_from([3, 4, 9, 10, 11, 12])), 1)  # noqa: DTZ001
    for _ in range(31):
        after = day + timedelta(days=1)
        if day.replace(tzinfo=ZoneInfo(zone)).utcoffset() != after.replace(tzinfo=ZoneInfo(zone)).utcoffset():
            break
        day = after
    return zone, day + timedelta(minutes=draw(st.integers(-300, 1740)))


@given(odd_walls(), st.integers(0, 2880), st.integers(-1500, 4400))
def test_instant_is_in_a_range_exactly_when_the_wall_clock_shows_it(
    start: tuple[str, datetime], length: int, offset: int
) -> None:
    zone, opens = start
    closes = opens + timedelta(minutes=length)
    found = zones.spans(opens, closes, ZoneInfo(zone))
    assert all(left.end < right.start for left, right in pairwise(found))
    probe = zones.instant(opens, ZoneInfo(zone)) + timedelta(minutes=offset)
    shown = zones.local(probe, ZoneInfo(zone)).replace(tzinfo=None)
    assert any(piece.start <= probe < piece.end for piece in found) == (opens <= shown < closes)


@given(zone_names, st.dates(date(2007, 1, 1), date(2037, 1, 1)), st.integers(0, 9))
def test_days_follow_each_other_without_gap_or_overlap(zone: str, day: date, more: int) -> None:
    whole = zones.day_span(day, day + timedelta(days=more), ZoneInfo(zone))
    singles = [zones.day_span(d, d, ZoneInfo(zone)) for d in (day + timedelta(days=n) for n in range(more + 1))]
    assert singles[0].start == whole.start
    assert singles[-1].end == whole.end
    assert all(left.end == right.start for left, right in pairwise(singles))
    for single in singles:
        if single.start < single.end:
            assert zones.local_day(single.start, ZoneInfo(zone)) == zones.local_day(
                single.end - timedelta(seconds=1), ZoneInfo(zone)
            )
