"""Twilio's REST API for calls and what was recorded of them, through its SDK.

Source: reference, twilio-voice.md sections 10 to 12.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from channels.base import AccountKeys
from channels.clean import clean
from channels.errors import SendError
from channels.twilio.client import API, TwilioClient, sdk_trouble

_MOST: Final = 1000  # recordings in one look
GONE: Final = "20404"


@dataclass(frozen=True, slots=True)
class Listed:
    """A recording as Twilio lists it."""

    sid: str
    call: str
    source: str
    status: str
    url: str
    duration_s: int | None


@dataclass(frozen=True, slots=True)
class Told:
    """A call as Twilio knows it. `price` is what it has cost so far as they say it, in `currency`; None: not known yet."""

    sid: str
    called: str
    caller: str
    status: str
    duration_s: int | None
    price: str | None
    currency: str


class CallsClient:
    """Calls of any number of accounts."""

    def __init__(self, twilio: TwilioClient) -> None:
        self._twilio = twilio

    async def recordings(self, keys: AccountKeys, *, since: datetime) -> Sequence[Listed]:
        """What was recorded from then on, the oldest first.

        Raises: SendError
        """
        client = await self._twilio.sdk(keys)
        root = f"{self._twilio.api_base or API}/2010-04-01/Accounts"
        with sdk_trouble():
            found = await client.recordings.list_async(date_created_after=since, limit=_MOST)
            return [
                Listed(
                    str(one.sid),
                    str(one.call_sid),
                    _word(one.source),
                    _word(one.status),
                    f"{root}/{one.account_sid}/Recordings/{one.sid}",
                    _whole(one.duration),
                )
                for one in reversed(found)
            ]

    async def delete_recording(self, keys: AccountKeys, sid: str) -> None:
        """It is gone, or was gone already.

        Raises: SendError
        """
        client = await self._twilio.sdk(keys)
        try:
            with sdk_trouble():
                await client.recordings(sid).delete_async()
        except SendError as error:
            if error.code != GONE:
                raise

    async def fetch(self, keys: AccountKeys, sid: str) -> Told | None:
        """What Twilio knows of the call; None when there is no such call.

        Raises: SendError
        """
        client = await self._twilio.sdk(keys)
        try:
            with sdk_trouble():
                one = await client.calls(sid).fetch_async()
                return _told(one)
        except SendError as error:
            if error.code != GONE:
                raise
            return None


def _told(one: object) -> Told:
    return Told(
        clean(str(getattr(one, "sid", ""))),
        clean(str(getattr(one, "to", "") or "")),
        clean(str(getattr(one, "_from", "") or "")),
        _word(getattr(one, "status", "")),
        _whole(getattr(one, "duration", None)),
        str(price) if (price := getattr(one, "price", None)) not in (None, "") else None,
        str(getattr(one, "price_unit", None) or "USD")[:3],
    )


def _word(value: object) -> str:
    """The SDK has enumerations for what it knows, and hands on what it does not."""
    return str(getattr(value, "value", value) or "")


def _whole(value: object) -> int | None:
    text = str(value or "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 9 else None
