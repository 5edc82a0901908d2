"""`/auth`: registering, signing in and out, one's own password and devices. `/oauth/token` for programs."""

from typing import Annotated

from pydantic import ConfigDict, Field, model_validator

from desk import sign_in, users
from desk.sign_in import Account, Session
from gateway.auth import entrance, oauth
from gateway.auth.entrance import Newcomer, Pair
from gateway.rest.call import Call
from gateway.rest.route import ONLY_PEOPLE, PUBLIC, Routes
from gateway.rest.schema import Answer, Body, Moment, Name, Page, SkipQuery, Uid
from gateway.rest.v1.people import AnyRole, Availability, Email, NewPassword, Password, Phone, Secret, TimeZone

routes = Routes("Sign-in")


class Registered(Answer):
    id: Uid
    email: str
    full_name: str
    phone: str | None
    role: AnyRole
    tenant_id: Uid
    is_active: bool
    created_at: Moment

    @classmethod
    def of(cls, whose: Account) -> "Registered":
        return cls(
            id=whose.uid,
            email=whose.email,
            full_name=whose.full_name,
            phone=whose.phone,
            role=whose.role,
            tenant_id=whose.tenant_uid,
            is_active=whose.is_active,
            created_at=whose.created_at,
        )


class Me(Answer):
    id: Uid
    email: str
    full_name: str
    phone: str | None
    role: AnyRole
    tenant_id: Uid
    tenant_name: str
    is_active: bool
    availability: Availability
    max_conversations: int | None
    scopes: list[str]
    created_at: Moment


class SignedInUser(Answer):
    id: Uid
    email: str
    full_name: str
    role: AnyRole
    tenant_id: Uid


class SignedIn(Answer):
    access_token: str
    refresh_token: str
    token_type: str
    expires_in: Annotated[int, Field(description="Seconds that the access token is good for.")]
    user: SignedInUser

    @classmethod
    def of(cls, pair: Pair) -> "SignedIn":
        whose = pair.whose
        return cls(
            access_token=pair.access_token,
            refresh_token=pair.refresh_token,
            token_type="bearer",
            expires_in=pair.expires_in,
            user=SignedInUser(
                id=whose.uid,
                email=whose.email,
                full_name=whose.full_name,
                role=whose.role,
                tenant_id=whose.tenant_uid,
            ),
        )


class Device(Answer):
    id: Uid
    device: Annotated[str, Field(description="What its program calls itself.")]
    address: str
    kind: str
    is_current: bool
    created_at: Moment
    last_used_at: Moment
    expires_at: Moment

    @classmethod
    def of(cls, one: Session, current: str | None) -> "Device":
        return cls(
            id=one.uid,
            device=one.device,
            address=one.address,
            kind=one.kind,
            is_current=one.uid == current,
            created_at=one.created_at,
            last_used_at=one.last_used_at,
            expires_at=one.expires_at,
        )


class Sent(Answer):
    message: str


class Registration(Body):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "email": "user@example.com",
                    "password": "SecureP@ssw0rd123",
                    "full_name": "John Doe",
                    "tenant_name": "Acme Corp",
                }
            ]
        }
    )

    email: Email
    password: NewPassword
    full_name: Name
    phone: Phone | None = None
    tenant_name: Annotated[
        Name | None, Field(description="What the business is called; else it has the person's name.")
    ] = None
    time_zone: TimeZone = "UTC"


class Login(Body):
    """`email` as JSON, or `username` as a form."""

    model_config = ConfigDict(
        extra="ignore",  # what OAuth's password form has besides
        json_schema_extra={"examples": [{"email": "user@example.com", "password": "SecureP@ssw0rd123"}]},
    )

    email: Annotated[str, Field(max_length=320)] = ""
    username: Annotated[str, Field(max_length=320)] = ""
    password: Password

    @model_validator(mode="after")
    def _has_a_name(self) -> "Login":
        if not self.name:
            raise ValueError("should have an email (or a username)")
        return self

    @property
    def name(self) -> str:
        return (self.email or self.username).replace("\x00", "").strip().lower()


class Refresh(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"refresh_token": "fdr_…"}]})

    refresh_token: Annotated[str | None, Field(max_length=500)] = None


class PasswordChange(Body):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"current_password": "SecureP@ssw0rd123", "new_password": "correct horse battery staple"}]
        }
    )

    current_password: Password
    new_password: NewPassword


class Forgotten(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"email": "user@example.com"}]})

    email: Email


class Reset(Body):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"token": "from-the-e-mail", "password": "correct horse battery staple"}]}
    )

    token: Secret
    password: NewPassword


class MyChange(Body):
    full_name: Name = ""
    phone: Phone | None = None
    availability: Availability = "online"


@routes.post("/auth/register", scope=PUBLIC, summary="Register, with a business of one's own", errors=(403,))
async def register(call: Call, body: Registration) -> Registered:
    return Registered.of(await entrance.register(call, Newcomer(**body.values())))


@routes.post("/auth/login", scope=PUBLIC, summary="Sign in", status=200, takes_form=True, errors=(401,))
async def login(call: Call, body: Login) -> SignedIn:
    """As JSON, or as a form; `username` is another name for `email`."""
    return SignedIn.of(await entrance.sign_in_with(call, body.name, body.password))


@routes.post("/auth/refresh", scope=PUBLIC, summary="Go on with the next pair of tokens", status=200, errors=(401,))
async def refresh(call: Call, body: Refresh) -> SignedIn:
    """Send the refresh token, or call with an access token that is still good. Each refresh token works once: using one
    again ends the session, for whoever holds it."""
    return SignedIn.of(await entrance.refresh(call, body.refresh_token))


@routes.get("/auth/me", scope=ONLY_PEOPLE, summary="Who I am")
async def me(call: Call) -> Me:
    return _me(call, await call.read(sign_in.account, call.caller.user_id or 0))


@routes.patch("/auth/me", scope=ONLY_PEOPLE, summary="Change my name, phone or availability")
async def change_me(call: Call, body: MyChange) -> Me:
    await call.write(users.change_self, body.changes(), now=call.now)
    return _me(call, await call.read(sign_in.account, call.caller.user_id or 0))


@routes.post("/auth/logout", scope=ONLY_PEOPLE, summary="Sign out this device", status=204)
async def logout(call: Call) -> None:
    await call.write(sign_in.sign_out, call.caller.session or "", now=call.now)


@routes.get("/auth/sessions", scope=ONLY_PEOPLE, summary="My devices")
async def sessions(call: Call, query: SkipQuery) -> Page[Device]:
    window = query.window()
    found = await call.read(sign_in.find, window, now=call.now)
    return Page[Device].of(found, window, lambda one: Device.of(one, call.caller.session))


@routes.delete("/auth/sessions/{session_id}", scope=ONLY_PEOPLE, summary="Sign out one of my devices")
async def sign_out(call: Call, session_id: Uid) -> None:
    await call.write(sign_in.sign_out, session_id, reason="by_user", now=call.now)


@routes.post("/auth/password", scope=ONLY_PEOPLE, summary="Change my password", status=200)
async def change_password(call: Call, body: PasswordChange) -> SignedIn:
    """Every other device is signed out; this one goes on with the tokens of the answer."""
    return SignedIn.of(await entrance.change_password(call, body.current_password, body.new_password))


@routes.post("/auth/password-reset", scope=PUBLIC, summary="Ask for a new password", status=202)
async def ask_reset(call: Call, body: Forgotten) -> Sent:
    """The answer is the same whether there is somebody with this e-mail or not."""
    await entrance.ask_reset(call, body.email)
    return Sent(message="If there is somebody with this e-mail, a letter with a link is on its way to them.")


@routes.post("/auth/password-reset/confirm", scope=PUBLIC, summary="Choose a new password", status=204)
async def reset_password(call: Call, body: Reset) -> None:
    """Every device is signed out."""
    await entrance.reset_password(call, body.token, body.password)


class Grant(Body):
    """Either in the body, or id and secret by HTTP Basic (RFC 6749, section 2.3.1)."""

    model_config = ConfigDict(
        extra="ignore",  # RFC 6749, section 3.2: what is not known is ignored
        json_schema_extra={
            "examples": [
                {"grant_type": "client_credentials", "client_id": "fdc_…", "client_secret": "fds_…", "scope": ""}
            ]
        },
    )

    grant_type: str = ""
    client_id: str = ""
    client_secret: str = ""
    scope: str = ""


class Granted(Answer):
    access_token: str
    token_type: str
    expires_in: int
    scope: str


@routes.post(
    "/oauth/token", scope=PUBLIC, summary="A token for an OAuth app", status=200, takes_form=True, errors=(400, 401)
)
async def token(call: Call, body: Grant) -> Granted:
    """Client credentials, as RFC 6749 has them. Errors have its `error` and `error_description` beside the usual."""
    return Granted(**await oauth.grant(call, **body.values()))


def _me(call: Call, whose: Account) -> Me:
    return Me(
        id=whose.uid,
        email=whose.email,
        full_name=whose.full_name,
        phone=whose.phone,
        role=whose.role,
        tenant_id=whose.tenant_uid,
        tenant_name=whose.tenant_name,
        is_active=whose.is_active,
        availability=whose.availability,  # type: ignore[arg-type]
        max_conversations=whose.max_conversations,
        scopes=sorted(call.caller.scopes),
        created_at=whose.created_at,
    )
