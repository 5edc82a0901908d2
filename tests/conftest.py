"""What every test may ask for: a database of its own on both engines, a Redis, a clock.

A server that does not start is a failure, never a skip: a green run has spoken to the real thing.
"""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import psycopg
import pytest
import redis
import structlog
from hypothesis import settings

from tests import servers
from tests.clock import FakeClock

settings.register_profile("ci", deadline=None, max_examples=60, print_blob=True)
settings.register_profile("thorough", settings.get_profile("ci"), max_examples=2000)
settings.load_profile("ci")  # `pytest --hypothesis-profile=thorough` looks longer.

ENGINES = ("sqlite", "postgresql")
_TEMPLATE = "frontdesk_template"
_names = count(1)


@pytest.fixture(scope="session", autouse=True)
def plain_log() -> None:
    """Lines of text: drawing a traceback with all its values takes seconds."""
    plain = structlog.processors
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, plain.format_exc_info, plain.KeyValueRenderer()]
    )


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
    path = tmp_path / "frontdesk.db"
    shutil.copyfile(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def postgresql_database_url(postgres_url: str, postgres_template: str) -> Iterator[str]:
    """`database_url`, PostgreSQL alone: a database copied from a template and dropped afterwards."""
    name = f"test_{next(_names)}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{postgres_template}"')
    yield _beside(postgres_url, name)
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy from."""
    from storage import migrate

    path = tmp_path_factory.mktemp("template") / "frontdesk.db"
    migrate.upgrade(f"sqlite:///{path}")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # Only the one file is copied.
    return path


@pytest.fixture(scope="session")
def postgres_template(postgres_url: str) -> str:
    """The name of a migrated PostgreSQL database to copy from; nobody can connect to it any more."""
    from storage import migrate

    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{_TEMPLATE}"')
        migrate.upgrade(_beside(postgres_url, _TEMPLATE))
        connection.execute(f'ALTER DATABASE "{_TEMPLATE}" ALLOW_CONNECTIONS false')
    return _TEMPLATE


def _beside(url: str, database: str) -> str:
    return f"{url.rpartition('/')[0]}/{database}"
