"""Meta's side of WhatsApp, as a person with curl and a fussy application see it."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from random import Random
from typing import Any

import aiohttp
import pytest

from simulators.clock import HandClock
from simulators.meta import App, Faults, MetaSimulator, Number
from tests.simulators.bot import ANNA, BEN, Bot

NUMBER = Number(number="+15125550102", phone_number_id="106", waba_id="205")
TEXT = {"messaging_product": "whatsapp", "to": ANNA, "type": "text", "text": {"body": "hi"}}


@pytest.fixture
async def meta(bot: Bot, hand_clock: HandClock) -> AsyncIterator[MetaSimulator]:
    app = App(secret="the secret", tokens=("the token",), webhook_url=f"{bot.url}/meta", verify_token="the word")
    bot.answers["/meta"] = 200
    async with MetaSimulator(
        app=app, numbers=[NUMBER], clock=hand_clock, sleep=hand_clock.sleep, rng=Random(1)
    ) as running:
        yield running
        await running.settled()


async def _send(meta: MetaSimulator, body: Any, *, number_id: str = "106", token: str = "the token") -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{meta.api_base}/{number_id}/messages", json=body, headers=headers) as answer,
    ):
        data = await answer.json()
        return answer.status, data.get("error", {}).get("code", data.get("messages", data))


def _interactive(kind: str, action: Any, body: str = "Which?") -> Any:
    inside = {"type": kind, "body": {"text": body}, "action": action}
    return {"messaging_product": "whatsapp", "to": ANNA, "type": "interactive", "interactive": inside}


def _buttons(*titles: str) -> Any:
    return {"buttons": [{"type": "reply", "reply": {"id": title or "x", "title": title}} for title in titles]}


def _rows(count: int, title: str = "Row", **more: str) -> Any:
    rows = [{"id": str(number), "title": f"{title} {number}", **more} for number in range(count)]
    return {"button": "Choose", "sections": [{"rows": rows}]}


REFUSED: list[tuple[Any, int]] = [
    ([], 100),
    ({}, 100),
    ({**TEXT, "to": None}, 131008),
    ({**TEXT, "to": "anna"}, 131009),
    ({**TEXT, "to": NUMBER.number}, 131021),
    ({**TEXT, "text": {"body": ""}}, 131008),
    ({**TEXT, "text": {"body": "x" * 4097}}, 100),
    ({**TEXT, "biz_opaque_callback_data": "x" * 513}, 131009),
    ({**TEXT, "type": "hologram", "hologram": {}}, 131051),
    (_interactive("button", _buttons("a", "b", "c", "d")), 131009),
    (_interactive("button", _buttons("a", "a")), 131009),
    (_interactive("button", _buttons("x" * 21)), 131009),
    (_interactive("button", _buttons("")), 131008),
    (_interactive("button", _buttons("a"), body=""), 131008),
    (_interactive("button", _buttons("a"), body="x" * 1025), 131009),
    (_interactive("list", _rows(11)), 131009),
    (_interactive("list", _rows(2, title="x" * 24)), 131009),
    (_interactive("list", _rows(2, description="x" * 73)), 131009),
    ({**TEXT, "type": "audio", "audio": {"link": "https://a.b/c", "caption": "x"}}, 100),
    ({**TEXT, "type": "image", "image": {"id": "1", "link": "https://a.b/c"}}, 131008),
    ({**TEXT, "type": "image", "image": {"id": "404"}}, 100),
    ({**TEXT, "type": "location", "location": {"latitude": 91, "longitude": 0}}, 131009),
    ({**TEXT, "type": "template", "template": {"name": "none", "language": {"code": "en"}}}, 132001),
]


async def test_what_meta_would_refuse_is_refused(meta: MetaSimulator) -> None:
    for body, code in REFUSED:
        assert await _send(meta, body) == (404 if code == 132001 else 400, code), body
    assert await _send(meta, TEXT, number_id="999") == (400, 100)
    assert await _send(meta, TEXT, token="wrong") == (401, 190)
    assert not meta.messages
    status, (sent,) = await _send(meta, TEXT)
    assert (status, sent["message_status"]) == (200, "accepted")


async def test_free_words_reach_whoever_has_written_in_the_last_day(
    meta: MetaSimulator, bot: Bot, hand_clock: HandClock
) -> None:
    await meta.phone(ANNA).say(NUMBER.number, "hi")
    await _send(meta, TEXT)
    await hand_clock.advance(24 * 3600 + 1)
    await _send(meta, TEXT)
    await _send(meta, {**TEXT, "to": BEN})
    await meta.settled()
    assert len(meta.phone(ANNA).inbox) == 1
    told = [json.loads(seen.body)["entry"][0]["changes"][0]["value"].get("statuses") for seen in bot.at("/meta")]
    states = [(one["status"], [error["code"] for error in one.get("errors", ())]) for (one,) in filter(None, told)]
    assert states == [("sent", []), ("delivered", []), ("read", []), ("failed", [131047]), ("failed", [131047])]


async def test_what_is_not_taken_comes_again_with_growing_pauses(
    meta: MetaSimulator, bot: Bot, hand_clock: HandClock
) -> None:
    bot.answers["/meta"] = 503
    posts = await meta.phone(ANNA).say(NUMBER.number, "hi")
    assert [post.status for post in posts] == [503]
    await hand_clock.advance(2)
    bot.answers["/meta"] = 200
    await hand_clock.advance(8)
    bodies = [seen.body for seen in bot.at("/meta")]
    assert (len(bodies), len({*bodies})) == (3, 1)
    meta.faults = Faults(duplicate=1, copies=2, bad_signature=1)
    await meta.phone(ANNA).say(NUMBER.number, "again")
    signatures = [seen.headers["X-Hub-Signature-256"] for seen in bot.at("/meta")[3:]]
    assert (len(signatures), len({*signatures})) == (3, 2)


async def test_several_businesses_are_told_of_in_one_request(meta: MetaSimulator, bot: Bot) -> None:
    other = {"number": "+15125550143", "phone_number_id": "109", "waba_id": "209"}
    said = [{"from": ANNA, "to": NUMBER.number, "text": "hi"}, {"from": BEN, "to": other["number"], "text": "hello"}]
    place = {"from": BEN, "to": NUMBER.number, "type": "location", "location": {"latitude": 1, "longitude": 2}}
    async with aiohttp.ClientSession(meta.url) as curl:
        for body, status in ((other, 201), (other, 400), ({**other, "number": "x"}, 400), ({"number": "+1"}, 400)):
            async with curl.post("/_sim/numbers", json=body) as added:
                assert added.status == status, body
        async with curl.post("/_sim/batches", json={"messages": [*said, place]}) as batch:
            assert (batch.status, [one["status"] for one in (await batch.json())["webhook"]]) == (201, [200])
        news = {"field": "account_update", "value": {"event": "VERIFIED_ACCOUNT"}}
        async with curl.post("/_sim/accounts/209/news", json=news) as announced:
            assert announced.status == 201
        wrong: list[tuple[str, Any, int]] = [
            ("/_sim/batches", {"messages": []}, 400),
            ("/_sim/batches", {"messages": [{"from": "ben", "to": NUMBER.number, "text": "hi"}]}, 400),
            ("/_sim/batches", {"messages": [{"from": BEN, "to": "+15125550199", "text": "hi"}]}, 404),
            ("/_sim/accounts/209/news", {"field": "account_update"}, 400),
        ]
        for path, body, status in wrong:
            async with curl.post(path, json=body) as refused:
                assert refused.status == status, body
    batch, update = [json.loads(seen.body)["entry"] for seen in bot.at("/meta")]
    assert [(one["id"], len(one["changes"])) for one in batch] == [("205", 2), ("209", 1)]
    assert batch[1]["changes"][0]["value"]["metadata"]["phone_number_id"] == "109"
    assert update == [{"id": "209", "changes": [{"value": {"event": "VERIFIED_ACCOUNT"}, "field": "account_update"}]}]


async def test_a_person_with_curl_plays_a_phone(meta: MetaSimulator, bot: Bot) -> None:
    async with aiohttp.ClientSession(meta.url) as curl:
        async with curl.post(f"/_sim/phones/{ANNA}/messages", json={"to": NUMBER.number, "text": "hi"}) as said:
            assert (said.status, (await said.json())["webhook"][0]["status"]) == (201, 200)
        place = {"to": NUMBER.number, "type": "location", "location": {"latitude": 1, "longitude": 2}}
        async with curl.post(f"/_sim/phones/{ANNA}/messages", json=place) as said:
            assert said.status == 201
        await _send(meta, _interactive("list", _rows(3)))
        async with curl.get(f"/_sim/phones/{ANNA}") as inbox:
            (asked,) = (await inbox.json())["inbox"]
            assert [one["title"] for one in asked["options"]] == ["Row 0", "Row 1", "Row 2"]
        for choice, status in (("Row 1", 201), ("2", 201), ("Row 7", 404)):
            async with curl.post(f"/_sim/phones/{ANNA}/choices", json={"choice": choice}) as chosen:
                assert chosen.status == status
        wrong: list[tuple[str, Any, int]] = [
            (f"/_sim/phones/{ANNA}/messages", {"to": "+15125550199", "text": "hi"}, 404),
            (f"/_sim/phones/{ANNA}/messages", {"text": "hi"}, 400),
            ("/_sim/phones/anna/messages", {"to": NUMBER.number, "text": "hi"}, 400),
            (f"/_sim/phones/{BEN}/choices", {"choice": "a"}, 400),
        ]
        for path, body, status in wrong:
            async with curl.post(path, json=body) as refused:
                assert refused.status == status, path
        async with curl.put("/_sim/faults", json={"graph_429": 1, "retry_after_s": 3}) as faults:
            assert (await faults.json())["graph_429"] == 1
        async with curl.put("/_sim/faults", json={"nonsense": 1}) as faults:
            assert faults.status == 400
        async with curl.get("/_sim") as overview:
            assert (await overview.json())["numbers"][0]["phone_number_id"] == "106"
    picked = json.loads(bot.at("/meta")[-1].body)["entry"][0]["changes"][0]["value"]["messages"][0]
    assert picked["interactive"] == {"type": "list_reply", "list_reply": {"id": "2", "title": "Row 2"}}
    assert await _send(meta, TEXT) == (429, 130429)
    meta.app = replace(meta.app, webhook_url=f"{bot.url}/other")
    assert (await meta.challenge()).status == 204
    assert "hub.verify_token=the+word" in bot.seen[-1].path
