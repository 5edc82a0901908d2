"""Calls that are recorded from the notice on: the sound comes in as a file of a note in the conversation."""

from datetime import datetime
from typing import Final

from channels.messages import Media, OutboundMessage
from channels.voice.codec import Recorded
from desk import calls, conversations, customers, files, messages, pausing, recordings
from desk.who import Actor
from gateway.accounts import Account
from gateway.pipeline.turn import expected
from gateway.voice.speech import noted
from storage.base import Db

ABSENT: Final = frozenset(("absent", "failed"))  # what the provider says of a recording that came to nothing


def take(db: Db, account: Account, sid: str, news: Recorded, *, now: datetime) -> str:
    """What became of the recording of a call: kept, known, absent, unknown, as the call is, or erased, as whoever called is."""
    call = calls.live(db, account.id, sid)
    if call is None:
        return "unknown"
    if news.status in ABSENT:
        is_news = not recordings.has_any(db, call.id, "call") and pausing.came_to_nothing(db, call.id)
        return "absent" if is_news else "known"
    context = conversations.by_id(db, Actor(call.tenant_id, "system"), call.conversation_id)
    if customers.is_erased(db, context.customer_id):
        recordings.refuse(
            db, tenant_id=call.tenant_id, account_id=account.id, call_id=call.id, sid=news.sid, kind="call", now=now
        )
        return "erased"
    if not recordings.add(
        db,
        tenant_id=call.tenant_id,
        account_id=account.id,
        call_id=call.id,
        sid=news.sid,
        kind="call",
        duration_s=news.duration_s,
        now=now,
    ):
        return "known"
    words = noted(db, context.business_id, "recording", length=calls.length(news.duration_s or 0))
    sound = (Media("audio", url=f"{news.url}.wav", name="call.wav"),)
    note = OutboundMessage(words, media=sound)
    message_id = messages.add_out(
        db,
        tenant_id=call.tenant_id,
        account_id=account.id,
        conversation_id=context.id,
        author="system",
        text=note.text,
        content=note.to_json(),
        status=messages.NOTED,
        is_private=True,
        dedupe=f"recording:{account.id}:{news.sid}",
        now=now,
    )
    kept = recordings.kept(db, account.id, news.sid)
    if message_id is None or kept is None:
        return "known"
    recordings.change(db, kept.id, message_id=message_id)
    files.expect(
        db,
        tenant_id=call.tenant_id,
        account_id=account.id,
        message_id=message_id,
        files=expected(sound),
        is_recording=True,
        now=now,
    )
    return "kept"
