"""Businesses over REST: profile, hours, holidays, services, staff and questions, as the bot then knows them."""

from typing import Any

from tests.gateway.front import Front, form
from tests.gateway.rest.api import Answer, Client, stranger

SOMEBODY = "+15125550177"
LONG_HOURS = {"opens": "18:00", "closes": "02:00"}


def tag(answer: Answer) -> str:
    """The state that was answered, whatever the case of its header."""
    return next(value for name, value in answer.headers.items() if name.lower() == "etag")


async def shop(api: Client) -> str:
    """The path of the demo business."""
    found = await api.get("/businesses/")
    return f"/businesses/{found['items'][0]['id']}"


async def test_a_name_is_enough_and_the_rest_may_follow(api: Client) -> None:
    made = await api.post("/businesses/", {"name": "Second Street"})
    assert made == {
        **dict.fromkeys("phone email website address city state zip".split()),
        "id": made["id"],
        "name": "Second Street",
        "description": "",
        "time_zone": "UTC",
        "languages": ["en"],
        "currency": "USD",
        "created_at": "2026-03-02T18:00:00Z",
        "updated_at": "2026-03-02T18:00:00Z",
    }
    path = f"/businesses/{made['id']}"
    assert await api.get(f"{path}/") == made
    changed = await api.patch(path, {"time_zone": "Europe/Berlin", "currency": "EUR", "phone": "512-555-0100"})
    assert (changed["time_zone"], changed["currency"], changed["phone"]) == ("Europe/Berlin", "EUR", "+15125550100")
    assert (await api.put(path, changed)) == changed
    assert (await api.put(path, {"name": "Third"}))["time_zone"] == "UTC"
    found = await api.get("/businesses?search=third&sort=-name&skip=0&limit=500")
    assert [one["id"] for one in found.pop("items")] == [made["id"]]
    assert found == {"total": 1, "skip": 0, "offset": 0, "limit": 100}
    await api.delete(path)
    await api.get(path, status=404)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"time_zone": "Mars/Olympus"}, "time_zone"),
    ({"currency": "XYZ"}, "currency"),
    ({"email": "nobody"}, "email"),
    ({"website": "javascript:alert(1)"}, "website"),
    ({"languages": ["the best"]}, "languages"),
    ({"name": " "}, "name"),
    ({"name": "x" * 201}, "name"),
    ({"zip": "1" * 21}, "zip"),
    ({"colour": "red"}, "colour"),
]


async def test_what_cannot_be_is_refused_by_name(api: Client) -> None:
    path = await shop(api)
    for body, field in REFUSED:
        for answer in (
            await api.patch(path, body, status=422),
            await api.post("/businesses", {"name": "A", **body}, status=422),
        ):
            assert field in answer["detail"][0]["loc"], (body, answer)


async def test_the_last_business_and_one_with_visits_ahead_stay(api: Client) -> None:
    path = await shop(api)
    assert "only business" in (await api.delete(path, status=409))["detail"]
    await api.post("/businesses", {"name": "Another"})
    refused = await api.delete(path, status=409)
    assert (refused["error_code"], refused["detail"][:22]) == ("IN_USE", "There are visits ahead")


async def test_a_business_without_channels_goes_with_all_that_belonged_to_it(api: Client) -> None:
    path = f"/businesses/{(await api.post('/businesses', {'name': 'Pop-up'}))['id']}"
    business = path.rpartition("/")[2]
    for below, body in (
        ("faqs", {"question": "Why?", "answer": "Because."}),
        ("services", {"name": "Cut"}),
        ("staff", {"name": "Al"}),
    ):
        await api.post(f"{path}/{below}", body)
    await api.post("/bots", {"name": "Pop", "business_id": business})
    sms = {"kind": "sms", "address": "+15125550149", "business_id": business}
    channel = await api.post("/channels", sms)
    assert (await api.front.post(form(SOMEBODY, "hi", To="+15125550149"))).text
    await api.front.post(form(SOMEBODY, "never mind, bye", To="+15125550149"))
    assert "channels" in (await api.delete(path, status=409))["detail"]
    await api.delete(f"/channels/{channel['id']}")
    await api.delete(path)
    assert (await api.get("/bots?search=pop"))["total"] == 0
    assert await api.front.one("SELECT count(*) FROM conversations") == 0


async def test_of_two_who_change_one_business_the_second_is_told(api: Client) -> None:
    path = await shop(api)
    seen = tag(await api.call("GET", path))
    first = await api.call("PATCH", path, {"city": "Austin"}, headers={"If-Match": seen})
    second = await api.call("PATCH", path, {"city": "Dallas"}, headers={"If-Match": seen})
    assert (first.status, second.status, second.json["error_code"]) == (200, 412, "PRECONDITION_FAILED")
    assert tag(second) == tag(first) != seen
    assert (await api.get(path))["city"] == "Austin"
    assert (await api.call("PATCH", path, {"city": "Dallas"}, headers={"If-Match": "*"})).status == 200


async def test_hours_are_written_by_the_week_and_the_bot_goes_by_them(api: Client) -> None:
    path = await shop(api)
    hours = await api.get(f"{path}/hours")
    assert hours["wednesday"] == [{"opens": "09:00", "closes": "13:00"}, {"opens": "15:00", "closes": "20:00"}]
    assert (hours["sunday"], len(hours)) == ([], 7)
    before = await api.front.text(SOMEBODY, "are you open on friday?")
    week = {"friday": [LONG_HOURS], "saturday": [{"opens": "00:00", "closes": "24:00"}]}
    kept = await api.put(f"{path}/hours/", week)
    assert (kept["friday"], kept["saturday"], kept["monday"]) == ([LONG_HOURS], week["saturday"], [])
    assert await api.get(f"{path}/hours/") == kept
    rows = await api.front.rows("SELECT opens_minute, closes_minute FROM business_hours WHERE weekday = 4")
    assert rows == [(1080, 1560)]
    # The demo's own question about hours would answer first.
    for one in (await api.get(f"{path}/faqs?search=hours"))["items"]:
        await api.delete(f"{path}/faqs/{one['id']}")
    after = await api.front.text("+15125550178", "what are your hours?")
    assert before.text != after.text
    assert "Fri 6:00 PM to 2:00 AM, Sat 24 hours, Sun closed" in after.text
    saturday = await api.front.text(SOMEBODY, "are you open on saturday?")
    assert "Saturday, March 7 we're open 24 hours." in saturday.text


NO_HOURS: list[tuple[Any, str]] = [
    ({"monday": [{"opens": "09:00", "closes": "12:00"}, {"opens": "11:00", "closes": "13:00"}]}, "monday"),
    ({"monday": [{"opens": "25:00", "closes": "12:00"}]}, "opens"),
    ({"monday": [{"opens": "09:00", "closes": "9 pm"}]}, "closes"),
    ({"monday": [{"opens": "09:00"}]}, "closes"),
    ({"someday": []}, "someday"),
]


async def test_hours_that_make_no_sense_change_nothing(api: Client) -> None:
    path = await shop(api)
    before = await api.get(f"{path}/hours")
    for week, field in NO_HOURS:
        assert field in (await api.put(f"{path}/hours", week, status=422))["detail"][0]["loc"]
    assert await api.get(f"{path}/hours") == before


async def test_holidays_differ_from_their_weekday(api: Client) -> None:
    path = f"{await shop(api)}/holidays"
    made = await api.post(path, {"date": "2026-03-06", "name": "Inventory"})
    assert made == {"date": "2026-03-06", "name": "Inventory", "ranges": [], "is_closed": True}
    assert (await api.post(f"{path}/", {"date": "2026-03-06"}, status=409))["error_code"] == "ALREADY_THERE"
    short = {"name": "Short", "ranges": [{"opens": "09:00", "closes": "11:00"}, {"opens": "12:00", "closes": "13:00"}]}
    assert await api.put(f"{path}/2026-03-06", short) == {"date": "2026-03-06", "is_closed": False, **short}
    assert await api.put(f"{path}/2026-03-07/", {**made, "date": "2026-03-07"}) == {**made, "date": "2026-03-07"}
    listed = await api.get(f"{path}?since=2026-03-06&limit=1")
    assert (listed["items"][0]["date"], listed["limit"]) == ("2026-03-06", 1)
    assert (await api.get(f"{path}/2026-03-06"))["ranges"] == short["ranges"]
    await api.delete(f"{path}/2026-03-06")
    for method in ("GET", "DELETE"):
        assert (await api.call(method, f"{path}/2026-03-06")).status == 404
    assert (await api.call("GET", f"{path}/christmas")).status == 404


async def test_a_question_added_over_rest_is_answered_by_text(api: Client) -> None:
    path = f"{await shop(api)}/faqs"
    asked = "do you sharpen scissors?"
    before = await api.front.text(SOMEBODY, asked)
    faq: dict[str, Any] = {
        "question": "Do you sharpen scissors?",
        "answer": "On Tuesdays, ten dollars a pair.",
        "phrasings": ["sharpening"],
    }
    made = await api.post(path, faq)
    assert made.items() >= {**faq, "language": "en", "position": 0, "is_active": True}.items()
    answered = await api.front.text(SOMEBODY, asked)
    assert faq["answer"] not in before.text
    assert str(faq["answer"]) in answered.text
    assert (await api.patch(f"{path}/{made['id']}", {"answer": "Not any more."}))["question"] == faq["question"]
    assert "Not any more." in (await api.front.text(SOMEBODY, asked)).text
    assert (await api.get(f"{path}/{made['id']}/"))["answer"] == "Not any more."
    assert (await api.put(f"{path}/{made['id']}", faq | {"is_active": False}))["is_active"] is False
    assert "Not any more." not in (await api.front.text(SOMEBODY, asked)).text
    assert (await api.get(f"{path}?search=scissors&is_active=false&language=en"))["total"] == 1
    await api.delete(f"{path}/{made['id']}")
    await api.get(f"{path}/{made['id']}", status=404)


async def test_services_have_a_price_and_go_when_nobody_booked_them(api: Client) -> None:
    path = f"{await shop(api)}/services"
    made = await api.post(path, {"name": "Hot shave", "price": 27.50, "duration_minutes": 25, "skills": ["beard"]})
    assert (made["price"], made["currency"], made["step_minutes"], made["is_active"]) == (27.5, "USD", 15, True)
    one = f"{path}/{made['id']}"
    assert await api.get(f"{one}/") == made
    assert await api.put(one, made) == made
    assert (await api.patch(one, {"price": None, "lead_minutes": 60}))["price"] is None
    assert [each["name"] for each in (await api.get(f"{path}?search=shave"))["items"]] == ["Hot shave"]
    for body in ({"price": 1.234}, {"price": -1}, {"duration_minutes": 0}, {"step_minutes": 2**63}, {"name": None}):
        await api.patch(one, body, status=422)
    await api.delete(one)
    booked = (await api.get(f"{path}?sort=name"))["items"][3]
    assert "is_active" in (await api.delete(f"{path}/{booked['id']}", status=409))["detail"]
    assert (await api.patch(f"{path}/{booked['id']}", {"is_active": False}))["is_active"] is False


async def test_staff_have_plans_skills_and_absences(api: Client) -> None:
    path = f"{await shop(api)}/staff"
    plan = {"tuesday": [{"opens": "10:00", "closes": "14:00"}]}
    made = await api.post(path, {"name": "Noor", "skills": ["cut"], "capacity": 2, "hourly_rate": 41.25, "hours": plan})
    assert made["hours"]["tuesday"] == plan["tuesday"]
    assert (made["hourly_rate"], made["kind"], made["capacity"], made["user_id"]) == (41.25, "person", 2, None)
    one = f"{path}/{made['id']}"
    assert await api.put(one, made) == made == await api.get(f"{one}/")
    assert (await api.patch(one, {"user_id": api.uid}))["user_id"] == api.uid
    assert (await api.patch(one, {"hours": None}))["hours"] is None
    assert "hours" in (await api.patch(one, {"hours": {}}, status=422))["detail"][0]["loc"]
    assert (await api.get(f"{path}?kind=person&search=noor"))["total"] == 1

    away = {"starts_at": "2026-03-03T00:00:00-06:00", "ends_at": "2026-03-05T00:00:00-06:00", "reason": "A course"}
    absence = await api.post(f"{one}/absences", away)
    assert absence == {
        **absence,
        "starts_at": "2026-03-03T06:00:00Z",
        "ends_at": "2026-03-05T06:00:00Z",
        "reason": "A course",
    }
    listed = await api.get(f"{one}/absences/?after=2026-03-04T00:00:00Z")
    assert (listed["items"], listed["total"]) == ([absence], 1)
    shorter = await api.patch(f"{one}/absences/{absence['id']}", {"ends_at": "2026-03-04T06:00:00Z"})
    assert (shorter["starts_at"], shorter["ends_at"]) == ("2026-03-03T06:00:00Z", "2026-03-04T06:00:00Z")
    await api.patch(f"{one}/absences/{absence['id']}", {"ends_at": "2026-03-01T06:00:00Z"}, status=422)
    await api.put(f"{one}/absences/{absence['id']}", away)
    await api.delete(f"{one}/absences/{absence['id']}")
    await api.delete(f"{one}/absences/{absence['id']}", status=404)
    await api.delete(one)
    maya = (await api.get(f"{path}?search=maya"))["items"][0]
    await api.delete(f"{path}/{maya['id']}", status=409)


async def test_new_reminder_rules_hold_for_visits_that_are_booked_already(api: Client) -> None:
    path = f"{await shop(api)}/reminder-rules"
    assert [one["minutes_before"] for one in (await api.get(path))["rules"]] == [1440, 120]
    day_before = {"name": "the day before", "days_before": 1, "at": "10:00", "minutes_before": None, "channel": "call"}
    assert await api.put(f"{path}/", {"rules": [day_before]}) == {"rules": [day_before]}
    rows = await api.front.rows("SELECT run_at, payload FROM jobs WHERE kind = 'reminder' AND status = 'ready'")
    assert len(rows) > 5
    assert all("the day before" in str(payload) for _, payload in rows)
    for rules in (
        [{"name": "both", "minutes_before": 5, "days_before": 1, "at": "10:00"}],
        [{"name": "none"}],
        [day_before] * 2,
    ):
        await api.put(path, {"rules": rules}, status=422)
    assert await api.get(path) == {"rules": [day_before]}


async def test_another_tenants_business_is_none(api: Client, desk: Front) -> None:
    path = await shop(api)
    other = await stranger(desk)
    faq = (await api.get(f"{path}/faqs"))["items"][0]["id"]
    assert (await other.get("/businesses"))["items"] == []
    for below in ("", "/hours", "/holidays", "/services", "/staff", "/faqs", "/reminder-rules", f"/faqs/{faq}"):
        await other.get(path + below, status=404)
    theirs = await other.post("/businesses", {"name": "Elsewhere"})
    await other.get(f"/businesses/{theirs['id']}/faqs/{faq}", status=404)
    await other.put(f"{path}/hours", {}, status=404)
    await other.post(f"/businesses/{theirs['id']}/staff", {"name": "Noor", "user_id": api.uid}, status=404)
    assert (await other.get(f"/businesses/{theirs['id']}/staff"))["total"] == 0
