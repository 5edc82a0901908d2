"""What can be booked in a business, as its people write it down. The calendar reads it in `desk.businesses`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, select

from desk import businesses, profiles, records
from desk.errors import InUse, NotFound
from desk.listing import Found, Window, contains, page
from desk.refs import Ref
from desk.refs import row as find_row
from desk.who import Actor
from storage.base import Db
from storage.models.businesses import services as table

NOUN: Final = "service"
_t = table.c


@dataclass(frozen=True, slots=True)
class Offer:
    """`price_cents` in `currency`; None: nobody says. `skills`: what its staff must all have."""

    id: int
    uid: str
    business_uid: str
    name: str
    description: str
    keywords: tuple[str, ...]
    skills: tuple[str, ...]
    duration_minutes: int
    buffer_before_minutes: int
    buffer_after_minutes: int
    lead_minutes: int
    horizon_days: int
    step_minutes: int
    price_cents: int | None
    currency: str
    position: int
    is_active: bool
    created_at: datetime


def find(
    db: Db, who: Actor, business: Ref, window: Window, *, search: str | None = None, is_active: bool | None = None
) -> Found[Offer]:
    """In the order of the business.

    Raises: NotFound
    """
    shop = profiles.get(db, who, business)
    wanted = select(table).where(_t.business_id == shop.id)
    if search:
        wanted = wanted.where(contains(search, _t.name, _t.description))
    if is_active is not None:
        wanted = wanted.where(_t.is_active.is_(is_active))
    sorts = {
        "position": _t.position,
        "name": _t.name,
        "duration_minutes": _t.duration_minutes,
        "price": _t.price_cents,
        "created_at": _t.created_at,
    }
    return page(db, wanted, window, lambda row: _one(row, shop), sorts=sorts, by="position", tie=_t.id)


def get(db: Db, who: Actor, business: Ref, ref: Ref) -> Offer:
    """Raises: NotFound"""
    shop = profiles.get(db, who, business)
    return _one(_row(db, who, shop.id, ref), shop)


def add(db: Db, who: Actor, business: Ref, values: Mapping[str, Any], *, now: datetime) -> Offer:
    """Raises: NotFound"""
    shop = profiles.get(db, who, business, lock=True)
    made = records.add(db, who, table, {**values, "business_id": shop.id}, noun=NOUN, now=now)
    businesses.touch(db, shop.id)
    return _one(made, shop)


def change(db: Db, who: Actor, business: Ref, ref: Ref, values: Mapping[str, Any], *, now: datetime) -> Offer:
    """Raises: NotFound"""
    shop = profiles.get(db, who, business, lock=True)
    found = _row(db, who, shop.id, ref)
    changed = records.change(db, who, table, found.id, values, noun=NOUN, now=now)
    businesses.touch(db, shop.id)
    return _one(changed, shop)


def remove(db: Db, who: Actor, business: Ref, ref: Ref, *, now: datetime) -> None:
    """Raises: NotFound; InUse, once it was booked"""
    shop = profiles.get(db, who, business, lock=True)
    found = _row(db, who, shop.id, ref)
    try:
        records.remove(db, who, table, found.id, noun=NOUN, now=now)
    except InUse:
        raise InUse(NOUN, "This service was booked before; set `is_active` to false to stop offering it.") from None
    businesses.touch(db, shop.id)


def _row(db: Db, who: Actor, business_id: int, ref: Ref) -> Row[Any]:
    found = find_row(db, table, who, ref, NOUN)
    if found.business_id != business_id:
        raise NotFound(NOUN, ref)
    return found


def _one(row: Row[Any], shop: profiles.Profile) -> Offer:
    return Offer(
        id=row.id,
        uid=row.uid,
        business_uid=shop.uid,
        name=row.name,
        description=row.description,
        keywords=tuple(row.keywords),
        skills=tuple(row.skills),
        duration_minutes=row.duration_minutes,
        buffer_before_minutes=row.buffer_before_minutes,
        buffer_after_minutes=row.buffer_after_minutes,
        lead_minutes=row.lead_minutes,
        horizon_days=row.horizon_days,
        step_minutes=row.step_minutes,
        price_cents=row.price_cents,
        currency=shop.currency,
        position=row.position,
        is_active=row.is_active,
        created_at=row.created_at,
    )
