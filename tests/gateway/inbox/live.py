"""People at the live inbox in a test, over the library's own client."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import socketio
from aiohttp import web
from sqlalchemy import select

from channels.webchat import codec
from gateway.app import make_app
from gateway.context import House, open_house
from gateway.inbox.door import DOOR, Timings
from gateway.inbox.server import Inbox
from storage.models.conversations import conversations
from tests import canaries
from tests.clock import FakeClock
from tests.gateway import front
from tests.gateway.rest.api import Client

# As in the product, but soon enough for a test.
QUICK = Timings(grace_s=0.15, typing_s=0.3, sweep_s=0.1, seen_s=0.1, nameless_s=1.0)
PATIENCE_S = 20.0
ANNA = "+15125550147"
SESSION = canaries.VISITOR
_NO_ENV: Mapping[str, str] = {}


class Live:
    """One open connection. `heard` is everything that came, in order."""

    def __init__(self, *, reconnection: bool = False) -> None:
        self.socket = socketio.AsyncClient(reconnection=reconnection)
        self.heard: list[tuple[str, Any]] = []
        self._more = asyncio.Condition()
        self.socket.on("*", self._take)
        self.socket.on("disconnect", self._end)
        self.ended = asyncio.Event()

    async def _take(self, event: str, data: Any) -> None:
        canaries.absent(str(data))
        async with self._more:
            self.heard.append((event, data))
            self._more.notify_all()

    async def _end(self, _reason: str) -> None:
        self.ended.set()

    async def say(self, event: str, *args: Any) -> Any:
        """The acknowledgement."""
        data = args[0] if len(args) == 1 else (args or None)
        return await self.socket.call(event, data, timeout=PATIENCE_S)

    async def hear(self, event: str, fits: Callable[[Any], bool] = lambda _: True) -> Any:
        """The first of these events that fits, from the beginning on or still to come."""
        async with asyncio.timeout(PATIENCE_S), self._more:
            while True:
                for name, data in self.heard:
                    if name == event and fits(data):
                        return data
                await self._more.wait()

    def of(self, event: str) -> list[Any]:
        return [data for name, data in self.heard if name == event]


@contextlib.asynccontextmanager
async def connected(
    who: Client | str, url: str = "", *, transports: list[str] | None = None, headers: Mapping[str, str] | None = None
) -> AsyncIterator[Live]:
    """Somebody connected; gone when the block ends."""
    live = Live()
    token = who if isinstance(who, str) else who.token
    address = url or (who.front.url if isinstance(who, Client) else "")
    await live.socket.connect(
        address, auth={"token": token}, transports=transports or ["websocket"], headers=dict(headers or {})
    )
    try:
        yield live
    finally:
        await live.socket.disconnect()


@contextlib.asynccontextmanager
async def visitor(
    url: str, session: object = SESSION, *, site: str = "demo", origin: str | None = None, way: str = "websocket"
) -> AsyncIterator[Live]:
    """A visitor's open page."""
    page = Live()
    try:
        await page.socket.connect(
            f"{url}?site={site}",
            auth={"session": session},
            transports=[way],
            socketio_path="api/v1/webchat/socket.io",
            headers={} if origin is None else {"Origin": origin},
        )
        yield page
    finally:
        await page.socket.disconnect()
        # The library leaves the client of a refused connection open.
        if page.socket.eio.http is not None:
            await page.socket.eio.http.close()


async def conversation_of(desk: front.Front, session: str = SESSION) -> str:
    wanted = select(conversations.c.uid).where(conversations.c.peer == codec.visitor(session))
    return await desk.house.store.read(lambda db: str(db.execute(wanted).scalar_one()))


class Desk(front.Front):
    """A front desk whose live inbox can be looked into."""

    def __init__(
        self,
        house: House,
        app: web.Application,
        http: aiohttp.ClientSession,
        url: str,
        clock: FakeClock,
        inbox: Inbox,
    ) -> None:
        super().__init__(house, app, http, url, clock)
        self.inbox = inbox


@contextlib.asynccontextmanager
async def opened(
    database_url: str, data_dir: Path, clock: FakeClock, env: Mapping[str, str] = _NO_ENV
) -> AsyncIterator[Desk]:
    """A front desk with the demo business and a quick inbox, serving on a port of its own."""
    with front.listening() as (door, port):
        settings = front.settings(database_url, data_dir, port, {"FRONTDESK_LIMITS__ENABLED": "false", **env})
        async with open_house(settings, clock=clock) as house:
            app = make_app(house, timings=QUICK)
            async with front.served(app, door), front.browser() as http:
                yield Desk(house, app, http, f"http://localhost:{port}", clock, await app[DOOR].open())


async def conversation(desk: front.Front, sender: str = ANNA, text: str = "Hello") -> str:
    """The UUID of the conversation that a customer begins by texting."""
    await desk.text(sender, text)
    wanted = select(conversations.c.uid).where(conversations.c.peer == sender)
    return await desk.house.store.read(lambda db: str(db.execute(wanted).scalar_one()))


async def until(fits: Callable[[], bool]) -> None:
    """Wait for something to become so."""
    async with asyncio.timeout(PATIENCE_S):
        while not fits():  # noqa: ASYNC110  whatever it is, it has no event
            await asyncio.sleep(0.01)
