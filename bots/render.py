"""From words and values to what we want to say: days, times and money as people write them, and one message per turn.

What customers typed is put into the words literally (`flows.words.fill`); nothing in it is ever a placeholder again.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from functools import lru_cache
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_time
from babel.numbers import format_currency

from bots.language import Language
from channels import messages, split
from flows.state import Option
from flows.words import fill


@dataclass(frozen=True, slots=True)
class Voice:
    """How one business speaks one language: its words, its zone, its money. Made once for each bot and language."""

    language: Language
    zone: ZoneInfo
    currency: str

    def phrase(self, key: str, **args: str) -> str:
        """The phrase `key` of the language, filled in."""
        return fill(self.language.phrases[key], args)

    def local(self, at: datetime) -> datetime:
        """`at` on the clock of the business."""
        return at.astimezone(self.zone)

    def day(self, day: date) -> str:
        """`Tuesday, March 3`"""
        return _day(self.language.code, day)

    def time(self, at: time) -> str:
        """`3:00 PM`"""
        return _time(self.language.code, at.hour, at.minute)

    def day_of(self, at: datetime) -> str:
        return _day(self.language.code, self.local(at).date())

    def time_of(self, at: datetime) -> str:
        local = self.local(at)
        said = _time(self.language.code, local.hour, local.minute)
        # When clocks go back an hour comes twice, and only the name of its zone tells one from the other.
        is_twice = local.utcoffset() != local.replace(fold=1 - local.fold).utcoffset()
        return f"{said} {local:%Z}" if is_twice else said

    def money(self, cents: int) -> str:
        """`$35` or `$35.50`"""
        return _money(self.language.code, self.currency, cents)

    def weekday(self, day: date) -> str:
        """`Tue`"""
        return _weekday(self.language.code, day.weekday())

    def all_of(self, labels: Sequence[str]) -> str:
        """`A`, `A and B`, `A, B and C`"""
        if len(labels) < 2:
            return "".join(labels)
        return self.phrase("and", first=", ".join(labels[:-1]), last=labels[-1])

    def either(self, labels: Sequence[str]) -> str:
        """`A`, `A or B`, `A, B or C`"""
        if len(labels) < 2:
            return "".join(labels)
        return self.phrase("or", first=", ".join(labels[:-1]), last=labels[-1])


@lru_cache(maxsize=2048)
def _day(lang: str, day: date) -> str:
    return _plain(format_date(day, _pattern(lang), locale=lang))


@lru_cache(maxsize=64)
def _pattern(lang: str) -> str:
    """The locale's full date without its year: babel has no such skeleton for every language."""
    full: str = Locale.parse(lang, sep="-").date_formats["full"].pattern
    return re.sub(r",?\s*(?:'de'\s+)?y+", "", full).strip(" ,")


@lru_cache(maxsize=64)
def _weekday(lang: str, weekday: int) -> str:
    return _plain(format_date(date(2024, 1, 1 + weekday), "EEE", locale=lang))  # a week that begins on a Monday


@lru_cache(maxsize=2048)
def _time(lang: str, hour: int, minute: int) -> str:
    text = _plain(format_time(time(hour, minute), "short", locale=lang))
    # Spanish writes 3:30 for the small hours, which people mean by it in the afternoon.
    return f"0{text}" if hour < 7 and text[-1].isdecimal() and text[1] == ":" else text


@lru_cache(maxsize=2048)
def _money(lang: str, currency: str, cents: int) -> str:
    text: str = format_currency(cents / 100, currency, locale=lang)
    return _plain(re.sub(r"[.,]00(?!\d)", "", text))


def _plain(text: str) -> str:
    """Without the no-break spaces of the locale data: one of them makes an SMS cost double (UCS-2)."""
    return text.replace("\u202f", " ").replace("\xa0", " ")


def choice_id(slot: str, option_id: str, about: str = "") -> str:
    """The id of a button: it tells which question it answered, so that a press long after is still understood, and
    what that question was about, where the same one is asked about several things.
    """
    return f"{slot}:{option_id}#{about}" if about else f"{slot}:{option_id}"


def read_choice_id(pressed: str) -> tuple[str, str]:
    """Slot and option of a button of ours; the slot is empty when it is none."""
    slot, colon, option_id = pressed.partition(":")
    return (slot, option_id.partition("#")[0]) if colon else ("", pressed)


def read_about(pressed: str) -> str:
    """What the question of a button was about; empty when it does not say."""
    return pressed.partition("#")[2]


def choices(slot: str, options: Sequence[Option], about: str = "") -> tuple[messages.Option, ...]:
    """The options of a question as buttons, list rows, lettered or numbered lines, whatever the channel has."""
    return tuple(
        messages.Option(choice_id(slot, option.id, about), option.label, option.detail, option.letter)
        for option in options
    )


def cheaply(said: messages.OutboundMessage) -> messages.OutboundMessage:
    """The same for a text message: without the accents that would double its price, if it needs nothing else for that."""
    choices = tuple(
        replace(one, title=split.plain(one.title), description=split.plain(one.description)) for one in said.choices
    )
    return replace(said, text=split.plain(said.text), choices=choices)


def message(
    lines: Sequence[str], choices: tuple[messages.Option, ...] = (), *, menu: str = ""
) -> messages.OutboundMessage | None:
    """Everything one turn has to say as one message; None when that is nothing."""
    text = "\n".join(line for line in lines if line)
    if not text and not choices:
        return None
    return messages.OutboundMessage(text, choices=choices, menu=menu if choices else "")
