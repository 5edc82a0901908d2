"""Statements of the hot path: written with SQLAlchemy, compiled once, run on the driver's own cursor.

`Connection.execute` spends five times as long on a small statement as SQLite itself (docs/decisions/0003). What a
statement means, its types and its dialects stay SQLAlchemy's; only the machinery around each execution is left out.
Rows are named tuples. Errors are SQLAlchemy's, so that callers need not know which way a statement went.
"""

from collections import namedtuple
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from sqlalchemy import Delete, Insert, Select, Update
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError, MultipleResultsFound, NoResultFound
from sqlalchemy.sql.compiler import SQLCompiler

from storage.base import Db

Values = Mapping[str, Any]
Statement = Select[Any] | Insert | Update | Delete

_Process = Callable[[Any], Any] | None


class _Cursor(Protocol):
    rowcount: int

    def fetchone(self) -> Sequence[Any] | None: ...
    def fetchall(self) -> list[Sequence[Any]]: ...


class _At(NamedTuple):
    """Stands for one member of a list while the statement is compiled."""

    name: str
    place: int


class Rows:
    """What a statement has found; read it once."""

    __slots__ = ("_cursor", "_make")

    def __init__(self, cursor: _Cursor, make: Callable[[Sequence[Any]], Any]) -> None:
        self._cursor = cursor
        self._make = make

    @property
    def rowcount(self) -> int:
        """How many rows were changed."""
        return self._cursor.rowcount

    def __iter__(self) -> Iterator[Any]:
        return map(self._make, self._cursor.fetchall())

    def all(self) -> list[Any]:
        return [self._make(row) for row in self._cursor.fetchall()]

    def first(self) -> Any:
        """The first row, or None."""
        found = self._cursor.fetchall()
        return self._make(found[0]) if found else None

    def one_or_none(self) -> Any:
        """Raises: MultipleResultsFound"""
        found = self._cursor.fetchall()
        if len(found) > 1:
            raise MultipleResultsFound("one row was expected, but there are more")
        return self._make(found[0]) if found else None

    def one(self) -> Any:
        """Raises: NoResultFound, MultipleResultsFound"""
        row = self.one_or_none()
        if row is None:
            raise NoResultFound("a row was expected, but there is none")
        return row

    def scalars(self) -> "Column":
        """The first column of every row."""
        return Column([self._make(row)[0] for row in self._cursor.fetchall()])

    def scalar_one(self) -> Any:
        """Raises: NoResultFound, MultipleResultsFound"""
        return self.one()[0]

    def scalar_one_or_none(self) -> Any:
        """Raises: MultipleResultsFound"""
        row = self.one_or_none()
        return None if row is None else row[0]


class Column(list[Any]):
    """Values of one column."""

    def all(self) -> list[Any]:
        return self


class Prepared:
    """A statement that is called with a connection and its parameters.

    An INSERT takes the columns it is given, so those with a default in Python must be among them.
    """

    def __init__(self, statement: Statement | Mapping[str, Statement]) -> None:
        """One statement for both engines, or one for each by the name of its dialect."""
        self._statements = statement
        self._compiled: dict[tuple[Any, ...], _Compiled] = {}
        self._lists: tuple[str, ...] = ()  # parameters that are lists (IN): each length is a statement of its own

    def __call__(self, db: Db, values: Values = {}) -> Rows:  # noqa: B006  never changed
        compiled = self._compiled.get(self._key(db, values))
        if compiled is None:
            compiled = self._compile(db.dialect, values)
            self._lists = compiled.lists  # before the key, of which they are a part
            self._compiled[self._key(db, values)] = compiled
        return compiled.run(db, values)

    def _key(self, db: Db, values: Values) -> tuple[Any, ...]:
        if self._lists:
            return (db.dialect.name, *values, *[len(values[name]) for name in self._lists])
        return (db.dialect.name, *values)

    def _compile(self, dialect: Dialect, values: Values) -> "_Compiled":
        statement = self._statements[dialect.name] if isinstance(self._statements, Mapping) else self._statements
        is_select = isinstance(statement, Select)
        compiled = statement.compile(dialect=dialect, column_keys=None if is_select else [*values])
        assert isinstance(compiled, SQLCompiler)  # noqa: S101  these four kinds of statement always are
        return _Compiled(dialect, compiled, statement, values)


class _Compiled:
    """A statement for one dialect and one set of parameters."""

    def __init__(self, dialect: Dialect, compiled: SQLCompiler, statement: Statement, values: Values) -> None:
        self._dialect = dialect
        self.lists = tuple(sorted(one for one in values if one in compiled.binds and compiled.binds[one].expanding))
        stand_ins = {
            name: [_At(name, place) for place in range(len(value))] if name in self.lists else value
            for name, value in values.items()
        }
        state = compiled.construct_expanded_state(stand_ins)
        self._sql = state.statement
        parameters = state.parameters
        names = [*((state.positiontup if compiled.positional else parameters) or ())]
        self._names = None if compiled.positional else names
        binds = [_Bind.of(dialect, compiled, name, parameters[name], values.keys()) for name in names]
        # Whatever is the same each time stands in the pattern; the rest is put in its place.
        self._pattern = [bind.constant for bind in binds]
        self._plan = [
            (place, bind.source, bind.member, bind.process)
            for place, bind in enumerate(binds)
            if bind.source is not None
        ]
        self._statement = statement
        self._make: Callable[[Sequence[Any]], Any] | None = None

    def run(self, db: Db, values: Values) -> Rows:
        parameters: Any = self._pattern.copy()
        for place, source, member, process in self._plan:
            value = values[source]
            if member is not None:
                value = value[member]
            parameters[place] = value if process is None else process(value)
        if self._names is not None:
            parameters = dict(zip(self._names, parameters, strict=True))
        driver: Any = db.connection.dbapi_connection  # for both drivers the driver's own
        try:
            cursor = driver.execute(self._sql, parameters)
        except Exception as error:
            dbapi: Any = self._dialect.dbapi
            if not isinstance(error, dbapi.Error):
                raise
            lost = self._dialect.is_disconnect(error, driver, None)
            if lost:
                db.invalidate(error)
            raise DBAPIError.instance(
                self._sql,
                None,
                error,
                dbapi.Error,
                hide_parameters=True,
                connection_invalidated=lost,
                dialect=self._dialect,
            ) from error
        if self._make is None:
            self._make = _row_maker(self._dialect, self._statement, cursor.description)
        return Rows(cursor, self._make)


class _Bind(NamedTuple):
    """One parameter: whose value it is, or a constant of the statement's own."""

    source: str | None
    member: int | None
    process: _Process
    constant: Any

    @classmethod
    def of(cls, dialect: Dialect, compiled: SQLCompiler, name: str, value: Any, given: Collection[str]) -> "_Bind":
        at = value if isinstance(value, _At) else None
        bind = compiled.binds.get(name)
        if bind is None and at is not None:
            bind = compiled.binds.get(at.name)
        process = bind.type.dialect_impl(dialect).bind_processor(dialect) if bind is not None else None
        if at is not None:
            return cls(at.name, at.place, process, None)
        source = bind.key if bind is not None else name
        if source in given:
            return cls(source, None, process, None)
        return cls(None, None, None, process(value) if process else value)


def _row_maker(
    dialect: Dialect, statement: Statement, description: Sequence[Sequence[Any]] | None
) -> Callable[[Sequence[Any]], Any]:
    """What makes a row of what the cursor gives. `description` is the cursor's own: PostgreSQL has several types for a
    number, and how one is read depends on which came.
    """
    columns = [*statement.exported_columns] if not isinstance(statement, Select) else [*statement.selected_columns]
    if not columns:
        return tuple
    names = [column.key or "" for column in columns]
    kind = namedtuple("Row", names, rename=True)  # type: ignore[misc]
    make: Callable[[Sequence[Any]], Any] = kind._make
    processes: list[_Process] = [
        column.type.dialect_impl(dialect).result_processor(dialect, came[1])
        for column, came in zip(columns, description or (), strict=True)
    ]
    todo = [(place, process) for place, process in enumerate(processes) if process is not None]
    if not todo:
        return make

    def processed(row: Sequence[Any]) -> Any:
        found = [*row]
        for place, process in todo:
            found[place] = process(found[place])
        return make(found)

    return processed
