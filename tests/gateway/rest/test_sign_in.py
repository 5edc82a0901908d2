"""Who gets in: registering, signing in, tokens, devices, passwords, and how often one may try."""

import asyncio
import base64
import hashlib
import re
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jwt
import orjson
import pytest
import time_machine

from gateway import demo_business as juniper
from gateway.auth.passwords import Passwords
from gateway.auth.tokens import Tokens
from simulators.smtp import Fault, Letter, SmtpSimulator
from tests.clock import FakeClock
from tests.gateway import front
from tests.gateway.front import Front
from tests.gateway.rest.api import Answer, Client, person
from tests.servers import free_port

PASSWORD = "SecureP@ssw0rd123"
JOHN = {"email": "user@example.com", "password": PASSWORD, "full_name": "John Doe", "tenant_name": "Acme Corp"}
LOGIN = {"email": "user@example.com", "password": PASSWORD}
_QUICK = front.QUICK.hash(PASSWORD)


def anybody(desk: Front) -> Client:
    """Somebody who has not signed in."""
    return Client(desk, "", 0)


async def john(desk: Front) -> Client:
    """Somebody who signs in with `LOGIN`, and has."""
    client = await person(desk)
    values = {"email": LOGIN["email"], "hash": _QUICK, "uid": client.user_id}
    await desk.change("UPDATE users SET email = :email, password_hash = :hash WHERE id = :uid", **values)
    return client


async def signed_in(desk: Front, password: str = PASSWORD) -> Client:
    """John, on one more device."""
    found = await anybody(desk).post("/auth/login", {**LOGIN, "password": password}, status=200)
    return Client(desk, found["access_token"], 0, uid=found["user"]["id"])


def session_of(client: Client) -> str:
    return str(jwt.decode(client.token, options={"verify_signature": False})["sid"])


@pytest.fixture
async def smtp() -> AsyncIterator[SmtpSimulator]:
    async with SmtpSimulator(user="frontdesk", password="a/secret@word") as server:
        yield server


@pytest.fixture
async def posting(database_url: str, tmp_path: Path, clock: FakeClock, smtp: SmtpSimulator) -> AsyncIterator[Front]:
    """A front desk that can send e-mail."""
    clock.set(front.NOON)
    url = f"smtp://frontdesk:a%2Fsecret%40word@127.0.0.1:{smtp.port}"
    env = {"FRONTDESK_LIMITS__ENABLED": "false", "FRONTDESK_MAIL__URL": url}
    async with front.opened(database_url, tmp_path, clock, env=env, seeded=False) as opened:
        yield opened


def secret_in(letter: Letter) -> str:
    """What the link of a letter opens with."""
    return str(re.findall(r"#(\S+)", letter.text)[0])


async def test_whoever_registers_has_a_business_that_answers_at_once(desk: Front) -> None:
    somebody = anybody(desk)
    wanted = {**JOHN, "email": " User@Example.com", "phone": "+1234567890"}
    granted = {"id": 1, "role": "owner", "is_active": False, "tenant_id": "1", "created_at": "2020-01-01T00:00:00Z"}
    made = await somebody.post("/auth/register/", {**wanted, **granted})
    tenant = await desk.one("SELECT max(id) FROM tenants")
    ((uid,),) = await desk.rows("SELECT uid FROM tenants WHERE id = :id", id=tenant)
    assert made == {
        "id": made["id"],
        "email": "user@example.com",
        "full_name": "John Doe",
        "phone": "+1234567890",
        "role": "admin",
        "tenant_id": str(uid) if "-" in str(uid) else made["tenant_id"],
        "is_active": True,
        "created_at": "2026-03-02T18:00:00Z",
    }
    assert await desk.rows("SELECT name FROM businesses WHERE tenant_id = :id", id=tenant) == [("Acme Corp",)]
    published = "SELECT count(*) FROM scenarios WHERE published_id IS NOT NULL AND tenant_id = :id"
    assert await desk.one(published, id=tenant) > 5
    again = await somebody.post("/auth/register", JOHN, status=409)
    assert again["error_code"] == "ALREADY_THERE"

    for login in (
        await somebody.call("POST", "/auth/login/", {**LOGIN, "email": "USER@example.com"}),
        await somebody.call(
            "POST",
            "/auth/login",
            data=urlencode({"grant_type": "password", "username": "user@example.com", "password": PASSWORD}),
            headers={"Content-Type": "application/x-www-form-urlencoded", "Authorization": "Bearer of.bad.news"},
        ),
    ):
        assert login.status == 200, login.raw
        assert login.headers["Cache-Control"] == "no-store"
        found = login.json
        assert (found["token_type"], found["expires_in"]) == ("bearer", 86400)
        person = {name: made[name] for name in ("id", "email", "full_name", "role", "tenant_id")}
        assert found["user"] == person
        me = await Client(desk, found["access_token"], 0).get("/auth/me")
        assert me.items() >= {**person, "tenant_name": "Acme Corp", "is_active": True}.items()
        assert "users:write" in me["scopes"]


async def test_without_a_name_for_the_business_it_has_the_persons(desk: Front) -> None:
    body = {"email": "jo@example.com", "password": "securepassword123", "full_name": "Jo Doe"}
    made = await anybody(desk).post("/auth/register", body)
    assert (made["role"], made["phone"]) == ("admin", None)
    assert await desk.one("SELECT name FROM tenants ORDER BY id DESC LIMIT 1") == "Jo Doe"


async def test_what_cannot_be_registered_is_refused_and_leaves_nothing(desk: Front) -> None:
    tenants = await desk.one("SELECT count(*) FROM tenants")
    changes: list[tuple[dict[str, object], str]] = [
        ({"password": "short"}, "password"),
        ({"password": "Password"}, "password"),
        ({"password": "12345678"}, "password"),
        ({"password": "zzzzzzzzzz"}, "password"),
        ({"password": "user@example.com"}, "password"),
        ({"password": "x" * 1001}, "password"),
        ({"email": "nobody"}, "email"),
        ({"email": "a@b\r\nBcc: c@example.com"}, "email"),
        ({"full_name": "  "}, "full_name"),
        ({"full_name": "John\nDoe"}, "full_name"),
        ({"tenant_name": "x" * 201}, "tenant_name"),
        ({"time_zone": "../../etc/passwd"}, "time_zone"),
        ({"is_superuser": True}, "is_superuser"),
    ]
    for change, field in changes:
        refused = await anybody(desk).post("/auth/register", {**JOHN, **change}, status=422)
        assert refused["detail"][0]["loc"] == ["body", field], (change, refused)
    assert await desk.one("SELECT count(*) FROM tenants") == tenants


async def test_what_the_house_decides_is_not_taken_from_whoever_registers(desk: Front) -> None:
    theirs = (await (await person(desk)).get("/auth/me"))["tenant_id"]
    forged = {"id": "019a0000-0000-7000-8000-000000000000", "tenant_id": theirs, "is_active": False, "role": "viewer"}
    made = await anybody(desk).post("/auth/register", {**JOHN, **forged})
    assert made["is_active"] is True
    assert not [name for name in ("id", "tenant_id", "role") if made[name] == forged[name]]
    assert (await (await signed_in(desk)).get("/customers"))["total"] == 0


async def test_where_registration_is_closed_nobody_registers(
    database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    env = {"FRONTDESK_AUTH__REGISTRATION": "false"}
    async with front.opened(database_url, tmp_path, clock, env=env, seeded=False) as desk:
        assert (await anybody(desk).post("/auth/register", JOHN, status=403))["error_code"] == "REGISTRATION_CLOSED"


async def test_a_wrong_password_and_an_unknown_person_look_alike(desk: Front) -> None:
    somebody = anybody(desk)
    object.__setattr__(desk.house, "passwords", Passwords(2))  # as in the product
    await john(desk)
    await signed_in(desk)  # after which the hash is a real one

    async def tried(email: str, password: str = "wrong") -> tuple[float, Answer]:
        since = time.process_time()  # of all threads, whatever else the machine does
        answer = await somebody.call("POST", "/auth/login", {"email": email, "password": password})
        return time.process_time() - since, answer

    known = [await tried("user@example.com") for _ in range(2)]
    unknown = [await tried("nobody@example.com") for _ in range(2)]
    await desk.change("UPDATE users SET is_active = false WHERE email = 'user@example.com'")
    gone = await tried("user@example.com", PASSWORD)
    answers = [answer for _, answer in (*known, *unknown, gone)]
    assert {answer.status for answer in answers} == {401}
    assert {answer.headers["WWW-Authenticate"] for answer in answers} == {"Bearer"}
    assert len({answer.json["detail"] for answer in answers}) == 1
    ratio = min(took for took, _ in unknown) / min(took for took, _ in known)
    assert 0.4 < ratio < 2.5  # argon2 is nearly all of it
    odd = [{}, {"password": "x"}, {"email": "a\x00b@example.com", "password": "x"}, {"email": 1, "password": "x"}]
    for body in odd:
        assert (await somebody.call("POST", "/auth/login", body)).status == 422, body
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for data in (b"username=%00%ff&password=%ed%a0%80", b"username=\xff\xfe&password=x"):
        answer = await somebody.call("POST", "/auth/login", data=data, headers=form)
        assert answer.status in (400, 401, 422), answer.raw


async def test_refresh_tokens_turn_and_one_used_twice_ends_the_session(desk: Front) -> None:
    somebody = anybody(desk)
    other = await john(desk)
    first = await somebody.post("/auth/login", LOGIN, status=200)
    second = await somebody.post("/auth/refresh", {"refresh_token": first["refresh_token"]}, status=200)
    assert second["refresh_token"] != first["refresh_token"]
    assert second["user"] == first["user"]
    third = await Client(desk, second["access_token"], 0).post("/auth/refresh", status=200)  # as document 003 has it
    await Client(desk, third["access_token"], 0).get("/auth/me")

    stolen = await somebody.post("/auth/refresh", {"refresh_token": second["refresh_token"]}, status=401)
    assert stolen["error_code"] == "UNAUTHORIZED"
    await somebody.post("/auth/refresh", {"refresh_token": third["refresh_token"]}, status=401)
    for pair in (first, second, third):
        await Client(desk, pair["access_token"], 0).get("/auth/me", status=401)
    assert await desk.rows("SELECT revoked_for FROM sessions WHERE revoked_at IS NOT NULL") == [("reuse",)]
    await other.get("/auth/me")


async def test_twenty_at_once_with_one_refresh_token_get_one_pair(desk: Front) -> None:
    robin = await person(desk)
    token = desk.house.doorman.tokens.refresh(session_of(robin), 0)
    ask = anybody(desk).call
    answers = await asyncio.gather(*(ask("POST", "/auth/refresh", {"refresh_token": token}) for _ in range(20)))
    assert sorted(answer.status for answer in answers) == [200] + [401] * 19


async def test_a_refresh_token_lasts_while_it_is_used(desk: Front) -> None:
    robin = await person(desk)
    await desk.change("UPDATE sessions SET expires_at = :at", at=(desk.clock.now() + timedelta(days=30)).isoformat(" "))
    session = session_of(robin)
    somebody = anybody(desk)
    for generation, (days, status) in enumerate([(29, 200), (29, 200), (31, 401)]):
        desk.clock.advance(timedelta(days=days))
        token = desk.house.doorman.tokens.refresh(session, generation)
        await somebody.post("/auth/refresh", {"refresh_token": token}, status=status)


async def test_what_is_no_token_of_ours_opens_nothing(desk: Front) -> None:
    robin = await person(desk)
    ours = jwt.decode(robin.token, options={"verify_signature": False})
    kid, key = next(iter(desk.house.doorman.tokens._keys.items()))  # to make what an attacker cannot
    now = int(desk.clock.now().timestamp())

    def made(*, alg: str = "HS256", with_key: Any = key, header: dict[str, Any] | None = None, **claims: Any) -> str:
        changed = {name: value for name, value in {**ours, **claims}.items() if value is not ...}
        return jwt.encode(changed, with_key, alg, headers={"kid": kid, **(header or {})})

    def unsigned(alg: str) -> str:
        head, body = ({"alg": alg, "typ": "JWT", "kid": kid}, ours)
        parts = [base64.urlsafe_b64encode(orjson.dumps(part)).decode().rstrip("=") for part in (head, body)]
        return ".".join((*parts, robin.token.rpartition(".")[2] if alg == "RS256" else ""))

    refresh = desk.house.doorman.tokens.refresh(ours["sid"], 0)
    strangers = Tokens([b"another house's key, which is long enough"])
    foreign = strangers.access(
        subject=ours["sub"],
        tenant=ours["tid"],
        kind="user",
        session=ours["sid"],
        lasts=timedelta(1),
        now=desk.clock.now(),
    )
    bad = {
        "alg none": unsigned("none"),
        "alg RS256": unsigned("RS256"),
        "signed with the name of the key": made(with_key=kid * 3),
        "another house's": foreign,
        "no exp": made(exp=...),
        "exp far away": made(exp=10**18),
        "exp in a year": made(exp=now + 365 * 86400),
        "ended": made(exp=now - 1),
        "nbf in the future": made(nbf=now + 60),
        "iat in the future": made(iat=now + 60),
        "another audience": made(aud="dashboard"),
        "another issuer": made(iss="somebody"),
        "a number for a subject": made(sub=7),
        "crit": made(header={"crit": ["exp"]}),
        "an unknown key": made(header={"kid": "0" * 12}),
        "no session": made(sid=...),
        "another session": made(sid="019a0000-0000-7000-8000-000000000000"),
        "as an app": made(knd="oauth_app"),
        "a refresh token": refresh,
        "five thousand characters": "x" * 5000,
    }
    odd = [None, "", "Bearer", "Bearer ", "Bearer  x", f"Basic {robin.token}", f"Token {robin.token}", robin.token]
    headers = [*(f"Bearer {token}" for token in bad.values()), *odd]
    bodies = set()
    for what, header in zip([*bad, *map(repr, odd)], headers, strict=True):
        given = {} if header is None else {"Authorization": header}
        answer = await anybody(desk).call("GET", "/auth/me", headers=given)
        assert (answer.status, answer.headers.get("WWW-Authenticate")) == (401, "Bearer"), what
        bodies.add(answer.json["detail"])
    assert len(bodies) == 1
    assert (await robin.get("/auth/me"))["id"] == robin.uid
    await anybody(desk).post("/auth/refresh", {"refresh_token": robin.token}, status=401)
    await anybody(desk).post("/auth/refresh", {"refresh_token": refresh[:-1] + "x"}, status=401)
    await anybody(desk).post("/auth/refresh", status=401)


async def test_devices_are_seen_and_signed_out(desk: Front) -> None:
    here = await john(desk)
    desk.clock.advance(timedelta(minutes=-1))
    login = await anybody(desk).call("POST", "/auth/login", LOGIN, headers={"User-Agent": "A phone/1 " + "x" * 300})
    phone = Client(desk, login.json["access_token"], 0)
    desk.clock.advance(timedelta(minutes=1))
    found = await here.get("/auth/sessions")
    assert [(one["is_current"], one["address"], one["kind"]) for one in found["items"]] == [
        (True, "", "token"),
        (False, "127.0.0.1", "token"),
    ]
    assert found["items"][1]["device"].startswith("A phone/1 xxx")
    stranger = await person(desk, "owner")
    await stranger.delete(f"/auth/sessions/{found['items'][1]['id']}", status=404)
    await here.delete(f"/auth/sessions/{found['items'][1]['id']}")
    await phone.get("/auth/me", status=401)
    await here.post("/auth/logout", status=204)
    await here.get("/auth/me", status=401)
    await here.post("/auth/logout", status=401)


async def test_people_change_what_is_theirs(desk: Front) -> None:
    robin = await person(desk, "viewer")
    changed = await robin.patch("/auth/me", {"full_name": "Robin R.", "availability": "away"})
    assert (changed["full_name"], changed["availability"], changed["role"]) == ("Robin R.", "away", "viewer")
    assert await robin.patch("/auth/me", {"role": "owner", "tenant_id": "x"}) == changed
    await robin.patch("/auth/me", {"password": "x"}, status=422)


async def test_a_new_password_signs_out_every_other_device(posting: Front, smtp: SmtpSimulator) -> None:
    here = await john(posting)
    elsewhere = await signed_in(posting)
    wanted = {"current_password": PASSWORD, "new_password": "correct horse battery staple"}
    wrong = await here.post("/auth/password", {**wanted, "current_password": "wrong"}, status=403)
    assert wrong["error_code"] == "WRONG_PASSWORD"
    await here.post("/auth/password", {**wanted, "new_password": "password1"}, status=422)
    posting.clock.advance(timedelta(seconds=1))
    pair = await here.post("/auth/password", wanted, status=200)
    await elsewhere.get("/auth/me", status=401)
    await here.get("/auth/me", status=401)
    await Client(posting, pair["access_token"], 0).get("/auth/me")
    await anybody(posting).post("/auth/login", LOGIN, status=401)
    await signed_in(posting, wanted["new_password"])
    await posting.work()
    [letter] = smtp.to("user@example.com")
    assert letter.subject == "Your password was changed"


async def test_a_forgotten_password_is_replaced_by_a_letter(posting: Front, smtp: SmtpSimulator) -> None:
    somebody = anybody(posting)
    device = await john(posting)
    answers = [
        await somebody.post("/auth/password-reset", {"email": email}, status=202)
        for email in ("User@example.com", "nobody@example.com", *["user@example.com"] * 4)
    ]
    assert len({str(answer) for answer in answers}) == 1
    waiting = await posting.rows("SELECT payload FROM jobs WHERE kind = 'password_reset'")
    assert len(waiting) == 6
    assert "user@example.com" not in str(waiting)
    smtp.faults += [Fault("RCPT", 451), Fault("MAIL", 0)]  # try later; and one that hangs up
    await posting.work()
    kept = await posting.rows("SELECT payload, status FROM jobs WHERE kind = 'mail'")
    assert kept
    assert not re.search(r"set-password|user@example", str(kept))
    await posting.pass_time(timedelta(minutes=1), step=timedelta(seconds=10))
    assert await posting.rows("SELECT * FROM jobs WHERE kind IN ('mail', 'password_reset')") == []
    letters = smtp.to("user@example.com")
    assert len(letters) == len(smtp.inbox) == 3  # however often it is asked for in an hour
    assert letters[0].message["From"] == "Frontdesk <frontdesk@localhost>"
    assert f"{posting.house.settings.server.public_url}/set-password#" in letters[0].text
    token, spare = secret_in(letters[0]), secret_in(letters[1])
    assert await posting.one("SELECT count(*) FROM password_resets WHERE digest = :it", it=token) == 0

    wanted = {"token": token, "password": "correct horse battery staple"}
    await somebody.post("/auth/password-reset/confirm", {**wanted, "token": token + "x"}, status=422)
    await somebody.post("/auth/password-reset/confirm", {**wanted, "password": "12345678"}, status=422)
    await somebody.post("/auth/password-reset/confirm", wanted, status=204)
    await device.get("/auth/me", status=401)
    await somebody.post("/auth/login", LOGIN, status=401)
    await signed_in(posting, wanted["password"])
    for spent in (token, spare):
        await somebody.post("/auth/password-reset/confirm", {**wanted, "token": spent}, status=422)


async def test_a_link_ends_after_an_hour_and_a_refused_letter_is_not_sent_again(
    posting: Front, smtp: SmtpSimulator
) -> None:
    robin = await person(posting, "agent")
    email = (await robin.get("/auth/me"))["email"]
    for fault in ([], [Fault("RCPT", 550)]):
        smtp.faults += fault
        await anybody(posting).post("/auth/password-reset", {"email": email}, status=202)
        await posting.work()
    [letter] = smtp.inbox
    assert await posting.rows("SELECT status, error FROM jobs WHERE kind = 'mail'") == [
        ("dead", "SMTPRecipientsRefused 550")
    ]
    posting.clock.advance(timedelta(minutes=61))
    body = {"token": secret_in(letter), "password": "correct horse battery staple"}
    refused = await anybody(posting).post("/auth/password-reset/confirm", body, status=422)
    assert refused["detail"][0]["loc"] == ["body", "token"]


LIMITED = {
    "FRONTDESK_LIMITS__SIGN_IN": "3/15 minutes",
    "FRONTDESK_LIMITS__SIGN_IN_ACCOUNT": "5/15 minutes",
    "FRONTDESK_LIMITS__SIGN_IN_ADDRESS": "7/15 minutes",
    "FRONTDESK_SERVER__TRUSTED_PROXIES": "127.0.0.0/8",
}


async def test_guessing_is_stopped_by_address_and_account_and_owners_get_in(
    sqlite_database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with front.opened(sqlite_database_url, tmp_path, clock, env=LIMITED) as desk:

        async def tried(address: str, password: str = "wrong", email: str = LOGIN["email"]) -> Answer:
            headers = {"X-Forwarded-For": address}
            body = {"email": email, "password": password}
            return await anybody(desk).call("POST", "/auth/login", body, headers=headers)

        await john(desk)
        assert (await tried("192.0.2.1", PASSWORD)).status == 200
        statuses = [(await tried("198.51.100.7")).status for _ in range(4)]
        assert statuses == [401, 401, 401, 429]  # by address and account
        over = await tried("198.51.100.7", PASSWORD)
        assert (over.status, over.json["error_code"]) == (429, "RATE_LIMITED")
        assert 0 < int(over.headers["Retry-After"]) == over.json["retry_after"] <= 900
        assert (over.headers["X-RateLimit-Limit"], over.headers["X-RateLimit-Remaining"]) == ("3", "0")
        assert (await tried("198.51.100.8")).headers["X-RateLimit-Limit"] == "5"

        statuses = [(await tried(f"203.0.113.{number}")).status for number in range(20)]
        assert statuses == [401] + [429] * 19  # by account, wherever from
        assert (await tried("203.0.113.77", PASSWORD)).status == 429
        assert (await tried("192.0.2.1", PASSWORD)).status == 200  # where the owner has been before

        spray = [(await tried("198.51.100.9", email=f"{number}@example.com")).status for number in range(8)]
        assert spray == [401] * 7 + [429]  # by address, whoever it is
        for network, want in (("2001:db8:0:7", [401] * 7 + [429]), ("2001:db8:0:8", [401])):  # of IPv6 by the /64
            tries = [tried(f"{network}:{n}::1", email=f"{network[-1]}.{n}@example.com") for n in range(len(want))]
            assert [(await one).status for one in tries] == want
        with time_machine.travel(time.time() + 901):
            assert (await tried("203.0.113.99", PASSWORD)).status == 200


async def test_without_its_counters_the_entrance_stays_shut_and_the_rest_goes_on(
    sqlite_database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    env = {"REDIS_URL": f"redis://127.0.0.1:{free_port()}/0"}
    async with front.opened(sqlite_database_url, tmp_path, clock, env=env) as desk:
        shut = await anybody(desk).call("POST", "/auth/login", LOGIN)
        assert (shut.status, shut.headers["Retry-After"]) == (503, "5")
        await (await person(desk)).get("/auth/me")


async def test_the_demos_password_opens_the_demo_alone(
    sqlite_database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    for is_demo, status in [("true", 200), ("false", 401)]:
        env = {"FRONTDESK_DEMO__ENABLED": is_demo, "TWILIO_AUTH_TOKEN": ""}
        async with front.opened(sqlite_database_url, tmp_path, clock, env=env) as desk:
            known = await desk.house.passwords.hash(juniper.OWNER_PASSWORD)
            await desk.change(
                "UPDATE users SET password_hash = :it WHERE email = :who", it=known, who=juniper.OWNER_EMAIL
            )
            login = {"email": juniper.OWNER_EMAIL, "password": juniper.OWNER_PASSWORD}
            await anybody(desk).post("/auth/login", login, status=status)


async def test_what_one_process_shuts_the_others_shut_within_a_second(
    postgresql_database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    env = {"FRONTDESK_LIMITS__ENABLED": "false"}
    async with (
        front.opened(postgresql_database_url, tmp_path, clock, env=env) as first,
        front.opened(postgresql_database_url, tmp_path, clock, env=env, seeded=False) as second,
    ):
        admin, agent, kim = await person(first), await person(first, "agent"), await person(first)
        await first.change("UPDATE users SET password_hash = :hash WHERE id = :id", hash=_QUICK, id=kim.user_id)
        made = await admin.post("/api-keys", {"name": "Till", "scopes": ["customers:read"]})
        there = [Client(second, token, admin.tenant_id) for token in (agent.token, made["key"], kim.token)]
        for client in there:
            await client.get("/customers")
        clock.advance(timedelta(seconds=1))  # a token is as old as its second
        wanted = {"current_password": PASSWORD, "new_password": "correct horse battery staple"}
        await kim.post("/auth/password", wanted, status=200)
        await admin.delete(f"/users/{agent.uid}")
        await admin.delete(f"/api-keys/{made['id']}")
        async with asyncio.timeout(1.5):  # a second, and what a busy machine takes
            for client in there:
                while (await client.call("GET", "/customers")).status != 401:
                    pass
        await admin.get("/customers")


async def test_the_same_key_is_answered_again_to_the_same_person_only(desk: Front) -> None:
    robin, kim = await person(desk), await person(desk)
    for one in (robin, kim):
        await desk.change("UPDATE users SET password_hash = :hash WHERE id = :id", hash=_QUICK, id=one.user_id)
    body = {"current_password": PASSWORD, "new_password": "correct horse battery staple"}
    head = {"Idempotency-Key": "1"}
    answers = [await one.call("POST", "/auth/password", body, headers=head) for one in (robin, robin, kim)]
    assert [answer.status for answer in answers] == [200] * 3
    assert answers[1].json == answers[0].json
    assert answers[2].json["user"]["id"] == kim.uid
    kept = str(await desk.rows("SELECT * FROM idempotency"))
    assert answers[0].json["refresh_token"] not in kept
    out = [await kim.call("POST", "/auth/logout", headers=head) for _ in range(2)]
    assert [answer.status for answer in out] == [204, 401]  # whoever is out is out


async def test_the_links_of_letters_lead_to_a_page_that_runs_nothing_but_its_own(desk: Front) -> None:
    for path, api in [("/set-password", "auth/password-reset/confirm"), ("/accept-invitation/", "invitations/accept")]:
        somebody = anybody(desk)
        somebody.prefix = ""
        page = await somebody.call("GET", path)
        assert page.status == 200
        assert api in page.raw.decode()
        policy = page.headers["Content-Security-Policy"]
        for tag in ("script", "style"):
            [inside] = re.findall(f"<{tag}>(.*?)</{tag}>".encode(), page.raw, re.DOTALL)
            digest = base64.b64encode(hashlib.sha256(inside).digest()).decode()
            assert f"{tag}-src 'sha256-{digest}'" in policy
        assert "default-src 'none'" in policy
        assert page.headers["Referrer-Policy"] == "no-referrer"


async def test_what_ended_long_ago_is_thrown_away(desk: Front) -> None:
    robin = await person(desk)
    await robin.call("POST", "/canned-replies", {"shortcut": "a", "text": "b"}, headers={"Idempotency-Key": "1"})
    tables = ("sessions", "idempotency")
    await desk.work()
    assert [await desk.one(f"SELECT count(*) FROM {table}") for table in tables] == [1, 1]
    desk.clock.advance(timedelta(days=400))
    await desk.work()
    assert [await desk.one(f"SELECT count(*) FROM {table}") for table in tables] == [0, 0]


async def test_no_answer_tells_what_we_are_built_of(desk: Front) -> None:
    robin = await person(desk)
    await desk.change("ALTER TABLE canned_replies RENAME TO mislaid")
    broken = (500, 503)  # SQLite cannot tell it from trouble that may pass
    for who, method, path, statuses in [
        (anybody(desk), "GET", "/auth/me", (401,)),
        (anybody(desk), "GET", "/no-such-thing", (404,)),
        (anybody(desk), "TRACE", "/auth/me", (405,)),
        (anybody(desk), "PROPFIND", "/auth/me", (405,)),
        (anybody(desk), "BREW", "/auth/me", (400,)),  # no method of any HTTP
        (anybody(desk), "POST", "/auth/login", (415,)),
        (robin, "GET", "/canned-replies", broken),
        (robin, "POST", "/canned-replies", broken),
    ]:
        answer = await who.call(method, path, {"shortcut": "a", "text": "b"} if who is robin else None)
        assert answer.status in statuses, (method, path)
        if method != "BREW":
            assert answer.json["request_id"] == answer.headers["X-Request-ID"]
        assert answer.headers["Server"] == "Frontdesk"
        said = answer.raw + str(answer.headers).encode()
        assert not re.search(rb"(?i)traceback|aiohttp|python|select|insert|sqlalchemy|canned_replies", said), said
