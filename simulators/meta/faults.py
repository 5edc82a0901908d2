"""How Meta misbehaves: which faults, how often, decided by dice that a test can load."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import inf
from random import Random
from typing import Literal, cast, get_args

Fault = Literal[
    "duplicate",
    "bad_signature",
    "drop_answer",
    "graph_error",
    "graph_429",
    "graph_500",
    "graph_hang",
    "accept_but_reset",
    "broken_json",
    "media_lost",
    "failed",
    "never_status",
    "status_early",
    "echo_early",
    "status_duplicate",
    "status_out_of_order",
]
_FAULTS: tuple[Fault, ...] = get_args(Fault)
_WHOLE = ("copies", "error_code", "failed_code", "retry_after_s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """How often each fault strikes: `True` always, a whole number that many times, a fraction by chance (0.1 = 10 %).

    The other fields say how bad it is when it does.
    """

    # Requests to the application
    duplicate: float = 0  # posted once and `copies` times more, all at the same moment
    copies: int = 1
    bad_signature: float = 0
    drop_answer: float = 0  # the application answers, but it does not count: the same comes again
    # The Graph API
    graph_error: float = 0  # refused with `error_code`
    error_code: int = 131000
    graph_429: float = 0
    retry_after_s: int = 1
    graph_500: float = 0
    graph_hang: float = 0  # never answered, nothing done
    accept_but_reset: float = 0  # message accepted, connection cut before the answer
    broken_json: float = 0  # message accepted, answer cut in half
    media_lost: float = 0  # a file whose address leads nowhere
    # What becomes of a message, and what its sender hears of it
    failed: float = 0
    failed_code: int = 131026
    never_status: float = 0
    status_early: float = 0  # the statuses come before the Graph API has answered
    echo_early: float = 0  # it is told of before that, as if it had been written on the shop's phone
    status_duplicate: float = 0
    status_out_of_order: float = 0

    def __post_init__(self) -> None:
        for setting in fields(self):
            value: object = getattr(self, setting.name)
            if not isinstance(value, int | float) or not 0 <= value < inf:
                raise ValueError(f"{setting.name} must be a number from 0 up, not {value!r}")
            if setting.name in _FAULTS and isinstance(value, float) and value > 1:
                raise ValueError(f"{setting.name} as a fraction is a chance between 0 and 1, not {value!r}")
            if setting.name in _WHOLE and not isinstance(value, int):
                raise ValueError(f"{setting.name} must be a whole number, not {value!r}")


def from_json(data: object) -> Faults:
    """Faults from a decoded JSON object with the names above; the rest keeps its default.

    Raises:
        ValueError: a name or a value makes no sense; the text says which.
    """
    if not isinstance(data, Mapping):
        raise ValueError('send a JSON object such as {"graph_429": 2}')
    known = [setting.name for setting in fields(Faults)]
    if unknown := [str(name) for name in data if name not in known]:
        raise ValueError(f"no such fault: {', '.join(unknown)}; there are {', '.join(known)}")
    return Faults(**data)


class Dice:
    """Decides, event by event, whether a fault strikes; whole numbers are used up."""

    def __init__(self, faults: Faults, rng: Random) -> None:
        self.faults = faults
        self._rng = rng
        self._left: dict[Fault, float] = {name: cast(float, getattr(faults, name)) for name in _FAULTS}

    def strikes(self, name: Fault) -> bool:
        """Whether this event suffers the fault."""
        left = self._left[name]
        if not isinstance(left, int):
            return self._rng.random() < left
        if left > 0 and left is not True:
            self._left[name] = left - 1
        return left > 0
