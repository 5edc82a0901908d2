"""Fields that several resources of field service share."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, Final, get_args

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema

from gateway.rest.schema import Moment

# Years in which a small business has visits; the calendar's arithmetic needs room on both sides.
_YEARS: Final = (1970, 2100)


def _in_our_time(value: datetime) -> datetime:
    if not _YEARS[0] <= value.year < _YEARS[1]:
        raise ValueError(f"should be in the years {_YEARS[0]} to {_YEARS[1] - 1}")
    return value


def _end(value: Any) -> date | datetime:
    """A day, or a moment with its offset."""
    try:
        found = date.fromisoformat(value) if len(value) == len("2026-11-26") else datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError("should be a day such as 2026-11-26 or a moment such as 2026-11-26T09:00:00Z") from None
    if not _YEARS[0] <= found.year < _YEARS[1]:
        raise ValueError(f"should be in the years {_YEARS[0]} to {_YEARS[1] - 1}")
    if isinstance(found, datetime):
        if found.tzinfo is None:
            raise ValueError("should have its offset, such as 2026-11-26T09:00:00Z")
        return found.astimezone(UTC)
    return found


# A moment of a visit.
VisitTime = Annotated[Moment, AfterValidator(_in_our_time)]
Day = Annotated[date, Field(ge=date(_YEARS[0], 1, 1), lt=date(_YEARS[1], 1, 1))]
DayOrMoment = Annotated[
    date | datetime,
    PlainValidator(_end),
    WithJsonSchema({"type": "string", "anyOf": [{"format": "date"}, {"format": "date-time"}]}),
]
Phone = Annotated[
    str, Field(max_length=40, pattern=r"^\+?[0-9][0-9 ()./x#-]*$", examples=["+15125550100", "512-555-0100"])
]
Email = Annotated[
    str,
    Field(
        max_length=320,
        pattern=r"^[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+\.[^@\s\x00-\x1f\x7f]+$",
        json_schema_extra={"format": "email"},
    ),
]


def split(value: Any) -> Any:
    """What stands between commas, for a query that takes several."""
    return tuple(value.split(",")) if isinstance(value, str) else value


def one_of(choices: Any) -> Any:
    """Text that is one of a Literal's choices, as answers have it."""
    return Field(json_schema_extra={"enum": [*get_args(choices)]})


# Exact decimals, sent as JSON numbers or their text. Money has at most two places; what comes out is `desk.money.number`.
Amount = Annotated[
    Decimal,
    Field(ge=0, le=10**8, max_digits=11, decimal_places=2),
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": 10**8}),
]
SignedAmount = Annotated[
    Decimal,
    Field(ge=-(10**8), le=10**8, max_digits=11, decimal_places=2),
    WithJsonSchema({"type": "number", "minimum": -(10**8), "maximum": 10**8}),
]
Quantity = Annotated[
    Decimal,
    Field(gt=0, le=10**5, max_digits=9, decimal_places=3),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": 10**5}),
]
Percent = Annotated[
    Decimal,
    Field(ge=0, le=100, max_digits=7, decimal_places=4),
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": 100}),
]
