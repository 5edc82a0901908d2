"""`/customers`: who they are, what they agreed to, what we hold of them, and how to forget it."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, JsonValue

from desk import consents, customer_book, customer_records, privacy
from gateway.jobs.transfers import drop_files
from gateway.rest.call import Call
from gateway.rest.route import Routes
from gateway.rest.schema import Answer, Body, Line, Moment, Name, Page, Search, SkipQuery, Text, Uid

routes = Routes("Customers")

Email = Annotated[
    str,
    Field(max_length=320, pattern=r"^[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+$", examples=["alex@example.com"]),
]
Number = Annotated[
    str,
    Field(
        max_length=40,
        pattern=r"^[^\x00-\x1f\x7f]*\d[^\x00-\x1f\x7f]*$",
        description="Kept as E.164 where it can be made so, else as given.",
    ),
]
Tongue = Annotated[str, Field(max_length=16, pattern=r"^[a-zA-Z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$", examples=["en"])]
Tag = Annotated[
    str, Field(min_length=1, max_length=60, pattern=r"^[^\x00-\x1f\x7f,]*[^\s,\x00-\x1f\x7f][^\x00-\x1f\x7f,]*$")
]
Key = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,59}$")]
Value = Annotated[str, Field(max_length=2000)] | int | float | bool
Status = Literal["active", "inactive"]
Channel = Literal["sms", "whatsapp", "voice", "web", "sim"]


class Identity(Answer):
    """An address they are known by."""

    kind: str
    value: str
    unreachable_for: str | None = Field(
        description="Why campaigns leave it out: no_such_number, takes_no_texts (a landline), not_on_channel. The provider "
        "said so; it holds until they write from there or somebody corrects it."
    )
    created_at: Moment


class Customer(Answer):
    id: Uid
    name: str | None
    profile_name: str | None = Field(description="What their channel shows.")
    email: str | None
    phone: str | None
    language: str | None
    time_zone: str | None
    address: str | None
    city: str | None
    state: str | None
    zip: str | None
    notes: str
    status: str
    tags: list[str]
    attributes: dict[str, JsonValue]
    identities: list[Identity]
    created_at: Moment
    updated_at: Moment

    @classmethod
    def of(cls, one: customer_book.Entry) -> "Customer":
        return cls(
            id=one.uid,
            name=one.name,
            profile_name=one.profile_name,
            email=one.email,
            phone=one.phone,
            language=one.language,
            time_zone=one.time_zone,
            address=one.address,
            city=one.city,
            state=one.state,
            zip=one.zip,
            notes=one.notes,
            status=one.status,
            tags=[*one.tags],
            attributes={**one.attributes},
            identities=[
                Identity(kind=i.kind, value=i.value, unreachable_for=i.unreachable_for, created_at=i.created_at)
                for i in one.identities
            ],
            created_at=one.created_at,
            updated_at=one.updated_at,
        )


class CustomerChange(Body):
    name: Name | None = None
    email: Email | None = None
    phone: Number | None = None
    language: Tongue | None = None
    time_zone: Annotated[Line, Field(max_length=64, examples=["America/Chicago"])] | None = None
    address: Annotated[str, Field(max_length=500)] | None = None
    city: Annotated[Line, Field(max_length=100)] | None = None
    state: Annotated[Line, Field(max_length=100)] | None = None
    zip: Annotated[Line, Field(max_length=20)] | None = None
    notes: Text = ""
    status: Status = "active"
    tags: list[Tag] = Field(default=[], max_length=50)
    attributes: dict[Key, Value | None] = Field(
        default={}, description="Custom ones, as defined at /attributes. In a change, null takes one away."
    )


class NewCustomer(CustomerChange):
    """A name, a phone number or an e-mail address is needed."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "Alex Rivera",
                    "email": "alex@example.com",
                    "phone": "512-555-0100",
                    "city": "Austin",
                    "state": "TX",
                    "tags": ["regular"],
                }
            ]
        }
    )


class Merge(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"other_id": "01936f5e-5a2c-7e9a-8f4e-0d5a9b1c2d3e"}]})

    other_id: Uid = Field(description="Whose addresses, conversations and appointments the survivor gets.")


class Reachable(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"kind": "phone", "value": "+15125550181"}]})

    kind: Annotated[str, Field(max_length=20)]
    value: Annotated[str, Field(max_length=320)]


class Consent(Answer):
    """How one address stands towards one of our channels."""

    channel_id: Uid
    channel: str
    kind: str
    value: str
    purpose: str
    state: str
    since: Moment


class ConsentEvent(Answer):
    channel_id: Uid
    channel: str
    kind: str
    value: str
    purpose: str
    state: str
    source: str
    note: str
    message_id: Uid | None = Field(description="The message in which they said it; null where it was said in none.")
    at: Moment


class Consents(Answer):
    """`current` lists what was ever said; an address that is not there has said nothing, and may be written to."""

    current: list[Consent]
    history: list[ConsentEvent]

    @classmethod
    def of(cls, one: consents.Standing) -> "Consents":
        return cls(
            current=[
                Consent(
                    channel_id=c.channel_uid,
                    channel=c.channel,
                    kind=c.kind,
                    value=c.value,
                    purpose=c.purpose,
                    state=c.state,
                    since=c.at,
                )
                for c in one.current
            ],
            history=[
                ConsentEvent(
                    channel_id=e.channel_uid,
                    channel=e.channel,
                    kind=e.kind,
                    value=e.value,
                    purpose=e.purpose,
                    state=e.state,
                    source=e.source,
                    note=e.note,
                    message_id=e.message_uid,
                    at=e.at,
                )
                for e in one.history
            ],
        )


class NewConsent(Body):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "channel_id": "01936f5e-5a2c-7e9a-8f4e-0d5a9b1c2d3e",
                    "purpose": "marketing",
                    "state": "in",
                    "note": "Signed the form at the counter.",
                }
            ]
        }
    )

    channel_id: Uid
    purpose: Literal["all", "marketing", "reminder"] = "all"
    state: Literal["in", "out"]
    note: Annotated[str, Field(max_length=500)] = ""


class CustomerConversation(Answer):
    id: Uid
    channel_id: Uid
    channel: str
    status: str
    owner: str
    unread_count: int
    last_in_at: Moment | None
    last_out_at: Moment | None
    created_at: Moment


class CustomerAppointment(Answer):
    id: Uid
    service: str
    technician_id: Uid
    technician: str
    status: str
    starts_at: Moment
    ends_at: Moment
    created_at: Moment


class PersonalData(Answer):
    """Everything that mentions a customer, by the kind of record it stands in."""

    customer: Customer
    made_at: Moment
    records: dict[str, list[dict[str, JsonValue]]]


class Filter(SkipQuery):
    search: Annotated[str, Search] | None = Field(default=None, description="In name, e-mail address or phone number.")
    tag: Annotated[str, Field(max_length=60)] | None = None
    status: Status | None = None
    channel: Channel | None = Field(default=None, description="Who has talked with us there.")
    attribute: Annotated[str, Field(max_length=2100, description="`key:value`, such as `plan:gold`.")] | None = None
    created_from: Moment | None = None
    created_before: Moment | None = None
    sort: str | None = None

    def filter(self) -> customer_book.Filter:
        return customer_book.Filter(
            search=self.search,
            tag=self.tag,
            status=self.status,
            channel=self.channel,
            attribute=self.attribute,
            created_from=self.created_from,
            created_before=self.created_before,
        )


@routes.get("/customers", scope="customers:read", summary="Customers")
async def index(call: Call, query: Filter) -> Page[Customer]:
    window = query.window(query.sort)
    return Page[Customer].of(await call.read(customer_book.find, window, query.filter()), window, Customer.of)


@routes.post("/customers", scope="customers:write", summary="Add a customer")
async def create(call: Call, body: NewCustomer) -> Customer:
    """The phone number and the e-mail address are also addresses they are known by: no two customers share one."""
    return Customer.of(await call.write(customer_book.add, body.values(), now=call.now))


@routes.get("/customers/{customer_id}", scope="customers:read", summary="A customer")
async def read(call: Call, customer_id: Uid) -> Customer:
    """One that was merged into another answers as that one."""
    return Customer.of(await call.read(customer_book.get, customer_id))


@routes.put("/customers/{customer_id}", scope="customers:write", summary="Replace a customer")
async def replace(call: Call, customer_id: Uid, body: NewCustomer) -> Customer:
    values = body.values()
    return Customer.of(
        await call.write(customer_book.change, customer_id, values, merge_attributes=False, now=call.now)
    )


@routes.patch("/customers/{customer_id}", scope="customers:write", summary="Change a customer")
async def change(call: Call, customer_id: Uid, body: CustomerChange) -> Customer:
    return Customer.of(await call.write(customer_book.change, customer_id, body.changes(), now=call.now))


@routes.delete("/customers/{customer_id}", scope="customers:write", summary="Remove a customer")
async def remove(call: Call, customer_id: Uid) -> None:
    """Where there are conversations, appointments or the like, those stay, and nothing in them tells whose they were."""
    marks = call.house.sealer.marks
    await _forget(call, await call.write(privacy.remove, customer_id, marks=marks, now=call.now))


@routes.post("/customers/{customer_id}/merge", scope="customers:write", summary="Merge two customers", status=200)
async def merge(call: Call, customer_id: Uid, body: Merge) -> Customer:
    """The one in the path survives, with all that the other had."""
    return Customer.of(await call.write(customer_book.merge, customer_id, body.other_id, now=call.now))


@routes.post(
    "/customers/{customer_id}/reachable",
    scope="customers:write",
    summary="An address reaches them after all",
    status=200,
)
async def reach(call: Call, customer_id: Uid, body: Reachable) -> Customer:
    """What the provider said of that address is forgotten: campaigns try it again."""
    return Customer.of(
        await call.write(customer_book.reach, customer_id, kind=body.kind, value=body.value, now=call.now)
    )


@routes.get("/customers/{customer_id}/consents", scope="customers:read", summary="What a customer agreed to")
async def read_consents(call: Call, customer_id: Uid) -> Consents:
    return Consents.of(await call.read(consents.of_customer, customer_id))


@routes.post("/customers/{customer_id}/consents", scope="customers:write", summary="Write down a consent or refusal")
async def add_consent(call: Call, customer_id: Uid, body: NewConsent) -> Consents:
    """Counts for every address they have on that channel."""
    return Consents.of(await call.write(consents.write_down, customer_id, body.values(), now=call.now))


@routes.get("/customers/{customer_id}/conversations", scope="conversations:read", summary="A customer's conversations")
async def conversations(call: Call, customer_id: Uid, query: SkipQuery) -> Page[CustomerConversation]:
    window = query.window()
    found = await call.read(customer_records.conversations_of, customer_id, window)
    return Page[CustomerConversation].of(found, window, _conversation)


@routes.get("/customers/{customer_id}/appointments", scope="appointments:read", summary="A customer's appointments")
async def appointments(call: Call, customer_id: Uid, query: SkipQuery) -> Page[CustomerAppointment]:
    window = query.window()
    found = await call.read(customer_records.appointments_of, customer_id, window)
    return Page[CustomerAppointment].of(found, window, _appointment)


@routes.get("/customers/{customer_id}/export", scope="customers:write", summary="Everything we hold of a customer")
async def personal_data(call: Call, customer_id: Uid) -> PersonalData:
    """Under `files` stands each of their files, with a link to what is in it that is good for a day. Recordings of calls have
    one for whoever may `recordings:read`; for others `is_withheld` says that there is more.
    """
    entry, records = await call.read(privacy.export, customer_id, may_hear=call.show.may_hear)
    for file in records.get("files", ()):
        file["is_withheld"] = bool(file["is_recording"]) and not call.show.may_hear
        is_shown = file["status"] == "ready" and not file["is_withheld"]
        file["url"] = call.house.links.to(file["uid"], call.now) if is_shown else None
    return PersonalData(customer=Customer.of(entry), made_at=call.now, records=records)


@routes.post("/customers/{customer_id}/erase", scope="customers:write", summary="Erase a customer", status=204)
async def erase(call: Call, customer_id: Uid) -> None:
    """Everything personal is gone for good, also from messages, jobs, deliveries and logs; visits stay, anonymous. Providers are
    told to delete their messages and recordings, where they can be told.
    """
    marks = call.house.sealer.marks
    await _forget(call, await call.write(privacy.erase, customer_id, marks=marks, now=call.now))


async def _forget(call: Call, gone: privacy.Gone) -> None:
    """What lies beside the database: files that name them, and the journal."""
    await drop_files(call.house, gone.files)
    await call.house.store.empty_journal()


def _conversation(row: Any) -> CustomerConversation:
    return CustomerConversation(
        id=row.uid,
        channel_id=row.channel_uid,
        channel=row.channel,
        status=row.status,
        owner=row.owner,
        unread_count=row.unread_count,
        last_in_at=row.last_in_at,
        last_out_at=row.last_out_at,
        created_at=row.created_at,
    )


def _appointment(row: Any) -> CustomerAppointment:
    return CustomerAppointment(
        id=row.uid,
        service=row.service,
        technician_id=row.staff_uid,
        technician=row.staff,
        status=row.status,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        created_at=row.created_at,
    )
