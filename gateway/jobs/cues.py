"""Turns that no customer began: a reminder, an offer, silence. Each takes its place in the conversation's queue."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, cast

import structlog
from sqlalchemy import select

from bots.bot import Cue
from channels.messages import Address, AddressKind
from desk import accounts
from desk.conversations import by_id
from desk.who import Actor
from flows.definition import Json
from gateway.accounts import Account
from gateway.context import House
from gateway.pipeline import outbox, turn
from storage import queue
from storage.base import Db
from storage.models.conversations import conversations
from storage.queue import Job

log = structlog.get_logger()

_A_MOMENT: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a cue is played: the conversation, its account and who is at the other end."""

    tenant_id: int
    account_id: int
    peer: Address


def place(db: Db, conversation_id: int) -> Place | None:
    """The place of a conversation, or None when it is gone."""
    row = db.execute(
        select(_c.tenant_id, _c.account_id, _c.peer_kind, _c.peer).where(_c.id == conversation_id)
    ).one_or_none()
    if row is None:
        return None
    kind: AddressKind = row.peer_kind
    return Place(row.tenant_id, row.account_id, Address(kind, row.peer))


async def play(
    house: House, conversation_id: int, cue: Cue, *, job: Job | None = None, until: datetime | None = None
) -> None:
    """Play `cue` in the conversation, and finish `job` in the same transaction. A paused channel keeps silent: the job waits
    for it `until` then, when people see what was not said; without that it is dropped.

    Raises: StoreUnavailable, LeaseLost
    """
    where = await house.store.read(place, conversation_id)
    account = await house.accounts.by_id(where.account_id) if where else None
    if where is not None and account is not None and job is not None and until is not None:
        planned = job.payload.get("planned_at")
        if not account.is_active or (planned is not None and house.clock.now() >= until):
            await _wait(house, where, account, conversation_id, cue, job, until)
            return
    if where is None or account is None or not account.is_active:
        log.warning("nowhere to play a cue", conversation=conversation_id, cue=cue.kind)
        if job is not None:
            await house.store.write(queue.finish, job)
        return
    channel = turn.Channel(account, house.adapter(account).capabilities, inline=False)
    who = Actor(where.tenant_id, "system")
    async with house.order.turn(where.tenant_id, (account.id, where.peer)):
        taken = await house.store.write(_play, house, channel, who, conversation_id, cue, job, now=house.clock.now())
    log.info("cue played", conversation=conversation_id, cue=cue.kind, **taken.facts)


async def _wait(
    house: House, where: Place, account: Account, conversation_id: int, cue: Cue, job: Job, until: datetime
) -> None:
    channel = turn.Channel(account, house.adapter(account).capabilities, inline=False)
    async with house.order.turn(where.tenant_id, (account.id, where.peer)):
        became = await house.store.write(
            _wait_or_refuse, house, channel, conversation_id, cue, job, until, now=house.clock.now()
        )
    log.info("cue not played", conversation=conversation_id, cue=cue.kind, became=became)


def _wait_or_refuse(
    db: Db,
    house: House,
    channel: turn.Channel,
    conversation_id: int,
    cue: Cue,
    job: Job,
    until: datetime,
    *,
    now: datetime,
) -> str:
    """Keep the job for when the channel serves again; once it is too late, show what would have been said as refused."""
    planned_at = str(job.payload.get("planned_at") or job.run_at.isoformat())
    if now < until:
        if accounts.is_paused(db, channel.account.id):
            lane = accounts.waiting_lane(channel.account.id)
            queue.wait(db, job, lane=lane, until=until, payload={**job.payload, "planned_at": planned_at})
            return "waiting"
        queue.again(db, job, at=now + _A_MOMENT, error="the channel has just been switched on", now=now, is_try=False)
        return "again"
    context = by_id(db, Actor(channel.account.tenant_id, "system"), conversation_id)
    moment = datetime.fromisoformat(planned_at)
    turn.refuse(db, house.bots, channel, context, cue, outbox.PAUSED, planned_at=moment, now=now)
    queue.finish(db, job)
    return "refused"


def _play(
    db: Db,
    house: House,
    channel: turn.Channel,
    who: Actor,
    conversation_id: int,
    cue: Cue,
    job: Job | None,
    *,
    now: datetime,
) -> turn.Taken:
    context = by_id(db, who, conversation_id)
    taken = turn.cue(db, house.bots, channel, context, cue, now=now)
    if job is not None:
        queue.finish(db, job)
    return taken


_c = conversations.c

Finder = Callable[[Db, Job], int | None]
Limit = Callable[[Db, Job], datetime | None]


async def play_job(house: House, job: Job, kind: str, find: Finder, until: Limit | None = None) -> None:
    """Play the cue `kind` with the job's payload in the conversation that `find` names; None: there is none. `until` says
    how long it makes sense, so that it waits that long for a paused channel.
    """
    conversation_id = await house.store.write(find, job)  # which may begin one
    if conversation_id is None:
        await house.store.write(queue.finish, job)
        return
    cue = Cue(kind, cast(Mapping[str, Json], job.payload))
    latest = await house.store.read(until, job) if until is not None else None
    await play(house, conversation_id, cue, job=job, until=latest)
