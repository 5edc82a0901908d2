"""Three ways into a conversation with the bot: in this process, by a server's web chat, or as a phone that texts it."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote, urlsplit

import aiohttp
from sqlalchemy import select, update
from sqlalchemy.engine import make_url

from channels.messages import Address, Choice, InboundMessage, Option, OutboundMessage, Part, Text
from channels.webchat import codec
from desk import messages
from desk.who import Actor
from gateway import demo_business as juniper
from gateway.accounts import Account
from gateway.cli.settings import stop
from gateway.context import House
from gateway.jobs.handlers import HANDLERS
from gateway.jobs.schedule import Sweeper
from gateway.jobs.worker import Worker
from gateway.pipeline import outbox
from gateway.pipeline.receive import Receiver
from gateway.pipeline.spool import Spool
from storage import queue
from storage.base import Db, JsonValue, new_uid
from storage.models.accounts import accounts
from storage.models.conversations import conversations
from storage.models.conversations import outbox as outbox_table
from storage.store import sqlite_engine

_MOST = 50


@dataclass(frozen=True, slots=True)
class Place:
    """Which conversation it is: the account, and who we are to it."""

    provider: str
    channel: str
    address: str
    peer: Address


class Door(Protocol):
    """A conversation that a customer is in."""

    greeting: str  # where we are, and as whom

    async def say(self, text: str) -> list[OutboundMessage]:
        """What the bot answers."""
        ...

    async def press(self, option: Option) -> list[OutboundMessage]:
        """What the bot answers to a button or a row of a list."""
        ...

    async def news(self) -> list[OutboundMessage]:
        """What the bot has said since, unasked."""
        ...

    async def flow(self) -> Mapping[str, JsonValue] | None:
        """What the bot is in the middle of, as it is stored."""
        ...


class Here:
    """The bot in this process, which has the database to itself or shares PostgreSQL. Jobs fall due here as well."""

    def __init__(self, house: House, account: Account, number: str, *, is_new: bool) -> None:
        self._house = house
        self._account = account
        self._receiver = Receiver(house)
        # What goes out over other numbers waits for a server: a chat in a terminal must not text anybody.
        self._worker = Worker(house, {kind: do for kind, do in HANDLERS.items() if kind != outbox.KIND})
        self._sweeper = Sweeper(house, Spool(house.settings.data_dir / "spool", house.sealer))
        self._conversation_id: int | None = None
        self._shown = 0
        self._place = Place(account.provider, account.channel, account.address, Address("sim", number))
        self.greeting = "You are a new customer." if is_new else f"You are {number}."

    async def say(self, text: str) -> list[OutboundMessage]:
        return await self._send(Text(text))

    async def press(self, option: Option) -> list[OutboundMessage]:
        return await self._send(Choice(option.id, option.title))

    async def news(self) -> list[OutboundMessage]:
        await self._sweeper.sweep()
        await self._worker.drain()
        if self._conversation_id is None:
            return []
        found = await self._house.store.read(
            messages.history,
            Actor(self._account.tenant_id, "customer"),
            self._conversation_id,
            after=self._shown,
            limit=_MOST,
        )
        said = [one for one in found if one.direction == "out" and not one.is_private and one.status != "refused"]
        if found:
            self._shown = found[-1].id
        if waiting := [one.id for one in said if one.status == "queued"]:
            await self._house.store.write(_hand_over, waiting)
        return [_outbound(one) for one in said]

    async def flow(self) -> Mapping[str, JsonValue] | None:
        return await self._house.store.read(_flow_of, self._place)

    async def _send(self, part: Part) -> list[OutboundMessage]:
        message = InboundMessage(new_uid(), self._place.peer, self._account.sender, (part,))
        taken = await self._receiver.message(self._account, message, inline=True)
        if self._conversation_id is None:  # what was said on another day has been read
            self._conversation_id, self._shown = taken.conversation_id, taken.message_id
        return await self.news()


class WebChat:
    """The web chat of a running server: `session` is a visitor whom nobody else can be."""

    def __init__(self, http: aiohttp.ClientSession, url: str, database_url: str) -> None:
        self._http = http
        self._url = f"{url}/api/v1/webchat/messages"
        self._database_url = database_url
        self._session = secrets.token_urlsafe(24)
        self._last = ""
        self._place = Place("webchat", "web", juniper.SITE, Address("web", codec.visitor(self._session)))
        self.greeting = f"You are a visitor of the web chat at {url}."

    async def say(self, text: str) -> list[OutboundMessage]:
        return await self._post({"text": text})

    async def press(self, option: Option) -> list[OutboundMessage]:
        return await self._post({"choice": {"id": option.id, "title": option.title}})

    async def news(self) -> list[OutboundMessage]:
        asked = {"site": juniper.SITE, "session": self._session, **({"after": self._last} if self._last else {})}
        async with self._http.get(self._url, params=asked) as answer:
            return self._read(await _json(answer))

    async def flow(self) -> Mapping[str, JsonValue] | None:
        return _flow_on_disk(self._database_url, self._place)

    async def _post(self, content: Mapping[str, object]) -> list[OutboundMessage]:
        body = {"site": juniper.SITE, "session": self._session, "id": new_uid(), **content}
        async with self._http.post(self._url, json=body) as answer:
            return self._read(await _json(answer))

    def _read(self, answer: object) -> list[OutboundMessage]:
        said = answer.get("messages") if isinstance(answer, dict) else None
        found = [
            OutboundMessage(
                text=one.get("text", ""),
                choices=tuple(
                    Option(choice["id"], choice["title"], choice.get("description", ""))
                    for choice in one.get("choices", ())
                ),
                reference=one.get("id", ""),
            )
            for one in said or ()
        ]
        if found:
            self._last = found[-1].reference
        return found


class Phone:
    """A phone of the simulated network beside a running demo; choices arrive as numbered text, as on any phone."""

    def __init__(self, http: aiohttp.ClientSession, network: str, database_url: str, number: str) -> None:
        self._http = http
        self._url = f"{network}/_sim/phones/{quote(number)}"
        self._database_url = database_url
        self._seen: set[str] = set()
        self._place = Place("twilio", "sms", juniper.SMS_NUMBER, Address("phone", number))
        self.greeting = f"You are {number} and text {juniper.SMS_NUMBER}."

    @classmethod
    async def take(cls, http: aiohttp.ClientSession, network: str, database_url: str, number: str) -> "Phone":
        """The phone with this number, everything on it read."""
        phone = cls(http, network, database_url, number)
        await phone.news()
        return phone

    async def say(self, text: str) -> list[OutboundMessage]:
        async with self._http.post(f"{self._url}/messages", json={"to": juniper.SMS_NUMBER, "body": text}) as answer:
            await _json(answer)
        return await self.news()

    async def press(self, option: Option) -> list[OutboundMessage]:
        return await self.say(option.title)

    async def news(self) -> list[OutboundMessage]:
        async with self._http.get(self._url) as answer:
            found = await _json(answer)
        inbox = found.get("inbox", []) if isinstance(found, dict) else []
        fresh = [one for one in inbox if one["sid"] not in self._seen]
        self._seen.update(one["sid"] for one in fresh)
        return [OutboundMessage(one["body"], reference=one["sid"]) for one in fresh]

    async def flow(self) -> Mapping[str, JsonValue] | None:
        return _flow_on_disk(self._database_url, self._place)


async def phone_network(http: aiohttp.ClientSession, url: str) -> str | None:
    """Where the phone network beside the demo at `url` is; None when there is none on the port after its own."""
    parts = urlsplit(url)
    network = f"http://127.0.0.1:{(parts.port or 80) + 1}"
    try:
        async with http.get(f"{network}/_sim") as answer:
            found = await answer.json()
    except (aiohttp.ClientError, ValueError):
        return None
    numbers = found.get("numbers", []) if isinstance(found, dict) else []
    return network if any(one.get("number") == juniper.SMS_NUMBER for one in numbers) else None


def _flow_of(db: Db, place: Place) -> Mapping[str, JsonValue] | None:
    """What the bot is in the middle of there."""
    flow: Mapping[str, JsonValue] | None = db.execute(
        select(conversations.c.flow)
        .join(accounts, accounts.c.id == conversations.c.account_id)
        .where(
            accounts.c.provider == place.provider,
            accounts.c.channel == place.channel,
            accounts.c.address == place.address,
            conversations.c.peer_kind == place.peer.kind,
            conversations.c.peer == place.peer.value,
        )
    ).scalar_one_or_none()
    return flow


def _flow_on_disk(database_url: str, place: Place) -> Mapping[str, JsonValue] | None:
    """The same, read beside the server that writes the SQLite file."""
    engine = sqlite_engine(make_url(database_url).database or "", read_only=True)
    try:
        with engine.connect() as db:
            return _flow_of(db, place)
    finally:
        engine.dispose()


def _hand_over(db: Db, message_ids: list[int]) -> None:
    """They stand on the screen: nothing remains to be sent."""
    for message_id in message_ids:
        if queue.cancel(db, f"send:{message_id}"):
            db.execute(update(outbox_table).where(outbox_table.c.message_id == message_id).values(state="sent"))
            messages.attach_provider_id(db, message_id, new_uid(), "delivered")


def _outbound(message: messages.Message) -> OutboundMessage:
    if message.content is None:
        return OutboundMessage(message.text, reference=message.uid)
    return OutboundMessage.from_json(message.content)


async def _json(answer: aiohttp.ClientResponse) -> object:
    """Ends the command when the server refuses."""
    if answer.status >= 400:
        stop(f"The server answered {answer.status}: {(await answer.text())[:300]}")
    found: object = await answer.json()
    return found
