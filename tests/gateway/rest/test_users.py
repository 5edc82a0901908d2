"""People of a tenant: added, invited, given roles, and sent away, each by whoever may."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import jwt
import pytest

from simulators.smtp import SmtpSimulator
from tests.clock import FakeClock
from tests.gateway import front
from tests.gateway.front import Front
from tests.gateway.rest.api import Client, person, program, stranger

CASEY = {"email": "casey@example.com", "full_name": "Casey Cole", "role": "agent", "phone": "512-555-0142"}
PASSWORD = "correct horse battery staple"


@pytest.fixture
async def smtp() -> AsyncIterator[SmtpSimulator]:
    async with SmtpSimulator() as server:
        yield server


@pytest.fixture
async def posting(database_url: str, tmp_path: Path, clock: FakeClock, smtp: SmtpSimulator) -> AsyncIterator[Front]:
    """A front desk that can send e-mail."""
    clock.set(front.NOON)
    env = {"FRONTDESK_LIMITS__ENABLED": "false", "FRONTDESK_MAIL__URL": smtp.url}
    async with front.opened(database_url, tmp_path, clock, env=env, seeded=False) as opened:
        yield opened


def anybody(desk: Front) -> Client:
    return Client(desk, "", 0)


async def test_they_are_added_found_changed_and_deactivated(api: Client) -> None:
    made = await api.post("/users", {**CASEY, "email": "Casey@Example.com", "max_conversations": 5})
    assert made.items() >= {**CASEY, "availability": "online", "max_conversations": 5, "is_active": True}.items()
    assert made["has_password"] is False
    path = f"/users/{made['id']}"
    assert await api.get(path + "/") == made
    for query, count in [
        ("?search=CASEY", 1),
        ("?search=%25", 0),
        ("?role=agent&is_active=true", 1),
        ("?is_active=false", 0),
        ("?sort=-email&limit=1", 1),
    ]:
        assert len((await api.get("/users" + query))["items"]) == count, query
    assert (await api.get("/users?sort=password_hash", status=422))["error_code"] == "VALIDATION_ERROR"
    await api.get("/users?role=boss", status=422)
    assert await api.put(path, made) == made
    changed = await api.patch(path, {"role": "technician", "phone": None, "email": "CASEY.C@example.com"})
    assert (changed["role"], changed["phone"], changed["email"]) == ("technician", None, "casey.c@example.com")
    await api.post("/users", {**CASEY, "email": "casey.c@example.com"}, status=409)
    for bad in ({"password_hash": "x"}, {"role": "boss"}, {"email": "x"}, {"max_conversations": 0}, {"phone": "\x07"}):
        await api.patch(path, bad, status=422)
    await api.delete(path)
    assert (await api.get(path))["is_active"] is False
    assert (await api.patch(path, {"is_active": True}))["is_active"] is True


async def test_nobody_touches_those_above_them_or_lifts_anybody_over_their_own_head(desk: Front) -> None:
    people = {role: await person(desk, role) for role in ("owner", "admin", "agent", "technician", "viewer")}
    second_admin = await person(desk, "admin")
    helper = await program(desk, "users:write", "users:read", "customers:read")
    full = await program(desk, *(await people["admin"].get("/auth/me"))["scopes"])
    for who, role, statuses in [
        # the status of: inviting somebody with that role, changing somebody who has it
        ("owner", "owner", (201, 200)),
        ("owner", "admin", (201, 200)),
        ("admin", "owner", (403, 403)),
        ("admin", "admin", (201, 200)),
        ("admin", "viewer", (201, 200)),
        ("agent", "viewer", (403, 403)),
        ("technician", "viewer", (403, 403)),
        ("viewer", "viewer", (403, 403)),
        ("helper", "viewer", (403, 403)),  # a viewer may read more than this program
        ("helper", "admin", (403, 403)),
        ("full", "owner", (403, 403)),
        ("full", "admin", (201, 200)),
    ]:
        client = {"helper": helper, "full": full}.get(who) or people[who]
        email = f"{who}.{role}@example.com"
        made = await client.call("POST", "/users", {**CASEY, "email": email, "role": role})
        changed = await client.call("PATCH", f"/users/{people[role].uid}", {"full_name": f"Changed by {who}"})
        assert (made.status, changed.status) == statuses, (who, role, made.raw, changed.raw)
    await people["admin"].patch(f"/users/{people['agent'].uid}", {"role": "owner"}, status=403)
    await people["admin"].patch(f"/users/{people['admin'].uid}", {"role": "owner"}, status=403)
    await people["admin"].patch(f"/users/{second_admin.uid}", {"role": "viewer"})
    await second_admin.patch(f"/users/{people['admin'].uid}", {"full_name": "x"}, status=403)  # at once
    elsewhere = await stranger(desk, "owner")
    for method, path in [("GET", ""), ("PATCH", ""), ("PUT", ""), ("DELETE", "")]:
        body = None if method in ("GET", "DELETE") else {**CASEY, "email": "e@example.com"}
        answer = await elsewhere.call(method, f"/users/{people['agent'].uid}{path}", body)
        assert answer.status == 404, method
    assert (await elsewhere.get("/users"))["total"] == 1


async def test_somebody_always_stays_who_can_manage_the_business(desk: Front) -> None:
    owner = await stranger(desk, "owner")
    path = f"/users/{owner.uid}"
    for change in ({"role": "admin"}, {"is_active": False}):
        refused = await owner.patch(path, change, status=409)
        assert "last owner" in refused["detail"]
    await owner.delete(path, status=409)
    heir = await person(desk, "owner", tenant_id=owner.tenant_id)
    await owner.delete(path)
    await owner.get("/auth/me", status=401)
    await heir.patch(f"/users/{heir.uid}", {"role": "viewer"}, status=409)
    alone = await stranger(desk, "admin")
    await person(desk, "agent", tenant_id=alone.tenant_id)
    assert "manage" in (await alone.delete(f"/users/{alone.uid}", status=409))["detail"]


async def test_whoever_is_sent_away_is_out_on_every_device_at_once(api: Client) -> None:
    agent = await person(api.front, "agent")
    session = jwt.decode(agent.token, options={"verify_signature": False})["sid"]
    refresh = api.front.house.doorman.tokens.refresh(session, 0)
    await agent.get("/auth/me")
    await api.delete(f"/users/{agent.uid}")
    await agent.get("/auth/me", status=401)
    await anybody(api.front).post("/auth/refresh", {"refresh_token": refresh}, status=401)
    await api.patch(f"/users/{agent.uid}", {"is_active": True})
    await agent.get("/auth/me", status=401)  # what was signed out stays so
    rows = await api.front.rows("SELECT revoked_for FROM sessions WHERE user_id = :id", id=agent.user_id)
    assert rows == [("deactivated",)]


async def test_somebody_without_a_password_chooses_one_by_letter(posting: Front, smtp: SmtpSimulator) -> None:
    admin = await person(posting)
    await admin.post("/users", {**CASEY, "password": "12345678"}, status=422)
    made = await admin.post("/users", CASEY)
    await posting.work()
    [letter] = smtp.to("casey@example.com")
    assert letter.subject == "Welcome to Juniper Barber & Repair"
    posting.clock.advance(timedelta(days=6))
    body = {"token": re.findall(r"#(\S+)", letter.text)[0], "password": PASSWORD}
    await anybody(posting).post("/auth/password-reset/confirm", body, status=204)
    found = await anybody(posting).post("/auth/login", {"email": CASEY["email"], "password": PASSWORD}, status=200)
    assert found["user"]["id"] == made["id"]


async def test_whoever_is_invited_joins_with_the_link_of_the_letter(posting: Front, smtp: SmtpSimulator) -> None:
    admin, somebody = await person(posting), anybody(posting)
    made = await admin.post("/invitations", {"email": "Casey@example.com", "role": "agent", "full_name": "Casey"})
    assert made.items() >= {"status": "pending", "invited_by": admin.uid, "link": None}.items()
    again = await admin.post("/invitations", {"email": "casey@example.com", "role": "viewer"}, status=409)
    assert again["error_code"] == "ALREADY_THERE"
    await admin.post("/invitations", {"email": "o@example.com", "role": "owner"}, status=403)
    await (await person(posting, "agent")).post(
        "/invitations", {"email": "o@example.com", "role": "viewer"}, status=403
    )
    path = f"/invitations/{made['id']}"
    await posting.work()  # letters go out side by side, and the first one should be there first
    await admin.post(path + "/resend", status=200)
    await posting.work()
    spent, token = (re.findall(r"#(\S+)", letter.text)[0] for letter in smtp.to("casey@example.com"))
    body = {"token": token, "password": PASSWORD, "full_name": "Casey Cole"}
    await somebody.post("/invitations/accept", {**body, "token": spent}, status=422)
    await somebody.post("/invitations/accept", {**body, "password": "password1"}, status=422)
    joined = await somebody.post("/invitations/accept", body)
    assert joined["user"].items() >= {"email": "casey@example.com", "full_name": "Casey Cole", "role": "agent"}.items()
    casey = Client(posting, joined["access_token"], 0)
    assert (await casey.get("/auth/me"))["tenant_id"] == (await admin.get("/auth/me"))["tenant_id"]
    await somebody.post("/invitations/accept", body, status=422)
    assert (await admin.get(path))["status"] == "accepted"
    await admin.delete(path, status=409)
    await admin.post("/invitations", {"email": "casey@example.com", "role": "viewer"}, status=409)

    other = await admin.post("/invitations", {"email": "kim@example.com", "role": "viewer"})
    await admin.delete(f"/invitations/{other['id']}")
    late = await admin.post("/invitations", {"email": "kim@example.com", "role": "viewer"})
    await posting.work()
    letters = smtp.to("kim@example.com")
    posting.clock.advance(timedelta(days=8))
    for letter in letters:  # one was revoked, the other is too old
        tried = {"token": re.findall(r"#(\S+)", letter.text)[0], "password": PASSWORD}
        await somebody.post("/invitations/accept", tried, status=422)
    admin = await person(posting)
    assert {one["status"] for one in (await admin.get("/invitations"))["items"]} == {"accepted", "revoked", "expired"}
    assert [one["id"] for one in (await admin.get("/invitations?status=expired"))["items"]] == [late["id"]]
    for method, rest in [("GET", ""), ("DELETE", ""), ("POST", "/resend")]:
        elsewhere = await stranger(posting)
        assert (await elsewhere.call(method, path + rest)).status == 404


async def test_many_are_invited_with_progress_and_the_odd_ones_are_named(posting: Front, smtp: SmtpSimulator) -> None:
    admin = await person(posting)
    me = (await admin.get("/auth/me"))["email"]
    rows = [{"email": f"guest{number}@example.com", "role": "viewer"} for number in range(58)]
    rows[1:1] = [{"email": me, "role": "viewer"}, {"email": "guest0@example.com", "role": "agent"}]
    await admin.post("/invitations/bulk", {"invitations": [{"email": "x@example.com", "role": "owner"}]}, status=403)
    await admin.post("/invitations/bulk", {"invitations": rows * 17}, status=422)
    started = await admin.post("/invitations/bulk", {"invitations": rows}, status=202)
    assert started.items() >= {"status": "waiting", "total": 60, "done": 0, "finished_at": None}.items()
    path = f"/invitations/bulk/{started['id']}"
    assert await admin.get(path) == started
    await posting.work()
    found = await admin.get(path)
    assert found.items() >= {"status": "done", "total": 60, "done": 60, "made": 58, "refused": 2}.items()
    assert [(one["row"], one["field"]) for one in found["problems"]] == [(2, "email"), (3, "email")]
    assert len(smtp.inbox) == len({re.findall(r"#(\S+)", letter.text)[0] for letter in smtp.inbox}) == 58
    assert (await admin.get("/invitations?status=pending"))["total"] == 58
    assert "guest" not in str(await posting.rows("SELECT options FROM transfers"))
    await (await stranger(posting)).get(path, status=404)


async def test_without_e_mail_the_link_is_for_the_inviter_and_sealed_where_it_is_kept(api: Client) -> None:
    body = {"email": "casey@example.com", "role": "agent"}
    made = (await api.call("POST", "/invitations", body, headers={"Idempotency-Key": "i"})).json
    again = await api.call("POST", "/invitations", body, headers={"Idempotency-Key": "i"})
    assert again.json == made
    assert made["link"].startswith(f"{api.front.house.settings.server.public_url}/accept-invitation#")
    token = made["link"].partition("#")[2]
    assert token not in str(await api.front.rows("SELECT body FROM idempotency"))
    assert "link" not in await api.get(f"/invitations/{made['id']}")
    joined = await anybody(api.front).post("/invitations/accept", {"token": token, "password": PASSWORD})
    assert joined["user"]["full_name"] == "casey@example.com"
    refused = await api.post(
        "/invitations/bulk", {"invitations": [{"email": "b@example.com", "role": "agent"}]}, status=409
    )
    assert refused["error_code"] == "MAIL_NOT_SET_UP"


async def test_whoever_leaves_leaves_their_customers_to_the_others(api: Client, desk: Front) -> None:
    agent = await person(desk, "agent")
    await desk.text("+15125550177", "human please")
    (waiting,) = (await api.get("/conversations?owner=queue"))["items"]
    await api.put(f"/conversations/{waiting['id']}/assign", {"agent_id": agent.uid})
    await api.delete(f"/users/{agent.uid}")
    after = await api.get(f"/conversations/{waiting['id']}")
    assert (after["owner"], after["assignee"]) == ("queue", None)
