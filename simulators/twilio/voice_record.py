"""<Record>: a message is left, and those who asked hear of it."""

import asyncio
from email.utils import format_datetime
from urllib.parse import urljoin

from simulators import tones
from simulators.twilio.voice_call import Call, Stopped
from simulators.twilio.voice_model import LETTERS_A_SECOND, Input, Presses, Recording, Says, Starts
from simulators.twilio.voice_twiml import Document, Verb

Report = tuple[str, str, tuple[str, ...]]  # address, method, events


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
    recording = keep(call, text, "RecordVerb", report_of(verb, document))
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


def begin(call: Call, source: str, report: Report | None) -> Recording:
    """Record the call from here on, until `stop` or its end."""
    recording = Recording(
        sid="RE" + call.network.new_id(),
        account_sid=call.account_sid,
        call_sid=call.sid,
        source=source,
        created_at=call.network.clock(),
        status="in-progress",
    )
    call.network.recordings[recording.sid] = recording
    call.recorded.append((recording, len(call.transcript), report))
    _tell(call, recording, report)
    return recording


def stop(call: Call, recording: Recording) -> None:
    """The end of a recording of what was said in the call."""
    for place, (one, since, report) in enumerate(call.recorded):
        if one is recording:
            del call.recorded[place]
            if recording.status != "paused":
                _add(recording, _said(call, since))
            _complete(call, recording, report)
            return


def pause(call: Call, recording: Recording, *, is_on: bool, is_skipped: bool = False) -> None:
    """Leave out what is said while the pause is on; unless `is_skipped`, there is silence for as long."""
    for place, (one, since, report) in enumerate(call.recorded):
        if one is recording and is_on != (recording.status == "paused"):
            now = call.network.clock()
            if is_on:
                _add(recording, _said(call, since))
                recording.paused_at = None if is_skipped else now
            elif recording.paused_at is not None:
                seconds = (now - recording.paused_at).total_seconds()
                recording.audio += tones.SILENCE * round(seconds * tones.RATE)
            recording.status = "paused" if is_on else "in-progress"
            call.recorded[place] = (one, len(call.transcript), report)


def _add(recording: Recording, text: str) -> None:
    recording.text += text
    recording.audio += tones.encode(text)


def _said(call: Call, since: int) -> str:
    return "".join(f"{line.text.strip()} " for line in call.transcript[since:] if line.kind == "speech")


def finish(call: Call) -> None:
    """The call is over: so are its recordings."""
    for recording, _, _ in list(call.recorded):
        stop(call, recording)


def keep(call: Call, text: str, source: str, report: Report | None) -> Recording:
    """A recording in which that was said."""
    recording = begin(call, source, report)
    del call.recorded[-1]
    recording.text = text
    _complete(call, recording, report)
    return recording


def report_of(verb: Verb, document: Document) -> Report | None:
    """Where a verb wants its recording to be reported."""
    if not verb.get("recordingStatusCallback"):
        return None
    return (
        urljoin(document.url, verb.get("recordingStatusCallback")),
        verb.get("recordingStatusCallbackMethod", "POST"),
        tuple(verb.get("recordingStatusCallbackEvent", "completed").split()),
    )


def url_of(call: Call, recording: Recording) -> str:
    """Where it is fetched; `.wav` comes after it."""
    return f"{call.network.url}/2010-04-01/Accounts/{call.account_sid}/Recordings/{recording.sid}"


def _complete(call: Call, recording: Recording, report: Report | None) -> None:
    recording.audio = recording.audio or tones.encode(recording.text)
    recording.status = "completed" if recording.text else "absent"
    _tell(call, recording, report)


def _tell(call: Call, recording: Recording, report: Report | None) -> None:
    if report is None or recording.status not in report[2]:
        return
    url, method, _ = report
    extra = {
        "RecordingSid": recording.sid,
        "RecordingUrl": url_of(call, recording),
        "RecordingStatus": recording.status,
        "RecordingDuration": str(recording.duration_s),
        "RecordingChannels": "1",
        "RecordingSource": recording.source,
        "RecordingTrack": "both",
        "RecordingStartTime": format_datetime(recording.created_at),
    }
    call.tell_later(url, method, **extra)


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
