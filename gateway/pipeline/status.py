"""What became of a message: forward only, whatever the order in which the news arrives."""

from datetime import datetime

from channels.base import Adapter
from channels.messages import StatusUpdate
from desk import consent, messages
from storage.base import Db


def apply(db: Db, adapter: Adapter, account_id: int, event: StatusUpdate, *, now: datetime) -> bool:
    """True when the message's status moved; news of an unknown message is kept until the message is known.

    A message is found by our own reference (replies in a webhook's answer learn their provider id this way) or by the
    provider's id.
    """
    explained = adapter.explain(event.error_code) if event.error_code else None
    moved = messages.set_status(
        db,
        account_id=account_id,
        provider_id=event.provider_id,
        reference=event.reference or None,
        status=event.status,
        error_code=event.error_code or None,
        error_text=explained.text if explained else None,
        now=now,
    )
    if moved is not None and explained is not None and explained.kind == "opted_out":
        consent.record(
            db,
            tenant_id=moved.tenant_id,
            account_id=account_id,
            kind=moved.peer_kind,
            value=moved.peer,
            customer_id=moved.customer_id,
            purpose="all",
            state="out",
            source="provider",
            message_id=moved.message_id,
            now=now,
        )
    return moved is not None
