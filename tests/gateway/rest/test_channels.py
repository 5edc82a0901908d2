"""Channels over REST, and WhatsApp numbers as a view of them."""

import json
from datetime import timedelta
from typing import Any

from tests.gateway.front import OURS, SID, Front, form
from tests.gateway.rest.api import Client, stranger

CANARY = "c4naryc4naryc4naryc4nary12345678"
OTHERS = "0therk3y0therk3y0therk3y87654321"
NUMBER = "+15125550142"
SMS: dict[str, Any] = {
    "kind": "sms",
    "address": "(512) 555-0142",
    "display_name": "Second line",
    "provider_account": SID,
    "credentials": {"auth_token": CANARY, "api_key": "SKshort"},
}


def _text(body: str) -> dict[str, str]:
    """A text to the number."""
    return form("+15125550179", body, To=NUMBER)


async def test_a_number_is_connected_and_answers_at_once(api: Client) -> None:
    made = await api.post("/channels/", SMS)
    assert (
        made.items()
        >= {
            "kind": "sms",
            "provider": "twilio",
            "address": NUMBER,
            "display_name": "Second line",
            "provider_account": SID,
            "sender_pool": None,
            "keys": {"auth_tokens": ["••••5678"], "api_key": "••••"},
            "is_active": True,
            "status": "active",
            "created_at": "2026-03-02T18:00:00Z",
        }.items()
    )
    path = f"/channels/{made['id']}"
    assert await api.get(f"{path}/") == made
    assert (await api.patch(path, {"messages_per_s": 12.5}))["messages_per_s"] == 12.5
    lane = "SELECT rate_per_s FROM lanes WHERE name = (SELECT 'account:' || id FROM accounts WHERE address = :number)"
    assert await api.front.one(lane, number=NUMBER) == 12.5
    assert (await api.call("PATCH", path, {"messages_per_s": 0})).status == 422
    assert (await api.patch(path, {"messages_per_s": None}))["messages_per_s"] is None
    assert await api.front.one(lane, number=NUMBER) is None  # the tests' settings name no rates
    fields = _text("what are your hours?")
    assert (await api.front.post(fields)).status == 403  # signed with the key of another
    assert "9" in (await api.front.post(fields, token=CANARY)).text
    paused = await api.patch(path, {"is_active": False})
    assert (paused["status"], paused["keys"]) == ("paused", made["keys"])
    assert (await api.front.post(_text("hello?"), token=CANARY)).text == ""
    await api.patch(path, {"is_active": True, "bot_id": None, "credentials": {"auth_tokens": [OTHERS, CANARY]}})
    for token in (CANARY, OTHERS):  # both, while one replaces the other
        assert (await api.front.post(_text("hello?"), token=token)).status == 200
    assert (await api.put(path, {"display_name": "Only this", "is_active": True}))["keys"] == {
        "auth_tokens": ["••••4321", "••••5678"]
    }


async def test_a_paused_channel_keeps_what_comes_for_people_and_says_nothing_by_itself(api: Client) -> None:
    made = await api.post("/channels", SMS)
    path = f"/channels/{made['id']}"
    await api.front.post(_text("hi"), token=CANARY)
    await api.patch(path, {"is_active": False})
    newcomer = {**_text("I'd like a haircut"), "From": "+15125550178"}
    for fields in (_text("book"), newcomer):
        answer = await api.front.post(fields, token=CANARY)
        assert (answer.status, answer.texts) == (200, ())
    await api.front.pass_time(timedelta(hours=3), step=timedelta(hours=1))
    found = (await api.get(f"/conversations?channel_id={made['id']}&sort=created_at"))["items"]
    assert [(one["owner"], one["last_message"]["text"]) for one in found] == [
        ("queue", "book"),
        ("queue", "I'd like a haircut"),
    ]
    details = await api.get(f"/conversations/{found[1]['id']}")
    assert details["handoff"]["reason"] == "channel_paused"
    said = await api.post(f"/conversations/{found[1]['id']}/messages", {"text": "Which day suits you?"})
    assert said["status"] == "queued"
    started = {"customer_id": found[0]["customer"]["id"], "channel_id": made["id"], "text": "One moment."}
    assert (await api.post("/conversations", started))["last_message"]["text"] == "One moment."
    await api.post(f"/conversations/{found[1]['id']}/hand-to-bot", status=200)
    await api.patch(path, {"is_active": True})
    assert (await api.front.post({**_text("hi"), "From": "+15125550178"}, token=CANARY)).text


async def test_secrets_never_come_back(api: Client) -> None:
    made = await api.call("POST", "/channels", SMS, headers={"Idempotency-Key": "k"})
    path = f"/channels/{made.json['id']}"
    answers = [made, await api.call("POST", "/channels", SMS, headers={"Idempotency-Key": "k"})]
    answers += [await api.call("GET", path), await api.call("GET", "/channels"), await api.call("PUT", path, made.json)]
    answers += [await api.call("PATCH", path, {"credentials": {"auth_token": ["x" + CANARY]}})]
    assert [answer.status for answer in answers] == [201, 201, 200, 200, 200, 422]
    for answer in answers:
        assert CANARY not in answer.raw.decode()
    kept = await api.front.rows("SELECT before, after FROM audit")
    kept += await api.front.rows("SELECT key, body FROM idempotency")
    assert CANARY not in json.dumps(kept, default=str)
    assert CANARY not in await api.front.one("SELECT credentials FROM accounts WHERE address = :number", number=NUMBER)


async def test_an_address_is_connected_once_and_free_again_afterwards(api: Client, desk: Front) -> None:
    made = await api.post("/channels", SMS)
    other = await stranger(desk)
    await other.post("/businesses", {"name": "Elsewhere"})
    for caller in (api, other):
        refused = await caller.post("/channels", SMS, status=409)
        assert (refused["error_code"], "address" in refused["detail"]) == ("ALREADY_THERE", True)
    await api.front.post(_text("hi"), token=CANARY)
    await api.delete(f"/channels/{made['id']}")
    for method in ("GET", "DELETE", "PUT"):
        assert (await api.call(method, f"/channels/{made['id']}", {} if method == "PUT" else None)).status == 404
    assert made["id"] not in str(await api.get("/channels?limit=100"))
    assert await api.front.one("SELECT credentials FROM accounts WHERE address = :number", number=NUMBER) is None
    back = await api.post("/channels", SMS)
    assert back["id"] == made["id"]  # and so are its conversations
    await api.delete(f"/channels/{made['id']}")
    theirs = await other.post("/channels", SMS)
    assert theirs["id"] != made["id"]
    assert theirs["bot_id"] is None


async def test_what_is_not_served_yet_waits(api: Client) -> None:
    made = await api.post("/whatsapp", {"phone_number": "+1 512 555 0143", "display_name": "Juniper"})
    assert (made["phone_number"], made["provider"], made["status"], made["is_active"]) == (
        "+15125550143",
        "meta",
        "waiting",
        False,
    )
    assert (await api.get(f"/whatsapp/{made['id']}/")) == made
    assert (await api.get(f"/channels/{made['id']}"))["address"] == "+15125550143"
    listed = await api.get("/whatsapp/?sort=-created_at&skip=0&limit=20")
    assert (listed["total"], listed["items"][0]) == (3, made)
    refused = await api.patch(f"/channels/{made['id']}", {"is_active": True}, status=409)
    assert "phone_number_id" in refused["detail"]
    await api.post("/whatsapp", {"address": "+15125550143", "provider": "meta"}, status=409)
    sms = (await api.get("/channels?kind=sms"))["items"][0]
    # Nobody has paused it: with its id it is on, and off again without; and what is served since a start goes on by itself.
    path = f"/channels/{made['id']}"
    for number, status in (("1065", "active"), (None, "waiting"), ("1065", "active")):
        shown = await api.patch(path, {"phone_number_id": number})
        assert (shown["status"], shown["is_active"]) == (status, status == "active")
    await api.front.change("UPDATE accounts SET is_active = false, is_waiting = true WHERE provider_number = '1065'")
    assert (await api.get(path))["status"] == "waiting"
    await api.front.work()
    assert (await api.get(path))["status"] == "active"
    # Whoever has paused it finds it so.
    assert (await api.patch(path, {"is_active": False, "phone_number_id": None}))["status"] == "waiting"
    assert (await api.patch(path, {"phone_number_id": "1065"}))["status"] == "paused"
    await api.get(f"/whatsapp/{sms['id']}", status=404)
    await api.delete(f"/whatsapp/{sms['id']}", status=404)
    await api.delete(f"/whatsapp/{made['id']}")
    assert (await api.get("/whatsapp"))["total"] == 2


async def test_a_name_sends_and_nobody_answers_it(api: Client) -> None:
    made = await api.post(
        "/channels", {"kind": "sms", "address": "JUNIPER", "sender_pool": "MG1", "shorten_links": True}
    )
    assert (made["address"], made["takes_replies"], made["bot_id"], made["shorten_links"]) == (
        "JUNIPER",
        False,
        None,
        True,
    )
    path, bot = f"/channels/{made['id']}", (await api.get("/bots"))["items"][0]["id"]
    assert "bot_id" in (await api.patch(path, {"bot_id": bot}, status=422))["detail"][0]["loc"]
    assert "shorten_links" in (await api.patch(path, {"sender_pool": None}, status=422))["detail"][0]["loc"]
    await api.patch(path, {"sender_pool": None, "shorten_links": False})
    customer = await api.post("/customers", {"name": "Noor", "phone": "512-555-0177"})
    started = {"customer_id": customer["id"], "channel_id": made["id"], "text": "See https://juniper.example"}
    assert (await api.post("/conversations", started))["last_message"]["text"] == started["text"]
    # A broadcast goes out over it, and no answer of it can go anywhere.
    draft = {"name": "News", "channel_id": made["id"], "text": "We moved.", "replies": {"to": "inbox"}}
    assert (await api.post("/broadcasts", draft, status=422))["detail"][0]["loc"] == ["body", "replies", "to"]
    kept = await api.post("/broadcasts", {**draft, "replies": {"to": "bot"}})
    over = {"replies": {"to": "inbox"}}
    assert (await api.patch(f"/broadcasts/{kept['id']}", over, status=422))["detail"][0]["loc"][1:] == ["replies", "to"]
    numbered = await api.post("/broadcasts", {**draft, "channel_id": await _shop_line(api)})
    moved = await api.patch(f"/broadcasts/{numbered['id']}", {"channel_id": made["id"]}, status=422)
    assert moved["detail"][0]["loc"][1:] == ["replies", "to"]
    # A visit is reminded of where it can be asked about, though they were written to by the name last.
    await api.front.text("+15125550177", "haircut with Maya on thursday at 3pm")
    await api.front.text("+15125550177", "yes")
    await api.front.change("UPDATE appointments SET conversation_id = NULL")
    await api.front.pass_time(timedelta(days=2, hours=4), step=timedelta(hours=4))
    reminded = "SELECT a.address FROM messages m JOIN accounts a ON a.id = m.account_id WHERE m.\"use\" = 'reminder'"
    assert set(await api.front.rows(reminded)) == {(OURS,)}


async def _shop_line(api: Client) -> str:
    return str((await api.get("/channels?search=0100&kind=sms"))["items"][0]["id"])


async def test_a_whatsapp_number_through_twilio_is_served_and_keeps_its_template(api: Client) -> None:
    template = {"name": "news", "language": "en", "variable": "1"}
    body = {"phone_number": "+15125550143", "provider": "twilio", "window_template": {"name": "news", "language": "en"}}
    made = await api.post("/whatsapp", body)
    assert (made["status"], made["window_template"]) == ("active", template)
    fields = form("whatsapp:+15125550179", "what are your hours?", To="whatsapp:+15125550143", WaId="15125550179")
    assert "9" in (await api.front.post(fields)).text
    found = (await api.get(f"/conversations?channel_id={made['id']}"))["items"]
    assert [one["address"] for one in found] == ["+15125550179"]
    path = f"/channels/{made['id']}"
    assert (await api.patch(path, {"window_template": None}))["window_template"] is None
    bad = {"window_template": {"name": "x", "variable": "no such"}}
    assert "variable" in (await api.patch(path, bad, status=422))["detail"][0]["loc"]


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"kind": "sms"}, "address"),
    ({"kind": "sms", "address": "the corner shop"}, "address"),
    ({"kind": "voice", "address": "12345"}, "address"),
    ({"kind": "web", "address": "a b"}, "address"),
    ({"kind": "fax", "address": NUMBER}, "kind"),
    ({"kind": "sms", "address": NUMBER, "provider": "meta"}, "provider"),
    ({"kind": "sms", "address": NUMBER, "shorten_links": True}, "shorten_links"),
    ({"kind": "whatsapp", "address": "JUNIPER", "provider": "twilio"}, "address"),
    ({"kind": "sms", "address": NUMBER, "credentials": {"password": "x"}}, "password"),
    ({"kind": "sms", "address": NUMBER, "provider_account": "x" * 81}, "provider_account"),
]


async def test_what_makes_no_sense_is_refused_by_name(api: Client) -> None:
    for body, field in REFUSED:
        assert field in (await api.post("/channels", body, status=422))["detail"][0]["loc"], body
    assert "phone_number" in (await api.post("/whatsapp", {}, status=422))["detail"][0]["loc"]
    sms = (await api.get("/channels?search=0100&kind=sms"))["items"][0]
    assert "address" in (await api.patch(f"/channels/{sms['id']}", {"address": NUMBER}, status=422))["detail"][0]["loc"]
    site = await api.post("/channels", {"kind": "web", "display_name": "Our page"})
    assert len(site["address"]) == 36


async def test_another_tenants_channels_bots_and_businesses_are_none(api: Client, desk: Front) -> None:
    sms = (await api.get("/channels?kind=sms"))["items"][0]
    other = await stranger(desk)
    await other.post("/channels", SMS, status=422)  # nobody has a business yet
    await other.post("/businesses", {"name": "Elsewhere"})
    assert (await other.get("/channels"))["total"] == 0
    for path in ("/channels", "/whatsapp"):
        await other.get(f"{path}/{sms['id']}", status=404)
        await other.delete(f"{path}/{sms['id']}", status=404)
    for field in ("business_id", "bot_id"):
        await other.post("/channels", {**SMS, field: sms[field]}, status=404)
        await other.post("/whatsapp", {"phone_number": NUMBER, field: sms[field]}, status=404)
    await other.get(f"/channels?business_id={sms['business_id']}", status=404)
    assert (await other.get("/channels"))["total"] == 0
