"""When it is night for somebody, and when that ends, on every day of the year."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk import quiet

_MINUTE = timedelta(minutes=1)
_ZONES = ["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "America/Phoenix", "Asia/Kolkata", "Africa/Cairo"]
# The nights on which some of these change their clocks, and others.
_NIGHTS = [
    datetime(2026, *day, tzinfo=UTC) for day in ((3, 8), (11, 1), (3, 29), (10, 25), (4, 4), (10, 3), (4, 23), (6, 1))
]


@given(
    zone=st.sampled_from(_ZONES).map(ZoneInfo),
    night=st.sampled_from(_NIGHTS),
    ahead=st.integers(-24 * 60, 24 * 60),
    begins=st.integers(0, 24 * 60 - 1),
    ends=st.integers(0, 24 * 60 - 1),
)
def test_what_is_held_goes_out_in_the_first_minute_that_is_not_quiet(
    zone: ZoneInfo, night: datetime, ahead: int, begins: int, ends: int
) -> None:
    at = night + ahead * _MINUTE
    found = quiet.until(at, [zone], begins=begins, ends=ends)
    expected = at
    while quiet.is_quiet(expected, zone, begins=begins, ends=ends):
        expected += _MINUTE
    assert (found or at) == expected


@given(
    where=st.lists(st.sampled_from(_ZONES[:4]).map(ZoneInfo), min_size=1, max_size=3, unique=True),
    night=st.sampled_from(_NIGHTS),
    ahead=st.integers(-24 * 60, 24 * 60),
)
def test_who_may_be_in_several_zones_is_disturbed_in_none(where: list[ZoneInfo], night: datetime, ahead: int) -> None:
    at = night + ahead * _MINUTE
    found = quiet.until(at, where, begins=21 * 60, ends=8 * 60) or at
    asleep = [zone for zone in where if quiet.is_quiet(found, zone, begins=21 * 60, ends=8 * 60)]
    # New York and Lord Howe are hardly ever awake together; then the first one counts.
    assert not asleep or where[0] not in asleep


@pytest.mark.parametrize(
    ("number", "stored", "business", "zones"),
    [
        ("+15125550100", "Europe/Paris", "America/New_York", ["America/Chicago"]),  # the number says it
        ("+4930123456", None, "America/New_York", ["Europe/Berlin"]),
        ("+18005550100", "America/Denver", "America/New_York", ["America/Denver"]),  # several: theirs is one of them
        ("+18005550100", None, "America/New_York", ["America/New_York"]),
        ("", "Asia/Tokyo", "America/New_York", ["Asia/Tokyo"]),
        ("", "Mars/Olympus", "America/New_York", ["America/New_York"]),
        ("", None, "America/New_York", ["America/New_York"]),
    ],
)
def test_where_somebody_is(number: str, stored: str | None, business: str, zones: list[str]) -> None:
    assert [str(zone) for zone in quiet.where(number, stored=stored, business=business)] == zones
