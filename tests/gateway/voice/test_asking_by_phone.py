"""A scenario asks the business's own system within a call: the answer is spoken in it, or comes as a text once it has ended."""

from collections.abc import AsyncIterator

import pytest

from simulators.receiver import Receiver
from simulators.twilio import TwilioSimulator
from tests.clock import FakeClock
from tests.gateway.front import OURS, Front
from tests.gateway.rest.api import person
from tests.gateway.test_asking import Stage

MARIA = "+15125550177"
UNASKED = "select count(*) from messages m join outbox o on o.message_id = m.id where m.text like '%gold%'"


@pytest.fixture
def env(mode: str, request: pytest.FixtureRequest) -> dict[str, str]:
    # Nobody looks: whoever waits for the answer is woken by it.
    settings = {"FRONTDESK_WEBHOOKS__ALLOW_PRIVATE": "true", "FRONTDESK_JOBS__POLL_S": "3600"}
    if mode == "stream":
        settings["FRONTDESK_ELEVENLABS__API_KEY"] = "the key"
        settings["FRONTDESK_ELEVENLABS__API_BASE"] = request.getfixturevalue("speech").url
    return settings


@pytest.fixture
async def stage(desk: Front, clock: FakeClock) -> AsyncIterator[Stage]:
    async with Receiver(clock=clock.now) as crm:
        found = Stage(desk, await person(desk, "owner"), crm)
        await found.set_up()
        yield found


@pytest.mark.parametrize("mode", ["relay", "gather", "stream"], indirect=True)
async def test_the_answer_is_spoken_in_the_call_and_a_text_only_after_it(
    desk: Front, network: TwilioSimulator, stage: Stage, mode: str
) -> None:
    call = await network.call(MARIA, OURS)
    await call.hears("two for Move a visit")
    await call.say("my plan")
    await call.hears("What is your customer number?")
    await call.say("A seven")
    await call.hears("Let me look.")
    await desk.work()
    await call.hears("You are a gold customer!")
    told = await call.hears("Are you happy with it?")
    assert "anything else" not in told
    await call.say("yes")
    await call.hears("Thanks for telling us.")
    if mode != "relay":  # it makes no difference to what follows
        return
    await call.say("my plan")
    await call.hears("What is your customer number?")
    await call.say("A eight")
    await call.hears("Let me look.")
    assert await desk.one(UNASKED) == 0
    await call.hang_up()
    await network.settled()
    await desk.work()
    await network.settled()
    assert await desk.one(UNASKED) == 1
    assert [text.body for text in network.phone(MARIA).inbox if "gold" in text.body]
