"""Bots over REST."""

import asyncio

from tests.gateway.front import Front
from tests.gateway.rest.api import Answer, Client, stranger


def tag(answer: Answer) -> str:
    """The state that was answered, whatever the case of its header."""
    return next(value for name, value in answer.headers.items() if name.lower() == "etag")


async def test_a_bot_comes_with_the_standard_scenarios_and_goes_again(api: Client) -> None:
    business = (await api.get("/businesses"))["items"][0]["id"]
    made = await api.post("/bots/", {"name": "Evening"})
    assert made == {
        "id": made["id"],
        "business_id": business,
        "name": "Evening",
        "settings": {"asks_name": True, "records_calls": False, "closed_calls": "bot", "voices": {}},
        "is_active": True,
        "created_at": "2026-03-02T18:00:00Z",
    }
    path = f"/bots/{made['id']}"
    known = await api.get(f"{path}/scenarios?limit=100")
    assert {"book", "cancel", "faq", "handoff"} <= {one["name"] for one in known["items"]}
    assert {one["status"] for one in known["items"]} == {"published"}
    changed = await api.patch(f"{path}/", {"settings": {"asks_name": False}})
    assert (changed["settings"], changed["name"]) == ({**made["settings"], "asks_name": False}, "Evening")
    assert await api.put(path, changed) == changed
    assert (await api.put(path, {"name": "Night"}))["settings"] == made["settings"]
    listed = await api.get(f"/bots?search=night&business_id={business}&is_active=true&sort=name")
    assert (listed["total"], listed["items"][0]["name"]) == (1, "Night")
    await api.delete(path)
    await api.get(path, status=404)
    for body in ({"name": ""}, {"name": "A", "settings": {"mood": "good"}}, {"name": "A", "is_active": "yes"}):
        await api.post("/bots", body, status=422)


async def test_a_bot_that_is_switched_off_leaves_the_word_to_people(api: Client) -> None:
    path = f"/bots/{(await api.get('/bots'))['items'][0]['id']}"
    assert (await api.front.text("+15125550180", "hi")).text
    await api.patch(path, {"is_active": False})
    assert (await api.front.text("+15125550180", "are you there?")).texts == ()
    assert await api.front.one("SELECT unread_count FROM conversations WHERE peer = '+15125550180'") == 1
    await api.patch(path, {"is_active": True})
    assert (await api.front.text("+15125550186", "where can I park?")).text


async def test_a_bot_behind_a_channel_stays_and_one_that_spoke_leaves_its_conversations(api: Client) -> None:
    old = (await api.get("/bots"))["items"][0]["id"]
    await api.front.text("+15125550181", "I would like to book a haircut")
    assert "channel" in (await api.delete(f"/bots/{old}", status=409))["detail"]
    new = (await api.post("/bots", {"name": "Next"}))["id"]
    for channel in (await api.get("/channels?limit=100"))["items"]:
        await api.patch(f"/channels/{channel['id']}", {"bot_id": new})
    await api.delete(f"/bots/{old}")
    await api.get(f"/bots/{old}", status=404)
    await api.get(f"/bots/{old}/scenarios", status=404)
    assert (await api.front.text("+15125550181", "hi")).text
    assert [one["id"] for one in (await api.get("/bots"))["items"]] == [new]


async def test_of_two_who_change_one_bot_at_once_one_is_told(api: Client) -> None:
    path = f"/bots/{(await api.get('/bots'))['items'][0]['id']}"
    seen = {"If-Match": tag(await api.call("GET", path))}
    names = [f"Bot {number}" for number in range(6)]
    answers = await asyncio.gather(*(api.call("PUT", path, {"name": name}, headers=seen) for name in names))
    assert sorted(answer.status for answer in answers) == [200, 412, 412, 412, 412, 412]
    [won] = [answer for answer in answers if answer.status == 200]
    assert await api.get(path) == won.json
    assert (await api.call("PATCH", path, {"name": "x"}, headers={"If-Match": f"W/{tag(won)}"})).status == 412
    assert (await api.call("PATCH", path, {"name": "x"}, headers={"If-Match": f'"old", {tag(won)}'})).status == 200


async def test_another_tenants_bot_is_none(api: Client, desk: Front) -> None:
    bot = (await api.get("/bots"))["items"][0]
    other = await stranger(desk)
    assert "business" in str((await other.post("/bots", {"name": "A"}, status=422))["detail"])
    await other.post("/businesses", {"name": "Elsewhere"})
    await other.post("/bots", {"name": "A", "business_id": bot["business_id"]}, status=404)
    theirs = await other.post("/bots", {"name": "A"})
    await other.patch(f"/bots/{theirs['id']}", {"business_id": bot["business_id"]}, status=404)
    for path in (f"/bots/{bot['id']}", f"/bots/{bot['id']}/scenarios"):
        await other.get(path, status=404)
    await other.put(f"/bots/{bot['id']}", {"name": "B"}, status=404)
    await other.delete(f"/bots/{bot['id']}", status=404)
    assert (await api.get(f"/bots/{bot['id']}"))["name"] == bot["name"]
