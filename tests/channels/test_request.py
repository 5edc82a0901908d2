"""Reading a request: forms as every browser and vendor writes them, and bytes that nobody writes."""

from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.base import MAX_FIELDS, Request
from channels.errors import BadRequest

FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}
encodable = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(st.lists(st.tuples(encodable, encodable), max_size=8))
def test_a_form_reads_as_the_standard_library_reads_it(pairs: list[tuple[str, str]]) -> None:
    body = urlencode(pairs).encode()
    expected = tuple(parse_qsl(body.decode(), keep_blank_values=True))
    assert Request.read("POST", "/", FORM, body).form == expected
    assert Request.read("GET", "/?" + body.decode(), {}).form == expected


@pytest.mark.parametrize(
    ("body", "form"),
    [
        (b"", ()),
        (b"&&", ()),
        (b"a", (("a", ""),)),
        (b"a=1&a=2&=3", (("a", "1"), ("a", "2"), ("", "3"))),
        (b"Body=1+%2B+1%3D2&To=%", (("Body", "1 + 1=2"), ("To", "%"))),
        ("Body=é".encode(), (("Body", "é"),)),
        (b"Body=%ED%A0%80", (("Body", "\udced\udca0\udc80"),)),
    ],
)
def test_odd_forms_are_read_without_loss(body: bytes, form: tuple[tuple[str, str], ...]) -> None:
    assert Request.read("POST", "/", FORM, body).form == form


@given(st.binary(max_size=200), st.text(max_size=50))
def test_no_bytes_break_the_reading(body: bytes, url: str) -> None:
    request = Request.read("POST", url, FORM, body)
    assert isinstance(request.query, dict)
    assert Request.read("GET", url, {}).form is not None


def test_other_bodies_are_left_alone() -> None:
    assert Request.read("POST", "/", {"content-type": "application/json"}, b"a=1").form == ()
    assert Request.read("POST", "/", {}, b"a=1").form == ()


def test_ten_thousand_fields_are_refused() -> None:
    fields = b"&".join(b"a%d=1" % number for number in range(MAX_FIELDS + 1))
    with pytest.raises(BadRequest, match="form"):
        Request.read("POST", "/", FORM, fields)
    with pytest.raises(BadRequest, match="form"):
        Request.read("GET", "/?" + fields.decode(), {})
