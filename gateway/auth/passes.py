"""Who stays connected: connections that live longer than a request are asked again, all of a process in one go."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select

from gateway.auth.principal import OF_ROLE, Principal, key_scopes
from gateway.auth.schemes import KEY_PREFIX, Doorman
from gateway.auth.tokens import BadToken
from storage.base import Db
from storage.models.sign_in import api_keys, oauth_apps, sessions
from storage.models.tenants import users
from storage.store import Store

_AT_ONCE: Final = 500  # ids in one query


@dataclass(frozen=True, slots=True)
class Pass:
    """How somebody came in. It ends with its token (`expires_at`), and with whatever ends the sign-in behind it."""

    principal: Principal
    issued_at: datetime | None = None
    expires_at: datetime | None = None


async def admit(doorman: Doorman, *, bearer: str | None, cookie: str | None, now: datetime) -> Pass | None:
    """The pass of whoever shows a token or, without one, a session cookie; None when it is no good."""
    if bearer is None:
        principal = await doorman.of_cookie(cookie, now=now) if cookie else None
        return None if principal is None else Pass(principal)
    principal = await doorman.of_bearer(bearer, now=now)
    if principal is None:
        return None
    if bearer.startswith(KEY_PREFIX):
        return Pass(principal)
    try:
        access = doorman.tokens.read(bearer, now=now)
    except BadToken:
        return None
    return Pass(principal, access.issued_at, access.expires_at)


async def review(store: Store, passes: Collection[Pass], *, now: datetime) -> Mapping[Pass, Principal | None]:
    """What each pass is worth now: the principal as of today (a role may have changed), or None when it is void."""
    return await store.read(_review, passes, now=now)


def _review(db: Db, passes: Collection[Pass], *, now: datetime) -> dict[Pass, Principal | None]:
    people = _people(db, [one.principal.session for one in passes if one.principal.kind == "user"], now=now)
    keys = _keys(db, [one.principal.app_uid for one in passes if one.principal.kind == "api_key"], now=now)
    apps = _apps(db, [one.principal.app_uid for one in passes if one.principal.kind == "oauth_app"])
    found: dict[Pass, Principal | None] = {}
    for one in passes:
        before, row = one.principal, None
        if one.expires_at is not None and one.expires_at <= now:
            found[one] = None
        elif before.kind == "user":
            row = people.get(before.session)
            is_void = row is None or (
                one.issued_at is not None
                and row.tokens_valid_from is not None
                and one.issued_at < row.tokens_valid_from
            )
            found[one] = None if is_void or row is None else _with(before, OF_ROLE.get(row.role, frozenset()), row.role)
        else:
            row = keys.get(before.app_uid) if before.kind == "api_key" else apps.get(before.app_uid)
            if row is None:
                found[one] = None
            elif before.kind == "api_key":
                found[one] = _with(before, key_scopes(row.scopes, row.role), None)
            else:  # a token of an app holds at most what it was given
                found[one] = _with(before, before.scopes & frozenset(row.scopes), None)
    return found


def _with(before: Principal, scopes: frozenset[str], role: str | None) -> Principal:
    if before.scopes == scopes and before.role == role:
        return before
    return replace(before, scopes=scopes, role=role)


def _people(db: Db, wanted: list[str | None], *, now: datetime) -> dict[str | None, Any]:
    rows: dict[str | None, Any] = {}
    for some in _slices(wanted):
        found = db.execute(
            select(sessions.c.uid, users.c.role, users.c.tokens_valid_from)
            .join(users, users.c.id == sessions.c.user_id)
            .where(
                sessions.c.uid.in_(some),
                sessions.c.revoked_at.is_(None),
                sessions.c.expires_at > now,
                users.c.is_active.is_(True),
            )
        )
        rows |= {row.uid: row for row in found}
    return rows


def _keys(db: Db, wanted: list[str | None], *, now: datetime) -> dict[str | None, Any]:
    rows: dict[str | None, Any] = {}
    for some in _slices(wanted):
        k = api_keys.c
        found = db.execute(
            select(k.uid, k.scopes, k.expires_at, users.c.role)
            .select_from(api_keys.outerjoin(users, users.c.id == k.created_by))
            .where(k.uid.in_(some), k.revoked_at.is_(None))
        )
        rows |= {row.uid: row for row in found if row.expires_at is None or row.expires_at > now}
    return rows


def _apps(db: Db, wanted: list[str | None]) -> dict[str | None, Any]:
    rows: dict[str | None, Any] = {}
    for some in _slices(wanted):
        a = oauth_apps.c
        rows |= {
            row.uid: row for row in db.execute(select(a.uid, a.scopes).where(a.uid.in_(some), a.is_active.is_(True)))
        }
    return rows


def _slices(wanted: list[str | None]) -> list[list[str | None]]:
    distinct = list(dict.fromkeys(wanted))
    return [distinct[start : start + _AT_ONCE] for start in range(0, len(distinct), _AT_ONCE)]
