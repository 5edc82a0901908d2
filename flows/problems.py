"""What is wrong with a scenario, said so that its owner can mend it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from rapidfuzz import process

from flows.definition import Position


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding: where it is, a fixed code, and a sentence. A scenario with errors cannot be published."""

    at: Position
    code: str
    message: str
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        return f"{self.at.line}:{self.at.column} {self.severity} {self.code}: {self.message}"


class ScenarioError(ValueError):
    """A text that is no scenario, with everything found wrong, in the order of the text."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: problem.at))
        super().__init__("\n".join(map(str, self.problems)))


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """` Did you mean 'when'?` when one of `known` is near enough, else nothing."""
    best = process.extractOne(name, list(known), score_cutoff=60)
    return f" Did you mean {best[0]!r}?" if best else ""
