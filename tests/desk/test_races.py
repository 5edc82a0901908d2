"""Many at once for one time: as many winners as there is room, and other times for everybody else.

On SQLite everything that writes is one after another anyway, so the awkward ones are for PostgreSQL alone, from two
engines, as two processes have.
"""

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import pairwise
from threading import Barrier
from typing import TypeVar

import pytest
from sqlalchemy import Engine, func, select, update
from sqlalchemy.exc import OperationalError

from desk import conversations, customers, joining, messages
from desk.calendar import bookings, slots
from desk.calendar.appointments import Appointment
from desk.errors import SlotTaken
from storage.base import Db
from storage.models.accounts import accounts
from storage.models.calendar import claims
from storage.models.conversations import conversations as conversation_table
from storage.models.customers import customers as customer_table
from tests.desk import shop as shops
from tests.desk.shop import NOW, Shop, at, minutes

T = TypeVar("T")

postgresql_alone = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)

TEN = "2026-01-15 10:00"


@pytest.fixture
def engines(database_url: str) -> Iterator[list[Engine]]:
    """Two, as two processes would have."""
    both = [shops.engine(database_url, pool_size=16) for _ in range(2)]
    yield both
    for engine in both:
        engine.dispose()


@pytest.fixture
def committed(engines: list[Engine]) -> Shop:
    with engines[0].begin() as db:
        return shops.open_shop(db)


def at_once(engines: list[Engine], count: int, act: Callable[[Db, int], T]) -> list[T]:
    """What each of `count` calls came to, each in a transaction and thread of its own, all started together.

    A deadlock is tried again, as the store does; more than a few of them are a fault.
    """
    workers = min(count, 24)
    start = Barrier(workers)
    deadlocks: list[int] = []

    def one(number: int) -> T:
        if number < workers:
            start.wait(20)
        while True:
            try:
                with engines[number % len(engines)].begin() as db:
                    return act(db, number)
            except OperationalError as failed:
                if getattr(failed.orig, "sqlstate", None) != "40P01":
                    raise
                deadlocks.append(number)

    with ThreadPoolExecutor(workers) as threads:
        results = list(threads.map(one, range(count)))
    assert len(deadlocks) <= count // 10
    return results


def booking(
    db: Db, shop: Shop, when: str, staff_id: int | None, service_id: int | None = None
) -> Appointment | SlotTaken:
    wanted = slots.at(shop.business(db), service_id or shop.haircut, at(when), staff_id=staff_id)
    try:
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
    except SlotTaken as taken:
        return taken


def sorted_out(results: list[Appointment | SlotTaken]) -> tuple[list[Appointment], list[SlotTaken]]:
    made = [result for result in results if isinstance(result, Appointment)]
    return made, [result for result in results if isinstance(result, SlotTaken)]


@pytest.mark.parametrize(("staff", "room"), [("ben", 1), ("anyone", 2)])
def test_one_time_asked_for_by_sixty_four_is_given_once(
    engines: list[Engine], committed: Shop, staff: str, room: int
) -> None:
    staff_id = committed.ben if staff == "ben" else None
    made, taken = sorted_out(at_once(engines, 64, lambda db, _: booking(db, committed, TEN, staff_id)))
    assert len(made) == room
    assert len({one.staff_id for one in made}) == room
    assert len(taken) == 64 - room
    for refused in taken:
        assert refused.alternatives
        assert at(TEN) not in {slot.starts_at for slot in refused.alternatives}


def test_three_places_are_given_to_three_of_ten(engines: list[Engine], committed: Shop) -> None:
    with engines[0].begin() as db:
        course = shops.add_service(db, committed.tenant_id, committed.business_id, "Course", 60, skills=["room"])
        room = shops.add_staff(db, committed.tenant_id, committed.business_id, "Room", skills=["room"], capacity=3)
    made, _ = sorted_out(at_once(engines, 10, lambda db, _: booking(db, committed, TEN, room, course)))
    assert len(made) == 3


@postgresql_alone
def test_each_of_many_holds_is_somebody_elses_time(engines: list[Engine], committed: Shop) -> None:
    with engines[0].begin() as db:
        peers = [
            shops.add_conversation(
                db, committed.tenant_id, committed.business_id, committed.account_id, committed.customer_id, f"+1{n}"
            )
            for n in range(24)
        ]

    def hold(db: Db, number: int) -> slots.Slot | None:
        business = committed.business(db)
        wanted = slots.at(business, committed.haircut, at(TEN))
        try:
            return bookings.hold(db, committed.bot, business, wanted, conversation_id=peers[number], now=NOW).slot
        except SlotTaken as taken:
            again = taken.alternatives[number % len(taken.alternatives)]
            try:
                return bookings.hold(db, committed.bot, business, again, conversation_id=peers[number], now=NOW).slot
            except SlotTaken:
                return None

    held = [slot for slot in at_once(engines, 24, hold) if slot is not None]
    assert len({(slot.staff_id, slot.starts_at) for slot in held}) == len(held) >= 2


@postgresql_alone
def test_moves_and_bookings_in_a_muddle_never_overlap(engines: list[Engine], committed: Shop) -> None:
    """Visits of two lengths are booked and moved to and fro between two people, some onto time freed just before."""
    with engines[0].begin() as db:
        first = [booking(db, committed, f"2026-01-15 {hour}:00", None) for hour in ("09", "10", "11", "12")]
    mine, _ = sorted_out(first)

    def act(db: Db, number: int) -> None:
        chance = random.Random(number)
        when = f"2026-01-15 {chance.randint(9, 13):02}:{chance.choice(('00', '30'))}"
        if number % 3:
            service_id = chance.choice([committed.haircut, committed.colour])
            booking(db, committed, when, chance.choice([None, committed.anna]), service_id)
            return
        business = committed.business(db)
        wanted = slots.at(business, committed.haircut, at(when), staff_id=chance.choice([None, committed.ben]))
        try:
            bookings.move(db, committed.bot, business, mine[number % 4].id, wanted, now=NOW)
        except SlotTaken:
            assert bookings.get(db, committed.bot, mine[number % 4].id).is_live

    at_once(engines, 60, act)
    with engines[0].connect() as db:
        rows = db.execute(select(claims).order_by(claims.c.staff_id, claims.c.starts_at)).all()
    for before, after in pairwise(rows):
        assert before.staff_id != after.staff_id or before.ends_at <= after.starts_at
    assert len(rows) >= len(mine)


@postgresql_alone
def test_freed_time_goes_to_one_of_those_who_reach_for_it(engines: list[Engine], committed: Shop) -> None:
    with engines[0].begin() as db:
        held = booking(db, committed, TEN, committed.ben)
        movers = [booking(db, committed, f"2026-01-16 {hour}:00", committed.ben) for hour in range(10, 16)]
    assert isinstance(held, Appointment)

    def act(db: Db, number: int) -> Appointment | SlotTaken | None:
        business = committed.business(db)
        if number == 0:
            bookings.cancel(db, committed.bot, business, held.id, reason="", now=NOW)
            return None
        mover = movers[number % len(movers)]
        assert isinstance(mover, Appointment)
        wanted = slots.at(business, committed.haircut, at(TEN), staff_id=committed.ben)
        try:
            return bookings.move(db, committed.bot, business, mover.id, wanted, now=NOW)
        except SlotTaken as taken:
            return taken

    at_once(engines, 19, act)
    with engines[0].connect() as db:
        there = db.execute(select(claims.c.appointment_id).where(claims.c.starts_at == at(TEN))).scalars().all()
    assert len(there) <= 1
    if there:
        assert there[0] != held.id


@postgresql_alone
def test_expired_hold_is_taken_by_one_while_it_is_being_cleared_away(engines: list[Engine], committed: Shop) -> None:
    with engines[0].begin() as db:
        wanted = slots.at(committed.business(db), committed.haircut, at(TEN), staff_id=committed.ben)
        long_ago = NOW - minutes(30)
        conversation_id = committed.conversation_id
        bookings.hold(db, committed.bot, committed.business(db), wanted, conversation_id=conversation_id, now=long_ago)

    def act(db: Db, number: int) -> Appointment | SlotTaken | int:
        if number % 2:
            return bookings.expire_holds(db, NOW)
        return booking(db, committed, TEN, committed.ben)

    results = at_once(engines, 24, act)
    assert sum(isinstance(result, Appointment) for result in results) == 1


@postgresql_alone
def test_peer_who_writes_twice_at_once_is_one_customer_in_one_conversation(
    engines: list[Engine], committed: Shop
) -> None:
    def act(db: Db, number: int) -> tuple[int, int]:
        kind = "phone" if number % 2 else "whatsapp"
        context = conversations.begin(
            db, committed.account_id, peer_kind="phone", peer="+15125557777", profile_name="Kim", now=NOW
        )
        found = customers.find_or_make(
            db, committed.tenant_id, kind=kind, value="+15125557777", profile_name=None, now=NOW
        )
        return context.id, found.id

    assert len(set(at_once(engines, 16, act))) == 1
    with engines[0].connect() as db:
        for table in (conversation_table, customer_table):
            assert db.execute(select(func.count()).select_from(table)).scalar_one() == 2


@postgresql_alone
def test_number_and_id_of_one_person_at_once_are_one_customer_in_one_conversation(
    engines: list[Engine], committed: Shop
) -> None:
    with engines[0].begin() as db:
        db.execute(update(accounts).values(channel="whatsapp"))
    people = 6

    def act(db: Db, number: int) -> tuple[int, int]:
        one = number % people
        address, hidden = ("whatsapp", f"+1512555770{one}"), ("bsuid", f"US.{one}")
        tells_both = number // people % 2 == 0
        (kind, value), others = (address, [hidden]) if tells_both else (hidden, [])
        context = conversations.find(db, committed.account_id, kind, value)
        if context is None:
            begun = conversations.begin(db, committed.account_id, peer_kind=kind, peer=value, others=others, now=NOW)
            return one, begun.id
        return one, (joining.told(db, context, others, now=NOW) if others else context).id

    assert len(set(at_once(engines, 4 * people, act))) == people
    with engines[0].connect() as db:
        assert db.execute(select(func.count()).select_from(conversation_table)).scalar_one() == people + 1
        whose = select(func.count(conversation_table.c.customer_id.distinct()))
        assert db.execute(whose).scalar_one() == people + 1


def test_same_delivery_many_times_is_one_message(engines: list[Engine], committed: Shop) -> None:
    def act(db: Db, _: int) -> int | None:
        return messages.add_in(
            db,
            tenant_id=committed.tenant_id,
            conversation_id=committed.conversation_id,
            account_id=committed.account_id,
            text="hi",
            provider_id="SM1",
            now=NOW,
        )

    assert sum(added is not None for added in at_once(engines, 20, act)) == 1


@postgresql_alone
def test_status_never_gets_lost_between_two_requests(engines: list[Engine], committed: Shop) -> None:
    """The callback and the answer to our own request race; in whatever order they come, the message ends delivered."""
    with engines[0].begin() as db:
        ours = [
            messages.add_out(
                db,
                tenant_id=committed.tenant_id,
                conversation_id=committed.conversation_id,
                account_id=committed.account_id,
                author="bot",
                text="hello",
                status="queued",
                now=NOW,
            )
            for _ in range(20)
        ]

    def act(db: Db, number: int) -> None:
        message, callback = divmod(number, 2)
        if callback:
            messages.set_status(db, committed.account_id, f"SM{message}", "delivered", now=NOW)
        else:
            message_id = ours[message]
            assert message_id is not None
            messages.attach_provider_id(db, message_id, f"SM{message}", "accepted")

    at_once(engines, 40, act)
    with engines[0].connect() as db:
        found = messages.history(db, committed.bot, committed.conversation_id)
    assert {message.status for message in found} == {"delivered"}


def test_turns_of_one_conversation_wait_for_each_other(engines: list[Engine], committed: Shop) -> None:
    def act(db: Db, number: int) -> None:
        context = conversations.find(db, committed.account_id, "phone", "+15125550001")
        assert context is not None
        seen = context.flow["count"] if context.flow else 0
        assert isinstance(seen, int)
        conversations.save_turn(
            db,
            context.id,
            flow={"count": seen + 1},
            silence_due_at=None,
            flow_expires_at=NOW + timedelta(days=1),
            unread=1,
        )

    at_once(engines, 30, act)
    with engines[0].connect() as db:
        context = conversations.by_id(db, committed.bot, committed.conversation_id, lock=False)
    assert context.flow == {"count": 30}
    assert context.unread_count == 30
