"""Rows that people add, change and remove through an API, each change with its line in the audit.

Who calls has checked the values at the door. What is more than a row (a booking, who talks, money) has verbs of its own.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from itertools import chain
from typing import Any

from sqlalchemy import Row, Table, delete, insert, update

from desk import audit, refs
from desk.errors import AlreadyThere, InUse
from desk.events import rfc3339
from desk.refs import Ref
from desk.who import Actor
from storage.base import Db, JsonValue
from storage.session import Conflict, attempt

# Never in the audit: what opens something.
_SECRET = frozenset({"credentials", "secrets", "digest", "password_hash"})
# Of no interest there: every row has them.
_USUAL = frozenset({"id", "uid", "tenant_id", "created_at", "updated_at", "created_by"})


def add(
    db: Db,
    who: Actor,
    table: Table,
    values: Mapping[str, Any],
    *,
    noun: str,
    unique: str = "name",
    private: Collection[str] = (),
    now: datetime,
) -> Row[Any]:
    """The new row. `unique` is the field that only one may have; of `private` columns the audit keeps only the names.

    Raises: AlreadyThere
    """
    ours: dict[str, Any] = {"tenant_id": who.tenant_id, "created_at": now}
    ours |= {name: now for name in ("updated_at",) if name in table.c}
    ours |= {name: who.user_id for name in ("created_by",) if name in table.c}
    try:
        with attempt(db):
            made = db.execute(insert(table).values({**ours, **values}).returning(table)).one()
    except Conflict:
        raise AlreadyThere(noun, unique) from None
    audit.record(
        db,
        who,
        f"{_snake(noun)}.created",
        _snake(noun),
        made.id,
        None,
        _shown(made, values, private),
        now,
        uid=made.uid,
    )
    return made


def add_many(
    db: Db,
    who: Actor,
    table: Table,
    many: Sequence[Mapping[str, Any]],
    *,
    noun: str,
    private: Collection[str] = (),
    now: datetime,
) -> Sequence[Row[Any]]:
    """The new rows, in their order; a value that only some have is null in the others.

    Raises: Conflict, and then there are none of them
    """
    if not many:
        return []
    ours: dict[str, Any] = dict.fromkeys(chain.from_iterable(many))
    ours |= {"tenant_id": who.tenant_id, "created_at": now}
    ours |= {name: now for name in ("updated_at",) if name in table.c}
    ours |= {name: who.user_id for name in ("created_by",) if name in table.c}
    statement = insert(table).returning(table, sort_by_parameter_order=True)
    with attempt(db):
        made = db.execute(statement, [{**ours, **values} for values in many]).all()
    action = f"{_snake(noun)}.created"
    for row, values in zip(made, many, strict=True):
        audit.record(db, who, action, _snake(noun), row.id, None, _shown(row, values, private), now, uid=row.uid)
    return made


def change(
    db: Db,
    who: Actor,
    table: Table,
    ref: Ref,
    values: Mapping[str, Any],
    *,
    noun: str,
    unique: str = "name",
    private: Collection[str] = (),
    now: datetime,
) -> Row[Any]:
    """The row with its new values; nothing is written when nothing changes.

    Raises: NotFound, AlreadyThere
    """
    before = refs.row(db, table, who, ref, noun, lock=True)
    differs = {name: value for name, value in values.items() if getattr(before, name) != value}
    if not differs:
        return before
    if "updated_at" in table.c:
        differs["updated_at"] = now
    try:
        with attempt(db):
            after = db.execute(update(table).where(table.c.id == before.id).values(**differs).returning(table)).one()
    except Conflict:
        raise AlreadyThere(noun, unique) from None
    audit.record(
        db,
        who,
        f"{_snake(noun)}.updated",
        _snake(noun),
        after.id,
        _shown(before, differs, private),
        _shown(after, differs, private),
        now,
        uid=after.uid,
    )
    return after


def remove(
    db: Db, who: Actor, table: Table, ref: Ref, *, noun: str, private: Collection[str] = (), now: datetime
) -> Row[Any]:
    """The row that was there.

    Raises: NotFound; InUse, while something else needs it
    """
    before = refs.row(db, table, who, ref, noun, lock=True)
    try:
        with attempt(db):
            db.execute(delete(table).where(table.c.id == before.id))
    except Conflict:
        raise InUse(noun, f"This {noun} is still needed by something else.") from None
    audit.record(
        db,
        who,
        f"{_snake(noun)}.deleted",
        _snake(noun),
        before.id,
        _shown(before, before._mapping.keys(), private),
        None,
        now,
        uid=before.uid,
    )
    return before


def _shown(row: Row[Any], names: Collection[str], private: Collection[str]) -> dict[str, JsonValue]:
    """The columns as the audit keeps them."""
    return {
        str(name): "(changed)" if name in private else _json(row._mapping[name])
        for name in names
        if name not in _SECRET and name not in _USUAL
    }


def _json(value: Any) -> JsonValue:
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, date):
        return value.isoformat()
    return value  # type: ignore[no-any-return]


def _snake(noun: str) -> str:
    return noun.replace(" ", "_")
