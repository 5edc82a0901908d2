"""When people are reminded of their visit: jobs that move and vanish with the appointment."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta, tzinfo

from desk.businesses import Business, ReminderRule
from desk.calendar import zones
from desk.calendar.appointments import Appointment
from storage import queue
from storage.base import Db, JsonValue

KIND = "reminder"

# A reminder that would come so soon after booking tells nobody anything new.
_TOO_SOON = timedelta(minutes=15)


def plan(
    appointment: Appointment, rules: Iterable[ReminderRule], zone: tzinfo, now: datetime
) -> list[tuple[str, datetime]]:
    """The rules' names and their instants, earliest first; none in the past or the next minutes, none after the start.

    "24 hours before" is 24 hours of elapsed time, so it lies an hour off on the wall when the clocks change in between;
    "the day before at 10:00" is 10:00 on the wall.
    """
    planned = [(rule.name, _instant(rule, appointment.starts_at, zone)) for rule in rules]
    wanted = [(name, at) for name, at in planned if now + _TOO_SOON <= at < appointment.starts_at]
    return sorted(wanted, key=lambda reminder: reminder[1])


def schedule(db: Db, appointment: Appointment, business: Business, *, now: datetime) -> None:
    """Have people reminded as the business wants it; what was planned for this appointment before is forgotten.

    The job is `reminder` with `appointment_id`, `rule` and `sequence`, and `by`: "call" where it goes by telephone; before
    it speaks it asks `appointments.to_remind_of`.
    """
    cancel(db, appointment.id)
    by_call = {rule.name for rule in business.reminder_rules if rule.channel == "call"}
    for rule, at in plan(appointment, business.reminder_rules, business.zone, now):
        put(
            db,
            appointment.id,
            rule,
            sequence=appointment.sequence,
            tenant_id=appointment.tenant_id,
            by_call=rule in by_call,
            at=at,
            now=now,
        )


def put(
    db: Db,
    appointment_id: int,
    rule: str,
    *,
    sequence: int,
    tenant_id: int,
    by_call: bool = False,
    at: datetime,
    now: datetime,
) -> None:
    """Have people reminded of one visit, as it is in that state of it, at `at`."""
    payload: dict[str, JsonValue] = {"appointment_id": appointment_id, "rule": rule, "sequence": sequence}
    queue.enqueue(
        db,
        KIND,
        {**payload, "by": "call"} if by_call else payload,
        now=now,
        run_at=at,
        tenant_id=tenant_id,
        dedupe=f"{_name(appointment_id)}{rule}",
    )


def cancel(db: Db, appointment_id: int) -> None:
    """Remind nobody of it."""
    queue.cancel_prefix(db, _name(appointment_id))


def _name(appointment_id: int) -> str:
    return f"{KIND}:{appointment_id}:"


def _instant(rule: ReminderRule, starts_at: datetime, zone: tzinfo) -> datetime:
    if rule.minutes_before is not None:
        return starts_at - timedelta(minutes=rule.minutes_before)
    day: date = zones.local_day(starts_at, zone) - timedelta(days=rule.days_before or 0)
    return zones.instant(zones.at_minute(day, rule.at_minute or 0), zone)
