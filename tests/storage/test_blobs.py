"""The store of contents: one contract, held by a folder and by a bucket of a server that speaks S3, over real HTTP."""

import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from gateway.media.keep import Keeper
from storage import blobs
from storage.blobs import Blobs, Folder, Missing, Unavailable, name_of, thumbnail_of
from storage.bucket import Bucket
from tests.storage import s3

LATER = datetime.now(UTC) + timedelta(days=1)


@contextlib.asynccontextmanager
async def _bucket() -> AsyncIterator[tuple[Bucket, s3.Line]]:
    async with s3.served() as line:
        bucket = Bucket(
            s3.BUCKET, endpoint=line.endpoint, region="us-east-1", access_key="key", secret_key="word", prefix="desk/",
            tries=1,
        )  # fmt: skip
        try:
            yield bucket, line
        finally:
            await bucket.close()


@pytest.fixture(params=["folder", "bucket"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Blobs]:
    if request.param == "folder":
        yield Folder(tmp_path / "files")
        return
    async with _bucket() as (bucket, _):
        yield bucket


async def _read(store: Blobs, name: str, **part: int) -> bytes:
    return b"".join([piece async for piece in store.read(name, **part)])


async def _names(store: Blobs, than: datetime = LATER, **more: str) -> list[str]:
    return [name async for page in store.older(than, **more) for name in page]


def _file(tmp_path: Path, content: bytes) -> tuple[str, Path]:
    path = tmp_path / sha256(content).hexdigest()
    path.write_bytes(content)
    return path.name, path


async def test_a_store_keeps_hands_out_lists_and_forgets(store: Blobs, tmp_path: Path) -> None:
    content = bytes(range(256)) * 3000  # three pieces
    digest, path = _file(tmp_path, content)
    name, small = name_of(7, digest), thumbnail_of(7, digest)
    assert not await store.has(name)
    with pytest.raises(Missing):
        await _read(store, name)
    assert await _names(store) == []
    for _ in range(2):
        await store.put(name, path)
    await store.put(small, path)
    assert await store.has(name)
    assert await _read(store, name) == content
    assert await _read(store, name, start=5, size=3) == content[5:8]
    assert await _read(store, name, start=len(content) - 4) == content[-4:]
    assert await _names(store) == [name, small]
    assert await _names(store, after=name) == [small]
    assert await _names(store, datetime.now(UTC) - timedelta(days=1)) == []
    await store.move(small, blobs.aside(small))
    await store.move(small, blobs.aside(small))  # it is there no more, and stays where it is
    assert await _names(store) == [name, blobs.aside(small)]
    assert [blobs.digest_of(one) for one in await _names(store)] == [(7, digest)] * 2
    assert [blobs.digest_of(one) for one in ("", "7", "x/ab/abcd", f"{name_of(7, digest)[2:]}", "²/ab/abcd")] == [
        None
    ] * 5
    await store.drop([name, blobs.aside(small), "7/no/nothing"])
    assert await _names(store) == []


async def test_trouble_of_a_bucket_is_said_in_words_and_loses_nothing(tmp_path: Path) -> None:
    content = b"voice note" * 100_000
    digest, path = _file(tmp_path, content)
    name = name_of(7, digest)
    troubles = {
        "403 AccessDenied": "The bucket refuses us: the key may not do this.",
        "403 SignatureDoesNotMatch": "The bucket refuses our signature (s3.secret_key).",
        "404 NoSuchBucket": "There is no bucket of that name (s3.bucket).",
        "500 InternalError": "The bucket answers with InternalError.",
        "503 SlowDown": "The bucket asks us to slow down.",
        "silent": "The bucket does not answer (",
    }
    async with _bucket() as (bucket, line):
        for fault, said in troubles.items():
            tries: list[Callable[[], Awaitable[object]]] = [
                lambda: bucket.put(name, path),
                lambda: _read(bucket, name),
                lambda: bucket.drop([name]),
                lambda: _names(bucket),
                lambda: bucket.move(name, blobs.aside(name)),
            ]
            for one in tries:
                line.faults = [fault, fault]  # who finds the line closed asks once more by another
                with pytest.raises(Unavailable) as raised:
                    await one()
                assert str(raised.value).startswith(said), fault
            line.faults = []
            assert not await bucket.has(name)
        await bucket.put(name, path)
        line.faults = ["cut"]
        with pytest.raises(Unavailable):
            await _read(bucket, name)
        assert await _read(bucket, name) == content


class Desk:
    """The rows that name contents, and what happens just before or after somebody reads them."""

    def __init__(self) -> None:
        self.named: set[str] = set()
        self.then: dict[int, Callable[[], Awaitable[None]]] = {}
        self.looks = 0

    async def unneeded(self, digests: Collection[str]) -> set[str]:
        self.looks += 1
        found = set(digests) - self.named
        if then := self.then.get(self.looks):
            await then()
        return found


@pytest.mark.parametrize("look", [1, 2])
@pytest.mark.parametrize("steps", ["stored and named", "stored, named later", "only named"])
async def test_what_is_cleared_up_while_somebody_keeps_the_same_is_there_in_the_end(
    store: Blobs, tmp_path: Path, look: int, steps: str
) -> None:
    """Whoever looks for contents that nobody needs may do so before, between or after the two steps of one who keeps them."""
    keeper, desk, content = Keeper(store, tmp_path / "incoming"), Desk(), b"the same contents"
    async with keeper.draft() as first:
        await first.add(content)
        digest = (await keeper.keep(first, 7)).sha256
    async with keeper.draft() as second:
        await second.add(content)
        await second.whole()

        async def keep() -> None:
            if steps != "only named":
                await keeper.keep(second, 7)
            if steps != "stored, named later":
                desk.named.add(digest)
                await keeper.make_sure(second, 7)

        if steps == "only named":
            await keeper.keep(second, 7)
        desk.then[look] = keep
        await keeper.clear(7, [digest], desk.unneeded)
        desk.named.add(digest)
        await keeper.make_sure(second, 7)
    assert await _read(store, name_of(7, digest)) == content
    assert [name for name in await _names(store) if blobs.is_aside(name)] == []
    desk.named.clear()
    assert await keeper.clear(7, [digest], desk.unneeded) == 1
    assert await _names(store) == []


def test_half_written_contents_are_told_from_whole_ones(tmp_path: Path) -> None:
    digest, path = _file(tmp_path, b"x")
    assert blobs.is_half(f"{name_of(7, digest)}.{os.getpid()}.{path.name}.part")
    assert not blobs.is_half(thumbnail_of(7, digest))
