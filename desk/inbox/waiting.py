"""Who waits for a person, in which place, and how long that usually takes; and how much there is of everything."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Final

from sqlalchemy import and_, case, func, select

from desk.inbox import notes, overview, reads
from desk.inbox.overview import Entry, Wanted
from desk.listing import Found, Window
from desk.who import Actor
from storage.base import Db
from storage.models.conversations import conversations, owner_changes

_RECENT: Final = timedelta(days=7)
_CHANGES: Final = 2_000  # looked at for the estimate
_ENOUGH: Final = 5  # waits, for a median that means something


@dataclass(frozen=True, slots=True)
class Place:
    """`position` counts from 1 over all that wait. `estimate_s` is what is probably left; None when nobody can tell."""

    entry: Entry
    position: int
    waited_s: int
    estimate_s: int | None


def in_line(db: Db, who: Actor, window: Window, *, team: str | None = None, now: datetime) -> Found[Place]:
    """Everything that waits for a person, the longest wait first.

    Raises: NotFound
    """
    sorted_by = Window(window.offset, window.limit, "owner_since")
    found = overview.find(db, who, sorted_by, Wanted(status=("open",), owner=("queue",), team=team))
    usual = usual_wait(db, who, now=now)
    places = []
    for place, entry in enumerate(found.items, window.offset + 1):
        waited = now - entry.owner_since
        left = None if usual is None else max(usual - waited, timedelta())
        estimate = None if left is None else round(left.total_seconds())
        places.append(Place(entry, place, round(waited.total_seconds()), estimate))
    return Found(places, found.total)


def usual_wait(db: Db, who: Actor, *, now: datetime) -> timedelta | None:
    """The median of how long people waited lately until somebody took them; None when too few did."""
    h = owner_changes.c
    rows = db.execute(
        select(h.conversation_id, h.owner, h.at)
        .where(h.tenant_id == who.tenant_id, h.at >= now - _RECENT)
        .order_by(h.at.desc(), h.id.desc())
        .limit(_CHANGES)
    ).all()
    since: dict[int, datetime] = {}
    waits: list[float] = []
    for row in reversed(rows):
        if row.owner == "staff" and row.conversation_id in since:
            waits.append((row.at - since[row.conversation_id]).total_seconds())
        since.pop(row.conversation_id, None)
        if row.owner == "queue":
            since[row.conversation_id] = row.at
    return timedelta(seconds=median(waits)) if len(waits) >= _ENOUGH else None


def counts(db: Db, who: Actor) -> Mapping[str, int]:
    """How many open conversations there are in all, with the bot, in the queue, with whoever asks and with others; how
    many are snoozed or late; what is unread and who was named.
    """
    c = conversations.c
    is_mine = and_(c.owner == "staff", c.owner_user_id == who.user_id)
    is_open = c.status == "open"

    def number(*where: object) -> object:
        return func.count(case((and_(*where), 1)))  # type: ignore[arg-type]

    row = db.execute(
        select(
            number(is_open),
            number(is_open, c.owner == "bot"),
            number(is_open, c.owner == "queue"),
            number(is_open, is_mine),
            number(is_open, c.owner == "staff", c.owner_user_id != (who.user_id or 0)),
            number(c.status == "snoozed"),
            number(c.sla_breached_at.is_not(None)),
        ).where(c.tenant_id == who.tenant_id, c.status != "closed")  # type: ignore[call-overload]
    ).one()
    unread = (
        select(func.count())
        .select_from(conversations)
        .where(c.tenant_id == who.tenant_id, is_open, c.owner != "bot", reads.is_unread(who))
    )
    names = ("open", "bot", "queue", "mine", "others", "snoozed", "breached")
    found = dict(zip(names, row, strict=True))
    return {**found, "unread": db.execute(unread).scalar_one(), "mentions": notes.unseen(db, who)}
