"""Bots, as people set them up: which business one speaks for, under which name, and how it behaves."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, Select, select, update

from desk import audit, businesses, profiles, prompts, records
from desk.errors import InUse, Invalid, NotFound
from desk.listing import Found, Window, contains, page
from desk.refs import Ref
from desk.refs import row as find_row
from desk.who import Actor
from storage.base import Db
from storage.models.accounts import accounts
from storage.models.bots import bots as table
from storage.models.businesses import businesses as shops
from storage.models.conversations import conversations

NOUN: Final = "bot"
_t = table.c


@dataclass(frozen=True, slots=True)
class Bot:
    """`settings`: what a bot is told about its manners, such as `asks_name`. Only an active one speaks."""

    id: int
    uid: str
    business_uid: str
    name: str
    settings: Mapping[str, Any]
    is_active: bool
    created_at: datetime


def find(
    db: Db,
    who: Actor,
    window: Window,
    *,
    search: str | None = None,
    business: Ref | None = None,
    is_active: bool | None = None,
) -> Found[Bot]:
    """The tenant's, the oldest first.

    Raises: NotFound, for another's business
    """
    wanted = _wanted(who)
    if search:
        wanted = wanted.where(contains(search, _t.name))
    if business is not None:
        wanted = wanted.where(_t.business_id == profiles.id_for(db, who, business))
    if is_active is not None:
        wanted = wanted.where(_t.is_active.is_(is_active))
    sorts = {"created_at": _t.created_at, "name": _t.name}
    return page(db, wanted, window, _one, sorts=sorts, by="created_at", tie=_t.id)


def get(db: Db, who: Actor, ref: Ref, *, lock: bool = False) -> Bot:
    """Raises: NotFound"""
    bot_id = row(db, who, ref, lock=lock).id
    return _one(db.execute(_wanted(who).where(_t.id == bot_id)).one())


def add(db: Db, who: Actor, values: Mapping[str, Any], *, now: datetime) -> Bot:
    """`values`: business_id (None: the oldest), name, settings, is_active. It has no scenarios yet.

    Raises: NotFound, Invalid
    """
    business_id = profiles.id_for(db, who, values.get("business_id"))
    made = records.add(db, who, table, {**values, "business_id": business_id}, noun=NOUN, now=now)
    businesses.touch(db, business_id)
    return get(db, who, made.id)


def change(db: Db, who: Actor, ref: Ref, values: Mapping[str, Any], *, now: datetime) -> Bot:
    """Raises: NotFound; Invalid, for another business: what a bot has said belongs to one"""
    bot = row(db, who, ref, lock=True)
    values = dict(values)
    business = values.pop("business_id", None)
    if business is not None and profiles.id_for(db, who, business) != bot.business_id:
        raise Invalid("business_id", "A bot stays with its business; add one to the other business instead.")
    changed = records.change(db, who, table, bot.id, values, noun=NOUN, now=now)
    if changed.settings.get("voices") != bot.settings.get("voices"):
        prompts.ask(db, who.tenant_id, bot.id, now=now)
    businesses.touch(db, bot.business_id)
    return get(db, who, bot.id)


def remove(db: Db, who: Actor, ref: Ref, *, now: datetime) -> None:
    """Gone, with its scenarios; one that has spoken with customers stays behind their conversations, unseen.

    Raises: NotFound; InUse, while a channel speaks through it
    """
    bot = row(db, who, ref, lock=True)
    a = accounts.c
    connected = select(a.id).where(a.bot_id == bot.id, a.disconnected_at.is_(None)).limit(1)
    if db.execute(connected).first():
        raise InUse(NOUN, "A channel speaks through this bot; give it another bot first.")
    spoke = select(conversations.c.id).where(conversations.c.bot_id == bot.id).limit(1)
    had = select(a.id).where(a.bot_id == bot.id).limit(1)
    if db.execute(spoke).first() or db.execute(had).first():
        db.execute(update(table).where(_t.id == bot.id).values(is_active=False, removed_at=now))
        audit.record(db, who, "bot.deleted", NOUN, bot.id, {"name": bot.name}, None, now, uid=bot.uid)
    else:
        records.remove(db, who, table, bot.id, noun=NOUN, now=now)
    businesses.touch(db, bot.business_id)


def row(db: Db, who: Actor, ref: Ref, *, lock: bool = False) -> Row[Any]:
    """The row of a bot that is there.

    Raises: NotFound
    """
    found = find_row(db, table, who, ref, NOUN, lock=lock)
    if found.removed_at is not None:
        raise NotFound(NOUN, ref)
    return found


def settings(db: Db, bot_id: int) -> Mapping[str, Any]:
    """What that bot is told about its manners; nothing when it is not there."""
    found: Mapping[str, Any] | None = db.execute(select(_t.settings).where(_t.id == bot_id)).scalar_one_or_none()
    return found or {}


def first_of(db: Db, who: Actor, business_id: int) -> int | None:
    """The oldest active bot of a business."""
    ours = _t.tenant_id == who.tenant_id, _t.business_id == business_id, _t.is_active.is_(True)
    found: int | None = db.execute(select(_t.id).where(*ours).order_by(_t.id).limit(1)).scalar_one_or_none()
    return found


def id_in(db: Db, who: Actor, ref: Ref, business_id: int) -> int:
    """Our number of a bot of that business.

    Raises: NotFound; Invalid, when it is of another one
    """
    found = row(db, who, ref)
    if found.business_id != business_id:
        raise Invalid("bot_id", "This bot belongs to another business.")
    bot_id: int = found.id
    return bot_id


def _wanted(who: Actor) -> Select[Any]:
    joined = table.join(shops, shops.c.id == _t.business_id)
    wanted = select(table, shops.c.uid.label("business_uid")).select_from(joined)
    return wanted.where(_t.tenant_id == who.tenant_id, _t.removed_at.is_(None))


def _one(found: Row[Any]) -> Bot:
    return Bot(
        id=found.id,
        uid=found.uid,
        business_uid=found.business_uid,
        name=found.name,
        settings=found.settings,
        is_active=found.is_active,
        created_at=found.created_at,
    )
