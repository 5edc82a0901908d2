"""What became of a message: forward only, whatever the order in which the news arrives."""

from datetime import datetime
from typing import Final

from channels.base import Adapter
from channels.messages import StatusUpdate
from desk import joining, messages
from gateway.accounts import Account
from gateway.pipeline import outbox, parked, recipients, trouble
from storage.base import Db

_LOST: Final = ("failed", "undelivered")
_ARRIVED: Final = ("delivered", "read")


def apply(db: Db, adapter: Adapter, account: Account, event: StatusUpdate, *, now: datetime) -> str:
    """changed, ignored, or unknown: news of an unknown message is kept until the message is known. Or again: it did not
    arrive, and goes out once more.

    A reply in a webhook's answer has no provider id until the first news of it, which carries our own reference.
    """
    if event.reference and event.provider_id:
        nameless = messages.without_provider_id(db, account.id, event.reference)
        if nameless is not None:
            if event.provider_id in nameless.earlier_ids:
                if event.status not in _ARRIVED:
                    return "ignored"  # of a try that is over: the message waits for the next one
                outbox.arrived_late(db, nameless.id)
            messages.attach_provider_id(db, nameless.id, event.provider_id, "queued")
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
    if event.recipient and event.status == "delivered" and outcome == "changed":
        _reached(db, account, event, now=now)
    if outcome != "changed" or (explained is None and event.status not in _LOST):
        return outcome
    message_id = messages.id_of(db, account.id, event.provider_id)
    if message_id is None:
        return outcome
    if explained is not None:
        recipients.learn(db, message_id, explained, now=now)
        trouble.alarm(db, account.id, explained, now=now)
        if explained.kind == "window" and parked.keep_late(db, message_id, explained, now=now):
            return outcome
    if event.status in _LOST:
        if explained is not None and outbox.send_again(db, message_id, explained, now=now):
            return "again"
        messages.tell_lost(db, message_id, now=now)
    return outcome


def _reached(db: Db, account: Account, event: StatusUpdate, *, now: datetime) -> None:
    """Told once of each message, so that an answer is known by whichever address it comes from."""
    message_id = messages.id_of(db, account.id, event.provider_id)
    if message_id is not None:
        theirs = [(one.kind, one.value) for one in event.recipient]
        joining.reached(db, account.tenant_id, message_id, theirs, now=now)
