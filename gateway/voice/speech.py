"""What is said on the line and listened for after it; and a written reply turned into one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from bots import language as languages
from channels.messages import OutboundMessage
from channels.voice.listen import Listen
from channels.voice.words import ordinal, spoken
from desk import businesses
from flows.words import fill
from storage.base import Db, JsonValue


@dataclass(frozen=True, slots=True)
class Speech:
    """`turn` is the number of the question that this asks. Without `listen` the call ends after it. `written` is how it
    would stand in a text message; `is_more` that we asked whether there is anything else. With `transfer` the caller waits
    for a person after it, in that line.
    """

    turn: int
    text: str
    listen: Listen | None
    language: str = "en"
    written: str = ""
    is_more: bool = False
    then: Literal["", "voicemail"] = ""  # what follows the last words, instead of hanging up
    is_recorded: bool = False  # of the first words: the caller is told so before them
    transfer: str = ""
    is_private: bool = False  # what is asked for is not to be recorded
    waits: bool = False  # the bot waits for another system, and what comes of that is said by itself

    @property
    def ends(self) -> bool:
        return self.listen is None and not self.transfer

    def to_json(self) -> dict[str, JsonValue]:
        return {
            "text": self.text,
            "listen": self.listen.to_json() if self.listen is not None else None,
            "language": self.language,
            "written": self.written,
            "is_more": self.is_more,
            "then": self.then,
            "is_recorded": self.is_recorded,
            "transfer": self.transfer,
            "is_private": self.is_private,
            "waits": self.waits,
        }

    @classmethod
    def from_json(cls, turn: int, data: Mapping[str, JsonValue]) -> "Speech":
        listen = data.get("listen")
        return cls(
            turn,
            str(data.get("text", "")),
            Listen.from_json(listen) if isinstance(listen, Mapping) else None,
            str(data.get("language", "en")),
            str(data.get("written", "")),
            bool(data.get("is_more")),
            "voicemail" if data.get("then") == "voicemail" else "",
            bool(data.get("is_recorded")),
            str(data.get("transfer") or ""),
            bool(data.get("is_private")),
            bool(data.get("waits")),
        )


def phrase(language: str, key: str, **args: str) -> str:
    """One of our own phrases, as it is said."""
    return spoken(fill(languages.load(language or "en").phrases[key], args), language or "en")


def in_line(language: str, place: int) -> str:
    """At which place of the line somebody waits."""
    if place == 1:
        return phrase(language, "voice_next")
    return phrase(language, "voice_in_line", place=ordinal(place) if language.startswith("en") else str(place))


def plain(language: str, key: str, **args: str) -> str:
    """The same as it is written."""
    return fill(languages.load(language or "en").phrases[key], args)


def noted(db: Db, business_id: int, key: str, **args: str) -> str:
    """One of our own phrases as it is written for the people of the business, in its first language."""
    return fill(languages.load(businesses.load(db, business_id).languages[0]).phrases[key], args)


def aloud(message: OutboundMessage, language: str) -> OutboundMessage:
    """The same in words for the ear, with its choices told and their keys beside them."""
    language = language or "en"
    told = f" {choices(language, 'voice_choices', Listen('menu', message.choices))}" if message.choices else ""
    return replace(message, text=spoken(message.text, language) + told, link=None, media=())


def choices(language: str, key: str, listen: Listen) -> str:
    """The phrase `key` with everything that can be said or pressed; empty when that is nothing in particular."""
    if listen.is_consent and not listen.options:
        return phrase(language, key, options=languages.load(language).phrases["voice_yes_no"])
    lines = [
        fill(languages.load(language).phrases["voice_choice"], {"key": digit, "option": option.title})
        for digit, option in listen.keys.items()
    ]
    return phrase(language, key, options=_either(language, lines)) if lines else ""


def _either(language: str, lines: Sequence[str]) -> str:
    if len(lines) < 2:
        return "".join(lines)
    joined = languages.load(language).phrases["or"]
    return fill(joined, {"first": ", ".join(lines[:-1]), "last": lines[-1]})
