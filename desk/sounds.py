"""What we say, as sound: which sounds lie in the store, and for how long. By a key that tells what each is made of."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, func, insert, select, update

from storage.base import Db
from storage.models.sounds import sounds as table
from storage.session import Conflict, attempt

BRIEF: Final = timedelta(hours=1)  # that a sound stays which may have somebody's values in it
_t = table.c


def until(db: Db, tenant_id: int, key: str) -> datetime | None:
    """How long the sound stays; None when it is not there."""
    found: datetime | None = db.execute(
        select(_t.until).where(_t.tenant_id == tenant_id, _t.key == key)
    ).scalar_one_or_none()
    return found


def keep(db: Db, tenant_id: int, key: str, size: int, *, until: datetime, most_bytes: int, now: datetime) -> None:
    """It stays until then, or for longer if it does already. Beyond `most_bytes` those that would stay the shortest go."""
    there = (_t.tenant_id == tenant_id, _t.key == key)
    try:
        with attempt(db):
            db.execute(insert(table).values(tenant_id=tenant_id, key=key, size=size, until=until, created_at=now))
    except Conflict:
        db.execute(update(table).where(*there, _t.until < until).values(until=until))
    total: int = db.execute(select(func.coalesce(func.sum(_t.size), 0)).where(_t.tenant_id == tenant_id)).scalar_one()
    if total <= most_bytes:
        return
    going: list[int] = []
    for row in db.execute(
        select(_t.id, _t.size).where(_t.tenant_id == tenant_id, _t.key != key).order_by(_t.until, _t.id)
    ):
        if total <= most_bytes:
            break
        going.append(row.id)
        total -= row.size
    db.execute(update(table).where(_t.id.in_(going)).values(until=now))


def over(db: Db, *, now: datetime, limit: int) -> list[tuple[int, int, str]]:
    """Id, tenant and key of sounds whose time is over."""
    rows = db.execute(select(_t.id, _t.tenant_id, _t.key).where(_t.until <= now).order_by(_t.until).limit(limit))
    return [(row.id, row.tenant_id, row.key) for row in rows]


def forget(db: Db, ids: Collection[int], *, now: datetime) -> None:
    """They are gone, except for those that somebody wanted once more meanwhile."""
    db.execute(delete(table).where(_t.id.in_(ids), _t.until <= now))
