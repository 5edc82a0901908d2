"""Who has signed in, on which devices. Of what opens a door only digests come here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, delete, func, insert, select, update

from desk import audit
from desk.errors import Invalid, NotFound
from desk.listing import Found, Window, page
from desk.refs import row
from desk.who import Actor
from storage.base import Db, JsonValue, new_uid
from storage.models.sign_in import password_resets, sessions
from storage.models.tenants import tenants, users
from storage.session import announce

TOPIC: Final = "sign-ins"

RESET_LASTS: Final = timedelta(hours=1)
FIRST_LASTS: Final = timedelta(days=7)  # for somebody who has no password yet
_RESETS_AN_HOUR: Final = 3  # so that nobody's inbox can be filled
_KNOWN_FOR: Final = timedelta(days=90)
_KEEP: Final = timedelta(days=30)  # ended sessions and spent links, for whoever looks into a theft

_u, _s, _r = users.c, sessions.c, password_resets.c


@dataclass(frozen=True, slots=True)
class Account:
    """A person as the entrance knows them."""

    id: int
    uid: str
    tenant_id: int
    tenant_uid: str
    tenant_name: str
    email: str
    username: str | None
    full_name: str
    phone: str | None
    role: str
    is_active: bool
    availability: str
    max_conversations: int | None
    created_at: datetime
    password_hash: str | None = field(repr=False)

    @property
    def actor(self) -> Actor:
        return Actor(self.tenant_id, "staff", self.id, self.role)


@dataclass(frozen=True, slots=True)
class Session:
    """A device somebody signed in with."""

    id: int
    uid: str
    kind: str
    generation: int
    device: str
    address: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime


def forget(db: Db) -> None:
    """Call it with every change of who may do what: all processes look again once it is committed."""
    announce(db, TOPIC)


def by_email(db: Db, email: str) -> Account | None:
    """Whoever signs in with this e-mail, in lower case."""
    return _account(db, _u.email == email)


def by_name(db: Db, name: str) -> Account | None:
    """Whoever signs in with this e-mail or username, in lower case."""
    return _account(db, (_u.email if "@" in name else _u.username) == name)


def account(db: Db, who: Actor, user_id: int) -> Account:
    """Raises: NotFound"""
    found = _account(db, _u.id == user_id, _u.tenant_id == who.tenant_id)
    if found is None:
        raise NotFound("user", user_id)
    return found


def is_known(db: Db, user_id: int, address: str, *, now: datetime) -> bool:
    """Whether this person has lately signed in from `address`."""
    since = _s.user_id == user_id, _s.address == address, _s.last_used_at > now - _KNOWN_FOR
    return db.execute(select(_s.id).where(*since).limit(1)).first() is not None


def begin(
    db: Db,
    whose: Account,
    *,
    device: str,
    address: str,
    lasts: timedelta,
    kind: str = "token",
    digest: str | None = None,
    password_hash: str | None = None,
    now: datetime,
) -> Session:
    """A new session. `digest` is that of a cookie; `password_hash` takes the place of one made with older settings."""
    made = db.execute(
        insert(sessions)
        .values(
            uid=new_uid(),
            tenant_id=whose.tenant_id,
            user_id=whose.id,
            kind=kind,
            digest=digest,
            device=device,
            address=address,
            created_at=now,
            last_used_at=now,
            expires_at=now + lasts,
        )
        .returning(sessions)
    ).one()
    newer = {} if password_hash is None else {"password_hash": password_hash}
    db.execute(update(users).where(_u.id == whose.id).values(last_login_at=now, **newer))
    audit.record(db, whose.actor, "user.signed_in", "user", whose.id, None, {"session": made.uid}, now, uid=whose.uid)
    return _session(made)


def renew(
    db: Db, session: str, *, generation: int | None, lasts: timedelta, now: datetime
) -> tuple[Account, Session] | None:
    """The session, one generation on; None when it cannot go on.

    A `generation` that was spent before is in two hands: the session ends, for whoever holds it. None trusts the caller.
    """
    found = db.execute(select(sessions).where(_s.uid == session).with_for_update()).one_or_none()
    if found is None or found.revoked_at is not None or found.expires_at <= now:
        return None
    whose = _account(db, _u.id == found.user_id)
    if whose is None or not whose.is_active:
        return None
    if generation is not None and generation < found.generation:
        end(db, whose.actor, whose, "reuse", _s.id == found.id, now=now)
        return None
    if generation is not None and generation > found.generation:
        return None
    values = {"generation": found.generation + 1, "last_used_at": now, "expires_at": now + lasts}
    after = db.execute(update(sessions).where(_s.id == found.id).values(**values).returning(sessions)).one()
    return whose, _session(after)


def find(db: Db, who: Actor, window: Window, *, now: datetime) -> Found[Session]:
    """The person's own that are open, the one used last first."""
    wanted = select(sessions).where(_s.user_id == who.user_id, _s.revoked_at.is_(None), _s.expires_at > now)
    sorts = {"last_used_at": _s.last_used_at, "created_at": _s.created_at}
    return page(db, wanted, window, _session, sorts=sorts, by="-last_used_at", tie=_s.id)


def sign_out(db: Db, who: Actor, session: str, *, reason: str = "logout", now: datetime) -> None:
    """End one of the person's own sessions.

    Raises: NotFound
    """
    found = row(db, sessions, who, session, "session", lock=True)
    if found.user_id != who.user_id:
        raise NotFound("session", session)
    whose = account(db, who, found.user_id)
    end(db, who, whose, reason, _s.id == found.id, now=now)


def end(db: Db, who: Actor, whose: Account, reason: str, *which: ColumnElement[bool], now: datetime) -> int:
    """How many of a person's open sessions have ended: all, or those for which `which` holds."""
    ours = _s.user_id == whose.id, _s.revoked_at.is_(None), *which
    ended = db.execute(update(sessions).where(*ours).values(revoked_at=now, revoked_for=reason)).rowcount
    if ended:
        after: dict[str, JsonValue] = {"reason": reason, "sessions": ended}
        audit.record(db, who, "user.signed_out", "user", whose.id, None, after, now, uid=whose.uid)
    forget(db)
    return ended


def change_password(
    db: Db, who: Actor, password_hash: str, *, session: str, lasts: timedelta, now: datetime
) -> Session:
    """The session in which somebody changed their password, one generation on; all others have ended."""
    assert who.user_id is not None  # noqa: S101  only people have passwords
    whose = account(db, who, who.user_id)
    _set_password(db, whose, password_hash, now=now)
    end(db, who, whose, "password", _s.uid != session, now=now)
    renewed = renew(db, session, generation=None, lasts=lasts, now=now)
    if renewed is None:
        raise NotFound("session", session)
    return renewed[1]


def ask_reset(db: Db, email: str, digest: str, *, lasts: timedelta = RESET_LASTS, now: datetime) -> Account | None:
    """Whom to send a link to; None when there is nobody with this e-mail, or enough links are under way."""
    whose = by_email(db, email)
    if whose is None or not whose.is_active:
        return None
    lately = select(func.count()).where(_r.user_id == whose.id, _r.created_at > now - RESET_LASTS)
    if db.execute(lately).scalar_one() >= _RESETS_AN_HOUR:
        return None
    moments = {"created_at": now, "expires_at": now + lasts}
    db.execute(insert(password_resets).values(user_id=whose.id, digest=digest, **moments))
    who = Actor(whose.tenant_id, "system")
    audit.record(db, who, "user.password_link_sent", "user", whose.id, None, None, now, uid=whose.uid)
    return whose


def whose_reset(db: Db, digest: str, *, now: datetime) -> Account:
    """Raises: Invalid"""
    return _reset(db, digest, now=now)[1]


def reset_password(db: Db, digest: str, password_hash: str, *, now: datetime) -> Account:
    """Whoever has a new password now: every session has ended, and every link is spent.

    Raises: Invalid
    """
    _, whose = _reset(db, digest, lock=True, now=now)
    db.execute(update(password_resets).where(_r.user_id == whose.id, _r.used_at.is_(None)).values(used_at=now))
    _set_password(db, whose, password_hash, now=now)
    end(db, whose.actor, whose, "password", now=now)
    return whose


def forget_old(db: Db, *, now: datetime) -> None:
    """Throw away sessions and links that ended long ago."""
    db.execute(delete(sessions).where(_s.expires_at <= now - _KEEP))
    db.execute(delete(password_resets).where(_r.expires_at <= now - _KEEP))


def _reset(db: Db, digest: str, *, lock: bool = False, now: datetime) -> tuple[Row[Any], Account]:
    wanted = select(password_resets).where(_r.digest == digest)
    found = db.execute(wanted.with_for_update() if lock else wanted).one_or_none()
    whose = None if found is None else _account(db, _u.id == found.user_id)
    if found is None or whose is None or found.used_at is not None or found.expires_at <= now or not whose.is_active:
        raise Invalid("token", "This link is no good (any more); ask for a new one.")
    return found, whose


def _set_password(db: Db, whose: Account, password_hash: str, *, now: datetime) -> None:
    values: Mapping[str, Any] = {"password_hash": password_hash, "tokens_valid_from": now}
    db.execute(update(users).where(_u.id == whose.id).values(**values))
    audit.record(db, whose.actor, "user.password_changed", "user", whose.id, None, None, now, uid=whose.uid)


def _account(db: Db, *which: ColumnElement[bool]) -> Account | None:
    tenant = tenants.c.uid.label("tenant_uid"), tenants.c.name.label("tenant_name")
    found = db.execute(select(users, *tenant).join(tenants, tenants.c.id == _u.tenant_id).where(*which)).one_or_none()
    if found is None:
        return None
    return Account(
        id=found.id,
        uid=found.uid,
        tenant_id=found.tenant_id,
        tenant_uid=found.tenant_uid,
        tenant_name=found.tenant_name,
        email=found.email,
        username=found.username,
        full_name=found.full_name,
        phone=found.phone,
        role=found.role,
        is_active=found.is_active,
        availability=found.availability,
        max_conversations=found.max_conversations,
        created_at=found.created_at,
        password_hash=found.password_hash,
    )


def _session(found: Row[Any]) -> Session:
    return Session(
        id=found.id,
        uid=found.uid,
        kind=found.kind,
        generation=found.generation,
        device=found.device,
        address=found.address,
        created_at=found.created_at,
        last_used_at=found.last_used_at,
        expires_at=found.expires_at,
    )
