"""The application sends by REST: through the vendor's real SDK wherever the SDK can say it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import aiohttp
import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.rest import Client

from simulators.clock import HandClock
from simulators.twilio import Account, Faults, Media, TwilioSimulator
from tests.simulators.bot import ACCOUNT, ANNA, BEN, NUMBER, TOKEN, Bot, says

SERVICE = "MG" + "0" * 32
OTHER = "+15125550199"


async def _client(sim: TwilioSimulator, user: str, password: str, account: str) -> AsyncIterator[Client]:
    async with AsyncTwilioHttpClient() as http:
        client = Client(user, password, account, http_client=http)
        client.api.base_url = sim.url
        yield client


@pytest.fixture
async def twilio(sim: TwilioSimulator) -> AsyncIterator[Client]:
    async for client in _client(sim, ACCOUNT, TOKEN, ACCOUNT):
        yield client


@pytest.fixture
def service(sim: TwilioSimulator) -> str:
    """Both numbers form one messaging service."""
    for number in (NUMBER, OTHER):
        sim.add_number(replace(sim.numbers[NUMBER], number=number, messaging_service_sid=SERVICE))
    return SERVICE


async def _refused(sending: object) -> TwilioRestException:
    with pytest.raises(TwilioRestException) as caught:
        await sending  # type: ignore[misc]  # twilio's asynchronous methods come without types
    return caught.value


async def test_the_sdk_sends_and_the_phone_receives(bot: Bot, sim: TwilioSimulator, twilio: Client) -> None:
    sent = await twilio.messages.create_async(to=ANNA, from_=NUMBER, body="Grüße 😀", status_callback=f"{bot.url}/own")
    assert (sent.status, sent.direction, sent.from_, sent.num_segments) == ("queued", "outbound-api", NUMBER, "1")
    assert (sent.date_created, sent.date_sent) == (sim.clock(), None)
    received = await sim.phone(ANNA).next()
    assert (received.sid, received.sender, received.body) == (sent.sid, NUMBER, "Grüße 😀")
    await sim.settled()
    assert [seen.form["MessageStatus"] for seen in bot.at("/own")] == ["queued", "sent", "delivered"]
    assert bot.at("/own")[2].form == {
        "MessageSid": sent.sid,
        "SmsSid": sent.sid,
        "MessageStatus": "delivered",
        "SmsStatus": "delivered",
        "To": ANNA,
        "From": NUMBER,
        "AccountSid": ACCOUNT,
        "ApiVersion": "2010-04-01",
        "RawDlrDoneDate": "2603031000",
    }
    fetched = await twilio.messages(sent.sid).fetch_async()
    assert (fetched.status, fetched.date_sent, fetched.error_code) == ("delivered", sim.clock(), None)


async def test_the_sdk_lists_newest_first_over_pages_while_more_come_in(
    sim: TwilioSimulator, twilio: Client, hand_clock: HandClock
) -> None:
    for number in range(7):
        await twilio.messages.create_async(to=ANNA if number % 2 else BEN, from_=NUMBER, body=str(number))
        await sim.settled()
        await hand_clock.advance(60)
    bodies = []
    async for message in await twilio.messages.stream_async(page_size=3):
        bodies.append(message.body)
        if len(bodies) == 2:
            await twilio.messages.create_async(to=ANNA, from_=NUMBER, body="new")
    assert bodies == ["6", "5", "4", "3", "2", "1", "0"]
    start = sim.clock() - timedelta(minutes=7)
    table: list[tuple[dict[str, Any], list[str]]] = [
        ({"to": BEN}, ["6", "4", "2", "0"]),
        ({"from_": OTHER}, []),
        ({"to": BEN, "date_sent_after": start + timedelta(minutes=3)}, ["6", "4"]),
        ({"to": BEN, "date_sent_before": start + timedelta(minutes=2)}, ["2", "0"]),
        ({"to": BEN, "date_sent": start}, ["6", "4", "2", "0"]),
        ({"date_sent": start - timedelta(days=1)}, []),
        ({"to": ANNA, "date_sent_after": sim.clock()}, ["new"]),
    ]
    for filters, expected in table:
        found = await twilio.messages.list_async(**filters)
        assert [message.body for message in found] == expected, filters


async def test_an_empty_list_is_a_page_too(twilio: Client) -> None:
    assert await twilio.messages.list_async() == []


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"to": "", "from_": NUMBER, "body": "x"}, 21604),
        ({"to": ANNA, "body": "x"}, 21603),
        ({"to": "+1", "from_": NUMBER, "body": "x"}, 21211),
        ({"to": "15551230001", "from_": NUMBER, "body": "x"}, 21211),
        ({"to": NUMBER, "from_": NUMBER, "body": "x"}, 21266),
        ({"to": ANNA, "from_": "Frontdesk", "body": "x"}, 21212),
        ({"to": ANNA, "from_": OTHER, "body": "x"}, 21606),
        ({"to": f"whatsapp:{ANNA}", "from_": NUMBER, "body": "x"}, 21606),
        ({"to": ANNA, "messaging_service_sid": "MG1", "body": "x"}, 21701),
        ({"to": ANNA, "from_": NUMBER}, 21602),
        ({"to": ANNA, "from_": NUMBER, "body": "x" * 1601}, 21617),
        ({"to": ANNA, "from_": NUMBER, "body": "x", "status_callback": "nowhere"}, 21609),
        ({"to": ANNA, "from_": NUMBER, "content_sid": "HX1", "content_variables": "{"}, 21656),
        ({"to": ANNA, "from_": NUMBER, "content_sid": "HX1", "content_variables": "{}"}, 21655),
        ({"to": "+445551230001", "from_": NUMBER, "body": "x"}, 21408),
        ({"to": BEN, "from_": NUMBER, "body": "x"}, 21614),
        ({"to": ANNA, "from_": NUMBER, "body": "x", "schedule_type": "fixed"}, 35118),
    ],
)
async def test_what_twilio_refuses(sim: TwilioSimulator, twilio: Client, parameters: dict[str, str], code: int) -> None:
    sim.accounts[ACCOUNT] = replace(sim.accounts[ACCOUNT], prefixes=("+1",))
    sim.phone(BEN).is_landline = True
    error = await _refused(twilio.messages.create_async(**parameters))
    assert (error.status, error.code) == (400, code)
    assert not sim.messages


@pytest.mark.parametrize(
    ("media", "code"),
    [(["ftp://a.b/c"], 21620), (["http://[broken"], 21620), ([f"https://a.b/{n}" for n in range(11)], 21623)],
)
async def test_media_that_twilio_refuses(sim: TwilioSimulator, media: list[str], code: int) -> None:
    # By hand: the SDK's asynchronous client cannot send a list (twilio 9.13 over aiohttp).
    form = [("To", ANNA), ("From", NUMBER), *(("MediaUrl", url) for url in media)]
    status, body = await _post(sim, form)
    assert (status, body["code"]) == (400, code)


async def test_several_pictures_reach_the_phone(sim: TwilioSimulator) -> None:
    urls = ["https://a.b/1.png", "https://a.b/2.png"]
    status, body = await _post(sim, [("To", ANNA), ("From", NUMBER), *(("MediaUrl", url) for url in urls)])
    assert (status, body["num_media"], str(body["sid"])[:2]) == (201, "2", "MM")
    assert (await sim.phone(ANNA).next()).media_urls == tuple(urls)


async def _post(sim: TwilioSimulator, form: list[tuple[str, str]]) -> tuple[int, dict[str, object]]:
    url = f"{sim.url}/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    headers = {"Authorization": aiohttp.encode_basic_auth(ACCOUNT, TOKEN)}
    async with aiohttp.ClientSession() as session, session.post(url, data=form, headers=headers) as answer:
        return answer.status, await answer.json()


async def test_who_said_stop_cannot_be_written_to_until_start(
    bot: Bot, sim: TwilioSimulator, twilio: Client, service: str
) -> None:
    await sim.phone(ANNA).text(NUMBER, "Stop")
    for sender in ({"from_": NUMBER}, {"from_": OTHER}, {"messaging_service_sid": service}):
        error = await _refused(twilio.messages.create_async(to=ANNA, body="x", **sender))
        assert error.code == 21610
    await twilio.messages.create_async(to=BEN, from_=NUMBER, body="x")
    await sim.phone(ANNA).text(NUMBER, "START")
    await twilio.messages.create_async(to=ANNA, from_=OTHER, body="x")


@pytest.mark.parametrize(
    ("user", "password", "account", "status"),
    [
        (ACCOUNT, TOKEN, ACCOUNT, 200),
        (ACCOUNT, "the old token", ACCOUNT, 200),
        ("SK1", "the key's secret", ACCOUNT, 200),
        (ACCOUNT, TOKEN, "AC" + "1" * 32, 200),  # the parent on behalf of its sub-account
        ("AC" + "1" * 32, "the sub's token", "AC" + "1" * 32, 200),
        (ACCOUNT, "wrong", ACCOUNT, 401),
        ("SK1", "wrong", ACCOUNT, 401),
        ("SK2", "", ACCOUNT, 401),
        ("AC" + "1" * 32, "the sub's token", ACCOUNT, 401),
        (ACCOUNT, TOKEN, "AC" + "2" * 32, 401),
    ],
)
async def test_who_may_use_the_api(sim: TwilioSimulator, user: str, password: str, account: str, status: int) -> None:
    sim.accounts[ACCOUNT] = Account(
        sid=ACCOUNT, auth_token=TOKEN, other_tokens=("the old token",), api_keys={"SK1": "the key's secret"}
    )
    sub = "AC" + "1" * 32
    sim.accounts[sub] = Account(sid=sub, auth_token="the sub's token", parent_sid=ACCOUNT)
    url = f"{sim.url}/2010-04-01/Accounts/{account}/Messages.json"
    headers = {"Authorization": aiohttp.encode_basic_auth(user, password)}
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
        assert answer.status == status
        if status == 401:
            assert (await answer.json())["code"] == 20003


@pytest.mark.parametrize(
    ("method", "path", "authorization", "status", "code"),
    [
        ("GET", f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json", None, 401, 20003),
        ("GET", f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json", "Basic !", 401, 20003),
        ("GET", f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json", "Bearer x", 401, 20003),
        ("GET", "/2010-04-01/", None, 401, 20003),
        ("GET", f"/2010-04-01/Accounts/{ACCOUNT}/Faxes.json", "good", 404, 20404),
        ("GET", f"/2010-04-01/Accounts/{ACCOUNT}/Messages/SM1.json", "good", 404, 20404),
        ("GET", f"/2010-04-01/Accounts/{ACCOUNT}/Messages/SM1/Media/ME1", "good", 404, 20404),
        ("PUT", f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json", "good", 405, 20004),
        ("GET", f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json?DateSent=soon", "good", 400, 20001),
    ],
)
async def test_errors_come_in_twilios_shape(
    sim: TwilioSimulator, method: str, path: str, authorization: str | None, status: int, code: int
) -> None:
    good = aiohttp.encode_basic_auth(ACCOUNT, TOKEN)
    headers = {"Authorization": good if authorization == "good" else authorization} if authorization else {}
    async with aiohttp.ClientSession() as session, session.request(method, sim.url + path, headers=headers) as answer:
        body = await answer.json()
    assert (answer.status, body["code"], body["status"]) == (status, code, status)
    assert body["more_info"] == f"https://www.twilio.com/docs/errors/{code}"


async def test_a_service_picks_the_number_the_phone_is_used_to(
    bot: Bot, sim: TwilioSimulator, twilio: Client, service: str
) -> None:
    fresh = await twilio.messages.create_async(to=BEN, messaging_service_sid=service, body="x")
    assert (fresh.status, fresh.from_, fresh.num_segments) == ("accepted", None, "0")
    await sim.phone(ANNA).text(OTHER, "hi")
    await twilio.messages.create_async(to=ANNA, messaging_service_sid=service, body="x")
    assert [(await sim.phone(who).next()).sender for who in (BEN, ANNA)] == [NUMBER, OTHER]
    await sim.settled()
    assert {seen.form["MessagingServiceSid"] for seen in bot.at("/status")} == {service}


async def test_a_scheduled_message_waits_and_can_be_called_off(
    bot: Bot, sim: TwilioSimulator, twilio: Client, hand_clock: HandClock, service: str
) -> None:
    at = sim.clock() + timedelta(hours=1)
    for send_at in (sim.clock() + timedelta(minutes=4), sim.clock() + timedelta(days=36)):
        error = await _refused(
            twilio.messages.create_async(
                to=ANNA, messaging_service_sid=service, body="x", schedule_type="fixed", send_at=send_at
            )
        )
        assert error.code == 35114
    first, second = [
        await twilio.messages.create_async(
            to=ANNA, messaging_service_sid=service, body=body, schedule_type="fixed", send_at=at
        )
        for body in ("kept", "called off")
    ]
    assert first.status == "scheduled"
    assert (await second.update_async(status="canceled")).status == "canceled"
    await hand_clock.advance(3599)
    assert sim.phone(ANNA).inbox == []
    await hand_clock.advance(1)
    await sim.settled()
    assert [text.body for text in sim.phone(ANNA).inbox] == ["kept"]
    assert bot.statuses(second.sid) == ["canceled"]
    assert (await _refused(first.update_async(status="canceled"))).code == 30409


async def test_a_finished_message_can_be_emptied_and_deleted_an_unfinished_one_not(
    bot: Bot, sim: TwilioSimulator, twilio: Client, hand_clock: HandClock
) -> None:
    sim.pace_s = 1
    sent = await twilio.messages.create_async(to=ANNA, from_=NUMBER, body="secret")
    for attempt in (sent.update_async(body=""), sent.delete_async()):
        assert (await _refused(attempt)).code == 20009
    await hand_clock.advance(1)
    while (await sent.fetch_async()).status != "delivered":
        await hand_clock.advance(1)
    assert (await _refused(sent.update_async(body="other words"))).status == 400
    assert (await sent.update_async(body="")).body == ""
    assert sim.phone(ANNA).inbox[0].body == "secret"
    assert await sent.delete_async()
    assert (await _refused(sent.fetch_async())).code == 20404


async def test_media_of_a_message_is_listed_and_goes_with_it(sim: TwilioSimulator, twilio: Client) -> None:
    exchange = await sim.phone(ANNA).text(NUMBER, media=[Media(b"1", "image/png"), Media(b"2", "audio/ogg")])
    message = twilio.messages(exchange.message.sid)
    listed = await message.media.list_async()
    assert [media.content_type for media in listed] == ["image/png", "audio/ogg"]
    assert (await listed[1].fetch_async()).parent_sid == exchange.message.sid
    assert await listed[1].delete_async()
    assert len(await message.media.list_async()) == 1
    assert await message.delete_async()
    assert not sim.media


@pytest.mark.parametrize(
    ("code", "states"),
    [
        (30003, ["queued", "sent", "undelivered"]),
        (30001, ["queued", "failed"]),
        (63016, ["queued", "sent", "undelivered"]),
    ],
)
async def test_a_phone_that_cannot_be_reached(
    bot: Bot, sim: TwilioSimulator, twilio: Client, code: int, states: list[str]
) -> None:
    sim.phone(ANNA).fails_with = code
    sent = await twilio.messages.create_async(to=ANNA, from_=NUMBER, body="x")
    await sim.settled()
    assert (bot.statuses(sent.sid), sim.phone(ANNA).inbox) == (states, [])
    assert bot.at("/status")[-1].form["ErrorCode"] == str(code)
    fetched = await twilio.messages(sent.sid).fetch_async()
    assert (fetched.status, fetched.error_code) == (states[-1], code)


@pytest.mark.parametrize(
    ("faults", "states"),
    [
        (Faults(), ["queued", "sent", "delivered"]),
        (Faults(undelivered=1), ["queued", "sent", "undelivered"]),
        (Faults(never_status=1), []),
        (Faults(status_duplicate=1), ["queued", "queued", "sent", "sent", "delivered", "delivered"]),
        (Faults(status_out_of_order=1), ["delivered", "sent", "queued"]),
    ],
)
@pytest.mark.parametrize("way", ["rest", "twiml"])
async def test_states_are_reported_as_the_faults_have_it(
    bot: Bot, sim: TwilioSimulator, twilio: Client, faults: Faults, states: list[str], way: str
) -> None:
    sim.faults = faults
    bot.answers["/sms"] = says("hello")
    if way == "rest":
        sid = (await twilio.messages.create_async(to=ANNA, from_=NUMBER, body="x")).sid
    else:
        sid = (await sim.phone(ANNA).text(NUMBER, "hi")).replies[0].sid
    await sim.settled()
    assert bot.statuses(sid) == states
    assert sim.messages[sid].status == ("undelivered" if faults.undelivered else "delivered")


async def test_states_can_come_before_the_answer(bot: Bot, sim: TwilioSimulator, twilio: Client) -> None:
    sim.faults = Faults(status_early=1)
    sent = await twilio.messages.create_async(to=ANNA, from_=NUMBER, body="x")
    assert bot.statuses(sent.sid) == ["queued", "sent", "delivered"]
    assert sent.status == "queued"


async def test_a_refused_callback_is_an_alert(bot: Bot, sim: TwilioSimulator, twilio: Client) -> None:
    bot.answers["/status"] = 500
    await twilio.messages.create_async(to=ANNA, from_=NUMBER, body="x")
    await sim.settled()
    assert [alert.code for alert in sim.alerts] == [11200] * 3


@pytest.mark.parametrize(
    ("faults", "status", "code"),
    [(Faults(rest_429=1, retry_after_s=7), 429, 20429), (Faults(rest_500=1), 500, 20500)],
)
async def test_a_request_is_turned_away_and_nothing_happens(
    sim: TwilioSimulator, twilio: Client, faults: Faults, status: int, code: int
) -> None:
    sim.faults = faults
    error = await _refused(twilio.messages.create_async(to=ANNA, from_=NUMBER, body="x"))
    assert (error.status, error.code) == (status, code)
    assert not sim.messages
    await twilio.messages.create_async(to=ANNA, from_=NUMBER, body="x")


async def test_too_many_requests_say_when_to_come_back(sim: TwilioSimulator) -> None:
    sim.faults = Faults(rest_429=1, retry_after_s=7)
    url = f"{sim.url}/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (429, "7")


async def test_a_request_that_hangs_does_nothing(sim: TwilioSimulator, twilio: Client) -> None:
    sim.faults = Faults(rest_hang=1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):  # The SDK's asynchronous client forgets its own time-out (twilio 9.13).
            await twilio.messages.create_async(to=ANNA, from_=NUMBER, body="x")
    assert not sim.messages


async def test_an_accepted_message_whose_answer_is_lost_can_be_found(sim: TwilioSimulator, twilio: Client) -> None:
    sim.faults = Faults(accept_but_reset=1)
    since = sim.clock()
    with pytest.raises(aiohttp.ClientError):
        await twilio.messages.create_async(to=ANNA, from_=NUMBER, body="x")
    found = await twilio.messages.list_async(to=ANNA, date_sent_after=since)
    assert [message.body for message in found] == ["x"]


async def test_an_accepted_message_whose_answer_is_broken(sim: TwilioSimulator, twilio: Client) -> None:
    sim.faults = Faults(broken_json=1)
    with pytest.raises(ValueError, match="line 1"):
        await twilio.messages.create_async(to=ANNA, from_=NUMBER, body="x")
    assert len(sim.messages) == 1


async def test_equal_seeds_misbehave_equally(bot: Bot) -> None:
    async def story(seed: int) -> list[bool]:
        account = Account(sid=ACCOUNT, auth_token=TOKEN)
        async with TwilioSimulator(accounts=[account], faults=Faults(rest_500=0.5), rng=Random(seed)) as sim:
            url = f"{sim.url}/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
            headers = {"Authorization": aiohttp.encode_basic_auth(ACCOUNT, TOKEN)}
            async with aiohttp.ClientSession(headers=headers) as session:
                outcomes = []
                for _ in range(30):
                    async with session.get(url) as answer:
                        outcomes.append(answer.status == 500)
                return outcomes

    first = await story(3)
    assert await story(3) == first
    assert await story(4) != first
