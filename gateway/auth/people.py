"""Bringing people in: with a password, with a letter in which they choose one, or by invitation."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from desk import invitations, sign_in, users
from desk.invitations import Invitation, Many
from desk.refs import Ref
from desk.users import User
from desk.who import Actor
from gateway.auth import letters, passwords
from gateway.auth.tokens import digest
from gateway.context import House
from gateway.jobs import mail
from gateway.rest.call import Call
from gateway.rest.problem import Problem
from storage.base import Db


async def add(call: Call, values: Mapping[str, Any], password: str | None) -> User:
    """A new person; without a password they are sent a link to choose one.

    Raises: Problem, Invalid, NotAllowed, AlreadyThere
    """
    password_hash = None
    if password is not None:
        passwords.check(password, email=values["email"])
        password_hash = await call.house.passwords.hash(password)
    return await call.write(_add, call.house, values, password_hash, call.caller.gives, now=call.now)


async def invite(call: Call, values: Mapping[str, Any]) -> tuple[Invitation, str | None]:
    """The invitation, and its link where no letter can bring it.

    Raises: NotAllowed, AlreadyThere
    """
    return await call.write(_invite, call.house, values, call.caller.gives, now=call.now)


async def invite_again(call: Call, ref: Ref) -> tuple[Invitation, str | None]:
    """Raises: NotFound, NotAllowed, WrongState"""
    return await call.write(_invite_again, call.house, ref, call.caller.gives, now=call.now)


async def invite_many(call: Call, rows: Sequence[Mapping[str, str]]) -> Many:
    """Raises: Problem, when no letters can be sent; NotAllowed"""
    if not call.house.settings.mail.url:
        what = "Many can be invited once e-mail can be sent: set mail.url. Until then, invite one at a time."
        raise Problem(409, what, code="MAIL_NOT_SET_UP")
    return await call.write(invitations.add_many, rows, gives=call.caller.gives, now=call.now)


def _add(
    db: Db,
    who: Actor,
    house: House,
    values: Mapping[str, Any],
    password_hash: str | None,
    gives: Collection[str],
    *,
    now: datetime,
) -> User:
    made = users.add(db, who, values, gives=gives, password_hash=password_hash, now=now)
    if password_hash is None:
        token = mail.secret()
        whose = sign_in.ask_reset(db, made.email, digest(token), lasts=sign_in.FIRST_LASTS, now=now)
        assert whose is not None  # noqa: S101  they are new
        link = letters.reset_link(house.settings.server.public_url, token)
        mail.post(db, house, who.tenant_id, letters.welcome(whose, link), now=now)
    return made


def _invite(
    db: Db, who: Actor, house: House, values: Mapping[str, Any], gives: Collection[str], *, now: datetime
) -> tuple[Invitation, str | None]:
    token = mail.secret()
    made = invitations.add(db, who, values, gives=gives, digest=digest(token), now=now)
    return made, _bring(db, house, made, token, now=now)


def _invite_again(
    db: Db, who: Actor, house: House, ref: Ref, gives: Collection[str], *, now: datetime
) -> tuple[Invitation, str | None]:
    token = mail.secret()
    made = invitations.renew(db, who, ref, gives=gives, digest=digest(token), now=now)
    return made, _bring(db, house, made, token, now=now)


def _bring(db: Db, house: House, made: Invitation, token: str, *, now: datetime) -> str | None:
    link = letters.invitation_link(house.settings.server.public_url, token)
    return None if mail.post(db, house, made.tenant_id, letters.invitation(made, link), now=now) else link
