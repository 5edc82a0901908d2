"""Other services that a business has connected. Their secrets are sealed; whoever reads gets a mask, and may send it back.

What is secret stands in `SECRETS`, by the kind of service; besides, whatever has a name that sounds like a secret is one.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

import orjson
from sqlalchemy import Row, select

from desk import prompts, records, refs, webhooks
from desk.errors import Invalid
from desk.listing import Found, Window, contains, page
from desk.refs import Ref
from desk.who import Actor
from desk.work import whose
from storage.base import Db, JsonValue, new_uid
from storage.models.businesses import businesses
from storage.models.work import integrations as table
from storage.seal import SealBroken, Sealer

NOUN: Final = "integration"

WEBHOOK: Final = "webhook"  # a system of the business's own that scenarios may ask
SPEECH: Final = "eleven_labs"

# The keys of each kind that open something.
SECRETS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "twilio": frozenset({"auth_token", "api_key_secret", "authToken", "apiKeySecret"}),
        "eleven_labs": frozenset({"api_key", "webhook_secret", "apiKey", "webhookSecret"}),
        "n8n": frozenset({"api_key", "webhook_secret", "apiKey", "webhookSecret"}),
        "stripe": frozenset({"secret_key", "webhook_secret", "secretKey", "webhookSecret"}),
        "email": frozenset({"password", "smtp_password", "smtpPassword"}),
        WEBHOOK: frozenset({"secret"}),
    }
)
KINDS: Final = tuple(SECRETS)
_SOUNDS_SECRET: Final = re.compile(r"secret|token|passw|pwd|credential|private|api_?-?key", re.IGNORECASE)

MASK: Final = "••••"
_SHOWN: Final = 4  # characters at the end, of secrets long enough to keep the rest to themselves
_LONG: Final = 12
_MOST_BYTES: Final = 8192
_DEEPEST: Final = 5
_SHORTEST_SECRET: Final = 24
_LONGEST_SECRET: Final = 200

_i = table.c


@dataclass(frozen=True, slots=True)
class Integration:
    """`config` has every secret masked."""

    id: int
    uid: str
    business_uid: str
    kind: str
    name: str
    config: Mapping[str, JsonValue]
    status: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A system of the business's own: where it is asked, and what the question is signed with."""

    id: int
    url: str
    secret: str


def webhook_named(db: Db, who: Actor, business_id: int, name: str) -> int | None:
    """The id of the business's own system of that name, the oldest that is active; None when there is none."""
    found: int | None = db.execute(
        select(_i.id)
        .where(
            _i.tenant_id == who.tenant_id,
            _i.business_id == business_id,
            _i.kind == WEBHOOK,
            _i.name == name,
            _i.status == "active",
        )
        .order_by(_i.id)
        .limit(1)
    ).scalar_one_or_none()
    return found


def webhook(db: Db, who: Actor, integration_id: int, *, sealer: Sealer) -> Endpoint | None:
    """The system behind an integration; None when it is gone, switched off, or its secret cannot be opened."""
    row = db.execute(
        select(table).where(
            _i.tenant_id == who.tenant_id, _i.id == integration_id, _i.kind == WEBHOOK, _i.status == "active"
        )
    ).one_or_none()
    secret = _secrets(row, sealer).get("secret") if row is not None else None
    if row is None or not isinstance(secret, str):
        return None
    return Endpoint(row.id, str(row.config["url"]), secret)


def api_key(db: Db, who: Actor, business_id: int, kind: str, *, sealer: Sealer) -> str | None:
    """The key of the business's own account with that service, the oldest that is active and has one."""
    rows = db.execute(
        select(table)
        .where(_i.tenant_id == who.tenant_id, _i.business_id == business_id, _i.kind == kind, _i.status == "active")
        .order_by(_i.id)
    )
    for row in rows:
        secrets = _secrets(row, sealer)
        for name in ("api_key", "apiKey"):
            if isinstance(key := secrets.get(name), str) and key:
                return key
    return None


def find(
    db: Db,
    who: Actor,
    window: Window,
    *,
    sealer: Sealer,
    search: str | None = None,
    kind: str | None = None,
    status: str | None = None,
    business: Ref | None = None,
) -> Found[Integration]:
    """The tenant's, the oldest first.

    Raises: NotFound, Invalid
    """
    wanted = _COLUMNS.where(_i.tenant_id == who.tenant_id)
    if business is not None:
        wanted = wanted.where(_i.business_id == refs.id_of(db, businesses, who, business, "business"))
    if kind is not None:
        wanted = wanted.where(_i.kind == kind)
    if status is not None:
        wanted = wanted.where(_i.status == status)
    if search:
        wanted = wanted.where(contains(search, _i.name, _i.kind))
    sorts = {"created_at": _i.created_at, "name": _i.name, "type": _i.kind}
    return page(db, wanted, window, lambda row: _one(row, sealer), sorts=sorts, by="created_at", tie=_i.id)


def get(db: Db, who: Actor, ref: Ref, *, sealer: Sealer) -> Integration:
    """Raises: NotFound"""
    return _read(db, refs.id_of(db, table, who, ref, NOUN), sealer)


def add(
    db: Db,
    who: Actor,
    *,
    kind: str,
    name: str = "",
    config: Mapping[str, JsonValue],
    status: str = "inactive",
    business: Ref | None = None,
    sealer: Sealer,
    now: datetime,
) -> Integration:
    """Raises: NotFound, Invalid"""
    home = whose.business(db, who, business)
    uid = new_uid()
    plain, secrets = _parted(kind, config, {})
    values = {
        "uid": uid,
        "business_id": home.id,
        "kind": kind,
        "name": name,
        "config": plain,
        "secrets": _sealed(secrets, sealer, who.tenant_id, uid),
        "status": status,
    }
    made = records.add(db, who, table, values, noun=NOUN, private=("config",), now=now)
    _tell(db, who, kind, home.id, now=now)
    return _read(db, made.id, sealer)


def change(db: Db, who: Actor, ref: Ref, values: Mapping[str, Any], *, sealer: Sealer, now: datetime) -> Integration:
    """`values`: name, config (which is replaced; a mask keeps its secret), status, and kind and business, which must be
    the same.

    Raises: NotFound, Invalid
    """
    before = refs.row(db, table, who, ref, NOUN, lock=True)
    if values.get("kind", before.kind) != before.kind:
        raise Invalid("type", "An integration stays what it is: add another one instead.")
    given = values.get("business")
    if given is not None and refs.id_of(db, businesses, who, given, "business") != before.business_id:
        raise Invalid("business_id", "An integration stays with its business.")
    changes = {name: values[name] for name in ("name", "status") if name in values}
    if "config" in values:
        old = _secrets(before, sealer)
        plain, secrets = _parted(before.kind, values["config"], old)
        changes["config"] = plain
        if secrets != old:  # sealed anew, the same would look different
            changes["secrets"] = _sealed(secrets, sealer, who.tenant_id, before.uid)
    records.change(db, who, table, before.id, changes, noun=NOUN, private=("config",), now=now)
    _tell(db, who, before.kind, before.business_id, now=now)
    return _read(db, before.id, sealer)


def remove(db: Db, who: Actor, ref: Ref, *, now: datetime) -> None:
    """Raises: NotFound"""
    records.remove(db, who, table, ref, noun=NOUN, private=("config",), now=now)


def _tell(db: Db, who: Actor, kind: str, business_id: int, *, now: datetime) -> None:
    """With another key there may be a voice at last; sounds that are there are not made again."""
    if kind == SPEECH:
        prompts.ask_all(db, who.tenant_id, business_id, now=now)


def masked(secret: JsonValue) -> str:
    """What is shown of a secret."""
    text = secret if isinstance(secret, str) else ""
    return MASK + (text[-_SHOWN:] if len(text) >= _LONG else "")


def _parted(
    kind: str, config: Mapping[str, JsonValue], old: Mapping[str, JsonValue]
) -> tuple[dict[str, JsonValue], dict[str, JsonValue]]:
    """What is no secret, and what is; a mask stands for what was there.

    Raises: Invalid
    """
    _check(config)
    plain: dict[str, JsonValue] = {}
    secrets: dict[str, JsonValue] = {}
    for key, value in config.items():
        if _has_mask(value):
            if key not in old or value != masked(old[key]):
                raise Invalid(f"config.{key}", "This is the mask of another secret: send the secret itself.")
            secrets[key] = old[key]
        elif value is not None and _is_secret(kind, key, value):
            secrets[key] = value
        else:
            plain[key] = value
    if kind == WEBHOOK:
        _check_webhook(plain, secrets)
    return plain, secrets


def _check_webhook(plain: Mapping[str, JsonValue], secrets: Mapping[str, JsonValue]) -> None:
    """Raises: Invalid, naming what is missing. Whether the address may be asked is not known here."""
    if not isinstance(plain.get("url"), str):
        raise Invalid("config.url", "Give the address that is asked, such as https://example.com/frontdesk.")
    secret = secrets.get("secret")
    if not isinstance(secret, str) or not _SHORTEST_SECRET <= len(secret) <= _LONGEST_SECRET:
        raise Invalid(
            "config.secret",
            f"Give the secret that questions are signed with: {_SHORTEST_SECRET} to {_LONGEST_SECRET} characters.",
        )
    try:
        webhooks.key(secret)
    except Invalid as bad:
        raise Invalid("config.secret", bad.message) from None


def _is_secret(kind: str, key: str, value: JsonValue) -> bool:
    """Something with a secret deep inside is one as a whole."""
    if key in SECRETS[kind] or _SOUNDS_SECRET.search(key):
        return True
    if isinstance(value, Mapping):
        return any(_is_secret(kind, inner, one) for inner, one in value.items())
    if isinstance(value, list):
        return any(_is_secret(kind, "", one) for one in value)
    return False


def _has_mask(value: JsonValue) -> bool:
    if isinstance(value, Mapping):
        return any(_has_mask(one) for one in value.values())
    if isinstance(value, list):
        return any(_has_mask(one) for one in value)
    return isinstance(value, str) and value.startswith(MASK)


def _check(config: Mapping[str, JsonValue]) -> None:
    """Raises: Invalid, for what is too large to keep or cannot be kept as JSON"""
    if _depth(config) > _DEEPEST:
        raise Invalid("config", f"Nest at most {_DEEPEST} levels.")
    try:
        size = len(orjson.dumps(config))
    except (TypeError, ValueError):  # a number beyond 64 bits, half a character
        raise Invalid("config", "This has a number or a character that cannot be kept.") from None
    if size > _MOST_BYTES:
        raise Invalid("config", f"Keep at most {_MOST_BYTES} bytes.")


def _depth(value: JsonValue) -> int:
    deepest, waiting = 0, [(value, 1)]
    while waiting:
        one, depth = waiting.pop()
        if isinstance(one, Mapping | list):
            deepest = max(deepest, depth)
            inside = one.values() if isinstance(one, Mapping) else one
            waiting += [(inner, depth + 1) for inner in inside]
    return deepest


def _sealed(secrets: Mapping[str, JsonValue], sealer: Sealer, tenant_id: int, uid: str) -> str | None:
    return sealer.seal(secrets, tenant_id=tenant_id, field=f"integrations.secrets:{uid}") if secrets else None


def _secrets(row: Row[Any], sealer: Sealer) -> dict[str, JsonValue]:
    """What was sealed; empty when it cannot be opened any more (with another key), so that it can be given anew."""
    if row.secrets is None:
        return {}
    try:
        found = sealer.unseal(row.secrets, tenant_id=row.tenant_id, field=f"integrations.secrets:{row.uid}")
    except SealBroken:
        return {}
    return dict(found) if isinstance(found, Mapping) else {}


def _read(db: Db, integration_id: int, sealer: Sealer) -> Integration:
    return _one(db.execute(_COLUMNS.where(_i.id == integration_id)).one(), sealer)


def _one(row: Any, sealer: Sealer) -> Integration:
    shown = {key: masked(secret) for key, secret in _secrets(row, sealer).items()}
    return Integration(
        id=row.id,
        uid=row.uid,
        business_uid=row.business_uid,
        kind=row.kind,
        name=row.name,
        config={**row.config, **shown},
        status=row.status,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


_COLUMNS: Final = select(table, businesses.c.uid.label("business_uid")).join(
    businesses, businesses.c.id == _i.business_id
)
