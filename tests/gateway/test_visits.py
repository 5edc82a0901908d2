"""A visit in the customer's own calendar: a signed link, an entry that follows the visit, and none for others."""

import re
from pathlib import Path
from typing import Any

from tests.clock import FakeClock
from tests.gateway import front
from tests.gateway.front import Front

DANA = "+15125550177"
ENV = {"FRONTDESK_CONVERSATIONS__CALENDAR_LINK_BY_SMS": "true"}


async def _entry(desk: Front, url: str) -> Any:
    from icalendar import Calendar

    async with desk.http.get(url) as answer:
        assert answer.status == 200
        assert answer.content_type == "text/calendar"
        return Calendar.from_ical(await answer.read())


async def test_the_calendar_entry_follows_the_visit_across_a_move_and_its_end(
    database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    clock.set(front.NOON)
    async with front.opened(database_url, tmp_path, clock, ENV) as desk:
        booked = (await desk.says(DANA, "my name is Zed. haircut with Maya thursday at 3pm", "yes"))[-1]
        [url] = re.findall(r"Add to calendar: (\S+\.ics)", booked)
        assert url.startswith(f"{desk.url}/visits/")
        first = await _entry(desk, url)
        [event] = first.walk("VEVENT")
        assert (first["METHOD"], event["SEQUENCE"], event["STATUS"]) == ("PUBLISH", 0, "CONFIRMED")
        assert event["DTSTART"].params["TZID"] == "America/Chicago"
        assert event["DTSTART"].dt.isoformat() == "2026-03-05T15:00:00-06:00"
        assert "Juniper" in event["SUMMARY"]
        assert [str(zone["TZID"]) for zone in first.walk("VTIMEZONE")] == ["America/Chicago"]
        assert "Zed" not in str(first.to_ical())

        moved = (await desk.says(DANA, "move my appointment to friday at 4", "yes"))[-1]
        assert url in moved
        second = await _entry(desk, url)
        [event] = second.walk("VEVENT")
        assert (event["UID"], event["SEQUENCE"]) == (first.walk("VEVENT")[0]["UID"], 1)
        assert event["DTSTART"].dt.isoformat() == "2026-03-06T16:00:00-06:00"

        off = (await desk.says(DANA, "please cancel my appointment", "yes"))[-1]
        assert ".ics" not in off
        third = await _entry(desk, url)
        [event] = third.walk("VEVENT")
        assert (third["METHOD"], event["SEQUENCE"], event["STATUS"]) == ("CANCEL", 2, "CANCELLED")

        for forged in (
            url.replace(".ics", "0.ics"),
            f"{desk.url}/visits/x.ics",
            re.sub(r"visits/..", "visits/AA", url),
        ):
            async with desk.http.get(forged) as answer:
                assert answer.status == 404


async def test_text_messages_stay_short_unless_it_is_asked_for(
    sqlite_database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    clock.set(front.NOON)
    async with front.opened(sqlite_database_url, tmp_path, clock) as desk:
        booked = (await desk.says(DANA, "my name is Zed. haircut with Maya thursday at 3pm", "yes"))[-1]
        assert "Booked" in booked
        assert ".ics" not in booked
