"""The channel log: what a vendor asked and we answered, what we asked and the vendor answered.

`request` and `answer` come here with words, names, numbers and keys taken out (`channels.redact`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from sqlalchemy import and_, delete, insert, literal_column, or_, select

from desk import accounts, refs
from desk.listing import Found, Window, page
from desk.refs import Ref
from desk.who import Actor
from storage.base import Db, JsonValue
from storage.models.channel_log import channel_log as table
from storage.models.conversations import messages
from storage.prepared import Prepared

Direction = Literal["in", "out"]
Outcome = Literal["ok", "failed", "refused"]
# What is kept of an account's traffic.
Keeps = Literal["all", "failures", "off"]
_l = table.c
_MOST_AT_ONCE: Final = 1_000  # rows that one sweep throws away
_MOST_REFUSED: Final = 500  # of one channel; anybody can make us refuse something


@dataclass(frozen=True, slots=True)
class Line:
    """One exchange. `took_ms` is how long the vendor took to answer us."""

    direction: Direction
    status: Outcome
    request: Mapping[str, JsonValue]
    answer: Mapping[str, JsonValue]
    code: str | None = None
    took_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One that was kept; `message_uid` is the message that it was about."""

    line: Line
    message_uid: str | None
    created_at: datetime


def wants(keeps: str, status: Outcome) -> bool:
    """Whether an account that keeps so much keeps this."""
    return keeps == "all" or (keeps == "failures" and status != "ok")


def add(db: Db, *, tenant_id: int, account_id: int, message_id: int | None, line: Line, now: datetime) -> None:
    """Keep one exchange, in the transaction of what it was about."""
    _ADD(
        db,
        {
            "tenant_id": tenant_id,
            "account_id": account_id,
            "message_id": message_id,
            "direction": line.direction,
            "status": line.status,
            "code": line.code and line.code[:40],
            "took_ms": line.took_ms,
            "request": line.request,
            "answer": line.answer,
            "created_at": now,
        },
    )


def refuse(db: Db, *, tenant_id: int, account_id: int, line: Line, now: datetime) -> None:
    """Keep a request that we turned away; of a channel's older ones only so many stay."""
    add(db, tenant_id=tenant_id, account_id=account_id, message_id=None, line=line, now=now)
    mine = _l.account_id == account_id, _l.status == literal_column("'refused'")  # written out, for the index
    oldest = select(_l.id).where(*mine).order_by(_l.id.desc()).offset(_MOST_REFUSED).limit(1).scalar_subquery()
    db.execute(delete(table).where(*mine, _l.id <= oldest))


def find(
    db: Db,
    who: Actor,
    channel: Ref,
    window: Window,
    *,
    direction: Direction | None = None,
    status: Outcome | None = None,
    message: Ref | None = None,
) -> Found[Entry]:
    """What is known of a channel's traffic, the newest first. Of a `message` of ours also the request that it answers: its own
    may stand in the answer to that alone.

    Raises: NotFound, also for another's message
    """
    account_id = accounts.id_for(db, who, channel)
    wanted = select(table, messages.c.uid.label("message_uid")).select_from(
        table.outerjoin(messages, messages.c.id == _l.message_id)
    )
    wanted = wanted.where(_l.account_id == account_id, _l.tenant_id == who.tenant_id)
    if direction is not None:
        wanted = wanted.where(_l.direction == direction)
    if status is not None:
        wanted = wanted.where(_l.status == status)
    if message is not None:
        about = refs.id_of(db, messages, who, message, "message")
        answered = select(messages.c.turn_id).where(messages.c.id == about).scalar_subquery()
        wanted = wanted.where(or_(_l.message_id == about, and_(_l.message_id == answered, _l.direction == "in")))
    sorts = {"created_at": _l.id}  # rows are only ever added, and this order has an index
    return page(
        db,
        wanted,
        window,
        lambda row: Entry(
            Line(row.direction, row.status, row.request, row.answer, row.code, row.took_ms),
            row.message_uid,
            row.created_at,
        ),
        sorts=sorts,
        by="-created_at",
        tie=_l.id,
    )


def forget_old(db: Db, before: datetime) -> int:
    """How many of the oldest rows were thrown away because they are from before that."""
    oldest = select(_l.id, _l.created_at).order_by(_l.id).limit(_MOST_AT_ONCE).subquery()
    old = select(oldest.c.id).where(oldest.c.created_at < before)
    return db.execute(delete(table).where(_l.id.in_(old))).rowcount


_ADD = Prepared(insert(table))
