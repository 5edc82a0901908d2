"""A running front desk on each engine, and the demo business, made once and copied for every test that asks."""

import shutil
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url

from gateway import demo
from storage.store import sqlite_engine
from tests.clock import FakeClock
from tests.gateway import front

_TEMPLATE = "frontdesk_demo"
_names = count(1)


@pytest.fixture
async def desk(database_url: str, tmp_path: Path, clock: FakeClock) -> AsyncIterator[front.Front]:
    """A front desk with the demo business, on a Monday at noon."""
    clock.set(front.NOON)
    async with front.opened(database_url, tmp_path, clock) as opened:
        yield opened


@pytest.fixture
def demo_sqlite_url(demo_sqlite: Path, tmp_path: Path) -> str:
    path = tmp_path / "frontdesk.db"
    shutil.copyfile(demo_sqlite, path)
    return f"sqlite:///{path}"


@pytest.fixture
def demo_postgresql_url(postgres_url: str, demo_postgresql: str) -> Iterator[str]:
    name = f"demo_{next(_names)}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{demo_postgresql}"')
    yield _beside(postgres_url, name)
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def demo_sqlite(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("demo") / "frontdesk.db"
    shutil.copyfile(sqlite_template, path)
    engine = sqlite_engine(str(path))
    with engine.begin() as db:
        demo.seed(db, now=front.NOON)
    engine.dispose()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


@pytest.fixture(scope="session")
def demo_postgresql(postgres_url: str, postgres_template: str) -> str:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{_TEMPLATE}" TEMPLATE "{postgres_template}"')
        engine = create_engine(make_url(_beside(postgres_url, _TEMPLATE)).set(drivername="postgresql+psycopg"))
        with engine.begin() as db:
            demo.seed(db, now=front.NOON)
        engine.dispose()
        connection.execute(f'ALTER DATABASE "{_TEMPLATE}" ALLOW_CONNECTIONS false')
    return _TEMPLATE


def _beside(url: str, database: str) -> str:
    return f"{url.rpartition('/')[0]}/{database}"
