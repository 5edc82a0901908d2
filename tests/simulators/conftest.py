"""The application's side and Twilio's side, talking to each other."""

from collections.abc import AsyncIterator
from random import Random

import pytest

from simulators.clock import HandClock
from simulators.twilio import Account, Number, TwilioSimulator
from tests.simulators.bot import ACCOUNT, NUMBER, TOKEN, Bot


@pytest.fixture
async def bot() -> AsyncIterator[Bot]:
    async with Bot() as running:
        yield running


@pytest.fixture
def hand_clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def sim(bot: Bot, hand_clock: HandClock) -> AsyncIterator[TwilioSimulator]:
    """One account, one number whose texts go to /sms, troubles to /fallback and states to /status."""
    async with TwilioSimulator(
        accounts=[Account(sid=ACCOUNT, auth_token=TOKEN)],
        numbers=[
            Number(
                number=NUMBER,
                account_sid=ACCOUNT,
                webhook_url=f"{bot.url}/sms",
                fallback_url=f"{bot.url}/fallback",
                status_callback_url=f"{bot.url}/status",
            )
        ],
        clock=hand_clock,
        sleep=hand_clock.sleep,
        rng=Random(1),
    ) as running:
        yield running
        await running.settled()
