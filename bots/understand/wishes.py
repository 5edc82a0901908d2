"""What somebody wants to have done, in their own words: the massage of "I'd like a massage tomorrow at 3"."""

import re
from collections.abc import Iterator
from itertools import islice
from typing import Final, NamedTuple

from bots.understand.text import LIMIT


def thing(text: str) -> str:
    """The thing that is wished for, one to three words; empty for none, and for what any visit may be called."""
    found = _WISH.search(text[:LIMIT])
    if found is None:
        return ""
    said = found.group(1).split()
    return "" if _ANYTHING & {word.lower() for word in said} else " ".join(said)


class Pair(NamedTuple):
    """Two things that were named together: "a haircut and a massage". `first` is empty where something else stands between,
    as in "haircut at 3 and a massage"; `left` is all of it. `is_a`: the second has an article.
    """

    first: str
    second: str
    left: str
    is_a: bool


def pairs(text: str) -> Iterator[Pair]:
    """The things that stand on both sides of an "and", one to three words each; what any visit may be called is none."""
    text = text[:LIMIT]
    for joint in islice(_AND.finditer(text), _MOST):
        behind = _BEHIND.match(text, joint.end())
        if behind is not None:
            left, said = text[: joint.start()][-_REACH:], behind.group(1) or behind.group(2)
            pair = Pair(_before(left), said.strip(), left, is_a=behind.group(1) is not None)
            if not any(_ANYTHING & {word.lower() for word in side.split()} for side in (pair.first, pair.second)):
                yield pair


def _before(text: str) -> str:
    """The words at the end of `text` behind whatever leads to a thing: the haircut of "friday at 3 a haircut"; or none."""
    found = _LAST.search(text)
    words = found.group().rstrip(" ,").split() if found is not None else []
    leads = [place for place, word in enumerate(words) if word.lower() in _LEADS]
    return " ".join(words[leads[-1] + 1 :] if leads else words)


_MOST: Final = 8  # joints in one message that are looked at
_REACH: Final = 60  # characters before one
_END: Final = (
    r"on|at|for|with|by|in|and|or|from|to|after|before|around|between|tomorrow|today|tonight|next|this|coming|please|pls|asap|"
    r"soon|now|monday|tuesday|wednesday|thursday|friday|saturday|sunday|the|as|if|when|that|which|overmorrow|instead"
)
_WISH: Final = re.compile(
    r"(?i)\b(?:want|need|like|book|get|have|schedule|reserve)(?: to)?(?: (?:get|book|have|make|schedule|reserve))?(?: me| us)?"
    rf" (?:an?|some) ((?:(?!(?:{_END})\b)[^\W\d_]{{3,}}[ ]?){{1,3}})(?=[ ]{{0,3}}(?:(?:{_END})\b|[.,?!]|\d|$))"
)
# What people call a visit of any kind, and what is asked for and is none.
_ANYTHING: Final = frozenset(
    "agent answer any anything appointment appointments appt availability available bit bite book booking call callback chance "
    "change chat couple date day deal different discount estimate few free further good hand help hour hours human idea "
    "information invoice list little look lot message minute moment more name new number opening openings option other person "
    "place price problem question quick quote receipt refund reminder reservation room seat service services session slot "
    "slots something soon spot table talk team time times visit visits week while word".split()
)
_WORDS: Final = rf"(?:(?!(?:{_END})\b)[^\W\d_]{{3,}}['\u2019]?s?[ ]?)"
_AND: Final = re.compile(r"(?i)(?:\band\b|&|\+|\bplus\b)[ ]{0,3}(?:(?:also|then|maybe)[ ])?")
_LAST: Final = re.compile(r"(?:[^\W\d_]{3,}(?:['\u2019]s?)?[ ]{1,3}){0,2}[^\W\d_]{3,}(?:['\u2019]s?)?[ ,]{0,3}$")
_LEADS: Final = frozenset(
    "also another book booking can could get getting have having her him just like make may maybe my need needs one our reserve "
    "schedule some them want wanted wants your".split()
) | frozenset(_END.split("|"))
_BEHIND: Final = re.compile(
    rf"(?i)(?:(?:an?|some)[ ]({_WORDS}{{1,3}})|({_WORDS}{{1,2}}))(?=[ ]{{0,3}}(?:(?:{_END})\b|[.,?!]|\d|$))"
)
