"""`/attributes`: what a tenant keeps about its customers besides the usual."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from desk import attributes
from gateway.rest.call import Call
from gateway.rest.route import Routes
from gateway.rest.schema import Answer, Body, Moment, Name, Page, Search, SkipQuery, Uid

routes = Routes("Customers")

Key = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,59}$", description="As it stands in `attributes`.")]
Kind = Literal["text", "number", "yes_no", "date", "choice"]
Choice = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")]
Choices = Annotated[list[Choice], Field(max_length=100)]


class Attribute(Answer):
    id: Uid
    key: str
    label: str
    kind: str
    choices: list[str]
    created_at: Moment

    @classmethod
    def of(cls, one: attributes.Definition) -> "Attribute":
        return cls(
            id=one.uid,
            key=one.key,
            label=one.label,
            kind=one.kind,
            choices=[*one.choices],
            created_at=one.created_at,
        )


class NewAttribute(Body):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"key": "plan", "label": "Plan", "kind": "choice", "choices": ["silver", "gold"]}]
        }
    )

    key: Key
    label: Name
    kind: Kind = "text"
    choices: Choices = Field(default=[])


class AttributeChange(Body):
    """The key and the kind stay as they are."""

    key: Key = ""
    label: Name = ""
    kind: Kind = "text"
    choices: Choices = Field(default=[])


class Filter(SkipQuery):
    search: Search | None = None
    sort: str | None = None


@routes.get("/attributes", scope="customers:read", summary="Custom attributes of customers")
async def index(call: Call, query: Filter) -> Page[Attribute]:
    window = query.window(query.sort)
    return Page[Attribute].of(await call.read(attributes.find, window, search=query.search), window, Attribute.of)


@routes.post("/attributes", scope="customers:write", summary="Add a custom attribute")
async def create(call: Call, body: NewAttribute) -> Attribute:
    return Attribute.of(await call.write(attributes.add, body.values(), now=call.now))


@routes.get("/attributes/{attribute_id}", scope="customers:read", summary="A custom attribute")
async def read(call: Call, attribute_id: Uid) -> Attribute:
    return Attribute.of(await call.read(attributes.get, attribute_id))


@routes.put("/attributes/{attribute_id}", scope="customers:write", summary="Replace a custom attribute")
async def replace(call: Call, attribute_id: Uid, body: NewAttribute) -> Attribute:
    return Attribute.of(await call.write(attributes.change, attribute_id, body.values(), now=call.now))


@routes.patch("/attributes/{attribute_id}", scope="customers:write", summary="Change a custom attribute")
async def change(call: Call, attribute_id: Uid, body: AttributeChange) -> Attribute:
    return Attribute.of(await call.write(attributes.change, attribute_id, body.changes(), now=call.now))


@routes.delete("/attributes/{attribute_id}", scope="customers:write", summary="Remove a custom attribute")
async def remove(call: Call, attribute_id: Uid) -> None:
    """Every customer's value of it goes with it."""
    await call.write(attributes.remove, attribute_id, now=call.now)
