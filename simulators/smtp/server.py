"""Enough of SMTP (RFC 5321) for letters to be handed in, with a password where one is wanted (RFC 4954)."""

import asyncio
import base64
import binascii
import contextlib
import email
from collections import deque
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default
from typing import Final, Self

_LONGEST: Final = 10_000_000


@dataclass(frozen=True, slots=True)
class Letter:
    """What was handed in. `sender` and `to` are the envelope's."""

    sender: str
    to: tuple[str, ...]
    message: EmailMessage = field(repr=False)

    @property
    def subject(self) -> str:
        return str(self.message["Subject"])

    @property
    def text(self) -> str:
        return str(self.message.get_content())


@dataclass(frozen=True, slots=True)
class Fault:
    """An answer other than the usual one: `code` to the command `at` (`MAIL`, `RCPT`, `DATA`), or 0 to hang up there."""

    at: str
    code: int
    text: str = "no"


class SmtpSimulator:
    """`async with SmtpSimulator() as server:` serves at `server.url`; `server.inbox` is everything it took."""

    def __init__(self, *, user: str = "", password: str = "") -> None:
        self.inbox: list[Letter] = []
        self.faults: deque[Fault] = deque()
        self._user = user
        self._password = password
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        await self.serve()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def url(self) -> str:
        """What to put into the settings of whoever sends."""
        who = f"{self._user}:{self._password}@" if self._user else ""
        return f"smtp://{who}127.0.0.1:{self.port}"

    @property
    def port(self) -> int:
        assert self._server is not None  # noqa: S101  it serves
        return int(self._server.sockets[0].getsockname()[1])

    async def serve(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self._server = await asyncio.start_server(self._connected, host, port)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            for writer in [*self._open]:
                writer.close()
            await self._server.wait_closed()

    def to(self, address: str) -> list[Letter]:
        """The letters to one address, the oldest first."""
        return [letter for letter in self.inbox if address in letter.to]

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await _Talk(self, reader, writer, self._user, self._password).run()
        finally:
            self._open.discard(writer)
            writer.close()


class _Talk:
    """One connection."""

    def __init__(
        self,
        server: SmtpSimulator,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        user: str,
        password: str,
    ) -> None:
        self._server = server
        self._reader = reader
        self._writer = writer
        self._user = user
        self._password = password
        self._is_known = not user
        self._sender: str | None = None
        self._to: list[str] = []

    async def run(self) -> None:
        self._say(220, "simulator ready")
        while line := await self._reader.readline():
            verb, _, rest = line.decode("utf-8", "replace").strip().partition(" ")
            verb = verb.upper()
            if self._server.faults and self._server.faults[0].at == verb:
                fault = self._server.faults.popleft()
                if not fault.code:
                    return
                self._say(fault.code, fault.text)
                continue
            if verb == "QUIT":
                self._say(221, "bye")
                return
            await self._do(verb, rest)

    async def _do(self, verb: str, rest: str) -> None:
        if verb == "EHLO":
            self._writer.write(b"250-simulator\r\n250-AUTH PLAIN LOGIN\r\n250-SMTPUTF8\r\n250 8BITMIME\r\n")
        elif verb in ("HELO", "NOOP"):
            self._say(250, "ok")
        elif verb == "AUTH":
            await self._prove(rest)
        elif not self._is_known:
            self._say(530, "authentication required")
        elif verb == "MAIL":
            self._sender, self._to = _path(rest), []
            self._say(250, "ok")
        elif verb == "RCPT" and self._sender is not None:
            self._to.append(_path(rest))
            self._say(250, "ok")
        elif verb == "DATA" and self._to:
            await self._take()
        elif verb == "RSET":
            self._sender, self._to = None, []
            self._say(250, "ok")
        else:
            self._say(503, "not now")

    async def _prove(self, rest: str) -> None:
        method, _, given = rest.partition(" ")
        try:
            if method.upper() == "PLAIN":
                _, user, password = base64.b64decode(given or await self._ask("")).decode().split("\0")
            else:
                user = base64.b64decode(given or await self._ask("Username:")).decode()
                password = base64.b64decode(await self._ask("Password:")).decode()
        except (binascii.Error, ValueError):
            self._say(501, "cannot read that")
            return
        self._is_known = (user, password) == (self._user, self._password)
        self._say(*(235, "welcome") if self._is_known else (535, "wrong"))

    async def _ask(self, what: str) -> str:
        self._say(334, base64.b64encode(what.encode()).decode())
        return (await self._reader.readline()).decode().strip()

    async def _take(self) -> None:
        self._say(354, "go on")
        lines: list[bytes] = []
        size = 0
        while (line := await self._reader.readline()) != b".\r\n":
            if not line or (size := size + len(line)) > _LONGEST:
                raise ConnectionError
            lines.append(line.removeprefix(b"."))  # a dot at the beginning was doubled
        message = email.message_from_bytes(b"".join(lines), policy=default)
        self._server.inbox.append(Letter(self._sender or "", tuple(self._to), message))
        self._sender, self._to = None, []
        self._say(250, "taken")

    def _say(self, code: int, text: str) -> None:
        self._writer.write(f"{code} {text}\r\n".encode())


def _path(rest: str) -> str:
    """What stands between the angle brackets."""
    return rest.partition("<")[2].partition(">")[0]
