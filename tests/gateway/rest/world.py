"""A tenant with something of everything, and what each route needs to be called: for the tests that walk all routes."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from gateway.rest.route import Route
from gateway.rest.v1 import surface
from tests.gateway.front import SID
from tests.gateway.rest.api import Client

V1: Final = surface.make()
NOBODY: Final = "019a0000-0000-7000-8000-000000000000"  # an id that nothing has

# Names in bodies that mean something known under another name in paths.
ALIASES: Final = {
    "other_id": "customer_id",
    "agent_id": "user_id",
    "owner_id": "user_id",
    "assignee_id": "user_id",
    "work_order_id": "request_id",
    "service_request_id": "request_id",
    "member_ids": "user_id",
    "stage_ids": "stage_id",
    "message_ids": "message_id",
    "label_ids": "label_id",
    "mentions": "user_id",
    "stage": "stage_id",
    "assignee": "user_id",
    "after": "message_id",
    "before": "message_id",
}

_IDS: Final = ("_id", "_ids")

World = Mapping[str, str]


async def make(client: Client) -> World:
    """Something of every noun, by the name that paths give it."""
    world = {"user_id": client.uid}

    async def add(name: str, path: str, body: Any, *, status: int = 201, key: str = "id") -> dict[str, Any]:
        made: dict[str, Any] = await client.post(path, body, status=status)
        world[name] = made[key]
        return made

    await add("business_id", "/businesses", {"name": "Elm Street", "time_zone": "America/Chicago"})
    business = f"/businesses/{world['business_id']}"
    hours = {day: [{"opens": "09:00", "closes": "17:00"}] for day in ("monday", "tuesday", "wednesday", "thursday")}
    await client.put(f"{business}/hours", hours)
    await add("service_id", f"{business}/services", {"name": "Shave", "duration_minutes": 30})
    await add("staff_id", f"{business}/staff", {"name": "Ann"})
    absence = {"starts_at": "2026-04-01T09:00:00Z", "ends_at": "2026-04-02T09:00:00Z"}
    await add("absence_id", f"{business}/staff/{world['staff_id']}/absences", absence)
    await add("faq_id", f"{business}/faqs", {"question": "Where do I park?", "answer": "Behind the house."})
    await client.post(f"{business}/holidays", {"date": "2026-12-24", "name": "Christmas Eve"})
    world["day"] = "2026-12-24"
    await add("bot_id", "/bots", {"name": "Elm", "business_id": world["business_id"]})
    scenarios = await client.get(f"/bots/{world['bot_id']}/scenarios")
    world["scenario_id"] = scenarios["items"][0]["id"]
    world["number"] = "1"
    site = {"kind": "sms", "address": f"+1512557{1000 + client.tenant_id}"}
    site |= {"business_id": world["business_id"], "bot_id": world["bot_id"]}
    await add("channel_id", "/channels", site)
    phone = f"+1512555{1000 + client.tenant_id}"
    await add("number_id", "/whatsapp", {"phone_number": phone, "business_id": world["business_id"]})
    line = f"+1512558{1000 + client.tenant_id}"
    await client.post("/channels", {**site, "kind": "voice", "address": line})
    ring = {"CallSid": f"CA{client.tenant_id:032x}", "AccountSid": SID, "From": "+15125550178", "To": line}
    await client.front.post(ring, path="/api/v1/webhooks/twilio/voice")
    world["call_id"] = (await client.get("/calls"))["items"][0]["id"]
    await add("customer_id", "/customers", {"name": "Kim Lee", "phone": f"+1512556{1000 + client.tenant_id}"})
    await add("attribute_id", "/attributes", {"key": "pet", "label": "Pet", "kind": "text"})
    await add("transfer_id", "/customers/export", {"format": "csv"}, status=202)
    words = {"customer_id": world["customer_id"], "channel_id": world["channel_id"], "text": "Hello, Kim."}
    await add("conversation_id", "/conversations", words)
    await add("message_id", f"/conversations/{world['conversation_id']}/messages", {"text": "A note.", "private": True})
    sent = await client.call("POST", "/media", data=b"words", headers={"Content-Type": "text/plain"})
    world["file_id"] = sent.json["id"]
    await add("reply_id", "/canned-replies", {"shortcut": "parking", "text": "Behind the house."})
    await add("team_id", "/teams", {"name": "Front"})
    await add("label_id", "/labels", {"name": "urgent"})
    await add("policy_id", "/sla-policies", {"name": "Quick", "first_answer_minutes": 5})
    await add("stage_id", "/pipeline-stages", {"name": "Waiting"})
    await add("deal_id", "/deals", {"title": "A deal", "customer_id": world["customer_id"]})
    await add("broadcast_id", "/broadcasts", {"name": "News", "channel_id": world["channel_id"], "text": "Hello."})
    await add("webhook_id", "/webhooks", {"url": "https://example.com/hook", "event_types": ["invoice.paid"]})
    await client.post(f"/webhooks/{world['webhook_id']}/test", {}, status=202)
    deliveries = await client.get(f"/webhooks/{world['webhook_id']}/deliveries")
    world["delivery_id"] = deliveries["items"][0]["id"]
    technician = {"name": "Bo", "business_id": world["business_id"]}
    await add("technician_id", "/technicians", technician)
    request = {"title": "Fix the boiler", "customer_id": world["customer_id"]}
    await add("request_id", "/service-requests", request)
    visit = {
        "customer_id": world["customer_id"],
        "service_id": world["service_id"],
        "technician_id": world["technician_id"],
        "starts_at": "2026-03-04T16:00:00Z",
    }
    await add("appointment_id", "/appointments", visit)
    await add("invoice_id", "/invoices", {"customer_id": world["customer_id"], "subtotal": 100, "tax": 8.25})
    await add("integration_id", "/integrations", {"type": "twilio", "config": {}})
    await add("invitation_id", "/invitations", {"email": f"new-{client.tenant_id}@example.com", "role": "agent"})
    invited = {"invitations": [{"email": f"many-{client.tenant_id}@example.com", "role": "agent"}]}
    await add("list_id", "/invitations/bulk", invited, status=202)
    await add("key_id", "/api-keys", {"name": "Till", "scopes": ["customers:read"]})
    await add("app_id", "/oauth-apps", {"name": "App", "scopes": ["customers:read"]})
    sessions = await client.get("/auth/sessions")
    world["session_id"] = sessions["items"][0]["id"]
    return world


def path_of(route: Route, world: World) -> str:
    """The route's path with the world's ids in it."""
    return route.path.format(**{name: world[name] for name in route.params})


def body_of(route: Route, world: World, **other: str) -> Any:
    """The route's example with the world's ids in it, but for those in `other`."""
    if route.body is None:
        return None if route.method in ("GET", "DELETE") else {}
    extra = route.body.model_config.get("json_schema_extra")
    examples = extra.get("examples") if isinstance(extra, dict) else None
    body: dict[str, Any] = dict(examples[0]) if isinstance(examples, list) and isinstance(examples[0], dict) else {}
    meant = {ALIASES.get(name, name) for name in other}
    for name in ids_in(route):
        body.pop(name, None)
        what = ALIASES.get(name, name)
        value = other.get(name) or (None if what in meant or not name.endswith(_IDS) else world.get(what))
        if value is not None:
            meant.add(what)  # two names of one thing exclude each other
            body[name] = [value] if name.endswith("s") else value
    return body


def ids_in(route: Route) -> list[str]:
    """The fields of the route's body that name something of the tenant's."""
    fields = route.body.model_fields if route.body is not None else {}
    return [name for name in fields if name.endswith(_IDS) or name in ALIASES]


def asked_in(route: Route) -> list[str]:
    """The parameters of the route's query that name something of the tenant's."""
    fields = route.query.model_fields if route.query is not None else {}
    return [
        name
        for name, field in fields.items()
        if name.endswith(_IDS) or (name in ALIASES and "uuid" in repr(field)) or name == "assignee"
    ]


def query_of(route: Route, world: World, **other: str) -> str:
    """What the route must be asked with the world's ids in it, and what is in `other`."""
    fields = route.query.model_fields if route.query is not None else {}
    needed = {name: world[name] for name, field in fields.items() if field.is_required() and name in world}
    return urlencode({**needed, **other})
