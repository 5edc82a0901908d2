"""The dashboard's figures over REST."""

from datetime import datetime

from tests.gateway.front import Front
from tests.gateway.rest import field
from tests.gateway.rest.api import person, stranger

NOTHING = {
    "as_of": "2026-03-02T18:00:00Z",
    "time_zone": "UTC",
    "currency": None,
    "period_days": 30,
    "customers": 0,
    "customers_new": 0,
    "conversations_open": 0,
    "conversations_waiting": 0,
    "messages_24h": 0,
    "bot_resolution_rate": None,
    "csat": {"average": None, "count": 0},
    "appointments_today": 0,
    "appointments_upcoming": 0,
    "no_show_rate": None,
    "service_requests_open": 0,
    "invoices_open": {"count": 0, "total": 0.0},
    "invoices_overdue": {"count": 0, "total": 0.0},
    "revenue_month": 0.0,
}


async def test_who_has_nothing_is_told_nothing_invented(desk: Front) -> None:
    assert await (await stranger(desk)).get("/dashboard/") == NOTHING


async def test_figures_are_what_happened(desk: Front) -> None:
    api = await person(desk)
    ids = await field.ids(api)
    before = await api.get("/dashboard")
    assert before.items() >= {"time_zone": "America/Chicago", "currency": "USD", "customers": 12}.items()
    assert before["no_show_rate"] == round(1 / 7, 4)  # of eight visits of the last thirty days one was called off
    assert before["appointments_upcoming"] == 11
    assert before["conversations_open"] == 0

    await desk.text("+15125550171", "What are your hours?")
    await desk.text("+15125550172", "I want to talk to a person")
    mine = {"customer_id": ids["customer"], "service_id": ids["haircut"], "technician_id": ids["anna"]}
    await api.post("/appointments", {**mine, "starts_at": "2026-03-03T05:59:00Z"})  # 23:59 in Austin: still today
    await api.post("/appointments", {**mine, "starts_at": "2026-03-03T06:30:00Z"})
    for title, status in (("Washer", "new"), ("Dryer", "completed")):
        await api.post("/service-requests", {"customer_id": ids["customer"], "title": title, "status": status})
    bill = {"customer_id": ids["customer"], "status": "sent"}
    await api.post("/invoices", {**bill, "subtotal": 100.10, "due_date": "2026-03-01"})
    await api.post("/invoices", {**bill, "subtotal": 200.20, "due_date": "2026-03-02"})
    await api.post("/invoices", {**bill, "subtotal": 7, "currency": "EUR"})
    await api.post("/invoices", {**bill, "subtotal": 5, "status": "draft"})
    for paid_at in ("2026-03-01T05:59:59Z", "2026-03-01T06:00:00Z"):  # the month begins at midnight in Austin
        made = await api.post("/invoices", {**bill, "subtotal": 40})
        await api.post(f"/invoices/{made['id']}/mark-paid", {"paid_at": paid_at}, status=200)
    await desk.change(
        "INSERT INTO ratings (tenant_id, conversation_id, customer_id, score, at)"
        " SELECT tenant_id, id, customer_id, 4, :now FROM conversations",
        now="2026-03-02 17:00:00+00:00",
    )

    after = await api.get("/dashboard")
    assert (
        after.items()
        >= {
            "customers": 13,  # one of the two who wrote was known
            "conversations_open": 2,
            "conversations_waiting": 1,
            "bot_resolution_rate": None,
            "csat": {"average": 4.0, "count": 2},
            "appointments_today": before["appointments_today"] + 1,
            "appointments_upcoming": 13,
            "service_requests_open": 1,
            "invoices_open": {"count": 2, "total": 300.3},
            "invoices_overdue": {"count": 1, "total": 100.1},
            "revenue_month": 40.0,
        }.items()
    )
    assert after["messages_24h"] == await desk.one("SELECT count(*) FROM messages")
    assert await api.get(f"/dashboard?business_id={ids['business']}") == after

    await desk.change("UPDATE conversations SET status = 'closed', closed_at = :now", now="2026-03-02 17:30:00+00:00")
    assert (await api.get("/dashboard"))["bot_resolution_rate"] == 0.5
    desk.clock.set(datetime.fromisoformat("2026-06-02T18:00:00Z"))
    later = await (await person(desk, "viewer")).get("/dashboard")
    assert (later["no_show_rate"], later["csat"], later["bot_resolution_rate"]) == (
        None,
        {"average": None, "count": 0},
        None,
    )
    assert (later["messages_24h"], later["revenue_month"], later["appointments_upcoming"]) == (0, 0.0, 0)


async def test_another_tenants_business_is_not_there(desk: Front) -> None:
    ids = await field.ids(await person(desk))
    await (await stranger(desk)).get(f"/dashboard?business_id={ids['business']}", status=404)
    await (await person(desk, "technician")).get("/dashboard", status=403)
