"""Messages of which the provider does not say by itself what became of them: it is asked, a few times, and no more.

News comes by callback within seconds, so this is for the ones that were lost on the way. Where a vendor cannot be asked,
or says nothing to the end, people see that beside the message. What stood in a webhook's answer has no id to ask by.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog
from sqlalchemy import select, update

from channels.base import TellsStatus
from channels.errors import SendError
from channels.messages import StatusUpdate
from desk import events, messages
from desk.channel_log import Line
from gateway.accounts import Account
from gateway.context import House
from gateway.pipeline import outbox as out
from gateway.pipeline import status, wire
from storage import queue
from storage.base import Db
from storage.models.conversations import messages as message_table
from storage.models.conversations import outbox
from storage.queue import Job

log = structlog.get_logger()

KIND: Final = "ask_status"
_AT_ONCE: Final = 20  # in one sweep: a whole campaign may be without news when nobody can reach our webhook


@dataclass(frozen=True, slots=True)
class _Waits:
    account_id: int
    provider_id: str


async def sweep(house: House) -> None:
    """Have those asked about that are due."""
    now = house.clock.now()
    if await house.store.read(_is_any_due, now=now):
        await house.store.write(_enqueue_due, now=now)


async def ask(house: House, job: Job) -> None:
    """Ask the provider about one message."""
    waits = await house.store.read(_waits, _message(job))
    account = await house.accounts.by_id(waits.account_id) if waits else None
    if waits is None or account is None:
        await house.store.write(queue.finish, job)
        return
    adapter = house.adapter(account)
    news, heard = None, wire.Listening()
    lines: list[Line] = []
    if isinstance(adapter, TellsStatus):
        try:
            with heard:
                news = await adapter.status(waits.provider_id, keys=account.keys)
            lines = heard.lines()
        except SendError as error:  # it is asked again at the next time
            log.warning("status not told", code=error.code, why=error.text)
            lines = heard.lines(error.text, error.code)

    def note(db: Db, *, now: datetime) -> str:
        return _note(db, job, house, account, news, lines, now=now)

    outcome = await house.store.write(note, now=house.clock.now())
    log.info("status asked", provider_id=waits.provider_id, outcome=outcome)


def _is_any_due(db: Db, *, now: datetime) -> bool:
    return db.execute(select(outbox.c.message_id).where(outbox.c.ask_at <= now).limit(1)).first() is not None


def _enqueue_due(db: Db, *, now: datetime) -> None:
    rows = db.execute(
        select(
            outbox.c.message_id,
            outbox.c.account_id,
            outbox.c.begun_at,
            message_table.c.status,
            message_table.c.tenant_id,
        )
        .join(message_table, message_table.c.id == outbox.c.message_id)
        .where(outbox.c.ask_at <= now)
        .order_by(outbox.c.ask_at)
        .limit(_AT_ONCE)
        .with_for_update(skip_locked=True, of=outbox)
    ).all()
    for row in rows:
        if messages.is_final(row.status):
            later = None
        else:
            later = out.ask_next(row.begun_at, now=now)
            facts = {"message_id": row.message_id, "is_last": later is None}
            queue.enqueue(
                db,
                KIND,
                facts,
                now=now,
                tenant_id=row.tenant_id,
                lane=f"{KIND}:{row.account_id}",  # one account's are asked one after the other
                dedupe=f"{KIND}:{row.message_id}",
                topic=events.TOPIC,
            )
        db.execute(update(outbox).where(outbox.c.message_id == row.message_id).values(ask_at=later))


def _waits(db: Db, message_id: int) -> _Waits | None:
    row = db.execute(
        select(message_table.c.account_id, message_table.c.provider_id, message_table.c.status).where(
            message_table.c.id == message_id
        )
    ).one_or_none()
    if row is None or row.provider_id is None or messages.is_final(row.status):
        return None
    return _Waits(row.account_id, row.provider_id)


def _note(
    db: Db,
    job: Job,
    house: House,
    account: Account,
    news: StatusUpdate | None,
    lines: Sequence[Line],
    *,
    now: datetime,
) -> str:
    wire.said(db, account, _message(job), lines, now=now)
    outcome = status.apply(db, house.adapter(account), account, news, now=now) if news else "not told"
    if job.payload.get("is_last") and messages.never_told(db, _message(job)):
        outcome = "given up"
    queue.finish(db, job)
    return outcome


def _message(job: Job) -> int:
    return int(str(job.payload["message_id"]))
