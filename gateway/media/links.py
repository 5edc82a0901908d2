"""Signed links to files, good for a while: whoever has one may open that file and nothing else.

`/media/{uid}.{variant}.{until}.{signature}`. The uid is one tenant's for good, and the signature is over all of it. It is
a file's, or that of the message whose visiting card it is.
"""

import hmac
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, NamedTuple
from uuid import UUID

from channels.messages import OutboundMessage
from storage.seal import Sealer

PATH: Final = "/media/"
# `onward`: for a customer, who gets a picture without what a camera wrote into it, whoever has sent it here.
Variant = Literal["file", "thumbnail", "card", "onward"]

_LETTER: Final[dict[Variant, str]] = {"file": "f", "thumbnail": "t", "card": "c", "onward": "o"}
_VARIANT: Final = {letter: variant for variant, letter in _LETTER.items()}
_TOKEN: Final = re.compile(r"([0-9a-f]{32})\.([ftco])\.([0-9a-f]{1,10})\.([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Link:
    """What a link opens, until when."""

    uid: str
    variant: Variant
    until: datetime


class Expired(Exception):  # noqa: N818  links.Expired says it
    """The link was good once."""


class Links:
    """Makes links for `lasts` and reads them. Those made within an hour for one file are equal, so that it is fetched
    once and then comes from the browser's cache.
    """

    def __init__(self, sealer: Sealer, public_url: str, lasts: timedelta) -> None:
        self._sealer = sealer
        self._url = public_url + PATH
        self._lasts = lasts

    def to(self, uid: str, now: datetime, *, variant: Variant = "file") -> str:
        """The address of a file, of the small picture of it, or of the card in a message."""
        hour = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        said = f"{UUID(uid).hex}.{_LETTER[variant]}.{int((hour + self._lasts).timestamp()):x}"
        return f"{self._url}{said}.{self._signature(said)}"

    def read(self, token: str, now: datetime) -> Link | None:
        """What the end of such an address means; None when we have not made it.

        Raises: Expired
        """
        found = _TOKEN.fullmatch(token)
        if found is None or not hmac.compare_digest(self._signature(token.rpartition(".")[0]), found[4]):
            return None
        until = datetime.fromtimestamp(int(found[3], 16), UTC)
        if now >= until:
            raise Expired
        return Link(str(UUID(found[1])), _VARIANT[found[2]], until)

    def filled(self, message: OutboundMessage, now: datetime) -> OutboundMessage:
        """The message with addresses for those of its files that we have, so that others can fetch them; its visiting card
        is one of them.
        """
        if message.contact and message.reference:
            card = replace(message.contact, url=self.to(message.reference, now, variant="card"))
            message = replace(message, contact=card)
        if not any(file.file for file in message.media):
            return message
        return replace(
            message,
            media=tuple(
                replace(file, url=self.to(file.file, now, variant="onward")) if file.file else file
                for file in message.media
            ),
        )

    def _signature(self, said: str) -> str:
        return self._sealer.mark(b"media link\n" + said.encode())


class Show(NamedTuple):
    """What it takes to show a message: who makes links to its files, and when; and whether they may hear recordings of calls
    to whom it is shown.
    """

    links: Links
    now: datetime
    may_hear: bool = False
