"""The messages of a conversation as people see them, with who wrote them and whom a note names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select

from desk import files, refs
from desk import messages as messages_of
from desk.errors import NotFound
from desk.files import File
from desk.inbox import search
from desk.listing import Found, Window
from desk.refs import Ref
from desk.who import Actor
from storage.base import Db, JsonValue
from storage.models.conversations import conversations, messages
from storage.models.inbox import mentions
from storage.models.tenants import users


@dataclass(frozen=True, slots=True)
class Line:
    """A message. `content` is null when `text` says it all, else JSON: the neutral message (out), or its parts (in).

    `author_uid` and `author_name` are of the person who wrote it; `mentions` the people whom a private note names; `files`
    what we have or expect of the files in `content`; `reply_to` the message that it answers or reacts to.
    """

    id: int
    uid: str
    tenant_id: int
    conversation_id: int
    conversation_uid: str
    account_id: int
    direction: str
    author: str
    author_uid: str | None
    author_name: str | None
    is_private: bool
    text: str
    content: JsonValue
    status: str
    error_code: str | None
    error_text: str | None
    scheduled_for: datetime | None
    sent_at: datetime | None
    created_at: datetime
    price_millionths: int | None
    price_currency: str | None
    is_billable: bool | None
    billed_as: str | None
    mentions: tuple[str, ...] = ()
    files: tuple[File, ...] = ()
    reply_to: str | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """Part of a thread, oldest first. `has_more`: there are more in the direction that was asked for."""

    lines: list[Line]
    total: int
    has_more: bool


def read(
    db: Db,
    who: Actor,
    ref: Ref,
    *,
    after: Ref | None = None,
    before: Ref | None = None,
    offset: int = 0,
    limit: int = 50,
) -> Piece:
    """The first messages after the one named `after`; else the last ones, or the last before `before`.

    Raises: NotFound, also for an `after` or `before` of another conversation
    """
    conversation_id = refs.id_of(db, conversations, who, ref, "conversation")
    wanted = _LINES.where(_m.conversation_id == conversation_id, _m.tenant_id == who.tenant_id)
    total: int = db.execute(
        select(func.count()).select_from(messages).where(_m.conversation_id == conversation_id)
    ).scalar_one()
    if before is not None:
        wanted = wanted.where(_m.id < _in(db, who, conversation_id, before))
    if after is not None:
        wanted = wanted.where(_m.id > _in(db, who, conversation_id, after)).order_by(_m.id)
    else:
        wanted = wanted.order_by(_m.id.desc())
    rows = db.execute(wanted.offset(offset).limit(limit + 1)).all()
    lines = _whole(db, rows[:limit])
    return Piece(lines if after is not None else lines[::-1], total, len(rows) > limit)


def get(db: Db, who: Actor, ref: Ref) -> Line:
    """One message.

    Raises: NotFound
    """
    return by_id(db, who, refs.id_of(db, messages, who, ref, "message"))


def by_id(db: Db, who: Actor, message_id: int) -> Line:
    """The same by our own number, which news of a change carry.

    Raises: NotFound
    """
    row = db.execute(_LINES.where(_m.id == message_id, _m.tenant_id == who.tenant_id)).one_or_none()
    if row is None:
        raise NotFound("message", message_id)
    return _whole(db, [row])[0]


def find(db: Db, who: Actor, window: Window, *, words: str) -> Found[Line]:
    """Messages of the tenant that have all the words in them, newest first (`search` says what words are).

    `total` counts no further than `search.MOST`.
    """
    hits = search.find(db, who, words, offset=window.offset, limit=window.limit)
    if not hits.ids:
        return Found([], hits.total)
    rows = db.execute(_LINES.where(_m.id.in_(hits.ids), _m.tenant_id == who.tenant_id).order_by(_m.id.desc())).all()
    return Found(_whole(db, rows), hits.total)


def transcript(db: Db, who: Actor, ref: Ref, *, private: bool = False) -> list[Line]:
    """All that was said from the beginning, with the notes of people when asked.

    Raises: NotFound
    """
    conversation_id = refs.id_of(db, conversations, who, ref, "conversation")
    wanted = _LINES.where(_m.conversation_id == conversation_id, _m.tenant_id == who.tenant_id).order_by(_m.id)
    if not private:
        wanted = wanted.where(_m.is_private.is_(False))
    return _whole(db, db.execute(wanted).all())


def _in(db: Db, who: Actor, conversation_id: int, ref: Ref) -> int:
    found = refs.row(db, messages, who, ref, "message")
    if found.conversation_id != conversation_id:
        raise NotFound("message", ref)
    return int(found.id)


def _whole(db: Db, rows: Sequence[Any]) -> list[Line]:
    named = _mentions(db, [row.id for row in rows if row.is_private])
    found = files.of_messages(db, [row.id for row in rows if row.content is not None])
    answered = _answered(db, rows)
    return [
        replace(
            Line(*row),
            mentions=named.get(row.id, ()),
            files=found.get(row.id, ()),
            reply_to=answered.get((row.conversation_id, messages_of.target(row.content))),
        )
        for row in rows
    ]


def _answered(db: Db, rows: Sequence[Any]) -> Mapping[tuple[int, str], str]:
    """By conversation and name: the ids of the messages that these answer or react to."""
    names: dict[int, set[str]] = {}
    for row in rows:
        if name := messages_of.target(row.content):
            names.setdefault(row.account_id, set()).add(name)
    return {
        (one.conversation_id, name): one.uid
        for account_id, wanted in names.items()
        for name, one in messages_of.named(db, account_id, wanted).items()
    }


def _mentions(db: Db, message_ids: Sequence[int]) -> Mapping[int, tuple[str, ...]]:
    if not message_ids:
        return {}
    found: dict[int, tuple[str, ...]] = {}
    wanted = select(mentions.c.message_id, users.c.uid).join(users, users.c.id == mentions.c.user_id)
    for message_id, uid in db.execute(wanted.where(mentions.c.message_id.in_(message_ids)).order_by(mentions.c.id)):
        found[message_id] = (*found.get(message_id, ()), uid)
    return found


_m = messages.c
_LINES: Select[*tuple[Any, ...]] = select(
    _m.id,
    _m.uid,
    _m.tenant_id,
    _m.conversation_id,
    conversations.c.uid.label("conversation_uid"),
    _m.account_id,
    _m.direction,
    _m.author,
    users.c.uid.label("author_uid"),
    users.c.full_name.label("author_name"),
    _m.is_private,
    _m.text,
    _m.content,
    _m.status,
    _m.error_code,
    _m.error_text,
    _m.scheduled_for,
    _m.sent_at,
    _m.created_at,
    _m.price_millionths,
    _m.price_currency,
    _m.is_billable,
    _m.billed_as,
).select_from(
    messages.join(conversations, conversations.c.id == _m.conversation_id).outerjoin(users, users.c.id == _m.user_id)
)
