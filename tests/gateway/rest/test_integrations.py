"""Integrations over REST: what is secret goes in and never comes out."""

from typing import Any

from tests.gateway.front import Front
from tests.gateway.rest import field
from tests.gateway.rest.api import Client, person, stranger

CANARY = "canary-7f3a91c2-do-not-show"
TWILIO = {
    "type": "twilio",
    "name": "The shop's number",
    "config": {"account_sid": "AC123", "auth_token": CANARY, "region": {"edge": "ashburn"}},
    "status": "active",
}
MASKED = "••••show"


async def test_one_is_connected_read_changed_and_removed(api: Client) -> None:
    ids = await field.ids(api)
    made = await api.post("/integrations/", TWILIO)
    assert made == {
        **TWILIO,
        "id": made["id"],
        "business_id": ids["business"],
        "config": {"account_sid": "AC123", "auth_token": MASKED, "region": {"edge": "ashburn"}},
        "created_at": "2026-03-02T18:00:00Z",
        "updated_at": "2026-03-02T18:00:00Z",
    }
    path = f"/integrations/{made['id']}"
    assert await api.get(path) == made
    assert await api.put(path, made) == made  # the mask keeps the secret
    assert (await api.patch(path, {"status": "error"}))["config"] == made["config"]
    off = await api.put(path, {"type": "twilio"})
    assert (off["name"], off["config"], off["status"]) == ("", {}, "inactive")
    refused = await api.patch(path, {"type": "stripe"}, status=422)
    assert refused["detail"][0]["loc"] == ["body", "type"]
    await api.delete(path)
    await api.get(path, status=404)


async def test_a_secret_never_comes_back(api: Client) -> None:
    configs: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "twilio": ({"auth_token": CANARY}, {"auth_token": MASKED}),
        "eleven_labs": ({"api_key": CANARY, "voice": "Anna"}, {"api_key": MASKED, "voice": "Anna"}),
        "n8n": ({"webhookSecret": CANARY, "url": "https://n8n.example"}, {"webhookSecret": MASKED, "url": "https://n8n.example"}),
        "stripe": ({"secret_key": "short", "webhook_secret": CANARY}, {"secret_key": "••••", "webhook_secret": MASKED}),
        "email": ({"smtp": {"host": "h", "login": {"password": CANARY}}}, {"smtp": "••••"}),
    }  # fmt: skip
    answers = []
    for kind, (config, shown) in configs.items():
        made = await api.post("/integrations", {"type": kind, "config": config})
        assert made["config"] == shown
        path = f"/integrations/{made['id']}"
        answers += [made, await api.get(path), await api.put(path, made), await api.patch(path, {"config": shown})]
        tried = {"config": {key: "••••else" for key in config if shown[key] != config[key]}}
        answers.append(await api.patch(path, tried, status=422))
    answers += [await api.get("/integrations"), await api.get("/integrations?search=canary")]
    assert "canary-" not in str(answers)
    for table in ("integrations", "audit", "idempotency", "jobs", "webhook_deliveries"):
        assert "canary-" not in str(await api.front.rows(f"SELECT * FROM {table}")), table


async def test_the_secret_itself_is_kept_for_those_who_use_it(api: Client) -> None:
    made = await api.post("/integrations", TWILIO)
    await api.put(f"/integrations/{made['id']}", {**made, "name": "Renamed"})

    async def kept() -> Any:
        sealed = await api.front.one("SELECT secrets FROM integrations")
        where = f"integrations.secrets:{made['id']}"
        return api.front.house.sealer.unseal(sealed, tenant_id=api.tenant_id, field=where)

    assert await kept() == {"auth_token": CANARY}
    await api.patch(f"/integrations/{made['id']}", {"config": {"auth_token": "another-token-here"}})
    assert await kept() == {"auth_token": "another-token-here"}


async def test_lists_are_filtered_and_searched(api: Client) -> None:
    for kind, name in (("twilio", "Numbers"), ("stripe", "Cards"), ("email", "Letters")):
        await api.post(
            "/integrations", {"type": kind, "name": name, "status": "active" if kind == "stripe" else "error"}
        )
    for query, names in {
        "": ["Numbers", "Cards", "Letters"],
        "sort=name&limit=2": ["Cards", "Letters"],
        "type=email": ["Letters"],
        "status=active": ["Cards"],
        "search=number": ["Numbers"],
    }.items():
        assert [one["name"] for one in (await api.get(f"/integrations?{query}"))["items"]] == names, query


def _deep(levels: int) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = {"a": value}
    return value


FLAWS: list[tuple[dict[str, Any], str]] = [
    ({"type": "fax"}, "type"),
    ({"status": "on"}, "status"),
    ({"config": {"a": "x" * 8200}}, "config"),
    ({"config": _deep(6)}, "config"),
    ({"config": _deep(50)}, "config"),
    ({"config": {"": 1}}, "config"),
    ({"config": []}, "config"),
    ({"config": {"auth_token": "••••abcd"}}, "config"),
    ({"config": {"smtp": {"password": "••••"}}}, "config"),
    ({"name": "x" * 201}, "name"),
    ({"colour": "red"}, "colour"),
]


async def test_what_does_not_fit_is_named(api: Client) -> None:
    for change, where in FLAWS:
        answer = await api.post("/integrations", {**TWILIO, **change}, status=422)
        assert answer["detail"][0]["loc"][:2] == ["body", where], change


async def test_numbers_too_large_for_the_database_are_refused(api: Client) -> None:
    made = await api.post("/integrations", {"type": "n8n", "config": {"a": 2**63 - 1, "b": [None, True, 1.5]}})
    assert made["config"] == {"a": 2**63 - 1, "b": [None, True, 1.5]}
    body = b'{"type": "n8n", "config": {"a": 123456789012345678901234567890}}'
    answer = await api.call("POST", "/integrations", data=body, headers={"Content-Type": "application/json"})
    assert (answer.status, answer.json["detail"][0]["loc"]) == (422, ["body", "config"])


async def test_another_tenants_things_are_not_there(api: Client, desk: Front) -> None:
    ids = await field.ids(api)
    made = await api.post("/integrations", TWILIO)
    other = await stranger(desk)
    path = f"/integrations/{made['id']}"
    for method, where, body in (
        ("GET", path, None),
        ("PUT", path, TWILIO),
        ("PATCH", path, {}),
        ("DELETE", path, None),
        ("POST", "/integrations", {**TWILIO, "business_id": ids["business"]}),
        ("GET", f"/integrations?business_id={ids['business']}", None),
    ):
        assert (await other.call(method, where, body)).status == 404
    await (await person(desk, "agent")).get("/integrations", status=403)
