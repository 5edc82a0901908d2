"""Holding, booking, moving, cancelling."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import FromClause, func, select, update

from desk.calendar import appointments as reading
from desk.calendar import bookings, slots
from desk.calendar.appointments import Appointment
from desk.calendar.claims import Freed
from desk.errors import HoldExpired, Invalid, NotAllowed, NotFound, SlotTaken, WrongState
from desk.who import Actor
from storage.base import Db
from storage.models.audit import audit
from storage.models.businesses import staff
from storage.models.calendar import appointments, claims
from storage.models.jobs import jobs
from storage.session import take_said
from tests.desk import shop as shops
from tests.desk.shop import AUSTIN, NOW, Shop, at, minutes

TEN = "2026-01-15 10:00"


def slot(db: Db, shop: Shop, when: str, staff_id: int | None = None, service_id: int | None = None) -> slots.Slot:
    return slots.at(shop.business(db), service_id or shop.haircut, at(when), staff_id=staff_id)


def hold(db: Db, shop: Shop, when: str, staff_id: int | None = None, *, now: datetime = NOW) -> bookings.Hold:
    wanted = slot(db, shop, when, staff_id)
    return bookings.hold(db, shop.bot, shop.business(db), wanted, conversation_id=shop.conversation_id, now=now)


def book(db: Db, shop: Shop, who: Actor | None = None, *, now: datetime = NOW, **how: object) -> Appointment:
    given = {"customer_id": shop.customer_id, "conversation_id": shop.conversation_id, "source": "bot", **how}
    return bookings.book(db, who or shop.bot, shop.business(db), now=now, **given)  # type: ignore[arg-type]  # by name


def move(db: Db, shop: Shop, moved: Appointment, to: slots.Slot, *, now: datetime = NOW) -> Appointment:
    return bookings.move(db, shop.bot, shop.business(db), moved.id, to, now=now)


def cancel(db: Db, shop: Shop, moved: Appointment, *, now: datetime = NOW) -> Appointment:
    return bookings.cancel(db, shop.bot, shop.business(db), moved.id, reason="ill", now=now)


def other_conversation(db: Db, shop: Shop, peer: str = "+15125550002") -> int:
    customer_id = shops.add_customer(db, shop.tenant_id, "Zoe")
    return shops.add_conversation(db, shop.tenant_id, shop.business_id, shop.account_id, customer_id, peer)


def reminders(db: Db) -> list[tuple[str, str]]:
    rows = db.execute(select(jobs.c.payload, jobs.c.run_at).where(jobs.c.kind == "reminder").order_by(jobs.c.run_at))
    return [(row.payload["rule"], f"{row.run_at.astimezone(AUSTIN):%d %H:%M}") for row in rows]


def count(db: Db, table: FromClause) -> int:
    found: int = db.execute(select(func.count()).select_from(table)).scalar_one()
    return found


def test_held_time_is_booked_with_reminders_audit_and_a_wake_up(db: Db, shop: Shop) -> None:
    take_said(db)
    kept = hold(db, shop, TEN, shop.ben)
    assert kept.slot.staff_name == "Ben"
    assert kept.expires_at == NOW + minutes(10)
    made = book(db, shop, hold_id=kept.id, notes="first time\x00")
    assert (made.starts_at, made.ends_at) == (at(TEN), at("2026-01-15 10:30"))
    assert (made.staff_name, made.service_name, made.local_start) == ("Ben", "Haircut", "2026-01-15T10:00")
    assert (made.status, made.sequence, made.notes, made.source) == ("scheduled", 0, "first time", "bot")
    assert reminders(db) == [("day", "14 10:00"), ("soon", "15 08:00")]
    assert db.execute(select(audit.c.action, audit.c.actor, audit.c.noun_id)).all() == [
        ("appointment.booked", "bot", made.id)
    ]
    assert take_said(db).topics >= {f"appointments:{shop.business_id}"}
    assert bookings.get(db, shop.bot, made.id) == made
    assert bookings.upcoming(db, shop.bot, customer_id=shop.customer_id, now=NOW) == [made]


def test_saying_yes_twice_books_once(db: Db, shop: Shop) -> None:
    kept = hold(db, shop, TEN)
    assert book(db, shop, hold_id=kept.id) == book(db, shop, hold_id=kept.id)
    assert count(db, appointments) == 1


def test_new_hold_replaces_the_one_before(db: Db, shop: Shop) -> None:
    first = hold(db, shop, TEN, shop.ben)
    hold(db, shop, "2026-01-15 11:00", shop.ben)
    assert count(db, claims) == 1
    with pytest.raises(HoldExpired):
        book(db, shop, hold_id=first.id)
    hold(db, shop, TEN, shop.ben)
    assert bookings.release(db, shop.bot, conversation_id=shop.conversation_id, now=NOW)
    assert not bookings.release(db, shop.bot, conversation_id=shop.conversation_id, now=NOW)
    assert count(db, claims) == 0


def test_held_time_is_taken_for_everybody_else_who_get_alternatives(db: Db, shop: Shop) -> None:
    hold(db, shop, TEN, shop.ben)
    with pytest.raises(SlotTaken) as taken:
        bookings.hold(
            db, shop.bot, shop.business(db), slot(db, shop, TEN, shop.ben),
            conversation_id=other_conversation(db, shop), now=NOW,
        )  # fmt: skip
    assert [f"{one.starts_at.astimezone(AUSTIN):%H:%M} {one.staff_name}" for one in taken.value.alternatives] == [
        "09:00 Ben",
        "09:30 Ben",
        "10:30 Ben",
    ]


def test_anyone_means_whoever_is_free_and_has_least_to_do(db: Db, shop: Shop) -> None:
    book(db, shop, slot=slot(db, shop, "2026-01-15 16:00", shop.anna))
    with_whom = [book(db, shop, slot=slot(db, shop, when)).staff_name for when in (TEN, TEN, "2026-01-15 11:00")]
    assert with_whom == ["Ben", "Anna", "Ben"]
    with pytest.raises(SlotTaken):
        book(db, shop, slot=slot(db, shop, TEN))


def test_hold_that_ran_out_is_booked_while_nobody_else_took_it(db: Db, shop: Shop) -> None:
    late = NOW + minutes(11)
    kept = hold(db, shop, TEN, shop.ben)
    assert book(db, shop, hold_id=kept.id, now=late).starts_at == at(TEN)

    kept = hold(db, shop, "2026-01-15 11:00", shop.ben)
    assert bookings.expire_holds(db, late) == 1
    with pytest.raises(HoldExpired):
        book(db, shop, hold_id=kept.id, now=late)
    assert book(db, shop, hold_id=kept.id, slot=kept.slot, now=late).starts_at == kept.slot.starts_at

    kept = hold(db, shop, "2026-01-15 12:00", shop.ben)
    other = other_conversation(db, shop)
    book(db, shop, slot=kept.slot, conversation_id=other, now=late)
    with pytest.raises(SlotTaken):
        book(db, shop, hold_id=kept.id, slot=kept.slot, now=late)


def test_hold_does_not_outlive_the_notice_when_it_has_run_out(db: Db, shop: Shop) -> None:
    kept = hold(db, shop, "2026-01-14 09:30", shop.ben)
    with pytest.raises(SlotTaken):
        book(db, shop, hold_id=kept.id, now=NOW + minutes(31))
    assert count(db, appointments) == 0


def test_hold_of_another_conversation_or_customer_is_not_found(db: Db, shop: Shop) -> None:
    kept = hold(db, shop, TEN)
    with pytest.raises(NotFound):
        book(db, shop, hold_id=kept.id, conversation_id=other_conversation(db, shop))
    book(db, shop, hold_id=kept.id)
    with pytest.raises(NotFound):
        book(db, shop, hold_id=kept.id, customer_id=shops.add_customer(db, shop.tenant_id, "Zoe"))


@pytest.mark.parametrize(
    "when",
    [
        "2026-01-15 08:30",  # not open yet
        "2026-01-15 16:45",  # would end after closing
        "2026-01-15 10:10",  # not a starting time
        "2026-01-14 08:00",  # over
        "2026-06-15 10:00",  # beyond the horizon
    ],
)
def test_time_that_is_not_offered_cannot_be_taken_except_by_staff(db: Db, shop: Shop, when: str) -> None:
    for who in (shop.bot, Actor(shop.tenant_id, "system"), Actor(shop.tenant_id, "customer")):
        with pytest.raises(SlotTaken):
            book(db, shop, who, slot=slot(db, shop, when, shop.ben))
    assert book(db, shop, shop.staff, slot=slot(db, shop, when, shop.ben)).starts_at == at(when)
    with pytest.raises(SlotTaken):
        book(db, shop, shop.staff, slot=slot(db, shop, when, shop.ben))


@pytest.mark.parametrize(
    ("first", "then", "fits"),
    [
        (("haircut", "10:00"), ("haircut", "10:30"), True),  # back to back
        (("haircut", "10:00"), ("haircut", "09:30"), True),
        (("colour", "10:00"), ("haircut", "11:30"), False),  # somebody has to clean up first
        (("colour", "10:00"), ("haircut", "12:00"), True),
        (("haircut", "10:30"), ("colour", "09:00"), False),  # ends at 10:30, cleans up until 10:45
        (("haircut", "11:00"), ("colour", "09:00"), True),
        (("colour", "10:00"), ("haircut", "10:30"), False),  # in the middle
        (("haircut", "10:30"), ("colour", "10:00"), False),  # around it
    ],
)
def test_visits_of_different_start_and_length_do_not_overlap(
    db: Db, shop: Shop, first: tuple[str, str], then: tuple[str, str], fits: bool
) -> None:
    ids = {"haircut": shop.haircut, "colour": shop.colour}
    one, other = (slot(db, shop, f"2026-01-15 {when}", shop.anna, ids[name]) for name, when in (first, then))
    book(db, shop, slot=one)
    if fits:
        book(db, shop, slot=other)
    else:
        with pytest.raises(SlotTaken):
            book(db, shop, slot=other)


def test_move_takes_reminders_along_and_frees_the_old_time(db: Db, shop: Shop) -> None:
    made = book(db, shop, slot=slot(db, shop, TEN, shop.ben))
    bookings.confirm(db, shop.bot, made.id, now=NOW)
    moved = move(db, shop, made, slot(db, shop, "2026-01-16 14:00"))
    assert (moved.staff_id, moved.starts_at, moved.sequence) == (shop.ben, at("2026-01-16 14:00"), 1)
    assert (moved.status, moved.local_start) == ("scheduled", "2026-01-16T14:00")
    assert reminders(db) == [("day", "15 14:00"), ("soon", "16 12:00")]
    freed = db.execute(select(jobs.c.payload).where(jobs.c.kind == bookings.FREED)).scalar_one()
    assert Freed.of(freed).span == (at(TEN), at("2026-01-15 10:30"))
    assert book(db, shop, slot=slot(db, shop, TEN, shop.ben)).starts_at == at(TEN)


def test_move_may_overlap_its_own_old_time_and_change_hands(db: Db, shop: Shop) -> None:
    made = book(db, shop, slot=slot(db, shop, TEN, shop.anna, shop.colour))
    moved = move(db, shop, made, slot(db, shop, "2026-01-15 10:30", shop.anna, shop.colour))
    assert moved.starts_at == at("2026-01-15 10:30")
    cut = book(db, shop, slot=slot(db, shop, "2026-01-15 14:00", shop.ben))
    assert move(db, shop, cut, slot(db, shop, "2026-01-15 14:00", shop.anna)).staff_name == "Anna"


def test_move_that_changes_nothing_changes_nothing(db: Db, shop: Shop) -> None:
    made = book(db, shop, slot=slot(db, shop, TEN, shop.ben))
    assert move(db, shop, made, slot(db, shop, TEN)) == made
    assert move(db, shop, made, slot(db, shop, TEN, shop.ben)) == made


def test_move_onto_a_taken_time_leaves_everything_as_it_was(db: Db, shop: Shop) -> None:
    made = book(db, shop, slot=slot(db, shop, TEN, shop.ben))
    book(db, shop, slot=slot(db, shop, "2026-01-15 11:00", shop.ben))
    with pytest.raises(SlotTaken) as taken:
        move(db, shop, made, slot(db, shop, "2026-01-15 11:00", shop.ben))
    assert taken.value.alternatives
    assert bookings.get(db, shop.bot, made.id) == made
    assert reminders(db)[0] == ("day", "14 10:00")


def test_move_gives_up_what_the_conversation_holds(db: Db, shop: Shop) -> None:
    made = book(db, shop, slot=slot(db, shop, TEN, shop.ben))
    kept = hold(db, shop, "2026-01-15 12:00", shop.ben)
    moved = bookings.move(
        db, shop.bot, shop.business(db), made.id, kept.slot, now=NOW, conversation_id=shop.conversation_id
    )
    assert moved.starts_at == kept.slot.starts_at
    assert count(db, claims) == 1


def test_move_to_another_service_is_refused(db: Db, shop: Shop) -> None:
    made = book(db, shop, slot=slot(db, shop, TEN, shop.anna))
    with pytest.raises(Invalid):
        move(db, shop, made, slot(db, shop, TEN, shop.anna, shop.colour))


def test_cancel_frees_the_time_forgets_reminders_and_is_idempotent(db: Db, shop: Shop) -> None:
    made = book(db, shop, slot=slot(db, shop, TEN, shop.ben))
    gone = cancel(db, shop, made)
    assert (gone.status, gone.cancel_reason, gone.cancelled_at) == ("cancelled", "ill", NOW)
    assert cancel(db, shop, made, now=NOW + minutes(5)) == gone
    assert reminders(db) == []
    assert count(db, claims) == 0
    assert db.execute(select(func.count()).where(jobs.c.kind == bookings.FREED)).scalar_one() == 1
    assert bookings.upcoming(db, shop.bot, customer_id=shop.customer_id, now=NOW) == []
    with pytest.raises(WrongState):
        move(db, shop, made, slot(db, shop, "2026-01-15 12:00", shop.ben))
    book(db, shop, slot=slot(db, shop, TEN, shop.ben))


def test_only_people_say_how_a_visit_went_and_only_once_it_began(db: Db, shop: Shop) -> None:
    made = book(db, shop, slot=slot(db, shop, TEN, shop.ben))
    begun = at(TEN) + minutes(5)
    with pytest.raises(NotAllowed):
        bookings.no_show(db, shop.bot, made.id, now=begun)
    with pytest.raises(WrongState):
        bookings.no_show(db, shop.staff, made.id, now=NOW)
    missed = bookings.no_show(db, shop.staff, made.id, now=begun)
    assert missed == bookings.no_show(db, shop.staff, made.id, now=begun)
    assert missed == bookings.get(db, shop.bot, made.id)
    assert reminders(db) == []
    for verb in (bookings.complete, bookings.confirm):
        with pytest.raises(WrongState) as state:
            verb(db, shop.staff, made.id, now=begun)
        assert state.value.state == "no_show"
    with pytest.raises(WrongState):
        cancel(db, shop, made)


def test_confirming_twice_is_the_same_as_once(db: Db, shop: Shop) -> None:
    made = book(db, shop, slot=slot(db, shop, TEN, shop.ben))
    sure = bookings.confirm(db, shop.bot, made.id, now=NOW)
    assert sure.status == "confirmed"
    assert bookings.confirm(db, shop.bot, made.id, now=NOW) == sure


def test_reminder_of_what_was_moved_or_cancelled_finds_nothing(db: Db, shop: Shop) -> None:
    made = book(db, shop, slot=slot(db, shop, TEN, shop.ben))
    who = Actor(shop.tenant_id, "system")
    assert reading.to_remind_of(db, who, made.id, sequence=0, now=NOW) == made
    assert reading.to_remind_of(db, who, made.id, sequence=0, now=at(TEN)) is None
    moved = move(db, shop, made, slot(db, shop, "2026-01-16 14:00"))
    assert reading.to_remind_of(db, who, made.id, sequence=0, now=NOW) is None
    assert reading.to_remind_of(db, who, made.id, sequence=1, now=NOW) == moved
    cancel(db, shop, made)
    assert reading.to_remind_of(db, who, made.id, sequence=1, now=NOW) is None
    assert reading.to_remind_of(db, who, 10**9, sequence=1, now=NOW) is None


def test_nothing_of_one_tenant_is_within_reach_of_another(db: Db, shop: Shop) -> None:
    there = shops.open_shop(db, number="+15125550199")
    made = book(db, shop, slot=slot(db, shop, TEN, shop.ben))
    kept = hold(db, shop, "2026-01-15 12:00", shop.ben)
    mine, yours = shop.business(db), there.business(db)
    wanted = slot(db, there, TEN, there.ben)
    attempts: list[Callable[[], object]] = [
        lambda: bookings.get(db, there.staff, made.id),
        lambda: bookings.cancel(db, there.staff, yours, made.id, reason="", now=NOW),
        lambda: bookings.cancel(db, there.staff, mine, made.id, reason="", now=NOW),
        lambda: bookings.move(db, there.staff, yours, made.id, wanted, now=NOW),
        lambda: bookings.confirm(db, there.staff, made.id, now=NOW),
        lambda: bookings.hold(db, there.bot, mine, wanted, conversation_id=None, now=NOW),
        lambda: book(db, there, slot=wanted, customer_id=shop.customer_id),
        lambda: book(db, there, slot=wanted, conversation_id=shop.conversation_id),
        lambda: book(db, there, slot=slot(db, shop, TEN, shop.ben)),  # a slot of our service and staff
        lambda: book(db, there, slot=replace(wanted, staff_id=shop.ben)),
    ]
    for attempt in attempts:
        with pytest.raises(NotFound):
            attempt()
    with pytest.raises(HoldExpired):
        book(db, there, hold_id=kept.id)
    assert not bookings.release(db, there.bot, conversation_id=shop.conversation_id, now=NOW)
    assert bookings.upcoming(db, there.bot, customer_id=shop.customer_id, now=NOW) == []
    assert bookings.get(db, shop.bot, made.id) == made


def test_lowered_capacity_counts_visits_that_were_booked_before(db: Db, shop: Shop) -> None:
    course = shops.add_service(db, shop.tenant_id, shop.business_id, "Course", 60, skills=["room"])
    room = shops.add_staff(db, shop.tenant_id, shop.business_id, "Room", skills=["room"], capacity=3)
    made = [book(db, shop, slot=slot(db, shop, TEN, room, course)) for _ in range(3)]
    db.execute(update(staff).where(staff.c.id == room).values(capacity=2))
    for gone in made[:2]:
        with pytest.raises(SlotTaken):
            book(db, shop, slot=slot(db, shop, TEN, room, course))
        cancel(db, shop, gone)
    book(db, shop, slot=slot(db, shop, TEN, room, course))


def test_upcoming_is_in_order_and_leaves_out_what_is_over(db: Db, shop: Shop) -> None:
    later, sooner = (book(db, shop, slot=slot(db, shop, f"2026-01-{day} 10:00", shop.ben)) for day in (17, 16))
    found = bookings.upcoming(db, shop.bot, customer_id=shop.customer_id, now=NOW)
    assert [one.id for one in found] == [sooner.id, later.id]
    after = sooner.ends_at + timedelta(seconds=1)
    found = bookings.upcoming(db, shop.bot, customer_id=shop.customer_id, now=after)
    assert [one.id for one in found] == [later.id]
