"""Calls in which nobody said anything: each has a record all the same, and one text message goes on where it ended.

Whoever was asked for a message may have left one, of which we are told later than that the call is over: the text waits for
that, so that it does not depend on what comes first.
"""

from datetime import datetime, timedelta
from typing import Final

from bots import language as languages
from channels.voice.codec import Ring
from desk import accounts, businesses, calls, conversations, messages, sending
from desk.calls import Kind, Live
from desk.who import Actor
from flows.words import fill
from gateway.accounts import Account
from gateway.pipeline import outbox
from storage import queue
from storage.base import Db
from storage.queue import Job

KIND: Final = "missed_text"
_PREFIX: Final = "missed:"
_TOLD: Final = timedelta(minutes=2)  # after a call, in which there is news of a message that was left


def unheard(db: Db, account: Account, ring: Ring, *, kind: Kind = "inbound", now: datetime) -> Live:
    """The record of a call of which nobody of ours heard while it went on."""
    peer = ring.peer
    context = conversations.meet(db, account.id, peer_kind=peer.kind, peer=peer.value, now=now)
    calls.begin(
        db,
        context,
        sid=ring.sid,
        phone=ring.caller or None,
        mode="none",
        kind=kind,
        now=now,
    )
    call = calls.live(db, account.id, ring.sid)
    assert call is not None  # noqa: S101  it has begun, here or in another process
    calls.end(db, call, "missed", now=now)
    return call


def text_later(db: Db, call: Live, *, now: datetime) -> None:
    """Have the caller written to unless there is news of a message of theirs first."""
    queue.enqueue(
        db,
        KIND,
        {"call_id": call.id},
        now=now,
        run_at=now + _TOLD,
        tenant_id=call.tenant_id,
        dedupe=f"{KIND}:{call.id}",
    )


def drop_text(db: Db, call: Live) -> None:
    """They have left a message."""
    queue.cancel(db, f"{KIND}:{call.id}")


def text_due(db: Db, job: Job, *, every: timedelta, usual: sending.Policy, now: datetime) -> None:
    """It has waited for long enough."""
    queue.finish(db, job)
    found = calls.by_id(db, int(str(job.payload["call_id"])))
    call = None if found is None else calls.live(db, found.account_id, found.sid)
    if call is not None:
        text(db, call, every=every, usual=usual, now=now)


def text(db: Db, call: Live, *, every: timedelta, usual: sending.Policy, now: datetime) -> bool:
    """Whether a caller who said nothing is written to: over the number that they called, as a text, unless they heard from
    us so within `every`, a person has the word there, or we may not write to them.
    """
    if not every or not call.phone or call.kind != "inbound" or calls.has_spoken(db, call.id):
        return False
    system = Actor(call.tenant_id, "system")
    if not conversations.may_talk(conversations.by_id(db, system, call.conversation_id), system):
        return False  # they were told that somebody calls back
    account_id = accounts.text_account(db, call.account_id) or call.account_id
    context = conversations.meet(db, account_id, peer_kind="phone", peer=call.phone, now=now)
    if not conversations.may_talk(context, system):
        return False
    if messages.was_said(db, context.id, _PREFIX, since=now - every):
        return False
    verdict = sending.may_send(
        db, account_id=account_id, kind="phone", value=call.phone, use="service", usual=usual, now=now
    )
    if isinstance(verdict, sending.Refusal):
        return False
    business = businesses.load(db, context.business_id)
    language = context.language or context.customer_language or business.languages[0]
    message_id = messages.add_out(
        db,
        tenant_id=context.tenant_id,
        account_id=account_id,
        conversation_id=context.id,
        author="bot",
        text=fill(languages.load(language).phrases["missed_call"], {"business": business.name}),
        status="queued",
        dedupe=f"{_PREFIX}{call.id}",
        use="service",
        now=now,
    )
    if message_id is None:
        return False
    if context.status != "open":
        conversations.reopen(db, system, context.id, now=now)
    outbox.post(db, context.tenant_id, account_id, message_id, now=now)
    return True
