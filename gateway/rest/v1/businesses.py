"""`/businesses`: who they are. What they offer, when and by whom stands in the modules beside this one."""

from typing import Annotated

from pydantic import ConfigDict, EmailStr, Field

from desk import profiles
from gateway.rest import etag
from gateway.rest.call import Call
from gateway.rest.route import Routes
from gateway.rest.schema import Answer, Body, Language, Moment, Name, Page, Search, SkipQuery, Text, Uid

routes = Routes("Businesses")

Email = Annotated[EmailStr, Field(max_length=320)]
Website = Annotated[str, Field(pattern=r"^https?://[^\s\x00-\x1f\x7f]+$", max_length=500)]
Zone = Annotated[str, Field(min_length=1, max_length=64, description="IANA name.", examples=["America/Chicago"])]
Currency = Annotated[str, Field(pattern="^[A-Z]{3}$", description="ISO 4217.", examples=["USD"])]
Languages = Annotated[list[Language], Field(max_length=20, description="BCP 47 tags; the first is the usual one.")]


def line(longest: int) -> object:
    return Field(max_length=longest, pattern=r"^[^\x00-\x1f\x7f]*$")


class Business(Answer):
    id: Uid
    name: str
    description: str
    phone: str | None
    email: str | None
    website: str | None
    address: str | None
    city: str | None
    state: str | None
    zip: str | None
    time_zone: str
    languages: list[str]
    currency: str
    created_at: Moment
    updated_at: Moment | None

    @classmethod
    def of(cls, one: profiles.Profile) -> "Business":
        return cls(
            id=one.uid,
            name=one.name,
            description=one.description,
            phone=one.phone,
            email=one.email,
            website=one.website,
            address=one.address,
            city=one.city,
            state=one.state,
            zip=one.zip,
            time_zone=one.time_zone,
            languages=[*one.languages],
            currency=one.currency,
            created_at=one.created_at,
            updated_at=one.updated_at,
        )


class _Fields(Body):
    description: Text = ""
    phone: Annotated[str, line(40)] | None = None
    email: Email | None = None
    website: Website | None = None
    address: Annotated[str, line(500)] | None = None
    city: Annotated[str, line(100)] | None = None
    state: Annotated[str, line(100)] | None = None
    zip: Annotated[str, line(20)] | None = None
    time_zone: Zone = "UTC"
    languages: Languages = Field(default=["en"])
    currency: Currency = "USD"


class NewBusiness(_Fields):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "Juniper Barber & Repair",
                    "phone": "+15125550100",
                    "address": "2118 Juniper Street",
                    "city": "Austin",
                    "time_zone": "America/Chicago",
                }
            ]
        }
    )

    name: Name


class BusinessChange(_Fields):
    name: Name = ""


class Filter(SkipQuery):
    search: Search | None = None
    sort: str | None = None


@routes.get("/businesses", scope="businesses:read", summary="Businesses")
async def index(call: Call, query: Filter) -> Page[Business]:
    window = query.window(query.sort)
    return Page[Business].of(await call.read(profiles.find, window, search=query.search), window, Business.of)


@routes.post("/businesses", scope="businesses:write", summary="Add a business")
async def create(call: Call, body: NewBusiness) -> Business:
    return etag.shown(call, Business.of(await call.write(profiles.add, body.values(), now=call.now)))


@routes.get("/businesses/{business_id}", scope="businesses:read", summary="A business")
async def read(call: Call, business_id: Uid) -> Business:
    return etag.shown(call, Business.of(await call.read(profiles.get, business_id)))


@routes.put("/businesses/{business_id}", scope="businesses:write", summary="Replace a business", errors=(412,))
async def replace(call: Call, business_id: Uid, body: NewBusiness) -> Business:
    changed = await etag.write(
        call,
        lambda db, who: Business.of(profiles.get(db, who, business_id, lock=True)),
        profiles.change,
        business_id,
        body.values(),
        now=call.now,
    )
    return etag.shown(call, Business.of(changed))


@routes.patch("/businesses/{business_id}", scope="businesses:write", summary="Change a business", errors=(412,))
async def change(call: Call, business_id: Uid, body: BusinessChange) -> Business:
    changed = await etag.write(
        call,
        lambda db, who: Business.of(profiles.get(db, who, business_id, lock=True)),
        profiles.change,
        business_id,
        body.changes(),
        now=call.now,
    )
    return etag.shown(call, Business.of(changed))


@routes.delete("/businesses/{business_id}", scope="businesses:write", summary="Remove a business")
async def remove(call: Call, business_id: Uid) -> None:
    """With all that belongs to it, its conversations too. Refused while it is the only one, has visits ahead, connected
    channels or invoices.
    """
    await call.write(profiles.remove, business_id, now=call.now)
