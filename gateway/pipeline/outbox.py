"""Messages that go out by a request of ours: the intent is written down before the request, the outcome after it.

A crash in between leaves the row `sending`; the next try asks the provider whether the message went out before it
sends again. A message is put here in the transaction that decided on it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, insert, select, update

from channels.base import Sent
from channels.errors import SendError
from channels.messages import Address, AddressKind, OutboundMessage
from desk import consent, messages
from gateway.accounts import Account
from gateway.pipeline import status
from storage import queue
from storage.base import Db
from storage.models.accounts import accounts
from storage.models.conversations import conversations as conversation_table
from storage.models.conversations import messages as message_table
from storage.models.conversations import outbox

KIND = "send"

# Waits between tries: quick at first, for a hiccup, then long enough for an outage. After the last one it is dead.
RETRY_AFTER = tuple(timedelta(seconds=s) for s in (2, 10, 60, 300, 1800, 7200, 21600))
ONCE_MORE = 2  # tries for trouble that may be passing or may not
PAUSED = consent.Refusal("channel_paused", "This channel is paused: only people write here.")


def lane(account_id: int) -> str:
    """The lane of everything that goes out over one account; the provider's rate holds for it as a whole."""
    return f"account:{account_id}"


def put(db: Db, account: Account, message_id: int, *, now: datetime, priority: int = 0) -> None:
    """Have the stored message `message_id` sent over `account`."""
    post(db, account.tenant_id, account.id, message_id, now=now, priority=priority)


def post(
    db: Db,
    tenant_id: int,
    account_id: int,
    message_id: int,
    *,
    now: datetime,
    run_at: datetime | None = None,
    priority: int = 0,
) -> None:
    """The same by the account's number, at `run_at` if it is to be later. What was tried before is tried afresh."""
    db.execute(delete(outbox).where(outbox.c.message_id == message_id))
    db.execute(insert(outbox).values(message_id=message_id, account_id=account_id, state="ready", created_at=now))
    queue.enqueue(
        db,
        KIND,
        {"message_id": message_id},
        now=now,
        run_at=run_at,
        tenant_id=tenant_id,
        lane=lane(account_id),
        priority=priority,
        dedupe=_name(message_id),
    )


def withdraw(db: Db, message_id: int) -> bool:
    """True when the message was still waiting and will not be sent; False when it is on its way."""
    if not queue.cancel(db, _name(message_id)):
        return False
    db.execute(delete(outbox).where(outbox.c.message_id == message_id))
    return True


def among(db: Db, message_ids: Collection[int]) -> set[int]:
    """Those of the messages that go out by a request of ours."""
    wanted = select(outbox.c.message_id).where(outbox.c.message_id.in_(message_ids))
    return set(db.execute(wanted).scalars()) if message_ids else set()


def _name(message_id: int) -> str:
    return f"send:{message_id}"


@dataclass(frozen=True, slots=True)
class Letter:
    """A message about to be sent. `tried_at` is when an earlier try with an unknown outcome began."""

    message: OutboundMessage
    account_id: int
    to: Address
    tried_at: datetime | None


def begin(db: Db, job: queue.Job, *, now: datetime) -> Letter | None:
    """Write down that we are about to send; None when there is nothing to send any more (the job is done then)."""
    message_id = int(str(job.payload["message_id"]))
    row = db.execute(
        select(
            message_table.c.uid,
            message_table.c.text,
            message_table.c.content,
            message_table.c.account_id,
            message_table.c.tenant_id,
            message_table.c.status,
            message_table.c.author,
            accounts.c.is_active,
            conversation_table.c.peer_kind,
            conversation_table.c.peer,
            outbox.c.state,
            outbox.c.attempted_at,
        )
        .join(outbox, outbox.c.message_id == message_table.c.id)
        .join(conversation_table, conversation_table.c.id == message_table.c.conversation_id)
        .join(accounts, accounts.c.id == message_table.c.account_id)
        .where(message_table.c.id == message_id)
    ).one_or_none()
    if row is None or row.state not in ("ready", "sending"):
        queue.finish(db, job)
        return None
    allowed = consent.may_send(
        db, account_id=row.account_id, kind=row.peer_kind, value=row.peer, use="service", now=now
    )
    if not row.is_active and row.author != "staff" and row.state == "ready":
        allowed = PAUSED
    if isinstance(allowed, consent.Refusal):
        _refuse(db, message_id, allowed.code, allowed.reason)
        queue.finish(db, job)
        return None
    if row.status == "scheduled":
        post(db, row.tenant_id, row.account_id, messages.set_off(db, message_id, now=now), now=now)
        queue.finish(db, job)
        return None
    db.execute(
        update(outbox)
        .where(outbox.c.message_id == message_id)
        # The first of several unclear tries counts: the look-up has to reach back to it, or it sends a second time.
        .values(state="sending", attempts=outbox.c.attempts + 1, attempted_at=func.coalesce(outbox.c.attempted_at, now))
    )
    kind: AddressKind = row.peer_kind
    message = OutboundMessage.from_json(row.content) if row.content else OutboundMessage(row.text, reference=row.uid)
    return Letter(
        message=message,
        account_id=row.account_id,
        to=Address(kind, row.peer),
        tried_at=row.attempted_at if row.state == "sending" else None,
    )


def sent(db: Db, job: queue.Job, result: Sent) -> None:
    """The provider took it: keep its id, and any status that overtook us."""
    message_id = int(str(job.payload["message_id"]))
    messages.attach_provider_id(db, message_id, result.provider_id, result.status)
    db.execute(
        update(outbox)
        .where(outbox.c.message_id == message_id)
        .values(state="sent", part_ids=[result.provider_id], attempted_at=None)
    )
    queue.finish(db, job)


def failed(db: Db, job: queue.Job, error: SendError, *, now: datetime) -> None:
    """The provider did not take it: try again later, or give up and let people see why."""
    message_id = int(str(job.payload["message_id"]))
    tries = ONCE_MORE if error.kind == "retry_once" else len(RETRY_AFTER) + 1
    if error.kind != "unclear":  # it surely did not go out: no look-up before the next try
        db.execute(update(outbox).where(outbox.c.message_id == message_id).values(state="ready", attempted_at=None))
    if error.retryable and job.attempts < tries:
        wait = RETRY_AFTER[min(job.attempts, len(RETRY_AFTER)) - 1]
        if error.retry_after_s is not None:
            wait = timedelta(seconds=error.retry_after_s)
            queue.block_lane(db, job.lane, until=now + wait)
        queue.again(db, job, at=now + wait, error=str(error), now=now)
        return
    status.learn(db, message_id, error, now=now)
    _refuse(db, message_id, error.code, error.text, state="failed")
    queue.finish(db, job)


def _refuse(db: Db, message_id: int, code: str, text: str, *, state: str = "refused") -> None:
    """`refused` by us, or `failed` at the provider: people see the sentence beside the message."""
    messages.give_up(db, message_id, state, code=code, text=text)
    db.execute(update(outbox).where(outbox.c.message_id == message_id).values(state=state))
