"""Web chat over plain HTTP: a message in, replies out, and what was said since.

The page makes up an unguessable session id and keeps it; whoever has it is that visitor. Live it is over the sockets of
`gateway.webchat`; this is what remains where those do not get through.
"""

import orjson
from aiohttp import web

from channels.base import Request
from channels.errors import BadRequest
from channels.webchat import codec
from desk import files
from desk.errors import DeskError
from gateway.accounts import Account
from gateway.context import House
from gateway.errors import problem
from gateway.hooks.routes import RECEIVER, webhook
from gateway.media import intake
from gateway.media.links import Show
from gateway.rest.call import caller_address
from gateway.rest.problem import Problem
from gateway.webchat import guard, origins, thread
from storage.store import StoreUnavailable


def add_routes(app: web.Application) -> None:
    for path in ("/api/v1/webchat/messages", "/api/v1/webchat/messages/"):
        app.router.add_post(path, say)
        app.router.add_get(path, since)
        app.router.add_route("OPTIONS", path, preflight)
    for path in ("/api/v1/webchat/seen", "/api/v1/webchat/seen/"):
        app.router.add_post(path, seen)
        app.router.add_route("OPTIONS", path, preflight)
    for path in ("/api/v1/webchat/media", "/api/v1/webchat/media/"):
        app.router.add_post(path, send_file)
        app.router.add_route("OPTIONS", path, preflight)


async def preflight(request: web.Request) -> web.Response:
    """A browser's question whether the page may; `site` in the query says for which chat."""
    house = _house(request)
    try:
        account = await guard.account_of(house, request.query.get("site", ""))
    except StoreUnavailable:
        return _away(request)
    if account is None:
        return guard.nowhere(request)
    if not origins.is_allowed(request, account, house.settings):
        return await guard.foreign(house, request, account)
    return web.Response(status=204, headers=origins.headers(request))


async def say(request: web.Request) -> web.Response:
    """`{site, session, id, text | choice}` in, `{messages: […]}` out."""
    house = _house(request)
    try:
        incoming = Request.read(request.method, request.raw_path, request.headers, await request.read())
        site = codec.claimed_site(incoming)
        account = await guard.account_of(house, site)
    except BadRequest as bad:
        return problem(request, 400, "BAD_REQUEST", f"{bad.field}: {bad.problem}")
    except StoreUnavailable:
        return _away(request)
    if account is None and site:  # without one, the answer names what is missing
        return guard.nowhere(request)
    if not origins.is_allowed(request, account, house.settings):
        return await guard.foreign(house, request, account)
    visitor, address = codec.claimed_visitor(incoming), caller_address(request, house)
    wait = await guard.wait_s(house, account, visitor, address, speaks=True)
    answer = await guard.too_much(house, request, account, wait) if wait else await webhook(request, "webchat", "web")
    answer.headers.update(origins.headers(request))
    return answer


async def since(request: web.Request) -> web.Response:
    """What was said to a visitor after the message `after` (all of it without), as `{messages: […]}`.

    With `whole=1` also what the visitor said, with who each is from; without `after` the last of it, or the last before the
    message `before`. `more` says that there is more after these, `earlier` that there is before.
    """
    house = _house(request)
    try:
        asked = codec.asked(Request.read(request.method, request.raw_path, request.headers))
        account = await guard.account_of(house, asked.site)
    except BadRequest as bad:
        return problem(request, 400, "BAD_REQUEST", f"{bad.field}: {bad.problem}")
    except StoreUnavailable:
        return _away(request)
    if account is None:
        return guard.nowhere(request)
    if not origins.is_allowed(request, account, house.settings):
        return await guard.foreign(house, request, account)
    if wait := await guard.wait_s(house, account, asked.visitor, caller_address(request, house), speaks=False):
        answer = await guard.too_much(house, request, account, wait)
        answer.headers.update(origins.headers(request))
        return answer
    try:
        body = await _read(house, account.id, asked)
    except StoreUnavailable:
        return _away(request)
    headers = {"Cache-Control": "no-store", **origins.headers(request)}
    return web.Response(body=body, content_type="application/json", headers=headers)


async def seen(request: web.Request) -> web.Response:
    """`{site, session, seen}` in: the visitor has seen what was said up to the message `seen`. 204, also when they had."""
    house = _house(request)
    try:
        asked = codec.seen(Request.read(request.method, request.raw_path, request.headers, await request.read()))
        account = await guard.account_of(house, asked.site)
        if account is None:
            return guard.nowhere(request)
        if not origins.is_allowed(request, account, house.settings):
            return await guard.foreign(house, request, account)
        if wait := await guard.wait_s(house, account, asked.visitor, caller_address(request, house), speaks=False):
            answer = await guard.too_much(house, request, account, wait)
        else:
            await house.store.write(thread.seen, account.id, asked.visitor, asked.after)
            answer = web.Response(status=204)
    except BadRequest as bad:
        return problem(request, 400, "BAD_REQUEST", f"{bad.field}: {bad.problem}")
    except StoreUnavailable:
        return _away(request)
    answer.headers.update(origins.headers(request))
    return answer


async def send_file(request: web.Request) -> web.Response:
    """A file in the body or in a form, with `site`, `session` and maybe `name` in the query; `{id, kind, …}` out.

    The id goes into `media` of a message of the same visitor, within a day.
    """
    house = _house(request)
    try:
        asked = codec.asked(Request.read("GET", request.raw_path, request.headers))
        account = await guard.account_of(house, asked.site)
        if account is None:
            return guard.nowhere(request)
        if not origins.is_allowed(request, account, house.settings):
            return await guard.foreign(house, request, account)
        address = caller_address(request, house)
        wait = await guard.wait_s(house, account, asked.visitor, address, speaks=True, sends_file=True)
        answer = (
            await guard.too_much(house, request, account, wait)
            if wait
            else await _take(request, house, account, asked.visitor)
        )
    except BadRequest as bad:
        return problem(request, 400, "BAD_REQUEST", f"{bad.field}: {bad.problem}")
    except StoreUnavailable:
        return _away(request)
    answer.headers.update({"Cache-Control": "no-store", **origins.headers(request)})
    return answer


async def _take(request: web.Request, house: House, account: Account, visitor: str) -> web.Response:
    """Raises: StoreUnavailable"""
    media, now = house.settings.media, house.clock.now()
    try:
        async with intake.taken(house, request, account.tenant_id, most_bytes=media.visitor_max_bytes) as file:
            kept = await house.store.write(
                files.add_of_visitor,
                account.tenant_id,
                account.id,
                visitor,
                file.contents,
                name=file.name or request.query.get("name", ""),
                claimed_type=file.claimed_type,
                most_bytes=media.tenant_max_bytes,
                now=now,
            )
    except Problem as no:
        await guard.note(house, account, request, no.status, no.code.lower())
        return problem(request, no.status, no.code, no.message)
    except DeskError as no:
        await guard.note(house, account, request, 409, no.code)
        return problem(request, 409, no.code.upper(), no.message)
    told = {"id": kept.uid, "kind": kept.kind, "name": kept.name, "content_type": kept.content_type, "size": kept.size}
    return web.json_response(told, status=201)


async def _read(house: House, account_id: int, asked: codec.Asked) -> bytes:
    show = Show(house.links, house.clock.now())
    if not asked.is_whole:
        return codec.encode(await house.store.read(thread.replies, account_id, asked.visitor, asked.after, show))
    whole = await house.store.read(
        thread.whole, account_id, asked.visitor, show, after=asked.after, before=asked.before
    )
    return orjson.dumps(whole)


def _house(request: web.Request) -> House:
    return request.app[RECEIVER].house


def _away(request: web.Request) -> web.Response:
    return problem(request, 503, "UNAVAILABLE", "Nothing can be read just now; please try again.")
