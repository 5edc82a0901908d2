"""When customers of a business are reminded of their visits, as its people wish."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import delete, insert, select

from desk import audit, businesses, profiles
from desk.businesses import ReminderRule
from desk.calendar import appointments, reminders
from desk.errors import Invalid
from desk.refs import Ref
from desk.who import Actor
from storage.base import Db, JsonValue
from storage.models.businesses import reminder_rules as table
from storage.models.calendar import appointments as visits

_FARTHEST: Final = 60 * 24 * 60  # minutes before a visit
_t = table.c


def find(db: Db, who: Actor, business: Ref) -> list[ReminderRule]:
    """In the order they were written down.

    Raises: NotFound
    """
    wanted = select(table).where(_t.business_id == profiles.id_for(db, who, business)).order_by(_t.id)
    return [
        ReminderRule(row.name, row.minutes_before, row.days_before, row.at_minute, row.channel)
        for row in db.execute(wanted)
    ]


def replace(db: Db, who: Actor, business: Ref, rules: Sequence[ReminderRule], *, now: datetime) -> list[ReminderRule]:
    """From now on these; visits that are booked already are reminded of by them too.

    Raises: NotFound; Invalid, for a name twice or a rule that is neither of the two kinds
    """
    shop = profiles.locked(db, who, business)
    before = find(db, who, business)
    for place, rule in enumerate(rules):
        _check(rule, f"rules.{place}")
    if len({rule.name for rule in rules}) < len(rules):
        raise Invalid("rules", "Two of these rules have the same name.")
    if before == [*rules]:
        return before
    db.execute(delete(table).where(_t.business_id == shop.id))
    for rule in rules:
        db.execute(insert(table).values(business_id=shop.id, **_columns(rule)))
    businesses.touch(db, shop.id)
    was, becomes = ({"rules": [_columns(rule) for rule in each]} for each in (before, rules))
    audit.record(db, who, "business.reminder_rules_changed", "business", shop.id, was, becomes, now, uid=shop.uid)
    _plan_anew(db, who, shop.id, now)
    return find(db, who, business)


def _plan_anew(db: Db, who: Actor, business_id: int, now: datetime) -> None:
    business = businesses.load(db, business_id)
    v = visits.c
    ahead = v.business_id == business_id, v.status.in_(appointments.LIVE), v.starts_at > now
    for visit_id in db.execute(select(v.id).where(*ahead)).scalars().all():
        reminders.schedule(db, appointments.get(db, who, visit_id), business, now=now)


def _check(rule: ReminderRule, field: str) -> None:
    by_minutes, by_days = rule.minutes_before is not None, rule.days_before is not None
    if by_minutes == by_days or by_days != (rule.at_minute is not None):
        raise Invalid(field, "A rule has either `minutes_before`, or `days_before` and `at`.")
    if not 0 < (rule.minutes_before or 1) <= _FARTHEST:
        raise Invalid(field, "Remind at most 60 days before a visit.")


def _columns(rule: ReminderRule) -> dict[str, JsonValue]:
    return {
        "name": rule.name,
        "minutes_before": rule.minutes_before,
        "days_before": rule.days_before,
        "at_minute": rule.at_minute,
        "channel": rule.channel,
    }
