"""Conversations, and the token that says who talks in them: the bot, the queue, or one person."""

import contextlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, and_, bindparam, case, exists, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from desk import audit, consent, customers, events, live
from desk.errors import Collision, NotAllowed, NotFound, Stale
from desk.inbox import survey
from desk.text import one_line, storable
from desk.who import Actor
from storage.base import Db, JsonValue, new_uid
from storage.models import customers as customer_models
from storage.models.accounts import accounts
from storage.models.bots import bots
from storage.models.businesses import businesses
from storage.models.conversations import conversations, owner_changes
from storage.models.tenants import users
from storage.prepared import Prepared
from storage.session import Conflict, announce, attempt

Owner = Literal["bot", "queue", "staff"]


@dataclass(frozen=True, slots=True)
class Context:
    """All that a turn needs to know, as of the start of the turn.

    `id` to `last_out_at` is the conversation. `is_out`: they said STOP to this account.
    `broadcast_id`: what was sent to them last, when an answer to it is to be routed.
    """

    tenant_id: int
    business_id: int
    business_revision: int
    account_id: int
    channel: str
    provider: str
    address: str
    bot_id: int | None
    id: int
    uid: str
    peer_kind: str
    peer: str
    status: str
    language: str | None
    owner: Owner
    owner_user_id: int | None
    owner_version: int
    owner_since: datetime
    flow: Mapping[str, JsonValue] | None
    silence_due_at: datetime | None
    flow_expires_at: datetime | None
    unread_count: int
    last_in_at: datetime | None
    last_out_at: datetime | None
    customer_id: int
    customer_name: str | None
    customer_profile_name: str | None
    customer_language: str | None
    is_out: bool
    broadcast_id: int | None = None


@dataclass(frozen=True, slots=True)
class Token:
    """Who talks. `version` goes up with every change."""

    owner: Owner
    user_id: int | None
    version: int


@dataclass(frozen=True, slots=True)
class OwnerChange:
    owner: Owner
    user_id: int | None
    reason: str
    note: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Due:
    """A conversation in which something is due, and since when."""

    id: int
    tenant_id: int
    since: datetime


def find(db: Db, account_id: int, peer_kind: str, peer: str) -> Context | None:
    """The conversation with that peer, or None when there never was one. Others wait for it until the commit."""
    address = {"account_id": account_id, "peer_kind": peer_kind, "peer": peer}
    # The lock is a statement of its own: when it has to be waited for, the joined rows must be read after it.
    if db.dialect.name == "postgresql" and _LOCK_PEER(db, address).one_or_none() is None:
        return None
    row = _OF_PEER(db, address).one_or_none()
    return None if row is None else Context(*row)


def begin(
    db: Db,
    account_id: int,
    *,
    peer_kind: str,
    peer: str,
    others: Collection[tuple[str, str]] = (),
    profile_name: str | None = None,
    now: datetime,
) -> Context:
    """The conversation with that peer, begun if need be, with the customer found by the address or made. `others` are
    further addresses (kind, value) of theirs.

    Where a channel knows one person by several addresses (WhatsApp's number and id), what was begun at another of them goes
    on, and from now on it is with this one. Begun twice at once it is still one. `peer` is canonical (`phone.canonical`).

    Raises: NotFound when there is no such account, or it was disconnected.
    """
    account = _ACCOUNT(db, {"account_id": account_id}).one_or_none()
    if account is None:
        raise NotFound("account", account_id)
    customer = customers.find_or_make(
        db, account.tenant_id, kind=peer_kind, value=peer, others=others, profile_name=profile_name, now=now
    )
    kinds = consent.KINDS.get(account.channel, ())
    may_go_on = len(kinds) > 1 and peer_kind in kinds and not customer.is_new
    customer_id = customers.held(db, customer.id) if may_go_on else customer.id
    values = {
        "uid": new_uid(),
        "tenant_id": account.tenant_id,
        "business_id": account.business_id,
        "account_id": account_id,
        "customer_id": customer_id,
        "bot_id": account.bot_id,
        "channel": account.channel,
        "peer_kind": peer_kind,
        "peer": peer,
        "owner_since": now,
        "created_at": now,
    }
    theirs = {"account_id": account_id, "customer_id": customer_id, "kinds": kinds}
    goes_on = may_go_on and _goes_on(db, theirs, peer_kind, peer)
    is_new = not goes_on and _BEGIN(db, values).rowcount > 0
    found = find(db, account_id, peer_kind, peer)
    if found is None:
        raise NotFound("conversation", None)
    if is_new:
        events.emit(db, found.tenant_id, "conversation.created", lambda: told_of(db, found.id), now=now)
    return found


def meet(db: Db, account_id: int, *, peer_kind: str, peer: str, now: datetime) -> Context:
    """The conversation with that peer: the one there is, as it is, or else a new one (`begin`).

    Raises: NotFound when there is no such account, or it was disconnected.
    """
    known = find(db, account_id, peer_kind, peer)
    return known or begin(db, account_id, peer_kind=peer_kind, peer=peer, now=now)


def move(db: Db, conversation_id: int, *, peer_kind: str, peer: str) -> bool:
    """The conversation is with that address of the same person from now on; False when it is not there any more, or another
    is with that address.
    """
    try:
        with attempt(db):
            return _MOVE(db, {"this_id": conversation_id, "new_kind": peer_kind, "new_peer": peer}).rowcount > 0
    except Conflict:
        return False


def by_id(db: Db, who: Actor, conversation_id: int, *, lock: bool = True) -> Context:
    """The conversation; with `lock`, others wait for it until the commit.

    Raises: NotFound
    """
    wanted = {"conversation_id": conversation_id, "tenant_id": who.tenant_id}
    if lock and db.dialect.name == "postgresql":
        _LOCK_ID(db, wanted).one_or_none()
    row = _OF_ID(db, wanted).one_or_none()
    if row is None:
        raise NotFound("conversation", conversation_id)
    return Context(*row)


def save_turn(
    db: Db,
    conversation_id: int,
    *,
    flow: Mapping[str, JsonValue] | None,
    silence_due_at: datetime | None,
    flow_expires_at: datetime | None,
    last_in_at: datetime | None = None,
    last_out_at: datetime | None = None,
    unread: int = 0,
    language: str | None = None,
) -> None:
    """Keep what a turn has come to. `unread` is added; None for the two last times and the language changes nothing."""
    _SAVE(
        db,
        {
            "this_id": conversation_id,
            "new_flow": flow,
            "new_silence": silence_due_at,
            "new_expiry": flow_expires_at,
            "new_in": last_in_at,
            "new_out": last_out_at,
            "more": unread,
            "new_language": language,
        },
    )


def touch(
    db: Db,
    context: Context,
    *,
    last_in_at: datetime | None = None,
    last_out_at: datetime | None = None,
    unread: int = 0,
    language: str | None = None,
) -> None:
    """Keep that something was said beside the scenario, which stays where it is. `unread` is added; None for the language
    changes nothing.
    """
    save_turn(
        db,
        context.id,
        flow=context.flow,
        silence_due_at=context.silence_due_at,
        flow_expires_at=context.flow_expires_at,
        last_in_at=last_in_at,
        last_out_at=last_out_at,
        unread=unread,
        language=language,
    )


def is_called(db: Db, conversation_id: int, kind: str, value: str, *, now: datetime) -> None:
    """The provider says that this is their address: the customer is known by it from now on. As long as they have not
    written, the conversation is with it, so that their answer comes there.
    """
    row = db.execute(select(_c.tenant_id, _c.account_id, _c.customer_id).where(_c.id == conversation_id)).one()
    customers.know_also(db, row.tenant_id, row.customer_id, [(kind, value)], now=now)
    theirs = conversations.alias("theirs")
    is_taken = exists().where(theirs.c.account_id == row.account_id, theirs.c.peer_kind == kind, theirs.c.peer == value)
    silent = _c.id == conversation_id, _c.peer_kind == kind, _c.last_in_at.is_(None), ~is_taken
    with contextlib.suppress(Conflict), attempt(db):  # they may be writing in this moment
        db.execute(update(conversations).where(*silent).values(peer=value))


def wrote_to(db: Db, conversation_id: int, number: str) -> None:
    """Keep which number of a pool they wrote to: they are answered from it."""
    _WROTE_TO(db, {"this_id": conversation_id, "number": number})


def may_talk(context: Context, speaker: Actor) -> bool:
    """Whether `speaker` has the word now.

    The bot and whatever runs by itself (reminders, nudges, surveys) only while the bot has it; a program that stands in
    for people as long as no person has it; a person when it is theirs; the customer always.
    """
    if speaker.kind == "customer":
        return True
    if speaker.kind == "staff":
        return context.owner == "staff" and context.owner_user_id == speaker.user_id
    if speaker.kind == "app":
        return context.owner != "staff"
    return context.owner == "bot"


def collision(db: Db, context: Context) -> Collision:
    """That the person who has the conversation has it."""
    row = _OWNER(db, {"user_id": context.owner_user_id}).one()
    return Collision(
        context.id, uid=row.uid, name=row.full_name, since=context.owner_since, version=context.owner_version
    )


def take_over(
    db: Db,
    who: Actor,
    conversation_id: int,
    *,
    user_id: int,
    reason: str,
    now: datetime,
    expected_version: int | None = None,
) -> Token:
    """From now on the person talks and the bot is silent. Whoever has it already keeps it.

    With `expected_version` (what the person saw) nobody takes it from a colleague unawares.

    Raises:
        Stale: somebody was quicker.
        NotAllowed: for bots and customers.
        NotFound: also for a person of another tenant.
    """
    _people_only(who, conversation_id)
    if _USER(db, {"user_id": user_id, "tenant_id": who.tenant_id}).one_or_none() is None:
        raise NotFound("user", user_id)
    return _hand(db, who, conversation_id, "staff", user_id, reason=reason, now=now, expected_version=expected_version)


def to_queue(
    db: Db,
    who: Actor,
    conversation_id: int,
    *,
    reason: str,
    note: str = "",
    now: datetime,
    expected_version: int | None = None,
) -> Token:
    """A person is wanted; until one takes over nobody talks. `note` is the bot's summary for them.

    A bot or customer who asks for it while a person has it already changes nothing.

    Raises: Stale, NotFound
    """
    return _hand(
        db,
        who,
        conversation_id,
        "queue",
        None,
        reason=reason,
        note=note,
        now=now,
        expected_version=expected_version,
        keeps=who.kind in {"bot", "customer"},
    )


def give_back(
    db: Db, who: Actor, conversation_id: int, *, reason: str, now: datetime, expected_version: int | None = None
) -> Token:
    """The bot talks again. Also for hand-offs that nobody claimed in time: give `expected_version`, or a person who
    claims it in this moment loses it.

    Raises: Stale, NotAllowed (for bots and customers), NotFound
    """
    _people_only(who, conversation_id)
    return _hand(db, who, conversation_id, "bot", None, reason=reason, now=now, expected_version=expected_version)


def close(db: Db, who: Actor, conversation_id: int, *, reason: str, now: datetime) -> Token:
    """Done with: nothing is unread, no nudge is due, and the bot has the word should they write again. When a person
    has answered, the customer is asked later how it was, if the tenant wants that.

    Raises: NotFound
    """
    token = _hand(db, who, conversation_id, "bot", None, reason=reason, now=now)
    values = {
        "status": "closed",
        "closed_at": now,
        "silence_due_at": None,
        "unread_count": 0,
        "snoozed_until": None,
        **_SETTLED,
    }
    if _set_status(db, who, conversation_id, values, now=now) is not None:
        survey.plan(db, who.tenant_id, conversation_id, now=now)
        events.emit(db, who.tenant_id, "conversation.closed", lambda: told_of(db, conversation_id), now=now)
    return token


def reopen(db: Db, who: Actor, conversation_id: int, *, now: datetime) -> None:
    """Open again, with whoever has the word.

    Raises: NotFound
    """
    values = {"status": "open", "closed_at": None, "snoozed_until": None}
    if _set_status(db, who, conversation_id, values, now=now) == "closed":
        db.execute(update(conversations).where(_c.id == conversation_id).values(first_answered_at=None))
        survey.forget(db, conversation_id)


def snooze(db: Db, who: Actor, conversation_id: int, *, until: datetime, now: datetime) -> None:
    """Out of sight until then, or until the customer writes; whoever has the word keeps it.

    Raises: NotFound
    """
    values = {"status": "snoozed", "closed_at": None, "snoozed_until": until}
    if _set_status(db, who, conversation_id, values, now=now) == "closed":
        survey.forget(db, conversation_id)


def snoozed_due(db: Db, now: datetime, limit: int = 100) -> list[Due]:
    """Conversations that were out of sight until now, the longest due first."""
    return [Due(*row) for row in _SNOOZED(db, {"now": now, "limit": limit})]


def owners(db: Db, who: Actor, conversation_id: int) -> list[OwnerChange]:
    """Who had the word, from the first change on."""
    rows = _OWNERS(db, {"conversation_id": conversation_id, "tenant_id": who.tenant_id})
    return [OwnerChange(*row) for row in rows]


def queued_since(db: Db, before: datetime, limit: int = 100) -> list[Due]:
    """Open conversations that have waited for a person since `before` or longer, the longest first; only where there is
    a bot that could go on instead.
    """
    return [Due(*row) for row in _QUEUED(db, {"before": before, "limit": limit})]


def silent_due(db: Db, now: datetime, limit: int = 100) -> list[Due]:
    """Open conversations in which the bot waits for an answer that has not come in time, the most overdue first."""
    return [Due(*row) for row in _SILENT(db, {"now": now, "limit": limit})]


def expired_flows(db: Db, now: datetime, limit: int = 100) -> list[Due]:
    """Conversations whose scenario has run out of time, whoever talks in them, the most overdue first."""
    return [Due(*row) for row in _EXPIRED(db, {"now": now, "limit": limit})]


def inactive(db: Db, before: datetime, limit: int = 100) -> list[Due]:
    """Open conversations without a message since `before` that nobody waits in, and since when."""
    return [Due(*row) for row in _INACTIVE(db, {"before": before, "limit": limit})]


def told_of(db: Db, conversation_id: int) -> dict[str, JsonValue]:
    """What subscribers are told of a conversation."""
    row = db.execute(
        select(_c.uid, _c.channel, _c.status, _c.owner, _u.uid, users.c.uid)
        .select_from(
            conversations.join(customer_models.customers, _u.id == _c.customer_id).outerjoin(
                users, users.c.id == _c.owner_user_id
            )
        )
        .where(_c.id == conversation_id)
    ).one()
    names = ("conversation_id", "channel", "status", "owner", "customer_id", "assignee_id")
    return dict(zip(names, row, strict=True))


def _goes_on(db: Db, theirs: Mapping[str, object], peer_kind: str, peer: str) -> bool:
    """Whether a conversation that the customer has at another of these addresses is with this one now."""
    there = _THEIRS(db, theirs).all()
    is_with_it = any((one.peer_kind, one.peer) == (peer_kind, peer) for one in there)
    return bool(there) and not is_with_it and move(db, there[0].id, peer_kind=peer_kind, peer=peer)


def _hand(
    db: Db,
    who: Actor,
    conversation_id: int,
    owner: Owner,
    user_id: int | None,
    *,
    reason: str,
    note: str = "",
    now: datetime,
    expected_version: int | None = None,
    keeps: bool = False,
) -> Token:
    """The token, handed to `owner`; with `keeps` a person who has it keeps it."""
    wanted = {"conversation_id": conversation_id, "tenant_id": who.tenant_id}
    row = _TOKEN(db, wanted).one_or_none()
    if row is None:
        raise NotFound("conversation", conversation_id)
    before = Token(row.owner, row.owner_user_id, row.owner_version)
    if expected_version is not None and expected_version != before.version:
        raise Stale("conversation", conversation_id, before.version)
    if (before.owner, before.user_id) == (owner, user_id) or (keeps and before.owner == "staff"):
        return before
    after = Token(owner, user_id, before.version + 1)
    values = {"new_owner": owner, "new_user_id": user_id, "new_version": after.version, "now": now}
    _HAND(db, {**values, "this_id": conversation_id})
    change = {"owner": owner, "owner_user_id": user_id, "reason": one_line(reason, 40), "note": storable(note, 4000)}
    _NOTE(db, {**wanted, **change, "at": now})
    if owner == "bot":
        _SETTLE(db, {"this_id": conversation_id})
    elif owner == "queue":
        _AWAIT(db, {"this_id": conversation_id, "now": now})
    audit.record(
        db,
        who,
        f"conversation.to_{owner}",
        "conversation",
        conversation_id,
        {"owner": before.owner, "user_id": before.user_id},
        {"owner": owner, "user_id": user_id, "version": after.version},
        now,
        uid=row.uid,
    )
    announce(db, f"inbox:{who.tenant_id}")
    live.changed(db, who.tenant_id, conversation_id, "assigned", user_id=user_id, detail=owner)
    if owner != "bot":
        event = "conversation.assigned" if owner == "staff" else "conversation.handed_off"
        events.emit(db, who.tenant_id, event, lambda: told_of(db, conversation_id), now=now)
    return after


def _set_status(db: Db, who: Actor, conversation_id: int, values: Mapping[str, object], *, now: datetime) -> str | None:
    """The status it had before, or None when it has this one already."""
    where = _c.id == conversation_id, _c.tenant_id == who.tenant_id
    row = db.execute(select(_c.status, _c.uid).where(*where)).one_or_none()
    if row is None:
        raise NotFound("conversation", conversation_id)
    before: str = row.status
    if before == values["status"]:
        if before == "snoozed":
            db.execute(update(conversations).where(*where).values(**values))
        return None
    db.execute(update(conversations).where(*where).values(**values))
    status = str(values["status"])
    changed = {"status": before}, {"status": status}
    audit.record(db, who, f"conversation.{status}", "conversation", conversation_id, *changed, now, uid=row.uid)
    announce(db, f"inbox:{who.tenant_id}")
    live.changed(db, who.tenant_id, conversation_id, "conversation", detail=status)
    return before


def _people_only(who: Actor, conversation_id: int) -> None:
    if who.kind in {"bot", "customer"}:
        raise NotAllowed("Only the people of the business can decide that.", id=conversation_id)


_c = conversations.c
_u = customer_models.customers.c
_o = customer_models.consents.c
# STOP by another address of theirs on this channel holds as well (`consent`).
_theirs, _refused = customer_models.customer_identities.c, customer_models.consents.alias("refused")
_REFUSED_BY_OTHER = (
    select(_refused.c.id)
    .join(
        customer_models.customer_identities,
        and_(_theirs.kind == _refused.c.kind, _theirs.value == _refused.c.value),
    )
    .where(
        _theirs.customer_id == _c.customer_id,
        _refused.c.account_id == _c.account_id,
        _refused.c.purpose == "all",
        _refused.c.state == "out",
    )
    .correlate(conversations)
    .exists()
)
# Whether they want nothing written there, in a statement that also joins OWN_CONSENT.
OWN_CONSENT: ColumnElement[bool] = and_(
    _o.account_id == _c.account_id, _o.kind == _c.peer_kind, _o.value == _c.peer, _o.purpose == "all"
)
IS_OUT: ColumnElement[bool] = or_(func.coalesce(_o.state, "in") == "out", _REFUSED_BY_OTHER)
_CONTEXT: Select[*tuple[Any, ...]] = select(
    _c.tenant_id,
    _c.business_id,
    businesses.c.revision,
    _c.account_id,
    _c.channel,
    accounts.c.provider,
    accounts.c.address,
    accounts.c.bot_id,
    _c.id,
    _c.uid,
    _c.peer_kind,
    _c.peer,
    _c.status,
    _c.language,
    _c.owner,
    _c.owner_user_id,
    _c.owner_version,
    _c.owner_since,
    _c.flow,
    _c.silence_due_at,
    _c.flow_expires_at,
    _c.unread_count,
    _c.last_in_at,
    _c.last_out_at,
    _c.customer_id,
    _u.name,
    _u.profile_name,
    _u.language,
    IS_OUT,
    _c.broadcast_id,
).select_from(
    conversations.join(accounts, accounts.c.id == _c.account_id)
    .join(businesses, businesses.c.id == _c.business_id)
    .join(customer_models.customers, _u.id == _c.customer_id)
    .outerjoin(customer_models.consents, OWN_CONSENT)
)
# Of several with one person: that which a person has or should have, else the one in which they were heard last.
PRECEDENCE = (
    case(
        (and_(_c.status != "closed", _c.owner == "staff"), 0),
        (and_(_c.status != "closed", _c.owner == "queue"), 1),
        else_=2,
    ),
    _c.last_in_at.desc().nulls_last(),
    _c.id,
)
_IS_PEER = (
    _c.account_id == bindparam("account_id"),
    _c.peer_kind == bindparam("peer_kind"),
    _c.peer == bindparam("peer"),
)
_IS_ID = _c.id == bindparam("conversation_id"), _c.tenant_id == bindparam("tenant_id")
_OF_PEER = Prepared(_CONTEXT.where(*_IS_PEER))
_OF_ID = Prepared(_CONTEXT.where(*_IS_ID))
# Not FOR UPDATE: that would also wait for everybody who refers to the conversation by a foreign key.
_LOCK_PEER = Prepared(select(_c.id).where(*_IS_PEER).with_for_update(key_share=True))
_LOCK_ID = Prepared(select(_c.id).where(*_IS_ID).with_for_update(key_share=True))
# Who is at several addresses may have had a conversation at each before that was known: one that somebody has goes first.
_THEIRS = Prepared(
    select(_c.id, _c.peer_kind, _c.peer)
    .where(
        _c.account_id == bindparam("account_id"),
        _c.customer_id == bindparam("customer_id"),
        _c.peer_kind.in_(bindparam("kinds", expanding=True)),
    )
    .order_by(*PRECEDENCE)
)
_MOVE = Prepared(
    update(conversations)
    .where(_c.id == bindparam("this_id"))
    .values(peer_kind=bindparam("new_kind"), peer=bindparam("new_peer"))
)
_TOKEN = Prepared(
    select(_c.owner, _c.owner_user_id, _c.owner_version, _c.uid).where(*_IS_ID).with_for_update(key_share=True)
)
_ACCOUNT = Prepared(
    select(accounts).where(accounts.c.id == bindparam("account_id"), accounts.c.disconnected_at.is_(None))
)
_USER = Prepared(
    select(users.c.id).where(
        users.c.id == bindparam("user_id"), users.c.tenant_id == bindparam("tenant_id"), users.c.is_active.is_(True)
    )
)
_OWNER = Prepared(select(users.c.uid, users.c.full_name).where(users.c.id == bindparam("user_id")))
_BEGIN = Prepared(
    {
        "sqlite": sqlite.insert(conversations).on_conflict_do_nothing(),
        "postgresql": postgresql.insert(conversations).on_conflict_do_nothing(),
    }
)
_WROTE_TO = Prepared(
    update(conversations)
    .where(_c.id == bindparam("this_id"), _c.our_number.is_distinct_from(bindparam("number")))
    .values(our_number=bindparam("number"))
)
_SAVE = Prepared(
    update(conversations)
    .where(_c.id == bindparam("this_id"))
    .values(
        flow=bindparam("new_flow"),
        silence_due_at=bindparam("new_silence"),
        flow_expires_at=bindparam("new_expiry"),
        last_in_at=func.coalesce(bindparam("new_in", type_=_c.last_in_at.type), _c.last_in_at),
        last_out_at=func.coalesce(bindparam("new_out", type_=_c.last_out_at.type), _c.last_out_at),
        unread_count=_c.unread_count + bindparam("more"),
        language=func.coalesce(bindparam("new_language", type_=_c.language.type), _c.language),
    )
)
_HAND = Prepared(
    update(conversations)
    .where(_c.id == bindparam("this_id"))
    .values(
        owner=bindparam("new_owner"),
        owner_user_id=bindparam("new_user_id"),
        owner_version=bindparam("new_version"),
        owner_since=bindparam("now"),
        silence_due_at=None,  # the bot does not nudge anybody while it is silent, and begins afresh afterwards
    )
)
# With the bot nobody waits for a person, and no promise of time runs.
_SETTLED: Mapping[str, None] = {
    "waiting_since": None,
    "sla_kind": None,
    "sla_due_at": None,
    "sla_warned_at": None,
    "sla_breached_at": None,
    "sla_next_at": None,
}
_SETTLE = Prepared(update(conversations).where(_c.id == bindparam("this_id")).values(**_SETTLED))
_AWAIT = Prepared(
    update(conversations)
    .where(_c.id == bindparam("this_id"))
    .values(waiting_since=func.coalesce(_c.waiting_since, bindparam("now", type_=_c.waiting_since.type)))
)
_NOTE = Prepared(insert(owner_changes))
_h = owner_changes.c
_OWNERS = Prepared(
    select(_h.owner, _h.owner_user_id, _h.reason, _h.note, _h.at)
    .where(_h.conversation_id == bindparam("conversation_id"), _h.tenant_id == bindparam("tenant_id"))
    .order_by(_h.id)
)


def _due(since: Any, *where: Any) -> Select[*tuple[Any, ...]]:
    return select(_c.id, _c.tenant_id, since).where(*where).order_by(since, _c.id).limit(bindparam("limit"))


_IS_OPEN = _c.status == "open"
_LAST = case(
    (and_(_c.last_out_at.is_not(None), or_(_c.last_in_at.is_(None), _c.last_out_at > _c.last_in_at)), _c.last_out_at),
    else_=func.coalesce(_c.last_in_at, _c.created_at, type_=_c.created_at.type),
)
_IS_ON = exists(select(accounts.c.id).where(accounts.c.id == _c.account_id, accounts.c.is_active.is_(True)))
# Where there is no bot, or its channel is paused, nobody else can have it.
HAS_BOT = exists(
    select(bots.c.id)
    .select_from(accounts.join(bots, bots.c.id == accounts.c.bot_id))
    .where(accounts.c.id == _c.account_id, accounts.c.is_active.is_(True), bots.c.is_active.is_(True))
)
_QUEUED = Prepared(_due(_c.owner_since, _c.owner == "queue", _IS_OPEN, _c.owner_since <= bindparam("before"), HAS_BOT))
_SILENT = Prepared(_due(_c.silence_due_at, _c.silence_due_at <= bindparam("now"), _IS_OPEN, _c.owner == "bot", _IS_ON))
_SNOOZED = Prepared(_due(_c.snoozed_until, _c.snoozed_until <= bindparam("now"), _c.status == "snoozed"))
_EXPIRED = Prepared(_due(_c.flow_expires_at, _c.flow_expires_at <= bindparam("now"), _IS_ON))
_INACTIVE = Prepared(_due(_LAST, _IS_OPEN, _c.owner == "bot", bindparam("before", type_=_c.created_at.type) >= _LAST))
