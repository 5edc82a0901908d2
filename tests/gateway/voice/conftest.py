"""A front desk whose number is called, and the phone network that calls it."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from random import Random

import pytest

from channels.voice.speech.elevenlabs import Patience
from gateway.voice.door import EXCHANGE
from gateway.voice.stream import StreamPort
from simulators.clock import HandClock
from simulators.elevenlabs import ElevenLabsSimulator
from simulators.tones import RATE
from simulators.twilio import Account, Number, TwilioSimulator
from tests.clock import FakeClock
from tests.conftest import ENGINES
from tests.gateway import front
from tests.gateway.front import OURS, SID, TOKEN, Front
from tests.gateway.voice.caller import VOICE

LONG = Patience(try_s=30.0, first_s=60.0, next_s=30.0, connect_s=30.0, words_s=30.0)


def answered_at(url: str, number: str = OURS) -> Number:
    """A number whose calls we take at that address."""
    voice = f"{url}{VOICE}"
    return Number(
        number=number,
        account_sid=SID,
        voice_url=voice,
        voice_fallback_url=f"{voice}/fallback",
        voice_status_callback_url=f"{voice}/status",
    )


def phone_network(reach: Mapping[str, str] | None = None) -> TwilioSimulator:
    """One in which time stands still until a caller waits; `reach` says where public addresses are really found."""
    clock = HandClock(front.NOON)
    return TwilioSimulator(
        accounts=[Account(sid=SID, auth_token=TOKEN)],
        reach=reach,
        clock=clock,
        sleep=clock.sleep,
        advance=clock.advance,
        rng=Random(1),
    )


@pytest.fixture(params=ENGINES)
def database_url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"demo_{request.param}_url"))


@pytest.fixture(params=["relay"])
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def speech() -> AsyncIterator[ElevenLabsSimulator]:
    """Who speaks and listens where the sound goes through us."""
    async with ElevenLabsSimulator(api_keys=["the key"]) as running:
        yield running


@pytest.fixture
def env(mode: str, request: pytest.FixtureRequest) -> dict[str, str]:
    """More settings."""
    if mode != "stream":
        return {}
    api_base = request.getfixturevalue("speech").url
    return {"FRONTDESK_ELEVENLABS__API_KEY": "the key", "FRONTDESK_ELEVENLABS__API_BASE": api_base}


@pytest.fixture
def reach() -> dict[str, str]:
    """Where public addresses are really found; the desk adds its own."""
    return {"https://example.com": "http://localhost:1"}


@pytest.fixture
async def network(reach: dict[str, str]) -> AsyncIterator[TwilioSimulator]:
    """Time in it stands still until a caller waits."""
    async with phone_network(reach) as running:
        yield running


@pytest.fixture
async def desk(
    database_url: str,
    tmp_path: Path,
    clock: FakeClock,
    network: TwilioSimulator,
    reach: dict[str, str],
    mode: str,
    env: dict[str, str],
) -> AsyncIterator[Front]:
    clock.set(front.NOON)
    env = {"FRONTDESK_TWILIO__API_BASE": network.url, "FRONTDESK_VOICE__MODE": mode, **_patient(mode), **env}
    async with front.opened(database_url, tmp_path, clock, env, seeded=False) as opened:
        reach[opened.url.replace("http", "https", 1)] = opened.url
        network.add_number(answered_at(opened.url))
        opened.house.speech.patience = LONG
        streams, is_stored = opened.app[EXCHANGE].streams, front.busy(opened.house.store)
        network.time.is_busy = lambda: is_stored() or _is_at_work(streams, network)
        yield opened
        await network.settled()


def _is_at_work(ports: Mapping[str, StreamPort], network: TwilioSimulator) -> bool:
    """Whether a stream works at something, or does not know yet how late it is: a busy machine is slow to carry frames."""
    if not ports:
        return False
    played = {one.stream.sid: len(one.stream.played) for one in network.calls.values() if one.stream is not None}
    return any(port.is_at_work or played.get(sid, 0) > round(port.now_s() * RATE) for sid, port in ports.items())


def _patient(mode: str) -> dict[str, str]:
    """What is too long for somebody on the line may be short for a busy machine: a test that minds says so itself."""
    longest = {"MOMENT_S": "10", "STILL_S": "10", "SLOW_S": "30", "PLAY_BUDGET_S": "5"}
    if mode == "relay":  # elsewhere silence is told by the time of the call
        longest["SILENCE_S"] = "60"
    return {f"FRONTDESK_VOICE__{name}": value for name, value in longest.items()}
