"""`/integrations`: other services that a business has connected. What is secret goes in and never comes out."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, JsonValue

from desk import integrations
from gateway.rest.call import Call
from gateway.rest.route import Routes
from gateway.rest.schema import Answer, Body, Line, Moment, Page, Search, SkipQuery, Uid
from gateway.rest.v1.fields import one_of

routes = Routes("Integrations")

Type = Literal["twilio", "eleven_labs", "n8n", "stripe", "email", "webhook"]
Status = Literal["active", "inactive", "error"]
Config = Annotated[
    dict[Annotated[str, Field(min_length=1, max_length=100)], JsonValue],
    Field(description="Its settings, at most 8 kB. Secrets are read as a mask; the mask, sent back, keeps the secret."),
]


class Integration(Answer):
    """Secrets in `config` are masked: `••••` and, of long ones, the last four characters."""

    id: Uid
    business_id: Uid
    type: Annotated[str, one_of(Type)]
    name: str
    config: dict[str, JsonValue]
    status: Annotated[str, one_of(Status)]
    created_at: Moment
    updated_at: Moment

    @classmethod
    def of(cls, one: integrations.Integration) -> "Integration":
        return cls.model_validate(
            {
                "id": one.uid,
                "business_id": one.business_uid,
                "type": one.kind,
                "name": one.name,
                "config": one.config,
                "status": one.status,
                "created_at": one.created_at,
                "updated_at": one.updated_at,
            }
        )


class NewIntegration(Body):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "twilio",
                    "name": "The shop's number",
                    "config": {
                        "account_sid": "AC0a1b2c3d0a1b2c3d0a1b2c3d0a1b2c3d",
                        "auth_token": "a-token-from-twilio",
                    },
                    "status": "active",
                }
            ]
        }
    )

    type: Type
    name: Line = ""
    config: Config = Field(default_factory=dict)
    status: Status = "inactive"
    business_id: Annotated[Uid | None, Field(description="Without it, the first business.")] = None


class IntegrationChange(Body):
    type: Type = "twilio"
    name: Line = ""
    config: Config = Field(default_factory=dict)
    status: Status = "inactive"
    business_id: Uid | None = None


class Filter(SkipQuery):
    search: Search | None = None
    type: Type | None = None
    status: Status | None = None
    business_id: Uid | None = None
    sort: str | None = None


@routes.get("/integrations", scope="integrations:read", summary="Integrations", errors=(404,))
async def index(call: Call, query: Filter) -> Page[Integration]:
    window = query.window(query.sort)
    found = await call.read(
        integrations.find,
        window,
        sealer=call.house.sealer,
        search=query.search,
        kind=query.type,
        status=query.status,
        business=query.business_id,
    )
    return Page[Integration].of(found, window, Integration.of)


@routes.post("/integrations", scope="integrations:write", summary="Connect a service")
async def create(call: Call, body: NewIntegration) -> Integration:
    await _check(call, body.type, body.config)
    made = await call.write(integrations.add, **_ours(body.values()), sealer=call.house.sealer, now=call.now)
    return Integration.of(made)


@routes.get("/integrations/{integration_id}", scope="integrations:read", summary="An integration")
async def read(call: Call, integration_id: Uid) -> Integration:
    return Integration.of(await call.read(integrations.get, integration_id, sealer=call.house.sealer))


@routes.put("/integrations/{integration_id}", scope="integrations:write", summary="Replace an integration's settings")
async def replace(call: Call, integration_id: Uid, body: NewIntegration) -> Integration:
    await _check(call, body.type, body.config)
    values, sealer = _ours(body.values()), call.house.sealer
    return Integration.of(await call.write(integrations.change, integration_id, values, sealer=sealer, now=call.now))


@routes.patch("/integrations/{integration_id}", scope="integrations:write", summary="Change an integration's settings")
async def change(call: Call, integration_id: Uid, body: IntegrationChange) -> Integration:
    """`config` is replaced as a whole."""
    sealer = call.house.sealer
    if "url" in body.config:
        await _check(call, (await call.read(integrations.get, integration_id, sealer=sealer)).kind, body.config)
    values = _ours(body.changes())
    return Integration.of(await call.write(integrations.change, integration_id, values, sealer=sealer, now=call.now))


@routes.delete("/integrations/{integration_id}", scope="integrations:write", summary="Disconnect a service")
async def remove(call: Call, integration_id: Uid) -> None:
    await call.write(integrations.remove, integration_id, now=call.now)


async def _check(call: Call, kind: str, config: Mapping[str, JsonValue]) -> None:
    """Raises: Invalid, when this is an address to be asked, and it may not be asked"""
    url = config.get("url")
    if kind == integrations.WEBHOOK and isinstance(url, str):
        await call.house.outside.check(url, field="config.url")


def _ours(values: dict[str, Any]) -> dict[str, Any]:
    names = {"type": "kind", "business_id": "business"}
    return {names.get(name, name): value for name, value in values.items()}
