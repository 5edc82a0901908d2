"""`/webhooks`: who is told of what happens, and what became of telling them (docs/webhooks.md)."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from desk import deliveries, events, webhooks
from gateway.rest.call import Call
from gateway.rest.route import Routes
from gateway.rest.schema import Answer, Body, Line, Moment, Page, Search, SkipQuery, Uid

routes = Routes("Webhooks")

_LIMITS = ("v1_ai_tenant", "v1_ai_user")

Address = Annotated[
    str,
    Field(
        min_length=1,
        max_length=2000,
        description="Where events are sent: `https://`, on the public internet.",
        examples=["https://example.com/hooks/frontdesk"],
    ),
]
EventTypes = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=60)]],
    Field(min_length=1, max_length=100, description="Names from `GET /webhooks/events`; `*` is all of them."),
]
Secret = Annotated[
    str,
    Field(
        min_length=8,
        max_length=255,
        pattern=r"^[^\x00-\x1f\x7f]*$",
        description="What deliveries are signed with; made for you when you leave it out. After `whsec_` it is base64.",
    ),
]
Description = Annotated[Line, Field(max_length=500)]
Status = Literal["waiting", "delivered", "failed", "blocked"]


class Webhook(Answer):
    """`secret` is masked; only the answers that made it show it."""

    id: Uid
    url: str
    event_types: list[str]
    description: str
    is_active: bool
    secret: str
    failing_since: Moment | None
    disabled_at: Moment | None
    disabled_for: Literal["by_user", "gone", "failing"] | None
    created_at: Moment
    updated_at: Moment

    @classmethod
    def of(cls, one: webhooks.Webhook, secret: str = webhooks.MASKED) -> "Webhook":
        return cls(**_told(one, secret))


class NewWebhook(Body):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "url": "https://example.com/hooks/frontdesk",
                    "event_types": ["appointment.booked", "appointment.cancelled"],
                    "description": "Our calendar",
                }
            ]
        }
    )

    url: Address
    event_types: EventTypes
    secret: Secret | None = None
    description: Description = ""
    is_active: bool = True

    def fields(self) -> dict[str, Any]:
        return {name: value for name, value in self.values().items() if name != "secret"}


class WebhookChange(Body):
    url: Address = ""
    event_types: EventTypes = Field(default_factory=list)
    secret: Secret | None = None
    description: Description = ""
    is_active: bool = True

    def fields(self) -> dict[str, Any]:
        return {name: value for name, value in self.changes().items() if name != "secret"}


class Rotation(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"overlap_hours": 24}]})

    secret: Secret | None = None
    overlap_hours: Annotated[
        int, Field(ge=0, le=720, description="How long the secret before it signs as well; 0 is not at all.")
    ] = 24


class Rotated(Webhook):
    """`secret` is the new one, shown only now."""

    old_secret_until: Moment | None

    @classmethod
    def to(cls, one: webhooks.Webhook, secret: str, until: datetime | None) -> "Rotated":
        return cls(**_told(one, secret), old_secret_until=until)


class Event(Answer):
    name: str
    description: str


class Delivery(Answer):
    """`id` is the `webhook-id` header. `response_status`, `response_excerpt` and `error` are of the last try."""

    id: Uid
    event: str
    status: Status
    attempts: int
    next_attempt_at: Moment | None
    response_status: int | None
    response_excerpt: str | None
    error: str | None
    duration_ms: int | None
    is_test: bool
    delivered_at: Moment | None
    created_at: Moment

    @classmethod
    def of(cls, one: deliveries.Delivery) -> "Delivery":
        return cls(**_fared(one))


class DeliveryWithBody(Delivery):
    """`body` as it was told, without its signature."""

    body: dict[str, Any]

    @classmethod
    def whole(cls, one: deliveries.Delivery) -> "DeliveryWithBody":
        return cls(**_fared(one), body=dict(one.body))


class Filter(SkipQuery):
    search: Search | None = None
    is_active: bool | None = None
    sort: str | None = None


class DeliveryFilter(SkipQuery):
    status: Status | None = None
    event: Annotated[str | None, Field(max_length=60)] = None
    sort: str | None = None


@routes.get("/webhooks", scope="webhooks:read", summary="Subscriptions", limit=_LIMITS)
async def index(call: Call, query: Filter) -> Page[Webhook]:
    window = query.window(query.sort)
    found = await call.read(webhooks.find, window, search=query.search, is_active=query.is_active)
    return Page[Webhook].of(found, window, Webhook.of)


@routes.post("/webhooks", scope="webhooks:write", summary="Subscribe to events", limit=_LIMITS)
async def create(call: Call, body: NewWebhook) -> Webhook:
    """The answer shows the secret; no other does."""
    await call.house.outside.check(body.url, field="url")
    sealer = call.house.sealer
    made, secret = await call.write(webhooks.add, body.fields(), secret=body.secret, sealer=sealer, now=call.now)
    return Webhook.of(made, secret)


@routes.get("/webhooks/events", scope="webhooks:read", summary="What one can subscribe to", limit=_LIMITS)
async def event_types(call: Call) -> list[Event]:
    return [Event(name=name, description=tells) for name, tells in events.EVENTS.items()]


@routes.get("/webhooks/{webhook_id}", scope="webhooks:read", summary="A subscription", limit=_LIMITS)
async def read(call: Call, webhook_id: Uid) -> Webhook:
    return Webhook.of(await call.read(webhooks.get, webhook_id))


@routes.put("/webhooks/{webhook_id}", scope="webhooks:write", summary="Replace a subscription", limit=_LIMITS)
async def replace(call: Call, webhook_id: Uid, body: NewWebhook) -> Webhook:
    """Without `secret` it stays as it is. Switched on again, a subscription starts without its old failures."""
    return await _change(call, webhook_id, body.fields(), body.secret)


@routes.patch("/webhooks/{webhook_id}", scope="webhooks:write", summary="Change a subscription", limit=_LIMITS)
async def change(call: Call, webhook_id: Uid, body: WebhookChange) -> Webhook:
    """Switched on again, a subscription starts without its old failures."""
    return await _change(call, webhook_id, body.fields(), body.secret)


@routes.delete("/webhooks/{webhook_id}", scope="webhooks:write", summary="Unsubscribe", limit=_LIMITS)
async def remove(call: Call, webhook_id: Uid) -> None:
    """Its deliveries go with it, also those that were still to be made."""
    await call.write(webhooks.remove, webhook_id, now=call.now)


@routes.post(
    "/webhooks/{webhook_id}/test", scope="webhooks:write", summary="Send a test event", status=202, limit=_LIMITS
)
async def send_test(call: Call, webhook_id: Uid) -> DeliveryWithBody:
    """One try, whether or not the subscription is switched on. Look at the delivery to see what came of it."""
    return DeliveryWithBody.whole(await call.write(deliveries.send_test, webhook_id, now=call.now))


@routes.post(
    "/webhooks/{webhook_id}/rotate-secret",
    scope="webhooks:write",
    summary="Change the secret",
    status=200,
    limit=_LIMITS,
)
async def rotate(call: Call, webhook_id: Uid, body: Rotation) -> Rotated:
    """For some hours each delivery is signed with the new secret and with the one before it."""
    overlap, sealer = timedelta(hours=body.overlap_hours), call.house.sealer
    return Rotated.to(
        *await call.write(webhooks.rotate, webhook_id, secret=body.secret, overlap=overlap, sealer=sealer, now=call.now)
    )


@routes.get("/webhooks/{webhook_id}/deliveries", scope="webhooks:read", summary="What was sent", limit=_LIMITS)
async def sent(call: Call, webhook_id: Uid, query: DeliveryFilter) -> Page[Delivery]:
    """The newest first; kept for 30 days."""
    window = query.window(query.sort)
    found = await call.read(deliveries.find, webhook_id, window, status=query.status, event=query.event)
    return Page[Delivery].of(found, window, Delivery.of)


@routes.get(
    "/webhooks/{webhook_id}/deliveries/{delivery_id}", scope="webhooks:read", summary="A delivery", limit=_LIMITS
)
async def delivery(call: Call, webhook_id: Uid, delivery_id: Uid) -> DeliveryWithBody:
    return DeliveryWithBody.whole(await call.read(deliveries.get, webhook_id, delivery_id))


@routes.post(
    "/webhooks/{webhook_id}/deliveries/{delivery_id}/resend",
    scope="webhooks:write",
    summary="Send a delivery again",
    status=202,
    limit=_LIMITS,
)
async def resend(call: Call, webhook_id: Uid, delivery_id: Uid) -> DeliveryWithBody:
    """With the same `webhook-id` and body, signed anew."""
    return DeliveryWithBody.whole(await call.write(deliveries.resend, webhook_id, delivery_id, now=call.now))


async def _change(call: Call, ref: str, values: dict[str, Any], secret: str | None) -> Webhook:
    if "url" in values:
        await call.house.outside.check(values["url"], field="url")
    sealer = call.house.sealer
    return Webhook.of(await call.write(webhooks.change, ref, values, secret=secret, sealer=sealer, now=call.now))


def _told(one: webhooks.Webhook, secret: str) -> dict[str, Any]:
    return {
        "id": one.uid,
        "url": one.url,
        "event_types": [*one.event_types],
        "description": one.description,
        "is_active": one.is_active,
        "secret": secret,
        "failing_since": one.failing_since,
        "disabled_at": one.disabled_at,
        "disabled_for": one.disabled_for,
        "created_at": one.created_at,
        "updated_at": one.updated_at,
    }


def _fared(one: deliveries.Delivery) -> dict[str, Any]:
    return {
        "id": one.uid,
        "event": one.event,
        "status": one.status,
        "attempts": one.attempts,
        "next_attempt_at": one.next_attempt_at,
        "response_status": one.response_status,
        "response_excerpt": one.response_excerpt,
        "error": one.error,
        "duration_ms": one.duration_ms,
        "is_test": one.is_test,
        "delivered_at": one.delivered_at,
        "created_at": one.created_at,
    }
