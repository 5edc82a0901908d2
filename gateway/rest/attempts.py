"""How often somebody may try to get in: by address, by account, and by both together. Lost counters keep the door shut."""

from collections.abc import Sequence

from gateway.auth.tokens import digest
from gateway.rest.call import Call
from gateway.rest.dispatch import limit_headers, over_limit
from gateway.rest.limits import CountersAway
from gateway.rest.problem import Problem


async def count(call: Call, account: str) -> None:
    """Count one try for `account` (an e-mail, a client id, a link's secret) from the caller's address.

    Raises: Problem
    """
    both = f"{call.counted_address}|{_short(account)}"
    await _hit(call, (("sign_in", both), ("sign_in_address", call.counted_address)))


async def count_stranger(call: Call, account: str) -> None:
    """Count one try from an address that this account has not been used from, over all such addresses.

    Its owner gets in from where they usually are, however many guess elsewhere.

    Raises: Problem
    """
    await _hit(call, (("sign_in_account", _short(account)),))


async def forget(call: Call, account: str) -> None:
    """It worked, so those before were no attack. The address's own count stays: others are guessed at from there too."""
    await call.house.limits.forget("sign_in", f"{call.counted_address}|{_short(account)}")
    await call.house.limits.forget("sign_in_account", _short(account))


async def _hit(call: Call, wanted: Sequence[tuple[str, str]]) -> None:
    try:
        standing = await call.house.limits.hit(wanted)
    except CountersAway:
        raise Problem(
            503, "Signing in is not possible for a moment; please try again.", headers={"Retry-After": "5"}
        ) from None
    if standing is None:
        return
    if standing.is_over:
        raise over_limit(standing)
    left = int(call.headers.get("X-RateLimit-Remaining", standing.remaining))
    if standing.remaining <= left:
        call.headers.update(limit_headers(standing))


def _short(account: str) -> str:
    """Nobody's e-mail is written into the counters, and however long it is, the key is not."""
    return digest(account)[:32]
