"""How a file that a customer sent is fetched from the vendor who keeps it: plain facts, no I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable
from urllib.parse import urlsplit

from channels.base import AccountKeys
from channels.messages import Media

# Hosts by name; one that begins with a dot stands for everything below it.
Hosts = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Located:
    """Where a file lies. `headers` hold the vendor's key: they go to `url` and nowhere else, while a redirect may lead to
    any of `hosts`. `sha256` (hex) and `size` are what the vendor says, where it says so.
    """

    url: str
    hosts: Hosts
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    sha256: str = ""
    size: int | None = None


@runtime_checkable
class KeepsFiles(Protocol):
    """An adapter whose vendor keeps what customers send until we fetch it."""

    async def locate(self, media: Media, *, keys: AccountKeys) -> Located:
        """Where the file is to be had just now.

        Raises:
            SendError: `content` when it is gone or not the vendor's; otherwise another try may find it.
        """
        ...


def is_at(url: str, hosts: Hosts) -> bool:
    """Whether `url` leads to one of the hosts."""
    host = host_of(url)
    return any(host.endswith(one) if one.startswith(".") else host == one for one in hosts if one)


def host_of(url: str) -> str:
    """The host of an address; empty when it has none."""
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""
