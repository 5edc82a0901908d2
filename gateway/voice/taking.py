"""What people do from their screens with a caller who waits, or with whom the bot talks.

Whom the bot has is taken from it by a turn that comes between: whatever the caller gives to the question that was open is
answered with that, and the provider is asked to go on with the call elsewhere, in whichever mode and process it is.
"""

from dataclasses import dataclass
from datetime import datetime

from channels.voice.listen import Listen
from channels.voice.words import spoken
from desk import calls, connecting, conversations, messages
from desk.calls import Live
from desk.connecting import Rules, Wait
from desk.errors import WrongState
from desk.inbox import people
from desk.refs import Ref
from desk.who import Actor
from gateway.voice import turns
from gateway.voice.speech import Speech, noted, phrase, plain
from storage.base import Db


def take(db: Db, who: Actor, ref: Ref, *, rules: Rules, now: datetime) -> Wait:
    """The phone of whoever asks rings, and the caller is theirs once they press the key.

    Raises: NotFound; NotAllowed, for a program; Collision, when a colleague has the caller; WrongState, when nobody waits
    and the bot does not talk with them; Invalid, without a number to call
    """
    call = connecting.with_bot(db, who, ref)
    if call is None:
        return connecting.take(db, who, ref, rules=rules, now=now)
    last = _open(db, who, call)
    wait = connecting.take_from_bot(db, who, call, language=last.language, rules=rules, now=now)
    text = phrase(last.language, "voice_connecting")
    reply_id = messages.add_out(
        db,
        tenant_id=call.tenant_id,
        account_id=call.account_id,
        conversation_id=call.conversation_id,
        author="bot",
        text=text,
        status="accepted",
        now=now,
    )
    speech = Speech(0, text, None, last.language, transfer=wait.uid)
    turns.interject(db, call, speech, input="taken", reply_id=reply_id, now=now)
    return wait


def call_back(db: Db, who: Actor, ref: Ref, words: str | None, *, now: datetime) -> Wait:
    """The wait, over: the caller hears `words`, or that whoever asks calls them back, and the call ends.

    Raises: NotFound; NotAllowed, for a program; Collision, when a colleague has the caller; WrongState, when nobody waits
    and the bot does not talk with them; Invalid, when their number is withheld
    """
    call, me = connecting.with_bot(db, who, ref), people.oneself(db, who)
    if call is None:
        found = connecting.last_of(db, who, ref)
        language = found.language if found is not None else "en"
        title = "" if found is None else _title(db, found.business_id, calls.phone_of(db, found.call_id))
        said = words or plain(language, "voice_call_you_back", name=me.full_name)
        return connecting.call_back(db, who, ref, words=said, title=title, now=now)
    last = _open(db, who, call)
    said = words or plain(last.language, "voice_call_you_back", name=me.full_name)
    business_id = conversations.by_id(db, who, call.conversation_id).business_id
    title = _title(db, business_id, call.phone)
    wait = connecting.call_back_from_bot(db, who, call, language=last.language, words=said, title=title, now=now)
    # Not said here: whoever is in line though the wait is over is told at once.
    speech = Speech(0, "", None, last.language, transfer=wait.uid)
    turns.interject(db, call, speech, input="taken", reply_id=None, now=now)
    return wait


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody with whom the bot talks just now; others wait for their call until the commit."""

    call: Live

    def hears(self, db: Db, text: str, message_id: int, *, is_first: bool, now: datetime) -> None:
        """What a person has written, kept as that message, is the next that is said to them. Whoever hears a person for the
        first time (`is_first`) is told that somebody writes.
        """
        call = calls.live_in(db, self.call.conversation_id) or self.call  # as the piece before this one has left it
        language = turns.open_in(db, call).language
        said = " ".join([*([phrase(language, "voice_writes")] if is_first else ()), spoken(text, language)])
        speech = Speech(0, said, Listen(), language, text)
        turns.interject(db, call, speech, input=turns.WRITTEN, reply_id=message_id, now=now)


def on_line(db: Db, conversation_id: int, channel: str) -> Caller | None:
    """Who is called or calls in that conversation of the channel, and is asked something by the bot just now."""
    call = calls.live_in(db, conversation_id) if channel == "voice" else None
    is_asked = call is not None and connecting.is_by_bot(call) and turns.open_in(db, call).listen is not None
    return Caller(call) if call is not None and is_asked else None


def _open(db: Db, who: Actor, call: Live) -> Speech:
    """What the bot has asked.

    Raises: Collision, WrongState, when it does not ask (any more)
    """
    last = turns.open_in(db, call)
    if last.listen is None:
        context = conversations.by_id(db, who, call.conversation_id)
        if context.owner == "staff" and context.owner_user_id != who.user_id:
            raise conversations.collision(db, context)
        raise WrongState("call", call.id, "ending", "The bot does not talk with them any more.")
    return last


def _title(db: Db, business_id: int, number: str | None) -> str:
    return noted(db, business_id, "call_back", number=number) if number else ""
