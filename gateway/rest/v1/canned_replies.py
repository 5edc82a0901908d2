"""`/canned-replies`: answers at hand for the inbox."""

from typing import Annotated

from pydantic import ConfigDict, Field

from desk import canned_replies
from gateway.rest.call import Call
from gateway.rest.route import Routes
from gateway.rest.schema import Answer, Body, Language, Line, Moment, Page, Search, SkipQuery, Text, Uid

routes = Routes("Canned replies")

Shortcut = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$", description="What one types after a slash.")]
Words = Annotated[Text, Field(min_length=1)]


class CannedReply(Answer):
    id: Uid
    shortcut: str
    title: str
    text: str
    language: str | None
    created_at: Moment
    updated_at: Moment

    @classmethod
    def of(cls, one: canned_replies.CannedReply) -> "CannedReply":
        return cls(
            id=one.uid,
            shortcut=one.shortcut,
            title=one.title,
            text=one.text,
            language=one.language,
            created_at=one.created_at,
            updated_at=one.updated_at,
        )


class NewCannedReply(Body):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"shortcut": "parking", "title": "Where to park", "text": "You can park behind the house."}]
        }
    )

    shortcut: Shortcut
    title: Line = ""
    text: Words
    language: Language | None = None


class CannedReplyChange(Body):
    shortcut: Shortcut = ""
    title: Line = ""
    text: Words = ""
    language: Language | None = None


class Filter(SkipQuery):
    search: Search | None = None
    sort: str | None = None


@routes.get("/canned-replies", scope="canned_replies:read", summary="Canned replies")
async def index(call: Call, query: Filter) -> Page[CannedReply]:
    window = query.window(query.sort)
    return Page[CannedReply].of(
        await call.read(canned_replies.find, window, search=query.search), window, CannedReply.of
    )


@routes.post("/canned-replies", scope="canned_replies:write", summary="Add a canned reply")
async def create(call: Call, body: NewCannedReply) -> CannedReply:
    return CannedReply.of(await call.write(canned_replies.add, body.values(), now=call.now))


@routes.get("/canned-replies/{reply_id}", scope="canned_replies:read", summary="A canned reply")
async def read(call: Call, reply_id: Uid) -> CannedReply:
    return CannedReply.of(await call.read(canned_replies.get, reply_id))


@routes.put("/canned-replies/{reply_id}", scope="canned_replies:write", summary="Replace a canned reply")
async def replace(call: Call, reply_id: Uid, body: NewCannedReply) -> CannedReply:
    return CannedReply.of(await call.write(canned_replies.change, reply_id, body.values(), now=call.now))


@routes.patch("/canned-replies/{reply_id}", scope="canned_replies:write", summary="Change a canned reply")
async def change(call: Call, reply_id: Uid, body: CannedReplyChange) -> CannedReply:
    return CannedReply.of(await call.write(canned_replies.change, reply_id, body.changes(), now=call.now))


@routes.delete("/canned-replies/{reply_id}", scope="canned_replies:write", summary="Remove a canned reply")
async def remove(call: Call, reply_id: Uid) -> None:
    await call.write(canned_replies.remove, reply_id, now=call.now)
