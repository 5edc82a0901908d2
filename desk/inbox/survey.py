"""Asking a customer how it was, some time after a person has answered and the conversation was closed."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import bindparam, select

from desk import sending
from desk.inbox import rules
from storage import queue
from storage.base import Db
from storage.models.conversations import conversations
from storage.prepared import Prepared

KIND: Final = "csat"


def plan(db: Db, tenant_id: int, conversation_id: int, *, now: datetime) -> None:
    """Ask later, if the tenant wants that and a person has answered; once for each time that it is closed."""
    answered_at = _ANSWERED(db, {"conversation_id": conversation_id}).scalar_one_or_none()
    csat = rules.load(db, tenant_id).csat if answered_at is not None else None
    if csat is not None and csat.enabled:
        queue.enqueue(
            db,
            KIND,
            {"conversation_id": conversation_id},
            now=now,
            run_at=now + timedelta(minutes=csat.delay_minutes),
            tenant_id=tenant_id,
            dedupe=_name(conversation_id),
        )


def forget(db: Db, conversation_id: int) -> None:
    """It goes on: nothing is asked."""
    queue.cancel(db, _name(conversation_id))


def may_ask(db: Db, conversation_id: int, *, window_h: int | None, now: datetime) -> bool:
    """Whether the question may still be asked: it is closed, they have not said STOP, and the channel's window (so many
    hours after their last message) is open.
    """
    row = _PEER(db, {"conversation_id": conversation_id}).one_or_none()
    if row is None or row.status != "closed":
        return False
    window = sending.Window(window_h, row.last_in_at)
    allowed = sending.may_send(
        db, account_id=row.account_id, kind=row.peer_kind, value=row.peer, use="service", window=window, now=now
    )
    return allowed == sending.ALLOWED


def _name(conversation_id: int) -> str:
    return f"{KIND}:{conversation_id}"


_c = conversations.c
_IS_IT = _c.id == bindparam("conversation_id")
_ANSWERED = Prepared(select(_c.first_answered_at).where(_IS_IT))
_PEER = Prepared(select(_c.status, _c.last_in_at, _c.account_id, _c.peer_kind, _c.peer).where(_IS_IT))
