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


@pytest.mark.parametrize(
    ("code", "written", "said"),
    [
        ("es", "el martes, 1 de marzo a las 15:30", "el martes, primero de marzo a las quince horas y treinta."),
        ("es", "35,50 US$", "treinta y cinco dólares y cincuenta centavos."),
        ("es", "lun-vie de 9:00 a 21:00", "lunes a viernes de nueve horas a veintiuna horas."),
        ("es", "Su referencia es DF7EE0.", "Su referencia es D, F, siete, E, E, cero."),
        ("de", "am Dienstag, 3. März um 15:30 Uhr", "am Dienstag, dritten März um fünfzehn Uhr dreißig."),
        ("de", "1.250 €", "eintausendzweihundertfünfzig Euro."),
        ("de", "Mo.-Fr. 9:00 bis 18:00 Uhr, so wie immer", "Montag bis Freitag neun Uhr bis achtzehn Uhr, so wie immer."),
        ("fr", "le mardi 1 mars à 12:00 (30 min, 35 €)", "le mardi premier mars à midi, trente minutes, trente-cinq euros."),
        ("fr", "+33 1 23 45 67 89", "trois trois un, deux trois quatre, cinq six sept, huit neuf."),
        ("pt", "terça-feira, 3 de março às 15:30", "terça-feira, três de março às quinze horas e trinta."),
        ("pt", "R$ 35,50", "trinta e cinco reais e cinquenta centavos."),
    ],
)  # fmt: skip
def test_what_is_written_is_said_in_other_languages(code: str, written: str, said: str) -> None:
    assert spoken(written, code) == said


@given(st.text(alphabet="abc XYZ 0123456789$:.,+-()%&*_#/ \nAPM", max_size=80))
def test_no_figure_sign_or_mark_is_left_to_the_voice(written: str) -> None:
    assert not re.search(r"[*_#|<>\[\]&%\n]|https?:", spoken(written))


@given(st.integers(0, 999_999), st.integers(0, 999_999), st.sampled_from(["en", "es", "de", "fr", "pt"]))
def test_numbers_that_differ_sound_different(one: int, other: int, code: str) -> None:
    assert (cardinal(one, code) == cardinal(other, code)) == (one == other)
    assert (ordinal(one) == ordinal(other)) == (one == other)
