"""Twilio's newer REST interfaces: the Content API, and the typing indicator of WhatsApp."""

from aiohttp import web

from simulators.twilio import contents
from simulators.twilio.checks import Refusal
from simulators.twilio.model import Content
from simulators.twilio.network import Network
from simulators.twilio.rest import ACCOUNT_SID, NETWORK, Json

_PAGE = 500


def routes() -> list[web.RouteDef]:
    """The paths under /v1 (content.twilio.com) and /v2 (messaging.twilio.com)."""
    one = r"/v1/Content/{sid:\w+}"
    return [
        web.post("/v1/Content", _create),
        web.get("/v1/Content", _list),
        web.get("/v1/ContentAndApprovals", _list),
        web.get(one, _fetch),
        web.delete(one, _delete),
        web.post(f"{one}/ApprovalRequests/whatsapp", _approve),
        web.get(f"{one}/ApprovalRequests", _approval),
        web.post("/v2/Indicators/Typing.json", _typing),
    ]


async def _create(request: web.Request) -> web.Response:
    network = request.app[NETWORK]
    try:
        data: object = await request.json()
    except ValueError:
        data = None
    name, language, variables, types = contents.check(data)
    content = Content(
        sid="HX" + network.new_id(),
        account_sid=request[ACCOUNT_SID],
        friendly_name=name,
        language=language,
        variables=variables,
        types=types,
        created_at=network.clock(),
    )
    network.contents[content.sid] = content
    return web.json_response(_json(network, content), status=201)


async def _list(request: web.Request) -> web.Response:
    network = request.app[NETWORK]
    mine = [one for one in network.contents.values() if one.account_sid == request[ACCOUNT_SID]]
    size = min(int(request.query.get("PageSize", "50")), _PAGE)
    page = int(request.query.get("Page", "0"))
    shown = mine[page * size : (page + 1) * size]
    here = f"{network.url}{request.path}?PageSize={size}&Page="
    meta = {
        "page": page,
        "page_size": size,
        "first_page_url": f"{here}0",
        "previous_page_url": f"{here}{page - 1}" if page else None,
        "url": f"{here}{page}",
        "next_page_url": f"{here}{page + 1}" if (page + 1) * size < len(mine) else None,
        "key": "contents",
    }
    told = [{**_json(network, one), "approval_requests": _approval_of(one)} for one in shown]
    return web.json_response({"contents": told, "meta": meta})


async def _fetch(request: web.Request) -> web.Response:
    return web.json_response(_json(request.app[NETWORK], _find(request)))


async def _delete(request: web.Request) -> web.Response:
    del request.app[NETWORK].contents[_find(request).sid]
    return web.Response(status=204)


async def _approve(request: web.Request) -> web.Response:
    """WhatsApp approves at once whatever it ever approves."""
    content = _find(request)
    if not contents.may_be_approved(content):
        raise Refusal(20001, "Content of this type cannot be approved")
    content.is_approved = True
    return await _approval(request)


async def _approval(request: web.Request) -> web.Response:
    content = _find(request)
    return web.json_response({"sid": content.sid, "whatsapp": _approval_of(content)})


async def _typing(request: web.Request) -> web.Response:
    network = request.app[NETWORK]
    form = await request.post()
    message = network.messages.get(str(form.get("messageId", "")))
    is_known = message is not None and message.direction == "inbound" and message.account_sid == request[ACCOUNT_SID]
    if message is None or not is_known or form.get("channel") != "whatsapp":
        raise Refusal(20404, "There is no such message", status=404)
    phone = network.phone(message.sender or "")
    phone.typing_since = network.clock()
    phone.ticked += [message.sid] if message.sid not in phone.ticked else []
    return web.json_response({"success": True}, status=200)


def _approval_of(content: Content) -> Json:
    status = "approved" if content.is_approved else "unsubmitted"
    return {"name": content.friendly_name, "category": "UTILITY", "status": status}


def _find(request: web.Request) -> Content:
    content = request.app[NETWORK].contents.get(request.match_info["sid"])
    if content is None or content.account_sid != request[ACCOUNT_SID]:
        raise Refusal(20404, f"The requested resource {request.path} was not found", status=404)
    return content


def _json(network: Network, content: Content) -> Json:
    at = content.created_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    url = f"{network.url}/v1/Content/{content.sid}"
    return {
        "sid": content.sid,
        "account_sid": content.account_sid,
        "friendly_name": content.friendly_name,
        "language": content.language,
        "variables": dict(content.variables),
        "types": dict(content.types),
        "url": url,
        "links": {"approval_create": f"{url}/ApprovalRequests/whatsapp", "approval_fetch": f"{url}/ApprovalRequests"},
        "date_created": at,
        "date_updated": at,
    }
