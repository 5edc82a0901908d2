"""Events on their way to subscribers: signed, in time, again and again, and each endpoint's trouble its own."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from standardwebhooks import Webhook, WebhookVerificationError

from desk import deliveries, events
from gateway.app import workers
from gateway.jobs import webhooks as job
from simulators.receiver import Received, Receiver, Trouble
from storage import queue
from storage.base import Db
from tests import canaries
from tests.clock import FakeClock
from tests.gateway import front
from tests.gateway.front import Front
from tests.gateway.rest.api import Client, program

PHONE = "+15125550177"
ENV = {
    "FRONTDESK_LIMITS__ENABLED": "false",
    "FRONTDESK_WEBHOOKS__ALLOW_PRIVATE": "true",
}


class Stage:
    """A front desk, its admin, and a receiver whose paths are subscribers."""

    def __init__(self, desk: Front, api: Client, receiver: Receiver) -> None:
        self.desk = desk
        self.api = api
        self.receiver = receiver

    async def subscribe(self, path: str = "/hooks", *event_types: str, **more: Any) -> dict[str, Any]:
        given = {"url": self.receiver.url + path, "event_types": event_types or ["*"], **more}
        made: dict[str, Any] = await self.api.post("/webhooks", given)
        self.receiver.secrets[path] = made["secret"]
        return made

    async def emit(self, event: str = "deal.updated", **data: Any) -> None:
        """Something happens in the business."""
        now = self.desk.clock.now()
        await self.desk.house.store.write(events.emit, self.api.tenant_id, event, data or {"deal_id": "d1"}, now=now)

    async def sent(self, webhook: dict[str, Any], **query: str) -> list[dict[str, Any]]:
        """The deliveries of a subscription, the newest first."""
        asked = "&".join(f"{name}={value}" for name, value in query.items())
        found: list[dict[str, Any]] = (await self.api.get(f"/webhooks/{webhook['id']}/deliveries?{asked}"))["items"]
        return found

    async def shown(self, webhook: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = await self.api.get(f"/webhooks/{webhook['id']}")
        return found

    async def later(self, **span: float) -> None:
        self.desk.clock.advance(timedelta(**span))
        await self.desk.work()


@pytest.fixture
async def stage(database_url: str, tmp_path: Path, clock: FakeClock) -> AsyncIterator[Stage]:
    clock.set(front.NOON)
    async with Receiver(clock=clock.now) as receiver, front.opened(database_url, tmp_path, clock, ENV) as desk:
        yield Stage(desk, await program(desk, "webhooks:read", "webhooks:write"), receiver)
        for one in receiver.received:
            canaries.absent(one.body)


def accepted(one: Received, *secrets: str) -> list[bool]:
    """Whether a subscriber with the real library takes it, for each secret."""
    found = []
    with time_machine.travel(one.at, tick=False):
        for secret in secrets:
            try:
                Webhook(secret if secret.startswith("whsec_") else secret.encode()).verify(one.body, dict(one.headers))
            except WebhookVerificationError:
                found.append(False)
            else:
                found.append(True)
    return found


async def test_what_happens_is_told_signed_both_ways(stage: Stage) -> None:
    made = await stage.subscribe("/hooks")
    seeds = await stage.subscribe("/seeds", "invoice.paid", secret="my_secret_key")
    await stage.subscribe("/other", "customer.created")
    await stage.emit("invoice.paid", invoice_id="ü–1", total=450.0, tax=1.25, lines=[{"price": 2.0}], paid=True)
    await stage.desk.work()
    (one,), (two,) = stage.receiver.at("/hooks"), stage.receiver.at("/seeds")
    assert stage.receiver.at("/other") == []
    assert (one.problem, two.problem) == (None, None)  # the receiver has checked both signatures itself
    assert accepted(one, made["secret"], "whsec_" + "QUJD" * 8) == [True, False]
    assert accepted(two, "my_secret_key", "my_secret_kez") == [True, False]
    told = {
        "event": "invoice.paid",
        "timestamp": "2026-03-02T18:00:00Z",
        "data": {"invoice_id": "ü–1", "total": 450, "tax": 1.25, "lines": [{"price": 2}], "paid": True},
    }
    assert {name: one.told[name] for name in told} == told
    # What a subscriber without a JSON library would do: the signature is the end of the body, always as long.
    tail = len(',"signature":"sha256="}') + 64
    assert json.loads(one.body[:-tail] + b"}") == told
    assert one.headers["content-type"] == "application/json"
    assert one.headers["webhook-timestamp"] == str(int(stage.desk.clock.now().timestamp()))
    (delivery,) = await stage.sent(made)
    assert delivery["id"] == one.id
    assert (delivery["status"], delivery["attempts"], delivery["response_status"]) == ("delivered", 1, 200)
    assert delivery["response_excerpt"] == '{"ok": true}'
    assert (await stage.api.get(f"/webhooks/{seeds['id']}/deliveries/{two.id}"))["body"] == told
    assert await stage.sent(made, status="failed") == []
    assert len(await stage.sent(made, event="invoice.paid", status="delivered")) == 1


async def test_what_a_bot_does_is_told_as_well(stage: Stage) -> None:
    made = await stage.subscribe()
    for line in ("haircut with Maya on thursday at 3pm", "yes", "can I talk to a person?"):
        await stage.desk.text(PHONE, line)
    await stage.desk.work()
    told = [(one.told["event"], one.told["data"]) for one in stage.receiver.received]
    names = [name for name, _ in told]
    assert names.count("message.received") == 3
    assert names.count("message.sent") >= 2
    for name in ("customer.created", "conversation.created", "appointment.booked", "conversation.handed_off"):
        assert names.count(name) == 1, names
    facts = dict(told)
    conversation = facts["conversation.created"]["conversation_id"]
    assert {data.get("conversation_id") for name, data in told if not name.startswith("customer")} == {conversation}
    assert facts["appointment.booked"]["starts_at"] == "2026-03-05T21:00:00Z"
    for _, data in told:  # public ids only, and nothing anybody said
        assert not any(isinstance(value, int) for name, value in data.items() if name.endswith("_id"))
        assert PHONE not in str(data)
    assert {one.problem for one in stage.receiver.received} == {None}
    assert {one["status"] for one in await stage.sent(made)} == {"delivered"}


async def test_a_test_event_goes_once_whatever_the_subscription_listens_to(stage: Stage) -> None:
    made = await stage.subscribe("/hooks", "invoice.paid", is_active=False)
    path = f"/webhooks/{made['id']}"
    await stage.emit("invoice.paid")
    sent = await stage.api.post(f"{path}/test", status=202)
    assert (sent["event"], sent["status"], sent["is_test"]) == ("webhook.test", "waiting", True)
    stage.receiver.trouble["/hooks"] = Trouble("status", times=1, status=410)
    await stage.desk.work()
    assert [one.told["event"] for one in stage.receiver.received] == ["webhook.test"]
    await stage.later(days=2)
    assert len(stage.receiver.received) == 1
    assert (await stage.sent(made))[0]["status"] == "failed"
    assert (await stage.shown(made))["disabled_for"] == "by_user"  # a test switches nothing off


async def test_a_rotated_secret_and_the_one_before_it_both_sign_for_a_while(stage: Stage) -> None:
    made = await stage.subscribe()
    path = f"/webhooks/{made['id']}/rotate-secret"
    rotated = await stage.api.post(path, {"overlap_hours": 24}, status=200)
    await stage.emit()
    await stage.desk.work()
    assert accepted(stage.receiver.received[-1], rotated["secret"], made["secret"]) == [True, True]
    await stage.later(hours=24)
    await stage.emit()
    await stage.desk.work()
    assert accepted(stage.receiver.received[-1], rotated["secret"], made["secret"]) == [True, False]
    again = await stage.api.post(path, {"overlap_hours": 0}, status=200)
    await stage.emit()
    await stage.desk.work()
    assert accepted(stage.receiver.received[-1], again["secret"], rotated["secret"]) == [True, False]


async def test_it_is_tried_again_on_the_schedule_with_the_same_id_and_a_new_timestamp(stage: Stage) -> None:
    made = await stage.subscribe()
    stage.receiver.trouble["/hooks"] = Trouble("status", status=500)
    began = stage.desk.clock.now()
    await stage.emit()
    await stage.desk.work()
    for wait in job.RETRY_AFTER:
        (delivery,) = await stage.sent(made)
        assert delivery["status"] == "waiting"
        tries = len(stage.receiver.received)
        await stage.later(seconds=wait.total_seconds() - 1)
        assert len(stage.receiver.received) == tries
        await stage.later(seconds=1)
        assert len(stage.receiver.received) == tries + 1
    assert [round((one.at - began).total_seconds()) for one in stage.receiver.received] == [
        0, 5, 305, 2105, 9305, 27305, 63305, 113705, 185705, 272105,
    ]  # fmt: skip
    assert len({one.id for one in stage.receiver.received}) == 1
    assert {one.problem for one in stage.receiver.received} == {None}
    assert len({one.headers["webhook-timestamp"] for one in stage.receiver.received}) == 10
    assert len({one.told["timestamp"] for one in stage.receiver.received}) == 1
    (delivery,) = await stage.sent(made)
    assert (delivery["status"], delivery["attempts"], delivery["response_status"]) == ("failed", 10, 500)
    assert (delivery["next_attempt_at"], delivery["error"]) == (None, "It answered 500.")
    assert await stage.desk.one("SELECT count(*) FROM jobs WHERE kind = 'webhook'") == 0
    # A person has mended it, and sends it again: the same delivery, from the beginning of the schedule.
    stage.receiver.trouble["/hooks"] = Trouble("status", times=1, status=503, headers={"Retry-After": "60"})
    resent = await stage.api.post(f"/webhooks/{made['id']}/deliveries/{delivery['id']}/resend", status=202)
    assert resent["status"] == "waiting"
    await stage.desk.work()
    await stage.later(seconds=59)
    assert (await stage.sent(made))[0]["status"] == "waiting"
    await stage.later(seconds=1)
    (delivery,) = await stage.sent(made)
    assert (delivery["status"], delivery["attempts"]) == ("delivered", 12)
    assert (await stage.shown(made))["failing_since"] is None
    assert {one.id for one in stage.receiver.received} == {delivery["id"]}


TROUBLE = {
    "a redirect": (Trouble("redirect", location="http://127.0.0.1:1/"), 302, "It redirects"),
    "a hang": (Trouble("hang"), None, "in time"),
    "a cut connection": (Trouble("hang_up"), None, "hung up"),
    "something else than HTTP": (Trouble("garbage"), None, "not HTTP"),
    "an error": (Trouble("status", status=404), 404, "It answered 404."),
}


async def test_whatever_goes_wrong_is_written_down_and_tried_again(stage: Stage) -> None:
    made = {}
    for name, (trouble, _, _) in TROUBLE.items():
        path = f"/{name.replace(' ', '-')}"
        stage.receiver.trouble[path] = trouble
        made[name] = await stage.subscribe(path, "deal.created" if trouble.kind == "hang" else "deal.updated")
    await stage.emit()
    await stage.desk.work()
    # Who hangs is waited for briefly; the others may take their time on a busy machine.
    settings = stage.desk.house.settings.webhooks
    usual_s = settings.timeout_s
    object.__setattr__(settings, "timeout_s", 0.5)
    await stage.emit("deal.created")
    await stage.desk.work()
    object.__setattr__(settings, "timeout_s", usual_s)
    for name, (_, status, says) in TROUBLE.items():
        (delivery,) = await stage.sent(made[name])
        assert (delivery["status"], delivery["response_status"]) == ("waiting", status), name
        assert says in delivery["error"]
        assert delivery["next_attempt_at"] == "2026-03-02T18:00:05Z"
        assert (await stage.shown(made[name]))["failing_since"] == "2026-03-02T18:00:00Z"
    for path in list(stage.receiver.trouble):
        stage.receiver.trouble[path] = Trouble("endless" if "hang" in path else "bomb")
    await stage.later(seconds=5)
    for name in TROUBLE:  # taken is taken, however much is said about it
        (delivery,) = await stage.sent(made[name])
        assert delivery["status"] == "delivered"
        assert delivery["response_excerpt"] in ("(compressed)", "x" * 1000)


async def test_gone_is_gone_and_what_waited_is_not_sent_any_more(stage: Stage) -> None:
    gone = await stage.subscribe("/gone", "deal.updated")
    other = await stage.subscribe("/other", "webhook.disabled")
    stage.receiver.trouble["/gone"] = Trouble("status", status=410)
    await stage.emit()
    await stage.emit()
    await stage.desk.work()
    assert len(stage.receiver.at("/gone")) == 1
    shown = await stage.shown(gone)
    assert (shown["is_active"], shown["disabled_for"], shown["disabled_at"]) == (False, "gone", "2026-03-02T18:00:00Z")
    assert {one["status"] for one in await stage.sent(gone)} == {"failed"}
    (told,) = [one.told["data"] for one in stage.receiver.at("/other")]
    assert told == {"webhook_id": gone["id"], "reason": "gone", "failing_since": "2026-03-02T18:00:00Z"}
    ((actor, uid),) = await stage.desk.rows("SELECT actor, noun_uid FROM audit WHERE action = 'webhook.disabled'")
    assert (actor, str(uid).replace("-", "")) == ("system", gone["id"].replace("-", ""))
    del stage.receiver.trouble["/gone"]
    mended = await stage.api.patch(f"/webhooks/{gone['id']}", {"is_active": True})
    assert (mended["failing_since"], mended["disabled_for"], mended["disabled_at"]) == (None, None, None)
    for delivery in await stage.sent(gone):
        await stage.api.post(f"/webhooks/{gone['id']}/deliveries/{delivery['id']}/resend", status=202)
    await stage.desk.work()
    assert {one["status"] for one in await stage.sent(gone)} == {"delivered"}
    assert (await stage.shown(other))["is_active"]


async def test_who_fails_for_days_is_switched_off_and_who_recovers_now_and_then_is_not(stage: Stage) -> None:
    down = await stage.subscribe("/down", "deal.updated")
    flapping = await stage.subscribe("/flapping", "deal.updated")
    other = await stage.subscribe("/other", "webhook.disabled")
    stage.receiver.trouble["/down"] = Trouble("status", status=502)
    for day in range(9):
        if day % 2:
            stage.receiver.trouble["/flapping"] = Trouble("status", times=2, status=502)
        await stage.emit()
        await stage.later(seconds=1)
        assert (await stage.shown(down))["is_active"] == (day < 5), day
        await stage.later(days=1)
    assert (await stage.shown(down))["disabled_for"] == "failing"
    shown = await stage.shown(flapping)
    assert (shown["is_active"], shown["failing_since"]) == (True, None)
    assert [one.told["data"]["webhook_id"] for one in stage.receiver.at("/other")] == [down["id"]]
    assert await stage.desk.one("SELECT count(*) FROM jobs WHERE kind = 'webhook'") == 0
    assert {one["status"] for one in await stage.sent(other)} == {"delivered"}


async def test_an_address_that_has_become_private_is_blocked_and_not_tried_again(
    database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    clock.set(front.NOON)
    env = {**ENV, "FRONTDESK_WEBHOOKS__ALLOW_PRIVATE": "false"}
    async with Receiver(clock=clock.now) as receiver, front.opened(database_url, tmp_path, clock, env) as desk:
        stage = Stage(desk, await program(desk, "webhooks:read", "webhooks:write"), receiver)
        made = await stage.api.post("/webhooks", {"url": "https://nobody-has-this.example/", "event_types": ["*"]})
        await desk.change(f"UPDATE webhook_subscriptions SET url = '{receiver.url}/hooks'".replace("http:", "https:"))
        await stage.emit()
        await desk.work()
        await stage.later(days=1)
        (delivery,) = await stage.sent(made, status="blocked")
        assert (delivery["attempts"], delivery["response_status"]) == (1, None)
        assert delivery["error"] == "This address is not on the public internet."
        assert (await stage.shown(made))["failing_since"] is not None
        assert receiver.received == []


async def test_a_process_that_dies_after_sending_sends_the_same_id_again(stage: Stage) -> None:
    made = await stage.subscribe()
    await stage.emit()
    house = stage.desk.house

    def claim(db: Db) -> queue.Job:
        (found,) = queue.claim(
            db,
            now=house.clock.now(),
            lease="of a process that dies",
            lease_for=timedelta(seconds=60),
            limit=1,
            kinds=frozenset({events.KIND}),
        )
        return found

    claimed = await house.store.write(claim)
    delivery_id = int(str(claimed.payload["delivery_id"]))
    letter = await house.store.write(deliveries.begin, delivery_id, house.sealer, now=house.clock.now())
    assert letter is not None
    assert made["secret"] not in repr(letter)
    body, headers = job.signed(letter.uid, letter.body, letter.secrets, now=house.clock.now())
    await house.outside.ask("POST", letter.url, body=body, headers=headers, timeout_s=5)  # and here it dies
    await stage.desk.work()
    assert len(stage.receiver.received) == 1  # the lease is still its
    await stage.later(seconds=61)
    first, second = stage.receiver.received
    assert (first.id, first.body) == (second.id, second.body)
    assert first.headers["webhook-timestamp"] != second.headers["webhook-timestamp"]
    assert [one["status"] for one in await stage.sent(made)] == ["delivered"]


async def test_who_hangs_keeps_nobody_waiting(database_url: str, tmp_path: Path, clock: FakeClock) -> None:
    clock.set(front.NOON)
    env = {**ENV, "FRONTDESK_WEBHOOKS__TIMEOUT_S": "60", "FRONTDESK_WEBHOOKS__AT_ONCE": "3"}
    async with Receiver(clock=clock.now) as receiver, front.opened(database_url, tmp_path, clock, env) as desk:
        stage = Stage(desk, await program(desk, "webhooks:read", "webhooks:write"), receiver)
        for path in ("/hangs", "/hangs-too"):
            receiver.trouble[path] = Trouble("hang")
            await stage.subscribe(path)
        well = await stage.subscribe("/well")
        stopping = asyncio.Event()
        running = [asyncio.create_task(worker.run(stopping)) for worker in workers(desk.house)]
        try:
            for _ in range(10):
                await stage.emit()
            await desk.text(PHONE, "hi")
            async with asyncio.timeout(20):
                while len(receiver.at("/well")) < 10 or receiver.hanging < 2:
                    await receiver.came()
            assert receiver.hanging == 2  # one for each, and ten waiting behind it
            assert [one.told["event"] for one in receiver.at("/well")][:10] == ["deal.updated"] * 10  # in order
        finally:
            stopping.set()
            await receiver.close()
            await asyncio.gather(*running)
        assert len(await stage.sent(well)) >= 10


async def test_old_deliveries_are_forgotten(stage: Stage) -> None:
    made = await stage.subscribe()
    await stage.emit()
    await stage.desk.work()
    await stage.later(days=29)
    await stage.emit()
    await stage.desk.work()
    assert len(await stage.sent(made)) == 2
    await stage.later(days=2)
    assert len(await stage.sent(made)) == 1
    await stage.api.delete(f"/webhooks/{made['id']}")
    assert await stage.desk.one("SELECT count(*) FROM webhook_deliveries") == 0


async def test_nobody_is_told_of_what_was_undone(stage: Stage) -> None:
    made = await stage.subscribe()

    def undone(db: Db) -> None:
        events.emit(db, stage.api.tenant_id, "deal.created", {"deal_id": "d1"}, now=stage.desk.clock.now())
        raise ValueError("and now something goes wrong")

    with pytest.raises(ValueError, match="something"):
        await stage.desk.house.store.write(undone)
    await stage.desk.work()
    assert await stage.sent(made) == []
