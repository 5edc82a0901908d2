"""Campaigns that follow visits, over REST: everybody gets their message so many days after or before, once."""

from datetime import datetime
from typing import Any

from desk.calendar import campaigns
from tests.gateway.front import Front
from tests.gateway.rest import field
from tests.gateway.rest.api import Client, program
from tests.gateway.rest.test_broadcasts import channel_of, drafted

PEERS = {"Ann": "+15125550181", "Bo": "+15125550182", "Cy": "+15125550183", "Di": "+15125550184", "Ed": "+15125550185"}

SCOPES = tuple(f"{noun}:{verb}" for noun in ("broadcasts", "appointments") for verb in ("read", "write"))


async def people(api: Client) -> dict[str, str]:
    """Their ids by name; all but Ed are in the club."""
    made = {}
    for name, number in PEERS.items():
        tags = ["club"] if name != "Ed" else []
        made[name] = (await api.post("/customers", {"name": name, "phone": number, "tags": tags}))["id"]
    return made


async def until(front: Front, moment: str) -> None:
    front.clock.advance(datetime.fromisoformat(moment) - front.clock.now())
    await front.work()


async def written(front: Front) -> list[str]:
    """To whom, in order."""
    names = {number: name for name, number in PEERS.items()}
    rows = await front.rows(
        "SELECT c.peer FROM messages m JOIN conversations c ON c.id = m.conversation_id "
        "WHERE m.author = 'system' ORDER BY m.id"
    )
    return [names[peer] for (peer,) in rows]


async def test_each_visit_has_its_message_days_after_by_the_wall_clock(api: Client) -> None:
    front, who, ids = api.front, await people(api), await field.ids(api)
    api = await program(front, *SCOPES)  # people are signed out long before

    async def book(name: str, at: str, member: str = "maya", service: str = "haircut") -> Any:
        body = {"customer_id": who[name], "service_id": ids[service], "technician_id": ids[member], "starts_at": at}
        return await api.post("/appointments", body)

    await book("Ann", "2026-03-06T16:00:00Z")  # the clocks go forward on the 8th: ten o'clock is an hour earlier then
    relative = {"days_after": 3, "at": "10:00", "service_ids": [ids["haircut"]]}
    for wrong in (
        {"at": "10:00"},
        {**relative, "days_before": 1},
        {**relative, "at": "25:00"},
        {**relative, "days_after": -1},
        {**relative, "event": "birthday"},
    ):
        body = {"name": "x", "channel_id": await channel_of(api), "text": "x", "relative": wrong}
        await api.post("/broadcasts", body, status=422)
    draft = await drafted(api, relative=relative)
    path = f"/broadcasts/{draft['id']}"
    assert draft["relative"] == {"event": "visit", "days_before": None, **relative}
    assert await api.put(path, draft) == draft
    assert (await api.patch(path, {"relative": None}))["relative"] is None
    await api.patch(path, {"relative": relative})
    await api.post(f"{path}/send", {"local_at": "2026-03-04T10:00"}, status=422)
    assert (await api.post(f"{path}/send", status=202))["status"] == "sending"
    await front.work()
    moved = await book("Bo", "2026-03-06T17:00:00Z")
    missed = await book("Cy", "2026-03-06T18:00:00Z")
    called_off = await book("Di", "2026-03-06T19:00:00Z")
    await book("Ed", "2026-03-06T20:00:00Z")  # not of the audience
    await book("Di", "2026-03-06T21:00:00Z", "sam", "repair")  # not of these services
    await api.patch(f"/appointments/{moved['id']}", {"starts_at": "2026-03-10T17:00:00Z"})
    await api.post(f"/appointments/{called_off['id']}/cancel", status=200)
    await until(front, "2026-03-07T00:00:00Z")
    await api.post(f"/appointments/{missed['id']}/no-show", status=200)
    await until(front, "2026-03-09T14:59:00Z")
    assert await written(front) == []
    await until(front, "2026-03-09T15:00:00Z")
    assert await written(front) == ["Ann"]
    # A process that died in that moment, and a restart that plans everything anew, write nothing twice.
    number = await front.one("SELECT id FROM broadcasts")
    visit = await front.one(
        "SELECT min(a.id) FROM appointments a JOIN customers c ON c.id = a.customer_id AND c.name = 'Ann'"
    )
    tenant, now = api.tenant_id, front.clock.now()
    await front.house.store.write(campaigns.plan, number, tenant, visit, now, now=now)
    await api.post(f"{path}/pause", status=200)
    await book("Cy", "2026-03-09T16:00:00Z")  # its moment will be long past
    await until(front, "2026-03-13T20:00:00Z")
    assert await written(front) == ["Ann"]
    await api.post(f"{path}/resume", status=200)
    await front.work()
    await until(front, "2026-03-13T20:02:00Z")
    assert await written(front) == ["Ann", "Bo"]
    found = (await api.get(f"{path}/recipients"))["items"]
    by_name = {one["customer_id"]: (one["appointment_id"] is not None, one["skipped_for"]) for one in found}
    assert by_name == {who["Ann"]: (True, None), who["Bo"]: (True, None), who["Cy"]: (True, "too_late")}
    assert (await api.get(path))["status"] == "sending"
    await book("Di", "2026-03-14T16:00:00Z")
    assert (await api.post(f"{path}/cancel", status=200))["status"] == "cancelled"
    await until(front, "2026-03-20T20:00:00Z")
    assert await written(front) == ["Ann", "Bo"]


async def test_days_before_a_visit_only_who_is_still_expected(api: Client) -> None:
    front, who, ids = api.front, await people(api), await field.ids(api)
    api = await program(front, *SCOPES)  # people are signed out long before
    draft = await drafted(api, relative={"days_before": 2, "at": "9:30"})
    assert draft["relative"]["at"] == "09:30"
    body = {"service_id": ids["haircut"], "starts_at": "2026-03-12T16:00:00Z"}
    first, second = [await api.post("/appointments", {**body, "customer_id": who[name]}) for name in ("Ann", "Bo")]
    path = f"/broadcasts/{draft['id']}"
    await api.post(f"{path}/send", {"send_at": "2026-03-03T00:00:00Z"}, status=202)
    await until(front, "2026-03-03T00:00:00Z")
    await until(front, "2026-03-10T14:29:00Z")
    assert await written(front) == []
    await api.post(f"/appointments/{second['id']}/cancel", status=200)
    await until(front, "2026-03-10T14:30:00Z")
    assert await written(front) == ["Ann"]
    await until(front, "2026-03-10T15:00:00Z")
    # A visit that is put off has been written about.
    await api.patch(f"/appointments/{first['id']}", {"starts_at": "2026-03-19T16:00:00Z"})
    await until(front, "2026-03-17T20:00:00Z")
    assert await written(front) == ["Ann"]


async def test_who_lacks_what_it_says_has_no_message_about_that_visit(api: Client) -> None:
    front, who, ids = api.front, await people(api), await field.ids(api)
    api = await program(front, *SCOPES, "customers:write")
    relative = {"days_before": 2, "at": "9:30"}
    draft = await drafted(api, text="{{ customer.city }}, see you soon.", relative=relative)
    path = f"/broadcasts/{draft['id']}"
    await api.patch(f"/customers/{who['Ann']}", {"city": "Austin"})
    for name, hour in (("Ann", 16), ("Bo", 17)):
        body = {"service_id": ids["haircut"], "starts_at": f"2026-03-12T{hour}:00:00Z", "customer_id": who[name]}
        await api.post("/appointments", body)
    seen = await api.post(f"{path}/preview", status=200)
    assert (seen["reachable"], seen["skipped"], seen["missing"]) == (1, {"missing_value": 1}, {"customer.city": 1})
    await api.post(f"{path}/send", status=202)
    await front.work()
    await until(front, "2026-03-10T14:30:00Z")
    assert await written(front) == ["Ann"]
    found = (await api.get(f"{path}/recipients?skipped=true"))["items"]
    assert [(one["customer_id"], one["skipped_for"], one["missing"]) for one in found] == [
        (who["Bo"], "missing_value", ["customer.city"])
    ]


async def test_what_waits_for_the_morning_is_about_the_visit_as_it_is_then(api: Client) -> None:
    front, who, ids = api.front, await people(api), await field.ids(api)
    api = await program(front, *SCOPES)
    draft = await drafted(api, relative={"days_before": 1, "at": "21:30"})
    path, visits = f"/broadcasts/{draft['id']}", {}
    for name, hour in (("Ann", 16), ("Bo", 17), ("Cy", 18), ("Ed", 19)):  # Ed is not of the audience
        body = {"customer_id": who[name], "service_id": ids["haircut"], "technician_id": ids["maya"]}
        visits[name] = (await api.post("/appointments", {**body, "starts_at": f"2026-03-05T{hour}:00:00Z"}))["id"]
    seen = await api.post(f"{path}/preview", status=200)
    assert (seen["total"], seen["reachable"], len(seen["samples"]), seen["held"]) == (3, 3, 3, 0)
    other = {name: draft[name] for name in ("channel_id", "text", "audience")}
    for services, total in (([], 3), ([ids["repair"]], 0)):
        relative = {"days_after": 1, "at": "9:00", "service_ids": services}
        assert (await api.post("/broadcasts/preview", {**other, "relative": relative}, status=200))["total"] == total
    await api.post(f"{path}/send", status=202)
    await front.work()
    await until(front, "2026-03-05T03:30:00Z")
    assert sorted(await written(front)) == ["Ann", "Bo", "Cy"]
    await api.post(f"/appointments/{visits['Ann']}/cancel", status=200)
    await api.patch(f"/appointments/{visits['Bo']}", {"starts_at": "2026-03-06T17:00:00Z"})
    await until(front, "2026-03-05T14:00:00Z")  # eight in the morning
    found = (await api.get(f"{path}/recipients"))["items"]
    left_out = {one["customer_id"]: one["skipped_for"] for one in found if one["skipped_for"]}
    assert left_out == {who["Ann"]: "visit_changed", who["Bo"]: "visit_changed"}
    assert await front.one("SELECT count(*) FROM messages WHERE error_code = 'visit_changed'") == 2
    await until(front, "2026-03-06T03:30:00Z")
    *before, last = await written(front)
    assert (sorted(before), last) == (["Ann", "Bo", "Cy"], "Bo")


async def test_a_paused_channel_keeps_what_follows_a_visit_for_some_hours(api: Client) -> None:
    front, who, ids = api.front, await people(api), await field.ids(api)
    api = await program(front, *SCOPES, "channels:write")
    draft = await drafted(api, relative={"days_after": 0, "at": "18:00"})
    path, channel = f"/broadcasts/{draft['id']}", f"/channels/{draft['channel_id']}"
    await api.post(f"{path}/send", status=202)
    for name, day in (("Ann", "04"), ("Bo", "05")):
        body = {"customer_id": who[name], "service_id": ids["haircut"], "starts_at": f"2026-03-{day}T16:00:00Z"}
        await api.post("/appointments", body)
    await api.patch(channel, {"is_active": False})
    await until(front, "2026-03-05T01:00:00Z")
    assert await written(front) == []
    await api.patch(channel, {"is_active": True})
    await front.work()
    assert await written(front) == ["Ann"]
    await api.patch(channel, {"is_active": False})
    await until(front, "2026-03-06T00:00:00Z")
    await until(front, "2026-03-06T12:00:00Z")
    assert await written(front) == ["Ann"]
    found = (await api.get(f"{path}/recipients?skipped=true"))["items"]
    assert [(one["customer_id"], one["skipped_for"]) for one in found] == [(who["Bo"], "channel_paused")]
