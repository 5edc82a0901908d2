"""Promises of time: what runs, when people are warned, and when it is broken."""

from datetime import timedelta
from typing import Any

from desk.live import Changed
from tests.gateway.front import Front
from tests.gateway.rest.api import Client
from tests.gateway.rest.inbox import KIM, queued

POLICY = {"name": "Quick", "first_answer_minutes": 10, "next_answer_minutes": 30, "resolution_minutes": 120}


async def promise(api: Client, path: str) -> tuple[str, str, bool, bool] | None:
    """Kind, time of day until which, and whether it was warned of and is broken."""
    sla = (await api.get(path))["sla"]
    return None if sla is None else (sla["kind"], sla["due_at"][11:16], sla["is_warned"], sla["is_breached"])


async def test_the_clock_follows_who_waits(desk: Front, api: Client) -> None:
    await api.post("/sla-policies", POLICY)
    told: list[str] = []

    def hear(news: Any) -> None:
        told.extend(one.detail for one in news if isinstance(one, Changed) and one.what == "sla")

    path = f"/conversations/{(await queued(api))['id']}"

    async def say() -> None:
        await api.post(f"{path}/messages", {"text": "Yes?"})

    async def hears() -> None:
        await desk.text(KIM, "Hello?")

    async def nothing() -> None:
        pass

    table: list[tuple[int, Any, Any]] = [  # minutes after noon, what happens, what is promised then
        (0, nothing, ("first", "18:10", False, False)),
        (4, nothing, ("first", "18:10", False, False)),
        (5, nothing, ("first", "18:10", True, False)),
        (9, hears, ("first", "18:10", True, False)),
        (10, nothing, ("first", "18:10", True, True)),
        (12, say, ("resolution", "20:00", False, False)),
        (20, hears, ("next", "18:50", False, False)),
        (30, hears, ("next", "18:50", False, False)),
        (46, nothing, ("next", "18:50", True, False)),
        (47, say, ("resolution", "20:00", False, False)),
        (116, hears, ("next", "20:26", False, False)),
        (125, say, ("resolution", "20:00", False, False)),  # went by while they waited
        (126, nothing, ("resolution", "20:00", False, True)),
        (130, hears, ("next", "20:40", False, False)),
        (131, say, None),  # the end is late, and told already
    ]
    start = desk.clock.now()
    with desk.house.bus.hear(hear):
        for minutes, act, wanted in table:
            desk.clock.set(start + timedelta(minutes=minutes))
            await act()
            if act is nothing:
                await desk.work()
            assert await promise(api, path) == wanted, minutes
        await api.post(f"{path}/close", status=200)
        assert await promise(api, path) is None
    assert told == ["first_warning", "first_breached", "next_warning", "resolution_breached"]


async def test_only_opening_hours_count_when_that_is_promised(desk: Front, api: Client) -> None:
    made = await api.post("/sla-policies", {**POLICY, "in_business_hours": True, "first_answer_minutes": 90})
    desk.clock.advance(timedelta(hours=5))  # five in the afternoon; it closes at six and opens at nine
    path = f"/conversations/{(await queued(api))['id']}"
    assert (await api.get(path))["sla"]["due_at"] == "2026-03-03T15:30:00Z"
    await api.patch(f"/sla-policies/{made['id']}", {"in_business_hours": False})
    assert (await api.get(path))["sla"]["due_at"] == "2026-03-03T00:30:00Z"
    await api.delete(f"/sla-policies/{made['id']}")
    assert (await api.get(path))["sla"] is None


async def test_a_team_keeps_its_own_promise_and_the_bot_none(desk: Front, api: Client) -> None:
    team = await api.post("/teams", {"name": "Repairs"})
    usual = await api.post("/sla-policies", POLICY)
    own = {"name": "Slow", "first_answer_minutes": 60, "team_id": team["id"]}
    made = await api.post("/sla-policies", own)
    assert (made["team_id"], made["next_answer_minutes"]) == (team["id"], None)
    assert await api.put(f"/sla-policies/{made['id']}", made) == made
    assert (await api.post("/sla-policies", own, status=409))["error_code"] == "ALREADY_THERE"
    assert (await api.post("/sla-policies", POLICY, status=409))["error_code"] == "ALREADY_THERE"
    await api.post("/sla-policies", {"name": "Nothing"}, status=409)
    await api.patch(f"/sla-policies/{usual['id']}", dict.fromkeys(key for key in POLICY if key != "name"), status=422)
    assert (await api.get("/sla-policies"))["total"] == 2
    path = f"/conversations/{(await queued(api))['id']}"
    assert await promise(api, path) == ("first", "18:10", False, False)
    await api.patch(path, {"team_id": team["id"]})
    assert await promise(api, path) == ("first", "19:00", False, False)
    await api.post(f"{path}/hand-to-bot", status=200)
    assert await promise(api, path) is None
