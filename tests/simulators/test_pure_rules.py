"""Signing, counting parts, reading TwiML, opt-out and dice: the rules that need no network."""

import contextlib
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import MultiDict
from twilio.request_validator import RequestValidator

from simulators.twilio import faults, optout, segments, signing, twiml
from simulators.twilio.faults import Dice, Faults
from simulators.twilio.optout import Policy, Reaction
from simulators.twilio.webhooks import split_overrides

_TEXT = st.text(st.characters(codec="utf-8"), max_size=30)
_CALL = (
    ("CallSid", "CA1234567890ABCDE"),
    ("Caller", "+14158675310"),
    ("Digits", "1234"),
    ("From", "+14158675310"),
    ("To", "+18005551212"),
)
_REPEATED = (("A", "2"), ("A", "1"), ("A", "2"), ("B", "x"))


@pytest.mark.parametrize(
    ("url", "form", "expected"),
    [
        ("https://mycompany.com/myapp.php?foo=1&bar=2", _CALL, "GvWf1cFY/Q7PnoempGyD5oXAezc="),
        ("wss://voice.example.com/twilio/relay", (), "BZRcmNI74k5V0axFcqKKZia6Ig0="),
        ("wss://voice.example.com/twilio/relay/", (), "CvNptCsWPRSXTRz1tJT8lAc4WEc="),
        ("https://a.b/c", _REPEATED, "F7dONDx4u8MoZBmwRarF2wMWA3Q="),
    ],
)
def test_signatures_are_those_of_the_reference(url: str, form: tuple[tuple[str, str], ...], expected: str) -> None:
    assert signing.signature("12345", url, form) == expected


def test_a_json_body_is_signed_by_its_hash_in_the_address() -> None:
    url = signing.json_url("https://mycompany.com/myapp.php", b'{"property": "value", "boolean": true}')
    assert url.endswith("?bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620")
    assert signing.signature("12345", url) == "y77kIzt2vzLz71DgmJGsen2scGs="


@given(st.lists(st.tuples(_TEXT, _TEXT), max_size=8), st.booleans())
def test_any_signed_form_satisfies_the_vendors_own_check(
    form: list[tuple[str, str]], is_signed_with_port: bool
) -> None:
    url = "https://desk.example.com/Hooks/sms/?a=%2F&b=1"
    signed = signing.with_port(url) if is_signed_with_port else url
    assert RequestValidator("k").validate(url, MultiDict(form), signing.signature("k", signed, form))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://a.b/c?d=%20", "https://a.b:443/c?d=%20"),
        ("http://a.b", "http://a.b:80"),
        ("https://a.b:8443/c", "https://a.b:8443/c"),
    ],
)
def test_the_default_port_is_written_out_and_nothing_else_changes(url: str, expected: str) -> None:
    assert signing.with_port(url) == expected


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("€" * 153, 3),  # 76 fit a part of 153 units: the 77th would straddle two.
        ("ł" * 70, 1),
        ("ł" * 71, 2),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
        ("😀" * 67, 3),
    ],
)
def test_parts_are_counted_by_alphabet(text: str, parts: int) -> None:
    assert segments.count(text) == parts


@pytest.mark.parametrize(
    ("content_type", "answer", "expected"),
    [
        ("text/xml", "", twiml.Document()),
        ("application/octet-stream", "  ", twiml.Document()),
        ("text/xml", "<Response/>", twiml.Document()),
        ("text/plain; charset=utf-8", " hello\n", twiml.Document((twiml.Message("hello"),))),
        ("text/xml", "<Response><Message>a &amp; b</Message></Response>", twiml.Document((twiml.Message("a & b"),))),
        (
            "application/xml",
            "<?xml version='1.0' encoding='UTF-8'?><Response>"
            "<Message to='+15551230002' from='+15125550101' action='/s' method='get'>"
            "<Body>Hi</Body><Media> https://x.y/a.png </Media><Media>https://x.y/b.png</Media></Message>"
            "<Message>two</Message></Response>",
            twiml.Document(
                (
                    twiml.Message(
                        "Hi",
                        ("https://x.y/a.png", "https://x.y/b.png"),
                        to="+15551230002",
                        sender="+15125550101",
                        action="/s",
                        method="GET",
                    ),
                    twiml.Message("two"),
                )
            ),
        ),
        (
            "text/xml",
            "<Response><Message>first</Message><Redirect>/next</Redirect><Message>never</Message></Response>",
            twiml.Document((twiml.Message("first"),), twiml.Redirect("/next")),
        ),
        (
            "text/xml",
            "<Response><Say>hi</Say><Message> </Message></Response>",
            twiml.Document(
                warnings=((12200, "<Say> is no messaging verb"), (14103, "<Message> has neither text nor media"))
            ),
        ),
    ],
)
def test_answers_are_read_as_twilio_reads_them(content_type: str, answer: str, expected: twiml.Document) -> None:
    assert twiml.read(content_type, answer.encode()) == expected


@pytest.mark.parametrize(
    ("content_type", "answer", "code"),
    [
        ("text/xml", b"<Response><Message>a & b</Message></Response>", 12100),
        ("text/xml", b"Internal Server Error", 12100),
        ("text/xml", b'<?xml version="1.0" encoding="no-such"?><Response/>', 12100),
        ("text/html", b"<html><body/></html>", 12102),
        ("application/json", b'{"reply": "hi"}', 12300),
        ("", b"hi", 12300),
    ],
)
def test_answers_that_make_no_sense_get_twilios_number_for_it(content_type: str, answer: bytes, code: int) -> None:
    with pytest.raises(twiml.Unreadable) as caught:
        twiml.read(content_type, answer)
    assert caught.value.code == code


@given(st.binary(max_size=200))
def test_no_answer_breaks_the_reader(answer: bytes) -> None:
    with contextlib.suppress(twiml.Unreadable):
        twiml.read("text/xml", answer)


@pytest.mark.parametrize(
    ("policy", "body", "was_blocked", "is_blocked", "has_answer", "opt_out_type"),
    [
        ("default", "Stop ", False, True, True, None),
        ("default", "cancel", False, True, True, None),
        ("default", "STOP", True, True, False, None),
        ("default", "stop please", False, False, False, None),
        ("default", "yes", False, False, False, None),
        ("default", "yes", True, False, True, None),
        ("default", "start", False, False, False, None),
        ("default", "Help", False, False, True, None),
        ("default", "hello", True, True, False, None),
        ("advanced", "STOP", False, True, True, "STOP"),
        ("advanced", "STOP", True, True, False, "STOP"),
        ("advanced", "unstop", True, False, True, "START"),
        ("advanced", "info", False, False, True, "HELP"),
        ("none", "STOP", False, False, False, None),
    ],
)
def test_opt_out_words(
    policy: Policy, body: str, was_blocked: bool, is_blocked: bool, has_answer: bool, opt_out_type: str | None
) -> None:
    reaction = optout.react(policy, body, is_blocked=was_blocked)
    assert (reaction.is_blocked, reaction.answer is not None, reaction.opt_out_type) == (
        is_blocked,
        has_answer,
        opt_out_type,
    )
    if not has_answer and opt_out_type is None:
        assert reaction == Reaction(is_blocked)


def test_faults_strike_always_so_many_times_or_by_chance() -> None:
    dice = Dice(Faults(duplicate=True, rest_429=2, delay=0.5), Random(7))
    assert [dice.strikes("duplicate") for _ in range(4)] == [True] * 4
    assert [dice.strikes("rest_429") for _ in range(4)] == [True, True, False, False]
    assert not any(dice.strikes("rest_500") for _ in range(4))
    struck = [dice.strikes("delay") for _ in range(1000)]
    assert 430 < sum(struck) < 570
    again = Dice(Faults(delay=0.5), Random(7))
    assert [again.strikes("delay") for _ in range(1000)] == struck


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        ([], "JSON object"),
        ({"rest_429": "often"}, "rest_429"),
        ({"delay": -1}, "delay"),
        ({"reorder": 1.5}, "between 0 and 1"),
        ({"explode": 1}, "no such fault: explode"),
        ({"copies": 1.5}, "whole number"),
        ({"delay_s": float("nan")}, "delay_s"),
    ],
)
def test_senseless_faults_are_refused_with_their_name(data: object, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        faults.from_json(data)


@pytest.mark.parametrize(
    ("fragment", "connect_s", "retries", "policy"),
    [
        ("", 5.0, 1, {"ct"}),
        ("#ct=2000&rc=2&rp=ct,5xx", 2.0, 2, {"ct", "5xx"}),
        ("#ct=1&rc=99", 0.1, 5, {"ct"}),
        ("#ct=soon&rc=-1", 5.0, 1, {"ct"}),
    ],
)
def test_connection_rules_ride_in_the_fragment(fragment: str, connect_s: float, retries: int, policy: set[str]) -> None:
    url, rules = split_overrides(f"https://a.b/c?d=1{fragment}")
    assert (url, rules.connect_s, rules.retries, set(rules.policy)) == ("https://a.b/c?d=1", connect_s, retries, policy)
