"""Secrets at rest: sealed with the house's key, bound to the tenant and the field they belong to."""

import base64
import hashlib
import hmac

import orjson
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from storage.base import JsonValue


class SealBroken(ValueError):  # noqa: N818  seal.SealBroken says it
    """What was stored cannot be opened: sealed for another place, with an unknown key, or damaged."""


class Sealer:
    """Seals with the first of `keys` and opens with any of them, so that keys can be rotated."""

    def __init__(self, *keys: bytes) -> None:
        self._marks = [hashlib.sha256(b"mark" + key).digest() for key in keys]
        self._fernet = MultiFernet([Fernet(base64.urlsafe_b64encode(hashlib.sha256(key).digest())) for key in keys])

    def seal(self, value: JsonValue, *, tenant_id: int, field: str) -> str:
        """`value` as text that only `unseal` with the same tenant and field can read."""
        return self._fernet.encrypt(orjson.dumps([tenant_id, field, value])).decode()

    def unseal(self, sealed: str, *, tenant_id: int, field: str) -> JsonValue:
        """The value that was sealed.

        Raises: SealBroken
        """
        try:
            whose, what, value = orjson.loads(self._fernet.decrypt(sealed.encode()))
        except (InvalidToken, ValueError) as broken:
            raise SealBroken(f"the sealed {field} of tenant {tenant_id} cannot be opened with today's key") from broken
        if whose != tenant_id or what != field:
            raise SealBroken(f"this was not sealed for {field} of tenant {tenant_id}")
        found: JsonValue = value
        return found

    def mark(self, data: bytes) -> str:
        """The same for the same `data`, and of no use to anybody who would guess it without our key."""
        return self.marks(data)[0]

    def marks(self, data: bytes) -> list[str]:
        """`mark` by each of the keys, the newest first: to find again what was marked before they were rotated."""
        return [hmac.digest(key, data, "sha256").hex() for key in self._marks]

    def rotate(self, sealed: str) -> str:
        """The same, sealed with the newest key.

        Raises: SealBroken
        """
        try:
            return self._fernet.rotate(sealed.encode()).decode()
        except InvalidToken as broken:
            raise SealBroken("this cannot be opened with any of the keys") from broken
