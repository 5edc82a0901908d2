"""What a customer has agreed to and refused, as people look at it and write it down. Senders ask `consent`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, and_, or_, select

from desk import audit, consent, customer_book, refs
from desk.errors import Invalid
from desk.refs import Ref
from desk.text import storable
from desk.who import Actor
from storage.base import Db
from storage.models.accounts import accounts
from storage.models.conversations import messages
from storage.models.customers import consent_events, customer_identities
from storage.models.customers import consents as table

_a, _c, _e, _i = accounts.c, table.c, consent_events.c, customer_identities.c


@dataclass(frozen=True, slots=True)
class Said:
    """A line of the ledger, with the message that proves it if there is one; or (without source, note and message) how an
    address stands and since when.
    """

    channel_uid: str
    channel: str
    kind: str
    value: str
    purpose: str
    state: str
    at: datetime
    source: str = ""
    note: str = ""
    message_uid: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """`history` has the newest first."""

    current: Sequence[Said]
    history: Sequence[Said]


def of_customer(db: Db, who: Actor, ref: Ref) -> Standing:
    """Raises: NotFound"""
    customer = customer_book.row_of(db, who, ref)
    addresses = [tuple(row) for row in db.execute(select(_i.kind, _i.value).where(_i.customer_id == customer.id))]
    current = select(_a.uid, _a.channel, _c.kind, _c.value, _c.purpose, _c.state, _c.since).join(
        accounts, _a.id == _c.account_id
    )
    told = (_e.kind, _e.value, _e.purpose, _e.state, _e.at, _e.source, _e.note)
    joined = consent_events.join(accounts, _a.id == _e.account_id).outerjoin(messages, messages.c.id == _e.message_id)
    history: Select[Any] = select(_a.uid, _a.channel, *told, messages.c.uid).select_from(joined)
    now = db.execute(current.where(_c.tenant_id == who.tenant_id, at(_c, addresses)).order_by(_c.id))
    whose = or_(_e.customer_id == customer.id, at(_e, addresses))
    before = db.execute(history.where(_e.tenant_id == who.tenant_id, whose).order_by(_e.id.desc()))
    return Standing([Said(*row) for row in now], [Said(*row) for row in before])


def write_down(db: Db, who: Actor, ref: Ref, values: Mapping[str, Any], *, now: datetime) -> Standing:
    """What they told somebody of the business. `values`: channel_id, purpose, state, note.

    Raises: NotFound, Invalid when they have no address on that channel
    """
    customer = customer_book.row_of(db, who, ref, lock=True)
    account = refs.row(db, accounts, who, values["channel_id"], "channel")
    found = addresses_on(db, customer.id, account.channel)
    if not found:
        raise Invalid("channel_id", "They have no address on this channel.")
    consent.record(  # of all their addresses there
        db,
        tenant_id=who.tenant_id,
        account_id=account.id,
        kind=found[0].kind,
        value=found[0].value,
        customer_id=customer.id,
        purpose=values["purpose"],
        state=values["state"],
        source="staff",
        message_id=None,
        note=storable(values["note"], 500),
        now=now,
    )
    after = {"channel_id": account.uid, "purpose": values["purpose"], "state": values["state"]}
    audit.record(db, who, "customer.consent_recorded", "customer", customer.id, None, after, now, uid=customer.uid)
    return of_customer(db, who, customer.id)


def addresses_on(db: Db, customer_id: int, channel: str) -> list[Row[Any]]:
    """The kinds and values by which the channel reaches them."""
    kinds = consent.KINDS.get(channel, ())
    wanted = select(_i.kind, _i.value).where(_i.customer_id == customer_id, _i.kind.in_(kinds))
    return [*db.execute(wanted.order_by(_i.id))]


def at(columns: Any, addresses: Sequence[tuple[Any, ...]]) -> Any:
    """Rows of one of these addresses."""
    one_of = [and_(columns.kind == kind, columns.value == value) for kind, value in addresses]
    return or_(False, *one_of)
