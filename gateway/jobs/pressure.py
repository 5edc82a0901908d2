"""How much a process may do for nobody in particular while somebody waits for it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

_LOOK_S: Final = 0.05
_LATE_S: Final = 0.02  # who waits for an answer begins to feel it


class Pressure:
    """How many jobs may run side by side just now: `room`, from one up to `most`.

    A process that is late for its own appointments keeps everybody waiting as long. Then there is room for half as many,
    and for one more each time that it was punctual: as networks share a line (RFC 5681, additive increase and
    multiplicative decrease).
    """

    def __init__(
        self,
        most: int,
        *,
        monotonic_s: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.room = most
        self._most = most
        self._monotonic_s = monotonic_s
        self._sleep = sleep

    async def watch(self) -> None:
        """Keep `room` as it should be, until cancelled."""
        while True:
            due_s = self._monotonic_s() + _LOOK_S
            await self._sleep(_LOOK_S)
            self.felt(self._monotonic_s() - due_s)

    def felt(self, late_s: float) -> None:
        """Something was so many seconds late."""
        self.room = max(1, self.room // 2) if late_s > _LATE_S else min(self._most, self.room + 1)
