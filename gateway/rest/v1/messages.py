"""`/messages`: found by their words, tried again, and those that go out later."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field, JsonValue

from desk import files, revisions
from desk.inbox import thread
from gateway.media.links import Show
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
    """A file in a message. `url` and `thumbnail_url` are good for a day: read the message again for fresh ones."""

    id: Uid | None = Field(description="Null for a file behind an address of somebody else's.")
    status: Literal["waiting", "ready", "unavailable"]
    reason: str | None = Field(description="Why it is not to be had.")
    kind: str
    url: str | None
    thumbnail_url: str | None
    content_type: str = Field(description="As its bytes tell, once it is here; before that, as the sender says.")
    size: int | None
    width: int | None
    height: int | None
    name: str
    caption: str


class Failure(Answer):
    """Why it did not go out: a stable code, where there is one, and a sentence."""

    code: str | None
    reason: str


class Cost(Answer):
    """What the provider says of it: Twilio tells a price, some hours later; Meta whether it counts as paid, and as what."""

    price: float | None
    currency: str | None
    billable: bool | None
    category: str | None


class Message(Answer):
    """`status` tells how far it has come: received, noted (a private note, or nothing to answer: see `notice`), scheduled,
    held (until `scheduled_for`, for the reason in `error`), parked (until the customer writes again, since only templates
    may be sent), queued, accepted, sending, sent, delivered, read, or refused, failed, undelivered, canceled.
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
    notice: str | None = Field(
        description="A line for people where words do not say it all: a reaction, an order, a message that was changed "
        "(`content` has what it said before) or taken back, or that cannot be shown."
    )
    reply_to: Uid | None = Field(description="The message of this conversation that it answers, reacts to or changes.")
    status: str
    error: Failure | None
    cost: Cost | None = Field(description="Null as long as the provider has said nothing of it.")
    scheduled_for: Moment | None
    sent_at: Moment | None
    created_at: Moment

    @classmethod
    def of(cls, line: thread.Line, show: Show) -> "Message":
        has_failed = line.error_code is not None or line.error_text is not None
        return cls.model_validate(
            {
                "id": line.uid,
                "conversation_id": line.conversation_uid,
                "direction": line.direction,
                "author": {"kind": line.author, "id": line.author_uid, "name": line.author_name},
                "private": line.is_private,
                "text": line.text,
                "media": _files(line, show),
                "content": _without_sources(line),
                "mentions": [*line.mentions],
                "notice": revisions.notice(line.content) or None,
                "reply_to": line.reply_to,
                "status": line.status,
                "error": {"code": line.error_code, "reason": line.error_text or ""} if has_failed else None,
                "cost": _cost(line),
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
    found = await call.read(thread.find, window, words=query.search)
    return Page[Message].of(found, window, lambda line: Message.of(line, call.show))


@routes.get("/messages/{message_id}", scope="conversations:read", summary="A message")
async def read(call: Call, message_id: Uid) -> Message:
    return Message.of(await call.read(thread.get, message_id), call.show)


@routes.patch(
    "/messages/{message_id}", scope="conversations:write", summary="Send a scheduled message at another time",
    errors=(409,),
)  # fmt: skip
async def change(call: Call, message_id: Uid, body: MessageChange) -> Message:
    return Message.of(await call.write(staff.move, message_id, send_at=body.send_at, now=call.now), call.show)


@routes.delete(
    "/messages/{message_id}", scope="conversations:write", summary="Do not send a message that waits", errors=(409,)
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
    return Message.of(await call.write(staff.retry, call.house.adapters, message_id, now=call.now), call.show)


def shown(file: files.File, show: Show) -> dict[str, Any]:
    """A file of ours as it is told."""
    is_ready = file.status == "ready" and (show.may_hear or not file.is_recording)
    thumbnail = show.links.to(file.uid, show.now, variant="thumbnail") if is_ready and file.has_thumbnail else None
    return {
        "id": file.uid,
        "status": file.status,
        "reason": files.WHY.get(file.reason or ""),
        "kind": file.kind,
        "url": show.links.to(file.uid, show.now) if is_ready else None,
        "thumbnail_url": thumbnail,
        "content_type": file.content_type,
        "size": file.size,
        "width": file.width,
        "height": file.height,
        "name": file.name,
        "caption": "",
    }


def _cost(line: thread.Line) -> Cost | None:
    if line.price_millionths is None and line.is_billable is None:
        return None
    price = None if line.price_millionths is None else line.price_millionths / 1_000_000
    return Cost(price=price, currency=line.price_currency, billable=line.is_billable, category=line.billed_as)


def _without_sources(line: thread.Line) -> Any:
    """The content, but for where the provider has the files of which we keep our own: its addresses name its account."""
    content: Any = line.content
    ours = {file.place for file in line.files}

    def told(one: Mapping[str, Any], place: int) -> Mapping[str, Any]:
        return {name: value for name, value in one.items() if name != "url"} if place in ours else one

    if isinstance(content, list):
        return [told(one, place) for place, one in enumerate(content)]
    if isinstance(content, dict) and content.get("media"):
        return {**content, "media": [told(one, place) for place, one in enumerate(content["media"])]}
    return content


def _files(line: thread.Line, show: Show) -> list[dict[str, Any]]:
    """The files of a neutral message, or among the parts of one that came in, each as far as we have it."""
    content: Any = line.content
    ours = {file.place: file for file in line.files}
    said = content.get("media", ()) if isinstance(content, dict) else content or ()
    found = []
    for place, one in enumerate(said):
        if isinstance(content, list) and one.get("type") != "media":
            continue
        words = {name: str(one.get(name, "")) for name in ("kind", "content_type", "name", "caption")}
        if (file := ours.get(place)) is not None:
            told = shown(file, show)
            told["content_type"] = told["content_type"] or ("" if file.status == "ready" else words["content_type"])
            found.append({**told, "name": file.name or words["name"], "caption": words["caption"]})
        else:
            url = str(one.get("url", ""))
            found.append({**_NOTHING, **words, "status": "ready" if url else "unavailable", "url": url or None})
    return found


_NOTHING: Final = dict.fromkeys(("id", "reason", "thumbnail_url", "size", "width", "height"))
