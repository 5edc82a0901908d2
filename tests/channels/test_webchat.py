"""The web chat's JSON, and the simulator that shares it."""

import json
from dataclasses import replace

import pytest

from channels.base import AccountKeys, Request
from channels.errors import BadRequest, SendError
from channels.messages import (
    JSON,
    Address,
    Choice,
    InboundMessage,
    Link,
    Media,
    Option,
    OutboundMessage,
    Reaction,
    Text,
)
from channels.simulator.adapter import SimulatorAdapter
from channels.webchat.adapter import WebChatAdapter
from channels.webchat.codec import Asked, asked
from tests.channels.posts import PAYLOADS, json_post, recorded

SESSION = "s-0123456789abcdef"
NAME = "visitor-8d6894e873d12c5a743bbc11"
VISITOR, PAGE = Address("web", NAME), Address("web", "")
OURS = "019f0000-0000-7000-8000-000000000003"
EXPECTED = {
    "text": InboundMessage(f"{NAME}.1", VISITOR, PAGE, (Text("I need a repair"),)),
    "choice": InboundMessage(
        f"{NAME}.2",
        VISITOR,
        Address("web", "main"),
        (Choice("svc_1", "Haircut"),),
        profile_name="Dana",
        provider_account="main",
    ),
    "text_with_extras": InboundMessage(f"{NAME}.3", VISITOR, PAGE, (Text("a\ufffdb"),)),
    "files": InboundMessage(
        f"{NAME}.4",
        VISITOR,
        PAGE,
        (
            Text("The leak"),
            Media("document", file="019f0000-0000-7000-8000-000000000001"),
            Media("document", file="019f0000-0000-7000-8000-000000000002"),
        ),
    ),
    "reaction": InboundMessage(f"{NAME}.5", VISITOR, PAGE, (Reaction(OURS, "👍"),)),
    "reaction_removed": InboundMessage(f"{NAME}.6", VISITOR, PAGE, (Reaction(OURS),)),
    "quote": InboundMessage(f"{NAME}.7", VISITOR, PAGE, (Text("That one"),), reply_to=OURS),
}


@pytest.mark.parametrize("name", sorted(path.stem for path in (PAYLOADS / "webchat").glob("*.json")))
def test_a_post_becomes_its_message(name: str) -> None:
    (event,) = WebChatAdapter().parse(json_post(recorded("webchat", name)))
    assert replace(event, raw={}) == EXPECTED[name]
    assert "tracking" not in event.raw
    assert SESSION not in repr(event)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"session": "short"}, "session"),
        ({"session": "s-0123456789abcdef/../x"}, "session"),
        ({"session": 12345678901234567890}, "session"),
        ({"id": ""}, "id"),
        ({"id": "1\n2"}, "id"),
        ({"text": ""}, "text"),
        ({"text": " \n "}, "text"),
        ({"text": "x" * 4001}, "text"),
        ({"text": ["hi"]}, "text"),
        ({"choice": "svc_1"}, "choice"),
        ({"choice": {"title": "Haircut"}}, "choice.id"),
        ({"choice": {"id": "x" * 300}}, "id"),
        ({"site": "x" * 65}, "site"),
        ({"reply_to": "1"}, "reply_to"),
        ({"reaction": "👍"}, "reaction"),
        ({"reaction": {"emoji": "👍"}}, "reaction.to"),
        ({"reaction": {"to": "019f0000-0000-7000-8000-000000000001", "emoji": "ok"}}, "reaction.emoji"),
        ({"name": {"first": "Dana"}}, "name"),
    ],
)
def test_a_wrong_post_is_refused_by_the_name_of_its_field(changes: dict[str, JSON], field: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        WebChatAdapter().parse(json_post({**recorded("webchat", "text"), **changes}))
    assert refusal.value.field == field


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"3",
        b'"text"',
        b"{",
        b"NaN",
        b"\xff\xfe{\x00}\x00",
        b"\xef\xbb\xbf{}",
        b"[" * 100_000,
        b'{"a":\x80}',
    ],
)
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest, match="body"):
        WebChatAdapter().parse(json_post(body))


def test_the_page_gets_what_it_can_show() -> None:
    messages = (
        OutboundMessage(
            "Which <service>?", choices=(Option("s1", "Haircut"), Option("s2", "Repair", "1 hour")), reference="m1"
        ),
        OutboundMessage("Bye", media=(Media("image", url="https://a.b/c.png"),), link=Link("Pay", "https://a.b")),
    )
    answer = WebChatAdapter().reply(messages)
    assert answer.content_type == "application/json"
    assert json.loads(answer.body) == {
        "messages": [
            {
                "id": "m1",
                "text": "Which <service>?",
                "style": "list",
                "choices": [
                    {"id": "s1", "title": "Haircut"},
                    {"id": "s2", "title": "Repair", "description": "1 hour"},
                ],
            },
            {"text": "Bye", "media": [{"kind": "image", "url": "https://a.b/c.png"}]},
            {"link": {"title": "Pay", "url": "https://a.b"}},
        ]
    }


def _poll(query: str) -> Request:
    return Request.read("GET", f"/webchat?{query}", {})


def test_a_page_asks_for_what_it_has_missed() -> None:
    uid = "019f0000-0000-7000-8000-000000000001"
    assert asked(_poll(f"session={SESSION}")) == Asked("", NAME, "")
    assert asked(_poll(f"session={SESSION}&site=main&after={uid}")) == Asked("main", NAME, uid)
    earlier = Asked("", NAME, "", is_whole=True, before=uid)
    assert asked(_poll(f"session={SESSION}&whole=1&before={uid}")) == earlier


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "session"),
        ("session=short", "session"),
        (f"session={SESSION}%00", "session"),
        (f"session={SESSION}&after=1", "after"),
        (f"session={SESSION}&after=%F0%9F%91%8B", "after"),
        (f"session={SESSION}&whole=1&before=1", "before"),
        (f"session={SESSION}&before=019f0000-0000-7000-8000-000000000001", "before"),
        (f"session={SESSION}&site={'x' * 65}", "site"),
        ("&".join(["x=1"] * 2000), "form"),
    ],
)
def test_a_wrong_question_is_refused_by_the_name_of_its_field(query: str, field: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        asked(_poll(query))
    assert refusal.value.field == field


def test_another_sites_page_cannot_post_without_being_asked() -> None:
    request = json_post(recorded("webchat", "text"))
    keys = AccountKeys("")
    assert WebChatAdapter().verify(request, keys)
    assert WebChatAdapter().verify(replace(request, headers={"content-type": "Application/JSON; charset=utf-8"}), keys)
    assert not WebChatAdapter().verify(replace(request, headers={"content-type": "text/plain"}), keys)
    assert not WebChatAdapter().verify(replace(request, headers={}), keys)


async def test_a_later_message_waits_for_the_page_under_its_reference() -> None:
    chat, keys = WebChatAdapter(), AccountKeys("")
    sent = await chat.send(OutboundMessage("hi", reference="m1"), to=VISITOR, sender=PAGE, keys=keys)
    assert (sent.provider_id, sent.status) == ("m1", "sent")
    with pytest.raises(SendError):
        await chat.send(OutboundMessage("hi"), to=VISITOR, sender=PAGE, keys=keys)


async def test_the_simulator_shows_messages_at_once() -> None:
    screen: list[tuple[Address, OutboundMessage]] = []
    simulator, me = SimulatorAdapter(lambda to, message: screen.append((to, message))), Address("sim", SESSION)
    (event,) = simulator.parse(json_post(recorded("webchat", "text")))
    assert isinstance(event, InboundMessage)
    assert event.sender == me
    wish = OutboundMessage("Sure?", choices=(Option("y", "Yes"), Option("n", "No")), reference="m1")
    sent = await simulator.send(wish, to=me, sender=event.recipient, keys=AccountKeys(""))
    assert sent.status == "delivered"
    assert screen == [(me, replace(wish, style="buttons"))]
