"""A tenant's businesses, as its people set them up: who they are, where, and in which zone, languages and currency."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Final
from zoneinfo import available_timezones

from sqlalchemy import Row, func, select

from desk import businesses, phone, prompts, records
from desk.calendar import walls
from desk.errors import InUse, Invalid
from desk.listing import Found, Window, contains, page
from desk.refs import Ref, id_of, row
from desk.who import Actor
from storage.base import Db
from storage.models.accounts import accounts
from storage.models.businesses import businesses as table
from storage.models.calendar import appointments
from storage.models.work import invoices

NOUN: Final = "business"
_LONGEST_PHONE: Final = 40
_t = table.c


@dataclass(frozen=True, slots=True)
class Profile:
    """`languages`: BCP 47 tags, the first is the usual one. `revision` goes up with every change of what a bot knows."""

    id: int
    uid: str
    name: str
    description: str
    phone: str | None
    email: str | None
    website: str | None
    address: str | None
    city: str | None
    state: str | None
    zip: str | None
    time_zone: str
    languages: tuple[str, ...]
    currency: str
    revision: int
    created_at: datetime
    updated_at: datetime | None


def find(db: Db, who: Actor, window: Window, *, search: str | None = None) -> Found[Profile]:
    """The tenant's, the oldest first."""
    wanted = select(table).where(_t.tenant_id == who.tenant_id)
    if search:
        wanted = wanted.where(contains(search, _t.name, _t.city, _t.phone, _t.email))
    sorts = {"created_at": _t.created_at, "name": _t.name}
    return page(db, wanted, window, _one, sorts=sorts, by="created_at", tie=_t.id)


def get(db: Db, who: Actor, ref: Ref, *, lock: bool = False) -> Profile:
    """Raises: NotFound"""
    return _one(row(db, table, who, ref, NOUN, lock=lock))


def add(db: Db, who: Actor, values: Mapping[str, Any], *, now: datetime) -> Profile:
    """`values`: the fields of a profile that people write. Nothing is open, offered or answered yet.

    Raises: Invalid
    """
    return _one(records.add(db, who, table, _checked(values), noun=NOUN, now=now))


def change(db: Db, who: Actor, ref: Ref, values: Mapping[str, Any], *, now: datetime) -> Profile:
    """Raises: NotFound, Invalid"""
    before = row(db, table, who, ref, NOUN, lock=True)
    changed = records.change(db, who, table, ref, _checked(values), noun=NOUN, now=now)
    if changed is not before:
        businesses.touch(db, changed.id)
    if changed.time_zone != before.time_zone:
        walls.read_anew(db, changed.id, changed.time_zone, now=now)
    if (changed.name, changed.languages) != (before.name, before.languages):  # prompts have the name in them
        prompts.ask_all(db, who.tenant_id, changed.id, now=now)
    return get(db, who, ref)


def remove(db: Db, who: Actor, ref: Ref, *, now: datetime) -> None:
    """The business goes with all that belongs to it, its conversations too.

    Raises: NotFound; InUse, while it is the last one, has visits ahead, connected channels or invoices
    """
    business = row(db, table, who, ref, NOUN, lock=True)
    ours = select(func.count()).select_from(table).where(_t.tenant_id == who.tenant_id)
    if db.execute(ours).scalar_one() == 1:
        raise InUse(NOUN, "This is your only business; add another one before you remove it.")
    a = appointments.c
    ahead = a.status.in_(("scheduled", "confirmed")), a.ends_at > now
    if db.execute(select(a.id).where(a.business_id == business.id, *ahead).limit(1)).first():
        raise InUse(NOUN, "There are visits ahead in this business; move or cancel them first.")
    connected = accounts.c.business_id == business.id, accounts.c.disconnected_at.is_(None)
    if db.execute(select(accounts.c.id).where(*connected).limit(1)).first():
        raise InUse(NOUN, "This business still has channels; disconnect them first.")
    if db.execute(select(invoices.c.id).where(invoices.c.business_id == business.id).limit(1)).first():
        raise InUse(NOUN, "This business has invoices, which have to be kept.")
    records.remove(db, who, table, business.id, noun=NOUN, now=now)


def first_id(db: Db, who: Actor) -> int:
    """The tenant's oldest business, for what names none.

    Raises: Invalid, when there is none
    """
    found: int | None = db.execute(
        select(_t.id).where(_t.tenant_id == who.tenant_id).order_by(_t.id).limit(1)
    ).scalar_one_or_none()
    if found is None:
        raise Invalid("business_id", "There is no business yet; add one first.")
    return found


def id_for(db: Db, who: Actor, ref: Ref | None) -> int:
    """The business that `ref` names, or the tenant's oldest one.

    Raises: NotFound, Invalid
    """
    return first_id(db, who) if ref is None else id_of(db, table, who, ref, NOUN)


def locked(db: Db, who: Actor, ref: Ref) -> Row[Any]:
    """The row of the business, for a change of something that belongs to it: who changes the same waits.

    Raises: NotFound
    """
    return row(db, table, who, ref, NOUN, lock=True)


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with what only a list of names can tell: zones, currencies, telephone numbers.

    Raises: Invalid
    """
    checked = dict(values)
    if "time_zone" in checked and checked["time_zone"] not in _zones():
        raise Invalid("time_zone", "There is no such time zone; use a name such as America/Chicago or Europe/Berlin.")
    if "currency" in checked and checked["currency"] not in _currencies():
        raise Invalid("currency", "There is no such currency; use a code such as USD or EUR.")
    if checked.get("phone"):
        checked["phone"] = phone.canonical(checked["phone"])[:_LONGEST_PHONE]
    if "languages" in checked:
        checked["languages"] = [*dict.fromkeys(checked["languages"])] or ["en"]
    return checked


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


@cache
def _currencies() -> frozenset[str]:
    from babel.numbers import list_currencies  # 10 MB of tables

    return frozenset(list_currencies())


def _one(found: Row[Any]) -> Profile:
    return Profile(
        id=found.id,
        uid=found.uid,
        name=found.name,
        description=found.description,
        phone=found.phone,
        email=found.email,
        website=found.website,
        address=found.address,
        city=found.city,
        state=found.state,
        zip=found.zip,
        time_zone=found.time_zone,
        languages=tuple(found.languages),
        currency=found.currency,
        revision=found.revision,
        created_at=found.created_at,
        updated_at=found.updated_at,
    )
