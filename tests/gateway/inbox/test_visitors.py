"""Visitors of the web chat, live and over plain HTTP: their own conversation, and nothing beside it."""

import asyncio
import gzip
import re
from pathlib import Path
from typing import Any

import pytest
from socketio.exceptions import ConnectionError as CannotConnect

from channels.webchat import codec
from desk import messages
from gateway.webchat import thread
from storage.base import Db, metadata
from tests.clock import FakeClock
from tests.gateway import front, pictures
from tests.gateway.inbox import live
from tests.gateway.inbox.live import SESSION, Desk, connected, conversation_of, visitor
from tests.gateway.rest import api as clients

MESSAGES, SEEN = "/api/v1/webchat/messages", "/api/v1/webchat/seen"
NOBODYS = "019f0000-0000-7000-8000-000000000001"
SHOP = "https://www.juniper.example"


async def site_of(api: clients.Client) -> dict[str, Any]:
    [found] = (await api.get("/channels?kind=web"))["items"]
    return dict(found)


@pytest.mark.parametrize("way", ["websocket", "polling"])
async def test_a_visitor_talks_to_the_bot_and_to_people_and_finds_it_all_again(desk: Desk, way: str) -> None:
    robin = await clients.person(desk, "agent", name="Robin Reyes")
    async with (
        visitor(desk.url, way=way) as page,
        visitor(desk.url) as tab,
        visitor(desk.url, "somebody-else-0123456789") as other,
    ):
        assert await page.say("history", {}) == {
            "ok": True,
            "messages": [],
            "more": False,
            "earlier": False,
            "read": "",
            "typing": [],
        }
        said = await page.say("send", {"id": "1", "text": "I would like a haircut"})
        assert said["messages"][0]["choices"]
        assert await page.say("send", {"id": "1", "text": "I would like a haircut"}) == said
        for one in (page, tab):
            await one.hear("resync")  # they were open before there was a conversation
        chosen = said["messages"][0]["choices"][1]
        await page.say("send", {"id": "2", "choice": {"id": chosen["id"], "title": chosen["title"]}})
        mine = await tab.hear("message", lambda m: m.get("client_id") == "2")
        assert (mine["from"], mine["text"]) == ("visitor", chosen["title"])
        await tab.hear("message", lambda m: m["from"] == "bot")

        uid = await conversation_of(desk)
        room = {"room": f"conversation_{uid}"}
        async with connected(robin) as staff:
            await staff.say("join_room", room)
            await staff.say("typing", {**room, "typing": True, "private": True})
            assert (await page.say("history", {}))["typing"] == []  # a note is between colleagues
            await staff.say("typing", {**room, "typing": True})
            assert await page.hear("typing") == {"name": "Robin Reyes", "typing": True}
            assert (await page.say("history", {}))["typing"] == ["Robin Reyes"]
            await staff.say("typing", {**room, "typing": True, "private": True})
            await page.hear("typing", lambda t: not t["typing"])
            assert (await page.say("history", {}))["typing"] == []
            assert await page.say("typing", {"typing": True}) == {"ok": True}
            assert await staff.hear("customer_typing") == {**room, "typing": True}
            await staff.hear("customer_typing", lambda t: not t["typing"])  # it ends by itself
            await staff.say("send_message", {**room, "message": "between us", "private": True})
            await staff.say("send_message", {**room, "message": "Tuesday at ten it is."})
        theirs = await page.hear("message", lambda m: m["from"] == "staff")
        assert theirs == await tab.hear("message", lambda m: m["from"] == "staff")
        assert theirs.items() >= {"name": "Robin Reyes", "text": "Tuesday at ten it is."}.items()
        whole = await page.say("history", {})
        history = whole["messages"]
        assert [m["from"] for m in history] == ["visitor", "bot", "visitor", "bot", "staff"]
        assert whole["read"] == history[2]["id"]  # whoever answers has read it
        assert history[-1] == theirs
        assert "between us" not in str([page.heard, tab.heard, history])
        assert other.heard == []
        assert (await other.say("history", {}))["messages"] == []

        # What is another's can be neither quoted nor reacted to, though its id be known.
        await other.say("send", {"id": "1", "text": "What are your hours?", "reply_to": theirs["id"]})
        await other.say("send", {"id": "2", "reaction": {"to": theirs["id"], "emoji": "👍"}})
        assert not [one for one in (await other.say("history", {}))["messages"] if "quote" in one]
        assert (await page.say("history", {}))["messages"] == history

    # Away; what was said meanwhile is there over either way.
    await robin.post(f"/conversations/{uid}/messages", {"text": "Are you there?"})
    async with visitor(desk.url) as page:
        since = await page.say("history", {"after": theirs["id"]})
        assert [m["text"] for m in since["messages"]] == ["Are you there?"]
    asked, headers = {"site": "demo", "whole": "1"}, {"X-Webchat-Session": SESSION}
    async with desk.http.get(desk.url + MESSAGES, params=asked, headers=headers) as answer:
        assert (await answer.json())["messages"] == [*history, *since["messages"]]

    # However many notes stand between, what lies beyond them is found from the last message that was shown.
    account = await desk.house.accounts.known("webchat", "web", "demo")
    assert account is not None

    def noted(db: Db) -> None:
        place = thread.find(db, account.id, codec.visitor(SESSION))
        assert place is not None
        said: dict[str, Any] = {
            "tenant_id": place.tenant_id,
            "conversation_id": place.id,
            "account_id": place.account_id,
        }
        said |= {"author": "system", "status": messages.NOTED, "is_private": True, "now": desk.house.clock.now()}
        for number in range(thread.MOST + 1):
            messages.add_out(db, **said, text=f"for us {number}")

    await desk.house.store.write(noted)
    await robin.post(f"/conversations/{uid}/messages", {"text": "Hello?"})
    asked["after"] = since["messages"][-1]["id"]
    for more in ({}, {"whole": "0"}):
        async with desk.http.get(desk.url + MESSAGES, params=asked | more, headers=headers) as answer:
            assert [m["text"] for m in (await answer.json())["messages"]] == ["Hello?"]
    async with visitor(desk.url) as page:
        last = await page.say("history", {})
        assert ([m["text"] for m in last["messages"]], last["earlier"]) == (["Hello?"], True)
        before = {"before": last["messages"][0]["id"]}
        earlier = await page.say("history", before)
        assert (earlier["messages"], earlier["earlier"]) == ([*history, *since["messages"]], False)
        asked = {"site": "demo", "whole": "1", **before}
        async with desk.http.get(desk.url + MESSAGES, params=asked, headers=headers) as answer:
            assert await answer.json() == {
                name: value for name, value in earlier.items() if name not in ("ok", "typing")
            }
        for what in (history[0]["id"], NOBODYS):
            nothing = await page.say("history", {"before": what})
            assert (nothing["messages"], nothing["earlier"]) == ([], False)


async def test_no_more_offers_from_a_visitor_has_their_message_as_its_proof(desk: Desk) -> None:
    robin = await clients.person(desk, "admin", name="Robin Reyes")
    async with visitor(desk.url) as page:
        await page.say("send", {"id": "1", "text": "hello"})
        said = await page.say("send", {"id": "2", "text": "no more offers please"})
        assert ["you will get no more offers here" in one["text"] for one in said["messages"]] == [True]
        still = await page.say("send", {"id": "3", "text": "I would like a haircut"})
        assert still["messages"][0]["choices"]
    (talk,) = (await robin.get("/conversations"))["items"]
    (told,) = (await robin.get(f"/customers/{talk['customer']['id']}/consents"))["history"]
    assert (told["channel"], told["purpose"], told["state"]) == ("web", "marketing", "out")
    assert (await robin.get(f"/messages/{told['message_id']}"))["text"] == "no more offers please"
    offer = {"channel_id": talk["channel_id"], "text": "20 % off", "audience": {}}
    seen = await robin.post("/broadcasts/preview", offer, status=200)
    assert seen["skipped"]["opted_out"] == 1


async def test_the_key_of_a_visitor_is_kept_nowhere_and_opens_nothing_by_its_other_name(desk: Desk) -> None:
    """Whatever is answered, told live or logged is looked through by every test (tests/canaries.py)."""
    robin = await clients.person(desk, "admin", name="Robin Reyes")
    media = desk.url + "/api/v1/webchat/media?site=demo"
    async with visitor(desk.url) as page, connected(robin) as staff:
        said = await page.say("send", {"id": "1", "text": "I would like a haircut"})
        await page.say("send", {"id": "2", "choice": {"id": said["messages"][0]["choices"][0]["id"], "title": "This"}})
        headers = {"X-Webchat-Session": SESSION, "Content-Type": "image/png"}
        files = []
        for _ in range(2):
            async with desk.http.post(media, data=pictures.png(8, 8), headers=headers) as sent:
                files.append((await sent.json())["id"])
        await page.say("send", {"id": "3", "media": files[:1]})  # the other stays unused
        await page.say("send", {"id": "5", "text": "STOP"})
        await staff.hear("conversation_updated")
    (talk,) = (await robin.get("/conversations"))["items"]
    assert re.fullmatch(r"visitor-[0-9a-f]{24}", talk["address"])
    assert (await robin.get(f"/conversations?search={SESSION}"))["total"] == 0
    for path in (f"/conversations/{talk['id']}", f"/customers/{talk['customer']['id']}/export", "/audit"):
        await robin.call("GET", path)
    site = await site_of(robin)
    assert (await robin.get(f"/channels/{site['id']}/log"))["total"] == 4

    def kept(db: Db) -> dict[str, list[Any]]:
        return {table.name: [*map(tuple, db.execute(table.select()))] for table in metadata.sorted_tables}

    everything = await desk.house.store.read(kept)
    assert talk["address"] in str(everything["conversations"])
    assert [name for name, rows in everything.items() if SESSION in str(rows)] == []
    assert [path for path in desk.house.settings.data_dir.rglob("*") if SESSION in path.name] == []
    # What people see of a visitor is no key.
    async with visitor(desk.url, talk["address"]) as nobody:
        assert (await nobody.say("history", {}))["messages"] == []


async def test_each_side_sees_how_far_the_other_has_read(desk: Desk) -> None:
    robin = await clients.person(desk, "agent", name="Robin Reyes")
    async with visitor(desk.url) as page, visitor(desk.url) as tab, connected(robin) as staff:
        await page.say("send", {"id": "1", "text": "What are your hours?"})
        path = f"/conversations/{await conversation_of(desk)}"
        await staff.say("join_room", {"room": path[1:].replace("s/", "_")})

        async def statuses() -> list[str]:
            said = (await robin.get(f"{path}/messages"))["items"]
            return [one["status"] for one in said if one["direction"] == "out"]

        await robin.post(f"{path}/messages", {"text": "for us", "private": True})
        for text in ("We open at nine.", "And close at six."):
            await robin.post(f"{path}/messages", {"text": text})
        await desk.work()
        first = (await page.hear("message", lambda m: m["text"] == "We open at nine."))["id"]
        last = (await page.say("history", {}))["messages"][-1]["id"]
        before = await statuses()
        assert "read" not in before
        assert await page.say("seen", {"seen": first}) == {"ok": True}
        assert await statuses() == ["read", "noted", "read", before[-1]]
        told = await staff.hear("message_status", lambda s: s["message_id"] == first and s["status"] == "read")
        assert told["conversation_id"] == path.rpartition("/")[2]
        # Over plain HTTP the same; again it changes nothing, and no earlier one takes anything back.
        door, body = desk.url + SEEN, {"site": "demo", "session": SESSION}
        for seen in (last, last, first):
            async with desk.http.post(door, json={**body, "seen": seen}) as answer:
                assert answer.status == 204
        assert await statuses() == ["read", "noted", "read", "read"]
        bads: tuple[dict[str, Any], ...] = ({"seen": "1"}, {"seen": 7}, {})
        for bad in bads:
            assert (await page.say("seen", bad))["error"]["field"] == "seen"
            async with desk.http.post(door, json={**body, **bad}) as answer:
                assert (answer.status, "seen" in await answer.text()) == (400, True)

        # And theirs, by a person: the bot does not count.
        await page.say("send", {"id": "2", "text": "Thank you"})
        mine = (await tab.hear("message", lambda m: m.get("client_id") == "2"))["id"]
        assert (await page.say("history", {}))["read"] != mine
        await robin.post(f"{path}/read", {}, status=200)
        for one in (page, tab):
            assert await one.hear("read") == {"read": mine}
        assert (await page.say("history", {"after": mine}))["read"] == mine
        # A later status of a message is no second message, and another's id is nowhere.
        assert sum(m["text"] == "We open at nine." for m in page.of("message")) <= 2
        async with visitor(desk.url, "somebody-else-0123456789") as other:
            assert await other.say("seen", {"seen": last}) == {"ok": True}


REFUSED: list[tuple[str, object, str]] = [
    ("send", {"id": "1"}, "text"),
    ("send", {"id": "", "text": "hi"}, "id"),
    ("send", {"id": "1", "text": "x" * 4001}, "text"),
    ("send", {"id": "1", "text": ["hi"]}, "text"),
    ("send", {"id": "1", "choice": {}}, "choice.id"),
    ("typing", {"typing": "yes"}, "typing"),
    ("history", {"after": "1"}, "after"),
    ("history", {"after": 7}, "after"),
    ("history", {"before": "1"}, "before"),
    ("history", {"after": NOBODYS, "before": NOBODYS}, "before"),
]


async def test_what_makes_no_sense_is_refused_by_name_and_what_is_not_theirs_is_nowhere(desk: Desk) -> None:
    async with visitor(desk.url) as page:
        for event, data, field in REFUSED:
            answer = await page.say(event, data)
            assert (answer["ok"], answer["error"]["code"], answer["error"]["field"]) == (False, "invalid", field), data
        for event in ("join_room", "connect", "new_message"):
            assert (await page.say(event, {}))["error"]["code"] == "unknown_event"
        assert (await page.say("send", "hi"))["error"]["code"] == "invalid"
        # A session or a site in a message is none: who it is was said when connecting.
        await page.say("send", {"id": "1", "text": "hello", "session": "somebody-else-0123456789", "site": "else"})
    assert await desk.one("SELECT count(*) FROM conversations") == 1
    assert await conversation_of(desk)
    for session in ("short", None, 7, "x" * 65, "visitor/0123456789abcdef"):
        with pytest.raises(CannotConnect):
            async with visitor(desk.url, session):
                pass
    for site in ("", "nowhere"):
        with pytest.raises(CannotConnect):
            async with visitor(desk.url, site=site):
                pass


@pytest.mark.parametrize("site", ["nowhere", "second", "+15125550100", "x'--"])
async def test_a_chat_that_is_not_there_is_a_404_at_every_door(desk: Desk, site: str) -> None:
    """Whoever asks, also from a page elsewhere: there is nothing that could allow it. `second` was disconnected."""
    api = await clients.person(desk, "admin")
    made = await api.post("/channels", {"kind": "web", "address": "second"})
    await api.delete(f"/channels/{made['id']}")
    who = {"site": site, "session": SESSION}
    doors: list[tuple[str, str, dict[str, Any]]] = [
        ("GET", "/api/v1/webchat/config", {"params": {"site": site}}),
        ("OPTIONS", MESSAGES, {"params": {"site": site}}),
        ("POST", MESSAGES, {"json": {**who, "id": "1", "text": "hello"}}),
        ("GET", MESSAGES, {"params": who}),
        ("GET", MESSAGES, {"params": {**who, "whole": "1"}}),
        ("POST", SEEN, {"json": {**who, "seen": NOBODYS}}),
        ("POST", "/api/v1/webchat/media", {"params": who, "data": pictures.jpeg()}),
        ("GET", "/api/v1/webchat/socket.io/", {"params": {"EIO": "4", "transport": "polling", "site": site}}),
    ]
    for method, path, asked in doors:
        for origin in (None, desk.url, SHOP):
            headers = {} if origin is None else {"Origin": origin}
            async with desk.http.request(method, desk.url + path, headers=headers, **asked) as answer:
                told = await answer.json()
                assert (answer.status, told["error_code"], told["status_code"], told["path"]) == (
                    404,
                    "NOT_FOUND",
                    404,
                    path,
                )
                assert told.keys() == {"detail", "error_code", "status_code", "path", "timestamp", "request_id"}
                assert "web chat" in told["detail"]


async def test_only_pages_of_allowed_origins_may_show_a_chat(desk: Desk) -> None:
    api = await clients.person(desk, "admin")
    path = f"/channels/{(await site_of(api))['id']}"
    post = {"site": "demo", "session": SESSION, "id": "1", "text": "hello"}

    async def asked(method: str, path: str, origin: str, **more: Any) -> tuple[int, str | None]:
        headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        async with desk.http.request(method, desk.url + path, headers=headers, **more) as answer:
            return answer.status, answer.headers.get("Access-Control-Allow-Origin")

    async def doors(origin: str) -> list[tuple[int, str | None]]:
        site = {"site": "demo"}
        return [
            await asked("GET", "/api/v1/webchat/config", origin, params=site),
            await asked("OPTIONS", MESSAGES, origin, params=site),
            await asked("POST", MESSAGES, origin, json=post),
            await asked("GET", MESSAGES, origin, params={**site, "session": SESSION}),
            await asked("OPTIONS", SEEN, origin, params=site),
            await asked("POST", SEEN, origin, json={**site, "session": SESSION, "seen": NOBODYS}),
            await asked("OPTIONS", "/api/v1/webchat/media", origin, params=site),
            await asked("POST", "/api/v1/webchat/media", origin, params={**site, "session": SESSION}),
        ]

    # The page may read why, and no more. What is empty is no file.
    refused = [(403, "*"), *[(403, None)] * 7]
    opened = [200, 204, 200, 200, 204, 204, 204, 422]
    assert await doors(SHOP) == refused
    with pytest.raises(CannotConnect):
        async with visitor(desk.url, origin=SHOP):
            pass
    assert await desk.one("SELECT count(*) FROM messages") == 0
    look = {"title": "Juniper", "color": "#112233", "allowed_origins": ["https://*.Juniper.example"]}
    shown = (await api.patch(path, {"widget": look}))["widget"]
    assert shown == {
        "title": "Juniper",
        "greeting": "",
        "color": "#112233",
        "position": "right",
        "theme": "auto",
        "allowed_origins": ["https://*.juniper.example"],
    }
    assert await doors(SHOP) == [(status, SHOP) for status in opened]
    async with visitor(desk.url, origin=SHOP) as page:
        assert len((await page.say("history", {}))["messages"]) == 2
    for foreign in ("https://juniper.example", "http://www.juniper.example", "https://juniper.example.evil", "null"):
        assert await doors(foreign) == refused, foreign
    for ours in (desk.url, desk.house.settings.server.public_url):
        assert [status for status, _ in await doors(ours)] == opened
    await api.patch(path, {"widget": {"allowed_origins": ["*"]}})
    assert [status for status, _ in await doors("https://anywhere.example")] == opened
    async with desk.http.get(f"{desk.url}/api/v1/webchat/config?site=demo") as answer:
        assert (await answer.json())["title"] == "Juniper Barber & Repair"
    for wrong in (
        {"color": "red"},
        {"position": "top"},
        {"allowed_origins": ["https://a.example/path"]},
        {"allowed_origins": ["ftp://a.example"]},
        {"title": "x" * 61},
    ):
        detail = (await api.patch(path, {"widget": wrong}, status=422))["detail"][0]
        assert next(iter(wrong)) in detail["loc"], wrong
    sms = (await api.get("/channels?kind=sms"))["items"][0]
    assert sms["widget"] is None
    assert "widget" in str(await api.patch(f"/channels/{sms['id']}", {"widget": {}}, status=422))


async def test_a_chat_that_is_disconnected_lets_its_visitors_go(desk: Desk) -> None:
    api = await clients.person(desk, "admin")
    made = await api.post("/channels", {"kind": "web", "address": "second"})
    async with visitor(desk.url, site="second") as page:
        await page.say("send", {"id": "1", "text": "hello"})
        await api.delete(f"/channels/{made['id']}")
        async with asyncio.timeout(live.PATIENCE_S):
            await page.ended.wait()


async def test_too_much_is_refused_with_the_time_to_wait(
    demo_sqlite_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    env = {"FRONTDESK_LIMITS__WEBCHAT_SESSION": "2/minute", "FRONTDESK_LIMITS__WEBCHAT_ADDRESS": "6/minute"}
    async with front.opened(demo_sqlite_url, tmp_path, clock, env, seeded=False) as desk:
        async with visitor(desk.url) as page:
            for number in range(2):
                assert (await page.say("send", {"id": str(number), "text": "hello"}))["ok"]
            error = (await page.say("send", {"id": "2", "text": "hello"}))["error"]
            assert (error["code"], 0 < error["retry_after_s"] <= 60) == ("rate_limited", True)
        # Another session is another visitor, until the address has had enough.
        statuses, wait = [], None
        for number in range(4):
            post = {"site": "demo", "session": f"another-visitor-{number:05}", "id": "1", "text": "hello"}
            async with desk.http.post(desk.url + MESSAGES, json=post) as answer:
                statuses.append(answer.status)
                wait = answer.headers.get("Retry-After")
        assert (statuses, wait is not None) == ([200, 200, 200, 429], True)
        assert await desk.one("SELECT count(*) FROM messages WHERE direction = 'in'") == 5


async def test_the_script_is_small_cached_and_the_same_for_everybody(
    demo_sqlite_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with front.opened(demo_sqlite_url, tmp_path, clock, seeded=False) as desk:
        async with desk.http.get(f"{desk.url}/widget.js", auto_decompress=False) as answer:
            packed, headers = await answer.read(), answer.headers
        assert headers["Content-Encoding"] == "gzip"
        assert len(packed) < 20_000
        assert headers["Access-Control-Allow-Origin"] == "*"
        async with desk.http.get(f"{desk.url}/widget.js", headers={"Accept-Encoding": "identity"}) as answer:
            assert await answer.read() == gzip.decompress(packed)
            assert "max-age" in answer.headers["Cache-Control"]
        again = {"If-None-Match": headers["ETag"]}
        async with desk.http.get(f"{desk.url}/widget.js", headers=again) as answer:
            assert (answer.status, await answer.read()) == (304, b"")
        async with desk.http.get(f"{desk.url}/demo/chat") as answer:
            assert answer.status == 404  # there are real keys, so there is no demo
