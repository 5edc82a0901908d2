"""May we speak: what is held at night, what is refused and why, and what people see of it."""

from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.clock import FakeClock
from tests.gateway import front
from tests.gateway.front import Front
from tests.gateway.rest.api import Client, person
from tests.gateway.rest.test_broadcasts import arrived, channel_of

_ENV = {
    "FRONTDESK_SENDING__STRANGERS_PER_PREFIX_AND_HOUR": "2",
    "FRONTDESK_SENDING__STRANGERS_PER_HOUR": "4",
    "FRONTDESK_SENDING__BLOCKED_PREFIXES": "+53",
    "FRONTDESK_SENDING__PRICES": "sms:US=0.01,sms:*=0.1",
}


@pytest.fixture
async def strict(database_url: str, tmp_path: Path, clock: FakeClock) -> AsyncIterator[Client]:
    clock.set(front.NOON)
    async with front.opened(database_url, tmp_path, clock, _ENV) as opened:
        yield await person(opened)


async def broadcast(api: Client, *numbers: str, text: str = "20 % off.") -> str:
    """A broadcast to people with these numbers, written and tried; its path."""
    for number in numbers:
        if not (await api.get(f"/customers?search={number[1:]}"))["items"]:
            await api.post("/customers", {"phone": number, "tags": ["club"]})
    body = {"name": "x", "channel_id": await channel_of(api), "text": text, "audience": {"tags_any": ["club"]}}
    path = f"/broadcasts/{(await api.post('/broadcasts', body))['id']}"
    await api.post(f"{path}/send", status=202)
    await api.front.work()
    return path


async def messages(front: Front, where: str = "use = 'marketing'") -> list[tuple[Any, ...]]:
    """Whom, status and reason of the messages, in order."""
    return await front.rows(
        "SELECT c.peer, m.status, m.error_code FROM messages m JOIN conversations c ON c.id = m.conversation_id "
        f"WHERE m.direction = 'out' AND {where} ORDER BY m.id"
    )


async def test_an_offer_waits_until_it_is_morning_where_they_are(desk: Front) -> None:
    front = desk
    front.clock.set(datetime(2026, 3, 8, 1, 30, tzinfo=UTC))  # 19:30 in Austin, 20:30 in New York, 02:30 in Berlin
    api = await person(front)
    await broadcast(api, "+15125550181", "+12125550182", "+4930123456")
    held = ("held", "quiet_hours")
    assert [one[1:] == held for one in await messages(front)] == [False, False, True]
    uid = await front.one("SELECT m.uid FROM messages m WHERE status = 'held'")
    conversation = (await api.get("/conversations?search=4930123456"))["items"][0]
    seen = (await api.get(f"/conversations/{conversation['id']}/messages"))["items"][-1]
    assert seen["id"].replace("-", "") == str(uid).replace("-", "")
    assert (seen["status"], seen["scheduled_for"]) == ("held", "2026-03-08T07:00:00Z")
    assert seen["error"] == {
        "code": "quiet_hours",
        "reason": "It is night where they are; it goes out at 08:00 their time.",
    }
    # The night in which New York puts its clocks forward: 08:00 is an hour earlier than the day before.
    front.clock.set(datetime(2026, 3, 8, 2, 0, tzinfo=UTC))
    await arrived(front)
    await broadcast(api, "+12125550182", text="Last call.")
    await front.work()
    conversation = (await api.get("/conversations?search=12125550182"))["items"][0]
    last = (await api.get(f"/conversations/{conversation['id']}/messages"))["items"][-1]
    assert (last["status"], last["scheduled_for"]) == ("held", "2026-03-08T12:00:00Z")
    front.clock.set(datetime(2026, 3, 8, 6, 59, tzinfo=UTC))
    await front.work()
    assert (await api.get(f"/messages/{seen['id']}"))["status"] == "held"
    front.clock.set(datetime(2026, 3, 8, 7, 0, tzinfo=UTC))
    await front.work()
    assert (await api.get(f"/messages/{seen['id']}"))["status"] in ("queued", "failed")


async def test_nobody_hears_too_often_of_offers(api: Client) -> None:
    usual = await api.get("/sending/settings")
    assert usual == {
        "quiet_hours": {"begins": "21:00", "ends": "08:00", "held": ["marketing"]},
        "marketing": {"messages": 5, "days": 7},
        "reminder": {"messages": 0, "days": 7},
    }
    wanted = {**usual, "marketing": {"messages": 1, "days": 7}}
    assert await api.put("/sending/settings", wanted) == wanted == await api.get("/sending/settings")
    await api.put("/sending/settings", {"quiet_hours": {"begins": "25:00"}}, status=422)
    first = await broadcast(api, "+15125550181")
    await arrived(api.front)
    second = await broadcast(api)
    assert [one[1:] for one in await messages(api.front)][1] == ("refused", "too_often")
    assert (await api.get(f"{first}"))["counts"]["skipped"] == 0
    assert (await api.get(f"{second}"))["counts"]["skipped"] == 1
    api.front.clock.advance(timedelta(days=8))
    await broadcast(await person(api.front))
    assert [one[1] for one in await messages(api.front)][2] != "refused"


async def test_many_strangers_of_one_range_are_refused_and_somebody_is_told(strict: Client) -> None:
    front, channel = strict.front, await channel_of(strict)
    numbers = [
        *(f"+1512555018{n}" for n in range(4)),
        *(f"+1212555018{n}" for n in range(4)),
        "+5351234567",
        "+19005550100",
    ]
    for number in numbers:
        made = await strict.post("/customers", {"phone": number})
        sent = await strict.call(
            "POST", "/conversations", {"customer_id": made["id"], "channel_id": channel, "text": "Hi"}
        )
        assert sent.status == 201, sent.raw
    await front.text("+15125550189", "hello")  # somebody who wrote is no stranger
    await front.work()
    found = Counter(
        (peer[:5], code) for peer, _, code in await messages(front, "author = 'staff'") if code in _REFUSALS
    )
    assert found == {
        ("+1512", "prefix_capped"): 2,
        ("+1212", "prefix_capped"): 2,
        ("+5351", "blocked_prefix"): 1,
        ("+1900", "premium_number"): 1,
    }
    audited = (await strict.get("/audit?action=sending.capped"))["items"]
    assert sorted(one["after"]["prefix"] for one in audited) == ["+1212", "+1512"]
    again = await strict.post("/customers", {"phone": "+13125550100"})
    body = {"customer_id": again["id"], "channel_id": channel, "text": "Hi"}
    await strict.post("/conversations", body)
    await front.work()
    assert (await messages(front, "author = 'staff'"))[-1] == ("+13125550100", "refused", "strangers_capped")
    last = UUID(str(await front.one("SELECT uid FROM messages ORDER BY id DESC LIMIT 1")))
    front.clock.advance(timedelta(hours=1))
    await strict.post(f"/messages/{last}/retry", status=200)
    await front.work()
    assert (await messages(front, "author = 'staff'"))[-1][1] != "refused"


async def test_a_preview_knows_what_it_costs(strict: Client) -> None:
    for number in ("+15125550181", "+4930123456", "+19005550100"):
        await strict.post("/customers", {"phone": number, "tags": ["club"]})
    body = {"channel_id": await channel_of(strict), "text": "ż" * 71, "audience": {"tags_any": ["club"]}}
    found = await strict.post("/broadcasts/preview", body, status=200)
    assert (found["parts"], found["cost"], found["currency"]) == (4, 0.22, "USD")
    assert (found["reachable"], found["skipped"]) == (2, {"premium_number": 1})


_REFUSALS = ("prefix_capped", "strangers_capped", "blocked_prefix", "premium_number")


@pytest.mark.parametrize(
    ("word", "answer", "language"),
    [
        ("STOP", None, ""),  # the carrier answers its own words
        ("¡Parar!", "no recibirá más mensajes", ""),
        ("Arrêt", "vous ne recevrez plus", ""),
        ("abmelden", "keine Nachrichten mehr", ""),
        ("Sair", "não receberá mais", ""),
        ("parar", "não receberá mais", "pt"),
    ],
)
async def test_stop_in_every_language_is_stop_and_is_answered_once(
    api: Client, word: str, answer: str | None, language: str
) -> None:
    front, peer = api.front, "+15125550181"
    await front.text(peer, "hello")
    if language:
        await front.change("UPDATE conversations SET language = :language", language=language)
    said = await front.text(peer, word, sid="SM" + "7" * 32)
    assert (answer is None and said.texts == ()) or (answer is not None and answer in said.text)
    again = await front.text(peer, word, sid="SM" + "7" * 32)
    assert again.texts == said.texts
    assert (await front.text(peer, "hello?")).texts == ()
    await broadcast(api, peer)
    assert await messages(front) == []
    customer = (await api.get("/customers?search=15125550181"))["items"][0]
    told = (await api.get(f"/customers/{customer['id']}/consents"))["history"]
    assert [(one["state"], one["purpose"], one["source"]) for one in told] == [("out", "all", "keyword")]
    assert (await api.get(f"/messages/{told[0]['message_id']}"))["text"] == word
    start = await front.text(peer, "START")  # the carrier answers it to whoever it has shut out itself
    assert len(start.texts) == (0 if answer is None else 1)
    assert (await front.text(peer, "START")).texts != ()
    assert (await front.text(peer, "hello")).texts != ()


@pytest.mark.parametrize(
    ("words", "answer", "again", "welcome"),
    [
        ("No more offers!", "you will get no more offers here", "START OFFERS", "you will get our offers again"),
        ("Basta de ofertas", "no recibirá más ofertas", "start ofertas", "volverá a recibir nuestras ofertas"),
        ("stop pub", "vous ne recevrez plus d'offres", "Start offres", "vous recevrez à nouveau nos offres"),
        ("keine Werbung mehr", "Sie erhalten hier keine Angebote mehr", "START ANGEBOTE", "unsere Angebote wieder"),
        ("sem promoções", "não receberá mais ofertas", "receber ofertas", "receber as nossas ofertas"),
    ],
)
async def test_no_more_offers_stops_those_alone_and_says_so(
    api: Client, words: str, answer: str, again: str, welcome: str
) -> None:
    front, peer = api.front, "+15125550181"
    await front.text(peer, "haircut with Maya on thursday at 3pm")
    await front.text(peer, "yes")
    customer = (await api.get("/customers?search=15125550181"))["items"][0]
    await api.patch(f"/customers/{customer['id']}", {"tags": ["club"]})
    await broadcast(api, peer)
    assert len(await messages(front, "m.use = 'marketing' AND m.status <> 'refused'")) == 1
    await arrived(front)
    assert answer in (await front.text(peer, words)).text
    await broadcast(api, peer)
    assert len(await messages(front, "m.use = 'marketing' AND m.status <> 'refused'")) == 1
    found = await api.get(f"/customers/{customer['id']}/consents")
    assert [(one["purpose"], one["state"]) for one in found["current"]] == [("marketing", "out")]
    (told,) = found["history"]
    assert (told["purpose"], told["state"], told["source"]) == ("marketing", "out", "keyword")
    assert (await api.get(f"/messages/{told['message_id']}"))["text"] == words
    assert (await front.text(peer, "hello")).texts != ()
    front.clock.set(datetime(2026, 3, 4, 21, 30, tzinfo=UTC))  # past the reminder, a day before
    await front.work()
    reminders = await front.rows("SELECT status FROM messages WHERE use = 'reminder'")
    assert [status in ("refused", "held") for (status,) in reminders] == [False]
    assert welcome in (await front.text(peer, again)).text
    api = await person(front)
    await broadcast(api, peer)
    assert len(await messages(front, "m.use = 'marketing' AND m.status <> 'refused'")) == 2
    await front.text(peer, "STOP")
    assert "START" in (await front.text(peer, again)).text  # all of it is stopped, and stays so
    assert (await front.text(peer, "hello?")).texts == ()


async def test_help_is_answered_where_no_carrier_does_and_a_sentence_is_none(api: Client) -> None:
    front = api.front
    assert (await front.text("+15125550181", "HELP")).texts == ()
    said = await front.text("+15125550181", "Ayuda")
    assert "Juniper Barber & Repair" in said.text
    assert "STOP" in said.text
    await front.change("UPDATE accounts SET address = '+442071838750' WHERE address = :ours", ours="+15125550100")
    british = await front.text("+447700900123", "help", To="+442071838750")
    assert "Reply STOP" in british.text
    for words in ("hello", "please stop by at 3", "yes"):
        assert "STOP" not in (await front.text("+447700900123", words, To="+442071838750")).text
    assert await front.one("SELECT count(*) FROM consents WHERE state = 'out'") == 0


async def test_a_word_of_several_languages_is_taken_for_that_of_the_customer_or_the_business(api: Client) -> None:
    front, ajuda, others = api.front, "+15125550182", "+15125550183"
    await front.text(ajuda, "Ajuda")
    assert "não receberá mais" in (await front.text(ajuda, "PARE")).text
    await front.change('UPDATE businesses SET languages = \'["en", "pt"]\'')
    assert "não receberá mais" in (await front.text(others, "pare")).text
