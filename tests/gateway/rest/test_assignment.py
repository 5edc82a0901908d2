"""Who gets what waits, and who does not."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from desk.inbox import assignment
from desk.inbox.assignment import Free
from tests.gateway.front import Front
from tests.gateway.rest.api import Client, person
from tests.gateway.rest.inbox import KIM, queued


async def assignees(api: Client) -> Counter[str]:
    found = await api.get("/conversations?owner=staff&limit=100")
    return Counter(one["assignee"]["id"] for one in found["items"])


async def no_one_else(desk: Front) -> None:
    """The demo's own people are away, so that only those of the test are given anything."""
    await desk.change("UPDATE users SET availability = 'away'")


async def there(*people: Client) -> None:
    """They are there, and say so."""
    for one in people:
        await one.put("/inbox/availability", {"status": "online"})


@pytest.mark.parametrize(
    ("mode", "last", "wanted"),
    [("round_robin", None, 1), ("round_robin", 1, 2), ("round_robin", 2, 4), ("round_robin", 9, 1), ("load", None, 2),
     ("load", 2, 4), ("load", 4, 2)],
)  # fmt: skip
def test_turns_go_around_and_load_is_levelled(mode: Any, last: int | None, wanted: int) -> None:
    people = [Free(1, 3), Free(2, 1), Free(4, 1)]
    assert assignment.choose(people, mode=mode, last=last) == wanted
    assert assignment.choose([], mode=mode, last=last) is None


async def test_what_waits_is_given_in_turns_to_who_is_there_and_has_room(desk: Front, api: Client) -> None:
    await no_one_else(desk)
    robin, ann, away = [await person(desk, "agent", name=name) for name in ("Robin", "Ann", "Away")]
    await there(robin, ann)
    await away.put("/inbox/availability", {"status": "away"})
    await desk.change("UPDATE users SET max_conversations = 2 WHERE id = :id", id=ann.user_id)
    await api.put("/inbox/settings", {"assignment": "round_robin"})
    for number in range(6):
        await queued(api, f"+151255501{number + 20}")
    assert await assignees(api) == {robin.uid: 4, ann.uid: 2}
    await robin.put("/inbox/availability", {"status": "away"})
    await queued(api, KIM)
    (waiting,) = (await api.get("/inbox/queue"))["items"]
    assert waiting["estimate_s"] == 0  # the six were taken at once
    await away.put("/inbox/availability", {"status": "online"})
    await desk.work()
    assert (await assignees(api))[away.uid] == 1
    events = await desk.rows("SELECT action FROM audit WHERE action = 'conversation.to_staff'")
    assert len(events) == 7


async def test_a_team_gets_its_own_by_load_and_what_comes_back_is_passed_on(desk: Front, api: Client) -> None:
    await no_one_else(desk)
    robin, ann = await person(desk, "agent"), await person(desk, "agent", name="Ann Bell")
    await there(robin, ann)
    members = {"member_ids": [robin.uid, ann.uid]}
    team = await api.post("/teams", {"name": "Repairs", "assignment": "load", **members})
    first = await queued(api)
    assert (await assignees(api)) == {}  # the tenant gives nothing by itself
    for number in range(4):
        other = first if number == 0 else await queued(api, f"+151255501{number + 20}")
        await api.put(f"/conversations/{other['id']}/assign", {"agent_id": None, "team_id": team["id"]})
    assert await assignees(api) == {robin.uid: 2, ann.uid: 2}
    has_first = (await api.get(f"/conversations/{first['id']}"))["assignee"]["id"]
    leaving, staying = (robin, ann) if has_first == robin.uid else (ann, robin)
    await leaving.put("/inbox/availability", {"status": "away_and_reassigning"})
    await desk.text(KIM, "Are you there?")
    assert (await api.get(f"/conversations/{first['id']}"))["assignee"]["id"] == staying.uid


async def test_who_does_not_answer_customers_is_given_none_by_whatever_way(desk: Front, api: Client) -> None:
    await no_one_else(desk)
    lookers = [await person(desk, "agent") for _ in range(2)]
    await there(*lookers)
    team = await api.post("/teams", {"name": "All", "assignment": "load", "member_ids": [one.uid for one in lookers]})
    for one, role in zip(lookers, ("viewer", "technician"), strict=True):
        await api.patch(f"/users/{one.uid}", {"role": role})
        await api.post("/teams", {"name": role, "member_ids": [one.uid]}, status=422)
    await api.put("/inbox/settings", {"assignment": "round_robin"})
    path = f"/conversations/{(await queued(api))['id']}"
    await api.patch(path, {"team_id": team["id"]})
    for one in lookers:
        await api.put(f"{path}/assign", {"agent_id": one.uid}, status=422)
        await api.put(f"{path}/assign", {"agent_id": one.uid, "team_id": team["id"]}, status=422)
        await api.put(f"{path}/participants/{one.uid}", {}, status=422)
        # Nor do they take it, by whatever way.
        for method, rest, body in [
            ("PUT", "/assign", {"agent_id": one.uid}),
            ("PATCH", "", {"team_id": None}),
            ("PATCH", "", {"priority": "high"}),
            ("PUT", f"/participants/{one.uid}", {}),
            ("POST", "/messages", {"text": "Mine", "force": True}),
            ("POST", "/close", {}),
        ]:
            assert (await one.call(method, path + rest, body)).status in (403, 404), (method, rest)
    await desk.work()
    found = await api.get(path)
    assert (found["owner"], found["assignee"], found["team"]["id"]) == ("queue", None, team["id"])


async def test_two_who_give_at_once_give_it_once_and_to_nobody_too_much(desk: Front, api: Client) -> None:
    await no_one_else(desk)
    robin = await person(desk, "agent")
    await there(robin)
    await desk.change("UPDATE users SET max_conversations = 3 WHERE id = :id", id=robin.user_id)
    ids = [await queued(api, f"+151255501{number + 20}") for number in range(5)]
    await api.put("/inbox/settings", {"assignment": "load"})
    numbers = [row[0] for row in await desk.rows("SELECT id FROM conversations WHERE owner = 'queue'")]
    now = desk.clock.now()
    await asyncio.gather(
        *(desk.house.store.write(assignment.assign, api.tenant_id, one, now=now) for one in numbers for _ in range(3))
    )
    assert await assignees(api) == {robin.uid: 3}
    assert await desk.one("SELECT count(*) FROM owner_changes WHERE owner = 'staff'") == 3
    assert len(ids) == 5


async def test_teams_are_kept_with_their_members(desk: Front, api: Client) -> None:
    robin = await person(desk, "agent")
    made = await api.post("/teams", {"name": "Repairs", "member_ids": [robin.uid]})
    path = f"/teams/{made['id']}"
    assert [one["id"] for one in made["members"]] == [robin.uid]
    assert await api.put(path, made) == made
    assert (await api.put(path, {"name": "Bench", "assignment": "load"}))["members"] == made["members"]
    await api.delete(f"{path}/members/{robin.uid}")
    assert (await api.get(path))["members"] == []
    assert len((await api.put(f"{path}/members/{robin.uid}", {}))["members"]) == 1
    assert (await api.post("/teams", {"name": "Bench"}, status=409))["error_code"] == "ALREADY_THERE"
    await (await person(desk, "agent")).post("/teams", {"name": "Mine"}, status=403)
    await api.delete(path)
    await api.get(path, status=404)
    label = await api.post("/labels", {"name": "VIP"})
    assert (await api.patch(f"/labels/{label['id']}", {"color": "#ffffff"}))["name"] == "VIP"
    await api.delete(f"/labels/{label['id']}")
    settings = await api.get("/inbox/settings")
    assert await api.put("/inbox/settings", settings) == settings
    await api.put("/inbox/settings", {"auto_answer": {"enabled": True, "colour": "red"}}, status=422)


async def test_the_estimate_is_the_median_of_what_others_waited(desk: Front, api: Client) -> None:
    for number, minutes in enumerate((1, 2, 3, 4, 60)):
        mine = await queued(api, f"+151255501{number + 20}")
        desk.clock.advance(timedelta(minutes=minutes))
        await api.put(f"/conversations/{mine['id']}/assign", {"agent_id": api.uid})
    await queued(api, KIM)
    desk.clock.advance(timedelta(minutes=1))
    (waiting,) = (await api.get("/inbox/queue"))["items"]
    assert (waiting["position"], waiting["waited_s"], waiting["estimate_s"]) == (1, 60, 120)
