"""Events on their way to subscribers: signed, sent, tried again on the schedule of the Standard Webhooks.

The body is `{event, timestamp, data, signature}`. A try that is repeated, also because a process died between sending and
noting it, has the same `webhook-id`: subscribers tell repeats by it. docs/webhooks.md is written for them.
"""

import asyncio
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

import orjson
import structlog

from desk import deliveries, webhooks
from desk.deliveries import Letter, Reply
from gateway.context import House
from gateway.outside.http import Answer, Blocked, Unreachable
from storage import queue
from storage.base import Db, JsonValue
from storage.queue import Job

log = structlog.get_logger()

# Waits after the first try, the second, …; there is one try more than waits.
# Source: Standard Webhooks, "Deliverability and reliability", the example schedule.
RETRY_AFTER: Final = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
_LONGEST_WAIT: Final = timedelta(hours=24)  # that a subscriber may ask for with Retry-After
_EXCERPT_BYTES: Final = 4_000  # of the answer; a person sees its beginning


async def deliver(house: House, job: Job) -> None:
    """Make one delivery, once."""
    letter = await house.store.write(_begin, house, job, now=house.clock.now())
    if letter is None:
        return
    body, headers = signed(letter.uid, letter.body, letter.secrets, now=house.clock.now())
    loop = asyncio.get_running_loop()
    started = loop.time()
    answer: Answer | None = None
    try:
        answer = await house.outside.ask(
            "POST",
            letter.url,
            body=body,
            headers=headers,
            timeout_s=house.settings.webhooks.timeout_s,
            most_bytes=_EXCERPT_BYTES,
        )
    except Blocked as blocked:
        reply = Reply(error=str(blocked), is_blocked=True)
    except Unreachable as away:
        reply = Reply(error=str(away), duration_ms=round((loop.time() - started) * 1000))
    else:
        reply = _reply(answer, round((loop.time() - started) * 1000))
    await house.store.write(_settle, house, job, letter, reply, answer, now=house.clock.now())
    log.info("webhook", delivery=letter.id, subscription=letter.subscription_id, status=reply.status, why=reply.error)


def signed(
    uid: str, content: Mapping[str, JsonValue], secrets: Sequence[str], *, now: datetime
) -> tuple[bytes, Mapping[str, str]]:
    """The body and headers of a try, signed with every secret that counts now, the newest first.

    `content` has event, timestamp and data.
    """
    from standardwebhooks import Webhook  # brings an HTTP library along that nothing else needs

    told = {name: _plain(content[name]) for name in ("event", "timestamp", "data")}
    told["signature"] = f"sha256={hmac.new(secrets[0].encode(), orjson.dumps(told), hashlib.sha256).hexdigest()}"
    body = orjson.dumps(told)
    moment = now.astimezone(UTC)
    signatures = [Webhook(webhooks.key(one)).sign(uid, moment, body.decode()) for one in secrets]
    return body, {
        "Content-Type": "application/json",
        "User-Agent": "Frontdesk-Webhooks/1",
        "webhook-id": uid,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def _begin(db: Db, house: House, job: Job, *, now: datetime) -> Letter | None:
    letter = deliveries.begin(db, int(str(job.payload["delivery_id"])), house.sealer, now=now)
    if letter is None:
        queue.finish(db, job)
    return letter


def _settle(
    db: Db, house: House, job: Job, letter: Letter, reply: Reply, answer: Answer | None, *, now: datetime
) -> None:
    if reply.is_taken:
        deliveries.taken(db, letter, reply, now=now)
        queue.finish(db, job)
        return
    retry_at = None
    if job.attempts <= len(RETRY_AFTER):
        wait = RETRY_AFTER[job.attempts - 1]
        retry_at = now + (max(wait, _asked_for(answer.headers, now)) if answer is not None else wait)
    disable_after = timedelta(days=house.settings.webhooks.disable_after_days)
    again_at = deliveries.not_taken(db, letter, reply, retry_at=retry_at, disable_after=disable_after, now=now)
    if again_at is None:
        queue.finish(db, job)
    else:
        queue.again(db, job, at=again_at, error=reply.error or f"it answered {reply.status}", now=now)


def _reply(answer: Answer, duration_ms: int) -> Reply:
    packed = answer.headers.get("Content-Encoding", "identity").lower() != "identity"
    excerpt = "(compressed)" if packed and answer.body else answer.body.decode("utf-8", "replace")
    error = None
    if 300 <= answer.status < 400:
        error = "It redirects; redirects are not followed. Subscribe the address it leads to."
    elif not 200 <= answer.status < 300:
        error = f"It answered {answer.status}."
    return Reply(status=answer.status, excerpt=excerpt, error=error, duration_ms=duration_ms)


def _asked_for(headers: Mapping[str, str], now: datetime) -> timedelta:
    """How long the subscriber asks us to wait (Retry-After), within reason."""
    said = headers.get("Retry-After", "").strip()
    if said.isascii() and said.isdigit():
        return timedelta(seconds=min(int(said[:9]), _LONGEST_WAIT.total_seconds()))
    try:
        until = parsedate_to_datetime(said)
    except ValueError:
        return timedelta()
    wait = (until if until.tzinfo else until.replace(tzinfo=UTC)) - now
    return min(max(wait, timedelta()), _LONGEST_WAIT)


def _plain(value: JsonValue) -> Any:
    """Whole numbers without a fraction: 450.0 would be another text after a trip through JavaScript, and the signature
    in the body is over text.
    """
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(inner) for inner in value]
    return value
