"""One request, as a route's handler sees it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv6Network, ip_address
from typing import Concatenate, ParamSpec, TypeVar

from aiohttp import web

from desk.who import Actor
from gateway.auth.principal import Principal
from gateway.context import House
from gateway.media.links import Show
from gateway.rest import idempotency
from gateway.rest.idempotency import Promise
from gateway.rest.problem import unauthorized
from storage.base import Db

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(slots=True)
class Call:
    """`address` is the caller's IP. `headers` are added to the answer. `promise` belongs to an Idempotency-Key."""

    house: House
    request: web.Request
    address: str
    request_id: str
    now: datetime
    principal: Principal | None
    promise: Promise | None = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def caller(self) -> Principal:
        """Who calls, on a route that asks for somebody.

        Raises: Problem
        """
        if self.principal is None:
            raise unauthorized()
        return self.principal

    @property
    def counted_address(self) -> str:
        """What limits count the caller's address as."""
        return counted_address(self.address)

    @property
    def show(self) -> Show:
        """What messages are shown with."""
        may_hear = self.principal is not None and self.principal.may("recordings:read")
        return Show(self.house.links, self.now, may_hear)

    @property
    def actor(self) -> Actor:
        return self.caller.actor

    async def read(self, fn: Callable[Concatenate[Db, Actor, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`fn(db, who, …)` on a consistent view."""
        return await self.house.store.read(fn, self.actor, *args, **kwargs)

    async def write(self, fn: Callable[Concatenate[Db, Actor, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `fn(db, who, …)` returns, committed together with the promise to do this only once."""

        def keep(db: Db) -> T:
            if self.promise is not None:
                idempotency.begin(db, self.promise, now=self.now)
            return fn(db, self.actor, *args, **kwargs)

        result = await self.house.store.write(keep)
        if self.promise is not None:
            self.promise.is_begun = True
        return result


def counted_address(address: str) -> str:
    """What an address counts as where calls are limited: of IPv6 its /64.

    Whoever has one such address has all 2⁶⁴ beside it (RFC 6177, RFC 7421). IPv4 in IPv6 clothes counts as itself.
    """
    try:
        ip = ip_address(address)
    except ValueError:
        return address
    if ip.version == 4:
        return str(ip)
    return str(ip.ipv4_mapped or IPv6Network((int(ip), 64), strict=False))


def caller_address(request: web.Request, house: House) -> str:
    """The caller's IP: that of the connection, or what a trusted proxy says stood before it."""
    proxies = house.settings.server.trusted_proxies
    address = request.remote or ""
    if not proxies:
        return address
    hops = [hop.strip() for hop in ",".join(request.headers.getall("X-Forwarded-For", [])).split(",") if hop.strip()]
    try:
        # From the nearest hop on: the first that is no proxy of ours is who called. What stands before it anybody can write.
        while hops and any(ip_address(address) in network for network in proxies):
            address = str(ip_address(hops.pop()))
    except ValueError:
        return request.remote or ""
    return address
