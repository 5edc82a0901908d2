"""The helper that listens: `python -m channels.voice.speech.ear`, asked over its standard input (`helper`).

    {"grammar": JSGF, "words": [all words in it]} and mu-law, 8,000 samples a second  ->  {"text": …, "score": …}

`score` is the mean of how well 10 ms of it go with what was understood, as a logarithm: 0 is perfect. Without sound the
grammar is made ready, and `text` is empty.
"""

import hashlib
import math
import sys
from collections import OrderedDict
from collections.abc import Sequence
from typing import IO, Any, Final

from channels.voice.audio import RATE, SILENCE
from channels.voice.speech import helper, resample
from channels.voice.speech.arpabet import arpabet
from channels.voice.speech.espeak import Espeak

_MODEL_RATE: Final = 16_000
_KEPT: Final = 64  # grammars
_BEFORE: Final = SILENCE * (RATE * 3 // 10)  # the model wants to hear the room first
_AFTER: Final = SILENCE * (RATE * 2 // 5)
_VOICE: Final = "en-us"


class Sphinx:
    """pocketsphinx with its American English model; smaller beams look at more, and take longer.

    Raises: ImportError, RuntimeError, when it is not there
    """

    def __init__(self, *, beam: float = 1e-48, word_beam: float = 7e-29) -> None:
        from pocketsphinx import Decoder, get_model_path

        model, words = get_model_path("en-us/en-us"), get_model_path("en-us/cmudict-en-us.dict")
        self._decoder: Any = Decoder(
            hmm=model,
            dict=words,
            lm=None,
            loglevel="FATAL",
            bestpath=False,
            beam=beam,
            pbeam=beam,
            wbeam=word_beam,
        )
        self._espeak: Espeak | None = None
        self._grammars: OrderedDict[str, None] = OrderedDict()

    def hear(self, grammar: str, words: Sequence[str], sound: bytes) -> tuple[str, float]:
        """What of the grammar the sound is most like, and how much. Raises: RuntimeError, for no grammar"""
        self._choose(grammar, words)
        if not sound:
            return "", 0.0
        samples = resample.resample(resample.from_mu_law(_BEFORE + sound + _AFTER), RATE, _MODEL_RATE)
        self._decoder.start_utt()
        self._decoder.process_raw(resample.as_bytes(samples), full_utt=True)
        self._decoder.end_utt()
        found = self._decoder.hyp()
        if found is None or not found.hypstr:
            return "", -math.inf
        frames = max(1, self._decoder.n_frames())
        return found.hypstr, self._decoder.get_logmath().log(found.best_score) / frames

    def _choose(self, grammar: str, words: Sequence[str]) -> None:
        name = hashlib.sha256(grammar.encode()).hexdigest()
        if name not in self._grammars:
            for word in words:
                if self._decoder.lookup_word(word) is None:
                    self._decoder.add_word(word, self._pronounced(word), False)
            self._decoder.add_jsgf_string(name, grammar)
            self._grammars[name] = None
        self._grammars.move_to_end(name)
        self._decoder.activate_search(name)
        while len(self._grammars) > _KEPT:
            self._decoder.remove_search(self._grammars.popitem(last=False)[0])

    def _pronounced(self, word: str) -> str:
        """Of a word that no dictionary has, such as a name: as espeak-ng would say it."""
        self._espeak = self._espeak or Espeak()
        return " ".join(arpabet(self._espeak.phonemes(word, _VOICE))) or "AH"


def main(source: IO[bytes], target: IO[bytes]) -> None:
    """Listen until nobody asks any more."""
    sphinx: Sphinx | None = None
    while (asked := helper.read(source)) is not None:
        question, sound = asked
        words = question["words"]
        try:
            sphinx = sphinx or Sphinx()
            text, score = sphinx.hear(str(question["grammar"]), words if isinstance(words, list) else [], sound)
        except (ImportError, OSError, RuntimeError, ValueError) as trouble:
            helper.write(target, {"trouble": type(trouble).__name__, "lasting": True})
            continue
        helper.write(target, {"text": text, "score": score if math.isfinite(score) else None})


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer)
