"""What somebody wants to have done, in their own words: the massage of "I'd like a massage tomorrow at 3"."""

import re
from typing import Final

from bots.understand.text import LIMIT


def thing(text: str) -> str:
    """The thing that is wished for, one to three words; empty for none, and for what any visit may be called."""
    found = _WISH.search(text[:LIMIT])
    if found is None:
        return ""
    said = found.group(1).split()
    return "" if _ANYTHING & {word.lower() for word in said} else " ".join(said)


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
