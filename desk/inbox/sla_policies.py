"""Promises of time that a tenant makes, for all its conversations or for those of a team."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select

from desk import records, refs
from desk.errors import Invalid
from desk.inbox import sla
from desk.listing import Found, Window, contains, page
from desk.refs import Ref
from desk.who import Actor
from storage.base import Db
from storage.models.inbox import sla_policies as table
from storage.models.inbox import teams

_NOUN = "sla policy"
_t = table.c
_PROMISES = ("first_answer_minutes", "next_answer_minutes", "resolution_minutes")


@dataclass(frozen=True, slots=True)
class SlaPolicy:
    """Minutes, None where nothing is promised. Without a team it holds for everything that has no policy of its own."""

    id: int
    uid: str
    name: str
    team_uid: str | None
    first_answer_minutes: int | None
    next_answer_minutes: int | None
    resolution_minutes: int | None
    warn_minutes: int
    in_business_hours: bool
    created_at: datetime


def find(db: Db, who: Actor, window: Window, *, search: str | None = None) -> Found[SlaPolicy]:
    """The tenant's, by name."""
    wanted = _POLICIES.where(_t.tenant_id == who.tenant_id)
    if search:
        wanted = wanted.where(contains(search, _t.name))
    sorts = {"name": _t.name, "created_at": _t.created_at}
    return page(db, wanted, window, _one, sorts=sorts, by="name", tie=_t.id)


def get(db: Db, who: Actor, ref: Ref) -> SlaPolicy:
    """Raises: NotFound"""
    found = refs.row(db, table, who, ref, _NOUN)
    return _one(db.execute(_POLICIES.where(_t.id == found.id)).one())


def add(db: Db, who: Actor, values: Mapping[str, Any], *, now: datetime) -> SlaPolicy:
    """`values`: the fields of a policy, and `team_id`. It holds at once, also for who waits already.

    Raises: AlreadyThere, when there is one for this team (or one without); NotFound, Invalid
    """
    made = records.add(db, who, table, _own(db, who, values), noun=_NOUN, unique="team_id", now=now)
    return _settled(db, who, made, now=now)


def change(db: Db, who: Actor, ref: Ref, values: Mapping[str, Any], *, now: datetime) -> SlaPolicy:
    """Raises: NotFound, AlreadyThere, Invalid"""
    own = _own(db, who, values)
    changed = records.change(db, who, table, ref, own, noun=_NOUN, unique="team_id", now=now)
    return _settled(db, who, changed, now=now)


def remove(db: Db, who: Actor, ref: Ref, *, now: datetime) -> None:
    """Raises: NotFound"""
    records.remove(db, who, table, ref, noun=_NOUN, now=now)
    sla.retime_all(db, who.tenant_id, now=now)


def _own(db: Db, who: Actor, values: Mapping[str, Any]) -> dict[str, Any]:
    own = dict(values)
    if "team_id" in own:
        own["team_id"] = refs.maybe_id_of(db, teams, who, own["team_id"], "team")
    return own


def _settled(db: Db, who: Actor, row: Row[Any], *, now: datetime) -> SlaPolicy:
    if all(getattr(row, name) is None for name in _PROMISES):
        raise Invalid(_PROMISES[0], "Promise at least one of: a first answer, a next answer, a resolution.")
    sla.retime_all(db, who.tenant_id, now=now)
    return get(db, who, row.id)


_POLICIES = select(table, teams.c.uid.label("team_uid")).select_from(table.outerjoin(teams, teams.c.id == _t.team_id))


def _one(row: Row[Any]) -> SlaPolicy:
    return SlaPolicy(
        id=row.id,
        uid=row.uid,
        name=row.name,
        team_uid=row.team_uid,
        first_answer_minutes=row.first_answer_minutes,
        next_answer_minutes=row.next_answer_minutes,
        resolution_minutes=row.resolution_minutes,
        warn_minutes=row.warn_minutes,
        in_business_hours=row.in_business_hours,
        created_at=row.created_at,
    )
