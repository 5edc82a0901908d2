"""What providers keep of messages that were erased here: they are to forget it too, by a job that looks for it.

A provider may tell its id of a message after that one was erased, so jobs name ours, and look its ids up when they run.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, select

from desk import files
from storage import queue
from storage.base import Db
from storage.models.conversations import messages, outbox

KIND: Final = "forget_messages"
_AT_ONCE: Final = 50  # messages in a job: it ends before its lease does
_SETTLED: Final = timedelta(minutes=2)  # by then there is news of what has just gone out, and the provider is done
_m = messages.c


def forget(db: Db, tenant_id: int, where: ColumnElement[bool], *, now: datetime) -> None:
    """Have the providers forget these messages, in and out."""
    wanted = where, _m.is_private.is_(False)
    by_account: dict[int, list[int]] = {}
    for message_id, account_id in db.execute(select(_m.id, _m.account_id).where(*wanted).order_by(_m.id)).all():
        by_account.setdefault(account_id, []).append(message_id)
    for account_id, ids in sorted(by_account.items()):
        for start in range(0, len(ids), _AT_ONCE):
            queue.enqueue(
                db,
                KIND,
                {"account_id": account_id, "ids": list(ids[start : start + _AT_ONCE])},
                now=now,
                run_at=now + _SETTLED,
                tenant_id=tenant_id,
                lane=f"forget:{account_id}",
                topic=files.TOPIC,
            )


def names(db: Db, ids: Sequence[int]) -> list[str]:
    """How the provider calls these messages, as far as it has said so; one that was sent several times has several names."""
    rows = db.execute(
        select(_m.provider_id, outbox.c.part_ids)
        .outerjoin(outbox, outbox.c.message_id == _m.id)
        .where(_m.id.in_(ids))
        .order_by(_m.id)
    )
    found: dict[str, None] = {}
    for name, parts in rows:
        found |= dict.fromkeys(filter(None, (name, *(parts or ()))))
    return list(found)
