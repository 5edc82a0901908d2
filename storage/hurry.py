"""Who waits for the database at the moment, so that what can wait may let them go first."""

import asyncio
import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Final

# Set where work is done that nobody waits for at the moment, such as a job: others go first.
IN_BACKGROUND: Final[ContextVar[bool]] = ContextVar("in_background", default=False)


_CROWD_S: Final = 2.0  # so long after the last question somebody is taken to be there


class Hurry:
    """One per store. `is_over` is set while nobody is being served, for other threads."""

    def __init__(self) -> None:
        self._asked_s = -math.inf
        self.is_over = threading.Event()
        self.is_over.set()
        self._served = 0
        self._calm = set[asyncio.Future[None]]()

    @property
    def is_likely(self) -> bool:
        """Whether somebody who waits asked for something just now, so that the next one may come at any moment."""
        return time.monotonic() - self._asked_s < _CROWD_S

    @contextmanager
    def served(self) -> Iterator[None]:
        """The block is done for somebody who waits, unless it is done `IN_BACKGROUND`."""
        if IN_BACKGROUND.get():
            yield
            return
        self._asked_s = time.monotonic()
        self._served += 1
        self.is_over.clear()
        try:
            yield
        finally:
            self._served -= 1
            if not self._served:
                self.is_over.set()
                for one in self._calm:
                    if not one.done():
                        one.set_result(None)

    async def over(self, at_most_s: float) -> None:
        """Return when nobody is being served, or after so long."""
        if not self._served:
            return
        calm: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._calm.add(calm)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(at_most_s):
                    await calm
        finally:
            self._calm.discard(calm)  # where there is always somebody, nothing else would let go of it
