"""When a caller begins to speak and when they have finished, from frames that are speech and frames that are not."""

from collections import deque
from typing import Final, Literal

Event = Literal["began", "paused", "resumed", "finished"]

FRAME_MS: Final = 20
LONGEST_PAUSE_MS: Final = 3000
_LONGEST_MS: Final = 60_000  # of one answer: a radio never pauses
# Three frames of five begin it, so that a click is no word.
_WINDOW: Final = 5
_ENOUGH: Final = 3
_MAYBE: Final = (
    0.6  # of the pause: by then most who pause have finished, and there is time to understand them in the rest
)


class Endpoint:
    """`pause_ms` is how long the caller may pause before they have finished; it may change while they speak. When most of
    that is over they have "paused", and unless they have "finished" with it, "resumed" when they speak again.
    """

    def __init__(self, pause_ms: int) -> None:
        self.pause_ms = pause_ms
        self.is_speaking = False
        self.spoken_ms = 0  # since they began, pauses included, but for the one that still lasts
        self.quiet_ms = 0  # for how long they have paused now, or had when they were taken to have finished
        self._total_ms = 0
        self._is_pausing = False
        self._recent: deque[bool] = deque(maxlen=_WINDOW)

    def take(self, is_speech: bool, late: int = 0) -> Event | None:
        """What the next frame brings. So many before it turn out `late` to have been speech."""
        for place in range(1, min(late, len(self._recent)) + 1):
            self._recent[-place] = True
        self._recent.append(is_speech)
        if not self.is_speaking:
            if sum(self._recent) < _ENOUGH:
                return None
            self.is_speaking, self.quiet_ms, self._is_pausing = True, 0, False
            self.spoken_ms = self._total_ms = FRAME_MS * max(_ENOUGH, late + 1)
            return "began"
        self._total_ms += FRAME_MS
        if is_speech:
            self.spoken_ms, self.quiet_ms = self._total_ms, 0
        else:
            self.quiet_ms += FRAME_MS
        pause_ms = min(self.pause_ms, LONGEST_PAUSE_MS)
        if self.quiet_ms >= pause_ms or self._total_ms >= _LONGEST_MS:
            self.is_speaking = False
            self._recent.clear()
            return "finished"
        was_pausing, self._is_pausing = self._is_pausing, self.quiet_ms >= pause_ms * _MAYBE
        if was_pausing != self._is_pausing:
            return "paused" if self._is_pausing else "resumed"
        return None
