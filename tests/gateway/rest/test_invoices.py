"""Invoices over REST, and that they add up."""

import asyncio
from datetime import datetime
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from desk.sales import invoices
from desk.sales.invoices import Line
from tests.gateway.front import Front
from tests.gateway.rest import field
from tests.gateway.rest.api import Client, person, stranger

VISIT = {"description": "Repair visit", "quantity": 1, "unit_price": 89.00}
LABOR = {"description": "Labor", "quantity": 1.5, "unit_price": 19.99}
CENT = Decimal("0.01")


async def test_one_is_made_read_changed_and_removed(api: Client) -> None:
    ids = await field.ids(api)
    wanted = {"customer_id": ids["customer"], "line_items": [VISIT, LABOR], "tax_rate": 8.25, "due_date": "2026-03-20"}
    made = await api.post("/invoices/", wanted)
    assert made == {
        "id": made["id"],
        "number": "INV-00001",
        "business_id": ids["business"],
        "customer_id": ids["customer"],
        "customer_name": "Maria Lopez",
        "service_request_id": None,
        "work_order_id": None,
        "appointment_id": None,
        "status": "draft",
        "currency": "USD",
        "line_items": [{**VISIT, "total": 89.0}, {**LABOR, "total": 29.99}],
        "subtotal": 118.99,
        "tax": 9.82,
        "tax_rate": 8.25,
        "total": 128.81,
        "notes": "",
        "due_date": "2026-03-20",
        "sent_at": None,
        "delivery": None,
        "paid_at": None,
        "created_at": "2026-03-02T18:00:00Z",
        "updated_at": "2026-03-02T18:00:00Z",
    }
    path = f"/invoices/{made['id']}"
    assert await api.get(path) == made
    assert await api.put(path, made) == made
    assert (await api.patch(path, {"tax": 5}))["total"] == 123.99
    cheaper = await api.patch(path, {"line_items": [VISIT, {"description": "Discount", "unit_price": -10}]})
    assert (cheaper["subtotal"], cheaper["tax"], cheaper["tax_rate"], cheaper["total"]) == (79.0, 5.0, None, 84.0)
    refused = await api.patch(path, {"subtotal": 1}, status=422)
    assert refused["detail"][0]["loc"] == ["body", "subtotal"]
    bare = await api.put(path, {"customer_id": ids["james"], "subtotal": 250, "currency": "EUR"})
    assert (bare["line_items"], bare["total"], bare["currency"], bare["due_date"]) == ([], 250.0, "EUR", None)
    await api.delete(path)
    await api.get(path, status=404)


AMOUNTS: list[tuple[dict[str, Any], float, float, float]] = [
    ({"subtotal": 250.00, "tax": 20.63}, 250.0, 20.63, 270.63),
    ({"subtotal": 250.00, "tax_rate": 8.25}, 250.0, 20.63, 270.63),  # 20.625, half up
    ({"subtotal": 0.1, "tax_rate": 0}, 0.1, 0.0, 0.1),
    ({"line_items": [{"description": "x", "quantity": 3, "unit_price": 0.1}]}, 0.3, 0.0, 0.3),
    ({"line_items": [{"description": "x", "quantity": 0.005, "unit_price": 1}]}, 0.01, 0.0, 0.01),
    ({"line_items": [VISIT], "subtotal": 89, "tax_rate": 19, "tax": 16.91}, 89.0, 16.91, 105.91),
    ({"line_items": [{"description": "x", "quantity": 99999.999, "unit_price": 99999.99}]}, 9999998900.0, 0, 9999998900.0),
]  # fmt: skip


async def test_amounts_are_exact(api: Client) -> None:
    ids = await field.ids(api)
    for bill, subtotal, tax, total in AMOUNTS:
        made = await api.post("/invoices", {"customer_id": ids["customer"], **bill})
        assert (made["subtotal"], made["tax"], made["total"]) == (subtotal, tax, total), bill


@given(
    st.lists(
        st.tuples(
            st.decimals(0, 1000, places=3).filter(bool),
            st.decimals(0, 10_000, places=2),
        ),
        min_size=1,
        max_size=20,
    ),
    st.decimals(0, 100, places=4),
)
def test_sums_add_up_whatever_the_lines(lines: list[tuple[Decimal, Decimal]], rate: Decimal) -> None:
    made = [Line("x", quantity, price) for quantity, price in lines]
    came_to = invoices.amounts(made, None, None, rate)
    assert came_to.subtotal_cents == sum(line.total_cents for line in made)
    assert came_to.total_cents == came_to.subtotal_cents + came_to.tax_cents
    for line in made:
        assert abs(line.quantity * line.unit_price - line.total_cents * CENT) <= CENT / 2
    assert abs(came_to.subtotal_cents * CENT * rate / 100 - came_to.tax_cents * CENT) <= CENT / 2


async def test_it_is_sent_paid_and_cancelled_in_order(api: Client) -> None:
    ids = await field.ids(api)
    await field.subscribe(api)
    request = await api.post("/service-requests", {"customer_id": ids["customer"], "title": "Washer"})
    wanted = {"customer_id": ids["customer"], "subtotal": 100, "due_date": "2026-03-04"}
    made = await api.post("/invoices", {**wanted, "work_order_id": request["id"]})
    assert made["service_request_id"] == made["work_order_id"] == request["id"]
    path = f"/invoices/{made['id']}"
    sent = await api.post(f"{path}/send", status=200)
    assert (sent["status"], sent["sent_at"]) == ("sent", "2026-03-02T18:00:00Z")
    assert await api.post(f"{path}/send", status=200) == sent
    assert await api.put(path, sent) == sent
    for change in ({"subtotal": 90}, {"notes": "x"}, {"status": "draft"}, {"status": "overdue"}):
        assert (await api.patch(path, change, status=409))["error_code"] == "WRONG_STATE"
    await api.delete(path, status=409)

    # The fourth is over in Austin at six in the morning UTC of the fifth.
    for moment, status in (("2026-03-05T05:59:00Z", "sent"), ("2026-03-05T06:00:00Z", "overdue")):
        api.front.clock.set(datetime.fromisoformat(moment))
        api = await person(api.front)
        assert (await api.get(path))["status"] == status
        for wanted_status in ("sent", "overdue", "draft"):
            found = await api.get(f"/invoices?status={wanted_status}")
            assert found["total"] == (wanted_status == status), (moment, wanted_status)
    late = await api.get(path)
    assert await api.put(path, late) == late
    paid = await api.post(f"{path}/mark-paid", {"paid_at": "2026-03-04T14:30:00Z"}, status=200)
    assert (paid["status"], paid["paid_at"]) == ("paid", "2026-03-04T14:30:00Z")
    assert await api.post(f"{path}/mark-paid", status=200) == paid
    await api.post(f"{path}/cancel", status=409)
    await api.post(f"{path}/send", status=409)

    draft = await api.post("/invoices", wanted)
    gone = await api.patch(f"/invoices/{draft['id']}", {"status": "cancelled"})
    assert gone["status"] == "cancelled"
    await api.post(f"/invoices/{draft['id']}/mark-paid", status=409)
    at_once = await api.post("/invoices", {**wanted, "status": "paid"})
    assert (at_once["status"], at_once["paid_at"]) == ("paid", "2026-03-05T06:00:00Z")
    told = [(event, data) for event, data in await field.told(api) if data.get("invoice_id") == made["id"]]
    assert [event for event, _ in told] == ["invoice.created", "invoice.sent", "invoice.paid"]
    assert told[-1][1].items() >= {"work_order_id": request["id"], "total": 100.0, "currency": "USD"}.items()


async def test_the_customer_is_told_of_it_over_their_best_channel(api: Client) -> None:
    front, ids = api.front, await field.ids(api)
    bill = {"customer_id": ids["customer"], "subtotal": 128.5, "due_date": "2026-03-20"}
    marked = await api.post("/invoices", {**bill, "status": "sent"})
    assert (marked["status"], marked["delivery"]) == ("sent", None)
    sent = await api.post(f"/invoices/{marked['id']}/send", status=200)
    assert sent["delivery"]["status"] == "queued"
    told = await api.get(f"/messages/{sent['delivery']['message_id']}")
    assert told["text"] == (
        "Juniper Barber & Repair: your invoice INV-00001 comes to $128.50, due on Friday, March 20. Thank you!"
    )
    assert (told["author"]["id"], told["conversation_id"]) == (api.uid, sent["delivery"]["conversation_id"])
    talk = await api.get(f"/conversations/{told['conversation_id']}")
    assert (talk["owner"], talk["channel"], talk["customer"]["id"]) == ("bot", "sms", ids["customer"])
    assert await api.post(f"/invoices/{marked['id']}/send", status=200) == sent

    # Who said STOP is not written to, and the invoice says so; sent again it is tried again.
    await front.text("+15125550160", "STOP")
    path = f"/invoices/{(await api.post('/invoices', bill))['id']}"
    refused = await api.post(f"{path}/send", status=200)
    assert (refused["status"], refused["delivery"]["status"]) == ("sent", "refused")
    assert refused["delivery"]["error"]["code"] == "opted_out"
    await front.text("+15125550160", "START")
    again = await api.post(f"{path}/send", status=200)
    assert (again["delivery"]["status"], again["delivery"]["error"]) == ("queued", None)
    assert again["sent_at"] == refused["sent_at"]
    await front.change("UPDATE messages SET status = 'delivered' WHERE status = 'queued'")
    assert (await api.get(path))["delivery"]["status"] == "delivered"

    # Nobody can be told without an address, nor by a channel that is paused.
    quiet = await api.post("/customers", {"name": "Kim", "email": "kim@example.com"})
    made = await api.post("/invoices", {**bill, "customer_id": quiet["id"]})
    alone = await api.post(f"/invoices/{made['id']}/send", status=200)
    assert alone["delivery"] == {
        "message_id": None,
        "conversation_id": None,
        "channel": None,
        "status": None,
        "error": {"code": "no_address", "reason": "No channel of this business reaches the customer."},
    }
    await api.patch(f"/customers/{quiet['id']}", {"phone": "512-555-0177"})
    assert (await api.post(f"/invoices/{made['id']}/send", status=200))["delivery"]["status"] == "queued"


async def test_numbers_have_no_gaps_however_many_come_at_once(api: Client) -> None:
    ids = await field.ids(api)
    wanted = {"customer_id": ids["customer"], "subtotal": 1}
    bad = {"customer_id": ids["customer"], "subtotal": 1, "appointment_id": ids["maya"]}
    answers = await asyncio.gather(
        *(api.call("POST", "/invoices", bad if number % 3 == 0 else wanted) for number in range(24))
    )
    made = [one.json for one in answers if one.status == 201]
    assert sorted(one["number"] for one in made) == [f"INV-{number:05d}" for number in range(1, 17)]
    for number in ("INV-00003", "INV-00007"):
        await api.delete(f"/invoices/{next(one['id'] for one in made if one['number'] == number)}")
    again = [(await api.post("/invoices", wanted))["number"] for _ in range(3)]
    assert again == ["INV-00003", "INV-00007", "INV-00017"]


async def test_lists_are_filtered_sorted_and_searched(api: Client) -> None:
    ids = await field.ids(api)
    for subtotal, more in (
        (30, {"due_date": "2026-03-10", "notes": "First"}),
        (10, {"customer_id": ids["james"], "due_date": "2026-03-20", "status": "sent"}),
        (20, {"status": "paid"}),
    ):
        await api.post("/invoices", {"customer_id": ids["customer"], "subtotal": subtotal, **more})
    for query, totals in {
        "": [20.0, 10.0, 30.0],
        "sort=total": [10.0, 20.0, 30.0],
        "sort=-due_date&limit=2": [10.0, 30.0],
        "sort=number&skip=2": [20.0],
        "status=draft,paid": [20.0, 30.0],
        f"customer_id={ids['james']}": [10.0],
        "due_from=2026-03-10&due_to=2026-03-19": [30.0],
        "search=inv-00003": [20.0],
        "search=whitfield": [10.0],
        "search=FIRST": [30.0],
    }.items():
        found = await api.get(f"/invoices?{query}")
        assert [one["total"] for one in found["items"]] == totals, query
    await api.get("/invoices?status=late", status=422)


FLAWS: list[tuple[dict[str, Any], str]] = [
    ({"subtotal": None}, "line_items"),
    ({"subtotal": 1.005}, "subtotal"),
    ({"subtotal": -1}, "subtotal"),
    ({"subtotal": 1e300}, "subtotal"),
    ({"subtotal": "NaN"}, "subtotal"),
    ({"subtotal": True}, "subtotal"),
    ({"line_items": [VISIT], "subtotal": 88}, "subtotal"),
    ({"line_items": [{**VISIT, "unit_price": -1}], "subtotal": None}, "line_items"),
    ({"line_items": [{**VISIT, "quantity": 0}], "subtotal": None}, "line_items"),
    ({"line_items": [{**VISIT, "quantity": 0.0001}], "subtotal": None}, "line_items"),
    ({"line_items": [{**VISIT, "colour": "red"}], "subtotal": None}, "line_items"),
    ({"line_items": [VISIT] * 201, "subtotal": None}, "line_items"),
    ({"tax": 1, "tax_rate": 50}, "tax"),
    ({"tax_rate": 101}, "tax_rate"),
    ({"currency": "usd"}, "currency"),
    ({"due_date": "2026-02-30"}, "due_date"),
    ({"status": "overdue"}, "status"),
]


async def test_what_does_not_fit_is_named(api: Client) -> None:
    ids = await field.ids(api)
    for change, where in FLAWS:
        refused = await api.post("/invoices", {"customer_id": ids["customer"], "subtotal": 100, **change}, status=422)
        assert refused["detail"][0]["loc"][:2] == ["body", where], change


async def test_another_tenants_things_are_not_there(api: Client, desk: Front) -> None:
    ids = await field.ids(api)
    wanted = {"customer_id": ids["customer"], "subtotal": 100}
    made = await api.post("/invoices", wanted)
    other = await stranger(desk)
    path = f"/invoices/{made['id']}"
    for method, where, body in (
        ("GET", path, None),
        ("PUT", path, wanted),
        ("PATCH", path, {}),
        ("DELETE", path, None),
        *(("POST", f"{path}/{verb}", {}) for verb in ("send", "mark-paid", "cancel")),
        ("POST", "/invoices", wanted),
        ("GET", f"/invoices?customer_id={ids['customer']}", None),
    ):
        assert (await other.call(method, where, body)).status == 404
    for name in ("customer_id", "service_request_id", "work_order_id", "appointment_id", "business_id"):
        await api.post("/invoices", {**wanted, name: "0198c2b4-1f0e-7a55-9d3c-6b1f2f0a9d01"}, status=404)
    await (await person(desk, "agent")).post("/invoices", wanted, status=403)
