"""What the bot says and hears in one language outside any scenario: `bots/words/LANGUAGE.yaml`."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from bots.understand.gloss import Gloss, plain
from bots.understand.intents import Intent

DEFAULT = "en"


@dataclass(frozen=True, slots=True)
class Language:
    """`phrases` have `{placeholders}` like a scenario's words; `intents` are what triggers and interrupts may name.

    `gloss` reads a message into the words of the grammar; None in English, whose words they are.
    """

    code: str
    phrases: Mapping[str, str]
    intents: Mapping[str, Intent]
    gloss: Gloss | None = None

    @property
    def is_dayfirst(self) -> bool:
        """Whether 3/4 is the third of April."""
        return self.gloss is not None

    def english(self, text: str) -> str:
        """The message as the grammar reads it."""
        return text if self.gloss is None else self.gloss.english(text)

    def plain(self, text: str) -> str:
        """The message as intents in the language's own words are looked for: people leave accents out."""
        return text if self.gloss is None else plain(text)

    def named(self, text: str) -> str:
        """The message as it is read for a name that was asked for."""
        return text if self.gloss is None else self.gloss.named(text)


def short(tag: str) -> str:
    """The first part of a language tag: `es` of `es-MX`."""
    return tag.replace("_", "-").partition("-")[0].lower()


@cache
def known() -> tuple[str, ...]:
    """The languages that there are words for."""
    names = (entry.name for entry in (files("bots") / "words").iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml")))


@cache
def load(code: str) -> Language:
    """The words for a language tag such as `en` or `en-GB`; English where we have none."""
    name = short(code)
    source = files("bots") / "words" / f"{name}.yaml"
    if not name.isalpha() or not source.is_file():
        return load(DEFAULT)
    data = yaml.load(source.read_text("utf-8"), Loader=yaml.CSafeLoader)
    gloss = _gloss(name, data.get("hearing"))
    own = str if gloss is None else plain
    intents = {
        name: Intent(name, tuple(map(own, said["keywords"])), tuple(map(own, said["examples"])))
        for name, said in data["intents"].items()
    }
    # Better in English than not at all: a test holds every language to all phrases.
    phrases = data["phrases"] if name == DEFAULT else {**load(DEFAULT).phrases, **data["phrases"]}
    return Language(name, phrases, intents, gloss)


def _gloss(code: str, hearing: Mapping[str, Any] | None) -> Gloss | None:
    if hearing is None:
        return None
    shorts = hearing.get("shorts", {}), hearing.get("short_where", ())
    return Gloss(code, hearing["rules"], hearing["words"], hearing["numbers"], hearing["names"], *shorts)
