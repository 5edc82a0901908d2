"""WhatsApp through Twilio from end to end: a phone, the provider's own SDK, and what people see of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gateway import demo_business as juniper
from simulators.twilio import Account, Faults, Number, Phone, TwilioSimulator
from tests.clock import FakeClock
from tests.gateway import front
from tests.gateway.front import MESSAGES, SID, STATUS, TOKEN, Front

OURS = f"whatsapp:{juniper.WHATSAPP_NUMBER}"
DANA = "whatsapp:+15125550177"


@asynccontextmanager
async def opened(
    database_url: str, tmp_path: Path, clock: FakeClock
) -> AsyncIterator[tuple[Front, TwilioSimulator, Phone]]:
    """A front desk with a WhatsApp number, and somebody who uses it."""
    clock.set(front.NOON)
    async with TwilioSimulator(accounts=[Account(sid=SID, auth_token=TOKEN)], clock=clock.now) as network:
        env = {"FRONTDESK_TWILIO__API_BASE": network.url}
        async with front.opened(database_url, tmp_path, clock, env) as desk:
            network.add_number(
                Number(
                    number=OURS, account_sid=SID, webhook_url=desk.url + MESSAGES, status_callback_url=desk.url + STATUS
                )
            )
            dana = network.phone(DANA)
            dana.name = "Dana"
            yield desk, network, dana


async def test_a_visit_is_booked_by_tapping_alone(database_url: str, tmp_path: Path, clock: FakeClock) -> None:
    async with opened(database_url, tmp_path, clock) as (desk, network, dana):
        await dana.text(OURS, "book")
        shown = []
        done = None
        for title in ("Haircut", "Tomorrow", "9:30 AM", "Yes"):
            await desk.work()
            await network.settled()
            said = dana.inbox[-1].shown
            shown.append((len(said.rows), len(said.buttons), said.menu))
            done = await dana.tap(title)
        assert shown == [(6, 0, "Choose"), (0, 3, ""), (6, 0, "Choose"), (0, 2, "")]
        assert done is not None
        assert [text.startswith("Booked: ") for text in done.texts] == [True]  # nothing to tap: in the webhook's answer
        assert len(dana.inbox) == 5
        assert await desk.one("SELECT local_start FROM appointments WHERE source = 'bot'") == "2026-03-03T09:30"
        assert await desk.rows("SELECT name, profile_name FROM customers WHERE phone = '+15125550177'") == [
            (None, "Dana")
        ]
        assert len(network.contents) == 4  # one for each shape, whatever it says
        await network.settled()
        await dana.read()
        assert await desk.rows("SELECT DISTINCT status FROM messages WHERE direction = 'out'") == [("read",)]
        assert network.alerts == []


async def test_the_same_message_twice_is_answered_once_by_taps_and_by_text(
    sqlite_database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with opened(sqlite_database_url, tmp_path, clock) as (desk, network, dana):
        network.faults = Faults(duplicate=2, copies=3)
        asked = await dana.text(OURS, "book")
        again = await dana.text(OURS, "book", sid=asked.message.sid)
        told = await dana.text(OURS, "what are your hours?")
        await desk.work()
        await network.settled()
        assert (len(asked.posts), again.texts, asked.texts, len(told.texts)) == (4, [], [], 0)
        assert len(dana.inbox) == 2
        assert await desk.one("SELECT count(*) FROM messages") == 4
