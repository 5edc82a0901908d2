"""ElevenLabs: words to sound over HTTP, sound to words over Scribe's socket, both at `ulaw_8000`; and files to words.

Their SDK is not used: it takes 1.3 s and 38 MB to load, brings a second HTTP client, and has neither the content type of
an answer nor a socket that can be closed at once (docs/dependencies.md). Nor is their `stream-input` socket: what we say is
known as a whole when we begin, so it would bring no sound earlier than HTTP does, whose connections are kept.

Source: reference, elevenlabs.md sections 2, 3, 6 and 10.
"""

import asyncio
import base64
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

import aiohttp
import orjson

from channels.voice.listen import Listen
from channels.voice.speech.base import Hearing, SpeechError
from channels.voice.speech.voices import Voices, short

API: Final = "https://api.elevenlabs.io"
SCRIBE: Final = "scribe_v2_realtime"
SCRIBE_FILES: Final = "scribe_v2"

_RATE: Final = 8000  # bytes a second
_SILENCE: Final = b"\xff"
_SOUND: Final = ("audio/basic", "audio/mulaw", "audio/x-mulaw", "audio/ulaw", "audio/pcmu", "application/octet-stream")
_CODE: Final = re.compile(r"[a-z0-9_]{1,60}")  # their word for what is wrong; their sentence about it may quote ours

_CHUNK: Final = _RATE // 10  # of a message to Scribe: a tenth of a second
_LEAST: Final = _RATE * 3 // 10  # in a commit, or it is throttled
_LONGEST: Final = 30 * _RATE  # of an utterance that is kept, so that another socket can hear it again
_MOST_TERMS: Final = 50
_LONGEST_TERM: Final = 20
_MOST_ANSWER: Final = 1024 * 1024  # bytes of a transcript
_GRACE_S: Final = 0.3  # that an empty transcript waits for a better one

# Types of Scribe's errors. Any other that brings an `error` counts as passing.
_LASTING: Final = frozenset(
    {"auth_error", "quota_exceeded", "unaccepted_terms", "input_error", "invalid_request", "chunk_size_exceeded"}
)
_AT_ONCE: Final = frozenset({"rate_limited", "resource_exhausted"})  # asking again would make it worse
_NO_WORDS: Final = frozenset({"commit_throttled", "insufficient_audio_activity"})


@dataclass(frozen=True, slots=True)
class Patience:
    """How long we wait, in seconds. `try_s` and `first_s` are until the first sound: of one request, and of it and a
    second one together. `next_s` is until more of it comes, `words_s` until the words of somebody who has finished.
    """

    try_s: float = 1.2
    first_s: float = 2.0
    next_s: float = 1.0
    connect_s: float = 2.0
    words_s: float = 2.0


class ElevenLabsSpeaker:
    """Speaks with one key. The session's owner closes it. `spoken` is told how many letters were asked for."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        voices: Voices,
        *,
        api_key: str,
        api_base: str = API,
        patience: Patience = Patience(),
        spoken: Callable[[int], None] = lambda _letters: None,
    ) -> None:
        self._session, self._voices, self._patience, self._spoken = session, voices, patience, spoken
        self._headers = {"xi-api-key": api_key}
        self._base = api_base.rstrip("/")

    async def say(self, text: str, language: str) -> AsyncIterator[bytes]:
        """See `Speaker`. A request that fails in passing is made once more while there is time, one too many is not."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + self._patience.first_s
        for is_last in (False, True):
            left_s = until_s - loop.time()
            try:
                response, piece = await self._begun(text, language, min(self._patience.try_s, left_s))
                break
            except _Passing as passing:
                if is_last or until_s - loop.time() < self._patience.first_s / 4:
                    raise SpeechError(str(passing)) from None
        else:
            raise AssertionError  # the second try has raised
        try:
            while piece:
                yield piece
                piece = await self._more(response)
        finally:
            response.close()

    async def _begun(self, text: str, language: str, timeout_s: float) -> tuple[aiohttp.ClientResponse, bytes]:
        """The answer, and the first of its sound. Raises: SpeechError, _Passing"""
        response: aiohttp.ClientResponse | None = None
        try:
            async with asyncio.timeout(timeout_s):
                response = await self._asked(text, language)
                await _check(response)
                self._spoken(len(text))
                piece = await response.content.readany()
                while len(piece) < 4 and (more := await response.content.readany()):
                    piece += more
        except BaseException as error:
            if response is not None:
                response.close()
            if isinstance(error, TimeoutError):
                raise _Passing("nothing came in time") from None
            if isinstance(error, aiohttp.ClientError | OSError):
                raise _Passing(type(error).__name__) from None
            raise
        if not piece:
            response.close()
            raise _Passing("what came is empty")
        if piece.startswith((b"RIFF", b"OggS", b"ID3", b'{"')):
            response.close()
            raise SpeechError("what came is no bare sound", is_lasting=True)
        return response, piece

    async def _asked(self, text: str, language: str) -> aiohttp.ClientResponse:
        voice = self._voices.of(language)
        body: dict[str, object] = {"text": text, "model_id": voice.model_id}
        if voice.model_id.endswith("_v2_5"):  # others know no such field
            body["language_code"] = short(language)
        if voice.settings:
            body["voice_settings"] = dict(voice.settings)
        return await self._session.post(
            f"{self._base}/v1/text-to-speech/{voice.voice_id}/stream",
            params={"output_format": "ulaw_8000"},
            data=orjson.dumps(body),
            headers={**self._headers, "Content-Type": "application/json"},
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=None),  # each step has its own
        )

    async def _more(self, response: aiohttp.ClientResponse) -> bytes:
        """Empty at the end. Raises: SpeechError"""
        try:
            async with asyncio.timeout(self._patience.next_s):
                return await response.content.readany()
        except TimeoutError:
            raise SpeechError("it stalled in the middle") from None
        except (aiohttp.ClientError, OSError) as error:
            raise SpeechError(f"it broke off: {type(error).__name__}") from None


class ScribeListener:
    """Hears with one key. `heard` is told how many seconds were sent."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        api_key: str,
        api_base: str = API,
        model_id: str = SCRIBE,
        patience: Patience = Patience(),
        heard: Callable[[float], None] = lambda _seconds: None,
    ) -> None:
        self._session, self._model_id, self._patience, self._heard = session, model_id, patience, heard
        self._headers = {"xi-api-key": api_key}
        self._base = api_base.rstrip("/")

    @asynccontextmanager
    async def listen(self, spec: Listen, language: str) -> AsyncIterator[Hearing]:
        """See `Listener`. It connects in the background, so whoever begins to listen while they still speak waits for
        nothing; that it cannot is told by the first `feed` or `finish` after that.
        """
        query = [
            ("model_id", self._model_id),
            ("audio_format", "ulaw_8000"),
            ("commit_strategy", "manual"),
            ("language_code", short(language)),
            *(("keyterms", term) for term in keyterms(spec, language)),
        ]
        hearing = _ScribeHearing(self._connect, query, self._patience)
        try:
            yield hearing
        finally:
            await hearing.close()
            self._heard(hearing.sent / _RATE)

    async def _connect(self, query: Sequence[tuple[str, str]]) -> aiohttp.ClientWebSocketResponse:
        """Raises: SpeechError, _Passing"""
        try:
            async with asyncio.timeout(self._patience.connect_s):
                return await self._session.ws_connect(
                    f"{self._base}/v1/speech-to-text/realtime",
                    params=list(query),
                    headers=self._headers,
                    timeout=aiohttp.ClientWSTimeout(ws_close=0.5),  # who hangs up waits for nobody
                    max_msg_size=256 * 1024,
                )
        except aiohttp.WSServerHandshakeError as refused:
            raise _trouble(refused.status, "") from None
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise _Passing(type(error).__name__) from None


async def transcript(
    session: aiohttp.ClientSession,
    file: bytes,
    *,
    api_key: str,
    api_base: str = API,
    model_id: str = SCRIBE_FILES,
    timeout_s: float,
) -> str:
    """What is said in a WAV file, in whichever language; empty when that is no words.

    Raises: SpeechError
    """
    form = aiohttp.FormData({"model_id": model_id, "tag_audio_events": "false", "timestamps_granularity": "none"})
    form.add_field("file", file, filename="message.wav", content_type="audio/wav")
    headers = {"xi-api-key": api_key}
    try:
        async with (
            asyncio.timeout(timeout_s),
            session.post(f"{api_base.rstrip('/')}/v1/speech-to-text", data=form, headers=headers) as response,
        ):
            if response.status != 200:
                raise _trouble(response.status, await _kind(response))
            body = bytearray()
            async for piece in response.content.iter_chunked(64 * 1024):
                body += piece
                if len(body) > _MOST_ANSWER:
                    raise SpeechError("what came is no transcript")
            found: object = orjson.loads(body)
    except (_Passing, TimeoutError, aiohttp.ClientError, OSError) as error:
        raise SpeechError(str(error) if isinstance(error, _Passing) else type(error).__name__) from None
    except orjson.JSONDecodeError:
        found = None
    text = found.get("text") if isinstance(found, dict) else None
    if not isinstance(text, str):
        raise SpeechError("what came is no transcript")
    return text.strip()


_Connect = Callable[[Sequence[tuple[str, str]]], Awaitable[aiohttp.ClientWebSocketResponse]]


class _Passing(Exception):  # noqa: N818  an outcome
    """It may go well another time."""


class _ScribeHearing:
    """A socket for one question. What was said since the last commit is kept: if the socket ends by their time limit, or
    breaks, another one hears it from the beginning. Twice without words in between is too often.
    """

    def __init__(self, connect: _Connect, query: Sequence[tuple[str, str]], patience: Patience) -> None:
        self._connect, self._query, self._patience = connect, query, patience
        self.sent = 0  # bytes
        self._kept = bytearray()  # what was said since the last commit
        self._told = 0  # how much of it the open socket knows
        self._end = -1  # where the utterance ends in it, once the caller has finished
        self._is_committed = False  # the open socket knows that too
        self._words: asyncio.Future[str] | None = None
        self._earlier: list[str] = []  # what the service has committed by itself
        self._text = ""  # the partial transcript behind that
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._sending = asyncio.Lock()
        self._trouble: SpeechError | None = None
        self._breaks = 0
        self._task = asyncio.create_task(self._run(), name="scribe")

    @property
    def partial(self) -> str:
        return self._all(self._text)

    async def feed(self, sound: bytes) -> None:
        self._check()
        await self._take_words()  # of what was said before a pause
        self._kept += sound
        if (surplus := min(len(self._kept) - _LONGEST, self._told)) > 0 and self._end < 0:
            del self._kept[:surplus]
            self._told -= surplus
        await self._push()
        self._check()

    async def pause(self) -> None:
        self._check()
        if self._kept and self._words is None:
            self._kept += _SILENCE * (_LEAST - len(self._kept))
            self._end, self._words = len(self._kept), asyncio.get_running_loop().create_future()
            await self._push()

    async def finish(self) -> str:
        await self.pause()  # unless that has been told
        await self._take_words()
        said, self._earlier = " ".join(self._earlier), []
        return said

    async def _take_words(self) -> None:
        """Have what was committed, if anything was, among what was said earlier. Raises: SpeechError"""
        if self._words is None:
            return
        try:
            async with asyncio.timeout(self._patience.words_s):
                words = await self._words
        except TimeoutError:
            words = self._text  # what was understood so far is better than nothing
            if not words and not self._earlier:
                raise SpeechError("no words came in time") from None
        finally:
            del self._kept[: self._end]
            self._told = max(0, self._told - self._end)
            self._end, self._is_committed, self._words, self._breaks = -1, False, None, 0
        self._earlier += [words] if words else []
        self._text = ""

    async def close(self) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        if self._words is not None and self._words.done():
            self._words.exception()  # somebody who waited for it is gone

    def _all(self, text: str) -> str:
        return " ".join(one for one in (*self._earlier, text) if one)

    def _check(self) -> None:
        """Raises: SpeechError"""
        if self._trouble is not None:
            raise self._trouble

    async def _run(self) -> None:
        """Keep a socket open, and read it."""
        while self._trouble is None:
            try:
                socket = await self._connect(self._query)
                try:
                    self._socket, self._told, self._is_committed = socket, 0, False
                    await self._push()
                    await self._read(socket)
                finally:
                    self._socket = None
                    await socket.close()
            except SpeechError as trouble:
                self._fail(trouble)
            except _Passing as passing:
                self._breaks += 1
                if self._breaks > 1:
                    self._fail(SpeechError(str(passing)))

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Raises: SpeechError; _Passing, at its end"""
        async for frame in socket:
            message = _message(frame)
            kind, text = message.get("message_type"), str(message.get("text") or "").strip()
            if kind == "partial_transcript":
                self._text = text
            elif kind == "committed_transcript":  # with times it comes once more, as another type
                self._commit(text)
            elif kind in _NO_WORDS:
                self._resolve(self._text)
            elif "error" in message:
                raise _trouble(0, str(kind))
        raise _Passing("the socket was closed")

    def _commit(self, text: str) -> None:
        if self._words is None or not self._is_committed:
            if text:  # by itself, since it was long
                self._earlier.append(text)
                self._text = ""
        elif text or not self._text:
            self._resolve(text)
        else:  # an empty one happens, and says nothing
            asyncio.get_running_loop().call_later(_GRACE_S, self._resolve, self._text)

    def _resolve(self, words: str) -> None:
        if self._words is not None and not self._words.done():
            self._words.set_result(words)

    def _fail(self, trouble: SpeechError) -> None:
        self._trouble = trouble
        if self._words is not None and not self._words.done():
            self._words.set_exception(trouble)

    async def _push(self) -> None:
        """Tell the open socket what it does not know yet, in pieces of a tenth of a second."""
        async with self._sending:
            socket = self._socket
            if socket is None:
                return
            try:
                async with asyncio.timeout(self._patience.next_s):
                    await self._send(socket)
            except (TimeoutError, aiohttp.ClientError, OSError):
                self._socket = None
                await socket.close()  # which whoever reads it sees

    async def _send(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        if self._end >= 0 and not self._is_committed:
            while self._end - self._told > _CHUNK:
                await self._chunk(socket, self._told + _CHUNK)
            await self._chunk(socket, self._end, is_commit=True)
            self._is_committed = True
        while len(self._kept) - self._told >= _CHUNK:
            await self._chunk(socket, self._told + _CHUNK)

    async def _chunk(self, socket: aiohttp.ClientWebSocketResponse, end: int, *, is_commit: bool = False) -> None:
        sound, self._told = bytes(self._kept[self._told : end]), end
        self.sent += len(sound)
        message = {
            "message_type": "input_audio_chunk",
            "audio_base_64": base64.b64encode(sound).decode(),
            "commit": is_commit,
            "sample_rate": _RATE,
        }
        await socket.send_str(orjson.dumps(message).decode())


def keyterms(spec: Listen, language: str = "en") -> list[str]:
    """What is likely to be said, as Scribe takes it: at most 50 terms of 20 letters; longer ones without their last words."""
    terms: dict[str, None] = {}
    for hint in spec.hints(language):
        term = " ".join(hint.split())
        while len(term) > _LONGEST_TERM and " " in term:
            term = term.rpartition(" ")[0]
        if 0 < len(term) <= _LONGEST_TERM:
            terms[term] = None
    return list(terms)[:_MOST_TERMS]


def _message(frame: aiohttp.WSMessage) -> Mapping[str, object]:
    try:
        found = orjson.loads(frame.data) if frame.type is aiohttp.WSMsgType.TEXT else None
    except orjson.JSONDecodeError:
        found = None
    return found if isinstance(found, dict) else {}


def _trouble(status: int, kind: str) -> Exception:
    """What an error comes to: SpeechError, or _Passing where it is worth another try."""
    code = kind if _CODE.fullmatch(kind) else ""
    why = " ".join(str(one) for one in (status, code) if one) or "refused"
    if code in _LASTING or (400 <= status < 500 and status != 429 and status != 408):
        return SpeechError(why, is_lasting=True)
    if status == 429 or code in _AT_ONCE:
        return SpeechError(why)
    return _Passing(why)


async def _check(response: aiohttp.ClientResponse) -> None:
    """Raises: SpeechError, _Passing, unless this is sound: an error that is played is a burst of clicks"""
    if response.status == 200 and response.content_type in _SOUND:
        return
    kind = await _kind(response)
    if response.status != 200:
        raise _trouble(response.status, kind)
    if not _CODE.fullmatch(kind):
        kind = "what came is no sound"
    raise SpeechError(kind)


async def _kind(response: aiohttp.ClientResponse) -> str:
    """Their word for what is wrong, if they say one."""
    if response.content_type == "application/json":
        with suppress(orjson.JSONDecodeError, KeyError, TypeError):
            return str(orjson.loads(await response.content.read(64 * 1024))["detail"]["status"])
    return ""
