"""A whole channel fails: who runs the business hears of it once an hour, and what is sent to many over it waits."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import bindparam, or_, update

from desk import audit, broadcasts, events
from desk.verdicts import Refusal
from desk.who import Actor
from storage.base import Db, JsonValue
from storage.models.accounts import accounts
from storage.prepared import Prepared


def channel_failed(db: Db, account_id: int, why: Refusal, *, now: datetime) -> None:
    """Tell subscribers (`channel.failed`) and the audit, once an hour and channel, that nothing goes out over it until
    somebody has set something right; and pause each time what is being sent to many over it.
    """
    broadcasts.halt_over(db, account_id, why, now=now)
    row = _FIRST(db, {"account": account_id, "told_at": now, "long_ago": now - _AGAIN}).one_or_none()
    if row is None:
        return
    what: dict[str, JsonValue] = {"code": why.code, "reason": why.reason}
    system = Actor(row.tenant_id, "system")
    audit.record(db, system, "channel.failed", "channel", account_id, None, what, now, uid=row.uid)
    told = {"channel_id": row.uid, "channel": row.channel, "provider": row.provider, **what}
    events.emit(db, row.tenant_id, "channel.failed", told, now=now)


_AGAIN: Final = timedelta(hours=1)
_a = accounts.c
_FIRST = Prepared(
    update(accounts)
    .where(
        _a.id == bindparam("account"),
        or_(_a.failed_told_at.is_(None), _a.failed_told_at <= bindparam("long_ago")),
    )
    .values(failed_told_at=bindparam("told_at"))
    .returning(_a.tenant_id, _a.uid, _a.channel, _a.provider)
)
