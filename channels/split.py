"""How long a text is, what it costs by SMS, and where to cut it.

Lengths are UTF-16 units, the way handsets count; vendors that count characters are stricter on nobody. A character as
people see it (an emoji family, a flag, a letter with its accents) is never cut.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

# GSM 03.38: the basic table, and the characters that take an escape and so two septets.
_BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED: Final = frozenset("\f^{}\\[~]|€")
# Letters that it lacks, as people write them without it.
_UNACCENTED: Final = str.maketrans(
    {
        **dict(zip("áâãçêëíîïóôõúû", "aaaceeiiiooouu", strict=True)),
        **dict(zip("ÁÂÀÃÊÈËÍÎÏÌÓÔÕÒÚÛÙ", "AAAAEEEIIIIOOOOUUU", strict=True)),
        "œ": "oe",
        "Œ": "OE",
        "\u2019": "'",
    }
)
_NO_BREAK: Final = frozenset("\u00a0\u202f\u2007")


@dataclass(frozen=True, slots=True)
class Parts:
    """What a text is as SMS. `guilty` are the characters, in order and each once, that forced the short alphabet."""

    encoding: Literal["gsm7", "ucs2"]
    units: int
    parts: int
    guilty: tuple[str, ...] = ()


def count(text: str) -> Parts:
    """The parts an SMS is sent and billed in: 160 units alone or 153 each, 70 or 67 in UCS-2; no text is 0 parts."""
    guilty = tuple(dict.fromkeys(char for char in text if char not in _BASIC and char not in _EXTENDED))
    if guilty:
        widths = [2 if char > "\uffff" else 1 for char in text]
        return Parts("ucs2", sum(widths), _filled(widths, 70, 67), guilty)
    widths = [2 if char in _EXTENDED else 1 for char in text]
    return Parts("gsm7", sum(widths), _filled(widths, 160, 153))


def plain(text: str) -> str:
    """The text without the accents that the cheap alphabet lacks (á, í, ó, ç...), where it is cheap then; else as it is.

    People write text messages that way in every language that has them, and one such letter doubles the price.
    """
    if text.isascii() or not count(text).guilty:
        return text
    without = text.translate(_UNACCENTED)
    return text if count(without).guilty else without


def size(text: str) -> int:
    """The length in UTF-16 units: 2 for an emoji, 1 for nearly everything else."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def split(text: str, limit: int) -> tuple[str, ...]:
    """The text in pieces of at most `limit`, cut at line ends or between words where there are any.

    Only white space at a cut and at the end goes missing. A single character longer than `limit` is cut all the same.
    """
    if size(text) <= limit:
        return (text,) if text else ()
    clusters = _clusters(text, limit)
    widths = [size(cluster) for cluster in clusters]
    pieces = []
    start = 0
    while start < len(clusters):
        end = _end(clusters, widths, start, limit)
        if piece := "".join(clusters[start:end]).rstrip():
            pieces.append(piece)
        start = end
        while start < len(clusters) and clusters[start].isspace():
            start += 1
    return tuple(pieces)


def shorten(text: str, limit: int) -> str:
    """The text itself, or its beginning with "…", at most `limit` long."""
    if size(text) <= limit or limit < 1:
        return text if limit > 0 else ""
    kept, room = [], limit - 1
    for cluster in _clusters(text, limit):
        if (room := room - size(cluster)) < 0:
            break
        kept.append(cluster)
    return "".join(kept).rstrip() + "…"


def _filled(widths: Sequence[int], alone: int, each: int) -> int:
    """How many parts the units fill; an escape or a surrogate pair does not straddle two parts."""
    if sum(widths) <= alone:
        return 1 if widths else 0
    parts, room = 1, each
    for width in widths:
        if width > room:
            parts, room = parts + 1, each
        room -= width
    return parts


def _end(clusters: list[str], widths: list[int], start: int, limit: int) -> int:
    """Where the piece from `start` on ends: after its last line if that fills half of it, else after its last word."""
    used, end, line, word = 0, start, 0, 0
    while end < len(clusters) and (used := used + widths[end]) <= limit:
        end += 1
        if clusters[end - 1].isspace() and clusters[end - 1] not in _NO_BREAK:
            word = end
            if clusters[end - 1] in "\r\n" and used * 2 >= limit:
                line = end
    if end < len(clusters) and not clusters[end].isspace():
        end = line or word or end
    return max(end, start + 1)


def _clusters(text: str, limit: int) -> list[str]:
    """The characters as people see them; one that is longer than `limit` comes in its code points."""
    clusters = list(text) if text.isascii() and "\r" not in text else _graphemes()(text)
    return [piece for cluster in clusters for piece in ([cluster] if size(cluster) <= limit else cluster)]


@cache
def _graphemes() -> Callable[[str], list[str]]:
    """Unicode's extended grapheme clusters (UAX 29); imported late, since few texts need cutting."""
    import regex

    return regex.compile(r"\X").findall
