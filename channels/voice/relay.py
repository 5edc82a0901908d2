"""ConversationRelay's messages: what Twilio tells over the socket, and what we tell it. No I/O.

Source: reference, twilio-voice.md section 7. Unknown types and fields are ignored; `config` and `hints` are not sent, since
their layout is not confirmed.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal
from xml.sax.saxutils import quoteattr

import orjson

from channels.base import Answer
from channels.clean import clean
from channels.voice import socket
from channels.voice.codec import Ring, ends, ring_of, twiml
from channels.voice.listen import Listen
from channels.voice.socket import Key, inner

LETTERS_PER_S: Final = 14.0  # of a voice on the telephone; for how long it speaks when Twilio does not tell
MOST_LETTERS_PER_S: Final = 22.0  # of a voice in a hurry: sooner than that no words are over
_LONGEST: Final = 2000
_STARTS: Final = ("on", "start", "started", "true", "1")


@dataclass(frozen=True, slots=True)
class Setup:
    """A connection of a call. `turn` is the question that the greeting asked, as our TwiML told."""

    ring: Ring
    account: str
    turn: int


@dataclass(frozen=True, slots=True)
class Prompt:
    text: str


@dataclass(frozen=True, slots=True)
class Interrupt:
    """The caller broke in; they had heard this much."""

    heard: str


@dataclass(frozen=True, slots=True)
class Played:
    """These words have been played."""

    text: str


@dataclass(frozen=True, slots=True)
class Speaking:
    who: Literal["agent", "client"]
    is_on: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """Twilio did not take a message of ours."""

    why: str


@dataclass(frozen=True, slots=True)
class Tongue:
    """A language by its locale, and who speaks it; without a voice it is the provider's usual one."""

    code: str
    provider: str
    voice: str = ""


Message = Setup | Prompt | Key | Interrupt | Played | Speaking | Refused


def read(raw: str | bytes) -> Message | None:
    """What Twilio says; None when it is nothing that we act on, above all words that are not final.

    Raises: BadRequest
    """
    data = socket.message(raw)
    match data.get("type"):
        case "setup":
            return _setup(data)
        case "prompt" if data.get("last", True):
            return Prompt(_text(data, "voicePrompt").strip())
        case "dtmf":
            return Key(_text(data, "digit")[:1])
        case "interrupt":
            return Interrupt(_text(data, "utteranceUntilInterrupt"))
        case "info":
            return _info(data)
        case "error":
            return Refused(_text(data, "description")[:200])
        case _:
            return None


def say(text: str, *, is_filler: bool = False) -> str:
    """A whole sentence in one message; a filler gives way to whatever is said next."""
    message: dict[str, object] = {"type": "text", "token": text, "last": True}
    return orjson.dumps({**message, "preemptible": True} if is_filler else message).decode()


def turn_to(language: str) -> str:
    """From here on it is spoken and listened to in that language."""
    return orjson.dumps({"type": "language", "ttsLanguage": language, "transcriptionLanguage": language}).decode()


def end(reason: str) -> str:
    """The session is over; `reason` comes back with the action."""
    return orjson.dumps({"type": "end", "handoffData": orjson.dumps({"reason": reason}).decode()}).decode()


def reason(handoff: str) -> str:
    """Why we ended a session, by what its action brings back; empty when that is unknown."""
    try:
        data = orjson.loads(handoff)
    except orjson.JSONDecodeError:
        return ""
    found = data.get("reason") if isinstance(data, dict) else None
    return found if isinstance(found, str) else ""


def connect(
    text: str, listen: Listen, *, url: str, action: str, turn: int, tongues: Sequence[Tongue], names: Sequence[str] = ()
) -> Answer:
    """The TwiML that says the first words, in the first of the `tongues`, and opens the socket; to the others it may `turn_to`
    later. What is likely to be heard is fixed for the whole session, so it is also the `names` of the business.
    """
    first, *others = tongues
    attributes = {
        "url": url,
        "welcomeGreeting": text,
        "language": first.code,
        **_heard_and_said(first, listen.hints_of_call(names, first.code)),
        "interruptible": "any",
        "dtmfDetection": "true",
        "ignoreBackchannel": "true",
        "events": "speaker-events tokens-played",
        "applicationReconnect": "true",
    }
    parameter = f'<Parameter name="turn" value="{turn}"/>'
    declared = "".join(
        f"<Language{_written({'code': one.code, **_heard_and_said(one, Listen().hints_of_call(names, one.code))})}/>"
        for one in others
    )
    relay = f"<ConversationRelay{_written(attributes)}>{declared}{parameter}</ConversationRelay>"
    return twiml(f"<Connect action={quoteattr(action)}>{relay}</Connect>")


def _heard_and_said(tongue: Tongue, hints: Sequence[str]) -> dict[str, str]:
    said = {"ttsProvider": tongue.provider, "voice": tongue.voice, "hints": ",".join(hints)}
    return {name: value for name, value in said.items() if value}


def _written(attributes: Mapping[str, str]) -> str:
    return "".join(f" {name}={quoteattr(value)}" for name, value in attributes.items())


def has_heard_all(text: str, heard: str) -> bool:
    """Whether the words that were heard are all of the text."""
    return _words(text)[: len(_words(heard))] == _words(heard) and len(_words(heard)) >= len(_words(text))


def is_beginning(text: str, heard: str) -> bool:
    """Whether the words that were heard can be of this text: its first ones."""
    words = _words(heard)
    return _words(text)[: len(words)] == words


def heard_of(text: str, heard: str, fillers: Sequence[str] = ()) -> str | None:
    """How much of this text was heard, where what was heard may begin with some of the fillers before it. None when that can't
    be told: it is of something else, or Twilio writes what it said in another way.
    """
    words = list(re.finditer(r"\w+", heard))
    for place in range(len(fillers) + 1):
        before = _words(" ".join(fillers[place:]))
        if _words(heard)[: len(before)] == before:
            rest = heard[words[len(before)].start() :] if len(words) > len(before) else ""
            if is_beginning(text, rest):
                return rest
    return None


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def _setup(data: Mapping[str, object]) -> Setup:
    ours, theirs = ends(_text(data, "direction"), sender=_text(data, "from"), to=_text(data, "to"))
    ring = ring_of(_text(data, "callSid"), called=ours, caller=theirs)
    return Setup(ring, _text(data, "accountSid"), socket.turn(inner(data, "customParameters")))


def _info(data: Mapping[str, object]) -> Message | None:
    name, value = data.get("name"), str(data.get("value", ""))
    if name == "tokensPlayed":
        return Played(clean(value)[:_LONGEST])
    if name in ("agentSpeaking", "clientSpeaking"):
        return Speaking("agent" if name == "agentSpeaking" else "client", value.casefold() in _STARTS)
    return None


def _text(data: Mapping[str, object], name: str) -> str:
    return socket.text(data, name, most=_LONGEST)
