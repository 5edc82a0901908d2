"""Twilio's REST API for calls and recordings, as the SDK uses it."""

from email.utils import format_datetime
from urllib.parse import urlsplit

from aiohttp import web

from simulators import tones
from simulators.twilio import checks, voice, voice_record
from simulators.twilio.checks import Refusal
from simulators.twilio.rest import NETWORK, Json, page
from simulators.twilio.voice_call import Call, Watch
from simulators.twilio.voice_model import Recording
from simulators.twilio.voice_twiml import Document

_ROOT = "/2010-04-01/Accounts/{account_sid}"
_BEFORE, _OVER = ("queued", "initiated", "ringing"), ("completed", "busy", "failed", "no-answer", "canceled")
_LONGEST_TWIML = 4000
_CURRENT = "Twilio.CURRENT"  # the recording that runs, whichever it is


def routes() -> list[web.RouteDef]:
    """The paths of calls and recordings under /2010-04-01."""
    call, recording = f"{_ROOT}/Calls/{{sid:\\w+}}", f"{_ROOT}/Recordings/{{sid:\\w+}}"
    return [
        web.post(f"{_ROOT}/Calls.json", _create),
        web.get(f"{_ROOT}/Calls.json", _list),
        web.get(f"{call}.json", _fetch),
        web.post(f"{call}.json", _update),
        web.get(f"{call}/Recordings.json", _list_recordings),
        web.post(f"{call}/Recordings.json", _record),
        web.post(f"{call}/Recordings/{{recording_sid:\\w+|{_CURRENT}}}.json", _update_recording),
        web.get(f"{_ROOT}/Recordings.json", _list_recordings),
        web.get(f"{recording}.json", _fetch_recording),
        web.get(f"{recording}.wav", _sound),
        web.get(recording, _sound),
        web.delete(f"{recording}.json", _delete_recording),
    ]


class _Form:
    """A request's form, read as Twilio reads it."""

    def __init__(self, values: dict[str, list[str]]) -> None:
        self._values = values

    def one(self, name: str, default: str = "") -> str:
        return self._values.get(name, [default])[0]

    def all(self, name: str) -> tuple[str, ...]:
        return tuple(word for value in self._values.get(name, []) for word in value.split())

    def url(self, name: str) -> str:
        url = self.one(name)
        if url and (urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname):
            raise Refusal(21205, f"{name} is not a valid URL: {url}")
        return url

    def seconds(self, name: str, default: int, *, least: int, most: int, code: int) -> int:
        value = self.one(name, str(default))
        if not value.isdecimal() or not least <= int(value) <= most:
            raise Refusal(code, f"{name} is not between {least} and {most}: {value}")
        return int(value)

    def method(self, name: str) -> str:
        value = self.one(name, "POST").upper()
        if value not in ("GET", "POST"):
            raise Refusal(21206, f"{name} is neither GET nor POST: {value}")
        return value


async def _read(request: web.Request) -> _Form:
    values: dict[str, list[str]] = {}
    for name, value in (await request.post()).items():
        values.setdefault(name, []).append(str(value))
    return _Form(values)


async def _create(request: web.Request) -> web.StreamResponse:
    network, form = request.app[NETWORK], await _read(request)
    account_sid = request.match_info["account_sid"]
    to, sender, twiml = form.one("To"), form.one("From"), form.one("Twiml")
    if not to:
        raise Refusal(21201, "No 'To' number specified")
    if not sender:
        raise Refusal(21213, "No 'From' number specified")
    if not checks.is_phone_number(to) or to.startswith("whatsapp:"):
        raise Refusal(21211, f"Invalid 'To' Phone Number: {to}")
    number = network.numbers.get(sender)
    if number is None or number.account_sid != account_sid:
        raise Refusal(21210, f"Source phone number not verified for outbound calls: {sender}")
    if not to.startswith(network.accounts[account_sid].prefixes):
        raise Refusal(21215, f"Account not authorized to call {to}")
    url = form.url("Url")
    if not twiml and not url:
        raise Refusal(21205, "Url parameter is required.")
    if len(twiml) > _LONGEST_TWIML:
        raise Refusal(21205, f"Twiml is longer than {_LONGEST_TWIML} letters")
    detection = form.one("MachineDetection")
    if detection not in ("", "Enable", "DetectMessageEnd") or (detection and form.one("SendDigits")):
        raise Refusal(21234, f"MachineDetection cannot be {detection} here")
    callback, fallback = form.url("StatusCallback"), form.url("FallbackUrl")
    recorded, amd = form.url("RecordingStatusCallback"), form.url("AsyncAmdStatusCallback")
    order = voice.Order(
        account_sid=account_sid,
        to=to,
        sender=sender,
        url=url,
        method=form.method("Method"),
        twiml=twiml,
        fallback=(fallback, form.method("FallbackMethod")) if fallback else None,
        watch=Watch(
            url=callback,
            method=form.method("StatusCallbackMethod"),
            events=form.all("StatusCallbackEvent") or ("completed",),
        )
        if callback
        else None,
        timeout_s=form.seconds("Timeout", 60, least=1, most=600, code=21216),
        detection=detection,
        detection_timeout_s=form.seconds("MachineDetectionTimeout", 30, least=3, most=59, code=21234),
        amd_callback=(amd, form.method("AsyncAmdStatusCallbackMethod"))
        if amd and form.one("AsyncAmd").lower() == "true"
        else None,
        records=form.one("Record").lower() == "true",
        recording_report=(
            recorded,
            form.method("RecordingStatusCallbackMethod"),
            form.all("RecordingStatusCallbackEvent") or ("completed",),
        )
        if recorded
        else None,
    )
    call = voice.place(network, order)
    if network.dice.strikes("accept_but_reset") and request.transport is not None:
        request.transport.abort()
    if network.dice.strikes("accept_but_hang"):
        await network.closing.wait()
    return web.json_response(_call(call), status=201)


async def _list(request: web.Request) -> web.StreamResponse:
    query, account_sid = request.query, request.match_info["account_sid"]
    found = [
        call
        for call in reversed(request.app[NETWORK].calls.values())
        if call.account_sid == account_sid
        and query.get("To") in (None, "", call.to)
        and query.get("From") in (None, "", call.sender)
        and query.get("Status") in (None, "", call.status)
        and query.get("ParentCallSid") in (None, "", call.parent.sid if call.parent else None)
    ]
    return web.json_response(page(request, "calls", found, _call, lambda call: call.sid))


async def _fetch(request: web.Request) -> web.StreamResponse:
    return web.json_response(_call(_find(request)))


async def _update(request: web.Request) -> web.StreamResponse:
    call, form = _find(request), await _read(request)
    status, twiml, url = form.one("Status"), form.one("Twiml"), form.url("Url")
    if call.status in _OVER:
        raise Refusal(21220, "Call is not in-progress. Cannot redirect.")
    if status:
        if status not in ("completed", "canceled"):
            raise Refusal(21218, f"Invalid Status: {status}")
        if status == "canceled" and call.status not in _BEFORE:
            raise Refusal(21220, "Call is in-progress. Cannot cancel.")
        call.stop(status)
    elif twiml or url:
        if call.status != "in-progress" or call.direction == "outbound-dial":
            raise Refusal(21220, "Call is not in-progress. Cannot redirect.")
        method = form.method("Method")

        async def start() -> Document:
            return call.given(twiml) if twiml else await call.ask(url, method)

        call.move(start)
    return web.json_response(_call(call))


async def _record(request: web.Request) -> web.StreamResponse:
    call, form = _find(request), await _read(request)
    if call.status != "in-progress":
        raise Refusal(21220, "Requested resource is not eligible for recording")
    url = form.url("RecordingStatusCallback")
    events = form.all("RecordingStatusCallbackEvent") or ("completed",)
    report = (url, form.method("RecordingStatusCallbackMethod"), events) if url else None
    return web.json_response(_recording(voice_record.begin(call, "StartCallRecordingAPI", report)), status=201)


async def _update_recording(request: web.Request) -> web.StreamResponse:
    call, form = _find(request), await _read(request)
    status, behaviour = form.one("Status"), form.one("PauseBehavior") or "silence"
    sid = request.match_info["recording_sid"]
    running = call.recorded[-1][0].sid if sid == _CURRENT and call.recorded else sid
    recording = _find_recording(request, running)
    if behaviour not in ("silence", "skip"):
        raise Refusal(21218, f"Invalid PauseBehavior: {behaviour}")
    if status not in ("paused", "in-progress", "stopped"):
        raise Refusal(21218, f"Invalid Status: {status}")
    if recording.status not in ("paused", "in-progress"):
        raise Refusal(21220, "The recording is over")
    if status == "stopped":
        voice_record.stop(call, recording)
    else:
        voice_record.pause(call, recording, is_on=status == "paused", is_skipped=behaviour == "skip")
    return web.json_response(_recording(recording))


async def _list_recordings(request: web.Request) -> web.StreamResponse:
    call_sid = request.match_info.get("sid") or request.query.get("CallSid")
    found = [
        one
        for one in reversed(request.app[NETWORK].recordings.values())
        if one.account_sid == request.match_info["account_sid"] and call_sid in (None, one.call_sid)
    ]
    return web.json_response(page(request, "recordings", found, _recording, lambda one: one.sid))


async def _fetch_recording(request: web.Request) -> web.StreamResponse:
    return web.json_response(_recording(_find_recording(request, request.match_info["sid"])))


async def _sound(request: web.Request) -> web.StreamResponse:
    recording = _find_recording(request, request.match_info["sid"])
    if recording.status != "completed":
        raise web.HTTPNotFound
    return web.Response(body=tones.to_wav(recording.audio), content_type="audio/x-wav")


async def _delete_recording(request: web.Request) -> web.StreamResponse:
    recording = _find_recording(request, request.match_info["sid"])
    if recording.status in ("in-progress", "paused"):
        raise Refusal(20009, "Cannot delete a recording that is in progress", status=409)
    del request.app[NETWORK].recordings[recording.sid]
    return web.Response(status=204)


def _find(request: web.Request) -> Call:
    call = request.app[NETWORK].calls.get(request.match_info["sid"])
    if call is None or call.account_sid != request.match_info["account_sid"]:
        raise web.HTTPNotFound
    return call


def _find_recording(request: web.Request, sid: str) -> Recording:
    recording = request.app[NETWORK].recordings.get(sid)
    if recording is None or recording.account_sid != request.match_info["account_sid"]:
        raise web.HTTPNotFound
    return recording


def _call(call: Call) -> Json:
    uri = f"/2010-04-01/Accounts/{call.account_sid}/Calls/{call.sid}"
    status = "queued" if call.status == "initiated" else call.status
    return {
        "account_sid": call.account_sid,
        "answered_by": None,
        "api_version": "2010-04-01",
        "caller_name": call.extra.get("CallerName"),
        "date_created": format_datetime(call.created_at),
        "date_updated": format_datetime(call.ended_at or call.answered_at or call.created_at),
        "direction": call.direction,
        "duration": str(call.duration_s) if call.ended_at else None,
        "end_time": format_datetime(call.ended_at) if call.ended_at else None,
        "forwarded_from": call.extra.get("ForwardedFrom"),
        "from": call.sender,
        "parent_call_sid": call.parent.sid if call.parent else None,
        "price": _price(call),
        "price_unit": "USD",
        "sid": call.sid,
        "start_time": format_datetime(call.answered_at) if call.answered_at else None,
        "status": status,
        "subresource_uris": {"recordings": f"{uri}/Recordings.json"},
        "to": call.to,
        "uri": f"{uri}.json",
    }


def _price(call: Call) -> str | None:
    """Negative, by the minute that has begun, and only known once it is over."""
    return f"{-0.0085 * max(1, -(-call.duration_s // 60)):.5f}" if call.ended_at and call.answered_at else None


def _recording(recording: Recording) -> Json:
    uri = f"/2010-04-01/Accounts/{recording.account_sid}/Recordings/{recording.sid}"
    is_over = recording.status not in ("in-progress", "paused")
    return {
        "account_sid": recording.account_sid,
        "api_version": "2010-04-01",
        "call_sid": recording.call_sid,
        "channels": 1,
        "conference_sid": None,
        "date_created": format_datetime(recording.created_at),
        "date_updated": format_datetime(recording.created_at),
        "duration": str(recording.duration_s) if is_over else None,
        "error_code": None,
        "media_url": uri,
        "price": None,
        "price_unit": "USD",
        "sid": recording.sid,
        "source": recording.source,
        "start_time": format_datetime(recording.created_at),
        "status": recording.status,
        "track": "both",
        "uri": f"{uri}.json",
    }
