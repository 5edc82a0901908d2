"""Conversations over REST, from a customer's first text to the question how it was."""

from datetime import timedelta

from tests.gateway.front import Front
from tests.gateway.rest.api import Client, person
from tests.gateway.rest.inbox import KIM, LEE, queued, wrote


async def test_a_customer_asks_a_person_answers_closes_and_asks_how_it_was(desk: Front, api: Client) -> None:
    rules = {"csat": {"enabled": True, "delay_minutes": 30}}
    assert (await api.put("/inbox/settings", rules))["csat"] == rules["csat"]
    robin = await person(desk, "agent")
    mine = await queued(robin)
    path = f"/conversations/{mine['id']}"
    assert (mine["owner"], mine["status"], mine["unread_count"]) == ("queue", "open", 1)
    assert mine["last_message"]["direction"] == "out"
    assert mine["waiting_since"] == "2026-03-02T18:00:00Z"
    assert (mine["window"], mine["opted_out"]) == (None, False)  # a text may be sent at any time
    (place,) = (await robin.get("/inbox/queue"))["items"]
    assert place["conversation"] == mine
    assert (place["position"], place["waited_s"], place["estimate_s"]) == (1, 0, None)
    details = await robin.get(path)
    assert details["handoff"]["reason"] == "asked"
    assert details["handoff"]["note"] == ""  # they asked for a person and said no more
    assert (details["participants"], details["appointments"], details["bot_state"]) == ([], [], None)

    said = await robin.post(f"{path}/messages", {"text": "Hello, this is Robin."})
    assert (said["status"], said["author"]["name"]) == ("queued", "Robin Reyes")
    taken = await robin.get(path)
    assert (taken["owner"], taken["assignee"]["id"], taken["waiting_since"]) == ("staff", robin.uid, None)
    assert taken["unread_count"] == 0
    assert (await desk.text(KIM, "Can I come at five?")).texts == ()  # the bot is silent
    assert (await robin.get(path))["unread_count"] == 1
    note = await robin.post(f"{path}/messages", {"text": "Regular, be nice.", "private": True})
    assert (note["status"], note["private"]) == ("noted", True)
    assert (await robin.post(f"{path}/read", status=200))["unread_count"] == 0
    thread = await robin.get(f"{path}/messages?after={said['id']}")
    assert [(one["direction"], one["text"]) for one in thread["items"]] == [
        ("in", "Can I come at five?"),
        ("out", "Regular, be nice."),
    ]
    assert (await robin.get(f"{path}/messages?limit=1"))["items"] == [note]
    closed = await robin.post(f"{path}/close", status=200)
    assert (closed["status"], closed["owner"], closed["sla"]) == ("closed", "bot", None)
    text = (await robin.call("GET", f"{path}/transcript")).raw.decode()
    assert "customer: Can I come at five?" in text
    assert "Regular" not in text
    assert len((await robin.call("GET", f"{path}/transcript?format=json&private=true")).json) == 5
    assert [one["owner"] for one in await robin.get(f"{path}/owners")] == ["queue", "staff", "bot"]

    channel = f"/channels/{(await api.get(path))['channel_id']}"
    await api.patch(channel, {"is_active": False})  # the question waits until the channel serves again
    desk.clock.advance(timedelta(minutes=31))
    await desk.work()
    assert not (await robin.get(path))["last_message"]["text"].startswith("How was it?")
    await desk.pass_time(timedelta(hours=20), step=timedelta(hours=10))
    api, robin = await person(desk), await person(desk, "agent")
    await api.patch(channel, {"is_active": True})
    await desk.work()
    last = (await robin.get(path))["last_message"]
    assert last["text"].startswith("How was it?")
    assert (await desk.text(KIM, "5")).text == "Thank you for your answer!"
    assert await desk.one("SELECT score FROM ratings") == 5
    await robin.post(f"{path}/close", status=200)
    assert await desk.rows("SELECT id FROM jobs WHERE kind = 'csat'") == []  # no person has answered since


async def test_the_list_is_filtered_sorted_and_searched(desk: Front, api: Client) -> None:
    robin = await person(desk, "agent")
    desk.clock.advance(timedelta(minutes=1))
    first = await queued(api, KIM)
    desk.clock.advance(timedelta(minutes=1))
    second = await wrote(api, LEE, "When are you open?")
    label = await api.post("/labels", {"name": "VIP", "color": "#DC2626"})
    team = await api.post("/teams", {"name": "Repairs", "member_ids": [robin.uid]})
    changed = await api.patch(
        f"/conversations/{first['id']}", {"priority": "high", "label_ids": [label["id"]], "team_id": team["id"]}
    )
    assert (changed["priority"], changed["team"]["name"]) == ("high", "Repairs")
    assert changed["labels"] == [{"id": label["id"], "name": "VIP", "color": "#DC2626"}]
    await api.put(f"/conversations/{first['id']}/assign", {"agent_id": robin.uid})
    await robin.post(f"/conversations/{first['id']}/read", status=200)
    both, only_first, only_second = [second["id"], first["id"]], [first["id"]], [second["id"]]
    table = {
        "": both,
        "sort=created_at": both[::-1],
        "sort=-priority": both[::-1],
        "status=open,closed": both,
        "status=closed": [],
        "owner=bot": only_second,
        "owner=bot,staff": both,
        "assignee=me": only_first,
        "assignee=none": only_second,
        f"assignee={robin.uid}": only_first,
        f"team_id={team['id']}": only_first,
        "team_id=none": only_second,
        f"label_id={label['id']}": only_first,
        "priority=high": only_first,
        "priority=none": only_second,
        "channel=sms": both,
        "channel=web": [],
        f"customer_id={first['customer']['id']}": only_first,
        "unread=true": only_second,
        "unread=false": only_first,
        "snoozed=false": both,
        "breached=true": [],
        "search=5550145": only_second,
        "search=open": only_second,
        "limit=1&skip=1": only_first,
    }
    for query, wanted in table.items():
        found = await robin.get(f"/conversations?{query}")
        assert [one["id"] for one in found["items"]] == wanted, query
    assert (await robin.get("/conversations?limit=1"))["total"] == 2
    assert (await robin.get("/labels"))["items"][0]["conversations"] == 1
    counts = await robin.get("/inbox/counts")
    assert (counts["open"], counts["bot"], counts["mine"], counts["others"], counts["queue"]) == (2, 1, 1, 0, 0)
    await robin.get("/conversations?sort=name", status=422)
    await robin.get("/conversations?status=gone", status=422)


async def test_snoozed_ones_wake_in_time_or_when_the_customer_writes(desk: Front, api: Client) -> None:
    mine = await queued(api)
    path = f"/conversations/{mine['id']}"
    await api.post(f"{path}/snooze", {"until": "2026-03-02T17:00:00Z"}, status=422)
    for wake in ("time", "text", "hand"):
        until = (desk.clock.now() + timedelta(hours=1)).isoformat()
        assert (await api.post(f"{path}/snooze", {"until": until}, status=200))["status"] == "snoozed"
        assert (await api.get("/conversations?snoozed=true"))["total"] == 1
        if wake == "time":
            desk.clock.advance(timedelta(minutes=61))
            await desk.work()
        elif wake == "text":
            await desk.text(KIM, "Still there?")
        else:
            await api.post(f"{path}/unsnooze", status=200)
        found = await api.get(path)
        assert (found["status"], found["snoozed_until"]) == ("open", None), wake


async def test_the_bot_goes_on_where_it_was_when_it_is_asked_to(desk: Front, api: Client) -> None:
    mine = await wrote(api, KIM, "I want to book a haircut")
    path = f"/conversations/{mine['id']}"
    question = mine["last_message"]["text"]
    assert (await api.get(path))["bot_state"]["scenario"] == "book"
    await api.post(f"{path}/messages", {"text": "One moment please."})
    back = await api.put(f"{path}/assign", {"agent_id": None, "resume_bot": True})
    assert (back["owner"], back["assignee"]) == ("bot", None)
    await desk.work()
    assert (await api.get(path))["last_message"]["text"].endswith(question.splitlines()[-1])
    reopened = await api.post(f"{path}/close", status=200)
    assert reopened["status"] == "closed"
    reopened = await api.post(f"{path}/reopen", status=200)
    assert (reopened["status"], reopened["assignee"]["id"]) == ("open", api.uid)


async def test_the_bot_goes_on_after_long_silence_of_a_person(desk: Front, api: Client) -> None:
    await api.put("/inbox/settings", {"resume_bot_after_minutes": 60})
    mine = await queued(api)
    path = f"/conversations/{mine['id']}"
    await api.post(f"{path}/messages", {"text": "I am on it."})
    desk.clock.advance(timedelta(minutes=59))
    await desk.work()
    assert (await api.get(path))["owner"] == "staff"
    desk.clock.advance(timedelta(minutes=1))
    await desk.work()
    assert (await api.get(path))["owner"] == "bot"
    assert (await api.get(f"{path}/owners"))[-1]["reason"] == "silence"


async def test_outside_opening_hours_we_say_so_once(desk: Front, api: Client) -> None:
    words = "We are closed; we will answer in the morning."
    await api.put("/inbox/settings", {"auto_answer": {"enabled": True, "text": words}})
    await queued(api)
    assert (await desk.text(KIM, "Anybody?")).texts == ()
    desk.clock.advance(timedelta(hours=7))  # seven in the evening
    assert (await desk.text(KIM, "Hello?")).texts == (words,)
    assert (await desk.text(KIM, "Hello??")).texts == ()
    desk.clock.advance(timedelta(hours=24))  # tomorrow evening
    assert (await desk.text(KIM, "Hello???")).texts == (words,)


async def test_people_take_part_and_are_named(desk: Front, api: Client) -> None:
    robin, ann = await person(desk, "agent"), await person(desk, "agent", name="Ann Bell")
    mine = await queued(api)
    path = f"/conversations/{mine['id']}"
    assert (await robin.put(f"{path}/participants/{ann.uid}", {}))["participants"][0]["full_name"] == "Ann Bell"
    note = {"text": "Ann, please look.", "private": True, "mentions": [ann.uid]}
    said = await robin.post(f"{path}/messages", note)
    assert said["mentions"] == [ann.uid]
    (named,) = (await ann.get("/inbox/mentions?seen=false"))["items"]
    assert (named["text"], named["author"]["full_name"]) == ("Ann, please look.", "Robin Reyes")
    assert (await ann.get("/inbox/counts"))["mentions"] == 1
    assert (await robin.get("/inbox/mentions"))["total"] == 0
    assert await ann.post("/inbox/mentions/seen", {"message_ids": [said["id"]]}, status=200) == {"seen": 1}
    assert (await ann.get("/inbox/mentions?seen=false"))["total"] == 0
    await robin.post(f"{path}/messages", {**note, "mentions": ["nobody@example.com"]}, status=422)
    await robin.delete(f"{path}/participants/{ann.uid}")
    assert (await robin.get(path))["participants"] == []


async def test_unread_counts_for_each_person(desk: Front, api: Client) -> None:
    robin = await person(desk, "agent")
    mine = await queued(api)
    await desk.text(KIM, "Hello?")
    path = f"/conversations/{mine['id']}"
    assert [(await one.get(path))["unread_count"] for one in (api, robin)] == [2, 2]
    await robin.post(f"{path}/read", status=200)
    assert [(await one.get(path))["unread_count"] for one in (api, robin)] == [2, 0]
    await desk.text(KIM, "Anybody?")
    assert [(await one.get(path))["unread_count"] for one in (api, robin)] == [3, 1]
    await robin.post(f"{path}/messages", {"text": "Yes!"})
    assert [(await one.get(path))["unread_count"] for one in (api, robin)] == [3, 0]
