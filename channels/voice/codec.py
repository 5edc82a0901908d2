"""Twilio's voice webhooks to what happened, and what we say to TwiML. No I/O.

Source: reference, twilio-voice.md sections 3 to 6.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal
from xml.sax.saxutils import escape, quoteattr

from channels.base import Answer, Request
from channels.clean import clean
from channels.errors import BadRequest
from channels.messages import Address
from channels.voice.listen import Listen

Input = Literal["speech", "digits", "silence"]

ENDED: Final[Mapping[str, str]] = {  # what a call's record says of Twilio's last words
    "completed": "completed",
    "busy": "missed",
    "failed": "missed",
    "no-answer": "missed",
    "canceled": "missed",
}
_SID: Final = re.compile(r"CA[0-9a-zA-Z]{8,62}")
_RECORDING: Final = re.compile(r"RE[0-9a-zA-Z]{8,62}")
_E164: Final = re.compile(r"\+[1-9]\d{6,14}")
# What carriers put in for a number that is not to be seen: it spells ANONYMOUS on the keys, and is nobody's.
_WITHHELD: Final = frozenset({"+266696687", "+7378742833", "+2562533", "+8656696", "+86282452253"})
_LONGEST: Final = 2000  # characters of one answer
_LONGEST_RECORDING: Final = 20_000  # characters of what was said in one
_MOST_SPEECH_S: Final = 3  # the longest pause that we wait for


@dataclass(frozen=True, slots=True)
class Ring:
    """Which call a webhook is about. `called` is our number and `caller` whoever is at the other end, also of a call that
    we make; empty when the number is withheld.
    """

    sid: str
    called: str
    caller: str
    status: str = ""

    @property
    def peer(self) -> Address:
        """Who calls; somebody without a number is known by this call alone."""
        return Address("phone", self.caller) if self.caller else Address("call", self.sid)


@dataclass(frozen=True, slots=True)
class Given:
    """What a caller gave to the question number `turn`. Where we listen ourselves: `pause_ms`, the silence after which they
    had finished, and `recognition_ms`, from then until their words were known.
    """

    turn: int
    kind: Input
    text: str = ""
    pause_ms: int | None = None
    recognition_ms: int | None = None


@dataclass(frozen=True, slots=True)
class News:
    """A status callback. `sequence` is None where the vendor does not count."""

    status: str
    sequence: int | None
    duration_s: int | None


@dataclass(frozen=True, slots=True)
class Recorded:
    """News of a recording. `call` is the provider's id of its call; the numbers are not always told."""

    sid: str
    call: str
    status: str
    url: str
    duration_s: int | None = None


def ring(request: Request) -> Ring:
    """Raises: BadRequest"""
    fields = dict(request.form)
    ours, theirs = ends(
        fields.get("Direction", ""), sender=clean(fields.get("From", "")), to=clean(fields.get("To", ""))
    )
    return ring_of(
        clean(fields.get("CallSid", "")), called=ours, caller=theirs, status=clean(fields.get("CallStatus", ""))
    )


def ends(direction: str, *, sender: str, to: str) -> tuple[str, str]:
    """Our number and theirs: of the calls that we make, ours is the one that calls."""
    return (sender, to) if direction.startswith("outbound") else (to, sender)


def ring_of(sid: str, *, called: str, caller: str, status: str = "") -> Ring:
    """Raises: BadRequest"""
    if not _SID.fullmatch(sid):
        raise BadRequest("CallSid", "is not the id of a call")
    is_known = _E164.fullmatch(caller) is not None and caller not in _WITHHELD
    return Ring(sid, called[:80], caller if is_known else "", status)


def given(request: Request) -> Given:
    """What `<Gather>` brought: keys before words, and silence when there is neither.

    Raises: BadRequest
    """
    fields = dict(request.form)
    turn = turn_of(request)
    if digits := clean(fields.get("Digits", "")):
        return Given(turn, "digits", digits[:_LONGEST])
    if speech := clean(fields.get("SpeechResult", "")).strip():
        return Given(turn, "speech", speech[:_LONGEST])
    return Given(turn, "silence")


def turn_of(request: Request) -> int:
    """Raises: BadRequest"""
    turn = request.query.get("turn", "")
    if not (turn.isascii() and turn.isdecimal() and len(turn) < 7):
        raise BadRequest("turn", "is not the number of a question")
    return int(turn)


def news(request: Request) -> News:
    fields = dict(request.form)
    return News(fields.get("CallStatus", ""), _whole(fields.get("SequenceNumber")), _whole(fields.get("CallDuration")))


def recorded(request: Request) -> Recorded:
    """A recording's status callback, or the transcript of one.

    Raises: BadRequest
    """
    fields = {name: clean(value) for name, value in request.form}
    sid, call = fields.get("RecordingSid", ""), fields.get("CallSid", "")
    if not _RECORDING.fullmatch(sid):
        raise BadRequest("RecordingSid", "is not the id of a recording")
    if not _SID.fullmatch(call):
        raise BadRequest("CallSid", "is not the id of a call")
    status = fields.get("RecordingStatus", "")
    return Recorded(sid, call, status, fields.get("RecordingUrl", "")[:500], _whole(fields.get("RecordingDuration")))


def transcript(request: Request) -> str:
    """The words of a recording; empty when there are none."""
    fields = dict(request.form)
    is_there = fields.get("TranscriptionStatus") == "completed"
    return clean(fields.get("TranscriptionText", "")).strip()[:_LONGEST_RECORDING] if is_there else ""


def gather(text: str, listen: Listen, *, action: str, language: str, silence_s: float, file: str = "") -> Answer:
    """Say it, by playing that `file` if there is one, and listen. What asks for consent is said to its end before anything
    is heard (promise V6).
    """
    words = say(text, language, file)
    attributes = {
        "input": "dtmf speech",
        "action": action,
        "method": "POST",
        "timeout": str(math.ceil(silence_s)),
        # Whole seconds, and never "auto": with some models that is an error (13335).
        "speechTimeout": str(min(_MOST_SPEECH_S, math.ceil(listen.pause_ms / 1000))),
        "actionOnEmptyResult": "true",
        "language": language,
    }
    if listen.digits:
        attributes["numDigits"] = str(listen.digits)
    if hints := listen.hints(language):
        attributes["hints"] = ",".join(hints)
    inside, before = ("", words) if listen.is_consent else (words, "")
    return twiml(f"{before}<Gather{_attributes(attributes)}>{inside}</Gather>")


def goodbye(text: str, *, language: str, file: str = "") -> Answer:
    """Say it and hang up."""
    return twiml(f"{say(text, language, file)}<Hangup/>")


def voicemail(
    text: str,
    nothing_heard: str,
    *,
    language: str,
    action: str,
    method: Literal["GET", "POST"] = "POST",
    report: str,
    transcript: str = "",
    most_s: int,
    silence_s: float,
    files: Sequence[str] = ("", ""),
) -> Answer:
    """Say it and record what they say after the tone. The recording is told to `report`, its words to `transcript` (if
    Twilio is to write them down), and at `action` the call goes on. Who says nothing hears `nothing_heard`. `files` are what
    is said, as sound.
    """
    attributes = {
        "action": action,
        "method": method,
        "maxLength": str(most_s),
        "timeout": str(math.ceil(silence_s)),
        "finishOnKey": "#",
        "playBeep": "true",
        "recordingStatusCallback": report,
        "recordingStatusCallbackEvent": "completed",
    }
    if transcript:
        attributes |= {"transcribe": "true", "transcribeCallback": transcript}
    asked, after = say(text, language, files[0]), say(nothing_heard, language, files[1])
    return twiml(f"{asked}<Record{_attributes(attributes)}/>{after}<Hangup/>")


def recording(answer: Answer, notice: str, *, language: str, report: str, file: str = "") -> Answer:
    """The same with the notice before it; from its end on the call is recorded, and `report` is told of it."""
    begun = {
        "recordingStatusCallback": report,
        "recordingStatusCallbackEvent": "completed absent",
        "track": "both",
        "channels": "mono",  # half as large
    }
    start = f"{say(notice, language, file)}<Start><Recording{_attributes(begun)}/></Start>"
    return Answer(answer.content_type, answer.body.replace(b"<Response>", f"<Response>{start}".encode(), 1))


def hang_up() -> Answer:
    return twiml("<Hangup/>")


def wait(text: str, *, again: str, language: str, file: str = "") -> Answer:
    """Say it while we are at work, and ask us again."""
    return twiml(f'{say(text, language, file)}<Redirect method="POST">{escape(again)}</Redirect>')


def linger(text: str, *, again: str, language: str, file: str = "") -> Answer:
    """Say it, wait a second, and ask us again."""
    return twiml(f'{say(text, language, file)}<Pause length="1"/><Redirect method="POST">{escape(again)}</Redirect>')


def reject() -> Answer:
    """Nobody has this number."""
    return twiml("<Reject/>")


def nothing() -> Answer:
    return twiml("")


def twiml(verbs: str) -> Answer:
    """The verbs as a document."""
    root = f"<Response>{verbs}</Response>" if verbs else "<Response/>"
    return Answer("text/xml; charset=utf-8", f'<?xml version="1.0" encoding="UTF-8"?>{root}'.encode())


def locale(language: str) -> str:
    """The tag that Twilio's voices and recognisers know a language by."""
    short = language.partition("-")[0].lower() or "en"
    return language if "-" in language else _LOCALES.get(short, f"{short}-{short.upper()}")


_LOCALES: Final[Mapping[str, str]] = {"en": "en-US", "es": "es-US", "pt": "pt-BR", "zh": "cmn-CN"}


def say(text: str, language: str, file: str = "") -> str:
    """The verb that says it, or plays that `file`; nothing for no text."""
    if file:
        return f"<Play>{escape(file)}</Play>"
    return f"<Say language={quoteattr(language)}>{escape(text)}</Say>" if text else ""


def _attributes(values: Mapping[str, str]) -> str:
    return "".join(f" {name}={quoteattr(value)}" for name, value in values.items())


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 9 else None
