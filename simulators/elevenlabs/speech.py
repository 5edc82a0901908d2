"""Text to speech over HTTP, and the lists of voices and models."""

import base64
import json

from aiohttp import web
from aiohttp.typedefs import Handler

from simulators.elevenlabs.model import (
    LONGEST_TEXT,
    MODELS,
    RANGES,
    SERVICE,
    Json,
    Refusal,
    Service,
    Spoken,
    error_body,
    times,
    voiced,
)

_CHUNK = 800  # bytes: a tenth of a second of mu-law
_TYPES = {"ulaw_8000": "audio/basic", "pcm_8000": "audio/pcm"}


def routes() -> list[web.RouteDef]:
    """The paths under /v1/text-to-speech, and the lists."""
    speak = r"/v1/text-to-speech/{voice_id:\w+}"
    return [
        web.post(speak, _speak),
        web.post(f"{speak}/stream", _speak),
        web.post(f"{speak}/with-timestamps", _speak_with_times),
        web.post(f"{speak}/stream/with-timestamps", _speak_with_times),
        web.get("/v1/voices", _voices),
        web.get("/v2/voices", _voices),
        web.get("/v1/models", _models),
    ]


@web.middleware
async def as_elevenlabs(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The key, the faults and the shape of errors, for everything but WebSockets."""
    if request.headers.get("Upgrade", "").lower() == "websocket":
        return await handler(request)
    service = request.app[SERVICE]
    try:
        service.check_key(request.headers.get("xi-api-key", ""))
        service.refuse()
        return await handler(request)
    except Refusal as refusal:
        return web.json_response(error_body(refusal.status, str(refusal)), status=refusal.http)


async def _speak(request: web.Request) -> web.StreamResponse:
    service = request.app[SERVICE]
    spoken = await _read(request)
    if isinstance(spoken, web.Response):
        return spoken
    with service.busy():
        service.spoken.append(spoken)
        await service.sleep(service.first_byte_s)
        if service.strikes("json_in_audio"):
            return web.json_response(error_body("system_busy", "The system is busy."), headers=_headers(service))
        sound = voiced(spoken.text, spoken.output_format)
        answer = web.StreamResponse(headers={**_headers(service), "Content-Type": _TYPES[spoken.output_format]})
        await answer.prepare(request)
        stalls = service.strikes("stall")
        sound = sound[: len(sound) // 2] if stalls else sound
        for at in range(0, len(sound), _CHUNK):
            await answer.write(sound[at : at + _CHUNK])
        if stalls:
            await service.closing.wait()
        await answer.write_eof()
        return answer


async def _speak_with_times(request: web.Request) -> web.StreamResponse:
    service = request.app[SERVICE]
    spoken = await _read(request)
    if isinstance(spoken, web.Response):
        return spoken
    with service.busy():
        service.spoken.append(spoken)
        await service.sleep(service.first_byte_s)
        starts = [at / 1000 for at in times(spoken.text)]
        alignment = {
            "characters": list(spoken.text),
            "character_start_times_seconds": starts[:-1],
            "character_end_times_seconds": starts[1:],
        }
        body = {
            "audio_base64": base64.b64encode(voiced(spoken.text, spoken.output_format)).decode(),
            "alignment": alignment,
            "normalized_alignment": alignment,
        }
        return web.Response(text=json.dumps(body) + "\n", content_type="application/json", headers=_headers(service))


async def _read(request: web.Request) -> Spoken | web.Response:
    """What is to be said, or the answer that says what is wrong with it."""
    service = request.app[SERVICE]
    try:
        data: object = await request.json()
    except ValueError:
        data = None
    if not isinstance(data, dict):
        return _invalid("body", "Input should be a valid dictionary")
    text, settings = data.get("text"), data.get("voice_settings")
    if not isinstance(text, str):
        return _invalid("text", "Field required")
    if not text.strip():
        raise Refusal(400, "input_text_empty", "The input text is empty.")
    if len(text) > LONGEST_TEXT:
        raise Refusal(400, "max_character_limit_exceeded", f"The text is longer than {LONGEST_TEXT} characters.")
    if (wrong := wrong_setting(settings)) is not None:
        return _invalid(wrong, "Input is out of range")
    spoken = Spoken(
        text=text,
        voice_id=request.match_info["voice_id"],
        model_id=str(data.get("model_id") or "eleven_multilingual_v2"),
        output_format=request.query.get("output_format", "mp3_44100_128"),
        language_code=str(data.get("language_code") or ""),
        settings=settings,
    )
    service.check_voice(spoken.voice_id, spoken.model_id, spoken.output_format)
    if data.get("apply_text_normalization") == "on" and spoken.model_id == "eleven_flash_v2_5":
        raise Refusal(400, "text_normalization_not_allowed", "This needs an Enterprise plan.")
    return spoken


def wrong_setting(settings: object) -> str | None:
    """The name of a voice setting that is out of its range."""
    if settings is None:
        return None
    if not isinstance(settings, dict):
        return "voice_settings"
    for name, (least, most) in RANGES.items():
        value = settings.get(name)
        if value is not None and (not isinstance(value, int | float) or not least <= value <= most):
            return name
    return None


def _invalid(name: str, message: str) -> web.Response:
    detail = [{"loc": ["body", name], "msg": message, "type": "value_error"}]
    return web.json_response({"detail": detail}, status=422)


def _headers(service: Service) -> dict[str, str]:
    return {
        "request-id": service.new_id(),
        "current-concurrent-requests": str(service.at_once),
        "maximum-concurrent-requests": str(service.most_at_once),
    }


async def _voices(request: web.Request) -> web.StreamResponse:
    wanted = request.query.get("search", "").lower()
    found: list[Json] = [
        {"voice_id": voice_id, "name": name, "category": "premade", "labels": {}, "available_for_tiers": []}
        for voice_id, name in request.app[SERVICE].voices.items()
        if wanted in name.lower()
    ]
    return web.json_response({"voices": found, "has_more": False, "total_count": len(found), "next_page_token": None})


async def _models(request: web.Request) -> web.StreamResponse:
    models: list[Json] = [
        {
            "model_id": model_id,
            "name": model_id,
            "can_do_text_to_speech": speaks,
            "maximum_text_length_per_request": LONGEST_TEXT,
            "languages": [{"language_id": "en", "name": "English"}],
        }
        for model_id, speaks in MODELS.items()
    ]
    return web.json_response(models)
