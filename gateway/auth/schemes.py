"""Who is calling: an access token, an API key or a session cookie, each ending in one `Principal`.

What was looked up is kept for a second at most, and forgotten at once when somebody signs out, loses a role or a key
(`desk.sign_in.forget`), on every process.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import select, update

from desk.sign_in import TOPIC
from gateway.auth.principal import OF_ROLE, Principal, key_scopes
from gateway.auth.tokens import BadToken, Tokens, digest
from storage.base import Db
from storage.models.sign_in import api_keys, oauth_apps, sessions
from storage.models.tenants import tenants, users
from storage.store import Store

__all__ = ["COOKIE", "KEY_PREFIX", "TOPIC", "Doorman", "tenant_uid"]

KEY_PREFIX: Final = "fd_"
COOKIE: Final = "frontdesk_session"

_KEEP_S: Final = 1.0
_MOST: Final = 20_000
_NOTE_USE: Final = timedelta(minutes=1)  # "last used" is not written more often than this


@dataclass(frozen=True, slots=True)
class _Kept:
    found: Principal | None
    until_s: float


class Doorman:
    """Tells who calls. One per process."""

    def __init__(self, store: Store, tokens: Tokens, monotonic_s: Callable[[], float]) -> None:
        self.tokens = tokens
        self._store = store
        self._monotonic_s = monotonic_s
        self._kept: dict[tuple[str, ...], _Kept] = {}

    def forget(self) -> None:
        self._kept.clear()

    async def of_bearer(self, token: str, *, now: datetime) -> Principal | None:
        """Whom an access token or an API key stands for; None when it is no good (any more)."""
        if token.startswith(KEY_PREFIX):
            return await self._look(("key", digest(token)), _of_key, now=now)
        try:
            access = self.tokens.read(token, now=now)
        except BadToken:
            return None
        if access.kind == "oauth_app":
            scopes = " ".join(sorted(access.scopes or ()))
            return await self._look(("app", access.subject, access.session, scopes), _of_app, now=now)
        issued = access.issued_at.isoformat()
        return await self._look(("user", access.subject, access.session, issued), _of_user, now=now)

    async def of_cookie(self, value: str, *, now: datetime) -> Principal | None:
        """Whom a session cookie stands for."""
        return await self._look(("cookie", digest(value)), _of_cookie, now=now)

    async def still(self, principal: Principal, *, now: datetime) -> bool:
        """Whether somebody who signed in before would be let in still, for connections that stay open."""
        if principal.kind == "user" and principal.session and principal.user_uid:
            found = await self._look(("session", principal.user_uid, principal.session), _of_session, now=now)
        elif principal.kind == "api_key" and principal.app_uid:
            found = await self._look(("key id", principal.app_uid), _of_key_id, now=now)
        elif principal.app_uid:
            scopes = " ".join(sorted(principal.scopes))
            found = await self._look(("app", principal.app_uid, principal.session or "", scopes), _of_app, now=now)
        else:
            return False
        return found is not None

    async def _look(
        self, key: tuple[str, ...], find: Callable[..., Principal | None], *, now: datetime
    ) -> Principal | None:
        kept = self._kept.get(key)
        if kept is not None and kept.until_s > self._monotonic_s():
            return kept.found
        found = await self._store.read(find, *key[1:], now=now)
        if len(self._kept) >= _MOST:
            self._kept.clear()
        self._kept[key] = _Kept(found, self._monotonic_s() + _KEEP_S)
        if found is not None and found.kind != "user":
            await self._store.write(_note_use, found, now=now)
        return found


_u, _s = users.c, sessions.c
_USER = (
    select(
        _u.id,
        _u.uid,
        _u.tenant_id,
        _u.full_name,
        _u.role,
        _u.tokens_valid_from,
        _s.uid.label("session"),
    )
    .join(sessions, _s.user_id == _u.id)
    .where(_u.is_active.is_(True), _s.revoked_at.is_(None))
)


def _of_user(db: Db, user: str, session: str, issued: str, *, now: datetime) -> Principal | None:
    row = db.execute(_USER.where(_u.uid == user, _s.uid == session, _s.expires_at > now)).one_or_none()
    if row is None or (row.tokens_valid_from is not None and datetime.fromisoformat(issued) < row.tokens_valid_from):
        return None
    return _person(row)


def _of_session(db: Db, user: str, session: str, *, now: datetime) -> Principal | None:
    row = db.execute(_USER.where(_u.uid == user, _s.uid == session, _s.expires_at > now)).one_or_none()
    return None if row is None else _person(row)


def _of_cookie(db: Db, cookie: str, *, now: datetime) -> Principal | None:
    row = db.execute(_USER.where(_s.digest == cookie, _s.kind == "cookie", _s.expires_at > now)).one_or_none()
    return None if row is None else _person(row)


def _person(row: Any) -> Principal:
    return Principal(
        tenant_id=row.tenant_id,
        kind="user",
        scopes=OF_ROLE.get(row.role, frozenset()),
        user_id=row.id,
        user_uid=row.uid,
        role=row.role,
        session=row.session,
        name=row.full_name,
    )


_k = api_keys.c


def _of_key(db: Db, key: str, *, now: datetime) -> Principal | None:
    return _keyed(db, {"digest": key}, now=now)


def _of_key_id(db: Db, uid: str, *, now: datetime) -> Principal | None:
    return _keyed(db, {"uid": uid}, now=now)


def _keyed(db: Db, where: Mapping[str, str], *, now: datetime) -> Principal | None:
    wanted = select(_k.uid, _k.tenant_id, _k.name, _k.scopes, _k.expires_at, _k.created_by, _u.role)
    wanted = wanted.select_from(api_keys.outerjoin(users, _u.id == _k.created_by)).where(_k.revoked_at.is_(None))
    row = db.execute(wanted.where(*(_k[name] == value for name, value in where.items()))).one_or_none()
    if row is None or (row.expires_at is not None and row.expires_at <= now):
        return None
    scopes = key_scopes(row.scopes, row.role)
    return Principal(row.tenant_id, "api_key", scopes, app_uid=row.uid, name=row.name, maker_id=row.created_by)


_a = oauth_apps.c


def _of_app(db: Db, app: str, session: str, scopes: str, *, now: datetime) -> Principal | None:
    """A token holds at most the scopes its app has now."""
    row = db.execute(select(oauth_apps).where(_a.uid == app, _a.is_active.is_(True))).one_or_none()
    if row is None:
        return None
    return Principal(
        row.tenant_id,
        "oauth_app",
        frozenset(scopes.split()) & frozenset(row.scopes),
        app_uid=row.uid,
        session=session or None,
        name=row.name,
        rate_per_minute=row.rate_per_minute,
    )


def _note_use(db: Db, principal: Principal, *, now: datetime) -> None:
    table = api_keys if principal.kind == "api_key" else oauth_apps
    stale = (table.c.last_used_at.is_(None)) | (table.c.last_used_at < now - _NOTE_USE)
    db.execute(update(table).where(table.c.uid == principal.app_uid, stale).values(last_used_at=now))


def tenant_uid(db: Db, tenant_id: int) -> str:
    """The UUID of a tenant."""
    uid: str = db.execute(select(tenants.c.uid).where(tenants.c.id == tenant_id)).scalar_one()
    return uid
