"""The audit, to be read: who changed what, the newest first."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select

from desk.listing import Found, Window, page
from desk.who import Actor
from storage.base import Db
from storage.models.audit import audit
from storage.models.tenants import users

_l = audit.c


@dataclass(frozen=True, slots=True)
class Entry:
    """`actor_uid` is a person's; a program is known by its name alone. `noun_uid` is None where the outside has no id."""

    id: int
    at: datetime
    actor: str
    actor_uid: str | None
    actor_name: str
    action: str
    noun: str
    noun_uid: str | None
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None


def find(
    db: Db,
    who: Actor,
    window: Window,
    *,
    user: str | None = None,
    actor: str | None = None,
    action: str | None = None,
    noun: str | None = None,
    noun_uid: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Found[Entry]:
    """The tenant's. `until` is not included."""
    wanted = (
        select(audit, users.c.uid.label("user_uid"), users.c.full_name)
        .outerjoin(users, (users.c.id == _l.actor_id) & (users.c.tenant_id == _l.tenant_id))
        .where(_l.tenant_id == who.tenant_id)
    )
    if user is not None:
        wanted = wanted.where(users.c.uid == str(UUID(user)))
    if noun_uid is not None:
        wanted = wanted.where(_l.noun_uid == str(UUID(noun_uid)))
    for column, value in ((_l.actor, actor), (_l.action, action), (_l.noun, noun)):
        if value is not None:
            wanted = wanted.where(column == value)
    if since is not None:
        wanted = wanted.where(_l.at >= since)
    if until is not None:
        wanted = wanted.where(_l.at < until)
    return page(db, wanted, window, _one, sorts={"at": _l.id}, by="-at", tie=_l.id)


def _one(row: Row[Any]) -> Entry:
    return Entry(
        id=row.id,
        at=row.at,
        actor=row.actor,
        actor_uid=row.user_uid,
        actor_name=row.full_name or row.actor_name,
        action=row.action,
        noun=row.noun,
        noun_uid=row.noun_uid,
        before=row.before,
        after=row.after,
    )
