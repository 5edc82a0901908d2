"""The `stream-input` WebSocket: text in, sound and its alignment out."""

import asyncio
import base64
import json
from itertools import pairwise

from aiohttp import WSMsgType, web

from simulators.elevenlabs.model import SERVICE, Json, Refusal, Service, Spoken, times, voiced
from simulators.elevenlabs.speech import wrong_setting

_LETTERS_AT_ONCE = 15
_SCHEDULE = [120, 160, 250, 290]
_LONGEST_WAIT_S = 180.0


def routes() -> list[web.RouteDef]:
    return [web.get(r"/v1/text-to-speech/{voice_id:\w+}/stream-input", _connect)]


async def _connect(request: web.Request) -> web.StreamResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    await _Utterance(request, socket).run()
    return socket


class _Utterance:
    """One socket: one utterance."""

    def __init__(self, request: web.Request, socket: web.WebSocketResponse) -> None:
        query = request.query
        self._service: Service = request.app[SERVICE]
        self._socket = socket
        self._voice_id = request.match_info["voice_id"]
        self._model_id = query.get("model_id", "eleven_multilingual_v2")
        self._format = query.get("output_format", "mp3_44100_128")
        self._language = query.get("language_code", "")
        self._is_auto = query.get("auto_mode", "false").lower() == "true"
        self._wait_s = min(float(query.get("inactivity_timeout", "20")), _LONGEST_WAIT_S)
        self._key = request.headers.get("xi-api-key", "") or query.get("authorization", "").removeprefix("Bearer ")
        self._settings: dict[str, object] | None = None
        self._schedule = list(_SCHEDULE)
        self._is_open = False
        self._buffer = ""

    async def run(self) -> None:
        try:
            while True:
                message = await self._next()
                if message is None or not await self._take(message):
                    return
        except Refusal as refusal:
            await self._fail(refusal.status, str(refusal))

    async def _next(self) -> Json | None:
        """The next message, or None at the end of the socket."""
        receiving = asyncio.create_task(self._socket.receive())
        waiting = asyncio.ensure_future(self._service.sleep(self._wait_s))
        try:
            await asyncio.wait([receiving, waiting], return_when=asyncio.FIRST_COMPLETED)
            if not receiving.done():
                raise Refusal(
                    408,
                    "input_timeout_exceeded",
                    f"Have not received a new text input within the timeout of {self._wait_s} seconds. "
                    "Streaming input terminated. Please make sure to send an empty string to end it.",
                )
            frame = receiving.result()
        finally:
            receiving.cancel()
            waiting.cancel()
        if frame.type is not WSMsgType.TEXT:
            return None
        try:
            message: object = json.loads(frame.data)
        except ValueError:
            message = None
        if not isinstance(message, dict) or not isinstance(message.get("text", ""), str):
            raise Refusal(400, "invalid_message", "The message is no JSON object with a text")
        return message

    async def _take(self, message: Json) -> bool:
        """False when the utterance is over."""
        text = str(message.get("text", ""))
        if not self._is_open:
            self._begin(message, text)
            return True
        if self._service.strikes("close_1008"):
            raise Refusal(403, "policy_violation", "This is against the policy.")
        self._buffer += text if text.strip() else ""
        is_end = text == "" and "text" in message
        if is_end or message.get("flush") or message.get("try_trigger_generation") or self._is_due():
            await self._generate()
        if not is_end:
            return True
        await self._socket.send_json({"audio": None, "alignment": None, "normalizedAlignment": None, "isFinal": True})
        await self._socket.close()
        return False

    def _begin(self, message: Json, text: str) -> None:
        service = self._service
        service.check_key(self._key or str(message.get("xi-api-key", "") or message.get("xi_api_key", "")))
        service.refuse()
        service.check_voice(self._voice_id, self._model_id, self._format)
        if text != " ":
            raise Refusal(400, "invalid_message", "The first message has to have one space as its text")
        settings = message.get("voice_settings")
        if (wrong := wrong_setting(settings)) is not None:
            raise Refusal(400, "invalid_voice_settings", f"{wrong} is out of range")
        self._settings = settings if isinstance(settings, dict) else None
        config = message.get("generation_config")
        schedule = config.get("chunk_length_schedule") if isinstance(config, dict) else None
        if schedule is not None:
            if not isinstance(schedule, list) or not all(isinstance(n, int) and 50 <= n <= 500 for n in schedule):
                raise Refusal(400, "invalid_chunk_length_schedule", "Its items are whole numbers from 50 to 500")
            self._schedule = schedule or list(_SCHEDULE)
        self._is_open = True

    def _is_due(self) -> bool:
        return bool(self._buffer) and (self._is_auto or len(self._buffer) >= self._schedule[0])

    async def _generate(self) -> None:
        text, self._buffer = self._buffer, ""
        if not text:
            return
        service = self._service
        if len(self._schedule) > 1:
            del self._schedule[0]
        with service.busy():
            service.spoken.append(
                Spoken(
                    text=text,
                    voice_id=self._voice_id,
                    model_id=self._model_id,
                    output_format=self._format,
                    language_code=self._language,
                    by="socket",
                    settings=self._settings,
                )
            )
            await service.sleep(service.first_byte_s)
            stalls = service.strikes("stall")
            text = text[: len(text) // 2] if stalls else text
            for at in range(0, len(text), _LETTERS_AT_ONCE):
                await self._socket.send_json(self._part(text[at : at + _LETTERS_AT_ONCE]))
            if stalls:
                await service.closing.wait()

    def _part(self, text: str) -> Json:
        starts = times(text)
        lengths = [after - before for before, after in pairwise(starts)]
        names = {
            "camel": ("chars", "charStartTimesMs", "charDurationsMs"),
            "charsDurationsMs": ("chars", "charStartTimesMs", "charsDurationsMs"),
            "snake": ("chars", "char_start_times_ms", "char_durations_ms"),
        }[self._service.alignment]
        alignment = dict(zip(names, (list(text), starts[:-1], lengths), strict=True))
        is_snake = self._service.alignment == "snake"
        return {
            "audio": base64.b64encode(voiced(text, self._format)).decode(),
            "alignment": alignment,
            "normalized_alignment" if is_snake else "normalizedAlignment": alignment,
            "is_final" if is_snake else "isFinal": None,
        }

    async def _fail(self, status: str, message: str) -> None:
        await self._socket.send_json({"message": message, "error": status, "code": 1008})
        await self._socket.close(code=1008, message=message.encode()[:120])
