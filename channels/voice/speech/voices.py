"""Which voice speaks a language."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

MODEL: Final = "eleven_flash_v2_5"
VOICE: Final = "UgBBYS2sOqTuMpoF3BR0"  # Mark, whom ElevenLabs' own telephone examples speak with
OTHERS: Final = "*"  # instead of a language: all that are not named
ID: Final = re.compile(r"[A-Za-z0-9]{8,40}")  # as the service's ids look; it stands in a path and in TwiML

# What can be set about a voice, and within what; source: reference, elevenlabs.md section 3.
RANGES: Final[Mapping[str, tuple[float, float]]] = MappingProxyType(
    {"stability": (0.0, 1.0), "similarity_boost": (0.0, 1.0), "style": (0.0, 1.0), "speed": (0.7, 1.2)}
)


@dataclass(frozen=True, slots=True)
class Voice:
    """One voice and how it speaks; `settings` are those of `RANGES` that differ from the voice's own, by name."""

    voice_id: str = VOICE
    model_id: str = MODEL
    settings: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Voices:
    """A voice for each language, and one for all others. Languages are known by their first part: `en` of `en-GB`."""

    usual: Voice = Voice()
    by_language: Mapping[str, Voice] = field(default_factory=dict)

    def of(self, language: str) -> Voice:
        return self.by_language.get(short(language), self.usual)


def short(language: str) -> str:
    return language.replace("_", "-").partition("-")[0].lower() or "en"
