"""Opening hours and working plans."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest

from desk.businesses import Absence, Holiday, Range
from desk.calendar import hours
from desk.calendar.spans import Span
from tests.desk.shop import AUSTIN, at, business, member

WEDNESDAY = date(2026, 1, 14)
BAR = business("America/Chicago", [(1080, 1560)])  # from 18:00 to 02:00


def shown(spans: Sequence[Span], zone: ZoneInfo = AUSTIN) -> list[str]:
    return [f"{start.astimezone(zone):%d %H:%M}-{end.astimezone(zone):%d %H:%M}" for start, end in spans]


def plan(*ranges: tuple[int, int]) -> tuple[tuple[Range, ...], ...]:
    return (tuple(Range(*one) for one in ranges),) * 7


def test_night_belongs_to_the_day_it_begins_on() -> None:
    assert shown(hours.open_ranges(BAR, WEDNESDAY)) == ["14 18:00-15 02:00"]
    closed = replace(BAR, holidays={WEDNESDAY + timedelta(days=1): Holiday("Thursday off", ())})
    assert hours.is_open(closed, at("2026-01-15 01:30"))
    assert not hours.is_open(closed, at("2026-01-15 19:00"))
    assert not hours.is_open(closed, at("2026-01-16 01:30"))


def test_holiday_may_have_hours_of_its_own() -> None:
    special = replace(BAR, holidays={WEDNESDAY: Holiday("Brunch", (Range(600, 720), Range(1200, 1260)))})
    assert shown(hours.open_ranges(special, WEDNESDAY)) == ["14 10:00-14 12:00", "14 20:00-14 21:00"]


@pytest.mark.parametrize(
    ("working", "expected"),
    [
        (None, ["14 18:00-15 02:00"]),
        (plan((1080, 1320), (1350, 1500)), ["14 18:00-14 22:00", "14 22:30-15 01:00"]),  # a break
        (plan((960, 1200)), ["14 18:00-14 20:00"]),  # comes before it opens
        (plan((0, 60)), ["14 00:00-14 01:00"]),  # after midnight the night before is still on
        (plan((600, 900)), []),
        (((),) * 7, []),
    ],
)
def test_plan_counts_only_while_the_business_is_open(
    working: tuple[tuple[Range, ...], ...] | None, expected: list[str]
) -> None:
    assert shown(hours.working_ranges(BAR, member(hours=working), WEDNESDAY)) == expected


def test_absence_is_cut_out_of_presence_but_not_out_of_the_plan() -> None:
    shop = business("America/Chicago", [(540, 720), (720, 1020)])
    ill = member(absences=(Absence(at("2026-01-14 10:00"), at("2026-01-14 11:30")),))
    assert shown(hours.working_ranges(shop, ill, WEDNESDAY)) == ["14 09:00-14 12:00", "14 12:00-14 17:00"]
    assert shown(hours.presence(shop, ill, WEDNESDAY, WEDNESDAY)) == [
        "13 09:00-13 17:00",
        "14 09:00-14 10:00",
        "14 11:30-14 17:00",
    ]


@pytest.mark.parametrize(
    ("when", "opens"),
    [
        ("2026-01-14 19:00", "2026-01-14 19:00"),  # it is open
        ("2026-01-14 02:00", "2026-01-14 18:00"),  # it has just closed
        ("2026-01-14 17:59", "2026-01-14 18:00"),
    ],
)
def test_next_opening_is_the_first_moment_from_now_on(when: str, opens: str) -> None:
    assert hours.next_opening(BAR, at(when)) == at(opens)


def test_business_that_never_opens_has_no_next_opening() -> None:
    assert hours.next_opening(replace(BAR, hours=((),) * 7), at("2026-01-14 19:00")) is None


@pytest.mark.parametrize(
    ("day", "length_h"), [(date(2026, 3, 7), 8), (date(2026, 3, 8), 7), (date(2026, 11, 1), 9), (date(2026, 6, 1), 8)]
)
def test_early_shift_is_as_long_as_the_clock_says(day: date, length_h: int) -> None:
    """From midnight to eight: an hour less in spring, an hour more in autumn."""
    bakery = business("America/Chicago", [(0, 480)])
    (only,) = hours.open_ranges(bakery, day)
    assert only.end - only.start == timedelta(hours=length_h)
