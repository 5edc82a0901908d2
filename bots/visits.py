"""What scenarios do about visits: hold, book, move, cancel, confirm, and the source `my_visits`.

A visit that a slot names counts only when it is this customer's own: the value may come from an old button or from a
scenario somebody wrote, so every action looks again.
"""

from datetime import datetime, time

from bots.acting import Acting, Changes, reference
from bots.times import ANYONE, Wish, at_time, near_slot, read_time, wanted_staff
from bots.understand import answers
from desk.calendar import bookings, slots, zones
from desk.calendar.appointments import Appointment
from desk.calendar.slots import Slot
from desk.errors import DeskError, NotFound, SlotTaken, WrongState
from flows.events import Found, Outcome
from flows.state import Option, SlotValue

_LIST = 10  # visits shown at once


def my_visits(acting: Acting) -> Found | Outcome:
    """The customer's upcoming visits; the only one is taken at once (`only`), as is one they named ("my haircut")."""
    found = _upcoming(acting)
    if len(found) == 1:
        return Outcome("only", {"visit": _slot_of(acting, found[0])})
    options = tuple(_option(acting, visit) for visit in found[:_LIST])
    ear = acting.bot.ear(acting.run.lang)
    named = answers.choose(ear.english(acting.heard), ear.choices(options), asked=False)
    if named.how in ("exact", "part"):
        return Outcome("only", {"visit": next(_slot_of(acting, one) for one in found if str(one.id) == named.id)})
    return Found(options)


def list_visits(acting: Acting) -> Outcome:
    found = _upcoming(acting)
    if not found:
        return Outcome("none")
    return Outcome("listed", args={"visits": "; ".join(acting.label_of(visit) for visit in found[:_LIST])})


def open_visit(acting: Acting) -> Outcome:
    """What is to be known of the visit that a slot names: `opened`, or `changed` when it is over or not theirs."""
    visit = _mine(acting)
    if visit is None:
        return Outcome("changed")
    changes: Changes = {
        "visit": _slot_of(acting, visit),
        "service": SlotValue(visit.service_id, visit.service_name),
    }
    return Outcome("opened", changes, args_of(acting, visit))


def open_reminder(acting: Acting) -> Outcome:
    """Whether a visit we have reminded of is still as it was then (`sequence`), has moved, is called off, or over.

    A moved one has to be answered anew: what they said was said of another time.
    """
    visit = _theirs(acting)
    if visit is None:
        return Outcome("cancelled")
    if visit.starts_at <= acting.now:
        return Outcome("over", args=args_of(acting, visit))
    if not visit.is_live:
        return Outcome("cancelled", args=args_of(acting, visit))
    changes: Changes = {
        "visit": _slot_of(acting, visit),
        "service": SlotValue(visit.service_id, visit.service_name),
        "sequence": SlotValue(visit.sequence, ""),
    }
    if acting.number("sequence") not in (None, visit.sequence):
        return Outcome("moved", {**changes, "answer": None}, args_of(acting, visit))
    return Outcome("opened", changes, args_of(acting, visit))


def reminded_visits(acting: Acting) -> Found | Outcome:
    """The visits that an answer to a reminder may be about; the only one is taken at once (`only`)."""
    reminded = {(one.visit_id, one.sequence) for one in acting.reminded}
    found = [visit for visit in _upcoming(acting) if (visit.id, visit.sequence) in reminded]
    if len(found) == 1:
        return Outcome("only", {"visit": _slot_of(acting, found[0])})
    return Found(tuple(_option(acting, visit) for visit in found[:_LIST]))


def hold_slot(acting: Acting) -> Outcome:
    """The chosen time is kept for this conversation; the wish becomes what is held, so that a correction is seen."""
    slot = _chosen(acting)
    if slot is None:
        return _taken(acting, None)
    try:
        held = bookings.hold(
            acting.db, acting.who, acting.business, slot, conversation_id=acting.context.id, now=acting.now
        )
    except SlotTaken:
        return _taken(acting, slot.starts_at)
    changes: Changes = {**_settled(acting, held.slot), "hold": SlotValue(held.id, "")}
    return Outcome("held", changes, {"visit": _priced(acting, held.slot)})


def check_slot(acting: Acting) -> Outcome:
    """Whether a visit can be moved to the chosen time. It is not held: its own old time would be in the way."""
    slot = _chosen(acting)
    if slot is None:
        return _taken(acting, None)
    day = zones.local_day(slot.starts_at, acting.business.zone)
    found = slots.free(
        acting.db,
        acting.business,
        slot.service_id,
        from_day=day,
        to_day=day,
        staff_id=slot.staff_id,
        now=acting.now,
        limit=None,
        ignore_appointment_id=acting.number("visit"),
    )
    if not any(each.starts_at == slot.starts_at for each in found):
        return _taken(acting, slot.starts_at)
    new_time = acting.voice.phrase(
        "day_time", day=acting.voice.day_of(slot.starts_at), time=acting.voice.time_of(slot.starts_at)
    )
    return Outcome("free", _settled(acting, slot), {"new_time": new_time})


def book_visit(acting: Acting) -> Outcome:
    slot = _chosen(acting)
    if slot is None:
        return _taken(acting, None)
    try:
        visit = bookings.book(
            acting.db,
            acting.who,
            acting.business,
            hold_id=acting.number("hold"),
            slot=slot,
            customer_id=acting.context.customer_id,
            conversation_id=acting.context.id,
            source="bot",
            now=acting.now,
        )
    except SlotTaken:
        return _taken(acting, slot.starts_at)
    return Outcome("booked", {"hold": None}, args_of(acting, visit))


def release_hold(acting: Acting) -> Outcome:
    bookings.release(acting.db, acting.who, conversation_id=acting.context.id, now=acting.now)
    return Outcome("released", {"hold": None})


def move_visit(acting: Acting) -> Outcome:
    slot, visit = _chosen(acting), _mine(acting)
    if visit is None:
        return Outcome("changed")
    if slot is None or slot.service_id != visit.service_id:
        return _taken(acting, None)
    try:
        moved = bookings.move(acting.db, acting.who, acting.business, visit.id, slot, now=acting.now)
    except SlotTaken:
        return _taken(acting, slot.starts_at)
    except WrongState:
        return Outcome("changed")
    return Outcome("moved", {"visit": _slot_of(acting, moved)}, args_of(acting, moved))


def cancel_visit(acting: Acting) -> Outcome:
    visit = _mine(acting)
    if visit is None:
        return Outcome("changed")
    try:
        bookings.cancel(acting.db, acting.who, acting.business, visit.id, reason="customer", now=acting.now)
    except WrongState:
        return Outcome("changed")
    return Outcome("cancelled", args=args_of(acting, visit))


def confirm_visit(acting: Acting) -> Outcome:
    visit = _mine(acting)
    if visit is None:
        return Outcome("changed")
    try:
        bookings.confirm(acting.db, acting.who, visit.id, now=acting.now)
    except WrongState:
        return Outcome("changed")
    return Outcome("confirmed", args=args_of(acting, visit))


def _upcoming(acting: Acting) -> list[Appointment]:
    customer_id = acting.context.customer_id
    found = bookings.upcoming(acting.db, acting.who, customer_id=customer_id, now=acting.now)
    return [visit for visit in found if visit.business_id == acting.business.id and visit.starts_at > acting.now]


def _mine(acting: Acting) -> Appointment | None:
    visit = _theirs(acting)
    return visit if visit is not None and visit.is_live and visit.starts_at > acting.now else None


def _theirs(acting: Acting) -> Appointment | None:
    """The visit of the slot, if it is this customer's, whatever became of it."""
    visit_id = acting.number("visit")
    if visit_id is None:
        return None
    try:
        visit = bookings.get(acting.db, acting.who, visit_id)
    except NotFound:
        return None
    is_theirs = visit.customer_id == acting.context.customer_id and visit.business_id == acting.business.id
    return visit if is_theirs else None


def _chosen(acting: Acting) -> Slot | None:
    """The time in the slot `when`, for the service as it is now; the staff member only where one was asked for."""
    held = acting.run.slots.get("when")
    known = read_time(held.value) if held is not None else None
    service = next((one for one in acting.business.services if one.id == acting.number("service")), None)
    if known is None or service is None or known[1] != service.id:
        return None
    try:
        return slots.at(acting.business, service.id, known[0], staff_id=wanted_staff(acting, service))
    except DeskError:
        return None


def _settled(acting: Acting, slot: Slot) -> Changes:
    """The slots of a wish, set to what is agreed on: saying "make it 4" is then a change like any other."""
    local = acting.voice.local(slot.starts_at)
    staff = acting.run.slots.get("staff")
    return {
        "day": SlotValue(local.date().isoformat(), acting.voice.day(local.date())),
        "time": Wish(at=time(local.hour, local.minute)).slot(acting.voice),
        "when": SlotValue(at_time(slot.starts_at, slot.service_id), acting.voice.time_of(slot.starts_at)),
        "staff": staff or SlotValue(ANYONE, acting.voice.phrase("anyone")),
    }


def _taken(acting: Acting, starts_at: datetime | None) -> Outcome:
    """Somebody was faster: others near that time are offered."""
    near = None if starts_at is None else near_slot(acting.voice.local(starts_at).time())
    return Outcome("taken", {"when": None, "hold": None, "time": None, "near": near})


def _priced(acting: Acting, slot: Slot) -> str:
    service = acting.business.service(slot.service_id)
    label = acting.visit_label(service.name, slot.starts_at, slot.staff_id or 0, slot.staff_name)
    if service.price_cents is None:
        return label
    return acting.voice.phrase("priced", visit=label, price=acting.voice.money(service.price_cents))


def args_of(acting: Acting, visit: Appointment) -> dict[str, str]:
    """The words that every outcome about a visit brings."""
    return {
        "visit": acting.label_of(visit),
        "reference": reference(visit.uid),
        "uid": visit.uid,
        "day": acting.voice.day_of(visit.starts_at),
        "time": acting.voice.time_of(visit.starts_at),
    }


def _slot_of(acting: Acting, visit: Appointment) -> SlotValue:
    return SlotValue(visit.id, acting.label_of(visit))


def _option(acting: Acting, visit: Appointment) -> Option:
    day_time = acting.voice.phrase(
        "day_time", day=acting.voice.day_of(visit.starts_at), time=acting.voice.time_of(visit.starts_at)
    )
    label = acting.voice.phrase("visit_short", service=visit.service_name, day_time=day_time)
    keywords = (visit.service_name, acting.voice.day_of(visit.starts_at), visit.staff_name, reference(visit.uid))
    return Option(str(visit.id), label, visit.id, keywords=keywords)
