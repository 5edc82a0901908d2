"""Sending by REST: the real SDK against the simulated phone network, in good and bad weather."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from random import Random

import aiohttp
import pytest
from aiohttp import web
from pytest_aiohttp.plugin import AiohttpServer

from channels.base import AccountKeys
from channels.errors import SendError
from channels.messages import Address, Media, OutboundMessage, Template
from channels.twilio.client import TwilioClient
from channels.twilio.sms import SmsAdapter
from simulators.clock import HandClock
from simulators.twilio import Account, Faults, Number, TwilioSimulator

KEYS = AccountKeys("AC00000000000000000000000000000001", ("the-token",), "https://desk.example.com")
DESK, CUSTOMER = Address("phone", "+15125550100"), Address("phone", "+15551230001")
HELLO = OutboundMessage("Hello Dana", reference="out-1")


@pytest.fixture
def hand_clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def sim(hand_clock: HandClock) -> AsyncIterator[TwilioSimulator]:
    accounts = [Account(sid=KEYS.account_id, auth_token="the-token", api_keys={"SK1": "the-key"})]
    numbers = [Number(number=DESK.value, account_sid=KEYS.account_id, messaging_service_sid="MG" + "1" * 32)]
    async with TwilioSimulator(
        accounts=accounts, numbers=numbers, clock=hand_clock, sleep=hand_clock.sleep, rng=Random(1)
    ) as network:
        yield network
        await network.settled()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as running:
        yield running


@pytest.fixture
def sms(sim: TwilioSimulator, session: aiohttp.ClientSession) -> SmsAdapter:
    return SmsAdapter(TwilioClient(session, api_base=sim.url))


@pytest.fixture
def impatient(sim: TwilioSimulator, session: aiohttp.ClientSession) -> SmsAdapter:
    """For what is never answered; a slow machine must not look like it anywhere else."""
    return SmsAdapter(TwilioClient(session, api_base=sim.url, timeout_s=0.2))


def _inbox(sim: TwilioSimulator) -> list[str]:
    return [text.body for text in sim.phone(CUSTOMER.value).inbox]


async def test_a_message_reaches_the_phone(sms: SmsAdapter, sim: TwilioSimulator) -> None:
    sent = await sms.send(HELLO, to=CUSTOMER, sender=DESK, keys=KEYS)
    await sim.settled()
    assert sent.status == "queued"
    assert sent.provider_id in sim.messages
    assert _inbox(sim) == ["Hello Dana"]


async def test_an_api_key_and_a_messaging_service_send_too(sms: SmsAdapter, sim: TwilioSimulator) -> None:
    keys = replace(KEYS, user="SK1", password="the-key", service_id="MG" + "1" * 32)
    await sms.send(HELLO, to=CUSTOMER, sender=DESK, keys=keys)
    await sim.settled()
    assert _inbox(sim) == ["Hello Dana"]


async def test_files_go_along(sms: SmsAdapter, sim: TwilioSimulator) -> None:
    files = tuple(Media("image", url=f"https://desk.example.com/{name}.png") for name in "ab")
    await sms.send(OutboundMessage("Look", media=files), to=CUSTOMER, sender=DESK, keys=KEYS)
    await sim.settled()
    (message,) = sim.messages.values()
    assert message.media_urls == tuple(file.url for file in files)


@pytest.mark.parametrize(
    ("to", "keys", "faults", "code", "kind", "retry_after_s"),
    [
        ("+1555", KEYS, Faults(), "21211", "nobody", None),
        (CUSTOMER.value, replace(KEYS, secrets=("wrong",)), Faults(), "20003", "config", None),
        (CUSTOMER.value, KEYS, Faults(rest_429=1, retry_after_s=7), "20429", "retry", 7),
        (CUSTOMER.value, KEYS, Faults(rest_500=1), "20500", "unclear", None),
        (CUSTOMER.value, KEYS, Faults(rest_hang=1), "", "unclear", None),
        (CUSTOMER.value, KEYS, Faults(accept_but_reset=1), "", "unclear", None),
        (CUSTOMER.value, KEYS, Faults(broken_json=1), "", "unclear", None),
    ],
)
async def test_a_refusal_says_what_to_do_next(
    sms: SmsAdapter,
    impatient: SmsAdapter,
    sim: TwilioSimulator,
    to: str,
    keys: AccountKeys,
    faults: Faults,
    code: str,
    kind: str,
    retry_after_s: float | None,
) -> None:
    sim.faults = faults
    with pytest.raises(SendError) as trouble:
        await (impatient if faults.rest_hang else sms).send(HELLO, to=Address("phone", to), sender=DESK, keys=keys)
    error = trouble.value
    assert (error.code, error.kind, error.retry_after_s) == (code, kind, retry_after_s)
    assert error.retryable == (kind in ("retry", "unclear"))
    assert CUSTOMER.value not in f"{error}{error!r}"
    assert "token" not in f"{error}{error!r}"


async def test_who_said_stop_is_told_apart(sms: SmsAdapter, sim: TwilioSimulator) -> None:
    sim.opted_out.add((sim.numbers[DESK.value].opt_out_scope, CUSTOMER.value))
    with pytest.raises(SendError) as trouble:
        await sms.send(HELLO, to=CUSTOMER, sender=DESK, keys=KEYS)
    assert (trouble.value.code, trouble.value.kind) == ("21610", "opted_out")


async def test_a_closed_door_means_that_nothing_was_sent(session: aiohttp.ClientSession) -> None:
    sms = SmsAdapter(TwilioClient(session, api_base="http://127.0.0.1:1"))
    with pytest.raises(SendError) as trouble:
        await sms.send(HELLO, to=CUSTOMER, sender=DESK, keys=KEYS)
    assert trouble.value.kind == "retry"


POOLED = replace(KEYS, service_id="MG" + "1" * 32, keeps_sender=True)


@pytest.mark.parametrize(
    ("fault", "keys", "sender"),
    [
        (Faults(accept_but_reset=1), KEYS, DESK),
        (Faults(broken_json=1), KEYS, DESK),
        (Faults(accept_but_reset=1), POOLED, replace(DESK, value="+15125550198")),  # gone: Twilio takes another number
    ],
)
async def test_after_an_unclear_answer_a_message_that_went_out_is_found_and_not_sent_twice(
    sms: SmsAdapter, sim: TwilioSimulator, hand_clock: HandClock, fault: Faults, keys: AccountKeys, sender: Address
) -> None:
    await sms.send(HELLO, to=CUSTOMER, sender=DESK, keys=KEYS)  # the same words, said an hour before
    await hand_clock.advance(3600)
    tried_at, sim.faults = hand_clock.now, fault
    with pytest.raises(SendError):
        await sms.send(HELLO, to=CUSTOMER, sender=sender, keys=keys)
    await hand_clock.advance(60)
    again = await sms.send(HELLO, to=CUSTOMER, sender=sender, keys=keys, tried_at=tried_at)
    await sim.settled()
    assert again.provider_id == list(sim.messages)[1]
    assert _inbox(sim) == ["Hello Dana"] * 2


async def test_after_an_unclear_answer_a_message_that_did_not_go_out_is_sent(
    sms: SmsAdapter, sim: TwilioSimulator, hand_clock: HandClock
) -> None:
    await sms.send(HELLO, to=CUSTOMER, sender=DESK, keys=KEYS)
    await hand_clock.advance(3600)
    tried_at, sim.faults = hand_clock.now, Faults(rest_500=1)
    with pytest.raises(SendError):
        await sms.send(HELLO, to=CUSTOMER, sender=DESK, keys=KEYS)
    await sms.send(OutboundMessage("Other words"), to=CUSTOMER, sender=DESK, keys=KEYS)
    await sms.send(HELLO, to=CUSTOMER, sender=DESK, keys=KEYS, tried_at=tried_at)
    await sim.settled()
    assert _inbox(sim) == ["Hello Dana", "Other words", "Hello Dana"]


@pytest.mark.parametrize("fault", [Faults(rest_429=1), Faults(rest_500=1), Faults(rest_hang=1)])
async def test_while_twilio_cannot_be_asked_nothing_is_sent_on_a_guess(
    sms: SmsAdapter, impatient: SmsAdapter, sim: TwilioSimulator, hand_clock: HandClock, fault: Faults
) -> None:
    sim.faults = fault
    asked, tried_at = impatient if fault.rest_hang else sms, hand_clock.now - timedelta(minutes=1)
    with pytest.raises(SendError) as trouble:
        await asked.send(HELLO, to=CUSTOMER, sender=DESK, keys=KEYS, tried_at=tried_at)
    assert trouble.value.kind == "unclear"
    assert not sim.messages


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (201, "", "unclear"),
        (201, "null", "unclear"),
        (201, "[]", "unclear"),
        (201, '{"sid": null}', "unclear"),
        (201, '{"sid": "SM1", "date_created": 3}', "unclear"),
        (200, "<html>", "unclear"),
        (302, "", "config"),
        (404, "not json", "config"),
        (400, '{"code": {"x": 1}}', "permanent"),
        (400, '{"code": 3}', "permanent"),
        (400, '{"code": true}', "permanent"),
        (503, "", "unclear"),
        (429, "", "retry"),
    ],
)
async def test_a_nonsense_answer_is_unclear_and_never_another_exception(
    session: aiohttp.ClientSession, aiohttp_server: AiohttpServer, status: int, body: str, kind: str
) -> None:
    async def nonsense(_: web.Request) -> web.Response:
        return web.Response(
            status=status, text=body, headers={"Location": "http://127.0.0.1:1/", "Retry-After": "soon"}
        )

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", nonsense)
    server = await aiohttp_server(app)
    sms = SmsAdapter(TwilioClient(session, api_base=str(server.make_url("/prefix/"))))
    with pytest.raises(SendError) as trouble:
        await sms.send(HELLO, to=CUSTOMER, sender=DESK, keys=KEYS)
    assert trouble.value.kind == kind
    assert trouble.value.code in ("", "3")


async def test_of_an_answer_without_end_no_more_is_read_than_makes_sense(
    session: aiohttp.ClientSession, aiohttp_server: AiohttpServer
) -> None:
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        answer = web.StreamResponse(status=201, headers={"Content-Type": "application/json"})
        await answer.prepare(request)
        await answer.write(b'{"status": "queued", "sid": "')
        for sent in range(1, 129):  # noqa: B007  read below
            await answer.write(b"x" * 2**20)
        return answer

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", endless)
    server = await aiohttp_server(app)
    sms = SmsAdapter(TwilioClient(session, api_base=str(server.make_url("/prefix/"))))
    with pytest.raises(SendError) as trouble:
        await sms.send(HELLO, to=CUSTOMER, sender=DESK, keys=KEYS)
    assert trouble.value.kind == "unclear"
    assert sent < 64


@pytest.mark.parametrize("message", [OutboundMessage(), OutboundMessage("word " * 400)])
async def test_what_is_not_rendered_into_one_message_is_a_bug(sms: SmsAdapter, message: OutboundMessage) -> None:
    with pytest.raises(SendError) as trouble:
        await sms.send(message, to=CUSTOMER, sender=DESK, keys=KEYS)
    assert trouble.value.kind == "bug"


async def test_a_template_is_said_in_words(sms: SmsAdapter, sim: TwilioSimulator) -> None:
    await sms.send(OutboundMessage("See you", template=Template("HX1")), to=CUSTOMER, sender=DESK, keys=KEYS)
    await sim.settled()
    assert _inbox(sim) == ["See you"]


# Kind -> the codes of Twilio's list that a message may meet (twilio.com/docs/api/errors).
CODES = {
    "retry": "20429 21611 30001 30003 30017 30020 30021 30022 30023 30027 30103 30410 30450 30453 63009 63010 63012 "
    "63017 63018 63038",
    "retry_once": "30008 30036 63019 63023 63037",
    "config": "20003 20005 20008 20404 21212 21267 21408 21606 21607 21608 21609 21616 21622 21655 21656 21657 21659 21660 "
    "21661 21701 21702 21703 21704 21705 21709 21711 21712 21910 30002 30010 30016 30018 30024 30032 30033 30034 30035 30101 "
    "30102 30106 30107 30110 63001 63002 63007 63008 63015 63020 63022 63027 63028 63040 63041 63042 63051",
    "permanent": "21265 21268 21612 30004 30014 63013 63014 63024 63033",
    "nobody": "21211 30005",
    "opted_out": "21610",
    "voice": "21614 21635 30006",
    "other_channel": "63003 63036",
    "content": "21618 21620 21621 30007 30011 30019 30111 63026 63029 63032 63034 63049",
    "window": "63016",
    "bug": "21266 21602 21603 21604 21617 21619 21623 21654 21658 63005 63006 63011 63021 63030 63031",
    "none": "30009 63025",
}
# What stands in the way of everything else over the channel, too.
STOPS = "20003 20005 20008 21212 21607 21609 21660 21661 21701 21702 21703 21704 21705 21709 30002 30032 30033 "
STOPS += "30034 30035 63001 63002 63007 63008 63020 63022 63051"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        *((code, kind) for kind, codes in CODES.items() for code in codes.split()),
        ("99999", "permanent"),
        ("", "permanent"),
        ("²", "permanent"),
        ("9" * 5000, "permanent"),
    ],
)
def test_every_error_code_has_a_sentence_and_a_next_step(sms: SmsAdapter, code: str, kind: str) -> None:
    error = sms.explain(code)
    assert (error.kind, error.retryable) == (kind, kind in ("retry", "retry_once"))
    assert error.stops_channel == (code in STOPS.split())
    assert (error.text == "Twilio refused the message.") == (code not in " ".join(CODES.values()).split())
    assert error.text.endswith(".")
