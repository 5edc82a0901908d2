"""Which times to offer for what a customer has wished for: the sources `services`, `staff`, `days` and `free_times`."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Literal, NamedTuple

from bots.acting import Acting, Changes
from bots.render import Voice
from bots.understand.dates import When
from desk.businesses import Service
from desk.calendar import bookings, hours, slots, zones
from desk.calendar.slots import Slot
from flows.definition import Json
from flows.events import Found, Outcome
from flows.state import Option, SlotValue

ANYONE = 0  # the value of a staff slot that says so: no id is 0
_PAGE = 6  # times offered at once
_NEAR = 3  # times offered instead of one that is not free
_APART = 30  # minutes between two offered times, when there are more than fit
_DAYS = 3  # days offered
_AHEAD = 21  # days looked through for those


Part = Literal["morning", "afternoon", "evening"]


class Wish(NamedTuple):
    """A time of day as far as the customer has said it, kept in a slot of type `time`.

    `at` alone is that time and no other. With `until`, `after` or `before` it is any time there, as with `part`. `near`
    is one that was only roughly meant; `page` is "show me more".
    """

    at: time | None = None
    until: time | None = None
    after: time | None = None
    before: time | None = None
    near: time | None = None
    part: Part | None = None
    page: bool = False

    def slot(self, voice: Voice) -> SlotValue:
        value: dict[str, Json] = {
            name: each.strftime("%H:%M") if isinstance(each, time) else each
            for name, each in self._asdict().items()
            if each
        }
        return SlotValue(value, self.label(voice))

    def label(self, voice: Voice) -> str:
        """How it goes into a sentence: `at 3:00 PM`, `in the afternoon`; empty without a wish."""
        if self.at is not None and self.until is not None:
            return voice.phrase("between", time=voice.time(self.at), end=voice.time(self.until))
        for key, at in (("at", self.at), ("after", self.after), ("before", self.before), ("at", self.near)):
            if at is not None:
                return voice.phrase(key, time=voice.time(at))
        return voice.phrase(self.part) if self.part is not None else ""


def wish_of(when: When) -> Wish | None:
    """What `when` says about the time of day, None for nothing."""
    if when.time is None:
        return Wish(part=when.part) if when.part is not None else None
    if when.edge == "after":
        return Wish(after=when.time)
    if when.edge == "before":
        return Wish(before=when.time)
    if when.end_time is not None:
        return Wish(at=when.time, until=when.end_time)
    return Wish(near=when.time) if when.approx else Wish(at=when.time)


def read_wish(held: SlotValue | None) -> Wish:
    """The wish a slot holds; no wish when it holds none."""
    if held is None or not isinstance(held.value, dict):
        return Wish()
    known = held.value
    clock = {name: _clock(known.get(name)) for name in ("at", "until", "after", "before", "near")}
    part = next((each for each in _PARTS if each == known.get("part")), None)
    return Wish(**clock, part=part, page=known.get("page") is True)


def reworded(held: SlotValue, voice: Voice) -> SlotValue:
    """A day, a time or a wish in the words of that voice; anything else as it is."""
    if (known := read_time(held.value)) is not None:
        return SlotValue(held.value, voice.time_of(known[0]))
    if isinstance(held.value, dict) and (wish := read_wish(held)) != Wish():
        return wish.slot(voice)
    try:
        return SlotValue(held.value, voice.day(date.fromisoformat(str(held.value)))) if held.label else held
    except ValueError:
        return held


def at_time(starts_at: datetime, service_id: int) -> Json:
    """The value of a slot of type `slot_time`; `read_time` reads it."""
    return {"at": starts_at.isoformat(), "service": service_id}


def read_time(value: Json) -> tuple[datetime, int] | None:
    if not isinstance(value, dict):
        return None
    at, service_id = value.get("at"), value.get("service")
    if not isinstance(at, str) or not isinstance(service_id, int):
        return None
    try:
        starts_at = datetime.fromisoformat(at)
    except ValueError:
        return None
    return None if starts_at.tzinfo is None else (starts_at, service_id)


def option(starts_at: datetime, service_id: int, voice: Voice) -> Option:
    """A time to choose. Its id holds all that `from_id` needs, so that an old button still says what it meant."""
    minutes = int(starts_at.timestamp()) // 60
    return Option(f"{minutes}.{service_id}", voice.time_of(starts_at), at_time(starts_at, service_id))


def from_id(option_id: str, voice: Voice) -> Option | None:
    minutes, dot, service_id = option_id.partition(".")
    if not (dot and minutes.isdecimal() and service_id.isdecimal() and len(option_id) < 30):
        return None
    try:
        return option(datetime.fromtimestamp(int(minutes) * 60, tz=voice.zone), int(service_id), voice)
    except (ValueError, OverflowError, OSError):
        return None


# Sources -------------------------------------------------------------------------------------------------------------


def services(acting: Acting) -> Found | Outcome:
    """All services, or those that the chosen member of staff does."""
    options = acting.bot.choices(acting.run.lang).services
    staff_id = acting.number("staff")
    if not staff_id:
        return Found(options)
    business = acting.business
    can = {service.id for service in business.services for one in business.staff_for(service) if one.id == staff_id}
    return Found(tuple(each for each in options if each.value in can) or options)


def staff(acting: Acting) -> Found | Outcome:
    """Who does the chosen service, and "anyone"."""
    options = acting.bot.choices(acting.run.lang).staff
    service = _service(acting)
    if service is None:
        return Found(options)
    can = {ANYONE, *(member.id for member in acting.business.staff_for(service))}
    return Found(tuple(each for each in options if each.value in can))


def days(acting: Acting) -> Found | Outcome:
    """The next days on which the business is open long enough; any other can be named."""
    service, voice, business = _service(acting), acting.voice, acting.business
    soonest = acting.now + (service.lead if service else timedelta())
    length = service.duration if service else timedelta()
    today = zones.local_day(acting.now, business.zone)
    ahead = min(_AHEAD, service.horizon_days if service else _AHEAD)
    member = next((one for one in business.staff if one.id == acting.number("staff")), None)
    options: list[Option] = []
    for day in (today + timedelta(days=after) for after in range(ahead + 1)):
        open_then = (
            hours.working_ranges(business, member, day) if member is not None else hours.open_ranges(business, day)
        )
        if any(span.end - length >= max(span.start, soonest) for span in open_then):
            options.append(Option(day.isoformat(), _day_name(voice, day, today), day.isoformat()))
            if len(options) == _DAYS:
                break
    if not options:
        return Outcome("none_free", args={"last_day": voice.day(today + timedelta(days=ahead))})
    return Found(tuple(options))


def free_times(acting: Acting) -> Found | Outcome:
    """Times of the wished day that fit the wish. One that is meant exactly and free is taken at once (`exact`).

    Otherwise the outcome says why not, and has moved the wish to what can be had.
    """
    # What was held before they changed their mind must not be in their own way.
    bookings.release(acting.db, acting.who, conversation_id=acting.context.id, now=acting.now)
    service = _service(acting)
    today = zones.local_day(acting.now, acting.business.zone)
    day = day_in(acting, "day") or day_in(acting, "other_day") or today
    if service is None or not acting.business.staff_for(service):
        return Outcome("none_free", args={"last_day": acting.voice.day(today)})
    stranger = _who_cannot(acting, service)
    if stranger is not None:
        return Outcome("not_theirs", {"staff": None}, {"member": stranger})
    last = today + timedelta(days=service.horizon_days)
    if day < today:
        return Outcome("past")
    if day > last:
        return Outcome("too_far", args={"last_day": acting.voice.day(last)})
    found = _free(acting, service, day, day)
    if not found:
        return _another_day(acting, service, day, last)
    wish = _wish(acting)
    fitting = _fitting(found, wish, acting.voice)
    said = read_wish(acting.run.slots.get("time"))
    meant = [slot for slot in fitting if _is_meant(acting.voice.local(slot.starts_at).time(), said)]
    if meant:
        return Outcome("exact", _settled(acting, meant[0]))
    if not fitting:
        return Outcome("busy", {"time": None, "near": near_slot(_middle(wish))}, {"wanted": wish.label(acting.voice)})
    page = _page(fitting, wish)
    is_last = wish.before is not None or page[-1] == fitting[-1] or wish.near is not None
    options = tuple(option(slot.starts_at, service.id, acting.voice) for slot in page)
    return Found(options, {"day": acting.voice.day(day), "more": "" if is_last else acting.voice.phrase("or_more")})


def _another_day(acting: Acting, service: Service, day: date, last: date) -> Outcome:
    """Nothing on that day: the wish moves to the next one with something, or to the first at all."""
    args = {"asked": _asked(acting, service, day), "last_day": acting.voice.day(last)}
    today = zones.local_day(acting.now, acting.business.zone)
    first = _free(acting, service, day + zones.DAY, last, 1) or _free(acting, service, today, day - zones.DAY, 1)
    if not first:
        return Outcome("none_free", args=args)
    another = zones.local_day(first[0].starts_at, acting.business.zone)
    changes: Changes = {"day": None, "other_day": SlotValue(another.isoformat(), acting.voice.day(another))}
    if not hours.open_ranges(acting.business, day):
        return Outcome("closed", changes, args)
    return Outcome("full", {**changes, "full_day": SlotValue(day.isoformat(), acting.voice.day(day))}, args)


def _wish(acting: Acting) -> Wish:
    """What the customer has said, or a time near one that was not to be had."""
    said = read_wish(acting.run.slots.get("time"))
    return said if said != Wish() else Wish(near=_clock(acting.text("near")))


def near_slot(at: time) -> SlotValue:
    """A time that was wished for and not to be had: others near it are offered."""
    return SlotValue(at.strftime("%H:%M"), "")


def _settled(acting: Acting, slot: Slot) -> Changes:
    label = acting.voice.time_of(slot.starts_at)
    return {"when": SlotValue(at_time(slot.starts_at, slot.service_id), label)}


def _free(acting: Acting, service: Service, first: date, last: date, limit: int | None = None) -> list[Slot]:
    if first > last:
        return []
    return slots.free(
        acting.db,
        acting.business,
        service.id,
        from_day=first,
        to_day=last,
        staff_id=wanted_staff(acting, service),
        now=acting.now,
        limit=limit,
        ignore_appointment_id=acting.number("visit"),
    )


def wanted_staff(acting: Acting, service: Service) -> int | None:
    """Whom the customer asked for, unless that one does not do the service (any more)."""
    staff_id = acting.number("staff")
    return staff_id if any(member.id == staff_id for member in acting.business.staff_for(service)) else None


def _who_cannot(acting: Acting, service: Service) -> str | None:
    """The name of whom they asked for, when that one does not do the service."""
    staff_id = acting.number("staff")
    if not staff_id or wanted_staff(acting, service) is not None:
        return None
    return next((member.name for member in acting.business.staff if member.id == staff_id), None)


def _asked(acting: Acting, service: Service, day: date) -> str:
    """`Tuesday, March 3`, or `Tuesday, March 3 with Theo` when it was to be Theo."""
    staff_id = wanted_staff(acting, service)
    if staff_id is None:
        return acting.voice.day(day)
    return acting.voice.phrase("day_with", day=acting.voice.day(day), staff=acting.business.staff_member(staff_id).name)


def _fitting(found: Sequence[Slot], wish: Wish, voice: Voice) -> list[Slot]:
    if wish.near is not None:
        closest = sorted(found, key=lambda slot: abs(_minutes(voice, slot) - _as_minutes(wish.near)))
        return sorted(closest[:_NEAR], key=lambda slot: slot.starts_at)
    return [slot for slot in found if _fits(voice.local(slot.starts_at).time(), wish)]


def _fits(at: time, wish: Wish) -> bool:
    if wish.at is not None:
        return wish.at == at if wish.until is None else wish.at <= at <= wish.until
    if wish.after is not None:
        return at > wish.after if wish.page else at >= wish.after
    if wish.before is not None:
        return at < wish.before if wish.page else at <= wish.before
    if wish.part is not None:
        first, last = _PARTS[wish.part]
        return first <= at <= last
    return True


def _is_meant(at: time, wish: Wish) -> bool:
    """Whether it is the one time they named, "around 3" included; there is nothing to choose then."""
    return wish.until is None and at in (wish.at, wish.near)


def _page(found: list[Slot], wish: Wish) -> list[Slot]:
    """At most as many as one message shows, half an hour apart if there are more; before a time, the last ones."""
    if len(found) <= _PAGE:
        return found
    apart: list[Slot] = []
    for slot in found:
        if not apart or slot.starts_at - apart[-1].starts_at >= timedelta(minutes=_APART):
            apart.append(slot)
    return apart[-_PAGE:] if wish.before is not None else apart[:_PAGE]


def _middle(wish: Wish) -> time:
    """A time in the middle of what was wished for, to look for others around it."""
    if wish.part is not None:
        return _MIDDLES[wish.part]
    return wish.at or wish.after or wish.before or wish.near or time(12)


def _minutes(voice: Voice, slot: Slot) -> int:
    return _as_minutes(voice.local(slot.starts_at).time())


def _as_minutes(at: time | None) -> int:
    return 0 if at is None else at.hour * 60 + at.minute


def _day_name(voice: Voice, day: date, today: date) -> str:
    if day == today:
        return voice.phrase("today")
    if day == today + zones.DAY:
        return voice.phrase("tomorrow")
    return voice.day(day)


def _service(acting: Acting) -> Service | None:
    service_id = acting.number("service")
    return next((service for service in acting.business.services if service.id == service_id), None)


def day_in(acting: Acting, slot: str) -> date | None:
    """The day that a slot of type `date` holds."""
    try:
        return date.fromisoformat(acting.text(slot))
    except ValueError:
        return None


def _clock(value: Json) -> time | None:
    try:
        return time.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


# What people call afternoon and evening overlaps.
_PARTS: dict[Part, tuple[time, time]] = {
    "morning": (time(0), time(11, 59)),
    "afternoon": (time(12), time(17, 59)),
    "evening": (time(17), time(23, 59)),
}
_MIDDLES = {"morning": time(10), "afternoon": time(15), "evening": time(18)}
