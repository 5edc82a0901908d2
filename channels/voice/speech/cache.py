"""Sounds that were made before: kept by what they are made of, and made once even if several ask at the same time.

What is said is put together of sentences, and each is looked up by itself. So what a scenario always says comes from here
though another sentence beside it has a name or a time in it, and nobody hears a seam: at the end of a sentence a voice
comes to rest and draws a breath. Within a sentence a value cannot be put in so that it sounds right, so such a sentence
is spoken as a whole.
"""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Callable, Hashable, Sequence
from typing import Final, Literal, NamedTuple, Protocol

import orjson

from channels.voice.speech.base import Speaker, SpeechError
from channels.voice.speech.sound import LETTER_S, PAUSE, RATE
from channels.voice.speech.voices import Voices, short

_END: Final = re.compile(
    r"""(?<!\b[A-Z]\.)(?<!\bDr\.)(?<!\bMr\.)(?<!\bMs\.)(?<!\bSt\.)(?<!\bMrs\.)(?<=[.?!])\s+(?=[^\Wa-z_]|[{¿¡'"“])"""
)


Source = Literal["kept", "made"]  # it was there before, or is made for whoever asks


class Kept(NamedTuple):
    """The keys of sounds that lie on the shelf, and whether something had to be made for it."""

    keys: Sequence[str]
    source: Source


class Shelf(Protocol):
    """Where sounds lie. Trouble with it is its own: what cannot be had is not there, what cannot be kept is let go."""

    async def find(self, key: str, *, is_lasting: bool) -> bytes | None:
        """The sound; with `is_lasting` it stays from now on."""
        ...

    async def put(self, key: str, sound: bytes, *, is_lasting: bool) -> None:
        """Keep it, for long or just long enough to be fetched."""
        ...


def sentences(text: str) -> list[str]:
    """The text's sentences; together with one space between them they are the text again."""
    return [one for one in _END.split(text.strip()) if one]


def fixed(text: str) -> list[str]:
    """Those of a wording's sentences that have no placeholder."""
    return [one for one in sentences(text) if "{" not in one]


def key_of(provider: str, voices: Voices, text: str, language: str) -> str:
    """What the sound of that text is called: a digest of all that it is made of, with 128 bits."""
    voice = voices.of(language)
    made_of = [provider, voice.model_id, voice.voice_id, sorted(voice.settings), short(language), text]
    return hashlib.sha256(orjson.dumps(made_of)).hexdigest()[:32]


class Renderings:
    """What is being made just now in this process, at most so much `at_once`: plans have a limit, beyond which nothing
    is made at all.
    """

    def __init__(self, at_once: int) -> None:
        self.room: Final = asyncio.Semaphore(at_once)
        self._running: dict[Hashable, _Rendering] = {}

    def of(self, name: Hashable, make: Callable[["_Rendering"], AsyncIterator[bytes]]) -> "_Rendering":
        """The one of that name, begun unless it is there. It goes on to its end, whoever has lost interest."""
        found = self._running.get(name)
        if found is None:
            found = self._running[name] = _Rendering(make)
            found.task.add_done_callback(lambda _task: self._running.pop(name, None))
        return found

    async def close(self) -> None:
        """Give up what is not done."""
        tasks = [one.task for one in self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Rendering:
    """A sound that is being made; any number of people can follow it, from its beginning."""

    def __init__(self, make: Callable[["_Rendering"], AsyncIterator[bytes]]) -> None:
        self.source: Source = "made"
        self._pieces: list[bytes] = []
        self._trouble: SpeechError | None = None
        self._more = asyncio.Event()
        self.task = asyncio.create_task(self._run(make(self)), name="speech")

    async def follow(self) -> AsyncIterator[bytes]:
        """Raises: SpeechError"""
        at = 0
        while True:
            while at < len(self._pieces):
                yield self._pieces[at]
                at += 1
            if self.task.done() or self._trouble is not None:
                break
            self._more.clear()
            waiting = asyncio.ensure_future(self._more.wait())
            try:
                await asyncio.wait({waiting, self.task}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                waiting.cancel()
        if self._trouble is not None:
            raise SpeechError(str(self._trouble), is_lasting=self._trouble.is_lasting)
        if self.task.cancelled() or self.task.exception() is not None:
            raise SpeechError("it was given up")
        for piece in self._pieces[at:]:
            yield piece

    async def whole(self) -> bytes:
        """Once it is made, and kept. Raises: SpeechError"""
        return b"".join([piece async for piece in self.follow()])

    async def _run(self, pieces: AsyncIterator[bytes]) -> None:
        try:
            async for piece in pieces:
                self._pieces.append(piece)
                self._more.set()
        except SpeechError as trouble:
            self._trouble = trouble


class CachedSpeaker:
    """A `Speaker` that asks another one only for what is not on the shelf. `whose` keeps tenants apart. What was asked for
    is kept for good with `is_lasting`, otherwise for as long as somebody may come for it.
    """

    def __init__(
        self,
        speaker: Speaker,
        shelf: Shelf,
        voices: Voices,
        renderings: Renderings,
        *,
        whose: Hashable,
        provider: str,
        is_lasting: bool = False,
    ) -> None:
        self._speaker, self._shelf, self._voices, self._renderings = speaker, shelf, voices, renderings
        self._whose, self._provider, self._is_lasting = whose, provider, is_lasting

    async def say(
        self, text: str, language: str, *, source: Callable[[Source], None] | None = None
    ) -> AsyncIterator[bytes]:
        """See `Speaker`. While a sentence is heard the next one is made; let go of, what has begun is made to its end, and
        nothing is begun any more. A text that ends with a space goes on in the next one, after a breath. `source` is told
        where the first sentence came from, before it comes.
        """
        waiting = [self._key(one, language) for one in sentences(text)]
        coming: _Rendering | None = None
        for place, (key, sentence) in enumerate(waiting):
            now = coming or self._render(key, sentence, language)
            coming = self._render(*waiting[place + 1], language) if place + 1 < len(waiting) else None
            if place:
                yield PAUSE
            async for piece in now.follow():
                if source is not None:
                    source(now.source)
                    source = None
                yield piece
        if waiting and text[-1].isspace():
            yield PAUSE

    async def kept(self, text: str, language: str, *, within_s: float) -> Kept | None:
        """All that the text is put together of, once it lies on the shelf; None when it does not within that time. What was
        begun goes on, for the next time.
        """
        found = [self._key(one, language) for one in sentences(text)]
        making = [self._render(key, sentence, language) for key, sentence in found]
        try:
            async with asyncio.timeout(within_s):
                for one in making:
                    await one.whole()
                    await asyncio.wait({one.task})
        except (TimeoutError, SpeechError):
            return None
        source: Source = "kept" if all(one.source == "kept" for one in making) else "made"
        return Kept([key for key, _ in found], source) if found else None

    def _key(self, sentence: str, language: str) -> tuple[str, str]:
        return key_of(self._provider, self._voices, sentence, language), sentence

    def _render(self, key: str, sentence: str, language: str) -> _Rendering:
        name = (self._whose, key, self._is_lasting, type(self._shelf))
        return self._renderings.of(name, lambda one: self._made(one, key, sentence, language))

    async def _made(self, one: _Rendering, key: str, sentence: str, language: str) -> AsyncIterator[bytes]:
        found = await self._shelf.find(key, is_lasting=self._is_lasting)
        if found is not None:
            one.source = "kept"
            yield found
            return
        made = bytearray()
        async with self._renderings.room:
            async for piece in self._speaker.say(sentence, language):
                made += piece
                if len(made) > max(5.0, len(sentence) * LETTER_S) * RATE:
                    raise SpeechError("it does not end")
                yield piece
        await self._shelf.put(key, bytes(made), is_lasting=self._is_lasting)
