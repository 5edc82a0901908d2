"""Invoices: drafts that can still change, and what was sent, paid or called off.

How amounts are rounded stands in `desk.money`. Numbers have no gaps within a tenant: the number of a draft that was
removed goes to the next invoice. `overdue` is never stored: it is a sent invoice whose due day is over where the
business is.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Row, and_, delete, false, insert, or_, select, update

from desk import audit, customer_book, events, messages, money, records, refs
from desk.calendar import zones
from desk.errors import Invalid, WrongState
from desk.listing import Found, Window, contains, page
from desk.refs import Ref
from desk.who import Actor
from desk.work import whose
from storage.base import Db, JsonValue
from storage.models.businesses import businesses
from storage.models.calendar import appointments
from storage.models.conversations import conversations
from storage.models.conversations import messages as messages_table
from storage.models.customers import customers
from storage.models.work import counters, invoice_lines, service_requests
from storage.models.work import invoices as table
from storage.session import Conflict, attempt

NOUN: Final = "invoice"
STATUSES: Final = ("draft", "sent", "paid", "cancelled", "overdue")
NO_ADDRESS: Final = "no_address"
_PRIVATE: Final = ("notes",)
_MOST_CENTS: Final = 10**12  # on one invoice
_COUNTER: Final = "invoice"  # in `counters`; `invoice:17` is a number that is free again

_i = table.c


@dataclass(frozen=True, slots=True)
class Line:
    description: str
    quantity: Decimal  # at most three decimals
    unit_price: Decimal  # at most two; negative for a discount

    @property
    def quantity_milli(self) -> int:
        return int(self.quantity * money.MILLI)

    @property
    def unit_price_cents(self) -> int:
        return money.cents(self.unit_price)

    @property
    def total_cents(self) -> int:
        return money.line_cents(self.quantity_milli, self.unit_price_cents)


@dataclass(frozen=True, slots=True)
class Amounts:
    """`tax_rate_ppm` is None when the tax was given as an amount."""

    subtotal_cents: int
    tax_cents: int
    tax_rate_ppm: int | None

    @property
    def total_cents(self) -> int:
        return self.subtotal_cents + self.tax_cents


@dataclass(frozen=True, slots=True)
class Telling:
    """How the customer was told of it: the message, or without one `error_code` with the reason."""

    message_uid: str | None
    conversation_uid: str | None
    channel: str | None
    status: str | None  # of the message
    error_code: str | None
    error_text: str | None

    @property
    def got_through(self) -> bool:
        """As far as anybody knows yet."""
        return self.status is not None and self.status not in messages.LOST


@dataclass(frozen=True, slots=True)
class Invoice:
    """`status` as people see it: draft, sent, overdue, paid, cancelled."""

    id: int
    uid: str
    business_uid: str
    customer_uid: str
    customer_name: str | None
    service_request_uid: str | None
    appointment_uid: str | None
    number: str
    status: str
    currency: str
    amounts: Amounts
    lines: tuple[Line, ...]
    notes: str
    due_date: date | None
    sent_at: datetime | None
    telling: Telling | None
    paid_at: datetime | None
    created_at: datetime
    updated_at: datetime


def amounts(
    lines: Sequence[Line],
    subtotal: Decimal | None,
    tax: Decimal | None,
    tax_rate: Decimal | None,
    *,
    must_agree: bool = True,
) -> Amounts:
    """What an invoice comes to. Lines tell the subtotal, and a rate (in per cent) tells the tax; what is given as well
    must agree with that, or does not count when `must_agree` is False.

    Raises: Invalid
    """
    if not lines and subtotal is None:
        raise Invalid("line_items", "Give line items, or a subtotal.")
    subtotal_cents = sum(line.total_cents for line in lines) if lines else money.cents(subtotal or Decimal())
    if must_agree and subtotal is not None and money.cents(subtotal) != subtotal_cents:
        raise Invalid("subtotal", f"The line items come to {subtotal_cents / 100:.2f}: leave one of the two out.")
    if not 0 <= subtotal_cents <= _MOST_CENTS:
        raise Invalid("line_items", "An invoice comes to at least nothing, and at most ten billion.")
    rate_ppm = None if tax_rate is None else int(tax_rate * money.PPM)
    tax_cents = money.cents(tax or Decimal()) if rate_ppm is None else money.tax_cents(subtotal_cents, rate_ppm)
    if must_agree and tax is not None and money.cents(tax) != tax_cents:
        raise Invalid("tax", f"With this rate the tax is {tax_cents / 100:.2f}: leave one of the two out.")
    return Amounts(subtotal_cents, tax_cents, rate_ppm)


def find(
    db: Db,
    who: Actor,
    window: Window,
    *,
    search: str | None = None,
    statuses: Collection[str] = (),
    business: Ref | None = None,
    customer: Ref | None = None,
    request: Ref | None = None,
    due_from: date | None = None,
    due_to: date | None = None,
    now: datetime,
) -> Found[Invoice]:
    """The tenant's, the newest first.

    Raises: NotFound, Invalid
    """
    wanted = _COLUMNS.where(_i.tenant_id == who.tenant_id)
    if statuses:
        late = is_overdue(db, who, now=now)
        wanted = wanted.where(or_(*(_has(status, late) for status in statuses)))
    for ref, nouns, column, noun in (
        (business, businesses, _i.business_id, "business"),
        (request, service_requests, _i.service_request_id, "service request"),
    ):
        if ref is not None:
            wanted = wanted.where(column == refs.id_of(db, nouns, who, ref, noun))
    if customer is not None:
        wanted = wanted.where(_i.customer_id == customer_book.row_of(db, who, customer).id)
    if due_from is not None:
        wanted = wanted.where(_i.due_date >= due_from)
    if due_to is not None:
        wanted = wanted.where(_i.due_date <= due_to)
    if search:
        wanted = wanted.where(contains(search, _i.number, _i.notes, customers.c.name))
    sorts = {
        "created_at": _i.created_at,
        "due_date": _i.due_date,
        "number": _i.number,
        "total": _i.total_cents,
        "paid_at": _i.paid_at,
    }
    found = page(db, wanted, window, lambda row: _one(row, now), sorts=sorts, by="-created_at", tie=_i.id)
    lines = _lines(db, [one.id for one in found.items])
    return Found([replace(one, lines=lines.get(one.id, ())) for one in found.items], found.total)


def get(db: Db, who: Actor, ref: Ref, *, now: datetime) -> Invoice:
    """Raises: NotFound"""
    return _read(db, refs.id_of(db, table, who, ref, NOUN), now)


def add(
    db: Db,
    who: Actor,
    values: Mapping[str, Any],
    *,
    customer: Ref,
    business: Ref | None = None,
    request: Ref | None = None,
    appointment: Ref | None = None,
    status: str = "draft",
    now: datetime,
) -> Invoice:
    """`values`: lines, subtotal, tax, tax_rate, currency, due_date, notes. A draft, which is sent or paid at once when
    `status` says so.

    Raises: NotFound, Invalid
    """
    came_to = amounts(values["lines"] or (), values["subtotal"], values["tax"], values["tax_rate"])
    customer_id = customer_book.row_of(db, who, customer).id
    links, home_id = _links(db, who, customer_id, {"request": request, "appointment": appointment})
    home = whose.business(db, who, business or home_id)
    columns = {
        **links,
        **_figures(came_to),
        "customer_id": customer_id,
        "business_id": home.id,
        "number": _next_number(db, who),
        "status": "draft",
        "currency": values["currency"] or home.currency,
        "due_date": values["due_date"],
        "notes": values["notes"],
    }
    made = records.add(db, who, table, columns, noun=NOUN, unique="number", private=_PRIVATE, now=now)
    _keep_lines(db, made.id, values["lines"] or ())
    _tell(db, who, "invoice.created", _read(db, made.id, now), now=now)
    return become(db, who, made.id, status, now=now)


def change(
    db: Db, who: Actor, ref: Ref, values: Mapping[str, Any], *, is_whole: bool = False, now: datetime
) -> Invoice:
    """A draft, changed as `values` say: what `add` takes, the references customer, request and appointment, and status.
    `is_whole`: what is not among them is gone. Lines and a rate count more than the sums that follow from them.

    Raises: WrongState, when it is no draft any more, or cannot become what is wanted; NotFound, Invalid
    """
    before = refs.row(db, table, who, ref, NOUN, lock=True)
    lines = _lines(db, [before.id]).get(before.id, ())
    given = dict(values) if is_whole else {**_as_given(before, lines, values), **values}
    came_to = amounts(given["lines"] or (), given["subtotal"], given["tax"], given["tax_rate"], must_agree=False)
    customer_id = before.customer_id
    if given.get("customer") is not None:
        # What was read may be sent back, even when the customer has been erased meanwhile.
        customer_id = refs.id_of(db, customers, who, given["customer"], "customer")
        if customer_id != before.customer_id:
            customer_id = customer_book.row_of(db, who, customer_id).id
    home = whose.business(db, who, before.business_id)
    if given.get("business") is not None and refs.id_of(db, businesses, who, given["business"], "business") != home.id:
        raise Invalid("business_id", "An invoice stays with its business: make a new one instead.")
    links, _ = _links(db, who, customer_id, {name: given[name] for name in ("request", "appointment") if name in given})
    columns = {**links, **_figures(came_to), "customer_id": customer_id}
    columns |= {name: given[name] for name in ("due_date", "notes") if name in given}
    if "currency" in given:
        columns["currency"] = given["currency"] or home.currency
    new_lines = tuple(given["lines"] or ())
    differs = new_lines != lines or any(getattr(before, name) != value for name, value in columns.items())
    if differs and before.status != "draft":
        message = f"This invoice is {before.status}: only drafts can be changed."
        raise WrongState(NOUN, before.id, before.status, message)
    if new_lines != lines:
        _keep_lines(db, before.id, new_lines)
        db.execute(update(table).where(_i.id == before.id).values(updated_at=now))
        audit.record(
            db, who, "invoice.lines_changed", NOUN, before.id, None, {"lines": len(new_lines)}, now, uid=before.uid
        )
    records.change(db, who, table, before.id, columns, noun=NOUN, unique="number", private=_PRIVATE, now=now)
    status = given.get("status")
    return _read(db, before.id, now) if status is None else become(db, who, before.id, status, now=now)


def become(db: Db, who: Actor, ref: Ref, status: str, *, paid_at: datetime | None = None, now: datetime) -> Invoice:
    """The invoice, sent, paid (at `paid_at`, else now) or cancelled. Twice changes nothing.

    Raises: WrongState, NotFound
    """
    before = refs.row(db, table, who, ref, NOUN, lock=True)
    as_it_is = _read(db, before.id, now)
    if status in {before.status, as_it_is.status}:
        return as_it_is
    if before.status not in _BEFORE.get(status, ()):
        message = f"This invoice is {as_it_is.status}: it cannot become {status}."
        raise WrongState(NOUN, before.id, before.status, message)
    changes: dict[str, Any] = {"status": status}
    if status == "sent":
        changes["sent_at"] = now
    if status == "paid":
        changes["paid_at"] = paid_at or now
    records.change(db, who, table, before.id, changes, noun=NOUN, private=_PRIVATE, now=now)
    found = _read(db, before.id, now)
    if status in {"sent", "paid"}:
        _tell(db, who, f"invoice.{status}", found, now=now)
    return found


def told(db: Db, who: Actor, ref: Ref, *, message_id: int | None, now: datetime) -> Invoice:
    """The invoice with the message that tells the customer of it; None: no channel reaches them.

    Raises: NotFound
    """
    values = {"message_id": message_id, "untold_for": NO_ADDRESS if message_id is None else None}
    row = refs.row(db, table, who, ref, NOUN)
    db.execute(update(table).where(_i.id == row.id).values(**values))
    return _read(db, row.id, now)


_BEFORE: Final[Mapping[str, Collection[str]]] = {
    "sent": ("draft",),
    "paid": ("draft", "sent"),
    "cancelled": ("draft", "sent"),
}


def remove(db: Db, who: Actor, ref: Ref, *, now: datetime) -> None:
    """Forget a draft; its number is the next invoice's.

    Raises: WrongState, for what is no draft any more; NotFound
    """
    before = refs.row(db, table, who, ref, NOUN, lock=True)
    if before.status != "draft":
        message = f"This invoice is {before.status}: only drafts can be removed. Cancel it instead."
        raise WrongState(NOUN, before.id, before.status, message)
    records.remove(db, who, table, before.id, noun=NOUN, private=_PRIVATE, now=now)
    number = int(before.number.rpartition("-")[2])
    db.execute(insert(counters).values(tenant_id=who.tenant_id, kind=f"{_COUNTER}:{number}", value=number))


def is_overdue(db: Db, who: Actor, *, now: datetime) -> ColumnElement[bool]:
    """Which of the tenant's invoices are overdue: each business has its own day."""
    homes = db.execute(
        select(businesses.c.id, businesses.c.time_zone).where(businesses.c.tenant_id == who.tenant_id)
    ).all()
    days = (and_(_i.business_id == home.id, _i.due_date < _today(home.time_zone, now)) for home in homes)
    return and_(_i.status == "sent", or_(false(), *days))


def _has(status: str, late: ColumnElement[bool]) -> ColumnElement[bool]:
    if status == "overdue":
        return late
    if status == "sent":
        return and_(_i.status == "sent", or_(_i.due_date.is_(None), ~late))
    return _i.status == status


def _today(time_zone: str, now: datetime) -> date:
    return zones.local_day(now, ZoneInfo(time_zone))


def _links(
    db: Db, who: Actor, customer_id: int, given: Mapping[str, Ref | None]
) -> tuple[dict[str, int | None], int | None]:
    """The references in `given` as columns, and the business that one of them tells.

    Raises: NotFound, Invalid
    """
    found: dict[str, int | None] = {}
    home_id: int | None = None
    for name, nouns, column, noun in (
        ("request", service_requests, "service_request_id", "service request"),
        ("appointment", appointments, "appointment_id", "appointment"),
    ):
        if name not in given:
            continue
        ref = given[name]
        row = None if ref is None else refs.row(db, nouns, who, ref, noun)
        if row is not None and row.customer_id != customer_id:
            raise Invalid(column, f"This {noun} is another customer's.")
        found[column] = None if row is None else row.id
        home_id = home_id if row is None else row.business_id
    return found, home_id


def _figures(came_to: Amounts) -> dict[str, Any]:
    return {
        "subtotal_cents": came_to.subtotal_cents,
        "tax_cents": came_to.tax_cents,
        "total_cents": came_to.total_cents,
        "tax_rate_ppm": came_to.tax_rate_ppm,
    }


def _as_given(before: Row[Any], lines: tuple[Line, ...], values: Mapping[str, Any]) -> dict[str, Any]:
    """What stands, as somebody would have given it, without what `values` replace."""
    rate = None if before.tax_rate_ppm is None else Decimal(before.tax_rate_ppm) / money.PPM
    subtotal = values.get("subtotal")
    if subtotal is not None and lines and "lines" not in values and money.cents(subtotal) != before.subtotal_cents:
        raise Invalid("subtotal", "The line items tell the subtotal: change them.")
    return {
        "lines": lines,
        "subtotal": Decimal(before.subtotal_cents) / 100,
        "tax": Decimal(before.tax_cents) / 100,
        # A tax that is given takes the place of the rate.
        "tax_rate": None if values.get("tax") is not None else rate,
    }


def _next_number(db: Db, who: Actor) -> str:
    """Nobody else gets one before the commit, and an undone transaction gives it back."""
    mine = counters.c.tenant_id == who.tenant_id, counters.c.kind == _COUNTER
    if db.execute(select(counters.c.value).where(*mine).with_for_update()).one_or_none() is None:
        try:
            with attempt(db):
                db.execute(insert(counters).values(tenant_id=who.tenant_id, kind=_COUNTER, value=0))
        except Conflict:  # somebody else has just made it, and committed
            db.execute(select(counters.c.value).where(*mine).with_for_update())
    freed = select(counters.c.kind, counters.c.value).where(
        counters.c.tenant_id == who.tenant_id, counters.c.kind.startswith(f"{_COUNTER}:")
    )
    again = db.execute(freed.order_by(counters.c.value).limit(1)).one_or_none()
    if again is not None:
        db.execute(delete(counters).where(counters.c.tenant_id == who.tenant_id, counters.c.kind == again.kind))
        return _number(again.value)
    return _number(
        db.execute(
            update(counters).where(*mine).values(value=counters.c.value + 1).returning(counters.c.value)
        ).scalar_one()
    )


def _number(value: int) -> str:
    return f"INV-{value:05d}"


def _keep_lines(db: Db, invoice_id: int, lines: Sequence[Line]) -> None:
    db.execute(delete(invoice_lines).where(invoice_lines.c.invoice_id == invoice_id))
    rows = [
        {
            "invoice_id": invoice_id,
            "position": position,
            "description": line.description,
            "quantity_milli": line.quantity_milli,
            "unit_price_cents": line.unit_price_cents,
            "total_cents": line.total_cents,
        }
        for position, line in enumerate(lines)
    ]
    if rows:
        db.execute(insert(invoice_lines), rows)


def _lines(db: Db, invoice_ids: Sequence[int]) -> dict[int, tuple[Line, ...]]:
    wanted = select(invoice_lines).where(invoice_lines.c.invoice_id.in_(invoice_ids))
    found: dict[int, tuple[Line, ...]] = {}
    for row in db.execute(wanted.order_by(invoice_lines.c.invoice_id, invoice_lines.c.position)):
        line = Line(row.description, Decimal(row.quantity_milli) / money.MILLI, Decimal(row.unit_price_cents) / 100)
        found[row.invoice_id] = (*found.get(row.invoice_id, ()), line)
    return found


def _tell(db: Db, who: Actor, event: str, found: Invoice, *, now: datetime) -> None:
    data: dict[str, JsonValue] = {
        "invoice_id": found.uid,
        "number": found.number,
        "customer_id": found.customer_uid,
        "work_order_id": found.service_request_uid,
        "appointment_id": found.appointment_uid,
        "status": found.status,
        "total": money.number(found.amounts.total_cents),
        "currency": found.currency,
        "due_date": None if found.due_date is None else found.due_date.isoformat(),
    }
    if found.paid_at is not None:
        data["paid_at"] = events.rfc3339(found.paid_at)
    events.emit(db, who.tenant_id, event, data, now=now)


def _read(db: Db, invoice_id: int, now: datetime) -> Invoice:
    found = _one(db.execute(_COLUMNS.where(_i.id == invoice_id)).one(), now)
    return replace(found, lines=_lines(db, [invoice_id]).get(invoice_id, ()))


def _one(row: Any, now: datetime) -> Invoice:
    late = row.status == "sent" and row.due_date is not None and row.due_date < _today(row.time_zone, now)
    return Invoice(
        id=row.id,
        uid=row.uid,
        business_uid=row.business_uid,
        customer_uid=row.customer_uid,
        customer_name=row.customer_name,
        service_request_uid=row.service_request_uid,
        appointment_uid=row.appointment_uid,
        number=row.number,
        status="overdue" if late else row.status,
        currency=row.currency,
        amounts=Amounts(row.subtotal_cents, row.tax_cents, row.tax_rate_ppm),
        lines=(),
        notes=row.notes,
        due_date=row.due_date,
        sent_at=row.sent_at,
        telling=_telling(row),
        paid_at=row.paid_at,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _telling(row: Any) -> Telling | None:
    if row.message_uid is None and row.untold_for is None:
        return None
    if row.message_uid is None:
        return Telling(None, None, None, None, row.untold_for, "No channel of this business reaches the customer.")
    return Telling(
        row.message_uid, row.conversation_uid, row.channel, row.message_status, row.error_code, row.error_text
    )


_COLUMNS: Final = (
    select(
        table,
        businesses.c.uid.label("business_uid"),
        businesses.c.time_zone,
        customers.c.uid.label("customer_uid"),
        customers.c.name.label("customer_name"),
        service_requests.c.uid.label("service_request_uid"),
        appointments.c.uid.label("appointment_uid"),
        messages_table.c.uid.label("message_uid"),
        messages_table.c.status.label("message_status"),
        messages_table.c.error_code,
        messages_table.c.error_text,
        conversations.c.uid.label("conversation_uid"),
        conversations.c.channel,
    )
    .join(businesses, businesses.c.id == _i.business_id)
    .join(customers, customers.c.id == _i.customer_id)
    .outerjoin(service_requests, service_requests.c.id == _i.service_request_id)
    .outerjoin(appointments, appointments.c.id == _i.appointment_id)
    .outerjoin(messages_table, messages_table.c.id == _i.message_id)
    .outerjoin(conversations, conversations.c.id == messages_table.c.conversation_id)
)
