"""Everything a message says about what a scenario wants to know, several things in one sentence included."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from bots.understand import answers, dates, names, party
from bots.understand.answers import Choice, Picked
from bots.understand.dates import When
from bots.understand.names import Name
from bots.understand.text import LIMIT, fold, read_number, tokens

Meaning = str | int | bool | When | Picked | Name


class Want(NamedTuple):
    """One thing to know.

    `type` is choice, slot_time, date, time, yes_no, name, people, number, phone, email or text. What each becomes:
    a Picked, a When (the first three of time), a bool, a Name, an int, an int, and a string for the rest.
    """

    name: str
    type: str
    choices: tuple[Choice, ...] = ()


class Ctx(NamedTuple):
    """What the words are to be read against. `known` holds what was understood before, by slot name."""

    now: datetime  # in the business's zone
    asked: str | None = None  # the slot that the bot has just asked for
    known: Mapping[str, Meaning] = {}
    dayfirst: bool = False
    language: str = "en"


class Value(NamedTuple):
    value: Meaning
    said: str  # the customer's words, as far as they stand in one place
    is_correction: bool = False  # the slot was known, and this replaces it


@dataclass(frozen=True, slots=True)
class Extracted:
    """What was understood, and the words that nothing accounts for."""

    values: Mapping[str, Value]
    unclear: Mapping[str, Picked]  # slots for which several choices fit equally
    leftovers: str


def extract(text: str, wants: Sequence[Want], ctx: Ctx) -> Extracted:
    """All that `text` says about `wants`; what was asked for is read first and most generously.

    Corrections replace what is known, and only the part they name: with Tuesday at 3 known, "actually Wednesday" is
    Wednesday at 3. A number alone ("no, make it four") goes to the one known slot it can correct.
    """
    text = text[:LIMIT]
    reading = _Reading(text, ctx)
    order = sorted(wants, key=lambda want: (want.name != ctx.asked, _ORDER.get(want.type, 9)))
    for want in order:
        is_asked = want.name == ctx.asked
        if is_asked and want.type == "choice" and reading.only_a_choice(want):
            break
        _READERS.get(want.type, _text)(reading, want, asked=is_asked)
    if all(isinstance(value.value, bool) for value in reading.values.values()):  # nothing, or a yes or no before it
        _bare_correction(reading, wants)
    return Extracted(reading.values, reading.unclear, reading.leftovers())


class _Reading:
    """One message while it is being read: what was found and which places are taken."""

    def __init__(self, text: str, ctx: Ctx) -> None:
        self.text = text
        self.ctx = ctx
        self.values: dict[str, Value] = {}
        self.unclear: dict[str, Picked] = {}
        self.taken: list[tuple[int, int]] = []

    def found(self, want: Want, value: Meaning, *places: tuple[int, int] | None) -> None:
        spots = [place for place in places if place is not None]
        self.taken += spots
        said = self.text[spots[0][0] : spots[0][1]] if spots else ""
        known = self.ctx.known.get(want.name)
        self.values[want.name] = Value(value, said, known is not None and known != value)

    def only_a_choice(self, want: Want) -> bool:
        """Reads an answer that is nothing but a place or a name on the list: `2`, `the second one`, `haircut`."""
        picked = answers.choose(self.text, want.choices)
        if picked.how == "number" or (picked.how == "ambiguous" and len(tokens(self.text)) == 1):
            self._pick(want, picked, (0, len(self.text)))
            return True
        return False

    def pick(self, want: Want, *, asked: bool) -> None:
        picked = answers.choose(self.rest(), want.choices, asked=asked)
        if picked.how != "none":
            self._pick(want, picked, self._spot(want, picked))

    def _pick(self, want: Want, picked: Picked, place: tuple[int, int] | None) -> None:
        if picked.how == "ambiguous":
            self.unclear[want.name] = picked
        else:
            self.found(want, picked, place)

    def _spot(self, want: Want, picked: Picked) -> tuple[int, int] | None:
        """Where the words of a chosen option stand, if they stand together."""
        label = next((choice for choice in want.choices if (choice.id,) == picked.ids), None)
        if label is None:
            return None
        folded = fold(self.text)
        own = {token.text for name in (label.label, *label.keywords) for token in tokens(name)}
        spots = [token for token in tokens(folded) if token.text in own]
        return folded.place(spots[0].start, spots[-1].end) if spots and len(spots) <= len(own) else None

    def rest(self) -> str:
        """The message with the taken places blanked, so that a name in a date is not read twice."""
        chars = list(self.text)
        for start, end in self.taken:
            chars[start:end] = " " * (end - start)
        return "".join(chars)

    def leftovers(self) -> str:
        return " ".join(self.rest().split())


# --- one reader a type ------------------------------------------------------------------------------------------------


def _choice(reading: _Reading, want: Want, *, asked: bool) -> None:
    reading.pick(want, asked=asked)


def _when(reading: _Reading, want: Want, *, asked: bool) -> None:
    kind = _ASKS[want.type] if asked else None
    when = dates.parse(reading.rest(), now=reading.ctx.now, asked=kind, dayfirst=reading.ctx.dayfirst)
    if when is None or (want.type == "date" and when.day is None):
        return
    if want.type == "time" and when.time is None and when.part is None:
        return
    known = reading.ctx.known.get(want.name)
    merged = merge(known, when) if isinstance(known, When) and want.type == "slot_time" else when
    # `date` and `time` read the same words, so each takes only its own.
    day_at = when.day_at if want.type != "time" else None
    time_at = when.time_at if want.type != "date" else None
    reading.found(want, merged, *(place for place in (day_at, time_at) if place))


def _yes_no(reading: _Reading, want: Want, *, asked: bool) -> None:
    answer = answers.yes_no(reading.text) if asked else None
    if answer is not None:
        reading.found(want, answer)


def _name(reading: _Reading, want: Want, *, asked: bool) -> None:
    name = names.find(reading.text, asked=asked)
    if name is not None and not any(start <= name.at[0] < end for start, end in reading.taken):
        reading.found(want, name, name.at)


def _people(reading: _Reading, want: Want, *, asked: bool) -> None:
    found = party.find(reading.text, asked=asked, taken=tuple(reading.taken))
    if found is not None:
        reading.found(want, found.size, found.at)


def _number(reading: _Reading, want: Want, *, asked: bool) -> None:
    if not asked:
        return
    folded = fold(reading.rest())
    said = tokens(folded)
    for i in range(len(said)):
        number = read_number([token.text for token in said], i)
        if number is not None and said[i].text not in ("a", "an"):
            place = folded.place(said[i].start, said[i + number[1] - 1].end)
            reading.found(want, number[0], place)
            return


def _phone(reading: _Reading, want: Want, *, asked: bool) -> None:
    """A number with at least seven digits, as `+` and digits; what it is worth is for the caller to check."""
    for found in _PHONE.finditer(reading.text):
        digits = "".join(char for char in found.group() if char.isdigit())
        if 7 <= len(digits) <= 15 and not _DATE_LIKE.fullmatch(found.group().strip()):
            plus = "+" if found.group().lstrip(" (").startswith(("+", "00")) else ""
            reading.found(want, plus + (digits.removeprefix("00") if plus else digits), found.span())
            return
    if asked:
        digits = _spoken_digits(reading.text)
        if 7 <= len(digits) <= 15:
            reading.found(want, digits)


def _email(reading: _Reading, want: Want, *, asked: bool) -> None:
    found = _EMAIL.search(reading.text)
    if found is None and asked:
        spoken = _SPOKEN_AT.sub("@", _SPOKEN_DOT.sub(".", reading.text.lower()))
        found_spoken = _EMAIL.search(spoken)
        if found_spoken is not None:
            reading.found(want, found_spoken.group().rstrip("."))
    elif found is not None:
        reading.found(want, found.group().rstrip(".").lower(), found.span())


def _text(reading: _Reading, want: Want, *, asked: bool) -> None:
    if asked and reading.text.strip():
        reading.found(want, " ".join(reading.text.split()))


def _spoken_digits(text: str) -> str:
    """`five one two, double five, oh one hundred` as far as it is digits said one by one."""
    digits, times = "", 1
    for token in tokens(text):
        if token.text in ("double", "triple"):
            times = 2 if token.text == "double" else 3
            continue
        number = 0 if token.text in ("oh", "o") else (read_number([token.text]) or (None,))[0]
        if number is not None and (number <= 9 or token.text.isdigit()):
            digits += (token.text if token.text.isdigit() else str(number)) * times
        times = 1
    return digits


def merge(known: When, new: When) -> When:
    """`new` where it says something, `known` for the rest: a new day keeps the time, a new time keeps the day."""
    if new.day is not None and new.time is None and new.part is None:
        return replace(
            new, time=known.time, end_time=known.end_time, part=known.part, approx=known.approx, edge=known.edge
        )
    if new.day is None:
        others = tuple(replace(each, day=known.day, end_day=known.end_day) for each in new.alternatives)
        return replace(new, day=known.day, end_day=known.end_day, alternatives=others)
    return new


def _bare_correction(reading: _Reading, wants: Sequence[Want]) -> None:
    """`no, make it four`: a number goes to the known slot that can only mean it; with two such slots to neither."""
    found = _MAKE_IT.search(fold(reading.text).text)
    known = [want for want in wants if want.name in reading.ctx.known and want.type in ("people", "number", "time")]
    known += [want for want in wants if want.type == "slot_time" and want.name in reading.ctx.known]
    if found is None or len(known) != 1:
        return
    want = known[0]
    said = [token.text for token in tokens(found.group("rest"))]
    number = read_number(said)
    if number is None:
        return
    if want.type in ("people", "number"):
        reading.found(want, number[0])
        return
    when = dates.parse(found.group("rest"), now=reading.ctx.now, asked="time")
    before = reading.ctx.known[want.name]
    if when is not None:
        reading.found(want, merge(before, when) if isinstance(before, When) else when)


_ASKS: Mapping[str, dates.Asked] = {"slot_time": "when", "date": "date", "time": "time"}
# Addresses and numbers first, so that their digits are no dates; dates before names, so that April is a month.
_ORDER = {"email": 0, "phone": 1, "slot_time": 2, "date": 2, "time": 3, "choice": 4, "people": 5, "name": 6}
_READERS = {
    "choice": _choice, "slot_time": _when, "date": _when, "time": _when, "yes_no": _yes_no, "name": _name,
    "people": _people, "number": _number, "phone": _phone, "email": _email, "text": _text,
}  # fmt: skip
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}")
_PHONE = re.compile(r"(?<![\w.])(?:\+|00|\()?\d[\d ().\-/]{5,22}\d(?![\w])")
_DATE_LIKE = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](?:\d{2}|\d{4})|(?:19|20)\d{6}")
_SPOKEN_AT = re.compile(r"\s(?:at|\(at\)|\[at\])\s")
_SPOKEN_DOT = re.compile(r"\s(?:dot|\(dot\)|point)\s")
_MAKE_IT = re.compile(r"\b(?:make|change|move|set|put) (?:it|that) (?:to |for |at )?(?P<rest>[\w -]{1,20})")
