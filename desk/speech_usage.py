"""What speech services were asked for, by business, day and kind, and what that costs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, Literal

from sqlalchemy import Row, insert, select, update

from desk import businesses, refs
from desk.listing import Found, Window, page
from desk.refs import Ref
from desk.who import Actor
from storage.base import Db
from storage.models.businesses import businesses as shops
from storage.models.sounds import speech_usage as table
from storage.session import Conflict, attempt

Kind = Literal["spoken", "heard"]
KINDS: Final[tuple[Kind, ...]] = ("spoken", "heard")
_t = table.c


@dataclass(frozen=True, slots=True)
class Used:
    """`amount` is letters that were spoken, or seconds that were listened to."""

    business_uid: str
    day: date
    kind: Kind
    amount: float


def add(db: Db, tenant_id: int, amounts: Mapping[tuple[int, Kind], float], *, now: datetime) -> None:
    """So much more, by business and kind."""
    for (business_id, kind), amount in sorted(amounts.items()):
        day = now.astimezone(businesses.load(db, business_id).zone).date()
        row = {"tenant_id": tenant_id, "business_id": business_id, "day": day, "kind": kind}
        wanted = [column == row[column.name] for column in (_t.tenant_id, _t.business_id, _t.day, _t.kind)]
        more = update(table).where(*wanted).values(amount=_t.amount + amount)
        if db.execute(more).rowcount:
            continue
        try:
            with attempt(db):
                db.execute(insert(table).values(**row, amount=amount))
        except Conflict:
            db.execute(more)


def find(
    db: Db,
    who: Actor,
    window: Window,
    *,
    business: Ref | None = None,
    since: date | None = None,
    until: date | None = None,
) -> Found[Used]:
    """The tenant's, the latest day first; both days included.

    Raises: NotFound
    """
    wanted = (
        select(shops.c.uid.label("business_uid"), _t.day, _t.kind, _t.amount)
        .join(shops, shops.c.id == _t.business_id)
        .where(_t.tenant_id == who.tenant_id)
    )
    if business is not None:
        wanted = wanted.where(_t.business_id == refs.id_of(db, shops, who, business, "business"))
    if since is not None:
        wanted = wanted.where(_t.day >= since)
    if until is not None:
        wanted = wanted.where(_t.day <= until)
    return page(db, wanted, window, _one, sorts={"day": _t.day}, by="-day", tie=_t.id)


def _one(row: Row[Any]) -> Used:
    return Used(row.business_uid, row.day, row.kind, row.amount)
