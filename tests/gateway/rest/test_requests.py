"""What every route does with a request, whoever's it is: malformed bodies, odd methods, who calls, how often."""

from pathlib import Path

import pytest

from tests.clock import FakeClock
from tests.gateway import front
from tests.gateway.front import Front
from tests.gateway.rest.api import Client, person, program, stranger
from tests.servers import free_port

DEEP = b'{"text":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
GOOD = b'{"shortcut":"a","text":"b"}'

MALFORMED = [
    ("no JSON", b"shortcut=a", 400),
    ("half of it", b'{"shortcut":"a"', 400),
    ("an array", b"[]", 422),
    ("a number", b"5", 422),
    ("null", b"null", 422),
    ("nothing", b"", 422),
    ("NaN", b'{"shortcut":"a","text":NaN}', 400),
    ("a name twice", b'{"shortcut":"a","shortcut":"b","text":"c"}', 400),
    ("UTF-16", GOOD.decode().encode("utf-16"), 400),
    ("a byte order mark", b"\xef\xbb\xbf" + GOOD, 400),
    ("bytes that are no text", b'{"shortcut":"a","text":"\xff"}', 400),
    ("half a character", b'{"shortcut":"a","text":"\\ud800"}', 422),
    ("NUL", b'{"shortcut":"a","text":"a\\u0000b"}', 422),
    ("a huge number", b'{"shortcut":"a","text":' + b"9" * 5000 + b"}", 400),
    ("2**63", b'{"shortcut":"a","text":9223372036854775808}', 422),
    ("a hundred thousand deep", DEEP, 400),
    ("the wrong type", b'{"shortcut":"a","text":7}', 422),
    ("a field too much", b'{"shortcut":"a","text":"b","tenant":1}', 422),
    ("a field too few", b'{"shortcut":"a"}', 422),
    ("ten times too long", b'{"shortcut":"' + b"a" * 400 + b'","text":"b"}', 422),
    ("a megabyte and more", b'{"shortcut":"a","text":"' + b"b" * 1_100_000 + b'"}', 413),
]

REFUSED = {"detail", "error_code", "status_code", "path", "timestamp", "request_id"}


async def test_malformed_bodies_are_refused_alike_and_leave_nothing(api: Client) -> None:
    for what, body, status in MALFORMED:
        answer = await api.call("POST", "/canned-replies", data=body, headers={"Content-Type": "application/json"})
        assert answer.status == status, (what, answer.raw[:300])
        assert answer.json.keys() >= REFUSED, what
        assert answer.json["status_code"] == status
        assert answer.json["request_id"] == answer.headers["X-Request-ID"]
    assert await api.front.one("SELECT count(*) FROM canned_replies") == 0


async def test_odd_requests_are_refused_in_the_shape_of_the_surface(api: Client) -> None:
    for method, path, headers, status in [
        ("GET", "/no-such-thing", {}, 404),
        ("GET", "/canned-replies/not-an-id", {}, 404),
        ("GET", "/canned-replies/019a0000-0000-7000-8000-000000000000", {}, 404),
        ("PUT", "/canned-replies", {}, 405),
        ("TRACE", "/canned-replies", {}, 405),
        ("POST", "/canned-replies", {"Content-Type": "text/plain"}, 415),
        ("GET", "/canned-replies?limit=0", {}, 422),
        ("GET", "/canned-replies?limit=many", {}, 422),
        ("GET", "/canned-replies?colour=red", {}, 422),
        ("GET", "/canned-replies?skip=1&skip=2", {}, 422),
        ("GET", "/canned-replies?search=%00", {}, 422),
        ("GET", "/canned-replies?sort=password_hash", {}, 422),
        ("GET", "/canned-replies?offset=999999999", {}, 422),
    ]:
        answer = await api.call(method, path, headers=headers, data=b"x" if method == "POST" else None)
        assert answer.status == status, (method, path, answer.raw)
        assert answer.json.keys() >= REFUSED
        assert answer.headers["Content-Type"].startswith("application/json")


async def test_a_page_that_is_too_large_is_cut_and_says_so(api: Client) -> None:
    page = await api.get("/canned-replies?limit=1000000000")
    assert (page["limit"], page["skip"], page["offset"]) == (100, 0, 0)
    assert (await api.get("/canned-replies?offset=7"))["skip"] == 7


@pytest.mark.parametrize("given", [None, "", "Bearer", "Bearer ", "Bearer  x", "Bearer x.y.z", "Basic YTpi", "Token x"])
async def test_without_a_token_that_holds_everybody_hears_the_same(desk: Front, given: str | None) -> None:
    nobody = Client(desk, "", 0, headers={} if given is None else {"Authorization": given})
    answer = await nobody.call("GET", "/canned-replies")
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.json["error_code"] == "UNAUTHORIZED"
    assert answer.json["detail"] == "Sign in first: send a valid token as `Authorization: Bearer …`."


async def test_programs_do_what_their_key_is_for_and_nothing_else(desk: Front) -> None:
    till = await program(desk, "canned_replies:read")
    await till.get("/canned-replies")
    assert (await till.post("/canned-replies", {}, status=403))["scope"] == "canned_replies:write"


async def test_what_is_anothers_looks_like_what_never_was(desk: Front, api: Client) -> None:
    theirs = await api.post("/canned-replies", {"shortcut": "a", "text": "b"})
    other = await stranger(desk)
    path = f"/canned-replies/{theirs['id']}"
    nobodys = "/canned-replies/019a0000-0000-7000-8000-000000000000"
    for method, body in [
        ("GET", None),
        ("PATCH", {"text": "c"}),
        ("PUT", {"shortcut": "a", "text": "c"}),
        ("DELETE", None),
    ]:
        found, missing = await other.call(method, path, body), await other.call(method, nobodys, body)
        assert found.status == missing.status == 404
        assert found.json["detail"] == missing.json["detail"]
    assert (await other.get("/canned-replies"))["total"] == 0
    assert (await api.get(path))["text"] == "b"


async def test_a_role_that_was_taken_away_is_gone_within_a_second(desk: Front, clock: FakeClock) -> None:
    somebody = await person(desk, "agent")
    await somebody.get("/canned-replies")
    await desk.change("UPDATE users SET is_active = :no WHERE id = :id", no=False, id=somebody.user_id)
    desk.house.doorman.forget()
    await somebody.get("/canned-replies", status=401)


async def test_whoever_calls_too_often_waits_and_is_told_how_long(
    database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    clock.set(front.NOON)
    env = {"FRONTDESK_LIMITS__V1_TOKEN": "3/minute", "FRONTDESK_LIMITS__V1_ANONYMOUS": "2/minute"}
    async with front.opened(database_url, tmp_path, clock, env=env, seeded=False) as desk:
        one, two = await person(desk), await person(desk)
        left = []
        for _ in range(3):
            answer = await one.call("GET", "/canned-replies")
            assert answer.status == 200
            assert answer.headers["X-RateLimit-Limit"] == "3"
            assert int(answer.headers["X-RateLimit-Reset"]) > 1_700_000_000
            left.append(answer.headers["X-RateLimit-Remaining"])
        assert left == ["2", "1", "0"]
        over = await one.call("GET", "/canned-replies")
        assert over.status == 429
        assert 1 <= over.json["retry_after"] <= 60
        assert over.headers["Retry-After"] == str(over.json["retry_after"])
        assert over.json["detail"].startswith("Rate limit exceeded. Try again in ")
        assert (await two.call("GET", "/canned-replies")).status == 200
        nobody = Client(desk, "", 0)
        seen = [
            (await nobody.call("GET", path)).status for path in ("/canned-replies", "/no-such-thing", "/canned-replies")
        ]
        assert seen == [401, 404, 429]


async def test_two_processes_count_together_and_a_lost_counter_shuts_no_other_door(
    postgresql_database_url: str, redis_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    clock.set(front.NOON)
    env = {"FRONTDESK_LIMITS__V1_TOKEN": "3/minute", "FRONTDESK_REDIS__URL": redis_url}
    async with (
        front.opened(postgresql_database_url, tmp_path / "a", clock, env=env) as first,
        front.opened(postgresql_database_url, tmp_path / "a", clock, env=env, seeded=False) as second,
    ):
        here = await person(first)
        there = Client(second, here.token, here.tenant_id)
        seen = [(await one.call("GET", "/canned-replies")).status for one in (here, there, here, there)]
        assert seen == [200, 200, 200, 429]
    away = {**env, "FRONTDESK_REDIS__URL": f"redis://127.0.0.1:{free_port()}/0"}
    async with front.opened(postgresql_database_url, tmp_path / "a", clock, env=away, seeded=False) as alone:
        here = await person(alone)  # who is counted in this process meanwhile
        assert [(await here.call("GET", "/canned-replies")).status for _ in range(4)] == [200, 200, 200, 429]


async def test_the_paths_of_old_answer_and_say_that_they_will_go(api: Client) -> None:
    api.prefix = "/api"
    answer = await api.call("GET", "/customers/019a0000-0000-7000-8000-000000000000/")
    assert answer.status == 404
    assert answer.headers["Deprecation"] == "true"
    assert answer.headers["Sunset"].endswith(" GMT")
    successor = "/api/v1/customers/019a0000-0000-7000-8000-000000000000"
    assert answer.headers["Link"] == f'<{successor}>; rel="successor-version"'
