"""espeak-ng, by ctypes: words to sound and to phonemes. It is not re-entrant, so it is used in a helper's process only.

Source: its `speak_lib.h`, version 1.52; the package espeakng-loader brings the library and its data.
"""

import ctypes
from array import array
from collections.abc import Sequence
from typing import Any, Final

_SYNCHRONOUS: Final = 2  # AUDIO_OUTPUT_SYNCHRONOUS: sound comes by the callback
_UTF8: Final = 1  # espeakCHARS_UTF8
_SPEED: Final = 1  # espeakRATE, words a minute
_IPA: Final = 0x02
_BY_CHARACTER: Final = 1  # POS_CHARACTER

_CALLBACK: Final = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class Espeak:
    """The library, begun. Raises: ImportError, OSError, when it is not there"""

    def __init__(self) -> None:
        import espeakng_loader

        self._library: Any = ctypes.CDLL(espeakng_loader.get_library_path())
        data = espeakng_loader.get_data_path().encode()
        self.rate: int = self._library.espeak_Initialize(_SYNCHRONOUS, 0, data, 0)
        if self.rate <= 0:
            raise OSError("espeak-ng does not begin")
        self._library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        self._made = bytearray()
        self._callback = _CALLBACK(self._take)  # held, since the library calls it
        self._library.espeak_SetSynthCallback(self._callback)

    def say(self, text: str, voice: str, words_a_minute: int) -> Sequence[int]:
        """The text as samples at `rate`. Raises: ValueError, when there is no such voice"""
        self._choose(voice)
        self._library.espeak_SetParameter(_SPEED, words_a_minute, 0)
        self._made.clear()
        coded = text.encode() + b"\0"
        self._library.espeak_Synth(coded, len(coded), 0, _BY_CHARACTER, 0, _UTF8, None, None)
        return array("h", bytes(self._made))

    def phonemes(self, word: str, voice: str) -> str:
        """How it is said, in the letters of the IPA. Raises: ValueError, when there is no such voice"""
        self._choose(voice)
        rest = ctypes.c_char_p(word.encode())
        found = self._library.espeak_TextToPhonemes(ctypes.byref(rest), _UTF8, _IPA)
        return (found or b"").decode()

    def _choose(self, voice: str) -> None:
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise ValueError(f"espeak-ng has no voice {voice!r}")

    def _take(self, samples: Any, count: int, _events: object) -> int:
        if samples and count > 0:
            self._made += ctypes.string_at(samples, count * ctypes.sizeof(ctypes.c_short))
        return 0
