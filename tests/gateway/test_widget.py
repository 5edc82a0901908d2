"""The web chat on a business's own page, in a real browser: open, chat, book, reload, lose the network, come back."""

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import pytest
from aiohttp import web
from sqlalchemy import select

from desk import messages
from storage.base import Db
from storage.models.conversations import conversations
from tests import browser
from tests.clock import FakeClock
from tests.gateway import front, pictures
from tests.gateway.inbox import live
from tests.gateway.inbox.live import Desk, connected
from tests.gateway.inbox.test_visitors import site_of
from tests.gateway.rest import api as clients
from tests.wire import Wire, wire

if TYPE_CHECKING:
    from playwright.async_api import Browser, FilePayload, Page, Route

LOOK = {"title": "Juniper", "greeting": "Hello! What can we do for you?", "color": "#ffd400", "position": "left"}

DOG: Final["FilePayload"] = {"name": "dog.png", "mimeType": "image/png", "buffer": pictures.png(60, 40)}

# Until the log of the chat has kept its size for a quarter of a second.
AT_REST: Final = """(one) => new Promise((done) => {
  const log = one.closest(".log");
  let size = "", times = 0;
  const look = () => {
    const now = [log.clientWidth, log.clientHeight, log.scrollHeight].join();
    times = now === size ? times + 1 : 0;
    size = now;
    if (times < 5) setTimeout(look, 50); else done();
  };
  look();
})"""


class Street:
    """A shop's page on an origin of its own, and the front desk behind a wire that can be cut."""

    def __init__(self, desk: Desk, way: Wire, robin: clients.Client, shop: str) -> None:
        self.desk = desk
        self.way = way
        self.robin = robin
        self.shop = shop

    async def count(self, text: str) -> int:
        return int(await self.desk.one("SELECT count(*) FROM messages WHERE text = :text", text=text))

    async def staff_say(self, text: str) -> None:
        await self.robin.post(f"/conversations/{await self.conversation()}/messages", {"text": text})

    async def conversation(self) -> str:
        [found] = (await self.robin.get("/conversations"))["items"]
        return str(found["id"])


@pytest.fixture
async def street(demo_sqlite_url: str, tmp_path: Path, clock: FakeClock) -> AsyncIterator[Street]:
    """What differs by engine is tried without a browser (tests/gateway/inbox/test_visitors.py)."""
    clock.set(front.NOON)
    async with contextlib.AsyncExitStack() as stack:
        desk = await stack.enter_async_context(live.opened(demo_sqlite_url, tmp_path, clock))
        way = await stack.enter_async_context(wire("127.0.0.1", int(desk.url.rpartition(":")[2])))
        ours = f"localhost:{way.port}"

        async def page(request: web.Request) -> web.Response:
            # The strictest page that can have the chat: nothing inline, nothing but the one script.
            direction, language = request.query.get("dir", "ltr"), request.query.get("lang", "en")
            policy = f"default-src 'none'; script-src http://{ours}; connect-src http://{ours} ws://{ours}; img-src {desk.url}; "
            policy += "require-trusted-types-for 'script'"
            text = f"""<!doctype html><html lang={language} dir={direction}><title>Juniper</title><link rel=icon href=data:,>
                <main><h1>Juniper</h1><p><a href=#>A link</a></p></main>
                <script src="http://{ours}/widget.js" data-channel=demo async></script></html>"""
            return web.Response(text=text, content_type="text/html", headers={"Content-Security-Policy": policy})

        site = web.Application()
        site.router.add_get("/", page)
        door, port = stack.enter_context(front.listening())
        await stack.enter_async_context(front.served(site, door))
        robin = await clients.person(desk, "admin", name="Robin Reyes")
        yield Street(desk, way, robin, f"http://localhost:{port}")


@pytest.fixture
async def chromium() -> AsyncIterator["Browser"]:
    async with browser.opened() as opened:
        yield opened


async def allow(street: Street) -> None:
    widget = {**LOOK, "allowed_origins": [street.shop]}
    await street.robin.patch(f"/channels/{(await site_of(street.robin))['id']}", {"widget": widget})


def long_ago(db: Db) -> None:
    """So many messages in the one conversation that they come in several pieces."""
    [place] = db.execute(select(conversations.c.id, conversations.c.tenant_id, conversations.c.account_id))
    said: dict[str, Any] = {"conversation_id": place.id, "tenant_id": place.tenant_id, "account_id": place.account_id}
    for number in range(250):
        messages.add_out(db, **said, text=f"Long ago {number}", author="bot", status="sent", now=front.NOON)


async def flaws(page: "Page") -> list[Any]:
    """What axe finds."""
    found = await page.evaluate(
        """async () => (await axe.run()).violations.map((one) => [one.id, one.nodes.map((node) => node.html)])"""
    )
    return list(found)


async def test_a_visitor_books_reloads_loses_the_network_and_comes_back(street: Street, chromium: "Browser") -> None:
    from playwright.async_api import expect

    context = await chromium.new_context(bypass_csp=False)
    page = await context.new_page()
    surprises: list[str] = []
    page.on("pageerror", lambda error: surprises.append(str(error)))
    launch = page.get_by_role("button", name="Open chat")
    dialog, log = page.get_by_role("dialog", name="Juniper"), page.get_by_role("log")
    box, state = page.get_by_role("textbox", name="Write a message"), page.locator(".state")

    # Nowhere but where the business says.
    async with page.expect_console_message(lambda one: "allowed_origins" in one.text):
        await page.goto(street.shop)
    assert await launch.count() == 0
    await allow(street)

    # Open, by keyboard.
    await page.goto(street.shop)
    await launch.focus()
    await page.keyboard.press("Enter")
    await expect(dialog).to_be_visible()
    await expect(box).to_be_focused()
    await expect(log).to_contain_text("Hello! What can we do for you?")
    assert (
        await dialog.locator("header").evaluate("(one) => getComputedStyle(one).color") == "rgb(0, 0, 0)"
    )  # on yellow

    # Chat and book.
    await page.keyboard.type("I would like a haircut")
    await page.keyboard.press("Enter")
    choices = page.locator(".choices button")
    await expect(choices).not_to_have_count(0)
    before = await street.desk.one("SELECT count(*) FROM appointments")
    await choices.nth(1).focus()
    await page.keyboard.press("Enter")
    await expect(box).to_be_focused()  # the button is gone; whoever uses keys is not lost
    await expect(log).to_contain_text("Which time")
    for choice in (choices.first, page.get_by_role("button", name="Yes")):
        await choice.focus()
        await page.keyboard.press("Enter")
        await expect(box).to_be_focused()
    await expect(log).to_contain_text("Booked")
    assert await street.desk.one("SELECT count(*) FROM appointments") == before + 1

    # Reload.
    await expect(page.locator(".sending")).to_have_count(0)
    said, lines = await log.inner_text(), await page.locator(".m").count()
    await page.reload()
    await expect(dialog).to_be_visible()
    await expect(page.locator(".m")).to_have_count(lines)
    assert await log.inner_text() == said

    # People, live; closed, they are counted.
    async with connected(street.robin) as staff:
        room = {"room": f"conversation_{await street.conversation()}"}
        await staff.say("join_room", room)
        await box.fill("May I bring")
        assert (await staff.hear("customer_typing"))["typing"] is True
        await staff.say("typing", {**room, "typing": True})
        await expect(page.get_by_text("Robin Reyes is typing")).to_be_visible()
        receipt = page.locator(".receipt")
        await expect(receipt).to_have_count(0)  # the bot has answered, and nobody has looked
        await street.robin.post(f"/conversations/{await street.conversation()}/read", {}, status=200)
        await expect(receipt).to_have_text("Read")
        await staff.say("send_message", {**room, "message": "Robin here."})
        await expect(log).to_contain_text("Robin here.")
        await expect(receipt).to_have_count(0)
        await staff.hear("message_status", lambda one: one["status"] == "read")
        await expect(page.locator(".typing")).to_be_hidden()
        await box.press("Escape")
        await expect(dialog).to_be_hidden()
        await expect(launch).to_be_focused()
        await staff.say("send_message", {**room, "message": "Anything else?"})
    await expect(page.get_by_role("button", name="Open chat, new messages: 1")).to_be_visible()
    await expect(page.locator(".badge")).to_have_text("1")
    # Another tab counts the same, shows the same, and what was seen there is not new here.
    tab = await context.new_page()
    await tab.goto(street.shop)
    await tab.get_by_role("button", name="Open chat, new messages: 1").click()
    await expect(tab.get_by_role("log")).to_contain_text("Anything else?")
    await expect(page.locator(".badge")).to_be_hidden()
    await tab.get_by_role("textbox").fill("In another tab")
    await tab.keyboard.press("Enter")
    await expect(tab.locator(".receipt")).to_have_text("Delivered")
    await tab.close()
    await page.bring_to_front()
    await launch.focus()
    await page.keyboard.press("Enter")
    await expect(box).to_have_value("May I bring")
    await expect(log).to_contain_text("In another tab")

    # Reactions and quotes, both ways and by keys alone.
    path = f"/conversations/{await street.conversation()}/messages"
    said = (await street.robin.get(f"{path}?limit=100"))["items"]
    mine = next(one for one in said if one["text"] == "In another tab")
    await street.robin.post(path, {"reaction": {"message_id": mine["id"], "emoji": "👍"}})
    await street.robin.post(path, {"text": "Yes, in this one.", "reply_to": mine["id"]})
    mood = page.locator(".m.visitor", has_text="In another tab").locator(".re")
    await expect(mood).to_have_text("Robin Reyes: 👍")
    quote = page.get_by_role("button", name="In reply to You: In another tab")
    await quote.focus()
    await page.keyboard.press("Enter")
    await expect(page.locator(".m.visitor", has_text="In another tab")).to_be_focused()
    last, tool = page.locator(".m.staff").last, page.locator(".tool[tabindex='0']")
    await tool.focus()
    await page.keyboard.press("ArrowUp")
    await expect(page.locator(".m.staff", has_text="Anything else?").locator(".tool")).to_be_focused()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name="Thumbs up")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(tool).to_be_focused()
    for _ in range(2):  # another one takes the place of the first
        await page.keyboard.press("Enter")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter" if _ else "Space")
    await expect(last.locator(".re")).to_have_count(0)  # the same once more takes it away
    await page.keyboard.press("Enter")
    await page.keyboard.press("Enter")
    await expect(last.locator(".re")).to_have_text("You: 👍")
    await page.keyboard.press("Enter")
    await (
        page.get_by_role("group", name="React or reply").get_by_role("button", name="Reply", exact=True).press("Enter")
    )
    await expect(page.get_by_text("In reply to Robin Reyes: Yes, in this one.")).to_be_visible()
    await expect(box).to_be_focused()
    await box.fill("Good.")
    await box.press("Enter")
    await expect(page.locator(".quoting")).to_be_hidden()
    await expect(page.locator(".m.visitor", has_text="Good.").locator(".q")).to_contain_text("Yes, in this one.")
    await expect(page.locator(".sending")).to_have_count(0)
    said = (await street.robin.get(f"{path}?limit=100"))["items"]
    answer = next(one for one in said if one["text"] == "Yes, in this one.")
    moods = [
        one["content"][0].get("emoji", "")
        for one in said
        if one["direction"] == "in" and one["reply_to"] == answer["id"] and not one["text"]
    ]
    assert moods == ["❤️", "", "👍"]
    assert [one["reply_to"] for one in said if one["text"] == "Good."] == [answer["id"]]

    # The network goes; what is written waits; it comes back, and everything is there once.
    await street.way.cut()
    await expect(state).to_contain_text("No connection")
    await box.fill("May I bring my dog?")
    await box.press("Enter")
    await expect(log).to_contain_text("May I bring my dog?")
    await street.staff_say("We are still here.")
    await street.way.mend()
    await expect(log).to_contain_text("We are still here.", timeout=20_000)
    await expect(page.locator(".sending")).to_have_count(0)
    await expect(state).to_be_empty()
    assert await street.count("May I bring my dog?") == 1

    # Even if the page is closed in between.
    await street.way.cut()
    await expect(state).to_contain_text("No connection")
    await box.fill("It is a small one.")
    await box.press("Enter")
    await page.close()
    await street.way.mend()
    page = await context.new_page()
    await page.goto(street.shop)
    await expect(page.get_by_role("log")).to_contain_text("It is a small one.")
    await expect(page.locator(".re")).to_have_text(["Robin Reyes: 👍", "You: 👍"])
    await expect(page.locator(".q")).to_have_count(2)
    await expect(page.locator(".sending")).to_have_count(0)
    assert await street.count("It is a small one.") == 1

    # A picture, at the second go.
    await page.route("**/webchat/media*", lambda route: route.abort(), times=1)
    await page.locator("input[type=file]").set_input_files(DOG)
    await page.get_by_role("button", name="Try again: dog.png").click()
    await expect(page.get_by_role("img", name="dog.png")).to_be_visible()
    await expect(page.locator(".m.visitor", has=page.get_by_role("img"))).to_have_count(1)
    await expect(page.locator(".sending")).to_have_count(0)

    # What was said long ago comes when one scrolls there, and nothing moves under the reader's eyes.
    await street.desk.house.store.write(long_ago)
    await page.reload()
    shown, first = page.locator(".m"), page.locator(".m", has_text="Long ago 150")
    await expect(page.get_by_text("Long ago 249")).to_be_in_viewport()
    await expect(page.get_by_text("Hello! What can we do for you?")).to_be_hidden()
    loaded = await shown.count()
    top = "one.getBoundingClientRect().top"
    await first.evaluate(AT_REST)  # while things still find their places one is kept at the end
    was = await first.evaluate(f"(one) => {{ one.closest('.log').scrollTop = 10; return {top}; }}")
    await expect(shown).not_to_have_count(loaded)
    assert abs(await first.evaluate(f"(one) => {top}") - was) <= 1
    # A screen reader is not told of it, and keys alone do it too.
    assert await page.locator(".older").get_attribute("aria-live") == "off"
    while await (early := page.get_by_role("button", name="Earlier messages")).is_visible():
        loaded = await shown.count()
        await early.press("Enter")
        await expect(shown).not_to_have_count(loaded)
    texts = await page.locator(".m .b").all_inner_texts()
    assert texts[:2] == ["Hello! What can we do for you?", "I would like a haircut"]
    assert [text for text in texts if text.startswith("Long ago")] == [f"Long ago {number}" for number in range(250)]

    # On a shared device the chat can be ended, by keys: it is forgotten in every tab, and what is said next is a new one.
    tab = await context.new_page()
    await tab.goto(street.shop)
    await expect(tab.get_by_text("Long ago 249")).to_be_visible()
    box = page.get_by_role("textbox")
    more, sure = page.get_by_label("More"), page.get_by_role("dialog", name="End this chat?")
    for answer in ("Escape", "Cancel", "End chat"):
        await more.press("Enter")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await expect(sure.get_by_role("button", name="Cancel")).to_be_focused()
        if answer == "Escape":
            await page.keyboard.press("Escape")
        else:
            await sure.get_by_role("button", name=answer).press("Enter")
        await expect(sure).to_be_hidden()
        await expect(box if answer == "End chat" else more).to_be_focused()
        assert (await shown.count() > 250) is (answer != "End chat")
    for one in (page, tab):
        await expect(one.locator(".m")).to_have_text(["Hello! What can we do for you?"])
    await box.fill("I am somebody else")
    await box.press("Enter")
    await expect(tab.get_by_text("I am somebody else")).to_be_visible()
    await page.reload()
    await expect(shown.nth(1)).to_contain_text("I am somebody else")
    items = (await street.robin.get("/conversations"))["items"]
    assert len({one["id"] for one in items}) == 2
    assert await street.count("Long ago 249") == 1
    await expect(page.locator(".sending")).to_have_count(0)
    assert surprises == []


async def test_where_no_websocket_gets_through_it_works_all_the_same(street: Street, chromium: "Browser") -> None:
    from playwright.async_api import expect

    await allow(street)
    page = await chromium.new_page()
    await page.route_web_socket(re.compile("socket.io"), lambda socket: socket.close())
    await page.goto(street.shop)
    await page.get_by_role("button", name="Open chat").click()
    box, log = page.get_by_role("textbox"), page.get_by_role("log")
    await box.fill("What are your hours?")
    await box.press("Enter")
    await expect(log).to_contain_text("9 to 6", timeout=10_000)
    async with page.expect_response(re.compile("webchat/seen")) as told:
        await street.staff_say("And on Sunday for you.")
        await expect(log).to_contain_text("And on Sunday for you.", timeout=10_000)
    assert (await told.value).status == 204
    last = page.locator(".m.staff")
    await last.hover()
    await last.locator(".tool").click()
    await page.get_by_role("button", name="Thank you").click()
    await expect(last.locator(".re")).to_have_text("You: 🙏")
    await last.locator(".tool").click()
    await page.get_by_role("button", name="Reply", exact=True).click()
    await box.fill("Thank you")
    await box.press("Enter")
    await expect(page.locator(".m.visitor .q")).to_contain_text("And on Sunday for you.")
    await expect(page.locator(".receipt")).to_have_text("Delivered", timeout=10_000)
    path = f"/conversations/{await street.conversation()}/messages"
    asked = (await street.robin.get(path))["items"][0]
    await street.robin.post(path, {"reaction": {"message_id": asked["id"], "emoji": "❤️"}})
    await expect(page.locator(".m.visitor .re")).to_have_text("Robin Reyes: ❤️", timeout=10_000)
    await street.robin.post(f"/conversations/{await street.conversation()}/read", {}, status=200)
    await expect(page.locator(".receipt")).to_have_text("Read", timeout=10_000)
    assert await street.count("What are your hours?") == 1

    # What was refused can be tried again, also after a reload, by keys, and is there once.
    posted: list[str] = []

    async def refuse(route: "Route") -> None:
        if route.request.method == "POST":
            posted.append(json.loads(route.request.post_data or "")["id"])
        if len(posted) == 1:
            await route.fulfill(status=500, headers={"Access-Control-Allow-Origin": street.shop})
        else:
            await route.continue_()

    await page.route("**/webchat/messages*", refuse)
    for text in ("One more thing", "Bye"):
        await box.fill(text)
        await box.press("Enter")
    refused, again = page.locator(".lost"), page.get_by_role("button", name="Try again: One more thing")
    await expect(page.locator(".m.visitor", has_text="Bye")).not_to_have_class(re.compile("sending"))
    await expect(refused).to_have_text(re.compile("One more thing.*Not sent"))
    assert await refused.get_by_role("alert").is_visible()
    await page.reload()
    await expect(page.locator(".m.visitor", has_text="Bye")).to_be_visible(timeout=10_000)
    await again.focus()
    await page.keyboard.press("Enter")
    await expect(box).to_be_focused()
    await expect(page.locator(".m.visitor").last).to_contain_text("One more thing")
    await expect(page.locator(".lost, .sending")).to_have_count(0, timeout=10_000)
    assert posted[0] in posted[2:]
    assert len({*posted}) == 2
    assert [await street.count(text) for text in ("One more thing", "Bye")] == [1, 1]

    # That the network is gone is said before the next question would find out.
    await page.context.set_offline(True)
    await expect(page.locator(".state")).to_contain_text("No connection", timeout=1_000)


# Resolves once the bar has gone some way.
UNDER_WAY: Final = """(bar) => new Promise((done) => {
  const look = () => (bar.value > 0.05 && bar.value < 0.95 ? done() : requestAnimationFrame(look));
  look();
})"""


TO_THE_TOP: Final = """(log) => new Promise((done) => {
  const look = () => {
    log.scrollTop = 0;
    if (log.querySelector(".early").hidden) done(); else setTimeout(look, 50);
  };
  look();
})"""


async def test_a_file_gets_through_in_the_end_and_its_link_does_not_grow_old(
    street: Street, chromium: "Browser"
) -> None:
    from playwright.async_api import expect

    await allow(street)
    context = await chromium.new_context()
    page, tab = await context.new_page(), await context.new_page()
    for one in (tab, page):
        await one.goto(street.shop)
    await page.get_by_role("button", name="Open chat").click()
    box, picker, log = page.get_by_role("textbox"), page.locator("input[type=file]"), page.get_by_role("log")
    await box.fill("hello")
    await box.press("Enter")
    await expect(page.locator(".m.bot").nth(1)).to_be_visible()

    # The network goes in the middle of it; one sees how far it is, and a screen reader is not told at every step.
    wire_to = await context.new_cdp_session(page)
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 1_500_000}
    await wire_to.send("Network.emulateNetworkConditions", slow)
    plans: FilePayload = {
        "name": "plans.bin",
        "mimeType": "application/octet-stream",
        "buffer": bytes(range(256)) * 24_000,
    }
    await picker.set_input_files(plans)
    bar, again = (
        page.get_by_role("progressbar", name="Sending…"),
        page.get_by_role("button", name="Try again: plans.bin"),
    )
    await bar.evaluate(UNDER_WAY)
    await street.way.cut()
    await expect(again).to_be_visible()
    await expect(bar).to_have_count(0)
    await expect(page.get_by_role("alert")).to_contain_text("Not sent")
    await street.way.mend()
    await wire_to.send("Network.emulateNetworkConditions", {**slow, "uploadThroughput": -1})
    await expect(page.locator(".state")).to_be_empty(timeout=20_000)
    await again.press("Enter")
    await expect(page.get_by_role("link", name="plans.bin")).to_be_visible()
    await expect(page.locator(".sending, .lost")).to_have_count(0)
    await tab.get_by_role("button", name="Open chat").click()
    await expect(tab.get_by_role("link", name="plans.bin")).to_be_visible(timeout=20_000)
    assert await street.desk.one("SELECT count(*) FROM files") == 1

    # A telephone's own kind of picture has a name where it cannot be shown, and what is no picture at all has one, too.
    fetched: list[str] = []
    page.on("request", lambda request: fetched.append(request.url))
    for name, content in (("IMG_2041.HEIC", pictures.HEIC), ("cut off.jpg", pictures.jpeg()[:200])):
        await picker.set_input_files({"name": name, "mimeType": "image/jpeg", "buffer": content})
        await expect(link := page.get_by_role("link", name=name)).to_have_text(name)
        assert (await link.get_attribute("href") in fetched) is (name == "cut off.jpg")
    await picker.set_input_files(DOG)
    dog = page.get_by_role("link", name="dog.png")
    await expect(dog.locator("img")).to_be_visible()
    await expect(page.locator(".m img")).to_have_count(1)

    # What is not taken says so, and offers nothing that would end the same.
    await picker.set_input_files({"name": "setup.exe", "mimeType": "image/png", "buffer": pictures.PROGRAM})
    await expect(page.locator(".lost", has_text="setup.exe").get_by_role("alert")).to_have_text(
        "This file cannot be sent."
    )
    assert await page.get_by_role("button", name="Try again").count() == 0

    # What answers a message that is far up says what that was, and leads nowhere as long as it is not there.
    path = f"/conversations/{await street.conversation()}/messages"
    said = (await street.robin.get(path))["items"]
    await street.desk.house.store.write(long_ago)
    await street.robin.post(path, {"text": "Hello to you.", "reply_to": said[0]["id"]})
    await page.reload()
    await expect(page.locator(".q")).to_have_text("In reply to You: hello")
    assert await page.get_by_role("button", name="In reply to").count() == 0
    await page.locator(".q").click()

    # A day later: whoever comes back finds links that open, also to what is far up.
    await log.evaluate(TO_THE_TOP)
    was = {one: await one.get_attribute("href") for one in (dog, page.get_by_role("link", name="plans.bin"))}
    street.desk.clock.advance(timedelta(hours=26))
    await dog.focus()
    await page.evaluate(
        "() => { const {now} = Date; Date.now = () => now() + 26 * 3600e3; dispatchEvent(new Event('focus')); }"
    )
    for link, old in was.items():
        await expect(link).not_to_have_attribute("href", old or "")
        for url, status in ((old, 403), (await link.get_attribute("href"), 200)):
            async with street.desk.http.get(url or "") as answer:
                assert answer.status == status
    await expect(dog).to_be_focused()
    assert await dog.locator("img").evaluate("(one) => one.complete && one.naturalWidth > 0")
    await expect(log).to_contain_text("IMG_2041.HEIC")

    # What the business has deleted says so, in the visitor's language.
    robin = await clients.person(street.desk, "admin")
    [photo] = [file for one in said for file in one["media"] if file["name"] == "dog.png"]
    await robin.delete(f"/media/{photo['id']}")
    await page.goto(f"{street.shop}?lang=de")
    await expect(page.get_by_text("Hello to you.")).to_be_visible()
    await log.evaluate(TO_THE_TOP)
    await expect(page.get_by_text("dog.png: Diese Datei ist nicht mehr da.")).to_be_visible()


async def test_what_is_said_while_the_chat_catches_up_stands_behind_what_was_said_before(
    street: Street, chromium: "Browser"
) -> None:
    from playwright.async_api import WebSocketRoute, expect

    await allow(street)
    page = await chromium.new_page()
    await page.goto(street.shop)
    await page.get_by_role("button", name="Open chat").click()
    await page.get_by_role("textbox").fill("I would like a haircut")
    await page.get_by_role("textbox").press("Enter")
    await expect(page.locator(".m.bot")).to_have_count(2)

    held: list[str | bytes] = []
    is_asked = asyncio.Event()

    def between(page_side: WebSocketRoute) -> None:
        server = page_side.connect_to_server()

        def told(frame: str | bytes) -> None:
            if str(frame).startswith("43") and not is_asked.is_set():  # what was said so far, which is late
                held.append(frame)
                is_asked.set()
                return
            page_side.send(frame)
            if str(frame).startswith('42["message"'):
                for late in held:
                    page_side.send(late)

        server.on_message(told)
        page_side.on_message(server.send)

    await page.route_web_socket("**/socket.io/**", between)
    await page.reload()
    async with asyncio.timeout(10):
        await is_asked.wait()
    await street.staff_say("Robin here.")
    await expect(page.locator(".m").last).to_contain_text("Robin here.")
    said = await page.locator(".m .b").all_inner_texts()
    assert [said[1], said[-1]] == ["I would like a haircut", "Robin here."]


async def test_a_chat_without_a_greeting_of_its_own_says_hello_in_the_language_of_the_page(
    street: Street, chromium: "Browser"
) -> None:
    from playwright.async_api import expect

    widget = {**LOOK, "greeting": "", "allowed_origins": [street.shop]}
    await street.robin.patch(f"/channels/{(await site_of(street.robin))['id']}", {"widget": widget})
    page = await chromium.new_page()
    for language, opens, hello in (("en", "Open chat", "Hi! How can we help?"), ("de", "Chat öffnen", "Guten Tag!")):
        await page.goto(f"{street.shop}?lang={language}")
        await page.get_by_role("button", name=opens).click()
        await expect(page.get_by_role("log")).to_contain_text(hello)
        await page.keyboard.press("Escape")


FULL = "Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); };"
FORBIDDEN = "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no', 'SecurityError'); }});"


@pytest.mark.parametrize("trouble", [FULL, FORBIDDEN])
async def test_without_the_pages_storage_the_chat_lasts_as_long_as_the_page(
    street: Street, chromium: "Browser", trouble: str
) -> None:
    from playwright.async_api import expect

    await allow(street)
    page = await chromium.new_page()
    surprises: list[str] = []
    page.on("pageerror", lambda error: surprises.append(str(error)))
    await page.add_init_script(trouble)
    await page.goto(street.shop)
    await page.get_by_role("button", name="Open chat").click()
    box = page.get_by_role("textbox")
    for text in ("What are your hours?", "I would like a haircut"):
        await box.fill(text)
        await box.press("Enter")
        await expect(page.locator(".m.visitor", has_text=text)).not_to_have_class(re.compile("sending"))
    await expect(page.locator(".choices button")).not_to_have_count(0)
    await box.press("Escape")
    await street.staff_say("Robin here.")
    await page.get_by_role("button", name="Open chat, new messages: 1").click()
    await expect(page.get_by_role("log")).to_contain_text("Robin here.")
    await page.get_by_label("More").click()
    await page.get_by_role("button", name="End chat").click()
    await page.get_by_role("dialog", name="End this chat?").get_by_role("button", name="End chat").click()
    await expect(page.locator(".m")).to_have_count(1)
    await box.fill("I am somebody else")
    await box.press("Enter")
    await expect(page.locator(".m.bot")).to_have_count(2)
    assert len((await street.robin.get("/conversations"))["items"]) == 2
    assert surprises == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_everybody_can_use_it(street: Street, chromium: "Browser", scheme: Any) -> None:
    from playwright.async_api import expect

    await allow(street)
    context = await chromium.new_context(
        color_scheme=scheme, reduced_motion="reduce", viewport={"width": 320, "height": 568}
    )
    page = await context.new_page()
    await page.goto(f"{street.shop}?dir=rtl")
    launch = page.get_by_role("button", name="Open chat")
    await expect(launch).to_be_visible()
    await page.evaluate(browser.axe())
    assert await flaws(page) == []
    await launch.click()
    box = page.get_by_role("textbox")
    await box.fill("I would like a haircut, see https://juniper.example/hair")
    await box.press("Enter")
    await expect(page.locator(".choices button")).not_to_have_count(0)
    assert await flaws(page) == []
    await page.locator(".tool").last.click()
    assert await flaws(page) == []
    await page.keyboard.press("Escape")
    await page.get_by_label("More").click()
    await page.get_by_role("button", name="End chat").click()
    assert await flaws(page) == []
    await page.keyboard.press("Escape")
    # On a telephone it covers the page, and Tab stays inside.
    assert await page.get_by_role("dialog").get_attribute("aria-modal") == "true"
    for _ in range(12):
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.localName") == "frontdesk-chat"
    # Whatever is written fits, and reads in its own direction on a page of any.
    for text in ("Donaudampfschifffahrtsgesellschaft" * 4, "מה שלומך?"):
        await street.staff_say(text)
    last = page.locator(".m.staff .b").last
    await expect(last).to_have_text("מה שלומך?")
    widths = "(log) => [log.scrollWidth - log.clientWidth, document.documentElement.scrollWidth]"
    assert await page.get_by_role("log").evaluate(widths) == [0, 320]
    directions = [await one.evaluate("(one) => getComputedStyle(one).direction") for one in (last, box)]
    assert directions == ["rtl", "ltr"]
    # It stays at its end when a telephone is turned.
    await page.set_viewport_size({"width": 568, "height": 320})
    await page.set_viewport_size({"width": 320, "height": 568})
    await expect(last).to_be_in_viewport(ratio=1)
    # A screen reader hears what comes, and not each tick beside it.
    assert await page.get_by_role("log").get_attribute("aria-live") == "polite"
    await box.fill("תודה")
    await box.press("Enter")
    receipt = page.locator(".receipt")
    await expect(receipt).to_have_text("Delivered")
    assert await receipt.get_attribute("aria-live") == "off"
    await street.way.cut()
    await expect(page.locator(".state")).to_contain_text("No connection")
    await box.fill("Hello?")
    await box.press("Enter")
    await expect(page.locator(".sending")).to_contain_text("Sending")
    await page.locator("input[type=file]").set_input_files(DOG)
    await expect(page.get_by_role("button", name="Try again")).to_be_visible()
    assert await flaws(page) == []
    link = page.get_by_role("link", name="https://juniper.example/hair")
    assert await link.get_attribute("rel") == "noopener noreferrer nofollow"
    running = "document.querySelector('frontdesk-chat').shadowRoot.getAnimations().length"
    assert await page.evaluate(running) == 0


# The business's colour, its theme, and what the visitor's system prefers: what lies behind what is said.
LOOKS: list[tuple[str, str, Literal["light", "dark"], str]] = [
    ("#ffd400", "auto", "dark", "rgb(24, 29, 37)"),
    ("#777777", "auto", "light", "rgb(255, 255, 255)"),
    ("#ffffff", "light", "dark", "rgb(255, 255, 255)"),
    ("#101010", "dark", "light", "rgb(24, 29, 37)"),
]
PAINTED = (".launch", "header", ".visitor .b", ".bot .b", ".choices button", ".panel", ".quoting", ".state", "textarea")
PAINT = """(wanted) => wanted.map((one) => {
    const {color, backgroundColor} = getComputedStyle(document.querySelector("frontdesk-chat").shadowRoot.querySelector(one));
    return [color, backgroundColor];
})"""


async def test_any_colour_and_theme_can_be_read_in_browsers_old_and_new(street: Street, chromium: "Browser") -> None:
    from playwright.async_api import expect

    path = f"/channels/{(await site_of(street.robin))['id']}"
    for color, theme, scheme, ground in LOOKS:
        look = {**LOOK, "color": color, "theme": theme, "allowed_origins": [street.shop]}
        await street.robin.patch(path, {"widget": look})
        painted: list[list[list[str]]] = []
        for is_old in (False, True):
            context = await chromium.new_context(color_scheme=scheme)
            if is_old:  # one that does not know the function drops what uses it
                await context.add_init_script("""
                    CSS.supports = () => false;
                    const {replaceSync} = CSSStyleSheet.prototype;
                    CSSStyleSheet.prototype.replaceSync = function (text) {
                        replaceSync.call(this, text.replaceAll("light-dark(", "unknown("));
                    };""")
            page = await context.new_page()
            await page.goto(street.shop)
            await page.get_by_role("button", name="Open chat").click()
            await page.get_by_role("textbox").fill("I would like a haircut")
            await page.keyboard.press("Enter")
            await expect(page.locator(".choices button")).not_to_have_count(0)
            painted.append(await page.evaluate(PAINT, PAINTED))
            await context.close()
        new, old = painted
        assert old == new
        assert new[PAINTED.index("header")][1] == rgb(color)
        assert new[PAINTED.index(".panel")][1] == ground
        for name, (words, behind) in zip(PAINTED, new, strict=True):
            behind = ground if behind == "rgba(0, 0, 0, 0)" else behind
            assert contrast(words, behind) >= 4.5, (color, theme, scheme, name, words, behind)


def rgb(color: str) -> str:
    """As a browser tells `#rrggbb`."""
    return f"rgb({', '.join(str(int(color[at : at + 2], 16)) for at in (1, 3, 5))})"


def contrast(one: str, other: str) -> float:
    """Of two opaque colours as a browser tells them. Source: WCAG 2.2, contrast ratio and relative luminance."""

    def luminance(color: str) -> float:
        parts = [int(part) / 255 for part in re.findall(r"\d+", color)]
        red, green, blue = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)
