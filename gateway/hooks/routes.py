"""The doors for providers and for the web chat: an HTTP request in, the pipeline's answer out."""

from collections.abc import Callable
from ipaddress import ip_address

from aiohttp import web

from channels.base import Request
from channels.errors import BadRequest
from channels.meta.signing import challenge
from channels.twilio.codec import is_whatsapp
from gateway.errors import problem
from gateway.pipeline.receive import Forged, Receiver
from storage.store import StoreUnavailable

RECEIVER = web.AppKey("receiver", Receiver)

# Why a request is not taken: not the provider's, no sense in it, or the database is away.
NOT_TAKEN = (Forged, BadRequest, StoreUnavailable)

_RETRY_AFTER_S = "5"
_META_MOST_BYTES = 3 * 1024 * 1024  # of one request (developers.facebook.com/docs/whatsapp/cloud-api/webhooks)


def add_routes(app: web.Application) -> None:
    """Mount every provider's webhook, with and without a trailing slash, versioned and bare."""
    for prefix in ("/api/v1/webhooks", "/webhooks"):
        for path in (f"{prefix}/twilio/messages", f"{prefix}/twilio/status"):
            for method in ("POST", "GET"):
                app.router.add_route(method, path, twilio)
                app.router.add_route(method, f"{path}/", twilio)
        for path in (f"{prefix}/whatsapp", f"{prefix}/whatsapp/"):
            app.router.add_post(path, meta_whatsapp)
            app.router.add_get(path, meta_challenge, allow_head=False)


async def twilio(request: web.Request) -> web.Response:
    """Twilio's messages and what became of ours, by SMS and WhatsApp; all are signed alike and tell themselves apart."""
    return await webhook(request, "twilio", lambda incoming: "whatsapp" if is_whatsapp(incoming) else "sms")


async def meta_whatsapp(request: web.Request) -> web.Response:
    """Everything that Meta has to tell about our WhatsApp numbers."""
    most = request.app[RECEIVER].house.settings.server.max_body_bytes
    return await webhook(request.clone(client_max_size=max(most, _META_MOST_BYTES)), "meta", "whatsapp")


async def meta_challenge(request: web.Request) -> web.Response:
    """Meta's question whether this webhook is ours: its word back, for whoever knows ours."""
    try:
        asked = Request.read(request.method, request.raw_path, request.headers)
        tokens = await request.app[RECEIVER].house.accounts.verify_tokens("meta")
    except NOT_TAKEN as why:
        return turned_away(request, why)
    word = challenge(asked, tokens)
    if word is None:
        return problem(request, 403, "BAD_VERIFY_TOKEN", "The verify token is missing or is not ours.")
    return web.Response(text=word, headers={"X-Content-Type-Options": "nosniff"})


async def webhook(request: web.Request, provider: str, channel: str | Callable[[Request], str]) -> web.Response:
    """The pipeline's answer to a provider's request, or the refusal that fits."""
    body = await request.read()
    try:
        incoming = Request.read(request.method, request.raw_path, request.headers, body)
        if not isinstance(channel, str):
            channel = channel(incoming)
        answer = await request.app[RECEIVER].webhook(provider, channel, incoming, public_urls(request))
    except (*NOT_TAKEN, OSError) as why:
        return turned_away(request, why)
    return web.Response(
        status=answer.status, body=answer.body, headers={"Content-Type": answer.content_type} if answer.body else None
    )


def turned_away(request: web.Request, why: Exception) -> web.Response:
    """The answer to a request of a provider's that we did not take, for one of `NOT_TAKEN` or trouble with the disk."""
    match why:
        case Forged():
            return problem(request, 403, "BAD_SIGNATURE", "The signature is missing or does not fit this request.")
        case BadRequest(field=field, problem=wrong):
            return problem(request, 400, "BAD_REQUEST", f"{field}: {wrong}")
        case _:
            return away(request)


def away(request: web.Request) -> web.Response:
    """Nothing was kept; the provider should try again."""
    answer = problem(request, 503, "UNAVAILABLE", "Nothing can be stored just now; please try again.")
    answer.headers["Retry-After"] = _RETRY_AFTER_S
    return answer


def public_urls(request: web.Request) -> tuple[str, ...]:
    """The addresses under which the provider may know us.

    The configured public address is the only one, except on a developer's machine: while it is a loopback one, the host
    that the request names counts too. `X-Forwarded-*` count only when they come from a trusted proxy; anybody can send
    them (promises W3).
    """
    settings = request.app[RECEIVER].house.settings.server
    urls = [settings.public_url]
    if settings.is_public_url_local:
        urls.append(f"{request.scheme}://{request.host}")
    if (forwarded := _forwarded(request)) is not None:
        urls.append(forwarded)
    return tuple(urls)


def _forwarded(request: web.Request) -> str | None:
    proxies = request.app[RECEIVER].house.settings.server.trusted_proxies
    host = request.headers.get("X-Forwarded-Host") or request.headers.get("Host")
    scheme = request.headers.get("X-Forwarded-Proto")
    if not proxies or not host or scheme not in ("http", "https"):
        return None
    try:
        peer = ip_address(request.remote or "")
    except ValueError:
        return None
    return f"{scheme}://{host}" if any(peer in network for network in proxies) else None
