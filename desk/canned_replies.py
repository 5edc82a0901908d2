"""Answers at hand: what people in the inbox say often, found by a short word."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select

from desk import records
from desk.listing import Found, Window, contains, page
from desk.refs import Ref, row
from desk.who import Actor
from storage.base import Db
from storage.models.inbox import canned_replies as table

_NOUN = "canned reply"
_t = table.c


@dataclass(frozen=True, slots=True)
class CannedReply:
    """`shortcut` is what one types after a slash."""

    id: int
    uid: str
    shortcut: str
    title: str
    text: str
    language: str | None
    created_at: datetime
    updated_at: datetime


def find(db: Db, who: Actor, window: Window, *, search: str | None = None) -> Found[CannedReply]:
    """The tenant's, by shortcut."""
    wanted = select(table).where(_t.tenant_id == who.tenant_id)
    if search:
        wanted = wanted.where(contains(search, _t.shortcut, _t.title, _t.text))
    sorts = {"shortcut": _t.shortcut, "created_at": _t.created_at}
    return page(db, wanted, window, _one, sorts=sorts, by="shortcut", tie=_t.id)


def get(db: Db, who: Actor, ref: Ref) -> CannedReply:
    """Raises: NotFound"""
    return _one(row(db, table, who, ref, _NOUN))


def add(db: Db, who: Actor, values: Mapping[str, Any], *, now: datetime) -> CannedReply:
    """`values`: shortcut, title, text, language.

    Raises: AlreadyThere
    """
    return _one(records.add(db, who, table, values, noun=_NOUN, unique="shortcut", now=now))


def change(db: Db, who: Actor, ref: Ref, values: Mapping[str, Any], *, now: datetime) -> CannedReply:
    """Raises: NotFound, AlreadyThere"""
    return _one(records.change(db, who, table, ref, values, noun=_NOUN, unique="shortcut", now=now))


def remove(db: Db, who: Actor, ref: Ref, *, now: datetime) -> None:
    """Raises: NotFound"""
    records.remove(db, who, table, ref, noun=_NOUN, now=now)


def _one(found: Row[Any]) -> CannedReply:
    return CannedReply(
        id=found.id,
        uid=found.uid,
        shortcut=found.shortcut,
        title=found.title,
        text=found.text,
        language=found.language,
        created_at=found.created_at,
        updated_at=found.updated_at,
    )
