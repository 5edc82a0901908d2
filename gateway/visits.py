"""`GET /visits/{token}.ics`: a visit for the customer's calendar, for whoever holds the link to it."""

from typing import Final

from aiohttp import web

from desk.calendar import invites
from desk.errors import NotFound
from gateway import health
from gateway.errors import problem
from gateway.visit_links import PATH, read
from storage.store import StoreUnavailable

_HEADERS: Final = {
    "Content-Type": "text/calendar; charset=utf-8",
    "Content-Disposition": 'attachment; filename="visit.ics"',
    "Cache-Control": "private, no-cache",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}


def add_routes(app: web.Application) -> None:
    app.router.add_get(PATH + "{token}.ics", serve)


async def serve(request: web.Request) -> web.StreamResponse:
    """The entry as the visit is now; one that was called off takes itself back."""
    house = request.app[health.HOUSE]
    uid = read(house.sealer, request.match_info["token"])
    try:
        if uid is not None:
            return web.Response(body=await house.store.read(invites.by_uid, uid), headers=_HEADERS)
    except StoreUnavailable:
        return problem(request, 503, "UNAVAILABLE", "Nothing can be read just now; please try again.")
    except NotFound:
        pass
    return problem(request, 404, "NOT_FOUND", "There is no such visit.")
