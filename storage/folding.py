"""Letters without their accents and their case: "jose" finds "José", and the other way round, alike on both engines.

Accents go from Latin letters only, as in SQLite's full text (unicode61 with remove_diacritics=2): "ø", "ß" and other
scripts stay what they are. PostgreSQL can say that by itself; SQLite can not, and a function of Python would have to wait
for its turn with each row. So it is given every way to write each letter.
"""

import re
import unicodedata
from collections import defaultdict
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
_SPECIAL: Final = frozenset("*?[")


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
    return _Holds(column, literal(wanted, String), literal(f"%{like}%", String), literal(f"*{_ways(wanted)}*", String))


class _Holds(FunctionElement[bool]):
    """The column and what it should hold: folded, as a pattern of LIKE, and as one of GLOB."""

    name = "holds"
    type = Boolean()
    inherit_cache = True


@compiles(_Holds, "sqlite")
def _sqlite(element: _Holds, compiler: SQLCompiler, **how: Any) -> str:
    column, _, like, glob = (compiler.process(part, **how) for part in element.clauses)
    has_more = f"length({column}) <> length(CAST({column} AS BLOB))"  # than ASCII; LIKE knows only the case of that
    return f"({column} LIKE {like} ESCAPE '/' OR ({has_more} AND {column} GLOB {glob}))"


@compiles(_Holds, "postgresql")
def _postgresql(element: _Holds, compiler: SQLCompiler, **how: Any) -> str:
    column, wanted, _, _ = (compiler.process(part, **how) for part in element.clauses)
    return f"strpos(lower({_bare(column)}), {wanted}) > 0"


def _bare(text: str) -> str:
    """SQL for `text` (SQL as well) without accents; ASCII, which most of it is, costs next to nothing."""
    bare = rf"normalize(regexp_replace(normalize({text}, NFD), '([A-Za-z])[\u0300-\u036f]+', '\1', 'g'), NFC)"
    return f"CASE WHEN octet_length({text}) = length({text}) THEN {text} ELSE {bare} END"


def _ways(wanted: str) -> str:
    """The pattern of GLOB for folded text."""
    return "".join(
        f"[{ways}]" if len(ways := _written(letter)) > 1 or letter in _SPECIAL else letter for letter in wanted
    )


@cache
def _letters() -> dict[str, str]:
    """Latin letters that are more than one way to write another one, by that one."""
    found: defaultdict[str, str] = defaultdict(str)
    for letter in map(chr, chain(*_LATIN)):
        found[fold(letter)] += letter
    return {bare: ways for bare, ways in found.items() if len(bare) == 1}


def _written(letter: str) -> str:
    return "".join(dict.fromkeys(letter + letter.upper() * (len(letter.upper()) == 1) + _letters().get(letter, "")))
