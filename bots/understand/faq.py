"""The business's questions and answers, found by the words a customer's question shares with them."""

from collections.abc import Sequence
from typing import NamedTuple

from bots.understand.overlap import Overlap

# How much the best entry must stand out. Chosen on the validation parts of the public sets: nine of ten questions
# that have no answer are left alone. Below it, `suggestions` may still be offered for the customer to choose from.
THRESHOLD = 0.18
HINT = 0.12


class Faq(NamedTuple):
    id: str
    question: str
    answer: str
    alternatives: tuple[str, ...] = ()  # other phrasings and keywords


class Hit(NamedTuple):
    id: str
    score: float


class Index:
    """Built once for a set of questions, then asked; answers are not looked at, only the ways to ask."""

    def __init__(self, entries: Sequence[Faq]) -> None:
        self._overlap = Overlap((entry.id, (entry.question, *entry.alternatives)) for entry in entries)

    def best(self, text: str, *, threshold: float = THRESHOLD) -> Hit | None:
        """The entry that answers `text`, or None when none stands out enough to be trusted."""
        ranked = self._overlap.rank(text, 1)
        if not ranked or ranked[0].margin < threshold:
            return None
        return Hit(ranked[0].id, round(ranked[0].margin, 3))

    def suggestions(self, text: str, *, limit: int = 3) -> list[Hit]:
        """Entries worth a "did you mean", likeliest first; empty when nothing comes near."""
        return [
            Hit(each.id, round(each.likeness, 3)) for each in self._overlap.rank(text, limit) if each.likeness >= HINT
        ]
