"""`/api/auth`: registering and signing in with a session cookie."""

from datetime import timedelta
from typing import Annotated, Any

from pydantic import ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from desk import sign_in
from desk.sign_in import Account
from gateway.auth import entrance
from gateway.auth.entrance import Entered, Newcomer
from gateway.auth.schemes import COOKIE
from gateway.rest.call import Call
from gateway.rest.route import ONLY_PEOPLE, PUBLIC, Routes
from gateway.rest.schema import Answer, Body, Moment, Name
from gateway.rest.v1.people import Email, NewPassword, Password

routes = Routes("Sign-in")

Username = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{1,79}$")]


class User(Answer):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    id: int
    username: str
    email: str
    business_name: str
    created_at: Moment


class SignedIn(User):
    access_token: Annotated[str, Field(serialization_alias="access_token")]
    token_type: Annotated[str, Field(serialization_alias="token_type")]
    expires_in: Annotated[int, Field(serialization_alias="expires_in")]


class Done(Answer):
    message: str


class Registration(Body):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "username": "june",
                    "email": "june@example.com",
                    "password": "SecureP@ssw0rd123",
                    "businessName": "Elm Street Barbers",
                }
            ]
        },
    )

    username: Username
    email: Email
    password: NewPassword
    business_name: Annotated[Name, Field(alias="businessName")]


class Login(Body):
    """`username` or `email`; either may be an e-mail."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"username": "june", "password": "SecureP@ssw0rd123"}]},
    )

    username: Annotated[str, Field(max_length=320)] = ""
    email: Annotated[str, Field(max_length=320)] = ""
    password: Password

    @model_validator(mode="after")
    def _has_a_name(self) -> "Login":
        if not self.name:
            raise ValueError("should have a username or an email")
        return self

    @property
    def name(self) -> str:
        return (self.username or self.email).strip().lower()


@routes.post("/auth/register", scope=PUBLIC, summary="Register, with a business of one's own", errors=(403,))
async def register(call: Call, body: Registration) -> User:
    who = Newcomer(body.email, body.password, body.username, None, body.business_name, username=body.username.lower())
    return User(**_user(await entrance.register(call, who)))


@routes.post("/auth/login", scope=PUBLIC, summary="Sign in", status=200, errors=(401,))
async def login(call: Call, body: Login) -> SignedIn:
    entered = await entrance.enter(call, body.name, body.password)
    call.headers["Set-Cookie"] = _cookie(
        call, entered.cookie, timedelta(days=call.house.settings.auth.refresh_token_days)
    )
    return _signed_in(entered)


@routes.post("/auth/logout", scope=PUBLIC, summary="Sign out", status=200)
async def logout(call: Call) -> Done:
    """Also for whoever is signed out already."""
    if call.principal is not None and call.principal.session is not None and call.principal.kind == "user":
        await call.write(sign_in.sign_out, call.principal.session, now=call.now)
    call.headers["Set-Cookie"] = _cookie(call, "", timedelta())
    return Done(message="Logged out successfully")


@routes.get("/auth/me", scope=ONLY_PEOPLE, summary="Who I am")
async def me(call: Call) -> User:
    return User(**_user(await call.read(sign_in.account, call.caller.user_id or 0)))


def _user(whose: Account) -> dict[str, Any]:
    return {
        "id": whose.id,
        "username": whose.username or whose.email,
        "email": whose.email,
        "business_name": whose.tenant_name,
        "created_at": whose.created_at,
    }


def _signed_in(entered: Entered) -> SignedIn:
    return SignedIn(
        **_user(entered.whose), access_token=entered.access_token, token_type="bearer", expires_in=entered.expires_in
    )


def _cookie(call: Call, value: str, lasts: timedelta) -> str:
    """Sent back to us alone, never to a script, and only by pages of ours (RFC 6265, section 4.1)."""
    secure = "; Secure" if call.house.settings.server.public_url.startswith("https://") else ""
    return f"{COOKIE}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={int(lasts.total_seconds())}{secure}"
