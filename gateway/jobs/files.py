"""Customers' files: fetched from the vendor once the message is kept, and contents that nobody needs any more."""

from datetime import timedelta
from typing import Final

import structlog

from channels.errors import SendError
from channels.files import KeepsFiles, Located
from channels.messages import Media, OutboundMessage, parts_from_json
from desk import files
from desk.files import Due, Reason
from gateway.accounts import Account
from gateway.context import House
from gateway.outside.http import Blocked, TooLarge, Unreachable
from storage import queue
from storage.blobs import name_of, thumbnail_of
from storage.queue import Job

log = structlog.get_logger()

# Waits between tries. Vendors keep files for weeks, so an outage of theirs or of our disk costs nothing but time.
RETRY_AFTER: Final = tuple(timedelta(seconds=s) for s in (5, 30, 300, 1800, 7200, 21_600, 86_400))
_UNUSED: Final = timedelta(days=1)  # that a file waits to be used in a message
_SWEPT: Final = 200  # files in one sweep; the rest follow in the next
_LOST: Final = frozenset({400, 403, 404, 410, 451})


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
    try:
        outcome = await _fetch(house, job, due)
    except _NotToBeHad as no:
        await house.store.write(files.unavailable, job, due, no.reason)
        outcome = no.reason
    except (SendError, Unreachable, OSError) as trouble:
        if job.attempts <= len(RETRY_AFTER):
            at = now() + RETRY_AFTER[job.attempts - 1]
            await house.store.write(queue.again, job, at=at, error=_said(trouble), now=now())
            outcome = "later"
        else:
            await house.store.write(files.unavailable, job, due, "unreachable")
            outcome = "unreachable"
        log.warning("file not fetched", file=due.id, why=_said(trouble), attempts=job.attempts)
    log.info("file", file=due.id, outcome=outcome)


async def forget(house: House, job: Job) -> None:
    """Remove contents from the store that no file needs any more."""
    found = job.payload["digests"]
    digests = [str(one) for one in found] if isinstance(found, list) else []
    tenant_id = job.tenant_id or 0
    unneeded = await house.store.read(files.unneeded, tenant_id, digests)
    names = [make(tenant_id, one) for one in sorted(unneeded) for make in (name_of, thumbnail_of)]
    await house.keeper.blobs.drop(names)
    await house.store.write(queue.finish, job)
    log.info("contents forgotten", count=len(unneeded))


async def sweep(house: House) -> None:
    """Give up what was sent here and never used, and what is older than files are kept."""
    now, days = house.clock.now(), house.settings.media.keep_days
    before = now - timedelta(days=days) if days else None
    await house.store.write(files.expire, unused_before=now - _UNUSED, before=before, limit=_SWEPT, now=now)


async def _fetch(house: House, job: Job, due: Due) -> str:
    """Raises: _NotToBeHad; SendError, Unreachable and OSError, when another try may do"""
    settings = house.settings.media
    account = await house.accounts.by_id(due.account_id)
    if account is None:
        raise _NotToBeHad("gone")  # its keys are forgotten with it
    located = await _located(house, account, _media(due))
    if (located.size or 0) > settings.max_bytes:
        raise _NotToBeHad("too_large")
    async with house.keeper.draft() as draft:
        try:
            status = await house.vendors.fetch(
                located.url,
                draft.add,
                hosts=located.hosts,
                headers=located.headers,
                timeout_s=settings.timeout_s,
                most_bytes=settings.max_bytes,
            )
        except TooLarge:
            raise _NotToBeHad("too_large") from None
        except Blocked:
            log.warning("a file leads to where we do not go", file=due.id, account=account.id)
            raise _NotToBeHad("gone") from None
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
    most = settings.tenant_max_bytes
    return await house.store.write(files.arrived, job, due, contents, most_bytes=most, now=house.clock.now())


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
