"""`/oauth-apps`: programs that get their tokens at `/oauth/token`, each with what it may do and how often."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from desk import programs
from gateway.auth import secrets
from gateway.rest.call import Call
from gateway.rest.route import Routes
from gateway.rest.schema import Answer, Body, Moment, Name, Page, Search, SkipQuery, Uid
from gateway.rest.v1.people import Scopes

routes = Routes("OAuth apps")

Rate = Annotated[int, Field(ge=1, le=100_000, description="Calls a minute, over all its tokens.")]


class OAuthApp(Answer):
    """Its secret is shown once, when it is made."""

    id: Uid
    client_id: str
    name: str
    scopes: list[str]
    rate_per_minute: int
    is_active: bool
    created_by: Uid | None
    last_used_at: Moment | None
    created_at: Moment

    @classmethod
    def of(cls, one: programs.OAuthApp) -> "OAuthApp":
        return cls(**_shown(one))


class OAuthAppWithSecret(OAuthApp):
    client_secret: Annotated[str, Field(description="Keep it now: it is not shown again.")]

    @classmethod
    def with_secret(cls, made: tuple[programs.OAuthApp, str]) -> "OAuthAppWithSecret":
        return cls(**_shown(made[0]), client_secret=made[1])


class NewOAuthApp(Body):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"name": "Partner CRM", "scopes": ["customers:read", "invoices:read"], "rate_per_minute": 300}]
        }
    )

    name: Name
    scopes: Annotated[Scopes, Field(description="What it may do: at most what you may.")]
    rate_per_minute: Rate = 1000


class OAuthAppChange(Body):
    name: Name = ""
    scopes: Scopes = []  # noqa: RUF012  frozen
    rate_per_minute: Rate = 1000
    is_active: bool = True


class Filter(SkipQuery):
    search: Search | None = None
    is_active: bool | None = None
    sort: str | None = None


@routes.get("/oauth-apps", scope="api_keys:read", summary="OAuth apps")
async def index(call: Call, query: Filter) -> Page[OAuthApp]:
    window = query.window(query.sort)
    found = await call.read(programs.find_apps, window, search=query.search, is_active=query.is_active)
    return Page[OAuthApp].of(found, window, OAuthApp.of)


@routes.post("/oauth-apps", scope="api_keys:write", summary="Add an OAuth app")
async def create(call: Call, body: NewOAuthApp) -> OAuthAppWithSecret:
    """An app belongs to the business and stays when whoever added it leaves; give it a new secret then, if they knew it."""
    return OAuthAppWithSecret.with_secret(await secrets.make_app(call, body.values()))


@routes.get("/oauth-apps/{app_id}", scope="api_keys:read", summary="An OAuth app")
async def read(call: Call, app_id: Uid) -> OAuthApp:
    return OAuthApp.of(await call.read(programs.get_app, app_id))


@routes.patch("/oauth-apps/{app_id}", scope="api_keys:write", summary="Change an OAuth app")
async def change(call: Call, app_id: Uid, body: OAuthAppChange) -> OAuthApp:
    """What it may no longer do, its tokens no longer do."""
    return OAuthApp.of(
        await call.write(programs.change_app, app_id, body.changes(), may=call.caller.scopes, now=call.now)
    )


@routes.post("/oauth-apps/{app_id}/rotate-secret", scope="api_keys:write", summary="Make another secret", status=200)
async def rotate(call: Call, app_id: Uid) -> OAuthAppWithSecret:
    """The secret before opens nothing any more; tokens it got last until they end."""
    return OAuthAppWithSecret.with_secret(await secrets.rotate(call, app_id))


@routes.delete("/oauth-apps/{app_id}", scope="api_keys:write", summary="Remove an OAuth app")
async def remove(call: Call, app_id: Uid) -> None:
    """Its tokens open nothing any more."""
    await call.write(programs.remove_app, app_id, now=call.now)


def _shown(one: programs.OAuthApp) -> dict[str, Any]:
    return {
        "id": one.uid,
        "client_id": one.client_id,
        "name": one.name,
        "scopes": list(one.scopes),
        "rate_per_minute": one.rate_per_minute,
        "is_active": one.is_active,
        "created_by": one.created_by,
        "last_used_at": one.last_used_at,
        "created_at": one.created_at,
    }
