"""What goes over the wire, for the channel log: webhooks as they come, and the requests that a send makes.

The HTTP clients of the channels tell of every request (aiohttp's tracing), so no vendor's code knows of the log. They are
listened to only within `Listening`, in the task that sends or fetches.
"""

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextvars import ContextVar, Token
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import SimpleNamespace
from typing import Final, cast

import aiohttp

from channels import redact
from channels.base import Request
from channels.messages import Event, OutboundMessage, StatusUpdate
from desk import channel_log, messages
from desk.channel_log import Line
from gateway.accounts import Account
from storage.base import Db, JsonValue

_MOST_BYTES: Final = 64 * 1024  # of a request or an answer that are looked at
_MOST: Final = 10  # requests of one send
_LOST: Final = ("failed", "undelivered")
KEPT: Final = Line("out", "ok", {}, {"kept": "until it is fetched"})  # what a page of ours asks for by itself


# What comes in ---------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Seen:
    """A webhook that tells of an event. It may have told of several, and of other tenants': each sees its own alone."""

    request: Request
    event: Event

    @property
    def shown(self) -> Mapping[str, JsonValue]:
        """The request as it may be seen."""
        return redact.received(self.request, self.event.raw)


def heard(
    db: Db,
    account: Account,
    seen: Seen | None,
    message_id: int | None,
    replies: Sequence[OutboundMessage] = (),
    *,
    failed: str = "",
    now: datetime,
) -> None:
    """Keep what came, and which messages of ours stood in the answer to it. `failed` says why nothing came of it."""
    status: channel_log.Outcome = "failed" if failed else "ok"
    if seen is None or not channel_log.wants(account.log_keeps, status):
        return
    answer: dict[str, JsonValue] = {"status": 200}
    if replies:
        answer["messages"] = [reply.reference for reply in replies]
    line = Line("in", status, seen.shown, answer, failed or None)
    channel_log.add(
        db, tenant_id=account.tenant_id, account_id=account.id, message_id=message_id or None, line=line, now=now
    )


def heard_status(db: Db, account: Account, seen: Seen | None, event: StatusUpdate, *, now: datetime) -> None:
    """The same for news of a message; that it got lost counts as a failure."""
    failed = (event.error_code or event.status) if event.status in _LOST else ""
    if seen is None or not channel_log.wants(account.log_keeps, "failed" if failed else "ok"):
        return
    heard(db, account, seen, messages.id_of(db, account.id, event.provider_id), failed=failed, now=now)


def noticed(db: Db, heard_by: Sequence[Account], seen: Seen, *, now: datetime) -> None:
    """The same for what nobody does anything about, at each of the numbers that it concerns."""
    for account in heard_by:
        heard(db, account, seen, None, now=now)


# What goes out ---------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Exchange:
    began: float
    method: str
    url: str
    sent: bytearray = field(default_factory=bytearray)
    got: bytearray = field(default_factory=bytearray)
    status: int = 0
    ended: float = 0.0
    trouble: str = ""
    is_file: bool = False
    content_type: str = ""
    bytes: int | None = None


class Listening:
    """Hears of every request of this task to a vendor, while it is entered."""

    def __init__(self) -> None:
        self.exchanges: list[_Exchange] = []
        self._before: Token[Listening | None] | None = None

    def __enter__(self) -> "Listening":
        self._before = _listening.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            _listening.reset(self._before)

    def lines(self, trouble: str = "", code: str = "") -> list[Line]:
        """A line for each request. `trouble` says that the send as a whole failed, by the vendor's `code`."""
        lines = [_line(one) for one in self.exchanges[:_MOST]]
        if trouble and not any(line.status == "failed" for line in lines):
            if not lines:
                return [Line("out", "failed", {}, {"trouble": trouble[:200]}, code or None)]
            lines[-1] = replace(lines[-1], status="failed")
        return [*lines[:-1], replace(lines[-1], code=code or lines[-1].code)] if lines and code else lines


_listening: ContextVar[Listening | None] = ContextVar("listening", default=None)


def said(db: Db, account: Account, message_id: int, lines: Sequence[Line], *, now: datetime) -> None:
    """Keep what a send has asked and been answered, as far as the account keeps it."""
    for line in lines:
        if channel_log.wants(account.log_keeps, line.status):
            channel_log.add(
                db, tenant_id=account.tenant_id, account_id=account.id, message_id=message_id, line=line, now=now
            )


def tracing(*, files: bool = False) -> aiohttp.TraceConfig:
    """For the client session that the channels use, and for the one that fetches customers' `files`: of those there is no more
    to be seen than of which kind they are and how large.
    """
    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(_began)
    trace.on_request_chunk_sent.append(_wrote)
    trace.on_request_end.append(_found if files else _answered)
    trace.on_request_exception.append(_broke)
    return trace


async def _began(_: aiohttp.ClientSession, ctx: SimpleNamespace, about: aiohttp.TraceRequestStartParams) -> None:
    here = _listening.get()
    ctx.exchange = None
    if here is not None:
        ctx.exchange = _Exchange(time.monotonic(), about.method, str(about.url))
        here.exchanges.append(ctx.exchange)


async def _wrote(_: aiohttp.ClientSession, ctx: SimpleNamespace, about: aiohttp.TraceRequestChunkSentParams) -> None:
    if ctx.exchange is not None and len(ctx.exchange.sent) < _MOST_BYTES:
        ctx.exchange.sent += about.chunk


async def _answered(_: aiohttp.ClientSession, ctx: SimpleNamespace, about: aiohttp.TraceRequestEndParams) -> None:
    if ctx.exchange is not None:
        ctx.exchange.status, ctx.exchange.ended = about.response.status, time.monotonic()
        # Tracing tells only of bodies that are read as a whole, and a client that reads no more than so much does not.
        about.response.content = cast("aiohttp.StreamReader", _Overheard(about.response.content, ctx.exchange.got))


async def _found(_: aiohttp.ClientSession, ctx: SimpleNamespace, about: aiohttp.TraceRequestEndParams) -> None:
    if ctx.exchange is not None:
        ctx.exchange.status, ctx.exchange.ended = about.response.status, time.monotonic()
        ctx.exchange.is_file, ctx.exchange.content_type = True, about.response.content_type
        ctx.exchange.bytes = about.response.content_length


async def _broke(_: aiohttp.ClientSession, ctx: SimpleNamespace, about: aiohttp.TraceRequestExceptionParams) -> None:
    if ctx.exchange is not None:
        ctx.exchange.trouble, ctx.exchange.ended = type(about.exception).__name__, time.monotonic()


class _Overheard:
    """The body of an answer, the beginning of which goes into `got` while somebody reads it."""

    def __init__(self, content: aiohttp.StreamReader, got: bytearray) -> None:
        self._content = content
        self._got = got

    def __getattr__(self, name: str) -> object:
        return getattr(self._content, name)

    async def read(self, n: int = -1) -> bytes:
        piece = await self._content.read(n)
        self._got += piece[: _MOST_BYTES - len(self._got)]
        return piece

    async def iter_chunked(self, n: int) -> AsyncIterator[bytes]:
        while piece := await self.read(n):
            yield piece


def _line(one: _Exchange) -> Line:
    answer: dict[str, JsonValue] = {"status": one.status} if one.status else {"trouble": one.trouble or "no answer"}
    if one.got:
        answer["body"] = redact.body(bytes(one.got))
    if one.is_file:
        answer |= {"content_type": redact.shown("content_type", one.content_type), "bytes": one.bytes}
    took_ms = int((one.ended - one.began) * 1000) if one.ended else None
    # A file is often elsewhere, and where is the next request.
    is_ok = 200 <= one.status < (400 if one.is_file else 300) and not one.trouble
    return Line(
        "out", "ok" if is_ok else "failed", redact.sent(one.method, one.url, bytes(one.sent)), answer, None, took_ms
    )
