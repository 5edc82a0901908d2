"""`GET /media/{token}`: a file for whoever holds a link to it.

Whatever is in it came from somebody else. So the browser is told to guess nothing (`nosniff`) and to run nothing (`CSP`),
and only what we have recognised, and what cannot hold a script, is shown where it stands; all else is saved.

A browser shows a file in a page that it makes for it, which fetches the file once more: film and sound do not play without
`media-src`, and older Chromium shows no PDF without `object-src` and the `style` of that page. In a `sandbox` the page is of
no origin, so that nothing is of its own ('self') and no viewer may run; it is for what is saved (issues.chromium.org/41131921).
"""

import asyncio
import re
from typing import Final
from urllib.parse import quote

from aiohttp import web

from channels import vcard
from channels.messages import OutboundMessage
from desk import files, messages
from desk.files import File
from gateway import health
from gateway.auth.schemes import COOKIE
from gateway.context import House
from gateway.errors import problem
from gateway.media import bare
from gateway.media.links import PATH, Expired, Link
from gateway.media.look import SAVED, SHOWN
from storage.blobs import Missing, Unavailable, name_of, thumbnail_of
from storage.store import StoreUnavailable

_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",  # of what is saved
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}
_SHOWN_WITH: Final = (
    "default-src 'none'; img-src 'self'; media-src 'self'; object-src 'self'; style-src 'unsafe-inline'"
)
_THUMBNAIL: Final = "image/webp"
_UNKNOWN: Final = "application/octet-stream"
_NOT_IN_NAMES: Final = re.compile(r'[\x00-\x1f\x7f"\\/:*?<>|]')


def add_routes(app: web.Application) -> None:
    app.router.add_get(PATH + "{token}", serve)


async def serve(request: web.Request) -> web.StreamResponse:
    """The file, or the part of it that was asked for."""
    try:
        return await _serve(request)
    except (StoreUnavailable, Unavailable):
        return problem(request, 503, "UNAVAILABLE", "Nothing can be read just now; please try again.")


async def _serve(request: web.Request) -> web.StreamResponse:
    house = request.app[health.HOUSE]
    now = house.clock.now()
    try:
        link = house.links.read(request.match_info["token"], now)
    except Expired:
        return problem(request, 403, "LINK_EXPIRED", "This link is too old; ask for a new one.")
    if link is not None and link.variant == "card":
        return await _card(request, house, link)
    file = None if link is None else await house.store.read(files.by_uid, link.uid)
    if link is None or file is None or file.sha256 is None or await _is_anothers(request, house, file):
        return problem(request, 404, "NOT_FOUND", "There is no such file.")
    if link.variant == "thumbnail" and not file.has_thumbnail:
        return problem(request, 404, "NOT_FOUND", "There is no small picture of this file.")
    headers = {**_HEADERS, **_told(file, link)}
    headers["Cache-Control"] = f"private, max-age={int((link.until - now).total_seconds())}, immutable"
    if request.headers.get("If-None-Match", "").removeprefix("W/") in (headers["ETag"], "*"):
        return web.Response(status=304, headers=headers)
    if link.variant == "thumbnail":
        return await _send(request, house, thumbnail_of(file.tenant_id, file.sha256), headers, size=None)
    if link.variant == "onward" and bare.is_for(file.content_type):
        return await _bare(request, house, file, headers)
    return await _send(request, house, name_of(file.tenant_id, file.sha256), headers, size=file.size)


async def _bare(request: web.Request, house: House, file: File, headers: dict[str, str]) -> web.StreamResponse:
    """A picture on its way to a customer: it may be one that another customer has sent from their home."""
    try:
        pieces = [piece async for piece in house.keeper.blobs.read(name_of(file.tenant_id, file.sha256 or ""))]
    except Missing:
        return problem(request, 404, "NOT_FOUND", "There is no such file.")
    return web.Response(body=await asyncio.to_thread(bare.of, b"".join(pieces), file.content_type), headers=headers)


async def _card(request: web.Request, house: House, link: Link) -> web.StreamResponse:
    """The visiting card in a message of ours, as a file for the provider that is to pass it on."""
    content = await house.store.read(messages.content_of, link.uid)
    card = OutboundMessage.from_json(content).contact if isinstance(content, dict) else None
    if card is None:
        return problem(request, 404, "NOT_FOUND", "There is no such card.")
    told = {
        "Content-Type": vcard.CONTENT_TYPE,  # and nothing after it: Twilio compares it with what it allows
        "Content-Disposition": 'attachment; filename="card.vcf"',
        "Cache-Control": "private, no-cache",
    }
    return web.Response(body=vcard.of(card), headers={**_HEADERS, **told})


async def _is_anothers(request: web.Request, house: House, file: File) -> bool:
    """Whether somebody of another tenant follows it: a link that has gone astray."""
    cookie = request.cookies.get(COOKIE)
    who = None if cookie is None else await house.doorman.of_cookie(cookie, now=house.clock.now())
    return who is not None and who.tenant_id != file.tenant_id


def _told(file: File, link: Link) -> dict[str, str]:
    """What the headers say about it."""
    is_small = link.variant == "thumbnail"
    is_shown = is_small or file.content_type in SHOWN
    is_told = is_shown or file.content_type in SAVED
    content_type = _THUMBNAIL if is_small else file.content_type if is_told else _UNKNOWN
    name = _NOT_IN_NAMES.sub("_", file.name).strip(". ") or file.kind
    plain = name.encode("ascii", "replace").decode().replace("?", "_")
    where = "inline" if is_shown else "attachment"
    return {
        "Content-Type": content_type,
        "Content-Disposition": f"{where}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}",
        "ETag": f'"{file.sha256}{".t" if is_small else ""}"',
        **({"Content-Security-Policy": _SHOWN_WITH} if is_shown else {}),
    }


async def _send(
    request: web.Request, house: House, name: str, headers: dict[str, str], *, size: int | None
) -> web.StreamResponse:
    """The contents `name`, or one range of them; without a `size` always all (RFC 9110, section 14)."""
    status, start, length = 200, 0, size
    if size is not None:
        headers["Accept-Ranges"] = "bytes"
        try:
            wanted = request.http_range if _may_range(request, headers["ETag"]) else slice(None)
        except ValueError:
            wanted = slice(None)  # not bytes, or several: all of it is a good answer
        if (wanted.start, wanted.stop) != (None, None):
            start, stop, _ = wanted.indices(size)
            if start >= stop:
                headers["Content-Range"] = f"bytes */{size}"
                return web.Response(status=416, headers={n: v for n, v in headers.items() if n != "Content-Type"})
            status, length = 206, stop - start
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    response = web.StreamResponse(status=status, headers=headers)
    if length is not None:
        response.content_length = length
    if request.method == "HEAD":
        await response.prepare(request)
        return response
    pieces = house.keeper.blobs.read(name, start=start, size=length)
    try:
        first = await anext(pieces, b"")
    except Missing:
        return problem(request, 404, "NOT_FOUND", "There is no such file.")
    await response.prepare(request)
    await response.write(first)
    async for piece in pieces:
        await response.write(piece)
    await response.write_eof()
    return response


def _may_range(request: web.Request, etag: str) -> bool:
    """Whether the range is of the file as it is now."""
    return request.headers.get("If-Range", etag) == etag
