"""Words for the ear: what is written turned into what is said, since voices read "3:00 PM" and "$35" as they please.

Numbers are written out because the voices of ConversationRelay do not normalise text unless they are told to
(reference, twilio-voice.md section 7.1). In languages that are not in `tongues` only what cannot be said is taken out.
"""

import re
from typing import Final

from channels.voice.counting import cardinal
from channels.voice.tongues import TONGUES

_ORDINALS: Final = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
_MONTHS: Final = (
    "January|February|March|April|May|June|July|August|September|October|November|December"  # as babel writes them
)
_DAYS: Final = {
    "Mon": "Monday",
    "Tue": "Tuesday",
    "Wed": "Wednesday",
    "Thu": "Thursday",
    "Fri": "Friday",
    "Sat": "Saturday",
    "Sun": "Sunday",
}

_LINK: Final = re.compile(r"(?:[^\n.:]+: )?(?:https?://|www\.)\S+")
_MARKS: Final = re.compile(r"[*_`#~|<>\[\]]+")
_PHONE: Final = re.compile(r"\+\d[\d ()-]{6,18}\d|\(\d{3}\) ?\d{3}-\d{4}|\b\d{3}-\d{3}-\d{4}\b")
_CODE: Final = re.compile(r"\b(?=[A-Z0-9-]*\d)(?=[A-Z0-9-]*[A-Z])[A-Z0-9][A-Z0-9-]{2,}\b|\b[BCDFGHJ-NP-TV-Z]{4,}\b")
_MONEY: Final = re.compile(r"\$(\d+(?:,\d{3})*)(?:\.(\d\d))?")
_CLOCK: Final = re.compile(r"\b(\d{1,2}):(\d\d)(?:\s*([AaPp])(?:\.[Mm]\.|[Mm]\b))?")
_HOUR: Final = re.compile(r"\b(\d{1,2})\s*([AaPp])(?:\.[Mm]\.|[Mm]\b)")
_DATE: Final = re.compile(rf"\b({_MONTHS}) (\d{{1,2}})\b(?!\d|:)")
_DAY: Final = re.compile(r"\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun)\b\.?")
_BETWEEN: Final = re.compile(r"(?<=\w)\s*[–-]\s*(?=(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\b)")
_NUMBER: Final = re.compile(r"(?<![\w.])\d{1,3}(?:,\d{3})+(?![\w])|(?<![\w.])\d+(?!\w|\.\d)")
_SPACES: Final = re.compile(r"[ \t]+")


def spoken(text: str, language: str = "en") -> str:
    """The text as it is to be said: one paragraph of sentences, without links, marks, figures or signs."""
    said = _MARKS.sub("", _LINK.sub("", text))
    code = language[:2].lower()
    if code == "en":
        said = _in_english(said)
    elif code in TONGUES:
        said = TONGUES[code].say(said)
    said = said.replace("(", ", ").replace(")", ", ")
    lines = [_sentence(line) for line in said.split("\n") if line.strip(" ,.;:")]
    joined = _SPACES.sub(" ", " ".join(lines))
    joined = re.sub(r"\s+([,.;:?!])", r"\1", joined)
    return re.sub(r",+(?=[,.;:?!])", "", joined).strip()


def ordinal(number: int) -> str:
    """`third`, `twenty-first`"""
    head, dash, last = cardinal(number).rpartition("-")
    if last in _ORDINALS:
        last = _ORDINALS[last]
    else:
        last = last[:-1] + "ieth" if last.endswith("y") else last.removesuffix("t") + "th"
    return head + dash + last


def _in_english(text: str) -> str:
    text = _PHONE.sub(lambda found: _phone(found.group()), text)
    text = _MONEY.sub(lambda found: _money(found[1], found[2]), text)
    text = _BETWEEN.sub(" to ", text)
    text = _CLOCK.sub(lambda found: _clock(int(found[1]), int(found[2]), found[3] or ""), text)
    text = _HOUR.sub(lambda found: _clock(int(found[1]), 0, found[2]), text)
    text = _CODE.sub(lambda found: _spelt(found.group()), text)
    text = _DATE.sub(lambda found: f"{found[1]} {ordinal(int(found[2]))}", text)
    text = _DAY.sub(lambda found: _DAYS[found[1]], text)
    text = re.sub(r"\b(\d+) min\b\.?", lambda found: f"{found[1]} minute{'' if found[1] == '1' else 's'}", text)
    text = text.replace("&", " and ").replace("%", " percent")
    return _NUMBER.sub(lambda found: _number(found.group()), text)


def _number(figures: str) -> str:
    """As a count; five figures and more without commas are a reference, a postal code or the like, and are spelt."""
    return _spelt(figures) if len(figures) >= 5 and "," not in figures else cardinal(int(figures.replace(",", "")))


def _clock(hour: int, minute: int, half: str) -> str:
    said = cardinal(hour)
    if minute:
        said += f" oh {cardinal(minute)}" if minute < 10 else f" {cardinal(minute)}"
    elif not half:
        said += " o'clock" if 0 < hour <= 12 else " hundred hours"
    return f"{said} {half.lower()} m" if half else said


def _money(whole: str, cents: str | None) -> str:
    dollars = int(whole.replace(",", ""))
    said = f"{cardinal(dollars)} dollar{'' if dollars == 1 else 's'}"
    return f"{said} and {cardinal(int(cents))} cents" if cents and cents != "00" else said


def _phone(number: str) -> str:
    """In groups with a breath between them; the country code of the United States is not said."""
    digits = re.sub(r"\D", "", number)
    if len(digits) == 11 and digits[0] == "1":
        digits = digits[1:]
    groups = [digits[:3], digits[3:6], digits[6:]] if len(digits) == 10 else re.findall(r"\d{1,3}", digits)
    return ", ".join(" ".join(cardinal(int(digit)) for digit in group) for group in groups)


def _spelt(code: str) -> str:
    return ", ".join(cardinal(int(sign)) if sign.isdigit() else sign for sign in code if sign != "-")


def _sentence(line: str) -> str:
    line = line.strip(" ,")
    return line if line[-1] in ".?!:;," else f"{line}."
