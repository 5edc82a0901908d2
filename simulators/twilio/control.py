"""A small API under /_sim with which a person and curl can play a phone, look around, and cause trouble."""

import base64
import binascii
from dataclasses import asdict
from typing import cast, get_args

from aiohttp import web
from aiohttp.typedefs import Handler

from simulators import tones
from simulators.twilio import faults, voice
from simulators.twilio.inbound import UnknownNumber
from simulators.twilio.model import Exchange, Media, Message, Received
from simulators.twilio.phone import Phone
from simulators.twilio.rest import NETWORK, Json
from simulators.twilio.voice_call import Call
from simulators.twilio.voice_model import Callee, CallOver, Pickup

_ANSWER_S = 10.0
_PATIENCE_S = 60.0


def routes() -> list[web.RouteDef]:
    """The paths under /_sim."""
    return [
        web.get("/_sim", _overview),
        web.get("/_sim/phones/{number}", _inbox),
        web.post("/_sim/phones/{number}/messages", _text),
        web.post("/_sim/phones/{number}/taps", _tap),
        web.post("/_sim/phones/{number}/reads", _read),
        web.put("/_sim/phones/{number}/pickup", _set_pickup),
        web.get("/_sim/phones/{number}/calls", _calls),
        web.post("/_sim/phones/{number}/calls", _call),
        web.get("/_sim/calls/{sid}", _listen),
        web.get("/_sim/calls/{sid}/sound", _sound),
        web.post("/_sim/calls/{sid}", _speak),
        web.get("/_sim/faults", _show_faults),
        web.put("/_sim/faults", _set_faults),
    ]


@web.middleware
async def as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Errors under /_sim as JSON. Only JSON is taken in, which no foreign web page can send here unasked."""
    if not request.path.startswith("/_sim"):
        return await handler(request)
    try:
        if request.method in ("POST", "PUT") and request.content_type != "application/json":
            raise web.HTTPUnsupportedMediaType(text='send JSON, for example with curl --json \'{"body": "hi"}\'')
        return await handler(request)
    except web.HTTPException as error:
        return web.json_response({"error": error.text}, status=error.status)


async def _overview(request: web.Request) -> web.Response:
    network = request.app[NETWORK]
    numbers = [
        {"number": number.number, "account_sid": number.account_sid, "webhook_url": number.webhook_url}
        for number in network.numbers.values()
    ]
    alerts = [asdict(alert) for alert in network.alerts[-50:]]
    return web.json_response(
        {"numbers": numbers, "messages": len(network.messages), "requests": len(network.posts), "alerts": alerts}
    )


async def _inbox(request: web.Request) -> web.Response:
    phone = _phone(request)
    return web.json_response({"number": phone.number, "inbox": [_received(text) for text in phone.inbox]})


async def _text(request: web.Request) -> web.Response:
    data = await _object(request)
    to, body, media = data.get("to"), data.get("body", ""), data.get("media", [])
    if not isinstance(to, str) or not isinstance(body, str) or not isinstance(media, list):
        raise web.HTTPBadRequest(text='send {"to": "+15125550100", "body": "hi"}; media is a list')
    try:
        exchange = await _phone(request).text(to, body, media=[_file(item) for item in media])
    except UnknownNumber as error:
        raise web.HTTPNotFound(text=str(error)) from error
    return web.json_response(_exchange(exchange), status=201)


async def _tap(request: web.Request) -> web.Response:
    title = (await _object(request)).get("title")
    if not isinstance(title, str):
        raise web.HTTPBadRequest(text='send {"title": "Confirm"}, a button or row on the phone')
    try:
        exchange = await _phone(request).tap(title)
    except LookupError as error:
        raise web.HTTPNotFound(text=str(error)) from error
    return web.json_response(_exchange(exchange), status=201)


async def _read(request: web.Request) -> web.Response:
    await _object(request)
    await _phone(request).read()
    return web.Response(status=204)


async def _call(request: web.Request) -> web.Response:
    to = (await _object(request)).get("to")
    if not isinstance(to, str):
        raise web.HTTPBadRequest(text='send {"to": "+15125550100"}')
    try:
        call = await voice.call(request.app[NETWORK], _phone(request).number, to, {})
        await _quiet(call)
    except UnknownNumber as error:
        raise web.HTTPNotFound(text=str(error)) from error
    except TimeoutError as error:
        raise web.HTTPGatewayTimeout(text=str(error)) from error
    return web.json_response(_told(call), status=201)


async def _set_pickup(request: web.Request) -> web.Response:
    """How the phone behaves when it rings from now on."""
    data, network, number = await _object(request), request.app[NETWORK], _phone(request).number
    match data:
        case {"how": str(how)} if how in get_args(Pickup) and data.keys() <= {"how", "after_s", "greeting", "detected"}:
            usual = Callee()
            after_s, greeting = data.get("after_s", usual.after_s), data.get("greeting", usual.greeting)
            detected = data.get("detected", "")
        case _:
            raise web.HTTPBadRequest(text=f'send {{"how": "machine"}}; how is one of {", ".join(get_args(Pickup))}')
    if not isinstance(after_s, int | float) or not isinstance(greeting, str) or not isinstance(detected, str):
        raise web.HTTPBadRequest(text="after_s is a number of seconds, greeting and detected are texts")
    network.callees[number] = Callee(how=cast(Pickup, how), after_s=after_s, greeting=greeting, detected=detected)
    return web.json_response(asdict(network.callees[number]))


async def _calls(request: web.Request) -> web.Response:
    """The calls of that phone, also those for which the application lets it ring, the latest first."""
    number = _phone(request).number
    mine = [call for call in request.app[NETWORK].calls.values() if number in (call.sender, call.to)]
    return web.json_response({"calls": [_told(call) for call in mine[::-1]]})


async def _listen(request: web.Request) -> web.Response:
    return web.json_response(_told(_found(request)))


async def _sound(request: web.Request) -> web.Response:
    """What the phone has played so far of a stream, as a WAV file."""
    stream = _found(request).stream
    if stream is None:
        raise web.HTTPNotFound(text="this call has no stream, so there is no sound to hear")
    return web.Response(body=tones.to_wav(bytes(stream.played)), content_type="audio/wav")


async def _speak(request: web.Request) -> web.Response:
    """Say something, make a sound, press keys or hang up; back when the other side has answered, or is silent for good."""
    call, data = _found(request), await _object(request)
    try:
        if "say" in data or "wav" in data:
            await _quiet(call)
        said = len(call.transcript)
        match data:
            case {"say": str(text)} if text.strip():
                await call.say(text)
            case {"wav": str(coded)} if call.stream is not None:
                await call.utter(_mu_law(coded))
            case {"press": str(keys)} if keys and not keys.strip("0123456789*#"):
                await call.press(keys)
            case {"hang_up": True}:
                await call.hang_up()
            case _:
                raise web.HTTPBadRequest(
                    text='send {"say": "tomorrow"}, {"press": "1"}, {"hang_up": true} or, into a stream, {"wav": base64}'
                )
        await _quiet(call, said)
    except CallOver as error:
        raise web.HTTPConflict(text=str(error)) from error
    except TimeoutError as error:
        raise web.HTTPGatewayTimeout(text=str(error)) from error
    return web.json_response(_told(call))


def _mu_law(coded: str) -> bytes:
    try:
        return tones.from_wav(base64.b64decode(coded, validate=True))
    except ValueError as error:
        raise web.HTTPBadRequest(
            text=f"wav should be a WAV file of 8,000 samples a second in base64: {error}"
        ) from None


async def _quiet(call: Call, since: int = -1) -> None:
    """Wait until the other side has finished and listens; with `since`, after it has said something more than that."""

    def is_so() -> bool:
        has_spoken = any(line.who == "bot" for line in call.transcript[max(0, since) :])
        is_quiet = call.listener is not None and not call.is_speaking
        return call.over.is_set() or (is_quiet and (since < 0 or has_spoken))

    if since >= 0:  # it may have nothing to say
        await call.network.time.until(lambda: call.is_speaking or is_so(), timeout_s=_ANSWER_S, within_s=_ANSWER_S)
    if since < 0 or call.is_speaking:
        await call.network.time.until(is_so, timeout_s=_PATIENCE_S, within_s=_PATIENCE_S)


def _found(request: web.Request) -> Call:
    call = request.app[NETWORK].calls.get(request.match_info["sid"])
    if call is None:
        raise web.HTTPNotFound(text="there is no such call")
    return call


def _told(call: Call) -> Json:
    lines = [{"who": line.who, "text": line.text.strip(), "is_cut": line.is_cut} for line in call.transcript]
    told: Json = {"sid": call.sid, "from": call.sender, "to": call.to, "status": call.status, "transcript": lines}
    return told if call.left is None else {**told, "left": call.left}


async def _show_faults(request: web.Request) -> web.Response:
    return web.json_response(asdict(request.app[NETWORK].faults))


async def _set_faults(request: web.Request) -> web.Response:
    try:
        request.app[NETWORK].faults = faults.from_json(await _object(request))
    except ValueError as error:
        raise web.HTTPBadRequest(text=str(error)) from error
    return await _show_faults(request)


def _phone(request: web.Request) -> Phone:
    try:
        return request.app[NETWORK].phone(request.match_info["number"])
    except ValueError as error:
        raise web.HTTPBadRequest(text=str(error)) from error


async def _object(request: web.Request) -> Json:
    try:
        data: object = await request.json()
    except (ValueError, RecursionError) as error:
        raise web.HTTPBadRequest(text="that is not JSON") from error
    if not isinstance(data, dict):
        raise web.HTTPBadRequest(text="send a JSON object")
    return data


def _file(item: object) -> Media:
    match item:
        case {"content_type": str(content_type), "base64": str(content)}:
            try:
                return Media(base64.b64decode(content, validate=True), content_type)
            except binascii.Error as error:
                raise web.HTTPBadRequest(text="the base64 of a file does not decode") from error
        case _:
            raise web.HTTPBadRequest(text='a file is {"content_type": "image/png", "base64": "…"}')


def _exchange(exchange: Exchange) -> Json:
    return {
        "sid": exchange.message.sid,
        "webhook": [
            {
                "url": post.url,
                "status": post.status,
                "error": post.error,
                "answer": post.answer.decode(errors="replace"),
            }
            for post in exchange.posts
        ],
        "replies": [_reply(message) for message in exchange.replies],
    }


def _reply(message: Message) -> Json:
    return {"sid": message.sid, "to": message.to, "body": message.body, "media": message.media_urls}


def _received(text: Received) -> Json:
    extras: Json = {
        "choices": [asdict(choice) for choice in text.choices],
        "links": [{"title": title, "url": url} for title, url in text.shown.links],
        "menu": text.shown.menu,
        "place": text.shown.place,
    }
    return {
        **{name: value for name, value in extras.items() if value},
        "sid": text.sid,
        "from": text.sender,
        "body": text.body,
        "media": text.media_urls,
        "at": text.at.isoformat(),
    }
