"""From the IPA as espeak-ng writes American English to the phones of CMU's dictionary, in which pocketsphinx listens.

Source: espeak-ng's phsource/ph_english_us with `--ipa`; the 39 phones of http://www.speech.cs.cmu.edu/cgi-bin/cmudict.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_PHONES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "aɪɚ": ("AY", "ER"),
        "aɪə": ("AY", "AH"),
        "eɪ": ("EY",),
        "aɪ": ("AY",),
        "aʊ": ("AW",),
        "ɔɪ": ("OY",),
        "oʊ": ("OW",),
        "oːɹ": ("AO", "R"),
        "ɔːɹ": ("AO", "R"),
        "ɑːɹ": ("AA", "R"),
        "ɪɹ": ("IH", "R"),
        "ɛɹ": ("EH", "R"),
        "ʊɹ": ("UH", "R"),
        "iə": ("IY", "AH"),
        "əl": ("AH", "L"),
        "tʃ": ("CH",),
        "dʒ": ("JH",),
        "ɜː": ("ER",),
        "ɚ": ("ER",),
        "ɝ": ("ER",),
        "iː": ("IY",),
        "i": ("IY",),
        "ɪ": ("IH",),
        "ᵻ": ("IH",),
        "ɛ": ("EH",),
        "e": ("EH",),
        "æ": ("AE",),
        "aː": ("AA",),
        "a": ("AE",),
        "ɑː": ("AA",),
        "ɑ": ("AA",),
        "ɒ": ("AA",),
        "ɔː": ("AO",),
        "ɔ": ("AO",),
        "o": ("OW",),
        "uː": ("UW",),
        "u": ("UW",),
        "ʊ": ("UH",),
        "ʌ": ("AH",),
        "ə": ("AH",),
        "ɐ": ("AH",),
        "p": ("P",),
        "b": ("B",),
        "t": ("T",),
        "ɾ": ("T",),
        "ʔ": ("T",),
        "d": ("D",),
        "k": ("K",),
        "ɡ": ("G",),
        "g": ("G",),
        "x": ("K",),
        "f": ("F",),
        "v": ("V",),
        "θ": ("TH",),
        "ð": ("DH",),
        "s": ("S",),
        "z": ("Z",),
        "ʃ": ("SH",),
        "ʒ": ("ZH",),
        "h": ("HH",),
        "m": ("M",),
        "n": ("N",),
        "ŋ": ("NG",),
        "l": ("L",),
        "ɫ": ("L",),
        "ɹ": ("R",),
        "r": ("R",),
        "j": ("Y",),
        "w": ("W",),
    }
)
_LONGEST: Final = max(map(len, _PHONES))


def arpabet(ipa: str) -> list[str]:
    """The phones of a word; what has none of its own (stress, length, a foreign sound) is left out."""
    found: list[str] = []
    bare = ipa.replace("ˈ", "").replace("ˌ", "")
    at = 0
    while at < len(bare):
        for size in range(_LONGEST, 0, -1):
            if (phones := _PHONES.get(bare[at : at + size])) is not None:
                found += phones
                at += size
                break
        else:
            at += 1
    return found
