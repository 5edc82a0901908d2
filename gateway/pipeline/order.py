"""Events of one conversation are handled one at a time, in the order in which they arrived.

Across processes the row lock on the conversation does the rest.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Hashable


class Order:
    """A queue per key; keys without anybody waiting cost nothing."""

    def __init__(self) -> None:
        self._queues: dict[Hashable, deque[asyncio.Future[None]]] = {}

    @contextlib.asynccontextmanager
    async def turn(self, key: Hashable) -> AsyncIterator[None]:
        """Wait for everything with the same `key` that came before, then run alone."""
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
