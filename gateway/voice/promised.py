"""Call-backs: what a person promises from their screen, in the words that the caller hears, and what is owed to callers
who wanted a person.
"""

from datetime import datetime

from desk import calls, connecting, conversations
from desk.connecting import Wait
from desk.inbox import people
from desk.refs import Ref
from desk.who import Actor
from desk.work import requests
from gateway.voice.speech import noted, plain
from storage.base import Db


def call_back(db: Db, who: Actor, ref: Ref, words: str | None, *, now: datetime) -> Wait:
    """The wait, over: the caller hears `words`, or that whoever asks calls them back.

    Raises: NotFound; NotAllowed, for a program; WrongState, when nobody waits; Invalid, when their number is withheld
    """
    wait, me = connecting.last_of(db, who, ref), people.oneself(db, who)
    number = calls.phone_of(db, wait.call_id) if wait is not None else None
    title = noted(db, wait.business_id, "call_back", number=number) if wait is not None and number else ""
    language = wait.language if wait is not None else "en"
    said = words or plain(language, "voice_call_you_back", name=me.full_name)
    return connecting.call_back(db, who, ref, words=said, title=title, now=now)


def owed(db: Db, wait: Wait, *, now: datetime) -> None:
    """Whoever wanted a person and got none is to be called back, once."""
    number = calls.phone_of(db, wait.call_id)
    if number is None:
        return
    system = Actor(wait.tenant_id, "system")
    context = conversations.by_id(db, system, wait.conversation_id)
    title = noted(db, wait.business_id, "call_back", number=number)
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
