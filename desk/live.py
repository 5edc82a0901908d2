"""News for those who look on: what has just been committed to a conversation. Whoever shows it reads the rows."""

from dataclasses import dataclass
from typing import Literal

from storage.base import Db
from storage.session import tell

What = Literal["message", "status", "conversation", "assigned", "mention", "sla", "file", "call"]


@dataclass(frozen=True, slots=True)
class Changed:
    """`message_id` for a new message, a new status of one, or a file in it that has come; `user_id` for whom it is meant
    (a mention, an assignee).
    """

    tenant_id: int
    conversation_id: int
    what: What
    message_id: int | None = None
    user_id: int | None = None
    detail: str = ""


def changed(
    db: Db,
    tenant_id: int,
    conversation_id: int,
    what: What,
    *,
    message_id: int | None = None,
    user_id: int | None = None,
    detail: str = "",
) -> None:
    tell(db, Changed(tenant_id, conversation_id, what, message_id, user_id, detail))
