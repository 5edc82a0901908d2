"""`/invitations`: people are asked to join, one or a thousand at a time."""

from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from desk import invitations
from gateway.auth import entrance, people
from gateway.rest.call import Call
from gateway.rest.route import PUBLIC, Routes
from gateway.rest.schema import Answer, Body, Line, Moment, Name, Page, Search, SkipQuery, Uid
from gateway.rest.v1.auth import SignedIn
from gateway.rest.v1.people import AnyRole, Email, NewPassword, Role, Secret

routes = Routes("Invitations")

Status = Literal["pending", "accepted", "revoked", "expired"]


class Invitation(Answer):
    id: Uid
    email: str
    full_name: str
    role: AnyRole
    status: Status
    invited_by: Uid | None
    created_at: Moment
    expires_at: Moment
    accepted_at: Moment | None

    @classmethod
    def of(cls, one: invitations.Invitation) -> "Invitation":
        return cls(**_shown(one))


class Invited(Invitation):
    link: Annotated[
        str | None, Field(description="Pass it on yourself: only where this front desk can send no e-mail.")
    ] = None

    @classmethod
    def with_link(cls, made: tuple[invitations.Invitation, str | None]) -> "Invited":
        return cls(**_shown(made[0]), link=made[1])


class Trouble(Answer):
    row: int
    field: str
    problem: str


class Many(Answer):
    """How far it has come. `problems` are the first hundred; rows count from 1."""

    id: Uid
    status: Literal["waiting", "running", "done", "failed"]
    total: int
    done: int
    made: int
    refused: int
    problems: list[Trouble]
    created_at: Moment
    finished_at: Moment | None

    @classmethod
    def of(cls, one: invitations.Many) -> "Many":
        return cls(
            id=one.uid,
            status=one.status,  # type: ignore[arg-type]
            total=one.total,
            done=one.done,
            made=one.made,
            refused=one.refused,
            problems=[Trouble(**problem) for problem in one.problems],
            created_at=one.created_at,
            finished_at=one.finished_at,
        )


_EXAMPLE: Final[JsonDict] = {"email": "casey@example.com", "role": "agent", "full_name": "Casey Cole"}


class NewInvitation(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    email: Email
    role: Role
    full_name: Line = ""


class NewInvitations(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"invitations": [_EXAMPLE]}]})

    invitations: Annotated[list[NewInvitation], Field(min_length=1, max_length=1000)]


class Acceptance(Body):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"token": "from-the-e-mail", "password": "correct horse battery staple"}]}
    )

    token: Secret
    password: NewPassword
    full_name: Name | None = None


class Filter(SkipQuery):
    search: Search | None = None
    role: Role | None = None
    status: Status | None = None
    sort: str | None = None


@routes.get("/invitations", scope="users:read", summary="Invitations")
async def index(call: Call, query: Filter) -> Page[Invitation]:
    window = query.window(query.sort)
    found = await call.read(
        invitations.find, window, search=query.search, role=query.role, status=query.status, now=call.now
    )
    return Page[Invitation].of(found, window, Invitation.of)


@routes.post("/invitations", scope="users:write", summary="Invite somebody")
async def create(call: Call, body: NewInvitation) -> Invited:
    return Invited.with_link(await people.invite(call, body.values()))


@routes.post("/invitations/bulk", scope="users:write", summary="Invite many", status=202)
async def create_many(call: Call, body: NewInvitations) -> Many:
    """Up to 1,000 at once. Look at its progress under the id of the answer."""
    return Many.of(await people.invite_many(call, [one.values() for one in body.invitations]))


@routes.get("/invitations/bulk/{list_id}", scope="users:read", summary="How far many invitations have come")
async def progress(call: Call, list_id: Uid) -> Many:
    return Many.of(await call.read(invitations.progress, list_id))


@routes.post("/invitations/accept", scope=PUBLIC, summary="Join, and sign in")
async def accept(call: Call, body: Acceptance) -> SignedIn:
    return SignedIn.of(await entrance.accept(call, body.token, body.password, body.full_name))


@routes.get("/invitations/{invitation_id}", scope="users:read", summary="An invitation")
async def read(call: Call, invitation_id: Uid) -> Invitation:
    return Invitation.of(await call.read(invitations.get, invitation_id, now=call.now))


@routes.post("/invitations/{invitation_id}/resend", scope="users:write", summary="Send another link", status=200)
async def resend(call: Call, invitation_id: Uid) -> Invited:
    """The link before opens nothing any more."""
    return Invited.with_link(await people.invite_again(call, invitation_id))


@routes.delete("/invitations/{invitation_id}", scope="users:write", summary="Revoke an invitation")
async def revoke(call: Call, invitation_id: Uid) -> None:
    await call.write(invitations.revoke, invitation_id, gives=call.caller.gives, now=call.now)


def _shown(one: invitations.Invitation) -> dict[str, Any]:
    return {
        "id": one.uid,
        "email": one.email,
        "full_name": one.full_name,
        "role": one.role,
        "status": one.status,
        "invited_by": one.invited_by,
        "created_at": one.created_at,
        "expires_at": one.expires_at,
        "accepted_at": one.accepted_at,
    }
