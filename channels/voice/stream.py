"""Media Streams' messages: the caller's sound and what else Twilio tells over the socket, and what we tell it. No I/O.

Source: reference, twilio-voice.md section 8. Unknown events and fields are ignored.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape, quoteattr

import orjson

from channels.base import Answer
from channels.errors import BadRequest
from channels.voice import socket
from channels.voice.codec import Ring, ring_of, say, twiml
from channels.voice.socket import Key, inner

_LONGEST: Final = 200  # characters of a name
_AWAY_S: Final = 4  # in which a process that died may be there again
_MOST_SOUND: Final = 16_000  # bytes of one message: two seconds, a hundred times what Twilio sends


@dataclass(frozen=True, slots=True)
class Start:
    """A stream of a call. `turn` is the question that is open, as our TwiML told."""

    sid: str
    ring: Ring
    account: str
    turn: int


@dataclass(frozen=True, slots=True)
class Sound:
    """What the caller's telephone hears."""

    sound: bytes


@dataclass(frozen=True, slots=True)
class Mark:
    """Everything before this mark has been played, or was cleared: Twilio does not tell which."""

    name: str


@dataclass(frozen=True, slots=True)
class Stop:
    """The stream is over."""


Message = Start | Sound | Key | Mark | Stop


def read(raw: str | bytes) -> Message | None:
    """What Twilio says; None when it is nothing that we act on.

    Raises: BadRequest
    """
    data = socket.message(raw)
    match data.get("event"):
        case "media":
            return _sound(inner(data, "media"))
        case "mark":
            return Mark(_text(inner(data, "mark"), "name"))
        case "dtmf":
            return Key(_text(inner(data, "dtmf"), "digit")[:1])
        case "start":
            return _start(inner(data, "start"), _text(data, "streamSid"))
        case "stop":
            return Stop()
        case _:
            return None


def media(sid: str, sound: bytes) -> str:
    """Sound for the caller; what is sent before is played before."""
    return orjson.dumps(
        {"event": "media", "streamSid": sid, "media": {"payload": base64.b64encode(sound).decode()}}
    ).decode()


def mark(sid: str, name: str) -> str:
    """A name that comes back when everything before it has been played."""
    return orjson.dumps({"event": "mark", "streamSid": sid, "mark": {"name": name}}).decode()


def clear(sid: str) -> str:
    """Nothing that was sent and not yet played is to be played."""
    return orjson.dumps({"event": "clear", "streamSid": sid}).decode()


def connect(ring: Ring, *, url: str, broken: str, words: str, language: str, turn: int) -> Answer:
    """The TwiML that opens the socket. A query of `url` would be lost, so what we need to know goes as parameters.

    `broken` is asked when the socket is gone without our doing, after some words and seconds: an action would be asked at once,
    when whoever held the socket has just died and is not there again, and the call would be over.
    """
    told = {"turn": str(turn), "to": ring.called, "from": ring.caller}
    parameters = "".join(
        f"<Parameter name={quoteattr(name)} value={quoteattr(value)}/>" for name, value in told.items() if value
    )
    sound = f"<Connect><Stream url={quoteattr(url)}>{parameters}</Stream></Connect>"
    later = f'{say(words, language)}<Pause length="{_AWAY_S}"/><Redirect method="POST">{escape(broken)}</Redirect>'
    return twiml(f"{sound}{later}")


def _start(data: Mapping[str, object], sid: str) -> Start:
    told = inner(data, "customParameters")
    ring = ring_of(_text(data, "callSid"), called=_text(told, "to"), caller=_text(told, "from"))
    return Start(_text(data, "streamSid") or sid, ring, _text(data, "accountSid"), socket.turn(told))


def _sound(data: Mapping[str, object]) -> Sound | None:
    """Raises: BadRequest"""
    payload = data.get("payload")
    if not isinstance(payload, str) or data.get("track", "inbound") not in ("inbound", "inbound_track"):
        return None
    if len(payload) > _MOST_SOUND * 4 / 3:
        raise BadRequest("media.payload", "is longer than two seconds")
    try:
        return Sound(binascii.a2b_base64(payload, strict_mode=True))
    except (binascii.Error, ValueError):
        raise BadRequest("media.payload", "is not base64") from None


def _text(data: Mapping[str, object], name: str) -> str:
    return socket.text(data, name, most=_LONGEST)
