"""Calls to people's phones, made and ended over the provider's API: never within a transaction."""

from collections.abc import Awaitable
from datetime import datetime, timedelta
from typing import Final

import structlog

from channels.errors import SendError
from channels.voice.adapter import VoiceAdapter
from channels.voice.client import GONE, WRONG_STATE
from desk import connecting
from desk.connecting import Rules
from gateway.accounts import Account
from gateway.context import House
from storage import queue
from storage.base import Db
from storage.queue import Job

log = structlog.get_logger()

AGAIN: Final = timedelta(seconds=2)
MOST_TRIES: Final = 3
DOORS: Final = "/api/v1/webhooks/twilio/voice"
_OVER: Final = (GONE, WRONG_STATE)  # the call is gone, or in a state that is as good


async def place(house: House, job: Job) -> None:
    """Let a phone ring. After a crash it is looked up first whether it did."""
    leg_id = int(str(job.payload["leg_id"]))
    found = await house.store.write(connecting.placing, leg_id, now=house.clock.now())
    line = None if found is None else await line_of(house, found[1].account_id)
    if found is None or line is None:
        await house.store.write(_not_placed, job, leg_id, _rules(house), now=house.clock.now())
        return
    (leg, _), (account, adapter) = found, line
    doors = house.settings.server.public_url + DOORS
    try:
        sid = await adapter.calls.dial(
            account.keys,
            leg.phone,
            sender=account.address,
            url=f"{doors}/leg?leg={leg.uid}",
            status_url=f"{doors}/leg/status?leg={leg.uid}",
            ring_s=_rules(house).ring_s,
            tried_at=leg.tried_at,
        )
    except SendError as error:
        log.warning("leg not placed", leg=leg.uid, code=error.code, why=error.text, attempts=job.attempts)
        if error.retryable and job.attempts < MOST_TRIES:
            at = house.clock.now() + AGAIN
            await house.store.write(queue.again, job, at=at, error=error.text, now=house.clock.now())
        else:
            await house.store.write(_not_placed, job, leg_id, _rules(house), now=house.clock.now())
        return
    await house.store.write(_placed, job, leg_id, sid)


async def hang_up(house: House, job: Job) -> None:
    """Let a phone be that rings, or is listened to, for nothing."""
    found = await house.store.read(connecting.leg, int(str(job.payload["leg_id"])))
    if found is not None and found[0].sid is not None:
        line = await line_of(house, found[1].account_id)
        if line is not None and not await _done(house, job, line[1].calls.end(line[0].keys, found[0].sid)):
            return
    await house.store.write(queue.finish, job)


async def move(house: House, job: Job) -> None:
    """Fetch a caller out of the line, or back from a person. Should it fail, whoever waits leaves with the next music."""
    wait = await house.store.read(connecting.to_be_moved, int(str(job.payload["wait_id"])))
    line = None if wait is None else await line_of(house, wait.account_id)
    if wait is not None and line is not None:
        account, adapter = line
        url = f"{house.settings.server.public_url}{DOORS}/hold/next?wait={wait.uid}"
        if not await _done(house, job, adapter.calls.move(account.keys, wait.sid, url)):
            return
    await house.store.write(queue.finish, job)


async def due(house: House, job: Job) -> None:
    """See to what nobody has told us the end of."""
    await house.store.write(_due, job, _rules(house), now=house.clock.now())


async def _done(house: House, job: Job, asked: Awaitable[None]) -> bool:
    """Whether the provider did it, or need not any more; otherwise it is tried again."""
    try:
        await asked
    except SendError as error:
        if error.code in _OVER or not error.retryable or job.attempts >= MOST_TRIES:
            log.info("call not changed", code=error.code, why=error.text)
            return True
        at = house.clock.now() + AGAIN
        await house.store.write(queue.again, job, at=at, error=error.text, now=house.clock.now())
        return False
    return True


async def line_of(house: House, account_id: int) -> tuple[Account, VoiceAdapter] | None:
    """The number that calls are made from; None when it is no longer connected."""
    account = await house.accounts.by_id(account_id)
    adapter = None if account is None else house.adapter(account)
    return (account, adapter) if account is not None and isinstance(adapter, VoiceAdapter) else None


def _rules(house: House) -> Rules:
    return house.settings.voice.people or Rules()


def _placed(db: Db, job: Job, leg_id: int, sid: str) -> None:
    connecting.placed(db, leg_id, sid)
    queue.finish(db, job)


def _not_placed(db: Db, job: Job, leg_id: int, rules: Rules, *, now: datetime) -> None:
    connecting.not_placed(db, leg_id, rules=rules, now=now)
    queue.finish(db, job)


def _due(db: Db, job: Job, rules: Rules, *, now: datetime) -> None:
    wait_id, leg_id = job.payload.get("wait_id"), job.payload.get("leg_id")
    connecting.due(
        db,
        wait_id=int(str(wait_id)) if wait_id is not None else None,
        leg_id=int(str(leg_id)) if leg_id is not None else None,
        rules=rules,
        now=now,
    )
    queue.finish(db, job)
