"""The documents of all surfaces: as OpenAPI for programs, and as pages for people, without a byte from elsewhere."""

import orjson
from aiohttp import web

from gateway import errors, health
from gateway.rest import openapi
from gateway.rest.surface import Surface


def add_routes(app: web.Application) -> None:
    for surface in app[errors.SURFACES]:
        app.router.add_get(f"{surface.prefix}/openapi.json", _document(surface))


def _document(surface: Surface):  # type: ignore[no-untyped-def]
    async def document(request: web.Request) -> web.Response:
        server = request.app[health.HOUSE].settings.server.public_url
        return web.Response(
            body=orjson.dumps(openapi.document(surface, server=server)), content_type="application/json"
        )

    return document
