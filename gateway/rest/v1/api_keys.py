"""`/api-keys`: how programs call without a person."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from desk import programs
from gateway.auth import secrets
from gateway.rest.call import Call
from gateway.rest.route import Routes
from gateway.rest.schema import Answer, Body, Moment, Name, Page, Search, SkipQuery, Uid
from gateway.rest.v1.people import Scopes

routes = Routes("API keys")


class ApiKey(Answer):
    """`prefix` is how the key begins; the key itself is shown once, when it is made."""

    id: Uid
    name: str
    prefix: str
    scopes: list[str]
    created_by: Uid | None
    last_used_at: Moment | None
    expires_at: Moment | None
    revoked_at: Moment | None
    created_at: Moment

    @classmethod
    def of(cls, one: programs.ApiKey) -> "ApiKey":
        return cls(**_shown(one))


class NewlyMade(ApiKey):
    key: Annotated[str, Field(description="Keep it now: it is not shown again.")]

    @classmethod
    def with_key(cls, made: tuple[programs.ApiKey, str]) -> "NewlyMade":
        return cls(**_shown(made[0]), key=made[1])


class NewApiKey(Body):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "Cash register", "scopes": ["customers:read", "appointments:write"]}]}
    )

    name: Name
    scopes: Annotated[Scopes, Field(description="What it may do: at most what you may.")]
    expires_at: Moment | None = None


class ApiKeyChange(Body):
    name: Name = ""


class Filter(SkipQuery):
    search: Search | None = None
    is_active: bool | None = None
    sort: str | None = None


@routes.get("/api-keys", scope="api_keys:read", summary="API keys")
async def index(call: Call, query: Filter) -> Page[ApiKey]:
    window = query.window(query.sort)
    found = await call.read(programs.find_keys, window, search=query.search, is_active=query.is_active, now=call.now)
    return Page[ApiKey].of(found, window, ApiKey.of)


@routes.post("/api-keys", scope="api_keys:write", summary="Make an API key")
async def create(call: Call, body: NewApiKey) -> NewlyMade:
    """A key belongs to whoever makes it: it never does more than they may, and ends for good when they are deactivated
    or removed, with every key that was made with it. What must go on without any one person is an OAuth app.
    """
    return NewlyMade.with_key(await secrets.make_key(call, body.values()))


@routes.get("/api-keys/{key_id}", scope="api_keys:read", summary="An API key")
async def read(call: Call, key_id: Uid) -> ApiKey:
    return ApiKey.of(await call.read(programs.get_key, key_id))


@routes.patch("/api-keys/{key_id}", scope="api_keys:write", summary="Rename an API key")
async def change(call: Call, key_id: Uid, body: ApiKeyChange) -> ApiKey:
    return ApiKey.of(await call.write(programs.rename_key, key_id, body.changes(), now=call.now))


@routes.delete("/api-keys/{key_id}", scope="api_keys:write", summary="Revoke an API key")
async def revoke(call: Call, key_id: Uid) -> None:
    """It opens nothing any more, and stays in the list."""
    await call.write(programs.revoke_key, key_id, now=call.now)


def _shown(one: programs.ApiKey) -> dict[str, Any]:
    return {
        "id": one.uid,
        "name": one.name,
        "prefix": one.prefix,
        "scopes": list(one.scopes),
        "created_by": one.created_by,
        "last_used_at": one.last_used_at,
        "expires_at": one.expires_at,
        "revoked_at": one.revoked_at,
        "created_at": one.created_at,
    }
