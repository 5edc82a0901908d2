"""`/audit`: who changed what."""

from typing import Annotated, Any, Literal

from pydantic import Field

from desk import audit_log
from gateway.rest.call import Call
from gateway.rest.route import Routes
from gateway.rest.schema import Answer, Line, Moment, Page, SkipQuery, Uid

routes = Routes("Audit")

Kind = Literal["bot", "customer", "staff", "app", "system"]


class Who(Answer):
    """`id` is a person's; a program is known by its name."""

    kind: Kind
    id: Uid | None
    name: str


class Entry(Answer):
    """`before` and `after` have what changed: no secrets, and nothing that a customer said."""

    id: str
    at: Moment
    actor: Who
    action: str
    noun: str
    noun_id: Uid | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None

    @classmethod
    def of(cls, one: audit_log.Entry) -> "Entry":
        return cls(
            id=str(one.id),
            at=one.at,
            actor=Who(kind=one.actor, id=one.actor_uid, name=one.actor_name),  # type: ignore[arg-type]
            action=one.action,
            noun=one.noun,
            noun_id=one.noun_uid,
            before=None if one.before is None else dict(one.before),
            after=None if one.after is None else dict(one.after),
        )


class Filter(SkipQuery):
    actor: Annotated[Kind | None, Field(description="What kind of actor did it.")] = None
    user_id: Annotated[Uid | None, Field(description="Which person did it.")] = None
    action: Annotated[Line | None, Field(description="Such as appointment.booked.")] = None
    noun: Annotated[Line | None, Field(description="What kind of thing was changed, such as appointment.")] = None
    noun_id: Annotated[Uid | None, Field(description="Which thing was changed.")] = None
    since: Annotated[Moment | None, Field(alias="from", description="From this moment on.")] = None
    until: Annotated[Moment | None, Field(alias="to", description="Before this moment.")] = None
    sort: Annotated[str | None, Field(description="`-at` is the newest first, `at` the oldest.")] = None


@routes.get("/audit", scope="audit:read", summary="Who changed what, the newest first")
async def index(call: Call, query: Filter) -> Page[Entry]:
    window = query.window(query.sort)
    found = await call.read(
        audit_log.find,
        window,
        user=query.user_id,
        actor=query.actor,
        action=query.action,
        noun=query.noun,
        noun_uid=query.noun_id,
        since=query.since,
        until=query.until,
    )
    return Page[Entry].of(found, window, Entry.of)
