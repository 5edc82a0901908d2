"""The words of time talk: cuts a message into typed pieces (numbers, weekdays, months, o'clock...), English for now.

The readers in `days` and `times` go by these kinds and by English little words (next, in, past...).
"""

import re
from functools import lru_cache
from typing import NamedTuple

from rapidfuzz.distance import OSA

from bots.understand.text import TENS, UNITS, Folded

# What a piece is. `word` is anything else that is spelt; `junk` is a phone number, a price, a link: never a time.
NUM, ORD, NWORD, OWORD = "num", "ord", "nword", "oword"
CLOCK, DOTTED, NUMDATE, ISO = "clock", "dotted", "numdate", "iso"
WEEKDAY, WEEKDAYS, MONTH, REL, UNIT, PART, MERIDIEM, OCLOCK, NAMED = (
    "weekday", "weekdays", "month", "rel", "unit", "part", "meridiem", "oclock", "named",
)  # fmt: skip
FEAST = "feast"
WORD, PUNCT, JUNK, END = "word", "punct", "junk", "end"


class Piece(NamedTuple):
    kind: str
    text: str
    value: int
    start: int
    end: int
    more: tuple[int, ...] = ()  # the numbers of a clock or numeric date, in written order


def cut(folded: Folded) -> tuple[list[Piece], bool]:
    """The pieces of a message and whether any of them may speak of time at all.

    ENDs follow the last, so that readers can look a few pieces ahead, and back from the first, without asking.
    """
    pieces: list[Piece] = []
    hopeful = False
    text = folded.text
    if "@" in text or "www." in text or "://" in text:
        text = _LINK.sub(lambda link: "_" * len(link.group()), text)
    for found in _PIECES.finditer(text):
        group, said = found.lastgroup, found.group()
        start, end = found.span()
        if group == "word":
            kind, value = VOCABULARY.get(said) or _guess(said)
            pieces.append(_piece(Piece, (kind, said, value, start, end, ())))
            hopeful = hopeful or kind in _STRONG
        elif group == "punct":
            pieces.append(_piece(Piece, (PUNCT, said, 0, start, end, ())))
        else:
            before = pieces[-1] if pieces else None
            if before is not None and before.end == start and before.kind == WORD and group in ("num", "ord"):
                group = "junk"  # B12, T10
            pieces.extend(_numeric(str(group), said, start, end))
            hopeful = True
    last = len(text)
    pieces.extend([Piece(END, "", 0, last, last)] * 8)
    return pieces, hopeful


def _numeric(group: str, text: str, start: int, end: int) -> list[Piece]:
    numbers = tuple(int(number) for number in _NUMBERS.findall(text)) if group in _SEVERAL else ()
    if group == "numdate" and len(numbers) == 2 and "-" in text and max(numbers) <= 12:
        dash = start + text.index("-")  # two hours, as in "2-4pm", more often than a day and a month
        return [
            Piece(NUM, text[: dash - start], numbers[0], start, dash),
            Piece(PUNCT, "-", 0, dash, dash + 1),
            Piece(NUM, text[dash - start + 1 :], numbers[1], dash + 1, end),
        ]
    value = 0
    if group == "num":
        group, value = (NUM if len(text) <= 4 else JUNK), int(text[:9])
    elif group == "ord":
        value = int(text[:-2])
    elif group == "meridiem":
        value = 12 if text[0] == "p" else 0
    elif group == "eight":
        numbers = (int(text[:4]), int(text[4:6]), int(text[6:]))
        group = ISO if 1 <= numbers[1] <= 12 and 1 <= numbers[2] <= 31 else JUNK
    return [Piece(group, text, value, start, end, numbers)]


_piece = tuple.__new__  # half the time of Piece(...), and this is the inner loop
_SEVERAL = frozenset(("clock", "dotted", "numdate", "iso"))
_NUMBERS = re.compile(r"\d+")
_LINK = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}\.[a-z]{2,}[\w.-]{0,60}|(?:https?://|www\.)\S{1,200}")
# Every repeat is bounded, so the worst message costs a constant per character.
_PIECES = re.compile(
    r"""
    (?<![^\W\d_])(?P<meridiem>[ap]\ ?\.?\ ?m)\b(?:\ ?\.(?!\w))?
  | (?<![^\W\d_])(?P<oclock>o\ ?['"]?\ ?clock)\b
  | (?P<word>[^\W\d_]+(?:'[^\W\d_]+)*)
  | (?P<junk>
        [$€£¥₹]\s?\d[\d.,]{0,15} | [#]\s?\d{1,9} | 24/7                                  # a price, a door, always
      | (?<![\d.,:/])\d[\d.,]{0,15}\s?(?:[€£$¥₹%°]|(?:euros?|dollars?|bucks|pounds?|usd|eur|gbp|percent|quid)\b)
      | \+\d[\d\ ().-]{5,18}\d | (?<!\d)\(?\d{3}\)?[ .-]{1,2}\d{3}[ .-]\d{4}(?!\d)         # phone numbers
    )
  | (?P<punct>[-,.;:!?()/@~&+])
  | (?<![\d/-])(?P<iso>\d{4}(?P<s1>[-/.])\d{1,2}(?P=s1)\d{1,2}(?:t\d\d:\d\d(?::\d\d)?)?)(?!\d)
  | (?<!\d)(?P<eight>(?:19|20|21)\d{6})(?!\d)
  | (?<![\d:.])(?P<clock>\d{1,2}(?::\d\d|h\d\d)(?::\d\d)?)(?![\d:])
  | (?<![\d/.,-])(?P<numdate>\d{1,2}(?P<s2>[/.-])\d{1,2}(?P=s2)(?:\d{4}|\d\d)|\d{1,2}[/-]\d{1,2})(?![\d]|[/-]\d)
  | (?<![\d/.,-])(?P<dotted>\d{1,2}\.\d{1,2})(?!\d|\.\d)
  | (?P<ord>\d{1,2}(?:st|nd|rd|th))(?![^\W_])
  | (?P<num>\d+)
    """,
    re.VERBOSE,
)

MORNING, AFTERNOON, EVENING, NIGHT = 1, 2, 3, 4
MINUTE, HOUR, DAY, WEEK, FORTNIGHT, MONTHS, YEAR, WORKDAY = 1, 2, 3, 4, 5, 6, 7, 8
TODAY, TOMORROW, YESTERDAY, TONIGHT, OVERMORROW = 0, 1, -1, 100, 2
NOON, MIDNIGHT, LUNCH, WEEKEND = 1, 2, 3, 4

_WEEKDAYS = (
    "monday mon mondy munday", "tuesday tues tue tuesdy tuseday tuesay", "wednesday wed weds wensday wendsday wednsday",
    "thursday thu thur thurs thrusday thirsday thusday", "friday fri firday fridy", "saturday sat saterday satruday",
    "sunday sun sundy",
)  # fmt: skip
_MONTHS = (
    "january jan", "february feb febuary", "march mar", "april apr", "may", "june jun", "july jul", "august aug",
    "september sep sept", "october oct", "november nov", "december dec",
)  # fmt: skip
_ORDINALS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth "
    "fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
)
_OTHERS = {
    (REL, TODAY): "today todays today's 2day tday",
    (REL, TOMORROW): "tomorrow tomorrows tomorrow's tmrw tmr tmrrw tomo tomorow tommorow tommorrow tmw morrow",
    (REL, YESTERDAY): "yesterday yesterdays yesterday's",
    (REL, TONIGHT): "tonight tonite tonights tonight's 2nite",
    (REL, OVERMORROW): "overmorrow",
    (PART, MORNING): "morning mornings morn mornin",
    (PART, AFTERNOON): "afternoon afternoons aft afternon",
    (PART, EVENING): "evening evenings eve evenin",
    (PART, NIGHT): "night nite",
    (UNIT, MINUTE): "minute minutes min mins minuets",
    (UNIT, HOUR): "hour hours hr hrs hour's hours'",
    (UNIT, DAY): "day days day's",
    (UNIT, WEEK): "week weeks wk wks week's",
    (UNIT, FORTNIGHT): "fortnight fortnights fortnight's",
    (UNIT, MONTHS): "month months month's",
    (UNIT, YEAR): "year years year's",
    (NAMED, NOON): "noon midday noontime",
    (NAMED, MIDNIGHT): "midnight",
    (NAMED, LUNCH): "lunchtime",
    (NAMED, WEEKEND): "weekend",
}
VOCABULARY: dict[str, tuple[str, int]] = {
    **{word: (WEEKDAY, day) for day, names in enumerate(_WEEKDAYS) for word in names.split()},
    **{names.split()[0] + "s": (WEEKDAYS, day) for day, names in enumerate(_WEEKDAYS)},
    **{names.split()[0] + "'s": (WEEKDAY, day) for day, names in enumerate(_WEEKDAYS)},
    **{word: (MONTH, month) for month, names in enumerate(_MONTHS, 1) for word in names.split()},
    **{word: (OWORD, value) for value, word in enumerate(_ORDINALS.split(), 1)},
    "thirtieth": (OWORD, 30),
    **{word: (NWORD, value) for word, value in UNITS.items()},
    **{word: (NWORD, value) for word, value in TENS.items()},
    **{word: key for key, names in _OTHERS.items() for word in names.split()},
}
# Short names that are also everyday words: they count as a day or month only beside something that makes them one.
ALSO_WORDS = frozenset("may march mar sat sun wed mon dec jan".split())
_STRONG = frozenset((WEEKDAY, WEEKDAYS, MONTH, REL, UNIT, PART, NAMED, NWORD, OWORD, FEAST))
_LONG_NAMES = tuple(
    word
    for word, (kind, _) in VOCABULARY.items()
    if len(word) >= 6 and kind in (WEEKDAY, MONTH, REL, PART, NAMED) and "'" not in word
)
_NOT_TYPOS = frozenset("sundae sundry mourning moaning evenly midway auguste warning".split())
FEASTS = frozenset(
    "christmas xmas boxing halloween thanksgiving easter independence valentine valentines valentine's new good "
    "st saint".split()
)


@lru_cache(maxsize=8192)
def _guess(word: str) -> tuple[str, int]:
    """What an unknown word may be: a misspelt day, month or part of the day, or just a word."""
    if word in FEASTS:
        return (FEAST, 0)
    if 6 <= len(word) <= 12 and word not in _NOT_TYPOS:
        for name in _LONG_NAMES:
            limit = 1 if len(name) < 8 else 2
            if name[0] == word[0] and OSA.distance(name, word, score_cutoff=limit) <= limit:
                return VOCABULARY[name]
    return (WORD, 0)
