"""The web chat's own doors beside its messages: the script and its settings, the sockets, and the demo's page."""

import asyncio
import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aiohttp import web

from gateway import collector
from gateway import demo_business as juniper
from gateway.context import House
from gateway.errors import problem
from gateway.inbox.door import Timings
from gateway.pipeline.receive import Receiver
from gateway.webchat import guard, origins
from storage.store import StoreUnavailable

if TYPE_CHECKING:
    from gateway.webchat.lounge import Lounge

SOCKETS: Final = "/api/v1/webchat/socket.io"
_CONFIG: Final = "/api/v1/webchat/config"
_SCRIPT: Final = Path(__file__).with_name("widget.js")
_DEMO: Final = Path(__file__).with_name("demo.html")
_FRESH_S: Final = 300


class Door:
    """One per process that serves HTTP. The lounge is made when the first visitor knocks: until then nobody needs what it
    is made of.
    """

    def __init__(self, house: House, receiver: Receiver, timings: Timings) -> None:
        self._house = house
        self._receiver = receiver
        self._timings = timings
        self._lock = asyncio.Lock()
        self.lounge: Lounge | None = None

    async def open(self) -> "Lounge":
        async with self._lock:
            if self.lounge is None:
                await asyncio.to_thread(import_module, "gateway.webchat.lounge")
                from gateway.webchat.lounge import Lounge

                lounge = Lounge(self._house, self._receiver, self._timings)
                lounge.start()
                self.lounge = lounge
                collector.settle_again()
            return self.lounge

    async def sockets(self, request: web.Request) -> web.StreamResponse:
        """A request to the sockets; `site` in its query says whose chat it is.

        Raises: aiohttp.web.HTTPException
        """
        try:
            lounge = self.lounge or await self.open()
            return await lounge.handle(request)
        except StoreUnavailable:
            raise web.HTTPServiceUnavailable(headers={"Retry-After": "5"}) from None

    async def config(self, request: web.Request) -> web.Response:
        """How the chat of `site` looks."""
        site = request.query.get("site", "")
        try:
            account = await guard.account_of(self._house, site)
        except StoreUnavailable:
            return problem(request, 503, "UNAVAILABLE", "Nothing can be read just now; please try again.")
        if account is None:
            return guard.nowhere(request)
        if not origins.is_allowed(request, account, self._house.settings):
            refused = await guard.foreign(self._house, request, account)
            refused.headers["Access-Control-Allow-Origin"] = "*"  # so that the page can say why there is no chat on it
            return refused
        look = account.widget
        shown = {
            "title": look.title or await self._house.store.read(guard.name_of, account.id),
            "greeting": look.greeting,
            "color": look.color,
            "position": look.position,
            "theme": look.theme,
            "file_bytes": self._house.settings.media.visitor_max_bytes,
        }
        headers = {**origins.headers(request), "Cache-Control": "public, max-age=60"}
        return web.json_response(shown, headers=headers)

    async def close(self) -> None:
        if self.lounge is not None:
            await self.lounge.stop()


def mount(app: web.Application, house: House, receiver: Receiver, timings: Timings) -> Door:
    """Serve them for as long as the application runs."""
    door = Door(house, receiver, timings)

    async def stop(_: web.Application) -> None:
        await door.close()

    for path in (SOCKETS, f"{SOCKETS}/"):
        for method in ("GET", "POST", "OPTIONS"):
            app.router.add_route(method, path, door.sockets)
    app.router.add_get(_CONFIG, door.config)
    app.router.add_get("/widget.js", script)
    if house.settings.is_demo:
        for path in ("/demo/chat", "/demo/chat/"):
            app.router.add_get(path, demo)
    app.on_shutdown.append(stop)
    return door


@dataclass(frozen=True, slots=True)
class _File:
    plain: bytes
    packed: bytes
    tag: str


async def script(request: web.Request) -> web.Response:
    """The widget, the same for everybody, as it is written: nothing is built."""
    file = _file(_SCRIPT)
    headers = {
        "ETag": file.tag,
        "Cache-Control": f"public, max-age={_FRESH_S}",
        "Vary": "Accept-Encoding",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "Access-Control-Allow-Origin": "*",
    }
    if file.tag in [tag.strip().removeprefix("W/") for tag in request.headers.get("If-None-Match", "").split(",")]:
        return web.Response(status=304, headers=headers)
    headers["Content-Type"] = "text/javascript; charset=utf-8"
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        return web.Response(body=file.packed, headers={**headers, "Content-Encoding": "gzip"})
    return web.Response(body=file.plain, headers=headers)


async def demo(_request: web.Request) -> web.Response:
    """A page of the made-up business that has the chat on it."""
    headers = {
        "Content-Security-Policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' https: data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        "X-Content-Type-Options": "nosniff",
    }
    text = _DEMO.read_text("utf-8").replace("{site}", juniper.SITE)
    return web.Response(text=text, content_type="text/html", headers=headers)


@cache
def _file(path: Path) -> _File:
    plain = path.read_bytes()
    return _File(plain, gzip.compress(plain, 9, mtime=0), f'"{hashlib.sha256(plain).hexdigest()[:32]}"')
