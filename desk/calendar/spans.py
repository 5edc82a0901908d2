"""Sets of time: pieces `[start, end)` of instants, sorted and apart, and what can be done with them."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple


class Span(NamedTuple):
    """From `start` up to, but not at, `end`."""

    start: datetime
    end: datetime


def merged(spans: Iterable[Span]) -> list[Span]:
    """The same instants in as few pieces as possible, earliest first. Pieces that touch become one."""
    result: list[Span] = []
    for span in sorted(spans):
        if span.start >= span.end:
            continue
        if result and span.start <= result[-1].end:
            if span.end > result[-1].end:
                result[-1] = Span(result[-1].start, span.end)
        else:
            result.append(span)
    return result


def common(left: Sequence[Span], right: Sequence[Span]) -> list[Span]:
    """The instants that are in both. Each side is sorted and apart, as `merged` makes it."""
    result: list[Span] = []
    i = j = 0
    while i < len(left) and j < len(right):
        start, end = max(left[i].start, right[j].start), min(left[i].end, right[j].end)
        if start < end:
            result.append(Span(start, end))
        if left[i].end < right[j].end:
            i += 1
        else:
            j += 1
    return result


def without(spans: Sequence[Span], taken: Sequence[Span]) -> list[Span]:
    """The instants of `spans` that are not in `taken`. Each side is sorted and apart."""
    result: list[Span] = []
    j = 0
    for start, end in spans:
        while j < len(taken) and taken[j].end <= start:
            j += 1
        k = j
        while k < len(taken) and taken[k].start < end:
            if start < taken[k].start:
                result.append(Span(start, taken[k].start))
            start = max(start, taken[k].end)
            k += 1
        if start < end:
            result.append(Span(start, end))
    return result


def overlap(left: Span, right: Span) -> bool:
    return left.start < right.end and right.start < left.end
