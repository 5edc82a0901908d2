"""How alike a message and known phrasings are: shared stems, pairs and letter triples, rare ones weighing more.

One index holds many entries with one or more phrasings each. An entry's score is half the likeness to its nearest
phrasing and half the likeness to all of its phrasings taken together (cosines, so 0 to 1), which did best of the
simple schemes tried on eight public sets; see bench/understanding.py. Built once, then only read.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from math import log, sqrt
from typing import NamedTuple

from bots.understand.text import stem, words

Vector = dict[str, float]


class Score(NamedTuple):
    id: str
    likeness: float  # 0 to 1
    margin: float  # likeness less half of the next entry's: high only when one entry stands out


class Overlap:
    """An index over entries (id and phrasings); `rank` gives the likeliest first."""

    def __init__(self, entries: Iterable[tuple[str, Sequence[str]]]) -> None:
        phrasings = {entry: [_features(text) for text in texts if text.strip()] for entry, texts in entries}
        self._weights = _rarity([set().union(*features) for features in phrasings.values() if features])
        self._unseen = log(1 + 2 * max(1, len(phrasings)))
        self._owners: list[tuple[str, bool]] = []  # the entry, and whether the row is its phrasings together
        self._rows: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for entry, features in phrasings.items():
            vectors = [self._vector(each) for each in features]
            if vectors:
                self._add(entry, together=True, vector=_mean(vectors))
            for vector in vectors:
                self._add(entry, together=False, vector=vector)

    def rank(self, text: str, limit: int = 5) -> list[Score]:
        """The entries most like `text`, likeliest first; entries that share nothing are left out."""
        products: dict[int, float] = defaultdict(float)
        for feature, weight in self._vector(_features(text)).items():
            for row, other in self._rows.get(feature, ()):
                products[row] += weight * other
        together: dict[str, float] = {}
        nearest: dict[str, float] = {}
        for row, product in products.items():
            entry, is_mean = self._owners[row]
            if is_mean:
                together[entry] = product
            elif product > nearest.get(entry, 0.0):
                nearest[entry] = product
        scored = sorted(((0.5 * (together[entry] + near), entry) for entry, near in nearest.items()), reverse=True)
        scored = scored[: limit + 1]
        follow = [score for score, _ in scored[1:]] + [0.0]
        return [Score(entry, score, score - follow[n] / 2) for n, (score, entry) in enumerate(scored[:limit])]

    def _add(self, entry: str, *, together: bool, vector: Vector) -> None:
        self._owners.append((entry, together))
        for feature, weight in vector.items():
            self._rows[feature].append((len(self._owners) - 1, weight))

    def _vector(self, features: Mapping[str, float]) -> Vector:
        weighed = {name: amount * self._weights.get(name, self._unseen) for name, amount in features.items()}
        return _unit(weighed)


@lru_cache(maxsize=64)  # several indexes are asked about one message; nobody changes the result
def _features(text: str) -> Mapping[str, float]:
    """Stems, neighbouring pairs and letter triples of a text; triples forgive a slip of the finger."""
    said = words(text)
    features: dict[str, float] = defaultdict(float)
    found = [stem(word) for word in said]
    for word, root in zip(said, found, strict=True):
        features[root] += 0.35 if word in _LITTLE else 1.0
        if len(root) >= 4:
            padded = f"^{root}$"
            share = 1.0 / (len(padded) - 2)
            for i in range(len(padded) - 2):
                features["#" + padded[i : i + 3]] += share
    for first, second in pairwise(found):
        features[f"{first} {second}"] += 0.5
    return features


def _rarity(entries: Sequence[set[str]]) -> dict[str, float]:
    counts = Counter(feature for features in entries for feature in features)
    return {feature: log(1 + len(entries) / count) for feature, count in counts.items()}


def _mean(vectors: Sequence[Vector]) -> Vector:
    total: dict[str, float] = defaultdict(float)
    for vector in vectors:
        for feature, weight in vector.items():
            total[feature] += weight
    return _unit(total)


def _unit(vector: Mapping[str, float]) -> Vector:
    length = sqrt(sum(weight * weight for weight in vector.values())) or 1.0
    return {feature: weight / length for feature, weight in vector.items()}


_LITTLE = frozenset(
    "a an the is am are was were be been i me my we our us you your it its this that these those to of in on at for "
    "with and or do does did can could would will should please so if as by from have has had i'm i'd there just".split()
)
