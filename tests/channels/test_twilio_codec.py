"""Twilio's forms in, TwiML and REST parameters out."""

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.errors import BadRequest
from channels.messages import (
    Address,
    Choice,
    Event,
    Form,
    InboundMessage,
    Location,
    Media,
    Notice,
    OutboundMessage,
    Referral,
    StatusUpdate,
    Template,
    Text,
    Unsupported,
)
from channels.twilio.codec import address_from, address_to, decode, is_whatsapp, rest_parameters, twiml, with_reference
from tests.channels.posts import KEYS, PAYLOADS, form_post, recorded

SM, MM = "SM0123456789abcdef0123456789abcdef", "MM0123456789abcdef0123456789abcdef"
ACCOUNT, SERVICE = "AC00000000000000000000000000000001", "MG00000000000000000000000000000001"
DESK, CUSTOMER = Address("phone", "+15125550100"), Address("phone", "+15551230001")
MEDIA_URL = f"https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT}/Messages/{MM}/Media"
SMS = InboundMessage(SM, CUSTOMER, DESK, (Text("I'd like a haircut on Tuesday"),), provider_account=ACCOUNT)
MMS = replace(SMS, provider_id=MM)
DANA = Address("whatsapp", "+15551234567")
ADVERT = Referral(
    source_url="https://fb.me/x",
    source_type="ad",
    source_id="1234",
    headline="20 % off",
    body="Book now",
    click_id="clid",
)
WHATSAPP = InboundMessage(
    SM, DANA, Address("whatsapp", "+15559876543"), (Text("Hi"),), profile_name="Dana", provider_account=ACCOUNT
)

DELIVERED = StatusUpdate(MM, "delivered", sender=DESK, provider_account=ACCOUNT)
READ = replace(DELIVERED, status="read", sender=Address("whatsapp", "+15559876543"))

SMS_EXPECTED: dict[str, Event] = {
    "sms_text": SMS,
    "sms_empty": replace(SMS, parts=(Text(""),)),
    "sms_unicode": replace(SMS, parts=(Text("Grüße 👩‍👩‍👧\nשלום\u200f & <b>hi</b>"),)),
    "sms_nul_and_surrogate": replace(SMS, parts=(Text("a\ufffdb\ufffd\ufffd\ufffdc"),)),
    "sms_messaging_service": replace(SMS, provider_service=SERVICE),
    "sms_stop_advanced": replace(
        SMS, parts=(Text("Stop"),), opt_out="stop", answered_by_provider=True, provider_service=SERVICE
    ),
    "sms_help_advanced": replace(
        SMS, parts=(Text("HELP"),), opt_out="help", answered_by_provider=True, provider_service=SERVICE
    ),
    "sms_stop_default": replace(SMS, parts=(Text("STOP"),)),
    "sms_short_code": replace(SMS, sender=Address("phone", "24273")),
    "sms_sender_name": replace(SMS, sender=Address("phone", "MY BANK")),
    "sms_full_width_digits": SMS,
    "mms_two_files": replace(
        MMS,
        parts=(
            Text("The leak"),
            Media("image", url=f"{MEDIA_URL}/ME1", content_type="image/jpeg"),
            Media("document", url=f"{MEDIA_URL}/ME2", content_type="text/vcard"),
        ),
    ),
    "mms_file_lost": replace(MMS, parts=(Media("document"),)),
    "sms_long_as_file": replace(
        MMS,
        parts=(
            Text("I would like to"),
            Media("document", url=f"{MEDIA_URL}/ME1", content_type="text/plain", written=True),
        ),
    ),
    "sms_start_advanced": replace(
        SMS, parts=(Text("Start"),), opt_out="start", answered_by_provider=True, provider_service=SERVICE
    ),
    **dict.fromkeys(("status_accepted", "status_scheduled", "status_queued"), replace(DELIVERED, status="queued")),
    "status_sending": replace(DELIVERED, status="sending"),
    **dict.fromkeys(("status_sent", "status_partially_delivered"), replace(DELIVERED, status="sent")),
    "status_delivered": DELIVERED,
    "status_delivered_raw": replace(DELIVERED, provider_service=SERVICE),
    "status_canceled": replace(DELIVERED, status="canceled"),
    "status_failed": replace(
        DELIVERED, status="failed", error_code="21610", error_text="Attempt to send to unsubscribed recipient"
    ),
    "status_undelivered": StatusUpdate(
        MM,
        "undelivered",
        error_code="30003",
        error_text="Unreachable destination handset",
        sender=Address("phone", "+15125550100"),
        provider_account=ACCOUNT,
    ),
    "status_unknown": Notice(Address("phone", "+15125550100"), ACCOUNT),
}
WHATSAPP_EXPECTED: dict[str, Event] = {
    "text": WHATSAPP,
    "voice_note": replace(
        WHATSAPP,
        provider_id=MM,
        parts=(Media("audio", url="https://api.twilio.com/voice", content_type="audio/ogg", voice=True),),
    ),
    "button": replace(WHATSAPP, parts=(Choice("confirm:ap_31", "Confirm"),), reply_to=MM),
    "list": replace(WHATSAPP, parts=(Choice("slot:2026-03-03T15:00", "Tue 3 pm", source="list"),)),
    "flow": replace(WHATSAPP, parts=(Form(text="Sent", data={"party": 4, "name": "Da\ufffdna"}),)),
    "location": replace(WHATSAPP, parts=(Location(40.7812, -73.9665, "Central Park", "New York"),)),
    "other_number": replace(
        WHATSAPP,
        sender=Address("whatsapp", "+5511987654321"),
        other_identities=(Address("whatsapp", "+551187654321"),),
    ),
    "no_number": replace(WHATSAPP, sender=Address("bsuid", "US.1234567890")),
    "forwarded": replace(WHATSAPP, forwarded=True, frequently_forwarded=True),
    "from_advert": replace(
        WHATSAPP,
        referral=ADVERT,
    ),
    "unknown_kind": replace(WHATSAPP, parts=(Unsupported("hologram"),)),
    "unsupported": replace(WHATSAPP, parts=(Unsupported("unsupported"),)),
    "image_with_caption": replace(
        WHATSAPP,
        provider_id=MM,
        parts=(Text("The leak"), Media("image", url=f"{MEDIA_URL}/ME1", content_type="image/jpeg")),
    ),
    "video": replace(
        WHATSAPP,
        provider_id=MM,
        parts=(Text("How it drips"), Media("video", url=f"{MEDIA_URL}/ME1", content_type="video/mp4")),
    ),
    "document": replace(
        WHATSAPP, provider_id=MM, parts=(Media("document", url=f"{MEDIA_URL}/ME1", content_type="image/png"),)
    ),
    "sticker": replace(
        WHATSAPP, provider_id=MM, parts=(Media("sticker", url=f"{MEDIA_URL}/ME1", content_type="image/webp"),)
    ),
    "contact_card": replace(
        WHATSAPP, provider_id=MM, parts=(Media("document", url=f"{MEDIA_URL}/ME1", content_type="text/vcard"),)
    ),
    "quoted": replace(WHATSAPP, parts=(Text("Yes, that one"),), reply_to=MM),
    "user_id": replace(WHATSAPP, other_identities=(Address("bsuid", "US.1234567890"),)),
    "interactive_data": replace(
        WHATSAPP,
        parts=(Form(data={"type": "flow", "pages": [{"items": [{"label": "Party", "value": 4}]}]}),),
    ),
    "location_bare": replace(WHATSAPP, parts=(Location(-33.8688, 151.2093),)),
    "template_button": replace(WHATSAPP, parts=(Choice("confirm", "Confirm", source="template"),), reply_to=MM),
    "status_window_closed": StatusUpdate(
        MM,
        "undelivered",
        error_code="63016",
        error_text="Failed to send freeform message because you are outside the allowed window.",
        sender=Address("whatsapp", "+15559876543"),
        provider_account=ACCOUNT,
    ),
    "audio_file": replace(
        WHATSAPP, provider_id=MM, parts=(Media("audio", url="https://api.twilio.com/voice", content_type="audio/mpeg"),)
    ),
    "from_advert_with_picture": replace(
        WHATSAPP,
        referral=replace(ADVERT, media_url="https://scontent.example/1.jpg", media_type="image/jpeg"),
    ),
    "status_sent": replace(READ, status="sent"),
    "status_delivered": replace(READ, status="delivered"),
    "status_read": READ,
    "status_failed": replace(READ, status="failed", error_code="63024", error_text="Invalid message recipient"),
}
EXPECTED = {("twilio", name): event for name, event in SMS_EXPECTED.items()} | {
    ("twilio_whatsapp", name): event for name, event in WHATSAPP_EXPECTED.items()
}


@pytest.mark.parametrize(
    ("vendor", "name"), sorted((path.parent.name, path.stem) for path in PAYLOADS.glob("twilio*/*.json"))
)
def test_a_recorded_form_becomes_its_event(vendor: str, name: str) -> None:
    request = form_post(recorded(vendor, name))
    assert is_whatsapp(request) == (vendor == "twilio_whatsapp")
    (event,) = decode(request)
    assert replace(event, raw={}) == EXPECTED[vendor, name]
    assert event.raw.keys() == recorded(vendor, name).keys()


PLAIN = {"NumMedia": "1", "MediaUrl0": f"{MEDIA_URL}/ME1", "MediaContentType0": "text/plain; charset=utf-8"}


@pytest.mark.parametrize(
    ("changes", "is_written"),
    [
        ({}, True),
        ({"Body": "the beginning"}, True),
        ({"MediaContentType0": "text/vcard"}, False),
        ({"MediaUrl0": ""}, False),
        ({"NumMedia": "2", "MediaUrl1": f"{MEDIA_URL}/ME2", "MediaContentType1": "image/png"}, False),
        ({"Latitude": "1", "Longitude": "1"}, False),
        ({"From": "whatsapp:+15551234567", "To": "whatsapp:+15559876543"}, False),
    ],
)
def test_the_one_text_file_of_an_mms_holds_what_they_wrote(changes: dict[str, str], is_written: bool) -> None:
    (message,) = decode(form_post({**recorded("twilio", "sms_text"), "Body": "", **PLAIN, **changes}))
    assert isinstance(message, InboundMessage)
    assert [part.written for part in message.parts if isinstance(part, Media)][:1] == [is_written]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"MessageSid": "", "SmsSid": ""}, "MessageSid"),
        ({"MessageSid": "SM" + "0" * 80}, "MessageSid"),
        ({"MessageSid": f"{SM}NumMedia0"}, "MessageSid"),
        ({"MessageSid": "SM\x00"}, "MessageSid"),
        ({"MessageSid": "'; DROP TABLE messages; --"}, "MessageSid"),
        ({"From": ""}, "From"),
        ({"From": "<script>"}, "From"),
        ({"From": "messenger:1234"}, "From"),
        ({"From": "+0123456789"}, "From"),
        ({"From": "+1555123000155512300015551230001"}, "From"),
        ({"To": "+1512\x00550100"}, "To"),
        ({"NumMedia": "many"}, "NumMedia"),
        ({"NumMedia": "-1"}, "NumMedia"),
        ({"NumMedia": "²"}, "NumMedia"),
        ({"NumMedia": "9" * 5000}, "NumMedia"),
        ({"MessageStatus": "sent", "MessageSid": "x", "SmsSid": "x"}, "MessageSid"),
    ],
)
def test_a_wrong_form_is_refused_by_the_name_of_its_field(changes: dict[str, str], field: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        decode(form_post({**recorded("twilio", "sms_text"), **changes}))
    assert refusal.value.field == field


@pytest.mark.parametrize(
    "data", ["", "{", "[]", "null", "NaN", '{"a":' * 40 + "1" + "}" * 40, "[" * 100_000, '"\\ud800"', "1e999"]
)
def test_a_broken_flow_answer_is_kept_as_text_or_value(data: str) -> None:
    (event,) = decode(form_post({**recorded("twilio_whatsapp", "text"), "FlowData": data or " ", "Body": ""}))
    assert isinstance(event, InboundMessage)
    assert isinstance(event.parts[0], Form)


@pytest.mark.parametrize(
    "place",
    [{"Latitude": "91", "Longitude": "0"}, {"Latitude": "nan", "Longitude": "0"}, {"Latitude": "1"}, {"Longitude": ""}],
)
def test_a_place_that_is_nowhere_is_kept_beside_what_they_wrote(place: dict[str, str]) -> None:
    (event,) = decode(form_post({**recorded("twilio_whatsapp", "text"), **place}))
    assert isinstance(event, InboundMessage)
    assert event.parts == (Text("Hi"), Unsupported("location"))
    assert event.raw.items() >= place.items()


def test_a_status_finds_its_message_by_the_reference_in_its_url() -> None:
    url = with_reference("/webhooks/twilio/status?tenant=1", "out/7 ü")
    (update,) = decode(form_post(recorded("twilio", "status_delivered"), url))
    assert isinstance(update, StatusUpdate)
    assert update.reference == "out/7 ü"


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("+15551230001", Address("phone", "+15551230001")),
        (" 15551230001", Address("phone", "+15551230001")),
        ("+1 (555) 123-0001", Address("phone", "+15551230001")),
        ("\u200e+15551230001\u202c", Address("phone", "+15551230001")),
        ("+٩٧١٥٠١٢٣٤٥٦٧", Address("phone", "+971501234567")),
        ("whatsapp:+15551230001", Address("whatsapp", "+15551230001")),
        ("WhatsApp:15551230001", Address("whatsapp", "+15551230001")),
        ("whatsapp:US.13491208655302741918", Address("bsuid", "US.13491208655302741918")),
        ("72345", Address("phone", "72345")),
        ("Frontdesk", Address("phone", "Frontdesk")),
        ("whatsapp:", None),
        ("whatsapp:hello", None),
        ("rcs:brand", None),
        ("12", None),
        ("A name too long", None),
        ("+" + "1" * 16, None),
        ("", None),
    ],
)
def test_an_address_has_one_canonical_form(written: str, address: Address | None) -> None:
    assert address_from(written) == address


@given(st.text(max_size=40) | st.from_regex(r"(whatsapp:)?\+?[0-9 ()-]{3,18}", fullmatch=True))
def test_a_canonical_address_is_its_own_canonical_form(written: str) -> None:
    if address := address_from(written):
        assert address_from(address_to(address)) == address


@pytest.mark.parametrize(
    ("messages", "status_url", "expected"),
    [
        ([], "", "<Response/>"),
        ([OutboundMessage()], "https://a.b/s", "<Response/>"),
        ([OutboundMessage("hi")], "", "<Response><Message><Body>hi</Body></Message></Response>"),
        (
            [OutboundMessage("a", reference="1"), OutboundMessage("b", reference="2")],
            "https://a.b/s",
            '<Response><Message action="https://a.b/s?ref=1"><Body>a</Body></Message>'
            '<Message action="https://a.b/s?ref=2"><Body>b</Body></Message></Response>',
        ),
        (
            [OutboundMessage("look", media=(Media("image", url="https://a.b/c?x=1&y=2"),), reference="1")],
            "https://a.b/s?t=1",
            '<Response><Message action="https://a.b/s?t=1&amp;ref=1"><Body>look</Body>'
            "<Media>https://a.b/c?x=1&amp;y=2</Media></Message></Response>",
        ),
        (
            [OutboundMessage("</Body></Message><Message to='+1900'>&lt;\x00\ud800")],
            "",
            "<Response><Message><Body>&lt;/Body&gt;&lt;/Message&gt;&lt;Message to='+1900'&gt;&amp;lt;\ufffd\ufffd"
            "</Body></Message></Response>",
        ),
    ],
)
def test_twiml_says_exactly_this(messages: list[OutboundMessage], status_url: str, expected: str) -> None:
    assert twiml(messages, status_url=status_url).decode() == '<?xml version="1.0" encoding="UTF-8"?>' + expected


@given(st.lists(st.builds(OutboundMessage, st.text(), reference=st.text()), max_size=3))
def test_no_text_breaks_the_twiml(messages: list[OutboundMessage]) -> None:
    root = ET.fromstring(twiml(messages, status_url="https://a.b/s"))
    spoken = [message for message in messages if message.text.strip()]
    assert [child.tag for child in root] == ["Message"] * len(spoken)
    assert all(list(child.attrib) == ["action"] and len(child) == 1 for child in root)


def test_rest_parameters_carry_the_message() -> None:
    message = OutboundMessage("hi", media=(Media("image", url="https://a.b/c"),), reference="7")
    assert rest_parameters(message, to=CUSTOMER, sender=DESK, keys=KEYS, status_url="https://a.b/s") == {
        "to": "+15551230001",
        "from_": "+15125550100",
        "body": "hi",
        "media_url": ["https://a.b/c"],
        "status_callback": "https://a.b/s?ref=7",
    }
    template = OutboundMessage("Hi Dana", template=Template("HX1", variables={"1": "Dana"}))
    pool = replace(KEYS, service_id=SERVICE, shortens_links=True)
    assert rest_parameters(template, to=DANA, sender=DESK, keys=pool) == {
        "to": "whatsapp:+15551234567",
        "messaging_service_sid": SERVICE,
        "shorten_urls": True,
        "content_sid": "HX1",
        "content_variables": '{"1":"Dana"}',
    }
    held = rest_parameters(template, to=DANA, sender=DESK, keys=replace(pool, keeps_sender=True))
    assert (held["from_"], held["messaging_service_sid"]) == ("+15125550100", SERVICE)
    place = OutboundMessage(location=Location(52.1, 4.3, "Shop"))
    assert rest_parameters(place, to=Address("bsuid", "US.1"), sender=DANA, keys=KEYS) == {
        "to": "whatsapp:US.1",
        "from_": "whatsapp:+15551234567",
        "persistent_action": ["geo:52.1,4.3|Shop"],
        "body": "Shop",
    }
