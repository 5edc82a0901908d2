"""The way to the live inbox, which is made when the first one knocks: until then nobody needs what it is made of."""

import asyncio
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Final

from aiohttp import web

from gateway import collector
from gateway.context import House

if TYPE_CHECKING:
    from gateway.inbox.server import Inbox

PATH: Final = "/socket.io"


@dataclass(frozen=True, slots=True)
class Timings:
    """`grace_s`: so long somebody who closed the last tab is still shown. `sweep_s`: how often passes are checked.
    `seen_s`: how often it is noted who is connected; below a fourth of `people.HERE_FOR`.
    """

    grace_s: float = 4.0
    typing_s: float = 6.0
    sweep_s: float = 2.0
    seen_s: float = 20.0
    nameless_s: float = 10.0  # an open connection may be without anybody who has signed in


class Door:
    """One per process that serves HTTP. `inbox` is None while nobody has knocked."""

    def __init__(self, house: House, timings: Timings) -> None:
        self._house = house
        self._timings = timings
        self._opening: asyncio.Task[Inbox] | None = None
        self.inbox: Inbox | None = None

    async def open(self) -> "Inbox":
        """The inbox, running. The libraries it needs are imported in a thread, so that others go on meanwhile.

        Raises: aiohttp.web.HTTPServiceUnavailable when the server is about to stop.
        """
        if self.inbox is not None:
            return self.inbox
        if self._opening is None or self._opening.done():
            self._opening = asyncio.create_task(self._open(), name="inbox opens")
        opening = self._opening
        await asyncio.wait([opening])  # whoever loses patience stops nobody else
        if opening.cancelled():
            raise web.HTTPServiceUnavailable
        return opening.result()

    async def _open(self) -> "Inbox":
        await asyncio.to_thread(import_module, "gateway.inbox.server")
        from gateway.inbox.server import Inbox

        inbox = Inbox(self._house, self._timings)
        await inbox.start()
        self.inbox = inbox
        collector.settle_again()
        return inbox

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """A request to /socket.io/.

        Raises: aiohttp.web.HTTPException
        """
        return await (self.inbox or await self.open()).handle(request)

    async def close(self) -> None:
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.wait([self._opening])
        if self.inbox is not None:
            await self.inbox.stop()


DOOR: web.AppKey[Door] = web.AppKey("inbox")


def mount(app: web.Application, house: House, timings: Timings) -> None:
    """Serve the live inbox at /socket.io/ for as long as the application runs."""
    door = app[DOOR] = Door(house, timings)

    async def stop(_: web.Application) -> None:
        await door.close()

    for path in (PATH, f"{PATH}/"):
        for method in ("GET", "POST", "OPTIONS"):
            app.router.add_route(method, path, door.handle)
    # Before the server waits for what is being answered: open connections are, for as long as they last.
    app.on_shutdown.append(stop)
