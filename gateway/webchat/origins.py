"""Which pages may show a web chat: our own, and those whose origin its settings allow."""

from urllib.parse import urlsplit

from aiohttp import web

from channels.webchat.codec import SESSION_HEADER
from gateway.accounts import Account
from gateway.settings import Settings

# So long a browser remembers that it may.
_REMEMBERED_S = "600"


def is_allowed(request: web.Request, account: Account | None, settings: Settings) -> bool:
    """Whether the page that asks may. What is no page sends no origin, and could send any."""
    origin = request.headers.get("Origin")
    if origin is None or is_own(origin, request.host, settings):
        return True
    return account is not None and any(_fits(origin.lower(), allowed) for allowed in account.widget.allowed_origins)


def is_own(origin: str, host: str, settings: Settings) -> bool:
    """Whether it is a page of ours. X-Forwarded-Host can be written by anybody and counts for nothing."""
    ours = urlsplit(settings.server.public_url)
    return origin == f"{ours.scheme}://{ours.netloc}" or origin.partition("://")[2] == host


def headers(request: web.Request) -> dict[str, str]:
    """What tells the browser that this page, which is allowed, may read the answer (fetch.spec.whatwg.org, CORS). There
    are no cookies in it.
    """
    origin = request.headers.get("Origin")
    said = {"Vary": "Origin"}
    if origin is not None:
        said |= {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": "Retry-After"}
    if request.method == "OPTIONS":
        said |= {
            "Access-Control-Allow-Methods": "GET, POST",
            "Access-Control-Allow-Headers": f"Content-Type, {SESSION_HEADER}",
            "Access-Control-Max-Age": _REMEMBERED_S,
        }
    return said


def _fits(origin: str, allowed: str) -> bool:
    if "*." not in allowed:
        return allowed in ("*", origin)
    scheme, _, below = allowed.partition("*")  # "https://", ".example.com:8443"
    inside = origin.removeprefix(scheme).removesuffix(below)
    return origin.startswith(scheme) and origin.endswith(below) and inside != "" and ":" not in inside
