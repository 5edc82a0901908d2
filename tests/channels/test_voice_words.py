"""Words for the ear: nothing is left that a voice would read as it pleases."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.voice.counting import cardinal
from channels.voice.words import ordinal, spoken


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("Tuesday, March 3 at 3:00 PM", "Tuesday, March third at three p m."),
        ("at 9:05 AM or 12:30 p.m.", "at nine oh five a m or twelve thirty p m."),
        ("from 17:00", "from seventeen hundred hours."),
        ("Mon-Fri 9am", "Monday to Friday nine a m."),
        ("$35, $1,250.50 or $1", "thirty-five dollars, one thousand two hundred fifty dollars and fifty cents or one dollar."),
        ("Call +15125550100.", "Call five one two, five five five, zero one zero zero."),
        ("Your reference is DF7EE0.", "Your reference is D, F, seven, E, E, zero."),
        ("Your reference is 701744.", "Your reference is seven, zero, one, seven, four, four."),
        ("2118 Juniper Street, 78704", "two thousand one hundred eighteen Juniper Street, seven, eight, seven, zero, four."),
        ("90 min, 5% off & more", "ninety minutes, five percent off and more."),
        ("*Booked*: see https://juniper.example/v/1", "Booked: see."),
        ("Haircut (30 min, $35)", "Haircut, thirty minutes, thirty-five dollars."),
        ("", ""),
    ],
)  # fmt: skip
def test_what_is_written_is_said(written: str, said: str) -> None:
    assert spoken(written) == said


@given(st.text(alphabet="abc XYZ 0123456789$:.,+-()%&*_#/ \nAPM", max_size=80))
def test_no_figure_sign_or_mark_is_left_to_the_voice(written: str) -> None:
    assert not re.search(r"[*_#|<>\[\]&%\n]|https?:", spoken(written))


@given(st.integers(0, 999_999), st.integers(0, 999_999))
def test_numbers_that_differ_sound_different(one: int, other: int) -> None:
    assert (cardinal(one) == cardinal(other)) == (one == other)
    assert (ordinal(one) == ordinal(other)) == (one == other)
