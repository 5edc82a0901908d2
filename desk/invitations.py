"""Invitations: a role for whoever holds the link that was sent to an e-mail. One at a time, or many as a job."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, and_, insert, select, update

from desk import audit, records, refs, sign_in
from desk.errors import AlreadyThere, DeskError, Invalid, NotAllowed, NotFound, WrongState
from desk.listing import Found, Window, contains, page
from desk.refs import Ref
from desk.sign_in import Account
from desk.who import Actor
from storage import queue
from storage.base import Db, new_uid
from storage.models.sign_in import invitations
from storage.models.tenants import tenants, users
from storage.models.work import transfers
from storage.session import Conflict, attempt

LAST: Final = timedelta(days=7)
MANY: Final = "invitations"  # the job that works through a list

_NOUN = "invitation"
_BATCH = 50  # invitations in one transaction
_PROBLEMS = 100  # that are kept of one list

_i, _t = invitations.c, transfers.c


@dataclass(frozen=True, slots=True)
class Invitation:
    """`status`: pending, accepted, revoked or expired."""

    id: int
    uid: str
    tenant_id: int
    tenant_name: str
    email: str
    full_name: str
    role: str
    status: str
    invited_by: str | None
    created_at: datetime
    expires_at: datetime
    accepted_at: datetime | None


@dataclass(frozen=True, slots=True)
class Many:
    """How far a list of invitations has come. `problems` are the first: row (from 1), field, problem."""

    uid: str
    status: str
    total: int
    done: int
    made: int
    refused: int
    problems: Sequence[Mapping[str, Any]]
    created_at: datetime
    finished_at: datetime | None


# Told of each new invitation of a list, in its transaction: makes the secret and has it sent; its digest.
Post = Callable[[Db, Invitation], str]


def find(
    db: Db,
    who: Actor,
    window: Window,
    *,
    search: str | None = None,
    role: str | None = None,
    status: str | None = None,
    now: datetime,
) -> Found[Invitation]:
    """The tenant's, the newest first."""
    wanted = _SELECT.where(_i.tenant_id == who.tenant_id)
    if search:
        wanted = wanted.where(contains(search, _i.email, _i.full_name))
    if role is not None:
        wanted = wanted.where(_i.role == role)
    if status is not None:
        wanted = wanted.where(_has_status(status, now))
    sorts = {"created_at": _i.created_at, "email": _i.email, "expires_at": _i.expires_at}
    return page(db, wanted, window, lambda row: _one(row, now), sorts=sorts, by="-created_at", tie=_i.id)


def get(db: Db, who: Actor, ref: Ref, *, now: datetime) -> Invitation:
    """Raises: NotFound"""
    return _by_id(db, refs.id_of(db, invitations, who, ref, _NOUN), now=now)


def add(
    db: Db, who: Actor, values: Mapping[str, Any], *, gives: Collection[str], digest: str, now: datetime
) -> Invitation:
    """`values`: email, full_name, role.

    Raises: NotAllowed; AlreadyThere, for somebody who is here or has been invited
    """
    _may_give(values["role"], gives)
    email = values["email"]
    here = select(users.c.id).where(users.c.email == email, users.c.tenant_id == who.tenant_id)
    if db.execute(here).first() is not None:
        raise AlreadyThere("user", "email")
    waits = select(_i.id).where(_i.tenant_id == who.tenant_id, _i.email == email, _has_status("pending", now))
    if db.execute(waits).first() is not None:
        raise AlreadyThere(_NOUN, "email")
    made = records.add(
        db,
        who,
        invitations,
        {**values, "digest": digest, "invited_by": who.user_id, "expires_at": now + LAST},
        noun=_NOUN,
        unique="email",
        now=now,
    )
    return _by_id(db, made.id, now=now)


def renew(db: Db, who: Actor, ref: Ref, *, gives: Collection[str], digest: str, now: datetime) -> Invitation:
    """The invitation with a new link; the one before opens nothing any more.

    Raises: NotFound, NotAllowed, WrongState
    """
    before = _open(db, who, ref, gives)
    values = {"digest": digest, "expires_at": now + LAST}
    db.execute(update(invitations).where(_i.id == before.id).values(**values))
    audit.record(db, who, "invitation.resent", _NOUN, before.id, None, None, now, uid=before.uid)
    return _by_id(db, before.id, now=now)


def revoke(db: Db, who: Actor, ref: Ref, *, gives: Collection[str], now: datetime) -> None:
    """Raises: NotFound, NotAllowed; WrongState, once it was accepted"""
    before = _open(db, who, ref, gives)
    db.execute(update(invitations).where(_i.id == before.id).values(revoked_at=now))
    audit.record(db, who, "invitation.revoked", _NOUN, before.id, None, None, now, uid=before.uid)


def whose(db: Db, digest: str, *, now: datetime) -> Invitation:
    """The invitation a link belongs to.

    Raises: Invalid
    """
    return _pending(db, digest, now=now)


def accept(db: Db, digest: str, *, full_name: str | None, password_hash: str, now: datetime) -> Account:
    """Whoever is now one of the people of the tenant.

    Raises: Invalid; AlreadyThere, when the e-mail has come into use elsewhere
    """
    taken = _pending(db, digest, lock=True, now=now)
    person = {
        "email": taken.email,
        "full_name": full_name or taken.full_name or taken.email,
        "role": taken.role,
        "password_hash": password_hash,
    }
    who = Actor(taken.tenant_id, "system")
    made = records.add(db, who, users, person, noun="user", unique="email", now=now)
    db.execute(update(invitations).where(_i.id == taken.id).values(accepted_at=now, user_id=made.id))
    account = sign_in.account(db, who, made.id)
    after = {"user": made.uid}
    audit.record(db, account.actor, "invitation.accepted", _NOUN, taken.id, None, after, now, uid=taken.uid)
    return account


def add_many(db: Db, who: Actor, rows: Sequence[Mapping[str, str]], *, gives: Collection[str], now: datetime) -> Many:
    """A list that a job works through: `rows` have email, full_name and role.

    Raises: NotAllowed, when one of the roles is not the caller's to give
    """
    for role in {row["role"] for row in rows}:
        _may_give(role, gives)
    made = db.execute(
        insert(transfers)
        .values(
            uid=new_uid(),
            tenant_id=who.tenant_id,
            created_by=who.user_id,
            kind="invitations",
            noun="invitations",
            status="waiting",
            options={"rows": [dict(row) for row in rows], "gives": sorted(gives), "by": who.name},
            total=len(rows),
            problems=[],
            created_at=now,
        )
        .returning(transfers)
    ).one()
    shown = {"total": len(rows)}
    audit.record(db, who, "invitations.started", "transfer", made.id, None, shown, now, uid=made.uid)
    _next(db, made.id, who.tenant_id, now=now)
    return _many(made)


def progress(db: Db, who: Actor, ref: Ref) -> Many:
    """Raises: NotFound"""
    found = refs.row(db, transfers, who, ref, "list of invitations")
    if found.kind != "invitations":
        raise NotFound("list of invitations", ref)
    return _many(found)


def work_on(db: Db, transfer_id: int, post: Post, *, now: datetime) -> None:
    """The next few invitations of a list, and the job for those after them."""
    found = db.execute(select(transfers).where(_t.id == transfer_id).with_for_update()).one_or_none()
    if found is None or found.status not in ("waiting", "running"):
        return
    rows = found.options["rows"]
    who = _starter(db, found)
    made, problems = 0, list(found.problems)
    batch = rows[found.done : found.done + _BATCH]
    for number, row in enumerate(batch, start=found.done + 1):
        problem = _one_of_many(db, who, row, found.options["gives"], post, now=now)
        made += problem is None
        if problem is not None and len(problems) < _PROBLEMS:
            problems.append({"row": number, "field": "email", "problem": problem})
    done = found.done + len(batch)
    values: dict[str, Any] = {
        "status": "running",
        "done": done,
        "made": found.made + made,
        "refused": found.refused + len(batch) - made,
        "problems": problems,
    }
    if done >= len(rows):
        values |= {"status": "done", "finished_at": now, "options": {}}  # whom it was about is in the invitations
    else:
        _next(db, found.id, found.tenant_id, now=now)
    db.execute(update(transfers).where(_t.id == found.id).values(**values))


def _one_of_many(
    db: Db, who: Actor, row: Mapping[str, str], gives: Collection[str], post: Post, *, now: datetime
) -> str | None:
    """What is wrong with it, else None."""
    try:
        with attempt(db):
            # A digest of nothing holds the place until there is a secret to make one of.
            made = add(db, who, row, gives=gives, digest=new_uid(), now=now)
            db.execute(update(invitations).where(_i.id == made.id).values(digest=post(db, made)))
    except DeskError as refused:
        return refused.message
    except Conflict:
        return "This one was invited at the same time."
    return None


def _starter(db: Db, found: Row[Any]) -> Actor:
    if found.created_by is None:
        return Actor(found.tenant_id, "app", name=found.options.get("by", ""))
    return sign_in.account(db, Actor(found.tenant_id, "system"), found.created_by).actor


def _next(db: Db, transfer_id: int, tenant_id: int, *, now: datetime) -> None:
    queue.enqueue(db, MANY, {"transfer_id": transfer_id}, now=now, tenant_id=tenant_id, priority=1)


def _may_give(role: str, gives: Collection[str]) -> None:
    if role not in gives:
        raise NotAllowed(f"You may not invite somebody as {role}.", role=role)


def _open(db: Db, who: Actor, ref: Ref, gives: Collection[str]) -> Row[Any]:
    found = refs.row(db, invitations, who, ref, _NOUN, lock=True)
    _may_give(found.role, gives)
    for state, since in (("accepted", found.accepted_at), ("revoked", found.revoked_at)):
        if since is not None:
            raise WrongState(_NOUN, found.id, state, f"This invitation was {state}.")
    return found


def _pending(db: Db, digest: str, *, lock: bool = False, now: datetime) -> Invitation:
    wanted = _SELECT.where(_i.digest == digest)
    if lock:
        wanted = wanted.with_for_update(of=invitations)
    row = db.execute(wanted).one_or_none()
    found = None if row is None else _one(row, now)
    if found is None or found.status != "pending":
        raise Invalid("token", "This invitation is no good (any more); ask for a new one.")
    return found


def _by_id(db: Db, invitation_id: int, *, now: datetime) -> Invitation:
    return _one(db.execute(_SELECT.where(_i.id == invitation_id)).one(), now)


_SELECT = (
    select(invitations, tenants.c.name.label("tenant_name"), users.c.uid.label("inviter"))
    .join(tenants, tenants.c.id == _i.tenant_id)
    .outerjoin(users, users.c.id == _i.invited_by)
)


def _has_status(status: str, now: datetime) -> ColumnElement[bool]:
    is_open = and_(_i.accepted_at.is_(None), _i.revoked_at.is_(None))
    found: Mapping[str, ColumnElement[bool]] = {
        "accepted": _i.accepted_at.is_not(None),
        "revoked": _i.revoked_at.is_not(None),
        "pending": and_(is_open, _i.expires_at > now),
        "expired": and_(is_open, _i.expires_at <= now),
    }
    return found[status]


def _status(row: Row[Any], now: datetime) -> str:
    if row.accepted_at is not None:
        return "accepted"
    if row.revoked_at is not None:
        return "revoked"
    return "pending" if row.expires_at > now else "expired"


def _one(row: Row[Any], now: datetime) -> Invitation:
    return Invitation(
        id=row.id,
        uid=row.uid,
        tenant_id=row.tenant_id,
        tenant_name=row.tenant_name,
        email=row.email,
        full_name=row.full_name,
        role=row.role,
        status=_status(row, now),
        invited_by=row.inviter,
        created_at=row.created_at,
        expires_at=row.expires_at,
        accepted_at=row.accepted_at,
    )


def _many(row: Row[Any]) -> Many:
    return Many(
        uid=row.uid,
        status=row.status,
        total=row.total or 0,
        done=row.done,
        made=row.made,
        refused=row.refused,
        problems=row.problems,
        created_at=row.created_at,
        finished_at=row.finished_at,
    )
