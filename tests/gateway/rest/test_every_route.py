"""Walks over every route: nobody gets in without a token, without the permission, or to what is another tenant's."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.auth.principal import NOUNS, OF_ROLE
from gateway.rest.route import ONLY_PEOPLE, PUBLIC, SIGNED_IN
from tests.clock import FakeClock
from tests.gateway import front
from tests.gateway.front import Front
from tests.gateway.rest.api import Client, person, program, stranger
from tests.gateway.rest.world import ALIASES, NOBODY, V1, body_of, ids_in, make, path_of


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
            assert found.status in (404, 409, 422), (route.name, name, found.raw)
            assert found.json["detail"] == missing.json["detail"], (route.name, name)


async def test_every_list_of_a_new_tenant_is_empty_of_others(desk: Front, api: Client) -> None:
    theirs = set((await make(api)).values())
    other = await stranger(desk)
    for route in V1.routes:
        if route.method == "GET" and not route.params and route.scope != PUBLIC:
            answer = await other.call("GET", route.path)
            if answer.status == 200:
                assert not [one for one in theirs if len(one) == 36 and one.encode() in answer.raw], route.name


def test_every_scope_opens_something_and_every_noun_is_used() -> None:
    used = {route.scope.partition(":")[0] for route in V1.routes if ":" in route.scope}
    assert used == set(NOUNS)
