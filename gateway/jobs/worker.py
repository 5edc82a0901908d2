"""Runs due jobs: claims them by lease, a few at a time, and never loses one.

Wake-ups make it quick; the poll behind them makes it sure.
"""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final

import structlog

from gateway.context import House
from storage import queue
from storage.base import new_uid
from storage.hurry import IN_BACKGROUND
from storage.queue import Job, LeaseLost
from storage.store import StoreUnavailable

log = structlog.get_logger()

# Does one job and finishes it (`queue.finish`) in the transaction of its effect.
Handler = Callable[[House, Job], Awaitable[None]]

MAX_ATTEMPTS = 10
_NO_WAITS: Final[Mapping[str, Sequence[timedelta]]] = MappingProxyType({})
_BREATH_S = 0.02  # between two looks for tokens: those that come meanwhile are kept, and are taken in one go


class NotNow(Exception):  # noqa: N818  nothing of ours is wrong
    """Raised by a handler: the other side did not do it, and says why. It is tried again later."""


class Worker:
    """One per process. `handlers` maps a job's kind to what does it; jobs of other kinds are left alone."""

    def __init__(
        self,
        house: House,
        handlers: Mapping[str, Handler],
        *,
        topic: str = queue.TOPIC,
        at_once: int | None = None,
        lease_s: float | None = None,
        one_per_lane: bool = False,
        gives_way: bool = False,
        waits: Mapping[str, Sequence[timedelta]] = _NO_WAITS,
        chance: random.Random | None = None,
    ) -> None:
        """`at_once` jobs run side by side (default: `jobs.workers`), with `one_per_lane` each of another lane, and fewer
        that can wait while the process is busy if this one `gives_way`. A job takes less than `lease_s` (default:
        `jobs.lease_s`), or it is taken for lost. `waits` says by kind how long it is until each further try; what is not in
        it waits for two seconds, then four, and so on up to an hour.
        """
        self._house = house
        self._topic = topic
        self._lease_for = timedelta(seconds=lease_s or house.settings.jobs.lease_s)
        self._at_once = at_once or house.settings.jobs.workers
        self._one_per_lane = one_per_lane
        self._pressure = house.pressure if gives_way else None
        self._handlers = handlers
        self._waits = waits
        self._kinds = frozenset(handlers)
        self._lease = new_uid()
        self._served_last = ""
        self._chance = chance or random.Random()
        self._running: set[asyncio.Task[None]] = set()
        self._held: set[int] = set()  # the jobs that these do

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until `stopping` is set; then finish what runs and give back what does not finish in time."""
        IN_BACKGROUND.set(True)
        jobs = self._house.settings.jobs
        async with self._house.bus.listen(self._topic) as woken:
            while not stopping.is_set():
                woken.clear()
                rest_s = self._pressure.rest_s if self._pressure is not None else 0.0
                if rest_s > 0:  # replies do not wait for that
                    if not await self._claim(self._at_once - len(self._running), urgent_only=True):
                        await self._wait(woken, stopping, rest_s)
                elif not await self._claim(self._free):
                    await self._wait(woken, stopping, await self._until_next(jobs.poll_s))
        await self._stop()

    @property
    def _free(self) -> int:
        """How many jobs may be begun now; none where some hands are free but too few to be worth a look."""
        if self._pressure is None:
            return self._at_once - len(self._running)
        room = min(self._at_once, self._pressure.room)
        free = room - len(self._running)
        return free if free >= room // 4 else 0

    async def drain(self) -> int:
        """Do everything that is due now, until nothing is; how many jobs that were. For tests and the command line."""
        done = 0
        while claimed := await self._claim(self._at_once):
            done += claimed
            await asyncio.gather(*self._running)
        return done

    async def _claim(self, free: int, *, urgent_only: bool = False) -> int:
        if free <= 0:
            return 0
        try:
            claimed = await self._house.store.write(
                queue.claim,
                now=self._house.clock.now(),
                lease=self._lease,
                lease_for=self._lease_for,
                limit=free,
                kinds=self._kinds,
                one_per_lane=self._one_per_lane,
                after=self._served_last,
                held=tuple(self._held),
                urgent_only=urgent_only,
            )
        except StoreUnavailable as away:
            log.warning("no jobs: the database does not answer", reason=str(away))
            return 0
        if claimed:
            self._served_last = claimed[-1].lane
        self._held.update(job.id for job in claimed)
        for job in claimed:
            task = asyncio.create_task(self._one(job))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return len(claimed)

    async def _until_next(self, poll_s: float) -> float:
        """Seconds to the next look: the poll's, or fewer when a lane's next token is due before."""
        if self._one_per_lane or self._free <= 0:
            return poll_s
        now = self._house.clock.now()
        try:
            due = await self._house.store.read(queue.next_token, now=now, kinds=self._kinds)
        except StoreUnavailable:
            return poll_s
        return poll_s if due is None else min(max((due - now).total_seconds(), _BREATH_S), poll_s)

    async def _one(self, job: Job) -> None:
        with structlog.contextvars.bound_contextvars(job=job.id, kind=job.kind):
            try:
                await self._handlers[job.kind](self._house, job)
            except LeaseLost:
                log.warning("job was taken over by another worker")
            except StoreUnavailable as away:
                log.warning("job waits for the database", reason=str(away))  # its lease runs out, then it is due again
            except NotNow as why:
                log.warning("job not done", why=str(why), attempts=job.attempts)
                with contextlib.suppress(StoreUnavailable, LeaseLost):
                    await self._later(job, str(why))
            except Exception as error:
                log.exception("job failed", attempts=job.attempts)
                with contextlib.suppress(StoreUnavailable, LeaseLost):
                    await self._later(job, type(error).__name__)
            finally:
                self._held.discard(job.id)

    async def _later(self, job: Job, error: str) -> None:
        if job.attempts >= MAX_ATTEMPTS:
            log.error("job is dead", attempts=job.attempts)
            await self._house.store.write(queue.bury, job, error=error)
            return
        now = self._house.clock.now()
        waits = self._waits.get(job.kind, ())
        if job.attempts <= len(waits):
            wait = waits[job.attempts - 1]
        else:
            wait = timedelta(seconds=min(2.0**job.attempts, 3600.0) * self._chance.uniform(0.8, 1.2))
        await self._house.store.write(queue.again, job, at=now + wait, error=error, now=now)

    async def _wait(self, woken: asyncio.Event, stopping: asyncio.Event, poll_s: float) -> None:
        """Until there may be something to do: a wake-up, a free hand, a stop, or the poll."""
        waits: list[asyncio.Task[Any]] = [asyncio.create_task(one.wait()) for one in (woken, stopping)]
        busy = self._one_per_lane or self._free <= 0  # a lane that is free again may have the next
        await asyncio.wait(
            {*waits, *(self._running if busy else ())}, timeout=poll_s, return_when=asyncio.FIRST_COMPLETED
        )
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)

    async def _stop(self) -> None:
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=5)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        with contextlib.suppress(StoreUnavailable):
            await self._house.store.write(queue.release, self._lease)
