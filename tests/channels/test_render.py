"""From a wish to what a channel can carry."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels import fitting
from channels.base import Capabilities
from channels.messages import Contact, Link, Location, Media, Option, OutboundMessage, Reaction, Template
from channels.meta.whatsapp import CAPABILITIES as META
from channels.render import render
from channels.simulator.adapter import CAPABILITIES as PHONE
from channels.split import size
from channels.twilio.sms import CAPABILITIES as SMS
from channels.twilio.whatsapp import CAPABILITIES as TWILIO
from channels.webchat.adapter import CAPABILITIES as PAGE

HAIRCUT, REPAIR = Option("s1", "Haircut"), Option("s2", "Repair visit", "1 hour")
PICTURE = Media("image", url="https://desk.example.com/card.png")
DAYS = tuple(Option(str(n), f"Day {n}") for n in range(1, 13))


@pytest.mark.parametrize(
    ("wish", "able", "pieces"),
    [
        pytest.param(OutboundMessage("hi"), SMS, (OutboundMessage("hi"),), id="plain text"),
        pytest.param(OutboundMessage(), SMS, (), id="nothing"),
        pytest.param(OutboundMessage(" \n"), SMS, (), id="only white space"),
        pytest.param(
            OutboundMessage("Which?", choices=(HAIRCUT, REPAIR)),
            SMS,
            (OutboundMessage("Which?\n1. Haircut\n2. Repair visit (1 hour)"),),
            id="choices become numbered lines",
        ),
        pytest.param(
            OutboundMessage("Sure?", choices=(Option("y", "Yes"), Option("n", "No"))),
            PHONE,
            (OutboundMessage("Sure?", choices=(Option("y", "Yes"), Option("n", "No")), style="buttons"),),
            id="buttons",
        ),
        pytest.param(
            OutboundMessage("Which?", choices=(HAIRCUT, REPAIR)),
            PHONE,
            (OutboundMessage("Which?", choices=(HAIRCUT, REPAIR), style="list"),),
            id="descriptions want a list",
        ),
        pytest.param(
            OutboundMessage("Which?", choices=(HAIRCUT, REPAIR), style="buttons"),
            PHONE,
            (OutboundMessage("Which?", choices=(HAIRCUT, Option("s2", "Repair visit")), style="buttons"),),
            id="buttons on request have no descriptions",
        ),
        pytest.param(
            OutboundMessage("When?", choices=DAYS[:4], style="buttons", menu="All the days that are free"),
            PHONE,
            (OutboundMessage("When?", choices=DAYS[:4], style="list", menu="All the days that a…"),),
            id="four buttons become a list",
        ),
        pytest.param(
            OutboundMessage("When?", choices=DAYS),
            PHONE,
            (OutboundMessage("\n".join(["When?", *(f"{n}. Day {n}" for n in range(1, 13))])),),
            id="twelve rows become numbered lines",
        ),
        pytest.param(
            OutboundMessage("Who?", choices=(Option("1", "A name that is too long for a row"),)),
            PHONE,
            (
                OutboundMessage(
                    "Who?",
                    choices=(Option("1", "A name that is too long…", "A name that is too long for a row"),),
                    style="list",
                ),
            ),
            id="a shortened title is told in full below",
        ),
        pytest.param(
            OutboundMessage("Who?", choices=tuple(Option(x, f"The same long beginning of {x}") for x in "AB")),
            PHONE,
            (OutboundMessage("Who?\n1. The same long beginning of A\n2. The same long beginning of B"),),
            id="titles that would look alike are numbered",
        ),
        pytest.param(
            OutboundMessage("Your card", media=(PICTURE,)),
            SMS,
            (OutboundMessage("Your card", media=(PICTURE,)),),
            id="text goes along with a file",
        ),
        pytest.param(
            OutboundMessage("Two", media=(replace(PICTURE, caption="one"), PICTURE)),
            PHONE,
            (OutboundMessage("Two\none", media=(PICTURE,)), OutboundMessage(media=(PICTURE,))),
            id="one file at a time",
        ),
        pytest.param(
            OutboundMessage("Right?", media=(PICTURE,), choices=(HAIRCUT,)),
            PHONE,
            (OutboundMessage(media=(PICTURE,)), OutboundMessage("Right?", choices=(HAIRCUT,), style="buttons")),
            id="buttons keep their text",
        ),
        pytest.param(
            OutboundMessage("File", media=(replace(PICTURE, caption="card"),)),
            Capabilities(text_max=100),
            (OutboundMessage("File\ncard\nhttps://desk.example.com/card.png"),),
            id="a file becomes a link",
        ),
        pytest.param(
            OutboundMessage("Here", location=Location(52.1, -4.25, "Shop", "1 High St")),
            SMS,
            (OutboundMessage("Here\nShop\n1 High St\nhttps://maps.google.com/?q=52.100000,-4.250000"),),
            id="a place becomes a map link",
        ),
        pytest.param(
            OutboundMessage(contact=Contact("Ann", phones=("+15551230001",)), link=Link("Pay", "https://pay.example")),
            SMS,
            (OutboundMessage("Ann\n+15551230001\nPay: https://pay.example"),),
            id="a card and a link become lines",
        ),
        pytest.param(
            OutboundMessage("Pay", link=Link("Open", "https://pay.example")),
            PAGE,
            (OutboundMessage("Pay", link=Link("Open", "https://pay.example")),),
            id="a link button stays one",
        ),
        pytest.param(OutboundMessage(reaction=Reaction("SM1", "👍")), SMS, (), id="no reactions"),
        pytest.param(
            OutboundMessage("Where?", asks_location=True), SMS, (OutboundMessage("Where?"),), id="no map to ask"
        ),
        pytest.param(
            OutboundMessage("See you at 3", template=Template("HX1")),
            SMS,
            (OutboundMessage("See you at 3"),),
            id="template",
        ),
        pytest.param(
            OutboundMessage("See you", template=Template("HX1")),
            replace(SMS, templates=True),
            (OutboundMessage("See you", template=Template("HX1")),),
            id="template where there are templates",
        ),
        pytest.param(
            OutboundMessage("aaaa bbbb", choices=(HAIRCUT,), reply_to="SM1"),
            replace(PHONE, choice_text_max=4, quotes=True),
            (OutboundMessage("aaaa", reply_to="SM1"), OutboundMessage("bbbb", choices=(HAIRCUT,), style="buttons")),
            id="choices come with the last piece, the quote with the first",
        ),
    ],
)
def test_a_wish_becomes_what_the_channel_can_carry(
    wish: OutboundMessage, able: Capabilities, pieces: tuple[OutboundMessage, ...]
) -> None:
    assert render(wish, able) == pieces


words = st.text(st.sampled_from("ab \n😀é"), max_size=60)
wishes = st.builds(
    OutboundMessage,
    text=words,
    choices=st.lists(
        st.builds(Option, st.text("xyz", min_size=1), words, words), max_size=6, unique_by=lambda o: o.id
    ).map(tuple),
    style=st.sampled_from(["buttons", "list", "auto"]),
    menu=words,
    media=st.lists(st.just(PICTURE) | st.builds(replace, st.just(PICTURE), caption=words), max_size=3).map(tuple),
    location=st.none() | st.just(Location(1, 2, "Shop")),
    contact=st.none() | st.just(Contact("Ann")),
    link=st.none() | st.just(Link("Open", "https://a.b")),
    reaction=st.none() | st.just(Reaction("SM1", "👍")),
    asks_location=st.booleans(),
    reply_to=st.sampled_from(["", "SM1"]),
    reference=st.just("r1"),
)
abilities = st.builds(
    Capabilities,
    text_max=st.integers(20, 60),
    buttons_max=st.integers(0, 3),
    button_title_max=st.integers(1, 10),
    list_max=st.integers(0, 5),
    list_title_max=st.integers(1, 10),
    list_description_max=st.integers(0, 10),
    menu_max=st.integers(0, 10),
    choice_text_max=st.integers(10, 40),
    media_max=st.integers(0, 2),
    media_takes_text=st.booleans(),
    location=st.booleans(),
    contact=st.booleans(),
    link_button=st.booleans(),
    asks_location=st.booleans(),
    reactions=st.booleans(),
    quotes=st.booleans(),
)


@given(wishes, abilities)
def test_every_piece_keeps_within_the_limits_and_rendering_again_changes_nothing(
    wish: OutboundMessage, able: Capabilities
) -> None:
    for piece in render(wish, able):
        assert piece.reference == "r1"
        assert size(piece.text) <= (able.choice_text_max if piece.choices else able.text_max)
        assert len(piece.media) <= able.media_max
        assert size(piece.menu) <= able.menu_max
        most, title_max, description_max = (
            (able.buttons_max, able.button_title_max, 0)
            if piece.style == "buttons"
            else (able.list_max, able.list_title_max, able.list_description_max)
        )
        assert len(piece.choices) <= most
        assert all(size(o.title) <= title_max and size(o.description) <= description_max for o in piece.choices)
        assert render(piece, able) == (piece,)


def test_nothing_said_goes_missing() -> None:
    wish = OutboundMessage("word " * 900, choices=(HAIRCUT, REPAIR))
    pieces = render(wish, SMS)
    assert " ".join(piece.text for piece in pieces).split() == [
        *["word"] * 900,
        *"1. Haircut 2. Repair visit (1 hour)".split(),
    ]


MB = 1024**2
IMAGE, DOCUMENT = Media("image", content_type="image/jpeg", file="f"), Media("document", file="f")


@pytest.mark.parametrize(
    ("file", "able", "outcome"),
    [
        (replace(IMAGE, size=5 * MB), META, "image"),
        (replace(IMAGE, size=5 * MB + 1), META, "document"),
        (replace(IMAGE, size=5 * MB + 1), TWILIO, "at most 5 MB as a picture"),
        (replace(IMAGE, size=100 * MB + 1), META, "at most 5 MB as a picture"),
        (replace(IMAGE, content_type="image/gif"), META, "document"),
        (replace(IMAGE, content_type="image/heic"), TWILIO, "does not take image/heic as a picture"),
        (replace(DOCUMENT, size=17 * MB), META, "document"),
        (replace(DOCUMENT, content_type="application/pdf", size=17 * MB), TWILIO, "at most 16 MB as a document"),
        (replace(DOCUMENT, content_type="application/pdf", size=MB), TWILIO, "document"),
        (DOCUMENT, TWILIO, "does not take files whose kind nobody can tell"),
        (Media("document", url="https://a.b/c"), TWILIO, "document"),  # whatever it may be
        (Media("audio", content_type="audio/ogg; codecs=opus", url="https://a.b/c"), TWILIO, "audio"),
        (replace(IMAGE, content_type="image/gif", size=99 * MB), SMS, "image"),
    ],
)
def test_a_file_goes_as_what_the_channel_carries_or_it_says_why_not(
    file: Media, able: Capabilities, outcome: Any
) -> None:
    if " " in outcome:
        with pytest.raises(fitting.Unfit, match=outcome):
            fitting.fit(file, able)
        return
    assert fitting.fit(file, able) == replace(file, kind=outcome)
    if outcome != file.kind:
        with pytest.raises(fitting.Unfit):
            fitting.fit(file, able, as_it_is=True)


def test_the_files_of_an_mms_fit_into_it_together() -> None:
    fitting.fit_together([replace(IMAGE, size=MB)] * 5, SMS)
    with pytest.raises(fitting.Unfit, match="5 MB of files in one message"):
        fitting.fit_together([replace(IMAGE, size=MB)] * 6, SMS)
