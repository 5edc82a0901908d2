"""The people of the inbox: who may answer, and whether they are there."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from sqlalchemy import bindparam, select, update

from desk import audit, refs
from desk.errors import Invalid, NotAllowed, NotFound
from desk.refs import Ref
from desk.who import Actor
from storage.base import Db
from storage.models.tenants import users
from storage.prepared import Prepared
from storage.session import announce

Availability = Literal["online", "away", "away_and_reassigning"]
ANSWERING: Final = ("owner", "admin", "agent")  # roles that write to customers
# So long after they were last seen people count as there: a minute for a cut line, and the seconds between two notes of it.
HERE_FOR: Final = timedelta(seconds=80)


@dataclass(frozen=True, slots=True)
class Person:
    id: int
    uid: str
    full_name: str
    role: str
    availability: Availability
    max_conversations: int | None


def answering(db: Db, who: Actor, ref: Ref, *, field: str = "agent_id") -> Person:
    """The person that `ref` names, who is active and may write to customers.

    Raises:
        NotFound: another tenant's, or no longer active.
        Invalid: their role only reads.
    """
    row = refs.row(db, users, who, ref, "user")
    if not row.is_active:
        raise NotFound("user", ref)
    if row.role not in ANSWERING:
        raise Invalid(field, "Somebody with this role does not answer customers.")
    return Person(row.id, row.uid, row.full_name, row.role, row.availability, row.max_conversations)


def oneself(db: Db, who: Actor) -> Person:
    """Raises: NotAllowed, for a program"""
    if who.user_id is None:
        raise NotAllowed("Only a person who signed in can do this.")
    return Person(*_PERSON(db, {"user_id": who.user_id, "tenant_id": who.tenant_id}).one())


def set_availability(db: Db, who: Actor, availability: Availability, *, now: datetime) -> Person:
    """Oneself, there or away from now on; what waits is given to those who are there.

    Who says so is there, as if connected just now: for those who work without a live connection.

    Raises: NotAllowed, for a program
    """
    me = oneself(db, who)
    seen(db, [me.id], now=now)
    if me.availability == availability:
        return me
    db.execute(update(users).where(users.c.id == me.id).values(availability=availability))
    before, after = {"availability": me.availability}, {"availability": availability}
    audit.record(db, who, "user.availability_changed", "user", me.id, before, after, now, uid=me.uid)
    announce(db, f"inbox:{who.tenant_id}")
    return oneself(db, who)


def seen(db: Db, user_ids: Collection[int], *, now: datetime) -> None:
    """These people are connected to the live inbox now; to be said again well before `HERE_FOR` is over."""
    db.execute(update(users).where(users.c.id.in_(sorted(user_ids))).values(seen_at=now))


_u = users.c
_PERSON = Prepared(
    select(_u.id, _u.uid, _u.full_name, _u.role, _u.availability, _u.max_conversations).where(
        _u.id == bindparam("user_id"), _u.tenant_id == bindparam("tenant_id")
    )
)
