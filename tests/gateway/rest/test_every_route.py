"""Walks over every route: nobody gets in without a token, without the permission, or to what is another tenant's."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.auth.principal import NOUNS, OF_ROLE
from gateway.rest.route import ONLY_PEOPLE, PUBLIC, SIGNED_IN
from tests.clock import FakeClock
from tests.gateway import front
from tests.gateway.front import Front
from tests.gateway.rest.api import Answer, Client, person, program, stranger
from tests.gateway.rest.world import ALIASES, NOBODY, V1, asked_in, body_of, ids_in, make, path_of, query_of


@pytest.fixture
async def desk(database_url: str, tmp_path: Path, clock: FakeClock) -> AsyncIterator[Front]:
    """A front desk that could send e-mail, so that nothing is missing."""
    clock.set(front.NOON)
    env = {"FRONTDESK_LIMITS__ENABLED": "false", "FRONTDESK_MAIL__URL": "smtp://127.0.0.1:9"}
    async with front.opened(database_url, tmp_path, clock, env=env, seeded=False) as opened:
        yield opened


async def test_nobody_gets_in_without_a_token_or_the_permission(desk: Front) -> None:
    nobody, keyless = Client(desk, ""), await program(desk)
    agent = await person(desk, "agent")
    world = dict.fromkeys({name for route in V1.routes for name in route.params}, NOBODY) | {
        "day": "2026-12-24",
        "number": "1",
    }
    bodies = set()
    for route in V1.routes:
        if route.scope == PUBLIC:
            continue
        path, body = path_of(route, world), body_of(route, world)
        refused = await nobody.call(route.method, path, body)
        assert refused.status == 401, route.name
        assert refused.headers["WWW-Authenticate"] == "Bearer"
        bodies.add((refused.json["detail"], refused.json["error_code"]))
        if route.scope != SIGNED_IN:
            assert (await keyless.call(route.method, path, body)).status == 403, route.name
        if route.scope not in (SIGNED_IN, ONLY_PEOPLE, *OF_ROLE["agent"]):
            assert (await agent.call(route.method, path, body)).status == 403, route.name
    assert len(bodies) == 1


async def test_what_is_another_tenants_is_not_there(desk: Front, api: Client) -> None:
    theirs = await make(api)
    other = await stranger(desk)
    ours = await make(other)
    assert set(theirs) >= {name for route in V1.routes for name in route.params}
    for route in V1.routes:
        for name in route.params:
            if name in ("day", "number"):
                continue
            body = body_of(route, ours)
            found = await other.call(route.method, path_of(route, {**ours, name: theirs[name]}), body)
            missing = await other.call(route.method, path_of(route, {**ours, name: NOBODY}), body)
            assert found.status == missing.status == 404, (route.name, name, found.raw, missing.raw)
            assert found.json["detail"] == missing.json["detail"], (route.name, name)
        for name in ids_in(route):
            if ALIASES.get(name, name) not in theirs:
                continue
            path = path_of(route, ours)
            found = await other.call(
                route.method, path, body_of(route, ours, **{name: theirs[ALIASES.get(name, name)]})
            )
            missing = await other.call(route.method, path, body_of(route, ours, **{name: NOBODY}))
            assert found.status == missing.status, (route.name, name, found.raw, missing.raw)
            assert found.status == (422 if name == "mentions" else 404), (route.name, name, found.raw)
            assert found.json["detail"] == missing.json["detail"], (route.name, name)
        for name in asked_in(route):
            if ALIASES.get(name, name) in theirs:
                path, value = path_of(route, ours), theirs[ALIASES.get(name, name)]
                found = await other.call(route.method, f"{path}?{query_of(route, ours, **{name: value})}")
                missing = await other.call(route.method, f"{path}?{query_of(route, ours, **{name: NOBODY})}")
                assert (found.status, _said(found)) == (missing.status, _said(missing)), (route.name, name)
                assert found.status == 404 or found.json["items"] == [], (route.name, name, found.raw)


async def test_every_list_of_a_new_tenant_is_empty_of_others(desk: Front, api: Client) -> None:
    world = await make(api)
    theirs = set(world.values())
    other = await stranger(desk)
    read = 0
    for route in V1.routes:
        if route.method == "GET" and not route.params and route.scope != PUBLIC:
            answer = await other.call("GET", route.path)
            assert answer.status in (200, 409, 422), (route.name, answer.raw)
            if answer.status == 200:
                assert not [one for one in theirs if len(one) == 36 and one.encode() in answer.raw], route.name
                read += 1
    assert read > 20


def _said(answer: Answer) -> Any:
    """What an answer says, but for what every one has of its own."""
    return answer.json["detail"] if answer.status >= 400 else answer.json


async def test_what_nobody_may_change_stays_as_it_is(api: Client) -> None:
    world = await make(api)
    readable = {route.path for route in V1.routes if route.method == "GET"}
    tried = 0
    for route in V1.routes:
        if route.method == "PATCH" and route.path in readable:
            path = path_of(route, world)
            before = await api.get(path)
            for forged in (
                {"tenant_id": NOBODY, "is_superuser": True},
                {"id": NOBODY, "created_at": "2020-01-01T00:00:00Z"},
                {"credentials": {"auth_token": "x"}, "digest": "x", "password_hash": "x"},
            ):
                answer = await api.call("PATCH", path, forged)
                assert answer.status in (200, 422), (route.name, answer.raw)
            assert await api.get(path) == before, route.name
            tried += 1
    assert tried > 10


def test_what_is_for_admins_is_for_nobody_below_them() -> None:
    """The walk above goes by the roles; this says what they must not hold."""
    below = [OF_ROLE[role] for role in ("agent", "technician", "viewer")]
    for noun in ("users", "bots", "channels", "integrations", "webhooks", "api_keys", "audit", "businesses", "teams"):
        assert not [held for held in below if f"{noun}:write" in held], noun
    for noun in ("integrations", "webhooks", "api_keys", "audit"):
        assert not [held for held in below if f"{noun}:read" in held], noun
    assert not [scope for scope in OF_ROLE["viewer"] if scope.endswith(":write")]


def test_every_scope_opens_something_and_every_noun_is_used() -> None:
    used = {route.scope.partition(":")[0] for route in V1.routes if ":" in route.scope}
    assert used == set(NOUNS)
