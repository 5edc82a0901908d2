"""When a campaign writes about a visit."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.calendar.campaigns import Relative
from tests.desk.shop import AUSTIN, at
from tests.desk.test_zones import zone_names

HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("days", "minute", "visit", "expected"),
    [
        (3, 600, "2026-03-06 10:00", "2026-03-09 10:00 CDT"),  # the clocks go forward in between
        (3, 600, "2026-10-30 23:30", "2026-11-02 10:00 CST"),
        (1, 150, "2026-03-07 10:00", "2026-03-08 03:00 CDT"),  # 02:30 is skipped: the first moment after
        (1, 90, "2026-10-31 10:00", "2026-11-01 01:30 CDT"),  # 01:30 comes twice: the first
        (-1, 1080, "2026-03-09 09:00", "2026-03-08 18:00 CDT"),
        (0, 1080, "2026-03-09 09:00", "2026-03-09 18:00 CDT"),
        (0, 540, "2026-03-09 09:00", None),  # on the very day it would come before it
    ],
)
def test_the_moment_is_on_the_wall_of_the_business(days: int, minute: int, visit: str, expected: str | None) -> None:
    relative = Relative(days, minute, is_after=days >= 0)
    found = relative.moment(at(visit), at(visit) + HOUR, AUSTIN)
    assert (None if found is None else f"{found.astimezone(AUSTIN):%Y-%m-%d %H:%M %Z}") == expected


@given(
    zone_names,
    st.datetimes(min_value=datetime(2008, 1, 1), max_value=datetime(2036, 1, 1)),  # noqa: DTZ001  aware below
    st.integers(-400, 400),
    st.integers(0, 1439),
)
def test_it_is_the_first_moment_at_which_the_clock_shows_that_time_or_a_later_one(
    name: str, starts: datetime, days: int, minute: int
) -> None:
    zone = ZoneInfo(name)
    starts_at = starts.replace(tzinfo=UTC)
    relative = Relative(days, minute, is_after=days >= 0)
    found = relative.moment(starts_at, starts_at + HOUR, zone)
    wanted = datetime.combine(starts_at.astimezone(zone).date(), datetime.min.time()) + timedelta(days=days)
    wanted += timedelta(minutes=minute)
    if found is None:
        assert abs(days) <= 1  # only close to the visit can it be on the wrong side
        return
    assert found >= starts_at + HOUR if days >= 0 else found < starts_at
    shown = found.astimezone(zone).replace(tzinfo=None)
    before = (found - timedelta(seconds=1)).astimezone(zone).replace(tzinfo=None)
    assert shown >= wanted > before
