"""One leg of a call: what Twilio knows of it, and what the person at the phone hears and does."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from email.utils import format_datetime
from math import ceil
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from simulators import tones
from simulators.twilio import voice_twiml
from simulators.twilio.model import Number
from simulators.twilio.network import Network
from simulators.twilio.twiml import Unreadable
from simulators.twilio.voice_model import (
    LETTERS_A_SECOND,
    CallOver,
    Input,
    Line,
    Listener,
    Presses,
    Recording,
    Says,
    Starts,
)
from simulators.twilio.voice_twiml import Document
from simulators.twilio.webhooks import Form, Post

if TYPE_CHECKING:
    from simulators.twilio.voice_relay import Relay
    from simulators.twilio.voice_stream import Stream

_TERMINAL = ("completed", "busy", "failed", "no-answer", "canceled")
_EVENTS = {"queued": "", "initiated": "initiated", "ringing": "ringing", "in-progress": "answered"}
_SIP_CODES = {"completed": "200", "busy": "486", "failed": "404", "no-answer": "487", "canceled": "487"}

Start = Callable[[], Awaitable[Document]]


class Stopped(Exception):  # noqa: N818 - it is what happened
    """Somebody hung up, or the REST API has sent the call elsewhere."""


class Broken(Exception):  # noqa: N818 - it is what happened
    """The application gave nothing that could be run, and neither did its fallback."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Where the states of a call are reported."""

    url: str
    method: str = "POST"
    events: tuple[str, ...] = ("completed",)


class Call:
    """A call, and the person in it: `await call.hears("Which day")`, `await call.say("Tuesday")`, `await call.press("1")`.

    Whoever waits here is silent meanwhile, so that time-outs run off. `transcript` is what was said, the other side's
    words only as far as they were heard; `listening` are the attributes of the verb that waits for the caller now.
    """

    def __init__(
        self,
        network: Network,
        *,
        account_sid: str,
        sender: str,
        to: str,
        direction: str,
        parent: "Call | None" = None,
        fallback: tuple[str, str] | None = None,
        watch: Watch | None = None,
        extra: Mapping[str, str] | None = None,
    ) -> None:
        self.network = network
        self.sid = "CA" + network.new_id()
        self.account_sid, self.sender, self.to, self.direction = account_sid, sender, to, direction
        self.parent = parent
        self.extra = extra or {}
        self.status = "queued"
        self.answered_by = ""
        self.tone_at: int | None = None  # how much had been heard when a machine began to record
        self.created_at = network.clock()
        self.answered_at: datetime | None = None
        self.ended_at: datetime | None = None
        self.transcript: list[Line] = []
        self.heard = ""  # everything the other side said, as far as it was heard
        self.listening: Mapping[str, str] = {}
        self.posts: list[Post] = []
        self.is_speaking = False  # the other side
        self.bridged = False  # with another person, at some time
        self.moved: Start | None = None  # what runs next, by the REST API
        self.stopped = asyncio.Event()
        self.over = asyncio.Event()
        self.listener: Listener | None = None
        self.relay: Relay | None = None
        self.stream: Stream | None = None
        self.recorded: list[
            tuple[Recording, int, tuple[str, str, tuple[str, ...]] | None]
        ] = []  # and from which line on
        # Out of a queue, away from its music, and let go by who took it.
        self.taken, self.freed, self.let_go = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._read = 0
        self._fallback = fallback
        self._watch = watch
        self._event = 0
        self._held: Form | None = None
        self._reporting = asyncio.Lock()
        network.calls[self.sid] = self

    # What the person does.

    async def hears(self, match: str, *, timeout_s: float = 15.0, within_s: float = 120.0) -> str:
        """Wait until the other side has said `match` (in any case); all that was heard since the last wait.

        Raises:
            CallOver: the call ended without it.
            TimeoutError: not in `timeout_s` real seconds or `within_s` in the call; the error tells what came instead.
        """
        wanted = re.compile(r"\s+".join(re.escape(word) for word in match.split()), re.IGNORECASE)
        start = self._read
        done = await self.network.time.until(
            lambda: wanted.search(self.heard, start) is not None or self.over.is_set(),
            timeout_s=timeout_s,
            within_s=within_s,
        )
        found = wanted.search(self.heard, start)
        if found is None:
            fresh = self.heard[start:].strip()
            if done:
                raise CallOver(f"the call is over ({self.status}) without {match!r}; heard: {fresh!r}")
            raise TimeoutError(f"{self.sender} waited in vain for {match!r}; heard: {fresh!r}")
        self._read = found.end()
        return self.heard[start : found.end()].strip()

    async def say(self, text: str, *, confidence: str | None = "0.9") -> None:
        """Speak as soon as the other side has finished and listens.

        Twice in a row is what it says: somebody who adds a sentence before the answer. `hears` in between waits for it.

        Raises:
            CallOver: the call ended before that.
        """
        await self._turn()
        await self._utter(text, confidence)

    async def utter(self, sound: bytes) -> None:
        """Say this sound (mu-law) into a stream, as soon as the other side has finished and listens.

        Raises:
            CallOver: the call ended before that.
            TypeError: there is no stream to say it into.
        """
        await self._turn()
        if self.stream is None:
            raise TypeError("only a stream carries sound")
        self.transcript.append(Line("caller", "(sound)", self.network.clock()))
        self.stream.hear(sound)
        await self.network.time.pass_by(len(sound) / tones.RATE)

    async def press(self, keys: str) -> None:
        """Press keys as soon as somebody listens, into its words if need be.

        Raises:
            CallOver: the call ended before that.
        """
        await self._until(lambda: self.listener is not None or self.over.is_set(), "could press")
        self.transcript.append(Line("caller", keys, self.network.clock(), "keys"))
        for key in keys:
            self.give(Presses(key))
            await self.network.time.pass_by(0.2)

    async def interrupt(self, *, after: str, say: str) -> None:
        """Speak into the other side's words, as soon as `after` has been heard."""
        await self.hears(after)
        await self._utter(say, "0.9")

    async def silence(self, seconds: float | None = None) -> None:
        """Say nothing for so long; left out, for as long as the one who listens now wants to wait."""
        if seconds is None:
            await self._turn()
            waits = self.listening.get("timeout", "")
            seconds = (float(waits) if waits else 5.0) + 0.01
        await self.network.time.pass_by(seconds)

    async def hang_up(self) -> None:
        """End the call; back when Twilio has told the application, callbacks excepted."""
        if not self.over.is_set():
            self.stop("completed" if self.answered_at else "canceled")
            await self.network.time.until(self.over.is_set, timeout_s=20, within_s=60)

    async def ends(self, *, timeout_s: float = 5.0, within_s: float = 600.0) -> str:
        """Stay on the line until the call is over; the state in which it ended.

        Raises:
            TimeoutError: it goes on and on.
        """
        if not await self.network.time.until(self.over.is_set, timeout_s=timeout_s, within_s=within_s):
            raise TimeoutError(f"the call is still {self.status}; heard: {self.heard[self._read :]!r}")
        return self.status

    async def _turn(self) -> None:
        """Wait until the other side has finished and listens."""
        await self._until(
            lambda: (self.listener is not None and not self.is_speaking) or self.over.is_set(), "could speak"
        )

    async def _until(self, is_so: Callable[[], bool], what: str) -> None:
        if not await self.network.time.until(is_so, timeout_s=5.0, within_s=600.0):
            raise TimeoutError(f"{self.sender} never {what}; heard: {self.heard[self._read :]!r}")
        if self.over.is_set():
            raise CallOver(f"the call is over ({self.status}) before the caller {what}")

    async def _utter(self, text: str, confidence: str | None) -> None:
        self.transcript.append(Line("caller", text, self.network.clock()))
        self.give(Starts(text))
        await self.network.time.pass_by(len(text) / LETTERS_A_SECOND)
        self.give(Says(text, confidence))

    # What Twilio does with it.

    def give(self, what: Input) -> None:
        """The person's doing reaches whoever listens; nobody else ever hears of it."""
        if self.listener is not None:
            self.listener(what)
        self.network.time.touch()

    def stop(self, status: str) -> None:
        """End it; whatever runs in it stops."""
        self.status = status
        self.moved = None
        self.stopped.set()
        self.network.time.touch()

    def move(self, start: Start) -> None:
        """Run something else instead of what runs now."""
        self.moved = start
        self.stopped.set()
        self.network.time.touch()

    def become(self, status: str) -> None:
        """Change the state, and report it."""
        self.status = status
        if status == "in-progress" and self.answered_at is None:
            self.answered_at = self.network.clock()
        if status in _TERMINAL and self.ended_at is None:
            self.ended_at = self.network.clock()
        self._report(_EVENTS.get(status, "completed"))
        self.network.time.touch()

    def answer(self) -> None:
        """Pick up, on Twilio's side."""
        if self.answered_at is None:
            self.become("in-progress")

    @property
    def left(self) -> str | None:
        """What was left on the machine that picked up; None when none did, or it came to no tone."""
        return None if self.tone_at is None else self.heard[self.tone_at :].strip()

    @property
    def duration_s(self) -> int:
        """How long it was talked."""
        if self.answered_at is None:
            return 0
        return round(((self.ended_at or self.network.clock()) - self.answered_at).total_seconds())

    async def lasts(self, seconds: float, *interruptions: asyncio.Event) -> bool:
        """Let time pass; False if one of the interruptions came before that.

        Raises:
            Stopped: the call was ended or moved meanwhile.
        """
        work = asyncio.create_task(self.network.time.sleep(seconds))
        others = [asyncio.create_task(event.wait()) for event in (self.stopped, *interruptions)]
        try:
            await asyncio.wait([work, *others], return_when=asyncio.FIRST_COMPLETED)
            is_whole = work.done() and not any(event.is_set() for event in interruptions)
        finally:
            for task in (work, *others):
                task.cancel()
        self.check()
        return is_whole

    async def event(self, *events: asyncio.Event) -> None:
        """Wait until one of them is set.

        Raises:
            Stopped: the call was ended or moved meanwhile.
        """
        waits = [asyncio.create_task(event.wait()) for event in (self.stopped, *events)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        self.check()

    def check(self) -> None:
        """Raises Stopped if the call was ended or moved."""
        if self.stopped.is_set():
            raise Stopped

    async def speak(self, text: str, *interruptions: asyncio.Event, seconds: float | None = None) -> bool:
        """Let the person hear it, word by word; False if it was cut off."""
        words = re.findall(r"\s*\S+\s*", text)
        pace = 1 / LETTERS_A_SECOND if seconds is None else seconds / max(len(text), 1)
        place = self.begin_line()
        self.is_speaking = True
        try:
            for word in words:
                if not await self.lasts(len(word) * pace, *interruptions):
                    self.cut_line(place)
                    return False
                self.hear(word, place)
        except Stopped:
            self.cut_line(place)
            raise
        finally:
            self.is_speaking = False
            self.network.time.touch()
        return True

    def begin_line(self) -> int:
        """Open a line of the transcript for the other side."""
        if self.heard:
            self.heard += "\n"
        self.transcript.append(Line("bot", "", self.network.clock()))
        return len(self.transcript) - 1

    def hear(self, word: str, place: int) -> None:
        """One more word of that line has been heard."""
        self.heard += word
        self.transcript[place] = replace(self.transcript[place], text=self.transcript[place].text + word)
        self.network.time.touch()

    def cut_line(self, place: int) -> None:
        """The rest of that line was not heard."""
        self.transcript[place] = replace(self.transcript[place], is_cut=True)

    # What Twilio tells the application.

    def form(self, **extra: str) -> Form:
        """The parameters that every request about this call has."""
        numbers = self.network.numbers
        form = {
            "CallSid": self.sid,
            "AccountSid": self.account_sid,
            "From": self.sender,
            "To": self.to,
            "Caller": self.sender,
            "Called": self.to,
            "CallStatus": self.status,
            "Direction": self.direction,
            "ApiVersion": "2010-04-01",
        }
        for name, address in (("From", self.sender), ("To", self.to), ("Caller", self.sender), ("Called", self.to)):
            form |= {name + key: value for key, value in _place(self.network, numbers.get(address), address).items()}
        if self.parent is not None:
            form["ParentCallSid"] = self.parent.sid
        return tuple({**form, **self.extra, **extra}.items())

    async def tell(self, url: str, method: str = "POST", **extra: str) -> Post:
        """Ask the application something; its answer counts for nothing yet."""
        network, form = self.network, self.form(**extra)
        copies = network.dice.faults.copies if network.dice.strikes("duplicate") else 0
        with network.time.owing():
            post, *others = await asyncio.gather(
                *(network.post(self.account_sid, url, form, method) for _ in range(copies + 1))
            )
        # Only one answer is acted on: Twilio sends a copy because it has lost sight of the first.
        self.posts += [post, *others]
        if post.error is not None:
            self.warn(post.error, f"no usable answer ({post.status})", post.url)
        return post

    def tell_later(self, url: str, method: str = "POST", **extra: str) -> None:
        """The same, while the call goes on."""

        async def work() -> None:
            await self.tell(url, method, **extra)

        self.network.start(work(), sid=self.sid)

    async def ask(self, url: str, method: str = "POST", **extra: str) -> Document:
        """What to do next, by the application's answer or that of its fallback.

        Raises:
            Broken: neither gives anything that could be run.
        """
        post = await self.tell(url, method, **extra)
        try:
            if post.error is None:
                return self._read_answer(post)
            code = post.error
        except Unreadable as error:
            code = error.code
            self.warn(code, str(error), post.url)
        if self._fallback is None or self.status in _TERMINAL:
            raise Broken
        fallback, fallback_method = self._fallback
        post = await self.tell(fallback, fallback_method, **{**extra, "ErrorCode": str(code), "ErrorUrl": post.url})
        if post.error is not None:
            raise Broken
        try:
            return self._read_answer(post)
        except Unreadable as error:
            self.warn(error.code, str(error), post.url)
            raise Broken from error

    async def ask_next(self, document: Document, url: str, method: str, **extra: str) -> Document:
        """The same, at an address that a document gave (empty: its own)."""
        return await self.ask(urljoin(document.url, url) if url else document.url, method or "POST", **extra)

    def given(self, document: str) -> Document:
        """A document that came with a REST request, or else the call has an application error."""
        try:
            read = voice_twiml.read("text/xml", document.encode(), "")
        except Unreadable as error:
            self.warn(error.code, str(error), "")
            raise Broken from error
        self._warn_of(read)
        return read

    def warn(self, code: int, text: str, url: str) -> None:
        """Write a line into the error log."""
        self.network.alert(code, text, url=url, call_sid=self.sid)

    def _read_answer(self, post: Post) -> Document:
        document = voice_twiml.read(post.content_type, post.answer, post.url)
        self._warn_of(document)
        return document

    def _warn_of(self, document: Document) -> None:
        for code, text in document.warnings:
            self.warn(code, text, document.url)

    def _report(self, event: str) -> None:
        if not event or self._watch is None:
            return
        number, self._event = self._event, self._event + 1
        if event not in self._watch.events or self.network.dice.strikes("never_status"):
            return
        extra = {
            "CallbackSource": "call-progress-events",
            "SequenceNumber": str(number),
            "Timestamp": format_datetime(self.network.clock()),
        }
        if self.status in _TERMINAL:
            extra |= {"SipResponseCode": _SIP_CODES[self.status]}
            if self.status == "completed":
                extra |= {"CallDuration": str(self.duration_s), "Duration": str(max(ceil(self.duration_s / 60), 1))}
            else:
                extra |= {"CallDuration": "0", "Duration": "0"}
        self.network.start(
            self._post_event(self._watch, self.form(**extra), is_last=self.status in _TERMINAL), sid=self.sid
        )

    async def _post_event(self, watch: Watch, form: Form, *, is_last: bool) -> None:
        dice = self.network.dice
        async with self._reporting:
            if not is_last and self._held is None and dice.strikes("status_out_of_order"):
                self._held = form
                return
            copies = 2 if dice.strikes("status_duplicate") else 1
            forms = [form] * copies
            if self._held is not None:
                forms.append(self._held)
                self._held = None
            for one in forms:
                self.posts.append(await self.network.post(self.account_sid, watch.url, one, watch.method))


def _place(network: Network, number: Number | None, address: str) -> dict[str, str]:
    if number is not None:
        return {"City": number.city, "State": number.state, "Zip": number.zip_code, "Country": number.country}
    if not re.fullmatch(r"\+[1-9]\d{6,14}", address):
        return {"City": "", "State": "", "Zip": "", "Country": ""}
    phone = network.phone(address)
    return {"City": phone.city, "State": phone.state, "Zip": phone.zip_code, "Country": phone.country}
