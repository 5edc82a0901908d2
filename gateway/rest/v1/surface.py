"""`/api/v1`: its errors, its limits and all its routes."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

from desk.events import rfc3339
from gateway.auth.principal import Principal
from gateway.rest.problem import Problem
from gateway.rest.surface import Seen, Surface
from gateway.rest.v1 import all_routes


def error(problem: Problem, seen: Seen) -> Mapping[str, Any]:
    """`detail` is a sentence; for what does not fit the schema, a list of `{loc, msg, type}`."""
    detail: object = problem.message
    if problem.flaws:
        detail = [{"loc": [*flaw.where], "msg": flaw.what, "type": flaw.kind} for flaw in problem.flaws]
    return {
        "detail": detail,
        "error_code": problem.code,
        "status_code": problem.status,
        "path": seen.path,
        "timestamp": rfc3339(seen.at),
        "request_id": seen.request_id,
        **problem.extra,
    }


_FLAW: Final = {
    "type": "object",
    "required": ["loc", "msg", "type"],
    "properties": {
        "loc": {"type": "array", "items": {"type": ["string", "integer"]}},
        "msg": {"type": "string"},
        "type": {"type": "string"},
    },
}
_ERROR: Final[Mapping[str, Any]] = {
    "type": "object",
    "required": ["detail", "error_code", "status_code", "path", "timestamp", "request_id"],
    "properties": {
        "detail": {"anyOf": [{"type": "string"}, {"type": "array", "items": _FLAW}]},
        "error_code": {"type": "string"},
        "status_code": {"type": "integer"},
        "path": {"type": "string"},
        "timestamp": {"type": "string", "format": "date-time"},
        "request_id": {"type": "string"},
        "retry_after": {"type": "integer", "description": "Seconds to wait; only with 429."},
    },
}


def _limits(principal: Principal | None, address: str) -> Sequence[tuple[str, str]]:
    return (("v1_token", principal.key),) if principal else (("v1_anonymous", address),)


@cache
def make() -> Surface:
    """The surface; it never changes, so there is one."""
    return Surface(
        name="v1",
        prefix="/api/v1",
        title="Frontdesk API",
        version="1",
        description="Customers, conversations, appointments and everything else of a front desk.",
        load=lambda: [route for routes in all_routes() for route in routes],
        error=error,
        error_schema=_ERROR,
        invalid_status=422,
        limits=_limits,
    )
