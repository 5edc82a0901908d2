"""Whether a request is really from Meta. Source: reference, whatsapp-sms.md section B1."""

import hmac
from collections.abc import Iterable
from typing import Final

from channels.base import AccountKeys, Request

SIGNATURE: Final = "x-hub-signature-256"
_PREFIX: Final = "sha256="
_CHALLENGE_MAX: Final = 200


def is_from_meta(request: Request, keys: AccountKeys) -> bool:
    """Whether one of the app's secrets signed the bytes of the body. Never raises.

    The older `X-Hub-Signature` (SHA-1) does not count: whoever can forge it would only have to leave this one out.
    """
    given = request.headers.get(SIGNATURE, "")
    if request.method != "POST" or not given.startswith(_PREFIX) or not given.isascii():
        return False
    digests = [_digest(secret, request.body) for secret in keys.secrets if secret]  # with an empty one anybody can sign
    return True in [hmac.compare_digest(digest, given.removeprefix(_PREFIX)) for digest in digests]


def signature(secret: str, body: bytes) -> str:
    """What Meta would put into the header."""
    return _PREFIX + _digest(secret, body)


def challenge(request: Request, tokens: Iterable[str]) -> str | None:
    """What to answer when Meta asks whether the webhook is ours; None when it does not know our word."""
    asked = request.query
    given, word = asked.get("hub.verify_token", ""), asked.get("hub.challenge", "")
    if asked.get("hub.mode") != "subscribe" or not given or not 0 < len(word) <= _CHALLENGE_MAX:
        return None
    if not (word.isascii() and word.isprintable()):
        return None
    known = [hmac.compare_digest(_bytes(token), _bytes(given)) for token in tokens if token]
    return word if any(known) else None


def _digest(secret: str, body: bytes) -> str:
    return hmac.digest(_bytes(secret), body, "sha256").hex()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
