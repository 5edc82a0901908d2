"""Reads what a voice webhook answered: TwiML, checked verb by verb and attribute by attribute."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from simulators.twilio.twiml import Unreadable

_TYPES_OF_XML = ("text/xml", "application/xml", "text/html")
_LONGEST_SAY = 4096
_DOCUMENT = 12200  # the schema does not know it: passed over with a warning


@dataclass(frozen=True, slots=True)
class Verb:
    """One instruction, its attributes and what is inside it; only what Twilio knows is left in it."""

    name: str
    attributes: Mapping[str, str]
    text: str = ""
    inside: tuple["Verb", ...] = ()

    def get(self, name: str, default: str = "") -> str:
        return self.attributes.get(name, default)

    def number(self, name: str, default: float) -> float:
        return float(self.attributes.get(name) or default)

    def is_on(self, name: str, *, default: bool = False) -> bool:
        return self.attributes.get(name, str(default)).lower() == "true"


@dataclass(frozen=True, slots=True)
class Document:
    """What to do, where it came from (other addresses are relative to that), and what was passed over and why."""

    verbs: tuple[Verb, ...]
    url: str
    warnings: tuple[tuple[int, str], ...] = ()


Check = Callable[[str], bool]


def _words(*known: str) -> Check:
    return lambda value: value in known


def _some(*known: str) -> Check:
    return lambda value: bool(value.split()) and all(word in known for word in value.split())


def _whole(least: int, most: int) -> Check:
    return lambda value: value.isascii() and value.isdecimal() and least <= int(value) <= most


def _fraction(least: float, most: float) -> Check:
    return lambda value: re.fullmatch(r"\d?\.?\d+", value) is not None and least <= float(value) <= most


def _matches(pattern: str) -> Check:
    return lambda value: re.fullmatch(pattern, value) is not None


def _any(_: str) -> bool:
    return True


_BOOL = _matches("(?i)true|false")
_METHOD = _words("GET", "POST")
_URL = _matches(r"(?i)(https?://[^\s/]+\S*|[^\s:]*|/\S*)")
_KEYS = _matches(r"[0-9*#]*")
_LANGUAGE = _matches(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*|multi")
_WHO_STOPS = _words("none", "dtmf", "speech", "any", "true", "false")
_LEG_EVENTS = _some("initiated", "ringing", "answered", "completed")
_RECORDING_EVENTS = _some("in-progress", "completed", "absent")
_SECONDS = _whole(1, 14400)
_ACTION = {"action": _URL, "method": _METHOD}
_RECORDING = {
    "recordingStatusCallback": _URL,
    "recordingStatusCallbackMethod": _METHOD,
    "recordingStatusCallbackEvent": _RECORDING_EVENTS,
    "trim": _words("trim-silence", "do-not-trim"),
}
_VOICE = {
    "language": _LANGUAGE,
    "ttsLanguage": _LANGUAGE,
    "transcriptionLanguage": _LANGUAGE,
    "ttsProvider": _matches("(?i)google|amazon|elevenlabs"),
    "voice": _any,
    "transcriptionProvider": _matches("(?i)google|deepgram"),
    "speechModel": _any,
    "hints": _any,
}
_NORMALIZATION = _words("on", "auto", "off")
_AMD = {
    "machineDetection": _words("Enable", "DetectMessageEnd"),
    "machineDetectionTimeout": _whole(3, 59),
    "machineDetectionSpeechThreshold": _whole(1000, 6000),
    "machineDetectionSpeechEndThreshold": _whole(500, 5000),
    "machineDetectionSilenceTimeout": _whole(2000, 10000),
    "amdStatusCallback": _URL,
    "amdStatusCallbackMethod": _METHOD,
}


@dataclass(frozen=True, slots=True)
class _Rule:
    attributes: Mapping[str, Check]
    inside: tuple[str, ...] = ()
    wrong: int = _DOCUMENT  # Twilio's number for a value that makes no sense here
    codes: Mapping[str, int] | None = None  # the same for single attributes
    required: tuple[str, ...] = ()


_SPEECH_TAGS = ("break", "emphasis", "lang", "p", "phoneme", "prosody", "s", "say-as", "sub", "w")
_RULES: Mapping[str, _Rule] = {
    "Say": _Rule({"voice": _any, "language": _LANGUAGE, "loop": _whole(0, 1000)}, wrong=13510),
    "Play": _Rule({"loop": _whole(0, 1000), "digits": _matches(r"[0-9wW*#]+")}, wrong=13410),
    "Pause": _Rule({"length": _whole(1, 600)}, wrong=13610),
    "Gather": _Rule(
        {
            **_ACTION,
            "input": _some("dtmf", "speech"),
            "timeout": _whole(1, 600),
            "speechTimeout": _matches(r"[1-9]\d{0,2}|auto"),
            "maxSpeechTime": _SECONDS,
            "numDigits": _whole(1, 1000),
            "finishOnKey": _matches(r"[0-9*#]?"),
            "hints": _any,
            "language": _LANGUAGE,
            "speechModel": _matches(
                r"default|numbers_and_commands|phone_call|experimental_(conversations|utterances)"
                r"|googlev2_(long|short|telephony|telephony_short)|deepgram_nova-[23]"
            ),
            "enhanced": _BOOL,
            "profanityFilter": _BOOL,
            "bargeIn": _BOOL,
            "actionOnEmptyResult": _BOOL,
            "partialResultCallback": _URL,
            "partialResultCallbackMethod": _METHOD,
            "debug": _BOOL,
        },
        inside=("Say", "Play", "Pause"),
        wrong=13310,
        codes={"speechTimeout": 13327, "hints": 13330, "language": 13331, "speechModel": 13334},
    ),
    "Record": _Rule(
        {
            **_ACTION,
            "timeout": _SECONDS,
            "finishOnKey": _KEYS,
            "maxLength": _SECONDS,
            "playBeep": _BOOL,
            "transcribe": _BOOL,
            "transcribeCallback": _URL,
            **_RECORDING,
        },
        wrong=13710,
    ),
    "Dial": _Rule(
        {
            **_ACTION,
            **_RECORDING,
            "timeout": _whole(1, 600),
            "timeLimit": _SECONDS,
            "callerId": _matches(r"\+[1-9]\d{6,14}|client:\S+|sip:\S+"),
            "answerOnBridge": _BOOL,
            "hangupOnStar": _BOOL,
            "record": _matches("do-not-record|record-from-(answer|ringing)(-dual)?"),
            "recordingTrack": _words("inbound", "outbound", "both"),
            "ringTone": _any,
            "sequential": _BOOL,
            "referUrl": _URL,
        },
        inside=("Number", "Queue", "Conference"),
        wrong=13210,
        codes={"callerId": 13214},
    ),
    "Number": _Rule(
        {
            "url": _URL,
            "method": _METHOD,
            "sendDigits": _matches(r"[0-9wW*#]+"),
            "statusCallback": _URL,
            "statusCallbackMethod": _METHOD,
            "statusCallbackEvent": _LEG_EVENTS,
            **_AMD,
        },
        wrong=13221,
    ),
    "Conference": _Rule(
        {
            "muted": _BOOL,
            "beep": _words("true", "false", "onEnter", "onExit"),
            "startConferenceOnEnter": _BOOL,
            "endConferenceOnExit": _BOOL,
            "waitUrl": _URL,
            "waitMethod": _METHOD,
            "maxParticipants": _whole(2, 250),
            "participantLabel": _any,
            "statusCallback": _URL,
            "statusCallbackMethod": _METHOD,
            "statusCallbackEvent": _some(*"start end join leave mute hold modify speaker announcement".split()),
        },
        wrong=13230,
    ),
    "Queue": _Rule({"url": _URL, "method": _METHOD}),
    "Enqueue": _Rule(
        {**_ACTION, "waitUrl": _URL, "waitUrlMethod": _METHOD, "maxQueueSize": _whole(1, 5000), "workflowSid": _any}
    ),
    "Leave": _Rule({}),
    "Redirect": _Rule({"method": _METHOD}),
    "Reject": _Rule({"reason": _words("rejected", "busy")}),
    "Hangup": _Rule({}),
    "Connect": _Rule(_ACTION, inside=("ConversationRelay", "Stream")),
    "Start": _Rule({}, inside=("Recording",)),
    "Recording": _Rule(
        {
            **_RECORDING,
            "track": _words("inbound", "outbound", "both"),
            "channels": _words("mono", "dual"),
        }
    ),
    "ConversationRelay": _Rule(
        {
            **_VOICE,
            "url": _matches(r"wss://\S+"),
            "welcomeGreeting": _any,
            "welcomeGreetingInterruptible": _WHO_STOPS,
            "interruptible": _WHO_STOPS,
            "interruptSensitivity": _words("low", "medium", "high"),
            "reportInputDuringAgentSpeech": _WHO_STOPS,
            "ignoreBackchannel": _BOOL,
            "dtmfDetection": _BOOL,
            "preemptible": _BOOL,
            "partialPrompts": _BOOL,
            "partialPromptOnHangup": _BOOL,
            "speechTimeout": _matches(r"\d{2,5}|auto"),
            "eotThreshold": _fraction(0.5, 0.9),
            "eagerEotThreshold": _fraction(0.3, 0.9),
            "profanityFilter": _BOOL,
            "backgroundNoiseReduction": _BOOL,
            "echoPromptFiltering": _BOOL,
            "turnDetection": _BOOL,
            "deepgramSmartFormat": _BOOL,
            "asrSmartFormat": _BOOL,
            "elevenlabsTextNormalization": _NORMALIZATION,
            "ttsTextNormalization": _NORMALIZATION,
            "ttsLanguageTextNormalization": _NORMALIZATION,
            "events": _some("speaker-events", "tokens-played"),
            "debug": _any,
            "applicationReconnect": _BOOL,
            "intelligenceService": _any,
            "conversationConfiguration": _any,
            "includeInPrompt": _some("turn-state", "prompt-segments"),
            "customerName": _any,
        },
        inside=("Language", "Parameter"),
        wrong=64101,
        required=("url",),
    ),
    "Language": _Rule({"code": _LANGUAGE, **_VOICE}, wrong=64101, required=("code",)),
    "Parameter": _Rule({"name": _any, "value": _any}, required=("name",)),
    "Stream": _Rule(
        {
            "url": _matches(r"wss://[^\s?]+"),  # with a query string: not supported
            "name": _any,
            "track": _words("inbound_track", "outbound_track", "both_tracks"),
            "statusCallback": _URL,
            "statusCallbackMethod": _METHOD,
        },
        inside=("Parameter",),
        wrong=31942,
        codes={"url": 31923},
        required=("url",),
    ),
}
_AT_TOP = tuple("Say Play Pause Gather Record Dial Enqueue Leave Redirect Reject Hangup Connect Start".split())
_FATAL = (64101, 31923, 13214, 13327, 13335)  # the call cannot go on as it was meant


def read(content_type: str, answer: bytes, url: str) -> Document:
    """The instructions in a successful answer. What the schema does not know is left out, with a warning.

    Raises:
        Unreadable: there is nothing that could be run, or it has a value without which it makes no sense.
    """
    if not answer.strip():
        raise Unreadable(11770, "the answer is empty")
    kind = content_type.partition(";")[0].strip().lower()
    if kind not in _TYPES_OF_XML:
        raise Unreadable(12300, f"cannot act on an answer of type {kind or 'unknown'}")
    try:
        root = ET.fromstring(answer)  # noqa: S314 - the answer of the application under test
    except (ET.ParseError, ValueError, LookupError) as error:
        raise Unreadable(12100, f"the document is not XML: {error}") from error
    if root.tag != "Response":
        raise Unreadable(12102, f"the root element is <{root.tag}>, not <Response>")
    warnings: list[tuple[int, str]] = []
    verbs = _inside(root, _AT_TOP, warnings)
    for code, text in warnings:
        if code in _FATAL:
            raise Unreadable(code, text)
    return Document(verbs, url, tuple(warnings))


def _inside(parent: ET.Element, allowed: tuple[str, ...], warnings: list[tuple[int, str]]) -> tuple[Verb, ...]:
    verbs: list[Verb] = []
    if (parent.text or "").strip() or any((child.tail or "").strip() for child in parent):
        warnings.append((_DOCUMENT, f"<{parent.tag}> takes no text here"))
    for element in parent:
        if element.tag not in allowed:
            code = 13320 if parent.tag == "Gather" else _DOCUMENT
            warnings.append((code, f"<{element.tag}> is not allowed in <{parent.tag}>"))
        else:
            verbs.append(_verb(element, warnings))
    return tuple(verbs)


def _verb(element: ET.Element, warnings: list[tuple[int, str]]) -> Verb:
    rule = _RULES[element.tag]
    attributes: dict[str, str] = {}
    for name, value in element.attrib.items():
        check = rule.attributes.get(name)
        if check is None:
            warnings.append((_DOCUMENT, f"<{element.tag}> has no attribute {name}"))
        elif not check(value):
            code = (rule.codes or {}).get(name, rule.wrong)
            warnings.append((code, f"<{element.tag} {name}> cannot be {value!r}"))
        else:
            attributes[name] = value
    warnings += [
        ((rule.codes or {}).get(name, rule.wrong), f"<{element.tag}> needs {name}")
        for name in rule.required
        if name not in element.attrib
    ]
    text = ""
    inside: tuple[Verb, ...] = ()
    if element.tag == "Say":
        text = "".join(element.itertext()).strip()
        warnings += [
            (13520, f"<{tag.tag}> cannot be spoken")
            for tag in element.iter()
            if tag is not element and tag.tag not in _SPEECH_TAGS
        ]
        if not 0 < len(text) <= _LONGEST_SAY:
            warnings.append((13520, f"<Say> has {len(text)} letters"))
    elif rule.inside and not (element.tag == "Dial" and (element.text or "").strip()):
        inside = _inside(element, rule.inside, warnings)
    else:
        text = (element.text or "").strip()
        if element.tag == "Dial":
            inside, text = (Verb("Number", {}, text),), ""
    if (
        attributes.get("speechTimeout") == "auto"
        and "speech" in attributes.get("input", "dtmf")
        and attributes.get("speechModel", "default") == "default"
    ):
        warnings.append((13335, '<Gather speechTimeout="auto"> needs a speechModel other than default'))
    return Verb(element.tag, attributes, text, inside)
