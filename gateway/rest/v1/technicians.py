"""`/technicians`: the people who go, or stand at the chair, and their days."""

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from desk import money
from desk.work import technicians
from gateway.rest.call import Call
from gateway.rest.route import Routes
from gateway.rest.schema import Answer, Body, Line, Moment, Name, Page, Query, Search, SkipQuery, Uid
from gateway.rest.v1.appointments import Appointment
from gateway.rest.v1.fields import Amount, DayOrMoment, Email, Phone, one_of

routes = Routes("Technicians")

Kind = Literal["person", "place"]
Skills = Annotated[
    list[Annotated[Line, Field(min_length=1, max_length=60)]],
    Field(max_length=50, description="Words that services ask for."),
]
Rate = Annotated[Amount, Field(le=10**6, description="Money for an hour.")]


class Technician(Answer):
    id: Uid
    business_id: Uid
    user_id: Uid | None
    name: str
    kind: Annotated[str, one_of(Kind)]
    email: str | None
    phone: str | None
    skills: list[str]
    is_active: bool
    hourly_rate: float | None
    currency: str
    created_at: Moment

    @classmethod
    def of(cls, one: technicians.Technician) -> "Technician":
        return cls(
            id=one.uid,
            business_id=one.business_uid,
            user_id=one.user_uid,
            name=one.name,
            kind=one.kind,
            email=one.email,
            phone=one.phone,
            skills=list(one.skills),
            is_active=one.is_active,
            hourly_rate=None if one.hourly_rate_cents is None else money.number(one.hourly_rate_cents),
            currency=one.currency,
            created_at=one.created_at,
        )


class Shift(Answer):
    starts_at: Moment
    ends_at: Moment


class Absence(Answer):
    starts_at: Moment
    ends_at: Moment
    reason: str


class Schedule(Answer):
    """`shifts` are when somebody works, absences taken out; cancelled appointments are left out."""

    technician_id: Uid
    time_zone: str
    starts_at: Moment
    ends_at: Moment
    shifts: list[Shift]
    absences: list[Absence]
    appointments: list[Appointment]

    @classmethod
    def of(cls, one: technicians.Schedule) -> "Schedule":
        return cls(
            technician_id=one.technician.uid,
            time_zone=one.time_zone,
            starts_at=one.starts_at,
            ends_at=one.ends_at,
            shifts=[Shift(starts_at=span.start, ends_at=span.end) for span in one.shifts],
            absences=[
                Absence(starts_at=away.starts_at, ends_at=away.ends_at, reason=away.reason) for away in one.absences
            ],
            appointments=[Appointment.of(visit) for visit in one.appointments],
        )


class NewTechnician(Body):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "Mike Johnson",
                    "email": "mike@example.com",
                    "phone": "512-555-0101",
                    "skills": ["HVAC", "Plumbing"],
                    "hourly_rate": 45.00,
                }
            ]
        }
    )

    name: Name
    email: Email | None = None
    phone: Phone | None = None
    skills: Skills = Field(default_factory=list)
    is_active: bool = True
    hourly_rate: Rate | None = None
    business_id: Annotated[Uid | None, Field(description="Without it, the first business.")] = None
    user_id: Annotated[Uid | None, Field(description="Who signs in as this technician.")] = None


class TechnicianChange(Body):
    name: Name = ""
    email: Email | None = None
    phone: Phone | None = None
    skills: Skills = Field(default_factory=list)
    is_active: bool = True
    hourly_rate: Rate | None = None
    business_id: Uid | None = None
    user_id: Uid | None = None


class Filter(SkipQuery):
    search: Search | None = None
    business_id: Uid | None = None
    skill: Annotated[str | None, Field(min_length=1, max_length=60)] = None
    is_active: bool | None = None
    active_only: Annotated[bool, Field(description="The same as `is_active=true`.")] = False
    kind: Annotated[Kind, Field(description="`place` for chairs and rooms.")] = "person"
    sort: str | None = None


class ScheduleQuery(Query):
    from_: Annotated[DayOrMoment | None, Field(alias="from", description="The first day, or a moment.")] = None
    to: Annotated[DayOrMoment | None, Field(description="The last day (it is within), or a moment.")] = None


@routes.get("/technicians", scope="technicians:read", summary="Technicians", errors=(404,))
async def index(call: Call, query: Filter) -> Page[Technician]:
    window = query.window(query.sort)
    found = await call.read(
        technicians.find,
        window,
        search=query.search,
        business=query.business_id,
        skill=query.skill,
        is_active=True if query.active_only else query.is_active,
        kind=query.kind,
    )
    return Page[Technician].of(found, window, Technician.of)


@routes.post("/technicians", scope="technicians:write", summary="Add a technician")
async def create(call: Call, body: NewTechnician) -> Technician:
    values = _ours(body.values())
    return Technician.of(await call.write(technicians.add, values, business=body.business_id, now=call.now))


@routes.get("/technicians/{technician_id}", scope="technicians:read", summary="A technician")
async def read(call: Call, technician_id: Uid) -> Technician:
    return Technician.of(await call.read(technicians.get, technician_id))


@routes.put("/technicians/{technician_id}", scope="technicians:write", summary="Replace a technician's details")
async def replace(call: Call, technician_id: Uid, body: NewTechnician) -> Technician:
    values = _ours(body.values())
    found = await call.write(technicians.change, technician_id, values, business=body.business_id, now=call.now)
    return Technician.of(found)


@routes.patch("/technicians/{technician_id}", scope="technicians:write", summary="Change a technician's details")
async def change(call: Call, technician_id: Uid, body: TechnicianChange) -> Technician:
    values = _ours(body.changes())
    found = await call.write(technicians.change, technician_id, values, business=body.business_id, now=call.now)
    return Technician.of(found)


@routes.delete("/technicians/{technician_id}", scope="technicians:write", summary="Remove a technician")
async def remove(call: Call, technician_id: Uid) -> None:
    """Refused while somebody has an appointment with them. Who has a history is kept with it, and is active no more."""
    await call.write(technicians.remove, technician_id, now=call.now)


@routes.get("/technicians/{technician_id}/schedule", scope="technicians:read", summary="A technician's days")
async def schedule(call: Call, technician_id: Uid, query: ScheduleQuery) -> Schedule:
    """At most 31 days; a week from today unless asked otherwise."""
    found = await call.read(technicians.schedule, technician_id, start=query.from_, end=query.to, now=call.now)
    return Schedule.of(found)


def _ours(values: dict[str, Any]) -> dict[str, Any]:
    found = {name: value for name, value in values.items() if name not in ("business_id", "user_id", "hourly_rate")}
    if "user_id" in values:
        found["user"] = values["user_id"]
    if "hourly_rate" in values:
        rate: Decimal | None = values["hourly_rate"]
        found["hourly_rate_cents"] = None if rate is None else money.cents(rate)
    return found
