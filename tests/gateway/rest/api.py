"""A client of the REST surfaces in a test: people of every role, a second tenant, and what they get."""

import io
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import orjson
from sqlalchemy import insert, select

from gateway import demo_business as juniper
from gateway.auth.tokens import digest
from storage.base import Db, new_uid
from storage.models.sign_in import api_keys, sessions
from storage.models.tenants import tenants, users
from tests import canaries
from tests.gateway.front import Front


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.raw) if self.raw else None


@dataclass
class Client:
    """Calls as one person or program. `user_id` and `uid` are theirs."""

    front: Front
    token: str
    tenant_id: int = 0
    user_id: int | None = None
    uid: str = ""
    prefix: str = "/api/v1"
    headers: dict[str, str] = field(default_factory=dict)

    async def call(
        self, method: str, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None, data: Any = None
    ) -> Answer:
        """`path` without the prefix; `body` goes as JSON, `data` as it is."""
        sent = {**self.headers, **(headers or {})}
        if self.token and "Authorization" not in sent:
            sent["Authorization"] = f"Bearer {self.token}"
        if body is not None:
            data, sent["Content-Type"] = orjson.dumps(body), sent.get("Content-Type", "application/json")
        if isinstance(data, bytes) and len(data) > 2**20:
            data = io.BytesIO(data)
        async with self.front.http.request(
            method, self.front.url + self.prefix + path, data=data, headers=sent
        ) as found:
            raw = await found.read()
            canaries.absent(raw)
            canaries.absent(str(found.headers))
            return Answer(found.status, dict(found.headers), raw)

    async def get(self, path: str, *, status: int = 200) -> Any:
        return _checked(await self.call("GET", path), status)

    async def post(self, path: str, body: Any = None, *, status: int = 201) -> Any:
        return _checked(await self.call("POST", path, {} if body is None else body), status)

    async def put(self, path: str, body: Any, *, status: int = 200) -> Any:
        return _checked(await self.call("PUT", path, body), status)

    async def patch(self, path: str, body: Any, *, status: int = 200) -> Any:
        return _checked(await self.call("PATCH", path, body), status)

    async def delete(self, path: str, *, status: int = 204) -> Any:
        return _checked(await self.call("DELETE", path), status)


def _checked(answer: Answer, status: int) -> Any:
    assert answer.status == status, answer.raw
    return answer.json


async def person(
    front: Front, role: str = "admin", *, tenant_id: int | None = None, name: str = "Robin Reyes"
) -> Client:
    """Somebody with that role who has signed in; of the demo business unless another tenant is given."""
    now = front.house.clock.now()
    session = new_uid()

    def make(db: Db) -> tuple[int, int, str, str]:
        where = users.c.email == juniper.OWNER_EMAIL
        tenant = tenant_id or db.execute(select(users.c.tenant_id).where(where)).scalar_one()
        email = f"{role}.{secrets.token_hex(4)}@example.com"
        values = {"tenant_id": tenant, "email": email, "full_name": name, "role": role, "created_at": now}
        user = db.execute(insert(users).values(uid=new_uid(), **values).returning(users.c.id, users.c.uid)).one()
        moments = {"created_at": now, "last_used_at": now, "expires_at": now + timedelta(days=365)}
        db.execute(insert(sessions).values(uid=session, tenant_id=tenant, user_id=user.id, kind="token", **moments))
        uid: str = db.execute(select(tenants.c.uid).where(tenants.c.id == tenant)).scalar_one()
        return tenant, user.id, user.uid, uid

    tenant, user_id, uid, tenant_uid = await front.house.store.write(make)
    token = front.house.doorman.tokens.access(
        subject=uid, tenant=tenant_uid, kind="user", session=session, lasts=timedelta(days=1), now=now
    )
    return Client(front, token, tenant, user_id, uid)


async def program(front: Front, *scopes: str, tenant_id: int | None = None) -> Client:
    """A program with an API key that has these scopes."""
    key = f"fd_{secrets.token_urlsafe(32)}"
    now = front.house.clock.now()

    def make(db: Db) -> int:
        where = users.c.email == juniper.OWNER_EMAIL
        tenant: int = tenant_id or db.execute(select(users.c.tenant_id).where(where)).scalar_one()
        values = {"name": "Till", "prefix": key[:8], "digest": digest(key), "scopes": list(scopes), "created_at": now}
        db.execute(insert(api_keys).values(uid=new_uid(), tenant_id=tenant, **values))
        return tenant

    return Client(front, key, await front.house.store.write(make))


async def stranger(front: Front, role: str = "owner") -> Client:
    """Somebody of another tenant, which has nothing yet."""
    now = front.house.clock.now()

    def make(db: Db) -> int:
        made = insert(tenants).values(uid=new_uid(), name="Somebody Else", created_at=now).returning(tenants.c.id)
        tenant: int = db.execute(made).scalar_one()
        return tenant

    return await person(front, role, tenant_id=await front.house.store.write(make), name="Sam Else")
