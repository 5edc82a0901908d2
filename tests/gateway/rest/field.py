"""What tests of field service share: the demo business's ids, and a subscriber who hears everything."""

from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import insert

from storage.base import new_uid
from storage.models.webhooks import webhook_subscriptions
from tests.gateway.rest.api import Client

_NAMED = (
    ("customer", "customers", "Maria Lopez"),
    ("james", "customers", "James Whitfield"),
    ("haircut", "services", "Haircut"),
    ("repair", "services", "Repair visit"),
    ("maya", "staff", "Maya"),
    ("anna", "staff", "Anna"),
    ("sam", "staff", "Sam"),
)


async def ids(api: Client) -> dict[str, str]:
    """Public ids of the demo business, by a short name each."""
    found = {
        key: await api.front.one(f"SELECT uid FROM {table} WHERE name = :name ORDER BY id LIMIT 1", name=name)
        for key, table, name in _NAMED
    }
    found["business"] = await api.front.one("SELECT uid FROM businesses ORDER BY id LIMIT 1")
    return {key: str(UUID(str(uid))) for key, uid in found.items()}


async def subscribe(api: Client) -> None:
    """Somebody who is told of everything."""
    now = api.front.clock.now()
    values = {
        "uid": new_uid(),
        "tenant_id": api.tenant_id,
        "url": "https://example.com/hook",
        "event_types": ["*"],
        "secrets": "sealed",
        "created_at": now,
        "updated_at": now,
    }
    await api.front.house.store.write(lambda db: db.execute(insert(webhook_subscriptions).values(values)).rowcount)


async def told(api: Client) -> list[tuple[str, dict[str, Any]]]:
    """The events since then, each with its data."""
    rows = await api.front.rows("SELECT event, body FROM webhook_deliveries ORDER BY id")
    bodies = [(event, orjson.loads(body) if isinstance(body, str) else body) for event, body in rows]
    return [(event, body["data"]) for event, body in bodies]
