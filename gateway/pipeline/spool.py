"""Messages that came while the database was away: kept on disk, handled when it is back.

A line is on the disk before the provider hears 2xx. What was handled already is recognised by its provider id, so
reading a file twice (a crash between handling and deleting) does nothing twice.
"""

import asyncio
import base64
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog

from channels.base import Request
from storage.base import JsonValue
from storage.seal import Sealer

log = structlog.get_logger()

_NOBODYS = 0  # a request may be about several tenants
_FIELD = "spool"
_FILE_BYTES = 8 * 1024 * 1024  # then a new file is begun, so that a long outage does not make one huge file


@dataclass(frozen=True, slots=True)
class Spooled:
    """A verified request of a provider, as it came."""

    provider: str
    channel: str
    account_id: int
    request: Request
    received_at: datetime


class Spool:
    """A folder of files, a sealed request in each line: they hold customers' words and the tokens of their sessions."""

    def __init__(self, folder: Path, sealer: Sealer) -> None:
        self._folder = folder
        self._sealer = sealer
        self._lock = asyncio.Lock()
        self._number = 0

    async def add(self, provider: str, channel: str, account_id: int, request: Request, received_at: datetime) -> None:
        """Keep a request; it is on the disk when this returns.

        Raises: OSError when it cannot be written; the provider must hear that we do not have it.
        """
        kept: dict[str, JsonValue] = {
            "provider": provider,
            "channel": channel,
            "account_id": account_id,
            "method": request.method,
            "url": request.url,
            "headers": dict(request.headers),
            "body": base64.b64encode(request.body).decode(),
            "received_at": received_at.isoformat(),
        }
        line = self._sealer.seal(kept, tenant_id=_NOBODYS, field=_FIELD)
        async with self._lock:
            await asyncio.to_thread(self._append, line.encode())

    def is_empty(self) -> bool:
        """True when nothing waits."""
        return not any(self._files())

    def waiting(self) -> Iterator[tuple[Path, list[Spooled]]]:
        """The files, oldest first, with what is in them; delete each with `done` once it is handled."""
        for path in self._files():
            yield path, list(_read(path, self._sealer))

    def done(self, path: Path) -> None:
        path.unlink()

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("*.jsonl")) if self._folder.is_dir() else []

    def _append(self, line: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        files = self._files()
        path = files[-1] if files and files[-1].stat().st_size < _FILE_BYTES else self._fresh(files)
        with path.open("ab") as file:
            file.write(line + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def _fresh(self, files: list[Path]) -> Path:
        last = int(files[-1].stem) if files else self._number
        self._number = last + 1
        return self._folder / f"{self._number:012d}.jsonl"


def _read(path: Path, sealer: Sealer) -> Iterator[Spooled]:
    for line in path.read_bytes().splitlines():
        try:
            kept: Any = sealer.unseal(line.decode(), tenant_id=_NOBODYS, field=_FIELD)
            request = Request.read(
                kept["method"], kept["url"], kept["headers"], base64.b64decode(kept["body"], validate=True)
            )
            yield Spooled(
                kept["provider"],
                kept["channel"],
                kept["account_id"],
                request,
                datetime.fromisoformat(kept["received_at"]),
            )
        except (ValueError, KeyError, TypeError):
            # Only the last line can be torn, and its sender never heard 2xx. Or the key that sealed it is gone.
            log.warning("line of the spool cannot be read", file=path.name)
