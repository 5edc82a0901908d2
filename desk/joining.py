"""Somebody whom a channel knows by several addresses, such as WhatsApp's number and the id of whoever hides it, is one
customer with one conversation. The provider tells of both while they show their number, and when our messages reach them.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Column, and_, bindparam, delete, exists, select, update

from desk import audit, conversations, customers, events, live, messages
from desk.conversations import Context
from desk.who import Actor
from storage.base import Db, metadata
from storage.models.conversations import conversations as table
from storage.models.conversations import messages as message_table
from storage.models.customers import customer_identities
from storage.prepared import Prepared
from storage.session import announce

_JOINED = "Another conversation with the same person, at another address of theirs, was joined to this one."


def told(db: Db, context: Context, others: Collection[tuple[str, str]], *, now: datetime) -> Context:
    """The one conversation with whoever writes in `context`, once the provider has told `others` (kind, value) of their
    addresses besides: they are known by all of them, and other customers and conversations at these were theirs.

    Of two conversations that stays which a person has or should have, else the one in which they were heard last. All that
    was said stands there then, by its time, and the other is gone. Once it is known this costs one look.
    """
    known = {
        (row.kind, row.value): row.id
        for row in _KNOWN(db, {"customer_id": context.customer_id, "account_id": context.account_id})
    }
    if all(one in known and known[one] in (None, context.id) for one in others):
        return context
    # Before the customers, in the order in which their turns lock them.
    apart = [
        found
        for kind, value in others
        if (found := conversations.find(db, context.account_id, kind, value)) is not None and found.id != context.id
    ]
    customers.is_also_at(db, context.tenant_id, context.customer_id, others, now=now)
    kept_id = context.id
    for other_id in dict.fromkeys(one.id for one in apart):
        kept_id = _join(db, context, kept_id, other_id, now=now)
    found = conversations.find(db, context.account_id, context.peer_kind, context.peer)
    assert found is not None  # noqa: S101  whichever was kept is with the address that they have just written from
    return found


def reached(db: Db, tenant_id: int, message_id: int, addresses: Collection[tuple[str, str]], *, now: datetime) -> None:
    """The provider says that a message of ours has reached somebody who is at all these addresses (kind, value). Once it is
    known this costs one look.
    """
    values = [value for _, value in addresses]
    known = [
        row for row in _WHOSE(db, {"tenant_id": tenant_id, "values": values}) if (row.kind, row.value) in addresses
    ]
    if len(known) == len(addresses) and len({row.customer_id for row in known}) == 1:
        return
    who = Actor(tenant_id, "system")
    context = conversations.by_id(db, who, _SAID_IN(db, {"message_id": message_id}).scalar_one())
    if not customers.is_erased(db, context.customer_id):
        others = [one for one in addresses if one != (context.peer_kind, context.peer)]
        told(db, context, others, now=now)


def _join(db: Db, context: Context, one_id: int, other_id: int, *, now: datetime) -> int:
    """The id of the conversation that is left of the two."""
    wanted = select(table).where(table.c.id.in_((one_id, other_id))).order_by(*conversations.PRECEDENCE)
    kept, gone = db.execute(wanted).all()
    if gone.status != "closed":
        facts = partial(conversations.told_of, db, gone.id)
        events.emit(db, context.tenant_id, "conversation.closed", facts, now=now)
    for column in _pointing_here():
        if column.primary_key:
            _drop_doubles(db, column, kept.id, gone.id)
        db.execute(update(column.table).where(column == gone.id).values({column.name: kept.id}))
    db.execute(delete(table).where(table.c.id == gone.id))
    times = {name: _latest(kept, gone, name) for name in ("last_in_at", "last_out_at")}
    since = min(filter(None, (kept.waiting_since, gone.waiting_since)), default=None)
    lacking = {name: getattr(gone, name) for name in _FILLED if getattr(kept, name) is None}
    values = {**times, **lacking, "unread_count": kept.unread_count + gone.unread_count}
    if kept.owner != "bot":
        values["waiting_since"] = since
    db.execute(update(table).where(table.c.id == kept.id).values(**values))
    conversations.move(db, kept.id, peer_kind=context.peer_kind, peer=context.peer)
    note_id = messages.add_note(
        db,
        tenant_id=context.tenant_id,
        conversation_id=kept.id,
        account_id=context.account_id,
        text=_JOINED,
        now=now,
    )
    who = Actor(context.tenant_id, "system")
    change: Mapping[str, Any] = {"conversation_id": gone.uid}
    audit.record(db, who, "conversation.joined", "conversation", kept.id, change, None, now, uid=kept.uid)
    announce(db, f"inbox:{context.tenant_id}")
    live.changed(db, context.tenant_id, kept.id, "message", message_id=note_id)
    return int(kept.id)


def _latest(kept: Any, gone: Any, name: str) -> datetime | None:
    return max(filter(None, (getattr(kept, name), getattr(gone, name))), default=None)


def _drop_doubles(db: Db, column: Column[Any], kept_id: int, gone_id: int) -> None:
    """What the conversation that stays has too, such as a label."""
    mine = column.table.alias()
    same = [mine.c[one.name] == one for one in column.table.primary_key if one is not column]
    has_too = exists().where(mine.c[column.name] == kept_id, *same)
    db.execute(delete(column.table).where(column == gone_id, has_too))


def _pointing_here() -> list[Column[Any]]:
    """Every column of every table that says in which conversation something was, also of tables that are still to come."""
    return [column for each in metadata.sorted_tables for column in each.columns if column.references(table.c.id)]


_FILLED = ("our_number", "language", "broadcast_id", "team_id", "priority", "first_answered_at")
_i, _c = customer_identities.c, table.c
_WHOSE = Prepared(
    select(_i.kind, _i.value, _i.customer_id).where(
        _i.tenant_id == bindparam("tenant_id"), _i.value.in_(bindparam("values", expanding=True))
    )
)
_SAID_IN = Prepared(select(message_table.c.conversation_id).where(message_table.c.id == bindparam("message_id")))
_KNOWN = Prepared(
    select(_i.kind, _i.value, _c.id)
    .select_from(
        customer_identities.outerjoin(
            table, and_(_c.account_id == bindparam("account_id"), _c.peer_kind == _i.kind, _c.peer == _i.value)
        )
    )
    .where(_i.customer_id == bindparam("customer_id"))
)
