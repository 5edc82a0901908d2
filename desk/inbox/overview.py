"""Conversations as the inbox lists them: who it is, who talks, what was said last, what is unread and what is late."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, case, func, or_, select

from desk import customer_book, refs, revisions
from desk.calendar import appointments
from desk.calendar.appointments import Appointment
from desk.conversations import IS_OUT, OWN_CONSENT
from desk.errors import NotFound
from desk.inbox import reads, search
from desk.listing import Found, Window, contains, page
from desk.refs import Ref
from desk.who import Actor
from storage.base import Db, JsonValue
from storage.models import customers as customer_models
from storage.models.accounts import accounts
from storage.models.businesses import businesses
from storage.models.conversations import conversations, messages, owner_changes
from storage.models.inbox import conversation_labels, labels, participants, teams
from storage.models.tenants import users

_EXCERPT = 200  # characters of the last message

customers = customer_models.customers


@dataclass(frozen=True, slots=True)
class Label:
    uid: str
    name: str
    color: str


@dataclass(frozen=True, slots=True)
class Last:
    """What was said last between customer and business; notes do not count."""

    uid: str
    text: str
    direction: str
    author: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Entry:
    """A conversation in a list. `assignee_*` is the person who has the word; `unread` counts for whoever asks. `is_out`: they
    want nothing written there.
    """

    id: int
    uid: str
    channel: str
    account_id: int
    account_uid: str
    business_uid: str
    customer_id: int
    customer_uid: str
    customer_name: str | None
    customer_phone: str | None
    customer_email: str | None
    peer_kind: str
    peer: str
    status: str
    language: str | None
    owner: str
    owner_version: int
    owner_since: datetime
    assignee_id: int | None
    assignee_uid: str | None
    assignee_name: str | None
    team_uid: str | None
    team_name: str | None
    priority: str | None
    snoozed_until: datetime | None
    sla_kind: str | None
    sla_due_at: datetime | None
    sla_warned_at: datetime | None
    sla_breached_at: datetime | None
    waiting_since: datetime | None
    first_answered_at: datetime | None
    last_in_at: datetime | None
    last_out_at: datetime | None
    closed_at: datetime | None
    created_at: datetime
    provider: str
    is_out: bool
    labels: tuple[Label, ...] = ()
    unread: int = 0
    last: Last | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which conversations; None leaves a filter out. `assignee` also takes `me` and `none`, `team` takes `none`."""

    status: Sequence[str] = ()
    owner: Sequence[str] = ()
    assignee: str | None = None
    team: str | None = None
    label: Ref | None = None
    priority: str | None = None
    channel: str | None = None
    account: Ref | None = None
    customer: Ref | None = None
    business: Ref | None = None
    unread: bool | None = None
    snoozed: bool | None = None
    breached: bool | None = None
    search: str | None = None


@dataclass(frozen=True, slots=True)
class Participant:
    uid: str
    full_name: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Details:
    """One conversation with what a person wants to know before answering.

    `handoff_note` is the bot's summary of why a person is wanted. `scenario` and `state` are where the bot is, and
    `slots` what it knows so far, in words.
    """

    entry: Entry
    handoff_reason: str | None
    handoff_note: str
    participants: tuple[Participant, ...]
    visits: tuple[Appointment, ...]
    scenario: str | None
    state: str | None
    slots: tuple[tuple[str, str], ...] = field(default=())


@dataclass(frozen=True, slots=True)
class OwnerChange:
    owner: str
    user_uid: str | None
    user_name: str | None
    reason: str
    note: str
    at: datetime


def find(db: Db, who: Actor, window: Window, wanted: Wanted) -> Found[Entry]:
    """The tenant's conversations, the last active first. `total` is exact.

    With `search`: those whose customer's name or address has the text in it, or in whose newest matching messages all
    its words are (`search.conversation_ids`).

    Raises: NotFound, for a filter by something that is not there
    """
    # Only the numbers first: what is shown of a page need not be gathered for all that are counted and sorted.
    rows = _filtered(db, who, wanted)
    is_dear = bool(wanted.search)
    found = page(db, rows, window, _number, sorts=_SORTS, by="-last_activity_at", tie=_c.id, is_dear=is_dear)
    shown = db.execute(_ENTRIES.where(_c.id.in_(found.items), _c.tenant_id == who.tenant_id)).all()
    place = {conversation_id: place for place, conversation_id in enumerate(found.items)}
    return Found(_complete(db, who, sorted(shown, key=lambda row: place[row.id])), found.total)


def get(db: Db, who: Actor, ref: Ref) -> Entry:
    """Raises: NotFound"""
    return by_id(db, who, refs.id_of(db, conversations, who, ref, "conversation"))


def by_id(db: Db, who: Actor, conversation_id: int) -> Entry:
    """The same by our own number, which news of a change carry.

    Raises: NotFound
    """
    row = db.execute(_ENTRIES.where(_c.id == conversation_id, _c.tenant_id == who.tenant_id)).one_or_none()
    if row is None:
        raise NotFound("conversation", conversation_id)
    return _complete(db, who, [row])[0]


def details(db: Db, who: Actor, ref: Ref, *, now: datetime) -> Details:
    """Raises: NotFound"""
    entry = get(db, who, ref)
    handoff = db.execute(
        select(owner_changes.c.reason, owner_changes.c.note)
        .where(owner_changes.c.conversation_id == entry.id, owner_changes.c.owner == "queue")
        .order_by(owner_changes.c.id.desc())
        .limit(1)
    ).one_or_none()
    there = (
        select(users.c.uid, users.c.full_name, participants.c.since)
        .join(users, users.c.id == participants.c.user_id)
        .where(participants.c.conversation_id == entry.id)
        .order_by(participants.c.since, users.c.id)
    )
    flow = db.execute(select(_c.flow).where(_c.id == entry.id)).scalar_one()
    scenario, state, slots = _place(flow)
    return Details(
        entry=entry,
        handoff_reason=handoff.reason if handoff else None,
        handoff_note=handoff.note if handoff else "",
        participants=tuple(Participant(*row) for row in db.execute(there)),
        visits=tuple(appointments.upcoming(db, who, customer_id=entry.customer_id, now=now)),
        scenario=scenario,
        state=state,
        slots=slots,
    )


def owners(db: Db, who: Actor, ref: Ref) -> list[OwnerChange]:
    """Who had the word, from the first change on.

    Raises: NotFound
    """
    h = owner_changes.c
    wanted = (
        select(h.owner, users.c.uid, users.c.full_name, h.reason, h.note, h.at)
        .select_from(owner_changes.outerjoin(users, users.c.id == h.owner_user_id))
        .where(h.conversation_id == refs.id_of(db, conversations, who, ref, "conversation"))
        .order_by(h.id)
    )
    return [OwnerChange(*row) for row in db.execute(wanted)]


def may_see(db: Db, who: Actor, ref: Ref) -> int:
    """Our number of the conversation, for whoever wants to look on.

    Raises: NotFound
    """
    return refs.id_of(db, conversations, who, ref, "conversation")


def _filtered(db: Db, who: Actor, wanted: Wanted) -> Select[Any]:
    found = select(_c.id).where(_c.tenant_id == who.tenant_id)
    if wanted.status:
        found = found.where(_c.status.in_(wanted.status))
    if wanted.owner:
        found = found.where(_c.owner.in_(wanted.owner))
    if wanted.assignee is not None:
        found = found.where(_is_assigned(db, who, wanted.assignee))
    if wanted.team == "none":
        found = found.where(_c.team_id.is_(None))
    elif wanted.team is not None:
        found = found.where(_c.team_id == refs.id_of(db, teams, who, wanted.team, "team"))
    if wanted.label is not None:
        label_id = refs.id_of(db, labels, who, wanted.label, "label")
        l = conversation_labels.c  # noqa: E741
        found = found.where(_c.id.in_(select(l.conversation_id).where(l.label_id == label_id)))
    if wanted.priority is not None:
        found = found.where(_c.priority.is_(None) if wanted.priority == "none" else _c.priority == wanted.priority)
    if wanted.channel is not None:
        found = found.where(_c.channel == wanted.channel)
    for ref, table, column, noun in (
        (wanted.account, accounts, _c.account_id, "channel"),
        (wanted.business, businesses, _c.business_id, "business"),
    ):
        if ref is not None:
            found = found.where(column == refs.id_of(db, table, who, ref, noun))
    if wanted.customer is not None:
        found = found.where(_c.customer_id == customer_book.row_of(db, who, wanted.customer).id)
    if wanted.unread is not None:
        is_unread = reads.is_unread(who)
        found = found.where(is_unread if wanted.unread else ~is_unread)
    if wanted.snoozed is not None:
        found = found.where(_c.status == "snoozed" if wanted.snoozed else _c.status != "snoozed")
    if wanted.breached is not None:
        found = found.where(_c.sla_breached_at.is_not(None) if wanted.breached else _c.sla_breached_at.is_(None))
    if wanted.search and (text := wanted.search.strip()):
        ids = search.conversation_ids(db, who, text)
        u = customers.c
        shown = contains(text, u.name, u.profile_name, u.email, u.phone)
        people = select(u.id).where(u.tenant_id == who.tenant_id, shown)
        found = found.where(or_(_c.customer_id.in_(people), contains(text, _c.peer), _c.id.in_(ids)))
    return found


def _number(row: Any) -> int:
    found: int = row.id
    return found


def _is_assigned(db: Db, who: Actor, assignee: str) -> Any:
    if assignee == "none":
        return _c.owner != "staff"
    if assignee == "me":
        return and_(_c.owner == "staff", _c.owner_user_id == who.user_id)
    return and_(_c.owner == "staff", _c.owner_user_id == refs.id_of(db, users, who, assignee, "user"))


def _complete(db: Db, who: Actor, rows: Sequence[Any]) -> list[Entry]:
    """With what stands in other tables, asked for all of them at once."""
    ids = [row.id for row in rows]
    unread, last, tags = reads.counts(db, who, ids), _last(db, ids), _labels(db, ids)
    return [
        replace(Entry(*row), labels=tags.get(row.id, ()), unread=unread.get(row.id, 0), last=last.get(row.id))
        for row in rows
    ]


def _last(db: Db, ids: Sequence[int]) -> dict[int, Last]:
    if not ids:
        return {}
    newest = (
        select(messages.c.id)
        .where(
            messages.c.conversation_id == _c.id,
            messages.c.is_private.is_(False),
            messages.c.status.not_in(("scheduled", "parked", "canceled")),
        )
        .order_by(messages.c.id.desc())
        .limit(1)
        .correlate(conversations)
        .scalar_subquery()
    )
    m = messages.c
    wanted = (
        select(
            m.conversation_id, m.uid, func.substr(m.text, 1, _EXCERPT), m.direction, m.author, m.created_at, m.content
        )
        .select_from(conversations.join(messages, m.id == newest))
        .where(_c.id.in_(ids))
    )
    return {
        conversation_id: Last(uid, text or revisions.notice(content), *rest)
        for conversation_id, uid, text, *rest, content in db.execute(wanted)
    }


def _labels(db: Db, ids: Sequence[int]) -> dict[int, tuple[Label, ...]]:
    if not ids:
        return {}
    wanted = (
        select(conversation_labels.c.conversation_id, labels.c.uid, labels.c.name, labels.c.color)
        .join(labels, labels.c.id == conversation_labels.c.label_id)
        .where(conversation_labels.c.conversation_id.in_(ids))
        .order_by(labels.c.name)
    )
    found: dict[int, tuple[Label, ...]] = {}
    for conversation_id, *rest in db.execute(wanted):
        found[conversation_id] = (*found.get(conversation_id, ()), Label(*rest))
    return found


def _place(flow: JsonValue) -> tuple[str | None, str | None, tuple[tuple[str, str], ...]]:
    """Scenario, state and what the slots say, out of what the bot keeps; it may be of a newer version than we know."""
    stack = flow.get("stack") if isinstance(flow, dict) else None
    level = stack[-1] if isinstance(stack, list) and stack else None
    run = level.get("run") if isinstance(level, dict) else None
    if not isinstance(run, dict):
        return None, None, ()
    slots = run.get("slots")
    said = [
        (str(name), str(held[1]))
        for name, held in (slots.items() if isinstance(slots, dict) else ())
        if isinstance(held, list) and len(held) == 2 and held[1]  # the value, and the words that say it
    ]
    return str(run.get("scenario")), str(run.get("node")), tuple(said)


_c = conversations.c
# The later of the two; NULL is older than anything.
_ACTIVE_AT = case(
    (and_(_c.last_out_at.is_not(None), or_(_c.last_in_at.is_(None), _c.last_out_at > _c.last_in_at)), _c.last_out_at),
    else_=func.coalesce(_c.last_in_at, _c.created_at, type_=_c.created_at.type),
)
_URGENCY = case({"low": 1, "normal": 2, "high": 3, "urgent": 4}, value=_c.priority, else_=2)
_SORTS = {
    "last_activity_at": _ACTIVE_AT,
    "created_at": _c.created_at,
    "owner_since": _c.owner_since,
    "waiting_since": _c.waiting_since,
    "sla_due_at": _c.sla_due_at,
    "priority": _URGENCY,
}
_ENTRIES: Select[*tuple[Any, ...]] = select(
    _c.id,
    _c.uid,
    _c.channel,
    _c.account_id,
    accounts.c.uid,
    businesses.c.uid,
    _c.customer_id,
    customers.c.uid,
    func.coalesce(customers.c.name, customers.c.profile_name),
    customers.c.phone,
    customers.c.email,
    _c.peer_kind,
    _c.peer,
    _c.status,
    _c.language,
    _c.owner,
    _c.owner_version,
    _c.owner_since,
    users.c.id,
    users.c.uid,
    users.c.full_name,
    teams.c.uid,
    teams.c.name,
    _c.priority,
    _c.snoozed_until,
    _c.sla_kind,
    _c.sla_due_at,
    _c.sla_warned_at,
    _c.sla_breached_at,
    _c.waiting_since,
    _c.first_answered_at,
    _c.last_in_at,
    _c.last_out_at,
    _c.closed_at,
    _c.created_at,
    accounts.c.provider,
    IS_OUT,
).select_from(
    conversations.join(accounts, accounts.c.id == _c.account_id)
    .join(businesses, businesses.c.id == _c.business_id)
    .join(customers, customers.c.id == _c.customer_id)
    .outerjoin(users, and_(users.c.id == _c.owner_user_id, _c.owner == "staff"))
    .outerjoin(teams, teams.c.id == _c.team_id)
    .outerjoin(customer_models.consents, OWN_CONSENT)
)
