"""Something that is being said: its sound as it is made, sent and played, and the words of it that were heard."""

import asyncio
import re
from dataclasses import dataclass, field
from typing import ClassVar, Final

from channels.voice import audio

_SENTENCE: Final = re.compile(r"(?<=[.?!]) +(?=\S)")
_BEGINS_WITH: Final = 3 * audio.FRAME  # so that a piece that comes a little late makes no gap
_AHEAD: Final = 2 * audio.RATE  # made and not sent, when the next sentence is asked for


@dataclass(slots=True, eq=False)
class Utterance:
    """`before` are words of the same text that were heard earlier. Sound is counted in samples."""

    LETTERS_PER_S: ClassVar[float] = 14.0  # of a voice on the telephone, until the sound tells

    number: int
    text: str
    before: str = ""
    sent: int = 0
    played: int = 0
    is_made: bool = False
    taken: asyncio.Event = field(default_factory=asyncio.Event)
    _sound: bytearray = field(default_factory=bytearray)
    _made: int = 0
    _ends: list[int] = field(default_factory=list)  # of the sentences whose sound is there

    @property
    def sentences(self) -> list[str]:
        """What is made at once, with the spaces between."""
        parts = _SENTENCE.split(self.text.strip())
        return [f"{part} " for part in parts[:-1]] + [part for part in parts[-1:] if part]

    def add(self, sound: bytes) -> None:
        self._sound += sound
        self._made += len(sound)

    def end_sentence(self) -> None:
        self._ends.append(self._made)

    def take(self, most: int = 1) -> bytes | None:
        """The next frames, so many at most; None when there is none now. The very last one is filled up with silence."""
        if not self.sent and not self.is_made and len(self._sound) < _BEGINS_WITH:
            return None
        whole = len(self._sound) // audio.FRAME + (self.is_made and len(self._sound) % audio.FRAME > 0)
        length = min(whole, most) * audio.FRAME
        if not length:
            return None
        frames = bytes(self._sound[:length])
        del self._sound[:length]
        self.sent += length
        self.taken.set()
        return frames.ljust(length, audio.SILENCE)

    @property
    def is_running_out(self) -> bool:
        return len(self._sound) < _AHEAD

    @property
    def is_sent(self) -> bool:
        return self.is_made and not self._sound

    @property
    def is_heard(self) -> bool:
        return self.is_sent and self.played >= self.sent

    @property
    def heard(self) -> str:
        """The words that were played, with those from before."""
        return f"{self.before} {self.text[: self._place()]}".strip()

    @property
    def unheard(self) -> str:
        """The others."""
        return self.text[self._place() :].strip()

    def _place(self) -> int:
        """Up to which letter whole words have been played. Within a sentence each letter counts as equally long."""
        if self.is_heard:
            return len(self.text)
        letters, began = 0.0, 0
        for number, sentence in enumerate(self.sentences):
            guess = began + round(len(sentence) / self.LETTERS_PER_S * audio.RATE)
            end = self._ends[number] if number < len(self._ends) else max(guess, self._made)
            if self.played < end:
                letters += len(sentence) * (self.played - began) / max(1, end - began)
                break
            letters, began = letters + len(sentence), end
        place = 0
        for word in re.finditer(r"\S+", self.text):
            if word.end() > letters + 0.01:
                break
            place = word.end()
        return place
