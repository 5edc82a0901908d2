"""`/speech-usage`: what speech services were asked for."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from desk import speech_usage
from gateway.rest.call import Call
from gateway.rest.route import Routes
from gateway.rest.schema import Answer, Page, SkipQuery, Uid
from gateway.rest.v1.fields import Day
from gateway.settings import ElevenLabs

routes = Routes("Calls")


class Used(Answer):
    """Of one business on one of its days. What was spoken before and kept counts for nothing."""

    business_id: Uid
    day: date
    kind: Annotated[Literal["spoken", "heard"], Field(description="Letters that were spoken, seconds that were heard.")]
    amount: float
    cost: float | None = Field(description="By the operator's prices; null when there is none.")
    currency: str | None

    @classmethod
    def of(cls, one: speech_usage.Used, prices: ElevenLabs) -> "Used":
        cost = prices.cost(letters=one.amount) if one.kind == "spoken" else prices.cost(seconds=one.amount)
        return cls(
            business_id=one.business_uid,
            day=one.day,
            kind=one.kind,
            amount=round(one.amount, 3),
            cost=cost,
            currency=None if cost is None else prices.currency,
        )


class Filter(SkipQuery):
    business_id: Uid | None = None
    since: Annotated[Day | None, Field(description="From this day on.")] = None
    until: Annotated[Day | None, Field(description="Up to this day.")] = None


@routes.get("/speech-usage", scope="dashboard:read", summary="What was spoken and listened to", errors=(404,))
async def find(call: Call, query: Filter) -> Page[Used]:
    """The latest day first. It is counted where the sound of calls goes through us, or is played for us."""
    window = query.window()
    found = await call.read(speech_usage.find, window, business=query.business_id, since=query.since, until=query.until)
    prices = call.house.settings.elevenlabs
    return Page[Used].of(found, window, lambda one: Used.of(one, prices))
