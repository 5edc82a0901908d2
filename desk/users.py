"""The people of a tenant, and who may do what to whom.

What may be handed out comes from above as `gives`: the roles that the caller may give, take away and touch.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, select, update

from desk import conversations as talk
from desk import programs, records, refs, sign_in
from desk.errors import NotAllowed, WrongState
from desk.inbox import assignment
from desk.listing import Found, Window, contains, page
from desk.refs import Ref
from desk.who import Actor
from storage.base import Db
from storage.models.conversations import conversations
from storage.models.tenants import tenants, users

AVAILABILITIES: Final = ("online", "away", "away_and_reassigning")

_NOUN = "user"
_PRIVATE = frozenset({"phone"})
_MANAGERS = ("owner", "admin")  # without one of them nobody could put anything right

_u, _c = users.c, conversations.c


@dataclass(frozen=True, slots=True)
class User:
    """`has_password` is False for somebody who was added and has not chosen one yet."""

    id: int
    uid: str
    tenant_uid: str
    email: str
    full_name: str
    phone: str | None
    role: str
    is_active: bool
    availability: str
    max_conversations: int | None
    has_password: bool
    last_login_at: datetime | None
    created_at: datetime


def find(
    db: Db,
    who: Actor,
    window: Window,
    *,
    search: str | None = None,
    role: str | None = None,
    is_active: bool | None = None,
) -> Found[User]:
    """The tenant's, by name."""
    wanted = select(users).where(_u.tenant_id == who.tenant_id)
    if search:
        wanted = wanted.where(contains(search, _u.full_name, _u.email))
    if role is not None:
        wanted = wanted.where(_u.role == role)
    if is_active is not None:
        wanted = wanted.where(_u.is_active.is_(is_active))
    tenant = _tenant(db, who)
    sorts = {
        "full_name": _u.full_name,
        "email": _u.email,
        "role": _u.role,
        "created_at": _u.created_at,
        "last_login_at": _u.last_login_at,
    }
    return page(db, wanted, window, lambda found: _one(found, tenant), sorts=sorts, by="full_name", tie=_u.id)


def get(db: Db, who: Actor, ref: Ref) -> User:
    """Raises: NotFound"""
    return _one(refs.row(db, users, who, ref, _NOUN), _tenant(db, who))


def add(
    db: Db,
    who: Actor,
    values: Mapping[str, Any],
    *,
    gives: Collection[str],
    password_hash: str | None = None,
    now: datetime,
) -> User:
    """`values`: email, full_name, phone, role, availability, max_conversations.

    Raises: AlreadyThere, NotAllowed
    """
    _may_give(values["role"], gives)
    made = records.add(
        db,
        who,
        users,
        {**values, "password_hash": password_hash},
        noun=_NOUN,
        unique="email",
        private=_PRIVATE,
        now=now,
    )
    return _one(made, _tenant(db, who))


def change(db: Db, who: Actor, ref: Ref, values: Mapping[str, Any], *, gives: Collection[str], now: datetime) -> User:
    """The same values, and `is_active`. Whoever loses a role or is deactivated notices at once, on every
    device and with every API key of theirs.

    Raises: NotFound, AlreadyThere, NotAllowed; WrongState, when nobody would be left to manage the business
    """
    # The tenant first: two admins who demote each other at the same time must not both succeed.
    db.execute(select(tenants.c.id).where(tenants.c.id == who.tenant_id).with_for_update(key_share=True))
    before = refs.row(db, users, who, ref, _NOUN, lock=True)
    if before.role not in gives:
        raise NotAllowed(f"You may not change somebody who is {_named(before.role)}.", role=before.role)
    role, is_active = values.get("role", before.role), values.get("is_active", before.is_active)
    if role != before.role:
        _may_give(role, gives)
    loses = before.is_active and (not is_active or role != before.role)
    if loses and before.role in _MANAGERS:
        _somebody_stays(db, before, role if is_active else "")
    after = records.change(db, who, users, before.id, values, noun=_NOUN, unique="email", private=_PRIVATE, now=now)
    if before.is_active and not is_active:
        db.execute(update(users).where(_u.id == before.id).values(tokens_valid_from=now))
        sign_in.end(db, who, sign_in.account(db, who, before.id), "deactivated", now=now)
        programs.revoke_keys_of(db, who, before.id, now=now)
        _pass_on(db, who, before.id, now=now)
    if (after.role, after.is_active) != (before.role, before.is_active):
        sign_in.forget(db)
    return _one(after, _tenant(db, who))


def _pass_on(db: Db, who: Actor, user_id: int, *, now: datetime) -> None:
    """Let others answer the customers of somebody who has gone."""
    theirs = select(_c.id).where(_c.tenant_id == who.tenant_id, _c.owner_user_id == user_id, _c.status != "closed")
    for conversation_id in db.execute(theirs).scalars().all():
        talk.to_queue(db, who, conversation_id, reason="colleague left", now=now)
        assignment.entered(db, who.tenant_id, conversation_id, now=now)


def change_self(db: Db, who: Actor, values: Mapping[str, Any], *, now: datetime) -> None:
    """What everybody may say about themselves: `full_name`, `phone`, `availability`."""
    assert who.user_id is not None  # noqa: S101  a person
    records.change(db, who, users, who.user_id, values, noun=_NOUN, private=_PRIVATE, now=now)


def remove(db: Db, who: Actor, ref: Ref, *, gives: Collection[str], now: datetime) -> None:
    """Deactivate somebody: what they did stays theirs.

    Raises: NotFound, NotAllowed, WrongState
    """
    change(db, who, ref, {"is_active": False}, gives=gives, now=now)


def _may_give(role: str, gives: Collection[str]) -> None:
    if role not in gives:
        raise NotAllowed(f"You may not make somebody {_named(role)}.", role=role)


def _somebody_stays(db: Db, before: Row[Any], role: str) -> None:
    """Refuse when the last owner, or the last of those who can manage people, would go."""
    others = select(_u.role).where(_u.tenant_id == before.tenant_id, _u.is_active.is_(True), _u.id != before.id)
    left = {*db.execute(others.distinct()).scalars(), role}
    is_last_owner = before.role == "owner" and "owner" not in left
    if is_last_owner or not left & {*_MANAGERS}:
        what = "owner" if is_last_owner else "person who can manage this business"
        raise WrongState(_NOUN, before.id, before.role, f"This is the last {what}; give somebody else the role first.")


def _named(role: str) -> str:
    return f"an {role}" if role[0] in "aeiou" else f"a {role}"


def _tenant(db: Db, who: Actor) -> str:
    uid: str = db.execute(select(tenants.c.uid).where(tenants.c.id == who.tenant_id)).scalar_one()
    return uid


def _one(found: Row[Any], tenant_uid: str) -> User:
    return User(
        id=found.id,
        uid=found.uid,
        tenant_uid=tenant_uid,
        email=found.email,
        full_name=found.full_name,
        phone=found.phone,
        role=found.role,
        is_active=found.is_active,
        availability=found.availability,
        max_conversations=found.max_conversations,
        has_password=found.password_hash is not None,
        last_login_at=found.last_login_at,
        created_at=found.created_at,
    )
