"""Writes the messages of a broadcast, a few at a time; the outbox sends them, behind everything that answers somebody.

A piece is committed with how far it has come: a process that dies writes nobody twice. Only so many are written ahead of
what the channel carries away, so that a long campaign is quickly paused and no queue is long for anybody.
"""

from datetime import timedelta
from typing import Final

import structlog

from desk import broadcasts, conversations, messages
from desk.broadcasts import KIND, Plan, Reached
from desk.errors import DeskError
from gateway.context import House
from gateway.pipeline import outbox
from storage import queue
from storage.base import Db
from storage.queue import Job, LeaseLost

__all__ = ["KIND", "piece", "write"]

log = structlog.get_logger()

_PIECE: Final = 50  # messages in one transaction: others wait for it, so it is short
_AHEAD: Final = 500  # messages that wait for their turn on a channel, at most about so many
_LOOK_AGAIN: Final = timedelta(milliseconds=500)
_CAMPAIGN: Final = 1  # the priority behind replies


async def write(house: House, job: Job) -> None:
    """Write every message of a broadcast."""
    broadcast_id = int(str(job.payload["broadcast_id"]))
    written, is_whole = 0, True
    try:
        plan = await house.store.write(broadcasts.plan, broadcast_id, now=house.clock.now())
        while plan is not None:
            if await house.store.read(outbox.is_full, plan.account_id, most=_AHEAD, now=house.clock.now()):
                await house.store.write(_go_on_later, house, job)
                return
            done = await house.store.write(piece, house, job, plan)
            if not done:
                break
            written += done
    except DeskError as bad:  # a channel or an attribute that it needs is gone
        is_whole = False
        log.warning("broadcast stopped", broadcast=broadcast_id, why=bad.code)
    await house.store.write(_finish, house, job, broadcast_id, is_whole)
    log.info("broadcast written", broadcast=broadcast_id, messages=written)


def piece(db: Db, house: House, job: Job, plan: Plan) -> int:
    """How many customers were reached by the next piece; 0 at the end.

    Raises: LeaseLost
    """
    now = house.clock.now()
    if not queue.extend(db, job, until=now + timedelta(seconds=house.settings.jobs.lease_s)):
        raise LeaseLost(f"job {job.id} is no longer leased to {job.lease!r}")
    found = broadcasts.next_ones(db, plan, limit=_PIECE, now=now)
    for one in found:
        _say(db, house, plan, one)
    return len(found)


def _say(db: Db, house: House, plan: Plan, one: Reached) -> None:
    """Write one message, unless something speaks against it."""
    now = house.clock.now()
    customer_id = one.customer.id
    if one.skipped_for is not None:
        broadcasts.note(db, plan, customer_id, message_id=None, skipped_for=one.skipped_for, now=now)
        return
    context = conversations.begin(db, plan.account_id, peer_kind=one.kind, peer=one.address, now=now)
    if context.owner != "bot":  # a person has the word, or is wanted: nobody talks into that
        broadcasts.note(db, plan, customer_id, message_id=None, skipped_for="person_talking", now=now)
        return
    wanted = plan.due(one)
    due = wanted if wanted is not None and wanted > now else None
    message_id = messages.add_out(
        db,
        tenant_id=plan.tenant_id,
        conversation_id=context.id,
        account_id=plan.account_id,
        author="system",
        text=plan.text.of(one.customer),
        status="held" if due else "queued",
        error_code="local_time" if due else None,
        error_text="It goes out at one time by everybody's own clock." if due else None,
        scheduled_for=due,
        dedupe=f"broadcast:{plan.id}:{customer_id}",
        use="marketing",
        now=now,
    )
    if message_id is None:
        return
    broadcasts.note(db, plan, customer_id, message_id=message_id, skipped_for=None, now=now)
    outbox.post(db, plan.tenant_id, plan.account_id, message_id, now=now, run_at=due, priority=_CAMPAIGN)
    conversations.save_turn(
        db,
        context.id,
        flow=context.flow,
        silence_due_at=context.silence_due_at,
        flow_expires_at=context.flow_expires_at,
        last_out_at=now,
    )


def _go_on_later(db: Db, house: House, job: Job) -> None:
    """The same job afresh, so that waiting is no failed try."""
    now = house.clock.now()
    queue.finish(db, job)
    queue.enqueue(
        db,
        KIND,
        job.payload,
        now=now,
        run_at=now + _LOOK_AGAIN,
        tenant_id=job.tenant_id,
        lane=job.lane,
        priority=_CAMPAIGN,
        dedupe=f"{KIND}:{job.payload['broadcast_id']}",
    )


def _finish(db: Db, house: House, job: Job, broadcast_id: int, is_whole: bool) -> None:
    broadcasts.finished(db, broadcast_id, is_whole=is_whole, now=house.clock.now())
    queue.finish(db, job)
