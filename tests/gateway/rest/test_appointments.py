"""Appointments over REST."""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any

from tests.gateway.front import Front
from tests.gateway.rest import field
from tests.gateway.rest.api import Client, person, program, stranger

FIELDS = {
    "id": str,
    "business_id": str,
    "customer_id": str,
    "customer_name": str,
    "service_id": str,
    "service_name": str,
    "technician_id": str,
    "technician_name": str,
    "conversation_id": type(None),
    "status": str,
    "starts_at": str,
    "ends_at": str,
    "source": str,
    "notes": str,
    "cancel_reason": type(None),
    "cancelled_at": type(None),
    "created_at": str,
    "updated_at": str,
}
THURSDAY = "2026-03-19T15:00:00Z"  # ten in Austin, after the clocks went forward on the eighth


async def test_one_is_booked_read_moved_confirmed_and_removed(api: Client) -> None:
    ids = await field.ids(api)
    claimed = await api.front.one("SELECT count(*) FROM claims")
    wanted = {"customer_id": ids["customer"], "service_id": ids["haircut"], "starts_at": THURSDAY}
    made = await api.post("/appointments/", {**wanted, "technician_id": ids["maya"], "notes": "By the window."})
    assert {name: type(value) for name, value in made.items()} == FIELDS
    assert (made["status"], made["source"], made["ends_at"]) == ("scheduled", "staff", "2026-03-19T15:30:00Z")
    assert (made["technician_name"], made["service_name"]) == ("Maya", "Haircut")
    path = f"/appointments/{made['id']}"
    assert await api.get(path) == made
    assert await api.put(path, made) == made  # what was read can be sent back
    moved = await api.patch(path, {"starts_at": "2026-03-19T11:00:00-05:00", "status": "confirmed"})
    assert (moved["starts_at"], moved["status"], moved["notes"]) == (
        "2026-03-19T16:00:00Z",
        "confirmed",
        "By the window.",
    )
    given = await api.put(path, {**wanted, "technician_id": ids["anna"]})
    assert (given["technician_name"], given["starts_at"], given["status"]) == ("Anna", THURSDAY, "scheduled")
    assert given["notes"] == ""
    for change in ({"service_id": ids["repair"]}, {"customer_id": ids["james"]}):
        refused = await api.patch(path, change, status=422)
        assert refused["detail"][0]["loc"] == ["body", *change]
    assert await api.front.one("SELECT count(*) FROM claims") == claimed + 1
    await api.delete(path)
    await api.get(path, status=404)
    assert await api.front.one("SELECT count(*) FROM claims") == claimed
    said = await api.front.rows(
        "SELECT action, noun_uid IS NOT NULL, actor_id FROM audit WHERE noun = 'appointment' AND actor = 'staff' ORDER BY id"
    )
    assert [action.partition(".")[2] for action, _, _ in said] == [
        "booked", "moved", "confirmed", "moved", "updated", "cancelled", "deleted",
    ]  # fmt: skip
    assert all(bool(has_uid) and user == api.user_id for _, has_uid, user in said)


async def test_states_follow_on_one_another(api: Client) -> None:
    ids = await field.ids(api)
    wanted = {"customer_id": ids["customer"], "service_id": ids["haircut"], "technician_id": ids["anna"]}
    ahead = await api.post("/appointments", {**wanted, "starts_at": THURSDAY, "status": "confirmed"})
    assert ahead["status"] == "confirmed"
    path = f"/appointments/{ahead['id']}"
    for verb in ("complete", "no-show"):
        assert (await api.post(f"{path}/{verb}", status=409))["error_code"] == "WRONG_STATE"
    await api.patch(path, {"status": "scheduled"}, status=409)
    gone = await api.post(f"{path}/cancel", {"reason": "Ill"}, status=200)
    assert (gone["status"], gone["cancel_reason"], gone["cancelled_at"]) == ("cancelled", "Ill", "2026-03-02T18:00:00Z")
    assert await api.post(f"{path}/cancel", status=200) == gone
    for status in ("confirmed", "completed", "scheduled"):
        await api.patch(path, {"status": status}, status=409)
    await api.patch(path, {"starts_at": "2026-03-11T15:00:00Z"}, status=409)
    again = await api.post("/appointments", {**wanted, "starts_at": THURSDAY})  # its time is free
    api.front.clock.set(datetime.fromisoformat("2026-03-19T15:05:00Z"))
    api = await person(api.front, "technician")
    done = await api.post(f"/appointments/{again['id']}/complete", status=200)
    assert done["status"] == "completed"
    await api.post(f"/appointments/{again['id']}/no-show", status=409)
    await api.delete(f"/appointments/{again['id']}")


async def test_the_past_is_noted_down_as_it_was(api: Client) -> None:
    ids = await field.ids(api)
    past = {"customer_id": ids["customer"], "service_id": ids["haircut"], "starts_at": "2024-01-20T09:00:00Z"}
    for status in (
        "completed",
        "completed",
        "no_show",
        "cancelled",
    ):  # nobody's time is taken, so nothing is in the way
        made = await api.post("/appointments", {**past, "technician_id": ids["anna"], "status": status})
        assert (made["status"], made["starts_at"]) == (status, "2024-01-20T09:00:00Z")
    first = await api.post("/appointments", {**past, "technician_id": ids["anna"]})
    assert first["status"] == "scheduled"
    await api.post("/appointments", {**past, "technician_id": ids["anna"]}, status=409)
    await api.post(f"/appointments/{first['id']}/no-show", status=200)
    refused = await api.post("/appointments", {**past, "starts_at": THURSDAY, "status": "completed"}, status=422)
    assert refused["detail"][0]["loc"] == ["body", "status"]


async def test_lists_are_filtered_sorted_and_searched(api: Client) -> None:
    ids = await field.ids(api)
    everything = await api.get("/appointments?limit=100")
    starts = [one["starts_at"] for one in everything["items"]]
    assert starts == sorted(starts)
    assert everything["total"] == len(starts) == 20
    newest = await api.get("/appointments?sort=-starts_at&limit=3&skip=1")
    assert [one["starts_at"] for one in newest["items"]] == starts[::-1][1:4]
    keeps: dict[str, Callable[[Any], bool]] = {
        "status=completed": lambda one: one["status"] == "completed",
        "status=cancelled,no_show": lambda one: one["status"] in ("cancelled", "no_show"),
        f"customer_id={ids['customer']}": lambda one: one["customer_name"] == "Maria Lopez",
        f"technician_id={ids['maya']}": lambda one: one["technician_name"] == "Maya",
        f"staff_id={ids['maya']}": lambda one: one["technician_name"] == "Maya",
        f"service_id={ids['haircut']}": lambda one: one["service_name"] == "Haircut",
        f"business_id={ids['business']}": lambda _: True,
        "from=2026-03-03&to=2026-03-04": lambda one: "2026-03-03T06" <= one["starts_at"] < "2026-03-05T06",
        "from=2026-03-04T16:00:00Z": lambda one: one["starts_at"] >= "2026-03-04T16:00:00Z",
        "search=lopez": lambda one: one["customer_name"] == "Maria Lopez",
        "search=%25": lambda _: False,
    }
    for query, keep in keeps.items():
        found = await api.get(f"/appointments?limit=100&{query}")
        assert found["items"] == [one for one in everything["items"] if keep(one)], query
    for query in ("status=open", "from=soon", "from=2026-03-03T10:00:00", "sort=notes", "colour=red", "to=9999-12-31"):
        await api.get(f"/appointments?{query}", status=422)
    await api.get(f"/appointments?service_id={ids['maya']}", status=404)


async def test_free_times_know_the_days_on_which_clocks_change(api: Client) -> None:
    ids = await field.ids(api)
    service = f"/appointments/availability?service_id={ids['haircut']}"
    week = await api.get(f"{service}&from=2026-03-07&to=2026-03-09&technician_id={ids['maya']}")
    assert week[0] == {
        "starts_at": "2026-03-07T15:00:00Z",
        "ends_at": "2026-03-07T15:30:00Z",
        "technician_id": ids["maya"],
        "technician_name": "Maya",
    }
    both = await api.get(f"{service}&from=2026-03-07&to=2026-03-09")
    firsts: dict[str, str] = {}
    for one in both:
        firsts.setdefault(one["starts_at"][:10], one["starts_at"][11:16])
    # Nine on the wall, before and after; closed on the Sunday itself.
    assert firsts == {"2026-03-07": "15:00", "2026-03-09": "14:00"}
    few = await api.get(f"{service}&from=2026-03-09T16:00:00Z&to=2026-03-09T17:00:00Z")
    assert [one["starts_at"][11:16] for one in few] == ["16:00", "16:30"]
    assert (await api.get(service))[0]["starts_at"] > "2026-03-02T18:00:00Z"
    for query in ("from=2026-03-07&to=2026-05-01", "from=2026-03-07&to=2026-03-01", f"technician_id={ids['sam']}"):
        await api.get(f"{service}&{query}", status=422)
    await api.get(f"{service}&from=2026-03-01&to=2026-03-31")
    await api.get("/appointments/availability", status=422)


async def test_of_64_who_want_one_time_one_gets_it(api: Client) -> None:
    ids = await field.ids(api)
    wanted = {"customer_id": ids["customer"], "service_id": ids["repair"], "starts_at": THURSDAY}
    answers = await asyncio.gather(*(api.call("POST", "/appointments", wanted) for _ in range(64)))
    assert Counter(one.status for one in answers) == {201: 1, 409: 63}
    losers = [one.json for one in answers if one.status == 409]
    for one in losers:
        assert (one["error_code"], len(one["alternatives"])) == ("SLOT_TAKEN", 3)
        assert one["alternatives"][0].items() >= {"technician_id": ids["sam"], "technician_name": "Sam"}.items()
    await api.post("/appointments", {**wanted, "starts_at": losers[0]["alternatives"][0]["starts_at"]})


async def test_a_business_without_staff_has_one_chair(api: Client) -> None:
    ids = await field.ids(api)
    await api.front.change("DELETE FROM claims")
    await api.front.change("UPDATE staff SET is_active = false")
    query = f"/appointments/availability?service_id={ids['repair']}&from=2026-03-19&to=2026-03-19"
    assert (await api.get(query))[0]["technician_id"] is None
    wanted = {"customer_id": ids["customer"], "service_id": ids["repair"], "starts_at": THURSDAY}
    answers = await asyncio.gather(*(api.call("POST", "/appointments", wanted) for _ in range(8)))
    assert Counter(one.status for one in answers) == {201: 1, 409: 7}
    made = next(one.json for one in answers if one.status == 201)
    assert made["technician_name"] == "Chair 1"
    assert await api.front.rows("SELECT kind, capacity FROM staff WHERE is_active = true") == [("place", 1)]
    assert (await api.get(query))[0]["technician_id"] == made["technician_id"]


async def test_people_and_their_programs_book_outside_the_hours(desk: Front) -> None:
    agent, till = await person(desk, "agent"), await program(desk, "appointments:read", "appointments:write")
    ids = await field.ids(agent)
    wanted = {"customer_id": ids["customer"], "service_id": ids["haircut"], "technician_id": ids["anna"]}
    assert (await agent.post("/appointments", {**wanted, "starts_at": "2026-03-08T04:00:00Z"}))["source"] == "staff"
    assert (await till.post("/appointments", {**wanted, "starts_at": "2026-03-08T05:00:00Z"}))["source"] == "api"
    viewer = await person(desk, "viewer")
    await viewer.post("/appointments", {**wanted, "starts_at": THURSDAY}, status=403)


async def test_subscribers_hear_of_a_visit(api: Client) -> None:
    ids = await field.ids(api)
    await field.subscribe(api)
    wanted = {"customer_id": ids["customer"], "service_id": ids["haircut"], "technician_id": ids["anna"]}
    made = await api.post("/appointments", {**wanted, "starts_at": THURSDAY, "status": "confirmed"})
    await api.post(f"/appointments/{made['id']}/cancel", status=200)
    told = await field.told(api)
    assert [event for event, _ in told] == ["appointment.booked", "appointment.confirmed", "appointment.cancelled"]
    assert [data["status"] for _, data in told] == ["scheduled", "confirmed", "cancelled"]
    for _, data in told:
        assert data.items() >= {"appointment_id": made["id"], **wanted, "starts_at": THURSDAY}.items()
    assert "Maria" not in str(told)


FLAWS: list[tuple[dict[str, Any], str]] = [
    ({"starts_at": "2026-03-19T15:00:00"}, "starts_at"),
    ({"starts_at": "9999-12-31T23:59:59Z"}, "starts_at"),
    ({"starts_at": 1700000000}, "starts_at"),
    ({"notes": "x" * 2001}, "notes"),
    ({"status": "done"}, "status"),
    ({"customer_id": "7"}, "customer_id"),
    ({"colour": "red"}, "colour"),
]


async def test_what_does_not_fit_is_named(api: Client) -> None:
    ids = await field.ids(api)
    wanted = {"customer_id": ids["customer"], "service_id": ids["haircut"], "starts_at": THURSDAY}
    for change, where in FLAWS:
        refused = await api.post("/appointments", {**wanted, **change}, status=422)
        assert refused["detail"][0]["loc"] == ["body", where], change


async def test_another_tenants_things_are_not_there(api: Client, desk: Front) -> None:
    ids = await field.ids(api)
    wanted = {"customer_id": ids["customer"], "service_id": ids["haircut"], "starts_at": THURSDAY}
    made = await api.post("/appointments", wanted)
    other = await stranger(desk)
    for method, path, body in (
        ("GET", "", None),
        ("PUT", "", wanted),
        ("PATCH", "", {}),
        ("DELETE", "", None),
        *(("POST", f"/{verb}", {}) for verb in ("confirm", "cancel", "complete", "no-show")),
    ):
        assert (await other.call(method, f"/appointments/{made['id']}{path}", body)).status == 404
    await other.post("/appointments", wanted, status=404)
    await other.get(f"/appointments/availability?service_id={ids['haircut']}", status=404)
    assert (await other.get("/appointments"))["total"] == 0
    assert await api.get(f"/appointments/{made['id']}") == made


async def test_who_was_merged_is_the_other_and_who_was_erased_is_nobody(api: Client) -> None:
    ids = await field.ids(api)
    await api.post(f"/customers/{ids['customer']}/merge", {"other_id": ids["james"]}, status=200)
    james = {"customer_id": ids["james"]}
    paths: dict[str, dict[str, Any]] = {
        "/appointments": {**james, "service_id": ids["haircut"], "starts_at": THURSDAY},
        "/service-requests": {**james, "title": "Washer"},
        "/invoices": {**james, "subtotal": 10},
    }
    for path, body in paths.items():
        assert (await api.post(path, body))["customer_name"] == "Maria Lopez"
        found = await api.get(f"{path}?customer_id={ids['james']}")
        assert {one["customer_id"] for one in found["items"]} == {ids["customer"]}
    await api.call("POST", f"/customers/{ids['customer']}/erase", {})
    for path, body in paths.items():
        await api.post(path, body, status=404)
        await api.get(f"{path}?customer_id={ids['james']}", status=404)
