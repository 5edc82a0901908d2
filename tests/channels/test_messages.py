"""The neutral messages: what survives the database, and statuses that never go back."""

import itertools
from dataclasses import fields, replace
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels import vcard, written
from channels.messages import (
    JSON,
    STATUSES,
    Address,
    Choice,
    Contact,
    Edit,
    Form,
    InboundMessage,
    Location,
    Media,
    OutboundMessage,
    Part,
    Reaction,
    Status,
    Text,
    Unsupported,
    advance,
    parts_from_json,
    parts_to_json,
)

values: st.SearchStrategy[JSON] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
finite = st.floats(allow_nan=False, allow_infinity=False)
forms = st.builds(Form, st.text(), st.text(), st.dictionaries(st.text(), values, max_size=3))
places = st.builds(Location, finite, finite, st.text(), st.text(), st.text())
parts = st.one_of(forms, places, *(st.from_type(kind) for kind in get_args(Part) if kind not in (Form, Location)))
outbound = st.builds(OutboundMessage, location=st.none() | places)
statuses = st.sampled_from(STATUSES)


@given(st.lists(parts, max_size=4))
def test_parts_come_back_from_json_as_they_were(several: list[Part]) -> None:
    assert parts_from_json(parts_to_json(several)) == tuple(several)


@given(outbound)
def test_outbound_messages_come_back_from_json_as_they_were(message: OutboundMessage) -> None:
    assert OutboundMessage.from_json(message.to_json()) == message


def test_a_message_is_plain_when_there_is_nothing_but_text() -> None:
    assert OutboundMessage("hi", reference="1").is_plain
    for name in {one.name for one in fields(OutboundMessage)} - {"text", "style", "reference"}:
        more: dict[str, Any] = {name: "something"}
        assert not replace(OutboundMessage("hi"), **more).is_plain


def test_a_part_of_a_newer_version_comes_back_as_unsupported() -> None:
    assert parts_from_json([{"type": "hologram", "depth": 3}]) == (Unsupported("hologram"),)


@pytest.mark.parametrize(
    "data", [None, [], "text", {}, {"type": 3}, {"type": "text"}, {"type": "location", "latitude": "x"}]
)
def test_what_is_no_part_is_refused(data: JSON) -> None:
    with pytest.raises(ValueError, match=r"."):
        parts_from_json([data])


@pytest.mark.parametrize(
    ("several", "words"),
    [
        ((), ""),
        ((Text("hi"),), "hi"),
        ((Text("look"), Media("image", caption="the leak")), "look\nthe leak"),
        ((Media("audio"),), ""),
        ((Choice("svc_1", "Haircut"),), "Haircut"),
        ((Choice("svc_1"),), "svc_1"),
        ((Reaction("SM1", "👍"), Edit("SM1", "no"), Contact("Ann"), Location(1, 2)), ""),
    ],
)
def test_text_is_what_the_customer_said(several: tuple[Part, ...], words: str) -> None:
    message = InboundMessage("SM1", Address("sim", "a"), Address("sim", "b"), several)
    assert message.text == words
    assert message.choice == next((part for part in several if isinstance(part, Choice)), None)


@given(st.lists(statuses, min_size=1, max_size=6))
def test_a_status_never_goes_back_and_the_order_of_callbacks_does_not_matter(arriving: list[Status]) -> None:
    outcomes = set()
    for order in itertools.permutations(arriving[:4]):
        current = order[0]
        for status in order[1:]:
            before, current = current, advance(current, status)
            assert STATUSES.index(current) >= STATUSES.index(before)
        outcomes.add(current)
    assert len(outcomes) == 1


@pytest.mark.parametrize(
    ("arriving", "kept"),
    [
        (["delivered", "sent", "read", "failed"], "read"),
        (["read", "delivered"], "read"),
        (["sent", "undelivered", "sending"], "undelivered"),
        (["delivered", "undelivered"], "delivered"),
        (["failed", "sent"], "failed"),
        (["queued", "queued"], "queued"),
        (["sending", "canceled"], "canceled"),
    ],
)
def test_the_furthest_status_is_kept(arriving: list[Status], kept: Status) -> None:
    current: Status | None = None
    for status in arriving:
        current = advance(current, status)
    assert current == kept


# What a file holds, and the words in it.
WRITTEN = [
    (b"\xef\xbb\xbfone\r\ntwo\rthree\n", "one\ntwo\nthree"),
    ("ol\xe9 \u2013 Zo\xeb".encode(), "ol\xe9 \u2013 Zo\xeb"),
    ("ol\xe9 \u2013 Zo\xeb".encode("cp1252"), "ol\xe9 \u2013 Zo\xeb"),
    ("ol\xe9 \U0001f600".encode("utf-16"), "ol\xe9 \U0001f600"),
    (b"ring \x07 me \x1b[31m", "ring \ufffd me \ufffd[31m"),
    (b" \r\n\t", ""),
    (b"MZ\x00\x01", ""),
]


@pytest.mark.parametrize(("file", "words"), WRITTEN)
def test_the_words_in_a_file_are_read_as_phones_write_them(file: bytes, words: str) -> None:
    assert written.read(file) == words


CARD = b"BEGIN:VCARD\r\nVERSION:3.0\r\nN:Bell;Zo\xc3\xab;;;\r\nFN:Zo\xc3\xab\r\nitem1.TEL;waid=15125550111:+1 512\r\n"
pieces = st.binary(max_size=40) | st.sampled_from(
    [b"\r\n", b":", b";", b"\\", b"TEL", b"BEGIN:VCARD\r\n", b"END:VCARD\r\n", b"\x00", b"\xff\xfe", b"=", b'"', CARD]
)


@settings(max_examples=40)
@given(st.lists(pieces, max_size=8).map(b"".join))
def test_whatever_is_in_a_file_its_words_and_cards_can_be_kept(file: bytes) -> None:
    words = written.read(file)
    said = [words, *(text for one in vcard.read(CARD + file) for text in (one.name, *one.phones, *one.emails))]
    for text in said:
        assert "\x00" not in text
        text.encode()
    for one in vcard.read(CARD + file + b"\r\nEND:VCARD\r\n"):
        assert vcard.read(vcard.of(one))


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("", "A long story, told at length"),
        ("A long  story\u2026", "A long story, told at length"),
        ("A long story, told at length", "A long story, told at length"),
        ("See below", "See below"),
    ],
)
def test_what_the_body_has_of_the_words_is_not_said_twice(body: str, text: str) -> None:
    file = Media("document", url="x", written=True)
    parts = (Text(body), file) if body else (file,)
    told = written.with_words(parts, "A long story, told at length")
    assert (InboundMessage("x", Address("phone", "+1"), Address("phone", "+2"), told).text, told[len(parts) - 1]) == (
        text,
        file,
    )
