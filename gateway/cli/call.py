"""`frontdesk call`: a telephone call in the terminal, typed instead of spoken."""

import asyncio
import contextlib
import secrets
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

from channels.voice.codec import Given, ring_of
from channels.voice.listen import Listen
from channels.voice.speech.base import SpeechError
from desk import phone
from gateway import demo_business as juniper
from gateway import log
from gateway.cli import database, heard
from gateway.cli.settings import load, plain_words, stop
from gateway.context import open_house
from gateway.settings import Settings
from gateway.voice.exchange import Exchange
from gateway.voice.port import play
from gateway.voice.speech import Speech
from storage.filelock import holder
from storage.store import lock_path

_HELP = "Type what you say, digits to press keys, an empty line to say nothing, and Ctrl-D to hang up."


def call(config: Path | None, number: str | None, listen: str | None = None) -> None:
    """`frontdesk call`; with `listen` what is said is sound as well (`gateway.cli.heard`)."""
    settings = load(config)
    log.configure("error", settings.log.format)
    with plain_words(settings):
        path = lock_path(settings.database.url)
        if path is not None and holder(path) is not None:
            stop("A server works with this database. Stop it first, or call through its simulated phone network.")
        database.bring_up_to_date(settings)
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_call(settings, number, listen))


class TerminalPort:
    """Shows what is said. `turn` is the question that the next line answers; None once we have hung up."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.turn: int | None = 0

    async def say(self, text: str) -> None:
        self._console.print(Text(text, style="cyan"))

    def note(self, text: str) -> None:
        """Something beside the call."""
        self._console.print(Text(f"  {text}", style="dim"))

    async def listen(self, spec: Listen, turn: int) -> None:
        self.turn = turn

    async def transfer(self, target: str) -> None:
        """There are no other telephones here (`Exchange.line`)."""
        self.turn = None

    async def end(self, then: str = "") -> None:
        if then:
            self._console.print(Text("  (Over the telephone you could leave a message now.)", style="dim"))
        self.turn = None


async def _call(settings: Settings, number: str | None, listen: str | None) -> None:
    console = Console(highlight=False, soft_wrap=True)
    is_live = sys.stdin.isatty() and console.is_terminal
    async with open_house(settings, note="call") as house:
        await database.put_in_demo(house.store, settings)
        account = await house.accounts.by_address("twilio", "voice", juniper.SMS_NUMBER)
        if account is None:
            stop("There is nobody to call: `frontdesk seed` puts the demo business in.")
        exchange, port = Exchange(house), TerminalPort(console)
        try:
            phone_ = None if listen is None else await heard.prepare(house, account, listen)
        except heard.NoSound as why:
            stop(str(why))
        caller = phone.canonical(number) if number else ""
        ring = ring_of(f"CA{secrets.token_hex(16)}", called=account.address, caller=caller)
        if is_live:
            console.print(Text(f"  ({_HELP})", style="dim"))
        await _play(port, await exchange.begin(account, ring, "terminal"), phone_)
        while port.turn is not None:
            if is_live:
                console.print(Text("you> ", style="bold green"), end="")
            line = await asyncio.to_thread(sys.stdin.readline)
            if not line:
                await exchange.hang_up(account, ring)
                break
            work = exchange.hear(account, ring, _given(line.strip(), port.turn), "terminal")
            await _play(port, await work.task, phone_)


async def _play(port: TerminalPort, speech: Speech, phone_: heard.Heard | None) -> None:
    await play(port, speech)
    if phone_ is None or not speech.text:
        return
    try:
        await phone_.hears(speech.text, speech.language)
    except (SpeechError, OSError) as trouble:
        port.note(f"(There is no sound: {trouble}.)")


def _given(line: str, turn: int) -> Given:
    if not line:
        return Given(turn, "silence")
    return Given(turn, "speech" if line.strip("0123456789*#") else "digits", line)
