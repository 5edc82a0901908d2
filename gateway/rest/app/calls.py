"""`/api/calls`: telephone calls and what was said in them."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from desk import calls
from desk.listing import Window
from desk.who import Actor
from gateway.media.links import Show
from gateway.rest.call import Call as Request
from gateway.rest.route import Routes
from gateway.rest.schema import MOST, Answer, Moment, Query
from gateway.rest.v1.calls import first_link, transcript_of
from storage.base import Db

routes = Routes("Calls")

_Whole = tuple[calls.Call, Sequence[calls.Turn]]


class Call(Answer):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    id: int
    business_id: int
    caller: str | None = Field(description="Their name, when it is known.")
    phone: str | None = Field(description="Null when the number was withheld.")
    type: str | None
    start_time: Moment
    end_time: Moment | None
    status: calls.Status
    duration: Annotated[str, Field(description="Minutes and seconds; 0:00 while it goes on.", examples=["1:05"])]
    recording: str | None = Field(description="A link, good for a day. Null without the permission recordings:read.")
    transcript: str | None = Field(description="A line for each who spoke. Null: nobody has.")

    @classmethod
    def of(cls, whole: _Whole, show: Show) -> "Call":
        one, turns = whole
        return cls(
            id=one.id,
            business_id=one.business_id,
            caller=one.caller,
            phone=one.phone,
            type=one.kind,
            start_time=one.started_at,
            end_time=one.ended_at,
            status=one.status,
            duration=calls.length(one.duration_s or 0),
            recording=first_link(one, show),
            transcript=transcript_of(turns) or None,
        )


class Latest(Query):
    skip: Annotated[int, Field(ge=0, le=2**31, description="Calls to leave out, the latest first.")] = 0
    limit: Annotated[int, Field(ge=1, le=MOST)] = MOST


@routes.get("/calls", scope="conversations:read", summary="Calls, the latest first")
async def find(call: Request, query: Latest) -> list[Call]:
    found = await call.read(_find, Window(query.skip, query.limit, None))
    return [Call.of(one, call.show) for one in found]


@routes.get("/calls/{call_id}", scope="conversations:read", summary="A call")
async def read(call: Request, call_id: int) -> Call:
    return Call.of(await call.read(calls.get, call_id), call.show)


def _find(db: Db, who: Actor, window: Window) -> list[_Whole]:
    found = calls.find(db, who, window, calls.Filter()).items
    turns = calls.turns_of(db, [one.id for one in found])
    return [(one, turns.get(one.id, ())) for one in found]
