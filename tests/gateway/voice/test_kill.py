"""A process that is killed in the middle of a call: real processes, and a phone network that outlives them."""

import asyncio
from itertools import islice
from pathlib import Path

import pytest

from gateway import demo_business as juniper
from simulators.elevenlabs import ElevenLabsSimulator
from tests.gateway.front import SID, TOKEN
from tests.gateway.test_cli import environment, rows, running
from tests.gateway.voice.conftest import answered_at, phone_network

MARIA = "+15125550177"
# What is said, and heard then.
SCRIPT = (
    ("book a haircut in three days", "You can say or press one for"),
    ("one", "Shall I book it?"),
    ("yes", "What name may I put it under?"),
    ("Maria Lopez", "Is there anything else?"),
    ("no thanks", "Goodbye"),
)


# How many of these each process lives through. A stream that broke is a call by <Gather> from then on.
LINES = {"gather": (2, 3), "relay": (1, 1, 3), "stream": (2, 3)}


@pytest.mark.parametrize("mode", LINES)
async def test_a_call_survives_kill_9_and_books_once(tmp_path: Path, mode: str) -> None:
    env = environment(
        tmp_path,
        TWILIO_AUTH_TOKEN=TOKEN,
        TWILIO_ACCOUNT_SID=SID,
        FRONTDESK_VOICE__MODE=mode,
        FRONTDESK_VOICE__LOOK_MIN="0",
    )
    url = f"http://localhost:{env['PORT']}"
    async with (
        phone_network({url.replace("http", "https", 1): url}) as network,
        ElevenLabsSimulator(api_keys=["the key"]) as speech,
    ):
        if mode == "stream":
            env |= {"FRONTDESK_ELEVENLABS__API_KEY": "the key", "FRONTDESK_ELEVENLABS__API_BASE": speech.url}
        env["FRONTDESK_TWILIO__API_BASE"] = network.url
        network.add_number(answered_at(url, juniper.SMS_NUMBER))
        call, asked, lines = None, "two for Move a visit", iter(SCRIPT)
        for count in LINES[mode]:
            server = running(env)
            process = await asyncio.to_thread(server.__enter__)
            try:
                if call is None:
                    call = await network.call(MARIA, juniper.SMS_NUMBER)
                    await call.hears(asked)
                elif mode != "gather":  # nobody can know whether the question was heard
                    await call.hears("Sorry, we were cut off.", timeout_s=20)
                    await call.hears(asked, timeout_s=20)
                for said, answer in islice(lines, count):
                    asked = answer
                    await call.say(said)
                    await call.hears(asked, timeout_s=20)
                if asked == "Goodbye":
                    assert await call.ends() == "completed"
                    await network.settled()
            finally:
                process.kill()
                await asyncio.to_thread(server.__exit__, None, None, None)
    assert rows(tmp_path, "SELECT count(*) FROM appointments WHERE source = 'bot'") == [(1,)]
    assert rows(tmp_path, "SELECT status, outcome, count(*) FROM calls") == [("completed", "booked", 1)]
    heard = rows(tmp_path, "SELECT text FROM messages WHERE direction = 'in' ORDER BY id")
    assert [text for (text,) in heard] == [said for said, _ in SCRIPT]
