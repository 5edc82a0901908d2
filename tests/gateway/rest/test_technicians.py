"""Technicians over REST."""

from typing import Any

from tests.gateway.front import Front
from tests.gateway.rest import field
from tests.gateway.rest.api import Client, person, stranger

MIKE = {
    "name": "Mike Johnson",
    "email": "mike@example.com",
    "phone": "512-555-0101",
    "skills": ["HVAC", "Plumbing"],
    "hourly_rate": 45.5,
}


async def test_they_are_added_found_changed_and_removed(api: Client) -> None:
    ids = await field.ids(api)
    made = await api.post("/technicians/", MIKE)
    assert made == {
        "id": made["id"],
        "business_id": ids["business"],
        "user_id": None,
        "kind": "person",
        **MIKE,
        "phone": "+15125550101",
        "is_active": True,
        "currency": "USD",
        "created_at": "2026-03-02T18:00:00Z",
    }
    path = f"/technicians/{made['id']}"
    assert await api.get(path) == made
    assert await api.put(path, made) == made
    assert (await api.patch(path, {"hourly_rate": 0.1}))["hourly_rate"] == 0.1
    signed_in = await api.patch(path, {"user_id": api.uid, "is_active": False})
    assert (signed_in["user_id"], signed_in["is_active"], signed_in["hourly_rate"]) == (api.uid, False, 0.1)
    bare = await api.put(path, {"name": "Mike"})
    assert (bare["skills"], bare["email"], bare["hourly_rate"], bare["user_id"]) == ([], None, None, None)
    await api.delete(path)
    await api.get(path, status=404)
    said = await api.front.rows("SELECT after FROM audit WHERE noun = 'technician'")
    assert said
    assert not any(word in str(said) for word in ("Mike", "mike@", "0101"))


async def test_lists_are_filtered_sorted_and_searched(api: Client) -> None:
    ids = await field.ids(api)
    await api.post("/technicians", {**MIKE, "is_active": False})
    for query, names in {
        "": ["Mike Johnson", "Maya", "Anna", "Theo", "Sam"],
        "active_only=true&sort=name": ["Anna", "Maya", "Sam", "Theo"],
        "is_active=false": ["Mike Johnson"],
        "skill=plumbing": ["Mike Johnson"],
        "skill=plumb": [],
        "skill=color&sort=-name": ["Maya", "Anna"],
        "search=MIKE": ["Mike Johnson"],
        "search=mike@": ["Mike Johnson"],
        f"business_id={ids['business']}&limit=1&sort=name": ["Anna"],
        "kind=place": [],
    }.items():
        found = await api.get(f"/technicians?{query}")
        by_name = [one["name"] for one in found["items"]]
        assert (sorted(by_name) if not query else by_name) == (sorted(names) if not query else names), query


async def test_whoever_has_appointments_stays_and_whoever_had_some_is_kept(api: Client) -> None:
    ids = await field.ids(api)
    refused = await api.delete(f"/technicians/{ids['sam']}", status=409)
    assert refused["error_code"] == "IN_USE"
    for one in (await api.get(f"/appointments?technician_id={ids['sam']}&from=2026-03-02&limit=100"))["items"]:
        await api.delete(f"/appointments/{one['id']}")
    await api.delete(f"/technicians/{ids['sam']}")
    assert (await api.get(f"/technicians/{ids['sam']}"))["is_active"] is False
    wanted = {"customer_id": ids["customer"], "service_id": ids["repair"], "starts_at": "2026-03-19T15:00:00Z"}
    assert (await api.post("/appointments", wanted, status=409))["alternatives"] == []
    refused = await api.post("/appointments", {**wanted, "technician_id": ids["sam"]}, status=422)
    assert refused["detail"][0]["loc"] == ["body", "technician_id"]


async def test_a_schedule_shows_shifts_absences_and_visits(api: Client) -> None:
    ids = await field.ids(api)
    path = f"/technicians/{ids['maya']}/schedule"
    sunday = await api.get(f"{path}?from=2026-03-07&to=2026-03-10")
    assert (sunday["technician_id"], sunday["time_zone"]) == (ids["maya"], "America/Chicago")
    assert (sunday["starts_at"], sunday["ends_at"]) == ("2026-03-07T06:00:00Z", "2026-03-11T05:00:00Z")
    # Saturday in winter time, Tuesday in summer time; she does not work on Sunday and Monday.
    assert [(one["starts_at"], one["ends_at"]) for one in sunday["shifts"]] == [
        ("2026-03-07T15:00:00Z", "2026-03-07T18:00:00Z"),
        ("2026-03-07T19:00:00Z", "2026-03-07T22:00:00Z"),
        ("2026-03-10T14:00:00Z", "2026-03-10T18:00:00Z"),
        ("2026-03-10T19:00:00Z", "2026-03-10T23:00:00Z"),
    ]
    week = await api.get(path)
    assert week["appointments"] == [
        one
        for one in (await api.get(f"/appointments?technician_id={ids['maya']}&from=2026-03-02&to=2026-03-08"))["items"]
        if one["status"] != "cancelled"
    ]
    assert week["appointments"]
    for query in ("from=2026-03-01&to=2026-05-01", "from=2026-03-02&to=2026-03-01", "from=x"):
        await api.get(f"{path}?{query}", status=422)


FLAWS: list[tuple[dict[str, Any], str]] = [
    ({"name": ""}, "name"),
    ({"name": " "}, "name"),
    ({"email": "mike"}, "email"),
    ({"phone": "call me"}, "phone"),
    ({"hourly_rate": 45.005}, "hourly_rate"),
    ({"hourly_rate": -1}, "hourly_rate"),
    ({"hourly_rate": 1e15}, "hourly_rate"),
    ({"skills": ["x" * 61]}, "skills"),
    ({"skills": "HVAC"}, "skills"),
    ({"is_active": "yes"}, "is_active"),
    ({"capacity": 3}, "capacity"),
]


async def test_what_does_not_fit_is_named(api: Client) -> None:
    for change, where in FLAWS:
        refused = await api.post("/technicians", {**MIKE, **change}, status=422)
        assert refused["detail"][0]["loc"][:2] == ["body", where], change


async def test_another_tenants_people_are_not_there(api: Client, desk: Front) -> None:
    ids = await field.ids(api)
    other = await stranger(desk)
    path = f"/technicians/{ids['maya']}"
    for method, where, body in (
        ("GET", path, None),
        ("GET", f"{path}/schedule", None),
        ("PUT", path, MIKE),
        ("PATCH", path, {}),
        ("DELETE", path, None),
        ("POST", "/technicians", {**MIKE, "business_id": ids["business"]}),
        ("GET", f"/technicians?business_id={ids['business']}", None),
    ):
        assert (await other.call(method, where, body)).status == 404
    await api.post("/technicians", {**MIKE, "user_id": other.uid}, status=404)
    assert (await other.post("/technicians", MIKE, status=422))["detail"][0]["loc"] == ["body", "business_id"]
    await (await person(desk, "agent")).post("/technicians", MIKE, status=403)
