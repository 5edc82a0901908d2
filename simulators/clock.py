"""A clock that is turned by hand, so that a simulator can wait for an hour while a test takes no time."""

import asyncio
import heapq
from datetime import UTC, datetime, timedelta
from itertools import count


class HandClock:
    """Give it to a simulator as `clock=clock, sleep=clock.sleep`, and move it on with `advance`."""

    def __init__(self, now: datetime = datetime(2026, 3, 3, 10, tzinfo=UTC)) -> None:
        self.now = now
        self._order = count()
        self._sleepers: list[tuple[datetime, int, asyncio.Future[None]]] = []

    def __call__(self) -> datetime:
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Back at once for zero seconds, otherwise when the clock has been moved that far."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.now + timedelta(seconds=seconds), next(self._order), woken))
        await woken

    async def advance(self, seconds: float) -> None:
        """Move on and wake in order everyone whose time has come, also those who fall asleep again on the way."""
        until = self.now + timedelta(seconds=seconds)
        await _let_others_run()
        while self._sleepers and self._sleepers[0][0] <= until:
            self.now, _, woken = heapq.heappop(self._sleepers)
            if not woken.done():
                woken.set_result(None)
            await _let_others_run()
        self.now = until


async def _let_others_run() -> None:
    """Give whoever was just started or woken time to lie down again, even where one task waits for another."""
    for _ in range(10):
        await asyncio.sleep(0)
