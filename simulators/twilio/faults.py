"""How the network misbehaves: which faults, how often, decided by dice that a test can load."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import inf
from random import Random
from typing import Literal, cast, get_args

Fault = Literal[
    "duplicate",
    "reorder",
    "delay",
    "drop_connection",
    "bad_signature",
    "sign_with_port",
    "rest_429",
    "rest_500",
    "rest_hang",
    "accept_but_reset",
    "accept_but_hang",
    "broken_json",
    "undelivered",
    "never_status",
    "status_early",
    "status_duplicate",
    "status_out_of_order",
]
_FAULTS: tuple[Fault, ...] = get_args(Fault)


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """How often each fault strikes: `True` always, a whole number that many times, a fraction by chance (0.1 = 10 %).

    The fields that end in a unit, and `copies`, say how bad it is when it does.
    """

    # Texts on their way to the webhook
    duplicate: float = 0  # posted once and `copies` times more, all at the same moment
    copies: int = 1
    reorder: float = 0  # held back until the same phone's next text has overtaken it, at most `reorder_s`
    reorder_s: float = 2.0
    delay: float = 0  # `delay_s` later; texts to a phone as well
    delay_s: float = 5.0
    # Every request to the application
    drop_connection: float = 0  # the application answers, but the answer is lost; sent again as `#rc=` says
    bad_signature: float = 0
    sign_with_port: float = 0  # harmless: signed with the default port written out
    # The REST API
    rest_429: float = 0
    retry_after_s: int = 1
    rest_500: float = 0
    rest_hang: float = 0  # never answered, nothing done
    accept_but_reset: float = 0  # message accepted, connection cut before the answer
    accept_but_hang: float = 0  # call accepted, and never answered
    broken_json: float = 0  # message accepted, answer cut in half
    # What becomes of a message, and what its sender hears of it
    undelivered: float = 0
    undelivered_code: int = 30003
    never_status: float = 0  # no callbacks; the REST API still knows
    status_early: float = 0  # the callbacks come before the REST API has answered
    status_duplicate: float = 0
    status_out_of_order: float = 0

    def __post_init__(self) -> None:
        for setting in fields(self):
            value: object = getattr(self, setting.name)
            if not isinstance(value, int | float) or not 0 <= value < inf:
                raise ValueError(f"{setting.name} must be a number from 0 up, not {value!r}")
            if setting.name in _FAULTS and isinstance(value, float) and value > 1:
                raise ValueError(f"{setting.name} as a fraction is a chance between 0 and 1, not {value!r}")
            if setting.name in ("copies", "undelivered_code", "retry_after_s") and not isinstance(value, int):
                raise ValueError(f"{setting.name} must be a whole number, not {value!r}")


def from_json(data: object) -> Faults:
    """Faults from a decoded JSON object with the names above; the rest keeps its default.

    Raises:
        ValueError: a name or a value makes no sense; the text says which.
    """
    if not isinstance(data, Mapping):
        raise ValueError('send a JSON object such as {"rest_429": 2}')
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
