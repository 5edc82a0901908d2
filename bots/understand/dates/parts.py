"""What the readers of days and times share: small words, counts and years, and the arithmetic of the calendar."""

import calendar
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

from bots.understand.dates import words as w
from bots.understand.dates.words import Piece
from bots.understand.text import TENS


class Around(NamedTuple):
    """What a reading depends on: the clock in the business's zone, and how the business writes and means dates."""

    now: datetime
    asked: str | None
    dayfirst: bool
    past: bool

    @property
    def today(self) -> date:
        return self.now.date()

    @property
    def wants_day(self) -> bool:
        return self.asked in ("date", "when")


class DayRead(NamedTuple):
    start: date
    after: int  # the place where reading goes on
    end: date | None = None
    others: tuple[date, ...] = ()  # other days it may mean, likeliest first
    at: time | None = None  # "in two hours" is a day and a time at once
    weekday: int | None = None  # set when only a weekday was said, so that "next week, maybe Tuesday" can be joined
    numbered: bool = False  # only the number of the day was said


def read_ordinal(pieces: Sequence[Piece], i: int) -> tuple[int, int] | None:
    piece = pieces[i]
    if piece.kind in (w.ORD, w.OWORD):
        return piece.value, i + 1
    if piece.text in TENS and piece.value <= 30:
        j = i + 2 if pieces[i + 1].text == "-" else i + 1
        if pieces[j].kind == w.OWORD and pieces[j].value <= 9:
            return piece.value + pieces[j].value, j + 1
    return None


def read_count(pieces: Sequence[Piece], i: int) -> tuple[int, int] | None:
    piece = pieces[i]
    if piece.kind == w.NUM:
        return piece.value, i + 1
    if piece.kind == w.NWORD:
        if piece.text in TENS:
            j = i + 2 if pieces[i + 1].text == "-" else i + 1
            if pieces[j].kind == w.NWORD and 1 <= pieces[j].value <= 9:
                return piece.value + pieces[j].value, j + 1
        return piece.value, i + 1
    if piece.text in ("a", "an"):
        after = pieces[i + 1].text
        if after in ("couple", "few"):
            return (2 if after == "couple" else 3), skip(pieces, i + 2, ("of",))
        return 1, i + 1
    if piece.text in ("couple", "few"):
        return (2 if piece.text == "couple" else 3), skip(pieces, i + 1, ("of",))
    return None


def read_year(pieces: Sequence[Piece], j: int) -> tuple[int | None, int]:
    k = skip(pieces, j, (",", "of", "in", ".", "-", "/"), most=1)
    piece = pieces[k]
    if piece.kind == w.NUM and len(piece.text) == 4 and 1900 <= piece.value <= 2199:
        return piece.value, k + 1
    if piece.value == 2 and pieces[k + 1].text == "thousand":
        rest = read_count(pieces, skip(pieces, k + 2, ("and",)))
        return (2000 + rest[0], rest[1]) if rest and rest[0] < 100 else (2000, k + 2)
    if piece.kind == w.NUM and len(piece.text) == 2 and k == j + 1 and pieces[j].text == "of":
        return piece.value + (1900 if piece.value > 50 else 2000), k + 1
    return None, j


def dated(around: Around, month: int, day: int, year: int | None, after: int) -> DayRead:
    """Day and month, in the year said or the next that has it.

    A day earlier in this very month stays in this year, so that a bot can say "that is past" instead of
    offering a day eleven months off; the coming year's stands among the others.
    """
    if year is not None:
        return DayRead(date(year, month, day), after)
    today = around.today
    if day > 29 or month != 2:
        date(today.year, month, day)  # a ValueError here is a day no year has
    for year in range(today.year, today.year + 9) if not around.past else range(today.year, today.year - 9, -1):
        if day == 29 and month == 2 and not calendar.isleap(year):
            continue
        found = date(year, month, day)
        if around.past and found <= today:
            return DayRead(found, after)
        if not around.past and found >= today:
            return DayRead(found, after)
        if not around.past and year == today.year and month == today.month:
            return DayRead(found, after, others=(date(year + 1, month, min(day, 28) if month == 2 else day),))
    raise ValueError(f"no such day: {day}.{month}.")


def day_of_month(around: Around, day: int) -> date:
    return next(days_of_month(around, day))


def days_of_month(around: Around, day: int) -> Iterator[date]:
    """The days with this number, from today on (or back), for a year."""
    if not 1 <= day <= 31:
        raise ValueError(f"no such day: {day}")
    for step in range(14):
        year, month = shift_month(around.today, -step if around.past else step)
        if day <= calendar.monthrange(year, month)[1]:
            found = date(year, month, day)
            if (found <= around.today) if around.past else (found >= around.today):
                yield found


def shift_month(day: date, months: int) -> tuple[int, int]:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return year, month + 1


def monday_of(day: date) -> date:
    return day - timedelta(days=day.weekday())


def next_weekday(today: date, weekday: int) -> date:
    return today + timedelta(days=(weekday - today.weekday()) % 7 or 7)


def from_now(pieces: Sequence[Piece], j: int) -> int:
    """Where `from now`, `from today`, `later`, `away` end; 0 when they do not stand here."""
    if pieces[j].text == "away":
        return from_now(pieces, j + 1) or j + 1
    if pieces[j].text in ("from", "after") and pieces[j + 1].text in ("now", "today"):
        return j + 2
    if pieces[j].text in ("later", "hence", "out"):
        return j + 1
    return 0


def skip(pieces: Sequence[Piece], j: int, texts: tuple[str, ...], most: int = 2) -> int:
    for _ in range(most):
        if pieces[j].text not in texts or pieces[j].kind == w.END:
            break
        j += 1
    return j


def counts_things(pieces: Sequence[Piece], j: int) -> bool:
    """Whether the number before `j` counts people, rooms or the like, rather than naming a day or an hour."""
    piece, follow = pieces[j], pieces[j + 1].text
    if (piece.text in THINGS and piece.kind != w.PART) or piece.kind == w.JUNK:
        return True
    if piece.text == "of":
        return follow in ("us", "them", "my", "our", "the", "these", "those", "you")
    return piece.text in _SIZES and follow in THINGS


def read_length(pieces: Sequence[Piece], j: int) -> tuple[dict[int, int], int] | None:
    """Amounts by unit, and where they end; minutes carry the halves of hours."""
    if pieces[j].text == "half" and pieces[j + 1].text in ("an", "a") and pieces[j + 2].text in ("hour", "hr"):
        return {w.MINUTE: 30}, j + 3
    amounts: dict[int, int] = {}
    for _ in range(4):
        number = read_count(pieces, j)
        if number is None and not amounts and pieces[j].kind == w.UNIT and pieces[j].text in ("week", "fortnight"):
            number = 1, j
        if number is None or number[0] > 1000:
            break
        n, k = number
        working = pieces[k].text in ("business", "working") and pieces[k + 1].text in ("days", "day")
        if working:
            unit, k = w.WORKDAY, k + 1
        elif pieces[k].kind == w.UNIT:
            unit = pieces[k].value
        elif n == 1 and pieces[j].text in ("an", "a") and pieces[k].text == "half" and pieces[k + 1].text == "hour":
            unit, n, k = w.MINUTE, 90, k + 1
        else:
            break
        if unit == w.FORTNIGHT:
            unit, n = w.WEEK, n * 2
        amounts[unit] = amounts.get(unit, 0) + n
        j = k + 1
        if pieces[j].text == "and" and [p.text for p in pieces[j + 1 : j + 3]] == ["a", "half"] and unit == w.HOUR:
            amounts[w.MINUTE] = amounts.get(w.MINUTE, 0) + 30
            return amounts, j + 3
        k = skip(pieces, j, (",", "and"), most=1)
        more = read_count(pieces, k)
        if more is None or pieces[more[1]].kind != w.UNIT:
            break
        j = k
    return (amounts, j) if amounts else None


def shifted(base: datetime, amounts: dict[int, int], after: int) -> DayRead:
    months = amounts.get(w.MONTHS, 0) + 12 * amounts.get(w.YEAR, 0)
    if months:
        year, month = shift_month(base.date(), months)
        base = base.replace(year=year, month=month, day=min(base.day, calendar.monthrange(year, month)[1]))
    base += timedelta(days=amounts.get(w.DAY, 0) + 7 * amounts.get(w.WEEK, 0))
    for _ in range(min(abs(amounts.get(w.WORKDAY, 0)), 400)):
        base += timedelta(days=1)
        while base.weekday() >= 5:
            base += timedelta(days=1)
    minutes = amounts.get(w.MINUTE, 0) + 60 * amounts.get(w.HOUR, 0)
    if not amounts.keys() & {w.MINUTE, w.HOUR}:
        return DayRead(base.date(), after)
    # Added on the universal clock, so that two hours are two hours on the night the clocks change.
    moment = (base.timestamp() + minutes * 60) if base.tzinfo else 0
    when = datetime.fromtimestamp(moment, base.tzinfo) if base.tzinfo else base + timedelta(minutes=minutes)
    return DayRead(when.date(), after, at=when.time().replace(second=0, microsecond=0, fold=0))


_SIZES = frozenset("more other young small extra additional adult little big different female male".split())
THINGS = frozenset(
    "adult adults attendees babies baby bag bags bath bathrooms baths bed bedroom bedrooms beds boys bucks car cars "
    "cat cats child children choice choices cm day days diners dog dogs dollar dollars euro euros feet foot friend "
    "friends ft gents girls gm gms grams guest guests hour hours hr hrs inch inches items kg kgs kid kids km ladies "
    "lbs liters litres location locations man members men mile miles min mins minute minutes ml mm month months "
    "night nights option options passenger passengers pax people percent person persons pieces place places pound "
    "pounds ppl rider riders room rooms seat seats second seconds senior seniors servings star stars stop stops "
    "stylists table tables ticket tickets time times travelers travellers units week weeks woman women x year years "
    "yr yrs".split()
)
