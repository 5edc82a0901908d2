"""Texts with blanks to fill in: `{{ customer.name | default: "there" }}`. Names come from a list; nothing is evaluated."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from desk.errors import Invalid
from desk.text import one_line

_BLANK: Final = re.compile(r'\{\{\s*([a-z][a-z0-9_.]*)\s*(?:\|\s*default:\s*"([^"{}]*)"\s*)?\}\}')
_LONGEST: Final = 200  # characters of what is filled in


@dataclass(frozen=True, slots=True)
class Template:
    """A text that has been checked. `pieces` alternate: words, then the name of a blank and its default, None without one."""

    pieces: Sequence[str | tuple[str, str | None]]

    def render(self, values: Mapping[str, str | None]) -> str:
        """The text with its blanks filled in; an empty value gives way to the default."""
        return "".join(
            piece if isinstance(piece, str) else _value(values, piece[0]) or piece[1] or "" for piece in self.pieces
        )

    def missing(self, values: Mapping[str, str | None]) -> list[str]:
        """The names of blanks that would stay empty, each once and in order: without a value, and no default (not even an
        empty one) was written.
        """
        names = [piece[0] for piece in self.pieces if not isinstance(piece, str) and piece[1] is None]
        return [name for name in dict.fromkeys(names) if not _value(values, name)]


def parse(text: str, known: Collection[str], *, field: str = "text") -> Template:
    """`text` as a template with blanks of the `known` names.

    Raises: Invalid, for a name that is not known or a brace that belongs to nothing
    """
    pieces: list[str | tuple[str, str | None]] = []
    end = 0
    for blank in _BLANK.finditer(text):
        pieces.append(_words(text[end : blank.start()], field))
        name, default = blank.group(1), blank.group(2)
        if name not in known:
            raise Invalid(field, f"There is nothing called {name[:80]}; there are {', '.join(sorted(known))}.")
        pieces.append((name, default))
        end = blank.end()
    pieces.append(_words(text[end:], field))
    return Template([piece for piece in pieces if piece])


def _value(values: Mapping[str, str | None], name: str) -> str:
    return one_line(values.get(name) or "", _LONGEST)


def _words(text: str, field: str) -> str:
    if "{{" in text or "}}" in text:
        raise Invalid(field, 'A blank looks like {{ customer.name | default: "there" }}.')
    return text
