"""What every adapter promises, whichever channel it is."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import cast
from urllib.parse import urlencode

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels import cards
from channels.base import AccountKeys, Adapter, Request
from channels.errors import BadRequest, SendError
from channels.messages import Event, InboundMessage, OutboundMessage
from channels.meta.client import MetaClient
from channels.registry import Network, adapters
from channels.twilio.client import TwilioClient
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
