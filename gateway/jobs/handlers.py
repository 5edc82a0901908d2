"""What jobs do, by kind. A job is a function here and a line in `HANDLERS` (docs/add-a-job.md)."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from types import MappingProxyType
from typing import Any

import structlog
from sqlalchemy import Row, Select, select

from bots import asking as bots_ask
from channels.base import Sent
from channels.errors import SendError
from desk import businesses, connecting, events, pausing
from desk import calls as desk_calls
from desk import files as desk_files
from desk import leftovers as desk_leftovers
from desk import outbound as desk_outbound
from desk import prompts as desk_prompts
from desk import recordings as desk_recordings
from desk.calendar import bookings, campaigns, reminders
from desk.calendar import waitlist as waiting
from desk.calendar.appointments import LIVE
from desk.calendar.claims import Freed
from desk.channel_log import Line
from desk.inbox import handling, survey
from desk.sending import Policy
from desk.who import Actor
from gateway.accounts import Account
from gateway.context import House
from gateway.jobs import (
    asking,
    broadcasts,
    calls,
    charges,
    files,
    inbox,
    leftovers,
    legs,
    mail,
    news,
    outbound,
    prompts,
    recordings,
    transfers,
    webhooks,
)
from gateway.jobs.cues import play_job
from gateway.jobs.worker import Handler
from gateway.pipeline import courtesy, outbox, ways, wire
from gateway.voice import missed
from storage import queue
from storage.base import Db
from storage.models.accounts import accounts
from storage.models.calendar import appointments, claims, waitlist
from storage.models.conversations import conversations
from storage.queue import Job

log = structlog.get_logger()

_BEFORE_THE_NEXT = timedelta(minutes=1)


async def send(house: House, job: Job) -> None:
    """Send one message of the outbox, after those before it in the same conversation."""
    conversation = job.payload.get("conversation_id")
    if conversation is None:  # put there by an older version
        await _send(house, job)
        return
    async with house.order.alone(("send", conversation)):
        await _send(house, job)


async def _send(house: House, job: Job) -> None:
    letter = await house.store.write(outbox.begin, job, house.adapters, now=house.clock.now(), usual=house.usual)
    if letter is None:
        return
    account = await house.accounts.by_id(letter.account_id)
    if account is None:
        gone = SendError("", "This number is no longer connected.", kind="config")
        await house.store.write(outbox.failed, job, gone, now=house.clock.now())
        return
    adapter = house.adapter(account)
    sender, keys = account.writing_from(letter.our_number)
    if letter.can_wait:
        await house.pressure.calm()
    heard, marked = wire.Listening(), wire.Listening()
    try:
        with heard:
            sending = asyncio.ensure_future(
                adapter.send(
                    house.links.filled(letter.message, house.clock.now()),
                    to=letter.to,
                    sender=sender,
                    keys=keys,
                    status_url=house.status_url(account.provider),
                    tried_at=letter.tried_at,
                )
            )
        with marked:  # apart: what goes wrong with the message is not put down to this
            reading = asyncio.ensure_future(courtesy.mark_read(house, adapter, account.keys, letter.message_id))
        result, _ = await asyncio.gather(sending, reading)
    except SendError as error:
        log.warning("send failed", code=error.code, why=error.text, retryable=error.retryable, attempts=job.attempts)
        lines = [*heard.lines(error.text, error.code), *marked.lines()]
        await house.store.write(_failed, job, error, account, lines, now=house.clock.now())
        return
    lines = [*heard.lines(), *marked.lines()] or [wire.KEPT]
    await house.store.write(_sent, job, result, account, lines, now=house.clock.now())
    log.info("sent", provider_id=result.provider_id)


async def reminder(house: House, job: Job) -> None:
    """Remind of a visit; the bot looks again whether it still stands. Who cannot be called is written to."""
    if job.payload.get("by") == "call" and await outbound.remind(house, job):
        return
    find = partial(_of_appointment, adapters=house.adapters, now=house.clock.now())
    await play_job(house, job, "reminder", find, _until_visit)


async def waitlist_freed(house: House, job: Job) -> None:
    """Offer time that somebody gave back to the first who waits for it."""
    await house.store.write(_offer_freed, job, usual=house.usual, now=house.clock.now())


async def waitlist_offer(house: House, job: Job) -> None:
    """Tell somebody who waits that a time has become free."""
    find = partial(_of_waitlist, adapters=house.adapters, now=house.clock.now())
    await play_job(house, job, "waitlist_offer", find, _until_taken_back)


HANDLERS: Mapping[str, Handler] = MappingProxyType(
    {
        outbox.KIND: send,
        reminders.KIND: reminder,
        bookings.FREED: waitlist_freed,
        waiting.OFFER: waitlist_offer,
        bots_ask.KIND: asking.ask,
        news.KIND: news.ask,
        charges.LOOK: charges.look,
        charges.ASK: charges.ask,
        survey.KIND: inbox.csat,
        handling.RESUME: inbox.resume,
        broadcasts.KIND: broadcasts.write,
        campaigns.KIND: broadcasts.about_visit,
        transfers.IMPORT: transfers.take_in,
        transfers.EXPORT: transfers.give_out,
        transfers.FORGET: transfers.forget,
        mail.KIND: mail.send,
        mail.RESET: mail.password_reset,
        mail.INVITATIONS: mail.invite_many,
        events.KIND: webhooks.deliver,
        connecting.PLACE: legs.place,
        connecting.HANG_UP: legs.hang_up,
        connecting.DUE: legs.due,
        connecting.MOVE: legs.move,
        desk_outbound.PLACE: outbound.place,
        desk_outbound.DUE: outbound.due,
        desk_files.FETCH: files.fetch,
        desk_files.FORGET: files.forget,
        files.SWEEP: files.sweep_contents,
        desk_calls.SETTLE: calls.settle,
        missed.KIND: calls.missed_text,
        desk_prompts.KIND: prompts.make,
        desk_recordings.LOOK: recordings.look,
        pausing.SWITCH: recordings.switch,
        desk_recordings.DELETE: recordings.delete,
        desk_recordings.TRANSCRIBE: recordings.transcribe,
        desk_leftovers.KIND: leftovers.forget,
    }
)

# Work that waits on somebody else's server, done apart: it can be slow without making anybody else wait.
APART = frozenset(
    {desk_calls.SETTLE, desk_prompts.KIND, events.KIND, bots_ask.KIND, news.KIND, charges.LOOK, charges.ASK}
)
# How long it is until each further try of what somebody else's server did not do, by kind; of others the worker decides.
WAITS: Mapping[str, Sequence[timedelta]] = MappingProxyType(
    {
        desk_recordings.DELETE: tuple(timedelta(seconds=s) for s in (5, 60, 600, 3600, 21_600, 86_400)),
        desk_recordings.TRANSCRIBE: recordings.TRANSCRIBE_AGAIN,
        desk_leftovers.KIND: leftovers.WAITS,
    }
)
FILES = frozenset(
    {
        *(desk_files.FETCH, desk_files.FORGET, files.SWEEP),
        *(desk_recordings.LOOK, desk_recordings.DELETE, desk_recordings.TRANSCRIBE, desk_leftovers.KIND),
    }
)


def _sent(db: Db, job: Job, result: Sent, account: Account, lines: Sequence[Line], *, now: datetime) -> None:
    wire.said(db, account, outbox.message_of(job), lines, now=now)
    outbox.sent(db, job, result, now=now)


def _failed(db: Db, job: Job, error: SendError, account: Account, lines: Sequence[Line], *, now: datetime) -> None:
    wire.said(db, account, outbox.message_of(job), lines, now=now)
    outbox.failed(db, job, error, now=now)


def _offer_freed(db: Db, job: Job, *, usual: Policy, now: datetime) -> None:
    freed = Freed.of(job.payload)
    business = businesses.load(db, freed.business_id)
    waiting.offer_freed(db, Actor(business.tenant_id, "system"), business, freed, usual=usual, now=now)
    queue.finish(db, job)


def _of_appointment(db: Db, job: Job, *, adapters: ways.Adapters, now: datetime) -> int | None:
    """The conversation in which the visit was booked, or a better way if that was a web chat or is disconnected; without
    one the customer's latest where a bot can ask; None: we cannot write to them. One with a sender's name comes last:
    nobody asks over it.
    """
    a = appointments.c
    wanted: Select[Any] = select(a.tenant_id, a.customer_id, a.business_id, a.conversation_id)
    row = db.execute(wanted.where(a.id == int(str(job.payload["appointment_id"])))).one_or_none()
    if row is None:
        return None
    if row.conversation_id is not None:
        return _where_to(db, row, adapters, now=now)
    latest: int | None = db.execute(
        select(conversations.c.id)
        .join(accounts, accounts.c.id == conversations.c.account_id)
        .where(conversations.c.customer_id == row.customer_id)
        .order_by(
            accounts.c.bot_id.is_(None), conversations.c.last_in_at.desc().nulls_last(), conversations.c.id.desc()
        )
        .limit(1)
    ).scalar_one_or_none()
    return latest


def _until_visit(db: Db, job: Job) -> datetime | None:
    """When the visit begins; None when it is not to be any more, or was moved."""
    wanted = appointments.c.id == int(str(job.payload["appointment_id"])), appointments.c.status.in_(LIVE)
    row = db.execute(select(appointments.c.starts_at, appointments.c.sequence).where(*wanted)).one_or_none()
    return row.starts_at if row is not None and row.sequence == job.payload["sequence"] else None


def _until_taken_back(db: Db, job: Job) -> datetime | None:
    """Shortly before the time is offered to the next; None when it was."""
    held = claims.c.waitlist_id == int(str(job.payload["waitlist_id"]))
    expires_at: datetime | None = db.execute(select(claims.c.expires_at).where(held).limit(1)).scalar_one_or_none()
    return expires_at - _BEFORE_THE_NEXT if expires_at is not None else None


def _of_waitlist(db: Db, job: Job, *, adapters: ways.Adapters, now: datetime) -> int | None:
    w = waitlist.c
    wanted: Select[Any] = select(w.tenant_id, w.customer_id, w.business_id, w.conversation_id)
    row = db.execute(wanted.where(w.id == int(str(job.payload["waitlist_id"])))).one_or_none()
    return None if row is None else _where_to(db, row, adapters, now=now)


def _where_to(db: Db, row: Row[Any], adapters: ways.Adapters, *, now: datetime) -> int | None:
    whose = {"customer_id": row.customer_id, "business_id": row.business_id, "asked_in": row.conversation_id}
    return ways.where_to(db, Actor(row.tenant_id, "system"), adapters, **whose, now=now)
