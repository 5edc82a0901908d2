"""Messages that callers leave: the doors for them, and what becomes of each.

Twilio records, and tells us of it at the doors here when we are there to be told, or else when we ask for what we have missed
(`gateway.jobs.recordings`). All of that may come twice and in any order: the recording's id is the key.
"""

from collections.abc import Callable
from datetime import datetime
from functools import partial

import structlog
from aiohttp import web

from channels.base import Answer, Request
from channels.messages import Media, parts_to_json
from channels.voice import codec
from channels.voice.codec import Recorded, Ring
from desk import calls, conversations, customers, files, messages, recordings
from desk.calls import Live
from desk.conversations import Context
from desk.who import Actor
from desk.work import requests
from gateway.accounts import Account
from gateway.hooks.routes import NOT_TAKEN, RECEIVER, public_urls, turned_away
from gateway.pipeline.receive import Forged
from gateway.pipeline.turn import expected
from gateway.voice import missed, recording
from gateway.voice.door import EXCHANGE, Call, goodbye, opened, take_message, told_language
from gateway.voice.speech import noted, phrase
from storage.base import Db

log = structlog.get_logger()


def add_routes(app: web.Application) -> None:
    """Mount the doors, with and without a trailing slash, versioned and bare."""
    doors = {
        "/voicemail": opened(offer),
        "/voicemail/left": opened(left),
        "/voicemail/recorded": recorded,
        "/recording": recorded,
    }
    for prefix in ("/api/v1/webhooks/twilio/voice", "/webhooks/twilio/voice"):
        for name, handler in doors.items():
            for method in ("POST", "GET"):
                app.router.add_route(method, f"{prefix}{name}", handler)
                app.router.add_route(method, f"{prefix}{name}/", handler)


async def offer(call: Call) -> Answer:
    """Ask for a message and record it. Whoever sends a call here has said why."""
    return await take_message(call, language=await call.exchange.language(call.account, call.ring))


async def left(call: Call) -> Answer:
    """The message is left, and the caller is still there."""
    language = told_language(call)
    return await goodbye(call, phrase(language, "voice_left"), language)


async def recorded(request: web.Request) -> web.StreamResponse:
    """A recording is there to be fetched, or what was said in it."""
    try:
        incoming = Request.read(request.method, request.raw_path, request.headers, await request.read())
        await _recorded(request, incoming)
    except NOT_TAKEN as why:
        return turned_away(request, why)
    return web.Response()


async def _recorded(request: web.Request, incoming: Request) -> None:
    """Raises: Forged, BadRequest, StoreUnavailable"""
    exchange, house = request.app[EXCHANGE], request.app[EXCHANGE].house
    adapter = house.adapters["twilio", "voice"]
    claimed = adapter.claimed_account(incoming)
    secret = await request.app[RECEIVER].signed_by(adapter, claimed, incoming, public_urls(request))
    news = codec.recorded(incoming)
    found = await house.store.read(calls.account_of, news.call)
    if found is not None:
        account, ring = await house.accounts.by_id(found[0]), Ring(news.call, "", found[1] or "")
    else:  # nobody of ours was on the line
        ring = codec.ring(incoming)
        account = await house.accounts.by_address("twilio", "voice", ring.called)
    if account is None:  # these callbacks need not tell which number was called, but Twilio does when it is asked
        await house.store.write(recordings.look, now=house.clock.now())
        return
    if not account.is_opened_by(claimed, secret):
        log.warning("webhook refused", provider="twilio", account=account.id, reason="account of another")
        raise Forged
    is_of_call = incoming.url.partition("?")[0].rstrip("/").endswith("/recording")
    # A transcript has no status of the recording. Of a message that is none there is nothing to tell.
    if news.status in ("", "completed") or (is_of_call and news.status in recording.ABSENT):
        run: Callable[..., str] = partial(take, account=account, ring=ring, news=news, words=codec.transcript(incoming))
        if is_of_call:
            run = partial(recording.take, account=account, sid=ring.sid, news=news)
        outcome = await exchange.in_turn(account, ring, run)
        log.info("recorded", account=account.id, call=ring.sid, recording=news.sid, outcome=outcome)


def take(db: Db, account: Account, ring: Ring, news: Recorded, *, words: str = "", now: datetime) -> str:
    """What became of a message that somebody left, or of the words in it: kept, told, known, or erased, as they are."""
    call = calls.live(db, account.id, ring.sid) or missed.unheard(db, account, ring, kind="voicemail", now=now)
    context = conversations.by_id(db, Actor(call.tenant_id, "system"), call.conversation_id)
    if customers.is_erased(db, context.customer_id):
        recordings.refuse(
            db,
            tenant_id=call.tenant_id,
            account_id=account.id,
            call_id=call.id,
            sid=news.sid,
            kind="voicemail",
            now=now,
        )
        return "erased"
    kept = recordings.kept(db, account.id, news.sid)
    if kept is not None:
        return _more(db, call, context, kept, news, words, now=now)
    message_id = messages.add_in(
        db,
        tenant_id=call.tenant_id,
        account_id=account.id,
        conversation_id=context.id,
        text=(text := _said(db, context, news.duration_s, words)),
        content=parts_to_json(parts := (Media("audio", url=f"{news.url}.wav", name="voicemail.wav"),)),
        provider_id=news.sid,
        now=now,
    )
    if message_id is None or not recordings.add(
        db,
        tenant_id=call.tenant_id,
        account_id=account.id,
        call_id=call.id,
        sid=news.sid,
        kind="voicemail",
        message_id=message_id,
        duration_s=news.duration_s,
        transcript=words or None,
        now=now,
    ):
        return "known"
    files.expect(
        db,
        tenant_id=call.tenant_id,
        account_id=account.id,
        message_id=message_id,
        files=expected(parts),
        now=now,
    )
    calls.left_voicemail(db, call)
    missed.drop_text(db, call)
    if context.status != "open":
        conversations.reopen(db, Actor(call.tenant_id, "customer"), context.id, now=now)
    conversations.touch(db, context, last_in_at=now, unread=1)
    requests.call_back(
        db,
        Actor(call.tenant_id, "system"),
        context.id,
        _title(db, call, context),
        customer=context.customer_id,
        business=context.business_id,
        about=text,
        now=now,
    )
    return "kept"


def written(db: Db, account: Account, call_id: int, sid: str, words: str, *, now: datetime) -> str:
    """What became of the words of a message that we have had written down: told, or known."""
    call = calls.by_id(db, call_id)
    if call is None:
        return "known"
    context = conversations.by_id(db, Actor(call.tenant_id, "system"), call.conversation_id)
    kept = recordings.kept(db, account.id, sid)
    return "known" if kept is None else _more(db, call, context, kept, Recorded(sid, call.sid, "", ""), words, now=now)


def _more(
    db: Db, call: Live, context: Context, kept: recordings.Kept, news: Recorded, words: str, *, now: datetime
) -> str:
    """What later news add to a message that is kept, and to the task: how long it is, or what was said."""
    duration_s = kept.duration_s if news.duration_s is None else news.duration_s
    has_news = (duration_s, kept.transcript or words) != (kept.duration_s, kept.transcript or "")
    if kept.kind != "voicemail" or kept.status == "deleted" or kept.message_id is None or not has_news:
        return "known"
    recordings.change(db, kept.id, duration_s=duration_s, transcript=kept.transcript or words or None)
    before = _said(db, context, kept.duration_s, kept.transcript or "")
    after = _said(db, context, duration_s, kept.transcript or words)
    messages.reword(db, kept.message_id, after)
    system = Actor(call.tenant_id, "system")
    requests.retell(db, system, context.id, _title(db, call, context), before, after, now=now)
    return "told"


def _title(db: Db, call: Live, context: Context) -> str:
    return noted(db, context.business_id, "call_back" if call.phone else "call_back_none", number=call.phone or "")


def _said(db: Db, context: Context, duration_s: int | None, words: str) -> str:
    length = calls.length(duration_s or 0)
    return noted(db, context.business_id, "voicemail_words" if words else "voicemail", length=length, words=words)
