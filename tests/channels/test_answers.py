"""What a provider answers us, wrong in every way: each call of each adapter gives a result or a `SendError`, and never
anything else.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import aiohttp
import pytest
from aiohttp import web
from pytest_aiohttp.plugin import AiohttpServer

from channels.base import (
    AccountKeys,
    ForgetsMessages,
    ListsTemplates,
    MarksRead,
    ShowsTyping,
    TellsCharges,
    TellsStatus,
)
from channels.errors import SendError
from channels.files import KeepsFiles
from channels.messages import Address, Media, OutboundMessage, Template
from channels.meta.client import MetaClient
from channels.registry import Network, adapters
from channels.twilio.client import TwilioClient
from tests.channels.test_contract import ADAPTERS
from tests.channels.test_parsers import each_wrong

SID: Final = "SM" + "1" * 32
NOW: Final = datetime(2026, 3, 2, 18, tzinfo=UTC)
MESSAGE: Final = {
    "sid": SID,
    "account_sid": "AC1",
    "status": "queued",
    "body": "hi",
    "to": "+15551230001",
    "from": "+15125550100",
    "date_created": "Mon, 02 Mar 2026 18:00:00 +0000",
    "price": "-0.0079",
    "price_unit": "USD",
    "error_code": None,
    "num_media": "0",
    "num_segments": "1",
    "direction": "outbound-api",
    "subresource_uris": {"media": "/x"},
}
CONTENT: Final = {
    "sid": "HX" + "1" * 32,
    "friendly_name": "reminder",
    "language": "en",
    "variables": {"1": "x"},
    "types": {"twilio/text": {"body": "Hi {{1}}"}},
    "date_created": "2026-03-02T18:00:00Z",
    "approval_requests": {"status": "approved", "category": "UTILITY", "name": "reminder"},
}
LISTED: Final = {"meta": {"page": 0, "page_size": 50, "key": "contents", "next_page_url": None}, "contents": [CONTENT]}
LISTED_TOO: Final = {"messages": [MESSAGE], "page": 0, "next_page_uri": None, "page_size": 50}
TEMPLATE: Final = {"name": "reminder", "language": "en_US", "status": "APPROVED", "category": "UTILITY"}
# What each vendor answers when all is well, and when it is not.
ANSWERS: Final[Mapping[str, list[Any]]] = {
    "twilio": [MESSAGE, LISTED, LISTED_TOO, {"code": 21610, "message": "no", "status": 400}],
    "meta": [
        {
            "messages": [{"id": "wamid.A", "message_status": "accepted"}],
            "contacts": [{"input": "1", "wa_id": "15551230001"}],
        },
        {"url": "http://127.0.0.1/x", "mime_type": "image/png", "sha256": "0" * 64, "file_size": 7, "id": "9"},
        {
            "data": [
                {**TEMPLATE, "components": [{"type": "BODY", "text": "Hi {{1}}"}, {"type": "BUTTONS", "buttons": [{}]}]}
            ],
            "paging": {"cursors": {"before": "a", "after": "b"}, "next": ""},
        },
        {"error": {"message": "no", "type": "OAuthException", "code": 131026, "error_data": {"details": "x"}}},
        {"success": True},
    ],
}
KEYS: Final = AccountKeys("AC1", ("the-token",), "https://desk.example.com", password="the-token", service_id="106")


def _calls(adapter: Any) -> dict[str, Callable[[], Awaitable[object]]]:
    """Everything that asks the vendor for something."""
    kind: Any = "whatsapp" if adapter.channel == "whatsapp" else "phone"
    to, sender = Address(kind, "+15551230001"), Address(kind, "+15125550100")

    def send(message: OutboundMessage, tried_at: datetime | None = None) -> Awaitable[object]:
        return adapter.send(message, to=to, sender=sender, keys=KEYS, tried_at=tried_at)  # type: ignore[no-any-return]

    async def charges() -> list[object]:
        return [one async for one in adapter.charges(sender, NOW - timedelta(days=1), NOW, keys=KEYS)]

    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "send": lambda: send(OutboundMessage("hi")),
        "send again": lambda: send(OutboundMessage("hi"), NOW - timedelta(hours=1)),
    }
    if adapter.capabilities.templates:
        calls["send a template"] = lambda: send(OutboundMessage("hi", template=Template("reminder", "en", {"1": "x"})))
    if isinstance(adapter, TellsStatus):
        calls["status"] = lambda: adapter.status(SID, keys=KEYS)
    if isinstance(adapter, ForgetsMessages):
        calls["forget"] = lambda: adapter.forget(SID, keys=KEYS)
    if isinstance(adapter, ListsTemplates):
        calls["templates"] = lambda: adapter.templates(KEYS)
    if isinstance(adapter, KeepsFiles):
        calls["locate"] = lambda: adapter.locate(
            Media("image", media_id="9", url="https://api.twilio.com/x"), keys=KEYS
        )
    if isinstance(adapter, ShowsTyping):
        calls["show typing"] = lambda: adapter.show_typing("wamid.A", sender=sender, keys=KEYS)
    if isinstance(adapter, MarksRead):
        calls["mark read"] = lambda: adapter.mark_read("wamid.A", keys=KEYS)
    if isinstance(adapter, TellsCharges):
        calls["charges"] = charges
    return calls


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as running:
        yield running


@pytest.mark.parametrize("key", [key for key in ADAPTERS if key[0] in ANSWERS], ids="-".join)
async def test_whatever_is_answered_there_is_a_result_or_a_reason(
    key: tuple[str, str], session: aiohttp.ClientSession, aiohttp_server: AiohttpServer
) -> None:
    said: list[tuple[int, bytes]] = []

    async def answer(_: web.Request) -> web.Response:
        # Once: a list whose next page is itself would never end.
        status, body = said.pop() if said else (200, b"{}")
        return web.Response(status=status, body=body, content_type="application/json")

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", answer)
    server = await aiohttp_server(app)
    base = str(server.make_url("/")).rstrip("/")
    network = Network(
        TwilioClient(session, api_base=base), MetaClient(session, api_base=f"{base}/v24.0"), lambda to, message: None
    )
    adapter = adapters(network)[key]
    wrong = {json.dumps(value).encode() for value in each_wrong(ANSWERS[key[0]])}
    right = [json.dumps(value).encode() for value in ANSWERS[key[0]]]
    others = [b"", b"{", b"[]", b"null", b"7", b'"x"', b"\xff\xfe", b"<html>", b"[" * 5000, b"NaN"]
    for body in [*right, *others, *sorted(wrong)]:
        for status in (200,) if body in wrong else (200, 400):
            for name, call in _calls(adapter).items():
                said[:] = [(status, body)]
                try:
                    await call()
                except SendError:
                    continue
                except Exception as error:  # noqa: BLE001  whichever it is
                    pytest.fail(f"{name}: {error!r} for {body[:300]!r}")
