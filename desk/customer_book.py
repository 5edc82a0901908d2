"""The customers as people of the business keep them: found, added, changed, merged. How bots meet them: `customers`."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import Row, Select, bindparam, delete, exists, insert, or_, select, update

from desk import attributes, audit, customers, events, phone, reachable, records, refs, segments
from desk.errors import IdentityTaken, Invalid, NotFound
from desk.listing import Found, Window, contains, page
from desk.refs import Ref
from desk.text import one_line, storable
from desk.who import Actor
from storage.base import Db
from storage.models.businesses import businesses
from storage.models.conversations import conversations
from storage.models.customers import customer_identities
from storage.models.customers import customers as table
from storage.prepared import Prepared
from storage.session import Conflict, attempt, found_out

NOUN = "customer"
# The audit tells that these changed, and not what they were.
PRIVATE = ("name", "profile_name", "email", "phone", "address", "city", "state", "zip", "notes", "attributes", "tags")

Address = tuple[str, str]  # phone or email, and the number or address

_ADDRESSES = ("phone", "email")
_MOST_TAGS = 50
_t = table.c
_i = customer_identities.c


@dataclass(frozen=True, slots=True)
class Identity:
    """An address they are known by. `kind`: phone, whatsapp, bsuid, email, web, sim. `unreachable_for`: why the provider says
    that nobody is reached there, unless they have written from there since (`desk.reachable`).
    """

    kind: str
    value: str
    created_at: datetime
    unreachable_for: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """Everything that is written down about a customer. `profile_name` is what their channel shows."""

    id: int
    uid: str
    name: str | None
    profile_name: str | None
    email: str | None
    phone: str | None
    language: str | None
    time_zone: str | None
    address: str | None
    city: str | None
    state: str | None
    zip: str | None
    notes: str
    status: str
    tags: Sequence[str]
    attributes: Mapping[str, attributes.Value]
    identities: Sequence[Identity]
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Filter:
    """`attribute` is `key:value`; `channel` one on which they have talked with us."""

    search: str | None = None
    tag: str | None = None
    status: str | None = None
    channel: str | None = None
    attribute: str | None = None
    created_from: datetime | None = None
    created_before: datetime | None = None


def find(db: Db, who: Actor, window: Window, wanted: Filter) -> Found[Entry]:
    """The tenant's, the newest first.

    Raises: Invalid
    """
    sorts = {"name": _t.name, "email": _t.email, "created_at": _t.created_at, "updated_at": _t.updated_at}
    rows, is_dear = matching(db, who, wanted), bool(wanted.search)
    found = page(db, rows, window, _plain, sorts=sorts, by="-created_at", tie=_t.id, is_dear=is_dear)
    return Found(entries(db, found.items), found.total)


def matching(db: Db, who: Actor, wanted: Filter) -> Select[Any]:
    """The rows that `wanted` describes.

    Raises: Invalid
    """
    rows = select(table).where(segments.present(who))
    if wanted.search:
        rows = rows.where(_has(db, who, wanted.search))
    if wanted.tag is not None:
        rows = rows.where(segments.has_tag(db, wanted.tag))
    if wanted.status is not None:
        rows = rows.where(_t.status == wanted.status)
    if wanted.channel is not None:
        rows = rows.where(segments.on_channel(wanted.channel))
    if wanted.attribute is not None:
        rows = rows.where(segments.attribute_is(attributes.all_of(db, who), wanted.attribute))
    if wanted.created_from is not None:
        rows = rows.where(_t.created_at >= wanted.created_from)
    if wanted.created_before is not None:
        rows = rows.where(_t.created_at < wanted.created_before)
    return rows


def entries(db: Db, rows: Sequence[Row[Any]]) -> list[Entry]:
    """The rows with the addresses of each."""
    ids = [row.id for row in rows]
    identities: dict[int, list[Identity]] = {}
    lost = reachable.LOST_FOR.label("lost_for")
    wanted = select(_i.customer_id, _i.kind, _i.value, _i.created_at, lost).where(_i.customer_id.in_(ids))
    for found in db.execute(wanted.order_by(_i.id)):
        one = Identity(found.kind, found.value, found.created_at, found.lost_for)
        identities.setdefault(found.customer_id, []).append(one)
    return [_entry(row, identities.get(row.id, ())) for row in rows]


def get(db: Db, who: Actor, ref: Ref) -> Entry:
    """The customer, or the one it was merged into.

    Raises: NotFound
    """
    return entries(db, [row_of(db, who, ref)])[0]


def reach(db: Db, who: Actor, ref: Ref, *, kind: str, value: str, now: datetime) -> Entry:
    """Somebody knows better than the provider: that address reaches them, and campaigns try it again.

    Raises: NotFound, also when they are not known by that address
    """
    row = row_of(db, who, ref, lock=True)
    whose = _i.customer_id == row.id, _i.kind == kind, _i.value == value
    reached = update(customer_identities).where(*whose).values(unreachable_for=None, unreachable_at=None)
    if db.execute(reached).rowcount == 0:
        raise NotFound("address", None)
    audit.record(db, who, "customer.reachable", NOUN, row.id, None, {"kind": kind}, now, uid=row.uid)
    return entries(db, [row])[0]


def row_of(db: Db, who: Actor, ref: Ref, *, lock: bool = False) -> Row[Any]:
    """The customer's row, or that of the one it was merged into.

    Raises: NotFound, also for one that was erased
    """
    row = refs.row(db, table, who, ref, NOUN, lock=lock)
    if row.merged_into_id is not None:
        row = refs.row(db, table, who, row.merged_into_id, NOUN, lock=lock)
    if row.status == segments.ERASED:
        raise NotFound(NOUN, ref)
    return row


def add(db: Db, who: Actor, values: Mapping[str, Any], *, now: datetime) -> Entry:
    """A new customer, known from now on by the telephone number and the e-mail address.

    Raises: IdentityTaken, Invalid
    """
    return entries(db, [enter(db, who, values, now=now)])[0]


def change(
    db: Db, who: Actor, ref: Ref, values: Mapping[str, Any], *, merge_attributes: bool = True, now: datetime
) -> Entry:
    """The customer with its new values. `merge_attributes`: those that are not given stay, and None takes one away.

    Raises: NotFound, IdentityTaken, Invalid
    """
    return entries(db, [amend(db, who, ref, values, merge_attributes=merge_attributes, now=now)])[0]


def enter(db: Db, who: Actor, values: Mapping[str, Any], *, now: datetime) -> Row[Any]:
    """The row that `add` makes, for whoever adds many and looks at none.

    Raises: IdentityTaken, Invalid
    """
    row = records.add(db, who, table, checked(db, who, values), noun=NOUN, private=PRIVATE, now=now)
    for kind in _ADDRESSES:
        if row._mapping[kind]:
            _known_as(db, who, row.id, kind, row._mapping[kind], now=now)
    events.emit(db, who.tenant_id, "customer.created", {"customer_id": row.uid}, now=now)
    return row


def enter_many(db: Db, who: Actor, many: Sequence[Mapping[str, Any]], *, now: datetime) -> None:
    """Many new customers at once, `checked` before. The caller has seen that nobody is `known` by their addresses.

    Raises: Conflict, when somebody else took one meanwhile, and then there are none of them
    """
    with attempt(db):
        for row in records.add_many(db, who, table, many, noun=NOUN, private=PRIVATE, now=now):
            mine = {"tenant_id": who.tenant_id, "customer_id": row.id, "created_at": now}
            for kind in _ADDRESSES:
                if value := row._mapping[kind]:
                    _ADD_IDENTITY(db, {**mine, "kind": kind, "value": value.lower() if kind == "email" else value})
            events.emit(db, who.tenant_id, "customer.created", {"customer_id": row.uid}, now=now)


def checked(db: Db, who: Actor, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a new customer as they are stored.

    Raises: Invalid
    """
    tidy = _tidied(db, who, values)
    if not (tidy.get("name") or tidy.get("phone") or tidy.get("email")):
        raise Invalid("name", "Give a name, a phone number or an e-mail address.")
    return tidy


def amend(
    db: Db, who: Actor, ref: Ref, values: Mapping[str, Any], *, merge_attributes: bool = True, now: datetime
) -> Row[Any]:
    """The row that `change` leaves.

    Raises: NotFound, IdentityTaken, Invalid
    """
    before = row_of(db, who, ref, lock=True)
    tidy = _tidied(db, who, values, before=before if merge_attributes else None)
    after = records.change(db, who, table, before.id, tidy, noun=NOUN, private=PRIVATE, now=now)
    for kind in _ADDRESSES:
        old, new = before._mapping[kind], after._mapping[kind]
        if old != new:
            if old:
                _no_longer_known_as(db, before.id, kind, old)
            if new:
                _known_as(db, who, before.id, kind, new, now=now)
    if after != before:
        events.emit(db, who.tenant_id, "customer.updated", {"customer_id": after.uid}, now=now)
    return after


def merge(db: Db, who: Actor, ref: Ref, other: Ref, *, now: datetime) -> Entry:
    """The survivor `ref`, who now has all that `other` had.

    Raises: NotFound, Invalid
    """
    survivor = refs.row(db, table, who, ref, NOUN)
    gone = refs.row(db, table, who, other, NOUN)
    for row, name in ((survivor, ref), (gone, other)):
        if row.status == segments.ERASED:
            raise NotFound(NOUN, name)
    customers.merge(db, who, survivor_id=survivor.id, other_id=gone.id, now=now)
    return get(db, who, survivor.id)


def known(db: Db, who: Actor, addresses: Collection[Address]) -> dict[Address, Row[Any]]:
    """Those who are known by one of these addresses, which are `canonical`, by address."""
    ids = {
        (kind, value): customer_id
        for kind in _ADDRESSES
        for value, customer_id in customers.all_known_by(
            db, who, kind=kind, values=[value for other, value in addresses if other == kind]
        ).items()
    }
    wanted = select(table).where(_t.id.in_({*ids.values()}), _t.tenant_id == who.tenant_id)
    rows = {row.id: row for row in db.execute(wanted)} if ids else {}
    return {address: rows[customer_id] for address, customer_id in ids.items()}


def is_so(db: Db, who: Actor, before: Row[Any], values: Mapping[str, Any]) -> bool:
    """Whether `amend` would change nothing.

    Raises: Invalid
    """
    tidy = _tidied(db, who, values, before=before)
    return all(before._mapping[name] == value for name, value in tidy.items())


def canonical(db: Db, who: Actor, kind: str, value: str) -> str:
    """An address in the form under which it is known."""
    return phone.canonical(value, _region(db, who)) if kind == "phone" else value.strip().lower()


def _tidied(db: Db, who: Actor, values: Mapping[str, Any], *, before: Row[Any] | None = None) -> dict[str, Any]:
    """The values as they are stored. With `before`, its attributes stay where no other is given.

    Raises: Invalid
    """
    tidy = dict(values)
    for name in ("name", "email", "phone", "address", "city", "state", "zip", "language", "time_zone"):
        if tidy.get(name) is not None:
            tidy[name] = storable(tidy[name]).strip() or None
    if tidy.get("phone"):
        tidy["phone"] = canonical(db, who, "phone", tidy["phone"])[:40]
        if not tidy["phone"]:
            raise Invalid("phone", "A phone number needs at least one digit.")
    if tidy.get("time_zone"):
        _check_zone(tidy["time_zone"])
    if "notes" in tidy:
        tidy["notes"] = storable(tidy["notes"])
    if "tags" in tidy:
        tidy["tags"] = _tags(tidy["tags"])
    if "attributes" in tidy:
        wanted = tidy["attributes"]
        given = attributes.checked(attributes.all_of(db, who), wanted) if wanted else {}
        kept = {} if before is None else before.attributes
        tidy["attributes"] = {key: value for key, value in {**kept, **given}.items() if value is not None}
    return tidy


def _tags(given: Sequence[str]) -> list[str]:
    tags = list(dict.fromkeys(filter(None, (one_line(tag, 60) for tag in given))))
    if len(tags) > _MOST_TAGS:
        raise Invalid("tags", f"A customer has at most {_MOST_TAGS} tags.")
    return tags


def _check_zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Invalid("time_zone", "There is no such time zone; use a name such as America/Chicago.") from None


def _known_as(db: Db, who: Actor, customer_id: int, kind: str, value: str, *, now: datetime) -> None:
    """Raises: IdentityTaken"""
    value = value.lower() if kind == "email" else value
    other = customers.known_by(db, who, kind=kind, value=value)
    if other is not None and other.id != customer_id:
        raise IdentityTaken(other.id, other.uid)
    mine = {"tenant_id": who.tenant_id, "customer_id": customer_id, "kind": kind, "value": value, "created_at": now}
    try:
        with attempt(db):
            _ADD_IDENTITY(db, mine)
    except Conflict:
        other = customers.known_by(db, who, kind=kind, value=value)
        if other is None or other.id != customer_id:
            raise IdentityTaken(*((other.id, other.uid) if other else (0, ""))) from None


def _no_longer_known_as(db: Db, customer_id: int, kind: str, value: str) -> None:
    """Forget an address, unless they have written to us from it: what they write next must still be theirs."""
    value = value.lower() if kind == "email" else value
    has_written = exists().where(
        conversations.c.customer_id == customer_id, conversations.c.peer_kind == kind, conversations.c.peer == value
    )
    db.execute(
        delete(customer_identities).where(
            _i.customer_id == customer_id, _i.kind == kind, _i.value == value, ~has_written
        )
    )


def _has(db: Db, who: Actor, search: str) -> Any:
    """Rows with the text in a name, an e-mail address or a number, however the number is written."""
    found = contains(search, _t.name, _t.profile_name, _t.email, _t.phone)
    digits = "".join(char for char in search if char.isdecimal())
    if len(digits) >= 4 and not any(char.isalpha() for char in search):
        number = phone.canonical(search, _region(db, who))
        found = or_(found, contains(digits, _t.phone), _t.phone == number)
    return found


def _region(db: Db, who: Actor) -> str:
    """The country in which the tenant's people dial."""
    regions: dict[int, str] = found_out(db).setdefault("regions", {})
    if (found := regions.get(who.tenant_id)) is None:
        number = _NUMBER(db, {"tenant_id": who.tenant_id}).scalar_one_or_none()
        found = regions[who.tenant_id] = _region_of(number) if number else "US"
    return found


_region_of = lru_cache(maxsize=256)(phone.region_of)
_b = businesses.c
_NUMBER = Prepared(
    select(_b.phone).where(_b.tenant_id == bindparam("tenant_id"), _b.phone.is_not(None)).order_by(_b.id).limit(1)
)
_ADD_IDENTITY = Prepared(insert(customer_identities))


def _plain(row: Row[Any]) -> Row[Any]:
    return row


def _entry(row: Row[Any], identities: Sequence[Identity]) -> Entry:
    return Entry(
        id=row.id,
        uid=row.uid,
        name=row.name,
        profile_name=row.profile_name,
        email=row.email,
        phone=row.phone,
        language=row.language,
        time_zone=row.time_zone,
        address=row.address,
        city=row.city,
        state=row.state,
        zip=row.zip,
        notes=row.notes,
        status=row.status,
        tags=tuple(row.tags),
        attributes=row.attributes,
        identities=identities,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
