"""What a customer wants, out of the intents a business knows: book, cancel, hours, price and what it adds itself."""

from collections.abc import Sequence
from functools import lru_cache
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


def match(text: str, intents: Sequence[Intent], *, threshold: float = THRESHOLD) -> list[Match]:
    """The intents that `text` speaks of, likeliest first; empty when none reaches the threshold.

    A keyword counts as whole words, in any of their forms ("bookings" is "book"); a longer one outranks a shorter
    one inside it, so "cancel my booking" is about cancelling when "cancel" is a keyword of its own. Examples are
    compared by the words they share.
    """
    said = tuple(stems(text))
    if not said:
        return []
    compiled = _compiled(tuple(intents))
    scores: dict[str, float] = {}
    for name, phrases in compiled.phrases:
        score = max((_phrase_score(phrase, said, strong) for phrase, strong in phrases), default=0.0)
        if score:
            scores[name] = score
    for ranked in compiled.examples.rank(text, 5) if compiled.examples else ():
        scores[ranked.id] = max(scores.get(ranked.id, 0.0), min(1.0, ranked.likeness))
    found = [Match(name, round(score, 3)) for name, score in scores.items() if score >= threshold]
    return sorted(found, key=lambda each: -each.score)


class _Compiled(NamedTuple):
    phrases: tuple[tuple[str, tuple[tuple[tuple[str, ...], float], ...]], ...]
    examples: Overlap | None


@lru_cache(maxsize=256)
def _compiled(intents: tuple[Intent, ...]) -> _Compiled:
    phrases = []
    for intent in intents:
        cut = [tuple(stems(keyword)) for keyword in intent.keywords]
        phrases.append((intent.name, tuple((each, _strength(each)) for each in cut if each)))
    with_examples = [(intent.name, intent.examples) for intent in intents if intent.examples]
    return _Compiled(tuple(phrases), Overlap(with_examples) if with_examples else None)


def _strength(phrase: tuple[str, ...]) -> float:
    """Words of deed (cancel, move) outrank the thing they are done to (booking): they decide what happens."""
    return 0.15 if _OUTRANKING.intersection(phrase) else 0.05 * (len(phrase) - 1)


def _phrase_score(phrase: tuple[str, ...], said: tuple[str, ...], strength: float) -> float:
    size = len(phrase)
    if not any(said[i : i + size] == phrase for i in range(len(said) - size + 1)):
        return 0.0
    return min(1.0, 0.5 + 0.35 * size / len(said) + strength)


_OUTRANKING = frozenset(stems("cancel reschedule move change postpone call off speak talk human agent stop"))
