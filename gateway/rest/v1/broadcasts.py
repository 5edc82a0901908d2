"""`/broadcasts`: one text to many customers."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, JsonValue

from bots import registry
from channels.split import count
from desk import broadcasts, segments
from desk.errors import Invalid
from desk.events import rfc3339
from gateway.rest.call import Call
from gateway.rest.route import Routes
from gateway.rest.schema import Answer, Body, Moment, Name, Page, Search, SkipQuery, Uid
from gateway.rest.v1.conversations import TemplateSent
from gateway.rest.v1.weeks import Opens, minute_of, time_of

routes = Routes("Broadcasts")

Words = Annotated[
    str,
    Field(
        min_length=1,
        max_length=1600,
        description='May have blanks: `{{ customer.name | default: "there" }}`, `{{ customer.attributes.plan }}`. Of whom '
        "nothing is known for a blank without a default, they get no message (`missing_value`).",
    ),
]
Said = Annotated[
    TemplateSent,
    Field(
        description="On WhatsApp, who has not written for 24 hours gets none without one. Its variables may have blanks as "
        "the text, which is its wording for people."
    ),
]
Tag = Annotated[str, Field(min_length=1, max_length=60)]
Tags = Annotated[list[Tag], Field(max_length=50)]
Key = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,59}$")]
Value = Annotated[str, Field(max_length=2000)] | int | float | bool


class Condition(Body):
    """A custom attribute, compared with a value."""

    key: Key
    op: Literal["eq", "ne", "contains", "gt", "lt", "set", "unset"] = Field(
        default="eq", description="set, unset: whether it has a value at all. ne holds where it has none, too."
    )
    value: Value | None = Field(default=None, description="Needed but for set and unset.")


class Audience(Body):
    """Customers for whom all of this holds; nothing said is everybody."""

    tags_any: Tags = Field(default=[])
    tags_all: Tags = Field(default=[])
    tags_none: Tags = Field(default=[])
    attributes: list[Condition] = Field(default=[], max_length=20)
    last_seen_before: Moment | None = Field(default=None, description="When they last wrote to us; also who never did.")
    last_seen_after: Moment | None = None
    last_visit_before: Moment | None = Field(default=None, description="When their last visit began; not who had none.")
    last_visit_after: Moment | None = None
    has_upcoming_appointment: bool | None = None
    has_no_show: bool | None = Field(default=None, description="Whether they ever missed a visit.")
    languages: list[Annotated[str, Field(max_length=16)]] = Field(default=[], max_length=50)
    statuses: list[Literal["active", "inactive"]] = Field(default=[], max_length=2)

    def as_json(self) -> dict[str, Any]:
        """What was said of it, as it is kept."""
        given = {name: value for name, value in self.values().items() if value not in (None, [])}
        if "attributes" in given:
            given["attributes"] = [one.values() for one in self.attributes]
        for name in segments.MOMENTS:
            if name in given:
                given[name] = rfc3339(given[name])
        return given


class Replies(Body):
    """Where the first answer of each recipient goes: to the bot as ever, to people, or into a scenario of the bot."""

    to: Literal["bot", "inbox", "scenario"] = "bot"
    scenario: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,79}$")] | None = None

    def as_json(self) -> dict[str, str]:
        return {name: value for name, value in self.values().items() if value is not None}


class RepliesTo(Answer):
    to: str
    scenario: str | None


class Relative(Body):
    """For every visit of the channel's business, so many days after it or before it by the business's calendar and clock."""

    event: Literal["visit"] = "visit"
    days_after: Annotated[int, Field(ge=0, le=365)] | None = None
    days_before: Annotated[int, Field(ge=0, le=365)] | None = None
    at: Opens
    service_ids: list[Uid] = Field(default=[], max_length=50, description="Visits for one of these; none: for any.")

    def as_json(self) -> dict[str, Any]:
        given = {name: value for name, value in self.values().items() if value not in (None, [])}
        return {**given, "at": time_of(minute_of(self.at))}


class RelativeTo(Answer):
    event: str
    days_after: int | None
    days_before: int | None
    at: str
    service_ids: list[Uid]


class TemplateOf(Answer):
    name: str
    language: str
    variables: dict[str, str]


class Counts(Answer):
    """Where the messages stand now; each is counted once."""

    queued: int = Field(description="They wait for their turn, or for news from the provider.")
    held: int = Field(description="They wait for a time: the end of the quiet hours, or that of `local_at`.")
    sent: int
    delivered: int
    read: int
    failed: int
    skipped: int


class Told(Answer):
    currency: str
    amount: float
    messages: int


class Spent(Answer):
    """What its messages cost, so far as is known."""

    estimate: float | None = Field(
        description="Of all messages that were written, by the operator's price list; null when a price is missing there."
    )
    currency: str | None = Field(description="Of the estimate.")
    told: list[Told] = Field(description="What the provider says they have cost, some hours later (Twilio).")
    billed: dict[str, int] = Field(
        description="How many the provider counts as paid, by its category (Meta, which tells no amount)."
    )
    free: int = Field(description="How many it counts as free.")

    @classmethod
    def of(cls, one: broadcasts.Spent, currency: str) -> "Spent":
        told = [
            Told(currency=unit, amount=amount / 1_000_000, messages=messages)
            for unit, (amount, messages) in sorted(one.told.items())
        ]
        is_known = one.estimate is not None
        return cls(
            estimate=None if one.estimate is None else one.estimate / 1_000_000,
            currency=currency if is_known else None,
            told=told,
            billed={**one.billed},
            free=one.free,
        )


class Reason(Answer):
    code: str
    reason: str


class Broadcast(Answer):
    id: Uid
    name: str
    channel_id: Uid
    text: str
    template: TemplateOf | None = Field(description="The provider's that says it; `text` is its wording for people.")
    audience: dict[str, JsonValue]
    replies: RepliesTo
    status: str = Field(
        description="draft, scheduled, sending, paused, sent or cancelled. sending: until the last message has left, also "
        "while all that are left wait for the morning (`held` in `counts`)."
    )
    paused_for: Reason | None = Field(
        description="Why it was paused by itself: channel_paused, or what a provider or a missing attribute keeps it from. "
        "Resumed, it goes on where it stood. null: somebody has paused it, or it is not paused."
    )
    counts: Counts
    held_until: Moment | None = Field(
        description="When the last of the held messages goes out; null: none is held, or it is paused."
    )
    spent: Spent
    scheduled_at: Moment | None = Field(description="When it begins.")
    local_at: str | None = Field(description="The wall time at which everybody gets it where they are.")
    relative: RelativeTo | None = Field(description="When each visit has its message; null: it goes out once.")
    started_at: Moment | None
    finished_at: Moment | None = Field(description="When the last message had left.")
    created_at: Moment
    updated_at: Moment

    @classmethod
    def of(cls, one: broadcasts.Broadcast, call: Call) -> "Broadcast":
        c = one.counts
        return cls(
            id=one.uid,
            name=one.name,
            channel_id=one.channel_uid,
            text=one.text,
            template=None if one.template is None else TemplateOf.model_validate(dict(one.template)),
            audience={**one.audience},
            replies=RepliesTo(to=one.replies["to"], scenario=one.replies.get("scenario")),
            status=one.status,
            paused_for=None
            if one.paused_for is None
            else Reason(code=one.paused_for.code, reason=one.paused_for.reason),
            scheduled_at=one.scheduled_at,
            local_at=one.local_at,
            relative=None
            if (relative := one.relative) is None
            else RelativeTo(
                event=relative["event"],
                days_after=relative.get("days_after"),
                days_before=relative.get("days_before"),
                at=relative["at"],
                service_ids=[*relative.get("service_ids", ())],
            ),
            counts=Counts(
                queued=c.queued,
                held=c.held,
                sent=c.sent,
                delivered=c.delivered,
                read=c.read,
                failed=c.failed,
                skipped=c.skipped,
            ),
            held_until=one.held_until,
            spent=Spent.of(one.spent, call.house.settings.sending.currency),
            started_at=one.started_at,
            finished_at=one.finished_at,
            created_at=one.created_at,
            updated_at=one.updated_at,
        )


class _Fields(Body):
    def values(self) -> dict[str, Any]:
        return _kept(super().values())

    def changes(self) -> dict[str, Any]:
        return _kept(super().changes())


class NewBroadcast(_Fields):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "Spring offer",
                    "channel_id": "01936f5e-5a2c-7e9a-8f4e-0d5a9b1c2d3e",
                    "text": 'Hi {{ customer.first_name | default: "there" }}, 20 % off all week.',
                    "audience": {"tags_any": ["regular"], "has_upcoming_appointment": False},
                },
                {
                    "name": "Spring offer by WhatsApp",
                    "channel_id": "01936f5e-5a2c-7e9a-8f4e-0d5a9b1c2d3e",
                    "text": 'Hi {{ customer.first_name | default: "there" }}, 20 % off all week.',
                    "template": {
                        "name": "spring_offer",
                        "language": "en_US",
                        "variables": {"1": '{{ customer.first_name | default: "there" }}'},
                    },
                },
                {
                    "name": "How was it?",
                    "channel_id": "01936f5e-5a2c-7e9a-8f4e-0d5a9b1c2d3e",
                    "text": "Thank you for your visit. Would you tell us how it was?",
                    "relative": {"event": "visit", "days_after": 3, "at": "10:00"},
                },
            ]
        }
    )

    name: Name
    channel_id: Uid
    text: Words
    template: Said | None = None
    audience: Audience = Audience()
    replies: Replies = Replies()
    relative: Relative | None = None


class BroadcastChange(_Fields):
    name: Name = ""
    channel_id: Uid = ""
    text: Words = ""
    template: Said | None = None
    audience: Audience = Audience()
    replies: Replies = Replies()
    relative: Relative | None = None


class Start(Body):
    """Now, when nothing is said; else one of the two."""

    model_config = ConfigDict(json_schema_extra={"examples": [{}, {"local_at": "2026-03-04T10:00"}]})

    send_at: Moment | None = None
    local_at: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d$")] | None = Field(
        default=None,
        description="Wall time without a zone: everybody gets it when their own clock shows it, by their number, else by "
        "the zone that is known of them, else by the business's.",
    )

    def values(self) -> dict[str, Any]:
        try:
            local_at = None if self.local_at is None else datetime.fromisoformat(self.local_at)
        except ValueError:
            raise Invalid("local_at", "There is no such day or time.") from None
        return {"send_at": self.send_at, "local_at": local_at}


class NewPreview(_Fields):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"channel_id": "01936f5e-5a2c-7e9a-8f4e-0d5a9b1c2d3e", "text": "20 % off all week.", "audience": {}}
            ]
        }
    )

    channel_id: Uid
    text: Words
    template: Said | None = None
    audience: Audience = Audience()
    relative: Relative | None = None


class Parts(Answer):
    """The longest text as SMS. `guilty`: the characters that make it so long, because the short alphabet lacks them."""

    encoding: str
    units: int
    parts: int
    guilty: list[str]


class Sample(Answer):
    customer_id: Uid
    text: str


class Preview(Answer):
    """Of a campaign that follows visits it counts those that there are, a message each; and none as held, for it comes at
    another time than now.
    """

    total: int
    reachable: int
    opted_out: int
    no_address: int = Field(description="They have none on this channel.")
    skipped: dict[str, int] = Field(
        description="Who gets none, by the reason: those above, premium_number, too_often, window_closed, missing_value."
    )
    missing: dict[str, int] = Field(
        description="For missing_value: how many lack a value, by the blank that has no default (`customer.first_name`). "
        "Who lacks two is counted with both."
    )
    held: int = Field(description="So many of the reachable would get it later, since it is night where they are.")
    held_until: Moment | None = Field(description="When the last of these would get it.")
    samples: list[Sample]
    longest: Parts | None = Field(description="Only by SMS.")
    parts: int | None = Field(description="What all the texts take together; only by SMS.")
    cost: float | None = Field(description="By the operator's price list; null when a price is missing there.")
    currency: str | None

    @classmethod
    def of(cls, one: broadcasts.Preview, currency: str) -> "Preview":
        longest = None
        if (found := one.longest) is not None:
            longest = Parts(encoding=found.encoding, units=found.units, parts=found.parts, guilty=[*found.guilty])
        return cls(
            total=one.total,
            reachable=one.reachable,
            opted_out=one.opted_out,
            no_address=one.no_address,
            samples=[Sample(customer_id=sample.customer_uid, text=sample.text) for sample in one.samples],
            longest=longest,
            parts=one.parts,
            skipped={**one.skipped},
            missing={**one.missing},
            held=one.held,
            held_until=one.held_until,
            cost=one.cost,
            currency=None if one.cost is None else currency,
        )


class Recipient(Answer):
    customer_id: Uid
    message_id: Uid | None
    appointment_id: Uid | None = Field(description="The visit that it is about, if `relative` says so.")
    status: str | None = Field(description="Of the message.")
    held_until: Moment | None = Field(description="When it goes out, if it is held for a time.")
    skipped_for: str | None = Field(
        description="opted_out, no_address, premium_number; no_such_number, takes_no_texts, not_on_channel: the provider says "
        "that nobody is reached there; person_talking: somebody is answering them; window_closed: they have not written for a "
        "day, and without a template WhatsApp carries nothing to them then; missing_value: nothing is known of them for a "
        "blank that has no default (`missing`); or, of a visit, "
        "too_late: its moment had gone by when it could be written; channel_paused: for as long the channel was; "
        "visit_changed: it was moved or called off while the message waited for the morning."
    )
    missing: list[str] = Field(
        description="With missing_value: the blanks without a value, such as `customer.first_name`."
    )

    @classmethod
    def of(cls, one: broadcasts.Recipient) -> "Recipient":
        return cls(
            customer_id=one.customer_uid,
            message_id=one.message_uid,
            appointment_id=one.appointment_uid,
            status=one.status,
            held_until=one.held_until,
            skipped_for=one.skipped_for,
            missing=[*one.missing],
        )


class BroadcastFilter(SkipQuery):
    search: Search | None = None
    status: Literal["draft", "scheduled", "sending", "paused", "sent", "cancelled"] | None = None
    sort: str | None = None


class RecipientFilter(SkipQuery):
    skipped: bool | None = None


@routes.get("/broadcasts", scope="broadcasts:read", summary="Broadcasts")
async def index(call: Call, query: BroadcastFilter) -> Page[Broadcast]:
    window = query.window(query.sort)
    found = await call.read(broadcasts.find, window, search=query.search, status=query.status)
    return Page[Broadcast].of(found, window, lambda one: Broadcast.of(one, call))


@routes.post("/broadcasts", scope="broadcasts:write", summary="Draft a broadcast")
async def create(call: Call, body: NewBroadcast) -> Broadcast:
    return Broadcast.of(await call.write(broadcasts.add, body.values(), scenarios=registry.names, now=call.now), call)


@routes.post("/broadcasts/preview", scope="broadcasts:read", summary="Preview a broadcast", status=200)
async def preview_unsaved(call: Call, body: NewPreview) -> Preview:
    """Whom it would reach, and what they would read."""
    prices, usual = call.house.settings.sending, call.house.usual
    found = await call.read(
        broadcasts.preview_of, body.values(), measure=count, prices=prices.price_list, usual=usual,
        windows=_windows(call), now=call.now,
    )  # fmt: skip
    return Preview.of(found, prices.currency)


@routes.get("/broadcasts/{broadcast_id}", scope="broadcasts:read", summary="A broadcast and how far it is")
async def read(call: Call, broadcast_id: Uid) -> Broadcast:
    return Broadcast.of(await call.read(broadcasts.get, broadcast_id), call)


@routes.put("/broadcasts/{broadcast_id}", scope="broadcasts:write", summary="Replace a draft")
async def replace(call: Call, broadcast_id: Uid, body: NewBroadcast) -> Broadcast:
    return Broadcast.of(
        await call.write(broadcasts.change, broadcast_id, body.values(), scenarios=registry.names, now=call.now), call
    )


@routes.patch("/broadcasts/{broadcast_id}", scope="broadcasts:write", summary="Change a draft")
async def change(call: Call, broadcast_id: Uid, body: BroadcastChange) -> Broadcast:
    return Broadcast.of(
        await call.write(broadcasts.change, broadcast_id, body.changes(), scenarios=registry.names, now=call.now), call
    )


@routes.delete("/broadcasts/{broadcast_id}", scope="broadcasts:write", summary="Remove a broadcast")
async def remove(call: Call, broadcast_id: Uid) -> None:
    """Not while it is being sent. Its messages stay in their conversations."""
    await call.write(broadcasts.remove, broadcast_id, now=call.now)


@routes.post("/broadcasts/{broadcast_id}/preview", scope="broadcasts:read", summary="Preview this one", status=200)
async def preview(call: Call, broadcast_id: Uid) -> Preview:
    """Whom it would reach now, and what they would read."""
    prices, usual = call.house.settings.sending, call.house.usual
    found = await call.read(
        broadcasts.preview, broadcast_id, measure=count, prices=prices.price_list, usual=usual,
        windows=_windows(call), now=call.now,
    )  # fmt: skip
    return Preview.of(found, prices.currency)


@routes.post("/broadcasts/{broadcast_id}/send", scope="broadcasts:write", summary="Send a broadcast", status=202)
async def send(call: Call, broadcast_id: Uid, body: Start) -> Broadcast:
    """At once, at a moment, or at one time by everybody's own clock; quiet hours hold for all of them.

    Whoever refused offers or everything, has no address on the channel or is talking with somebody is left out.
    """
    return Broadcast.of(await call.write(broadcasts.send, broadcast_id, **body.values(), now=call.now), call)


@routes.post("/broadcasts/{broadcast_id}/pause", scope="broadcasts:write", summary="Pause a broadcast", status=200)
async def pause(call: Call, broadcast_id: Uid) -> Broadcast:
    """Nothing more goes out until it is resumed; what is on its way cannot be stopped."""
    return Broadcast.of(await call.write(broadcasts.pause, broadcast_id, now=call.now), call)


@routes.post("/broadcasts/{broadcast_id}/resume", scope="broadcasts:write", summary="Resume a broadcast", status=200)
async def resume(call: Call, broadcast_id: Uid) -> Broadcast:
    """It goes on where it stood."""
    return Broadcast.of(await call.write(broadcasts.resume, broadcast_id, now=call.now), call)


@routes.post("/broadcasts/{broadcast_id}/cancel", scope="broadcasts:write", summary="Stop sending", status=200)
async def cancel(call: Call, broadcast_id: Uid) -> Broadcast:
    """Messages that still wait are held back; what is on its way cannot be stopped."""
    return Broadcast.of(await call.write(broadcasts.cancel, broadcast_id, now=call.now), call)


@routes.get("/broadcasts/{broadcast_id}/recipients", scope="broadcasts:read", summary="Whom it was meant for")
async def recipients(call: Call, broadcast_id: Uid, query: RecipientFilter) -> Page[Recipient]:
    window = query.window()
    found = await call.read(broadcasts.recipients_of, broadcast_id, window, skipped=query.skipped)
    return Page[Recipient].of(found, window, Recipient.of)


def _windows(call: Call) -> dict[tuple[str, str], int | None]:
    """For how long each kind of channel carries free text."""
    return {key: adapter.capabilities.session_window_h for key, adapter in call.house.adapters.items()}


def _kept(values: dict[str, Any]) -> dict[str, Any]:
    for name in ("audience", "replies", "relative"):
        if values.get(name) is not None:
            values[name] = values[name].as_json()
    if (template := values.get("template")) is not None:
        said = template.template()
        values["template"] = {"name": said.name, "language": said.language, "variables": said.variables}
    if values.get("replies") == {"to": "bot"}:
        values["replies"] = None  # as ever: nothing is to be routed
    return values
