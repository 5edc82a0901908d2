"""The demo business in a database on either engine, and a stage for every test; nothing a test does is kept."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from bots.registry import Registry
from gateway import demo
from storage.base import Db
from tests import databases
from tests.bots.stage import MONDAY_NOON, Stage
from tests.conftest import ENGINES
from tests.desk import shop as shops


@pytest.fixture
def stage(db: Db, registry: Registry) -> Stage:
    """A customer with a telephone, on a Monday at noon."""
    return Stage(db, registry)


@pytest.fixture
def db(house: Engine) -> Iterator[Db]:
    with house.connect() as connection:
        transaction = connection.begin()
        yield connection
        transaction.rollback()


@pytest.fixture(params=ENGINES, scope="session")
def house(request: pytest.FixtureRequest) -> Engine:
    engine: Engine = request.getfixturevalue(f"house_{request.param}")
    return engine


@pytest.fixture(scope="session")
def registry(house: Engine) -> Registry:
    """The bot as kept in memory. A test that changes the business takes a registry of its own."""
    return Registry()


@pytest.fixture(scope="session")
def house_sqlite(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = shops.engine(databases.sqlite_copy(sqlite_template, tmp_path_factory.mktemp("bots")))
    _seed(engine)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def house_postgresql(postgres_url: str, postgres_template: str) -> Iterator[Engine]:
    with databases.postgres_copy(postgres_url, postgres_template) as url:
        engine = shops.engine(url)
        _seed(engine)
        yield engine
        engine.dispose()


def _seed(engine: Engine) -> None:
    with engine.begin() as connection:
        demo.seed(connection, now=MONDAY_NOON)
