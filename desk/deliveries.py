"""What is sent to subscribers, and what became of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Row, delete, select, update

from desk import audit, events, refs, webhooks
from desk.errors import NotFound
from desk.listing import Found, Window, page
from desk.refs import Ref
from desk.text import storable
from desk.who import Actor
from storage.base import Db, JsonValue
from storage.models.webhooks import webhook_deliveries as table
from storage.models.webhooks import webhook_subscriptions as subscriptions
from storage.seal import SealBroken, Sealer

NOUN: Final = "delivery"
KEPT: Final = timedelta(days=30)
_d, _s = table.c, subscriptions.c


@dataclass(frozen=True, slots=True)
class Delivery:
    """`uid` is the `webhook-id`. `status`: waiting, delivered, failed, blocked. `response_…` and `error` are of the last try."""

    id: int
    uid: str
    event: str
    body: Mapping[str, JsonValue]
    status: str
    attempts: int
    next_attempt_at: datetime | None
    response_status: int | None
    response_excerpt: str | None
    error: str | None
    duration_ms: int | None
    is_test: bool
    delivered_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Letter:
    """A delivery that is about to be made. `secrets` sign it, the newest first."""

    id: int
    uid: str
    tenant_id: int
    subscription_id: int
    url: str
    secrets: tuple[str, ...] = field(repr=False)
    body: Mapping[str, JsonValue]
    is_test: bool


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of a try: a status with the beginning of its body, or the error why there is none."""

    status: int | None = None
    excerpt: str | None = None
    error: str | None = None
    duration_ms: int = 0
    is_blocked: bool = False  # the address may not be asked

    @property
    def is_taken(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def is_gone(self) -> bool:
        """The subscriber wants nothing any more."""
        return self.status == 410


def find(
    db: Db,
    who: Actor,
    webhook: Ref,
    window: Window,
    *,
    status: str | None = None,
    event: str | None = None,
) -> Found[Delivery]:
    """Those of one subscription, the newest first.

    Raises: NotFound
    """
    wanted = select(table).where(_d.subscription_id == refs.id_of(db, subscriptions, who, webhook, webhooks.NOUN))
    if status is not None:
        wanted = wanted.where(_d.status == status)
    if event is not None:
        wanted = wanted.where(_d.event == event)
    return page(db, wanted, window, _one, sorts={"created_at": _d.id}, by="-created_at", tie=_d.id)


def get(db: Db, who: Actor, webhook: Ref, ref: Ref) -> Delivery:
    """Raises: NotFound"""
    return _one(_row(db, who, webhook, ref))


def resend(db: Db, who: Actor, webhook: Ref, ref: Ref, *, now: datetime) -> Delivery:
    """The delivery, to be made now with the same `webhook-id`, and again on the whole schedule if it has to be.

    Raises: NotFound
    """
    before = _row(db, who, webhook, ref)
    waiting = update(table).where(_d.id == before.id).values(status="waiting", next_attempt_at=now).returning(table)
    row = db.execute(waiting).one()
    events.enqueue(db, row.tenant_id, row.subscription_id, row.id, now=now)
    audit.record(db, who, "webhook.resent", NOUN, row.id, {"status": before.status}, None, now, uid=row.uid)
    return _one(row)


def send_test(db: Db, who: Actor, webhook: Ref, *, now: datetime) -> Delivery:
    """A `webhook.test` for this subscription, whatever it listens to and whether or not it is switched on.

    Raises: NotFound
    """
    one = webhooks.get(db, who, webhook)
    data = {"webhook_id": one.uid, "message": "It works."}
    made = events.deliver(db, who.tenant_id, one.id, "webhook.test", data, is_test=True, now=now)
    return _one(db.execute(select(table).where(_d.id == made)).one())


def begin(db: Db, delivery_id: int, sealer: Sealer, *, now: datetime) -> Letter | None:
    """What to send; None when there is nothing to send any more."""
    found = select(*_d, _s.url, _s.secrets, _s.is_active).join(subscriptions, _s.id == _d.subscription_id)
    row = db.execute(found.where(_d.id == delivery_id)).one_or_none()
    if row is None or row.status != "waiting":
        return None
    if not row.is_active and not row.is_test:
        _settle(db, row.id, {"status": "failed", "next_attempt_at": None, "error": "The subscription is switched off."})
        return None
    try:
        secrets = webhooks.signing_secrets(sealer, row.secrets, tenant_id=row.tenant_id, now=now)
    except SealBroken:
        error = "The secret cannot be opened with today's key; give the subscription a new one."
        _settle(db, row.id, {"status": "failed", "next_attempt_at": None, "error": error})
        return None
    return Letter(
        id=row.id,
        uid=row.uid,
        tenant_id=row.tenant_id,
        subscription_id=row.subscription_id,
        url=row.url,
        secrets=secrets,
        body=row.body,
        is_test=row.is_test,
    )


def taken(db: Db, letter: Letter, reply: Reply, *, now: datetime) -> None:
    """It arrived; whatever was wrong with the subscriber is over."""
    _settle(
        db,
        letter.id,
        {**_told(reply), "status": "delivered", "delivered_at": now, "next_attempt_at": None, "error": None},
    )
    if not letter.is_test:
        well = update(subscriptions).where(_s.id == letter.subscription_id, _s.failing_since.is_not(None))
        db.execute(well.values(failing_since=None))


def not_taken(
    db: Db,
    letter: Letter,
    reply: Reply,
    *,
    retry_at: datetime | None,
    disable_after: timedelta,
    now: datetime,
) -> datetime | None:
    """When to try again: `retry_at`, or None when there is no use in it. A subscriber that is gone, or has failed for
    `disable_after`, is switched off. A test changes nothing but its own delivery.
    """
    if letter.is_test or reply.is_blocked:
        retry_at = None
    if not letter.is_test and _note_failure(db, letter, reply, disable_after, now):
        retry_at = None
    status = "blocked" if reply.is_blocked else "waiting" if retry_at else "failed"
    _settle(db, letter.id, {**_told(reply), "status": status, "next_attempt_at": retry_at})
    return retry_at


def forget_old(db: Db, *, now: datetime, limit: int = 200) -> int:
    """How many of the oldest deliveries were thrown away because they are older than a month."""
    oldest = select(_d.id, _d.created_at).order_by(_d.id).limit(limit).subquery()
    old = select(oldest.c.id).where(oldest.c.created_at < now - KEPT)
    return db.execute(delete(table).where(_d.id.in_(old))).rowcount


def _note_failure(db: Db, letter: Letter, reply: Reply, disable_after: timedelta, now: datetime) -> bool:
    """Note the failure with the subscription; True when that switched it off, or it is off already."""
    row = db.execute(select(subscriptions).where(_s.id == letter.subscription_id).with_for_update()).one_or_none()
    if row is None or not row.is_active:
        return True
    since = row.failing_since or now
    if reply.is_gone or now - since >= disable_after:
        _switch_off(db, row, "gone" if reply.is_gone else "failing", since, now)
        return True
    if row.failing_since is None:
        db.execute(update(subscriptions).where(_s.id == row.id).values(failing_since=now))
    return False


def _switch_off(db: Db, row: Row[Any], why: str, since: datetime, now: datetime) -> None:
    off = {"is_active": False, "failing_since": since, "disabled_at": now, "disabled_for": why}
    db.execute(update(subscriptions).where(_s.id == row.id).values(**off))
    facts: dict[str, JsonValue] = {"is_active": False, "reason": why, "failing_since": events.rfc3339(since)}
    who = Actor(row.tenant_id, "system")
    audit.record(db, who, "webhook.disabled", webhooks.NOUN, row.id, {"is_active": True}, facts, now, uid=row.uid)
    events.subscriptions_changed(db)
    told: dict[str, JsonValue] = {"webhook_id": row.uid, "reason": why, "failing_since": events.rfc3339(since)}
    events.emit(db, row.tenant_id, "webhook.disabled", told, now=now)


def _row(db: Db, who: Actor, webhook: Ref, ref: Ref) -> Row[Any]:
    """Raises: NotFound"""
    subscription_id = refs.id_of(db, subscriptions, who, webhook, webhooks.NOUN)
    row = refs.row(db, table, who, ref, NOUN)
    if row.subscription_id != subscription_id:
        raise NotFound(NOUN, ref)
    return row


def _told(reply: Reply) -> dict[str, Any]:
    return {
        "attempts": _d.attempts + 1,
        "response_status": reply.status,
        "response_excerpt": None if reply.excerpt is None else storable(reply.excerpt, 1000),
        "error": reply.error,
        "duration_ms": reply.duration_ms,
    }


def _settle(db: Db, delivery_id: int, values: Mapping[str, Any]) -> None:
    db.execute(update(table).where(_d.id == delivery_id).values(**values))


def _one(row: Row[Any]) -> Delivery:
    return Delivery(
        id=row.id,
        uid=row.uid,
        event=row.event,
        body=row.body,
        status=row.status,
        attempts=row.attempts,
        next_attempt_at=row.next_attempt_at,
        response_status=row.response_status,
        response_excerpt=row.response_excerpt,
        error=row.error,
        duration_ms=row.duration_ms,
        is_test=row.is_test,
        delivered_at=row.delivered_at,
        created_at=row.created_at,
    )
