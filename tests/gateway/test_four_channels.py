"""One conversation on four channels, through their real doors: what customers see, kept as files that can be read.

What the customer does stands in `transcripts/conversation.yaml`, what they see in a file for each channel beside it. Where
something changes, the difference shows what; `WRITE_TRANSCRIPTS=1` writes the files anew, and the page of the docs.
"""

import contextlib
import os
import re
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest
import yaml

from gateway import demo_business as juniper
from simulators.twilio import Account, Number, Phone, TwilioSimulator
from tests.clock import FakeClock
from tests.conftest import ENGINES
from tests.gateway import front, test_meta
from tests.gateway.front import Front
from tests.gateway.test_meta import DANA, Met

TRANSCRIPTS = Path(__file__).parent / "transcripts"
PAGE = Path(__file__).parents[2] / "docs" / "one-conversation-four-channels.md"
CHANNELS = {
    "sms": "SMS",
    "whatsapp-twilio": "WhatsApp by Twilio",
    "whatsapp-meta": "WhatsApp by Meta",
    "web": "Web chat",
}
SESSION = "dana-0123456789abcdef"
DRAWN_BY_LOT = {
    r"(?<=reference is )(still )?\w+": r"\1K7M2P",
    r"http://localhost:\d+/visits/\S+": "https://desk.example.com/visits/\N{HORIZONTAL ELLIPSIS}.ics",
}

TOP = """# One conversation, four channels

The same scenarios, played by the same customer through the doors of each channel. `>` is what the customer does: writes, or
`[ taps ]`. `[ ☰ … ]` opens the list below it, and `[ … ↗ ]` a page. Written by `WRITE_TRANSCRIPTS=1 make test
ARGS=tests/gateway/test_four_channels.py`, and that test fails when a channel looks different.
"""


@dataclass(frozen=True)
class Seen:
    """One message on the customer's screen."""

    text: str
    buttons: Sequence[str] = ()
    rows: Sequence[str] = ()
    menu: str = ""
    link: str = ""

    def lines(self) -> Iterable[str]:
        yield from self.text.splitlines()
        if self.buttons:
            yield "  " + " ".join(f"[ {title} ]" for title in self.buttons)
        if self.rows:
            yield f"  [ \N{TRIGRAM FOR HEAVEN} {self.menu} ]" if self.menu else "  [ list ]"
            yield from (f"    \N{WHITE CIRCLE} {row}" for row in self.rows)
        if self.link:
            yield f"  [ {self.link} \N{NORTH EAST ARROW} ]"


class Customer(Protocol):
    """Dana, on one of the channels."""

    async def writes(self, text: str) -> list[Seen]: ...

    async def picks(self, title: str) -> tuple[str, list[Seen]]:
        """What Dana does to pick that, and what she sees then."""
        ...


class BySms:
    """Types, also to choose."""

    def __init__(self, phone: Phone, ours: str, desk: Front, network: TwilioSimulator) -> None:
        self._phone, self._ours, self._desk, self._network = phone, ours, desk, network

    async def writes(self, text: str) -> list[Seen]:
        before = len(self._phone.inbox)
        await self._phone.text(self._ours, text)
        return await self._news(before)

    async def picks(self, title: str) -> tuple[str, list[Seen]]:
        asked = self._phone.inbox[-1].body
        line = re.search(rf"(?m)^(\w+)\. {re.escape(title)}( \(.*)?$", asked)
        if line is None:
            assert title in ("Yes", "No"), asked
            assert "(yes or no)" in asked
        typed = line[1] if line else title.lower()
        return typed, await self.writes(typed)

    async def _news(self, before: int) -> list[Seen]:
        await self._desk.work()
        await self._network.settled()
        return [_of_twilio(message) for message in self._phone.inbox[before:]]


class ByTaps(BySms):
    """WhatsApp by Twilio: taps."""

    async def picks(self, title: str) -> tuple[str, list[Seen]]:
        before = len(self._phone.inbox)
        assert title in [choice.title for choice in self._phone.inbox[-1].choices]
        await self._phone.tap(title)
        return f"[ {title} ]", await self._news(before)


class ByMeta:
    """WhatsApp by Meta: taps."""

    def __init__(self, both: Met) -> None:
        self._both, self._phone = both, both.dana

    async def writes(self, text: str) -> list[Seen]:
        before = len(self._phone.inbox)
        await self._both.says(text)
        return [_of_meta(message.text, message.content) for message in self._phone.inbox[before:]]

    async def picks(self, title: str) -> tuple[str, list[Seen]]:
        before = len(self._phone.inbox)
        await self._both.chooses(title)
        return f"[ {title} ]", [_of_meta(message.text, message.content) for message in self._phone.inbox[before:]]


class OnThePage:
    """The web chat over plain HTTP, as the widget does without a socket."""

    def __init__(self, desk: Front) -> None:
        self._desk, self._count, self._last = desk, 0, ""
        self._choices: list[dict[str, str]] = []

    async def writes(self, text: str) -> list[Seen]:
        return await self._says(text=text)

    async def picks(self, title: str) -> tuple[str, list[Seen]]:
        chosen = next(one for one in self._choices if one["title"] == title)
        return f"[ {title} ]", await self._says(choice={"id": chosen["id"], "title": title})

    async def _says(self, **what: object) -> list[Seen]:
        self._count += 1
        said = {"site": juniper.SITE, "session": SESSION, "id": str(self._count), "name": "Dana", **what}
        address = f"{self._desk.url}/api/v1/webchat/messages"
        async with self._desk.http.post(address, json=said) as answer:
            assert answer.status == 200
            shown: list[dict[str, Any]] = (await answer.json())["messages"]
        await self._desk.work()
        asked = {"site": juniper.SITE, "session": SESSION, "after": self._last}
        async with self._desk.http.get(address, params=asked) as answer:
            assert (await answer.json())["messages"] == shown  # whoever lost the answer finds the same
        self._last = shown[-1]["id"] if shown else self._last
        self._choices = next((one["choices"] for one in reversed(shown) if "choices" in one), self._choices)
        return [_of_page(one) for one in shown]


def _of_twilio(message: Any) -> Seen:
    shown = message.shown
    link = shown.links[0][0] if shown.links else ""
    return Seen(message.body, _titles(shown.buttons), _titles(shown.rows), shown.menu, link)


def _titles(choices: Iterable[Any]) -> list[str]:
    return [_row(one.title, one.description) for one in choices]


def _of_meta(text: str, content: dict[str, Any]) -> Seen:
    action = content.get("action", {})
    rows = [row for section in action.get("sections", ()) for row in section["rows"]]
    return Seen(
        text,
        [one["reply"]["title"] for one in action.get("buttons", ())],
        [_row(one["title"], one.get("description", "")) for one in rows],
        action.get("button", ""),
        action.get("parameters", {}).get("display_text", ""),
    )


def _of_page(message: dict[str, Any]) -> Seen:
    titles = [_row(one["title"], one.get("description", "")) for one in message.get("choices", ())]
    is_list = message.get("style") == "list"
    link = message.get("link", {}).get("title", "")
    return Seen(message.get("text", ""), [] if is_list else titles, titles if is_list else [], link=link)


def _row(title: str, description: str) -> str:
    return f"{title} \N{EM DASH} {description}" if description else title


@contextlib.asynccontextmanager
async def met(
    channel: str, database_url: str, tmp_path: Path, clock: FakeClock
) -> AsyncIterator[tuple[Front, Customer]]:
    """A front desk, and Dana on that channel."""
    clock.set(front.NOON)
    async with contextlib.AsyncExitStack() as stack:
        if channel == "whatsapp-meta":
            both = await stack.enter_async_context(test_meta.opened(database_url, tmp_path, clock, {}))
            yield both.desk, ByMeta(both)
            return
        if channel == "web":
            desk = await stack.enter_async_context(front.opened(database_url, tmp_path, clock, seeded=False))
            yield desk, OnThePage(desk)
            return
        account = Account(sid=front.SID, auth_token=front.TOKEN)
        network = await stack.enter_async_context(TwilioSimulator(accounts=[account], clock=clock.now))
        env = {"FRONTDESK_TWILIO__API_BASE": network.url}
        desk = await stack.enter_async_context(front.opened(database_url, tmp_path, clock, env, seeded=False))
        is_sms, customer = channel == "sms", BySms if channel == "sms" else ByTaps
        number = juniper.SMS_NUMBER if is_sms else f"whatsapp:{juniper.WHATSAPP_NUMBER}"
        network.add_number(
            Number(
                number=number,
                account_sid=front.SID,
                webhook_url=desk.url + front.MESSAGES,
                status_callback_url=desk.url + front.STATUS,
            )
        )
        phone = network.phone(DANA if is_sms else f"whatsapp:{DANA}")
        phone.name = "Dana"
        yield desk, customer(phone, number, desk, network)
        assert network.alerts == []


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("channel", CHANNELS)
async def test_one_conversation_is_had_in_the_best_form_of_each_channel(
    channel: str, engine: str, request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock
) -> None:
    database_url = str(request.getfixturevalue(f"demo_{engine}_url"))
    async with met(channel, database_url, tmp_path, clock) as (desk, dana):
        lines: list[str] = []
        for turn in yaml.safe_load((TRANSCRIPTS / "conversation.yaml").read_text("utf-8")):
            done, seen = await _done(dana, turn)
            lines += ["", f"> {done}", *(line for message in seen for line in ["", *message.lines()])]
        assert await desk.rows("SELECT status, local_start FROM appointments WHERE source = 'bot'") == [
            ("cancelled", "2026-03-06T10:00")
        ]
    transcript = "\n".join(lines).strip() + "\n"
    for what, alike in DRAWN_BY_LOT.items():
        transcript = re.sub(what, alike, transcript)
    kept = TRANSCRIPTS / f"{channel}.txt"
    if os.environ.get("WRITE_TRANSCRIPTS"):
        kept.write_text(transcript, "utf-8")
    assert transcript == kept.read_text("utf-8")


def test_the_docs_show_how_it_looks() -> None:
    if os.environ.get("WRITE_TRANSCRIPTS"):
        PAGE.write_text(_page(), "utf-8")
    assert _page() == PAGE.read_text("utf-8")


async def _done(dana: Customer, turn: dict[str, str]) -> tuple[str, list[Seen]]:
    if "writes" in turn:
        return turn["writes"], await dana.writes(turn["writes"])
    return await dana.picks(turn["picks"])


def _page() -> str:
    parts = [TOP]
    for name, title in CHANNELS.items():
        parts.append(f"## {title}\n\n```text\n{(TRANSCRIPTS / f'{name}.txt').read_text('utf-8')}```\n")
    return "\n".join(parts)
