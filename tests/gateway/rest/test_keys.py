"""Programs: API keys, and OAuth apps with their tokens."""

import asyncio
import base64
import re
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote_plus, urlencode

from tests.clock import FakeClock
from tests.gateway import front
from tests.gateway.front import Front
from tests.gateway.rest.api import Answer, Client, person, program, stranger

KEY = {"name": "Cash register", "scopes": ["customers:read", "appointments:write"]}
APP = {"name": "Partner CRM", "scopes": ["customers:read", "invoices:read"], "rate_per_minute": 300}


async def test_a_key_is_shown_once_opens_what_it_may_and_ends_at_once(api: Client) -> None:
    head = {"Idempotency-Key": "till"}
    made = (await api.call("POST", "/api-keys", KEY, headers=head)).json
    assert (await api.call("POST", "/api-keys", KEY, headers=head)).json == made
    key = made.pop("key")
    assert re.fullmatch(r"fd_[\w-]{43}", key)
    assert made.items() >= {"prefix": key[:8], "scopes": sorted(KEY["scopes"]), "created_by": api.uid}.items()
    path = f"/api-keys/{made['id']}"
    assert await api.get(path) == made
    till = Client(api.front, key, 0)
    await till.get("/customers")
    refused = await till.post("/customers", {}, status=403)
    assert refused["scope"] == "customers:write"
    for people_only in ("/auth/me", "/auth/sessions"):
        await till.get(people_only, status=403)
    assert (await api.get(path))["last_used_at"] == "2026-03-02T18:00:00Z"
    assert (await api.patch(path, {"name": "Till", "scopes": ["users:write"]}))["scopes"] == made["scopes"]
    everything = await stored(api.front, *("api_keys", "audit", "idempotency"))
    assert key not in everything
    assert key[8:] not in everything

    await api.delete(path)
    await till.get("/customers", status=401)
    await api.delete(path)
    assert [one["name"] for one in (await api.get("/api-keys?is_active=false"))["items"]] == ["Till"]
    assert (await api.get("/api-keys?is_active=true"))["total"] == 0
    for method in ("GET", "PATCH", "DELETE"):
        assert (
            await (await stranger(api.front)).call(method, path, {"name": "x"} if method == "PATCH" else None)
        ).status == 404


async def test_nobody_makes_a_key_to_a_room_they_may_not_enter(desk: Front) -> None:
    await (await person(desk, "agent")).post("/api-keys", KEY, status=403)
    small = await program(desk, "api_keys:write", "customers:read")
    await small.post("/api-keys", {**KEY, "scopes": ["customers:read"]})
    beyond = await small.post("/api-keys", KEY, status=403)
    assert "appointments:write" in beyond["detail"]
    admin = await person(desk)
    app = await admin.post("/oauth-apps", APP)
    path = f"/oauth-apps/{app['id']}"
    await small.post(path + "/rotate-secret", status=403)
    await small.patch(path, {"scopes": ["customers:read"]}, status=403)
    await small.post("/oauth-apps", APP, status=403)
    for scopes in ([], ["customers:fly"], "customers:read", ["x" * 61]):
        await admin.post("/api-keys", {**KEY, "scopes": scopes}, status=422)


async def test_a_key_does_no_more_than_its_maker_may_and_ends_when_they_leave(api: Client) -> None:
    kim = await person(api.front)
    scopes = ["customers:read", "canned_replies:write", "api_keys:write", "users:write"]
    made = await kim.post("/api-keys", {"name": "Kim's", "scopes": scopes})
    kims = Client(api.front, made["key"], 0)
    another = await kims.post("/api-keys", {"name": "By Kim's key", "scopes": scopes[:1]})
    assert another["created_by"] == kim.uid
    theirs = Client(api.front, another["key"], 0)
    nobodys = await program(api.front, "customers:read")

    await api.patch(f"/users/{kim.uid}", {"role": "agent"})
    await kims.get("/customers")
    await kims.post("/canned-replies", {"shortcut": "a", "text": "b"})
    assert (await kims.post("/api-keys", {**KEY, "scopes": scopes[:1]}, status=403))["scope"] == "api_keys:write"

    await api.delete(f"/users/{kim.uid}")
    for key in (kims, theirs):
        await key.get("/customers", status=401)
    await nobodys.get("/customers")
    await api.patch(f"/users/{kim.uid}", {"is_active": True})
    await kims.get("/customers", status=401)  # for good
    ended = (await api.get("/api-keys?is_active=false"))["items"]
    assert {one["name"] for one in ended} == {"Kim's", "By Kim's key"}
    revoked = await api.front.rows("SELECT actor_id FROM audit WHERE action = 'api_key.revoked'")
    assert [row[0] for row in revoked] == [api.user_id] * 2


async def test_a_key_ends_when_it_says(api: Client) -> None:
    made = await api.post("/api-keys", {**KEY, "expires_at": "2026-03-02T20:00:00+01:00"})
    assert made["expires_at"] == "2026-03-02T19:00:00Z"
    till = Client(api.front, made["key"], 0)
    await till.get("/customers")
    api.front.clock.advance(timedelta(hours=1))
    api.front.house.doorman.forget()  # a second later
    await till.get("/customers", status=401)
    assert (await api.get("/api-keys?is_active=false"))["total"] == 1


async def stored(desk: Front, *tables: str) -> str:
    """Everything that these tables hold."""
    return "".join([str(await desk.rows(f"SELECT * FROM {table}")) for table in tables])


async def grant(desk: Front, *, basic: str = "", path: str = "/oauth/token", **fields: str) -> Answer:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    if basic:
        headers["Authorization"] = f"Basic {base64.b64encode(basic.encode()).decode()}"
    return await Client(desk, "", 0).call("POST", path, data=urlencode(fields), headers=headers)


async def test_an_app_gets_its_tokens_as_the_rfc_says(api: Client) -> None:
    desk = api.front
    app = await api.post("/oauth-apps", APP)
    who = {"client_id": app["client_id"], "client_secret": app["client_secret"]}
    pair = f"{app['client_id']}:{quote_plus(app['client_secret'])}"
    kind = {"grant_type": "client_credentials"}
    for good in (
        await grant(desk, **kind, **who),
        await grant(desk, **kind, **who, unknown="is ignored", path="/oauth/token/"),
        await grant(desk, **kind, basic=pair),
        await grant(desk, **kind, basic=pair, scope="customers:read invoices:read"),
        await Client(desk, "", 0).call("POST", "/oauth/token", {**kind, **who}),
    ):
        assert good.status == 200, good.raw
        assert (good.headers["Cache-Control"], good.headers["Pragma"]) == ("no-store", "no-cache")
        assert good.json.items() >= {"token_type": "bearer", "expires_in": 3600}.items()
        assert good.json["scope"] == "customers:read invoices:read"
    narrow = (await grant(desk, **kind, **who, scope="invoices:read")).json
    assert narrow["scope"] == "invoices:read"
    for bad, status, error in [
        (await grant(desk, **who), 400, "invalid_request"),
        (await grant(desk, **who, grant_type="password"), 400, "unsupported_grant_type"),
        (await grant(desk, **kind), 401, "invalid_client"),
        (await grant(desk, **kind, **{**who, "client_secret": "fds_wrong"}), 401, "invalid_client"),
        (await grant(desk, **kind, **{**who, "client_id": "fdc_\x00nobody"}), 401, "invalid_client"),
        (await grant(desk, **kind, basic=f"{app['client_id']}:wrong"), 401, "invalid_client"),
        (await grant(desk, **kind, **who, basic=pair), 400, "invalid_request"),
        (await grant(desk, **kind, **who, scope="customers:read users:write"), 400, "invalid_scope"),
        (await grant(desk, **kind, **who, scope="everything"), 400, "invalid_scope"),
    ]:
        assert (bad.status, bad.json["error"]) == (status, error), bad.raw
        assert bad.json["error_description"]
        assert ("WWW-Authenticate" in bad.headers) is (status == 401)
    garbled = {"Authorization": "Basic %%%", "Content-Type": "application/x-www-form-urlencoded"}
    answer = await Client(desk, "", 0).call("POST", "/oauth/token", data=urlencode(kind), headers=garbled)
    assert (answer.status, answer.json["error"]) == (401, "invalid_client")

    wide = Client(desk, (await grant(desk, **kind, **who)).json["access_token"], 0)
    small = Client(desk, narrow["access_token"], 0)
    await wide.get("/customers")
    await small.get("/customers", status=403)
    await small.get("/invoices")
    await small.post("/auth/refresh", status=401)


async def test_what_an_app_loses_its_tokens_lose_at_once(api: Client) -> None:
    desk = api.front
    app = await api.post("/oauth-apps", APP)
    path, secret = f"/oauth-apps/{app['id']}", app.pop("client_secret")
    assert await api.get(path) == app
    kind = {"grant_type": "client_credentials", "client_id": app["client_id"]}
    token = (await grant(desk, **kind, client_secret=secret)).json["access_token"]
    crm = Client(desk, token, 0)
    await crm.get("/customers")
    await api.patch(path, {"scopes": ["invoices:read"]})
    await crm.get("/customers", status=403)
    rotated = await api.post(path + "/rotate-secret", status=200)
    assert rotated["client_secret"] != secret
    assert (await grant(desk, **kind, client_secret=secret)).status == 401
    assert (await grant(desk, **kind, client_secret=rotated["client_secret"])).status == 200
    await crm.get("/invoices")
    await api.patch(path, {"is_active": False})
    await crm.get("/invoices", status=401)
    assert (await grant(desk, **kind, client_secret=rotated["client_secret"])).status == 401
    await api.patch(path, {"is_active": True})
    await crm.get("/invoices")
    for method, rest in [("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/rotate-secret")]:
        body = {"name": "x"} if method == "PATCH" else None
        assert (await (await stranger(desk)).call(method, path + rest, body)).status == 404
    await api.delete(path)
    await crm.get("/invoices", status=401)
    everything = await stored(desk, *("oauth_apps", "audit", "idempotency"))
    assert secret not in everything
    assert rotated["client_secret"] not in everything


async def test_an_app_has_its_own_rate_and_a_guessed_secret_few_tries(
    sqlite_database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    env = {"FRONTDESK_LIMITS__SIGN_IN": "3/15 minutes"}
    async with front.opened(sqlite_database_url, tmp_path, clock, env=env) as desk:
        admin = await person(desk)
        app = await admin.post("/oauth-apps", {**APP, "rate_per_minute": 4})
        kind = {"grant_type": "client_credentials", "client_id": app["client_id"]}
        tokens = [
            (await grant(desk, **kind, client_secret=app["client_secret"])).json["access_token"] for _ in range(2)
        ]
        calls = [Client(desk, token, 0).call("GET", "/customers") for token in tokens * 3]
        answers = [await call for call in calls]
        assert [answer.status for answer in answers] == [200] * 4 + [429] * 2  # over all its tokens
        assert answers[0].headers["X-RateLimit-Limit"] == "4"
        guesses = await asyncio.gather(*(grant(desk, **kind, client_secret=f"fds_{n}") for n in range(5)))
        assert sorted(guess.status for guess in guesses) == [401, 401, 401, 429, 429]
