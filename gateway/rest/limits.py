"""How often somebody may call. Counted in memory, or in Redis for all processes together."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import structlog
from limits import RateLimitItem, parse_many
from limits.aio.storage import MemoryStorage, RedisStorage, Storage
from limits.aio.strategies import FixedWindowRateLimiter

from gateway.auth.principal import Principal
from gateway.settings import Settings

if TYPE_CHECKING:
    from redis.asyncio import ConnectionPool

log = structlog.get_logger()

# Where a lost counter must not open the door (promises R6).
FAILS_CLOSED: Final = frozenset({"sign_in", "sign_in_account", "sign_in_address"})

_BY_TENANT: Final = frozenset({"v1_ai_tenant"})
_BY_PERSON: Final = frozenset({"v1_ai_user"})


@dataclass(frozen=True, slots=True)
class Standing:
    """How a caller stands against the limit nearest to its end. `resets_at` is Unix time in whole seconds."""

    limit: int
    remaining: int
    resets_at: int
    is_over: bool = False
    retry_after_s: int = 0


class CountersAway(Exception):  # noqa: N818  the trade's word
    """The shared counters cannot be reached, and this door stays shut without them."""


def counted_by(policy: str, principal: Principal | None, address: str) -> str:
    """What a policy that a route names counts by: the tenant, the person (or program), or else the token."""
    if principal is None:
        return address
    if policy in _BY_TENANT:
        return str(principal.tenant_id)
    if policy in _BY_PERSON:
        return principal.user_uid or principal.key
    return principal.key


class Limits:
    """The policies of the settings, applied. One per process."""

    def __init__(self, settings: Settings) -> None:
        self._is_on = settings.limits.enabled
        self._policies = {
            name: parse_many(rule) for name, rule in settings.limits.model_dump().items() if name != "enabled" and rule
        }
        url = settings.redis.url
        self._local = FixedWindowRateLimiter(MemoryStorage())
        self._pool = _pool(url) if url else None
        self._shared = FixedWindowRateLimiter(_redis(url, self._pool)) if self._pool is not None else None

    async def close(self) -> None:
        """Let go of the shared counters."""
        if self._pool is not None:
            await self._pool.aclose()

    async def hit(self, wanted: Sequence[tuple[str, str]], *, own_per_minute: int | None = None) -> Standing | None:
        """Count one call against each (policy, key); None when nothing limits it.

        `own_per_minute` takes the place of the first policy: an app's own rate.

        Raises: CountersAway
        """
        if not self._is_on:
            return None
        worst: Standing | None = None
        for place, (policy, key) in enumerate(wanted):
            rules = self._policies.get(policy, ())
            if place == 0 and own_per_minute is not None:
                rules = parse_many(f"{own_per_minute}/minute")
            for rule in rules:
                standing = await self._one(rule, policy, key)
                if worst is None or (standing.is_over, -standing.remaining) > (worst.is_over, -worst.remaining):
                    worst = standing
        return worst

    async def forget(self, policy: str, key: str) -> None:
        """Start counting anew: a sign-in that worked is no attack."""
        for rule in self._policies.get(policy, ()):
            for limiter in (self._local, self._shared):
                if limiter is not None:
                    try:
                        await limiter.clear(rule, policy, key)
                    except Exception as away:  # noqa: BLE001  whatever the driver raises, the count just stays
                        log.warning("the shared counters are away", reason=type(away).__name__)

    async def _one(self, rule: RateLimitItem, policy: str, key: str) -> Standing:
        if self._shared is not None:
            try:
                return await _count(self._shared, rule, policy, key)
            except Exception as away:
                if policy in FAILS_CLOSED:
                    raise CountersAway(policy) from away
                log.warning("the shared counters are away", reason=type(away).__name__)
        return await _count(self._local, rule, policy, key)


async def _count(limiter: FixedWindowRateLimiter, rule: RateLimitItem, policy: str, key: str) -> Standing:
    is_allowed = await limiter.hit(rule, policy, key)
    stats = await limiter.get_window_stats(rule, policy, key)
    resets_at = math.ceil(stats.reset_time)
    wait_s = max(1, math.ceil(stats.reset_time - time.time()))
    return Standing(rule.amount, max(stats.remaining, 0), resets_at, not is_allowed, 0 if is_allowed else wait_s)


def _pool(url: str) -> "ConnectionPool":
    from redis.asyncio import ConnectionPool  # see `storage.bus`

    return ConnectionPool.from_url(url, socket_connect_timeout=1, socket_timeout=1)


def _redis(url: str, pool: "ConnectionPool") -> Storage:
    options: dict[str, Any] = {"connection_pool": pool}  # what the library's types leave out and its words allow
    return RedisStorage(f"async+{url}", implementation="redispy", key_prefix="frontdesk:limit", **options)
