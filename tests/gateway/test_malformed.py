"""Every door that providers and visitors have: what makes no sense is refused alike on both engines, and what nobody has
signed is let in nowhere.
"""

import hashlib
import io
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest
from aiohttp import web

from channels.base import Request
from channels.errors import BadRequest
from channels.meta.signing import signature
from channels.signing import sign
from tests.canaries import VISITOR
from tests.clock import FakeClock
from tests.conftest import ENGINES
from tests.gateway import front
from tests.gateway.front import Front
from tests.gateway.rest.test_requests import MALFORMED

SECRET: Final = "the-app-secret-of-the-tests"
DOORS: Final = re.compile(r"/api/v1/(webhooks/(twilio|whatsapp)|webchat/(messages|seen|media))\b.*|/api/webhooks/.*")
FORM: Final = "application/x-www-form-urlencoded"
SID: Final = b"MessageSid=SM" + b"0" * 32 + b"&AccountSid=" + front.SID.encode()
FORMS: Final = [
    ("nothing", b""),
    ("no form", b"\xef\xbb\xbf{}"),
    ("names alone", b"MessageSid&From&To"),
    ("values alone", b"=a&=b"),
    ("empty values", b"MessageSid=&From=&To=&CallSid="),
    ("no number", SID + b"&From=%2B0&To=%2B15125550100&Body=hi"),
    ("bytes that are no text", b"MessageSid=%ff%fe&From=%ff&To=%fe&Body=%ff"),
    ("half a character", SID + b"&From=%ED%A0%80&To=%ED%A0%80&Body=%ED%A0%80"),
    ("NUL", SID + b"&From=%00&To=%00&Body=%00"),
    ("a huge number", SID + b"&NumMedia=" + b"9" * 5000 + b"&From=x"),
    ("UTF-16", "MessageSid=SM1&From=+1".encode("utf-16")),
    ("a name twice", SID + b"&From=%2B15125550177&From=x&To=x"),
    ("two thousand fields", b"&".join(b"a%d=b" % number for number in range(2000))),
    ("a status and nothing else", b"MessageStatus=delivered&SmsStatus=delivered"),
    ("an unknown status", SID + b"&MessageStatus=teleported&To=x"),
    ("a call that is none", b"CallSid=CA1&CallStatus=x&AccountSid=" + front.SID.encode()),
]
TABLES: Final = ("messages", "conversations", "calls", "customers", "outbox", "early_statuses")


def _doors(app: web.Application, method: str = "POST") -> Iterator[str]:
    """One path of each, with something in every blank."""
    for route in app.router.routes():
        path = route.resource.canonical if route.resource is not None else ""
        if route.method == method and DOORS.fullmatch(path) and not path.endswith("/"):
            yield re.sub(r"{[^}]*}", "x", path)


def _signed(desk: Front, path: str, kind: str, body: bytes) -> tuple[str, Mapping[str, str]]:
    """The address and the headers with which its provider would post that."""
    head = {"Content-Type": kind}
    if "twilio" not in path:
        return path + f"?site=x&session={VISITOR}", {**head, "X-Hub-Signature-256": signature(SECRET, body)}
    if kind != FORM:
        path += "?bodySHA256=" + hashlib.sha256(body).hexdigest()
    try:
        pairs = Request.read("POST", path, head, body).form
    except BadRequest:
        pairs = ()
    return path, {**head, "X-Twilio-Signature": sign(front.TOKEN, desk.url + path, pairs)}


async def _answers(desk: Front) -> dict[tuple[str, str], int]:
    """By door and body, the status; and what is kept afterwards."""
    found = {}
    doors = sorted(set(_doors(desk.app)))
    assert {"/api/v1/webhooks/twilio/messages", "/api/v1/webhooks/whatsapp", "/api/v1/webchat/messages"} <= {*doors}
    before = [await desk.one(f"SELECT count(*) FROM {table}") for table in TABLES]
    bodies = [(f"JSON: {what}", "application/json", body) for what, body, _ in MALFORMED]
    bodies += [(f"form: {what}", FORM, body) for what, body in FORMS]
    for door in doors:
        for what, kind, body in bodies:
            path, headers = _signed(desk, door, kind, body)
            async with desk.http.post(desk.url + path, data=io.BytesIO(body), headers=headers) as answer:
                found[door, what] = answer.status
                await answer.read()
    assert [await desk.one(f"SELECT count(*) FROM {table}") for table in TABLES] == before
    return found


async def test_what_makes_no_sense_is_refused_at_every_door_alike_and_kept_nowhere(
    request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock
) -> None:
    clock.set(front.NOON)
    env = {"META_APP_SECRET": SECRET, "META_ACCESS_TOKEN": "x" * 20, "FRONTDESK_LIMITS__ENABLED": "false"}
    by_engine = []
    for engine in ENGINES:
        url = request.getfixturevalue(f"demo_{engine}_url")
        async with front.opened(url, tmp_path / engine, clock, env, seeded=False) as desk:
            by_engine.append(await _answers(desk))
    one, other = by_engine
    assert one == other
    assert [(case, status) for case, status in one.items() if status >= 500] == []
    # Signed, and for a number that is not ours. What a call's doors say is spoken, whatever came: nobody is left in silence.
    of_others = ("form: a name twice", "form: an unknown status")
    assert [
        case for case, status in one.items() if status < 400 and "/voice" not in case[0] and case[1] not in of_others
    ] == []


async def test_no_door_of_a_provider_opens_without_its_signature(
    demo_sqlite_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    clock.set(front.NOON)
    async with front.opened(demo_sqlite_url, tmp_path, clock, {"META_APP_SECRET": SECRET}, seeded=False) as desk:
        before = [await desk.one(f"SELECT count(*) FROM {table}") for table in TABLES]
        found: dict[tuple[str, str], set[int]] = {}
        fields = {**front.form("+15125550177", "book"), "CallSid": "CA" + "1" * 32, "CallStatus": "ringing"}
        for method in ("POST", "GET"):
            for door in sorted(set(_doors(desk.app, method))):
                if "/webchat/" in door:  # visitors have nothing to sign with
                    continue
                for signed in ("", "bm90IG91cnM=", "sha256=" + "0" * 64):
                    head = {"X-Twilio-Signature": signed, "X-Hub-Signature-256": signed}
                    data, query = (fields, None) if method == "POST" else (None, fields)
                    url = desk.url + door
                    async with desk.http.request(method, url, headers=head, data=data, params=query) as answer:
                        found.setdefault((method, door), set()).add(answer.status)
        assert len(found) > 20
        music = ("GET", "/api/v1/webhooks/twilio/voice/hold/music.wav")  # which the provider plays to whoever waits
        assert found.pop(music) == {200}
        assert {door: statuses for door, statuses in found.items() if statuses != {403}} == {}
        assert [await desk.one(f"SELECT count(*) FROM {table}") for table in TABLES] == before
