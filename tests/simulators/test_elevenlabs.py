"""Speech and transcription: what the far side of ElevenLabs gives, refuses, and spoils on request."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from simulators import tones
from simulators.clock import HandClock
from simulators.elevenlabs import ElevenLabsSimulator, Faults

VOICE = "UgBBYS2sOqTuMpoF3BR0"
SPEAK = f"/v1/text-to-speech/{VOICE}"
FLASH = "model_id=eleven_flash_v2_5&output_format=ulaw_8000"
TEXT = "We have three o'clock."

Json = dict[str, Any]


@pytest.fixture
async def sim(hand_clock: HandClock) -> AsyncIterator[ElevenLabsSimulator]:
    async with ElevenLabsSimulator(sleep=hand_clock.sleep, most_at_once=2) as running:
        yield running


@pytest.fixture
async def http(sim: ElevenLabsSimulator) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(sim.url, headers={"xi-api-key": "the key"}) as session:
        yield session


async def _speak(http: aiohttp.ClientSession, path: str = "/stream", **body: object) -> tuple[int, str, bytes]:
    data = {"text": TEXT, "model_id": "eleven_flash_v2_5", **body}
    async with http.post(f"{SPEAK}{path}?output_format=ulaw_8000", json=data) as answer:
        return answer.status, answer.content_type, await answer.read()


async def test_text_becomes_sound_that_can_be_understood(sim: ElevenLabsSimulator, http: aiohttp.ClientSession) -> None:
    for path in ("", "/stream"):
        status, kind, sound = await _speak(http, path)
        assert (status, kind, tones.decode(sound)) == (200, "audio/basic", TEXT)
        assert len(sound) == len(TEXT) * tones.LETTER
    _, _, answer = await _speak(http, "/stream/with-timestamps")
    timed = json.loads(answer)
    assert tones.decode(base64.b64decode(timed["audio_base64"])) == TEXT
    assert "".join(timed["alignment"]["characters"]) == TEXT
    assert timed["alignment"]["character_end_times_seconds"][-1] == pytest.approx(len(TEXT) * tones.LETTER_S, abs=1e-3)
    async with http.post(f"{SPEAK}?output_format=pcm_8000", json={"text": TEXT}) as answer_pcm:
        assert tones.decode(tones.from_pcm(await answer_pcm.read())) == TEXT
        assert answer_pcm.headers["maximum-concurrent-requests"] == "2"
    assert [spoken.text for spoken in sim.spoken] == [TEXT] * 4
    async with http.get("/v2/voices", params={"search": "rachel"}) as answer_voices:
        assert [voice["name"] for voice in (await answer_voices.json())["voices"]] == ["Rachel"]
    async with http.get("/v1/models") as answer_models:
        assert "eleven_flash_v2_5" in [model["model_id"] for model in await answer_models.json()]


@pytest.mark.parametrize(
    ("body", "http_status", "status"),
    [
        ({"text": None}, 422, None),
        ({"text": " "}, 400, "input_text_empty"),
        ({"text": "x" * 40_001}, 400, "max_character_limit_exceeded"),
        ({"model_id": "scribe_v2_realtime"}, 400, "model_not_found"),
        ({"voice_settings": {"speed": 2}}, 422, None),
        ({"apply_text_normalization": "on"}, 400, "text_normalization_not_allowed"),
    ],
)
async def test_what_cannot_be_spoken_is_refused(
    http: aiohttp.ClientSession, body: Json, http_status: int, status: str | None
) -> None:
    answer_status, kind, answer = await _speak(http, **body)
    assert (answer_status, kind) == (http_status, "application/json")
    detail = json.loads(answer)["detail"]
    assert (detail["status"] if status else None) == status


@pytest.mark.parametrize(
    ("faults", "http_status"),
    [
        (Faults(http_401=1), 401),
        (Faults(http_403=1), 403),
        (Faults(http_429=1), 429),
        (Faults(http_500=1), 500),
        (Faults(json_in_audio=1), 200),
    ],
)
async def test_faults_strike_as_often_as_is_asked(
    sim: ElevenLabsSimulator, http: aiohttp.ClientSession, faults: Faults, http_status: int
) -> None:
    sim.faults = faults
    assert (await _speak(http))[:2] == (http_status, "application/json")
    assert (await _speak(http))[:2] == (200, "audio/basic")


async def test_keys_voices_and_too_many_at_once_are_checked(
    sim: ElevenLabsSimulator, http: aiohttp.ClientSession, hand_clock: HandClock
) -> None:
    async with http.post(SPEAK, json={"text": TEXT}, headers={"xi-api-key": "another"}) as answer:
        assert (answer.status, (await answer.json())["detail"]["status"]) == (401, "invalid_api_key")
    async with http.post("/v1/text-to-speech/nobody?output_format=ulaw_8000", json={"text": TEXT}) as answer:
        assert (answer.status, (await answer.json())["detail"]["status"]) == (404, "voice_not_found")
    sim.first_byte_s = 0.5
    slow = [asyncio.create_task(_speak(http)) for _ in range(2)]
    while sim.at_once < 2:
        await hand_clock.advance(0)
    assert (await _speak(http))[0] == 429
    assert not any(task.done() for task in slow)
    await hand_clock.advance(0.5)
    assert [status for status, _, _ in await asyncio.gather(*slow)] == [200, 200]


async def test_a_stalled_stream_gives_half_and_then_nothing(
    sim: ElevenLabsSimulator, http: aiohttp.ClientSession
) -> None:
    sim.faults = Faults(stall=1)
    data = {"text": TEXT, "model_id": "eleven_flash_v2_5"}
    async with http.post(f"{SPEAK}/stream?output_format=ulaw_8000", json=data) as answer:
        sound = await answer.content.readexactly(len(TEXT) * tones.LETTER // 2)
        assert tones.decode(sound) == TEXT[: len(TEXT) // 2]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await answer.content.readany()


@pytest.mark.parametrize(
    ("spelling", "durations", "final"),
    [
        ("camel", "charDurationsMs", "isFinal"),
        ("charsDurationsMs", "charsDurationsMs", "isFinal"),
        ("snake", "char_durations_ms", "is_final"),
    ],
)
async def test_a_socket_speaks_with_alignment(
    sim: ElevenLabsSimulator, http: aiohttp.ClientSession, spelling: Any, durations: str, final: str
) -> None:
    sim.alignment = spelling
    async with http.ws_connect(f"{SPEAK}/stream-input?{FLASH}") as socket:
        await socket.send_json({"text": " ", "voice_settings": {"speed": 1.0}})
        await socket.send_json({"text": "We have "})
        await socket.send_json({"text": "three o'clock. ", "flush": True})
        await socket.send_json({"text": ""})
        parts = [frame.json() async for frame in socket]
    assert parts[-1]["isFinal"] is True
    assert tones.decode(b"".join(base64.b64decode(part["audio"]) for part in parts[:-1])) == f"{TEXT} "
    for part in parts[:-1]:
        assert part[final] is None
        assert sum(part["alignment"][durations]) == round(len(part["alignment"]["chars"]) * tones.LETTER_S * 1000)
    assert [(spoken.text, spoken.by) for spoken in sim.spoken] == [(f"{TEXT} ", "socket")]


@pytest.mark.parametrize(
    ("query", "messages", "faults", "error"),
    [
        (FLASH, [{"text": "Hello "}], Faults(), "invalid_message"),
        (FLASH.replace("ulaw_8000", "mp3_44100_64"), [{"text": " "}], Faults(), "output_format_not_allowed"),
        (FLASH, [{"text": " ", "generation_config": {"chunk_length_schedule": [10]}}], Faults(), "invalid_chunk"),
        (FLASH, [{"text": " "}], Faults(http_429=1), "too_many_concurrent_requests"),
        (FLASH, [{"text": " "}, {"text": "Hello "}], Faults(close_1008=1), "policy_violation"),
        (f"{FLASH}&inactivity_timeout=30", [{"text": " "}], Faults(), "input_timeout_exceeded"),
    ],
)
async def test_a_speech_socket_is_closed_with_a_reason(
    sim: ElevenLabsSimulator,
    http: aiohttp.ClientSession,
    hand_clock: HandClock,
    query: str,
    messages: list[Json],
    faults: Faults,
    error: str,
) -> None:
    sim.faults = faults
    async with http.ws_connect(f"{SPEAK}/stream-input?{query}") as socket:
        for message in messages:
            await socket.send_json(message)
        receiving = asyncio.create_task(socket.receive_json())
        while not receiving.done():
            await hand_clock.advance(1)
            await asyncio.sleep(0)
        assert receiving.result()["error"].startswith(error)
        assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
        assert socket.close_code == 1008


def _chunk(sound: bytes, *, commit: bool = False) -> Json:
    data = base64.b64encode(sound).decode()
    return {"message_type": "input_audio_chunk", "audio_base_64": data, "commit": commit, "sample_rate": 8000}


async def test_sound_is_transcribed_as_it_comes(sim: ElevenLabsSimulator, http: aiohttp.ClientSession) -> None:
    query = "model_id=scribe_v2_realtime&audio_format=ulaw_8000&commit_strategy=vad&vad_silence_threshold_secs=0.5"
    sound = tones.encode("On Tuesday.") + tones.SILENCE * 4800 + tones.encode("At three.") + tones.SILENCE * 4000
    async with http.ws_connect(f"/v1/speech-to-text/realtime?{query}&include_timestamps=true") as socket:
        started = await socket.receive_json()
        assert started["config"]["audio_format"] == "ulaw_8000"
        for at in range(0, len(sound), 1600):
            await socket.send_json(_chunk(sound[at : at + 1600]))
        said: list[Json] = []
        while sum("words" in one for one in said) < 2:
            said.append(await socket.receive_json())
    texts = [one["text"] for one in said if one["message_type"] == "committed_transcript"]
    assert texts == sim.heard == ["On Tuesday.", "At three."]
    partial = [one["text"] for one in said if one["message_type"] == "partial_transcript"]
    assert partial[0] == "On"
    words = said[-1]["words"]
    assert [word["text"] for word in words] == ["At", " ", "three."]
    assert words[0]["end"] <= words[2]["start"] < words[2]["end"]


@pytest.mark.parametrize(
    ("query", "key", "faults", "error"),
    [
        ("model_id=scribe_v2_realtime&audio_format=ulaw_8000", "another", Faults(), "auth_error"),
        ("model_id=eleven_flash_v2_5&audio_format=ulaw_8000", "the key", Faults(), "invalid_request"),
        ("model_id=scribe_v2_realtime&audio_format=mp3", "the key", Faults(), "invalid_request"),
        ("model_id=scribe_v2_realtime&audio_format=ulaw_8000", "the key", Faults(http_429=1), "rate_limited"),
        (
            "model_id=scribe_v2_realtime&audio_format=ulaw_8000",
            "the key",
            Faults(scribe_error=1, scribe_error_type="session_time_limit_exceeded"),
            "session_time_limit_exceeded",
        ),
        ("model_id=scribe_v2_realtime&audio_format=ulaw_8000", "the key", Faults(), "commit_throttled"),
    ],
)
async def test_a_transcription_fails_with_a_type(
    sim: ElevenLabsSimulator, http: aiohttp.ClientSession, query: str, key: str, faults: Faults, error: str
) -> None:
    sim.faults = faults
    headers = {"xi-api-key": key}
    async with http.ws_connect(f"/v1/speech-to-text/realtime?{query}", headers=headers) as socket:
        message = await socket.receive_json()
        if message["message_type"] == "session_started":
            await socket.send_json(_chunk(tones.SILENCE * 160, commit=True))
            message = await socket.receive_json()
        assert message["message_type"] == error
