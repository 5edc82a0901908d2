"""What falls due by itself: silence, expiry, holds, offers, unclaimed hand-offs, and the spool.

All of it is rows with a due time, found by an index and looked at again under the conversation's lock, so that two
processes that sweep at once do a thing once, and a restart forgets nothing.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import structlog

from bots.bot import Cue
from desk import accounts, channel_log, conversations, deliveries, messages, sending, sign_in
from desk.calendar import bookings, waitlist, walls
from desk.conversations import Due
from desk.who import Actor
from gateway.context import House
from gateway.jobs import charges, cues, files, inbox, news, prompts, recordings
from gateway.pipeline import parked
from gateway.pipeline.receive import Receiver
from gateway.pipeline.spool import Spool
from gateway.pipeline.wire import Seen
from gateway.rest import idempotency
from storage.base import Db
from storage.hurry import IN_BACKGROUND
from storage.store import StoreUnavailable

log = structlog.get_logger()

_AT_ONCE = 100  # due conversations in one sweep; the rest follow in the next
_LOOKS_FOR_INACTIVE = timedelta(minutes=1)  # it looks through all open ones, and a day of silence can wait so long
_EARLY_STATUS_KEPT = timedelta(days=8)  # longer than any provider repeats itself


class Sweeper:
    """Looks for due things every `jobs.poll_s`."""

    def __init__(self, house: House, spool: Spool) -> None:
        self._house = house
        self._spool = spool
        self._is_switched_on = False
        self._inactive_from: datetime | None = None

    async def run(self, stopping: asyncio.Event) -> None:
        """Sweep until `stopping` is set."""
        IN_BACKGROUND.set(True)
        while not stopping.is_set():
            await self.sweep()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), self._house.settings.jobs.poll_s)

    async def sweep(self) -> None:
        """Everything that is due now, once. One kind's trouble does not keep the others from being done."""
        sweeps: list[Callable[[], Awaitable[None]]] = [
            self._switch_on,
            self._drain_spool,
            self._holds_and_offers,
            self._silence,
            self._expired,
            self._unclaimed,
            self._inactive,
            self._inbox,
            self._news,
            self._tidy,
        ]
        for sweep in sweeps:
            try:
                await sweep()
            except StoreUnavailable:
                return  # the next sweep tries again; the worker has already said so
            except Exception:
                log.exception("sweep failed", sweep=sweep.__name__)

    async def _switch_on(self) -> None:
        """Once: what is served does not change while we run."""
        if not self._is_switched_on:
            line = self._house.line
            await self._house.store.write(accounts.pace_all, line)
            count = await self._house.store.write(accounts.switch_on, line, now=self._house.clock.now())
            await self._house.store.write(files.see_to_sweeps, now=self._house.clock.now())
            await recordings.see_to_looks(self._house)
            await self._house.store.write(charges.see_to_it, now=self._house.clock.now())
            await prompts.see_to_it(self._house)
            await self._keep_wall_times()
            self._is_switched_on = True
            if count:
                log.info("channels switched on that had waited", count=count)

    async def _keep_wall_times(self) -> None:
        for found in await self._house.store.read(walls.astray, now=self._house.clock.now()):
            stay = await self._house.store.write(walls.put_right, found, now=self._house.clock.now())
            count = len(found.shifts) - len(stay)
            log.warning("visits moved with the rules of their zone", business=found.business_id, count=count, stay=stay)

    async def _holds_and_offers(self) -> None:
        await self._house.store.write(_expire_claims, now=self._house.clock.now())

    async def _silence(self) -> None:
        due = await self._house.store.read(conversations.silent_due, self._house.clock.now(), _AT_ONCE)
        await self._play(due, "silent")

    async def _expired(self) -> None:
        due = await self._house.store.read(conversations.expired_flows, self._house.clock.now(), _AT_ONCE)
        await self._play(due, "expired")

    async def _unclaimed(self) -> None:
        before = self._house.clock.now() - timedelta(minutes=self._house.settings.conversations.handoff_expires_min)
        due = await self._house.store.read(conversations.queued_since, before, _AT_ONCE)
        await self._play(due, "handoff_expired")

    async def _inactive(self) -> None:
        now = self._house.clock.now()
        if self._inactive_from is not None and now < self._inactive_from:
            return
        self._inactive_from = now + _LOOKS_FOR_INACTIVE
        before = now - timedelta(hours=self._house.settings.conversations.inactive_after_h)
        for due in await self._house.store.read(conversations.inactive, before, _AT_ONCE):
            await self._house.store.write(_close, due, before=before, now=self._house.clock.now())

    async def _inbox(self) -> None:
        await inbox.sweep(self._house)

    async def _news(self) -> None:
        await news.sweep(self._house)

    async def _tidy(self) -> None:
        before = self._house.clock.now() - _EARLY_STATUS_KEPT
        await self._house.store.write(messages.forget_early, before)
        await self._house.store.write(_forget_old, now=self._house.clock.now())
        kept = timedelta(days=self._house.settings.conversations.channel_log_days)
        await self._house.store.write(channel_log.forget_old, self._house.clock.now() - kept)
        parked_before = self._house.clock.now() - timedelta(days=self._house.settings.conversations.parked_days)
        await self._house.store.write(parked.drop, before=parked_before)
        await files.sweep(self._house)
        await recordings.sweep(self._house)
        await self._house.speech.sounds.sweep()

    async def _play(self, due: list[Due], kind: str) -> None:
        for one in due:
            await cues.play(self._house, one.id, Cue(kind, {}))

    async def _drain_spool(self) -> None:
        """Handle what came while the database was away; replies go by the outbox, the webhooks are long answered."""
        if self._spool.is_empty():
            return
        receiver = Receiver(self._house)
        for path, kept in self._spool.waiting():
            for one in kept:
                adapter = self._house.adapters[one.provider, one.channel]
                for event in adapter.parse(one.request):
                    account = await receiver.account_of(adapter, event)
                    if account is not None and account.id == one.account_id:
                        await receiver.handle(account, event, inline=False, seen=Seen(one.request, event))
            self._spool.done(path)
            log.info("spool drained", requests=len(kept))


def _forget_old(db: Db, *, now: datetime) -> None:
    deliveries.forget_old(db, now=now)
    sign_in.forget_old(db, now=now)
    sending.forget_old(db, now=now)
    idempotency.forget_old(db, now=now)


def _expire_claims(db: Db, *, now: datetime) -> None:
    waitlist.expire_offers(db, now)
    bookings.expire_holds(db, now)


def _close(db: Db, due: Due, *, before: datetime, now: datetime) -> None:
    """Close an inactive conversation, unless somebody has written since it was found."""
    who = Actor(due.tenant_id, "system")
    context = conversations.by_id(db, who, due.id)
    written = max(filter(None, (context.last_in_at, context.last_out_at)), default=due.since)
    if written <= before and context.status == "open":
        conversations.close(db, who, due.id, reason="inactive", now=now)
