"""What the bot says and hears in one language outside any scenario: `bots/words/LANGUAGE.yaml`."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import yaml

from bots.understand.intents import Intent

DEFAULT = "en"


@dataclass(frozen=True, slots=True)
class Language:
    """`phrases` have `{placeholders}` like a scenario's words; `intents` are what triggers and interrupts may name."""

    code: str
    phrases: Mapping[str, str]
    intents: Mapping[str, Intent]


@cache
def load(code: str) -> Language:
    """The words for a language tag such as `en` or `en-GB`; English where we have none."""
    short = code.replace("_", "-").partition("-")[0].lower()
    source = files("bots") / "words" / f"{short}.yaml"
    if not short.isalpha() or not source.is_file():
        return load(DEFAULT)
    data = yaml.load(source.read_text("utf-8"), Loader=yaml.CSafeLoader)
    intents = {
        name: Intent(name, tuple(said["keywords"]), tuple(said["examples"])) for name, said in data["intents"].items()
    }
    return Language(short, data["phrases"], intents)
