"""WhatsApp by Meta's Cloud API through the front door, with the simulated Meta at the other end."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy.engine import make_url

from channels.meta.signing import signature
from desk import accounts
from gateway import demo_business as juniper
from simulators.meta import App, Faults, File, MetaSimulator, Number, Phone, Template
from tests.channels.posts import recorded
from tests.clock import FakeClock
from tests.conftest import ENGINES
from tests.gateway import front, pictures
from tests.gateway.front import Front
from tests.gateway.rest.api import Client, person
from tests.gateway.rest.test_broadcasts import with_spring
from tests.wire import wire

SECRET, TOKEN, WORD = "the-app-secret-of-the-tests", "the-access-token-of-the-tests", "our-word-of-the-tests"
HOOK = "/api/v1/webhooks/whatsapp"
OURS = juniper.META_NUMBER
DANA = "+15125550177"


@dataclass
class Met:
    """A front desk, Meta, and Dana's phone."""

    desk: Front
    meta: MetaSimulator
    dana: Phone

    async def settle(self) -> None:
        """Everything done that is due, on both sides."""
        await self.desk.work()
        await self.meta.settled()

    async def says(self, text: str) -> list[str]:
        """What comes on Dana's phone when she writes that."""
        before = len(self.dana.inbox)
        posts = await self.dana.say(OURS, text)
        assert [post.status for post in posts] == [200]
        await self.settle()
        return [one.text for one in self.dana.inbox[before:]]

    async def chooses(self, choice: str) -> list[str]:
        before = len(self.dana.inbox)
        await self.dana.choose(next(one for one in reversed(self.dana.inbox) if one.options), choice)
        await self.settle()
        return [one.text for one in self.dana.inbox[before:]]

    async def post(self, body: bytes, *, secret: str = SECRET, path: str = HOOK, **headers: str) -> int:
        """The status that a request gets; it is signed with `secret` unless `headers` say otherwise."""
        sent = headers or {"X-Hub-Signature-256": signature(secret, body)}
        async with self.desk.http.post(
            self.desk.url + path, data=body, headers={"Content-Type": "application/json", **sent}
        ) as answer:
            return answer.status


@contextlib.asynccontextmanager
async def opened(database_url: str, tmp_path: Path, clock: FakeClock, env: dict[str, str]) -> AsyncIterator[Met]:
    clock.set(front.NOON)
    ours = Number(number=OURS, phone_number_id=juniper.META_NUMBER_ID, waba_id=juniper.META_ACCOUNT)
    app = App(secret=SECRET, tokens=(TOKEN,), verify_token=WORD)
    async with MetaSimulator(app=app, numbers=[ours], clock=clock.now, rng=Random(1)) as meta:
        keys = {"META_APP_SECRET": SECRET, "META_ACCESS_TOKEN": TOKEN, "META_VERIFY_TOKEN": WORD}
        at = {"FRONTDESK_META__API_BASE": meta.api_base}
        async with front.opened(database_url, tmp_path, clock, {**keys, **at, **env}, seeded=False) as desk:
            meta.app = replace(meta.app, webhook_url=desk.url + HOOK)
            dana = meta.phone(DANA)
            dana.name = "Dana"
            yield Met(desk, meta, dana)


@pytest.fixture(params=ENGINES)
def database_url(request: pytest.FixtureRequest) -> str:
    """The address of a database of the test's own that holds the demo business."""
    return str(request.getfixturevalue(f"demo_{request.param}_url"))


@pytest.fixture
async def met(database_url: str, tmp_path: Path, clock: FakeClock) -> AsyncIterator[Met]:
    async with opened(database_url, tmp_path, clock, {}) as both:
        yield both


@pytest.fixture
async def api(met: Met) -> Client:
    return await person(met.desk, "admin")


async def test_a_visit_is_booked_by_tapping_alone(met: Met) -> None:
    await met.says("book")
    shown, said = [], [""]
    for choice in ("Haircut", "Tomorrow", "9:30 AM", "Yes"):
        asked = met.dana.inbox[-1]
        shown.append((asked.kind, asked.content["type"], len(asked.options)))
        said = await met.chooses(choice)
    assert shown == [
        ("interactive", "list", 6),
        ("interactive", "button", 3),
        ("interactive", "list", 6),
        ("interactive", "button", 2),
    ]
    assert [text.startswith("Booked: ") for text in said] == [True]
    assert await met.desk.one("SELECT local_start FROM appointments WHERE source = 'bot'") == "2026-03-03T09:30"
    wanted = "SELECT name, profile_name FROM customers WHERE phone = :phone"
    assert await met.desk.rows(wanted, phone=DANA) == [(None, "Dana")]
    assert await met.desk.rows("SELECT DISTINCT status FROM messages WHERE direction = 'out'") == [("read",)]


async def test_an_order_is_a_task_for_the_team_and_answers_no_question(met: Met, api: Client) -> None:
    async def orders(*items: tuple[str, int, object], note: str = "") -> list[str]:
        """What Dana hears of an order that Meta brings twice."""
        before = len(met.dana.inbox)
        products = [
            {"product_retailer_id": name, "quantity": count, "item_price": price, "currency": "USD"}
            for name, count, price in items
        ]
        met.meta.faults = Faults(duplicate=1)
        await met.dana.send(OURS, "order", {"catalog_id": "7", "text": note, "product_items": products})
        met.meta.faults = Faults()
        await met.settle()
        return [one.text for one in met.dana.inbox[before:]]

    await met.says("book")
    await met.chooses("Haircut")
    asked = met.dana.inbox[-1]
    assert await orders(("wax-1", 2, 12.5), ("comb", 1, 3), note="two") == [
        "Thank you for your order! The team has it and will take care of it.\nWhich day suits you?"
    ]
    assert met.dana.inbox[-1].options == asked.options
    assert [one.startswith("Which time") for one in await met.chooses("Tomorrow")] == [True]
    await met.says("human")
    assert await orders(("comb", 1, None)) == []  # people talk now
    await met.says("STOP")
    assert await orders(("soap", 2, "4.005"), note="yes") == []  # nor is it an answer to that
    done = await api.get("/service-requests?sort=created_at")
    [first] = (await api.get("/conversations"))["items"]
    assert [(one["title"], one["description"].splitlines(), one["status"]) for one in done["items"]] == [
        (
            "Order: 2 x wax-1, 1 x comb",
            ["2 x wax-1, $12.50 each", "1 x comb, $3 each", "Total: $28", "Note: two"],
            "new",
        ),
        ("Order: 1 x comb", ["1 x comb"], "new"),
        ("Order: 2 x soap", ["2 x soap, 4.005 USD each", "Note: yes"], "new"),
    ]
    assert {one["customer_id"] for one in done["items"]} == {first["customer"]["id"]}
    assert (first["last_message"]["text"], first["opted_out"]) == ("yes", True)
    ordered = (await api.get(f"/conversations/{first['id']}/messages"))["items"][-1]
    assert ordered["notice"] == "Ordered 2 x soap"


LEAK = """\
spec: 1
id: leak
start: where
triggers: {keywords: [leak]}
slots:
  where: {type: place}
  picture: {type: file}
  phone: {type: phone}
states:
  where: {say: ask_where, collect: where, outcomes: {filled: picture, exhausted: sorry}}
  picture: {say: ask_picture, collect: picture, outcomes: {filled: phone, exhausted: sorry}}
  phone: {say: ask_phone, collect: phone, outcomes: {filled: done, exhausted: sorry}}
  done: {say: thanks, end: completed}
  sorry: {say: sorry, end: abandoned}
words:
  en:
    ask_where: Where is it?
    ask_picture: Please send a picture.
    ask_phone: Whom shall we call?
    thanks: "{where}, {picture}, {phone}."
    sorry: Sorry.
tests:
  - name: what is written answers the first
    turns:
      - {user: leak, state: where}
      - {user: Alder Lane, state: picture}
      - {user: none, state: picture}
      - {user: "[a.jpg]", state: phone}
"""


async def test_a_place_a_picture_and_a_card_answer_the_questions_for_them(met: Met, api: Client) -> None:
    (bot,) = (await api.get("/bots"))["items"]
    made = await api.post(f"/bots/{bot['id']}/scenarios", {"source": LEAK})
    await api.post(f"/bots/{bot['id']}/scenarios/{made['id']}/publish", status=200)

    async def picture(caption: str = "") -> None:
        await met.dana.send_file(OURS, "image", File(pictures.jpeg(), "image/jpeg"), caption=caption)
        await met.settle()

    async def send(kind: str, content: object) -> None:
        await met.dana.send(OURS, kind, content)
        await met.settle()

    said = await met.says("leak")
    assert met.dana.inbox[-1].content["type"] == "location_request_message"  # a button for it
    await picture()
    await send("location", {"latitude": 30.26, "longitude": -97.71, "name": "Home", "address": "12 Alder Lane"})
    await send("location", {"latitude": 30.26, "longitude": -97.71})  # no picture, and thanked for already
    await picture("and what are your prices?")
    await picture()  # of the same album
    (one,) = (await api.get("/conversations"))["items"]
    state = (await api.get(f"/conversations/{one['id']}"))["bot_state"]
    assert {each["name"]: each["value"] for each in state["slots"]} == {
        "where": "Home, 12 Alder Lane",
        "picture": "picture",
    }
    await send("contacts", [{"name": {"formatted_name": "Bo"}, "phones": [{"phone": "+1 512 555 0111"}]}])
    said = [one.text for one in met.dana.inbox]
    assert [line for text in said for line in text.splitlines() if "Haircut" not in line] == [
        "Where is it?",
        "Thank you for the picture, the team can see it.",
        "Where is it?",
        "Please send a picture.",
        "Whom shall we call?",
        "Home, 12 Alder Lane, picture, +15125550111.",
    ]
    assert any("Haircut" in text for text in said)  # what stood below the picture was answered


async def test_a_conversation_tells_until_when_it_may_be_written_in_and_whether_at_all(met: Met, api: Client) -> None:
    async def told() -> list[Any]:
        """What the list says, and the conversation itself says no other."""
        (one,) = (await api.get("/conversations"))["items"]
        details = await api.get(f"/conversations/{one['id']}")
        assert {name: details[name] for name in ("window", "opted_out")} == {
            name: one[name] for name in ("window", "opted_out")
        }
        return [one["window"], one["opted_out"]]

    closed = {"is_open": False, "open_until": None}
    await met.says("hi")
    assert await told() == [{"is_open": True, "open_until": "2026-03-03T18:00:00Z"}, False]
    met.desk.clock.advance(timedelta(hours=24))
    api.token = (await person(met.desk, "admin")).token
    assert await told() == [closed, False]
    await met.says("STOP")
    open_again = {"is_open": True, "open_until": "2026-03-04T18:00:00Z"}
    assert await told() == [open_again, True]
    await met.says("START")
    assert await told() == [open_again, False]


async def test_only_meta_gets_in(met: Met) -> None:
    body = json.dumps(recorded("meta", "text")).encode()
    forged = [
        await met.post(body.replace(b'"id"', b'"id" '), **{"X-Hub-Signature-256": signature(SECRET, body)}),
        await met.post(body, **{"X-Hub-Signature": "sha1=" + "0" * 40}),
        await met.post(body, secret="another app's"),
        await met.post(body, **{"X-Nothing": ""}),
        (await met.meta.challenge(verify_token="wrong")).status,
        (await met.meta.challenge(verify_token="")).status,
    ]
    assert forged == [403] * 6
    for table in ("messages", "conversations", "early_statuses"):
        assert await met.desk.one(f"SELECT count(*) FROM {table}") == 0
    for path in (HOOK, HOOK + "/", "/webhooks/whatsapp", "/webhooks/whatsapp/"):
        met.meta.app = replace(met.meta.app, webhook_url=met.desk.url + path)
        asked = await met.meta.challenge(word="1158201444")
        assert (asked.status, asked.answer) == (200, b"1158201444")
        assert await met.post(body, path=path) == 200


SIGNED_NONSENSE = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"NaN",
    b'"a"',
    b"\xff",
    b"{}",
    b'{"object": "page"}',
    b'{"a":' * 90 + b"1",
]


async def test_signed_nonsense_is_a_400(met: Met) -> None:
    for body in SIGNED_NONSENSE:
        assert await met.post(body) == 400, body
    assert await met.post(b'{"object": "whatsapp_business_account", "entry": 3}') == 200
    assert await met.desk.one("SELECT count(*) FROM conversations") == 0


async def test_a_batch_is_taken_apart_and_each_good_thing_in_it_kept_once(met: Met) -> None:
    await met.says("hi")
    (reply,) = met.meta.messages.values()
    async with met.meta.batching():  # promises W9, and everything in it twice
        for _ in range(2):
            await met.dana.say(OURS, "book", message_id="wamid.one")
            await met.meta.phone("+15125550178").say(OURS, "what are your hours?", message_id="wamid.two")
            await met.dana.send(OURS, "hologram", {"depth": 3}, message_id="wamid.three")
            await met.meta.report(replace(reply, status="delivered"))
            await met.meta.report(replace(reply, status="sent"))
    assert [post.status for post in met.meta.posts] == [200] * (2 + 3)  # hi, three states of the reply, the batch
    await met.settle()
    heard = "SELECT provider_id, text FROM messages WHERE direction = 'in' ORDER BY id"
    ours = {row for row in await met.desk.rows(heard) if row[0] in ("wamid.one", "wamid.two", "wamid.three")}
    assert ours == {("wamid.one", "book"), ("wamid.two", "what are your hours?"), ("wamid.three", "")}
    mine = "SELECT text FROM messages WHERE direction = 'in' AND conversation_id = 1 ORDER BY id"
    assert [row[0] for row in await met.desk.rows(mine)] == ["hi", "book", ""]
    assert await met.desk.one("SELECT status FROM messages WHERE provider_id = :id", id=reply.id) == "read"
    answers = "SELECT count(DISTINCT turn_id) FROM messages WHERE direction = 'out'"
    assert await met.desk.one(answers) == 4


async def test_what_meta_repeats_for_days_was_not_written_today(met: Met, api: Client) -> None:
    written_at, now = met.desk.clock.now() - timedelta(hours=30), met.desk.clock.now()
    met.meta.clock = lambda: written_at
    await met.says("book a haircut for tomorrow")
    met.meta.clock = met.desk.clock.now
    (found,) = (await api.get("/conversations"))["items"]
    assert found["last_in_at"] == written_at.isoformat().replace("+00:00", "Z")
    path = f"/conversations/{found['id']}/messages"
    assert [one["direction"] for one in (await api.get(path))["items"]] == ["in"]
    owners = await api.get(f"/conversations/{found['id']}/owners")
    assert [(one["owner"], one["reason"]) for one in owners] == [("queue", "late_message")]
    sent = await api.post(path, {"text": "Here I am."})
    assert (sent["status"], sent["error"]["code"]) == ("parked", "window_closed")
    assert met.dana.inbox == []
    # What was repeated later than what came after it takes nothing back.
    await met.says("are you there?")
    assert [one.text for one in met.dana.inbox] == ["Here I am."]
    met.meta.clock = lambda: written_at
    await met.says("hello?")
    assert (await api.get(f"/conversations/{found['id']}"))["last_in_at"] == now.isoformat().replace("+00:00", "Z")
    # Tomorrow was said on Sunday evening, so it is today.
    met.meta.clock = lambda: now - timedelta(hours=13)
    ben = met.meta.phone("+15125550178")
    await ben.say(OURS, "a haircut tomorrow please")
    await met.settle()
    assert "Monday, March 2" in ben.inbox[-1].text


async def test_what_belongs_to_others_in_a_batch_is_left_out(met: Met, api: Client) -> None:
    theirs = await api.post(
        "/whatsapp",
        {
            "phone_number": "+15125550143",
            "provider_account": "209",
            "phone_number_id": "109",
            "credentials": {"app_secret": "their-own-app-secret", "access_token": "their-own-token"},
        },
    )
    assert (theirs["status"], theirs["phone_number_id"], theirs["keys"]["access_token"]) == ("active", "109", "••••")
    body: Any = recorded("meta", "batch")
    one, two = body["entry"]
    for change in one["changes"]:
        change["value"]["metadata"]["phone_number_id"] = juniper.META_NUMBER_ID
    one["id"] = juniper.META_ACCOUNT
    two["id"], two["changes"][0]["value"]["metadata"]["phone_number_id"] = "209", "109"
    both, their_part = json.dumps(body).encode(), json.dumps({**body, "entry": [two]}).encode()
    wanted = "SELECT provider_id FROM messages WHERE direction = 'in' ORDER BY provider_id"
    assert await met.post(their_part) == 403
    assert await met.post(both) == 200
    assert [row[0] for row in await met.desk.rows(wanted)] == ["wamid.B1", "wamid.B2", "wamid.B3"]
    assert await met.post(their_part, secret="their-own-app-secret") == 200
    assert [row[0] for row in await met.desk.rows(wanted)][-1] == "wamid.B4"


async def test_whoever_writes_from_the_shops_phone_has_taken_over(met: Met, api: Client) -> None:
    await met.says("book")
    await met.meta.write_from_shop(OURS, DANA, "I'll do it myself, Dana")
    logged = "SELECT l.direction, l.status FROM channel_log l JOIN messages m ON m.id = l.message_id"
    rows = await met.desk.rows(f"{logged} WHERE m.author = 'staff' AND m.direction = 'out'")
    assert [tuple(row) for row in rows] == [("in", "ok")]
    again = met.dana.inbox[-1]
    await met.meta.write_from_shop(OURS, DANA, again.text, message_id=again.id)
    assert {post.status for post in met.meta.posts} == {200}
    assert await met.says("haircut") == []
    (found,) = (await api.get("/conversations?search=myself"))["items"]
    assert (found["owner"], found["assignee"]["full_name"]) == ("staff", juniper.OWNER)
    said = (await api.get(f"/conversations/{found['id']}/messages"))["items"]
    mine = [(one["author"]["name"], one["status"]) for one in said if one["text"] == "I'll do it myself, Dana"]
    assert mine == [(juniper.OWNER, "sent")]
    # So it is in use on a phone as well, and Meta takes less from it.
    usual = replace(met.desk.house.line, rates={"whatsapp": 80.0, "whatsapp:phone": 20.0})
    await met.desk.house.store.write(accounts.pace_all, usual)
    rates = "SELECT a.provider, l.rate_per_s FROM accounts a JOIN lanes l ON l.name = 'account:' || a.id "
    assert await met.desk.rows(f"{rates} WHERE a.channel = 'whatsapp' ORDER BY 1") == [("meta", 20.0), ("twilio", 80.0)]


FROM_SHOP: list[tuple[str, dict[str, Any], File | None]] = [
    ("text", {"body": "Come at nine"}, None),
    ("image", {"caption": "like this?"}, File(pictures.jpeg(), "image/jpeg")),
    ("audio", {"voice": True}, File(b"OggS" + bytes(60), "audio/ogg")),
    ("video", {}, File(b"\0\0\0\x18ftypmp42" + bytes(60), "video/mp4")),
    ("document", {"filename": "offer.pdf"}, File(pictures.PDF, "application/pdf", "offer.pdf")),
    ("sticker", {"animated": False}, File(pictures.jpeg(), "image/webp")),
    ("location", {"latitude": 30.2, "longitude": -97.7, "name": "The shop"}, None),
]


@pytest.mark.parametrize(("kind", "content", "file"), FROM_SHOP, ids=[kind for kind, *_ in FROM_SHOP])
async def test_whatever_is_sent_from_the_shops_phone_is_a_person_who_takes_over(
    met: Met, api: Client, kind: str, content: dict[str, Any], file: File | None
) -> None:
    await met.says("book")
    await met.meta.send_from_shop(OURS, DANA, kind, content, file=file)
    await met.settle()
    assert await met.says("haircut") == []
    (found,) = (await api.get("/conversations"))["items"]
    assert (found["owner"], found["assignee"]["full_name"]) == ("staff", juniper.OWNER)
    *_, told, _ = (await api.get(f"/conversations/{found['id']}/messages?limit=100"))["items"]
    assert (told["author"]["name"], told["direction"], told["private"]) == (juniper.OWNER, "out", False)
    assert [one["kind"] for one in told["media"]] == ([kind] if file else [])
    assert {one["status"] for one in told["media"]} <= {"ready"}


@pytest.mark.parametrize("never_told", [False, True])
async def test_an_echo_of_what_we_have_sent_ourselves_is_nobody_who_takes_over(
    met: Met, api: Client, never_told: bool
) -> None:
    met.meta.faults = Faults(echo_early=True, accept_but_reset=never_told, never_status=never_told)
    (asked,) = await met.says("book")
    for message in [*met.meta.messages.values()]:
        await met.meta.echo(message)
    await met.desk.pass_time(timedelta(minutes=20), step=timedelta(minutes=5))
    api = await person(met.desk, "admin")
    (found,) = (await api.get("/conversations"))["items"]
    lines = (await api.get(f"/conversations/{found['id']}/messages"))["items"]
    assert [(one["direction"], one["author"]["kind"]) for one in lines] == [("in", "customer"), ("out", "bot")]
    assert [one.text for one in met.dana.inbox] == [asked]  # once
    assert found["owner"] == "bot"
    assert await met.desk.rows("SELECT DISTINCT is_on_phone FROM accounts") == [(0,)]
    met.meta.faults = Faults()
    assert await met.says("haircut")
    await api.post(f"/conversations/{found['id']}/messages", {"text": "It is me."})
    await met.settle()
    await met.meta.echo([*met.meta.messages.values()][-1])
    assert (await api.get(f"/conversations/{found['id']}"))["assignee"]["full_name"] != juniper.OWNER


async def test_news_comes_in_any_order_and_before_our_own_answer(met: Met) -> None:
    for faults in (
        Faults(status_out_of_order=1, status_duplicate=1),
        Faults(status_early=1),
        Faults(failed=1, failed_code=131050),
    ):
        met.meta.faults = faults
        await met.says("what are your hours?")
    rows = await met.desk.rows(
        "SELECT status, error_code, error_text FROM messages WHERE direction = 'out' ORDER BY id"
    )
    assert rows == [
        ("read", None, None),
        ("read", None, None),
        ("failed", "131050", "This person wants no more offers by WhatsApp."),
    ]
    billed = await met.desk.rows("SELECT is_billable, billed_as FROM messages WHERE direction = 'out' ORDER BY id")
    assert [(bool(paid), kind) for paid, kind in billed] == [(False, "service")] * 2 + [(False, None)]
    assert await met.desk.rows("SELECT purpose, state, source FROM consent_events") == [
        ("marketing", "out", "provider")
    ]
    assert await met.says("hi")  # everything else may go
    nobody = replace(next(iter(met.meta.messages.values())), id="wamid.nobody", body={})
    assert [post.status for post in await met.meta.report(nobody)] == [200]
    assert await met.desk.one("SELECT count(*) FROM early_statuses") == 1


@pytest.mark.parametrize("fault", ["accept_but_reset", "broken_json"])
async def test_a_message_that_went_out_all_the_same_is_not_sent_again(
    demo_sqlite_url: str, tmp_path: Path, clock: FakeClock, fault: str
) -> None:
    async with opened(demo_sqlite_url, tmp_path, clock, {}) as met:
        met.meta.faults = Faults(**{fault: 1}, never_status=1)
        (said,) = await met.says("what are your hours?")
        (message,) = met.meta.messages.values()
        await met.desk.pass_time(timedelta(minutes=4), step=timedelta(seconds=30))
        assert [one.text for one in met.dana.inbox] == [said]
        assert await met.desk.one("SELECT state FROM outbox") == "sending"
        await met.meta.report(replace(message, status="delivered"))  # so it has
        await met.desk.pass_time(timedelta(minutes=40), step=timedelta(minutes=20))
        assert [one.text for one in met.dana.inbox] == [said]
        assert await met.desk.rows(
            "SELECT state, status, provider_id FROM outbox JOIN messages ON id = message_id"
        ) == [("sent", "delivered", message.id)]


async def test_a_message_that_surely_did_not_go_out_is_sent_again_and_nothing_overtakes_it(
    demo_sqlite_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with opened(demo_sqlite_url, tmp_path, clock, {}) as met:
        met.meta.faults = Faults(graph_500=1)
        assert await met.says("hi") == []
        assert await met.says("what are your hours?") == []  # waits for the one before it
        await met.desk.pass_time(timedelta(minutes=4), step=timedelta(seconds=30))
        assert met.dana.inbox == []
        await met.desk.pass_time(timedelta(minutes=5), step=timedelta(seconds=30))
        assert ["Juniper" in one.text for one in met.dana.inbox] == [True, False]
        met.meta.faults = Faults(graph_error=2, error_code=131056)
        await met.says("where are you?")
        await met.says("do you cut children's hair?")
        await met.desk.pass_time(timedelta(minutes=1), step=timedelta(seconds=10))
        order = "SELECT m.text FROM messages m WHERE m.direction = 'out' ORDER BY m.id"
        assert [one.text for one in met.dana.inbox] == [row[0] for row in await met.desk.rows(order)]


async def test_when_meta_asks_to_slow_down_the_whole_number_waits(
    demo_sqlite_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with opened(demo_sqlite_url, tmp_path, clock, {}) as met:
        met.meta.faults = Faults(graph_429=1, retry_after_s=90)
        ben = met.meta.phone("+15125550178")
        await met.says("hi")
        await ben.say(OURS, "hi")
        await met.desk.pass_time(timedelta(seconds=80), step=timedelta(seconds=40))
        assert (met.dana.inbox, ben.inbox) == ([], [])
        await met.desk.pass_time(timedelta(seconds=20), step=timedelta(seconds=20))
        assert (len(met.dana.inbox), len(ben.inbox)) == (1, 1)
        met.meta.faults = Faults(graph_error=True, error_code=190)
        await met.says("what are your hours?")
        failed = await met.desk.rows("SELECT status, error_code, error_text FROM messages WHERE status = 'failed'")
        assert failed == [
            ("failed", "190", "WhatsApp does not accept the access token: it has expired or was taken back.")
        ]
        assert TOKEN not in str(failed)


async def test_the_customer_sees_what_was_read_by_whoever_answers(met: Met, api: Client) -> None:
    await met.says("what are your hours?")
    await met.dana.send_file(OURS, "document", File(pictures.PDF, "application/pdf", "plan.pdf"), caption="Like this")
    await met.settle()
    await met.says("human please")
    await met.says("are you there?")
    heard = [
        row[0] for row in await met.desk.rows("SELECT provider_id FROM messages WHERE direction = 'in' ORDER BY id")
    ]
    assert met.meta.seen.read == heard[:3]
    (found,) = (await api.get("/conversations?search=hours"))["items"]
    for text in ("Yes!", "What is it?"):
        await api.post(f"/conversations/{found['id']}/messages", {"text": text})
        await met.settle()
    assert met.meta.seen.read == heard
    assert met.meta.seen.typing == []
    path = f"/conversations/{found['id']}/messages"
    said = (await api.get(path))["items"]
    assert [(one["status"], one["kind"]) for line in said for one in line["media"]] == [("ready", "document")]

    # What belongs to a message is shown with it, on both sides.
    asked, last = [one for one in said if one["direction"] == "in"][-1], said[-1]
    await met.dana.say(OURS, "The tap drips", quotes=met.dana.inbox[-1].id)
    await met.dana.react(met.dana.inbox[-1], "👍")
    seen = await api.get(f"/conversations/{found['id']}")
    assert seen["unread_count"] == 1  # a thumb is none
    answers: list[dict[str, Any]] = [
        {"text": "A plumber will.", "reply_to": asked["id"]},
        {"reaction": {"message_id": asked["id"], "emoji": "❤️"}},
        {"text": "This one:", "contact": {"name": "Sam Lee", "phones": ["+15125550111"], "emails": ["sam@a.example"]}},
        {"location": {"latitude": 30.25, "longitude": -97.75, "name": "Our shop"}},
    ]
    for body in answers:
        await api.post(path, body)
        await met.settle()
    shown = [(one.kind, one.quotes) for one in met.dana.inbox[-5:]]
    assert shown == [("text", heard[-1]), ("reaction", ""), ("contacts", ""), ("text", ""), ("location", "")]
    said = (await api.get(f"{path}?after={last['id']}"))["items"]
    assert [one["reply_to"] for one in said[:4]] == [last["id"], last["id"], asked["id"], asked["id"]]
    assert {one["reply_to"] for one in said[4:]} == {None}
    assert [one["status"] for one in said[:2]] == ["received", "noted"]
    await api.post(f"/conversations/{found['id']}/close", status=200)
    await met.dana.react(met.dana.inbox[-1], "❤️")
    await met.dana.send(OURS, "request_welcome", {})
    await met.settle()
    closed = await api.get(f"/conversations/{found['id']}")
    assert (closed["status"], closed["unread_count"], closed["last_in_at"]) == ("closed", 0, seen["last_in_at"])
    assert (await api.get(f"{path}?limit=3"))["items"][1]["content"][0]["emoji"] == "❤️"
    nowhere = {"reply_to": "019f0000-0000-7000-8000-000000000001", "text": "?"}
    for bad in (
        nowhere,
        {"reaction": answers[1]["reaction"], "text": "?"},
        {"location": {"latitude": 91, "longitude": 0}},
    ):
        await api.post(path, bad, status=422)


async def test_somebody_who_hides_their_number_is_one_person_when_they_show_it(met: Met) -> None:
    met.dana.user_id, met.dana.hides_number = "US.13491208655302741918", True
    assert await met.says("hi")
    assert [message.body.get("recipient") for message in met.meta.messages.values()] == [met.dana.user_id]
    met.dana.hides_number = False
    assert await met.says("hi")
    await met.dana.send(
        OURS, "system", {"type": "user_changed_number", "wa_id": "15125550178", "body": "Dana has a new number"}
    )
    assert await met.desk.rows("SELECT DISTINCT customer_id FROM conversations") == [
        (await met.desk.one("SELECT id FROM customers WHERE profile_name = 'Dana'"),)
    ]
    known = await met.desk.rows(
        "SELECT i.kind, i.value FROM customer_identities i JOIN customers c ON c.id = i.customer_id"
        " WHERE c.profile_name = 'Dana' ORDER BY i.kind, i.value"
    )
    assert known == [("bsuid", met.dana.user_id), ("whatsapp", DANA), ("whatsapp", "+15125550178")]


USER_ID = "US.13491208655302741918"


def addressed(met: Met) -> list[Any]:
    """To which number or id each of our messages to Dana went."""
    return [one.body.get("to") or one.body.get("recipient") for one in met.meta.messages.values()]


@pytest.mark.parametrize("hides_first", [True, False])
async def test_whoever_hides_or_shows_their_number_goes_on_where_a_person_has_the_word(
    met: Met, api: Client, hides_first: bool
) -> None:
    met.dana.user_id, met.dana.hides_number = USER_ID, hides_first
    assert await met.says("hi")
    (talk,) = (await api.get("/conversations"))["items"]
    path = f"/conversations/{talk['id']}/messages"
    await api.post(path, {"text": "I'll see to it."})
    await met.settle()
    met.dana.hides_number = not hides_first
    assert await met.says("so?") == []
    await api.post(path, {"text": "Come at nine."})
    await met.settle()
    met.dana.hides_number = hides_first
    assert await met.says("fine") == []
    await api.post(path, {"text": "See you."})
    await met.settle()
    (found,) = (await api.get("/conversations"))["items"]
    assert (found["id"], found["owner"]) == (talk["id"], "staff")
    said = [one["text"] for one in (await api.get(path))["items"] if one["direction"] == "in"]
    assert said == ["hi", "so?", "fine"]
    first, other = (USER_ID, DANA[1:]) if hides_first else (DANA[1:], USER_ID)
    assert addressed(met)[-3:] == [first, other, first]
    assert await met.desk.rows("SELECT phone FROM customers WHERE profile_name = 'Dana'") == [(DANA,)]


@pytest.mark.parametrize("hides_first", [True, False])
async def test_stop_holds_and_an_offer_comes_once_whether_they_hide_their_number_or_not(
    met: Met, hides_first: bool
) -> None:
    api = await person(met.desk)
    met.dana.user_id, met.dana.hides_number = USER_ID, hides_first
    await met.says("hi")
    met.dana.hides_number = not hides_first
    await met.says("hi")
    (talk,) = (await api.get("/conversations"))["items"]
    await api.patch(f"/customers/{talk['customer']['id']}", {"tags": ["club"]})
    offer = {"name": "Spring", "text": "20 % off", "audience": {"tags_any": ["club"]}, "channel_id": talk["channel_id"]}

    async def seen() -> Any:
        draft = await api.post("/broadcasts", offer)
        return draft["id"], await api.post(f"/broadcasts/{draft['id']}/preview", status=200)

    heard = len(met.dana.inbox)
    draft_id, preview = await seen()
    assert (preview["total"], preview["reachable"]) == (1, 1)
    await api.post(f"/broadcasts/{draft_id}/send", status=202)
    await met.settle()
    await met.settle()
    assert [one.text for one in met.dana.inbox[heard:]] == ["20 % off"]
    assert addressed(met)[-1] == (DANA[1:] if hides_first else USER_ID)  # from where they wrote last
    await met.says("STOP")
    met.dana.hides_number = hides_first
    assert await met.says("hello?") == []
    assert (await seen())[1]["skipped"] == {"opted_out": 1}
    (talk,) = (await api.get("/conversations"))["items"]
    told = (await api.get(f"/customers/{talk['customer']['id']}/consents"))["history"]
    assert {one["kind"] for one in told} == {"whatsapp", "bsuid"}
    assert [(await api.get(f"/messages/{one['message_id']}"))["text"] for one in told] == ["STOP", "STOP"]
    assert await met.says("START")
    met.dana.hides_number = not hides_first
    assert await met.says("hello?")


async def test_number_and_id_that_write_at_once_are_one_person_in_one_conversation(met: Met) -> None:
    people = [met.meta.phone(f"+1512555{1000 + number}") for number in range(12)]
    writing = []
    for number, one in enumerate(people):
        one.user_id, one.name = f"US.{number}", f"Person {number}"
        for hides in (False, True) if number % 2 else (True, False):
            one.hides_number = hides
            writing.append(asyncio.create_task(one.say(OURS, "what are your hours?")))
            await asyncio.sleep(0)  # it is on its way, told as it was said
    assert {post.status for posts in await asyncio.gather(*writing) for post in posts} == {200}
    await met.settle()
    counted = "SELECT count(*) FROM customers WHERE profile_name LIKE 'Person %' AND merged_into_id IS NULL"
    assert await met.desk.one(counted) == 12
    assert await met.desk.one("SELECT count(*) FROM conversations") == 12
    per_talk = "SELECT DISTINCT n FROM (SELECT count(*) AS n FROM messages GROUP BY conversation_id, direction) AS c"
    assert await met.desk.rows(per_talk) == [(2,)]


@pytest.mark.parametrize("has", [0, 1])
async def test_two_conversations_become_the_one_that_a_person_has_once_it_is_told_whose_they_are(
    met: Met, api: Client, has: int
) -> None:
    customer = await api.post("/customers", {"name": "Dana Reyes", "phone": DANA, "notes": "no gel"})
    await met.says("hi")
    met.dana.user_id, met.dana.hides_number = USER_ID, True  # and nobody has been told whose that is
    await met.says("hello")
    talks = [await api.get(f"/conversations/{one['id']}") for one in (await api.get("/conversations"))["items"]]
    talks.sort(key=lambda one: one["created_at"])
    assert len({one["customer"]["id"] for one in talks}) == 2
    label = await api.post("/labels", {"name": "regular"})
    for one in talks:
        await api.patch(f"/conversations/{one['id']}", {"label_ids": [label["id"]]})
    heard = {"url": "https://crm.example/hook", "event_types": ["conversation.closed", "customer.merged"]}
    await api.post("/webhooks", heard)
    await api.post(f"/conversations/{talks[has]['id']}/messages", {"text": "I'll see to it."})
    await met.settle()
    met.dana.hides_number = False
    assert await met.says("so?") == []
    told = await met.desk.rows("SELECT event, body FROM webhook_deliveries ORDER BY id")
    assert [event for event, _ in told] == ["customer.merged", "conversation.closed"]
    assert talks[1 - has]["id"] in str(told[1][1])
    (found,) = (await api.get("/conversations"))["items"]
    assert (found["id"], found["owner"], found["customer"]["id"]) == (talks[has]["id"], "staff", customer["id"])
    assert [one["name"] for one in found["labels"]] == ["regular"]
    lines = (await api.get(f"/conversations/{found['id']}/messages?limit=100"))["items"]
    assert [one["text"] for one in lines if one["direction"] == "in"] == ["hi", "hello", "so?"]
    assert [one["text"] for one in lines if one["private"]] == [
        "Another conversation with the same person, at another address of theirs, was joined to this one."
    ]
    await api.get(f"/conversations/{talks[1 - has]['id']}", status=404)
    whole = await api.get(f"/customers/{customer['id']}")
    assert (whole["name"], whole["notes"]) == ("Dana Reyes", "no gel")
    for hides in (True, False):
        met.dana.hides_number = hides
        assert await met.says("hm") == []
    assert await met.desk.one("SELECT count(*) FROM conversations") == 1


async def test_a_new_id_of_somebody_who_hides_their_number_leads_to_the_same_conversation(
    met: Met, api: Client
) -> None:
    met.dana.user_id, met.dana.hides_number = USER_ID, True
    assert await met.says("hi")
    (talk,) = (await api.get("/conversations"))["items"]
    await api.post(f"/conversations/{talk['id']}/messages", {"text": "I'll see to it."})
    await met.settle()
    met.dana.user_id = "US.777"
    change = {"type": "user_changed_user_id", "user_id": "US.777", "previous_user_id": USER_ID, "body": "A new id"}
    told = {"id": "wamid.NEWS", "timestamp": "1767225600", "type": "system", "system": change}
    posts = await met.meta.tell(met.meta.numbers[OURS], "messages", {"messages": [told]})
    assert [post.status for post in posts] == [200]
    await api.post(f"/conversations/{talk['id']}/messages", {"text": "Come at nine."})
    await met.settle()
    assert addressed(met)[-1] == "US.777"
    assert await met.says("fine") == []
    (found,) = (await api.get("/conversations"))["items"]
    assert (found["id"], found["owner"]) == (talk["id"], "staff")


async def test_whoever_answers_our_first_message_without_their_number_answers_in_its_conversation(
    met: Met, api: Client
) -> None:
    met.meta.templates = [Template(name="hello", components=({"type": "BODY", "text": "Hello!"},))]
    met.dana.user_id, met.dana.hides_number = USER_ID, True
    customer = await api.post("/customers", {"name": "Dana", "phone": DANA})
    (number,) = [one for one in (await api.get("/whatsapp"))["items"] if one["phone_number"] == OURS]
    first = {"customer_id": customer["id"], "channel_id": number["id"], "text": "Hello!"}
    talk = await api.post("/conversations", {**first, "template": {"name": "hello", "language": "en_US"}})
    await met.settle()
    assert await met.says("who is this?") == []
    (found,) = (await api.get("/conversations"))["items"]
    assert (found["id"], found["customer"]["id"]) == (talk["id"], customer["id"])
    said = [one["text"] for one in (await api.get(f"/conversations/{talk['id']}/messages"))["items"]]
    assert said == ["Hello!", "who is this?"]


async def test_whoever_answers_the_shops_phone_without_their_number_is_not_answered_by_the_bot(
    met: Met, api: Client
) -> None:
    met.dana.user_id, met.dana.hides_number = USER_ID, True
    await met.meta.write_from_shop(OURS, DANA, "Your bike is done")
    assert await met.says("thanks, when?") == []
    (found,) = (await api.get("/conversations"))["items"]
    said = [one["text"] for one in (await api.get(f"/conversations/{found['id']}/messages"))["items"]]
    assert said == ["Your bike is done", "thanks, when?"]


async def test_whoever_hides_a_number_that_we_know_gets_no_offer_at_night_where_that_is(met: Met) -> None:
    eve = met.meta.phone("+442079460123")
    eve.user_id = USER_ID
    await met.desk.pass_time(timedelta(hours=4), step=timedelta(hours=2))  # ten in the evening in London
    api = await person(met.desk)
    for hides in (False, True):
        eve.hides_number = hides
        await eve.say(OURS, "hi")
    (talk,) = (await api.get("/conversations"))["items"]
    offer = {"name": "Spring", "text": "20 % off", "audience": {}, "channel_id": talk["channel_id"]}
    for when in ({}, {"local_at": "2026-03-03T10:00"}):
        draft = await api.post("/broadcasts", offer)
        await api.post(f"/broadcasts/{draft['id']}/send", when, status=202)
        await met.settle()
    waiting = (await api.get(f"/conversations/{talk['id']}/messages"))["items"][-2:]
    assert [(one["status"], one["scheduled_for"]) for one in waiting] == [
        ("held", "2026-03-03T08:00:00Z"),
        ("held", "2026-03-03T10:00:00Z"),
    ]


async def test_whoever_changes_their_number_is_answered_at_the_new_one_and_what_is_repeated_changes_nothing(
    met: Met, api: Client
) -> None:
    await met.dana.say(OURS, "hi", message_id="wamid.OLD")
    await met.settle()
    (talk,) = (await api.get("/conversations"))["items"]
    path = f"/conversations/{talk['id']}/messages"
    await api.post(path, {"text": "I'll see to it."})
    await met.settle()
    news = {"type": "user_changed_number", "wa_id": "15125550178", "body": "Dana has a new number"}
    await met.dana.send(OURS, "system", news, message_id="wamid.NEWS")
    await api.post(path, {"text": "Come at nine."})
    await met.settle()
    assert addressed(met)[-1] == "15125550178"
    moved = met.meta.phone("+15125550178")
    await moved.say(OURS, "fine")
    await met.settle()
    written_at = met.desk.clock.now()
    await met.desk.pass_time(timedelta(hours=1), step=timedelta(minutes=30))
    met.meta.clock = lambda: written_at
    repeated = (
        met.dana.say(OURS, "hi", message_id="wamid.OLD"),
        met.dana.send(OURS, "system", news, message_id="wamid.NEWS"),
    )
    for again in repeated:
        assert [post.status for post in await again] == [200]
    met.meta.clock = met.desk.clock.now
    await api.post(path, {"text": "See you."})
    await met.settle()
    assert addressed(met)[-1] == "15125550178"
    (found,) = (await api.get("/conversations"))["items"]
    assert (found["id"], found["owner"]) == (talk["id"], "staff")
    assert [one.text for one in moved.inbox] == ["Come at nine.", "See you."]


async def test_whoever_has_another_number_on_whatsapp_answers_in_the_conversation_that_we_began(
    met: Met, api: Client
) -> None:
    met.meta.templates = [Template(name="hello", components=({"type": "BODY", "text": "Hello!"},))]
    rio = met.meta.phone("+552187654321")
    rio.dialled = "+5521987654321"
    customer = await api.post("/customers", {"name": "Rui", "phone": rio.dialled})
    (number,) = [one for one in (await api.get("/whatsapp"))["items"] if one["phone_number"] == OURS]
    template = {"name": "hello", "language": "en_US"}
    first = {"customer_id": customer["id"], "channel_id": number["id"], "text": "Hello!", "template": template}
    talk = await api.post("/conversations", first)
    await met.settle()
    await rio.say(OURS, "Who is this?")
    await met.settle()
    said = (await api.get(f"/conversations/{talk['id']}/messages"))["items"]
    assert [one["text"] for one in said] == ["Hello!", "Who is this?"]
    await api.post(f"/conversations/{talk['id']}/messages", {"text": "Juniper."})
    await met.settle()
    assert [one.kind for one in rio.inbox] == ["template", "text"]
    known = await met.desk.rows("SELECT kind, value FROM customer_identities WHERE value LIKE '+5521%' ORDER BY id")
    assert known == [("phone", rio.dialled), ("whatsapp", rio.dialled), ("whatsapp", rio.number)]
    assert await met.desk.one("SELECT count(*) FROM conversations") == 1


async def test_templates_are_asked_for_and_failures_told(met: Met, api: Client) -> None:
    body: dict[str, object] = {"type": "BODY", "text": "Hi {{1}}, see you {{2}}."}
    met.meta.templates = [Template(name=f"reminder_{number}", components=(body,)) for number in range(101)]
    numbers = (await api.get("/whatsapp"))["items"]
    (ours,) = [one for one in numbers if one["phone_number"] == OURS]
    found = (await api.get(f"/whatsapp/{ours['id']}/templates"))["items"]
    assert len(found) == 101  # of two pages
    assert found[0] == {
        "name": "reminder_0",
        "language": "en_US",
        "status": "APPROVED",
        "category": "UTILITY",
        "text": "Hi {{1}}, see you {{2}}.",
        "variables": ["1", "2"],
        "header": "",
        "payloads": 0,
    }
    met.meta.faults = Faults(graph_error=1, error_code=190)
    refused = await api.call("GET", f"/whatsapp/{ours['id']}/templates")
    assert (refused.status, refused.json["error_code"]) == (502, "PROVIDER_REFUSED")
    (other,) = [one for one in numbers if one["provider"] == "twilio"]
    away = await api.call("GET", f"/whatsapp/{other['id']}/templates")
    assert (away.status, away.json["detail"]) == (502, "Twilio cannot be reached.")


async def test_while_the_database_is_away_a_batch_goes_to_disk_once_for_each_number(
    demo_postgresql_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    real = make_url(demo_postgresql_url)
    async with wire(real.host or "", real.port or 5432) as between:
        through = real.set(host="127.0.0.1", port=between.port).render_as_string(hide_password=False)
        async with opened(through, tmp_path, clock, {}) as met:
            await met.says("book")
            (reply,) = met.meta.messages.values()
            await between.cut()
            async with met.meta.batching():
                await met.dana.say(OURS, "haircut")
                await met.meta.phone("+15125550178").say(OURS, "hi")
                await met.dana.say(OURS, "tomorrow")
                await met.meta.report(replace(reply, status="read"))
            assert met.meta.posts[-1].status == 200
            (spooled,) = (tmp_path / "spool").glob("*.jsonl")
            assert len(spooled.read_bytes().splitlines()) == 1
            assert not [word for word in (b"whatsapp", b"signature", b"+1512") if word in spooled.read_bytes().lower()]
            await between.mend()
            await met.settle()
            await met.settle()
            said = await met.desk.rows("SELECT text FROM messages WHERE direction = 'in' ORDER BY id")
            assert [text for (text,) in said] == ["book", "haircut", "hi", "tomorrow"]
            logged = "SELECT text FROM channel_log l JOIN messages m ON m.id = l.message_id WHERE l.direction = 'in'"
            rows = await met.desk.rows(f"{logged} AND m.direction = 'in' ORDER BY m.id")
            assert [text for (text,) in rows] == ["book", "haircut", "hi", "tomorrow"]
            assert met.dana.inbox[-1].options


async def test_a_file_is_fetched_by_its_id_and_one_of_ours_is_fetched_by_them(met: Met, api: Client) -> None:
    await met.dana.send_file(OURS, "image", File(pictures.jpeg(), "image/jpeg"), caption="like this")
    await met.settle()
    met.meta.faults = Faults(media_lost=True)
    await met.dana.send_file(OURS, "document", File(pictures.PDF, "application/pdf", "offer.pdf"))
    await met.settle()
    await met.desk.pass_time(timedelta(minutes=7), step=timedelta(minutes=1))
    (talk,) = (await api.get("/conversations"))["items"]
    path = f"/conversations/{talk['id']}/messages"
    photo, lost = [one["media"][0] for one in (await api.get(path))["items"] if one["direction"] == "in"]
    assert (photo["status"], photo["content_type"], photo["caption"]) == ("ready", "image/jpeg", "like this")
    assert (lost["name"], lost["reason"]) == ("offer.pdf", "The file is not there any more.")
    sent = await api.call("POST", "/media?name=cut.jpg", data=pictures.jpeg(), headers={"Content-Type": "image/jpeg"})
    await api.post(path, {"text": "So?", "media": [sent.json["id"]]})
    await met.settle()
    link = str(met.dana.inbox[-1].content["link"])
    async with met.desk.http.get(link) as answer:
        assert (answer.status, await answer.read()) == (200, pictures.jpeg())
    # What is no picture to WhatsApp goes as a document, and a template takes the one file of its header.
    gif = await api.call("POST", "/media?name=cut.gif", data=pictures.GIF, headers={"Content-Type": "image/gif"})
    await api.post(path, {"media": [gif.json["id"]]})
    met.meta.templates = [Template(name="news", components=({"type": "HEADER", "format": "IMAGE"},))]
    news = {"text": "News!", "template": {"name": "news", "language": "en_US"}, "media": [sent.json["id"]]}
    await api.post(path, news)
    await met.settle()
    assert [one.kind for one in met.dana.inbox[-2:]] == ["document", "template"]
    assert met.dana.inbox[-2].content["filename"] == "cut.gif"
    components: Any = met.dana.inbox[-1].content["components"]
    ((header,),) = (one["parameters"] for one in components)
    assert (header["type"], "/media/" in header["image"]["link"]) == ("image", True)
    for media, field in (([gif.json["id"]], ["media", "0"]), ([sent.json["id"]] * 2, ["media"])):
        refused = await api.post(path, {**news, "media": media}, status=422)
        assert refused["detail"][0]["loc"] == ["body", *field]


async def test_what_is_changed_or_taken_back_is_so_here_too_and_nobody_answers_it(met: Met, api: Client) -> None:
    await met.dana.say(OURS, "human please, my code is 1234", message_id="wamid.first")
    await met.dana.send_file(OURS, "image", File(pictures.jpeg(), "image/jpeg"), caption="the tapp")
    await met.settle()
    (talk,) = (await api.get("/conversations"))["items"]
    path = f"/conversations/{talk['id']}/messages"
    heard = [one for one in (await api.get(path))["items"] if one["direction"] == "in"]
    photo = await met.desk.one("SELECT provider_id FROM messages WHERE text = 'the tapp'")
    said = len(met.dana.inbox)

    async def changes(what: str, target: Any, text: str = "") -> None:
        now: dict[str, Any] = {"message": {"type": "text", "text": {"body": text}}} if text else {}
        await met.dana.send(OURS, what, {"original_message_id": target, **now})
        await met.settle()

    await changes("edit", "wamid.first", "human please, it is about a tap")
    await changes("edit", photo, "the tap")
    await changes("revoke", "wamid.nobody")
    shown = (await api.get(path))["items"]
    first, second = [one for one in shown if one["id"] in [line["id"] for line in heard]]
    assert (first["text"], second["text"], second["media"][0]["caption"]) == (
        "human please, it is about a tap",
        *("the tap", "the tap"),
    )
    assert [part["text"] for part in first["content"]] == [first["text"], "human please, my code is 1234"]
    assert first["notice"] == "This message was changed after it was sent."
    lines = [(one["text"], one["notice"], one["reply_to"]) for one in shown[-3:]]
    assert lines == [
        ("", "Changed an earlier message to: human please, it is about a tap", first["id"]),
        ("", "Changed an earlier message to: the tap", second["id"]),
        ("", "Took an earlier message back.", None),
    ]
    for target in ("wamid.first", "wamid.first", photo):
        await changes("revoke", target)
    await changes("edit", "wamid.first", "1234 again")  # Meta brings things in any order
    shown = (await api.get(f"{path}?limit=100"))["items"]
    first, second = [one for one in shown if one["id"] in [line["id"] for line in heard]]
    for gone in (first, second):
        assert (gone["text"], gone["media"], gone["notice"]) == ("", [], "This message was taken back.")
    kept = "SELECT count(*) FROM messages WHERE text LIKE :w OR CAST(content AS TEXT) LIKE :w"
    kept += " OR CAST(raw AS TEXT) LIKE :w"
    for word in ("my code", "about a tap", "the tap", "1234 again"):
        assert await met.desk.one(kept, w=f"%{word}%") == 0, word
    assert (await api.get("/messages?search=code"))["total"] == 0
    assert await met.desk.one("SELECT count(*) FROM files") == 0
    assert len(met.dana.inbox) == said
    # What was said to others is theirs.
    await met.meta.phone("+15125550178").send(OURS, "revoke", {"original_message_id": "wamid.first"})
    ours = await met.desk.one("SELECT min(provider_id) FROM messages WHERE direction = 'out'")
    await changes("revoke", ours)
    assert await met.desk.one("SELECT count(*) FROM messages WHERE direction = 'out' AND text = ''") == 0
    await changes("edit", "wamid.first", "Stop!")
    assert await met.desk.rows("SELECT state FROM consents") == [("out",)]
    assert [one.text[:27] for one in met.dana.inbox[said:]] == ["Juniper Barber & Repair: yo"]


async def test_what_is_done_on_the_shops_phone_and_what_meta_says_of_the_number_is_seen(met: Met, api: Client) -> None:
    await met.says("hi")
    number = met.meta.numbers[OURS]

    async def on_phone(message_id: str, **what: Any) -> None:
        echo: dict[str, Any] = {"from": number.digits, "to": DANA[1:], "id": message_id, **what}
        await met.meta.tell(number, "smb_message_echoes", {"message_echoes": [echo]})

    await on_phone("wamid.E1", type="text", text={"body": "Come at nien"})
    await on_phone("wamid.E2", type="text", text={"body": "The key is 99"})
    changed = {"original_message_id": "wamid.E1", "message": {"type": "text", "text": {"body": "Come at nine"}}}
    await on_phone("wamid.E3", type="edit", edit=changed)
    for message_id in ("wamid.E4", "wamid.E4"):
        await on_phone(message_id, type="revoke", revoke={"original_message_id": "wamid.E2"})
    await on_phone("wamid.E5", type="unsupported", errors=[{"code": 131051}], unsupported={"type": "poll"})
    (talk,) = (await api.get("/conversations"))["items"]
    shown = (await api.get(f"/conversations/{talk['id']}/messages"))["items"][-5:]
    assert [(one["private"], one["text"], one["notice"]) for one in shown] == [
        (False, "Come at nine", "This message was changed after it was sent."),
        (False, "", "This message was taken back."),
        (True, "From the phone: Changed an earlier message.", None),
        (True, "From the phone: Took an earlier message back.", None),
        (True, "From the phone: something that cannot be shown here (poll).", None),
    ]
    assert talk["owner"] == "staff"
    error = {"code": 131042, "title": "Business eligibility payment issue", "message": "Payment", "href": ""}
    await met.meta.tell(number, "messages", {"errors": [error]})
    channel = (await api.get(f"/channels/{talk['channel_id']}/log?status=failed"))["items"]
    assert [(one["direction"], one["code"]) for one in channel] == [("in", "131042")]


async def test_many_are_reached_by_a_template_and_left_in_peace_when_meta_says_so(met: Met, api: Client) -> None:
    ben = met.meta.phone("+15125550178")
    await ben.say(OURS, "hi")
    await met.settle()
    await met.desk.pass_time(timedelta(hours=25), step=timedelta(hours=5))
    api = await person(met.desk)
    await met.says("hi")
    talks = (await api.get("/conversations"))["items"]
    for talk in talks:
        await api.patch(f"/customers/{talk['customer']['id']}", {"tags": ["club"]})
    words = {"name": "Spring", "text": "20 % off all week", "audience": {"tags_any": ["club"]}}
    channel = talks[0]["channel_id"]
    blank = '{{ customer.first_name | default: "there" }}'
    offer = {"name": "offer", "language": "en_US", "variables": {"1": blank}}
    body: dict[str, object] = {"type": "BODY", "text": "Hi {{1}}, 20 % off all week."}
    met.meta.templates = [Template(name="offer", components=(body,))]

    async def sent(**more: Any) -> tuple[Any, Any]:
        draft = await api.post("/broadcasts", {**words, "channel_id": channel, **more})
        path = f"/broadcasts/{draft['id']}"
        seen = await api.post(f"{path}/preview", status=200)
        await api.post(f"{path}/send", status=202)
        await met.settle()
        await met.settle()
        recipients = (await api.get(f"{path}/recipients"))["items"]
        return {**seen["skipped"], "reachable": seen["reachable"]}, [one["skipped_for"] for one in recipients]

    heard = len(ben.inbox), len(met.dana.inbox)
    assert await sent() == ({"window_closed": 1, "reachable": 1}, ["window_closed", None])
    nameless = {**offer, "variables": {"1": "{{ customer.first_name }}"}}  # of the template, whatever the wording has
    assert await sent(template=nameless) == ({"missing_value": 2, "reachable": 0}, ["missing_value"] * 2)
    wording = "Hi {{ customer.first_name }}, 20 % off all week."
    assert await sent(template=offer, text=wording) == ({"reachable": 2}, [None, None])
    assert [one.kind for one in ben.inbox[heard[0] :]] == ["template"]
    assert [one.kind for one in met.dana.inbox[heard[1] :]] == ["text", "template"]
    assert "there" in str(ben.inbox[-1].content)
    sms = (await api.get("/channels?kind=sms"))["items"][0]["id"]
    for bad in ({"channel_id": sms, "template": offer}, {"template": {**offer, "variables": {"1": "{{ nobody }}"}}}):
        await api.post("/broadcasts", {**words, "channel_id": channel, **bad}, status=422)

    replies = await with_spring(api)
    await sent(template=offer, name="Spring", replies=replies)
    await met.dana.press_template(met.dana.inbox[-1], payload="Yes, please", title="Yes, please")
    await met.settle()
    assert met.dana.inbox[-1].text == "The offer Spring is yours."

    await met.desk.pass_time(timedelta(minutes=1), step=timedelta(seconds=20))  # so that those two are over
    met.meta.faults = Faults(graph_error=True, error_code=131048)
    for _ in range(2):
        await sent(template=offer)
    why = "WhatsApp has stopped messages from this number: too many people found them unwanted."
    stopped = (await api.get("/broadcasts?status=paused"))["items"]
    because = {"code": "131048", "reason": why}
    assert [(one["template"], one["paused_for"]) for one in stopped] == [(offer, because)] * 2
    (told,) = (await api.get("/audit?action=channel.failed"))["items"]
    assert told["after"] == because
    assert stopped[0]["counts"]["failed"] == 0  # what was refused waits as well
    heard = len(ben.inbox), len(met.dana.inbox)
    met.meta.faults = Faults()
    again = await api.post(f"/broadcasts/{stopped[0]['id']}/resume", status=200)
    assert (again["status"], again["paused_for"]) == ("sending", None)
    await met.settle()
    assert (len(ben.inbox), len(met.dana.inbox)) == (heard[0] + 1, heard[1] + 1)
