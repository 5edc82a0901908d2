"""The other side of the wire: many phones at once over keep-alive connections, and how long each waited for its answer.

Closed loop: so many phones talk at once, each writes again when it has been answered. Open loop: texts come at a fixed rate
whether or not we keep up, and the wait counts from the moment a text was due, not from when it could be sent.
"""

import asyncio
import math
import random
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import cast

from bench.phones import Dialogue, Step

_SEATS = 256  # phones that take part in an open loop; each is busy with one text at a time
_TICK_S = 0.001
_GIVE_UP_S = 30.0
_SHOWN = 3  # wrong answers kept to be shown


@dataclass(slots=True)
class Measured:
    """What a loop measured. `waits_s` are the answers within the measured time, `finished` all dialogues that ended booked,
    also before and after it; `cpu_s` is the server's share of `seconds`.
    """

    seconds: float = 0.0
    cpu_s: float = 0.0
    waits_s: list[float] = field(default_factory=list)
    finished: list[int] = field(default_factory=list)  # numbers of the dialogues
    wrong: list[str] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Messages a second."""
        return len(self.waits_s) / self.seconds if self.seconds else 0.0

    @property
    def cpu_us(self) -> float:
        """The server's CPU time for one message, in microseconds."""
        return self.cpu_s / len(self.waits_s) * 1e6 if self.waits_s else 0.0

    @property
    def core_share(self) -> float:
        """How much of one core the server had; in a closed loop clearly less than 1 means that others were in the way."""
        return self.cpu_s / self.seconds if self.seconds else 0.0

    def wait_ms(self, percent: float) -> float:
        return percentile(self.waits_s, percent) * 1000


def percentile(values: list[float], percent: float) -> float:
    """The smallest value that at least `percent` of the values do not exceed; 0 without values."""
    if not values:
        return 0.0
    return sorted(values)[max(math.ceil(len(values) * percent / 100) - 1, 0)]


class Line(asyncio.Protocol):
    """A keep-alive connection that asks one thing at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._answered: Callable[[int, bytes], None] | None = None
        self._buffer = b""
        self.is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but its family
        self.is_open = True

    def ask(self, request: bytes, answered: Callable[[int, bytes], None]) -> None:
        """Send a request; `answered` is given the status and the body, or 0 and nothing when the line went dead."""
        self._answered = answered
        if self._transport is None or not self.is_open:
            asyncio.get_running_loop().call_soon(self._settle, 0, b"")
        else:
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        answer = read_answer(buffer)
        if answer is None:
            self._buffer = buffer
            return
        self._buffer = b""
        self._settle(*answer)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        self._settle(0, b"")

    def close(self) -> None:
        self._answered = None
        if self._transport is not None:
            self._transport.close()

    def _settle(self, status: int, body: bytes) -> None:
        answered, self._answered = self._answered, None
        if answered is not None:
            answered(status, body)


def read_answer(data: bytes) -> tuple[int, bytes] | None:
    """Status and body of an HTTP/1.1 answer with a Content-Length, or None while it is not whole."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    start = data.find(b"Content-Length: ", 0, end)
    length = int(data[start + 16 : data.find(b"\r\n", start)]) if start >= 0 else 0
    if len(data) < end + 4 + length:
        return None
    return int(data[9:12]), data[end + 4 : end + 4 + length]


class _Talk:
    """A phone's line and where it stands in its dialogue; when one dialogue is booked it goes on with the next."""

    def __init__(self, line: Line, dialogues: Iterator[Dialogue], measured: Measured) -> None:
        self._line = line
        self._dialogues = dialogues
        self._measured = measured
        self._dialogue: Dialogue | None = None
        self._place = 0

    def next(self, done: Callable[[bool], None], *, may_begin: bool) -> bool:
        """Send the next text and call `done` (whether the answer was right); False when there is nothing to say."""
        if self._dialogue is None:
            self._dialogue = next(self._dialogues, None) if may_begin else None
            self._place = 0
        if self._dialogue is None or not self._line.is_open:
            return False
        dialogue, step = self._dialogue, self._dialogue.steps[self._place]

        def answered(status: int, body: bytes) -> None:
            is_right = status == 200 and all(piece in body for piece in step.answer)
            if not is_right:
                self._wrong(dialogue, step, status, body)
                self._dialogue = None
            elif self._place + 1 == len(dialogue.steps):
                self._measured.finished.append(dialogue.number)
                self._dialogue = None
            else:
                self._place += 1
            done(is_right)

        self._line.ask(step.request, answered)
        return True

    def _wrong(self, dialogue: Dialogue, step: Step, status: int, body: bytes) -> None:
        missing = [piece.decode() for piece in step.answer if piece not in body]
        self._measured.wrong.append(f"{dialogue.phone} {step.text!r}: {status} without {missing}: {body[:400]!r}")
        del self._measured.wrong[_SHOWN:]


async def closed(
    port: int,
    dialogues: Iterator[Dialogue],
    *,
    at_once: int,
    warm_s: float,
    seconds: float,
    cpu_s: Callable[[], float],
) -> Measured:
    """`at_once` phones talk for `seconds` after `warm_s`, then finish what they have begun.

    Raises: TimeoutError when an answer never came
    """
    loop = asyncio.get_running_loop()
    measured = Measured()
    phase = _Phase(measured, cpu_s)
    lines = await _lines(port, at_once)
    still_talking = at_once
    all_done = asyncio.Event()

    def go_on(talk: _Talk) -> None:
        nonlocal still_talking
        asked_at = time.perf_counter()

        def done(is_right: bool) -> None:
            if phase.is_on and is_right:
                measured.waits_s.append(time.perf_counter() - asked_at)
            go_on(talk)

        if not talk.next(done, may_begin=not phase.is_over and not measured.wrong):
            still_talking -= 1
            if still_talking == 0:
                phase.end()
                all_done.set()

    loop.call_later(warm_s, phase.begin)
    loop.call_later(warm_s + seconds, phase.end)
    for line in lines:
        go_on(_Talk(line, dialogues, measured))
    await asyncio.wait_for(all_done.wait(), warm_s + seconds + _GIVE_UP_S)
    for line in lines:
        line.close()
    return measured


async def opened(
    port: int,
    dialogues: Iterator[Dialogue],
    *,
    rate: float,
    warm_s: float,
    seconds: float,
    cpu_s: Callable[[], float],
    chance: random.Random,
) -> Measured:
    """`rate` texts a second from many phones for `seconds` after `warm_s`; then all finish what they have begun.

    Raises: TimeoutError when an answer never came
    """
    measured = Measured()
    phase = _Phase(measured, cpu_s)
    lines = await _lines(port, _SEATS)
    free = [_Talk(line, dialogues, measured) for line in lines]
    due: deque[float] = deque()

    def send() -> None:
        while due and free:
            # Anybody who is free: so phones drift apart, and not all of them book at the same moment.
            place = chance.randrange(len(free))
            free[place], free[-1] = free[-1], free[place]
            talk, due_at = free.pop(), due.popleft()

            def done(is_right: bool, talk: _Talk = talk, due_at: float = due_at) -> None:
                if phase.is_on and is_right:
                    measured.waits_s.append(time.perf_counter() - due_at)
                free.append(talk)
                send()

            talk.next(done, may_begin=True)

    began_at = time.perf_counter()
    number = 0
    while (elapsed := time.perf_counter() - began_at) < warm_s + seconds and not measured.wrong:
        if elapsed >= warm_s:
            phase.begin()
        while number / rate <= elapsed:
            due.append(began_at + number / rate)
            number += 1
        send()
        await asyncio.sleep(_TICK_S)
    phase.end()
    due.clear()
    await asyncio.wait_for(_finish(free, len(lines)), _GIVE_UP_S)
    for line in lines:
        line.close()
    return measured


async def _finish(free: list[_Talk], number: int) -> None:
    """Let all `number` phones say what is left of their dialogues; those that are still being answered turn up in `free`."""
    left = number
    all_done = asyncio.Event()

    def go_on(talk: _Talk) -> None:
        nonlocal left
        if not talk.next(lambda _: go_on(talk), may_begin=False):
            left -= 1
            if left == 0:
                all_done.set()

    while not all_done.is_set():
        while free:
            go_on(free.pop())
        await asyncio.sleep(_TICK_S)


async def _lines(port: int, number: int) -> list[Line]:
    loop = asyncio.get_running_loop()
    pairs = [await loop.create_connection(Line, "127.0.0.1", port) for _ in range(number)]
    return [line for _, line in pairs]


class _Phase:
    """The measured time within a loop."""

    def __init__(self, measured: Measured, cpu_s: Callable[[], float]) -> None:
        self._measured = measured
        self._cpu_s = cpu_s
        self._began_at = 0.0
        self._cpu_at = 0.0
        self.is_on = False
        self.is_over = False

    def begin(self) -> None:
        if not self.is_on and not self.is_over:
            self._began_at, self._cpu_at, self.is_on = time.perf_counter(), self._cpu_s(), True

    def end(self) -> None:
        """What is answered from now on does not count. The first call counts."""
        if self.is_on:
            self._measured.seconds = time.perf_counter() - self._began_at
            self._measured.cpu_s = self._cpu_s() - self._cpu_at
        self.is_on, self.is_over = False, True
