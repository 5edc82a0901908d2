"""Makes words from outside fit for a column: the same on every engine, and never too long for it."""

import re
import unicodedata

# PostgreSQL refuses NUL in text; nobody ever needs the other C0 controls in a name or a note.
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SPACES = re.compile(r"\s+")


def storable(text: str, limit: int | None = None) -> str:
    """`text` without what a database refuses (NUL, lone surrogates), cut to `limit` characters."""
    if "\x00" in text:
        text = text.replace("\x00", "")
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode("utf-8")
    return text if limit is None else text[:limit]


def one_line(text: str, limit: int) -> str:
    """`text` as a name or a label: NFC, one line, single spaces, no controls and no marks that turn writing around."""
    text = _CONTROLS.sub("", unicodedata.normalize("NFC", storable(text)))
    text = "".join(c for c in text if c not in _TURNS)
    return _SPACES.sub(" ", text).strip()[:limit].strip()


_TURNS = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
