"""Ways through a scenario that go round without ever asking the customer anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

# How many arrows are tried in the search; beyond, the engine's limit of steps must do.
_BUDGET = 50_000


@dataclass(frozen=True, slots=True)
class Edge:
    """An arrow that is followed without waiting for the customer.

    `skipped` is the slot of a question passed over because it is known, `found` the slot that a lookup fills by itself
    instead of offering choices. `forgotten` are slots that following it clears; `spent` those of them that its outcome
    clears because they led to it; `gained` those that its outcome sets.
    """

    source: str
    target: str
    skipped: str | None = None
    found: str | None = None
    forgotten: frozenset[str] = frozenset()
    spent: frozenset[str] = frozenset()
    gained: frozenset[str] = frozenset()


def endless(edges: Sequence[Edge]) -> list[str] | None:
    """The states of a way that can go round for ever, the first one again at the end; None when there is none."""
    for way in _circles(edges):
        if not _comes_to_rest(way):
            return [way[0].source, *(edge.target for edge in way)]
    return None


def _comes_to_rest(way: Sequence[Edge]) -> bool:
    """Whether going round `way` again is impossible, or means asking."""
    forgotten = frozenset[str]().union(*(edge.forgotten for edge in way))
    gained = frozenset[str]().union(*(edge.gained for edge in way))
    return any(
        # It passes over a question whose slot it forgets: next time the question is asked.
        (edge.skipped is not None and edge.skipped in forgotten)
        # It found by itself what nothing forgets: next time there is nothing to look up.
        or (edge.found is not None and edge.found not in forgotten)
        # What led to this outcome is gone and does not come back: next time there is another outcome.
        or bool(edge.spent - gained)
        for edge in way
    )


def _circles(edges: Sequence[Edge]) -> Iterator[list[Edge]]:
    """Every way that comes back to its first state and meets no other twice, until the budget is used up."""
    leaving: dict[str, list[Edge]] = {}
    for edge in edges:
        leaving.setdefault(edge.source, []).append(edge)
    order = {name: index for index, name in enumerate(leaving)}
    budget = _BUDGET
    for first, ways_out in leaving.items():
        # Each circle is found once, from its earliest state.
        way: list[Edge] = []
        choices = [iter(ways_out)]
        on_way = {first}
        while choices:
            budget -= 1
            if budget <= 0:
                return
            onward = next(choices[-1], None)
            if onward is None:
                choices.pop()
                if way:
                    on_way.discard(way.pop().target)
            elif onward.target == first:
                yield [*way, onward]
            elif onward.target not in on_way and order.get(onward.target, -1) > order[first]:
                way.append(onward)
                on_way.add(onward.target)
                choices.append(iter(leaving[onward.target]))
