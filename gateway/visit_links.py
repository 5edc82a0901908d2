"""Links to visits for customers' calendars: `/visits/{token}.ics`.

A link names one visit and is signed; it stays good, so that a calendar may ask again and hear of a change.
"""

import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final
from uuid import UUID

from storage.seal import Sealer

PATH: Final = "/visits/"
_TOKEN: Final = re.compile(r"([A-Za-z0-9_-]{22})\.([0-9a-f]{32})")  # short enough for a text message


def link(sealer: Sealer, public_url: str, uid: str) -> str:
    """The address of a visit's calendar entry."""
    said = urlsafe_b64encode(UUID(uid).bytes).decode().rstrip("=")
    return f"{public_url}{PATH}{said}.{_signature(sealer, said)}.ics"


def read(sealer: Sealer, token: str) -> str | None:
    """The visit's uid that a token of ours names; None when we have not made it."""
    found = _TOKEN.fullmatch(token)
    if found is None or not hmac.compare_digest(_signature(sealer, found[1]), found[2]):
        return None
    return str(UUID(bytes=urlsafe_b64decode(found[1] + "==")))


def _signature(sealer: Sealer, said: str) -> str:
    return sealer.mark(b"visit link\n" + said.encode())[:32]
