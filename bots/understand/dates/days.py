"""Reads one day, or a span of days, at a given place in a cut message."""

import calendar
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta

from bots.understand.dates import feasts
from bots.understand.dates import words as w
from bots.understand.dates.parts import (
    Around,
    DayRead,
    counts_things,
    dated,
    day_of_month,
    days_of_month,
    from_now,
    monday_of,
    next_weekday,
    read_count,
    read_length,
    read_ordinal,
    read_year,
    shift_month,
    shifted,
    skip,
)
from bots.understand.dates.words import Piece


def read(pieces: Sequence[Piece], i: int, around: Around) -> DayRead | None:
    """The day said at piece `i`, or None."""
    reader = _READERS.get(pieces[i].kind)
    if reader is None:
        return None
    try:
        return reader(pieces, i, around)
    except (ValueError, OverflowError):  # 31 April, the year 10000
        return None


def _word(pieces: Sequence[Piece], i: int, around: Around) -> DayRead | None:
    opener = OPENERS.get(pieces[i].text)
    return opener(pieces, i, around) if opener else None


# --- weekdays ---------------------------------------------------------------------------------------------------------


def _plural_weekday(pieces: Sequence[Piece], i: int, around: Around) -> DayRead | None:
    """`Mondays`, which answers "which day?" but elsewhere speaks of every Monday."""
    return _weekday(pieces, i, around) if around.wants_day else None


def _weekday(pieces: Sequence[Piece], i: int, around: Around, how: str = "") -> DayRead | None:
    piece = pieces[i]
    wanted = piece.value
    j = i + 1
    tied = _tied_date(pieces, j, around)
    if tied is not None:
        return _agree(tied, wanted, around)
    if piece.text in w.ALSO_WORDS and not how and not _framed(pieces, i):
        return None
    k = skip(pieces, j, ("of", "on", ",", "-", "the"))
    week = _week_words(pieces, k, around)
    if week is not None and (k > j or pieces[k].text != "week"):
        return DayRead(week[0] + timedelta(days=wanted), week[1])
    if pieces[j].text == "week" and pieces[j].kind == w.UNIT:  # "Friday week" is the Friday after
        return DayRead(next_weekday(around.today, wanted) + timedelta(days=7), j + 1)
    later = _offset(pieces, j + 1, around) if pieces[j].text == "in" else None
    if later is not None and later.at is None:  # "Tuesday in a week": the first Tuesday not before that
        return DayRead(later.start + timedelta(days=(wanted - later.start.weekday()) % 7), later.after)
    count = read_count(pieces, j)
    if count is not None and pieces[count[1]].kind == w.UNIT:
        spelt = _units_first(pieces, j, around)  # "Saturday, 3 days from now"
        if spelt is not None and spelt.at is None:
            return spelt
    day, others = _pick_weekday(around, wanted, how)
    return DayRead(day, j, others=others, weekday=wanted)


def _pick_weekday(around: Around, wanted: int, how: str) -> tuple[date, tuple[date, ...]]:
    today = around.today
    ahead = next_weekday(today, wanted)
    if how == "next":  # the one in the next Monday-to-Sunday week, as callers in every test set mean it
        day = monday_of(today) + timedelta(days=7 + wanted)
        return day, ((ahead,) if ahead != day else (ahead + timedelta(days=7),) if (day - today).days < 3 else ())
    if how == "last":
        return monday_of(today) + timedelta(days=wanted - 7), ()
    if how == "past" or (around.past and not how):
        return ahead - timedelta(days=7 if ahead - timedelta(days=7) < today else 14), ()
    return ahead, ((today,) if today.weekday() == wanted else ())


def _tied_date(pieces: Sequence[Piece], j: int, around: Around) -> DayRead | None:
    """The date written right after a weekday: `Friday the 4th`, `Fri, 4 March`, `Friday 7/6`."""
    j = skip(pieces, j, (",", "(", "-", "on", ".", "the"))
    piece = pieces[j]
    if piece.kind in (w.NUMDATE, w.ISO) or (piece.kind == w.DOTTED and pieces[j + 1].kind != w.MERIDIEM):
        return _numeric(pieces, j, around._replace(asked="date"))
    if piece.kind == w.MONTH:
        read_month = _month_first(pieces, j, around)
        return read_month if read_month is not None and read_month.end is None else None
    if piece.kind in (w.ORD, w.OWORD, w.NUM, w.NWORD):
        the = pieces[j - 1].text == "the"
        tied = _number_first(pieces, j, around, the=the)
        if tied is not None and tied.at is None and tied.end is None:
            return tied if tied.weekday is None else None
        number = read_count(pieces, j)
        if number and 13 <= number[0] <= 31 and not counts_things(pieces, number[1]) and _clear(pieces, number[1]):
            return DayRead(day_of_month(around, number[0]), number[1], numbered=True)
    return None


def _agree(tied: DayRead, wanted: int, around: Around) -> DayRead:
    """Weekday and date said together. Where they differ the date stands, unless only its number was said.

    "Tuesday the 2nd" looks ahead for a month in which the 2nd is a Tuesday; both simple readings stay as others.
    """
    if tied.start.weekday() == wanted:
        return tied._replace(others=())
    near = next_weekday(around.today, wanted)
    if not tied.numbered:
        return tied._replace(others=(near, *tied.others))
    for day in days_of_month(around, tied.start.day):
        if day.weekday() == wanted:
            return tied._replace(start=day, others=(near, tied.start))
    return tied._replace(others=(near,))


# --- months and numbers -----------------------------------------------------------------------------------------------


def _month_first(pieces: Sequence[Piece], i: int, around: Around, *, framed: bool = False) -> DayRead | None:
    month = pieces[i]
    j = skip(pieces, i + 1, (".", "-", "/", ",", "the"))
    ordinal = read_ordinal(pieces, j)
    if ordinal is None and pieces[j].kind in (w.NUM, w.NWORD) and len(pieces[j].text) != 4:
        ordinal = read_count(pieces, j)
    if ordinal is not None and 1 <= ordinal[0] <= 31 and _stands_alone(pieces, ordinal[1]):
        day, j = ordinal
        year, j = read_year(pieces, j)
        return dated(around, month.value, day, year, j)
    year, j = read_year(pieces, i + 1)
    named = month.text not in w.ALSO_WORDS or pieces[i - 1].text in _BEFORE_MONTH or framed
    if not named or not (framed or year or pieces[i - 1].text in _BEFORE_MONTH or around.wants_day):
        return None
    start = dated(around, month.value, 1, year, j).start
    if year is None and month.value == around.today.month:
        start = around.today if not around.past else start.replace(year=around.today.year)
    return DayRead(start, j, end=start.replace(day=calendar.monthrange(start.year, start.month)[1]))


def _number_first(pieces: Sequence[Piece], i: int, around: Around, *, the: bool = False) -> DayRead | None:
    ordinal = read_ordinal(pieces, i)
    number = ordinal or read_count(pieces, i)
    if number is None:
        return None
    n, j = number
    if 1 <= n <= 31:
        k = skip(pieces, j, ("of", "day", "the", "-", "/", ".", ",", "in"), most=3)
        verb = pieces[k].text in ("may", "march") and pieces[k + 1].text in _PRONOUNS
        joined = ordinal is not None or k == j or pieces[j].text in ("of", "-", "/", ".")
        if pieces[k].kind == w.MONTH and joined and not verb:
            year, after = read_year(pieces, k + 1)
            return dated(around, pieces[k].value, n, year, after)
        if ordinal is not None:
            numbered = _ordinal_of(pieces, n, j, around)
            if numbered is not None:
                return numbered
    if ordinal is None and pieces[j].kind in (w.WEEKDAY, w.WEEKDAYS) and 1 <= n <= 60:
        k = from_now(pieces, j + 1)
        if k:
            return DayRead(next_weekday(around.today, pieces[j].value) + timedelta(days=7 * (n - 1)), k)
    if pieces[j].kind == w.UNIT or pieces[j].text == "business":
        return _units_first(pieces, i, around)
    if not 1 <= n <= 31:
        return None
    piece = pieces[i]
    if ordinal is not None:
        first_free = pieces[j].text == "available" and pieces[j + 1].kind == w.WORD
        if counts_things(pieces, j) or pieces[j].text in _NOT_A_DATE or first_free:
            return None
        mine = pieces[i - 1].text in ("my", "your", "our", "his", "her", "their", "a", "only")
        if (piece.kind == w.ORD and not mine) or (n > 5 and the) or (around.wants_day and the):
            return DayRead(day_of_month(around, n), j, numbered=True)
        return None
    led = the or pieces[i - 1].text == "on" or (around.asked == "date" and pieces[i - 1].text in _BEFORE_BARE)
    if led and piece.kind == w.NUM and len(piece.text) <= 2 and _clear(pieces, j):
        return DayRead(day_of_month(around, n), j, numbered=True)
    return None


def _ordinal_of(pieces: Sequence[Piece], n: int, j: int, around: Around) -> DayRead | None:
    """`9th of this month`, `first Friday of July`, `2nd Monday of next month`."""
    weekday = pieces[j].value if pieces[j].kind == w.WEEKDAY else None
    j = j + 1 if weekday is not None else j
    k = skip(pieces, j, ("of", "day", "in", "on"), most=3)
    month: tuple[int, int] | None = None
    if weekday is not None and pieces[k].kind == w.MONTH and k > j:
        year, after = read_year(pieces, k + 1)
        first = dated(around, pieces[k].value, 28, year, after).start
        month = first.year, first.month
    else:
        named = _month_words(pieces, k, around)
        if named is None:
            return None
        month, after = named
    if weekday is None:
        day = date(month[0], month[1], n)
        if pieces[after - 2].text == "the":  # "the 9th of the month": the next one to come
            return DayRead(day_of_month(around, n), after, numbered=True)
        return DayRead(day, after)
    days = [d for d in calendar.Calendar().itermonthdates(*month) if d.month == month[1] and d.weekday() == weekday]
    return DayRead(days[n - 1], after) if n <= len(days) else None


def _last_of(pieces: Sequence[Piece], i: int, around: Around) -> DayRead | None:
    """`last Friday of the month`, at the weekday."""
    k = skip(pieces, i + 1, ("of", "in"), most=1)
    if k == i + 1:
        return None
    if pieces[k].kind == w.MONTH:
        first = dated(around, pieces[k].value, 28, None, k + 1).start
        month, after = (first.year, first.month), k + 1
    else:
        named = _month_words(pieces, k, around)
        if named is None:
            return None
        month, after = named
    last = date(*month, calendar.monthrange(*month)[1])
    return DayRead(last - timedelta(days=(last.weekday() - pieces[i].value) % 7), after)


def _numeric(pieces: Sequence[Piece], i: int, around: Around) -> DayRead | None:
    piece = pieces[i]
    numbers, j = piece.more, i + 1
    if piece.kind == w.ISO:
        at = time(numbers[3], numbers[4]) if len(numbers) >= 5 else None
        return DayRead(date(*numbers[:3]), j, at=at)
    if len(numbers) == 2:
        year, j = read_year(pieces, j)
        firm = around.wants_day or year or pieces[i - 1].text in ("on", "the") or pieces[i - 1].kind == w.WEEKDAY
        if not firm and ("/" not in piece.text or pieces[j].kind == w.UNIT or pieces[j].text in _FRACTION_OF):
            return None
        if piece.kind == w.DOTTED and (pieces[j].kind in (w.MERIDIEM, w.PART) or around.asked == "time"):
            return None
    else:
        year = numbers[2] + (0 if numbers[2] > 99 else 2000)
        if around.past and numbers[2] <= 99 and year > around.today.year:
            year -= 100
    first, second = numbers[0], numbers[1]
    orders = [(second, first), (first, second)] if around.dayfirst else [(first, second), (second, first)]
    found = [
        dated(around, month, day, year, j) for month, day in orders if 1 <= month <= 12 and 1 <= day <= 31
    ]  # fmt: skip
    if not found:
        return None
    others = tuple(other.start for other in found[1:] if other.start != found[0].start)
    return found[0]._replace(others=found[0].others + others)


# --- words that open a day --------------------------------------------------------------------------------------------


def _the(pieces: Sequence[Piece], i: int, around: Around) -> DayRead | None:
    after = pieces[i + 1]
    if after.kind in (w.NUM, w.ORD, w.OWORD, w.NWORD):
        return _number_first(pieces, i + 1, around, the=True)
    if after.kind == w.WORD or (after.kind == w.UNIT and after.text == "day"):
        return read(pieces, i + 1, around)
    return None


def _this_next(pieces: Sequence[Piece], i: int, around: Around) -> DayRead | None:
    """After `this`, `next`, `coming`, `last` and their company."""
    how, j = "", i
    while j - i < 3 and pieces[j].text in _HOW:
        how = _HOW[pieces[j].text] or how
        j += 1
    piece = pieces[j]
    if piece.kind == w.WEEKDAY:
        if pieces[i].text == "last":
            last = _last_of(pieces, j, around)
            if last is not None:
                return last
        return _weekday(pieces, j, around, how)
    if piece.kind == w.NAMED and piece.value == w.WEEKEND:
        return _weekend(j + 1, around, how)
    if piece.kind == w.UNIT and piece.text in ("week", "wk"):
        return _week(pieces, j, around, how)
    if piece.kind == w.UNIT and piece.text == "month":
        return _month(pieces, j, around, how)
    if piece.text == "day" and how in ("next", "last") and pieces[j - 1].text in ("next", "last"):
        return DayRead(around.today + timedelta(days=1 if how == "next" else -1), j + 1)
    if piece.kind == w.MONTH:
        return _month_first(pieces, j, around._replace(past=how in ("last", "past")), framed=True)
    if piece.kind in (w.ORD, w.NUMDATE):
        return read(pieces, j, around)
    if piece.kind == w.FEAST:
        return feasts.read(pieces, j, around._replace(past=how in ("last", "past")))
    return None


def _week(pieces: Sequence[Piece], j: int, around: Around, how: str) -> DayRead:
    """`next week`, `next week on Tuesday`, `next week Tuesday`, at the word week."""
    week, after = monday_of(around.today) + timedelta(days=_WEEKS[how]), j + 1
    k = skip(pieces, after, ("on", ",", "-", "the", "maybe"), most=2)
    if pieces[k].kind == w.WEEKDAY:
        return DayRead(week + timedelta(days=pieces[k].value), k + 1)
    start = max(week, around.today) if how in ("", "this") else week
    return DayRead(start, after, end=week + timedelta(days=6))


def _month(pieces: Sequence[Piece], j: int, around: Around, how: str) -> DayRead:
    year, month = shift_month(around.today, _MONTHS[how])
    k = skip(pieces, j + 1, ("on", ",", "the"))
    ordinal = read_ordinal(pieces, k)
    if ordinal is not None and pieces[k].kind == w.ORD:
        return DayRead(date(year, month, ordinal[0]), ordinal[1])
    start = date(year, month, 1)
    end = date(year, month, calendar.monthrange(year, month)[1])
    return DayRead(max(start, around.today) if how in ("", "this") else start, j + 1, end=end)


def _named(pieces: Sequence[Piece], i: int, around: Around) -> DayRead | None:
    return _weekend(i + 1, around, "") if pieces[i].value == w.WEEKEND else None


def _weekend(after: int, around: Around, how: str) -> DayRead:
    today = around.today
    saturday = monday_of(today) + timedelta(days=5 + {"next": 7, "last": -7, "past": -7}.get(how, 0))
    return DayRead(max(saturday, today) if how in ("", "this") else saturday, after, end=saturday + timedelta(days=1))


def _in(pieces: Sequence[Piece], i: int, around: Around) -> DayRead | None:
    j = skip(pieces, i + 1, ("about", "around", "another", "approximately", "roughly", "like", "just", "exactly"))
    if pieces[j].kind == w.MONTH and j == i + 1:
        return _month_first(pieces, j, around, framed=True)
    return _offset(pieces, j, around)


def _article(pieces: Sequence[Piece], i: int, around: Around) -> DayRead | None:
    return _units_first(pieces, i, around)


def _day_word(pieces: Sequence[Piece], i: int, around: Around) -> DayRead | None:
    """`day after tomorrow`, `day before Christmas`, `week from Friday`, `week after next`."""
    text, link, named = pieces[i].text, pieces[i + 1].text, pieces[i + 2]
    if text == "day" and link in ("after", "before"):
        near = read(pieces, i + 2, around)
        if near is None or near.end is not None or near.at is not None:
            return None
        return DayRead(near.start + timedelta(days=1 if link == "after" else -1), near.after)
    if text == "week" and (link, named.text) == ("after", "next"):
        week = monday_of(around.today) + timedelta(days=14)
        return DayRead(week, i + 3, end=week + timedelta(days=6))
    if text in ("week", "fortnight") and link in ("from", "on", "after", "tomorrow", "today"):
        return _units_first(pieces, i, around)
    return None


def _end_of(pieces: Sequence[Piece], i: int, around: Around) -> DayRead | None:
    """`end of the month`, `end of this week`: its last days; `start`, `beginning`: its first."""
    if pieces[i + 1].text != "of":
        return None
    j = skip(pieces, i + 2, ("the",))
    span = read(pieces, j, around) if pieces[j].kind != w.UNIT else None
    if pieces[j].text == "week":
        span = _week(pieces, j, around, "")
    elif pieces[j].text == "month":
        span = _month(pieces, j, around, "")
    if span is None or span.end is None:
        return None
    days = 3 if (span.end - span.start).days > 7 else 1
    if pieces[i].text == "end":
        return span._replace(start=max(span.start, span.end - timedelta(days=days)))
    return span._replace(end=min(span.end, span.start + timedelta(days=days)))


def _relative(pieces: Sequence[Piece], i: int, around: Around) -> DayRead | None:
    value = pieces[i].value
    if value == w.TODAY and _closes(pieces, i):
        return None
    if pieces[i + 1].text == "week" and value in (w.TODAY, w.TOMORROW):
        value += 7
        return DayRead(around.today + timedelta(days=value), i + 2)
    return DayRead(around.today + timedelta(days=0 if value == w.TONIGHT else value), i + 1)


def _closes(pieces: Sequence[Piece], i: int) -> bool:
    """Whether `today` only rounds off a conversation: "that's all for today", "thanks for your help today"."""
    said = [piece.text for piece in pieces[max(0, i - 4) : i]]
    if said[-1:] == ["for"]:
        said = said[:-1]
        done = said[-1:] == ["it"] and bool(_THAT & set(said))
        return done or bool(_ALL & set(said[-1:]))
    return bool(_HELP & set(said[-1:]))


# --- counting from a day ----------------------------------------------------------------------------------------------


def _offset(pieces: Sequence[Piece], j: int, around: Around) -> DayRead | None:
    """`two hours`, `a week`, `half an hour`, `four business days`, `3 weeks' time`, counted from now."""
    length = read_length(pieces, j)
    if length is None:
        return None
    amounts, j = length
    if pieces[j].text in ("time", "ago") and pieces[j - 1].kind == w.UNIT:
        if pieces[j].text == "ago":
            return None
        j += 1
    k = from_now(pieces, j)
    return shifted(around.now, amounts, k or j)


def _units_first(pieces: Sequence[Piece], i: int, around: Around) -> DayRead | None:
    """`3 days ago`, `two weeks from tomorrow`, `a week on Friday`, `20 minutes later`."""
    length = read_length(pieces, i)
    if length is None:
        return None
    amounts, j = length
    text = pieces[j].text
    if text == "ago":
        return shifted(around.now, {unit: -n for unit, n in amounts.items()}, j + 1)
    ends = from_now(pieces, j)
    if ends:
        return shifted(around.now, amounts, ends)
    if text in ("today", "tomorrow") and set(amounts) == {w.WEEK}:  # "a week tomorrow"
        days = amounts[w.WEEK] * 7 + pieces[j].value
        return DayRead(around.today + timedelta(days=days), j + 1)
    if text not in ("from", "after", "before", "on") or amounts.keys() & {w.MINUTE, w.HOUR}:
        return None
    if text == "on" and set(amounts) != {w.WEEK}:
        return None
    start = read(pieces, skip(pieces, j + 1, ("this",)), around)
    if start is None or start.at is not None or start.end is not None:
        return None
    dated = start.weekday is None and pieces[start.after - 1].kind != w.REL
    if text == "from" and dated and set(amounts) == {w.DAY}:  # "7 days from the 4th" is a stay that begins on the 4th
        return start
    sign = -1 if text == "before" else 1
    base = datetime.combine(start.start, time(), tzinfo=around.now.tzinfo)
    return shifted(base, {unit: sign * n for unit, n in amounts.items()}, start.after)


def _week_words(pieces: Sequence[Piece], k: int, around: Around) -> tuple[date, int] | None:
    """The Monday of `next week`, `this week`, `the week after next`, and where the words end."""
    if pieces[k].text in _HOW and pieces[k + 1].text in ("week", "wk"):
        return monday_of(around.today) + timedelta(days=_WEEKS[_HOW[pieces[k].text]]), k + 2
    if pieces[k].text == "week" and [piece.text for piece in pieces[k + 1 : k + 3]] == ["after", "next"]:
        return monday_of(around.today) + timedelta(days=14), k + 3
    return None


def _month_words(pieces: Sequence[Piece], k: int, around: Around) -> tuple[tuple[int, int], int] | None:
    """Year and month of `this month`, `next month`, `the month`, and where the words end."""
    how = "" if pieces[k].text == "the" else _HOW.get(pieces[k].text)
    if how is None or pieces[k + 1].text != "month":
        return None
    return shift_month(around.today, _MONTHS[how]), k + 2


def _framed(pieces: Sequence[Piece], i: int) -> bool:
    """Whether a short name such as `sat` or `sun` stands where a day would: after `on`, before a time, or alone."""
    before, after = pieces[i - 1], pieces[i + 1]
    return (
        before.text in _BEFORE_SHORT
        or before.kind in (w.END, w.WEEKDAY, w.CLOCK, w.MERIDIEM)
        or after.kind in (w.NUM, w.CLOCK, w.PART, w.ORD)
        or after.text in ("at", "@", "or", "to", "between", "around")
    )


def _stands_alone(pieces: Sequence[Piece], j: int) -> bool:
    return not counts_things(pieces, j) and pieces[j].kind != w.MERIDIEM and pieces[j].kind != w.OCLOCK


def _clear(pieces: Sequence[Piece], j: int) -> bool:
    """Whether what follows a bare number lets it be a day: an end, punctuation or a little word."""
    piece = pieces[j]
    if piece.text == "in" and w.PART in (pieces[j + 1].kind, pieces[j + 2].kind):
        return False  # "the 6 in the evening" is an hour
    return piece.kind in (w.END, w.PUNCT, w.CLOCK) or piece.text in _AFTER_BARE


_HOW = {
    "this": "this", "next": "next", "coming": "this", "upcoming": "this", "following": "following", "current": "this",
    "last": "last", "past": "past", "previous": "last", "nearest": "this", "the": "",
}  # fmt: skip
_WEEKS = {"": 0, "this": 0, "next": 7, "following": 7, "last": -7, "past": -7}
_MONTHS = {"": 0, "this": 0, "next": 1, "following": 1, "last": -1, "past": -1}
_BEFORE_SHORT = frozenset("on this next coming until till to or by from before after ,".split())
_PRONOUNS = frozenset("i we you he she they it".split())
_BEFORE_MONTH = frozenset("in for during by until till after before from of since".split())
_BEFORE_BARE = frozenset(["", "on", "the", "it", "maybe", "say", "then", "yes", ",", "ok", "to", "be"])
_AFTER_BARE = frozenset(
    "at for please pls in is would works around from to or and if through until with then instead either sounds by "
    "after before thanks thank will on would".split()
)
_NOT_A_DATE = frozenset(
    "one ones option choice floor street avenue ave road st time times person appt slot birthday grade class visit try "
    "half place thing two three opening session week order match deposit payment month lesson game contest".split()
)
_FRACTION_OF = frozenset("of cup inch a an off star stars".split())
_THAT = frozenset("that's thats is".split())
_ALL = frozenset("all done everything enough help need needed".split())
_HELP = frozenset("help assistance service all".split())
OPENERS = {
    "the": _the, "in": _in, "a": _article, "an": _article, "couple": _article, "few": _article, "day": _day_word,
    "week": _day_word, "fortnight": _day_word, "end": _end_of, "beginning": _end_of, "start": _end_of,
    **{word: _this_next for word in _HOW if word != "the"},
}  # fmt: skip
_READERS = {
    w.WORD: _word, w.UNIT: _word, w.WEEKDAY: _weekday, w.WEEKDAYS: _plural_weekday, w.MONTH: _month_first,
    w.REL: _relative, w.ISO: _numeric, w.NUMDATE: _numeric, w.DOTTED: _numeric, w.NUM: _number_first,
    w.ORD: _number_first, w.NWORD: _number_first, w.OWORD: _number_first, w.NAMED: _named, w.FEAST: feasts.read,
}  # fmt: skip
