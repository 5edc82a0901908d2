"""`/api`: its errors, its limits and its routes."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

from gateway.auth.principal import Principal
from gateway.rest.app import all_routes
from gateway.rest.problem import Problem
from gateway.rest.surface import Seen, Surface
from gateway.rest.v1 import surface as v1

# Clients of `/api/v1` sign in here as well, so its errors have both shapes.
_BOTH: Final = "/api/auth/login"


def error(problem: Problem, seen: Seen) -> Mapping[str, Any]:
    """`message` is a sentence; `errors` has what is wrong with each field."""
    errors: dict[str, list[str]] = {}
    for flaw in problem.flaws:
        errors.setdefault(".".join(str(part) for part in flaw.where[1:]) or str(flaw.where[0]), []).append(flaw.what)
    body = {"message": problem.message, "errors": errors, **problem.extra}
    return {**v1.error(problem, seen), **body} if seen.path.rstrip("/") == _BOTH else body


_ERROR: Final[Mapping[str, Any]] = {
    "type": "object",
    "required": ["message", "errors"],
    "properties": {
        "message": {"type": "string"},
        "errors": {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}},
    },
}


def _limits(_: Principal | None, address: str) -> Sequence[tuple[str, str]]:
    return (("dashboard", address),)


@cache
def make() -> Surface:
    """The surface; it never changes, so there is one."""
    return Surface(
        name="dashboard",
        prefix="/api",
        title="Frontdesk dashboard API",
        version="1",
        description="What the dashboard's own pages call, with a session cookie.",
        load=lambda: [route for routes in all_routes() for route in routes],
        error=error,
        error_schema=_ERROR,
        invalid_status=400,
        limits=_limits,
    )
