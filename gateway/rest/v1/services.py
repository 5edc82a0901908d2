"""`/businesses/{id}/services`: what can be booked."""

from decimal import Decimal
from typing import Annotated

from pydantic import ConfigDict, Field

from desk import services
from gateway.rest.call import Call
from gateway.rest.route import Routes
from gateway.rest.schema import Answer, Body, Moment, Name, Page, Search, SkipQuery, Text, Uid

routes = Routes("Services")

Price = Annotated[Decimal, Field(ge=0, le=10_000_000, decimal_places=2, description="In the business's currency.")]
Word = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*$")]
Words = Annotated[list[Word], Field(max_length=50)]
Minutes = Annotated[int, Field(ge=0, le=1440)]
Position = Annotated[int, Field(ge=0, le=10_000, description="Its place in lists.")]


def cents_of(price: Decimal | None) -> int | None:
    return None if price is None else int(price * 100)


class Service(Answer):
    id: Uid
    business_id: Uid
    name: str
    description: str
    keywords: list[str]
    skills: list[str]
    duration_minutes: int
    buffer_before_minutes: int
    buffer_after_minutes: int
    lead_minutes: int
    horizon_days: int
    step_minutes: int
    price: float | None
    currency: str
    position: int
    is_active: bool
    created_at: Moment

    @classmethod
    def of(cls, one: services.Offer) -> "Service":
        return cls(
            id=one.uid,
            business_id=one.business_uid,
            name=one.name,
            description=one.description,
            keywords=[*one.keywords],
            skills=[*one.skills],
            duration_minutes=one.duration_minutes,
            buffer_before_minutes=one.buffer_before_minutes,
            buffer_after_minutes=one.buffer_after_minutes,
            lead_minutes=one.lead_minutes,
            horizon_days=one.horizon_days,
            step_minutes=one.step_minutes,
            price=None if one.price_cents is None else one.price_cents / 100,
            currency=one.currency,
            position=one.position,
            is_active=one.is_active,
            created_at=one.created_at,
        )


class _Fields(Body):
    description: Text = ""
    keywords: Words = Field(default=[], description="Other words customers use for it.")
    skills: Words = Field(default=[], description="What its staff must all have; empty: anyone.")
    duration_minutes: Annotated[int, Field(ge=1, le=1440)] = 30
    buffer_before_minutes: Minutes = 0
    buffer_after_minutes: Minutes = 0
    lead_minutes: Annotated[int, Field(ge=0, le=525_600, description="The shortest notice.")] = 0
    horizon_days: Annotated[int, Field(ge=1, le=730, description="How far ahead it can be booked.")] = 60
    step_minutes: Annotated[int, Field(ge=5, le=1440, description="Starts lie so far apart, from opening on.")] = 15
    price: Price | None = None
    position: Position = 0
    is_active: bool = True


class NewService(_Fields):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "Haircut",
                    "duration_minutes": 30,
                    "price": 35.0,
                    "keywords": ["cut", "trim"],
                    "skills": ["cut"],
                }
            ]
        }
    )

    name: Name


class ServiceChange(_Fields):
    name: Name = ""


class Filter(SkipQuery):
    search: Search | None = None
    is_active: bool | None = None
    sort: str | None = None


@routes.get("/businesses/{business_id}/services", scope="businesses:read", summary="Services of a business")
async def index(call: Call, business_id: Uid, query: Filter) -> Page[Service]:
    window = query.window(query.sort)
    found = await call.read(services.find, business_id, window, search=query.search, is_active=query.is_active)
    return Page[Service].of(found, window, Service.of)


@routes.post("/businesses/{business_id}/services", scope="businesses:write", summary="Add a service")
async def create(call: Call, business_id: Uid, body: NewService) -> Service:
    return Service.of(await call.write(services.add, business_id, _columns(body.values()), now=call.now))


@routes.get("/businesses/{business_id}/services/{service_id}", scope="businesses:read", summary="A service")
async def read(call: Call, business_id: Uid, service_id: Uid) -> Service:
    return Service.of(await call.read(services.get, business_id, service_id))


@routes.put("/businesses/{business_id}/services/{service_id}", scope="businesses:write", summary="Replace a service")
async def replace(call: Call, business_id: Uid, service_id: Uid, body: NewService) -> Service:
    values = _columns(body.values())
    return Service.of(await call.write(services.change, business_id, service_id, values, now=call.now))


@routes.patch("/businesses/{business_id}/services/{service_id}", scope="businesses:write", summary="Change a service")
async def change(call: Call, business_id: Uid, service_id: Uid, body: ServiceChange) -> Service:
    values = _columns(body.changes())
    return Service.of(await call.write(services.change, business_id, service_id, values, now=call.now))


@routes.delete("/businesses/{business_id}/services/{service_id}", scope="businesses:write", summary="Remove a service")
async def remove(call: Call, business_id: Uid, service_id: Uid) -> None:
    """One that was booked before stays for its visits: set `is_active` to false instead."""
    await call.write(services.remove, business_id, service_id, now=call.now)


def _columns(values: dict[str, object]) -> dict[str, object]:
    if "price" in values:
        price = values.pop("price")
        assert price is None or isinstance(price, Decimal)  # noqa: S101  by the schema
        values["price_cents"] = cents_of(price)
    return values
