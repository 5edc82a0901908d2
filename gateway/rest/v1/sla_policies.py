"""`/sla-policies`: how soon people answer."""

from typing import Annotated

from pydantic import ConfigDict, Field

from desk.inbox import sla_policies
from gateway.rest.call import Call
from gateway.rest.route import Routes
from gateway.rest.schema import Answer, Body, Moment, Name, Page, Search, SkipQuery, Uid

routes = Routes("Promises of time")

Minutes = Annotated[int, Field(ge=1, le=525_600)]


class SlaPolicy(Answer):
    """Minutes; null where nothing is promised. Without a team it holds wherever no policy of a team does."""

    id: Uid
    name: str
    team_id: Uid | None
    first_answer_minutes: int | None
    next_answer_minutes: int | None
    resolution_minutes: int | None
    warn_minutes: int
    in_business_hours: bool
    created_at: Moment

    @classmethod
    def of(cls, one: sla_policies.SlaPolicy) -> "SlaPolicy":
        return cls(
            id=one.uid,
            name=one.name,
            team_id=one.team_uid,
            first_answer_minutes=one.first_answer_minutes,
            next_answer_minutes=one.next_answer_minutes,
            resolution_minutes=one.resolution_minutes,
            warn_minutes=one.warn_minutes,
            in_business_hours=one.in_business_hours,
            created_at=one.created_at,
        )


class SlaPolicyChange(Body):
    name: Name = ""
    team_id: Uid | None = None
    first_answer_minutes: Annotated[
        Minutes | None, Field(description="From when a person is wanted until one answers for the first time.")
    ] = None
    next_answer_minutes: Annotated[
        Minutes | None, Field(description="From what a customer writes after that until it is answered.")
    ] = None
    resolution_minutes: Annotated[
        Minutes | None, Field(description="From when a person is wanted until the conversation is closed.")
    ] = None
    warn_minutes: Annotated[int, Field(ge=0, le=525_600, description="So long before; 0: no warning.")] = 5
    in_business_hours: Annotated[bool, Field(description="Only minutes count in which the business is open.")] = False


class NewSlaPolicy(SlaPolicyChange):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "Within the hour",
                    "first_answer_minutes": 15,
                    "next_answer_minutes": 60,
                    "resolution_minutes": 2880,
                    "in_business_hours": True,
                }
            ]
        }
    )

    name: Name


class Filter(SkipQuery):
    search: Search | None = None
    sort: Annotated[str | None, Field(description="name or created_at; a minus before it turns the order.")] = None


@routes.get("/sla-policies", scope="teams:read", summary="Promises of time")
async def index(call: Call, query: Filter) -> Page[SlaPolicy]:
    window = query.window(query.sort)
    return Page[SlaPolicy].of(await call.read(sla_policies.find, window, search=query.search), window, SlaPolicy.of)


@routes.post("/sla-policies", scope="teams:write", summary="Promise something", errors=(409,))
async def create(call: Call, body: NewSlaPolicy) -> SlaPolicy:
    """One for each team and one for all else. It holds at once, also for who waits already."""
    return SlaPolicy.of(await call.write(sla_policies.add, body.values(), now=call.now))


@routes.get("/sla-policies/{policy_id}", scope="teams:read", summary="A promise of time")
async def read(call: Call, policy_id: Uid) -> SlaPolicy:
    return SlaPolicy.of(await call.read(sla_policies.get, policy_id))


@routes.put("/sla-policies/{policy_id}", scope="teams:write", summary="Replace a promise of time", errors=(409,))
async def replace(call: Call, policy_id: Uid, body: NewSlaPolicy) -> SlaPolicy:
    return SlaPolicy.of(await call.write(sla_policies.change, policy_id, body.values(), now=call.now))


@routes.patch("/sla-policies/{policy_id}", scope="teams:write", summary="Change a promise of time", errors=(409,))
async def change(call: Call, policy_id: Uid, body: SlaPolicyChange) -> SlaPolicy:
    return SlaPolicy.of(await call.write(sla_policies.change, policy_id, body.changes(), now=call.now))


@routes.delete("/sla-policies/{policy_id}", scope="teams:write", summary="Take a promise back")
async def remove(call: Call, policy_id: Uid) -> None:
    await call.write(sla_policies.remove, policy_id, now=call.now)
