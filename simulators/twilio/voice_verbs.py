"""Runs TwiML in a call, verb by verb, as Twilio does."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import urljoin, urlsplit

import aiohttp
from yarl import URL

from simulators import tones
from simulators.twilio import signing, voice_dial, voice_gather, voice_record, voice_relay, voice_stream
from simulators.twilio.voice_call import Broken, Call, Start, Stopped
from simulators.twilio.voice_twiml import Document, Verb

_MOST_REDIRECTS = 200
_APOLOGY = "We're sorry, an application error has occurred. Goodbye."
_BYTES_A_SECOND_OF_MP3 = 4000

Do = Callable[[Call, Verb, Document], Awaitable[Document | None]]


class Hung(Exception):  # noqa: N818 - it is what happened
    """The document has hung up."""


class Rejected(Exception):  # noqa: N818 - it is what happened
    """The document does not take the call."""


class Left(Exception):  # noqa: N818 - it is what happened
    """The document sends the caller out of the queue."""


async def live(call: Call, start: Start) -> None:
    """A call from its first document to its end."""
    ending = "failed"
    try:
        ending = await _run(call, start)
    except Exception as error:  # The simulator's own fault: the call ends, and whoever plays it sees why.
        call.warn(12400, f"internal failure: {error!r}", "")
        raise
    finally:
        call.listener = None
        call.status = ending
        if not call.network.closing.is_set():
            voice_record.finish(call)
            call.become(ending)
        call.over.set()
        call.network.time.touch()


async def _run(call: Call, start: Start) -> str:
    """The state in which it ended."""
    try:
        while True:
            try:
                await play(call, await start())
                return "completed"
            except Stopped:
                if call.moved is None:
                    return call.status
                start, call.moved = call.moved, None
                call.stopped.clear()
    except Hung:
        return "completed"
    except Rejected as rejected:
        return str(rejected)
    except Left:
        call.warn(12200, "<Leave> outside of a queue", "")
        return "completed"
    except Broken:
        if call.stopped.is_set():
            return call.status
        call.answer()
        try:
            await call.speak(_APOLOGY)
        except Stopped:
            return call.status
        return "completed"


async def play(call: Call, document: Document) -> None:
    """Run a document, and those to which it leads, until one runs out.

    Raises:
        Hung, Rejected, Left: it says so.
        Stopped: the call was ended or moved.
        Broken: the application gave nothing that could be run.
    """
    redirects = 0
    while True:
        following: Document | None = None
        for verb in document.verbs:
            call.check()
            if verb.name not in ("Reject", "Redirect") and not (verb.name == "Dial" and verb.is_on("answerOnBridge")):
                call.answer()
            following = await _DO[verb.name](call, verb, document)
            if following is not None:
                break
        if following is None:
            return
        redirects += 1
        if redirects > _MOST_REDIRECTS:
            call.warn(11215, f"more than {_MOST_REDIRECTS} documents in a row", document.url)
            raise Broken
        document = following


async def prompt(call: Call, verb: Verb, document: Document, *interruptions: asyncio.Event) -> bool:
    """Say, Play or Pause; False if it was cut off."""
    if verb.name == "Pause":
        return await call.lasts(verb.number("length", 1), *interruptions)
    text, seconds = verb.text, None
    if verb.name == "Play":
        if verb.get("digits"):
            return await call.lasts(0.5 * len(verb.get("digits")), *interruptions)
        heard = await listen(call, urljoin(document.url, verb.text))
        if heard is None:
            return True
        text, seconds = heard
    for _ in range(int(verb.number("loop", 1)) or 1000):
        if not await call.speak(text, *interruptions, seconds=seconds):
            return False
    return True


async def listen(call: Call, url: str) -> tuple[str, float] | None:
    """What is heard of an audio file, and how long that takes; None, with an alert, if it cannot be played."""
    token = call.network.accounts[call.account_sid].auth_token
    try:
        with call.network.time.owing():
            async with call.network.session().get(
                URL(call.network.reached(url), encoded=True),
                headers={"X-Twilio-Signature": signing.signature(token, url), "Host": urlsplit(url).netloc},
                timeout=aiohttp.ClientTimeout(total=15),
            ) as response:
                content, kind = await response.read(), response.content_type
                status = response.status
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        call.warn(11200, f"no audio: {type(error).__name__}", url)
        return None
    if status != 200:
        call.warn(11200, f"no audio: {status}", url)
        return None
    if kind in ("audio/mpeg", "audio/mp3"):
        return f"[{url}]", len(content) / _BYTES_A_SECOND_OF_MP3
    if kind in ("audio/basic", "audio/ulaw", "audio/x-mulaw"):
        sound = content
    elif kind in ("audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave"):
        try:
            sound = tones.from_wav(content)
        except ValueError as error:
            call.warn(13420, f"this WAV file cannot be played: {error}", url)
            return None
    else:
        call.warn(12300, f"{kind} is no sound", url)
        return None
    return tones.decode(sound) or f"[{url}]", len(sound) / tones.RATE


async def _prompt(call: Call, verb: Verb, document: Document) -> Document | None:
    await prompt(call, verb, document)
    return None


async def _redirect(call: Call, verb: Verb, document: Document) -> Document | None:
    return await call.ask_next(document, verb.text, verb.get("method"))


async def _hang_up(call: Call, verb: Verb, document: Document) -> Document | None:
    raise Hung


async def _leave(call: Call, verb: Verb, document: Document) -> Document | None:
    raise Left


async def _reject(call: Call, verb: Verb, document: Document) -> Document | None:
    if call.answered_at is not None:
        call.warn(12200, "<Reject> comes first or not at all", document.url)
        return None
    raise Rejected("busy" if verb.get("reason") == "busy" else "no-answer")


async def _gather(call: Call, verb: Verb, document: Document) -> Document | None:
    return await voice_gather.gather(call, verb, document, prompt)


async def _dial(call: Call, verb: Verb, document: Document) -> Document | None:
    return await voice_dial.dial(call, verb, document, _whisper, _wait)


async def _whisper(call: Call, document: Document) -> bool:
    """Play it to who picked up; False if that hangs up."""
    try:
        await play(call, document)
    except (Hung, Broken, Rejected, Left):
        return False
    return True


async def _enqueue(call: Call, verb: Verb, document: Document) -> Document | None:
    return await voice_dial.enqueue(call, verb, document, _wait)


async def _wait(call: Call, document: Document) -> bool:
    """Play it to who waits; False if that sends them on."""
    try:
        await play(call, document)
    except Left:
        return False
    return True


async def _connect(call: Call, verb: Verb, document: Document) -> Document | None:
    (session, *_) = verb.inside or (None,)
    if session is None:
        call.warn(12200, "<Connect> connects to nothing", document.url)
        return None
    with call.network.time.talking():
        if session.name == "ConversationRelay":
            result = await voice_relay.relay(call, session, listen)
        else:
            result = await voice_stream.stream(call, session, document)
    if "action" in verb.attributes:
        return await call.ask_next(document, verb.get("action"), verb.get("method"), **result)
    if result.get("SessionStatus"):
        raise Hung  # nothing is left to be done after such a session
    return None


async def _start(call: Call, verb: Verb, document: Document) -> Document | None:
    for one in verb.inside:
        voice_record.begin(call, "StartCallRecordingAPI", voice_record.report_of(one, document))
    return None


_DO: Mapping[str, Do] = {
    "Say": _prompt,
    "Play": _prompt,
    "Pause": _prompt,
    "Gather": _gather,
    "Record": voice_record.record,
    "Dial": _dial,
    "Enqueue": _enqueue,
    "Leave": _leave,
    "Redirect": _redirect,
    "Reject": _reject,
    "Hangup": _hang_up,
    "Connect": _connect,
    "Start": _start,
}
