"""When people are reminded."""

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.businesses import ReminderRule
from desk.calendar import reminders, zones
from desk.calendar.appointments import Appointment
from tests.desk.shop import AUSTIN, NOW, at

RULES = (ReminderRule("24h", 1440, None, None), ReminderRule("2h", 120, None, None), ReminderRule("eve", None, 1, 600))
VISIT = Appointment(
    *(1, "u", 1, 1, 1, 1, "Haircut", 1, "Anna", None, "scheduled", NOW, NOW, "", 0, "bot", "", None, None, NOW, NOW),
    *("u", "u", "Maria", "u", "u", None),
)


def visit(starts_at: datetime) -> Appointment:
    return replace(VISIT, starts_at=starts_at, ends_at=starts_at + timedelta(minutes=30))


@pytest.mark.parametrize(
    ("starts", "booked", "expected"),
    [
        ("2026-01-20 14:00", "2026-01-14 09:00", ["eve 19 10:00", "24h 19 14:00", "2h 20 12:00"]),
        # The clocks go forward at two on 8 March: 24 hours before is an hour earlier on the wall, ten o'clock is not.
        ("2026-03-08 14:00", "2026-03-01 09:00", ["eve 07 10:00", "24h 07 13:00", "2h 08 12:00"]),
        # They go back at two on 1 November.
        ("2026-11-01 14:00", "2026-10-20 09:00", ["eve 31 10:00", "24h 31 15:00", "2h 01 12:00"]),
        ("2026-03-08 03:30", "2026-03-01 09:00", ["24h 07 02:30", "eve 07 10:00", "2h 08 00:30"]),
        ("2026-01-14 16:00", "2026-01-14 09:00", ["2h 14 14:00"]),  # the others are over
        ("2026-01-14 11:10", "2026-01-14 09:00", []),  # they have booked ten minutes ago, and know
        ("2026-01-14 11:15", "2026-01-14 09:00", ["2h 14 09:15"]),
        ("2026-01-10 16:00", "2026-01-14 09:00", []),
    ],
)
def test_reminders_are_at_these_times_on_the_wall(starts: str, booked: str, expected: list[str]) -> None:
    planned = reminders.plan(visit(at(starts)), RULES, AUSTIN, at(booked))
    assert [f"{name} {when.astimezone(AUSTIN):%d %H:%M}" for name, when in planned] == expected


def test_rule_for_the_day_itself_never_comes_after_the_visit() -> None:
    morning = ReminderRule("morning", None, 0, 480)
    assert reminders.plan(visit(at("2026-01-15 07:00")), [morning], AUSTIN, NOW) == []
    assert reminders.plan(visit(at("2026-01-15 09:00")), [morning], AUSTIN, NOW) == [
        ("morning", at("2026-01-15 08:00"))
    ]


@given(
    st.sampled_from(["America/Chicago", "Asia/Kathmandu", "Pacific/Apia", "Europe/Berlin"]),
    st.integers(0, 60 * 24 * 400),
    st.integers(0, 60 * 24 * 30),
    st.integers(0, 7),
    st.integers(0, 1439),
)
def test_wall_clock_rule_is_at_that_minute_of_that_day_in_every_zone(
    name: str, ahead: int, notice: int, days: int, minute: int
) -> None:
    zone, now = ZoneInfo(name), NOW + timedelta(minutes=ahead)
    booked = visit(now + timedelta(minutes=notice))
    for _, when in reminders.plan(booked, [ReminderRule("eve", None, days, minute)], zone, now):
        assert now < when < booked.starts_at
        day = zones.local_day(booked.starts_at, zone) - timedelta(days=days)
        assert when in zones.instants(zones.at_minute(day, minute), zone)
