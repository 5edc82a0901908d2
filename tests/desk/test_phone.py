"""One form for every way of writing a number."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk import phone


@pytest.mark.parametrize(
    ("written", "region", "expected"),
    [
        ("+15125550100", "US", "+15125550100"),
        ("whatsapp:+15125550100", "US", "+15125550100"),
        ("tel:+1-512-555-0100", "US", "+15125550100"),
        (" (512) 555-0100 ", "US", "+15125550100"),
        ("020 7946 0018", "GB", "+442079460018"),
        ("+44 (0)20 7946 0018", "US", "+442079460018"),
        ("+１５１２５５５０１００", "US", "+15125550100"),  # full-width digits
        ("\u200f+1 512\u00a0555\u20110100\u202c", "US", "+15125550100"),  # marks of direction, odd spaces and hyphens
        ("٠٢٠٧٩٤٦٠٠١٨", "GB", "+442079460018"),
        ("12345", "US", "12345"),  # a short code
        ("5550100", "US", "5550100"),  # no area code: nobody can tell
        ("ACME", "US", "ACME"),
        ("Acme 24\x00\u200e", "US", "Acme 24"),
        ("+1", "US", "+1"),
        ("", "US", ""),
        ("9" * 5000, "US", "9" * 5000),
    ],
)
def test_number_has_one_form_and_what_is_none_stays(written: str, region: str, expected: str) -> None:
    assert phone.canonical(written, region) == expected


@given(st.text(max_size=60))
def test_canonical_form_is_its_own_canonical_form(text: str) -> None:
    once = phone.canonical(text)
    assert phone.canonical(once) == once


def test_number_tells_its_country_and_zones() -> None:
    assert phone.region_of("+442079460018") == "GB"
    assert phone.region_of("+80012345678") == "US"  # freephone belongs nowhere
    assert phone.region_of("12345", default="DE") == "DE"
    assert phone.zones_of("+15125550100") == ("America/Chicago",)
    assert phone.zones_of("12345") == ()
