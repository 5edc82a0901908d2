"""The Graph API, as far as WhatsApp needs it."""

import hashlib
import json
import zlib
from datetime import datetime, timedelta
from random import Random

from aiohttp import web
from aiohttp.typedefs import Handler

from simulators.meta import delivery
from simulators.meta.checks import FILES, Refusal
from simulators.meta.faults import Dice, Faults
from simulators.meta.model import File, Json, Number, Stored, Template
from simulators.meta.network import Network

NETWORK = web.AppKey("META", Network)

_VERSION = "/{version:v\\d+\\.\\d+}"
_FILE_LIFE = timedelta(minutes=5)  # how long the address of a file works
_UPLOAD_LIFE = timedelta(days=30)
_SIZES = {"image": 5, "video": 16, "audio": 16, "document": 100, "sticker": 1}  # MB


def routes() -> list[web.RouteDef]:
    """The paths below the version, and where files lie."""
    return [
        web.post(f"{_VERSION}/{{id}}/messages", _messages),
        web.post(f"{_VERSION}/{{id}}/media", _upload),
        web.get(f"{_VERSION}/{{id}}/message_templates", _templates),
        web.get(f"{_VERSION}/{{id}}", _media),
        web.delete(f"{_VERSION}/{{id}}", _delete),
        web.get("/_files/{id}", _file),
    ]


@web.middleware
async def as_meta(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Tokens, faults and errors in Meta's way, for everything but the control API."""
    if request.path.startswith("/_sim"):
        return await handler(request)
    dice, closing = request.app[NETWORK].dice, request.app[NETWORK].closing
    if await _is_mark(request):
        dice = Dice(Faults(), Random())  # whoever counts faults means messages
    if dice.strikes("graph_hang"):
        await closing.wait()
    if dice.strikes("graph_429"):
        answer = _error(Refusal(130429, "(#130429) Rate limit hit", status=429))
        answer.headers["Retry-After"] = str(dice.faults.retry_after_s)
        return answer
    if dice.strikes("graph_500"):
        return web.Response(status=500, text="<html>Sorry, something went wrong.</html>", content_type="text/html")
    try:
        if dice.strikes("graph_error"):
            raise Refusal(dice.faults.error_code, f"(#{dice.faults.error_code}) as asked for")
        _authenticate(request)
        return await handler(request)
    except Refusal as refusal:
        return _error(refusal)
    except web.HTTPNotFound:
        return _error(Refusal(2500, f"Unknown path components: {request.path}"))


async def _is_mark(request: web.Request) -> bool:
    return request.content_type == "application/json" and b'"read"' in await request.read()


def _error(refusal: Refusal) -> web.Response:
    error: Json = {
        "message": refusal.text,
        "type": "OAuthException",
        "code": refusal.code,
        "error_data": {"messaging_product": "whatsapp", "details": refusal.text},
        "fbtrace_id": "A1b2C3",
    }
    if refusal.subcode is not None:
        error["error_subcode"] = refusal.subcode
    return web.json_response({"error": error}, status=refusal.status)


def _authenticate(request: web.Request) -> None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or token not in request.app[NETWORK].app.tokens:
        raise Refusal(190, "Invalid OAuth access token - Cannot parse access token", status=401)


def _number(request: web.Request) -> Number:
    number = request.app[NETWORK].by_id(request.match_info["id"])
    if number is None:
        text = f"Unsupported post request. Object with ID '{request.match_info['id']}' does not exist"
        raise Refusal(100, text, subcode=33)
    return number


async def _messages(request: web.Request) -> web.StreamResponse:
    network, number = request.app[NETWORK], _number(request)
    body = await _object(request)
    if body.get("status") == "read":
        return _mark(network, body)
    message = delivery.send(network, number, body)
    accepted: Json = {
        "messaging_product": "whatsapp",
        "contacts": [{"input": body.get("to") or body.get("recipient"), "wa_id": _wa_id(network, message.to)}],
        "messages": [{"id": message.id, "message_status": "accepted"}],
    }
    if network.dice.strikes("status_early"):
        await network.settled(message.id)
    if network.dice.strikes("echo_early"):
        await network.echo(message)
    if network.dice.strikes("accept_but_reset") and request.transport is not None:
        request.transport.abort()
    if network.dice.strikes("broken_json"):
        text = json.dumps(accepted)
        return web.Response(text=text[: len(text) // 2], content_type="application/json")
    return web.json_response(accepted)


def _wa_id(network: Network, to: str) -> str:
    phone = network.phone_of(to) if to.startswith("+") else None
    return (phone.number if phone else to).removeprefix("+")


def _mark(network: Network, body: Json) -> web.Response:
    message_id = body.get("message_id")
    if not isinstance(message_id, str) or not message_id.startswith("wamid."):
        raise Refusal(131009, "(#131009) Parameter value is not valid: message_id")
    network.seen.read.append(message_id)
    if body.get("typing_indicator") == {"type": "text"}:
        network.seen.typing.append(message_id)
    return web.json_response({"success": True})


async def _upload(request: web.Request) -> web.StreamResponse:
    _number(request)
    form = await request.post()
    part = form.get("file")
    if form.get("messaging_product") != "whatsapp" or not isinstance(part, web.FileField):
        raise Refusal(100, "(#100) messaging_product and file are required")
    content = part.file.read()
    family = part.content_type.partition("/")[0]
    limit = _SIZES.get(family if family in FILES else "document", 100)
    if not content or len(content) > limit * 1024**2:
        raise Refusal(100, f"(#100) The file must have 1 byte to {limit} MB")
    kept = request.app[NETWORK].keep(File(content, part.content_type, part.filename))
    return web.json_response({"id": kept["id"]})


async def _media(request: web.Request) -> web.StreamResponse:
    network, media_id = request.app[NETWORK], request.match_info["id"]
    file = _stored(network, media_id).file
    expires = int((network.clock() + _FILE_LIFE).timestamp())
    lost = "x" if network.dice.strikes("media_lost") else ""
    return web.json_response(
        {
            "messaging_product": "whatsapp",
            "url": f"{network.url}/_files/{media_id}{lost}?expires={expires}",
            "mime_type": file.content_type,
            "sha256": hashlib.sha256(file.content).hexdigest(),
            "file_size": len(file.content),
            "id": media_id,
        }
    )


async def _file(request: web.Request) -> web.StreamResponse:
    network = request.app[NETWORK]
    stored = network.media.get(request.match_info["id"])
    expires = request.query.get("expires", "")
    if stored is None or not expires.isdecimal() or int(expires) < network.clock().timestamp():
        return web.Response(status=404, text="URL signature expired")
    return web.Response(body=stored.file.content, headers={"Content-Type": stored.file.content_type})


async def _delete(request: web.Request) -> web.StreamResponse:
    network, media_id = request.app[NETWORK], request.match_info["id"]
    _stored(network, media_id)
    del network.media[media_id]
    return web.json_response({"success": True})


def _stored(network: Network, media_id: str) -> Stored:
    stored = network.media.get(media_id)
    oldest: datetime = network.clock() - _UPLOAD_LIFE
    if stored is None or stored.at < oldest:
        raise Refusal(100, f"Unsupported get request. Object with ID '{media_id}' does not exist", subcode=33)
    return stored


async def _templates(request: web.Request) -> web.StreamResponse:
    """The account's templates, a page at a time."""
    network = request.app[NETWORK]
    if request.match_info["id"] not in {number.waba_id for number in network.numbers.values()}:
        raise Refusal(100, "Unsupported get request. Object does not exist", subcode=33)
    limit, after = request.query.get("limit", "25"), request.query.get("after", "0")
    size = min(int(limit), 100) if limit.isdecimal() and int(limit) else 25
    start = int(after) if after.isdecimal() else 0
    shown = network.templates[start : start + size]
    answer: Json = {"data": [_template(one) for one in shown]}
    if shown:
        paging: Json = {"cursors": {"before": str(start), "after": str(start + len(shown))}}
        if start + len(shown) < len(network.templates):
            paging["next"] = f"{network.url}{request.path}?limit={size}&after={start + len(shown)}"
        answer["paging"] = paging
    return web.json_response(answer)


def _template(one: Template) -> Json:
    return {
        "id": str(zlib.crc32(f"{one.name} {one.language}".encode())),
        "name": one.name,
        "language": one.language,
        "status": one.status,
        "category": one.category,
        "components": list(one.components),
    }


async def _object(request: web.Request) -> Json:
    try:
        data: object = await request.json()
    except (ValueError, RecursionError):
        raise Refusal(100, "(#100) that is not JSON") from None
    if not isinstance(data, dict):
        raise Refusal(100, "(#100) send a JSON object")
    return data
