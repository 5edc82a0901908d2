"""`/invoices`: what customers are billed."""

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, JsonValue

from desk import money
from desk.errors import Invalid
from desk.sales import invoices
from gateway.pipeline import billing
from gateway.rest.call import Call
from gateway.rest.route import Routes
from gateway.rest.schema import Answer, Body, Moment, Page, Search, SkipQuery, Text, Uid
from gateway.rest.v1.fields import Amount, Day, Percent, Quantity, SignedAmount, VisitTime, one_of, split
from gateway.rest.v1.messages import Failure

routes = Routes("Invoices")

Status = Literal["draft", "sent", "paid", "cancelled", "overdue"]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="ISO 4217.")]
Tax = Annotated[Amount | None, Field(description="An amount; leave it out with `tax_rate`.")]
TaxRate = Annotated[Percent | None, Field(description="In per cent: 8.25. The tax is rounded half up, once.")]
Subtotal = Annotated[Amount | None, Field(description="Only without line items.")]
_WORK_ORDER = "The same as `service_request_id`: a request that is worked on is a work order."


class LineItem(Answer):
    description: str
    quantity: float
    unit_price: float
    total: float


class InvoiceDelivery(Answer):
    """How the customer was told: the message and how far it has come. Without a message, `error` says why there is none."""

    message_id: Uid | None
    conversation_id: Uid | None
    channel: str | None
    status: str | None
    error: Failure | None

    @classmethod
    def of(cls, one: invoices.Telling) -> "InvoiceDelivery":
        has_failed = one.error_code is not None or one.error_text is not None
        return cls(
            message_id=one.message_uid,
            conversation_id=one.conversation_uid,
            channel=one.channel,
            status=one.status,
            error=Failure(code=one.error_code, reason=one.error_text or "") if has_failed else None,
        )


class Invoice(Answer):
    """Money is in `currency`. `tax_rate` is in per cent, and null when the tax was given as an amount."""

    id: Uid
    number: str
    business_id: Uid
    customer_id: Uid
    customer_name: str | None
    service_request_id: Uid | None
    work_order_id: Uid | None
    appointment_id: Uid | None
    status: Annotated[str, one_of(Status)]
    currency: str
    line_items: list[LineItem]
    subtotal: float
    tax: float
    tax_rate: float | None
    total: float
    notes: str
    due_date: Day | None
    sent_at: Moment | None
    delivery: Annotated[InvoiceDelivery | None, Field(description="Null while no message was asked for.")]
    paid_at: Moment | None
    created_at: Moment
    updated_at: Moment

    @classmethod
    def of(cls, one: invoices.Invoice) -> "Invoice":
        came_to = one.amounts
        return cls(
            id=one.uid,
            number=one.number,
            business_id=one.business_uid,
            customer_id=one.customer_uid,
            customer_name=one.customer_name,
            service_request_id=one.service_request_uid,
            work_order_id=one.service_request_uid,
            appointment_id=one.appointment_uid,
            status=one.status,
            currency=one.currency,
            line_items=[
                LineItem(
                    description=line.description,
                    quantity=float(line.quantity),
                    unit_price=float(line.unit_price),
                    total=money.number(line.total_cents),
                )
                for line in one.lines
            ],
            subtotal=money.number(came_to.subtotal_cents),
            tax=money.number(came_to.tax_cents),
            tax_rate=None if came_to.tax_rate_ppm is None else came_to.tax_rate_ppm / money.PPM,
            total=money.number(came_to.total_cents),
            notes=one.notes,
            due_date=one.due_date,
            sent_at=one.sent_at,
            delivery=None if one.telling is None else InvoiceDelivery.of(one.telling),
            paid_at=one.paid_at,
            created_at=one.created_at,
            updated_at=one.updated_at,
        )


class NewLineItem(Body):
    description: Annotated[str, Field(min_length=1, max_length=500)]
    quantity: Quantity = Decimal(1)
    unit_price: SignedAmount
    total: Annotated[JsonValue, Field(description="Worked out; what is sent does not count.")] = None

    def ours(self) -> invoices.Line:
        return invoices.Line(self.description, self.quantity, self.unit_price)


LineItems = Annotated[list[NewLineItem] | None, Field(max_length=200)]


class NewInvoice(Body):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "customer_id": "0198c2b4-1f0e-7a55-9d3c-6b1f2f0a9d01",
                    "line_items": [
                        {"description": "Repair visit", "quantity": 1, "unit_price": 89.00},
                        {"description": "Labor, hours", "quantity": 1.5, "unit_price": 65.00},
                    ],
                    "tax_rate": 8.25,
                    "due_date": "2026-12-24",
                    "notes": "Thank you!",
                }
            ]
        }
    )

    customer_id: Uid
    service_request_id: Uid | None = None
    work_order_id: Annotated[Uid | None, Field(description=_WORK_ORDER)] = None
    appointment_id: Uid | None = None
    business_id: Annotated[Uid | None, Field(description="Without it, that of the work, or the first.")] = None
    line_items: LineItems = None
    subtotal: Subtotal = None
    tax: Tax = None
    tax_rate: TaxRate = None
    currency: Annotated[Currency | None, Field(description="Without it, that of the business.")] = None
    due_date: Day | None = None
    notes: Text = ""
    status: Literal["draft", "sent", "paid"] = "draft"


class InvoiceReplaced(NewInvoice):
    status: Status | None = None  # type: ignore[assignment]


class InvoiceChange(Body):
    customer_id: Uid | None = None
    service_request_id: Uid | None = None
    work_order_id: Uid | None = None
    appointment_id: Uid | None = None
    business_id: Uid | None = None
    line_items: LineItems = None
    subtotal: Subtotal = None
    tax: Tax = None
    tax_rate: TaxRate = None
    currency: Currency = ""
    due_date: Day | None = None
    notes: Text = ""
    status: Status | None = None


class Paying(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"paid_at": "2026-11-26T14:30:00Z"}]})

    paid_at: Annotated[VisitTime | None, Field(description="Without it, now.")] = None


class Filter(SkipQuery):
    search: Search | None = None
    status: Annotated[tuple[Status, ...], BeforeValidator(split), Field(description="One or several.")] = ()
    customer_id: Uid | None = None
    service_request_id: Uid | None = None
    work_order_id: Annotated[Uid | None, Field(description=_WORK_ORDER)] = None
    business_id: Uid | None = None
    due_from: Annotated[Day | None, Field(description="The first due day.")] = None
    due_to: Annotated[Day | None, Field(description="The last due day.")] = None
    sort: str | None = None


@routes.get("/invoices", scope="invoices:read", summary="Invoices", errors=(404,))
async def index(call: Call, query: Filter) -> Page[Invoice]:
    window = query.window(query.sort)
    found = await call.read(
        invoices.find,
        window,
        search=query.search,
        statuses=query.status,
        business=query.business_id,
        customer=query.customer_id,
        request=query.service_request_id or query.work_order_id,
        due_from=query.due_from,
        due_to=query.due_to,
        now=call.now,
    )
    return Page[Invoice].of(found, window, Invoice.of)


@routes.post("/invoices", scope="invoices:write", summary="Make an invoice")
async def create(call: Call, body: NewInvoice) -> Invoice:
    """The number is the next one, and the total is worked out: each line is rounded half up to the cent, and the tax once,
    on their sum.
    """
    given = _ours(body.values())
    links = {name: given.pop(name, None) for name in ("customer", "business", "request", "appointment", "status")}
    return Invoice.of(await call.write(invoices.add, given, **links, now=call.now))


@routes.get("/invoices/{invoice_id}", scope="invoices:read", summary="An invoice")
async def read(call: Call, invoice_id: Uid) -> Invoice:
    return Invoice.of(await call.read(invoices.get, invoice_id, now=call.now))


@routes.put("/invoices/{invoice_id}", scope="invoices:write", summary="Replace a draft")
async def replace(call: Call, invoice_id: Uid, body: InvoiceReplaced) -> Invoice:
    given = {"request": None, **_ours(body.values())}
    return Invoice.of(await call.write(invoices.change, invoice_id, given, is_whole=True, now=call.now))


@routes.patch("/invoices/{invoice_id}", scope="invoices:write", summary="Change a draft")
async def change(call: Call, invoice_id: Uid, body: InvoiceChange) -> Invoice:
    """Another `status` marks it as sent or paid, or cancels it; the customer is told of it by `send` only."""
    return Invoice.of(await call.write(invoices.change, invoice_id, _ours(body.changes()), now=call.now))


@routes.delete("/invoices/{invoice_id}", scope="invoices:write", summary="Remove a draft")
async def remove(call: Call, invoice_id: Uid) -> None:
    await call.write(invoices.remove, invoice_id, now=call.now)


@routes.post("/invoices/{invoice_id}/send", scope="invoices:write", summary="Send an invoice", status=200)
async def send(call: Call, invoice_id: Uid) -> Invoice:
    """It cannot be changed from then on, and subscribers hear `invoice.sent`. The customer gets a message with its number,
    total and due day over the channel from which they wrote last. `delivery` tells what became of that; when it did not
    get through, or we may not write to them, the invoice is sent all the same, and sending it again tries once more.
    """
    return Invoice.of(await call.write(billing.send, call.house.adapters, invoice_id, now=call.now))


@routes.post("/invoices/{invoice_id}/mark-paid", scope="invoices:write", summary="Mark as paid", status=200)
async def mark_paid(call: Call, invoice_id: Uid, body: Paying) -> Invoice:
    return Invoice.of(await call.write(invoices.become, invoice_id, "paid", paid_at=body.paid_at, now=call.now))


@routes.post("/invoices/{invoice_id}/cancel", scope="invoices:write", summary="Call off", status=200)
async def cancel(call: Call, invoice_id: Uid) -> Invoice:
    return Invoice.of(await call.write(invoices.become, invoice_id, "cancelled", now=call.now))


def _ours(values: dict[str, Any]) -> dict[str, Any]:
    """The two names for the request as one, and the lines as desk has them.

    Raises: Invalid, when the two names do not mean the same
    """
    names = {"customer_id": "customer", "business_id": "business", "appointment_id": "appointment"}
    given = {names.get(name, name): value for name, value in values.items()}
    both = [given.pop(name) for name in ("service_request_id", "work_order_id") if name in given]
    meant = {one.lower() for one in both if one is not None}
    if len(meant) > 1:
        raise Invalid("work_order_id", "This is another name for service_request_id; give one of them.")
    if both:
        given["request"] = meant.pop() if meant else None
    if given.get("line_items") is not None:
        given["line_items"] = [line.ours() for line in given["line_items"]]
    if "line_items" in given:
        given["lines"] = given.pop("line_items")
    return given
