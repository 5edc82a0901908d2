"""Who speaks and who listens in a call whose sound goes through us."""

from dataclasses import dataclass
from functools import partial

import aiohttp

from channels.voice.speech.base import Listener, Speaker
from channels.voice.speech.elevenlabs import ElevenLabsSpeaker, ScribeListener
from channels.voice.speech.voices import Voice, Voices
from desk import integrations
from desk.who import Actor
from gateway.accounts import Account
from gateway.settings import Settings
from storage.base import Db
from storage.seal import Sealer
from storage.store import Store

KIND = "eleven_labs"  # as an integration


@dataclass(frozen=True, slots=True)
class Services:
    """Of one call."""

    speaker: Speaker
    listener: Listener


@dataclass(frozen=True, slots=True)
class _Means:
    """With which key, and in which voices."""

    api_key: str
    voices: Voices


class SpeechServices:
    """One per process. The session is open as long as it is, and has no limit of connections: each call needs its own."""

    def __init__(self, store: Store, sealer: Sealer, settings: Settings, session: aiohttp.ClientSession) -> None:
        self._store, self._sealer, self._settings, self._session = store, sealer, settings, session

    async def of(self, account: Account) -> Services | None:
        """For a call to that number; None when there is no key, so that Twilio has to speak and listen.

        Raises: StoreUnavailable
        """
        means = await self._store.read(
            partial(
                _means,
                tenant_id=account.tenant_id,
                business_id=account.business_id,
                sealer=self._sealer,
                settings=self._settings,
            )
        )
        if means is None:
            return None
        ours, session = self._settings.elevenlabs, self._session
        speaker = ElevenLabsSpeaker(session, means.voices, api_key=means.api_key, api_base=ours.api_base)
        listener = ScribeListener(session, api_key=means.api_key, api_base=ours.api_base, model_id=ours.listening_model)
        return Services(speaker, listener)


def _means(db: Db, *, tenant_id: int, business_id: int, sealer: Sealer, settings: Settings) -> _Means | None:
    own = integrations.api_key(db, Actor(tenant_id, "system"), business_id, KIND, sealer=sealer)
    key = own or settings.elevenlabs.api_key.get_secret_value()
    return _Means(key, Voices(Voice(settings.elevenlabs.voice, settings.elevenlabs.model))) if key else None
