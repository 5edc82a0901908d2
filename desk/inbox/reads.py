"""How far each person has read, and what is unread for them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, exists, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from desk.messages import NOTED
from desk.who import Actor
from storage.base import Db
from storage.models.conversations import conversations, messages
from storage.models.inbox import reads
from storage.prepared import Prepared


def mark(db: Db, who: Actor, conversation_id: int, message_id: int, *, now: datetime) -> None:
    """Whoever acts has read everything up to that message; never less than before."""
    if who.user_id is None:
        return
    values = {"conversation_id": conversation_id, "user_id": who.user_id, "message_id": message_id, "at": now}
    _MARK(db, values)


def mark_all(db: Db, who: Actor, conversation_id: int, *, now: datetime) -> None:
    """Everything there is by now; for the owner of the conversation nothing waits there any more."""
    last = _LAST(db, {"conversation_id": conversation_id}).scalar_one()
    if last is not None:
        mark(db, who, conversation_id, last, now=now)
    if who.user_id is not None:
        is_theirs = _c.owner == "staff", _c.owner_user_id == who.user_id
        db.execute(update(conversations).where(_c.id == conversation_id, *is_theirs).values(unread_count=0))


def seen_of_theirs(db: Db, conversation_id: int) -> str | None:
    """The customer's last message that a person has seen, by its UUID."""
    found: str | None = _SEEN(db, {"conversation_id": conversation_id}).scalar_one_or_none()
    return found


def counts(db: Db, who: Actor, conversation_ids: Sequence[int]) -> dict[int, int]:
    """How many messages of customers each of them holds that whoever asks has not read; those with none are left out.

    For a program: what no person of the business has looked at.
    """
    if not conversation_ids:
        return {}
    if who.user_id is None:
        found = db.execute(select(_c.id, _c.unread_count).where(_c.id.in_(conversation_ids), _c.unread_count > 0))
    else:
        found = db.execute(
            select(_m.conversation_id, func.count())
            .select_from(messages.outerjoin(reads, _is_read_by(who)))
            .where(_m.conversation_id.in_(conversation_ids), *_UNREAD)
            .group_by(_m.conversation_id)
        )
    return {row[0]: row[1] for row in found}


def is_unread(who: Actor) -> ColumnElement[bool]:
    """For a query over conversations: those in which something is unread for whoever asks."""
    if who.user_id is None:
        return _c.unread_count > 0
    last_read = (
        select(func.coalesce(func.max(_r.message_id), 0))
        .where(_r.conversation_id == _c.id, _r.user_id == who.user_id)
        .correlate(conversations)
        .scalar_subquery()
    )
    newer = select(_m.id).where(_m.conversation_id == _c.id, *_SAID, _m.id > last_read)
    return exists(newer.correlate(conversations))


def _is_read_by(who: Actor) -> ColumnElement[bool]:
    return and_(_r.conversation_id == _m.conversation_id, _r.user_id == who.user_id)


_c, _m, _r = conversations.c, messages.c, reads.c
_SAID: tuple[ColumnElement[bool], ...] = (_m.direction == "in", _m.status != NOTED)
_UNREAD: tuple[ColumnElement[bool], ...] = (*_SAID, _m.id > func.coalesce(_r.message_id, 0))
_SEEN = Prepared(
    select(_m.uid)
    .where(
        _m.conversation_id == bindparam("conversation_id"),
        _m.direction == "in",
        _m.id <= select(func.max(_r.message_id)).where(_r.conversation_id == _m.conversation_id).scalar_subquery(),
    )
    .order_by(_m.id.desc())
    .limit(1)
)
_LAST = Prepared(select(func.max(_m.id)).where(_m.conversation_id == bindparam("conversation_id")))


def _mark(dialect: type[sqlite.Insert] | type[postgresql.Insert]) -> Any:
    new = dialect(reads)
    return new.on_conflict_do_update(
        index_elements=[_r.conversation_id, _r.user_id],
        set_={"message_id": new.excluded.message_id, "at": new.excluded.at},
        where=_r.message_id < new.excluded.message_id,
    )


_MARK = Prepared({"sqlite": _mark(sqlite.Insert), "postgresql": _mark(postgresql.Insert)})
