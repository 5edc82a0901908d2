"""Twilio's signatures: the published vectors, agreement with Twilio's own validator, and what must be refused."""

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from channels.base import AccountKeys, Request
from channels.signing import candidate_urls, is_from_twilio, is_signed, sign
from channels.twilio.codec import has_plausible_names
from tests.channels.posts import KEYS, PUBLIC_URL, form_post, recorded, signed

SHOP = "https://mycompany.com/myapp.php?foo=1&bar=2"
CALL = (
    ("CallSid", "CA1234567890ABCDE"),
    ("Caller", "+14158675310"),
    ("Digits", "1234"),
    ("From", "+14158675310"),
    ("To", "+18005551212"),
)
JSON_BODY = b'{"property": "value", "boolean": true}'
JSON_URL = "https://mycompany.com/myapp.php?bodySHA256=" + hashlib.sha256(JSON_BODY).hexdigest()
SMS = recorded("twilio", "sms_text")
encodable = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@pytest.mark.parametrize(
    ("url", "form", "digest", "signature"),
    [
        (SHOP, CALL, "sha1", "GvWf1cFY/Q7PnoempGyD5oXAezc="),
        (SHOP, CALL, "sha256", "/Px0ZZziCxf9Zt7wehmYS+fbCh+oLQi2VrfCqcV1vPM="),
        (JSON_URL, (), "sha1", "y77kIzt2vzLz71DgmJGsen2scGs="),
        ("wss://voice.example.com/twilio/relay", (), "sha1", "BZRcmNI74k5V0axFcqKKZia6Ig0="),
        ("wss://voice.example.com/twilio/relay/", (), "sha1", "CvNptCsWPRSXTRz1tJT8lAc4WEc="),
        ("https://a.b/c", (("A", "2"), ("A", "1"), ("A", "2"), ("B", "x")), "sha1", "F7dONDx4u8MoZBmwRarF2wMWA3Q="),
    ],
)
def test_published_vectors(url: str, form: tuple[tuple[str, str], ...], digest: str, signature: str) -> None:
    assert sign("12345", url, form, digest=digest) == signature
    assert is_signed(signature, (url,), form, ("12345",), digest=digest)


@given(secret=st.text(st.characters(codec="ascii"), min_size=1), form=st.dictionaries(encodable, encodable, max_size=8))
def test_twilios_validator_agrees_about_forms(secret: str, form: dict[str, str]) -> None:
    validator = RequestValidator(secret)
    signature = validator.compute_signature(SHOP, form)
    assert sign(secret, SHOP, tuple(form.items())) == signature
    assert is_signed(signature, (SHOP,), tuple(form.items()), (secret,))
    assert validator.validate(SHOP, form, signature)


@pytest.mark.parametrize("public_url", ["https://a.b", "https://a.b:8443", "https://a.b:443/", "http://a.b/desk"])
@pytest.mark.parametrize("path", ["/hook", "/hook?x=1&y=a%20b", "/", "/hook/"])
def test_twilios_validator_agrees_about_ports(public_url: str, path: str) -> None:
    validator = RequestValidator("12345")
    for url in candidate_urls(public_url, path):
        assert validator.validate(public_url.rstrip("/") + path, dict(CALL), sign("12345", url, CALL))


@pytest.mark.parametrize(
    ("public_url", "path", "signed_url"),
    [
        ("https://a.b", "/hook", "https://a.b/hook"),
        ("https://a.b", "/hook", "https://a.b:443/hook"),
        ("http://a.b", "/hook", "http://a.b:80/hook"),
        ("https://a.b:8443", "/hook", "https://a.b/hook"),
        ("https://a.b/", "/hook?ref=1", "https://a.b/hook?ref=1"),
        ("https://[::1]:8443", "/hook", "https://[::1]:8443/hook"),
        ("https://user:pass@a.b", "/hook", "https://user:pass@a.b/hook"),
        # a proxy that takes the prefix away, and one that leaves it
        ("https://a.b/desk", "/hook", "https://a.b/desk/hook"),
        ("https://a.b/desk", "/desk/hook", "https://a.b/desk/hook"),
        # the older escapes: %20 for a space, no escape for ! ' ( ) *
        ("https://a.b", "/hook?name=a+b%27s%21", "https://a.b/hook?name=a%20b's!"),
        ("https://a.b", "/hook?name=a,b:c", "https://a.b/hook?name=a%2Cb%3Ac"),
    ],
)
def test_every_url_that_twilio_may_have_signed_is_tried(public_url: str, path: str, signed_url: str) -> None:
    assert signed_url in candidate_urls(public_url, path)


@given(st.text(max_size=30), st.text(max_size=40))
def test_no_url_breaks_the_candidates(public_url: str, path: str) -> None:
    assert candidate_urls(public_url, path)


def test_a_signed_message_is_accepted() -> None:
    assert is_from_twilio(form_post(SMS), KEYS)
    assert is_from_twilio(form_post(dict(reversed(SMS.items()))), KEYS), "the order of parameters does not matter"
    assert is_from_twilio(form_post(recorded("twilio", "sms_messaging_service")), KEYS)
    assert is_from_twilio(form_post(recorded("twilio", "sms_nul_and_surrogate")), KEYS), "odd bytes are signed as sent"


def test_a_token_that_is_being_replaced_is_still_accepted() -> None:
    assert is_from_twilio(form_post(SMS, secret="token-old"), KEYS)
    assert not is_from_twilio(form_post(SMS, secret="token-older"), KEYS)


def test_a_sub_account_is_checked_with_its_own_token() -> None:
    post = form_post({**SMS, "AccountSid": "AC00000000000000000000000000000002"}, secret="token-sub")
    assert not is_from_twilio(post, KEYS)
    assert is_from_twilio(post, replace(KEYS, secrets=("token-sub",)))


def test_the_host_header_changes_nothing() -> None:
    post = form_post(SMS)
    forged = {**post.headers, "host": "evil.example", "x-forwarded-host": "evil.example", "x-forwarded-proto": "http"}
    assert is_from_twilio(replace(post, headers=forged), KEYS)
    elsewhere = signed(post, sign("token-new", "https://evil.example" + post.url, post.form))
    assert not is_from_twilio(replace(elsewhere, headers={**elsewhere.headers, "host": "evil.example"}), KEYS)


def _changed(**changes: str) -> Request:
    return signed(form_post({**SMS, **changes}), form_post(SMS).headers["x-twilio-signature"])


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(signed(form_post(SMS), ""), id="no signature"),
        pytest.param(signed(form_post(SMS), "GvWf1cFY/Q7PnoempGyD5oXAezc="), id="signature of something else"),
        pytest.param(signed(form_post(SMS), "ü" * 28), id="signature that is not ASCII"),
        pytest.param(signed(form_post(SMS), "\ud800" * 28), id="signature that is not text"),
        pytest.param(_changed(Body="free money"), id="changed value"),
        pytest.param(_changed(Extra="1"), id="added parameter"),
        pytest.param(replace(form_post(SMS), url="/webhooks/twilio/messages?admin=1"), id="added query parameter"),
        pytest.param(replace(form_post(SMS), url="/webhooks/twilio/messages/"), id="added slash"),
        pytest.param(form_post(SMS, secret="other"), id="signed by somebody else"),
        pytest.param(
            replace(
                form_post(SMS),
                headers={**form_post(SMS).headers, "x-twilio-webhooks-signature-settings": "algorithm=MD5"},
            ),
            id="unknown algorithm",
        ),
    ],
)
def test_what_twilio_did_not_sign_is_refused(request_: Request) -> None:
    assert not is_from_twilio(request_, KEYS)


def test_an_account_without_a_token_accepts_nobody() -> None:
    assert not is_from_twilio(form_post(SMS, secret=""), replace(KEYS, secrets=("",)))
    assert not is_from_twilio(form_post(SMS, secret=""), replace(KEYS, secrets=()))


def test_the_newer_algorithm_is_taken_from_its_header() -> None:
    post = form_post(SMS)
    settings = {"x-twilio-webhooks-signature-settings": "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256"}
    signature = sign("token-new", PUBLIC_URL + post.url, post.form, digest="sha256")
    assert is_from_twilio(replace(post, headers={**post.headers, **settings, "x-twilio-signature": signature}), KEYS)
    assert not is_from_twilio(replace(post, headers={**post.headers, **settings}), KEYS)


def test_a_moved_boundary_between_two_parameters_is_refused_by_its_names() -> None:
    """The signed text is the same, so only the shape of the names can tell."""
    honest, moved = form_post({"Body": "bC1", "From": "+1"}), form_post({"Body": "b", "C": "1", "From": "+1"})
    assert honest.headers["x-twilio-signature"] == moved.headers["x-twilio-signature"]
    assert has_plausible_names(honest)
    assert not has_plausible_names(moved)
    assert has_plausible_names(form_post(recorded("twilio_whatsapp", "from_advert")))


def _json(url: str, body: bytes) -> Request:
    request = Request.read("POST", url, {"content-type": "application/json"}, body)
    return signed(request, sign("12345", "https://mycompany.com" + url, ()))


def test_a_json_body_counts_only_with_its_hash_in_the_signed_url() -> None:
    keys = AccountKeys("AC1", ("12345",), "https://mycompany.com")
    path = JSON_URL.removeprefix("https://mycompany.com")
    assert is_from_twilio(_json(path, JSON_BODY), keys)
    assert not is_from_twilio(_json(path, JSON_BODY + b" "), keys)
    assert not is_from_twilio(_json("/myapp.php", JSON_BODY), keys)
    assert not is_from_twilio(_json("/myapp.php?xbodySHA256=" + path.partition("=")[2], JSON_BODY), keys)


def test_a_get_is_signed_by_its_url_alone() -> None:
    url = "/hook?MessageSid=SM1&Body=hi+there"
    get = signed(Request.read("GET", url, {}), sign("token-new", PUBLIC_URL + url))
    assert is_from_twilio(get, KEYS)
    assert not is_from_twilio(replace(get, url=url + "&Body=bye"), KEYS)


@given(
    st.sampled_from(["GET", "POST", "PUT"]),
    st.text(max_size=40),
    st.binary(max_size=60),
    st.text(max_size=30),
    st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5)), max_size=3),
    st.text(max_size=20),
)
def test_checking_never_raises(
    method: str, url: str, body: bytes, signature: str, form: list[tuple[str, str]], secret: str
) -> None:
    headers = {"x-twilio-signature": signature, "x-twilio-webhooks-signature-settings": url}
    keys = AccountKeys("AC1", (secret,), url)
    assert not is_from_twilio(Request(method, url, headers, body, tuple(form)), keys)
    assert not is_from_twilio(Request(method, url, {"x-twilio-signature": signature}, body, tuple(form)), keys)
