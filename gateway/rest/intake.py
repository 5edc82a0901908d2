"""Files that a client sends as the body: taken in piece by piece, never as a whole."""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator
from typing import IO, Final

from gateway.jobs.transfers import LARGEST, file_of
from gateway.rest.call import Call
from gateway.rest.problem import Problem
from storage.base import new_uid

_CSV: Final = frozenset({"text/csv", "application/csv", "application/vnd.ms-excel"})
_PIECE: Final = 64 * 1024


@contextlib.asynccontextmanager
async def saved_csv(call: Call) -> AsyncIterator[str]:
    """The new id under which the body now lies as a file; when the block fails it is removed again.

    A promise to do this once is from now on about this file: another one with the same key is another request.

    Raises: Problem, when it is no CSV, empty, or too large
    """
    request = call.request
    if request.content_type not in _CSV:
        raise Problem(415, "Send the file itself as the body, with `Content-Type: text/csv`.")
    if (request.content_length or 0) > LARGEST:
        raise _too_large()
    uid = new_uid()
    path = file_of(call.house, uid)
    await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
    try:
        with await asyncio.to_thread(path.open, "wb") as file:
            seen = await _copy(call, file)
        promised(call, seen)
        yield uid
    except BaseException:
        await asyncio.to_thread(path.unlink, missing_ok=True)
        raise


def promised(call: Call, seen: bytes) -> None:
    """A promise to do this once is from now on about the file with this digest."""
    if call.promise is not None:
        call.promise.digest = call.house.sealer.mark(call.promise.digest.encode() + seen)


async def _copy(call: Call, file: IO[bytes]) -> bytes:
    """The digest of what was written."""
    size, seen = 0, hashlib.sha256()
    async for piece in call.request.content.iter_chunked(_PIECE):
        size += len(piece)
        if size > LARGEST:
            raise _too_large()
        seen.update(piece)
        await asyncio.to_thread(file.write, piece)
    if size == 0:
        raise Problem(422, "The file is empty.")
    return seen.digest()


def _too_large() -> Problem:
    return Problem(413, f"A file has at most {LARGEST // 1024 // 1024} MB; send it in several.")
