"""Databases for tests: what they begin with is made once for each engine, as a template, and a test's own is a copy."""

import shutil
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Final

import psycopg
from sqlalchemy.engine import make_url

from storage import migrate
from storage.base import Db
from storage.store import postgres_engine, sqlite_engine

_names = count(1)
_left: deque[str] = deque()
# Copies the files of the template rather than writing all of it into the journal first.
_COPIED: Final = "STRATEGY file_copy"


def sqlite_template(path: Path, *, of: Path | None = None, fill: Callable[[Db], object] | None = None) -> Path:
    """`path` as one file that can be copied: migrated, or a copy of the template `of`, and filled by `fill`."""
    if of is None:
        migrate.upgrade(f"sqlite:///{path}")
    else:
        shutil.copyfile(of, path)
    if fill is not None:
        engine = sqlite_engine(str(path))
        with engine.begin() as db:
            fill(db)
        engine.dispose()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # Only the one file is copied.
    return path


def sqlite_copy(template: Path, folder: Path) -> str:
    """The address of a copy in `folder`."""
    path = folder / "frontdesk.db"
    shutil.copyfile(template, path)
    return f"sqlite:///{path}"


def postgres_template(
    server: str, name: str, *, of: str | None = None, fill: Callable[[Db], object] | None = None
) -> str:
    """`name`, now a database that can be copied and that nobody can connect to; `server` is the address of any other."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{of or "template1"}" {_COPIED}')
        if of is None:
            migrate.upgrade(_beside(server, name))
        if fill is not None:
            engine = postgres_engine(make_url(_beside(server, name)), pool_size=1)
            with engine.begin() as db:
                fill(db)
            engine.dispose()
        connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
    return name


@contextmanager
def postgres_copy(server: str, template: str) -> Iterator[str]:
    """The address of a copy, which nobody may use any more when the block ends, and which goes soon after."""
    name = f"test_{next(_names)}"
    with psycopg.connect(server, autocommit=True) as connection:
        # PostgreSQL sleeps for a tenth of a second if it finds anybody there, and whoever was just told to leave is.
        while len(_left) > 1:
            connection.execute(f'DROP DATABASE "{_left.popleft()}" WITH (FORCE)')
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" {_COPIED}')
    yield _beside(server, name)
    _left.append(name)


def _beside(url: str, database: str) -> str:
    return f"{url.rpartition('/')[0]}/{database}"
