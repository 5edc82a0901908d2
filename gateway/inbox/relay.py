"""Carries what happens now to the other processes: news of commits, who types, who is there. Without Redis it carries nothing.

Only numbers, names of rooms and people travel, never a customer's words: whoever shows a message reads its row. Any of it
may be lost, as with everything over pub/sub; then `missed` is called, and clients are told to look at what they have.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import orjson
import structlog

from desk.live import Changed
from storage.base import new_uid
from storage.bus import Bus, ended

log = structlog.get_logger()

_CHANNEL: Final = "frontdesk:live"
_KEPT: Final = 10_000  # items that wait for Redis; older ones are given up
_BATCH: Final = 500
_PATIENCE_S: Final = 2.0

Item = Sequence[Any]
Heard = Callable[..., None]


class Relay:
    """One per process. An item is its kind and plain values, and whoever hears the kind is called with the values."""

    def __init__(self, bus: Bus, url: str, *, retry_s: float = 1.0) -> None:
        self.host = new_uid()
        self._bus = bus
        self._url = url
        self._retry_s = retry_s
        self._heard: dict[str, list[Heard]] = {}
        self._outgoing: deque[Item] = deque(maxlen=_KEPT)
        self._ready = asyncio.Event()
        self._has_lost = False
        self._is_stopping = False
        self._stack = contextlib.ExitStack()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        if not self._url:
            return
        from redis.asyncio import Redis

        self._redis = Redis.from_url(
            self._url, decode_responses=True, socket_connect_timeout=_PATIENCE_S, health_check_interval=15
        )
        self._stack.enter_context(self._bus.hear(self._pass_on))
        self._tasks = [asyncio.create_task(self._send()), asyncio.create_task(self._receive())]

    async def stop(self) -> None:
        self._stack.close()
        if not self._tasks:
            return
        sending, receiving = self._tasks
        self._tasks, self._is_stopping = [], True
        self._ready.set()
        receiving.cancel()
        await asyncio.wait([sending], timeout=_PATIENCE_S)
        await ended(sending, receiving)
        await self._redis.aclose()

    def send(self, kind: str, *values: Any) -> None:
        """Let the other processes know; returns at once, never fails."""
        if self._tasks:
            self._outgoing.append((kind, *values))
            self._ready.set()

    def tell(self, kind: str, *values: Any) -> None:
        """Let every process know, this one included; `hear` has heard it here when this returns."""
        self._deliver(kind, *values)
        self.send(kind, *values)

    @contextlib.contextmanager
    def hear(self, kind: str, heard: Heard) -> Iterator[None]:
        """While the block runs, `heard` is called with the values of each item of that kind from elsewhere, and from here
        if it was told (`tell`). It must not fail. The kind `joined` comes without values when this process hears the
        others (again), `missed` when something may have been lost.
        """
        self._heard.setdefault(kind, []).append(heard)
        try:
            yield
        finally:
            self._heard[kind].remove(heard)

    def _pass_on(self, news: Sequence[object]) -> None:
        for one in news:
            if isinstance(one, Changed):
                self.send("news", one.tenant_id, one.conversation_id, one.what, one.message_id, one.user_id, one.detail)

    def _deliver(self, kind: str, *values: Any) -> None:
        for heard in self._heard.get(kind, ()):
            heard(*values)

    async def _send(self) -> None:
        while not self._is_stopping:
            await self._ready.wait()
            self._ready.clear()
            while self._outgoing:
                batch: list[Item] = [("missed",)] if self._has_lost else []
                batch += [self._outgoing.popleft() for _ in range(min(_BATCH, len(self._outgoing)))]
                try:
                    async with asyncio.timeout(_PATIENCE_S):
                        await self._redis.publish(_CHANNEL, orjson.dumps([self.host, batch]))
                    self._has_lost = False
                except _away() as away:
                    if not self._has_lost:
                        log.warning("live news do not reach the other processes", reason=type(away).__name__)
                    self._has_lost = True

    async def _receive(self) -> None:
        is_first = True
        while True:
            with contextlib.suppress(*_away()):
                async with self._redis.pubsub() as incoming:
                    await incoming.subscribe(_CHANNEL)
                    async for message in incoming.listen():
                        if message["type"] == "subscribe":
                            self._deliver("joined")
                            if not is_first:
                                self._deliver("missed")
                            is_first = False
                        elif message["type"] == "message":
                            self._take(message["data"])
            await asyncio.sleep(self._retry_s)

    def _take(self, data: str) -> None:
        try:
            host, batch = orjson.loads(data)
            if host == self.host:
                return
            for kind, *values in batch:
                self._deliver(kind, *values)
        except Exception:
            # A border: a process of another version may say what this one does not understand.
            log.exception("an item of another process was left out")


def _away() -> tuple[type[Exception], ...]:
    from redis.exceptions import RedisError

    return RedisError, OSError, TimeoutError
