"""`/labels`: what people put on conversations."""

from typing import Annotated

from pydantic import ConfigDict, Field

from desk.inbox import labels
from gateway.rest.call import Call
from gateway.rest.route import Routes
from gateway.rest.schema import Answer, Body, Moment, Page, Search, SkipQuery, Uid

routes = Routes("Labels")

LabelName = Annotated[
    str, Field(min_length=1, max_length=60, pattern=r"^[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*$", examples=["urgent"])
]
Color = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$", examples=["#64748B"])]


class Label(Answer):
    id: Uid
    name: str
    color: str
    conversations: int = Field(description="How many have it.")
    created_at: Moment

    @classmethod
    def of(cls, one: labels.Label) -> "Label":
        return cls(
            id=one.uid, name=one.name, color=one.color, conversations=one.conversations, created_at=one.created_at
        )


class NewLabel(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Complaint", "color": "#DC2626"}]})

    name: LabelName
    color: Color = "#64748B"


class LabelChange(Body):
    name: LabelName = ""
    color: Color = ""


class Filter(SkipQuery):
    search: Search | None = None
    sort: Annotated[str | None, Field(description="name or created_at; a minus before it turns the order.")] = None


@routes.get("/labels", scope="teams:read", summary="Labels")
async def index(call: Call, query: Filter) -> Page[Label]:
    window = query.window(query.sort)
    return Page[Label].of(await call.read(labels.find, window, search=query.search), window, Label.of)


@routes.post("/labels", scope="teams:write", summary="Add a label", errors=(409,))
async def create(call: Call, body: NewLabel) -> Label:
    return Label.of(await call.write(labels.add, body.values(), now=call.now))


@routes.get("/labels/{label_id}", scope="teams:read", summary="A label")
async def read(call: Call, label_id: Uid) -> Label:
    return Label.of(await call.read(labels.get, label_id))


@routes.put("/labels/{label_id}", scope="teams:write", summary="Replace a label", errors=(409,))
async def replace(call: Call, label_id: Uid, body: NewLabel) -> Label:
    return Label.of(await call.write(labels.change, label_id, body.values(), now=call.now))


@routes.patch("/labels/{label_id}", scope="teams:write", summary="Change a label", errors=(409,))
async def change(call: Call, label_id: Uid, body: LabelChange) -> Label:
    return Label.of(await call.write(labels.change, label_id, body.changes(), now=call.now))


@routes.delete("/labels/{label_id}", scope="teams:write", summary="Remove a label")
async def remove(call: Call, label_id: Uid) -> None:
    """It comes off every conversation."""
    await call.write(labels.remove, label_id, now=call.now)
