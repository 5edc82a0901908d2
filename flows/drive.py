"""Stepping on while results come at once: the loop that a turn, a rehearsal and a simulation share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeAlias

from flows.effects import Call, Effect, Lookup
from flows.events import Found, Outcome
from flows.machine import Compiled
from flows.state import Run
from flows.step import Step, step

# Does what the effect asks; None when the result will come in a later turn.
Perform: TypeAlias = Callable[[Call | Lookup, Run], Outcome | Found | None]


def drive(scenario: Compiled, first: Step, now: datetime, perform: Perform) -> Step:
    """`first` and all steps that follow from it, as one: until the run waits for something or is over.

    Of the effects, the calls and lookups that `perform` answered are left out. The engine's limit of steps ends a loop.

    Raises:
        ValueError: `perform` answered with something the run does not wait for, such as another's ticket.
    """
    run, moves, ignored = first.run, list(first.moves), first.ignored
    done: list[Effect] = []
    todo = list(first.effects)
    while todo:
        effect = todo.pop(0)
        event = perform(effect, run) if isinstance(effect, Call | Lookup) else None
        if event is None:
            done.append(effect)
            continue
        following = step(scenario, run, event, now)
        if following.ignored:
            raise ValueError(f"{effect} was answered with {type(event).__name__}, which nothing waits for")
        run = following.run
        moves += following.moves
        todo += following.effects
    return Step(run, tuple(done), tuple(moves), ignored)
