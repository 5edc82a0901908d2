"""Scribe: sound in, text out, live or from a file. It understands the tones of `simulators.tones`, and nothing else."""

import base64
import binascii
import json

from aiohttp import WSMsgType, web

from simulators import tones
from simulators.elevenlabs.model import MODELS, SERVICE, Json, Refusal, Service

_FORMATS = ("ulaw_8000", "pcm_8000")
_FILE_MODELS = ("scribe_v1", "scribe_v2")
_LEAST_COMMIT_S = 0.3
_STARTS_S = 1.5  # how much silence ends an utterance when nobody says


def routes() -> list[web.RouteDef]:
    return [web.get("/v1/speech-to-text/realtime", _connect), web.post("/v1/speech-to-text", _read)]


async def _read(request: web.Request) -> web.StreamResponse:
    """The words of a file."""
    service = request.app[SERVICE]
    form = await request.post()
    model_id, file = str(form.get("model_id")), form.get("file")
    if model_id not in _FILE_MODELS:
        raise Refusal(400, "invalid_model_id", f"'{model_id}' is not a valid model_id.")
    if not isinstance(file, web.FileField):
        raise Refusal(400, "invalid_parameters", "Must provide either file or cloud_storage_url parameter.")
    with service.busy():
        if service.strikes("scribe_error"):
            raise Refusal(500, service.faults.scribe_error_type, "The transcription has failed.")
        if service.strikes("stall"):
            await service.closing.wait()
        try:
            text = tones.decode(tones.from_wav(file.file.read())).strip()
        except ValueError:
            raise Refusal(400, "invalid_content", "File upload is corrupted.") from None
    service.heard.append(text)
    return web.json_response({"language_code": "eng", "language_probability": 1.0, "text": text, "words": []})


async def _connect(request: web.Request) -> web.StreamResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    session = _Session(request, socket)
    try:
        await session.run()
    except Refusal as refusal:
        await socket.send_json({"message_type": refusal.status, "error": str(refusal)})
        await socket.close(code=1008)
    return socket


class _Session:
    """One socket, with options that stay as they are."""

    def __init__(self, request: web.Request, socket: web.WebSocketResponse) -> None:
        self._service: Service = request.app[SERVICE]
        self._query = request.query
        self._key = request.headers.get("xi-api-key", "") or request.query.get("token", "")
        self._socket = socket
        self._format = request.query.get("audio_format", "pcm_16000")
        self._is_vad = request.query.get("commit_strategy", "manual") == "vad"
        self._rest = b""
        self._letters: list[tuple[str, float]] = []  # and when it ended, since the beginning of the utterance
        self._samples = 0  # of this utterance
        self._silent = 0  # samples since the last sound
        self._told = ""

    async def run(self) -> None:
        service = self._service
        self._check()
        config = {**self._query, "sample_rate": tones.RATE, "audio_format": self._format}
        config.pop("token", None)
        started = {"message_type": "session_started", "session_id": service.new_id(), "config": config}
        await self._socket.send_json(started)
        async for frame in self._socket:
            if frame.type is not WSMsgType.TEXT:
                raise Refusal(400, "input_error", "Only text frames are taken")
            try:
                message: object = json.loads(frame.data)
            except ValueError:
                message = None
            if not isinstance(message, dict) or message.get("message_type") != "input_audio_chunk":
                raise Refusal(400, "input_error", "The message is no input_audio_chunk")
            if service.strikes("scribe_drop"):
                await self._socket.close(code=1011)
                return
            if service.strikes("scribe_error"):
                raise Refusal(500, service.faults.scribe_error_type, "The transcription has failed.")
            await self._hear(message)

    def _check(self) -> None:
        service, query = self._service, self._query
        if self._key not in service.api_keys:
            raise Refusal(401, "auth_error", "You must be authenticated to use this endpoint.")
        if service.strikes("http_429"):
            raise Refusal(429, "rate_limited", "Too many concurrent requests.")
        if service.strikes("http_401"):
            raise Refusal(401, "quota_exceeded", "This request exceeds your quota.")
        if MODELS.get(query.get("model_id", ""), True):
            raise Refusal(400, "invalid_request", "model_id is none that transcribes live")
        if self._format not in _FORMATS:
            raise Refusal(400, "invalid_request", f"Only {' and '.join(_FORMATS)} are understood here")
        if query.get("commit_strategy", "manual") not in ("manual", "vad"):
            raise Refusal(400, "invalid_request", "commit_strategy is neither manual nor vad")
        for name, least, most in (("vad_silence_threshold_secs", 0.3, 3.0), ("vad_threshold", 0.1, 0.9)):
            try:
                value = float(query.get(name, least))
            except ValueError:
                value = -1
            if not least <= value <= most:
                raise Refusal(400, "invalid_request", f"{name} is not between {least} and {most}")
        terms = query.getall("keyterms", [])
        if len(terms) > 50 or any(len(term) > 20 for term in terms):
            raise Refusal(400, "invalid_request", "At most 50 keyterms of 20 letters each")

    async def _hear(self, message: Json) -> None:
        try:
            sound = base64.b64decode(str(message.get("audio_base_64", "")), validate=True)
        except binascii.Error:
            raise Refusal(400, "input_error", "audio_base_64 is no base64") from None
        if self._format == "pcm_8000":
            sound = tones.from_pcm(sound)
        limit = float(self._query.get("vad_silence_threshold_secs", _STARTS_S)) * tones.RATE
        # In pieces, so that the end of an utterance is found inside of a long message too.
        for at in range(0, len(sound), 160):
            self._understand(sound[at : at + 160])
            if self._is_vad and self._letters and self._silent >= limit:
                await self._commit()
        text = self._text()
        if text and text != self._told:
            self._told = text
            await self._socket.send_json({"message_type": "partial_transcript", "text": text})
        if message.get("commit"):
            if self._samples < _LEAST_COMMIT_S * tones.RATE:
                error = {"message_type": "commit_throttled", "error": "Commit with less than 0.3 s of audio"}
                await self._socket.send_json(error)
            else:
                await self._commit()

    def _understand(self, sound: bytes) -> None:
        self._samples += len(sound)
        self._silent = self._silent + len(sound) if not sound.strip(tones.SILENCE) else 0
        found, self._rest = tones.decode_part(self._rest + sound)
        ended_s = (self._samples - len(self._rest)) / tones.RATE
        for place, letter in enumerate(found):
            self._letters.append((letter, ended_s - (len(found) - 1 - place) * tones.LETTER_S))

    def _text(self) -> str:
        return "".join(letter for letter, _ in self._letters).strip()

    async def _commit(self) -> None:
        text = self._text()
        self._service.heard.append(text)
        await self._socket.send_json({"message_type": "committed_transcript", "text": text})
        if "true" in (self._query.get("include_timestamps"), self._query.get("include_language_detection")):
            await self._socket.send_json(
                {
                    "message_type": "committed_transcript_with_timestamps",
                    "text": text,
                    "language_code": self._query.get("language_code", "en"),
                    "words": self._words(),
                }
            )
        self._letters, self._told, self._samples, self._silent = [], "", 0, 0

    def _words(self) -> list[Json]:
        words: list[Json] = []
        kind = ""
        for letter, ended_s in self._letters:
            now = "spacing" if letter == " " else "word"
            if now != kind:
                words.append({"text": "", "start": round(ended_s - tones.LETTER_S, 3), "type": now, "logprob": 0.0})
                kind = now
            words[-1]["text"] = f"{words[-1]['text']}{letter}"
            words[-1]["end"] = round(ended_s, 3)
        return words
