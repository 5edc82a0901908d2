"""The wiring: everything one process is made of, put together in one place."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property, partial
from urllib.request import getproxies

import aiohttp
from aiohttp.abc import AbstractResolver

from bots.registry import Registry
from channels.base import Adapter
from channels.messages import Address, OutboundMessage
from channels.meta.client import MetaClient
from channels.registry import Network, adapters
from channels.twilio.client import TwilioClient
from desk.accounts import TOPIC as ACCOUNTS_TOPIC
from desk.accounts import Line
from desk.clock import Clock, SystemClock
from desk.sending import Policy
from gateway import visit_links
from gateway.accounts import Account, Accounts
from gateway.auth.passwords import Passwords
from gateway.auth.schemes import TOPIC as SIGN_INS_TOPIC
from gateway.auth.schemes import Doorman
from gateway.auth.tokens import Tokens
from gateway.inbox.presence import Rolls
from gateway.inbox.relay import Relay
from gateway.jobs.pressure import Pressure
from gateway.media.keep import Keeper
from gateway.media.links import Links
from gateway.outside.addresses import Rules
from gateway.outside.http import Names, Outside
from gateway.pipeline import wire
from gateway.pipeline.order import Order
from gateway.pipeline.refused import Refusals
from gateway.rest.limits import Limits
from gateway.settings import Settings, master_keys
from gateway.voice.services import SpeechServices
from gateway.voice.sounds import Sounds
from gateway.workshop import Workshop
from storage.blobs import Blobs, Folder
from storage.bus import Bus, MemoryBus, RedisBus
from storage.seal import Sealer
from storage.store import Store, open_store


@dataclass(frozen=True)
class House:
    """What requests, turns and jobs are given. `now` is the injected clock; tests stop it."""

    settings: Settings
    clock: Clock
    store: Store
    bus: Bus
    sealer: Sealer
    accounts: Accounts
    adapters: Mapping[tuple[str, str], Adapter]  # by provider and channel
    bots: Registry
    doorman: Doorman
    limits: Limits
    outside: Outside  # asks every address that somebody typed
    vendors: Outside  # fetches files from vendors, by an address that they gave
    keeper: Keeper  # takes files in
    links: Links  # signed links to files
    passwords: Passwords
    relay: Relay
    rolls: Rolls  # who is connected to the live inbox, in all processes
    order: Order
    speech: SpeechServices  # speaks and listens in calls
    refusals: Refusals = field(default_factory=Refusals)
    pressure: Pressure = field(default_factory=Pressure)  # how much is done that can wait
    workshop: Workshop = field(default_factory=Workshop)

    @cached_property
    def usual(self) -> Policy:
        """Quiet hours and caps of whoever has said nothing else."""
        return replace(self.settings.sending.policy, marks=self.sealer.marks)

    @property
    def line(self) -> Line:
        """What the rows of channels alone do not tell."""
        return Line(self.sealer, self.adapters.keys(), self.settings.sending.rate_list)

    def adapter(self, account: Account) -> Adapter:
        """What speaks the language of the account's provider."""
        return self.adapters[account.provider, account.channel]

    def status_url(self, provider: str) -> str:
        """Where `provider` reports what became of a message."""
        return f"{self.settings.server.public_url}/api/v1/webhooks/{provider}/status"


@contextlib.asynccontextmanager
async def open_house(
    settings: Settings,
    *,
    clock: Clock | None = None,
    monotonic_s: Callable[[], float] = time.monotonic,
    note: str = "",
    deliver: Callable[[Address, OutboundMessage], None] = lambda _to, _message: None,
    resolver: AbstractResolver | None = None,
) -> AsyncIterator[House]:
    """A house whose store and bus are running, and stopped when the block ends.

    `note` says in the lock beside an SQLite file where this process can be reached; `deliver` shows what is sent over
    the simulator channel; `resolver` finds the hosts of addresses that somebody typed.

    Raises:
        storage.filelock.Held: another process writes this SQLite file.
    """
    clock = clock or SystemClock()
    bus: Bus = RedisBus(settings.redis.url) if settings.redis.url else MemoryBus()
    store = open_store(settings.database.url, bus, pool_size=settings.database.pool_size, owner_note=note)
    keys = master_keys(settings)
    sealer = Sealer(*keys)
    doorman = Doorman(store, Tokens(keys), monotonic_s)
    accounts = Accounts(store, sealer, settings, monotonic_s)
    await store.start()
    # With it, aiohttp asks two threads before each request: for proxies, and for a file of passwords that holds none of ours.
    is_proxied = bool(getproxies())
    http = aiohttp.ClientSession(trust_env=is_proxied, trace_configs=[wire.tracing()])
    sound = aiohttp.ClientSession(trust_env=is_proxied, connector=aiohttp.TCPConnector(limit=0))
    outside = Outside(Rules(settings.webhooks.allow_private, settings.webhooks.allowed_networks), resolver or Names())
    vendors = Outside(Rules(allow_private=settings.has_stand_in), resolver or Names(), [wire.tracing(files=True)])
    keeper = Keeper(_blobs(settings), settings.data_dir / "incoming")
    relay = Relay(bus, settings.redis.url)
    rolls = Rolls(relay, monotonic_s)
    limits = Limits(settings)
    sounds = Sounds(
        store,
        keeper,
        clock,
        sealer,
        settings.server.public_url,
        keep_days=settings.voice.sounds_days,
        most_bytes=settings.voice.sounds_max_bytes,
    )
    speech = SpeechServices(store, sealer, settings, sounds, sound, clock, monotonic_s)
    try:
        await bus.start()
        await rolls.start()
        await relay.start()
        house = House(
            settings=settings,
            clock=clock,
            store=store,
            bus=bus,
            sealer=sealer,
            accounts=accounts,
            adapters=adapters(_network(settings, http, clock, deliver)),
            bots=Registry(partial(_calendar_link, settings, sealer)),
            doorman=doorman,
            limits=limits,
            outside=outside,
            vendors=vendors,
            keeper=keeper,
            links=Links(sealer, settings.server.public_url, timedelta(hours=settings.media.link_h)),
            passwords=Passwords(settings.auth.logins_at_once),
            relay=relay,
            rolls=rolls,
            order=Order(_turns_at_once(store, settings)),
            speech=speech,
            pressure=Pressure(lambda: store.hurry.is_likely, store.hurry.over),
        )
        forgetting = [
            asyncio.create_task(_forget(bus, ACCOUNTS_TOPIC, accounts.forget)),
            asyncio.create_task(_forget(bus, SIGN_INS_TOPIC, doorman.forget)),
        ]
        try:
            yield house
        finally:
            for task in forgetting:
                task.cancel()
    finally:
        await speech.close()
        await http.close()
        await sound.close()
        await outside.close()
        await vendors.close()
        await keeper.blobs.close()
        await limits.close()
        await rolls.stop()
        await relay.stop()
        await bus.stop()
        await store.stop()


def _calendar_link(settings: Settings, sealer: Sealer, channel: str, visit_uid: str) -> str:
    """Where a customer of that channel finds a visit for their calendar; empty when they are not told."""
    if channel == "voice" or (channel == "sms" and not settings.conversations.calendar_link_by_sms):
        return ""
    return visit_links.link(sealer, settings.server.public_url, visit_uid)


def _network(
    settings: Settings, http: aiohttp.ClientSession, clock: Clock, deliver: Callable[[Address, OutboundMessage], None]
) -> Network:
    """How the channels reach their vendors."""
    twilio = TwilioClient(http, api_base=settings.twilio.api_base)
    return Network(twilio, MetaClient(http, api_base=settings.meta.api_base, now=clock.now), deliver)


def _blobs(settings: Settings) -> Blobs:
    """Where the contents of files lie."""
    s3 = settings.s3
    if not s3.bucket:
        return Folder(settings.data_dir / "files")
    from storage.bucket import Bucket

    return Bucket(
        s3.bucket,
        endpoint=s3.endpoint,
        region=s3.region,
        access_key=s3.access_key,
        secret_key=s3.secret_key.get_secret_value(),
        prefix=s3.prefix,
    )


def _turns_at_once(store: Store, settings: Settings) -> int:
    """Enough that commits are shared, or connections used; some of these are left to people."""
    return 16 if store.dialect == "sqlite" else max(1, settings.database.pool_size * 3 // 4)


async def _forget(bus: Bus, topic: str, forget: Callable[[], None]) -> None:
    async with bus.listen(topic) as changed:
        while True:
            await changed.wait()
            changed.clear()
            forget()
