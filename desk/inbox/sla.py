"""Promises of time: which one runs in a conversation, until when, and telling people before and after it is broken.

While a customer waits for a person it is the one of the first or the next answer; while nobody waits, the one of the
matter being done with, counted from when a person was wanted. The bot keeps no promises: with it all of them end.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, case, func, select, update

from desk import businesses, events, live
from desk.businesses import Business
from desk.calendar import hours, zones
from desk.conversations import Due
from storage.base import Db
from storage.models.conversations import conversations, owner_changes
from storage.models.inbox import sla_policies, teams
from storage.prepared import Prepared

_LOOK_AHEAD_DAYS = 400  # for opening hours; a business that does not open until then makes no promise


@dataclass(frozen=True, slots=True)
class Policy:
    first_answer_minutes: int | None
    next_answer_minutes: int | None
    resolution_minutes: int | None
    warn_minutes: int
    in_business_hours: bool


def waits(db: Db, conversation_id: int, *, now: datetime) -> None:
    """The customer waits for a person, from now on or for longer already."""
    if _WAITS(db, {"this_id": conversation_id, "now": now}).rowcount:
        retime(db, conversation_id, now=now)


def answered(db: Db, conversation_id: int, *, now: datetime) -> None:
    """A person has answered."""
    before = _ROW(db, {"this_id": conversation_id}).one_or_none()
    if before is None:
        return
    _ANSWERED(db, {"this_id": conversation_id, "now": now})
    retime(db, conversation_id, waited_since=before.waiting_since, now=now)


def retime(db: Db, conversation_id: int, *, waited_since: datetime | None = None, now: datetime) -> None:
    """Set the clock that runs, by the policy of the team or else of the tenant.

    `waited_since`: the customer has waited from then until now, when the promise of an end was not looked at.
    """
    row = _ROW(db, {"this_id": conversation_id}).one_or_none()
    policy = _policy(db, row.tenant_id, row.team_id) if row is not None else None
    kind, since, minutes = _running(db, conversation_id, row, policy)
    due_at = None
    if row is not None and policy is not None and since is not None and minutes is not None:
        business = businesses.load(db, row.business_id) if policy.in_business_hours else None
        due_at = _after(since, minutes, business)
    if row is None or (due_at is not None and (kind, due_at) == (row.sla_kind, row.sla_due_at)):
        return
    if kind == "resolution" and due_at is not None and due_at <= now and (not waited_since or due_at <= waited_since):
        due_at = None  # broken and told before this
    next_at = due_at
    if due_at is not None and since is not None and policy is not None and policy.warn_minutes:
        warn_at = due_at - timedelta(minutes=policy.warn_minutes)
        next_at = warn_at if warn_at > since else due_at
    values = {"kind": kind if due_at is not None else None, "due": due_at, "next": next_at}
    _SET(db, {"this_id": conversation_id, **values})


def due(db: Db, now: datetime, limit: int = 100) -> list[Due]:
    """Conversations in which a promise is about to be broken, or has just been."""
    return [Due(*row) for row in _DUE(db, {"now": now, "limit": limit})]


def tell(db: Db, one: Due, *, now: datetime) -> str | None:
    """Tell people, once; what was told: `warning`, `breached`, or None when somebody was quicker."""
    row = _LOCKED(db, {"this_id": one.id}).one_or_none()
    if row is None or row.sla_next_at is None or row.sla_next_at > now or row.sla_due_at is None:
        return None
    is_late = row.sla_due_at <= now
    if is_late:
        values = {"sla_breached_at": row.sla_due_at, "sla_next_at": None}
    else:
        values = {"sla_warned_at": now, "sla_next_at": row.sla_due_at}
    db.execute(update(conversations).where(_c.id == one.id).values(**values))
    told = "breached" if is_late else "warning"
    live.changed(db, one.tenant_id, one.id, "sla", user_id=row.owner_user_id, detail=f"{row.sla_kind}_{told}")
    data = {"conversation_id": row.uid, "kind": row.sla_kind, "due_at": events.rfc3339(row.sla_due_at)}
    events.emit(db, one.tenant_id, f"conversation.sla_{told}", data, now=now)
    return told


def retime_all(db: Db, tenant_id: int, *, now: datetime) -> None:
    """After a policy has changed: every conversation that waits or that a person has."""
    for conversation_id in db.execute(select(_c.id).where(_c.tenant_id == tenant_id, *_WITH_PEOPLE)).scalars().all():
        retime(db, conversation_id, now=now)


def _running(
    db: Db, conversation_id: int, row: Any, policy: Policy | None
) -> tuple[str | None, datetime | None, int | None]:
    """Which promise runs, since when, and how many minutes it is good for."""
    if row is None or policy is None or row.owner == "bot" or row.status == "closed":
        return None, None, None
    if row.waiting_since is not None:
        if row.first_answered_at is None:
            return "first", row.waiting_since, policy.first_answer_minutes
        return "next", row.waiting_since, policy.next_answer_minutes
    if policy.resolution_minutes is None:
        return None, None, None
    wanted_at: datetime | None = _WANTED_AT(db, {"conversation_id": conversation_id}).scalar_one_or_none()
    return "resolution", wanted_at, policy.resolution_minutes


def _policy(db: Db, tenant_id: int, team_id: int | None) -> Policy | None:
    row = _POLICY(db, {"tenant_id": tenant_id, "team_id": team_id}).first()
    return None if row is None else Policy(*row)


def _after(since: datetime, minutes: int, business: Business | None) -> datetime | None:
    """So many minutes later; with a `business`, minutes of its opening hours."""
    left = timedelta(minutes=minutes)
    if business is None:
        return since + left
    first = zones.local_day(since, business.zone) - zones.DAY
    at = since
    for ahead in range(_LOOK_AHEAD_DAYS):
        for start, end in hours.open_ranges(business, first + timedelta(days=ahead)):
            if end <= at:
                continue
            at = max(start, at)
            if at + left <= end:
                return at + left
            left -= end - at
            at = end
    return None


_c, _p, _h = conversations.c, sla_policies.c, owner_changes.c
_IS_THIS = _c.id == bindparam("this_id")
_WITH_PEOPLE = (_c.owner != "bot", _c.status != "closed")
_COLUMNS = select(
    _c.uid,
    _c.tenant_id,
    _c.business_id,
    _c.team_id,
    _c.status,
    _c.owner,
    _c.owner_user_id,
    _c.waiting_since,
    _c.first_answered_at,
    _c.sla_kind,
    _c.sla_due_at,
    _c.sla_next_at,
).where(_IS_THIS)
_ROW = Prepared(_COLUMNS)
_LOCKED = Prepared(_COLUMNS.with_for_update(key_share=True))
_WAITS = Prepared(
    update(conversations)
    .where(_IS_THIS, _c.owner != "bot")
    .values(waiting_since=func.coalesce(_c.waiting_since, bindparam("now", type_=_c.waiting_since.type)))
)
_ANSWERED = Prepared(
    update(conversations)
    .where(_IS_THIS)
    .values(
        waiting_since=None,
        first_answered_at=func.coalesce(_c.first_answered_at, bindparam("now", type_=_c.waiting_since.type)),
    )
)
_SET = Prepared(
    update(conversations)
    .where(_IS_THIS)
    .values(
        sla_kind=bindparam("kind"),
        sla_due_at=bindparam("due"),
        sla_next_at=bindparam("next"),
        sla_warned_at=None,
        sla_breached_at=None,
    )
)
_DUE = Prepared(
    select(_c.id, _c.tenant_id, _c.sla_next_at)
    .where(_c.sla_next_at <= bindparam("now"), _c.status != "snoozed")
    .order_by(_c.sla_next_at, _c.id)
    .limit(bindparam("limit"))
)
# The team's own before the tenant's.
_POLICY = Prepared(
    select(
        _p.first_answer_minutes, _p.next_answer_minutes, _p.resolution_minutes, _p.warn_minutes, _p.in_business_hours
    )
    .where(
        _p.tenant_id == bindparam("tenant_id"),
        (_p.team_id == bindparam("team_id", type_=teams.c.id.type)) | _p.team_id.is_(None),
    )
    .order_by(case((_p.team_id.is_(None), 1), else_=0))
    .limit(1)
)
_with_bot = (
    select(func.coalesce(func.max(_h.id), 0))
    .where(_h.conversation_id == bindparam("conversation_id"), _h.owner == "bot")
    .scalar_subquery()
)
# When the matter came to people, since the bot had it last.
_WANTED_AT = Prepared(
    select(_h.at)
    .where(_h.conversation_id == bindparam("conversation_id"), _h.owner != "bot", _h.id > _with_bot)
    .order_by(_h.id)
    .limit(1)
)
