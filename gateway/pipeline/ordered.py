"""What a customer orders from a catalogue becomes a task for the team, whoever talks with them just then."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from bots.language import load
from bots.render import Voice
from channels.messages import Order, OrderItem, Part
from desk import businesses, money
from desk.conversations import Context
from desk.text import one_line, storable
from desk.who import Actor
from desk.work import requests
from storage.base import Db

# What can be added up and written as money. Anything else (no price, a third decimal) is shown as it came.
_PRICE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,2})?")
_CURRENCY = re.compile(r"[A-Z]{3}")
_TITLE, _DESCRIPTION = 200, 20_000  # characters, as through the API


def to_team(db: Db, context: Context, parts: Sequence[Part], *, now: datetime) -> None:
    """A service request for each order among the `parts` of a message: its items, amounts and note, in the business's first
    language. For a message that is kept the first time; a second delivery of it must not come here.
    """
    orders = [part for part in parts if isinstance(part, Order)]
    if not orders:
        return
    business = businesses.load(db, context.business_id)
    voice = Voice(load(business.languages[0]), business.zone, business.currency)
    for order in orders:
        items = ", ".join(map(_item, order.items)) or order.catalog_id
        values = {
            "title": one_line(voice.phrase("order", items=items), _TITLE),
            "description": storable("\n".join(_lines(order, voice)), _DESCRIPTION),
        }
        requests.add(
            db,
            Actor(context.tenant_id, "system"),
            values,
            customer=context.customer_id,
            business=context.business_id,
            conversation_id=context.id,
            now=now,
        )


def _lines(order: Order, voice: Voice) -> Iterator[str]:
    prices = [_cents(item) for item in order.items]
    for item, cents in zip(order.items, prices, strict=True):
        price = f"{item.price} {item.currency}".strip() if cents is None else _money(voice, item.currency, cents)
        yield f"{_item(item)}, {voice.phrase('order_each', price=price)}" if item.price else _item(item)
    known = [cents * item.quantity for item, cents in zip(order.items, prices, strict=True) if cents is not None]
    currencies = {item.currency for item in order.items}
    if len(known) == len(order.items) and len(currencies) == 1:
        yield voice.phrase("order_total", total=_money(voice, currencies.pop(), sum(known)))
    if note := order.text.strip():
        yield voice.phrase("order_note", text=note)


def _item(item: OrderItem) -> str:
    """`2 x wax-1`: the shop's own name of it is all that an order says."""
    return f"{item.quantity} x {item.product_id}"


def _cents(item: OrderItem) -> int | None:
    """What one of them costs; None when that cannot be told for sure."""
    if not _PRICE.fullmatch(item.price) or not _CURRENCY.fullmatch(item.currency):
        return None
    return money.cents(Decimal(item.price))


def _money(voice: Voice, currency: str, cents: int) -> str:
    return replace(voice, currency=currency).money(cents)
