"""Customers in and out as CSV."""

import csv
import io
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from desk import transfers
from gateway.jobs import transfers as jobs
from storage import queue
from storage.base import new_uid
from storage.queue import Job
from tests.gateway.front import Front
from tests.gateway.rest.api import Client, person, stranger

CSV = {"Content-Type": "text/csv"}


def file_of(*rows: Any) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue().encode()


def many(count: int) -> Iterator[list[str]]:
    yield ["Name", "Phone", "E-Mail".replace("-", ""), "tags"]
    for number in range(count):
        yield [f"Customer {number}", f"+1737555{number:04}", f"c{number}@mail.example", "imported;batch 1"]


async def imported(api: Client, content: bytes) -> Any:
    """The finished import of a file."""
    sent = await api.call("POST", "/customers/import", data=content, headers=CSV)
    assert sent.status == 202, sent.raw
    await api.front.work()
    return await api.get(f"/transfers/{sent.json['id']}")


async def exported(api: Client, **filters: str) -> tuple[Any, list[list[str]]]:
    """The finished export and its lines."""
    sent = await api.post("/customers/export", {"format": "csv", "filters": filters}, status=202)
    await api.front.work()
    done = await api.get(f"/transfers/{sent['id']}")
    answer = await api.call("GET", f"/transfers/{sent['id']}/file")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/csv; charset=utf-8")
    assert answer.headers["Content-Disposition"].startswith("attachment")
    return done, [*csv.reader(io.StringIO(answer.raw.decode()))]


async def test_two_thousand_go_in_once_and_come_out_again(api: Client) -> None:
    content = file_of(*many(2000))
    done = await imported(api, content)
    assert done.items() >= {"status": "done", "total": 2000, "done": 2000, "made": 2000, "refused": 0}.items()
    assert (await api.get("/customers?tag=batch+1&limit=1"))["total"] == 2000
    export, (header, *lines) = await exported(api, tag="imported")
    assert (export["total"], export["done"], len(lines)) == (2000, 2000, 2000)
    assert header[:4] == ["id", "name", "email", "phone"]
    assert lines[0][1:4] == ["Customer 0", "c0@mail.example", "'+17375550000"]
    for again in (file_of(*many(100)), file_of(header, *lines[:100])):
        back = await imported(api, again)
        assert (back["made"], back["changed"], back["refused"], back["done"]) == (0, 100, 0, 100)
    assert (await api.get("/customers?tag=imported&limit=1"))["total"] == 2000


async def test_an_import_that_was_killed_goes_on_where_it_was(api: Client) -> None:
    front = api.front
    sent = (await api.call("POST", "/customers/import", data=file_of(*many(600)), headers=CSV)).json
    house, now = front.house, front.clock.now()
    (job,) = await house.store.write(
        queue.claim, now=now, lease=new_uid(), lease_for=timedelta(minutes=1), limit=1, kinds=frozenset({jobs.IMPORT})
    )
    await _one_piece(front, job)
    half = await api.get(f"/transfers/{sent['id']}")
    assert (half["status"], half["done"], half["made"], half["total"]) == ("running", 50, 50, 600)
    front.clock.advance(timedelta(minutes=2))
    await front.work()
    done = await api.get(f"/transfers/{sent['id']}")
    assert (done["status"], done["done"], done["made"], done["changed"]) == ("done", 600, 600, 0)
    assert (await api.get("/customers?tag=imported&limit=1"))["total"] == 600
    assert not [*house.settings.data_dir.glob("transfers/*")]


async def _one_piece(front: Front, job: Job) -> None:
    """What a process does that dies after its first piece."""
    transfer = await front.house.store.read(transfers.of_job, job)
    assert transfer is not None
    taking = jobs.pieces(front.house, job, transfer)
    assert await anext(taking)
    await taking.aclose()


async def test_rows_that_do_not_fit_are_named_and_the_rest_goes_in(api: Client) -> None:
    await api.post("/attributes", {"key": "visits", "label": "Visits", "kind": "number"})
    known = await api.post("/customers", {"name": "Known", "phone": "+17375550001", "notes": "keep"})
    other = await api.post("/customers", {"name": "Other", "email": "other@mail.example"})
    done = await imported(
        api,
        "\ufeff".encode()
        + file_of(
            ["name", "phone", "email", "attributes.visits", "status", "colour"],
            ["New Name", "(737) 555-0001", "", "3", "", "red"],  # 2: changes
            ["Nobody", "", "", "", "", ""],  # 3: cannot be told
            ["", "", "not an address", "", "", ""],  # 4
            ["A", "+17375550002", "", "many", "", ""],  # 5
            ["B", "+17375550003", "", "", "gone", ""],  # 6
            ["C", "+17375550001", "other@mail.example", "", "", ""],  # 7: two customers
            ["D", "+17375550004", "", "", "", "", "extra"],  # 8
            ["=1+1", "+17375550005", "", "", "", ""],  # 9: fine
            ["E" * 201, "+17375550006", "", "", "", ""],  # 10
            [],
            ["F", "x", "", "", "", ""],  # 12
        ),
    )
    assert (done["status"], done["total"], done["made"], done["changed"], done["refused"]) == ("done", 10, 1, 1, 8)
    assert [(one["row"], one["field"]) for one in done["problems"]] == [
        (1, "colour"),
        (3, "phone"),
        (4, "email"),
        (5, "attributes.visits"),
        (6, "status"),
        (7, "phone"),
        (8, ""),
        (10, "name"),
        (12, "phone"),
    ]
    changed = await api.get(f"/customers/{known['id']}")
    assert (changed["name"], changed["notes"], changed["attributes"]) == ("New Name", "keep", {"visits": 3})
    assert await api.get(f"/customers/{other['id']}") == other
    _, lines = await exported(api, search="+17375550005")
    assert [line[1:4] for line in lines[1:]] == [["'=1+1", "", "'+17375550005"]]


async def test_lines_about_the_same_people_are_taken_in_their_order(api: Client) -> None:
    known = await api.post("/customers", {"name": "Known", "phone": "+17375550001", "email": "k@mail.example"})
    done = await imported(
        api,
        file_of(
            ["id", "name", "phone", "email"],
            ["", "New", "+17375550002", ""],
            ["", "Known", "+17375550001", "k@mail.example"],  # nothing new
            ["", "Newer", "(737) 555-0002", ""],
            ["", "Other", "+17375550001", ""],
            ["", "Known", "", "K@mail.example"],  # as it was in the beginning
            [known["id"], "", "+17375550003", ""],  # has this number from now on
            ["", "Last", "+17375550003", ""],
            ["", "Both", "+17375550002", "k@mail.example"],
        ),
    )
    assert (done["made"], done["changed"], done["refused"], done["problems"][0]["row"]) == (1, 6, 1, 9)
    found = (await api.get("/customers?search=%2B1737555"))["items"]
    assert {one["phone"]: one["name"] for one in found} == {"+17375550002": "Newer", "+17375550003": "Last"}
    assert {one["id"] for one in found} > {known["id"]}


async def test_files_that_are_none_are_refused(api: Client) -> None:
    for content, words in (
        (b"name;city\nA;B\n", "phone, email and id"),
        (b"\xff\xfe\x00", "UTF-8"),
        (b'phone\n"never closed\n', "not CSV"),
        (b"\n\n", "phone, email and id"),
    ):
        done = await imported(api, content)
        assert (done["status"], done["made"]) == ("failed", 0), content
        assert words in done["error"]
    assert (await imported(api, b"phone;name\n+17375550001;Semi Colon\n"))["made"] == 1
    assert (await api.call("POST", "/customers/import", data=b"", headers=CSV)).status == 422
    assert (await api.call("POST", "/customers/import", {"phone": "+17375550001"})).status == 415
    large = b"phone\n" + b"+17375550001\n" * 1_700_000
    assert (await api.call("POST", "/customers/import", data=large, headers=CSV)).status == 413
    assert not [*api.front.house.settings.data_dir.glob("transfers/*")]


async def test_the_same_file_is_taken_once_and_another_with_its_key_is_refused(api: Client) -> None:
    head, file = {**CSV, "Idempotency-Key": "friday"}, file_of(*many(3))
    first = await api.call("POST", "/customers/import", data=file, headers=head)
    again = await api.call("POST", "/customers/import", data=file, headers=head)
    assert (first.status, again.status, again.json) == (202, 202, first.json)
    assert again.headers["Idempotency-Replayed"] == "true"
    other = await api.call("POST", "/customers/import", data=file_of(*many(4)), headers=head)
    assert (other.status, other.json["error_code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert len([*api.front.house.settings.data_dir.glob("transfers/*")]) == 1
    await api.front.work()
    assert ((await api.get("/transfers"))["total"], (await api.get("/customers?tag=imported"))["total"]) == (1, 3)
    body = (await api.get("/openapi.json"))["paths"]["/customers/import"]["post"]["requestBody"]
    assert (body["required"], [*body["content"]]) == (True, ["text/csv"])


async def test_whose_file_it_is(api: Client, desk: Front) -> None:
    sent = await api.post("/customers/export", {}, status=202)
    path = f"/transfers/{sent['id']}"
    assert (await api.call("GET", f"{path}/file")).status == 409
    await desk.work()
    other = await stranger(desk)
    for where in (path, f"{path}/file"):
        await other.get(where, status=404)
    assert (await other.get("/transfers"))["items"] == []
    viewer = await person(desk, "viewer")
    assert (await viewer.get("/transfers?kind=export"))["items"] == [await api.get(path)]
    assert (await viewer.call("POST", "/customers/import", data=b"phone\n+1\n", headers=CSV)).status == 403
    _, lines = await exported(other)
    assert len(lines) == 1
    await api.post("/customers/export", {"filters": {"attribute": "shoe:9"}}, status=422)
    await desk.pass_time(timedelta(days=8), step=timedelta(days=1))
    assert await desk.rows("SELECT DISTINCT status FROM transfers") == [("expired",)]
    assert not [*desk.house.settings.data_dir.glob("transfers/*")]
