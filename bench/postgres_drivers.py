"""The product's hot transaction on PostgreSQL: psycopg in threads against `run_sync` over asyncpg.

    python bench/postgres_drivers.py postgresql://user@127.0.0.1:5432/empty_database

One SELECT … FOR UPDATE, two INSERTs and an UPDATE in one transaction, SQLAlchemy Core, 16 at a time on 8 connections.
"""

import asyncio
import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import (
    Column,
    Connection,
    Integer,
    MetaData,
    Table,
    Text,
    bindparam,
    create_engine,
    insert,
    select,
    update,
)
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

TURNS, AT_ONCE, POOL, PEERS = 4000, 16, 8, 256

metadata = MetaData()
peers = Table("bench_peers", metadata, Column("id", Integer, primary_key=True), Column("state", Text))
notes = Table(
    "bench_notes", metadata, Column("id", Integer, primary_key=True), Column("peer", Integer), Column("text", Text)
)
FIND = select(peers.c.id, peers.c.state).where(peers.c.id == bindparam("peer")).with_for_update()
ADD = insert(notes).values(peer=bindparam("peer"), text=bindparam("text")).returning(notes.c.id)
SAVE = update(peers).where(peers.c.id == bindparam("peer")).values(state=bindparam("new"))


def turn(db: Connection, peer: int) -> None:
    db.execute(FIND, {"peer": peer}).one()
    db.execute(ADD, {"peer": peer, "text": "hello"}).scalar_one()
    db.execute(ADD, {"peer": peer, "text": "hello to you"}).scalar_one()
    db.execute(SAVE, {"peer": peer, "new": "greeted"})


async def threads(url: str) -> None:
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"), pool_size=POOL, max_overflow=0)
    pool = ThreadPoolExecutor(POOL)
    loop = asyncio.get_running_loop()

    def run(peer: int) -> None:
        with engine.begin() as db:
            turn(db, peer)

    await _drive(lambda peer: loop.run_in_executor(pool, run, peer))
    pool.shutdown()
    engine.dispose()


async def greenlets(url: str) -> None:
    engine = create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"), pool_size=POOL, max_overflow=0)

    async def run(peer: int) -> None:
        async with engine.begin() as db:
            await db.run_sync(turn, peer)

    await _drive(run)
    await engine.dispose()


async def _drive(run) -> None:  # type: ignore[no-untyped-def]  # either of the two above
    todo = iter(range(TURNS))

    async def worker() -> None:
        for number in todo:
            await run(number % PEERS + 1)

    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))


def main() -> None:
    url = sys.argv[1]
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    metadata.drop_all(engine)
    metadata.create_all(engine)
    with engine.begin() as db:
        db.execute(insert(peers), [{"id": number, "state": ""} for number in range(1, PEERS + 1)])
    print(f"{'driver':12}{'turns/s':>10}{'CPU µs/turn':>14}")
    for _ in range(3):
        for name, bench in (("psycopg", threads), ("asyncpg", greenlets)):
            cpu = _cpu_s()
            start = time.perf_counter()
            asyncio.run(bench(url))
            took = time.perf_counter() - start
            print(f"{name:12}{TURNS / took:10.0f}{(_cpu_s() - cpu) / TURNS * 1e6:14.0f}")
    metadata.drop_all(engine)


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
