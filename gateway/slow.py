"""Requests that take too long to arrive: their connections are closed, so that nobody keeps them all busy with little.

The head of a connection's first request has to be there in time, and every body. Between two requests a connection may rest,
however its next one begins: that costs us no more than a connection that says nothing, which ends with the keep-alive time.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

log = structlog.get_logger()

_LOOK_S: Final = 1.0
_BYTES_A_SECOND: Final = 4096  # a body that comes this fast may take as long as it needs


class Patience:
    """One per server. `head_s` and `body_s` are how long we wait."""

    def __init__(self, *, head_s: float, body_s: float) -> None:
        self._head_s = head_s
        self._body_s = body_s
        self._has_asked: set[RequestHandler] = set()
        self._waited_s: dict[RequestHandler, float] = {}

    def heard(self, request: web.Request) -> None:
        """The head is there."""
        self._has_asked.add(request.protocol)

    @web.middleware
    async def middleware(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """The head is there; see to it that the body comes, or answer 408."""
        self.heard(request)
        if not request.can_read_body:
            return await handler(request)
        body = _Body(request, self._body_s)
        try:
            response = await handler(request)
        finally:
            body.is_let_go()
        if body.is_late:
            response.force_close()
        return response

    async def watch(self, server: web.Server) -> None:
        """Close those that have asked for nothing in time, until cancelled."""
        # In looks, not by the clock: while we were busy ourselves they may have asked, and we have not read it.
        look_s = min(_LOOK_S, self._head_s / 4)
        while True:
            await asyncio.sleep(look_s)
            open_ones = server.connections
            self._has_asked.intersection_update(open_ones)
            silent = (one for one in open_ones if one not in self._has_asked)
            self._waited_s = {one: self._waited_s.get(one, -look_s) + look_s for one in silent}
            late = [one for one, waited_s in self._waited_s.items() if waited_s > self._head_s]
            for connection in late:
                connection.force_close()
            if late:
                log.info("connections closed that asked for nothing", count=len(late))


def has_hung_up(request: web.Request, error: Exception) -> bool:
    """Whether `error` is only that whoever asked went away before they had said everything; nobody hears our answer."""
    return isinstance(error, ConnectionError) and request.transport is None


class _Body:
    """Looks whether the body of a request arrives."""

    def __init__(self, request: web.Request, wait_s: float) -> None:
        self.is_late = False
        self._request = request
        self._wait_s = wait_s
        self._loop = asyncio.get_running_loop()
        self._began_at_s = self._loop.time()
        self._is_last_look = False
        self._timer = self._loop.call_later(wait_s, self._look)

    def is_let_go(self) -> None:
        """Whoever reads it has what they wanted."""
        self._timer.cancel()

    def _look(self) -> None:
        content = self._request.content
        if content.is_eof():
            return
        due_at_s = self._began_at_s + self._wait_s + content.total_bytes / _BYTES_A_SECOND
        if due_at_s > self._loop.time():
            self._timer = self._loop.call_at(due_at_s, self._look)
            self._is_last_look = False
            return
        if not self._is_last_look:  # we may have been busy ourselves: read first what has come meanwhile
            self._timer = self._loop.call_later(min(_LOOK_S, self._wait_s / 4), self._look)
            self._is_last_look = True
            return
        self.is_late = True
        content.set_exception(web.HTTPRequestTimeout())  # whoever reads the body gets this
        content.feed_eof()  # and nobody waits for the rest of it
