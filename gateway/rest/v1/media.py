"""`/media`: files that are sent here to be used in messages, and every file by its id."""

from typing import Annotated

from pydantic import Field

from desk import files
from gateway.media import intake
from gateway.rest.call import Call
from gateway.rest.intake import promised
from gateway.rest.route import Routes
from gateway.rest.schema import Query, Uid
from gateway.rest.v1.messages import File, shown

routes = Routes("Files")


class Named(Query):
    name: Annotated[
        str | None, Field(max_length=300, description="What the file is called, where the request does not say.")
    ] = None


@routes.post("/media", scope="conversations:write", summary="Send a file here, to use it in messages", takes_file="*/*")
async def add(call: Call, query: Named) -> File:
    """The file itself is the body, or a part of a form (`multipart/form-data`). Its `id` goes into `media` of a message;
    one that is in no message after a day is gone.
    """
    settings = call.house.settings.media
    async with intake.taken(call.house, call.request, call.caller.tenant_id, most_bytes=settings.max_bytes) as file:
        promised(call, file.contents.sha256.encode())
        made = await call.write(
            files.add,
            file.contents,
            name=file.name or query.name or "",
            claimed_type=file.claimed_type,
            most_bytes=settings.tenant_max_bytes,
            now=call.now,
        )
    return File.model_validate(shown(made, call.show))


@routes.get("/media/{file_id}", scope="conversations:read", summary="A file, with fresh links")
async def read(call: Call, file_id: Uid) -> File:
    return File.model_validate(shown(await call.read(files.get, file_id), call.show))


@routes.delete("/media/{file_id}", scope="conversations:write", summary="Delete a file")
async def remove(call: Call, file_id: Uid) -> None:
    """Its contents are gone for good; a message that it stands in says so."""
    await call.write(files.remove, file_id, now=call.now)
