"""The SMS adapter behind a real server, called by the simulated phone network."""

from collections.abc import AsyncIterator
from typing import cast

import aiohttp
import pytest
from aiohttp import web
from pytest_aiohttp.plugin import AiohttpServer

from channels.base import AccountKeys, Request
from channels.messages import Event, InboundMessage, Media, OutboundMessage, StatusUpdate
from channels.twilio.client import TwilioClient
from channels.twilio.sms import SmsAdapter
from simulators.clock import HandClock
from simulators.twilio import Account, Faults, Number, TwilioSimulator

ACCOUNT, DESK, CUSTOMER = "AC00000000000000000000000000000001", "+15125550100", "+15551230001"


class Desk:
    """A server that answers every text with two messages and remembers what it was told."""

    def __init__(self) -> None:
        self.url = ""
        self.tokens: tuple[str, ...] = ("the-token",)
        self.events: list[Event] = []
        self.refused = 0
        self.adapter = SmsAdapter(TwilioClient(cast("aiohttp.ClientSession", None)))

    async def handle(self, request: web.Request) -> web.Response:
        read = Request.read(request.method, request.raw_path, request.headers, await request.read())
        keys = AccountKeys(self.adapter.claimed_account(read), self.tokens, self.url)
        if not self.adapter.verify(read, keys):
            self.refused += 1
            return web.Response(status=403)
        events = self.adapter.parse(read)
        self.events += events
        replies = [
            OutboundMessage(f"You said: {event.text}", reference="r1")
            for event in events
            if isinstance(event, InboundMessage)
        ]
        if replies:
            replies.append(OutboundMessage("<b>Bye & thanks</b>", media=(Media("image", url="https://a.b/c.png"),)))
        answer = self.adapter.reply(replies, status_url=f"{self.url}/status?t=1")
        return web.Response(body=answer.body, headers={"Content-Type": answer.content_type})


@pytest.fixture
async def desk(aiohttp_server: AiohttpServer) -> Desk:
    desk = Desk()
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", desk.handle)
    desk.url = str((await aiohttp_server(app)).make_url("")).rstrip("/")
    return desk


@pytest.fixture
async def sim(desk: Desk) -> AsyncIterator[TwilioSimulator]:
    clock = HandClock()
    number = Number(number=DESK, account_sid=ACCOUNT, webhook_url=f"{desk.url}/sms?x=a%20b")
    async with TwilioSimulator(
        accounts=[Account(sid=ACCOUNT, auth_token="the-token")], numbers=[number], clock=clock, sleep=clock.sleep
    ) as network:
        yield network
        await network.settled()


async def test_a_text_is_answered_in_the_same_request_and_its_fate_comes_back_with_our_reference(
    desk: Desk, sim: TwilioSimulator
) -> None:
    await sim.phone(CUSTOMER).text(DESK, "Grüße & <Küsse> 👋\n+1")
    await sim.settled()
    assert [text.body for text in sim.phone(CUSTOMER).inbox] == [
        "You said: Grüße & <Küsse> 👋\n+1",
        "<b>Bye & thanks</b>",
    ]
    fates = [(event.reference, event.status) for event in desk.events if isinstance(event, StatusUpdate)]
    assert ("r1", "delivered") in fates
    assert desk.refused == 0


@pytest.mark.parametrize("faults", [Faults(sign_with_port=1), Faults(duplicate=1, copies=3)])
async def test_harmless_oddities_are_accepted(desk: Desk, sim: TwilioSimulator, faults: Faults) -> None:
    sim.faults = faults
    await sim.phone(CUSTOMER).text(DESK, "hi")
    await sim.settled()
    assert desk.refused == 0
    assert len({event.provider_id for event in desk.events if isinstance(event, InboundMessage)}) == 1


async def test_a_forged_text_is_refused_and_a_new_token_works_before_the_old_one_goes(
    desk: Desk, sim: TwilioSimulator
) -> None:
    sim.faults = Faults(bad_signature=1)
    await sim.phone(CUSTOMER).text(DESK, "forged")
    assert (desk.refused, desk.events) == (1, [])
    sim.faults = Faults()
    sim.rotate_token(ACCOUNT, "next-token")
    desk.tokens = ("next-token", "the-token")
    await sim.phone(CUSTOMER).text(DESK, "hi")
    await sim.settled()
    assert desk.refused == 1
    assert any(isinstance(event, InboundMessage) for event in desk.events)
