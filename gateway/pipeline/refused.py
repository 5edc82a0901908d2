"""Requests that we turned away, in the channel log: whoever set a key wrong sees it there, and a forger fills no disk.

Anybody can send what looks like a provider's, so only so many a minute are written down, and of each channel only the
newest are kept (`channel_log.refuse`). What is for no number of ours leaves nothing.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import structlog

from channels import redact
from channels.base import Adapter, Request
from channels.errors import BadRequest
from channels.messages import JSON, InboundMessage, Notice
from desk import channel_log
from desk.channel_log import Line
from gateway.accounts import Account, Accounts
from storage.base import JsonValue
from storage.store import Store, StoreUnavailable

PER_MINUTE: Final = 10  # for one channel
_PER_MINUTE_IN_ALL: Final = 60  # for all of this process

log = structlog.get_logger()


@dataclass(slots=True)
class Refusals:
    """How many were written down in this minute, by account."""

    _minute: datetime | None = None
    _noted: Counter[int] = field(default_factory=Counter)

    def has_room(self, now: datetime) -> bool:
        minute = now.replace(second=0, microsecond=0)
        if minute != self._minute:
            self._minute, self._noted = minute, Counter()
        return self._noted.total() < _PER_MINUTE_IN_ALL

    def takes(self, account_id: int) -> bool:
        if self._noted[account_id] >= PER_MINUTE:
            return False
        self._noted[account_id] += 1
        return True


async def note(
    store: Store,
    accounts: Accounts,
    refusals: Refusals,
    adapter: Adapter,
    request: Request,
    *,
    status: int,
    code: str,
    wrong: str = "",
    claimed: str,
    now: datetime,
) -> None:
    """Write down that we answered `status`, for the number that the request claims to be about. `code` says why, `wrong`
    which field made no sense, `claimed` whose account of the vendor it says it is from. With the database away nothing is
    written, and nothing is raised.
    """
    if not refusals.has_room(now):
        return
    try:
        account, part = await _claimed(accounts, adapter, request, claimed)
    except StoreUnavailable:
        _not_written(adapter.provider, code)
        return
    if account is not None:
        answer: dict[str, JsonValue] = {"status": status, **({"field": wrong} if wrong else {})}
        line = Line("in", "refused", redact.received(request, part), answer, code)
        await keep(store, refusals, account, line, now=now)


async def keep(store: Store, refusals: Refusals, account: Account, line: Line, *, now: datetime) -> None:
    """The same, where it is known which account is meant."""
    if not channel_log.wants(account.log_keeps, "refused") or not (
        refusals.has_room(now) and refusals.takes(account.id)
    ):
        return
    try:
        await store.write(channel_log.refuse, tenant_id=account.tenant_id, account_id=account.id, line=line, now=now)
    except StoreUnavailable:
        _not_written(account.provider, line.code)


def _not_written(provider: str, code: str | None) -> None:
    log.warning("refusal not written down: the database is away", provider=provider, code=code)


async def _claimed(
    accounts: Accounts, adapter: Adapter, request: Request, claimed: str
) -> tuple[Account | None, Mapping[str, JSON] | None]:
    """Whom the request says it is for, and what of it is about them where it may be about others too. Nothing of that is
    proved.
    """
    try:
        events = adapter.parse(request)
    except BadRequest:
        events = ()
    known, of = accounts.known, (adapter.provider, adapter.channel)
    for event in events:
        ours = event.recipient if isinstance(event, InboundMessage) else event.sender
        if ours is not None and (account := await known(*of, ours.value)) is not None:
            return account, event.raw
    named = [value.removeprefix("whatsapp:") for name, value in request.form if name in ("To", "From")]
    for address in named:
        if (account := await known(*of, address)) is not None:
            return account, None
    if named or any(not isinstance(event, Notice) for event in events):
        return None, None
    at = await accounts.of_account(*of, claimed)
    # A page of the web chat names no account but the chat itself.
    return (at[0] if len(at) == 1 else await known(*of, claimed)), redact.of_account(request, claimed)
