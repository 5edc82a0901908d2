"""Holding, booking, moving and cancelling. A time is never given twice: the database refuses it, whoever asks.

People of the business and their programs (`staff`, `app`) may book outside the hours, the notice and the horizon; nobody
may book over another.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, insert, select, update

from desk import audit, events
from desk.businesses import Business, Staff
from desk.calendar import appointments as reading
from desk.calendar import campaigns, reminders, slots, taking, zones
from desk.calendar import claims as pieces
from desk.calendar.appointments import Appointment, get, upcoming
from desk.calendar.claims import Freed
from desk.calendar.holds import Hold, expire_holds, hold, release
from desk.calendar.slots import Slot
from desk.calendar.spans import Span
from desk.errors import HoldExpired, Invalid, NotAllowed, NotFound, WrongState
from desk.text import one_line, storable
from desk.who import Actor
from storage import queue
from storage.base import Db, JsonValue, new_uid
from storage.models.calendar import appointments, claims
from storage.prepared import Prepared
from storage.session import announce

__all__ = [
    "Appointment",
    "Hold",
    "book",
    "cancel",
    "complete",
    "confirm",
    "expire_holds",
    "get",
    "hold",
    "move",
    "no_show",
    "record",
    "release",
    "upcoming",
]

FREED = "waitlist_freed"  # the job that offers freed time to those who wait (`waitlist.offer_freed`)


def book(
    db: Db,
    who: Actor,
    business: Business,
    *,
    hold_id: int | None = None,
    slot: Slot | None = None,
    customer_id: int,
    conversation_id: int | None,
    source: str,
    notes: str = "",
    now: datetime,
) -> Appointment:
    """Book what is held, or `slot` straight away. Give both when both are known: a hold that has run out and was
    cleared away is then taken anew, if the time is still free. Booking a hold twice gives the same appointment.

    Raises:
        SlotTaken: with alternatives.
        HoldExpired: nothing is left of the hold, and no `slot` was given.
        NotFound, Invalid: no such customer, conversation, service or hold; the member does not do the service.
    """
    taking.check_theirs(db, who, business, customer_id=customer_id, conversation_id=conversation_id)
    if hold_id is not None:
        held = _held(db, who, hold_id, conversation_id)
        if held is not None and held.appointment_id is not None:
            booked = get(db, who, held.appointment_id)
            if booked.customer_id != customer_id:
                raise NotFound("hold", hold_id)
            return booked
        if held is not None:
            kept = slots.at(business, held.service_id, held.visit_starts_at, staff_id=held.staff_id)
            member = business.staff_member(held.staff_id)
            if held.expires_at > now or taking.may(who, business, member, kept, now=now):
                appointment_id = _insert(
                    db, who, business, kept, customer_id, conversation_id, source=source, notes=notes, now=now
                )
                pieces.settle(db, claim_id=hold_id, appointment_id=appointment_id)
                return _booked(db, who, business, appointment_id, now=now)
            slot = slot or kept  # it has run out and the rules have overtaken it: say what is free instead
        if slot is None:
            raise HoldExpired(hold_id)
    if slot is None:
        raise Invalid("slot", "Say which time to book.")
    wanted = slot
    service = business.service(wanted.service_id)
    members = slots.able(business, service, wanted.staff_id)
    pieces.lock(db, [member.id for member in members])

    def put(member: Staff, unit: int, claim: Span) -> int:
        chosen = replace(wanted, staff_id=member.id)
        appointment_id = _insert(
            db, who, business, chosen, customer_id, conversation_id, source=source, notes=notes, now=now
        )
        pieces.add(
            db,
            tenant_id=who.tenant_id,
            staff_id=member.id,
            unit=unit,
            span=claim,
            now=now,
            appointment_id=appointment_id,
        )
        return appointment_id

    return _booked(db, who, business, taking.take(db, who, business, service, wanted, members, put, now=now), now=now)


def record(
    db: Db,
    who: Actor,
    business: Business,
    slot: Slot,
    *,
    customer_id: int,
    status: str,
    source: str,
    notes: str = "",
    now: datetime,
) -> Appointment:
    """Note down a visit that is over (completed, no_show) or was called off (cancelled). It takes nobody's time, so
    nothing is in its way. Without `slot.staff_id` it is put down to the first who can do it.

    Raises:
        NotAllowed: only people of the business and their programs can say how a visit went.
        Invalid: a visit that has not begun cannot have taken place, or nobody does the service.
        NotFound
    """
    taking.check_theirs(db, who, business, customer_id=customer_id, conversation_id=None)
    if who.kind in {"bot", "customer"}:
        raise NotAllowed("Only the people of the business can say how a visit went.")
    if status != "cancelled" and now < slot.starts_at:
        raise Invalid("status", "This visit has not begun, so nobody can say yet how it went.")
    members = slots.able(business, business.service(slot.service_id), slot.staff_id)
    if not members:
        raise Invalid("service_id", "Nobody does this; say who did.")
    chosen = replace(slot, staff_id=members[0].id)
    appointment_id = _insert(db, who, business, chosen, customer_id, None, source=source, notes=notes, now=now)
    if status == "cancelled":
        _CANCEL(db, {"this_id": appointment_id, "reason": "", "now": now})
    else:
        _BECOME(db, {"this_id": appointment_id, "new_status": status, "now": now})
    made = get(db, who, appointment_id)
    campaigns.schedule(db, made, business.zone, now=now)
    _note(db, who, status, made, None, _facts(made), now=now)
    return made


def move(
    db: Db,
    who: Actor,
    business: Business,
    appointment_id: int,
    slot: Slot,
    *,
    now: datetime,
    conversation_id: int | None = None,
) -> Appointment:
    """The appointment at its new time; the old time is free from the same moment and may overlap the new.

    Without `slot.staff_id` it stays with whom it was if possible. What `conversation_id` holds is given up for it. The
    customer has to confirm anew; reminders move along.

    Raises:
        SlotTaken: with alternatives; the appointment stays where it was.
        WrongState: it is cancelled or over.
        NotFound, Invalid
    """
    taking.same_tenant(who, business)
    before = get(db, who, appointment_id)
    service = business.service(before.service_id)
    if slot.service_id != service.id:
        raise Invalid("slot", "An appointment can be moved, but not to another service.")
    members = slots.able(business, service, slot.staff_id)
    pieces.lock(db, {member.id for member in members} | {before.staff_id})
    before = reading.locked(db, who, appointment_id)
    if not before.is_live:
        raise WrongState("appointment", appointment_id, before.status, "This appointment is over and cannot be moved.")
    if slot.starts_at == before.starts_at and slot.staff_id in {None, before.staff_id}:
        return before
    if conversation_id is not None:
        release(db, who, conversation_id=conversation_id, now=now)
    order = sorted(members, key=lambda member: member.id != before.staff_id)
    old = pieces.of_appointment(db, appointment_id)

    def put(member: Staff, unit: int, claim: Span) -> Staff:
        pieces.move(db, appointment_id=appointment_id, staff_id=member.id, unit=unit, span=claim)
        return member

    member = taking.take(db, who, business, service, slot, order, put, now=now, moving_id=appointment_id)
    values = {
        "staff": member.id,
        "start": slot.starts_at,
        "end": slot.starts_at + service.duration,
        "wall": _wall(slot.starts_at, business),
        "now": now,
    }
    _MOVE(db, {**values, "this_id": appointment_id})
    after = get(db, who, appointment_id)
    reminders.schedule(db, after, business, now=now)
    campaigns.schedule(db, after, business.zone, now=now)
    _note(db, who, "moved", after, _facts(before), _facts(after), now=now)
    _free(db, business, Freed(business.id, before.staff_id, old), now=now)
    return after


def shift(db: Db, who: Actor, business: Business, appointment_id: int, by: timedelta, *, now: datetime) -> Appointment:
    """The appointment so much later (earlier, if negative), at the same time on the wall: the zone's rules have changed.
    Nobody has to confirm that. Call it within `attempt`: the database refuses what overlaps.

    Raises: NotFound
    """
    pieces.lock(db, {get(db, who, appointment_id).staff_id})
    before = reading.locked(db, who, appointment_id)
    pieces.shift(db, appointment_id=appointment_id, by=by)
    times = {"starts_at": before.starts_at + by, "ends_at": before.ends_at + by}
    db.execute(
        update(appointments).where(_a.id == appointment_id).values(**times, sequence=_a.sequence + 1, updated_at=now)
    )
    after = get(db, who, appointment_id)
    reminders.schedule(db, after, business, now=now)
    campaigns.schedule(db, after, business.zone, now=now)
    _note(db, who, "moved", after, _facts(before), _facts(after), now=now)
    return after


def cancel(db: Db, who: Actor, business: Business, appointment_id: int, *, reason: str, now: datetime) -> Appointment:
    """The appointment, cancelled; its time is free, its reminders are gone. Cancelling twice changes nothing.

    Raises:
        WrongState: it is already over.
        NotFound
    """
    taking.same_tenant(who, business)
    before = reading.locked(db, who, appointment_id)
    if before.status == "cancelled":
        return before
    if not before.is_live:
        raise WrongState("appointment", appointment_id, before.status, "This appointment is already over.")
    old = pieces.of_appointment(db, appointment_id)
    pieces.give_back(db, appointment_id=appointment_id)
    _CANCEL(db, {"this_id": appointment_id, "reason": one_line(reason, 200), "now": now})
    reminders.cancel(db, appointment_id)
    campaigns.cancel(db, appointment_id)
    after = get(db, who, appointment_id)
    _note(db, who, "cancelled", after, _facts(before), _facts(after), now=now)
    _free(db, business, Freed(business.id, before.staff_id, old), now=now)
    return after


def confirm(db: Db, who: Actor, appointment_id: int, *, now: datetime) -> Appointment:
    """The customer will come. Confirming twice changes nothing.

    Raises: WrongState, NotFound
    """
    return _become(db, who, appointment_id, "confirmed", now=now)


def complete(db: Db, who: Actor, appointment_id: int, *, now: datetime) -> Appointment:
    """The visit took place; for people of the business and their programs, once it has begun.

    Raises: NotAllowed, WrongState, NotFound
    """
    return _become(db, who, appointment_id, "completed", now=now)


def no_show(db: Db, who: Actor, appointment_id: int, *, now: datetime) -> Appointment:
    """Nobody came; for people of the business and their programs, once it has begun.

    Raises: NotAllowed, WrongState, NotFound
    """
    return _become(db, who, appointment_id, "no_show", now=now)


def _held(db: Db, who: Actor, hold_id: int, conversation_id: int | None) -> Any:
    """The row of that claim, its staff member locked; None when nothing is left of it.

    Raises: NotFound when it is another conversation's
    """
    wanted = {"claim_id": hold_id, "tenant_id": who.tenant_id}
    held = _CLAIM(db, wanted).one_or_none()
    if held is not None:
        pieces.lock(db, [held.staff_id])
        held = _CLAIM(db, wanted).one_or_none()  # as it is now that nobody else can take it
    if held is not None and held.conversation_id is not None and held.conversation_id != conversation_id:
        raise NotFound("hold", hold_id)
    return held


def _insert(
    db: Db,
    who: Actor,
    business: Business,
    slot: Slot,
    customer_id: int,
    conversation_id: int | None,
    *,
    source: str,
    notes: str,
    now: datetime,
) -> int:
    values = {
        "uid": new_uid(),
        "tenant_id": who.tenant_id,
        "business_id": business.id,
        "customer_id": customer_id,
        "service_id": slot.service_id,
        "staff_id": slot.staff_id,
        "conversation_id": conversation_id,
        "status": "scheduled",
        "starts_at": slot.starts_at,
        "ends_at": slot.starts_at + business.service(slot.service_id).duration,
        "local_start": _wall(slot.starts_at, business),
        "source": source,
        "notes": storable(notes, 2000),
        "created_at": now,
        "updated_at": now,
    }
    appointment_id: int = _ADD(db, values).scalar_one()
    return appointment_id


def _booked(db: Db, who: Actor, business: Business, appointment_id: int, *, now: datetime) -> Appointment:
    made = get(db, who, appointment_id)
    reminders.schedule(db, made, business, now=now)
    campaigns.schedule(db, made, business.zone, now=now)
    _note(db, who, "booked", made, None, _facts(made), now=now)
    return made


def _become(db: Db, who: Actor, appointment_id: int, status: str, *, now: datetime) -> Appointment:
    happened = status != "confirmed"
    if happened and who.kind in {"bot", "customer"}:
        raise NotAllowed("Only the people of the business can say how a visit went.", id=appointment_id)
    before = reading.locked(db, who, appointment_id)
    if before.status == status:
        return before
    if not before.is_live or (happened and now < before.starts_at):
        raise WrongState("appointment", appointment_id, before.status, f"This appointment is {before.status} now.")
    _BECOME(db, {"this_id": appointment_id, "new_status": status, "now": now})
    if happened:
        reminders.cancel(db, appointment_id)
    if status == "no_show":
        campaigns.cancel(db, appointment_id)
    after = replace(before, status=status, updated_at=now)
    _note(db, who, status, after, _facts(before), _facts(after), now=now)
    return after


def _free(db: Db, business: Business, freed: Freed, *, now: datetime) -> None:
    if freed.span.end > now:
        queue.enqueue(db, FREED, freed.payload(), now=now, tenant_id=business.tenant_id)


def _wall(starts_at: datetime, business: Business) -> str:
    return zones.local(starts_at, business.zone).strftime("%Y-%m-%dT%H:%M")


def _facts(appointment: Appointment) -> Mapping[str, JsonValue]:
    return {
        "status": appointment.status,
        "starts_at": appointment.starts_at.isoformat(),
        "staff_id": appointment.staff_id,
        "service_id": appointment.service_id,
    }


def _told(appointment: Appointment) -> Mapping[str, JsonValue]:
    """What subscribers are told."""
    return {
        "appointment_id": appointment.uid,
        "status": appointment.status,
        "starts_at": events.rfc3339(appointment.starts_at),
        "ends_at": events.rfc3339(appointment.ends_at),
        "business_id": appointment.business_uid,
        "customer_id": appointment.customer_uid,
        "service_id": appointment.service_uid,
        "technician_id": appointment.staff_uid,
        "conversation_id": appointment.conversation_uid,
        "source": appointment.source,
    }


def _note(
    db: Db,
    who: Actor,
    what: str,
    appointment: Appointment,
    before: Mapping[str, JsonValue] | None,
    after: Mapping[str, JsonValue],
    *,
    now: datetime,
) -> None:
    event = f"appointment.{what}"
    audit.record(db, who, event, "appointment", appointment.id, before, after, now, uid=appointment.uid)
    events.emit(db, who.tenant_id, event, _told(appointment), now=now)
    announce(db, f"appointments:{appointment.business_id}")


_a, _p = appointments.c, claims.c
_CLAIM = Prepared(select(claims).where(_p.id == bindparam("claim_id"), _p.tenant_id == bindparam("tenant_id")))
_ADD = Prepared(insert(appointments).returning(_a.id))
_THIS = _a.id == bindparam("this_id")
_MOVE = Prepared(
    update(appointments)
    .where(_THIS)
    .values(
        staff_id=bindparam("staff"),
        starts_at=bindparam("start"),
        ends_at=bindparam("end"),
        local_start=bindparam("wall"),
        status="scheduled",
        sequence=_a.sequence + 1,
        updated_at=bindparam("now"),
    )
)
_CANCEL = Prepared(
    update(appointments)
    .where(_THIS)
    .values(
        status="cancelled",
        cancel_reason=bindparam("reason"),
        cancelled_at=bindparam("now"),
        updated_at=bindparam("now"),
    )
)
_BECOME = Prepared(
    update(appointments).where(_THIS).values(status=bindparam("new_status"), updated_at=bindparam("now"))
)
