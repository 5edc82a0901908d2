"""Calls without a key: what is said is made on this machine."""

import pytest

from simulators import tones
from tests.gateway.front import Front
from tests.gateway.voice.caller import Caller


@pytest.fixture
def mode() -> str:
    return "gather"


@pytest.fixture
def env() -> dict[str, str]:
    return {"FRONTDESK_VOICE__SPEECH": "offline", "FRONTDESK_VOICE__PLAY_BUDGET_S": "5"}


async def test_gather_plays_an_offline_voice(desk: Front) -> None:
    caller = Caller(desk)
    await caller.ring()
    (play,) = list(caller.twiml.iter("Play"))
    async with desk.http.get(play.text or "") as answer:
        sound = tones.from_wav(await answer.read())
    assert 3 < len(sound) / tones.RATE < 30
    assert sound.count(tones.SILENCE) < len(sound) / 2
