"""Broadcasts: one text to many customers, to those who may be written to, and what became of each message."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from types import MappingProxyType
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo

from sqlalchemy import (
    Row,
    Select,
    String,
    and_,
    bindparam,
    case,
    cast,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)

from desk import accounts as channels
from desk import (
    attributes,
    audit,
    consent,
    phone,
    quiet,
    reachable,
    records,
    refs,
    segments,
    sending,
    templates,
)
from desk.calendar import campaigns, zones
from desk.calendar.campaigns import Relative
from desk.errors import DeskError, Invalid, WrongState
from desk.listing import Found, Window, contains, page
from desk.refs import Ref
from desk.segments import Condition, Segment
from desk.sending import USUAL, Policy
from desk.templates import Template
from desk.text import one_line, storable
from desk.verdicts import ALLOWED, Held, Refusal, Verdict
from desk.who import Actor
from storage import queue
from storage.base import Db, JsonValue
from storage.models import customers as customer_models
from storage.models.accounts import accounts
from storage.models.businesses import businesses, services
from storage.models.calendar import appointments
from storage.models.conversations import conversations, messages, outbox
from storage.models.customers import customer_identities, customers
from storage.models.jobs import jobs
from storage.models.work import broadcast_recipients as recipients
from storage.models.work import broadcasts as table
from storage.prepared import Prepared
from storage.session import announce

KIND: Final = "broadcast"  # the job that writes the messages
NOUN: Final = "broadcast"
PAUSED: Final = "broadcast_paused"  # why a message of it is held
MISSING: Final = "missing_value"  # why somebody gets none: a blank that has no default would stay empty
CHANNEL_PAUSED: Final = Refusal("channel_paused", "Its channel was switched off.")

_SAMPLES: Final = 5
_EARLIEST: Final = timedelta(hours=14)  # so far ahead of UTC the first clocks are
_FARTHEST: Final = timedelta(days=366)
_ANSWERED_WITHIN: Final = timedelta(days=7)  # what comes later is a message like any other
_LATE: Final = timedelta(hours=12)  # what is to be said about a visit is stale after that
_SOON: Final = timedelta(seconds=2)
_SELDOM: Final = timedelta(minutes=10)  # what is held may be let go, or refused, before its time
_AT_ONCE: Final = 1000  # customers looked at in one go
_TALKING: Final = frozenset({"sms", "whatsapp", "web", "sim"})  # channels that carry text
_NAMES: Final = frozenset(
    {"customer.name", "customer.first_name", "customer.email", "customer.phone", "customer.city"}
    | {"business.name", "business.phone", "business.website"}
)
# Where a message stands, in the words of the counts.
_COUNTED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "held": "held",
        "sent": "sent",
        "delivered": "delivered",
        "read": "read",
        "failed": "failed",
        "undelivered": "failed",
        "refused": "skipped",
        "canceled": "skipped",
    }
)
_ALWAYS_OPEN: Final[Mapping[tuple[str, str], int | None]] = MappingProxyType({})
_t, _r, _i = table.c, recipients.c, customer_identities.c
# When a message that is held goes out. What waits for somebody to resume the broadcast goes out when they do.
_HELD_UNTIL: Final = case(
    (and_(messages.c.status == "held", messages.c.error_code != PAUSED), messages.c.scheduled_for)
)


@dataclass(frozen=True, slots=True)
class Counts:
    """Where the messages stand now; each is counted once. `held`: it waits for a time, such as the morning. `skipped`: none
    was written, or it was held back.
    """

    queued: int = 0
    held: int = 0
    sent: int = 0
    delivered: int = 0
    read: int = 0
    failed: int = 0
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class Spent:
    """What it costs, in millionths: `estimate` by the price list of whoever got a message (None where a price is missing
    or nothing was written), `told` by currency as the provider says (amount and messages), and how many it counts as paid
    or free by their kind.
    """

    estimate: int | None = None
    told: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    billed: Mapping[str, int] = field(default_factory=dict)
    free: int = 0


@dataclass(frozen=True, slots=True)
class Broadcast:
    """`audience` is a segment as JSON. `status`: draft, scheduled, sending (until the last message has left), paused, sent,
    cancelled. `paused_for`: why it was paused by itself, if it was.

    `template` is the provider's that says it: its name, language and variables, which may have blanks; `text` is its wording
    then.

    `relative` says when each visit has its message (`Relative.of`); None: it goes out once. `scheduled_at` is when it begins;
    `local_at` the wall time at which each recipient gets it where they are. `replies` says where an answer goes:
    {"to": "bot" | "inbox" | "scenario", "scenario": its name}. `held_until` is when the last of the held messages goes out,
    None when none is held, or as long as it is paused.
    """

    id: int
    uid: str
    name: str
    channel_uid: str
    text: str
    template: Mapping[str, Any] | None
    audience: Mapping[str, Any]
    replies: Mapping[str, str]
    status: str
    paused_for: Refusal | None
    counts: Counts
    held_until: datetime | None
    spent: Spent
    scheduled_at: datetime | None
    local_at: str | None
    relative: Mapping[str, Any] | None
    started_at: datetime | None
    finished_at: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Sample:
    customer_uid: str
    text: str


class Length(Protocol):
    """How long a text is as SMS, and which characters make it so long (`channels.split.count`)."""

    @property
    def encoding(self) -> str: ...
    @property
    def units(self) -> int: ...
    @property
    def parts(self) -> int: ...
    @property
    def guilty(self) -> tuple[str, ...]: ...


Measure = Callable[[str], Length]
Scenarios = Callable[[Db, int], Collection[str]]  # the names of those that a bot has, by its number
# For how many hours after their last message a channel carries free text to somebody, by provider and channel.
Windows = Mapping[tuple[str, str], int | None]
# What a message (by SMS: a part) costs, by channel and country; `*` is any other country.
Prices = Mapping[tuple[str, str], float]


@dataclass(frozen=True, slots=True)
class Preview:
    """Of one that follows visits it counts those that there are, at whatever time their messages come. `longest` is the text
    that takes the most parts, `parts` what all of them take; both by SMS only. `skipped` counts those who get none, by the
    reason, and `missing` those who lack a value, by the name of the blank. `held` of those who can be reached would get it
    later, the last of them at `held_until`. `cost` is None when a price is missing.
    """

    total: int
    reachable: int
    opted_out: int
    no_address: int
    samples: Sequence[Sample]
    longest: Length | None
    parts: int | None
    skipped: Mapping[str, int]
    missing: Mapping[str, int]
    held: int
    held_until: datetime | None
    cost: float | None


@dataclass(frozen=True, slots=True)
class Recipient:
    """`status` of the message and until when it is held, or why there is none, with the blanks that have no value if that is
    why; and the visit that it is about, if it is about one.
    """

    customer_uid: str
    message_uid: str | None
    appointment_uid: str | None
    status: str | None
    held_until: datetime | None
    skipped_for: str | None
    missing: Sequence[str]


@dataclass(frozen=True, slots=True)
class Reached:
    """A customer of the audience; `skipped_for` says why nothing can be sent to them."""

    customer: Row[Any]
    kind: str = ""
    address: str = ""
    skipped_for: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A broadcast that is being sent, with all that each message needs."""

    id: int
    tenant_id: int
    account_id: int
    segment: Segment
    text: "Text"
    local_at: datetime | None
    zone: str
    channel: str
    provider: str
    relative: Relative | None = None

    def due(self, one: "Reached") -> datetime | None:
        """When the message is to reach them, if that is by their own clock."""
        if self.local_at is None:
            return None
        number = (one.customer.phone or "") if one.kind == "bsuid" else one.address
        zone = quiet.where(number, stored=one.customer.time_zone, business=self.zone)[0]
        return zones.instant(self.local_at, zone)


@dataclass(frozen=True, slots=True)
class Waits:
    """The channel is paused: look again when it serves, or `until` then at the latest."""

    account_id: int
    until: datetime


@dataclass(frozen=True, slots=True)
class Routed:
    """Where an answer to the broadcast of that `name` goes: to `bot`, `inbox`, or the bot's `scenario`."""

    to: str = "bot"
    scenario: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Text:
    """What is said, and what is the same for everybody. `named` is the provider's template that says it, by its name and
    language, with its `variables`.
    """

    template: Template
    business: Mapping[str, str | None]
    named: tuple[str, str] | None = None
    variables: Mapping[str, Template] = field(default_factory=dict)

    def of(self, customer: Row[Any]) -> str:
        return self.template.render(self._values(customer))

    def variables_of(self, customer: Row[Any]) -> dict[str, str]:
        """What fills the blanks of the provider's template."""
        values = self._values(customer)
        return {name: variable.render(values) for name, variable in self.variables.items()}

    def missing_of(self, customer: Row[Any]) -> list[str]:
        """The blanks of what goes out that would stay empty: of the provider's template where there is one, else of the text."""
        said = [self.template] if self.named is None else self.variables.values()
        values = self._values(customer)
        return [*dict.fromkeys(name for one in said for name in one.missing(values))]

    def _values(self, customer: Row[Any]) -> dict[str, str | None]:
        name = customer.name or ""
        return {
            **self.business,
            "customer.name": name,
            "customer.first_name": name.split(" ")[0],
            "customer.email": customer.email,
            "customer.phone": customer.phone,
            "customer.city": customer.city,
            **{f"customer.attributes.{key}": _written(value) for key, value in customer.attributes.items()},
        }


def find(
    db: Db, who: Actor, window: Window, *, search: str | None = None, status: str | None = None
) -> Found[Broadcast]:
    """The tenant's, the newest first."""
    wanted = _BROADCAST.where(_t.tenant_id == who.tenant_id)
    if search:
        wanted = wanted.where(contains(search, _t.name, _t.text))
    if status is not None:
        wanted = wanted.where(_t.status == status)
    sorts = {"created_at": _t.created_at, "name": _t.name, "started_at": _t.started_at}
    found = page(db, wanted, window, _one, sorts=sorts, by="-created_at", tie=_t.id)
    return Found(_tallied(db, found.items), found.total)


def get(db: Db, who: Actor, ref: Ref) -> Broadcast:
    """Raises: NotFound"""
    return _get(db, refs.id_of(db, table, who, ref, NOUN))


def add(db: Db, who: Actor, values: Mapping[str, Any], *, scenarios: Scenarios, now: datetime) -> Broadcast:
    """A draft. `values`: name, channel_id, text, template, audience, replies, relative.

    Raises: NotFound, Invalid
    """
    stored = _stored(db, who, values, scenarios=scenarios, now=now)
    return _get(db, records.add(db, who, table, {**stored, "status": "draft"}, noun=NOUN, now=now).id)


def change(
    db: Db, who: Actor, ref: Ref, values: Mapping[str, Any], *, scenarios: Scenarios, now: datetime
) -> Broadcast:
    """Raises: NotFound, Invalid, WrongState once it is being sent"""
    before = refs.row(db, table, who, ref, NOUN, lock=True)
    if before.status != "draft":
        raise WrongState(NOUN, before.id, before.status, "Only a draft can be changed.")
    stored = _stored(db, who, values, before=before, scenarios=scenarios, now=now)
    return _get(db, records.change(db, who, table, before.id, stored, noun=NOUN, now=now).id)


def remove(db: Db, who: Actor, ref: Ref, *, now: datetime) -> None:
    """Raises: NotFound, WrongState while it is being sent"""
    before = refs.row(db, table, who, ref, NOUN, lock=True)
    if before.status in ("scheduled", "sending", "paused"):
        raise WrongState(NOUN, before.id, before.status, "It is being sent; cancel it first.")
    records.remove(db, who, table, before.id, noun=NOUN, now=now)


def preview(
    db: Db,
    who: Actor,
    ref: Ref,
    *,
    measure: Measure,
    prices: Prices,
    usual: Policy = USUAL,
    windows: Windows = _ALWAYS_OPEN,
    now: datetime,
) -> Preview:
    """What sending it would mean now.

    Raises: NotFound, Invalid
    """
    row = refs.row(db, table, who, ref, NOUN)
    account = refs.row(db, accounts, who, row.account_id, "channel")
    return _preview(
        db, who, account, row._asdict(), measure=measure, prices=prices, usual=usual, windows=windows, now=now
    )


def preview_of(
    db: Db,
    who: Actor,
    values: Mapping[str, Any],
    *,
    measure: Measure,
    prices: Prices,
    usual: Policy = USUAL,
    windows: Windows = _ALWAYS_OPEN,
    now: datetime,
) -> Preview:
    """The same for one that is not kept. `values`: channel_id, text, template, audience, relative.

    Raises: NotFound, Invalid
    """
    account = _account(db, who, values["channel_id"])
    said = {**values, "relative": _relative(db, who, values.get("relative"))}
    return _preview(db, who, account, said, measure=measure, prices=prices, usual=usual, windows=windows, now=now)


def send(
    db: Db,
    who: Actor,
    ref: Ref,
    *,
    send_at: datetime | None = None,
    local_at: datetime | None = None,
    now: datetime,
) -> Broadcast:
    """From now on its messages are written and sent, bit by bit; or from `send_at` on; or so that each recipient gets it
    when the clock where they are shows `local_at` (naive), at once where it is later already.

    Raises: NotFound, Invalid, WrongState unless it is a draft
    """
    row = refs.row(db, table, who, ref, NOUN, lock=True)
    if row.status != "draft":
        raise WrongState(NOUN, row.id, row.status, "It was sent before; make another one to send it again.")
    if send_at is not None and local_at is not None:
        raise Invalid("local_at", "Choose one of the two: a moment for all, or a time by everybody's own clock.")
    if local_at is not None and row.relative is not None:
        raise Invalid("local_at", "It goes out by the time of each visit; say at most from when on.")
    account = _open(db, who, row.account_id)
    _text(db, who, account, row.text, row.template)
    segments.where(db, who, segment_of(row.audience), now=now)
    begins = max(now, zones.instant(local_at, UTC) - _EARLIEST) if local_at is not None else send_at or now
    if not now - timedelta(minutes=1) <= begins <= now + _FARTHEST:
        raise Invalid("send_at" if local_at is None else "local_at", "Choose a time to come, within a year.")
    wall = None if local_at is None else local_at.isoformat(timespec="minutes")
    is_later = begins > now
    moments = {"scheduled_at": begins if is_later else None, "local_at": wall}
    _turn(
        db, who, row, "scheduled" if is_later else "sending", started_at=None if is_later else now, **moments, now=now
    )
    _work_on(db, row, at=begins, now=now)
    return _get(db, row.id)


def pause(db: Db, who: Actor, ref: Ref, *, now: datetime) -> Broadcast:
    """Nothing more is written or sent until it is resumed; what is on its way cannot be stopped.

    Raises: NotFound, WrongState unless it is scheduled or being sent
    """
    row = refs.row(db, table, who, ref, NOUN, lock=True)
    if row.status not in ("scheduled", "sending"):
        raise WrongState(NOUN, row.id, row.status, "It is not being sent.")
    queue.cancel(db, _job(row.id))
    _turn(db, who, row, "paused", now=now)
    return _get(db, row.id)


def resume(db: Db, who: Actor, ref: Ref, *, now: datetime) -> Broadcast:
    """It goes on where it stood: nobody is left out, nobody gets it twice.

    Raises: NotFound, WrongState unless it is paused
    """
    row = refs.row(db, table, who, ref, NOUN, lock=True)
    if row.status != "paused":
        raise WrongState(NOUN, row.id, row.status, "It is not paused.")
    _open(db, who, row.account_id)
    is_later = row.started_at is None and row.scheduled_at is not None and row.scheduled_at > now
    goes_on: dict[str, Any] = {"reached_id": 0} if row.relative is not None else {}  # visits may have come and moved
    if not is_later and row.started_at is None:
        goes_on["started_at"] = now
    _turn(db, who, row, "scheduled" if is_later else "sending", **goes_on, now=now)
    _work_on(db, row, at=row.scheduled_at if is_later else now, now=now)
    held = messages.c.status == "held", messages.c.error_code == PAUSED
    waiting = _mine(row.id).join(messages, messages.c.id == _r.message_id).where(*held)
    db.execute(update(jobs).where(jobs.c.status == "ready", jobs.c.dedupe.in_(waiting)).values(run_at=now))
    announce(db, queue.TOPIC)
    return _get(db, row.id)


def halt(db: Db, broadcast_id: int, why: Refusal, *, now: datetime) -> bool:
    """It is paused by itself, because of something that concerns all of its messages: people see why, and resume it once
    that is mended. Whether it is paused now; one that is not being sent stays as it is.
    """
    row = db.execute(select(table).where(_t.id == broadcast_id).with_for_update()).one_or_none()
    if row is None or row.status not in ("scheduled", "sending"):
        return row is not None and row.status == "paused"
    queue.cancel(db, _job(row.id))
    reason = {"paused_for": why.code, "paused_text": one_line(why.reason, 500)}
    _turn(db, Actor(row.tenant_id, "system"), row, "paused", **reason, now=now)
    return True


def halt_with(db: Db, message_id: int, why: Refusal, *, now: datetime) -> bool:
    """The same for the broadcast that a message is of. False when it is of none, or that is not being sent."""
    broadcast_id = db.execute(select(_r.broadcast_id).where(_r.message_id == message_id).limit(1)).scalar_one_or_none()
    return broadcast_id is not None and halt(db, broadcast_id, why, now=now)


def halt_over(db: Db, account_id: int, why: Refusal, *, now: datetime) -> None:
    """The same for whatever is being sent over the channel."""
    sending_now = select(_t.id).where(_t.account_id == account_id, _t.status == "sending").order_by(_t.id)
    for broadcast_id in db.execute(sending_now).scalars().all():
        halt(db, broadcast_id, why, now=now)


def why_halted(bad: DeskError) -> Refusal:
    """What keeps its messages from being written, as a reason to pause it."""
    return CHANNEL_PAUSED if isinstance(bad, WrongState) else Refusal(bad.code, bad.message)


def cancel(db: Db, who: Actor, ref: Ref, *, now: datetime) -> Broadcast:
    """No further message is written, and those that wait are held back. What is on its way cannot be stopped.

    Raises: NotFound, WrongState unless it is scheduled, being sent or paused
    """
    row = refs.row(db, table, who, ref, NOUN, lock=True)
    if row.status not in ("scheduled", "sending", "paused"):
        raise WrongState(NOUN, row.id, row.status, "It is not being sent.")
    queue.cancel(db, _job(row.id))
    ids = select(_r.message_id).where(_r.broadcast_id == row.id, _r.message_id.is_not(None))
    held = select(outbox.c.message_id).where(outbox.c.message_id.in_(ids), outbox.c.state == "ready")
    held_back = {"status": "canceled", "error_code": None, "error_text": None, "scheduled_for": None}
    db.execute(update(messages).where(messages.c.id.in_(held)).values(**held_back))
    db.execute(delete(jobs).where(jobs.c.status == "ready", jobs.c.dedupe.in_(_mine(row.id))))
    db.execute(update(outbox).where(outbox.c.message_id.in_(ids), outbox.c.state == "ready").values(state="refused"))
    _turn(db, who, row, "cancelled", finished_at=now, now=now)
    return _get(db, row.id)


def recipients_of(db: Db, who: Actor, ref: Ref, window: Window, *, skipped: bool | None = None) -> Found[Recipient]:
    """For whom it was meant, in the order in which they were reached.

    Raises: NotFound
    """
    broadcast_id = refs.id_of(db, table, who, ref, NOUN)
    wanted = (
        select(
            customers.c.uid,
            messages.c.uid.label("message_uid"),
            appointments.c.uid.label("appointment_uid"),
            messages.c.status,
            _HELD_UNTIL.label("held_until"),
            _r.skipped_for,
            _r.missing,
        )
        .select_from(recipients)
        .join(customers, customers.c.id == _r.customer_id)
        .outerjoin(messages, messages.c.id == _r.message_id)
        .outerjoin(appointments, appointments.c.id == _r.appointment_id)
        .where(_r.broadcast_id == broadcast_id)
    )
    if skipped is not None:
        wanted = wanted.where(_r.skipped_for.is_not(None) if skipped else _r.skipped_for.is_(None))
    return page(db, wanted, window, _recipient, sorts={"id": _r.id}, by="id", tie=_r.id)


def _recipient(row: Row[Any]) -> Recipient:
    about = row.uid, row.message_uid, row.appointment_uid
    return Recipient(*about, row.status, row.held_until, row.skipped_for, row.missing or ())


# -- For the job that sends it -----------------------------------------------------------------------------------------


def plan(db: Db, broadcast_id: int, *, now: datetime) -> Plan | None:
    """What is to be sent, its time having come; None when it was paused or cancelled, or is over.

    Raises: Invalid, when what it says cannot be filled in any more
    """
    wanted = select(table).where(_t.id == broadcast_id, _t.status.in_(("scheduled", "sending"))).with_for_update()
    row = db.execute(wanted).one_or_none()
    if row is None:
        return None
    who = Actor(row.tenant_id, "system")
    if row.status == "scheduled":
        _turn(db, who, row, "sending", started_at=now, now=now)
    return _plan(db, row)


def plan_visits(db: Db, wanted: Plan, *, limit: int, now: datetime) -> bool:
    """Plan the messages about the next visits there are; False when that was all, or it was paused or cancelled."""
    row = db.execute(select(table).where(_t.id == wanted.id, _t.status == "sending").with_for_update()).one_or_none()
    if row is None or wanted.relative is None:
        return False
    since: datetime = row.started_at or now
    last = campaigns.plan_existing(db, row.id, wanted.relative, since=since, after=row.reached_id, limit=limit, now=now)
    db.execute(update(table).where(_t.id == row.id).values(reached_id=last or 0))
    return last is not None


def due(db: Db, broadcast_id: int, appointment_id: int, *, now: datetime) -> tuple[Plan, Reached, int] | Waits | None:
    """Whom to write about a visit now, and about which state of it (its sequence); None when nothing is to be written: it
    was written, or is not wanted (any more), or its moment has not come.

    Raises: Invalid, when what it says cannot be filled in any more
    """
    visit = campaigns.visit(db, appointment_id)  # locked: from here on nobody else writes about it
    row = db.execute(select(table).where(_t.id == broadcast_id, _t.status == "sending")).one_or_none()
    if visit is None or row is None or row.relative is None:
        return None
    wanted = _plan(db, row)
    relative = Relative.of(row.relative)
    theirs = _r.broadcast_id == broadcast_id, _r.appointment_id == appointment_id, _r.skipped_for.is_(None)
    if visit.status not in relative.statuses or db.execute(select(_r.id).where(*theirs)).first() is not None:
        return None
    if relative.services and visit.service_uid not in relative.services:
        return None
    at = relative.moment(visit.starts_at, visit.ends_at, ZoneInfo(visit.time_zone))
    if at is None:
        return None
    if at > now:  # the zone of the business is another one now
        campaigns.plan(db, row.id, row.tenant_id, appointment_id, at, now=now)
        return None
    who = Actor(row.tenant_id, "system")
    account = refs.row(db, accounts, who, row.account_id, "channel")
    found = _reach(db, who, account, wanted.segment, after=visit.customer_id - 1, limit=1, now=now)
    if not found or found[0].customer.id != visit.customer_id:
        return None
    latest = at + _LATE if relative.is_after else min(at + _LATE, visit.starts_at)
    is_paused = channels.is_paused(db, account.id)
    if now >= latest:
        left_out = Reached(found[0].customer, skipped_for="channel_paused" if is_paused else "too_late")
        return wanted, left_out, visit.sequence
    return Waits(account.id, latest) if is_paused else (wanted, found[0], visit.sequence)


def _plan(db: Db, row: Row[Any]) -> Plan:
    who = Actor(row.tenant_id, "system")
    account = refs.row(db, accounts, who, row.account_id, "channel")
    text = _text(db, who, account, row.text, row.template)
    zone: str = db.execute(select(businesses.c.time_zone).where(businesses.c.id == account.business_id)).scalar_one()
    local_at = datetime.fromisoformat(row.local_at) if row.local_at else None
    relative = Relative.of(row.relative) if row.relative else None
    return Plan(
        id=row.id,
        tenant_id=row.tenant_id,
        account_id=account.id,
        segment=segment_of(row.audience),
        text=text,
        local_at=local_at,
        zone=zone,
        channel=account.channel,
        provider=account.provider,
        relative=relative,
    )


def routed(db: Db, conversation_id: int, broadcast_id: int, *, heard_at: datetime) -> Routed:
    """Where the first answer to a broadcast goes, if it comes within a week; from then on it is a conversation like any
    other.
    """
    wanted = {"broadcast_id": broadcast_id, "conversation_id": conversation_id, "since": heard_at - _ANSWERED_WITHIN}
    row = _REPLIES(db, wanted).one_or_none()
    overtaken(db, conversation_id)
    return Routed() if row is None else Routed(row.replies["to"], row.replies.get("scenario") or "", row.name)


def leaves(db: Db, message_id: int, *, now: datetime) -> None:
    """A message is being sent: if it is of a broadcast, an answer to it will be routed as that says."""
    _LEAVES(db, {"message_id": message_id, "left_at": now})


def overtaken(db: Db, conversation_id: int) -> None:
    """Something else was said there since: the next answer is none to a broadcast."""
    db.execute(update(conversations).where(conversations.c.id == conversation_id).values(broadcast_id=None))


def next_ones(db: Db, wanted: Plan, *, limit: int, now: datetime) -> tuple[int, list[Reached]] | None:
    """Up to whom of the audience it has come, and the next ones, or none when all were reached; None when it is not sent
    any more.

    Raises: WrongState, when its channel was paused meanwhile; Invalid
    """
    row = db.execute(select(table).where(_t.id == wanted.id, _t.status == "sending")).one_or_none()
    if row is None:
        return None
    who = Actor(wanted.tenant_id, "system")
    account = _open(db, who, wanted.account_id)
    return row.reached_id, _reach(db, who, account, wanted.segment, after=row.reached_id, limit=limit, now=now)


def come_to(db: Db, wanted: Plan, one: Reached, *, after: int) -> bool:
    """Whether the customers after that one and up to this are ours to write to now, in a broadcast that is still being sent.
    It has come up to them then.
    """
    return _COME_TO(db, {"broadcast": wanted.id, "before": after, "to": one.customer.id}).rowcount > 0


def note(
    db: Db,
    wanted: Plan,
    customer_id: int,
    *,
    message_id: int | None,
    skipped_for: str | None,
    missing: Sequence[str] = (),
    appointment_id: int | None = None,
    estimate: int | None = None,
    now: datetime,
) -> None:
    """Write down what became of one customer, or of one visit of theirs; `estimate` is what the message will cost,
    `missing` the blanks for which nothing is known of them.
    """
    if appointment_id is not None:  # it had been left out, and has been moved since
        db.execute(delete(recipients).where(_r.broadcast_id == wanted.id, _r.appointment_id == appointment_id))
    values = {"tenant_id": wanted.tenant_id, "broadcast_id": wanted.id, "customer_id": customer_id, "created_at": now}
    values |= {"appointment_id": appointment_id, "message_id": message_id, "skipped_for": skipped_for}
    _NOTE(db, {**values, "missing": [*missing] or None, "estimate_millionths": estimate})


def left_out(db: Db, message_id: int, why: str) -> None:
    """A message about a visit is not sent since that has changed; as it is now, the visit may have another one."""
    db.execute(update(recipients).where(_r.message_id == message_id).values(skipped_for=why))


def looks_again(db: Db, broadcast_id: int, *, now: datetime) -> datetime | None:
    """When to look again whether all messages have left; None when they have, or it is not sent any more.

    One of which the provider says nothing has left all the same, and one that waits for the customer to write may for ever.
    """
    if db.execute(select(_t.id).where(_t.id == broadcast_id, _t.status == "sending")).first() is None:
        return None
    mine = select(_m.scheduled_for).join(recipients, _r.message_id == _m.id).where(_r.broadcast_id == broadcast_id)
    is_here = _m.provider_id.is_(None), _m.status.in_(("queued", "scheduled", "sending"))
    # The last that were written are the last to leave.
    if db.execute(mine.where(*is_here).order_by(_r.id.desc()).limit(1)).first() is not None:
        return now + _SOON
    held = mine.where(_m.status == "held").with_only_columns(func.min(_m.scheduled_for), func.count())
    earliest, count = db.execute(held).one()
    return min(max(earliest or now, now) + _SOON, now + _SELDOM) if count else None


def finished(db: Db, broadcast_id: int, *, now: datetime) -> None:
    """Every message has left."""
    row = db.execute(select(table).where(_t.id == broadcast_id, _t.status == "sending").with_for_update()).one_or_none()
    if row is not None:
        _turn(db, Actor(row.tenant_id, "system"), row, "sent", finished_at=now, now=now)


# -- Within ------------------------------------------------------------------------------------------------------------


def _open(db: Db, who: Actor, account_id: int) -> Row[Any]:
    """Raises: WrongState, for a channel that is paused"""
    account = refs.row(db, accounts, who, account_id, "channel")
    if not account.is_active:
        raise WrongState("channel", account.id, "paused", "Its channel is switched off.")
    return account


def segment_of(audience: Mapping[str, Any]) -> Segment:
    """The JSON of an audience as a segment."""
    given = dict(audience)
    for name in segments.MOMENTS:
        if given.get(name):
            given[name] = datetime.fromisoformat(given[name])
    given["attributes"] = [Condition(**one) for one in given.get("attributes", ())]
    return Segment(**given)


def _reach(
    db: Db,
    who: Actor,
    account: Row[Any],
    segment: Segment,
    *,
    after: int,
    limit: int,
    only: Collection[int] | None = None,
    now: datetime,
) -> list[Reached]:
    """The next customers of the segment (of these `only`), each with the address at which the channel reaches them."""
    wanted = select(customers).where(segments.where(db, who, segment, now=now), customers.c.id > after)
    if only is not None:
        wanted = wanted.where(customers.c.id.in_(only))
    rows = db.execute(wanted.order_by(customers.c.id).limit(limit)).all()
    ids = [row.id for row in rows]
    kinds = consent.KINDS.get(account.channel, ())
    addresses: dict[int, list[tuple[str, str]]] = {}
    mine = _i.customer_id.in_(ids), _i.kind.in_(kinds)
    lost: dict[tuple[str, str], str] = {}
    t = conversations.c
    talks = exists().where(t.account_id == account.id, t.peer_kind == _i.kind, t.peer == _i.value)
    named = select(_i.customer_id, _i.kind, _i.value, reachable.LOST_FOR).where(*mine)
    for customer_id, kind, value, lost_for in db.execute(named.order_by(talks.desc(), _i.id)):  # where they wrote last
        addresses.setdefault(customer_id, []).append((kind, value))
        if lost_for is not None:
            lost[kind, value] = lost_for
    c = customer_models.consents.c
    known = and_(c.kind == _i.kind, c.value == _i.value)
    refused = (
        select(c.kind, c.value)
        .join(customer_identities, known)
        .where(c.account_id == account.id, c.state == "out", c.purpose.in_(("all", "marketing")))
    )
    out = {(one.kind, one.value) for one in db.execute(refused.where(*mine))}
    return [_reached(row, addresses.get(row.id, ()), out, lost) for row in rows]


def _reached(
    row: Row[Any],
    addresses: Sequence[tuple[str, str]],
    out: set[tuple[str, str]],
    lost: Mapping[tuple[str, str], str],
) -> Reached:
    if not addresses:
        return Reached(row, skipped_for="no_address")
    if not out.isdisjoint(addresses):  # said from one of them, it holds for all
        return Reached(row, skipped_for="opted_out")
    found = next((one for one in addresses if one not in lost), None)
    if found is None:
        return Reached(row, skipped_for=lost[addresses[0]])
    kind, value = found
    if kind in ("phone", "whatsapp") and phone.is_costly(value):
        return Reached(row, skipped_for="premium_number")
    return Reached(row, kind, value)


def _preview(
    db: Db,
    who: Actor,
    account: Row[Any],
    values: Mapping[str, Any],
    *,
    measure: Measure,
    prices: Prices,
    usual: Policy,
    windows: Windows,
    now: datetime,
) -> Preview:
    template = values.get("template")
    text = _text(db, who, account, values["text"], template)
    segment = segment_of(values["audience"])
    relative = Relative.of(values["relative"]) if values["relative"] else None
    window_h = None if template else windows.get((account.provider, account.channel))
    held: list[datetime] = []
    by_sms = account.channel == "sms"
    total, parts = 0, 0
    skipped, missing = Counter[str](), Counter[str]()
    samples: list[Sample] = []
    longest: Length | None = None
    cost: float | None = 0.0 if any(channel == account.channel for channel, _ in prices) else None
    for one, verdict in _everybody(db, who, account, segment, relative, usual=usual, window_h=window_h, now=now):
        total += 1
        refused_for = verdict.code if isinstance(verdict, Refusal) else one.skipped_for
        if refused_for is not None:
            skipped[refused_for] += 1
            continue
        if lacks := text.missing_of(one.customer):
            skipped[MISSING] += 1
            missing.update(lacks)
            continue
        if isinstance(verdict, Held):
            held.append(verdict.until)
        said, units = text.of(one.customer), 1
        if len(samples) < _SAMPLES:
            samples.append(Sample(one.customer.uid, said))
        if by_sms:
            length = measure(said)
            units = length.parts
            parts += units
            if longest is None or (length.parts, length.units) > (longest.parts, longest.units):
                longest = length
        if cost is not None:
            price = _price(prices, account.channel, one.address)
            cost = None if price is None else cost + units * price
    return Preview(
        total=total,
        reachable=total - skipped.total(),
        opted_out=skipped["opted_out"],
        no_address=skipped["no_address"],
        samples=samples,
        longest=longest,
        parts=parts if by_sms else None,
        skipped=dict(skipped),
        missing=dict(missing),
        held=len(held),
        held_until=max(held, default=None),
        cost=None if cost is None else round(cost, 4),
    )


def _everybody(
    db: Db,
    who: Actor,
    account: Row[Any],
    segment: Segment,
    relative: Relative | None,
    *,
    usual: Policy,
    window_h: int | None,
    now: datetime,
) -> Iterator[tuple[Reached, Verdict]]:
    """The audience, each with what the rules would say of a message now; or whose visits there are, once for each visit."""
    after = 0
    foresee = partial(_foreseen, db, account, usual=usual, window_h=window_h, now=now)
    if relative is None:
        while found := _reach(db, who, account, segment, after=after, limit=_AT_ONCE, now=now):
            yield from foresee(found)
            after = found[-1].customer.id
        return
    shop = account.tenant_id, account.business_id, relative
    while visits := campaigns.ahead(db, *shop, after=after, limit=_AT_ONCE, now=now):
        whose = [customer_id for _, customer_id, is_ahead in visits if is_ahead]
        reached = _reach(db, who, account, segment, after=0, limit=_AT_ONCE, only={*whose}, now=now)
        by_customer = {one.customer.id: (one, said) for one, said in foresee(reached)}
        for one, said in (by_customer[customer_id] for customer_id in whose if customer_id in by_customer):
            yield one, ALLOWED if isinstance(said, Held) else said  # whether it is night now says nothing of then
        after = visits[-1][0]


def _foreseen(
    db: Db, account: Row[Any], found: Sequence[Reached], *, usual: Policy, window_h: int | None, now: datetime
) -> Iterator[tuple[Reached, Verdict]]:
    addresses = [(one.kind, one.address) for one in found if one.skipped_for is None]
    said = iter(sending.foresee(db, account.id, addresses, use="marketing", now=now, usual=usual, window_h=window_h))
    for one in found:
        yield one, ALLOWED if one.skipped_for is not None else next(said)


def _text(db: Db, who: Actor, account: Row[Any], words: str, template: Mapping[str, Any] | None) -> Text:
    """Raises: Invalid"""
    if template is not None and account.channel != "whatsapp":
        raise Invalid("template", "Only WhatsApp has templates; say it as text here.")
    known = {*_NAMES, *(f"customer.attributes.{key}" for key in attributes.all_of(db, who))}
    b = businesses.c
    shop = db.execute(select(b.name, b.phone, b.website).where(b.id == account.business_id)).one()
    return Text(
        templates.parse(words, known),
        {"business.name": shop.name, "business.phone": shop.phone, "business.website": shop.website},
        None if template is None else (template["name"], template["language"]),
        {
            name: templates.parse(value, known, field=f"template.variables.{name}")
            for name, value in (template["variables"] if template is not None else {}).items()
        },
    )


def _stored(
    db: Db,
    who: Actor,
    values: Mapping[str, Any],
    *,
    before: Row[Any] | None = None,
    scenarios: Scenarios,
    now: datetime,
) -> dict[str, Any]:
    """The values as columns.

    Raises: NotFound, Invalid
    """
    stored = {name: values[name] for name in ("name", "audience", "replies") if name in values}
    if (replies := stored.get("replies")) and (replies["to"] == "scenario") != bool(replies.get("scenario")):
        raise Invalid("replies.scenario", "Name a scenario when answers go to one, and only then.")
    if "relative" in values:
        stored["relative"] = _relative(db, who, values["relative"])
    account = _account(db, who, values["channel_id"]) if "channel_id" in values else None
    if account is not None:
        stored["account_id"] = account.id
    if stored.get("replies") or account is not None:
        _check_replies(db, who, account, stored, before, scenarios)
    if "audience" in values:
        segments.where(db, who, segment_of(values["audience"]), now=now)
    if "template" in values:
        stored["template"] = values["template"]
    if "text" in values:
        stored["text"] = storable(values["text"])
    if {"text", "template", "channel_id"} & values.keys():
        if account is None:
            assert before is not None  # noqa: S101  a new one names its channel
            account = refs.row(db, accounts, who, before.account_id, "channel")
        said = {**(before._asdict() if before is not None else {}), **stored}
        _text(db, who, account, said["text"], said.get("template"))
    return stored


def _check_replies(
    db: Db,
    who: Actor,
    account: Row[Any] | None,
    stored: Mapping[str, Any],
    before: Row[Any] | None,
    scenarios: Scenarios,
) -> None:
    """Raises: Invalid, when answers are to go somewhere and nobody can write any, or the bot has nothing of that name"""
    if account is None and before is not None:
        account = refs.row(db, accounts, who, before.account_id, "channel")
    routed_to = stored.get("replies", before and before.replies)
    if not routed_to or account is None:
        return
    if not channels.takes_replies(account.channel, account.address):
        raise Invalid("replies.to", "Nobody can write back to a sender's name, so no answer can go anywhere.")
    if name := routed_to.get("scenario"):
        if account.bot_id is None:
            raise Invalid("replies.to", "No bot answers on this channel.")
        if name not in (known := scenarios(db, account.bot_id)):
            raise Invalid("replies.scenario", f"The bot has no scenario {name!r}; it has {', '.join(sorted(known))}.")


def _relative(db: Db, who: Actor, given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Raises: NotFound, Invalid"""
    if given is None:
        return None
    if (given.get("days_after") is None) == (given.get("days_before") is None):
        raise Invalid("relative.days_after", "Say how many days after the visit or how many before it, one of the two.")
    wanted = [refs.row(db, services, who, one, "service").uid for one in given.get("service_ids", ())]
    return {**given, "service_ids": wanted} if wanted else {**given}


def _account(db: Db, who: Actor, ref: Ref) -> Row[Any]:
    """Raises: NotFound, Invalid"""
    account = refs.row(db, accounts, who, ref, "channel")
    if account.channel not in _TALKING:
        raise Invalid("channel_id", "This channel carries no text.")
    return account


def _turn(db: Db, who: Actor, row: Row[Any], status: str, *, now: datetime, **values: Any) -> None:
    values = {"paused_for": None, "paused_text": None, **values, "status": status, "updated_at": now}
    db.execute(update(table).where(_t.id == row.id).values(**values))
    before: Mapping[str, JsonValue] = {"status": row.status}
    audit.record(db, who, f"broadcast.{status}", "broadcast", row.id, before, {"status": status}, now, uid=row.uid)


def _work_on(db: Db, row: Row[Any], *, at: datetime, now: datetime) -> None:
    queue.enqueue(
        db,
        KIND,
        {"broadcast_id": row.id},
        now=now,
        run_at=at,
        tenant_id=row.tenant_id,
        lane=f"broadcasts:{row.tenant_id}",
        priority=1,
        dedupe=_job(row.id),
    )


def _job(broadcast_id: int) -> str:
    return f"{KIND}:{broadcast_id}"


def _mine(broadcast_id: int) -> Select[str]:
    """The names of the jobs that send its messages."""
    return select(literal("send:") + cast(_r.message_id, String)).where(_r.broadcast_id == broadcast_id)


def _tallied(db: Db, found: Sequence[Broadcast]) -> list[Broadcast]:
    """The same with their counts and what they cost, from one look at all their recipients."""
    m = messages.c
    is_skipped = _r.skipped_for.is_not(None).label("skipped")
    by = (_r.broadcast_id, m.status, is_skipped, m.price_currency, m.is_billable, m.billed_as)
    grouped = (
        select(
            *by,
            func.sum(m.price_millionths).label("amount"),
            func.count(m.price_millionths).label("priced"),
            func.sum(_r.estimate_millionths).label("estimate"),
            func.count(_r.estimate_millionths).label("estimated"),
            func.count().label("n"),
            func.max(_HELD_UNTIL).label("held_until"),
        )
        .select_from(recipients)
        .outerjoin(messages, m.id == _r.message_id)
        .where(or_(False, _r.broadcast_id.in_([one.id for one in found])))
        .group_by(*by)
    )
    rows: dict[int, list[Row[Any]]] = {}
    for row in db.execute(grouped):
        rows.setdefault(row.broadcast_id, []).append(row)
    ends = {one.id: [r.held_until for r in rows.get(one.id, ()) if r.held_until is not None] for one in found}
    return [
        replace(
            one,
            counts=_count(rows.get(one.id, ())),
            held_until=max(ends[one.id], default=None) if one.status != "paused" else None,
            spent=_sum([r for r in rows.get(one.id, ()) if r.status]),
        )
        for one in found
    ]


def _count(rows: Sequence[Row[Any]]) -> Counts:
    counted = Counter[str]()
    for row in rows:
        counted["skipped" if row.skipped or row.status is None else _COUNTED.get(row.status, "queued")] += row.n
    return Counts(**counted)


def _sum(rows: Sequence[Row[Any]]) -> Spent:
    """Of groups of messages."""
    told: dict[str, tuple[int, int]] = {}
    billed: Counter[str] = Counter()
    for row in rows:
        if row.price_currency is not None:
            amount, count = told.get(row.price_currency, (0, 0))
            told[row.price_currency] = (amount + int(row.amount), count + row.priced)
        if row.is_billable:
            billed[row.billed_as or ""] += row.n
    is_whole = bool(rows) and all(row.estimated == row.n for row in rows)
    return Spent(
        estimate=sum(int(row.estimate) for row in rows) if is_whole else None,
        told=told,
        billed=dict(billed),
        free=sum(row.n for row in rows if row.is_billable is False),
    )


def estimate(plan: Plan, one: Reached, words: str, *, measure: Measure, prices: Prices) -> int | None:
    """What a message will cost by the price list, in millionths; None when a price is missing there."""
    price = _price(prices, plan.channel, one.address)
    if price is None:
        return None
    return round(price * (measure(words).parts if plan.channel == "sms" else 1) * 1_000_000)


def _price(prices: Prices, channel: str, address: str) -> float | None:
    if not prices:
        return None
    return prices.get((channel, phone.region_of(address, "*")), prices.get((channel, "*")))


def _written(value: attributes.Value) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _get(db: Db, broadcast_id: int) -> Broadcast:
    return _tallied(db, [_one(db.execute(_BROADCAST.where(_t.id == broadcast_id)).one())])[0]


_BROADCAST = select(table, accounts.c.uid.label("channel_uid")).join(accounts, accounts.c.id == _t.account_id)


def _one(found: Row[Any]) -> Broadcast:
    return Broadcast(
        id=found.id,
        uid=found.uid,
        name=found.name,
        channel_uid=found.channel_uid,
        text=found.text,
        template=found.template,
        audience=found.audience,
        replies=found.replies or {"to": "bot"},
        status=found.status,
        paused_for=None if found.paused_for is None else Refusal(found.paused_for, found.paused_text or ""),
        counts=Counts(),
        held_until=None,
        spent=Spent(),
        scheduled_at=found.scheduled_at,
        local_at=found.local_at,
        relative=found.relative,
        started_at=found.started_at,
        finished_at=found.finished_at,
        created_at=found.created_at,
        updated_at=found.updated_at,
    )


_m = messages.c
_REPLIES = Prepared(
    select(_t.replies, _t.name)
    .join(conversations, conversations.c.id == bindparam("conversation_id"))
    .where(
        _t.id == bindparam("broadcast_id"),
        _t.replies.is_not(None),
        conversations.c.broadcast_at >= bindparam("since"),
    )
)
_COME_TO = Prepared(
    update(table)
    .where(_t.id == bindparam("broadcast"), _t.status == "sending", _t.reached_id == bindparam("before"))
    .values(reached_id=bindparam("to"))
)
_NOTE = Prepared(insert(recipients))
_LEAVES = Prepared(
    update(conversations)
    .where(
        conversations.c.id.in_(select(_m.conversation_id).where(_m.id == bindparam("message_id"))),
    )
    .values(
        broadcast_id=select(_t.id)
        .join(recipients, _r.broadcast_id == _t.id)
        .where(_r.message_id == bindparam("message_id"), _t.replies.is_not(None))
        .limit(1)
        .scalar_subquery(),
        broadcast_at=bindparam("left_at"),
    )
)
