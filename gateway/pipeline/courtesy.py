"""Small courtesies on channels that have them: the customer sees that we have read what they wrote, and that we write.

Nothing depends on them, so whatever goes wrong with one is only noted.
"""

import structlog
from sqlalchemy import bindparam, select

from channels.base import AccountKeys, Adapter, MarksRead, ShowsTyping
from channels.errors import SendError
from desk.messages import NOTED
from gateway.context import House
from gateway.pipeline import outbox
from storage.base import Db
from storage.models.conversations import messages
from storage.prepared import Prepared
from storage.store import StoreUnavailable

log = structlog.get_logger()


async def mark_read(house: House, adapter: Adapter, keys: AccountKeys, message_id: int) -> None:
    """Two blue ticks for the customer, when this message of ours is the first answer to theirs."""
    if not isinstance(adapter, MarksRead):
        return
    try:
        provider_id = await house.store.read(outbox.answered, message_id)
        if provider_id is not None:
            await adapter.mark_read(provider_id, keys=keys)
    except (SendError, StoreUnavailable) as trouble:
        log.info("not marked as read", message=message_id, why=str(trouble))


async def show_typing(house: House, conversation_id: int) -> None:
    """Show that we write, while the customer waits for an answer that takes a while."""
    try:
        last = await house.store.read(_last_heard, conversation_id)
        account = await house.accounts.by_id(last[0]) if last else None
        if last is None or account is None:
            return
        adapter = house.adapter(account)
        if isinstance(adapter, ShowsTyping):
            await adapter.show_typing(last[1], sender=account.sender, keys=account.keys)
    except (SendError, StoreUnavailable) as trouble:
        log.info("not shown as typing", conversation=conversation_id, why=str(trouble))


def _last_heard(db: Db, conversation_id: int) -> tuple[int, str] | None:
    """Over which account the customer's last message came, and the provider's id of it."""
    row = _LAST_HEARD(db, {"conversation_id": conversation_id}).one_or_none()
    return (row.account_id, row.provider_id) if row is not None and row.provider_id else None


_m = messages.c
_LAST_HEARD = Prepared(
    select(_m.account_id, _m.provider_id)
    .where(_m.conversation_id == bindparam("conversation_id"), _m.direction == "in", _m.status != NOTED)
    .order_by(_m.id.desc())
    .limit(1)
)
