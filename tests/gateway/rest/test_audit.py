"""The audit over REST: who changed what, before and after, and never a secret."""

from datetime import timedelta

from tests.gateway.front import Front
from tests.gateway.rest.api import Client, person, program, stranger

CANARY = "canary-Pa55-phrase"


async def test_every_change_says_who_what_before_and_after(api: Client) -> None:
    robin = await person(api.front, "viewer")
    await api.patch(f"/users/{robin.uid}", {"role": "agent", "phone": "512-555-0142"})
    api.front.clock.advance(timedelta(hours=1))
    till = await program(api.front, "canned_replies:write")
    made = await till.post("/canned-replies", {"shortcut": "a", "text": "b"})

    newest, before = (await api.get("/audit?limit=2"))["items"]
    assert newest.items() >= {"action": "canned_reply.created", "noun_id": made["id"], "before": None}.items()
    assert newest["actor"] == {"kind": "app", "id": None, "name": "Till"}
    assert before == {
        "id": before["id"],
        "at": "2026-03-02T18:00:00Z",
        "actor": {"kind": "staff", "id": api.uid, "name": "Robin Reyes"},
        "action": "user.updated",
        "noun": "user",
        "noun_id": robin.uid,
        "before": {"role": "viewer", "phone": "(changed)"},
        "after": {"role": "agent", "phone": "(changed)"},
    }
    for query, actions in [
        (f"user_id={api.uid}", ["user.updated"]),
        ("actor=app", ["canned_reply.created"]),
        ("action=user.updated", ["user.updated"]),
        (f"noun=user&noun_id={robin.uid}", ["user.updated"]),
        (f"noun=canned_reply&noun_id={robin.uid}", []),
        ("from=2026-03-02T18:30:00Z", ["canned_reply.created"]),
        ("from=2026-03-02T18:00:00Z&to=2026-03-02T19:00:00Z&noun=user", ["user.updated"]),
        ("noun=x'%20OR%201=1--", []),
    ]:
        found = (await api.get(f"/audit?{query}"))["items"]
        assert [one["action"] for one in found] == actions, query
    oldest = (await api.get("/audit?sort=at&limit=1"))["items"]
    assert oldest[0]["actor"]["kind"] == "system"
    for bad in ("from=yesterday", "user_id=7", "actor=god", "sort=before", "colour=red", "from=2026-03-02T18:00:00"):
        await api.get(f"/audit?{bad}", status=422)


async def test_it_is_for_those_who_may_and_of_their_own_tenant(desk: Front) -> None:
    for role, status in [("owner", 200), ("admin", 200), ("agent", 403), ("technician", 403), ("viewer", 403)]:
        await (await person(desk, role)).get("/audit", status=status)
    assert (await (await stranger(desk)).get("/audit"))["total"] == 0


async def test_no_secret_is_ever_in_it(api: Client) -> None:
    somebody = Client(api.front, "", 0)
    casey = {"email": "casey@example.com", "full_name": "Casey", "role": "admin", "password": CANARY}
    await api.post("/users", casey)
    signed_in = await somebody.post("/auth/login", {"email": casey["email"], "password": CANARY}, status=200)
    me = Client(api.front, signed_in["access_token"], 0)
    key = (await me.post("/api-keys", {"name": "k", "scopes": ["audit:read"]}))["key"]
    secret = (await me.post("/oauth-apps", {"name": "a", "scopes": ["audit:read"]}))["client_secret"]
    answer = await api.call("GET", "/audit?limit=100")
    stored = str(await api.front.rows("SELECT before, after FROM audit"))
    hashes = [
        value for (value,) in await api.front.rows("SELECT password_hash FROM users WHERE password_hash IS NOT NULL")
    ]
    digests = [value for (value,) in await api.front.rows("SELECT digest FROM api_keys")]
    for hidden in (CANARY, key, secret, signed_in["refresh_token"], *hashes, *digests):
        assert hidden not in answer.raw.decode()
        assert hidden not in stored
    actions = {one["action"] for one in answer.json["items"]}
    assert actions >= {"user.created", "user.signed_in", "api_key.created", "oauth_app.created"}
