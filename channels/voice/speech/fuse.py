"""A service that is broken is left alone for a while, so that callers do not wait for it one after the other."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Final

from channels.voice.listen import Listen
from channels.voice.speech.base import Hearing, Listener, Speaker, SpeechError

_LASTING_S: Final = 300.0  # a key or a plan is not mended sooner
_SHORT_S: Final = 15.0  # doubled each time, up to the above
_MOST: Final = 2  # failures in a row that may be chance
_ROW_S: Final = 60.0


class Fuse:
    """Of one service and one key, for all calls of a process."""

    def __init__(self, monotonic_s: Callable[[], float]) -> None:
        self._monotonic_s = monotonic_s
        self._closed_at_s = 0.0
        self._failures = 0
        self._failed_at_s = 0.0

    @property
    def is_blown(self) -> bool:
        return self._monotonic_s() < self._closed_at_s

    def check(self) -> None:
        """Raises: SpeechError, while it is left alone"""
        if self.is_blown:
            raise SpeechError("left alone, since it failed just now")

    def mend(self) -> None:
        """It did what it was asked."""
        self._failures, self._closed_at_s = 0, 0.0

    def blow(self, trouble: SpeechError) -> None:
        """It failed."""
        now_s = self._monotonic_s()
        self._failures = self._failures + 1 if now_s - self._failed_at_s < _ROW_S + _LASTING_S else 1
        self._failed_at_s = now_s
        if trouble.is_lasting:
            self._closed_at_s = now_s + _LASTING_S
        elif self._failures >= _MOST:
            self._closed_at_s = now_s + min(_LASTING_S, _SHORT_S * 2 ** (self._failures - _MOST))


class GuardedSpeaker:
    def __init__(self, speaker: Speaker, fuse: Fuse) -> None:
        self._speaker, self._fuse = speaker, fuse

    async def say(self, text: str, language: str) -> AsyncIterator[bytes]:
        """See `Speaker`."""
        self._fuse.check()
        try:
            async for piece in self._speaker.say(text, language):
                yield piece
        except SpeechError as trouble:
            self._fuse.blow(trouble)
            raise
        self._fuse.mend()


class GuardedListener:
    def __init__(self, listener: Listener, fuse: Fuse) -> None:
        self._listener, self._fuse = listener, fuse

    @asynccontextmanager
    async def listen(self, spec: Listen, language: str) -> AsyncIterator[Hearing]:
        """See `Listener`."""
        self._fuse.check()
        async with AsyncExitStack() as stack:
            with _noting(self._fuse):
                hearing = await stack.enter_async_context(self._listener.listen(spec, language))
            yield _Guarded(hearing, self._fuse)


class _Guarded:
    def __init__(self, hearing: Hearing, fuse: Fuse) -> None:
        self._hearing, self._fuse = hearing, fuse

    @property
    def partial(self) -> str:
        return self._hearing.partial

    async def feed(self, sound: bytes) -> None:
        with _noting(self._fuse):
            await self._hearing.feed(sound)

    async def pause(self) -> None:
        with _noting(self._fuse):
            await self._hearing.pause()

    async def finish(self) -> str:
        with _noting(self._fuse):
            said = await self._hearing.finish()
        if said:
            self._fuse.mend()
        return said


@contextmanager
def _noting(fuse: Fuse) -> Iterator[None]:
    try:
        yield
    except SpeechError as trouble:
        fuse.blow(trouble)
        raise
