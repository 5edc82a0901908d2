"""The channel log: everything that went over the wire, and nothing in it that nobody else should read."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from channels import redact
from channels.base import Request
from gateway import demo_business as juniper
from gateway.pipeline.refused import PER_MINUTE
from simulators.meta import Faults as MetaFaults
from simulators.meta import File
from simulators.meta import Number as MetaNumber
from simulators.twilio import Faults, TwilioSimulator
from tests import canaries
from tests.clock import FakeClock
from tests.conftest import ENGINES
from tests.gateway import pictures, test_media, test_meta
from tests.gateway.front import OURS, SID, TOKEN, Front, form
from tests.gateway.rest.api import Client, person, stranger
from tests.gateway.test_jobs import PHONE, networked

WORDS = "haircut with Maya on thursday at 3pm"
SECRETS = (WORDS, TOKEN, PHONE, OURS, "Maya", "Zed Bell")


async def _log(desk: Front, query: str = "") -> tuple[str, list[dict[str, Any]]]:
    client = await person(desk)
    found = await client.get("/channels?kind=sms")
    path = f"/channels/{found['items'][0]['id']}"
    return path, (await client.get(f"{path}/log?limit=100{query}"))["items"]


async def _pass_hours(desk: Front, network: TwilioSimulator, count: int) -> None:
    """So that in each the provider says what it has to say: of whom it says nothing for long, it is asked."""
    for _ in range(count):
        await desk.pass_time(timedelta(hours=1))
        await network.settled()


async def test_what_went_over_the_wire_is_kept_without_words_and_numbers(
    database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with networked(database_url, tmp_path, clock) as (desk, network):
        phone = network.phone(PHONE)
        for line in ("my name is Zed Bell", WORDS, "yes"):
            await phone.text(OURS, line)
        await _pass_hours(desk, network, 52)
        path, rows = await _log(desk)
        shown = json.dumps(rows)
        assert not [secret for secret in SECRETS if secret in shown]
        texts = [
            row for row in rows if row["direction"] == "in" and row["request"]["fields"].get("SmsStatus") == "received"
        ]
        assert len(texts) == 3
        assert (
            texts[1]["request"]["fields"].items()
            >= {"AccountSid": SID, "Body": f"•{len(WORDS)}", "From": "•0177"}.items()
        )
        assert texts[1]["answer"]["status"] == 200
        assert len(texts[1]["answer"]["messages"]) == 1
        [reminder] = [row for row in rows if row["direction"] == "out"]
        assert (reminder["status"], reminder["answer"]["status"]) == ("ok", 201)
        assert reminder["request"]["url"].endswith(f"/Accounts/{SID}/Messages.json")
        assert reminder["answer"]["body"]["sid"].startswith("SM")
        assert reminder["took_ms"] >= 0
        # What became of that message came in later, and is found by it.
        _, about = await _log(desk, f"&message_id={reminder['message_id']}")
        assert {"in", "out"} == {row["direction"] for row in about}
        assert len(about) < len(rows)
        # Then only failures are kept, and one of them comes.
        client = await person(desk)
        assert (await client.patch(path, {"log": "failures"}))["log"] == "failures"
        desk.house.accounts.forget()
        network.faults = Faults(rest_500=1)
        await _pass_hours(desk, network, 22)
        _, later = await _log(desk, "&direction=out")
        assert [row["status"] for row in later] == ["failed", "ok"]
        assert (await client.get(f"{path}/log?status=failed"))["total"] == 1
        # And after two weeks all is forgotten.
        clock.advance(timedelta(days=15))
        await desk.work()
        client = await person(desk)
        assert (await client.get(f"{path}/log"))["total"] == 0


def test_of_the_unknown_only_the_length_is_shown() -> None:
    meta = {
        "object": "whatsapp_business_account",
        "entry": [
            {"changes": [{"field": "messages", "value": {"contacts": [{"wa_id": "15125550177"}], "new": "secret"}}]}
        ],
    }
    seen = redact.received(Request.read("POST", "/x?token=abc", {}, json.dumps(meta).encode()))
    value = {"contacts": [{"wa_id": "•0177"}], "new": "•6"}
    changes = [{"field": "messages", "value": value}]
    assert seen == {"method": "POST", "path": "/x", "body": {"object": meta["object"], "entry": [{"changes": changes}]}}
    assert redact.sent("POST", "https://a.example/x?To=%2B1512", b"Body=hello&NumMedia=0") == {
        "method": "POST",
        "url": "https://a.example/x",
        "body": {"Body": "•5", "NumMedia": "0"},
    }


@pytest.mark.parametrize(
    "content",
    [b"{" * 200_000, b'{"a":' * 90 + b"1" + b"}" * 90, b"\xff\x00=1", b"[" + b"1," * 5000 + b"1]", b"a=" + b"&" * 5000],
)
def test_a_row_stays_small_whatever_comes(content: bytes) -> None:
    assert len(json.dumps(redact.body(content))) < redact.MOST


async def test_what_was_turned_away_is_seen_in_the_log_and_fills_no_disk(
    database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with networked(database_url, tmp_path, clock) as (desk, _):
        wrong = form(PHONE, WORDS)
        assert (await desk.post(wrong, signature="")).status == 403
        assert (await desk.post(wrong, token="another-token-0123456789abcdef")).status == 403
        malformed = {name: value for name, value in wrong.items() if not name.endswith("Sid")} | {"AccountSid": SID}
        assert (await desk.post(malformed)).status == 400
        assert (await desk.post({**wrong, "To": "+15125559999"}, signature="")).status == 403  # nobody's
        path, rows = await _log(desk, "&status=refused")
        assert [(row["code"], row["answer"]["status"], row["message_id"]) for row in rows] == [
            ("malformed", 400, None),
            ("bad_signature", 403, None),
            ("bad_signature", 403, None),
        ]
        assert rows[0]["answer"]["field"] == "MessageSid"
        assert rows[1]["request"]["fields"]["Body"] == f"•{len(WORDS)}"
        assert not [secret for secret in SECRETS if secret in json.dumps(rows)]
        # A forger who goes on is written down a few times a minute, whatever comes; and only the newest are kept.
        client = await person(desk)
        for minutes, seen in enumerate((PER_MINUTE, 2 * PER_MINUTE)):
            for _ in range(15):
                assert (await desk.post(wrong, signature="AAAA")).status == 403
            assert (await client.get(f"{path}/log?status=refused"))["total"] == seen, minutes
            clock.advance(timedelta(minutes=1))
        await desk.change(  # as after an hour of that
            "INSERT INTO channel_log (tenant_id, account_id, direction, status, request, answer, created_at) "
            "SELECT c.tenant_id, c.account_id, c.direction, c.status, c.request, c.answer, c.created_at FROM channel_log c "
            "JOIN channel_log d ON d.status = 'refused' JOIN channel_log e ON e.status = 'refused' "
            "WHERE c.status = 'refused' LIMIT 1200"
        )
        await desk.post(wrong, signature="AAAA")
        assert (await client.get(f"{path}/log?status=refused"))["total"] == 500


_PROVIDERS = {"sms": "twilio", "whatsapp": "meta", "web": "webchat"}


@pytest.fixture(params=ENGINES)
def demo_url(request: pytest.FixtureRequest) -> str:
    """The address of a database of the test's own that holds the demo business."""
    return str(request.getfixturevalue(f"demo_{request.param}_url"))


async def _rows(client: Client, kind: str, query: str = "") -> list[dict[str, Any]]:
    found = (await client.get(f"/channels?kind={kind}"))["items"]
    channel = next(one for one in found if one["provider"] == _PROVIDERS[kind])
    rows: list[dict[str, Any]] = (await client.get(f"/channels/{channel['id']}/log?limit=100{query}"))["items"]
    return rows


async def test_of_a_batch_each_sees_its_own_alone_and_what_nobody_acts_on_is_there_too(
    demo_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with test_meta.opened(demo_url, tmp_path, clock, {}) as met:
        ours = await person(met.desk, "admin")
        theirs = await stranger(met.desk)
        elm = await theirs.post("/businesses", {"name": "Elm Street", "time_zone": "America/Chicago"})
        facts = {"provider_account": "209", "business_id": elm["id"]}
        for number, number_id in (("+15125550143", "109"), ("+15125550144", "110")):
            await theirs.post("/whatsapp", {"phone_number": number, "phone_number_id": number_id, **facts})
            met.meta.add_number(MetaNumber(number=number, phone_number_id=number_id, waba_id="209"))
        approved = {"event": "APPROVED", "message_template_id": 7, "message_template_name": "reminder"}
        async with met.meta.batching():
            await met.dana.say(test_meta.OURS, WORDS)
            await met.meta.phone("+15125550188").say("+15125550143", "and a colour for Zed Bell")
            await met.dana.send(test_meta.OURS, "text", {"body": "hi all"}, group_id="Y2FwaV9ncm91cA")
            await met.meta.announce("209", "message_template_status_update", approved)
            flagged: dict[str, object] = {
                "display_phone_number": "15125550144",
                "event": "FLAGGED",
                "current_limit": "TIER_10K",
            }
            await met.meta.announce("209", "phone_number_quality_update", flagged)
            await met.meta.announce(juniper.META_ACCOUNT, "account_update", {"event": "VERIFIED_ACCOUNT"})
        assert [post.status for post in met.meta.posts] == [200]
        mine = [row["request"]["body"] for row in await _rows(ours, "whatsapp", "&direction=in")]
        said = [row["messages"][0] for row in mine if "messages" in row]
        assert sorted((one["from"], one["text"]["body"]) for one in said) == [
            ("•0177", f"•{len(WORDS)}"),
            ("•0177", "•6"),
        ]
        assert [row["value"] for row in mine if "field" in row] == [{"event": "VERIFIED_ACCOUNT"}]
        assert len(mine) == 3
        at = [one["id"] for one in (await theirs.get("/channels?kind=whatsapp"))["items"]]
        logs = [(await theirs.get(f"/channels/{one}/log"))["items"] for one in at]
        seen = [[row["request"]["body"] for row in log if row["direction"] == "in"] for log in logs]
        news = [[body["value"] for body in bodies if "field" in body] for bodies in seen]
        # What is of the account is at both its numbers, and what is of one number at that one.
        assert sorted(map(len, news)) == [1, 2]
        assert all(approved in told for told in news)
        assert {**flagged, "display_phone_number": "•0144"} in news[0] + news[1]
        (said,) = [body["messages"] for bodies in seen for body in bodies if "messages" in body]
        assert [one["from"] for one in said] == ["•0188"]
        # Not even what was wrong with a part of it is shown to anybody else.
        (entry,) = json.loads(met.meta.posts[0].body)["entry"][:1]
        entry["changes"] = [{"field": "messages", "value": {"messages": [{"type": "text", "text": {"body": WORDS}}]}}]
        other = {"id": "209", "changes": [{"field": "messages", "value": {"messages": [{"from": "15125550188"}]}}]}
        broken = {"object": "whatsapp_business_account", "entry": [entry, other]}
        assert await met.post(json.dumps(broken).encode()) == 400
        (row,) = await _rows(ours, "whatsapp", "&status=refused")
        assert (row["code"], row["answer"]["field"]) == ("malformed", "messages.from")
        assert [one["id"] for one in row["request"]["body"]["entry"]] == [f"•{len(juniper.META_ACCOUNT)}"]


async def test_what_meta_answers_is_kept_and_a_reply_leads_to_what_it_answers(
    demo_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with test_meta.opened(demo_url, tmp_path, clock, {}) as met:
        api = await person(met.desk, "admin")
        assert await met.says(WORDS)
        met.meta.faults = MetaFaults(graph_error=1, error_code=131026)
        await met.says("hello?")
        rows = await _rows(api, "whatsapp")
        sent = [row for row in rows if row["direction"] == "out" and "type" in row["request"]["body"]]
        failed, went = sent
        assert went["answer"]["body"] == {
            "messaging_product": "whatsapp",
            "contacts": [{"input": "•0177", "wa_id": "•0177"}],
            "messages": [{"id": went["answer"]["body"]["messages"][0]["id"], "message_status": "accepted"}],
        }
        error = failed["answer"]["body"]["error"]
        assert (failed["status"], failed["code"], error["code"], error["type"]) == (
            "failed",
            "131026",
            131026,
            "OAuthException",
        )
        marked = [row for row in rows if row["direction"] == "out" and "status" in row["request"]["body"]]
        assert marked[-1]["answer"]["body"] == {"success": True}
        # The request that a reply answers is found by the reply, and the news of it too; what else was said is not.
        about = await _rows(api, "whatsapp", f"&message_id={went['message_id']}")
        asked = [row for row in about if row["message_id"] != went["message_id"]]
        assert [row["request"]["body"]["messages"][0]["text"]["body"] for row in asked] == [f"•{len(WORDS)}"]
        mine = [row["request"]["body"] for row in about if row["direction"] == "in" and row not in asked]
        news = [body["statuses"][0]["status"] for body in mine]
        assert news == ["read", "delivered", "sent"]
        shown = json.dumps(rows)
        secrets = (WORDS, "hello?", "5125550177", test_meta.OURS[1:], test_meta.TOKEN, test_meta.SECRET)
        assert not [secret for secret in secrets if secret in shown]


async def test_what_was_asked_for_a_file_is_in_the_log_and_nothing_of_the_file(
    demo_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    note = json.dumps({"status": "is my secret"}).encode()
    async with test_meta.opened(demo_url, tmp_path / "meta", clock, {}) as met:
        await met.dana.send_file(test_meta.OURS, "document", File(note, "application/json", "Maya.json"))
        await met.settle()
        met.meta.faults = MetaFaults(media_lost=1)
        await met.dana.send_file(test_meta.OURS, "image", File(pictures.jpeg(), "image/jpeg"))
        await met.settle()
        api = await person(met.desk, "admin")
        rows = [row for row in await _rows(api, "whatsapp", "&direction=out") if row["request"]["method"] == "GET"]
        lost, told_of_lost, found, told = rows
        assert (told["status"], told["answer"]["body"]["mime_type"]) == ("ok", "application/json")
        assert found["answer"] == {"status": 200, "content_type": "application/json", "bytes": len(note)}
        assert "/_files/" in found["request"]["url"]
        assert (told_of_lost["status"], lost["status"], lost["answer"]["status"]) == ("ok", "failed", 404)
        (message,) = {row["message_id"] for row in (found, told)}
        assert message != lost["message_id"]
        assert "secret" not in json.dumps(rows)
        assert "Maya" not in json.dumps(rows)


async def test_twilio_is_asked_for_a_file_and_sends_elsewhere(
    database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with test_media.opened(database_url, tmp_path, clock) as scene:
        await scene.sent((pictures.jpeg(), "image/jpeg"))
        rows = await _rows(await person(scene.desk), "sms", "&direction=out")
        assert [(row["status"], row["answer"]["status"]) for row in rows] == [("ok", 200), ("ok", 307)]
        assert f"/Accounts/{SID}/Messages/MM" in rows[1]["request"]["url"]
        assert {row["message_id"] for row in rows} == {(await scene.newest())["id"]}


async def test_what_the_web_chat_turned_away_is_in_its_log(demo_url: str, tmp_path: Path, clock: FakeClock) -> None:
    few = {"FRONTDESK_LIMITS__WEBCHAT_SESSION": "4/minute"}
    async with test_meta.opened(demo_url, tmp_path, clock, few) as met:
        api = await person(met.desk, "admin")
        (site,) = (await api.get("/channels?kind=web"))["items"]
        url = f"{met.desk.url}/api/v1/webchat"

        async def asks(method: str, path: str, said: Any = None, **headers: str) -> int:
            async with met.desk.http.request(method, url + path, json=said, headers=headers) as answer:
                return answer.status

        said = {"site": site["address"], "session": canaries.VISITOR, "id": "1", "text": WORDS}
        foreign = {"Origin": "https://elsewhere.example"}
        query = f"?site={site['address']}"
        assert [
            await asks("OPTIONS", f"/messages{query}", **foreign),
            await asks("POST", "/messages", said, **foreign),
            await asks("GET", f"/config{query}", **foreign),
            await asks("GET", f"/socket.io/{query}&EIO=4&transport=polling", **foreign),
            await asks("POST", "/messages", {**said, "text": 7}),
            await asks("POST", f"/media{query}&session={canaries.VISITOR}"),
        ] == [403, 403, 403, 403, 400, 422]
        assert [await asks("POST", "/messages", {**said, "id": str(one)}) for one in range(3)] == [200, 200, 429]
        rows = await _rows(api, "web", "&status=refused")
        assert [(row["code"], row["answer"]["status"]) for row in reversed(rows)] == [
            *[("forbidden_origin", 403)] * 4,
            ("malformed", 400),
            ("validation_error", 422),
            ("rate_limited", 429),
        ]
        assert {row["request"].get("origin") for row in rows} == {None, foreign["Origin"]}
        assert not [secret for secret in (WORDS, canaries.VISITOR) if secret in json.dumps(rows)]
        # What is said to the page later goes over no wire by itself, and is there all the same.
        (talk,) = (await api.get("/conversations?search="))["items"]
        sent = await api.post(f"/conversations/{talk['id']}/messages", {"text": WORDS})
        await met.settle()
        (row,) = await _rows(api, "web", "&direction=out")
        assert (row["message_id"], row["answer"]) == (sent["id"], {"kept": "until it is fetched"})
