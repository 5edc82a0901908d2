"""`/bots`: who answers customers when no person does. What they say are their scenarios."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from bots import studio
from channels.voice.speech.voices import ID, MODEL, OTHERS, RANGES, VOICE
from desk import bots
from gateway.rest import etag
from gateway.rest.call import Call
from gateway.rest.route import Routes
from gateway.rest.schema import Answer, Body, Moment, Name, Page, Search, SkipQuery, Uid

routes = Routes("Bots")


def _setting(name: str) -> Any:
    """One of what can be set about a voice."""
    least, most = RANGES[name]
    return Field(ge=least, le=most, description="Null: as the voice comes.")


class BotVoice(Body):
    """A voice of ElevenLabs; what is null is as usual. `model` and the settings hold where the sound goes through us, and
    by ConversationRelay the voice alone.
    """

    voice_id: Annotated[str | None, Field(pattern=f"^{ID.pattern}$", examples=[VOICE])] = None
    model: Annotated[str | None, Field(pattern="^[a-z0-9_]{1,40}$", examples=[MODEL])] = None
    stability: Annotated[float | None, _setting("stability")] = None
    similarity_boost: Annotated[float | None, _setting("similarity_boost")] = None
    style: Annotated[float | None, _setting("style")] = None
    speed: Annotated[float | None, _setting("speed")] = None


Speaks = Annotated[str, Field(pattern=rf"^([a-z]{{2}}|\{OTHERS})$")]


class Settings(Body):
    """How a bot behaves."""

    asks_name: Annotated[bool, Field(description="Ask new customers for their name once a visit is booked.")] = True
    records_calls: Annotated[
        bool, Field(description="Tell callers that their call is recorded, and record it from then on.")
    ] = False
    closed_calls: Annotated[
        Literal["bot", "voicemail"],
        Field(
            description="What a call outside of the opening hours gets: the bot as always, or a message can be left. Without "
            "`voice.voicemail` it is the bot."
        ),
    ] = "bot"
    voices: Annotated[
        dict[Speaks, BotVoice],
        Field(
            max_length=30, description="The voice on the telephone by language, such as `es`; `*` is for all others."
        ),
    ] = Field(default_factory=dict)


class Bot(Answer):
    id: Uid
    business_id: Uid
    name: str
    settings: Settings
    is_active: bool
    created_at: Moment

    @classmethod
    def of(cls, one: bots.Bot) -> "Bot":
        return cls(
            id=one.uid,
            business_id=one.business_uid,
            name=one.name,
            settings=Settings(
                asks_name=one.settings.get("asks_name") is not False,
                records_calls=one.settings.get("records_calls") is True,
                closed_calls="voicemail" if one.settings.get("closed_calls") == "voicemail" else "bot",
                voices=one.settings.get("voices") or {},
            ),
            is_active=one.is_active,
            created_at=one.created_at,
        )


class _Fields(Body):
    business_id: Annotated[Uid | None, Field(description="Null: your first one. A bot stays with its business.")] = None
    settings: Settings = Settings()
    is_active: Annotated[bool, Field(description="Only an active one speaks.")] = True


class NewBot(_Fields):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"name": "Front desk", "settings": {"voices": {"*": {"voice_id": VOICE}}}, "is_active": True}]
        }
    )

    name: Name


class BotChange(_Fields):
    name: Name = ""


class Filter(SkipQuery):
    search: Search | None = None
    business_id: Uid | None = None
    is_active: bool | None = None
    sort: str | None = None


@routes.get("/bots", scope="bots:read", summary="Bots", errors=(404,))
async def index(call: Call, query: Filter) -> Page[Bot]:
    window = query.window(query.sort)
    found = await call.read(
        bots.find, window, search=query.search, business=query.business_id, is_active=query.is_active
    )
    return Page[Bot].of(found, window, Bot.of)


@routes.post("/bots", scope="bots:write", summary="Add a bot")
async def create(call: Call, body: NewBot) -> Bot:
    """It comes with the standard scenarios: booking, moving, cancelling, questions, handing over to a person."""
    return etag.shown(call, Bot.of(await call.write(studio.add_bot, _columns(body.values()), now=call.now)))


@routes.get("/bots/{bot_id}", scope="bots:read", summary="A bot")
async def read(call: Call, bot_id: Uid) -> Bot:
    return etag.shown(call, Bot.of(await call.read(bots.get, bot_id)))


@routes.put("/bots/{bot_id}", scope="bots:write", summary="Replace a bot", errors=(412,))
async def replace(call: Call, bot_id: Uid, body: NewBot) -> Bot:
    """With `If-Match` only if nobody else has changed it since it was read."""
    return await _changed(call, bot_id, _columns(body.values()))


@routes.patch("/bots/{bot_id}", scope="bots:write", summary="Change a bot", errors=(412,))
async def change(call: Call, bot_id: Uid, body: BotChange) -> Bot:
    """With `If-Match` only if nobody else has changed it since it was read."""
    return await _changed(call, bot_id, _columns(body.changes()))


@routes.delete("/bots/{bot_id}", scope="bots:write", summary="Remove a bot")
async def remove(call: Call, bot_id: Uid) -> None:
    """Refused while a channel speaks through it. What it said to customers stays in their conversations."""
    await call.write(bots.remove, bot_id, now=call.now)


async def _changed(call: Call, bot_id: Uid, values: dict[str, object]) -> Bot:
    changed = await etag.write(
        call, lambda db, who: Bot.of(bots.get(db, who, bot_id, lock=True)), bots.change, bot_id, values, now=call.now
    )
    return etag.shown(call, Bot.of(changed))


def _columns(values: dict[str, object]) -> dict[str, object]:
    settings = values.get("settings")
    return {**values, "settings": settings.model_dump()} if isinstance(settings, Settings) else values
