"""Questions that a business answers, as its people write them down. Bots read them in `desk.businesses`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, select

from desk import businesses, profiles, records
from desk.errors import NotFound
from desk.listing import Found, Window, contains, page
from desk.refs import Ref
from desk.refs import row as find_row
from desk.who import Actor
from storage.base import Db
from storage.models.businesses import faqs as table

NOUN: Final = "question"
_t = table.c


@dataclass(frozen=True, slots=True)
class Question:
    """`phrasings`: other ways to ask the same."""

    id: int
    uid: str
    question: str
    answer: str
    phrasings: tuple[str, ...]
    language: str
    position: int
    is_active: bool
    created_at: datetime


def find(
    db: Db,
    who: Actor,
    business: Ref,
    window: Window,
    *,
    search: str | None = None,
    language: str | None = None,
    is_active: bool | None = None,
) -> Found[Question]:
    """In the order of the business.

    Raises: NotFound
    """
    wanted = select(table).where(_t.business_id == profiles.id_for(db, who, business))
    if search:
        wanted = wanted.where(contains(search, _t.question, _t.answer))
    if language is not None:
        wanted = wanted.where(_t.language == language)
    if is_active is not None:
        wanted = wanted.where(_t.is_active.is_(is_active))
    sorts = {"position": _t.position, "question": _t.question, "created_at": _t.created_at}
    return page(db, wanted, window, _one, sorts=sorts, by="position", tie=_t.id)


def get(db: Db, who: Actor, business: Ref, ref: Ref) -> Question:
    """Raises: NotFound"""
    return _one(_row(db, who, profiles.id_for(db, who, business), ref))


def add(db: Db, who: Actor, business: Ref, values: Mapping[str, Any], *, now: datetime) -> Question:
    """Raises: NotFound"""
    shop = profiles.locked(db, who, business)
    made = records.add(db, who, table, {**values, "business_id": shop.id}, noun=NOUN, now=now)
    businesses.touch(db, shop.id)
    return _one(made)


def change(db: Db, who: Actor, business: Ref, ref: Ref, values: Mapping[str, Any], *, now: datetime) -> Question:
    """Raises: NotFound"""
    shop = profiles.locked(db, who, business)
    found = _row(db, who, shop.id, ref)
    changed = records.change(db, who, table, found.id, values, noun=NOUN, now=now)
    businesses.touch(db, shop.id)
    return _one(changed)


def remove(db: Db, who: Actor, business: Ref, ref: Ref, *, now: datetime) -> None:
    """Raises: NotFound"""
    shop = profiles.locked(db, who, business)
    found = _row(db, who, shop.id, ref)
    records.remove(db, who, table, found.id, noun=NOUN, now=now)
    businesses.touch(db, shop.id)


def _row(db: Db, who: Actor, business_id: int, ref: Ref) -> Row[Any]:
    found = find_row(db, table, who, ref, NOUN)
    if found.business_id != business_id:
        raise NotFound(NOUN, ref)
    return found


def _one(row: Row[Any]) -> Question:
    return Question(
        id=row.id,
        uid=row.uid,
        question=row.question,
        answer=row.answer,
        phrasings=tuple(row.phrasings),
        language=row.language,
        position=row.position,
        is_active=row.is_active,
        created_at=row.created_at,
    )
