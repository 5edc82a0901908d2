"""Money is whole cents inside; fractions arise only here, and are rounded half up (away from zero), once each.

A line is rounded to the cent, the subtotal is the sum of the rounded lines, and the tax is worked out once, from the
subtotal. So what is printed always adds up.
"""

from decimal import ROUND_HALF_UP, Decimal

MILLI = 1000  # a quantity is kept in thousandths
PPM = 10_000  # a rate is kept in millionths, so one per cent is so many


def cents(amount: Decimal) -> int:
    """`amount` (19.99) in cents (1999)."""
    return _whole(amount * 100)


def number(cents: int) -> float:
    """Cents as the number that JSON carries, which has two decimals at most."""
    return cents / 100


def line_cents(quantity_milli: int, unit_price_cents: int) -> int:
    """What so many cost: 1.5 hours at 19.99 are 29.99 (from 29.985)."""
    return _whole(Decimal(quantity_milli * unit_price_cents) / MILLI)


def tax_cents(subtotal_cents: int, rate_ppm: int) -> int:
    """The tax on `subtotal_cents`: 8.25 % of 250.00 are 20.63 (from 20.625)."""
    return _whole(Decimal(subtotal_cents * rate_ppm) / 1_000_000)


def _whole(value: Decimal) -> int:
    return int(value.quantize(Decimal(1), ROUND_HALF_UP))
