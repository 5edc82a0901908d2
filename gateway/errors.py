"""The net under every handler: refusals and surprises become answers in the shape of the API that was asked."""

from collections.abc import Awaitable, Callable, Sequence

import orjson
import structlog
from aiohttp import web

from gateway import health
from gateway.rest import dispatch
from gateway.rest.problem import JSON_CODES, Problem
from gateway.rest.surface import Seen, Surface
from gateway.slow import has_hung_up
from storage.base import new_uid

log = structlog.get_logger()

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

SURFACES: web.AppKey[Sequence[Surface]] = web.AppKey("surfaces")


def problem(request: web.Request, status: int, code: str, detail: str) -> web.Response:
    """An error in the shape of the surface under whose prefix the request came."""
    request_id = new_uid()
    surface = _surface(request)
    body = surface.error(
        Problem(status, detail, code=code), Seen(request.path, request_id, request.app[health.HOUSE].clock.now())
    )
    return web.Response(
        status=status, body=orjson.dumps(body), content_type="application/json", headers={"X-Request-ID": request_id}
    )


@web.middleware
async def catch(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every refusal and every surprise into an answer that a program can read and that tells nothing inside."""
    try:
        return await handler(request)
    except web.HTTPException as refused:
        if refused.status < 400:
            raise
        allow = refused.headers.get("Allow")
        headers = {} if allow is None else {"Allow": allow}
        code = JSON_CODES.get(refused.status, "ERROR")
        refusal = Problem(refused.status, refused.reason, code=code, headers=headers)
        return await dispatch.refuse(request.app[health.HOUSE], _surface(request), request, refusal)
    except Exception as error:
        if has_hung_up(request, error):
            return problem(request, 400, "HUNG_UP", "The request ended half way.")
        answer = problem(request, 500, "INTERNAL_ERROR", "Something went wrong on our side.")
        log.exception("request failed", method=request.method, route=_route(request), id=answer.headers["X-Request-ID"])
        return answer


def _surface(request: web.Request) -> Surface:
    """The one with the longest prefix that fits; the first for paths that are nobody's."""
    surfaces = request.app[SURFACES]
    fitting = [one for one in surfaces if request.path.startswith(f"{one.prefix}/")]
    return max(fitting, key=lambda one: len(one.prefix), default=surfaces[0])


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "(none)"
