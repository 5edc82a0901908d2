"""A process that is killed in the middle of a call: real processes, and a phone network that outlives them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway import demo_business as juniper
from simulators.clock import HandClock
from simulators.elevenlabs import ElevenLabsSimulator
from simulators.twilio import Callee, Faults
from tests.gateway.front import SID, TOKEN
from tests.gateway.test_cli import environment, rows, running
from tests.gateway.voice.conftest import answered_at, phone_network

MARIA, ANA = "+15125550177", "+15125550181"
# What is said, and heard then.
SCRIPT = (
    ("book a haircut in three days", "You can say or press one for"),
    ("one", "Shall I book it"),  # as it is asked, or asked again
    ("yes", "What name may I put it under?"),
    ("Maria Lopez", "Is there anything else?"),
    ("no thanks", "Goodbye"),
)


# How many of these each process lives through. A stream that broke is a call by <Gather> from then on.
LINES = {"gather": (2, 3), "relay": (1, 1, 3), "stream": (2, 3)}


@pytest.mark.parametrize("mode", LINES)
async def test_a_call_survives_kill_9_and_books_once(installed: Path, mode: str) -> None:
    env = environment(
        installed,
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
    assert rows(installed, "SELECT count(*) FROM appointments WHERE source = 'bot'") == [(1,)]
    assert rows(installed, "SELECT status, outcome, count(*) FROM calls") == [("completed", "booked", 1)]
    heard = rows(installed, "SELECT text FROM messages WHERE direction = 'in' ORDER BY id")
    assert [text for (text,) in heard] == [said for said, _ in SCRIPT]


async def test_whoever_is_dialled_while_we_are_killed_is_dialled_once_and_recorded_once(installed: Path) -> None:
    env = environment(
        installed,
        TWILIO_AUTH_TOKEN=TOKEN,
        TWILIO_ACCOUNT_SID=SID,
        FRONTDESK_VOICE__MODE="gather",
        FRONTDESK_VOICE__LOOK_MIN="0",
        FRONTDESK_JOBS__LEASE_S="1",
    )
    url = f"http://localhost:{env['PORT']}"
    async with phone_network({url.replace("http", "https", 1): url}) as network:
        env["FRONTDESK_TWILIO__API_BASE"] = network.url
        network.add_number(answered_at(url, juniper.SMS_NUMBER))
        network.callees[ANA] = Callee(after_s=15)
        network.faults = Faults(accept_but_hang=1)
        async with _until_killed(env), _signed_in(url) as owner:
            me = (await _asked(owner, "GET", "/auth/me"))["id"]
            business = (await _asked(owner, "GET", "/businesses"))["items"][0]["id"]
            member = {"name": "Ana Silva", "user_id": me, "phone": ANA}
            await _asked(owner, "POST", f"/businesses/{business}/staff", member)
            maria = await _asked(owner, "POST", "/customers", {"name": "Maria Lopez", "phone": MARIA})
            assert isinstance(network.clock, HandClock)
            network.clock.now = datetime.now(UTC)  # a dialled call is known again by its time
            await _asked(owner, "POST", "/calls", {"customer_id": maria["id"]})
            # It is dialled, and the process does not know it yet.
            while not network.calls:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        async with _until_killed(env):
            ana = await network.rings(ANA)
            await ana.hears("Press one to call them now")
            await ana.press("1")
            theirs = await network.rings(MARIA)
            await ana.say("Hello, this is Ana")
            await theirs.hears("Hello, this is Ana")
            await theirs.hang_up()
            await ana.hears("The call is over")
            await ana.ends()
            await network.settled()
            while rows(installed, "SELECT count(*) FROM jobs WHERE kind = 'outbound_call'") != [(0,)]:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert sorted(one.to for one in network.calls.values()) == [MARIA, ANA]
    assert rows(installed, "SELECT kind, status, outcome, count(*) FROM calls") == [
        ("call_back", "completed", "connected", 1)
    ]
    assert rows(installed, "SELECT party, outcome, sid FROM outbound_attempts ORDER BY number") == [
        ("staff", "taken", ana.sid),
        ("customer", "person", theirs.sid),
    ]


@asynccontextmanager
async def _until_killed(env: dict[str, str]) -> AsyncIterator[None]:
    """A process with these settings, which ends as it is."""
    server = running(env)
    process = await asyncio.to_thread(server.__enter__)
    try:
        yield
    finally:
        process.kill()
        await asyncio.to_thread(server.__exit__, None, None, None)


@asynccontextmanager
async def _signed_in(url: str) -> AsyncIterator[aiohttp.ClientSession]:
    """The owner of the demo business."""
    async with aiohttp.ClientSession(f"{url}/api/v1/") as session:
        way = {"email": juniper.OWNER_EMAIL, "password": juniper.OWNER_PASSWORD}
        token = (await _asked(session, "POST", "/auth/login", way))["access_token"]
        session.headers["Authorization"] = f"Bearer {token}"
        yield session


async def _asked(session: aiohttp.ClientSession, method: str, path: str, body: object = None) -> Any:
    async with session.request(method, path.lstrip("/"), json=body) as answer:
        assert answer.status < 300, await answer.text()
        return await answer.json()
