"""How much a process may do for nobody in particular while somebody waits for it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

_LOOK_S: Final = 0.025
_LATE_S: Final = 0.02  # who waits for an answer begins to feel it
_MOST: Final = 64
_SHARE: Final = 0.75  # of one core's time, while somebody waits; the rest is for whoever comes next
_BESIDE: Final = 3  # jobs side by side while somebody waits: what they all do at once is done before anything else
_MOST_OWED_S: Final = 0.25
_CALM_WITHIN_S: Final = 0.05  # a text is answered sooner; where there is always one, what can wait goes on slowly


class Pressure:
    """How many jobs that can wait may run side by side just now: `room`; and for how long none is begun: `rest_s`.

    A process that is late for its own appointments keeps everybody waiting as long. Then there is room for half as many,
    and for one more each time that it was punctual: as networks share a line (RFC 5681, additive increase and
    multiplicative decrease). While somebody waits, a part of the processor is left free for them: what was used of it is
    owed, and paid back in rest.
    """

    def __init__(
        self,
        is_waited_for: Callable[[], bool] = lambda: False,
        served: Callable[[float], Awaitable[None]] | None = None,
        *,
        monotonic_s: Callable[[], float] = time.monotonic,
        cpu_s: Callable[[], float] = time.process_time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`is_waited_for` says whether somebody waits for the process now and then; `served` returns when nobody is being served
        at this moment, or after so many seconds. `cpu_s` is what the process has used of processors.
        """
        self._is_waited_for = is_waited_for
        self._served = served
        self._monotonic_s = monotonic_s
        self._cpu_s = cpu_s
        self._sleep = sleep
        self._room = _MOST
        self._owed_s = 0.0

    @property
    def room(self) -> int:
        return min(self._room, _BESIDE) if self._is_waited_for() else self._room

    @property
    def rest_s(self) -> float:
        return self._owed_s / _SHARE

    async def eased(self) -> None:
        """Return when the next piece of work that can wait may be begun."""
        if self.rest_s > 0:
            await self._sleep(self.rest_s)
        await self.calm()

    async def calm(self) -> None:
        """Return when nobody is being served at this moment, or soon if there is always somebody: threads take turns at the
        interpreter, so whoever works beside an answer makes it late.
        """
        if self._served is not None:
            await self._served(_CALM_WITHIN_S)

    async def watch(self) -> None:
        """Keep it as it should be, until cancelled."""
        while True:
            began_s, began_cpu_s = self._monotonic_s(), self._cpu_s()
            await self._sleep(_LOOK_S)
            self.felt(self._monotonic_s() - began_s, self._cpu_s() - began_cpu_s)

    def felt(self, took_s: float, cpu_s: float) -> None:
        """A look took so long where `_LOOK_S` was meant, and the process used `cpu_s` of processors in it."""
        if took_s - _LOOK_S > _LATE_S:
            self._room = max(1, self._room // 2)
        else:
            self._room = min(_MOST, self._room + 1)
        owed_s = max(self._owed_s + cpu_s - _SHARE * took_s, 0.0)
        self._owed_s = min(owed_s, _MOST_OWED_S) if self._is_waited_for() else 0.0
