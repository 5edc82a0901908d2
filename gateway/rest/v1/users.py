"""`/users`: the people of the tenant."""

from typing import Annotated, Final

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from desk import users
from gateway.auth import people
from gateway.rest.call import Call
from gateway.rest.route import Routes
from gateway.rest.schema import Answer, Body, Moment, Name, Page, Search, SkipQuery, Uid
from gateway.rest.v1.people import AnyRole, Availability, Email, Limit, NewPassword, Phone, Role

routes = Routes("Users")


class User(Answer):
    id: Uid
    email: str
    full_name: str
    phone: str | None
    role: AnyRole
    tenant_id: Uid
    is_active: bool
    availability: Availability
    max_conversations: int | None
    has_password: bool
    last_login_at: Moment | None
    created_at: Moment

    @classmethod
    def of(cls, one: users.User) -> "User":
        return cls(
            id=one.uid,
            email=one.email,
            full_name=one.full_name,
            phone=one.phone,
            role=one.role,
            tenant_id=one.tenant_uid,
            is_active=one.is_active,
            availability=one.availability,  # type: ignore[arg-type]
            max_conversations=one.max_conversations,
            has_password=one.has_password,
            last_login_at=one.last_login_at,
            created_at=one.created_at,
        )


_EXAMPLE: Final[JsonDict] = {
    "email": "robin@example.com",
    "full_name": "Robin Reyes",
    "role": "agent",
    "phone": "512-555-0142",
}


class NewUser(Body):
    """Without a password, a letter asks them to choose one."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    email: Email
    full_name: Name
    role: Role
    phone: Phone | None = None
    password: NewPassword | None = None
    availability: Availability = "online"
    max_conversations: Annotated[Limit | None, Field(description="Open ones at a time; null is no limit.")] = None


class UserReplacement(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    email: Email
    full_name: Name
    role: Role
    phone: Phone | None = None
    is_active: bool = True
    availability: Availability = "online"
    max_conversations: Limit | None = None


class UserChange(Body):
    email: Email = ""
    full_name: Name = ""
    role: Role = "viewer"
    phone: Phone | None = None
    is_active: bool = True
    availability: Availability = "online"
    max_conversations: Limit | None = None


class Filter(SkipQuery):
    search: Search | None = None
    role: Role | None = None
    is_active: bool | None = None
    sort: str | None = None


@routes.get("/users", scope="users:read", summary="Users")
async def index(call: Call, query: Filter) -> Page[User]:
    window = query.window(query.sort)
    found = await call.read(users.find, window, search=query.search, role=query.role, is_active=query.is_active)
    return Page[User].of(found, window, User.of)


@routes.post("/users", scope="users:write", summary="Add a user")
async def create(call: Call, body: NewUser) -> User:
    values = body.values()
    return User.of(await people.add(call, values, values.pop("password")))


@routes.get("/users/{user_id}", scope="users:read", summary="A user")
async def read(call: Call, user_id: Uid) -> User:
    return User.of(await call.read(users.get, user_id))


@routes.put("/users/{user_id}", scope="users:write", summary="Replace a user")
async def replace(call: Call, user_id: Uid, body: UserReplacement) -> User:
    return User.of(await call.write(users.change, user_id, body.values(), gives=call.caller.gives, now=call.now))


@routes.patch("/users/{user_id}", scope="users:write", summary="Change a user")
async def change(call: Call, user_id: Uid, body: UserChange) -> User:
    return User.of(await call.write(users.change, user_id, body.changes(), gives=call.caller.gives, now=call.now))


@routes.delete("/users/{user_id}", scope="users:write", summary="Deactivate a user")
async def remove(call: Call, user_id: Uid) -> None:
    """They can no longer sign in, and what they did stays theirs."""
    await call.write(users.remove, user_id, gives=call.caller.gives, now=call.now)
