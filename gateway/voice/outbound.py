"""The doors of calls that we make to customers: who answers, and what they hear.

Whoever picks up hears at once who calls. Meanwhile the provider listens whether that is a person or a machine, and tells us
at a door of its own; until then the call asks us every second. What was decided first stands (`desk.outbound`). So it is with
the customer's phone in a call-back too, while the team hears it ring.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal

import structlog
from aiohttp import web

from bots import language as languages
from bots.render import Voice
from channels.base import Answer
from channels.voice import codec, hold
from channels.voice.words import spoken
from desk import businesses, call_backs, conversations, messages, outbound
from desk.outbound import Attempt, Outbound
from desk.who import Actor
from flows.words import fill
from gateway.voice.door import Call, goodbye, mode_of, opened, sounds, start
from gateway.voice.speech import phrase
from gateway.voice.transfer import named, number_in, of_the_team
from storage.base import Db

log = structlog.get_logger()

_UNKNOWN: Final = "unknown"  # as the provider calls it


def add_routes(app: web.Application) -> None:
    """Mount them, with and without a trailing slash, versioned and bare."""
    doors = {
        "out": picked_up,
        "out/next": follow,
        "out/detected": detected,
        "out/status": news,
        "out/staff": told,
        "out/staff/key": decided,
        "out/staff/over": parted,
        "out/staff/status": staff_news,
        "out/leg": leg_news,
    }
    for prefix in ("/api/v1/webhooks", "/webhooks"):
        for name, handler in doors.items():
            app.router.add_post(f"{prefix}/twilio/voice/{name}", opened(handler))
            app.router.add_post(f"{prefix}/twilio/voice/{name}/", opened(handler))


async def picked_up(call: Call) -> Answer:
    """Somebody or something has picked up. The provider may know already what, if it was told to find out first."""
    found = await _answers(call, dict(call.request.form).get("AnsweredBy", ""))
    if found is None or _is_over(*found):
        return codec.hang_up()
    if found[1].answered_by is not None:
        return await _decided(call, *found)
    name, language = await call.exchange.house.store.read(_called, found[0])
    hello = phrase(language, "voice_out_hello", business=name)
    if found[0].user_id is not None:
        hello = f"{hello} {phrase(language, 'voice_moment')}"
    return await _wait(call, hello, language)


async def follow(call: Call) -> Answer:
    """Still on the line: by now it may be known who answered; who is not told from a machine in time is a person."""
    is_long = number_in(call) >= call.exchange.house.settings.voice.detect_s
    found = await _answers(call, _UNKNOWN if is_long else "")
    if found is None or _is_over(*found):
        return codec.hang_up()
    if found[1].answered_by is None:
        return await _wait(call, "", "en")
    return await _decided(call, *found)


async def detected(call: Call) -> Answer:
    """A person, or a machine that records from now on."""
    found = await _answers(call, dict(call.request.form).get("AnsweredBy", ""))
    log.info("call answered", call=call.ring.sid, by=None if found is None else found[1].answered_by)
    return Answer()


async def news(call: Call) -> Answer:
    """How the call goes."""
    house, told = call.exchange.house, codec.news(call.request)

    def tell(db: Db) -> bool:
        now, tries, uid = house.clock.now(), house.settings.voice.tries, named(call, "attempt")
        return outbound.news(
            db, call.account.id, uid, call.ring.sid, told.status, duration_s=told.duration_s, tries=tries, now=now
        )

    if await house.store.write(tell):
        await call.exchange.news(call.account, call.ring, told)
    return Answer()


def _is_over(out: Outbound, attempt: Attempt) -> bool:
    """Whether nobody is there any more to whom something could be said."""
    return out.state == "over" or attempt.state == "over"


# A call-back: the phone of the team first, then the customer's.


async def told(call: Call) -> Answer:
    """Whom they are about to speak with, and which key calls them."""
    found = await _answers(call, "")
    if found is None or found[0].state == "over":
        return codec.hang_up()
    text, language = await call.exchange.house.store.read(_whisper, found[0])
    action = f"{call.base}/out/staff/key?attempt={named(call, 'attempt')}"
    return hold.whisper(text, action=action, language=codec.locale(language))


async def decided(call: Call) -> Answer:
    """They have pressed a key, or none: perhaps it was a machine that picked up."""
    house, uid = call.exchange.house, named(call, "attempt")
    key = dict(call.request.form).get("Digits", "")[:1]
    found = await house.store.write(call_backs.takes, call.account.id, uid, call.ring.sid, key, now=house.clock.now())
    language = await of_the_team(call)
    if found is None or found[1] is None:
        return codec.goodbye(phrase(language, "voice_declined"), language=codec.locale(language))
    out, theirs = found[0], found[1]
    return hold.dial(
        phrase(language, "voice_moment"),
        out.call.phone or "",
        sender=call.account.address,
        ring_s=house.settings.voice.ring_s,
        action=f"{call.base}/out/staff/over?attempt={uid}",
        report=f"{call.base}/out/leg?attempt={theirs.uid}",
        first=f"{call.base}/out?attempt={theirs.uid}",
        detected=f"{call.base}/out/detected?attempt={theirs.uid}",
        language=codec.locale(language),
    )


async def parted(call: Call) -> Answer:
    """They have spoken, or the customer's phone was not picked up."""
    fields = dict(call.request.form)
    ending = await _parted(
        call,
        fields.get("DialCallStatus", ""),
        of="staff" if call.ring.status in codec.ENDED else "customer",
        is_bridged=fields.get("DialBridged") == "true",
    )
    key = _PARTED.get(ending or "", "voice_out_missed")
    language = await of_the_team(call)
    return codec.goodbye(phrase(language, key), language=codec.locale(language))


async def staff_news(call: Call) -> Answer:
    """How the call to the phone of the team goes; with it, the whole is over."""
    news = codec.news(call.request)
    if news.status in codec.ENDED:
        await _parted(call, news.status, of="staff", is_bridged=False, duration_s=news.duration_s)
    return Answer()


async def leg_news(call: Call) -> Answer:
    """How the customer's phone does."""
    house = call.exchange.house
    await house.store.write(
        call_backs.leg_news,
        call.account.id,
        named(call, "attempt"),
        call.ring.sid,
        call.ring.status,
        now=house.clock.now(),
    )
    return Answer()


# What the team hears of how it ended.
_PARTED: Final[Mapping[str, str]] = {"connected": "voice_hung_up", "message_left": "voice_out_machine"}


async def _parted(
    call: Call,
    status: str,
    *,
    of: Literal["customer", "staff"],
    is_bridged: bool,
    duration_s: int | None = None,
) -> str | None:
    house, uid = call.exchange.house, named(call, "attempt")
    ending = await house.store.write(
        call_backs.parted,
        call.account.id,
        uid,
        call.ring.sid,
        status,
        of=of,
        is_bridged=is_bridged,
        duration_s=duration_s,
        now=house.clock.now(),
    )
    log.info("call-back over", call=call.ring.sid, status=status[:20], ending=ending)
    return ending


def _whisper(db: Db, out: Outbound) -> tuple[str, str]:
    """Whom they are to speak with, in the language of the team."""
    business = businesses.load(db, out.business_id)
    language = business.languages[0]
    words = languages.load(language).phrases
    name = call_backs.name_of(db, out) or out.call.phone or ""
    lines = [fill(words["voice_out_whisper"], {"business": business.name, "customer": name}), words["voice_out_key"]]
    return spoken("\n".join(lines), language), language


# What they have in common.


async def _answers(call: Call, answered_by: str) -> tuple[Outbound, Attempt] | None:
    house, uid = call.exchange.house, named(call, "attempt")
    return await house.store.write(
        outbound.answers, call.account.id, uid, call.ring.sid, answered_by, now=house.clock.now()
    )


async def _decided(call: Call, out: Outbound, attempt: Attempt) -> Answer:
    """It is known who answered."""
    house = call.exchange.house
    match outbound.who_answered(attempt.answered_by or ""):
        case "tone":
            text, language = await house.store.write(_leave, out, attempt, now=house.clock.now())
            return await goodbye(call, text, language)
        case "person" if out.user_id is not None:
            is_there = await house.store.write(
                call_backs.joins, call.account.id, attempt.uid, call.ring.sid, now=house.clock.now()
            )
            return codec.nothing() if is_there else codec.hang_up()
        case "person":
            mode = await mode_of(call)
            await house.store.write(outbound.talks, call.account.id, attempt.uid, call.ring.sid, mode)
            return await start(call, mode)
        case _:
            return codec.hang_up()


async def _wait(call: Call, text: str, language: str) -> Answer:
    again = f"{call.base}/out/next?attempt={named(call, 'attempt')}&n={number_in(call) + 1}"
    (file,) = await sounds(call, language, text)
    return codec.linger(text, again=again, language=codec.locale(language), file=file)


def _called(db: Db, out: Outbound) -> tuple[str, str]:
    """The name of the business, and the language of whoever is called."""
    business = businesses.load(db, out.business_id)
    context = conversations.by_id(db, Actor(out.call.tenant_id, "system"), out.call.conversation_id, lock=False)
    return business.name, context.language or context.customer_language or business.languages[0]


def _leave(db: Db, out: Outbound, attempt: Attempt, *, now: datetime) -> tuple[str, str]:
    """What is left on a machine. It stands in the conversation as it was said; asked for twice it is one message."""
    text, language = _left(db, out, now=now)
    if text and outbound.leaves(db, attempt):
        messages.add_out(
            db,
            tenant_id=out.call.tenant_id,
            account_id=out.call.account_id,
            conversation_id=out.call.conversation_id,
            author="bot",
            text=text,
            status="accepted",
            dedupe=f"left:{attempt.uid}",
            now=now,
        )
    return spoken(text, language), language


def _left(db: Db, out: Outbound, *, now: datetime) -> tuple[str, str]:
    """Who calls, and of a reminder the day and the time: others may hear it. Empty when there is nothing to remind of."""
    name, language = _called(db, out)
    if out.user_id is not None:
        return fill(languages.load(language).phrases["voice_out_called"], {"business": name}), language
    visit = outbound.visit_of(db, out, now=now)
    if visit is None:
        return "", language
    business = businesses.load(db, out.business_id)
    voice = Voice(languages.load(language), business.zone, business.currency)
    values = {"business": name, "day": voice.day_of(visit.starts_at), "time": voice.time_of(visit.starts_at)}
    return fill(voice.language.phrases["voice_out_left"], values), language
