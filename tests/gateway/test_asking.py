"""Scenarios that ask the business's own systems: signed, in time, and nothing of the conversation is lost meanwhile."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from simulators.receiver import Receiver, Trouble
from tests.clock import FakeClock
from tests.gateway import front
from tests.gateway.front import Front
from tests.gateway.rest.api import Client, person

PHONE = "+15125550177"
SECRET = "whsec_" + "QUJD" * 8
ENV = {
    "FRONTDESK_LIMITS__ENABLED": "false",
    "FRONTDESK_WEBHOOKS__ALLOW_PRIVATE": "true",
}
HANGS_S = 0.3  # that we wait for a system which never answers; any other may take its time on a busy machine
PLAN = """\
spec: 1
id: plan
start: number
triggers: {keywords: [my plan]}
slots:
  number: {type: text}
  level: {type: text}
  happy: {type: yes_no}
states:
  number: {say: ask_number, collect: number, outcomes: {filled: look, exhausted: sorry}}
  look:
    say: looking
    call: call_webhook
    with: {to: Our CRM, topic: plan, send: number, sets: [level]}
    outcomes: {done: which, refused: nobody, error: sorry}
  which:
    branch: [{slot: level, equals: gold, then: gold}]
    else: plain
  gold: {say: gold, goto: happy}
  plain: {say: plain, goto: happy}
  happy: {say: ask_happy, collect: happy, outcomes: {filled: done, exhausted: sorry}}
  done: {say: thanks, end: completed}
  nobody: {say: nobody, end: abandoned}
  sorry: {say: sorry, end: abandoned}
words:
  en:
    ask_number: What is your customer number?
    looking: Let me look.
    gold: "You are a {level} customer!"
    plain: "Your plan is {level}."
    ask_happy: Are you happy with it?
    thanks: "Thanks for telling us."
    nobody: We know no such number.
    sorry: We cannot look right now.
tests:
  - name: a gold customer
    fills: {level: gold}
    turns: [{user: my plan, state: number}, {user: A-7, state: happy, says: [looking, gold], slots: {level: gold}}]
  - name: any other plan
    turns: [{user: my plan, state: number}, {user: A-7, state: happy, says: plain}]
  - name: an unknown number
    mock: {call_webhook: refused}
    turns: [{user: my plan, state: number}, {user: A-7, state: nobody}]
"""


class Stage:
    """A front desk whose bot has the scenario above, and the system that it asks."""

    def __init__(self, desk: Front, api: Client, crm: Receiver) -> None:
        self.desk = desk
        self.api = api
        self.crm = crm
        self.path = "/crm"

    async def set_up(self) -> None:
        config = {"url": self.crm.url + self.path, "secret": SECRET}
        given = {"type": "webhook", "name": "Our CRM", "config": config, "status": "active"}
        made = await self.api.post("/integrations", given)
        assert made["config"]["secret"] == "••••QUJD"
        self.crm.secrets[self.path] = SECRET
        self.crm.answers[self.path] = {"slots": {"level": "gold", "happy": True}}
        (bot,) = (await self.api.get("/bots"))["items"]
        scenario = await self.api.post(f"/bots/{bot['id']}/scenarios", {"source": PLAN})
        await self.api.post(f"/bots/{bot['id']}/scenarios/{scenario['id']}/publish", status=200)

    async def asks(self) -> None:
        """The customer has just been told that we are looking."""
        assert await self.desk.says(PHONE, "my plan", "A-7") == ["What is your customer number?", "Let me look."]

    async def said(self) -> list[str]:
        """What was said by itself, not in the answer to a text."""
        return [
            text
            for (text,) in await self.desk.rows(
                "SELECT m.text FROM messages m JOIN outbox o ON o.message_id = m.id ORDER BY m.id"
            )
        ]


@pytest.fixture
async def stage(database_url: str, tmp_path: Path, clock: FakeClock) -> AsyncIterator[Stage]:
    clock.set(front.NOON)
    async with Receiver(clock=clock.now) as crm, front.opened(database_url, tmp_path, clock, ENV) as desk:
        stage = Stage(desk, await person(desk, "owner"), crm)
        await stage.set_up()
        yield stage


async def test_a_system_of_the_business_is_asked_and_its_answer_leads_on(stage: Stage) -> None:
    await stage.asks()
    await stage.desk.work()
    (asked,) = stage.crm.at("/crm")
    assert asked.problem is None  # the receiver has checked the signature itself
    (uid,) = [row[0] for row in await stage.desk.rows("SELECT uid FROM conversations WHERE peer = :peer", peer=PHONE)]
    assert (asked.told["event"], asked.told["timestamp"]) == ("scenario.question", "2026-03-02T18:00:00Z")
    assert asked.told["data"] == {
        "topic": "plan",
        "scenario": "plan",
        "state": "look",
        "conversation_id": str(UUID(str(uid))),
        "channel": "sms",
        "customer": {"name": None, "address": PHONE, "language": None},
        "slots": {"number": {"value": "A-7", "label": "A-7"}},
    }
    # `happy` was answered too, but the scenario does not let this call fill it in.
    assert await stage.said() == ["You are a gold customer!\nAre you happy with it?"]
    assert (await stage.desk.text(PHONE, "yes")).text == "Thanks for telling us."


async def test_what_is_said_meanwhile_is_kept_and_heard_afterwards_in_order(stage: Stage) -> None:
    await stage.asks()
    assert await stage.desk.says(PHONE, "yes", "thanks") == ["One moment, please. I'm still on it.", ""]
    await stage.desk.work()
    (said,) = await stage.said()
    assert said == "You are a gold customer!\nThanks for telling us.\nYou're welcome!"


@pytest.mark.parametrize(
    ("trouble", "times_asked", "says"),
    [
        (Trouble("status", status=404), 1, "We know no such number."),
        (Trouble("status", status=500), 2, "We cannot look right now."),
        (Trouble("status", times=1, status=503), 2, "You are a gold customer!\nAre you happy with it?"),
        (Trouble("hang", times=1), 2, "You are a gold customer!\nAre you happy with it?"),
        (Trouble("hang"), 2, "We cannot look right now."),
        (Trouble("redirect", location="http://169.254.169.254/"), 1, "We cannot look right now."),
        (Trouble("bomb"), 1, "We cannot look right now."),
        (Trouble("garbage"), 2, "We cannot look right now."),
    ],
    ids=lambda value: value.kind if isinstance(value, Trouble) else "",
)
async def test_trouble_of_the_other_side_ends_in_an_outcome_of_its_own(
    stage: Stage, trouble: Trouble, times_asked: int, says: str
) -> None:
    stage.crm.trouble["/crm"] = trouble
    await stage.asks()
    webhooks = stage.desk.house.settings.webhooks
    patient_s = webhooks.question_timeout_s
    if trouble.kind == "hang":
        object.__setattr__(webhooks, "question_timeout_s", HANGS_S)
    await stage.desk.work()
    if "/crm" not in stage.crm.trouble:
        object.__setattr__(webhooks, "question_timeout_s", patient_s)
    await stage.desk.pass_time(timedelta(seconds=3), step=timedelta(seconds=3))
    assert await stage.said() == [says]
    asked = stage.crm.at("/crm")
    assert len(asked) == times_asked
    assert len({one.id for one in asked}) == 1  # by this the other side tells a repeat


@pytest.mark.parametrize(
    "answer",
    [[], {"slots": []}, {"slots": {"level": {"x": 1}}}, {"slots": {"level": "x" * 501}}, {"slots": {"level": "\0"}}],
    ids=["a list", "slots as a list", "an object", "too long", "a NUL"],
)
async def test_an_answer_that_makes_no_sense_sets_nothing(stage: Stage, answer: Any) -> None:
    stage.crm.answers["/crm"] = answer
    await stage.asks()
    await stage.desk.work()
    assert await stage.said() in (
        ["We cannot look right now."],
        ["Your plan is ."],
        ["Your plan is .\nAre you happy with it?"],
    )


async def test_while_a_person_talks_the_bot_keeps_the_answer_to_itself(stage: Stage) -> None:
    await stage.asks()
    (found,) = (await stage.api.get("/conversations"))["items"]
    here = f"/conversations/{found['id']}"
    await stage.api.put(f"{here}/assign", {"agent_id": stage.api.uid})
    await stage.desk.work()
    assert len(stage.crm.at("/crm")) == 1
    assert await stage.said() == []
    await stage.api.post(f"{here}/hand-to-bot", status=200)
    await stage.desk.work()
    assert any("You are a gold customer!" in said for said in await stage.said())


async def test_who_is_to_be_asked_is_looked_at_when_it_is_saved_and_again_when_it_is_asked(
    stage: Stage, database_url: str
) -> None:
    given = {"type": "webhook", "name": "Bad", "config": {"url": "http://169.254.169.254/x", "secret": SECRET}}
    for config, field in (
        (given["config"], "config.url"),
        ({"secret": SECRET}, "config.url"),
        ({"url": "https://crm.example/x"}, "config.secret"),
        ({"url": "https://crm.example/x", "secret": "short"}, "config.secret"),
        ({"url": "https://crm.example/x", "secret": "whsec_" + "!" * 30}, "config.secret"),
    ):
        refused = await stage.api.call("POST", "/integrations", {**given, "config": config})
        assert refused.status == 422, config
        assert refused.json["detail"][0]["loc"] == ["body", *field.split(".")], config
    (one,) = (await stage.api.get("/integrations?type=webhook"))["items"]
    changed = {"config": {"url": "http://169.254.169.254/x", "secret": one["config"]["secret"]}}
    await stage.api.patch(f"/integrations/{one['id']}", changed, status=422)
    await stage.desk.change(
        "UPDATE integrations SET config = :config WHERE kind = 'webhook'",
        config=json.dumps({"url": "http://169.254.169.254/latest"}),
    )
    await stage.asks()
    await stage.desk.work()
    assert await stage.said() == ["We cannot look right now."]
    await stage.api.patch(f"/integrations/{one['id']}", {"status": "inactive"})
    # Nobody to ask: said in the same turn.
    told = await stage.desk.says("+15125550178", "my plan", "A-7")
    assert told[1] == "Let me look.\nWe cannot look right now."
