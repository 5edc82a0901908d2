"""`/inbox`: how it works, who waits, how much there is, who named whom, and whether one is there."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from desk.inbox import notes, people, rules, waiting
from gateway.pipeline.ways import Adapters
from gateway.rest.call import Call
from gateway.rest.route import ONLY_PEOPLE, Routes
from gateway.rest.schema import Answer, Body, Moment, Page, SkipQuery, Uid
from gateway.rest.v1.conversations import Conversation

routes = Routes("Inbox")

Assignment = Literal["manual", "round_robin", "load"]
Availability = Literal["online", "away", "away_and_reassigning"]
Words = Annotated[str, Field(min_length=1, max_length=1_000, pattern=r"\S")]


class AutoAnswer(Body):
    """Said once for each time that the business is closed, to a customer whom a person is to answer."""

    enabled: bool = False
    text: Words = rules.CLOSED_TEXT


class Csat(Body):
    """Asked after a person has answered and the conversation was closed."""

    enabled: bool = False
    delay_minutes: Annotated[int, Field(ge=0, le=10_080)] = 30


class Settings(Body):
    """`assignment` is for conversations without a team. `resume_bot_after_minutes`: so long a person may be silent until
    the bot goes on; null for ever. `reassign_when_away`: what comes back while its person is away waits for somebody else.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "assignment": "round_robin",
                    "auto_answer": {"enabled": True, "text": "We are closed; we will answer in the morning."},
                    "resume_bot_after_minutes": 720,
                    "csat": {"enabled": True, "delay_minutes": 30},
                    "reassign_when_away": True,
                }
            ]
        }
    )

    assignment: Assignment = "manual"
    auto_answer: AutoAnswer = AutoAnswer()
    resume_bot_after_minutes: Annotated[int, Field(ge=1, le=525_600)] | None = None
    csat: Csat = Csat()
    reassign_when_away: bool = False

    def rules(self) -> rules.Rules:
        return rules.Rules(
            assignment=self.assignment,
            auto_answer=rules.AutoAnswer(self.auto_answer.enabled, self.auto_answer.text),
            resume_bot_after_minutes=self.resume_bot_after_minutes,
            csat=rules.Csat(self.csat.enabled, self.csat.delay_minutes),
            reassign_when_away=self.reassign_when_away,
        )


class AutoAnswerSettings(Answer):
    enabled: bool
    text: str


class CsatSettings(Answer):
    enabled: bool
    delay_minutes: int


class InboxSettings(Answer):
    assignment: Assignment
    auto_answer: AutoAnswerSettings
    resume_bot_after_minutes: int | None
    csat: CsatSettings
    reassign_when_away: bool

    @classmethod
    def of(cls, one: rules.Rules) -> "InboxSettings":
        return cls(
            assignment=one.assignment,
            auto_answer=AutoAnswerSettings(enabled=one.auto_answer.enabled, text=one.auto_answer.text),
            resume_bot_after_minutes=one.resume_bot_after_minutes,
            csat=CsatSettings(enabled=one.csat.enabled, delay_minutes=one.csat.delay_minutes),
            reassign_when_away=one.reassign_when_away,
        )


class Waiting(Answer):
    """`position` counts from 1. `estimate_s` is what is probably left of the wait; null when too few waited lately."""

    conversation: Conversation
    position: int
    waited_s: int
    estimate_s: int | None

    @classmethod
    def of(cls, one: waiting.Place, adapters: Adapters, now: datetime) -> "Waiting":
        return cls(
            conversation=Conversation.of(one.entry, adapters, now),
            position=one.position,
            waited_s=one.waited_s,
            estimate_s=one.estimate_s,
        )


class Counts(Answer):
    """Conversations: open ones by who has them, snoozed ones, those with a broken promise, those of people in which
    something is unread; and notes that name whoever asks.
    """

    open: int
    bot: int
    queue: int
    mine: int
    others: int
    snoozed: int
    breached: int
    unread: int
    mentions: int


class MentionAuthor(Answer):
    id: Uid
    full_name: str


class Mention(Answer):
    message_id: Uid
    conversation_id: Uid
    text: str
    author: MentionAuthor | None
    at: Moment
    seen_at: Moment | None

    @classmethod
    def of(cls, one: notes.Mention) -> "Mention":
        author = None if one.author_uid is None else MentionAuthor(id=one.author_uid, full_name=one.author_name or "")
        return cls(
            message_id=one.message_uid,
            conversation_id=one.conversation_uid,
            text=one.text,
            author=author,
            at=one.at,
            seen_at=one.seen_at,
        )


class SeenMentions(Body):
    """Without `message_ids`: all of them."""

    model_config = ConfigDict(json_schema_extra={"examples": [{}]})

    message_ids: Annotated[list[Uid], Field(max_length=100)] | None = None


class Seen(Answer):
    seen: int = Field(description="How many of them were new.")


class Presence(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "away"}]})

    status: Annotated[
        Availability,
        Field(
            description="What waits is given by itself only to those who are `online` and connected to the live inbox, or "
            "were a minute ago. Who works without it says `online` again every minute."
        ),
    ]


class PresenceOf(Answer):
    status: Availability
    max_conversations: int | None = Field(description="How many open conversations they are given at most.")

    @classmethod
    def of(cls, one: people.Person) -> "PresenceOf":
        return cls(status=one.availability, max_conversations=one.max_conversations)


class QueueFilter(SkipQuery):
    team_id: Annotated[str | None, Field(max_length=36, description="A team's id, or `none`.")] = None


class MentionFilter(SkipQuery):
    seen: bool | None = None


@routes.get("/inbox/settings", scope="conversations:read", summary="How the inbox works")
async def settings(call: Call) -> InboxSettings:
    return InboxSettings.of(await call.read(rules.get))


@routes.put("/inbox/settings", scope="teams:write", summary="Say how the inbox works")
async def set_settings(call: Call, body: Settings) -> InboxSettings:
    return InboxSettings.of(await call.write(rules.save, body.rules(), now=call.now))


@routes.get("/inbox/queue", scope="conversations:read", summary="Who waits for a person")
async def queue(call: Call, query: QueueFilter) -> Page[Waiting]:
    """The longest wait first."""
    window = query.window()
    found = await call.read(waiting.in_line, window, team=query.team_id, now=call.now)
    return Page[Waiting].of(found, window, lambda one: Waiting.of(one, call.house.adapters, call.now))


@routes.get("/inbox/counts", scope="conversations:read", summary="How much there is")
async def counts(call: Call) -> Counts:
    return Counts(**await call.read(waiting.counts))


@routes.get("/inbox/mentions", scope=ONLY_PEOPLE, summary="Notes that name you")
async def mentions(call: Call, query: MentionFilter) -> Page[Mention]:
    """The newest first."""
    window = query.window()
    return Page[Mention].of(await call.read(notes.mentioned, window, seen=query.seen), window, Mention.of)


@routes.post("/inbox/mentions/seen", scope=ONLY_PEOPLE, summary="Have seen notes that name you", status=200)
async def mark_seen(call: Call, body: SeenMentions) -> Seen:
    return Seen(seen=await call.write(notes.seen, body.message_ids, now=call.now))


@routes.get("/inbox/availability", scope=ONLY_PEOPLE, summary="Whether you are there")
async def availability(call: Call) -> PresenceOf:
    return PresenceOf.of(await call.read(people.oneself))


@routes.put("/inbox/availability", scope=ONLY_PEOPLE, summary="Say whether you are there")
async def set_availability(call: Call, body: Presence) -> PresenceOf:
    """Only people who are online are given what waits. `away_and_reassigning` also passes on what comes back meanwhile."""
    return PresenceOf.of(await call.write(people.set_availability, body.status, now=call.now))
