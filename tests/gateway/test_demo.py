"""The demo business: the same whenever and however often it is put in, and worth trying at any time of the year."""

import threading
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time, timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.engine import make_url

from channels import split
from desk import businesses, phone
from desk.calendar import hours, slots, zones
from gateway import demo
from gateway import demo_business as juniper
from gateway.settings import load
from storage.base import Db, metadata
from storage.bus import MemoryBus
from storage.models.accounts import accounts
from storage.models.businesses import reminder_rules
from storage.models.calendar import appointments, claims
from storage.models.customers import customers
from storage.models.jobs import jobs
from storage.models.tenants import tenants, users
from storage.store import Store, open_store, postgres_engine
from tests.clock import START
from tests.conftest import ENGINES

Rows = dict[str, list[tuple[object, ...]]]


@pytest.fixture(params=ENGINES)
def database_url(request: pytest.FixtureRequest) -> str:
    """With nothing in it: it is seeded here."""
    return str(request.getfixturevalue(f"{request.param}_database_url"))


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    opened = open_store(database_url, MemoryBus())
    await opened.start()
    yield opened
    await opened.stop()


def everything(db: Db) -> Rows:
    return {
        table.name: sorted((tuple(map(repr, row)) for row in db.execute(select(table))), key=str)
        for table in metadata.sorted_tables
    }


async def test_putting_it_in_twice_changes_nothing_and_says_so(store: Store) -> None:
    assert await store.read(demo.is_empty)
    first = await store.write(demo.seed, now=START)
    before = await store.read(everything)
    again = await store.write(demo.seed, now=START + timedelta(days=40))
    assert first.is_new
    assert not again.is_new
    assert (again.tenant_id, again.business_id, again.counts) == (first.tenant_id, first.business_id, first.counts)
    assert await store.read(everything) == before
    assert not await store.read(demo.is_empty)


async def test_a_kill_half_way_leaves_nothing(store: Store) -> None:
    before = await store.read(everything)

    def killed(db: Db) -> None:
        demo.seed(db, now=START)
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        await store.write(killed)
    assert await store.read(everything) == before


async def test_two_processes_at_once_make_one_business(postgresql_database_url: str) -> None:
    engine = postgres_engine(make_url(postgresql_database_url), pool_size=2)
    ready = threading.Barrier(2)
    made: list[bool] = []

    def seed() -> None:
        with engine.begin() as db:
            ready.wait()
            made.append(demo.seed(db, now=START).is_new)

    threads = [threading.Thread(target=seed) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with engine.connect() as db:
        assert db.execute(select(func.count()).select_from(tenants)).scalar_one() == 1
    engine.dispose()
    assert sorted(made) == [False, True]


async def test_its_numbers_are_the_promised_ones(store: Store) -> None:
    seeded = await store.write(demo.seed, now=START)

    def read(db: Db) -> dict[tuple[str, str], tuple[str, bool, int | None]]:
        return {
            (row.channel, row.provider): (row.address, row.is_active, row.bot_id)
            for row in db.execute(select(accounts))
        }

    found = await store.read(read)
    addresses = {key: (address, active) for key, (address, active, _) in found.items()}
    assert addresses == {
        ("sms", "twilio"): ("+15125550100", True),
        ("whatsapp", "twilio"): ("+15125550101", True),
        ("voice", "twilio"): ("+15125550100", True),
        ("whatsapp", "meta"): ("+15125550102", True),
        ("web", "webchat"): ("demo", True),
        ("sim", "simulator"): ("demo", True),
    }
    assert len({bot for _, _, bot in found.values()}) == 1
    business = await store.read(businesses.load, seeded.business_id)
    assert (business.phone, business.zone.key) == ("+15125550100", "America/Chicago")


async def test_it_has_what_a_demo_needs(store: Store) -> None:
    seeded = await store.write(demo.seed, now=START)
    business = await store.read(businesses.load, seeded.business_id)
    assert {"Haircut", "Repair visit"} <= {one.name for one in business.services}
    assert len(business.staff) == 4
    assert all(business.staff_for(service) for service in business.services)
    assert len(business.faqs) >= 10
    assert all(faq.phrasings for faq in business.faqs)
    assert seeded.counts["customers"] == 12
    assert seeded.counts["scenarios"] >= 9
    assert await store.read(lambda db: sorted(db.execute(select(reminder_rules.c.minutes_before)).scalars())) == [
        120,
        1440,
    ]
    [owner] = await store.read(lambda db: list(db.execute(select(users))))
    assert (owner.role, owner.password_hash) == ("owner", None)


@pytest.mark.parametrize(
    "now",
    [
        datetime(2026, 11, 25, 20, tzinfo=UTC),  # the evening before Thanksgiving
        datetime(2026, 12, 23, 7, tzinfo=UTC),
        datetime(2027, 3, 13, 23, tzinfo=UTC),  # a Saturday; the clocks change in the night
        datetime(2027, 7, 4, 2, tzinfo=UTC),  # still the third in Austin, a Saturday
        datetime(2028, 2, 28, 12, tzinfo=UTC),  # a leap day ahead
    ],
)
async def test_it_can_be_tried_on_any_day(sqlite_database_url: str, now: datetime) -> None:
    opened = open_store(sqlite_database_url, MemoryBus())
    await opened.start()
    seeded = await opened.write(demo.seed, now=now)
    business = await opened.read(businesses.load, seeded.business_id)
    visits = await opened.read(lambda db: list(db.execute(select(appointments))))
    taken = await opened.read(lambda db: db.execute(select(func.count()).select_from(claims)).scalar_one())
    waiting = await opened.read(lambda db: list(db.execute(select(jobs.c.kind, jobs.c.run_at))))
    today = zones.local_day(now, business.zone)
    free = {
        service.name: await opened.read(
            slots.free, business, service.id, from_day=today, to_day=today + timedelta(days=6), now=now
        )
        for service in business.services
    }
    await opened.stop()
    assert not business.hours[6], "closed on Sundays"
    assert any(len(ranges) > 1 for ranges in business.hours), "a day with a break"
    ahead = [day for day in business.holidays if day > today]
    assert len(ahead) >= 2
    assert min(ahead) >= today + timedelta(days=10), "whoever says tomorrow finds us open"
    for visit in visits:
        is_over = visit.starts_at < now
        assert is_over == (visit.status in ("completed", "no_show", "cancelled"))
        member = business.staff_member(visit.staff_id)
        day = zones.local_day(visit.starts_at, business.zone)
        within = hours.working_ranges(business, member, day)
        if day not in business.holidays:
            assert any(start <= visit.starts_at and visit.ends_at <= end for start, end in within), visit
    assert sum(visit.starts_at > now for visit in visits) == taken == len(juniper.AHEAD)
    assert sum(visit.starts_at < now for visit in visits) == len(juniper.PAST)
    assert waiting
    assert {kind for kind, _ in waiting} == {"reminder"}
    assert all(run_at > now for _, run_at in waiting)
    for name, found in free.items():
        assert len({zones.local_day(slot.starts_at, business.zone) for slot in found}) >= 4, name
    at_three = {
        zones.local_day(slot.starts_at, business.zone)
        for slot in free["Haircut"]
        if slot.starts_at.astimezone(business.zone).time() == time(15)
    }
    assert len(at_three) >= 5, "three o'clock is free on nearly every day"


@pytest.mark.parametrize("answer", [answer for _, answer, _ in juniper.FAQS])
def test_answers_fit_into_one_text(answer: str) -> None:
    counted = split.count(answer)
    assert (counted.encoding, counted.parts) == ("gsm7", 1), counted


def test_nobody_real_is_ever_texted() -> None:
    """555-0100 to 555-0199 are kept for fiction."""
    numbers = [juniper.SMS_NUMBER, juniper.WHATSAPP_NUMBER, *(number for _, number in juniper.CUSTOMERS)]
    assert len(set(numbers)) == len(numbers)
    for number in numbers:
        assert number.startswith("+151255501")
        assert phone.canonical(number) == number


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("Thanksgiving", date(2026, 11, 26)),
        ("Thanksgiving", date(2028, 11, 23)),
        ("Labor Day", date(2027, 9, 6)),
        ("Memorial Day", date(2027, 5, 31)),
        ("Memorial Day", date(2028, 5, 29)),
    ],
)
def test_holidays_fall_where_the_calendar_says(name: str, day: date) -> None:
    assert day in [found for known, found, _ in juniper.holidays(day.year) if known == name]


def test_its_keys_lead_to_the_simulator_only() -> None:
    settings = load(None, {})
    assert settings.is_demo
    with_keys = demo.with_keys(settings, api_base="http://127.0.0.1:8001")
    assert with_keys.is_demo, "they are nobody's live keys"
    assert with_keys.twilio.account_sid.startswith("AC")
    assert len(with_keys.twilio.account_sid) == 34
    assert with_keys.twilio.api_base == "http://127.0.0.1:8001"
    assert settings.twilio.account_sid == "", "the settings themselves are as they were"


async def test_customers_have_names_and_numbers(store: Store) -> None:
    await store.write(demo.seed, now=START)
    found = await store.read(lambda db: list(db.execute(select(customers.c.name, customers.c.phone))))
    assert {(row.name, row.phone) for row in found} == set(juniper.CUSTOMERS)
