"""What scenarios do about the waiting list: join it, and take or pass on what it brings."""

from bots.acting import Acting
from bots.times import day_in, wanted_staff
from bots.visits import args_of
from desk.calendar import waitlist, zones
from desk.errors import NotFound, SlotTaken, WrongState
from flows.events import Outcome

_LONGEST_DAYS = 60  # how far ahead somebody waits who has not named a day


def join_waitlist(acting: Acting) -> Outcome:
    """On the list for the day that was full, or for any day that can be booked."""
    service = next((one for one in acting.business.services if one.id == acting.number("service")), None)
    if service is None:
        return Outcome("no_service")
    today = zones.local_day(acting.now, acting.business.zone)
    first, last = today, today + zones.DAY * min(service.horizon_days, _LONGEST_DAYS)
    if wanted := day_in(acting, "full_day"):
        first = last = max(wanted, today)
    waitlist.join(
        acting.db,
        acting.who,
        acting.business,
        service_id=service.id,
        staff_id=wanted_staff(acting, service),
        customer_id=acting.context.customer_id,
        conversation_id=acting.context.id,
        from_day=first,
        to_day=last,
        now=acting.now,
    )
    return Outcome("joined")


def leave_waitlist(acting: Acting) -> Outcome:
    """Off the list altogether; what was on offer goes to the next."""
    waiting = waitlist.waiting_of(acting.db, acting.who, acting.business.id, acting.context.customer_id)
    for entry in waiting:
        waitlist.leave(acting.db, acting.who, entry.id, now=acting.now)
    return Outcome("left" if waiting else "none")


def open_offer(acting: Acting) -> Outcome:
    """What is on offer to the customer, or `gone` when it no longer is."""
    offer = _offer(acting)
    if offer is None:
        return Outcome("gone")
    slot, service = offer.slot, acting.business.service(offer.slot.service_id)
    visit = acting.visit_label(service.name, slot.starts_at, slot.staff_id or 0, slot.staff_name)
    return Outcome("open", args={"visit": visit, "until": acting.voice.time_of(offer.expires_at)})


def accept_offer(acting: Acting) -> Outcome:
    """`gone` when somebody else was faster and they wait on for another time, `over` when they do not."""
    offer = _offer(acting)
    if offer is None:
        return Outcome("gone" if _waits_on(acting) else "over")
    try:
        visit = waitlist.accept(acting.db, acting.who, acting.business, offer.entry.id, now=acting.now)
    except (SlotTaken, WrongState):
        return Outcome("gone" if _waits_on(acting) else "over")
    return Outcome("booked", args=args_of(acting, visit))


def decline_offer(acting: Acting) -> Outcome:
    offer = _offer(acting)
    if offer is not None:
        waitlist.decline(acting.db, acting.who, offer.entry.id, now=acting.now)
    return Outcome("declined" if _waits_on(acting) else "over")


def _offer(acting: Acting) -> waitlist.Offer | None:
    """What is on offer, if it is the one that was asked about: a late answer takes nothing of a later offer."""
    entry = _entry(acting)
    if entry is None or entry.offers != acting.number("round"):
        return None
    return waitlist.offer_of(acting.db, acting.who, acting.business, entry.id)


def _waits_on(acting: Acting) -> bool:
    entry = _entry(acting)
    return entry is not None and entry.is_waiting(zones.local_day(acting.now, acting.business.zone))


def _entry(acting: Acting) -> waitlist.Entry | None:
    """What the slot names, if it is this very customer's."""
    entry_id = acting.number("waitlist")
    try:
        entry = None if entry_id is None else waitlist.get(acting.db, acting.who, entry_id)
    except NotFound:
        return None
    return entry if entry is not None and entry.customer_id == acting.context.customer_id else None
