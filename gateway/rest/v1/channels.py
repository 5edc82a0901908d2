"""`/channels`: connected numbers and sites, whatever their kind."""

from dataclasses import asdict
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, JsonValue

from desk import accounts, channel_log
from desk.accounts import Line
from gateway.rest.call import Call
from gateway.rest.route import Routes
from gateway.rest.schema import Answer, Body, Moment, Page, Search, SkipQuery, Uid
from gateway.rest.schema import Line as OneLine

routes = Routes("Channels")

Kind = Literal["sms", "whatsapp", "voice", "web"]
Provider = Literal["twilio", "meta", "webchat"]
Keeps = Annotated[
    Literal["all", "failures", "off"],
    Field(description="What `/channels/{channel_id}/log` keeps of its traffic."),
]
Status = Annotated[
    Literal["active", "paused", "waiting"],
    Field(
        description="`paused`: what customers write is kept and waits for people; bot, reminders and broadcasts are silent. "
        "`waiting`: kept, but this kind is not served yet, or lacks its `phone_number_id`."
    ),
]
Address = Annotated[
    str,
    Field(
        min_length=1,
        max_length=80,
        pattern=r"^[^\x00-\x1f\x7f]+$",
        description="A telephone number; for texts alone also a sender's name (`JUNIPER`), to which nobody can write back; "
        "or the key of a site, which is made up when it is left out.",
    ),
]
VendorId = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[!-~]+$")]
Secret = Annotated[
    str, Field(min_length=1, max_length=1000, pattern=r"^[!-~]+$", json_schema_extra={"writeOnly": True})
]


class Credentials(Body):
    """Keys of the channel's own, instead of those in the settings. They are sealed and never come back."""

    auth_token: Annotated[Secret | None, Field(description="What signs the provider's requests.")] = None
    auth_tokens: Annotated[
        list[Secret] | None, Field(max_length=5, description="Several, while one replaces another; the newest first.")
    ] = None
    api_key: Secret | None = None
    api_secret: Secret | None = None
    access_token: Annotated[Secret | None, Field(description="Meta's, which sends messages.")] = None
    app_secret: Annotated[
        Secret | None, Field(description="Meta's, which signs what comes; `auth_tokens` count too.")
    ] = None
    verify_token: Annotated[Secret | None, Field(description="The word that Meta repeats to set up its webhook.")] = (
        None
    )


Origin = Annotated[
    str,
    Field(
        max_length=200,
        pattern=r"^(\*|https?://(\*\.)?[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*(:[0-9]{1,5})?)$",
        description="`https://www.example.com`, without a path; `https://*.example.com` for every host below it; "
        "`*` for pages anywhere.",
    ),
]


class Widget(Body):
    """How the chat looks on the business's pages (docs/web-chat.md). What is left out is as usual."""

    title: Annotated[
        OneLine, Field(max_length=60, description="Left empty: the channel's name, or the business's.")
    ] = ""
    greeting: Annotated[str, Field(max_length=500, description="Shown before anything was said.")] = ""
    color: Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")] = "#0b5cad"
    position: Literal["left", "right"] = "right"
    theme: Annotated[Literal["auto", "light", "dark"], Field(description="`auto`: as the visitor's system is.")] = (
        "auto"
    )
    allowed_origins: Annotated[
        list[Origin],
        Field(default=[], max_length=50, description="Whose pages may show the chat; our own always may."),
    ]

    def kept(self) -> accounts.Widget:
        return accounts.Widget(**{**self.values(), "allowed_origins": tuple(map(str.lower, self.allowed_origins))})


class ShownWidget(Answer):
    title: str
    greeting: str
    color: str
    position: str
    theme: str
    allowed_origins: list[str]

    @classmethod
    def of(cls, one: accounts.Widget) -> "ShownWidget":
        return cls.model_validate(asdict(one))


class Channel(Answer):
    """`keys` says which credentials are set, and how each ends."""

    id: Uid
    kind: str
    provider: str
    address: str
    display_name: str
    business_id: Uid
    bot_id: Uid | None
    provider_account: str | None
    phone_number_id: str | None
    sender_pool: str | None
    shorten_links: bool
    widget: Annotated[ShownWidget | None, Field(description="Of a web chat only.")]
    takes_replies: Annotated[bool, Field(description="False for a sender's name, to which nobody can write.")]
    window_template: dict[str, str] | None
    messages_per_s: float | None
    keys: dict[str, str | list[str]]
    is_active: bool
    log: str
    status: Status
    created_at: Moment

    @classmethod
    def of(cls, one: accounts.Channel) -> "Channel":
        return cls(
            **facts(one),
            kind=one.kind,
            address=one.address,
            shorten_links=one.shorten_links,
            widget=None if one.widget is None else ShownWidget.of(one.widget),
            log=one.log_keeps,
            takes_replies=one.takes_replies,
        )


class WindowTemplate(Body):
    """An approved template that says what is due (a reminder, an offer, an invoice) while free text may not be sent. Its
    `variable` takes the words.
    """

    name: Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[^\x00-\x1f\x7f]+$")]
    language: Annotated[str, Field(max_length=16, pattern=r"^[A-Za-z0-9_-]*$")] = ""
    variable: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_]+$")] = "1"


class Fields(Body):
    display_name: OneLine = ""
    business_id: Annotated[Uid | None, Field(description="Null: your first one. A channel stays with it.")] = None
    bot_id: Annotated[Uid | None, Field(description="Who answers; null: people. Left out: the business's bot.")] = None
    provider_account: Annotated[VendorId | None, Field(description="Twilio's AccountSid, Meta's WABA id.")] = None
    phone_number_id: Annotated[VendorId | None, Field(description="Meta's id of the number, which it needs.")] = None
    sender_pool: Annotated[VendorId | None, Field(description="Twilio's MessagingServiceSid.")] = None
    credentials: Annotated[Credentials | None, Field(description="Left out of a change: they stay as they are.")] = None
    window_template: Annotated[
        WindowTemplate | None,
        Field(
            description="For WhatsApp: sent more than 24 hours after they wrote. Null: what is due then is not said."
        ),
    ] = None
    messages_per_s: Annotated[
        float | None,
        Field(
            ge=0.01,
            le=1000,
            description="How many go out over it in a second; null: as providers allow its kind of number (`sending.rates`).",
        ),
    ] = None
    is_active: bool = True


class Exchange(Answer):
    """A request and its answer. Words, names, numbers and keys are not shown: `•12` stands for twelve characters,
    `•0198` for a number that ends so. `messages` in an answer of ours are the replies that it carried.
    """

    direction: Annotated[Literal["in", "out"], Field(description="`in`: the provider asked us. `out`: we asked it.")]
    status: Annotated[
        Literal["ok", "failed", "refused"],
        Field(description="`refused`: we turned the request away. At most ten a minute and the newest 500 are kept."),
    ]
    code: Annotated[
        str | None,
        Field(
            description="Why: the provider's code, or `turn_failed`; of what was refused `bad_signature`, "
            "`other_account` (signed by a key that is not this channel's) or `malformed` (the answer names the field)."
        ),
    ]
    took_ms: int | None
    message_id: Uid | None
    request: JsonValue
    answer: JsonValue
    created_at: Moment

    @classmethod
    def of(cls, one: channel_log.Entry) -> "Exchange":
        line = one.line
        facts = {name: getattr(line, name) for name in ("direction", "status", "code", "took_ms", "request", "answer")}
        return cls.model_validate({**facts, "message_id": one.message_uid, "created_at": one.created_at})


class LogFilter(SkipQuery):
    direction: Literal["in", "out"] | None = None
    status: Literal["ok", "failed", "refused"] | None = None
    message_id: Annotated[
        Uid | None, Field(description="Only what was about this message, and the request that it answers.")
    ] = None


ShortenLinks = Annotated[
    bool, Field(description="Twilio shortens links in texts; for a sender pool whose domain is set up there.")
]


OwnWidget = Annotated[Widget | None, Field(description="Of a web chat only; null: as usual.")]


class NewChannel(Fields):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "kind": "sms",
                    "address": "+15125550142",
                    "display_name": "Shop line",
                    "provider_account": "AC00112233445566778899aabbccddeeff",
                    "credentials": {"auth_token": "0123456789abcdef0123456789abcdef"},
                }
            ]
        }
    )

    kind: Kind
    provider: Annotated[Provider | None, Field(description="Left out: the usual one of the kind.")] = None
    address: Address | None = None
    shorten_links: ShortenLinks = False
    widget: OwnWidget = None
    log: Keeps = "all"


class ChannelChange(Fields):
    """`kind`, `provider` and `address` stay as they are; a body may repeat them."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"display_name": "Shop line", "is_active": True}]})

    kind: Kind | None = None
    provider: Provider | None = None
    address: Address | None = None
    shorten_links: ShortenLinks = False
    widget: OwnWidget = None
    log: Keeps = "all"


class Filter(SkipQuery):
    search: Search | None = None
    kind: Kind | None = None
    business_id: Uid | None = None
    is_active: bool | None = None
    sort: str | None = None


@routes.get("/channels", scope="channels:read", summary="Channels", errors=(404,))
async def index(call: Call, query: Filter) -> Page[Channel]:
    window = query.window(query.sort)
    found = await call.read(
        accounts.find,
        window,
        line(call),
        search=query.search,
        kind=query.kind,
        business=query.business_id,
        is_active=query.is_active,
    )
    return Page[Channel].of(found, window, Channel.of)


@routes.post("/channels", scope="channels:write", summary="Connect a channel")
async def create(call: Call, body: NewChannel) -> Channel:
    """An address is connected once, anywhere. A kind that is not served yet is kept and waits."""
    return Channel.of(await call.write(accounts.connect, columns(body.changes()), line(call), now=call.now))


@routes.get("/channels/{channel_id}", scope="channels:read", summary="A channel")
async def read(call: Call, channel_id: Uid) -> Channel:
    return Channel.of(await call.read(accounts.get, channel_id, line(call)))


@routes.get("/channels/{channel_id}/log", scope="channels:read", summary="What went over the wire", errors=(404,))
async def exchanges(call: Call, channel_id: Uid, query: LogFilter) -> Page[Exchange]:
    """The newest first. What is kept says the channel's `log`; how long, the setting `conversations.channel_log_days`."""
    window = query.window()
    found = await call.read(
        channel_log.find, channel_id, window, direction=query.direction, status=query.status, message=query.message_id
    )
    return Page[Exchange].of(found, window, Exchange.of)


@routes.put("/channels/{channel_id}", scope="channels:write", summary="Replace a channel")
async def replace(call: Call, channel_id: Uid, body: ChannelChange) -> Channel:
    """Its credentials stay unless new ones are sent; null takes them away."""
    values = {**columns(body.values()), **columns(body.changes())}
    if "credentials" not in body.model_fields_set:
        del values["credentials"]
    return Channel.of(await call.write(accounts.change, channel_id, values, line(call), now=call.now))


@routes.patch("/channels/{channel_id}", scope="channels:write", summary="Change a channel")
async def change(call: Call, channel_id: Uid, body: ChannelChange) -> Channel:
    values = columns(body.changes())
    return Channel.of(await call.write(accounts.change, channel_id, values, line(call), now=call.now))


@routes.delete("/channels/{channel_id}", scope="channels:write", summary="Disconnect a channel")
async def remove(call: Call, channel_id: Uid) -> None:
    """It is listed no more, its keys are forgotten and its address is free. The conversations stay, and go on when the
    same address is connected to the same business again.
    """
    await call.write(accounts.disconnect, channel_id, now=call.now)


def line(call: Call) -> Line:
    """What the rows alone do not tell."""
    return call.house.line


_COLUMNS = {"phone_number_id": "provider_number", "log": "log_keeps"}


def columns(values: dict[str, Any]) -> dict[str, Any]:
    """What was sent as columns are called, with the models in it as plain mappings."""
    values = {_COLUMNS.get(name, name): value for name, value in values.items()}
    if values.get("widget") is not None:
        values["widget"] = values["widget"].kept()
    models = {name: value for name, value in values.items() if isinstance(value, Credentials | WindowTemplate)}
    return {**values, **{name: model.model_dump(exclude_none=True) for name, model in models.items()}}


def facts(one: accounts.Channel) -> dict[str, Any]:
    """What is told of a channel of any kind."""
    return {
        "id": one.uid,
        "provider": one.provider,
        "display_name": one.display_name,
        "business_id": one.business_uid,
        "bot_id": one.bot_uid,
        "provider_account": one.provider_account,
        "phone_number_id": one.provider_number,
        "sender_pool": one.sender_pool,
        "window_template": one.window_template,
        "messages_per_s": one.messages_per_s,
        "keys": one.keys,
        "is_active": one.is_active,
        "status": one.status,
        "created_at": one.created_at,
    }
