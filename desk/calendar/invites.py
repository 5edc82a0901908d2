"""A visit as an entry of the customer's own calendar (RFC 5545), published anew when it moves and taken back when it is
called off (RFC 5546, section 3.2: PUBLISH and CANCEL of the same UID with a higher SEQUENCE).
"""

from typing import Any

from sqlalchemy import select

from desk import businesses
from desk.businesses import Business
from desk.calendar import appointments
from desk.calendar.appointments import Appointment
from desk.errors import NotFound
from desk.who import Actor
from storage.base import Db
from storage.models.calendar import appointments as table


def by_uid(db: Db, uid: str) -> bytes:
    """The entry of that visit as it is now, for whoever has been given its id in a signed link.

    Raises: NotFound
    """
    row = db.execute(select(table.c.id, table.c.tenant_id, table.c.business_id).where(table.c.uid == uid)).one_or_none()
    if row is None:
        raise NotFound("appointment", uid)
    visit = appointments.get(db, Actor(row.tenant_id, "system"), row.id)
    return entry(visit, businesses.load(db, row.business_id))


def entry(visit: Appointment, business: Business) -> bytes:
    """The visit on the clock of the business, with that clock's rules. Nothing that customer or staff have written is in
    it: links travel.
    """
    from icalendar import Calendar, Event, vCalAddress  # a tenth of a second, and most processes never need it

    is_off = visit.status == "cancelled"
    event = Event()
    event.add("uid", visit.uid)
    event.add("sequence", visit.sequence + is_off)  # calling off is a change too
    event.add("dtstamp", visit.updated_at)
    event.add("dtstart", visit.starts_at.astimezone(business.zone))
    event.add("dtend", visit.ends_at.astimezone(business.zone))
    event.add("summary", f"{visit.service_name}, {business.name}")
    event.add("status", "CANCELLED" if is_off else "CONFIRMED")
    if business.address:
        event.add("location", business.address)
    organizer: Any = vCalAddress(_uri(business))
    organizer.params["CN"] = business.name
    event["organizer"] = organizer
    calendar = Calendar()
    calendar.add("prodid", "-//Frontdesk//Visits//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "CANCEL" if is_off else "PUBLISH")
    calendar.add_component(event)
    calendar.add_missing_timezones()
    made: bytes = calendar.to_ical()
    return made


def _uri(business: Business) -> str:
    """Who the entry is from: an address of any kind, which the rules want."""
    if business.email:
        return f"mailto:{business.email}"
    return f"tel:{business.phone}" if business.phone else f"urn:uuid:{business.uid}"
