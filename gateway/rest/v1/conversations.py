"""`/conversations`: what the inbox shows of them, and everything that people do in them."""

from datetime import datetime
from typing import Annotated, Any, Literal

from aiohttp import web
from pydantic import ConfigDict, Field

from channels.messages import Contact, Location, Reaction, Template
from desk import revisions
from desk.events import rfc3339
from desk.inbox import handling, overview, thread
from desk.refs import Ref
from desk.text import storable
from gateway.pipeline import staff, ways
from gateway.pipeline.ways import Adapters
from gateway.rest.call import Call
from gateway.rest.route import Routes
from gateway.rest.schema import Answer, Body, Moment, Page, Query, SkipQuery, Uid
from gateway.rest.v1.messages import Message

routes = Routes("Conversations")

Status = Literal["open", "snoozed", "closed"]
Owner = Literal["bot", "queue", "staff"]
Priority = Literal["low", "normal", "high", "urgent"]
Channel = Literal["sms", "whatsapp", "voice", "web", "sim"]
Words = Annotated[str, Field(max_length=20_000, pattern=r"^[^\x00]*$")]
OneOf = Annotated[str, Field(max_length=36)]


class Customer(Answer):
    id: Uid
    name: str | None
    phone: str | None
    email: str | None


class Person(Answer):
    id: Uid
    full_name: str


class Team(Answer):
    id: Uid
    name: str


class Label(Answer):
    id: Uid
    name: str
    color: str


class LastMessage(Answer):
    id: Uid
    text: str = Field(description="The beginning of it, or the `notice` of one without words.")
    direction: Literal["in", "out"]
    author: str
    at: Moment


class Promise(Answer):
    """The promise of time that is running."""

    kind: Literal["first", "next", "resolution"]
    due_at: Moment
    is_warned: bool
    is_breached: bool


class ReplyWindow(Answer):
    """While it is open anything can be written; afterwards templates alone go out, until the customer writes again."""

    is_open: bool
    open_until: Moment | None = Field(description="Null while it is closed.")


class Conversation(Answer):
    """`owner` says who talks: the bot, the queue (it waits for a person) or staff, who is the `assignee` then.

    `owner_version` goes up with every change of that. `unread_count` counts for whoever asks.
    """

    id: Uid
    channel: str
    channel_id: Uid
    business_id: Uid
    customer: Customer
    address: str = Field(
        description="Where they write from: a number, or what a web chat's visitor is called, as in `visitor-3f9a…`."
    )
    status: Status
    owner: Owner
    owner_version: int
    owner_since: Moment
    assignee: Person | None
    team: Team | None
    priority: Priority | None
    labels: list[Label]
    language: str | None
    unread_count: int
    last_message: LastMessage | None
    waiting_since: Moment | None
    snoozed_until: Moment | None
    sla: Promise | None
    opted_out: bool = Field(description="They have said STOP here: nothing but the answer to START and HELP goes out.")
    window: ReplyWindow | None = Field(
        description="WhatsApp's 24 hours from their last message; null where the channel has no such limit."
    )
    first_answered_at: Moment | None
    last_in_at: Moment | None
    last_out_at: Moment | None
    closed_at: Moment | None
    created_at: Moment

    @classmethod
    def of(cls, one: overview.Entry, adapters: Adapters, now: datetime) -> "Conversation":
        return cls.model_validate(facts(one, adapters, now))


class Visit(Answer):
    id: Uid
    service: str
    technician: str
    status: str
    starts_at: Moment
    ends_at: Moment


class Participant(Answer):
    id: Uid
    full_name: str
    since: Moment


class Handoff(Answer):
    """Why a person is wanted, and what the bot knows of it."""

    reason: str
    note: str


class Slot(Answer):
    name: str
    value: str


class BotState(Answer):
    """Where the bot is: the scenario, its state, and what it has been told."""

    scenario: str
    state: str
    slots: list[Slot]


class ConversationDetails(Conversation):
    handoff: Handoff | None
    participants: list[Participant]
    appointments: list[Visit] = Field(description="What the customer has booked and is still to come.")
    bot_state: BotState | None

    @classmethod
    def of_details(cls, one: overview.Details, adapters: Adapters, now: datetime) -> "ConversationDetails":
        slots = [{"name": name, "value": value} for name, value in one.slots]
        return cls.model_validate(
            {
                **facts(one.entry, adapters, now),
                "handoff": None
                if one.handoff_reason is None
                else {"reason": one.handoff_reason, "note": one.handoff_note},
                "participants": [
                    {"id": who.uid, "full_name": who.full_name, "since": who.since} for who in one.participants
                ],
                "appointments": [
                    {
                        "id": visit.uid,
                        "service": visit.service_name,
                        "technician": visit.staff_name,
                        "status": visit.status,
                        "starts_at": visit.starts_at,
                        "ends_at": visit.ends_at,
                    }
                    for visit in one.visits
                ],
                "bot_state": None
                if one.scenario is None
                else {"scenario": one.scenario, "state": one.state, "slots": slots},
            }
        )


class OwnerChange(Answer):
    owner: Owner
    person: Person | None
    reason: str
    note: str
    at: Moment

    @classmethod
    def of(cls, one: overview.OwnerChange) -> "OwnerChange":
        person = None if one.user_uid is None else {"id": one.user_uid, "full_name": one.user_name}
        return cls.model_validate(
            {"owner": one.owner, "person": person, "reason": one.reason, "note": one.note, "at": one.at}
        )


class Messages(Page[Message]):
    """Oldest first. `has_more`: there are more after these with `after`, else before them."""

    has_more: bool


def _several(*words: str) -> str:
    one = f"({'|'.join(words)})"
    return f"^{one}(,{one})*$"


class Filter(SkipQuery):
    status: Annotated[
        str | None, Field(pattern=_several("open", "snoozed", "closed"), description="Several, with commas.")
    ] = None
    owner: Annotated[
        str | None, Field(pattern=_several("bot", "queue", "staff"), description="Several, with commas.")
    ] = None
    assignee: Annotated[OneOf | None, Field(description="A person's id, `me` or `none`.")] = None
    team_id: Annotated[OneOf | None, Field(description="A team's id, or `none`.")] = None
    label_id: Uid | None = None
    priority: Priority | Literal["none"] | None = None
    channel: Channel | None = None
    channel_id: Uid | None = None
    customer_id: Uid | None = None
    business_id: Uid | None = None
    unread: bool | None = None
    snoozed: bool | None = None
    breached: Annotated[bool | None, Field(description="Whether a promise of time is broken.")] = None
    search: Annotated[
        str | None,
        Field(
            max_length=200,
            description="In the customer's name or address, or words of the newest 200 messages with all of them.",
        ),
    ] = None
    sort: Annotated[
        str | None,
        Field(
            description="last_activity_at (the default, newest first), created_at, owner_since, waiting_since, sla_due_at "
            "or priority; a minus before it turns the order."
        ),
    ] = None

    def wanted(self) -> overview.Wanted:
        return overview.Wanted(
            status=tuple(self.status.split(",")) if self.status else (),
            owner=tuple(self.owner.split(",")) if self.owner else (),
            assignee=self.assignee,
            team=self.team_id,
            label=self.label_id,
            priority=self.priority,
            channel=self.channel,
            account=self.channel_id,
            customer=self.customer_id,
            business=self.business_id,
            unread=self.unread,
            snoozed=self.snoozed,
            breached=self.breached,
            search=self.search,
        )


class Since(SkipQuery):
    after: Annotated[Uid | None, Field(description="The messages that came after this one, for catching up.")] = None
    before: Annotated[Uid | None, Field(description="The last messages before this one.")] = None


class Transcript(Query):
    format: Literal["text", "json"] = "text"
    private: Annotated[bool, Field(description="With the private notes.")] = False


class TemplateSent(Body):
    """An approved template by the provider's name or id."""

    name: Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[^\x00-\x1f\x7f]+$")]
    language: Annotated[
        str, Field(max_length=16, pattern=r"^[A-Za-z0-9_-]*$", description="Such as `en` or `pt_BR`.")
    ] = ""
    variables: dict[
        Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_]+$")],
        Annotated[str, Field(max_length=1_000)],
    ] = Field(default={}, max_length=50, description='By name or place: `{"1": "Dana"}`.')

    def template(self) -> Template:
        return Template(self.name, self.language, {name: storable(value) for name, value in self.variables.items()})


class PlaceSent(Body):
    """A place; where the channel has no form for it, its name, its address and a link to a map."""

    latitude: Annotated[float, Field(ge=-90, le=90)]
    longitude: Annotated[float, Field(ge=-180, le=180)]
    name: Annotated[str, Field(max_length=200)] = ""
    address: Annotated[str, Field(max_length=300)] = ""

    def location(self) -> Location:
        return Location(self.latitude, self.longitude, storable(self.name), storable(self.address))


class CardSent(Body):
    """A visiting card; where the channel has no form for it, its lines as text."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    phones: list[Annotated[str, Field(min_length=1, max_length=40)]] = Field(default=[], max_length=10)
    emails: list[Annotated[str, Field(min_length=1, max_length=254)]] = Field(default=[], max_length=10)

    def contact(self) -> Contact:
        return Contact(
            storable(self.name), phones=tuple(map(storable, self.phones)), emails=tuple(map(storable, self.emails))
        )


class ReactionSent(Body):
    """An emoji on a message of the conversation; an empty one takes it away."""

    message_id: Uid
    emoji: Annotated[str, Field(max_length=40, pattern=r"^[^\x00-\x7f]*$")]


class NewMessage(Body):
    """With `private` it is a note for colleagues, and `mentions` names those who are told.

    Said twice with the same `client_id` it is said once. `expected_version` is the `owner_version` that the writer saw.
    """

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"text": "Your visit is confirmed. See you on Tuesday!"}]}
    )

    text: Words = ""
    media: Annotated[list[Annotated[str, Field(max_length=2_000)]], Field(max_length=10)] = Field(
        default=[], description="Ids of files sent to `POST /media`, or public https addresses."
    )
    template: Annotated[
        TemplateSent | None,
        Field(description="Where free text may not be sent; `text` is then its wording for people."),
    ] = None
    location: PlaceSent | None = None
    contact: CardSent | None = None
    reply_to: Annotated[
        Uid | None, Field(description="The message it answers, which is quoted where the channel can.")
    ] = None
    reaction: Annotated[ReactionSent | None, Field(description="Alone; refused where the channel has none.")] = None
    private: bool = False
    mentions: Annotated[list[Annotated[str, Field(max_length=320)]], Field(max_length=50)] = Field(
        default=[], description="Ids or e-mails of people of the team."
    )
    send_at: Moment | None = None
    client_id: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[\x21-\x7e]*$")] | None = None
    expected_version: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    force: Annotated[bool, Field(description="Write although a colleague has the conversation, and take it over.")] = (
        False
    )

    def wanted(self) -> staff.Wanted:
        return staff.Wanted(
            text=self.text,
            media=tuple(self.media),
            template=self.template.template() if self.template else None,
            location=self.location.location() if self.location else None,
            contact=self.contact.contact() if self.contact else None,
            reply_to=self.reply_to.lower() if self.reply_to else None,
            reaction=Reaction(self.reaction.message_id.lower(), self.reaction.emoji) if self.reaction else None,
            private=self.private,
            mentions=tuple(self.mentions),
            send_at=self.send_at,
            client_id=self.client_id,
            expected_version=self.expected_version,
            force=self.force,
        )


class NewConversation(Body):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "customer_id": "01936f5e-5a2c-7e9a-8f4e-0d5a9b1c2d3e",
                    "channel_id": "01936f5e-5a2c-7e9a-8f4e-0d5a9b1c2d3f",
                    "text": "Hello, this is Juniper Barber & Repair.",
                }
            ]
        }
    )

    customer_id: Uid
    channel_id: Uid
    text: Words = ""
    template: Annotated[
        TemplateSent | None,
        Field(description="Where free text may not be sent; `text` is then its wording for people."),
    ] = None
    client_id: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[\x21-\x7e]*$")] | None = None
    force: bool = False


class Assign(Body):
    """`agent_id` null: it waits in the queue, or goes back to the bot with `resume_bot`."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"agent_id": "01936f5e-5a2c-7e9a-8f4e-0d5a9b1c2d3e"}]})

    agent_id: Uid | None
    resume_bot: bool = False
    team_id: Uid | None = None
    expected_version: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None


class ConversationChange(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"priority": "high", "label_ids": []}]})

    priority: Priority | None = None
    label_ids: Annotated[list[Uid], Field(max_length=50)] = Field(default=[], description="Replaces the labels.")
    team_id: Uid | None = None


class Snooze(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"until": "2026-03-03T15:00:00Z"}]})

    until: Moment


class HandToBot(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{}]})

    expected_version: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None


@routes.get("/conversations", scope="conversations:read", summary="Conversations")
async def index(call: Call, query: Filter) -> Page[Conversation]:
    window = query.window(query.sort)
    found = await call.read(overview.find, window, query.wanted())
    return Page[Conversation].of(found, window, lambda one: Conversation.of(one, call.house.adapters, call.now))


@routes.post("/conversations", scope="conversations:write", summary="Write to a customer first", errors=(409,))
async def create(call: Call, body: NewConversation) -> Conversation:
    """In the conversation with them over this channel, if there is one. Whoever writes has it from now on."""
    template = body.template.template() if body.template else None
    wanted = staff.Wanted(text=body.text, template=template, client_id=body.client_id, force=body.force)
    line = await call.write(
        staff.start,
        call.house.adapters,
        customer=body.customer_id,
        account=body.channel_id,
        wanted=wanted,
        now=call.now,
    )
    return await _after(call, line.conversation_id)


@routes.get("/conversations/{conversation_id}", scope="conversations:read", summary="A conversation in detail")
async def read(call: Call, conversation_id: Uid) -> ConversationDetails:
    return await _details(call, conversation_id)


@routes.patch("/conversations/{conversation_id}", scope="conversations:write", summary="Set priority, labels or team")
async def change(call: Call, conversation_id: Uid, body: ConversationChange) -> Conversation:
    return await _after(call, await call.write(handling.change, conversation_id, body.changes(), now=call.now))


@routes.get(
    "/conversations/{conversation_id}/messages", scope="conversations:read", summary="Messages of a conversation"
)
async def messages(call: Call, conversation_id: Uid, query: Since) -> Messages:
    """Oldest first: the last ones, those before `before`, or those after `after`."""
    window = query.window()
    piece = await call.read(
        thread.read,
        conversation_id,
        after=query.after,
        before=query.before,
        offset=window.offset,
        limit=window.limit,
    )
    return Messages(
        items=[Message.of(line, call.show) for line in piece.lines],
        total=piece.total,
        skip=window.offset,
        offset=window.offset,
        limit=window.limit,
        has_more=piece.has_more,
    )


@routes.post(
    "/conversations/{conversation_id}/messages", scope="conversations:write", summary="Write to the customer",
    errors=(409,),
)  # fmt: skip
async def say(call: Call, conversation_id: Uid, body: NewMessage) -> Message:
    """Who writes first takes the conversation over, and the bot is silent. A colleague's answers 409 with `collision`,
    unless `force` says that it shall be taken over. What may not be sent is kept as `refused`, with the reason.
    """
    line = await call.write(staff.send, call.house.adapters, conversation_id, body.wanted(), now=call.now)
    return Message.of(line, call.show)


@routes.put(
    "/conversations/{conversation_id}/assign", scope="conversations:write", summary="Give it to somebody",
    errors=(409,),
)  # fmt: skip
async def assign(call: Call, conversation_id: Uid, body: Assign) -> Conversation:
    number = await call.write(
        handling.assign,
        conversation_id,
        agent=body.agent_id,
        team=body.team_id,
        resume_bot=body.resume_bot,
        expected_version=body.expected_version,
        now=call.now,
    )
    return await _after(call, number)


@routes.post(
    "/conversations/{conversation_id}/hand-to-bot", scope="conversations:write", summary="Let the bot go on",
    status=200, errors=(409,),
)  # fmt: skip
async def hand_to_bot(call: Call, conversation_id: Uid, body: HandToBot) -> Conversation:
    """It asks again what it had asked when a person took over."""
    version = body.expected_version
    return await _after(
        call, await call.write(handling.hand_to_bot, conversation_id, expected_version=version, now=call.now)
    )


@routes.post(
    "/conversations/{conversation_id}/snooze", scope="conversations:write", summary="Put it off", status=200,
    errors=(409,),
)  # fmt: skip
async def snooze(call: Call, conversation_id: Uid, body: Snooze) -> Conversation:
    """Until then, or until the customer writes."""
    return await _after(call, await call.write(handling.snooze, conversation_id, until=body.until, now=call.now))


@routes.post(
    "/conversations/{conversation_id}/unsnooze", scope="conversations:write", summary="Take it up again", status=200
)
async def unsnooze(call: Call, conversation_id: Uid) -> Conversation:
    return await _after(call, await call.write(handling.unsnooze, conversation_id, now=call.now))


@routes.post(
    "/conversations/{conversation_id}/close", scope="conversations:write", summary="Be done with it", status=200
)
async def close(call: Call, conversation_id: Uid) -> Conversation:
    """Should they write again, it opens again and the bot answers."""
    return await _after(call, await call.write(handling.close, conversation_id, now=call.now))


@routes.post(
    "/conversations/{conversation_id}/reopen", scope="conversations:write", summary="Open it again", status=200
)
async def reopen(call: Call, conversation_id: Uid) -> Conversation:
    """For whoever opens it."""
    return await _after(call, await call.write(handling.reopen, conversation_id, now=call.now))


@routes.post(
    "/conversations/{conversation_id}/read", scope="conversations:read", summary="Have read everything", status=200
)
async def mark_read(call: Call, conversation_id: Uid) -> Conversation:
    return await _after(call, await call.write(handling.read, conversation_id, now=call.now))


@routes.get(
    "/conversations/{conversation_id}/owners", scope="conversations:read", summary="Who has talked, from the beginning"
)
async def owners(call: Call, conversation_id: Uid) -> list[OwnerChange]:
    return [OwnerChange.of(one) for one in await call.read(overview.owners, conversation_id)]


@routes.get("/conversations/{conversation_id}/transcript", scope="conversations:read", summary="All of it, to keep")
async def transcript(call: Call, conversation_id: Uid, query: Transcript) -> web.StreamResponse:
    """As plain text, or as a JSON list of messages."""
    lines = await call.read(thread.transcript, conversation_id, private=query.private)
    if query.format == "json":
        return web.json_response([Message.of(line, call.show).model_dump(mode="json") for line in lines])
    return web.Response(text="".join(map(_written, lines)), content_type="text/plain", charset="utf-8")


@routes.put(
    "/conversations/{conversation_id}/participants/{user_id}",
    scope="conversations:write",
    summary="Have somebody take part",
)
async def add_participant(call: Call, conversation_id: Uid, user_id: Uid) -> ConversationDetails:
    """They are told of what happens in it."""
    number = await call.write(handling.add_participant, conversation_id, user_id, now=call.now)
    return await _details(call, number)


@routes.delete(
    "/conversations/{conversation_id}/participants/{user_id}", scope="conversations:write", summary="Leave somebody out"
)
async def remove_participant(call: Call, conversation_id: Uid, user_id: Uid) -> None:
    await call.write(handling.remove_participant, conversation_id, user_id, now=call.now)


def facts(one: overview.Entry, adapters: Adapters, now: datetime) -> dict[str, Any]:
    """What is told of a conversation everywhere."""
    window = ways.window(adapters, one.provider, one.channel, one.last_in_at)
    is_open = window.is_open(now)
    return {
        "id": one.uid,
        "channel": one.channel,
        "channel_id": one.account_uid,
        "business_id": one.business_uid,
        "customer": {
            "id": one.customer_uid,
            "name": one.customer_name,
            "phone": one.customer_phone,
            "email": one.customer_email,
        },
        "address": one.peer,
        "status": one.status,
        "owner": one.owner,
        "owner_version": one.owner_version,
        "owner_since": one.owner_since,
        "assignee": None if one.assignee_uid is None else {"id": one.assignee_uid, "full_name": one.assignee_name},
        "team": None if one.team_uid is None else {"id": one.team_uid, "name": one.team_name},
        "priority": one.priority,
        "labels": [{"id": label.uid, "name": label.name, "color": label.color} for label in one.labels],
        "language": one.language,
        "unread_count": one.unread,
        "last_message": None
        if one.last is None
        else {
            "id": one.last.uid,
            "text": one.last.text,
            "direction": one.last.direction,
            "author": one.last.author,
            "at": one.last.at,
        },
        "waiting_since": one.waiting_since,
        "snoozed_until": one.snoozed_until,
        "sla": None
        if one.sla_kind is None
        else {
            "kind": one.sla_kind,
            "due_at": one.sla_due_at,
            "is_warned": one.sla_warned_at is not None,
            "is_breached": one.sla_breached_at is not None,
        },
        "opted_out": one.is_out,
        "window": None
        if window.hours is None
        else {"is_open": is_open, "open_until": window.closes_at if is_open else None},
        "first_answered_at": one.first_answered_at,
        "last_in_at": one.last_in_at,
        "last_out_at": one.last_out_at,
        "closed_at": one.closed_at,
        "created_at": one.created_at,
    }


async def _after(call: Call, conversation_id: int) -> Conversation:
    """The conversation as it is now."""
    return Conversation.of(await call.read(overview.by_id, conversation_id), call.house.adapters, call.now)


async def _details(call: Call, ref: Ref) -> ConversationDetails:
    found = await call.read(overview.details, ref, now=call.now)
    return ConversationDetails.of_details(found, call.house.adapters, call.now)


def _written(line: thread.Line) -> str:
    """A message as a line of the transcript: `2026-03-02T18:00:00Z  Robin Reyes: Hello.`"""
    author = line.author_name or line.author
    note = " (note)" if line.is_private else ""
    return f"{rfc3339(line.created_at)}  {author}{note}: {line.text or revisions.notice(line.content) or _WORDLESS}\n"


_WORDLESS = "(no text)"
