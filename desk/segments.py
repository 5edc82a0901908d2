"""Which customers: conditions on tags, attributes and what they have done, for lists, exports and broadcasts."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, and_, exists, func, literal, or_, select, type_coerce
from sqlalchemy.dialects.postgresql import JSONB

from desk import attributes
from desk.attributes import Definitions, Value
from desk.calendar.appointments import LIVE
from desk.errors import Invalid
from desk.who import Actor
from storage.base import Db
from storage.models.calendar import appointments
from storage.models.conversations import conversations
from storage.models.customers import customers

Op = Literal["eq", "ne", "contains", "gt", "lt", "set", "unset"]

MOMENTS = ("last_seen_before", "last_seen_after", "last_visit_before", "last_visit_after")  # of a `Segment`
ERASED = "erased"  # the status of a customer of whom nothing is left but the number

_c = customers.c


@dataclass(frozen=True, slots=True)
class Condition:
    """One attribute compared with a value; `set` and `unset` ask only whether it has one. `ne` holds where it has none."""

    key: str
    op: Op
    value: Value | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """Customers for whom all of this holds; nothing said is everybody. Who never wrote was not seen since any time; a visit
    counts once it has begun, unless it was cancelled or missed.
    """

    tags_any: Sequence[str] = ()
    tags_all: Sequence[str] = ()
    tags_none: Sequence[str] = ()
    attributes: Sequence[Condition] = ()
    last_seen_before: datetime | None = None
    last_seen_after: datetime | None = None
    last_visit_before: datetime | None = None
    last_visit_after: datetime | None = None
    has_upcoming_appointment: bool | None = None
    has_no_show: bool | None = None
    languages: Sequence[str] = ()
    statuses: Sequence[str] = field(default=())


def present(who: Actor) -> ColumnElement[bool]:
    """The tenant's customers that are there: not merged into another one, not erased."""
    return and_(_c.tenant_id == who.tenant_id, _c.merged_into_id.is_(None), _c.status != ERASED)


def where(db: Db, who: Actor, segment: Segment, *, now: datetime) -> ColumnElement[bool]:
    """`segment` as a condition on the table of customers.

    Raises: Invalid, for an attribute that is not defined or a value that cannot be its own
    """
    wanted: list[ColumnElement[bool]] = [present(who)]
    if segment.tags_any:
        wanted.append(or_(*(has_tag(db, tag) for tag in segment.tags_any)))
    wanted += [has_tag(db, tag) for tag in segment.tags_all]
    wanted += [~has_tag(db, tag) for tag in segment.tags_none]
    if segment.attributes:
        definitions = attributes.all_of(db, who)
        wanted += [_compared(definitions, one) for one in segment.attributes]
    last_seen = (
        select(func.max(conversations.c.last_in_at)).where(conversations.c.customer_id == _c.id).scalar_subquery()
    )
    if segment.last_seen_before is not None:
        wanted.append(or_(last_seen < segment.last_seen_before, last_seen.is_(None)))
    if segment.last_seen_after is not None:
        wanted.append(last_seen > segment.last_seen_after)
    a = appointments.c
    was_there = a.customer_id == _c.id, a.status.in_((*LIVE, "completed")), a.starts_at <= now
    last_visit = select(func.max(a.starts_at)).where(*was_there).scalar_subquery()
    if segment.last_visit_before is not None:
        wanted.append(last_visit < segment.last_visit_before)
    if segment.last_visit_after is not None:
        wanted.append(last_visit > segment.last_visit_after)
    if segment.has_no_show is not None:
        missed = exists().where(a.customer_id == _c.id, a.status == "no_show")
        wanted.append(missed if segment.has_no_show else ~missed)
    if segment.has_upcoming_appointment is not None:
        upcoming = exists().where(
            appointments.c.customer_id == _c.id, appointments.c.status.in_(LIVE), appointments.c.ends_at > now
        )
        wanted.append(upcoming if segment.has_upcoming_appointment else ~upcoming)
    if segment.languages:
        wanted.append(_c.language.in_(segment.languages))
    if segment.statuses:
        wanted.append(_c.status.in_(segment.statuses))
    return and_(*wanted)


def has_tag(db: Db, tag: str) -> ColumnElement[bool]:
    if db.dialect.name == "postgresql":
        return type_coerce(_c.tags, JSONB).contains([tag])
    each = func.json_each(_c.tags).table_valued("value")
    return select(literal(1)).select_from(each).where(each.c.value == tag).exists()


def on_channel(channel: str) -> ColumnElement[bool]:
    """Customers who have talked with us there."""
    return exists().where(conversations.c.customer_id == _c.id, conversations.c.channel == channel)


def attribute_is(definitions: Definitions, text: str) -> ColumnElement[bool]:
    """`text` is `key:value`.

    Raises: Invalid
    """
    key, colon, value = text.partition(":")
    if not colon:
        raise Invalid("attribute", "Give it as key:value, such as plan:gold.")
    return _compared(definitions, Condition(key, "eq", attributes.read(definitions, key, value)))


def _compared(definitions: Definitions, one: Condition) -> ColumnElement[bool]:
    key, kind, value = one.key, attributes.known(definitions, one.key).kind, one.value
    column: Any = _c.attributes[key]
    if one.op in ("set", "unset"):
        is_set: ColumnElement[bool] = column.as_string().is_not(None)
        return is_set if one.op == "set" else ~is_set
    if value is None:
        raise Invalid(f"attributes.{key}", "Say what it is compared with.")
    if one.op != "contains":  # part of a choice or a text need not fit
        value = attributes.fitting(definitions, key, value)
    if kind == "number":
        column = column.as_float()
    elif kind == "yes_no":
        column = column.as_boolean()
    else:
        column = column.as_string()
    if one.op == "eq":
        return column == value  # type: ignore[no-any-return]
    if one.op == "ne":
        return or_(column != value, column.is_(None))
    if one.op == "contains":
        if kind not in ("text", "choice") or not isinstance(value, str):
            raise Invalid(f"attributes.{key}", "Only text can contain something; compare this one with eq, gt or lt.")
        return column.icontains(value, autoescape=True)  # type: ignore[no-any-return]
    if kind not in ("number", "date"):
        raise Invalid(f"attributes.{key}", "Only numbers and dates can be compared with gt and lt.")
    return column > value if one.op == "gt" else column < value  # type: ignore[no-any-return]
