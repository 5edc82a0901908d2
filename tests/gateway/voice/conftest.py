"""A front desk whose number is called, and the phone network that calls it."""

from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest

from simulators.clock import HandClock
from simulators.twilio import Account, Number, TwilioSimulator
from tests.clock import FakeClock
from tests.conftest import ENGINES
from tests.gateway import front
from tests.gateway.front import OURS, SID, TOKEN, Front
from tests.gateway.voice.caller import VOICE


@pytest.fixture(params=ENGINES)
def database_url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"demo_{request.param}_url"))


@pytest.fixture(params=["relay"])
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def env() -> dict[str, str]:
    """More settings."""
    return {}


@pytest.fixture
async def desk(
    database_url: str, tmp_path: Path, clock: FakeClock, mode: str, env: dict[str, str]
) -> AsyncIterator[Front]:
    clock.set(front.NOON)
    env = {"FRONTDESK_VOICE__MODE": mode, **env}
    async with front.opened(database_url, tmp_path, clock, env, seeded=False) as opened:
        yield opened


@pytest.fixture
async def network(desk: Front) -> AsyncIterator[TwilioSimulator]:
    """Time in it stands still until a caller waits."""
    clock, voice = HandClock(front.NOON), f"{desk.url}{VOICE}"
    number = Number(
        number=OURS,
        account_sid=SID,
        voice_url=voice,
        voice_fallback_url=f"{voice}/fallback",
        voice_status_callback_url=f"{voice}/status",
    )
    async with TwilioSimulator(
        accounts=[Account(sid=SID, auth_token=TOKEN)],
        numbers=[number],
        reach={desk.url.replace("http", "https", 1): desk.url},
        clock=clock,
        sleep=clock.sleep,
        advance=clock.advance,
        rng=Random(1),
    ) as running:
        yield running
        await running.settled()
