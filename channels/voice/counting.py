"""Numbers in words, as each language says them; what is heard and what is said go by the same."""

from collections.abc import Callable, Mapping
from typing import Final

_MOST: Final = 1_000_000

_EN: Final = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
_EN_TENS: Final = "- - twenty thirty forty fifty sixty seventy eighty ninety".split()
_ES: Final = (
    "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciséis diecisiete "
    "dieciocho diecinueve veinte veintiuno veintidós veintitrés veinticuatro veinticinco veintiséis veintisiete "
    "veintiocho veintinueve"
).split()
_ES_TENS: Final = "- - - treinta cuarenta cincuenta sesenta setenta ochenta noventa".split()
_ES_HUNDREDS: Final = (
    "- ciento doscientos trescientos cuatrocientos quinientos seiscientos setecientos ochocientos novecientos"
).split()
_DE: Final = (
    "null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn "
    "achtzehn neunzehn"
).split()
_DE_TENS: Final = "- - zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig".split()
_FR: Final = (
    "zéro un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize dix-sept dix-huit "
    "dix-neuf"
).split()
_FR_TENS: Final = "- - vingt trente quarante cinquante soixante".split()
_PT: Final = (
    "zero um dois três quatro cinco seis sete oito nove dez onze doze treze catorze quinze dezesseis dezessete dezoito "
    "dezenove"
).split()
_PT_TENS: Final = "- - vinte trinta quarenta cinquenta sessenta setenta oitenta noventa".split()
_PT_HUNDREDS: Final = (
    "- cento duzentos trezentos quatrocentos quinhentos seiscentos setecentos oitocentos novecentos"
).split()


def cardinal(number: int, language: str = "en") -> str:
    """`thirty-five`; up to 999,999, and digit by digit beyond. English for a language that we do not count in."""
    count = _COUNTS.get(language[:2].lower(), _english)
    return count(number) if 0 <= number < _MOST else " ".join(count(int(digit)) for digit in str(abs(number)))


def _english(number: int) -> str:
    if number < 20:
        return _EN[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return _EN_TENS[tens] + (f"-{_EN[ones]}" if ones else "")
    if number < 1000:
        hundreds, rest = divmod(number, 100)
        return f"{_EN[hundreds]} hundred" + (f" {_english(rest)}" if rest else "")
    thousands, rest = divmod(number, 1000)
    return f"{_english(thousands)} thousand" + (f" {_english(rest)}" if rest else "")


def _spanish(number: int) -> str:
    if number < 30:
        return _ES[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return _ES_TENS[tens] + (f" y {_ES[ones]}" if ones else "")
    if number < 1000:
        hundreds, rest = divmod(number, 100)
        return "cien" if number == 100 else _ES_HUNDREDS[hundreds] + (f" {_spanish(rest)}" if rest else "")
    thousands, rest = divmod(number, 1000)
    many = _spanish(thousands)
    many = many[:-9] + "veintiún" if many.endswith("veintiuno") else many[:-1] if many.endswith("uno") else many
    return ("mil" if thousands == 1 else f"{many} mil") + (f" {_spanish(rest)}" if rest else "")


def _german(number: int) -> str:
    if number < 20:
        return _DE[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return (("ein" if ones == 1 else _DE[ones]) + "und" if ones else "") + _DE_TENS[tens]
    size, name = (100, "hundert") if number < 1000 else (1000, "tausend")
    many, rest = divmod(number, size)
    head = _german(many)
    return (head[:-1] if head.endswith("eins") else head) + name + (_german(rest) if rest else "")


def _french(number: int) -> str:
    if number < 20:
        return _FR[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        if tens in (7, 9):
            tens, ones = tens - 1, ones + 10
        if tens == 8:
            return "quatre-vingt" + (f"-{_FR[ones]}" if ones else "s")
        link = " et " if ones in (1, 11) else "-"
        return _FR_TENS[tens] + (f"{link}{_FR[ones]}" if ones else "")
    if number < 1000:
        hundreds, rest = divmod(number, 100)
        head = "cent" if hundreds == 1 else f"{_FR[hundreds]} cent" + ("" if rest else "s")
        return head + (f" {_french(rest)}" if rest else "")
    thousands, rest = divmod(number, 1000)
    many = _french(thousands)
    many = many[:-1] if many.endswith(("cents", "vingts")) else many
    return ("mille" if thousands == 1 else f"{many} mille") + (f" {_french(rest)}" if rest else "")


def _portuguese(number: int) -> str:
    if number < 20:
        return _PT[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return _PT_TENS[tens] + (f" e {_PT[ones]}" if ones else "")
    if number < 1000:
        hundreds, rest = divmod(number, 100)
        return "cem" if number == 100 else _PT_HUNDREDS[hundreds] + (f" e {_portuguese(rest)}" if rest else "")
    thousands, rest = divmod(number, 1000)
    link = " e " if rest <= 100 or rest % 100 == 0 else " "
    return ("mil" if thousands == 1 else f"{_portuguese(thousands)} mil") + (link + _portuguese(rest) if rest else "")


_COUNTS: Final[Mapping[str, Callable[[int], str]]] = {
    "en": _english,
    "es": _spanish,
    "de": _german,
    "fr": _french,
    "pt": _portuguese,
}
