"""Long thinking that must not hold up anybody: a few threads, a queue before them, and an end to patience."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

T = TypeVar("T")

_AT_ONCE: Final = 2
_PATIENCE_S: Final = 10.0


class TooLong(Exception):  # noqa: N818  an outcome
    """It was given up."""


class Workshop:
    """Runs plain functions beside the event loop.

    A thread cannot be stopped from outside, so each function is handed a check to call between its steps; it raises
    `TooLong` once nobody waits for the result any more.
    """

    def __init__(
        self,
        *,
        at_once: int = _AT_ONCE,
        patience_s: float = _PATIENCE_S,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="workshop")
        self._patience_s = patience_s
        self._monotonic_s = monotonic_s

    async def do(self, fn: Callable[[Callable[[], None]], T]) -> T:
        """What `fn(check)` returns.

        Raises: TooLong, also when others were in front for too long
        """
        until = self._monotonic_s() + self._patience_s

        def check() -> None:
            if self._monotonic_s() > until:
                raise TooLong

        job = self._threads.submit(fn, check)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(job), self._patience_s)
        except TimeoutError:
            job.cancel()  # which only helps one that has not begun
            raise TooLong from None
