"""Letters without their accents and their case: "jose" finds "José", and the other way round, alike on both engines.

Accents go from Latin letters only, as in SQLite's full text (unicode61 with remove_diacritics=2): "ø", "ß" and other
scripts stay what they are. The databases are not asked to fold a column: SQLite cannot (and a function of Python would wait
for its turn with each row), and PostgreSQL takes long for it. They are given every way to write each letter.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from itertools import chain
from typing import Any, Final

from sqlalchemy import Boolean, ColumnElement, String, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

_ACCENTED: Final = re.compile("([A-Za-z])[\u0300-\u036f]+")
# Latin-1 to Extended-B, Extended Additional, and the signs for kelvin and angstrom.
_LATIN: Final = (range(0xC0, 0x250), range(0x1E00, 0x1F00), range(0x212A, 0x212C))
_GLOB: Final = {char: f"[{char}]" for char in "*?["}
_REGEX: Final = {char: f"\\{char}" for char in "\\.*+?()[]{}|^$"}


def fold(text: str) -> str:
    """`text` as it is compared."""
    if text.isascii():
        return text.lower()
    bare = _ACCENTED.sub(r"\1", unicodedata.normalize("NFD", text))
    return unicodedata.normalize("NFC", bare).lower()


def holds(column: ColumnElement[Any], text: str) -> ColumnElement[bool]:
    """Whether `text` stands somewhere in `column`; nothing in it is syntax."""
    wanted = fold(text)
    like = wanted.replace("/", "//").replace("%", "/%").replace("_", "/_")
    patterns = f"%{like}%", f"*{_ways(wanted, _GLOB)}*", _ways(wanted, _REGEX)
    return _Holds(column, *(literal(pattern, String) for pattern in patterns))


class _Holds(FunctionElement[bool]):
    """The column and what it should hold, as a pattern of LIKE, of GLOB and as a regular expression."""

    name = "holds"
    type = Boolean()
    inherit_cache = True
    _is_implicitly_boolean = True  # without it SQLite is asked for `(…) = 1`, and then looks at both sides of each OR


@compiles(_Holds, "sqlite")
def _sqlite(element: _Holds, compiler: SQLCompiler, **how: Any) -> str:
    column, like, glob, _ = (compiler.process(part, **how) for part in element.clauses)
    has_more = f"length({column}) <> length(CAST({column} AS BLOB))"  # than ASCII; LIKE knows only the case of that
    return f"({column} LIKE {like} ESCAPE '/' OR ({has_more} AND {column} GLOB {glob}))"


@compiles(_Holds, "postgresql")
def _postgresql(element: _Holds, compiler: SQLCompiler, **how: Any) -> str:
    column, _, _, regex = (compiler.process(part, **how) for part in element.clauses)
    return f"({column} ~ {regex})"


def _ways(wanted: str, special: Mapping[str, str]) -> str:
    """A pattern for folded text, in which `special` characters stand for themselves when written so."""
    return "".join(f"[{_written(letter)}]" if letter.isalpha() else special.get(letter, letter) for letter in wanted)


@cache
def _letters() -> dict[str, str]:
    """Latin letters that are more than one way to write another one, by that one."""
    found: defaultdict[str, str] = defaultdict(str)
    for letter in map(chr, chain(*_LATIN)):
        found[fold(letter)] += letter
    return {bare: ways for bare, ways in found.items() if len(bare) == 1}


def _written(letter: str) -> str:
    return "".join(dict.fromkeys(letter + letter.upper() * (len(letter.upper()) == 1) + _letters().get(letter, "")))
