"""Teams: who answers what, and how it is given to them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from desk import audit, records, refs
from desk.inbox import people
from desk.listing import Found, Window, contains, page
from desk.refs import Ref
from desk.who import Actor
from storage.base import Db
from storage.models.conversations import conversations
from storage.models.inbox import team_members
from storage.models.inbox import teams as table
from storage.models.tenants import users

_NOUN = "team"
_t = table.c


@dataclass(frozen=True, slots=True)
class Member:
    uid: str
    full_name: str
    role: str
    availability: str


@dataclass(frozen=True, slots=True)
class Team:
    """`assignment`: manual, round_robin or load."""

    id: int
    uid: str
    name: str
    description: str
    assignment: str
    members: tuple[Member, ...]
    created_at: datetime


def find(db: Db, who: Actor, window: Window, *, search: str | None = None) -> Found[Team]:
    """The tenant's, by name."""
    wanted = select(table).where(_t.tenant_id == who.tenant_id)
    if search:
        wanted = wanted.where(contains(search, _t.name, _t.description))
    sorts = {"name": _t.name, "created_at": _t.created_at}
    found = page(db, wanted, window, lambda row: row, sorts=sorts, by="name", tie=_t.id)
    return Found(_complete(db, found.items), found.total)


def get(db: Db, who: Actor, ref: Ref) -> Team:
    """Raises: NotFound"""
    return _complete(db, [refs.row(db, table, who, ref, _NOUN)])[0]


def add(db: Db, who: Actor, values: Mapping[str, Any], *, now: datetime) -> Team:
    """`values`: name, description, assignment, member_ids.

    Raises: AlreadyThere; NotFound and Invalid for a member who is not one of ours or does not answer customers
    """
    own, members = _divided(values)
    made = records.add(db, who, table, own, noun=_NOUN, now=now)
    _set_members(db, who, made, members or (), now=now)
    return _complete(db, [made])[0]


def change(db: Db, who: Actor, ref: Ref, values: Mapping[str, Any], *, now: datetime) -> Team:
    """`member_ids` replaces the members.

    Raises: NotFound, AlreadyThere, Invalid
    """
    own, members = _divided(values)
    changed = records.change(db, who, table, ref, own, noun=_NOUN, now=now)
    if members is not None:
        _set_members(db, who, changed, members, now=now)
    return _complete(db, [changed])[0]


def add_member(db: Db, who: Actor, ref: Ref, user: Ref, *, now: datetime) -> Team:
    """Raises: NotFound, Invalid"""
    team = get(db, who, ref)
    uids = [member.uid for member in team.members]
    person = people.answering(db, who, user, field="user_id")
    return change(db, who, ref, {"member_ids": [*uids, person.uid]}, now=now)


def remove_member(db: Db, who: Actor, ref: Ref, user: Ref, *, now: datetime) -> Team:
    """Raises: NotFound"""
    gone = refs.row(db, users, who, user, "user").uid
    team = get(db, who, ref)
    return change(db, who, ref, {"member_ids": [one.uid for one in team.members if one.uid != gone]}, now=now)


def remove(db: Db, who: Actor, ref: Ref, *, now: datetime) -> None:
    """Its conversations stay, without a team.

    Raises: NotFound
    """
    team = refs.row(db, table, who, ref, _NOUN, lock=True)
    db.execute(update(conversations).where(conversations.c.team_id == team.id).values(team_id=None))
    records.remove(db, who, table, ref, noun=_NOUN, now=now)


def _divided(values: Mapping[str, Any]) -> tuple[dict[str, Any], Sequence[str] | None]:
    own = dict(values)
    members: Sequence[str] | None = own.pop("member_ids", None)
    return own, members


def _set_members(db: Db, who: Actor, team: Row[Any], refs_of: Sequence[Ref], *, now: datetime) -> None:
    m = team_members.c
    before = {
        row.id: row.uid
        for row in db.execute(
            select(users.c.id, users.c.uid).join(team_members, m.user_id == users.c.id).where(m.team_id == team.id)
        )
    }
    known = {uid: number for number, uid in before.items()}
    # Whoever is in already may stay, even when they have been deactivated since.
    after = {
        known.get(str(ref)) or people.answering(db, who, ref, field="member_ids").id: str(ref).lower()
        for ref in refs_of
    }
    if after.keys() == before.keys():
        return
    db.execute(delete(team_members).where(m.team_id == team.id, m.user_id.not_in(after)))
    for user_id in sorted(after.keys() - before.keys()):
        db.execute(insert(team_members).values(team_id=team.id, user_id=user_id))
    old: list[Any] = sorted(before.values())
    new: list[Any] = sorted(after.values())
    audit.record(
        db, who, "team.members_changed", "team", team.id, {"members": old}, {"members": new}, now, uid=team.uid
    )


def _complete(db: Db, rows: Sequence[Row[Any]]) -> list[Team]:
    members: dict[int, tuple[Member, ...]] = {}
    m, u = team_members.c, users.c
    if rows:
        wanted = (
            select(m.team_id, u.uid, u.full_name, u.role, u.availability)
            .join(users, u.id == m.user_id)
            .where(m.team_id.in_([row.id for row in rows]), u.is_active.is_(True))
            .order_by(u.full_name, u.id)
        )
        for team_id, *rest in db.execute(wanted):
            members[team_id] = (*members.get(team_id, ()), Member(*rest))
    return [
        Team(row.id, row.uid, row.name, row.description, row.assignment, members.get(row.id, ()), row.created_at)
        for row in rows
    ]
