"""Which messages stop, restart or ask for help, and which only look like it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.optout import OFFERS, find, keywords_of


@pytest.mark.parametrize(
    ("text", "between", "in_conversation", "by_carrier"),
    [
        # text, between conversations, in one, and in one on a number whose carrier acts by itself
        ("STOP", "stop", "stop", "stop"),
        (" Stop. ", "stop", "stop", "stop"),
        ("stop all", "stop", "stop", "stop"),
        ("Opt-out", "stop", "stop", "stop"),
        ("unsubscribe!", "stop", "stop", "stop"),
        ("\u200fSTOP\u200e", "stop", "stop", "stop"),
        ("ＳＴＯＰ", "stop", "stop", "stop"),
        ("Arrêt", "stop", "stop", "stop"),
        ("ALTO", "stop", "stop", "stop"),
        ("Abmelden", "stop", "stop", "stop"),
        ("cancel", "stop", None, "stop"),
        ("END", "stop", None, "stop"),
        ("quit", "stop", None, "stop"),
        ("start", "start", "start", "start"),
        ("UNSTOP", "start", "start", "start"),
        ("yes", "start", None, None),
        ("help", "help", "help", "help"),
        ("info", "help", None, None),
        ("please stop by at 3", None, None, None),
        ("cancel my appointment", None, None, None),
        ("stop 2", None, None, None),
        ("hello", None, None, None),
        ("👍", None, None, None),
        ("", None, None, None),
        ("stop" + " " * 5000, None, None, None),
    ],
)
def test_only_a_whole_message_counts(
    text: str, between: str | None, in_conversation: str | None, by_carrier: str | None
) -> None:
    assert keywords_of(text, active=False) == between
    assert keywords_of(text, active=True) == in_conversation
    assert keywords_of(text, active=True, carrier=True) == by_carrier


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("Stop promotions", "stop"),
        ("NO MORE OFFERS!", "stop"),
        ("don't send me ads", "stop"),
        ("No more offers, please.", "stop"),
        ("no más ofertas", "stop"),
        ("No quiero publicidad", "stop"),
        ("Stop pub", "stop"),
        ("Je ne veux plus de publicité", "stop"),
        ("Keine Werbung mehr", "stop"),
        ("Newsletter abbestellen", "stop"),
        ("chega de promoções", "stop"),
        ("Não me mande ofertas", "stop"),
        ("START OFFERS", "start"),
        ("start ofertas", "start"),
        ("start offres", "start"),
        ("Start Angebote", "start"),
        ("receber ofertas de novo", "start"),
        ("what offers do you have", None),
        ("more offers", None),
        ("offers", None),
        ("plus d'offres ?", None),
        ("no more offers until June", None),
        ("I like your promotions", None),
    ],
)
def test_offers_alone_are_stopped_and_asked_for_again(text: str, asked: str | None) -> None:
    word = find(text)
    assert (None if word is None else (word.meaning, word.purpose)) == (asked and (asked, "marketing"))
    assert keywords_of(text, active=False) is None  # of everything it says nothing


def test_what_answers_name_to_ask_for_offers_again_or_stop_them_is_heard() -> None:
    named = {"en": "offers", "es": "ofertas", "fr": "offres", "de": "angebote", "pt": "ofertas"}
    assert named.keys() == OFFERS.keys()
    for language, offers in named.items():
        for meaning in ("stop", "start"):
            word = find(f"{meaning} {offers}")
            assert word is not None
            assert (word.meaning, word.purpose, language in word.languages) == (meaning, "marketing", True)


@given(st.text(), st.booleans(), st.booleans())
def test_any_text_can_be_asked(text: str, active: bool, carrier: bool) -> None:
    assert keywords_of(text, active=active, carrier=carrier) in ("stop", "start", "help", None)
