"""The receiver with a server in front. Each path is a subscriber of its own, with its own secret and its own trouble."""

import asyncio
import contextlib
import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from types import TracebackType
from typing import Any, Literal, Self, get_args

from aiohttp import web

from simulators.receiver.signing import problem_of

Kind = Literal["status", "redirect", "hang", "hang_up", "drip", "endless", "huge", "bomb", "garbage"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_CHUNK = b"x" * 65_536


@cache
def _bomb() -> bytes:
    """10 MB in 10 KB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(packer.compress(_CHUNK) for _ in range(160)) + packer.flush()


@dataclass(frozen=True, slots=True)
class Trouble:
    """How a subscriber misbehaves: the next `times` times, or always.

    status: answers `status` with `headers`. redirect: to `location`. hang: never answers. hang_up: cuts the connection.
    drip: answers a byte now and then. endless: never stops answering. huge: promises 10 GB. bomb: a small body that
    unpacks to a large one. garbage: what is not HTTP.
    """

    kind: Kind
    times: int | None = None
    status: int = 500
    location: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Received:
    """One request. `problem` says what is wrong with its signatures, None when they are good or no secret is known."""

    path: str
    headers: Mapping[str, str]  # names in lower case
    body: bytes
    at: datetime
    problem: str | None

    @property
    def id(self) -> str:
        return self.headers.get("webhook-id", "")

    @property
    def told(self) -> Any:
        return json.loads(self.body)


class Receiver:
    """`async with Receiver() as receiver:` serves it; subscribe `receiver.url + "/anything"`."""

    def __init__(self, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.url = ""
        self.secrets: dict[str, str] = {}
        self.trouble: dict[str, Trouble] = {}
        self.answers: dict[str, Any] = {}  # what a path says, as JSON, when all is well
        self.received: list[Received] = []
        self.hanging = 0  # requests that are held without an answer right now
        self._clock = clock
        self._runner: web.AppRunner | None = None
        self._closing = asyncio.Event()
        self._came = asyncio.Event()

    def at(self, path: str) -> list[Received]:
        """What came to `path`, in order."""
        return [one for one in self.received if one.path == path]

    async def came(self) -> None:
        """Back when the next request is there, or hangs."""
        self._came.clear()
        await self._came.wait()

    async def serve(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen on `port` (0: any free one)."""
        app = web.Application(client_max_size=2**24)
        app.router.add_get("/_sim/received", self._show)
        app.router.add_put("/_sim/trouble", self._set)
        app.router.add_route("*", "/{path:.*}", self._take)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        bound_host, bound_port, *_ = self._runner.addresses[0]
        self.url = f"http://{bound_host}:{bound_port}"

    async def close(self) -> None:
        """Stop serving; whoever hangs is let go."""
        self._closing.set()
        if self._runner is not None:
            await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.serve()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _take(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        now = self._clock()
        secret = self.secrets.get(request.path)
        problem = problem_of(headers, body, secret, now=now) if secret is not None else None
        self.received.append(Received(request.path, headers, body, now, problem))
        self._came.set()
        trouble = self.trouble.get(request.path)
        if trouble is not None and trouble.times is not None:
            left = trouble.times - 1
            if left > 0:
                self.trouble[request.path] = Trouble(
                    trouble.kind, left, trouble.status, trouble.location, trouble.headers
                )
            else:
                del self.trouble[request.path]
        if trouble is not None:
            return await self._misbehave(request, trouble)
        if problem is not None:
            return web.json_response({"problem": problem}, status=401)
        return web.json_response(self.answers.get(request.path, {"ok": True}))

    async def _misbehave(self, request: web.Request, trouble: Trouble) -> web.StreamResponse:
        match trouble.kind:
            case "status":
                text = f"a {trouble.status}, as you wished"
                return web.Response(status=trouble.status, text=text, headers=dict(trouble.headers))
            case "redirect":
                return web.Response(status=302, headers={"Location": trouble.location})
            case "hang":
                self.hanging += 1
                self._came.set()
                try:
                    await self._closing.wait()
                finally:
                    self.hanging -= 1
                return web.Response()
            case "bomb":
                return web.Response(body=_bomb(), headers={"Content-Encoding": "gzip", "Content-Type": "text/plain"})
            case "hang_up" | "garbage":
                assert request.transport is not None  # noqa: S101  the request has just come over it
                if trouble.kind == "garbage":
                    request.transport.write(b"220 mail.example.com ESMTP\r\n\r\n")
                request.transport.close()
                return web.Response()
            case "drip" | "endless" | "huge":
                return await self._pour(request, trouble.kind)

    async def _pour(self, request: web.Request, kind: Literal["drip", "endless", "huge"]) -> web.StreamResponse:
        response = web.StreamResponse()
        if kind == "huge":
            response.content_length = 10 * 1024**3
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):  # they have had enough
            while not self._closing.is_set():
                await response.write(b"." if kind == "drip" else _CHUNK)
                if kind == "drip":
                    await asyncio.sleep(0.05)
        return response

    async def _show(self, _request: web.Request) -> web.Response:
        shown = [
            {"path": one.path, "id": one.id, "problem": one.problem, "body": one.body.decode(errors="replace")}
            for one in self.received[-100:]
        ]
        return web.json_response(shown)

    async def _set(self, request: web.Request) -> web.Response:
        """`{"path": "/hooks", "kind": "status", "status": 410, "times": 1}`; without a kind it behaves again."""
        given = await request.json()
        path = str(given.pop("path", ""))
        if not given:
            self.trouble.pop(path, None)
        elif given.get("kind") in KINDS:
            self.trouble[path] = Trouble(**given)
        else:
            raise web.HTTPBadRequest(text=f"kind is one of {', '.join(KINDS)}")
        return web.json_response({"path": path, **given})
