"""What we hold of a person: all of it on paper, and none of it any more.

Which rows those are follows from the tables themselves: a row is theirs when it points at the customer, or else at
something that is theirs. A table that is added later is found without being named here.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import (
    JSON,
    Column,
    ColumnElement,
    Row,
    String,
    Table,
    Text,
    and_,
    cast,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    text,
    update,
)

from desk import audit, consent, consents, customer_book, events, files, leftovers, live, recordings, refs, segments
from desk.consent import Marks
from desk.customer_book import NOUN, Entry
from desk.errors import NotFound, WrongState
from desk.events import rfc3339
from desk.refs import Ref
from desk.who import Actor
from storage.base import Db, JsonValue, metadata
from storage.models import customers as customer_models
from storage.models.audit import audit as audit_table
from storage.models.audit import idempotency
from storage.models.calendar import appointments, claims, waitlist
from storage.models.calls import recordings as recording_table
from storage.models.conversations import conversations, messages, outbox
from storage.models.customers import consent_events, customer_identities, customers
from storage.models.files import files as file_table
from storage.models.jobs import jobs
from storage.models.webhooks import webhook_deliveries
from storage.models.work import invoice_lines, transfers

_WORDS: Final = 100  # columns from this length on can hold somebody's words; shorter ones hold kinds and states
_LONG: Final = 8  # a name from this length on is looked for everywhere, a shorter one only where it stands alone
_MOST_CONVERSATIONS: Final = 200

# Long columns without anything of the customer's, and numbers that others go by.
_KEPT: Final = frozenset(
    {
        "conversations.peer",  # has become a number of ours by then
        "messages.provider_id",  # the same message must not be taken twice
        "messages.dedupe",
        "outbox.part_ids",
        "flow_runs.trail",  # names of states
        "invoice_lines.description",  # books are kept; a line that names the customer is emptied
    }
)
# Rows without words of their own.
_NOT_TOLD: Final = frozenset({"claims", "conversation_labels", "mentions", "outbox", "participants", "reads"})
_CUSTOMER: Final[Mapping[str, Any]] = MappingProxyType(
    {
        **dict.fromkeys(("name", "profile_name", "email", "phone", "language", "time_zone")),
        **dict.fromkeys(("address", "city", "state", "zip")),
        "notes": "",
        "status": segments.ERASED,
        "attributes": {},
        "tags": [],
    }
)


@dataclass(frozen=True, slots=True)
class Gone:
    """`files`: transfers whose files may name who was erased."""

    files: Sequence[str]


@dataclass(frozen=True, slots=True)
class _Traces:
    """`rows` are the customer's and those merged into it. `theirs` says which rows of each table are theirs; `words` is
    what gives them away in a row that is somebody else's.
    """

    tenant_id: int
    rows: Sequence[Row[Any]]
    addresses: Sequence[tuple[str, str]]
    theirs: Mapping[Table, ColumnElement[bool]]
    words: Sequence[str]

    def mentioned(self, *columns: Column[Any]) -> ColumnElement[bool]:
        """Rows with one of the words in one of these columns."""
        return or_(*(cast(column, Text).contains(word, autoescape=True) for column in columns for word in self.words))

    def are_in(self, value: JsonValue) -> bool:
        said = json.dumps(value, ensure_ascii=False)
        return any(word in said for word in self.words)


def export(db: Db, who: Actor, ref: Ref, *, may_hear: bool = True) -> tuple[Entry, dict[str, list[dict[str, Any]]]]:
    """The customer, and every row that is theirs or mentions them, by table. Without `may_hear` the notes that recordings of
    calls stand in do not say where those lie.

    Raises: NotFound
    """
    row = customer_book.row_of(db, who, ref)
    traces = _traces(db, row)
    found = {
        table.name: rows
        for table, where in traces.theirs.items()
        if table.name not in _NOT_TOLD and (rows := _shown(db, table, where))
    }
    if not may_hear:
        f = file_table.c
        notes = select(messages.c.uid).join(file_table, f.message_id == messages.c.id).where(f.is_recording.is_(True))
        private = set(db.execute(notes.where(traces.theirs[file_table])).scalars())
        for line in found.get(messages.name, ()):
            if line["uid"] in private:
                line["content"] = None
    at = consents.at
    theirs_too: Mapping[Table, ColumnElement[bool]] = {
        customer_models.consents: at(customer_models.consents.c, traces.addresses),
        consent_events: or_(traces.theirs[consent_events], at(consent_events.c, traces.addresses)),
        audit_table: or_(_about(traces), traces.mentioned(audit_table.c.before, audit_table.c.after)),
        webhook_deliveries: traces.mentioned(webhook_deliveries.c.body),
        idempotency: traces.mentioned(idempotency.c.body),
        transfers: traces.mentioned(transfers.c.options, transfers.c.problems),
    }
    for table, where in theirs_too.items():
        if rows := _shown(db, table, and_(table.c.tenant_id == row.tenant_id, where)):
            found[table.name] = rows
    if waiting := _jobs(db, traces):
        found[jobs.name] = [_plain(jobs, job) for job in waiting]
    return customer_book.entries(db, [row])[0], found


def remove(db: Db, who: Actor, ref: Ref, *, marks: Marks, now: datetime) -> Gone:
    """The customer is gone; where something points at them, everything personal is erased instead (`erase`).

    Raises: NotFound, WrongState
    """
    row = _wanted(db, who, ref)
    pointing = [
        (table, column)
        for table in metadata.sorted_tables
        for column in table.columns
        if column.references(customers.c.id) and table is not customer_identities
    ]
    if any(
        db.execute(select(table.c[column.name]).where(column == row.id).limit(1)).first() for table, column in pointing
    ):
        return erase(db, who, ref, marks=marks, now=now)
    traces = _traces(db, row)
    _forget_mentions(db, traces)
    db.execute(delete(customers).where(customers.c.id == row.id))
    return _told(db, who, row, "customer.deleted", now=now)


def erase(db: Db, who: Actor, ref: Ref, *, marks: Marks, now: datetime) -> Gone:
    """Everything personal is gone, wherever it stood; what happened remains, without a name. Nothing is sent any more, and
    what they refused stays refused: of their addresses `marks` are kept, which name them to nobody.

    Raises: NotFound, WrongState
    """
    row = _wanted(db, who, ref)
    traces = _traces(db, row)
    ids = [one.id for one in traces.rows]
    # Whoever is in the middle of a turn comes first, and whoever comes later finds the conversation gone.
    talks = db.execute(
        select(conversations.c.id).where(traces.theirs[conversations]).order_by(conversations.c.id).with_for_update()
    )
    conversation_ids = talks.scalars().all()
    _forget_jobs(db, traces)
    _silence(db, traces, now=now)
    recordings.erase(db, traces.theirs[recording_table], now=now)
    files.erase(db, row.tenant_id, traces.theirs[file_table], now=now)
    leftovers.forget(db, row.tenant_id, traces.theirs[messages], now=now)
    for table, where in traces.theirs.items():
        if table is not customers and (values := _emptied(table)):
            db.execute(update(table).where(where).values(values))
    _forget_addresses(db, traces, marks=marks, now=now)
    _forget_mentions(db, traces)
    db.execute(delete(claims).where(traces.theirs[claims], claims.c.appointment_id.is_(None)))
    left = waitlist.c.status.in_(("waiting", "offered"))
    db.execute(update(waitlist).where(traces.theirs[waitlist], left).values(status="left", offer_expires_at=None))
    db.execute(update(customers).where(customers.c.id.in_(ids)).values(**_CUSTOMER, updated_at=now))
    if db.dialect.name == "sqlite":
        # What was deleted lives on in the index of words until its parts are merged.
        db.execute(text("INSERT INTO message_search (message_search) VALUES ('optimize')"))
    for conversation_id in conversation_ids:
        live.changed(db, who.tenant_id, conversation_id, "conversation", detail="closed")
    return _told(db, who, row, "customer.erased", now=now)


def _wanted(db: Db, who: Actor, ref: Ref) -> Row[Any]:
    """The customer, locked. One that was merged into another is no longer anybody.

    Raises: NotFound, WrongState
    """
    row = refs.row(db, customers, who, ref, NOUN, lock=True)
    if row.status == segments.ERASED:
        raise NotFound(NOUN, ref)
    if row.merged_into_id is not None:
        raise WrongState(NOUN, row.id, "merged", "This customer was merged into another one; remove that one instead.")
    return row


def _told(db: Db, who: Actor, row: Row[Any], action: str, *, now: datetime) -> Gone:
    """Whoever listens is told, and files that may name them are given up."""
    audit.record(db, who, action, NOUN, row.id, None, None, now, uid=row.uid)
    events.emit(db, who.tenant_id, "customer.deleted", {"customer_id": row.uid}, now=now)
    exports = transfers.c.tenant_id == who.tenant_id, transfers.c.kind == "export", transfers.c.status != "failed"
    values = {"status": "failed", "error": "A customer was erased meanwhile; start it again.", "finished_at": now}
    return Gone(db.execute(update(transfers).where(*exports).values(values).returning(transfers.c.uid)).scalars().all())


# -- What is theirs ----------------------------------------------------------------------------------------------------


def _traces(db: Db, row: Row[Any]) -> _Traces:
    signposts = db.execute(select(customers).where(customers.c.merged_into_id == row.id)).all()
    rows = [row, *signposts]
    theirs = _theirs([one.id for one in rows])
    i = customer_identities.c
    known_by = select(i.kind, i.value).where(theirs[customer_identities])
    addresses = [(one.kind, one.value) for one in db.execute(known_by)]
    peers = (
        select(conversations.c.uid, conversations.c.peer)
        .where(theirs[conversations])
        .order_by(conversations.c.id.desc())
        .limit(_MOST_CONVERSATIONS)
    )
    words: dict[str, None] = {}
    for one in rows:
        words |= dict.fromkeys((one.uid, *filter(None, (one.email, one.phone))))
        for name in filter(None, (one.name, one.profile_name)):
            words |= dict.fromkeys((name, _quoted(name)[1:-1]) if len(name) >= _LONG else (_quoted(name),))
    words |= {value: None for _, value in addresses}
    for talk in db.execute(peers):
        words |= dict.fromkeys((talk.uid, talk.peer))
    return _Traces(row.tenant_id, rows, addresses, theirs, [word for word in words if len(word) > 3])


def _theirs(ids: Sequence[int]) -> dict[Table, ColumnElement[bool]]:
    """Which rows of every table belong to these customers."""
    found: dict[Table, ColumnElement[bool]] = {customers: customers.c.id.in_(ids)}
    for table in metadata.sorted_tables:
        if table in found:
            continue
        direct = [column for column in table.columns if column.references(customers.c.id)]
        by_way = [
            column.in_(select(parent.c.id).where(where))
            for parent, where in found.items()
            if "id" in parent.c and parent is not customers
            for column in table.columns
            if column.references(parent.c.id)
        ]
        if direct:
            found[table] = or_(*(column.in_(ids) for column in direct))
        elif by_way:
            found[table] = or_(*by_way)
    return found


def _about(traces: _Traces) -> ColumnElement[bool]:
    """Lines of the audit about the customer or something of theirs."""
    a = audit_table.c
    nouns = {"customer": customers, "conversation": conversations, "appointment": appointments}
    nouns |= {table.name.removesuffix("s"): table for table in traces.theirs if table.name in _AUDITED}
    return or_(
        *(
            and_(a.noun == noun, a.noun_id.in_(select(table.c.id).where(traces.theirs[table])))
            for noun, table in nouns.items()
        )
    )


_AUDITED = frozenset({"deals", "service_requests", "messages", "invoices", "ratings"})


def _jobs(db: Db, traces: _Traces) -> list[Row[Any]]:
    """Jobs for something of theirs, or with words about them."""
    ids = {
        f"{table.name.removesuffix('s')}_id": set(db.execute(select(table.c.id).where(traces.theirs[table])).scalars())
        for table in (customers, conversations, messages, appointments)
    }
    ids["waitlist_id"] = set(db.execute(select(waitlist.c.id).where(traces.theirs[waitlist])).scalars())
    rows = db.execute(select(jobs).where(jobs.c.tenant_id == traces.tenant_id))
    return [
        job
        for job in rows
        if any(job.payload.get(name) in those for name, those in ids.items()) or traces.are_in(job.payload)
    ]


def _shown(db: Db, table: Table, where: ColumnElement[bool]) -> list[dict[str, Any]]:
    rows = db.execute(select(table).where(where).order_by(*table.primary_key.columns))
    return [_plain(table, row) for row in rows]


def _plain(table: Table, row: Row[Any]) -> dict[str, Any]:
    """A row as JSON, without our own numbers."""
    hidden = {"tenant_id", "digest", "request_digest", "secrets", "lease", "actor_id", "noun_id"}
    numbers = {column.name for column in table.columns if column.primary_key or column.foreign_keys}
    return {
        str(name): _json(value) for name, value in row._mapping.items() if name not in hidden and name not in numbers
    }


def _json(value: Any) -> Any:
    if isinstance(value, datetime):
        return rfc3339(value)
    return value.isoformat() if isinstance(value, date) else value


def _quoted(word: str) -> str:
    return json.dumps(word, ensure_ascii=False)


# -- Forgetting --------------------------------------------------------------------------------------------------------


def _emptied(table: Table) -> dict[str, Any]:
    """Every column that can hold somebody's words, empty."""
    values: dict[str, Any] = {}
    for column in table.columns:
        if column.primary_key or column.foreign_keys or column.unique or f"{table.name}.{column.name}" in _KEPT:
            continue
        if isinstance(column.type, JSON):
            values[column.name] = None if column.nullable else {}
        elif isinstance(column.type, String) and (column.type.length is None or column.type.length >= _WORDS):
            values[column.name] = None if column.nullable else ""
    if table is consent_events:
        values |= {"kind": segments.ERASED, "value": segments.ERASED}
    return {} if table is customer_identities else values


def _silence(db: Db, traces: _Traces, *, now: datetime) -> None:
    """Nothing that waits goes out, and no conversation goes on."""
    mine = select(messages.c.id).where(traces.theirs[messages])
    waits = outbox.c.message_id.in_(mine), outbox.c.state.in_(("ready", "sending", "parked"))
    db.execute(update(outbox).where(*waits).values(state="refused"))
    unsent = messages.c.direction == "out", messages.c.status.in_(("queued", "scheduled", "held", "parked"))
    refused = {"status": "refused", "error_code": segments.ERASED, "scheduled_for": None}
    db.execute(update(messages).where(traces.theirs[messages], *unsent).values(refused))
    nothing = ("bot_id", "owner_user_id", "flow", "silence_due_at", "flow_expires_at", "snoozed_until", "waiting_since")
    over: dict[str, Any] = dict.fromkeys((*nothing, *(c.name for c in conversations.c if c.name.startswith("sla_"))))
    db.execute(
        update(conversations)
        .where(traces.theirs[conversations])
        .values(
            **over,
            owner="bot",
            owner_version=conversations.c.owner_version + 1,
            status="closed",
            closed_at=func.coalesce(conversations.c.closed_at, now, type_=conversations.c.closed_at.type),
            unread_count=0,
            peer_kind=segments.ERASED,
            peer=literal(f"{segments.ERASED}-").concat(cast(conversations.c.id, String)),
        )
    )


def _forget_addresses(db: Db, traces: _Traces, *, marks: Marks, now: datetime) -> None:
    """Nobody is found by them any more. What is left of each conversation has refused everything, for good."""
    consent.outlive(db, traces.addresses, tenant_id=traces.tenant_id, marks=marks)
    event = consent_events.c
    theirs = event.tenant_id == traces.tenant_id, consents.at(event, traces.addresses)
    db.execute(update(consent_events).where(*theirs).values(kind=segments.ERASED, value=segments.ERASED, note=""))
    db.execute(delete(customer_identities).where(traces.theirs[customer_identities]))
    c = conversations.c
    refused = select(
        c.tenant_id, c.account_id, c.peer_kind, c.peer, literal("all"), literal("out"), literal(now, c.created_at.type)
    ).where(traces.theirs[conversations])
    names = ["tenant_id", "account_id", "kind", "value", "purpose", "state", "since"]
    db.execute(insert(customer_models.consents).from_select(names, refused))


def _forget_jobs(db: Db, traces: _Traces) -> None:
    for job in _jobs(db, traces):
        # One that is running finds out by itself, unless it carries words; then its lease is gone with it.
        if job.status != "running" or traces.are_in(job.payload):
            db.execute(delete(jobs).where(jobs.c.id == job.id))


def _forget_mentions(db: Db, traces: _Traces) -> None:
    """Rows that are not theirs and still tell of them."""
    of_tenant = traces.tenant_id
    a, w, i, t = audit_table.c, webhook_deliveries.c, idempotency.c, transfers.c
    told = or_(_about(traces), traces.mentioned(a.before, a.after))
    db.execute(update(audit_table).where(a.tenant_id == of_tenant, told).values(before=None, after=None))
    db.execute(delete(idempotency).where(i.tenant_id == of_tenant, traces.mentioned(i.body)))
    db.execute(
        update(transfers)
        .where(t.tenant_id == of_tenant, traces.mentioned(t.options, t.problems))
        .values(options={}, problems=[])
    )
    lines = traces.theirs[invoice_lines], traces.mentioned(invoice_lines.c.description)
    db.execute(update(invoice_lines).where(*lines).values(description=""))
    since = min(row.created_at for row in traces.rows)
    mentions = w.tenant_id == of_tenant, w.created_at >= since, traces.mentioned(w.body)
    for delivery in db.execute(select(w.id, w.status, w.body).where(*mentions)).all():
        values: dict[str, Any] = {"body": {**delivery.body, "data": {}}, "response_excerpt": None, "error": None}
        if delivery.status == "waiting":
            values |= {"status": "blocked", "next_attempt_at": None}
            db.execute(delete(jobs).where(jobs.c.dedupe == f"webhook:{delivery.id}"))
        db.execute(update(webhook_deliveries).where(w.id == delivery.id).values(**values))
