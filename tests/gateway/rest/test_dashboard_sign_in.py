"""Signing in as the dashboard's pages do: by name or e-mail, with a cookie that no other site can use."""

from http.cookies import SimpleCookie

from gateway.auth.schemes import COOKIE
from tests.gateway.front import Front
from tests.gateway.rest.api import Answer, Client

NEW = {"username": "Elm", "email": "elm@example.com", "password": "SecureP@ssw0rd123", "businessName": "Elm Street"}


async def _page(desk: Front, prefix: str) -> Client:
    """A page of somebody who has just registered and signed in."""
    nobody = Client(desk, "", prefix="/api")
    await nobody.post("/auth/register", NEW)
    answer = await nobody.call("POST", "/auth/login", {"username": "elm", "password": NEW["password"]})
    return Client(desk, "", prefix=prefix, headers={"Cookie": f"{COOKIE}={_cookie(answer)}"})


def _cookie(answer: Answer) -> str:
    return SimpleCookie(answer.headers["Set-Cookie"])[COOKIE].value


async def test_whoever_registers_signs_in_by_name_or_email_and_is_known_by_the_cookie(desk: Front) -> None:
    nobody = Client(desk, "", prefix="/api")
    made = await nobody.post("/auth/register", NEW)
    assert made.keys() == {"id", "username", "email", "businessName", "createdAt"}
    assert isinstance(made["id"], int)
    assert made["businessName"] == "Elm Street"
    for who in ({"username": "elm"}, {"username": "elm@example.com"}, {"email": "ELM@example.com"}):
        answer = await nobody.call("POST", "/auth/login/", {**who, "password": NEW["password"]})
        assert answer.status == 200
        assert answer.json.items() >= made.items()
        assert answer.json.keys() - made.keys() == {"access_token", "token_type", "expires_in"}
        assert (answer.json["token_type"], answer.json["expires_in"]) == ("bearer", 3600)
        assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(answer.headers["Set-Cookie"].split("; "))
        page = Client(desk, "", prefix="/api", headers={"Cookie": f"{COOKIE}={_cookie(answer)}"})
        assert await page.get("/auth/me") == made
        program = Client(desk, answer.json["access_token"])
        assert (await program.get("/businesses"))["items"][0]["name"] == "Elm Street"


async def test_another_site_cannot_act_with_the_cookie(desk: Front) -> None:
    page = await _page(desk, "/api/v1")
    words = {"shortcut": "a", "text": "b"}
    for foreign in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
        refused = await page.call("POST", "/canned-replies", words, headers=foreign)
        assert (refused.status, refused.json["error_code"]) == (403, "CROSS_SITE")
    await page.post("/canned-replies", words)
    ours = {"Origin": desk.url, "Sec-Fetch-Site": "same-origin"}
    assert (await page.call("POST", "/canned-replies", {**words, "shortcut": "c"}, headers=ours)).status == 201


async def test_signing_out_ends_the_cookie_and_may_be_done_twice(desk: Front) -> None:
    page = await _page(desk, "/api")
    for _ in range(2):
        gone = await page.call("POST", "/auth/logout", {})
        assert (gone.status, gone.json) == (200, {"message": "Logged out successfully"})
        assert "Max-Age=0" in gone.headers["Set-Cookie"]
    refused = await page.get("/auth/me", status=401)
    assert refused.keys() == {"message", "errors"}


async def test_refusals_have_the_shape_of_the_dashboard_and_at_the_login_both(desk: Front) -> None:
    nobody = Client(desk, "", prefix="/api")
    await nobody.post("/auth/register", NEW)
    assert "email" in (await nobody.post("/auth/register", NEW, status=409))["message"]
    other = {**NEW, "email": "oak@example.com"}
    assert "username" in (await nobody.post("/auth/register", other, status=409))["message"]
    refused = await nobody.post("/auth/register", {**NEW, "email": "nowhere"}, status=400)
    assert refused["errors"]["email"]
    wrong = await nobody.post("/auth/login", {"username": "elm", "password": "wrong"}, status=401)
    assert wrong.keys() >= {"message", "errors", "detail", "error_code", "path"}
    assert (await nobody.call("GET", "/no-such-thing")).json.keys() == {"message", "errors"}
