"""The main job through the front door: a signed text comes in, what must be true is true afterwards."""

import asyncio
import hashlib
import io
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qsl

import psutil
import psycopg
import pytest
from sqlalchemy.engine import make_url
from twilio.request_validator import RequestValidator

from desk.accounts import CREDENTIALS
from gateway import demo_business as juniper
from tests.clock import FakeClock
from tests.gateway import front
from tests.gateway.front import MESSAGES, OURS, SID, STATUS, Front, form
from tests.gateway.rest.api import person
from tests.servers import free_port
from tests.wire import wire

PHONE = "+15125550177"


async def test_a_customer_books_by_text(desk: Front) -> None:
    replies = await desk.says(PHONE, "hi", "book", "haircut", "tomorrow", "3pm")
    assert "Juniper" in replies[0]
    assert "Haircut" in replies[1]
    assert "3:00 PM" in replies[4]
    assert "Tuesday, March 3" in replies[4]
    booked = await desk.text(PHONE, "yes")
    assert booked.status == 200
    assert "Tuesday, March 3" in booked.text
    ((status, starts_at, phone),) = await desk.rows(
        "SELECT a.status, a.local_start, c.phone FROM appointments a JOIN customers c ON c.id = a.customer_id"
        " WHERE a.source = 'bot' AND c.phone = :phone",
        phone=PHONE,
    )
    assert (status, starts_at, phone) == ("scheduled", "2026-03-03T15:00", PHONE)
    assert await desk.one("SELECT count(*) FROM messages WHERE direction = 'in'") == 6
    assert await desk.one("SELECT count(*) FROM jobs WHERE kind = 'reminder' AND dedupe LIKE 'reminder:%'") != 0


async def test_everything_in_one_sentence(desk: Front) -> None:
    read_back, booked = await desk.says(PHONE, "haircut with Maya on thursday at 3pm please", "yes")
    for fact in ("Haircut", "Maya", "Thursday, March 5", "3:00 PM"):
        assert fact in read_back
    assert "Thursday, March 5" in booked


async def test_the_same_form_twenty_times_at_once_is_one_message_and_twenty_equal_answers(desk: Front) -> None:
    fields = form(PHONE, "book a haircut")
    answers = await asyncio.gather(*(desk.post(fields) for _ in range(20)))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 1
    assert answers[0].texts
    assert await desk.one("SELECT count(*) FROM messages WHERE direction = 'in'") == 1
    assert await desk.one("SELECT count(*) FROM messages WHERE direction = 'out'") == len(answers[0].texts)


async def test_a_repeat_days_later_changes_nothing(desk: Front) -> None:
    fields = form(PHONE, "book")
    first = await desk.post(fields)
    await desk.says(PHONE, "haircut", "never mind")
    await desk.change("UPDATE conversations SET status = 'closed'")
    desk.clock.advance(timedelta(days=8))  # longer than any provider tries
    counts = [
        f"SELECT count(*) FROM {table}" for table in ("messages", "jobs", "conversations WHERE status <> 'closed'")
    ]
    before = [await desk.one(count) for count in counts]
    assert (await desk.post(fields)).body == first.body
    assert [await desk.one(count) for count in counts] == before


async def test_the_same_id_in_another_account_is_another_message(desk: Front) -> None:
    other = "+15125550188"
    await desk.change(
        "INSERT INTO accounts (uid, tenant_id, business_id, bot_id, channel, provider, address, created_at)"
        f" SELECT '{'0' * 31}9', tenant_id, business_id, bot_id, channel, provider, '{other}', created_at"
        f" FROM accounts WHERE address = '{OURS}' AND channel = 'sms'"
    )
    sid = "SM" + "7" * 32
    await desk.text(PHONE, "hi", sid=sid)
    await desk.text(PHONE, "hi", sid=sid, To=other)
    assert await desk.one("SELECT count(*) FROM messages WHERE direction = 'in'") == 2
    assert await desk.one("SELECT count(DISTINCT conversation_id) FROM messages") == 2


FORGERIES: dict[str, Callable[[Front, dict[str, str]], dict[str, object]]] = {
    "no signature": lambda desk, fields: {"fields": fields, "signature": ""},
    "nonsense": lambda desk, fields: {"fields": fields, "signature": "AAAA\N{SNOWMAN}".encode().hex()},
    "another token": lambda desk, fields: {"fields": fields, "token": "another-token-0123456789abcdef"},
}


@pytest.mark.parametrize("how", FORGERIES)
async def test_a_forged_request_gets_403_and_leaves_no_row(desk: Front, how: str) -> None:
    arguments = FORGERIES[how](desk, form(PHONE, "book"))
    answer = await desk.post(**arguments)  # type: ignore[arg-type]  # each row of the table fits `post`
    assert answer.status == 403
    assert b"BAD_SIGNATURE" in answer.body
    assert await desk.one("SELECT count(*) FROM messages") == 0
    assert await desk.one("SELECT count(*) FROM conversations") == 0


async def test_a_changed_form_and_an_extra_query_are_refused(desk: Front) -> None:
    fields = form(PHONE, "book")
    signature = RequestValidator(front.TOKEN).compute_signature(desk.url + MESSAGES, fields)
    changed = await desk.post({**fields, "Body": "cancel"}, signature=signature)
    query = await desk.post(fields, path=MESSAGES + "?To=evil", signature=signature)
    assert (changed.status, query.status) == (403, 403)
    assert (await desk.post(fields, signature=signature)).status == 200


async def test_json_needs_its_hash_order_does_not_matter_and_a_boundary_does(desk: Front) -> None:
    body = b'{"Body": "book"}'
    right, wrong = (hashlib.sha256(one).hexdigest() for one in (body, body + b" "))
    validator, statuses = RequestValidator(front.TOKEN), []
    for query in ("", f"?bodySHA256={wrong}", f"?bodySHA256={right}"):
        url = desk.url + MESSAGES + query
        headers = {"X-Twilio-Signature": validator.compute_signature(url, {}), "Content-Type": "application/json"}
        async with desk.http.post(url, data=body, headers=headers) as answer:
            statuses.append(answer.status)
    assert statuses == [403, 403, 400]  # Twilio's own, but no message
    fields = form(PHONE, "book")
    signature = validator.compute_signature(desk.url + MESSAGES, fields)
    moved = {name: value for name, value in fields.items() if name != "Body"} | {"BodybooK": "", "Bodybo": "ok"}
    assert (await desk.post(moved, signature=signature)).status == 403
    for table in ("messages", "conversations"):
        assert await desk.one(f"SELECT count(*) FROM {table}") == 0
    assert (await desk.post(dict(reversed(fields.items())), signature=signature)).texts


# As somebody may be named in a request, and the one form in which they are kept.
SENDERS = {
    "+15125550177": "+15125550177",
    "whatsapp:+15125550177": "+15125550177",
    "+\uff11\uff15\uff11\uff12\uff15\uff15\uff15\uff10\uff11\uff17\uff17": "+15125550177",  # full width
    "\u200f+15125550177\u200e": "+15125550177",  # marks of direction
    "24273": "24273",
    "MY BANK": "MY BANK",
}


async def test_whoever_writes_is_kept_in_one_form_and_no_character_of_theirs_is_cut(desk: Front) -> None:
    for sender in SENDERS:
        ours = {"To": f"whatsapp:{juniper.WHATSAPP_NUMBER}"} if sender.startswith("whatsapp:") else {}
        assert (await desk.text(sender, "hi", **ours)).status == 200
    kept = {peer for (peer,) in await desk.rows("SELECT peer FROM conversations")}
    assert kept == set(SENDERS.values())
    assert (
        await desk.one("SELECT count(*) FROM conversations WHERE peer = :peer", peer=PHONE) == 2
    )  # one by each channel
    for sender in ("", "whatsapp:", "+0", "+1" + "5" * 40, "whatsapp:+12ab"):
        refused = await desk.text(sender, "hi")
        assert (refused.status, b"From" in refused.body) == (400, True), sender
    family = "\N{MAN}\u200d\N{WOMAN}\u200d\N{GIRL}"
    for text in ("a" * 1600, family * 300, "a" * 1599 + family, "[" * 800):
        assert (await desk.text(PHONE, text)).status == 200
        assert await desk.one("SELECT text FROM messages WHERE direction = 'in' ORDER BY id DESC LIMIT 1") == text


async def test_signatures_behind_a_proxy_and_with_a_rotated_token(
    sqlite_database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    clock.set(front.NOON)
    env = {
        "PUBLIC_URL": "https://desk.example/front",
        "TWILIO_AUTH_TOKEN": "the-new-token-0123456789,the-old-token-0123456789",
    }
    async with front.opened(sqlite_database_url, tmp_path, clock, env) as desk:
        for number, (url, token, status) in enumerate(
            [
                ("https://desk.example/front", "the-new-token-0123456789", 200),
                ("https://desk.example/front", "the-old-token-0123456789", 200),
                ("https://desk.example:443/front", "the-new-token-0123456789", 200),
                ("https://desk.example/front", "a-third-token-0123456789", 403),
                (desk.url, "the-new-token-0123456789", 403),  # the host of the request counts for nothing
                ("https://evil.example", "the-new-token-0123456789", 403),
            ]
        ):
            fields = form(f"+151255502{number:02d}", "hi")
            signature = RequestValidator(token).compute_signature(url + MESSAGES, fields)
            assert (await desk.post(fields, signature=signature)).status == status, (url, token)


@pytest.mark.parametrize(("proxies", "status"), [("", 403), ("10.0.0.0/8", 403), ("127.0.0.0/8, ::1/128", 200)])
async def test_what_a_proxy_says_of_the_address_counts_if_we_trust_it(
    demo_sqlite_url: str, tmp_path: Path, clock: FakeClock, proxies: str, status: int
) -> None:
    clock.set(front.NOON)
    env = {"PUBLIC_URL": "https://desk.example", "FRONTDESK_SERVER__TRUSTED_PROXIES": proxies}
    async with front.opened(demo_sqlite_url, tmp_path, clock, env, seeded=False) as desk:
        fields, path = form(PHONE, "hi"), MESSAGES
        for host, header in (("other.example", "X-Forwarded-Host"), ("third.example", "Host")):
            signed = RequestValidator(front.TOKEN).compute_signature(f"https://{host}{path}", fields)
            said = {header: host, "X-Forwarded-Proto": "https", "X-Twilio-Signature": signed}
            async with desk.http.post(desk.url + path, data=fields, headers=said) as answer:
                assert answer.status == status, header
        assert await desk.one("SELECT count(*) FROM messages WHERE direction = 'in'") == (status == 200)


async def test_a_number_that_is_not_connected_is_no_reason_for_a_403(desk: Front) -> None:
    answer = await desk.text(PHONE, "hi", To="+15125559999")
    assert (answer.status, answer.texts) == (200, ())


@pytest.mark.parametrize("body", ["", "a=b", "MessageSid=&From=&To=", "%ff%fe=%00", "{}", "\x00" * 50])
async def test_signed_nonsense_is_a_400_that_names_the_field(desk: Front, body: str) -> None:
    fields = dict(parse_qsl(body, keep_blank_values=True))
    signature = RequestValidator(front.TOKEN).compute_signature(desk.url + MESSAGES, fields)
    headers = {"X-Twilio-Signature": signature, "Content-Type": "application/x-www-form-urlencoded"}
    async with desk.http.post(desk.url + MESSAGES, data=body.encode(), headers=headers) as answer:
        assert answer.status in (400, 403)
        assert set(await answer.json()) == {"detail", "error_code", "status_code", "path", "timestamp", "request_id"}


async def test_bodies_and_heads_that_are_too_large_are_refused_and_take_no_memory(desk: Front) -> None:
    async with desk.http.post(desk.url + MESSAGES, data=io.BytesIO(b"a" * 2_000_000)) as answer:
        assert answer.status == 413
        assert (await answer.json())["error_code"] == "TOO_LARGE"
    port = int(desk.url.rpartition(":")[2])
    post = f"POST {MESSAGES} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n".encode()
    fields = b"&".join(b"field%d=x" % number for number in range(10_000))
    chunk = b"10000\r\n" + b"a" * 0x10000 + b"\r\n"
    form_type = b"Content-Type: application/x-www-form-urlencoded\r\n"
    table = [
        (post + b"X-Big: " + b"a" * 2**20 + b"\r\n\r\n", (400, 431)),
        (post + b"".join(b"X-%d: a\r\n" % number for number in range(10_000)) + b"\r\n", (400, 431)),
        (post + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 64, (413,)),  # it never says how much is to come
        (post + form_type + b"Content-Length: %d\r\n\r\n" % len(fields) + fields, (400, 403)),
    ]
    before = psutil.Process().memory_info().rss
    for raw, statuses in table:
        for _ in range(5):
            said = await _raw(port, raw)
            # Who goes on sending may lose the answer with the connection.
            assert not said or int(said.split()[1]) in statuses, said[:200]
    assert psutil.Process().memory_info().rss - before < 20_000_000
    assert (await desk.text(PHONE, "hi")).status == 200


async def _raw(port: int, raw: bytes) -> bytes:
    """How the answer to these bytes begins."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(raw)
        return await asyncio.wait_for(reader.read(4096), 5)
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def test_two_bots_that_talk_to_each_other_end_with_a_person(desk: Front) -> None:
    said = "We are closed. This is an automatic reply."
    for turns in range(60):
        answer = await desk.text(PHONE, said)
        if not answer.texts:
            break
        said = f"{answer.text[:120]} ({turns})"  # theirs says ours again
        desk.clock.advance(timedelta(seconds=2))
    assert turns < 50
    assert await desk.one("SELECT owner FROM conversations") == "queue"
    assert (await desk.text(PHONE, "We are closed.")).texts == ()


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("DELETE", MESSAGES, 405)])
async def test_unknown_doors_answer_in_json(desk: Front, method: str, path: str, status: int) -> None:
    async with desk.http.request(method, desk.url + path) as answer:
        assert answer.status == status
        assert (await answer.json())["status_code"] == status


@pytest.mark.parametrize("path", [MESSAGES, MESSAGES + "/", "/webhooks/twilio/messages"])
async def test_the_door_has_a_trailing_slash_or_not(desk: Front, path: str) -> None:
    assert (await desk.post(form(PHONE, "hi"), path=path)).texts


async def test_two_messages_at_once_are_handled_one_after_the_other(desk: Front) -> None:
    await desk.text(PHONE, "hi")
    await asyncio.gather(desk.text(PHONE, "book"), desk.text(PHONE, "haircut"), desk.text(PHONE, "tomorrow"))
    turns = await desk.rows("SELECT turn_id, count(*) FROM messages WHERE direction = 'out' GROUP BY turn_id")
    assert len(turns) == 4
    assert await desk.one("SELECT count(*) FROM conversations") == 1


async def test_a_picture_is_kept_and_answered_kindly(desk: Front) -> None:
    await desk.says(PHONE, "book")
    answer = await desk.text(
        PHONE, "", NumMedia="1", MediaUrl0="https://api.twilio.com/x", MediaContentType0="image/jpeg"
    )
    assert answer.texts
    assert await desk.one("SELECT content FROM messages WHERE direction = 'in' ORDER BY id DESC LIMIT 1") is not None


BESIDE: list[tuple[dict[str, str], dict[str, object] | None]] = [
    ({}, None),
    ({"Forwarded": "true"}, {"type": "forwarded"}),
    ({"FrequentlyForwarded": "true"}, {"type": "forwarded", "frequently": True}),
    ({"ReferralSourceId": "7", "ReferralHeadline": "20 % off"}, {"type": "referral", "source_id": "7", "headline": "20 % off"}),
]  # fmt: skip


async def test_what_came_beside_a_text_is_kept_and_shown(desk: Front) -> None:
    api = await person(desk)
    ours = {"To": f"whatsapp:{juniper.WHATSAPP_NUMBER}"}
    for more, _ in BESIDE:
        assert (await desk.text(f"whatsapp:{PHONE}", "hi", **ours, **more)).status == 200
    (talk,) = (await api.get("/conversations"))["items"]
    said = (await api.get(f"/conversations/{talk['id']}/messages"))["items"]
    shown = [one["content"] for one in said if one["direction"] == "in"]
    assert shown == [beside and [{"type": "text", "text": "hi"}, beside] for _, beside in BESIDE]
    assert await desk.one("SELECT count(*) FROM messages WHERE raw IS NOT NULL") == len(BESIDE) - 1


# Who talks ------------------------------------------------------------------------------------------------------------


async def test_the_bot_is_silent_while_a_person_talks(desk: Front) -> None:
    handed = await desk.says(PHONE, "book", "human please")
    assert handed[-1]
    assert (await desk.text(PHONE, "are you there?")).texts == ()
    assert await desk.one("SELECT owner FROM conversations") == "queue"
    assert await desk.one("SELECT count(*) FROM owner_changes WHERE owner = 'queue' AND note <> ''") == 1
    assert await desk.one("SELECT count(*) FROM messages WHERE direction = 'in'") == 3


async def test_a_hand_off_that_nobody_claims_ends_and_the_bot_says_so(desk: Front) -> None:
    await desk.says(PHONE, "human please")
    await desk.pass_time(timedelta(hours=2))
    assert await desk.one("SELECT owner FROM conversations") == "bot"
    assert (await desk.text(PHONE, "book")).texts


# May we speak ---------------------------------------------------------------------------------------------------------


async def test_stop_stops_everything_until_start(desk: Front) -> None:
    await desk.says(PHONE, "book a haircut for tomorrow at 3pm", "yes")
    assert (await desk.text(PHONE, " Stop! ")).texts == ()
    assert (await desk.text(PHONE, "hello")).texts == ()
    await desk.pass_time(timedelta(days=2), step=timedelta(hours=1))
    assert await desk.one("SELECT count(*) FROM messages WHERE status = 'refused' AND error_code = 'opted_out'") != 0
    assert await desk.one("SELECT count(*) FROM outbox WHERE state = 'sent'") == 0
    assert (await desk.text(PHONE, "START")).texts == ()
    assert (await desk.text(PHONE, "hello")).texts
    ledger = await desk.rows("SELECT state, source FROM consent_events ORDER BY id")
    assert ledger == [("out", "keyword"), ("in", "keyword")]


async def test_what_the_provider_has_answered_is_not_answered_twice(desk: Front) -> None:
    assert (await desk.text(PHONE, "HELP", OptOutType="HELP")).texts == ()
    assert (await desk.text(PHONE, "arret", OptOutType="STOP")).texts == ()
    assert (await desk.text(PHONE, "hello")).texts == ()


# Statuses -------------------------------------------------------------------------------------------------------------


async def test_news_of_an_inline_reply_finds_it_and_never_goes_back(desk: Front) -> None:
    answer = await desk.text(PHONE, "hi")
    reference = answer.body.decode().split("ref=")[1][:36]
    for status in ("sent", "delivered", "sent", "queued"):
        news = {"MessageSid": "SM" + "5" * 32, "MessageStatus": status, "To": PHONE, "From": OURS, "AccountSid": SID}
        assert (await desk.post(news, path=f"{STATUS}?ref={reference}")).status in (200, 204)
    ((uid, status, provider_id),) = await desk.rows(
        "SELECT uid, status, provider_id FROM messages WHERE direction = 'out'"
    )
    assert str(uid).replace("-", "") == reference.replace("-", "")
    assert (status, provider_id) == ("delivered", "SM" + "5" * 32)


async def test_news_of_an_unknown_message_is_kept_for_later(desk: Front) -> None:
    news = {"MessageSid": "SM" + "6" * 32, "MessageStatus": "delivered", "To": PHONE, "From": OURS, "AccountSid": SID}
    assert (await desk.post(news, path=STATUS)).status in (200, 204)
    assert await desk.one("SELECT count(*) FROM early_statuses") == 1
    await desk.pass_time(timedelta(days=9), step=timedelta(days=3))
    assert await desk.one("SELECT count(*) FROM early_statuses") == 0


# When something is broken ---------------------------------------------------------------------------------------------


async def test_a_turn_that_breaks_keeps_the_message_and_tells_a_person(desk: Front) -> None:
    await desk.says(PHONE, "book")
    await desk.change('UPDATE conversations SET flow = \'{"stack": [{"version": 999}], "memo": 1}\'')
    answer = await desk.text(PHONE, "haircut")
    assert answer.status == 200
    assert answer.texts
    assert await desk.one("SELECT owner FROM conversations") == "queue"
    assert await desk.one("SELECT count(*) FROM messages WHERE direction = 'in'") == 2


async def test_while_postgresql_is_away_messages_go_to_disk_and_are_answered_later(
    postgresql_database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    clock.set(front.NOON)
    real = make_url(postgresql_database_url)
    async with wire(real.host or "", real.port or 5432) as between:
        through = real.set(host="127.0.0.1", port=between.port).render_as_string(hide_password=False)
        async with front.opened(through, tmp_path, clock) as desk:
            await desk.says(PHONE, "book")
            await between.cut()
            answers = [await desk.text(PHONE, line) for line in ("haircut", "tomorrow")]
            assert [(answer.status, answer.texts) for answer in answers] == [(200, ()), (200, ())]
            async with desk.http.get(desk.url + "/healthz") as health:
                assert (health.status, (await health.json())["database"]) == (200, "away")
            async with desk.http.get(desk.url + "/readyz") as ready:
                assert ready.status == 503
            await desk.work()  # still away: nothing is lost by trying
            await between.mend()
            await desk.work()
            await desk.work()
            said = await desk.rows("SELECT text FROM messages WHERE direction = 'in' ORDER BY id")
            assert [text for (text,) in said] == ["book", "haircut", "tomorrow"]
            assert await desk.one("SELECT count(DISTINCT turn_id) FROM messages WHERE direction = 'out'") == 3


async def test_while_postgresql_only_reads_messages_go_to_disk_and_it_is_told_why(
    postgresql_database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    clock.set(front.NOON)
    name = make_url(postgresql_database_url).database
    beside = make_url(postgresql_database_url).set(database="postgres").render_as_string(hide_password=False)
    async with (
        front.opened(postgresql_database_url, tmp_path, clock) as desk,
        await psycopg.AsyncConnection.connect(beside, autocommit=True) as admin,
    ):
        api = await person(desk, "admin")
        await desk.says(PHONE, "book")
        await admin.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
        answer = await desk.text(PHONE, "haircut")
        assert (answer.status, answer.texts) == (200, ())
        for path, status in (("/healthz", 200), ("/readyz", 503)):
            async with desk.http.get(desk.url + path) as health:
                assert (health.status, (await health.json())["database"]) == (status, "read_only")
        assert (await api.call("POST", "/teams", {"name": "Barbers"})).status == 503
        assert (await api.call("GET", "/conversations")).status == 200
        await desk.work()
        await admin.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
        await desk.work()  # whatever it has still open only reads
        await desk.work()
        said = await desk.rows("SELECT text FROM messages WHERE direction = 'in' ORDER BY id")
        assert [text for (text,) in said] == ["book", "haircut"]
        assert (await desk.text(PHONE, "tomorrow")).texts
        async with desk.http.get(desk.url + "/readyz") as health:
            assert health.status == 200


async def test_without_a_spool_the_provider_hears_503_and_repeats(tmp_path: Path, clock: FakeClock) -> None:
    url = f"postgresql://nobody@127.0.0.1:{free_port()}/nothing"
    env = {"FRONTDESK_SERVER__SPOOL": "false"}
    async with front.opened(url, tmp_path, clock, env, seeded=False) as desk:
        answer = await desk.text(PHONE, "hi")
        assert answer.status == 503
        assert answer.headers["Retry-After"]


# Keys ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("names_its_account", [True, False])
async def test_an_account_with_keys_of_its_own_is_opened_by_no_others(desk: Front, names_its_account: bool) -> None:
    other, own, sub_account = "+15125550188", "its-own-token-0123456789abcdef", "AC" + "9" * 32
    await _connect(desk, other, own, sub_account if names_its_account else None)
    fields = form(PHONE, "hi", To=other, AccountSid=sub_account if names_its_account else SID)
    assert (await desk.post(fields, token=own)).status == 200
    assert (await desk.post(form(PHONE, "hi", To=other), token=front.TOKEN)).status == 403
    assert (await desk.post(form(PHONE, "hi", AccountSid=sub_account), token=own)).status == 403
    assert await desk.one("SELECT count(*) FROM messages WHERE direction = 'in'") == 1


async def test_whoever_says_that_anothers_account_is_theirs_gets_nowhere(desk: Front) -> None:
    theirs, sub_account = "its-own-token-0123456789abcdef", "AC" + "9" * 32
    await _connect(desk, "+15125550188", theirs, sub_account)
    for number, (account, token) in enumerate(
        [(sub_account, "a-token-of-somebody-else-0123"), (SID, "another-0123456789")]
    ):
        await _connect(desk, f"+1512555019{number}", token, account)
        ours = OURS if account == SID else "+15125550188"
        assert (await desk.post(form(PHONE, "hi", To=ours, AccountSid=account), token=token)).status == 403
    assert (await desk.post(form(PHONE, "hi", To="+15125550188", AccountSid=sub_account), token=theirs)).status == 200
    assert (await desk.text(PHONE, "hi")).status == 200  # nor does it shut anybody out


async def _connect(desk: Front, number: str, token: str, account: str | None) -> None:
    """A number of the demo business with a key of its own."""
    ((tenant_id,),) = await desk.rows(
        "SELECT tenant_id FROM accounts WHERE address = :ours AND channel = 'sms'", ours=OURS
    )
    sealed = desk.house.sealer.seal({"auth_tokens": [token]}, tenant_id=tenant_id, field=CREDENTIALS)
    await desk.change(
        "INSERT INTO accounts (uid, tenant_id, business_id, bot_id, channel, provider, address, provider_account,"
        " credentials, created_at) SELECT :uid, tenant_id, business_id, bot_id, channel, provider, :number,"
        " :account, :sealed, created_at FROM accounts WHERE address = :ours AND channel = 'sms'",
        uid=number.removeprefix("+").rjust(32, "0"),
        number=number,
        account=account,
        sealed=sealed,
        ours=OURS,
    )
