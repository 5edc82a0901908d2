"""What clients and we say to each other over Socket.IO. docs/realtime.md shows each with an example."""

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from desk.inbox.people import Availability
from gateway.rest.schema import Answer, Moment, Text
from gateway.rest.v1.messages import Failure

_UID: Final = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"

Room = Annotated[str, StringConstraints(pattern=rf"^(conversation|team|user)_{_UID}$")]
ConversationRoom = Annotated[str, StringConstraints(pattern=rf"^conversation_{_UID}$")]


class Said(BaseModel):
    """What a client sends with an event; an unknown field is an error that names it."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class JoinRoom(Said):
    room: Room


class LeaveRoom(Said):
    room: Room


class SendMessage(Said):
    """`client_id` is made up by the client: sent again with the same one, it is still one message. `mentions` are ids or
    e-mails of colleagues whom a private note names; `force` takes the conversation from the colleague who has it.
    """

    room: ConversationRoom
    message: Annotated[Text, Field(min_length=1)]
    client_id: Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,64}$")] | None = None
    private: bool = False
    mentions: Annotated[list[Annotated[str, Field(max_length=320)]], Field(max_length=50)] = []
    force: bool = False


class SaidTyping(Said):
    """`private`: what is being written is a note, so that colleagues see it and the customer does not."""

    room: ConversationRoom
    typing: bool
    private: bool = False


class SaidPresence(Said):
    """Without a status nothing changes, and the answer tells who is there."""

    status: Availability | None = None


class Somebody(Answer):
    """A person of the business."""

    id: str
    name: str


class Colleague(Somebody):
    status: Availability | Literal["offline"]


class MessageStatus(Answer):
    room: str
    conversation_id: str
    message_id: str
    status: str
    error: Failure | None
    scheduled_for: Moment | None


class ConversationAssigned(Answer):
    """Who has the word now: the bot, the queue, or `assignee`."""

    conversation_id: str
    owner: Literal["bot", "queue", "staff"]
    assignee: Somebody | None


class TypingNow(Answer):
    room: str
    user: Somebody
    typing: bool
    private: bool


class CustomerTyping(Answer):
    """The customer, on a channel that tells: the web chat."""

    room: str
    typing: bool


class PresenceNow(Answer):
    """A colleague came, went or stepped away."""

    user: Somebody
    status: Availability | Literal["offline"]


class Viewers(Answer):
    """Who has the conversation open now; a person with two tabs is there once."""

    room: str
    viewers: list[Somebody]


class PhoneRings(Answer):
    """Somebody of the team whose phone rings, or rang, for a waiting caller."""

    person: Somebody
    state: str = Field(examples=["ringing"], description="planned, placing, ringing, answered, talking or over.")
    outcome: str | None = Field(
        description="taken, declined, no_key, no_answer, busy, failed, cancelled or late, once it is over."
    )


class CallState(Answer):
    """A call has begun, is in another state, or has ended."""

    conversation_id: str
    call_id: str
    caller: str | None = Field(description="Their name, when it is known.")
    direction: Literal["inbound", "outbound"]
    state: Literal["planned", "placing", "ringing", "answered", "bot", "waiting", "talking", "over"] = Field(
        description="The bot has the caller, also while they leave a message; they wait for a person; they talk with one; "
        "the call has ended. Of a call of ours before that: it is planned, also between two tries; asked for; a phone "
        "rings; it was picked up."
    )
    place: int | None = Field(description="In line, the first is 1; null when they do not wait.")
    started_at: Moment
    since: Moment = Field(description="When this state began.")
    person: Somebody | None = Field(description="Who talks or talked with them, or calls back.")
    ending: str | None = Field(
        description="Of the wait, once it is over: hung_up, call_back, message, nobody, returned, done or failed."
    )
    outcome: str | None = Field(description="Of the call, once it is over: that of `GET /calls/{call_id}`.")
    phones: list[PhoneRings]


Kind = Literal["mention", "assignment", "sla_warning", "sla_breach", "queue", "resync"]


class Notification(Answer):
    """Meant for whoever gets it. `resync`: something may have been missed, so look at what you show again."""

    kind: Kind
    text: str
    conversation_id: str | None = None
    message_id: str | None = None
    at: Moment


class SignedOut(Answer):
    """The connection ends with this; sign in again to come back."""

    reason: Literal["expired", "revoked"]
    message: str


def refusal(code: str, message: str, **more: Any) -> dict[str, Any]:
    """The acknowledgement of an event that was refused."""
    return {"ok": False, "error": {"code": code, "message": message, **more}}
