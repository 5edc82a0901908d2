"""The one client for addresses that somebody typed: it asks public ones only, follows nothing, reads little, waits briefly.
Files of a vendor's are fetched by it too, from that vendor's hosts alone (`fetch`).

What counts is the address that is connected to, looked at in that moment: a name that led elsewhere when it was saved
(DNS rebinding) gets nobody any further.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from channels.files import Hosts, is_at
from desk.errors import Invalid
from gateway.outside.addresses import NOT_PUBLIC, BadAddress, Rules

_LOOK_UPS = 16  # names that are looked up at the same time; a slow name server holds up only these
_LOOK_UP_S = 2.0  # how long somebody who saves an address waits for its name
_MOST_BYTES: Final = 65_536
_MOST_REDIRECTS: Final = 3
_PIECE: Final = 256 * 1024


class Blocked(Exception):  # noqa: N818  http.Blocked says it
    """The address may not be asked, and was not. The text says why, for people."""


class Unreachable(Exception):  # noqa: N818  http.Unreachable says it
    """No answer came: no such name, nobody listening, a bad certificate, too slow. The text says which, for people."""


class TooLarge(Exception):  # noqa: N818  http.TooLarge says it
    """There is more than was wanted; what came so far is of no use."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` as it came, still compressed if it was; `is_cut` when there was more, or the rest took too long."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_cut: bool = False


class Outside:
    """One per process. Knows no proxy, keeps no cookies and no connections."""

    def __init__(self, rules: Rules, resolver: AbstractResolver, traces: Sequence[aiohttp.TraceConfig] = ()) -> None:
        self._rules = rules
        self._resolver = resolver
        connector = aiohttp.TCPConnector(
            resolver=resolver,
            use_dns_cache=False,
            force_close=True,
            limit=0,  # whoever asks has a limit of their own
            socket_factory=self._socket,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            auto_decompress=False,  # a small body can be a large one packed up
            trace_configs=[*traces],
            trust_env=False,  # behind a proxy the address that is connected to would be the proxy's
        )

    async def close(self) -> None:
        await self._session.close()
        await self._resolver.close()

    async def check(self, url: str, *, field: str) -> None:
        """Look at an address that is about to be saved. A name that leads nowhere (yet) is taken.

        Raises: Invalid
        """
        try:
            host = self._rules.url(url).raw_host or ""
            async with asyncio.timeout(_LOOK_UP_S):
                found = await self._resolver.resolve(host, 443, socket.AF_UNSPEC)
        except BadAddress as bad:
            raise Invalid(field, str(bad)) from None
        except (OSError, TimeoutError):
            return
        if not all(self._rules.may_ask(ipaddress.ip_address(one["host"].partition("%")[0])) for one in found):
            raise Invalid(field, NOT_PUBLIC)

    async def ask(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str],
        timeout_s: float,
        most_bytes: int = _MOST_BYTES,
    ) -> Answer:
        """What `url` answers, a redirect included; at most `most_bytes` of it, within `timeout_s` for everything.

        Raises: Blocked, Unreachable
        """
        try:
            target = self._rules.url(url)
        except BadAddress as bad:
            raise Blocked(str(bad)) from None
        until = asyncio.get_running_loop().time() + timeout_s
        try:
            async with asyncio.timeout_at(until):
                response = await self._session.request(
                    method,
                    target,
                    data=body,
                    headers={"Accept-Encoding": "identity", **headers},
                    allow_redirects=False,
                )
        except TimeoutError:
            raise Unreachable("It did not answer in time.") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _explained(error) from None
        try:
            found, is_cut = await _read(response, most_bytes, until)
        finally:
            response.close()
        return Answer(response.status, response.headers, found, is_cut)

    async def fetch(
        self,
        url: str,
        into: Callable[[bytes], Awaitable[object]],
        *,
        hosts: Hosts,
        headers: Mapping[str, str],
        timeout_s: float,
        most_bytes: int,
    ) -> int:
        """The status that a file's address answers, in the end; what it holds has gone `into` there, if that is 200.

        Redirects are followed to `hosts` only, and without the `headers`, which hold a key. All of it has to come within
        `timeout_s`.

        Raises: Blocked, Unreachable (also when it breaks off), TooLarge
        """
        try:
            async with asyncio.timeout(timeout_s):
                for _ in range(_MOST_REDIRECTS + 1):
                    response = await self._asked(url, hosts, headers)
                    try:
                        if response.status not in (301, 302, 303, 307, 308):
                            await _stream(response, into, most_bytes)
                            return response.status
                        url = _joined(response.url, response.headers.get("Location", ""))
                    finally:
                        response.close()
                    headers = {}
        except TimeoutError:
            raise Unreachable("It did not answer in time.") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _explained(error) from None
        raise Unreachable("It redirects without end.")

    async def _asked(self, url: str, hosts: Hosts, headers: Mapping[str, str]) -> aiohttp.ClientResponse:
        """Raises: Blocked"""
        try:
            target = self._rules.url(url)
        except BadAddress as bad:
            raise Blocked(str(bad)) from None
        if not is_at(str(target), hosts):
            raise Blocked("This address is not the vendor's.")
        return await self._session.get(
            target, headers={"Accept-Encoding": "identity", **headers}, allow_redirects=False
        )

    def _socket(self, where: tuple[object, ...]) -> socket.socket:
        """A socket for an address that was just found, right before it is connected."""
        family, kind, protocol, _, address = where
        assert isinstance(family, int) and isinstance(kind, int) and isinstance(protocol, int)  # noqa: S101, PT018
        assert isinstance(address, tuple)  # noqa: S101  as getaddrinfo has it
        if not self._rules.may_ask(ipaddress.ip_address(str(address[0]).partition("%")[0])):
            raise _NotPublic(NOT_PUBLIC)
        return socket.socket(family, kind, protocol)


class _NotPublic(OSError):  # noqa: N818
    """Raised where aiohttp expects what a system call raises."""


class Names(AbstractResolver):
    """Looks names up in threads of its own: slow name servers keep nothing else from its work."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_LOOK_UPS, thread_name_prefix="names")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Raises: OSError"""
        found = await asyncio.get_running_loop().run_in_executor(self._threads, _look_up, host, port, family)
        return [
            ResolveResult(hostname=host, host=str(address[0]), port=port, family=kind, proto=proto, flags=_NUMERIC)
            for kind, _, proto, _, address in found
        ]

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


_NUMERIC = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
_Found = list[tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[str, int] | tuple[str, int, int, int]]]


def _look_up(host: str, port: int, family: int) -> _Found:
    try:
        return socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)  # type: ignore[return-value]
    except UnicodeError as odd:
        raise OSError("no such name") from odd


async def _read(response: aiohttp.ClientResponse, most: int, until: float) -> tuple[bytes, bool]:
    """The body up to `most` bytes, and whether it was cut: there is no reading on to find out how large it is."""
    found = bytearray()
    try:
        async with asyncio.timeout_at(until):
            async for chunk in response.content.iter_any():
                found += chunk
                if len(found) > most:
                    return bytes(found[:most]), True
    except (TimeoutError, aiohttp.ClientError, OSError):
        return bytes(found), True
    return bytes(found), False


async def _stream(
    response: aiohttp.ClientResponse, into: Callable[[bytes], Awaitable[object]], most_bytes: int
) -> None:
    """Raises: TooLarge, Unreachable"""
    if response.status != 200:
        return
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Unreachable("It answers compressed, which was not asked for.")
    if (response.content_length or 0) > most_bytes:
        raise TooLarge
    size = 0
    async for piece in response.content.iter_chunked(_PIECE):
        size += len(piece)
        if size > most_bytes:
            raise TooLarge
        await into(piece)


def _joined(base: URL, location: str) -> str:
    """Where a redirect leads.

    Raises: ValueError
    """
    return str(base.join(URL(location, encoded=True)))


def _explained(error: Exception) -> Blocked | Unreachable:
    """What went wrong in words that hold no address of ours and nothing of theirs."""
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, _NotPublic):
        return Blocked(NOT_PUBLIC)
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return Unreachable("There is no such host.")
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
        return Unreachable("Its certificate is not good.")
    if isinstance(error, aiohttp.ClientConnectorError):
        return Unreachable("Nobody listens there.")
    if isinstance(error, aiohttp.ServerDisconnectedError | ConnectionError):
        return Unreachable("It hung up without an answer.")
    return Unreachable("Its answer is not HTTP.")
