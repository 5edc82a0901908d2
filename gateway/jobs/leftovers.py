"""What providers keep of erased messages: they are told to forget it."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import structlog

from channels.base import ForgetsMessages
from channels.errors import SendError
from desk import leftovers
from gateway.accounts import Account
from gateway.context import House
from gateway.jobs.worker import NotNow
from storage import queue
from storage.queue import Job

log = structlog.get_logger()

# Twilio can take up to 14 days until it is done with a message (twilio.com/docs/api/errors/20009).
WAITS: Final = tuple(timedelta(minutes=m) for m in (5, 60, 360, 1440, 2880, 5760, 10_080))


async def forget(house: House, job: Job) -> None:
    """Have a provider forget some messages. Where it keeps none, or cannot be told, nothing is left to do.

    Raises: NotNow
    """
    account = await house.accounts.by_id(int(str(job.payload["account_id"])))
    found = job.payload["ids"]
    forgets = None if account is None else _adapter(house, account)
    if account is None or forgets is None or not isinstance(found, list):
        await house.store.write(queue.finish, job)
        return
    names = await house.store.read(leftovers.names, [int(str(one)) for one in found])
    left = await _forget(forgets, account, names)
    if left:
        raise NotNow(f"{left} of {len(names)} messages are still on their way")
    await house.store.write(queue.finish, job)
    log.info("messages forgotten", account=account.id, count=len(names))


async def _forget(adapter: ForgetsMessages, account: Account, names: Sequence[str]) -> int:
    """How many the provider could not forget yet.

    Raises: NotNow
    """
    left = 0
    for name in names:
        try:
            left += not await adapter.forget(name, keys=account.keys)
        except SendError as error:
            raise NotNow(error.text) from error
    return left


def _adapter(house: House, account: Account) -> ForgetsMessages | None:
    """Texts that go with calls are sent as SMS."""
    ways: list[object] = [house.adapter(account), house.adapters.get((account.provider, "sms"))]
    return next((one for one in ways if isinstance(one, ForgetsMessages)), None)
