"""The words every table is written in: metadata, column types and the columns that most tables share."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import uuid_utils
from sqlalchemy import JSON, BigInteger, Column, Connection, DateTime, Integer, MetaData, Uuid
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

type_json = JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")

# What desk's functions are given. A plain synchronous connection inside a transaction that somebody else commits.
Db = Connection

JsonValue = str | int | float | bool | None | Sequence["JsonValue"] | Mapping[str, "JsonValue"]

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC datetimes in and out.

    SQLite hands datetimes back without their zone, so UTC is put on again (test_times_come_back_aware_and_in_utc).
    A naive value is refused: nobody can tell which zone was meant.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without its zone cannot be stored: {value!r}; give an aware datetime")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)

    # The same for SQLite in one step each: a turn stores and reads some forty times, and this halves what they cost.
    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any] | None:
        return _to_sqlite if dialect.name == "sqlite" else super().bind_processor(dialect)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        return _from_sqlite if dialect.name == "sqlite" else super().result_processor(dialect, coltype)


def _to_sqlite(value: datetime | None) -> str | None:
    if value is None:
        return None
    if value.tzinfo is None:
        raise ValueError(f"a time without its zone cannot be stored: {value!r}; give an aware datetime")
    if value.tzinfo is not UTC:
        value = value.astimezone(UTC)
    return value.replace(tzinfo=None).isoformat(" ", "microseconds")


def _from_sqlite(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).replace(tzinfo=UTC)


def new_uid() -> str:
    """A fresh UUIDv7 as text: sorts by time of creation, tells nothing else (RFC 9562, section 5.7)."""
    return str(uuid_utils.uuid7())


Uid = Uuid(as_uuid=False)

# SQLite only makes an alias of its rowid (fast, no second index) out of a column declared INTEGER.
BigId = BigInteger().with_variant(Integer, "sqlite")


def id_column() -> Column[int]:
    return Column("id", BigId, primary_key=True, autoincrement=True)


def uid_column(make: Callable[[], str] = new_uid) -> Column[str]:
    """The id that the outside sees (v1, v2)."""
    return Column("uid", Uid, nullable=False, unique=True, default=make)


def time_column(name: str, *, nullable: bool = False, index: bool = False) -> Column[datetime]:
    return Column(name, UtcDateTime, nullable=nullable, index=index)
