"""Messages that go out by a request of ours: the intent is written down before the request, the outcome after it.

A crash in between leaves the row `sending`; the next try asks the provider whether the message went out before it
sends again. A message is put here in the transaction that decided on it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, bindparam, delete, func, insert, or_, select, update

from channels import split
from channels.base import Adapter, Sent
from channels.errors import SendError
from channels.messages import Address, AddressKind, OutboundMessage
from channels.render import render
from desk import accounts as accounts_of
from desk import broadcasts, conversations, messages, sending
from desk.calendar.appointments import LIVE
from desk.verdicts import Held, Refusal, Use
from gateway.accounts import Account
from gateway.pipeline import parked, recipients, trouble
from storage import queue
from storage.base import Db
from storage.models.accounts import accounts
from storage.models.calendar import appointments
from storage.models.conversations import conversations as conversation_table
from storage.models.conversations import messages as message_table
from storage.models.conversations import outbox
from storage.models.jobs import jobs
from storage.prepared import Prepared

KIND = "send"

# Waits between tries: quick at first, for a hiccup, then long enough for an outage. After the last one it is dead.
RETRY_AFTER = tuple(timedelta(seconds=s) for s in (2, 10, 60, 300, 1800, 7200, 21600))
IN_LINE = timedelta(minutes=5)  # how long the next message of a conversation waits for one that is to be tried again
# How long a send is nobody else's business: longer than a look-up and a request may take at any provider.
_ON_ITS_WAY = timedelta(seconds=45)
LOOK_AGAIN = timedelta(seconds=1)  # while another process sends the one before
# When the provider is asked what became of a message of which it has not said so, counted from when it was sent.
ASK_AFTER = (timedelta(minutes=30), timedelta(hours=3), timedelta(hours=24))
ONCE_MORE = 2  # tries for trouble that may be passing or may not
# Tries of what the provider takes and then does not deliver: each of them is paid.
MOST_UNDELIVERED = 4
STALE = timedelta(hours=30)  # after that nobody waits for it any more; a daily limit is over by then
PAUSED = Refusal("channel_paused", "This channel is paused: only people write here.")
AGAIN = "It is tried again."
WENT_ON = "It did not arrive, and they have gone on talking since."
WAITS = "This channel is paused: it goes out when the channel is switched on before the visit."


Adapters = Mapping[tuple[str, str], Adapter]


def put(db: Db, account: Account, message_id: int, *, now: datetime, priority: int = 0) -> None:
    """Have the stored message `message_id` sent over `account`."""
    post(db, account.tenant_id, account.id, message_id, now=now, priority=priority)


def post(
    db: Db,
    tenant_id: int,
    account_id: int,
    message_id: int,
    *,
    now: datetime,
    run_at: datetime | None = None,
    priority: int = 0,
    earlier_ids: Collection[str] | None = None,
) -> None:
    """The same by the account's number, at `run_at` if it is to be later. What was tried before is tried afresh; the
    provider may still have news of it under its `earlier_ids`.
    """
    _FORGET(db, {"message_id": message_id})
    row = {"message_id": message_id, "account_id": account_id, "state": "ready", "created_at": now}
    _READY(db, {**row, "part_ids": earlier_ids and [*earlier_ids]})
    _enqueue(db, tenant_id, account_id, message_id, now=now, run_at=run_at, priority=priority)


def _enqueue(
    db: Db,
    tenant_id: int,
    account_id: int,
    message_id: int,
    *,
    now: datetime,
    run_at: datetime | None,
    priority: int,
) -> None:
    queue.enqueue(
        db,
        KIND,
        {"message_id": message_id, "conversation_id": _CONVERSATION(db, {"message_id": message_id}).scalar_one()},
        now=now,
        run_at=run_at,
        tenant_id=tenant_id,
        lane=accounts_of.lane(account_id),
        priority=priority,
        dedupe=_name(message_id),
        wakes=priority == 0,  # a campaign has thousands, and every worker would look each time
    )


def is_full(db: Db, account_id: int, *, most: int, now: datetime) -> bool:
    """Whether so many messages of campaigns are due over the account and wait for their turn."""
    due = (
        jobs.c.status == "ready",
        jobs.c.lane == accounts_of.lane(account_id),
        jobs.c.priority == 1,
        jobs.c.run_at <= now,
    )
    return len(db.execute(select(jobs.c.id).where(*due).limit(most)).all()) == most


def withdraw(db: Db, message_id: int) -> bool:
    """True when the message was still waiting and will not be sent; False when it is on its way."""
    if not queue.cancel(db, _name(message_id)):
        return False
    db.execute(delete(outbox).where(outbox.c.message_id == message_id))
    return True


def release(db: Db, tenant_id: int, account_id: int, conversation_id: int, *, now: datetime) -> int:
    """The customer has written: what was parked goes out, in the order in which it was said. How many that were."""
    waiting = parked.of(db, conversation_id)
    for message_id, is_told in waiting:
        moved = messages.set_off(db, message_id, is_told=is_told, now=now)
        post(db, tenant_id, account_id, moved, now=now)
    return len(waiting)


def earlier_ids(db: Db, message_id: int) -> list[str]:
    """All ids under which the provider has taken the message so far."""
    row = _UNDELIVERED(db, {"message_id": message_id}).one()
    return [*(row.part_ids or ()), *filter(None, (row.provider_id,))]


def among(db: Db, message_ids: Collection[int]) -> set[int]:
    """Those of the messages that go out by a request of ours."""
    wanted = select(outbox.c.message_id).where(outbox.c.message_id.in_(message_ids))
    return set(db.execute(wanted).scalars()) if message_ids else set()


def message_of(job: queue.Job) -> int:
    """The message that a job of this kind is to send."""
    return int(str(job.payload["message_id"]))


def _name(message_id: int) -> str:
    return f"send:{message_id}"


@dataclass(frozen=True, slots=True)
class Letter:
    """A message about to be sent. `tried_at` is when an earlier try with an unknown outcome began; `can_wait`: nobody has
    asked for it. `our_number` is the one of a pool that they wrote to last.
    """

    message: OutboundMessage
    account_id: int
    message_id: int
    to: Address
    tried_at: datetime | None
    can_wait: bool
    our_number: str | None


def begin(
    db: Db, job: queue.Job, adapters: Adapters, *, now: datetime, usual: sending.Policy = sending.USUAL
) -> Letter | None:
    """Write down that we are about to send; None when there is nothing to send now or any more (the job is done then).

    Whether we may speak is asked here once more, whoever put the message into the outbox and however long ago: it goes,
    is refused, or is held until we may. `usual` is what the settings say of that.
    """
    message_id = message_of(job)
    row = _LETTER(db, {"message_id": message_id}).one_or_none()
    if row is None or row.state not in ("ready", "sending"):
        queue.finish(db, job)
        return None
    if row.state == "sending" and row.provider_id is not None:
        _known(db, job, message_id)
        return None
    if row.part_ids and row.status == "held" and _went_on(row):  # unless a person wants it all the same
        _refuse(db, message_id, row.error_code or "", WENT_ON, state="undelivered")
        messages.tell_lost(db, message_id, now=now)
        queue.finish(db, job)
        return None
    if (at := _its_turn(db, job, row.conversation_id, message_id, now=now)) is not None:
        queue.again(db, job, at=at, error="waits for the one before", now=now, is_try=False)
        return None
    message = OutboundMessage.from_json(row.content) if row.content else OutboundMessage(row.text, reference=row.uid)
    window = sending.ALWAYS
    if message.template is None and (adapter := adapters.get((row.provider, row.channel))) is not None:
        window = sending.Window(adapter.capabilities.session_window_h, row.last_in_at)
    use: Use = row.use or "service"
    letter: dict[str, Any] = {"account_id": row.account_id, "kind": row.peer_kind, "value": row.peer}
    if row.begun_at is None:
        sending.count(db, **letter, use=use, now=now, usual=usual, by=0)
    rules = sending.RULES if row.begun_at is None else sending.AGAIN
    verdict = sending.may_send(
        db, **letter, use=use, now=now, usual=usual, message_id=message_id, window=window, rules=rules
    )
    if not row.is_active and row.author != "staff" and row.state == "ready":
        is_kept = use == "marketing" and not isinstance(verdict, Refusal) and row.appointment_id is None
        if is_kept and broadcasts.halt_with(db, message_id, broadcasts.CHANNEL_PAUSED, now=now):
            rules = (sending.still_wanted,)  # which now says how long it waits
            verdict = sending.may_send(db, **letter, use=use, now=now, usual=usual, message_id=message_id, rules=rules)
        else:
            verdict = PAUSED
    if row.appointment_id is not None and use != "marketing" and row.state == "ready":
        begins = _VISIT(db, {"visit": row.appointment_id, "sequence": row.appointment_sequence}).scalar_one_or_none()
        if begins is None or begins <= now:
            verdict = sending.VISIT_CHANGED if row.is_active else PAUSED
        elif verdict is PAUSED and accounts_of.is_paused(db, row.account_id):
            messages.hold(db, message_id, until=begins, code=PAUSED.code, text=WAITS)
            lane = accounts_of.waiting_lane(row.account_id)
            queue.wait(db, job, lane=lane, until=begins, payload=job.payload)
            return None
        elif verdict is PAUSED or job.lane == accounts_of.waiting_lane(row.account_id):
            messages.let_go(db, message_id)  # the channel serves again; from here on it keeps to its rate
            _enqueue(db, row.tenant_id, row.account_id, message_id, now=now, run_at=None, priority=0)
            queue.finish(db, job)
            return None
    if isinstance(verdict, Refusal):
        sending.alarm(db, **letter, refusal=verdict, now=now)
        if verdict.code == sending.WINDOW_CLOSED and parked.may_wait(row.author):
            parked.keep(db, message_id, verdict, is_told=row.status != "scheduled", now=now)
        else:
            _refuse(db, message_id, verdict.code, verdict.reason)
            if use == "marketing" and verdict is sending.VISIT_CHANGED:
                broadcasts.left_out(db, message_id, verdict.code)
        queue.finish(db, job)
        return None
    if isinstance(verdict, Held):
        messages.hold(db, message_id, until=verdict.until, code=verdict.code, text=verdict.reason)
        _enqueue(
            db,
            row.tenant_id,
            row.account_id,
            message_id,
            now=now,
            run_at=verdict.until,
            priority=int(use == "marketing"),
        )
        queue.finish(db, job)
        return None
    if row.status == "scheduled":
        post(db, row.tenant_id, row.account_id, messages.set_off(db, message_id, now=now), now=now)
        queue.finish(db, job)
        return None
    if row.status == "held":
        messages.let_go(db, message_id)
    if row.begun_at is None:
        sending.count(db, **letter, use=use, now=now, usual=usual)
    if use == "marketing":
        broadcasts.leaves(db, message_id, now=now)
    elif row.broadcast_id is not None and use != "legal":  # what they say next is said to this
        broadcasts.overtaken(db, row.conversation_id)
    # Who lost the lease while it waited must not send what somebody else is sending. On SQLite there is nobody else.
    if db.dialect.name == "postgresql" and not queue.extend(db, job, until=now + _ON_ITS_WAY):
        raise queue.LeaseLost(f"job {job.id} is somebody else's by now")
    _BEGUN(db, {"message": message_id, "at": now})
    if (parts := _parts(message, adapters.get((row.provider, row.channel)))) > 1:
        queue.spend(db, job.lane, parts - 1)
    kind: AddressKind = row.peer_kind
    return Letter(
        message=message,
        account_id=row.account_id,
        message_id=message_id,
        to=Address(kind, row.peer),
        tried_at=row.attempted_at if row.state == "sending" else None,
        can_wait=use == "marketing",
        our_number=row.our_number,
    )


def sent(db: Db, job: queue.Job, result: Sent, *, now: datetime) -> None:
    """The provider took it: keep its id, and any status that overtook us."""
    message_id = message_of(job)
    if (theirs := result.recipient) is not None:
        talk: int = _CONVERSATION(db, {"message_id": message_id}).scalar_one()
        conversations.is_called(db, talk, theirs.kind, theirs.value, now=now)
    come = messages.attach_provider_id(db, message_id, result.provider_id, result.status)
    is_told = result.status == "sent" or messages.is_final(come)  # the web chat and the simulator say no more than that
    _known(db, job, message_id, ask_at=None if is_told else ask_next(now, now=now))


def ask_next(sent_at: datetime, *, now: datetime) -> datetime | None:
    """When to ask next about a message that was sent then; None when it was asked about often enough."""
    return next((at for after in ASK_AFTER if (at := sent_at + after) > now), None)


def under_way(db: Db, conversation_id: int) -> list[tuple[int, str]]:
    """What is being sent there just now, with its words, and has no provider's id yet; the oldest first."""
    return [(row.id, row.text) for row in _UNDER_WAY(db, {"conversation_id": conversation_id})]


def failed(db: Db, job: queue.Job, error: SendError, *, now: datetime) -> None:
    """The provider did not take it: try again later, or give up and let people see why."""
    message_id = message_of(job)
    if error.kind == "unclear" and _TOLD(db, {"message_id": message_id}).scalar_one_or_none() is not None:
        _known(db, job, message_id)
        return
    tries = ONCE_MORE if error.kind == "retry_once" else len(RETRY_AFTER) + 1
    if error.kind != "unclear":  # it surely did not go out: no look-up before the next try
        db.execute(update(outbox).where(outbox.c.message_id == message_id).values(state="ready", attempted_at=None))
    if error.retryable and job.attempts < tries:
        wait = RETRY_AFTER[min(job.attempts, len(RETRY_AFTER)) - 1]
        if error.retry_after_s is not None:
            wait = timedelta(seconds=error.retry_after_s)
            queue.block_lane(db, job.lane, until=now + wait)
        queue.again(db, job, at=now + wait, error=str(error), now=now)
        return
    recipients.learn(db, message_id, error, now=now)
    if error.stops_channel:
        trouble.alarm(db, _ACCOUNT_OF(db, {"message_id": message_id}).scalar_one(), error, now=now)
    if trouble.holds(db, message_id, error, now=now):
        queue.again(db, job, at=now, error=str(error), now=now, is_try=False)  # and finds then that it is paused
        return
    if error.kind != "window" or not parked.keep_late(db, message_id, error, now=now):
        _refuse(db, message_id, error.code, error.text, state="failed")
        messages.tell_lost(db, message_id, now=now)
    queue.finish(db, job)


def send_again(db: Db, message_id: int, error: SendError, *, now: datetime) -> bool:
    """The provider has taken it and tells now that it did not arrive: True when it goes out once more, after a while.

    Only where it cannot arrive any more (`SendError.is_lost`), so that nobody gets it twice. An offer is not repeated, its
    result stands; nor is what the bot has said to somebody who has gone on talking.
    """
    row = _UNDELIVERED(db, {"message_id": message_id}).one()
    tries = row.attempts or 1  # what stood in a webhook's answer was never here
    if error.retry_after_s is not None:
        wait = timedelta(seconds=error.retry_after_s)
    else:
        wait = RETRY_AFTER[min(tries + 1, len(RETRY_AFTER) - 1)]  # at least a minute: networks are slower than we are
    is_over = error.retryable and error.is_lost and row.state in (None, "sent") and row.provider_id is not None
    is_left = tries < (ONCE_MORE if error.kind == "retry_once" else MOST_UNDELIVERED)
    if not (is_over and is_left) or row.use == "marketing" or _went_on(row) or now + wait > row.created_at + STALE:
        return False
    waits = {"state": "ready", "attempts": tries, "ask_at": None, "part_ids": earlier_ids(db, message_id)}
    if row.state is None:
        whose = {"message_id": message_id, "account_id": row.account_id, "created_at": now}
        db.execute(insert(outbox).values(**whose, **waits))
    elif not db.execute(
        update(outbox).where(outbox.c.message_id == message_id, outbox.c.state == "sent").values(**waits)
    ).rowcount:
        return False
    db.execute(update(message_table).where(message_table.c.id == message_id).values(provider_id=None))
    messages.hold(db, message_id, until=now + wait, code=error.code, text=f"{error.text} {AGAIN}")
    _enqueue(db, row.tenant_id, row.account_id, message_id, now=now, run_at=now + wait, priority=0)
    return True


def _went_on(row: Any) -> bool:
    """Whether the customer has said something since the bot said this to them."""
    return bool(row.author == "bot" and row.use is None and row.last_in_at and row.last_in_at > row.created_at)


def arrived_late(db: Db, message_id: int) -> None:
    """It has arrived after all, before it was sent once more: it is not, unless that is under way."""
    if queue.cancel(db, _name(message_id)):
        db.execute(update(outbox).where(outbox.c.message_id == message_id).values(state="sent"))
        messages.let_go(db, message_id)


def answered(db: Db, message_id: int) -> str | None:
    """The provider's id of the customer's message that this one is the first answer to; None when it answers nothing, or
    they have heard from us since.
    """
    said = _ASKED(db, {"message_id": message_id}).all()
    return None if not said or said[0].direction == "out" else said[0].provider_id


def _parts(message: OutboundMessage, adapter: Adapter | None) -> int:
    """As how many messages the provider counts it against the rate."""
    if adapter is None or not adapter.capabilities.priced_per_part:
        return 1
    return sum(split.count(piece.text).parts for piece in render(message, adapter.capabilities))


def _its_turn(db: Db, job: queue.Job, conversation_id: int, message_id: int, *, now: datetime) -> datetime | None:
    """When to look again, if a message before it is still to go out; None when nothing is in its way."""
    values = {"conversation_id": conversation_id, "message_id": message_id}
    before = [_name(row.message_id) for row in _BEFORE(db, values)]
    if not before:
        return None
    waiting = queue.fate(db, before, no_later_than=job)
    if not waiting:
        return None
    status, run_at = waiting[0]
    if status == "running":
        return now + LOOK_AGAIN
    return max(run_at, now) if run_at - now <= IN_LINE else None


def _known(db: Db, job: queue.Job, message_id: int, *, ask_at: datetime | None = None) -> None:
    """It went out, as we were answered or told."""
    _IS_OUT(db, {"message": message_id, "later": ask_at})
    queue.finish(db, job)


def _refuse(db: Db, message_id: int, code: str, text: str, *, state: str = "refused") -> None:
    """`refused` by us, `failed` at the provider or `undelivered` by it: people see the sentence beside the message."""
    messages.give_up(db, message_id, state, code=code, text=text)
    over = "refused" if state == "refused" else "failed"
    db.execute(update(outbox).where(outbox.c.message_id == message_id).values(state=over))


_FORGET = Prepared(delete(outbox).where(outbox.c.message_id == bindparam("message_id")))
_READY = Prepared(insert(outbox))
_IS_OUT = Prepared(
    update(outbox)
    .where(outbox.c.message_id == bindparam("message"))
    .values(state="sent", attempted_at=None, ask_at=bindparam("later"))
)
_BEGUN = Prepared(
    update(outbox)
    .where(outbox.c.message_id == bindparam("message"))
    # The first of several unclear tries counts: the look-up has to reach back to it, or it sends a second time.
    .values(
        state="sending",
        attempts=outbox.c.attempts + 1,
        attempted_at=func.coalesce(outbox.c.attempted_at, bindparam("at")),
        begun_at=bindparam("at"),
    )
)
_LETTER = Prepared(
    select(
        message_table.c.uid,
        message_table.c.text,
        message_table.c.content,
        message_table.c.account_id,
        message_table.c.conversation_id,
        message_table.c.provider_id,
        message_table.c.tenant_id,
        message_table.c.status,
        message_table.c.author,
        message_table.c.use,
        message_table.c.appointment_id,
        message_table.c.appointment_sequence,
        message_table.c.error_code,
        message_table.c.created_at,
        accounts.c.is_active,
        accounts.c.provider,
        accounts.c.channel,
        conversation_table.c.peer_kind,
        conversation_table.c.peer,
        conversation_table.c.our_number,
        conversation_table.c.last_in_at,
        conversation_table.c.broadcast_id,
        outbox.c.state,
        outbox.c.attempted_at,
        outbox.c.begun_at,
        outbox.c.part_ids,
    )
    .join(outbox, outbox.c.message_id == message_table.c.id)
    .join(conversation_table, conversation_table.c.id == message_table.c.conversation_id)
    .join(accounts, accounts.c.id == message_table.c.account_id)
    .where(message_table.c.id == bindparam("message_id"))
)
_VISIT = Prepared(
    select(appointments.c.starts_at).where(
        appointments.c.id == bindparam("visit"),
        appointments.c.sequence == bindparam("sequence"),
        appointments.c.status.in_(LIVE),
    )
)
_m = message_table.c
_UNDELIVERED = Prepared(
    select(
        *(_m.tenant_id, _m.account_id, _m.provider_id, _m.author, _m.use, _m.created_at),
        *(outbox.c.state, outbox.c.attempts, outbox.c.part_ids, conversation_table.c.last_in_at),
    )
    .join(conversation_table, conversation_table.c.id == _m.conversation_id)
    .outerjoin(outbox, outbox.c.message_id == _m.id)
    .where(_m.id == bindparam("message_id"))
)
_CONVERSATION = Prepared(select(_m.conversation_id).where(_m.id == bindparam("message_id")))
_UNDER_WAY = Prepared(
    select(_m.id, _m.text)
    .join(outbox, outbox.c.message_id == _m.id)
    .where(
        _m.conversation_id == bindparam("conversation_id"),
        _m.direction == "out",
        _m.provider_id.is_(None),
        outbox.c.state == "sending",
    )
    .order_by(_m.id)
)
_ACCOUNT_OF = Prepared(select(_m.account_id).where(_m.id == bindparam("message_id")))
_TOLD = Prepared(select(_m.provider_id).where(_m.id == bindparam("message_id")))
# Of the last few only: more than that nobody says at once.
_last = (
    select(_m.id, _m.status)
    .where(_m.conversation_id == bindparam("conversation_id"), _m.id < bindparam("message_id"), _m.direction == "out")
    .order_by(_m.id.desc())
    .limit(20)
    .subquery()
)
_BEFORE = Prepared(
    select(outbox.c.message_id)
    .join(_last, _last.c.id == outbox.c.message_id)
    .where(_last.c.status == "queued", outbox.c.state.in_(("ready", "sending")))
    .order_by(outbox.c.message_id)
)
# What was said before it, the last first: that of customers, and that of people and of the bot in answer to them.
_this = message_table.alias("this")
_is_answer = or_(_m.turn_id.is_not(None), _m.author == "staff")
_ASKED = Prepared(
    select(_m.direction, _m.provider_id)
    .join(_this, _this.c.conversation_id == _m.conversation_id)
    .where(
        _this.c.id == bindparam("message_id"),
        or_(_this.c.turn_id.is_not(None), _this.c.author == "staff"),
        _m.id < _this.c.id,
        _m.is_private.is_(False),
        or_(and_(_m.direction == "in", _m.status != messages.NOTED), _is_answer),
    )
    .order_by(_m.id.desc())
    .limit(1)
)
