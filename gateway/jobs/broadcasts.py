"""Writes the messages of a broadcast, a few at a time; the outbox sends them, behind everything that answers somebody.

Each few are committed with how far it has come: a process that dies writes nobody twice. Only so many are written ahead of
what the channel carries away, so that a long campaign is quickly paused and no queue is long for anybody. It is over when the
last message has left, which may be in the morning.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Final

import structlog

from channels.messages import OutboundMessage, Template
from channels.split import count
from desk import accounts, broadcasts, conversations, messages
from desk.broadcasts import KIND, MISSING, Plan, Reached
from desk.errors import DeskError
from desk.verdicts import WINDOW_CLOSED, Window
from gateway.context import House
from gateway.pipeline import outbox
from storage import queue
from storage.base import Db, JsonValue, new_uid
from storage.queue import Job, LeaseLost

__all__ = ["KIND", "about_visit", "say_next", "write"]

log = structlog.get_logger()

_LOOK: Final = 20  # customers that are looked up at once
_TOGETHER: Final = 2  # for whom messages are written in one transaction; whoever waits for an answer waits for these
_AHEAD: Final = 100  # messages that wait for their turn on a channel, at most about so many
_LOOK_AGAIN: Final = timedelta(milliseconds=500)
_PLANNED: Final = 200  # visits for which messages are planned in one transaction
_SECOND_LOOK: Final = timedelta(minutes=1)  # longer than any transaction lasts
_CAMPAIGN: Final = 1  # the priority behind replies


async def write(house: House, job: Job) -> None:
    """Write every message of a broadcast."""
    broadcast_id = int(str(job.payload["broadcast_id"]))
    written = 0
    try:
        plan = await house.store.write(broadcasts.plan, broadcast_id, now=house.clock.now())
        if plan is None:
            await house.store.write(queue.finish, job)
            return
        if plan.relative is not None:
            while await house.store.write(_visits, house, job, plan):
                pass
            await house.store.write(_planned, house, job)
            return
        while not job.payload.get("is_written"):
            if await house.store.read(outbox.is_full, plan.account_id, most=_AHEAD, now=house.clock.now()):
                await house.store.write(_go_on_later, house, job)
                return
            more = await house.store.read(broadcasts.next_ones, plan, limit=_LOOK, now=house.clock.now())
            if (
                more is None
            ):  # whoever resumes it begins anew, perhaps in this very moment: it is not for us to call it sent
                await house.store.write(queue.finish, job)
                return
            after, found = more
            if not found:
                break
            for first in range(0, len(found), _TOGETHER):
                some = found[first : first + _TOGETHER]
                await house.pressure.eased()
                if not await house.store.write(say_next, house, job, plan, some, after=after):
                    break  # it was paused, or somebody else has gone on
                after = some[-1].customer.id
                written += len(some)
    except DeskError as bad:  # its channel was paused, or an attribute that it needs is gone
        await house.store.write(_halt, house, job, bad)
        return
    look_at = await house.store.read(broadcasts.looks_again, broadcast_id, now=house.clock.now())
    if look_at is not None:
        payload = {**job.payload, "is_written": True}
        await house.store.write(_go_on_later, house, job, payload, after=look_at - house.clock.now())
    else:
        await house.store.write(_finish, house, job, broadcast_id)
    if not job.payload.get("is_written"):
        log.info("broadcast written", broadcast=broadcast_id, messages=written)


async def about_visit(house: House, job: Job) -> None:
    """Write the message of a campaign about one visit."""
    try:
        await house.store.write(_about_visit, house, job)
    except DeskError as bad:
        await house.store.write(_halt, house, job, bad)


def _about_visit(db: Db, house: House, job: Job) -> None:
    broadcast_id, visit_id = int(str(job.payload["broadcast_id"])), int(str(job.payload["appointment_id"]))
    found = broadcasts.due(db, broadcast_id, visit_id, now=house.clock.now())
    if isinstance(found, broadcasts.Waits):
        lane = accounts.waiting_lane(found.account_id)
        queue.wait(db, job, lane=lane, until=found.until, payload=job.payload)
        return
    queue.finish(db, job)
    if found is not None:
        plan, one, sequence = found
        _say(db, house, plan, one, visit=(visit_id, sequence))


def _visits(db: Db, house: House, job: Job, plan: Plan) -> bool:
    """Whether there were visits to plan for in the next piece.

    Raises: LeaseLost
    """
    _keep_lease(db, house, job)
    return broadcasts.plan_visits(db, plan, limit=_PLANNED, now=house.clock.now())


def _planned(db: Db, house: House, job: Job) -> None:
    """Done, but for a second look: somebody may just have been booking a visit, unaware of the campaign."""
    if job.payload.get("is_second"):
        queue.finish(db, job)
    else:
        _go_on_later(db, house, job, {**job.payload, "is_second": True}, after=_SECOND_LOOK)


def say_next(db: Db, house: House, job: Job, plan: Plan, some: Sequence[Reached], *, after: int) -> bool:
    """Whether these customers, the next after that one, were ours to be written to, and are dealt with.

    Raises: LeaseLost
    """
    _keep_lease(db, house, job)
    is_ours = broadcasts.come_to(db, plan, some[-1], after=after)
    if is_ours:
        for one in some:
            _say(db, house, plan, one)
    return is_ours


def _keep_lease(db: Db, house: House, job: Job) -> None:
    if not queue.extend(db, job, until=house.clock.now() + timedelta(seconds=house.settings.jobs.lease_s)):
        raise LeaseLost(f"job {job.id} is no longer leased to {job.lease!r}")


def _say(db: Db, house: House, plan: Plan, one: Reached, *, visit: tuple[int, int] | None = None) -> None:
    """Write one message, unless something speaks against it."""
    now = house.clock.now()
    customer_id = one.customer.id
    note = partial(broadcasts.note, db, plan, customer_id, appointment_id=visit and visit[0], now=now)
    if one.skipped_for is not None:
        note(message_id=None, skipped_for=one.skipped_for)
        return
    wanted = plan.due(one)
    due = wanted if wanted is not None and wanted > now else None
    if plan.text.named is None and not _window(db, house, plan, one).is_open(due or now):
        note(message_id=None, skipped_for=WINDOW_CLOSED)
        return
    if missing := plan.text.missing_of(one.customer):
        note(message_id=None, skipped_for=MISSING, missing=missing)
        return
    context = conversations.begin(db, plan.account_id, peer_kind=one.kind, peer=one.address, now=now)
    if context.owner != "bot":  # a person has the word, or is wanted: nobody talks into that
        note(message_id=None, skipped_for="person_talking")
        return
    words = plan.text.of(one.customer)
    uid = new_uid()
    said = OutboundMessage(words, reference=uid)
    if plan.text.named is not None:
        name, language = plan.text.named
        said = replace(said, template=Template(name, language, plan.text.variables_of(one.customer)))
    message_id = messages.add_out(
        db,
        tenant_id=plan.tenant_id,
        conversation_id=context.id,
        account_id=plan.account_id,
        author="system",
        uid=uid,
        text=words,
        content=None if said.is_plain else said.to_json(),
        status="held" if due else "queued",
        error_code="local_time" if due else None,
        error_text="It goes out at one time by everybody's own clock." if due else None,
        scheduled_for=due,
        dedupe=f"broadcast:{plan.id}:{customer_id if visit is None else f'visit:{visit[0]}:{visit[1]}'}",
        use="marketing",
        about=visit,
        now=now,
    )
    if message_id is None:
        return
    prices = house.settings.sending.price_list
    estimate = broadcasts.estimate(plan, one, words, measure=count, prices=prices)
    note(message_id=message_id, skipped_for=None, estimate=estimate)
    outbox.post(db, plan.tenant_id, plan.account_id, message_id, now=now, run_at=due, priority=_CAMPAIGN)
    conversations.touch(db, context, last_out_at=now)


def _window(db: Db, house: House, plan: Plan, one: Reached) -> Window:
    """How long free text may go to them; looked up without beginning a conversation with somebody who gets none."""
    adapter = house.adapters.get((plan.provider, plan.channel))
    hours = adapter.capabilities.session_window_h if adapter is not None else None
    if hours is None:
        return Window()
    context = conversations.find(db, plan.account_id, one.kind, one.address)
    return Window(hours, None if context is None else context.last_in_at)


def _go_on_later(
    db: Db, house: House, job: Job, payload: Mapping[str, JsonValue] | None = None, *, after: timedelta = _LOOK_AGAIN
) -> None:
    """The same job afresh, so that waiting is no failed try."""
    now = house.clock.now()
    queue.finish(db, job)
    queue.enqueue(
        db,
        KIND,
        payload or job.payload,
        now=now,
        run_at=now + after,
        tenant_id=job.tenant_id,
        lane=job.lane,
        priority=_CAMPAIGN,
        dedupe=f"{KIND}:{job.payload['broadcast_id']}",
    )


def _finish(db: Db, house: House, job: Job, broadcast_id: int) -> None:
    broadcasts.finished(db, broadcast_id, now=house.clock.now())
    queue.finish(db, job)


def _halt(db: Db, house: House, job: Job, bad: DeskError) -> None:
    """Something that all of its messages need is missing: people see what, and resume it when it is there again."""
    broadcast_id, why = int(str(job.payload["broadcast_id"])), broadcasts.why_halted(bad)
    log.warning("broadcast paused", broadcast=broadcast_id, why=why.code)
    broadcasts.halt(db, broadcast_id, why, now=house.clock.now())
    queue.finish(db, job)
