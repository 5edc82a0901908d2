"""Waiting for a time: freed time goes round in the order in which people came, one at a time."""

from collections.abc import Callable
from datetime import date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, func, select

from desk.calendar import bookings, slots, waitlist
from desk.calendar.appointments import Appointment
from desk.calendar.claims import Freed
from desk.calendar.spans import Span
from desk.errors import HoldExpired, Invalid, NotFound, SlotTaken, WrongState
from desk.sending import USUAL, Policy
from storage.base import Db
from storage.models.calendar import claims
from storage.models.jobs import jobs
from tests.desk import shop as shops
from tests.desk.shop import NOW, Shop, at, minutes

DAY = date(2026, 1, 15)
TEN = at("2026-01-15 10:00")


def book(db: Db, shop: Shop, *, service_id: int | None = None, staff_id: int | None = None) -> Appointment:
    business = shop.business(db)
    wanted = slots.at(business, service_id or shop.haircut, TEN, staff_id=staff_id or shop.ben)
    return bookings.book(
        db,
        shop.bot,
        business,
        slot=wanted,
        customer_id=shop.customer_id,
        conversation_id=shop.conversation_id,
        source="bot",
        now=NOW,
    )


def wait(
    db: Db,
    shop: Shop,
    *,
    name: str = "Zoe",
    service_id: int | None = None,
    staff_id: int | None = None,
    days: tuple[date, date] = (DAY, DAY),
) -> waitlist.Entry:
    customer_id = shops.add_customer(db, shop.tenant_id, name)
    peer = f"+1512555{customer_id:04}"
    conversation_id = shops.add_conversation(db, shop.tenant_id, shop.business_id, shop.account_id, customer_id, peer)
    return waitlist.join(
        db,
        shop.bot,
        shop.business(db),
        service_id=service_id or shop.haircut,
        staff_id=staff_id,
        customer_id=customer_id,
        conversation_id=conversation_id,
        from_day=days[0],
        to_day=days[1],
        now=NOW,
    )


def cancel_and_offer(db: Db, shop: Shop, gone: Appointment) -> waitlist.Offer | None:
    """Cancel, and do the job that this leaves."""
    bookings.cancel(db, shop.bot, shop.business(db), gone.id, reason="", now=NOW)
    return go_on(db, shop)


def go_on(db: Db, shop: Shop, *, usual: Policy = USUAL, now: datetime = NOW) -> waitlist.Offer | None:
    """Do what is due of the jobs that freed time leaves, of which there is one at most."""
    due = jobs.c.kind == bookings.FREED, jobs.c.run_at <= now
    payload = db.execute(select(jobs.c.payload).where(*due)).scalar_one_or_none()
    db.execute(delete(jobs).where(*due))
    if payload is None:
        return None
    return waitlist.offer_freed(db, shop.bot, shop.business(db), Freed.of(payload), usual=usual, now=now)


def status(db: Db, shop: Shop, entry: waitlist.Entry) -> str:
    return waitlist.get(db, shop.bot, entry.id).status


def test_freed_time_is_held_for_the_first_who_waits_and_announced(db: Db, shop: Shop) -> None:
    gone, first, second = book(db, shop), wait(db, shop), wait(db, shop)
    offer = cancel_and_offer(db, shop, gone)
    assert offer is not None
    assert (offer.entry.id, offer.slot.starts_at, offer.slot.staff_name) == (first.id, TEN, "Ben")
    assert offer.expires_at == NOW + minutes(10)
    assert (status(db, shop, first), status(db, shop, second)) == ("offered", "waiting")
    assert waitlist.offer_of(db, shop.bot, shop.business(db), first.id) == offer
    assert waitlist.offer_of(db, shop.bot, shop.business(db), second.id) is None
    announced = select(jobs.c.payload).where(jobs.c.kind == waitlist.OFFER)
    assert db.execute(announced).scalars().all() == [{"waitlist_id": first.id}]
    with pytest.raises(SlotTaken):
        book(db, shop)


def test_accepted_offer_is_an_appointment_of_whoever_waited(db: Db, shop: Shop) -> None:
    gone, first = book(db, shop), wait(db, shop)
    cancel_and_offer(db, shop, gone)
    made = waitlist.accept(db, shop.bot, shop.business(db), first.id, now=NOW)
    assert (made.starts_at, made.customer_id, made.conversation_id) == (TEN, first.customer_id, first.conversation_id)
    assert status(db, shop, first) == "booked"
    with pytest.raises(WrongState):
        waitlist.accept(db, shop.bot, shop.business(db), first.id, now=NOW)


@pytest.mark.parametrize("verb", [waitlist.decline, waitlist.leave])
def test_declined_offer_goes_to_the_next(db: Db, shop: Shop, verb: Callable[..., None]) -> None:
    gone, first, second = book(db, shop), wait(db, shop), wait(db, shop)
    cancel_and_offer(db, shop, gone)
    for _ in range(2):  # twice is once
        verb(db, shop.bot, first.id, now=NOW)
    offer = go_on(db, shop)
    assert offer is not None
    assert offer.entry.id == second.id
    verb(db, shop.bot, second.id, now=NOW)
    assert go_on(db, shop) is None
    book(db, shop)


def test_offer_that_nobody_answers_goes_on_until_nobody_is_left(db: Db, shop: Shop) -> None:
    gone, waiting = book(db, shop), [wait(db, shop) for _ in range(3)]
    cancel_and_offer(db, shop, gone)
    now = NOW
    for after in waiting[1:]:
        assert waitlist.expire_offers(db, now + minutes(9)) == 0
        now += minutes(10)
        assert waitlist.expire_offers(db, now) == 1
        offer = go_on(db, shop, now=now)
        assert offer is not None
        assert offer.entry.id == after.id
    assert waitlist.expire_offers(db, now + minutes(10)) == 1
    assert go_on(db, shop, now=now + minutes(10)) is None
    assert [status(db, shop, one) for one in waiting] == ["waiting"] * 3
    assert db.execute(select(func.count()).select_from(claims)).scalar_one() == 0


def test_nobody_is_asked_at_night_and_who_did_not_answer_is_asked_of_other_times(db: Db, shop: Shop) -> None:
    gone, first, second = book(db, shop), wait(db, shop), wait(db, shop)
    night, morning = at("2026-01-15 02:00"), at("2026-01-15 08:00")
    business = shop.business(db)
    bookings.cancel(db, shop.bot, business, gone.id, reason="", now=night)
    usual = Policy(offer_minutes=30)
    assert go_on(db, shop, usual=usual, now=night) is None
    assert go_on(db, shop, usual=usual, now=morning - minutes(1)) is None
    offer = go_on(db, shop, usual=usual, now=morning)
    assert offer is not None
    assert (offer.entry.id, offer.expires_at) == (first.id, morning + minutes(30))
    waitlist.expire_offers(db, morning + minutes(30))
    offer = go_on(db, shop, usual=usual, now=morning + minutes(30))
    assert offer is not None
    assert offer.entry.id == second.id
    beside = Freed(shop.business_id, shop.ben, Span(TEN + minutes(15), TEN + minutes(45)))  # as good as what they had
    assert waitlist.offer_freed(db, shop.bot, business, beside, now=morning + minutes(31)) is None
    later = Freed(shop.business_id, shop.ben, Span(at("2026-01-15 14:00"), at("2026-01-15 14:30")))
    offer = waitlist.offer_freed(db, shop.bot, business, later, now=morning + minutes(31))
    assert offer is not None
    assert (offer.entry.id, offer.slot.starts_at) == (first.id, at("2026-01-15 14:00"))


def test_late_yes_counts_while_nobody_else_was_asked(db: Db, shop: Shop) -> None:
    gone, first = book(db, shop), wait(db, shop)
    cancel_and_offer(db, shop, gone)
    late = NOW + minutes(20)
    assert bookings.expire_holds(db, late) == 0  # that is not its business
    assert waitlist.accept(db, shop.bot, shop.business(db), first.id, now=late).starts_at == TEN


def test_yes_after_the_offer_went_on_is_too_late(db: Db, shop: Shop) -> None:
    gone, first, second = book(db, shop), wait(db, shop), wait(db, shop)
    cancel_and_offer(db, shop, gone)
    waitlist.expire_offers(db, NOW + minutes(10))
    go_on(db, shop, now=NOW + minutes(10))
    with pytest.raises(WrongState):
        waitlist.accept(db, shop.bot, shop.business(db), first.id, now=NOW + minutes(11))
    assert waitlist.accept(db, shop.bot, shop.business(db), second.id, now=NOW + minutes(11)).starts_at == TEN


def test_time_is_offered_only_to_whom_it_suits(db: Db, shop: Shop) -> None:
    gone = book(db, shop)
    wait(db, shop, service_id=shop.colour)  # Ben does not colour
    wait(db, shop, staff_id=shop.anna)
    wait(db, shop, days=(DAY + timedelta(days=1), DAY + timedelta(days=9)))
    suits = wait(db, shop, staff_id=shop.ben, days=(DAY - timedelta(days=1), DAY + timedelta(days=9)))
    offer = cancel_and_offer(db, shop, gone)
    assert offer is not None
    assert offer.entry.id == suits.id


def test_long_visit_needs_more_than_the_freed_time_but_may_use_what_is_free_around_it(db: Db, shop: Shop) -> None:
    gone = book(db, shop, staff_id=shop.anna)
    colour = wait(db, shop, service_id=shop.colour)
    offer = cancel_and_offer(db, shop, gone)
    assert offer is not None
    assert (offer.entry.id, offer.slot.starts_at) == (colour.id, TEN)


def test_freed_time_that_suits_nobody_is_simply_free(db: Db, shop: Shop) -> None:
    assert cancel_and_offer(db, shop, book(db, shop)) is None
    freed = Freed(shop.business_id, shop.ben, Span(NOW - minutes(60), NOW - minutes(30)))
    wait(db, shop, days=(date(2026, 1, 14), DAY))
    assert waitlist.offer_freed(db, shop.bot, shop.business(db), freed, now=NOW) is None


def test_offer_stands_beside_a_hold_of_the_same_conversation(db: Db, shop: Shop) -> None:
    gone, first = book(db, shop), wait(db, shop)
    cancel_and_offer(db, shop, gone)
    business = shop.business(db)
    other = slots.at(business, shop.haircut, at("2026-01-15 14:00"))
    bookings.hold(db, shop.bot, business, other, conversation_id=first.conversation_id, now=NOW)
    bookings.release(db, shop.bot, conversation_id=first.conversation_id, now=NOW)
    assert waitlist.offer_of(db, shop.bot, business, first.id) is not None


def test_joining_again_changes_the_days_and_keeps_the_place(db: Db, shop: Shop) -> None:
    first, _ = wait(db, shop), wait(db, shop)
    again = waitlist.join(
        db,
        shop.bot,
        shop.business(db),
        service_id=shop.haircut,
        staff_id=shop.ben,
        customer_id=first.customer_id,
        conversation_id=first.conversation_id,
        from_day=DAY,
        to_day=DAY + timedelta(days=2),
        now=NOW,
    )
    assert (again.id, again.to_day, again.staff_id) == (first.id, DAY + timedelta(days=2), shop.ben)
    assert waitlist.waiting_of(db, shop.bot, shop.business_id, first.customer_id) == [again]


def test_days_that_make_no_sense_are_refused(db: Db, shop: Shop) -> None:
    for days in ((DAY, DAY - timedelta(days=1)), (date(2020, 1, 1), date(2020, 1, 2)), (DAY, date(2030, 1, 1))):
        with pytest.raises(Invalid) as wrong:
            wait(db, shop, days=days)
        assert wrong.value.field == "to_day"


def test_entries_of_another_tenant_are_not_found(db: Db, shop: Shop) -> None:
    there = shops.open_shop(db, number="+15125550199")
    gone, mine = book(db, shop), wait(db, shop)
    cancel_and_offer(db, shop, gone)
    for verb in (waitlist.decline, waitlist.leave):
        with pytest.raises(NotFound):
            verb(db, there.bot, mine.id, now=NOW)
    with pytest.raises(NotFound):
        waitlist.accept(db, there.bot, there.business(db), mine.id, now=NOW)
    with pytest.raises(NotFound):
        waitlist.get(db, there.bot, mine.id)
    assert waitlist.waiting_of(db, there.bot, shop.business_id, mine.customer_id) == []
    assert status(db, shop, mine) == "offered"


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["accept", "decline", "leave", "silence"]), min_size=1, max_size=6))
def test_whatever_they_answer_time_goes_round_in_order_and_never_to_two(
    shared_engine: Engine, answers: list[str]
) -> None:
    with shared_engine.connect() as db:
        transaction = db.begin()
        shop = shops.open_shop(db)
        gone, waiting = book(db, shop), [wait(db, shop) for _ in answers]
        business, now = shop.business(db), NOW
        offer = cancel_and_offer(db, shop, gone)
        for entry, answer in zip(waiting, answers, strict=True):
            assert offer is not None
            assert offer.entry.id == entry.id
            if answer == "accept":
                waitlist.accept(db, shop.bot, business, entry.id, now=now)
                offer = None
                break
            if answer == "silence":
                now += minutes(10)
                waitlist.expire_offers(db, now)
            else:
                verb = waitlist.decline if answer == "decline" else waitlist.leave
                verb(db, shop.bot, entry.id, now=now)
            offer = go_on(db, shop, now=now)
            with pytest.raises((WrongState, HoldExpired)):
                waitlist.accept(db, shop.bot, business, entry.id, now=now)
        assert offer is None
        accepted = "accept" in answers
        assert db.execute(select(func.count()).select_from(claims)).scalar_one() == int(accepted)
        transaction.rollback()
