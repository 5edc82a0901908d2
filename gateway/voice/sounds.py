"""What we say as files: where they lie, and signed links by which Twilio fetches them for `<Play>`.

`/voice/sounds/{tenant}.{until}.{signature}/{key-key-key}.wav`: one file of several sounds, good for as long as the link says.
"""

import hmac
import re
from collections import OrderedDict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from channels.voice.speech.cache import Shelf
from channels.voice.speech.sound import joined, wav
from desk import sounds
from desk.clock import Clock
from gateway.media.keep import Keeper
from storage.blobs import Missing, sound_of
from storage.seal import Sealer
from storage.store import Store, StoreUnavailable

log = structlog.get_logger()

PATH: Final = "/voice/sounds/"
_MOST_AT_HAND: Final = 16 * 1024 * 1024  # bytes in memory: half an hour of sound
_MOST_RECENT: Final = 8 * 1024 * 1024
_RECENT: Final = timedelta(minutes=30)
_ROUND_S: Final = 900  # links made within so many seconds are equal, so that Twilio fetches a greeting once
_LEAST: Final = timedelta(seconds=2 * _ROUND_S)  # that a sound has to stay when a link to it is made
_ADDRESS: Final = re.compile(r"(\d{1,18})\.([0-9a-f]{1,10})\.([0-9a-f]{64})/([0-9a-f]{32}(?:-[0-9a-f]{32}){0,49})\.wav")
_SWEPT: Final = 200


class Sounds:
    """One per process: the sounds used last are at hand, the others in the blob store."""

    def __init__(
        self,
        store: Store,
        keeper: Keeper,
        clock: Clock,
        sealer: Sealer,
        public_url: str,
        *,
        keep_days: int,
        most_bytes: int,
    ) -> None:
        self._store, self._keeper, self._clock, self._sealer = store, keeper, clock, sealer
        self._url = public_url + PATH
        self._keep, self._most_bytes = timedelta(days=keep_days), most_bytes
        self._at_hand: OrderedDict[tuple[int, str], tuple[bytes, datetime]] = OrderedDict()  # and how long it stays
        self._size = 0

    def of(self, tenant_id: int) -> "TenantShelf":
        return TenantShelf(self, tenant_id)

    def url(self, tenant_id: int, keys: Sequence[str], *, now: datetime) -> str:
        """Where these sounds are, one after the other; good for a quarter to half an hour."""
        ends = int(now.timestamp()) // _ROUND_S * _ROUND_S + 2 * _ROUND_S
        said = f"{tenant_id}.{ends:x}"
        names = "-".join(keys)
        return f"{self._url}{said}.{self._mark(said, names)}/{names}.wav"

    async def at(self, address: str, *, now: datetime) -> tuple[bytes, datetime] | None:
        """The file at such an address and how long it is good; None when there is none (any more).

        Raises: StoreUnavailable, OSError
        """
        found = _ADDRESS.fullmatch(address)
        if found is None or not hmac.compare_digest(self._mark(f"{found[1]}.{found[2]}", found[4]), found[3]):
            return None
        tenant_id, until = int(found[1]), datetime.fromtimestamp(int(found[2], 16), UTC)
        if now >= until:
            return None
        heard: list[bytes] = []
        for key in found[4].split("-"):
            at_hand = self._hand(tenant_id, key)
            sound = at_hand[0] if at_hand is not None else await self._fetch(tenant_id, key)
            if sound is None:
                return None
            heard.append(sound)
        return wav(joined(heard)), until

    async def find(self, tenant_id: int, key: str, *, is_lasting: bool) -> bytes | None:
        """See `Shelf`."""
        now = self._clock.now()
        at_hand = self._hand(tenant_id, key)
        if at_hand is not None and not is_lasting and at_hand[1] - now > _LEAST:
            return at_hand[0]
        try:
            until = await self._store.read(sounds.until, tenant_id, key)
            if until is None or until <= now:
                return None
            sound = at_hand[0] if at_hand is not None else await self._fetch(tenant_id, key)
            if sound is None:
                return None
            lasts = is_lasting or until - now > sounds.BRIEF
            if until - now < (self._keep / 2 if lasts else _LEAST):  # what is wanted stays
                until = await self._kept(tenant_id, key, len(sound), is_lasting=lasts)
            self._take(tenant_id, key, sound, until)
            return sound
        except (StoreUnavailable, OSError) as away:
            log.warning("a sound cannot be looked up", why=type(away).__name__)
            return None

    async def put(self, tenant_id: int, key: str, sound: bytes, *, is_lasting: bool) -> None:
        """See `Shelf`."""
        try:
            until = await self._kept(tenant_id, key, len(sound), is_lasting=is_lasting)
            async with self._keeper.draft() as draft:
                await draft.add(sound)
                await draft.whole()
                await self._keeper.blobs.put(sound_of(tenant_id, key), draft.path)
            self._take(tenant_id, key, sound, until)
        except (StoreUnavailable, OSError) as away:
            log.warning("a sound cannot be kept", why=type(away).__name__)

    async def sweep(self) -> None:
        """Remove what has had its time.

        Raises: StoreUnavailable
        """
        now = self._clock.now()
        over = await self._store.read(sounds.over, now=now, limit=_SWEPT)
        if not over:
            return
        for _, tenant_id, key in over:
            self._drop(tenant_id, key)
        try:
            await self._keeper.blobs.drop([sound_of(tenant_id, key) for _, tenant_id, key in over])
        except OSError as away:
            log.warning("sounds cannot be removed", why=type(away).__name__)
            return
        await self._store.write(sounds.forget, [row_id for row_id, _, _ in over], now=now)

    async def _kept(self, tenant_id: int, key: str, size: int, *, is_lasting: bool) -> datetime:
        """Until when. Raises: StoreUnavailable"""
        now = self._clock.now()
        until = now + (self._keep if is_lasting else sounds.BRIEF)
        await self._store.write(sounds.keep, tenant_id, key, size, until=until, most_bytes=self._most_bytes, now=now)
        return until

    async def _fetch(self, tenant_id: int, key: str) -> bytes | None:
        """From the blob store. Raises: OSError"""
        try:
            return b"".join([piece async for piece in self._keeper.blobs.read(sound_of(tenant_id, key))])
        except Missing:
            return None

    def _hand(self, tenant_id: int, key: str) -> tuple[bytes, datetime] | None:
        found = self._at_hand.get((tenant_id, key))
        if found is not None:
            self._at_hand.move_to_end((tenant_id, key))
        return found

    def _take(self, tenant_id: int, key: str, sound: bytes, until: datetime) -> None:
        self._drop(tenant_id, key)
        self._at_hand[tenant_id, key] = (sound, until)
        self._size += len(sound)
        while self._size > _MOST_AT_HAND:
            self._drop(*next(iter(self._at_hand)))

    def _drop(self, tenant_id: int, key: str) -> None:
        if (found := self._at_hand.pop((tenant_id, key), None)) is not None:
            self._size -= len(found[0])

    def _mark(self, said: str, names: str) -> str:
        return self._sealer.mark(f"sound link\n{said}\n{names}".encode())


class Recent:
    """What was said in calls by stream, which nobody has to fetch: in memory alone, and not for long, since there may be
    somebody's values in it. What is asked twice, and what every call begins with, is so made once.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sounds: OrderedDict[tuple[int, str], tuple[bytes, datetime]] = OrderedDict()  # the oldest first
        self._size = 0

    def over(self, tenant_id: int, shelf: Shelf) -> "RecentShelf":
        return RecentShelf(self, tenant_id, shelf)

    def find(self, tenant_id: int, key: str) -> bytes | None:
        self._trim()
        found = self._sounds.get((tenant_id, key))
        return None if found is None else found[0]

    def put(self, tenant_id: int, key: str, sound: bytes) -> None:
        former = self._sounds.pop((tenant_id, key), None)
        self._sounds[tenant_id, key] = (sound, self._clock.now() + _RECENT)
        self._size += len(sound) - (0 if former is None else len(former[0]))
        self._trim()

    def _trim(self) -> None:
        now = self._clock.now()
        while self._sounds:
            key, (sound, until) = next(iter(self._sounds.items()))
            if until > now and self._size <= _MOST_RECENT:
                break
            del self._sounds[key]
            self._size -= len(sound)


class RecentShelf:
    """One tenant's part of it, over what is kept: a `Shelf`."""

    def __init__(self, recent: Recent, tenant_id: int, shelf: Shelf) -> None:
        self._recent, self._tenant_id, self._shelf = recent, tenant_id, shelf

    async def find(self, key: str, *, is_lasting: bool) -> bytes | None:
        found = self._recent.find(self._tenant_id, key)
        if found is None and (found := await self._shelf.find(key, is_lasting=is_lasting)) is not None:
            self._recent.put(self._tenant_id, key, found)
        return found

    async def put(self, key: str, sound: bytes, *, is_lasting: bool) -> None:
        self._recent.put(self._tenant_id, key, sound)


class TenantShelf:
    """One tenant's part of it: a `Shelf`."""

    def __init__(self, sounds_: Sounds, tenant_id: int) -> None:
        self._sounds, self._tenant_id = sounds_, tenant_id

    async def find(self, key: str, *, is_lasting: bool) -> bytes | None:
        return await self._sounds.find(self._tenant_id, key, is_lasting=is_lasting)

    async def put(self, key: str, sound: bytes, *, is_lasting: bool) -> None:
        await self._sounds.put(self._tenant_id, key, sound, is_lasting=is_lasting)
