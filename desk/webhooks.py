"""Subscriptions: the addresses that a tenant wants its events sent to, and the secrets they are signed with."""

import base64
import binascii
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Row, func, select, update

from desk import audit, events, records, refs
from desk.errors import DeskError, Invalid
from desk.listing import Found, Window, contains, page
from desk.refs import Ref
from desk.who import Actor
from storage.base import Db, JsonValue
from storage.models.webhooks import webhook_subscriptions as table
from storage.seal import Sealer

NOUN: Final = "webhook"
SEALED_AS: Final = "webhook_subscriptions.secrets"
MASKED: Final = "********"  # what is shown of a secret, and what may be sent back for "as it is"
PREFIX: Final = "whsec_"

_MOST = 100  # subscriptions of a tenant: each of its events is written down once for each of them
_MOST_SECRETS = 3  # the newest, and those it took the place of not long ago
_t = table.c


@dataclass(frozen=True, slots=True)
class Webhook:
    """`failing_since`: since when nothing was taken any more. `disabled_for`: by_user, gone (it answered 410), failing."""

    id: int
    uid: str
    url: str
    description: str
    event_types: Sequence[str]
    is_active: bool
    failing_since: datetime | None
    disabled_at: datetime | None
    disabled_for: str | None
    created_at: datetime
    updated_at: datetime


def find(
    db: Db,
    who: Actor,
    window: Window,
    *,
    search: str | None = None,
    is_active: bool | None = None,
) -> Found[Webhook]:
    """The tenant's, the newest last."""
    wanted = select(table).where(_t.tenant_id == who.tenant_id)
    if search:
        wanted = wanted.where(contains(search, _t.url, _t.description))
    if is_active is not None:
        wanted = wanted.where(_t.is_active.is_(is_active))
    sorts = {"created_at": _t.created_at, "url": _t.url}
    return page(db, wanted, window, _one, sorts=sorts, by="created_at", tie=_t.id)


def get(db: Db, who: Actor, ref: Ref) -> Webhook:
    """Raises: NotFound"""
    return _one(refs.row(db, table, who, ref, NOUN))


def add(
    db: Db, who: Actor, values: Mapping[str, Any], *, secret: str | None, sealer: Sealer, now: datetime
) -> tuple[Webhook, str]:
    """The new subscription and its secret, which nobody is shown again. `values`: url, event_types, description, is_active.

    Raises: Invalid; DeskError, when there are too many
    """
    count = db.execute(select(func.count()).where(_t.tenant_id == who.tenant_id)).scalar_one()
    if count >= _MOST:
        raise DeskError("too_many", f"There are {_MOST} subscriptions already; remove one of them first.")
    chosen = _new_secret(secret)
    given = {
        **values,
        "event_types": _known(values["event_types"]),
        "secrets": _sealed(sealer, who, [(chosen, None)]),
        **({} if values["is_active"] else {"disabled_at": now, "disabled_for": "by_user"}),
    }
    made = records.add(db, who, table, given, noun=NOUN, private=("url",), now=now)
    events.subscriptions_changed(db)
    return _one(made), chosen


def change(
    db: Db,
    who: Actor,
    ref: Ref,
    values: Mapping[str, Any],
    *,
    secret: str | None = None,
    sealer: Sealer,
    now: datetime,
) -> Webhook:
    """The subscription with new values; switched on again it starts without its old failures.

    Without `secret` (or with the mask) the secret stays. A new one counts at once; `rotate` lets both count for a while.

    Raises: NotFound, Invalid
    """
    before = refs.row(db, table, who, ref, NOUN, lock=True)
    given = dict(values)
    if "event_types" in given:
        given["event_types"] = _known(given["event_types"])
    if (is_active := given.get("is_active")) is not None and is_active != before.is_active:
        given |= {"disabled_at": None, "disabled_for": None, "failing_since": None}
        if not is_active:
            given |= {"disabled_at": now, "disabled_for": "by_user"}
    if secret is not None and secret != MASKED:
        given["secrets"] = _sealed(sealer, who, [(_new_secret(secret), None)])
    after = records.change(db, who, table, ref, given, noun=NOUN, private=("url",), now=now)
    events.subscriptions_changed(db)
    return _one(after)


def remove(db: Db, who: Actor, ref: Ref, *, now: datetime) -> None:
    """With its deliveries, also those that are still to be made.

    Raises: NotFound
    """
    records.remove(db, who, table, ref, noun=NOUN, private=("url",), now=now)
    events.subscriptions_changed(db)


def rotate(
    db: Db,
    who: Actor,
    ref: Ref,
    *,
    secret: str | None,
    overlap: timedelta,
    sealer: Sealer,
    now: datetime,
) -> tuple[Webhook, str, datetime | None]:
    """The subscription, its new secret, and until when the one before it signs as well.

    Raises: NotFound, Invalid
    """
    before = refs.row(db, table, who, ref, NOUN, lock=True)
    chosen = _new_secret(secret)
    until = now + overlap
    kept = [
        (old, until if old_until is None or old_until > until else old_until)
        for old, old_until in _opened(sealer, before.secrets, who.tenant_id)
        if overlap and old != chosen and (old_until is None or old_until > now)
    ]
    rotated = _sealed(sealer, who, [(chosen, None), *kept][:_MOST_SECRETS])
    changed = update(table).where(_t.id == before.id).values(secrets=rotated, updated_at=now).returning(table)
    after = db.execute(changed).one()
    facts: dict[str, JsonValue] = {"overlap_hours": overlap / timedelta(hours=1)}
    audit.record(db, who, "webhook.secret_rotated", NOUN, before.id, None, facts, now, uid=before.uid)
    return _one(after), chosen, until if kept else None


def signing_secrets(sealer: Sealer, sealed: str, *, tenant_id: int, now: datetime) -> tuple[str, ...]:
    """The secrets of a subscription that sign now, the newest first; `sealed` as its row has them.

    Raises: SealBroken
    """
    return tuple(secret for secret, until in _opened(sealer, sealed, tenant_id) if until is None or until > now)


def key(secret: str) -> bytes:
    """The key of the Standard Webhooks signature: what follows `whsec_`, decoded; any other secret as it is.

    Raises: Invalid
    """
    if not secret.startswith(PREFIX):
        return secret.encode()
    try:
        decoded = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        decoded = b""
    if not decoded:
        raise Invalid("secret", f"After {PREFIX} a secret goes on in base64.")
    return decoded


def _new_secret(given: str | None) -> str:
    """Raises: Invalid"""
    if given == MASKED:
        raise Invalid("secret", "This is what is shown in place of a secret; give one, or leave it out.")
    if given is None:
        return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()
    key(given)
    return given


def _known(event_types: Sequence[str]) -> list[str]:
    """Raises: Invalid, naming the one that is none of ours"""
    for place, name in enumerate(event_types):
        if name not in events.EVENTS and name != events.ALL:
            raise Invalid(f"event_types.{place}", f"There is no event {name!r}.")
    return list(dict.fromkeys(event_types))


def _sealed(sealer: Sealer, who: Actor, found: Sequence[tuple[str, datetime | None]]) -> str:
    value = [{"secret": secret, "until": until.isoformat() if until else None} for secret, until in found]
    return sealer.seal(value, tenant_id=who.tenant_id, field=SEALED_AS)


def _opened(sealer: Sealer, sealed: str, tenant_id: int) -> list[tuple[str, datetime | None]]:
    """Raises: SealBroken"""
    value: Any = sealer.unseal(sealed, tenant_id=tenant_id, field=SEALED_AS)
    return [(one["secret"], datetime.fromisoformat(one["until"]) if one["until"] else None) for one in value]


def _one(row: Row[Any]) -> Webhook:
    return Webhook(
        id=row.id,
        uid=row.uid,
        url=row.url,
        description=row.description,
        event_types=row.event_types,
        is_active=row.is_active,
        failing_since=row.failing_since,
        disabled_at=row.disabled_at,
        disabled_for=row.disabled_for,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
