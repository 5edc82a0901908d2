"""The one door to the database: `await store.write(fn, …)` and `await store.read(fn, …)`.

`fn(db, …)` is an ordinary function. It cannot wait on the network, so no transaction is ever open over a call to a
vendor. What `write` returns is committed.
"""

import asyncio
import contextlib
import math
import os
import random
import sqlite3
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any, Concatenate, Final, NamedTuple, ParamSpec, Protocol, TypeVar, cast

import orjson
from sqlalchemy import Connection, Engine, NullPool, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from storage.base import Db
from storage.bus import Bus
from storage.filelock import FileLock
from storage.hurry import IN_BACKGROUND, Hurry
from storage.session import Said, take_said

P = ParamSpec("P")
T = TypeVar("T")


class StoreUnavailable(Exception):  # noqa: N818  the trade's word
    """The database cannot be reached or cannot write just now; nothing was changed. Trying again makes sense."""


class Store(Protocol):
    """A database that can be read and written. One per process."""

    dialect: str
    hurry: Hurry

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    async def write(self, fn: Callable[Concatenate[Db, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `fn` returns, once its changes are committed.

        Raises:
            StoreUnavailable: the database is away, read-only, full or locked; nothing was changed.
        """
        ...

    async def read(self, fn: Callable[Concatenate[Db, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `fn` returns of a consistent view; a change it makes is refused or undone."""
        ...

    async def empty_journal(self) -> None:
        """Leave nothing of what was deleted in the journal beside the database, as far as others let us."""
        ...


# The journal grows to this at most before those who write have to wait until it is empty.
_JOURNAL_BYTES: Final = 64 * 1024 * 1024
_PAGE_BYTES: Final = 4096  # SQLite's own
# Of the database, kept by whoever writes: the inner pages of the indexes of a hundred thousand customers and their messages.
_CACHE_KIB: Final = 16 * 1024


def open_store(url: str, bus: Bus, *, pool_size: int = 8, owner_note: str = "") -> Store:
    """A store for `sqlite:///path` or `postgresql://user:password@host/name`, not started yet.

    `owner_note` is written into the lock file beside an SQLite database (where the owner can be reached).
    """
    parsed = make_url(url)
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        return SqliteStore(parsed, bus, owner_note=owner_note)
    if backend == "postgresql":
        return PostgresStore(parsed, bus, pool_size=pool_size)
    raise ValueError(f"database.url {url.split(':', 1)[0]!r} is not supported; use sqlite:///… or postgresql://…")


def lock_path(url: str) -> Path | None:
    """The file whose lock says that a process writes the SQLite database at `url`; None for PostgreSQL."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return None
    return _lock_path(Path(parsed.database))


def _lock_path(database: Path) -> Path:
    return database.with_name(database.name + ".lock")


def json_dumps(value: object) -> str:
    return orjson.dumps(value).decode()


def sqlite_engine(path: str, *, read_only: bool = False) -> Engine:
    """An engine whose connections never open a transaction behind our back."""

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA busy_timeout=10000")
        if read_only:
            connection.execute("PRAGMA query_only=ON")
        else:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute(f"PRAGMA journal_size_limit={_JOURNAL_BYTES}")
            connection.execute(f"PRAGMA wal_autocheckpoint={_JOURNAL_BYTES // _PAGE_BYTES}")
            connection.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
            connection.execute("PRAGMA temp_store=MEMORY")  # what a part of a group would be taken back with is small
            connection.execute("PRAGMA secure_delete=ON")  # who is erased is erased from the file, too
        return connection

    engine = create_engine(
        "sqlite://",
        creator=connect,
        poolclass=NullPool,
        json_serializer=json_dumps,
        json_deserializer=orjson.loads,
        hide_parameters=True,  # what people wrote is in them, and errors are logged
    )
    begin = "BEGIN" if read_only else "BEGIN IMMEDIATE"

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def postgres_engine(url: URL, *, pool_size: int) -> Engine:
    return create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=10,
        pool_pre_ping=False,
        json_serializer=json_dumps,
        json_deserializer=orjson.loads,
        hide_parameters=True,
        connect_args={"connect_timeout": 5},
    )


class _Call(NamedTuple):
    """What is to be done in a transaction, and who waits for it in which loop; the patient ones hear of it last."""

    fn: Callable[[Db], Any]
    future: "asyncio.Future[Any]"
    loop: asyncio.AbstractEventLoop
    is_patient: bool


class SqliteStore:
    """One thread owns the only connection that writes; it commits whatever waits in one go (group commit)."""

    dialect = "sqlite"
    _GROUP = 128  # functions in one commit
    _PATIENT = 32  # of these, such as are done in the background
    _LINGERS_S = 0.025  # for so long such as these wait for others to share their commit
    _BOWS_S = 0.002  # for so long whoever was just committed gets to hear it before such as these go on
    _EMPTIED_AFTER = 256  # functions, a megabyte or a few of the journal: it is carried over to the database beside us

    def __init__(self, url: URL, bus: Bus, *, owner_note: str = "") -> None:
        if not url.database or url.database == ":memory:":
            raise ValueError("database.url needs a file, such as sqlite:///data/frontdesk.db")
        self._path = Path(url.database)
        self._bus = bus
        self._lock = FileLock(_lock_path(self._path), note=owner_note)
        self._waiting: deque[_Call | None] = deque()
        self._patient: deque[_Call | None] = deque()
        self._wake = threading.Semaphore(0)
        self._thread: threading.Thread | None = None
        self._readers = ThreadPoolExecutor(4, thread_name_prefix="sqlite-read")
        self._reading = sqlite_engine(str(self._path), read_only=True)  # one: a statement is compiled once for all
        self._reader_local = threading.local()
        self._reader_connections: list[Connection] = []
        self._much_until_s = -math.inf  # so long after several were done in the background others may follow
        self._is_owed = False  # whether such a one had to wait for the last commit already
        self._is_over = False
        self._journalled = 0  # functions whose changes may be in the journal alone
        self._emptier: Connection | None = None
        self._is_emptying = False
        self._is_carried = False  # but for what was written meanwhile
        self.hurry = Hurry()

    async def start(self) -> None:
        """Raises: filelock.Held when another process already writes this file."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._lock.acquire()
        self._is_over = False
        self._thread = threading.Thread(target=self._run, name="sqlite-write", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        if self._thread is not None:
            self._patient.append(None)  # behind everything
            self._wake.release()
            await asyncio.to_thread(self._thread.join)
            self._thread = None
        self._readers.shutdown(wait=True)
        for connection in self._reader_connections:
            connection.close()
        self._reader_connections.clear()
        self._reading.dispose()
        if self._emptier is not None:
            self._emptier.close()
            self._emptier = None
        self._lock.release()

    async def write(self, fn: Callable[Concatenate[Db, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        if self._thread is None:
            raise StoreUnavailable("the store is stopped")
        call = _Call(lambda db: fn(db, *args, **kwargs), future, loop, IN_BACKGROUND.get())
        with self.hurry.served():
            (self._patient if call.is_patient else self._waiting).append(call)
            self._wake.release()
            return await future

    async def read(self, fn: Callable[Concatenate[Db, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        with self.hurry.served():
            return await asyncio.get_running_loop().run_in_executor(
                self._readers, lambda: self._read(lambda db: fn(db, *args, **kwargs))
            )

    async def empty_journal(self) -> None:
        def run() -> None:
            engine = sqlite_engine(str(self._path))
            with contextlib.closing(engine.raw_connection()) as connection:
                connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
            engine.dispose()

        with contextlib.suppress(sqlite3.OperationalError):  # busy for long: the next checkpoint does it
            await asyncio.get_running_loop().run_in_executor(self._readers, run)

    def _read(self, call: Callable[[Db], T]) -> T:
        connection: Connection | None = getattr(self._reader_local, "connection", None)
        try:
            if connection is None:
                connection = self._reading.connect()
                self._reader_local.connection = connection
                self._reader_connections.append(connection)
            with connection.begin():
                return call(connection)
        except OperationalError as error:
            if not _breaks_file(error):
                raise
            raise StoreUnavailable(_reason(error)) from error

    def _run(self) -> None:
        _give_way()
        engine = sqlite_engine(str(self._path))
        connection: Connection | None = None
        while not self._is_over:
            calls: list[_Call] = []
            group = self._group(calls)
            if (first := next(group, None)) is None:
                continue
            try:
                if connection is None:
                    connection = engine.connect()
                results, said = _run_group(connection, chain((first,), group))
            except Exception as away:  # noqa: BLE001  a border: this thread must not die
                # The connection may be in any state: drop it, and tell everybody that nothing was changed.
                if connection is not None:
                    with contextlib.suppress(Exception):
                        connection.close()
                    connection = None
                unavailable = StoreUnavailable(_reason(away))
                unavailable.__cause__ = away
                results, said = [(False, unavailable)] * len(calls), Said()
            _resolve(calls, results, said, self._bus, self.hurry)
            self._journalled += len(calls)
            if self._journalled >= self._EMPTIED_AFTER and not self._is_emptying:
                self._journalled, self._is_emptying = 0, True
                self._readers.submit(self._empty_beside)
            elif self._is_carried and not self._waiting and connection is not None:
                self._is_carried = False
                with contextlib.suppress(sqlite3.Error):  # then the journal grows on until the next time
                    _raw(connection).execute(_CARRY_OVER)  # the little that is left, so that the journal begins anew
        if connection is not None:
            connection.close()
        engine.dispose()

    def _empty_beside(self) -> None:
        """Carry the journal over to the database while others write on, so that none of their commits has to."""
        try:
            if self._emptier is None:
                self._emptier = sqlite_engine(str(self._path)).connect()
            _raw(self._emptier).execute(_CARRY_OVER)
            self._is_carried = True
        except (DBAPIError, sqlite3.Error):  # the disk is full, say: whoever writes will hear of it
            pass
        finally:
            self._is_emptying = False

    def _group(self, calls: list[_Call]) -> Iterator[_Call]:
        """What is committed together, each as it comes; `calls` is what was given out of it.

        Who is in a hurry waits for one other at most, and is committed at once. What is not waits a little for more of its
        kind while there is much of it: a commit costs as much as they do. Every second group begins with it, if it waits.
        """
        patient, until_s = 0, -math.inf
        while True:
            if not calls:
                self._wake.acquire()
            else:
                is_whole = not self._waiting and (len(calls) > patient or patient == self._PATIENT)
                is_whole = is_whole or len(calls) >= self._GROUP
                if is_whole or not self._wake.acquire(timeout=max(until_s - time.monotonic(), 0)):
                    break
            if not self._waiting and not calls:
                self.hurry.is_over.wait(self._BOWS_S)
            is_patient = bool(self._patient) and (not self._waiting or (self._is_owed and not calls))
            call = (self._patient if is_patient else self._waiting).popleft()
            if call is None:
                if self._waiting or self._patient:  # the end comes behind everything
                    self._patient.append(None)
                    self._wake.release()
                    continue
                self._is_over = True
                return
            if is_patient and not patient and (now_s := time.monotonic()) < self._much_until_s:
                until_s = now_s + self._LINGERS_S
            patient += is_patient
            calls.append(call)
            yield call
        if patient:
            self._much_until_s = time.monotonic() + self._LINGERS_S if patient > 1 else -math.inf
        self._is_owed = not patient and bool(self._patient)


_Result = tuple[bool, Any]
_LETS_BY: Final = 10  # looks whether somebody is still being served
_LETS_BY_S: Final = 0.002  # from one to the next
_SPACE_S: Final = 0.003  # between what goes on after a commit: whoever comes then is heard at once

# Trouble of the file rather than of one function: SQLITE_BUSY, LOCKED, NOMEM, READONLY, IOERR, CORRUPT, FULL, CANTOPEN.
_FILE_TROUBLE: Final = frozenset({5, 6, 7, 8, 10, 11, 13, 14})


_NICER: Final = 5  # a third of what an equal thread would have, and only while both want it
_CARRY_OVER: Final = "PRAGMA wal_checkpoint(PASSIVE)"


def _give_way() -> None:
    """Have this thread let the process's others go first on a processor that they share, so that who comes in is heard while
    it works. Only Linux knows the priority of a thread (setpriority(2), "C library/kernel differences").
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), os.getpriority(os.PRIO_PROCESS, 0) + _NICER)


def _raw(connection: Connection) -> sqlite3.Connection:
    return cast(sqlite3.Connection, connection.connection.driver_connection)


def _breaks_file(error: OperationalError) -> bool:
    code = getattr(error.orig, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _FILE_TROUBLE  # the low byte of an extended code is the code


def _run_group(connection: Connection, calls: Iterable[_Call]) -> tuple[list[_Result], Said]:
    """Each call in its savepoint, one commit for all. An error of the file itself undoes the whole group."""
    results: list[_Result] = []
    said = Said()
    with connection.begin():
        raw = _raw(connection)
        for call in calls:
            raw.execute("SAVEPOINT call")
            try:
                results.append((True, call.fn(connection)))
                raw.execute("RELEASE call")
                said.add(take_said(connection))
            except Exception as error:
                if isinstance(error, OperationalError) and _breaks_file(error):
                    raise
                raw.execute("ROLLBACK TO call")
                raw.execute("RELEASE call")
                take_said(connection)
                results.append((False, error))
    return results, said


def _resolve(calls: list[_Call], results: list[_Result], said: Said, bus: Bus, hurry: Hurry) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[_Call, _Result]]] = {}
    for call, result in zip(calls, results, strict=True):
        by_loop.setdefault(call.loop, []).append((call, result))
    for loop, settled in by_loop.items():
        with contextlib.suppress(RuntimeError):  # the loop was closed while we worked: nobody waits any more
            loop.call_soon_threadsafe(_settle, settled, said, bus, hurry)
        said = Said()


def _settle(settled: list[tuple[_Call, _Result]], said: Said, bus: Bus, hurry: Hurry) -> None:
    for call, result in settled:
        if not call.is_patient:
            _tell(call, result)
    _pass_on(said, bus)
    _settle_patient(deque(each for each in settled if each[0].is_patient), hurry)


def _settle_patient(settled: deque[tuple[_Call, _Result]], hurry: Hurry, waited: int = 0) -> None:
    """One after the other, and while nobody is being served: what they all do next at once would keep that waiting, or who
    comes meanwhile.
    """
    if not settled:
        return
    call, result = settled[0]
    if waited < _LETS_BY and not hurry.is_over.is_set():
        call.loop.call_later(_LETS_BY_S, _settle_patient, settled, hurry, waited + 1)
        return
    settled.popleft()
    _tell(call, result)
    if hurry.is_likely:
        call.loop.call_later(_SPACE_S, _settle_patient, settled, hurry)
    else:
        call.loop.call_soon(_settle_patient, settled, hurry)


def _tell(call: _Call, result: _Result) -> None:
    ok, value = result
    if call.future.cancelled():
        return
    if ok:
        call.future.set_result(value)
    else:
        call.future.set_exception(value)


def _pass_on(said: Said, bus: Bus) -> None:
    for topic in said.topics:
        bus.publish(topic)
    if said.news:
        bus.tell(said.news)


class PostgresStore:
    """The same functions on a pool of connections, each in a thread while its transaction runs."""

    dialect = "postgresql"
    _TRIES = 4

    def __init__(self, url: URL, bus: Bus, *, pool_size: int = 8, wait_s: float = 5.0) -> None:
        """`wait_s` is how long a transaction waits for a connection while slow ones have them all."""
        self._engine = postgres_engine(url, pool_size=pool_size)
        self._bus = bus
        self._wait_s = wait_s
        self._threads = ThreadPoolExecutor(pool_size, thread_name_prefix="postgres")
        self.hurry = Hurry()

    async def start(self) -> None:
        """Does not connect: the server may come up before its database does."""

    async def stop(self) -> None:
        await asyncio.to_thread(self._threads.shutdown, True)
        self._engine.dispose()

    async def write(self, fn: Callable[Concatenate[Db, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        for left in reversed(range(self._TRIES)):
            try:
                result, said = await self._in_thread(lambda: self._write(lambda db: fn(db, *args, **kwargs)))
            except _Again as again:
                if left == 0:
                    raise StoreUnavailable(_reason(again.cause)) from again.cause
                await asyncio.sleep(random.uniform(0.005, 0.05))
                continue
            _pass_on(said, self._bus)
            return result
        raise AssertionError("unreachable")

    async def read(self, fn: Callable[Concatenate[Db, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        def run() -> T:
            try:
                with self._engine.connect() as connection:
                    result = fn(connection, *args, **kwargs)
                    connection.rollback()
                    return result
            except (OperationalError, InterfaceError) as away:
                raise StoreUnavailable(_reason(away)) from away

        return await self._in_thread(run)

    async def empty_journal(self) -> None:
        """PostgreSQL recycles its journal by itself."""

    async def _in_thread(self, run: Callable[[], T]) -> T:
        """What `run` returns; it is not begun at all when no connection is free in time.

        Raises: StoreUnavailable
        """
        with self.hurry.served():
            return await self._when_free(run)

    async def _when_free(self, run: Callable[[], T]) -> T:
        future = self._threads.submit(run)
        waiting = asyncio.wrap_future(future)
        try:
            done, _ = await asyncio.wait({waiting}, timeout=self._wait_s)
        except asyncio.CancelledError:
            waiting.cancel()
            raise
        if not done and future.cancel():
            raise StoreUnavailable("every connection is busy")
        return await waiting

    def _write(self, call: Callable[[Db], T]) -> tuple[T, Said]:
        committing = False
        try:
            with self._engine.connect() as connection:
                take_said(connection)
                transaction = connection.begin()
                try:
                    result = call(connection)
                except BaseException:
                    transaction.rollback()
                    raise
                said = take_said(connection)
                committing = True
                transaction.commit()
                return result, said
        except DBAPIError as error:
            state = getattr(error.orig, "sqlstate", None)
            if state in {"40001", "40P01"}:  # serialization failure, deadlock: PostgreSQL undid it all
                raise _Again(error) from error
            if error.connection_invalidated and not committing:
                raise _Again(error) from error
            if state == "25006":  # read-only after a fail-over: who writes is found by connecting anew
                self._engine.dispose()
            if isinstance(error, OperationalError | InterfaceError) or state == "25006":
                raise StoreUnavailable(_reason(error)) from error
            raise


class _Again(Exception):  # noqa: N818  not an error: the transaction is run once more
    def __init__(self, cause: Exception) -> None:
        super().__init__()
        self.cause = cause


def _reason(error: Exception) -> str:
    """The driver's own first line, without SQL or parameters."""
    original = getattr(error, "orig", None) or error
    return str(original).splitlines()[0] if str(original) else type(original).__name__


async def ping(store: Store) -> bool:
    """Whether the database can be written; False for a PostgreSQL that only answers, such as one that is standing by.

    Raises: StoreUnavailable when it does not answer
    """
    asked = "SELECT 'off'" if store.dialect == "sqlite" else "SELECT current_setting('transaction_read_only')"
    return await store.read(lambda db: db.execute(text(asked)).scalar_one() == "off")
