"""What clients were promised before there was a server: every endpoint is there, with and without a trailing slash."""

from pathlib import Path

from tests.clock import FakeClock
from tests.gateway import front

ID = "019a0000-0000-7000-8000-000000000000"
MESSAGING = """
POST /auth/register
POST /auth/login
POST /auth/refresh
GET /auth/me
GET POST /businesses
GET PUT DELETE /businesses/{id}
GET POST /whatsapp
GET DELETE /whatsapp/{id}
GET POST /bots
GET PUT DELETE /bots/{id}
GET POST /bots/{id}/scenarios
GET POST /customers
GET PUT DELETE /customers/{id}
GET /conversations
GET /conversations/{id}
POST /conversations/{id}/messages
PUT /conversations/{id}/assign
GET POST /deals
GET PUT DELETE /deals/{id}
GET POST /broadcasts
GET DELETE /broadcasts/{id}
POST /broadcasts/{id}/send
"""
# These answer without a version as well, on their way out; `/api/integrations` is the dashboard's own.
FIELD_SERVICE = """
GET POST /customers
GET PUT DELETE /customers/{id}
GET POST /service-requests
GET PUT DELETE /service-requests/{id}
GET POST /technicians
GET PUT DELETE /technicians/{id}
GET POST /appointments
GET /appointments/availability
GET PUT DELETE /appointments/{id}
GET POST /invoices
GET PUT DELETE /invoices/{id}
GET POST /users
GET PUT DELETE /users/{id}
GET /dashboard
"""
INTEGRATIONS = """
GET POST /integrations
GET PUT DELETE /integrations/{id}
"""
SIGN_IN = "POST /auth/login"
SIGNED = "GET POST /webhooks/whatsapp"  # Meta's own door; whoever cannot show that they are Meta is sent away


async def test_every_promised_endpoint_is_there(demo_sqlite_url: str, tmp_path: Path, clock: FakeClock) -> None:
    clock.set(front.NOON)
    env = {"FRONTDESK_LIMITS__ENABLED": "false"}
    async with front.opened(demo_sqlite_url, tmp_path, clock, env=env, seeded=False) as desk:
        for prefix, table in (
            ("/api/v1", MESSAGING + FIELD_SERVICE + INTEGRATIONS + SIGNED),
            ("/api", SIGN_IN + FIELD_SERVICE),
        ):
            for line in filter(None, table.splitlines()):
                *methods, path = line.split()
                for method in methods:
                    for slash in ("", "/"):
                        url = desk.url + prefix + path.format(id=ID) + slash
                        # Whoever does not say who they are is sent away at the door of a route, and only there.
                        is_open = path.startswith("/auth/") and method == "POST"
                        sent: dict[str, str] | None = {} if is_open else None
                        refused = (400, 401, 422) if is_open else (403,) if line == SIGNED else (401,)
                        async with desk.http.request(method, url, json=sent, allow_redirects=False) as answer:
                            assert answer.status in refused, (method, url)
                            assert ("Deprecation" in answer.headers) == (prefix == "/api" and not is_open), url
