"""May we speak? `may_send` asks it of a list of rules, for every message that leaves the house; the first that objects
decides, and its reason stands beside the message.

A rule is a function of what is asked (`Asked`) and says `ALLOWED`, a `Refusal` or, for a time, `Held`. One more rule is
one more line in `RULES`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, Select, and_, bindparam, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from desk import audit, consent, events, phone, quiet
from desk.calendar import zones
from desk.calendar.campaigns import Relative
from desk.consent import Marks
from desk.verdicts import ALLOWED, ALWAYS, WINDOW_CLOSED, Allowed, Held, Refusal, Use, Verdict, Window, closed
from desk.who import Actor
from storage.base import Db
from storage.models import customers as customer_models
from storage.models.accounts import accounts
from storage.models.businesses import businesses
from storage.models.calendar import appointments
from storage.models.calls import calls
from storage.models.conversations import conversations, messages, outbox, send_counts
from storage.models.tenants import tenants
from storage.models.work import broadcast_recipients, broadcasts
from storage.prepared import Prepared

__all__ = [
    "ALLOWED",
    "ALWAYS",
    "RULES",
    "USUAL",
    "WINDOW_CLOSED",
    "Allowed",
    "Asked",
    "Cap",
    "Held",
    "Policy",
    "Refusal",
    "Use",
    "Window",
    "closed",
    "foresee",
    "may_send",
]

_KEY: Final = "sending"  # in `tenants.settings`
_HOUR: Final = timedelta(hours=1)
VISIT_CHANGED: Final = Refusal("visit_changed", "The visit has been moved, called off or begun since this was written.")
_COUNTS_KEPT: Final = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Cap:
    """So many messages to one person within so many days; 0 is no limit."""

    messages: int
    days: int


@dataclass(frozen=True, slots=True)
class Policy:
    """What holds for a tenant. Times are minutes after midnight, where the recipient is; two equal ones: never quiet.

    The last four are the operator's alone: how many messages an hour go to numbers that never wrote to us, of one range
    and of all together (0 is no limit), the beginnings of numbers that get none, and for how long a time is held for
    somebody of the waiting list.
    """

    quiet_from: int = 21 * 60
    quiet_until: int = 8 * 60
    quiet_for: frozenset[Use] = frozenset({"marketing"})
    caps: Mapping[Use, Cap] = field(default_factory=lambda: MappingProxyType({"marketing": Cap(5, 7)}))
    strangers_of_prefix: int = 100
    strangers: int = 500
    blocked_prefixes: tuple[str, ...] = ()
    offer_minutes: int = 10
    marks: Marks | None = field(default=None, compare=False)  # by which refusals of the erased are found


USUAL: Final = Policy()


@dataclass(frozen=True)
class Asked:
    """A message that somebody wants to send, or a call. `message_id` when it is written already; more of it is looked up
    when a rule needs that.
    """

    db: Db
    account_id: int
    kind: str
    value: str
    use: Use
    now: datetime
    usual: Policy = USUAL
    message_id: int | None = None
    window: Window = ALWAYS
    by_call: bool = False

    @cached_property
    def facts(self) -> Row[Any]:
        """The tenant, its settings, the zones, the customer's id (or None), and when they last wrote from there."""
        found: Row[Any] = _FACTS(self.db, {"account_id": self.account_id, "kind": self.kind, "value": self.value}).one()
        return found

    @cached_property
    def policy(self) -> Policy:
        return _of(self.usual, self.facts.settings.get(_KEY) or {})

    @property
    def number(self) -> str:
        """The E.164 number that is written to; "" where it is none."""
        return self.value if self.kind in ("phone", "whatsapp") and self.value.startswith("+") else ""

    @cached_property
    def zones(self) -> Any:
        """Where they may be: time zones. Whoever hides their number is where the one that we know of them is."""
        number = (self.facts.customer_phone or "") if self.kind == "bsuid" else self.number
        return quiet.where(number, stored=self.facts.customer_zone, business=self.facts.zone)

    @cached_property
    def had(self) -> int:
        """How many of the kind they got lately, within the days of its cap, calls among them."""
        since = self.now - timedelta(days=self.policy.caps[self.use].days)
        values = {"customer_id": self.facts.customer_id, "use": self.use, "since": since, "but": self.message_id or 0}
        found: int = _HAD(self.db, values).scalar_one()
        if self.use == "reminder":
            values = {"customer_id": self.facts.customer_id, "since": since}
            found += int(_CALLED(self.db, values).scalar_one())
        return found


Rule = Callable[[Asked], Verdict]


def may_send(
    db: Db,
    *,
    account_id: int,
    kind: str,
    value: str,
    use: Use,
    now: datetime,
    usual: Policy = USUAL,
    message_id: int | None = None,
    window: Window = ALWAYS,
    by_call: bool = False,
    rules: Sequence[Rule] | None = None,
) -> Verdict:
    """Whether a message of this use may go from the account to the address at `now`, or with `by_call` their phone may
    ring. `usual` holds where the tenant has said nothing else. A template, which may be sent at any time, has no `window`.
    """
    if use == "legal":
        return ALLOWED
    asked = Asked(db, account_id, kind, value, use, now, usual, message_id, window, by_call)
    for rule in RULES if rules is None else rules:
        verdict = rule(asked)
        if verdict != ALLOWED:
            return verdict
    return ALLOWED


def foresee(
    db: Db,
    account_id: int,
    addresses: Sequence[tuple[str, str]],
    *,
    use: Use,
    now: datetime,
    usual: Policy = USUAL,
    window_h: int | None = None,
) -> list[Verdict]:
    """What `may_send` would say of a message to each (kind, value) of customers who have not refused any; asked for all of
    them at once. `window_h`: so long after their last message the channel carries free text.
    """
    facts = {(row.kind, row.value): row for row in db.execute(_facts_of(account_id, addresses))}
    verdicts: list[Verdict] = []
    erased = {} if usual.marks is None else consent.forgotten(db, account_id, addresses, marks=usual.marks)
    had: dict[int, int] | None = None
    for kind, value in addresses:
        if (no := consent.refusal(erased.get((kind, value), ()), use)) is not None:
            verdicts.append(no)
            continue
        known = facts.get((kind, value))
        window = Window(window_h, None if known is None else known.last_in_at)
        asked = Asked(db, account_id, kind, value, use, now, usual, window=window)
        if known is not None:
            vars(asked)["facts"] = known
            if (cap := asked.policy.caps.get(use)) is not None:
                if had is None:
                    ids = [row.customer_id for row in facts.values()]
                    had = _had_of(db, ids, use, since=now - timedelta(days=cap.days))
                vars(asked)["had"] = had.get(known.customer_id, 0)
        said = (rule(asked) for rule in RULES if rule is not consented)
        verdicts.append(next((verdict for verdict in said if verdict != ALLOWED), ALLOWED))
    return verdicts


# -- The rules ---------------------------------------------------------------------------------------------------------


def consented(asked: Asked) -> Verdict:
    """Nobody who said STOP."""
    return consent.standing(
        asked.db,
        account_id=asked.account_id,
        kind=asked.kind,
        value=asked.value,
        use=asked.use,
        marks=asked.usual.marks,
        has_written=lambda: asked.facts.last_in_at is not None,
    )


def affordable(asked: Asked) -> Verdict:
    """No number that earns money for whoever holds it, and none that the operator has closed."""
    if not asked.number:
        return ALLOWED
    if phone.is_costly(asked.number):
        return Refusal("premium_number", "This is a number with a special rate; we do not write to those.")
    if asked.number.startswith(asked.usual.blocked_prefixes):
        return Refusal("blocked_prefix", "Numbers of this range are closed by whoever runs this system.")
    return ALLOWED


def not_pumped(asked: Asked) -> Verdict:
    """Not too many within an hour to numbers that never wrote to us: that is how others earn on our messages. What
    somebody has addressed to a whole audience is not counted.
    """
    if not _is_to_stranger(asked):
        return ALLOWED
    prefix = phone.prefix_of(asked.number)
    sent = {row.prefix: row.sent for row in _SENT(asked.db, _counted(asked, prefix))}
    if 0 < asked.usual.strangers_of_prefix <= sent.get(prefix, 0):
        most, who = asked.usual.strangers_of_prefix, f"numbers that begin with {prefix} and never wrote to us"
        return Refusal(
            "prefix_capped", f"{most} messages went to {who} within this hour; more are refused until it is over."
        )
    if 0 < asked.usual.strangers <= sent.get("", 0):
        most, who = asked.usual.strangers, "numbers that never wrote to us"
        return Refusal(
            "strangers_capped", f"{most} messages went to {who} within this hour; more are refused until it is over."
        )
    return ALLOWED


def seldom(asked: Asked) -> Verdict:
    """Not more of one kind than a person can bear."""
    if asked.use not in ("marketing", "reminder"):
        return ALLOWED
    cap = asked.policy.caps.get(asked.use)
    if cap is None or cap.messages < 1 or asked.facts.customer_id is None:
        return ALLOWED
    if asked.had < cap.messages:
        return ALLOWED
    return Refusal(
        "too_often", f"They got {cap.messages} messages of this kind within {cap.days} days, which is the most."
    )


def awake(asked: Asked) -> Verdict:
    """Not at night, where they are. A phone that rings wakes people, whatever is said of messages."""
    if asked.use not in ("marketing", "reminder") or not (asked.by_call or asked.use in asked.policy.quiet_for):
        return ALLOWED
    ends = _wakes(asked)
    if ends is None:
        return ALLOWED
    there = zones.local(ends, asked.zones[0])
    return Held("quiet_hours", f"It is night where they are; it goes out at {there:%H:%M} their time.", ends)


def wakes_at(
    db: Db, *, account_id: int, kind: str, value: str, now: datetime, usual: Policy = USUAL
) -> datetime | None:
    """When the quiet hours end where they are, whatever those hold; None when it is not quiet there."""
    return _wakes(Asked(db, account_id, kind, value, "service", now, usual))


def _wakes(asked: Asked) -> datetime | None:
    policy = asked.policy
    return quiet.until(asked.now, asked.zones, begins=policy.quiet_from, ends=policy.quiet_until)


def still_wanted(asked: Asked) -> Verdict:
    """Nothing of a broadcast that is paused or was cancelled meanwhile, nor about a visit that is another one by now."""
    if asked.use != "marketing" or asked.message_id is None:
        return ALLOWED
    row = _BROADCAST(asked.db, {"message_id": asked.message_id}).one_or_none()
    if row is None:
        return ALLOWED
    if row.status == "cancelled":
        return Refusal("broadcast_cancelled", "The broadcast was cancelled.")
    if row.appointment_sequence is not None and not _stands(row, asked.now):
        return VISIT_CHANGED
    if row.status == "paused":  # resuming it sends it at once; if that should fail, it is looked at again
        return Held("broadcast_paused", "The broadcast is paused.", asked.now + _HOUR)
    return ALLOWED


def _stands(row: Row[Any], now: datetime) -> bool:
    """Whether the visit that a campaign's message is about is still as it was, and the message on its right side of it."""
    relative = Relative.of(row.relative)
    if row.visit_status not in relative.statuses or row.sequence != row.appointment_sequence:
        return False
    return relative.is_after or bool(now < row.starts_at)


def in_time(asked: Asked) -> Verdict:
    """No free text after the time in which the channel carries it."""
    return ALLOWED if asked.window.is_open(asked.now) else closed(asked.window)


RULES: tuple[Rule, ...] = (consented, still_wanted, in_time, affordable, not_pumped, seldom, awake)
# What counts was counted when a message was begun for the first time; a further try may be hours later.
AGAIN: tuple[Rule, ...] = (consented, still_wanted, in_time, awake)

# -- Counting ----------------------------------------------------------------------------------------------------------


def count(
    db: Db,
    *,
    account_id: int,
    kind: str,
    value: str,
    use: Use,
    now: datetime,
    usual: Policy = USUAL,
    by: int = 1,
) -> None:
    """A message of this use goes for the first time, so it counts for `not_pumped`; with `by` 0 it does not yet, but nobody
    else counts until this is decided.
    """
    asked = Asked(db, account_id, kind, value, use, now, usual)
    if _is_to_stranger(asked):
        for prefix in (phone.prefix_of(asked.number), ""):
            _COUNT(db, {"tenant_id": asked.facts.tenant_id, "prefix": prefix, "hour": _hour(now), "sent": by})


def alarm(db: Db, *, account_id: int, kind: str, value: str, refusal: Refusal, now: datetime) -> None:
    """Tell subscribers and the audit, once an hour and range, that a cap of `not_pumped` refused something."""
    if refusal.code not in ("prefix_capped", "strangers_capped"):
        return
    asked = Asked(db, account_id, kind, value, "service", now)
    prefix = phone.prefix_of(asked.number) if refusal.code == "prefix_capped" else ""
    tenant_id = asked.facts.tenant_id
    if _TELL(db, {"of_tenant": tenant_id, "of_prefix": prefix, "of_hour": _hour(now)}).rowcount == 0:
        return
    told = {"reason": refusal.code, "prefix": prefix, "hour": events.rfc3339(_hour(now))}
    row = db.execute(select(tenants.c.uid).where(tenants.c.id == tenant_id)).one()
    who = Actor(tenant_id, "system")
    audit.record(db, who, "sending.capped", "tenant", tenant_id, None, {**told}, now, uid=row.uid)
    events.emit(db, tenant_id, "sending.capped", told, now=now)


def forget_old(db: Db, *, now: datetime) -> None:
    db.execute(delete(send_counts).where(send_counts.c.hour < now - _COUNTS_KEPT))


def _is_to_stranger(asked: Asked) -> bool:
    return asked.use != "marketing" and bool(asked.number) and asked.facts.last_in_at is None


def _counted(asked: Asked, prefix: str) -> dict[str, Any]:
    return {"tenant_id": asked.facts.tenant_id, "prefix": prefix, "hour": _hour(asked.now)}


def _hour(now: datetime) -> datetime:
    return now.replace(minute=0, second=0, microsecond=0)


# -- What a tenant wants ------------------------------------------------------------------------------------------------


def get(db: Db, who: Actor, *, usual: Policy) -> Policy:
    """What holds for the tenant."""
    stored = db.execute(select(tenants.c.settings).where(tenants.c.id == who.tenant_id)).scalar_one()
    return _of(usual, stored.get(_KEY) or {})


def save(db: Db, who: Actor, wanted: Policy, *, usual: Policy, now: datetime) -> Policy:
    """From now on these quiet hours and caps hold; what is the operator's stays as it is."""
    where = tenants.c.id == who.tenant_id
    row = db.execute(select(tenants.c.uid, tenants.c.settings).where(where).with_for_update(key_share=True)).one()
    before, after = row.settings.get(_KEY) or {}, _stored(wanted)
    if before != after:
        db.execute(update(tenants).where(where).values(settings={**row.settings, _KEY: after}))
        audit.record(db, who, "sending.settings_changed", "tenant", who.tenant_id, before, after, now, uid=row.uid)
    return _of(usual, after)


def _stored(policy: Policy) -> dict[str, Any]:
    return {
        "quiet_from": policy.quiet_from,
        "quiet_until": policy.quiet_until,
        "quiet_for": sorted(policy.quiet_for),
        "caps": {use: asdict(cap) for use, cap in sorted(policy.caps.items())},
    }


def _of(usual: Policy, stored: Mapping[str, Any]) -> Policy:
    if not stored:
        return usual
    return replace(
        usual,
        quiet_from=stored["quiet_from"],
        quiet_until=stored["quiet_until"],
        quiet_for=frozenset(stored["quiet_for"]),
        caps={use: Cap(**cap) for use, cap in stored["caps"].items()},
    )


_a, _b, _c, _t = accounts.c, businesses.c, conversations.c, tenants.c
_i, _u = customer_models.customer_identities.c, customer_models.customers.c
_FACTS = Prepared(
    select(
        _a.tenant_id,
        _a.channel,
        _t.settings,
        _b.time_zone.label("zone"),
        _u.id.label("customer_id"),
        _u.time_zone.label("customer_zone"),
        _u.phone.label("customer_phone"),
        _c.last_in_at,
    )
    .select_from(
        accounts.join(tenants, _t.id == _a.tenant_id)
        .join(businesses, _b.id == _a.business_id)
        .outerjoin(
            customer_models.customer_identities,
            and_(_i.tenant_id == _a.tenant_id, _i.kind == bindparam("kind"), _i.value == bindparam("value")),
        )
        .outerjoin(customer_models.customers, _u.id == _i.customer_id)
        .outerjoin(
            conversations,
            and_(_c.account_id == _a.id, _c.peer_kind == bindparam("kind"), _c.peer == bindparam("value")),
        )
    )
    .where(_a.id == bindparam("account_id"))
)


def _begun(since: Any) -> tuple[ColumnElement[bool], ...]:
    """What was begun since then, and not given up."""
    return outbox.c.state.in_(("ready", "sending", "sent")), outbox.c.begun_at > since


_HAD = Prepared(
    select(func.count())
    .select_from(
        conversations.join(messages, messages.c.conversation_id == _c.id).join(
            outbox, outbox.c.message_id == messages.c.id
        )
    )
    .where(
        _c.customer_id == bindparam("customer_id"),
        messages.c.use == bindparam("use"),
        messages.c.use.is_not(None),  # so that it is seen that the index knows them all
        messages.c.id != bindparam("but"),
        *_begun(bindparam("since")),
    )
)


_CALLED = Prepared(
    select(func.count())
    .select_from(calls)
    .where(
        calls.c.customer_id == bindparam("customer_id"),
        calls.c.kind == "reminder",
        calls.c.attempts > 0,
        calls.c.started_at > bindparam("since"),
    )
)


def _facts_of(account_id: int, addresses: Sequence[tuple[str, str]]) -> Select[Any]:
    """`_FACTS` of many customers at once, with their addresses."""
    return (
        select(
            _a.tenant_id,
            _a.channel,
            _t.settings,
            _b.time_zone.label("zone"),
            _u.id.label("customer_id"),
            _u.time_zone.label("customer_zone"),
            _u.phone.label("customer_phone"),
            _c.last_in_at,
            _i.kind,
            _i.value,
        )
        .select_from(
            accounts.join(tenants, _t.id == _a.tenant_id)
            .join(businesses, _b.id == _a.business_id)
            .join(customer_models.customer_identities, _i.tenant_id == _a.tenant_id)
            .join(customer_models.customers, _u.id == _i.customer_id)
            .outerjoin(conversations, and_(_c.account_id == _a.id, _c.peer_kind == _i.kind, _c.peer == _i.value))
        )
        .where(
            _a.id == account_id,
            _i.kind.in_({kind for kind, _ in addresses}),
            _i.value.in_([value for _, value in addresses]),
        )
    )


def _had_of(db: Db, customer_ids: Sequence[int], use: Use, *, since: datetime) -> dict[int, int]:
    """`_HAD` of many customers at once."""
    m = messages.c
    wanted = (
        select(_c.customer_id, func.count().label("messages"))
        .select_from(conversations.join(messages, m.conversation_id == _c.id).join(outbox, outbox.c.message_id == m.id))
        .where(_c.customer_id.in_(customer_ids), m.use == use, m.use.is_not(None), *_begun(since))
        .group_by(_c.customer_id)
    )
    return {row.customer_id: row.messages for row in db.execute(wanted)}


_BROADCAST = Prepared(
    select(
        broadcasts.c.status,
        broadcasts.c.relative,
        messages.c.appointment_sequence,
        appointments.c.status.label("visit_status"),
        appointments.c.sequence,
        appointments.c.starts_at,
    )
    .select_from(
        broadcast_recipients.join(broadcasts, broadcasts.c.id == broadcast_recipients.c.broadcast_id)
        .join(messages, messages.c.id == broadcast_recipients.c.message_id)
        .outerjoin(appointments, appointments.c.id == messages.c.appointment_id)
    )
    .where(broadcast_recipients.c.message_id == bindparam("message_id"))
    .limit(1)
)
_s = send_counts.c
_SENT = Prepared(
    select(_s.prefix, _s.sent).where(
        _s.tenant_id == bindparam("tenant_id"),
        _s.hour == bindparam("hour"),
        _s.prefix.in_((bindparam("prefix"), "")),
    )
)
_TELL = Prepared(
    update(send_counts)
    .where(
        _s.tenant_id == bindparam("of_tenant"),
        _s.prefix == bindparam("of_prefix"),
        _s.hour == bindparam("of_hour"),
        _s.is_told.is_(False),
    )
    .values(is_told=True)
)


def _count(dialect: type[sqlite.Insert] | type[postgresql.Insert]) -> sqlite.Insert | postgresql.Insert:
    new = dialect(send_counts)
    key = [_s.tenant_id, _s.prefix, _s.hour]
    return new.on_conflict_do_update(index_elements=key, set_={"sent": _s.sent + new.excluded.sent})


_COUNT = Prepared({"sqlite": _count(sqlite.Insert), "postgresql": _count(postgresql.Insert)})
