"""Reads one time of day at a given place in a cut message, and settles which half of the day it means."""

from collections.abc import Sequence
from datetime import time
from typing import NamedTuple

from bots.understand.dates import words as w
from bots.understand.dates.parts import counts_things, read_count
from bots.understand.dates.words import Piece


class TimeRead(NamedTuple):
    hour: int
    minute: int
    after: int  # the place where reading goes on
    half: int | None = None  # 0 = a.m., 12 = p.m., None = not said
    sure: bool = True  # False: only a number, which needs company ("at", a day, a question) to be a time
    approx: bool = False
    bare: bool = False  # a lone hour, the weakest sort


def read(pieces: Sequence[Piece], i: int) -> TimeRead | None:
    """The time said at piece `i`, or None."""
    reader = _READERS.get(pieces[i].kind)
    found = reader(pieces, i) if reader else None
    if found is None or found.hour > 24 or found.minute > 59:
        return None
    return _finish(pieces, found)


def _clock(pieces: Sequence[Piece], i: int) -> TimeRead:
    piece = pieces[i]
    return TimeRead(piece.more[0], piece.more[1], i + 1, half=_zero(piece))


def _named(pieces: Sequence[Piece], i: int) -> TimeRead | None:
    value = pieces[i].value
    if value == w.WEEKEND:
        return None
    hour = 0 if value == w.MIDNIGHT else 12
    return TimeRead(hour, 0, i + 1, half=hour, approx=value == w.LUNCH)


def _dotted(pieces: Sequence[Piece], i: int) -> TimeRead | None:
    piece = pieces[i]
    sure = pieces[i + 1].kind in (w.MERIDIEM, w.PART)
    if len(piece.text.partition(".")[2]) != 2 or (counts_things(pieces, i + 1) and not sure):
        return None
    return TimeRead(piece.more[0], piece.more[1], i + 1, sure=sure)


def _zero(piece: Piece) -> int | None:
    """`08:15` with its zero is how a 24-hour clock writes the morning."""
    return 0 if piece.text[0] == "0" and piece.more[0] else None


def _worded(pieces: Sequence[Piece], i: int) -> TimeRead | None:
    """`half past nine`, `quarter to 5`, `half six`, `threeish`."""
    text = pieces[i].text
    if text == "a" and pieces[i + 1].text == "quarter":
        i, text = i + 1, "quarter"
    if text.endswith("ish") and text[:-3].rstrip("-") in _HOUR_WORDS:
        return TimeRead(_HOUR_WORDS[text[:-3].rstrip("-")], 0, i + 1, approx=True)
    if text not in ("half", "quarter"):
        return None
    link = pieces[i + 1].text
    hour = _hour(pieces, i + 2)
    minutes = 30 if text == "half" else 15
    if hour is not None and link in ("past", "after"):
        return TimeRead(hour[0], minutes, hour[1])
    if hour is not None and text == "quarter" and link in ("to", "til", "till", "of", "before"):
        return _before(hour, 15)
    hour = _hour(pieces, i + 1) if text == "half" else None
    if hour is not None and 1 <= hour[0] <= 12 and not counts_things(pieces, hour[1]):  # "half six" is 6:30 in Britain
        return TimeRead(hour[0], 30, hour[1], sure=False)
    return None


def _number(pieces: Sequence[Piece], i: int) -> TimeRead | None:
    past = _past_or_to(pieces, i)
    if past is not None:
        return past
    piece, j = pieces[i], i + 1
    if piece.kind == w.NUM and len(piece.text) >= 3:
        return _military(pieces, i)
    hour = _hour(pieces, i)
    if hour is None:
        return None
    n, j = hour
    follow = pieces[j]
    glued = follow.start == pieces[j - 1].end
    if n == 12 and follow.kind == w.NAMED and follow.value in (w.NOON, w.MIDNIGHT):
        return TimeRead(12 if follow.value == w.NOON else 0, 0, j + 1, half=12 if follow.value == w.NOON else 0)
    if follow.kind in (w.MERIDIEM, w.OCLOCK):
        return TimeRead(n, 0, j)
    if glued and follow.text in ("a", "p"):
        return TimeRead(n, 0, j + 1, half=0 if follow.text == "a" else 12) if 1 <= n <= 12 else None
    if glued and follow.text in ("h", "hs", "hrs"):
        return TimeRead(n, 0, j + 1, sure=follow.text != "hrs" and n > 4)
    if follow.text == "ish" or (follow.text == "-" and pieces[j + 1].text == "ish"):
        return TimeRead(n, 0, j + (1 if follow.text == "ish" else 2), approx=True, sure=glued)
    minutes = _minutes(pieces, j)
    if minutes is not None:
        return TimeRead(n, minutes[0], minutes[1], sure=pieces[minutes[1]].kind in (w.MERIDIEM, w.PART))
    if n > 23 or counts_things(pieces, j) or _in_address(pieces, j):
        return None
    if pieces[i - 1].text in _NOT_AN_HOUR and w.PART not in (pieces[j].kind, pieces[j + 1].kind, pieces[j + 2].kind):
        return None
    return TimeRead(n, 0, j, sure=False, bare=True)


def _past_or_to(pieces: Sequence[Piece], i: int) -> TimeRead | None:
    """`ten past 9`, `25 to 8`, `20 min past eight`, `thirty-six minutes past eight`."""
    count = _sixty(pieces, i)
    if count is None:
        return None
    minutes, j = count
    spelt_out = pieces[j].kind == w.UNIT and pieces[j].value == w.MINUTE
    if spelt_out:
        j += 1
    elif minutes not in (5, 10, 15, 20, 25):
        return None
    hour = _hour(pieces, j + 1)
    if hour is None or pieces[i - 1].text in ("from", "between") or counts_things(pieces, hour[1]):
        return None
    link = pieces[j].text
    if link in ("past", "after") and (spelt_out or link == "past"):
        return TimeRead(hour[0], minutes, hour[1])
    if link in ("to", "til", "till", "before") and (spelt_out or link != "before"):
        sure = spelt_out or pieces[hour[1]].kind in (w.MERIDIEM, w.PART)
        return _before(hour, minutes)._replace(sure=sure)
    return None


def _before(hour: tuple[int, int], minutes: int) -> TimeRead:
    """So many minutes before the hour: a quarter to one is 12:45."""
    n = hour[0] - 1
    return TimeRead(n if n > 0 else n + 12 if hour[0] == 1 else 23, 60 - minutes, hour[1])


def _military(pieces: Sequence[Piece], i: int) -> TimeRead | None:
    """`1430`, `930`, `715pm`, `1500 hours`."""
    piece, follow = pieces[i], pieces[i + 1]
    hour, minute = divmod(piece.value, 100)
    if hour > 23 or minute > 59 or piece.text.startswith("00") or piece.value < 100:
        return None
    if follow.kind == w.MERIDIEM and 1 <= hour <= 12:
        return TimeRead(hour, minute, i + 1)
    if follow.start == piece.end and follow.text in ("a", "p") and 1 <= hour <= 12:
        return TimeRead(hour, minute, i + 2, half=0 if follow.text == "a" else 12)
    half = 0 if piece.text[0] == "0" else None
    if follow.text in ("hours", "hrs", "hour", "h") and len(piece.text) == 4:
        return TimeRead(hour, minute, i + 2, half=half)
    if counts_things(pieces, i + 1) or _in_address(pieces, i + 1) or minute % 5:
        return None
    return TimeRead(hour, minute, i + 1, half=half, sure=False)


def _finish(pieces: Sequence[Piece], found: TimeRead) -> TimeRead:
    """Takes in what may follow any time: o'clock, a.m. or p.m., `sharp`, `or so`, `-ish`."""
    j = found.after
    if pieces[j].kind == w.OCLOCK:
        j += 1
        found = found._replace(sure=True)
    if pieces[j].kind == w.MERIDIEM:
        half = pieces[j].value
        found = found._replace(half=half if found.hour <= 12 else 12, sure=True)
        j += 1
    if pieces[j].text in ("ish", "ishh") or (pieces[j].text == "or" and pieces[j + 1].text in ("so", "thereabouts")):
        j += 1 if pieces[j].text != "or" else 2
        found = found._replace(approx=True)
    return found._replace(after=j)


def settle(found: TimeRead, part: int, *, later_than: time | None = None) -> tuple[time, time | None]:
    """The time meant, and the other reading when the half of the day is a guess.

    `part` is the part of the day said beside it (0 for none). With nothing to go by, an hour is taken to lie
    between 7:00 and 18:59, when people book. `later_than` is the beginning of a range that this time ends.
    """
    hour, minute = found.hour % 24, found.minute
    if hour > 12 or (hour == 0 and found.half is None and found.hour == 24):
        return time(hour, minute), None
    if found.half is not None:
        return time(hour % 12 + found.half, minute), None
    if part:
        return time(_in_part(hour, part), minute), None
    half = 0 if 7 <= hour <= 11 else 12
    if hour == 0:
        half = 0
    chosen, other = time(hour % 12 + half, minute), time(hour % 12 + 12 - half, minute)
    if later_than is not None and chosen <= later_than < other:
        chosen, other = other, chosen
    return chosen, other


def _in_part(hour: int, part: int) -> int:
    twelve = hour % 12
    if part == w.MORNING:
        return twelve
    if part == w.AFTERNOON:
        return twelve + 12 if twelve != 11 else 11
    if part == w.EVENING:
        return twelve + 12 if twelve else 12
    return twelve if twelve <= 4 else twelve + 12  # at night: up to four it is the small hours


def _hour(pieces: Sequence[Piece], i: int) -> tuple[int, int] | None:
    piece = pieces[i]
    if piece.kind == w.NUM and len(piece.text) <= 2 and piece.value <= 24:
        return piece.value, i + 1
    if piece.kind == w.NWORD and 1 <= piece.value <= 12:
        return piece.value, i + 1
    return (12, i + 1) if piece.kind == w.NAMED and piece.value == w.NOON else None


def _minutes(pieces: Sequence[Piece], j: int) -> tuple[int, int] | None:
    """The minutes in `12 30`, `six forty-three`, `nine oh five`; at least ten, or with their zero."""
    j = j + 1 if pieces[j].text == "-" and pieces[j + 1].kind == w.NWORD else j
    piece = pieces[j]
    if piece.kind == w.NUM and len(piece.text) == 2 and piece.value <= 59:
        return None if counts_things(pieces, j + 1) else (piece.value, j + 1)
    if piece.text in ("oh", "o") and pieces[j + 1].kind == w.NWORD and 1 <= pieces[j + 1].value <= 9:
        return pieces[j + 1].value, j + 2
    sixty = _sixty(pieces, j) if piece.kind == w.NWORD else None
    if sixty is None or sixty[0] < 10:
        return None
    if pieces[sixty[1]].text == "minutes":
        return sixty[0], sixty[1] + 1
    return None if counts_things(pieces, sixty[1]) else sixty


def _sixty(pieces: Sequence[Piece], i: int) -> tuple[int, int] | None:
    """A number of minutes, 1 to 59, in digits or words."""
    piece = pieces[i]
    if piece.kind != w.NWORD and not (piece.kind == w.NUM and len(piece.text) <= 2):
        return None
    number = read_count(pieces, i)
    return number if number and 1 <= number[0] <= 59 else None


def _in_address(pieces: Sequence[Piece], j: int) -> bool:
    """Whether a street name follows: `290 Ioof Avenue`, `at 5 Oak St`."""
    for piece in pieces[j : j + 4]:
        if piece.text in _STREETS:
            return piece is not pieces[j] or piece.text != "st"
        if piece.kind != w.WORD:
            return False
    return False


_HOUR_WORDS = {
    word: hour for hour, word in enumerate("one two three four five six seven eight nine ten eleven twelve".split(), 1)
}
_NOT_AN_HOUR = frozenset(
    "that this the which another each no any only first last other option number choice room suite apt apartment unit "
    "floor gate line bus flight route highway version step page chapter episode season size age aged every # / - . +"
    .split()
) - {"-", "."}  # fmt: skip
_STREETS = frozenset(
    "street avenue ave road rd boulevard blvd lane drive court square suite highway hwy parkway plaza terrace".split()
)
_READERS = {
    w.CLOCK: _clock, w.NAMED: _named, w.DOTTED: _dotted, w.NUM: _number, w.NWORD: _number, w.WORD: _worded,
}  # fmt: skip
