"""The time of calls: passes by itself, or is moved on by whoever listens, so that an hour on hold takes no time."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from itertools import count

_LONG_S, _THOUGHT_S = 0.5, 0.05
_LONGEST_WORK_S = 5.0
_GLANCE_S = 0.005  # who waits need not look at every letter that a hundred calls hear


class Timeline:
    """Sleep in calls with `sleep`, tell of every change with `touch`, and wait with `until`.

    With `advance` (of a `HandClock`) time stands still until somebody waits: then it jumps from one thing that is due
    in a call to the next. It never jumps while the application owes an answer to a request (`owing`).
    """

    def __init__(
        self,
        *,
        clock: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[object]],
        advance: Callable[[float], Awaitable[object]] | None,
    ) -> None:
        # Whether the application works at something; told by a test that can look into it, no time passes meanwhile, and
        # there is no guessing how long it may need to think.
        self.is_busy: Callable[[], bool] | None = None
        self._clock, self._sleep, self._advance = clock, sleep, advance
        self._order = count()
        self._due: set[tuple[datetime, int]] = set()
        self._owed = 0
        self._sockets = 0
        self._changed = asyncio.Event()
        self._turning = asyncio.Lock()  # two hands on the clock could turn it back

    async def sleep(self, seconds: float) -> None:
        """Back when that much time has passed in the calls."""
        mine = (self._clock() + timedelta(seconds=seconds), next(self._order))
        self._due.add(mine)
        if self._advance is not None:
            self.touch()
        try:
            await self._sleep(seconds)
        finally:
            self._due.discard(mine)

    def touch(self) -> None:
        """Something happened: whoever waits looks again."""
        self._changed.set()
        self._changed = asyncio.Event()

    @contextmanager
    def owing(self) -> Iterator[None]:
        """The application is being asked: no time passes until it has answered."""
        self._owed += 1
        try:
            yield
        finally:
            self._owed -= 1
            self.touch()

    @contextmanager
    def talking(self) -> Iterator[None]:
        """The application has a socket and may say something at any time: no long time passes without a glance at it."""
        self._sockets += 1
        try:
            yield
        finally:
            self._sockets -= 1

    async def spare(self, seconds: float) -> None:
        """Let the application have so much real time, unless something happens before, while none passes in the calls.

        For where time is moved on and nobody can look into the application: it goes by a real clock, and would be too late
        for a call in which half a second is over in a hundredth.
        """
        if self._advance is None or self.is_busy is not None:
            return
        changed = self._changed
        with self.owing(), suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await changed.wait()

    async def pass_by(self, seconds: float) -> None:
        """Let that much time pass."""
        if self._advance is None:
            await self._sleep(seconds)
            return
        ends = self._clock() + timedelta(seconds=seconds)
        is_idle = await self._idle()
        while (left := (ends - self._clock()).total_seconds()) > 0:
            async with self._turning:
                await _let_others_run()
                if self.is_busy is None:
                    await self._advance(left)
                elif not self._owed and not (is_idle and self.is_busy()):
                    due = self._next()
                    await self._advance(left if due is None else min(left, due))
            is_idle = await self._idle()

    async def until(self, is_so: Callable[[], bool], *, timeout_s: float, within_s: float) -> bool:
        """Wait until `is_so`, moving the time on where it can be; False after `within_s` seconds in the call, or when for
        `timeout_s` real seconds no time has passed in it. (Where it passes by itself: `timeout_s` after the beginning.)
        """
        loop = asyncio.get_running_loop()
        ends, latest = loop.time() + timeout_s, self._clock() + timedelta(seconds=within_s)
        while not is_so():
            if loop.time() > ends or self._clock() > latest:
                return False
            changed = self._changed
            if self._advance is not None and self._is_at_work():
                await asyncio.sleep(_GLANCE_S / 10)
                continue
            if self._advance is not None and (step := self._next()) is not None:
                if self.is_busy is None and self._sockets and step > _LONG_S and await self._changes(changed):
                    continue
                async with self._turning:
                    await _let_others_run()  # What was due may just have been called off.
                    step = self._next()
                    if step is not None and not is_so() and not self._is_at_work():
                        await self._advance(step)
                        ends = loop.time() + timeout_s
                continue
            try:
                async with asyncio.timeout_at(ends):
                    await changed.wait()
                    if self._advance is None:
                        await self._sleep(_GLANCE_S)
            except TimeoutError:
                return is_so()
        return True

    async def _changes(self, changed: asyncio.Event) -> bool:
        """Whether anything happens in the little time that an application needs to think."""
        try:
            async with asyncio.timeout(_THOUGHT_S):
                await changed.wait()
        except TimeoutError:
            return False
        return True

    async def _idle(self) -> bool:
        """Wait until the application owes no answer and works at nothing; False when it works for too long."""
        while self._owed:
            await self._changed.wait()
        ends = asyncio.get_running_loop().time() + _LONGEST_WORK_S
        while self._is_at_work():
            if asyncio.get_running_loop().time() > ends:
                return False
            await asyncio.sleep(_GLANCE_S / 10)
        return True

    def _is_at_work(self) -> bool:
        return self.is_busy is not None and self.is_busy()

    def _next(self) -> float | None:
        """In how many seconds something is due, or None if the application is to move first."""
        if self._owed or not self._due:
            return None
        return max((min(self._due)[0] - self._clock()).total_seconds(), 0)


async def _let_others_run() -> None:
    for _ in range(10):
        await asyncio.sleep(0)
