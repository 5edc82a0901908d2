"""Private notes in a conversation, and the people whom they name."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, insert, select, update

from desk import live, messages, refs
from desk.conversations import Context
from desk.errors import Invalid, NotFound
from desk.inbox import people, reads
from desk.listing import Found, Window, page
from desk.refs import Ref
from desk.who import Actor
from storage.base import Db
from storage.models.conversations import conversations
from storage.models.conversations import messages as message_table
from storage.models.inbox import mentions
from storage.models.tenants import users
from storage.prepared import Prepared

_MOST = 50  # people named in one note


@dataclass(frozen=True, slots=True)
class Mention:
    """A note that names whoever asks."""

    message_id: int
    message_uid: str
    conversation_uid: str
    text: str
    author_uid: str | None
    author_name: str | None
    at: datetime
    seen_at: datetime | None


def add(
    db: Db,
    who: Actor,
    context: Context,
    text: str,
    *,
    names: Sequence[str] = (),
    dedupe: str | None = None,
    now: datetime,
) -> int | None:
    """Keep a note for the people of the business; those in `names` (ids or e-mails) are told. None: it was kept before.

    Raises: Invalid, for a name that is nobody's
    """
    named: dict[int, None] = {}
    for place, name in enumerate(names[:_MOST]):
        person_id = _person(db, who, name)
        if person_id is None:
            raise Invalid(f"mentions.{place}", "There is nobody with this id or e-mail on the team.")
        named[person_id] = None
    message_id = messages.add_out(
        db,
        tenant_id=context.tenant_id,
        conversation_id=context.id,
        account_id=context.account_id,
        author="staff",
        user_id=who.user_id,
        is_private=True,
        text=text,
        status=messages.NOTED,
        dedupe=dedupe,
        now=now,
    )
    if message_id is None:
        return None
    for person_id in named:
        values = {"conversation_id": context.id, "message_id": message_id, "user_id": person_id, "at": now}
        db.execute(insert(mentions).values(tenant_id=context.tenant_id, **values))
        live.changed(db, context.tenant_id, context.id, "mention", message_id=message_id, user_id=person_id)
    reads.mark(db, who, context.id, message_id, now=now)
    return message_id


def mentioned(db: Db, who: Actor, window: Window, *, seen: bool | None = None) -> Found[Mention]:
    """Where whoever asks is named, the newest first.

    Raises: NotAllowed, for a program
    """
    me = people.oneself(db, who)
    wanted = (
        select(
            _n.message_id,
            message_table.c.uid,
            conversations.c.uid,
            message_table.c.text,
            users.c.uid,
            users.c.full_name,
            _n.at,
            _n.seen_at,
        )
        .select_from(
            mentions.join(message_table, message_table.c.id == _n.message_id)
            .join(conversations, conversations.c.id == _n.conversation_id)
            .outerjoin(users, users.c.id == message_table.c.user_id)
        )
        .where(_n.user_id == me.id, _n.tenant_id == who.tenant_id)
    )
    if seen is not None:
        wanted = wanted.where(_n.seen_at.is_not(None) if seen else _n.seen_at.is_(None))
    return page(db, wanted, window, _mention, sorts={"at": _n.at}, by="-at", tie=_n.id)


def seen(db: Db, who: Actor, refs_of: Sequence[Ref] | None = None, *, now: datetime) -> int:
    """Whoever acts has seen these notes, or all that name them; how many were new.

    Raises: NotFound; NotAllowed, for a program
    """
    me = people.oneself(db, who)
    change = update(mentions).where(_n.user_id == me.id, _n.seen_at.is_(None)).values(seen_at=now)
    if refs_of is not None:
        ids = [refs.id_of(db, message_table, who, ref, "message") for ref in refs_of]
        change = change.where(_n.message_id.in_(ids))
    return db.execute(change).rowcount


def unseen(db: Db, who: Actor) -> int:
    """How many notes name whoever asks and are new to them."""
    wanted = select(func.count()).select_from(mentions).where(_n.user_id == who.user_id, _n.seen_at.is_(None))
    count: int = db.execute(wanted).scalar_one() if who.user_id is not None else 0
    return count


def _mention(row: Any) -> Mention:
    return Mention(*row)


def _person(db: Db, who: Actor, name: str) -> int | None:
    if "@" in name:
        found: int | None = _BY_EMAIL(db, {"tenant_id": who.tenant_id, "email": name.lower()}).scalar_one_or_none()
        return found
    try:
        row = refs.row(db, users, who, name, "user")
    except NotFound:
        return None
    return row.id if row.is_active else None


_n = mentions.c
_BY_EMAIL = Prepared(
    select(users.c.id).where(
        users.c.tenant_id == bindparam("tenant_id"), users.c.email == bindparam("email"), users.c.is_active.is_(True)
    )
)
