"""The OpenAPI document is right: whatever it allows is answered as it says, and nothing at all is answered with a 500."""

import asyncio
import gc
import re
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from gateway.auth.principal import SCOPES
from gateway.rest.app import surface as dashboard
from gateway.rest.route import ONLY_PEOPLE, PUBLIC, SIGNED_IN
from gateway.rest.v1 import surface
from tests.gateway.rest.api import Client

V1 = surface.make()
SECONDS = 20  # that each engine is tried for
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


def test_every_route_says_who_may_call_it_and_what_it_does() -> None:
    assert len({route.name for route in V1.routes}) == len(V1.routes)
    assert len({(route.method, re.sub(r"{.*?}", "{}", route.path)) for route in V1.routes}) == len(V1.routes)
    for route in V1.routes:
        assert route.scope in {PUBLIC, SIGNED_IN, ONLY_PEOPLE, *SCOPES}, route.name
        assert 3 <= len(route.summary) <= 80, route.name
        assert route.summary[0].isupper(), route.name
        assert not route.summary.endswith("."), route.name
        assert route.path == route.path.rstrip("/").lower(), route.name


def test_every_body_has_an_example_that_fits() -> None:
    for route in V1.routes:
        if route.body is None or route.method not in ("POST", "PUT"):
            continue
        extra = route.body.model_config.get("json_schema_extra")
        examples = extra.get("examples") if isinstance(extra, dict) else None
        assert isinstance(examples, list), f"{route.name}: {route.body.__name__} has no example"
        assert examples, route.name
        for example in examples:
            Draft202012Validator(route.body.model_json_schema()).validate(example)


async def test_the_document_is_there_and_names_every_route(api: Client) -> None:
    document = await api.get("/openapi.json")
    assert document["openapi"].startswith("3.1")
    assert document["servers"] == [{"url": f"{api.front.house.settings.server.public_url}/api/v1"}]
    written = {(method.upper(), path) for path, operations in document["paths"].items() for method in operations}
    assert written == {(route.method, route.path) for route in V1.routes}
    mounted = {
        (route.method, route.resource.canonical.removeprefix("/api/v1"))
        for route in api.front.app.router.routes()
        if route.resource is not None and route.resource.canonical.startswith("/api/v1/") and route.method != "HEAD"
    }
    ours = {
        (method, path)
        for method, path in mounted
        if not re.match(r"/(webhooks/(twilio|whatsapp)|webchat|openapi)", path)
    }
    assert {(method, path.rstrip("/")) for method, path in ours} == written
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


# What the server answers beside the documents, and why nobody needs a permission for it.
_DOORS = {
    r"(/api/v1)?/webhooks/(twilio/(messages|status|voice(/[\w{}]+)*)|whatsapp)": "signed by the provider",
    r"(/api/v1)?/webhooks/twilio/voice/hold/music\.wav": "played to callers who wait",
    r"/api/v1/webchat/(messages|seen|media|socket\.io)": "of whoever holds the unguessable session",
    r"/widget\.js|/api/v1/webchat/config": "what every page with a chat on it loads",
    r"/media/\{token\}|/visits/\{token\}\.ics|/voice/sounds/\{address\}": "for whoever holds a link that we have signed",
    r"/socket\.io": "signs in by itself",
    r"/healthz|/readyz": "for whoever runs us; tells no more than whether we are well",
    r"": "leads to the page for people",
    r"/docs(/.*)?|/api(/v1)?/openapi\.json": "what everybody may read",
    r"/set-password|/accept-invitation": "pages without content, for links in letters",
}


async def test_every_door_of_the_server_is_in_a_document_or_open_for_a_reason(api: Client) -> None:
    documented = set()
    for one in (V1, dashboard.make()):
        for prefix in {one.prefix, "/api"}:
            documented |= {(route.method, prefix + route.path) for route in one.routes}
    doors = {
        (route.method, route.resource.canonical.rstrip("/"))
        for route in api.front.app.router.routes()
        if route.resource is not None and route.method not in ("HEAD", "OPTIONS")
    }
    assert len(doors) > len(V1.routes)
    others = {path for _, path in doors - documented}
    used = {reason for path in others for reason in _DOORS if re.fullmatch(reason, path)}
    assert [path for path in others if not any(re.fullmatch(reason, path) for reason in _DOORS)] == []
    assert used == set(_DOORS)


async def test_the_page_for_people_shows_every_route_and_loads_nothing(api: Client) -> None:
    api.prefix = ""
    answer = await api.call("GET", "/docs")
    page = answer.raw.decode()
    assert answer.status == 200
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert all(f"<details id='{route.name}'" in page for route in V1.routes)
    assert "<code>line_items[].unit_price</code> (needed)" in page
    async with api.front.http.get(api.front.url, allow_redirects=False) as home:
        assert (home.status, home.headers["Location"]) == (302, "/docs")
    assert not re.search(r"(src|href)=['\"]?(https?:)?//", page)


async def test_whatever_is_sent_is_answered_as_the_document_says(
    api: Client, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "schemathesis.cli",
        "run",
        f"{api.front.url}/api/v1/openapi.json",
        f"--header=Authorization: Bearer {api.token}",
        f"--checks={CHECKS}",
        "--phases=examples,coverage,fuzzing",
        "--max-examples=6",
        f"--max-time={SECONDS}",
        "--generation-deterministic",
        "--no-shrink",
        "--no-color",
        "--warnings=off",
        "--continue-on-failure",
        # The second asks the provider, who is not there.
        r"--exclude-path-regex=^/(auth/logout|whatsapp/\{number_id\}/templates)$",
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()[-20_000:]
    gc.collect()  # a task that failed unheard says so when it is let go
    assert [record.getMessage() for record in caplog.records if record.name == "asyncio"] == []
