"""Clocks that jump, and days on which people say "tomorrow" with more care than others."""

import asyncio
import contextlib
import shutil
import zoneinfo
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from gateway.context import House
from gateway.jobs.worker import Worker
from storage import queue
from storage.base import Db
from storage.queue import Job
from tests.clock import FakeClock
from tests.conftest import ENGINES
from tests.gateway.front import NOON, Front, opened
from tests.gateway.rest.api import person

LEASE = timedelta(minutes=1)
AUSTIN = ZoneInfo("America/Chicago")


@pytest.fixture(params=ENGINES)
def database_url(request: pytest.FixtureRequest) -> str:
    """With nothing in it: it is seeded at other times."""
    return str(request.getfixturevalue(f"{request.param}_database_url"))


@dataclass
class Slow:
    """A job that is in the middle of something until it is let go; `done` counts the effects that were committed."""

    begun: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    done: list[str] = field(default_factory=list)
    may_end: asyncio.Event = field(default_factory=asyncio.Event)

    def worker(self, house: House, name: str) -> Worker:
        """A process that does this work."""

        async def work(house: House, job: Job) -> None:
            self.begun.put_nowait(name)
            await self.may_end.wait()
            await house.store.write(queue.finish, job)
            self.done.append(name)

        return Worker(house, {"slow": work}, lease_s=LEASE.total_seconds())


async def test_a_clock_that_jumps_does_nothing_twice(desk: Front) -> None:
    def enqueue(db: Db, name: str) -> None:
        queue.enqueue(db, "slow", {}, now=desk.clock.now(), dedupe=name)

    house, slow = desk.house, Slow()
    here, there = slow.worker(house, "here"), slow.worker(house, "there")
    await house.store.write(enqueue, "one")
    working = asyncio.create_task(here.drain())
    assert await slow.begun.get() == "here"

    # An hour forward: by the clock the lease is over, but whoever does the work knows better.
    desk.clock.advance(timedelta(hours=1))
    async with asyncio.timeout(5):
        assert await here.drain() == 0
    assert slow.begun.empty()

    # Another process cannot know it; only one of the two may commit.
    other = asyncio.create_task(there.drain())
    assert await slow.begun.get() == "there"
    slow.may_end.set()
    await asyncio.gather(working, other)
    assert slow.done == ["there"]

    # An hour back and another: what is asked for by the new clock is done by it.
    desk.clock.advance(timedelta(hours=-2))
    await house.store.write(enqueue, "two")
    assert await here.drain() == 1
    assert slow.done == ["there", "here"]

    # What customers say goes on through all of it.
    for span in (timedelta(hours=1), timedelta(hours=-2), timedelta(seconds=-1), timedelta(hours=1)):
        desk.clock.advance(span)
        answer = await desk.text("+15125550177", "what are your hours?")
        assert "9 to 6" in answer.text
    await desk.work()


# What is said, when in Austin, and the visit that is read back (or what is said instead).
DAYS: Mapping[tuple[str, str], str] = {
    ("2026-03-06T23:59", "haircut next friday at 10am"): "on Friday, March 13 at 10:00 AM",
    ("2026-03-06T23:59", "haircut on friday at 10am"): "on Friday, March 13 at 10:00 AM",
    ("2026-03-06T23:59", "haircut tomorrow at 10am"): "on Saturday, March 7 at 10:00 AM",
    ("2026-03-07T00:01", "haircut tomorrow at 10am"): "closed on Sunday, March 8",
    ("2026-03-07T00:01", "haircut next friday at 11am"): "on Friday, March 13 at 11:00 AM",
    ("2026-03-09T00:01", "haircut next friday at 10am"): "on Friday, March 20 at 10:00 AM",
    ("2026-12-30T12:00", "haircut next week on tuesday at 10am"): "on Tuesday, January 5 at 10:00 AM",
    ("2026-12-31T23:59", "haircut the day after tomorrow at 10am"): "on Saturday, January 2 at 10:00 AM",
    ("2026-12-31T23:59", "haircut on 1/5 at 10am"): "on Tuesday, January 5 at 10:00 AM",
    ("2027-02-26T12:00", "haircut on february 29 at 10am"): "can only book until",
    ("2027-02-26T12:00", "haircut the day after tomorrow at 10am"): "closed on Sunday, February 28",
    ("2028-02-28T23:59", "haircut tomorrow at 10am"): "on Tuesday, February 29 at 10:00 AM",
    ("2028-02-28T12:00", "haircut on february 29 at 10am"): "on Tuesday, February 29 at 10:00 AM",
    ("2028-02-29T12:00", "haircut tomorrow at 10am"): "on Wednesday, March 1 at 10:00 AM",
}


async def test_days_on_the_edge_of_weeks_months_and_years_are_the_ones_people_mean(desk: Front) -> None:
    read_back = {}
    for number, (at, said) in enumerate(DAYS):
        desk.clock.set(datetime.fromisoformat(at).replace(tzinfo=AUSTIN))
        read_back[at, said] = (await desk.text(f"+151255502{number:02}", said)).text
    wrong = {case: read_back[case] for case, expected in DAYS.items() if expected not in read_back[case]}
    assert wrong == {}


@contextlib.contextmanager
def new_rules(folder: Path, zone: str, *, those_of: str) -> Iterator[None]:
    """A tz database in which the zone has the rules of another, for processes that start now."""
    (folder / zone).parent.mkdir(parents=True)
    with resources.as_file(resources.files("tzdata") / "zoneinfo" / those_of) as rules:
        shutil.copyfile(rules, folder / zone)
    zoneinfo.reset_tzpath([str(folder), *zoneinfo.TZPATH])
    ZoneInfo.clear_cache(only_keys=[zone])
    try:
        yield
    finally:
        zoneinfo.reset_tzpath()
        ZoneInfo.clear_cache(only_keys=[zone])


def utc(stored: object) -> str:
    """A time as the database hands it out, to the minute: SQLite without a zone, PostgreSQL in one of its own."""
    time = datetime.fromisoformat(str(stored))
    return f"{time.astimezone(UTC) if time.tzinfo else time:%Y-%m-%d %H:%M}"


VISITS = "SELECT local_start, starts_at, status, sequence FROM appointments WHERE source = 'bot' ORDER BY starts_at"


async def test_people_are_offered_no_hour_that_is_skipped_and_can_tell_apart_the_one_that_comes_twice(
    desk: Front,
) -> None:
    for table in ("business_hours", "staff_hours"):
        await desk.change(f"DELETE FROM {table}")
    night = "SELECT id, 6, 0, 300 FROM businesses"
    await desk.change(f"INSERT INTO business_hours (business_id, weekday, opens_minute, closes_minute) {night}")
    desk.clock.set(datetime(2026, 3, 5, 18, tzinfo=UTC))
    phone = "+15125550255"
    assert "3. 3:30 AM" in (spring := (await desk.says(phone, "haircut on march 8 at 2:30am"))[0])
    assert "nothing is free at 2:30 AM" in spring
    assert "1. 1:30 AM\n2. 3:00 AM" in spring
    desk.clock.set(datetime(2026, 10, 29, 18, tzinfo=UTC))
    _, autumn, read_back, booked = await desk.says(phone, "haircut on november 1 at 1am", "more", "2", "yes")
    assert "1. 1:30 AM CDT\n2. 1:30 AM CST\n3. 2:00 AM\n" in autumn
    assert "November 1 at 1:30 AM CST" in read_back
    assert "November 1 at 1:30 AM CST" in booked
    [(starts_at,)] = await desk.rows("SELECT starts_at FROM appointments WHERE source = 'bot'")
    assert utc(starts_at) == "2026-11-01 07:30"


async def test_a_visit_stays_at_its_wall_time_when_the_rules_of_its_zone_change(
    database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    clock.set(NOON)
    times = ("march 5 at 10am", "march 26 at 10am", "march 26 at 10:30am")
    async with opened(database_url, tmp_path, clock) as desk:
        for number, time in enumerate(times):
            said = await desk.says(f"+1512555025{number}", "my name is Zoe Bell", f"haircut with Maya on {time}", "yes")
            assert "Booked" in said[-1], said
        before = await desk.rows(VISITS)
    # Texas does without summer time before it begins: 10:00 is an hour later in the world, also for those back to back.
    with new_rules(tmp_path / "tz", "America/Chicago", those_of="America/Regina"):
        async with opened(database_url, tmp_path, clock, seeded=False) as desk:
            await desk.work()
            after = await desk.rows(VISITS)
            await desk.work()
            assert await desk.rows(VISITS) == after
            assert [row[0] for row in after] == [f"2026-03-{at}" for at in ("05T10:00", "26T10:00", "26T10:30")]
            assert [row[3] for row in after] == [0, 1, 1]
            assert after[0] == before[0]
            hours = "SELECT starts_at FROM claims ORDER BY starts_at", "SELECT run_at FROM jobs WHERE kind = 'reminder'"
            claims, reminders = [[utc(row[0]) for row in await desk.rows(sql)] for sql in hours]
            assert {"2026-03-26 16:00", "2026-03-26 16:30"} <= {*claims}
            assert "2026-03-26 15:00" not in claims
            assert "2026-03-25 16:00" in reminders
            assert "10:00 AM" in (await desk.text("+15125550251", "when is my appointment?")).text
            # Who corrects the zone of a business moves nobody.
            client = await person(desk)
            [shop] = (await client.get("/businesses"))["items"]
            await client.patch(f"/businesses/{shop['id']}", {"time_zone": "America/Los_Angeles"})
            assert [row[1] for row in await desk.rows(VISITS)] == [row[1] for row in after]
            assert (await desk.rows(VISITS))[1][0] == "2026-03-26T09:00"
        async with opened(database_url, tmp_path, clock, seeded=False) as desk:
            await desk.work()
            assert [row[1] for row in await desk.rows(VISITS)] == [row[1] for row in after]
