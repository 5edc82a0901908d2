"""After a call: what the provider knows of it (its price, and that it is over, should the news of that have been lost), and
the text message to whoever was missed.
"""

from datetime import timedelta
from typing import Final

import structlog

from channels.errors import SendError
from channels.twilio.codec import charge_of
from channels.voice.adapter import VoiceAdapter
from channels.voice.codec import ENDED, News, Ring
from desk import calls
from gateway.context import House
from gateway.voice import missed
from gateway.voice.exchange import Exchange
from storage import queue
from storage.queue import Job

log = structlog.get_logger()

# Twilio puts the price on a call some time after its end.
_AGAIN: Final = tuple(timedelta(hours=h) for h in (1, 6, 24))


async def settle(house: House, job: Job) -> None:
    """Ask about one call; and again later while it has no price or goes on."""
    found = await house.store.read(calls.by_id, int(str(job.payload["call_id"])))
    account = None if found is None else await house.accounts.by_id(found.account_id)
    adapter = None if account is None else house.adapter(account)
    is_asked = house.settings.voice.look_min and found is not None and found.sid
    if found is None or account is None or not isinstance(adapter, VoiceAdapter) or not is_asked:
        await house.store.write(queue.finish, job)
        return
    try:
        told = await adapter.calls.fetch(account.keys, found.sid)
    except SendError as error:
        log.warning("call not asked about", call=found.sid, code=error.code, why=error.text)
        await _again(house, job, error.text)
        return
    if told is None:  # no call of the vendor's, such as one in a terminal
        await house.store.write(queue.finish, job)
        return
    is_between = found.is_unspoken and found.kind == "reminder"  # it may be tried once more
    if not found.is_over and not is_between and told.status in ENDED:
        ring = Ring(found.sid, "", found.phone or "")
        await Exchange(house).news(account, ring, News(told.status, None, told.duration_s))
    charge = charge_of(found.sid, told.price, told.currency)
    if charge is None:
        await _again(house, job, "it has no price yet")
        return
    await house.store.write(calls.charge, found.id, charge)
    await house.store.write(queue.finish, job)


async def missed_text(house: House, job: Job) -> None:
    """Write to a caller who was asked for a message and has left none."""
    every, usual = timedelta(hours=house.settings.voice.missed_text_h), house.usual
    await house.store.write(missed.text_due, job, every=every, usual=usual, now=house.clock.now())


async def _again(house: House, job: Job, why: str) -> None:
    now = house.clock.now()
    if job.attempts > len(_AGAIN):
        await house.store.write(queue.finish, job)
    else:
        await house.store.write(queue.again, job, at=now + _AGAIN[job.attempts - 1], error=why, now=now)
