"""A small application that talks over a WebSocket: it does what a script says and writes down what arrives."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from aiohttp import web

PUBLIC = "https://bot.example.com"

Json = dict[str, Any]
Script = Callable[[web.WebSocketResponse, Json], Awaitable[None]]


@dataclass
class SocketBot:
    """Listens at `/relay` and `/media`; `script` gets every message. `refuses` answers the upgrade with that status."""

    script: Script
    seen: list[Json] = field(default_factory=list)
    upgrades: list[dict[str, str]] = field(default_factory=list)
    refuses: int = 0
    url: str = ""
    _runner: web.AppRunner | None = None

    def of(self, kind: str) -> list[Json]:
        """The messages of one type, or event."""
        return [message for message in self.seen if kind in (message.get("type"), message.get("event"))]

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/{path:.*}", self._talk)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _talk(self, request: web.Request) -> web.StreamResponse:
        self.upgrades.append({"path": request.path, **request.headers})
        if self.refuses:
            return web.Response(status=self.refuses)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for frame in socket:
            message = frame.json()
            self.seen.append(message)
            await self.script(socket, message)
        return socket
