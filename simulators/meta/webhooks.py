"""Requests from Meta to the application: signed over their bytes, repeated until they are answered with 200."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode, urlsplit

import aiohttp


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One request to the application and its answer; without a status there was none."""

    url: str
    body: bytes
    status: int | None = None
    answer: bytes = b""


class Poster:
    """Meta's side of every webhook. `reach` maps public addresses to where they really are."""

    def __init__(self, session: aiohttp.ClientSession, *, reach: Mapping[str, str], timeout_s: float = 10.0) -> None:
        self._session = session
        self._reach = reach
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)

    async def post(self, url: str, body: bytes, *, secret: str) -> Post:
        """Send the body, signed."""
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "facebookexternalua",
            "X-Hub-Signature": "sha1=" + hmac.digest(secret.encode(), body, "sha1").hex(),
            "X-Hub-Signature-256": "sha256=" + hmac.digest(secret.encode(), body, "sha256").hex(),
        }
        return await self._send("POST", Post(url=url, body=body), headers)

    async def challenge(self, url: str, *, verify_token: str, word: str) -> Post:
        """Ask whether the webhook is the application's."""
        query = {"hub.mode": "subscribe", "hub.verify_token": verify_token, "hub.challenge": word}
        return await self._send("GET", Post(url=f"{url}?{urlencode(query)}", body=b""), {})

    async def _send(self, method: str, post: Post, headers: Mapping[str, str]) -> Post:
        dialled, host = self._dial(post.url)
        try:
            async with self._session.request(
                method,
                dialled,
                data=post.body or None,
                headers={**headers, "Host": host},
                timeout=self._timeout,
                allow_redirects=False,
            ) as response:
                return replace(post, status=response.status, answer=await response.read())
        except (aiohttp.ClientError, TimeoutError):
            return post

    def _dial(self, url: str) -> tuple[str, str]:
        for public, real in self._reach.items():
            if url.startswith(public):
                return real + url[len(public) :], urlsplit(url).netloc
        return url, urlsplit(url).netloc
