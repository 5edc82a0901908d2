"""Which addresses may be asked when somebody else says where: public ones, and what the settings let through."""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final

from yarl import URL

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

LONGEST: Final = 2000


class BadAddress(ValueError):  # noqa: N818  addresses.BadAddress says it
    """It may not be asked; the text says why, for people."""


@dataclass(frozen=True, slots=True)
class Rules:
    """`allow_private` is for a developer's own machine: private networks, this machine, and http. `allowed` are networks
    that may be asked although they are private. Neither opens what is in `_NEVER`.
    """

    allow_private: bool = False
    allowed: Sequence[Network] = ()

    def url(self, text: str) -> URL:
        """`text`, read once for checking and for asking, so that both mean the same host.

        Raises: BadAddress
        """
        if len(text) > LONGEST:
            raise BadAddress(f"An address has at most {LONGEST} characters.")
        if _ODD.search(text):
            raise BadAddress("An address has no spaces, backslashes or control characters.")
        try:
            url = URL(text)
        except ValueError:
            raise BadAddress("This is not a web address, such as https://example.com/hook.") from None
        if url.scheme != "https" and not (url.scheme == "http" and self.allow_private):
            raise BadAddress("An address begins with https://.")
        if url.raw_user is not None or url.raw_password is not None:
            raise BadAddress("An address holds no user name or password.")
        if url.explicit_port == 0:
            raise BadAddress("A port is a number from 1 to 65535.")
        self._host(url.raw_host or "")
        return url

    def may_ask(self, address: Address) -> bool:
        """Whether a connection to `address` may be opened."""
        inner = _inner(address)
        if any(inner in network for network in _NEVER if network.version == inner.version):
            return False
        if self.allow_private or any(inner in network for network in self.allowed if network.version == inner.version):
            return True
        return _is_public(inner)

    def _host(self, host: str) -> None:
        """Raises: BadAddress"""
        try:
            literal = ipaddress.ip_address(host)
        except ValueError:
            literal = None
        if literal is not None:
            if not self.may_ask(literal) or getattr(literal, "scope_id", None):
                raise BadAddress(NOT_PUBLIC)
            return
        labels = host.removesuffix(".").split(".")
        if len(host) > _LONGEST_HOST or not all(_LABEL.fullmatch(label) for label in labels):
            raise BadAddress("This address has no host that can be found.")
        if _NUMBER.fullmatch(labels[-1]):  # 127.1, 0x7f.1, 2130706433: libraries read them as addresses
            raise BadAddress("Write an IP address as four numbers with dots, or use a name.")
        if labels[-1] == "localhost" and not self.allow_private:
            raise BadAddress(NOT_PUBLIC)


NOT_PUBLIC: Final = "This address is not on the public internet."

_LONGEST_HOST = 253
_ODD = re.compile(r"[\x00-\x20\\\x7f-\xa0\u2028\u2029\ufeff]")
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")

# Metadata of the clouds (AWS, Google, Azure, Alibaba, Oracle), and what is no single host: not even for a developer.
_NEVER: Final[Sequence[Network]] = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8 169.254.0.0/16 168.63.129.16/32 100.100.100.200/32 192.0.0.192/32 224.0.0.0/4 240.0.0.0/4 "
        "::/128 fe80::/10 fec0::/10 ff00::/8 fd00:ec2::/32 fd20:ce::/32"
    ).split()
)
# The standard library takes these for public, or knows them only in newer versions.
_NOT_PUBLIC: Final[Sequence[Network]] = tuple(
    ipaddress.ip_network(network)
    for network in (
        "100.64.0.0/10 192.0.0.0/24 192.88.99.0/24 198.18.0.0/15 "
        "64:ff9b:1::/48 100::/64 2001::/23 2001:db8::/32 2002::/16 3fff::/20 5f00::/16"
    ).split()
)
_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
_COMPATIBLE = IPv6Network("::/96")


def _inner(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, where it does."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address if _is_public(address.sixtofour) else address.sixtofour
    if address in _NAT64 or (address in _COMPATIBLE and int(address) > 1):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _is_public(address: Address) -> bool:
    if any(address in network for network in _NOT_PUBLIC if network.version == address.version):
        return False
    if isinstance(address, IPv6Address) and address not in _UNICAST:
        return False
    return address.is_global and not address.is_multicast
