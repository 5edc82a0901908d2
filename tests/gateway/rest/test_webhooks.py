"""Subscriptions to events over REST."""

import base64
from pathlib import Path
from typing import Any

import pytest

from desk import webhooks
from desk.events import EVENTS
from desk.who import Actor
from storage.base import Db
from tests.clock import FakeClock
from tests.gateway import front
from tests.gateway.front import Front
from tests.gateway.rest.api import Client, person, stranger

OURS: dict[str, Any] = {
    "url": "https://nobody-has-this.example/hooks",
    "event_types": ["appointment.booked", "invoice.paid"],
}
SEED = {  # as the documents have it
    "url": "https://myapp.com/webhooks/taskassistant",
    "event_types": ["agent.completed", "usage.quota_exceeded", "subscription.expiring"],
    "secret": "webhook_secret_key_123",
    "description": "Production webhook",
    "is_active": True,
}
SHORT_SEED = {"url": "https://myapp.com/webhooks", "event_types": ["agent.completed"], "secret": "my_secret_key"}


async def test_they_are_added_read_changed_and_removed_and_the_secret_is_shown_once(api: Client) -> None:
    made = await api.post("/webhooks", OURS)
    assert made.items() >= OURS.items()
    assert (made["is_active"], made["description"], made["disabled_for"]) == (True, "", None)
    assert made["secret"].startswith("whsec_")
    assert len(base64.b64decode(made["secret"].removeprefix("whsec_"))) == 32
    path = f"/webhooks/{made['id']}"
    shown = await api.get(path)
    assert shown == {**made, "secret": "********"}
    assert (await api.get("/webhooks/?search=HOOKS&is_active=true"))["items"] == [shown]
    assert (await api.get("/webhooks?is_active=false"))["total"] == 0
    assert await api.put(path, shown) == shown  # the mask means: as it is
    changed = await api.patch(path, {"event_types": ["*", "*"], "description": "All of it"})
    assert (changed["event_types"], changed["url"]) == (["*"], OURS["url"])
    off = await api.patch(path, {"is_active": False})
    assert (off["disabled_for"], off["disabled_at"]) == ("by_user", "2026-03-02T18:00:00Z")
    assert (await api.patch(path, {"is_active": True}))["disabled_for"] is None
    await api.delete(path)
    await api.get(path, status=404)


@pytest.mark.parametrize("seed", [SEED, SHORT_SEED])
async def test_the_examples_of_the_documents_are_taken(api: Client, seed: dict[str, Any]) -> None:
    made = await api.post("/webhooks/", seed)
    assert made.items() >= {"is_active": True, **seed}.items()


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"event_types": []}, "event_types"),
    ({"event_types": ["invoice.paid", "invoice.eaten"]}, "event_types.1"),
    ({"event_types": "invoice.paid"}, "event_types"),
    ({"url": "http://example.com/hooks"}, "url"),
    ({"url": "https://127.0.0.1/hooks"}, "url"),
    ({"url": "https://localhost./hooks"}, "url"),
    ({"url": "https://[::ffff:10.0.0.1]/hooks"}, "url"),
    ({"url": "https://169.254.169.254/latest/meta-data"}, "url"),
    ({"url": "https://user:pw@example.com/"}, "url"),
    ({"url": "https://example.com:0/"}, "url"),
    ({"url": "https://example.com/" + "x" * 2000}, "url"),
    ({"url": "not an address"}, "url"),
    ({"secret": "short"}, "secret"),
    ({"secret": "s" * 256}, "secret"),
    ({"secret": "whsec_not base64!"}, "secret"),
    ({"secret": "whsec_"}, "secret"),
    ({"secret": "********"}, "secret"),
    ({"description": "x" * 501}, "description"),
    ({"colour": "red"}, "colour"),
]


async def test_what_cannot_be_is_refused_and_named(api: Client) -> None:
    path = f"/webhooks/{(await api.post('/webhooks', OURS))['id']}"
    for wrong, field in WRONG:
        refused = [await api.post("/webhooks", {**OURS, **wrong}, status=422)]
        if wrong != {"secret": "********"}:  # in a change it means: as it is
            refused.append(await api.patch(path, wrong, status=422))
        for answer in refused:
            assert ".".join(map(str, answer["detail"][0]["loc"][1:])) == field, (wrong, answer)
    assert (await api.get(path))["url"] == OURS["url"]
    assert "invoice.eaten" in str(await api.post("/webhooks", {**OURS, "event_types": ["invoice.eaten"]}, status=422))


async def test_the_events_are_listed(api: Client) -> None:
    listed = await api.get("/webhooks/events")
    assert [one["name"] for one in listed] == [*EVENTS]
    assert all(one["description"] for one in listed)


async def test_rotating_gives_a_new_secret_and_says_until_when_the_old_one_signs(api: Client) -> None:
    made = await api.post("/webhooks", OURS)
    path = f"/webhooks/{made['id']}/rotate-secret"
    rotated = await api.post(path, status=200)
    assert rotated["secret"] not in (made["secret"], "********")
    assert rotated["old_secret_until"] == "2026-03-03T18:00:00Z"
    chosen = await api.post(path, {"secret": "of-our-own-making", "overlap_hours": 0}, status=200)
    assert (chosen["secret"], chosen["old_secret_until"]) == ("of-our-own-making", None)
    await api.post(path, {"overlap_hours": 721}, status=422)


async def test_secrets_and_addresses_are_not_in_the_audit_nor_in_the_database(api: Client) -> None:
    made = await api.post("/webhooks", {**OURS, "url": OURS["url"] + "?token=hush-hush", "secret": "a-secret-of-ours"})
    path = f"/webhooks/{made['id']}"
    await api.patch(path, {"secret": "another-of-ours", "description": "x"})
    await api.post(f"{path}/rotate-secret", {"secret": "third-of-ours"}, status=200)
    await api.delete(path)
    rows = await api.front.rows("SELECT action, before, after FROM audit WHERE noun = 'webhook' ORDER BY id")
    assert [row[0] for row in rows] == [
        f"webhook.{what}" for what in ("created", "updated", "secret_rotated", "deleted")
    ]
    assert not any(secret in str(rows) for secret in ("of-ours", "hush-hush"))
    await api.post("/webhooks", {**OURS, "secret": "a-secret-of-ours"})
    assert "of-ours" not in str(await api.front.rows("SELECT secrets FROM webhook_subscriptions"))


async def test_another_tenants_are_not_there(desk: Front, api: Client) -> None:
    path = f"/webhooks/{(await api.post('/webhooks', OURS))['id']}"
    sent = await api.post(f"{path}/test", status=202)
    other = await stranger(desk)
    own = f"/webhooks/{(await other.post('/webhooks', OURS))['id']}"
    assert (await other.get("/webhooks"))["total"] == 1
    for method, what in (
        ("GET", path),
        ("PUT", path),
        ("PATCH", path),
        ("DELETE", path),
        ("POST", f"{path}/test"),
        ("POST", f"{path}/rotate-secret"),
        ("GET", f"{path}/deliveries"),
        ("GET", f"{path}/deliveries/{sent['id']}"),
        ("GET", f"{own}/deliveries/{sent['id']}"),
        ("POST", f"{path}/deliveries/{sent['id']}/resend"),
        ("POST", f"{own}/deliveries/{sent['id']}/resend"),
    ):
        body = OURS if method == "PUT" else {} if method in ("POST", "PATCH") else None
        assert (await other.call(method, what, body)).status == 404, (method, what)
    viewer = await person(desk, "viewer")
    await viewer.get("/webhooks", status=403)
    await viewer.post("/webhooks", OURS, status=403)


async def test_webhooks_of_providers_are_no_subscriptions(api: Client) -> None:
    assert (await api.call("POST", "/webhooks/twilio/messages", {})).json["error_code"] == "BAD_SIGNATURE"
    await api.get("/webhooks/whatsapp-or-anything", status=404)


async def test_a_tenant_has_at_most_a_hundred(api: Client) -> None:
    values = {**OURS, "description": "", "is_active": True}
    house, who = api.front.house, Actor(api.tenant_id, "system")

    def fill(db: Db) -> None:
        for _ in range(100):
            webhooks.add(db, who, values, secret=None, sealer=house.sealer, now=house.clock.now())

    await house.store.write(fill)
    assert (await api.post("/webhooks", OURS, status=409))["error_code"] == "TOO_MANY"


async def test_they_are_limited_by_tenant_and_by_person(database_url: str, tmp_path: Path, clock: FakeClock) -> None:
    env = {"FRONTDESK_LIMITS__V1_AI_TENANT": "5/minute", "FRONTDESK_LIMITS__V1_AI_USER": "3/minute"}
    clock.set(front.NOON)
    async with front.opened(database_url, tmp_path, clock, env=env, seeded=False) as desk:
        one, two, else_ = await person(desk), await person(desk), await stranger(desk)
        for _ in range(3):
            await one.get("/webhooks")
        over = await one.call("GET", "/webhooks/events")
        assert (over.status, over.headers["X-RateLimit-Limit"]) == (429, "3")
        await two.get("/webhooks")  # the fifth of the tenant
        over = await two.call("GET", "/webhooks")
        assert (over.status, over.headers["X-RateLimit-Limit"]) == (429, "5")
        assert over.json["retry_after"] == int(over.headers["Retry-After"])
        await else_.get("/webhooks")
        await two.get("/canned-replies")  # counts by its token only
