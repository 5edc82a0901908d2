"""`/teams`: who answers together, and how what waits is given to them."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from desk.inbox import teams
from gateway.rest.call import Call
from gateway.rest.route import Routes
from gateway.rest.schema import Answer, Body, Moment, Name, Page, Search, SkipQuery, Text, Uid

routes = Routes("Teams")

Assignment = Annotated[
    Literal["manual", "round_robin", "load"],
    Field(description="Nobody by itself, in turns, or whoever has the fewest open conversations."),
]
Members = Annotated[list[Uid], Field(max_length=500)]


class Member(Answer):
    id: Uid
    full_name: str
    role: str
    availability: str


class Team(Answer):
    id: Uid
    name: str
    description: str
    assignment: str
    members: list[Member]
    created_at: Moment

    @classmethod
    def of(cls, one: teams.Team) -> "Team":
        members = [
            Member(id=who.uid, full_name=who.full_name, role=who.role, availability=who.availability)
            for who in one.members
        ]
        return cls(
            id=one.uid,
            name=one.name,
            description=one.description,
            assignment=one.assignment,
            members=members,
            created_at=one.created_at,
        )


class NewTeam(Body):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "Repairs", "description": "The bench.", "assignment": "round_robin"}]}
    )

    name: Name
    description: Text = ""
    assignment: Assignment = "manual"
    member_ids: Members = Field(default=[])


class TeamChange(Body):
    name: Name = ""
    description: Text = ""
    assignment: Assignment = "manual"
    member_ids: Members = Field(default=[], description="Replaces the members.")


class Filter(SkipQuery):
    search: Search | None = None
    sort: Annotated[str | None, Field(description="name or created_at; a minus before it turns the order.")] = None


@routes.get("/teams", scope="teams:read", summary="Teams")
async def index(call: Call, query: Filter) -> Page[Team]:
    window = query.window(query.sort)
    return Page[Team].of(await call.read(teams.find, window, search=query.search), window, Team.of)


@routes.post("/teams", scope="teams:write", summary="Add a team", errors=(409,))
async def create(call: Call, body: NewTeam) -> Team:
    return Team.of(await call.write(teams.add, body.values(), now=call.now))


@routes.get("/teams/{team_id}", scope="teams:read", summary="A team")
async def read(call: Call, team_id: Uid) -> Team:
    return Team.of(await call.read(teams.get, team_id))


@routes.put("/teams/{team_id}", scope="teams:write", summary="Replace a team", errors=(409,))
async def replace(call: Call, team_id: Uid, body: NewTeam) -> Team:
    """Its members stay when `member_ids` is left out."""
    values = {**body.values(), **({} if "member_ids" in body.model_fields_set else {"member_ids": None})}
    return Team.of(await call.write(teams.change, team_id, values, now=call.now))


@routes.patch("/teams/{team_id}", scope="teams:write", summary="Change a team", errors=(409,))
async def change(call: Call, team_id: Uid, body: TeamChange) -> Team:
    return Team.of(await call.write(teams.change, team_id, body.changes(), now=call.now))


@routes.delete("/teams/{team_id}", scope="teams:write", summary="Remove a team")
async def remove(call: Call, team_id: Uid) -> None:
    """Its conversations stay, without a team."""
    await call.write(teams.remove, team_id, now=call.now)


@routes.put("/teams/{team_id}/members/{user_id}", scope="teams:write", summary="Take somebody into a team")
async def add_member(call: Call, team_id: Uid, user_id: Uid) -> Team:
    return Team.of(await call.write(teams.add_member, team_id, user_id, now=call.now))


@routes.delete("/teams/{team_id}/members/{user_id}", scope="teams:write", summary="Take somebody out of a team")
async def remove_member(call: Call, team_id: Uid, user_id: Uid) -> None:
    await call.write(teams.remove_member, team_id, user_id, now=call.now)
