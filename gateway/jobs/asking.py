"""Questions of scenarios to the business's own systems: signed, with a time limit, and the answer as the conversation's
next event.

A question that is repeated, also because a process died before its answer was kept, has the same `webhook-id`.
docs/scenarios.md is written for those who answer.
"""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Any, Final

import orjson
import structlog

from bots.bot import Cue
from desk import conversations, integrations
from desk.errors import NotFound
from desk.integrations import Endpoint
from desk.text import storable
from desk.who import Actor
from flows.definition import Json
from gateway.context import House
from gateway.jobs import aloud, cues, webhooks
from gateway.outside.http import Answer, Blocked, Unreachable
from gateway.pipeline import courtesy
from gateway.voice import turns
from storage import queue
from storage.base import Db
from storage.queue import Job

log = structlog.get_logger()

RETRY_AFTER: Final = timedelta(seconds=2)  # somebody waits for a reply
MOST_TRIES: Final = 2
EVENT: Final = "scenario.question"
_LONGEST: Final = 500  # characters that a slot may be set to
_MOST_BYTES: Final = 16_384


async def ask(house: House, job: Job) -> None:
    """Ask once, and play what came of it; where nobody answered, ask once more a little later."""
    found = await house.store.read(_question, house, job)
    if found is None:
        await house.store.write(queue.finish, job)
        return
    endpoint, told = found
    name: str | None = "error"
    slots: dict[str, Json] = {}
    if endpoint is not None:
        content = {"event": EVENT, "timestamp": job.payload["asked_at"], "data": told}
        body, headers = webhooks.signed(str(job.payload["call"]), content, (endpoint.secret,), now=house.clock.now())
        timeout_s = house.settings.webhooks.question_timeout_s
        try:
            answer, _ = await asyncio.gather(
                house.outside.ask(
                    "POST", endpoint.url, body=body, headers=headers, timeout_s=timeout_s, most_bytes=_MOST_BYTES
                ),
                courtesy.show_typing(house, int(str(job.payload["conversation_id"]))),
            )
        except Blocked as blocked:
            log.warning("question not asked", integration=endpoint.id, why=str(blocked))
        except Unreachable as away:
            log.warning("question not answered", integration=endpoint.id, why=str(away))
            name = None
        else:
            name, slots = _read(answer, job.payload.get("sets"))
            log.info("question", integration=endpoint.id, status=answer.status, outcome=name)
    if name is None and job.attempts < MOST_TRIES:
        again_at = house.clock.now() + RETRY_AFTER
        await house.store.write(queue.again, job, at=again_at, error="no answer", now=house.clock.now())
        return
    cue = Cue("outcome", {"call": str(job.payload["call"]), "name": name or "error", "slots": slots})
    conversation_id = int(str(job.payload["conversation_id"]))
    if not await aloud.said(house, conversation_id, partial(turns.learnt, cue=cue), job):
        await cues.play(house, conversation_id, cue, job=job)


def _question(db: Db, house: House, job: Job) -> tuple[Endpoint | None, dict[str, Any]] | None:
    """Whom to ask and what; None when the conversation is gone."""
    who = Actor(job.tenant_id or 0, "system")
    try:
        context = conversations.by_id(db, who, int(str(job.payload["conversation_id"])), lock=False)
    except NotFound:
        return None
    endpoint = integrations.webhook(db, who, int(str(job.payload["integration_id"])), sealer=house.sealer)
    return endpoint, {
        "topic": job.payload["topic"],
        "scenario": job.payload["scenario"],
        "state": job.payload["state"],
        "conversation_id": context.uid,
        "channel": context.channel,
        "customer": {
            "name": context.customer_name or context.customer_profile_name,
            "address": context.peer,
            "language": context.language,
        },
        "slots": job.payload["slots"],
    }


def _read(answer: Answer, sets: object) -> tuple[str | None, dict[str, Json]]:
    """The outcome, and the slots it sets; None when asking again may help."""
    if answer.status >= 500 or answer.status in (408, 425, 429):
        return None, {}
    if answer.status >= 400:
        return "refused", {}
    if not 200 <= answer.status < 300 or answer.is_cut:
        return "error", {}
    if not answer.body.strip():
        return "done", {}
    try:
        told = orjson.loads(answer.body)
    except ValueError:
        return "error", {}
    slots = told.get("slots", {}) if isinstance(told, dict) else None
    if not isinstance(slots, Mapping):
        return "error", {}
    wanted = sets if isinstance(sets, list) else []
    return "done", {name: value for name, value in slots.items() if name in wanted and _is_plain(value)}


def _is_plain(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= _LONGEST and storable(value) == value
    return isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < 2**53)
