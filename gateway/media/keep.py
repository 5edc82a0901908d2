"""Takes a file in, piece by piece: onto our disk, looked at there, and into the blob store."""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from datetime import datetime
from pathlib import Path
from typing import IO, Final

import structlog

from desk.files import Contents
from gateway.media import bare, look
from gateway.workshop import TooLong, Workshop
from storage.base import new_uid
from storage.blobs import Blobs, aside, name_of, thumbnail_of

log = structlog.get_logger()

_AT_ONCE: Final = 1  # pictures that are unpacked: each takes memory
_PATIENCE_S: Final = 20.0


class Draft:
    """A file that is being taken in. Feed it to `add`."""

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        self.path: Final = path
        self.size = 0
        self._file = file
        self._seen = hashlib.sha256()

    async def add(self, piece: bytes) -> None:
        self.size += len(piece)
        self._seen.update(piece)
        await asyncio.to_thread(self._file.write, piece)

    async def whole(self) -> None:
        """That was all of it."""
        await asyncio.to_thread(self._file.flush)

    async def bare(self, content_type: str) -> None:
        """A picture loses what a camera wrote into it, such as the place (`gateway.media.bare`)."""
        if bare.is_for(content_type):
            await self.whole()
            await asyncio.to_thread(self._bare, content_type)

    def _bare(self, content_type: str) -> None:
        data = bare.of(self.path.read_bytes(), content_type)
        self.path.write_bytes(data)
        self.size, self._seen = len(data), hashlib.sha256(data)

    @property
    def sha256(self) -> str:
        return self._seen.hexdigest()


class Keeper:
    """One per process. Drafts lie in `folder` and are gone when they are done with."""

    def __init__(self, blobs: Blobs, folder: Path) -> None:
        self.blobs: Final = blobs
        self._folder = folder
        self._workshop = Workshop(at_once=_AT_ONCE, patience_s=_PATIENCE_S)

    @contextlib.asynccontextmanager
    async def draft(self) -> AsyncIterator[Draft]:
        """An empty file to fill."""
        path = self._folder / new_uid()
        await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
        file = await asyncio.to_thread(path.open, "wb")
        try:
            yield Draft(path, file)
        finally:
            await asyncio.to_thread(_drop, file, path, _small(path))

    async def keep(self, draft: Draft, tenant_id: int) -> Contents:
        """What is in the file, once it lies in the store for good."""
        await draft.whole()
        looked = await self._look(draft)
        await self.blobs.put(name_of(tenant_id, draft.sha256), draft.path)
        if looked.has_thumbnail:
            await self.blobs.put(thumbnail_of(tenant_id, draft.sha256), _small(draft.path))
        return Contents(
            draft.sha256,
            draft.size,
            kind=looked.kind,
            content_type=looked.content_type,
            width=looked.width,
            height=looked.height,
            has_thumbnail=looked.has_thumbnail,
        )

    async def make_sure(self, draft: Draft, tenant_id: int) -> None:
        """Call it once a row names the contents: they lie in the store, whoever has cleared it up meanwhile (`clear`)."""
        wanted = [
            (name_of(tenant_id, draft.sha256), draft.path),
            (thumbnail_of(tenant_id, draft.sha256), _small(draft.path)),
        ]
        for name, path in wanted:
            if await asyncio.to_thread(path.exists) and not await self.blobs.has(name):
                await self.blobs.put(name, path)

    async def clear(
        self, tenant_id: int, digests: Collection[str], unneeded: Callable[[Collection[str]], Awaitable[set[str]]]
    ) -> int:
        """How many of these contents were removed, because no row names them.

        Somebody may just be keeping the same contents. So they are put aside first and it is asked once more: who has
        written a row by then gets them back, and who writes it later finds them gone and puts them there (`make_sure`).
        """
        gone = await unneeded(digests)
        names = {one: (name_of(tenant_id, one), thumbnail_of(tenant_id, one)) for one in sorted(digests)}
        for one in gone:
            for name in names[one]:
                await self.blobs.move(name, aside(name))
        gone &= await unneeded(gone)
        for one in set(digests) - gone:  # also what somebody before us has put aside, and then died
            for name in names[one]:
                await self.blobs.move(aside(name), name)
        await self.blobs.drop([aside(name) for one in sorted(gone) for name in names[one]])
        return len(gone)

    async def drop_drafts(self, before: datetime) -> None:
        """Remove the drafts of processes that were killed."""
        await asyncio.to_thread(_drop_older, self._folder, before.timestamp())

    async def type_of(self, draft: Draft) -> str:
        """The content type that its bytes prove."""
        await draft.whole()
        return await asyncio.to_thread(look.type_of, draft.path)

    async def _look(self, draft: Draft) -> look.Looked:
        try:
            return await self._workshop.do(lambda check: look.at(draft.path, _small(draft.path), check))
        except TooLong:
            log.warning("a picture took too long to look at", size=draft.size)
        except Exception:  # what strangers send meets the library's own mistakes, and is kept all the same
            log.exception("a picture cannot be looked at", size=draft.size)
            await asyncio.to_thread(_small(draft.path).unlink, missing_ok=True)
        return look.Looked(await asyncio.to_thread(look.type_of, draft.path))


def _small(path: Path) -> Path:
    return path.with_suffix(".webp")


def _drop(file: IO[bytes], *paths: Path) -> None:
    file.close()
    for path in paths:
        path.unlink(missing_ok=True)


def _drop_older(folder: Path, than: float) -> None:
    for path in folder.glob("*"):
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime < than:
                path.unlink()
