"""Where the contents of files lie: under names made of the tenant and the content's own digest, in a folder of ours or in
a bucket (`storage.bucket`). The same content of one tenant lies there once; two tenants share nothing.
"""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Final, Protocol

PIECE: Final = 256 * 1024  # bytes that are read in one go


class Missing(Exception):  # noqa: N818  blobs.Missing says it
    """There is no such content (any more)."""


class Blobs(Protocol):
    """A store of contents. Names are those of `name_of` and `thumbnail_of`, and nothing that came from outside."""

    async def put(self, name: str, path: Path) -> None:
        """Keep a copy of the file at `path`, for good when this returns. What is there already stays."""
        ...

    def read(self, name: str, *, start: int = 0, size: int | None = None) -> AsyncIterator[bytes]:
        """The content from `start` on, all of it or `size` bytes, in pieces.

        Raises: Missing
        """
        ...

    async def drop(self, names: Iterable[str]) -> None:
        """Forget these; what is not there is no trouble."""
        ...

    async def close(self) -> None: ...


def name_of(tenant_id: int, sha256: str) -> str:
    return f"{tenant_id}/{sha256[:2]}/{sha256}"


def thumbnail_of(tenant_id: int, sha256: str) -> str:
    """The name of the small picture made from that content."""
    return f"{name_of(tenant_id, sha256)}.thumbnail"


class Folder:
    """Contents as files below one folder; what several processes share has to be a disk that they share."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def put(self, name: str, path: Path) -> None:
        await asyncio.to_thread(self._put, self._root / name, path)

    async def read(self, name: str, *, start: int = 0, size: int | None = None) -> AsyncIterator[bytes]:
        try:
            file = await asyncio.to_thread((self._root / name).open, "rb")
        except FileNotFoundError:
            raise Missing(name) from None
        try:
            await asyncio.to_thread(file.seek, start)
            left = size
            while left is None or left > 0:
                piece = await asyncio.to_thread(file.read, PIECE if left is None else min(PIECE, left))
                if not piece:
                    return
                left = None if left is None else left - len(piece)
                yield piece
        finally:
            file.close()

    async def drop(self, names: Iterable[str]) -> None:
        for name in names:
            await asyncio.to_thread((self._root / name).unlink, missing_ok=True)

    async def close(self) -> None:
        """Nothing is open."""

    def _put(self, target: Path, path: Path) -> None:
        """Whoever looks sees all of it or nothing, also after a power cut."""
        if target.exists():
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        half = target.with_name(f"{target.name}.{os.getpid()}.{path.name}.part")
        shutil.copyfile(path, half)
        with half.open("rb") as file:
            os.fsync(file.fileno())
        half.replace(target)
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
