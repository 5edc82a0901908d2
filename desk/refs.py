"""Finds a tenant's own row by the id that somebody gave: our number, or the UUID that the outside sees."""

from typing import Any
from uuid import UUID

from sqlalchemy import Row, Table, select

from desk.errors import NotFound
from desk.who import Actor
from storage.base import Db

# What APIs hand in: integers on the dashboard's surface, UUIDs elsewhere.
Ref = int | str

_LARGEST = 2**63 - 1


def row(db: Db, table: Table, who: Actor, ref: Ref, noun: str, *, lock: bool = False) -> Row[Any]:
    """The row of `table` that `ref` names and the tenant owns; locked until the commit when asked.

    Raises: NotFound, which looks the same for another tenant's row and for none.
    """
    wanted = select(table).where(_is(table, ref, noun), table.c.tenant_id == who.tenant_id)
    found = db.execute(wanted.with_for_update() if lock else wanted).one_or_none()
    if found is None:
        raise NotFound(noun, ref)
    return found


def id_of(db: Db, table: Table, who: Actor, ref: Ref, noun: str) -> int:
    """Our number of that row.

    Raises: NotFound
    """
    wanted = select(table.c.id).where(_is(table, ref, noun), table.c.tenant_id == who.tenant_id)
    found: int | None = db.execute(wanted).scalar_one_or_none()
    if found is None:
        raise NotFound(noun, ref)
    return found


def maybe_id_of(db: Db, table: Table, who: Actor, ref: Ref | None, noun: str) -> int | None:
    """The same, and None for None.

    Raises: NotFound
    """
    return None if ref is None else id_of(db, table, who, ref, noun)


def _is(table: Table, ref: Ref, noun: str) -> Any:
    if isinstance(ref, int):
        if not 0 < ref <= _LARGEST:
            raise NotFound(noun, ref)
        return table.c.id == ref
    try:
        return table.c.uid == str(UUID(ref))
    except ValueError:
        raise NotFound(noun, ref) from None
