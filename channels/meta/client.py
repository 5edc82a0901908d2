"""Meta's Graph API over an HTTP session of ours.

There is no SDK of Meta's for this; those of others are no bigger than what stands here, and none says whether a message
may have gone out. Source: reference, whatsapp-sms.md sections B5 to B7.
"""

import hashlib
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

import aiohttp
import orjson

from channels.base import AccountKeys, Sent
from channels.errors import SendError
from channels.messages import JSON, ListedTemplate
from channels.meta import codec, templates
from channels.meta.errors import explain

GRAPH: Final = "https://graph.facebook.com/v24.0"

_FILES: Final = (".fbsbx.com", ".facebook.com", ".fbcdn.net", ".whatsapp.net")  # who hands out customers' files
_UNCLEAR: Final = "Meta did not say whether the message went out."
_RETRY_AFTER_MAX_S: Final = 3600.0
_ANSWER_MAX: Final = 4 * 2**20
_PAGES: Final = 20
_PAGE: Final = 100


@dataclass(frozen=True, slots=True)
class File:
    """A file that a customer sent. `content_type` is what Meta says of it."""

    content: bytes
    content_type: str


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
        return Sent(provider_id)

    async def seen(self, keys: AccountKeys, provider_id: str, *, typing: bool) -> None:
        """Mark a customer's message as read; with `typing` it shows for 25 s, or until our reply, that we write.

        Raises: SendError
        """
        await self._ask("POST", f"{keys.service_id}/messages", keys, json=codec.seen(provider_id, typing=typing))

    async def upload(self, keys: AccountKeys, content: bytes, *, content_type: str, name: str) -> str:
        """The id under which Meta keeps the file for 30 days, to send it by.

        Raises: SendError
        """
        form = aiohttp.FormData()
        form.add_field("messaging_product", "whatsapp")
        form.add_field("type", content_type)
        form.add_field("file", content, filename=name, content_type=content_type)
        answer = await self._ask("POST", f"{keys.service_id}/media", keys, form=form)
        media_id = answer.get("id")
        if not isinstance(media_id, str) or not media_id:
            raise SendError("", "WhatsApp did not take in the file.", kind="retry")
        return media_id

    async def download(self, keys: AccountKeys, media_id: str, *, most_bytes: int) -> File:
        """A customer's file, checked against Meta's own sum of it.

        Raises:
            SendError: of the kind `content` when it is gone or larger than `most_bytes`.
        """
        told = await self._ask("GET", media_id, keys)
        url, size = told.get("url"), told.get("file_size")
        if not isinstance(url, str) or not self._is_metas(url) or (type(size) is int and size > most_bytes):
            raise SendError("", "The file is not there any more, or too large.", kind="content")
        try:
            status, content, _ = await self._fetch("GET", url, keys, most_bytes=most_bytes)
        except SendError:
            status, content = 503, b""
        if status >= 500 or status == 429:
            raise SendError("", "WhatsApp did not hand out the file.", kind="retry")
        if status != 200 or len(content) > most_bytes:
            raise SendError("", "The file is not there any more, or too large.", kind="content")
        if not _is_whole(content, told.get("sha256")):
            raise SendError("", "The file did not arrive whole.", kind="retry")
        kind = told.get("mime_type")
        return File(content, kind if isinstance(kind, str) else "")

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

    def _is_metas(self, url: str) -> bool:
        """Whether the access token may be shown to whoever hands out this file."""
        try:
            there, here = urlsplit(url), urlsplit(self._api_base)
        except ValueError:
            return False
        if (there.scheme, there.netloc) == (here.scheme, here.netloc):
            return True
        return there.scheme == "https" and (there.hostname or "").endswith(_FILES)

    async def _ask(
        self,
        method: str,
        path: str,
        keys: AccountKeys,
        *,
        json: Mapping[str, JSON] | None = None,
        form: aiohttp.FormData | None = None,
        query: Mapping[str, str] | None = None,
        sends: bool = False,
    ) -> dict[str, JSON]:
        """What Meta answers. Without an answer it is `unclear` what happened, which matters only to what `sends`.

        Raises: SendError
        """
        if not keys.password:
            raise SendError("", "There is no access token for WhatsApp.", kind="config")
        data = orjson.dumps(json) if json is not None else form
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
        data: bytes | aiohttp.FormData | None,
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
        data: bytes | aiohttp.FormData | None = None,
        query: Mapping[str, str] | None = None,
        is_json: bool = False,
        most_bytes: int = _ANSWER_MAX,
    ) -> tuple[int, bytes, Mapping[str, str]]:
        """Status, body (a byte more than `most_bytes` at most) and headers."""
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
                body = await _read(response.content, most_bytes + 1)
                return response.status, body, response.headers
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            raise SendError("", "Meta cannot be reached.", kind="retry") from None
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            raise SendError("", _UNCLEAR, kind="unclear") from None


async def _read(stream: aiohttp.StreamReader, most_bytes: int) -> bytes:
    pieces, left = [], most_bytes
    async for piece in stream.iter_chunked(65_536):
        pieces.append(piece[:left])
        left -= len(pieces[-1])
        if left <= 0:
            break
    return b"".join(pieces)


def _code(answer: object) -> str:
    error = answer.get("error") if isinstance(answer, dict) else None
    code = error.get("code") if isinstance(error, dict) else None
    return str(code) if type(code) is int and 0 <= code < 10**8 else ""


def _next(answer: Mapping[str, JSON]) -> str:
    """Where the next page begins; empty after the last."""
    paging = answer.get("paging")
    if not isinstance(paging, dict) or not paging.get("next"):
        return ""
    cursors = paging.get("cursors")
    after = cursors.get("after") if isinstance(cursors, dict) else None
    return after if isinstance(after, str) else ""


def _is_whole(content: bytes, told: JSON) -> bool:
    """Meta writes the sum in hex when asked for a file, and in base64 in webhooks."""
    if not isinstance(told, str) or not told:
        return True
    digest = hashlib.sha256(content).digest()
    return told.lower() == digest.hex() or told == b64encode(digest).decode()


def _seconds(retry_after: str) -> float | None:
    return min(float(retry_after), _RETRY_AFTER_MAX_S) if retry_after.isascii() and retry_after.isdigit() else None
