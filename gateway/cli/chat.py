"""`frontdesk chat`: a conversation with the bot in the terminal, or of lines from a pipe."""

import asyncio
import codecs
import os
import secrets
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, Final, cast

import aiohttp
from rich.console import Console
from rich.text import Text

from channels.messages import Option, OutboundMessage
from desk import phone
from gateway import demo_business as juniper
from gateway import log
from gateway.cli import database
from gateway.cli.doors import Door, Here, Phone, WebChat, phone_network
from gateway.cli.settings import load, plain_words, stop
from gateway.context import open_house
from gateway.settings import Settings
from storage.base import JsonValue
from storage.filelock import Held, holder
from storage.store import lock_path

_HELP: Final = f"""\
  1, 2, 3 …     take what is offered under that number
  /new          be a new customer
  /as NUMBER    be the customer with this number, such as {juniper.CUSTOMERS[0][1]} ({juniper.CUSTOMERS[0][0]})
  /state        show after each turn what the bot is in the middle of; again: no more
  /help         show this
  /quit         go (so does Ctrl-D)"""
_LOOK_EVERY_S: Final = 1.0
_TIMEOUT: Final = aiohttp.ClientTimeout(total=30)

# What a terminal would act on instead of showing it; line ends stay.
_CONTROLS: Final = dict.fromkeys([*range(0x0A), *range(0x0B, 0x20), *range(0x7F, 0xA0)])

# The door of the customer with a number, or of a new one.
_Open = Callable[[str | None], Awaitable[Door]]


class _NobodyByNumber(Exception):  # noqa: N818  a refusal with its reason
    """We cannot be the customer with that number here."""


def chat(config: Path | None, number: str | None) -> None:
    """`frontdesk chat`."""
    settings = load(config)
    log.configure("error", settings.log.format)
    with plain_words(settings):
        server = _server_at_the_database(settings)
        if server is None:
            database.bring_up_to_date(settings)
        try:
            asyncio.run(_chat(settings, server, number))
        except KeyboardInterrupt:
            pass
        except _NobodyByNumber as nobody:
            stop(str(nobody))
        except aiohttp.ClientError:
            stop(f"The server at {server} does not answer any more.")


def _server_at_the_database(settings: Settings) -> str | None:
    """Where the process answers that has the SQLite file for itself; None when nobody has, or many may.

    Raises:
        Held: it is a process that nobody can talk to.
    """
    path = lock_path(settings.database.url)
    held = holder(path) if path else None
    if path is None or held is None:
        return None
    pid, note = held
    if not note.startswith("http"):
        raise Held(path, pid, note)
    return note


async def _chat(settings: Settings, server: str | None, number: str | None) -> None:
    async with _there(settings, server) if server else _here(settings) as open_door:
        await _Talk(open_door, await open_door(number)).run()


@asynccontextmanager
async def _here(settings: Settings) -> AsyncIterator[_Open]:
    async with open_house(settings, note="chat") as house:
        await database.put_in_demo(house.store, settings)
        account = await house.accounts.by_address("simulator", "sim", juniper.SITE)
        if account is None:
            stop("There is nobody to talk to: `frontdesk seed` puts the demo business in.")

        async def open_door(number: str | None) -> Door:
            who = phone.canonical(number) if number else f"guest-{secrets.token_hex(4)}"
            return Here(house, account, who, is_new=number is None)

        yield open_door


@asynccontextmanager
async def _there(settings: Settings, server: str) -> AsyncIterator[_Open]:
    async with aiohttp.ClientSession(timeout=_TIMEOUT) as http:

        async def open_door(number: str | None) -> Door:
            if number is None:
                return WebChat(http, server, settings.database.url)
            network = await phone_network(http, server)
            if network is None:
                raise _NobodyByNumber(f"The server at {server} has no simulated phones, so nobody is known by number.")
            return await Phone.take(http, network, settings.database.url, phone.canonical(number))

        yield open_door


class _Talk:
    """The conversation on the screen. A terminal has a prompt, and shows by itself what the bot says unasked."""

    def __init__(self, open_door: _Open, door: Door) -> None:
        self._open_door = open_door
        self._door = door
        self._console = Console(highlight=False, soft_wrap=True)
        self._is_live = sys.stdin.isatty() and self._console.is_terminal
        self._choices: Sequence[Option] = ()
        self._shows_state = False

    async def run(self) -> None:
        """Until the last line, or /quit."""
        lines = _lines()
        if self._is_live:
            self._note(f"{self._door.greeting} Say hi, or /help.")
        while (line := await self._next(lines)) is not None:
            command, _, rest = line.partition(" ")
            if command == "/quit":
                break
            if command.startswith("/"):
                await self._command(command, rest.strip())
            elif line:
                await self._turn(line)
        if self._is_live:
            self._note("Bye.")

    async def _next(self, lines: "asyncio.Queue[str | None]") -> str | None:
        if not self._is_live:
            return await lines.get()
        self._prompt()
        while True:
            try:
                return await asyncio.wait_for(lines.get(), _LOOK_EVERY_S)
            except TimeoutError:
                if news := await self._door.news():
                    self._console.print()
                    self._show(news)
                    self._prompt()

    def _prompt(self) -> None:
        self._console.print(Text("you> ", style="bold green"), end="")

    async def _turn(self, line: str) -> None:
        option = self._chosen(line)
        with self._console.status("typing …") if self._is_live else nullcontext():
            said = await (self._door.say(line) if option is None else self._door.press(option))
        self._show(said)
        await self._show_state()

    def _chosen(self, line: str) -> Option | None:
        if not (line.isascii() and line.isdecimal() and 1 <= int(line[:4]) <= len(self._choices)):
            return None
        return self._choices[int(line) - 1]

    async def _command(self, command: str, rest: str) -> None:
        match command:
            case "/help":
                self._console.print(Text(_HELP))
            case "/new":
                await self._become(None)
            case "/as" if rest:
                await self._become(rest)
            case "/state":
                self._shows_state = not self._shows_state
                self._note("The state is shown after each turn." if self._shows_state else "The state is hidden.")
                await self._show_state()
            case _:
                self._note(
                    f"{command} needs a number." if command == "/as" else f"There is no {command}; /help has all."
                )

    async def _become(self, number: str | None) -> None:
        try:
            self._door = await self._open_door(number)
        except _NobodyByNumber as nobody:
            self._note(str(nobody))
            return
        self._choices = ()
        self._note(self._door.greeting)

    def _show(self, said: Sequence[OutboundMessage]) -> None:
        for message in said:
            self._console.print(Text(message.text.translate(_CONTROLS), style="cyan"))
            for number, option in enumerate(message.choices, start=1):
                detail = f"  {option.description}" if option.description else ""
                self._console.print(
                    Text.assemble(
                        (f"  {number}  ", "bold cyan"),
                        (option.title.translate(_CONTROLS), "cyan"),
                        (detail.translate(_CONTROLS), "dim"),
                    )
                )
        if said:
            self._choices = said[-1].choices

    async def _show_state(self) -> None:
        if self._shows_state:
            for line in _described(await self._door.flow()):
                self._note(line)

    def _note(self, text: str) -> None:
        self._console.print(Text(f"  ({text.translate(_CONTROLS)})", style="dim"))


def _described(flow: Mapping[str, JsonValue] | None) -> list[str]:
    """A line for each scenario that is under way, the one that talks last."""
    stack = cast(Sequence[Mapping[str, Any]], flow.get("stack", ()) if flow else ())
    lines = []
    for level in stack:
        run = level["run"]
        slots = ", ".join(f"{name} = {label}" for name, (_, label) in run.get("slots", {}).items())
        lines.append(f"{run['scenario']}: {run['node']}{f' with {slots}' if slots else ''}")
    return lines or ["no scenario is under way"]


def _lines() -> "asyncio.Queue[str | None]":
    """The lines of standard input as they come, None at its end.

    Read by a thread, since files and terminals cannot all be waited for, and past `sys.stdin`, whose lock a thread that
    still waits for a line would hold for ever when the program ends.
    """
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[str | None] = asyncio.Queue()

    def put(line: str | None) -> None:
        loop.call_soon_threadsafe(queue.put_nowait, line)

    def read() -> None:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        rest = ""
        with suppress(RuntimeError):  # the conversation is over and nobody listens
            while data := _read():
                *whole, rest = (rest + decoder.decode(data)).split("\n")
                for line in whole:
                    put(line.strip())
            if last := (rest + decoder.decode(b"", final=True)).strip():
                put(last)
            put(None)

    threading.Thread(target=read, name="stdin", daemon=True).start()
    return queue


def _read() -> bytes:
    """What there is on standard input; nothing at its end, or when it is closed."""
    try:
        return os.read(0, 65_536)
    except OSError:
        return b""
