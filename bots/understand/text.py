"""Text as people type it, made comparable: folded letters, tokens with their places, stems, and numbers in words.

Everything here reads the first `LIMIT` characters only, so that no message, however long, can hold up a turn.
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import Stemmer  # type: ignore[import-not-found]  # PyStemmer; it ships no types

LIMIT = 2000


class Folded(NamedTuple):
    """Comparable text and where each of its characters came from; `at` is None when the places are the same."""

    text: str
    raw: str
    at: Sequence[int] | None

    def cut(self, start: int, end: int) -> str:
        """The customer's own words for folded[start:end]."""
        start, end = self.place(start, end)
        return self.raw[start:end]

    def place(self, start: int, end: int) -> tuple[int, int]:
        """The range in the customer's text for a range in the folded one."""
        if self.at is None:
            return start, end
        if end <= start:
            return self.at[start], self.at[start]
        return self.at[start], max(self.at[end], self.at[end - 1] + 1)


class Token(NamedTuple):
    text: str
    start: int
    end: int


def fold(raw: str) -> Folded:
    """Lower-cased, width- and quote-normalised text that remembers where each character stood.

    Invisible marks (right-to-left, zero-width, emoji variation) vanish; digits of every script become 0-9.
    """
    raw = raw[:LIMIT]
    if raw.isascii():
        return Folded(raw.lower().translate(_SPACES), raw, None)
    out: list[str] = []
    at: list[int] = []
    read = 0
    for found in _CLUSTERS.finditer(raw):
        if len(at) >= LIMIT:
            break
        read = found.end()
        piece = _fold_cluster(found.group())
        out.append(piece)
        at.extend([found.start()] * len(piece))
    at.append(read)
    return Folded("".join(out), raw, at)


def normalise(raw: str) -> str:
    """The folded text with single spaces, fit for comparing."""
    return " ".join(fold(raw).text.split())


def tokens(raw: str | Folded) -> list[Token]:
    """Words and numbers in order, folded, with their places in the folded text; punctuation is left out."""
    folded = raw if isinstance(raw, Folded) else fold(raw)
    return [Token(found.group(), found.start(), found.end()) for found in _WORD.finditer(folded.text)]


def words(raw: str) -> list[str]:
    """The folded words alone. `I'd` stays one word; `wash-and-cut` is three."""
    return _WORD.findall(fold(raw).text)


@lru_cache(maxsize=64)  # one message is asked about again and again
def stems(raw: str) -> tuple[str, ...]:
    """The words cut down to their stems: bookings, booked and book are one."""
    return tuple(stem(word) for word in words(raw))


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """The English stem of one folded word.

    A stemmer must not be used by two threads at once, so each call has its own; the cache makes that rare.
    """
    if len(word) > 40:
        return word
    return str(Stemmer.Stemmer("english", 0).stemWord(word.removesuffix("'s")))


def read_number(said: Sequence[str], start: int = 0) -> tuple[int, int] | None:
    """The whole number in words at `start` (0 to 999) and how many words it took, or None.

    `twenty one`, `twenty-one`, `a hundred and five`, `dozen` and plain digits (up to four) are read.
    """
    if start >= len(said):
        return None
    word = said[start]
    if word.isascii() and word.isdigit():
        return (int(word), 1) if len(word) <= 4 else None
    if word in ("a", "an", "one") and start + 1 < len(said) and said[start + 1] in ("hundred", "dozen"):
        value, used = (100, 2) if said[start + 1] == "hundred" else (12, 2)
        return _after_hundred(said, start, value, used)
    if word == "dozen":
        return 12, 1
    below = _below_hundred(said, start)
    if below is None:
        return None
    value, used = below
    if 1 <= value <= 9 and start + used < len(said) and said[start + used] == "hundred":
        return _after_hundred(said, start, value * 100, used + 1)
    return below


UNITS = {
    word: value
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen".split()
    )
}
TENS = {
    word: value * 10 for value, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)
}


def _below_hundred(said: Sequence[str], start: int) -> tuple[int, int] | None:
    word = said[start]
    if word in UNITS:
        return UNITS[word], 1
    tens, _, ones = word.partition("-")
    if tens not in TENS:
        return None
    if ones:
        return (TENS[tens] + UNITS[ones], 1) if 1 <= UNITS.get(ones, 0) <= 9 else None
    if start + 1 < len(said) and 1 <= UNITS.get(said[start + 1], 0) <= 9:
        return TENS[tens] + UNITS[said[start + 1]], 2
    return TENS[tens], 1


def _after_hundred(said: Sequence[str], start: int, value: int, used: int) -> tuple[int, int]:
    after = start + used
    if value == 12:
        return value, used
    if after < len(said) and said[after] == "and":
        after += 1
    rest = _below_hundred(said, after) if after < len(said) else None
    return (value + rest[0], after + rest[1] - start) if rest else (value, used)


def _fold_cluster(cluster: str) -> str:
    folded = []
    for char in unicodedata.normalize("NFKC", cluster).casefold():
        category = unicodedata.category(char)
        if category == "Cf" or "\ufe00" <= char <= "\ufe0f":
            continue
        if category == "Nd" and not char.isascii():
            char = str(unicodedata.decimal(char))
        folded.append(" " if category == "Zs" or category == "Cc" else _LOOKALIKES.get(char, char))
    return "".join(folded)


_SPACES = dict.fromkeys((*range(0x20), 0x7F), " ")
_LOOKALIKES = {
    **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u02bc\u00b4\u0060\uff07", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"'),
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58", "-"),
}
# A letter with the marks that combine with it (e + acute) folds as one; the run of marks is capped against abuse.
_CLUSTERS = re.compile(r"[^\u0300-\u036f][\u0300-\u036f]{0,8}|[\u0300-\u036f]", re.DOTALL)
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
