"""Requests from Twilio to the application: signed, timed, retried as the address asks, and written down."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import parse_qs, urlencode, urlsplit

import aiohttp
from yarl import URL

from simulators.twilio import signing

Form = tuple[tuple[str, str], ...]
Failure = Literal["", "ct", "rt", "4xx", "5xx", "redirect"]

_FORM_TYPE = "application/x-www-form-urlencoded; charset=UTF-8"
_LARGEST_ANSWER = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One request to the application and its answer. `failure` is empty when Twilio is content with it."""

    url: str  # as signed: the public address, no fragment
    form: Form = ()
    body: bytes = b""
    headers: Mapping[str, str]
    status: int | None = None
    content_type: str = ""
    answer: bytes = b""
    failure: Failure = ""
    error: int | None = None  # Twilio's number for the failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoil:
    """What should be wrong with a request."""

    bad_signature: bool = False
    sign_with_port: bool = False
    drop_connection: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """The connection rules that an address carries in its fragment."""

    connect_s: float = 5.0
    read_s: float = 15.0
    total_s: float = 15.0
    retries: int = 1
    policy: frozenset[str] = frozenset({"ct"})


class Poster:
    """Twilio's side of every webhook.

    `reach` maps public addresses to where they really are (`{"https://bot.example.com": "http://127.0.0.1:8000"}`),
    as the proxy in front of the application does: the public address is signed, the real one is dialled.
    """

    def __init__(self, session: aiohttp.ClientSession, *, reach: Mapping[str, str], new_id: Callable[[], str]) -> None:
        self._session = session
        self._reach = reach
        self._new_id = new_id

    async def form(
        self, url: str, form: Form, *, token: str, method: str = "POST", spoil: Spoil | None = None
    ) -> list[Post]:
        """Send a form, or the same as a query if `method` is GET; every attempt is returned, the last counts."""
        bare, rules = split_overrides(url)
        if method == "GET":
            target = f"{bare}{'&' if '?' in bare else '?'}{urlencode(form)}"
            return await self._send("GET", target, rules, token=token, spoil=spoil or Spoil(), form=form)
        body = urlencode(form).encode()
        return await self._send(
            "POST", bare, rules, token=token, spoil=spoil or Spoil(), form=form, body=body, content_type=_FORM_TYPE
        )

    async def json(self, url: str, body: bytes, *, token: str, spoil: Spoil | None = None) -> list[Post]:
        """Send a JSON body, its hash in the signed address."""
        bare, rules = split_overrides(url)
        return await self._send(
            "POST",
            signing.json_url(bare, body),
            rules,
            token=token,
            spoil=spoil or Spoil(),
            body=body,
            content_type="application/json",
        )

    async def _send(
        self,
        method: str,
        url: str,
        rules: Overrides,
        *,
        token: str,
        spoil: Spoil,
        form: Form = (),
        body: bytes = b"",
        content_type: str = "",
    ) -> list[Post]:
        signed = signing.with_port(url) if spoil.sign_with_port else url
        key = f"not {token}" if spoil.bad_signature else token
        headers = {
            "X-Twilio-Signature": signing.signature(key, signed, form if method == "POST" else ()),
            "I-Twilio-Idempotency-Token": self._new_id(),
            "User-Agent": "TwilioProxy/1.1",
            "Accept": "*/*",
        }
        if content_type:
            headers["Content-Type"] = content_type
        posts: list[Post] = []
        loop = asyncio.get_running_loop()
        ends = loop.time() + rules.total_s
        for attempt in range(rules.retries + 1):
            result = await self._once(
                Post(url=url, form=form, body=body, headers=headers),
                method,
                connect_s=rules.connect_s,
                read_s=rules.read_s,
                total_s=max(ends - loop.time(), 0.001),
                drop=spoil.drop_connection and attempt == 0,
            )
            posts.append(result)
            if result.failure not in rules.policy and not (result.failure and "all" in rules.policy):
                break
        return posts

    async def _once(
        self, post: Post, method: str, *, connect_s: float, read_s: float, total_s: float, drop: bool
    ) -> Post:
        dialled, host = self._dial(post.url)
        try:
            async with self._session.request(
                method,
                URL(dialled, encoded=True),  # Encoded: sent byte for byte as it was signed.
                data=post.body or None,
                headers={**post.headers, "Host": host},
                timeout=aiohttp.ClientTimeout(total=total_s, sock_connect=connect_s, sock_read=read_s),
                allow_redirects=False,
            ) as response:
                if drop:
                    response.close()
                    return replace(post, failure="ct", error=11205)
                answer = await _read(response.content)
                return _judge(post, response.status, response.headers.get("Content-Type", ""), answer)
        except aiohttp.ConnectionTimeoutError:
            return replace(post, failure="ct", error=11201)
        except TimeoutError:
            return replace(post, failure="rt", error=11203)
        except aiohttp.ClientConnectorDNSError:
            return replace(post, failure="ct", error=11210)
        except (aiohttp.ClientConnectorError, aiohttp.InvalidURL, ValueError):
            return replace(post, failure="ct", error=11202)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            return replace(post, failure="ct", error=11205)
        except aiohttp.ClientError:
            return replace(post, failure="ct", error=11206)

    def _dial(self, url: str) -> tuple[str, str]:
        for public, real in self._reach.items():
            if url.startswith(public):
                return real + url[len(public) :], urlsplit(url).netloc
        return url, urlsplit(url).netloc


def split_overrides(url: str) -> tuple[str, Overrides]:
    """The address without its fragment, and the fragment's rules; what makes no sense there keeps the default."""
    bare, _, fragment = url.partition("#")
    given = parse_qs(fragment)
    retries = given.get("rc", [""])[0]
    policy = given.get("rp", [""])[0]
    return bare, Overrides(
        connect_s=_milliseconds(given, "ct", default=5_000, most=10_000),
        read_s=_milliseconds(given, "rt", default=15_000, most=15_000),
        total_s=_milliseconds(given, "tt", default=15_000, most=15_000),
        retries=min(int(retries), 5) if retries.isdecimal() else 1,
        policy=frozenset(policy.split(",")) if policy else frozenset({"ct"}),
    )


def _milliseconds(given: Mapping[str, list[str]], key: str, *, default: int, most: int) -> float:
    value = given.get(key, [""])[0]
    return (min(max(int(value), 100), most) if value.isdecimal() else default) / 1000


async def _read(stream: aiohttp.StreamReader) -> bytes:
    """The answer, one byte more than allowed at most."""
    try:
        return await stream.readexactly(_LARGEST_ANSWER + 1)
    except asyncio.IncompleteReadError as whole:
        return whole.partial


def _judge(post: Post, status: int, content_type: str, answer: bytes) -> Post:
    failure: Failure = "5xx" if status >= 500 else "4xx" if status >= 400 else "redirect" if status >= 300 else ""
    error = 11200 if failure else 11750 if len(answer) > _LARGEST_ANSWER else None
    return replace(post, status=status, content_type=content_type, answer=answer, failure=failure, error=error)
