"""Words for the ear in other languages than English: their hours, dates, money and numbers, as data."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from channels.voice.counting import cardinal

_PHONE: Final = re.compile(r"(?<!\w)\+\d[\d ()/-]{6,18}\d|\(\d{3}\) ?\d{3}-\d{4}|\b\d{3}-\d{3}-\d{4}\b")
_CODE: Final = re.compile(r"\b(?=[A-Z0-9-]*\d)(?=[A-Z0-9-]*[A-Z])[A-Z0-9][A-Z0-9-]{2,}\b")
_AMOUNT: Final = r"(\d{1,3}(?:[. ]\d{3})+|\d+)(?:,(\d\d))?"
_SIGN: Final = r"(US\$|\$US|R\$|MX\$|MXN|\$|€|£)"
_MONEY_BEHIND: Final = re.compile(rf"(?<![\w,.]){_AMOUNT} ?{_SIGN}(?!\w)")
_MONEY_BEFORE: Final = re.compile(rf"(?<!\w){_SIGN} ?{_AMOUNT}(?![\w])")
_NUMBER: Final = re.compile(r"(?<![\w.,])(?:\d{1,3}(?:\.\d{3})+|\d+)(?![\w]|[.,]\d)")
_SPELT_FROM: Final = 5  # figures without a point between them are a reference or a postal code


@dataclass(frozen=True, slots=True)
class Tongue:
    """How one language says what is written in figures.

    `clock` matches the figures of a time with what belongs to them; `hour` is one of it and `hours` several, `past` what
    stands before the minutes. `dates` is the pattern of a date around `{months}`; `date` says its day. `counted` are numbers
    as they count hours. `money` is, for a sign, one of it, several, and its hundredths.
    """

    code: str
    clock: str
    hour: str
    hours: str
    past: str
    dates: str
    date: Callable[[int], str]
    to: str
    minute: tuple[str, str]
    percent: str
    conjunction: str
    money: Mapping[str, tuple[str, str, str]]
    counted: Mapping[int, str] = field(default_factory=dict)
    named: Mapping[tuple[int, int], str] = field(default_factory=dict)  # hours with a name of their own
    one: str = ""  # before what there is one of

    def say(self, text: str) -> str:
        """The text with everything in figures written out."""
        words = _patterns(self.code)
        text = _PHONE.sub(lambda found: self._digits(found.group()), text)
        text = _MONEY_BEHIND.sub(lambda found: self._money(found[3], found[1], found[2]), text)
        text = _MONEY_BEFORE.sub(lambda found: self._money(found[1], found[2], found[3]), text)
        text = words.between.sub(f" {self.to} ", text)
        text = words.clock.sub(lambda found: self._clock(int(found[1]), int(found[2])), text)
        text = _CODE.sub(lambda found: self._spelt(found.group()), text)
        text = words.date.sub(lambda found: found[0].replace(found[1], self.date(int(found[1].rstrip("."))), 1), text)
        text = words.day.sub(lambda found: words.days[found[1]], text)
        text = re.sub(r"\b(\d+) [Mm]in\b\.?", lambda found: self._several(int(found[1]), *self.minute), text)
        text = text.replace("&", f" {self.conjunction} ").replace("%", f" {self.percent}")
        return _NUMBER.sub(lambda found: self._number(found.group()), text)

    def _clock(self, hour: int, minute: int) -> str:
        if (hour, minute) in self.named:
            return self.named[hour, minute]
        said = f"{self.counted.get(hour) or cardinal(hour, self.code)} {self.hour if hour == 1 else self.hours}"
        return said.rstrip() if not minute else f"{said}{self.past}{cardinal(minute, self.code)}".replace("  ", " ")

    def _money(self, sign: str, whole: str, hundredths: str | None) -> str:
        one, many, cents = self.money.get(sign.replace("US", "") if sign != "R$" else sign, (sign, sign, ""))
        said = self._several(int(re.sub(r"\D", "", whole)), one, many)
        if not hundredths or hundredths == "00":
            return said
        return f"{said} {self.conjunction} {cardinal(int(hundredths), self.code)} {cents}".rstrip()

    def _several(self, number: int, one: str, many: str) -> str:
        return f"{self.one} {one}" if number == 1 else f"{cardinal(number, self.code)} {many}"

    def _number(self, figures: str) -> str:
        if "." not in figures and len(figures) >= _SPELT_FROM:
            return self._spelt(figures)
        return cardinal(int(figures.replace(".", "")), self.code)

    def _digits(self, number: str) -> str:
        """In groups with a breath between them; the country code of the United States is not said."""
        digits = re.sub(r"\D", "", number)
        if len(digits) == 11 and digits[0] == "1":
            digits = digits[1:]
        groups = [digits[:3], digits[3:6], digits[6:]] if len(digits) == 10 else re.findall(r"\d{1,3}", digits)
        return ", ".join(" ".join(cardinal(int(digit), self.code) for digit in group) for group in groups)

    def _spelt(self, code: str) -> str:
        return ", ".join(cardinal(int(sign), self.code) if sign.isdigit() else sign for sign in code if sign != "-")


@dataclass(frozen=True, slots=True)
class _Patterns:
    clock: re.Pattern[str]
    date: re.Pattern[str]
    day: re.Pattern[str]
    between: re.Pattern[str]
    days: Mapping[str, str]


@cache
def _patterns(code: str) -> _Patterns:
    from babel import Locale  # tables that an English house never needs here

    names, tongue = Locale.parse(code), TONGUES[code]
    months = "|".join(re.escape(name) for name in names.months["format"]["wide"].values())
    short, wide = names.days["format"]["abbreviated"], names.days["format"]["wide"]
    days = {short[day]: wide[day] for day in range(7)}
    either = "|".join(
        re.escape(day) + (r"(?!\w)" if day.endswith(".") else r"\b") for day in days
    )  # "So.", but no "so"
    return _Patterns(
        clock=re.compile(tongue.clock),
        date=re.compile(tongue.dates.replace("{months}", f"(?:{months})")),
        day=re.compile(rf"\b({either})"),
        between=re.compile(rf"(?<=[\w.])\s*[–-]\s*(?=(?:{either}))"),
        days=days,
    )


def _german_day(day: int) -> str:
    odd = {1: "ersten", 3: "dritten", 7: "siebten", 8: "achten"}
    return odd.get(day) or cardinal(day, "de") + ("ten" if day < 20 else "sten")


_CLOCK: Final = r"(?<![\d:])(\d{1,2}):(\d\d)(?![\d:])"

TONGUES: Final[Mapping[str, Tongue]] = {
    "es": Tongue(
        code="es",
        clock=_CLOCK,
        hour="hora",
        hours="horas",
        past=" y ",
        dates=r"\b(\d{1,2}) de {months}\b",
        date=lambda day: "primero" if day == 1 else cardinal(day, "es"),
        to="a",
        minute=("minuto", "minutos"),
        percent="por ciento",
        conjunction="y",
        money={"€": ("euro", "euros", "céntimos"), "$": ("dólar", "dólares", "centavos"), "£": ("libra", "libras", "")},
        counted={1: "una", 21: "veintiuna"},
        one="un",
    ),
    "de": Tongue(
        code="de",
        clock=_CLOCK + r"(?: Uhr)?",
        hour="Uhr",
        hours="Uhr",
        past=" ",
        dates=r"\b(\d{1,2}\.) {months}\b",
        date=_german_day,
        to="bis",
        minute=("Minute", "Minuten"),
        percent="Prozent",
        conjunction="und",
        money={"€": ("Euro", "Euro", "Cent"), "$": ("Dollar", "Dollar", "Cent"), "£": ("Pfund", "Pfund", "Pence")},
        counted={1: "ein"},
        one="ein",
    ),
    "fr": Tongue(
        code="fr",
        clock=_CLOCK,
        hour="heure",
        hours="heures",
        past=" ",
        dates=r"\b(\d{1,2}) {months}\b",
        date=lambda day: "premier" if day == 1 else cardinal(day, "fr"),
        to="à",
        minute=("minute", "minutes"),
        percent="pour cent",
        conjunction="et",
        money={"€": ("euro", "euros", ""), "$": ("dollar", "dollars", "cents"), "£": ("livre", "livres", "")},
        counted={1: "une", 21: "vingt et une"},
        named={(0, 0): "minuit", (12, 0): "midi"},
        one="un",
    ),
    "pt": Tongue(
        code="pt",
        clock=_CLOCK,
        hour="hora",
        hours="horas",
        past=" e ",
        dates=r"\b(\d{1,2}) de {months}\b",
        date=lambda day: "primeiro" if day == 1 else cardinal(day, "pt"),
        to="a",
        minute=("minuto", "minutos"),
        percent="por cento",
        conjunction="e",
        money={
            "€": ("euro", "euros", "cêntimos"),
            "$": ("dólar", "dólares", "centavos"),
            "R$": ("real", "reais", "centavos"),
            "£": ("libra", "libras", ""),
        },
        counted={1: "uma", 2: "duas", 21: "vinte e uma", 22: "vinte e duas"},
        one="um",
    ),
}
