"""Every message, in and out, and how far it has come."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, Protocol

from sqlalchemy import Select, bindparam, case, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from desk import events, files, live
from desk.errors import NotFound
from desk.text import one_line, storable
from desk.verdicts import Use
from desk.who import Actor
from storage.base import Db, JsonValue, new_uid
from storage.models.conversations import conversations, early_statuses, messages, outbox
from storage.prepared import Prepared

Author = Literal["customer", "bot", "staff", "system"]

# How far a message has come. A status moves up and never down; proof of delivery outweighs a report of failure.
_RANKS: Mapping[str, int] = {
    "queued": 0,
    "held": 0,
    "accepted": 1,
    "scheduled": 1,
    "parked": 1,
    "sending": 2,
    "sent": 3,
    "failed": 4,
    "undelivered": 4,
    "refused": 4,
    "canceled": 4,
    "delivered": 5,
    "read": 6,
}

_SAID = ("accepted", "queued")
# Under way or there, as far as anybody knows.
_SENT = (*_SAID, "sending", "sent", "delivered")
# There is nothing to answer: a note of people, or what a customer did without saying anything.
NOTED = "noted"
# Known not to have got through, so that saying it again doubles nothing.
LOST = ("failed", "undelivered", "refused")

StatusChange = Literal["changed", "ignored", "unknown"]


@dataclass(frozen=True, slots=True)
class Message:
    """`content` is null when `text` says it all, else JSON: the neutral message (out), or its parts (in)."""

    id: int
    uid: str
    conversation_id: int
    direction: str
    author: str
    user_id: int | None
    is_private: bool
    text: str
    content: JsonValue
    provider_id: str | None
    status: str
    error_code: str | None
    error_text: str | None
    turn_id: int | None
    sent_at: datetime | None
    created_at: datetime


def add_in(
    db: Db,
    *,
    tenant_id: int,
    conversation_id: int,
    account_id: int,
    text: str,
    content: Sequence[JsonValue] | None = None,
    raw: Mapping[str, JsonValue] | None = None,
    provider_id: str | None,
    sent_at: datetime | None = None,
    is_whole: bool = True,
    is_notice: bool = False,
    now: datetime,
) -> int | None:
    """The id of the new message, or None when the provider has delivered this one before (`id_of` finds it). Subscribers
    hear of one that `is_whole`; of another when its words are there (`whole`). `is_notice`: nothing is said in it, so it
    is unread for nobody.
    """
    added: int | None = _ADD_IN(
        db,
        {
            "uid": new_uid(),
            "tenant_id": tenant_id,
            "conversation_id": conversation_id,
            "account_id": account_id,
            "text": storable(text),
            "content": content,
            "raw": raw,
            "provider_id": provider_id,
            "status": NOTED if is_notice else "received",
            "sent_at": sent_at,
            "created_at": now,
        },
    ).scalar_one_or_none()
    if added is not None:
        live.changed(db, tenant_id, conversation_id, "message", message_id=added)
        if is_whole:
            events.emit(db, tenant_id, "message.received", lambda: _told(db, added), now=now)
    return added


def received(db: Db, message_id: int) -> Message:
    """What a customer sent, as it is kept.

    Raises: NotFound
    """
    row = db.execute(_MESSAGE.where(_m.id == message_id, _m.direction == "in")).one_or_none()
    if row is None:
        raise NotFound("message", message_id)
    return Message(*row)


def whole(db: Db, message_id: int, text: str, content: Sequence[JsonValue], *, is_told: bool, now: datetime) -> None:
    """All words of a message have come. `is_told`: subscribers have heard of it before."""
    values = {"text": storable(text), "content": content}
    row = db.execute(
        update(messages).where(_m.id == message_id).values(values).returning(_m.tenant_id, _m.conversation_id)
    ).one()
    live.changed(db, row.tenant_id, row.conversation_id, "file", message_id=message_id)
    live.changed(db, row.tenant_id, row.conversation_id, "conversation")
    if not is_told:
        events.emit(db, row.tenant_id, "message.received", lambda: _told(db, message_id), now=now)


def add_out(
    db: Db,
    *,
    tenant_id: int,
    conversation_id: int,
    account_id: int,
    author: Author,
    text: str,
    content: Mapping[str, JsonValue] | None = None,
    status: str,
    turn_id: int | None = None,
    user_id: int | None = None,
    is_private: bool = False,
    dedupe: str | None = None,
    error_code: str | None = None,
    error_text: str | None = None,
    scheduled_for: datetime | None = None,
    use: Use | None = None,
    about: tuple[int, int] | None = None,
    uid: str | None = None,
    now: datetime,
) -> int | None:
    """The id of the new message, or None when one with this `dedupe` was said before.

    `status`: accepted (goes out in the webhook's answer), queued (in the outbox), scheduled (at `scheduled_for`), held
    (until then, with the error that says why), parked (until the customer writes again) or refused (with it too) or, for a
    private one, noted. `turn_id` is the message that it answers. `uid` is for a caller who has said it already; `use` is
    None for what people and bots say. `about` is the visit that it reminds of, and its `sequence` then.
    """
    added: int | None = _ADD_OUT(
        db,
        {
            "uid": uid or new_uid(),
            "tenant_id": tenant_id,
            "conversation_id": conversation_id,
            "account_id": account_id,
            "author": author,
            "user_id": user_id,
            "is_private": is_private,
            "text": storable(text),
            "content": content,
            "status": status,
            "error_code": error_code,
            "error_text": error_text,
            "turn_id": turn_id,
            "dedupe": dedupe,
            "scheduled_for": scheduled_for,
            "use": use,
            "appointment_id": about and about[0],
            "appointment_sequence": about and about[1],
            "created_at": now,
        },
    ).scalar_one_or_none()
    if added is not None:
        live.changed(db, tenant_id, conversation_id, "message", message_id=added)
        if status in _SAID and not is_private:
            events.emit(db, tenant_id, "message.sent", lambda: _told(db, added), now=now)
    return added


def add_note(db: Db, *, tenant_id: int, conversation_id: int, account_id: int, text: str, now: datetime) -> int:
    """The id of a line that the house writes for colleagues, and that is said to nobody."""
    message_id = add_out(
        db,
        tenant_id=tenant_id,
        conversation_id=conversation_id,
        account_id=account_id,
        author="system",
        text=text,
        is_private=True,
        status=NOTED,
        now=now,
    )
    assert message_id is not None  # noqa: S101  without `dedupe` nothing keeps it
    return message_id


def id_of(db: Db, account_id: int, provider_id: str) -> int | None:
    """Our id of the provider's message, or None."""
    found: int | None = _ID_OF(db, {"account_id": account_id, "provider_id": provider_id}).scalar_one_or_none()
    return found


def content_of(db: Db, uid: str) -> JsonValue:
    """What a message of whatever tenant holds besides its text, for whoever has a signed link to it; None when nothing."""
    content: JsonValue = _CONTENT_BY_UID(db, {"uid": uid}).scalar_one_or_none()
    return content


def choice_ids(db: Db, account_id: int, provider_id: str) -> list[str]:
    """The ids of the choices that came with a message of ours, which its provider knows by that id."""
    content = _CONTENT_OF(db, {"account": account_id, "provider": provider_id}).scalar_one_or_none()
    choices = content.get("choices") if isinstance(content, dict) else None
    return [str(one["id"]) for one in choices if isinstance(one, dict)] if isinstance(choices, list) else []


@dataclass(frozen=True, slots=True)
class Nameless:
    """A message that the provider has not taken yet, or did not deliver under the `earlier_ids` and is to have again."""

    id: int
    earlier_ids: Collection[str]


def without_provider_id(db: Db, account_id: int, uid: str) -> Nameless | None:
    """An outgoing message whose provider id is not known yet, found by its own; None when it is known."""
    row = _NAMELESS(db, {"account_id": account_id, "uid": uid}).one_or_none()
    return None if row is None else Nameless(row.id, row.part_ids or ())


def is_of(db: Db, account_id: int, uid: str) -> bool:
    """Whether the message with that id of ours went out over that account."""
    return _OUT_OF(db, {"account_id": account_id, "uid": uid}).first() is not None


def id_of_dedupe(db: Db, dedupe: str) -> int | None:
    """Our id of the message that was said under this name, or None."""
    found: int | None = _OF_DEDUPE(db, {"dedupe": dedupe}).scalar_one_or_none()
    return found


def was_said(db: Db, conversation_id: int, prefix: str, *, since: datetime) -> bool:
    """Whether something was said there since then under a name that begins so."""
    named = _m.conversation_id == conversation_id, _m.dedupe.startswith(prefix, autoescape=True), _m.created_at > since
    return db.execute(select(_m.id).where(*named).limit(1)).scalar_one_or_none() is not None


def id_of_uid(db: Db, conversation_id: int, uid: str) -> int | None:
    """Our id of a message of this conversation by the one that is told outside, or None."""
    found: int | None = _OF_UID(db, {"conversation_id": conversation_id, "uid": uid}).scalar_one_or_none()
    return found


@dataclass(frozen=True, slots=True)
class Quotable:
    """A message that can be quoted; `provider_id` is None as long as its provider has not said how it calls it."""

    uid: str
    provider_id: str | None


def quotable(db: Db, conversation_id: int, uid: str) -> Quotable | None:
    """What was said in this conversation under that id, by either side; None when there is none, or it is a note."""
    row = _QUOTABLE(db, {"conversation_id": conversation_id, "uid": uid}).one_or_none()
    return None if row is None else Quotable(*row)


@dataclass(frozen=True, slots=True)
class Named:
    """A message that another one answers, or that a reaction is on."""

    uid: str
    conversation_id: int
    author: Author
    user_id: int | None
    text: str


def target(content: JsonValue) -> str:
    """The name of the message that one with this content answers, reacts to or changes; empty when there is none."""
    if isinstance(content, dict):
        reaction = content.get("reaction")
        return str(content.get("reply_to") or (reaction.get("target", "") if isinstance(reaction, dict) else ""))
    parts = [one for one in content if isinstance(one, dict)] if isinstance(content, list) else []
    return next((str(one.get("target", "")) for one in parts if one.get("type") in _ABOUT), "")


def named(db: Db, account_id: int, names: Collection[str]) -> dict[str, Named]:
    """The messages of that account under these names: the provider's, or our own where the channel is ours."""
    found: dict[str, Named] = {}
    ours = {name for name in names if _UID.fullmatch(name)}
    for column, some in ((_m.uid, ours), (_m.provider_id, {*names} - ours)):
        if not some:
            continue
        wanted = select(column, _m.uid, _m.conversation_id, _m.author, _m.user_id, _m.text).where(
            _m.account_id == account_id, column.in_(some), _m.is_private.is_(False)
        )
        found |= {row[0]: Named(*row[1:]) for row in db.execute(wanted)}
    return found


def said_last(db: Db, conversation_id: int) -> str:
    """The customer's latest words; empty when there are none."""
    wanted = select(_m.text).where(_m.conversation_id == conversation_id, _m.direction == "in", _m.text != "")
    found: str | None = db.execute(wanted.order_by(_m.id.desc()).limit(1)).scalar_one_or_none()
    return found or ""


def replies_of(db: Db, message_id: int) -> list[Message]:
    """What was said in answer to an inbound message, in order: a duplicate of it is answered the same again."""
    return [Message(*row) for row in _REPLIES(db, {"message_id": message_id})]


def history(
    db: Db,
    who: Actor,
    conversation_id: int,
    *,
    after: int | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[Message]:
    """Messages of a conversation in order: the first after the id `after`, or else the last (before `before`)."""
    wanted = {"conversation_id": conversation_id, "tenant_id": who.tenant_id, "limit": limit}
    if after is not None:
        return [Message(*row) for row in _AFTER(db, {**wanted, "after": after})]
    rows = _BEFORE(db, {**wanted, "before": _BEYOND if before is None else before}).all()
    return [Message(*row) for row in reversed(rows)]


def set_status(
    db: Db,
    account_id: int,
    provider_id: str,
    status: str,
    *,
    error_code: str | None = None,
    error_text: str | None = None,
    now: datetime,
) -> StatusChange:
    """Note how far one of our messages has come.

    "ignored" when it has come at least as far already (or the status is none we know). "unknown" when no message has
    this id (yet): the callback may overtake the answer to our request, so it is kept for `attach_provider_id`.
    """
    if status not in _RANKS:
        return "ignored"
    values = {"account": account_id, "provider": provider_id}
    new = {"new_status": status, "new_rank": _RANKS[status]}
    new |= {"new_code": error_code, "new_text": error_text and one_line(error_text, 500)}
    if _advance(db, {**values, **new}):
        return "changed"
    if db.dialect.name == "postgresql":
        # Our own request may be writing down this id right now: wait for it, and look again.
        _LOCK(db, values)
        if _advance(db, {**values, **new}):
            return "changed"
    if _KNOWN(db, values).first() is not None:
        return "ignored"
    early = {"account_id": account_id, "provider_id": provider_id, "status": status, "error_code": error_code}
    _KEEP(db, {**early, "created_at": now})
    return "unknown"


def attach_provider_id(db: Db, message_id: int, provider_id: str, status: str) -> str:
    """Note under which id the provider took our message; the status it has now, which may have come before this.

    Raises: KeyError when `status` is none of ours
    """
    account_id: int = _ACCOUNT_OF(db, {"message_id": message_id}).scalar_one()
    values = {"account": account_id, "provider": provider_id}
    if db.dialect.name == "postgresql":
        _LOCK(db, values)
    _ATTACH(db, {"this_id": message_id, "provider": provider_id})
    known = [(_RANKS[status], status, None), *((_RANKS[row.status], *row) for row in _TAKE_EARLY(db, values))]
    rank, furthest, code = max(known, key=lambda one: one[0])
    new = {"new_status": furthest, "new_rank": rank, "new_code": code, "new_text": None}
    _advance(db, {**values, **new})
    now_is: str = _STATUS_OF(db, {"message_id": message_id}).scalar_one()
    return now_is


def known_as(db: Db, message_id: int, provider_id: str) -> None:
    """Note how the provider calls what we tell of in that message of ours, so that it is known when told again."""
    _ATTACH(db, {"this_id": message_id, "provider": provider_id})


class Charged(Protocol):
    """What a provider says that a message of ours has cost (`channels.messages.Charge`)."""

    @property
    def provider_id(self) -> str: ...
    @property
    def millionths(self) -> int: ...
    @property
    def currency(self) -> str: ...


def charge(db: Db, account_id: int, told: Charged) -> None:
    """Keep what a message has cost; what is none of ours is passed over."""
    ours = {"account": account_id, "provider": told.provider_id}
    _CHARGE(db, {**ours, "millionths": told.millionths, "unit": told.currency})


def bill(db: Db, account_id: int, provider_id: str, *, is_billable: bool, category: str) -> None:
    """Keep whether the provider counts it as one to be paid, and as which kind."""
    _BILL(db, {"account": account_id, "provider": provider_id, "paid": is_billable, "category": category or None})


def set_off(db: Db, message_id: int, *, is_told: bool = False, now: datetime) -> int:
    """A message that was to go out later does so now; its new number. It moves to the end of its conversation, where
    those who have read up to there find it; outside it keeps its name. `is_told`: subscribers have heard of it before.
    """
    its_files = files.moved(db, message_id, None)
    row = db.execute(delete(messages).where(_m.id == message_id).returning(messages)).one()
    values = {**row._mapping, "status": "queued", "error_code": None, "error_text": None, "provider_id": None}
    del values["id"]
    moved: int = db.execute(insert(messages).values(**values).returning(_m.id)).scalar_one()
    if its_files:
        files.moved(db, None, moved, its_files)
    db.execute(update(conversations).where(conversations.c.id == row.conversation_id).values(last_out_at=now))
    live.changed(db, row.tenant_id, row.conversation_id, "status", message_id=moved)
    if not is_told:
        events.emit(db, row.tenant_id, "message.sent", lambda: _told(db, moved), now=now)
    return moved


def reword(db: Db, message_id: int, text: str) -> None:
    """It was said in other words than we meant to: more of them, or cut off in the middle."""
    content = db.execute(select(_m.content).where(_m.id == message_id)).scalar_one_or_none()
    changed: dict[str, Any] = {"text": storable(text)}
    if isinstance(content, dict):
        changed["content"] = {**content, "text": storable(text)}
    _see(db, message_id, **changed)


def send_after_all(db: Db, message_id: int) -> None:
    """What was to be said is to be sent: it is about to be put into the outbox."""
    _see(db, message_id, status="queued")


def give_up(db: Db, message_id: int, status: str, *, code: str, text: str) -> None:
    """`refused` by us, `failed` at the provider, or `parked` until they write: people see the sentence beside it."""
    _see(db, message_id, status=status, error_code=code or None, error_text=one_line(text, 500))  # unless it was erased


def tell_changed(db: Db, message_id: int, how: str, *, now: datetime) -> None:
    """Subscribers hear that what was said was `changed` or `revoked`: whoever has kept its words looks again."""
    tenant_id: int = db.execute(select(_m.tenant_id).where(_m.id == message_id)).scalar_one()
    events.emit(db, tenant_id, "message.changed", lambda: {**_told(db, message_id), "change": how}, now=now)


def tell_lost(db: Db, message_id: int, *, now: datetime) -> None:
    """Subscribers hear that a message did not get through, and by which code of the provider's."""
    row = db.execute(select(_m.tenant_id, _m.error_code).where(_m.id == message_id)).one_or_none()
    if row is not None:  # unless it was erased

        def told() -> dict[str, JsonValue]:
            return {**_told(db, message_id), "error_code": row.error_code}

        events.emit(db, row.tenant_id, "message.failed", told, now=now)


def is_final(status: str) -> bool:
    """Whether there is nothing more to be said of a message, except that it was read after all."""
    return _RANKS.get(status, 0) >= _RANKS["failed"]


def never_told(db: Db, message_id: int) -> bool:
    """People see beside a message that nobody has said what became of it; False when somebody has."""
    row = db.execute(
        update(messages)
        .where(_m.id == message_id, _m.status.in_(("accepted", "queued", "sending")))
        .values(error_code="no_news", error_text="The provider has not said what became of it.")
        .returning(_m.tenant_id, _m.conversation_id)
    ).one_or_none()
    if row is not None:
        live.changed(db, row.tenant_id, row.conversation_id, "status", message_id=message_id)
    return row is not None


def hold(db: Db, message_id: int, *, until: datetime, code: str, text: str) -> None:
    """It waits until then: people see the sentence beside the message."""
    _see(db, message_id, status="held", error_code=code, error_text=one_line(text, 500), scheduled_for=until)


def let_go(db: Db, message_id: int) -> None:
    """What was held is on its way."""
    _see(db, message_id, status="queued", error_code=None, error_text=None, scheduled_for=None)


def _see(db: Db, message_id: int, **values: Any) -> None:
    row = db.execute(
        update(messages).where(_m.id == message_id).values(**values).returning(_m.tenant_id, _m.conversation_id)
    ).one_or_none()
    if row is not None:
        live.changed(db, row.tenant_id, row.conversation_id, "status", message_id=message_id)


def _told(db: Db, message_id: int) -> dict[str, JsonValue]:
    """What subscribers are told of a message: never its words."""
    row = db.execute(
        select(_m.uid, conversations.c.uid, conversations.c.channel, _m.direction, _m.author, _m.status)
        .join(conversations, conversations.c.id == _m.conversation_id)
        .where(_m.id == message_id)
    ).one()
    names = ("message_id", "conversation_id", "channel", "direction", "author", "status")
    return dict(zip(names, row, strict=True))


def _advance(db: Db, values: Mapping[str, object]) -> bool:
    """True when the message had not come as far yet; whoever looks on is told."""
    row = _SET_STATUS(db, values).first()
    if row is None:
        return False
    live.changed(db, row.tenant_id, row.conversation_id, "status", message_id=row.id)
    return True


def seen(db: Db, who: Actor, conversation_id: int, up_to: int) -> int:
    """How many of our messages, up to that one, have come to be read: where the channel is our own, no provider says so.

    What was never sent stays as it is.
    """
    rows = _SEEN(db, {"tenant": who.tenant_id, "conversation": conversation_id, "up_to": up_to}).all()
    for row in rows:
        live.changed(db, who.tenant_id, conversation_id, "status", message_id=row.id, detail="read")
    return len(rows)


def forget_early(db: Db, before: datetime) -> int:
    """How many statuses of messages that never turned up were thrown away."""
    return _FORGET_EARLY(db, {"before": before}).rowcount


_UID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ABOUT: Final = ("quote", "reaction", "edit", "revoke")  # parts that name another message
_BEYOND = 2**62  # larger than any id

_m = messages.c
_e = early_statuses.c
_COLUMNS = (
    _m.id,
    _m.uid,
    _m.conversation_id,
    _m.direction,
    _m.author,
    _m.user_id,
    _m.is_private,
    _m.text,
    _m.content,
    _m.provider_id,
    _m.status,
    _m.error_code,
    _m.error_text,
    _m.turn_id,
    _m.sent_at,
    _m.created_at,
)
_MESSAGE: Select[*tuple[Any, ...]] = select(*_COLUMNS)
_IN = {"direction": "in", "author": "customer"}
_ADD_IN = Prepared(
    {
        "sqlite": sqlite.insert(messages).values(**_IN).on_conflict_do_nothing().returning(_m.id),
        "postgresql": postgresql.insert(messages).values(**_IN).on_conflict_do_nothing().returning(_m.id),
    }
)
_ADD_OUT = Prepared(
    {
        "sqlite": sqlite.insert(messages).values(direction="out").on_conflict_do_nothing().returning(_m.id),
        "postgresql": postgresql.insert(messages).values(direction="out").on_conflict_do_nothing().returning(_m.id),
    }
)
_ID_OF = Prepared(
    select(_m.id).where(_m.account_id == bindparam("account_id"), _m.provider_id == bindparam("provider_id"))
)
_OF_UID = Prepared(select(_m.id).where(_m.uid == bindparam("uid"), _m.conversation_id == bindparam("conversation_id")))
_CONTENT_BY_UID = Prepared(select(_m.content).where(_m.uid == bindparam("uid"), _m.direction == "out"))
_QUOTABLE = Prepared(
    select(_m.uid, _m.provider_id).where(
        _m.uid == bindparam("uid"), _m.conversation_id == bindparam("conversation_id"), _m.is_private.is_(False)
    )
)
_OF_DEDUPE = Prepared(select(_m.id).where(_m.dedupe == bindparam("dedupe")))
_OUT_OF = Prepared(
    select(_m.id).where(_m.uid == bindparam("uid"), _m.account_id == bindparam("account_id"), _m.direction == "out")
)
_NAMELESS = Prepared(
    select(_m.id, outbox.c.part_ids)
    .outerjoin(outbox, outbox.c.message_id == _m.id)
    .where(
        _m.uid == bindparam("uid"),
        _m.account_id == bindparam("account_id"),
        _m.direction == "out",
        _m.provider_id.is_(None),
    )
)
# By way of the conversation, whose index it can use.
_asked = messages.alias("asked")
_REPLIES = Prepared(
    _MESSAGE.join(_asked, _asked.c.conversation_id == _m.conversation_id)
    .where(_asked.c.id == bindparam("message_id"), _m.id > _asked.c.id, _m.turn_id == _asked.c.id)
    .order_by(_m.id)
)
_OF_CONVERSATION = _MESSAGE.where(
    _m.conversation_id == bindparam("conversation_id"), _m.tenant_id == bindparam("tenant_id")
).limit(bindparam("limit"))
_AFTER = Prepared(_OF_CONVERSATION.where(_m.id > bindparam("after")).order_by(_m.id))
_BEFORE = Prepared(_OF_CONVERSATION.where(_m.id < bindparam("before")).order_by(_m.id.desc()))
_OURS = (
    _m.account_id == bindparam("account"),
    _m.provider_id == bindparam("provider"),
    _m.direction == "out",
)
_SEEN = Prepared(
    update(messages)
    .where(
        _m.conversation_id == bindparam("conversation"),
        _m.tenant_id == bindparam("tenant"),
        _m.direction == "out",
        _m.is_private.is_(False),
        _m.id <= bindparam("up_to"),
        _m.status.in_(_SENT),
    )
    .values(status="read")
    .returning(_m.id)
)
_SET_STATUS = Prepared(
    update(messages)
    .where(*_OURS, case(_RANKS, value=_m.status, else_=0) < bindparam("new_rank"))
    .values(status=bindparam("new_status"), error_code=bindparam("new_code"), error_text=bindparam("new_text"))
    .returning(_m.id, _m.tenant_id, _m.conversation_id)
)
_CHARGE = Prepared(
    update(messages)
    .where(*_OURS)
    .values(price_millionths=bindparam("millionths"), price_currency=bindparam("unit", type_=_m.price_currency.type))
)
_BILL = Prepared(
    update(messages)
    .where(*_OURS, _m.is_billable.is_(None))  # each piece of news says it again
    .values(is_billable=bindparam("paid"), billed_as=bindparam("category"))
)
_KNOWN = Prepared(select(_m.id).where(*_OURS))
_CONTENT_OF = Prepared(select(_m.content).where(*_OURS))
_LOCK = Prepared(
    select(
        func.pg_advisory_xact_lock(
            func.hashtextextended(bindparam("provider", type_=_m.provider_id.type), bindparam("account"))
        )
    )
)
_KEEP = Prepared(insert(early_statuses))
_ACCOUNT_OF = Prepared(select(_m.account_id).where(_m.id == bindparam("message_id")))
_STATUS_OF = Prepared(select(_m.status).where(_m.id == bindparam("message_id")))
_ATTACH = Prepared(update(messages).where(_m.id == bindparam("this_id")).values(provider_id=bindparam("provider")))
_TAKE_EARLY = Prepared(
    delete(early_statuses)
    .where(_e.account_id == bindparam("account"), _e.provider_id == bindparam("provider"))
    .returning(_e.status, _e.error_code)
)
_FORGET_EARLY = Prepared(delete(early_statuses).where(_e.created_at < bindparam("before")))
