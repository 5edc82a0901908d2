"""Recordings: those of which we were not told, those that are to be written down, and those that the provider is to forget."""

from datetime import datetime, timedelta
from functools import partial
from typing import Final

import structlog

from channels.errors import SendError
from channels.voice.adapter import VoiceAdapter
from channels.voice.client import Listed
from channels.voice.codec import Recorded, ring_of
from channels.voice.speech.base import SpeechError
from desk import calls, pausing, recordings
from desk.recordings import Unwritten
from gateway.accounts import Account
from gateway.context import House
from gateway.jobs.worker import NotNow
from gateway.voice import recording, voicemail
from storage import queue
from storage.base import Db
from storage.blobs import Missing, Unavailable, name_of
from storage.queue import Job

log = structlog.get_logger()

_OVERLAP: Final = timedelta(hours=1)  # Twilio lists a recording some time after it has begun
_BACK: Final = timedelta(days=3)  # that the first look goes, and how long a message may wait for us
_AT_ONCE: Final = 200
_MOST_BYTES: Final = 16 * 1024 * 1024  # of a message: eight times the longest
TRANSCRIBE_AGAIN: Final = tuple(timedelta(seconds=s) for s in (5, 60, 600, 3600, 21_600))
_MOST_SWITCHES: Final = 5
_SWITCH_AGAIN: Final = timedelta(seconds=1)  # they are talking


async def look(house: House, job: Job) -> None:
    """Keep the messages that were left while nobody of ours was there to be told, and look again later."""
    now = house.clock.now()
    said = job.payload.get("since")
    since = datetime.fromisoformat(said) if isinstance(said, str) else now - _BACK
    is_done = True
    for account in (await house.accounts.every("twilio", "voice")).values():
        try:
            await _look(house, account, since)
        except SendError as error:
            is_done = False
            log.warning("recordings not looked for", account=account.id, code=error.code, why=error.text)
    every = timedelta(minutes=house.settings.voice.look_min)
    await house.store.write(_look_again, job, since=now - _OVERLAP if is_done else since, every=every, now=now)


async def _look(house: House, account: Account, since: datetime) -> None:
    """Raises: SendError"""
    adapter = house.adapter(account)
    assert isinstance(adapter, VoiceAdapter)  # noqa: S101  of "voice"
    for one in await adapter.calls.recordings(account.keys, since=since):
        if one.status == "completed" or (one.source != "RecordVerb" and one.status in recording.ABSENT):
            await _take(house, adapter, account, one)


async def _take(house: House, adapter: VoiceAdapter, account: Account, one: Listed) -> None:
    """Raises: SendError"""
    if await house.store.read(recordings.is_known, one.sid):
        return
    found = await house.store.read(calls.account_of, one.call)
    if one.source != "RecordVerb":  # of a call that was recorded; which calls those are, we have said ourselves
        if (account_id := found[0] if found else None) is None:
            return
        mine = await house.accounts.by_id(account_id)
        run = None if mine is None else partial(recording.take, account=mine, sid=one.call, news=_news(one))
        if run is not None:
            await house.store.write(run, now=house.clock.now())
        return
    if found is None:
        told = await adapter.calls.fetch(account.keys, one.call)
        mine = None if told is None else await house.accounts.by_address("twilio", "voice", told.called)
        ring = None if told is None else ring_of(one.call, called=told.called, caller=told.caller)
    else:
        mine = await house.accounts.by_id(found[0])
        ring = ring_of(one.call, called="", caller=found[1] or "")
    if mine is None or ring is None:
        return  # another application's
    async with house.order.turn(mine.tenant_id, (mine.id, ring.peer)):
        outcome = await house.store.write(voicemail.take, mine, ring, _news(one), now=house.clock.now())
    log.info("voicemail found", account=mine.id, call=one.call, recording=one.sid, outcome=outcome)


def _news(one: Listed) -> Recorded:
    return Recorded(one.sid, one.call, one.status, one.url, one.duration_s)


async def transcribe(house: House, job: Job) -> None:
    """Have a message that somebody left written down by the speech service. Who has no key for that leaves it to the provider
    of the call.

    Raises: NotNow
    """
    found = await house.store.read(recordings.unwritten, int(str(job.payload["recording_id"])))
    account = None if found is None else await house.accounts.by_id(found.account_id)
    if found is None or account is None or found.size > _MOST_BYTES or not house.settings.voice.transcribe:
        await house.store.write(queue.finish, job)
        return
    try:
        sound = b"".join([piece async for piece in house.keeper.blobs.read(name_of(found.tenant_id, found.sha256))])
        words = await house.speech.transcript(account, found.call_sid, sound, seconds=found.duration_s or 0)
    except Missing:
        words = None
    except (SpeechError, Unavailable) as trouble:
        if job.attempts <= len(TRANSCRIBE_AGAIN):
            raise NotNow(str(trouble)) from trouble
        log.warning("message not written down", recording=found.sid, why=str(trouble))
        words = None
    outcome = await house.store.write(_written, job, account, found, words, now=house.clock.now())
    log.info("message written down", account=account.id, recording=found.sid, outcome=outcome)


def _written(db: Db, job: Job, account: Account, found: Unwritten, words: str | None, *, now: datetime) -> str:
    queue.finish(db, job)
    return voicemail.written(db, account, found.call_id, found.sid, words, now=now) if words else "nothing"


async def delete(house: House, job: Job) -> None:
    """Have recordings deleted at the provider.

    Raises: NotNow
    """
    account = await house.accounts.by_id(int(str(job.payload["account_id"])))
    sids = job.payload["sids"]
    adapter = None if account is None else house.adapter(account)
    if account is None or not isinstance(adapter, VoiceAdapter) or not isinstance(sids, list):
        await house.store.write(queue.finish, job)
        return
    try:
        for sid in sids:
            await adapter.calls.delete_recording(account.keys, str(sid))
    except SendError as error:
        raise NotNow(error.text) from error
    await house.store.write(queue.finish, job)


async def switch(house: House, job: Job) -> None:
    """Have the provider pause or resume the recording of a call, as it is wanted by now."""
    call_id = int(str(job.payload["call_id"]))
    is_paused = await house.store.read(pausing.wanted, call_id)
    call = await house.store.read(calls.by_id, call_id)
    account = None if call is None else await house.accounts.by_id(call.account_id)
    adapter = None if account is None else house.adapter(account)
    if is_paused is None or call is None or account is None or not isinstance(adapter, VoiceAdapter):
        await house.store.write(queue.finish, job)
        return
    has_worked = True
    try:
        await adapter.calls.switch_recording(account.keys, call.sid, is_paused=is_paused)
    except SendError as error:
        log.warning("recording not switched", call=call.sid, code=error.code, why=error.text, attempts=job.attempts)
        if error.retryable and job.attempts < _MOST_SWITCHES:
            now = house.clock.now()
            await house.store.write(queue.again, job, at=now + _SWITCH_AGAIN, error=error.text, now=now)
            return
        has_worked = False
    await house.store.write(_switched, job, call_id, is_paused=is_paused, has_worked=has_worked)


def _switched(db: Db, job: Job, call_id: int, *, is_paused: bool, has_worked: bool) -> None:
    pausing.done(db, call_id, is_paused=is_paused, has_worked=has_worked)
    queue.finish(db, job)


async def sweep(house: House) -> None:
    """Give up what is older than recordings are kept."""
    now, days = house.clock.now(), house.settings.voice.recording_days
    await house.store.write(recordings.expire, before=now - timedelta(days=days), limit=_AT_ONCE, now=now)


async def see_to_looks(house: House) -> None:
    """Have it looked at once what was recorded while we were away."""
    if house.settings.voice.look_min:
        await house.store.write(recordings.look, now=house.clock.now())


def _look_again(db: Db, job: Job, *, since: datetime, every: timedelta, now: datetime) -> None:
    queue.finish(db, job)
    if every:
        recordings.look(db, now=now, run_at=now + every, since=since)
