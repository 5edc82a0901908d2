"""Many customers want one time: one gets it, the others hear of other times; on both engines, in two processes."""

import asyncio
from pathlib import Path

import pytest

from tests.clock import FakeClock
from tests.gateway import front
from tests.gateway.front import Front

PHONES = [f"+1512556{n:04d}" for n in range(200)]
WISH = "haircut with Maya on thursday at 3pm"


async def race(desks: list[Front]) -> None:
    first = desks[0]
    asked = await asyncio.gather(*(desks[n % len(desks)].text(phone, WISH) for n, phone in enumerate(PHONES)))
    assert {answer.status for answer in asked} == {200}
    answered = await asyncio.gather(*(desks[n % len(desks)].text(phone, "yes") for n, phone in enumerate(PHONES)))
    assert {answer.status for answer in answered} == {200}
    booked = await first.rows(
        "SELECT c.phone FROM appointments a JOIN customers c ON c.id = a.customer_id"
        " WHERE a.local_start = '2026-03-05T15:00' AND a.source = 'bot'"
    )
    assert len(booked) == 1
    holds = await first.one("SELECT count(*) FROM claims WHERE expires_at IS NOT NULL AND visit_starts_at IS NULL")
    assert holds == 0
    held_back = [
        answer.text for answer in asked if "3:00 PM" not in answer.text or "Thursday, March 5 at" not in answer.text
    ]
    assert len(held_back) == len(PHONES) - 1
    assert all("PM" in text or "AM" in text for text in held_back)  # every loser hears of other times


async def test_two_hundred_customers_want_one_time(desk: Front) -> None:
    await race([desk])


async def test_the_same_on_two_servers_and_one_postgresql(
    postgresql_database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    clock.set(front.NOON)
    async with (
        front.opened(postgresql_database_url, tmp_path / "one", clock) as one,
        front.opened(postgresql_database_url, tmp_path / "two", clock) as two,
    ):
        await race([one, two])


@pytest.mark.parametrize("at_once", [50])
async def test_one_text_delivered_to_two_servers_is_one_message(
    postgresql_database_url: str, tmp_path: Path, clock: FakeClock, at_once: int
) -> None:
    clock.set(front.NOON)
    async with (
        front.opened(postgresql_database_url, tmp_path / "one", clock) as one,
        front.opened(postgresql_database_url, tmp_path / "two", clock) as two,
    ):
        fields = front.form(PHONES[0], "book")
        answers = await asyncio.gather(*((one, two)[n % 2].post(fields) for n in range(at_once)))
        assert {answer.status for answer in answers} == {200}
        # The status address names the server that answered; the words are the same.
        assert len({answer.texts for answer in answers}) == 1
        assert await one.one("SELECT count(*) FROM messages WHERE direction = 'in'") == 1
        assert await one.one("SELECT count(*) FROM messages WHERE direction = 'out'") == len(answers[0].texts)
