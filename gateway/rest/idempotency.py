"""`Idempotency-Key`: the same key and request are answered as the first time, and their effect happens once.

The key is written in the transaction of the effect, so the two exist together or not at all; the answer is added after
it. A process that dies in between leaves a key without an answer: the effect is there, and nobody does it again.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, delete, insert, select, update

from storage.base import Db
from storage.models.audit import idempotency
from storage.session import Conflict, attempt

LONGEST: Final = 255
_KEEP: Final = timedelta(hours=24)

_i = idempotency.c


class Repeated(Exception):  # noqa: N818  not an error: somebody did it before
    """This key was used before; `find` says what came of it."""


@dataclass(slots=True)
class Promise:
    """To do one thing once. `digest` tells one request from another; nobody else can make it, as there may be a password
    in it. `is_begun` once the effect's transaction has taken the key.
    """

    tenant_id: int
    route: str
    key: str
    digest: str
    is_begun: bool = field(default=False)


@dataclass(frozen=True, slots=True)
class Before:
    """An earlier request with this key. `status` is None while it is being answered, or when its process died."""

    is_same: bool
    status: int | None
    body: str | None
    since: datetime


def find(db: Db, promise: Promise, *, now: datetime) -> Before | None:
    row = db.execute(select(idempotency).where(*_is(promise), _i.expires_at > now)).one_or_none()
    return None if row is None else Before(row.request_digest == promise.digest, row.status, row.body, row.created_at)


def begin(db: Db, promise: Promise, *, now: datetime) -> None:
    """Take the key in the transaction of the effect; further writes of the same request need nothing more.

    Raises: Repeated
    """
    if promise.is_begun:
        return
    db.execute(delete(idempotency).where(*_is(promise), _i.expires_at <= now))
    try:
        with attempt(db):
            db.execute(
                insert(idempotency).values(
                    tenant_id=promise.tenant_id,
                    route=promise.route,
                    key=promise.key,
                    request_digest=promise.digest,
                    created_at=now,
                    expires_at=now + _KEEP,
                )
            )
    except Conflict:
        raise Repeated from None


def answered(db: Db, promise: Promise, status: int, body: str) -> None:
    """Keep the answer for whoever asks again."""
    db.execute(update(idempotency).where(*_is(promise)).values(status=status, body=body))


def forget_old(db: Db, *, now: datetime) -> int:
    """How many keys were thrown away because nobody will ask with them any more."""
    return db.execute(delete(idempotency).where(_i.expires_at <= now)).rowcount


def _is(promise: Promise) -> tuple[ColumnElement[bool], ...]:
    return _i.tenant_id == promise.tenant_id, _i.route == promise.route, _i.key == promise.key
