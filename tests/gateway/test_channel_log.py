"""The channel log: everything that went over the wire, and nothing in it that nobody else should read."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from channels import redact
from channels.base import Request
from gateway.pipeline.refused import PER_MINUTE
from simulators.twilio import Faults, TwilioSimulator
from tests.clock import FakeClock
from tests.gateway.front import OURS, SID, TOKEN, Front, form
from tests.gateway.rest.api import person
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
