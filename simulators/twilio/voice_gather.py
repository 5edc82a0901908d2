"""<Gather>: prompts that can be interrupted, then keys or speech, then the action."""

import asyncio
from collections.abc import Awaitable
from typing import Protocol
from urllib.parse import urljoin

from simulators.twilio.voice_call import Call
from simulators.twilio.voice_model import Input, Presses, Says, Starts
from simulators.twilio.voice_twiml import Document, Verb

_AUTO_S = 0.7  # how long a pause ends speech when Twilio may decide


class Prompt(Protocol):
    def __call__(
        self, call: Call, verb: Verb, document: Document, *interruptions: asyncio.Event
    ) -> Awaitable[bool]: ...


class _Heard:
    """What has come in so far."""

    def __init__(self, verb: Verb) -> None:
        kinds = verb.get("input", "dtmf").split()
        self.takes_keys, self.takes_speech = "dtmf" in kinds, "speech" in kinds
        self.most = int(verb.number("numDigits", 1000))
        self.finish = verb.get("finishOnKey", "#")
        self.is_deaf = False
        self.keys = ""
        self.finished_on = ""
        self.words: list[str] = []
        self.confidence: str | None = None
        self.is_talking = False
        self.first, self.more, self.whole = asyncio.Event(), asyncio.Event(), asyncio.Event()

    def take(self, what: Input) -> None:
        if self.is_deaf or self.whole.is_set():
            return
        if isinstance(what, Presses):
            if not self.takes_keys or self.words:
                return
            if self.finish and what.key in self.finish:
                self.finished_on = what.key
                self.whole.set()
            else:
                self.keys += what.key
                if len(self.keys) >= self.most:
                    self.whole.set()
        elif not self.takes_speech or self.keys:
            return
        elif isinstance(what, Starts):
            self.is_talking = True
        else:
            self.is_talking = False
            if what.text:
                self.words.append(what.text)
                self.confidence = what.confidence
        self.first.set()
        self.more.set()

    @property
    def is_empty(self) -> bool:
        return not (self.keys or self.words or self.finished_on)


async def gather(call: Call, verb: Verb, document: Document, prompt: Prompt) -> Document | None:
    """The action's answer, or None if nothing came in and the next verb is to run."""
    heard = _Heard(verb)
    heard.is_deaf = not verb.is_on("bargeIn", default=True)
    partial = verb.get("partialResultCallback")

    def listener(what: Input) -> None:
        heard.take(what)
        if partial and isinstance(what, Says) and what.text and heard.words:
            _tell_partly(call, verb, document, what.text)

    call.listener, call.listening = listener, {**verb.attributes, "timeout": str(verb.number("timeout", 5))}
    try:
        call.is_speaking = bool(verb.inside)
        for one in verb.inside:
            if not await prompt(call, one, document, heard.first):
                break
        heard.is_deaf = False
        await _collect(call, verb, heard)
    finally:
        call.is_speaking = False
        call.listener, call.listening = None, {}
    if heard.is_empty and not verb.is_on("actionOnEmptyResult"):
        return None
    extra: dict[str, str] = {}
    if heard.words:
        extra["SpeechResult"] = " ".join(heard.words)
        if heard.confidence is not None:
            extra["Confidence"] = heard.confidence
    elif heard.keys or heard.finished_on:
        extra |= {"Digits": heard.keys, "FinishedOnKey": heard.finished_on}
    else:
        extra |= {name: "" for name, on in (("Digits", heard.takes_keys), ("SpeechResult", heard.takes_speech)) if on}
    return await call.ask_next(document, verb.get("action"), verb.get("method"), **extra)


async def _collect(call: Call, verb: Verb, heard: _Heard) -> None:
    """Wait for the first sound, then until there is no more."""
    timeout_s = verb.number("timeout", 5)
    pause = verb.get("speechTimeout")
    pause_s = _AUTO_S if pause == "auto" else float(pause) if pause else timeout_s
    if not heard.first.is_set():
        await call.lasts(timeout_s, heard.first)
    while heard.first.is_set() and not heard.whole.is_set():
        heard.more.clear()
        if heard.is_talking:
            if await call.lasts(verb.number("maxSpeechTime", 60), heard.more):
                return
        elif await call.lasts(pause_s if heard.words else timeout_s, heard.more, heard.whole):
            return


def _tell_partly(call: Call, verb: Verb, document: Document, text: str) -> None:
    url = urljoin(document.url, verb.get("partialResultCallback"))
    words = text.split()
    half = " ".join(words[: len(words) // 2])
    forms = [
        {"UnstableSpeechResult": text, "StableSpeechResult": half, "Stability": "0.5"},
        {"UnstableSpeechResult": "", "StableSpeechResult": text, "Stability": "0.9"},
    ]

    async def work() -> None:
        for number, form in enumerate(forms):
            await call.tell(url, verb.get("partialResultCallbackMethod", "POST"), SequenceNumber=str(number), **form)

    call.network.start(work(), sid=call.sid)
