"""What can go wrong with a request, before any surface gives it its shape."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from desk.errors import Collision, DeskError, IdentityTaken, Invalid, SlotTaken
from desk.events import rfc3339

JSON_CODES: Mapping[int, str] = MappingProxyType(
    {
        400: "BAD_REQUEST",
        401: "UNAUTHORIZED",
        403: "FORBIDDEN",
        404: "NOT_FOUND",
        405: "METHOD_NOT_ALLOWED",
        408: "TOO_SLOW",
        409: "CONFLICT",
        411: "LENGTH_REQUIRED",
        412: "PRECONDITION_FAILED",
        413: "TOO_LARGE",
        415: "UNSUPPORTED_MEDIA_TYPE",
        422: "VALIDATION_ERROR",
        429: "RATE_LIMITED",
        431: "HEADERS_TOO_LARGE",
        500: "INTERNAL_ERROR",
        502: "PROVIDER_REFUSED",
        503: "UNAVAILABLE",
    }
)

# How each outcome of desk is answered; what is not here is 409.
_STATUS: Mapping[str, int] = MappingProxyType({"not_found": 404, "invalid": 422, "not_allowed": 403})


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing wrong with what was sent: where, what, and its kind as a word."""

    where: tuple[str | int, ...]  # ("body", "email")
    what: str
    kind: str


class Problem(Exception):  # noqa: N818  it is answered, not raised at people
    """A refusal. `hint` says how to mend it; `extra` goes into the body beside the usual."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        flaws: Sequence[Flaw] = (),
        hint: str = "",
        headers: Mapping[str, str] = MappingProxyType({}),
        extra: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code or JSON_CODES.get(status, "ERROR")
        self.flaws = tuple(flaws)
        self.hint = hint
        self.headers = headers
        self.extra = extra


def of_desk(error: DeskError, *, where: str = "body") -> Problem:
    """An outcome of business as an answer. `where` says in which part of the request a value that cannot be used was."""
    status = _STATUS.get(error.code, 409)
    if isinstance(error, Invalid):
        flaw = Flaw((where, *error.field.split(".")), error.message, "value_error")
        return Problem(status, error.message, flaws=[flaw])
    extra: dict[str, Any] = {"alternatives": _alternatives(error)} if isinstance(error, SlotTaken) else {}
    if isinstance(error, IdentityTaken):
        extra["customer_id"] = error.uid
    if isinstance(error, Collision):
        assignee = {"id": error.uid, "full_name": error.name}
        since = rfc3339(error.since)
        extra["collision"] = {"assignee": assignee, "since": since, "owner_version": error.version}
    return Problem(status, error.message, code=error.code.upper(), extra=extra)


def _alternatives(taken: SlotTaken) -> list[dict[str, str | None]]:
    return [
        {
            "starts_at": rfc3339(slot.starts_at),
            "ends_at": rfc3339(slot.ends_at),
            "technician_id": taken.uids.get(slot.staff_id or 0),
            "technician_name": slot.staff_name,
        }
        for slot in taken.alternatives
    ]


def of_validation(error: ValidationError, where: str) -> Problem:
    """What pydantic found, without the values that were sent."""
    flaws = [
        Flaw((where, *found["loc"]), found["msg"].removeprefix("Value error, "), found["type"])
        for found in error.errors(include_url=False, include_input=False, include_context=False)
    ]
    first = flaws[0]
    name = ".".join(str(part) for part in first.where[1:]) or where
    return Problem(422, f"{name}: {first.what}", flaws=flaws)


def unauthorized(message: str = "Sign in first: send a valid token as `Authorization: Bearer …`.") -> Problem:
    return Problem(401, message, headers={"WWW-Authenticate": "Bearer"})
