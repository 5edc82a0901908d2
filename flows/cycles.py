"""Ways through a scenario that go round without ever asking the customer anything."""

from __future__ import annotations

from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

# How many combinations of forgotten slots are looked into; beyond, the engine's limit of steps must do.
_BUDGET = 512


class Edge(NamedTuple):
    """An arrow followed without waiting: by skipping the question for `skipped` when it leaves a collect as filled."""

    source: str
    target: str
    skipped: str | None
    cleared: frozenset[str]


def endless(edges: list[Edge]) -> list[str] | None:
    """A way that leads back to where it began without ever asking, or None.

    A question on a cycle is asked only if its slot is forgotten somewhere on that cycle. So a cycle is endless when
    none of its arrows forgets a slot that it skips. Either the arrows that forget nothing skipped close a cycle, or one
    that forgets a slot is on it and then the cycle avoids skipping that slot: look again without those skips.
    """
    seen: set[frozenset[str]] = set()
    todo: list[frozenset[str]] = [frozenset()]
    while todo and len(seen) < _BUDGET:
        barred = todo.pop()
        if barred in seen:
            continue
        seen.add(barred)
        left = [edge for edge in edges if edge.skipped not in barred]
        if _cycle(left) is None:
            continue
        skipped = {edge.skipped for edge in left if edge.skipped is not None}
        found = _cycle([edge for edge in left if edge.cleared.isdisjoint(skipped)])
        if found is not None:
            return found
        forgotten = frozenset().union(*(edge.cleared for edge in left))
        todo += [barred | {slot} for slot in skipped & forgotten]
    return None


def _cycle(edges: Iterable[Edge]) -> list[str] | None:
    graph: dict[str, set[str]] = {}
    for edge in edges:
        graph.setdefault(edge.target, set()).add(edge.source)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as found:
        cycle: list[str] = found.args[1]
        return cycle
    return None
