"""Whether a delivery is signed as it should be: the Standard Webhooks headers, and the signature in the body.

Written from the specification (https://github.com/standard-webhooks/standard-webhooks) and the sender's public page,
without the library that the sender signs with.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

_TOLERANCE = timedelta(minutes=5)
_PREFIX = "whsec_"


def problem_of(headers: Mapping[str, str], body: bytes, secret: str, *, now: datetime) -> str | None:
    """What is wrong with a delivery; None when nothing is. The names of `headers` are in lower case."""
    try:
        delivery, moment, signatures = (headers[f"webhook-{name}"] for name in ("id", "timestamp", "signature"))
    except KeyError as missing:
        return f"no {missing.args[0]} header"
    if not moment.isdecimal() or abs(datetime.fromtimestamp(int(moment), UTC) - now) > _TOLERANCE:
        return "the timestamp is not of now"
    signed = b".".join((delivery.encode(), moment.encode(), body))
    wanted = base64.b64encode(hmac.digest(_key(secret), signed, hashlib.sha256)).decode()
    given = [one.partition(",") for one in signatures.split(" ")]
    if not any(version == "v1" and hmac.compare_digest(value, wanted) for version, _, value in given):
        return "no signature in the header fits"
    return _problem_of_body(body, secret)


def _problem_of_body(body: bytes, secret: str) -> str | None:
    """As a client would do it that has parsed the body: take the key away, write the rest compactly, compare."""
    try:
        told = json.loads(body)
        signature = told.pop("signature")
    except (ValueError, KeyError, AttributeError):
        return "the body is not an object with a signature"
    if [*told] != ["event", "timestamp", "data"]:
        return "the body is not event, timestamp, data"
    rest = json.dumps(told, separators=(",", ":"), ensure_ascii=False).encode()
    wanted = "sha256=" + hmac.digest(secret.encode(), rest, hashlib.sha256).hex()
    return None if hmac.compare_digest(str(signature), wanted) else "the signature in the body does not fit"


def _key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix(_PREFIX)) if secret.startswith(_PREFIX) else secret.encode()
