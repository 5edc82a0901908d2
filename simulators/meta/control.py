"""A small API under /_sim with which a person and curl can play a phone, look around, and cause trouble."""

from dataclasses import asdict

from aiohttp import web
from aiohttp.typedefs import Handler

from simulators.meta import faults
from simulators.meta.graph import NETWORK
from simulators.meta.model import Json, Received
from simulators.meta.phone import Phone
from simulators.meta.webhooks import Post


def routes() -> list[web.RouteDef]:
    """The paths under /_sim."""
    return [
        web.get("/_sim", _overview),
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


async def _say(request: web.Request) -> web.Response:
    """`{"to", "text"}`, or `{"to", "type", …}` with the content under the name of the type."""
    data = await _object(request)
    to, text, kind = data.pop("to", None), data.pop("text", None), data.pop("type", None)
    if not isinstance(to, str) or isinstance(text, str) == isinstance(kind, str):
        raise web.HTTPBadRequest(text='send {"to": "+15125550102", "text": "hi"}, or a type with its content')
    try:
        if isinstance(text, str):
            posts = await _phone(request).say(to, text)
        else:
            content, message_id = data.pop(str(kind), None), data.pop("message_id", None)
            again = message_id if isinstance(message_id, str) else None
            posts = await _phone(request).send(to, str(kind), content, message_id=again, **data)
    except LookupError as error:
        raise web.HTTPNotFound(text=str(error)) from error
    return web.json_response({"webhook": [_post(post) for post in posts]}, status=201)


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
