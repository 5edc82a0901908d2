"""Lists in pages: how many there are, and those of one window."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Row, Select, func, or_, select

from desk.errors import Invalid
from storage import folding
from storage.base import Db

T = TypeVar("T")

_FARTHEST = 100_000  # rows that may be skipped: beyond it a filter finds sooner what is looked for


@dataclass(frozen=True, slots=True)
class Window:
    """Which part of a list: skip `offset` rows, take `limit`. `sort` is one of the list's keys, `-` before it turns it."""

    offset: int = 0
    limit: int = 20
    sort: str | None = None


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """The rows of a window, and how many there are in all."""

    items: list[T]
    total: int


def page(
    db: Db,
    wanted: Select[Any],
    window: Window,
    make: Callable[[Row[Any]], T],
    *,
    sorts: Mapping[str, Any],
    by: str,
    tie: Any,
    is_dear: bool = False,
) -> Found[T]:
    """The window of `wanted`. `sorts` are the keys one may sort by, `by` the usual one, `tie` a column without equals.

    What `is_dear` to look for is looked for once, and counted on the way; without it the count has a shorter way.

    Raises: Invalid, for a sort that is not in the list, or a window too far away.
    """
    if window.offset > _FARTHEST:
        raise Invalid("offset", f"Skip at most {_FARTHEST} rows; narrow the list with a filter instead.")
    key = window.sort or by
    column = sorts.get(key.removeprefix("-"))
    if column is None:
        raise Invalid("sort", f"Sort by one of {', '.join(sorts)}; a minus before it turns the order.")
    order = (column.desc().nulls_last(), tie.desc()) if key.startswith("-") else (column.asc().nulls_last(), tie.asc())
    rows = wanted.order_by(*order).offset(window.offset).limit(window.limit)
    if is_dear and (counted := db.execute(rows.add_columns(func.count().over().label("in_all"))).all()):
        return Found([make(row) for row in counted], counted[0].in_all)
    total: int = db.execute(select(func.count()).select_from(wanted.order_by(None).subquery())).scalar_one()
    return Found([make(row) for row in db.execute(rows)] if total and not is_dear else [], total)


def contains(text: str, *columns: Any) -> ColumnElement[bool]:
    """Rows in which one of the columns has `text` in it, whatever its case and accents."""
    return or_(*(folding.holds(column, text) for column in columns))
