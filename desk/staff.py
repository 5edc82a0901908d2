"""People who do the work, and chairs and rooms: what they can do, when they work and when they are away."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, Select, delete, insert, select, update

from desk import audit, businesses, opening, phone, profiles, records
from desk.businesses import WEEK, Weekly
from desk.errors import InUse, Invalid, NotFound
from desk.events import rfc3339
from desk.listing import Found, Window, contains, page
from desk.refs import Ref, maybe_id_of
from desk.refs import row as find_row
from desk.who import Actor
from storage.base import Db
from storage.models.businesses import staff as table
from storage.models.businesses import staff_absences, staff_hours
from storage.models.tenants import users

NOUN: Final = "staff member"
_t = table.c
_a = staff_absences.c


@dataclass(frozen=True, slots=True)
class Member:
    """`kind`: person or place. `hours` is the working plan, None for the hours of the business. `capacity`: visits at
    one time.
    """

    id: int
    uid: str
    business_uid: str
    user_uid: str | None
    name: str
    kind: str
    skills: tuple[str, ...]
    capacity: int
    email: str | None
    phone: str | None
    takes_calls: bool
    hourly_rate_cents: int | None
    currency: str
    position: int
    is_active: bool
    hours: Weekly | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Absence:
    uid: str
    starts_at: datetime
    ends_at: datetime
    reason: str


def find(
    db: Db,
    who: Actor,
    business: Ref,
    window: Window,
    *,
    search: str | None = None,
    kind: str | None = None,
    is_active: bool | None = None,
) -> Found[Member]:
    """In the order of the business.

    Raises: NotFound
    """
    shop = profiles.get(db, who, business)
    wanted = _wanted(shop.id)
    if search:
        wanted = wanted.where(contains(search, _t.name, _t.email, _t.phone))
    if kind is not None:
        wanted = wanted.where(_t.kind == kind)
    if is_active is not None:
        wanted = wanted.where(_t.is_active.is_(is_active))
    sorts = {"position": _t.position, "name": _t.name, "created_at": _t.created_at}
    found = page(db, wanted, window, lambda row: row, sorts=sorts, by="position", tie=_t.id)
    return Found(_members(db, shop, found.items), found.total)


def get(db: Db, who: Actor, business: Ref, ref: Ref) -> Member:
    """Raises: NotFound"""
    shop = profiles.get(db, who, business)
    found = _row(db, who, shop.id, ref)
    return _members(db, shop, db.execute(_wanted(shop.id).where(_t.id == found.id)))[0]


def add(db: Db, who: Actor, business: Ref, values: Mapping[str, Any], *, now: datetime) -> Member:
    """`values`: the columns, `user_id` as the outside knows it, and `hours` (None: those of the business).

    Raises: NotFound, Invalid
    """
    shop = profiles.get(db, who, business, lock=True)
    columns, plan = _columns(db, who, values)
    made = records.add(db, who, table, {**columns, "business_id": shop.id}, noun=NOUN, now=now)
    if plan is not None:
        opening.keep_week(db, staff_hours, "staff_id", made.id, plan)
    businesses.touch(db, shop.id)
    return _checked(get(db, who, business, made.id), shop)


def change(db: Db, who: Actor, business: Ref, ref: Ref, values: Mapping[str, Any], *, now: datetime) -> Member:
    """Raises: NotFound, Invalid"""
    shop = profiles.get(db, who, business, lock=True)
    before = get(db, who, business, ref)
    columns, plan = _columns(db, who, values)
    records.change(db, who, table, before.id, columns, noun=NOUN, now=now)
    if "hours" in values and plan != before.hours:
        opening.keep_week(db, staff_hours, "staff_id", before.id, plan or ())
        was, becomes = (None if week is None else opening.shown(week) for week in (before.hours, plan))
        audit.record(
            db, who, "staff_member.hours_changed", "staff_member", before.id, was, becomes, now, uid=before.uid
        )
    businesses.touch(db, shop.id)
    return _checked(get(db, who, business, before.id), shop)


def remove(db: Db, who: Actor, business: Ref, ref: Ref, *, now: datetime) -> None:
    """Raises: NotFound; InUse, once somebody booked them"""
    shop = profiles.get(db, who, business, lock=True)
    found = _row(db, who, shop.id, ref)
    try:
        records.remove(db, who, table, found.id, noun=NOUN, now=now)
    except InUse:
        raise InUse(NOUN, "There is work in their name; set `is_active` to false so that no more are booked.") from None
    businesses.touch(db, shop.id)


def absences(db: Db, who: Actor, business: Ref, ref: Ref, *, after: datetime | None = None) -> list[Absence]:
    """When they are away, earliest first; with `after` only what ends later.

    Raises: NotFound
    """
    member = _row(db, who, profiles.get(db, who, business).id, ref)
    wanted = select(staff_absences).where(_a.staff_id == member.id).order_by(_a.starts_at, _a.id)
    return [_absence(row) for row in db.execute(wanted if after is None else wanted.where(_a.ends_at > after))]


def add_absence(db: Db, who: Actor, business: Ref, ref: Ref, values: Mapping[str, Any], *, now: datetime) -> Absence:
    """`values`: starts_at, ends_at, reason. Visits that are booked already stay.

    Raises: NotFound, Invalid
    """
    shop = profiles.locked(db, who, business)
    member = _row(db, who, shop.id, ref)
    _in_order(values)
    made = db.execute(insert(staff_absences).values(staff_id=member.id, **values).returning(staff_absences)).one()
    _note(db, who, member, "absence_added", made, now)
    return _absence(made)


def change_absence(
    db: Db, who: Actor, business: Ref, ref: Ref, absence: Ref, values: Mapping[str, Any], *, now: datetime
) -> Absence:
    """Raises: NotFound, Invalid"""
    shop = profiles.locked(db, who, business)
    member = _row(db, who, shop.id, ref)
    before = _absence_row(db, member.id, absence)
    _in_order({"starts_at": before.starts_at, "ends_at": before.ends_at, **values})
    if values:
        changed = update(staff_absences).where(_a.id == before.id).values(**values).returning(staff_absences)
        before = db.execute(changed).one()
    _note(db, who, member, "absence_changed", before, now)
    return _absence(before)


def remove_absence(db: Db, who: Actor, business: Ref, ref: Ref, absence: Ref, *, now: datetime) -> None:
    """Raises: NotFound"""
    shop = profiles.locked(db, who, business)
    member = _row(db, who, shop.id, ref)
    before = _absence_row(db, member.id, absence)
    db.execute(delete(staff_absences).where(_a.id == before.id))
    _note(db, who, member, "absence_removed", before, now)


def _columns(db: Db, who: Actor, values: Mapping[str, Any]) -> tuple[dict[str, Any], Weekly | None]:
    """What goes into the row, and the plan."""
    columns = dict(values)
    plan = columns.pop("hours", None)
    if plan is not None:
        plan = opening.checked(plan, "hours")
        if not any(plan):
            raise Invalid(
                "hours", "A plan has hours; send null for those of the business, or set `is_active` to false."
            )
    if "user_id" in columns:
        columns["user_id"] = maybe_id_of(db, users, who, columns["user_id"], "user")
    return columns, plan


def _checked(member: Member, shop: profiles.Profile) -> Member:
    """Raises: Invalid, when callers are to be passed on to somebody without a phone, or of whom we do not know who it is"""
    if member.takes_calls and member.user_uid is None:
        raise Invalid("takes_calls", "Say with `user_id` who signs in as them: the conversation becomes theirs.")
    if member.takes_calls and not phone.can_be_called(member.phone or "", phone.region_of(shop.phone or "")):
        raise Invalid("takes_calls", "Callers are passed on to `phone`, so it has to be a telephone number.")
    return member


def _row(db: Db, who: Actor, business_id: int, ref: Ref) -> Row[Any]:
    found = find_row(db, table, who, ref, NOUN)
    if found.business_id != business_id:
        raise NotFound(NOUN, ref)
    return found


def _absence_row(db: Db, staff_id: int, ref: Ref) -> Row[Any]:
    found = db.execute(select(staff_absences).where(_a.staff_id == staff_id, _a.uid == str(ref).lower())).one_or_none()
    if found is None:
        raise NotFound("absence", ref)
    return found


def _in_order(values: Mapping[str, Any]) -> None:
    if values["starts_at"] >= values["ends_at"]:
        raise Invalid("ends_at", "An absence ends after it begins.")


def _note(db: Db, who: Actor, member: Row[Any], what: str, absence: Row[Any], now: datetime) -> None:
    """The times; why somebody is away is nobody else's business."""
    after = {"starts_at": rfc3339(absence.starts_at), "ends_at": rfc3339(absence.ends_at)}
    audit.record(db, who, f"staff_member.{what}", "staff_member", member.id, None, after, now, uid=member.uid)
    businesses.touch(db, member.business_id)


def _absence(row: Row[Any]) -> Absence:
    return Absence(row.uid, row.starts_at, row.ends_at, row.reason)


def _wanted(business_id: int) -> Select[Any]:
    joined = table.outerjoin(users, users.c.id == _t.user_id)
    return select(table, users.c.uid.label("user_uid")).select_from(joined).where(_t.business_id == business_id)


def _members(db: Db, shop: profiles.Profile, rows: Iterable[Row[Any]]) -> list[Member]:
    found = [*rows]
    plans = opening.of_week(db, staff_hours, "staff_id", [row.id for row in found])
    return [_one(row, shop, plans[row.id]) for row in found]


def _one(row: Row[Any], shop: profiles.Profile, plan: Weekly) -> Member:
    assert len(plan) == WEEK  # noqa: S101  by `of_week`
    return Member(
        id=row.id,
        uid=row.uid,
        business_uid=shop.uid,
        user_uid=row.user_uid,
        name=row.name,
        kind=row.kind,
        skills=tuple(row.skills),
        capacity=row.capacity,
        email=row.email,
        phone=row.phone,
        takes_calls=row.takes_calls,
        hourly_rate_cents=row.hourly_rate_cents,
        currency=shop.currency,
        position=row.position,
        is_active=row.is_active,
        hours=plan if any(plan) else None,
        created_at=row.created_at,
    )
