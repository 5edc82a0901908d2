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


_BEGIN: Final = """\
Customers, conversations, appointments and everything else of a front desk.

**Begin.** `POST /auth/login` with an e-mail and a password gives an `access_token`, good for `expires_in` seconds; send it
with each call as `Authorization: Bearer …`. Programs use an API key (`POST /api-keys`) in its place, or an OAuth app
(`POST /oauth-apps`) that fetches its tokens at `POST /oauth/token`. What a caller may do is its permission, such as
`customers:read`, told with each route; people have those of their role.

**Bodies** are JSON. `PUT` replaces and `PATCH` changes what is given. What a row was read with may be sent back: fields that
cannot be changed are ignored, and names that nobody knows are refused. A path works with and without a slash at its end.

**Lists** are `{items, total, skip, offset, limit}`. Page on with `skip` (or `offset`) and `limit`, 20 unless given and 100 at
most; `sort` names a field, with a minus before it for the other direction.

**Values.** Ids are UUIDs. A moment is RFC 3339 with its offset (`2026-03-02T18:00:00Z`), a day is `2026-03-02`. Money is a number
with two decimals at most and its currency beside it.

**Refusals** are `{detail, error_code, status_code, path, timestamp, request_id}`. `detail` is a sentence, or with 422 a list of
`{loc, msg, type}` that names each field. What another business has reads like what does not exist: 404.

**Again.** A `POST` with an `Idempotency-Key` is done once, however often it is sent. Every answer tells in
`X-RateLimit-Remaining` how many calls are left until `X-RateLimit-Reset`; with 429, `Retry-After` says how long to wait.
"""
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
        description=_BEGIN,
        load=lambda: [route for routes in all_routes() for route in routes],
        error=error,
        error_schema=_ERROR,
        invalid_status=422,
        limits=_limits,
    )
