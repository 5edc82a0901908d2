"""OAuth 2.0 client credentials (RFC 6749, section 4.4): a program shows its secret and gets a token for an hour."""

import base64
import binascii
from datetime import timedelta
from typing import Any, Final
from urllib.parse import unquote_plus

from desk import programs
from gateway.auth.principal import SCOPES
from gateway.auth.tokens import digest
from gateway.rest import attempts
from gateway.rest.call import Call
from gateway.rest.problem import Problem

_LASTS: Final = timedelta(hours=1)


async def grant(call: Call, *, grant_type: str, client_id: str, client_secret: str, scope: str) -> dict[str, Any]:
    """The token's answer (section 5.1). Who it is may stand in the body, or in an `Authorization: Basic` header.

    Raises: Problem, whose body has `error` and `error_description` (section 5.2)
    """
    client_id, client_secret = _client(call, client_id, client_secret)
    if not grant_type:
        raise _refused("invalid_request", "grant_type is missing.")
    if grant_type != "client_credentials":
        raise _refused("unsupported_grant_type", "Only client_credentials is offered here.")
    if not client_id or not client_secret:
        raise _refused("invalid_client", "client_id and client_secret are needed.", status=401)
    await attempts.count(call, client_id)
    client = await call.house.store.read(programs.prove, client_id[:200].replace("\x00", ""), digest(client_secret))
    if client is None:
        raise _refused("invalid_client", "There is no such app, or its secret is another.", status=401)
    await attempts.forget(call, client_id)
    wanted = frozenset(scope.split()) or client.scopes
    if beyond := wanted - client.scopes:
        known = ", ".join(sorted(beyond & {*SCOPES}))
        raise _refused("invalid_scope", f"The app may not do this: {known}." if known else "There is no such scope.")
    token = call.house.doorman.tokens.access(
        subject=client.uid,
        tenant=client.tenant_uid,
        kind="oauth_app",
        session="",
        scopes=sorted(wanted),
        lasts=_LASTS,
        now=call.now,
    )
    call.headers["Pragma"] = "no-cache"
    lasts = int(_LASTS.total_seconds())
    return {"access_token": token, "token_type": "bearer", "expires_in": lasts, "scope": " ".join(sorted(wanted))}


def _client(call: Call, client_id: str, client_secret: str) -> tuple[str, str]:
    scheme, _, given = call.request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return client_id, client_secret
    if client_secret:
        raise _refused("invalid_request", "Say who you are once: in the header or in the body.")
    try:
        name, _, secret = base64.b64decode(given.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise _refused("invalid_client", "The Authorization header cannot be read.", status=401) from None
    return unquote_plus(name), unquote_plus(secret)  # section 2.3.1: encoded like a form's fields


def _refused(error: str, description: str, *, status: int = 400) -> Problem:
    headers = {"WWW-Authenticate": 'Basic realm="frontdesk"', "Pragma": "no-cache"} if status == 401 else {}
    extra = {"error": error, "error_description": description}
    return Problem(status, description, code=error.upper(), headers=headers, extra=extra)
