"""Scenarios over REST: drafted, tried, published, played by text, taken back."""

import asyncio
from typing import Any

from gateway.rest.v1.scenarios import EXAMPLE
from gateway.workshop import Workshop
from tests.gateway.front import Front
from tests.gateway.rest.api import Client, stranger
from tests.gateway.rest.test_bots import tag

SOMEBODY = "+15125550182"
LONGER = EXAMPLE.replace("Lovely idea.", "What a lovely idea!")
BROKEN = EXAMPLE.replace("exhausted: done}", "exhausted: nowhere}")
FAILING = EXAMPLE.replace("state: done}", "state: amount}")
UNREADABLE = "spec: 1\nid: [gift"


async def bot(api: Client) -> str:
    """The path of the demo's bot."""
    return f"/bots/{(await api.get('/bots'))['items'][0]['id']}"


async def draft(api: Client, source: str = EXAMPLE) -> str:
    """The path of a new scenario."""
    path = f"{await bot(api)}/scenarios"
    return f"{path}/{(await api.post(path, {'source': source}))['id']}"


async def test_a_scenario_is_drafted_published_and_answers_by_text(api: Client) -> None:
    path = await bot(api)
    made = await api.post(f"{path}/scenarios/", {"name": "gift_card", "source": EXAMPLE})
    assert made == {
        "id": made["id"],
        "bot_id": path.rpartition("/")[2],
        "name": "gift_card",
        "status": "draft",
        "version": None,
        "published_at": None,
        "published_by": None,
        "created_at": "2026-03-02T18:00:00Z",
        "source": EXAMPLE,
        "languages": [],
    }
    one = f"{path}/scenarios/{made['id']}"
    assert await api.get(f"{one}/") == made
    assert "Lovely" not in (await api.front.text(SOMEBODY, "gift card")).text
    published = await api.post(f"{one}/publish/", status=200)
    assert published == {
        **made,
        "status": "published",
        "languages": ["en"],
        "version": 1,
        "published_at": "2026-03-02T18:00:00Z",
        "published_by": api.uid,
    }
    assert "Lovely idea. For how many dollars?" in (await api.front.text("+15125550183", "gift card")).text
    changed = await api.put(one, {**published, "source": LONGER})
    assert (changed["status"], changed["version"], changed["source"]) == ("changed", 1, LONGER)
    assert (await api.post(f"{one}/publish", {}, status=200))["version"] == 2
    assert "What a lovely idea!" in (await api.front.text("+15125550184", "gift card")).text
    # Who is in the middle of it stays on their version.
    assert "Thanks!" in (await api.front.text("+15125550183", "50")).text


async def test_a_version_is_brought_back_and_a_scenario_taken_away(api: Client) -> None:
    one = await draft(api)
    await api.post(f"{one}/publish", status=200)
    await api.patch(one, {"source": LONGER})
    await api.post(f"{one}/publish", status=200)
    audited = await api.get(f"/audit?noun_id={one.rpartition('/')[2]}&action=scenario.published")
    assert [each["after"]["version"] for each in audited["items"]] == [2, 1]
    versions = await api.get(f"{one}/versions/")
    assert [(each["number"], each["is_current"]) for each in versions["items"]] == [(2, True), (1, False)]
    assert (await api.get(f"{one}/versions/1"))["source"] == EXAMPLE
    await api.get(f"{one}/versions/3", status=404)
    assert (await api.post(f"{one}/rollback", {"version": 1}, status=200))["version"] == 1
    assert "Lovely idea." in (await api.front.text(SOMEBODY, "gift card")).text
    await api.post(f"{one}/rollback", {"version": 7}, status=404)
    await api.delete(one)
    await api.get(one, status=404)
    assert "Thanks!" in (await api.front.text(SOMEBODY, "50")).text
    assert "ovely" not in (await api.front.text(SOMEBODY, "gift card")).text
    again = await draft(api, LONGER)
    assert again == one
    assert (await api.post(f"{again}/publish", status=200))["version"] == 3
    handoff = next(
        each
        for each in (await api.get(f"{await bot(api)}/scenarios?search=handoff"))["items"]
        if each["name"] == "handoff"
    )
    assert "hands over" in (await api.delete(f"{await bot(api)}/scenarios/{handoff['id']}", status=409))["detail"]


async def test_what_does_not_check_or_fails_its_tests_is_kept_and_not_published(api: Client) -> None:
    one = await draft(api)
    await api.post(f"{one}/publish", status=200)
    wanted: list[tuple[str, str, int]] = [
        (BROKEN, "unknown_state", 8),
        (FAILING, "test", 16),
        (EXAMPLE.replace("id: gift_card", "id: other"), "other_id", 2),
    ]
    for source, code, line in wanted:
        await api.put(one, {"source": source})
        refused = await api.post(f"{one}/publish", status=422)
        assert refused["error_code"] == "SCENARIO_REFUSED"
        assert {"code": code, "line": line, "severity": "error"}.items() <= refused["problems"][0].items()
        assert refused["problems"][0]["column"] > 0
        assert refused["detail"].startswith(f"Line {line}, column ")
    await api.put(one, {"source": UNREADABLE})
    assert (await api.get(one))["status"] == "changed"
    assert (await api.post(f"{one}/publish", status=422))["error_code"] == "SCENARIO_REFUSED"
    assert (await api.get(one))["version"] == 1
    assert "Lovely" in (await api.front.text(SOMEBODY, "gift card")).text


async def test_a_draft_is_linted_tested_drawn_compared_and_played(api: Client) -> None:
    one = await draft(api)
    assert await api.post(f"{one}/lint", {}, status=200) == {"is_sound": True, "problems": []}
    found = await api.post(f"{one}/lint/", {"source": BROKEN}, status=200)
    assert (found["is_sound"], found["problems"][0]["line"]) == (False, 8)
    ran = await api.post(f"{one}/test", {}, status=200)
    assert ran["passed"] is True
    assert ran["tests"][0]["turns"][1] == {
        "line": 16,
        "state": "done",
        "said": ["Thanks! Somebody of the team will send you the details."],
        "problem": None,
    }
    failed = await api.post(f"{one}/test", {"source": FAILING}, status=200)
    assert (failed["passed"], failed["tests"][0]["passed"]) == (False, False)
    assert "Expected the state 'amount'" in failed["tests"][0]["turns"][1]["problem"]
    assert (await api.post(f"{one}/test", {"source": UNREADABLE}, status=200))["tests"] == []
    assert (await api.get(f"{one}/draw"))["mermaid"].startswith("stateDiagram-v2")
    await api.get(f"{one}/draw?version=published", status=409)
    await api.get(f"{one}/draw?version=2", status=404)

    before = await api.front.one("SELECT count(*) FROM messages")
    played = await api.post(f"{one}/simulate", {"messages": ["gift card", "lots", "50", "more"]}, status=200)
    assert [(line["author"], line["text"]) for line in played["transcript"]] == [
        ("customer", "gift card"),
        ("bot", "Lovely idea. For how many dollars?"),
        ("customer", "lots"),
        ("bot", "Lovely idea. For how many dollars?"),
        ("customer", "50"),
        ("bot", "Thanks! Somebody of the team will send you the details."),
    ]
    assert (played["state"], played["slots"], played["ended"]) == ("done", {"amount": "50"}, "completed")
    assert await api.front.one("SELECT count(*) FROM messages") == before
    await api.post(f"{one}/simulate", {"messages": ["x"], "source": BROKEN}, status=422)

    await api.post(f"{one}/publish", status=200)
    await api.put(one, {"source": LONGER})
    assert await api.get(f"{one}/diff?from=published&to=draft") == await api.get(f"{one}/diff") | {"from": "published"}
    assert await api.get(f"{one}/diff?from=1&to=draft") == {
        "from": "1",
        "to": "draft",
        "changes": [
            {
                "path": "words.en.ask_amount.text",
                "old": "Lovely idea. For how many dollars?",
                "new": "What a lovely idea! For how many dollars?",
            }
        ],
    }


async def test_statistics_say_how_many_came_and_where_they_stopped(api: Client) -> None:
    one = await draft(api)
    await api.get(f"{one}/statistics", status=409)
    await api.post(f"{one}/publish", status=200)
    assert await api.get(f"{one}/statistics/") == {"version": 1, "runs": 0, "ended": {}, "states": []}
    for number in (184, 185):
        await api.front.says(f"+15125550{number}", "gift card", "50")
    counted = await api.get(f"{one}/statistics?version=1")
    assert (counted["runs"], counted["ended"]) == (2, {"completed": 2})
    assert counted["states"] == [
        {"state": "amount", "came": 2, "left": {"filled": 2}, "stopped": {}, "drop_off": 0.0},
        {"state": "done", "came": 2, "left": {}, "stopped": {"completed": 2}, "drop_off": 0.0},
    ]


async def test_a_name_alone_begins_a_scenario_that_works(api: Client) -> None:
    path = f"{await bot(api)}/scenarios"
    made = await api.post(path, {"name": "opening_party"})
    assert (await api.post(f"{path}/{made['id']}/publish", status=200))["version"] == 1
    assert "Hello!" in (await api.front.text(SOMEBODY, "opening party")).text
    assert (await api.post(path, {"name": "opening_party"}, status=409))["error_code"] == "ALREADY_THERE"
    refused: list[dict[str, Any]] = [
        {},
        {"source": UNREADABLE},
        {"name": "Opening Party"},
        {"name": "a", "source": "x" * 200_001},
        {"name": "a", "source": "é" * 100_001},
    ]
    for body in refused:
        await api.post(path, body, status=422)


async def test_of_two_who_write_one_draft_at_once_one_is_told(api: Client) -> None:
    one = await draft(api)
    seen = {"If-Match": tag(await api.call("GET", one))}
    sources = [EXAMPLE.replace("Lovely", f"Number {number}, lovely") for number in range(4)]
    answers = await asyncio.gather(*(api.call("PUT", one, {"source": each}, headers=seen) for each in sources))
    assert sorted(answer.status for answer in answers) == [200, 412, 412, 412]
    assert (await api.call("POST", f"{one}/publish", {}, headers=seen)).status == 412
    assert (await api.get(one))["version"] is None


async def test_what_thinks_for_too_long_is_given_up(api: Client) -> None:
    one = await draft(api)
    object.__setattr__(api.front.house, "workshop", Workshop(patience_s=0.0))
    refused = await api.call("POST", f"{one}/test", {})
    assert (refused.status, refused.headers["Retry-After"]) == (503, "10")
    many = "".join(f"  i{number}: {{keywords: k{number}, goto: done}}\n" for number in range(101))
    object.__setattr__(api.front.house, "workshop", Workshop())
    found = await api.post(f"{one}/lint", {"source": f"{EXAMPLE}interrupts:\n{many}"}, status=200)
    assert [each["code"] for each in found["problems"]] == ["too_many"]


async def test_another_tenants_scenario_is_none(api: Client, desk: Front) -> None:
    one = await draft(api)
    await api.post(f"{one}/publish", status=200)
    other = await stranger(desk)
    await other.post("/businesses", {"name": "Elsewhere"})
    theirs = f"/bots/{(await other.post('/bots', {'name': 'Theirs'}))['id']}/scenarios/{one.rpartition('/')[2]}"
    for path in (one, theirs):
        for below in ("", "/versions", "/versions/1", "/diff", "/draw", "/statistics"):
            await other.get(path + below, status=404)
        for below, body in (
            ("/lint", {}),
            ("/test", {}),
            ("/publish", {}),
            ("/rollback", {"version": 1}),
            ("/simulate", {"messages": ["hi"]}),
        ):
            await other.post(path + below, body, status=404)
        await other.put(path, {"source": EXAMPLE}, status=404)
        await other.delete(path, status=404)
    # Nor is it another bot's of the same tenant.
    second = (await api.post("/bots", {"name": "Second"}))["id"]
    await api.get(f"/bots/{second}/scenarios/{one.rpartition('/')[2]}", status=404)
