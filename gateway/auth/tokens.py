"""Access tokens: signed, short words about who calls. Refresh tokens: the name of a session and how often it was used.

Keys are derived from the house's keys, so rotating those rotates these: the first signs, all verify (RFC 7519, 8725).
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_ALGORITHM: Final = "HS256"
_ISSUER: Final = "frontdesk"
_LEEWAY_S: Final = 5
_LONGEST: Final = timedelta(days=1)
_TEXT: Final = 4096  # longer ones are none of ours
REFRESH: Final = "fdr_"


class BadToken(Exception):  # noqa: N818  named for what it is
    """Not a token of ours, or not any more. Which of the two is nobody's business."""


@dataclass(frozen=True, slots=True)
class Access:
    """What an access token says. `subject` is the user's or the app's UUID, `session` the session's."""

    subject: str
    tenant: str
    kind: str  # user, oauth_app
    session: str
    scopes: frozenset[str] | None  # of an app; a user has those of the role
    issued_at: datetime
    expires_at: datetime


class Tokens:
    """Makes and reads tokens. `keys` are the house's, the newest first."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = {_name(key): _derive(key, b"access token") for key in keys}
        self._refresh = [_derive(key, b"refresh token") for key in keys]
        self._newest = next(iter(self._keys))

    def access(
        self,
        *,
        subject: str,
        tenant: str,
        kind: str,
        session: str,
        scopes: Sequence[str] | None = None,
        lasts: timedelta,
        now: datetime,
    ) -> str:
        """A signed token that is good until `now + lasts`."""
        import jwt  # with all kinds of keys that we do not use; not before the first one signs in

        claims: dict[str, Any] = {
            "iss": _ISSUER,
            "aud": "api",
            "sub": subject,
            "tid": tenant,
            "knd": kind,
            "sid": session,
            "iat": now.timestamp(),
            "nbf": int(now.timestamp()),
            "exp": int((now + min(lasts, _LONGEST)).timestamp()),
        }
        if scopes is not None:
            claims["scope"] = " ".join(scopes)
        return jwt.encode(claims, self._keys[self._newest], _ALGORITHM, headers={"kid": self._newest})

    def read(self, token: str, *, now: datetime) -> Access:
        """What the token says, once it has proved to be ours and current.

        Raises: BadToken
        """
        if len(token) > _TEXT:
            raise BadToken
        import jwt

        try:
            header = jwt.get_unverified_header(token)
            key = self._keys[header["kid"]]
            if set(header) - {"alg", "typ", "kid"}:
                raise BadToken
            claims = jwt.decode(
                token,
                key,
                algorithms=[_ALGORITHM],
                audience="api",
                issuer=_ISSUER,
                options={
                    "require": ["exp", "iat", "nbf", "sub", "aud", "iss"],
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                },
            )
            subject, tenant, kind, session = (claims[name] for name in ("sub", "tid", "knd", "sid"))
            times = [claims[name] for name in ("iat", "nbf", "exp")]
            if not all(isinstance(word, str) for word in (subject, tenant, kind, session)):
                raise BadToken
            if not all(type(moment) in (int, float) for moment in times):
                raise BadToken
            issued_at, begins_at, ends_at = (datetime.fromtimestamp(moment, UTC) for moment in times)
        except (jwt.PyJWTError, KeyError, TypeError, ValueError, OverflowError, OSError) as bad:
            raise BadToken from bad
        leeway = timedelta(seconds=_LEEWAY_S)
        if (
            begins_at > now + leeway
            or issued_at > now + leeway
            or ends_at <= now
            or ends_at - issued_at > _LONGEST + leeway
        ):
            raise BadToken
        scope = claims.get("scope")
        scopes = frozenset(scope.split()) if isinstance(scope, str) else None
        return Access(subject, tenant, kind, session, scopes, issued_at, ends_at)

    def refresh(self, session: str, generation: int) -> str:
        """The refresh token of a session's `generation`; nobody else can make it."""
        return f"{REFRESH}{session}.{generation}.{_proof(self._refresh[0], session, generation)}"

    def read_refresh(self, token: str) -> tuple[str, int]:
        """(session, generation) of a refresh token that we made.

        Raises: BadToken
        """
        try:
            session, number, proof = token.removeprefix(REFRESH).split(".")
            generation = int(number)
        except ValueError:
            raise BadToken from None
        if not token.startswith(REFRESH) or not any(
            hmac.compare_digest(proof.encode(), _proof(key, session, generation).encode()) for key in self._refresh
        ):
            raise BadToken
        return session, generation


def digest(secret: str) -> str:
    """What is stored of a secret that has 256 random bits; a slow hash is for what people choose."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _derive(key: bytes, use: bytes) -> bytes:
    return HKDF(hashes.SHA256(), 32, salt=None, info=b"frontdesk " + use).derive(key)


def _name(key: bytes) -> str:
    return hashlib.sha256(b"kid" + key).hexdigest()[:12]


def _proof(key: bytes, session: str, generation: int) -> str:
    mac = hmac.new(key, f"{session}.{generation}".encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(mac).decode().rstrip("=")
