"""The job table, on both engines: nothing is lost, nothing is done twice."""

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.engine import make_url

from storage import queue
from storage.base import Db
from storage.models.jobs import jobs
from storage.store import Store, postgres_engine

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
KINDS = frozenset({"send", "remind"})


async def claim(
    store: Store, *, now: datetime = NOW, lease: str = "w1", limit: int = 10, urgent_only: bool = False
) -> list[queue.Job]:
    return await store.write(
        queue.claim, now=now, lease=lease, lease_for=MINUTE, limit=limit, kinds=KINDS, urgent_only=urgent_only
    )


async def waiting(store: Store) -> int:
    return await store.read(lambda db: db.execute(select(func.count()).select_from(jobs)).scalar_one())


async def test_due_jobs_come_replies_first_and_oldest_first(store: Store) -> None:
    def add(db: Db) -> None:
        for name, priority, minutes in (("late", 0, -1), ("early", 0, -2), ("campaign", 1, -9), ("future", 0, 5)):
            queue.enqueue(db, "send", {"n": name}, now=NOW, run_at=NOW + minutes * MINUTE, priority=priority)

    await store.write(add)
    assert [job.payload["n"] for job in await claim(store, urgent_only=True, limit=1)] == ["early"]
    assert [job.payload["n"] for job in await claim(store, urgent_only=True)] == ["late"]
    await store.write(queue.release, "w1")
    assert [job.payload["n"] for job in await claim(store)] == ["early", "late", "campaign"]
    assert await claim(store, lease="w2") == []
    assert [job.payload["n"] for job in await claim(store, now=NOW + 5 * MINUTE, lease="w2", limit=1)] == ["early"]


async def test_lanes_take_turns_when_one_is_flooded(store: Store) -> None:
    def add(db: Db) -> None:
        for _ in range(500):
            queue.enqueue(db, "send", {}, now=NOW, lane="flood")
        for lane, priority in (("b", 0), ("c", 0), ("b", 0), ("news", 1), ("paused", 0), ("later", 0), ("odd", 0)):
            minute = MINUTE if lane == "later" else 0 * MINUTE
            kind = "unknown" if lane == "odd" else "send"
            queue.enqueue(db, kind, {}, now=NOW, run_at=NOW + minute, lane=lane, priority=priority)
        queue.set_lane(db, "paused", is_paused=True)

    async def lanes(limit: int, *, after: str = "", lease: str = "w1") -> list[str]:
        found = await store.write(
            queue.claim, now=NOW, lease=lease, lease_for=MINUTE, limit=limit, kinds=KINDS, after=after
        )
        return [job.lane for job in found]

    await store.write(add)
    assert await lanes(4) == ["b", "c", "flood", "news"]
    assert await lanes(1, after="b") == ["flood"]  # c is empty, and b, flood and news have one each that runs
    assert await lanes(1, after="flood") == ["b"]  # which is empty now
    assert await lanes(3) == ["flood"] * 3  # nobody else waits: all for one
    await store.write(queue.release, "w1")
    # Whoever has one hand serves them in turn.
    served: list[str] = []
    for _ in range(5):
        served += await lanes(1, after=served[-1] if served else "", lease=f"one {len(served)}")
        await store.write(queue.release, f"one {len(served) - 1}")
    assert served == ["b", "c", "flood", "b", "c"]


async def test_an_unknown_kind_stays_where_it_is(store: Store) -> None:
    await store.write(queue.enqueue, "from_the_future", {}, now=NOW)
    assert await claim(store) == []
    assert await waiting(store) == 1


async def test_a_name_is_replaced_moved_and_cancelled(store: Store) -> None:
    await store.write(queue.enqueue, "remind", {"v": 1}, now=NOW, run_at=NOW + MINUTE, dedupe="reminder:7:24h")
    await store.write(queue.enqueue, "remind", {"v": 2}, now=NOW, run_at=NOW + 3 * MINUTE, dedupe="reminder:7:24h")
    await store.write(queue.enqueue, "remind", {"v": 3}, now=NOW, run_at=NOW + 3 * MINUTE, dedupe="reminder:77:24h")
    assert await claim(store, now=NOW + 2 * MINUTE) == []
    assert await store.write(queue.cancel_prefix, "reminder:7:") == 1
    assert [job.payload["v"] for job in await claim(store, now=NOW + 3 * MINUTE)] == [3]
    assert not await store.write(queue.cancel, "reminder:7:24h")


async def test_a_zombies_acknowledgement_is_refused(store: Store) -> None:
    await store.write(queue.enqueue, "send", {}, now=NOW)
    (mine,) = await claim(store, lease="w1")
    (theirs,) = await claim(store, now=NOW + 2 * MINUTE, lease="w2")
    assert theirs.attempts == 2
    for late in (
        lambda db: queue.finish(db, mine),
        lambda db: queue.again(db, mine, at=NOW, error="x", now=NOW),
    ):
        with pytest.raises(queue.LeaseLost):
            await store.write(late)
    await store.write(queue.finish, theirs)
    assert await waiting(store) == 0


async def test_trying_again_waits_and_giving_up_keeps_the_row(store: Store) -> None:
    await store.write(queue.enqueue, "send", {}, now=NOW)
    (job,) = await claim(store)
    await store.write(queue.again, job, at=NOW + MINUTE, error="timeout", now=NOW)
    assert await claim(store) == []
    (job,) = await claim(store, now=NOW + MINUTE)
    assert job.attempts == 2
    await store.write(queue.bury, job, error="gave up")
    assert await claim(store, now=NOW + 9 * MINUTE) == []
    assert await waiting(store) == 1


async def test_a_retry_gives_way_to_a_job_of_the_same_name(store: Store) -> None:
    await store.write(queue.enqueue, "send", {"v": 1}, now=NOW, dedupe="once")
    (job,) = await claim(store)
    await store.write(queue.enqueue, "send", {"v": 2}, now=NOW, dedupe="once")
    await store.write(queue.again, job, at=NOW, error="x", now=NOW)
    assert [one.payload["v"] for one in await claim(store, lease="w2")] == [2]
    assert await waiting(store) == 1


async def test_a_clean_stop_gives_its_jobs_back_at_once(store: Store) -> None:
    await store.write(queue.enqueue, "send", {}, now=NOW)
    await claim(store, lease="w1")
    assert await store.write(queue.release, "w1") == 1
    (job,) = await claim(store, lease="w2")
    assert job.attempts == 1


async def test_a_lane_keeps_to_its_rate_and_stops_when_told(store: Store) -> None:
    def add(db: Db) -> None:
        queue.set_lane(db, "slow", rate_per_s=1.0, burst=2)
        for n in range(5):
            queue.enqueue(db, "send", {"n": n}, now=NOW, lane="slow")
        queue.enqueue(db, "send", {"n": "other"}, now=NOW, lane="fast")

    await store.write(add)
    assert [job.payload["n"] for job in await claim(store)] == [0, 1, "other"]
    assert await claim(store, now=NOW + timedelta(seconds=0.5)) == []
    assert [job.payload["n"] for job in await claim(store, now=NOW + timedelta(seconds=1))] == [2]
    await store.write(queue.block_lane, "slow", until=NOW + MINUTE)
    assert await claim(store, now=NOW + timedelta(seconds=30), lease="w2") == []
    await store.write(queue.set_lane, "slow", is_paused=True)
    assert await claim(store, now=NOW + timedelta(minutes=0.9), lease="w3") == []


@pytest.mark.parametrize(("rate", "burst"), [(1.0, 1), (3.0, 5), (80.0, 8)])
async def test_in_no_span_does_a_lane_send_more_than_its_rate_and_replies_never_wait_for_campaigns(
    store: Store, rate: float, burst: int
) -> None:
    chance = random.Random(rate)
    sent: list[tuple[float, int]] = []  # seconds since the start, and the priority
    asked: list[float] = []

    def add(db: Db) -> None:
        queue.set_lane(db, "account:1", rate_per_s=rate, burst=burst)
        for n in range(40):
            queue.enqueue(db, "send", {"n": n}, now=NOW, lane="account:1", priority=1)
        for n in range(5):
            queue.enqueue(db, "send", {"n": n}, now=NOW, lane="account:2", priority=1)

    def work(db: Db, passed: float, lease: str, say: bool) -> datetime | None:
        """One look of one of several workers; now and then somebody is answered just before."""
        now = NOW + timedelta(seconds=passed)
        if say:
            queue.enqueue(db, "send", {"reply": True}, now=now, lane="account:1")
        for job in queue.claim(
            db, now=now, lease=lease, lease_for=MINUTE, limit=chance.choice((1, 3, 50)), kinds=KINDS
        ):
            if job.lane == "account:1":
                sent.append((passed, 0 if "reply" in job.payload else 1))
            queue.finish(db, job)
        return queue.next_token(db, now=now, kinds=KINDS)

    await store.write(add)
    passed, waits = 0.0, True
    while waits and passed < 300:
        say = not asked or passed - asked[-1] > 4 / rate
        asked += [passed] if say else []
        due = await store.write(work, passed, chance.choice("ab"), say)
        waits = await waiting(store) > 0
        exact = (due - NOW).total_seconds() if due is not None else passed
        passed = max(exact, passed + 0.001) if chance.random() < 0.8 else passed + chance.uniform(0, 6 / rate)
    times = [second for second, _ in sent]
    assert sum(priority for _, priority in sent) == 40  # nobody starves
    for first, begins in enumerate(times):
        for last in range(first, len(times)):
            assert last - first + 1 <= rate * (times[last] - begins) + burst + 0.001
    replies = [second for second, priority in sent if priority == 0]
    late = max(went - came for came, went in zip(asked, replies, strict=True))
    assert late <= (0.0 if burst > 1 else 7 / rate) + 0.001


def test_workers_side_by_side_never_share_a_job(postgresql_database_url: str) -> None:
    engine = postgres_engine(make_url(postgresql_database_url), pool_size=4)
    with engine.begin() as db:
        for n in range(200):
            queue.enqueue(db, "send", {"n": n}, now=NOW)

    def work(name: str) -> list[int]:
        mine: list[int] = []
        while True:
            with engine.begin() as db:
                got = queue.claim(db, now=NOW, lease=name, lease_for=MINUTE, limit=7, kinds=KINDS)
                for job in got:
                    queue.finish(db, job)
            if not got:
                return mine
            mine += [job.id for job in got]

    with ThreadPoolExecutor(4) as pool:
        taken = Counter(job for batch in pool.map(work, ["a", "b", "c", "d"]) for job in batch)
    assert len(taken) == 200
    assert set(taken.values()) == {1}
    engine.dispose()
