"""An invoice that goes to the customer: marked as sent, with a message that tells them of it, in one transaction."""

from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select

from bots import language
from bots.render import Voice
from desk import refs
from desk.refs import Ref
from desk.sales import invoices
from desk.sales.invoices import Invoice
from desk.who import Actor
from gateway.pipeline import ways
from gateway.pipeline.ways import Adapters
from storage.base import Db
from storage.models.businesses import businesses
from storage.models.customers import customers
from storage.models.work import invoices as table


def send(db: Db, who: Actor, adapters: Adapters, ref: Ref, *, now: datetime) -> Invoice:
    """The invoice, sent. The customer is told of it unless they were already; what did not get through is tried again.

    Raises: WrongState, for one that is paid or cancelled; NotFound, IdentityTaken
    """
    found = invoices.become(db, who, ref, "sent", now=now)
    if found.telling is not None and found.telling.got_through:
        return found
    row = refs.row(db, table, who, found.id, invoices.NOUN)
    message_id = ways.tell(
        db, who, adapters, _words(db, found), customer_id=row.customer_id, business_id=row.business_id, now=now
    )
    return invoices.told(db, who, found.id, message_id=message_id, now=now)


def _words(db: Db, invoice: Invoice) -> str:
    """What the customer reads, in their language where we have it."""
    row = db.execute(
        select(businesses.c.name, businesses.c.time_zone, businesses.c.languages, customers.c.language)
        .select_from(table)
        .join(businesses, businesses.c.id == table.c.business_id)
        .join(customers, customers.c.id == table.c.customer_id)
        .where(table.c.id == invoice.id)
    ).one()
    code = row.language or next(iter(row.languages), language.DEFAULT)
    voice = Voice(language.load(code), ZoneInfo(row.time_zone), invoice.currency)
    facts = {
        "business": row.name,
        "number": invoice.number,
        "total": voice.money(invoice.amounts.total_cents),
    }
    if invoice.due_date is None:
        return voice.phrase("invoice", **facts)
    return voice.phrase("invoice_due", **facts, day=voice.day(invoice.due_date))
