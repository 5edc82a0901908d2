"""What every test may ask for: a database of its own on both engines, a Redis, a clock.

A server that does not start is a failure, never a skip: a green run has spoken to the real thing.
"""

import gc
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import structlog
from aiohttp import web_app
from hypothesis import settings
from structlog.typing import EventDict, WrappedLogger

from tests import canaries, databases, servers, statements
from tests.clock import FakeClock

settings.register_profile("ci", deadline=None, max_examples=60, print_blob=True)
settings.register_profile("thorough", settings.get_profile("ci"), max_examples=2000)
settings.load_profile("ci")  # `pytest --hypothesis-profile=thorough` looks longer.

ENGINES = ("sqlite", "postgresql")
_MEMORY = Path("/dev/shm")
_ROOM_BYTES = 2 * 2**30


def pytest_configure() -> None:
    """Temporary files, and with them all databases, lie in memory where it has room: disks took a third of the time."""
    if _has_room(_MEMORY):
        tempfile.tempdir = os.environ["TMPDIR"] = str(_MEMORY)
    statements.keep()
    gc.disable()  # until all is imported, of which hardly anything is garbage


def pytest_collection_finish() -> None:
    """What is made in a test goes with it; looking for more of it so often took a tenth of the time.

    Nothing is frozen: every server would freeze all that is there once more (`gateway.collector`), and it would never go.
    """
    gc.set_threshold(50_000, 20, 10)
    gc.enable()


def pytest_runtest_logfinish() -> None:
    """aiohttp remembers a thousand handlers, and with them the whole applications and houses of a hundred tests."""
    web_app._cached_build_middleware.cache_clear()


def _has_room(folder: Path) -> bool:
    """Whether a whole run fits, and programs in it may be started: containers often have 64 MB there."""
    if "TMPDIR" in os.environ or not os.access(folder, os.W_OK):
        return False
    there = os.statvfs(folder)
    return there.f_bavail * there.f_frsize > _ROOM_BYTES and not there.f_flag & os.ST_NOEXEC


@pytest.fixture(scope="session", autouse=True)
def plain_log() -> None:
    """Lines of text: drawing a traceback with all its values takes seconds."""
    plain = structlog.processors
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            plain.format_exc_info,
            _without_secrets,
            plain.KeyValueRenderer(),
        ]
    )


def _without_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    canaries.unlogged(str(event))
    return event


@pytest.fixture
def clock() -> FakeClock:
    """A clock that stands still until the test moves it."""
    return FakeClock()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The address of a real PostgreSQL and its empty database `postgres`, started once for the whole run."""
    with servers.postgres() as url:
        yield url


@pytest.fixture(scope="session")
def valkey_url() -> Iterator[str]:
    """The address of a real Valkey, started once for the whole run; tests take `redis_url`."""
    with servers.valkey() as url:
        yield url


@pytest.fixture
def redis_url(valkey_url: str) -> str:
    """The address of a real Valkey with nothing in it."""
    with redis.Redis.from_url(valkey_url) as client:
        client.flushall()
    return valkey_url


@pytest.fixture(params=ENGINES)
def database_url(request: pytest.FixtureRequest) -> str:
    """The address of a migrated, empty database of the test's own; the test runs once for each engine."""
    return str(request.getfixturevalue(f"{request.param}_database_url"))


@pytest.fixture
def sqlite_database_url(sqlite_template: Path, tmp_path: Path) -> str:
    """`database_url`, SQLite alone: a file of the test's own."""
    return databases.sqlite_copy(sqlite_template, tmp_path)


@pytest.fixture
def postgresql_database_url(postgres_url: str, postgres_template: str) -> Iterator[str]:
    """`database_url`, PostgreSQL alone: a database copied from a template and dropped afterwards."""
    with databases.postgres_copy(postgres_url, postgres_template) as url:
        yield url


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy from."""
    return databases.sqlite_template(tmp_path_factory.mktemp("template") / "frontdesk.db")


@pytest.fixture(scope="session")
def postgres_template(postgres_url: str) -> str:
    """The name of a migrated PostgreSQL database to copy from."""
    return databases.postgres_template(postgres_url, "frontdesk_template")
