"""Service requests: what a customer asked to have done, from the ask until it is completed or called off.

To the outside a request that is worked on is a work order, and has the same id: `work_order.*` tell of it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import Row, select

from desk import customer_book, events, records, refs
from desk.calendar import appointments, diary
from desk.errors import Invalid, WrongState
from desk.listing import Found, Window, contains, page
from desk.refs import Ref
from desk.who import Actor
from desk.work import whose
from storage.base import Db, JsonValue
from storage.models.businesses import businesses, services, staff
from storage.models.calendar import appointments as visits
from storage.models.customers import customers
from storage.models.work import service_requests as table

NOUN: Final = "service request"
STATUSES: Final = ("new", "scheduled", "in_progress", "completed", "cancelled")
OPEN: Final = ("new", "scheduled", "in_progress")
PRIORITIES: Final = ("low", "normal", "high", "urgent")

# What may follow on what. One that was called off can be taken up again; one that is completed stays so.
NEXT: Final[Mapping[str, Collection[str]]] = MappingProxyType(
    {
        "new": ("scheduled", "in_progress", "completed", "cancelled"),
        "scheduled": ("new", "in_progress", "completed", "cancelled"),
        "in_progress": ("completed", "cancelled"),
        "completed": (),
        "cancelled": ("new",),
    }
)

_EVENTS: Final = MappingProxyType(
    {"scheduled": "work_order.scheduled", "in_progress": "work_order.started", "completed": "work_order.completed"}
)
_PRIVATE: Final = ("title", "description", "address", "equipment")

_r = table.c


@dataclass(frozen=True, slots=True)
class ServiceRequest:
    """`starts_at` and `appointment_status` are those of its appointment, if it has one."""

    id: int
    uid: str
    business_id: int
    business_uid: str
    customer_id: int
    customer_uid: str
    customer_name: str | None
    service_id: int | None
    service_uid: str | None
    service_name: str | None
    staff_id: int | None
    staff_uid: str | None
    staff_name: str | None
    appointment_id: int | None
    appointment_uid: str | None
    appointment_status: str | None
    starts_at: datetime | None
    title: str
    description: str
    address: str
    equipment: str
    priority: str
    status: str
    preferred_day: date | None
    completed_at: datetime | None
    created_at: datetime
    updated_at: datetime


def find(
    db: Db,
    who: Actor,
    window: Window,
    *,
    search: str | None = None,
    statuses: Collection[str] = (),
    priority: str | None = None,
    business: Ref | None = None,
    customer: Ref | None = None,
    service: Ref | None = None,
    member: Ref | None = None,
) -> Found[ServiceRequest]:
    """The tenant's, the newest first.

    Raises: NotFound, Invalid
    """
    wanted = _COLUMNS.where(_r.tenant_id == who.tenant_id)
    if statuses:
        wanted = wanted.where(_r.status.in_(statuses))
    if priority is not None:
        wanted = wanted.where(_r.priority == priority)
    for ref, nouns, column, noun in (
        (business, businesses, _r.business_id, "business"),
        (service, services, _r.service_id, "service"),
        (member, staff, _r.staff_id, "technician"),
    ):
        if ref is not None:
            wanted = wanted.where(column == refs.id_of(db, nouns, who, ref, noun))
    if customer is not None:
        wanted = wanted.where(_r.customer_id == customer_book.row_of(db, who, customer).id)
    if search:
        wanted = wanted.where(contains(search, _r.title, _r.description, _r.address, _r.equipment, customers.c.name))
    sorts = {
        "created_at": _r.created_at,
        "updated_at": _r.updated_at,
        "preferred_day": _r.preferred_day,
        "starts_at": visits.c.starts_at,
        "status": _r.status,
        "title": _r.title,
    }
    return page(db, wanted, window, _one, sorts=sorts, by="-created_at", tie=_r.id)


def get(db: Db, who: Actor, ref: Ref) -> ServiceRequest:
    """Raises: NotFound"""
    return _read(db, refs.id_of(db, table, who, ref, NOUN))


def add(
    db: Db,
    who: Actor,
    values: Mapping[str, Any],
    *,
    customer: Ref,
    business: Ref | None = None,
    service: Ref | None = None,
    member: Ref | None = None,
    appointment: Ref | None = None,
    conversation_id: int | None = None,
    status: str | None = None,
    now: datetime,
) -> ServiceRequest:
    """`values`: title, description, address, equipment, priority, preferred_day. With an appointment it is scheduled,
    without one new, unless `status` says otherwise. `conversation_id` is where it was asked for.

    Raises: NotFound; Invalid; WrongState, for scheduled without an appointment
    """
    links: dict[str, Any] = {"customer_id": customer_book.row_of(db, who, customer).id}
    links |= _links(db, who, links["customer_id"], {"service": service, "member": member, "appointment": appointment})
    home_id = links.pop("business_id", None)
    if business is not None or home_id is None:
        home = whose.business(db, who, business).id
        if home_id not in {None, home}:
            raise Invalid("business_id", "The service, technician or appointment is another business's.")
        home_id = home
    status = status or ("new" if links["appointment_id"] is None else "scheduled")
    if status == "scheduled" and links["appointment_id"] is None:
        raise Invalid("status", "A request is scheduled once it has an appointment.")
    links |= {"business_id": home_id, "status": status, "completed_at": now if status == "completed" else None}
    links["conversation_id"] = conversation_id
    made = records.add(db, who, table, {**values, **links}, noun=NOUN, private=_PRIVATE, now=now)
    found = _read(db, made.id)
    _tell(db, who, "work_order.created", found, now=now)
    if status in _EVENTS:
        _tell(db, who, _EVENTS[status], found, now=now)
    return found


def call_back(
    db: Db,
    who: Actor,
    conversation_id: int,
    title: str,
    *,
    customer: int,
    business: int,
    about: str = "",
    now: datetime,
) -> bool:
    """Somebody wants to be called back: one request for each conversation, however often it is asked for before it is
    taken up. False when there was one; what it is `about` is added to that.
    """
    same = _r.conversation_id == conversation_id, _r.title == title, _r.status == "new"
    wanted = select(_r.id, _r.description).where(_r.tenant_id == who.tenant_id, *same).with_for_update()
    row = db.execute(wanted.order_by(_r.id).limit(1)).one_or_none()
    if row is None:
        values = {"title": title, "description": about}
        add(db, who, values, customer=customer, business=business, conversation_id=conversation_id, now=now)
        return True
    if about and about not in row.description:
        told = f"{row.description}\n{about}".strip()
        records.change(db, who, table, row.id, {"description": told}, noun=NOUN, private=_PRIVATE, now=now)
    return False


def retell(db: Db, who: Actor, conversation_id: int, title: str, before: str, after: str, *, now: datetime) -> None:
    """What the last such request to call back was about is known better: where it said `before` it says `after`."""
    same = _r.conversation_id == conversation_id, _r.title == title
    wanted = select(_r.id, _r.description).where(_r.tenant_id == who.tenant_id, *same).with_for_update()
    row = db.execute(wanted.order_by(_r.id.desc()).limit(1)).one_or_none()
    if row is None or after in row.description:
        return
    has_it = before in row.description  # else it was told of one that sounded the same
    told = row.description.replace(before, after, 1) if has_it else f"{row.description}\n{after}".strip()
    records.change(db, who, table, row.id, {"description": told}, noun=NOUN, private=_PRIVATE, now=now)


def change(db: Db, who: Actor, ref: Ref, values: Mapping[str, Any], *, now: datetime) -> ServiceRequest:
    """The request, changed as `values` say: what `add` takes, and the references customer (which must be the same),
    business (likewise), service, member, appointment, and status.

    Who calls it off gives up its appointment; who completes it completes that, once it has begun.

    Raises: NotFound, Invalid; WrongState, for a status that does not follow on the one it has
    """
    before = refs.row(db, table, who, ref, NOUN, lock=True)
    changes = {name: value for name, value in values.items() if name in _OWN}
    _check_same(db, who, before, values)
    given = {name: values[name] for name in ("service", "member", "appointment") if name in values}
    links = _links(db, who, before.customer_id, given)
    if links.pop("business_id", before.business_id) != before.business_id:
        raise Invalid("service_id", "The service, technician or appointment is another business's.")
    status = values.get("status") or before.status
    # Just given an appointment, it is scheduled.
    if links.get("appointment_id") not in {None, before.appointment_id} and before.status == status == "new":
        status = "scheduled"
    appointment_id = links.get("appointment_id", before.appointment_id)
    if status == "scheduled" and appointment_id is None:
        if "appointment" in given and before.status == "scheduled" and not values.get("status"):
            status = "new"  # it has lost its appointment
        else:
            raise WrongState(NOUN, before.id, before.status, "A request is scheduled once it has an appointment.")
    changes |= links
    if status != before.status:
        if status not in NEXT[before.status]:
            raise WrongState(
                NOUN,
                before.id,
                before.status,
                f"A request that is {_said(before.status)} cannot become {_said(status)}.",
            )
        changes |= {"status": status, "completed_at": now if status == "completed" else None}
        _settle(db, who, appointment_id, status, now=now)
        if status == "new":
            changes["appointment_id"] = None
    records.change(db, who, table, before.id, changes, noun=NOUN, private=_PRIVATE, now=now)
    found = _read(db, before.id)
    if status != before.status and status in _EVENTS:
        _tell(db, who, _EVENTS[status], found, now=now)
    return found


def schedule(
    db: Db,
    who: Actor,
    ref: Ref,
    *,
    starts_at: datetime,
    service: Ref | None = None,
    member: Ref | None = None,
    now: datetime,
) -> ServiceRequest:
    """The request with an appointment at `starts_at`: a new one, or its own, moved. Without `member` whoever it is meant
    for, or else whoever is free.

    Raises:
        SlotTaken: with alternatives.
        WrongState: it is being worked on, or over.
        NotFound; Invalid, also when nobody has said which service
    """
    before = refs.row(db, table, who, ref, NOUN, lock=True)
    if before.status not in {"new", "scheduled"}:
        message = f"A request that is {_said(before.status)} cannot be scheduled."
        raise WrongState(NOUN, before.id, before.status, message)
    service_id = before.service_id if service is None else refs.id_of(db, services, who, service, "service")
    if service_id is None:
        raise Invalid("service_id", "Say which service it is.")
    member = member if member is not None else before.staff_id
    now_booked = None if before.appointment_id is None else appointments.get(db, who, before.appointment_id)
    if now_booked is not None and now_booked.is_live and now_booked.service_id != service_id:
        diary.become(db, who, now_booked.id, "cancelled", now=now)
    if now_booked is not None and now_booked.is_live and now_booked.service_id == service_id:
        booked = diary.change(db, who, now_booked.id, {"starts_at": starts_at, "member": member}, now=now)
    else:
        booked = diary.add(
            db, who, customer=before.customer_id, service=service_id, starts_at=starts_at, member=member, now=now
        )
    if booked.business_id != before.business_id:
        raise Invalid("service_id", "This service is another business's.")
    changes = {
        "status": "scheduled",
        "appointment_id": booked.id,
        "service_id": booked.service_id,
        "staff_id": booked.staff_id,
    }
    records.change(db, who, table, before.id, changes, noun=NOUN, private=_PRIVATE, now=now)
    found = _read(db, before.id)
    _tell(db, who, "work_order.scheduled", found, now=now)
    return found


def remove(db: Db, who: Actor, ref: Ref, *, now: datetime) -> None:
    """Forget it; an appointment that is still to come is cancelled.

    Raises: NotFound
    """
    before = refs.row(db, table, who, ref, NOUN, lock=True)
    if before.status in OPEN:
        _settle(db, who, before.appointment_id, "cancelled", now=now)
    records.remove(db, who, table, before.id, noun=NOUN, private=_PRIVATE, now=now)


_OWN: Final = ("title", "description", "address", "equipment", "priority", "preferred_day")


def _links(db: Db, who: Actor, customer_id: int, given: Mapping[str, Ref | None]) -> dict[str, Any]:
    """The references in `given` as columns, and `business_id` when one of them tells it.

    Raises: NotFound, Invalid
    """
    found: dict[str, Any] = {}
    homes: set[int] = set()
    for name, nouns, column, noun in (
        ("service", services, "service_id", "service"),
        ("member", staff, "staff_id", "technician"),
        ("appointment", visits, "appointment_id", "appointment"),
    ):
        if name not in given:
            continue
        ref = given[name]
        row = None if ref is None else refs.row(db, nouns, who, ref, noun)
        found[column] = None if row is None else row.id
        if row is None:
            continue
        homes.add(row.business_id)
        if name == "appointment" and row.customer_id != customer_id:
            raise Invalid("appointment_id", "This appointment is another customer's.")
    if len(homes) > 1:
        raise Invalid("service_id", "The service, technician and appointment are not of one business.")
    if homes:
        found["business_id"] = homes.pop()
    return found


def _check_same(db: Db, who: Actor, before: Row[Any], values: Mapping[str, Any]) -> None:
    """Raises: NotFound, Invalid"""
    for name, nouns, now_id in (
        ("customer", customers, before.customer_id),
        ("business", businesses, before.business_id),
    ):
        ref = values.get(name)
        if ref is not None and refs.id_of(db, nouns, who, ref, name) != now_id:
            raise Invalid(f"{name}_id", f"A request stays with its {name}: add a new one instead.")


def _settle(db: Db, who: Actor, appointment_id: int | None, status: str, *, now: datetime) -> None:
    """What becomes of its appointment when the request becomes `status`."""
    if appointment_id is None:
        return
    booked = appointments.get(db, who, appointment_id)
    if not booked.is_live:
        return
    if status in {"new", "cancelled"}:
        diary.become(db, who, booked.id, "cancelled", now=now)
    elif status == "completed" and booked.starts_at <= now:
        diary.become(db, who, booked.id, "completed", now=now)


def _tell(db: Db, who: Actor, event: str, found: ServiceRequest, *, now: datetime) -> None:
    data: dict[str, JsonValue] = {
        "work_order_id": found.uid,
        "customer_id": found.customer_uid,
        "technician_id": found.staff_uid,
        "service_id": found.service_uid,
        "appointment_id": found.appointment_uid,
        "status": found.status,
        "priority": found.priority,
        "scheduled_at": None if found.starts_at is None else events.rfc3339(found.starts_at),
    }
    if found.completed_at is not None:
        data["completed_at"] = events.rfc3339(found.completed_at)
    events.emit(db, who.tenant_id, event, data, now=now)


def _said(status: str) -> str:
    return status.replace("_", " ")


def _read(db: Db, request_id: int) -> ServiceRequest:
    return _one(db.execute(_COLUMNS.where(_r.id == request_id)).one())


def _one(row: Any) -> ServiceRequest:
    return ServiceRequest(*row)


_COLUMNS: Final = select(
    _r.id,
    _r.uid,
    _r.business_id,
    businesses.c.uid.label("business_uid"),
    _r.customer_id,
    customers.c.uid.label("customer_uid"),
    customers.c.name.label("customer_name"),
    _r.service_id,
    services.c.uid.label("service_uid"),
    services.c.name.label("service_name"),
    _r.staff_id,
    staff.c.uid.label("staff_uid"),
    staff.c.name.label("staff_name"),
    _r.appointment_id,
    visits.c.uid.label("appointment_uid"),
    visits.c.status.label("appointment_status"),
    visits.c.starts_at,
    _r.title,
    _r.description,
    _r.address,
    _r.equipment,
    _r.priority,
    _r.status,
    _r.preferred_day,
    _r.completed_at,
    _r.created_at,
    _r.updated_at,
).select_from(
    table.join(businesses, businesses.c.id == _r.business_id)
    .join(customers, customers.c.id == _r.customer_id)
    .outerjoin(services, services.c.id == _r.service_id)
    .outerjoin(staff, staff.c.id == _r.staff_id)
    .outerjoin(visits, visits.c.id == _r.appointment_id)
)
