"""What a provider's refusal tells about whom we wrote to."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, select

from channels.errors import FailureKind, SendError
from desk import consent, reachable
from storage.base import Db
from storage.models.conversations import conversations as conversation_table
from storage.models.conversations import messages as message_table


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
