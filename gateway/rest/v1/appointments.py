"""`/appointments`: visits that are booked, and the time that is still free."""

from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, ConfigDict, Field, JsonValue

from desk.calendar import appointments, diary
from desk.calendar.diary import Opening
from gateway.rest.call import Call
from gateway.rest.route import Routes
from gateway.rest.schema import Answer, Body, Line, Moment, Page, Query, Search, SkipQuery, Uid
from gateway.rest.v1.fields import DayOrMoment, VisitTime, one_of, split

routes = Routes("Appointments")

Status = Literal["scheduled", "confirmed", "completed", "cancelled", "no_show"]
Notes = Annotated[str, Field(max_length=2000)]
_NEW: Final[dict[str, JsonValue]] = {
    "customer_id": "0198c2b4-1f0e-7a55-9d3c-6b1f2f0a9d01",
    "service_id": "0198c2b4-1f0e-7a55-9d3c-6b1f2f0a9d02",
    "starts_at": "2026-11-26T09:00:00-06:00",
    "notes": "Prefers the window seat.",
}


class Appointment(Answer):
    id: Uid
    business_id: Uid
    customer_id: Uid
    customer_name: str | None
    service_id: Uid
    service_name: str
    technician_id: Uid
    technician_name: str
    conversation_id: Uid | None
    status: Annotated[str, one_of(Status)]
    starts_at: Moment
    ends_at: Moment
    source: str
    notes: str
    cancel_reason: str | None
    cancelled_at: Moment | None
    created_at: Moment
    updated_at: Moment

    @classmethod
    def of(cls, one: appointments.Appointment) -> "Appointment":
        return cls(
            id=one.uid,
            business_id=one.business_uid,
            customer_id=one.customer_uid,
            customer_name=one.customer_name,
            service_id=one.service_uid,
            service_name=one.service_name,
            technician_id=one.staff_uid,
            technician_name=one.staff_name,
            conversation_id=one.conversation_uid,
            status=one.status,
            starts_at=one.starts_at,
            ends_at=one.ends_at,
            source=one.source,
            notes=one.notes,
            cancel_reason=one.cancel_reason,
            cancelled_at=one.cancelled_at,
            created_at=one.created_at,
            updated_at=one.updated_at,
        )


class FreeTime(Answer):
    """A visit that can be booked. `technician_id` is null for a business that has nobody yet."""

    starts_at: Moment
    ends_at: Moment
    technician_id: Uid | None
    technician_name: str

    @classmethod
    def of(cls, one: Opening) -> "FreeTime":
        return cls(
            starts_at=one.starts_at,
            ends_at=one.ends_at,
            technician_id=one.staff_uid,
            technician_name=one.staff_name,
        )


class NewAppointment(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [_NEW]})

    customer_id: Uid
    service_id: Uid
    starts_at: VisitTime
    technician_id: Annotated[Uid | None, Field(description="Without it, whoever is free.")] = None
    business_id: Uid | None = None
    notes: Notes = ""
    status: Status = "scheduled"

    def wanted(self) -> dict[str, Any]:
        return _ours(self.values())


class AppointmentReplaced(NewAppointment):
    status: Status | None = None  # type: ignore[assignment]


class AppointmentChange(Body):
    customer_id: Uid = ""
    service_id: Uid = ""
    business_id: Uid = ""
    starts_at: VisitTime | None = None
    technician_id: Uid | None = None
    notes: Notes = ""
    status: Status | None = None

    def wanted(self) -> dict[str, Any]:
        return _ours(self.changes())


class Cancelling(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "The customer is ill."}]})

    reason: Line = ""


class Filter(SkipQuery):
    from_: Annotated[DayOrMoment | None, Field(alias="from", description="The first day, or a moment.")] = None
    to: Annotated[DayOrMoment | None, Field(description="The last day (it is within), or a moment.")] = None
    status: Annotated[tuple[Status, ...], BeforeValidator(split), Field(description="One or several.")] = ()
    customer_id: Uid | None = None
    technician_id: Uid | None = None
    staff_id: Annotated[Uid | None, Field(description="The same as `technician_id`.")] = None
    service_id: Uid | None = None
    business_id: Uid | None = None
    search: Search | None = None
    sort: str | None = None


class FreeTimeQuery(Query):
    service_id: Uid
    from_: Annotated[DayOrMoment | None, Field(alias="from", description="The first day, or a moment.")] = None
    to: Annotated[DayOrMoment | None, Field(description="The last day (it is within), or a moment.")] = None
    technician_id: Uid | None = None


@routes.get("/appointments", scope="appointments:read", summary="Appointments", errors=(404,))
async def index(call: Call, query: Filter) -> Page[Appointment]:
    window = query.window(query.sort)
    found = await call.read(
        diary.find,
        window,
        start=query.from_,
        end=query.to,
        statuses=query.status,
        business=query.business_id,
        customer=query.customer_id,
        service=query.service_id,
        member=query.technician_id or query.staff_id,
        search=query.search,
    )
    return Page[Appointment].of(found, window, Appointment.of)


@routes.get("/appointments/availability", scope="appointments:read", summary="Free times", errors=(404,))
async def availability(call: Call, query: FreeTimeQuery) -> list[FreeTime]:
    """What can be booked for a service, at most 31 days at a time; a week from now unless asked otherwise."""
    found = await call.read(
        diary.openings,
        service=query.service_id,
        start=query.from_,
        end=query.to,
        member=query.technician_id,
        now=call.now,
    )
    return [FreeTime.of(one) for one in found]


@routes.post("/appointments", scope="appointments:write", summary="Book an appointment")
async def create(call: Call, body: NewAppointment) -> Appointment:
    """Outside the hours as well. When the time is not free, 409 has `alternatives`. One that is over or cancelled is
    noted down without taking anybody's time.
    """
    return Appointment.of(await call.write(diary.add, **body.wanted(), now=call.now))


@routes.get("/appointments/{appointment_id}", scope="appointments:read", summary="An appointment")
async def read(call: Call, appointment_id: Uid) -> Appointment:
    return Appointment.of(await call.read(diary.get, appointment_id))


@routes.put("/appointments/{appointment_id}", scope="appointments:write", summary="Move or change an appointment")
async def replace(call: Call, appointment_id: Uid, body: AppointmentReplaced) -> Appointment:
    return Appointment.of(await call.write(diary.change, appointment_id, body.wanted(), now=call.now))


@routes.patch("/appointments/{appointment_id}", scope="appointments:write", summary="Move or change an appointment")
async def change(call: Call, appointment_id: Uid, body: AppointmentChange) -> Appointment:
    """Another `starts_at` or `technician_id` moves it; another `status` confirms, completes, cancels or marks a no-show."""
    return Appointment.of(await call.write(diary.change, appointment_id, body.wanted(), now=call.now))


@routes.delete("/appointments/{appointment_id}", scope="appointments:write", summary="Cancel and remove an appointment")
async def remove(call: Call, appointment_id: Uid) -> None:
    await call.write(diary.remove, appointment_id, now=call.now)


@routes.post("/appointments/{appointment_id}/confirm", scope="appointments:write", summary="Confirm", status=200)
async def confirm(call: Call, appointment_id: Uid) -> Appointment:
    return Appointment.of(await call.write(diary.become, appointment_id, "confirmed", now=call.now))


@routes.post("/appointments/{appointment_id}/cancel", scope="appointments:write", summary="Cancel", status=200)
async def cancel(call: Call, appointment_id: Uid, body: Cancelling) -> Appointment:
    """Its time is free at once."""
    done = await call.write(diary.become, appointment_id, "cancelled", reason=body.reason, now=call.now)
    return Appointment.of(done)


@routes.post("/appointments/{appointment_id}/complete", scope="appointments:write", summary="It took place", status=200)
async def complete(call: Call, appointment_id: Uid) -> Appointment:
    return Appointment.of(await call.write(diary.become, appointment_id, "completed", now=call.now))


@routes.post("/appointments/{appointment_id}/no-show", scope="appointments:write", summary="Nobody came", status=200)
async def no_show(call: Call, appointment_id: Uid) -> Appointment:
    return Appointment.of(await call.write(diary.become, appointment_id, "no_show", now=call.now))


def _ours(values: dict[str, Any]) -> dict[str, Any]:
    names = {"customer_id": "customer", "service_id": "service", "technician_id": "member", "business_id": "business"}
    return {names.get(name, name): value for name, value in values.items()}
