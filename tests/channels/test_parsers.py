"""Whatever comes from outside, every function that reads it gives a result or says what is wrong, and never anything else.

The functions are found in the source by what they take, so that a new one is tried without a word more: those whose first
argument is a request, bytes, or JSON. What they may raise is what their docstring says that they raise.
"""

import importlib
import inspect
import json
import pkgutil
import re
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Final, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import channels
import flows
import gateway.media
from channels.base import AccountKeys, Adapter, Request
from channels.messages import JSON
from tests.channels.posts import KEYS, PAYLOADS, recorded
from tests.channels.test_contract import ADAPTERS, hostile, json_values
from tests.gateway import pictures

# What else an argument is, where not any text will do.
ONLY: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("gateway.media.bare.of", "content_type"): ("image/jpeg", "image/png", "image/webp"),  # `bare.is_for`
}
# They take no more than what we have made or checked ourselves, or do not read it.
NOT_READERS: Final[Mapping[str, str]] = {
    "channels.clean.clean_json": "JSON that was read by somebody who bounds its depth",
    "channels.twilio.content.as_json": "our own variables",
    "channels.voice.audio.power": "whole samples, which `stream.read` has seen to",
    "channels.voice.listen.Listen.from_json": "what we have put into a row",
    "channels.voice.speech.offline.voices": "the settings",
    "channels.voice.speech.resample.from_mu_law": "any bytes are sound",
    "channels.voice.speech.sound.wav": "sound that we have made",
    "flows.registry.names_in": "a scenario that is loaded",
}


def _takes(kind: object) -> bool:
    """Whether an argument of this type is something from outside."""
    if kind in (Request, bytes, object, JSON, str | bytes):
        return True
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    if origin is Iterable or (isinstance(origin, type) and issubclass(origin, Iterable) and origin is not tuple):
        return JSON in inside or (len(inside) == 2 and inside[0] is str and inside[1] in (JSON, object, str))
    return False


def _readers() -> Iterator[tuple[str, Callable[..., object]]]:
    for package in (channels, flows, gateway.media):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            module = importlib.import_module(found.name)
            for name, one in vars(module).items():
                if getattr(one, "__module__", "") != found.name or name.startswith("_"):
                    continue
                if inspect.isfunction(one) and not inspect.iscoroutinefunction(one):
                    yield f"{found.name}.{name}", one
                elif inspect.isclass(one):
                    makers = [key for key, value in vars(one).items() if isinstance(value, classmethod)]
                    yield from ((f"{found.name}.{name}.{key}", getattr(one, key)) for key in makers)
    for (provider, channel), adapter in ADAPTERS.items():
        for key, method in inspect.getmembers(adapter, inspect.ismethod):
            if hasattr(Adapter, key) and not inspect.iscoroutinefunction(method):
                yield f"{provider}.{channel}.{key}", method


def _arguments(reader: Callable[..., object]) -> list[tuple[inspect.Parameter, object]]:
    hints = typing.get_type_hints(reader)
    return [
        (one, hints.get(one.name))
        for one in inspect.signature(reader).parameters.values()
        if one.name not in ("self", "cls")
    ]


def _is_reader(reader: Callable[..., object]) -> bool:
    return any(_takes(kind) for _, kind in _arguments(reader)[:1])


READERS: Final = {name: one for name, one in _readers() if _is_reader(one)}


def _recorded(*folders: str) -> list[Any]:
    return [recorded(folder, path.stem) for folder in folders for path in sorted((PAYLOADS / folder).glob("*.json"))]


FORMS: Final = _recorded("twilio", "twilio_whatsapp")
CALL: Final = {
    "CallSid": "CA" + "1" * 32,
    "AccountSid": KEYS.account_id,
    "From": "+15551230001",
    "To": "+15125550100",
    "Direction": "inbound",
    "CallStatus": "in-progress",
    "Digits": "1",
    "SpeechResult": "yes",
    "Confidence": "0.9",
    "RecordingSid": "RE" + "1" * 32,
    "RecordingUrl": "https://api.twilio.com/r",
    "RecordingDuration": "7",
    "CallDuration": "30",
    "AnsweredBy": "human",
    "TranscriptionText": "hello",
    "RecordingStatus": "completed",
}
PAGES: Final = _recorded("webchat")
BODIES: Final = [*_recorded("meta"), *PAGES]
# ConversationRelay's and Media Streams' messages; reference, twilio-voice.md sections 7 and 8.
SPOKEN: Final[list[Any]] = [
    {"type": "setup", "sessionId": "VX1", "callSid": CALL["CallSid"], "from": CALL["From"], "to": CALL["To"]},
    {"type": "prompt", "voicePrompt": "hello", "lang": "en-US", "last": True},
    {"type": "dtmf", "digit": "1"},
    {"type": "interrupt", "utteranceUntilInterrupt": "Life is", "durationUntilInterruptMs": "460"},
    {"type": "info", "name": "tokensPlayed", "value": "Hi"},
    {"type": "error", "description": "no"},
    {
        "event": "start",
        "sequenceNumber": "1",
        "start": {
            "streamSid": "MZ1",
            "callSid": CALL["CallSid"],
            "accountSid": KEYS.account_id,
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000},
            "customParameters": {"turn": "1"},
        },
    },
    {"event": "media", "media": {"track": "inbound", "chunk": "1", "timestamp": "5", "payload": "/////w=="}},
    {"event": "mark", "mark": {"name": "1.2"}},
    {"event": "dtmf", "dtmf": {"track": "inbound_track", "digit": "5"}},
    {"event": "stop", "stop": {"callSid": CALL["CallSid"]}},
]
BYTES: Final = [
    *(pictures.jpeg(), pictures.photograph(pictures.written((0x112, 3, 1, b"\x06\x00\x00\x00"))), pictures.png(3, 2)),
    *(pictures.GIF, pictures.HEIC, pictures.VOICE, pictures.PDF, pictures.SVG, pictures.word(), pictures.wav()),
    b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Ben Hill\r\nTEL;TYPE=CELL:+15551230002\r\nEMAIL:ben@a.b\r\nEND:VCARD\r\n",
    b"\xff\xfeh\x00i\x00",
    b"RIFF\x1a\x00\x00\x00WEBPVP8L\x0d\x00\x00\x00\x2f\x00\x00\x00\x10\x07\x10\x11\x11\x88\x88\xfe\x07\x00",
    b"scenario: x\nversion: 1\nstates:\n  a:\n    say: hi\n",
    *(json.dumps(one).encode() for one in (*BODIES[:3], *SPOKEN[:3])),
]


def _places(whole: Any) -> list[tuple[Any, Any]]:
    """Every object or list in it with each of its keys, the outermost last."""
    if not isinstance(whole, dict | list):
        return []
    keys = list(whole) if isinstance(whole, dict) else [*range(len(whole))]
    return [place for key in keys for place in _places(whole[key])] + [(whole, key) for key in keys]


@st.composite
def changed(draw: st.DrawFn, among: list[Any]) -> Any:
    """One of these with something else somewhere in it, or something missing."""
    whole = json.loads(json.dumps(draw(st.sampled_from(among))))
    for _ in range(draw(st.integers(0, 3))):
        if not (places := _places(whole)):
            break
        place, key = draw(st.sampled_from(places))
        if draw(st.integers(0, 4)):
            place[key] = draw(json_values | hostile)
        else:
            del place[key]
    return whole


@st.composite
def bent(draw: st.DrawFn) -> bytes:
    """Bytes of a real file with some of them others, gone or doubled."""
    data = bytearray(draw(st.sampled_from(BYTES))[:20_000])
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 40)))
        data[start:end] = draw(st.binary(max_size=12) | st.just(bytes(data[start:end]) * 2))
    return bytes(data)


@st.composite
def requests(draw: st.DrawFn, name: str) -> Request:
    """As one comes from the vendor that the reader is for, from another, or from nobody who knows what a request is."""
    url = draw(
        st.sampled_from(["/x", "/x?turn=1&ref=abc", "/x?site=main&session=s-0123456789abcdef"]) | st.text(max_size=40)
    )
    headers = {"content-type": draw(st.sampled_from(["application/json", "text/plain", ""]))}
    headers["x-twilio-signature"] = headers["x-hub-signature-256"] = draw(st.text(max_size=20) | st.just("sha256=00"))
    match draw(st.integers(0, 5)):
        case 0:
            method = draw(st.sampled_from(["GET", "POST"]))
            return Request.read(method, url, headers, draw(st.binary(max_size=200) | bent()))
        case 1:
            is_form = draw(st.booleans())
        case _:
            is_form = "twilio" in name or "voice" in name
    if is_form:
        form = dict(draw(st.sampled_from([CALL] if "voice" in name else [*FORMS, CALL])))
        for field in draw(st.lists(st.sampled_from(sorted(form)), max_size=3)):
            form[field] = draw(hostile)
        form = {field: value for field, value in form.items() if draw(st.integers(0, 9))}
        return Request("POST", url, headers, b"x", tuple(form.items()))
    bodies = PAGES if "web" in name or "sim" in name else BODIES
    body = json.dumps(draw(changed(bodies)), ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")
    return Request.read("POST", url, {**headers, "content-type": "application/json"}, body)


WORDS: Final = hostile | st.text(max_size=30)
SAMPLES: Final = [*BODIES, *SPOKEN, CALL, {"types": {"twilio/text": {"body": "hi {{1}}"}}}]
OBJECTS: Final = [
    *SAMPLES,
    *(place[key] for one in SAMPLES for place, key in _places(one) if isinstance(place[key], dict)),
]
ANYTHING: Final = changed(SAMPLES) | json_values | hostile


def _strategy(name: str, kind: object) -> st.SearchStrategy[Any]:
    """Values for an argument of this type. A new type needs a line here."""
    inside = typing.get_args(kind)
    if kind is Request:
        return requests(name)
    if kind is bytes:
        return bent() | st.binary(max_size=200)
    if kind == str | bytes:
        texts = changed(SPOKEN).map(json.dumps)
        return texts | texts.map(str.encode) | json_values.map(json.dumps) | WORDS | bent()
    if kind in (object, JSON):
        return ANYTHING
    if kind is str:
        return WORDS
    if kind is int:
        return st.integers(0, 5000)
    if kind is AccountKeys:
        return st.sampled_from([KEYS, AccountKeys("", ("",)), AccountKeys("AC1")])
    if typing.get_origin(kind) is Literal:
        return st.sampled_from(inside)
    if typing.get_origin(kind) is Mapping or typing.get_origin(kind) is dict:
        # With the names that it asks for, too.
        code: Any = READERS[name]
        names = [one for one in code.__code__.co_consts if isinstance(one, str) and one.isidentifier()]
        own = st.dictionaries(st.sampled_from(names or ["x"]), json_values | hostile, max_size=5)
        return own | changed(OBJECTS).filter(lambda one: isinstance(one, dict))
    if kind == Iterable[str]:
        return st.lists(WORDS, max_size=3)
    if typing.get_origin(kind) is Iterable:
        return st.lists(ANYTHING, max_size=3)
    raise LookupError(f"how is a {kind} made?")


def _may_raise(reader: Callable[..., object]) -> tuple[str, ...]:
    """The names in its docstring behind `Raises:`; those of the contract, for a method of an adapter."""
    promised = getattr(Adapter, reader.__name__, reader) if inspect.ismethod(reader) else reader
    said = inspect.getdoc(promised) or ""
    return tuple(re.findall(r"\b([A-Z]\w+(?:Error|Request))\b", said.partition("Raises:")[2]))


def test_all_that_read_are_found() -> None:
    """A few of every kind; and no reason is left for what is not there any more."""
    assert {
        *("channels.meta.codec.decode", "channels.twilio.codec.decode", "channels.webchat.codec.decode"),
        *(
            "channels.voice.codec.ring",
            "channels.voice.relay.read",
            "channels.voice.stream.read",
            "channels.vcard.read",
        ),
        *("channels.messages.OutboundMessage.from_json", "channels.written.read", "flows.load.load"),
        *("gateway.media.bare.of", "meta.whatsapp.parse", "twilio.voice.claimed_account"),
    } <= READERS.keys()
    assert NOT_READERS.keys() | {name for name, _ in ONLY} <= READERS.keys()


@pytest.mark.parametrize("name", sorted(READERS.keys() - NOT_READERS.keys()))
@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much], deadline=None, max_examples=40)
@given(data=st.data())
def test_whatever_comes_gives_a_result_or_the_error_that_is_promised(name: str, data: st.DataObject) -> None:
    reader = READERS[name]
    given_, named = [], {}
    for one, kind in _arguments(reader):
        if one.default is not inspect.Parameter.empty and not _takes(kind):
            continue
        only = ONLY.get((name, one.name))
        value = data.draw(st.sampled_from(only) if only else _strategy(name, kind), label=one.name)
        if one.kind is inspect.Parameter.KEYWORD_ONLY:
            named[one.name] = value
        else:
            given_.append(value)
    error = _raised(lambda: reader(*given_, **named))
    assert error is None or {kind.__name__ for kind in type(error).__mro__} & {*_may_raise(reader)}, repr(error)


# What stands where something else was meant; for a form only those that are text.
WRONG: Final[list[Any]] = [
    *(None, True, 7, -1, 2**70, 0.5, [], [7], [[]], {}, {"x": 1}, [{"x": 1}]),
    *("", " ", "x" * 300, "a\x00\ud800b", "9" * 5000, "-7", "1e999", "٣", "../x", "2026-13-45"),
]


def each_wrong(samples: list[Any]) -> Iterator[Any]:
    """Each sample with each of its fields wrong in every way, and missing, one at a time."""
    for whole in json.loads(json.dumps(samples)):
        for place, key in _places(whole):
            right = place[key]
            for wrong in WRONG:
                place[key] = wrong
                yield whole
            if isinstance(place, dict):
                del place[key]
                yield whole
            place[key] = right


def _wrong_of(name: str, kind: object) -> Iterator[object]:
    if kind is Request and ("twilio" in name or "voice" in name):
        for form in each_wrong([CALL] if "voice" in name else FORMS):
            pairs = tuple((field, value) for field, value in form.items() if isinstance(value, str))
            yield Request("POST", "/x?turn=1", {}, b"x", pairs)
    elif kind is Request:
        for body in each_wrong(PAGES if "web" in name or "sim" in name else BODIES):
            yield Request("POST", "/x", {"content-type": "application/json"}, _dumped(body))
    elif kind == str | bytes:
        yield from map(_dumped, each_wrong(SPOKEN))
    elif kind is not bytes:
        yield from each_wrong(SAMPLES)


def _dumped(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


@pytest.mark.parametrize("name", sorted(READERS.keys() - NOT_READERS.keys()))
def test_no_field_of_what_was_recorded_is_wrong_in_a_way_that_was_not_thought_of(name: str) -> None:
    reader, promised = READERS[name], {*_may_raise(READERS[name])}
    (first, kind), *others = [one for one in _arguments(reader) if one[0].default is inspect.Parameter.empty]
    fixed: dict[str, Any] = {one.name: _PLAIN.get(of, "x") for one, of in others}
    for value in _wrong_of(name, kind):
        error = _raised(partial(reader, **{first.name: value}, **fixed))
        assert error is None or {of.__name__ for of in type(error).__mro__} & promised, (error, value)


_PLAIN: Final[dict[object, object]] = {AccountKeys: KEYS, int: 5, Iterable[str]: ["x"]}


def _raised(read: Callable[[], object]) -> Exception | None:
    try:
        read()
    except Exception as error:  # noqa: BLE001  whichever it is
        return error
    return None
