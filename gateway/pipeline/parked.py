"""Words that are kept until the customer writes again, because only templates may be sent just now.

A message is `parked` and has the reason beside it. In the outbox it has a row only if subscribers have been told of it.
"""

from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, delete, insert, literal_column, select, update

from channels.errors import SendError
from desk import messages, sending
from storage.base import Db
from storage.models.conversations import messages as message_table
from storage.models.conversations import outbox
from storage.prepared import Prepared

STATUS: Final = "parked"
NOT_WRITTEN: Final = "They did not write again in time, so this was not sent."
_MAY_WAIT: Final = ("bot", "staff")  # their words answer somebody; what the system says by itself would be out of place
_AT_ONCE: Final = 100


def may_wait(author: str) -> bool:
    """Whether what somebody of this kind has said is worth keeping."""
    return author in _MAY_WAIT


def keep(db: Db, message_id: int, refusal: sending.Refusal, *, is_told: bool, now: datetime) -> None:
    """The message waits. `is_told`: subscribers have heard that it was sent."""
    messages.give_up(db, message_id, STATUS, code=refusal.code, text=refusal.reason)
    account = update(_t).where(_m.id == message_id).values(provider_id=None).returning(_m.account_id)
    account_id = db.execute(account).scalar_one()
    db.execute(delete(outbox).where(outbox.c.message_id == message_id))
    if is_told:
        db.execute(insert(outbox).values(message_id=message_id, account_id=account_id, state=STATUS, created_at=now))


def keep_late(db: Db, message_id: int, error: SendError, *, now: datetime) -> bool:
    """By the provider's clock the time for free text is over: True when the message waits therefore."""
    row = db.execute(select(_m.author, _m.content).where(_m.id == message_id)).one_or_none()
    if row is None or not may_wait(row.author) or (row.content or {}).get("template"):
        return False
    keep(db, message_id, sending.Refusal(error.code, error.text), is_told=True, now=now)
    return True


def of(db: Db, conversation_id: int) -> list[tuple[int, bool]]:
    """What waits in a conversation, in the order in which it was said, and whether subscribers were told of it."""
    return [(row.id, row.state is not None) for row in _OF(db, {"conversation_id": conversation_id})]


def drop(db: Db, *, before: datetime) -> int:
    """What was said before that time and still waits is not sent any more; how many messages that were."""
    found = db.execute(select(_m.id).where(_IS_PARKED, _m.created_at < before).limit(_AT_ONCE)).scalars().all()
    for message_id in found:
        messages.give_up(db, message_id, "refused", code=sending.WINDOW_CLOSED, text=NOT_WRITTEN)
        db.execute(update(outbox).where(outbox.c.message_id == message_id).values(state="refused"))
    return len(found)


_t, _m = message_table, message_table.c
_IS_PARKED = _m.status == literal_column(f"'{STATUS}'")  # written out, for the index that holds these alone
_OF = Prepared(
    select(_m.id, outbox.c.state)
    .outerjoin(outbox, outbox.c.message_id == _m.id)
    .where(_m.conversation_id == bindparam("conversation_id"), _IS_PARKED)
    .order_by(_m.id)
)
