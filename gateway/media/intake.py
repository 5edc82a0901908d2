"""Files that somebody sends us over HTTP, as the body itself or as a part of a form: taken in piece by piece."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

import structlog
from aiohttp import BodyPartReader, web

from desk import files
from desk.files import WHY, Contents
from gateway.context import House
from gateway.media.keep import Draft
from gateway.rest.problem import Flaw, Problem
from storage.blobs import Unavailable
from storage.store import StoreUnavailable

log = structlog.get_logger()

_PIECE: Final = 64 * 1024
_PARTS: Final = 10  # of a form that are looked through for a file


@dataclass(frozen=True, slots=True)
class Taken:
    """`name` and `claimed_type` are what the sender says."""

    contents: Contents
    name: str
    claimed_type: str


@contextlib.asynccontextmanager
async def taken(house: House, request: web.Request, tenant_id: int, *, most_bytes: int) -> AsyncIterator[Taken]:
    """The file in the request, which lies in the store by now; of a picture nothing is there but what is to be seen.

    Raises: Problem, when there is none, it is empty, too large, or of a kind that is not kept
    """
    if (request.content_length or 0) > most_bytes + _PIECE:  # a form has more than the file
        raise _too_large(most_bytes)
    async with house.keeper.draft() as draft:
        name, claimed_type = await _read(request, draft, most_bytes)
        if not draft.size:
            raise _flaw("empty")
        content_type = await house.keeper.type_of(draft)
        if content_type in house.settings.media.refused_types:
            raise _flaw("refused")
        await draft.bare(content_type)
        try:
            contents = await house.keeper.keep(draft, tenant_id)
        except Unavailable as away:
            log.warning("a file cannot be kept", why=str(away))
            raise Problem(503, "Files cannot be kept just now; please try again.", code="UNAVAILABLE") from None
        try:
            yield Taken(contents, name, claimed_type)
        except BaseException:
            # Nobody has it after all, unless the same was there before.
            with contextlib.suppress(StoreUnavailable):
                await house.store.write(files.forget, tenant_id, [contents.sha256], now=house.clock.now())
            raise
        await house.keeper.make_sure(draft, tenant_id)


async def _read(request: web.Request, draft: Draft, most_bytes: int) -> tuple[str, str]:
    """Name and type of the file as the sender says them, once it is in the draft."""
    if request.content_type != "multipart/form-data":
        async for piece in request.content.iter_chunked(_PIECE):
            await _add(draft, piece, most_bytes)
        return "", request.headers.get("Content-Type", "")
    try:
        form = await request.multipart()
        for _ in range(_PARTS):
            part = await form.next()
            if isinstance(part, BodyPartReader) and part.filename is not None:
                while piece := await part.read_chunk(_PIECE):
                    await _add(draft, piece, most_bytes)
                return part.filename, part.headers.get("Content-Type", "")
            if part is None:
                break
            await part.release()
    except (ValueError, LookupError, AssertionError):
        raise Problem(400, "The form cannot be read.") from None
    raise Problem(422, "There is no file in the form.", flaws=[Flaw(("body", "file"), "is missing", "missing")])


async def _add(draft: Draft, piece: bytes, most_bytes: int) -> None:
    await draft.add(piece)
    if draft.size > most_bytes:
        raise _too_large(most_bytes)


def _too_large(most_bytes: int) -> Problem:
    return Problem(413, f"A file has at most {most_bytes / 1024 / 1024:.4g} MB.", code="TOO_LARGE")


def _flaw(why: str) -> Problem:
    return Problem(422, WHY[why], flaws=[Flaw(("body", "file"), WHY[why], "value_error")])
