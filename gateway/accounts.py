"""Connected numbers, kept in memory: found for every webhook, changed rarely."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import structlog
from sqlalchemy import select

from channels.base import AccountKeys
from channels.messages import Address, AddressKind
from desk.accounts import CREDENTIALS
from gateway.settings import Settings
from storage.base import Db
from storage.models.accounts import accounts
from storage.seal import SealBroken, Sealer
from storage.store import Store

_FRESH_S: Final = 30.0  # a change in another process is seen this late when its wake-up was lost
_MISS_S: Final = 1.0  # how often an unknown number may make us look again

_SENDER_KIND: Final[Mapping[str, AddressKind]] = {"whatsapp": "whatsapp", "web": "web", "sim": "sim"}

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Account:
    """A connected number. `keys` are its own, or those of the settings. One that is not active is paused: what comes is
    kept for people, and nothing is said by itself.
    """

    id: int
    tenant_id: int
    business_id: int
    bot_id: int | None
    channel: str
    provider: str
    address: str
    provider_account: str
    keys: AccountKeys
    is_active: bool = True

    def is_opened_by(self, claimed: str, secrets: tuple[str, ...]) -> bool:
        """Whether a request signed with one of `secrets` for the vendor's account `claimed` may speak to this account.

        One with keys of its own is never opened by those of another, nor by those of the settings.
        """
        if self.provider_account and claimed and self.provider_account != claimed:
            return False
        return not self.keys.secrets or not set(self.keys.secrets).isdisjoint(secrets)

    @property
    def sender(self) -> Address:
        """Our own address on the channel."""
        kind: AddressKind = _SENDER_KIND.get(self.channel, "phone")
        return Address(kind, self.address)


class Accounts:
    """All connected accounts as of at most half a minute ago; a number that is not found is looked up again."""

    def __init__(self, store: Store, sealer: Sealer, settings: Settings, monotonic_s: Callable[[], float]) -> None:
        self._store = store
        self._sealer = sealer
        self._settings = settings
        self._monotonic_s = monotonic_s
        self._read_at: float | None = None
        self._by_address: dict[tuple[str, str, str], Account] = {}
        self._by_id: dict[int, Account] = {}
        self._secrets: dict[tuple[str, str], tuple[str, ...]] = {}

    async def by_address(self, provider: str, channel: str, address: str) -> Account | None:
        """The account that `address` reaches, or None.

        Raises:
            StoreUnavailable: the number is not in memory and the database is away.
        """
        await self._refresh(_FRESH_S)
        key = (provider, channel, address)
        if key not in self._by_address:
            await self._refresh(_MISS_S)
        return self._by_address.get(key)

    async def by_id(self, account_id: int) -> Account | None:
        await self._refresh(_FRESH_S)
        if account_id not in self._by_id:
            await self._refresh(_MISS_S)
        return self._by_id.get(account_id)

    async def secrets(self, provider: str, claimed: str) -> tuple[str, ...]:
        """Every secret that may have signed for the vendor's account `claimed`, the newest first.

        Without a claim, those of all accounts that have keys of their own and no vendor's account. Which of our accounts
        a request may then speak to, `is_opened_by` says.
        """
        await self._refresh(_FRESH_S)
        if own := self._secrets.get((provider, claimed)):
            return own
        return _shared_keys(self._settings, provider).secrets

    def forget(self) -> None:
        """Read again at the next call."""
        self._read_at = None

    async def _refresh(self, older_than_s: float) -> None:
        now = self._monotonic_s()
        if self._read_at is not None and now - self._read_at < older_than_s:
            return
        rows = await self._read(now)
        if rows is None:
            return
        self._by_address = {(one.provider, one.channel, one.address): one for one in rows}
        self._by_id = {one.id: one for one in rows}
        self._secrets = {}
        for one in rows:
            if one.keys.secrets != _shared_keys(self._settings, one.provider).secrets:
                key = (one.provider, one.provider_account)
                self._secrets[key] = tuple(dict.fromkeys((*self._secrets.get(key, ()), *one.keys.secrets)))

    async def _read(self, now: float) -> list[Account] | None:
        """The accounts, or None when the database is away and what we have must do."""
        first = self._read_at is None and not self._by_id
        try:
            found = await self._store.read(self._load)
        except Exception:
            if first:
                raise
            log.warning("accounts are stale: the database does not answer")
            self._read_at = now
            return None
        self._read_at = now
        return found

    def _load(self, db: Db) -> list[Account]:
        found = []
        for row in db.execute(select(accounts).where(accounts.c.disconnected_at.is_(None))):
            keys = _shared_keys(self._settings, row.provider)
            if row.credentials:
                try:
                    own = self._sealer.unseal(row.credentials, tenant_id=row.tenant_id, field=CREDENTIALS)
                except SealBroken as broken:
                    log.error("account left out", account=row.id, reason=str(broken))
                    continue
                keys = _own_keys(own, keys.public_url)
            keys = AccountKeys(
                account_id=row.provider_account or keys.account_id,
                secrets=keys.secrets,
                public_url=keys.public_url,
                user=keys.user,
                password=keys.password,
                service_id=row.sender_pool or "",
                shortens_links=row.shorten_links,
            )
            found.append(
                Account(
                    id=row.id,
                    tenant_id=row.tenant_id,
                    business_id=row.business_id,
                    bot_id=row.bot_id,
                    channel=row.channel,
                    provider=row.provider,
                    address=row.address,
                    provider_account=row.provider_account or "",
                    keys=keys,
                    is_active=row.is_active,
                )
            )
        return found


def _own_keys(credentials: object, public_url: str) -> AccountKeys:
    """Keys out of unsealed credentials: `{"auth_tokens": [newest, …], "api_key", "api_secret"}`."""
    given = credentials if isinstance(credentials, dict) else {}
    tokens = given.get("auth_tokens", [])
    return AccountKeys(
        account_id="",
        secrets=tuple(str(token) for token in tokens) if isinstance(tokens, list) else (),
        public_url=public_url,
        user=str(given.get("api_key", "")),
        password=str(given.get("api_secret", "")),
    )


def _shared_keys(settings: Settings, provider: str) -> AccountKeys:
    if provider == "twilio":
        tokens = settings.twilio.auth_token.get_secret_value().split(",")
        return AccountKeys(
            account_id=settings.twilio.account_sid,
            secrets=tuple(token.strip() for token in tokens if token.strip()),
            public_url=settings.server.public_url,
        )
    return AccountKeys(account_id="", public_url=settings.server.public_url)
