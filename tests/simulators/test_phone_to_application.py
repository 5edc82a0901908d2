"""Somebody texts: the webhook that goes out, and what comes of its answer."""

import asyncio
from dataclasses import replace
from urllib.parse import urlsplit

import aiohttp
import pytest
from aiohttp import web
from twilio.request_validator import RequestValidator

from simulators.clock import HandClock
from simulators.twilio import Account, Faults, Media, Number, TwilioSimulator, UnknownNumber
from tests.simulators.bot import ACCOUNT, ANNA, BEN, NUMBER, TOKEN, Bot, Seen, says


def _is_genuine(bot: Bot, seen: Seen, token: str = TOKEN) -> bool:
    return bool(RequestValidator(token).validate(bot.url + seen.path, seen.form, seen.signature))


async def test_a_text_arrives_signed_and_complete_and_the_answer_returns(bot: Bot, sim: TwilioSimulator) -> None:
    bot.answers["/sms"] = says("Hello!", "How can we help?")
    anna = sim.phone(ANNA)
    anna.city, anna.state = "AUSTIN", "TX"
    exchange = await anna.text(NUMBER, "hi & grüße 😀 + =")
    (seen,) = bot.at("/sms")
    assert _is_genuine(bot, seen)
    assert seen.form == {
        "MessageSid": exchange.message.sid,
        "SmsMessageSid": exchange.message.sid,
        "SmsSid": exchange.message.sid,
        "AccountSid": ACCOUNT,
        "ApiVersion": "2010-04-01",
        "From": ANNA,
        "To": NUMBER,
        "Body": "hi & grüße 😀 + =",
        "NumMedia": "0",
        "NumSegments": "1",
        "SmsStatus": "received",
        "FromCity": "AUSTIN",
        "FromState": "TX",
        "FromZip": "",
        "FromCountry": "US",
        "ToCity": "",
        "ToState": "",
        "ToZip": "",
        "ToCountry": "US",
    }
    assert exchange.texts == ["Hello!", "How can we help?"]
    assert [text.body for text in anna.inbox] == exchange.texts
    assert (await anna.next()).sid == exchange.replies[0].sid
    assert (await anna.wait_for("help")).body == "How can we help?"
    with pytest.raises(TimeoutError, match="in vain"):
        await anna.next(0.01)


async def test_waiting_for_a_text_ends_when_it_comes(bot: Bot, sim: TwilioSimulator) -> None:
    bot.answers["/sms"] = says("late")
    waiting = asyncio.create_task(sim.phone(ANNA).wait_for("late"))
    await sim.phone(ANNA).text(NUMBER, "hi")
    assert (await waiting).sender == NUMBER


@pytest.mark.parametrize(
    ("answer", "inbox"),
    [
        (204, []),
        ("<Response/>", []),
        (web.Response(text="just words"), ["just words"]),
    ],
)
async def test_answers_without_trouble(
    bot: Bot, sim: TwilioSimulator, answer: int | str | web.Response, inbox: list[str]
) -> None:
    bot.answers["/sms"] = answer
    assert (await sim.phone(ANNA).text(NUMBER, "hi")).texts == inbox
    assert not sim.alerts
    assert not bot.at("/fallback")


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (403, 11200),
        (500, 11200),
        (302, 11200),
        ("<Response><Message>a & b", 12100),
        ("<Answer/>", 12102),
        (web.json_response({}), 12300),
        ("<Response>" + " " * 70_000 + "</Response>", 11750),
    ],
)
async def test_after_a_bad_answer_the_fallback_is_asked_and_told_why(
    bot: Bot, sim: TwilioSimulator, answer: int | str | web.Response, code: int
) -> None:
    bot.answers |= {"/sms": answer, "/fallback": says("We are having trouble.")}
    exchange = await sim.phone(ANNA).text(NUMBER, "hi")
    (fallback,) = bot.at("/fallback")
    assert (fallback.form["ErrorCode"], fallback.form["ErrorUrl"]) == (str(code), f"{bot.url}/sms")
    assert fallback.form["Body"] == "hi"
    assert _is_genuine(bot, fallback)
    assert exchange.texts == ["We are having trouble."]
    assert [alert.code for alert in sim.alerts] == [code]


async def test_an_application_that_is_not_there_is_an_alert(sim: TwilioSimulator) -> None:
    sim.add_number(Number(number=NUMBER, account_sid=ACCOUNT, webhook_url="http://127.0.0.1:1/sms#rc=2"))
    exchange = await sim.phone(ANNA).text(NUMBER, "hi")
    assert exchange.texts == []
    assert [alert.code for alert in sim.alerts] == [11202]
    assert [post.error for post in sim.posts] == [11202] * 3


async def test_an_application_that_takes_too_long_is_given_up(bot: Bot, sim: TwilioSimulator) -> None:
    given_up = asyncio.Event()

    async def dawdle(_: Seen) -> web.Response:
        await given_up.wait()
        return web.Response()

    bot.answers["/sms"] = dawdle
    sim.add_number(replace(sim.numbers[NUMBER], webhook_url=f"{bot.url}/sms#rt=100&rc=1&rp=rt", fallback_url=None))
    await sim.phone(ANNA).text(NUMBER, "hi")
    given_up.set()
    assert [alert.code for alert in sim.alerts] == [11203]
    first, second = bot.at("/sms")
    assert first.headers["I-Twilio-Idempotency-Token"] == second.headers["I-Twilio-Idempotency-Token"]


async def test_a_redirect_asks_the_other_address_with_the_same_form(bot: Bot, sim: TwilioSimulator) -> None:
    bot.answers |= {
        "/sms": "<Response><Message>one</Message><Redirect method='GET'>next?a=1</Redirect></Response>",
        "/next": says("two"),
    }
    exchange = await sim.phone(ANNA).text(NUMBER, "hi")
    assert exchange.texts == ["one", "two"]
    (asked,) = bot.at("/next")
    assert asked.path.startswith("/next?a=1&")
    assert "Body=hi" in asked.path
    assert RequestValidator(TOKEN).validate(bot.url + asked.path, {}, asked.signature)


async def test_redirects_in_a_circle_come_to_an_end(bot: Bot, sim: TwilioSimulator) -> None:
    bot.answers["/sms"] = "<Response><Redirect/></Response>"
    await sim.phone(ANNA).text(NUMBER, "hi")
    assert [alert.code for alert in sim.alerts] == [11215]


async def test_twiml_can_text_somebody_else_with_pictures_and_hear_of_it(bot: Bot, sim: TwilioSimulator) -> None:
    bot.answers["/sms"] = (
        f"<Response><Message to='{BEN}' action='reports/1'><Body>For Ben</Body>"
        "<Media>https://a.b/c.png</Media></Message></Response>"
    )
    exchange = await sim.phone(ANNA).text(NUMBER, "hi")
    received = await sim.phone(BEN).next()
    assert (received.body, received.media_urls, sim.phone(ANNA).inbox) == ("For Ben", ("https://a.b/c.png",), [])
    assert exchange.replies[0].sid.startswith("MM")
    await sim.settled()
    assert [seen.form["MessageStatus"] for seen in bot.at("/reports/1")] == ["queued", "sent", "delivered"]
    assert not bot.at("/status")


@pytest.mark.parametrize(
    ("twiml", "code"),
    [
        (says("x" * 1601), 21617),
        ("<Response><Message to='anna'>hi</Message></Response>", 21211),
        ("<Response><Message from='+15125550199'>hi</Message></Response>", 21606),
        ("<Response><Message><Body/></Message></Response>", 14103),
    ],
)
async def test_what_cannot_be_sent_is_an_alert_and_the_rest_is_sent(
    bot: Bot, sim: TwilioSimulator, twiml: str, code: int
) -> None:
    bot.answers["/sms"] = twiml.replace("</Response>", "<Message>the rest</Message></Response>")
    assert (await sim.phone(ANNA).text(NUMBER, "hi")).texts == ["the rest"]
    assert [alert.code for alert in sim.alerts] == [code]


async def test_the_public_address_is_signed_and_the_real_one_called(bot: Bot) -> None:
    async with TwilioSimulator(
        accounts=[Account(sid=ACCOUNT, auth_token=TOKEN)],
        numbers=[Number(number=NUMBER, account_sid=ACCOUNT, webhook_url="https://desk.example.com/a%20b?x=%2F")],
        reach={"https://desk.example.com": f"{bot.url}/prefix"},
        faults=Faults(sign_with_port=1),
    ) as sim:
        for _ in range(2):
            await sim.phone(ANNA).text(NUMBER, "hi")
    with_port, without = bot.seen
    for seen in (with_port, without):
        assert seen.path == "/prefix/a%20b?x=%2F"
        assert seen.headers["Host"] == "desk.example.com"
        assert RequestValidator(TOKEN).validate("https://desk.example.com/a%20b?x=%2F", seen.form, seen.signature)
    assert with_port.signature == RequestValidator(TOKEN).compute_signature(
        "https://desk.example.com:443/a%20b?x=%2F", with_port.form
    )


async def test_a_new_token_signs_from_now_on_and_a_sub_account_with_its_own(bot: Bot, sim: TwilioSimulator) -> None:
    sub = Account(sid="AC" + "1" * 32, auth_token="the sub's token", parent_sid=ACCOUNT)
    sim.accounts[sub.sid] = sub
    sim.add_number(Number(number="+15125550199", account_sid=sub.sid, webhook_url=f"{bot.url}/sms"))
    sim.rotate_token(ACCOUNT, "the new token")
    await sim.phone(ANNA).text(NUMBER, "hi")
    await sim.phone(ANNA).text("+15125550199", "hi")
    own, subs = bot.seen
    assert (_is_genuine(bot, own), _is_genuine(bot, own, "the new token")) == (False, True)
    assert subs.form["AccountSid"] == sub.sid
    assert _is_genuine(bot, subs, sub.auth_token)


async def test_a_messaging_service_is_named_and_answers_from_the_number_a_phone_is_used_to(
    bot: Bot, sim: TwilioSimulator
) -> None:
    service = "MG" + "0" * 32
    for number in (NUMBER, "+15125550199"):
        sim.add_number(replace(sim.numbers[NUMBER], number=number, messaging_service_sid=service))
    await sim.phone(ANNA).text("+15125550199", "hi")
    assert bot.seen[0].form["MessagingServiceSid"] == service
    await sim.phone(ANNA).text("+15125550199", "stop")
    assert sim.opted_out == {(service, ANNA)}


async def test_json_is_signed_by_its_hash(bot: Bot, sim: TwilioSimulator) -> None:
    bot.answers["/events"] = 200
    post = await sim.post_json(ACCOUNT, f"{bot.url}/events?a=1", b'[{"type": "x"}]')
    (seen,) = bot.seen
    assert post.status == 200
    assert RequestValidator(TOKEN).validate(bot.url + seen.path, seen.body.decode(), seen.signature)


async def test_a_picture_is_kept_and_fetched_over_a_redirect_without_the_password(
    bot: Bot, sim: TwilioSimulator
) -> None:
    await sim.phone(ANNA).text(NUMBER, media=[Media(b"\x89PNG", "image/png"), Media(b"BEGIN:VCARD", "text/vcard")])
    form = bot.seen[0].form
    assert (form["NumMedia"], form["MediaContentType1"], form["Body"]) == ("2", "text/vcard", "")
    assert form["MessageSid"].startswith("MM")
    auth = {"Authorization": aiohttp.encode_basic_auth(ACCOUNT, TOKEN)}
    async with aiohttp.ClientSession() as session:
        async with session.get(form["MediaUrl0"]) as refused:
            assert refused.status == 401
        async with session.get(form["MediaUrl0"], headers=auth, allow_redirects=False) as redirect:
            location = redirect.headers["Location"]
            assert redirect.status == 307
        assert urlsplit(location).netloc != urlsplit(form["MediaUrl0"]).netloc
        async with session.get(location, headers=auth) as careless:
            assert careless.status == 400
        async with session.get(location) as found:
            assert (await found.read(), found.content_type) == (b"\x89PNG", "image/png")


async def test_an_address_of_stored_media_grows_stale(bot: Bot, sim: TwilioSimulator, hand_clock: HandClock) -> None:
    await sim.phone(ANNA).text(NUMBER, media=[Media(b"x", "image/png")])
    auth = {"Authorization": aiohttp.encode_basic_auth(ACCOUNT, TOKEN)}
    async with aiohttp.ClientSession() as session:
        async with session.get(bot.seen[0].form["MediaUrl0"], headers=auth, allow_redirects=False) as redirect:
            location = redirect.headers["Location"]
        await hand_clock.advance(5 * 3600)
        async with session.get(location) as stale:
            assert stale.status == 403


async def test_a_whatsapp_user_comes_with_a_name_and_no_geography(bot: Bot, sim: TwilioSimulator) -> None:
    sim.add_number(replace(sim.numbers[NUMBER], number="whatsapp:+15125550101"))
    dana = sim.phone("whatsapp:+15551234567")
    dana.name = "Dana"
    await dana.text("whatsapp:+15125550101", "Confirm", extra={"MessageType": "button", "ButtonPayload": "confirm:31"})
    await dana.text("whatsapp:+15125550101", "stop")
    form = bot.at("/sms")[0].form
    assert (form["ProfileName"], form["WaId"], form["MessageType"], form["ButtonPayload"]) == (
        "Dana",
        "15551234567",
        "button",
        "confirm:31",
    )
    assert "FromCity" not in form
    assert not sim.opted_out


async def test_stop_blocks_replies_and_start_lets_them_through_again(bot: Bot, sim: TwilioSimulator) -> None:
    bot.answers["/sms"] = says("ours")
    anna = sim.phone(ANNA)
    stopped = await anna.text(NUMBER, "STOP")
    assert ["unsubscribed" in text for text in stopped.texts] == [True]
    assert [alert.code for alert in sim.alerts] == [21610]
    assert (await anna.text(NUMBER, "hello?")).texts == []
    started = await anna.text(NUMBER, "yes")
    assert [text == "ours" for text in started.texts] == [False, True]
    assert len(bot.at("/sms")) == 3
    await sim.settled()
    assert {seen.form["MessageSid"] for seen in bot.at("/status")} == {started.replies[1].sid}


async def test_advanced_opt_out_says_so_to_the_webhook(bot: Bot, sim: TwilioSimulator) -> None:
    sim.add_number(replace(sim.numbers[NUMBER], opt_out="advanced"))
    for word in ("stop", "hello", "start", "help"):
        await sim.phone(ANNA).text(NUMBER, word)
    assert [seen.form.get("OptOutType") for seen in bot.at("/sms")] == ["STOP", None, "START", "HELP"]


async def test_duplicates_arrive_together_and_only_one_answer_counts(bot: Bot, sim: TwilioSimulator) -> None:
    arrived = asyncio.Event()

    async def all_at_once(_: Seen) -> web.Response:
        if len(bot.at("/sms")) == 20:
            arrived.set()
        await arrived.wait()
        return web.Response(text=says("once"), content_type="text/xml")

    bot.answers["/sms"] = all_at_once
    sim.faults = Faults(duplicate=1, copies=19)
    exchange = await sim.phone(ANNA).text(NUMBER, "hi")
    assert {seen.form["MessageSid"] for seen in bot.at("/sms")} == {exchange.message.sid}
    assert (len(exchange.posts), exchange.texts) == (20, ["once"])


async def test_the_same_message_can_be_sent_again_later(bot: Bot, sim: TwilioSimulator) -> None:
    first = await sim.phone(ANNA).text(NUMBER, "hi")
    again = await sim.phone(ANNA).text(NUMBER, "hi", sid=first.message.sid)
    assert again.message is first.message
    assert bot.seen[0].form == bot.seen[1].form


async def test_a_text_is_overtaken_by_the_next_of_the_same_phone(bot: Bot, sim: TwilioSimulator) -> None:
    sim.faults = Faults(reorder=True)
    anna, ben = sim.phone(ANNA), sim.phone(BEN)
    held = asyncio.create_task(anna.text(NUMBER, "first"))
    await asyncio.sleep(0)
    await asyncio.gather(anna.text(NUMBER, "second"), held)
    assert [seen.form["Body"] for seen in bot.at("/sms")] == ["second", "first"]
    sim.faults = Faults()
    await ben.text(NUMBER, "third")


async def test_a_held_or_delayed_text_arrives_when_its_time_has_come(
    bot: Bot, sim: TwilioSimulator, hand_clock: HandClock
) -> None:
    sim.faults = Faults(reorder=1, reorder_s=2, delay=2, delay_s=5)
    bot.answers["/sms"] = says("at last")
    texting = asyncio.create_task(sim.phone(ANNA).text(NUMBER, "slow"))
    await hand_clock.advance(2)
    assert not bot.seen
    await hand_clock.advance(5)
    assert (await texting).texts == ["at last"]
    assert sim.phone(ANNA).inbox == []
    await hand_clock.advance(5)
    assert (await sim.phone(ANNA).next()).at == hand_clock.now


async def test_a_lost_answer_is_asked_for_again_with_the_same_token(bot: Bot, sim: TwilioSimulator) -> None:
    bot.answers["/sms"] = says("hi")
    sim.faults = Faults(drop_connection=1)
    exchange = await sim.phone(ANNA).text(NUMBER, "hi")
    first, second = bot.at("/sms")
    assert first.headers["I-Twilio-Idempotency-Token"] == second.headers["I-Twilio-Idempotency-Token"]
    assert exchange.texts == ["hi"]
    assert [post.error for post in sim.posts[:2]] == [11205, None]


async def test_a_lost_answer_without_retries_is_trouble(bot: Bot, sim: TwilioSimulator) -> None:
    sim.add_number(replace(sim.numbers[NUMBER], webhook_url=f"{bot.url}/sms#rc=0"))
    bot.answers["/sms"] = says("hi")
    sim.faults = Faults(drop_connection=1)
    assert (await sim.phone(ANNA).text(NUMBER, "hi")).texts == []
    assert bot.at("/fallback")[0].form["ErrorCode"] == "11205"


async def test_a_bad_signature_is_bad(bot: Bot, sim: TwilioSimulator) -> None:
    sim.faults = Faults(bad_signature=1)
    await sim.phone(ANNA).text(NUMBER, "hi")
    await sim.phone(ANNA).text(NUMBER, "hi")
    assert [_is_genuine(bot, seen) for seen in bot.at("/sms")] == [False, True]


async def test_numbers_nobody_has_are_refused(sim: TwilioSimulator) -> None:
    with pytest.raises(UnknownNumber, match=r"\+15125550199"):
        await sim.phone(ANNA).text("+15125550199", "hi")
    with pytest.raises(ValueError, match="no phone number"):
        sim.phone("anna")
    with pytest.raises(LookupError, match="does not exist"):
        sim.add_number(Number(number=NUMBER, account_sid="AC9"))
