"""`/whatsapp`: the connected WhatsApp numbers, a view of `/channels`."""

from dataclasses import asdict
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from channels.base import ListsTemplates
from channels.errors import SendError
from channels.messages import ListedTemplate
from desk import accounts
from desk.errors import Invalid, NotFound, WrongState
from gateway.rest.call import Call
from gateway.rest.problem import Problem
from gateway.rest.route import Routes
from gateway.rest.schema import Answer, Moment, Page, Search, SkipQuery, Uid
from gateway.rest.v1.channels import Address, Fields, Status, columns, facts, line

routes = Routes("WhatsApp numbers")

_KIND = "whatsapp"


class Number(Answer):
    """`keys` says which credentials are set, and how each ends."""

    id: Uid
    phone_number: str
    display_name: str
    business_id: Uid
    bot_id: Uid | None
    provider: str
    provider_account: str | None
    phone_number_id: str | None
    sender_pool: str | None
    window_template: dict[str, str] | None
    messages_per_s: float | None
    keys: dict[str, str | list[str]]
    is_active: bool
    status: Status
    created_at: Moment

    @classmethod
    def of(cls, one: accounts.Channel) -> "Number":
        return cls(**facts(one), phone_number=one.address)


class Template(Answer):
    """`variables` are what has to be filled in, `header` the kind of file that stands above it, `payloads` the number of its
    quick-reply buttons.
    """

    name: str
    language: str
    status: str
    category: str
    text: str
    variables: list[str]
    header: str
    payloads: int


class Templates(Answer):
    items: list[Template]

    @classmethod
    def of(cls, found: list[ListedTemplate]) -> "Templates":
        return cls(items=[Template(**{**asdict(one), "variables": list(one.variables)}) for one in found])


class NewNumber(Fields):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "phone_number": "+15125550143",
                    "display_name": "Juniper Barber & Repair",
                    "provider_account": "102290129340398",
                    "phone_number_id": "106540352242922",
                    "credentials": {"access_token": "EAAGexample", "app_secret": "0123456789abcdef0123456789abcdef"},
                }
            ]
        }
    )

    phone_number: Address | None = None
    address: Annotated[Address | None, Field(description="The same as `phone_number`.")] = None
    provider: Literal["meta", "twilio"] = "meta"


class Filter(SkipQuery):
    search: Search | None = None
    business_id: Uid | None = None
    is_active: bool | None = None
    sort: str | None = None


@routes.get("/whatsapp", scope="channels:read", summary="WhatsApp numbers", errors=(404,))
async def index(call: Call, query: Filter) -> Page[Number]:
    window = query.window(query.sort)
    found = await call.read(
        accounts.find,
        window,
        line(call),
        search=query.search,
        kind=_KIND,
        business=query.business_id,
        is_active=query.is_active,
    )
    return Page[Number].of(found, window, Number.of)


@routes.post("/whatsapp", scope="channels:write", summary="Connect a WhatsApp number")
async def create(call: Call, body: NewNumber) -> Number:
    """`status` says whether it is served already."""
    values = columns(body.changes())
    number, address = values.pop("phone_number", None), values.pop("address", None)
    if (number is None) == (address is None):
        raise Invalid("phone_number", "Which number is it? Say it once, with its country.")
    values |= {"kind": _KIND, "address": number or address}
    return Number.of(await call.write(accounts.connect, values, line(call), now=call.now))


@routes.get("/whatsapp/{number_id}", scope="channels:read", summary="A WhatsApp number")
async def read(call: Call, number_id: Uid) -> Number:
    return Number.of(await call.read(accounts.get, number_id, line(call), kind=_KIND))


@routes.get("/whatsapp/{number_id}/templates", scope="channels:read", summary="Its templates", errors=(409, 502))
async def templates(call: Call, number_id: Uid) -> Templates:
    """Asked of the provider at this moment, in every state; what may be sent has the status `APPROVED`."""
    one = await call.read(accounts.get, number_id, line(call), kind=_KIND)
    account = await call.house.accounts.by_id(one.id)
    if account is None:
        raise NotFound(accounts.NOUN, number_id)
    adapter = call.house.adapter(account)
    if not isinstance(adapter, ListsTemplates):
        raise WrongState(accounts.NOUN, one.id, one.status, "The provider of this number lists no templates for us.")
    try:
        return Templates.of(await adapter.templates(account.keys))
    except SendError as error:
        raise Problem(502, error.text) from None


@routes.delete("/whatsapp/{number_id}", scope="channels:write", summary="Disconnect a WhatsApp number")
async def remove(call: Call, number_id: Uid) -> None:
    """Its conversations stay, and go on when it is connected again."""
    await call.write(accounts.disconnect, number_id, kind=_KIND, now=call.now)
