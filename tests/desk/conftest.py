"""A connection and a shop for every test, on both engines.

Most tests never commit, so they share one database for each engine; those that need several transactions ask for
`engine` and get a database of their own.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from storage.base import Db
from tests import databases
from tests.conftest import ENGINES
from tests.desk import shop as shops
from tests.desk.shop import Shop


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """A database of the test's own."""
    engine = shops.engine(database_url, pool_size=16)
    yield engine
    engine.dispose()


@pytest.fixture
def db(shared_engine: Engine) -> Iterator[Db]:
    """A connection in a transaction that is never committed."""
    with shared_engine.connect() as connection:
        transaction = connection.begin()
        yield connection
        transaction.rollback()


@pytest.fixture
def shop(db: Db) -> Shop:
    """A small business, in the same transaction."""
    return shops.open_shop(db)


@pytest.fixture(params=ENGINES, scope="session")
def shared_engine(request: pytest.FixtureRequest) -> Engine:
    engine: Engine = request.getfixturevalue(f"shared_{request.param}")
    return engine


@pytest.fixture(scope="session")
def shared_sqlite(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = shops.engine(databases.sqlite_copy(sqlite_template, tmp_path_factory.mktemp("desk")))
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def shared_postgresql(postgres_url: str, postgres_template: str) -> Iterator[Engine]:
    with databases.postgres_copy(postgres_url, postgres_template) as url:
        engine = shops.engine(url)
        yield engine
        engine.dispose()
