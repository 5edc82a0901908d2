"""<Record>: a message is left, and those who asked hear of it."""

import asyncio
from email.utils import format_datetime
from urllib.parse import urljoin

from simulators import tones
from simulators.twilio.voice_call import Call, Stopped
from simulators.twilio.voice_model import LETTERS_A_SECOND, Input, Presses, Recording, Says, Starts
from simulators.twilio.voice_twiml import Document, Verb


async def record(call: Call, verb: Verb, document: Document) -> Document | None:
    """The action's answer, or None if nothing was said and the next verb is to run."""
    if verb.is_on("playBeep", default=True):
        await call.speak("[beep]", seconds=0.5)
    said: list[str] = []
    ended_by: list[str] = []
    is_talking = False
    more = asyncio.Event()

    def listener(what: Input) -> None:
        nonlocal is_talking
        if isinstance(what, Presses):
            if what.key in verb.get("finishOnKey", "0123456789*#"):
                ended_by.append(what.key)
        elif isinstance(what, Says):
            is_talking = False
            if what.text:
                said.append(what.text)
        else:
            is_talking = isinstance(what, Starts)
        more.set()

    call.listener, call.listening = listener, {"timeout": str(verb.number("timeout", 5))}
    longest_s = verb.number("maxLength", 3600)
    started_at = call.network.clock()
    is_hung_up = False
    try:
        while not ended_by:
            more.clear()
            left_s = longest_s - (call.network.clock() - started_at).total_seconds()
            wait_s = left_s if is_talking else min(verb.number("timeout", 5), left_s)
            if wait_s <= 0 or await call.lasts(wait_s, more):
                break
    except Stopped:
        if call.moved is not None:
            raise
        is_hung_up = True
    finally:
        call.listener, call.listening = None, {}
    text = " ".join(said)[: int(longest_s * LETTERS_A_SECOND)]
    if not text:
        call.check()
        return None
    recording = keep(call, text, "RecordVerb")
    tell(call, verb, document, recording)
    if verb.is_on("transcribe") or verb.get("transcribeCallback"):
        _tell_transcript(call, verb, document, recording)
    answer = await call.ask_next(
        document,
        verb.get("action"),
        verb.get("method"),
        RecordingUrl=url_of(call, recording),
        RecordingSid=recording.sid,
        RecordingDuration=str(recording.duration_s),
        Digits="hangup" if is_hung_up else "".join(ended_by),
    )
    call.check()
    return answer


def keep(call: Call, text: str, source: str) -> Recording:
    """A recording in which that was said; it can be fetched once it is reported as completed."""
    network = call.network
    recording = Recording(
        sid="RE" + network.new_id(),
        account_sid=call.account_sid,
        call_sid=call.sid,
        source=source,
        created_at=network.clock(),
        audio=tones.encode(text),
        text=text,
    )
    network.recordings[recording.sid] = recording
    return recording


def url_of(call: Call, recording: Recording) -> str:
    """Where it is fetched; `.wav` or `.mp3` comes after it."""
    return f"{call.network.url}/2010-04-01/Accounts/{call.account_sid}/Recordings/{recording.sid}"


def tell(call: Call, verb: Verb, document: Document, recording: Recording) -> None:
    """Report it, as `recordingStatusCallback` of the verb says; it can be fetched from then on."""

    async def work() -> None:
        events = verb.get("recordingStatusCallbackEvent", "completed").split()
        url = verb.get("recordingStatusCallback")
        for status in ("in-progress", "completed"):
            recording.status = status
            if url and status in events:
                await call.tell(
                    urljoin(document.url, url),
                    verb.get("recordingStatusCallbackMethod", "POST"),
                    RecordingSid=recording.sid,
                    RecordingUrl=url_of(call, recording),
                    RecordingStatus=status,
                    RecordingDuration=str(recording.duration_s),
                    RecordingChannels="1",
                    RecordingSource=recording.source,
                    RecordingTrack="both",
                    RecordingStartTime=format_datetime(recording.created_at),
                )

    call.network.start(work(), sid=call.sid)


def _tell_transcript(call: Call, verb: Verb, document: Document, recording: Recording) -> None:
    call.tell_later(
        urljoin(document.url, verb.get("transcribeCallback") or document.url),
        TranscriptionSid="TR" + call.network.new_id(),
        TranscriptionText=recording.text,
        TranscriptionStatus="completed",
        TranscriptionType="fast",
        RecordingSid=recording.sid,
        RecordingUrl=url_of(call, recording),
    )
