"""<Dial>, <Enqueue> and whatever else brings two people together: ringing, whispers, bridges, queues."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from urllib.parse import urljoin

from simulators.twilio import voice_conference
from simulators.twilio.voice_call import Broken, Call, Stopped, Watch
from simulators.twilio.voice_model import LETTERS_A_SECOND, Callee, Input, Line, Presses, Queue, Says, Starts
from simulators.twilio.voice_record import keep, report_of
from simulators.twilio.voice_twiml import Document, Verb

Play = Callable[[Call, Document], Awaitable[bool]]  # False: the document ended it

_DETECTION_S = 3.0  # how long answering-machine detection takes


async def dial(call: Call, verb: Verb, document: Document, whisper: Play, wait: Play) -> Document | None:
    """The action's answer, or None if the next verb is to run."""
    if call.direction == "outbound-dial":
        call.warn(13201, "<Dial> inside of a dialled leg", document.url)
        return None
    room = next((noun for noun in verb.inside if noun.name == "Conference"), None)
    queue = next((noun for noun in verb.inside if noun.name == "Queue"), None)
    numbers = [noun for noun in verb.inside if noun.name == "Number"]
    has_action = "action" in verb.attributes
    attempt = _Attempt(call, verb, document, whisper)
    try:
        if room is not None:
            await voice_conference.join(call, room, verb, document, wait)
            result = attempt.result("answered", is_bridged=True)
        elif queue is not None:
            result = await attempt.queue(queue)
        else:
            result = await attempt.numbers(numbers)
    except Stopped:
        attempt.cancel()
        if call.moved is None and has_action:
            url = urljoin(document.url, verb.get("action"))
            status = "canceled" if room is None else "answered"
            await call.tell(url, verb.get("method", "POST"), **attempt.result(status))
        raise
    if has_action:
        return await call.ask_next(document, verb.get("action"), verb.get("method"), **result)
    return None


async def ring(leg: Call, callee: Callee, timeout_s: float) -> str:
    """Let a phone ring: `in-progress` when it was picked up, or why it was not.

    Raises:
        Stopped: it was called off.
    """
    leg.become("initiated")
    if callee.how == "failed":
        return "failed"
    leg.become("ringing")
    if callee.how == "no-answer" or callee.after_s > timeout_s:
        await leg.lasts(timeout_s)
        return "no-answer"
    await leg.lasts(callee.after_s)
    if callee.how in ("busy", "refused"):  # Twilio tells no difference
        return "busy"
    leg.answered_by = callee.how
    leg.answer()
    if callee.how == "machine":
        leg.network.start(_greet(leg, callee), sid=leg.sid, is_scheduled=True)
    return "in-progress"


async def _greet(leg: Call, callee: Callee) -> None:
    """A machine talks as soon as it has picked up, whether somebody listens or not; then it records, and hangs up."""
    leg.transcript.append(Line("caller", callee.greeting, leg.network.clock()))
    leg.give(Starts(callee.greeting))
    try:
        await leg.lasts(len(callee.greeting) / LETTERS_A_SECOND)
    except Stopped:
        return
    leg.give(Says(callee.greeting))
    leg.tone_at = len(leg.heard)
    with suppress(Stopped):
        await leg.lasts(callee.records_s)
        leg.stop("completed")


def over(leg: Call, status: str) -> None:
    """The end of a leg that runs no documents of its own."""
    leg.listener = None
    leg.become(status)
    leg.over.set()
    leg.network.time.touch()


def detected(leg: Call, detection: str) -> dict[str, str]:
    """What answering-machine detection makes of who picked up."""
    callee = leg.network.callees.get(leg.to, Callee())
    if callee.detected:
        found = callee.detected
    elif leg.answered_by != "machine":
        found = "human"
    else:
        found = "machine_start" if detection == "Enable" else "machine_end_beep"
    return {"AnsweredBy": found, "MachineDetectionDuration": str(int(_DETECTION_S * 1000))}


async def greeted(leg: Call, detection: str, timeout_s: float) -> dict[str, str]:
    """What was detected before the document runs: at once, or after a machine's greeting."""
    callee = leg.network.callees.get(leg.to, Callee())
    waits_for_beep = detection == "DetectMessageEnd" and callee.how == "machine"
    await leg.lasts(min(len(callee.greeting) / LETTERS_A_SECOND if waits_for_beep else _DETECTION_S, timeout_s))
    return detected(leg, detection)


async def detect(leg: Call, detection: str, url: str, method: str) -> None:
    """Tell what was detected, a while after the answer."""
    with suppress(Stopped):  # gone before anything was known: nothing is told
        found = await greeted(leg, detection, 30)
        if found["AnsweredBy"] != "-":
            await leg.tell(url, method, **found)


class _Attempt:
    """One <Dial>."""

    def __init__(self, call: Call, verb: Verb, document: Document, whisper: Play) -> None:
        self._call, self._verb, self._document, self._whisper = call, verb, document, whisper
        self._legs: list[Call] = []
        self._winner: Call | None = None
        self._said: list[str] = []

    def cancel(self) -> None:
        """The caller has gone: so do all the others."""
        for leg in self._legs:
            if not leg.over.is_set():
                leg.stop("canceled" if leg.answered_at is None else "completed")

    def result(self, status: str, *, is_bridged: bool = False) -> dict[str, str]:
        """The parameters of the action."""
        leg = self._winner or (self._legs[-1] if self._legs else None)
        extra = {"DialCallStatus": status, "DialBridged": str(is_bridged).lower()}
        if leg is not None:
            extra["DialCallSid"] = leg.sid
            if leg.answered_at is not None:
                extra["DialCallDuration"] = str(leg.duration_s)
        return extra

    async def numbers(self, numbers: list[Verb]) -> dict[str, str]:
        """Ring them all; the first to answer wins."""
        call = self._call
        caller_id = self._verb.get("callerId") or call.sender
        if caller_id not in (call.sender, *call.network.numbers):
            call.warn(13214, "callerId is none of your numbers", self._document.url)
            return self.result("failed")
        if not numbers:
            call.warn(13223, "<Dial> dials nobody", self._document.url)
            return self.result("failed")
        tasks = [asyncio.create_task(self._leg(noun, caller_id)) for noun in numbers]
        together = asyncio.gather(*tasks)
        done = asyncio.Event()
        together.add_done_callback(lambda _: done.set())
        try:
            await call.event(done)
        finally:
            if not done.is_set():
                self.cancel()
            outcomes = await together
        for status in ("completed", "busy", "no-answer", "failed"):
            if status in outcomes:
                return self.result(status, is_bridged=call.bridged)
        if "refused" in outcomes:
            return self.result(call.network.refused_whisper_is)
        return self.result("canceled")

    async def _leg(self, noun: Verb, caller_id: str) -> str:
        call, network = self._call, self._call.network
        leg = Call(
            network,
            account_sid=call.account_sid,
            sender=caller_id,
            to=noun.text,
            direction="outbound-dial",
            parent=call,
            watch=_watch(noun, self._document),
        )
        self._legs.append(leg)
        ending = "completed"
        try:
            callee = network.callees.get(noun.text, Callee())
            status = await ring(leg, callee, self._verb.number("timeout", 30))
            if status != "in-progress":
                ending = status
                return status
            if self._winner is not None:
                return "canceled"
            self._winner = leg
            for other in self._legs:
                if other is not leg and not other.over.is_set():
                    other.stop("canceled")
            if noun.get("machineDetection") and noun.get("amdStatusCallback"):
                url = urljoin(self._document.url, noun.get("amdStatusCallback"))
                work = detect(leg, noun.get("machineDetection"), url, noun.get("amdStatusCallbackMethod", "POST"))
                network.start(work, sid=leg.sid, is_scheduled=True)
            if noun.get("url"):
                document = await leg.ask(urljoin(self._document.url, noun.get("url")), noun.get("method", "POST"))
                if not await self._whisper(leg, document):
                    return "refused"
            call.answer()
            await bridge(call, leg, self._verb, self._document)
            return "completed"
        except Stopped:
            ending = leg.status
            return "canceled" if leg.status == "canceled" else "completed" if call.bridged else "refused"
        except Broken:
            return "failed"
        finally:
            over(leg, ending)

    async def queue(self, noun: Verb) -> dict[str, str]:
        """Take the longest-waiting caller."""
        call = self._call
        queue = queue_of(call, noun.text)
        waited_s = 0.0
        while not queue.waiting:
            if waited_s >= self._verb.number("timeout", 30):
                return self.result("no-answer")
            await call.lasts(1)
            waited_s += 1
        other = call.network.calls[queue.waiting.pop(0)]
        self._winner = other
        other.taken.set()
        try:
            await call.event(other.freed, other.stopped)  # the music has stopped
            if noun.get("url"):
                document = await other.ask(urljoin(self._document.url, noun.get("url")), noun.get("method", "POST"))
                await self._whisper(other, document)
            await bridge(call, other, self._verb, self._document)
        except Stopped:
            if call.stopped.is_set():
                raise
        finally:
            other.let_go.set()
        return self.result("completed", is_bridged=True)


async def bridge(call: Call, other: Call, verb: Verb, document: Document) -> None:
    """Let two people talk until one of them hangs up.

    Raises:
        Stopped: it was `call` who did.
    """
    call.bridged = other.bridged = True
    star = asyncio.Event()
    said: list[str] = []

    def to(ear: Call, *, may_star: bool) -> Callable[[Input], None]:
        def listener(what: Input) -> None:
            if isinstance(what, Says) and what.text:
                said.append(what.text)
                ear.hear(what.text, ear.begin_line())
            elif isinstance(what, Presses) and what.key == "*" and may_star:
                star.set()

        return listener

    call.listener = to(other, may_star=verb.is_on("hangupOnStar"))
    other.listener = to(call, may_star=False)
    call.network.time.touch()
    try:
        await call.event(other.stopped, star)
    finally:
        call.listener = other.listener = None
        if verb.get("record", "do-not-record") != "do-not-record" and said:
            keep(call, " ".join(said), "DialVerb", report_of(verb, document))


def queue_of(call: Call, name: str) -> Queue:
    """The queue of that name in the call's account; whoever asks first makes it."""
    network = call.network
    key = f"{call.account_sid} {name}"
    if key not in network.queues:
        network.queues[key] = Queue("QU" + network.new_id())
    return network.queues[key]


async def enqueue(call: Call, verb: Verb, document: Document, wait: Play) -> Document | None:
    """The action's answer, or None if the next verb is to run."""
    queue = queue_of(call, verb.text)
    started_at = call.network.clock()
    call.taken, call.freed, call.let_go = asyncio.Event(), asyncio.Event(), asyncio.Event()

    def told(result: str) -> dict[str, str]:
        waited_s = round((call.network.clock() - started_at).total_seconds())
        return {"QueueResult": result, "QueueSid": queue.sid, "QueueTime": str(waited_s)}

    result = "queue-full"
    has_action = "action" in verb.attributes
    if len(queue.waiting) < verb.number("maxQueueSize", 1000):
        queue.waiting.append(call.sid)
        try:
            result = await _hold(call, verb, document, wait, queue, told)
        except Stopped:
            if has_action:
                result = "hangup" if call.moved is None else "redirected"
                url = urljoin(document.url, verb.get("action"))
                await call.tell(url, verb.get("method", "POST"), **told(result))
            raise
        finally:
            if call.sid in queue.waiting:
                queue.waiting.remove(call.sid)
    if has_action:
        return await call.ask_next(document, verb.get("action"), verb.get("method"), **told(result))
    return None


async def _hold(
    call: Call,
    verb: Verb,
    document: Document,
    wait: Play,
    queue: Queue,
    told: Callable[[str], dict[str, str]],
) -> str:
    """Play the wait document again and again; the result."""
    music = asyncio.create_task(_music(call, verb, document, wait, queue, told))
    taken = asyncio.create_task(call.taken.wait())
    try:
        await asyncio.wait([music, taken], return_when=asyncio.FIRST_COMPLETED)
        if not taken.done():
            music.result()  # hung up, or moved
            return "leave"
    finally:
        music.cancel()
        taken.cancel()
        await asyncio.gather(music, taken, return_exceptions=True)
    call.listener = None
    call.freed.set()
    await call.event(call.let_go)
    return "bridged"


async def _music(
    call: Call, verb: Verb, document: Document, wait: Play, queue: Queue, told: Callable[[str], dict[str, str]]
) -> None:
    """Back when the caller leaves."""
    while True:
        before = call.network.clock()
        if verb.get("waitUrl"):
            extra = told("") | {
                "QueuePosition": str(queue.waiting.index(call.sid) + 1),
                "AvgQueueTime": told("")["QueueTime"],
                "CurrentQueueSize": str(len(queue.waiting)),
                "MaxQueueSize": str(int(verb.number("maxQueueSize", 1000))),
            }
            del extra["QueueResult"]
            url = urljoin(document.url, verb.get("waitUrl"))
            if not await wait(call, await call.ask(url, verb.get("waitUrlMethod", "POST"), **extra)):
                return
        if call.network.clock() == before:
            await call.lasts(10)  # Twilio's own music


def _watch(noun: Verb, document: Document) -> Watch | None:
    if not noun.get("statusCallback"):
        return None
    return Watch(
        url=urljoin(document.url, noun.get("statusCallback")),
        method=noun.get("statusCallbackMethod", "POST"),
        events=tuple(noun.get("statusCallbackEvent", "completed").split()),
    )
