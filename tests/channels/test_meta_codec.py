"""Meta's JSON in, the body of a request out."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.base import AccountKeys, Request
from channels.errors import BadRequest, SendError
from channels.messages import (
    Address,
    Billing,
    Choice,
    Contact,
    Echo,
    Edit,
    Event,
    Form,
    InboundMessage,
    Link,
    ListedTemplate,
    Location,
    Media,
    Notice,
    Option,
    Order,
    OrderItem,
    OutboundMessage,
    Part,
    Reaction,
    Referral,
    Revoke,
    StatusUpdate,
    System,
    Template,
    Text,
    Trouble,
    Unsupported,
)
from channels.meta.codec import claimed_account, decode, encode
from channels.meta.errors import explain
from channels.meta.signing import challenge, is_from_meta, signature
from channels.meta.templates import decode as decode_template
from channels.meta.whatsapp import CAPABILITIES
from channels.render import render
from tests.channels.posts import PAYLOADS, hub_post, recorded

AT = datetime(2026, 1, 1, tzinfo=UTC)
WABA = "102290129340398"
DESK, DANA = Address("whatsapp", "106540352242922"), Address("whatsapp", "+15551234567")
USER = Address("bsuid", "US.13491208655302741918")
PARENT = Address("bsuid", "US.ENT.11815799212886844830")
TEXT = InboundMessage(
    "wamid.", DANA, DESK, (Text("Hi"),), profile_name="Dana", sent_at=AT, provider_account=WABA
)  # fmt: skip
STATUS = StatusUpdate(
    "wamid.OURS1", "sent", at=AT.replace(second=5), sender=DESK, provider_account=WABA
)  # fmt: skip


def _of(name: str, *parts: Part, **more: Any) -> InboundMessage:
    """The message whose id ends like that, with these parts."""
    return replace(TEXT, provider_id=f"wamid.{name}", parts=parts, **more)


EXPECTED: dict[str, Event] = {
    "text": _of("HBgLMTU1NTEyMzQ1NjcVAgASGBQzQTdEAA==", Text("I'd like a haircut on Tuesday")),
    "text_unicode": _of("U1", Text("Grüße 👩‍👩‍👧\nשלום\u200f & <b>hi</b>")),
    "text_nul_and_surrogate": _of("U2", Text("a\ufffdb")),
    "image": _of(
        "M1",
        Media(
            "image",
            media_id="1003383421387256",
            content_type="image/jpeg",
            caption="The leak",
            sha256="29ZQ7Q5z6zq2mEoLq9gN2d3kqdp2Yd2F0yJg8y2s0XA=",
        ),
    ),
    "video": _of("M2", Media("video", media_id="1003383421387257", content_type="video/mp4", sha256="x1")),
    "voice": _of(
        "M3",
        Media("audio", media_id="1003383421387258", content_type="audio/ogg; codecs=opus", voice=True, sha256="x2"),
    ),
    "audio": _of("M4", Media("audio", media_id="1003383421387259", content_type="audio/mpeg", sha256="x3")),
    "document": _of(
        "M5",
        Media(
            "document",
            media_id="1003383421387260",
            content_type="application/pdf",
            name="../../plan.pdf",
            caption="The plan",
            sha256="x4",
        ),
    ),
    "sticker": _of(
        "M6", Media("sticker", media_id="1003383421387261", content_type="image/webp", animated=True, sha256="x5")
    ),
    "media_lost": _of("M7", Media("image", content_type="image/jpeg")),
    "location": _of("L1", Location(40.7812, -73.9665, "Central Park", "New York", "https://foursquare.com/v/1")),
    "location_pin": _of("L2", Location(52.1, 4.3)),
    "contacts": _of(
        "C1",
        Contact("Ben Hill", ("+1 555-123-0002", "555 0100"), ("+15551230002",), ("ben@example.com",)),
        Contact("Nobody"),
    ),
    "button_reply": _of("I1", Choice("confirm:ap_31", "Confirm"), reply_to="wamid.OURS1"),
    "list_reply": _of(
        "I2", Choice("slot:2026-03-03T15:00", "Tue 3 pm", "with Anna", source="list"), reply_to="wamid.OURS2"
    ),
    "flow": _of("I3", Form("flow", "Sent", {"party": 4, "name": "Da\ufffdna"}), reply_to="wamid.OURS3"),
    "flow_broken": _of("I4", Form("flow", "Sent")),
    "interactive_unknown": _of("I5", Unsupported("interactive call_permission_reply")),
    "template_button": _of("B1", Choice("confirm", "Confirm", source="template"), reply_to="wamid.OURS4"),
    "reaction": _of("R1", Reaction("wamid.OURS5", "👍🏽")),
    "reaction_removed": _of("R2", Reaction("wamid.OURS5")),
    "order": _of(
        "O1",
        Order(
            "194836987003835",
            "Please by Friday",
            (OrderItem("wax-1", 2, "12.5", "USD"), OrderItem("comb", 1, "3", "USD")),
        ),
    ),
    "edit": _of("E1", Edit("wamid.HERS1", "At four, I meant")),
    "edit_caption": _of("E2", Edit("wamid.HERS2", "The other leak")),
    "revoke": _of("E3", Revoke("wamid.HERS1")),
    "number_changed": _of(
        "S1",
        System(
            "number_changed",
            "User A changed from 15551234567 to 15551230009",
            Address("whatsapp", "+15551230009"),
        ),
        profile_name="",
    ),
    "user_id_changed": _of(
        "S3",
        System("user_changed_user_id", f"User Dana changed from {USER.value} to US.777"),
        sender=Address("bsuid", "US.777"),
        other_identities=(USER,),
        profile_name="",
    ),
    "identity_changed": _of("S2", System("customer_identity_changed", "Dana's security code changed"), profile_name=""),
    "welcome": _of("S2", System("welcome")),
    "unsupported": _of("X1", Unsupported("unsupported", "131051")),
    "unsupported_named": _of("X2", Unsupported("poll_creation", "131051")),
    "unknown_type": _of("X3", Unsupported("hologram")),
    "location_broken": _of("X4", Unsupported("location")),
    "quote": _of("Q1", Text("This one"), reply_to="wamid.OURS6"),
    "forwarded": _of("Q2", Text("Chain letter"), forwarded=True, frequently_forwarded=True),
    "from_advert": _of(
        "A1",
        Text("Hi"),
        referral=Referral(
            source_url="https://fb.me/x",
            source_type="ad",
            source_id="1234",
            headline="20 % off",
            body="Book now",
            media_url="https://scontent.example/1.jpg",
            media_type="image",
            click_id="clid",
        ),
    ),
    "no_number": _of("N1", Text("Hi"), sender=USER, other_identities=(PARENT,)),
    "number_and_user_id": _of("N2", Text("Hi"), other_identities=(USER, PARENT)),
    "user_name_only": _of("N3", Text("Hi"), sender=USER, profile_name="@dana"),
    "group": Notice(DESK, WABA),
    "status_sent": replace(
        STATUS, reference="019a0000-0000-7000-8000-000000000000", billing=Billing(is_billable=False, category="service")
    ),
    "status_delivered": replace(STATUS, status="delivered", billing=Billing(is_billable=True, category="utility")),
    "status_read": replace(STATUS, status="read", recipient=(DANA, USER)),
    "status_played": replace(STATUS, status="read"),
    "status_deleted": Notice(DESK, WABA),
    "status_failed": replace(STATUS, status="failed", error_code="131047", error_text="Re-engagement message"),
    "echo": Echo(
        "wamid.PHONE1",
        DESK,
        DANA,
        (Text("I'll do it myself"),),
        sent_at=AT.replace(second=10),
        provider_account=WABA,
    ),
    "echo_image": Echo(
        "wamid.PHONE2",
        DESK,
        DANA,
        (Media("image", media_id="99", content_type="image/jpeg", caption="Like this?", sha256="x"),),
        sent_at=AT.replace(second=11),
        provider_account=WABA,
    ),
    "status_of_user_id": STATUS,
    "template_status": Notice(None, WABA),
    "template_category": Notice(None, WABA),
    "account_update": Notice(None, WABA),
    "account_alert": Notice(None, WABA),
    "number_quality": Notice(Address("whatsapp", "+15559876543"), WABA),
    "number_name": Notice(Address("whatsapp", "+15559876543"), WABA),
    "account_errors": Trouble(DESK, "130429", provider_account=WABA),
}


@pytest.mark.parametrize("name", sorted({path.stem for path in (PAYLOADS / "meta").glob("*.json")} - {"batch"}))
def test_a_recorded_request_becomes_its_event(name: str) -> None:
    request = hub_post(recorded("meta", name))
    (event,) = decode(request)
    assert replace(event, raw={}) == EXPECTED[name]
    assert claimed_account(request) == WABA
    if "field" in event.raw:  # nothing that we know: all of it is kept
        assert event.raw["value"]
    else:
        assert event.raw["metadata"] == {"display_phone_number": "15559876543", "phone_number_id": DESK.value}
        (one,) = {*event.raw} & {"messages", "statuses", "message_echoes", "errors"}
        assert len(event.raw[one]) == 1  # type: ignore[arg-type]  # a list


def test_a_batch_keeps_its_order_and_what_is_wrong_in_it_touches_nothing_else() -> None:
    events = decode(hub_post(recorded("meta", "batch")))
    other = Address("whatsapp", "106540352242923")
    assert [(event.provider_id, event.provider_account) for event in events] == [
        ("wamid.B1", WABA),
        ("wamid.B2", WABA),
        ("wamid.B1", WABA),
        ("wamid.B3", WABA),
        ("wamid.OURS1", WABA),
        ("wamid.OURS1", WABA),
        ("wamid.B4", "102290129340399"),
        ("", "102290129340399"),  # news of the whole account
    ]
    messages = [event for event in events if isinstance(event, InboundMessage)]
    assert [event.profile_name for event in messages] == ["Dana", "Ben", "Dana", "Dana", "Dana"]
    assert [event.recipient for event in messages] == [DESK, DESK, DESK, DESK, other]
    assert messages[3].parts == (Unsupported("hologram"),)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"id": None}, "messages.id"),
        ({"id": "has spaces"}, "messages.id"),
        ({"id": "x" * 201}, "messages.id"),
        ({"id": 7}, "messages.id"),
        ({"from": "anna"}, "messages.from"),
        ({"from": "0123456789"}, "messages.from"),
        ({"from": 15551234567}, "messages.from"),
    ],
)
def test_a_message_that_cannot_be_kept_is_refused_by_the_name_of_its_field(
    changes: dict[str, object], field: str
) -> None:
    body: Any = recorded("meta", "text")
    value = body["entry"][0]["changes"][0]["value"]
    value["messages"][0] |= changes
    value["contacts"] = []
    with pytest.raises(BadRequest) as refusal:
        decode(hub_post(body))
    assert refusal.value.field == field


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "body"),
        (b"null", "body"),
        (b"[]", "body"),
        (b"3", "body"),
        (b"NaN", "body"),
        (b"\xff\xfe{\x00}\x00", "body"),
        (b"\xef\xbb\xbf{}", "body"),
        (b'{"object": "\xff"}', "body"),
        (b'{"a":' * 60 + b"1" + b"}" * 60, "body"),
        (b"{}", "object"),
        (b'{"object": "page"}', "object"),
        (b'{"object": "whatsapp_business_account", "object": "page"}', "object"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_by_the_name_of_its_field(body: bytes, field: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        decode(hub_post(body))
    assert refusal.value.field == field


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["", "1e999", "9" * 400]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
paths = st.sampled_from(sorted(path.stem for path in (PAYLOADS / "meta").glob("*.json")))


@given(name=paths, data=st.data())
def test_whatever_stands_anywhere_in_a_request_nothing_but_a_bad_request_comes_of_it(name: str, data: Any) -> None:
    body: Any = recorded("meta", name)
    place = body
    while isinstance(place, dict | list) and place:
        keys = sorted(place) if isinstance(place, dict) else [*range(len(place))]
        key = data.draw(st.sampled_from(keys))
        if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.booleans()):
            place[key] = data.draw(json_values)
            break
        place = place[key]
    request = hub_post(json.dumps(body).encode())
    assert len(claimed_account(request)) <= 80
    try:
        events = decode(request)
    except BadRequest:
        return
    for event in events:
        stored = json.dumps([event.raw, event.provider_id, str(getattr(event, "parts", ""))], ensure_ascii=False)
        stored.encode()
        assert "\x00" not in stored


# Is it Meta? ----------------------------------------------------------------------------------------------------------


def test_the_vector_of_the_reference() -> None:
    body = b'{"object":"whatsapp_business_account","entry":[]}'
    assert signature("app-secret", body) == "sha256=d3e4f9da0ce6c71ab3dba55929b8eeeee2455349e534924ead19f98d143e904f"


BODY = b'{"object":"whatsapp_business_account","entry":[]}'
GOOD = signature("new", BODY)


@pytest.mark.parametrize(
    ("headers", "body", "is_genuine"),
    [
        ({"X-Hub-Signature-256": GOOD}, BODY, True),
        ({"X-Hub-Signature-256": signature("old", BODY)}, BODY, True),
        ({"X-Hub-Signature-256": GOOD}, BODY + b" ", False),
        ({"X-Hub-Signature-256": signature("another app's", BODY)}, BODY, False),
        ({"X-Hub-Signature-256": signature("", BODY)}, BODY, False),
        ({"X-Hub-Signature-256": GOOD.removeprefix("sha256=")}, BODY, False),
        ({"X-Hub-Signature-256": GOOD.upper()}, BODY, False),
        ({"X-Hub-Signature-256": "sha256=\N{SNOWMAN}"}, BODY, False),
        ({"X-Hub-Signature-256": ""}, BODY, False),
        ({"X-Hub-Signature": "sha1=" + "0" * 40}, BODY, False),
        ({}, BODY, False),
    ],
)
def test_only_metas_own_bytes_count(headers: dict[str, str], body: bytes, is_genuine: bool) -> None:
    keys = AccountKeys("", ("new", "old", ""))
    assert is_from_meta(Request.read("POST", "/webhooks/whatsapp", headers, body), keys) is is_genuine
    assert not is_from_meta(Request.read("GET", "/webhooks/whatsapp", headers, body), keys)


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ("hub.mode=subscribe&hub.verify_token=our+word&hub.challenge=1158201444", "1158201444"),
        ("hub.mode=subscribe&hub.verify_token=other&hub.challenge=7", "7"),
        ("hub.mode=subscribe&hub.verify_token=wrong&hub.challenge=7", None),
        ("hub.mode=subscribe&hub.verify_token=&hub.challenge=7", None),
        ("hub.mode=subscribe&hub.verify_token=%ED%A0%80&hub.challenge=7", None),
        ("hub.mode=unsubscribe&hub.verify_token=our+word&hub.challenge=7", None),
        ("hub.mode=subscribe&hub.verify_token=our+word", None),
        ("hub.mode=subscribe&hub.verify_token=our+word&hub.challenge=%00", None),
        ("", None),
    ],
)
def test_the_challenge_comes_back_for_our_word_only(query: str, answer: str | None) -> None:
    request = Request.read("GET", f"/webhooks/whatsapp?{query}", {})
    assert challenge(request, ("our word", "", "other")) == answer


# What goes out --------------------------------------------------------------------------------------------------------

THREE = tuple(Option(f"id{number}", f"Choice {number}") for number in range(3))
BODIES: list[tuple[OutboundMessage, dict[str, Any]]] = [
    (OutboundMessage("Hi \x00"), {"type": "text", "text": {"body": "Hi \ufffd", "preview_url": False}}),
    (
        OutboundMessage("Hi", reply_to="wamid.A", reference="our-7"),
        {
            "type": "text",
            "text": {"body": "Hi", "preview_url": False},
            "context": {"message_id": "wamid.A"},
            "biz_opaque_callback_data": "our-7",
        },
    ),
    (
        OutboundMessage("Which?", choices=THREE),
        {
            "type": "interactive",
            "interactive": {
                "type": "button",
                "body": {"text": "Which?"},
                "action": {
                    "buttons": [
                        {"type": "reply", "reply": {"id": f"id{number}", "title": f"Choice {number}"}}
                        for number in range(3)
                    ]
                },
            },
        },
    ),
    (
        OutboundMessage("", choices=(Option("a", "Tue 3 pm", "with Anna"),), style="list", menu="See the times"),
        {
            "type": "interactive",
            "interactive": {
                "type": "list",
                "body": {"text": "…"},
                "action": {
                    "button": "See the times",
                    "sections": [{"rows": [{"id": "a", "title": "Tue 3 pm", "description": "with Anna"}]}],
                },
            },
        },
    ),
    (
        OutboundMessage("Pay here", link=Link("Pay", "https://a.b/c")),
        {
            "type": "interactive",
            "interactive": {
                "type": "cta_url",
                "body": {"text": "Pay here"},
                "action": {"name": "cta_url", "parameters": {"display_text": "Pay", "url": "https://a.b/c"}},
            },
        },
    ),
    (
        OutboundMessage("Save it", link=Link("Add to calendar 👩‍👩‍👧", "https://a.b/c")),
        {
            "type": "interactive",
            "interactive": {
                "type": "cta_url",
                "body": {"text": "Save it"},
                "action": {
                    "name": "cta_url",
                    "parameters": {"display_text": "Add to calendar…", "url": "https://a.b/c"},
                },
            },
        },
    ),
    (
        OutboundMessage("Where are you?", asks_location=True),
        {
            "type": "interactive",
            "interactive": {
                "type": "location_request_message",
                "body": {"text": "Where are you?"},
                "action": {"name": "send_location"},
            },
        },
    ),
    (
        OutboundMessage("Look", media=(Media("image", url="https://a.b/c.png"),)),
        {"type": "image", "image": {"link": "https://a.b/c.png", "caption": "Look"}},
    ),
    (
        OutboundMessage(media=(Media("document", media_id="77", name="plan.pdf"),)),
        {"type": "document", "document": {"id": "77", "filename": "plan.pdf"}},
    ),
    (
        OutboundMessage(media=(Media("audio", media_id="78", voice=True),)),
        {"type": "audio", "audio": {"id": "78", "voice": True}},
    ),
    (
        OutboundMessage(location=Location(1.5, 2.5, "Shop", "")),
        {"type": "location", "location": {"latitude": 1.5, "longitude": 2.5, "name": "Shop"}},
    ),
    (
        OutboundMessage(contact=Contact("Ben", ("+15551230002",), emails=("b@c.d",))),
        {
            "type": "contacts",
            "contacts": [
                {
                    "name": {"formatted_name": "Ben", "first_name": "Ben"},
                    "phones": [{"phone": "+15551230002", "type": "CELL"}],
                    "emails": [{"email": "b@c.d", "type": "WORK"}],
                }
            ],
        },
    ),
    (
        OutboundMessage(reaction=Reaction("wamid.A", "👍")),
        {"type": "reaction", "reaction": {"message_id": "wamid.A", "emoji": "👍"}},
    ),
    (
        OutboundMessage("See you", template=Template("reminder")),
        {"type": "template", "template": {"name": "reminder", "language": {"code": "en"}}},
    ),
    (
        OutboundMessage(
            template=Template(
                "visit",
                "pt-BR",
                {"2": "at\n3 pm", "1": "Dana", "10": "", "header.1": "Hello", "button.1": "ab?c"},
                ("yes", "no"),
            ),
        ),
        {
            "type": "template",
            "template": {
                "name": "visit",
                "language": {"code": "pt_BR"},
                "components": [
                    {"type": "header", "parameters": [{"type": "text", "text": "Hello"}]},
                    {
                        "type": "body",
                        "parameters": [
                            {"type": "text", "text": "Dana"},
                            {"type": "text", "text": "at 3 pm"},
                            {"type": "text", "text": "-"},
                        ],
                    },
                    {
                        "type": "button",
                        "sub_type": "quick_reply",
                        "index": "0",
                        "parameters": [{"type": "payload", "payload": "yes"}],
                    },
                    {
                        "type": "button",
                        "sub_type": "quick_reply",
                        "index": "1",
                        "parameters": [{"type": "payload", "payload": "no"}],
                    },
                    {
                        "type": "button",
                        "sub_type": "url",
                        "index": "1",
                        "parameters": [{"type": "text", "text": "ab?c"}],
                    },
                ],
            },
        },
    ),
    (
        OutboundMessage(media=(Media("image", media_id="5"),), template=Template("offer", "en_US", {"name": "Dana"})),
        {
            "type": "template",
            "template": {
                "name": "offer",
                "language": {"code": "en_US"},
                "components": [
                    {"type": "header", "parameters": [{"type": "image", "image": {"id": "5"}}]},
                    {
                        "type": "body",
                        "parameters": [{"type": "text", "parameter_name": "name", "text": "Dana"}],
                    },
                ],
            },
        },
    ),
]


@pytest.mark.parametrize(("message", "expected"), BODIES)
def test_a_message_is_sent_exactly_like_this(message: OutboundMessage, expected: dict[str, Any]) -> None:
    (piece,) = render(message, CAPABILITIES)
    common = {"messaging_product": "whatsapp", "recipient_type": "individual"}
    assert encode(piece, to=DANA) == {**common, "to": "15551234567", **expected}
    assert encode(piece, to=USER) == {**common, "recipient": USER.value, **expected}


LONG = " ".join(["word"] * 300)
LINK = Link("Pay", "https://a.b/c")
PIECES: list[tuple[OutboundMessage, list[str]]] = [
    (OutboundMessage("Which?", choices=THREE, link=LINK), ["interactive"]),
    (OutboundMessage("Hear this", media=(Media("audio", media_id="1"),)), ["audio", "text"]),
    (OutboundMessage("Look", media=(Media("image", media_id="1"), Media("video", media_id="2"))), ["image", "video"]),
    (OutboundMessage(LONG, media=(Media("image", media_id="1"),)), ["image", "text"]),
    (OutboundMessage(LONG, choices=THREE), ["text", "interactive"]),
    (OutboundMessage("Which?", choices=THREE * 4), ["text"]),
    (OutboundMessage("Here", location=Location(1, 2), contact=Contact("Ben")), ["location", "contacts", "text"]),
    (OutboundMessage("x" * 5000), ["text", "text"]),
]


@pytest.mark.parametrize(("message", "kinds"), PIECES)
def test_what_does_not_fit_into_one_message_becomes_several(message: OutboundMessage, kinds: list[str]) -> None:
    pieces = render(message, CAPABILITIES)
    assert [encode(piece, to=DANA)["type"] for piece in pieces] == kinds
    assert message.link is None or message.link.url in str([encode(piece, to=DANA) for piece in pieces])


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (OutboundMessage(" "), "bug"),
        (OutboundMessage(media=(Media("image"),)), "content"),
        (OutboundMessage(media=(Media("image", url="x"),) * 2), "bug"),
        (OutboundMessage("a", choices=(Option("x" * 257, "A"),), style="buttons"), "bug"),
        (OutboundMessage("a", choices=(Option("x" * 201, "A"),), style="list"), "bug"),
        (OutboundMessage(template=Template("")), "bug"),
        (OutboundMessage(media=(Media("audio", media_id="1"),), template=Template("a")), "content"),
    ],
)
def test_what_whatsapp_has_no_form_for_is_not_sent(message: OutboundMessage, kind: str) -> None:
    with pytest.raises(SendError) as trouble:
        encode(message, to=DANA)
    assert trouble.value.kind == kind


def test_a_template_tells_what_it_wants() -> None:
    listed: Any = {
        "name": "visit",
        "language": "en_US",
        "status": "APPROVED",
        "category": "UTILITY",
        "components": [
            {"type": "HEADER", "format": "TEXT", "text": "Hello {{1}}"},
            {"type": "BODY", "text": "{{1}}, see you {{2}}. {{1}}!"},
            {"type": "FOOTER", "text": "Juniper"},
            {
                "type": "BUTTONS",
                "buttons": [
                    {"type": "QUICK_REPLY", "text": "Confirm"},
                    {"type": "URL", "text": "Move", "url": "https://a.b/{{1}}"},
                    {"type": "PHONE_NUMBER", "text": "Call", "phone_number": "+15551230001"},
                ],
            },
        ],
    }
    text = "{{1}}, see you {{2}}. {{1}}!"
    wants = ("header.1", "1", "2", "button.1")
    assert decode_template(listed) == ListedTemplate("visit", "en_US", "APPROVED", "UTILITY", text, wants, "", 1)
    assert decode_template(
        {"name": "a", "language": "en", "components": [{"type": "HEADER", "format": "IMAGE"}, 3]}
    ) == (ListedTemplate("a", "en", "", header="image"))
    assert decode_template({"language": "en"}) is None


@settings(max_examples=30)
@given(st.data())
def test_whatever_a_template_is_listed_as_it_is_one_or_none(data: Any) -> None:
    button: dict[str, Any] = {"type": "URL", "url": "https://a.b/{{1}}"}
    body: dict[str, Any] = {"type": "BODY", "text": "Hi {{1}}"}
    buttons = {"type": "BUTTONS", "buttons": [button]}
    listed: dict[str, Any] = {"name": "a", "language": "en", "components": [body, buttons]}
    place = data.draw(st.sampled_from([listed, body, button]))
    place[data.draw(st.sampled_from(sorted(place)))] = data.draw(json_values)
    if (found := decode_template(listed)) is not None:
        json.dumps([found.name, found.text, found.status, *found.variables], ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("code", "kind", "is_retryable"),
    [
        ("0", "config", False),
        ("190", "config", False),
        ("3", "config", False),
        ("10", "config", False),
        ("200", "config", False),
        ("299", "config", False),
        ("4", "retry", True),
        ("80007", "retry", True),
        ("368", "config", False),
        ("131031", "config", False),
        ("100", "bug", False),
        ("131008", "bug", False),
        ("131009", "bug", False),
        ("130429", "retry", True),
        ("130472", "content", False),
        ("130497", "permanent", False),
        ("131000", "retry", True),
        ("131016", "retry", True),
        ("131057", "retry", True),
        ("131005", "config", False),
        ("131045", "config", False),
        ("131037", "config", False),
        ("131021", "bug", False),
        ("131026", "other_channel", False),
        ("131030", "config", False),
        ("131042", "config", False),
        ("131047", "window", False),
        ("131048", "config", False),
        ("131064", "config", False),
        ("131049", "content", False),
        ("131050", "no_marketing", False),
        ("131051", "bug", False),
        ("131052", "retry", True),
        ("131053", "retry", True),
        ("131056", "retry", True),
        ("131062", "content", False),
        ("131063", "config", False),
        *((code, "config", False) for code in ("132000", "132001", "132005", "132007", "132008", "132012")),
        ("132015", "config", False),
        ("132016", "config", False),
        ("132068", "config", False),
        ("132069", "retry", True),
        ("133010", "config", False),
        ("133016", "retry", True),
        ("135000", "bug", False),
        ("999999", "permanent", False),
        ("", "permanent", False),
        ("²", "permanent", False),
        ("9" * 5000, "permanent", False),
    ],
)
def test_every_error_code_has_a_sentence_and_a_next_step(code: str, kind: str, is_retryable: bool) -> None:
    error = explain(code)
    assert (error.kind, error.retryable) == (kind, is_retryable)
    assert error.text.endswith(".")
    assert explain("130429", retry_after_s=9).retry_after_s == 9
