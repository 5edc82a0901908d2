"""Who gets what waits: nobody by itself, in turns, or whoever has the least; only people who are there and have room.

There is who says so and is connected, or was a moment ago: a colleague who closed the laptop is given nothing.

Given in the transaction that put it into the queue, or by the sweeper once somebody is there again. The tenant's row is
locked for it, so that two processes neither give a conversation twice nor a person more than they have room for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import and_, bindparam, func, select, update

from desk import conversations as talk
from desk.conversations import Due
from desk.inbox import rules, sla
from desk.inbox.people import ANSWERING, HERE_FOR
from desk.who import Actor
from storage.base import Db
from storage.models.conversations import conversations
from storage.models.inbox import team_members, teams
from storage.models.tenants import tenants, users
from storage.prepared import Prepared

_LAST: Final = "last_assigned_user_id"  # in `tenants.settings`: whose turn it was, where there is no team


@dataclass(frozen=True, slots=True)
class Free:
    """Somebody who is there and has room; `load` open conversations are theirs."""

    user_id: int
    load: int


def entered(db: Db, tenant_id: int, conversation_id: int, *, now: datetime) -> int | None:
    """What happens when a conversation has come into the queue: the clock of the promise starts, and somebody gets it
    if the rules say so. Their number, or None.
    """
    sla.waits(db, conversation_id, now=now)
    return assign(db, tenant_id, conversation_id, now=now)


def assign(db: Db, tenant_id: int, conversation_id: int, *, now: datetime) -> int | None:
    """Give what waits to somebody by the rules; their number, or None when it waits on (or does not wait at all)."""
    who = Actor(tenant_id, "system")
    context = talk.by_id(db, who, conversation_id)
    if context.owner != "queue" or context.status == "closed":
        return None
    row = db.execute(select(_c.team_id).where(_c.id == conversation_id)).one()
    mode = _mode(db, tenant_id, row.team_id)
    if mode == "manual":
        return None
    settings = db.execute(
        select(tenants.c.settings).where(tenants.c.id == tenant_id).with_for_update(key_share=True)
    ).scalar_one()
    last = settings.get(_LAST)
    if row.team_id is not None:
        last = db.execute(select(teams.c.last_assigned_user_id).where(teams.c.id == row.team_id)).scalar_one()
    chosen = choose(free(db, tenant_id, row.team_id, now=now), mode=mode, last=last)
    if chosen is None:
        return None
    talk.take_over(db, who, conversation_id, user_id=chosen, reason=mode, now=now)
    if row.team_id is not None:
        db.execute(update(teams).where(teams.c.id == row.team_id).values(last_assigned_user_id=chosen))
    else:
        changed = {**settings, _LAST: chosen}
        db.execute(update(tenants).where(tenants.c.id == tenant_id).values(settings=changed))
    return chosen


def choose(candidates: Sequence[Free], *, mode: rules.Assignment, last: int | None) -> int | None:
    """In turns: the next after `last`, around and around. By load: who has least, and of those the next in turn."""

    def turn(one: Free) -> tuple[bool, int]:
        return last is not None and one.user_id <= last, one.user_id

    if not candidates:
        return None
    if mode == "load":
        return min(candidates, key=lambda one: (one.load, *turn(one))).user_id
    return min(candidates, key=turn).user_id


def free(db: Db, tenant_id: int, team_id: int | None, *, now: datetime) -> list[Free]:
    """Who may be given one more: of the team, or of everybody who answers customers."""
    u = users.c
    load = func.count(_c.id)
    wanted = (
        select(u.id, load)
        .select_from(
            users.outerjoin(conversations, and_(_c.owner_user_id == u.id, _c.owner == "staff", _c.status == "open"))
        )
        .where(u.tenant_id == tenant_id, u.is_active.is_(True), u.role.in_(ANSWERING))
        .where(u.availability == "online", u.seen_at > now - HERE_FOR)
        .group_by(u.id, u.max_conversations)
        .having(func.coalesce(u.max_conversations, 2**31 - 1) > load)
        .order_by(u.id)
    )
    if team_id is not None:
        wanted = wanted.where(u.id.in_(select(team_members.c.user_id).where(team_members.c.team_id == team_id)))
    return [Free(*row) for row in db.execute(wanted)]


def waiting(db: Db, now: datetime, limit: int = 100) -> list[Due]:
    """What waits and could be given to somebody by the rules, the longest first. For the sweeper; it only reads."""
    found: list[Due] = []
    for pool in _POOLS(db, {}).all():
        if free(db, pool.tenant_id, pool.team_id, now=now):
            found += [
                Due(*row) for row in _QUEUED(db, {"tenant_id": pool.tenant_id, "team_id": pool.team_id, "limit": limit})
            ]
    return sorted(found, key=lambda one: (one.since, one.id))[:limit]


def pass_on(db: Db, tenant_id: int, conversation_id: int, user_id: int, *, now: datetime) -> bool:
    """When whoever has it is away and passes on what comes back, it waits for somebody else. True when it does."""
    row = _PERSON(db, {"user_id": user_id}).one()
    is_away = row.availability == "away_and_reassigning" or not row.is_active
    if row.availability == "away":
        is_away = rules.load(db, tenant_id).reassign_when_away
    if not is_away:
        return False
    talk.to_queue(db, Actor(tenant_id, "system"), conversation_id, reason="away", now=now)
    entered(db, tenant_id, conversation_id, now=now)
    return True


def _mode(db: Db, tenant_id: int, team_id: int | None) -> rules.Assignment:
    if team_id is None:
        return rules.load(db, tenant_id).assignment
    found: Any = db.execute(select(teams.c.assignment).where(teams.c.id == team_id)).scalar_one()
    mode: rules.Assignment = found
    return mode


_c = conversations.c
_PERSON = Prepared(select(users.c.availability, users.c.is_active).where(users.c.id == bindparam("user_id")))
_WAITS = _c.owner == "queue", _c.status == "open"
# Tenants and teams in which something waits that the rules would give to somebody.
_POOLS = Prepared(
    select(_c.tenant_id, _c.team_id)
    .distinct()
    .select_from(conversations.join(tenants, tenants.c.id == _c.tenant_id).outerjoin(teams, teams.c.id == _c.team_id))
    .where(
        *_WAITS,
        func.coalesce(teams.c.assignment, tenants.c.settings["inbox"]["assignment"].as_string(), "manual") != "manual",
    )
)
_QUEUED = Prepared(
    select(_c.id, _c.tenant_id, _c.owner_since)
    .where(
        *_WAITS,
        _c.tenant_id == bindparam("tenant_id"),
        func.coalesce(_c.team_id, 0) == func.coalesce(bindparam("team_id", type_=_c.team_id.type), 0),
    )
    .order_by(_c.owner_since, _c.id)
    .limit(bindparam("limit"))
)
