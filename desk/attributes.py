"""What a tenant keeps about its customers besides the usual: which keys there are, and what fits each."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, Literal

from sqlalchemy import ColumnElement, Row, func, literal, select, type_coerce, update
from sqlalchemy.dialects.postgresql import JSONB

from desk import records
from desk.errors import Invalid
from desk.listing import Found, Window, contains, page
from desk.refs import Ref, row
from desk.text import storable
from desk.who import Actor
from storage.base import Db
from storage.models.customers import customers
from storage.models.inbox import attribute_definitions as table

Kind = Literal["text", "number", "yes_no", "date", "choice"]
Value = str | int | float | bool

LONGEST = 2000  # characters of a text
_LARGEST = 10**15  # beyond it a JSON number is not the same everywhere
_NOUN = "attribute"
_YES, _NO = frozenset({"yes", "true", "1", "y"}), frozenset({"no", "false", "0", "n"})
_t = table.c


@dataclass(frozen=True, slots=True)
class Definition:
    """`choices` are for the kind `choice`."""

    id: int
    uid: str
    key: str
    label: str
    kind: Kind
    choices: tuple[str, ...]
    created_at: datetime


Definitions = Mapping[str, Definition]


def find(db: Db, who: Actor, window: Window, *, search: str | None = None) -> Found[Definition]:
    """The tenant's, by key."""
    wanted = select(table).where(_t.tenant_id == who.tenant_id)
    if search:
        wanted = wanted.where(contains(search, _t.key, _t.label))
    sorts = {"key": _t.key, "label": _t.label, "created_at": _t.created_at}
    return page(db, wanted, window, _one, sorts=sorts, by="key", tie=_t.id)


def get(db: Db, who: Actor, ref: Ref) -> Definition:
    """Raises: NotFound"""
    return _one(row(db, table, who, ref, _NOUN))


def all_of(db: Db, who: Actor) -> Definitions:
    """Every definition of the tenant by its key."""
    rows = db.execute(select(table).where(_t.tenant_id == who.tenant_id).order_by(_t.key))
    return MappingProxyType({found.key: _one(found) for found in rows})


def add(db: Db, who: Actor, values: Mapping[str, Any], *, now: datetime) -> Definition:
    """`values`: key, label, kind, choices.

    Raises: AlreadyThere, Invalid
    """
    _check_choices(values["kind"], values["choices"])
    return _one(records.add(db, who, table, values, noun=_NOUN, unique="key", now=now))


def change(db: Db, who: Actor, ref: Ref, values: Mapping[str, Any], *, now: datetime) -> Definition:
    """The key and the kind stay as they are: customers have values of them. What they chose before stays, too.

    Raises: NotFound, Invalid
    """
    before = get(db, who, ref)
    for name in ("key", "kind"):
        if name in values and values[name] != getattr(before, name):
            raise Invalid(name, f"The {name} of an attribute cannot be changed; add another attribute instead.")
    _check_choices(before.kind, values.get("choices", before.choices))
    return _one(records.change(db, who, table, ref, values, noun=_NOUN, unique="key", now=now))


def remove(db: Db, who: Actor, ref: Ref, *, now: datetime) -> None:
    """The attribute is gone, and every customer's value of it.

    Raises: NotFound
    """
    gone = records.remove(db, who, table, ref, noun=_NOUN, now=now)
    column = customers.c.attributes
    without: ColumnElement[Any]
    if db.dialect.name == "postgresql":
        without = column.op("-", return_type=JSONB())(literal(gone.key))
        has_it = type_coerce(column, JSONB).has_key(gone.key)
    else:
        path = f'$."{gone.key}"'
        without = func.json_remove(column, path)
        has_it = func.json_type(column, path).is_not(None)
    db.execute(
        update(customers).where(customers.c.tenant_id == who.tenant_id, has_it).values(attributes=without),
    )


def known(definitions: Definitions, key: str) -> Definition:
    """Raises: Invalid, which names the key"""
    if (definition := definitions.get(key)) is None:
        raise _bad(key, "There is no such attribute; add it at /attributes first.")
    return definition


def fitting(definitions: Definitions, key: str, value: Value) -> Value:
    """The value as it is kept.

    Raises: Invalid, which names the key
    """
    return _fitting(known(definitions, key), value)


def checked(definitions: Definitions, given: Mapping[str, Value | None]) -> dict[str, Value | None]:
    """`given`, where every key is known and every value fits; None stays None.

    Raises: Invalid, which names the key
    """
    return {key: None if value is None else fitting(definitions, key, value) for key, value in given.items()}


def read(definitions: Definitions, key: str, text: str) -> Value:
    """The value that `text` writes down, as in a CSV file or a filter.

    Raises: Invalid, which names the key
    """
    definition = known(definitions, key)
    text = text.strip()
    if definition.kind == "number":
        try:
            number = float(text)
        except ValueError:
            raise _bad(key, "should be a number") from None
        return _fitting(definition, int(number) if number.is_integer() else number)
    if definition.kind == "yes_no":
        if text.lower() not in _YES | _NO:
            raise _bad(key, "should be yes or no")
        return text.lower() in _YES
    return _fitting(definition, text)


def _fitting(definition: Definition, value: Value) -> Value:
    key, kind = definition.key, definition.kind
    if kind == "yes_no":
        if isinstance(value, bool):
            return value
        raise _bad(key, "should be true or false")
    if kind == "number":
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            if abs(value) <= _LARGEST:
                return value
            raise _bad(key, f"should lie between -{_LARGEST} and {_LARGEST}")
        raise _bad(key, "should be a number")
    if not isinstance(value, str):
        raise _bad(key, "should be text")
    if kind == "choice" and value not in definition.choices:
        raise _bad(key, f"should be one of {', '.join(definition.choices)}")
    if kind == "date":
        try:
            return date.fromisoformat(value).isoformat()
        except ValueError:
            raise _bad(key, "should be a date such as 2026-11-26") from None
    if len(value) > LONGEST:
        raise _bad(key, f"should have at most {LONGEST} characters")
    return storable(value)


def _check_choices(kind: Kind, choices: tuple[str, ...] | list[str]) -> None:
    if (kind == "choice") != bool(choices):
        raise Invalid("choices", "An attribute of the kind choice has choices, and no other has.")


def _bad(key: str, what: str) -> Invalid:
    return Invalid(f"attributes.{key}", what)


def _one(found: Row[Any]) -> Definition:
    return Definition(
        id=found.id,
        uid=found.uid,
        key=found.key,
        label=found.label,
        kind=found.kind,
        choices=tuple(found.choices),
        created_at=found.created_at,
    )
