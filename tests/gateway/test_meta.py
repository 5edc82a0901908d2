"""WhatsApp by Meta's Cloud API through the front door, with the simulated Meta at the other end."""

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import pytest

from channels.meta.signing import signature
from gateway import demo_business as juniper
from simulators.meta import App, MetaSimulator, Number, Phone
from tests.channels.posts import recorded
from tests.clock import FakeClock
from tests.gateway import front
from tests.gateway.front import Front
from tests.gateway.rest.api import Client, person

SECRET, TOKEN, WORD = "the-app-secret-of-the-tests", "the-access-token-of-the-tests", "our-word-of-the-tests"
HOOK = "/api/v1/webhooks/whatsapp"
OURS = juniper.META_NUMBER
DANA = "+15125550177"


@dataclass
class Met:
    """A front desk, Meta, and Dana's phone."""

    desk: Front
    meta: MetaSimulator
    dana: Phone

    async def settle(self) -> None:
        """Everything done that is due, on both sides."""
        await self.desk.work()
        await self.meta.settled()

    async def says(self, text: str) -> list[str]:
        """What comes on Dana's phone when she writes that."""
        before = len(self.dana.inbox)
        posts = await self.dana.say(OURS, text)
        assert [post.status for post in posts] == [200]
        await self.settle()
        return [one.text for one in self.dana.inbox[before:]]

    async def chooses(self, choice: str) -> list[str]:
        before = len(self.dana.inbox)
        await self.dana.choose(next(one for one in reversed(self.dana.inbox) if one.options), choice)
        await self.settle()
        return [one.text for one in self.dana.inbox[before:]]

    async def post(self, body: bytes, *, secret: str = SECRET, path: str = HOOK, **headers: str) -> int:
        """The status that a request gets; it is signed with `secret` unless `headers` say otherwise."""
        sent = headers or {"X-Hub-Signature-256": signature(secret, body)}
        async with self.desk.http.post(
            self.desk.url + path, data=body, headers={"Content-Type": "application/json", **sent}
        ) as answer:
            return answer.status


@contextlib.asynccontextmanager
async def opened(database_url: str, tmp_path: Path, clock: FakeClock, env: dict[str, str]) -> AsyncIterator[Met]:
    clock.set(front.NOON)
    ours = Number(number=OURS, phone_number_id=juniper.META_NUMBER_ID, waba_id=juniper.META_ACCOUNT)
    app = App(secret=SECRET, tokens=(TOKEN,), verify_token=WORD)
    async with MetaSimulator(app=app, numbers=[ours], clock=clock.now, rng=Random(1)) as meta:
        keys = {"META_APP_SECRET": SECRET, "META_ACCESS_TOKEN": TOKEN, "META_VERIFY_TOKEN": WORD}
        at = {"FRONTDESK_META__API_BASE": meta.api_base}
        async with front.opened(database_url, tmp_path, clock, {**keys, **at, **env}) as desk:
            meta.app = replace(meta.app, webhook_url=desk.url + HOOK)
            dana = meta.phone(DANA)
            dana.name = "Dana"
            yield Met(desk, meta, dana)


@pytest.fixture
async def met(database_url: str, tmp_path: Path, clock: FakeClock) -> AsyncIterator[Met]:
    async with opened(database_url, tmp_path, clock, {}) as both:
        yield both


@pytest.fixture
async def api(met: Met) -> Client:
    return await person(met.desk, "admin")


async def test_a_visit_is_booked_by_tapping_alone(met: Met) -> None:
    await met.says("book")
    shown, said = [], [""]
    for choice in ("Haircut", "Tomorrow", "9:30 AM", "Yes"):
        asked = met.dana.inbox[-1]
        shown.append((asked.kind, asked.content["type"], len(asked.options)))
        said = await met.chooses(choice)
    assert shown == [
        ("interactive", "list", 6),
        ("interactive", "button", 3),
        ("interactive", "list", 6),
        ("interactive", "button", 2),
    ]
    assert [text.startswith("Booked: ") for text in said] == [True]
    assert await met.desk.one("SELECT local_start FROM appointments WHERE source = 'bot'") == "2026-03-03T09:30"
    wanted = "SELECT name, profile_name FROM customers WHERE phone = :phone"
    assert await met.desk.rows(wanted, phone=DANA) == [(None, "Dana")]
    assert await met.desk.rows("SELECT DISTINCT status FROM messages WHERE direction = 'out'") == [("read",)]


async def test_only_meta_gets_in(met: Met) -> None:
    body = json.dumps(recorded("meta", "text")).encode()
    forged = [
        await met.post(body.replace(b'"id"', b'"id" '), **{"X-Hub-Signature-256": signature(SECRET, body)}),
        await met.post(body, **{"X-Hub-Signature": "sha1=" + "0" * 40}),
        await met.post(body, secret="another app's"),
        await met.post(body, **{"X-Nothing": ""}),
        (await met.meta.challenge(verify_token="wrong")).status,
        (await met.meta.challenge(verify_token="")).status,
    ]
    assert forged == [403] * 6
    for table in ("messages", "conversations", "early_statuses"):
        assert await met.desk.one(f"SELECT count(*) FROM {table}") == 0
    for path in (HOOK, HOOK + "/", "/webhooks/whatsapp", "/webhooks/whatsapp/"):
        met.meta.app = replace(met.meta.app, webhook_url=met.desk.url + path)
        asked = await met.meta.challenge(word="1158201444")
        assert (asked.status, asked.answer) == (200, b"1158201444")
        assert await met.post(body, path=path) == 200


SIGNED_NONSENSE = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"NaN",
    b'"a"',
    b"\xff",
    b"{}",
    b'{"object": "page"}',
    b'{"a":' * 90 + b"1",
]


async def test_signed_nonsense_is_a_400(met: Met) -> None:
    for body in SIGNED_NONSENSE:
        assert await met.post(body) == 400, body
    assert await met.post(b'{"object": "whatsapp_business_account", "entry": 3}') == 200
    assert await met.desk.one("SELECT count(*) FROM conversations") == 0
