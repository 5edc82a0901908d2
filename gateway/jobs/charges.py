"""What our messages have cost: the provider is asked for a whole hour's at once, an hour after they went out.

Twilio puts the price on a message some time after it has sent it (www.twilio.com/docs/messaging/api/message-resource,
`price`), and tells it in no callback. Every message is asked for twice, in two hours that overlap, since a price may come late.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import func, select

from channels.base import TellsCharges
from channels.errors import SendError
from channels.messages import Charge
from desk import events, messages
from gateway.accounts import Account
from gateway.context import House
from storage import queue
from storage.base import Db, JsonValue
from storage.models.accounts import accounts
from storage.models.conversations import messages as table
from storage.queue import Job

LOOK: Final = "look_for_charges"  # once an hour: who has sent something?
ASK: Final = "ask_charges"  # of one number
_EVERY: Final = timedelta(hours=1)
_AT_ONCE: Final = 500  # prices in one transaction

log = structlog.get_logger()


def see_to_it(db: Db, *, now: datetime) -> None:
    """Have it looked for every hour from now on, unless that is seen to already."""
    if not queue.is_due(db, LOOK):
        _look_later(db, after=_last(db), since=now, now=now)


async def look(house: House, job: Job) -> None:
    """Have the numbers asked about that have sent something in the last hour."""
    await house.store.write(_look, house, job, now=house.clock.now())


async def ask(house: House, job: Job) -> None:
    """Ask what one number's messages have cost."""
    account = await house.accounts.by_id(int(str(job.payload["account_id"])))
    if account is not None:
        adapter = house.adapter(account)
        kept = await _ask(house, job, account, adapter) if isinstance(adapter, TellsCharges) else 0
        log.info("prices asked", account=account.id, told=kept)
    await house.store.write(queue.finish, job)


async def _ask(house: House, job: Job, account: Account, adapter: TellsCharges) -> int:
    """How many prices were told.

    Raises: SendError, when another try may do
    """
    since, until = (datetime.fromisoformat(str(job.payload[name])) for name in ("since", "until"))
    kept = 0
    told: list[Charge] = []
    try:
        async for one in adapter.charges(account.sender, since, until, keys=account.keys):
            told.append(one)
            if len(told) == _AT_ONCE:
                await house.store.write(_keep, account, told)
                kept, told = kept + len(told), []
    except SendError as error:
        log.warning("prices not told", account=account.id, code=error.code, why=error.text)
        if error.retryable:
            raise  # the job is tried again, with longer and longer waits
    await house.store.write(_keep, account, told)
    return kept + len(told)


def _keep(db: Db, account: Account, told: Sequence[Charge]) -> None:
    for one in told:
        messages.charge(db, account.id, one)


def _look(db: Db, house: House, job: Job, *, now: datetime) -> None:
    after, last = int(str(job.payload["after"])), _last(db)
    since = datetime.fromisoformat(str(job.payload["since"]))
    sent = (
        select(table.c.account_id, table.c.tenant_id, accounts.c.provider, accounts.c.channel)
        .join(accounts, accounts.c.id == table.c.account_id)
        .where(table.c.id > after, table.c.id <= last, table.c.direction == "out", table.c.provider_id.is_not(None))
    )
    for row in db.execute(sent.distinct()).all():
        if not isinstance(house.adapters.get((row.provider, row.channel)), TellsCharges):
            continue
        queue.enqueue(
            db,
            ASK,
            {
                "account_id": row.account_id,
                "since": (since - _EVERY).isoformat(),
                "until": now.isoformat(),
            },
            now=now,
            run_at=now + _EVERY,
            tenant_id=row.tenant_id,
            lane=f"{ASK}:{row.account_id}",
            topic=events.TOPIC,
        )
    queue.finish(db, job)
    _look_later(db, after=last, since=now, now=now)


def _look_later(db: Db, *, after: int, since: datetime, now: datetime) -> None:
    payload: dict[str, JsonValue] = {"after": after, "since": since.isoformat()}
    queue.enqueue(db, LOOK, payload, now=now, run_at=now + _EVERY, lane=LOOK, dedupe=LOOK, topic=events.TOPIC)


def _last(db: Db) -> int:
    last: int = db.execute(select(func.coalesce(func.max(table.c.id), 0))).scalar_one()
    return last
