"""Errors as the v1 surface words them, and the net under every handler."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import orjson
import structlog
from aiohttp import web

from storage.base import new_uid

log = structlog.get_logger()

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_CODES = {
    400: "BAD_REQUEST",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    411: "LENGTH_REQUIRED",
    413: "TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
}


def problem(request: web.Request, status: int, code: str, detail: str) -> web.Response:
    """An error in the shape of the v1 surface: `{detail, error_code, status_code, path, timestamp, request_id}`."""
    request_id = new_uid()
    body = {
        "detail": detail,
        "error_code": code,
        "status_code": status,
        "path": request.path,
        "timestamp": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        "request_id": request_id,
    }
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
        answer = problem(request, refused.status, _CODES.get(refused.status, "ERROR"), refused.reason)
        if (allow := refused.headers.get("Allow")) is not None:
            answer.headers["Allow"] = allow
        return answer
    except Exception:
        answer = problem(request, 500, "INTERNAL_ERROR", "Something went wrong on our side.")
        log.exception("request failed", method=request.method, route=_route(request), id=answer.headers["X-Request-ID"])
        return answer


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "(none)"
