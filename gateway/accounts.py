"""Connected numbers, kept in memory: found for every webhook, changed rarely."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import structlog
from pydantic import SecretStr
from sqlalchemy import select

from channels.base import AccountKeys
from channels.messages import Address, AddressKind, Template
from desk.accounts import CREDENTIALS, Widget, takes_replies
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
    provider_number: str = ""
    widget: Widget = Widget()  # noqa: RUF009  frozen
    log_keeps: str = "off"  # of what goes over the wire: all, failures, off
    window_template: Template | None = None  # says what is due while free text may not be sent
    sender_pool: str = ""  # the vendor's id of the pool of numbers from which it writes

    def is_opened_by(self, claimed: str, secret: str) -> bool:
        """Whether a request that `secret` signed for the vendor's account `claimed` may speak to this account; without a
        secret, where the vendor signs nothing.

        One with keys of its own is never opened by those of another, nor by those of the settings.
        """
        if self.provider_account and claimed and self.provider_account != claimed:
            return False
        return secret in self.keys.secrets if secret else not self.keys.secrets

    @property
    def sender(self) -> Address:
        """Our own address on the channel."""
        kind: AddressKind = _SENDER_KIND.get(self.channel, "phone")
        return Address(kind, self.address)

    def writing_from(self, number: str | None) -> tuple[Address, AccountKeys]:
        """With what to send to somebody who wrote to `number` of our pool; without one, any number of it will do.

        Twilio's sticky senders only promise that what we send comes from one number, and can be switched off there.
        """
        if not self.sender_pool or number is None:
            return self.sender, self.keys
        return replace(self.sender, value=number), replace(self.keys, keeps_sender=True)


class Accounts:
    """All connected accounts as of at most half a minute ago; a number that is not found is looked up again."""

    def __init__(self, store: Store, sealer: Sealer, settings: Settings, monotonic_s: Callable[[], float]) -> None:
        self._store = store
        self._sealer = sealer
        self._settings = settings
        self._monotonic_s = monotonic_s
        self._read_at: float | None = None
        self._by_address: dict[tuple[str, str, str], Account] = {}
        self._by_pool: dict[tuple[str, str, str, str], list[Account]] = {}
        self._by_id: dict[int, Account] = {}
        self._secrets: dict[tuple[str, str], tuple[str, ...]] = {}
        self._verify_tokens: dict[str, tuple[str, ...]] = {}

    async def by_address(self, provider: str, channel: str, address: str) -> Account | None:
        """The account that `address` reaches, which may be the provider's id of the number; or None.

        Raises:
            StoreUnavailable: the number is not in memory and the database is away.
        """
        await self._refresh(_FRESH_S)
        key = (provider, channel, address)
        if key not in self._by_address:
            await self._refresh(_MISS_S)
        return self._by_address.get(key)

    async def by_pool(self, provider: str, channel: str, provider_account: str, pool: str) -> list[Account]:
        """The accounts that write from that pool of the vendor's account, the oldest first; one with a sender's name last."""
        await self._refresh(_FRESH_S)
        return self._by_pool.get((provider, channel, provider_account, pool), [])

    async def known(self, provider: str, channel: str, address: str) -> Account | None:
        """The same of those in memory: whoever makes up numbers costs no query."""
        await self._refresh(_FRESH_S)
        return self._by_address.get((provider, channel, address))

    async def of_account(self, provider: str, channel: str, claimed: str) -> list[Account]:
        """The numbers of ours at the vendor's account `claimed`."""
        await self._refresh(_FRESH_S)
        return [
            one
            for one in self._by_id.values()
            if (one.provider, one.channel) == (provider, channel)
            and claimed
            and claimed in (one.provider_account, one.keys.account_id)
        ]

    async def by_id(self, account_id: int) -> Account | None:
        await self._refresh(_FRESH_S)
        if account_id not in self._by_id:
            await self._refresh(_MISS_S)
        return self._by_id.get(account_id)

    async def every(self, provider: str, channel: str) -> dict[str, Account]:
        """One account of each vendor's account that has such numbers, by the vendor's id of it."""
        await self._refresh(_FRESH_S)
        mine = (one for one in self._by_id.values() if (one.provider, one.channel) == (provider, channel))
        return {one.keys.account_id: one for one in sorted(mine, key=lambda one: -one.id) if one.keys.account_id}

    async def secrets(self, provider: str, claimed: str) -> tuple[str, ...]:
        """Every secret that may have signed for the vendor's account `claimed`: those of accounts with keys of their own,
        the newest first, and those of the settings.

        Which of our accounts a request may then speak to, `is_opened_by` says; it depends on the one that has signed.
        """
        await self._refresh(_FRESH_S)
        own = self._secrets.get((provider, claimed), ())
        if claimed:
            own += self._secrets.get((provider, ""), ())
        return own + _shared_keys(self._settings, provider).secrets

    async def verify_tokens(self, provider: str) -> tuple[str, ...]:
        """The words by which the provider may show that it was told of us."""
        await self._refresh(_FRESH_S)
        return self._verify_tokens.get(provider, ()) + _shared_verify_tokens(self._settings, provider)

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
        self._by_address = {
            (one.provider, one.channel, one.provider_number): one for one in rows if one.provider_number
        }
        self._by_address |= {(one.provider, one.channel, one.address): one for one in rows}
        self._by_id = {one.id: one for one in rows}
        self._by_pool = {}
        for one in sorted(rows, key=lambda one: (not takes_replies(one.channel, one.address), one.id)):
            if one.sender_pool:
                pool = (one.provider, one.channel, one.keys.account_id, one.sender_pool)
                self._by_pool.setdefault(pool, []).append(one)
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
        verify_tokens: dict[str, tuple[str, ...]] = {}
        for row in db.execute(select(accounts).where(accounts.c.disconnected_at.is_(None))):
            keys = _shared_keys(self._settings, row.provider)
            if row.credentials:
                try:
                    own = self._sealer.unseal(row.credentials, tenant_id=row.tenant_id, field=CREDENTIALS)
                except SealBroken as broken:
                    log.error("account left out", account=row.id, reason=str(broken))
                    continue
                given = own if isinstance(own, dict) else {}
                keys = (_own_meta_keys if row.provider == "meta" else _own_keys)(given, keys)
                if token := given.get("verify_token"):
                    verify_tokens[row.provider] = (*verify_tokens.get(row.provider, ()), str(token))
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
                    keys=replace(
                        keys,
                        account_id=row.provider_account or keys.account_id,
                        service_id=row.provider_number or row.sender_pool or "",
                        shortens_links=row.shorten_links,
                    ),
                    is_active=row.is_active,
                    provider_number=row.provider_number or "",
                    widget=Widget.of(row.widget),
                    log_keeps=row.log_keeps,
                    window_template=window_template(row.window_template),
                    sender_pool=row.sender_pool or "",
                )
            )
        self._verify_tokens = verify_tokens
        return found


def window_template(kept: Mapping[str, str] | None) -> Template | None:
    """The template of an account's row, with an empty variable for the words."""
    return Template(kept["name"], kept["language"], {kept["variable"]: ""}) if kept else None


def _own_keys(given: Mapping[str, object], shared: AccountKeys) -> AccountKeys:
    """Keys out of unsealed credentials: `{"auth_tokens": [newest, …], "api_key", "api_secret"}`."""
    return AccountKeys(
        account_id="",
        secrets=_tokens(given),
        public_url=shared.public_url,
        user=str(given.get("api_key", "")),
        password=str(given.get("api_secret", "")),
    )


def _own_meta_keys(given: Mapping[str, object], shared: AccountKeys) -> AccountKeys:
    """The same for Meta: `{"app_secret", "auth_tokens": […], "access_token"}`.

    The secret is an app's, the token is a business's: one that has connected through our app brings its token alone. With
    an app of its own it needs both.
    """
    newest = str(given.get("app_secret", ""))
    secrets = tuple(dict.fromkeys(filter(None, (newest, *_tokens(given)))))
    token = str(given.get("access_token", ""))
    return replace(shared, secrets=secrets or shared.secrets, password=token or ("" if secrets else shared.password))


def _tokens(given: Mapping[str, object]) -> tuple[str, ...]:
    tokens = given.get("auth_tokens", [])
    return tuple(str(token) for token in tokens) if isinstance(tokens, list) else ()


def _shared_keys(settings: Settings, provider: str) -> AccountKeys:
    public_url = settings.server.public_url
    if provider == "twilio":
        twilio = settings.twilio
        return AccountKeys(twilio.account_sid, secrets=_several(twilio.auth_token), public_url=public_url)
    if provider == "meta":
        token = settings.meta.access_token.get_secret_value()
        return AccountKeys("", secrets=_several(settings.meta.app_secret), public_url=public_url, password=token)
    return AccountKeys(account_id="", public_url=public_url)


def _shared_verify_tokens(settings: Settings, provider: str) -> tuple[str, ...]:
    return _several(settings.meta.verify_token) if provider == "meta" else ()


def _several(secret: SecretStr) -> tuple[str, ...]:
    """More than one while one replaces another, with commas between them."""
    return tuple(filter(None, map(str.strip, secret.get_secret_value().split(","))))
