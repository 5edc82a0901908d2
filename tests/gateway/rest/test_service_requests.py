"""Service requests over REST."""

from datetime import datetime
from typing import Any

from tests.gateway.front import Front
from tests.gateway.rest import field
from tests.gateway.rest.api import Client, person, stranger

THURSDAY = "2026-03-19T15:00:00Z"
WASHER = {
    "title": "Washer does not spin",
    "description": "It hums and stops.",
    "equipment": "Bosch WAW285",
    "address": "12 Alder Lane",
    "priority": "high",
    "preferred_day": "2026-03-20",
}
EMPTY = {
    "service_id": None,
    "service_name": None,
    "technician_id": None,
    "technician_name": None,
    "appointment_id": None,
    "appointment_status": None,
    "scheduled_at": None,
    "completed_at": None,
}


async def test_one_is_added_read_changed_and_removed(api: Client) -> None:
    ids = await field.ids(api)
    made = await api.post("/service-requests/", {**WASHER, "customer_id": ids["customer"]})
    assert made == {
        **EMPTY,
        **WASHER,
        "id": made["id"],
        "business_id": ids["business"],
        "customer_id": ids["customer"],
        "customer_name": "Maria Lopez",
        "status": "new",
        "created_at": "2026-03-02T18:00:00Z",
        "updated_at": "2026-03-02T18:00:00Z",
    }
    path = f"/service-requests/{made['id']}"
    assert await api.get(path) == made
    assert await api.put(path, made) == made
    meant = await api.patch(path, {"technician_id": ids["sam"], "service_id": ids["repair"], "priority": "urgent"})
    assert (meant["technician_name"], meant["service_name"], meant["title"]) == ("Sam", "Repair visit", WASHER["title"])
    bare = await api.put(path, {"customer_id": ids["customer"], "title": "Dryer"})
    assert (bare["description"], bare["service_id"], bare["priority"]) == ("", None, "normal")
    refused = await api.patch(path, {"customer_id": ids["james"]}, status=422)
    assert refused["detail"][0]["loc"] == ["body", "customer_id"]
    await api.delete(path)
    await api.get(path, status=404)
    assert "Washer" not in str(await api.front.rows("SELECT before, after FROM audit WHERE noun = 'service_request'"))


async def test_it_is_scheduled_moved_worked_on_and_completed(api: Client) -> None:
    ids = await field.ids(api)
    await field.subscribe(api)
    made = await api.post("/service-requests", {**WASHER, "customer_id": ids["customer"]})
    path = f"/service-requests/{made['id']}"
    assert (await api.post(f"{path}/schedule", {"starts_at": THURSDAY}, status=422))["detail"][0]["loc"][
        1
    ] == "service_id"
    booked = await api.post(f"{path}/schedule", {"starts_at": THURSDAY, "service_id": ids["repair"]}, status=200)
    assert (booked["status"], booked["scheduled_at"], booked["technician_name"]) == ("scheduled", THURSDAY, "Sam")
    visit = await api.get(f"/appointments/{booked['appointment_id']}")
    assert (visit["customer_id"], visit["starts_at"]) == (ids["customer"], THURSDAY)

    other = await api.post("/service-requests", {**WASHER, "customer_id": ids["james"], "service_id": ids["repair"]})
    taken = await api.post(f"/service-requests/{other['id']}/schedule", {"starts_at": THURSDAY}, status=409)
    assert taken["alternatives"][0]["technician_id"] == ids["sam"]
    assert (await api.get(f"/service-requests/{other['id']}"))["status"] == "new"

    moved = await api.post(f"{path}/schedule", {"starts_at": "2026-03-19T18:00:00Z"}, status=200)
    assert (moved["appointment_id"], moved["scheduled_at"]) == (booked["appointment_id"], "2026-03-19T18:00:00Z")
    assert await api.put(path, moved) == moved
    await api.post(f"/service-requests/{other['id']}/schedule", {"starts_at": THURSDAY}, status=200)

    api.front.clock.set(datetime.fromisoformat("2026-03-19T19:00:00Z"))
    sam = await person(api.front, "technician")
    await sam.patch(path, {"status": "in_progress"})
    await sam.post(f"{path}/schedule", {"starts_at": THURSDAY}, status=409)
    done = await sam.patch(path, {"status": "completed"})
    assert (done["completed_at"], done["appointment_status"]) == ("2026-03-19T19:00:00Z", "completed")
    told = [(event, data) for event, data in await field.told(api) if data.get("work_order_id") == made["id"]]
    assert [event.partition(".")[2] for event, _ in told] == [
        "created",
        "scheduled",
        "scheduled",
        "started",
        "completed",
    ]
    assert (
        told[-1][1].items()
        >= {
            "customer_id": ids["customer"],
            "technician_id": ids["sam"],
            "completed_at": "2026-03-19T19:00:00Z",
        }.items()
    )


STEPS = {
    ("new", "in_progress"): True,
    ("new", "completed"): True,
    ("new", "cancelled"): True,
    ("new", "scheduled"): False,  # it has no appointment
    ("in_progress", "completed"): True,
    ("in_progress", "cancelled"): True,
    ("in_progress", "new"): False,
    ("in_progress", "scheduled"): False,
    ("completed", "new"): False,
    ("completed", "cancelled"): False,
    ("cancelled", "new"): True,
    ("cancelled", "completed"): False,
}


async def test_states_follow_on_one_another(api: Client) -> None:
    ids = await field.ids(api)
    for (first, then), may in STEPS.items():
        made = await api.post("/service-requests", {"customer_id": ids["customer"], "title": "x", "status": first})
        path = f"/service-requests/{made['id']}"
        after = await api.patch(path, {"status": then}, status=200 if may else 409)
        assert after.get("error_code", "") == ("" if may else "WRONG_STATE"), (first, then)
        assert (await api.get(path))["status"] == (then if may else first)


async def test_what_is_called_off_frees_its_time(api: Client) -> None:
    ids = await field.ids(api)
    for how in ("cancelled", "new", "deleted"):
        made = await api.post(
            "/service-requests", {"customer_id": ids["customer"], "title": "x", "service_id": ids["repair"]}
        )
        path = f"/service-requests/{made['id']}"
        booked = await api.post(f"{path}/schedule", {"starts_at": THURSDAY}, status=200)
        if how == "deleted":
            await api.delete(path)
        else:
            await api.patch(path, {"status": how})
        assert (await api.get(f"/appointments/{booked['appointment_id']}"))["status"] == "cancelled"


async def test_an_appointment_makes_it_scheduled(api: Client) -> None:
    ids = await field.ids(api)
    theirs = {"customer_id": ids["customer"], "service_id": ids["haircut"]}
    visit = await api.post("/appointments", {**theirs, "starts_at": THURSDAY})
    ask = {"customer_id": ids["customer"], "title": "A cut"}
    made = await api.post("/service-requests", {**ask, "appointment_id": visit["id"]})
    assert (made["status"], made["scheduled_at"]) == ("scheduled", THURSDAY)
    path = f"/service-requests/{made['id']}"
    assert (await api.patch(path, {"appointment_id": None}))["status"] == "new"
    assert (await api.patch(path, {"appointment_id": visit["id"]}))["status"] == "scheduled"
    await api.delete(f"/appointments/{visit['id']}")
    assert (await api.get(path))["appointment_id"] is None
    refused = await api.post("/service-requests", {**ask, "status": "scheduled"}, status=422)
    assert refused["detail"][0]["loc"] == ["body", "status"]
    other = await api.post("/appointments", {**theirs, "customer_id": ids["james"], "starts_at": THURSDAY})
    refused = await api.post("/service-requests", {**ask, "appointment_id": other["id"]}, status=422)
    assert refused["detail"][0]["loc"] == ["body", "appointment_id"]


async def test_lists_are_filtered_sorted_and_searched(api: Client) -> None:
    ids = await field.ids(api)
    api.front.clock.set(datetime.fromisoformat("2026-03-02T18:00:00Z"))
    for number, (title, more) in enumerate(
        {
            "Washer": {"priority": "high", "technician_id": ids["sam"]},
            "Dryer": {"status": "completed", "equipment": "Miele"},
            "Fridge": {"customer_id": ids["james"], "service_id": ids["repair"], "preferred_day": "2026-03-05"},
        }.items()
    ):
        api.front.clock.set(datetime.fromisoformat(f"2026-03-02T18:0{number}:00Z"))
        await api.post("/service-requests", {"customer_id": ids["customer"], "title": title, **more})
    for query, titles in {
        "": ["Fridge", "Dryer", "Washer"],
        "sort=title&limit=2": ["Dryer", "Fridge"],
        "sort=created_at&skip=1": ["Dryer", "Fridge"],
        "sort=preferred_day&limit=1": ["Fridge"],
        "status=new": ["Fridge", "Washer"],
        "status=completed,cancelled": ["Dryer"],
        "priority=high": ["Washer"],
        f"customer_id={ids['james']}": ["Fridge"],
        f"technician_id={ids['sam']}": ["Washer"],
        f"service_id={ids['repair']}": ["Fridge"],
        "search=miele": ["Dryer"],
        "search=whitfield": ["Fridge"],
        "search=_": [],
    }.items():
        found = await api.get(f"/service-requests?{query}")
        assert [one["title"] for one in found["items"]] == titles, query
    await api.get("/service-requests?status=done", status=422)
    await api.get("/service-requests?sort=notes", status=422)


FLAWS: list[tuple[dict[str, Any], str]] = [
    ({"title": " "}, "title"),
    ({"title": "x" * 201}, "title"),
    ({"address": "x" * 501}, "address"),
    ({"priority": "now"}, "priority"),
    ({"status": "draft"}, "status"),
    ({"preferred_day": "soon"}, "preferred_day"),
    ({"colour": "red"}, "colour"),
]


async def test_what_does_not_fit_is_named(api: Client) -> None:
    ids = await field.ids(api)
    for change, where in FLAWS:
        refused = await api.post("/service-requests", {**WASHER, "customer_id": ids["customer"], **change}, status=422)
        assert refused["detail"][0]["loc"] == ["body", where], change


async def test_another_tenants_things_are_not_there(api: Client, desk: Front) -> None:
    ids = await field.ids(api)
    made = await api.post("/service-requests", {**WASHER, "customer_id": ids["customer"]})
    other = await stranger(desk)
    path = f"/service-requests/{made['id']}"
    ask = {"customer_id": ids["customer"], "title": "x"}
    for method, where, body in (
        ("GET", path, None),
        ("PUT", path, ask),
        ("PATCH", path, {}),
        ("DELETE", path, None),
        ("POST", f"{path}/schedule", {"starts_at": THURSDAY}),
        ("POST", "/service-requests", ask),
        ("GET", f"/service-requests?technician_id={ids['sam']}", None),
    ):
        assert (await other.call(method, where, body)).status == 404
    unknown = "0198c2b4-1f0e-7a55-9d3c-6b1f2f0a9d01"
    for name in ("customer_id", "service_id", "technician_id", "appointment_id", "business_id"):
        await api.post("/service-requests", {**ask, name: unknown}, status=404)
    viewer = await person(desk, "viewer")
    await viewer.post("/service-requests", ask, status=403)
