"""Call-backs that are owed to callers who wanted a person."""

from datetime import datetime

from desk import calls, conversations
from desk.connecting import Wait
from desk.conversations import Context
from desk.who import Actor
from desk.work import requests
from gateway.voice.speech import noted
from storage.base import Db


def owed(db: Db, wait: Wait, *, now: datetime) -> None:
    """Whoever wanted a person and got none is to be called back, once."""
    number = calls.phone_of(db, wait.call_id)
    if number is not None:
        system = Actor(wait.tenant_id, "system")
        to_them(db, conversations.by_id(db, system, wait.conversation_id), number, now=now)


def to_them(db: Db, context: Context, number: str, *, now: datetime) -> None:
    """Whoever calls in that conversation is to be called back, once."""
    system = Actor(context.tenant_id, "system")
    title = noted(db, context.business_id, "call_back", number=number)
    requests.call_back(
        db,
        system,
        context.id,
        title,
        customer=context.customer_id,
        business=context.business_id,
        about="",
        now=now,
    )
