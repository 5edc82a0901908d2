"""Whether somebody speaks in 20 ms of sound."""

import math
from typing import Final, Protocol

from channels.voice import audio

_FULL_DB: Final = 20 * math.log10(32124)
_LOWEST_DB: Final = -70.0
# By how much speech is louder than what is always there, to begin with and to go on.
_BEGINS_DB: Final = 12.0
_GOES_ON_DB: Final = 7.0
_NEVER_BELOW_DB: Final = -50.0
_NOISE_AT_MOST_DB: Final = -26.0  # a louder floor is somebody who speaks on and on
_FIRST_FRAMES: Final = 10  # in which nobody speaks yet
_RISES_DB: Final = 3.0 / 50  # a frame
_FALLS: Final = 0.2  # of the way down, a frame


class Vad(Protocol):
    """Of one call; give it every frame, in order."""

    def is_speech(self, frame: bytes) -> bool:
        """Whether this frame is speech."""
        ...

    @property
    def late(self) -> int:
        """How many frames before that one turn out only now to have been speech."""
        ...


class EnergyVad:
    """Tells speech by its loudness over a noise floor that it follows: quickly down, slowly up."""

    late: Final = 0

    def __init__(self) -> None:
        self._floor_db = _LOWEST_DB
        self._frames = 0
        self._is_on = False

    def is_speech(self, frame: bytes) -> bool:
        level_db = max(_LOWEST_DB, 10 * math.log10(audio.power(frame) + 1e-9) - _FULL_DB)
        self._follow(level_db)
        over_db = _GOES_ON_DB if self._is_on else _BEGINS_DB
        self._is_on = level_db > max(self._floor_db + over_db, _NEVER_BELOW_DB)
        return self._is_on

    def _follow(self, level_db: float) -> None:
        if self._frames < _FIRST_FRAMES:
            self._frames += 1
            step = (level_db - self._floor_db) / self._frames
        elif level_db < self._floor_db:
            step = (level_db - self._floor_db) * _FALLS
        else:
            step = min(_RISES_DB, level_db - self._floor_db)
        self._floor_db = min(self._floor_db + step, _NOISE_AT_MOST_DB)
