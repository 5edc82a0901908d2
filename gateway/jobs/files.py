"""Customers' files: fetched from the vendor once the message is kept, and contents that nobody needs any more.

Where the file is what they wrote (`channels.written`), fetching it is the slow work that their message waits for: its turn
is taken with the file's arrival, in one transaction. Should the vendor not give it away at once, the customer is answered
without it, and people see the words when they come.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import structlog

from channels import vcard, written
from channels.errors import SendError
from channels.files import KeepsFiles, Located
from channels.messages import Media, OutboundMessage, parts_from_json, parts_to_json
from desk import files, recordings
from desk.files import Contents, Due, Reason
from gateway.accounts import Account
from gateway.context import House
from gateway.jobs import cues
from gateway.media.keep import Draft
from gateway.outside.http import Blocked, TooLarge, Unreachable
from gateway.pipeline import turn, wire
from gateway.pipeline.wire import Listening
from storage import queue
from storage.base import Db
from storage.blobs import Missing, Unavailable, digest_of, is_aside, is_half, name_of
from storage.queue import Job, LeaseLost
from storage.store import StoreUnavailable

log = structlog.get_logger()

SWEEP: Final = "sweep_contents"

# Waits between tries. Vendors keep files for weeks, so an outage of theirs or of our disk costs nothing but time.
RETRY_AFTER: Final = tuple(timedelta(seconds=s) for s in (5, 30, 300, 1800, 7200, 21_600, 86_400))
_PATIENCE: Final = 2  # tries after which a message is answered without its words
_UNUSED: Final = timedelta(days=1)  # that a file waits to be used in a message
_UNNAMED: Final = timedelta(days=1)  # that contents lie there before a row has to name them; and between two looks
_PAGES: Final = 20  # in one job, so that it ends before its lease does
_CLEARED: Final = 50
_SWEPT: Final = 200  # files in one sweep; the rest follow in the next
_LOST: Final = frozenset({400, 403, 404, 410, 451})
# Twilio tells of a file before all of its storage has it, and answers 404 for some seconds
# (help.twilio.com, "Intermittent 404 Errors When Accessing Media URLs"); so it is gone only when it is not there later either.
_NOT_YET: Final = frozenset({403, 404})
_NOT_YET_TRIES: Final = 3


class _NotToBeHad(Exception):  # noqa: N818  an outcome
    """Another try would end the same."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason


async def fetch(house: House, job: Job) -> None:
    """Fetch one file, or note why it is not to be had."""
    due = await house.store.write(files.due, job)
    if due is None:
        return
    now = house.clock.now
    media = _media(due)
    is_answered = bool(job.payload.get("is_answered"))
    waits = _Waits(due, is_answered) if media is not None and media.written else None
    heard = Listening()
    try:
        with heard:
            outcome = await _fetch(house, job, due, media, waits, heard)
    except _NotToBeHad as no:
        gone = partial(_gone, job=job, due=due, reason=no.reason)
        outcome = await _note(house, waits, await _logged(house, due, heard, gone, no.reason, no.reason))
    except (SendError, Unreachable, OSError) as trouble:
        code = trouble.code if isinstance(trouble, SendError) else ""
        if job.attempts > len(RETRY_AFTER):
            gone = partial(_gone, job=job, due=due, reason="unreachable")
            outcome = await _note(house, waits, await _logged(house, due, heard, gone, _said(trouble), code))
        else:
            answers = waits is not None and not is_answered and job.attempts >= _PATIENCE
            payload = {**job.payload, "is_answered": True} if answers else job.payload
            at = now() + RETRY_AFTER[job.attempts - 1]
            later = partial(_later, job=job, at=at, error=_said(trouble), now=now(), payload=payload)
            noted = await _logged(house, due, heard, later, _said(trouble), code)
            outcome = await _note(house, waits if answers else None, noted)
        log.warning("file not fetched", file=due.id, why=_said(trouble), attempts=job.attempts)
    log.info("file", file=due.id, outcome=outcome)


async def forget(house: House, job: Job) -> None:
    """Remove contents from the store that no file needs any more."""
    found = job.payload["digests"]
    digests = [str(one) for one in found] if isinstance(found, list) else []
    tenant_id = job.tenant_id or 0
    count = await house.keeper.clear(tenant_id, digests, _unneeded(house, tenant_id))
    await house.store.write(queue.finish, job)
    log.info("contents forgotten", count=count)


async def sweep_contents(house: House, job: Job) -> None:
    """Remove contents that no row has named for a day: those of processes that died before they could write it.

    Once a day, and in pieces: `after` is the name with which the last one ended.
    """
    before, count = house.clock.now() - _UNNAMED, 0
    after, pages, is_more = str(job.payload.get("after", "")), 0, False
    async for page in house.keeper.blobs.older(before, after=after):
        pages += 1
        cleared, is_more = await _sweep_page(house, page)
        count += cleared
        if is_more:
            break
        after = page[-1]
        if is_more := pages == _PAGES or count >= _CLEARED:
            break
    if not is_more:
        await house.keeper.drop_drafts(before)
        after = ""
    await house.store.write(_swept, job, after, now=house.clock.now())
    log.info("contents swept", count=count)


async def _sweep_page(house: House, page: Sequence[str]) -> tuple[int, bool]:
    """How many contents of these names were removed, and whether more are to be than a job has time for."""
    found: dict[int, set[str]] = {}
    odd: dict[int, set[str]] = {}  # put aside by somebody who died
    for name in page:
        if (named := digest_of(name)) is not None:
            (odd if is_aside(name) else found).setdefault(named[0], set()).add(named[1])
    left, is_more = _CLEARED, False
    for tenant_id in {**found, **odd}:
        unneeded = _unneeded(house, tenant_id)
        digests = sorted(odd.get(tenant_id, set()) | await unneeded(found.get(tenant_id, set())))
        is_more |= len(digests) > left
        left -= await house.keeper.clear(tenant_id, digests[:left], unneeded)
    await house.keeper.blobs.drop([name for name in page if is_half(name)])
    return _CLEARED - left, is_more


def _unneeded(house: House, tenant_id: int) -> Callable[[Collection[str]], Awaitable[set[str]]]:
    async def ask(digests: Collection[str]) -> set[str]:
        return await house.store.read(files.unneeded, tenant_id, digests)

    return ask


def see_to_sweeps(db: Db, *, now: datetime) -> None:
    """Have contents swept from tomorrow on, unless that is seen to already."""
    if not queue.is_due(db, SWEEP):
        _sweep_tomorrow(db, now=now)


def _sweep_tomorrow(db: Db, *, now: datetime) -> None:
    queue.enqueue(db, SWEEP, {}, now=now, run_at=now + _UNNAMED, lane="forget", dedupe=SWEEP, topic=files.TOPIC)


def _swept(db: Db, job: Job, after: str, *, now: datetime) -> None:
    queue.finish(db, job)
    if after:
        queue.enqueue(db, SWEEP, {"after": after}, now=now, lane="forget", dedupe=SWEEP, topic=files.TOPIC)
    else:
        _sweep_tomorrow(db, now=now)


async def sweep(house: House) -> None:
    """Give up what was sent here and never used, and what is older than files are kept."""
    now, days = house.clock.now(), house.settings.media.keep_days
    before = now - timedelta(days=days) if days else None
    await house.store.write(files.expire, unused_before=now - _UNUSED, before=before, limit=_SWEPT, now=now)


def _gone(db: Db, *, job: Job, due: Due, reason: Reason) -> str:
    files.unavailable(db, job, due, reason)
    return reason


def _came(db: Db, *, account: Account, job: Job, due: Due, contents: Contents, most_bytes: int, now: datetime) -> str:
    outcome = files.arrived(db, job, due, contents, most_bytes=most_bytes, now=now)
    if outcome == "ready" and account.channel == "voice":
        recordings.sound_came(db, due.message_id, now=now)
    return outcome


def _later(db: Db, **how: Any) -> str:
    queue.again(db, **how)
    return "later"


async def _logged(
    house: House, due: Due, heard: Listening, note: Callable[[Db], str], trouble: str = "", code: str = ""
) -> Callable[[Db], str]:
    """`note`, and what was asked for the file in the channel log beside it."""
    account, now = await house.accounts.by_id(due.account_id), house.clock.now()
    if account is None:
        return note
    lines = heard.lines(trouble, code)

    def both(db: Db) -> str:
        wire.said(db, account, due.message_id, lines, now=now)
        return note(db)

    return both


async def _fetch(
    house: House, job: Job, due: Due, media: Media | None, waits: "_Waits | None", heard: Listening
) -> str:
    """Raises: _NotToBeHad; SendError, Unreachable and OSError, when another try may do"""
    settings = house.settings.media
    account = await house.accounts.by_id(due.account_id)
    if account is None:
        raise _NotToBeHad("gone")  # its keys are forgotten with it
    most_bytes = settings.max_bytes
    if account.channel == "voice":  # made by the vendor, and as long as the call
        most_bytes = max(most_bytes, house.settings.voice.recording_max_bytes)
    located = await _located(house, account, media)
    if (located.size or 0) > most_bytes:
        raise _NotToBeHad("too_large")
    async with house.keeper.draft() as draft:
        try:
            status = await house.vendors.fetch(
                located.url,
                draft.add,
                hosts=located.hosts,
                headers=located.headers,
                timeout_s=settings.timeout_s,
                most_bytes=most_bytes,
            )
        except TooLarge:
            raise _NotToBeHad("too_large") from None
        except Blocked:
            log.warning("a file leads to where we do not go", file=due.id, account=account.id)
            raise _NotToBeHad("gone") from None
        if status in _NOT_YET and job.attempts <= _NOT_YET_TRIES:
            raise Unreachable("It is not there yet.")
        if status in _LOST:
            raise _NotToBeHad("gone")
        if status != 200:
            raise Unreachable(f"It answered {status}.")
        if not draft.size:
            raise _NotToBeHad("empty")
        if located.sha256 and located.sha256 != draft.sha256:
            raise Unreachable("It did not arrive whole.")
        if await house.keeper.type_of(draft) in settings.refused_types:
            raise _NotToBeHad("refused")
        contents = await house.keeper.keep(draft, due.tenant_id)
        words = await _words(draft, contents) if waits else ""
        most, now = settings.tenant_max_bytes, house.clock.now()
        came = partial(_came, account=account, job=job, due=due, contents=contents, most_bytes=most, now=now)
        outcome = await _note(house, waits, await _logged(house, due, heard, came), words)
        if outcome == "ready":
            await house.keeper.make_sure(draft, due.tenant_id)
    if outcome == "ready" and contents.size <= vcard.MOST_BYTES and vcard.is_card(media.content_type if media else ""):
        await _read_card(house, due, contents.sha256)
    return outcome


@dataclass(frozen=True, slots=True)
class _Waits:
    """The message of a file that holds its words, and whether it was answered without them."""

    due: Due
    is_answered: bool


async def _words(draft: Draft, contents: Contents) -> str:
    if contents.size > written.MOST_BYTES or contents.content_type:
        return ""  # as long as a book, or something else than it says
    return written.read(await asyncio.to_thread(draft.path.read_bytes))


async def _note(house: House, waits: _Waits | None, note: Callable[[Db], str], words: str = "") -> str:
    """What `note` says has become of the file. A message that waits for it has its turn in the same transaction.

    Raises: StoreUnavailable, LeaseLost
    """
    if waits is None or (waits.is_answered and not words):
        return await house.store.write(note)
    due, now = waits.due, house.clock.now()
    account = await house.accounts.by_id(due.account_id)
    where = await house.store.read(cues.place, due.conversation_id)
    if account is None or where is None:
        return await house.store.write(note)
    channel = turn.Channel(account, house.adapter(account).capabilities, inline=False)
    take = partial(turn.take_words, is_answered=waits.is_answered, now=now)
    take_broken = partial(turn.take_words_broken, now=now)
    async with house.order.turn(due.tenant_id, (account.id, where.peer)):
        try:
            outcome, taken = await house.store.write(_with_turn, house, channel, due, words, take, note)
        except (StoreUnavailable, LeaseLost):
            raise
        except Exception:
            log.exception("turn failed", account=account.id, message=due.message_id)
            if waits.is_answered:
                return await house.store.write(note)
            outcome, taken = await house.store.write(_with_turn, house, channel, due, words, take_broken, note)
    if taken is not None:
        log.info("turn done", conversation=taken.conversation_id, message=taken.message_id, **taken.facts)
    return outcome


def _with_turn(
    db: Db,
    house: House,
    channel: turn.Channel,
    due: Due,
    words: str,
    take: Callable[..., turn.Taken | None],
    note: Callable[[Db], str],
) -> tuple[str, turn.Taken | None]:
    """The turn first: it waits for the conversation before anything else, as whoever erases it does."""
    taken = take(db, house.bots, channel, due.message_id, words)
    return note(db), taken


async def _read_card(house: House, due: Due, sha256: str) -> None:
    """Twilio hands visiting cards over as files: who is on them stands in the message as it does elsewhere."""
    try:
        pieces = [piece async for piece in house.keeper.blobs.read(name_of(due.tenant_id, sha256))]
    except (Missing, Unavailable):
        return  # the file is kept, and can be opened
    cards = await asyncio.to_thread(vcard.read, b"".join(pieces))
    if cards:
        await house.store.write(files.tells, due, parts_to_json(cards))


async def _located(house: House, account: Account, media: Media | None) -> Located:
    adapter = house.adapter(account)
    if media is None or not isinstance(adapter, KeepsFiles):
        raise _NotToBeHad("gone")
    try:
        return await adapter.locate(media, keys=account.keys)
    except SendError as error:
        if error.kind == "content":
            raise _NotToBeHad("gone") from None
        raise  # also what somebody has to set right first, such as a key: they may do so in time


def _media(due: Due) -> Media | None:
    """What the message says of the file; None when that was erased."""
    content = due.content
    if isinstance(content, dict):
        said: tuple[object, ...] = OutboundMessage.from_json(content).media
    else:
        said = parts_from_json(content) if isinstance(content, list) else ()
    found = said[due.place] if due.place < len(said) else None
    return found if isinstance(found, Media) else None


def _said(trouble: Exception) -> str:
    """In words of ours: an error of the disk names a path."""
    return str(trouble) if isinstance(trouble, SendError | Unreachable) else type(trouble).__name__
