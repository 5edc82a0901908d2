"""Whether we are alive, and what is wrong if something is."""

import asyncio

import orjson
from aiohttp import web

from gateway.context import House
from gateway.pipeline.spool import Spool
from storage.store import StoreUnavailable, ping

HOUSE = web.AppKey("house", House)
SPOOL = web.AppKey("spool", Spool)

_PATIENCE_S = 2.0


def add_routes(app: web.Application) -> None:
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)


async def healthz(request: web.Request) -> web.Response:
    """200 as long as the process serves; the body says how its parts are."""
    return _answer(200, await _parts(request.app))


async def readyz(request: web.Request) -> web.Response:
    """200 when requests can be handled now, else 503: for whoever decides where to send them."""
    parts = await _parts(request.app)
    return _answer(200 if parts["database"] == "ok" else 503, parts)


async def _parts(app: web.Application) -> dict[str, str | int | bool]:
    database = "ok"
    try:
        if not await asyncio.wait_for(ping(app[HOUSE].store), _PATIENCE_S):
            database = "read_only"
    except StoreUnavailable:
        database = "away"
    except TimeoutError:
        database = "busy"
    return {
        "status": "ok" if database == "ok" else "degraded",
        "database": database,
        "engine": app[HOUSE].store.dialect,
        "spooled": not app[SPOOL].is_empty(),
    }


def _answer(status: int, parts: dict[str, str | int | bool]) -> web.Response:
    return web.Response(
        status=status,
        body=orjson.dumps(parts),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
