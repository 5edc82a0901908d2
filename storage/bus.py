"""Wake-ups between the parts of the product: in one process, or over Redis between many.

A wake-up carries no data and may be lost; whoever listens also looks by itself from time to time. News carry data and
stay in the process in which they were committed.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Protocol


class Bus(Protocol):
    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    def publish(self, topic: str) -> None:
        """Wake all that wait for `topic`; returns at once, never fails. Called on the event loop."""
        ...

    def listen(self, topic: str) -> contextlib.AbstractAsyncContextManager[asyncio.Event]:
        """An event that is set whenever `topic` was published since it was last cleared."""
        ...

    def tell(self, news: Sequence[object]) -> None:
        """Hand committed news to all that hear; returns at once. Called on the event loop."""
        ...

    def hear(self, heard: Callable[[Sequence[object]], None]) -> contextlib.AbstractContextManager[None]:
        """While the block runs, `heard` is called with what is committed in this process, in order. It must not fail."""
        ...


class MemoryBus:
    """Wake-ups within one process."""

    def __init__(self) -> None:
        self._listeners: dict[str, set[asyncio.Event]] = {}
        self._hearers: list[Callable[[Sequence[object]], None]] = []

    async def start(self) -> None:
        """Nothing to connect."""

    async def stop(self) -> None:
        """Nothing to close."""

    def publish(self, topic: str) -> None:
        for woken in self._listeners.get(topic, ()):
            woken.set()

    @contextlib.asynccontextmanager
    async def listen(self, topic: str) -> AsyncIterator[asyncio.Event]:
        woken = asyncio.Event()
        self._listeners.setdefault(topic, set()).add(woken)
        try:
            yield woken
        finally:
            self._listeners[topic].discard(woken)
            if not self._listeners[topic]:  # topics of single calls come and go
                del self._listeners[topic]

    def tell(self, news: Sequence[object]) -> None:
        for heard in self._hearers:
            heard(news)

    @contextlib.contextmanager
    def hear(self, heard: Callable[[Sequence[object]], None]) -> Iterator[None]:
        self._hearers.append(heard)
        try:
            yield
        finally:
            self._hearers.remove(heard)


class RedisBus(MemoryBus):
    """The same over Redis pub/sub. Without Redis, wake-ups stay in the process and others find work by looking."""

    _CHANNEL = "frontdesk:wake"

    def __init__(self, url: str, *, retry_s: float = 1.0) -> None:
        super().__init__()
        from redis.asyncio import Redis  # a tenth of a second that a single process need not spend

        self._redis = Redis.from_url(url, decode_responses=True, socket_connect_timeout=2, health_check_interval=15)
        self._retry_s = retry_s
        self._outgoing: set[str] = set()
        self._ready = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        self._tasks = [asyncio.create_task(self._send()), asyncio.create_task(self._receive())]

    async def stop(self) -> None:
        await ended(*self._tasks)
        await self._redis.aclose()

    def publish(self, topic: str) -> None:
        super().publish(topic)
        self._outgoing.add(topic)
        self._ready.set()

    async def _send(self) -> None:
        while True:
            await self._ready.wait()
            self._ready.clear()
            topics, self._outgoing = self._outgoing, set()
            for topic in topics:
                with contextlib.suppress(*_away()):
                    await self._redis.publish(self._CHANNEL, topic)

    async def _receive(self) -> None:
        while True:
            with contextlib.suppress(*_away()):
                async with self._redis.pubsub(ignore_subscribe_messages=True) as incoming:
                    await incoming.subscribe(self._CHANNEL)
                    async for message in incoming.listen():
                        super().publish(message["data"])
            await asyncio.sleep(self._retry_s)


async def ended(*tasks: "asyncio.Task[None]", again_s: float = 0.2) -> None:
    """Cancel the tasks, and return when they have ended.

    Now and then redis takes a cancellation for a line that was cut, and goes on (seen with 8.1, once in a few hundred stops
    on a busy machine), so it is told until it hears.
    """
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=again_s)


def _away() -> tuple[type[Exception], ...]:
    from redis.exceptions import RedisError

    return RedisError, OSError
