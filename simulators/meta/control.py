"""A small API under /_sim with which a person and curl can play a phone, look around, and cause trouble."""

from collections.abc import Mapping
from dataclasses import asdict

from aiohttp import web
from aiohttp.typedefs import Handler

from simulators.meta import faults
from simulators.meta.graph import NETWORK
from simulators.meta.model import Json, Number, Received
from simulators.meta.phone import Phone
from simulators.meta.webhooks import Post


def routes() -> list[web.RouteDef]:
    """The paths under /_sim."""
    return [
        web.get("/_sim", _overview),
        web.post("/_sim/numbers", _add_number),
        web.post("/_sim/accounts/{id}/news", _announce),
        web.post("/_sim/batches", _batch),
        web.get("/_sim/phones/{number}", _inbox),
        web.post("/_sim/phones/{number}/messages", _say),
        web.post("/_sim/phones/{number}/choices", _choose),
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
            raise web.HTTPUnsupportedMediaType(text='send JSON, for example with curl --json \'{"text": "hi"}\'')
        return await handler(request)
    except web.HTTPException as error:
        return web.json_response({"error": error.text}, status=error.status)


async def _overview(request: web.Request) -> web.Response:
    network = request.app[NETWORK]
    numbers = [asdict(number) for number in network.numbers.values()]
    return web.json_response(
        {
            "webhook_url": network.app.webhook_url,
            "numbers": numbers,
            "messages": len(network.messages),
            "requests": len(network.posts),
            "seen": asdict(network.seen),
        }
    )


async def _inbox(request: web.Request) -> web.Response:
    phone = _phone(request)
    return web.json_response({"number": phone.number, "inbox": [_received(one) for one in phone.inbox]})


async def _add_number(request: web.Request) -> web.Response:
    """`{"number", "phone_number_id", "waba_id"}`: one more number, also of another business."""
    data = await _object(request)
    names = ("number", "phone_number_id", "waba_id")
    if data.keys() != {*names} or not all(isinstance(one, str) and one for one in data.values()):
        example = '{"number": "+15125550143", "phone_number_id": "109", "waba_id": "209"}'
        raise web.HTTPBadRequest(text=f"send {example}")
    number = Number(**{name: str(data[name]) for name in names})
    try:
        request.app[NETWORK].add_number(number)
    except ValueError as error:
        raise web.HTTPBadRequest(text=str(error)) from error
    return web.json_response(asdict(number), status=201)


async def _announce(request: web.Request) -> web.Response:
    """`{"field", "value"}`: news of a whole account, such as that a template was approved."""
    data = await _object(request)
    field, value = data.get("field"), data.get("value")
    if not isinstance(field, str) or not isinstance(value, dict):
        raise web.HTTPBadRequest(text='send {"field": "account_update", "value": {"event": "VERIFIED_ACCOUNT"}}')
    posts = await request.app[NETWORK].announce(request.match_info["id"], field, value)
    return web.json_response({"webhook": [_post(post) for post in posts]}, status=201)


async def _batch(request: web.Request) -> web.Response:
    """`{"messages": [{"from", "to", "text"}, …]}`, each as for one phone and maybe to different numbers, in one request to the
    application.
    """
    said = (await _object(request)).get("messages")
    if not isinstance(said, list) or not said or not all(isinstance(one, dict) for one in said):
        example = '{"messages": [{"from": "+15551230001", "to": "+15125550102", "text": "hi"}]}'
        raise web.HTTPBadRequest(text=f"send {example}")
    network = request.app[NETWORK]
    before = len(network.posts)
    async with network.batching():
        for one in said:
            await _said(_phone_with(request, str(one.pop("from", ""))), one)
    return web.json_response({"webhook": [_post(post) for post in network.posts[before:]]}, status=201)


async def _say(request: web.Request) -> web.Response:
    """`{"to", "text"}`, or `{"to", "type", …}` with the content under the name of the type."""
    posts = await _said(_phone(request), await _object(request))
    return web.json_response({"webhook": [_post(post) for post in posts]}, status=201)


async def _said(phone: Phone, message: Mapping[str, object]) -> list[Post]:
    """Raises: web.HTTPException"""
    data = dict(message)
    to, text, kind = data.pop("to", None), data.pop("text", None), data.pop("type", None)
    if not isinstance(to, str) or isinstance(text, str) == isinstance(kind, str):
        raise web.HTTPBadRequest(text='send {"to": "+15125550102", "text": "hi"}, or a type with its content')
    try:
        if isinstance(text, str):
            return await phone.say(to, text)
        content, message_id = data.pop(str(kind), None), data.pop("message_id", None)
        again = message_id if isinstance(message_id, str) else None
        return await phone.send(to, str(kind), content, message_id=again, **data)
    except LookupError as error:
        raise web.HTTPNotFound(text=str(error)) from error


async def _choose(request: web.Request) -> web.Response:
    """`{"choice": title or id}` of the last message that had any."""
    choice = (await _object(request)).get("choice")
    phone = _phone(request)
    asked = next((one for one in reversed(phone.inbox) if one.options), None)
    if not isinstance(choice, str) or asked is None:
        raise web.HTTPBadRequest(text='send {"choice": "Haircut"}, after a message with buttons or a list')
    try:
        posts = await phone.choose(asked, choice)
    except LookupError as error:
        raise web.HTTPNotFound(text=str(error)) from error
    return web.json_response({"webhook": [_post(post) for post in posts]}, status=201)


async def _show_faults(request: web.Request) -> web.Response:
    return web.json_response(asdict(request.app[NETWORK].faults))


async def _set_faults(request: web.Request) -> web.Response:
    try:
        request.app[NETWORK].faults = faults.from_json(await _object(request))
    except ValueError as error:
        raise web.HTTPBadRequest(text=str(error)) from error
    return await _show_faults(request)


def _phone(request: web.Request) -> Phone:
    return _phone_with(request, request.match_info["number"])


def _phone_with(request: web.Request, number: str) -> Phone:
    try:
        return request.app[NETWORK].phone(number)
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


def _post(post: Post) -> Json:
    return {"url": post.url, "status": post.status, "answer": post.answer.decode(errors="replace")}


def _received(one: Received) -> Json:
    return {
        "id": one.id,
        "from": one.sender.number,
        "type": one.kind,
        "text": one.text,
        "options": one.options,
        "content": one.content,
        "at": one.at.isoformat(),
    }
