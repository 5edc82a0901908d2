"""Secrets for programs: made here, shown once, and kept as digests only."""

from collections.abc import Mapping
from secrets import token_hex, token_urlsafe
from typing import Any, Final

from desk import programs
from desk.programs import ApiKey, OAuthApp
from desk.refs import Ref
from gateway.auth.schemes import KEY_PREFIX
from gateway.auth.tokens import digest
from gateway.rest.call import Call

_SHOWN: Final = 8  # of a key, so that people know which it is
_SECRET: Final = "fds_"
_CLIENT: Final = "fdc_"


async def make_key(call: Call, values: Mapping[str, Any]) -> tuple[ApiKey, str]:
    """The key's row, and the key.

    Raises: NotAllowed
    """
    key = KEY_PREFIX + token_urlsafe(32)
    made = await call.write(
        programs.add_key,
        values,
        may=call.caller.scopes,
        maker=call.caller.person_id,
        digest=digest(key),
        prefix=key[:_SHOWN],
        now=call.now,
    )
    return made, key


async def make_app(call: Call, values: Mapping[str, Any]) -> tuple[OAuthApp, str]:
    """The app, and its secret.

    Raises: NotAllowed
    """
    secret = _SECRET + token_urlsafe(32)
    made = await call.write(
        programs.add_app,
        values,
        may=call.caller.scopes,
        client_id=_CLIENT + token_hex(12),
        digest=digest(secret),
        now=call.now,
    )
    return made, secret


async def rotate(call: Call, ref: Ref) -> tuple[OAuthApp, str]:
    """The app, and its new secret.

    Raises: NotFound, NotAllowed
    """
    secret = _SECRET + token_urlsafe(32)
    app = await call.write(programs.rotate_secret, ref, may=call.caller.scopes, digest=digest(secret), now=call.now)
    return app, secret
