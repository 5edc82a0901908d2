"""Reads the feasts people book around: Christmas, Easter, Thanksgiving and the like."""

from collections.abc import Sequence
from datetime import date, timedelta

from bots.understand.dates.parts import Around, DayRead, dated, read_year
from bots.understand.dates.words import Piece


def read(pieces: Sequence[Piece], i: int, around: Around) -> DayRead | None:
    said = [piece.text for piece in pieces[i : i + 4]]
    for name, (month, day) in _FEASTS.items():
        size = len(name)
        if tuple(said[:size]) != name:
            continue
        j = i + size
        if pieces[j].text == "day":
            j += 1
        elif pieces[j].text == "eve":
            j, day = j + 1, day - 1
        year, j = read_year(pieces, j)
        if month == 0:
            return _moveable(around, day, year, j)
        if day == 0:
            month, day = (month - 1 or 12), 31
        return dated(around, month, day, year, j)
    return None


def _moveable(around: Around, offset: int, year: int | None, after: int) -> DayRead:
    """Easter and the days counted from it; Thanksgiving is marked by an offset of 1000."""
    this_year = around.today.year
    day = _in_year(year or this_year, offset)
    if year is None and around.past and day > around.today:
        day = _in_year(this_year - 1, offset)
    elif year is None and not around.past and day < around.today:
        day = _in_year(this_year + 1, offset)
    return DayRead(day, after)


def _in_year(year: int, offset: int) -> date:
    if offset == 1000:  # the fourth Thursday of November
        first = date(year, 11, 1)
        return first + timedelta(days=(3 - first.weekday()) % 7 + 21)
    return _easter(year) + timedelta(days=offset)


def _easter(year: int) -> date:
    """Easter Sunday, Gregorian. Source: the anonymous algorithm in Meeus, Astronomical Algorithms, chapter 8."""
    a, (b, c) = year % 19, divmod(year, 100)
    (d, e), f = divmod(b, 4), (b + 8) // 25
    g = (b - f + 1) // 3
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    m = (32 + 2 * e + 2 * i - h - k) % 7
    n = (a + 11 * h + 22 * m) // 451
    month, day = divmod(h + m - 7 * n + 114, 31)
    return date(year, month, day + 1)


_FEASTS: dict[tuple[str, ...], tuple[int, int]] = {
    ("christmas",): (12, 25), ("xmas",): (12, 25), ("boxing",): (12, 26), ("halloween",): (10, 31),
    ("independence",): (7, 4), ("valentine",): (2, 14), ("valentines",): (2, 14), ("valentine's",): (2, 14),
    ("new", "year"): (1, 1), ("new", "years"): (1, 1), ("new", "year's"): (1, 1),
    ("st", "patrick"): (3, 17), ("st", "patricks"): (3, 17), ("st", "patrick's"): (3, 17),
    ("saint", "patrick"): (3, 17), ("saint", "patrick's"): (3, 17),
    ("thanksgiving",): (0, 1000), ("good", "friday"): (0, -2), ("easter", "monday"): (0, 1),
    ("easter", "sunday"): (0, 0), ("easter",): (0, 0),
}  # fmt: skip
