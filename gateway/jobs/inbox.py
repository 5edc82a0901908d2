"""What falls due in the inbox: promises of time, snoozed conversations, what waits for somebody, silent people, surveys.

Each is found by a reading query and looked at again under the conversation's lock, so that two processes do it once.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import structlog

from bots.bot import Cue
from desk import conversations
from desk.conversations import Due
from desk.errors import DeskError
from desk.inbox import assignment, resuming, sla, survey
from desk.who import Actor
from gateway.context import House
from gateway.jobs import aloud, cues
from gateway.voice import turns
from storage import queue
from storage.base import Db
from storage.queue import Job

log = structlog.get_logger()

_AT_ONCE = 100
_ASKED_WITHIN = timedelta(days=3)  # the question how it was, where its channel is paused


async def sweep(house: House) -> None:
    """Everything that is due now.

    Raises: StoreUnavailable
    """
    now = house.clock.now()
    await _each(house, await house.store.read(conversations.snoozed_due, now, _AT_ONCE), _wake)
    await _each(house, await house.store.read(sla.due, now, _AT_ONCE), sla.tell)
    await _each(house, await house.store.read(assignment.waiting, now, _AT_ONCE), _assign)
    await _each(house, await house.store.read(resuming.due, now, _AT_ONCE), resuming.resume)


async def resume(house: House, job: Job) -> None:
    """The bot has the word again: it asks what it had asked, aloud in a call that goes on."""
    conversation_id = int(str(job.payload["conversation_id"]))
    if not await aloud.said(house, conversation_id, turns.handed_back, job):
        await cues.play(house, conversation_id, Cue("resume", {}), job=job)


async def csat(house: House, job: Job) -> None:
    """Ask how it went, some time after a conversation was closed, if we (still) may. While the channel is paused that waits;
    after some days it would be out of place, and people see that it was not asked.
    """
    conversation_id = int(str(job.payload["conversation_id"]))
    where = await house.store.read(cues.place, conversation_id)
    account = await house.accounts.by_id(where.account_id) if where else None
    window_h = house.adapter(account).capabilities.session_window_h if account is not None else None
    if account is None or not await house.store.read(
        survey.may_ask, conversation_id, window_h=window_h, now=house.clock.now()
    ):
        await house.store.write(queue.finish, job)
        return
    planned_at = job.payload.get("planned_at")
    until = (datetime.fromisoformat(str(planned_at)) if planned_at else job.run_at) + _ASKED_WITHIN
    await cues.play(house, conversation_id, Cue(survey.KIND, {}), job=job, until=until)


async def _each(house: House, due: list[Due], act: Callable[..., Any]) -> None:
    for one in due:
        try:
            await house.store.write(act, one, now=house.clock.now())
        except DeskError as changed:  # somebody did something with it in this moment
            log.info("nothing left to do", conversation=one.id, act=act.__name__, why=changed.code)


def _wake(db: Db, one: Due, *, now: datetime) -> None:
    who = Actor(one.tenant_id, "system")
    if conversations.by_id(db, who, one.id).status == "snoozed":
        conversations.reopen(db, who, one.id, now=now)


def _assign(db: Db, one: Due, *, now: datetime) -> None:
    assignment.assign(db, one.tenant_id, one.id, now=now)
