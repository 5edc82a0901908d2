"""Meta's Graph API over an HTTP session of ours.

Meta has no SDK for it in Python. Source: reference, whatsapp-sms.md sections B5 to B7.
"""

import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

import aiohttp
import orjson

from channels import answering
from channels.base import AccountKeys, Sent
from channels.errors import SendError
from channels.files import Located, host_of, is_at
from channels.messages import JSON, ListedTemplate
from channels.meta import codec, templates
from channels.meta.errors import explain

GRAPH: Final = "https://graph.facebook.com/v24.0"

_FILES: Final = (".fbsbx.com", ".facebook.com", ".fbcdn.net", ".whatsapp.net")  # who hands out customers' files
_HEX: Final = re.compile(r"[0-9a-fA-F]{64}")
_NO_OBJECT: Final = "100"  # the code for an id that leads nowhere
_UNCLEAR: Final = "Meta did not say whether the message went out."
_RETRY_AFTER_MAX_S: Final = 3600.0
_ANSWER_MAX: Final = 4 * 2**20
_PAGES: Final = 20
_PAGE: Final = 100


class MetaClient:
    """Sends for any number of accounts, and reads what Meta keeps of them.

    `api_base` replaces Meta's address and version, for a stand-in. The session's owner closes it. `now` tells how long
    ago a try was whose outcome is unclear.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        api_base: str = GRAPH,
        timeout_s: float = 15.0,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._session = session
        self._api_base = api_base.rstrip("/")
        self._timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=5.0)
        self.now = now

    async def create(self, keys: AccountKeys, body: Mapping[str, JSON]) -> Sent:
        """Send one message (`codec.encode`).

        Raises:
            SendError: of the kind `unclear` when it may have gone out all the same.
        """
        if not keys.service_id:
            raise SendError("", "Meta's phone_number_id of the number we send from is not set.", kind="config")
        answer = await self._ask("POST", f"{keys.service_id}/messages", keys, json=body, sends=True)
        sent = answer.get("messages")
        first = sent[0] if isinstance(sent, list) and sent else None
        provider_id = first.get("id") if isinstance(first, dict) else None
        if not isinstance(provider_id, str) or not provider_id:
            raise SendError("", _UNCLEAR, kind="unclear")
        return Sent(provider_id, recipient=codec.recipient(answer, written=body.get("to")))

    async def seen(self, keys: AccountKeys, provider_id: str, *, typing: bool) -> None:
        """Mark a customer's message as read; with `typing` it shows for 25 s, or until our reply, that we write.

        Raises: SendError
        """
        await self._ask("POST", f"{keys.service_id}/messages", keys, json=codec.seen(provider_id, typing=typing))

    async def locate(self, keys: AccountKeys, media_id: str) -> Located:
        """Where a customer's file is to be had for the next five minutes, and Meta's own sum of it.

        Raises:
            SendError: of the kind `content` when it is gone.
        """
        if not media_id:
            raise SendError("", "The file is not there any more.", kind="content")
        try:
            told = await self._ask("GET", quote(media_id, safe=""), keys)
        except SendError as error:
            if error.code == _NO_OBJECT:
                raise SendError(error.code, "The file is not there any more.", kind="content") from None
            raise
        url, size = told.get("url"), told.get("file_size")
        here = host_of(self._api_base)
        hosts = (*_FILES, here)
        # The access token travels along: in the open it goes to a stand-in only.
        if not isinstance(url, str) or not is_at(url, hosts) or not (url.startswith("https:") or host_of(url) == here):
            raise SendError("", "The file is not there any more.", kind="content")
        return Located(
            url,
            hosts,
            {"Authorization": f"Bearer {keys.password}"},
            sha256=_digest(told.get("sha256")),
            size=size if type(size) is int else None,
        )

    async def templates(self, keys: AccountKeys) -> list[ListedTemplate]:
        """The account's templates, whatever their state, by Meta's order.

        Raises: SendError
        """
        if not keys.account_id:
            raise SendError("", "The id of the WhatsApp business account is not set.", kind="config")
        found: list[ListedTemplate] = []
        after = ""
        for _ in range(_PAGES):
            query = {"limit": str(_PAGE), **({"after": after} if after else {})}
            answer = await self._ask("GET", f"{keys.account_id}/message_templates", keys, query=query)
            rows = answer.get("data")
            listed = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
            found += [one for row in listed if (one := templates.decode(row))]
            after = _next(answer)
            if not after:
                break
        return found

    async def _ask(
        self,
        method: str,
        path: str,
        keys: AccountKeys,
        *,
        json: Mapping[str, JSON] | None = None,
        query: Mapping[str, str] | None = None,
        sends: bool = False,
    ) -> dict[str, JSON]:
        """What Meta answers. Without an answer it is `unclear` what happened, which matters only to what `sends`.

        Raises: SendError
        """
        if not keys.password:
            raise SendError("", "There is no access token for WhatsApp.", kind="config", stops_channel=True)
        data = orjson.dumps(json) if json is not None else None
        try:
            return await self._answer(method, path, keys, data, is_json=json is not None, query=query)
        except SendError as error:
            if error.kind != "unclear" or sends:
                raise
            raise SendError(
                error.code, "Meta did not answer.", kind="retry", retry_after_s=error.retry_after_s
            ) from None

    async def _answer(
        self,
        method: str,
        path: str,
        keys: AccountKeys,
        data: bytes | None,
        *,
        is_json: bool,
        query: Mapping[str, str] | None,
    ) -> dict[str, JSON]:
        status, body, headers = await self._fetch(
            method, f"{self._api_base}/{path}", keys, data=data, query=query, is_json=is_json
        )
        try:
            answer = orjson.loads(body)
        except ValueError:
            answer = None
        if status >= 300 or (isinstance(answer, dict) and "error" in answer):
            wait_s = _seconds(headers.get("Retry-After", ""))
            raise explain(_code(answer), http_status=status, retry_after_s=wait_s)
        if not isinstance(answer, dict):
            raise SendError("", _UNCLEAR, kind="unclear")
        return answer

    async def _fetch(
        self,
        method: str,
        url: str,
        keys: AccountKeys,
        *,
        data: bytes | None = None,
        query: Mapping[str, str] | None = None,
        is_json: bool = False,
    ) -> tuple[int, bytes, Mapping[str, str]]:
        """Status, body (a byte more than is taken at most) and headers."""
        headers = {"Authorization": f"Bearer {keys.password}"}
        if is_json:
            headers["Content-Type"] = "application/json"
        try:
            async with self._session.request(
                method,
                url,
                params=query,
                data=data,
                headers=headers,
                timeout=self._timeout,
                allow_redirects=False,
            ) as response:
                body = await answering.read(response, _ANSWER_MAX)
                return response.status, body, response.headers
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            raise SendError("", "Meta cannot be reached.", kind="retry") from None
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            raise SendError("", _UNCLEAR, kind="unclear") from None


def _code(answer: object) -> str:
    error = answer.get("error") if isinstance(answer, dict) else None
    code = error.get("code") if isinstance(error, dict) else None
    return str(code) if type(code) is int and 0 <= code < 10**8 else ""


def _digest(told: JSON) -> str:
    """In hex, as Meta writes it here; in base64, as it writes it in webhooks, it counts too. Empty for what is none."""
    if not isinstance(told, str):
        return ""
    if _HEX.fullmatch(told):
        return told.lower()
    try:
        digest = b64decode(told, validate=True)
    except ValueError:
        return ""
    return digest.hex() if len(digest) == 32 else ""


def _next(answer: Mapping[str, JSON]) -> str:
    """Where the next page begins; empty after the last."""
    paging = answer.get("paging")
    if not isinstance(paging, dict) or not paging.get("next"):
        return ""
    cursors = paging.get("cursors")
    after = cursors.get("after") if isinstance(cursors, dict) else None
    return after if isinstance(after, str) else ""


def _seconds(retry_after: str) -> float | None:
    return min(float(retry_after), _RETRY_AFTER_MAX_S) if retry_after.isascii() and retry_after.isdigit() else None
