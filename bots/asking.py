"""What scenarios ask of the business's own systems. The question goes out after the turn, its answer comes as a later one."""

from typing import Final

from bots.acting import Acting, Later
from desk import events, integrations
from flows.events import Outcome
from flows.registry import names_in
from storage import queue
from storage.base import JsonValue, new_uid

KIND: Final = "ask_webhook"  # the job that asks
PARAMS: Final = ("to", "topic", "send", "sets")


def call_webhook(acting: Acting) -> Outcome | Later:
    """Have the integration that `to` names asked about `topic`; with it go the slots of `send`.

    `done` sets the slots of `sets` that the answer gives, `refused` is a 4xx; `error`: there is no such integration or it
    did not answer.
    """
    name, context = acting.params.get("to"), acting.context
    found = integrations.webhook_named(acting.db, acting.who, acting.business.id, name if isinstance(name, str) else "")
    if found is None:
        return Outcome("error")
    uid = new_uid()
    sent: dict[str, JsonValue] = {
        slot: {"value": held.value, "label": held.label}
        for slot in names_in(acting.params.get("send"))
        if (held := acting.run.slots.get(slot)) is not None
    }
    payload: dict[str, JsonValue] = {
        "conversation_id": context.id,
        "integration_id": found,
        "call": uid,
        "asked_at": acting.now.isoformat().replace("+00:00", "Z"),
        "topic": str(acting.params.get("topic") or ""),
        "scenario": acting.run.scenario,
        "state": acting.run.node,
        "slots": sent,
        "sets": list(names_in(acting.params.get("sets"))),
    }
    queue.enqueue(
        acting.db,
        KIND,
        payload,
        now=acting.now,
        tenant_id=context.tenant_id,
        lane=f"ask:{context.id}",
        topic=events.TOPIC,
    )
    return Later(uid)
