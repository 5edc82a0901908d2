"""`/deals` and `/pipeline-stages`: what may come of a contact, and how far it has come."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, WithJsonSchema

from desk import deals, pipeline
from gateway.rest.call import Call
from gateway.rest.route import Routes
from gateway.rest.schema import Answer, Body, Moment, Name, Page, Search, SkipQuery, Text, Uid

routes = Routes("Deals")

Amount = Annotated[
    Decimal,
    Field(ge=0, le=10**10, max_digits=13, decimal_places=2),
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": 10**10}),
]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$", examples=["USD"])]
StageName = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*$")]
Outcome = Literal["open", "won", "lost"]
Place = Annotated[int, Field(ge=0, le=10_000)]
Day = Annotated[date, Field(ge=date(1970, 1, 1), lt=date(2200, 1, 1))]


class Deal(Answer):
    id: Uid
    title: str
    customer_id: Uid
    customer_name: str | None
    conversation_id: Uid | None
    stage: str = Field(description="Its name.")
    stage_id: Uid
    outcome: str = Field(description="What the stage means: open, won or lost.")
    owner_id: Uid | None = Field(description="The person who cares for it.")
    amount: float
    currency: str
    notes: str
    expected_close: date | None
    closed_at: Moment | None
    created_at: Moment
    updated_at: Moment

    @classmethod
    def of(cls, one: deals.Deal) -> "Deal":
        return cls(
            id=one.uid,
            title=one.title,
            customer_id=one.customer_uid,
            customer_name=one.customer_name,
            conversation_id=one.conversation_uid,
            stage=one.stage,
            stage_id=one.stage_uid,
            outcome=one.outcome,
            owner_id=one.owner_uid,
            amount=one.amount_cents / 100,
            currency=one.currency,
            notes=one.notes,
            expected_close=one.expected_close,
            closed_at=one.closed_at,
            created_at=one.created_at,
            updated_at=one.updated_at,
        )


class _DealFields(Body):
    def values(self) -> dict[str, Any]:
        return _in_cents(super().values())

    def changes(self) -> dict[str, Any]:
        return _in_cents(super().changes())


class NewDeal(_DealFields):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "title": "Kitchen refit",
                    "customer_id": "01936f5e-5a2c-7e9a-8f4e-0d5a9b1c2d3e",
                    "amount": 1200.5,
                    "currency": "USD",
                    "stage": "New",
                }
            ]
        }
    )

    title: Name
    customer_id: Uid
    conversation_id: Uid | None = None
    stage: StageName | None = Field(default=None, description="A stage's id or name; without, the first open one.")
    owner_id: Uid | None = None
    amount: Amount = Decimal(0)
    currency: Currency | None = Field(default=None, description="Without, that of the business.")
    notes: Text = ""
    expected_close: Day | None = None


class DealChange(_DealFields):
    title: Name = ""
    customer_id: Uid = ""
    conversation_id: Uid | None = None
    stage: StageName | None = None
    owner_id: Uid | None = None
    amount: Amount = Decimal(0)
    currency: Currency | None = None
    notes: Text = ""
    expected_close: Day | None = None


class DealFilter(SkipQuery):
    search: Search | None = None
    stage: StageName | None = Field(default=None, description="A stage's id or name.")
    outcome: Outcome | None = None
    owner_id: Uid | None = None
    customer_id: Uid | None = None
    sort: str | None = None

    def filter(self) -> deals.Filter:
        return deals.Filter(
            search=self.search,
            stage=self.stage,
            outcome=self.outcome,
            owner=self.owner_id,
            customer=self.customer_id,
        )


class Stage(Answer):
    id: Uid
    name: str
    position: int
    outcome: str
    deals: int = Field(description="How many are in it.")
    created_at: Moment

    @classmethod
    def of(cls, one: pipeline.Stage) -> "Stage":
        return cls(
            id=one.uid,
            name=one.name,
            position=one.position,
            outcome=one.outcome,
            deals=one.deals,
            created_at=one.created_at,
        )


class NewStage(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Negotiation", "position": 3}]})

    name: StageName
    outcome: Outcome = "open"
    position: Place | None = Field(default=None, description="Without, the last.")


class StageChange(Body):
    name: StageName = ""
    outcome: Outcome = "open"
    position: Place | None = None


class Order(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"stage_ids": ["01936f5e-5a2c-7e9a-8f4e-0d5a9b1c2d3e"]}]})

    stage_ids: Annotated[list[Uid], Field(min_length=1, max_length=200)] = Field(description="All of them.")


class StageFilter(SkipQuery):
    outcome: Outcome | None = None
    sort: str | None = None


@routes.get("/deals", scope="deals:read", summary="Deals", errors=(404,))
async def index(call: Call, query: DealFilter) -> Page[Deal]:
    """404 when it is narrowed to a stage, an owner or a customer that does not exist."""
    window = query.window(query.sort)
    return Page[Deal].of(await call.read(deals.find, window, query.filter()), window, Deal.of)


@routes.post("/deals", scope="deals:write", summary="Add a deal")
async def create(call: Call, body: NewDeal) -> Deal:
    return Deal.of(await call.write(deals.add, body.values(), now=call.now))


@routes.get("/deals/{deal_id}", scope="deals:read", summary="A deal")
async def read(call: Call, deal_id: Uid) -> Deal:
    return Deal.of(await call.read(deals.get, deal_id))


@routes.put("/deals/{deal_id}", scope="deals:write", summary="Replace a deal")
async def replace(call: Call, deal_id: Uid, body: NewDeal) -> Deal:
    """Without a stage it stays where it is."""
    return Deal.of(await call.write(deals.change, deal_id, body.values(), now=call.now))


@routes.patch("/deals/{deal_id}", scope="deals:write", summary="Change or move a deal")
async def change(call: Call, deal_id: Uid, body: DealChange) -> Deal:
    """In a stage that means won or lost it is closed."""
    return Deal.of(await call.write(deals.change, deal_id, body.changes(), now=call.now))


@routes.delete("/deals/{deal_id}", scope="deals:write", summary="Remove a deal")
async def remove(call: Call, deal_id: Uid) -> None:
    await call.write(deals.remove, deal_id, now=call.now)


@routes.get("/pipeline-stages", scope="deals:read", summary="Pipeline stages, in their order")
async def stages(call: Call, query: StageFilter) -> Page[Stage]:
    """A new tenant has New, Contacted, Proposal, Won and Lost."""
    window = query.window(query.sort)
    found = await call.read(pipeline.find, window, outcome=query.outcome)
    if not found.total:
        await call.write(pipeline.prepared, now=call.now)
        found = await call.read(pipeline.find, window, outcome=query.outcome)
    return Page[Stage].of(found, window, Stage.of)


@routes.post("/pipeline-stages", scope="deals:write", summary="Add a pipeline stage")
async def add_stage(call: Call, body: NewStage) -> Stage:
    return Stage.of(await call.write(pipeline.add, body.values(), now=call.now))


@routes.post("/pipeline-stages/reorder", scope="deals:write", summary="Put the stages into an order", status=204)
async def reorder(call: Call, body: Order) -> None:
    await call.write(pipeline.reorder, body.stage_ids, now=call.now)


@routes.get("/pipeline-stages/{stage_id}", scope="deals:read", summary="A pipeline stage")
async def read_stage(call: Call, stage_id: Uid) -> Stage:
    return Stage.of(await call.read(pipeline.get, stage_id))


@routes.put("/pipeline-stages/{stage_id}", scope="deals:write", summary="Replace a pipeline stage")
async def replace_stage(call: Call, stage_id: Uid, body: NewStage) -> Stage:
    return Stage.of(await call.write(pipeline.change, stage_id, body.values(), now=call.now))


@routes.patch("/pipeline-stages/{stage_id}", scope="deals:write", summary="Change a pipeline stage")
async def change_stage(call: Call, stage_id: Uid, body: StageChange) -> Stage:
    return Stage.of(await call.write(pipeline.change, stage_id, body.changes(), now=call.now))


@routes.delete("/pipeline-stages/{stage_id}", scope="deals:write", summary="Remove a pipeline stage")
async def remove_stage(call: Call, stage_id: Uid) -> None:
    """Not while there are deals in it."""
    await call.write(pipeline.remove, stage_id, now=call.now)


def _in_cents(values: dict[str, Any]) -> dict[str, Any]:
    if "amount" in values:
        values["amount_cents"] = int(values.pop("amount") * 100)
    return values
