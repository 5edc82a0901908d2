"""What the speech service knows: keys, voices, models, what it was asked, and what goes wrong."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, cast, get_args
from uuid import uuid4

from aiohttp import web

from simulators import tones

Json = dict[str, object]
Fault = Literal[
    "http_401",
    "http_403",
    "http_429",
    "http_500",
    "json_in_audio",
    "stall",
    "close_1008",
    "scribe_error",
    "scribe_drop",
]
_FAULTS: tuple[Fault, ...] = get_args(Fault)

MODELS: Mapping[str, bool] = {  # and whether it speaks (the others listen)
    "eleven_flash_v2_5": True,
    "eleven_flash_v2": True,
    "eleven_turbo_v2_5": True,
    "eleven_multilingual_v2": True,
    "scribe_v2_realtime": False,
    "scribe_v3_live": False,
}
LONGEST_TEXT = 40_000
FORMATS = ("ulaw_8000", "pcm_8000")  # the only ones in which tones can be told apart byte by byte
RANGES = {"stability": (0.0, 1.0), "similarity_boost": (0.0, 1.0), "style": (0.0, 1.0), "speed": (0.7, 1.2)}


@dataclass(slots=True, kw_only=True)
class Faults:
    """How many of the next requests suffer each fault; True: all of them."""

    http_401: int = 0
    http_403: int = 0
    http_429: int = 0
    http_500: int = 0
    json_in_audio: int = 0  # status 200, and the body is an error
    stall: int = 0  # half of the sound, then nothing more, and the connection stays open
    close_1008: int = 0  # a speech socket that is closed at its first text
    scribe_error: int = 0  # a transcription socket that gets `scribe_error_type` instead of a transcript
    scribe_error_type: str = "transcriber_error"
    scribe_drop: int = 0  # a transcription socket that breaks at its first sound


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """Something that was synthesised, or asked for."""

    text: str
    voice_id: str
    model_id: str
    output_format: str
    language_code: str = ""
    by: Literal["http", "socket"] = "http"
    settings: Mapping[str, object] | None = None


class Refusal(Exception):  # noqa: N818 - the trade says it so
    """An answer in the service's shape of errors."""

    def __init__(self, http: int, status: str, message: str) -> None:
        super().__init__(message)
        self.http, self.status = http, status


class Service:
    """The service's state. Read `spoken` and `heard` to see what went on; set `faults` and the delays at any time."""

    def __init__(
        self,
        *,
        api_keys: Iterable[str] = ("the key",),
        voices: Mapping[str, str] | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        new_id: Callable[[], str] = lambda: uuid4().hex,
        most_at_once: int = 30,
    ) -> None:
        self.api_keys = set(api_keys)
        self.voices = dict(voices or {"UgBBYS2sOqTuMpoF3BR0": "Mark", "21m00Tcm4TlvDq8ikWAM": "Rachel"})
        self.sleep, self.new_id = sleep, new_id
        self.most_at_once = most_at_once
        self.first_byte_s = 0.0
        self.alignment: Literal["camel", "charsDurationsMs", "snake"] = "camel"  # how its names are spelled
        self.faults = Faults()
        self.spoken: list[Spoken] = []
        self.heard: list[str] = []  # committed transcripts
        self.at_once = 0
        self.closing = asyncio.Event()

    def strikes(self, name: Fault) -> bool:
        """Whether this request suffers the fault."""
        left = cast(int, getattr(self.faults, name))
        if left > 0 and left is not True:
            setattr(self.faults, name, left - 1)
        return left > 0

    def refuse(self) -> None:
        """The faults that any request can suffer.

        Raises:
            Refusal: this one does.
        """
        if self.strikes("http_401"):
            raise Refusal(401, "quota_exceeded", "This request exceeds your quota.")
        if self.strikes("http_403"):
            raise Refusal(403, "missing_permissions", "This is not on your plan.")
        if self.strikes("http_429"):
            raise Refusal(429, "too_many_concurrent_requests", "Too many concurrent requests.")
        if self.strikes("http_500"):
            raise Refusal(500, "internal_error", "Something went wrong.")

    def check_key(self, key: str) -> None:
        """Raises Refusal unless the key opens it."""
        if key not in self.api_keys:
            raise Refusal(401, "invalid_api_key", "Invalid API key")

    def check_voice(self, voice_id: str, model_id: str, output_format: str) -> None:
        """Raises Refusal unless that voice can speak so."""
        if voice_id not in self.voices:
            raise Refusal(404, "voice_not_found", f"A voice with voice_id {voice_id} was not found.")
        if not MODELS.get(model_id, False):
            raise Refusal(400, "model_not_found", f"A model with model ID {model_id} does not exist or cannot speak")
        if output_format not in FORMATS:
            raise Refusal(400, "output_format_not_allowed", f"Only {' and '.join(FORMATS)} are spoken here")

    @contextmanager
    def busy(self) -> Iterator[None]:
        """One more request at once, while it generates.

        Raises:
            Refusal: that is one too many.
        """
        if self.at_once >= self.most_at_once:
            raise Refusal(429, "too_many_concurrent_requests", "Too many concurrent requests.")
        self.at_once += 1
        try:
            yield
        finally:
            self.at_once -= 1


SERVICE = web.AppKey("SERVICE", Service)


def voiced(text: str, output_format: str) -> bytes:
    """The text as sound in that format."""
    sound = tones.encode(text)
    return tones.to_pcm(sound) if output_format == "pcm_8000" else sound


def times(text: str) -> list[int]:
    """When each letter begins, in milliseconds, and at last when all is over."""
    return [round(place * tones.LETTER_S * 1000) for place in range(len(text) + 1)]


def error_body(status: str, message: str) -> Json:
    """The service's usual shape."""
    return {"detail": {"status": status, "message": message}}
