"""Who speaks and who listens in a call whose sound goes through us, or whose words Twilio plays as files of ours."""

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

import aiohttp
import structlog

from bots import language as languages
from channels.clean import clean
from channels.voice.speech import elevenlabs, offline
from channels.voice.speech.base import Listener, Speaker
from channels.voice.speech.cache import CachedSpeaker, Renderings, Shelf, Source
from channels.voice.speech.elevenlabs import ElevenLabsSpeaker, Patience, ScribeListener
from channels.voice.speech.fuse import Fuse, GuardedListener, GuardedSpeaker
from channels.voice.speech.grammar import Vocabulary
from channels.voice.speech.voices import OTHERS, RANGES, Voice, Voices
from desk import bots, businesses, calls, integrations, speech_usage
from desk.clock import Clock
from desk.speech_usage import Kind
from desk.who import Actor
from gateway.accounts import Account
from gateway.settings import Settings
from gateway.voice.sounds import Recent, Sounds
from storage.base import Db
from storage.hurry import IN_BACKGROUND
from storage.seal import Sealer
from storage.store import Store, StoreUnavailable

log = structlog.get_logger()

KIND: Final = integrations.SPEECH
_UNHURRIED: Final = Patience(try_s=10.0, first_s=25.0, next_s=10.0)  # nobody waits on the line
_ASKED_ANYTIME: Final = ("hours", "prices", "location")  # intents
_TRANSCRIBED_S: Final = 40.0  # that the words of two minutes may take
_LONGEST_TRANSCRIPT: Final = 20_000  # characters
_COUNT_S: Final = 1.0  # that counts wait for others before they are written


@dataclass(frozen=True, slots=True)
class Services:
    """Of one call."""

    speaker: CachedSpeaker
    listener: Listener


@dataclass(frozen=True, slots=True)
class File:
    """Sound that can be fetched, and whether some of it had to be made first."""

    url: str
    source: Source


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose bot speaks."""

    tenant_id: int
    business_id: int
    bot_id: int | None

    @classmethod
    def of(cls, account: Account) -> "Whose":
        return cls(account.tenant_id, account.business_id, account.bot_id)


@dataclass(frozen=True, slots=True)
class _Means:
    """With which key, and in which voices."""

    api_key: str
    voices: Voices


class SpeechServices:
    """One per process. The session is open as long as it is, and has no limit of connections: each call needs its own."""

    def __init__(
        self,
        store: Store,
        sealer: Sealer,
        settings: Settings,
        sounds: Sounds,
        session: aiohttp.ClientSession,
        clock: Clock,
        monotonic_s: Callable[[], float],
    ) -> None:
        self.sounds: Final = sounds
        self._store, self._sealer, self._settings, self._session = store, sealer, settings, session
        self._monotonic_s = monotonic_s
        self.provider: Final = offline.PROVIDER if settings.voice.speech == offline.PROVIDER else KIND
        self.mouth: Final = offline.mouth()
        self._ear = offline.ear()
        self._renderings = Renderings(settings.elevenlabs.at_once)
        self._fuses: dict[tuple[str, str], Fuse] = {}
        self._meter = _Meter(store, clock)
        self._recent = Recent(clock)
        self.patience = Patience()  # with a service while somebody waits on the line

    async def of(self, account: Account, sid: str = "") -> Services | None:
        """For that call to that number; None when there is no key, or a service that is left alone since it is broken, so that
        Twilio has to speak and listen.

        Raises: StoreUnavailable
        """
        whose = Whose.of(account)
        means = await self._means(whose)
        if means is None or any(self._fuse(kind, means).is_blown for kind in speech_usage.KINDS):
            return None
        ours = self._settings.elevenlabs
        listener: Listener
        if self.provider == offline.PROVIDER:
            listener = offline.OfflineListener(self._ear, await self._store.read(_vocabulary, whose.business_id))
        else:
            listener = ScribeListener(
                self._session,
                api_key=means.api_key,
                api_base=ours.api_base,
                model_id=ours.listening_model,
                patience=self.patience,
                heard=partial(self._meter.count, whose, sid, "heard"),
            )
        shelf = self._recent.over(whose.tenant_id, self.sounds.of(whose.tenant_id))
        return Services(self._speaker(whose, means, shelf, sid), GuardedListener(listener, self._fuse("heard", means)))

    async def file(self, account: Account, sid: str, text: str, language: str) -> File | None:
        """That text, for that call, as sound that Twilio can fetch; None when there is no voice, or it cannot be had within
        `voice.play_budget_s`.

        Raises: StoreUnavailable
        """
        whose = Whose.of(account)
        means = await self._means(whose) if text else None
        if means is None:
            return None
        speaker = self._speaker(whose, means, self.sounds.of(whose.tenant_id), sid)
        kept = await speaker.kept(text, language, within_s=self._settings.voice.play_budget_s)
        if kept is None:
            return None
        return File(self.sounds.url(whose.tenant_id, kept.keys, now=self._meter.clock.now()), kept.source)

    async def prompter(self, whose: Whose) -> CachedSpeaker | None:
        """What makes sounds that stay, without hurry; None when they are not wanted.

        Raises: StoreUnavailable
        """
        means = await self._means(whose) if self._is_ours else None
        shelf = self.sounds.of(whose.tenant_id)
        return None if means is None else self._speaker(whose, means, shelf, is_lasting=True)

    def prompt_voices(self, db: Db, whose: Whose) -> Voices | None:
        """In which voices such sounds are made; None when they are not wanted."""
        means = _means(db, whose=whose, sealer=self._sealer, settings=self._settings) if self._is_ours else None
        return None if means is None else means.voices

    def usual_prompts(self) -> Sequence[object] | None:
        """Of what the settings say, all that such sounds depend on; None when they are not wanted by them."""
        if not self._is_ours:
            return None
        voice, service = self._settings.voice, self._settings.elevenlabs
        if self.provider == offline.PROVIDER:
            return [self.provider, voice.offline_voices, voice.offline_speed]
        return [self.provider, service.voice, service.model, bool(service.api_key.get_secret_value())]

    async def can_transcribe(self, account: Account) -> bool:
        """Whether `transcript` has somebody to ask for that number.

        Raises: StoreUnavailable
        """
        return await self._transcribing_key(Whose.of(account)) is not None

    async def transcript(self, account: Account, sid: str, file: bytes, *, seconds: float) -> str | None:
        """What is said in a recording of that call, a WAV file that is so long; None when there is no key.

        Raises: SpeechError, StoreUnavailable
        """
        whose, ours = Whose.of(account), self._settings.elevenlabs
        key = await self._transcribing_key(whose)
        if key is None:
            return None
        words = await elevenlabs.transcript(
            self._session,
            file,
            api_key=key,
            api_base=ours.api_base,
            model_id=ours.transcribing_model,
            timeout_s=_TRANSCRIBED_S,
        )
        self._meter.count(whose, sid, "heard", seconds)
        return clean(words)[:_LONGEST_TRANSCRIPT]

    async def _transcribing_key(self, whose: Whose) -> str | None:
        means = None if self.provider == offline.PROVIDER else await self._means(whose)
        return None if means is None else means.api_key

    async def voices_at_twilio(self, account: Account) -> Voices | None:
        """The voices of ElevenLabs that Twilio should speak with; None: as the settings say.

        Raises: StoreUnavailable
        """
        told = await self._store.read(_told, Whose.of(account))
        return voices_of(told, self._settings) if told.get("voices") else None

    @property
    def _is_ours(self) -> bool:
        """Whether calls are in a voice of ours as a rule, and not in Twilio's."""
        return self._settings.voice.mode != "relay"

    async def write_down(self) -> None:
        """What was counted so far is in the database then. Raises: StoreUnavailable"""
        await self._meter.flush()

    async def close(self) -> None:
        await self._renderings.close()
        await self.mouth.close()
        await self._ear.close()
        await self._meter.close()

    def _speaker(
        self, whose: Whose, means: _Means, shelf: Shelf, sid: str = "", *, is_lasting: bool = False
    ) -> CachedSpeaker:
        speaker: Speaker
        if self.provider == offline.PROVIDER:
            speaker = offline.OfflineSpeaker(self.mouth, means.voices)
        else:
            speaker = ElevenLabsSpeaker(
                self._session,
                means.voices,
                api_key=means.api_key,
                api_base=self._settings.elevenlabs.api_base,
                patience=_UNHURRIED if is_lasting else self.patience,
                spoken=partial(self._meter.count, whose, sid, "spoken"),
            )
        return CachedSpeaker(
            GuardedSpeaker(speaker, self._fuse("spoken", means)),
            shelf,
            means.voices,
            self._renderings,
            whose=whose.tenant_id,
            provider=self.provider,
            is_lasting=is_lasting,
        )

    def _fuse(self, what: Kind, means: _Means) -> Fuse:
        """Of a key; and of the voices with it, so that one bot's wrong voice silences no other."""
        whole = f"{means.api_key}\n{means.voices if what == 'spoken' else ''}"
        name = what, hashlib.sha256(whole.encode()).hexdigest()
        return self._fuses.setdefault(name, Fuse(self._monotonic_s))

    async def _means(self, whose: Whose) -> _Means | None:
        return await self._store.read(partial(_means, whose=whose, sealer=self._sealer, settings=self._settings))


class _Meter:
    """Counts what services were asked for, and writes it down once a second at most."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.clock: Final = clock
        self._store = store
        self._counts: dict[tuple[Whose, str], dict[Kind, float]] = {}  # by call; "" is none
        self._task: asyncio.Task[None] | None = None
        self._writing = asyncio.Lock()

    def count(self, whose: Whose, sid: str, kind: Kind, amount: float) -> None:
        if amount <= 0:
            return
        counts = self._counts.setdefault((whose, sid), {})
        counts[kind] = counts.get(kind, 0.0) + amount
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._later(), name="speech usage")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        with suppress(StoreUnavailable):
            await self.flush()

    async def _later(self) -> None:
        IN_BACKGROUND.set(True)
        while self._counts:
            await asyncio.sleep(_COUNT_S)
            try:
                await self.flush()
            except StoreUnavailable:
                log.warning("speech usage waits for the database")

    async def flush(self) -> None:
        """Raises: StoreUnavailable; the counts stay then"""
        async with self._writing:
            counts, self._counts = self._counts, {}
            try:
                if counts:
                    await self._store.write(_used, counts, now=self.clock.now())
            except BaseException:
                for one, kinds in counts.items():
                    for kind, amount in kinds.items():
                        here = self._counts.setdefault(one, {})
                        here[kind] = here.get(kind, 0.0) + amount
                raise


def _used(db: Db, counts: Mapping[tuple[Whose, str], Mapping[Kind, float]], *, now: datetime) -> None:
    by_tenant: dict[int, dict[tuple[int, Kind], float]] = {}
    for (whose, sid), kinds in counts.items():
        amounts = by_tenant.setdefault(whose.tenant_id, {})
        for kind, amount in kinds.items():
            amounts[whose.business_id, kind] = amounts.get((whose.business_id, kind), 0.0) + amount
        if sid:
            letters, seconds = kinds.get("spoken", 0.0), kinds.get("heard", 0.0)
            calls.add_speech(db, whose.tenant_id, sid, letters=letters, seconds=seconds)
    for tenant_id, amounts in by_tenant.items():
        speech_usage.add(db, tenant_id, amounts, now=now)


def _means(db: Db, *, whose: Whose, sealer: Sealer, settings: Settings) -> _Means | None:
    told = voices_of(_told(db, whose), settings)
    if settings.voice.speech == offline.PROVIDER:  # no key is asked for, and none is used
        ours = settings.voice
        return _Means("", offline.voices(ours.offline_voice_list, words_a_minute=ours.offline_speed, bots=told))
    who = Actor(whose.tenant_id, "system")
    own = integrations.api_key(db, who, whose.business_id, KIND, sealer=sealer)
    key = own or settings.elevenlabs.api_key.get_secret_value()
    return _Means(key, told) if key else None


def _vocabulary(db: Db, business_id: int) -> Vocabulary:
    """What callers of that business are likely to say: what it offers, who works there, what its bots understand."""
    business = businesses.load(db, business_id)
    return vocabulary_of([one.name for one in business.services], [one.name for one in business.staff])


def vocabulary_of(things: Sequence[str], people: Sequence[str]) -> Vocabulary:
    """The same, for a business that offers these things and where these people work."""
    said = {name: (*one.keywords, *one.examples) for name, one in languages.load(languages.DEFAULT).intents.items()}
    return Vocabulary(
        things,
        people,
        [sentence for sentences in said.values() for sentence in sentences],
        [sentence for name in _ASKED_ANYTIME for sentence in said[name]],
    )


def _told(db: Db, whose: Whose) -> Mapping[str, object]:
    return {} if whose.bot_id is None else bots.settings(db, whose.bot_id)


def voices_of(told: Mapping[str, object], settings: Settings) -> Voices:
    """The voices of a bot by its settings; what it does not say is as usual."""
    usual = Voice(settings.elevenlabs.voice, settings.elevenlabs.model)
    given = told.get("voices")
    if not isinstance(given, Mapping):
        return Voices(usual)
    named = {str(code): _voice(one, usual) for code, one in given.items() if isinstance(one, Mapping)}
    return Voices(named.pop(OTHERS, usual), named)


def _voice(told: Mapping[str, object], usual: Voice) -> Voice:
    settings = tuple((name, float(value)) for name in RANGES if isinstance(value := told.get(name), int | float))
    return Voice(str(told.get("voice_id") or usual.voice_id), str(told.get("model") or usual.model_id), settings)
