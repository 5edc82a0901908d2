"""Which business of the tenant a piece of work belongs to, and its days as instants."""

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Row, select

from desk import profiles, refs
from desk.calendar import zones
from desk.refs import Ref
from desk.who import Actor
from storage.base import Db
from storage.models.businesses import businesses

# An end of a range of time as somebody gave it: a day of the business, or an instant.
End = date | datetime


def business(db: Db, who: Actor, ref: Ref | None) -> Row[Any]:
    """The one that `ref` names; without it the tenant's first, which is mostly the only one.

    Raises: NotFound; Invalid, while the tenant has none
    """
    return refs.row(db, businesses, who, profiles.id_for(db, who, ref), "business")


def zone(db: Db, who: Actor, ref: Ref | None) -> ZoneInfo:
    """The time zone that a tenant's days are meant in.

    Raises: NotFound
    """
    wanted = select(businesses.c.time_zone).where(businesses.c.tenant_id == who.tenant_id)
    if ref is not None:
        wanted = wanted.where(businesses.c.id == refs.id_of(db, businesses, who, ref, "business"))
    return ZoneInfo(db.execute(wanted.order_by(businesses.c.id).limit(1)).scalar_one_or_none() or "UTC")


def begins(end: End | None, zone: ZoneInfo) -> datetime | None:
    """The first instant of a range that begins with `end`."""
    if end is None or isinstance(end, datetime):
        return end
    return zones.day_span(end, end, zone).start


def ends(end: End | None, zone: ZoneInfo) -> datetime | None:
    """The first instant after a range that ends with `end`: with that day, or at that instant."""
    if end is None or isinstance(end, datetime):
        return end
    return zones.day_span(end, end, zone).end
