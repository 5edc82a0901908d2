"""Who changed what. Rows are only ever added, in the transaction of the change."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import insert

from desk.who import Actor
from storage.base import Db, JsonValue
from storage.models.audit import audit
from storage.prepared import Prepared

_ADD = Prepared(insert(audit))


def record(
    db: Db,
    who: Actor,
    action: str,
    noun: str,
    noun_id: int,
    before: Mapping[str, JsonValue] | None,
    after: Mapping[str, JsonValue] | None,
    now: datetime,
    *,
    uid: str | None = None,
) -> None:
    """Note that `who` did `action` (`appointment.booked`) to the thing known outside as `uid`.

    `before` and `after`: what changed, as ids, times, states and settings; no secrets, and nothing a customer said.
    """
    _ADD(
        db,
        {
            "tenant_id": who.tenant_id,
            "at": now,
            "actor": who.kind,
            "actor_id": who.user_id,
            "actor_name": who.name,
            "action": action,
            "noun": noun,
            "noun_id": noun_id,
            "noun_uid": uid,
            "before": before,
            "after": after,
        },
    )
