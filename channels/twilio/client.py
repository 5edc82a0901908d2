"""Twilio's REST API through its own SDK, over an HTTP session of ours.

The SDK is loaded at the first call, in a thread: it takes half a second that nobody should wait for at start. It has no
setting for another host, keeps no Retry-After and cannot send a list of files, so the HTTP part below is ours.
"""

import asyncio
import importlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode, urlsplit

import aiohttp
import orjson

from channels.base import AccountKeys, Sent
from channels.errors import SendError
from channels.twilio.codec import status_of
from channels.twilio.errors import explain

if TYPE_CHECKING:
    from twilio.http.response import Response
    from twilio.rest import Client
    from twilio.rest.api.v2010.account.message import MessageList

_UNCLEAR: Final = "Twilio did not say whether the message went out."
# Twilio's clock and ours differ a little, and its times have whole seconds.
_CLOCKS_DIFFER: Final = timedelta(seconds=3)
_LOOK_BACK: Final = 50
_RETRY_AFTER_MAX_S: Final = 3600.0


class TwilioClient:
    """Sends and looks up messages for any number of accounts.

    `api_base` replaces the scheme and host of every call, for a stand-in; empty for Twilio itself. The session's owner
    closes it.
    """

    def __init__(self, session: aiohttp.ClientSession, *, api_base: str = "", timeout_s: float = 15.0) -> None:
        self._http = _Http(session, api_base.rstrip("/"), aiohttp.ClientTimeout(total=timeout_s, sock_connect=5.0))
        self._clients: dict[tuple[str, str, str], Client] = {}

    async def create(self, keys: AccountKeys, parameters: Mapping[str, str | list[str]]) -> Sent:
        """Send one message; the parameters are the SDK's (`codec.rest_parameters`).

        Raises:
            SendError: of the kind `unclear` when it may have gone out all the same.
        """
        messages = await self._messages(keys)
        with _sdk_trouble():
            message = await messages.create_async(**parameters)
            return _sent(message.sid, message.status)

    async def find(
        self, keys: AccountKeys, parameters: Mapping[str, str | list[str]], *, since: datetime
    ) -> Sent | None:
        """The message that an earlier `create` with these parameters made at or after `since`, if it did.

        Twilio keeps no reference of ours, so it is known by recipient, sender and text. Only the creation time counts:
        messages that still wait have no sending time, by which the API could filter.

        Raises:
            SendError: Twilio could not be asked.
        """
        messages = await self._messages(keys)
        filters = {name: parameters[name] for name in ("to", "from_") if name in parameters}
        with _sdk_trouble():
            newest_first = await messages.list_async(**filters, limit=_LOOK_BACK)
            for message in reversed(newest_first):  # the oldest is the one whose answer we missed
                if message.date_created >= since - _CLOCKS_DIFFER and _has_text(message.body or "", parameters):
                    return _sent(message.sid, message.status)
        return None

    async def _messages(self, keys: AccountKeys) -> "MessageList":
        user, password = keys.user or keys.account_id, keys.password or next(iter(keys.secrets), "")
        client = self._clients.get((keys.account_id, user, password))
        if client is None:
            await asyncio.to_thread(importlib.import_module, "twilio.rest.api")
            from twilio.rest import Client

            client = Client(user, password, keys.account_id, http_client=self._http)
            self._clients[keys.account_id, user, password] = client
        return client.messages


class _Http:
    """What the SDK asks of its HTTP client, so that it need not be imported to be subclassed."""

    is_async = True

    def __init__(self, session: aiohttp.ClientSession, api_base: str, timeout: aiohttp.ClientTimeout) -> None:
        self._session = session
        self._api_base = api_base
        self._timeout = timeout

    async def request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        data: Mapping[str, str | list[str]] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the SDK's signature
        allow_redirects: bool = False,
    ) -> "Response":
        from twilio.http.response import Response

        headers = dict(headers or {})
        if auth:
            headers["Authorization"] = aiohttp.encode_basic_auth(*auth)
        try:
            async with self._session.request(
                method,
                self._there(url),
                params=params,
                data=urlencode(data, doseq=True).encode() if data else None,
                headers=headers,
                timeout=self._timeout,
                allow_redirects=False,
            ) as response:
                text = await response.text("utf-8", "replace")
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            raise SendError("", "Twilio cannot be reached.", kind="retry") from None
        except (aiohttp.ClientError, TimeoutError, OSError):
            raise SendError("", _UNCLEAR, kind="unclear") from None
        if response.status >= 300:
            wait_s = _seconds(response.headers.get("Retry-After", ""))
            raise explain(_code(text), http_status=response.status, retry_after_s=wait_s)
        return Response(response.status, text, response.headers)

    def _there(self, url: str) -> str:
        return self._api_base + url.removeprefix("https://" + urlsplit(url).netloc) if self._api_base else url


def _sent(sid: object, status: object) -> Sent:
    if not isinstance(sid, str) or not sid:
        raise SendError("", _UNCLEAR, kind="unclear")
    return Sent(sid, status_of(str(status)) or "queued")


def _has_text(body: str, parameters: Mapping[str, str | list[str]]) -> bool:
    """Whether a listed message says what we wanted to say. Trial accounts get a line of Twilio's in front; what becomes
    of a template only Twilio knows, so there the time and the people have to do."""
    text = parameters.get("body", "")
    return "content_sid" in parameters or (isinstance(text, str) and body.strip().endswith(text.strip()))


def _code(answer: str) -> str:
    try:
        code = orjson.loads(answer)["code"]
    except (ValueError, LookupError, TypeError):
        return ""
    return str(code) if type(code) is int else ""


def _seconds(retry_after: str) -> float | None:
    return min(float(retry_after), _RETRY_AFTER_MAX_S) if retry_after.isascii() and retry_after.isdigit() else None


@contextmanager
def _sdk_trouble() -> Iterator[None]:
    """Whatever the SDK trips over while it reads an answer means that we cannot know what happened."""
    from twilio.base.exceptions import TwilioException

    try:
        yield
    except (TwilioException, ValueError, TypeError, AttributeError, LookupError):
        raise SendError("", _UNCLEAR, kind="unclear") from None
