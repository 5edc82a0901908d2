"""`/service-requests`: what customers asked to have done."""

from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, ConfigDict, Field

from desk.work import requests
from gateway.rest.call import Call
from gateway.rest.route import Routes
from gateway.rest.schema import Answer, Body, Moment, Name, Page, Search, SkipQuery, Text, Uid
from gateway.rest.v1.fields import Day, VisitTime, one_of, split

routes = Routes("Service requests")

Status = Literal["new", "scheduled", "in_progress", "completed", "cancelled"]
Priority = Literal["low", "normal", "high", "urgent"]
Address = Annotated[str, Field(max_length=500)]
Equipment = Annotated[str, Field(max_length=200, description="What it is about, such as `Bosch WAW285`.")]


class ServiceRequest(Answer):
    """`scheduled_at` is when its appointment starts, `appointment_status` how that stands."""

    id: Uid
    business_id: Uid
    customer_id: Uid
    customer_name: str | None
    service_id: Uid | None
    service_name: str | None
    technician_id: Uid | None
    technician_name: str | None
    appointment_id: Uid | None
    appointment_status: str | None
    scheduled_at: Moment | None
    title: str
    description: str
    address: str
    equipment: str
    priority: Annotated[str, one_of(Priority)]
    status: Annotated[str, one_of(Status)]
    preferred_day: Day | None
    completed_at: Moment | None
    created_at: Moment
    updated_at: Moment

    @classmethod
    def of(cls, one: requests.ServiceRequest) -> "ServiceRequest":
        return cls(
            id=one.uid,
            business_id=one.business_uid,
            customer_id=one.customer_uid,
            customer_name=one.customer_name,
            service_id=one.service_uid,
            service_name=one.service_name,
            technician_id=one.staff_uid,
            technician_name=one.staff_name,
            appointment_id=one.appointment_uid,
            appointment_status=one.appointment_status,
            scheduled_at=one.starts_at,
            title=one.title,
            description=one.description,
            address=one.address,
            equipment=one.equipment,
            priority=one.priority,
            status=one.status,
            preferred_day=one.preferred_day,
            completed_at=one.completed_at,
            created_at=one.created_at,
            updated_at=one.updated_at,
        )


class NewServiceRequest(Body):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "customer_id": "0198c2b4-1f0e-7a55-9d3c-6b1f2f0a9d01",
                    "title": "Washer does not spin",
                    "description": "It hums and stops, since yesterday.",
                    "equipment": "Bosch WAW285",
                    "address": "12 Alder Lane, Austin",
                    "priority": "high",
                    "preferred_day": "2026-11-27",
                }
            ]
        }
    )

    customer_id: Uid
    title: Name
    description: Text = ""
    service_id: Uid | None = None
    technician_id: Uid | None = None
    appointment_id: Uid | None = None
    priority: Priority = "normal"
    status: Annotated[Status | None, Field(description="Without it: scheduled with an appointment, else new.")] = None
    address: Address = ""
    equipment: Equipment = ""
    preferred_day: Day | None = None
    business_id: Annotated[Uid | None, Field(description="Without it, that of the service, or the first.")] = None


class ServiceRequestChange(Body):
    customer_id: Uid = ""
    title: Name = ""
    description: Text = ""
    service_id: Uid | None = None
    technician_id: Uid | None = None
    appointment_id: Uid | None = None
    priority: Priority = "normal"
    status: Status | None = None
    address: Address = ""
    equipment: Equipment = ""
    preferred_day: Day | None = None
    business_id: Uid | None = None


class Scheduling(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"starts_at": "2026-11-27T10:00:00-06:00"}]})

    starts_at: VisitTime
    technician_id: Annotated[Uid | None, Field(description="Without it, whoever it is meant for or is free.")] = None
    service_id: Annotated[Uid | None, Field(description="Needed while the request has none.")] = None


class Filter(SkipQuery):
    search: Search | None = None
    status: Annotated[tuple[Status, ...], BeforeValidator(split), Field(description="One or several.")] = ()
    priority: Priority | None = None
    customer_id: Uid | None = None
    technician_id: Uid | None = None
    service_id: Uid | None = None
    business_id: Uid | None = None
    sort: str | None = None


@routes.get("/service-requests", scope="service_requests:read", summary="Service requests", errors=(404,))
async def index(call: Call, query: Filter) -> Page[ServiceRequest]:
    window = query.window(query.sort)
    found = await call.read(
        requests.find,
        window,
        search=query.search,
        statuses=query.status,
        priority=query.priority,
        business=query.business_id,
        customer=query.customer_id,
        service=query.service_id,
        member=query.technician_id,
    )
    return Page[ServiceRequest].of(found, window, ServiceRequest.of)


@routes.post("/service-requests", scope="service_requests:write", summary="Add a service request")
async def create(call: Call, body: NewServiceRequest) -> ServiceRequest:
    given = _ours(body.values())
    links = {name: given.pop(name) for name in (*_LINKS.values(), "status")}
    return ServiceRequest.of(await call.write(requests.add, given, **links, now=call.now))


@routes.get("/service-requests/{request_id}", scope="service_requests:read", summary="A service request")
async def read(call: Call, request_id: Uid) -> ServiceRequest:
    return ServiceRequest.of(await call.read(requests.get, request_id))


@routes.put("/service-requests/{request_id}", scope="service_requests:write", summary="Replace a service request")
async def replace(call: Call, request_id: Uid, body: NewServiceRequest) -> ServiceRequest:
    return ServiceRequest.of(await call.write(requests.change, request_id, _ours(body.values()), now=call.now))


@routes.patch("/service-requests/{request_id}", scope="service_requests:write", summary="Change a service request")
async def change(call: Call, request_id: Uid, body: ServiceRequestChange) -> ServiceRequest:
    """Another `status` starts it, completes it or calls it off; calling it off cancels its appointment as well."""
    return ServiceRequest.of(await call.write(requests.change, request_id, _ours(body.changes()), now=call.now))


@routes.delete("/service-requests/{request_id}", scope="service_requests:write", summary="Remove a service request")
async def remove(call: Call, request_id: Uid) -> None:
    await call.write(requests.remove, request_id, now=call.now)


@routes.post(
    "/service-requests/{request_id}/schedule",
    scope="service_requests:write",
    summary="Book or move its appointment",
    status=200,
)
async def schedule(call: Call, request_id: Uid, body: Scheduling) -> ServiceRequest:
    """When the time is not free, 409 has `alternatives`."""
    found = await call.write(
        requests.schedule,
        request_id,
        starts_at=body.starts_at,
        service=body.service_id,
        member=body.technician_id,
        now=call.now,
    )
    return ServiceRequest.of(found)


_LINKS: Final = {
    "customer_id": "customer",
    "business_id": "business",
    "service_id": "service",
    "technician_id": "member",
    "appointment_id": "appointment",
}


def _ours(values: dict[str, Any]) -> dict[str, Any]:
    return {_LINKS.get(name, name): value for name, value in values.items()}
