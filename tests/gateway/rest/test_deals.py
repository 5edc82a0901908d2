"""Deals and their stages over REST."""

from datetime import timedelta
from typing import Any

from tests.gateway.front import Front
from tests.gateway.rest.api import Client, stranger

NOBODY = "01936f5e-5a2c-7e9a-8f4e-0d5a9b1c2d3e"


async def deal(api: Client, **more: Any) -> Any:
    customer = await api.post("/customers", {"name": "Kim Kardigan"})
    return await api.post("/deals", {"title": "Kitchen refit", "customer_id": customer["id"], **more})


async def test_they_are_added_moved_found_and_removed(api: Client) -> None:
    made = await deal(api, amount=1200.05, owner_id=api.uid, expected_close="2026-05-01")
    assert (made["stage"], made["outcome"], made["amount"], made["currency"]) == ("New", "open", 1200.05, "USD")
    assert (made["owner_id"], made["closed_at"], made["expected_close"]) == (api.uid, None, "2026-05-01")
    path = f"/deals/{made['id']}"
    assert await api.get(path) == made
    assert await api.put(path, made) == made
    api.front.clock.advance(timedelta(minutes=1))
    won = await api.patch(path, {"stage": "won"})
    assert (won["stage"], won["outcome"], won["closed_at"]) == ("Won", "won", "2026-03-02T18:01:00Z")
    assert (await api.patch(path, {"amount": 7}))["closed_at"] == won["closed_at"]
    back = await api.patch(path, {"stage": made["stage_id"]})
    assert (back["outcome"], back["closed_at"]) == ("open", None)
    other = await deal(api, title="Bathroom", stage="Lost", amount=5, currency="EUR")
    assert other["closed_at"]
    for query, expected in {
        "search=kitchen": [back],
        "search=KARDIGAN&sort=amount": [other, back],
        "stage=lost": [other],
        f"stage={other['stage_id']}": [other],
        "outcome=open": [back],
        f"owner_id={api.uid}": [back],
        f"customer_id={other['customer_id']}": [other],
        "sort=-stage": [other, back],
    }.items():
        assert (await api.get(f"/deals?{query}"))["items"] == expected, query
    await api.delete(path)
    await api.get(path, status=404)


async def test_stages_are_there_from_the_first_and_can_be_rearranged(api: Client) -> None:
    found = (await api.get("/pipeline-stages"))["items"]
    assert [(one["name"], one["outcome"]) for one in found] == [
        ("New", "open"),
        ("Contacted", "open"),
        ("Proposal", "open"),
        ("Won", "won"),
        ("Lost", "lost"),
    ]
    made = await api.post("/pipeline-stages", {"name": "Talks"})
    assert made["position"] == 5
    await api.post("/pipeline-stages", {"name": "Talks"}, status=409)
    path = f"/pipeline-stages/{made['id']}"
    assert await api.put(path, made) == made
    ids = [made["id"], *(one["id"] for one in found)]
    await api.post("/pipeline-stages/reorder", {"stage_ids": ids}, status=204)
    assert [one["id"] for one in (await api.get("/pipeline-stages"))["items"]] == ids
    for wrong in (ids[1:], [*ids, ids[0]]):
        await api.post("/pipeline-stages/reorder", {"stage_ids": wrong}, status=422)
    first = await deal(api)
    assert first["stage"] == "Talks"
    assert (await api.get(path))["deals"] == 1
    await api.patch(path, {"outcome": "won"}, status=409)
    await api.delete(path, status=409)
    await api.delete(f"/deals/{first['id']}")
    await api.delete(path)
    for one in found[:2]:
        await api.delete(f"/pipeline-stages/{one['id']}")
    await api.delete(f"/pipeline-stages/{found[2]['id']}", status=409)


async def test_what_does_not_fit_is_named(api: Client) -> None:
    customer = (await api.post("/customers", {"name": "Kim"}))["id"]
    good = {"title": "Roof", "customer_id": customer}
    for field, value in {
        "title": "",
        "amount": 1.005,
        "currency": "dollars",
        "expected_close": "soon",
        "customer_id": "7",
    }.items():
        refused = await api.post("/deals", {**good, field: value}, status=422)
        assert refused["detail"][0]["loc"] == ["body", field]
    for amount in (-1, 10**11):
        await api.post("/deals", {**good, "amount": amount}, status=422)
    for field in ("customer_id", "owner_id", "conversation_id", "stage"):
        await api.post("/deals", {**good, field: NOBODY}, status=404)


async def test_another_tenants_things_are_nobodys(api: Client, desk: Front) -> None:
    made = await deal(api)
    other = await stranger(desk)
    theirs = (await other.post("/customers", {"name": "Sam"}))["id"]
    for body in (
        {"customer_id": made["customer_id"]},
        {"customer_id": theirs, "stage": made["stage_id"]},
        {"customer_id": theirs, "owner_id": api.uid},
    ):
        await other.post("/deals", {"title": "x", **body}, status=404)
    assert (await other.get("/deals"))["total"] == 0
    changes: list[tuple[str, Any, Any]] = [
        ("GET", None, None),
        ("PUT", {"title": "x", "customer_id": theirs}, {"name": "x"}),
        ("PATCH", {}, {}),
        ("DELETE", None, None),
    ]
    for method, body, stage in changes:
        assert (await other.call(method, f"/deals/{made['id']}", body)).status == 404
        assert (await other.call(method, f"/pipeline-stages/{made['stage_id']}", stage)).status == 404
    await other.get("/pipeline-stages")
    await other.post("/pipeline-stages/reorder", {"stage_ids": [made["stage_id"]]}, status=404)


async def test_whoever_subscribes_hears_of_deals(api: Client) -> None:
    values = {"tenant": api.tenant_id, "now": "2026-03-02 18:00:00.000000", "uid": NOBODY.replace("-", "")}
    await api.front.change(
        "INSERT INTO webhook_subscriptions (uid, tenant_id, url, event_types, secrets, created_at, updated_at)"
        " VALUES (:uid, :tenant, 'https://example.com', '[\"deal.created\", \"deal.updated\"]', '', :now, :now)",
        **values,
    )
    made = await deal(api)
    for stage in ("Proposal", "Proposal"):
        await api.patch(f"/deals/{made['id']}", {"stage": stage})
    rows = await api.front.rows("SELECT event FROM webhook_deliveries ORDER BY id")
    assert rows == [("deal.created",), ("deal.updated",)]
