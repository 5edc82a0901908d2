"""Canned replies over REST."""

import asyncio

from tests.gateway.front import Front
from tests.gateway.rest.api import Client, person, stranger

PARKING = {"shortcut": "parking", "title": "Where to park", "text": "You can park behind the house."}


async def test_they_are_added_found_changed_and_removed(api: Client) -> None:
    made = await api.post("/canned-replies", PARKING)
    assert made.items() >= PARKING.items()
    assert made["language"] is None
    assert made["created_at"] == "2026-03-02T18:00:00Z"
    path = f"/canned-replies/{made['id']}"
    assert await api.get(path) == made
    assert (await api.get("/canned-replies/?search=PARK"))["items"] == [made]
    assert (await api.get("/canned-replies?search=park%25"))["items"] == []
    assert (await api.patch(path, {"text": "On the street."}))["title"] == "Where to park"
    replaced = await api.put(path, {"shortcut": "car", "text": "In the yard."})
    assert (replaced["shortcut"], replaced["title"]) == ("car", "")
    await api.delete(path)
    await api.get(path, status=404)


async def test_a_shortcut_is_there_once(api: Client) -> None:
    await api.post("/canned-replies", PARKING)
    refused = await api.post("/canned-replies", PARKING, status=409)
    assert refused["error_code"] == "ALREADY_THERE"
    assert "shortcut" in refused["detail"]


async def test_what_was_read_can_be_sent_back_and_what_is_unknown_is_named(api: Client) -> None:
    made = await api.post("/canned-replies", PARKING)
    path = f"/canned-replies/{made['id']}"
    assert await api.put(path, made) == made
    refused = await api.put(path, {**PARKING, "colour": "red"}, status=422)
    assert refused["detail"] == [
        {"loc": ["body", "colour"], "msg": "Extra inputs are not permitted", "type": "extra_forbidden"}
    ]


async def test_every_change_is_in_the_audit(api: Client) -> None:
    made = await api.post("/canned-replies", PARKING)
    await api.patch(f"/canned-replies/{made['id']}", {"title": "Cars"})
    await api.delete(f"/canned-replies/{made['id']}")
    rows = await api.front.rows("SELECT action, actor_id FROM audit WHERE noun = 'canned_reply' ORDER BY id")
    assert rows == [(f"canned_reply.{what}", api.user_id) for what in ("created", "updated", "deleted")]


async def test_a_viewer_reads_and_does_not_write(desk: Front) -> None:
    viewer = await person(desk, "viewer")
    await viewer.get("/canned-replies")
    refused = await viewer.post("/canned-replies", PARKING, status=403)
    assert refused["scope"] == "canned_replies:write"


async def test_the_same_key_adds_once_and_another_body_is_refused(api: Client) -> None:
    key = {"Idempotency-Key": "once"}
    first = await api.call("POST", "/canned-replies", PARKING, headers=key)
    again = await api.call("POST", "/canned-replies/", PARKING, headers=key)
    assert (first.status, again.status, again.json) == (201, 201, first.json)
    assert again.headers["Idempotency-Replayed"] == "true"
    other = await api.call("POST", "/canned-replies", {**PARKING, "title": "x"}, headers=key)
    assert (other.status, other.json["error_code"]) == (422, "IDEMPOTENCY_KEY_REUSED")


async def test_of_twenty_equal_ones_at_once_one_is_done_and_another_tenant_may_use_the_key_too(api: Client) -> None:
    key = {"Idempotency-Key": "once"}
    calls = [api.call("POST", "/canned-replies", PARKING, headers=key) for _ in range(20)]
    answers = await asyncio.gather(*calls)
    assert {answer.status for answer in answers} <= {201, 409}
    made = [answer.json for answer in answers if answer.status == 201]
    assert all(one == made[0] for one in made)
    assert {answer.json["error_code"] for answer in answers if answer.status == 409} <= {"IDEMPOTENCY_IN_PROGRESS"}
    theirs = await (await stranger(api.front)).call("POST", "/canned-replies", {**PARKING, "title": "x"}, headers=key)
    assert theirs.status == 201
    assert theirs.json["id"] != made[0]["id"]
    assert await api.front.one("SELECT count(*) FROM canned_replies") == 2


async def test_a_secret_that_was_shown_once_is_kept_sealed_for_whoever_asks_again(api: Client) -> None:
    key = {"Idempotency-Key": "once"}
    wanted = {"name": "Till", "scopes": ["customers:read"]}
    first = await api.call("POST", "/api-keys", wanted, headers=key)
    again = await api.call("POST", "/api-keys", wanted, headers=key)
    assert first.status == 201
    assert again.json == first.json
    kept = await api.front.one("SELECT body FROM idempotency")
    assert kept.startswith("sealed:")
    assert first.json["key"] not in kept
