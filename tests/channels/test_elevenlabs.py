"""Speech and transcription by ElevenLabs, asked over real HTTP and sockets of its stand-in, which fails as it is told to."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from channels.messages import Option
from channels.voice.listen import Listen
from channels.voice.speech.base import SpeechError
from channels.voice.speech.elevenlabs import ElevenLabsSpeaker, Patience, ScribeListener, keyterms, transcript
from channels.voice.speech.voices import Voice, Voices
from simulators import tones
from simulators.elevenlabs import ElevenLabsSimulator, Faults

TEXT = "We have three o'clock."
RACHEL = Voice("21m00Tcm4TlvDq8ikWAM", "eleven_turbo_v2_5", (("speed", 0.9), ("stability", 0.6)))
HASTY = Patience(try_s=0.15, first_s=0.3, next_s=0.1, connect_s=0.5, words_s=0.4)


@pytest.fixture
async def sim() -> AsyncIterator[ElevenLabsSimulator]:
    async with ElevenLabsSimulator() as running:
        yield running


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


def _speaker(
    session: aiohttp.ClientSession, url: str, told: list[int], voices: Voices | None = None, key: str = "the key"
) -> ElevenLabsSpeaker:
    voices = voices or Voices()
    return ElevenLabsSpeaker(session, voices, api_key=key, api_base=url, patience=HASTY, spoken=told.append)


async def _into(got: bytearray, speaker: ElevenLabsSpeaker) -> None:
    async for piece in speaker.say(TEXT, "en"):
        got += piece


async def _heard(speaker: ElevenLabsSpeaker, text: str = TEXT, language: str = "en-US") -> bytes:
    return b"".join([piece async for piece in speaker.say(text, language)])


async def test_a_text_is_spoken_in_the_voice_of_its_language(
    sim: ElevenLabsSimulator, session: aiohttp.ClientSession
) -> None:
    told: list[int] = []
    speaker = _speaker(session, sim.url, told, Voices(by_language={"es": RACHEL}))
    assert tones.decode(await _heard(speaker)) == TEXT
    assert tones.decode(await _heard(speaker, "Hola.", "es-MX")) == "Hola."
    english, spanish = sim.spoken
    assert (english.model_id, english.language_code, english.settings) == ("eleven_flash_v2_5", "en", None)
    assert (spanish.voice_id, spanish.model_id, spanish.language_code) == (RACHEL.voice_id, RACHEL.model_id, "es")
    assert spanish.settings == {"speed": 0.9, "stability": 0.6}
    assert told == [len(TEXT), len("Hola.")]
    pieces = speaker.say(TEXT * 20, "en")
    assert await anext(pieces)
    await pieces.aclose()  # type: ignore[attr-defined]  # let go of
    async with asyncio.timeout(1):
        while sim.at_once:  # noqa: ASYNC110
            await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("faults", "key", "why", "is_lasting", "requests"),
    [
        (Faults(http_500=1), "the key", None, False, 2),
        (Faults(http_500=2), "the key", "500 internal_error", False, 2),
        (Faults(http_429=1), "the key", "429 too_many_concurrent_requests", False, 1),
        (Faults(http_401=1), "the key", "401 quota_exceeded", True, 1),
        (Faults(http_403=1), "the key", "403 missing_permissions", True, 1),
        (Faults(), "another", "401 invalid_api_key", True, 1),
        (Faults(json_in_audio=1), "the key", "system_busy", False, 1),
        (Faults(stall=1), "the key", "stalled", False, 1),
    ],
)
async def test_what_fails_in_passing_is_asked_once_more_and_nothing_else_is(
    sim: ElevenLabsSimulator,
    session: aiohttp.ClientSession,
    faults: Faults,
    key: str,
    why: str | None,
    is_lasting: bool,
    requests: int,
) -> None:
    begun: list[str] = []
    trace = aiohttp.TraceConfig()

    async def count(_session: object, _ctx: object, about: aiohttp.TraceRequestStartParams) -> None:
        begun.append(about.url.path)

    trace.on_request_start.append(count)
    sim.faults = faults
    got = bytearray()
    async with aiohttp.ClientSession(trace_configs=[trace]) as traced:
        speaker = _speaker(traced, sim.url, [], key=key)
        if why is None:
            assert tones.decode(await _heard(speaker)) == TEXT
        else:
            with pytest.raises(SpeechError, match=why) as caught:
                await _into(got, speaker)
            assert caught.value.is_lasting is is_lasting
            assert TEXT not in str(caught.value)
    assert len(begun) == requests
    assert b"detail" not in got
    assert tones.decode(bytes(got)) == (TEXT[: len(TEXT) // 2] if why == "stalled" else "")
    assert tones.decode(await _heard(_speaker(session, sim.url, []))) == TEXT


@pytest.mark.parametrize(
    ("content_type", "body", "is_lasting"),
    [
        ("audio/mpeg", b"\xff\xf3\x40", False),
        ("text/html", b"<html>", False),
        ("audio/basic", tones.to_wav(tones.encode("Hi")), True),
        ("audio/basic", b"", False),
        ("application/octet-stream", b'{"detail": {}}', True),
    ],
)
async def test_nothing_is_played_that_is_no_bare_sound(
    session: aiohttp.ClientSession, content_type: str, body: bytes, is_lasting: bool
) -> None:
    async with _answering(lambda _request: web.Response(body=body, headers={"Content-Type": content_type})) as url:
        with pytest.raises(SpeechError) as caught:
            await _heard(_speaker(session, url, []))
    assert caught.value.is_lasting is is_lasting


async def test_a_service_that_never_answers_is_given_up_within_the_time(session: aiohttp.ClientSession) -> None:
    async def never(_request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        return web.Response()

    begun = asyncio.get_running_loop().time()
    async with _answering(never) as url:
        with pytest.raises(SpeechError, match="in time"):
            await _heard(_speaker(session, url, []))
    assert asyncio.get_running_loop().time() - begun < 1.0
    with pytest.raises(SpeechError, match="Connector"):
        await _heard(_speaker(session, url, []))  # and one that is not there


class _answering:  # noqa: N801  reads as a word
    """A service that answers every request so."""

    def __init__(self, answer: Callable[[web.Request], Any]) -> None:
        async def handle(request: web.Request) -> web.StreamResponse:
            found = answer(request)
            return await found if asyncio.iscoroutine(found) else found  # type: ignore[no-any-return]

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.01)

    async def __aenter__(self) -> str:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port, *_ = self._runner.addresses[0]
        return f"http://{host}:{port}"

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()


MENU = Listen(
    "menu",
    (Option("1", "Haircut"), Option("2", "Beard trim with a hot towel"), Option("3", "Supercalifragilisticexpi")),
)


def _listener(session: aiohttp.ClientSession, url: str, told: list[float], key: str = "the key") -> ScribeListener:
    return ScribeListener(session, api_key=key, api_base=url, patience=HASTY, heard=told.append)


async def _say(hearing: Any, words: str) -> None:
    sound = tones.encode(words) + tones.SILENCE * 800
    for at in range(0, len(sound), 160):
        await hearing.feed(sound[at : at + 160])


async def test_a_caller_is_understood_utterance_by_utterance(
    sim: ElevenLabsSimulator, session: aiohttp.ClientSession
) -> None:
    told: list[float] = []
    async with _listener(session, sim.url, told).listen(MENU, "en") as hearing:
        assert await hearing.finish() == ""  # nothing came at all
        await _say(hearing, "A haircut, please.")
        async with asyncio.timeout(1):
            while hearing.partial != "A haircut, please.":  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        assert await hearing.finish() == "A haircut, please."
        assert hearing.partial == ""
        await hearing.feed(tones.SILENCE * 160)
        assert await hearing.finish() == ""  # less than may be committed
        await _say(hearing, "No")
        assert await hearing.finish() == "No"
    assert sim.heard == ["A haircut, please.", "", "No"]
    assert told == [
        pytest.approx((18 * tones.LETTER + 800 + 2400 + max(2400, 2 * tones.LETTER + 800)) / 8000, abs=0.02)
    ]
    assert keyterms(MENU) == ["Haircut", "Beard trim with a"]
    assert len(keyterms(Listen("menu", tuple(Option(str(n), f"Choice {n}") for n in range(99))))) == 50


@pytest.mark.parametrize("faults", [Faults(), Faults(scribe_drop=1)], ids=["well", "a socket breaks"])
async def test_who_pauses_is_understood_meanwhile_and_whatever_follows_belongs_to_it(
    sim: ElevenLabsSimulator, session: aiohttp.ClientSession, faults: Faults
) -> None:
    sim.faults = faults
    async with _listener(session, sim.url, []).listen(Listen("time"), "en") as hearing:
        for parts in (["At three."], ["On Friday", "at", "four."], ["No."]):
            for part in parts:
                await _say(hearing, part)
                await hearing.pause()
                async with asyncio.timeout(1):
                    while not sim.heard or sim.heard[-1] != part:  # noqa: ASYNC110
                        await asyncio.sleep(0.005)
            assert await hearing.finish() == " ".join(parts)
            assert hearing.partial == ""
    assert sim.heard == ["At three.", "On Friday", "at", "four.", "No."]


async def _said(hearing: Any, words: str) -> str:
    await _say(hearing, words)
    return str(await hearing.finish())


@pytest.mark.parametrize(
    ("faults", "key", "said", "is_lasting"),
    [
        (Faults(scribe_error=1, scribe_error_type="session_time_limit_exceeded"), "the key", "At three.", False),
        (Faults(scribe_error=1, scribe_error_type="transcriber_error"), "the key", "At three.", False),
        (Faults(scribe_error=1, scribe_error_type="something_new"), "the key", "At three.", False),
        (Faults(scribe_drop=1), "the key", "At three.", False),
        (Faults(scribe_drop=2), "the key", None, False),
        (Faults(scribe_error=2, scribe_error_type="queue_overflow"), "the key", None, False),
        (Faults(scribe_error=1, scribe_error_type="resource_exhausted"), "the key", None, False),
        (Faults(scribe_error=1, scribe_error_type="quota_exceeded"), "the key", None, True),
        (Faults(scribe_error=1, scribe_error_type="unaccepted_terms"), "the key", None, True),
        (Faults(http_429=1), "the key", None, False),
        (Faults(), "another", None, True),
    ],
)
async def test_a_socket_that_ends_is_followed_by_another_that_hears_it_all(
    sim: ElevenLabsSimulator,
    session: aiohttp.ClientSession,
    faults: Faults,
    key: str,
    said: str | None,
    is_lasting: bool,
) -> None:
    sim.faults = faults
    async with _listener(session, sim.url, [], key).listen(Listen("time"), "en") as hearing:
        if said is not None:
            await _say(hearing, said)
            assert await hearing.finish() == said
            await _say(hearing, "Yes.")
            assert await hearing.finish() == "Yes."
            return
        with pytest.raises(SpeechError) as caught:
            await _said(hearing, "At three.")
        assert caught.value.is_lasting is is_lasting


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        # Both forms of one utterance, and an empty one before it.
        (
            [
                {"message_type": "partial_transcript", "text": "At th"},
                {"message_type": "committed_transcript", "text": ""},
                {"message_type": "committed_transcript", "text": "At three."},
                {"message_type": "committed_transcript_with_timestamps", "text": "At three.", "words": []},
            ],
            "At three.",
        ),
        (
            [
                {"message_type": "partial_transcript", "text": "At th"},
                {"message_type": "committed_transcript", "text": ""},
            ],
            "At th",
        ),
        ([{"message_type": "partial_transcript", "text": "At th"}], "At th"),  # and then nothing for too long
        ([{"message_type": "warning", "text": "?"}, {"message_type": "edited_transcript"}, {}], None),
        ([{"message_type": "commit_throttled", "error": "too soon"}], ""),
        ([{"message_type": "insufficient_audio_activity", "error": "nothing"}], ""),
    ],
)
async def test_odd_answers_of_the_service_are_taken_for_what_they_are(
    session: aiohttp.ClientSession, messages: list[dict[str, object]], said: str | None
) -> None:
    async def scribe(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"message_type": "session_started", "session_id": "s_1", "config": {}})
        await socket.send_bytes(b"?")
        async for frame in socket:
            if frame.json()["commit"]:
                for message in messages:
                    await socket.send_json(message)
        return socket

    async with (
        _answering(scribe) as url,
        _listener(session, url, []).listen(Listen(), "en") as hearing,
    ):
        await _say(hearing, "At three.")
        if said is None:
            with pytest.raises(SpeechError, match="in time"):
                await hearing.finish()
        else:
            assert await hearing.finish() == said


async def test_a_file_is_written_down_or_it_is_said_why_not(
    sim: ElevenLabsSimulator, session: aiohttp.ClientSession
) -> None:
    sound = tones.to_wav(tones.encode(TEXT))
    assert await transcript(session, sound, api_key="the key", api_base=sim.url, timeout_s=5) == TEXT
    for faults, key, file, why, is_lasting in (
        (Faults(), "another", sound, "401 invalid_api_key", True),
        (Faults(http_429=1), "the key", sound, "429 too_many_concurrent_requests", False),
        (Faults(scribe_error=1), "the key", sound, "500 transcriber_error", False),
        (Faults(stall=1), "the key", sound, "TimeoutError", False),
        (Faults(), "the key", b"no sound", "400 invalid_content", True),
    ):
        sim.faults = faults
        with pytest.raises(SpeechError) as refused:
            await transcript(session, file, api_key=key, api_base=sim.url, timeout_s=0.3 if faults.stall else 5)
        assert (str(refused.value), refused.value.is_lasting) == (why, is_lasting)
