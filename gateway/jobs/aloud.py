"""What a job has to say to somebody who is on the telephone just now."""

from collections.abc import Callable
from datetime import datetime

from gateway.context import House
from gateway.jobs import cues
from gateway.voice.exchange import Exchange
from gateway.voice.turns import Line
from storage import queue
from storage.base import Db
from storage.queue import Job


async def said(house: House, conversation_id: int, say: Callable[..., bool], job: Job) -> bool:
    """Have it said in the call that goes on in that conversation, and the job finished with that; False when `say` (of
    `gateway.voice.turns`) finds no call for it.

    Raises: StoreUnavailable, LeaseLost
    """
    where = await house.store.read(cues.place, conversation_id)
    account = await house.accounts.by_id(where.account_id) if where is not None else None
    if where is None or account is None or account.channel != "voice" or not account.is_active:
        return False
    line = Exchange(house).line(account, "gather")
    async with house.order.turn(where.tenant_id, (account.id, where.peer)):
        return await house.store.write(_said, line, conversation_id, say, job, now=house.clock.now())


def _said(db: Db, line: Line, conversation_id: int, say: Callable[..., bool], job: Job, *, now: datetime) -> bool:
    is_said = say(db, line, conversation_id, now=now)
    if is_said:
        queue.finish(db, job)
    return is_said
