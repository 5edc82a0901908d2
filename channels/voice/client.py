"""Twilio's REST API for calls and what was recorded of them, through its SDK.

Source: reference, twilio-voice.md sections 10 to 12.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from channels.base import AccountKeys
from channels.clean import clean
from channels.errors import SendError
from channels.twilio.client import API, TwilioClient, sdk_trouble

_MOST: Final = 1000  # recordings in one look
_LOOK_BACK: Final = 50
_CLOCKS_DIFFER: Final = timedelta(seconds=3)  # Twilio's times have whole seconds
GONE: Final = "20404"
WRONG_STATE: Final = "21220"


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

    async def switch_recording(self, keys: AccountKeys, sid: str, *, is_paused: bool) -> None:
        """Pause the recording of that call, which is silent there then, or resume it.

        Raises: SendError
        """
        client = await self._twilio.sdk(keys)
        current = client.calls(sid).recordings("Twilio.CURRENT")
        with sdk_trouble():
            if is_paused:
                await current.update_async(status="paused", pause_behavior="silence")
            else:
                await current.update_async(status="in-progress")

    async def dial(
        self,
        keys: AccountKeys,
        to: str,
        *,
        sender: str,
        url: str,
        status_url: str,
        ring_s: int,
        tried_at: datetime | None = None,
        detected_url: str = "",
    ) -> str:
        """The id of a call that rings there now; `url` is asked once it is picked up. With `tried_at` the call that an
        earlier try with an unclear outcome has made since then (`made_since`), if it did. `detected_url` is told who
        answered: a person at once, a machine when it records.

        Raises: SendError
        """
        if tried_at is not None and (known := await self.made_since(keys, to, sender=sender, tried_at=tried_at)):
            return known
        client = await self._twilio.sdk(keys)
        detection: dict[str, str] = {}
        if detected_url:  # asynchronous, so that nobody who picks up listens to silence meanwhile
            detection = {
                "machine_detection": "DetectMessageEnd",
                "async_amd": "true",
                "async_amd_status_callback": detected_url,
            }
        with sdk_trouble():
            made = await client.calls.create_async(
                to=to,
                from_=sender,
                url=url,
                method="POST",
                timeout=ring_s,
                status_callback=status_url,
                status_callback_event=["initiated", "ringing", "answered", "completed"],
                **detection,
            )
            if isinstance(made.sid, str) and made.sid:
                return made.sid
            raise ValueError

    async def made_since(self, keys: AccountKeys, to: str, *, sender: str, tried_at: datetime) -> str | None:
        """The id of a call to there that an earlier try made: known by its numbers and the time, since Twilio lists no
        address of ours.

        Raises: SendError
        """
        client = await self._twilio.sdk(keys)
        with sdk_trouble():
            for call in await client.calls.list_async(to=to, from_=sender, limit=_LOOK_BACK):
                if call.date_created >= tried_at - _CLOCKS_DIFFER and isinstance(call.sid, str):
                    return call.sid
        return None

    async def end(self, keys: AccountKeys, sid: str) -> None:
        """Hang up, or let it ring no more.

        Raises: SendError
        """
        client = await self._twilio.sdk(keys)
        try:
            with sdk_trouble():
                await client.calls(sid).update_async(status="canceled")
        except SendError as error:
            if error.code != WRONG_STATE:  # it was picked up
                raise
            with sdk_trouble():
                await client.calls(sid).update_async(status="completed")

    async def move(self, keys: AccountKeys, sid: str, url: str) -> None:
        """Have it go on there, whatever goes on in it now.

        Raises: SendError
        """
        client = await self._twilio.sdk(keys)
        with sdk_trouble():
            await client.calls(sid).update_async(url=url, method="POST")

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
