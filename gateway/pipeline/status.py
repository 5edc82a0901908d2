"""What became of a message: forward only, whatever the order in which the news arrives."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, select

from channels.base import Adapter
from channels.errors import FailureKind, SendError
from channels.messages import StatusUpdate
from desk import consent, messages, reachable
from gateway.accounts import Account
from gateway.pipeline import parked
from storage.base import Db
from storage.models.conversations import conversations as conversation_table
from storage.models.conversations import messages as message_table


def apply(db: Db, adapter: Adapter, account: Account, event: StatusUpdate, *, now: datetime) -> str:
    """changed, ignored, or unknown: news of an unknown message is kept until the message is known.

    A reply in a webhook's answer has no provider id until the first news of it, which carries our own reference.
    """
    if event.reference and event.provider_id:
        nameless = messages.without_provider_id(db, account.id, event.reference)
        if nameless is not None:
            messages.attach_provider_id(db, nameless, event.provider_id, "queued")
    explained = adapter.explain(event.error_code) if event.error_code else None
    outcome = messages.set_status(
        db,
        account.id,
        event.provider_id,
        event.status,
        error_code=event.error_code or None,
        error_text=explained.text if explained else event.error_text or None,
        now=now,
    )
    if (billing := event.billing) is not None:
        messages.bill(db, account.id, event.provider_id, is_billable=billing.is_billable, category=billing.category)
    if outcome != "changed" or (explained is None and event.status not in _LOST):
        return outcome
    message_id = messages.id_of(db, account.id, event.provider_id)
    if message_id is None:
        return outcome
    if explained is not None:
        learn(db, message_id, explained, now=now)
        if explained.kind == "window" and parked.keep_late(db, message_id, explained, now=now):
            return outcome
    if event.status in _LOST:
        messages.tell_lost(db, message_id, now=now)
    return outcome


def learn(db: Db, message_id: int, error: SendError, *, now: datetime) -> None:
    """When the provider says that whom we wrote to has opted out, of offers or of everything, or that nobody can be reached
    there, we know it too from now on.
    """
    purpose, lost = _REFUSED.get(error.kind), _UNREACHABLE.get(error.kind)
    if purpose is None and lost is None:
        return
    row = db.execute(_RECIPIENT, {"message_id": message_id}).one()
    if lost is not None:
        reachable.note(db, tenant_id=row.tenant_id, kind=row.peer_kind, value=row.peer, why=lost, now=now)
    if purpose is None:
        return
    consent.record(
        db,
        tenant_id=row.tenant_id,
        account_id=row.account_id,
        kind=row.peer_kind,
        value=row.peer,
        customer_id=row.customer_id,
        purpose=purpose,
        state="out",
        source="provider",
        message_id=message_id,
        now=now,
    )


_LOST: Final = ("failed", "undelivered")
_REFUSED: Final[Mapping[FailureKind, consent.Purpose]] = {"opted_out": "all", "no_marketing": "marketing"}
_UNREACHABLE: Final[Mapping[FailureKind, reachable.Why]] = {
    "nobody": "no_such_number",
    "voice": "takes_no_texts",
    "other_channel": "not_on_channel",
}
_RECIPIENT = (
    select(
        conversation_table.c.tenant_id,
        conversation_table.c.account_id,
        conversation_table.c.peer_kind,
        conversation_table.c.peer,
        conversation_table.c.customer_id,
    )
    .join(message_table, message_table.c.conversation_id == conversation_table.c.id)
    .where(message_table.c.id == bindparam("message_id"))
)
