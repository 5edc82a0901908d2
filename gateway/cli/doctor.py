"""`frontdesk doctor`: a look over the installation, with what to do about each thing that is wrong."""

import asyncio
import http.client
import os
import shutil
import socket
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import orjson
import redis
import typer
from rich.console import Console
from rich.text import Text
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from bots import language as languages
from channels.voice.speech import offline
from channels.voice.speech.base import SpeechError
from gateway.cli import scenario
from gateway.cli.settings import TROUBLE, load
from gateway.settings import Settings, SettingsError, master_key
from storage import migrate as migrations
from storage.filelock import holder
from storage.store import lock_path, postgres_engine, sqlite_engine

Level = Literal["ok", "warn", "fail"]

_STYLES: Final = {"ok": "green", "warn": "yellow", "fail": "bold red"}
_OLDEST_PYTHON: Final = (3, 11)
_LITTLE_SPACE: Final = 500 * 1024**2
_PATIENCE_S: Final = 3.0
_EARLIEST: Final = datetime(2026, 1, 1, tzinfo=UTC)  # before this program was written
_CLOCKS_APART_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; `todo` says what would help."""

    level: Level
    text: str
    todo: str = ""


def doctor(config: Path | None) -> None:
    """`frontdesk doctor`; exit code 1 when something fails."""
    settings = load(config)
    console = Console(highlight=False, soft_wrap=True)
    failed = False
    for name, look in _LOOKS.items():
        for finding in look(settings):
            failed = failed or finding.level == "fail"
            console.print(
                Text.assemble((f"{finding.level:4}", _STYLES[finding.level]), f"  {name:10}  ", finding.text),
            )
            if finding.todo:
                console.print(Text(f"{'':18}{finding.todo}", style="dim"))
    if failed:
        raise typer.Exit(TROUBLE)


def _python(_settings: Settings) -> Iterator[Finding]:
    now = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < _OLDEST_PYTHON:
        yield Finding("fail", f"Python {now} is too old", "Frontdesk needs Python 3.11 or newer.")
        return
    loop = "with uvloop" if find_spec("uvloop") else "without uvloop, which would make it faster"
    yield Finding("ok", f"Python {now}, {loop}")


def _database(settings: Settings) -> Iterator[Finding]:
    url = make_url(settings.database.url)
    is_sqlite = url.get_backend_name() == "sqlite"
    if is_sqlite and not Path(url.database or "").exists():
        yield Finding("warn", f"{url.database} is not there yet", "`frontdesk run` or `frontdesk migrate` makes it.")
        return
    engine = sqlite_engine(url.database or "") if is_sqlite else postgres_engine(url, pool_size=1)
    try:
        with engine.begin() as db:
            db.execute(text("SELECT 1"))
            if not is_sqlite:
                yield from _postgres(db.execute(text(_POSTGRES)).one()._tuple())
        at = migrations.current(settings.database.url)
    except DBAPIError as away:
        reason = str(away.orig).partition("\n")[0]
        yield Finding("fail", f"{url} cannot be used: {reason}", "Is database.url right, and may we write there?")
        return
    finally:
        engine.dispose()
    if at != migrations.HEAD:
        yield Finding("warn", f"{url} is at {at or 'nothing'}, not at {migrations.HEAD}", "Run `frontdesk migrate`.")
        return
    path = lock_path(settings.database.url)
    held = holder(path) if path else None
    by = f", in use by process {held[0]}{f' ({held[1]})' if held[1] else ''}" if held else ""
    yield Finding("ok", f"{url} answers and is up to date{by}")


_POSTGRES: Final = "SELECT current_setting('server_version'), current_setting('transaction_read_only'), now()"


def _postgres(found: tuple[str, str, datetime]) -> Iterator[Finding]:
    server, is_read_only, its_now = found
    if is_read_only == "on":
        yield Finding("fail", "the database is read-only", "Is this a standby? database.url should name the primary.")
    if abs((datetime.now(UTC) - its_now).total_seconds()) > _CLOCKS_APART_S:
        yield Finding("warn", "the database's clock and ours differ", "Leases and due times need clocks in step (NTP).")
    if int(server.partition(".")[0]) < 14:
        yield Finding("warn", f"PostgreSQL {server} is older than what we test with", "Take 14 or newer.")


def _redis(settings: Settings) -> Iterator[Finding]:
    if not settings.redis.url:
        yield Finding("ok", "not used; a single process does not need it")
        return
    try:
        with redis.Redis.from_url(
            settings.redis.url, socket_timeout=_PATIENCE_S, socket_connect_timeout=_PATIENCE_S
        ) as client:
            client.ping()
    except redis.RedisError as away:
        yield Finding("fail", f"does not answer: {away}", "Is redis.url right? Empty it while there is one process.")
        return
    yield Finding("ok", "answers")


def _data(settings: Settings) -> Iterator[Finding]:
    folder = settings.data_dir
    nearest = next(one for one in (folder, *folder.absolute().parents) if one.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        yield Finding("fail", f"we may not write in {nearest}", "Change its owner, or set data_dir.")
        return
    free = shutil.disk_usage(nearest).free
    if free < _LITTLE_SPACE:
        yield Finding("warn", f"{folder} has {free // 1024**2} MB left", "Make room; a full disk refuses messages.")
        return
    waiting = len(list((folder / "spool").glob("*.jsonl")))
    if waiting:
        yield Finding("warn", f"{folder}: messages wait for the database", "They are handled when a server runs.")
        return
    yield Finding("ok", f"{folder}{'' if folder.exists() else ' will be made'}")


def _key(settings: Settings) -> Iterator[Finding]:
    path = settings.data_dir / "secret.key"
    if not settings.secrets.key.get_secret_value() and not path.exists():
        yield Finding("ok", f"{path} will be made at the first start")
        return
    try:
        master_key(settings)
    except SettingsError as wrong:
        yield Finding("fail", str(wrong))
        return
    if settings.secrets.key.get_secret_value():
        yield Finding("ok", "secrets.key is set; keep it with the backups")
    elif path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield Finding("warn", f"others can read {path}", f"chmod 600 {path}")
    else:
        yield Finding("ok", f"{path}; keep it with the backups")


def _port(settings: Settings) -> Iterator[Finding]:
    host, port = settings.server.host, settings.server.port
    try:
        address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(address[0], socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address[4])
    except OSError as taken:
        engine = _frontdesk_at(port)
        if engine:
            yield Finding("ok", f"Frontdesk answers on port {port}")
        else:
            yield Finding("fail", f"{host}:{port}: {taken.strerror}", "Stop the other program, or set PORT.")
        return
    yield Finding("ok", f"{port} is free")


def _frontdesk_at(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE_S)
    try:
        connection.request("GET", "/healthz")
        return "engine" in orjson.loads(connection.getresponse().read(10_000))
    except (OSError, http.client.HTTPException, ValueError, TypeError):
        return False
    finally:
        connection.close()


def _vendors(settings: Settings) -> Iterator[Finding]:
    twilio = settings.twilio
    has_token = bool(twilio.auth_token.get_secret_value())
    if settings.is_demo and not has_token:
        yield Finding("ok", "Twilio is simulated: this is a demo, and only this machine gets in")
    elif not has_token:
        yield Finding("warn", "Twilio has no key, so no text comes or goes", "Set TWILIO_ACCOUNT_SID and _AUTH_TOKEN.")
    elif not twilio.account_sid.startswith("AC") or len(twilio.account_sid) != 34:
        yield Finding("fail", "twilio.account_sid is not one", "It begins with AC and has 34 characters.")
    else:
        yield Finding("ok", f"Twilio has a key; its API is {twilio.api_base}")
    url = urlsplit(settings.server.public_url)
    if not settings.is_demo and url.scheme != "https":
        yield Finding("warn", f"vendors cannot reach {settings.server.public_url}", "Set PUBLIC_URL to https://…")
    others = {
        "Meta": settings.meta.app_secret,
        "Stripe": settings.stripe.secret_key,
        "ElevenLabs": settings.elevenlabs.api_key,
    }
    for name, key in others.items():
        without = "is simulated as well" if settings.is_demo and name == "Meta" else "is not used"
        yield Finding("ok", f"{name} {'has a key' if key.get_secret_value() else without}")


def _calls(settings: Settings) -> Iterator[Finding]:
    """In which languages a call can be held, by how it is carried; each business says which of them it speaks."""
    voice, every = settings.voice, ", ".join(languages.known())
    by_twilio = f"Twilio speaks and understands {every}"
    spoken, understood = f"ElevenLabs speaks {every}", f"it understands {every}"
    if voice.speech == offline.PROVIDER:
        spoken = f"espeak-ng speaks {', '.join(voice.offline_voice_list)}"
        understood = (
            f"pocketsphinx understands {', '.join(offline.UNDERSTOOD)}; in other languages a call goes on by gather"
        )
    elif not settings.elevenlabs.api_key.get_secret_value():
        spoken = f"ElevenLabs, simulated with tones, speaks {every}" if settings.is_demo else ""
    by = {
        "relay": by_twilio,
        "stream": f"{spoken}; {understood}" if spoken else "ElevenLabs has no key, so calls go by gather",
        "gather": f"{spoken}; Twilio understands {every}" if spoken else by_twilio,
    }
    for mode, how in by.items():
        chosen = " (voice.mode)" if mode == voice.mode else ""
        if chosen and mode == "stream" and not spoken:
            todo = "Set ELEVENLABS_API_KEY (a business's own key does too), or voice.speech to offline."
            yield Finding("warn", f"{mode}{chosen}: {how}", todo)
        else:
            yield Finding("ok", f"{mode}{chosen}: {how}")
    if voice.speech == offline.PROVIDER:
        for why in asyncio.run(_mute(voice.offline_voice_list)):
            yield Finding("fail", f"voice.offline_voices: {why}", "`espeak-ng --voices` lists all.")


async def _mute(named: Mapping[str, str]) -> list[str]:
    """Why some of these voices of espeak-ng say nothing."""
    mouth, found = offline.mouth(), []
    try:
        for language, name in named.items():
            speaker = offline.OfflineSpeaker(mouth, offline.voices({language: name}, words_a_minute=160))
            try:
                async for _ in speaker.say("1", language):
                    pass
            except SpeechError as trouble:
                found.append(str(trouble))
    finally:
        await mouth.close()
    return found


def _clock(_settings: Settings) -> Iterator[Finding]:
    now = datetime.now(UTC)
    if now < _EARLIEST:
        yield Finding("fail", f"it cannot be {now:%Y-%m-%d}", "Set the clock; reminders and signatures depend on it.")
        return
    try:
        ZoneInfo("America/Chicago")
    except ZoneInfoNotFoundError:
        yield Finding("fail", "the time zones are missing", "Install the package tzdata.")
        return
    try:
        zones = f"time zones of {version('tzdata')}"
    except PackageNotFoundError:
        zones = "the system's time zones"
    yield Finding("ok", f"{now:%Y-%m-%d %H:%M} UTC, {zones}")


def _scenarios(_settings: Settings) -> Iterator[Finding]:
    files = scenario.built_in()
    wrong = [line for file in files for line in scenario.problems(file)]
    for line in wrong:
        yield Finding("fail", line)
    if not wrong:
        yield Finding("ok", f"{len(files)} built-in ones are sound")


_LOOKS: Final[dict[str, Callable[[Settings], Iterator[Finding]]]] = {
    "python": _python,
    "database": _database,
    "redis": _redis,
    "data": _data,
    "key": _key,
    "port": _port,
    "vendors": _vendors,
    "calls": _calls,
    "clock": _clock,
    "scenarios": _scenarios,
}
