"""WhatsApp by REST: buttons, lists, places and templates, by the real SDK against the simulated network."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from random import Random

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.base import AccountKeys
from channels.errors import SendError
from channels.messages import Address, Link, Location, Media, Option, OutboundMessage, Template
from channels.render import in_template, render
from channels.twilio import content
from channels.twilio.client import TwilioClient
from channels.twilio.sms import SmsAdapter
from channels.twilio.whatsapp import CAPABILITIES, WhatsAppAdapter
from simulators.clock import HandClock
from simulators.twilio import Account, Choice, Content, Faults, Number, Phone, TwilioSimulator, contents

KEYS = AccountKeys("AC00000000000000000000000000000001", ("the-token",), "https://desk.example.com")
DESK, DANA = Address("whatsapp", "+15125550101"), Address("whatsapp", "+15551234567")
SERVICE = "MG" + "1" * 32
YES_NO = (Option("confirm:1", "Yes"), Option("confirm:0", "No"))
ROWS = tuple(Option(f"time:{hour}", f"{hour} o'clock", "with Maya" if hour % 2 else "") for hour in range(1, 6))


@pytest.fixture
def hand_clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def sim(hand_clock: HandClock) -> AsyncIterator[TwilioSimulator]:
    sms = Number(number="+15125550100", account_sid=KEYS.account_id, messaging_service_sid=SERVICE)
    async with TwilioSimulator(
        accounts=[Account(sid=KEYS.account_id, auth_token="the-token", api_keys={"SK1": "the-key"})],
        numbers=[Number(number="whatsapp:+15125550101", account_sid=KEYS.account_id), sms],
        clock=hand_clock,
        sleep=hand_clock.sleep,
        rng=Random(1),
    ) as network:
        network.heard_at["whatsapp:+15125550101", "whatsapp:+15551234567"] = hand_clock.now
        yield network
        await network.settled()


@pytest.fixture
def dana(sim: TwilioSimulator) -> Phone:
    return sim.phone("whatsapp:+15551234567")


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as running:
        yield running


@pytest.fixture
def whatsapp(sim: TwilioSimulator, session: aiohttp.ClientSession) -> WhatsAppAdapter:
    return WhatsAppAdapter(TwilioClient(session, api_base=sim.url))


async def _send(adapter: WhatsAppAdapter, message: OutboundMessage, keys: AccountKeys = KEYS) -> None:
    for piece in render(message, CAPABILITIES):
        await adapter.send(piece, to=DANA, sender=DESK, keys=keys)


def _template(sim: TwilioSimulator, name: str, language: str) -> None:
    sid = f"HX{len(sim.contents):032x}"
    types = {"twilio/text": {"body": f"{language}: hello {{{{1}}}}"}}
    sim.contents[sid] = Content(
        sid=sid,
        account_sid=KEYS.account_id,
        friendly_name=name,
        language=language,
        variables={"1": "you"},
        types=types,
        created_at=sim.clock(),
        is_approved=True,
    )


async def test_everything_that_twiml_cannot_say_arrives(
    whatsapp: WhatsAppAdapter, sim: TwilioSimulator, dana: Phone
) -> None:
    await _send(whatsapp, OutboundMessage("A haircut.\n\nTuesday\tat 3:     shall I?", choices=YES_NO))
    await _send(whatsapp, OutboundMessage("When?", choices=ROWS, style="list", menu="Choose"))
    await _send(
        whatsapp, OutboundMessage("Here we are", location=Location(30.26, -97.74, "Juniper", "2118 Juniper St"))
    )
    await _send(whatsapp, OutboundMessage("Listen", media=(Media("audio", url="https://a.b/c.ogg"),)))
    await _send(whatsapp, OutboundMessage("Look", media=(Media("image", url="https://a.b/c.png"),)))
    await _send(whatsapp, OutboundMessage("Our offer", media=(Media("document", url="https://a.b/c.pdf"),)))
    for visit in ("1", "2"):
        await _send(whatsapp, OutboundMessage("Booked.\nSee you!", link=Link("Save it", f"https://a.b/visits/{visit}")))
    await sim.settled()
    buttons, picker, place, words, audio, listen, image, document, offer, *links = dana.inbox
    assert [(one.body, *one.shown.links) for one in links] == [
        ("Booked.\nSee you!", ("Save it", "https://a.b/visits/1")),
        ("Booked.\nSee you!", ("Save it", "https://a.b/visits/2")),
    ]
    assert len([one for one in sim.contents.values() if "call-to-action" in one.friendly_name]) == 1
    assert buttons.body == "A haircut.\n\nTuesday at 3: shall I?"
    assert buttons.choices == (Choice("confirm:1", "Yes"), Choice("confirm:0", "No"))
    assert (picker.body, picker.shown.menu) == ("When?", "Choose")
    assert [(row.id, row.title, row.description) for row in picker.shown.rows[:2]] == [
        ("time:1", "1 o'clock", "with Maya"),
        ("time:2", "2 o'clock", ""),
    ]
    assert (place.body, place.shown.place) == ("Juniper", "geo:30.26,-97.74|2118 Juniper St")
    assert (words.body, audio.body, audio.media_urls, listen.body) == (
        "Here we are",
        "",
        ("https://a.b/c.ogg",),
        "Listen",
    )
    assert (image.body, image.media_urls) == ("Look", ("https://a.b/c.png",))
    assert (document.body, document.media_urls, offer.body) == ("", ("https://a.b/c.pdf",), "Our offer")


async def test_a_shape_is_made_once_whoever_wants_it_and_again_when_it_was_tidied_away(
    whatsapp: WhatsAppAdapter, sim: TwilioSimulator, dana: Phone, session: aiohttp.ClientSession
) -> None:
    other_process = WhatsAppAdapter(TwilioClient(session, api_base=sim.url))
    for adapter in (whatsapp, other_process):
        for text in ("Shall I book it?", "Shall I move it?"):
            await _send(adapter, OutboundMessage(text, choices=YES_NO))
    (made,) = sim.contents.values()
    assert made.friendly_name.startswith("frontdesk-quick-reply-")
    sim.contents.clear()
    await _send(whatsapp, OutboundMessage("Shall I?", choices=YES_NO))
    await sim.settled()
    assert len(sim.contents) == 1
    assert len(dana.inbox) == 5


async def test_templates_are_found_by_name_and_language(
    whatsapp: WhatsAppAdapter, sim: TwilioSimulator, dana: Phone, hand_clock: HandClock
) -> None:
    await hand_clock.advance(30 * 3600)
    for language in ("en", "pt_BR"):
        _template(sim, "hello", language)
    for language, variables in (("pt-BR", {"1": "Ana\n"}), ("en_GB", {"1": " "}), ("", {})):
        await _send(whatsapp, OutboundMessage("x", template=Template("hello", language, variables)))
    await _send(whatsapp, OutboundMessage("x", template=Template(next(iter(sim.contents)), variables={"1": "Jo"})))
    await sim.settled()
    assert [text.body for text in dana.inbox] == ["pt_BR: hello Ana", "en: hello you", "en: hello you", "en: hello Jo"]
    await _send(whatsapp, OutboundMessage("Shall I?", choices=YES_NO))
    listed = await whatsapp.templates(KEYS)
    assert [(one.name, one.language, one.status, one.variables) for one in listed] == [
        ("hello", "en", "APPROVED", ("1",)),
        ("hello", "pt_BR", "APPROVED", ("1",)),
    ]
    assert listed[0].text == "en: hello {{1}}"
    for name, language, code in (("hello", "fr", "63027"), ("nothing", "en", ""), (f"HX{9:032x}", "", "21655")):
        with pytest.raises(SendError) as trouble:
            await _send(whatsapp, OutboundMessage("x", template=Template(name, language)))
        assert (trouble.value.code, trouble.value.kind) == (code, "config")


async def test_trouble_before_the_message_is_no_unclear_message(
    whatsapp: WhatsAppAdapter,
    sim: TwilioSimulator,
    session: aiohttp.ClientSession,
    dana: Phone,
    hand_clock: HandClock,
) -> None:
    question = OutboundMessage("Shall I?", choices=YES_NO)
    impatient = WhatsAppAdapter(TwilioClient(session, api_base=sim.url, timeout_s=0.2))
    for faults, adapter in (
        (Faults(rest_500=1), whatsapp),
        (Faults(rest_hang=1), impatient),
        (Faults(rest_429=1), whatsapp),
    ):
        sim.faults = faults
        with pytest.raises(SendError) as trouble:
            await _send(adapter, question)
        assert trouble.value.kind == "retry"
    await _send(whatsapp, question)
    await hand_clock.advance(60)
    tried_at, sim.faults = hand_clock.now, Faults(accept_but_reset=1)
    with pytest.raises(SendError) as trouble:
        await _send(whatsapp, question)
    assert trouble.value.kind == "unclear"
    again = await whatsapp.send(question, to=DANA, sender=DESK, keys=KEYS, tried_at=tried_at)
    await sim.settled()
    assert again.provider_id == list(sim.messages)[-1]
    assert len(dana.inbox) == 2


async def test_somebody_is_seen_to_write(whatsapp: WhatsAppAdapter, sim: TwilioSimulator, dana: Phone) -> None:
    asked = await dana.text("whatsapp:+15125550101", "Hello?")
    await whatsapp.show_typing(asked.message.sid, sender=DESK, keys=replace(KEYS, user="SK1", password="the-key"))
    assert (dana.ticked, dana.typing_since) == ([asked.message.sid], sim.clock())
    with pytest.raises(SendError):
        await whatsapp.show_typing("SM" + "9" * 32, sender=DESK, keys=KEYS)


async def test_outside_the_window_the_provider_tells_later_and_the_sandbox_too(
    whatsapp: WhatsAppAdapter, sim: TwilioSimulator, dana: Phone, hand_clock: HandClock
) -> None:
    await hand_clock.advance(timedelta(hours=24).total_seconds())
    await _send(whatsapp, OutboundMessage("Hello?"))
    await sim.settled()
    sim.heard_at["whatsapp:+15125550101", dana.number] = hand_clock.now
    sim.add_number(replace(sim.numbers["whatsapp:+15125550101"], is_sandbox=True))
    await _send(whatsapp, OutboundMessage("Hello?"))
    await sim.settled()
    sim.joined.add(dana.number)
    await _send(whatsapp, OutboundMessage("Hello!"))
    await sim.settled()
    assert [message.error_code for message in sim.messages.values()] == [63016, 63015, None]
    kinds = [whatsapp.explain(code).kind for code in ("63016", "63015", "30034", "30032")]
    assert kinds == ["window", "config", "config", "config"]
    assert [text.body for text in dana.inbox] == ["Hello!"]


async def test_a_pool_shortens_links_where_the_account_wants_it_and_they_are_known_again(
    sim: TwilioSimulator, session: aiohttp.ClientSession, hand_clock: HandClock
) -> None:
    sms = SmsAdapter(TwilioClient(session, api_base=sim.url))
    phone, words = sim.phone("+15551230001"), "It\u2019s here \u2013 https://juniper.example/visits/1?x=2 for you"
    ours = Address("phone", "+15125550100")
    send = partial(sms.send, OutboundMessage(words), to=Address("phone", phone.number), sender=ours)
    keys = replace(KEYS, service_id=SERVICE)
    await send(keys=keys)
    keys = replace(keys, shortens_links=True)
    await send(keys=keys)
    await hand_clock.advance(3600)
    # What is written there by now is not what we have written, and is known all the same.
    tried_at, sim.faults = hand_clock.now, Faults(accept_but_reset=1)
    with pytest.raises(SendError):
        await send(keys=keys)
    again = await send(keys=keys, tried_at=tried_at)
    await sim.settled()
    assert again.provider_id == list(sim.messages)[-1]
    plain, *short = phone.inbox
    assert "https://juniper.example/visits/1?x=2" in plain.body
    assert [one.body.startswith("It's here - https://twl.ink/") for one in short] == [True, True]


words = st.text(max_size=80) | st.sampled_from(
    ["", " ", "\n", "\t", "a\r\nb", "     ", "{{1}}", "\x00", "x" * 3000, "\u2028"]
)
titles = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=60)
ids = st.text(st.characters(codec="ascii", exclude_categories=("C", "Z")), min_size=1, max_size=60)
options = st.lists(st.builds(Option, ids, titles, words), min_size=1, max_size=12)


links = st.builds(Link, words | titles, st.sampled_from(["https://a.b", "http://a.b/", "https://a.b/c.ics?d=e#f"]))


@given(
    text=words,
    options=options | st.just([]),
    menu=words,
    style=st.sampled_from(["auto", "buttons", "list"]),
    link=links,
)
def test_whatever_is_asked_fits_twilios_rules(
    text: str, options: list[Option], menu: str, style: str, link: Link
) -> None:
    message = OutboundMessage(text, choices=tuple(options), style=style, menu=menu, link=link)  # type: ignore[arg-type]
    for piece in render(message, CAPABILITIES):
        if (shaped := content.of(piece)) is None:
            continue
        shape, words = shaped
        assert shape.name == content.Shape(shape.types, {}).name
        name, language, examples, types = contents.check(shape.to_json())
        filled = contents.fill(
            Content(
                sid="HX",
                account_sid="AC",
                friendly_name=name,
                language=language,
                variables=examples,
                types=types,
                created_at=HandClock().now,
            ),
            contents.read_variables(content.as_json(words)),
        )
        assert contents.is_within_limits(filled), filled
        assert len(filled.shown.buttons or filled.shown.rows) == len(piece.choices)
        assert [url for _, url in filled.shown.links] == ([piece.link.url] if piece.link else [])


@given(text=words, options=options)
def test_all_words_fit_into_one_line_of_a_template(text: str, options: list[Option]) -> None:
    message = OutboundMessage(text, choices=tuple(options), media=(Media("image", url="https://a.b/c.png"),))
    said = in_template(message, CAPABILITIES, Template("HX1", "en", {"1": "", "2": "fixed"}))
    assert said.template is not None
    assert said.template.variables["2"] == "fixed"
    assert len(said.template.variables["1"].splitlines()) <= 1
    assert len(said.template.variables["1"]) <= 900
    assert render(said, CAPABILITIES) == (said,)
