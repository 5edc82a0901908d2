"""Fields that everything about people and programs who sign in shares."""

from typing import Annotated, Literal, get_args
from zoneinfo import available_timezones

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, Field

from gateway.auth import passwords
from gateway.auth.principal import SCOPES, Role
from gateway.rest.schema import Line

Availability = Literal["online", "away", "away_and_reassigning"]


def _email(text: str) -> str:
    try:
        return validate_email(text.strip(), check_deliverability=False).normalized.lower()
    except EmailNotValidError:
        raise ValueError("should be an e-mail address, such as robin@example.com") from None


def _zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("should be a time zone such as America/Chicago")
    return name


def _scopes(found: list[str]) -> list[str]:
    if unknown := sorted(set(found) - set(SCOPES)):
        raise ValueError(f"has unknown permissions: {', '.join(unknown)}")
    return sorted(set(found))


# In lower case, as people sign in with it.
Email = Annotated[str, Field(max_length=320), AfterValidator(_email), Field(json_schema_extra={"format": "email"})]
# One that may be chosen; whether it is too weak is said by gateway.auth.passwords.
NewPassword = Annotated[str, Field(min_length=passwords.SHORTEST, max_length=passwords.LONGEST)]
# One that is tried.
Password = Annotated[str, Field(max_length=passwords.LONGEST)]
Phone = Annotated[Line, Field(max_length=40)]
TimeZone = Annotated[str, Field(max_length=64), AfterValidator(_zone)]
Limit = Annotated[int, Field(ge=1, le=1000)]
Secret = Annotated[str, Field(min_length=1, max_length=200)]
Scopes = Annotated[
    list[Annotated[str, Field(max_length=60)]],
    Field(max_length=len(SCOPES), min_length=1),
    AfterValidator(_scopes),
    Field(json_schema_extra={"items": {"type": "string", "enum": [*SCOPES]}}),
]

AnyRole = Annotated[str, Field(json_schema_extra={"enum": [*get_args(Role)]})]

__all__ = [
    "AnyRole",
    "Availability",
    "Email",
    "Limit",
    "NewPassword",
    "Password",
    "Phone",
    "Role",
    "Scopes",
    "Secret",
    "TimeZone",
]
