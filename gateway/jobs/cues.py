"""Turns that no customer began: a reminder, an offer, silence. Each takes its place in the conversation's queue."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast

import structlog
from sqlalchemy import select

from bots.bot import Cue
from channels.messages import Address, AddressKind
from desk.conversations import by_id
from desk.who import Actor
from flows.definition import Json
from gateway.context import House
from gateway.pipeline import turn
from storage import queue
from storage.base import Db
from storage.models.conversations import conversations
from storage.queue import Job

log = structlog.get_logger()


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


async def play(house: House, conversation_id: int, cue: Cue, *, job: Job | None = None) -> None:
    """Play `cue` in the conversation, and finish `job` in the same transaction; a paused channel keeps silent.

    Raises: StoreUnavailable, LeaseLost
    """
    where = await house.store.read(place, conversation_id)
    account = await house.accounts.by_id(where.account_id) if where else None
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


async def play_job(house: House, job: Job, kind: str, find: Finder) -> None:
    """Play the cue `kind` with the job's payload in the conversation that `find` names; None: there is none."""
    conversation_id = await house.store.read(find, job)
    if conversation_id is None:
        await house.store.write(queue.finish, job)
        return
    await play(house, conversation_id, Cue(kind, cast(Mapping[str, Json], job.payload)), job=job)
