"""The day and time a customer means: finds the days, times and parts of the day in a message and joins them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from typing import Literal, NamedTuple

from bots.understand.dates import days, times
from bots.understand.dates import words as w
from bots.understand.dates.parts import Around, DayRead, counts_things, read_count
from bots.understand.dates.times import TimeRead
from bots.understand.dates.words import Piece
from bots.understand.text import Folded, fold

Asked = Literal["date", "time", "when"] | None
Part = Literal["morning", "afternoon", "evening"] | None
Edge = Literal["after", "before"] | None
_Time = time  # inside When, `time` is the field


@dataclass(frozen=True, slots=True)
class When:
    """A day, a time, or both; ranges have an end. Times and days are the business's own, without a zone."""

    day: date | None = None
    end_day: date | None = None  # inclusive: "next week" is its Monday to its Sunday
    time: _Time | None = None
    end_time: _Time | None = None
    part: Part = None
    approx: bool = False  # around, about, -ish
    edge: Edge = None  # "after 5" and "before Friday": `time`, or else `day`, is a bound and not the wish itself
    span: str = ""  # the customer's words from the first to the last that were read
    day_at: tuple[int, int] | None = None  # where in the message the day stood
    time_at: tuple[int, int] | None = None  # where the time or the part of the day stood
    alternatives: tuple["When", ...] = ()  # other readings and other wishes ("Monday or Tuesday"), likeliest first


def parse(
    text: str,
    *,
    now: datetime,
    asked: Asked = None,
    dayfirst: bool = False,
    prefer: Literal["future", "past"] = "future",
) -> When | None:
    """The day and time meant in `text`, or None when it names neither.

    `now` is the clock in the business's zone. `asked` is what the bot has just asked for: a bare "4" is a time
    after "what time?" and the 4th after "which day?", and nothing otherwise. `dayfirst` reads 3/4 as 3 April.

    Choices that people argue about:
    - A bare weekday is the next one to come, never today (today is the alternative). "This Friday" is the same.
    - "Next Friday" is the Friday of the next Monday-to-Sunday week: said on Friday 1 March, even at 23:59, it is
      the 8th; said on Monday the 4th it is the 15th, with the 8th as the alternative.
    - A day without a year is the next to come, today included. A day already past in this very month stays past,
      so that the bot can say so. 29 February waits for a leap year; 31 looks for a month that has one.
    - When weekday and date disagree the date stands and the weekday's day is the alternative; a bare number
      ("Tuesday the 2nd") looks for a month where both are right.
    - An hour without a.m. or p.m. lies between 7:00 and 18:59; the other half of the day is the alternative.
    - "After 5", "before noon" and "by Friday" give the bound and say so in `edge`.
    """
    folded = fold(text)
    pieces, hopeful = w.cut(folded)
    if not hopeful:
        return None
    around = Around(now, asked, dayfirst, prefer == "past")
    found = _find(pieces, around)
    return _join(found, pieces, folded, around) if found else None


class _Found(NamedTuple):
    """One thing read, with the pieces [first, after) it took and the little word before it."""

    first: int
    after: int
    lead: str
    day: DayRead | None = None
    time: TimeRead | None = None
    part: int = 0
    weight: int = 0  # how sure it is that this is a time: "6:45" beats "at 6", which beats the "for 2" of an answer


_SURE, _LED, _ANSWERED, _NO = 3, 2, 1, 0
_ENOUGH = 12  # days and times in one message; whoever names more is not booking
_TRIES = 150  # words and numbers that might begin one


def _find(pieces: Sequence[Piece], around: Around) -> list[_Found]:
    found: list[_Found] = []
    i = tries = 0
    while pieces[i].kind != w.END and len(found) < _ENOUGH and tries < _TRIES:
        piece = pieces[i]
        idle = piece.kind == w.PUNCT or (piece.kind == w.WORD and not _may_begin(piece.text))
        item = None if idle else _read_one(pieces, i, around, found)
        tries += not idle
        if item is None:
            i += 1
        else:
            found.append(item)
            i = item.after
    return found


def _may_begin(word: str) -> bool:
    return word in _BEGINNINGS or word.endswith("ish")


def _read_one(pieces: Sequence[Piece], i: int, around: Around, found: Sequence[_Found]) -> _Found | None:
    piece = pieces[i]
    if piece.kind in (w.PUNCT, w.JUNK, w.OCLOCK):
        return None
    lead = _lead(pieces, i)
    day = _rest_of_range(pieces, i, found) or days.read(pieces, i, around)
    time_ = times.read(pieces, i)
    weight = _weigh(pieces, i, time_, lead, around, found) if time_ is not None else _NO
    if not weight:
        time_ = None
    if day is not None and time_ is not None:
        day, time_ = (None, time_) if time_.after > day.after or around.asked == "time" else (day, None)
    if day is not None:
        return _Found(i, day.after, lead, day=day, part=w.NIGHT if piece.value == w.TONIGHT else 0)
    if time_ is not None:
        return _Found(i, time_.after, lead, time=time_, weight=weight)
    return _part(pieces, i, lead, around, found)


def _rest_of_range(pieces: Sequence[Piece], i: int, found: Sequence[_Found]) -> DayRead | None:
    """The 22 in `February 14 to 22`."""
    first, piece = (found[-1] if found else None), pieces[i]
    if piece.kind != w.NUM or first is None or first.day is None or first.after != i - 1:
        return None
    if pieces[i - 1].text not in _LINKS - {"and", "or"} or pieces[first.after - 1].kind not in (w.NUM, w.ORD, w.MONTH):
        return None
    start = first.day.start
    if not start.day < piece.value <= 31 or pieces[i + 1].kind in (w.MERIDIEM, w.OCLOCK, w.UNIT, w.MONTH):
        return None
    try:
        return DayRead(start.replace(day=piece.value), i + 1)
    except ValueError:
        return None


def _lead(pieces: Sequence[Piece], i: int) -> str:
    """The word before, skipping what says nothing: `at about 5` leads with about, `after around 5` too."""
    j = i - 1
    while j >= 0 and pieces[j].text in ("the", "exactly", "just", "like", "in", ",") and j > i - 3:
        j -= 1
    return pieces[j].text if j >= 0 else ""


def _weigh(pieces: Sequence[Piece], i: int, read: TimeRead, lead: str, around: Around, found: Sequence[_Found]) -> int:
    """How surely a number is a time, going by its company."""
    if read.sure:
        return _SURE
    before, follow = pieces[i - 1], pieces[read.after]
    if read.bare and follow.text in _LINKS:
        more = read_count(pieces, read.after + 1)
        if more is not None and counts_things(pieces, more[1]):  # "between 2 and 4 people"
            return _NO
        if follow.text == "or" and pieces[read.after + 1].text in ("later", "after", "earlier", "before"):
            return _LED
    one = pieces[i].text == "one"
    if before.kind == w.NUM or (before.text in ("-", "/") and not found) or (one and follow.text in ("of", "at")):
        return _NO
    if lead in _TIME_LEADS or (lead == "than" and pieces[i - 2].text in ("earlier", "later", "sooner")):
        return _NO if read.bare and _counts_unknown(pieces, read.after, lead) else _LED
    if follow.text == "night" and read.after == i + 1:
        return _NO
    if follow.kind == w.PART and (before.text not in _COUNTING or not read.bare):
        return _LED
    if follow.text in ("in", "at", "this") and _names_part(pieces, read.after):
        return _LED
    last = found[-1] if found else None
    if last is not None and last.time is not None and before.text in _LINKS and last.after >= i - 1:
        return _LED
    if one:
        return _ANSWERED if around.asked == "time" and _ends(pieces, read.after) else _NO
    if last is not None and (last.after == i or (last.after == i - 1 and before.text == "," and last.day is not None)):
        return _LED
    ahead_of = pieces[read.after + 1] if follow.text == "," else follow
    if read.bare and ahead_of.kind == w.REL and before.text not in _COUNTING:
        return _LED
    if follow.text in _LINKS and follow.text != "and" and read.bare:
        ahead = times.read(pieces, read.after + 1)
        if ahead is not None and ahead.sure:
            return _LED
    if around.asked == "time":
        return _ANSWERED if not read.bare or (lead in _ANSWER_LEADS and _ends(pieces, read.after)) else _NO
    return _ANSWERED if around.asked == "when" and not read.bare else _NO


def _counts_unknown(pieces: Sequence[Piece], j: int, lead: str) -> bool:
    """Whether a bare number before a word nobody listed counts that: "at two shops", "from one account"."""
    piece = pieces[j]
    if piece.kind != w.WORD or piece.text in _AFTER_ANSWER or piece.text in _LINKS:
        return False
    plural = piece.text.endswith("s") and len(piece.text) > 3 and piece.text != "this"
    return plural or piece.text in ("different", "separate") or lead not in ("at", "@")


def _ends(pieces: Sequence[Piece], j: int) -> bool:
    """Whether what follows a bare number lets it be the whole answer."""
    return pieces[j].kind in (w.END, w.PUNCT, w.REL, w.WEEKDAY) or pieces[j].text in _AFTER_ANSWER


def _names_part(pieces: Sequence[Piece], j: int) -> bool:
    k = j + 1
    while pieces[k].text in ("the", "early", "late") and k < j + 3:
        k += 1
    return pieces[k].kind == w.PART


def _part(pieces: Sequence[Piece], i: int, lead: str, around: Around, found: Sequence[_Found]) -> _Found | None:
    piece = pieces[i]
    if piece.text == "now" and lead in ("from", "starting"):  # "from now until Friday"
        return _Found(i, i + 1, lead, day=DayRead(around.today, i + 1))
    if piece.text == "first" and pieces[i + 1].text == "thing":
        return _Found(i, i + 2, lead, part=w.MORNING)
    if piece.text in ("after", "before") and pieces[i + 1].text in _MEALS:
        return _Found(i, i + 2, "", part=w.MORNING if piece.text == "before" else _MEALS[pieces[i + 1].text])
    if piece.kind != w.PART:
        return None
    before, follow = pieces[i - 1], pieces[i + 1]
    if before.text == "good" or (i == 0 and around.asked is None and follow.kind in (w.PUNCT, w.END)):
        return None  # a greeting
    counted = piece.text == "night" and before.kind in (w.NUM, w.NWORD)
    if counted and not (found and found[-1].time):  # "for 1 night"
        return None
    if follow.text in ("tea", "dress", "gown", "club", "wear", "sickness", "cream", "light", "guard", "stand"):
        return None
    day = None
    if before.text == "this":
        day = DayRead(around.today, i + 1)
    elif before.text == "last" and piece.value in (w.NIGHT, w.EVENING):
        day = DayRead(around.today - timedelta(days=1), i + 1)
    return _Found(i - 1 if day else i, i + 1, lead, day=day, part=piece.value)


# --- joining ----------------------------------------------------------------------------------------------------------


def _join(found: list[_Found], pieces: Sequence[Piece], folded: Folded, around: Around) -> When | None:
    found = _without_refused(found, pieces, around)
    day_items = [item for item in found if item.day is not None]
    time_items = [item for item in found if item.time is not None]
    part_items = [item for item in found if item.part]
    if not (day_items or time_items or part_items):
        return None
    chosen_days, day_range, other_days = _choose(day_items, pieces)
    chosen_times, time_range, other_times = _choose(time_items, pieces)
    chosen_days, other_days = _within_span(chosen_days, other_days)

    day, end_day, more_days = _days_of(chosen_days, day_range)
    clock, end_clock, more_clocks = _times_of(chosen_times, time_range, part_items, around, day)
    moment = next((item.day for item in chosen_days if item.day is not None and item.day.at is not None), None)
    if moment is not None and clock is None:
        clock = moment.at
    part = 0 if clock is not None else (part_items[-1].part if part_items else 0)
    lead_item = chosen_times[0] if chosen_times else chosen_days[0] if chosen_days else None
    places_day = [item for item in chosen_days if item.day]
    places_time = chosen_times or [item for item in part_items if item.day is None]
    used = [*places_day, *places_time]
    if not used:
        used = part_items
    when = When(
        day=day,
        end_day=end_day,
        time=clock,
        end_time=end_clock,
        part=_PARTS[part],
        approx=any(item.time and (item.time.approx or item.lead in _ROUGHLY) for item in chosen_times),
        edge=_edge(lead_item, pieces) if lead_item and not (end_clock or time_range or day_range) else None,
        span=folded.cut(pieces[min(i.first for i in used)].start, pieces[max(i.after for i in used) - 1].end),
        day_at=_place(places_day, pieces, folded),
        time_at=_place(places_time, pieces, folded),
    )
    others = [replace(when, day=d, end_day=None) for d in more_days]
    others += [replace(when, time=t, end_time=None) for t in more_clocks]
    paired = len(other_days) == len(other_times)  # "Monday at 9 or Tuesday at 10"
    clocks = [times.settle(i.time, _part_near(i, part_items))[0] for i in other_times if i.time]
    for n, item in enumerate(other_days):
        if item.day is not None:
            clock = clocks[n] if paired else when.time
            others.append(replace(when, day=item.day.start, end_day=item.day.end, time=clock))
    if not paired:
        others += [replace(when, time=clock, end_time=None) for clock in clocks]
    return replace(when, alternatives=tuple(others[:4])) if others else when


def _choose(items: list[_Found], pieces: Sequence[Piece]) -> tuple[list[_Found], bool, list[_Found]]:
    """The item or range meant, whether it is a range, and the other wishes."""
    if len(items) < 2:
        return items, False, []
    if _says_or(items, pieces):
        return items[:1], False, items[1:]
    for first, second in pairwise(items):
        if _links(first, second, pieces) and not _corrects([first, second], pieces):
            return [first, second], True, []
    best = max(item.weight for item in items)
    items = [item for item in items if item.weight == best]
    if len(items) > 1 and _corrects(items, pieces):
        return items[-1:], False, []
    return items[:1], False, items[1:]


def _between(first: _Found, second: _Found, pieces: Sequence[Piece]) -> list[str]:
    return [piece.text for piece in pieces[first.after : second.first]]


def _links(first: _Found, second: _Found, pieces: Sequence[Piece]) -> bool:
    between = [text for text in _between(first, second, pieces) if text not in ("the", "about", "around", "at")]
    if first.lead == "between" and between and between[-1] == "and":
        return True
    return bool(between) and between[-1] in ("to", "-", "until", "till", "til", "through", "thru") and len(between) <= 4


def _says_or(items: list[_Found], pieces: Sequence[Piece]) -> bool:
    return any("or" in _between(a, b, pieces)[-2:] for a, b in pairwise(items))


def _corrects(items: list[_Found], pieces: Sequence[Piece]) -> bool:
    """Whether the last was said to replace the one before: `no wait`, `make it`, `move it from 3 to 4`."""
    between = _between(items[-2], items[-1], pieces)
    if set(between) & _CORRECTIONS:
        return True
    earlier = {piece.text for piece in pieces[: items[-2].first]}
    return between[-1:] == ["to"] and bool((earlier | set(between[:-1])) & _MOVES)


def _without_refused(found: list[_Found], pieces: Sequence[Piece], around: Around) -> list[_Found]:
    """Leaves out what the customer ruled out: `not Monday`, and, when asked for one, `I can't do Friday`."""
    kept = []
    refused: _Found | None = None
    for item in found:
        follows = refused is not None and _between(refused, item, pieces) in (["or"], ["and"])
        if follows or _is_refused(item, pieces, around, alone=len(found) == 1):
            refused = item
        else:
            kept.append(item)
    return kept


def _is_refused(item: _Found, pieces: Sequence[Piece], around: Around, *, alone: bool) -> bool:
    if item.first == 0 and around.asked is None:
        return False
    before = _clause_before(pieces, item.first)
    close = [text for text in before[-3:] if text not in ("on", "at", "the", "for")]
    if close and close[-1] in ("not", "except", "isn't", "besides"):
        return True
    if before[-2:] in (["instead", "of"], ["rather", "than"]):
        return True
    if pieces[item.first - 1].text == "but" and pieces[item.first - 3].text in ("any", "every"):  # "any day but Monday"
        return True
    if around.asked is not None and _ruled_out(before, pieces, item.after):
        return True
    # "Can we do 1? I forgot I have something at 2."
    taken = set(before) & {"something", "plans"} and set(before) & {"have", "had", "got"}
    return not alone and ("busy" in before or bool(taken))


def _clause_before(pieces: Sequence[Piece], first: int) -> list[str]:
    """Up to four words before a place, no further back than the last punctuation."""
    words: list[str] = []
    for piece in reversed(pieces[max(0, first - 4) : first]):
        if piece.kind == w.PUNCT or piece.text == "but":
            break
        words.insert(0, piece.text)
    return words


def _ruled_out(before: list[str], pieces: Sequence[Piece], after: int) -> bool:
    if set(before) & _CANNOT and not set(before) & {"before", "after", "until"}:
        return True
    following = [piece.text for piece in pieces[after : after + 4] if piece.text != ","]
    return tuple(following[:2]) in _UNFIT or tuple(following[:3]) in _UNFIT


def _within_span(chosen: list[_Found], others: list[_Found]) -> tuple[list[_Found], list[_Found]]:
    """Joins `next week ... Tuesday`: a weekday said beside a week is the day in that week."""
    items = sorted([*chosen, *others], key=lambda item: item.first)
    days_said = [item.day for item in items if item.day is not None]
    weekdays = [day.weekday for day in days_said if day.weekday is not None]
    ends = [day.end for day in days_said if day.end is not None and (day.end - day.start).days <= 6]
    if len(days_said) != 2 or len(weekdays) != 1 or len(ends) != 1:
        return chosen, others
    joined = DayRead(ends[0] - timedelta(days=6 - weekdays[0]), items[1].after)
    return [items[0]._replace(day=joined, after=items[1].after)], []


def _days_of(items: list[_Found], is_range: bool) -> tuple[date | None, date | None, list[date]]:
    if not items or items[0].day is None:
        return None, None, []
    first = items[0].day
    if not is_range or items[1].day is None:
        return first.start, first.end, list(first.others)
    start, end = first, items[1].day
    if start.numbered and not end.numbered and end.weekday is None and start.start.day <= end.start.day:
        start = start._replace(start=end.start.replace(day=start.start.day))  # "from the 3rd to the 6th of January"
    last = end.end or end.start
    if last < start.start:
        last = _later(last, start.start, end)
    return start.start, last, []


def _later(last: date, start: date, read: DayRead) -> date:
    """The same weekday, day of the month or day of the year, not before the start of its range."""
    if read.weekday is not None:
        return start + timedelta(days=(last - start).days % 7)
    for _ in range(24):
        if last >= start:
            break
        year, month = last.year + (0 if read.numbered else 1), last.month
        if read.numbered:
            year, month = divmod(year * 12 + month, 12)
            month += 1
        try:
            last = date(year, month, last.day)
        except ValueError:
            last = date(year, month, 28)
    return last


def _times_of(
    items: list[_Found], is_range: bool, parts: list[_Found], around: Around, day: date | None
) -> tuple[_Time | None, _Time | None, list[_Time]]:
    if not items or items[0].time is None:
        return None, None, []
    first = items[0].time
    if is_range and items[1].time is not None:
        end = items[1].time
        if first.half is None and end.half is not None and not _part_near(items[0], parts):
            first = _before_end(first, end)
        begins, _ = times.settle(first, _part_near(items[0], parts))
        ends, other = times.settle(end, _part_near(items[1], parts), later_than=begins)
        if ends <= begins and other is not None and other > begins:
            ends = other
        return begins, ends, []
    chosen, other = times.settle(first, _part_near(items[0], parts))
    if other is not None and day == around.today and chosen <= around.now.time() < other:
        chosen, other = other, chosen
    return chosen, None, [other] if other is not None else []


def _before_end(first: TimeRead, end: TimeRead) -> TimeRead:
    """`2-4pm` begins at two in the afternoon, `11-1pm` at eleven in the morning."""
    ends, _ = times.settle(end, 0)
    late = first._replace(half=12)
    if first.hour <= 12 and times.settle(late, 0)[0] >= ends:
        return first._replace(half=0)
    return late if first.hour <= 12 else first


def _part_near(item: _Found, parts: list[_Found]) -> int:
    """The part of the day said closest to a time; one that another time stands between does not count twice."""
    if not parts:
        return 0
    return min(parts, key=lambda part: (max(part.first - item.after, item.first - part.after), part.first)).part


def _edge(item: _Found, pieces: Sequence[Piece]) -> Edge:
    before = [piece.text for piece in pieces[max(0, item.first - 4) : item.first] if piece.text not in _FILL]
    after = [piece.text for piece in pieces[item.after : item.after + 3]]
    lead = before[-1] if before else ""
    if lead == "than" and before[-2:-1]:
        later = before[-2] in ("later", "more")
        later = not later if before[-3:-2] == ["no"] or before[-3:-2] == ["not"] else later
        return "after" if later else "before"
    if lead in ("after", "from", "since", "past"):
        return "after"
    if lead in ("before", "by", "until", "till", "til"):
        return "after" if lead == "before" and before[-2:-1] == ["not"] else "before"
    if after[:2] in (["or", "later"], ["or", "after"], ["and", "later"]) or after[:1] in (["onwards"], ["onward"]):
        return "after"
    return "before" if after[:2] in (["or", "earlier"], ["or", "before"], ["or", "sooner"]) else None


def _place(items: list[_Found], pieces: Sequence[Piece], folded: Folded) -> tuple[int, int] | None:
    if not items:
        return None
    return folded.place(pieces[items[0].first].start, pieces[items[-1].after - 1].end)


_BEGINNINGS = days.OPENERS.keys() | {"half", "quarter", "now", "first", "after", "before"}
_PARTS: tuple[Part, ...] = (None, "morning", "afternoon", "evening", "evening")
_MEALS = {"lunch": w.AFTERNOON, "work": w.EVENING, "school": w.AFTERNOON, "dinner": w.EVENING, "breakfast": w.MORNING}
_TIME_LEADS = frozenset(
    "at @ around approximately roughly by before after from until till til between ~ near past".split()
)
_ROUGHLY = frozenset("around about approximately roughly ~ near".split())
_LINKS = frozenset("to - until till til and or through thru".split())
_ANSWER_LEADS = frozenset(
    ["", "for", "it", "about", "so", "say", "maybe", "or", "be", "is", "to", "yes", "ok", "okay", "sure", "then", ",",
     "perhaps", "lets", "let's", "do", "have", "want", "like", "prefer", "no", "actually", "please", "sorry", "mean"]
)  # fmt: skip
_COUNTING = frozenset("for of another each every".split())
_AFTER_ANSWER = frozenset(
    "please pls on or then instead thanks thank would works work is sounds if and but for with sharp to "
    "this that at in so when because since will should can could my your we i i'll i'd it's you any today not with the "
    "sharp exactly ish works fine good ok okay only too onwards onward latest earliest".split()
)
_CORRECTIONS = frozenset(
    "no wait actually rather sorry mean meant make scratch correction oops nope change changed better schedule".split()
)
_MOVES = frozenset(
    "change move moved reschedule switch push shift bring swap changed alter update rebook postpone".split()
)
_CANNOT = frozenset("can't cannot cant couldn't won't wont busy unavailable don't dont away never".split())
_UNFIT = frozenset(
    tuple(words.split())
    for words in (
        "doesn't work", "doesnt work", "does not work", "won't work", "wont work", "will not work", "is no good",
        "isn't good", "is not good", "is bad", "is out", "i can't", "i'm busy", "i am busy", "isn't possible",
    )
)  # fmt: skip
_FILL = frozenset("the about around exactly just like on at , roughly approximately".split())
