"""Routes that are made when the first of them is asked for.

Some five hundred models and their routes take half a second and ten megabytes; webhooks and /healthz need none of them, so
a process answers before they are there, and one that nobody calls over REST never makes them.
"""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

from aiohttp import web
from yarl import URL

from gateway import collector


class Mount(web.AbstractResource):
    """Everything below `prefix` that no other resource of the router takes; `make` makes the routes, in a thread, and `waits`
    is told of each request that comes meanwhile.
    """

    def __init__(
        self,
        prefix: str,
        make: Callable[[], web.UrlDispatcher],
        waits: Callable[[web.Request], None] = lambda _: None,
    ) -> None:
        super().__init__()
        self._waits = waits
        self._prefix = prefix
        self._make = make
        self._made: web.UrlDispatcher | None = None
        self._making: asyncio.Task[None] | None = None

    @property
    def _inner(self) -> web.UrlDispatcher:
        if self._made is None:
            self._made = self._make()
        return self._made

    async def resolve(self, request: web.Request) -> tuple[web.UrlMappingMatchInfo | None, set[str]]:
        """The route that takes the request, or the methods that its path would take."""
        if self._made is None:
            self._waits(request)
            await self._wait()
        found = await self._inner.resolve(request)
        refused = found.http_exception
        if refused is None:
            return found, set()
        return None, set(refused.allowed_methods) if isinstance(refused, web.HTTPMethodNotAllowed) else set()

    async def _wait(self) -> None:
        """Returns when the routes are there. Others go on meanwhile, and whoever loses patience stops nobody else."""
        if self._making is None:
            self._making = asyncio.create_task(self._make_beside(), name="routes")
        making = self._making
        try:
            await asyncio.shield(making)
        finally:
            if making.done():
                self._making = None

    async def _make_beside(self) -> None:
        await asyncio.to_thread(lambda: self._inner)
        collector.settle_again()  # once, not for each that waits: it counts all there is

    # What else a resource can be asked.

    @property
    def canonical(self) -> str:
        return self._prefix

    def url_for(self, **_: str) -> URL:
        return URL.build(path=self._prefix)

    def add_prefix(self, prefix: str) -> None:
        """Raises: RuntimeError, always: the routes know their whole path."""
        raise RuntimeError("a mount stays where it is")

    def get_info(self) -> Any:
        return {"prefix": self._prefix}

    def raw_match(self, path: str) -> bool:
        return False

    def __len__(self) -> int:
        return len(self._inner.routes())

    def __iter__(self) -> Iterator[web.AbstractRoute]:
        return iter(self._inner.routes())
