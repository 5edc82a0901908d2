"""What request and answer models are made of. Each is built when it is first used: all at once would take a second."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer

from desk.listing import Found, Window

T = TypeVar("T")

MOST = 100  # items on one page


def _aware(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("should have its offset, such as 2026-11-26T09:00:00Z")
    if not 1 < value.year < 9999:  # at the very ends of the calendar another zone would be beyond it
        raise ValueError("should lie in the years 2 to 9998")
    return value


def _rfc3339(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


# A moment: RFC 3339 with its offset in, UTC with Z out.
_Written = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Moment = Annotated[datetime, AfterValidator(_aware), PlainSerializer(_rfc3339, return_type=_Written, when_used="json")]
Uid = Annotated[
    str,
    Field(
        pattern=r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$",
        json_schema_extra={"format": "uuid"},
    ),
]
Line = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]  # one line of text
Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*$")]
Text = Annotated[str, Field(max_length=20_000)]
Language = Annotated[str, Field(pattern=r"^[a-zA-Z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$", examples=["en"])]  # BCP 47
Search = Annotated[str, Field(max_length=200, description="Rows that have this text in them.")]
Cents = Annotated[int, Field(ge=0, le=10**12)]


class Body(BaseModel):
    """What a client sends. An unknown field is an error that names it; the resource's own read-only ones are ignored."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)

    def values(self) -> dict[str, Any]:
        """Every field, for a new thing or one that is replaced."""
        return {name: getattr(self, name) for name in type(self).model_fields}

    def changes(self) -> dict[str, Any]:
        """The fields that were sent, for a change."""
        return {name: getattr(self, name) for name in type(self).model_fields if name in self.model_fields_set}


class Query(BaseModel):
    """What stands behind the question mark."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Answer(BaseModel):
    """What we send."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class SkipQuery(Query):
    """A window by number of rows: `skip` and `offset` are two names for one thing."""

    skip: Annotated[int, Field(ge=0, le=2**31, description="Rows to leave out from the beginning.")] = 0
    offset: Annotated[int | None, Field(ge=0, le=2**31, description="The same as `skip`.")] = None
    limit: Annotated[int, Field(ge=1, description=f"Rows to return; more than {MOST} is taken as {MOST}.")] = 20

    def window(self, sort: str | None = None) -> Window:
        return Window(self.skip if self.offset is None else self.offset, min(self.limit, MOST), sort)


class Page(Answer, Generic[T]):
    """A window of a list."""

    items: list[T]
    total: int
    skip: int
    offset: int
    limit: int

    @classmethod
    def of(cls, found: Found[Any], window: Window, make: Callable[[Any], T]) -> "Page[T]":
        return cls(
            items=[make(one) for one in found.items],
            total=found.total,
            skip=window.offset,
            offset=window.offset,
            limit=window.limit,
        )


def dump(value: Any) -> Any:
    """A model as plain JSON values, for events and audits."""
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value
