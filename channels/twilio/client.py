"""Twilio's REST API through its own SDK, over an HTTP session of ours.

The SDK is loaded at the first call, in a thread: it takes half a second that nobody should wait for at start. It has no
setting for another host, keeps no Retry-After and cannot send a list of files, so the HTTP part below is ours.
"""

import asyncio
import importlib
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode, urlsplit

import aiohttp
import orjson

from channels import answering
from channels.base import AccountKeys, Sent
from channels.errors import SendError
from channels.messages import Charge, ListedTemplate, StatusUpdate
from channels.twilio import content
from channels.twilio.codec import Parameters, charge_of, status_of
from channels.twilio.content import Shape
from channels.twilio.errors import explain

if TYPE_CHECKING:
    from twilio.http.response import Response
    from twilio.rest import Client

_Who = tuple[str, str, str]  # account, user, password

API: Final = "https://api.twilio.com"
_UNCLEAR: Final = "Twilio did not say whether the message went out."
# Twilio's clock and ours differ a little, and its times have whole seconds.
_CLOCKS_DIFFER: Final = timedelta(seconds=3)
_LOOK_BACK: Final = 50
_MESSAGE_SID: Final = re.compile(r"[SM]M[0-9a-f]{32}")  # not those of calls, whose words have ids made from theirs
_LINK: Final = re.compile(r"https?://\S+")
_GONE: Final = "20404"
_NOT_COMPLETE: Final = "20009"
_MOST_PER_PAGE: Final = 1000  # of Twilio's lists
_MOST_CHARGES: Final = 1_000_000  # of one look: more than a number sends in three hours at any rate
_MOST_CONTENTS: Final = 2000  # that are looked through for one of ours
_RETRY_AFTER_MAX_S: Final = 3600.0
_ANSWER_MAX: Final = 16 * 2**20  # a page of 1,000 messages has a megabyte or two


class TwilioClient:
    """Sends and looks up messages for any number of accounts.

    `api_base` replaces the scheme and host of every call, for a stand-in; empty for Twilio itself. The session's owner
    closes it.
    """

    def __init__(self, session: aiohttp.ClientSession, *, api_base: str = "", timeout_s: float = 15.0) -> None:
        self.api_base: Final = api_base.rstrip("/")
        self._http = _Http(session, self.api_base, aiohttp.ClientTimeout(total=timeout_s, sock_connect=5.0))
        self._clients: dict[_Who, Client] = {}
        self._contents: dict[_Who, dict[str, dict[str, str]]] = {}  # ids by name and language
        self._looking: dict[_Who, asyncio.Lock] = {}

    async def create(self, keys: AccountKeys, parameters: Parameters) -> Sent:
        """Send one message; the parameters are the SDK's (`codec.rest_parameters`).

        Raises:
            SendError: of the kind `unclear` when it may have gone out all the same.
        """
        client = await self._client(keys)
        with sdk_trouble():
            message = await client.messages.create_async(**parameters)
            return _sent(message.sid, message.status)

    async def find(self, keys: AccountKeys, parameters: Parameters, *, since: datetime) -> Sent | None:
        """The message that an earlier `create` with these parameters made at or after `since`, if it did.

        Twilio keeps no reference of ours, so it is known by recipient, sender and text. Only the creation time counts:
        messages that still wait have no sending time, by which the API could filter. Of a pool it may have been any sender.

        Raises:
            SendError: Twilio could not be asked.
        """
        client = await self._client(keys)
        told = ("to",) if "messaging_service_sid" in parameters else ("to", "from_")
        filters = {name: parameters[name] for name in told}
        with sdk_trouble():
            newest_first = await client.messages.list_async(**filters, limit=_LOOK_BACK)
            for message in reversed(newest_first):  # the oldest is the one whose answer we missed
                if message.date_created >= since - _CLOCKS_DIFFER and _has_text(message.body or "", parameters):
                    return _sent(message.sid, message.status)
        return None

    async def status(self, keys: AccountKeys, provider_id: str) -> StatusUpdate | None:
        """How far that message has come; None when Twilio has a word for it that we have none for.

        Raises: SendError
        """
        client = await self._client(keys)
        with sdk_trouble():
            message = await client.messages(provider_id).fetch_async()
            status = status_of(str(message.status))
            code = str(message.error_code or "")
        return StatusUpdate(provider_id, status, error_code=code) if status else None

    async def forget(self, keys: AccountKeys, provider_id: str) -> bool:
        """The record of that message is gone, or was gone already, and its files with it; False when it is not complete yet.

        Twilio keeps all but the files of a message until it is told to delete it, so emptying its body would leave the
        number there. Source: help.twilio.com, "Twilio SMS message and traffic storage"; twilio.com/docs/api/errors/20009.

        Raises: SendError
        """
        if _MESSAGE_SID.fullmatch(provider_id) is None:
            return True
        client = await self._client(keys)
        try:
            with sdk_trouble():
                await client.messages(provider_id).delete_async()
        except SendError as error:
            if error.code not in (_GONE, _NOT_COMPLETE):
                raise
            return error.code == _GONE
        return True

    async def charges(self, keys: AccountKeys, sender: str, since: datetime, until: datetime) -> AsyncIterator[Charge]:
        """What messages of that sender (empty: of the whole account) have cost that were sent in the time.

        Raises: SendError
        """
        client = await self._client(keys)
        only = {"from_": sender} if sender else {}
        with sdk_trouble():
            found = await client.messages.stream_async(
                **only,
                date_sent_after=since,
                date_sent_before=until,
                page_size=_MOST_PER_PAGE,
                limit=_MOST_CHARGES,  # a "next page" that leads to itself would never end
            )
            async for one in found:
                if (charge := charge_of(str(one.sid), one.price, one.price_unit)) is not None:
                    yield charge

    async def content_sid(self, keys: AccountKeys, shape: Shape) -> str:
        """The id of the content of that shape, which is made if the account has none yet.

        Raises: SendError, never of the kind `unclear`: no message was sent
        """
        async with self._looking.setdefault(_who(keys), asyncio.Lock()):  # two that want it at once make it once
            known = await self._known_contents(keys)
            if shape.name not in known:
                known[shape.name] = {"": await self._make_content(keys, shape)}
            return next(iter(known[shape.name].values()))

    async def template_sid(self, keys: AccountKeys, name: str, language: str) -> str:
        """The id of the account's content of that name, in the language or the one it is a kind of (`en` for `en_GB`);
        in any without a language.

        Raises: SendError, never of the kind `unclear`: no message was sent
        """
        async with self._looking.setdefault(_who(keys), asyncio.Lock()):
            if (sid := _in_language((await self._known_contents(keys)).get(name, {}), language)) is None:
                self.forget_contents(keys)  # it may be new
                found = (await self._known_contents(keys)).get(name, {})
                if (sid := _in_language(found, language)) is None:
                    raise explain("63027") if found else SendError("", "Twilio has no such template.", kind="config")
        return sid

    async def templates(self, keys: AccountKeys) -> list[ListedTemplate]:
        """What the account has, whatever WhatsApp has said to it; without what is made here.

        Raises: SendError
        """
        client = await self._client(keys)
        with _before_sending():
            found = await client.content.v1.content_and_approvals.stream_async(limit=_MOST_CONTENTS, page_size=500)
            each = [
                content.listed(one.friendly_name, one.language, one.types, one.approval_requests) async for one in found
            ]
        return [one for one in each if one is not None]

    def forget_contents(self, keys: AccountKeys) -> None:
        """Look at what contents there are again, at the next need of one."""
        self._contents.pop(_who(keys), None)

    async def show_typing(self, keys: AccountKeys, provider_id: str) -> None:
        """Mark the customer's WhatsApp message as read and show for 25 s, or until our reply, that we write.

        Raises: SendError
        """
        client = await self._client(keys)
        with sdk_trouble():
            await client.messaging.v2.typing_indicator.create_async(channel="whatsapp", message_id=provider_id)

    async def sdk(self, keys: AccountKeys) -> "Client":
        """The SDK with those keys, for what is no message; use it within `sdk_trouble`."""
        return await self._client(keys)

    async def _known_contents(self, keys: AccountKeys) -> dict[str, dict[str, str]]:
        known = self._contents.get(_who(keys))
        if known is None:
            client = await self._client(keys)
            known = {}
            with _before_sending():
                async for one in await client.content.v1.contents.stream_async(limit=_MOST_CONTENTS, page_size=500):
                    if isinstance(one.sid, str) and isinstance(one.friendly_name, str):
                        known.setdefault(one.friendly_name, {}).setdefault(_language(one.language), one.sid)
            self._contents[_who(keys)] = known
        return known

    async def _make_content(self, keys: AccountKeys, shape: Shape) -> str:
        client = await self._client(keys)
        with _before_sending():
            from twilio.rest.content.v1.content import ContentList

            made = await client.content.v1.contents.create_async(ContentList.ContentCreateRequest(shape.to_json()))
            if isinstance(made.sid, str) and made.sid:
                return made.sid
            raise ValueError

    async def _client(self, keys: AccountKeys) -> "Client":
        who = _who(keys)
        client = self._clients.get(who)
        if client is None:
            await asyncio.to_thread(importlib.import_module, "twilio.rest.api")
            from twilio.rest import Client

            account_id, user, password = who
            client = self._clients[who] = Client(user, password, account_id, http_client=self._http)
        return client


def _who(keys: AccountKeys) -> _Who:
    return keys.account_id, keys.user or keys.account_id, keys.password or next(iter(keys.secrets), "")


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
        data: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the SDK's signature
        allow_redirects: bool = False,
    ) -> "Response":
        from twilio.http.response import Response

        headers = dict(headers or {})
        if auth:
            headers["Authorization"] = aiohttp.encode_basic_auth(*auth)
        is_json = headers.get("Content-Type") == "application/json"
        body = None if not data else orjson.dumps(data) if is_json else urlencode(data, doseq=True).encode()
        try:
            async with self._session.request(
                method,
                self._there(url),
                params=params,
                data=body,
                headers=headers,
                timeout=self._timeout,
                allow_redirects=False,
            ) as response:
                text = (await answering.read(response, _ANSWER_MAX)).decode("utf-8", "replace")
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            raise SendError("", "Twilio cannot be reached.", kind="retry") from None
        except (aiohttp.ClientError, TimeoutError, OSError):
            raise SendError("", _UNCLEAR, kind="unclear") from None
        if response.status >= 300:
            wait_s = _seconds(response.headers.get("Retry-After", ""))
            raise explain(_code(text), http_status=response.status, retry_after_s=wait_s)
        return Response(response.status, text, response.headers)

    def _there(self, url: str) -> str:
        """Where `url` is called. A stand-in has all of Twilio's hosts in one; another region of Twilio's only its API."""
        here = f"{urlsplit(url).scheme}://{urlsplit(url).netloc}"
        is_region = (urlsplit(self._api_base).hostname or "").endswith(".twilio.com")
        if not self._api_base or (is_region and here != API):
            return url
        return self._api_base + url.removeprefix(here)


def _sent(sid: object, status: object) -> Sent:
    if not isinstance(sid, str) or not sid:
        raise SendError("", _UNCLEAR, kind="unclear")
    return Sent(sid, status_of(str(status)) or "queued")


def _has_text(body: str, parameters: Parameters) -> bool:
    """Whether a listed message says what we wanted to say, by its letters: a pool writes other quotation marks and dashes than
    we do (Smart Encoding), links may be shorter by now, and trial accounts get a line of Twilio's in front. What becomes of a
    template only Twilio knows, so there the time and the people have to do.
    """
    if "content_sid" in parameters:
        return True
    text = str(parameters.get("body", ""))
    if parameters.get("shorten_urls"):
        body, text = _LINK.sub("", body), _LINK.sub("", text)
    letters = _letters(text)
    return _letters(body).endswith(letters) if letters else body.strip() == text.strip()


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text))


def _in_language(found: Mapping[str, str], language: str) -> str | None:
    if not language:
        return next(iter(found.values()), None)
    code = _language(language)
    return found.get(code) or found.get(code.partition("_")[0])


def _language(code: object) -> str:
    return str(code or "").replace("-", "_").lower()


def _code(answer: str) -> str:
    try:
        code = orjson.loads(answer)["code"]
    except (ValueError, LookupError, TypeError):
        return ""
    return str(code) if type(code) is int else ""


def _seconds(retry_after: str) -> float | None:
    return min(float(retry_after), _RETRY_AFTER_MAX_S) if retry_after.isascii() and retry_after.isdigit() else None


@contextmanager
def _before_sending() -> Iterator[None]:
    """Trouble before a message is sent: nothing is unclear, it can be tried again."""
    try:
        with sdk_trouble():
            yield
    except SendError as error:
        if error.kind != "unclear":
            raise
        raise SendError(error.code, "Twilio did not prepare the message.", kind="retry", retry_after_s=10) from None


@contextmanager
def sdk_trouble() -> Iterator[None]:
    """Whatever the SDK trips over while it reads an answer means that we cannot know what happened."""
    from twilio.base.exceptions import TwilioException

    try:
        yield
    except (TwilioException, ValueError, TypeError, AttributeError, LookupError, RecursionError):
        raise SendError("", _UNCLEAR, kind="unclear") from None
