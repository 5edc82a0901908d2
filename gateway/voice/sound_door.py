"""`GET /voice/sounds/…`: what we say, for Twilio to play."""

from aiohttp import web

from gateway import health
from gateway.errors import problem
from gateway.voice.sounds import PATH
from storage.store import StoreUnavailable


def add_routes(app: web.Application) -> None:
    app.router.add_get(PATH + "{address:.+}", serve)


async def serve(request: web.Request) -> web.StreamResponse:
    """A file of sound for whoever has the link."""
    house = request.app[health.HOUSE]
    now = house.clock.now()
    try:
        found = await house.speech.sounds.at(request.match_info["address"], now=now)
    except (StoreUnavailable, OSError):
        return problem(request, 503, "UNAVAILABLE", "Nothing can be read just now; please try again.")
    if found is None:
        return problem(request, 404, "NOT_FOUND", "There is no such sound.")
    file, until = found
    headers = {
        "Content-Type": "audio/wav",
        "Cache-Control": f"private, max-age={int((until - now).total_seconds())}, immutable",
        "X-Content-Type-Options": "nosniff",
        "X-Robots-Tag": "noindex",
    }
    return web.Response(body=file, headers=headers)
