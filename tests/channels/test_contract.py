"""What every adapter promises, whichever channel it is."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any, cast
from urllib.parse import urlencode

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels import cards
from channels.base import AccountKeys, Adapter, Capabilities, Request, Sent
from channels.errors import BadRequest, SendError
from channels.messages import (
    Address,
    Contact,
    Event,
    InboundMessage,
    Link,
    Location,
    Media,
    MediaKind,
    Option,
    OutboundMessage,
    Reaction,
    Template,
)
from channels.meta.client import MetaClient
from channels.registry import Network, adapters
from channels.render import render
from channels.twilio.client import TwilioClient
from channels.webchat import codec
from simulators.clock import HandClock
from simulators.meta import App, MetaSimulator
from simulators.meta import Number as MetaNumber
from simulators.meta import Template as MetaTemplate
from simulators.meta import model as meta_model
from simulators.twilio import Account, Content, Number, TwilioSimulator
from simulators.twilio import model as twilio_model
from tests.channels.posts import KEYS, PAYLOADS, form_post, hub_post, json_post, recorded

# Nothing here sends, so the session is never used.
NOBODY = cast("aiohttp.ClientSession", None)
NETWORK = Network(TwilioClient(NOBODY), MetaClient(NOBODY), deliver=lambda to, message: None)
ADAPTERS = adapters(NETWORK)
GOOD: dict[tuple[str, str], Callable[[], Request]] = {
    ("twilio", "sms"): lambda: form_post(recorded("twilio", "sms_text")),
    ("twilio", "whatsapp"): lambda: form_post(recorded("twilio_whatsapp", "text")),
    ("meta", "whatsapp"): lambda: hub_post(recorded("meta", "text")),
    ("webchat", "web"): lambda: json_post(recorded("webchat", "text")),
    ("simulator", "sim"): lambda: json_post(recorded("webchat", "choice")),
}
each_adapter = pytest.mark.parametrize("adapter", ADAPTERS.values(), ids=["-".join(key) for key in ADAPTERS])

# A call is no message: what is said in it comes by doors of its own (tests/gateway/voice).
each_that_takes_messages = pytest.mark.parametrize("key", GOOD, ids=["-".join(key) for key in GOOD])

hostile = st.text(max_size=30) | st.sampled_from(
    ["\x00", "\ud800", "9" * 5000, "1e999", "NaN", "[" * 9999, "'--", "{{7*7}}"]
)
known_fields = st.sampled_from(sorted({*recorded("twilio", "sms_text"), *recorded("twilio_whatsapp", "button")}))
media_fields = st.sampled_from(["NumMedia", "MediaUrl0", "MediaContentType0", "Latitude", "Longitude", "FlowData"])
statuses = st.sampled_from(["MessageStatus", "ErrorCode", "OptOutType", "ReferralSourceId", "ListId", "WaId"])
twilio_forms = st.dictionaries(known_fields | media_fields | statuses, hostile, max_size=8)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
# Whatever Meta says that customers can send, and what becomes of our messages (Cloud API, webhooks reference).
META_KINDS = {
    *("text", "image", "video", "audio", "document", "sticker", "location", "contacts", "button", "reaction", "order"),
    *("interactive button_reply", "interactive list_reply", "interactive nfm_reply", "edit", "revoke", "unsupported"),
    *("system user_changed_number", "system customer_identity_changed", "request_welcome"),
    *("status sent", "status delivered", "status read", "status played", "status failed", "status deleted", "error"),
    *("smb_message_echoes", "message_template_status_update", "template_category_update", "account_update"),
    *("account_alerts", "phone_number_quality_update", "phone_number_name_update"),
}
# The same of Twilio; what it has no type for comes as fields beside the text.
TWILIO_KINDS = {
    *("text", "image", "video", "audio", "document", "sticker", "location", "contacts", "button", "interactive"),
    *("ButtonPayload", "ListId", "FlowData", "InteractiveData", "Latitude", "Forwarded", "FrequentlyForwarded"),
    *("OriginalRepliedMessageSid", "ReferralSourceId", "ReferralCtwaClid", "ExternalUserId", "WaId", "ProfileName"),
    *("ReferralMediaUrl", "ChannelMetadata", "sent", "delivered", "read", "failed", "undelivered"),
}
SMS_KINDS = {
    *(
        "STOP",
        "START",
        "HELP",
        "accepted",
        "scheduled",
        "queued",
        "sending",
        "sent",
        "partially_delivered",
        "delivered",
    ),
    *("undelivered", "failed", "canceled", "RawDlrDoneDate", "MediaUrl0", "MediaUrl1", "MessagingServiceSid"),
}
page_fields = st.sampled_from(["session", "id", "text", "choice", "name", "site"])


@each_adapter
def test_an_adapter_is_registered_under_its_own_name(adapter: Adapter) -> None:
    assert ADAPTERS[adapter.provider, adapter.channel] is adapter
    assert adapter.capabilities.text_max > 0
    takes_messages = (adapter.provider, adapter.channel) != ("twilio", "voice")
    assert takes_messages == ((adapter.provider, adapter.channel) in GOOD), "what would a good request be?"


def test_the_page_of_channels_is_up_to_date_and_gives_a_reason_for_each_gap() -> None:
    written = (Path(__file__).parents[2] / "docs" / "channels.md").read_text("utf-8")
    assert written == cards.page(ADAPTERS.values()), "run: frontdesk channels > docs/channels.md"


def test_every_kind_of_request_that_is_documented_is_recorded() -> None:
    """What comes of each stands in the tables of `test_meta_codec` and `test_twilio_codec`, which take every file."""
    seen = set()
    for path in (PAYLOADS / "meta").glob("*.json"):
        for entry in json.loads(path.read_text("utf-8"))["entry"]:
            for change in entry["changes"]:
                value = change["value"]
                seen |= {change["field"], *("error" for _ in value.get("errors", ()))}
                seen |= {f"status {one['status']}" for one in value.get("statuses", ())}
                for one in value.get("messages", ()):
                    content = one.get(one["type"])
                    inner = content.get("type") if one["type"] in ("interactive", "system") else ""
                    seen.add(f"{one['type']} {inner}".strip())
    assert not META_KINDS - seen
    for vendor, kinds in (("twilio_whatsapp", TWILIO_KINDS), ("twilio", SMS_KINDS)):
        forms = [recorded(vendor, path.stem) for path in (PAYLOADS / vendor).glob("*.json")]
        told = {form.get(name, "") for form in forms for name in ("MessageType", "MessageStatus", "OptOutType")}
        assert not kinds - told - {name for form in forms for name in form}


@each_that_takes_messages
def test_a_good_request_is_verified_and_becomes_a_message(key: tuple[str, str]) -> None:
    request, adapter = GOOD[key](), ADAPTERS[key]
    assert adapter.verify(request, KEYS)
    (event,) = adapter.parse(request)
    assert isinstance(event, InboundMessage)
    assert event.provider_id
    assert event.text
    assert event.provider_account == adapter.claimed_account(request)
    json.dumps(event.raw)


@each_that_takes_messages
def test_the_same_request_gives_the_same_provider_id(key: tuple[str, str]) -> None:
    assert ADAPTERS[key].parse(GOOD[key]()) == ADAPTERS[key].parse(GOOD[key]())


@each_adapter
def test_an_answer_without_messages_only_says_received(adapter: Adapter) -> None:
    answer = adapter.reply(())
    assert answer.status == 200
    assert b"Message>" not in answer.body


@each_adapter
def test_an_answer_carries_every_piece_of_a_long_message(adapter: Adapter) -> None:
    words = [f"word{number}" for number in range(2000)]
    body = adapter.reply((OutboundMessage(" ".join(words)),), status_url="https://a.b/status").body.decode()
    if not adapter.capabilities.inline_reply:
        assert body == ""
        return
    assert all(f"{word}" in body for word in words)
    assert body.count("word1999") == 1


@each_adapter
def test_an_unknown_error_code_is_explained_all_the_same(adapter: Adapter) -> None:
    assert isinstance(adapter.explain("no such code"), SendError)


FAR = "https://desk.example.com"
TWILIO_KEYS = AccountKeys("AC00000000000000000000000000000001", ("the-token",), FAR)
META_KEYS = AccountKeys("205", ("s",), password="the-token", service_id="106")
SMS_DESK, SMS_DANA = Address("phone", "+15125550100"), Address("phone", "+15551230001")
WA_DESK, WA_DANA = Address("whatsapp", "+15125550102"), Address("whatsapp", "+15551234567")


def _file(kind: MediaKind, name: str = "one") -> Media:
    return Media(kind, url=f"{FAR}/{name}.{kind}", content_type=FILES[kind], name=f"{name}.{kind}")


# Whatever a bot or a person can say, in a message of its own. What is looked for at the other end is every word of it, in
# whichever form; and `FORMS` tells whether it came as what it is.
OPTIONS = tuple(Option(f"id{number}", f"Choice {number:03}", f"detail {number:03}") for number in range(120))
SAYS = OutboundMessage("Here it is", reference="out-1")
FILES: dict[MediaKind, str] = {
    "image": "image/png",
    "video": "video/mp4",
    "audio": "audio/mpeg",
    "document": "application/pdf",
    "sticker": "image/webp",
}
REMINDER = Template("reminder", "en_US", {"1": "Dana", "2": "Tuesday"})
WISHES: dict[str, OutboundMessage] = {
    "Texts": SAYS,
    "Texts, long": replace(SAYS, text=" ".join(f"word{number:04}" for number in range(1500))),
    "Texts, of whole characters": replace(SAYS, text="👩‍👩‍👧é" * 700),
    "Choices as buttons": replace(SAYS, choices=tuple(Option(one.id, one.title) for one in OPTIONS[:2])),
    "Choices as a list": replace(SAYS, choices=OPTIONS[:9], menu="All of them"),
    "Choices as a list, too long": replace(SAYS, choices=OPTIONS),
    **{f"Files, {kind}": replace(SAYS, media=(_file(kind),)) for kind in FILES},
    "Files, several": replace(SAYS, media=(_file("image"), _file("document"), _file("image", "two"))),
    "Files, captioned": replace(SAYS, media=(replace(_file("image"), caption="The leak"),)),
    "Places": replace(SAYS, location=Location(30.26, -97.74, "Juniper", "2118 Juniper St")),
    "Visiting cards": replace(
        SAYS,
        contact=Contact("Maya Stone", ("+15125550111",), emails=("maya@juniper.example",), url=f"{FAR}/maya.vcf"),
    ),
    "Calendar entries": replace(SAYS, link=Link("Add to calendar", f"{FAR}/visits/abc.ics")),
    "Links as buttons": replace(SAYS, link=Link("Pay", f"{FAR}/pay/7")),
    "Asking where somebody is": replace(SAYS, asks_location=True),
    "Templates": replace(SAYS, text="Hi Dana, see you Tuesday.", template=REMINDER),
    "Reactions": replace(SAYS, text="", reaction=Reaction("wamid.A", "👍")),
    "Quoting a message": replace(SAYS, reply_to="wamid.A"),
    "all at once": replace(
        SAYS,
        choices=OPTIONS[:2],
        media=(_file("image"), _file("audio")),
        location=Location(30.26, -97.74, "Juniper", "2118 Juniper St"),
        contact=Contact("Maya Stone", ("+15125550111",), emails=("maya@juniper.example",), url=f"{FAR}/maya.vcf"),
        link=Link("Pay", f"{FAR}/pay/7"),
        reply_to="wamid.A",
    ),
}
FORMS: dict[str, Callable[["Arrived"], bool]] = {
    "Choices as buttons": lambda one: bool(one.buttons),
    "Choices as a list": lambda one: bool(one.rows),
    "Files": lambda one: bool(one.files),
    "Places": lambda one: one.has_place,
    "Visiting cards": lambda one: one.has_card,
    "Calendar entries": lambda one: bool(one.link),
    "Links as buttons": lambda one: bool(one.link),
    "Asking where somebody is": lambda one: one.asks_location,
    "Templates": lambda one: one.is_template,
    "Reactions": lambda one: bool(one.reaction),
    "Quoting a message": lambda one: bool(one.quotes),
}


@each_adapter
@pytest.mark.parametrize("name", WISHES)
async def test_whatever_is_said_arrives_in_the_best_form_that_the_card_tells_and_nothing_of_it_is_lost(
    adapter: Adapter, name: str, far: "FarEnd"
) -> None:
    wish, able = WISHES[name], adapter.capabilities
    adapter = far.adapters[adapter.provider, adapter.channel]
    sent = [await far.send(adapter, piece) for piece in render(wish, able)]
    arrived = await far.arrived(adapter, wish)
    assert all(one.provider_id for one in sent)
    forms = {feature for feature, is_it in FORMS.items() if any(map(is_it, arrived))}
    seen = " ".join(one.everything for one in arrived)
    feature = name.partition(",")[0]
    if feature in FORMS and not name.endswith("too long"):
        link = "Links as buttons" if feature == "Calendar entries" else feature  # by the adapter alone it is a link
        card = next(one for one in cards.FEATURES if one.name == link)
        falls = {"Choices as buttons": "Choices as a list"}.get(feature, "")  # what it becomes where it cannot be that
        assert bool(card.says(able)) == (feature in forms), (card.otherwise, forms)
        assert falls not in forms or not card.says(able)
    if name == "Reactions":
        assert (len(arrived), "👍" in seen) == (
            (1, True) if able.reactions else (0, False)
        )  # words would say something else
        return
    if name.startswith("Texts,"):
        assert "".join("".join(one.text.split()) for one in arrived) == "".join(wish.text.split())
        assert not any(one.text[0] == "\u200d" or one.text[-1] == "\u200d" for one in arrived)
    else:
        missing = [word for word in _words(wish, able) if word not in seen]
        assert not missing
    for one in arrived:
        assert len(one.text.encode("utf-16-le")) // 2 <= able.text_max
        assert len(one.buttons) <= able.buttons_max
        assert len(one.rows) <= able.list_max


def _words(wish: OutboundMessage, able: Capabilities) -> Iterator[str]:
    """All that somebody at the other end has to be able to see, in whichever form."""
    is_text_seen = wish.template is None or not able.templates
    yield from wish.text.split() if is_text_seen else wish.template.variables.values() if wish.template else ()
    for option in wish.choices:
        yield option.title
        # Beside what stands on a button there is no room.
        if option.description and len(wish.choices) > max(able.buttons_max, 3):
            yield option.description
    for file in wish.media:
        yield file.url
        yield from file.caption.split()
    if place := wish.location:
        yield from (place.name, place.address, f"{place.latitude:.2f}")
    if (card := wish.contact) and able.contact_by_file:
        yield card.url
    elif card:
        yield from (card.name, *card.phones, *card.emails)
    if wish.link:
        yield from (wish.link.title, wish.link.url)


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message as it is seen at the other end."""

    text: str = ""
    buttons: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    has_place: bool = False
    has_card: bool = False
    link: str = ""
    asks_location: bool = False
    is_template: bool = False
    reaction: str = ""
    quotes: str = ""
    everything: str = ""  # as one text, in which all that is seen occurs


class FarEnd:
    """All networks at whose other end somebody looks at what comes."""

    def __init__(self, session: aiohttp.ClientSession, twilio: TwilioSimulator, meta: MetaSimulator) -> None:
        self.twilio, self.meta = twilio, meta
        self.screen: list[OutboundMessage] = []
        network = Network(
            TwilioClient(session, api_base=twilio.url),
            MetaClient(session, api_base=meta.api_base),
            deliver=lambda _to, message: self.screen.append(message),
        )
        self.adapters = adapters(network)

    async def send(self, adapter: Adapter, piece: OutboundMessage) -> Sent:
        keys = META_KEYS if adapter.provider == "meta" else TWILIO_KEYS
        sender, to = (WA_DESK, WA_DANA) if adapter.channel == "whatsapp" else (SMS_DESK, SMS_DANA)
        return await adapter.send(piece, to=to, sender=sender, keys=keys)

    async def arrived(self, adapter: Adapter, wish: OutboundMessage) -> list[Arrived]:
        """What lies at the other end, which for the page of the web chat is the answer to its question."""
        await self.twilio.settled()
        match adapter.provider, adapter.channel:
            case "twilio", "sms" | "voice":
                return [_on_phone(one) for one in self.twilio.phone(SMS_DANA.value).inbox]
            case "twilio", "whatsapp":
                return [_on_phone(one) for one in self.twilio.phone(f"whatsapp:{WA_DANA.value}").inbox]
            case "meta", "whatsapp":
                return [_in_whatsapp(one) for one in self.meta.phone(WA_DANA.value).inbox]
            case "webchat", "web":
                return [_on_page(one) for one in json.loads(adapter.reply([wish]).body)["messages"]]
            case "simulator", "sim":
                return [_on_page(json.loads(codec.encode([one]))["messages"][0]) for one in self.screen]
        raise LookupError(f"nobody looks at what comes by {adapter.provider} {adapter.channel}")


def _on_phone(one: twilio_model.Received) -> Arrived:
    shown = one.shown
    urls = tuple(url for url in one.media_urls if not url.endswith(".vcf"))
    return Arrived(
        one.body,
        tuple(choice.title for choice in shown.buttons),
        tuple(choice.title for choice in shown.rows),
        urls,
        has_place=bool(shown.place),
        has_card=urls != one.media_urls,
        link=next((url for _, url in shown.links), ""),
        is_template=shown.is_approved,
        everything=f"{one.body} {one.media_urls} {shown}",
    )


def _in_whatsapp(one: meta_model.Received) -> Arrived:
    inside: Any = one.content
    kind = inside.get("type", "") if one.kind == "interactive" else one.kind
    titles = tuple(str(option["title"]) for option in one.options)
    parameters = inside.get("action", {}).get("parameters", {}) if kind == "cta_url" else {}
    return Arrived(
        one.text,
        titles if kind == "button" else (),
        titles if kind == "list" else (),
        (inside["link"],) if kind in FILES else (),
        has_place=kind == "location",
        has_card=kind == "contacts",
        link=parameters.get("url", ""),
        asks_location=kind == "location_request_message",
        is_template=kind == "template",
        reaction=inside.get("emoji", "") if kind == "reaction" else "",
        quotes=one.quotes,
        everything=f"{one.text} {json.dumps(inside, ensure_ascii=False)}",
    )


def _on_page(one: Any) -> Arrived:
    titles = tuple(choice["title"] for choice in one.get("choices", ()))
    return Arrived(
        one.get("text", ""),
        titles if one.get("style") == "buttons" else (),
        titles if one.get("style") == "list" else (),
        tuple(file["url"] for file in one.get("media", ())),
        link=one.get("link", {}).get("url", ""),
        reaction=one.get("reaction", {}).get("emoji", ""),
        quotes=one.get("reply_to", ""),
        everything=f"{one.get('text', '')} {json.dumps(one, ensure_ascii=False)}",
    )


@pytest.fixture
async def far() -> AsyncIterator[FarEnd]:
    clock = HandClock()
    account = Account(sid=TWILIO_KEYS.account_id, auth_token="the-token")
    numbers = [Number(number=one, account_sid=account.sid) for one in (SMS_DESK.value, f"whatsapp:{WA_DESK.value}")]
    text = "Hi {{1}}, see you {{2}}."
    about = {"friendly_name": REMINDER.name, "language": "en", "variables": {"1": "x", "2": "y"}}
    approved = Content(
        sid=f"HX{1:032x}",
        account_sid=account.sid,
        types={"twilio/text": {"body": text}},
        created_at=clock.now,
        is_approved=True,
        **about,  # type: ignore[arg-type]
    )
    ours = MetaNumber(number=WA_DESK.value, phone_number_id="106", waba_id="205")
    template = MetaTemplate(name=REMINDER.name, components=({"type": "BODY", "text": text},))
    how = {"clock": clock, "sleep": clock.sleep, "rng": Random(1)}
    async with (
        TwilioSimulator(accounts=[account], numbers=numbers, **how) as twilio,  # type: ignore[arg-type]
        MetaSimulator(
            app=App(secret="s", tokens=("the-token",)),
            numbers=[ours],
            templates=[template],
            **how,  # type: ignore[arg-type]
        ) as meta,
        aiohttp.ClientSession() as session,
    ):
        twilio.contents[approved.sid] = approved
        twilio.heard_at[f"whatsapp:{WA_DESK.value}", f"whatsapp:{WA_DANA.value}"] = clock.now
        await meta.phone(WA_DANA.value).say(WA_DESK.value, "hi")
        yield FarEnd(session, twilio, meta)
        await twilio.settled()
        await meta.settled()


@each_adapter
@given(
    method=st.sampled_from(["GET", "POST"]),
    url=st.text(max_size=40),
    kind=st.sampled_from(["application/x-www-form-urlencoded", "application/json", "text/plain", ""]),
    body=st.binary(max_size=200),
)
def test_no_bytes_bring_anything_but_a_bad_request(
    adapter: Adapter, method: str, url: str, kind: str, body: bytes
) -> None:
    _survives(adapter, Request.read(method, url, {"content-type": kind}, body))


@each_adapter
@given(form=twilio_forms)
def test_no_form_brings_anything_but_a_bad_request(adapter: Adapter, form: dict[str, str]) -> None:
    _survives(adapter, form_post({**recorded("twilio", "sms_text"), **form}))
    body = urlencode(form, errors="surrogatepass").encode()
    _survives(adapter, Request.read("POST", "/", {"content-type": "application/x-www-form-urlencoded"}, body))


@each_adapter
@given(data=json_values | st.dictionaries(page_fields, json_values | hostile, max_size=6))
def test_no_json_brings_anything_but_a_bad_request(adapter: Adapter, data: object) -> None:
    _survives(adapter, json_post(data))
    if isinstance(data, dict):
        _survives(adapter, json_post({**recorded("webchat", "text"), **data}))


def _survives(adapter: Adapter, request: Request) -> None:
    """Whatever comes out is fit for any database."""
    assert isinstance(adapter.claimed_account(request), str)
    assert adapter.verify(request, AccountKeys("", ("secret",))) in (True, False)
    try:
        events = adapter.parse(request)
    except BadRequest:
        return
    for event in events:
        assert isinstance(event, Event)
        stored = json.dumps([event.raw, event.provider_id, str(getattr(event, "parts", ""))], ensure_ascii=False)
        stored.encode()
        assert "\x00" not in stored
        assert "\\u0000" not in json.dumps(event.raw)
