"""`/messages`: found by their words, tried again, and those that go out later."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, JsonValue

from desk.inbox import thread
from gateway.pipeline import staff
from gateway.rest.call import Call
from gateway.rest.route import Routes
from gateway.rest.schema import Answer, Body, Moment, Page, SkipQuery, Uid

routes = Routes("Messages")


class Author(Answer):
    """`id` and `name` are of the person, where it is one of the team."""

    kind: Literal["customer", "bot", "staff", "system"]
    id: Uid | None
    name: str | None


class File(Answer):
    kind: str
    url: str
    content_type: str
    name: str
    caption: str


class Failure(Answer):
    """Why it did not go out: a stable code, where there is one, and a sentence."""

    code: str | None
    reason: str


class Message(Answer):
    """`status` tells how far it has come: received, noted (a private note), scheduled, queued, accepted, sending, sent,
    delivered, read, or refused, failed, undelivered, canceled.
    """

    id: Uid
    conversation_id: Uid
    direction: Literal["in", "out"]
    author: Author
    private: bool
    text: str
    media: list[File]
    content: JsonValue = Field(
        description="What there is besides text, such as choices or a place; null for plain text."
    )
    mentions: list[Uid]
    status: str
    error: Failure | None
    scheduled_for: Moment | None
    sent_at: Moment | None
    created_at: Moment

    @classmethod
    def of(cls, line: thread.Line) -> "Message":
        has_failed = line.error_code is not None or line.error_text is not None
        return cls.model_validate(
            {
                "id": line.uid,
                "conversation_id": line.conversation_uid,
                "direction": line.direction,
                "author": {"kind": line.author, "id": line.author_uid, "name": line.author_name},
                "private": line.is_private,
                "text": line.text,
                "media": _files(line.content),
                "content": line.content,
                "mentions": [*line.mentions],
                "status": line.status,
                "error": {"code": line.error_code, "reason": line.error_text or ""} if has_failed else None,
                "scheduled_for": line.scheduled_for,
                "sent_at": line.sent_at,
                "created_at": line.created_at,
            }
        )


class Query(SkipQuery):
    search: Annotated[
        str,
        Field(
            max_length=200,
            description="All words must be there; the last may be the beginning of one, and words in quotes stand side "
            "by side. Case and accents do not matter. `total` counts to 1000, and pages reach as far.",
        ),
    ]


class MessageChange(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"send_at": "2026-03-03T16:00:00Z"}]})

    send_at: Moment


@routes.get("/messages", scope="conversations:read", summary="Find messages by their words")
async def index(call: Call, query: Query) -> Page[Message]:
    """Newest first, over all conversations."""
    window = query.window()
    return Page[Message].of(await call.read(thread.find, window, words=query.search), window, Message.of)


@routes.get("/messages/{message_id}", scope="conversations:read", summary="A message")
async def read(call: Call, message_id: Uid) -> Message:
    return Message.of(await call.read(thread.get, message_id))


@routes.patch(
    "/messages/{message_id}", scope="conversations:write", summary="Send a scheduled message at another time",
    errors=(409,),
)  # fmt: skip
async def change(call: Call, message_id: Uid, body: MessageChange) -> Message:
    return Message.of(await call.write(staff.move, message_id, send_at=body.send_at, now=call.now))


@routes.delete(
    "/messages/{message_id}", scope="conversations:write", summary="Do not send a scheduled message", errors=(409,)
)
async def remove(call: Call, message_id: Uid) -> None:
    """It stays in the conversation as `canceled`."""
    await call.write(staff.cancel, message_id, now=call.now)


@routes.post(
    "/messages/{message_id}/retry", scope="conversations:write", summary="Send a failed message again", status=200,
    errors=(409,),
)  # fmt: skip
async def retry(call: Call, message_id: Uid) -> Message:
    """For messages that are `failed`, `undelivered` or `refused`; refused again while we still may not send it."""
    return Message.of(await call.write(staff.retry, call.house.adapters, message_id, now=call.now))


def _files(content: Any) -> list[dict[str, Any]]:
    """The files of a neutral message, or among the parts of one that came in."""
    if isinstance(content, dict):
        found = content.get("media", ())
    else:
        found = [one for one in content or () if one.get("type") == "media"]
    names = ("kind", "url", "content_type", "name", "caption")
    return [{name: str(one.get(name, "")) for name in names} for one in found]
