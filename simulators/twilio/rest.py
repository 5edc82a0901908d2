"""Twilio's REST API for messages, as the SDK uses it."""

import base64
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TypeVar
from urllib.parse import urlencode

from aiohttp import web
from aiohttp.typedefs import Handler

from simulators.twilio import contents, outbound
from simulators.twilio.checks import Draft, Refusal
from simulators.twilio.model import Account, Message, StoredMedia
from simulators.twilio.network import Network

Json = dict[str, object]
Item = TypeVar("Item")

NETWORK = web.AppKey("NETWORK", Network)
ACCOUNT_SID = web.RequestKey("ACCOUNT_SID", str)  # whose request it is

_ROOT = "/2010-04-01/Accounts/{account_sid}"
_ON_ITS_WAY = ("accepted", "queued", "sending", "scheduled")
_MOST_PER_PAGE = 1000
_MEDIA_LIFE = timedelta(hours=4)  # how long the address that media redirects to works


def routes() -> list[web.RouteDef]:
    """The paths under /2010-04-01, and the storage that media redirects lead to."""
    messages, message = f"{_ROOT}/Messages.json", f"{_ROOT}/Messages/{{sid:\\w+}}.json"
    media = f"{_ROOT}/Messages/{{sid}}/Media"
    return [
        web.post(messages, _create),
        web.get(messages, _list),
        web.get(message, _fetch),
        web.post(message, _update),
        web.delete(message, _delete),
        web.get(f"{media}.json", _list_media),
        web.get(f"{media}/{{media_sid:\\w+}}.json", _fetch_media),
        web.delete(f"{media}/{{media_sid:\\w+}}.json", _delete_media),
        web.get(f"{media}/{{media_sid:\\w+}}", _redirect_to_media),
        web.get("/_storage/{media_sid:\\w+}", _storage),
    ]


@web.middleware
async def as_twilio(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Credentials, faults and errors in Twilio's way, for everything under /2010-04-01."""
    if not request.path.startswith(("/2010-04-01/", "/v1/", "/v2/")):
        return await handler(request)
    dice, closing = request.app[NETWORK].dice, request.app[NETWORK].closing
    if dice.strikes("rest_hang"):
        await closing.wait()
    if dice.strikes("rest_429"):
        answer = _error(Refusal(20429, "Too Many Requests", status=429))
        answer.headers["Retry-After"] = str(dice.faults.retry_after_s)
        return answer
    if dice.strikes("rest_500"):
        return _error(Refusal(20500, "An internal server error has occurred", status=500))
    try:
        _authenticate(request)
        return await handler(request)
    except Refusal as refusal:
        return _error(refusal)
    except web.HTTPNotFound:
        return _error(_not_found(request))
    except web.HTTPMethodNotAllowed:
        return _error(Refusal(20004, "Method not allowed", status=405))


def _error(refusal: Refusal) -> web.Response:
    body = {
        "code": refusal.code,
        "message": refusal.text,
        "more_info": f"https://www.twilio.com/docs/errors/{refusal.code}",
        "status": refusal.status,
    }
    headers = {"WWW-Authenticate": 'Basic realm="Twilio API"'} if refusal.status == 401 else None
    return web.json_response(body, status=refusal.status, headers=headers)


def _not_found(request: web.Request) -> Refusal:
    return Refusal(20404, f"The requested resource {request.path} was not found", status=404)


def _authenticate(request: web.Request) -> None:
    network = request.app[NETWORK]
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    try:
        login, _, secret = base64.b64decode(encoded).decode().partition(":")
    except ValueError:
        login, secret = "", ""
    if request.path.startswith("/2010-04-01/"):
        account_sid = request.path.removeprefix("/2010-04-01/Accounts/").partition("/")[0].removesuffix(".json")
    else:  # the newer interfaces have no account in their paths: it is whose credentials these are
        owners = [one.sid for one in network.accounts.values() if login == one.sid or login in one.api_keys]
        account_sid = next(iter(owners), "")
    request[ACCOUNT_SID] = account_sid
    account = network.accounts.get(account_sid)
    parent = network.accounts.get(account.parent_sid) if account and account.parent_sid else None
    if scheme.lower() != "basic" or not any(_opens(owner, login, secret) for owner in (account, parent) if owner):
        raise Refusal(20003, "Authenticate", status=401)


def _opens(account: Account, login: str, secret: str) -> bool:
    if login == account.sid:
        return secret in (account.auth_token, *account.other_tokens)
    return account.api_keys.get(login) == secret


async def _create(request: web.Request) -> web.StreamResponse:
    network = request.app[NETWORK]
    form = await request.post()

    def one(name: str) -> str:
        return str(form.get(name, ""))

    filled = _filled(network, request.match_info["account_sid"], one("ContentSid"), one("ContentVariables"))
    message = outbound.send(
        network,
        Draft(
            account_sid=request.match_info["account_sid"],
            to=one("To"),
            sender=one("From"),
            messaging_service_sid=one("MessagingServiceSid"),
            body=filled.body if filled else one("Body"),
            media_urls=filled.media_urls if filled else tuple(str(url) for url in form.getall("MediaUrl", [])),
            shown=filled.shown if filled else None,
            place=one("PersistentAction"),
            shorten_urls=one("ShortenUrls").lower() == "true",
            status_callback=one("StatusCallback"),
            schedule_type=one("ScheduleType"),
            send_at=one("SendAt"),
        ),
    )
    answer = web.json_response(_message(message), status=201)
    if network.dice.strikes("status_early"):
        await network.settled(message.sid)
    if network.dice.strikes("accept_but_reset") and request.transport is not None:
        request.transport.abort()
    if network.dice.strikes("broken_json"):
        text = answer.text or ""
        return web.Response(text=text[: len(text) // 2], status=201, content_type="application/json")
    return answer


def _filled(network: Network, account_sid: str, content_sid: str, variables: str) -> contents.Filled | None:
    given = contents.read_variables(variables)
    if not content_sid:
        return None
    content = network.contents.get(content_sid)
    if content is None or content.account_sid != account_sid:
        raise Refusal(21655, f"The ContentSid {content_sid} is invalid")
    return contents.fill(content, given)


async def _list(request: web.Request) -> web.StreamResponse:
    query = request.query
    account_sid = request.match_info["account_sid"]
    first, last = _period(request)
    found = [
        message
        for message in reversed(request.app[NETWORK].messages.values())
        if message.account_sid == account_sid
        and query.get("To") in (None, "", message.to)
        and query.get("From") in (None, "", message.sender)
        # A message that has not left yet is dated by its arrival here, or nobody could look up a doubtful request.
        and first <= (message.sent_at or message.created_at) <= last
    ]
    return web.json_response(page(request, "messages", found, _message, lambda message: message.sid))


async def _fetch(request: web.Request) -> web.StreamResponse:
    return web.json_response(_message(_find(request)))


async def _update(request: web.Request) -> web.StreamResponse:
    message = _find(request)
    form = await request.post()
    if (status := form.get("Status")) is not None:
        if status != "canceled":
            raise Refusal(20001, "The status of a message can only be set to canceled")
        outbound.cancel(request.app[NETWORK], message)
    if (body := form.get("Body")) is not None:
        if body != "":
            raise Refusal(20001, "The body of a message can only be emptied")
        _check_finished(message)
        message.body, message.updated_at = "", request.app[NETWORK].clock()
    return web.json_response(_message(message))


async def _delete(request: web.Request) -> web.StreamResponse:
    message = _find(request)
    _check_finished(message)
    network = request.app[NETWORK]
    del network.messages[message.sid]
    for media in _media_of(network, message):
        del network.media[media.sid]
    return web.Response(status=204)


async def _list_media(request: web.Request) -> web.StreamResponse:
    found = _media_of(request.app[NETWORK], _find(request))
    return web.json_response(page(request, "media_list", found, _media, lambda media: media.sid))


async def _fetch_media(request: web.Request) -> web.StreamResponse:
    return web.json_response(_media(_find_media(request)))


async def _delete_media(request: web.Request) -> web.StreamResponse:
    del request.app[NETWORK].media[_find_media(request).sid]
    return web.Response(status=204)


async def _redirect_to_media(request: web.Request) -> web.StreamResponse:
    network = request.app[NETWORK]
    expires = int((network.clock() + _MEDIA_LIFE).timestamp())
    raise web.HTTPTemporaryRedirect(f"{network.storage_url}/_storage/{_find_media(request).sid}?expires={expires}")


async def _storage(request: web.Request) -> web.StreamResponse:
    """The file itself. As with real storage, credentials that belong to Twilio are an error here."""
    network = request.app[NETWORK]
    if "Authorization" in request.headers:
        return web.Response(status=400, text="only one way of authentication is allowed, and the address is one")
    stored = network.media.get(request.match_info["media_sid"])
    expires = request.query.get("expires", "")
    if stored is None or not expires.isdecimal() or int(expires) < network.clock().timestamp():
        return web.Response(status=403, text="this address is wrong or no longer valid")
    return web.Response(body=stored.media.content, headers={"Content-Type": stored.media.content_type})


def _find(request: web.Request) -> Message:
    message = request.app[NETWORK].messages.get(request.match_info["sid"])
    if message is None or message.account_sid != request.match_info["account_sid"]:
        raise _not_found(request)
    return message


def _find_media(request: web.Request) -> StoredMedia:
    stored = request.app[NETWORK].media.get(request.match_info["media_sid"])
    if stored is None or stored.message_sid != _find(request).sid:
        raise _not_found(request)
    return stored


def _media_of(network: Network, message: Message) -> list[StoredMedia]:
    return [stored for stored in network.media.values() if stored.message_sid == message.sid]


def _check_finished(message: Message) -> None:
    if message.status in _ON_ITS_WAY:
        raise Refusal(20009, "Cannot change or delete this message before it is complete", status=409)


def _period(request: web.Request) -> tuple[datetime, datetime]:
    """From when to when, both included. DateSent means that whole day."""
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    whole_day = timedelta(days=1) - timedelta(microseconds=1)
    for name in ("DateSent", "DateSent>", "DateSent<"):
        if not (value := request.query.get(name, "")):
            continue
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            raise Refusal(20001, f"{name} is no date: {value}") from None
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        day = at.replace(hour=0, minute=0, second=0, microsecond=0)
        if name == "DateSent":
            first, last = max(first, day), min(last, day + whole_day)
        elif name == "DateSent>":
            first = max(first, at)
        else:
            last = min(last, day + whole_day if len(value) == len("2026-03-03") else at)
    return first, last


def page(
    request: web.Request, key: str, found: Sequence[Item], render: Callable[[Item], Json], sid_of: Callable[[Item], str]
) -> Json:
    """Twilio's envelope around one page. The next page starts after a message, so that new ones shift nothing."""
    size = _whole(request, "PageSize", 50, least=1, most=_MOST_PER_PAGE)
    number = _whole(request, "Page", 0, least=0, most=1_000_000)
    after = request.query.get("PageToken", "").removeprefix("PA")
    start = next((place + 1 for place, item in enumerate(found) if sid_of(item) == after), number * size)
    shown = found[start : start + size]
    query = [(name, value) for name, value in request.query.items() if name not in ("Page", "PageSize", "PageToken")]

    def page_uri(page: int, *token: tuple[str, str]) -> str:
        return f"{request.path}?{urlencode([*query, ('PageSize', size), ('Page', page), *token])}"

    has_more = start + size < len(found)
    return {
        "first_page_uri": page_uri(0),
        "next_page_uri": page_uri(number + 1, ("PageToken", f"PA{sid_of(shown[-1])}")) if has_more else None,
        "previous_page_uri": page_uri(number - 1) if number else None,
        "page": number,
        "page_size": size,
        "start": start,
        "end": max(start + len(shown) - 1, 0),
        "uri": request.path_qs,
        key: [render(item) for item in shown],
    }


def _whole(request: web.Request, name: str, default: int, *, least: int, most: int) -> int:
    value = request.query.get(name, "")
    return min(max(int(value), least), most) if value.isdecimal() else default


def _message(message: Message) -> Json:
    uri = f"/2010-04-01/Accounts/{message.account_sid}/Messages/{message.sid}"
    # A service that has not chosen its number yet cannot count the parts.
    sender = None if message.status in ("accepted", "scheduled") else message.sender
    return {
        "account_sid": message.account_sid,
        "api_version": "2010-04-01",
        "body": message.body,
        "date_created": format_datetime(message.created_at),
        "date_sent": format_datetime(message.sent_at) if message.sent_at else None,
        "date_updated": format_datetime(message.updated_at),
        "direction": message.direction,
        "error_code": message.error_code,
        "error_message": outbound.reason(message.error_code) if message.error_code else None,
        "from": sender,
        "messaging_service_sid": message.messaging_service_sid,
        "num_media": str(len(message.media_urls)),
        "num_segments": str(message.num_segments) if sender else "0",
        "price": _price(message),
        "price_unit": "USD",
        "sid": message.sid,
        "status": message.status,
        "subresource_uris": {"media": f"{uri}/Media.json"},
        "to": message.to,
        "uri": f"{uri}.json",
    }


def _price(message: Message) -> str | None:
    """Negative, by the part, and only known once it has gone out."""
    has_gone = message.status in ("sent", "delivered", "undelivered", "read")
    return f"{-0.0079 * message.num_segments:.5f}" if has_gone and message.direction != "inbound" else None


def _media(stored: StoredMedia) -> Json:
    uri = f"/2010-04-01/Accounts/{stored.account_sid}/Messages/{stored.message_sid}/Media/{stored.sid}.json"
    created = format_datetime(stored.created_at)
    return {
        "account_sid": stored.account_sid,
        "content_type": stored.media.content_type,
        "date_created": created,
        "date_updated": created,
        "parent_sid": stored.message_sid,
        "sid": stored.sid,
        "uri": uri,
    }
