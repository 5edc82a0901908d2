"""What happens in the business, told to its subscribers. The deliveries are written with what they tell of."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from types import MappingProxyType

from sqlalchemy import bindparam, insert, select

from storage import queue
from storage.base import Db, JsonValue, new_uid
from storage.models.webhooks import webhook_deliveries, webhook_subscriptions
from storage.prepared import Prepared
from storage.session import Conflict, attempt, found_out

KIND = "webhook"  # the job that delivers one
TOPIC = "jobs:webhook"  # what its worker listens to
ALL = "*"  # a subscription to everything

# Everything one can subscribe to, and what it tells.
EVENTS: Mapping[str, str] = MappingProxyType(
    {
        "customer.created": "A new customer was added.",
        "customer.updated": "A customer's details changed.",
        "customer.merged": "Two customers turned out to be one.",
        "customer.deleted": "A customer was removed.",
        "conversation.created": "Somebody wrote for the first time.",
        "conversation.assigned": "A person was given a conversation.",
        "conversation.handed_off": "The bot asked for a person.",
        "conversation.closed": "A conversation was closed.",
        "conversation.sla_warning": "A promised time for an answer is near.",
        "conversation.sla_breached": "A promised time for an answer has passed.",
        "message.received": "A customer wrote.",
        "message.sent": "Something was said to a customer.",
        "message.changed": "Somebody changed what they had said, or took it back.",
        "message.failed": "Something that was said did not get through to a customer.",
        "channel.failed": "Nothing goes out over a channel until somebody sets something right; told once an hour.",
        "call.started": "Somebody calls, or is called.",
        "call.ended": "A call is over.",
        "appointment.booked": "A visit was booked.",
        "appointment.moved": "A visit was moved.",
        "appointment.cancelled": "A visit was cancelled.",
        "appointment.confirmed": "A visit was confirmed.",
        "appointment.completed": "A visit took place.",
        "appointment.no_show": "A customer did not come.",
        "work_order.created": "New work order created.",
        "work_order.scheduled": "Work order scheduled.",
        "work_order.started": "Technician started work.",
        "work_order.completed": "Work order completed.",
        "invoice.created": "Invoice generated.",
        "invoice.sent": "Invoice sent to customer.",
        "invoice.paid": "Invoice paid.",
        "payment.received": "Payment received.",
        "deal.created": "A deal was added.",
        "deal.updated": "A deal moved or changed.",
        "agent.completed": "An AI agent finished its work.",
        "sending.capped": "Messages to numbers that never wrote to us became too many, and more are refused.",
        "usage.quota_exceeded": "A limit of the plan was reached.",
        "subscription.expiring": "The subscription to Frontdesk ends soon.",
        "webhook.disabled": "A subscriber's address was switched off after days of failure.",
        "webhook.test": "Somebody tried out the subscription.",
    }
)


Data = Mapping[str, JsonValue]


def emit(db: Db, tenant_id: int, event: str, data: Data | Callable[[], Data], *, now: datetime) -> None:
    """Tell every active subscription of the tenant that listens to `event`. `data` holds public ids, states and times.

    In the caller's transaction: what did not happen is told to nobody, and what happened is told to all. What has to be
    looked up for `data` is given as a function, which is called only if somebody listens.
    """
    assert event in EVENTS, event  # noqa: S101  a name we made up ourselves
    listening = [one for one, types in _subscribers(db, tenant_id) if event in types or ALL in types]
    if not listening:
        return
    told = data() if callable(data) else data
    for subscription_id in listening:
        with suppress(Conflict), attempt(db):  # removed in this very moment, it must not undo what is told of
            deliver(db, tenant_id, subscription_id, event, told, now=now)


def subscriptions_changed(db: Db) -> None:
    """Whoever changes subscriptions says so, for the rest of the transaction."""
    found_out(db).pop(_KEPT, None)


def _subscribers(db: Db, tenant_id: int) -> list[tuple[int, frozenset[str]]]:
    """The active subscriptions and what they listen to; a turn tells of several things and asks once."""
    kept: dict[int, list[tuple[int, frozenset[str]]]] = found_out(db).setdefault(_KEPT, {})
    if (found := kept.get(tenant_id)) is None:
        rows = _SUBSCRIBERS(db, {"tenant_id": tenant_id})
        found = kept[tenant_id] = [(row.id, frozenset(row.event_types)) for row in rows]
    return found


def deliver(
    db: Db,
    tenant_id: int,
    subscription_id: int,
    event: str,
    data: Mapping[str, JsonValue],
    *,
    is_test: bool = False,
    now: datetime,
) -> int:
    """Write down one delivery and the job that makes it; its id."""
    body = {"event": event, "timestamp": rfc3339(now), "data": dict(data)}
    delivery_id: int = db.execute(
        insert(webhook_deliveries)
        .values(
            uid=new_uid(),
            tenant_id=tenant_id,
            subscription_id=subscription_id,
            event=event,
            body=body,
            status="waiting",
            next_attempt_at=now,
            is_test=is_test,
            created_at=now,
        )
        .returning(webhook_deliveries.c.id)
    ).scalar_one()
    enqueue(db, tenant_id, subscription_id, delivery_id, now=now)
    return delivery_id


def enqueue(db: Db, tenant_id: int, subscription_id: int, delivery_id: int, *, now: datetime) -> None:
    """Have a delivery made now, from its first try on."""
    queue.enqueue(
        db,
        KIND,
        {"delivery_id": delivery_id},
        now=now,
        tenant_id=tenant_id,
        lane=f"webhook:{subscription_id}",
        priority=1,
        dedupe=f"webhook:{delivery_id}",
        topic=TOPIC,
    )


def rfc3339(at: datetime) -> str:
    """UTC with `Z`, as all our JSON has it."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


_KEPT = "subscribers"
_s = webhook_subscriptions.c
_SUBSCRIBERS = Prepared(
    select(_s.id, _s.event_types).where(_s.tenant_id == bindparam("tenant_id"), _s.is_active.is_(True))
)
