"""What a customer wants, out of the intents a business knows: book, cancel, hours, price and what it adds itself."""

from collections.abc import Sequence
from typing import NamedTuple

from bots.understand.overlap import Overlap
from bots.understand.text import stems


class Intent(NamedTuple):
    name: str
    keywords: tuple[str, ...] = ()  # words or short phrases, any of which is a sign
    examples: tuple[str, ...] = ()  # whole sentences


class Match(NamedTuple):
    name: str
    score: float  # 1 = the message says little else, 0.5 = a keyword in a long message, less = like an example


THRESHOLD = 0.3


class Matcher:
    """Made once for a set of intents, then asked for every message."""

    def __init__(self, intents: Sequence[Intent]) -> None:
        self._by_stem: dict[str, list[tuple[str, tuple[str, ...], float]]] = {}
        for intent in intents:
            for phrase in {stems(keyword) for keyword in intent.keywords}:
                if phrase:
                    self._by_stem.setdefault(phrase[0], []).append((intent.name, phrase, _strength(phrase)))
        with_examples = [(intent.name, intent.examples) for intent in intents if intent.examples]
        self._examples = Overlap(with_examples) if with_examples else None

    def match(self, text: str, *, threshold: float = THRESHOLD) -> list[Match]:
        """The intents that `text` speaks of, likeliest first; empty when none reaches the threshold.

        A keyword counts as whole words, in any of their forms ("bookings" is "book"); a longer one outranks a shorter
        one inside it, so "cancel my booking" is about cancelling when "cancel" is a keyword of its own. Examples are
        compared by the words they share.
        """
        said = stems(text)
        scores: dict[str, float] = {}
        for place, word in enumerate(said):
            for name, phrase, strength in self._by_stem.get(word, ()):
                size = len(phrase)
                if said[place : place + size] == phrase:
                    score = min(1.0, 0.5 + 0.35 * size / len(said) + strength)
                    scores[name] = max(scores.get(name, 0.0), score)
        if self._examples is not None:
            for ranked in self._examples.rank(text, 5):
                scores[ranked.id] = max(scores.get(ranked.id, 0.0), min(1.0, ranked.likeness))
        found = [Match(name, round(score, 3)) for name, score in scores.items() if score >= threshold]
        return sorted(found, key=lambda each: -each.score)


def match(text: str, intents: Sequence[Intent], *, threshold: float = THRESHOLD) -> list[Match]:
    """What a `Matcher` finds, for those who ask once."""
    return Matcher(intents).match(text, threshold=threshold)


def _strength(phrase: tuple[str, ...]) -> float:
    """Words of deed (cancel, move) outrank the thing they are done to (booking): they decide what happens."""
    return 0.25 if _OUTRANKING.intersection(phrase) else 0.05 * (len(phrase) - 1)


_OUTRANKING = frozenset(stems("cancel reschedule move change postpone call off speak talk human agent stop"))
