"""What happens in the business, told to its subscribers. The deliveries are written with what they tell of."""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType

from sqlalchemy import bindparam, insert, select

from storage import queue
from storage.base import Db, JsonValue, new_uid
from storage.models.webhooks import webhook_deliveries, webhook_subscriptions
from storage.prepared import Prepared

KIND = "webhook"  # the job that delivers one
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
        "message.received": "A customer wrote.",
        "message.sent": "Something was said to a customer.",
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
        "usage.quota_exceeded": "A limit of the plan was reached.",
        "subscription.expiring": "The subscription to Frontdesk ends soon.",
        "webhook.disabled": "A subscriber's address was switched off after days of failure.",
        "webhook.test": "Somebody tried out the subscription.",
    }
)


def emit(db: Db, tenant_id: int, event: str, data: Mapping[str, JsonValue], *, now: datetime) -> None:
    """Tell every active subscription of the tenant that listens to `event`. `data` holds public ids, states and times.

    In the caller's transaction: what did not happen is told to nobody, and what happened is told to all.
    """
    assert event in EVENTS, event  # noqa: S101  a name we made up ourselves
    for row in _SUBSCRIBERS(db, {"tenant_id": tenant_id}):
        if event in row.event_types or ALL in row.event_types:
            deliver(db, tenant_id, row.id, event, data, now=now)


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
    queue.enqueue(
        db,
        KIND,
        {"delivery_id": delivery_id},
        now=now,
        tenant_id=tenant_id,
        lane=f"webhook:{subscription_id}",
        priority=1,
        dedupe=f"webhook:{delivery_id}",
    )
    return delivery_id


def rfc3339(at: datetime) -> str:
    """UTC with `Z`, as all our JSON has it."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


_s = webhook_subscriptions.c
_SUBSCRIBERS = Prepared(
    select(_s.id, _s.event_types).where(_s.tenant_id == bindparam("tenant_id"), _s.is_active.is_(True))
)
