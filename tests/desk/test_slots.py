"""What can be booked: never outside hours, never over another, on every day of the year."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.businesses import Absence, Business, Range, Service, Staff
from desk.calendar import bookings, claims, slots, spans
from desk.calendar.spans import Span
from desk.errors import Invalid, NotFound
from storage.base import Db
from tests.desk import shop as shops
from tests.desk.shop import AUSTIN, NOW, Shop, at, business, member, minutes, service

# --- sets of time ----------------------------------------------------------------------------------------------------

START = datetime(2026, 1, 14, tzinfo=UTC)
pieces = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 20)).map(
        lambda pair: Span(START + minutes(pair[0]), START + minutes(pair[0] + pair[1]))
    ),
    max_size=8,
)


def instants_of(found: list[Span]) -> set[datetime]:
    return {span.start + minutes(n) for span in found for n in range(int((span.end - span.start) / minutes(1)))}


@given(pieces, pieces)
def test_sets_of_time_behave_as_sets(one: list[Span], other: list[Span]) -> None:
    left, right = spans.merged(one), spans.merged(other)
    assert instants_of(left) == instants_of(one)
    assert all(a.end < b.start for a, b in pairwise(left))
    assert instants_of(spans.common(left, right)) == instants_of(left) & instants_of(right)
    assert instants_of(spans.without(left, right)) == instants_of(left) - instants_of(right)


# --- the arithmetic, without a database ------------------------------------------------------------------------------

weekly = st.lists(
    st.tuples(st.integers(0, 95), st.integers(1, 60)).map(lambda r: (r[0] * 15, min(r[0] * 15 + r[1] * 15, 2880))),
    max_size=3,
)
days = st.sampled_from(
    [date(2026, 3, 7), date(2026, 3, 8), date(2026, 10, 31), date(2026, 11, 1), date(2026, 1, 14), date(2028, 2, 29)]
)


@st.composite
def questions(draw: st.DrawFn) -> tuple[Business, Staff, Service, date, dict[int, list[Span]]]:
    """A business somewhere, somebody who works there, what is asked for, a day, and what is taken already."""
    zone = draw(st.sampled_from(["America/Chicago", "America/Havana", "Asia/Kathmandu", "Australia/Lord_Howe"]))
    day = draw(days)
    plan = draw(st.none() | weekly)
    midnight = datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)
    absent = [midnight + minutes(draw(st.integers(-600, 1800))) for _ in range(draw(st.integers(0, 2)))]
    someone = member(
        capacity=draw(st.integers(1, 3)),
        hours=None if plan is None else (tuple(Range(*one) for one in plan),) * 7,
        absences=tuple(Absence(start, start + minutes(draw(st.integers(1, 300)))) for start in absent),
    )
    wanted = service(
        duration_minutes=draw(st.integers(1, 12)) * 15,
        buffer_before_minutes=draw(st.sampled_from([0, 10, 30])),
        buffer_after_minutes=draw(st.sampled_from([0, 5, 45])),
        step_minutes=draw(st.sampled_from([5, 15, 30, 40, 60])),
    )
    taken: dict[int, list[Span]] = {}
    for unit in range(draw(st.integers(0, 4))):
        busy = draw(st.lists(st.tuples(st.integers(-300, 1700), st.integers(5, 200)), max_size=5))
        taken[unit] = spans.merged(
            Span(midnight + minutes(begin), midnight + minutes(begin + length)) for begin, length in busy
        )
    return business(zone, draw(weekly)), someone, wanted, day, taken


def is_in(ranges: tuple[Range, ...], minute: int) -> bool:
    return any(one.opens_minute <= minute < one.closes_minute for one in ranges)


def is_there(shop: Business, someone: Staff, instant: datetime) -> bool:
    """The rule itself, asked of one instant: what does the clock on the wall show?"""
    wall = instant.astimezone(shop.zone)
    minute = wall.hour * 60 + wall.minute

    def covers(plan: tuple[tuple[Range, ...], ...]) -> bool:
        day = wall.weekday()
        return is_in(plan[day], minute) or is_in(plan[(day - 1) % 7], minute + 1440)

    absent = any(absence.starts_at <= instant < absence.ends_at for absence in someone.absences)
    return covers(shop.hours) and (someone.hours is None or covers(someone.hours)) and not absent


def in_use(taken: dict[int, list[Span]], wanted: Span) -> int:
    return sum(any(spans.overlap(span, wanted) for span in busy) for busy in taken.values())


@given(questions())
def test_no_visit_lies_outside_hours_or_over_another(
    question: tuple[Business, Staff, Service, date, dict[int, list[Span]]],
) -> None:
    shop, someone, wanted, day, taken = question
    found = slots.member_starts(shop, someone, wanted, day, day, taken)
    assert found == sorted(set(found))
    for start in found:
        assert start.astimezone(shop.zone).date() == day
        visit = Span(start, start + wanted.duration)
        assert all(is_there(shop, someone, start + minutes(n)) for n in range(wanted.duration_minutes))
        assert in_use(taken, claims.span_of(wanted, visit)) < someone.capacity


@given(questions())
def test_nothing_that_fits_at_opening_is_left_out(
    question: tuple[Business, Staff, Service, date, dict[int, list[Span]]],
) -> None:
    """Whenever somebody begins to be there, that is a start, if the visit fits. (Absences do not move the grid.)"""
    shop, someone, wanted, day, taken = question
    someone = replace(someone, absences=())
    found = set(slots.member_starts(shop, someone, wanted, day, day, taken))
    midnight = datetime.combine(day, time(), shop.zone).astimezone(UTC)
    for n in range(24 * 60):
        start = midnight + minutes(n)
        begins = is_there(shop, someone, start) and not is_there(shop, someone, start - minutes(1))
        if not begins or start.astimezone(shop.zone).date() != day:
            continue
        fits = all(is_there(shop, someone, start + minutes(k)) for k in range(wanted.duration_minutes))
        visit = claims.span_of(wanted, Span(start, start + wanted.duration))
        if fits and in_use(taken, visit) < someone.capacity:
            assert start in found


@given(questions(), st.integers(1, 5))
def test_asking_for_more_days_at_once_gives_the_same(
    question: tuple[Business, Staff, Service, date, dict[int, list[Span]]], more: int
) -> None:
    shop, someone, wanted, day, taken = question
    last = day + timedelta(days=more)
    singly = [
        slots.member_starts(shop, someone, wanted, day + timedelta(n), day + timedelta(n), taken)
        for n in range(more + 1)
    ]
    assert slots.member_starts(shop, someone, wanted, day, last, taken) == [start for one in singly for start in one]


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2026, 3, 8), ["00:00 CST", "00:30 CST", "01:00 CST", "01:30 CST", "03:00 CDT", "03:30 CDT"]),
        (
            date(2026, 11, 1),
            [
                "00:00 CDT", "00:30 CDT", "01:00 CDT", "01:30 CDT", "01:00 CST", "01:30 CST",
                "02:00 CST", "02:30 CST", "03:00 CST", "03:30 CST",
            ],
        ),
    ],
)  # fmt: skip
def test_skipped_hour_is_not_offered_and_the_double_one_is_offered_twice(day: date, expected: list[str]) -> None:
    night = business("America/Chicago", [(0, 240)])
    found = slots.member_starts(night, member(), service(), day, day, {})
    assert [f"{start.astimezone(AUSTIN):%H:%M %Z}" for start in found] == expected


# --- with a database -------------------------------------------------------------------------------------------------

DAY = date(2026, 1, 15)


def times(found: list[slots.Slot], who: bool = False) -> list[str]:
    return [f"{slot.starts_at.astimezone(AUSTIN):%H:%M}" + (f" {slot.staff_name}" if who else "") for slot in found]


def book(db: Db, shop: Shop, service_id: int, when: str, staff_id: int | None) -> bookings.Appointment:
    wanted = slots.at(shop.business(db), service_id, at(when), staff_id=staff_id)
    return bookings.book(
        db,
        shop.bot,
        shop.business(db),
        slot=wanted,
        customer_id=shop.customer_id,
        conversation_id=shop.conversation_id,
        source="bot",
        now=NOW,
    )


def test_day_is_offered_in_steps_from_opening_with_whom_has_least_to_do(db: Db, shop: Shop) -> None:
    found = slots.free(db, shop.business(db), shop.haircut, from_day=DAY, to_day=DAY, now=NOW)
    assert times(found)[:3] == ["09:00", "09:30", "10:00"]
    assert times(found)[-1] == "16:30"
    assert len(found) == 16
    assert {slot.staff_name for slot in found} == {"Anna"}  # nobody has anything to do: the order of the business
    book(db, shop, shop.haircut, "2026-01-15 10:00", shop.anna)
    found = slots.free(db, shop.business(db), shop.haircut, from_day=DAY, to_day=DAY, now=NOW, limit=4)
    assert times(found, who=True) == ["09:00 Ben", "09:30 Ben", "10:00 Ben", "10:30 Ben"]


def test_buffer_keeps_the_next_visit_away_but_may_reach_beyond_closing(db: Db, shop: Shop) -> None:
    book(db, shop, shop.colour, "2026-01-15 10:00", shop.anna)  # until 11:30, and a quarter of an hour to clean up
    found = slots.free(db, shop.business(db), shop.haircut, from_day=DAY, to_day=DAY, staff_id=shop.anna, now=NOW)
    assert times(found)[:4] == ["09:00", "09:30", "12:00", "12:30"]
    found = slots.free(db, shop.business(db), shop.colour, from_day=DAY, to_day=DAY, now=NOW)
    assert times(found) == ["12:00", "12:30", "13:00", "13:30", "14:00", "14:30", "15:00", "15:30"]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"part": "morning"}, "09:00 09:30 10:00 10:30 11:00 11:30"),
        ({"part": "evening"}, ""),
        ({"part": "afternoon", "not_before": time(16)}, "16:00 16:30"),
        ({"not_after": time(10)}, "09:00 09:30 10:00"),
        ({"not_before": time(14), "not_after": time(15)}, "14:00 14:30 15:00"),
        ({"limit": 2}, "09:00 09:30"),
        ({"limit": 0}, ""),
        ({"to_day": date(2026, 1, 14)}, ""),
    ],
)
def test_wishes_narrow_what_is_offered(db: Db, shop: Shop, filters: dict[str, object], expected: str) -> None:
    wanted = {"from_day": DAY, "to_day": DAY, "now": NOW, **filters}
    found = slots.free(db, shop.business(db), shop.haircut, **wanted)  # type: ignore[arg-type]  # names from the table
    assert " ".join(times(found)) == expected


def test_notice_and_horizon_bound_what_is_offered(db: Db, shop: Shop) -> None:
    late = shops.add_service(
        db, shop.tenant_id, shop.business_id, "Late", 30, lead_minutes=24 * 60 + 50, horizon_days=2
    )
    found = slots.free(
        db, shop.business(db), late, from_day=date(2020, 1, 1), to_day=date.max, now=NOW + minutes(20), limit=None
    )
    assert f"{found[0].starts_at.astimezone(AUSTIN):%d %H:%M}" == "15 10:30"  # 10:10 is the soonest
    assert f"{found[-1].starts_at.astimezone(AUSTIN):%d %H:%M}" == "16 16:30"
    today = slots.free(
        db, shop.business(db), shop.haircut, from_day=date(2026, 1, 14), to_day=date(2026, 1, 14), now=NOW
    )
    assert times(today)[0] == "09:30"  # nobody can come at this very moment


def test_plans_absences_and_holidays_are_kept(db: Db, shop: Shop) -> None:
    for opens, closes in ((600, 720), (780, 900)):
        shops.add_hours(db, shop.ben, DAY.weekday(), opens, closes)
    shops.add_absence(db, shop.ben, at("2026-01-15 13:30"), at("2026-01-15 14:00"))
    shops.add_holiday(db, shop.business_id, date(2026, 1, 16))
    found = slots.free(
        db, shop.business(db), shop.haircut, from_day=DAY, to_day=date(2026, 1, 16), staff_id=shop.ben, now=NOW
    )
    assert times(found) == ["10:00", "10:30", "11:00", "11:30", "13:00", "14:00", "14:30"]


def test_capacity_allows_as_many_at_one_time_and_not_one_more(db: Db, shop: Shop) -> None:
    course = shops.add_service(db, shop.tenant_id, shop.business_id, "Course", 60, skills=["room"])
    room = shops.add_staff(db, shop.tenant_id, shop.business_id, "Room", skills=["room"], capacity=3, kind="place")
    for _ in range(2):
        book(db, shop, course, "2026-01-15 10:00", room)
    book(db, shop, course, "2026-01-15 10:30", None)
    found = slots.free(db, shop.business(db), course, from_day=DAY, to_day=DAY, now=NOW, not_after=time(11, 30))
    assert times(found) == ["09:00", "09:30", "11:00", "11:30"]


def test_hold_that_ran_out_is_nothing_and_a_live_one_is_taken(db: Db, shop: Shop) -> None:
    wanted = slots.at(shop.business(db), shop.haircut, at("2026-01-15 10:00"), staff_id=shop.ben)
    bookings.hold(db, shop.bot, shop.business(db), wanted, conversation_id=shop.conversation_id, now=NOW)
    for later, is_free in ((0, False), (9, False), (10, True)):
        found = slots.free(
            db,
            shop.business(db),
            shop.haircut,
            from_day=DAY,
            to_day=DAY,
            staff_id=shop.ben,
            now=NOW + minutes(later),
        )
        assert ("10:00" in times(found)) == is_free


def test_own_appointment_is_no_obstacle_when_it_is_to_move(db: Db, shop: Shop) -> None:
    own = book(db, shop, shop.haircut, "2026-01-15 10:00", shop.ben)
    wanted = {"from_day": DAY, "to_day": DAY, "staff_id": shop.ben, "now": NOW}
    assert "10:00" not in times(slots.free(db, shop.business(db), shop.haircut, **wanted))  # type: ignore[arg-type]
    found = slots.free(db, shop.business(db), shop.haircut, ignore_appointment_id=own.id, **wanted)  # type: ignore[arg-type]
    assert "10:00" in times(found)


def test_nearest_stays_on_the_day_while_it_can(db: Db, shop: Shop) -> None:
    business_ = shop.business(db)
    near = slots.nearest(db, business_, shop.haircut, at("2026-01-15 12:10"), now=NOW)
    assert times(near) == ["11:30", "12:00", "12:30"]
    evening = slots.nearest(db, business_, shop.haircut, at("2026-01-15 22:00"), now=NOW)
    assert [f"{slot.starts_at.astimezone(AUSTIN):%d %H:%M}" for slot in evening] == ["15 15:30", "15 16:00", "15 16:30"]
    shops.add_holiday(db, shop.business_id, DAY)
    other_days = slots.nearest(db, shop.business(db), shop.haircut, at("2026-01-15 13:00"), now=NOW)
    assert {slot.starts_at.astimezone(AUSTIN).day for slot in other_days} == {14, 16}
    far = slots.nearest(db, shop.business(db), shop.haircut, at("2030-01-01 12:00"), now=NOW)
    assert {slot.starts_at.astimezone(AUSTIN).date() for slot in far} == {date(2026, 3, 15)}  # the last day of all


def test_wrong_member_or_service_is_named(db: Db, shop: Shop) -> None:
    with pytest.raises(Invalid, match="Ben does not do this") as wrong:
        slots.free(db, shop.business(db), shop.colour, from_day=DAY, to_day=DAY, staff_id=shop.ben, now=NOW)
    assert wrong.value.field == "staff_id"
    with pytest.raises(NotFound):
        slots.free(db, shop.business(db), 10**9, from_day=DAY, to_day=DAY, now=NOW)
    with pytest.raises(NotFound):
        slots.free(db, shop.business(db), shop.haircut, from_day=DAY, to_day=DAY, staff_id=10**9, now=NOW)
