"""Where the links of letters lead: a page on which one chooses a password, without a byte from elsewhere.

The link's secret stands behind the `#`, so it comes to no server but in the body of the one request it is for.
"""

import base64
import hashlib
import re
from functools import cache
from pathlib import Path
from typing import Final

from aiohttp import web

_PAGE: Final = Path(__file__).with_name("page.html")
_PATHS: Final = ("/set-password", "/accept-invitation")


def add_routes(app: web.Application) -> None:
    for path in _PATHS:
        for spelling in (path, f"{path}/"):
            app.router.add_get(spelling, page)


async def page(_request: web.Request) -> web.Response:
    text, policy = _read()
    headers = {
        "Content-Security-Policy": policy,
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
    return web.Response(text=text, content_type="text/html", headers=headers)


@cache
def _read() -> tuple[str, str]:
    """The page, and a policy that lets its own script and style run and nothing else."""
    text = _PAGE.read_text("utf-8")
    allowed = [f"{tag}-src 'sha256-{_digest(text, tag)}'" for tag in ("script", "style")]
    rest = "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    return text, "; ".join(["default-src 'none'", *allowed, rest])


def _digest(text: str, tag: str) -> str:
    [inside] = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
    return base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
