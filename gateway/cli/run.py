"""Processes that stay: everything in one, the server alone, the jobs alone."""

import asyncio
import contextlib
import ipaddress
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

import typer
from sqlalchemy.engine import make_url

from gateway import demo, log
from gateway import demo_business as juniper
from gateway.app import serving, until_stopped, working
from gateway.cli import database
from gateway.cli.settings import load, plain_words
from gateway.context import open_house
from gateway.settings import Settings

if TYPE_CHECKING:
    from simulators.elevenlabs import ElevenLabsSimulator
    from simulators.meta import MetaSimulator
    from simulators.twilio import TwilioSimulator

_PHONE = "+15125550123"  # somebody who is not in the demo's address book
_SWITCH_S = 0.0005  # threads take turns so often: whoever answers does not wait 5 ms, the default, for one that writes
_PACE_S = 0.3  # between two states of a message that is under way


def run(config: Path | None) -> None:
    """`frontdesk run`."""
    _stay(load(config), _everything)


def serve(config: Path | None) -> None:
    """`frontdesk serve`."""
    _stay(load(config), _server)


def work(config: Path | None) -> None:
    """`frontdesk worker`."""
    _stay(load(config), _jobs)


def local_url(settings: Settings) -> str:
    """Where this machine reaches the server."""
    host = settings.server.host
    address = _ip(host)
    if address is not None and address.is_unspecified:
        host = "127.0.0.1"
    elif address is not None and address.version == 6:
        host = f"[{host}]"
    return f"http://{host}:{settings.server.port}"


def _ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _stay(settings: Settings, main: Callable[[Settings], Coroutine[None, None, None]]) -> None:
    sys.setswitchinterval(_SWITCH_S)
    log.configure(settings.log.level, settings.log.format)
    with plain_words(settings):
        database.bring_up_to_date(settings)
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(main(settings))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # not on Windows
        return None
    return uvloop.new_event_loop


async def _everything(settings: Settings) -> None:
    async with contextlib.AsyncExitStack() as stack:
        phones = whatsapp = voice = ""
        if _needs_keys(settings):
            simulator = await stack.enter_async_context(_served(_phone_network(settings), settings, 1))
            phones = simulator.url
            settings = demo.with_keys(settings, api_base=phones)
        if _needs_meta_keys(settings):
            meta = await stack.enter_async_context(_served(_meta(settings), settings, 2))
            whatsapp = meta.url
            settings = demo.with_meta_keys(settings, api_base=meta.api_base)
        if _needs_speech_key(settings):
            speech = await stack.enter_async_context(_served(_speech(settings), settings, 3))
            voice = speech.url
            settings = demo.with_speech_key(settings, api_base=voice)
        house = await stack.enter_async_context(open_house(settings, note=local_url(settings)))
        is_new = await database.put_in_demo(house.store, settings)
        await stack.enter_async_context(working(house))
        await stack.enter_async_context(serving(house))
        await until_stopped(lambda: _say(_welcome(settings, phones, whatsapp, voice, is_new=is_new)))


async def _server(settings: Settings) -> None:
    settings = _beside_run(settings)
    async with open_house(settings, note=local_url(settings)) as house, serving(house):
        await until_stopped(lambda: _say([f"Frontdesk serves at {settings.server.public_url}; Ctrl-C stops it."]))


async def _jobs(settings: Settings) -> None:
    async with open_house(_beside_run(settings), note="worker") as house, working(house):
        await until_stopped(lambda: _say(["Frontdesk does jobs; Ctrl-C stops it."]))


def _needs_keys(settings: Settings) -> bool:
    """Whether Twilio is to be simulated. Keys of the settings always win."""
    return settings.is_demo and not settings.twilio.auth_token.get_secret_value()


def _needs_meta_keys(settings: Settings) -> bool:
    """The same for Meta."""
    keys = settings.meta.app_secret, settings.meta.access_token
    return settings.is_demo and not any(key.get_secret_value() for key in keys)


def _needs_speech_key(settings: Settings) -> bool:
    """The same for ElevenLabs."""
    is_offline = settings.voice.speech == "offline"
    return settings.is_demo and not is_offline and not settings.elevenlabs.api_key.get_secret_value()


def _beside_run(settings: Settings) -> Settings:
    """For a process without phone networks of its own: where `frontdesk run` would have them."""
    if _needs_keys(settings):
        settings = demo.with_keys(settings, api_base=f"http://127.0.0.1:{_port(settings, 1)}")
    if _needs_meta_keys(settings):
        settings = demo.with_meta_keys(settings, api_base=f"http://127.0.0.1:{_port(settings, 2)}/v24.0")
    if _needs_speech_key(settings):
        settings = demo.with_speech_key(settings, api_base=f"http://127.0.0.1:{_port(settings, 3)}")
    return settings


def _port(settings: Settings, after: int) -> int:
    """So many after our own."""
    return (settings.server.port + after - 1) % 65_535 + 1


class _Simulator(Protocol):
    async def serve(self, host: str, port: int) -> None: ...
    async def close(self) -> None: ...


_S = TypeVar("_S", bound=_Simulator)


@contextlib.asynccontextmanager
async def _served(simulator: _S, settings: Settings, after: int) -> AsyncIterator[_S]:
    """The simulator, on the port so many after ours or, if that is taken, on any."""
    port = _port(settings, after)
    try:
        await simulator.serve("127.0.0.1", port if _is_free(port) else 0)
        yield simulator
    finally:
        await simulator.close()


def _phone_network(settings: Settings) -> "TwilioSimulator":
    """A phone network that reports to us."""
    from simulators.twilio import Account, Number, TwilioSimulator

    server, here = settings.server, local_url(settings)
    voice = f"{server.public_url}/api/v1/webhooks/twilio/voice"
    return TwilioSimulator(
        accounts=[Account(sid=demo.TWILIO_ACCOUNT, auth_token=demo.TWILIO_TOKEN)],
        numbers=[
            Number(
                number=number,
                account_sid=demo.TWILIO_ACCOUNT,
                webhook_url=f"{server.public_url}/api/v1/webhooks/twilio/messages",
                status_callback_url=f"{server.public_url}/api/v1/webhooks/twilio/status",
                voice_url=voice if number == juniper.SMS_NUMBER else "",
                voice_fallback_url=f"{voice}/fallback",
                voice_status_callback_url=f"{voice}/status",
                city="AUSTIN",
                state="TX",
            )
            for number in (juniper.SMS_NUMBER, f"whatsapp:{juniper.WHATSAPP_NUMBER}")
        ],
        # Signed for the public address, brought to the door; sockets are always secure ones out there.
        reach={server.public_url: here, f"https://{server.public_url.partition('://')[2]}": here},
        pace_s=_PACE_S,
    )


def _meta(settings: Settings) -> "MetaSimulator":
    """Meta's side of WhatsApp."""
    from simulators.meta import App, MetaSimulator
    from simulators.meta import Number as MetaNumber

    server = settings.server
    return MetaSimulator(
        app=App(
            secret=demo.META_SECRET,
            tokens=(demo.META_TOKEN,),
            webhook_url=f"{server.public_url}/api/v1/webhooks/whatsapp",
            verify_token=demo.META_WORD,
        ),
        numbers=[
            MetaNumber(number=juniper.META_NUMBER, phone_number_id=juniper.META_NUMBER_ID, waba_id=juniper.META_ACCOUNT)
        ],
        reach={server.public_url: local_url(settings)},
        pace_s=_PACE_S,
    )


def _speech(settings: Settings) -> "ElevenLabsSimulator":
    """ElevenLabs' side."""
    from simulators.elevenlabs import ElevenLabsSimulator

    return ElevenLabsSimulator(api_keys=[demo.ELEVENLABS_KEY])


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _welcome(settings: Settings, phones: str, whatsapp: str, voice: str, *, is_new: bool) -> list[str]:
    url = settings.server.public_url
    lines = [
        f"Frontdesk is open at {url}",
        "",
        "  Talk to the bot      frontdesk chat      (in a second terminal)",
    ]
    if phones:
        lines += [
            "  Or play a phone      curl -H 'Content-Type: application/json' "
            f'-d \'{{"to": "{juniper.SMS_NUMBER}", "body": "hi"}}\' {phones}/_sim/phones/{_PHONE}/messages',
            f"  What it received     curl {phones}/_sim/phones/{_PHONE}",
            "  Or call              curl -H 'Content-Type: application/json' "
            f'-d \'{{"to": "{juniper.SMS_NUMBER}"}}\' {phones}/_sim/phones/{_PHONE}/calls',
            f'  and say something    the same with \'{{"say": "…"}}\' to {phones}/_sim/calls/ and the sid',
            "  On WhatsApp          the same with whatsapp: before both numbers, and "
            f'\'{{"title": "…"}}\' to /taps; ours is whatsapp:{juniper.WHATSAPP_NUMBER}',
        ]
    if whatsapp:
        lines += [
            "  WhatsApp by Meta     curl -H 'Content-Type: application/json' "
            f'-d \'{{"to": "{juniper.META_NUMBER}", "text": "hi"}}\' {whatsapp}/_sim/phones/{_PHONE}/messages',
            f"  What it received     curl {whatsapp}/_sim/phones/{_PHONE}",
        ]
    if voice:
        lines += [f"  Speech on calls      simulated at {voice}: a tone for each letter"]
    if settings.is_demo:
        lines += [
            f"  On a page            {url}/demo/chat",
            "  Sign in              curl -H 'Content-Type: application/json' "
            f'-d \'{{"email": "{juniper.OWNER_EMAIL}", "password": "{juniper.OWNER_PASSWORD}"}}\' {url}/api/v1/auth/login',
        ]
    lines += [
        f"  Is all well?         curl {url}/healthz      or: frontdesk doctor",
        f"  The data             {make_url(settings.database.url)}",
        "",
    ]
    if settings.is_demo:
        lines += [
            f"This is a demo: {juniper.NAME} is made up, vendors without a key are simulated, and only this machine",
            "gets in. `frontdesk config check` shows what is in force.",
        ]
    elif is_new:
        lines += [f"The database was empty, so a made-up business, {juniper.NAME}, is in it now."]
    return [*lines, "Ctrl-C stops it."]


def _say(lines: list[str]) -> None:
    typer.echo("\n".join(lines))
