"""What a bot always says is made into sound, a part at a time, so that calls have room beside it."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import select

from desk import prompts
from gateway.context import House
from gateway.voice.prompts import Wanted, made_of, of_bot
from gateway.voice.services import Whose
from storage import queue
from storage.base import Db
from storage.models.bots import bots
from storage.queue import Job

log = structlog.get_logger()

_AT_ONCE: Final = 2  # of what plans allow at the same time; the rest is for calls
_PART: Final = 40  # sentences
_ONE_S: Final = 25.0  # that a sentence may take
_PART_S: Final = 25.0  # after which nothing more is begun, well within a job's lease
_AGAIN: Final = (timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1), timedelta(hours=6))


async def see_to_it(house: House) -> None:
    """Have everything made anew that the settings have changed since it was.

    Raises: StoreUnavailable
    """
    settings = made_of(house.speech)
    count = await house.store.write(prompts.see_to_it, settings, now=house.clock.now()) if settings else 0
    if count:
        log.info("prompts are made anew", bots=count)


async def make(house: House, job: Job) -> None:
    """The next part of one bot's; once more later, what did not come about."""
    found = await house.store.read(_wanted, int(str(job.payload["bot_id"])))
    speaker = None if found is None else await house.speech.prompter(found[0])
    if found is None or speaker is None:
        await house.store.write(queue.finish, job)
        return
    wanted, begin = found[1], int(str(job.payload.get("begin", 0)))
    failed, trials = int(str(job.payload.get("failed", 0))), int(str(job.payload.get("trials", 0)))
    at, clock = begin, asyncio.get_running_loop().time
    ends_s = clock() + _PART_S
    while at < min(len(wanted), begin + _PART) and clock() < ends_s:
        those = wanted[at : at + _AT_ONCE]
        made = await asyncio.gather(*(speaker.kept(one.text, one.language, within_s=_ONE_S) for one in those))
        failed, at = failed + made.count(None), at + len(those)
    if at < len(wanted):
        more = {"begin": at, "failed": failed, "trials": trials}
        await house.store.write(_go_on, job, more, at=None, now=house.clock.now())
        return
    log.info("prompts made", bot=job.payload["bot_id"], sentences=len(wanted), failed=failed)
    again = _AGAIN[trials] if failed and trials < len(_AGAIN) else None
    now = house.clock.now()
    if again is None:
        stays = timedelta(days=house.settings.voice.sounds_days)
        await house.store.write(_done, job, again=now + stays / 2, now=now)
    else:
        await house.store.write(_go_on, job, {"trials": trials + 1}, at=now + again, now=now)


def _wanted(db: Db, bot_id: int) -> tuple[Whose, Sequence[Wanted]] | None:
    row = db.execute(select(bots.c.tenant_id, bots.c.business_id).where(bots.c.id == bot_id)).one_or_none()
    if row is None:
        return None
    whose = Whose(row.tenant_id, row.business_id, bot_id)
    return whose, of_bot(db, whose)


def _done(db: Db, job: Job, *, again: datetime, now: datetime) -> None:
    queue.finish(db, job)
    prompts.keep(db, job, at=again, now=now)


def _go_on(db: Db, job: Job, more: dict[str, int], *, at: datetime | None, now: datetime) -> None:
    """The rest is a job of its own, unless all is to be made anew anyway if something was published meanwhile."""
    queue.finish(db, job)
    prompts.go_on(db, job, more, at=at, now=now)
