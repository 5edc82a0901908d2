"""`/businesses/{id}/staff`: who does the work, with working plans and absences."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from desk import staff
from gateway.rest.call import Call
from gateway.rest.route import Routes
from gateway.rest.schema import Answer, Body, Line, Moment, Name, Page, Search, SkipQuery, Uid
from gateway.rest.v1.businesses import Email
from gateway.rest.v1.services import Position, Price, Words, cents_of
from gateway.rest.v1.weeks import EXAMPLE, Week

routes = Routes("Staff")

Kind = Literal["person", "place"]


class Member(Answer):
    id: Uid
    business_id: Uid
    user_id: Uid | None
    name: str
    kind: str
    skills: list[str]
    capacity: int
    email: str | None
    phone: str | None
    takes_calls: bool
    hourly_rate: float | None
    currency: str
    position: int
    is_active: bool
    hours: Week | None
    created_at: Moment

    @classmethod
    def of(cls, one: staff.Member) -> "Member":
        return cls(
            id=one.uid,
            business_id=one.business_uid,
            user_id=one.user_uid,
            name=one.name,
            kind=one.kind,
            skills=[*one.skills],
            capacity=one.capacity,
            email=one.email,
            phone=one.phone,
            takes_calls=one.takes_calls,
            hourly_rate=None if one.hourly_rate_cents is None else one.hourly_rate_cents / 100,
            currency=one.currency,
            position=one.position,
            is_active=one.is_active,
            hours=None if one.hours is None else Week.of(one.hours),
            created_at=one.created_at,
        )


class _Fields(Body):
    kind: Annotated[Kind, Field(description="A person, or a place: a chair, a room, a bay.")] = "person"
    user_id: Annotated[Uid | None, Field(description="Who signs in as them.")] = None
    skills: Words = Field(default=[], description="What services ask for.")
    capacity: Annotated[int, Field(ge=1, le=100, description="Visits at one time.")] = 1
    email: Email | None = None
    phone: Annotated[str, Field(max_length=40, pattern=r"^[^\x00-\x1f\x7f]*$")] | None = None
    takes_calls: Annotated[
        bool, Field(description="Callers who want a person are passed on to `phone`, while they work.")
    ] = False
    hourly_rate: Price | None = None
    position: Position = 0
    is_active: bool = True
    hours: Annotated[Week | None, Field(description="The working plan; null: whenever the business is open.")] = None


class NewMember(_Fields):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "Maya", "skills": ["cut", "color"], "hours": EXAMPLE}]}
    )

    name: Name


class MemberChange(_Fields):
    name: Name = ""


class Absence(Answer):
    id: Uid
    starts_at: Moment
    ends_at: Moment
    reason: str

    @classmethod
    def of(cls, one: staff.Absence) -> "Absence":
        return cls(id=one.uid, starts_at=one.starts_at, ends_at=one.ends_at, reason=one.reason)


class NewAbsence(Body):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"starts_at": "2026-12-28T00:00:00-06:00", "ends_at": "2027-01-02T00:00:00-06:00", "reason": "Holidays"}
            ]
        }
    )

    starts_at: Moment
    ends_at: Moment
    reason: Line = ""


class AbsenceChange(Body):
    starts_at: Moment | None = None
    ends_at: Moment | None = None
    reason: Line = ""


class Filter(SkipQuery):
    search: Search | None = None
    kind: Kind | None = None
    is_active: bool | None = None
    sort: str | None = None


class After(SkipQuery):
    after: Annotated[Moment | None, Field(description="Only what ends later.")] = None


@routes.get("/businesses/{business_id}/staff", scope="businesses:read", summary="Staff of a business")
async def index(call: Call, business_id: Uid, query: Filter) -> Page[Member]:
    window = query.window(query.sort)
    found = await call.read(
        staff.find, business_id, window, search=query.search, kind=query.kind, is_active=query.is_active
    )
    return Page[Member].of(found, window, Member.of)


@routes.post("/businesses/{business_id}/staff", scope="businesses:write", summary="Add a member of the staff")
async def create(call: Call, business_id: Uid, body: NewMember) -> Member:
    return Member.of(await call.write(staff.add, business_id, _columns(body.values()), now=call.now))


@routes.get("/businesses/{business_id}/staff/{staff_id}", scope="businesses:read", summary="A member of the staff")
async def read(call: Call, business_id: Uid, staff_id: Uid) -> Member:
    return Member.of(await call.read(staff.get, business_id, staff_id))


@routes.put("/businesses/{business_id}/staff/{staff_id}", scope="businesses:write", summary="Replace a staff member")
async def replace(call: Call, business_id: Uid, staff_id: Uid, body: NewMember) -> Member:
    return Member.of(await call.write(staff.change, business_id, staff_id, _columns(body.values()), now=call.now))


@routes.patch("/businesses/{business_id}/staff/{staff_id}", scope="businesses:write", summary="Change a staff member")
async def change(call: Call, business_id: Uid, staff_id: Uid, body: MemberChange) -> Member:
    return Member.of(await call.write(staff.change, business_id, staff_id, _columns(body.changes()), now=call.now))


@routes.delete("/businesses/{business_id}/staff/{staff_id}", scope="businesses:write", summary="Remove a staff member")
async def remove(call: Call, business_id: Uid, staff_id: Uid) -> None:
    """Who had visits stays for them: set `is_active` to false instead."""
    await call.write(staff.remove, business_id, staff_id, now=call.now)


@routes.get(
    "/businesses/{business_id}/staff/{staff_id}/absences", scope="businesses:read", summary="When somebody is away"
)
async def absences(call: Call, business_id: Uid, staff_id: Uid, query: After) -> Page[Absence]:
    found, window = await call.read(staff.absences, business_id, staff_id, after=query.after), query.window()
    return Page[Absence](
        items=[Absence.of(one) for one in found[window.offset : window.offset + window.limit]],
        total=len(found),
        skip=window.offset,
        offset=window.offset,
        limit=window.limit,
    )


@routes.post("/businesses/{business_id}/staff/{staff_id}/absences", scope="businesses:write", summary="Add an absence")
async def add_absence(call: Call, business_id: Uid, staff_id: Uid, body: NewAbsence) -> Absence:
    """Visits that are booked already stay; nothing new is booked meanwhile."""
    return Absence.of(await call.write(staff.add_absence, business_id, staff_id, body.values(), now=call.now))


@routes.put(
    "/businesses/{business_id}/staff/{staff_id}/absences/{absence_id}",
    scope="businesses:write",
    summary="Replace an absence",
)
async def replace_absence(call: Call, business_id: Uid, staff_id: Uid, absence_id: Uid, body: NewAbsence) -> Absence:
    changed = await call.write(staff.change_absence, business_id, staff_id, absence_id, body.values(), now=call.now)
    return Absence.of(changed)


@routes.patch(
    "/businesses/{business_id}/staff/{staff_id}/absences/{absence_id}",
    scope="businesses:write",
    summary="Change an absence",
)
async def change_absence(call: Call, business_id: Uid, staff_id: Uid, absence_id: Uid, body: AbsenceChange) -> Absence:
    values = {name: value for name, value in body.changes().items() if value is not None}
    return Absence.of(await call.write(staff.change_absence, business_id, staff_id, absence_id, values, now=call.now))


@routes.delete(
    "/businesses/{business_id}/staff/{staff_id}/absences/{absence_id}",
    scope="businesses:write",
    summary="Remove an absence",
)
async def remove_absence(call: Call, business_id: Uid, staff_id: Uid, absence_id: Uid) -> None:
    await call.write(staff.remove_absence, business_id, staff_id, absence_id, now=call.now)


def _columns(values: dict[str, Any]) -> dict[str, Any]:
    if "hourly_rate" in values:
        values["hourly_rate_cents"] = cents_of(values.pop("hourly_rate"))
    if values.get("hours") is not None:
        values["hours"] = values["hours"].weekly
    return values
