"""Customers in and out as CSV: `/customers/import`, `/customers/export` and `/transfers`."""

from typing import Annotated, Literal

from aiohttp import web
from pydantic import ConfigDict, Field

from desk import transfers
from desk.events import rfc3339
from gateway.jobs.transfers import file_of
from gateway.rest.call import Call
from gateway.rest.intake import saved_csv
from gateway.rest.problem import Problem
from gateway.rest.route import Routes
from gateway.rest.schema import Answer, Body, Moment, Page, Search, SkipQuery, Uid
from storage.base import new_uid

routes = Routes("Imports and exports")


class Trouble(Answer):
    """`row` counts the lines of the file, the header being 1."""

    row: int
    field: str
    problem: str


class Transfer(Answer):
    id: Uid
    kind: str
    noun: str
    status: str = Field(
        description="waiting, running, done, failed, or expired: the file of an export is kept for a week."
    )
    total: int | None = Field(description="Rows in all, once they are counted.")
    done: int
    made: int
    changed: int
    refused: int
    problems: list[Trouble] = Field(description="The first hundred.")
    error: str | None
    created_at: Moment
    finished_at: Moment | None

    @classmethod
    def of(cls, one: transfers.Transfer) -> "Transfer":
        return cls(
            id=one.uid,
            kind=one.kind,
            noun=one.noun,
            status=one.status,
            total=one.total,
            done=one.done,
            made=one.made,
            changed=one.changed,
            refused=one.refused,
            problems=[Trouble(**problem) for problem in one.problems],
            error=one.error,
            created_at=one.created_at,
            finished_at=one.finished_at,
        )


class Filters(Body):
    """The same as of the list of customers."""

    search: Search | None = None
    tag: Annotated[str, Field(max_length=60)] | None = None
    status: Literal["active", "inactive"] | None = None
    channel: Literal["sms", "whatsapp", "voice", "web", "sim"] | None = None
    attribute: Annotated[str, Field(max_length=2100, description="`key:value`, such as `plan:gold`.")] | None = None
    created_from: Moment | None = None
    created_before: Moment | None = None


class NewExport(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"format": "csv", "filters": {"tag": "regular"}}]})

    format: Literal["csv"] = "csv"
    filters: Filters = Filters()

    def options(self) -> dict[str, str]:
        given = {name: value for name, value in self.filters.values().items() if value is not None}
        return {name: value if isinstance(value, str) else rfc3339(value) for name, value in given.items()}


class TransferFilter(SkipQuery):
    kind: Literal["import", "export", "invitations"] | None = None
    sort: str | None = None


@routes.post(
    "/customers/import",
    scope="customers:write",
    summary="Take customers in from a CSV file",
    status=202,
    takes_file="text/csv",
)
async def take_in(call: Call) -> Transfer:
    """Send the file itself as the body, with `Content-Type: text/csv`, at most 20 MB of UTF-8.

    The first line names the columns: `phone`, `email` or `id` to tell whom a row means, and any of `name`, `language`,
    `time_zone`, `address`, `city`, `state`, `zip`, `notes`, `status`, `tags` (with semicolons) and `attributes.<key>`.
    Whoever is known already is changed, where a cell is not empty.
    """
    async with saved_csv(call) as uid:
        return Transfer.of(await call.write(transfers.begin, transfers.IMPORT, {}, uid=uid, now=call.now))


@routes.post("/customers/export", scope="customers:read", summary="Write customers into a CSV file", status=202)
async def give_out(call: Call, body: NewExport) -> Transfer:
    """Look at the transfer to see how far it is; its file can be fetched once it is done."""
    options = body.options()
    return Transfer.of(await call.write(transfers.begin, transfers.EXPORT, options, uid=new_uid(), now=call.now))


@routes.get("/transfers", scope="customers:read", summary="Imports and exports")
async def index(call: Call, query: TransferFilter) -> Page[Transfer]:
    window = query.window(query.sort)
    return Page[Transfer].of(await call.read(transfers.find, window, kind=query.kind), window, Transfer.of)


@routes.get("/transfers/{transfer_id}", scope="customers:read", summary="How far an import or export is")
async def read(call: Call, transfer_id: Uid) -> Transfer:
    return Transfer.of(await call.read(transfers.get, transfer_id))


@routes.get("/transfers/{transfer_id}/file", scope="customers:read", summary="The file of an export", errors=(409,))
async def file(call: Call, transfer_id: Uid) -> web.StreamResponse:
    """409 while it is not done."""
    one = await call.read(transfers.get_done, transfer_id)
    path = file_of(call.house, one.uid)
    if not path.exists():
        raise Problem(404, "The file is not there any more; start the export again.")
    headers = {"Content-Type": "text/csv; charset=utf-8", "Content-Disposition": 'attachment; filename="customers.csv"'}
    return web.FileResponse(path, headers=headers)
