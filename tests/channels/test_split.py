"""Part counts as they are billed, and cuts that nobody minds."""

import unicodedata

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from channels.split import count, shorten, size, split

FAMILY = "👨‍👩‍👧‍👦"
letters = st.sampled_from(
    ["a", "word", " ", "  ", "\n", "\r\n", "é", "e\u0301", "😀", FAMILY, "🇩🇪", "👍🏽", "नि", "\u00a0", "…"]
)
texts = st.lists(letters, max_size=60).map("".join) | st.text(max_size=80)


@pytest.mark.parametrize(
    ("text", "encoding", "units", "parts", "guilty"),
    [
        ("", "gsm7", 0, 0, ()),
        ("a" * 160, "gsm7", 160, 1, ()),
        ("a" * 161, "gsm7", 161, 2, ()),
        ("a" * 306, "gsm7", 306, 2, ()),
        ("a" * 307, "gsm7", 307, 3, ()),
        ("@£$¥èéùìòÇØøÅåΔΩÄÖÑÜ§¿äöñüà\n\r", "gsm7", 29, 1, ()),
        ("€" * 80, "gsm7", 160, 1, ()),
        ("€" * 81, "gsm7", 162, 2, ()),
        # the escape may not stand alone at the end of a part: 152 and then €, twice
        ("a" * 152 + "€" + "a" * 151 + "€", "gsm7", 307, 3, ()),
        ("a" * 69 + "”", "ucs2", 70, 1, ("”",)),
        ("a" * 70 + "”", "ucs2", 71, 2, ("”",)),
        ("a" * 133 + "”", "ucs2", 134, 2, ("”",)),
        ("a" * 134 + "”", "ucs2", 135, 3, ("”",)),
        ("😀" * 35, "ucs2", 70, 1, ("😀",)),
        ("😀" * 36, "ucs2", 72, 2, ("😀",)),
        # 67 units hold 33 pairs, not 33 and a half
        ("😀" * 67, "ucs2", 134, 3, ("😀",)),
        ("“hi” – ê `x`", "ucs2", 12, 1, ("“", "”", "–", "ê", "`")),
    ],
)
def test_parts_are_counted_as_carriers_count(
    text: str, encoding: str, units: int, parts: int, guilty: tuple[str, ...]
) -> None:
    counted = count(text)
    assert (counted.encoding, counted.units, counted.parts, counted.guilty) == (encoding, units, parts, guilty)


@pytest.mark.parametrize(
    ("text", "limit", "pieces"),
    [
        ("", 10, ()),
        ("hello", 5, ("hello",)),
        ("hello world", 5, ("hello", "world")),
        ("hello world", 6, ("hello", "world")),
        ("hello   world", 6, ("hello", "world")),
        ("hello world", 10, ("hello", "world")),
        ("a bb ccc", 4, ("a bb", "ccc")),
        ("abcdefgh", 3, ("abc", "def", "gh")),
        ("Pick one:\n1. Haircut\n2. Repair visit", 28, ("Pick one:\n1. Haircut", "2. Repair visit")),
        ("no\nbreak so early in the line", 20, ("no\nbreak so early in", "the line")),
        ("10\u00a0000 dollars", 8, ("10\u00a0000", "dollars")),
        ("\r\n" * 9 + "x", 4, ("x",)),
        (FAMILY * 2, 20, (FAMILY, FAMILY)),
        ("🇩🇪🇫🇷", 6, ("🇩🇪", "🇫🇷")),
        ("zoo\u0308", 3, ("zo", "o\u0308")),
        ("a" + "\u0301" * 9, 5, ("a" + "\u0301" * 4, "\u0301" * 5)),
    ],
)
def test_texts_are_cut_where_people_would_cut_them(text: str, limit: int, pieces: tuple[str, ...]) -> None:
    assert split(text, limit) == pieces


@given(texts, st.integers(2, 40))
def test_a_cut_loses_nothing_but_white_space_and_breaks_no_character(text: str, limit: int) -> None:
    pieces = split(text, limit)
    assert all(0 < size(piece) <= limit for piece in pieces)
    assert "".join("".join(pieces).split()) == "".join(text.split())
    whole = set(regex.findall(r"\X", text))
    if all(size(cluster) <= limit for cluster in whole):
        assert all(cluster in whole for piece in pieces for cluster in regex.findall(r"\X", piece))


@given(texts, st.integers(1, 40))
def test_a_shortened_text_fits_and_begins_like_the_text(text: str, limit: int) -> None:
    short = shorten(text, limit)
    assert size(short) <= limit
    assert short == text or (short.endswith("…") and text.startswith(short[:-1]))


@given(st.text(max_size=400))
def test_parts_hold_all_units(text: str) -> None:
    counted = count(text)
    alone, each = (160, 153) if counted.encoding == "gsm7" else (70, 67)
    assert counted.units >= len(text)
    assert counted.parts == (counted.units > 0) if counted.units <= alone else counted.parts * each >= counted.units
    assert bool(counted.guilty) == (counted.encoding == "ucs2")


def test_a_long_text_is_cut_in_linear_time() -> None:
    text = "नि" * 20_000 + unicodedata.normalize("NFD", "é") * 20_000
    assert len(split(text, 1600)) == 50
