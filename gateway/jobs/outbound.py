"""Phones of customers, dialled: never within a transaction, and never without the intent kept before."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, TypedDict

import structlog

from bots.bot import Cue
from channels.errors import SendError
from channels.voice.adapter import VoiceAdapter
from channels.voice.codec import ENDED
from desk import call_backs, conversations, outbound, sending
from desk.outbound import Attempt, Outbound
from desk.verdicts import ALLOWED, Held, Refusal
from desk.who import Actor
from gateway.accounts import Account
from gateway.context import House
from gateway.jobs import legs
from gateway.pipeline import turn
from storage import queue
from storage.base import Db
from storage.queue import Job

log = structlog.get_logger()

_LOOK_AGAIN: Final = timedelta(minutes=1)
_STALE: Final = timedelta(minutes=5)  # after which nobody expects to be called back to any more
_MOST_LOOKS: Final = 10  # at a call that goes on, before it is left to whoever asks for its price


class _Whom(TypedDict):
    account_id: int
    kind: str
    value: str


async def remind(house: House, job: Job) -> bool:
    """Whether the reminder goes by telephone: it is planned then, and the job done."""
    return await house.store.write(_remind, job, now=house.clock.now())


async def place(house: House, job: Job) -> None:
    """Let the phone ring, if it still may. After a crash it is looked up first whether it did."""
    call_id = int(str(job.payload["call_id"]))
    out = await house.store.read(outbound.of_call, call_id)
    line = None if out is None else await legs.line_of(house, out.call.account_id)
    if line is None:
        await house.store.write(_nowhere, job, call_id, now=house.clock.now())
        return
    account, adapter = line
    asked = await house.store.write(_placing, house, job, call_id, account, adapter, now=house.clock.now())
    if asked is None:
        return
    attempt, is_first, may_ring = asked
    doors, ring_s = f"{house.settings.server.public_url}{legs.DOORS}/out", house.settings.voice.ring_s
    is_ours = attempt.party == "staff"
    to, tried_at = attempt.phone or "", attempt.tried_at
    try:
        if may_ring:
            sid: str | None = await adapter.calls.dial(
                account.keys,
                to,
                sender=account.address,
                url=f"{doors}{'/staff' if is_ours else ''}?attempt={attempt.uid}",
                status_url=f"{doors}{'/staff' if is_ours else ''}/status?attempt={attempt.uid}",
                ring_s=ring_s,
                tried_at=None if is_first else tried_at,
                detected_url="" if is_ours else f"{doors}/detected?attempt={attempt.uid}",
            )
        else:  # so long ago that it must not ring any more; but it may have rung then
            sid = await adapter.calls.made_since(account.keys, to, sender=account.address, tried_at=tried_at)
    except SendError as error:
        log.warning("call not placed", attempt=attempt.uid, code=error.code, why=error.text, attempts=job.attempts)
        if error.retryable and job.attempts < legs.MOST_TRIES:
            at = house.clock.now() + legs.AGAIN
            await house.store.write(queue.again, job, at=at, error=error.text, now=house.clock.now())
            return
        sid = None
    if sid is None:
        await house.store.write(_finished, job, _not_placed(house, attempt.id))
    else:
        await house.store.write(_finished, job, _placed(house, attempt.id, sid, ring_s))


async def due(house: House, job: Job) -> None:
    """See to an attempt of which nobody has told us the end."""
    found = await house.store.read(outbound.running, int(str(job.payload["attempt_id"])))
    line = None if found is None else await legs.line_of(house, found[0].call.account_id)
    is_talk = found is not None and found[1].state == "talking" and found[1].party == "customer"
    if found is None or line is None or found[1].sid is None or is_talk:
        await house.store.write(queue.finish, job)
        return
    (out, attempt), (account, adapter) = found, line
    sid = attempt.sid or ""
    try:
        told = await adapter.calls.fetch(account.keys, sid)
    except SendError as error:
        await _look_again(house, job, error.text)
        return
    status = "no-answer" if told is None else told.status
    if status not in ENDED:
        await _look_again(house, job, "it goes on")
        return

    def tell(db: Db) -> None:
        now, tries = house.clock.now(), house.settings.voice.tries
        if attempt.party == "staff":
            call_backs.parted(
                db,
                out.call.account_id,
                attempt.uid,
                sid,
                status,
                of="staff",
                is_bridged=False,
                duration_s=None,
                now=now,
            )
            return
        outbound.news(db, out.call.account_id, attempt.uid, sid, status, duration_s=None, tries=tries, now=now)

    await house.store.write(_finished, job, tell)


async def _look_again(house: House, job: Job, why: str) -> None:
    now = house.clock.now()
    if job.attempts >= _MOST_LOOKS:
        await house.store.write(queue.finish, job)
    else:
        await house.store.write(queue.again, job, at=now + _LOOK_AGAIN, error=why, now=now)


def _remind(db: Db, job: Job, *, now: datetime) -> bool:
    visit, rule, sequence = (job.payload[name] for name in ("appointment_id", "rule", "sequence"))
    if not outbound.remind(db, int(str(visit)), str(rule), sequence=int(str(sequence)), now=now):
        return False
    queue.finish(db, job)
    return True


def _nowhere(db: Db, job: Job, call_id: int, *, now: datetime) -> None:
    """The number that we would call from is no longer connected."""
    out = outbound.locked(db, call_id)
    if out is not None and out.state != "over":
        outbound.gives_up(db, out, "failed", texts=True, now=now)
    queue.finish(db, job)


def _placing(
    db: Db, house: House, job: Job, call_id: int, account: Account, adapter: VoiceAdapter, *, now: datetime
) -> tuple[Attempt, bool, bool] | None:
    """The phone to dial, its intent kept, whether nobody was asked for it before, and whether it may ring now; None when it
    is not to ring, or not yet.
    """
    out = outbound.locked(db, call_id)
    if out is None or out.state not in ("planned", "placing"):
        queue.finish(db, job)
        return None
    begun = outbound.open_attempt(db, out)
    number = out.call.phone
    if out.user_id is not None:
        return _placing_ours(db, house, job, out, begun, account, now=now)
    if number is None or outbound.visit_of(db, out, now=now) is None:
        if begun is None:
            outbound.gives_up(db, out, "withdrawn", texts=False, now=now)
            queue.finish(db, job)
            return None
        return begun, False, False
    whom: _Whom = {"account_id": account.id, "kind": "phone", "value": number}
    if begun is None:
        sending.count(db, **whom, use="reminder", now=now, usual=house.usual, by=0)
    rules = sending.RULES if out.call.attempts == 0 else sending.AGAIN
    verdict = sending.may_send(db, **whom, use="reminder", now=now, usual=house.usual, by_call=True, rules=rules)
    if begun is not None:
        return begun, False, verdict == ALLOWED
    if out.latest_at is not None and now >= out.latest_at:
        verdict = Held("too_late", "The visit begins.", now)
    if verdict == ALLOWED:
        sending.count(db, **whom, use="reminder", now=now, usual=house.usual)
        return outbound.attempt(db, out, phone=number, party="customer", now=now), True, True
    if isinstance(verdict, Held) and verdict.until > now and (out.latest_at is None or verdict.until < out.latest_at):
        queue.again(db, job, at=verdict.until, error=verdict.reason, now=now, is_try=False)
        return None
    if isinstance(verdict, Refusal):
        _show(db, house, out, account, adapter, verdict, now=now)
        sending.alarm(db, **whom, refusal=verdict, now=now)
    outbound.gives_up(db, out, "refused" if isinstance(verdict, Refusal) else "too_late", texts=True, now=now)
    queue.finish(db, job)
    return None


def _placing_ours(
    db: Db, house: House, job: Job, out: Outbound, begun: Attempt | None, account: Account, *, now: datetime
) -> tuple[Attempt, bool, bool] | None:
    """The same for the phone of whoever calls back. Whether the customer's may ring was asked when they wanted it."""
    if begun is not None:
        return begun, False, now - begun.tried_at < _STALE
    mine, theirs = call_backs.staff_phone(db, out), out.call.phone
    if mine is None or theirs is None:
        outbound.gives_up(db, out, "failed", texts=False, now=now)
        queue.finish(db, job)
        return None
    sending.count(db, account_id=account.id, kind="phone", value=theirs, use="service", now=now, usual=house.usual)
    return outbound.attempt(db, out, phone=mine, party="staff", now=now), True, True


def _show(
    db: Db, house: House, out: Outbound, account: Account, adapter: VoiceAdapter, why: Refusal, *, now: datetime
) -> None:
    """What would have been said stands in the conversation as refused, as a message would."""
    channel = turn.Channel(account, adapter.capabilities, inline=False)
    context = conversations.by_id(db, Actor(out.call.tenant_id, "system"), out.call.conversation_id)
    cue = Cue("reminder", {"appointment_id": out.appointment_id, "sequence": out.sequence})
    turn.refuse(db, house.bots, channel, context, cue, why, planned_at=now, now=now)


def _placed(house: House, attempt_id: int, sid: str, ring_s: int) -> Callable[[Db], None]:
    return lambda db: outbound.placed(db, attempt_id, sid, ring_s=ring_s, now=house.clock.now())


def _not_placed(house: House, attempt_id: int) -> Callable[[Db], None]:
    return lambda db: outbound.not_placed(db, attempt_id, tries=house.settings.voice.tries, now=house.clock.now())


def _finished(db: Db, job: Job, do: Callable[[Db], None]) -> None:
    do(db)
    queue.finish(db, job)
