"""The doors for callers who wait for a person, and for the people whose phones ring.

What is true of both is decided by `desk.connecting`; here it becomes TwiML. Everything is asked for by the id of the wait
or of the leg, and asked twice it is answered the same.
"""

import asyncio
from functools import partial
from typing import Final
from urllib.parse import quote

import structlog
from aiohttp import web

from bots import language as languages
from channels.base import Answer
from channels.errors import BadRequest
from channels.voice import codec, hold, music
from channels.voice.words import spoken
from desk import businesses, connecting
from desk.connecting import Ending, Rules, Wait, Whisper
from flows.words import fill
from gateway.voice import door, promised
from gateway.voice.door import Call, goodbye, mode_of, opened, sounds, speak, take_message
from gateway.voice.speech import in_line, phrase
from gateway.voice.turns import PERSON

log = structlog.get_logger()

_EVERY: Final = 3  # times that the music is played before the place in line is told again
_MOST_WORDS: Final = 400  # letters of a summary: half a minute
_DAY_S: Final = 86400


def add_routes(app: web.Application) -> None:
    """Mount them, with and without a trailing slash, versioned and bare."""
    doors = {
        "hold": waiting,
        "hold/key": pressed,
        "hold/over": left,
        "hold/next": follow,
        "leg": picked_up,
        "leg/key": decided,
        "leg/over": parted,
        "leg/status": news,
    }
    for prefix in ("/api/v1/webhooks", "/webhooks"):
        app.router.add_get(f"{prefix}/twilio/voice/hold/music.wav", sound)
        for name, handler in doors.items():
            app.router.add_post(f"{prefix}/twilio/voice/{name}", opened(handler))
            app.router.add_post(f"{prefix}/twilio/voice/{name}/", opened(handler))


async def sound(_request: web.Request) -> web.Response:
    """What is played while they wait; nothing in it is anybody's."""
    file = await asyncio.to_thread(music.wav)
    return web.Response(body=file, content_type="audio/wav", headers={"Cache-Control": f"public, max-age={_DAY_S}"})


# The caller.


async def waiting(call: Call) -> Answer:
    """Music, and now and then their place in line."""
    uid, number = named(call, "wait"), number_in(call)
    store, rules = call.exchange.house.store, _rules(call)
    found = await store.write(
        connecting.held, call.account.id, call.ring.sid, uid, rules=rules, now=call.exchange.house.clock.now()
    )
    if found is None or found[0].state == "over":
        return hold.leave()
    wait, place = found
    is_told = wait.state == "waiting" and number % _EVERY == 0
    text = _place(call, wait, place) if is_told else ""
    there = f"{call.base}/hold"
    (file,) = await sounds(call, wait.language, text)
    return hold.music(
        text,
        f"{there}/music.wav",
        key=f"{there}/key?wait={uid}&n={number + 1}",
        again=f"{there}?wait={uid}&n={number + 1}",
        language=codec.locale(wait.language),
        file=file,
    )


async def pressed(call: Call) -> Answer:
    """A key while they wait."""
    key = dict(call.request.form).get("Digits", "")
    if key == "1" and call.ring.caller:
        await _give_up(call, "call_back")
    elif key == "2" and call.exchange.house.settings.voice.voicemail:
        await _give_up(call, "message")
    return await waiting(call)


async def left(call: Call) -> Answer:
    """They wait no more: joined and parted again, sent on, or gone."""
    result = dict(call.request.form).get("QueueResult", "")
    if result.startswith("redirected"):
        return codec.nothing()  # what follows has been said by whoever did it
    if result == "hangup" or call.ring.status in codec.ENDED:
        await call.exchange.hang_up(call.account, call.ring)
        return codec.nothing()
    wait = await _give_up(call, "done" if result in ("bridged", "bridging-in-process") else "failed")
    log.info("wait over", call=call.ring.sid, result=result[:20], ending=wait.ending if wait else None)
    return await _next(call, wait)


async def follow(call: Call) -> Answer:
    """Fetched out of the line, or back from a person: what follows is what was decided."""
    found = await call.exchange.house.store.read(connecting.of_call, call.account.id, call.ring.sid)
    return await _next(call, found if found is not None and found.uid == named(call, "wait") else None)


async def _next(call: Call, wait: Wait | None) -> Answer:
    """What a caller hears whose wait is over."""
    if wait is None:
        return codec.hang_up()
    if wait.state != "over":  # taken from the bot; or fetched out of the line though they wait on
        text = "" if wait.held_at is not None else phrase(wait.language, "voice_connecting")
        (file,) = await sounds(call, wait.language, text)
        return door.in_line(call.base, wait.uid, text, codec.locale(wait.language), file)
    rules, house = _rules(call), call.exchange.house
    if (wait.ending in ("call_back", "failed") and not wait.words) or (
        wait.ending == "nobody" and rules.nobody != "bot" and not wait.is_taken
    ):
        await house.store.write(promised.owed, wait, now=house.clock.now())
    match wait.ending:
        case "returned":
            return await _to_bot(call, wait, "voice_back")
        case "done" if rules.after == "bot":
            return await _to_bot(call, wait, "voice_back")
        case "nobody" if rules.nobody == "bot" or wait.is_taken:
            return await _to_bot(call, wait, "voice_nobody_free")
        case "message":
            return await take_message(call, phrase(wait.language, "voice_of_course"), language=wait.language)
        case "nobody" if rules.nobody == "message":
            return await take_message(call, phrase(wait.language, "voice_nobody_free"), language=wait.language)
        case "done":
            text = phrase(wait.language, "voice_bye")
        case "call_back" if wait.words:
            text = spoken(wait.words, wait.language)
        case "call_back":
            text = phrase(wait.language, "voice_will_call_back")
        case _ if call.ring.caller:
            text = " ".join(phrase(wait.language, one) for one in ("voice_nobody_free", "voice_later"))
        case _:
            text = phrase(wait.language, "voice_call_again")
    return await goodbye(call, text, wait.language)


async def _to_bot(call: Call, wait: Wait, key: str) -> Answer:
    mode = await mode_of(call)
    return await speak(call, await call.exchange.back(call.account, call.ring, wait.uid, key, mode), mode)


async def _give_up(call: Call, ending: Ending) -> Wait | None:
    return await call.exchange.house.store.write(
        connecting.give_up,
        call.account.id,
        call.ring.sid,
        named(call, "wait"),
        ending,
        rules=_rules(call),
        now=call.exchange.house.clock.now(),
    )


def _place(call: Call, wait: Wait, place: int) -> str:
    told = in_line(wait.language, place)
    keys = ["voice_line_call_back"] if call.ring.caller else []
    keys += ["voice_line_message"] if call.exchange.house.settings.voice.voicemail else []
    return " ".join([told, *(phrase(wait.language, one) for one in keys)])


# The person whose phone rings.


async def picked_up(call: Call) -> Answer:
    """Who calls and what about, and which key takes the call."""
    house, uid = call.exchange.house, named(call, "leg")
    found = await house.store.write(connecting.picked_up, call.account.id, uid, call.ring.sid, now=house.clock.now())
    business = await house.store.read(businesses.load, call.account.business_id)
    language = business.languages[0]
    if found is None:
        return codec.goodbye(phrase(language, "voice_gone"), language=codec.locale(language))
    action = f"{call.base}/leg/key?leg={uid}"
    return hold.whisper(_summary(found, business.name, language), action=action, language=codec.locale(language))


async def decided(call: Call) -> Answer:
    """They have pressed a key, or none: perhaps it was a machine that picked up."""
    house, uid = call.exchange.house, named(call, "leg")
    key = dict(call.request.form).get("Digits", "")
    press = partial(connecting.press, rules=_rules(call), now=house.clock.now())
    result = await house.store.write(press, call.account.id, uid, call.ring.sid, key[:1])
    language = await of_the_team(call)
    log.info("leg decided", leg=uid, result=result)
    if result != "taken":
        return codec.goodbye(phrase(language, f"voice_{result}"), language=codec.locale(language))
    wait = await house.store.read(connecting.of_leg, uid)
    action = f"{call.base}/leg/over?leg={uid}"
    return hold.join(phrase(language, "voice_taken"), wait, action=action, language=codec.locale(language))


async def parted(call: Call) -> Answer:
    """They have spoken, and the person is still there."""
    language = await of_the_team(call)
    return codec.goodbye(phrase(language, "voice_hung_up"), language=codec.locale(language))


async def news(call: Call) -> Answer:
    """How a leg goes."""
    house, uid = call.exchange.house, named(call, "leg")
    tell = partial(connecting.leg_news, rules=_rules(call), now=house.clock.now())
    await house.store.write(tell, call.account.id, uid, call.ring.sid, call.ring.status)
    return Answer()


async def of_the_team(call: Call) -> str:
    """The language in which people of the business are spoken to."""
    business = await call.exchange.house.store.read(businesses.load, call.account.business_id)
    return business.languages[0]


def _summary(found: Whisper, business: str, language: str) -> str:
    """In words for the ear; the note is what the bot has found out, without numbers that look like a card's."""
    words = languages.load(language).phrases
    caller = found.caller or found.phone or words["voice_withheld"]
    lines = [
        fill(words["voice_whisper"], {"business": business, "caller": caller}),
        "" if found.note == PERSON else connecting.without_cards(found.note)[:_MOST_WORDS],
        fill(words["note_said"], {"text": connecting.without_cards(found.said)[:_MOST_WORDS]}) if found.said else "",
        words["voice_take_key"],
    ]
    return spoken("\n".join(line for line in lines if line), language)


def _rules(call: Call) -> Rules:
    return call.exchange.people or Rules()


def named(call: Call, name: str) -> str:
    """The id in the address.

    Raises: BadRequest
    """
    uid = call.request.query.get(name, "")
    if len(uid) != 36 or quote(uid, safe="") != uid:
        raise BadRequest(name, "is not an id of ours")
    return uid


def number_in(call: Call) -> int:
    """How often the same was asked before, by the address."""
    said = call.request.query.get("n", "")
    return int(said) if said.isascii() and said.isdecimal() and len(said) < 7 else 0
