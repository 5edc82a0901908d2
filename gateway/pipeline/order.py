"""Events of one conversation are handled one at a time, in the order in which they arrived; and tenants take turns.

Across processes the row lock on the conversation does the rest.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Hashable


class Order:
    """A queue per key; keys without anybody waiting cost nothing.

    `at_once` turns of all tenants are with the database. More would only wait there, where whoever came first is served
    first and one tenant's flood keeps everybody waiting.
    """

    def __init__(self, at_once: int) -> None:
        self._queues: dict[Hashable, deque[asyncio.Future[None]]] = {}
        self._shares = Shares(at_once)

    @contextlib.asynccontextmanager
    async def turn(self, tenant_id: int, key: Hashable) -> AsyncIterator[None]:
        """Wait for everything with the same `key` that came before, and for the tenant's turn; then run alone."""
        async with self.alone(key), self._shares.one(tenant_id):
            yield

    @contextlib.asynccontextmanager
    async def alone(self, key: Hashable) -> AsyncIterator[None]:
        """Wait for everything with the same `key` that came before; for what does not go to the database meanwhile."""
        queue = self._queues.get(key)
        if queue is None:
            self._queues[key] = deque()
        else:
            mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            queue.append(mine)
            try:
                await mine
            except asyncio.CancelledError:
                if mine.done() and not mine.cancelled():
                    self._next(key)  # our turn had come: hand it on
                else:
                    queue.remove(mine)
                raise
        try:
            yield
        finally:
            self._next(key)

    def _next(self, key: Hashable) -> None:
        queue = self._queues[key]
        while queue:
            waiting = queue.popleft()
            if not waiting.done():
                waiting.set_result(None)
                return
        del self._queues[key]


class Shares:
    """So many at once, and whoever waits is let in tenant by tenant: one of each, around and around."""

    def __init__(self, at_once: int) -> None:
        self._free = at_once
        self._waiting: dict[int, deque[asyncio.Future[None]]] = {}  # tenants in the order in which they are next

    @contextlib.asynccontextmanager
    async def one(self, tenant_id: int) -> AsyncIterator[None]:
        """A place, once it is this tenant's turn to have one."""
        if self._free:
            self._free -= 1
        else:
            mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.setdefault(tenant_id, deque()).append(mine)
            try:
                await mine
            except asyncio.CancelledError:
                if mine.done() and not mine.cancelled():
                    self._next()  # the place was ours: hand it on
                raise  # or we are passed over
        try:
            yield
        finally:
            self._next()

    def _next(self) -> None:
        while self._waiting:
            tenant_id, queue = next(iter(self._waiting.items()))
            first = queue.popleft()
            del self._waiting[tenant_id]
            if queue:
                self._waiting[tenant_id] = queue  # behind the others
            if not first.done():
                first.set_result(None)
                return
        self._free += 1
