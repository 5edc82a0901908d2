"""Labels that people put on conversations."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, select

from desk import records
from desk.listing import Found, Window, contains, page
from desk.refs import Ref, row
from desk.who import Actor
from storage.base import Db
from storage.models.inbox import conversation_labels
from storage.models.inbox import labels as table

_NOUN = "label"
_t = table.c


@dataclass(frozen=True, slots=True)
class Label:
    """`color` is `#RRGGBB`; `conversations` is how many have it."""

    id: int
    uid: str
    name: str
    color: str
    created_at: datetime
    conversations: int


def find(db: Db, who: Actor, window: Window, *, search: str | None = None) -> Found[Label]:
    """The tenant's, by name."""
    wanted = select(table, _USES).where(_t.tenant_id == who.tenant_id)
    if search:
        wanted = wanted.where(contains(search, _t.name))
    sorts = {"name": _t.name, "created_at": _t.created_at}
    return page(db, wanted, window, _one, sorts=sorts, by="name", tie=_t.id)


def get(db: Db, who: Actor, ref: Ref) -> Label:
    """Raises: NotFound"""
    found = row(db, table, who, ref, _NOUN)
    return _one(db.execute(select(table, _USES).where(_t.id == found.id)).one())


def add(db: Db, who: Actor, values: Mapping[str, Any], *, now: datetime) -> Label:
    """`values`: name, color.

    Raises: AlreadyThere
    """
    return get(db, who, records.add(db, who, table, values, noun=_NOUN, now=now).id)


def change(db: Db, who: Actor, ref: Ref, values: Mapping[str, Any], *, now: datetime) -> Label:
    """Raises: NotFound, AlreadyThere"""
    return get(db, who, records.change(db, who, table, ref, values, noun=_NOUN, now=now).id)


def remove(db: Db, who: Actor, ref: Ref, *, now: datetime) -> None:
    """It comes off every conversation.

    Raises: NotFound
    """
    records.remove(db, who, table, ref, noun=_NOUN, now=now)


_USES = (
    select(func.count())
    .select_from(conversation_labels)
    .where(conversation_labels.c.label_id == _t.id)
    .correlate(table)
    .scalar_subquery()
    .label("uses")
)


def _one(found: Row[Any]) -> Label:
    return Label(found.id, found.uid, found.name, found.color, found.created_at, found.uses)
