"""A small application on the other side of the simulator: it answers as it is told and writes down what it was asked."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl

from aiohttp import web

ACCOUNT, TOKEN = "AC" + "0" * 32, "the token"
NUMBER, ANNA, BEN = "+15125550100", "+15551230001", "+15551230002"


@dataclass(frozen=True)
class Seen:
    """One request, as it arrived."""

    path: str  # with the query
    form: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def signature(self) -> str:
        return self.headers["X-Twilio-Signature"]


Answer = str | int | web.Response | Callable[[Seen], web.Response | Awaitable[web.Response]]


@dataclass
class Bot:
    """`answers` maps a path to TwiML, a status, a response or a function; anything else is answered with 204."""

    answers: dict[str, Answer] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    url: str = ""
    _runner: web.AppRunner | None = None

    def at(self, path: str) -> list[Seen]:
        """What this path was asked, in order."""
        return [request for request in self.seen if request.path.partition("?")[0] == path]

    def statuses(self, sid: str | None = None) -> list[str]:
        """The states that were reported to /status."""
        return [
            request.form["MessageStatus"] for request in self.at("/status") if sid in (None, request.form["MessageSid"])
        ]

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
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

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        pairs = parse_qsl(body.decode(), keep_blank_values=True) if request.content_type.endswith("urlencoded") else []
        seen = Seen(request.path_qs, dict(pairs), dict(request.headers), body)
        self.seen.append(seen)
        answer = self.answers.get(request.path, 204)
        if callable(answer) and not isinstance(answer, web.Response):
            outcome = answer(seen)
            return await outcome if isinstance(outcome, Awaitable) else outcome
        if isinstance(answer, web.Response):
            return answer
        if isinstance(answer, int):
            return web.Response(status=answer)
        return web.Response(text=answer, content_type="text/xml")


def says(*bodies: str) -> str:
    """TwiML with these messages."""
    return "<Response>" + "".join(f"<Message>{body}</Message>" for body in bodies) + "</Response>"
