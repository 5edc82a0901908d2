"""Programs that call for a tenant: API keys, and OAuth apps. A program may do at most what whoever made it may.

A key is its maker's: it may do no more than they may by now, and ends when they leave, as with GitHub's personal access
tokens. An app is the tenant's and stays; whoever leaves may know its secret, so that can be changed.
"""

import hmac
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, or_, select, update

from desk import audit, records, refs, sign_in
from desk.errors import NotAllowed
from desk.listing import Found, Window, contains, page
from desk.refs import Ref
from desk.who import Actor
from storage.base import Db
from storage.models.sign_in import api_keys, oauth_apps
from storage.models.tenants import tenants, users

_KEY, _APP = "api key", "oauth app"
_k, _a = api_keys.c, oauth_apps.c


@dataclass(frozen=True, slots=True)
class ApiKey:
    """`prefix` is what people know it by; the key itself is nowhere."""

    id: int
    uid: str
    name: str
    prefix: str
    scopes: tuple[str, ...]
    created_by: str | None
    last_used_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class OAuthApp:
    """`rate_per_minute` is how often it may call; its secret is nowhere."""

    id: int
    uid: str
    client_id: str
    name: str
    scopes: tuple[str, ...]
    rate_per_minute: int
    is_active: bool
    created_by: str | None
    last_used_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Client:
    """An OAuth app that has shown its secret."""

    uid: str
    tenant_uid: str
    scopes: frozenset[str]


def find_keys(
    db: Db, who: Actor, window: Window, *, search: str | None = None, is_active: bool | None = None, now: datetime
) -> Found[ApiKey]:
    """The tenant's, the newest first."""
    wanted = _with_maker(api_keys).where(_k.tenant_id == who.tenant_id)
    if search:
        wanted = wanted.where(contains(search, _k.name, _k.prefix))
    if is_active is not None:
        is_over = or_(_k.revoked_at.is_not(None), _k.expires_at <= now)
        ended = select(_k.id).where(is_over)
        wanted = wanted.where(_k.id.not_in(ended) if is_active else _k.id.in_(ended))
    sorts = {"created_at": _k.created_at, "name": _k.name, "last_used_at": _k.last_used_at}
    return page(db, wanted, window, _key, sorts=sorts, by="-created_at", tie=_k.id)


def get_key(db: Db, who: Actor, ref: Ref) -> ApiKey:
    """Raises: NotFound"""
    return _key_by_id(db, refs.id_of(db, api_keys, who, ref, _KEY))


def add_key(
    db: Db,
    who: Actor,
    values: Mapping[str, Any],
    *,
    may: Collection[str],
    maker: int | None,
    digest: str,
    prefix: str,
    now: datetime,
) -> ApiKey:
    """`values`: name, scopes, expires_at. `may`: what the caller may do. `maker`: the person behind the caller.

    Raises: NotAllowed
    """
    _within(values["scopes"], may)
    added = {**values, "digest": digest, "prefix": prefix, "created_by": maker}
    return _key_by_id(db, records.add(db, who, api_keys, added, noun=_KEY, now=now).id)


def rename_key(db: Db, who: Actor, ref: Ref, values: Mapping[str, Any], *, now: datetime) -> ApiKey:
    """Raises: NotFound"""
    return _key_by_id(db, records.change(db, who, api_keys, ref, values, noun=_KEY, now=now).id)


def revoke_key(db: Db, who: Actor, ref: Ref, *, now: datetime) -> None:
    """The key opens nothing any more, on every process.

    Raises: NotFound
    """
    found = refs.row(db, api_keys, who, ref, _KEY, lock=True)
    _revoke(db, who, _k.id == found.id, now=now)


def revoke_keys_of(db: Db, who: Actor, user_id: int, *, now: datetime) -> None:
    """End all keys of somebody who leaves, also those that were made with one of theirs."""
    _revoke(db, who, _k.created_by == user_id, now=now)


def _revoke(db: Db, who: Actor, which: ColumnElement[bool], *, now: datetime) -> None:
    open_ones = _k.tenant_id == who.tenant_id, _k.revoked_at.is_(None), which
    ended = update(api_keys).where(*open_ones).values(revoked_at=now).returning(_k.id, _k.uid)
    for key in db.execute(ended).all():
        audit.record(db, who, "api_key.revoked", "api_key", key.id, None, None, now, uid=key.uid)
        sign_in.forget(db)


def find_apps(
    db: Db, who: Actor, window: Window, *, search: str | None = None, is_active: bool | None = None
) -> Found[OAuthApp]:
    """The tenant's, by name."""
    wanted = _with_maker(oauth_apps).where(_a.tenant_id == who.tenant_id)
    if search:
        wanted = wanted.where(contains(search, _a.name, _a.client_id))
    if is_active is not None:
        wanted = wanted.where(_a.is_active.is_(is_active))
    sorts = {"name": _a.name, "created_at": _a.created_at, "last_used_at": _a.last_used_at}
    return page(db, wanted, window, _app, sorts=sorts, by="name", tie=_a.id)


def get_app(db: Db, who: Actor, ref: Ref) -> OAuthApp:
    """Raises: NotFound"""
    return _app_by_id(db, refs.id_of(db, oauth_apps, who, ref, _APP))


def add_app(
    db: Db, who: Actor, values: Mapping[str, Any], *, may: Collection[str], client_id: str, digest: str, now: datetime
) -> OAuthApp:
    """`values`: name, scopes, rate_per_minute.

    Raises: NotAllowed
    """
    _within(values["scopes"], may)
    added = {**values, "client_id": client_id, "digest": digest}
    return _app_by_id(db, records.add(db, who, oauth_apps, added, noun=_APP, now=now).id)


def change_app(
    db: Db, who: Actor, ref: Ref, values: Mapping[str, Any], *, may: Collection[str], now: datetime
) -> OAuthApp:
    """The same values, and `is_active`. What it may no longer do, its tokens no longer do.

    Raises: NotFound, NotAllowed
    """
    _touchable(db, who, ref, may)
    _within(values.get("scopes", ()), may)
    after = records.change(db, who, oauth_apps, ref, values, noun=_APP, now=now)
    sign_in.forget(db)
    return _app_by_id(db, after.id)


def rotate_secret(db: Db, who: Actor, ref: Ref, *, may: Collection[str], digest: str, now: datetime) -> OAuthApp:
    """The app with a new secret; the one before opens nothing any more.

    Raises: NotFound, NotAllowed
    """
    found = _touchable(db, who, ref, may)
    db.execute(update(oauth_apps).where(_a.id == found.id).values(digest=digest))
    audit.record(db, who, "oauth_app.secret_rotated", "oauth_app", found.id, None, None, now, uid=found.uid)
    return _app_by_id(db, found.id)


def remove_app(db: Db, who: Actor, ref: Ref, *, now: datetime) -> None:
    """Raises: NotFound"""
    records.remove(db, who, oauth_apps, ref, noun=_APP, now=now)
    sign_in.forget(db)


def prove(db: Db, client_id: str, digest: str) -> Client | None:
    """The app with this id and secret; None when there is none, or it is switched off."""
    wanted = select(oauth_apps, tenants.c.uid.label("tenant_uid")).join(tenants, tenants.c.id == _a.tenant_id)
    row = db.execute(wanted.where(_a.client_id == client_id)).one_or_none()
    # Compared also when there is nobody, so that the two take the same time.
    is_right = hmac.compare_digest(digest, digest[::-1] if row is None else row.digest)
    if row is None or not is_right or not row.is_active:
        return None
    return Client(row.uid, row.tenant_uid, frozenset(row.scopes))


def _within(scopes: Collection[str], may: Collection[str]) -> None:
    """Nobody makes a key to a room they may not enter."""
    if beyond := sorted(set(scopes) - set(may)):
        raise NotAllowed(f"You may not give away what you may not do yourself: {', '.join(beyond)}.")


def _touchable(db: Db, who: Actor, ref: Ref, may: Collection[str]) -> Row[Any]:
    found = refs.row(db, oauth_apps, who, ref, _APP, lock=True)
    _within(found.scopes, may)
    return found


def _with_maker(table: Any) -> Any:
    return select(table, users.c.uid.label("maker")).outerjoin(users, users.c.id == table.c.created_by)


def _key_by_id(db: Db, key_id: int) -> ApiKey:
    return _key(db.execute(_with_maker(api_keys).where(_k.id == key_id)).one())


def _app_by_id(db: Db, app_id: int) -> OAuthApp:
    return _app(db.execute(_with_maker(oauth_apps).where(_a.id == app_id)).one())


def _key(row: Row[Any]) -> ApiKey:
    return ApiKey(
        id=row.id,
        uid=row.uid,
        name=row.name,
        prefix=row.prefix,
        scopes=tuple(row.scopes),
        created_by=row.maker,
        last_used_at=row.last_used_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        created_at=row.created_at,
    )


def _app(row: Row[Any]) -> OAuthApp:
    return OAuthApp(
        id=row.id,
        uid=row.uid,
        client_id=row.client_id,
        name=row.name,
        scopes=tuple(row.scopes),
        rate_per_minute=row.rate_per_minute,
        is_active=row.is_active,
        created_by=row.maker,
        last_used_at=row.last_used_at,
        created_at=row.created_at,
    )
