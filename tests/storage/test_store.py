"""The one door to the database, on both engines."""

import asyncio
import contextlib
import itertools
import os
import sqlite3
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import Float, cast, column, false, func, insert, literal, null, select, table, text
from sqlalchemy.engine import make_url

from storage import filelock
from storage.base import Db
from storage.bus import MemoryBus, RedisBus, ended
from storage.hurry import IN_BACKGROUND, Hurry
from storage.models.tenants import tenants
from storage.prepared import Prepared
from storage.session import Conflict, announce, attempt
from storage.store import PostgresStore, Store, StoreUnavailable, open_store, ping

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def add_tenant(db: Db, name: str, at: datetime = NOON) -> int:
    added: int = db.execute(insert(tenants).values(name=name, created_at=at).returning(tenants.c.id)).scalar_one()
    return added


def names(db: Db) -> list[str]:
    return list(db.execute(select(tenants.c.name).order_by(tenants.c.id)).scalars())


async def test_what_write_returns_is_committed(store: Store) -> None:
    await store.write(add_tenant, "Ada")
    assert await store.read(names) == ["Ada"]


async def test_a_function_that_fails_leaves_nothing_and_the_others_go_on(store: Store) -> None:
    def fails(db: Db) -> None:
        add_tenant(db, "lost")
        raise LookupError("no")

    results = await asyncio.gather(
        *(store.write(add_tenant, f"t{n}") for n in range(5)),
        store.write(fails),
        *(store.write(add_tenant, f"u{n}") for n in range(5)),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [*[int] * 5, LookupError, *[int] * 5]
    assert len(await store.read(names)) == 10
    assert "lost" not in await store.read(names)


async def test_a_statement_that_makes_no_sense_fails_alone(store: Store) -> None:
    def nonsense(db: Db) -> None:
        db.execute(wanted)

    wanted = select(table("no_such_table", column("id")))
    results = await asyncio.gather(
        store.write(add_tenant, "before"),
        store.write(nonsense),
        store.write(Prepared(wanted)),
        store.read(nonsense),
        store.read(Prepared(wanted)),
        store.write(add_tenant, "after"),
        return_exceptions=True,
    )
    assert [isinstance(result, Exception) for result in results] == [False, *[True] * 4, False]
    # A mistake of ours, and no outage: trying again would not help, whether it reads or writes.
    assert not any(isinstance(result, StoreUnavailable) for result in results)
    assert sorted(await store.read(names)) == ["after", "before"]


async def test_a_prepared_statement_reads_what_an_ordinary_one_does(store: Store) -> None:
    part = select(cast(literal(1.5), Float).label("float"), cast(null(), Float).label("none"), literal(2).label("int"))
    assert tuple((await store.read(Prepared(part))).one()) == (1.5, None, 2)
    assert (await store.read(Prepared(part.where(false())))).all() == []


async def test_what_the_database_refuses_does_not_end_the_transaction(store: Store) -> None:
    def twice(db: Db) -> int:
        first = add_tenant(db, "one")
        with pytest.raises(Conflict), attempt(db):
            db.execute(insert(tenants).values(id=first, name="two", created_at=NOON))
        return add_tenant(db, "three")

    await store.write(twice)
    assert await store.read(names) == ["one", "three"]


async def test_reading_changes_nothing(store: Store) -> None:
    with contextlib.suppress(StoreUnavailable):  # SQLite refuses, PostgreSQL undoes
        await store.read(add_tenant, "sneaky")
    assert await store.read(names) == []


@pytest.mark.parametrize(
    "given",
    [NOON, datetime(2026, 3, 2, 14, 30, 1, 5, tzinfo=timezone(timedelta(hours=5, minutes=45)))],
)
async def test_times_come_back_aware_and_in_utc(store: Store, given: datetime) -> None:
    await store.write(add_tenant, "t", given)
    found = await store.read(lambda db: db.execute(select(tenants.c.created_at)).scalar_one())
    assert found == given
    assert found.utcoffset() == timedelta(0)


async def test_a_time_without_its_zone_is_refused(store: Store) -> None:
    with pytest.raises(Exception, match="without its zone"):
        await store.write(add_tenant, "t", datetime(2026, 3, 2, 12))  # noqa: DTZ001  that is the point


async def test_topics_are_announced_after_the_commit_and_only_then(store: Store, bus: MemoryBus) -> None:
    def work(db: Db, *, fail: bool) -> None:
        announce(db, "jobs")
        announce(db, "jobs")
        if fail:
            raise LookupError

    async with bus.listen("jobs") as woken:
        with pytest.raises(LookupError):
            await store.write(work, fail=True)
        await store.write(add_tenant, "quiet")
        assert not woken.is_set()
        await store.write(work, fail=False)
        assert woken.is_set()


async def test_many_writers_at_once_lose_nothing(store: Store) -> None:
    def count_up(db: Db) -> int:
        add_tenant(db, "x")
        return db.execute(select(func.count()).select_from(tenants)).scalar_one()

    await asyncio.gather(*(store.write(count_up) for _ in range(200)))
    assert len(await store.read(names)) == 200


async def test_what_is_done_in_the_background_lets_others_write_first(sqlite_database_url: str) -> None:
    store = open_store(sqlite_database_url, MemoryBus())
    await store.start()
    begun, go_on, order = threading.Event(), threading.Event(), list[str]()
    loop, turns_of_loop, heard_at = asyncio.get_running_loop(), itertools.count(), list[int]()

    def hold(_db: Db) -> None:
        begun.set()
        go_on.wait(10)

    def turn_of_loop() -> None:
        next(turns_of_loop)
        if len(heard_at) < 20:
            loop.call_soon(turn_of_loop)

    async def patient(number: int) -> None:
        IN_BACKGROUND.set(True)
        await store.write(lambda _db: order.append(f"job {number}"))
        heard_at.append(next(turns_of_loop))

    held = asyncio.create_task(store.write(hold))
    await asyncio.to_thread(begun.wait, 10)
    jobs = [asyncio.create_task(patient(number)) for number in range(20)]
    await asyncio.sleep(0)
    turns = [asyncio.create_task(store.write(lambda _db: order.append("turn"))) for _ in range(3)]
    await asyncio.sleep(0)
    go_on.set()
    turn_of_loop()
    await asyncio.gather(held, *jobs, *turns)
    assert order == ["turn"] * 3 + [f"job {number}" for number in range(20)]
    gaps = [later - earlier for earlier, later in itertools.pairwise(heard_at)]
    assert min(gaps) > 3  # turns of the loop, in which whoever comes meanwhile is heard
    await asyncio.gather(*(patient(number) for number in range(20, 22)), store.stop())
    assert order[-2:] == ["job 20", "job 21"]  # what waits when it stops is still done


async def test_a_second_process_on_the_same_file_is_refused_with_the_holders_pid(sqlite_database_url: str) -> None:
    first = open_store(sqlite_database_url, MemoryBus(), owner_note="http://localhost:8000")
    await first.start()
    second = open_store(sqlite_database_url, MemoryBus())
    with pytest.raises(filelock.Held, match=rf"process {os.getpid()} \(http://localhost:8000\)"):
        await second.start()
    await first.stop()
    await second.start()
    await second.stop()


async def test_a_file_locked_by_another_program_is_waited_for(sqlite_database_url: str) -> None:
    store = open_store(sqlite_database_url, MemoryBus())
    await store.start()
    path = sqlite_database_url.removeprefix("sqlite:///")
    outside = sqlite3.connect(path, isolation_level=None)
    outside.execute("BEGIN IMMEDIATE")
    writing = asyncio.create_task(store.write(add_tenant, "patient"))
    done, _ = await asyncio.wait([writing], timeout=0.2)
    assert not done
    outside.execute("COMMIT")
    outside.close()
    await writing
    assert await store.read(names) == ["patient"]
    await store.stop()


def size_of(path: str) -> int:
    return Path(path).stat().st_size


async def test_a_journal_that_a_reader_kept_growing_is_cut_back_once_the_reader_is_gone(
    sqlite_database_url: str,
) -> None:
    store = open_store(sqlite_database_url, MemoryBus())
    await store.start()
    path = sqlite_database_url.removeprefix("sqlite:///")
    outside = sqlite3.connect(path, isolation_level=None)
    outside.execute("BEGIN")
    assert outside.execute("SELECT count(*) FROM tenants").fetchone() == (0,)
    for number in range(10):
        await store.write(add_tenant, f"{number}" * 10_000_000)
    assert size_of(f"{path}-wal") > 90 * 2**20
    await store.write(add_tenant, "while it is held")
    assert await store.read(lambda db: db.execute(select(func.count()).select_from(tenants)).scalar_one()) == 11
    assert outside.execute("SELECT count(*) FROM tenants").fetchone() == (0,)
    outside.execute("COMMIT")
    for number in range(3):  # the first is followed by a checkpoint, the next begins the journal anew
        await store.write(add_tenant, f"after {number}")
    assert size_of(f"{path}-wal") <= 64 * 2**20
    assert (await store.read(names))[-1] == "after 2"
    outside.close()
    await store.stop()


def salt_of(journal: str) -> bytes:
    """It is another one each time that the journal begins anew (sqlite.org/fileformat2.html#walformat)."""
    with Path(journal).open("rb") as file:
        return file.read(24)[16:]


async def test_the_journal_begins_anew_beside_those_who_write(sqlite_database_url: str) -> None:
    store = open_store(sqlite_database_url, MemoryBus())
    await store.start()
    path = sqlite_database_url.removeprefix("sqlite:///")
    salts = set[bytes]()
    for _ in range(40):  # 50 MB: of its own accord a commit would only empty it at 64
        await asyncio.gather(*(store.write(add_tenant, "x" * 10_000) for _ in range(128)))
        salts.add(salt_of(f"{path}-wal"))
        if len(salts) == 2:
            break
    assert len(salts) == 2
    await store.stop()


async def test_who_can_wait_does_so_while_somebody_is_served_but_not_for_ever() -> None:
    hurry = Hurry()
    with hurry.served():
        waiting = asyncio.create_task(hurry.over(60))
        await asyncio.sleep(0)
        with hurry.served():
            await hurry.over(0.001)  # returns all the same
        assert not waiting.done()
        IN_BACKGROUND.set(True)
        with hurry.served():
            assert not hurry.is_over.is_set()
    await waiting
    assert hurry.is_over.is_set()
    with hurry.served():  # a job: nobody waits for it
        await hurry.over(60)


async def test_a_store_that_was_stopped_says_so(sqlite_database_url: str) -> None:
    store = open_store(sqlite_database_url, MemoryBus())
    await store.start()
    await store.stop()
    with pytest.raises(StoreUnavailable):
        await store.write(add_tenant, "late")


async def test_a_database_that_is_away_is_unavailable_not_an_error_of_ours() -> None:
    store = open_store("postgresql://nobody@127.0.0.1:9/nothing", MemoryBus())
    await store.start()
    with pytest.raises(StoreUnavailable):
        await store.write(add_tenant, "x")
    with pytest.raises(StoreUnavailable):
        await ping(store)
    await store.stop()


async def test_a_cut_connection_is_tried_again(postgresql_database_url: str) -> None:
    store = open_store(postgresql_database_url, MemoryBus(), pool_size=1)
    assert isinstance(store, PostgresStore)
    await store.start()
    await store.write(add_tenant, "first")
    killer = open_store(postgresql_database_url, MemoryBus())
    await killer.start()
    mine = "datname = current_database() AND pid <> pg_backend_pid()"
    cut = text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {mine}")
    await killer.read(lambda db: db.execute(cut).all())
    await store.write(add_tenant, "second")
    assert await store.read(names) == ["first", "second"]
    await store.stop()
    await killer.stop()


async def test_while_slow_ones_have_every_connection_others_hear_so_soon(postgresql_database_url: str) -> None:
    store = PostgresStore(make_url(postgresql_database_url), MemoryBus(), pool_size=2, wait_s=0.05)
    begun, go_on = threading.Barrier(3), threading.Event()

    def slow(db: Db) -> None:
        begun.wait(10)
        add_tenant(db, "slow")
        go_on.wait(10)

    slow_ones = [asyncio.create_task(store.write(slow)) for _ in range(2)]
    await asyncio.to_thread(begun.wait, 10)
    for late in (store.write(add_tenant, "late"), store.read(names)):
        with pytest.raises(StoreUnavailable, match="busy"):
            await late
    go_on.set()
    await asyncio.gather(*slow_ones)
    assert await store.read(names) == ["slow", "slow"]  # what was refused was never begun
    await store.stop()


async def test_two_transactions_that_deadlock_both_end_well(postgresql_database_url: str) -> None:
    store = open_store(postgresql_database_url, MemoryBus())
    await store.start()
    one, two = await store.write(add_tenant, "one"), await store.write(add_tenant, "two")

    def rename(db: Db, first: int, second: int) -> None:
        for tenant in (first, second):
            db.execute(text("UPDATE tenants SET name = name || '!' WHERE id = :id"), {"id": tenant})
            db.execute(text("SELECT pg_sleep(0.05)"))

    await asyncio.gather(store.write(rename, one, two), store.write(rename, two, one))
    assert await store.read(names) == ["one!!", "two!!"]
    await store.stop()


async def test_wake_ups_cross_processes_over_redis(redis_url: str) -> None:
    here, there = RedisBus(redis_url), RedisBus(redis_url)
    await here.start()
    await there.start()
    async with there.listen("jobs") as woken:
        async with asyncio.timeout(5):
            while not woken.is_set():  # until its subscription stands
                here.publish("jobs")
                with_patience = asyncio.create_task(woken.wait())
                await asyncio.wait([with_patience], timeout=0.05)
                with_patience.cancel()
    await here.stop()
    await there.stop()


async def test_what_takes_the_word_to_end_for_something_else_is_told_again() -> None:
    async def deaf() -> None:
        for _ in range(3):
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()

    tasks = [asyncio.create_task(deaf()) for _ in range(2)]
    await asyncio.sleep(0)
    await asyncio.wait_for(ended(*tasks, again_s=0.01), 5)
    assert all(task.done() for task in tasks)
    await ended()


async def test_without_redis_wake_ups_stay_in_the_process() -> None:
    bus = RedisBus("redis://127.0.0.1:9/0", retry_s=0.01)
    await bus.start()
    async with bus.listen("jobs") as woken:
        bus.publish("jobs")
        assert woken.is_set()
    await bus.stop()


def test_the_lock_ends_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    script = (
        "import sys; from pathlib import Path; from storage.filelock import FileLock;"
        "FileLock(Path(sys.argv[1]), note='there').acquire(); print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        assert filelock.holder(path) == (other.pid, "there")
        other.kill()
    assert filelock.holder(path) is None
