"""A running front desk on each engine, and the demo business, made once and copied for every test that asks."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from gateway import demo
from gateway import demo_business as juniper
from storage.base import Db
from tests import databases
from tests.clock import FakeClock
from tests.conftest import ENGINES
from tests.gateway import front


@pytest.fixture(params=ENGINES)
def database_url(request: pytest.FixtureRequest) -> str:
    """The address of a database of the test's own that holds the demo business, seeded on that Monday."""
    return str(request.getfixturevalue(f"demo_{request.param}_url"))


@pytest.fixture
async def desk(database_url: str, tmp_path: Path, clock: FakeClock) -> AsyncIterator[front.Front]:
    """A front desk with the demo business, on a Monday at noon."""
    clock.set(front.NOON)
    async with front.opened(database_url, tmp_path, clock) as opened:
        yield opened


@pytest.fixture
def demo_sqlite_url(demo_sqlite: Path, tmp_path: Path) -> str:
    return databases.sqlite_copy(demo_sqlite, tmp_path)


@pytest.fixture
def demo_postgresql_url(postgres_url: str, demo_postgresql: str) -> Iterator[str]:
    with databases.postgres_copy(postgres_url, demo_postgresql) as url:
        yield url


@pytest.fixture(scope="session")
def demo_sqlite(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("demo") / "frontdesk.db"
    return databases.sqlite_template(path, of=sqlite_template, fill=_seed)


@pytest.fixture(scope="session")
def demo_postgresql(postgres_url: str, postgres_template: str) -> str:
    return databases.postgres_template(postgres_url, "frontdesk_demo", of=postgres_template, fill=_seed)


@pytest.fixture
def installed(demo_today: Path, tmp_path: Path) -> Path:
    """A folder of data in which a process finds the demo business, put in today: most of a first start is done."""
    databases.sqlite_copy(demo_today, tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def demo_today(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("today") / "frontdesk.db"
    owners = front.QUICK.hash(juniper.OWNER_PASSWORD)
    fill = partial(demo.seed, password_hash=owners, now=datetime.now(UTC))
    return databases.sqlite_template(path, of=sqlite_template, fill=fill)


def _seed(db: Db) -> None:
    demo.seed(db, now=front.NOON)
