"""Customers over REST: what is written down about them, how they are found, merged, and what they agreed to."""

from typing import Any

import pytest

from tests.gateway.front import Front
from tests.gateway.rest.api import Client, person, stranger

ALEX = {
    "name": "Alex Rivera",
    "email": "Alex@Example.com",
    "phone": "512-555-0199",
    "language": "en",
    "time_zone": "America/Chicago",
    "address": "1 Elm Street",
    "city": "Austin",
    "state": "TX",
    "zip": "78701",
    "notes": "Likes the window seat.",
    "tags": ["regular", "vip"],
}
NOBODY = "01936f5e-5a2c-7e9a-8f4e-0d5a9b1c2d3e"


async def test_they_are_added_found_changed_and_removed(api: Client) -> None:
    made = await api.post("/customers", ALEX)
    assert made.items() >= {**ALEX, "phone": "+15125550199", "status": "active", "attributes": {}}.items()
    assert [(one["kind"], one["value"]) for one in made["identities"]] == [
        ("phone", "+15125550199"),
        ("email", "alex@example.com"),
    ]
    path = f"/customers/{made['id']}"
    assert await api.get(path) == made
    assert await api.put(path, made) == made
    changed = await api.patch(path, {"phone": "+1234567890", "email": None, "status": "inactive"})
    assert (changed["phone"], changed["email"], changed["name"]) == ("+1234567890", None, "Alex Rivera")
    assert [(one["kind"], one["value"]) for one in changed["identities"]] == [("phone", "+1234567890")]
    replaced = await api.put(path, {"name": "Al"})
    assert (replaced["phone"], replaced["notes"], replaced["tags"], replaced["status"]) == (None, "", [], "active")
    await api.delete(path)
    await api.get(path, status=404)
    assert await api.front.one("SELECT count(*) FROM customers WHERE name = 'Al'") == 0


async def test_lists_are_searched_filtered_and_sorted(api: Client) -> None:
    await api.post("/attributes", {"key": "plan", "label": "Plan", "kind": "choice", "choices": ["gold", "tin"]})
    await api.post("/attributes", {"key": "visits", "label": "Visits", "kind": "number"})
    await api.post("/attributes", {"key": "member", "label": "Member", "kind": "yes_no"})
    one = await api.post("/customers", {**ALEX, "attributes": {"plan": "gold", "visits": 7, "member": True}})
    two = await api.post("/customers", {"name": "Zed 100%", "email": "zed@mail.example", "tags": ['vip"]']})
    found = {
        "search=RIVERA": [one],
        "search=zed@mail": [two],
        "search=(512) 555-0199": [one],
        "search=100%25": [two],
        "search=%25": [two],
        "tag=vip": [one],
        "tag=vip%22]": [two],
        "attribute=plan:gold": [one],
        "attribute=visits:7": [one],
        "attribute=visits:8": [],
        "attribute=member:yes": [one],
        "status=inactive": [],
        "channel=whatsapp": [],
        "created_from=2026-03-02T18:00:00Z&sort=-name": [two, one],
        "created_from=2026-03-02T18:00:00Z&sort=name&limit=1": [one],
        "created_before=2000-01-01T00:00:00%2B02:00": [],
    }
    for query, expected in found.items():
        assert (await api.get(f"/customers?{query}"))["items"] == expected, query
    for query in ("attribute=plan", "attribute=shoe:9", "attribute=visits:many", "sort=notes", "status=erased", "x=1"):
        await api.get(f"/customers?{query}", status=422)


async def test_an_address_belongs_to_one_customer(api: Client) -> None:
    one = await api.post("/customers", ALEX)
    other = await api.post("/customers", {"name": "Other", "phone": "+15125550198"})
    for taken in ({"phone": "(512) 555-0199"}, {"email": "ALEX@example.com"}):
        refused = await api.post("/customers", {"name": "Twin", **taken}, status=409)
        assert (refused["error_code"], refused["customer_id"]) == ("IDENTITY_TAKEN", one["id"])
        refused = await api.patch(f"/customers/{other['id']}", taken, status=409)
        assert refused["customer_id"] == one["id"]
    assert (await api.get("/customers?search=Twin"))["total"] == 0
    # Whoever has written from an address is still found by it, whatever the card says now.
    await api.front.text("+15125550198", "hi")
    changed = await api.patch(f"/customers/{other['id']}", {"phone": "+15125550197"})
    assert {one["value"] for one in changed["identities"]} == {"+15125550197", "+15125550198"}


BAD: list[tuple[dict[str, Any], str]] = [
    ({}, "name"),
    ({"name": ""}, "name"),
    ({"name": "A\nB"}, "name"),
    ({"name": "A", "email": "nobody"}, "email"),
    ({"name": "A", "phone": "call me"}, "phone"),
    ({"name": "A", "phone": "1" * 41}, "phone"),
    ({"name": "A", "time_zone": "Mars/Olympus"}, "time_zone"),
    ({"name": "A", "time_zone": "../etc/passwd"}, "time_zone"),
    ({"name": "A", "language": "x" * 17}, "language"),
    ({"name": "A", "zip": "1" * 21}, "zip"),
    ({"name": "A", "status": "erased"}, "status"),
    ({"name": "A", "tags": ["t" * 61]}, "tags"),
    ({"name": "A", "attributes": {"shoe": 1}}, "shoe"),
    ({"name": "A", "attributes": {"size": "big"}}, "size"),
    ({"name": "A", "attributes": {"size": 10**16}}, "size"),
    ({"name": "A", "attributes": {"size": True}}, "size"),
    ({"name": "A", "attributes": {"born": "2026-02-30"}}, "born"),
    ({"name": "A", "tenant_id": 1}, "tenant_id"),
]


async def test_what_does_not_fit_is_named(api: Client) -> None:
    await api.post("/attributes", {"key": "size", "label": "Size", "kind": "number"})
    await api.post("/attributes", {"key": "born", "label": "Born", "kind": "date"})
    for body, field in BAD:
        refused = await api.post("/customers", body, status=422)
        assert any(field in map(str, flaw["loc"]) for flaw in refused["detail"]), (body, refused)


async def test_attributes_are_defined_kept_and_taken_away(api: Client) -> None:
    plan = {"key": "plan", "label": "Plan", "kind": "choice", "choices": ["gold", "tin"]}
    made = await api.post("/attributes", plan)
    assert made.items() >= plan.items()
    await api.post("/attributes", plan, status=409)
    await api.post("/attributes", {**plan, "key": "other", "choices": []}, status=422)
    await api.post("/attributes", {"key": "seat", "label": "Seat"})
    path = f"/attributes/{made['id']}"
    customer = await api.post("/customers", {"name": "Kim", "attributes": {"plan": "gold", "seat": "7"}})
    there = f"/customers/{customer['id']}"
    assert (await api.patch(there, {"attributes": {"seat": None}}))["attributes"] == {"plan": "gold"}
    assert (await api.put(path, {**made, "label": "Tariff"}))["label"] == "Tariff"
    await api.patch(path, {"kind": "text"}, status=422)
    await api.patch(path, {"choices": ["gold", "silver"]})
    await api.delete(path)
    assert (await api.get(there))["attributes"] == {}
    assert [one["key"] for one in (await api.get("/attributes"))["items"]] == ["seat"]


async def test_two_who_are_one_become_one(api: Client) -> None:
    survivor = await api.post("/customers", {"name": "Alex", "tags": ["a"], "notes": "one"})
    other = await api.post("/customers", {**ALEX, "tags": ["b"]})
    await api.front.text("+15125550199", "hi")
    path = f"/customers/{survivor['id']}"
    merged = await api.post(f"{path}/merge", {"other_id": other["id"]}, status=200)
    assert (merged["id"], merged["name"], merged["email"], merged["tags"]) == (
        survivor["id"],
        "Alex",
        "Alex@Example.com",
        ["a", "b"],
    )
    assert await api.get(f"/customers/{other['id']}") == merged
    assert (await api.get("/customers?search=Alex"))["items"] == [merged]
    (conversation,) = (await api.get(f"{path}/conversations"))["items"]
    assert (conversation["channel"], conversation["status"]) == ("sms", "open")
    (found,) = (await api.get(f"/conversations?customer_id={other['id']}"))["items"]
    assert (found["id"], found["customer"]["id"]) == (conversation["id"], survivor["id"])
    await api.post(f"{path}/merge", {"other_id": survivor["id"]}, status=422)
    await api.post(f"{path}/merge", {"other_id": other["id"]}, status=422)
    await api.post(f"{path}/merge", {"other_id": NOBODY}, status=404)
    await api.delete(f"/customers/{other['id']}", status=409)


async def test_consents_are_written_down_and_all_of_them_kept(api: Client) -> None:
    channel = await api.front.one("SELECT uid FROM accounts WHERE channel = 'sms'")
    customer = await api.post("/customers", ALEX)
    path = f"/customers/{customer['id']}/consents"
    assert await api.get(path) == {"current": [], "history": []}
    out = {"channel_id": _uid(channel), "purpose": "marketing", "state": "out", "note": "Said so at the counter."}
    await api.post(path, out)
    await api.front.text("+15125550199", "STOP")
    found = await api.post(path, {**out, "state": "in", "note": ""})
    assert {(one["purpose"], one["state"]) for one in found["current"]} == {("marketing", "in"), ("all", "out")}
    assert [(one["purpose"], one["state"], one["source"], one["note"]) for one in found["history"]] == [
        ("marketing", "in", "staff", ""),
        ("all", "out", "keyword", ""),
        ("marketing", "out", "staff", "Said so at the counter."),
    ]
    nameless = await api.post("/customers", {"name": "No number"})
    await api.post(f"/customers/{nameless['id']}/consents", out, status=422)


async def test_visits_are_listed(api: Client) -> None:
    customer = await api.front.one("SELECT c.uid FROM customers c JOIN appointments a ON a.customer_id = c.id LIMIT 1")
    found = await api.get(f"/customers/{_uid(customer)}/appointments?limit=1")
    (visit,) = found["items"]
    assert found["total"] >= 1
    assert visit["service"]
    assert visit["status"] in ("scheduled", "confirmed", "completed", "cancelled", "no_show")


@pytest.mark.parametrize("how", ["api", "bot"])
async def test_whoever_subscribes_hears_of_it(api: Client, how: str) -> None:
    values = {"tenant": api.tenant_id, "now": "2026-03-02 18:00:00.000000", "uid": NOBODY.replace("-", "")}
    await api.front.change(
        "INSERT INTO webhook_subscriptions (uid, tenant_id, url, event_types, secrets, created_at, updated_at)"
        " VALUES (:uid, :tenant, 'https://example.com', '[\"*\"]', '', :now, :now)",
        **values,
    )
    if how == "api":
        made = await api.post("/customers", ALEX)
        await api.patch(f"/customers/{made['id']}", {"name": "Al"})
        await api.patch(f"/customers/{made['id']}", {"name": "Al"})
        await api.delete(f"/customers/{made['id']}")
        expected = ["customer.created", "customer.updated", "customer.deleted"]
    else:
        await api.front.text("+15125550199", "hi")
        expected = ["customer.created"]
    rows = await api.front.rows("SELECT event FROM webhook_deliveries WHERE event LIKE 'customer%' ORDER BY id")
    assert [event for (event,) in rows] == expected


async def test_another_tenant_sees_nothing_and_nothing_private_is_in_the_audit(api: Client, desk: Front) -> None:
    made = await api.post("/customers", ALEX)
    path = f"/customers/{made['id']}"
    channel = _uid(await desk.one("SELECT uid FROM accounts WHERE channel = 'sms'"))
    other = await stranger(desk)
    theirs = await other.post("/customers", ALEX)
    assert theirs["id"] != made["id"]
    assert (await other.get("/customers"))["items"] == [theirs]
    mine = f"/customers/{theirs['id']}"
    for method, where, body in (
        ("GET", path, None),
        ("PUT", path, ALEX),
        ("PATCH", path, {"name": "x"}),
        ("DELETE", path, None),
        ("GET", f"{path}/consents", None),
        ("GET", f"{path}/conversations", None),
        ("GET", f"{path}/appointments", None),
        ("GET", f"{path}/export", None),
        ("POST", f"{path}/erase", {}),
        ("POST", f"{path}/merge", {"other_id": theirs["id"]}),
        ("POST", f"{mine}/merge", {"other_id": made["id"]}),
        ("POST", f"{mine}/consents", {"channel_id": channel, "state": "in"}),
    ):
        assert (await other.call(method, where, body)).status == 404, (method, where)
    assert await api.get(path) == made
    viewer = await person(desk, "viewer")
    await viewer.get(path)
    await viewer.patch(path, {"name": "x"}, status=403)
    told = str(await desk.rows("SELECT before, after FROM audit WHERE noun = 'customer'"))
    assert "(changed)" in told
    assert not [word for word in ("Rivera", "lex@", "555", "Elm", "window") if word in told]


def _uid(value: Any) -> str:
    from uuid import UUID

    return str(UUID(str(value)))
