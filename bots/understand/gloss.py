"""Another language read into the words of the one grammar: "mañana a las tres y media" is "tomorrow at 3:30".

The readers beside this one go by English words and their order. A language brings its vocabulary as data (`hearing` in
`bots/words/LANGUAGE.yaml`): rules for what is said in several words, and a list of single ones. What nobody listed stays
as the customer wrote it, so that names and services are found as they are.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Final

from bots.understand.text import LIMIT
from channels.voice.counting import cardinal

_MOST_NUMBERS: Final = 100
_WEEKDAYS: Final = "monday tuesday wednesday thursday friday saturday sunday".split()
_MONTHS: Final = ("january february march april may june july august september october november december").split()
_UNITS: Final = "minute minutes hour hours day days week weeks month months".split()
_HIDDEN: Final = 0xE000  # places of what has been read already; no letters, so that no rule looks at them again
_MOST_READ: Final = 0x1000
_WORD: Final = re.compile(r"[^\W_]+")
_NONE: Final[Mapping[str, str]] = {}
_KEPT: Final = re.compile("[\ue000-\uefff]")
_PUT: Final = re.compile(r"\{(\d)([-~:]?)\}")


class Gloss:
    """The vocabulary of one language, ready to read with.

    `rules` are pairs: a pattern over letters without case and accents, in which `{n}` is a number in digits or words,
    `{day}`, `{month}` and `{unit}` are names of those, `{x}` a digit or what an earlier rule has read, and a blank is any
    space; and what it stands for. There `{1}` is the first group, `{1-}` the hour before it, `{1~}` the minutes left of an
    hour, and `{1:}` two digits. `words` say what single words stand for, `numbers` which words are numbers beside those
    of `channels.voice.counting`. `names` are rules that are read alone where a name is expected. `shorts` are words cut
    short that are other words as well, such as days ("Do", "mar."); `short_where` are patterns for where they are not,
    which end with `{short}`, in the words of the language, before anything else is read.
    """

    def __init__(
        self,
        code: str,
        rules: Iterable[Sequence[str]],
        words: Mapping[str, str],
        numbers: Mapping[str, int],
        names: Iterable[Sequence[str]],
        shorts: Mapping[str, str] = _NONE,
        short_where: Iterable[str] = (),
    ) -> None:
        self.code = code
        self._numbers = {plain(word): value for word, value in {**_spelt(code), **numbers}.items()}
        exact: dict[str, str] = {}
        for english, said in words.items():
            for word in said.split():
                exact[word.lower()] = english
        self._words = {**{plain(word): english for word, english in exact.items()}, **exact}
        # Only in company: "un" and "ein" are articles as well.
        articles = [word for word in self._numbers if word in self._words]
        self._known = {
            "n": rf"\d{{1,2}}|{_any_of(articles)}",
            "x": "[\\d\ue000-\uefff]",
            "day": self._named(_WEEKDAYS),
            "month": self._named(_MONTHS),
            "unit": self._named(_UNITS),
        }
        self._shorts = shorts
        cut = {**self._known, "short": f"{_any_of(shorts)}"}
        self._cut = [re.compile(_pattern(where.replace("{short}", r"{short}\.?"), cut)) for where in short_where]
        self._names = [self._rule(pattern, english) for pattern, english in names]
        self._rules = [*self._names, *(self._rule(pattern, english) for pattern, english in rules)]
        self._count = re.compile(rf"(?<!\w)(?:{_any_of(self._numbers.keys() - articles)})(?!\w)")
        self.english = lru_cache(maxsize=256)(self._english)  # one message is asked about again and again

    def named(self, text: str) -> str:
        """The message with what leads to a name read alone: nobody called Domingo becomes a day."""
        return self._read(text[:LIMIT], self._names, by_word=False)

    def _english(self, text: str) -> str:
        return self._read(text[:LIMIT], self._rules, by_word=True)

    def _read(self, raw: str, rules: Sequence[tuple[re.Pattern[str], str]], *, by_word: bool) -> str:
        raw = unicodedata.normalize("NFC", raw).replace("\u2019", "'")
        raw = _KEPT.sub("", raw)
        for pattern in self._cut if by_word else ():
            raw = _swap(pattern, raw, plain(raw), self._in_full)[0]
        line, done = plain(raw), list[str]()

        def keep(english: str) -> str:
            done.append(english)
            return chr(_HIDDEN + len(done) - 1)

        if by_word:
            raw, line = _swap(self._count, raw, line, self._digits)
        for pattern, english in rules:
            if len(done) < _MOST_READ - LIMIT and pattern.search(line):
                raw, line = _swap(pattern, raw, line, partial(self._kept, english, keep))
        if by_word:
            raw, line = _swap(_WORD, raw, line, partial(self._word, keep))
        return _KEPT.sub(lambda found: done[ord(found.group()) - _HIDDEN], raw)

    def _in_full(self, found: "_Match") -> str:
        return f"{found.before(1)}{self._shorts[found.group(1)]} "

    def _kept(self, english: str, keep: Callable[[str], str], found: "_Match") -> str:
        return keep(self._put(english, found))

    def _word(self, keep: Callable[[str], str], found: "_Match") -> str:
        written = found.written.lower()
        english = self._words.get(written)
        if english is None:
            english = self._words.get(found.group())
        return keep(english) if english is not None else ""

    def _digits(self, found: "_Match") -> str:
        return str(self._numbers[" ".join(found.group().split())])

    def _put(self, english: str, found: "_Match") -> str:
        def group(place: re.Match[str]) -> str:
            said = found.group(int(place[1])) or ""
            number = int(said) if said.isdecimal() else self._numbers.get(" ".join(said.split()))
            if number is None:
                return self._read(found.raw(int(place[1])), (), by_word=True)
            match place[2]:
                case "-":
                    number = number - 1 if number > 1 else 12 if number == 1 else 23
                case "~":
                    number = 60 - number
                case ":":
                    return f"{number:02}"
            return str(number)

        return _PUT.sub(group, english)

    def _rule(self, pattern: str, english: str) -> tuple[re.Pattern[str], str]:
        return re.compile(_pattern(pattern, self._known)), english

    def _named(self, english: Sequence[str]) -> str:
        return _any_of({plain(word) for word, meant in self._words.items() if meant in english})


def _pattern(pattern: str, known: Mapping[str, str]) -> str:
    for name, words in known.items():
        pattern = pattern.replace(f"{{{name}}}", f"({words})")
    pattern = pattern.replace(" ?", r"\s{0,3}").replace(" ", r"\s{1,3}")
    start = r"(?<!\w)" if pattern[0] not in "^(" or pattern.startswith("(") else ""
    return f"{start}(?:{pattern})(?!\\w)"


class _Match:
    """A match over the comparable line, and the words as they were written."""

    __slots__ = ("_found", "written")

    def __init__(self, found: re.Match[str], written: str) -> None:
        self._found = found
        self.written = written

    def group(self, number: int = 0) -> str:
        return self._found.group(number) or ""

    def before(self, number: int) -> str:
        """What was written before that group."""
        return self.written[: self._found.start(number) - self._found.start()]

    def raw(self, number: int) -> str:
        start, end = self._found.span(number)
        first = self._found.start()
        return self.written[start - first : end - first] if start >= 0 else ""


def _swap(pattern: re.Pattern[str], raw: str, line: str, into: Callable[[_Match], str]) -> tuple[str, str]:
    """Both forms of the message, which are of one length, with what the pattern finds replaced; by nothing: as it is."""
    raws: list[str] = []
    lines: list[str] = []
    end = 0
    for found in pattern.finditer(line):
        start, stop = found.span()
        written = raw[start:stop]
        new = into(_Match(found, written))
        raws += (raw[end:start], new or written)
        lines += (line[end:start], new or line[start:stop])
        end = stop
    return "".join((*raws, raw[end:])), "".join((*lines, line[end:]))


def plain(text: str) -> str:
    """Without case and accents, each letter in its place: `MIÉRCOLES` is `miercoles`; `ß` stays."""
    if text.isascii():
        return text.lower()
    return "".join(_letter(char) for char in unicodedata.normalize("NFC", text))


@lru_cache(maxsize=2048)
def _letter(char: str) -> str:
    if char in _QUOTES:
        return "'"
    base = unicodedata.normalize("NFKD", char)[:1].lower()
    return base if len(base) == 1 else char


def _spelt(code: str) -> dict[str, int]:
    """The numbers in words as the language spells them, by what says them on the telephone."""
    found: dict[str, int] = {}
    for number in range(_MOST_NUMBERS):
        said = cardinal(number, code)
        # As some type it: `vingt deux`, `fuenf`, `dreissig`.
        for spelling in (said, said.replace("-", " "), said.translate(_DIGRAPHS)):
            found[plain(spelling)] = number
    return found


def _any_of(words: Iterable[str]) -> str:
    """Alternatives, the longest first; nothing at all where there are none."""
    listed = sorted(words, key=lambda word: (-len(word), word))
    return "|".join(re.escape(word).replace(r"\ ", r"\s{1,3}") for word in listed) or r"(?!)"


_DIGRAPHS: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})
_QUOTES: Final = frozenset("\u2018\u2019\u02bc\u00b4`")
