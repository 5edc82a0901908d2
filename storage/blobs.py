"""Where the contents of files lie: under names made of the tenant and the content's own digest, in a folder of ours or in
a bucket (`storage.bucket`). The same content of one tenant lies there once; two tenants share nothing.
"""

import asyncio
import contextlib
import os
import shutil
from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

PIECE: Final = 256 * 1024  # bytes that are read in one go
PAGE: Final = 500  # names that are listed in one go
_ASIDE: Final = ".aside"
_PART: Final = ".part"


class Missing(Exception):  # noqa: N818  blobs.Missing says it
    """There is no such content (any more)."""


class Unavailable(OSError):  # noqa: N818  blobs.Unavailable says it
    """The store does not answer, or refuses us. It has lost nothing, and another try may find it well again."""


class Blobs(Protocol):
    """A store of contents. Names are those of `name_of`, `thumbnail_of` and `sound_of`, and nothing that came from outside.

    Everything raises `Unavailable` (or another OSError, of a disk) when the store cannot be used just now.
    """

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

    async def has(self, name: str) -> bool:
        """Whether it is there."""
        ...

    async def move(self, name: str, to: str) -> None:
        """Give contents another name; what is not there is no trouble."""
        ...

    def older(self, than: datetime, *, after: str = "") -> AsyncIterator[list[str]]:
        """The names behind `after` of what was put there before then, sorted, a page at a time."""
        ...

    async def close(self) -> None: ...


def name_of(tenant_id: int, sha256: str) -> str:
    return f"{tenant_id}/{sha256[:2]}/{sha256}"


def thumbnail_of(tenant_id: int, sha256: str) -> str:
    """The name of the small picture made from that content."""
    return f"{name_of(tenant_id, sha256)}.thumbnail"


def sound_of(tenant_id: int, key: str) -> str:
    """The name of something that we say: no file of anybody's, and none of a row in `files` (`digest_of` is None)."""
    return f"{tenant_id}/sounds/{key[:2]}/{key}"


def aside(name: str) -> str:
    """What contents are called while it is looked whether somebody needs them after all."""
    return name + _ASIDE


def digest_of(name: str) -> tuple[int, str] | None:
    """The tenant and the SHA-256 in a name of ours, whichever it is; None when it is none."""
    tenant, _, rest = name.partition("/")
    digest = rest.rpartition("/")[2].partition(".")[0]
    if not (tenant.isascii() and tenant.isdigit()) or not name.startswith(name_of(int(tenant), digest)):
        return None
    return int(tenant), digest


def is_aside(name: str) -> bool:
    """Whether it was put aside."""
    return name.endswith(_ASIDE)


def is_half(name: str) -> bool:
    """Whether that is the beginning of contents whose writer has died."""
    return name.endswith(_PART)


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

    async def has(self, name: str) -> bool:
        return await asyncio.to_thread((self._root / name).exists)

    async def move(self, name: str, to: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            await asyncio.to_thread((self._root / name).replace, self._root / to)

    async def older(self, than: datetime, *, after: str = "") -> AsyncIterator[list[str]]:
        found = self._older(than.timestamp(), after)
        while page := await asyncio.to_thread(next, found, None):
            yield page

    async def close(self) -> None:
        """Nothing is open."""

    def _older(self, than: float, after: str) -> Iterator[list[str]]:
        page: list[str] = []
        for folder, below, names in os.walk(self._root):
            below.sort()
            for name in sorted(names):
                path = Path(folder, name)
                found = path.relative_to(self._root).as_posix()
                with contextlib.suppress(FileNotFoundError):
                    if found > after and path.stat().st_mtime < than:
                        page.append(found)
                if len(page) == PAGE:
                    yield page
                    page = []
        if page:
            yield page

    def _put(self, target: Path, path: Path) -> None:
        """Whoever looks sees all of it or nothing, also after a power cut."""
        if target.exists():
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        half = target.with_name(f"{target.name}.{os.getpid()}.{path.name}{_PART}")
        shutil.copyfile(path, half)
        with half.open("rb") as file:
            os.fsync(file.fileno())
        half.replace(target)
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
