"""Deals: what may come of a contact, how much it is worth, and how far it has come."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, Select, select

from desk import customer_book, events, pipeline, records, refs
from desk.listing import Found, Window, contains, page
from desk.refs import Ref
from desk.text import storable
from desk.who import Actor
from storage.base import Db, JsonValue
from storage.models.businesses import businesses
from storage.models.conversations import conversations
from storage.models.customers import customers
from storage.models.tenants import users
from storage.models.work import deals as table
from storage.models.work import pipeline_stages as stages

NOUN = "deal"
_PRIVATE = ("title", "notes")
_t, _s, _c, _u = table.c, stages.c, customers.c, users.c


@dataclass(frozen=True, slots=True)
class Deal:
    """`stage` is its name, `outcome` what that means: open, won or lost. `owner_uid` is of the person who cares for it."""

    id: int
    uid: str
    title: str
    customer_uid: str
    customer_name: str | None
    conversation_uid: str | None
    stage: str
    stage_uid: str
    outcome: str
    owner_uid: str | None
    amount_cents: int
    currency: str
    notes: str
    expected_close: date | None
    closed_at: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Filter:
    """`stage` is an id or a name; the others are ids."""

    search: str | None = None
    stage: str | None = None
    outcome: str | None = None
    owner: str | None = None
    customer: str | None = None


def find(db: Db, who: Actor, window: Window, wanted: Filter) -> Found[Deal]:
    """The tenant's, the newest first.

    Raises: NotFound, for a stage, owner or customer that does not exist
    """
    rows = _DEAL.where(_t.tenant_id == who.tenant_id)
    if wanted.search:
        rows = rows.where(contains(wanted.search, _t.title, _t.notes, _c.name, _c.profile_name))
    if wanted.stage is not None:
        rows = rows.where(_t.stage_id == pipeline.named(db, who, wanted.stage).id)
    if wanted.outcome is not None:
        rows = rows.where(_s.outcome == wanted.outcome)
    if wanted.owner is not None:
        rows = rows.where(_t.owner_user_id == refs.id_of(db, users, who, wanted.owner, "user"))
    if wanted.customer is not None:
        rows = rows.where(_t.customer_id == customer_book.row_of(db, who, wanted.customer).id)
    sorts = {
        "created_at": _t.created_at,
        "updated_at": _t.updated_at,
        "title": _t.title,
        "amount": _t.amount_cents,
        "expected_close": _t.expected_close,
        "stage": _s.position,
    }
    return page(db, rows, window, _one, sorts=sorts, by="-created_at", tie=_t.id)


def get(db: Db, who: Actor, ref: Ref) -> Deal:
    """Raises: NotFound"""
    return _get(db, refs.id_of(db, table, who, ref, NOUN))


def add(db: Db, who: Actor, values: Mapping[str, Any], *, now: datetime) -> Deal:
    """`values`: title, customer_id, conversation_id, stage, owner_id, amount_cents, currency, notes, expected_close.

    Raises: NotFound
    """
    pipeline.prepared(db, who, now=now)
    stored = _stored(db, who, values, now=now)
    made = _get(db, records.add(db, who, table, stored, noun=NOUN, private=_PRIVATE, now=now).id)
    events.emit(db, who.tenant_id, "deal.created", _told(made), now=now)
    return made


def change(db: Db, who: Actor, ref: Ref, values: Mapping[str, Any], *, now: datetime) -> Deal:
    """The deal with its new values. One that is won or lost is closed, and open again when it is moved back.

    Raises: NotFound
    """
    before = refs.row(db, table, who, ref, NOUN, lock=True)
    stored = _stored(db, who, values, before=before, now=now)
    after = records.change(db, who, table, before.id, stored, noun=NOUN, private=_PRIVATE, now=now)
    found = _get(db, after.id)
    if after != before:
        events.emit(db, who.tenant_id, "deal.updated", _told(found), now=now)
    return found


def remove(db: Db, who: Actor, ref: Ref, *, now: datetime) -> None:
    """Raises: NotFound"""
    records.remove(db, who, table, ref, noun=NOUN, private=_PRIVATE, now=now)


def _stored(
    db: Db, who: Actor, values: Mapping[str, Any], *, before: Row[Any] | None = None, now: datetime
) -> dict[str, Any]:
    """The values as columns.

    Raises: NotFound
    """
    stored = {name: values[name] for name in ("title", "amount_cents", "notes", "expected_close") if name in values}
    if "notes" in stored:
        stored["notes"] = storable(stored["notes"])
    if "customer_id" in values:
        stored["customer_id"] = customer_book.row_of(db, who, values["customer_id"]).id
    if "conversation_id" in values:
        conversation = values["conversation_id"]
        stored["conversation_id"] = refs.maybe_id_of(db, conversations, who, conversation, "conversation")
    if "owner_id" in values:
        stored["owner_user_id"] = refs.maybe_id_of(db, users, who, values["owner_id"], "user")
    if "currency" in values:
        stored["currency"] = values["currency"] or _currency(db, who)
    if "stage" in values and (values["stage"] is not None or before is None):
        stage = pipeline.named(db, who, values["stage"])
        stored["stage_id"] = stage.id
        if before is None or before.stage_id != stage.id:
            stored["closed_at"] = None if stage.outcome == "open" else now
    return stored


def _currency(db: Db, who: Actor) -> str:
    """That of the tenant's first business."""
    b = businesses.c
    first = select(b.currency).where(b.tenant_id == who.tenant_id).order_by(b.id).limit(1)
    found: str | None = db.execute(first).scalar_one_or_none()
    return found or "USD"


def _told(deal: Deal) -> Mapping[str, JsonValue]:
    return {"deal_id": deal.uid, "customer_id": deal.customer_uid, "stage": deal.stage, "outcome": deal.outcome}


def _get(db: Db, deal_id: int) -> Deal:
    return _one(db.execute(_DEAL.where(_t.id == deal_id)).one())


_DEAL: Select[Any] = (
    select(
        _t.id,
        _t.uid,
        _t.title,
        _c.uid.label("customer_uid"),
        _c.name.label("customer_name"),
        conversations.c.uid.label("conversation_uid"),
        _s.name.label("stage"),
        _s.uid.label("stage_uid"),
        _s.outcome,
        _u.uid.label("owner_uid"),
        _t.amount_cents,
        _t.currency,
        _t.notes,
        _t.expected_close,
        _t.closed_at,
        _t.created_at,
        _t.updated_at,
    )
    .join(customers, _c.id == _t.customer_id)
    .join(stages, _s.id == _t.stage_id)
    .outerjoin(users, _u.id == _t.owner_user_id)
    .outerjoin(conversations, conversations.c.id == _t.conversation_id)
)


def _one(found: Row[Any]) -> Deal:
    return Deal(**found._mapping)
