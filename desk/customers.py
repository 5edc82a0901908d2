"""Customers and the addresses they are known by."""

import contextlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Column, bindparam, insert, select, update

from desk import audit, events, segments
from desk.errors import IdentityTaken, Invalid, NotFound
from desk.text import one_line
from desk.who import Actor
from storage.base import Db, JsonValue, metadata, new_uid
from storage.models.customers import customer_identities, customers
from storage.prepared import Prepared
from storage.session import Conflict, attempt

# A WhatsApp id is a telephone number that the provider has checked: the same number is the same person.
_TWINS = {"phone": "whatsapp", "whatsapp": "phone"}


@dataclass(frozen=True, slots=True)
class Customer:
    """`name` is what they said; `profile_name` is what their channel shows, which may be anything."""

    id: int
    uid: str
    tenant_id: int
    name: str | None
    profile_name: str | None
    email: str | None
    phone: str | None
    language: str | None
    time_zone: str | None
    created_at: datetime
    is_new: bool = field(default=False, compare=False)  # made just now, by whoever asked for them


def find_or_make(
    db: Db,
    tenant_id: int,
    *,
    kind: str,
    value: str,
    others: Collection[tuple[str, str]] = (),
    profile_name: str | None,
    now: datetime,
) -> Customer:
    """Whoever is known by that address or else by one of the `others` (kind, value), or a new customer. `value` is
    canonical (`phone.canonical`). They are known by all of these from now on (`is_also_at`).

    Called twice at once it still makes one: the address is unique, and the second finds the first one's.
    """
    found = _find(db, tenant_id, kind, value, now=now)
    if found is None and others and (known := _first_known_by(db, tenant_id, others)) is not None:
        know_also(db, tenant_id, known, [(kind, value)], now=now)
        found = _find(db, tenant_id, kind, value, now=now)
    if found is None:
        try:
            with attempt(db):
                found = _make(db, tenant_id, kind, value, profile_name, now=now)
        except Conflict:
            found = _find(db, tenant_id, kind, value, now=now)
            if found is None:  # only a merge or an erasure in this very moment can do that
                raise
    if others and is_also_at(db, tenant_id, found.id, others, now=now):
        found = get(db, Actor(tenant_id, "system"), found.id)  # with what the others had
    return found


def know_also(
    db: Db, tenant_id: int, customer_id: int, addresses: Iterable[tuple[str, str]], *, now: datetime
) -> set[int]:
    """Find the customer by these (kind, value) as well, unless somebody else is known by them; who these others are."""
    known = {(row.kind, row.value) for row in _IDENTITIES(db, {"customer_id": customer_id})}
    others: set[int] = set()
    for kind, value in addresses:
        if (kind, value) in known:
            continue
        whose = _FIND(db, _wanted(tenant_id, kind, value)).first()
        if whose is None or whose.id == customer_id:  # theirs as the twin of that address
            try:
                with attempt(db):
                    _ADD_IDENTITY(db, _identity(tenant_id, customer_id, kind, value, now))
            except Conflict:  # somebody was as quick
                whose = _FIND(db, _wanted(tenant_id, kind, value)).first()
            else:
                if kind in _TWINS:
                    _CAN_BE_RUNG(db, {"this_id": customer_id, "number": value[:40]})
        if whose is not None and whose.id != customer_id:
            others.add(int(whose.id))
    return others


def is_also_at(
    db: Db, tenant_id: int, customer_id: int, addresses: Iterable[tuple[str, str]], *, now: datetime
) -> bool:
    """The provider says that the customer has these addresses (kind, value) too, and they are found by them from now on.
    Whoever else was known by one of them was the same person all the time, and is merged into them; True when there was one.
    """
    others = know_also(db, tenant_id, customer_id, addresses, now=now)
    for other in sorted(others):
        with contextlib.suppress(Invalid):  # somebody has merged them in this very moment
            merge(db, Actor(tenant_id, "system"), survivor_id=customer_id, other_id=other, now=now)
    return bool(others)


def get(db: Db, who: Actor, customer_id: int) -> Customer:
    """The customer, or the one it was merged into.

    Raises: NotFound
    """
    for _ in range(2):  # a merge leaves no chains
        row = _GET(db, {"tenant_id": who.tenant_id, "customer_id": customer_id}).one_or_none()
        if row is None:
            break
        *columns, merged_into_id = row
        if merged_into_id is None:
            return Customer(*columns)
        customer_id = merged_into_id
    raise NotFound("customer", customer_id)


def held(db: Db, customer_id: int) -> int:
    """The number of the customer, or of the one it was merged into; whoever else wants to hold it waits until the commit."""
    merged_into: int | None = _HOLD(db, {"customer_id": customer_id}).scalar_one()
    return customer_id if merged_into is None else held(db, merged_into)


def is_erased(db: Db, customer_id: int) -> bool:
    """Whether nothing is left of them but the number."""
    found: str | None = db.execute(select(customers.c.status).where(customers.c.id == customer_id)).scalar_one_or_none()
    return found == segments.ERASED


def set_name(db: Db, who: Actor, customer_id: int, name: str, *, now: datetime) -> Customer:
    """The customer under the name they gave.

    Raises: Invalid, NotFound
    """
    said = one_line(name, 200)
    if not said:
        raise Invalid("name", "A name needs at least one letter.")
    found = get(db, who, customer_id)
    db.execute(update(customers).where(customers.c.id == found.id).values(name=said, updated_at=now))
    if said != found.name:
        events.emit(db, who.tenant_id, "customer.updated", {"customer_id": found.uid}, now=now)
    return get(db, who, found.id)


def speaks(db: Db, who: Actor, customer_id: int, language: str) -> None:
    """Keep which language they write in, unless somebody has said before which one they speak."""
    db.execute(
        update(customers)
        .where(customers.c.id == customer_id, customers.c.tenant_id == who.tenant_id, customers.c.language.is_(None))
        .values(language=language)
    )


def known_by(db: Db, who: Actor, *, kind: str, value: str) -> Customer | None:
    """Whoever is known by that address, as `find_or_make` would find them."""
    row = _FIND(db, _wanted(who.tenant_id, kind, value)).first()
    return None if row is None else Customer(*row[1:])


def all_known_by(db: Db, who: Actor, *, kind: str, values: Collection[str]) -> dict[str, int]:
    """The numbers of those who are known by one of these addresses, by address."""
    kinds = [kind, _TWINS[kind]] if kind in _TWINS else [kind]
    i = customer_identities.c
    wanted = select(i.value, i.customer_id).where(i.tenant_id == who.tenant_id, i.kind.in_(kinds), i.value.in_(values))
    return {row.value: row.customer_id for row in db.execute(wanted)} if values else {}


def add_identity(db: Db, who: Actor, customer_id: int, *, kind: str, value: str, now: datetime) -> None:
    """From now on the customer is also found by this address. Adding it twice changes nothing.

    Raises: NotFound, IdentityTaken
    """
    found = get(db, who, customer_id)
    try:
        with attempt(db):
            _ADD_IDENTITY(db, _identity(who.tenant_id, found.id, kind, value, now))
    except Conflict:
        other = _find(db, who.tenant_id, kind, value, now=now)
        if other is not None and other.id != found.id:
            raise IdentityTaken(other.id, other.uid) from None
        return
    audit.record(db, who, "customer.identity_added", "customer", found.id, None, {"kind": kind}, now, uid=found.uid)


def merge(db: Db, who: Actor, *, survivor_id: int, other_id: int, now: datetime) -> Customer:
    """The survivor, who now has all that the other had: addresses, conversations, appointments, waiting, ratings.

    What the survivor lacks (name, e-mail, …) is taken from the other, tags are joined. The other stays as a signpost:
    `get` follows it.

    Raises: Invalid, NotFound
    """
    if survivor_id == other_id:
        raise Invalid("other_id", "A customer cannot be merged with itself.")
    lock = select(customers).where(customers.c.tenant_id == who.tenant_id, customers.c.id.in_([survivor_id, other_id]))
    rows = {row.id: row for row in db.execute(lock.order_by(customers.c.id).with_for_update())}
    for customer_id in (survivor_id, other_id):
        if customer_id not in rows:
            raise NotFound("customer", customer_id)
        if rows[customer_id].merged_into_id is not None:
            raise Invalid("customer", "This customer was merged into another one already.")
    survivor, other = rows[survivor_id], rows[other_id]
    for column in _pointing_here():
        db.execute(update(column.table).where(column == other_id).values({column.name: survivor_id}))
    filled: dict[str, object] = {
        name: getattr(other, name) for name in _FILLED if getattr(survivor, name) is None and getattr(other, name)
    }
    filled["tags"] = [*survivor.tags, *(tag for tag in other.tags if tag not in survivor.tags)]
    filled["attributes"] = {**other.attributes, **survivor.attributes}
    filled["notes"] = "\n\n".join(filter(None, (survivor.notes, other.notes)))
    db.execute(update(customers).where(customers.c.id == survivor_id).values(**filled, updated_at=now))
    db.execute(update(customers).where(customers.c.id == other_id).values(merged_into_id=survivor_id, updated_at=now))
    audit.record(
        db, who, "customer.merged", "customer", survivor_id, None, {"other_id": other_id}, now, uid=survivor.uid
    )
    told: Mapping[str, JsonValue] = {"customer_id": survivor.uid, "other_id": other.uid}
    events.emit(db, who.tenant_id, "customer.merged", told, now=now)
    return get(db, who, survivor_id)


def _first_known_by(db: Db, tenant_id: int, addresses: Iterable[tuple[str, str]]) -> int | None:
    """Whoever is known by one of these (kind, value), or None."""
    for kind, value in addresses:
        if (row := _FIND(db, _wanted(tenant_id, kind, value)).first()) is not None:
            return int(row.id)
    return None


def _find(db: Db, tenant_id: int, kind: str, value: str, *, now: datetime) -> Customer | None:
    rows = _FIND(db, _wanted(tenant_id, kind, value)).all()
    if not rows:
        return None
    exact = next((row for row in rows if row[0] == kind), None)
    _, *columns = exact or rows[0]
    found = Customer(*columns)
    if exact is None:
        try:
            with attempt(db):
                _ADD_IDENTITY(db, _identity(tenant_id, found.id, kind, value, now))
        except Conflict:  # somebody else was as quick, with the same result
            return found
    return found


def _make(db: Db, tenant_id: int, kind: str, value: str, profile_name: str | None, *, now: datetime) -> Customer:
    uid, shown = new_uid(), one_line(profile_name, 200) if profile_name else None
    email = value if kind == "email" else None
    phone = value if kind in _TWINS else None
    values = {
        "uid": uid,
        "tenant_id": tenant_id,
        "profile_name": shown or None,
        "email": email,
        "phone": phone and phone[:40],
        "attributes": {},
        "tags": [],
        "created_at": now,
        "updated_at": now,
    }
    customer_id: int = _ADD(db, values).scalar_one()
    _ADD_IDENTITY(db, _identity(tenant_id, customer_id, kind, value, now))
    events.emit(db, tenant_id, "customer.created", {"customer_id": uid}, now=now)
    return Customer(customer_id, uid, tenant_id, None, shown or None, email, phone, None, None, now, is_new=True)


def _wanted(tenant_id: int, kind: str, value: str) -> Mapping[str, object]:
    kinds = [kind, _TWINS[kind]] if kind in _TWINS else [kind]
    return {"tenant_id": tenant_id, "kinds": kinds, "value": value}


def _identity(tenant_id: int, customer_id: int, kind: str, value: str, now: datetime) -> Mapping[str, object]:
    return {"tenant_id": tenant_id, "customer_id": customer_id, "kind": kind, "value": value, "created_at": now}


def _pointing_here() -> list[Column[Any]]:
    """Every column of every table that says whose something is, also of tables that are still to come."""
    return [column for table in metadata.sorted_tables for column in table.columns if column.references(customers.c.id)]


_FILLED = ("name", "profile_name", "email", "phone", "language", "time_zone", "address", "city", "state", "zip")
_c = customers.c
_COLUMNS = (
    _c.id,
    _c.uid,
    _c.tenant_id,
    _c.name,
    _c.profile_name,
    _c.email,
    _c.phone,
    _c.language,
    _c.time_zone,
    _c.created_at,
)
_GET = Prepared(
    select(*_COLUMNS, _c.merged_into_id).where(
        _c.id == bindparam("customer_id"), _c.tenant_id == bindparam("tenant_id")
    )
)
# Not FOR UPDATE: that would also wait for everybody who refers to the customer by a foreign key.
_HOLD = Prepared(select(_c.merged_into_id).where(_c.id == bindparam("customer_id")).with_for_update(key_share=True))
_i = customer_identities.c
_FIND = Prepared(
    select(_i.kind, *_COLUMNS)
    .join(customers, _c.id == _i.customer_id)
    .where(
        _i.tenant_id == bindparam("tenant_id"),
        _i.kind.in_(bindparam("kinds", expanding=True)),
        _i.value == bindparam("value"),
    )
)
_IDENTITIES = Prepared(select(_i.kind, _i.value).where(_i.customer_id == bindparam("customer_id")))
_CAN_BE_RUNG = Prepared(
    update(customers).where(_c.id == bindparam("this_id"), _c.phone.is_(None)).values(phone=bindparam("number"))
)
_ADD = Prepared(insert(customers).returning(_c.id))
_ADD_IDENTITY = Prepared(insert(customer_identities))
