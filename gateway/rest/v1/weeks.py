"""Hours of the day and of the week, as clients write them."""

from typing import Annotated, Final

from pydantic import ConfigDict, Field, JsonValue

from desk.businesses import Range, Weekly
from desk.opening import DAYS
from gateway.rest.schema import Body

_DAY: Final = 1440

Opens = Annotated[str, Field(pattern=r"^([01]?\d|2[0-3]):[0-5]\d$", examples=["09:00"])]
Closes = Annotated[
    str,
    Field(
        pattern=r"^(([01]?\d|2[0-3]):[0-5]\d|24:00)$",
        examples=["17:00"],
        description="Not later than `opens`: on the next day. `24:00` is midnight.",
    ),
]


class OpenRange(Body):
    """Wall time of the business. A range belongs to the day it begins on."""

    opens: Opens
    closes: Closes

    @classmethod
    def of(cls, one: Range) -> "OpenRange":
        closes = one.closes_minute if one.closes_minute <= _DAY else one.closes_minute - _DAY
        return cls(opens=time_of(one.opens_minute), closes=time_of(closes))

    @property
    def range(self) -> Range:
        opens, closes = minute_of(self.opens), minute_of(self.closes)
        return Range(opens, closes if closes > opens else closes + _DAY)


Ranges = Annotated[list[OpenRange], Field(max_length=10)]
_WORKDAY: Final[JsonValue] = [{"opens": "09:00", "closes": "12:30"}, {"opens": "13:30", "closes": "18:00"}]
EXAMPLE: Final[dict[str, JsonValue]] = {
    **dict.fromkeys(DAYS[:5], _WORKDAY),
    "saturday": [{"opens": "10:00", "closes": "14:00"}],
}


class Week(Body):
    """The ranges of each weekday; what lies between two ranges is a break."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    monday: Ranges = Field(default=[])
    tuesday: Ranges = Field(default=[])
    wednesday: Ranges = Field(default=[])
    thursday: Ranges = Field(default=[])
    friday: Ranges = Field(default=[])
    saturday: Ranges = Field(default=[])
    sunday: Ranges = Field(default=[])

    @classmethod
    def of(cls, week: Weekly) -> "Week":
        days = {day: [OpenRange.of(one) for one in ranges] for day, ranges in zip(DAYS, week, strict=True)}
        return cls(**days)

    @property
    def weekly(self) -> Weekly:
        return tuple(tuple(one.range for one in getattr(self, day)) for day in DAYS)


def minute_of(time: str) -> int:
    """`09:30` as minutes since midnight."""
    hour, _, minute = time.partition(":")
    return int(hour) * 60 + int(minute)


def time_of(minute: int) -> str:
    """The other way round."""
    return f"{minute // 60:02}:{minute % 60:02}"
