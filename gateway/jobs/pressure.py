"""How much a process may do for nobody in particular while somebody waits for it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

_LOOK_S: Final = 0.025
_LATE_S: Final = 0.02  # who waits for an answer begins to feel it
_CROWDED_S: Final = 0.008  # the same where somebody does wait just now: their answer takes several steps
_SHORTEST_S: Final = 0.01
_LONGEST_S: Final = 0.25


class Pressure:
    """How many jobs may run side by side just now: `room`, from one up to `most`; and for how long nothing new is begun
    after something was, `rest_s`.

    A process that is late for its own appointments keeps everybody waiting as long. Then there is room for half as many,
    and for one more each time that it was punctual: as networks share a line (RFC 5681, additive increase and
    multiplicative decrease). Where one at a time is still too much for somebody who waits, there are rests between them.
    """

    def __init__(
        self,
        most: int,
        *,
        monotonic_s: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.room = most
        self.rest_s = 0.0
        self._most = most
        self._monotonic_s = monotonic_s
        self._sleep = sleep

    async def watch(self, is_waited_for: Callable[[], bool]) -> None:
        """Keep both as they should be, until cancelled. `is_waited_for` says whether somebody waits for the process now."""
        while True:
            due_s = self._monotonic_s() + _LOOK_S
            await self._sleep(_LOOK_S)
            self.felt(self._monotonic_s() - due_s, is_waited_for=is_waited_for())

    def felt(self, late_s: float, *, is_waited_for: bool = False) -> None:
        """Something was so many seconds late."""
        if not is_waited_for:
            self.rest_s = 0.0
        if late_s > (_CROWDED_S if is_waited_for else _LATE_S):
            if is_waited_for and self.room == 1:
                self.rest_s = min(max(self.rest_s * 2, _SHORTEST_S), _LONGEST_S)
            self.room = max(1, self.room // 2)
        elif self.rest_s > 0:
            self.rest_s = self.rest_s * 0.8 if self.rest_s > _SHORTEST_S else 0.0
        else:
            self.room = min(self._most, self.room + 1)
