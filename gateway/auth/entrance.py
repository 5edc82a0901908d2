"""Signing in: what becomes of a password, a refresh token or an invitation, and the pair of tokens that follows."""

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import structlog

from bots import registry
from desk import invitations, sign_in, tenants
from desk.sign_in import Account, Session
from desk.who import Actor
from gateway import demo_business as juniper
from gateway.auth import letters, passwords
from gateway.auth.tokens import BadToken, digest
from gateway.context import House
from gateway.jobs import mail
from gateway.rest import attempts
from gateway.rest.call import Call
from gateway.rest.problem import Problem, unauthorized
from storage.base import Db

log = structlog.get_logger()

_DEVICE: Final = 200
_COOKIE_TOKEN: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Pair:
    """What somebody who has just signed in is given."""

    whose: Account
    session: Session
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in: int


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Somebody who registers."""

    email: str
    password: str = field(repr=False)
    full_name: str
    phone: str | None
    tenant_name: str | None
    time_zone: str = "UTC"
    username: str | None = None


@dataclass(frozen=True, slots=True)
class Entered:
    """Somebody whose browser keeps a cookie. The access token is for programs that would rather send one."""

    whose: Account
    cookie: str = field(repr=False)
    access_token: str = field(repr=False)
    expires_in: int


def wrong() -> Problem:
    """The same for a wrong password, an unknown e-mail and somebody who was deactivated."""
    return Problem(401, "The e-mail or the password is wrong.", headers={"WWW-Authenticate": "Bearer"})


async def register(call: Call, who: Newcomer) -> Account:
    """The first person of a new tenant, whose front desk works at once.

    Raises: Problem, Invalid, AlreadyThere
    """
    if not call.house.settings.auth.registration:
        raise Problem(403, "Nobody can register here; ask for an invitation.", code="REGISTRATION_CLOSED")
    await attempts.count(call, who.email)
    passwords.check(who.password, email=who.email)
    password_hash = await call.house.passwords.hash(who.password)
    return await call.house.store.write(_open, who, password_hash, now=call.now)


async def sign_in_with(call: Call, name: str, password: str) -> Pair:
    """`name` is an e-mail or a username, in lower case.

    Raises: Problem
    """
    return await _begin(call, *await _prove(call, name, password))


async def enter(call: Call, name: str, password: str) -> Entered:
    """The same for a browser: a cookie that nobody can guess, of which only the digest is kept.

    Raises: Problem
    """
    whose, newer_hash = await _prove(call, name, password)
    cookie = secrets.token_urlsafe(32)
    session = await call.house.store.write(
        sign_in.begin,
        whose,
        device=_device(call),
        address=call.address[:64],
        lasts=_lasts(call.house),
        kind="cookie",
        digest=digest(cookie),
        password_hash=newer_hash,
        now=call.now,
    )
    token = call.house.doorman.tokens.access(
        subject=whose.uid, tenant=whose.tenant_uid, kind="user", session=session.uid, lasts=_COOKIE_TOKEN, now=call.now
    )
    return Entered(whose, cookie, token, int(_COOKIE_TOKEN.total_seconds()))


async def _prove(call: Call, name: str, password: str) -> tuple[Account, str | None]:
    """Whose name and password these are, and a newer hash where theirs was made with older settings."""
    house = call.house
    await attempts.count(call, name)
    whose, is_known = await house.store.read(_look_up, name, call.address, now=call.now)
    if not is_known:
        await attempts.count_stranger(call, name)
    is_right = await house.passwords.is_right(password, None if whose is None else whose.password_hash)
    if whose is None or not is_right or not whose.is_active or _is_demo_elsewhere(house, whose, password):
        log.info("sign-in refused", user=whose and whose.uid)
        raise wrong()
    await attempts.forget(call, name)
    newer = None
    if house.passwords.is_outdated(whose.password_hash or ""):
        newer = await house.passwords.hash(password)
    return whose, newer


async def refresh(call: Call, token: str | None) -> Pair:
    """The next pair, for a refresh token or for whoever calls with an access token.

    Raises: Problem
    """
    generation: int | None = None
    if token is not None:
        try:
            session, generation = call.house.doorman.tokens.read_refresh(token)
        except BadToken:
            raise _stale() from None
    elif call.principal is not None and call.principal.kind == "user" and call.principal.session:
        session = call.principal.session
    else:
        raise _stale()
    renewed = await call.house.store.write(
        sign_in.renew, session, generation=generation, lasts=_lasts(call.house), now=call.now
    )
    if renewed is None:
        raise _stale()
    return pair(call.house, *renewed, now=call.now)


async def change_password(call: Call, current: str, new: str) -> Pair:
    """The next pair of the session in which it was changed; every other device has to sign in again.

    Raises: Problem, Invalid
    """
    house = call.house
    whose = await call.read(sign_in.account, call.caller.user_id or 0)
    await attempts.count(call, whose.email)
    if not await house.passwords.is_right(current, whose.password_hash):
        raise Problem(403, "The current password is wrong.", code="WRONG_PASSWORD")
    await attempts.forget(call, whose.email)
    passwords.check(new, email=whose.email)
    password_hash = await house.passwords.hash(new)
    session = await call.write(_change, house, password_hash, call.caller.session or "", now=call.now)
    return pair(house, whose, session, now=call.now)


async def ask_reset(call: Call, email: str) -> None:
    """Raises: Problem"""
    await attempts.count(call, email)
    await call.house.store.write(mail.ask_reset, call.house, email, now=call.now)


async def reset_password(call: Call, token: str, password: str) -> None:
    """Raises: Problem, Invalid"""
    await attempts.count(call, token)
    seen = digest(token)
    whose = await call.house.store.read(sign_in.whose_reset, seen, now=call.now)
    passwords.check(password, email=whose.email)
    password_hash = await call.house.passwords.hash(password)
    await call.house.store.write(_reset, call.house, seen, password_hash, now=call.now)


async def accept(call: Call, token: str, password: str, full_name: str | None) -> Pair:
    """Somebody who was invited, and has signed in with it.

    Raises: Problem, Invalid, AlreadyThere
    """
    await attempts.count(call, token)
    seen = digest(token)
    invited = await call.house.store.read(invitations.whose, seen, now=call.now)
    passwords.check(password, email=invited.email)
    password_hash = await call.house.passwords.hash(password)
    taken = partial(invitations.accept, full_name=full_name, password_hash=password_hash, now=call.now)
    return await _begin(call, await call.house.store.write(taken, seen), None)


def pair(house: House, whose: Account, session: Session, *, now: datetime) -> Pair:
    """The tokens of a session's present generation."""
    tokens = house.doorman.tokens
    lasts = timedelta(hours=house.settings.auth.access_token_h)
    access = tokens.access(
        subject=whose.uid, tenant=whose.tenant_uid, kind="user", session=session.uid, lasts=lasts, now=now
    )
    refreshing = tokens.refresh(session.uid, session.generation)
    return Pair(whose, session, access, refreshing, int(lasts.total_seconds()))


async def _begin(call: Call, whose: Account, newer_hash: str | None) -> Pair:
    session = await call.house.store.write(
        sign_in.begin,
        whose,
        device=_device(call),
        address=call.address[:64],
        lasts=_lasts(call.house),
        password_hash=newer_hash,
        now=call.now,
    )
    return pair(call.house, whose, session, now=call.now)


def _open(db: Db, who: Newcomer, password_hash: str, *, now: datetime) -> Account:
    opened = tenants.add(
        db,
        name=who.tenant_name or who.full_name,
        email=who.email,
        full_name=who.full_name,
        phone=who.phone,
        password_hash=password_hash,
        username=who.username,
        time_zone=who.time_zone,
        now=now,
    )
    registry.install_standard(db, opened.actor, opened.bot_id, now=now)
    return sign_in.account(db, opened.actor, opened.user_id)


def _look_up(db: Db, name: str, address: str, *, now: datetime) -> tuple[Account | None, bool]:
    whose = sign_in.by_name(db, name)
    return whose, whose is not None and sign_in.is_known(db, whose.id, address, now=now)


def _change(db: Db, who: Actor, house: House, password_hash: str, session: str, *, now: datetime) -> Session:
    changed = sign_in.change_password(db, who, password_hash, session=session, lasts=_lasts(house), now=now)
    whose = sign_in.account(db, who, who.user_id or 0)
    _tell(db, house, whose, now=now)
    return changed


def _reset(db: Db, house: House, seen: str, password_hash: str, *, now: datetime) -> None:
    _tell(db, house, sign_in.reset_password(db, seen, password_hash, now=now), now=now)


def _tell(db: Db, house: House, whose: Account, *, now: datetime) -> None:
    if house.settings.mail.url:
        mail.post(db, house, whose.tenant_id, letters.changed(whose), now=now)


def _is_demo_elsewhere(house: House, whose: Account, password: str) -> bool:
    """The demo's password is known to everybody, so it opens nothing once the demo has become a real front desk."""
    return whose.email == juniper.OWNER_EMAIL and password == juniper.OWNER_PASSWORD and not house.settings.is_demo


def _lasts(house: House) -> timedelta:
    return timedelta(days=house.settings.auth.refresh_token_days)


def _device(call: Call) -> str:
    told = call.request.headers.get("User-Agent", "")
    return "".join(character for character in told if character.isprintable())[:_DEVICE]


def _stale() -> Problem:
    return unauthorized("This refresh token is no good (any more); sign in again.")
